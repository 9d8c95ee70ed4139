//! Fashion-MNIST: images of clothes in the format of MNIST, and harder (Xiao, Rasul and Vollgraf 2017,
//! arXiv:1708.07747, MIT license).
//!
//! The 30 MB are not built in. They are fetched once, from the address on the authors' page
//! (<https://github.com/zalandoresearch/fashion-mnist>, "Get the Data"), into the user's cache folder; or they are read
//! from a folder that the experiment file names. Either way, a file that differs from the published one is an error.
//! The page gives MD5 sums; the SHA-256 sums and sizes here are those that TensorFlow Datasets checks its downloads
//! against (`url_checksums/fashion_mnist.txt`).
//!
//! Checking and planning fetch nothing: all that a plan needs is known in advance. A folder that the experiment file
//! names is checked, though.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dataset::{Dataset, Task};
use super::fetch::{self, FetchError, Published};
use super::{DataSource, Error, Idx, IdxError, Info, Limits};

/// The settings of `source = "fashion-mnist"`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FashionMnist {
    /// A folder with the four files, under their published names. A path is relative to the experiment file. Default:
    /// the user's cache folder, to which missing files are fetched.
    folder: Option<PathBuf>,
}

/// Training images, training labels, test images, test labels.
const FILES: [Published; 4] = [
    Published {
        name: "train-images-idx3-ubyte.gz",
        size: 26_421_880,
        sha256: "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    },
    Published {
        name: "train-labels-idx1-ubyte.gz",
        size: 29_515,
        sha256: "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    },
    Published {
        name: "t10k-images-idx3-ubyte.gz",
        size: 4_422_102,
        sha256: "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    },
    Published {
        name: "t10k-labels-idx1-ubyte.gz",
        size: 5_148,
        sha256: "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    },
];

/// Where the files are published. An S3 website has no TLS; the SHA-256 sums ensure that the files are the right ones.
const ADDRESS: &str = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com";
/// A mirror to fetch from instead, such as an institute's.
const ADDRESS_VARIABLE: &str = "PARIBUS_FASHION_MNIST_URL";

/// The files are not available.
#[derive(Debug, thiserror::Error)]
pub enum FashionMnistError {
    #[error(
        "{cause}\nfetch the four files by hand ({ADDRESS}/{} and so on, or data/fashion of \
         https://github.com/zalandoresearch/fashion-mnist), and name their folder: `folder = \"...\"`",
        FILES[0].name
    )]
    Fetch { cause: FetchError },
    #[error("{cause}; the folder must hold the four files as they were published, gzipped: {}", names())]
    Folder { cause: FetchError },
    #[error("the system has no cache folder; set PARIBUS_CACHE, or fetch the files by hand and name their `folder`")]
    NoCache,
    #[error(transparent)]
    File(#[from] IdxError),
}

fn names() -> String {
    FILES.map(|file| file.name).join(", ")
}

impl FashionMnistError {
    /// The key of the `[data]` section that the error is about.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Folder { .. } => "folder",
            Self::Fetch { .. } | Self::NoCache | Self::File(_) => "source",
        }
    }
}

/// What is known about Fashion-MNIST without reading it.
fn known() -> Info {
    let task = Task::Classification { classes: 10 };
    let class_names =
        ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"];
    Info {
        class_names: class_names.map(str::to_owned).to_vec(),
        ..Info::unsplit(60_000, 10_000, 28 * 28, task, super::fingerprint_of(&FILES.map(|file| file.sha256).concat()))
    }
}

impl DataSource for FashionMnist {
    const NAME: &'static str = "fashion-mnist";
    const PATH_KEYS: &'static [&'static str] = &["folder"];
    const BYTES_PER_VALUE: u64 = 1;

    fn paths(&mut self) -> Vec<&mut PathBuf> {
        self.folder.iter_mut().collect()
    }

    /// A folder that the experiment file names must hold the files; nothing is fetched.
    fn info(&self) -> Result<Info, Error> {
        self.check(&FILES)?;
        Ok(known())
    }

    /// First fetches what is missing in the user's cache folder.
    fn load(&self, _: &Limits) -> Result<(Dataset, Info), Error> {
        let address = std::env::var(ADDRESS_VARIABLE).ok().filter(|address| !address.is_empty());
        let cache = || Some(fetch::cache()?.join("fashion-mnist"));
        Ok((self.load_from(&FILES, address.as_deref().unwrap_or(ADDRESS), cache)?, known()))
    }
}

impl FashionMnist {
    /// Checks that the folder that the experiment file names, if it names one, holds `files`.
    fn check(&self, files: &[Published; 4]) -> Result<(), FashionMnistError> {
        for (folder, file) in self.folder.iter().flat_map(|folder| files.iter().map(move |file| (folder, file))) {
            file.read(folder).map_err(|cause| FashionMnistError::Folder { cause })?;
        }
        Ok(())
    }

    fn load_from(
        &self,
        files: &[Published; 4],
        address: &str,
        cache: impl Fn() -> Option<PathBuf>,
    ) -> Result<Dataset, FashionMnistError> {
        self.check(files)?;
        let folder = match &self.folder {
            Some(folder) => folder.clone(),
            None => {
                let folder = cache().ok_or(FashionMnistError::NoCache)?;
                for file in files {
                    keep(file, address, &folder)?;
                }
                folder
            }
        };
        let [train_images, train_labels, test_images, test_labels] = files.map(|file| folder.join(file.name));
        Ok(Idx::of_ten_classes([train_images, train_labels, test_images, test_labels]).read()?.0)
    }
}

/// Ensures that `folder` holds the file.
fn keep(file: &Published, address: &str, folder: &Path) -> Result<(), FashionMnistError> {
    match file.read(folder) {
        Ok(_) => return Ok(()),
        Err(FetchError::Unreadable { cause, .. }) if cause.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!("{error}; fetching it again"),
    }
    tracing::warn!("fetching {address}/{} ({} bytes) into {}", file.name, file.size, folder.display());
    file.fetch(address, folder).map(drop).map_err(|cause| FashionMnistError::Fetch { cause })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use sha2::{Digest, Sha256};

    use super::*;
    use crate::data::fetch::tests::{send, server};
    use crate::data::{Rows, idx};

    /// Two training images and one test image of 2 × 1, in the same format as the published files.
    fn small() -> ([Published; 4], [Vec<u8>; 4]) {
        let contents = [
            idx::tests::idx(&[2, 2, 1], &[0, 51, 102, 255]),
            idx::tests::idx(&[2], &[9, 3]),
            idx::tests::idx(&[1, 2, 1], &[7, 8]),
            idx::tests::idx(&[1], &[1]),
        ]
        .map(|content| idx::tests::gzip(&content));
        let mut files = FILES;
        for (file, content) in files.iter_mut().zip(&contents) {
            let sha256: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
            (file.size, file.sha256) = (content.len() as u64, sha256.leak());
        }
        (files, contents)
    }

    /// Serves these contents; returns the address and a counter of requests.
    fn serving(contents: [Vec<u8>; 4]) -> (String, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let base = server(move |path, stream| {
            count.fetch_add(1, Ordering::Relaxed);
            let file = FILES.iter().position(|file| path == format!("/some/where/{}", file.name));
            match file {
                Some(file) => send(stream, "200 OK", contents[file].len(), &contents[file]),
                None => send(stream, "404 Not Found", 0, b""),
            }
        });
        (base, asked)
    }

    #[test]
    fn what_is_fetched_once_is_read_from_then_on() {
        let (files, contents) = small();
        let (base, asked) = serving(contents);
        let folder = tempfile::tempdir().unwrap();
        let cache = || Some(folder.path().join("fashion-mnist"));
        let load = || FashionMnist::default().load_from(&files, &base, cache).unwrap();
        let data = load();
        assert_eq!(data.train, Rows::of_images(vec![0, 51, 102, 255], &[9, 3]));
        assert_eq!(data.test, Rows::of_images(vec![7, 8], &[1]));
        assert_eq!((data.features, data.task), (2, Task::Classification { classes: 10 }));
        assert_eq!(asked.load(Ordering::Relaxed), 4);
        assert_eq!(load(), data);
        assert_eq!(asked.load(Ordering::Relaxed), 4);

        // A file that was damaged since is fetched again, and no other.
        std::fs::write(cache().unwrap().join(files[1].name), "damaged").unwrap();
        assert_eq!(load(), data);
        assert_eq!(asked.load(Ordering::Relaxed), 5);
    }

    #[test]
    fn a_wrong_file_says_what_to_do_and_is_not_kept() {
        let (files, mut contents) = small();
        contents[2][20] ^= 1;
        let (base, _) = serving(contents);
        let folder = tempfile::tempdir().unwrap();
        let error = FashionMnist::default().load_from(&files, &base, || Some(folder.path().to_owned())).unwrap_err();
        let error = error.to_string();
        assert!(error.contains(&format!("the file from {base}/{} is not the published one", files[2].name)), "{error}");
        assert!(error.contains("name their folder: `folder = \"...\"`"), "{error}");
        // The two files before it are valid and stay; the wrong one leaves nothing behind.
        let mut names: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, [files[0].name, files[1].name]);
    }

    #[test]
    fn files_of_a_folder_are_checked_and_nothing_is_fetched() {
        let (files, contents) = small();
        let (base, asked) = serving(contents.clone());
        let folder = tempfile::tempdir().unwrap();
        for (file, content) in files.iter().zip(&contents) {
            std::fs::write(folder.path().join(file.name), content).unwrap();
        }
        let mut source: FashionMnist = toml::from_str("folder = \".\"").unwrap();
        source.resolve(folder.path());
        let load = |files| source.load_from(files, &base, || panic!("no cache is needed"));
        assert_eq!(load(&files).unwrap().train.len(), 2);
        assert!(source.check(&files).is_ok());
        // The true files are different ones, and planning reports it too.
        let error = source.info().unwrap_err();
        assert_eq!((error.key(), error.to_string()), ("folder", load(&FILES).unwrap_err().to_string()));
        let error = error.to_string();
        assert!(error.contains("train-images-idx3-ubyte.gz` is not the published file"), "{error}");
        std::fs::remove_file(folder.path().join(files[3].name)).unwrap();
        let error = load(&files).unwrap_err().to_string();
        assert!(error.contains("t10k-labels-idx1-ubyte.gz` cannot be read"), "{error}");
        assert!(error.contains("must hold the four files"), "{error}");
        assert_eq!(asked.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn what_is_known_needs_no_file() {
        let info = FashionMnist::default().info().unwrap();
        assert_eq!((info.train_rows, info.test_rows, info.features, info.class_names.len()), (60_000, 10_000, 784, 10));
        assert_eq!(info.fingerprint.len(), 16);
    }
}
