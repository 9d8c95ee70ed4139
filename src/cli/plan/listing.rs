//! A plan as text.

use super::{PlanReport, axes};
use crate::cli::merged;
use crate::cli::table::TextTable;
use crate::cli::units::{counted, duration, grouped, size};
use crate::file::{Experiment, How};
use crate::plan::{Change, Estimate, PlannedRun, State};

/// The whole report about a plan.
pub fn listing(report: &PlanReport) -> String {
    let (plan, experiment) = (report.plan, &report.plan.experiment);
    let mut text = format!("{}: {}", experiment.name.as_str(), counted(report.runs, "run"));
    if report.runs < plan.len() {
        text += &format!(" of {}", grouped(plan.len() as u128));
    }
    text += &format!(", {}\n", counted(report.steps, "step"));
    if let Some(description) = &experiment.description {
        text += &format!("{description}\n");
    }
    text += "\naxes (they multiply; the last one varies fastest, seeds innermost)\n";
    text += &axes::table(plan).render(2);
    text += "\nkeys as they were read\n";
    text += &keys(experiment).render(2);
    text += &classes(report);
    text += &match &report.list {
        Some(list) => runs(report, list),
        None => {
            "\nruns\n  too many to list here: `--list` lists them all, `--only KEY=VALUE` some of them\n".to_owned()
        }
    };
    text += &format!("\n{}\n", summary(report).join("\n"));
    text
}

fn keys(experiment: &Experiment) -> TextTable {
    let mut keys = TextTable::new([("", false), ("", false), ("", false), ("", false)]);
    for reading in &experiment.readings {
        let how = match reading.how {
            How::Value => "one value".to_owned(),
            How::Axis(count) => format!("an axis of {}", counted(count, "value")),
            How::Spaced(word, count) => format!("an axis of {}, {word}", counted(count, "value")),
            How::Drawn(word) => format!("drawn by each trial, {word}"),
            How::Unchanged => "changes nothing".to_owned(),
        };
        let from = reading.from.as_ref().map(|from| format!("from {from}")).unwrap_or_default();
        keys.row([reading.key.clone(), reading.written.clone(), how, from]);
    }
    keys
}

fn classes(report: &PlanReport) -> String {
    let data = report.plan.data(report.plan.runs());
    let mut classes: Vec<String> = data.iter().filter_map(|(_, info)| info.classes_in_words()).collect();
    classes.sort();
    classes.dedup();
    classes.into_iter().map(|classes| format!("\nclasses\n  {classes}\n")).collect()
}

fn runs(report: &PlanReport, list: &[(PlannedRun, State, Vec<Change>)]) -> String {
    let headings =
        [("id", false), ("label", false), ("seed", true), ("state", false), ("varies", false), ("why", false)];
    let mut table = TextTable::new(headings);
    for (run, state, changes) in list {
        let varies = run.varies().iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ");
        let seed = run.seed().get().to_string();
        table.row([run.id().to_string(), run.label(), seed, state.name().to_owned(), varies, why(changes)]);
    }
    let mut text = format!("\nruns\n{}", table.render(2));
    for line in merged(report.plan) {
        text += &format!("  {line}\n");
    }
    if !report.leaving.is_empty() {
        const MOST: usize = 20;
        let mut table = TextTable::new([("id", false), ("label", false), ("seed", true), ("state", false)]);
        for known in report.leaving.iter().take(MOST) {
            let (id, seed) = (known.run_id.to_string(), known.seed.to_string());
            table.row([id, known.label.clone(), seed, known.summary.status.name().to_owned()]);
        }
        text += &format!("\nruns that the file no longer asks for\n{}", table.render(2));
        if report.leaving.len() > MOST {
            text += &format!("  and {} more\n", grouped((report.leaving.len() - MOST) as u128));
        }
    }
    text
}

/// The first few changes.
fn why(changes: &[Change]) -> String {
    const MOST: usize = 3;
    let mut told: Vec<String> = changes.iter().take(MOST).map(Change::to_string).collect();
    if changes.len() > MOST {
        told.push(format!("{} more", changes.len() - MOST));
    }
    told.join(", ")
}

/// What the next `run` does, a line for each thing.
fn summary(report: &PlanReport) -> Vec<String> {
    let states = State::ALL.iter().zip(report.counts).filter(|(_, count)| *count > 0);
    let states: Vec<String> = states
        .map(|(state, count)| format!("{} {} ({})", grouped(count.into()), state.name(), state.action()))
        .collect();
    let mut lines = vec![states.join(", ")];
    let plan = report.plan;
    if plan.excluded() > 0 {
        lines.push(format!("{} left out by `exclude`", counted(plan.excluded(), "combination")));
    }
    if plan.duplicates() > 0 && report.list.is_none() {
        lines.push(format!("{} identical to others, trained only once", counted(plan.duplicates(), "combination")));
    }
    if report.relabelled > 0 {
        lines.push(format!("{} to be given a new label", counted(report.relabelled, "run")));
    }
    if !report.leaving.is_empty() {
        lines.push(format!("{} to be moved to the archive", counted(report.leaving.len(), "run")));
    }
    lines.push(match &report.estimate {
        Some(estimate) => in_words(estimate),
        None => "nothing to train".to_owned(),
    });
    lines.push(format!("results in {}", report.results.display()));
    lines
}

fn in_words(estimate: &Estimate) -> String {
    let Estimate { jobs, seconds, memory, disk, timed, shapes } = estimate;
    let shapes = match (timed, shapes) {
        (1, 1) => "one shape of run, timed".to_owned(),
        (timed, shapes) if timed == shapes => format!("{shapes} shapes of runs, timed"),
        (timed, shapes) => format!("{} of {} shapes of runs, timed", grouped(*timed as u128), grouped(*shapes as u128)),
    };
    format!(
        "about {} with {}, {} of memory, {} on disk ({shapes})",
        duration(*seconds),
        counted(*jobs, "job"),
        size(*memory as u64),
        size(*disk as u64),
    )
}
