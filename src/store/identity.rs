//! What the runs of a results folder *are*. It is read separately from the [`Inventory`], which lists how they went,
//! and only on demand.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::batch::BatchName;
use super::error::Error;
use super::inventory::{self, Area, Inventory, RowCells, StoredRun};
use super::schema::Table;
use engine::settings::{Identity, RunId};

impl Inventory {
    /// The identities of the runs that `is_asked` picks, in both areas of the results folder at `root`, which the
    /// inventory must describe.
    ///
    /// Files of batches without such a run are not opened, and rows of other runs are skipped: asking for a few of a
    /// million runs is cheap, asking for all takes about a kilobyte each. A run that has left its batch since the
    /// inventory was made is missing from the answer.
    ///
    /// # Errors
    /// As [`Inventory::look`].
    pub fn identities(
        &self,
        root: &Path,
        is_asked: impl Fn(&StoredRun) -> bool,
    ) -> Result<BTreeMap<RunId, Identity>, Error> {
        let mut identities = BTreeMap::new();
        for (area, batch, runs) in self.batches_of(is_asked) {
            match read(&area.folder(root), batch, &runs) {
                // A rewrite has removed its last run.
                Err(Error::Missing { .. }) => {}
                read => identities.extend(read?),
            }
        }
        Ok(identities)
    }

    /// The batches with runs that `is_asked` picks, each with these runs.
    pub(super) fn batches_of(&self, is_asked: impl Fn(&StoredRun) -> bool) -> Vec<(Area, &BatchName, BTreeSet<RunId>)> {
        let mut batches: BTreeMap<(Area, &BatchName), BTreeSet<RunId>> = BTreeMap::new();
        for (area, runs) in [(Area::Main, &self.runs), (Area::Archive, &self.archived)] {
            for run in runs.values().filter(|run| is_asked(run)) {
                batches.entry((area, &run.batch)).or_default().insert(run.run_id);
            }
        }
        batches.into_iter().map(|((area, batch), runs)| (area, batch, runs)).collect()
    }
}

const COLUMNS: [&str; 5] = ["run_id", "trajectory_id", "settings", "data_fingerprint", "numerics_version"];

fn read(area: &Path, batch: &BatchName, runs: &BTreeSet<RunId>) -> Result<Vec<(RunId, Identity)>, Error> {
    let identities = inventory::read_rows(&batch.path(area, Table::Runs), &COLUMNS, |cells| {
        let run_id = cells.id("run_id")?;
        Ok(if runs.contains(&run_id) { Some((run_id, identity(&cells)?)) } else { None })
    })?;
    Ok(identities.into_iter().flatten().collect())
}

pub(super) fn identity(cells: &RowCells) -> Result<Identity, String> {
    let settings = cells.document("settings")?;
    Ok(Identity {
        trajectory_id: cells.id("trajectory_id")?,
        settings: serde_json::from_str(settings).map_err(|problem| format!("column `settings`: {problem}"))?,
        data_fingerprint: cells.text("data_fingerprint")?.to_owned(),
        numerics_version: cells.count("numerics_version")?.try_into().unwrap_or(u32::MAX),
    })
}
