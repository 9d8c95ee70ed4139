//! Commands on existing results: status, differences, reproduction.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{ArrayRef, Float64Array, RecordBatch};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use serde_json::Value;

use crate::common::{SMALL, Scratch};

/// [`SMALL`] on a table of its own, whose contents depend on `slope`.
fn on_a_table(scratch: &Scratch, folder: &str, slope: usize) {
    std::fs::create_dir_all(scratch.path().join(folder)).unwrap();
    let rows = (0..200).map(|row| format!("{},{},{}\n", row * 7 % 13, row * slope % 11, ["no", "yes"][row / 3 % 2]));
    scratch.write(&format!("{folder}/table.csv"), &format!("a,b,kind\n{}", rows.collect::<String>()));
    let experiment = SMALL
        .replace("source = \"mnist\"", "source = \"csv\"\npath = \"table.csv\"\ntarget = \"kind\"\ntest_share = 0.2")
        .replace("train_rows = 500\ntest_rows = 100\n", "");
    scratch.write(&format!("{folder}/small.toml"), &experiment);
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|problem| panic!("{problem}: {text}"))
}

/// Paths of the Parquet files in `folder`, sorted.
fn parquet_files(scratch: &Scratch, folder: &str) -> Vec<PathBuf> {
    scratch.files(folder).into_iter().map(|(path, _)| path).collect()
}

/// Rewrites the Parquet file at `path` with changes, as another program might.
fn tamper(
    path: &Path,
    change: impl Fn(RecordBatch) -> RecordBatch,
    change_footer: impl Fn(&str, Option<String>) -> Option<String>,
) {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let schema = reader.schema().clone();
    let pairs = reader.metadata().file_metadata().key_value_metadata().cloned().unwrap_or_default();
    let pairs = pairs.into_iter().filter(|pair| pair.key != "ARROW:schema");
    let pairs = pairs.map(|pair| KeyValue { value: change_footer(&pair.key, pair.value), key: pair.key }).collect();
    let rows: Vec<RecordBatch> = reader.build().unwrap().map(|rows| change(rows.unwrap())).collect();
    let properties = WriterProperties::builder().set_key_value_metadata(Some(pairs)).build();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), schema, Some(properties)).unwrap();
    rows.iter().for_each(|rows| writer.write(rows).unwrap());
    writer.close().unwrap();
}

/// The rows with the last bit of the loss in `row` flipped.
fn with_other_loss(rows: RecordBatch, row: usize) -> RecordBatch {
    let index = rows.schema().index_of("loss").unwrap();
    let mut losses = rows.column(index).as_primitive::<Float64Type>().values().to_vec();
    losses[row] = f64::from_bits(losses[row].to_bits() ^ 1);
    let mut columns = rows.columns().to_vec();
    columns[index] = Arc::new(Float64Array::from(losses)) as ArrayRef;
    RecordBatch::try_new(rows.schema(), columns).unwrap()
}

#[test]
fn status_says_what_is_there_what_is_missing_and_what_to_do() {
    let scratch = Scratch::with(&SMALL.replace("lr = 0.1", "lr = 1e30"));
    scratch.run("run small.toml --only optimizer=adam").well();
    let before = scratch.files("");
    let status = scratch.run("status results/small").well().stdout;
    assert!(status.starts_with("small\nresults/small, "), "{status}");
    assert!(status.contains("runs        2 finished\n"), "{status}");
    assert!(status.contains("missing     2 of 4 runs that the experiment asks for\n"), "{status}");
    assert!(status.contains("writer      none\n"), "{status}");
    assert!(status.contains(", numerics version 1, format version 2\n"), "{status}");
    assert!(status.ends_with("next: `paribus run small.toml` trains the 2 runs that are missing\n"), "{status}");
    assert_eq!(scratch.files(""), before, "status wrote something");

    scratch.run("run small.toml").well();
    let status = json(&scratch.run("status results/small --json").well().stdout);
    assert_eq!(status["experiment"], "small");
    assert_eq!(status["runs"], json(r#"{ "finished": 2, "diverged": 2, "failed": 0, "archived": 0 }"#));
    assert_eq!(status["plan"], json(r#"{ "runs": 4, "missing": 0, "in_archive": 0, "others": 0 }"#));
    assert_eq!(status["writer"], Value::Null);
    let best: Vec<&str> =
        status["best"].as_array().unwrap().iter().map(|best| best["label"].as_str().unwrap()).collect();
    assert_eq!(best, ["adam", "sgd"], "what diverged comes last");
    let bytes: u64 = status["tables"].as_array().unwrap().iter().map(|table| table["bytes"].as_u64().unwrap()).sum();
    let on_disk =
        parquet_files(&scratch, "results/small").iter().map(|path| path.metadata().unwrap().len()).sum::<u64>();
    assert_eq!(bytes + SMALL.len() as u64 + 1, on_disk, "all but experiment.toml is in a table");
}

#[test]
fn status_tells_of_the_archive_and_of_folders_with_another_name() {
    let scratch = Scratch::with(SMALL);
    scratch.run("run small.toml --results elsewhere").well();
    scratch.write("small.toml", &SMALL.replace("[optimizer.adam]", ""));
    scratch.run("run small.toml --results elsewhere").well();
    let status = scratch.run("status elsewhere").well().stdout;
    assert!(status.contains("2 finished, 2 archived"), "{status}");
    assert!(status.contains("none of 2 runs that the experiment asks for"), "{status}");
    assert!(status.contains("in the archive"), "{status}");
    let finished = scratch.run("status elsewhere --json").well().stdout;
    assert_eq!(json(&finished)["runs"]["archived"], 2);
}

#[test]
fn status_knows_what_was_typed_where_no_file_says_it() {
    let scratch = Scratch::with(SMALL);
    let mut run = scratch.command("run small.toml --quiet --set");
    assert!(run.arg("optimizer.sgd.lr=[0.1, 1e30]").output().unwrap().status.success());
    let [folder] = std::fs::read_dir(scratch.path().join("results"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    // The runs get lost.
    for table in ["runs", "history", "evaluations"] {
        let folder = folder.join(table);
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        files.for_each(|file| std::fs::remove_file(file).unwrap());
    }
    let shown = folder.strip_prefix(scratch.path()).unwrap().display().to_string();
    let status = scratch.run(&format!("status {shown}")).well().stdout;
    let command =
        "run small.toml --quiet --set 'optimizer.sgd.lr=[0.1, 1e30]'`, the last command here, trains the 6 runs";
    assert!(status.contains(command), "{status}");
}

#[test]
fn status_disturbs_nobody_while_a_run_is_at_work() {
    let long = SMALL
        .replace("steps = 30", "steps = [30, 2_000_000_000]")
        .replace("every = \"epoch\"", "every = 1_000_000")
        .replace("evaluate", "loss = { at = \"before-update\", every = 1_000_000 }\nevaluate");
    let scratch = Scratch::with(&long);
    let mut run =
        scratch.command("run small.toml --jobs 8").stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    let begin = Instant::now();
    let status = loop {
        assert!(begin.elapsed() < Duration::from_secs(60), "the short runs were not written");
        std::thread::sleep(Duration::from_millis(50));
        let status = scratch.run("status results/small --json");
        // Until the folder exists, `status` fails.
        if status.code == 0 && json(&status.stdout)["runs"]["finished"] == 4 {
            break json(&status.stdout);
        }
    };
    assert_eq!(status["writer"]["process"], u64::from(run.id()));
    assert!(status["writer"]["command"].as_str().unwrap().ends_with("run small.toml --jobs 8"), "{status}");
    assert_eq!(status["plan"]["missing"], 4);
    assert!(status["last_batch"]["seconds_ago"].as_f64().unwrap() < 60.0);
    let words = scratch.run("status results/small").well().stdout;
    assert!(words.contains(&format!("writer      process {} on ", run.id())), "{words}");

    let stopped = std::process::Command::new("kill").args(["-INT", &run.id().to_string()]).status().unwrap();
    assert!(stopped.success());
    assert_eq!(run.wait().unwrap().code(), Some(130), "status got in the way of the run");
    let status = json(&scratch.run("status results/small --json").well().stdout);
    assert_eq!(status["writer"], Value::Null);
}

#[test]
fn status_of_what_is_no_results_folder_says_what_may_be_meant() {
    let scratch = Scratch::with(SMALL);
    let none = scratch.run("status results/small");
    assert_eq!(none.code, 2);
    assert_eq!(
        none.stderr,
        "error: `results/small` is not a results folder: it does not exist\n\
         help: there is none in `results` either; `paribus run FILE` makes one\n"
    );
    scratch.run("run small.toml --only optimizer=adam --only seed=0").well();
    for typed in ["results/smal", "small", "small.toml"] {
        let wrong = scratch.run(&format!("status {typed}"));
        assert_eq!(wrong.code, 2, "{wrong:?}");
        assert!(wrong.stderr.ends_with("help: did you mean `results/small`?\n"), "{}", wrong.stderr);
    }
}

#[test]
fn status_goes_on_where_the_data_is_gone() {
    let scratch = Scratch::new();
    on_a_table(&scratch, "there", 5);
    scratch.run("run there/small.toml").well();
    // Paths are relative to the folder of the experiment, not to this one.
    let status = json(&scratch.run("status results/small --json").well().stdout);
    assert_eq!(status["plan"]["missing"], 0, "{status}");
    std::fs::remove_file(scratch.path().join("there/table.csv")).unwrap();
    let status = scratch.run("status results/small").well().stdout;
    assert!(status.contains("missing     unknown: results/small/experiment.toml: "), "{status}");
    assert!(status.contains("table.csv") && status.contains("4 finished"), "{status}");
}

#[test]
fn two_runs_differ_in_settings_results_and_bits() {
    let scratch = Scratch::with(SMALL);
    scratch.run("run small.toml").well();
    let same = scratch.run("diff small:adam/0 adam/0").well().stdout;
    assert!(same.contains("the same settings\n\nthe same results\n\nrecorded bits: the same\n"), "{same}");

    let other = scratch.run("diff results/small:sgd/0 adam/0");
    assert_eq!(other.code, 1);
    let lines: Vec<&str> = other.stdout.lines().collect();
    assert!(lines[0].starts_with("A  results/small: sgd, seed 0 ("), "{}", other.stdout);
    let settings = ["setting    A    B", "beta1      -    0.9", "beta2      -    0.999", "eps        -    1e-7"];
    assert_eq!(&lines[3..7], settings);
    assert_eq!(&lines[7..9], ["lr         0.1  0.001", "optimizer  sgd  adam"]);
    assert!(other.stdout.contains("recorded bits: different\ntrajectory: different paths\n"), "{}", other.stdout);

    let json = json(&scratch.run("diff sgd/0 sgd/1 --json --results results/small").stdout);
    assert_eq!(json["settings"], serde_json::json!([{ "name": "seed", "a": 0, "b": 1 }]));
    assert_eq!((&json["same_bits"], &json["same_trajectory"]), (&Value::Bool(false), &Value::Bool(false)));

    let several = scratch.run("diff adam sgd/0");
    assert_eq!(several.code, 2);
    assert_eq!(several.stderr, "error: `adam` could be any of `results/small:adam/0`, `results/small:adam/1`\n");
    let unknown = scratch.run("diff adem/0 sgd/0");
    assert_eq!(unknown.code, 2);
    assert!(unknown.stderr.ends_with("help: did you mean `adam`?\n"), "{}", unknown.stderr);
    let mixed = scratch.run("diff adam/0 results/small");
    assert_eq!(mixed.code, 2);
    assert!(
        mixed.stderr.starts_with("error: `adam/0` is one run, but `results/small` holds many\n"),
        "{}",
        mixed.stderr
    );
}

#[test]
fn a_longer_run_takes_the_path_of_the_shorter_one() {
    let scratch = Scratch::with(&SMALL.replace("steps = 30", "steps = [30, 20]"));
    scratch.run("run small.toml --only optimizer=sgd --only seed=0").well();
    let command = |a: &str, b: &str| {
        let mut command = scratch.command("diff");
        let output = command.args([a, b]).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stdout).unwrap()
    };
    let text = command("steps=30, sgd", "steps=20, sgd, seed 0");
    assert!(text.contains("trajectory: the same path, as far as both go: 20 steps\n"), "{text}");
    assert!(text.contains("\nsteps    30  20\n"), "{text}");
}

#[test]
fn folders_and_files_differ_in_runs_and_settings() {
    let scratch = Scratch::with(SMALL);
    scratch.write("other.toml", &SMALL.replace("lr = 0.1", "lr = 0.2"));
    let files = scratch.run("diff small.toml other.toml");
    assert_eq!(files.code, 1);
    assert!(files.stdout.starts_with("A  small.toml: 4 runs\nB  other.toml: 4 runs\n\nsetting  A"), "{}", files.stdout);
    assert!(files.stdout.contains("\nlr       0.1, 0.001  0.2, 0.001\n"), "{}", files.stdout);
    assert!(files.stdout.contains("\nonly in A: 2 runs\n  sgd, seed 0 ("), "{}", files.stdout);
    assert!(files.stdout.ends_with("\nin both: 2 runs\n"), "{}", files.stdout);

    scratch.run("run small.toml --results one").well();
    scratch.run("run small.toml --results two").well();
    scratch.run("diff one two").well();
    scratch.run("diff one small.toml").well();
    // Runs with different bits have different digests.
    for path in parquet_files(&scratch, "two/runs") {
        tamper(&path, |rows| with_text(rows, "digest", "0123456789abcdef"), |_, value| value);
    }
    let bits = json(&scratch.run("diff one two --json").stdout);
    assert_eq!(bits["other_bits"].as_array().unwrap().len(), 4, "{bits}");
    assert_eq!(bits["only_in_a"].as_array().unwrap().len(), 0);
    assert_eq!(scratch.run("diff one two").code, 1);
}

/// The rows with `text` in every cell of one column.
fn with_text(rows: RecordBatch, column: &str, text: &str) -> RecordBatch {
    let index = rows.schema().index_of(column).unwrap();
    let texts: arrow_array::DictionaryArray<arrow_array::types::Int32Type> =
        std::iter::repeat_n(text, rows.num_rows()).collect();
    let mut columns = rows.columns().to_vec();
    columns[index] = Arc::new(texts) as ArrayRef;
    RecordBatch::try_new(rows.schema(), columns).unwrap()
}

#[test]
fn what_is_recorded_is_trained_again_to_the_same_bits() {
    let scratch = Scratch::with(&SMALL.replace("lr = 0.1", "lr = 1e30"));
    scratch.run("run small.toml").well();
    // The experiment changes, and the folder now shows other runs.
    scratch.write("small.toml", &SMALL.replace("[optimizer.adam]", "[optimizer.momentum]"));
    scratch.run("run small.toml").well();
    let before = scratch.files("");
    for (what, runs) in [
        ("results/small", "4 runs: 4 the same to the last bit"),
        ("results/small:adam", "2 runs: 2 the same to the last bit"),
        ("momentum/1", "1 run: 1 the same to the last bit"),
        ("results/small --only optimizer=sgd --only seed=0", "1 run: 1 the same to the last bit"),
    ] {
        let ran = scratch.run(&format!("reproduce {what} --quiet")).well();
        assert!(ran.stdout.trim_end().ends_with(runs), "{what}: {}", ran.stdout);
        assert_eq!(ran.stderr, "");
    }
    // Every file of a table, including the archive's and those of diverged runs.
    let mut verdicts = Vec::new();
    let files =
        ["results/small/history", "results/small/archive/history"].map(|folder| parquet_files(&scratch, folder));
    for path in files.concat() {
        let ran = scratch.run(&format!("reproduce {} --quiet --json", path.display())).well();
        let report = json(&ran.stdout);
        assert_eq!(report["same"].as_u64().unwrap() as usize, report["runs"].as_array().unwrap().len());
        verdicts
            .extend(report["runs"].as_array().unwrap().iter().map(|run| run["run_id"].as_str().unwrap().to_owned()));
    }
    verdicts.sort();
    verdicts.dedup();
    assert_eq!(verdicts.len(), 8);
    assert_eq!(scratch.files(""), before, "reproduce wrote something");
}

#[test]
fn the_first_bit_that_differs_is_named() {
    let scratch = Scratch::with(SMALL);
    scratch.run("run small.toml --only optimizer=adam --only seed=0").well();
    let [history] = parquet_files(&scratch, "results/small/history").try_into().unwrap();
    tamper(&history, |rows| with_other_loss(rows, 17), |_, value| value);
    let ran = scratch.run("reproduce adam --quiet");
    assert_eq!(ran.code, 1, "{ran:?}");
    let line = ran.stdout.lines().find(|line| line.starts_with("  history at step 17, loss: ")).unwrap();
    let values: Vec<f64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
    let [recorded, again] = values[..] else { panic!("{line}") };
    assert_eq!(recorded.to_bits() ^ 1, again.to_bits(), "{line}");
    assert!(ran.stdout.contains("1 run: 1 different\nrecorded by paribus "), "{}", ran.stdout);

    // A file without its batch is reproduced on its own.
    std::fs::copy(&history, scratch.path().join("copy.parquet")).unwrap();
    let report = json(&scratch.run("reproduce copy.parquet --quiet --json").stdout);
    let differences = report["runs"][0]["differences"].as_array().unwrap();
    assert_eq!(differences.len(), 1, "{report}");
    assert_eq!((&differences[0]["step"], &differences[0]["column"]), (&Value::from(17), &Value::from("loss")));

    // A missing row.
    tamper(&scratch.path().join("copy.parquet"), |rows| rows.slice(0, 17), |_, value| value);
    let shorter = scratch.run("reproduce copy.parquet --quiet");
    assert_eq!(shorter.code, 1);
    assert!(shorter.stdout.contains("\n  history: 17 rows recorded, 30 now\n"), "{}", shorter.stdout);
}

#[test]
fn what_cannot_be_trained_again_says_why() {
    let scratch = Scratch::new();
    on_a_table(&scratch, "there", 5);
    scratch.run("run there/small.toml").well();
    let well = "reproduce results/small --quiet --only seed=0";
    scratch.run(well).well();

    // The folder of the experiment moves.
    std::fs::rename(scratch.path().join("there"), scratch.path().join("here")).unwrap();
    let gone = scratch.run(well);
    assert_eq!(gone.code, 2, "{gone:?}");
    scratch.run(&format!("{well} --folder here")).well();

    // The data has changed.
    on_a_table(&scratch, "there", 3);
    let changed = scratch.run(well);
    assert_eq!(changed.code, 2, "{changed:?}");
    assert!(changed.stdout.contains(": its data changed: the fingerprint was "), "{}", changed.stdout);

    // The arithmetic has changed.
    on_a_table(&scratch, "there", 5);
    scratch.run(well).well();
    for path in parquet_files(&scratch, "results/small/runs") {
        let older = |key: &str, value| if key == "paribus.numerics_version" { Some("0".to_owned()) } else { value };
        tamper(&path, |rows| rows, older);
    }
    let older = scratch.run("reproduce results/small --quiet");
    assert_eq!(older.code, 2, "{older:?}");
    assert!(older.stdout.contains("recorded with numerics version 0, but this program has 1"), "{}", older.stdout);

    for what in ["nothing.parquet", "there/small.toml", "results/smal", "adom"] {
        let wrong = scratch.run(&format!("reproduce {what}"));
        assert_eq!((wrong.code, wrong.stdout.as_str()), (2, ""), "{wrong:?}");
        assert!(wrong.stderr.starts_with("error: "), "{}", wrong.stderr);
    }
}

#[test]
fn a_composed_experiment_is_reproduced_from_what_was_read() {
    let scratch = Scratch::new();
    on_a_table(&scratch, "base", 5);
    scratch.write("small.toml", "extends = \"base/small.toml\"\ntrain.steps = 20\n");
    scratch.run("run small.toml --results plain").well();
    scratch.run("run small.toml --results set --set network.hidden=[7]").well();
    scratch.write("base/small.toml", "what was there is gone");
    std::fs::remove_file(scratch.path().join("small.toml")).unwrap();
    for folder in ["plain", "set"] {
        let ran = scratch.run(&format!("reproduce {folder} --quiet")).well();
        assert!(ran.stdout.ends_with("4 runs: 4 the same to the last bit\n"), "{}", ran.stdout);
    }
    let text = scratch.run("diff plain:adam/0 set:adam/0").stdout;
    assert!(text.contains("\nsetting  A      B\nhidden   20-10  7\n"), "{text}");
}

#[test]
fn a_run_of_a_script_is_reproduced_alone() {
    let experiment = SMALL.replace("seeds = 2", "seeds = 2\nrng = { kind = \"numpy\", group = [\"optimizer\"] }");
    let scratch = Scratch::with(&experiment);
    scratch.run("run small.toml").well();
    let ran = scratch.run("reproduce adam/1 --quiet").well();
    assert!(ran.stdout.contains("every recorded bit is the same"), "{}", ran.stdout);
}

#[test]
fn data_that_cannot_be_had_leaves_the_results_as_they_are() {
    let fashion = SMALL.replace("source = \"mnist\"", "source = \"fashion-mnist\"");
    let scratch = Scratch::with(SMALL);
    scratch.run("run small.toml --only optimizer=adam").well();
    let before = scratch.files("results");
    scratch.write("small.toml", &fashion);
    let nowhere = [("PARIBUS_FASHION_MNIST_URL", "http://127.0.0.1:9"), ("PARIBUS_CACHE", "cache")];
    for arguments in ["run small.toml", "run small.toml --fresh", "run small.toml --results new"] {
        let ran = scratch.run_with(arguments, &nowhere);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.stderr.contains("cannot reach http://127.0.0.1:9"), "{}", ran.stderr);
    }
    assert_eq!(scratch.files("results"), before, "runs were moved for nothing");
    assert!(!scratch.path().join("new").exists(), "a folder was left behind");
}
