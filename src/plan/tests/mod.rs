//! Plans: sizes, ids and labels depend on what a file means, not on how it is written.

use std::collections::HashSet;
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::file::{Experiment, File};
use crate::value::Choice;
use crate::value::deserialize::deserialize;
use engine::settings::RunId;

pub(super) mod round_trip;
mod schema;
mod stream;
mod sweep;

pub(super) fn plan(text: &str) -> Plan {
    let experiment = Experiment::parse("test.toml", text.to_owned(), "test", PathBuf::new());
    experiment.and_then(Plan::new).unwrap_or_else(|mistakes| panic!("{}\n{text}", mistakes.render(false)))
}

pub(super) fn ids(text: &str) -> Vec<RunId> {
    plan(text).runs().map(|run| run.id()).collect()
}

pub(super) fn labels(text: &str) -> Vec<String> {
    let mut labels: Vec<String> = plan(text).runs().map(|run| run.label()).collect();
    labels.dedup();
    labels
}

/// The sound file under `choice`, with paths resolved.
pub(super) fn file_under(experiment: &Experiment, choice: &Choice) -> File {
    let mut file: File = deserialize(&experiment.tree.root, choice, &HashSet::new()).unwrap();
    file.data.iter_mut().for_each(|data| data.resolve(&experiment.folder));
    file
}

const LEAST: &str = "data.source = 'mnist'\nnetwork.hidden = []\ntrain.steps = 5\n";

fn with(rest: &str) -> String {
    format!("{LEAST}{rest}")
}

#[test]
fn the_ids_of_the_reference_experiment_stay_what_they_are() {
    let text = include_str!("../../../experiments/ch6.toml");
    let runs: Vec<String> =
        plan(text).runs().map(|run| format!("{} {} {}", run.id(), run.identity().trajectory_id, run.label())).collect();
    insta::assert_snapshot!(runs.join("\n"));
}

#[test]
fn one_optimizer_is_no_axis_and_several_are() {
    assert_eq!(labels(&with("optimizer = 'sgd'")), ["sgd"]);
    assert_eq!(labels(&with("[optimizer.fast]\nkind = 'sgd'")), ["fast"]);
    assert_eq!(labels(&with("optimizer = ['sgd', 'adam']")), ["sgd", "adam"]);
    assert_eq!(labels(&with("init.weights = ['he', 0.1]\n[optimizer.sgd]")), ["he", "weights=0.1"]);
    assert_eq!(
        labels(&with("[optimizer]\nlr = [0.1, 1]\n[optimizer.sgd]\n[optimizer.adam]\nlr = 1e-5")),
        ["sgd, lr=0.1", "sgd, lr=1", "adam"]
    );
    assert_eq!(labels(&with("optimizer = { kind = 'sgd', lr = [0.1, 1] }")), ["lr=0.1", "lr=1"]);
}

#[test]
fn short_lists_and_tables_mean_the_same() {
    let tables = ids(&with("[optimizer.sgd]\n[optimizer.adam]"));
    assert_eq!(ids(&with("optimizer = ['sgd', 'adam']")), tables);
    assert_eq!(ids(&with("optimizer = [{ kind = 'sgd', lr = 0.01 }, 'adam']")), tables);
    assert_eq!(ids(&with("[optimizer.a]\nkind = 'sgd'\n[optimizer.b]\nkind = 'adam'")), tables);
}

#[test]
fn epochs_are_steps_and_limits_are_counts() {
    let steps = ids("data.source = 'mnist'\nnetwork.hidden = []\ntrain.steps = 938\noptimizer = 'sgd'");
    assert_eq!(ids("data.source = 'mnist'\nnetwork.hidden = []\ntrain.epochs = 2\noptimizer = 'sgd'"), steps);
    assert_eq!(
        ids("data = { source = 'mnist', train_rows = 60_000 }\nnetwork.hidden = []\ntrain.steps = 938\n\
             optimizer = 'sgd'"),
        steps
    );
}

#[test]
fn no_limit_to_gradients_can_be_written() {
    let none = ids(&with("optimizer = 'sgd'"));
    let both = ids(&with("optimizer = 'sgd'\nregularization.clip_norm = [inf, 1.0]"));
    assert_eq!((both.len(), both[0]), (2, none[0]));
}

#[test]
fn cells_with_the_same_settings_are_one_run() {
    let plan = plan(&with("[optimizer.a]\nkind = 'sgd'\n[optimizer.b]\nkind = 'sgd'\nlr = 0.01"));
    assert_eq!(plan.len(), 1);
    assert_eq!(plan.merged().collect::<Vec<_>>(), [Duplicate { label: "b".to_owned(), same_as: "a".to_owned() }]);
}

#[test]
fn how_each_key_was_read_is_told() {
    let text = with("[optimizer]\nlr = { values = [0.1] }\n[optimizer.sgd]\n[optimizer.fast]\nkind = 'adam'\n");
    let read: Vec<String> = plan(&text)
        .experiment
        .readings
        .iter()
        .map(|reading| format!("{} = {} ({:?})", reading.key, reading.written, reading.how))
        .collect();
    insta::assert_snapshot!(read.join("\n"), @r"
    data.source = 'mnist' (Value)
    network.hidden = [] (Value)
    train.steps = 5 (Value)
    optimizer.sgd.lr = { values = [0.1] } (Axis(1))
    optimizer.fast.lr = { values = [0.1] } (Axis(1))
    optimizer.fast.kind = 'adam' (Value)
    ");
}

/// Distinct values of a few settings, as TOML.
fn axes() -> impl Strategy<Value = Vec<(&'static str, Vec<String>)>> {
    fn values<T: std::fmt::Debug + Ord>(values: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<T>> {
        prop::collection::btree_set(values, 1..4).prop_map(|set| set.into_iter().collect())
    }
    let texts = |values: Vec<u32>, write: fn(u32) -> String| values.into_iter().map(write).collect::<Vec<_>>();
    (values(1_u32..500), values(1_u32..500), values(0_u32..30), values(1_u32..50)).prop_map(
        move |(batch, hidden, lr, decay)| {
            vec![
                ("train.batch_size", texts(batch, |size| size.to_string())),
                ("network.hidden", texts(hidden, |width| format!("[{width}]"))),
                ("optimizer.sgd.lr", texts(lr, |exponent| format!("1e-{exponent}"))),
                ("regularization.weight_decay", texts(decay, |decay| format!("0.{decay:03}"))),
            ]
        },
    )
}

fn written(axes: &[(&str, Vec<String>)], seeds: u64) -> String {
    let lines = axes.iter().map(|(key, values)| format!("{key} = [{}]\n", values.join(", ")));
    format!("seeds = {seeds}\ndata.source = 'mnist'\ntrain.steps = 5\n{}", lines.collect::<String>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_plan_has_a_run_for_each_combination(axes in axes(), seeds in 1_u64..3) {
        let plan = plan(&written(&axes, seeds));
        let size: usize = axes.iter().map(|(_, values)| values.len()).product();
        prop_assert_eq!(plan.len(), size * seeds as usize);
        let distinct: std::collections::HashSet<_> = plan.runs().map(|run| run.id()).collect();
        prop_assert_eq!(distinct.len(), plan.len());
        let labels: std::collections::HashSet<_> = plan.runs().map(|run| (run.label(), run.seed())).collect();
        prop_assert_eq!(labels.len(), plan.len());
    }

    #[test]
    fn a_script_of_each_run_is_planned_as_runs_are(axes in axes(), seeds in 1_u64..3) {
        let text = written(&axes, seeds);
        let scripts = ids(&format!("rng = 'numpy'\n{text}"));
        prop_assert_eq!(&scripts, &ids(&format!("rng = {{ kind = 'numpy', group = [], chain = [] }}\n{text}")));
        let own = ids(&text);
        prop_assert_eq!(scripts.len(), own.len());
        prop_assert!(scripts.iter().all(|id| !own.contains(id)));
    }

    #[test]
    fn what_stands_behind_in_a_chain_changes_no_id(
        lr in prop::collection::btree_set(1_u32..99, 3..6),
        decay in prop::collection::btree_set(1_u32..99, 2..4),
        group in any::<bool>(),
    ) {
        let share = |value: &u32| format!("0.{value:02}");
        let listed = |values: Vec<u32>| values.iter().map(share).collect::<Vec<_>>().join(", ");
        let group = if group { ", group = ['weight_decay']" } else { "" };
        let chained = |count: usize| {
            let lr = listed(lr.iter().copied().take(count).collect());
            let decay = listed(decay.iter().copied().collect());
            ids(&with(&format!(
                "rng = {{ kind = 'numpy', chain = ['lr']{group} }}\noptimizer.sgd.lr = [{lr}]\n\
                 regularization.weight_decay = [{decay}]"
            )))
        };
        let (before, after) = (chained(2), chained(lr.len()));
        prop_assert_eq!((before.len(), after.len()), (2 * decay.len(), lr.len() * decay.len()));
        prop_assert!(before.iter().all(|id| after.contains(id)));
    }

    #[test]
    fn a_function_is_planned_as_a_network_is(
        starts in prop::collection::btree_set((-9_i32..9, -9_i32..9), 2..4),
        steps in 0_u32..90,
    ) {
        let starts: Vec<String> = starts.iter().map(|(x, y)| format!("[{x}, {y}]")).collect();
        let text = |starts: &[String]| {
            format!("function = {{ kind = 'rosenbrock', start = [{}] }}\ntrain.steps = {steps}\n\
                     optimizer = ['sgd', 'adam']\n", starts.join(", "))
        };
        let all = ids(&text(&starts));
        prop_assert_eq!(all.len(), 2 * starts.len());
        let spelled_out = text(&starts).replace("'rosenbrock'", "'rosenbrock', a = 1.0, b = 100");
        prop_assert_eq!(&ids(&spelled_out), &all);
        prop_assert!(ids(&text(&starts[..1])).iter().all(|id| all.contains(id)));
    }

    #[test]
    fn the_order_of_keys_changes_no_id(axes in axes(), rotation in 0_usize..4) {
        let mut turned = axes.clone();
        turned.rotate_left(rotation);
        let (mut one, mut other) = (ids(&written(&axes, 1)), ids(&written(&turned, 1)));
        one.sort();
        other.sort();
        prop_assert_eq!(one, other);
    }

    #[test]
    fn comments_blanks_and_spelled_out_defaults_change_no_id(axes in axes()) {
        let text = written(&axes, 1);
        let dressed = format!("# a comment\n\n{}\ndescription = 'x'\nname = 'y'\ntrain.sampling = 'with-replacement'\n\
                               init.bias = 0\n", text.replace('\n', " # why\n"));
        prop_assert_eq!(ids(&text), ids(&dressed));
    }

    #[test]
    fn growing_an_axis_keeps_the_runs_that_were_there(axes in axes(), which in 0_usize..4, seeds in 1_u64..3) {
        let grown_values = ["777", "[777]", "0.777", "0.777"];
        let mut grown = axes.clone();
        grown[which].1.push(grown_values[which].to_owned());
        let (before, after) = (plan(&written(&axes, seeds)), plan(&written(&grown, seeds + 1)));
        for run in before.runs() {
            let same = after.runs().find(|other| other.id() == run.id());
            prop_assert_eq!(same.map(|same| same.label()), Some(run.label()));
            prop_assert_eq!(same.map(|same| same.identity().trajectory_id), Some(run.identity().trajectory_id));
        }
    }
}
