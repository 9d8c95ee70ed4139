//! `--set KEY=VALUE`: changes to an experiment that are not written into its file.
//!
//! The key is a dotted path, as in the file. The value is TOML; text may omit its quotes if it is a plain word, since a
//! shell would remove them anyway. Only existing keys can be set; `+KEY=VALUE` also adds new ones.

use super::format::{every_key, format};
use super::sections::VARIANT;
use super::{sections, vocabulary};
use crate::shell;
use crate::value::problem::Problem;
use crate::value::walk::Place;
use crate::value::{Entry, Kind, Node, NodeId, Origin, SourceId, Sources, Tree, parse, write};
use engine::names::{did_you_mean, listed};

/// One argument of `--set`.
#[derive(Debug)]
pub struct Assignment {
    /// The keys that lead to the value: at least one.
    keys: Vec<WrittenKey>,
    value: Node,
    /// Whether it may add a new key.
    adds: bool,
    /// `KEY=VALUE` in its canonical spelling.
    canonical: String,
}

#[derive(Debug)]
struct WrittenKey {
    name: String,
    origin: Origin,
}

/// Reads the arguments and applies them to the tree, one after the other; returns them and their mistakes. An argument
/// with a mistake is not applied.
pub fn all(sources: &mut Sources, arguments: &[String], tree: &mut Tree) -> (Vec<Assignment>, Vec<Problem>) {
    let (mut assignments, mut problems): (Vec<Assignment>, Vec<Problem>) = (Vec::new(), Vec::new());
    for argument in arguments {
        let source = sources.add("--set", argument.as_str());
        let assignment = match Assignment::parse(sources, source, tree) {
            Ok(assignment) => assignment,
            Err(found) => {
                problems.extend(found);
                continue;
            }
        };
        let done = assignment.follows(&assignments, sources).and_then(|()| assignment.put(sources, tree));
        problems.extend(done.err());
        assignments.push(assignment);
    }
    (assignments, problems)
}

/// Identifies an experiment with these changes: six hexadecimal digits of blake3 over the assignments, independent of
/// their order and spelling. Keys that do not affect runs are not included; `None` if there are no others.
pub fn mark(assignments: &[Assignment]) -> Option<String> {
    let is_of_no_run = |name: &str| sections::key(name).is_some_and(|key| key.is_of_no_run);
    let of_runs = assignments.iter().filter(|assignment| !is_of_no_run(&assignment.keys[0].name));
    let mut said: Vec<&str> = of_runs.map(|assignment| assignment.canonical.as_str()).collect();
    said.sort_unstable();
    (!said.is_empty()).then(|| blake3::hash(said.join("\n").as_bytes()).to_hex()[..6].to_owned())
}

impl Assignment {
    /// Reads an argument, the text of `source`, with nodes of `tree`.
    fn parse(sources: &Sources, source: SourceId, tree: &mut Tree) -> Result<Self, Vec<Problem>> {
        let text = sources.text(source);
        let Some(equals) = equals_sign(text) else {
            let problem = Problem::new("`--set` takes KEY=VALUE, but there is no `=` here");
            let all = Origin { source, span: 0..text.len() };
            return Err(vec![
                problem.at(all).help("for example `--set train.steps=100`, or `--set 'optimizer.adam.lr=[0.1, 0.01]'`"),
            ]);
        };
        let has_plus = text.starts_with('+');
        let keys = keys(source, text, usize::from(has_plus), equals).map_err(|problem| vec![problem])?;
        // Every experiment has a name, even if its file does not set it.
        let adds = has_plus || is_name(&keys);
        if keys[0].name == "extends" {
            let problem = Problem::new("`extends` cannot be set: all files are read before anything is set");
            return Err(vec![
                problem.at(keys[0].origin.clone()).help("write it in the file, or write a file that extends both"),
            ]);
        }
        let value = tree.adopt(value(source, text, equals)?);
        let canonical = format!("{} = {}", path(&keys), canonical(&value));
        Ok(Self { keys, value, adds, canonical })
    }

    /// Refuses what would undo an earlier argument.
    fn follows(&self, earlier: &[Self], sources: &Sources) -> Result<(), Problem> {
        let names = |of: &Self| of.keys.iter().map(|key| key.name.clone()).collect::<Vec<_>>();
        let own = names(self);
        let Some(undone) = earlier.iter().find(|earlier| names(earlier).starts_with(&own)) else { return Ok(()) };
        let path = path(&self.keys);
        let first = sources.text(undone.value.origin.source);
        let at = Origin {
            span: self.keys[0].origin.span.start..self.keys[self.keys.len() - 1].origin.span.end,
            ..self.keys[0].origin.clone()
        };
        Err(if undone.keys.len() == self.keys.len() {
            Problem::new(format!("`{path}` is set twice")).at(at).label(format!("`{first}` has set it already")).help(
                format!(
                    "to compare several values, write a list: `--set {}`",
                    shell::word(&format!("{path}=[{}, {}]", write::value(&undone.value), write::value(&self.value)))
                ),
            )
        } else {
            Problem::new(format!("this replaces all of `{path}`, including what `{first}` has set"))
                .at(at)
                .help("set the whole first, then the keys in it")
        })
    }

    /// Puts the value into the tree.
    fn put(&self, sources: &Sources, tree: &mut Tree) -> Result<(), Problem> {
        let spare: Vec<NodeId> = self.keys.iter().map(|_| tree.new_node()).collect();
        self.put_into(&mut tree.root, &spare).map_err(|depth| self.explain(depth, sources, &tree.root))
    }

    /// Puts the value below `root`; new nodes on the way take their ids from `spare`. The error is the index of the
    /// first key that cannot be followed: it does not exist, or the value before it has no keys.
    fn put_into(&self, root: &mut Node, spare: &[NodeId]) -> Result<(), usize> {
        let mut node = root;
        for (depth, (key, &spare)) in self.keys.iter().zip(spare).enumerate() {
            if self.adds && self.is_optimizer(depth) {
                spell_out_optimizers(node, spare);
            }
            let Kind::Table(entries) = &mut node.kind else { return Err(depth) };
            let found = entries.iter().position(|entry| entry.key == key.name);
            if found.is_none() && !self.adds {
                return Err(depth);
            }
            let position = found.unwrap_or_else(|| {
                let section = Node { id: spare, origin: key.origin.clone(), kind: Kind::Table(Vec::new()) };
                entries.push(Entry { key: key.name.clone(), key_origin: key.origin.clone(), value: section });
                entries.len() - 1
            });
            if depth + 1 == self.keys.len() {
                entries[position].key_origin = key.origin.clone();
                entries[position].value = self.value.clone();
                return Ok(());
            }
            node = &mut entries[position].value;
        }
        Ok(())
    }

    /// Why the key at this depth cannot be followed.
    fn explain(&self, depth: usize, sources: &Sources, root: &Node) -> Problem {
        let around = self.keys[..depth].iter().try_fold(root, |node, key| Some(&node.entry(&key.name)?.value));
        let around = around.unwrap_or(root);
        match around.entries() {
            Some(_) => self.explain_missing(depth, around, sources, root),
            None => self.explain_no_table(depth, around, sources),
        }
    }

    /// The key at this depth is not in the table `around` it.
    fn explain_missing(&self, depth: usize, around: &Node, sources: &Sources, root: &Node) -> Problem {
        let (key, is_last) = (&self.keys[depth], depth + 1 == self.keys.len());
        let file = file_name(sources);
        let message = format!("there is no `{}` in {file}", path(&self.keys[..=depth]));
        let mut problem = Problem::new(message).at(key.origin.clone());

        let is_it = |place: &Place| place.entry().is_some_and(|entry| is_last && entry.key == key.name);
        let places = root.walk().filter(|place| is_it(place) && !place.is_in_list());
        let elsewhere: Vec<String> = places.map(|place| write::path(place.path())).collect();
        let there: Vec<&str> = around.entries().unwrap_or_default().iter().map(|entry| entry.key.as_str()).collect();
        let near = did_you_mean(&key.name, there.iter().copied())
            .or_else(|| vocabulary::keys(&key.name).iter().copied().find(|meant| there.contains(meant)));
        let above = self.keys[..depth].iter().map(|key| key.name.as_str());
        problem.label = match (elsewhere.as_slice(), near) {
            ([only], _) => format!("did you mean `{only}`?"),
            ([], Some(near)) => format!("did you mean `{}`?", write::path(above.chain([near]))),
            _ => String::new(),
        };
        if elsewhere.len() > 1 {
            const MOST: usize = 6;
            let places = listed(elsewhere.iter().take(MOST).map(String::as_str), " and");
            let more = elsewhere.len().saturating_sub(MOST);
            let more = if more == 0 { String::new() } else { format!(" and in {more} other places") };
            problem = problem.help(format!("`{}` exists as {places}{more}", key.name));
        }
        if elsewhere.is_empty() && !there.is_empty() {
            let place = if depth == 0 { file.to_owned() } else { format!("`{}`", path(&self.keys[..depth])) };
            problem = problem.help(format!("{place} has {}", listed(there, " and")));
        }
        // No hint to add a key that belongs to another section, or one that is misspelled.
        let is_elsewhere = depth == 0 && !elsewhere.is_empty();
        let is_misspelled = near.is_some();
        // Names of optimizers and variants are free, but the keys below them are not.
        let last = self.keys[self.keys.len() - 1].name.as_str();
        let is_known = every_key(&format(), "").iter().any(|(_, key)| key.name == last);
        if is_elsewhere || is_misspelled || !is_known {
            problem
        } else {
            problem.help(format!("to add the key, write `--set {}`", self.adding(sources)))
        }
    }

    /// The keys before this depth lead to `found`, which has no keys.
    fn explain_no_table(&self, depth: usize, found: &Node, sources: &Sources) -> Problem {
        let before = path(&self.keys[..depth]);
        let message = format!("`{before}` is {} here and has no keys to set", found.type_name());
        let problem = Problem::new(message).at(self.keys[depth].origin.clone());
        if self.is_optimizer(depth) && !self.adds && one_or_more_texts(found).is_some() {
            let file = file_name(sources);
            let argument = self.adding(sources);
            problem.help(format!("{file} only names its optimizers; `--set {argument}` adds the setting"))
        } else {
            problem.help(format!("`--set {before}=...` replaces the whole value"))
        }
    }

    /// Whether the key at this depth is in `[optimizer]`, or in that of a variant.
    fn is_optimizer(&self, depth: usize) -> bool {
        let above: Vec<&str> = self.keys[..depth].iter().map(|key| key.name.as_str()).collect();
        matches!(above.as_slice(), ["optimizer"] | [VARIANT, _, "optimizer"])
    }

    /// The argument as typed to add the missing key.
    fn adding(&self, sources: &Sources) -> String {
        shell::word(&format!("+{}", sources.text(self.value.origin.source))).into_owned()
    }
}

/// The name of the experiment's file in errors.
fn file_name(sources: &Sources) -> &str {
    sources.first().map_or("the file", |first| sources.name(first))
}

/// The `=` between key and value: the first one that is not in quotes.
fn equals_sign(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '=') => return Some(at),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            _ => {}
        }
    }
    None
}

/// The keys in `text`, from `start` to its `equals` sign.
fn keys(source: SourceId, text: &str, start: usize, equals: usize) -> Result<Vec<WrittenKey>, Problem> {
    let no_key = || {
        let all = Origin { source, span: start..equals.max(start) };
        let problem = Problem::new("the text before `=` is not a key").at(all);
        problem.help(
            "join keys with dots, as in `train.steps`; a key with characters other than letters, digits, `_` and `-` \
             needs quotes",
        )
    };
    if text[start..equals].contains(['\n', '\r', '#']) || text[start..equals].trim_start().starts_with('[') {
        return Err(no_key());
    }
    // Everything except the key is blanked, so that every byte keeps its position.
    let line = format!("{}{}= 0", " ".repeat(start), &text[start..equals]);
    let tree = parse::parse_text(source, &line).map_err(|_| no_key())?;
    let (mut keys, mut node) = (Vec::new(), tree.root);
    while let Kind::Table(mut entries) = node.kind {
        let Some(Entry { key: name, key_origin: origin, value }) = entries.pop() else { return Err(no_key()) };
        keys.push(WrittenKey { name, origin });
        node = value;
    }
    Ok(keys)
}

/// The value in `text`, after its `equals` sign: TOML, or a plain word.
fn value(source: SourceId, text: &str, equals: usize) -> Result<Tree, Vec<Problem>> {
    let written = &text[equals + 1..];
    let start = equals + 1 + (written.len() - written.trim_start().len());
    let span = start..(start + written.trim().len()).max(start);
    // A one-letter key replaces the typed one, so that every byte keeps its position.
    let parsed = parse::parse_text(source, &format!("v{}={written}", " ".repeat(equals.saturating_sub(1))));
    let problems = match parsed {
        Ok(mut tree) => {
            let Kind::Table(entries) = &mut tree.root.kind else { return Ok(tree) };
            if let Some(second) = entries.get(1) {
                let problem = Problem::new("`--set` takes one key and one value").at(second.key_origin.clone());
                return Err(vec![problem.help("repeat `--set` for each key")]);
            }
            if let Some(only) = entries.pop() {
                tree.root = only.value;
            }
            return Ok(tree);
        }
        Err(problems) => problems,
    };
    let word = &text[span.clone()];
    if is_plain_word(word) {
        // The tree of an empty text: its only node becomes the word.
        let mut tree = parse::parse_text(source, "").map_err(|_| problems)?;
        tree.root.origin = Origin { source, span };
        tree.root.kind = Kind::Text(word.to_owned());
        return Ok(tree);
    }
    let mut problems = problems;
    if word.is_empty() {
        let problem = Problem::new("there is no value after `=`").at(Origin { source, span: equals..equals + 1 });
        return Err(vec![problem.help("write `\"\"` for an empty text")]);
    }
    if let Some(meant) = with_quotes(source, word) {
        let argument = format!("{}{meant}", &text[..=equals]);
        let argument = shell::word(&argument);
        problems.truncate(1);
        problems.iter_mut().for_each(|problem| {
            problem
                .help
                .push(format!("put text in quotes, and the whole in other quotes for the shell: `--set {argument}`"));
        });
    }
    Err(problems)
}

/// The TOML that a value without quotes was probably meant to be.
fn with_quotes(source: SourceId, word: &str) -> Option<String> {
    let is_phrase =
        word.chars().all(|c| c.is_alphanumeric() || " .,;:!?()'-".contains(c)) && word.contains(char::is_alphabetic);
    let words = Some(in_quotes(word)).filter(|meant| meant != word && !word.contains(['"', '\'']));
    let phrase = is_phrase.then(|| write::text(word));
    let is_toml = |value: &String| parse::parse_text(source, &format!("v = {value}")).is_ok();
    words.into_iter().chain(phrase).find(is_toml)
}

/// Whether a value that is not TOML is text that needs no quotes: a name or a path, which contains no blank and does
/// not begin with a digit.
fn is_plain_word(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || "_./~".contains(c))
        && word.contains(char::is_alphabetic)
        && word.chars().all(|c| c.is_alphanumeric() || "_./~+-".contains(c))
}

/// The value with all plain words in quotes, except keys.
fn in_quotes(value: &str) -> String {
    let is_of_word = |c: char| c.is_alphanumeric() || "_./~+-".contains(c);
    let mut quoted = String::new();
    let mut rest = value;
    while let Some(first) = rest.chars().next() {
        let end =
            if is_of_word(first) { rest.find(|c| !is_of_word(c)).unwrap_or(rest.len()) } else { first.len_utf8() };
        let (part, behind) = rest.split_at(end);
        let is_text = is_plain_word(part) && !matches!(part, "true" | "false" | "inf" | "nan");
        let is_key = behind.trim_start().starts_with('=');
        quoted += &if is_text && !is_key { write::text(part) } else { part.to_owned() };
        rest = behind;
    }
    quoted
}

/// Turns optimizers that are only named into tables, so that their keys can be set. `node` becomes the table that
/// contains them, with the id `id`.
fn spell_out_optimizers(node: &mut Node, id: NodeId) {
    let Some(names) = one_or_more_texts(node) else { return };
    let entries = names.into_iter().map(|(name, node)| {
        let section = Node { kind: Kind::Table(Vec::new()), ..node.clone() };
        Entry { key: name.to_owned(), key_origin: node.origin.clone(), value: section }
    });
    node.kind = Kind::Table(entries.collect());
    node.id = id;
}

/// The text that a node is, or the texts of a list; `None` if there are duplicates or other values.
fn one_or_more_texts(node: &Node) -> Option<Vec<(&str, &Node)>> {
    let items = match &node.kind {
        Kind::List(items) => items.iter().collect(),
        _ => vec![node],
    };
    let mut texts: Vec<(&str, &Node)> = Vec::new();
    for item in items {
        match &item.kind {
            Kind::Text(text) if texts.iter().all(|(known, _)| known != text) => texts.push((text, item)),
            _ => return None,
        }
    }
    Some(texts)
}

fn is_name(keys: &[WrittenKey]) -> bool {
    matches!(keys, [only] if only.name == "name")
}

fn path(keys: &[WrittenKey]) -> String {
    write::path(keys.iter().map(|key| key.name.as_str()))
}

/// The value in its canonical spelling.
fn canonical(node: &Node) -> String {
    let mut node = node.clone();
    node.for_each(&mut |node| match &mut node.kind {
        // Up to 2^53, integers and floats are both exact.
        Kind::Float(value) if value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0 => {
            node.kind = Kind::Int(*value as i64);
        }
        Kind::Table(entries) => entries.sort_by(|a, b| a.key.cmp(&b.key)),
        _ => {}
    });
    write::value(&node)
}
