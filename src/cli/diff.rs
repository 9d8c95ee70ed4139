//! `paribus diff A B`: how two runs, results folders or experiment files differ.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;

use super::table::TextTable;
use super::{Failure, counted, out, results};
use crate::file::Experiment;
use crate::plan::Plan;
use crate::store::{Inventory, RESULT_COLUMNS, Status, StoredRun, Summary, Survey};
use engine::settings::{Identity, RunId, Scalar};

#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Arguments {
    /// A run (results/ch6:adam, a label, or the first digits of an id), a results folder, or an experiment file.
    a: String,
    /// What to compare it with.
    b: String,
    /// The results folder to look for runs in [default: all in results/]
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,
    /// Print one JSON object, for programs.
    #[arg(long)]
    json: bool,
}

const HELP: &str = "\
Examples:
  paribus diff results/ch6:adam results/ch6:sgd       two runs: settings, results, bits
  paribus diff adam/0 adam/1 --results results/ch6    the same label with the seeds 0 and 1
  paribus diff 3f2a 91c0                              two runs by the first digits of their ids
  paribus diff results/ch6 elsewhere/ch6              two folders: settings, runs, bits
  paribus diff old.toml new.toml                      two experiment files: settings, runs

A run is written FOLDER:NAME, or NAME alone. NAME is its label, LABEL/SEED, or the first digits of its id (4 or more). \
Only differences are shown; times and machines are not compared. A folder can be compared with an experiment file.

Writes nothing.

Exit codes: 0 no differences, 1 differences, 2 the two cannot be compared.";

/// Says how two things differ.
pub fn diff(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let results = arguments.results.as_deref();
    let (a, b) = (Side::read(&arguments.a, results)?, Side::read(&arguments.b, results)?);
    let (is_same, text) = match (&a.runs, &b.runs) {
        (Runs::One(first), Runs::One(second)) => {
            let difference = OfRuns::new([(&a.name, first), (&b.name, second)]);
            (difference.is_same(), if arguments.json { super::as_json(&difference) } else { difference.in_words() })
        }
        (Runs::Many(first), Runs::Many(second)) => {
            let difference = OfMany::new([(&a.name, first), (&b.name, second)]);
            (difference.is_same(), if arguments.json { super::as_json(&difference) } else { difference.in_words() })
        }
        _ => {
            let (one, many) = if matches!(a.runs, Runs::One(_)) { (&a, &b) } else { (&b, &a) };
            return Err(Failure::input(format!(
                "`{}` is one run, but `{}` holds many\nhelp: `{}:RUN` names one run of a results folder",
                one.typed, many.typed, many.typed
            )));
        }
    };
    out(&text);
    Ok(if is_same { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// One side of the comparison.
struct Side {
    typed: String,
    /// Its name in the output.
    name: String,
    runs: Runs,
}

enum Runs {
    One(Box<(Member, Identity)>),
    Many(Members),
}

/// A planned or stored run.
struct Member {
    run_id: RunId,
    label: String,
    seed: u64,
    /// `None` if it is only planned.
    summary: Option<Summary>,
}

/// Several runs.
#[derive(Default)]
struct Members {
    runs: Vec<Member>,
    /// The values of each setting, `-` where a run lacks it, with their rank in order of appearance.
    values: BTreeMap<Cow<'static, str>, HashMap<String, usize>>,
}

impl Side {
    fn read(typed: &str, results: Option<&Path>) -> Result<Self, Failure> {
        let path = Path::new(typed);
        let side = |name: String, runs| Ok(Self { typed: typed.to_owned(), name, runs });
        if Survey::is_of_results(path) {
            let inventory = Inventory::look(path).map_err(Failure::input)?;
            let shown = inventory.runs.keys().copied().collect();
            let mut members = Members::default();
            recorded(path, &inventory, &shown)?.into_iter().for_each(|(run, identity)| members.add(run, identity));
            return side(typed.to_owned(), Runs::Many(members));
        }
        if path.is_file() || path.extension().is_some_and(|extension| extension == "toml") {
            return side(typed.to_owned(), Runs::Many(planned(path)?));
        }
        if path.is_dir() {
            results::folder(path)?;
        }
        let (folder, inventory, asked) = results::runs(typed, results)?;
        let mut members = recorded(&folder, &inventory, &asked)?;
        if members.len() > 1 {
            let names =
                members.iter().take(6).map(|(run, _)| format!("`{}:{}/{}`", folder.display(), run.label, run.seed));
            let names = names.collect::<Vec<_>>().join(", ");
            let more = if members.len() > 6 { ", …" } else { "" };
            return Err(Failure::input(format!("`{typed}` could be any of {names}{more}")));
        }
        let only =
            members.pop().ok_or_else(|| Failure::input(format!("another process is moving `{typed}`; try again")))?;
        side(folder.display().to_string(), Runs::One(Box::new(only)))
    }
}

fn recorded(root: &Path, inventory: &Inventory, asked: &HashSet<RunId>) -> Result<Vec<(Member, Identity)>, Failure> {
    let is_asked = |known: &StoredRun| asked.contains(&known.run_id);
    let mut identities = inventory.identities(root, is_asked).map_err(Failure::input)?;
    let member = |known: &StoredRun| {
        let identity = with_rest(identities.remove(&known.run_id)?);
        let StoredRun { run_id, label, seed, summary, .. } = known.clone();
        Some((Member { run_id, label, seed, summary: Some(summary) }, identity))
    };
    let known = inventory.runs.values().chain(inventory.archived.values());
    let mut members: Vec<(Member, Identity)> = known.filter_map(member).collect();
    members.sort_by(|(a, _), (b, _)| (&a.label, a.seed).cmp(&(&b.label, b.seed)));
    Ok(members)
}

fn planned(path: &Path) -> Result<Members, Failure> {
    let plan = Experiment::read(path).and_then(Plan::new)?;
    let mut members = Members::default();
    for run in plan.runs() {
        let member = Member { run_id: run.id(), label: run.label(), seed: run.seed().get(), summary: None };
        members.add(member, with_rest(run.identity()));
    }
    Ok(members)
}

/// Adds the parts of an id that are not settings.
fn with_rest(mut identity: Identity) -> Identity {
    let Identity { settings, data_fingerprint, numerics_version, .. } = &mut identity;
    settings.insert("data fingerprint".into(), data_fingerprint.as_str().into());
    settings.insert("numerics version".into(), u64::from(*numerics_version).into());
    identity
}

impl Members {
    fn add(&mut self, member: Member, identity: Identity) {
        for (name, values) in &mut self.values {
            if !identity.settings.contains_key(name) {
                add(values, shown(None));
            }
        }
        for (name, value) in identity.settings {
            let values = self.values.entry(name).or_default();
            if values.is_empty() && !self.runs.is_empty() {
                add(values, shown(None));
            }
            add(values, shown(Some(&value)));
        }
        self.runs.push(member);
    }

    /// The values of the setting `name`, in their order of appearance.
    fn values_of(&self, name: &str) -> Vec<String> {
        let Some(values) = self.values.get(name) else {
            return if self.runs.is_empty() { Vec::new() } else { vec![shown(None)] };
        };
        let mut values: Vec<(&String, &usize)> = values.iter().collect();
        values.sort_unstable_by_key(|(_, rank)| *rank);
        values.into_iter().map(|(value, _)| value.clone()).collect()
    }
}

/// Adds a value, if it is new, as the last one.
fn add(values: &mut HashMap<String, usize>, value: String) {
    let rank = values.len();
    values.entry(value).or_insert(rank);
}

impl Member {
    /// Its name in messages.
    fn name(&self) -> String {
        format!("{}, seed {} ({})", self.label, self.seed, self.run_id)
    }

    fn digest(&self) -> Option<&str> {
        let summary = self.summary.as_ref()?;
        (summary.status != Status::Failed).then_some(summary.digest.as_str())
    }
}

/// A value in a table; `-` for a missing one.
pub fn shown(value: Option<&Scalar>) -> String {
    match value {
        None => "-".to_owned(),
        Some(Scalar::Text(text)) if text.is_empty() => "\"\"".to_owned(),
        Some(value) => value.to_string(),
    }
}

/// How two runs differ.
#[derive(Debug, Serialize)]
struct OfRuns {
    a: ComparedRun,
    b: ComparedRun,
    settings: Vec<Changed>,
    results: Vec<Changed>,
    /// Null if either run failed.
    same_bits: Option<bool>,
    /// Whether one run is the beginning of the other, regardless of what they record.
    same_trajectory: bool,
    /// The number of steps that both have made.
    common_steps: Option<u64>,
}

#[derive(Debug, Serialize)]
struct ComparedRun {
    of: String,
    run_id: String,
    label: String,
    seed: u64,
}

#[derive(Debug, Serialize)]
struct Changed {
    name: String,
    /// Null if it is missing or not finite.
    a: Option<Scalar>,
    b: Option<Scalar>,
}

impl OfRuns {
    fn new([(name_a, (a, identity_a)), (name_b, (b, identity_b))]: [(&String, &(Member, Identity)); 2]) -> Self {
        let named = |of: &str, run: &Member| ComparedRun {
            of: of.to_owned(),
            run_id: run.run_id.to_string(),
            label: run.label.clone(),
            seed: run.seed,
        };
        let changed = |(name, [a, b]): (&str, [Option<&Scalar>; 2])| Changed {
            name: name.to_owned(),
            a: a.cloned(),
            b: b.cloned(),
        };
        let settings = identity_a.differences(identity_b).into_iter().map(changed);
        let results = |run: &Member| run.summary.as_ref().map(results).into_iter().flatten();
        let results = results(a).zip(results(b)).map(|((name, a), (_, b))| Changed { name: name.to_owned(), a, b });
        let steps = |run: &Member| run.summary.as_ref().and_then(|summary| summary.steps_done);
        Self {
            a: named(name_a, a),
            b: named(name_b, b),
            settings: settings.collect(),
            results: results.filter(|result| result.a != result.b).collect(),
            same_bits: a.digest().zip(b.digest()).map(|(a, b)| a == b),
            same_trajectory: identity_a.trajectory_id == identity_b.trajectory_id,
            common_steps: steps(a).zip(steps(b)).map(|(a, b)| a.min(b)),
        }
    }

    fn is_same(&self) -> bool {
        self.settings.is_empty() && self.results.is_empty() && self.same_bits != Some(false)
    }

    fn in_words(&self) -> String {
        let mut text = String::new();
        for (letter, ComparedRun { of, run_id, label, seed }) in [("A", &self.a), ("B", &self.b)] {
            let _ = writeln!(text, "{letter}  {of}: {label}, seed {seed} ({run_id})");
        }
        for (heading, changed) in [("setting", &self.settings), ("result", &self.results)] {
            if changed.is_empty() {
                let _ = writeln!(text, "\nthe same {heading}s");
                continue;
            }
            let is_number =
                changed.iter().all(|Changed { a, b, .. }| [a, b].iter().all(|value| is_number(value.as_ref())));
            let mut table = TextTable::new([(heading, false), ("A", is_number), ("B", is_number)]);
            for Changed { name, a, b } in changed {
                table.row([name.clone(), shown(a.as_ref()), shown(b.as_ref())]);
            }
            let _ = write!(text, "\n{}", table.render(0));
        }
        text += "\n";
        text += match self.same_bits {
            Some(true) => "recorded bits: the same\n",
            Some(false) => "recorded bits: different\n",
            None => "recorded bits: nothing to compare, since a run failed\n",
        };
        match (self.same_trajectory, self.common_steps) {
            (false, _) => text += "trajectory: different paths\n",
            (true, Some(steps)) => {
                let _ = writeln!(text, "trajectory: the same path, as far as both go: {}", counted(steps, "step"));
            }
            (true, None) => text += "trajectory: the same path, as far as both go\n",
        }
        text
    }
}

fn is_number(value: Option<&Scalar>) -> bool {
    matches!(value, None | Some(Scalar::Int(_) | Scalar::Float(_)))
}

/// The results of a run that depend only on its settings, in the order of the table `runs`.
fn results(summary: &Summary) -> Vec<(&'static str, Option<Scalar>)> {
    let mut results = vec![("status", Some(summary.status.name().into()))];
    results.extend(RESULT_COLUMNS.iter().map(|(name, _, value)| (*name, value(summary))));
    results
}

/// How two sets of runs differ.
#[derive(Debug, Serialize)]
struct OfMany {
    a: Counted,
    b: Counted,
    in_both: usize,
    only_in_a: Vec<String>,
    only_in_b: Vec<String>,
    /// Runs in both sets that recorded different values.
    other_bits: Vec<String>,
    /// The settings whose sets of values differ between the sides.
    settings: Vec<SettingValues>,
}

#[derive(Debug, Serialize)]
struct Counted {
    name: String,
    runs: usize,
}

#[derive(Debug, Serialize)]
struct SettingValues {
    name: String,
    a: Vec<String>,
    b: Vec<String>,
}

/// The number of runs to list.
const MOST: usize = 20;

impl OfMany {
    fn new([(name_a, a), (name_b, b)]: [(&String, &Members); 2]) -> Self {
        let [in_a, in_b] =
            [a, b].map(|members| members.runs.iter().map(|run| (run.run_id, run)).collect::<BTreeMap<_, _>>());
        let only = |members: &Members, others: &BTreeMap<RunId, &Member>| -> Vec<String> {
            members.runs.iter().filter(|run| !others.contains_key(&run.run_id)).map(Member::name).collect()
        };
        let other_bits = a.runs.iter().filter(|run| {
            let other = in_b.get(&run.run_id).and_then(|other| other.digest());
            run.digest().zip(other).is_some_and(|(a, b)| a != b)
        });
        let names: BTreeSet<&Cow<str>> = a.values.keys().chain(b.values.keys()).collect();
        let settings = names.into_iter().filter_map(|name| {
            let [a, b] = [a, b].map(|members| members.values_of(name));
            let is_same = a.iter().collect::<HashSet<_>>() == b.iter().collect::<HashSet<_>>();
            (!is_same).then(|| SettingValues { name: name.to_string(), a, b })
        });
        Self {
            a: Counted { name: name_a.clone(), runs: a.runs.len() },
            b: Counted { name: name_b.clone(), runs: b.runs.len() },
            in_both: in_a.keys().filter(|run_id| in_b.contains_key(run_id)).count(),
            only_in_a: only(a, &in_b),
            only_in_b: only(b, &in_a),
            other_bits: other_bits.map(Member::name).collect(),
            settings: settings.collect(),
        }
    }

    fn is_same(&self) -> bool {
        self.only_in_a.is_empty() && self.only_in_b.is_empty() && self.other_bits.is_empty()
    }

    fn in_words(&self) -> String {
        let mut text = String::new();
        for (letter, Counted { name, runs }) in [("A", &self.a), ("B", &self.b)] {
            let _ = writeln!(text, "{letter}  {name}: {}", counted(*runs, "run"));
        }
        if !self.settings.is_empty() {
            let mut table = TextTable::new([("setting", false), ("A", false), ("B", false)]);
            for SettingValues { name, a, b } in &self.settings {
                table.row([name.clone(), listed(a), listed(b)]);
            }
            let _ = write!(text, "\n{}", table.render(0));
        }
        for (heading, runs) in [
            ("only in A", &self.only_in_a),
            ("only in B", &self.only_in_b),
            ("in both, with different bits", &self.other_bits),
        ] {
            if runs.is_empty() {
                continue;
            }
            let _ = writeln!(text, "\n{heading}: {}", counted(runs.len(), "run"));
            runs.iter().take(MOST).for_each(|run| text += &format!("  {run}\n"));
            if runs.len() > MOST {
                let _ = writeln!(text, "  … and {} more", runs.len() - MOST);
            }
        }
        let others = if self.other_bits.is_empty() { "" } else { "; those not listed have the same bits" };
        let _ = writeln!(text, "\nin both: {}{others}", counted(self.in_both, "run"));
        text
    }
}

/// The values, or the first few of many.
fn listed(values: &[String]) -> String {
    match values.len() {
        ..=6 => values.join(", "),
        count => format!("{}, … ({count} values)", values[..5].join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::settings::Settings;

    #[test]
    fn values_are_listed_as_they_appear() {
        let member = |(name, value): (&'static str, u64)| {
            let mut settings = Settings::default();
            settings.set(name, value);
            let identity = settings.into_identity("");
            (Member { run_id: identity.trajectory_id, label: String::new(), seed: 0, summary: None }, identity)
        };
        let mut members = Members::default();
        for (run, identity) in [("a", 3), ("b", 2), ("a", 3), ("a", 1)].map(member) {
            members.add(run, identity);
        }
        assert_eq!(members.runs.len(), 4);
        assert_eq!(members.values_of("a"), ["3", "-", "1"]);
        assert_eq!(members.values_of("b"), ["-", "2"]);
        assert_eq!(members.values_of("c"), ["-"]);
        assert_eq!(Members::default().values_of("a"), [] as [String; 0]);
    }
}
