//! The experiment file: its sections, how it is read, and what may be an axis.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::lint::Lint;
use crate::value::deserialize::deserialize;
use crate::value::problem::{MOST_COUNTED, Problem};
use crate::value::{self, AxisId, Entry, Form, Kind, Node, NodeId, Rejected, Sources, Tree};
use engine::data::Data;
use engine::forms::or;
use engine::function::Function;
use engine::nn::{self, Init, Regularization};
use engine::number::Count;
use engine::optim::Optimizer;
use engine::random::Rng;
use engine::record::Record;
use engine::seed::Seed;
use engine::train;

mod compose;
mod exclude;
mod extends;
pub mod format;
mod optimizers;
mod places;
mod reading;
pub mod schema;
pub mod sections;
mod set;
mod single;
mod sweep;
mod trials;
mod under;
mod variants;
pub mod vocabulary;

use compose::{Composed, Main, compose};
pub use exclude::{Condition, Exclude, Wanted};
use extends::NoText;
pub use reading::{How, Reading};
pub use sections::VARIANT;
pub use single::single;
pub use sweep::{Sweep, Trials, Zip};
pub use trials::Draws;
pub use under::{Section, SectionSet, Sections, Under};
use variants::Variants;

/// An experiment file under one choice of its axes.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// The name of the experiment and of its folder in results/: 1 to 64 letters, digits, `.`, `_` and `-`, beginning
    /// with a letter or digit. Default: the file's name without `.toml`.
    pub name: Option<Name>,
    /// What the experiment is about, for people.
    pub description: Option<String>,
    /// The files that this one extends: a path, relative to this file's folder, or a list of paths.
    // Empty in a file under a choice, which has been merged with them already.
    #[serde(skip_serializing)]
    #[schemars(schema_with = "extends::schema")]
    pub extends: Option<serde::de::IgnoredAny>,
    /// The seeds that every combination is trained with: `3` means the seeds 0, 1 and 2; a list means exactly those.
    /// Default: 1.
    #[serde(default)]
    #[schemars(extend("default" = 1))]
    pub seeds: Seeds,
    /// Names of warnings that are not shown, because what they warn about is intended. This does not change ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow_warnings: Vec<Lint>,
    /// Where random numbers come from: `"paribus"` (the default) or `"numpy"`.
    #[serde(default)]
    pub rng: Rng,
    /// What a network is trained on: the source, how much of it is used, and how each run prepares the rows.
    pub data: Option<Data>,
    pub network: Option<nn::NetworkSection>,
    /// A function that an optimizer descends instead of training a network.
    pub function: Option<Function>,
    pub init: Option<Init>,
    pub regularization: Option<Regularization>,
    /// The optimizers: a table `[optimizer.NAME]` for each, with the keys that all of them share in `[optimizer]`; a
    /// name or a list of names; or one optimizer, with its `kind` in `[optimizer]`. Several are an axis.
    pub optimizer: Optimizer,
    pub train: train::TrainSection,
    pub record: Option<Record>,
    /// How axes combine, and how many times values are drawn from distributions.
    #[serde(default, skip_serializing_if = "Sweep::is_default")]
    pub sweep: Sweep,
    /// `[variant.NAME]`: patches of the file. Empty in a file under a choice, which has been patched already.
    #[serde(skip_serializing)]
    #[schemars(skip)]
    pub variant: Option<serde::de::IgnoredAny>,
}

/// A name that is also a folder's.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(extend("pattern" = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"))]
pub struct Name(String);

impl Name {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let mut characters = name.chars();
        let first = characters.next().is_some_and(|c| c.is_ascii_alphanumeric());
        if first && name.len() <= 64 && characters.all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) {
            Ok(Self(name))
        } else {
            Err(format!(
                "`{name}` is not a valid name: use 1 to 64 letters, digits, `.`, `_` or `-`, and begin with a letter \
                 or a digit"
            ))
        }
    }
}

/// The seeds that every setting is run with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(extend("minItems" = 1, "uniqueItems" = true))]
#[schemars(transform = or::<SeedCount>)]
pub struct Seeds(Vec<Seed>);

/// How many seeds there are, starting with 0.
#[derive(JsonSchema)]
#[schemars(extend("minimum" = 1, "maximum" = MOST_SEEDS))]
struct SeedCount(#[expect(dead_code, reason = "its schema alone is used")] i64);

const MOST_SEEDS: i64 = 1_000_000;

impl Seeds {
    /// In the order of the file; at least one, without duplicates.
    pub fn get(&self) -> &[Seed] {
        &self.0
    }
}

impl Default for Seeds {
    fn default() -> Self {
        Self(vec![Seed::default()])
    }
}

impl<'de> Deserialize<'de> for Seeds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SeedsVisitor;

        impl<'de> Visitor<'de> for SeedsVisitor {
            type Value = Seeds;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number of seeds or a list of seeds")
            }

            fn visit_i64<E: serde::de::Error>(self, count: i64) -> Result<Seeds, E> {
                match Count::try_from(count) {
                    Ok(_) if count <= MOST_SEEDS => {
                        (0..count).map(Seed::try_from).collect::<Result<_, _>>().map(Seeds).map_err(E::custom)
                    }
                    _ => Err(E::custom(format!(
                        "{count} is out of range, expected a number of seeds from 1 to {MOST_SEEDS}, or a list of \
                         seeds such as [{count}]"
                    ))),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Seeds, A::Error> {
                let (mut seeds, mut seen) = (Vec::new(), HashSet::new());
                while let Some(seed) = list.next_element::<Seed>()? {
                    if !seen.insert(seed) {
                        return Err(A::Error::custom(format!("the seed {} is listed twice", seed.get())));
                    }
                    seeds.push(seed);
                }
                if seeds.is_empty() { Err(A::Error::custom("at least one seed is needed")) } else { Ok(Seeds(seeds)) }
            }
        }

        deserializer.deserialize_i64(SeedsVisitor)
    }
}

/// A file that has been read: its axes are known, and so are the mistakes in its values. Only a file without any
/// mistakes has a [`Plan`](crate::plan::Plan).
#[derive(Debug, Clone)]
pub struct Experiment {
    pub sources: Sources,
    pub tree: Tree,
    pub name: Name,
    pub description: Option<String>,
    pub seeds: Seeds,
    pub rng: Rng,
    pub sweep: Sweep,
    /// Warnings that the file silences.
    pub allow_warnings: Vec<Lint>,
    /// The text of the file. If it extends others or `--set` changes it, an equivalent text made from all parts.
    pub text: String,
    /// Distinguishes it from the experiment that the file alone describes, if `--set` changes more than the name: six
    /// hexadecimal digits.
    pub mark: Option<String>,
    /// Relative paths in the file start here.
    pub folder: PathBuf,
    /// How each key was read.
    pub readings: Vec<Reading>,
    /// The draws of the trials, if there are any.
    pub draws: Option<Draws>,
    /// The sections that contain each axis, by its index.
    sections_of_axes: Vec<SectionSet>,
    /// Rejected nodes. They are read as if they were absent, so that further mistakes are found, too.
    dropped: HashSet<NodeId>,
    /// Sections with a key that is misplaced elsewhere in the file.
    incomplete: HashSet<NodeId>,
    problems: Vec<Problem>,
}

/// The mistakes of a file, with the texts to show them in.
#[derive(Debug)]
pub struct Mistakes {
    pub sources: Sources,
    pub problems: Vec<Problem>,
}

impl Experiment {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// If it cannot be read as an experiment at all.
    pub fn read(path: &Path) -> Result<Self, Mistakes> {
        Self::read_with(path, &[])
    }

    /// Reads the file at `path`, changed by these arguments of `--set`.
    ///
    /// # Errors
    /// If it cannot be read as an experiment at all.
    pub fn read_with(path: &Path, set: &[String]) -> Result<Self, Mistakes> {
        let shown = path.display().to_string();
        let text = extends::read_text(path, &shown).map_err(|error| {
            let problem = match error {
                NoText::NotUtf8(message) => Problem::new(message),
                NoText::Unreadable(message) => {
                    Problem::new(message).help("the argument is the path of an experiment file")
                }
            };
            Mistakes { sources: Sources::default(), problems: vec![problem] }
        })?;
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let folder = path.parent().unwrap_or(Path::new(""));
        let identity = path.canonicalize().ok();
        Self::from_main(Main { shown: &shown, text, stem: &stem, folder, identity }, set)
    }

    /// Reads a text. Errors call it `shown`; the experiment is named `stem` unless the text names it.
    ///
    /// # Errors
    /// If it cannot be read as an experiment at all.
    pub fn parse(shown: &str, text: String, stem: &str, folder: PathBuf) -> Result<Self, Mistakes> {
        Self::from_main(Main { shown, text, stem, folder: &folder, identity: None }, &[])
    }

    fn from_main(main: Main, set: &[String]) -> Result<Self, Mistakes> {
        let (stem, folder) = (main.stem, main.folder.to_owned());
        let Composed { mut sources, mut tree, text, mark, rewritten, problems: of_set } = compose(main, set)?;
        let rejected = value::written::spell_out(&mut tree);
        let mut problems = of_set;
        problems.extend(places::name_sections(&mut tree));
        let (variants, in_variants) = Variants::take(&mut tree);
        problems.extend(in_variants);
        problems.extend(add_missing_sections(&mut sources, &mut tree, &variants));
        let places = variants.places();
        let (shared, misnamed) = variants.merge(&mut tree, &sources);
        problems.extend(misnamed);
        let Rejected { problems: found, dropped } = value::axes::find::<File>(&mut tree, rejected);
        let is_read = found.len() <= MOST_COUNTED;
        problems.extend(found.into_iter().map(|problem| shared.explain(vocabulary::explain(problem))));
        if !is_read {
            places::explain(&mut problems, &tree.root);
            compose::explain_merged_keys(&mut problems, &sources, &tree.root);
            return Err(Mistakes { sources, problems });
        }
        problems.extend(misplaced_axes(&tree.root));
        let readings = reading::readings(&sources, &tree, &places, &rewritten);
        let (draws, of_sweep) = sweep::combine(&mut tree, &dropped);
        problems.extend(of_sweep);
        let mut reported = HashSet::new();
        problems.retain(|problem| reported.insert(problem.clone()));
        let missed = places::explain(&mut problems, &tree.root);
        let sections = tree.root.entries().unwrap_or_default().iter();
        let incomplete =
            sections.filter(|entry| missed.contains(entry.key.as_str())).map(|entry| entry.value.id).collect();
        let mut experiment = Self {
            sources,
            tree,
            name: Name("unnamed".to_owned()),
            description: None,
            seeds: Seeds::default(),
            rng: Rng::default(),
            sweep: Sweep::default(),
            allow_warnings: Vec::new(),
            text,
            mark,
            folder,
            readings,
            draws,
            sections_of_axes: Vec::new(),
            dropped,
            incomplete,
            problems,
        };
        let file = match experiment.first_file() {
            Ok(file) => file,
            Err(problems) => return Err(experiment.into_mistakes(problems)),
        };
        experiment.sections_of_axes = under::sections_of_axes(&experiment.tree);
        experiment.description = file.description;
        experiment.seeds = file.seeds;
        experiment.rng = file.rng;
        experiment.sweep = file.sweep;
        experiment.allow_warnings = file.allow_warnings;
        match file.name.map_or_else(|| Name::try_from(stem.to_owned()), Ok) {
            Ok(name) => experiment.name = name,
            Err(message) => experiment.problems.push(
                Problem::new(format!("the experiment cannot be named after its file: {message}"))
                    .help("write `name = \"...\"` at the top of the file"),
            ),
        }
        Ok(experiment)
    }

    /// The name of its results folder: its own name, and its mark if it has one.
    pub fn folder_name(&self) -> String {
        match &self.mark {
            Some(mark) => format!("{}@{mark}", self.name.as_str()),
            None => self.name.as_str().to_owned(),
        }
    }

    /// The entry at this path, outside of axes.
    pub fn entry(&self, path: &[&str]) -> Option<&Entry> {
        let (first, rest) = path.split_first()?;
        rest.iter().try_fold(self.tree.root.entry(first)?, |entry, key| entry.value.entry(key))
    }

    /// The names of the variants, in the order of the file.
    pub fn variants(&self) -> Vec<&str> {
        let axis = self.entry(&[VARIANT]).and_then(|entry| match &entry.value.kind {
            Kind::Axis(axis) => Some(axis),
            _ => None,
        });
        axis.iter().flat_map(|axis| &axis.alternatives).filter_map(|variant| variant.name.as_deref()).collect()
    }

    /// The same file, with other draws of its trials.
    pub fn with_draws(&self, draws: Draws) -> Self {
        Self { draws: Some(draws), ..self.clone() }
    }

    /// The file under its first choice. A section that is incomplete because parts of it were rejected is replaced by a
    /// minimal one, so that the other sections can still be read.
    fn first_file(&mut self) -> Result<File, Vec<Problem>> {
        for _ in needed() {
            let fault = match deserialize(&self.tree.root, &self.tree.first_choice(), &self.dropped) {
                Ok(file) => return Ok(file),
                Err(fault) => fault,
            };
            if self.is_sound() {
                return Err(vec![vocabulary::problem(fault)]);
            }
            let around = |(section, _): &(&str, &str)| {
                let entry = self.tree.root.entry(section);
                entry.is_none_or(|entry| fault.node().is_some_and(|node| entry.value.holds(node)))
            };
            let Some((section, example)) = needed().find(around) else { break };
            self.tree.remove(section);
            add_example(&mut self.sources, &mut self.tree, section, example)?;
        }
        // The mistakes found so far are known; whether there are more is not.
        Err(Vec::new())
    }

    /// The mistakes of the file, including `more`.
    pub fn into_mistakes(self, more: Vec<Problem>) -> Mistakes {
        let mut problems = self.problems;
        problems.extend(more);
        compose::explain_merged_keys(&mut problems, &self.sources, &self.tree.root);
        Mistakes { sources: self.sources, problems }
    }

    /// Whether `node` or something below it was rejected, or is misplaced elsewhere in the file.
    pub fn lacks(&self, node: &Node) -> bool {
        let is_missed = |node: &Node| self.dropped.contains(&node.id) || self.incomplete.contains(&node.id);
        node.walk().any(|place| is_missed(place.node))
    }

    /// Whether the file has no mistakes so far.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }

    /// The choice that takes the first alternative of every axis.
    pub fn first_choice(&self) -> value::Choice {
        let mut choice = self.tree.first_choice();
        self.draws.iter().for_each(|draws| draws.take(0, &mut choice));
        choice
    }

    /// Takes the 0-based `alternative` of an axis; if it is a trial, also what it draws.
    pub fn choose(&self, choice: &mut value::Choice, axis: AxisId, alternative: usize) {
        match self.draws.as_ref().filter(|draws| draws.axis() == axis) {
            Some(draws) => draws.take(alternative, choice),
            None => choice.set(axis, alternative),
        }
    }

    /// The sections that contain an axis.
    pub fn sections_of(&self, axis: AxisId) -> SectionSet {
        self.sections_of_axes[axis.index()]
    }
}

impl Mistakes {
    /// All mistakes as a person reads them. `color` asks for terminal colors.
    pub fn render(&self, color: bool) -> String {
        value::problem::render(&self.sources, &self.problems, color)
    }
}

/// The short name of the setting at `path`: unique over the whole file, the same in columns, labels and `--only`.
pub fn short_name(path: &[&str]) -> String {
    match path {
        // The variant of an enum is the setting itself: `optimizer`, `weights`.
        [head @ .., "kind"] => return short_name(head),
        ["init", "bias"] => "init_bias",
        ["data", "source"] => "data",
        ["data", "seed"] => "data_seed",
        [.., "weights", "std"] => "weight_std",
        [.., "weights", "bound"] => "weight_bound",
        [.., "schedule", setting] => return format!("schedule_{setting}"),
        [.., "dropout", "ratio"] => "dropout",
        [.., "dropout", "scaling"] => "dropout_scaling",
        [.., "output", "slope"] => "output_slope",
        [.., "output", "alpha"] => "output_alpha",
        [.., last] => last,
        [] => "",
    }
    .to_owned()
}

/// The required sections, each with a minimal example.
fn needed() -> impl Iterator<Item = (&'static str, &'static str)> {
    sections::KEYS.iter().filter_map(|key| Some((key.name, key.least?)))
}

/// Reports missing sections and adds minimal ones, so that everything else can still be read.
fn add_missing_sections(sources: &mut Sources, tree: &mut Tree, variants: &Variants) -> Vec<Problem> {
    let is_missing = |(section, _): &(&str, &str)| {
        let belongs_to_network = sections::key(section).is_some_and(|key| key.belongs_to_network);
        variants.any(|in_variant| {
            let has = |key| tree.root.entry(key).is_some() || in_variant(key);
            !(has(section) || belongs_to_network && has("function"))
        })
    };
    let missing: Vec<_> = needed().filter(is_missing).collect();
    let mut problems = Vec::new();
    for (section, example) in missing {
        problems.push(places::missing(section, example));
        problems.extend(add_example(sources, tree, section, example).err().into_iter().flatten());
    }
    problems
}

fn add_example(sources: &mut Sources, tree: &mut Tree, section: &str, example: &str) -> Result<(), Vec<Problem>> {
    let source = sources.add(format!("an example of [{section}]"), example);
    let mut example = value::parse::parse(sources, source)?;
    let (_, problems) = optimizers::lower(&mut example);
    tree.add_entries(example);
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// Axes in places where none are allowed.
fn misplaced_axes(root: &Node) -> Vec<Problem> {
    let mut problems = Vec::new();
    for Entry { key, value, .. } in root.entries().unwrap_or_default() {
        let values: Vec<&Node> = match &value.kind {
            Kind::Axis(axis) if axis.form == Form::Patched => value.children().collect(),
            _ => vec![value],
        };
        problems.extend(values.into_iter().filter_map(|value| misplaced_axis(key, value)));
    }
    problems
}

/// The mistake if `value` is or contains an axis that is not allowed there.
fn misplaced_axis(key: &str, value: &Node) -> Option<Problem> {
    let known = sections::key(key).filter(|key| !key.has_names)?;
    let reason = match (known.without_axes, &value.kind) {
        (_, Kind::Axis(_)) if !known.is_section => {
            format!("`{key}` applies to all runs of a file and cannot be an axis")
        }
        (_, Kind::Axis(_)) => format!("[{key}] is a section and cannot be an axis; the keys in it can"),
        (Some(reason), _) => {
            let axis = value.walk().find(|place| place.axis().is_some() && !place.is_in_list())?.node;
            let problem = Problem::new(format!("[{key}] cannot contain an axis: {reason}"));
            let problem = problem.at(axis.origin.clone()).label("expected one value");
            return Some(problem.help("choose one value; only settings in other sections can be compared"));
        }
        _ => return None,
    };
    let is_drawn = matches!(&value.kind, Kind::Axis(axis) if matches!(axis.form, Form::Drawn(_)));
    let label = if is_drawn { "this is read as a distribution" } else { "this is read as an axis" };
    let problem = Problem::new(reason).at(value.origin.clone()).label(label);
    Some(if key == "seeds" { problem.help("write all seeds in one list: `seeds = [0, 1, 2]`") } else { problem })
}
