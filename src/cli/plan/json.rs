//! A plan for programs: one JSON object.

use serde_json::{Map, Value, json};

use super::PlanReport;
use crate::plan::{Change, Plan, Space, State, Wheel};
use crate::value::Choice;

/// Further values of an axis are only counted.
const MOST_VALUES: usize = 10_000;

/// The object, over several lines.
pub fn json(report: &PlanReport) -> String {
    let (plan, experiment) = (report.plan, &report.plan.experiment);
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
        "runs_of_the_plan": plan.len(),
        "steps": u64::try_from(report.steps).unwrap_or(u64::MAX),
        "seeds": experiment.seeds.get().iter().map(|seed| seed.get()).collect::<Vec<_>>(),
        "axes": axes(plan, &plan.space, &mut experiment.first_choice()),
        "states": counts,
        "excluded": plan.excluded(),
        "duplicates": plan.duplicates(),
        "to_relabel": report.relabelled,
        "to_archive": report.leaving.len(),
        "estimate": estimate,
    });
    if let Some(list) = &report.list {
        let runs = list.iter().map(|(run, state, changes)| {
            let identity = run.identity();
            json!({
                "run_id": run.id().to_string(),
                "trajectory_id": identity.trajectory_id.to_string(),
                "label": run.label(),
                "seed": run.seed().get(),
                "state": state.name(),
                "action": state.action(),
                "changes": changes.iter().map(change).collect::<Vec<_>>(),
                "varies": run.varies().into_iter().collect::<std::collections::BTreeMap<_, _>>(),
                "settings": identity.settings,
            })
        });
        let leaving = report
            .leaving
            .iter()
            .map(|known| json!({ "run_id": known.run_id.to_string(), "label": known.label, "seed": known.seed }));
        let duplicates =
            plan.merged().map(|duplicate| json!({ "label": duplicate.label, "same_as": duplicate.same_as }));
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
            json!({ "numerics_version": { "from": from, "to": engine::settings::NUMERICS_VERSION } })
        }
    }
}

/// The axes, each with the axes within its values.
fn axes(plan: &Plan, space: &Space, choice: &mut Choice) -> Vec<Value> {
    space.wheels().map(|wheel| axis(plan, wheel, choice)).collect()
}

fn axis(plan: &Plan, wheel: &Wheel, choice: &mut Choice) -> Value {
    let (mut values, mut within) = (Vec::new(), Map::new());
    for position in 0..wheel.count.min(MOST_VALUES) {
        plan.experiment.choose(choice, wheel.site.axis.id, position);
        let value = wheel.value(choice);
        let inner = axes(plan, wheel.inner(position), choice);
        if !inner.is_empty() {
            within.insert(value.clone(), inner.into());
        }
        values.push(value);
    }
    let mut object = json!({ "name": wheel.name(), "count": wheel.count, "values": values });
    if !within.is_empty() {
        object["within"] = Value::Object(within);
    }
    object
}
