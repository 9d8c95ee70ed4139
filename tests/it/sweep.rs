//! Variants, trials and axes that move together, used correctly and incorrectly.

use crate::common::{SMALL, Scratch, settled};

/// The complete stderr of `paribus run` on [`SMALL`] with these lines replaced and `more` at its end.
fn mistakes(changes: &[(&str, &str)], more: &str) -> String {
    let mut text = SMALL.to_owned();
    for (line, replacement) in changes {
        assert!(text.contains(line), "{line}");
        text = text.replacen(line, replacement, 1);
    }
    let scratch = Scratch::with(&format!("{text}{more}"));
    let ran = scratch.run("run small.toml");
    assert_eq!(ran.code, 2, "{ran:#?}");
    assert_eq!(ran.stdout, "");
    assert_eq!(scratch.files("").len(), 1, "something was written");
    ran.stderr
}

#[test]
fn zips_that_cannot_be() {
    let axes = [("batch_size = 50", "batch_size = [50, 60]"), ("lr = 0.1", "lr = [0.1, 0.2, 0.3]")];
    insta::assert_snapshot!(mistakes(&axes, "[sweep]\nzip = [[\"batch_size\", \"lr\"]]"));
    insta::assert_snapshot!(mistakes(
        &axes,
        "[sweep]\nzip = [[\"batch_sise\", \"steps\"], [\"lr\"], [\"lr\", \"optimizer\"]]"
    ));
    insta::assert_snapshot!(mistakes(&axes, "[sweep]\nzip = [\"batch_size\", [\"lr\"]]"));
    insta::assert_snapshot!(mistakes(
        &[("lr = 0.1", "lr = [0.1, 0.2]")],
        "lr = [1, 2, 3]\n[sweep]\nzip = \"lr\"\nexclude = []"
    ));
}

#[test]
fn numbers_at_distances_that_are_none() {
    let axes = [
        ("batch_size = 50", "batch_size = { linspace = [10, 25, 3] }"),
        ("steps = 30", "steps = { geomspace = [10, 0, 3] }"),
        ("hidden = [20, 10]", "hidden = [20, 10]\nbias = { linspace = [1, 2] }"),
        ("lr = 0.1", "lr = { linspace = [-0.1, 0.1, 200] }"),
    ];
    insta::assert_snapshot!(mistakes(
        &axes,
        "eps = { geomspace = [1e-3, \"1\", 4] }\nbeta1 = { linspace = [0, 0.5, 0] }"
    ));
}

#[test]
fn distributions_that_are_none() {
    let axes = [
        ("batch_size = 50", "batch_size = { uniform = [10, 25] }"),
        ("steps = 30", "steps = { int_uniform = [10.5, 20] }"),
        ("hidden = [20, 10]", "hidden = [20, 10]\nactivation = { choice = [] }"),
        ("lr = 0.1", "lr = { log_uniform = [0.1, 0.01] }"),
    ];
    let more = "eps = { log_uniform = [0, 1] }\nbeta1 = { uniform = [0.5, 1.5] }\nbeta2 = { uniform = 0.9 }\n[sweep]\n\
                trials = 1000";
    insta::assert_snapshot!(mistakes(&axes, more));
}

#[test]
fn distributions_where_none_can_be() {
    let axes =
        [("seeds = 2", "seeds = { int_uniform = [1, 9] }"), ("every = \"epoch\"", "every = { int_uniform = [1, 9] }")];
    insta::assert_snapshot!(mistakes(&axes, "[sweep]\ntrials = { choice = [2, 3] }"));
}

#[test]
fn trials_and_distributions_need_each_other() {
    insta::assert_snapshot!(mistakes(&[("lr = 0.1", "lr = { uniform = [0.1, 0.2] }")], ""));
    insta::assert_snapshot!(mistakes(&[], "[sweep]\ntrials = 10"));
    insta::assert_snapshot!(mistakes(&[], "[sweep]\nseed = 3\ndraw = [\"optimizer\"]"));
    insta::assert_snapshot!(mistakes(&[("lr = 0.1", "lr = { uniform = [0.1, 0.2] }")], "[sweep]\ntrials = 0"));
    insta::assert_snapshot!(mistakes(
        &[("lr = 0.1", "lr = { uniform = [0.1, 0.2] }")],
        "[sweep]\ntrials = 3\ndraw = [\"optimiser\", \"lr\"]"
    ));
}

#[test]
fn samplers_that_cannot_be() {
    let lr = [("lr = 0.1", "lr = { uniform = [0.1, 0.2] }")];
    insta::assert_snapshot!(mistakes(&[], "[sweep]\nsampler = \"sobol\""));
    insta::assert_snapshot!(mistakes(&lr, "[sweep]\ntrials = 4\nsampler = \"sobel\""));
    let chained = [lr[0], ("seeds = 2", "seeds = 1\nrng = { kind = \"numpy\", chain = [\"trial\"] }")];
    insta::assert_snapshot!(mistakes(&chained, "[sweep]\ntrials = 4\nsampler = \"sobol\""));
    // Each choice within another one is a separate key.
    let nested = (0..33).fold("0.1".to_owned(), |inner, n| format!("{{ choice = [0.{}, {inner}] }}", n + 11));
    let many = [("lr = 0.1", format!("lr = {nested}\n[optimizer.rmsprop]\ndecay = {nested}"))];
    let many = many.each_ref().map(|(line, text)| (*line, text.as_str()));
    insta::assert_snapshot!(mistakes(&many, "[sweep]\ntrials = 1\nsampler = \"sobol\""));
}

#[test]
fn too_many_trials() {
    let lr = [("lr = 0.1", "lr = { uniform = [0.1, 0.2] }")];
    insta::assert_snapshot!(mistakes(&lr, "[sweep]\ntrials = 1_000_001"));
}

#[test]
fn a_contradiction_that_trials_draw_is_told_once() {
    let lr = [("lr = 0.1", "lr = { log_uniform = [1e38, 1e40] }")];
    insta::assert_snapshot!(mistakes(&lr, "[sweep]\ntrials = 50"));
}

#[test]
fn variants_that_cannot_be() {
    insta::assert_snapshot!(mistakes(
        &[],
        r#"
[variant.plain]
name = "x"
seeds = 3
[variant.plain.record]
loss = "after-update"
[variant."two words"]
[variant.wrong]
hidden = [3]
netwrok.hidden = [3]
network.hiden = [4]
train.steps = "many"
optimizer.sgd.lr = -1
[variant.wrong_too]
netwrok.hidden = [3]
network.hiden = [4]
optimizer.adam.momentum = 1
[variant.nested.variant.deeper]
train.steps = 3
[variant]
flat = 3
"#
    ));
    insta::assert_snapshot!(mistakes(&[("seeds = 2", "seeds = 2\nvariant = [\"plain\", \"bn\"]")], ""));
}

#[test]
fn a_mistake_in_the_file_is_told_once_whatever_its_variants() {
    insta::assert_snapshot!(mistakes(
        &[("lr = 0.1", "lr = -0.1"), ("hidden = [20, 10]", "hidden = [20, 0]")],
        "[variant.a]\n[variant.b]\ntrain.steps = 3\n[variant.c]\noptimizer.adam.lr = 0.1\n[variant.d]\n\
         network.bias = false"
    ));
}

#[test]
fn a_section_that_only_some_variants_have_is_missing() {
    insta::assert_snapshot!(mistakes(
        &[("[network]\nhidden = [20, 10]", "")],
        "[variant.a]\nnetwork.hidden = [3]\n[variant.b]"
    ));
}

const EVERYTHING: &str = r#"
[variant.plain]
[variant.decay]
regularization.weight_decay = { log_uniform = [1e-4, 1e-2] }
[variant.wide]
network.hidden = { choice = [[30], [40, 40]] }

[sweep]
trials = 2
zip = ["batch_size", "steps"]
"#;

/// [`SMALL`] with variants, zipped axes, a spacing and distributions.
fn everything() -> String {
    let text = SMALL
        .replace("batch_size = 50", "batch_size = [50, 25]")
        .replace("steps = 30", "steps = { linspace = [10, 20, 2] }")
        .replace("lr = 0.1", "lr = { uniform = [0.1, 0.2] }")
        .replace("seeds = 2", "seeds = [7]");
    text + EVERYTHING
}

#[test]
fn plan_tells_how_everything_combines() {
    let scratch = Scratch::with(&everything());
    insta::assert_snapshot!(settled(&scratch.run("plan small.toml").well().stdout));
}

#[test]
fn what_one_optimizer_alone_holds_is_listed_as_what_the_file_holds() {
    let one = SMALL.replace("[optimizer.adam]\n", "").replace("seeds = 2", "seeds = [7]");
    let axes = |text: String| {
        let plan = Scratch::with(&text).run("plan small.toml").well().stdout;
        plan.lines().skip(2).take_while(|line| !line.is_empty()).map(|line| format!("{line}\n")).collect::<String>()
    };
    let zipped = one.replace("batch_size = 50", "batch_size = [50, 25]").replace("lr = 0.1", "lr = [0.1, 0.2]");
    insta::assert_snapshot!(axes(zipped + "[sweep]\nzip = [\"lr\", \"batch_size\"]\n"));
    let drawn = one.replace("lr = 0.1", "lr = { uniform = [0.1, 0.2] }");
    insta::assert_snapshot!(axes(drawn + "[sweep]\ntrials = 3\n"));
}

#[test]
fn more_trials_leave_the_results_that_were_there() {
    let scratch = Scratch::with(&everything());
    scratch.run("run small.toml --only variant=decay").well();
    let before = scratch.files("results/small/history");
    scratch.write("small.toml", &everything().replace("trials = 2", "trials = 3"));
    let ran = scratch.run("run small.toml --only variant=decay").well();
    let after = scratch.files("results/small/history");
    assert!(before.iter().all(|file| after.contains(file)), "earlier results changed");
    assert!(after.len() > before.len(), "{}", ran.stderr);
    let plan = scratch.run("plan small.toml --only variant=decay").well().stdout;
    assert!(plan.contains("12 finished (kept)"), "{plan}");
    let one = scratch.run("plan small.toml --only trial=2 --only variant=decay").well().stdout;
    assert!(one.contains("small: 4 runs of"), "{one}");
}
