//! A results folder from the outside: who writes to it, how large it is, and which programs wrote its content.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use serde::Serialize;

use super::batch;
use super::context::Provenance;
use super::disk;
use super::error::Error;
use super::file::Footer;
use super::inventory::Area;
use super::lock::Use;
use super::schema::Table;

/// Everything about a results folder except its runs. Looking takes no lock and writes nothing.
#[derive(Debug, Clone)]
pub struct Survey {
    pub used: Use,
    /// In the order in which they were written or last rewritten, including those of the archive.
    pub batches: Vec<Batch>,
    /// The size of each table that has files.
    pub sizes: Vec<TableSize>,
}

/// A batch of runs.
#[derive(Debug, Clone)]
pub struct Batch {
    pub is_archived: bool,
    /// When its file in `runs` was written.
    pub written: SystemTime,
    pub origin: Provenance,
}

/// How much disk space the files of a table take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TableSize {
    pub table: Table,
    #[serde(rename = "archived")]
    pub is_archived: bool,
    pub files: u64,
    pub bytes: u64,
}

impl Survey {
    /// Whether the folder at `root` was created by a `run`.
    pub fn is_of_results(root: &Path) -> bool {
        root.join(Table::Runs.name()).is_dir() || root.join(".lock").is_file()
    }

    /// Looks at the results folder at `root`.
    ///
    /// # Errors
    /// As [`Inventory::look`](super::Inventory::look).
    pub fn of(root: &Path) -> Result<Self, Error> {
        let mut batches = Vec::new();
        let mut sizes = Vec::new();
        for area in Area::ALL {
            let is_archived = area == Area::Archive;
            let folder = area.folder(root);
            for table in Table::all().rev() {
                let mut size = TableSize { table, is_archived, files: 0, bytes: 0 };
                for name in batch::list(&folder, table)? {
                    let path = name.path(&folder, table);
                    // A writer may have removed it since.
                    let Ok(metadata) = fs::metadata(&path) else { continue };
                    size.files += 1;
                    size.bytes += metadata.len();
                    if table == Table::Runs {
                        match Footer::read(&path) {
                            Err(Error::Missing { .. }) => continue,
                            footer => {
                                let written = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                                batches.push(Batch { is_archived, written, origin: footer?.origin() });
                            }
                        }
                    }
                }
                if size.files > 0 {
                    sizes.push(size);
                }
            }
        }
        batches.sort_by_key(|batch| batch.written);
        Ok(Self { used: Use::of(root)?, batches, sizes })
    }

    /// The names of the results folders in `folder`, sorted.
    pub fn results_in(folder: &Path) -> Result<Vec<String>, Error> {
        Ok(disk::names(folder)?.into_iter().filter(|name| Self::is_of_results(&folder.join(name))).collect())
    }
}
