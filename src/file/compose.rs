//! Combines a file, the files that it extends and the arguments of `--set` into one tree, in which every value knows
//! where it was written, and one text.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::sections::VARIANT;
use super::{Mistakes, extends, sections, set};
use crate::value::problem::{Cause, Problem};
use crate::value::walk::Place;
use crate::value::{Entry, Kind, Node, NodeId, Origin, SourceId, Sources, Tree, write};
use engine::data::Source;

/// The file to read, not parsed yet.
#[derive(Debug)]
pub struct Main<'a> {
    /// Its name in errors.
    pub shown: &'a str,
    pub text: String,
    /// Names the experiment, unless the file does.
    pub stem: &'a str,
    /// Relative paths in the file are relative to this folder.
    pub folder: &'a Path,
    /// The canonical path, if it is a file on disk.
    pub identity: Option<PathBuf>,
}

/// The combined tree and text.
#[derive(Debug)]
pub struct Composed {
    pub sources: Sources,
    pub tree: Tree,
    /// The text of the file if there is nothing to combine; otherwise, equivalent TOML made from all parts.
    pub text: String,
    /// Distinguishes the experiment from the one that the file alone describes: six hexadecimal digits.
    pub mark: Option<String>,
    /// The texts of values whose parts come from several texts.
    pub rewritten: HashMap<NodeId, String>,
    /// Arguments that cannot be parsed, or that name nothing.
    pub problems: Vec<Problem>,
}

/// Reads the files that `main` extends, lays all of them over one another, and applies the arguments of `--set`.
///
/// # Errors
/// Files that cannot be read or are not TOML.
pub fn compose(main: Main, arguments: &[String]) -> Result<Composed, Mistakes> {
    let mut sources = Sources::default();
    let source = sources.add(main.shown, main.text.as_str());
    let (mut tree, bases) = match extends::read(&mut sources, source, main.folder, main.identity) {
        Ok(read) => read,
        Err(problems) => return Err(Mistakes { sources, problems }),
    };
    let own_name = tree.root.entry("name").map(|entry| entry.value.kind.clone());
    let own_name = own_name.unwrap_or_else(|| Kind::Text(main.stem.to_owned()));
    let (assignments, problems) = set::all(&mut sources, arguments, &mut tree);
    rebase_paths(&mut tree, &bases.iter().map(|base| (base.source, base.folder.as_path())).collect());

    let is_renamed = tree.root.entry("name").is_some_and(|entry| entry.value.kind != own_name);
    let mark = if is_renamed { None } else { set::mark(&assignments) };
    let mut rewritten = HashMap::new();
    let text = if bases.is_empty() && arguments.is_empty() {
        main.text
    } else {
        rewritten = values_in_parts(&sources, &tree.root);
        let bases: Vec<&Path> = bases.iter().map(|base| base.path.as_path()).collect();
        let head = head(Path::new(main.shown), &bases, arguments);
        format!("{head}\n{}", document(&sources, &mut tree.clone(), own_name, mark.as_deref()))
    };
    Ok(Composed { sources, tree, text, mark, rewritten, problems })
}

/// If a key is a mistake because of a key that another text has in the same section, adds help on how to drop one of
/// the two: merged keys can be replaced, but not removed.
pub fn explain_merged_keys(problems: &mut [Problem], sources: &Sources, root: &Node) {
    // The other keys of a section depend on these.
    const KINDS: &[&str] = &["kind", "source"];
    let mut sections = None;
    for problem in problems {
        let others = match problem.cause.as_deref() {
            Some(Cause::UnknownKey { .. }) => KINDS,
            Some(Cause::SaidTwice(key)) => std::slice::from_ref(key),
            _ => continue,
        };
        let sections = sections.get_or_insert_with(|| sections_by_origin(sources, root));
        let Some(origin) = &problem.origin else { continue };
        let Some(section) = sections.get(origin) else { continue };
        let is_other = |entry: &&Entry| {
            others.contains(&entry.key.as_str())
                && entry.key_origin.source != origin.source
                // A kind that the table's name implies was not written.
                && entry.value.origin != entry.key_origin
        };
        if let Some(other) = section.node.entries().unwrap_or_default().iter().find(is_other) {
            problem.help.push(format!(
                "`{}` is set in {}; to keep only one of the two, replace the whole section in braces: `{} = {{ ... }}`",
                other.key,
                sources.name(other.key_origin.source),
                write::path(section.path_with_names())
            ));
        }
    }
}

/// The section that each key and each value is directly in, by where it was written.
fn sections_by_origin<'n>(sources: &Sources, root: &'n Node) -> HashMap<&'n Origin, Place<'n>> {
    let mut sections = HashMap::new();
    for section in root.walk().skip(1).filter(|place| sources.is_section(place.node) && !place.is_in_list()) {
        for entry in section.node.entries().unwrap_or_default() {
            for origin in [&entry.key_origin, &entry.value.origin] {
                sections.entry(origin).or_insert_with(|| section.clone());
            }
        }
    }
    sections
}

/// Makes relative data paths in a base relative to the folder of the main file.
fn rebase_paths(tree: &mut Tree, folders: &HashMap<SourceId, &Path>) {
    let mut sections: Vec<&mut Entry> = Vec::new();
    for entry in tree.root.entries_mut() {
        match entry.key == VARIANT {
            true => {
                let variants = entry.value.entries_mut().iter_mut();
                sections.extend(variants.flat_map(|variant| variant.value.entries_mut()));
            }
            false => sections.push(entry),
        }
    }
    sections.retain(|section| section.key == "data");
    // The source's name, or all names in an axis of any form.
    let sources_of = |data: &Node| -> Vec<String> {
        let places = data.entry("source").into_iter().flat_map(|source| source.value.walk());
        places.filter_map(|place| place.node.text().map(str::to_owned)).collect()
    };
    let all_sources: Vec<String> = sections.iter().flat_map(|section| sources_of(&section.value)).collect();
    for Entry { value: data, .. } in sections {
        // A section that names no source may have the keys of any source that another section names.
        let own = sources_of(data);
        let sources = if own.is_empty() { &all_sources } else { &own };
        let path_keys: Vec<&str> = sources.iter().flat_map(|source| Source::path_keys(source)).copied().collect();
        for entry in data.entries_mut().iter_mut().filter(|entry| path_keys.contains(&entry.key.as_str())) {
            entry.value.for_each(&mut |node| {
                if let (Kind::Text(path), Some(folder)) = (&mut node.kind, folders.get(&node.origin.source)) {
                    *path = folder.join(&*path).to_string_lossy().into_owned();
                }
            });
        }
    }
}

/// The texts of values that `--set` changed in part.
fn values_in_parts(sources: &Sources, root: &Node) -> HashMap<NodeId, String> {
    let is_of_one = |node: &Node| node.walk().all(|below| below.node.origin.source == node.origin.source);
    let values =
        root.walk().map(|place| place.node).filter(|node| node.entries().is_some() && !sources.is_section(node));
    values.filter(|node| !is_of_one(node)).map(|node| (node.id, write::value(node))).collect()
}

/// The tree as a file whose name includes the mark, so that running it does not overwrite another experiment.
fn document(sources: &Sources, tree: &mut Tree, name: Kind, mark: Option<&str>) -> String {
    if tree.root.entry("name").is_none() {
        let origin = tree.root.origin.clone();
        let value = Node { id: tree.new_node(), origin: origin.clone(), kind: name };
        tree.put_back((0, Entry { key: "name".to_owned(), key_origin: origin, value }));
    }
    if let Some((position, mut entry)) = tree.take("name") {
        if let (Kind::Text(name), Some(mark)) = (&mut entry.value.kind, mark) {
            *name = format!("{name}-{mark}");
        }
        tree.put_back((position, entry));
    }
    // Keys that hold for all runs and are never axes come first, wherever they were written.
    let first: Vec<Entry> = sections::names(|key| !key.is_section).filter_map(|key| Some(tree.take(key)?.1)).collect();
    first.into_iter().enumerate().for_each(|first| tree.put_back(first));
    // A variant may turn a single value into an axis.
    let every_place = tree.root.entry(VARIANT).is_some();
    // A single value contains no axis, so it may move. A table in braces may be an alternative, and keeps its place.
    let moves = |node: &Node| !every_place && !matches!(node.kind, Kind::Table(_) | Kind::List(_));
    let is_section = |_: &[&str], node: &Node| sources.is_section(node);
    write::document(&tree.root, &write::Layout { is_section: &is_section, moves: &moves, comment: &|_| None })
}

/// Comment lines that say what the text is made from.
fn head(main: &Path, bases: &[&Path], arguments: &[String]) -> String {
    // A comment must not span lines.
    let on_one_line = |text: &str| text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
    let main = on_one_line(&main.file_name().unwrap_or(main.as_os_str()).to_string_lossy());
    let mut head = format!("# {main}");
    if !bases.is_empty() {
        let bases: Vec<String> = bases.iter().map(|base| on_one_line(&base.to_string_lossy())).collect();
        head += &format!(" laid over {}", bases.join(", then "));
    }
    if !arguments.is_empty() {
        head += " with";
        arguments.iter().for_each(|argument| head += &format!("\n#     --set {}", on_one_line(argument)));
    }
    format!("{head}\n# as paribus read it; relative paths start in the folder of {main}\n")
}
