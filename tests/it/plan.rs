//! The output of `plan` before runs are trained: which are finished, why others are not, and what the experiment takes.

use crate::common::{SMALL, Scratch, settled};

/// The text from `runs` on.
fn runs(text: &str) -> String {
    let text = settled(text);
    text[text.find("\nruns\n").expect("runs are listed")..].to_owned()
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn why_runs_are_trained_again_is_told() {
    let scratch = Scratch::with(SMALL);
    scratch.run("run small.toml").well();
    // One axis grows, one optimizer is removed, and one setting of all runs changes.
    scratch.write("small.toml", &SMALL.replace("[optimizer.adam]", "[optimizer.rmsprop]"));
    insta::assert_snapshot!(runs(&scratch.run("plan small.toml").well().stdout));
    scratch
        .write("small.toml", &SMALL.replace("steps = 30", "steps = 40").replace("batch_size = 50", "batch_size = 25"));
    insta::assert_snapshot!(runs(&scratch.run("plan small.toml").well().stdout));
    // Runs in the file again come back from the archive; planning only some runs archives no others.
    scratch.run("run small.toml").well();
    scratch.write("small.toml", SMALL);
    insta::assert_snapshot!(runs(&scratch.run("plan small.toml").well().stdout));
    let some = scratch.run("plan small.toml --only optimizer=sgd").well().stdout;
    assert!(some.contains("2 archived (to be brought back)\nnothing to train\n"), "{some}");
}

#[test]
fn changed_data_is_told() {
    let file = "data = { source = 'csv', path = 'd.csv', target = 'class', test_share = 0.25 }\nnetwork.hidden = [3]\n\
                train = { steps = 4, batch_size = 2 }\noptimizer = ['sgd', 'adam']";
    let scratch = Scratch::with(file);
    scratch.write("d.csv", "a,b,class\n1,2,x\n2,1,y\n3,4,x\n4,3,y\n");
    scratch.run("run small.toml").well();
    scratch.write("d.csv", "a,b,class\n1,2,x\n2,1,y\n3,4,x\n4,3.5,y\n");
    let plan = scratch.run("plan small.toml").well().stdout;
    assert_eq!(plan.matches("  data changed\n").count(), 2, "{plan}");
    let plan = json(&scratch.run("plan small.toml --json").well().stdout);
    assert_eq!(plan["list"][0]["changes"], serde_json::json!([{ "data": "changed" }]));
}

#[test]
fn programs_read_what_people_read() {
    let scratch = Scratch::with(
        &SMALL
            .replace("seeds = 2", "seeds = [3, 5]\nsweep.exclude = [{ lr = 0.1 }]")
            .replace("[optimizer.adam]", "[optimizer.twin]\nkind = 'adam'\n[optimizer.adam]\nbeta1 = [0.9, 0.8]"),
    );
    scratch.run("run small.toml --only beta1=0.8").well();
    let mut plan = json(&scratch.run("plan small.toml --json").well().stdout);
    let estimate = plan["estimate"].take();
    for (key, least) in [("seconds", 1e-9), ("memory_bytes", 1e6), ("disk_bytes", 1e4), ("shapes_timed", 1.0)] {
        assert!(estimate[key].as_f64().unwrap() >= least, "{estimate}");
    }
    plan["list"].as_array_mut().unwrap().iter_mut().for_each(|run| _ = run["settings"].take());
    insta::assert_snapshot!(format!("{plan:#}"));
}

#[test]
fn many_runs_are_counted_as_they_would_be_listed() {
    let many = std::fs::read_to_string("experiments/optimizer_compare_naive.toml").unwrap();
    let head = many.split("\n[optimizer").next().unwrap().to_owned();
    let text = |count| format!("{head}\n[optimizer.sgd]\nlr = {{ linspace = [0.001, 1.1, {count}] }}\n");
    let scratch = Scratch::with(&text(1100));
    scratch.run("run small.toml --quiet --results r").well();
    // Some runs stay, some are removed, some are new.
    scratch.write("small.toml", &text(1098 + 1100));
    let counted = json(&scratch.run("plan small.toml --json --results r").well().stdout);
    let listed = json(&scratch.run("plan small.toml --json --list --results r").well().stdout);
    assert!(counted.get("list").is_none() && listed["list"].as_array().unwrap().len() == 2198);
    for key in ["runs", "steps", "states", "to_archive", "excluded", "duplicates", "axes"] {
        assert_eq!(counted[key], listed[key], "{key}");
    }
    assert!(counted["to_archive"].as_u64().unwrap() > 0 && counted["states"]["finished"].as_u64().unwrap() > 0);
}

#[test]
fn a_million_cells_are_told_by_their_axes() {
    let scratch = Scratch::with(
        "data.source = 'mnist'\nnetwork.hidden = [100]\ntrain.steps = 10\n\
         regularization.weight_decay = { geomspace = [1e-6, 1, 1000] }\n\
         optimizer = { kind = 'sgd', lr = { geomspace = [1e-4, 1, 1000] } }\n\
         sweep.exclude = [{ lr = { above = 0.1 }, weight_decay = { above = 0.1 } }]",
    );
    insta::assert_snapshot!(settled(&scratch.run("plan small.toml").well().stdout));
}

#[test]
fn some_runs_send_none_of_the_others_away() {
    let one = SMALL.replace("[optimizer.adam]\n", "").replace("seeds = 2", "seeds = 1");
    let scratch = Scratch::with(&one);
    scratch.run("run small.toml").well();
    scratch.write("small.toml", &one.replace("steps = 30", "steps = 31"));
    // All runs of the plan are selected, but `run --only` never archives.
    let plan = scratch.run("plan small.toml --only optimizer=sgd").well().stdout;
    assert!(!plan.contains("archive"), "{plan}");
    assert!(scratch.run("plan small.toml").well().stdout.contains("1 run to be moved to the archive"));
}

#[test]
fn a_lost_table_is_missed_before_anything_is_said_to_be_kept() {
    let scratch = Scratch::with(SMALL);
    scratch.run("run small.toml").well();
    std::fs::remove_dir_all(scratch.path().join("results/small/history")).expect("the folder is there");
    for (command, code) in [("plan small.toml", 1), ("status results/small", 2)] {
        let ran = scratch.run(command);
        assert_eq!(ran.code, code, "{ran:#?}");
        assert!(ran.stderr.contains("is missing though its batch is committed"), "{}", ran.stderr);
    }
}

#[test]
fn new_labels_are_told_and_equal_values_once() {
    let scratch = Scratch::with(SMALL);
    scratch.run("run small.toml").well();
    let renamed = SMALL
        .replace("[optimizer.sgd]", "[optimizer.slow]\nkind = \"sgd\"")
        .replace("lr = 0.1", "lr = [0.1, 0.1, 0.1]");
    scratch.write("small.toml", &renamed);
    let plan = runs(&scratch.run("plan small.toml").well().stdout);
    assert!(plan.contains("2 runs to be given a new label"), "{plan}");
    assert_eq!(plan.matches("`slow, lr=0.1` appears more than once and is trained once").count(), 1, "{plan}");
}

#[test]
fn runs_of_another_experiment_do_not_leave_without_a_word() {
    let scratch = Scratch::with(SMALL);
    scratch.run("run small.toml").well();
    scratch.write("other.toml", &SMALL.replace("\"small\"", "\"other\"").replace("steps = 30", "steps = 3"));
    let ran = scratch.run("run other.toml --results results/small --quiet").well();
    assert!(ran.stderr.contains("results/small held runs of `small`"), "{}", ran.stderr);
    assert_eq!(scratch.run("run other.toml --results results/small --quiet").well().stderr, "");
}
