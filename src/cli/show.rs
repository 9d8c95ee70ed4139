//! `paribus show FILE [RUN]`: prints an experiment, or one of its runs with all settings, as a file.

use std::process::ExitCode;

use super::experiment::ExperimentArguments;
use super::{Failure, out};
use crate::file::{Name, single};
use crate::plan::{self, Plan, PlannedRun};
use engine::random::Rng;

#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Arguments {
    #[command(flatten)]
    experiment: ExperimentArguments,
    /// One run: the first digits of its id (4 or more), or its label, such as `adam` or, with several seeds,
    /// `adam, seed 3`. Without it, the whole experiment is printed.
    run: Option<String>,
}

const HELP: &str = "\
Examples:
  paribus show experiments/ch6.toml              the file, merged with those that it extends
  paribus show experiments/ch6.toml adam         one run with every value that it uses
  paribus show experiments/ch6.toml 'adam, seed 0' > adam.toml
  paribus show experiments/ch6.toml --set train.steps=100 sgd

A run is printed as an experiment file that has this run alone, with the same id.

Writes only to stdout.

Exit codes: 0 printed, 2 a mistake in the file, or no such run.";

/// Prints the file, or the file of a run.
pub fn show(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let experiment = arguments.experiment.read()?;
    let text = match &arguments.run {
        None if experiment.is_sound() => experiment.text,
        None => return Err(experiment.into_mistakes(Vec::new()).into()),
        Some(run) => {
            let plan = Plan::new(experiment)?;
            let found = plan::find(&plan, run).map_err(Failure::input)?;
            run_text(&plan, plan.run(found), &arguments.experiment.to_string())?
        }
    };
    out(&text);
    Ok(ExitCode::SUCCESS)
}

/// The file of one run of `plan`, whose own file is called `shown`.
fn run_text(plan: &Plan, run: PlannedRun, shown: &str) -> Result<String, Failure> {
    let experiment = &plan.experiment;
    // A comment must not span lines.
    let shown = shown.replace(['\n', '\r'], " ");
    let mut text = format!("# {}, a run of {shown}\n# run_id {}\n", run.name(), run.id());
    if let Rng::Numpy(_) = experiment.rng {
        // The id depends on what the rest of the script draws, so only the whole file reproduces the run.
        text += &format!(
            "#\n# This run is part of a NumPy script, which is the whole file. To train the run alone:\n#\n\
             #     paribus run {shown} --only run_id={}\n\n",
            run.id()
        );
        return Ok(text + &experiment.text);
    }
    let failed = |error: &dyn std::fmt::Display| Failure::Operation(error.to_string());
    let name = own_name(experiment.name.as_str(), &run.id().to_string()).map_err(|error| failed(&error))?;
    let here = std::env::current_dir().map_err(|error| failed(&error))?;
    let file = single(&run.spec(), name, experiment, &plan.choice(run), &here).map_err(|error| failed(&error))?;
    Ok(format!("{text}\n{file}"))
}

/// The experiment's name and the first digits of the run's id.
fn own_name(experiment: &str, id: &str) -> Result<Name, String> {
    const LONGEST: usize = 64;
    const DIGITS: usize = 8;
    let stem: String = experiment.chars().take(LONGEST - DIGITS - 1).collect();
    Name::try_from(format!("{stem}-{}", &id[..DIGITS]))
}
