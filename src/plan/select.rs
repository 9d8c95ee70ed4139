//! Selects some of a plan's runs by their settings (`--only KEY=VALUE`), or one by its id or name.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use super::planned::{Plan, PlannedCell, PlannedRun};
use engine::names::{did_you_mean, one_of, suggestion};
use engine::settings::{Scalar, Settings};

/// The conditions of `--only`: the values of one key are alternatives; all keys must match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection(BTreeMap<String, Vec<String>>);

/// One `KEY=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectionCondition {
    key: String,
    value: String,
}

/// An invalid selection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    #[error("--only `{0}` is not KEY=VALUE; write, for example, --only optimizer=adam")]
    Form(String),
    #[error("--only `{key}={value}`: no run of this plan has a setting `{key}`; {help}")]
    UnknownKey { key: String, value: String, help: String },
    #[error("--only `{key}={value}` matches no run; `{key}` is {found} here")]
    UnknownValue { key: String, value: String, found: String },
    #[error("each --only matches some run, but no run matches all of them")]
    Nothing,
}

impl FromStr for SelectionCondition {
    type Err = SelectionError;

    fn from_str(text: &str) -> Result<Self, SelectionError> {
        match text.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => {
                Ok(Self { key: key.trim().to_owned(), value: value.trim().to_owned() })
            }
            _ => Err(SelectionError::Form(text.to_owned())),
        }
    }
}

impl FromIterator<SelectionCondition> for Selection {
    fn from_iter<I: IntoIterator<Item = SelectionCondition>>(conditions: I) -> Self {
        let mut selection = Self::default();
        for condition in conditions {
            selection.0.entry(condition.key).or_default().push(condition.value);
        }
        selection
    }
}

impl Selection {
    /// Whether there are no conditions, so that all runs are selected.
    pub fn is_everything(&self) -> bool {
        self.0.is_empty()
    }

    /// The indices of the plan's selected runs.
    ///
    /// # Errors
    /// A key that no run has, a value that no run has, or conditions that exclude each other.
    pub fn of(&self, plan: &Plan) -> Result<Vec<usize>, SelectionError> {
        if self.is_everything() {
            return Ok((0..plan.len()).collect());
        }
        let wanted: Vec<(&str, &str)> =
            self.0.iter().flat_map(|(key, values)| values.iter().map(|value| (key.as_str(), value.as_str()))).collect();
        // Whether any run matches each condition.
        let is_met: Vec<AtomicBool> = wanted.iter().map(|_| AtomicBool::new(false)).collect();
        let chosen_of = |cell: &mut PlannedCell| {
            let by_cell: Vec<bool> = wanted.iter().map(|(key, value)| matches(cell, key, value)).collect();
            let is_chosen = |run: &PlannedRun| {
                let mut met = BTreeSet::new();
                for (at, &(key, value)) in wanted.iter().enumerate() {
                    if by_cell[at] || of_run(*run, key).is_some_and(|found| found == value) {
                        is_met[at].store(true, Ordering::Relaxed);
                        met.insert(key);
                    }
                }
                met.len() == self.0.len()
            };
            cell.runs().filter(is_chosen).map(PlannedRun::index).collect::<Vec<_>>()
        };
        let chosen: Vec<usize> = plan.cells(chosen_of).flatten_iter().collect();
        if let Some(at) = is_met.iter().position(|is_met| !is_met.load(Ordering::Relaxed)) {
            let (key, value) = wanted[at];
            return Err(explain(plan, key, value));
        }
        if chosen.is_empty() && !plan.is_empty() { Err(SelectionError::Nothing) } else { Ok(chosen) }
    }
}

/// A text that does not name exactly one run of a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    #[error("this plan has no run `{text}`; {help}")]
    Unknown { text: String, help: String },
    #[error("`{text}` names several runs: {runs}")]
    Several { text: String, runs: String },
}

/// How a text names a run; the first of these ways that applies to any run counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum NamedBy {
    Name,
    Label,
    Id,
}

/// The run that `text` names, by index: a run id, the beginning of one (4 digits or more), a label, or, where a label
/// has several seeds, a label with its seed, as messages name a run (`adam, seed 3`).
///
/// # Errors
/// If it names no run (with suggestions), or several.
pub fn find(plan: &Plan, text: &str) -> Result<usize, NotFound> {
    const FEWEST_DIGITS: usize = 4;
    let text = text.trim();
    let digits = (text.len() >= FEWEST_DIGITS).then(|| text.to_ascii_lowercase());
    let named = |cell: &mut PlannedCell| {
        let is_label = cell.label() == text;
        let by = |(run, name): (PlannedRun, String)| {
            let by = if name == text {
                NamedBy::Name
            } else if is_label {
                NamedBy::Label
            } else if digits.as_ref().is_some_and(|digits| run.id().to_string().starts_with(digits)) {
                NamedBy::Id
            } else {
                return None;
            };
            Some((by, run.index()))
        };
        cell.runs().zip(cell.names()).filter_map(by).collect::<Vec<_>>()
    };
    let mut found: Vec<(NamedBy, usize)> = plan.cells(named).flatten_iter().collect();
    found.sort_unstable();
    match found.chunk_by(|a, b| a.0 == b.0).next() {
        None => Err(unknown(plan, text)),
        Some([(_, only)]) => Ok(*only),
        Some(several) => {
            let runs = several.iter().map(|(_, index)| plan.run(*index));
            let names = runs.map(|run| format!("{} {}", run.id(), run.name()));
            Err(NotFound::Several { text: text.to_owned(), runs: first_of(names, "; ") })
        }
    }
}

fn unknown(plan: &Plan, text: &str) -> NotFound {
    let nearest = |names: fn(&PlannedCell) -> Vec<String>| -> Vec<String> {
        let of_cell =
            |cell: &mut PlannedCell| did_you_mean(text, names(cell).iter().map(String::as_str)).map(str::to_owned);
        plan.cells(of_cell).flatten().collect()
    };
    let ids = |cell: &PlannedCell| cell.runs().map(|run| run.id().to_string()).collect();
    let near = [nearest(|cell| vec![cell.label()]), nearest(|cell| cell.names()), nearest(ids)].concat();
    let help = suggestion(text, near.iter().map(String::as_str)).unwrap_or_else(|| {
        let mut labels: Vec<String> = plan.cells(|cell| format!("`{}`", cell.label())).collect();
        labels.dedup();
        let labels = first_of(labels.into_iter(), ", ");
        format!("name a run by its id, the first digits of it (4 or more) or its label: {labels}")
    });
    NotFound::Unknown { text: text.to_owned(), help }
}

/// The first few of many.
fn first_of(mut all: impl ExactSizeIterator<Item = String>, separator: &str) -> String {
    const MOST: usize = 8;
    let count = all.len();
    let more = if count > MOST { format!("{separator}… ({count} in all)") } else { String::new() };
    all.by_ref().take(MOST).collect::<Vec<_>>().join(separator) + &more
}

/// The value of `key` if it can differ between the runs of a cell.
fn of_run(run: PlannedRun, key: &str) -> Option<String> {
    match key {
        Settings::SEED => Some(run.seed().get().to_string()),
        "run_id" => Some(run.id().to_string()),
        _ => None,
    }
}

/// The values of `key` as the file writes them.
fn written(cell: &PlannedCell, key: &str) -> Vec<String> {
    let varies = cell.odometer.varies().into_iter().filter(|(name, _)| name == key).map(|(_, value)| value);
    let own = match key {
        "label" => Some(cell.label()),
        "optimizer" => Some(cell.odometer.optimizer_name()),
        _ => None,
    };
    varies.chain(own).collect()
}

/// The value of the setting `key`.
fn setting(cell: &mut PlannedCell, key: &str) -> Option<Scalar> {
    match key {
        // Computing the settings takes longest, and they contain none of these keys.
        "label" | "run_id" | Settings::SEED => None,
        _ => cell.settings().find(|(name, _)| *name == key).map(|(_, value)| value.clone()),
    }
}

/// Whether all runs of the cell match the condition.
fn matches(cell: &mut PlannedCell, key: &str, wanted: &str) -> bool {
    // Labels shorten computed numbers, and people read labels.
    let in_label = |label: String| label.split(", ").any(|part| part.split_once('=') == Some((key, wanted)));
    let is_setting = |value: Scalar| match value {
        Scalar::Float(value) => wanted.parse() == Ok(value),
        value => value.to_string() == wanted,
    };
    in_label(cell.label())
        || written(cell, key).iter().any(|value| value == wanted)
        || setting(cell, key).is_some_and(is_setting)
}

fn explain(plan: &Plan, key: &str, value: &str) -> SelectionError {
    const MOST: usize = 12;
    let values = |cell: &mut PlannedCell| {
        let of_runs = cell.runs().filter_map(|run| of_run(run, key)).collect::<Vec<_>>();
        let setting = setting(cell, key).map(|value| value.to_string());
        setting.into_iter().chain(written(cell, key)).chain(of_runs).collect::<Vec<_>>()
    };
    let mut found: Vec<String> = Vec::new();
    for text in plan.cells(values).flatten_iter().collect::<Vec<_>>() {
        if found.len() <= MOST && !found.contains(&text) {
            found.push(text);
        }
    }
    let (key, value) = (key.to_owned(), value.to_owned());
    if found.is_empty() {
        let names = |cell: &mut PlannedCell| cell.settings().map(|(name, _)| name).collect::<BTreeSet<_>>();
        let mut keys = plan.cells(names).reduce(BTreeSet::new, |some, others| &some | &others);
        keys.extend(["label", "run_id", Settings::SEED]);
        let help = suggestion(&key, keys.iter().copied());
        let help = help.unwrap_or_else(|| format!("known: {}", keys.into_iter().collect::<Vec<_>>().join(", ")));
        return SelectionError::UnknownKey { key, value, help };
    }
    let more = if found.len() > MOST { " …" } else { "" };
    let found = one_of(found.iter().take(MOST).map(String::as_str)) + more;
    SelectionError::UnknownValue { key, value, found }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::tests::{plan, round_trip};

    /// The values of the run by key, found from the run alone.
    fn values(run: PlannedRun) -> Vec<(String, String)> {
        let settings = run.identity().settings;
        let settings = settings.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let in_label = run.label();
        let in_label = in_label.split(", ").filter_map(|part| part.split_once('='));
        let in_label = in_label.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let own =
            [("label", run.label()), ("run_id", run.id().to_string())].map(|(key, value)| (key.to_owned(), value));
        settings.chain(run.varies()).chain(in_label).chain(own).collect()
    }

    /// Every value of every run selects the runs that have it.
    fn check(plan: &Plan) {
        let all: Vec<Vec<(String, String)>> = plan.runs().map(values).collect();
        let different: BTreeSet<&(String, String)> = all.iter().flatten().collect();
        for pair in different {
            let (key, value) = pair.clone();
            let selection = Selection::from_iter([SelectionCondition { key, value }]);
            let expected: Vec<usize> = (0..plan.len()).filter(|&index| all[index].contains(pair)).collect();
            assert_eq!(selection.of(plan).as_ref(), Ok(&expected), "{pair:?}");
        }
    }

    #[test]
    fn every_value_selects_the_runs_that_have_it() {
        let grid = "seeds = [3, 5]\ndata.source = 'mnist'\nnetwork.hidden = []\n\
                    train = { steps = 5, batch_size = [50, 100] }\n\
                    sweep.exclude = [{ optimizer = 'fast', lr = 0.2 }]\n[optimizer]\nlr = [0.1, 0.2, 0.3]\n\
                    [optimizer.sgd]\n[optimizer.same]\nkind = 'sgd'\n[optimizer.fast]\nkind = 'adam'";
        let plan = plan(grid);
        assert!(plan.duplicates() > 0 && plan.excluded() > 0);
        check(&plan);
        check(&crate::plan::tests::plan(&format!("rng = 'numpy'\n{grid}")));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

        #[test]
        fn every_value_selects_the_runs_that_have_it_in_any_file(file in round_trip::file()) {
            let experiment = crate::file::Experiment::parse("test.toml", file, "test", Default::default());
            let plan = experiment.and_then(Plan::new);
            prop_assume!(plan.as_ref().is_ok_and(|plan| plan.len() <= 100));
            check(&plan.unwrap());
        }
    }
}
