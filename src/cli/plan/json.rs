//! A plan for programs: one JSON object.

use serde_json::{Map, Value, json};

use super::Report;
use crate::plan::{Axis, Change, Space, State};

/// Values of an axis beyond these are counted only.
const MOST_VALUES: usize = 10_000;

/// The object, on lines of its own.
pub fn json(report: &Report) -> String {
    let experiment = report.experiment;
    let counts: Map<String, Value> =
        State::ALL.iter().zip(report.counts).map(|(state, count)| (state.name().to_owned(), count.into())).collect();
    let estimate = report.estimate.map(|estimate| {
        json!({
            "jobs": estimate.jobs,
            "seconds": estimate.seconds,
            "memory_bytes": estimate.memory,
            "disk_bytes": estimate.disk,
            "shapes": estimate.shapes,
            "shapes_timed": estimate.timed,
        })
    });
    let mut object = json!({
        "experiment": experiment.name.as_str(),
        "description": experiment.description,
        "results": report.results.display().to_string(),
        "runs": report.runs,
        "runs_of_the_plan": report.of,
        "steps": u64::try_from(report.steps).unwrap_or(u64::MAX),
        "seeds": experiment.seeds.get().iter().map(|seed| seed.get()).collect::<Vec<_>>(),
        "axes": axes(report.space),
        "states": counts,
        "excluded": report.survey.excluded,
        "duplicates": report.survey.duplicates,
        "to_relabel": report.list.as_ref().map(|_| report.relabelled),
        "to_archive": report.leaving,
        "estimate": estimate,
    });
    if let Some(list) = &report.list {
        let runs = list.runs.iter().map(|(run, state, changes)| {
            json!({
                "run_id": run.id.to_string(),
                "trajectory_id": run.trajectory_id.to_string(),
                "label": run.label,
                "seed": run.seed.get(),
                "state": state.name(),
                "action": state.action(),
                "changes": changes.iter().map(change).collect::<Vec<_>>(),
                "varies": run.varies.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
                "settings": run.settings(),
            })
        });
        let leaving = list
            .leaving
            .iter()
            .map(|known| json!({ "run_id": known.run_id.to_string(), "label": known.label, "seed": known.seed }));
        let duplicates =
            list.duplicates.iter().map(|duplicate| json!({ "label": duplicate.label, "same_as": duplicate.same_as }));
        object["list"] = runs.collect();
        object["leaving"] = leaving.collect();
        object["merged"] = duplicates.collect();
    }
    format!("{object:#}\n")
}

fn change(change: &Change) -> Value {
    match change {
        Change::Setting { name, from, to } => json!({ "setting": name, "from": from, "to": to }),
        Change::Data => json!({ "data": "changed" }),
        Change::Numerics { from } => {
            json!({ "numerics_version": { "from": from, "to": crate::settings::NUMERICS_VERSION } })
        }
    }
}

/// The axes, each with those within its values.
fn axes(space: &Space) -> Value {
    let told = space.axes.iter().filter(|axis| axis.is_declared && !axis.is_given).map(axis);
    // One optimizer alone is no axis, but what it holds may be.
    let alone = space.axes.iter().filter(|axis| !axis.is_declared && !axis.is_given);
    let within = alone.flat_map(|axis| &axis.alternatives).flat_map(|one| match axes(&one.inner) {
        Value::Array(axes) => axes,
        _ => Vec::new(),
    });
    told.chain(within).collect()
}

fn axis(axis: &Axis) -> Value {
    let values: Vec<&str> = axis.alternatives.iter().take(MOST_VALUES).map(|one| one.value.as_str()).collect();
    let mut object = json!({ "name": axis.name, "count": axis.alternatives.len(), "values": values });
    let inner = axis.alternatives.iter().take(MOST_VALUES).filter_map(|one| match axes(&one.inner) {
        Value::Array(axes) if !axes.is_empty() => Some((one.value.clone(), Value::Array(axes))),
        _ => None,
    });
    let inner: Map<String, Value> = inner.collect();
    if !inner.is_empty() {
        object["within"] = Value::Object(inner);
    }
    object
}
