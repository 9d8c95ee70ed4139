//! Where misplaced keys belong.

use std::collections::{HashMap, HashSet};

use super::format::{TableKey, TableShape, Variant, format};
use super::{sections, vocabulary};
use crate::value::problem::{Cause, Problem};
use crate::value::{Node, Origin, Tree};
use engine::names::{did_you_mean, listed};

/// Renames sections with a wrong name to the one that was probably meant, unless the file has that section, so that
/// they can be read. Reports them.
pub fn name_sections(tree: &mut Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    let entries = tree.root.entries_mut();
    let mut taken: HashSet<String> = entries.iter().map(|entry| entry.key.clone()).collect();
    for entry in entries {
        if sections::key(&entry.key).is_some() || entry.value.entries().is_none() {
            continue;
        }
        let synonym = vocabulary::keys(&entry.key).iter().copied().find(|name| sections::get(name).is_some());
        let Some(meant) = synonym.or_else(|| did_you_mean(&entry.key, sections::all())) else { continue };
        if !taken.insert(meant.to_owned()) {
            continue;
        }
        let problem = Problem::new(format!("there is no section `{}`", entry.key)).at(entry.key_origin.clone());
        problems.push(
            problem
                .label(format!("did you mean `{meant}`?"))
                .help(format!("the sections are {}", listed(sections::all(), " and"))),
        );
        meant.clone_into(&mut entry.key);
    }
    problems
}

/// Says of each unknown key where it belongs, if that is elsewhere in the file with the tree `root`. Drops reports of
/// missing keys that are merely misplaced. Returns the sections that lack a misplaced key.
pub fn explain(problems: &mut Vec<Problem>, root: &Node) -> HashSet<&'static str> {
    let (mut known, mut sections) = (None, None);
    let mut missed = HashSet::new();
    let mut misplaced: HashSet<String> = HashSet::new();
    for problem in problems.iter_mut() {
        let Some(Cause::UnknownKey { key, accepted, meant }) = problem.cause.as_deref() else { continue };
        let synonyms = vocabulary::keys(key);
        // Another program's name for an accepted key is certain. Otherwise, a similar spelling is less likely than the
        // same spelling elsewhere.
        if meant.as_ref().is_some_and(|meant| synonyms.contains(meant)) {
            continue;
        }
        let format = known.get_or_insert_with(format);
        let key = key.clone();
        let sections = sections.get_or_insert_with(|| sections_by_origin(root));
        let around = problem.origin.as_ref().and_then(|origin| sections.get(origin).copied());
        let also = if meant.is_none() { synonyms } else { &[] };
        let mut candidates = std::iter::once(key.as_str()).chain(also.iter().copied());
        let Some((name, home)) = candidates.find_map(|name| Some((name, home(format, name, around)?))) else {
            continue;
        };
        match &home {
            Home::Section(section) => _ = missed.insert(*section),
            Home::Top | Home::TopSection => _ = misplaced.insert(name.to_owned()),
            Home::Kinds { .. } | Home::IsOptimizer => {}
        }
        problem.label = match (&home, meant) {
            _ if *name != *key => home.question(name),
            // Another kind has this key, and this kind has a similar one: either may be meant.
            (Home::Kinds { is_there: true, .. }, Some(meant)) => {
                format!("{}; did you mean `{meant}`?", home.label(name))
            }
            _ => home.label(name),
        };
        // If a key belongs elsewhere, the keys that are accepted here do not help the reader.
        if !accepted.is_empty() {
            problem.help.pop();
        }
        problem.help.insert(0, home.help(name));
    }
    let is_misplaced = |problem: &Problem| match problem.cause.as_deref() {
        Some(Cause::MissingSection(section)) => misplaced.contains(*section),
        _ => false,
    };
    problems.retain(|problem| !is_misplaced(problem));
    missed
}

/// The section of each key, by where the key was written.
fn sections_by_origin(root: &Node) -> HashMap<&Origin, &str> {
    let mut sections = HashMap::new();
    for section in root.entries().unwrap_or_default() {
        for place in section.value.walk() {
            place
                .key_origin()
                .into_iter()
                .for_each(|origin| _ = sections.entry(origin).or_insert(section.key.as_str()));
        }
    }
    sections
}

/// Where a key belongs.
enum Home {
    /// The top of the file.
    Top,
    /// The top of the file, or a header of its own.
    TopSection,
    Section(&'static str),
    /// Only some kinds of `[section]` have it; the key `tag` holds the kind.
    Kinds {
        section: &'static str,
        tag: String,
        kinds: Vec<String>,
        /// Whether the key is in that section.
        is_there: bool,
    },
    /// It is the name of an optimizer.
    IsOptimizer,
}

impl Home {
    fn label(&self, name: &str) -> String {
        match self {
            Self::Top | Self::TopSection => format!("`{name}` belongs at the top of the file"),
            Self::Section(section) => format!("`{name}` belongs in [{section}]"),
            Self::Kinds { section: "optimizer", is_there: false, .. } => format!("`{name}` belongs to an optimizer"),
            Self::Kinds { section, is_there: false, .. } => format!("`{name}` belongs in [{section}]"),
            Self::Kinds { section, tag, .. } => {
                format!("this {} has no `{name}`", if tag == "kind" { *section } else { tag.as_str() })
            }
            Self::IsOptimizer => format!("`{name}` is another optimizer"),
        }
    }

    /// As [`label`](Self::label), if `name` is only what the key probably means.
    fn question(&self, name: &str) -> String {
        match self {
            Self::Section(section) => format!("did you mean `{name}` in [{section}]?"),
            _ => format!("did you mean `{name}`?"),
        }
    }

    fn help(&self, name: &str) -> String {
        match self {
            Self::Top => {
                format!("write `{name}` before the first [section]: every line below a header belongs to that section")
            }
            Self::TopSection => format!(
                "write `{name}` before the first [section], or as a header of its own: every line below a header \
                 belongs to that section"
            ),
            Self::Section("optimizer") => {
                format!("write `{name}` below [optimizer.NAME], or below [optimizer] for all optimizers of the file")
            }
            Self::Section(section) => format!("write `{name}` below the header [{section}], or as `{section}.{name}`"),
            Self::Kinds { section: "optimizer", kinds, .. } => {
                let headers: Vec<String> = kinds.iter().map(|kind| format!("[optimizer.{kind}]")).collect();
                format!("`{name}` is a setting of {}", headers.join(", "))
            }
            Self::Kinds { section, tag, kinds, .. } => {
                let kinds: Vec<String> = kinds.iter().map(|kind| format!("\"{kind}\"")).collect();
                format!("`{name}` is a setting of [{section}] with the `{tag}` {}", kinds.join(", "))
            }
            Self::IsOptimizer => format!("write `[optimizer.{name}]`"),
        }
    }
}

/// Where `key`, which is in the section `around`, belongs according to the format.
fn home(format: &[TableKey], key: &str, around: Option<&str>) -> Option<Home> {
    if let Some(found) = sections::key(key) {
        return Some(if found.is_section { Home::TopSection } else { Home::Top });
    }
    let tables = || format.iter().filter_map(|key| Some((sections::get(&key.name)?, key.shape.table()?)));
    tables().find_map(|(section, table)| home_in(section.name, table, key, around)).or_else(|| {
        let (_, optimizers) = tables().find(|(section, _)| section.has_names)?;
        optimizers.variants().iter().any(|kind| kind.name == key).then_some(Home::IsOptimizer)
    })
}

fn home_in(section: &'static str, table: &TableShape, key: &str, around: Option<&str>) -> Option<Home> {
    let has = |keys: &[TableKey]| keys.iter().any(|known| known.name == key);
    let Some(choice) = &table.choice else { return has(&table.keys).then_some(Home::Section(section)) };
    let with_it: Vec<&Variant> = choice.variants.iter().filter(|kind| has(&kind.keys)).collect();
    // `kind` is not specific to a section.
    let is_tag = key == choice.tag && key != "kind";
    if is_tag || has(&table.keys) || with_it.len() == choice.variants.len() {
        return Some(Home::Section(section));
    }
    let kinds: Vec<String> = with_it.into_iter().map(|kind| kind.name.clone()).collect();
    let (tag, is_there) = (choice.tag.clone(), around == Some(section));
    (!kinds.is_empty()).then_some(Home::Kinds { section, tag, kinds, is_there })
}

/// The mistake of a missing section, with a minimal example.
pub fn missing(section: &'static str, example: &str) -> Problem {
    Problem::new(format!("the section [{section}] is missing"))
        .help(format!("a minimal example: {}", example.replace('\n', " ")))
        .cause(Cause::MissingSection(section))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_section_lists_its_keys() {
        let format = format();
        let of = |key: &str| home(&format, key, None);
        assert!(matches!(of("lr"), Some(Home::Section("optimizer"))));
        assert!(matches!(of("validation_share"), Some(Home::Section("data"))));
        assert!(matches!(of("source"), Some(Home::Section("data"))));
        assert!(matches!(of("seeds"), Some(Home::Top)));
        assert!(matches!(of("train"), Some(Home::TopSection)));
        assert!(matches!(of("nadam"), Some(Home::IsOptimizer)));
        let Some(Home::Kinds { section: "optimizer", kinds, .. }) = of("momentum") else {
            panic!("momentum is a key of some optimizers")
        };
        assert_eq!(kinds, ["momentum", "nesterov"]);
        assert!(of("nothing").is_none() && of("kind").is_none());
        for key in ["path", "target", "rows", "noise", "classes", "folder", "features"] {
            assert!(matches!(of(key), Some(Home::Kinds { section: "data", .. })), "{key}");
        }
        for key in ["start", "coefficients"] {
            assert!(
                matches!(of(key), Some(Home::Section("function") | Home::Kinds { section: "function", .. })),
                "{key}"
            );
        }
    }
}
