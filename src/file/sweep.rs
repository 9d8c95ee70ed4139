//! `[sweep]`: how the axes of a file combine.
//!
//! Zipped axes move together, and so does everything that trials draw: each becomes one axis.

use std::collections::{HashMap, HashSet};

use schemars::JsonSchema;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{Error as _, SeqAccess};
use serde::{Deserialize, Serialize};

use super::exclude::Exclude;
use super::sections::VARIANT;
use super::trials::Draws;
use crate::value::deserialize::deserialize;
use crate::value::problem::Problem;
use crate::value::{Axis, AxisId, Choice, Form, Kind, Node, NodeId, Origin, Tree};
use engine::forms::forms;
use engine::forms::or;
use engine::names::{did_you_mean, listed};
use engine::number::OutOfRange;
use engine::seed::Seed;
use engine::seed::sobol::DIMENSIONS;

/// The section. It is not a setting: ids depend on the runs that it declares, not on the section itself.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sweep {
    /// How many times values are drawn from the file's distributions. Adding trials leaves the earlier ones unchanged.
    /// No default: required with distributions.
    pub trials: Option<Trials>,
    /// The seed of the draws. Default: 0.
    pub seed: Option<Seed>,
    /// How trials are spread: `"random"` (the default) or `"sobol"`.
    pub sampler: Sampler,
    /// Axes from which each trial draws one value, instead of combining with all of them: `["optimizer"]`. Default:
    /// none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub draw: Vec<String>,
    /// Axes that move together: `[["lr", "batch_size"]]`. Default: none.
    #[serde(skip_serializing_if = "Zip::is_empty")]
    pub zip: Zip,
    /// Combinations to leave out: `[{ optimizer = "sgd", lr = [0.1, 1.0] }]`, or numbers between two bounds,
    /// `{ lr = { above = 0.1 } }`.
    pub exclude: Exclude,
}

impl Sweep {
    /// Whether the section is empty.
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How the numbers of trials are spread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sampler {
    /// Each is independent of the others.
    #[default]
    Random,
    /// They fill the space evenly: the Sobol sequence, with a dimension for each key in alphabetical order, shifted by
    /// the seed and the key.
    Sobol,
}

/// How many trials there are: 1 to a million.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "i64")]
#[schemars(extend("minimum" = 1, "maximum" = 1_000_000))]
pub struct Trials(u32);

impl Trials {
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<i64> for Trials {
    type Error = OutOfRange;

    fn try_from(count: i64) -> Result<Self, OutOfRange> {
        match u32::try_from(count) {
            Ok(trials @ 1..=1_000_000) => Ok(Self(trials)),
            _ => Err(OutOfRange::new(count, "a whole number from 1 to 1000000")),
        }
    }
}

/// Groups of axes that move together, by their names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(transform = or::<Vec<String>>)]
pub struct Zip(Vec<Vec<String>>);

impl Zip {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn read<'de, A: SeqAccess<'de>>(list: A) -> Result<Self, A::Error> {
        let (mut names, mut groups) = (Vec::new(), Vec::new());
        for item in Vec::deserialize(SeqAccessDeserializer::new(list))? {
            match item {
                Zipped::Name(name) => names.push(name),
                Zipped::Group(group) => groups.push(group),
            }
        }
        match (names.is_empty(), groups.is_empty()) {
            (true, _) => Ok(Self(groups)),
            (false, true) => Ok(Self(vec![names])),
            (false, false) => Err(A::Error::custom("expected either names or lists of names, not both")),
        }
    }
}

/// An item of `zip`.
#[derive(Debug)]
enum Zipped {
    Name(String),
    Group(Vec<String>),
}

forms! {
    Zip, "lists of names, such as [[\"lr\", \"batch_size\"]]",
    list: Zip::read,
}

forms! {
    Zipped, "the name of an axis or a list of names",
    text: |name: &str| Ok(Zipped::Name(name.to_owned())),
    list: |list| Vec::deserialize(SeqAccessDeserializer::new(list)).map(Zipped::Group),
}

/// One axis of a tree, at one place.
struct Declared<'t> {
    /// The setting's short name.
    name: String,
    /// Its path, joined by dots.
    key: String,
    axis: &'t Axis,
    origin: &'t Origin,
}

/// Applies the tree's `[sweep]` to it; returns the draws of the trials, if there are any, and the mistakes. `dropped`
/// are the nodes that were rejected before.
pub fn combine(tree: &mut Tree, dropped: &HashSet<NodeId>) -> (Option<Draws>, Vec<Problem>) {
    let section = tree.root.entry("sweep").map(|entry| (entry.key_origin.clone(), entry.value.clone()));
    let sweep = match &section {
        Some((_, value)) => match deserialize::<Sweep>(value, &Choice::default(), dropped) {
            Ok(sweep) => sweep,
            // Its mistakes are known already.
            Err(_) => return Default::default(),
        },
        None => Sweep::default(),
    };
    let nothing = Vec::new();
    let value_of = |key: &str| section.as_ref().and_then(|(_, section)| section.entry(key)).map(|entry| &entry.value);
    let names_of = |key: &str| match value_of(key).map(|value| &value.kind) {
        Some(Kind::List(items)) => items,
        _ => &nothing,
    };
    let (mut draws, mut problems) = (None, Vec::new());
    let groups: Vec<Vec<&Node>> = match names_of("zip").as_slice() {
        names @ [Node { kind: Kind::Text(_), .. }, ..] => vec![names.iter().collect()],
        groups => groups.iter().map(|group| group.children().collect()).collect(),
    };
    zip(tree, &groups, &mut problems);

    let declared = declared(&tree.root);
    let sampled = sampled(names_of("draw"), &declared, &mut problems);
    let distribution = declared.iter().find(|declared| matches!(declared.axis.form, Form::Drawn(_)));
    match (sweep.trials, distribution) {
        // `trials` or another key of the section was rejected, so nothing more can be said.
        (None, _)
            if section.as_ref().is_some_and(|(_, value)| value.children().any(|node| dropped.contains(&node.id))) => {}
        (None, Some(found)) => {
            let problem =
                Problem::new(format!("`{}` is drawn at random, but the number of trials is missing", found.name));
            problems.push(problem.at(found.origin.clone()).help("write `trials = 100` in [sweep]"));
        }
        (None, None) => {
            for (key, what) in [
                ("draw", "draws from these axes"),
                ("seed", "is drawn with this seed"),
                ("sampler", "is drawn with this sampler"),
            ] {
                let Some(node) = value_of(key).filter(|node| !dropped.contains(&node.id)) else { continue };
                let problem = Problem::new(format!("`{key}`: without `trials`, nothing {what}"));
                problems
                    .push(problem.at(node.origin.clone()).help("write `trials = 100` in [sweep], or remove this line"));
            }
        }
        // A distribution may be among the rejected nodes.
        (Some(_), None) if sweep.draw.is_empty() && !dropped.is_empty() => {}
        (Some(trials), None) if sweep.draw.is_empty() => {
            let problem = Problem::new(format!("`trials`: there is nothing to draw {} times", trials.get()));
            let origin = value_of("trials").map(|node| node.origin.clone());
            problems.push(problem.at(origin).help(
                "give a setting a distribution, such as `lr = { log_uniform = [1e-4, 1e-1] }`, name an axis in `draw`, \
                 or remove this line",
            ));
        }
        (Some(trials), _) => {
            let seed = sweep.seed.unwrap_or_default();
            let drawn = Draws::mark(tree, trials.get(), &sampled, seed);
            draws = Some(match sweep.sampler {
                Sampler::Random => drawn,
                Sampler::Sobol => drawn.clone().with_sobol(seed).unwrap_or_else(|count| {
                    let problem = Problem::new(format!(
                        "`sampler`: the Sobol sequence has {DIMENSIONS} dimensions, but {count} settings are drawn"
                    ));
                    let origin = value_of("sampler").map(|node| node.origin.clone());
                    problems.push(problem.at(origin).help("draw fewer settings, or remove this line"));
                    drawn
                }),
            });
        }
    }
    (draws, problems)
}

/// The axes that `names`, the items of `draw`, name, each with its key.
fn sampled(names: &[Node], declared: &[Declared], problems: &mut Vec<Problem>) -> HashMap<AxisId, String> {
    let mut sampled = HashMap::new();
    for node in names {
        match named(node, declared) {
            Ok(axes) => {
                let key = &axes[0].key;
                sampled.extend(axes.iter().map(|axis| (axis.axis.id, key.clone())));
            }
            Err(problem) => problems.push(problem),
        }
    }
    sampled
}

/// Merges the axes of each group of names into one.
fn zip(tree: &mut Tree, groups: &[Vec<&Node>], problems: &mut Vec<Problem>) {
    let mut seen: HashSet<&str> = HashSet::new();
    for group in groups {
        let declared = declared(&tree.root);
        let mut members: Vec<AxisId> = Vec::new();
        let mut first: Option<(&str, usize)> = None;
        let mut is_sound = true;
        for &node in group {
            let Kind::Text(name) = &node.kind else { continue };
            let mut report = |problem: Problem| {
                is_sound = false;
                problems.push(problem);
            };
            if !seen.insert(name) {
                report(Problem::new(format!("`zip`: `{name}` is listed twice")).at(node.origin.clone()));
                continue;
            }
            let axes = match named(node, &declared) {
                Ok(axes) => axes,
                Err(problem) => {
                    report(problem);
                    continue;
                }
            };
            for axis in axes {
                let (first, count) = *first.get_or_insert((name, axis.axis.alternatives.len()));
                let found = axis.axis.alternatives.len();
                if found != count {
                    let there = if first == name { " elsewhere".to_owned() } else { format!(" of `{first}`") };
                    let message = format!("`zip`: {found} values of `{name}` cannot move with {count}{there}");
                    let problem =
                        Problem::new(message).at(node.origin.clone()).label("expected the same number of values");
                    report(
                        problem.help("give both the same number of values, or leave `zip` out to combine all with all"),
                    );
                    break;
                }
                members.push(axis.axis.id);
            }
        }
        if let [only] = group.as_slice() {
            problems.push(Problem::new("`zip`: a group needs at least two axes").at(only.origin.clone()));
        } else if let ([first, ..], true) = (members.as_slice(), is_sound) {
            tree.rename_axes(&members, *first);
        }
    }
}

/// The axes with the name in `node`.
fn named<'d, 't>(node: &Node, declared: &'d [Declared<'t>]) -> Result<Vec<&'d Declared<'t>>, Problem> {
    let Kind::Text(name) = &node.kind else { return Err(Problem::new("expected a name").at(node.origin.clone())) };
    let found: Vec<_> = declared.iter().filter(|declared| declared.name == *name).collect();
    if found.iter().any(|declared| matches!(declared.axis.form, Form::Drawn(_))) {
        let problem = Problem::new(format!("`{name}` has a distribution, so it already moves with the trials"));
        return Err(problem.at(node.origin.clone()));
    }
    if !found.is_empty() {
        return Ok(found);
    }
    let problem = Problem::new(format!("`{name}` is not an axis of this file")).at(node.origin.clone());
    let is_list = |declared: &&Declared| !matches!(declared.axis.form, Form::Drawn(_));
    let mut names: Vec<&str> = declared.iter().filter(is_list).map(|declared| declared.name.as_str()).collect();
    names.dedup();
    // The listing of a plan shows the whole path of a setting.
    let last = name.rsplit('.').next().unwrap_or(name);
    Err(match did_you_mean(last, names.iter().copied()) {
        Some(meant) => problem.meaning(meant),
        None if names.is_empty() => problem.help("no setting of this file has several values"),
        None => problem
            .help(format!("an axis is a setting with several values, such as `{last} = [..., ...]`"))
            .help(format!("the axes of this file: {}", listed(names, ","))),
    })
}

/// Every declared axis, in the order of the tree.
fn declared(root: &Node) -> Vec<Declared<'_>> {
    let declared = root.walk().filter_map(|place| {
        let (axis, path) = (place.axis()?, place.path());
        let name = super::short_name(&path);
        let is_patch = axis.form == Form::Patched && name != VARIANT;
        let is_one_optimizer = name == "optimizer" && axis.alternatives.len() == 1;
        let tells_apart = !is_patch && !is_one_optimizer && !place.is_in_list();
        tells_apart.then(|| Declared { name, key: path.join("."), axis, origin: &place.node.origin })
    });
    declared.collect()
}
