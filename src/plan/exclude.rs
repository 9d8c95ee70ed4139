//! Cells that a file excludes, and conditions that exclude none.

use std::collections::{BTreeMap, BTreeSet};

use super::odometer::{Odometer, Taken};
use super::site::LISTS;
use crate::file::vocabulary;
use crate::file::{Experiment, Wanted};
use crate::value::problem::Problem;
use crate::value::{Choice, Entry};
use engine::names::{did_you_mean, one_of};
use engine::settings::Scalar;

/// The settings, of all conditions, that match: one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Marks(u128);

impl Marks {
    pub const NONE: Self = Self(0);

    /// The union.
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn has(self, all: Self) -> bool {
        self.0 & all.0 == all.0
    }
}

/// The conditions of a file, and what they have matched so far.
#[derive(Debug, Clone)]
pub struct Exclusion<'e> {
    /// Each setting of the conditions: its name, its values, and its mark.
    settings: Vec<(&'e str, &'e Wanted, Marks)>,
    /// The marks that each condition needs.
    conditions: Vec<Marks>,
    /// Whether each condition has matched a cell.
    matched: Vec<bool>,
    /// The union of the marks of all cells.
    met: Marks,
    /// Some values that these settings have in cells, for messages.
    values: BTreeMap<&'e str, Vec<String>>,
    /// The names of all settings in cells.
    names: BTreeSet<String>,
}

/// How many values of a setting a message shows.
const SHOWN: usize = 12;

/// The number of settings that can have a mark.
const MOST: usize = 128;

impl<'e> Exclusion<'e> {
    /// The conditions of a file.
    ///
    /// # Errors
    /// If there are too many.
    pub fn of(experiment: &'e Experiment) -> Result<Self, Problem> {
        let (mut settings, mut conditions) = (Vec::new(), Vec::new());
        for condition in experiment.sweep.exclude.conditions() {
            let mut all = Marks::NONE;
            for (name, wanted) in condition.settings() {
                let Some(bit) = 1_u128.checked_shl(settings.len() as u32) else {
                    let exclude = experiment.entry(&["sweep", "exclude"]).map(|entry| entry.key_origin.clone());
                    let problem = Problem::new(format!("`exclude` names more than {MOST} settings")).at(exclude);
                    return Err(problem.help("a list of values names its setting only once: `{ lr = [0.1, 0.01] }`"));
                };
                settings.push((name.as_str(), wanted, Marks(bit)));
                all = all.and(Marks(bit));
            }
            conditions.push(all);
        }
        let matched = vec![false; conditions.len()];
        Ok(Self { settings, conditions, matched, met: Marks::NONE, values: BTreeMap::new(), names: BTreeSet::new() })
    }

    /// The marks of a cell's settings.
    pub fn of_settings<'n, 's>(&mut self, settings: impl IntoIterator<Item = (&'n str, &'s Scalar)>) -> Marks {
        let mut all = Marks::NONE;
        if self.conditions.is_empty() {
            return all;
        }
        for (name, value) in settings {
            self.note(name, || value.to_string());
            all = all.and(self.marks(name, |wanted| wanted.is(value)));
        }
        all
    }

    /// The marks of a cell's alternatives.
    pub fn of_axes(&mut self, odometer: &Odometer) -> Marks {
        let (mut all, choice) = (Marks::NONE, odometer.choice());
        if self.conditions.is_empty() {
            return all;
        }
        for taken in odometer.taken() {
            self.note(taken.name(), || taken.value(choice));
            all = all.and(self.of_axis(taken, choice));
        }
        all
    }

    fn of_axis(&self, taken: Taken, choice: &Choice) -> Marks {
        // Lists are compared as settings, in `of_settings`.
        if taken.name() == LISTS || self.settings.iter().all(|(name, ..)| *name != taken.name()) {
            return Marks::NONE;
        }
        let (value, label) = (taken.value(choice), taken.label(choice));
        // A person knows a computed number by the digits in its label.
        let short = label.rsplit('=').next().unwrap_or_default();
        let is_short = |wanted: &Wanted| matches!(wanted, Wanted::Values(_)) && wanted.is_written(short);
        self.marks(taken.name(), |wanted| wanted.is_written(&value) || is_short(wanted))
    }

    fn marks(&self, name: &str, is_meant: impl Fn(&Wanted) -> bool) -> Marks {
        let named = self.settings.iter().filter(|(setting, wanted, _)| *setting == name && is_meant(wanted));
        named.fold(Marks::NONE, |marks, (_, _, mark)| marks.and(*mark))
    }

    /// Notes that some run has this setting, for messages about conditions that match nothing.
    fn note(&mut self, name: &str, value: impl Fn() -> String) {
        if !self.names.contains(name) {
            self.names.insert(name.to_owned());
        }
        let Some((name, ..)) = self.settings.iter().find(|(setting, ..)| *setting == name) else { return };
        let values = self.values.entry(name).or_default();
        if values.len() <= SHOWN {
            let value = value();
            if !values.contains(&value) {
                values.push(value);
            }
        }
    }

    /// Whether a cell with these marks is excluded; notes which conditions match it.
    pub fn leaves_out(&mut self, marks: Marks) -> bool {
        self.met = self.met.and(marks);
        let mut is_out = false;
        for (needed, matched) in self.conditions.iter().zip(&mut self.matched) {
            let matches = marks.has(*needed);
            *matched |= matches;
            is_out |= matches;
        }
        is_out
    }

    /// Whether each condition has matched a cell.
    pub fn have_all_matched(&self) -> bool {
        self.matched.iter().all(|matched| *matched)
    }

    /// Adds what another copy has matched in other cells.
    pub fn merge(&mut self, other: Self) {
        self.met = self.met.and(other.met);
        self.matched.iter_mut().zip(other.matched).for_each(|(matched, more)| *matched |= more);
        self.names.extend(other.names);
        for (name, values) in other.values {
            let known = self.values.entry(name).or_default();
            for value in values {
                if known.len() <= SHOWN && !known.contains(&value) {
                    known.push(value);
                }
            }
        }
    }

    /// The conditions that matched nothing, once all cells are known.
    pub fn problems(&self, experiment: &Experiment) -> Vec<Problem> {
        let exclude = experiment.entry(&["sweep", "exclude"]);
        let nodes = exclude.and_then(|entry| entry.value.list()).unwrap_or_default();
        let conditions = experiment.sweep.exclude.conditions().iter().zip(&self.matched).enumerate();
        let idle = conditions.filter(|(_, (_, matched))| !**matched);
        idle.map(|(index, (condition, _))| {
            let node = nodes.get(index);
            let entry = |name: &str| node.and_then(|node| node.entry(name));
            let mut settings = condition.settings().iter();
            let problem = settings.find_map(|(name, wanted)| self.idle(name, wanted, entry(name)));
            problem.unwrap_or_else(|| {
                let problem = Problem::new("`exclude`: no run has all of these values together")
                    .help("remove this condition, or the settings in it that never occur together");
                problem.at(node.map(|node| node.origin.clone()))
            })
        })
        .collect()
    }

    /// The mistake in one setting of a condition, if no run has such a value.
    fn idle(&self, name: &str, wanted: &Wanted, entry: Option<&Entry>) -> Option<Problem> {
        if name == "seed" {
            let problem = Problem::new("`exclude`: every combination is trained with the same seeds");
            let problem = problem.help("leave `seed` out; `--only` selects seeds");
            return Some(problem.at(entry.map(|entry| entry.key_origin.clone())));
        }
        let mark = self.settings.iter().find(|(setting, own, _)| *setting == name && std::ptr::eq(*own, wanted))?.2;
        if self.met.has(mark) {
            return None;
        }
        Some(match self.values.get(name) {
            Some(values) => {
                let more = if values.len() > SHOWN { " …" } else { "" };
                let found = one_of(values.iter().take(SHOWN).map(String::as_str)) + more;
                let problem = Problem::new(format!("`exclude`: `{name}` is never {wanted} here"));
                let typed = wanted.to_string();
                let word = typed.trim_matches('`');
                let is_number = word.parse::<f64>().is_ok();
                let meant = did_you_mean(word, values.iter().map(String::as_str)).filter(|_| !is_number);
                let problem = match meant {
                    Some(meant) => problem.meaning(meant),
                    None => problem.label("matches nothing"),
                };
                let problem = problem.help(format!("`{name}` is {found}"));
                let problem = match typed.trim_start_matches('`').starts_with(['<', '>']) {
                    true => problem.help("write numbers between two bounds as `{ above = 0.1, below = 1.0 }`"),
                    false => problem,
                };
                problem.at(entry.map(|entry| entry.value.origin.clone()))
            }
            None => {
                let problem = Problem::new(format!("`exclude`: no run of this file has a setting `{name}`"));
                let names = self.names.iter().map(String::as_str);
                let last = name.rsplit('.').next().unwrap_or(name);
                let synonym = vocabulary::keys(last).iter().copied().chain([last]);
                let known = synonym.into_iter().find(|known| self.names.contains(*known));
                let problem = match known.or_else(|| did_you_mean(name, names.clone())) {
                    Some(meant) => problem.meaning(meant),
                    None => problem.help(format!("known here: {}", names.collect::<Vec<_>>().join(", "))),
                };
                problem.at(entry.map(|entry| entry.key_origin.clone()))
            }
        })
    }
}
