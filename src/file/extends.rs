//! `extends = "base.toml"`, or a list of paths: the files that an experiment file is laid over.
//!
//! The bases of a file come before it, in the order in which it names them, each after its own bases. A file that is
//! reached twice counts once, where it is first reached. They are laid over one another in this order, with the main
//! file on top.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::{optimizers, sections};
use crate::value::problem::Problem;
use crate::value::{Entry, Kind, Origin, SourceId, Sources, Tree, parse};
use engine::names::did_you_mean;

/// A file that another file extends.
#[derive(Debug)]
pub struct Base {
    pub source: SourceId,
    /// Its path, relative to the folder of the main file.
    pub path: PathBuf,
    /// Its folder, relative to the same.
    pub folder: PathBuf,
}

/// A longer chain of bases is probably a mistake.
const DEEPEST: usize = 16;

/// The tree of `main`, which is in `folder`, laid over its bases, and the bases in order.
///
/// # Errors
/// All mistakes in the files' TOML, and in what they extend.
pub fn read(
    sources: &mut Sources,
    main: SourceId,
    folder: &Path,
    identity: Option<PathBuf>,
) -> Result<(Tree, Vec<Base>), Vec<Problem>> {
    let link = Link { shown: sources.name(main).to_owned(), identity };
    let mut reader = BaseReader {
        sources,
        start: folder,
        chain: vec![link],
        reached: HashSet::new(),
        trees: Vec::new(),
        bases: Vec::new(),
        problems: Vec::new(),
    };
    reader.file(main, Path::new(""));
    let BaseReader { trees, bases, problems, .. } = reader;
    let mut trees = trees.into_iter();
    match trees.next() {
        Some(mut tree) if problems.is_empty() => {
            trees.for_each(|over| tree.lay_over(over, &|node| sources.is_section(node)));
            Ok((tree, bases))
        }
        _ => Err(problems),
    }
}

/// The schema of the key: a path, or a list of different paths.
pub fn schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "anyOf": [
            { "type": "array", "items": { "type": "string", "minLength": 1 }, "minItems": 1, "uniqueItems": true },
            { "type": "string", "minLength": 1 },
        ],
    })
}

struct BaseReader<'a> {
    sources: &'a mut Sources,
    /// The folder of the main file.
    start: &'a Path,
    /// From the main file to the one whose bases are being read.
    chain: Vec<Link>,
    /// The bases that have been read.
    reached: HashSet<PathBuf>,
    /// Every base after its own bases; the main file last.
    trees: Vec<Tree>,
    bases: Vec<Base>,
    problems: Vec<Problem>,
}

/// A file that extends the next one.
struct Link {
    shown: String,
    /// Its canonical path.
    identity: Option<PathBuf>,
}

impl BaseReader<'_> {
    /// Reads a file's bases, then the file, which is in `folder` (relative to `start`).
    fn file(&mut self, source: SourceId, folder: &Path) {
        let mut tree = match parse::parse(self.sources, source) {
            Ok(tree) => tree,
            Err(problems) => return self.problems.extend(problems.into_iter().map(optimizers::explain_twice)),
        };
        if let Some((_, entry)) = tree.take("extends") {
            for (path, origin) in self.paths(entry) {
                self.base(&path, origin, folder);
            }
        }
        if self.chain.len() > 1 {
            sections::names(|key| key.is_own).for_each(|key| tree.remove(key));
        }
        self.trees.push(tree);
    }

    /// The paths in an `extends`, with their places.
    fn paths(&mut self, entry: Entry) -> Vec<(String, Origin)> {
        const EXPECTED: &str = "expected the path of a file in quotes, or a list of paths";
        let items = match entry.value.kind {
            Kind::List(items) if items.is_empty() => {
                let problem = Problem::new("`extends`: this list names no file").at(entry.value.origin);
                self.problems.push(problem.label(EXPECTED).help("leave `extends` out if the file extends no other"));
                return Vec::new();
            }
            Kind::List(items) => items,
            _ => vec![entry.value],
        };
        let mut paths: Vec<(String, Origin)> = Vec::new();
        for item in items {
            let found = item.type_name();
            match item.kind {
                Kind::Text(path) if paths.iter().any(|(known, _)| *known == path) => {
                    self.problems.push(Problem::new(format!("`extends`: `{path}` is listed twice")).at(item.origin));
                }
                Kind::Text(path) => paths.push((path, item.origin)),
                _ => self.problems.push(Problem::new(format!("`extends`: {EXPECTED}, found {found}")).at(item.origin)),
            }
        }
        paths
    }

    /// Reads a base of a file in `folder`, unless it has been read.
    fn base(&mut self, path: &str, origin: Origin, folder: &Path) {
        let relative = folder.join(path);
        let on_disk = self.start.join(&relative);
        let shown = on_disk.display().to_string();
        let identity = on_disk.canonicalize().ok();
        if let Some(first) = self.chain.iter().position(|link| identity.is_some() && link.identity == identity) {
            let circle: Vec<&str> = self.chain[first..].iter().map(|link| link.shown.as_str()).collect();
            let message = format!("`extends` forms a circle: {} → {}", circle.join(" → "), self.chain[first].shown);
            return self.problems.push(Problem::new(message).at(origin).label("this file is already being read"));
        }
        if self.chain.len() > DEEPEST {
            let chain: Vec<&str> = self.chain.iter().map(|link| link.shown.as_str()).collect();
            let message = format!("`extends`: at most {DEEPEST} files can extend one another");
            let chain = format!("the chain is {} → {shown}", chain.join(" → "));
            return self.problems.push(Problem::new(message).at(origin).help(chain));
        }
        if identity.as_ref().is_some_and(|identity| self.reached.contains(identity)) {
            return;
        }
        let text = match read_text(&on_disk, &shown) {
            Ok(text) => text,
            Err(NoText::NotUtf8(message)) => {
                return self.problems.push(Problem::new(format!("`extends`: {message}")).at(origin));
            }
            Err(NoText::Unreadable(message)) => {
                let problem = Problem::new(format!("`extends`: {message}")).at(origin.clone());
                let problem = match similar_file(&on_disk) {
                    Some(meant) => {
                        let meant = Path::new(path).with_file_name(meant);
                        problem.label(format!("did you mean `{}`?", meant.display()))
                    }
                    None => problem,
                };
                let from = self.sources.name(origin.source);
                return self.problems.push(problem.help(format!("the path is relative to the folder of {from}")));
            }
        };
        self.reached.extend(identity.clone());
        let source = self.sources.add(shown.as_str(), text);
        let own_folder = relative.parent().unwrap_or(Path::new("")).to_owned();
        self.chain.push(Link { shown, identity });
        self.file(source, &own_folder);
        self.chain.pop();
        self.bases.push(Base { source, path: relative, folder: own_folder });
    }
}

/// Why the text of a file is unavailable.
pub enum NoText {
    Unreadable(String),
    NotUtf8(String),
}

/// The text of the file at `path`; messages call it `shown`.
pub fn read_text(path: &Path, shown: &str) -> Result<String, NoText> {
    let bytes = std::fs::read(path).map_err(|error| NoText::Unreadable(format!("cannot read {shown}: {error}")))?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        NoText::NotUtf8(format!("{shown} is not UTF-8 text: byte {at} is not part of a character"))
    })
}

/// The name of a TOML file in the same folder that is close to the missing one.
fn similar_file(missing: &Path) -> Option<String> {
    let folder = missing.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".toml"))
        .collect();
    names.sort();
    let typed = missing.file_name()?.to_string_lossy();
    did_you_mean(&typed, names.iter().map(String::as_str)).map(str::to_owned)
}
