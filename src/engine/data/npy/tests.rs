use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::data::{Targets, Task};

/// A file as `numpy.save` writes it.
fn npy(descr: &str, fortran_order: bool, sizes: &[usize], content: &[u8]) -> Vec<u8> {
    let order = if fortran_order { "True" } else { "False" };
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {}, }}", shape(sizes));
    header += &" ".repeat(63 - (10 + header.len()) % 64);
    header += "\n";
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(content);
    file
}

fn source(folder: &TempDir, settings: &str, files: &[(&str, Vec<u8>)]) -> Npy {
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    let mut source: Npy = toml::from_str(settings).unwrap();
    source.resolve(folder.path());
    source
}

const BOTH: &str = "features = 'x.npy'\ntargets = 'y.npy'";

fn read(x: Vec<u8>, y: Vec<u8>) -> Result<(Dataset, Info), String> {
    let folder = tempfile::tempdir().unwrap();
    source(&folder, BOTH, &[("x.npy", x), ("y.npy", y)])
        .read()
        .map_err(|error| format!("{}: {error}", error.key).replace(&format!("{}/", folder.path().display()), ""))
}

fn floats(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Three rows of two numbers, and three labels.
fn x() -> Vec<u8> {
    npy("<f8", false, &[3, 2], &floats(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.5]))
}

fn y() -> Vec<u8> {
    npy("|u1", false, &[3], &[9, 5, 9])
}

#[test]
fn arrays_go_in_and_labels_come_out() {
    let (data, info) = read(x(), y()).unwrap();
    assert_eq!(data.train.inputs, Inputs::Numbers(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.5]));
    assert_eq!(data.train.targets, Targets::Classes(vec![1, 0, 1]));
    assert_eq!((data.features, data.task), (2, Task::Classification { classes: 2 }));
    assert_eq!(info.class_names, ["5", "9"]);
}

#[test]
fn files_that_numpy_saved_are_read() {
    // tests/goldens/npy.py: the numbers 0 to 23 of shape (3, 2, 4), in several types, orders and versions.
    let package = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = package.ancestors().map(|above| above.join("tests/goldens/npy")).find(|folder| folder.is_dir());
    let mut count = 0;
    for entry in std::fs::read_dir(folder.unwrap()).unwrap() {
        let path = entry.unwrap().path();
        let (array, _) = Array::read(&path).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
        assert_eq!(array.shape, [3, 2, 4]);
        let numbers: Vec<f64> = match array.into_inputs().unwrap() {
            Inputs::Bytes { values, full: 1 } => values.into_iter().map(f64::from).collect(),
            Inputs::Numbers(values) => values,
            other => panic!("{other:?}"),
        };
        let expected: Vec<f64> = (0..24).map(f64::from).collect();
        if path.file_stem().unwrap() == "bool" {
            assert_eq!(numbers, expected.iter().map(|x| x % 2.0).collect::<Vec<_>>());
        } else {
            assert_eq!(numbers, expected, "{}", path.display());
        }
        count += 1;
    }
    assert_eq!(count, 12);
}

#[test]
fn signs_are_kept() {
    let (data, info) = read(
        npy(">i2", false, &[2, 1], &[0xff, 0xfe, 0, 1]),
        npy("<i8", false, &[2], &{
            let mut bytes = (-3_i64).to_le_bytes().to_vec();
            bytes.extend(4_i64.to_le_bytes());
            bytes
        }),
    )
    .unwrap();
    assert_eq!(data.train.inputs, Inputs::Numbers(vec![-2.0, 1.0]));
    assert_eq!(info.class_names, ["-3", "4"]);
}

#[test]
fn several_targets_are_a_regression() {
    let (data, _) = read(x(), npy("<f8", false, &[3, 2], &floats(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))).unwrap();
    assert_eq!(data.train.targets, Targets::Values { values: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], targets: 2 });
    // In Fortran order, the columns follow one another.
    let (data, _) = read(x(), npy("<f8", true, &[3, 2], &floats(&[1.0, 3.0, 5.0, 2.0, 4.0, 6.0]))).unwrap();
    assert_eq!(data.train.targets, Targets::Values { values: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], targets: 2 });
}

#[test]
fn test_arrays_come_in_pairs_of_the_same_width() {
    let settings = format!("{BOTH}\ntest_features = 'tx.npy'\ntest_targets = 'ty.npy'");
    let read = |tx, ty| {
        let folder = tempfile::tempdir().unwrap();
        source(&folder, &settings, &[("x.npy", x()), ("y.npy", y()), ("tx.npy", tx), ("ty.npy", ty)])
            .read()
            .map_err(|error| format!("{}: {error}", error.key).replace(&format!("{}/", folder.path().display()), ""))
    };
    let one = || npy("|u1", false, &[1], &[5]);
    let (data, info) = read(npy("<f8", false, &[1, 2], &floats(&[7.0, 8.0])), one()).unwrap();
    assert_eq!((data.test.targets, info.test_rows), (Targets::Classes(vec![0]), 1));
    assert_eq!(
        read(npy("<f8", false, &[1, 1], &floats(&[7.0])), one()).unwrap_err(),
        "test_features: `tx.npy`: found an array of shape (1, 1), expected (3, 2) as in `x.npy`, whatever the number \
         of rows"
    );
    // The same number of values, but with a different meaning.
    let folded = read(npy("<f8", false, &[1, 1, 2], &floats(&[7.0, 8.0])), one()).unwrap_err();
    assert!(folded.contains("found an array of shape (1, 1, 2), expected (3, 2)"), "{folded}");
    let pairs = read(npy("<f8", false, &[1, 2], &floats(&[7.0, 8.0])), npy("|u1", false, &[1, 2], &[5, 5]));
    assert_eq!(
        pairs.unwrap_err(),
        "test_targets: `ty.npy`: there is 1 target in the training data, but 2 in the test data"
    );
    let as_floats = read(npy("<f8", false, &[1, 2], &floats(&[7.0, 8.0])), npy("<f8", false, &[1], &floats(&[5.0])));
    assert_eq!(
        as_floats.unwrap_err(),
        "test_targets: `ty.npy`: the target holds whole numbers in the training data, but whole numbers written as \
         floats in the test data; if both are numbers, set `task`"
    );
    let unknown = read(npy("<f8", false, &[1, 2], &floats(&[7.0, 8.0])), npy("|u1", false, &[1], &[6]));
    assert_eq!(
        unknown.unwrap_err(),
        "test_targets: `ty.npy`: the test data has the class `6`, which the training data does not have"
    );
    let half = toml::from_str::<Npy>(&format!("{BOTH}\ntest_features = 'tx.npy'")).unwrap_err().to_string();
    assert!(half.contains("`test_features` is given without `test_targets`"), "{half}");
}

#[test]
fn what_is_wrong_is_said() {
    let said = |x: Vec<u8>, y: Vec<u8>| read(x, y).unwrap_err();
    let header = |text: &str| {
        let mut file = b"\x93NUMPY\x02\x00".to_vec();
        file.extend((text.len() as u32).to_le_bytes());
        file.extend(text.as_bytes());
        file
    };
    insta::assert_snapshot!(
        [
            said(b"x,y\n1,2\n".to_vec(), y()),
            said(b"\x93NUMPY\x04\x00".to_vec(), y()),
            said(b"\x93NUMPY\x01\x00\xff\xff{".to_vec(), y()),
            said(header("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1, 1)}"), y()),
            said(header("{'descr': '<f8', 'shape': (1, 1)}"), y()),
            said(header("{'descr': '<f8', 'fortran_order': maybe, 'shape': (1, 1)}"), y()),
            said(npy("<f2", false, &[1, 1], &[0, 0]), y()),
            said(npy("|O", false, &[1, 1], &[0, 0]), y()),
            said(npy("<u8", false, &[1, 1], &[0xff; 8]), y()),
            said(npy("<f8", false, &[3, 2], &[0; 40]), y()),
            said(npy("<f8", false, &[usize::MAX, usize::MAX, usize::MAX], &[0; 40]), y()),
            said(npy("<f8", false, &[3], &[0; 24]), y()),
            said(npy("<f8", false, &[0, usize::MAX, 4], &[]), y()),
            said(npy("<f8", false, &[3, 2], &floats(&[1.0, 2.0, 3.0, f64::NAN, 5.0, 6.5])), y()),
            said(x(), npy("|u1", false, &[2], &[9, 5])),
            said(x(), npy("|u1", false, &[3, 1, 1], &[9, 5, 9])),
            said(x(), npy("<f8", false, &[3], &floats(&[1.0, f64::INFINITY, 0.0]))),
        ]
        .join("\n"),
        @r"
        features: `x.npy`: this is not a .npy file: it does not begin with the bytes 93 4e 55 4d 50 59 (`numpy.save` writes them)
        features: `x.npy`: the format version is 4, expected 1 to 3
        features: `x.npy`: the header cannot be read: the file ends within it
        features: `x.npy`: the header cannot be read: `descr` has the value `[('a', '<f8')], 'fortran_order': False, 'shape': (1, 1)}`, which is not understood
        features: `x.npy`: the header cannot be read: it lacks the key `fortran_order`
        features: `x.npy`: the header cannot be read: `fortran_order` has the value `maybe, 'shape': (1, 1)}`, which is not understood
        features: `x.npy`: the values are of type `<f2`, expected whole numbers, floats of 32 or 64 bits, or true and false
        features: `x.npy`: the values are of type `|O`, expected whole numbers, floats of 32 or 64 bits, or true and false
        features: `x.npy`: some values are above 9223372036854775807, the largest accepted whole number
        features: `x.npy`: the file has 168 bytes, expected 176: (3, 2) values after a header of 128 bytes
        features: `x.npy`: the file has 232 bytes, expected 340282366920938463463374607431768211455: (18446744073709551615, 18446744073709551615, 18446744073709551615) values after a header of 192 bytes
        features: `x.npy`: found an array of shape (3,), expected two dimensions or more, rows first, and none of size 0
        features: `x.npy`: found an array of shape (0, 18446744073709551615, 4), expected two dimensions or more, rows first, and none of size 0
        features: `x.npy`: found NaN at (1, 1), expected a finite number
        targets: `y.npy`: there are targets for 2 rows, but `x.npy` has 3 rows
        targets: `y.npy`: found an array of shape (3, 1, 1), expected one dimension, or two (rows and targets), and none of size 0
        targets: `y.npy`: found inf at (1,), expected a finite number
        "
    );
}

proptest! {
    #[test]
    fn numbers_are_read_as_they_were_written(
        (rows, features, values) in (1usize..6, 1usize..6).prop_flat_map(|(rows, features)| {
            let value = prop::num::f64::NORMAL | prop::num::f64::ZERO;
            (Just(rows), Just(features), prop::collection::vec(value, rows * features))
        })
    ) {
        let array = Array::parse(&npy("<f8", false, &[rows, features], &floats(&values))).unwrap();
        prop_assert_eq!(&array, &Array { shape: vec![rows, features], values: ArrayValues::Floats(values.clone()) });
        // Transposed, and said to be.
        let column = |feature| values.iter().skip(feature).step_by(features).copied();
        let transposed: Vec<f64> = (0..features).flat_map(column).collect();
        prop_assert_eq!(Array::parse(&npy("<f8", true, &[rows, features], &floats(&transposed))).unwrap(), array);
    }

    #[test]
    fn nothing_that_a_file_can_hold_breaks_the_reader(place: prop::sample::Index, byte: u8, cut: prop::sample::Index) {
        let mut bytes = x();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        bytes.truncate(cut.index(bytes.len()) + 1);
        let _ = read(bytes, y());
    }
}
