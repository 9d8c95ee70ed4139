//! A tree as TOML text that is read as the same tree: the same keys and values, and the same order of all that can hold an axis.

use super::{Entry, Kind, Node};
use crate::number::shortest;

/// Lines of the text are no longer than this where a list can be broken.
const WIDTH: usize = 120;

/// The text of a whole tree whose axes have not been found yet. Tables that `is_section` holds for get headers, or dotted keys
/// where a header would change the order; all others stand in braces. Single values that follow a section may be written before
/// it, unless every key is to keep its place.
pub fn document(root: &Node, is_section: &dyn Fn(&Node) -> bool, every_place: bool) -> String {
    let mut writer = Writer { is_section, every_place, text: String::new() };
    writer.table(&mut Vec::new(), root.entries().unwrap_or_default());
    writer.text
}

/// A value on one line.
pub fn value(node: &Node) -> String {
    match &node.kind {
        Kind::Bool(value) => value.to_string(),
        Kind::Int(value) => value.to_string(),
        Kind::Float(value) => float(*value),
        Kind::Text(value) => text(value),
        Kind::Date(value) => value.clone(),
        Kind::Table(entries) if entries.is_empty() => "{}".to_owned(),
        Kind::Table(entries) => {
            let entries: Vec<String> =
                entries.iter().map(|entry| format!("{} = {}", key(&entry.key), value(&entry.value))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        Kind::List(_) | Kind::Axis(_) | Kind::Absent => {
            format!("[{}]", node.children().map(value).collect::<Vec<_>>().join(", "))
        }
    }
}

/// The shortest digits that are read as the same number, and as one with a fraction.
pub fn float(value: f64) -> String {
    let digits = if value.is_nan() { "nan".to_owned() } else { shortest(value) };
    if digits.contains(['.', 'e', 'n']) { digits } else { digits + ".0" }
}

/// A key, in quotes where it needs them.
pub fn key(key: &str) -> String {
    let is_bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if is_bare { key.to_owned() } else { text(key) }
}

/// Keys that lead to a place, between dots.
pub fn path<'k>(keys: impl IntoIterator<Item = &'k str>) -> String {
    keys.into_iter().map(key).collect::<Vec<_>>().join(".")
}

/// A text in quotes.
pub fn text(value: &str) -> String {
    let mut quoted = String::with_capacity(value.len() + 2);
    quoted.push('"');
    for c in value.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

struct Writer<'a> {
    is_section: &'a dyn Fn(&Node) -> bool,
    every_place: bool,
    text: String,
}

impl Writer<'_> {
    /// The entries of the table at `path`, below its header.
    fn table(&mut self, path: &mut Vec<String>, entries: &[Entry]) {
        let Layout { lines, sections } = self.layout(entries);
        lines.into_iter().for_each(|entry| self.lines(&key(&entry.key), &entry.value));
        for entry in sections {
            path.push(key(&entry.key));
            let own = entry.value.entries().unwrap_or_default();
            // What holds sections and nothing else is made by their headers.
            if own.is_empty() || !self.layout(own).lines.is_empty() {
                let blank = if self.text.is_empty() { "" } else { "\n" };
                self.text += &format!("{blank}[{}]\n", path.join("."));
            }
            self.table(path, own);
            path.pop();
        }
    }

    /// What stands below the table's own header, and what gets headers of its own. A header ends the table above it, so that
    /// what a list or braces follow gets none. A single value holds no axis and moves before the headers; a table in braces may be
    /// an alternative, and keeps its place.
    fn layout<'e>(&self, entries: &'e [Entry]) -> Layout<'e> {
        let is_single = |node: &Node| !matches!(node.kind, Kind::Table(_) | Kind::List(_));
        let moves = |entry: &Entry| !self.every_place && is_single(&entry.value);
        let stays = |entry: &Entry| !(self.is_section)(&entry.value) && !moves(entry);
        let first = entries.iter().rposition(stays).map_or(0, |last| last + 1);
        let (moved, sections): (Vec<&Entry>, Vec<&Entry>) = entries[first..].iter().partition(|entry| moves(entry));
        Layout { lines: entries[..first].iter().chain(moved).collect(), sections }
    }

    /// A key and its value, a section as a line for each of its keys.
    fn lines(&mut self, key_path: &str, node: &Node) {
        match &node.kind {
            Kind::Table(entries) if (self.is_section)(node) && !entries.is_empty() => {
                for entry in entries {
                    self.lines(&format!("{key_path}.{}", key(&entry.key)), &entry.value);
                }
            }
            _ => {
                let line = format!("{key_path} = {}", value(node));
                match &node.kind {
                    Kind::List(items) if line.chars().count() > WIDTH => {
                        let items: String = items.iter().map(|item| format!("    {},\n", value(item))).collect();
                        self.text += &format!("{key_path} = [\n{items}]\n");
                    }
                    _ => self.text += &format!("{line}\n"),
                }
            }
        }
    }
}

struct Layout<'e> {
    lines: Vec<&'e Entry>,
    sections: Vec<&'e Entry>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::value::{Sources, parse};

    fn rewritten(text: &str) -> String {
        let (sources, tree) = read(text);
        document(&tree, &|node| sources.is_section(node), false)
    }

    fn read(text: &str) -> (Sources, Node) {
        let mut sources = Sources::default();
        let source = sources.add("test.toml", text);
        let tree = parse::parse(&sources, source).unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"));
        (sources, tree.root)
    }

    #[test]
    fn what_is_written_as_this_writes_it_stays_as_it_is() {
        let text = "name = \"ä \\\"b\\\"\\n\"\nseeds = [1, 2]\n\n[data]\nsource = \"mnist\"\n\n[train]\nsteps = 10\nlr = 1e-7\n\n\
                    [optimizer]\nkind = \"adam\"\n\n[optimizer.\"a b\"]\nx = { y = 0.1, z = [true, -inf] }\n\n[optimizer.sgd]\n";
        assert_eq!(rewritten(text), text);
    }

    #[test]
    fn single_values_move_before_sections() {
        let text = "[a]\nb.c = 1\nd = 2\n";
        assert_eq!(rewritten(text), "[a]\nd = 2\n\n[a.b]\nc = 1\n");
        let (sources, tree) = read(text);
        assert_eq!(document(&tree, &|node| sources.is_section(node), true), text);
    }

    #[test]
    fn lists_after_sections_keep_their_places() {
        // The list cannot stand below [a.b], nor before it.
        assert_eq!(
            rewritten("[a]\nb.c = 1\nb.d.e = 3\nd = [2]\ne.f = 3"),
            "[a]\nb.c = 1\nb.d.e = 3\nd = [2]\n\n[a.e]\nf = 3\n"
        );
    }

    #[test]
    fn long_lists_are_broken() {
        let item = format!("\"{}\"", "x".repeat(70));
        assert_eq!(rewritten(&format!("a = [{item}, {item}]")), format!("a = [\n    {item},\n    {item},\n]\n"));
    }

    /// Some TOML value.
    fn any_value() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(|value| value.to_string()),
            any::<i64>().prop_map(|value| value.to_string()),
            any::<f64>().prop_map(|value| if value.is_nan() { "nan".to_owned() } else { format!("{value:?}") }),
            any::<String>().prop_map(|value| text(&value)),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(|items| format!("[{}]", items.join(", "))),
                prop::collection::btree_map("[a-c]", inner, 0..3).prop_map(|entries| {
                    let entries: Vec<String> = entries.iter().map(|(key, value)| format!("{key} = {value}")).collect();
                    format!("{{ {} }}", entries.join(", "))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_the_same(
            lines in prop::collection::btree_map("[a-c](\\.[d-f]){0,2}", any_value(), 0..8),
            shuffle in any::<prop::sample::Index>(),
            every_place in any::<bool>(),
        ) {
            let mut lines: Vec<String> = lines.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
            if !lines.is_empty() {
                let at = shuffle.index(lines.len());
                lines.rotate_left(at);
            }
            let text = lines.concat();
            let mut sources = Sources::default();
            let source = sources.add("test.toml", text.as_str());
            // `a = 1` beside `a.d = 2` is no TOML.
            let Ok(tree) = parse::parse(&sources, source) else { return Ok(()) };
            let written = document(&tree.root, &|node| sources.is_section(node), every_place);
            let (read_sources, read) = read(&written);
            prop_assert_eq!(order(&read, every_place), order(&tree.root, every_place), "{}", written);
            // Writing what was read changes nothing.
            prop_assert_eq!(document(&read, &|node| read_sources.is_section(node), every_place), written);
        }
    }

    /// All keys and values: single ones, which are sorted, and those whose order counts.
    fn order(node: &Node, every_place: bool) -> (Vec<String>, Vec<String>) {
        fn walk(node: &Node, path: &str, singles: &mut Vec<String>, others: &mut Vec<String>) {
            for entry in node.entries().unwrap_or_default() {
                let path = format!("{path}.{}", entry.key);
                match &entry.value.kind {
                    // In braces or not, it may be an alternative.
                    Kind::Table(_) => {
                        others.push(path.clone());
                        walk(&entry.value, &path, singles, others);
                    }
                    Kind::List(_) => others.push(format!("{path} = {}", value(&entry.value))),
                    _ => singles.push(format!("{path} = {}", value(&entry.value))),
                }
            }
        }
        let (mut singles, mut others) = (Vec::new(), Vec::new());
        walk(node, "", &mut singles, &mut others);
        if every_place {
            others = vec![value(node)];
        }
        singles.sort();
        (singles, others)
    }
}
