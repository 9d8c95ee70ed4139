//! Some of a plan's runs: by their settings (`--only KEY=VALUE`), or one by what messages call it.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::{Plan, PlannedRun};
use crate::settings::Scalar;
use crate::value::problem::{did_you_mean, one_of};

/// What `--only` asks for: values of one key are alternatives, keys must all hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection(BTreeMap<String, Vec<String>>);

/// One `KEY=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    key: String,
    value: String,
}

/// A selection that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    #[error("--only `{0}` is not KEY=VALUE; write, for example, --only optimizer=adam")]
    Form(String),
    #[error("--only `{key}={value}`: no run of this plan has a setting `{key}`; {help}")]
    UnknownKey { key: String, value: String, help: String },
    #[error("--only `{key}={value}` matches no run; `{key}` is {found} here")]
    UnknownValue { key: String, value: String, found: String },
    #[error("each --only matches some run, but none matches all of them")]
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
    /// Whether nothing was asked for, so that all runs are meant.
    pub fn is_everything(&self) -> bool {
        self.0.is_empty()
    }

    /// Which of the plan's runs are asked for, by index.
    ///
    /// # Errors
    /// A key that no run has, a value that no run has, or conditions that exclude each other.
    pub fn of(&self, plan: &Plan) -> Result<Vec<usize>, SelectionError> {
        for (key, values) in &self.0 {
            for value in values {
                if !plan.runs.iter().any(|run| matches(run, key, value)) {
                    return Err(explain(plan, key, value));
                }
            }
        }
        let holds =
            |run: &PlannedRun| self.0.iter().all(|(key, values)| values.iter().any(|value| matches(run, key, value)));
        let chosen: Vec<usize> = (0..plan.runs.len()).filter(|&index| holds(&plan.runs[index])).collect();
        if chosen.is_empty() && !plan.runs.is_empty() { Err(SelectionError::Nothing) } else { Ok(chosen) }
    }
}

/// A text that names no run of a plan, or several.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    #[error("no run of this plan is `{text}`; {help}")]
    Unknown { text: String, help: String },
    #[error("`{text}` is several runs: {runs}")]
    Several { text: String, runs: String },
}

/// The run that `text` names, by index: a run id, the beginning of one (4 digits or more), a label, or, where a label has several
/// seeds, a label with its seed, as messages name a run (`adam, seed 3`).
///
/// # Errors
/// Where it names none, with what may be meant, or several.
pub fn find(plan: &Plan, text: &str) -> Result<usize, NotFound> {
    const FEWEST_DIGITS: usize = 4;
    let text = text.trim();
    let all = |holds: &dyn Fn(&PlannedRun) -> bool| -> Vec<usize> {
        plan.runs.iter().enumerate().filter(|(_, run)| holds(run)).map(|(index, _)| index).collect()
    };
    let mut found = all(&|run| run.name() == text);
    if found.is_empty() {
        found = all(&|run| run.label == text);
    }
    if found.is_empty() && text.len() >= FEWEST_DIGITS {
        let digits = text.to_ascii_lowercase();
        found = all(&|run| run.id.to_string().starts_with(&digits));
    }
    match found.as_slice() {
        [only] => Ok(*only),
        [] => Err(unknown(plan, text)),
        several => {
            let names: Vec<String> =
                several.iter().map(|&index| format!("{} {}", plan.runs[index].id, plan.runs[index].name())).collect();
            Err(NotFound::Several { text: text.to_owned(), runs: first_of(&names, "; ") })
        }
    }
}

fn unknown(plan: &Plan, text: &str) -> NotFound {
    let names: Vec<String> = plan.runs.iter().map(PlannedRun::name).collect();
    let ids: Vec<String> = plan.runs.iter().map(|run| run.id.to_string()).collect();
    let mut labels: Vec<&str> = plan.runs.iter().map(|run| run.label.as_str()).collect();
    labels.dedup();
    let known = labels.iter().copied().chain(names.iter().chain(&ids).map(String::as_str));
    let help = match did_you_mean(text, known) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => {
            let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
            format!(
                "a run is named by its id, the first digits of it (4 at least) or its label: {}",
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

/// The values that `key` has in `run`: the setting's, and the one that the file writes.
fn values(run: &PlannedRun, key: &str) -> Vec<Scalar> {
    let setting = run.settings().get(key).cloned();
    let declared = run.varies.iter().filter(|(name, _)| name == key).map(|(_, value)| value.clone().into());
    let own: Option<Scalar> = match key {
        "label" => Some(run.label.clone().into()),
        "run_id" => Some(run.id.to_string().into()),
        "optimizer" => Some(run.optimizer_name.clone().into()),
        _ => None,
    };
    let mut values: Vec<Scalar> = setting.into_iter().chain(declared).chain(own).collect();
    values.dedup();
    values
}

fn matches(run: &PlannedRun, key: &str, wanted: &str) -> bool {
    // Labels shorten numbers that nobody wrote, and people read labels.
    let in_label = || run.label.split(", ").any(|part| part.split_once('=') == Some((key, wanted)));
    in_label()
        || values(run, key).iter().any(|value| match value {
            Scalar::Float(value) => wanted.parse() == Ok(*value),
            value => value.to_string() == wanted,
        })
}

fn explain(plan: &Plan, key: &str, value: &str) -> SelectionError {
    const MOST: usize = 12;
    let mut found: Vec<String> = Vec::new();
    for text in plan.runs.iter().flat_map(|run| values(run, key)).map(|value| value.to_string()) {
        if found.len() <= MOST && !found.contains(&text) {
            found.push(text);
        }
    }
    let (key, value) = (key.to_owned(), value.to_owned());
    if found.is_empty() {
        let mut keys: Vec<&str> = plan.runs.iter().flat_map(|run| run.settings().names()).collect();
        keys.extend(["label", "run_id"]);
        keys.sort_unstable();
        keys.dedup();
        let help = match did_you_mean(&key, keys.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("known are {}", keys.join(", ")),
        };
        return SelectionError::UnknownKey { key, value, help };
    }
    let more = if found.len() > MOST { " …" } else { "" };
    let found = one_of(found.iter().take(MOST).map(String::as_str)) + more;
    SelectionError::UnknownValue { key, value, found }
}
