//! What the runs of a results folder *are*. It is read separately from the [`Inventory`], which lists how they went,
//! and only on demand.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, LazyLock};

use arrow_schema::{Schema, SchemaRef};

use super::batch::BatchName;
use super::error::Error;
use super::file;
use super::inventory::{Area, Inventory, RowCells, StoredRun};
use super::schema::Table;
use super::upgrade;
use crate::settings::{Identity, InvalidRunId, RunId};

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

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let all = Table::Runs.schema();
    let fields = all.fields().iter().filter(|field| COLUMNS.contains(&field.name().as_str())).cloned();
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
});

fn read(area: &Path, batch: &BatchName, runs: &BTreeSet<RunId>) -> Result<Vec<(RunId, Identity)>, Error> {
    let path = batch.path(area, Table::Runs);
    let (_, rows) = file::read(&path, Some(&COLUMNS))?;
    let mut identities = Vec::new();
    let damaged = |problem: String| Error::damaged(&path, problem);
    for rows in rows {
        let rows = upgrade::conform(&rows, &SCHEMA).map_err(|problem| damaged(problem.to_string()))?;
        for row in 0..rows.num_rows() {
            let cells = RowCells { rows: &rows, row };
            let run_id = id(&cells, "run_id").map_err(damaged)?;
            if runs.contains(&run_id) {
                identities.push((run_id, identity(&cells).map_err(damaged)?));
            }
        }
    }
    Ok(identities)
}

pub(super) fn identity(cells: &RowCells) -> Result<Identity, String> {
    let settings = cells.document("settings")?;
    Ok(Identity {
        trajectory_id: id(cells, "trajectory_id")?,
        settings: serde_json::from_str(settings).map_err(|problem| format!("column `settings`: {problem}"))?,
        data_fingerprint: cells.text("data_fingerprint")?.to_owned(),
        numerics_version: cells.count("numerics_version")?.try_into().unwrap_or(u32::MAX),
    })
}

/// The run id in a column.
pub(super) fn id(cells: &RowCells, column: &str) -> Result<RunId, String> {
    cells.text(column)?.parse().map_err(|problem: InvalidRunId| problem.to_string())
}
