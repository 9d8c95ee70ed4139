//! The commands, as users call them, on the real data.

use std::process::Stdio;
use std::time::{Duration, Instant};

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::common::{SMALL, Scratch, settled};

/// Each run's history in the tables, in bits: label, seed, and (step, loss, penalty) for each row.
type Histories = std::collections::BTreeMap<(String, i64), Vec<(i64, u64, u64)>>;

fn texts(array: &dyn Array) -> Vec<String> {
    let cast = arrow_cast::cast(array, &arrow_schema::DataType::Utf8).unwrap();
    cast.as_string::<i32>().iter().map(|text| text.unwrap_or_default().to_owned()).collect()
}

fn histories(scratch: &Scratch, results: &str) -> Histories {
    let mut histories = Histories::new();
    for (path, _) in scratch.files(&format!("{results}/history")) {
        let file = std::fs::File::open(path).unwrap();
        for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap() {
            let batch = batch.unwrap();
            let labels = texts(batch.column_by_name("label").unwrap());
            let int = |name| batch.column_by_name(name).unwrap().as_primitive::<Int64Type>().values().to_vec();
            let bits = |name| -> Vec<u64> {
                let column = batch.column_by_name(name).unwrap().as_primitive::<Float64Type>();
                column.values().iter().map(|value| value.to_bits()).collect()
            };
            let (seeds, steps) = (int("seed"), int("step"));
            let (losses, penalties) = (bits("loss"), bits("penalty"));
            for row in 0..batch.num_rows() {
                let rows = histories.entry((labels[row].clone(), seeds[row])).or_default();
                rows.push((steps[row], losses[row], penalties[row]));
            }
        }
    }
    histories
}

/// The hash of everything that each run recorded: losses, evaluations, final parameters.
fn digests(scratch: &Scratch, results: &str) -> std::collections::BTreeMap<String, String> {
    let mut digests = std::collections::BTreeMap::new();
    for (path, _) in scratch.files(&format!("{results}/runs")) {
        let file = std::fs::File::open(path).unwrap();
        for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap() {
            let batch = batch.unwrap();
            let column = |name| texts(batch.column_by_name(name).unwrap());
            digests.extend(column("run_id").into_iter().zip(column("digest")));
        }
    }
    digests
}

fn labels(scratch: &Scratch, results: &str) -> Vec<String> {
    let mut labels: Vec<String> =
        histories(scratch, results).into_keys().map(|(label, seed)| format!("{label}/{seed}")).collect();
    labels.sort();
    labels
}

#[test]
fn a_run_writes_tables_and_a_second_one_trains_nothing() {
    let scratch = Scratch::with(SMALL);
    let first = scratch.run("run small.toml").well();
    assert!(first.stdout.contains("results in results/small"), "{}", first.stdout);
    let written = histories(&scratch, "results/small");
    assert_eq!(written.len(), 4);
    assert!(written.values().all(|rows| rows.len() == 30));
    let before = scratch.files("results");

    let second = scratch.run("run small.toml").well();
    assert!(second.stderr.contains("4 runs have results already; nothing to train"), "{}", second.stderr);
    assert_eq!(scratch.files("results"), before, "the second run changed something");
    let table = |text: &str| text.lines().take(3).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(table(&first.stdout), table(&second.stdout));
}

#[test]
fn threads_order_and_earlier_runs_change_no_bit() {
    for precision in ["f32", "f64"] {
        let experiment = SMALL.replace("[train]", &format!("[train]\nprecision = \"{precision}\""));
        let scratch = Scratch::with(&experiment);
        scratch.run("run small.toml --results one --jobs 1").well();
        scratch.run("run small.toml --results two --jobs 2").well();
        scratch.run("run small.toml --results half --jobs 2 --only optimizer=adam").well();
        assert_eq!(labels(&scratch, "half"), ["adam/0", "adam/1"]);
        scratch.run("run small.toml --results half --jobs 1").well();
        let one = histories(&scratch, "one");
        assert_eq!(one.len(), 4);
        assert_eq!(one, histories(&scratch, "two"), "{precision}");
        assert_eq!(one, histories(&scratch, "half"), "{precision}");
        let recorded = digests(&scratch, "one");
        assert_eq!(recorded.len(), 4);
        assert_eq!(recorded, digests(&scratch, "two"), "{precision}");
        assert_eq!(recorded, digests(&scratch, "half"), "{precision}");
    }
}

/// Each run also draws, from its script's single stream, the numbers that the other runs draw before and between its
/// own.
#[test]
fn a_run_of_a_script_is_the_same_alone_as_in_the_whole() {
    let experiment = SMALL
        .replace("seeds = 2", "seeds = 2\nrng = { kind = \"numpy\", chain = [\"weights\"], group = [\"optimizer\"] }")
        .replace("hidden = [20, 10]", "hidden = [20, 10]\ndropout = 0.2\n\n[init]\nweights = [\"he\", \"xavier\"]");
    let scratch = Scratch::with(&experiment);
    scratch.run("run small.toml --results whole").well();
    let whole = digests(&scratch, "whole");
    assert_eq!(whole.len(), 8);
    // The script's first and last run.
    for (results, only) in
        [("first", "weights=he,optimizer=sgd,seed=1"), ("last", "weights=xavier,optimizer=adam,seed=1")]
    {
        let only = only.replace(',', " --only ");
        scratch.run(&format!("run small.toml --results {results} --only {only}")).well();
        let alone = digests(&scratch, results);
        assert_eq!(alone.len(), 1);
        assert!(alone.iter().all(|(run_id, digest)| whole[run_id] == *digest), "{only}");
    }
}

#[test]
fn runs_of_one_seed_share_weights_and_batches() {
    // With a learning rate too small to change anything, the loss with any optimizer is that of the same weights on the
    // same batch.
    let still = SMALL.replace("lr = 0.1", "lr = 1e-30").replace("[optimizer.adam]", "[optimizer.momentum]\nlr = 1e-30");
    let scratch = Scratch::with(&still);
    scratch.run("run small.toml").well();
    let histories = histories(&scratch, "results/small");
    let of = |label: &str, seed| &histories[&(label.to_owned(), seed)];
    assert_eq!(of("sgd", 0), of("momentum", 0));
    assert_eq!(of("sgd", 1), of("momentum", 1));
    assert_ne!(of("sgd", 0), of("sgd", 1));
}

#[test]
fn what_the_file_no_longer_asks_for_is_archived_and_comes_back() {
    let scratch = Scratch::with(SMALL);
    scratch.run("run small.toml").well();
    let all = histories(&scratch, "results/small");

    scratch.write("small.toml", &SMALL.replace("[optimizer.adam]", "[optimizer.momentum]"));
    let plan = scratch.run("plan small.toml").well().stdout;
    assert!(plan.contains("2 new (to be trained), 2 finished (kept)"), "{plan}");
    scratch.run("run small.toml").well();
    assert_eq!(labels(&scratch, "results/small"), ["momentum/0", "momentum/1", "sgd/0", "sgd/1"]);
    assert_eq!(labels(&scratch, "results/small/archive"), ["adam/0", "adam/1"]);

    scratch.write("small.toml", SMALL);
    let plan = scratch.run("plan small.toml").well().stdout;
    assert!(plan.contains("2 finished (kept), 2 archived (to be brought back)"), "{plan}");
    let back = scratch.run("run small.toml").well();
    assert!(back.stderr.contains("nothing to train"), "{}", back.stderr);
    assert_eq!(histories(&scratch, "results/small"), all);
    assert_eq!(labels(&scratch, "results/small/archive"), ["momentum/0", "momentum/1"]);
}

#[test]
fn cosmetic_changes_train_nothing() {
    let scratch = Scratch::with(SMALL);
    scratch.run("run small.toml").well();
    let spelled_out = SMALL
        .replace("[optimizer.adam]", "[optimizer.adam]\nbeta2 = 0.999 # the default\nlr = 1e-3")
        .replace("hidden = [20, 10]", "activation = \"relu\"\nhidden = [20, 10]")
        .replace("steps = 30", "epochs = 3")
        .replace("seeds = 2", "seeds = [1, 0]\ndescription = \"the same\"");
    scratch.write("small.toml", &spelled_out);
    let again = scratch.run("run small.toml").well();
    assert!(again.stderr.contains("4 runs have results already; nothing to train"), "{}", again.stderr);
}

#[test]
fn a_new_name_for_an_optimizer_relabels_and_trains_nothing() {
    let scratch = Scratch::with(SMALL);
    scratch.run("run small.toml").well();
    scratch.write("small.toml", &SMALL.replace("[optimizer.sgd]", "[optimizer.plain]\nkind = \"sgd\""));
    let again = scratch.run("run small.toml").well();
    assert!(again.stderr.contains("nothing to train"), "{}", again.stderr);
    assert_eq!(labels(&scratch, "results/small"), ["adam/0", "adam/1", "plain/0", "plain/1"]);
}

#[test]
fn fresh_trains_again_and_finds_the_same_bits() {
    let scratch = Scratch::with(SMALL);
    scratch.run("run small.toml").well();
    let before = histories(&scratch, "results/small");
    let fresh = scratch.run("run small.toml --fresh").well();
    assert!(fresh.stderr.contains("4 runs trained again: the same bits"), "{}", fresh.stderr);
    assert_eq!(histories(&scratch, "results/small"), before);
}

#[test]
fn divergence_is_a_result() {
    let scratch = Scratch::with(&SMALL.replace("lr = 0.1", "lr = 1e30"));
    let ran = scratch.run("run small.toml").well();
    assert!(ran.stdout.contains("2 diverged"), "{}", ran.stdout);
    let plan = scratch.run("plan small.toml").well().stdout;
    assert!(plan.contains("2 finished (kept), 2 diverged (kept)"), "{plan}");
    assert!(scratch.run("run small.toml").well().stderr.contains("nothing to train"));
}

#[test]
fn quiet_prints_nothing() {
    let scratch = Scratch::with(SMALL);
    let ran = scratch.run("run small.toml --quiet").well();
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
}

#[test]
fn plan_lists_every_run() {
    let scratch =
        Scratch::with(&SMALL.replace("lr = 0.1", "lr = [0.1, 0.01]").replace(
            "[train]",
            "[init]\nweights = [\"he\", 0.01, { kind = \"uniform\", bound = [0.1, 0.2] }]\n\n[train]",
        ));
    let ran = scratch.run("plan small.toml").well();
    insta::assert_snapshot!(settled(&ran.stdout));
    assert_eq!(ran.stderr, "");
    assert_eq!(scratch.files("").len(), 1, "plan wrote something");
}

#[test]
fn check_validates_several_files_and_trains_nothing() {
    let scratch = Scratch::with(SMALL);
    scratch.write("wrong.toml", &SMALL.replace("steps", "step"));
    let ran = scratch.run("check small.toml wrong.toml");
    assert_eq!(ran.code, 2);
    assert_eq!(ran.stdout, "small.toml: 4 runs, no mistakes\n");
    assert!(ran.stderr.contains("wrong.toml:15:1"), "{}", ran.stderr);
    assert_eq!(scratch.files("").len(), 2);
}

#[test]
fn a_number_of_jobs_out_of_range_is_told_the_range() {
    let scratch = Scratch::new();
    for command in ["run", "plan"] {
        for jobs in ["-1", "0", "4097"] {
            let ran = scratch.run(&format!("{command} small.toml --jobs {jobs}"));
            assert_eq!(ran.code, 2);
            assert!(ran.stderr.contains("is not in 1..=4096"), "{}", ran.stderr);
        }
    }
}

#[test]
fn a_second_run_is_refused_while_one_is_at_work_and_an_interruption_loses_nothing() {
    let long = SMALL
        .replace("steps = 30", "steps = [30, 2_000_000_000]")
        .replace("every = \"epoch\"", "every = 1_000_000")
        .replace("evaluate", "loss = { at = \"before-update\", every = 1_000_000 }\nevaluate");
    let scratch = Scratch::with(&long);
    let mut first =
        scratch.command("run small.toml --jobs 8").stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    // The short runs are committed while the long ones are still running.
    let begin = Instant::now();
    while histories(&scratch, "results/small").len() < 4 {
        assert!(begin.elapsed() < Duration::from_secs(60), "the short runs were not written");
        std::thread::sleep(Duration::from_millis(50));
    }
    let second = scratch.run("run small.toml");
    assert_eq!(second.code, 1, "{second:#?}");
    assert!(second.stderr.contains(&first.id().to_string()), "{}", second.stderr);

    let killed = std::process::Command::new("kill").args(["-INT", &first.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let status = first.wait().unwrap();
    assert_eq!(status.code(), Some(130));
    assert_eq!(histories(&scratch, "results/small").len(), 4);
    let plan = scratch.run("plan small.toml").well().stdout;
    assert!(plan.contains("4 new (to be trained), 4 finished (kept)"), "{plan}");
}

#[test]
fn a_reader_that_has_seen_enough_stops_nothing() {
    let scratch = Scratch::with(SMALL);
    // Both pipes are closed before the program writes its first line.
    let spawn = |arguments| {
        let mut child = scratch.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        child.wait().unwrap().code()
    };
    assert_eq!(spawn("plan small.toml"), Some(0));
    assert_eq!(spawn("run small.toml -vv"), Some(0));
    assert_eq!(histories(&scratch, "results/small").len(), 4);
}

#[test]
fn the_log_says_what_is_done_and_at_which_level() {
    let scratch = Scratch::with(SMALL);
    let said = |arguments: &str, level: &str| {
        let output = scratch.command(arguments).env("PARIBUS_LOG", level).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    let info = said("run small.toml --quiet -v", "");
    assert!(info.contains(" INFO loaded 500 training and 100 test rows"), "{info}");
    assert!(!info.contains("DEBUG"), "{info}");
    let debug = said("run small.toml --quiet --fresh", "debug");
    assert!(debug.contains("DEBUG sgd, seed 0") && debug.contains("ended: loss"), "{debug}");
    assert!(said("plan small.toml", "inof").contains("WARN PARIBUS_LOG=`inof` is not a log level"));
}
