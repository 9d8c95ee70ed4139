//! The results folder: everything that runs recorded, as Parquet tables that other programs can read while it grows.
//!
//! ```text
//! results/ch6/
//!   experiment.toml                 the experiment as it was last run
//!   runs/main-0001.parquet          a row per run
//!   history/main-0001.parquet       a row per recorded step
//!   evaluations/main-0001.parquet   a row per evaluation
//!   ...                             and likewise for every other [`Table`] that has rows of the runs
//!   archive/                        the same tables, for runs that the experiment no longer asks for
//! ```
//!
//! Rows are written in *batches* of complete runs: one file of the same name in each table that has rows of the runs.
//! **A run exists when its row in `runs/` does.** Only the process that holds the lock changes the folder; anyone may
//! read it.
//!
//! # Why an interruption loses nothing
//!
//! A process may die between any two operations. Every file is drafted in a folder that readers do not see, synced, and
//! renamed into place, so that the file in place is always complete, either old or new. What remains is the order of
//! the renames:
//!
//! - *A new batch* (`batch::commit`): `runs/` is renamed last. Before that, the batch's runs do not exist, and the next
//!   start deletes its other files. After that, they exist with all their rows.
//! - *A changed batch* (`batch::rewrite`): `runs/` is renamed first, and its new runs are a subset of the old ones. A
//!   run that leaves is gone at once. A run that stays has its rows in both the old and the new file of a table; at
//!   worst, some readers see its old label. Each file's footer counts the rewrites of its batch. If the counts disagree
//!   at the next start, or if a file has an older format version, the batch is rewritten from what `runs/` lists. A
//!   batch that loses its last run loses its file in `runs/` first, and is then like one that was never committed.
//! - *A move* to the archive or back: the runs are committed to the other area, then removed from this one. In between
//!   they are in both. They then belong to the main area, and the next start drops them from the archive. A run that is
//!   trained again is moved out first, then committed, then dropped from the archive: some readers miss it for a
//!   moment, but none sees it twice, and if the process dies in that moment, the old rows come back.
//!
//! No area ever contains a run twice, because a batch only gains runs when it is committed, and by then they have left
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
pub use inventory::{Inventory, StoredRun};
pub use lock::{Holder, Use};
pub use recorded::{Difference, Recorded, RecordedRun};
pub use row::{RunResult, RunRow, Status, Summary};
pub use schema::{ColumnKind, RESULT_COLUMNS, SETTING_COLUMNS, Table};
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

use engine::settings::RunId;

/// A results folder, open for writing.
///
/// After an error the folder may be halfway through a change. The next call first repairs it, as the next start would.
/// Runs that were pushed but not written yet are kept, so that the call can be repeated. Dropping the value discards
/// them.
#[derive(Debug)]
pub struct Results {
    root: PathBuf,
    context: Context,
    inventory: Inventory,
    buffer: Buffer,
    flush_timer: FlushTimer,
    /// A change began and did not complete.
    is_torn: bool,
    _lock: Lock,
}

/// The numbers of runs that [`Results::reconcile`] changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Moved to the archive.
    pub archived: usize,
    /// Brought back from the archive.
    pub returned: usize,
    /// Given another label in place.
    pub relabelled: usize,
    /// Failed earlier and now removed, so that they are run again.
    pub retry: usize,
}

/// How many bytes of rows are written at once, however short they have waited.
pub const FULL: usize = 64 << 20;

impl Results {
    /// Opens the results folder at `root`, and creates it if necessary: takes its lock, repairs it after an
    /// interruption, and saves the experiment's text beside the tables.
    ///
    /// # Errors
    /// If another process writes to it, or if a newer version wrote it, or a file in it is damaged or not ours; nothing
    /// has been changed then. Also if the disk fails.
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

    /// The runs that have been written.
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// Makes the folder show the `wanted` runs, if they exist, under their labels.
    ///
    /// Wanted runs in the archive come back; wanted runs that failed are removed. Runs that are not wanted move to the
    /// archive if `archive_others` is set, and stay otherwise.
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

    /// Adds a run, and writes all waiting runs if a flush is due. It replaces a stored run with the same id.
    ///
    /// # Errors
    /// If the run has a value that no table may hold ([`Error::NotFinite`] and the like; it is then not added), or if
    /// writing fails.
    pub fn push(&mut self, run: &RunRow) -> Result<(), Error> {
        if self.buffer.ids().contains(&run.run_id) {
            self.flush()?;
        }
        self.buffer.push(run, &self.context)?;
        self.flush_if_due()
    }

    /// Writes the waiting runs if there are many or they have waited long. For callers without a run to push.
    pub fn flush_if_due(&mut self) -> Result<(), Error> {
        if self.buffer.bytes() >= FULL || self.flush_timer.is_due(Instant::now()) { self.flush() } else { Ok(()) }
    }

    /// Writes the waiting runs as one batch.
    pub fn flush(&mut self) -> Result<(), Error> {
        if self.buffer.ids().is_empty() {
            return Ok(());
        }
        self.change(Self::write_buffer)?;
        self.flush_timer.flushed(Instant::now());
        Ok(())
    }

    /// Writes the waiting runs and releases the folder. Returns its final content.
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

    /// Repairs the folder if the last change did not complete, then makes this one.
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
