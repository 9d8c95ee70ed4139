//! Finds results folders and runs by the names that people type, and the experiment in a folder.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use super::Failure;
use crate::file::{Experiment, Mistakes};
use crate::plan::Plan;
use crate::store::{Context, Inventory, StoredRun, Survey};
use engine::names::{did_you_mean, suggestion};
use engine::settings::RunId;

/// Where `run` puts results folders.
pub const RESULTS: &str = "results";

/// Checks that `path` is a results folder.
///
/// # Errors
/// If it is not a results folder, with suggestions.
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
            found if found.is_empty() => format!("there is none in `{RESULTS}` either; `paribus run FILE` makes one"),
            found => format!("the folders here are {}", found.join(", ")),
        },
    };
    Err(Failure::input(format!("`{shown}` is not a results folder: {what}\nhelp: {help}")))
}

/// The runs of one results folder that `typed` names, with the folder and its inventory.
///
/// `FOLDER:RUN` names a run of a folder. A RUN alone is searched for in `results`, or else in all folders in
/// [`RESULTS`]. A run is named by its label, by `LABEL/SEED` or `LABEL, seed SEED`, or by its id or the beginning of
/// it. Runs in the tables take precedence over those in the archive.
///
/// # Errors
/// If there is no such run (with suggestions), or several folders have one.
pub fn runs(typed: &str, results: Option<&Path>) -> Result<(PathBuf, Inventory, HashSet<RunId>), Failure> {
    let (folders, run) = match (results, with_folder(typed)) {
        (None, Some((folder, run))) => (vec![folder], run),
        (Some(results), _) => (vec![folder(results)?.to_owned()], typed),
        (None, None) => {
            let names = Survey::results_in(Path::new(RESULTS)).map_err(Failure::input)?;
            (names.iter().map(|name| Path::new(RESULTS).join(name)).collect(), typed)
        }
    };
    let mut found: Vec<(PathBuf, Inventory, HashSet<RunId>)> = Vec::new();
    let mut labels: BTreeSet<String> = BTreeSet::new();
    for folder in &folders {
        let inventory = Inventory::look(folder).map_err(Failure::input)?;
        let runs = named(&inventory, run);
        if runs.is_empty() {
            labels.extend(inventory.runs.values().chain(inventory.archived.values()).map(|run| run.label.clone()));
        } else {
            found.push((folder.clone(), inventory, runs));
        }
    }
    if let [_, _, ..] = found.as_slice() {
        let folders: Vec<String> = found.iter().map(|(folder, ..)| format!("`{}:{run}`", folder.display())).collect();
        return Err(Failure::input(format!("`{run}` could be any of {}", folders.join(", "))));
    }
    found.pop().ok_or_else(|| {
        let places = match folders.as_slice() {
            [] => format!("there is no results folder in `{RESULTS}`"),
            [only] => format!("`{}` has no run `{run}`", only.display()),
            _ => format!("no folder in `{RESULTS}` has a run `{run}`"),
        };
        let label = with_seed(run).map_or(run, |(label, _)| label);
        let help = suggestion(label, labels.iter().map(String::as_str));
        let help = help.as_deref().unwrap_or(
            "name a run by its label, by LABEL/SEED, or by the first digits of its id; `FOLDER:RUN` also names its \
             results folder",
        );
        Failure::input(format!("{places}\nhelp: {help}"))
    })
}

/// Splits `FOLDER:RUN`, if there is such a results folder.
fn with_folder(typed: &str) -> Option<(PathBuf, &str)> {
    typed.match_indices(':').find_map(|(colon, _)| {
        let (folder, run) = (Path::new(&typed[..colon]), &typed[colon + 1..]);
        let places = [folder.to_owned(), Path::new(RESULTS).join(folder)];
        let folder = places.into_iter().find(|folder| Survey::is_of_results(folder));
        folder.filter(|_| colon > 0).map(|folder| (folder, run))
    })
}

/// Splits `LABEL/SEED` or `LABEL, seed SEED`.
fn with_seed(name: &str) -> Option<(&str, u64)> {
    let (label, seed) = name.rsplit_once(", seed ").or_else(|| name.rsplit_once('/'))?;
    Some((label, seed.parse().ok()?))
}

/// The runs that `name` names; runs in the archive only if the tables have none.
fn named(inventory: &Inventory, name: &str) -> HashSet<RunId> {
    let with_seed = with_seed(name);
    // The fewest digits of an id that name a run.
    const DIGITS: usize = 4;
    let ways: [&dyn Fn(&StoredRun) -> bool; 3] =
        [&|run| run.label == name, &|run| with_seed == Some((&run.label, run.seed)), &|run| {
            name.len() >= DIGITS && run.run_id.to_string().starts_with(name)
        }];
    for runs in [&inventory.runs, &inventory.archived] {
        for is_meant in ways {
            let meant: HashSet<RunId> = runs.values().filter(|run| is_meant(run)).map(|run| run.run_id).collect();
            if !meant.is_empty() {
                return meant;
            }
        }
    }
    HashSet::new()
}

/// The folder at which an experiment's relative paths begin: its file's folder if that still exists, else the working
/// directory.
pub fn folder_of_the_file(context: &Context) -> PathBuf {
    let recorded = context.folder.as_ref().map(PathBuf::from);
    recorded.filter(|folder| folder.is_dir()).unwrap_or_default()
}

/// The plan of an experiment that was run, made from `text`; errors call it `shown`.
pub fn plan(shown: &str, text: String, name: &str, folder: PathBuf) -> Result<Plan, Mistakes> {
    Experiment::parse(shown, text, name, folder).and_then(Plan::new)
}

/// The file with exactly this text in the folder that the experiment was run from, relative to the working directory.
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
