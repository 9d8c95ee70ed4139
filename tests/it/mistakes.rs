//! The complete messages for mistakes.

use crate::common::{SMALL, Scratch};

/// The complete stderr of `paribus run` on a file with mistakes. Checks that nothing is written.
fn mistakes(experiment: &str) -> String {
    let scratch = Scratch::with(experiment);
    let ran = scratch.run("run small.toml");
    assert_eq!(ran.code, 2, "{ran:#?}");
    assert_eq!(ran.stdout, "");
    assert_eq!(scratch.files("").len(), 1, "something was written");
    ran.stderr
}

/// [`SMALL`] with one line replaced.
fn with(line: &str, replacement: &str) -> String {
    assert!(SMALL.contains(line), "{line}");
    SMALL.replacen(line, replacement, 1)
}

#[test]
fn many_mistakes_at_once() {
    insta::assert_snapshot!(mistakes(
        r#"
name = "no blanks please"
seed = 5

[data]
source = "mnst"
train_row = 500

[network]
hidden = [100, 0]
activation = "Relu"
bias = "yes"

[init]
weights = "hee"

[train]
batch_size = 1.5
steps = 2_000
learning_rate = 0.1

[record]
loss = "after"
evaluate = { on = ["train", "valid"], every = 0 }

[optimizer.sgd]
lr = -0.1
[optimizer.adamm]
[optimizer.adam]
beta1 = 1
"#
    ));
}

#[test]
fn a_text_that_is_not_toml() {
    insta::assert_snapshot!(mistakes("name = \"x\n[data\nsource = mnist\n"));
}

#[test]
fn an_empty_file_lacks_its_sections() {
    insta::assert_snapshot!(mistakes(""));
    insta::assert_snapshot!(mistakes("[network]\nhiden = [3]\n[train]\nsteps = \"many\""));
}

#[test]
fn steps_or_epochs_and_not_both() {
    insta::assert_snapshot!(mistakes(&with("steps = 30", "steps = 30\nepochs = 2")));
    insta::assert_snapshot!(mistakes(&with("steps = 30", "")));
}

#[test]
fn more_rows_than_there_are() {
    insta::assert_snapshot!(mistakes(&with("train_rows = 500", "train_rows = 60_001")));
}

#[test]
fn a_batch_that_cannot_be_shuffled() {
    insta::assert_snapshot!(mistakes(&with("batch_size = 50", "batch_size = [50, 501]\nsampling = \"shuffle\"")));
}

#[test]
fn an_axis_where_none_can_be() {
    insta::assert_snapshot!(mistakes(&with(
        "evaluate = { on = [\"train\", \"test\"], every = \"epoch\" }",
        "loss = [\"before-update\", \"after-update\"]"
    )));
    insta::assert_snapshot!(mistakes(&with("seeds = 2", "seeds = [[1, 2]]")));
}

#[test]
fn one_bad_value_of_an_axis() {
    insta::assert_snapshot!(mistakes(&with("lr = 0.1", "lr = [0.1, 0.01, -0.001]")));
}

#[test]
fn a_shared_key_that_one_optimizer_lacks() {
    insta::assert_snapshot!(mistakes(&with("[optimizer.sgd]", "[optimizer]\nbeta1 = 0.8\n[optimizer.sgd]")));
}

#[test]
fn no_optimizer() {
    insta::assert_snapshot!(mistakes(&with("[optimizer.sgd]\nlr = 0.1\n[optimizer.adam]", "[optimizer]\nlr = 0.1")));
}

#[test]
fn too_many_runs() {
    let lr = (1..=100).map(|n| format!("{n}e-3")).collect::<Vec<_>>().join(", ");
    let sizes = (1..=1000).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    let file = with("lr = 0.1", &format!("lr = [{lr}]")).replace("steps = 30", &format!("steps = [{sizes}]"));
    insta::assert_snapshot!(mistakes(&file.replace("seeds = 2", "seeds = 1000")));
}

#[test]
fn more_memory_than_a_machine_has() {
    insta::assert_snapshot!(mistakes(&with("hidden = [20, 10]", "hidden = [1_000_000, 1_000_000]")));
    insta::assert_snapshot!(mistakes(&with("steps = 30", "steps = 9_007_199_254_740_992")));
}

#[test]
fn numbers_that_single_precision_cannot_hold() {
    let tiny = with("lr = 0.1", "lr = [0.1, 1e39]").replace("[optimizer.adam]", "[optimizer.adam]\neps = 1e-50");
    insta::assert_snapshot!(mistakes(&tiny));
    let scratch = Scratch::with(&tiny.replace("[train]", "[train]\nprecision = \"f64\""));
    scratch.run("check small.toml").well();
    insta::assert_snapshot!(mistakes(
        "[function]\nkind = \"quadratic\"\nstart = [1e39, 0]\ncoefficients = [1, 1e-50]\n[train]\nsteps = 3\n\
         [optimizer.sgd]\n"
    ));
}

#[test]
fn a_data_file_that_is_not_there() {
    let idx = "source = \"idx\"\ntrain_images = \"images.gz\"\ntrain_labels = \"labels.gz\"";
    insta::assert_snapshot!(mistakes(
        &with("source = \"mnist\"", idx).replace("test_rows = 100", "").replace("[\"train\", \"test\"]", "[\"train\"]")
    ));
}

#[test]
fn a_file_that_is_not_there() {
    let scratch = Scratch::new();
    let ran = scratch.run("run nothing.toml");
    assert_eq!(ran.code, 2);
    insta::assert_snapshot!(ran.stderr);
}

#[test]
fn a_selection_that_matches_nothing() {
    let scratch = Scratch::with(SMALL);
    let said = |only: &str| {
        let ran = scratch.run(&format!("run small.toml --only {only}"));
        assert_eq!(ran.code, 2, "{ran:#?}");
        ran.stderr
    };
    insta::assert_snapshot!(
        [
            said("optimizer"),
            said("optimiser=sgd"),
            said("optimizer=sdg"),
            said("colour=red"),
            said("lr=0.1 --only label=adam")
        ]
        .concat()
    );
    assert_eq!(scratch.files("").len(), 1);
}

#[test]
fn values_that_are_wrong_hide_no_contradiction() {
    let file = with("steps = 30", "steps = 30\nepochs = 3")
        .replace("train_rows = 500", "train_rows = 60_001")
        .replace("hidden = [20, 10]", "hidden = 20")
        .replace("lr = 0.1", "learning_rate = 0.1");
    insta::assert_snapshot!(mistakes(&file));
}

#[test]
fn a_function_beside_a_network() {
    let function = "[function]\nkind = \"quadratic\"\ncoefficients = [0.05, 1.0]\nstart = [-7, 2]\n[network]";
    insta::assert_snapshot!(mistakes(&with("[network]", function)));
    insta::assert_snapshot!(mistakes(
        r#"
[function]
kind = "quadratic"
coefficient = [1, 2]
start = [-7, 2, 1]
[train]
steps = -1
[optimizer.sgd]
lr = 0.95
"#
    ));
    insta::assert_snapshot!(mistakes(
        "seeds = 3\n[function]\nkind = \"beale\"\nstart = [1, 1]\n[train]\nsteps = 3\n[optimizer.sgd]\n"
    ));
}

#[test]
fn moments_and_rows_that_a_run_does_not_have() {
    let evaluate = "evaluate = { on = [\"train\", \"test\"], every = \"epoch\" }";
    let recording = |lines: &str| mistakes(&with(evaluate, lines));
    insta::assert_snapshot!(recording(
        "histograms = { at = [\"start\", 30], rows = 501 }\ngradient_checks = { at = [100], rows = 501 }"
    ));
    insta::assert_snapshot!(recording("histograms = { of = [\"gradients\"], at = [\"start\"] }"));
}

#[test]
fn words_that_say_what_to_record() {
    insta::assert_snapshot!(mistakes(&with(
        "evaluate = { on = [\"train\", \"test\"], every = \"epoch\" }",
        "histograms = { of = [\"activation\"], at = [\"middle\"], range = [1.0, 0.0], bins = 0 }
layers = { what = [], every = \"step\" }
gradient_checks = { at = [-1], h = 0 }"
    )));
}

#[test]
fn more_recorded_rows_than_memory_has_room_for() {
    insta::assert_snapshot!(mistakes(&with("steps = 30", "steps = 10_000_000").replace(
        "evaluate = { on = [\"train\", \"test\"], every = \"epoch\" }",
        "layers = { every = 1 }\nhistograms = { bins = 100_000_000 }"
    )));
}

#[test]
fn bins_that_do_not_fit_into_their_range() {
    insta::assert_snapshot!(mistakes(&with(
        "evaluate = { on = [\"train\", \"test\"], every = \"epoch\" }",
        "histograms = { range = [1.0, 1.000000000000001] }"
    )));
}

#[test]
fn splits_that_cannot_be_made() {
    let split = |keys: &str| mistakes(&with("train_rows = 500", &format!("train_rows = 500\n{keys}")));
    insta::assert_snapshot!(split("validation_share = 0.999"));
    insta::assert_snapshot!(split("validation_rows = 500"));
    insta::assert_snapshot!(split("validation_rows = 50\nvalidation_share = 0.1"));
    insta::assert_snapshot!(split("test_share = 0.2"));
    insta::assert_snapshot!(split("validation_share = 1.5"));
}

#[test]
fn no_validation_or_test_data_to_evaluate_on() {
    insta::assert_snapshot!(mistakes(&with("[\"train\", \"test\"]", "[\"train\", \"validation\"]")));
    let digits = with("source = \"mnist\"", "source = \"digits\"").replace("test_rows = 100\n", "");
    insta::assert_snapshot!(mistakes(&digits));
    insta::assert_snapshot!(mistakes(&digits.replace("train_rows = 500", "train_rows = 500\ntest_rows = 100")));
}

/// [`SMALL`] on the user's own table.
fn on_table(keys: &str) -> String {
    with("source = \"mnist\"", &format!("source = \"csv\"\npath = \"iris.csv\"\n{keys}"))
        .replace("train_rows = 500\ntest_rows = 100\n", "")
        .replace("[\"train\", \"test\"]", "[\"train\"]")
}

/// Like [`mistakes`], with a table next to the experiment.
fn mistakes_in_table(table: &str, experiment: &str) -> String {
    let scratch = Scratch::with(experiment);
    scratch.write("iris.csv", table);
    let ran = scratch.run("run small.toml");
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran:#?}");
    assert_eq!(scratch.files("").len(), 2, "something was written");
    ran.stderr
}

#[test]
fn a_table_that_is_not_as_it_should_be() {
    let table = "sepal,petal,species\n5.1,1.4,setosa\n7.0,4.7,versicolor\n";
    let species = on_table("target = \"species\"");
    insta::assert_snapshot!(mistakes_in_table(table, &on_table("target = \"specis\"")));
    insta::assert_snapshot!(mistakes_in_table(&table.replace("4.7", "n/a"), &species));
    insta::assert_snapshot!(mistakes_in_table(&table.replace("7.0,4.7", "7.0"), &species));
    insta::assert_snapshot!(mistakes_in_table(table, &on_table("target = \"species\"\nfeatures = [\"petal\", 3]")));
    insta::assert_snapshot!(mistakes_in_table(table, &on_table("target = \"petal\"\nfeatures = [\"sepal\"]")));
}

#[test]
fn synthetic_data_that_cannot_be_made() {
    let synthetic = |keys: &str| {
        mistakes(
            &with("source = \"mnist\"", keys)
                .replace("train_rows = 500\ntest_rows = 100\n", "")
                .replace("[\"train\", \"test\"]", "[\"train\"]"),
        )
    };
    insta::assert_snapshot!(synthetic("source = \"spiral\"\nrows = 100"));
    insta::assert_snapshot!(synthetic("source = \"normal\"\nfeature = 3\nclasses = 1"));
    insta::assert_snapshot!(synthetic("source = \"normal\"\nfeatures = 100_000\nrows = 100_000_000"));
    insta::assert_snapshot!(synthetic("source = \"blobs\"\nrows = 1\nfeatures = 1_000_000\nclasses = 65536"));
}

#[test]
fn clothes_that_cannot_be_fetched() {
    let clothes = with("source = \"mnist\"", "source = \"fashion-mnist\"");
    let scratch = Scratch::with(&clothes);
    // No server listens there; checking and planning do not need one.
    let variables = [("PARIBUS_FASHION_MNIST_URL", "http://127.0.0.1:9"), ("PARIBUS_CACHE", "cache")];
    scratch.run_with("check small.toml", &variables).well();
    scratch.run_with("plan small.toml", &variables).well();
    let ran = scratch.run_with("run --jobs 2 small.toml", &variables);
    assert_eq!(ran.code, 1, "{ran:#?}");
    assert!(!scratch.path().join("cache").exists(), "something was left behind");
    insta::assert_snapshot!(ran.stderr);
}

#[test]
fn clothes_that_are_not_in_their_folder() {
    let clothes = with("source = \"mnist\"", "source = \"fashion-mnist\"\nfolder = \"nope\"");
    insta::assert_snapshot!(mistakes(&clothes));
    let scratch = Scratch::with(&clothes);
    assert_eq!(scratch.run("check small.toml").code, 2);
    assert_eq!(scratch.run("plan small.toml").code, 2);
}

#[test]
fn layers_are_said_once_and_fit_the_data() {
    let network = |text: &str| mistakes(&with("hidden = [20, 10]", text));
    insta::assert_snapshot!(network("hidden = [20]\nbatch_norm = true\nlayers = [\"affine\"]"));
    insta::assert_snapshot!(network(
        "layers = [{ kind = \"affine\", width = 20 }, \"relu\", { kind = \"affine\", width = 9 }]"
    ));
    insta::assert_snapshot!(network("layers = [\"affine\", \"relu\", \"affine\"]"));
    insta::assert_snapshot!(network("layers = [\"relu\"]"));
    insta::assert_snapshot!(network("activation = \"tanh\""));
}

#[test]
fn layers_by_other_names() {
    insta::assert_snapshot!(mistakes(
        &with(
            "hidden = [20, 10]",
            "hidden = [20]\nbatchnorm = true\ndrop_out = 0.5\nuse_dropout = true\nactivation = \"leaky_relu\"\n\
         output = \"linear\""
        )
        .replace("steps = 30", "steps = 30\nobjective = \"MSE\"")
    ));
    insta::assert_snapshot!(mistakes(&with(
        "hidden = [20, 10]",
        "layers = [\"linear\", \"lrelu\", { kind = \"batch_norm\" }, { kind = \"relu\", slope = 1 }, { kind = \
         \"dense\", units = 3 }, { kind = \"affine\", units = 3 }, 7, { width = 3 }]"
    )));
}

#[test]
fn no_axes_inside_a_list_of_layers() {
    let layers = "layers = [{ kind = \"affine\", width = [10, 20] }, { kind = \"dropout\", ratio = { values = [0.1] } \
                  }, \"affine\"]";
    insta::assert_snapshot!(mistakes(&with("hidden = [20, 10]", layers)));
}

#[test]
fn ratios_and_slopes_out_of_range() {
    insta::assert_snapshot!(mistakes(&with(
        "hidden = [20, 10]",
        "hidden = [20]\ndropout = [0.5, 1, -0.1, \"half\"]\n\
         activation = [{ kind = \"leaky-relu\", slope = 1 }, { kind = \"elu\", alpha = 0 }]\n\
         output = { kind = \"elu\", alpha = 1e39 }"
    )));
    insta::assert_snapshot!(mistakes(&with(
        "hidden = [20, 10]",
        "hidden = [20]\noutput = { kind = \"elu\", alpha = 1e39 }"
    )));
}

#[test]
fn a_batch_of_one_row_that_is_to_be_normalized() {
    let normalized = with("hidden = [20, 10]", "hidden = [20, 10]\nbatch_norm = [false, true]");
    insta::assert_snapshot!(mistakes(&normalized.replace("batch_size = 50", "batch_size = 1")));
    insta::assert_snapshot!(mistakes(
        &with("hidden = [20, 10]", "hidden = [20, 10]\nbatch_norm = true")
            .replace("[record]", "[record]\ngradient_checks = { rows = 1 }")
    ));
}

#[test]
fn a_schedule_that_does_not_suit_its_run() {
    let schedule = "lr = 0.1\nschedule = [\"one-cycle\", { kind = \"cosine\", min_lr = 0.2, over = 10 }]\nwarm_up = 30";
    insta::assert_snapshot!(mistakes(&with("lr = 0.1", schedule)));
}

#[test]
fn names_of_other_programs() {
    let settings = r#"
lr_scheduler = "cosine"
weight_decay = 0.1
[optimizer.adamw]
weight_decay = 0.1
warmup_steps = -1
schedule = { kind = "step", step_size = 10, gamma = 0.5 }
[optimizer.lion]
schedule = ["linear", "exponential", 3]
warm_up = 1.5
"#;
    insta::assert_snapshot!(mistakes(&with("lr = 0.1", settings)));
    insta::assert_snapshot!(mistakes(&with(
        "[train]",
        "[regularization]\nclipnorm = 1\n[train]\nschedule = \"cosine\""
    )));
    insta::assert_snapshot!(mistakes(&with("[train]", "[regularization]\nclip_norm = 0\n[train]")));
}

#[test]
fn scripts_that_numpy_cannot_be() {
    let rng = |line: &str| mistakes(&with("seeds = 2", &format!("seeds = 2\n{line}")));
    insta::assert_snapshot!(rng("rng = \"nunpy\""));
    insta::assert_snapshot!(rng("rng = { kind = \"numpy\", group = [\"optimiser\"], chain = [\"weights\"] }"));
    insta::assert_snapshot!(rng("rng = { kind = \"numpy\", group = [\"optimizer\"], chain = [\"optimizer\"] }"));
    insta::assert_snapshot!(mistakes(
        &with("seeds = 2", "seeds = [4294967296]\nrng = \"numpy\"")
            .replace("steps = 30", "steps = 30\nsampling = \"shuffle\"")
    ));
    insta::assert_snapshot!(mistakes(
        &with("seeds = 2", "rng = { kind = \"numpy\", group = [\"batch_size\"] }")
            .replace("batch_size = 50", "batch_size = [25, 50]")
    ));
    insta::assert_snapshot!(mistakes(
        "rng = \"numpy\"\n[function]\nkind = \"beale\"\nstart = [1, 1]\n[train]\nsteps = 3\n[optimizer.sgd]\n"
    ));
}

#[test]
fn a_script_draws_from_one_seed_alone() {
    let rng = "seeds = 2\nrng = \"numpy\"";
    insta::assert_snapshot!(mistakes(
        &with("seeds = 2", rng)
            .replace("source = \"mnist\"", "source = \"normal\"\nrows = 100\nfeatures = 5\nseed = [1, 2]")
            .replace("train_rows = 500\n", "")
            .replace("test_rows = 100\n", "")
            .replace("[\"train\", \"test\"]", "[\"train\"]")
    ));
}

#[test]
fn axes_within_axes_are_no_parts_of_a_script() {
    let several = |rng: &str, optimizers: &str| {
        with("seeds = 2", &format!("rng = {{ kind = \"numpy\", {rng} }}"))
            .replace("[optimizer.sgd]\nlr = 0.1\n", optimizers)
    };
    let lr = "[optimizer.sgd]\nlr = [0.1, 0.2]\n";
    insta::assert_snapshot!(mistakes(&several("group = [\"optimizer\", \"lr\"]", lr)));
    let drawn = "[sweep]\ntrials = 2\n[optimizer]\nlr = { uniform = [0.1, 0.2] }\n[optimizer.sgd]\n";
    insta::assert_snapshot!(mistakes(&several("group = [\"optimizer\"], chain = [\"trial\"]", drawn)));
}

#[test]
fn an_optimizer_is_not_taken_for_another() {
    let sections = "[optimizer.sgd]\nlr = 0.1\n[optimizer.adam]\n";
    let of = |base: &str, file: &str| {
        let scratch = Scratch::with(&format!("extends = \"base.toml\"\n{file}"));
        scratch.write("base.toml", &with(sections, base));
        let ran = scratch.run("check small.toml");
        assert_eq!(ran.code, 2, "{ran:#?}");
        ran.stderr
    };
    insta::assert_snapshot!(of(
        "[optimizer]\nkind = \"adam\"\n[optimizer.slow]\nlr = 0.1\n",
        "[optimizer.sgd]\nlr = 0.3\n"
    ));
    insta::assert_snapshot!(of("[optimizer]\nkind = \"adam\"\n", "[optimizer.sgd]\nlr = 0.3\n"));
    insta::assert_snapshot!(of(sections, "[optimizer]\nkind = \"lion\"\n"));
    let listed = mistakes(&with("[optimizer.sgd]", "[optimizer]\nvalues = [\"adam\"]\n[optimizer.sgd]"));
    assert!(listed.contains("`values` cannot be combined with tables of optimizers"), "{listed}");
    // Between a variant and the file too, and only once.
    let varied = with(sections, "[variant.a]\n[variant.b.optimizer.adam]\nlr = 0.1\n[optimizer]\nkind = \"sgd\"\n");
    assert_eq!(mistakes(&varied).matches("cannot be combined with").count(), 1);
}

#[test]
fn one_mistake_and_not_what_follows_from_it() {
    let evaluated = |line: &str| {
        mistakes(
            &with("train_rows = 500", line)
                .replace("[\"train\", \"test\"]", "[\"validation\"]")
                .replace("source = \"mnist\"", "source = \"digits\""),
        )
    };
    insta::assert_snapshot!(evaluated("validation_share = 1.5"));
    insta::assert_snapshot!(mistakes(
        &with("batch_size = 50", "batch_size = \"50\"\nsampling = \"shuffle\"")
            .replace("train_rows = 500", "train_rows = 100")
    ));
    insta::assert_snapshot!(mistakes(
        &with("steps = 30", "steps = \"many\"")
            .replace("seeds = 2", "rng = { kind = \"numpy\", group = [\"optimizer\"] }")
    ));
    insta::assert_snapshot!(mistakes(
        &with("seeds = 2", "[sweep]\ntrials = 3").replace("lr = 0.1", "lr = { uniform = [1, 0.1] }")
    ));
    insta::assert_snapshot!(mistakes(&on_table("target = \"y\"").replace("steps = 30", "epochs = 3")));
    let histograms = "[record]\nhistograms = { of = [\"activations\"], at = [500] }";
    // The step does not exist, whatever the data; but there is no message if the number of steps is unknown.
    insta::assert_snapshot!(mistakes(&on_table("target = \"y\"").replace("[record]", histograms)));
    insta::assert_snapshot!(mistakes(&with("steps = 30", "steps = 30\nepochs = 3").replace("[record]", histograms)));
    insta::assert_snapshot!(mistakes(
        &with("steps = 30", "steps = \"many\"")
            .replace("seeds = 2", "rng = { kind = \"numpy\", chain = [\"trial\"] }\n[sweep]\ntrials = 2")
            .replace("lr = 0.1", "lr = { uniform = [0.1, 0.2] }")
    ));
}

#[test]
fn a_file_is_missed_whatever_else_its_section_says() {
    insta::assert_snapshot!(mistakes(&on_table("target = \"y\"\ntrain_row = 3")));
}

#[test]
fn a_split_that_leaves_less_than_a_batch() {
    // A small table is not a mistake.
    let small = with("batch_size = 50", "batch_size = 128")
        .replace("train_rows = 500", "train_rows = 150\nvalidation_share = 0.2");
    Scratch::with(&small).run("check small.toml").well();
    insta::assert_snapshot!(mistakes(&with("train_rows = 500", "validation_share = 0.9995")));
}

#[test]
fn a_mistake_of_one_variant_names_it() {
    insta::assert_snapshot!(mistakes(&with(
        "[train]",
        "[variant.plain]\n[variant.listed]\nnetwork.layers = [\"affine\"]\n[variant.again]\n\
         network.layers = [\"affine\"]\n[train]"
    )));
    insta::assert_snapshot!(mistakes(&with("[train]", "[variant.book]\nrng = \"numpy\"\n[variant.other]\n[train]")));
}

#[test]
fn trials_that_a_script_cannot_draw() {
    let sweep = |rng: &str, seeds: &str, lr: &str| {
        format!(
            "rng = {rng}\nseeds = {seeds}\n[sweep]\ntrials = 3\n[data]\nsource = \"mnist\"\ntrain_rows = 100\n\
             [network]\nhidden = [5]\n\
             [train]\nsteps = 3\n{lr}"
        )
    };
    let chain = "{ kind = \"numpy\", chain = [\"trial\"] }";
    insta::assert_snapshot!(mistakes(&sweep(chain, "2", "[optimizer.sgd]\nlr = { uniform = [0.1, 0.2] }")));
    insta::assert_snapshot!(mistakes(&sweep(
        chain,
        "1",
        "batch_size = { int_uniform = [10, 20] }\n[optimizer.sgd]\nlr = { uniform = [0.1, 0.2] }"
    )));
    // A number that only some trials draw.
    let nested = "[optimizer.sgd]\nlr = { choice = [0.1, { uniform = [0.1, 0.2] }] }";
    insta::assert_snapshot!(mistakes(&sweep(chain, "1", nested)));
    let seeded = sweep(chain, "1", "[optimizer.sgd]\nlr = { uniform = [0.1, 0.2] }")
        .replace("trials = 3", "trials = 3\nseed = 4");
    insta::assert_snapshot!(mistakes(&seeded));
}
