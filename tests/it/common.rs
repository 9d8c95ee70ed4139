//! A separate folder for each test, in which the real program runs.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A small experiment on the real MNIST, with runs of a fraction of a second.
pub const SMALL: &str = r#"
name = "small"
seeds = 2

[data]
source = "mnist"
train_rows = 500
test_rows = 100

[network]
hidden = [20, 10]

[train]
batch_size = 50
steps = 30

[record]
evaluate = { on = ["train", "test"], every = "epoch" }

[optimizer.sgd]
lr = 0.1
[optimizer.adam]
"#;

/// A temporary folder that the program runs in.
pub struct Scratch(tempfile::TempDir);

impl Scratch {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder can be made"))
    }

    /// A folder with the experiment file `small.toml`.
    pub fn with(experiment: &str) -> Self {
        let scratch = Self::new();
        scratch.write("small.toml", experiment);
        scratch
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).expect("the file can be written");
    }

    /// The program with these arguments, split at blanks.
    pub fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_paribus"));
        command
            .args(arguments.split_whitespace())
            .current_dir(self.path())
            .env_remove("PARIBUS_LOG")
            .env("NO_COLOR", "1");
        command
    }

    pub fn run(&self, arguments: &str) -> Ran {
        self.run_with(arguments, &[])
    }

    /// The same with these environment variables set.
    pub fn run_with(&self, arguments: &str, variables: &[(&str, &str)]) -> Ran {
        let mut command = self.command(arguments);
        Ran::new(command.envs(variables.iter().copied()).output().expect("the program starts"))
    }

    /// Every file below `folder` except the lock, sorted, with the hash of its contents.
    pub fn files(&self, folder: &str) -> Vec<(PathBuf, String)> {
        fn walk(folder: &Path, files: &mut Vec<(PathBuf, String)>) {
            let Ok(entries) = std::fs::read_dir(folder) else { return };
            for entry in entries.map(|entry| entry.expect("the folder can be read").path()) {
                if entry.is_dir() {
                    walk(&entry, files);
                } else if !entry.ends_with(".lock") {
                    let bytes = std::fs::read(&entry).expect("the file can be read");
                    files.push((entry, blake3::hash(&bytes).to_hex().to_string()));
                }
            }
        }
        let mut files = Vec::new();
        walk(&self.path().join(folder), &mut files);
        files.sort();
        files
    }
}

/// The output of `plan`, without what differs between machines.
pub fn settled(text: &str) -> String {
    let line = |line: &str| match line.contains(" on disk (") {
        true => "about … on disk".to_owned(),
        false => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// What the program printed, and its exit code.
#[derive(Debug)]
pub struct Ran {
    pub stdout: String,
    pub stderr: String,
    pub code: i32,
}

impl Ran {
    fn new(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("the program prints UTF-8");
        Self { stdout: text(output.stdout), stderr: text(output.stderr), code: output.status.code().unwrap_or(-1) }
    }

    /// The same, after checking that the program succeeded.
    #[track_caller]
    pub fn well(self) -> Self {
        assert_eq!(self.code, 0, "{self:#?}");
        self
    }
}
