//! `paribus plan FILE`: what would run and why, before anything does.

use std::path::PathBuf;
use std::process::ExitCode;

use super::table::Table;
use super::{Failure, counted, grouped, out, results_folder, select};
use crate::file::Experiment;
use crate::plan::{Plan, PlannedRun};
use crate::store::{Inventory, Status};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The experiment file.
    file: PathBuf,
    /// The folder to look for results in [default: results/NAME]
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,
    /// Only the runs with this setting, such as optimizer=adam or seed=0; repeat it for more values or more settings.
    #[arg(long, value_name = "KEY=VALUE")]
    only: Vec<String>,
}

/// Lists every run of a file.
pub fn plan(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let plan = Experiment::read(&arguments.file).and_then(Plan::new)?;
    let chosen = select(&plan, &arguments.only)?;
    let results = results_folder(&plan, arguments.results.clone());
    let inventory = Inventory::look(&results)?;
    out(&listing(&plan, &chosen, &inventory));
    Ok(ExitCode::SUCCESS)
}

/// Everything there is to say about a plan, as text.
fn listing(plan: &Plan, chosen: &[usize], inventory: &Inventory) -> String {
    let mut text = format!("{}: ", plan.experiment.name.as_str());
    let runs: Vec<&PlannedRun> = chosen.iter().map(|&index| &plan.runs[index]).collect();
    let steps: u128 = runs.iter().map(|run| u128::from(run.spec.steps())).sum();
    text += &counted(runs.len(), "run");
    if runs.len() < plan.runs.len() {
        text += &format!(" of {}", grouped(plan.runs.len() as u128));
    }
    text += &format!(", {}\n", counted(steps, "step"));
    if let Some(description) = &plan.experiment.description {
        text += &format!("{description}\n");
    }

    text += "\naxes (they multiply; the last one varies fastest, seeds innermost)\n";
    text += &axes(plan).render(2);
    text += "\nkeys as they were read\n";
    let mut keys = Table::new([("", false), ("", false), ("", false)]);
    for reading in &plan.readings {
        let how = match reading.alternatives {
            Some(count) => format!("an axis of {}", counted(count, "value")),
            None => "one value".to_owned(),
        };
        keys.row([reading.key.clone(), reading.written.clone(), how]);
    }
    text += &keys.render(2);

    text += "\nruns\n";
    let mut table = Table::new([("id", false), ("label", false), ("seed", true), ("state", false), ("varies", false)]);
    let mut counts = [0u64; STATES.len()];
    for run in &runs {
        let state = state(run, inventory);
        counts[state] += 1;
        let varies = run.varies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ");
        let seed = run.spec.seed().get().to_string();
        table.row([run.id.to_string(), run.label.clone(), seed, STATES[state].0.to_owned(), varies]);
    }
    text += &table.render(2);
    for duplicate in &plan.duplicates {
        text += &format!("  {duplicate}\n");
    }

    let counts: Vec<String> = STATES
        .iter()
        .zip(counts)
        .filter(|(_, count)| *count > 0)
        .map(|((name, meaning), count)| format!("{count} {name} ({meaning})"))
        .collect();
    text += &format!("\n{}\n", counts.join(", "));
    text
}

/// What a run can be before `run`, and what `run` then does.
const STATES: [(&str, &str); 5] = [
    ("new", "to be trained"),
    ("finished", "kept"),
    ("diverged", "kept"),
    ("failed", "to be trained again"),
    ("archived", "to be taken back"),
];

fn state(run: &PlannedRun, inventory: &Inventory) -> usize {
    match inventory.runs.get(&run.id).map(|known| known.summary.status) {
        Some(Status::Finished) => 1,
        Some(Status::Diverged) => 2,
        Some(Status::Failed) => 3,
        None if inventory.archived.contains_key(&run.id) => 4,
        None => 0,
    }
}

fn axes(plan: &Plan) -> Table {
    fn add(table: &mut Table, space: &crate::plan::Space, under: &str) {
        for axis in &space.axes {
            let values = axis.alternatives.iter().map(|alternative| alternative.value.as_str());
            if axis.is_declared() {
                let name = format!("{under}{}", axis.name);
                table.row([name, axis.alternatives.len().to_string(), values.collect::<Vec<_>>().join(", ")]);
            }
            for alternative in &axis.alternatives {
                add(table, &alternative.inner, &format!("{under}{}: ", alternative.value));
            }
        }
    }
    let mut table = Table::new([("", false), ("", true), ("", false)]);
    add(&mut table, &plan.space, "");
    let seeds: Vec<String> = plan.experiment.seeds.get().iter().map(|seed| seed.get().to_string()).collect();
    let listed = if seeds.len() > 20 {
        format!("{}, …, {}", seeds[..3].join(", "), seeds[seeds.len() - 1])
    } else {
        seeds.join(", ")
    };
    table.row(["seed".to_owned(), seeds.len().to_string(), listed]);
    table
}
