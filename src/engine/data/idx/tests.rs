use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::data::{Data, Error, Limits, Source};
use crate::number::Count;
use crate::settings::Settings;

/// An IDX file.
pub fn idx(sizes: &[u32], values: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, sizes.len() as u8];
    sizes.iter().for_each(|size| file.extend(size.to_be_bytes()));
    file.extend(values);
    file
}

pub fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// A folder with three training images of 2 × 2 and two test images, with labels up to 4.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(&folder, "train-images", &idx(&[3, 2, 2], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255]));
    write(&folder, "train-labels", &gzip(&idx(&[3], &[2, 4, 0])));
    write(&folder, "test-images", &gzip(&idx(&[2, 2, 2], &[9, 8, 7, 6, 5, 4, 3, 2])));
    write(&folder, "test-labels", &idx(&[2], &[1, 1]));
    folder
}

fn write(folder: &TempDir, name: &str, bytes: &[u8]) {
    std::fs::write(folder.path().join(name), bytes).unwrap();
}

const TRAIN: &str = "train_images = 'train-images'\ntrain_labels = 'train-labels'\n";
const TEST: &str = "test_images = 'test-images'\ntest_labels = 'test-labels'\n";

/// The data with these settings, in `folder`.
fn data(folder: &TempDir, settings: &str, limits: Limits) -> Data {
    let mut data = Data { limits, ..Source::Idx(toml::from_str(settings).unwrap()).into() };
    data.resolve(folder.path());
    data
}

/// The error when `file` replaces one of the folder's files: its key and its message.
fn mistake(name: &str, file: &[u8]) -> String {
    let folder = folder();
    write(&folder, name, file);
    mistake_in(&folder, &format!("{TRAIN}{TEST}"))
}

/// The error when `file` replaces the training images.
fn in_images(file: &[u8]) -> String {
    let mistake = mistake("train-images", file);
    mistake.strip_prefix("train_images: `train-images` ").expect("it is about the training images").to_owned()
}

fn mistake_in(folder: &TempDir, settings: &str) -> String {
    let data = data(folder, settings, Limits::default());
    let error = data.info().unwrap_err();
    assert_eq!(data.load().unwrap_err().to_string(), error.to_string());
    format!("{}: {error}", error.key()).replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn files_are_read_gzipped_or_not() {
    let folder = folder();
    let data = data(&folder, &format!("{TRAIN}{TEST}"), Limits::default());
    let dataset = data.load().unwrap();
    assert_eq!(dataset.train, Rows::of_images(vec![0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255], &[2, 4, 0]));
    assert_eq!(dataset.test, Rows::of_images(vec![9, 8, 7, 6, 5, 4, 3, 2], &[1, 1]));
    assert_eq!((dataset.features, dataset.task.outputs()), (4, 5));
    let info = data.info().unwrap();
    assert_eq!((info.train_rows, info.test_rows, info.features, info.task.outputs()), (3, 2, 4, 5));
}

#[test]
fn limits_take_the_first_rows_and_leave_the_classes() {
    let folder = folder();
    let rows = |rows| Some(Count::new(rows).unwrap());
    let few = data(&folder, &format!("{TRAIN}{TEST}"), Limits { train_rows: rows(1), test_rows: rows(1) });
    let dataset = few.load().unwrap();
    assert_eq!(dataset.train, Rows::of_images(vec![0, 1, 2, 3], &[2]));
    assert_eq!(dataset.test, Rows::of_images(vec![9, 8, 7, 6], &[1]));
    assert_eq!(dataset.task.outputs(), 5);
    let info = few.info().unwrap();
    assert_eq!((info.train_rows, info.test_rows, info.task.outputs()), (1, 1, 5));

    let many = data(&folder, &format!("{TRAIN}{TEST}"), Limits { train_rows: rows(3), test_rows: rows(3) });
    assert_eq!(many.info().unwrap_err().to_string(), "`test_rows` is 3, but there are 2 rows");
    let none = data(&folder, TRAIN, Limits { train_rows: None, test_rows: rows(1) });
    let error = none.info().unwrap_err();
    assert_eq!(
        (error.key(), error.to_string().as_str()),
        ("test_rows", "`test_rows` is given, but there is no test data")
    );
}

#[test]
fn settings_hold_the_classes() {
    let folder = folder();
    let written = |text: &str| {
        let data = data(&folder, text, Limits::default());
        let mut settings = Settings::default();
        data.settings(&data.info().unwrap(), &mut settings);
        settings.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
    };
    assert_eq!(written(TRAIN), ["classes=5", "data=idx", "test_rows=0", "train_rows=3"]);
    assert_eq!(written(&format!("{TRAIN}classes = 256")), ["classes=256", "data=idx", "test_rows=0", "train_rows=3"]);
}

#[test]
fn settings_that_cannot_be_meant_are_refused() {
    let mistake = |text: &str| toml::from_str::<Idx>(text).unwrap_err().message().to_owned();
    assert_eq!(
        mistake(&format!("{TRAIN}test_images = 'a'")),
        "`test_images` is given without `test_labels`: test data needs both"
    );
    assert_eq!(
        mistake(&format!("{TRAIN}test_labels = 'a'")),
        "`test_labels` is given without `test_images`: test data needs both"
    );
    let classes = |found| format!("`{found}` is out of range, expected a whole number from 1 to 256");
    assert_eq!(mistake(&format!("{TRAIN}classes = 0")), classes(0));
    assert_eq!(mistake(&format!("{TRAIN}classes = 257")), classes(257));
    assert_eq!(mistake("train_images = 'a'"), "missing field `train_labels`");
}

#[test]
fn paths_start_at_the_given_folder() {
    let mut idx: Idx = toml::from_str("train_images = 'a/b'\ntrain_labels = '/c'\n").unwrap();
    idx.resolve(Path::new("/x"));
    assert_eq!(idx.train, ImagesAndLabels { images: "/x/a/b".into(), labels: "/c".into() });
}

#[test]
fn the_fingerprint_is_of_the_content_and_its_part() {
    let fingerprint = |folder: &TempDir, text: &str| data(folder, text, Limits::default()).info().unwrap().fingerprint;
    let folder = folder();
    // The gzipped bytes may change with the version of the packer.
    write(&folder, "train-labels", &idx(&[3], &[2, 4, 0]));
    write(&folder, "test-images", &idx(&[2, 2, 2], &[9, 8, 7, 6, 5, 4, 3, 2]));
    let whole = fingerprint(&folder, &format!("{TRAIN}{TEST}"));
    assert_eq!(whole, "3faa5a0611840ca6");

    std::fs::rename(folder.path().join("train-images"), folder.path().join("moved")).unwrap();
    let moved = format!("train_images = 'moved'\ntrain_labels = 'train-labels'\nclasses = 9\n{TEST}");
    assert_eq!(fingerprint(&folder, &moved), whole);

    let exchanged = "train_images = 'test-images'\ntrain_labels = 'test-labels'\n
                     test_images = 'moved'\ntest_labels = 'train-labels'";
    let train_alone = "train_images = 'moved'\ntrain_labels = 'train-labels'";
    write(&folder, "other", &idx(&[2], &[1, 0]));
    let other =
        "train_images = 'moved'\ntrain_labels = 'train-labels'\ntest_images = 'test-images'\ntest_labels = 'other'";
    let all: std::collections::BTreeSet<_> =
        [&moved, exchanged, train_alone, other].map(|text| fingerprint(&folder, text)).into();
    assert_eq!(all.len(), 4);
}

#[test]
fn what_is_no_file_is_refused() {
    let folder = folder();
    let missing = "train_images = 'absent'\ntrain_labels = 'train-labels'\n";
    assert_eq!(
        mistake_in(&folder, missing),
        "train_images: `absent`: cannot be read: No such file or directory (os error 2)"
    );
    std::fs::create_dir(folder.path().join("folder")).unwrap();
    assert_eq!(
        mistake_in(&folder, "train_images = 'train-images'\ntrain_labels = 'folder'\n"),
        "train_labels: `folder`: this path is not a file, expected an IDX file"
    );
}

#[test]
fn a_header_that_is_not_as_it_should_be_is_refused_at_its_byte() {
    for (file, expected) in [
        (b"".to_vec(), "at byte 0: the content ends within the header, expected 4 bytes of header"),
        (b"\x89PNG\r\n".to_vec(), "at byte 0: found the bytes 89 50, expected 00 00, with which every IDX file begins"),
        (vec![0, 0, 0x0d, 2], "at byte 2: found values of type 0x0d (32-bit floats), expected 0x08 (unsigned bytes)"),
        (vec![0, 0, 0x07, 2], "at byte 2: found values of type 0x07, expected 0x08 (unsigned bytes)"),
        (
            idx(&[3], &[0, 1, 2]),
            "at byte 3: the number of dimensions is 1, expected at least 2, the first of which counts images",
        ),
        (
            idx(&[3, 2], &[])[..11].to_vec(),
            "at byte 11: the content ends within the header, expected 12 bytes of header",
        ),
        (
            gzip(&idx(&[3, 2], &[])[..11]),
            "at byte 11 of its unpacked content: the content ends within the header, expected 12 bytes of header",
        ),
        (idx(&[3, 0, 2], &[]), "at byte 8: dimension 2 has size 0, expected at least 1"),
        (
            idx(&[u32::MAX; 3], &[]),
            "at byte 4: the header declares 4294967295 × 4294967295 × 4294967295 values, which do not fit into memory",
        ),
        (
            idx(&[u32::MAX; 2], &[]),
            "at byte 4: the header declares 4294967295 × 4294967295 values, which do not fit into memory",
        ),
    ] {
        assert_eq!(in_images(&file), expected);
    }
    assert_eq!(
        mistake("test-labels", &idx(&[2, 2, 2], &[0; 8])),
        "test_labels: `test-labels` at byte 3: the number of dimensions is 3, expected 1, since labels are a plain list"
    );
}

#[test]
fn content_of_another_length_than_declared_is_refused_where_it_ends() {
    let right = idx(&[3, 2, 2], &[7; 12]);
    let (short, long) = (&right[..20], [&right[..], &[0]].concat());
    assert_eq!(
        in_images(short),
        "at byte 20: the content ends, expected 28 bytes: the header declares 3 × 2 × 2 values"
    );
    assert_eq!(
        in_images(&gzip(short)),
        "at byte 20 of its unpacked content: the content ends, expected 28 bytes: the header declares 3 × 2 × 2 values"
    );
    assert_eq!(
        in_images(&long),
        "at byte 28: found more content, expected the end: the header declares 3 × 2 × 2 values"
    );
    assert_eq!(
        in_images(&gzip(&long)),
        "at byte 28 of its unpacked content: found more content, expected the end: the header declares 3 × 2 × 2 values"
    );
    // A header that declares four billion values does not make the reader allocate that much memory.
    assert_eq!(
        in_images(&idx(&[1 << 16, 1 << 16], &[7; 12])),
        "at byte 24: the content ends, expected 4294967308 bytes: the header declares 65536 × 65536 values"
    );
}

#[test]
fn a_damaged_gzip_stream_is_refused() {
    let packed = gzip(&idx(&[3, 2, 2], &[7; 12]));
    let with = |place: usize, byte: u8| [&packed[..place], &[byte], &packed[place + 1..]].concat();
    let sum = packed.len() - 8;
    for (file, offset, cause) in [
        (packed[..5].to_vec(), 0, "unexpected end of file"),
        (packed[..12].to_vec(), 1, "incomplete deflate stream"),
        (packed[..packed.len() - 1].to_vec(), 28, "unexpected end of file"),
        (with(10, 0xff), 0, "corrupt deflate stream"),
        (with(sum, !packed[sum]), 28, "corrupt gzip stream does not have a matching checksum"),
        ([&packed[..], b"no gzip member"].concat(), 28, "invalid gzip header"),
    ] {
        let expected = format!(
            "at byte {offset} of its unpacked content: the gzip stream is damaged ({cause}); fetch or compress the \
             file again"
        );
        assert_eq!(in_images(&file), expected);
    }
}

#[test]
fn gzip_files_of_several_members_are_one_content() {
    let content = idx(&[3, 2, 2], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255]);
    let (first, second) = content.split_at(17);
    let (sizes, values) = parse(&[gzip(first), gzip(second)].concat(), IdxRole::Images).unwrap();
    assert_eq!((sizes, &values[..]), (vec![3, 2, 2], &content[16..]));
    assert_eq!(
        in_images(&[gzip(&content), gzip(b"more")].concat()),
        "at byte 28 of its unpacked content: found more content, expected the end: the header declares 3 × 2 × 2 values"
    );
}

#[test]
fn a_stream_is_never_unpacked_beyond_what_it_declares() {
    struct Endless(u64);
    impl Read for Endless {
        fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
            bytes.fill(0);
            self.0 += bytes.len() as u64;
            assert!(self.0 < 10_000, "asked for {} bytes", self.0);
            Ok(bytes.len())
        }
    }
    let header = idx(&[10, 100], &[]);
    let (offset, fault) = parse_content(header.chain(Endless(0)), usize::MAX, IdxRole::Images).unwrap_err();
    assert_eq!(
        (offset, fault.to_string().as_str()),
        (1012, "found more content, expected the end: the header declares 10 × 100 values")
    );
}

#[test]
fn labels_that_do_not_belong_to_the_images_are_refused() {
    assert_eq!(
        mistake("train-labels", &gzip(&idx(&[4], &[0, 1, 2, 3]))),
        "train_labels: `train-labels` at byte 4 of its unpacked content: found 4 labels for the 3 images of \
         `train-images`: they do not belong together"
    );
    let folder = folder();
    assert_eq!(
        mistake_in(&folder, &format!("{TRAIN}{TEST}classes = 4\n")),
        "train_labels: `train-labels` at byte 9 of its unpacked content: found label 4, expected 0 to 3: `classes` is 4"
    );
    write(&folder, "test-labels", &idx(&[2], &[4, 5]));
    assert_eq!(
        mistake_in(&folder, &format!("{TRAIN}{TEST}classes = 5\n")),
        "test_labels: `test-labels` at byte 9: found label 5, expected 0 to 4: `classes` is 5"
    );
}

#[test]
fn test_images_have_the_training_images_shape() {
    assert_eq!(
        mistake("test-images", &idx(&[2, 4], &[0; 8])),
        "test_images: `test-images` at byte 8: found images of 4 values, expected 2 × 2 as in `train-images`"
    );
}

#[test]
fn the_first_mistake_of_several_is_always_the_same() {
    let folder = folder();
    write(&folder, "test-images", b"no");
    write(&folder, "train-labels", b"no");
    assert_eq!(
        mistake_in(&folder, &format!("{TRAIN}{TEST}")),
        "train_labels: `train-labels` at byte 2: the content ends within the header, expected 4 bytes of header"
    );
    let error = data(&folder, TRAIN, Limits::default()).info().unwrap_err();
    assert!(matches!(error, Error::File(IdxError { offset: Some(2), is_gzipped: false, .. })), "{error:?}");
}

proptest! {
    #[test]
    fn what_is_written_is_read(sizes in prop::collection::vec(1_u32..7, 1..6), seed: u8, packed: bool) {
        let length = sizes.iter().product::<u32>();
        let values: Vec<u8> = (0..length).map(|i| (i as u8).wrapping_mul(seed)).collect();
        let content = idx(&sizes, &values);
        let role = if sizes.len() == 1 { IdxRole::Labels } else { IdxRole::Images };
        let read = parse(&if packed { gzip(&content) } else { content }, role).unwrap();
        prop_assert_eq!(read, (sizes, values));
    }

    #[test]
    fn nothing_that_a_file_can_hold_breaks_the_reader(
        sizes in prop::collection::vec(0_u32..7, 1..5),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        keep: prop::sample::Index,
        packed: bool,
        packed_first: bool,
    ) {
        let mut file = idx(&sizes, &vec![5; sizes.iter().product::<u32>() as usize]);
        if packed && packed_first {
            file = gzip(&file);
        }
        for (place, byte) in changes {
            let place = place.index(file.len());
            file[place] = byte;
        }
        file.truncate(keep.index(file.len() + 1) + 1);
        if packed && !packed_first {
            file = gzip(&file);
        }
        if let Ok((sizes, values)) = parse(&file, IdxRole::Images) {
            prop_assert_eq!(values.len(), sizes.iter().product::<u32>() as usize);
            prop_assert!(values.capacity() <= 1032 * file.len());
        }
    }
}
