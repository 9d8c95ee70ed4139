//! Legal settings that are probably unintended: each warning appears for them and not for similar settings.

use crate::common::{Ran, SMALL, Scratch};

fn check(experiment: &str) -> Ran {
    Scratch::with(experiment).run("check small.toml").well()
}

/// [`SMALL`] with one line replaced.
fn with(line: &str, replacement: &str) -> String {
    put(SMALL, line, replacement)
}

fn put(experiment: &str, line: &str, replacement: &str) -> String {
    assert!(experiment.contains(line), "{line}");
    experiment.replacen(line, replacement, 1)
}

/// The names of the warnings of an experiment.
fn names(experiment: &str) -> Vec<String> {
    let ran = check(experiment);
    let name = |line: &str| line.strip_prefix("warning[")?.split(']').next().map(str::to_owned);
    ran.stderr.lines().filter_map(name).collect()
}

/// Checks that `wrong` gives only the warning `lint`, which can be silenced, and that `right`, which is similar, gives
/// none.
#[track_caller]
fn warns(lint: &str, wrong: &str, right: &[String]) {
    assert_eq!(names(wrong), [lint], "{wrong}");
    let silenced = put(wrong, "name = \"small\"", &format!("name = \"small\"\nallow_warnings = [\"{lint}\"]"));
    assert_eq!(names(&silenced), [""; 0], "{silenced}");
    for right in right {
        assert_eq!(names(right), [""; 0], "{right}");
    }
}

const EVALUATE: &str = "evaluate = { on = [\"train\", \"test\"], every = \"epoch\" }";
const HIDDEN: &str = "hidden = [20, 10]";

#[test]
fn the_experiment_of_these_tests_has_no_warning() {
    assert_eq!(check(SMALL).stderr, "");
}

#[test]
fn every_shipped_experiment_has_no_warning() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/experiments");
    for entry in std::fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the folder can be read").path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let ran = Scratch::new().run(&format!("check --deny-warnings {}", path.display())).well();
            assert_eq!(ran.stderr, "", "{}", path.display());
        }
    }
}

#[test]
fn settings_that_are_compared_by_one_seed() {
    let one = with("seeds = 2", "seeds = 1");
    let alone = put(&one, "[optimizer.sgd]\nlr = 0.1\n", "");
    let looked_at = put(&one, "steps = 30", "steps = 0");
    let script = put(&one, "seeds = 1", "seeds = 1\nrng = \"numpy\"");
    warns("one-seed", &one, &[alone, looked_at, script, put(&one, "seeds = 1", "seeds = [7, 8]")]);
}

#[test]
fn a_search_that_is_judged_by_the_test_data() {
    let searched = with("lr = 0.1", "lr = { log_uniform = [1e-3, 1] }") + "[sweep]\ntrials = 3\n";
    let validated = put(&searched, "test_rows = 100", "test_rows = 100\nvalidation_rows = 100");
    let validated = put(&validated, "[\"train\", \"test\"]", "[\"validation\", \"test\"]");
    let not_tested = put(&searched, "[\"train\", \"test\"]", "[\"train\"]");
    warns("test-selection", &searched, &[validated, not_tested]);
    let grid = |count: usize| {
        put(&with("[optimizer.adam]\n", ""), "lr = 0.1", &format!("lr = {{ linspace = [0.1, 0.2, {count}] }}"))
    };
    warns("test-selection", &grid(20), &[grid(19)]);
}

#[test]
fn weights_that_lose_the_signal() {
    let deep = |hidden: &str, weights: &str| with(HIDDEN, &format!("{hidden}\n[init]\nweights = {weights}"));
    let five = "hidden = [100, 100, 100, 100, 100]";
    let normalized = deep(&format!("{five}\nbatch_norm = true"), "1.0");
    let shallow = deep(HIDDEN, "1.0");
    let axis = deep(five, "[1.0, \"he\"]");
    warns("weight-scale", &deep(five, "1.0"), &[normalized, shallow, axis, deep(five, "0.14"), deep(five, "\"he\"")]);
    warns("weight-scale", &deep(five, "0.01"), &[]);
    // The book's own deep network.
    let four = "hidden = [100, 100, 100, 100]";
    warns("weight-scale", &deep(four, "1.0"), &[deep("hidden = [100, 100, 100]", "1.0"), deep(four, "0.5")]);
    // Settings that only one variant has are compared too, with or without a section.
    let variants =
        |init: &str| with(HIDDEN, &format!("{five}\n{init}[variant.small]\ninit.weights = 0.01\n[variant.he]\n"));
    assert_eq!(names(&variants("")), [""; 0]);
    assert_eq!(names(&variants("[init]\nweights = \"he\"\n")), [""; 0]);
    assert_eq!(names(&variants("").replace("[variant.he]", "[variant.he]\ninit.weights = \"he\"")), [""; 0]);
    // Settings that no variant changes are not compared.
    let unchanged = "[init]\nweights = 0.01\n[variant.a]\ninit.bias = 0.1\n[variant.b]\n";
    assert_eq!(names(&with(HIDDEN, &format!("{five}\n{unchanged}"))), ["weight-scale"]);
    warns("weight-scale", &deep(five, "{ kind = \"uniform\", bound = 2.0 }"), &[]);
}

#[test]
fn weights_that_stay_equal() {
    let zeros = |hidden: &str| with(HIDDEN, &format!("{hidden}\n[init]\nweights = \"zeros\""));
    warns("zero-weights", &zeros(HIDDEN), &[zeros("hidden = []")]);
}

#[test]
fn an_epoch_that_never_ends() {
    let steps = |steps: u32| with("steps = 30", &format!("steps = {steps}"));
    let by_steps = put(&steps(9), "every = \"epoch\"", "every = 3");
    warns("less-than-an-epoch", &steps(9), &[steps(10), by_steps.clone()]);
    let layers = |every: &str| put(&by_steps, "[record]", &format!("[record]\nlayers = {{ every = {every} }}"));
    warns("less-than-an-epoch", &layers("\"epoch\""), &[layers("3")]);
}

#[test]
fn learning_rates_outside_any_sensible_range() {
    let sgd = |lr: &str| with("lr = 0.1", &format!("lr = {lr}"));
    warns("lr-range", &sgd("3.0"), &[sgd("1.0"), sgd("[3.0, 0.3]"), put(&sgd("3.0"), "steps = 30", "steps = 0")]);
    warns("lr-range", &sgd("1e-7"), &[sgd("1e-6")]);
    let adam = |lr: &str| with("[optimizer.adam]", &format!("[optimizer.adam]\nlr = {lr}"));
    warns("lr-range", &adam("0.3"), &[adam("0.1")]);
    let shared = put(&with("lr = 0.1", ""), "[optimizer.sgd]", "[optimizer]\nlr = 0.5\n[optimizer.sgd]");
    warns("lr-range", &shared, &[put(&shared, "lr = 0.5", "lr = 0.05")]);
}

#[test]
fn an_axis_that_compares_nothing() {
    let lr = |lr: &str| with("lr = 0.1", &format!("lr = {lr}"));
    warns("one-value-axis", &lr("{ geomspace = [0.1, 0.5, 1] }"), &[lr("{ geomspace = [0.1, 0.5, 2] }")]);
    warns("one-value-axis", &lr("[0.1]"), &[lr("{ values = [0.1] }"), lr("[0.1, 0.2]")]);
    let named = put(
        &with("[optimizer.sgd]\nlr = 0.1\n[optimizer.adam]\n", ""),
        "seeds = 2",
        "seeds = [2]\noptimizer = [\"sgd\"]",
    );
    assert_eq!(names(&named), [""; 0]);
}

#[test]
fn a_batch_of_more_rows_than_there_are() {
    let batch = |rows: u32| with("batch_size = 50", &format!("batch_size = {rows}"));
    warns("batch-beyond-rows", &batch(501), &[batch(500)]);
}

#[test]
fn validation_that_nobody_looks_at() {
    let split = with("test_rows = 100", "test_rows = 100\nvalidation_rows = 100");
    let looked_at = put(&split, "[\"train\", \"test\"]", "[\"train\", \"validation\"]");
    warns("unused-validation", &split, &[looked_at]);
}

#[test]
fn a_momentum_that_never_gathers_speed() {
    let momentum = |share: &str| with("[optimizer.adam]", &format!("[optimizer.momentum]\nmomentum = {share}"));
    warns("long-memory", &momentum("0.99"), &[momentum("0.9"), momentum("[0.99, 0.9]")]);
}

#[test]
fn weights_that_decay_twice() {
    let both = |penalty: &str, own: &str| {
        let optimizer = format!("[optimizer.adamw]\n{own}[regularization]\nweight_decay = {penalty}\n");
        with("[optimizer.adam]", &optimizer)
    };
    warns("two-decays", &both("0.1", ""), &[both("0.0", ""), both("0.1", "decoupled_weight_decay = 0.0\n")]);
}

#[test]
fn dropout_that_leaves_nothing() {
    let dropout = |share: &str| with(HIDDEN, &format!("{HIDDEN}\ndropout = {share}"));
    warns("narrow-dropout", &dropout("0.85"), &[dropout("0.75")]);
}

#[test]
fn evaluations_that_take_all_the_time() {
    let evaluated = put(&with("test_rows = 100\n", ""), EVALUATE, "evaluate = { on = [\"test\"], every = 1 }");
    warns("costly-evaluation", &evaluated, &[put(&evaluated, "every = 1", "every = 10")]);
}

#[test]
fn warnings_are_shown_where_they_are_and_change_nothing() {
    let wrong = put(&with("seeds = 2", "seeds = 1"), "lr = 0.1", "lr = [30.0]");
    let scratch = Scratch::with(&put(&wrong, "[optimizer.adam]", "[optimizer.adam]\nlr = 3"));
    let ran = scratch.run("check small.toml").well();
    insta::assert_snapshot!(format!("{}{}", ran.stderr, ran.stdout));
    assert_eq!(scratch.run("plan small.toml").well().stderr, ran.stderr);
    let denied = scratch.run("check --deny-warnings small.toml");
    assert_eq!((denied.code, denied.stderr), (2, ran.stderr));
    assert_eq!(scratch.files("").len(), 1, "something was written");
}

#[test]
fn a_warning_that_there_is_not_and_one_that_a_variant_silences() {
    let misnamed = with("seeds = 2", "seeds = 2\nallow_warnings = [\"one_seed\"]");
    let ran = Scratch::with(&misnamed).run("check small.toml");
    assert_eq!(ran.code, 2);
    insta::assert_snapshot!(ran.stderr);
    let variant = format!("{SMALL}[variant.plain]\nallow_warnings = []\n[variant.other]\n");
    assert_eq!(Scratch::with(&variant).run("check small.toml").code, 2);
}

#[test]
fn what_is_allowed_is_in_no_id() {
    let ids = |experiment: &str| {
        let plan = Scratch::with(experiment).run("plan small.toml").well().stdout;
        let is_id = |word: &&str| word.len() == 16 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        plan.split_whitespace().filter(is_id).map(str::to_owned).collect::<Vec<_>>()
    };
    let allowing = with("seeds = 2", "seeds = 2\nallow_warnings = [\"one-seed\", \"lr-range\"]");
    assert_eq!(ids(SMALL).len(), 4);
    assert_eq!(ids(SMALL), ids(&allowing));
}
