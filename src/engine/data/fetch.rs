//! Files that are fetched once into a folder, and kept only if they are exactly those that were published.
//!
//! A file is received completely, checked, written under another name and renamed: whatever fails, nothing is left
//! behind.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use thiserror::Error;

/// A published file.
#[derive(Debug, Clone, Copy)]
pub struct Published {
    pub name: &'static str,
    /// In bytes.
    pub size: u64,
    /// 64 hexadecimal digits.
    pub sha256: &'static str,
}

/// A file that is not available.
#[derive(Debug, Error)]
pub enum FetchError {
    #[error("cannot reach {address}: {cause}")]
    Unreachable { address: String, cause: String },
    #[error("{address} answers with status {status}, not with the file")]
    Status { address: String, status: u16 },
    #[error("the transfer of {address} broke off after {received} bytes of {size}: {cause}")]
    BrokeOff { address: String, received: usize, size: u64, cause: String },
    #[error("the file from {address} is not the published one: it has {found}, expected {expected}")]
    Wrong { address: String, found: String, expected: String },
    #[error("`{}` is not the published file: it has {found}, expected {expected}", path.display())]
    Damaged { path: PathBuf, found: String, expected: String },
    #[error("`{}` cannot be read: {cause}", path.display())]
    Unreadable { path: PathBuf, cause: io::Error },
    #[error("cannot write to `{}`: {cause}", folder.display())]
    Unwritable { folder: PathBuf, cause: io::Error },
}

/// The timeout for connecting, and for each wait for more data.
const PATIENCE: Duration = Duration::from_secs(30);

impl Published {
    /// Checks that `bytes` are the file; if not, returns what they are and what was expected.
    fn check(&self, bytes: &[u8]) -> Result<(), (String, String)> {
        let describe = |size: u64, sha256: &str| format!("{size} bytes with SHA-256 {sha256}");
        let sha256: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        if sha256 == self.sha256 && bytes.len() as u64 == self.size {
            Ok(())
        } else {
            Err((describe(bytes.len() as u64, &sha256), describe(self.size, self.sha256)))
        }
    }

    /// The content of the file in `folder`, if it is the published one.
    ///
    /// # Errors
    /// [`FetchError::Unreadable`] and [`FetchError::Damaged`].
    pub fn read(&self, folder: &Path) -> Result<Vec<u8>, FetchError> {
        let path = folder.join(self.name);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(cause) => return Err(FetchError::Unreadable { path, cause }),
        };
        match self.check(&bytes) {
            Ok(()) => Ok(bytes),
            Err((found, expected)) => Err(FetchError::Damaged { path, found, expected }),
        }
    }

    /// Receives the file from the address `base`, checks it, puts it into `folder`, and returns its content.
    ///
    /// # Errors
    /// All other variants of [`FetchError`]; `folder` is then unchanged.
    pub fn fetch(&self, base: &str, folder: &Path) -> Result<Vec<u8>, FetchError> {
        let address = format!("{}/{}", base.trim_end_matches('/'), self.name);
        let bytes = self.receive(&address)?;
        if let Err((found, expected)) = self.check(&bytes) {
            return Err(FetchError::Wrong { address, found, expected });
        }
        self.keep(&bytes, folder).map_err(|cause| FetchError::Unwritable { folder: folder.to_owned(), cause })?;
        Ok(bytes)
    }

    fn receive(&self, address: &str) -> Result<Vec<u8>, FetchError> {
        let config = ureq::Agent::config_builder()
            .timeout_connect(Some(PATIENCE))
            .timeout_recv_response(Some(PATIENCE))
            .timeout_per_read(Some(PATIENCE))
            .user_agent(concat!("paribus/", env!("CARGO_PKG_VERSION")))
            .build();
        let address = || address.to_owned();
        let mut response = match ureq::Agent::from(config).get(address()).call() {
            Ok(response) => response,
            Err(ureq::Error::StatusCode(status)) => return Err(FetchError::Status { address: address(), status }),
            Err(cause) => return Err(FetchError::Unreachable { address: address(), cause: cause.to_string() }),
        };
        let mut bytes = Vec::new();
        // Reading one byte more than expected detects a file of any excess length.
        let result = response.body_mut().as_reader().take(self.size + 1).read_to_end(&mut bytes);
        let received = bytes.len();
        let broke_off = |cause| FetchError::BrokeOff { address: address(), received, size: self.size, cause };
        match result {
            Err(cause) => Err(broke_off(cause.to_string())),
            Ok(_) if (received as u64) < self.size && response.body().content_length() == Some(self.size) => {
                Err(broke_off("the connection was closed".to_owned()))
            }
            Ok(_) => Ok(bytes),
        }
    }

    /// Writes the file whole or not at all.
    fn keep(&self, bytes: &[u8], folder: &Path) -> io::Result<()> {
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(folder.join(self.name)).map_err(|error| error.error)?;
        Ok(())
    }
}

/// The cache folder: `$PARIBUS_CACHE`, or `paribus` in the user's cache folder; `None` if the system names no such
/// folder.
pub fn cache() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    folder("PARIBUS_CACHE").or_else(|| {
        let caches = if cfg!(windows) {
            folder("LOCALAPPDATA")
        } else if cfg!(target_os = "macos") {
            folder("HOME").map(|home| home.join("Library/Caches"))
        } else {
            folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")))
        };
        caches.map(|caches| caches.join("paribus"))
    })
}

#[cfg(test)]
pub mod tests {
    use std::io::{BufRead, BufReader};
    use std::net::{TcpListener, TcpStream};
    use std::thread;

    use super::*;

    /// Starts a server on loopback that answers every request with `answer`, which gets the path; returns its address.
    pub fn server(answer: impl Fn(&str, &mut TcpStream) -> io::Result<()> + Send + 'static) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/some/where", listener.local_addr().unwrap());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let request = lines.next().and_then(Result::ok).unwrap_or_default();
                while lines.next().and_then(Result::ok).is_some_and(|line| !line.is_empty()) {}
                let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
                // A client that has disconnected does not matter to the server.
                let _ = answer(&path, &mut stream);
            }
        });
        address
    }

    /// Answers with `body`, and declares a length of `length` bytes.
    pub fn send(stream: &mut TcpStream, status: &str, length: usize, body: &[u8]) -> io::Result<()> {
        write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")?;
        stream.write_all(body)
    }

    const CONTENT: &[u8] = b"what was published";
    const FILE: Published = Published {
        name: "a-file.gz",
        size: 18,
        sha256: "0cdd9f3de8e0eb590d413cf44eed34a51f1305de7dc3579c81a915c4211e807c",
    };

    fn fetch(answer: impl Fn(&mut TcpStream) -> io::Result<()> + Send + 'static) -> (String, String) {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("cache");
        let base = server(move |path, stream| {
            assert_eq!(path, "/some/where/a-file.gz");
            answer(stream)
        });
        let error = FILE.fetch(&base, &cache).unwrap_err().to_string();
        assert!(!cache.exists(), "something was left behind");
        (error.replace(&base, "BASE"), base)
    }

    #[test]
    fn a_good_file_is_fetched_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("deep").join("cache");
        let base = server(|_, stream| send(stream, "200 OK", CONTENT.len(), CONTENT));
        assert!(matches!(FILE.read(&cache), Err(FetchError::Unreadable { .. })));
        assert_eq!(FILE.fetch(&base, &cache).unwrap(), CONTENT);
        assert_eq!(FILE.read(&cache).unwrap(), CONTENT);
        let names: Vec<_> = std::fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["a-file.gz"]);
    }

    #[test]
    fn a_file_that_is_not_there() {
        let (error, _) = fetch(|stream| send(stream, "404 Not Found", 9, b"Not Found"));
        assert_eq!(error, "BASE/a-file.gz answers with status 404, not with the file");
    }

    #[test]
    fn a_transfer_that_breaks_off() {
        let (error, _) = fetch(|stream| send(stream, "200 OK", CONTENT.len(), &CONTENT[..7]));
        assert!(error.starts_with("the transfer of BASE/a-file.gz broke off after 7 bytes of 18: "), "{error}");
        // Without a declared length, only the end of the connection ends this one.
        let (error, _) = fetch(|stream| {
            write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
            stream.write_all(&CONTENT[..7])
        });
        assert!(error.contains("is not the published one: it has 7 bytes"), "{error}");
        let (error, _) = fetch(|stream| stream.write_all(b"HTTP/1.1 200"));
        assert!(error.starts_with("cannot reach BASE/a-file.gz: "), "{error}");
    }

    #[test]
    fn a_wrong_file_is_not_kept() {
        let (error, _) = fetch(|stream| send(stream, "200 OK", 18, b"what was forged!!!"));
        assert!(
            error.starts_with("the file from BASE/a-file.gz is not the published one: it has 18 bytes with SHA-256 ")
        );
        assert!(error.ends_with(&format!(", expected 18 bytes with SHA-256 {}", FILE.sha256)), "{error}");
        let endless = |stream: &mut TcpStream| {
            write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
            loop {
                stream.write_all(&[7; 4096])?;
            }
        };
        assert!(fetch(endless).0.contains("it has 19 bytes"));
    }

    #[test]
    fn a_server_that_is_not_there() {
        // The listener is gone before the first request.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let error = FILE.fetch(&format!("http://{address}/"), &folder.path().join("cache")).unwrap_err();
        assert!(error.to_string().starts_with(&format!("cannot reach http://{address}/a-file.gz: ")), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_cannot_be_written_to() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "").unwrap();
        let base = server(|_, stream| send(stream, "200 OK", CONTENT.len(), CONTENT));
        let error = FILE.fetch(&base, &folder.path().join("file/cache")).unwrap_err();
        assert!(matches!(error, FetchError::Unwritable { .. }), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_was_damaged_later_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a-file.gz"), "what was published?").unwrap();
        let error = FILE.read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("is not the published file: it has 19 bytes with SHA-256 "), "{error}");
    }
}
