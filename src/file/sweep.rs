//! `[sweep]`: how the axes of a file combine.
//!
//! Axes that are zipped move together, and so does everything that trials draw: they become one axis.

use std::collections::{HashMap, HashSet};

use schemars::JsonSchema;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::exclude::Exclude;
use super::trials;
use super::variants::VARIANT;
use crate::number::OutOfRange;
use crate::seed::sobol::{DIMENSIONS, Sobol};
use crate::seed::{Purpose, Seed, Stream};
use crate::value::deserialize::deserialize;
use crate::value::problem::{Problem, did_you_mean, listed};
use crate::value::schema::or;
use crate::value::{Axis, AxisId, Choice, Form, Kind, Node, NodeId, Origin, Tree};

/// The section. It is no setting: ids depend on what comes of it, not on it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sweep {
    /// How many times values are drawn from the distributions of the file. More trials change none of those before. No default: it is
    /// needed where there are distributions.
    pub trials: Option<Trials>,
    /// What the draws hang on. Default: 0.
    pub seed: Option<Seed>,
    /// How trials are spread. Default: at random.
    pub sampler: Sampler,
    /// Axes that trials draw from, too, instead of multiplying with them: `["optimizer"]`. Default: none.
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
    /// Whether the section says nothing.
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
    /// They fill the space evenly: the Sobol sequence, a dimension for each key in alphabetical order, shifted by
    /// what the seed and the key say.
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
}

impl<'de> Deserialize<'de> for Zip {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// A name, or a group of names.
        #[derive(Debug)]
        enum Item {
            Name(String),
            Group(Vec<String>),
        }

        struct ItemVisitor;

        impl<'de> Visitor<'de> for ItemVisitor {
            type Value = Item;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the name of an axis or a list of names")
            }

            fn visit_str<E>(self, name: &str) -> Result<Item, E> {
                Ok(Item::Name(name.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Item, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = list.next_element()? {
                    names.push(name);
                }
                Ok(Item::Group(names))
            }
        }

        impl<'de> Deserialize<'de> for Item {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(ItemVisitor)
            }
        }

        struct ZipVisitor;

        impl<'de> Visitor<'de> for ZipVisitor {
            type Value = Zip;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("lists of names, such as [[\"lr\", \"batch_size\"]]")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Zip, A::Error> {
                let (mut names, mut groups) = (Vec::new(), Vec::new());
                while let Some(item) = list.next_element()? {
                    match item {
                        Item::Name(name) => names.push(name),
                        Item::Group(group) => groups.push(group),
                    }
                }
                match (names.is_empty(), groups.is_empty()) {
                    (true, _) => Ok(Zip(groups)),
                    (false, true) => Ok(Zip(vec![names])),
                    (false, false) => {
                        Err(A::Error::custom("expected either names or lists of names, not some of both"))
                    }
                }
            }
        }

        deserializer.deserialize_any(ZipVisitor)
    }
}

/// One axis of a tree, at one place.
struct Declared<'t> {
    /// Its setting's short name.
    name: String,
    /// The keys that lead to it, between dots.
    key: String,
    axis: &'t Axis,
    origin: &'t Origin,
}

/// Where the trials' numbers come from: one in [0, 1) for a key and a 0-based trial, as for [`trials::draw`].
pub type Uniform<'a> = &'a mut dyn FnMut(&str, u32) -> f64;

/// Does to the tree what its `[sweep]` says; returns what is wrong with it. `dropped` is what was rejected before. Trials draw from the
/// streams of the section's seed, or from `uniform` where that is given.
pub fn combine(tree: &mut Tree, dropped: &HashSet<NodeId>, uniform: Option<Uniform>) -> Vec<Problem> {
    let section = tree.root.entry("sweep").map(|entry| (entry.key_origin.clone(), entry.value.clone()));
    let sweep = match &section {
        Some((_, value)) => match deserialize::<Sweep>(value, &Choice::default(), dropped) {
            Ok(sweep) => sweep,
            // It is known what is wrong.
            Err(_) => return Vec::new(),
        },
        None => Sweep::default(),
    };
    let nothing = Vec::new();
    let value_of = |key: &str| section.as_ref().and_then(|(_, section)| section.entry(key)).map(|entry| &entry.value);
    let names_of = |key: &str| match value_of(key).map(|value| &value.kind) {
        Some(Kind::List(items)) => items,
        _ => &nothing,
    };
    let mut problems = Vec::new();
    let groups: Vec<Vec<&Node>> = match names_of("zip").as_slice() {
        names @ [Node { kind: Kind::Text(_), .. }, ..] => vec![names.iter().collect()],
        groups => groups.iter().map(|group| group.children().collect()).collect(),
    };
    zip(tree, &groups, &mut problems);

    let declared = declared(&tree.root);
    let sampled = sampled(names_of("draw"), &declared, &mut problems);
    let distribution = declared.iter().find(|declared| matches!(declared.axis.form, Form::Drawn(_)));
    match (sweep.trials, distribution) {
        // How often was said, if not in a way that is accepted, or something was said that is not.
        (None, _)
            if section.as_ref().is_some_and(|(_, value)| value.children().any(|node| dropped.contains(&node.id))) => {}
        (None, Some(found)) => {
            let problem = Problem::new(format!("`{}` is drawn at random, but how often is not said", found.name));
            problems.push(problem.at(found.origin.clone()).help("write `trials = 100` in [sweep]"));
        }
        (None, None) => {
            for (key, what) in [
                ("draw", "draws from these axes"),
                ("seed", "is drawn with this seed"),
                ("sampler", "is drawn with this sampler"),
            ] {
                let Some(node) = value_of(key).filter(|node| !dropped.contains(&node.id)) else { continue };
                let problem = Problem::new(format!("`{key}`: without `trials` nothing {what}"));
                problems
                    .push(problem.at(node.origin.clone()).help("write `trials = 100` in [sweep], or drop this line"));
            }
        }
        // A distribution may be among what was rejected.
        (Some(_), None) if sweep.draw.is_empty() && !dropped.is_empty() => {}
        (Some(trials), None) if sweep.draw.is_empty() => {
            let problem = Problem::new(format!("`trials`: there is nothing to draw {} times", trials.get()));
            let origin = value_of("trials").map(|node| node.origin.clone());
            problems.push(Problem { origin, ..problem }.help(
                "give a setting a distribution, such as `lr = { log_uniform = [1e-4, 1e-1] }`, name an axis in `draw`, or drop \
                 this line",
            ));
        }
        (Some(trials), _) => {
            let seed = sweep.seed.unwrap_or_default();
            let mut streams: HashMap<String, Stream> = HashMap::new();
            let mut of_section = |key: &str, trial: u32| {
                if !streams.contains_key(key) {
                    streams.insert(key.to_owned(), seed.stream(Purpose::Sweep(key)));
                }
                streams[key].at(u64::from(trial)).uniform()
            };
            match (uniform, sweep.sampler) {
                (Some(uniform), _) => trials::draw(tree, trials, &sampled, uniform),
                (None, Sampler::Random) => trials::draw(tree, trials, &sampled, &mut of_section),
                (None, Sampler::Sobol) => {
                    let mut keys = trials::keys(tree, &sampled);
                    // Whatever their order in the file.
                    keys.sort();
                    if keys.len() > DIMENSIONS {
                        let count = keys.len();
                        let problem = Problem::new(format!(
                            "`sampler`: the Sobol sequence has {DIMENSIONS} dimensions, and {count} settings are drawn"
                        ));
                        let origin = value_of("sampler").map(|node| node.origin.clone());
                        problems.push(Problem { origin, ..problem }.help("draw fewer settings, or drop this line"));
                    }
                    // No trial has the last position of a key's stream.
                    let shift = |key: &str| seed.stream(Purpose::Sweep(key)).at(u64::MAX).below(1 << 53);
                    let dimensions: HashMap<String, Sobol> = (0..DIMENSIONS)
                        .zip(keys)
                        .map(|(dimension, key)| (key.clone(), Sobol::new(dimension, shift(&key))))
                        .collect();
                    trials::draw(tree, trials, &sampled, &mut |key, trial| match dimensions.get(key) {
                        Some(sobol) => sobol.at(trial),
                        // Beyond the dimensions, which has been reported.
                        None => of_section(key, trial),
                    });
                }
            }
        }
    }
    problems
}

/// The axes that trials draw from because `names`, the items of `draw`, name them, each with its key.
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

/// Makes one axis of each group of names.
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
                report(Problem::new(format!("`zip`: `{name}` stands here twice")).at(node.origin.clone()));
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
                    let problem = Problem::new(message).at(node.origin.clone()).label("expected equally many values");
                    report(
                        problem
                            .help("give both equally many values, or leave `zip` out: then all are combined with all"),
                    );
                    break;
                }
                members.push(axis.axis.id);
            }
        }
        if let [only] = group.as_slice() {
            problems.push(Problem::new("`zip`: one axis alone has none to move with").at(only.origin.clone()));
        } else if let ([first, ..], true) = (members.as_slice(), is_sound) {
            tree.rename_axes(&members, *first);
        }
    }
}

/// The axes of the name that `node` holds.
fn named<'d, 't>(node: &Node, declared: &'d [Declared<'t>]) -> Result<Vec<&'d Declared<'t>>, Problem> {
    let Kind::Text(name) = &node.kind else { return Err(Problem::new("expected a name").at(node.origin.clone())) };
    let found: Vec<_> = declared.iter().filter(|declared| declared.name == *name).collect();
    if found.iter().any(|declared| matches!(declared.axis.form, Form::Drawn(_))) {
        let problem = Problem::new(format!("`{name}` has a distribution: it moves with the trials already"));
        return Err(problem.at(node.origin.clone()));
    }
    if !found.is_empty() {
        return Ok(found);
    }
    let problem = Problem::new(format!("`{name}` is no axis of this file")).at(node.origin.clone());
    let is_list = |declared: &&Declared| !matches!(declared.axis.form, Form::Drawn(_));
    let mut names: Vec<&str> = declared.iter().filter(is_list).map(|declared| declared.name.as_str()).collect();
    names.dedup();
    // The whole path to a setting is what the listing of a plan shows.
    let last = name.rsplit('.').next().unwrap_or(name);
    Err(match did_you_mean(last, names.iter().copied()) {
        Some(meant) => problem.label(format!("did you mean `{meant}`?")),
        None if names.is_empty() => problem.help("no setting of this file has several values"),
        None => problem
            .help(format!("an axis is a setting with several values, such as `{last} = [..., ...]`"))
            .help(format!("the axes of this file: {}", listed(names, ","))),
    })
}

/// Every axis that tells something apart, in the order of the tree.
fn declared(root: &Node) -> Vec<Declared<'_>> {
    fn walk<'t>(node: &'t Node, path: &mut Vec<&'t str>, declared: &mut Vec<Declared<'t>>) {
        match &node.kind {
            Kind::Table(entries) => {
                for entry in entries {
                    path.push(&entry.key);
                    walk(&entry.value, path, declared);
                    path.pop();
                }
            }
            Kind::Axis(axis) => {
                let name = super::short_name(path);
                let is_patch = axis.form == Form::Patched && name != VARIANT;
                let is_one_optimizer = name == "optimizer" && axis.alternatives.len() == 1;
                if !is_patch && !is_one_optimizer {
                    declared.push(Declared { name, key: path.join("."), axis, origin: &node.origin });
                }
                axis.alternatives.iter().for_each(|alternative| walk(&alternative.value, path, declared));
            }
            _ => {}
        }
    }
    let mut declared = Vec::new();
    walk(root, &mut Vec::new(), &mut declared);
    declared
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    use proptest::prelude::*;

    use super::super::Experiment;
    use super::*;

    /// A number, a distribution, or a choice of such, down to a choice within a choice within a choice.
    fn drawn() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![Just("0.25".to_owned()), Just("{ uniform = [0.1, 0.2] }".to_owned())];
        leaf.prop_recursive(3, 8, 2, |item| {
            prop::collection::vec(item, 1..=2).prop_map(|items| format!("{{ choice = [{}] }}", items.join(", ")))
        })
    }

    prop_compose! {
        /// A file that has distributions, or choices of them, in a section, in optimizers and beside them, in a table that is one of
        /// several, and in variants, and that draws from some of its axes, too.
        fn file()(
            n in prop::array::uniform7(drawn()),
            axes in prop::sample::subsequence(vec!["'optimizer'", "'variant'", "'batch_size'", "'weights'"], 0..=4),
        ) -> String {
            format!(
                "data.source = 'mnist'\nnetwork.hidden = []\ntrain = {{ steps = 1, batch_size = [1, 2] }}\n\
                 [variant.plain]\n[variant.decay]\nregularization = {{ weight_decay = {}, l1 = {} }}\noptimizer.adam.lr = {}\n\
                 [init]\nweights = ['he', {{ kind = 'uniform', bound = {} }}]\nbias = {{ uniform = [0, 1] }}\n\
                 [optimizer]\nlr = {}\n[optimizer.sgd]\n[optimizer.momentum]\nlr = {}\nmomentum = {}\n[optimizer.adam]\n\
                 [sweep]\ntrials = 1\ndraw = [{}]\n",
                n[0], n[1], n[2], n[3], n[4], n[5], n[6], axes.join(", ")
            )
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn dimensions_are_of_the_keys_that_trials_ask_for(text in file()) {
            let read = Experiment::parse("sobol.toml", text.clone(), "sobol", PathBuf::new());
            let experiment = read.unwrap_or_else(|mistakes| panic!("{}", mistakes.render(false)));
            prop_assert!(experiment.is_sound(), "{}", experiment.into_mistakes(Vec::new()).render(false));
            let mut tree = experiment.declared.clone();
            let Kind::List(names) = tree.root.entry("sweep").unwrap().value.entry("draw").unwrap().value.kind.clone()
            else { panic!("{text}") };
            let sampled = sampled(&names, &declared(&tree.root), &mut Vec::new());
            let keys = trials::keys(&tree, &sampled);
            // So many that each of two items is taken at each of three depths, under each of three optimizers.
            let mut asked = BTreeSet::new();
            let stream = Seed::default().stream(Purpose::Sweep("any"));
            let mut position = 0;
            trials::draw(&mut tree, Trials::try_from(1000).unwrap(), &sampled, &mut |key, _| {
                asked.insert(key.to_owned());
                position += 1;
                stream.at(position).uniform()
            });
            prop_assert_eq!(keys.len(), asked.len(), "{:?}\n{}", &keys, text);
            prop_assert_eq!(keys.into_iter().collect::<BTreeSet<_>>(), asked);
        }
    }
}
