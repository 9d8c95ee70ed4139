//! Writes a tree as TOML that is read as the same tree: with the same keys and values, and the same order of everything
//! that can contain an axis.

use super::{Entry, Kind, Node};
use engine::number::shortest;

/// The maximum width of a line if a list in it can be broken.
const WIDTH: usize = 120;

/// A table in braces whose line is longer becomes a section, if possible.
const BRACES: usize = 100;

/// The column at which comments begin, unless their line is longer.
const COMMENTS: usize = 36;

/// How a tree is laid out.
pub struct Layout<'a> {
    /// Whether the table at this path gets a header, or dotted keys if a header would change the order. All other
    /// tables are in braces.
    pub is_section: &'a dyn Fn(&[&str], &Node) -> bool,
    /// Whether a value after a section may be written before it.
    pub moves: &'a dyn Fn(&Node) -> bool,
    /// The comment on the key or header at this path.
    pub comment: &'a dyn Fn(&[&str]) -> Option<String>,
}

impl<'a> Layout<'a> {
    /// The layout of a tree whose order does not matter: tables at the top, and those too long for a line, are
    /// sections.
    pub fn of_values(comment: &'a dyn Fn(&[&str]) -> Option<String>) -> Self {
        Self {
            is_section: &|path, node| match path {
                [.., _, key] => key.len() + 3 + value(node).chars().count() > BRACES,
                _ => true,
            },
            moves: &|_| true,
            comment,
        }
    }
}

/// The text of a whole tree whose axes have not been found yet.
pub fn document(root: &Node, layout: &Layout) -> String {
    let mut writer = Writer { layout, text: String::new() };
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

/// The shortest digits that TOML reads as the same float.
pub fn float(value: f64) -> String {
    let digits = if value.is_nan() { "nan".to_owned() } else { shortest(value) };
    if digits.contains(['.', 'e', 'n']) { digits } else { digits + ".0" }
}

/// A key, in quotes where it needs them.
pub fn key(key: &str) -> String {
    let is_bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if is_bare { key.to_owned() } else { text(key) }
}

/// A path: keys joined by dots.
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
    layout: &'a Layout<'a>,
    text: String,
}

impl Writer<'_> {
    /// The entries of the table at `path`, below its header.
    fn table<'n>(&mut self, path: &mut Vec<&'n str>, entries: &'n [Entry]) {
        let (lines, sections) = self.parts(path, entries);
        for entry in lines {
            self.lines(path, path.len(), entry);
        }
        for entry in sections {
            path.push(&entry.key);
            let own = entry.value.entries().unwrap_or_default();
            let comment = (self.layout.comment)(path);
            // A table that contains only sections needs no header of its own.
            if own.is_empty() || comment.is_some() || !self.parts(path, own).0.is_empty() {
                let blank = if self.text.is_empty() { "" } else { "\n" };
                self.line(&format!("{blank}[{}]", self::path(path.iter().copied())), comment);
            }
            self.table(path, own);
            path.pop();
        }
    }

    fn is_section(&self, above: &[&str], Entry { key, value, .. }: &Entry) -> bool {
        value.entries().is_some() && (self.layout.is_section)(&[above, &[key]].concat(), value)
    }

    /// The entries to write below the header of the table at `path`, and those that get headers of their own. A header
    /// ends the table before it, so an entry that is followed by one that stays gets none.
    fn parts<'e>(&self, path: &[&str], entries: &'e [Entry]) -> (Vec<&'e Entry>, Vec<&'e Entry>) {
        let is_line = |entry: &Entry| !self.is_section(path, entry);
        let stays = |entry: &Entry| is_line(entry) && !(self.layout.moves)(&entry.value);
        let first = entries.iter().rposition(stays).map_or(0, |last| last + 1);
        let (moved, sections): (Vec<&Entry>, Vec<&Entry>) = entries[first..].iter().partition(|entry| is_line(entry));
        (entries[..first].iter().chain(moved).collect(), sections)
    }

    /// Writes a key and its value; a section becomes one line for each of its keys. The first `header` keys of the path
    /// are left out, because the header has them.
    fn lines<'n>(&mut self, path: &mut Vec<&'n str>, header: usize, entry: &'n Entry) {
        let is_section = self.is_section(path, entry);
        path.push(&entry.key);
        match &entry.value.kind {
            Kind::Table(entries) if is_section && !entries.is_empty() => {
                entries.iter().for_each(|entry| self.lines(path, header, entry));
            }
            kind => {
                let key = self::path(path[header..].iter().copied());
                let line = format!("{key} = {}", value(&entry.value));
                let comment = (self.layout.comment)(path);
                match kind {
                    Kind::List(items) if line.chars().count() > WIDTH => {
                        self.line(&format!("{key} = ["), comment);
                        items.iter().for_each(|item| self.line(&format!("    {},", value(item)), None));
                        self.line("]", None);
                    }
                    _ => self.line(&line, comment),
                }
            }
        }
        path.pop();
    }

    fn line(&mut self, line: &str, comment: Option<String>) {
        self.text += &match comment {
            Some(comment) => {
                format!("{line:COMMENTS$}# {comment}\n", COMMENTS = COMMENTS.max(line.chars().count() + 2))
            }
            None => format!("{line}\n"),
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::value::{Sources, parse};

    fn rewritten(text: &str) -> String {
        let (sources, tree) = read(text);
        as_written(&sources, &tree, false)
    }

    /// With the sections of the text; single values move before them, unless `every_place` is set.
    fn as_written(sources: &Sources, tree: &Node, every_place: bool) -> String {
        let is_section = |_: &[&str], node: &Node| sources.is_section(node);
        let moves = |node: &Node| !every_place && !matches!(node.kind, Kind::Table(_) | Kind::List(_));
        document(tree, &Layout { is_section: &is_section, moves: &moves, comment: &|_| None })
    }

    fn read(text: &str) -> (Sources, Node) {
        let mut sources = Sources::default();
        let source = sources.add("test.toml", text);
        let tree = parse::parse(&sources, source).unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"));
        (sources, tree.root)
    }

    #[test]
    fn what_is_written_as_this_writes_it_stays_as_it_is() {
        let text = "name = \"ä \\\"b\\\"\\n\"\nseeds = [1, 2]\n\n[data]\nsource = \"mnist\"\n\n[train]\nsteps = 10\n\
                    lr = 1e-7\n\n\
                    [optimizer]\nkind = \"adam\"\n\n[optimizer.\"a b\"]\nx = { y = 0.1, z = [true, -inf] }\n\n\
                    [optimizer.sgd]\n";
        assert_eq!(rewritten(text), text);
    }

    #[test]
    fn single_values_move_before_sections() {
        let text = "[a]\nb.c = 1\nd = 2\n";
        assert_eq!(rewritten(text), "[a]\nd = 2\n\n[a.b]\nc = 1\n");
        let (sources, tree) = read(text);
        assert_eq!(as_written(&sources, &tree, true), text);
    }

    #[test]
    fn lists_after_sections_keep_their_places() {
        // The list can be neither below [a.b] nor before it.
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

    #[test]
    fn sections_of_values_have_headers_and_short_tables_stand_in_a_line() {
        let long: Vec<String> = (0..12).map(|n| format!("key{n} = {n}")).collect();
        let (_, tree) = read(&format!(
            "train = {{ steps = 3, schedule = {{ kind = 'cosine', over = 3 }} }}\nname = 'a \"b\"'\n[record]\n\
             long = {{ {} }}\nhistograms = {{ bins = 30, range = [0.0, 1e-300] }}\n",
            long.join(", ")
        ));
        let comment = |path: &[&str]| (path == ["train", "steps"]).then(|| "3 epochs".to_owned());
        insta::assert_snapshot!(document(&tree, &Layout::of_values(&comment)));
    }

    #[test]
    fn a_number_with_a_fraction_reads_as_one() {
        let texts = [1.0, 0.1, 1e-7, 1e300, -2.5e-9, f64::INFINITY, 1e6].map(float);
        assert_eq!(texts, ["1.0", "0.1", "1e-7", "1e300", "-2.5e-9", "inf", "1000000.0"]);
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
        fn numbers_and_texts_read_back_as_they_were(number in any::<f64>(), words in ".*", name in ".*") {
            let file = format!("{} = {}\n{} = {}\n", key(&name), text(&words), key(&format!("0{name}")), float(number));
            let read: toml::Table = toml::from_str(&file).unwrap();
            prop_assert_eq!(read[&name].as_str(), Some(words.as_str()));
            let found = read[&format!("0{name}")].as_float().unwrap();
            prop_assert!(found == number || found.is_nan() && number.is_nan(), "{found} {number}");
        }

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
            // `a = 1` next to `a.d = 2` is not TOML.
            let Ok(tree) = parse::parse(&sources, source) else { return Ok(()) };
            let written = as_written(&sources, &tree.root, every_place);
            let (read_sources, read) = read(&written);
            prop_assert_eq!(order(&read, every_place), order(&tree.root, every_place), "{}", written);
            // Writing what was read changes nothing.
            prop_assert_eq!(as_written(&read_sources, &read, every_place), written);
        }
    }

    /// All keys and values: the single ones, sorted, and those whose order matters.
    fn order(node: &Node, every_place: bool) -> (Vec<String>, Vec<String>) {
        fn walk(node: &Node, path: &str, singles: &mut Vec<String>, others: &mut Vec<String>) {
            for entry in node.entries().unwrap_or_default() {
                let path = format!("{path}.{}", entry.key);
                match &entry.value.kind {
                    // With or without braces, it may be an alternative.
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
