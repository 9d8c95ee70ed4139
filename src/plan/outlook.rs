//! Which of a plan's runs a results folder has, and why the next `run` trains the others.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::path::Path;

use super::planned::PlannedRun;
use crate::store::{Error, Inventory, Status, StoredRun};
use engine::settings::{Identity, NUMERICS_VERSION, RunId, Scalar};

/// The state of a planned run before the next `run`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// It has no result: it will be trained.
    New,
    /// It failed: it will be trained again.
    Failed,
    /// It finished: its result stays.
    Finished,
    /// It diverged, which is a result: it stays.
    Diverged,
    /// It is in the archive, and will be restored.
    Archived,
}

impl State {
    pub const ALL: [Self; 5] = [Self::New, Self::Failed, Self::Finished, Self::Diverged, Self::Archived];

    /// Its name in listings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Failed => "failed",
            Self::Finished => "finished",
            Self::Diverged => "diverged",
            Self::Archived => "archived",
        }
    }

    /// What the next `run` does.
    pub const fn action(self) -> &'static str {
        match self {
            Self::New => "to be trained",
            Self::Failed => "to be trained again",
            Self::Finished | Self::Diverged => "kept",
            Self::Archived => "to be brought back",
        }
    }

    /// Whether the next `run` trains it.
    pub const fn is_trained(self) -> bool {
        matches!(self, Self::New | Self::Failed)
    }

    fn of(run: RunId, inventory: &Inventory) -> Self {
        match (inventory.runs.get(&run), inventory.archived.get(&run)) {
            (Some(known), _) => Self::of_known(known.summary.status),
            (None, Some(known)) if known.summary.status == Status::Failed => Self::Failed,
            (None, Some(_)) => Self::Archived,
            (None, None) => Self::New,
        }
    }

    fn of_known(status: Status) -> Self {
        match status {
            Status::Finished => Self::Finished,
            Status::Diverged => Self::Diverged,
            Status::Failed => Self::Failed,
        }
    }
}

/// A difference between a new run and the stored run that it replaces.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A setting has another value; `None` if the run does not have the setting.
    Setting { name: String, from: Option<Scalar>, to: Option<Scalar> },
    /// The settings are the same, the data is not.
    Data,
    /// The settings are the same; another numerics version computed them.
    Numerics { from: u32 },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let written = |value: &Option<Scalar>| value.as_ref().map_or_else(|| "none".to_owned(), Scalar::to_string);
        match self {
            Self::Setting { name, from, to } => write!(f, "{name} {} → {}", written(from), written(to)),
            Self::Data => f.write_str("data changed"),
            Self::Numerics { from } => write!(f, "numerics version {from} → {NUMERICS_VERSION}"),
        }
    }
}

/// The states of a plan's runs, and what the next `run` does.
#[derive(Debug)]
pub struct Outlook<'i> {
    /// For each selected run: its state and, if it replaces a stored run, the differences.
    pub runs: Vec<(State, Vec<Change>)>,
    /// The number of stored runs whose label has changed.
    pub relabelled: u64,
    /// The runs that the next `run` moves to the archive.
    pub leaving: Vec<&'i StoredRun>,
}

impl<'i> Outlook<'i> {
    /// The outlook for `runs`, given the results folder at `root`. `wanted` are all runs of the plan: if
    /// `others_leave`, all other stored runs move to the archive.
    ///
    /// # Errors
    /// If a file of the table `runs` cannot be read.
    pub fn of<'p>(
        runs: &[PlannedRun<'p>],
        wanted: impl Iterator<Item = PlannedRun<'p>>,
        others_leave: bool,
        inventory: &'i Inventory,
        root: &Path,
    ) -> Result<Self, Error> {
        let ids: HashSet<RunId> = wanted.map(PlannedRun::id).collect();
        let others: Vec<&StoredRun> = inventory
            .runs
            .values()
            .chain(inventory.archived.values())
            .filter(|known| !ids.contains(&known.run_id))
            .collect();
        // A new run replaces the stored run with its label and seed.
        let mut before: HashMap<(String, u64), Vec<RunId>> = HashMap::new();
        for known in &others {
            before.entry((known.label.clone(), known.seed)).or_default().push(known.run_id);
        }
        let states: Vec<State> = runs.iter().map(|run| State::of(run.id(), inventory)).collect();
        let new = runs.iter().zip(&states).filter(|(_, state)| **state == State::New && !before.is_empty());
        let in_its_place =
            |run: &PlannedRun| -> &[RunId] { before.get(&(run.label(), run.seed().get())).map_or(&[], Vec::as_slice) };
        let asked: HashSet<RunId> = new.flat_map(|(run, _)| in_its_place(run)).copied().collect();
        let identities = match asked.is_empty() {
            true => BTreeMap::new(),
            false => inventory.identities(root, |known| asked.contains(&known.run_id))?,
        };
        let changes = |run: &PlannedRun| {
            if identities.is_empty() {
                return Vec::new();
            }
            let now = run.identity();
            let of = |id: &RunId| identities.get(id).map(|before| changes(before, &now));
            in_its_place(run).iter().filter_map(of).min_by_key(Vec::len).unwrap_or_default()
        };
        let is_relabelled = |run: &&PlannedRun| {
            let known = inventory.runs.get(&run.id()).or_else(|| inventory.archived.get(&run.id()));
            known.is_some_and(|known| known.label != run.label())
        };
        let relabelled = runs.iter().filter(is_relabelled).count() as u64;
        let runs = runs.iter().zip(states).map(|(run, state)| match state {
            State::New => (state, changes(run)),
            _ => (state, Vec::new()),
        });
        let leaves = |known: &&StoredRun| inventory.runs.contains_key(&known.run_id);
        let leaving = if others_leave { others.into_iter().filter(leaves).collect() } else { Vec::new() };
        Ok(Self { runs: runs.collect(), relabelled, leaving })
    }
}

/// The differences between a stored run and a planned one.
fn changes(before: &Identity, now: &Identity) -> Vec<Change> {
    let setting = |(name, [from, to]): (&str, [Option<&Scalar>; 2])| Change::Setting {
        name: name.to_owned(),
        from: from.cloned(),
        to: to.cloned(),
    };
    let mut changes: Vec<Change> = before.differences(now).into_iter().map(setting).collect();
    // Changes that are not visible in an experiment file come first.
    if before.data_fingerprint != now.data_fingerprint {
        changes.insert(0, Change::Data);
    }
    if before.numerics_version != NUMERICS_VERSION {
        changes.insert(0, Change::Numerics { from: before.numerics_version });
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::plan;

    #[test]
    fn what_changed_is_listed_setting_by_setting() {
        let plan = plan("data.source = 'mnist'\nnetwork.hidden = [5]\ntrain.steps = 5\noptimizer = 'adam'");
        let same = plan.run(0).identity();
        let now = same.clone();
        let told = |before: Identity| changes(&before, &now).iter().map(Change::to_string).collect::<Vec<_>>();
        assert!(told(same.clone()).is_empty());
        assert_eq!(told(Identity { numerics_version: 0, ..same.clone() }), ["numerics version 0 → 1"]);
        let mut other = Identity { data_fingerprint: "other".to_owned(), ..same };
        other.settings.insert("steps".into(), Scalar::Int(3));
        other.settings.insert("momentum".into(), Scalar::Float(0.9));
        other.settings.remove("beta1");
        assert_eq!(told(other), ["data changed", "beta1 none → 0.9", "momentum 0.9 → none", "steps 3 → 5"]);
    }
}
