//! Results folders as a person names them, and the experiment that lies in one.

use std::path::{Path, PathBuf};

use super::Failure;
use crate::file::{Experiment, Mistakes};
use crate::plan::Plan;
use crate::store::{Context, Survey};
use crate::value::problem::did_you_mean;

/// Where `run` puts results folders.
pub const RESULTS: &str = "results";

/// Checks that `path` is a results folder.
///
/// # Errors
/// Where it is none, with those that may be meant.
pub fn folder(path: &Path) -> Result<&Path, Failure> {
    if Survey::is_of_results(path) {
        return Ok(path);
    }
    let shown = path.display();
    let what = if path.is_dir() {
        "no run has written to it"
    } else if path.exists() {
        "it is a file"
    } else {
        "it does not exist"
    };
    let typed = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let typed = typed.strip_suffix(".toml").unwrap_or(&typed);
    let known = Survey::results_in(Path::new(RESULTS)).unwrap_or_default();
    let known = known.iter().map(String::as_str);
    let help = match did_you_mean(typed, known.clone()) {
        Some(meant) => format!("did you mean `{RESULTS}/{meant}`?"),
        None => match known.clone().map(|name| format!("`{RESULTS}/{name}`")).collect::<Vec<_>>() {
            found if found.is_empty() => format!("there is none in `{RESULTS}`, either; `paribus run FILE` makes one"),
            found => format!("there are {}", found.join(", ")),
        },
    };
    Err(Failure::Input(format!("error: `{shown}` is no results folder: {what}\nhelp: {help}\n")))
}

/// The folder that relative paths of an experiment begin at: the one that its file was in, where that is there, else the one that
/// the person is in.
pub fn folder_of_the_file(context: &Context) -> PathBuf {
    let recorded = context.folder.as_ref().map(PathBuf::from);
    recorded.filter(|folder| folder.is_dir()).unwrap_or_default()
}

/// The plan of an experiment that was run: of `text`, which errors call `shown`.
pub fn plan(shown: &str, text: String, name: &str, folder: PathBuf) -> Result<Plan, Mistakes> {
    Experiment::parse(shown, text, name, folder).and_then(Plan::new)
}

/// The file with exactly this text in the folder that the experiment was run from, as seen from the working directory.
pub fn file(context: &Context, text: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(context.folder.as_ref()?);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&folder).ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    let is_it = |path: &&PathBuf| {
        path.extension().is_some_and(|extension| extension == "toml")
            && std::fs::metadata(path).is_ok_and(|metadata| metadata.len() == text.len() as u64)
            && std::fs::read(path).is_ok_and(|bytes| bytes == text.as_bytes())
    };
    let file = files.iter().find(is_it)?;
    let here = std::env::current_dir().and_then(|here| here.canonicalize()).ok()?;
    Some(file.strip_prefix(here).map_or_else(|_| file.clone(), Path::to_path_buf))
}
