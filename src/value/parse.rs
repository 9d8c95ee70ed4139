//! Parses TOML to a [`Tree`]. Entries are in the order in which they first appear in the text.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::Problem;
use super::syntax::{explain, whole_characters};
use super::{Entry, Kind, Node, NodeId, Origin, SourceId, Sources, Tree};

/// Parses the text of `source`.
///
/// # Errors
/// Every place where the text is not TOML.
pub fn parse(sources: &Sources, source: SourceId) -> Result<Tree, Vec<Problem>> {
    parse_text(source, sources.text(source))
}

/// Parses `text` as if it were the text of `source`, with the same byte positions.
///
/// # Errors
/// Every place where the text is not TOML.
pub fn parse_text(source: SourceId, text: &str) -> Result<Tree, Vec<Problem>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut parser = Parser { source, text, nodes: 0, problems: Vec::new() };
    let found = errors.iter().map(|error| (error.span().unwrap_or(0..0), error.message().to_owned())).collect();
    let problems = explain(text, found).into_iter().map(|(span, problem)| problem.at(parser.origin(span))).collect();
    parser.problems = problems;
    if !parser.problems.is_empty() {
        return Err(parser.problems);
    }
    let root = parser.table(0..text.len(), table.into_inner());
    if parser.problems.is_empty() { Ok(Tree { root, nodes: parser.nodes, axes: 0 }) } else { Err(parser.problems) }
}

struct Parser<'a> {
    source: SourceId,
    text: &'a str,
    nodes: usize,
    problems: Vec<Problem>,
}

impl Parser<'_> {
    fn report(&mut self, span: Range<usize>, message: String) {
        self.problems.push(Problem::new(message).at(self.origin(span)));
    }

    fn origin(&self, span: Range<usize>) -> Origin {
        Origin { source: self.source, span: whole_characters(self.text, span) }
    }

    fn node(&mut self, span: Range<usize>, kind: Kind) -> Node {
        self.nodes += 1;
        Node { id: NodeId(self.nodes - 1), origin: self.origin(span), kind }
    }

    fn value(&mut self, value: Spanned<DeValue<'_>>) -> Node {
        let span = value.span();
        let kind = match value.into_inner() {
            DeValue::Boolean(value) => Kind::Bool(value),
            DeValue::Integer(integer) => {
                let parsed = i64::from_str_radix(integer.as_str(), integer.radix());
                if parsed.is_err() {
                    self.report(span.clone(), "this whole number does not fit into 64 bits".to_owned());
                }
                Kind::Int(parsed.unwrap_or_default())
            }
            DeValue::Float(float) => {
                // Rust also reads TOML's `inf` and `nan`.
                let parsed = float.as_str().parse();
                if parsed.is_err() {
                    self.report(span.clone(), "this is not a number".to_owned());
                }
                Kind::Float(parsed.unwrap_or_default())
            }
            DeValue::String(text) => Kind::Text(text.into_owned()),
            DeValue::Datetime(date) => Kind::Date(date.to_string()),
            DeValue::Array(items) => Kind::List(items.into_iter().map(|item| self.value(item)).collect()),
            DeValue::Table(table) => return self.table(span, table),
        };
        self.node(span, kind)
    }

    fn table(&mut self, span: Range<usize>, table: DeTable<'_>) -> Node {
        let mut entries: Vec<Entry> = table
            .into_iter()
            .map(|(key, value)| {
                let key_origin = self.origin(key.span());
                Entry { key: key.into_inner().into_owned(), key_origin, value: self.value(value) }
            })
            .collect();
        entries.sort_by_key(|entry| entry.key_origin.span.start);
        self.node(span, Kind::Table(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(text: &str) -> (Sources, Tree) {
        let mut sources = Sources::default();
        let source = sources.add("test.toml", text);
        let tree = parse(&sources, source).unwrap();
        (sources, tree)
    }

    fn keys(node: &Node) -> Vec<&str> {
        node.entries().unwrap().iter().map(|entry| entry.key.as_str()).collect()
    }

    #[test]
    fn entries_keep_the_order_of_the_file() {
        let (_, tree) = tree("z = 1\n[o.m]\n[o.a]\n[b]\ny = 1\nx.q = 2\nx.p = 1\n[o.c]\n");
        assert_eq!(keys(&tree.root), ["z", "o", "b"]);
        assert_eq!(keys(&tree.root.entry("o").unwrap().value), ["m", "a", "c"]);
        assert_eq!(keys(&tree.root.entry("b").unwrap().value), ["y", "x"]);
        assert_eq!(keys(&tree.root.entry("b").unwrap().value.entry("x").unwrap().value), ["q", "p"]);
    }

    #[test]
    fn every_value_knows_its_place() {
        let (sources, tree) = tree("a = 1\n[s]\nlist = [1.5, \"ä\", true]\n");
        let list = &tree.root.entry("s").unwrap().value.entry("list").unwrap().value;
        assert_eq!(sources.excerpt(&list.origin), "[1.5, \"ä\", true]");
        let Kind::List(items) = &list.kind else { panic!("not a list") };
        assert_eq!(
            items.iter().map(|item| sources.excerpt(&item.origin)).collect::<Vec<_>>(),
            ["1.5", "\"ä\"", "true"]
        );
        assert_eq!(sources.line_and_column(&items[2].origin), (3, 19));
    }

    #[test]
    fn a_number_that_does_not_fit_is_an_error() {
        let mut sources = Sources::default();
        let source = sources.add("test.toml", "a = 9223372036854775808\nb = 0xffffffffffffffffff");
        assert_eq!(parse(&sources, source).unwrap_err().len(), 2);
    }

    #[test]
    fn several_syntax_errors_are_all_reported() {
        let mut sources = Sources::default();
        let source = sources.add("test.toml", "a = \nb = [1,\n[c]\nd = 'x\n");
        assert!(parse(&sources, source).unwrap_err().len() >= 2);
    }
}
