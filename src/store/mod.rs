//! The results folder: what runs recorded, as Parquet tables that other programs read while it grows.
//!
//! ```text
//! results/ch6/
//!   experiment.toml                 the experiment as it was last run
//!   runs/main-0001.parquet          a row per run
//!   history/main-0001.parquet       a row per recorded step
//!   evaluations/main-0001.parquet   a row per evaluation
//!   ...                             and so for every other [`Table`] that the runs have rows in
//!   archive/                        the same tables, for runs that the experiment no longer asks for
//! ```
//!
//! Rows are written in *batches* of complete runs: one file of one name in each table that the runs have rows in. **A
//! run is there when its row in `runs/` is.** Only the process that holds the lock changes the folder; anyone may read
//! it.
//!
//! # Why an interruption loses nothing
//!
//! A process may die between any two operations. Every file is drafted in a folder that readers do not see, synced, and
//! renamed into its place, so that there it is the old one or the new one, whole. What is left to argue is the order of
//! the renames:
//!
//! - *A new batch* (`batch::commit`): `runs/` is renamed last. Before that the batch's runs are not there, and the next
//!   start deletes its other files; after that they are there with all their rows.
//! - *A changed batch* (`batch::rewrite`): `runs/` goes first, and its runs are a part of those that were there. A run
//!   that leaves is gone at once, a run that stays has its rows in the old file of a table as in the new one; at worst
//!   some readers see its old label. Each file's footer counts the rewrites of its batch. Where they disagree at the
//!   next start, the batch is rewritten again from what `runs/` says, and so it is where a file is of an older format
//!   version. A batch that loses its last run loses its file in `runs/` first, and is then like one that was never
//!   committed.
//! - *A move* to the archive or back: the runs are committed to the other area, then taken out of this one. In between
//!   they are in both; then they belong to the main area, and the next start drops them from the archive. A run that is
//!   trained again is moved out first, then committed, then dropped from the archive: some readers miss it for a
//!   moment, none sees it twice, and if the process dies in that moment the old rows come back.
//!
//! Nothing is ever in one area twice, because a batch only gains runs when it is committed, and by then they have left
//! every other batch of the area.

mod batch;
mod buffer;
mod context;
mod disk;
mod error;
mod file;
mod identity;
mod inventory;
mod lock;
mod recorded;
mod rewrite;
mod row;
mod schema;
mod survey;
mod tables;
mod upgrade;

#[cfg(test)]
mod tests;

pub use batch::BatchName;
pub use buffer::{CELLS_BYTES, FlushTimer};
pub use context::{Context, Provenance};
pub use error::Error;
pub use file::FORMAT_VERSION;
pub use identity::Identity;
pub use inventory::{Inventory, StoredRun};
pub use lock::{Holder, Use};
pub use recorded::{Difference, DifferenceKind, Recorded, RecordedRun};
pub use row::{RunResult, RunRow, Status, Summary};
pub use schema::{ColumnKind, SETTING_COLUMNS, Table};
pub use survey::{Batch, Survey, TableSize};

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use batch::DRAFTS;
use buffer::Buffer;
use file::Footer;
use inventory::Area;
use lock::Lock;
use rewrite::{Fate, Settled};

use crate::settings::RunId;

/// A results folder, open for writing.
///
/// After an error the folder may be halfway through a change; the next call first brings it in order, as the next start
/// would. Runs that were pushed and not yet written are kept, so that the call can be repeated. Dropping the value
/// forgets them.
#[derive(Debug)]
pub struct Results {
    root: PathBuf,
    context: Context,
    inventory: Inventory,
    buffer: Buffer,
    flush_timer: FlushTimer,
    /// A change began and did not end.
    is_torn: bool,
    _lock: Lock,
}

/// What [`Results::reconcile`] did, in runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Moved to the archive.
    pub archived: usize,
    /// Brought back from it.
    pub returned: usize,
    /// Given another label, where they are.
    pub relabelled: usize,
    /// Failed earlier and now forgotten, so that they are run again.
    pub retry: usize,
}

/// So many bytes of rows are written at once, however short they have waited.
pub const FULL: usize = 64 << 20;

impl Results {
    /// Opens the results folder at `root`, which is made if there is none: takes its lock, brings it in order after an
    /// interruption, and puts the experiment's text beside the tables.
    ///
    /// # Errors
    /// Where another process writes to it, a newer version wrote it, or a file in it is damaged or not ours: then
    /// nothing was changed. And where the disk refuses.
    pub fn open(root: &Path, context: Context) -> Result<Self, Error> {
        disk::make_folder(root)?;
        let lock = Lock::take(root, &context.host)?;
        let inventory = rewrite::recover(root)?;
        let experiment = root.join("experiment.toml");
        if fs::read(&experiment).ok().as_deref() != Some(context.text.as_bytes()) {
            let draft = root.join(DRAFTS).join("experiment.toml");
            disk::make_folder(&root.join(DRAFTS))?;
            disk::write(&draft, context.text.as_bytes())?;
            disk::replace(&draft, &experiment)?;
        }
        let flush_timer = FlushTimer::from(Instant::now());
        Ok(Self {
            root: root.to_owned(),
            context,
            inventory,
            buffer: Buffer::default(),
            flush_timer,
            is_torn: false,
            _lock: lock,
        })
    }

    /// The runs that are written.
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// Makes the folder show the `wanted` runs, as far as they are there, under their labels.
    ///
    /// Wanted runs that are in the archive come back; wanted runs that failed are forgotten. Runs that are not wanted
    /// move to the archive if `archive_others` says so, and are left alone otherwise.
    pub fn reconcile(&mut self, wanted: &BTreeMap<RunId, String>, archive_others: bool) -> Result<Reconciled, Error> {
        self.flush()?;
        self.change(|results| {
            let Inventory { runs, archived } = &results.inventory;
            let main = rewrite::settle(&results.root, Area::Main, runs, |run| match wanted.get(&run.run_id) {
                Some(_) if run.summary.status == Status::Failed => Fate::Drop,
                Some(label) => Fate::Stay(label.clone()),
                None if archive_others => Fate::Move(run.label.clone()),
                None => Fate::Stay(run.label.clone()),
            })?;
            let archive =
                rewrite::settle(&results.root, Area::Archive, archived, |run| match wanted.get(&run.run_id) {
                    Some(_) if run.summary.status == Status::Failed => Fate::Drop,
                    Some(label) => Fate::Move(label.clone()),
                    None => Fate::Stay(run.label.clone()),
                })?;
            if [main, archive] != [Settled::default(); 2] {
                results.inventory = Inventory::look(&results.root)?;
            }
            Ok(Reconciled {
                archived: main.moved,
                returned: archive.moved,
                relabelled: main.relabelled,
                retry: main.dropped + archive.dropped,
            })
        })
    }

    /// Takes a run, and writes all that wait if that is due. A run whose id is there already takes the place of the old
    /// one.
    ///
    /// # Errors
    /// Where the run holds what no table may ([`Error::NotFinite`] and the like; it is not taken), or writing fails.
    pub fn push(&mut self, run: &RunRow) -> Result<(), Error> {
        if self.buffer.ids().contains(&run.run_id) {
            self.flush()?;
        }
        self.buffer.push(run, &self.context)?;
        self.flush_if_due()
    }

    /// Writes the runs that wait, if there are many or they have waited long. For callers that have no run to push.
    pub fn flush_if_due(&mut self) -> Result<(), Error> {
        if self.buffer.bytes() >= FULL || self.flush_timer.is_due(Instant::now()) { self.flush() } else { Ok(()) }
    }

    /// Writes the runs that wait, as one batch.
    pub fn flush(&mut self) -> Result<(), Error> {
        if self.buffer.ids().is_empty() {
            return Ok(());
        }
        self.change(Self::write_buffer)?;
        self.flush_timer.flushed(Instant::now());
        Ok(())
    }

    /// Writes the runs that wait and releases the folder; what is in it then.
    pub fn finish(mut self) -> Result<Inventory, Error> {
        self.flush()?;
        Ok(self.inventory)
    }

    fn write_buffer(&mut self) -> Result<(), Error> {
        let new = self.buffer.ids();
        let replaced = rewrite::settle(&self.root, Area::Main, &self.inventory.runs, |run| {
            let label = run.label.clone();
            if new.contains(&run.run_id) { Fate::Move(label) } else { Fate::Stay(label) }
        })?;
        let name = rewrite::next_name(&self.root)?;
        batch::commit(&self.root, &name, &self.buffer.contents(Footer::new(&self.context))?)?;
        if replaced.moved > 0 || new.iter().any(|run_id| self.inventory.archived.contains_key(run_id)) {
            rewrite::remove_doubles(&self.root)?;
            self.inventory.archived.retain(|run_id, _| !new.contains(run_id));
        }
        self.inventory.runs.extend(self.buffer.known_in(&name).map(|run| (run.run_id, run)));
        self.buffer = Buffer::default();
        Ok(())
    }

    /// Brings the folder in order if the last change did not end, then makes this one.
    fn change<T>(&mut self, change: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        if self.is_torn {
            self.inventory = rewrite::recover(&self.root)?;
        }
        self.is_torn = true;
        let done = change(self)?;
        self.is_torn = false;
        Ok(done)
    }
}
