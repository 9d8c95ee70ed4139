//! Plans with axes that move together, variants and trials.

use std::collections::{BTreeMap, HashSet};

use proptest::prelude::*;
use rayon::iter::ParallelIterator;

use super::{ids, labels, plan};
use crate::file::Experiment;
use crate::plan::*;
use engine::settings::{RunId, Scalar};

const LEAST: &str = "data.source = 'mnist'\nnetwork.hidden = []\n";

fn with(rest: &str) -> String {
    format!("{LEAST}{rest}")
}

fn float(run: PlannedRun, name: &str) -> f64 {
    match run.identity().settings.get(name) {
        Some(Scalar::Float(value)) => *value,
        other => panic!("{name} is {other:?}"),
    }
}

/// The values of a setting, run by run.
fn values(text: &str, name: &str) -> Vec<String> {
    let value = |run: PlannedRun| run.identity().settings.get(name).map_or_else(String::new, Scalar::to_string);
    plan(text).runs().map(value).collect()
}

#[test]
fn regular_distances_make_an_axis() {
    let text = with("optimizer = 'sgd'\ntrain.steps = { linspace = [10, 30, 3] }");
    assert_eq!(labels(&text), ["steps=10", "steps=20", "steps=30"]);
    let text = with("optimizer = 'sgd'\ntrain.steps = 1\ninit.weights = { geomspace = [1.0, 0.01, 3] }");
    assert_eq!(labels(&text), ["weights=1", "weights=0.1", "weights=0.01"]);
    let listed = with("optimizer = 'sgd'\ntrain.steps = 1\ninit.weights = [1.0, 0.1, 0.01]");
    assert_eq!(ids(&text), ids(&listed));
    let shared =
        with("train.steps = 1\n[optimizer]\nlr = { geomspace = [1, 0.1, 2] }\n[optimizer.sgd]\n[optimizer.adam]");
    assert_eq!(labels(&shared), ["sgd, lr=1", "sgd, lr=0.1", "adam, lr=1", "adam, lr=0.1"]);
}

#[test]
fn spaced_numbers_have_three_digits_in_labels() {
    let text = |count| {
        with(&format!("optimizer = 'sgd'\ntrain.steps = 1\ninit.weights = {{ geomspace = [1.0, 1e-4, {count}] }}"))
    };
    assert_eq!(labels(&text(16))[..4], ["weights=1", "weights=0.541", "weights=0.293", "weights=0.158"]);
    // Values that are too close get more digits, so that all labels differ.
    let dense = with("optimizer = 'sgd'\ntrain.steps = 1\ninit.weights = { linspace = [1.0, 1.1, 21] }");
    assert_eq!(labels(&dense).iter().collect::<HashSet<_>>().len(), 21);
    assert_eq!(labels(&dense)[3..6], ["weights=1.015", "weights=1.02", "weights=1.025"]);
    let close = with("optimizer = 'sgd'\ntrain.steps = 1\ninit.weights = { linspace = [1.0, 1.001, 3] }");
    assert_eq!(labels(&close), ["weights=1", "weights=1.0005", "weights=1.001"]);
    let whole = with("optimizer = 'sgd'\ntrain.steps = { linspace = [1000, 3001, 4] }");
    assert_eq!(labels(&whole), ["steps=1000", "steps=1667", "steps=2334", "steps=3001"]);
    // Written values stay as they are.
    let listed = with("optimizer = 'sgd'\ntrain.steps = 1\ninit.weights = [0.12345, 0.12346]");
    assert_eq!(labels(&listed), ["weights=0.12345", "weights=0.12346"]);
}

#[test]
fn a_section_of_one_variant_leaves_that_of_another_alone() {
    let text = "data.source = 'mnist'\noptimizer = 'sgd'\ntrain.steps = 1\n[network]\nhidden = [12, 9]\n\
                [variant.plain]\n\
                [variant.drop]\nnetwork.dropout = 0.3\n[variant.other]\n\
                network = { hidden = [7], batch_norm = true }\n";
    assert_eq!(values(text, "hidden"), ["12-9", "12-9", "7"]);
    assert_eq!(values(text, "dropout"), ["", "0.3", ""]);
}

#[test]
fn zipped_axes_move_together() {
    let text = with(
        "train = { steps = [1, 2], batch_size = [16, 32] }\n[optimizer.sgd]\nlr = [0.1, 0.2]\n[sweep]\n\
         zip = ['batch_size', 'lr']",
    );
    let expected = ["steps=1, batch_size=16, lr=0.1", "steps=1, batch_size=32, lr=0.2"];
    assert_eq!(labels(&text)[..2], expected);
    assert_eq!(labels(&text).len(), 4);
}

#[test]
fn an_axis_of_one_optimizer_moves_with_another_where_it_is() {
    let text = with(
        "train = { steps = 1, batch_size = [16, 32] }\n[optimizer.sgd]\nlr = [0.1, 0.2]\n[optimizer.adam]\n[sweep]\n\
         zip = [['lr', 'batch_size']]",
    );
    assert_eq!(
        labels(&text),
        ["batch_size=16, sgd, lr=0.1", "batch_size=16, adam", "batch_size=32, sgd, lr=0.2", "batch_size=32, adam"]
    );
    let optimizer_first = format!(
        "optimizer = [{{ kind = 'sgd', lr = [0.1, 0.2] }}, 'adam']\n\
         {LEAST}train = {{ steps = 1, batch_size = [16, 32] }}\nsweep.zip = ['lr', 'batch_size']"
    );
    assert_eq!(
        labels(&optimizer_first),
        ["sgd, lr=0.1, batch_size=16", "sgd, lr=0.2, batch_size=32", "adam, batch_size=16", "adam, batch_size=32"]
    );
}

#[test]
fn optimizers_move_with_what_stands_beside_and_in_them() {
    let text = with(
        "train = { steps = 1, batch_size = [16, 32] }\n[optimizer]\nlr = [0.1, 0.2]\n[optimizer.sgd]\n\
         [optimizer.adam]\n[sweep]\nzip = ['optimizer', 'lr', 'batch_size']",
    );
    assert_eq!(labels(&text), ["batch_size=16, sgd, lr=0.1", "batch_size=32, adam, lr=0.2"]);
}

#[test]
fn variants_are_one_axis_and_the_base_is_none_of_them() {
    let text =
        with("train.steps = 1\noptimizer = 'sgd'\n[variant.plain]\n[variant.decay]\nregularization.weight_decay = 0.1");
    assert_eq!(labels(&text), ["plain", "decay"]);
    assert_eq!(values(&text, "weight_decay"), ["0", "0.1"]);
    assert_eq!(labels(&with("train.steps = 1\noptimizer = 'sgd'\n[variant.plain]")), ["plain"]);
}

#[test]
fn a_variant_replaces_axes_and_may_have_some() {
    let text = with(
        "train.steps = 1\n[optimizer]\nkind = 'sgd'\nlr = [0.1, 0.2]\n[variant.one.optimizer]\nlr = 1\n[variant.more]\n\
         train.batch_size = [16, 32]\n",
    );
    assert_eq!(
        labels(&text),
        [
            "one",
            "more, batch_size=16, lr=0.1",
            "more, batch_size=16, lr=0.2",
            "more, batch_size=32, lr=0.1",
            "more, batch_size=32, lr=0.2"
        ]
    );
}

#[test]
fn variants_come_in_the_order_of_axes_where_the_file_names_them() {
    let text = with(
        "[train]\nsteps = [1, 2]\n[variant.a]\nnetwork.bias = false\n[variant.b]\nnetwork.activation = 'tanh'\n\
         [optimizer.sgd]\n[optimizer.adam]",
    );
    assert_eq!(labels(&text)[..4], ["steps=1, a, sgd", "steps=1, a, adam", "steps=1, b, sgd", "steps=1, b, adam"]);
}

#[test]
fn a_table_in_braces_is_replaced_as_a_whole_and_sections_key_by_key() {
    let text = with(
        "train.steps = 1\noptimizer = 'sgd'\ninit.weights = { kind = 'uniform', bound = 0.1 }\n[variant.a]\n\
         init.weights = { kind = 'normal', std = 0.2 }\n[variant.b.init]\nbias = 0.5",
    );
    assert_eq!(values(&text, "weights"), ["normal", "uniform"]);
    assert_eq!(values(&text, "init_bias"), ["0", "0.5"]);
}

#[test]
fn optimizers_are_patched_table_by_table() {
    let text = with(
        "train.steps = 1\n[optimizer.sgd]\nlr = 0.5\n[variant.base]\n[variant.fast.optimizer.sgd]\nlr = 1\n\
         [variant.both]\nnetwork.bias = false\noptimizer.adam.lr = 0.001\n[variant.other]\noptimizer = 'momentum'",
    );
    assert_eq!(labels(&text), ["base", "fast", "both, sgd", "both, adam", "other"]);
    assert_eq!(values(&text, "lr"), ["0.5", "1", "0.5", "0.001", "0.01"]);
}

#[test]
fn variants_may_each_have_a_section_that_the_file_lacks() {
    let text = "data.source = 'mnist'\ntrain.steps = 1\noptimizer = 'sgd'\n[variant.a]\nnetwork.hidden = []\n\
                [variant.b]\nnetwork = { hidden = [3] }";
    assert_eq!(values(text, "hidden"), ["", "3"]);
    let text = "train.steps = 1\noptimizer = 'sgd'\n[variant.path]\n\
                function = { kind = 'himmelblau', start = [0, 0] }\n[variant.net]\ndata.source = 'mnist'\n\
                network.hidden = []";
    assert_eq!(labels(text), ["path", "net"]);
}

#[test]
fn variants_move_with_an_axis_that_they_are_zipped_with() {
    let text = with(
        "train = { steps = 1, batch_size = [16, 32] }\noptimizer = 'sgd'\n[variant.a]\nnetwork.bias = false\n\
         [variant.b]\n[sweep]\nzip = ['variant', 'batch_size']",
    );
    assert_eq!(labels(&text), ["a, batch_size=16", "b, batch_size=32"]);
}

#[test]
fn trials_are_one_axis_that_multiplies_with_the_others() {
    let text = with(
        "train.steps = [1, 2]\n[regularization]\nweight_decay = { log_uniform = [1e-8, 1e-4] }\n[optimizer.sgd]\n\
         lr = { uniform = [0.1, 0.2] }\n[sweep]\ntrials = 3",
    );
    let expected = ["trial 000", "trial 001", "trial 002"].map(|trial| format!("steps=1, {trial}"));
    assert_eq!(labels(&text)[..3], expected);
    let plan = plan(&text);
    assert_eq!(plan.len(), 6);
    for run in plan.runs() {
        assert!((1e-8..1e-4).contains(&float(run, "weight_decay")) && (0.1..0.2).contains(&float(run, "lr")));
    }
    assert_eq!(float(plan.run(1), "lr"), float(plan.run(4), "lr"), "a trial's values do not depend on other axes");
}

#[test]
fn whole_numbers_and_choices_are_drawn() {
    let text = with(
        "optimizer = 'sgd'\ninit.weights = { choice = ['he', 0.1, { kind = 'uniform', bound = { uniform = [1, 2] } }] \
         }\ntrain = { steps = 1, batch_size = { int_uniform = [1, 3] } }\n[sweep]\ntrials = 200",
    );
    let plan = plan(&text);
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    for run in plan.runs() {
        let text = |name| run.identity().settings.get(name).map_or_else(String::new, Scalar::to_string);
        *counts.entry((text("weights"), text("batch_size"))).or_default() += 1;
        assert_eq!(text("weights") == "uniform", !text("weight_bound").is_empty());
    }
    // Nine combinations. With `he` or 0.1, all trials of a batch size are the same run, so only the first one is run.
    assert_eq!(counts.len(), 9);
    assert_eq!(plan.len() + plan.duplicates() as usize, 200);
    assert!(counts.iter().all(|((weights, _), count)| *count == 1 || weights == "uniform" && *count > 8), "{counts:?}");
}

#[test]
fn a_drawn_optimizer_brings_its_own_settings_alone() {
    let text = with(
        "train.steps = 1\n[optimizer.sgd]\nlr = { log_uniform = [1e-3, 1] }\n[optimizer.momentum]\n\
         lr = { log_uniform = [1e-4, 0.1] }\nmomentum = { uniform = [0.5, 0.99] }\n[sweep]\ntrials = 40\n\
         draw = ['optimizer']",
    );
    let plan = plan(&text);
    assert_eq!(plan.len(), 40);
    let drawn: HashSet<String> = plan.cells(|cell| cell.odometer.optimizer_name()).collect();
    assert_eq!(drawn, HashSet::from(["sgd", "momentum"].map(str::to_owned)));
    for run in plan.runs() {
        let settings = run.identity().settings;
        assert_eq!(settings.contains_key("momentum"), settings["optimizer"] == "momentum".into());
        assert!(run.label().starts_with("trial ") && !run.label().contains(','), "{}", run.label());
    }
}

#[test]
fn a_choice_and_a_drawn_axis_are_the_same() {
    let draw = with(
        "optimizer = 'sgd'\ntrain = { steps = 1, batch_size = [16, 32, 64] }\n\
         sweep = { trials = 9, draw = ['batch_size'] }",
    );
    let choice = with(
        "optimizer = 'sgd'\ntrain = { steps = 1, batch_size = { choice = [16, 32, 64] } }\nsweep = { trials = 9 }",
    );
    assert_eq!(ids(&draw), ids(&choice));
}

#[test]
fn trials_pair_optimizers_and_variants() {
    let text = with(
        "train.steps = 1\n[optimizer]\nlr = { uniform = [0.1, 1] }\n[optimizer.sgd]\n[optimizer.adam]\n[variant.a]\n\
         [variant.b]\nnetwork.bias = false\noptimizer.adam.lr = { uniform = [0.1, 1] }\n[sweep]\ntrials = 2",
    );
    let found = values(&text, "lr");
    assert_eq!(found.len(), 8);
    assert!(found.chunks(2).all(|pair| pair == &found[..2] && pair[0] != pair[1]), "{found:?}");
}

#[test]
fn trials_take_a_variant_each_where_they_draw_it() {
    let text = with(
        "train.steps = 1\noptimizer = 'sgd'\n[variant.plain]\n[variant.decay]\n\
         regularization.weight_decay = { uniform = [0.1, 0.2] }\n[sweep]\ntrials = 12\ndraw = ['variant']",
    );
    let plan = plan(&text);
    let decayed = plan.runs().filter(|run| float(*run, "weight_decay") > 0.0).count();
    assert!((2..=10).contains(&decayed), "{decayed}");
    assert_eq!(plan.len() + plan.duplicates() as usize, 12);
}

#[test]
fn trials_can_be_asked_for_by_number() {
    let plan =
        plan(&with("train.steps = 1\noptimizer = { kind = 'sgd', lr = { uniform = [0.1, 0.2] } }\nsweep.trials = 20"));
    let selection: Selection = ["trial=17".parse().unwrap()].into_iter().collect();
    assert_eq!(selection.of(&plan), Ok(vec![17]));
    assert_eq!(plan.run(17).label(), "trial 017");
}

#[test]
fn the_draws_of_seed_0_stay_what_they_are() {
    let text = with(
        "train.steps = 1\noptimizer = { kind = 'sgd', lr = { log_uniform = [1e-6, 1e-2] } }\n\
         regularization.l1 = { uniform = [0, 1] }\nsweep.trials = 3",
    );
    let drawn: Vec<String> =
        values(&text, "lr").into_iter().zip(values(&text, "l1")).map(|(lr, l1)| format!("{lr} {l1}")).collect();
    insta::assert_snapshot!(drawn.join("\n"), @r"
    5.282864956258091e-6 0.8709445980439782
    0.003118108572549114 0.6418702924520578
    2.092591072626492e-6 0.9908081583889529
    ");
}

#[test]
fn more_runs_than_can_be_planned_are_refused_with_their_axes() {
    let refused = |text: &str| {
        let experiment = Experiment::parse("test.toml", text.to_owned(), "test", std::path::PathBuf::new()).unwrap();
        Plan::new(experiment).map(|plan| plan.len()).unwrap_err().render(false)
    };
    let spaced = |keys: &[&str], count: u32| {
        keys.iter().map(|key| format!("{key} = {{ linspace = [1, {count}, {count}] }}\n")).collect::<String>()
    };
    let steps = |count| format!("seeds = 2\n{LEAST}optimizer = 'sgd'\n{}", spaced(&["train.steps"], count));
    assert_eq!(plan(&steps(500)).len(), 1000);
    let said = refused(&format!("{}train.batch_size = {{ linspace = [1, 1001, 1001] }}", steps(500)));
    assert!(said.contains("the file declares 1001000 runs; the limit is 1000000"), "{said}");
    assert!(said.contains("that is 500 steps × 1001 batch_size × 2 seeds"), "{said}");
    let keys = [
        "data.train_rows",
        "init.weights",
        "init.bias",
        "regularization.weight_decay",
        "regularization.l1",
        "regularization.clip_norm",
        "train.steps",
        "train.batch_size",
        "optimizer.sgd.lr",
        "optimizer.sgd.warm_up",
    ];
    let said = refused(&format!("{LEAST}{}", spaced(&keys, 10_000)));
    assert!(said.contains("the file declares more than 2^128 runs"), "{said}");
}

/// A file with some variants, a zip, distributions and a list, parts of which can be left out.
fn everything(variants: &[&str], trials: u32, zipped: usize, extra: &str) -> String {
    let listed = |first: usize| (first..first + zipped).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    let patches: BTreeMap<&str, &str> = BTreeMap::from([
        ("plain", ""),
        ("decay", "regularization.weight_decay = { log_uniform = [1e-4, 1e-2] }\n"),
        ("tanh", "network.activation = ['tanh', 'sigmoid']\n"),
        ("deep", "network.hidden = [5, 5]\n"),
    ]);
    let patches: String = variants.iter().map(|name| format!("[variant.{name}]\n{}", patches[name])).collect();
    format!(
        "seeds = 2\ndata.source = 'mnist'\nnetwork.hidden = [[], [7]]\n[train]\nsteps = [{}]\nbatch_size = [{}]\n\
         [optimizer.sgd]\nlr = {{ uniform = [0.1, 0.2] }}\n[optimizer.adam]\nlr = {{ log_uniform = [1e-4, 1e-2] }}\n\
         {extra}\n[sweep]\ntrials = {trials}\nzip = [['steps', 'batch_size']]\n{patches}",
        listed(1),
        listed(32)
    )
}

const ALL: [&str; 4] = ["plain", "decay", "tanh", "deep"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn sizes_are_products_of_what_moves_apart(count in 1_usize..5, trials in 1_u32..4, zipped in 1_usize..4) {
        let variants = &ALL[..count];
        let plan = plan(&everything(variants, trials, zipped, ""));
        // `hidden` has two values, except under `deep`; `tanh` has two activations.
        let arms: usize = variants.iter().map(|name| match *name { "tanh" => 4, "deep" => 1, _ => 2 }).sum();
        prop_assert_eq!(plan.len(), 2 * 2 * arms * trials as usize * zipped);
        let labels: HashSet<_> = plan.runs().map(|run| (run.label(), run.seed())).collect();
        prop_assert_eq!(labels.len(), plan.len());
    }

    #[test]
    fn the_order_of_variants_changes_no_id(order in Just(ALL.to_vec()).prop_shuffle()) {
        let (mut one, mut other) = (ids(&everything(&ALL, 2, 2, "")), ids(&everything(&order, 2, 2, "")));
        one.sort();
        other.sort();
        prop_assert_eq!(one, other);
    }

    #[test]
    fn more_trials_keep_those_before(trials in 1_u32..5, more in 1_u32..5) {
        let before = plan(&everything(&ALL, trials, 1, ""));
        let after = plan(&everything(&ALL, trials + more, 1, ""));
        let after: BTreeMap<RunId, String> = after.runs().map(|run| (run.id(), run.label())).collect();
        for run in before.runs() {
            prop_assert_eq!(after.get(&run.id()), Some(&run.label()));
        }
    }

    #[test]
    fn a_variant_is_the_file_with_its_lines_in_it(lr in 1_u32..9, decay in 1_u32..9) {
        let base = "data.source = 'mnist'\nnetwork.hidden = [3]\ntrain.steps = 5\n";
        let lines = format!("regularization.weight_decay = 0.{decay}\noptimizer = {{ kind = 'adam', lr = 0.{lr} }}\n");
        let patched = ids(&format!("{base}optimizer = 'sgd'\n[variant.plain]\n[variant.patched]\n{lines}"));
        let plain = ids(&format!("{base}optimizer = 'sgd'\n"));
        prop_assert_eq!(patched, [plain, ids(&format!("{base}{lines}"))].concat());
    }
}

#[test]
fn one_distribution_more_leaves_the_others_as_they_draw() {
    let (before, after) = (everything(&ALL, 3, 1, ""), everything(&ALL, 3, 1, "[init]\nbias = { uniform = [0, 1] }"));
    assert_eq!(values(&before, "lr"), values(&after, "lr"));
    assert_eq!(values(&before, "weight_decay"), values(&after, "weight_decay"));
    assert_ne!(ids(&before), ids(&after));
}

#[test]
fn spelled_out_defaults_change_no_id() {
    let spelled = everything(&ALL, 3, 2, "[regularization]\nl1 = 0\n").replace("[sweep]", "[sweep]\nseed = 0");
    assert_eq!(ids(&everything(&ALL, 3, 2, "")), ids(&spelled));
    assert_ne!(ids(&everything(&ALL, 3, 2, "")), ids(&spelled.replace("seed = 0", "seed = 1")));
}

#[test]
fn sobol_trials_are_even_and_stay() {
    let text = |trials: u32, seed: u32, rest: &str| {
        with(&format!(
            "train.steps = 1\n[optimizer.momentum]\nlr = {{ uniform = [0.1, 0.9] }}\n[sweep]\ntrials = {trials}\n\
             seed = {seed}\n\
             sampler = 'sobol'\n{rest}"
        ))
    };
    let mut places: Vec<u32> =
        plan(&text(16, 3, "")).runs().map(|run| ((float(run, "lr") - 0.1) / 0.8 * 16.0) as u32).collect();
    places.sort_unstable();
    assert_eq!(places, (0..16).collect::<Vec<_>>());
    assert_eq!(ids(&text(16, 3, ""))[..5], ids(&text(5, 3, "")));
    assert_ne!(ids(&text(5, 3, "")), ids(&text(5, 4, "")));
    let more = text(5, 3, "[regularization]\nl1 = { uniform = [0, 1] }");
    assert_eq!(values(&text(5, 3, ""), "lr"), values(&more, "lr"));
    let random = text(5, 3, "").replace("'sobol'", "'random'");
    assert_eq!(ids(&random), ids(&random.replace("sampler = 'random'\n", "")));
    assert_ne!(ids(&random), ids(&text(5, 3, "")));
}

#[test]
fn the_order_of_drawn_keys_changes_no_id_under_sobol() {
    let [lr, l1] =
        ["optimizer = { kind = 'sgd', lr = { uniform = [0.1, 1] } }\n", "regularization.l1 = { uniform = [0, 1] }\n"];
    let text = |first: &str, second: &str| {
        with(&format!("train.steps = 1\n{first}{second}sweep = {{ trials = 9, sampler = 'sobol' }}"))
    };
    assert_eq!(ids(&text(lr, l1)), ids(&text(l1, lr)));
}

#[test]
fn the_sobol_draws_of_seed_0_stay_what_they_are() {
    let text = with(
        "train.steps = 1\noptimizer = { kind = 'sgd', lr = { log_uniform = [1e-6, 1e-2] } }\n\
         regularization.l1 = { uniform = [0, 1] }\nsweep = { trials = 4, sampler = 'sobol' }",
    );
    let drawn: Vec<String> =
        values(&text, "lr").into_iter().zip(values(&text, "l1")).map(|(lr, l1)| format!("{lr} {l1}")).collect();
    insta::assert_snapshot!(drawn.join("\n"), @r"
    0.0006354589000802955 0.1714102025597226
    6.354589000802955e-6 0.6714102025597226
    6.354589000802956e-5 0.4214102025597226
    0.006354589000802956 0.9214102025597226
    ");
}

#[test]
fn a_sobol_dimension_is_shared_under_optimizers_and_variants() {
    let text = with(
        "train.steps = 1\n[optimizer]\nlr = { uniform = [0.1, 1] }\n[optimizer.sgd]\n[optimizer.adam]\n[variant.a]\n\
         [variant.b]\nnetwork.bias = false\noptimizer.adam.lr = { uniform = [0.1, 1] }\n[sweep]\ntrials = 2\n\
         sampler = 'sobol'",
    );
    let found = values(&text, "lr");
    assert_eq!(found.len(), 8);
    assert!(found.chunks(2).all(|pair| pair == &found[..2] && pair[0] != pair[1]), "{found:?}");
}

/// A script that chains its trials draws the values of all of them, whichever are run.
#[test]
fn a_script_runs_all_of_its_trials_or_none() {
    let script = |exclude: &str| {
        format!(
            "rng = {{ kind = 'numpy', chain = ['trial'] }}\n{LEAST}data.train_rows = 100\ntrain.steps = 3\n\
             optimizer.sgd.lr = {{ log_uniform = [1e-6, 1e-2] }}\nsweep = {{ trials = 20, exclude = [{exclude}] }}"
        )
        .replace("data.source = 'mnist'\n", "")
        .replace("data.train_rows = 100", "data = { source = 'mnist', train_rows = 100 }")
    };
    assert_eq!(plan(&script("")).len(), 20);
    let refused = [
        ("{ lr = { below = 1e-5 } }", "may leave out"),
        ("{ lr = { above = 1e-3 } }", "leaves out"),
        ("{ trial = 3 }", "leaves out"),
    ];
    let said = |text: &str| {
        let experiment = Experiment::parse("test.toml", text.to_owned(), "test", std::path::PathBuf::new()).unwrap();
        Plan::new(experiment).map(|plan| plan.len()).unwrap_err().render(false)
    };
    for (exclude, leaves_out) in refused {
        let said = said(&script(exclude));
        assert!(said.contains(&format!("`exclude` {leaves_out} some of the trials")), "{said}");
    }
    // Some trials lack a run that others have.
    let grouped = script("{ dropout = 0.5, lr = { above = 1e-3 } }")
        .replace("chain = ['trial']", "chain = ['trial'], group = ['dropout']")
        .replace("network.hidden = []", "network = { hidden = [5], dropout = [0.0, 0.5] }");
    assert!(said(&grouped).contains("`exclude` leaves out some of the trials"), "{}", said(&grouped));
    let unknown = grouped.replace("above = 1e-3", "below = 1e-5");
    assert!(said(&unknown).contains("`exclude` may leave out some of the trials"), "{}", said(&unknown));
}
