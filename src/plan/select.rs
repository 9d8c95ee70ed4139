//! Selects some of a plan's runs by their settings (`--only KEY=VALUE`), or one by its id or name.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use rayon::prelude::*;

use super::planned::{Plan, PlannedRun};
use crate::settings::{Scalar, Settings};
use crate::value::problem::{did_you_mean, one_of};

/// The conditions of `--only`: the values of one key are alternatives; all keys must match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection(BTreeMap<String, Vec<String>>);

/// One `KEY=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    key: String,
    value: String,
}

/// A selection that is a mistake.
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

impl FromStr for Condition {
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

impl FromIterator<Condition> for Selection {
    fn from_iter<I: IntoIterator<Item = Condition>>(conditions: I) -> Self {
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
        let matched: Vec<Vec<bool>> = (0..plan.len())
            .into_par_iter()
            .map(|index| {
                let known = KnownRun::of(plan.run(index));
                wanted.iter().map(|(key, value)| known.matches(key, value)).collect()
            })
            .collect();
        for (at, (key, value)) in wanted.iter().enumerate() {
            if !matched.iter().any(|matched| matched[at]) {
                return Err(explain(plan, key, value));
            }
        }
        let holds = |matched: &Vec<bool>| {
            let met: BTreeSet<&str> =
                wanted.iter().zip(matched).filter(|(_, met)| **met).map(|((key, _), _)| *key).collect();
            met.len() == self.0.len()
        };
        let chosen: Vec<usize> = (0..plan.len()).filter(|&index| holds(&matched[index])).collect();
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

/// The run that `text` names, by index: a run id, the beginning of one (4 digits or more), a label, or, where a label
/// has several seeds, a label with its seed, as messages name a run (`adam, seed 3`).
///
/// # Errors
/// If it names no run (with suggestions), or several.
pub fn find(plan: &Plan, text: &str) -> Result<usize, NotFound> {
    const FEWEST_DIGITS: usize = 4;
    let text = text.trim();
    let all = |holds: &dyn Fn(PlannedRun) -> bool| -> Vec<usize> {
        plan.runs().filter(|run| holds(*run)).map(PlannedRun::index).collect()
    };
    let mut found = all(&|run| run.name() == text);
    if found.is_empty() {
        found = all(&|run| run.label() == text);
    }
    if found.is_empty() && text.len() >= FEWEST_DIGITS {
        let digits = text.to_ascii_lowercase();
        found = all(&|run| run.id().to_string().starts_with(&digits));
    }
    match found.as_slice() {
        [only] => Ok(*only),
        [] => Err(unknown(plan, text)),
        several => {
            let named = |&index: &usize| format!("{} {}", plan.run(index).id(), plan.run(index).name());
            let names: Vec<String> = several.iter().map(named).collect();
            Err(NotFound::Several { text: text.to_owned(), runs: first_of(&names, "; ") })
        }
    }
}

fn unknown(plan: &Plan, text: &str) -> NotFound {
    let names: Vec<String> = plan.runs().map(PlannedRun::name).collect();
    let ids: Vec<String> = plan.runs().map(|run| run.id().to_string()).collect();
    let mut labels: Vec<String> = plan.runs().map(PlannedRun::label).collect();
    labels.dedup();
    let known = labels.iter().chain(&names).chain(&ids).map(String::as_str);
    let help = match did_you_mean(text, known) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => {
            let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
            format!(
                "name a run by its id, the first digits of it (4 or more) or its label: {}",
                first_of(&labels, ", ")
            )
        }
    };
    NotFound::Unknown { text: text.to_owned(), help }
}

/// The first few of many.
fn first_of(all: &[String], separator: &str) -> String {
    const MOST: usize = 8;
    let more = if all.len() > MOST { format!("{separator}… ({} in all)", all.len()) } else { String::new() };
    all.iter().take(MOST).cloned().collect::<Vec<_>>().join(separator) + &more
}

/// The names and settings of a run that `--only` can select by.
struct KnownRun {
    settings: Settings,
    varies: Vec<(String, String)>,
    label: String,
    run_id: String,
    optimizer: String,
}

impl KnownRun {
    fn of(run: PlannedRun) -> Self {
        Self {
            settings: run.settings(),
            varies: run.varies(),
            label: run.label(),
            run_id: run.id().to_string(),
            optimizer: run.optimizer_name(),
        }
    }

    /// The values of `key`: that of the setting, and the one that the file writes.
    fn values(&self, key: &str) -> Vec<Scalar> {
        let setting = self.settings.get(key).cloned();
        let declared = self.varies.iter().filter(|(name, _)| name == key).map(|(_, value)| value.clone().into());
        let own: Option<Scalar> = match key {
            "label" => Some(self.label.clone().into()),
            "run_id" => Some(self.run_id.clone().into()),
            "optimizer" => Some(self.optimizer.clone().into()),
            _ => None,
        };
        let mut values: Vec<Scalar> = setting.into_iter().chain(declared).chain(own).collect();
        values.dedup();
        values
    }

    fn matches(&self, key: &str, wanted: &str) -> bool {
        // Labels shorten computed numbers, and people read labels.
        let in_label = || self.label.split(", ").any(|part| part.split_once('=') == Some((key, wanted)));
        in_label()
            || self.values(key).iter().any(|value| match value {
                Scalar::Float(value) => wanted.parse() == Ok(*value),
                value => value.to_string() == wanted,
            })
    }
}

fn explain(plan: &Plan, key: &str, value: &str) -> SelectionError {
    const MOST: usize = 12;
    let mut found: Vec<String> = Vec::new();
    for text in plan.runs().flat_map(|run| KnownRun::of(run).values(key)).map(|value| value.to_string()) {
        if found.len() <= MOST && !found.contains(&text) {
            found.push(text);
        }
    }
    let (key, value) = (key.to_owned(), value.to_owned());
    if found.is_empty() {
        let mut keys: Vec<&str> = plan.runs().flat_map(|run| run.settings().names()).collect();
        keys.extend(["label", "run_id"]);
        keys.sort_unstable();
        keys.dedup();
        let help = match did_you_mean(&key, keys.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("known: {}", keys.join(", ")),
        };
        return SelectionError::UnknownKey { key, value, help };
    }
    let more = if found.len() > MOST { " …" } else { "" };
    let found = one_of(found.iter().take(MOST).map(String::as_str)) + more;
    SelectionError::UnknownValue { key, value, found }
}
