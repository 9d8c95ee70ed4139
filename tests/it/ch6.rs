//! The whole reference experiment, on the real data: the loss at which each optimizer ends, and its exact bits.

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::common::Scratch;

/// The label, final loss and hash of the final parameters of each run.
fn ends(scratch: &Scratch) -> Vec<(String, f64, String)> {
    let mut ends = Vec::new();
    for (path, _) in scratch.files("results/ch6/runs") {
        let file = std::fs::File::open(path).unwrap();
        for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap() {
            let batch = batch.unwrap();
            let texts = |name| {
                let column = batch.column_by_name(name).unwrap();
                arrow_cast::cast(column, &arrow_schema::DataType::Utf8).unwrap()
            };
            let (labels, hashes) = (texts("label"), texts("parameters_hash"));
            let losses = batch.column_by_name("final_loss").unwrap().as_primitive::<Float64Type>();
            for row in 0..batch.num_rows() {
                let text = |column: &arrow_array::ArrayRef| column.as_string::<i32>().value(row).to_owned();
                ends.push((text(&labels), losses.value(row), text(&hashes)));
            }
        }
    }
    ends.sort_by(|a, b| a.0.cmp(&b.0));
    ends
}

#[test]
fn six_optimizers_learn_mnist_as_well_as_they_should_and_to_the_same_bits() {
    let scratch = Scratch::new();
    scratch.write("ch6.toml", include_str!("../../experiments/ch6.toml"));
    scratch.run("run ch6.toml --quiet").well();
    let ends = ends(&scratch);

    // The range of the mean of the last 100 losses for any seed, with a margin for the noise of one seed.
    let expected = [
        ("adagrad", 0.02..0.045),
        ("adam", 0.025..0.06),
        ("momentum", 0.05..0.08),
        ("nesterov", 0.03..0.06),
        ("rmsprop", 0.03..0.15),
        ("sgd", 0.17..0.23),
    ];
    assert_eq!(ends.iter().map(|end| end.0.as_str()).collect::<Vec<_>>(), expected.clone().map(|(label, _)| label));
    for ((label, loss, _), (_, range)) in ends.iter().zip(expected) {
        assert!(range.contains(loss), "{label}: {loss}");
    }

    // The same on every machine, as long as the numerics version does not change.
    let hashes: Vec<String> = ends.iter().map(|(label, _, hash)| format!("{hash} {label}")).collect();
    insta::assert_snapshot!(hashes.join("\n"));
}
