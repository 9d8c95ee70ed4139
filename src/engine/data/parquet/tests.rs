use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    BooleanArray, Date32Array, DictionaryArray, Float32Array, Float64Array, Int64Array, RecordBatch, StringArray,
    StringViewArray, UInt8Array, UInt64Array,
};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use tempfile::TempDir;

use super::*;
use crate::data::{DataSource, Inputs, Targets, Task};

fn columns() -> Vec<(&'static str, ArrayRef)> {
    vec![
        ("sepal", Arc::new(Float64Array::from(vec![5.1, 7.0, 6.3]))),
        ("wild", Arc::new(BooleanArray::from(vec![true, false, true]))),
        ("petal", Arc::new(Float32Array::from(vec![1.5, 4.75, 6.0]))),
        ("species", Arc::new(["b", "a", "b"].into_iter().collect::<DictionaryArray<Int32Type>>())),
        ("count", Arc::new(UInt8Array::from(vec![3, 2, 3]))),
    ]
}

fn write(folder: &TempDir, name: &str, columns: &[(&'static str, ArrayRef)], compression: Compression) {
    let batch = RecordBatch::try_from_iter(columns.iter().cloned()).unwrap();
    let properties =
        WriterProperties::builder().set_compression(compression).set_max_row_group_row_count(Some(2)).build();
    let file = File::create(folder.path().join(name)).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn read_columns(settings: &str, columns: &[(&'static str, ArrayRef)]) -> Result<(Dataset, Info), String> {
    let folder = tempfile::tempdir().unwrap();
    write(&folder, "x.parquet", columns, Compression::SNAPPY);
    read_in(&folder, settings)
}

fn read_in(folder: &TempDir, settings: &str) -> Result<(Dataset, Info), String> {
    let mut source: Parquet = toml::from_str(&format!("path = 'x.parquet'\n{settings}")).unwrap();
    source.resolve(folder.path());
    source
        .read()
        .map_err(|error| format!("{}: {error}", error.key).replace(&format!("{}/", folder.path().display()), ""))
}

/// The iris columns with `petal` replaced.
fn with_petal(petal: ArrayRef) -> Vec<(&'static str, ArrayRef)> {
    let mut columns = columns();
    columns[2].1 = petal;
    columns
}

#[test]
fn numbers_and_booleans_go_in_and_names_come_out() {
    let (data, info) = read_columns("target = 'species'", &columns()).unwrap();
    assert_eq!(data.train.inputs, Inputs::Numbers(vec![5.1, 1.0, 1.5, 3.0, 7.0, 0.0, 4.75, 2.0, 6.3, 1.0, 6.0, 3.0]));
    assert_eq!(data.train.targets, Targets::Classes(vec![1, 0, 1]));
    assert_eq!((info.task, info.features, info.train_rows), (Task::Classification { classes: 2 }, 4, 3));
    assert_eq!(info.class_names, ["a", "b"]);
}

#[test]
fn columns_are_in_the_order_of_the_setting() {
    let settings = "target = ['petal', 'count']\nfeatures = ['wild', 'sepal']";
    let (data, info) = read_columns(settings, &columns()).unwrap();
    assert_eq!(data.train.inputs, Inputs::Numbers(vec![1.0, 5.1, 0.0, 7.0, 1.0, 6.3]));
    assert_eq!(data.train.targets, Targets::Values { values: vec![1.5, 3.0, 4.75, 2.0, 6.0, 3.0], targets: 2 });
    assert!(!info.has_all_columns);
}

#[test]
fn the_type_of_the_target_decides_the_task() {
    let task = |settings: &str| read_columns(&format!("features = ['sepal']\n{settings}"), &columns()).unwrap().1.task;
    assert_eq!(task("target = 'petal'"), Task::Regression { targets: 1 });
    assert_eq!(task("target = 'count'"), Task::Classification { classes: 2 });
    assert_eq!(task("target = 'count'\ntask = 'regression'"), Task::Regression { targets: 1 });
    assert_eq!(task("target = 'wild'"), Task::Classification { classes: 2 });
}

#[test]
fn texts_are_texts_however_they_are_stored() {
    for texts in [
        Arc::new(StringArray::from(vec!["b", "a", "b"])) as ArrayRef,
        Arc::new(StringViewArray::from(vec!["b", "a", "b"])),
    ] {
        let settings = "target = 'petal'\nfeatures = ['sepal']";
        let (data, _) = read_columns(settings, &with_petal(texts)).unwrap();
        assert_eq!(data.train.targets, Targets::Classes(vec![1, 0, 1]));
    }
}

#[test]
fn compressed_files_are_read() {
    let expected = read_columns("target = 'species'", &columns()).unwrap().0;
    for compression in
        [Compression::UNCOMPRESSED, Compression::ZSTD(Default::default()), Compression::GZIP(Default::default())]
    {
        let folder = tempfile::tempdir().unwrap();
        write(&folder, "x.parquet", &columns(), compression);
        write(&folder, "test.parquet", &columns(), compression);
        let (data, info) = read_in(&folder, "target = 'species'\ntest_path = 'test.parquet'").unwrap();
        assert_eq!(data.train, expected.train);
        assert_eq!((data.test, info.test_rows), (expected.train.clone(), 3));
    }
}

#[test]
fn columns_of_the_test_data_are_found_by_name() {
    let expected = read_columns("target = ['petal', 'count']\nfeatures = ['sepal', 'wild']", &columns()).unwrap().0;
    let folder = tempfile::tempdir().unwrap();
    let mut train = columns();
    train.remove(3);
    let reversed: Vec<_> = train.iter().rev().cloned().collect();
    write(&folder, "x.parquet", &train, Compression::SNAPPY);
    let read = |test: &[(&'static str, ArrayRef)]| {
        write(&folder, "test.parquet", test, Compression::SNAPPY);
        read_in(&folder, "target = ['petal', 'count']\ntest_path = 'test.parquet'")
    };
    assert_eq!(read(&reversed).unwrap().0, Dataset { test: expected.train.clone(), ..expected });
    insta::assert_snapshot!(
        [read(&columns()).unwrap_err(), read(&train[..2]).unwrap_err(), read(&train[1..]).unwrap_err()].join("\n"),
        @r#"
        test_path: `test.parquet`: the training data `x.parquet` has no column `species`; remove it, or list the columns to use: `features = ["sepal", "wild"]`
        test_path: `test.parquet`: there is no column `petal`, which the training data `x.parquet` has; the columns are `sepal` and `wild`
        test_path: `test.parquet`: there is no column `sepal`, which the training data `x.parquet` has; the columns are `wild`, `petal` and `count`
        "#
    );
}

#[test]
fn a_compression_that_is_not_read_is_named() {
    // Without the codec, such a file cannot be written here: the pages of this one are compressed with Snappy, whatever
    // its edited footer says.
    let folder = tempfile::tempdir().unwrap();
    write(&folder, "x.parquet", &columns(), Compression::SNAPPY);
    let builder =
        ParquetRecordBatchReaderBuilder::try_new(File::open(folder.path().join("x.parquet")).unwrap()).unwrap();
    let metadata = builder.metadata().as_ref();
    assert_eq!(unknown_compression(metadata, &[0, 3]), None);
    let group = metadata.row_group(0).clone().into_builder();
    let parts = metadata.row_group(0).columns().iter().enumerate().map(|(column, part)| {
        let compression = if column == 3 { Compression::BROTLI(Default::default()) } else { part.compression() };
        part.clone().into_builder().set_compression(compression).build().unwrap()
    });
    let groups = vec![group.set_column_metadata(parts.collect()).build().unwrap()];
    let metadata = metadata.clone().into_builder().set_row_groups(groups).build();
    assert_eq!(unknown_compression(&metadata, &[0, 3]), Some((3, "Brotli")));
    assert_eq!(unknown_compression(&metadata, &[0, 1]), None);
}

#[test]
fn what_is_wrong_is_said_with_its_row_and_column() {
    let said = |settings: &str, petal: ArrayRef| read_columns(settings, &with_petal(petal)).unwrap_err();
    let missing = || Arc::new(Float64Array::from(vec![Some(1.0), Some(2.0), None])) as ArrayRef;
    let texts = || Arc::new(StringArray::from(vec!["b", "a", "b"])) as ArrayRef;
    let folder = tempfile::tempdir().unwrap();
    let no_file = read_in(&folder, "target = 'x'").unwrap_err();
    std::fs::write(folder.path().join("x.parquet"), "a,b\n1,2\n").unwrap();
    let no_parquet = read_in(&folder, "target = 'x'").unwrap_err();
    let empty: ArrayRef = Arc::new(Int64Array::from(Vec::<i64>::new()));
    insta::assert_snapshot!(
        [
            no_file,
            no_parquet,
            said("target = 'species'", missing()),
            said("target = 'petal'\nfeatures = ['sepal']", missing()),
            said("target = 'species'", Arc::new(Float64Array::from(vec![1.0, f64::NAN, 2.0]))),
            said("target = 'species'", texts()),
            said("target = 'species'\nfeatures = ['petal']", texts()),
            said("target = 'petal'", Arc::new(Date32Array::from(vec![1, 2, 3]))),
            said("target = 'specis'", texts()),
            said("target = 'petal'\nfeatures = ['sepal']", Arc::new(UInt64Array::from(vec![1, u64::MAX, 2]))),
            read_columns("target = 'a'", &[("a", empty.clone()), ("b", empty)]).unwrap_err(),
        ]
        .join("\n"),
        @r"
        path: `x.parquet`: cannot be read: No such file or directory (os error 2)
        path: `x.parquet`: this is not Parquet: Parquet error: Invalid Parquet file. Corrupt footer
        path: `x.parquet`, row 2 (counted from 0), column `petal`: the value is missing; fill it in or remove the row
        path: `x.parquet`, row 2 (counted from 0), column `petal`: the value is missing; fill it in or remove the row
        path: `x.parquet`, row 1 (counted from 0), column `petal`: found NaN, expected a finite number
        path: `x.parquet`, column `petal`: the column holds text, expected numbers, or true and false; list the columns to use in `features`
        features: `x.parquet`, column `petal`: the column holds text, expected numbers, or true and false; list the columns to use in `features`
        path: `x.parquet`, column `species`: the column holds text, expected numbers, or true and false; list the columns to use in `features`
        target: `x.parquet`: there is no column `specis` (did you mean `species`?); the columns are `sepal`, `wild`, `petal`, `species` and `count`
        path: `x.parquet`, row 1 (counted from 0), column `petal`: found 18446744073709551615, expected a number of at most 9223372036854775807
        path: `x.parquet`: there are no rows
        "
    );
}
