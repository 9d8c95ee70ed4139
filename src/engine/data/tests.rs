use super::*;
use crate::forms::read;

fn count(rows: u64) -> Count {
    Count::new(rows).unwrap()
}

fn mnist(train_rows: Option<u64>, test_rows: Option<u64>) -> Data {
    let limits = Limits { train_rows: train_rows.map(count), test_rows: test_rows.map(count) };
    Data { limits, ..Source::Mnist.into() }
}

/// The settings of the section, as text.
fn written(data: &Data) -> Vec<String> {
    let mut settings = Settings::default();
    data.settings(&data.info().unwrap(), &mut settings);
    settings.iter().map(|(name, value)| format!("{name}={value}")).collect()
}

fn prepared(settings: &str, source: Source) -> Data {
    Data { preparation: toml::from_str(settings).unwrap(), ..source.into() }
}

#[test]
fn what_is_loaded_is_what_was_planned() {
    let data = mnist(Some(10), Some(10));
    let info = data.info().unwrap();
    assert_eq!(data.load_as_planned(&info).unwrap().train.len(), 10);
    let other = Info { fingerprint: "0123456789abcdef".to_owned(), ..info };
    assert!(matches!(data.load_as_planned(&other), Err(Error::Changed)));
}

#[test]
fn limits_are_counts_and_never_more_than_there_is() {
    let info = mnist(Some(300), None).info().unwrap();
    assert_eq!((info.train_rows, info.test_rows), (300, 10_000));
    let too_many = |data: Data| (data.info().unwrap_err().to_string(), data.load().unwrap_err().to_string());
    let message = "`train_rows` is 60001, but there are 60000 rows".to_owned();
    assert_eq!(too_many(mnist(Some(60_001), None)), (message.clone(), message));
    let message = "`test_rows` is 10001, but there are 10000 rows".to_owned();
    assert_eq!(too_many(mnist(None, Some(10_001))), (message.clone(), message));
}

#[test]
fn settings_hold_counts_and_no_paths() {
    assert_eq!(written(&mnist(None, Some(7))), ["data=mnist", "test_rows=7", "train_rows=60000"]);
}

#[test]
fn what_is_set_aside_is_in_the_settings_and_shares_the_rows() {
    let holdout = prepared("validation_share = 0.1\nnormalize = \"standard\"", Source::Mnist);
    assert_eq!(
        written(&holdout),
        ["data=mnist", "normalize=standard", "test_rows=10000", "train_rows=54000", "validation_rows=6000"]
    );
    assert_eq!(holdout.rows(), mnist(None, None).rows());
    // A share and a count that give the same number are the same setting; 0 is no setting.
    assert_eq!(
        written(&prepared("validation_share = 0.1", Source::Mnist)),
        written(&prepared("validation_rows = 6000", Source::Mnist))
    );
    assert_eq!(written(&prepared("validation_share = 0", Source::Mnist)), written(&mnist(None, None)));
}

#[test]
fn everything_that_decides_synthetic_rows_is_a_setting() {
    let all = |text: &str| written(&read(&format!("{text}\ntest_share = 0.25")));
    assert_eq!(
        all("source = \"normal\"\nfeatures = 3\nrows = 100"),
        ["classes=10", "data=normal", "data_seed=0", "features=3", "rows=100", "test_rows=25", "train_rows=75"]
    );
    assert_eq!(
        all("source = \"spiral\""),
        ["classes=3", "data=spiral", "data_seed=0", "noise=0.2", "rows=300", "test_rows=75", "train_rows=225"]
    );
    assert_eq!(
        all("source = \"moons\"\nseed = 7"),
        ["data=moons", "data_seed=7", "noise=0.1", "rows=200", "test_rows=50", "train_rows=150"]
    );
    assert_eq!(
        all("source = \"blobs\""),
        [
            "classes=3",
            "data=blobs",
            "data_seed=0",
            "features=2",
            "noise=1",
            "rows=300",
            "test_rows=75",
            "train_rows=225"
        ]
    );
    assert_eq!(
        all("source = \"sine\""),
        ["data=sine", "data_seed=0", "noise=0.3", "rows=100", "test_rows=25", "train_rows=75"]
    );

    // The plan predicts what is drawn.
    for text in ["source = \"normal\"\nfeatures = 3\nrows = 100", "source = \"spiral\"", "source = \"sine\""] {
        let data: Data = read(text);
        let info = data.info().unwrap();
        let dataset = data.load_as_planned(&info).unwrap();
        assert_eq!(
            (dataset.train.len() as u64, dataset.features, dataset.task),
            (info.train_rows, info.features, info.task)
        );
        assert_eq!(dataset.train.inputs.len(), dataset.train.len() * dataset.features);
    }
}

#[test]
fn rows_that_no_memory_holds_are_refused_before_they_are_made() {
    let normal: Normal = toml::from_str("features = 1000\nrows = 9_007_199_254_740_992").unwrap();
    let error = prepared("", Source::Normal(normal)).info().unwrap_err();
    assert_eq!(error.to_string(), "9007199254740992 rows of 1000 numbers do not fit into memory");
    let blobs = |keys: &str| {
        let error = prepared("", Source::Blobs(toml::from_str(keys).unwrap())).info().unwrap_err();
        format!("{}: {error}; {}", error.key(), error.help().unwrap())
    };
    assert_eq!(
        blobs("rows = 1\nfeatures = 1_000_000\nclasses = 65536"),
        "features: the centers of 65536 classes, 1000000 numbers each, do not fit into memory; use fewer `classes` or \
         `features`"
    );
    assert_eq!(
        blobs("features = 10_000_000_000"),
        "features: 300 rows of 10000000000 numbers do not fit into memory; use fewer `rows` or `features`"
    );
}

#[test]
fn classes_are_named_only_where_their_numbers_say_less() {
    let info = Info::unsplit(1, 0, 1, Task::Classification { classes: 2 }, "");
    let named = |names: &[&str]| {
        let class_names = names.iter().map(|&name| name.to_owned()).collect();
        Info { class_names, ..info.clone() }.classes_in_words()
    };
    assert_eq!(named(&["no", "yes"]).as_deref(), Some("0 = no, 1 = yes"));
    assert_eq!(named(&["1", "2"]).as_deref(), Some("0 = 1, 1 = 2"));
    assert_eq!(named(&["0", "1"]), None);
    assert_eq!(named(&[]), None);
}

#[test]
fn the_keys_that_hold_paths_are_those_that_are_resolved() {
    let others = |source| if matches!(source, "csv" | "parquet") { "target = 'y'\nfeatures = 'z'\n" } else { "" };
    for source in ["fashion-mnist", "idx", "csv", "parquet", "npy", "mnist"] {
        let keys = Source::path_keys(source);
        let paths: String = keys.iter().map(|key| format!("{key} = 'of_{key}'\n")).collect();
        let mut data: Data = read(&format!("source = '{source}'\n{paths}{}", others(source)));
        data.resolve(Path::new("/folder"));
        let resolved = format!("{data:?}");
        assert_eq!(resolved.matches("/folder/").count(), keys.len(), "{resolved}");
        keys.iter().for_each(|key| assert!(resolved.contains(&format!("\"/folder/of_{key}\"")), "{resolved}"));
    }
}
