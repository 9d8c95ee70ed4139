use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::data::{DataSource, Inputs, Rows, Targets, Task};

const IRIS: &str = "\
sepal,petal,species
5.1,1.4,setosa
7.0,4.7,versicolor
 6.3 , 6e0 ,\"virginica\"
4.9,1.4,setosa
";

/// The source with these settings, in a folder with these files.
fn source(folder: &TempDir, settings: &str, files: &[(&str, &[u8])]) -> Csv {
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    let mut csv: Csv = toml::from_str(settings).unwrap();
    csv.resolve(folder.path());
    csv
}

fn read(settings: &str, files: &[(&str, &[u8])]) -> (Dataset, Info) {
    let folder = tempfile::tempdir().unwrap();
    source(&folder, settings, files).read().unwrap_or_else(|error| panic!("{error}"))
}

/// The key that the error is about, and its message.
fn mistake(settings: &str, files: &[(&str, &[u8])]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let error = source(&folder, settings, files).read().unwrap_err();
    format!("{}: {error}", error.key).replace(&format!("{}/", folder.path().display()), "")
}

/// The same for one file `iris.csv`, with the target `species`.
fn in_iris(text: &str) -> String {
    mistake("path = 'iris.csv'\ntarget = 'species'", &[("iris.csv", text.as_bytes())])
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn columns_go_in_and_a_column_of_names_comes_out() {
    let (data, info) = read("path = 'iris.csv'\ntarget = 'species'", &[("iris.csv", IRIS.as_bytes())]);
    assert_eq!(
        data.train,
        Rows {
            inputs: Inputs::Numbers(vec![5.1, 1.4, 7.0, 4.7, 6.3, 6.0, 4.9, 1.4]),
            targets: Targets::Classes(vec![0, 1, 2, 0])
        }
    );
    assert_eq!((data.features, data.task), (2, Task::Classification { classes: 3 }));
    assert_eq!((info.train_rows, info.test_rows, info.features), (4, 0, 2));
    assert_eq!(info.class_names, ["setosa", "versicolor", "virginica"]);
    assert!(data.test.is_empty());
}

#[test]
fn one_column_may_be_chosen_and_another_learned() {
    let settings = "path = 'iris.csv'\ntarget = 'petal'\nfeatures = ['sepal']";
    let (data, info) = read(settings, &[("iris.csv", IRIS.as_bytes())]);
    assert_eq!(data.train.inputs, Inputs::Numbers(vec![5.1, 7.0, 6.3, 4.9]));
    assert_eq!(data.train.targets, Targets::Values { values: vec![1.4, 4.7, 6.0, 1.4], targets: 1 });
    assert_eq!(info.task, Task::Regression { targets: 1 });
    assert!(!info.has_all_columns);
}

#[test]
fn several_targets_are_a_regression_in_the_order_of_the_setting() {
    let file: &[u8] = b"a,b,c\n1,2,3\n4,5,6\n";
    let (data, info) = read("path = 'x.csv'\ntarget = ['c', 'a']", &[("x.csv", file)]);
    assert_eq!(data.train.inputs, Inputs::Numbers(vec![2.0, 5.0]));
    assert_eq!(data.train.targets, Targets::Values { values: vec![3.0, 1.0, 6.0, 4.0], targets: 2 });
    assert!(info.has_all_columns);
    // Stating the default explicitly changes nothing.
    let (_, spelled) = read("path = 'x.csv'\ntarget = ['c', 'a']\nfeatures = ['b']", &[("x.csv", file)]);
    assert_eq!(spelled, info);
}

#[test]
fn test_data_has_the_classes_of_the_training_data() {
    let settings = "path = 'iris.csv'\ntest_path = 'test.csv'\ntarget = 'species'";
    // The order of the columns may differ there.
    let test: &[u8] = b"species,sepal,petal\nvirginica,1,2\n";
    let (data, info) = read(settings, &[("iris.csv", IRIS.as_bytes()), ("test.csv", test)]);
    assert_eq!(data.test.inputs, Inputs::Numbers(vec![1.0, 2.0]));
    assert_eq!(data.test.targets, Targets::Classes(vec![2]));
    assert_eq!(info.test_rows, 1);
    let unknown: &[u8] = b"species,sepal,petal\nrosa,1,2\n";
    assert_eq!(
        mistake(settings, &[("iris.csv", IRIS.as_bytes()), ("test.csv", unknown)]),
        "test_path: `test.csv`, column `species`: the test data has the class `rosa`, which the training data does not \
         have"
    );
}

#[test]
fn columns_of_the_test_data_are_found_by_name() {
    let settings = "path = 'x.csv'\ntest_path = 'test.csv'\ntarget = ['y', 'z']";
    let train: (&str, &[u8]) = ("x.csv", b"a,b,y,z\n1,2,3,4\n");
    let with = |settings: &str, test: &[u8]| read(settings, &[train, ("test.csv", test)]);
    let (data, info) = with(settings, b"z,b,y,a\n8,6,7,5\n");
    assert_eq!(data.test.inputs, Inputs::Numbers(vec![5.0, 6.0]));
    assert_eq!(data.test.targets, Targets::Values { values: vec![7.0, 8.0], targets: 2 });
    let listed = format!("{settings}\nfeatures = ['a', 'b']");
    let (listed_data, listed_info) = with(&listed, b"z,b,y,a\n8,6,7,5\n");
    // Stating the default explicitly changes nothing.
    assert_eq!((&listed_data, &listed_info), (&data, &info));
    let in_order: &[u8] = b"z,a,y,b\n8,5,7,6\n";
    assert_eq!(with(settings, in_order), with(&listed, in_order));
    // If the columns are listed, others do not matter.
    assert_eq!(with(&listed, b"z,b,more,y,a\n8,6,9,7,5\n").0, data);
}

#[test]
fn a_column_that_only_one_of_the_files_has_is_named() {
    let settings = "path = 'iris.csv'\ntest_path = 'test.csv'\ntarget = 'species'";
    let said =
        |settings: &str, test: &str| mistake(settings, &[("iris.csv", IRIS.as_bytes()), ("test.csv", test.as_bytes())]);
    let listed = format!("{settings}\nfeatures = ['petal']");
    insta::assert_snapshot!(
        [
            said(settings, "sepal,species\n1,setosa\n"),
            said(settings, "sepal,petals,petal,species\n1,2,3,setosa\n"),
            said(settings, "sepal,petal,kind\n1,2,setosa\n"),
            said(settings, "sepal,petal\n1,2\n"),
            said(settings, "sepal,sepal,species\n1,2,setosa\n"),
            said(&listed, "sepal,species\n1,setosa\n"),
        ]
        .join("\n"),
        @r#"
        test_path: `test.csv`: there is no column `petal`, which the training data `iris.csv` has; the columns are `sepal` and `species`
        test_path: `test.csv`: the training data `iris.csv` has no column `petals`; remove it, or list the columns to use: `features = ["sepal", "petal"]`
        test_path: `test.csv`: there is no column `species`, which the training data `iris.csv` has; the columns are `sepal`, `petal` and `kind`
        test_path: `test.csv`: there is no column `species`, which the training data `iris.csv` has; the columns are `sepal` and `petal`
        test_path: `test.csv`: two columns are called `sepal`
        test_path: `test.csv`: there is no column `petal`, which the training data `iris.csv` has; the columns are `sepal` and `species`
        "#
    );
}

#[test]
fn what_the_target_holds_decides_the_task() {
    let task = |values: &str, settings: &str| {
        let file = values.split(' ').fold("x,y\n".to_owned(), |text, value| format!("{text}1,{value}\n"));
        read(&format!("path = 'x.csv'\ntarget = 'y'\n{settings}"), &[("x.csv", file.as_bytes())]).1.task
    };
    assert_eq!(task("3 1 3", ""), Task::Classification { classes: 2 });
    assert_eq!(task("true False", ""), Task::Classification { classes: 2 });
    assert_eq!(task("a b c", ""), Task::Classification { classes: 3 });
    assert_eq!(task("3 1.0 3", ""), Task::Regression { targets: 1 });
    assert_eq!(task("3 1 3", "task = 'regression'"), Task::Regression { targets: 1 });
    assert_eq!(task("3 1.0 3", "task = 'classification'"), Task::Classification { classes: 2 });
    assert_eq!(task("3 x 3", "task = 'classification'"), Task::Classification { classes: 2 });
}

#[test]
fn files_may_be_gzipped_and_have_other_delimiters() {
    let (plain, info) = read("path = 'iris.csv'\ntarget = 'species'", &[("iris.csv", IRIS.as_bytes())]);
    let (gzipped, _) = read("path = 'iris.csv'\ntarget = 'species'", &[("iris.csv", &gzip(IRIS.as_bytes()))]);
    assert_eq!(plain, gzipped);
    for (delimiter, name) in [(';', ";"), ('\t', "\\t")] {
        let text = format!("\u{feff}{}", IRIS.replace(',', &delimiter.to_string()).replace('\n', "\r\n"));
        let settings = format!("path = 'iris.csv'\ntarget = 'species'\ndelimiter = \"{name}\"");
        let (delimited, other) = read(&settings, &[("iris.csv", text.as_bytes())]);
        assert_eq!(delimited, plain);
        assert_ne!(other.fingerprint, info.fingerprint);
    }
}

#[test]
fn no_more_is_unpacked_than_memory_holds() {
    let packed = gzip(&[b'0'; 1_000_000]);
    assert!(packed.len() < 10_000);
    assert_eq!(unpacked(packed.clone(), 1_000_000).unwrap().len(), 1_000_000);
    let error = unpacked(packed, 999_999).unwrap_err().to_string();
    assert_eq!(error, "it unpacks to more than 999999 bytes; unpack it yourself");
}

#[test]
fn truths_are_features_too() {
    let (data, _) = read("path = 'x.csv'\ntarget = 'y'", &[("x.csv", b"x,y\ntrue,1\nFalse,2\n")]);
    assert_eq!(data.train.inputs, Inputs::Numbers(vec![1.0, 0.0]));
}

#[test]
fn what_is_wrong_is_said_with_its_line_and_column() {
    insta::assert_snapshot!(
        [
            in_iris(&IRIS.replace("4.7", "")),
            in_iris(&IRIS.replace("4.7", "n/a")),
            in_iris(&IRIS.replace("4.7", "nan")),
            in_iris(&IRIS.replace("4.7", "-inf")),
            in_iris(&IRIS.replace("4.7", "1e400")),
            mistake("path = 'x.csv'\ntarget = 'y'", &[("x.csv", b"x,y\n1,2.5\n1,-1e999\n")]),
            in_iris(&IRIS.replace("4.7,versicolor", "4.7")),
            in_iris(&IRIS.replace("4.7,versicolor", "4.7,versicolor,1")),
            in_iris(&IRIS.replace("7.0,4.7,versicolor", "7.0")),
            in_iris(&IRIS.replace(",versicolor", ",")),
            in_iris(&IRIS.replace("petal", "sepal")),
            in_iris(&IRIS.replace("species", "specie")),
            in_iris(""),
            in_iris("sepal,petal,species\n"),
            in_iris("species\nsetosa\n"),
        ]
        .join("\n"),
        @r"
        path: `iris.csv`, line 3, column `petal`: the value is missing; fill it in or remove the row
        path: `iris.csv`, line 3, column `petal`: found `n/a`, expected a number; to leave the column out, list the columns to use in `features`
        path: `iris.csv`, line 3, column `petal`: found NaN, expected a finite number
        path: `iris.csv`, line 3, column `petal`: found -inf, expected a finite number
        path: `iris.csv`, line 3, column `petal`: found `1e400`, expected a number between -1.8e308 and 1.8e308, the range of 64-bit floats
        path: `x.csv`, line 3, column `y`: found `-1e999`, expected a number between -1.8e308 and 1.8e308, the range of 64-bit floats
        path: `iris.csv`, line 3: found 2 fields, expected 3 as in the first line
        path: `iris.csv`, line 3: found 4 fields, expected 3 as in the first line
        path: `iris.csv`, line 3: found 1 field, expected 3 as in the first line
        path: `iris.csv`, line 3, column `species`: the value is missing; fill it in or remove the row
        path: `iris.csv`: two columns are called `sepal`
        target: `iris.csv`: there is no column `species` (did you mean `specie`?); the columns are `sepal`, `petal` and `specie`
        path: `iris.csv`: there are no columns: the file is empty
        path: `iris.csv`: there are no rows
        target: `iris.csv`: the target leaves no column for a feature
        "
    );
}

#[test]
fn what_the_settings_ask_for_and_the_file_has_not() {
    let said = |settings: &str| mistake(&format!("path = 'iris.csv'\n{settings}"), &[("iris.csv", IRIS.as_bytes())]);
    insta::assert_snapshot!(
        [
            said("target = 'species'\nfeatures = ['sepal', 'petals']"),
            said("target = 'species'\nfeatures = ['sepal', 'species']"),
            said("target = 'petal'"),
            said("target = 'petal'\nfeatures = ['species']"),
            said("target = ['petal', 'species']\nfeatures = ['sepal']"),
            said("target = 'petal'\nfeatures = ['sepal']\ntask = 'classification'"),
            said("target = 'species'\ntask = 'regression'"),
            mistake("path = 'x.csv'\ntarget = 'y'", &[("x.csv", b"x,y\n1,2\n1,3\n1,unknown\n")]),
            mistake("path = 'x.csv'\ntarget = 'y'", &[("x.csv", b"x,y\n1,2.5\n1,inf\n")]),
            mistake("path = 'x.csv'\ntarget = 'y'", &[]),
            mistake("path = '.'\ntarget = 'y'", &[]),
            mistake("path = 'x.csv'\ntarget = 'y'", &[("x.csv", b"x,y\n1,\xff\n")]),
            mistake("path = 'x.csv'\ntarget = 'y'", &[("x.csv", &gzip(IRIS.as_bytes())[..30])]),
        ]
        .join("\n"),
        @r#"
        features: `iris.csv`: there is no column `petals` (did you mean `petal`?); the columns are `sepal`, `petal` and `species`
        features: `iris.csv`: the column `species` is the target and cannot be a feature, too
        path: `iris.csv`, line 2, column `species`: found `setosa`, expected a number; to leave the column out, list the columns to use in `features`
        features: `iris.csv`, line 2, column `species`: found `setosa`, expected a number; to leave the column out, list the columns to use in `features`
        target: `iris.csv`, column `species`: the target holds text, which a regression cannot learn; `task = "classification"` treats the values as classes
        target: `iris.csv`, column `petal`: the target holds `1.4`, which cannot name a class; use `task = "regression"`, or a target of names or whole numbers
        target: `iris.csv`, column `species`: the target holds text, which a regression cannot learn; `task = "classification"` treats the values as classes
        path: `x.csv`, line 4, column `y`: found `unknown` among numbers; correct it, or write `task = "classification"` if the numbers name classes
        path: `x.csv`, line 3, column `y`: found inf, expected a finite number
        path: `x.csv`: cannot be read: No such file or directory (os error 2)
        path: `.`: this path is not a file
        path: `x.csv`, line 2: field 2 is not UTF-8 text; save the file as UTF-8
        path: `x.csv`: the gzip stream is damaged (incomplete deflate stream); fetch or compress the file again
        "#
    );
    for settings in ["target = []", "target = ['a', 'a']", "target = 1", "target = 'a'\ndelimiter = '|'"] {
        assert!(toml::from_str::<Csv>(&format!("path = 'x.csv'\n{settings}")).is_err(), "{settings}");
    }
    let error = toml::from_str::<Csv>("path = 'x.csv'\ntarget = 'a'\ndelimiter = '|'").unwrap_err().to_string();
    assert!(error.contains(r#"`|` is not an accepted delimiter, expected ",", ";" or "\t" (a tab)"#), "{error}");
}

#[test]
fn the_fingerprint_is_of_the_bytes() {
    let print = |text: &str| read("path = 'x.csv'\ntarget = 'y'", &[("x.csv", text.as_bytes())]).1.fingerprint;
    assert_eq!(print("x,y\n1,2\n"), print("x,y\n1,2\n"));
    assert_ne!(print("x,y\n1,2\n"), print("x,y\n1,3\n"));
}

proptest! {
    #[test]
    fn numbers_are_read_as_they_were_written(
        rows in prop::collection::vec((prop::num::f64::NORMAL | prop::num::f64::ZERO, any::<i64>(), 0u8..5), 1..20)
    ) {
        let mut text = "a,\"b, too\",class\n".to_owned();
        for (a, b, class) in &rows {
            text += &format!("{a:e},\"{b}\",\"class \"\"{class}\"\"\"\n");
        }
        let (data, info) = read("path = 'x.csv'\ntarget = 'class'", &[("x.csv", text.as_bytes())]);
        let inputs: Vec<f64> = rows.iter().flat_map(|&(a, b, _)| [a, b as f64]).collect();
        prop_assert_eq!(data.train.inputs, Inputs::Numbers(inputs));
        let Targets::Classes(classes) = data.train.targets else { panic!("classes") };
        for ((_, _, class), number) in rows.iter().zip(classes) {
            prop_assert_eq!(&info.class_names[usize::from(number)], &format!("class \"{class}\""));
        }
    }

    #[test]
    fn nothing_that_a_file_can_hold_breaks_the_reader(place: prop::sample::Index, byte: u8, cut: prop::sample::Index) {
        let mut bytes = IRIS.as_bytes().to_vec();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        bytes.truncate(cut.index(bytes.len()) + 1);
        let folder = tempfile::tempdir().unwrap();
        let csv = source(&folder, "path = 'iris.csv'\ntarget = 'species'", &[("iris.csv", &bytes)]);
        if let Ok((data, info)) = csv.read() {
            prop_assert_eq!(data.train.len() as u64, info.train_rows);
            prop_assert_eq!(data.train.inputs.len(), data.train.len() * info.features);
        }
    }
}
