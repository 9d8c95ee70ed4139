//! The only operations that change a results folder. A process may die between any two of them.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use super::error::Error;

/// Durably creates `folder` and its missing parents.
pub fn make_folder(folder: &Path) -> Result<(), Error> {
    if folder.is_dir() {
        return Ok(());
    }
    make_folder(folder_of(folder))?;
    operation("make the folder", folder, || fs::create_dir_all(folder))?;
    sync_folder(folder_of(folder))
}

/// Writes a new file at `path` and syncs it to the disk.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut file = operation("make", path, || File::create(path))?;
    operation("write", path, || file.write_all(bytes).and_then(|()| file.sync_all()))
}

/// Replaces `to` by the file `from`, atomically and durably.
pub fn replace(from: &Path, to: &Path) -> Result<(), Error> {
    operation("write", to, || fs::rename(from, to))?;
    sync_folder(folder_of(to))
}

/// Durably removes the file at `path`, if there is one.
pub fn remove(path: &Path) -> Result<(), Error> {
    if !path.try_exists().map_err(|problem| Error::io("look for", path, problem))? {
        return Ok(());
    }
    operation("delete", path, || fs::remove_file(path))?;
    sync_folder(folder_of(path))
}

/// The names in `folder`, sorted; empty if it does not exist.
pub fn names(folder: &Path) -> Result<Vec<String>, Error> {
    let read = || -> io::Result<Vec<String>> {
        let entries = fs::read_dir(folder)?;
        let mut names = entries
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<io::Result<Vec<_>>>()?;
        names.sort_unstable();
        Ok(names)
    };
    match read() {
        Err(problem) if problem.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        names => names.map_err(|problem| Error::io("list", folder, problem)),
    }
}

/// The folder of `path`; that of a bare name is the working directory.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes renames into and removals from `folder` survive a power cut. Only Unix can open a folder to do so.
fn sync_folder(folder: &Path) -> Result<(), Error> {
    if cfg!(unix) {
        operation("sync the folder", folder, || File::open(folder)?.sync_all())?;
    }
    Ok(())
}

/// Every change goes through here, so that tests can stop before any of them.
fn operation<T>(action: &'static str, path: &Path, change: impl FnOnce() -> io::Result<T>) -> Result<T, Error> {
    #[cfg(test)]
    interruption::count().map_err(|problem| Error::io(action, path, problem))?;
    change().map_err(|problem| Error::io(action, path, problem))
}

/// Lets a test stop this thread's work after a number of operations, like a killed process.
#[cfg(test)]
pub mod interruption {
    use std::cell::Cell;
    use std::io;

    thread_local! {
        static LEFT: Cell<Option<u64>> = const { Cell::new(None) };
    }

    /// Runs `work` with every operation after the first `operations` failing.
    pub fn after<T>(operations: u64, work: impl FnOnce() -> T) -> T {
        LEFT.set(Some(operations));
        let value = work();
        LEFT.set(None);
        value
    }

    pub(super) fn count() -> io::Result<()> {
        match LEFT.get() {
            Some(0) => Err(io::Error::other("interrupted by the test")),
            Some(left) => {
                LEFT.set(Some(left - 1));
                Ok(())
            }
            None => Ok(()),
        }
    }
}
