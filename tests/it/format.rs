//! A results folder of an older format version: tests/fixtures/format-1 was written by the program of that version.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::common::Scratch;

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/format-1");

/// A scratch folder with the fixture as `results/format-1`, and the file that describes all its runs.
fn scratch() -> Scratch {
    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()) {
            let target = to.join(entry.file_name().unwrap());
            if entry.is_dir() {
                copy(&entry, &target);
            } else {
                std::fs::copy(&entry, target).unwrap();
            }
        }
    }
    let scratch = Scratch::new();
    copy(Path::new(FIXTURE), &scratch.path().join("results/format-1"));
    let text = std::fs::read_to_string(Path::new(FIXTURE).join("experiment.toml")).unwrap();
    scratch.write("experiment.toml", &text);
    scratch.write("all.toml", &format!("{text}\n[optimizer.adam]\n"));
    scratch
}

/// The rows of all files below `folder`, with the format version of each.
fn rows(folder: PathBuf) -> Vec<(String, RecordBatch)> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| File::open(entry.unwrap().path()).unwrap());
    let readers = files.map(|file| ParquetRecordBatchReaderBuilder::try_new(file).unwrap());
    let versioned = readers.flat_map(|reader| {
        let pairs = reader.metadata().file_metadata().key_value_metadata().unwrap();
        let version = pairs.iter().find(|pair| pair.key == "paribus.format_version").unwrap().value.clone().unwrap();
        reader.build().unwrap().map(move |rows| (version.clone(), rows.unwrap())).collect::<Vec<_>>()
    });
    versioned.collect()
}

fn texts(rows: &RecordBatch, column: &str) -> Vec<String> {
    let column = arrow_cast::cast(rows.column_by_name(column).unwrap(), &arrow_schema::DataType::Utf8).unwrap();
    column.as_string::<i32>().iter().map(|text| text.unwrap().to_owned()).collect()
}

/// The digest of each run, by id.
fn digests(folder: PathBuf) -> BTreeMap<String, String> {
    let of = |(_, rows): (String, RecordBatch)| texts(&rows, "run_id").into_iter().zip(texts(&rows, "digest"));
    rows(folder).into_iter().flat_map(of).collect()
}

#[test]
fn an_older_folder_is_read_and_its_runs_are_known() {
    let scratch = scratch();
    let before = scratch.files("");
    let plan = scratch.run("plan all.toml").well().stdout;
    assert!(plan.contains("4 finished (kept), 2 diverged (kept), 2 archived (to be brought back)"), "{plan}");
    assert_eq!(scratch.files(""), before, "plan wrote something");
}

#[test]
fn an_older_folder_is_upgraded_and_nothing_is_trained_again() {
    let scratch = scratch();
    let results = scratch.path().join("results/format-1");
    let before = digests(results.join("runs"));
    assert_eq!(before.len(), 6);
    let again = scratch.run("run experiment.toml").well();
    assert!(again.stderr.contains("6 runs have results already; nothing to train"), "{}", again.stderr);
    assert_eq!(digests(results.join("runs")), before);

    for table in ["runs", "history", "evaluations", "archive/runs", "archive/history", "archive/evaluations"] {
        assert!(rows(results.join(table)).iter().all(|(version, _)| version == "2"), "{table}");
    }
    let history = rows(results.join("history"));
    let of = |(_, rows): &(String, RecordBatch)| {
        let rates = rows.column_by_name("lr").unwrap().as_primitive::<Float64Type>().values().to_vec();
        texts(rows, "label").into_iter().zip(rates).collect::<Vec<_>>()
    };
    let mut rates: Vec<(String, f64)> = history.iter().flat_map(of).collect();
    assert_eq!(rates.len(), 16, "two runs of four steps for each of two rates");
    rates.dedup();
    rates.sort_by(|a, b| a.0.cmp(&b.0));
    rates.dedup();
    assert_eq!(rates, [("momentum".to_owned(), 0.05), ("sgd, lr=0.1".to_owned(), 0.1)]);

    let back = scratch.run("run all.toml --results results/format-1").well();
    assert!(back.stderr.contains("8 runs have results already; nothing to train"), "{}", back.stderr);
}

#[test]
fn what_an_older_program_trained_is_trained_to_the_same_bits() {
    let scratch = scratch();
    let fresh = scratch.run("run all.toml --results results/format-1 --fresh").well();
    assert!(fresh.stderr.contains("8 runs trained again: the same bits"), "{}", fresh.stderr);
}
