//! The arguments that select an experiment: its file, and the changes of `--set`.

use std::path::{Path, PathBuf};

use crate::file::{Experiment, Mistakes};
use crate::shell;

/// The arguments that name one experiment.
#[derive(Debug, clap::Args)]
pub struct ExperimentArguments {
    /// The experiment file.
    file: PathBuf,
    #[command(flatten)]
    set: SetArguments,
}

/// The arguments that change what a file says.
#[derive(Debug, clap::Args)]
pub struct SetArguments {
    /// Set a key of the file to another value, in TOML: train.steps=100, 'optimizer.adam.lr=[0.1, 0.01]'. +KEY=VALUE
    /// adds a key. Repeat --set for more keys.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl ExperimentArguments {
    /// Reads the experiment.
    pub fn read(&self) -> Result<Experiment, Mistakes> {
        self.set.read(&self.file)
    }
}

impl std::fmt::Display for ExperimentArguments {
    /// As typed in a command.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&shell::word(&self.file.to_string_lossy()))?;
        self.set.set.iter().try_for_each(|argument| write!(f, " --set {}", shell::word(argument)))
    }
}

impl SetArguments {
    /// Reads the experiment at `path`, with the changes.
    pub fn read(&self, path: &Path) -> Result<Experiment, Mistakes> {
        Experiment::read_with(path, &self.set)
    }
}
