//! Every kind of data, from the file to the tables.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_schema::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::common::Scratch;

/// Two optimizers and two seeds on the data of this section.
fn experiment(data: &str, evaluate: &str) -> String {
    format!(
        r#"
name = "small"
seeds = 2
[data]
{data}
[network]
hidden = [20]
[train]
batch_size = 20
steps = 60
[record]
evaluate = {{ on = {evaluate}, every = 20 }}
[optimizer.sgd]
lr = 0.1
[optimizer.adam]
lr = 0.01
"#
    )
}

/// The cells of a column of `runs` as text, by label and seed.
fn runs(scratch: &Scratch, column: &str) -> BTreeMap<String, String> {
    let mut cells = BTreeMap::new();
    for (path, _) in scratch.files("results/small/runs") {
        let file = std::fs::File::open(path).unwrap();
        for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap() {
            let batch = batch.unwrap();
            let texts = |name| {
                let cast = arrow_cast::cast(batch.column_by_name(name).unwrap(), &DataType::Utf8).unwrap();
                cast.as_string::<i32>().iter().map(|text| text.unwrap_or("null").to_owned()).collect::<Vec<_>>()
            };
            let names = texts("label").into_iter().zip(texts("seed")).map(|(label, seed)| format!("{label}/{seed}"));
            cells.extend(names.zip(texts(column)));
        }
    }
    cells
}

fn distinct(cells: &BTreeMap<String, String>) -> BTreeSet<&str> {
    cells.values().map(String::as_str).collect()
}

#[test]
fn validation_and_test_rows_are_counted_evaluated_and_summarized() {
    let data = "source = \"digits\"\nvalidation_share = 0.2\ntest_share = 0.1";
    let scratch = Scratch::with(&experiment(data, "[\"train\", \"validation\", \"test\"]"));
    let ran = scratch.run("run small.toml").well();
    assert!(ran.stdout.contains("validation accuracy"), "{}", ran.stdout);
    for (column, expected) in [("train_rows", "1258"), ("validation_rows", "359"), ("test_rows", "180")] {
        assert_eq!(distinct(&runs(&scratch, column)), BTreeSet::from([expected]), "{column}");
    }
    for column in ["final_validation_loss", "validation_accuracy", "final_test_loss", "test_accuracy"] {
        assert!(!distinct(&runs(&scratch, column)).contains("null"), "{column}");
    }
    let mut splits = BTreeMap::<String, usize>::new();
    for (path, _) in scratch.files("results/small/evaluations") {
        let file = std::fs::File::open(path).unwrap();
        for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap() {
            let batch = batch.unwrap();
            let accuracies = batch.column_by_name("accuracy").unwrap().as_primitive::<Float64Type>();
            assert!(accuracies.iter().flatten().all(|accuracy| (0.0..=1.0).contains(&accuracy)));
            let names = arrow_cast::cast(batch.column_by_name("split").unwrap(), &DataType::Utf8).unwrap();
            names.as_string::<i32>().iter().flatten().for_each(|name| *splits.entry(name.to_owned()).or_default() += 1);
        }
    }
    // Four runs, four evaluations each.
    assert_eq!(splits, BTreeMap::from(["train", "validation", "test"].map(|split| (split.to_owned(), 16))));
    scratch.run("run small.toml --fresh").well();
}

#[test]
fn a_split_that_comes_to_the_same_counts_is_the_same_run() {
    let scratch = Scratch::with(&experiment("source = \"digits\"\nvalidation_rows = 359", "[\"validation\"]"));
    scratch.run("run small.toml").well();
    let share = experiment("source = \"digits\"\nvalidation_share = 0.2\nnormalize = \"none\"", "[\"validation\"]");
    scratch.write("small.toml", &share);
    assert!(scratch.run("run small.toml").well().stderr.contains("nothing to train"));
}

#[test]
fn every_synthetic_source_trains() {
    for source in ["normal\"\nfeatures = 5\nrows = 40 #", "spiral", "moons", "blobs"] {
        let data = format!("source = \"{source}\"\ntest_share = 0.25");
        let scratch = Scratch::with(&experiment(&data, "[\"train\", \"test\"]"));
        scratch.run("run small.toml").well();
        assert_eq!(distinct(&runs(&scratch, "status")), BTreeSet::from(["finished"]), "{source}");
    }
}

#[test]
fn a_regression_is_learned_and_measured_by_its_error() {
    let data = "source = \"sine\"\nnoise = 0.1\ntest_share = 0.2\nvalidation_share = 0.1";
    let file = experiment(data, "[\"train\", \"validation\", \"test\"]")
        .replace("steps = 60", "steps = 600\nobjective = \"mse\"")
        .replace("hidden = [20]", "hidden = [20]\nactivation = \"tanh\"")
        .replace("every = 20", "every = 200");
    let scratch = Scratch::with(&file);
    scratch.run("run small.toml").well();
    let mut errors = Vec::new();
    for (path, _) in scratch.files("results/small/evaluations") {
        let file = std::fs::File::open(path).unwrap();
        for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap() {
            let batch = batch.unwrap();
            let column = |name| batch.column_by_name(name).unwrap().as_primitive::<Float64Type>().iter();
            assert!(column("accuracy").all(|accuracy| accuracy.is_none()));
            errors.extend(column("loss").flatten().zip(column("rmse").flatten()));
        }
    }
    // Four runs, evaluated on three parts after the steps 0, 200, 400 and 599.
    assert_eq!(errors.len(), 48);
    assert!(errors.iter().all(|(loss, rmse)| *rmse == loss.sqrt()));
    for loss in runs(&scratch, "final_test_loss").iter().filter(|(run, _)| run.starts_with("adam")) {
        assert!(loss.1.parse::<f64>().unwrap() < 0.1, "{loss:?}");
    }
}

#[test]
fn a_table_is_normalized_learned_and_its_classes_are_named() {
    let scratch = Scratch::with(&experiment(
        "source = \"csv\"\npath = \"table.csv\"\ntarget = \"kind\"\nnormalize = \"standard\"\nvalidation_rows = 20",
        "[\"train\", \"validation\"]",
    ));
    let row = |i: usize| format!("{},{},{}\n", 1000 + i, i % 7, if i < 50 { "few" } else { "many" });
    scratch.write("table.csv", &(0..100).map(row).fold("number,noise,kind\n".to_owned(), |text, row| text + &row));
    let plan = scratch.run("plan small.toml").well();
    assert!(plan.stdout.contains("classes\n  0 = few, 1 = many\n"), "{}", plan.stdout);
    scratch.run("run small.toml").well();
    for accuracy in runs(&scratch, "train_accuracy").values() {
        assert!(accuracy.parse::<f64>().unwrap() > 0.9, "{accuracy}");
    }
    // Another value in the file makes it other data, and all runs are trained again.
    scratch.write("table.csv", &(1..101).map(row).fold("number,noise,kind\n".to_owned(), |text, row| text + &row));
    assert!(scratch.run("run small.toml").well().stderr.contains("training 4 runs"));
}
