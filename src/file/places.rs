//! Where a key belongs that stands where it is not accepted.

use std::collections::HashSet;

use serde::de::DeserializeOwned;

use super::Sweep;
use super::variants::VARIANT;
use crate::data::Data;
use crate::nn::{self, Init, Regularization};
use crate::optim::{Algorithm, Optimizer};
use crate::record::Record;
use crate::train;
use crate::value::deserialize::deserialize;
use crate::value::parse::parse;
use crate::value::problem::{Cause, Problem, did_you_mean, one_of};
use crate::value::{Choice, Kind, Sources, Tree, vocabulary};

/// The keys at the top of a file; those from the seventh on are sections.
const TOP: [&str; 16] = [
    "name",
    "description",
    "extends",
    "seeds",
    "rng",
    "allow_warnings",
    "data",
    "network",
    "function",
    "init",
    "regularization",
    "optimizer",
    "train",
    "record",
    "sweep",
    VARIANT,
];

const SECTIONS: &[&str] = TOP.split_at(6).1;

/// Gives sections that are called something else the name that is meant, where no section has it yet, so that they are read;
/// reports them.
pub fn name_sections(tree: &mut Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    let Kind::Table(entries) = &mut tree.root.kind else { return problems };
    let mut taken: HashSet<String> = entries.iter().map(|entry| entry.key.clone()).collect();
    for entry in entries {
        if TOP.contains(&entry.key.as_str()) || entry.value.entries().is_none() {
            continue;
        }
        let synonym = vocabulary::keys(&entry.key).iter().copied().find(|name| SECTIONS.contains(name));
        let Some(meant) = synonym.or_else(|| did_you_mean(&entry.key, SECTIONS.iter().copied())) else { continue };
        if !taken.insert(meant.to_owned()) {
            continue;
        }
        let problem = Problem::new(format!("there is no section `{}`", entry.key)).at(entry.key_origin.clone());
        problems.push(
            problem
                .label(format!("did you mean `{meant}`?"))
                .help(format!("the sections are {}", one_of(SECTIONS.iter().copied()).replace(" or ", " and "))),
        );
        meant.clone_into(&mut entry.key);
    }
    problems
}

/// Says of each unknown key where it belongs, if that is somewhere else in the file. What is said to be missing and stands in
/// another place is left out. Returns the sections that miss a key so.
pub fn explain(problems: &mut Vec<Problem>) -> HashSet<&'static str> {
    let mut homes = None;
    let mut missed = HashSet::new();
    let mut misplaced: HashSet<String> = HashSet::new();
    for problem in problems.iter_mut() {
        let Some(Cause::UnknownKey { key, meant: None }) = problem.cause.as_deref() else { continue };
        let homes = homes.get_or_insert_with(Homes::find);
        let key = key.clone();
        let candidates: Vec<&str> =
            std::iter::once(key.as_str()).chain(vocabulary::keys(&key).iter().copied()).collect();
        let Some((name, home)) = candidates.iter().find_map(|name| Some((*name, homes.of(name)?))) else { continue };
        match &home {
            Home::Section(section) => _ = missed.insert(*section),
            Home::Top | Home::TopSection => _ = misplaced.insert(name.to_owned()),
            Home::Optimizers(_) | Home::IsOptimizer => {}
        }
        problem.label = if *name == *key { home.label(name) } else { home.question(name) };
        problem.help.insert(0, home.help(name));
        // What is accepted where it stands is of no use to a key that belongs somewhere else.
        problem.help.retain(|help| !help.starts_with("accepted here"));
    }
    problems.retain(|problem| !matches!(problem.cause.as_deref(), Some(Cause::MissingSection(section)) if misplaced.contains(*section)));
    missed
}

/// Where a key belongs.
enum Home {
    /// The top of the file.
    Top,
    /// The top of the file, or a header of its own.
    TopSection,
    Section(&'static str),
    /// Some optimizers have it, and others do not.
    Optimizers(Vec<&'static str>),
    /// It is the name of an optimizer.
    IsOptimizer,
}

impl Home {
    fn label(&self, name: &str) -> String {
        match self {
            Self::Top | Self::TopSection => format!("`{name}` belongs to the top of the file"),
            Self::Section(section) => format!("`{name}` belongs to [{section}]"),
            Self::Optimizers(_) => format!("this optimizer has no `{name}`"),
            Self::IsOptimizer => format!("`{name}` is an optimizer of its own"),
        }
    }

    /// As [`label`](Self::label), where `name` is what the key probably means.
    fn question(&self, name: &str) -> String {
        match self {
            Self::Section(section) => format!("did you mean `{name}` in [{section}]?"),
            _ => format!("did you mean `{name}`?"),
        }
    }

    fn help(&self, name: &str) -> String {
        match self {
            Self::Top => {
                format!("write `{name}` before the first [section]: below a header every line is of that section")
            }
            Self::TopSection => format!(
                "write `{name}` before the first [section], or as a header of its own: below another header every line is of that \
                 section"
            ),
            Self::Section("optimizer") => {
                format!("write `{name}` below [optimizer.NAME], or below [optimizer] for all optimizers of the file")
            }
            Self::Section(section) => format!("write `{name}` below the header [{section}], or as `{section}.{name}`"),
            Self::Optimizers(kinds) => {
                let headers: Vec<String> = kinds.iter().map(|kind| format!("[optimizer.{kind}]")).collect();
                format!("`{name}` is a setting of {}", headers.join(", "))
            }
            Self::IsOptimizer => format!("write `[optimizer.{name}]`"),
        }
    }
}

/// Every key that a section accepts, as the section's type says.
struct Homes {
    sections: Vec<(&'static str, Vec<String>)>,
    optimizers: Vec<(&'static str, Vec<String>)>,
}

impl Homes {
    fn find() -> Self {
        let optimizer = |kind: &'static str| (kind, keys_of::<Optimizer>(&format!("kind = \"{kind}\"")));
        Self {
            sections: vec![
                ("data", keys_of::<Data>("source = \"mnist\"")),
                ("network", keys_of::<nn::Section>("")),
                ("init", keys_of::<Init>("")),
                ("regularization", keys_of::<Regularization>("")),
                ("train", keys_of::<train::Section>("")),
                ("record", keys_of::<Record>("")),
                ("sweep", keys_of::<Sweep>("")),
            ],
            optimizers: Algorithm::KINDS.iter().map(|kind| optimizer(kind)).collect(),
        }
    }

    fn of(&self, key: &str) -> Option<Home> {
        if SECTIONS.contains(&key) {
            return Some(Home::TopSection);
        }
        if TOP.contains(&key) {
            return Some(Home::Top);
        }
        let has = |keys: &[String]| keys.iter().any(|known| known == key);
        if let Some((section, _)) = self.sections.iter().find(|(_, keys)| has(keys)) {
            return Some(Home::Section(section));
        }
        let kinds: Vec<&str> = self.optimizers.iter().filter(|(_, keys)| has(keys)).map(|(kind, _)| *kind).collect();
        if kinds.len() == self.optimizers.len() {
            return Some(Home::Section("optimizer"));
        }
        if !kinds.is_empty() {
            return Some(Home::Optimizers(kinds));
        }
        self.optimizers.iter().any(|(kind, _)| *kind == key).then_some(Home::IsOptimizer)
    }
}

/// The keys that `T` accepts beside the settings in `text`: what it says of a key that nothing has.
fn keys_of<T: DeserializeOwned>(text: &str) -> Vec<String> {
    let mut sources = Sources::default();
    let source = sources.add("", format!("{text}\n\"?\" = 0\n"));
    let Ok(tree) = parse(&sources, source) else { return Vec::new() };
    let fault = deserialize::<T>(&tree.root, &Choice::default(), &HashSet::new()).err();
    fault.and_then(|fault| fault.accepted_keys().map(<[String]>::to_vec)).unwrap_or_default()
}

/// A section that is needed and missing, with the least that it can say.
pub fn missing(section: &'static str, example: &str) -> Problem {
    Problem::new(format!("the section [{section}] is missing"))
        .help(format!("the least it can say: {}", example.replace('\n', " ")))
        .cause(Cause::MissingSection(section))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_section_tells_its_keys() {
        let homes = Homes::find();
        for (section, keys) in homes.sections.iter().chain(&homes.optimizers) {
            assert!(keys.len() > 1, "{section}: {keys:?}");
        }
        assert!(matches!(homes.of("lr"), Some(Home::Section("optimizer"))));
        assert!(matches!(homes.of("validation_share"), Some(Home::Section("data"))));
        assert!(matches!(homes.of("seeds"), Some(Home::Top)));
        assert!(matches!(homes.of("train"), Some(Home::TopSection)));
        assert!(matches!(homes.of("nadam"), Some(Home::IsOptimizer)));
        let Some(Home::Optimizers(kinds)) = homes.of("momentum") else {
            panic!("momentum is a key of some optimizers")
        };
        assert_eq!(kinds, ["momentum", "nesterov"]);
        assert!(homes.of("nothing").is_none());
    }
}
