//! The circumstances in which rows are written, stored in every file's footer.

use std::fs;
use std::path::Path;

/// The experiment, program and machine that rows come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// The experiment's name.
    pub experiment: String,
    /// The experiment file as it is run.
    pub text: String,
    /// The folder of the experiment file, which relative paths to data start from: an absolute path.
    pub folder: Option<String>,
    /// A hash of the plan.
    pub plan: String,
    /// The program's version.
    pub version: String,
    /// The commit that the program was built from, if the build provided it.
    pub commit: Option<String>,
    /// The processor's name.
    pub cpu: String,
    /// The machine's name.
    pub host: String,
}

/// Where rows come from, according to the footer of their file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    pub context: Context,
    /// The version of the program that trained the runs.
    pub numerics_version: Option<u32>,
    /// The version of the file.
    pub format_version: u32,
}

impl Context {
    /// The experiment of this name, text and plan, run by this program on this machine.
    pub fn here(experiment: impl Into<String>, text: impl Into<String>, plan: impl Into<String>) -> Self {
        Self {
            experiment: experiment.into(),
            text: text.into(),
            folder: None,
            plan: plan.into(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: option_env!("PARIBUS_COMMIT").map(str::to_owned),
            cpu: cpu().unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            host: host().unwrap_or_else(|| "an unnamed machine".to_owned()),
        }
    }

    /// The same, with an experiment file in `folder`, if that path is valid text.
    pub fn in_folder(self, folder: &Path) -> Self {
        // A bare file name is in the working directory.
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let absolute = folder.canonicalize().ok().and_then(|path| path.to_str().map(str::to_owned));
        Self { folder: absolute, ..self }
    }
}

/// According to Linux; other systems have no such file.
fn cpu() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// According to Linux, or to the environment on other systems.
fn host() -> Option<String> {
    fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .or_else(|_| std::env::var("COMPUTERNAME"))
        .or_else(|_| std::env::var("HOSTNAME"))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_about_the_machine_is_empty() {
        let context = Context::here("ch6", "seeds = 3", "00ff");
        assert!(!context.cpu.is_empty() && !context.host.is_empty());
        assert_eq!(context.version, env!("CARGO_PKG_VERSION"));
    }
}
