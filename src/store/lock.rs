//! One writer at a time: the lock on a results folder, which the operating system releases when its holder dies; and
//! the name of the holder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arrow_array::temporal_conversions::timestamp_s_to_datetime;
use serde::{Deserialize, Serialize};

use super::error::Error;
use crate::shell;

/// The lock on a results folder, held until the value is dropped.
#[derive(Debug)]
pub struct Lock {
    /// The lock lasts as long as the file is open.
    _file: File,
}

impl Lock {
    /// Takes the lock on `folder` for this process on `host`.
    ///
    /// # Errors
    /// [`Error::Locked`], which names the process that holds the lock.
    pub fn take(folder: &Path, host: &str) -> Result<Self, Error> {
        let path = folder.join(".lock");
        let error = |action| {
            let path = &path;
            move |problem| Error::io(action, path, problem)
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(error("open"))?;
        let mut attempts = 1;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                // The lock may be held briefly by someone checking whether it is free.
                Err(TryLockError::WouldBlock) if attempts < ATTEMPTS => {
                    attempts += 1;
                    thread::sleep(PAUSE);
                }
                Err(TryLockError::WouldBlock) => {
                    let holder = Holder::read(&mut file).map_or("another process".to_owned(), |it| it.to_string());
                    return Err(Error::Locked { folder: folder.to_owned(), holder });
                }
                Err(TryLockError::Error(problem)) => return Err(error("lock")(problem)),
            }
        }
        Holder::this_process(host).write(&mut file).map_err(error("write"))?;
        Ok(Self { _file: file })
    }
}

/// How often taking the lock is tried: whoever [checks](Use::of) it holds it only for microseconds.
const ATTEMPTS: usize = 5;
const PAUSE: Duration = Duration::from_millis(20);

/// Whether some process writes to a results folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Use {
    /// No; with the last writer, if known.
    Free(Option<Holder>),
    /// Yes; the writer is unknown for a moment between taking the lock and writing the name.
    Busy(Option<Holder>),
}

impl Use {
    /// The use of the results folder at `folder`. Neither blocks writers nor writes.
    pub fn of(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(".lock");
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(problem) if problem.kind() == ErrorKind::NotFound => return Ok(Self::Free(None)),
            Err(problem) => return Err(Error::io("open", &path, problem)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(Self::Free(Holder::read(&mut file))),
            Err(TryLockError::WouldBlock) => Ok(Self::Busy(Holder::read(&mut file))),
            Err(TryLockError::Error(problem)) => Err(Error::io("look at", &path, problem)),
        }
    }
}

/// The process that holds the lock: the content of the lock file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    pub process: u32,
    pub host: String,
    /// Seconds since 1970.
    pub since: u64,
    /// The command line, quoted for a shell.
    pub command: String,
}

impl Holder {
    fn this_process(host: &str) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let words = std::env::args_os().map(|word| shell::word(&word.to_string_lossy()).into_owned());
        Self { process: std::process::id(), host: host.to_owned(), since, command: words.collect::<Vec<_>>().join(" ") }
    }

    fn write(&self, file: &mut File) -> std::io::Result<()> {
        file.set_len(0)?;
        file.rewind()?;
        serde_json::to_writer(&mut *file, self)?;
        file.flush()
    }

    fn read(file: &mut File) -> Option<Self> {
        let mut text = String::new();
        file.read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} on {}", self.process, self.host)?;
        if let Some(since) = i64::try_from(self.since).ok().and_then(timestamp_s_to_datetime) {
            write!(f, " since {since} UTC")?;
        }
        write!(f, " (`{}`)", self.command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_refused_and_told_who_is_first() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lock::take(folder.path(), "wolf").unwrap();
        let message = Lock::take(folder.path(), "other").unwrap_err().to_string();
        assert!(message.contains(&format!("in use by process {} on wolf since 2", std::process::id())), "{message}");
        drop(first);
        Lock::take(folder.path(), "other").unwrap();
    }

    #[test]
    fn looking_at_the_lock_keeps_nobody_from_taking_it() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Use::of(folder.path()).unwrap(), Use::Free(None));
        assert!(!folder.path().join(".lock").exists(), "looking wrote something");
        let lock = Lock::take(folder.path(), "wolf").unwrap();
        let Use::Busy(Some(holder)) = Use::of(folder.path()).unwrap() else { panic!("it is held") };
        assert_eq!((holder.process, holder.host.as_str()), (std::process::id(), "wolf"));
        drop(lock);
        assert_eq!(Use::of(folder.path()).unwrap(), Use::Free(Some(holder)));

        let done = std::sync::atomic::AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    Use::of(folder.path()).unwrap();
                    thread::sleep(Duration::from_millis(1));
                }
            });
            let taken = (0..50).try_for_each(|_| Lock::take(folder.path(), "wolf").map(drop));
            done.store(true, std::sync::atomic::Ordering::Relaxed);
            taken.unwrap();
        });
    }

    #[test]
    fn what_an_earlier_holder_wrote_does_not_shine_through() {
        let folder = tempfile::tempdir().unwrap();
        drop(Lock::take(folder.path(), "a machine with a very long name").unwrap());
        let _second = Lock::take(folder.path(), "wolf").unwrap();
        let message = Lock::take(folder.path(), "other").unwrap_err().to_string();
        assert!(message.contains("on wolf since"), "{message}");
    }

    #[test]
    fn a_holder_is_described_in_words() {
        let holder = Holder {
            process: 4711,
            host: "wolf".to_owned(),
            since: 1_795_464_000,
            command: "paribus run ch6.toml".to_owned(),
        };
        assert_eq!(holder.to_string(), "process 4711 on wolf since 2026-11-23 20:00:00 UTC (`paribus run ch6.toml`)");
    }
}
