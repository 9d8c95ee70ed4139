//! Changes to stored runs: archiving, bringing back, relabelling and dropping; and how a folder is repaired after an
//! interruption.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::batch::{self, BatchName, Contents, DRAFTS};
use super::disk;
use super::error::Error;
use super::file::{FORMAT_VERSION, Footer};
use super::inventory::{self, Area, Inventory, StoredRun};
use super::schema::Table;
use engine::settings::RunId;

/// What happens to a stored run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It stays, under this label.
    Stay(String),
    /// It goes to the other area, under this label.
    Move(String),
    /// It is removed.
    Drop,
}

impl Fate {
    /// The label of a run that stays.
    fn label_here(&self) -> Option<&String> {
        if let Self::Stay(label) = self { Some(label) } else { None }
    }

    /// The label of a run that moves.
    fn label_there(&self) -> Option<&String> {
        if let Self::Move(label) = self { Some(label) } else { None }
    }
}

/// How many runs had which fate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settled {
    pub moved: usize,
    pub dropped: usize,
    /// Among those that stayed.
    pub relabelled: usize,
}

/// Applies the fate of each of the `runs` in `area`, batch by batch.
///
/// Runs that move are copied before they are removed, so that at every moment each is in one area or in both.
pub fn settle(
    root: &Path,
    area: Area,
    runs: &BTreeMap<RunId, StoredRun>,
    fate: impl Fn(&StoredRun) -> Fate,
) -> Result<Settled, Error> {
    let mut settled = Settled::default();
    for (batch, runs) in by_batch(runs) {
        let fates: Vec<(&StoredRun, Fate)> = runs.into_iter().map(|run| (run, fate(run))).collect();
        let before = settled;
        for (run, fate) in &fates {
            match fate {
                Fate::Stay(label) => settled.relabelled += usize::from(*label != run.label),
                Fate::Move(_) => settled.moved += 1,
                Fate::Drop => settled.dropped += 1,
            }
        }
        if settled != before {
            settle_batch(root, area, batch, &fates)?;
        }
    }
    Ok(settled)
}

fn by_batch(runs: &BTreeMap<RunId, StoredRun>) -> BTreeMap<&BatchName, Vec<&StoredRun>> {
    let mut batches: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for run in runs.values() {
        batches.entry(&run.batch).or_default().push(run);
    }
    batches
}

fn settle_batch(root: &Path, area: Area, name: &BatchName, fates: &[(&StoredRun, Fate)]) -> Result<(), Error> {
    let folder = area.folder(root);
    let contents = Contents::read(&folder, name)?;
    let moving = contents.select(&labels(fates, Fate::label_there))?;
    if !moving.is_empty() {
        batch::commit(&area.other().folder(root), &next_name(root)?, &moving)?;
    }
    let staying = contents.select(&labels(fates, Fate::label_here))?;
    batch::rewrite(&folder, name, &staying)
}

fn labels(fates: &[(&StoredRun, Fate)], label: impl Fn(&Fate) -> Option<&String>) -> BTreeMap<RunId, String> {
    fates.iter().filter_map(|(run, fate)| Some((run.run_id, label(fate)?.clone()))).collect()
}

/// A name that no committed batch has in either area.
pub fn next_name(root: &Path) -> Result<BatchName, Error> {
    let mut taken = Vec::new();
    for area in Area::ALL {
        taken.extend(batch::list(&area.folder(root), Table::Runs)?);
    }
    Ok(BatchName::next("main", taken))
}

/// Repairs the folder after an interruption at any point, and returns its content: drafts and uncommitted batches are
/// deleted, rewrites are finished, batches of an older format version are rewritten in the current one, and runs that
/// are in both areas are dropped from the archive.
///
/// # Errors
/// If a footer is unreadable, of a newer version or not ours; nothing has been changed then.
pub fn recover(root: &Path) -> Result<Inventory, Error> {
    let remains =
        Area::ALL.into_iter().map(|area| Remains::find(area.folder(root))).collect::<Result<Vec<_>, Error>>()?;
    remains.iter().try_for_each(Remains::clear)?;
    remove_doubles(root)
}

/// Drops from the archive the runs that are also in the main area, and returns the content.
pub fn remove_doubles(root: &Path) -> Result<Inventory, Error> {
    let Inventory { runs, mut archived } = Inventory::read(root)?;
    settle(root, Area::Archive, &archived, |run| match runs.contains_key(&run.run_id) {
        true => Fate::Drop,
        false => Fate::Stay(run.label.clone()),
    })?;
    archived.retain(|run_id, _| !runs.contains_key(run_id));
    Ok(Inventory { runs, archived })
}

/// What an interruption left behind in an area.
struct Remains {
    area: PathBuf,
    /// Drafts, and the files of batches that were not committed.
    leftovers: Vec<PathBuf>,
    /// Batches whose rewrite has not reached all files, and those that an older version wrote.
    unfinished: Vec<BatchName>,
}

impl Remains {
    /// Reads every footer in `area` and changes nothing.
    fn find(area: PathBuf) -> Result<Self, Error> {
        let drafts = area.join(DRAFTS);
        let mut leftovers: Vec<PathBuf> = disk::names(&drafts)?.into_iter().map(|name| drafts.join(name)).collect();
        let committed: BTreeSet<BatchName> = batch::list(&area, Table::Runs)?.into_iter().collect();
        let mut footers = BTreeMap::new();
        for table in Table::DATA {
            for name in batch::list(&area, table)? {
                let path = name.path(&area, table);
                let footer = Footer::read(&path)?;
                if committed.contains(&name) {
                    footers.insert((name, table), footer);
                } else {
                    leftovers.push(path);
                }
            }
        }
        let mut unfinished = Vec::new();
        for name in committed {
            if !is_finished(&area, &name, &footers)? {
                unfinished.push(name);
            }
        }
        Ok(Self { area, leftovers, unfinished })
    }

    fn clear(&self) -> Result<(), Error> {
        for path in &self.leftovers {
            disk::remove(path)?;
        }
        for name in &self.unfinished {
            tracing::debug!(
                "{} is rewritten in format version {FORMAT_VERSION}",
                name.path(&self.area, Table::Runs).display()
            );
            let runs = inventory::read_batch(&self.area, name)?;
            let labels = runs.into_iter().map(|run| (run.run_id, run.label)).collect();
            batch::rewrite(&self.area, name, &Contents::read(&self.area, name)?.select(&labels)?)?;
        }
        Ok(())
    }
}

/// Whether the last rewrite of a batch has reached all of its files: exactly the files that its footer in `runs` lists
/// exist, at the same revision, and all have the current format version. `footers` are those of the data files.
fn is_finished(area: &Path, name: &BatchName, footers: &BTreeMap<(BatchName, Table), Footer>) -> Result<bool, Error> {
    let footer = Footer::read(&name.path(area, Table::Runs))?;
    let mut finished = footer.format_version() == Some(FORMAT_VERSION);
    for table in Table::DATA {
        match (footer.hash(table), footers.get(&(name.clone(), table))) {
            (Some(_), None) => return Err(Error::Missing { path: name.path(area, table) }),
            (Some(_), Some(data)) => {
                finished &= data.revision() == footer.revision() && data.format_version() == Some(FORMAT_VERSION);
            }
            (None, stale) => finished &= stale.is_none(),
        }
    }
    Ok(finished)
}
