//! What a results folder guarantees its users.

mod interruption;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{Float64Array, RecordBatch};
use parquet::arrow::ArrowWriter;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use proptest::prelude::*;
use tempfile::tempdir;

use super::row::tests::{bin, evaluation, failed, layer, run, run_with};
use super::*;
use engine::record::{EvaluationRow, GradientCheckRow, HistogramRow, LossRow, Split, TrajectoryRow};
use engine::settings::Identity;
use engine::train::Ending;

fn open(root: &Path) -> Results {
    Results::open(root, Context::here("ch6", "seeds = 3\n", "00ff")).unwrap()
}

fn store(root: &Path, runs: &[RunRow]) -> Inventory {
    let mut results = open(root);
    runs.iter().for_each(|run| results.push(run).unwrap());
    results.finish().unwrap()
}

/// All files below `root` except the lock, sorted.
fn files(root: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else {
                files.push(entry.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    files.retain(|file| file != ".lock");
    files.sort_unstable();
    files
}

#[test]
fn an_absent_folder_is_an_empty_inventory_and_stays_absent() {
    let folder = tempdir().unwrap();
    let root = folder.path().join("ch6");
    assert_eq!(Inventory::look(&root).unwrap(), Inventory::default());
    assert!(!root.exists());
}

#[test]
fn every_flush_is_a_batch_with_files_where_it_has_rows() {
    let folder = tempdir().unwrap();
    let mut results = open(folder.path());
    let evaluated = run_with(2, &[], |outcome| outcome.evaluations = vec![evaluation(0, Split::Test, 1.0, 0.5)]);
    for run in [run(1, &[1.0]), evaluated, failed(3)] {
        results.push(&run).unwrap();
        results.flush().unwrap();
        results.flush().unwrap();
    }
    assert_eq!(
        files(folder.path()),
        [
            "evaluations/main-0002.parquet",
            "experiment.toml",
            "history/main-0001.parquet",
            "runs/main-0001.parquet",
            "runs/main-0002.parquet",
            "runs/main-0003.parquet",
        ]
    );
}

#[test]
fn what_was_stored_is_known_again() {
    let folder = tempdir().unwrap();
    let runs = [
        run_with(1, &[2.0, 0.5], |outcome| outcome.evaluations = vec![evaluation(1, Split::Test, 0.5, 0.75)]),
        run_with(2, &[2.0], |outcome| outcome.ending = Ending::Diverged { step: 1, layer: "affine 3".to_owned() }),
        failed(3),
        run(4, &[]),
    ];
    let inventory = store(folder.path(), &runs);
    assert_eq!(Inventory::look(folder.path()).unwrap(), inventory);
    assert_eq!(inventory.runs.len(), runs.len());
    for run in &runs {
        let known = &inventory.runs[&run.run_id];
        assert_eq!((&known.label, known.seed), (&run.label, run.seed));
        assert_eq!(known.summary, Summary::of(run));
        assert_eq!(known.batch.to_string(), "main-0001");
    }
}

#[test]
fn identities_of_stored_runs_are_read_only_on_demand() {
    let folder = tempdir().unwrap();
    let root = folder.path();
    let runs: Vec<RunRow> = (1..=3).map(|number| run(number, &[0.1])).collect();
    let mut results = open(root);
    for run in &runs {
        results.push(run).unwrap();
        results.flush().unwrap();
    }
    let kept = runs[1..].iter().map(|run| (run.run_id, run.label.clone())).collect();
    results.reconcile(&kept, true).unwrap();

    let inventory = results.finish().unwrap();
    let all = inventory.identities(root, |_| true).unwrap();
    assert_eq!(all.len(), 3, "those in the archive, too");
    for run in &runs {
        let identity = &all[&run.run_id];
        let trajectory_id = run.trajectory_id;
        assert_eq!(*identity, Identity { trajectory_id, ..run.settings.clone().into_identity(&run.data_fingerprint) });
    }
    let asked = inventory.identities(root, |known| known.seed == 2).unwrap();
    assert_eq!(asked.into_keys().collect::<Vec<_>>(), [runs[1].run_id]);
}

#[test]
fn the_experiment_lies_beside_the_tables_as_last_run() {
    let folder = tempdir().unwrap();
    for text in ["seeds = 3\n", "seeds = 4\n"] {
        drop(Results::open(folder.path(), Context::here("ch6", text, "00ff")).unwrap());
        assert_eq!(fs::read_to_string(folder.path().join("experiment.toml")).unwrap(), text);
    }
}

#[test]
fn every_footer_says_where_the_rows_come_from() {
    let folder = tempdir().unwrap();
    store(folder.path(), &[run(1, &[1.0])]);
    for table in ["runs", "history"] {
        let (footer, _) = file::read(&folder.path().join(table).join("main-0001.parquet"), None).unwrap();
        let text = format!("{footer:?}");
        for entry in [
            r#""paribus.format_version": "2""#,
            r#""paribus.experiment": "ch6""#,
            r#""paribus.experiment_text": "seeds = 3\n""#,
            r#""paribus.plan": "00ff""#,
            concat!(r#""paribus.version": ""#, env!("CARGO_PKG_VERSION")),
            r#""paribus.cpu": ""#,
        ] {
            assert!(text.contains(entry), "no {entry} in {text}");
        }
    }
}

#[test]
fn runs_that_are_not_wanted_wait_in_the_archive() {
    let folder = tempdir().unwrap();
    let (one, two, three) = (run(1, &[1.0]), run(2, &[2.0]), run(3, &[3.0]));
    store(folder.path(), &[one.clone(), two.clone()]);
    store(folder.path(), std::slice::from_ref(&three));
    let before = Inventory::look(folder.path()).unwrap();

    let mut results = open(folder.path());
    let wanted = BTreeMap::from([(one.run_id, one.label.clone())]);
    assert_eq!(results.reconcile(&wanted, false).unwrap(), Reconciled::default());
    assert_eq!(results.inventory(), &before);
    assert_eq!(results.reconcile(&wanted, true).unwrap(), Reconciled { archived: 2, ..Reconciled::default() });
    assert_eq!(results.inventory().runs.keys().collect::<Vec<_>>(), [&one.run_id]);
    assert_eq!(results.inventory().archived.len(), 2);
    assert!(!files(folder.path()).contains(&"history/main-0002.parquet".to_owned()));

    let all = [one, two, three].map(|run| (run.run_id, run.label)).into();
    assert_eq!(results.reconcile(&all, true).unwrap(), Reconciled { returned: 2, ..Reconciled::default() });
    let summaries = |inventory: &Inventory| inventory.runs.values().map(|run| run.summary.clone()).collect::<Vec<_>>();
    assert_eq!(summaries(results.inventory()), summaries(&before));
    assert!(results.inventory().archived.is_empty());
    assert!(!files(folder.path()).iter().any(|file| file.starts_with("archive")));
}

#[test]
fn labels_follow_the_plan_in_every_table() {
    let folder = tempdir().unwrap();
    let run = run_with(1, &[1.0], everything);
    store(folder.path(), &[run.clone(), run_with(2, &[2.0], everything)]);
    let mut results = open(folder.path());
    let wanted = BTreeMap::from([(run.run_id, "adam, lr=0.001".to_owned())]);
    assert_eq!(results.reconcile(&wanted, false).unwrap(), Reconciled { relabelled: 1, ..Reconciled::default() });
    for table in Table::all() {
        let rows = read(folder.path(), table);
        let labels: BTreeSet<_> = rows.iter().flat_map(|rows| texts(rows, "label")).collect();
        assert!(labels.contains("adam, lr=0.001") && !labels.contains("run 1"), "{labels:?}");
    }
}

#[test]
fn failed_runs_are_forgotten_when_they_are_wanted() {
    let folder = tempdir().unwrap();
    store(folder.path(), &[failed(1), run(2, &[1.0])]);
    let mut results = open(folder.path());
    let wanted = [failed(1), run(2, &[1.0])].map(|run| (run.run_id, run.label)).into();
    assert_eq!(results.reconcile(&wanted, true).unwrap(), Reconciled { retry: 1, ..Reconciled::default() });
    assert_eq!(results.inventory().runs.keys().collect::<Vec<_>>(), [&run(2, &[1.0]).run_id]);
}

#[test]
fn a_run_pushed_again_takes_the_place_of_the_old_one() {
    let folder = tempdir().unwrap();
    store(folder.path(), &[run(1, &[1.0]), run(2, &[2.0])]);
    let mut results = open(folder.path());
    results.push(&run(1, &[7.0])).unwrap();
    results.push(&run(1, &[8.0])).unwrap();
    let inventory = results.finish().unwrap();
    assert_eq!(inventory, Inventory::look(folder.path()).unwrap());
    assert_eq!(inventory.runs[&run(1, &[8.0]).run_id].summary, Summary::of(&run(1, &[8.0])));
    let mut losses: Vec<f64> =
        read(folder.path(), Table::History).iter().flat_map(|rows| floats(rows, "loss")).collect();
    losses.sort_by(f64::total_cmp);
    assert_eq!(losses, [2.0, 8.0]);
    assert!(inventory.archived.is_empty());
}

#[test]
fn a_second_writer_is_refused_and_a_reader_is_not() {
    let folder = tempdir().unwrap();
    let mut results = open(folder.path());
    results.push(&run(1, &[1.0])).unwrap();
    results.flush().unwrap();
    let error = Results::open(folder.path(), Context::here("ch6", "", "")).unwrap_err().to_string();
    assert!(error.contains(&format!("is in use by process {}", std::process::id())), "{error}");
    assert_eq!(Inventory::look(folder.path()).unwrap(), *results.inventory());
}

#[test]
fn a_reader_never_misses_a_run_that_stays_while_a_writer_moves_others() {
    let folder = tempdir().unwrap();
    let runs: Vec<RunRow> = (0..20).map(|number| run(number, &[1.0])).collect();
    store(folder.path(), &runs);
    let all: BTreeMap<RunId, String> = runs.iter().map(|run| (run.run_id, run.label.clone())).collect();
    let some: BTreeMap<RunId, String> = runs.iter().skip(5).map(|run| (run.run_id, run.label.clone())).collect();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut results = open(folder.path());
            for _ in 0..20 {
                results.reconcile(&some, true).unwrap();
                results.reconcile(&all, true).unwrap();
            }
        });
        while !writer.is_finished() {
            let inventory = Inventory::look(folder.path()).unwrap();
            assert!(some.keys().all(|run_id| inventory.runs.contains_key(run_id)));
        }
    });
    assert_eq!(Inventory::look(folder.path()).unwrap().runs.len(), runs.len());
}

#[test]
fn nothing_that_is_not_finite_is_stored() {
    let folder = tempdir().unwrap();
    let mut results = open(folder.path());
    type Spoil = fn(&mut RunRow);
    let spoilt: [(&str, Spoil); 9] = [
        ("has NaN in column `loss` at step 0;", |run| outcome(run).history[0].loss = f64::NAN),
        ("has inf in column `penalty` at step 0;", |run| outcome(run).history[0].penalty = f64::INFINITY),
        ("has NaN in column `epoch` at step 0;", |run| outcome(run).history[0].epoch = f64::NAN),
        ("has NaN in column `accuracy` at step 0;", |run| {
            outcome(run).evaluations.push(evaluation(0, Split::Test, 1.0, f64::NAN));
        }),
        ("has inf in column `loss` at step 0;", |run| {
            outcome(run).evaluations.push(evaluation(0, Split::Test, f64::INFINITY, 0.5));
        }),
        ("has NaN in column `value` at step 7;", |run| outcome(run).layers.push(layer(7, f64::NAN))),
        ("has inf in column `bin_high` at step -1;", |run| {
            outcome(run).histograms.push(HistogramRow { bin_high: f64::INFINITY, ..bin(-1, 0) });
        }),
        ("has NaN in column `seconds`;", |run| run.seconds = f64::NAN),
        ("has -inf in column `weight_decay`;", |run| run.settings.set("weight_decay", f64::NEG_INFINITY)),
    ];
    for (message, spoil) in spoilt {
        let mut run = run(1, &[1.0]);
        spoil(&mut run);
        let error = results.push(&run).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    assert_eq!(results.finish().unwrap(), Inventory::default());
}

fn outcome(run: &mut RunRow) -> &mut engine::train::Outcome {
    let RunResult::Trained(outcome) = &mut run.result else { panic!("the run failed") };
    outcome
}

#[test]
fn an_interrupted_run_is_not_stored() {
    let folder = tempdir().unwrap();
    let interrupted = run_with(1, &[1.0], |outcome| outcome.ending = Ending::Interrupted);
    assert!(matches!(open(folder.path()).push(&interrupted), Err(Error::Interrupted { .. })));
}

#[test]
fn a_setting_without_a_column_of_its_type_is_refused() {
    let folder = tempdir().unwrap();
    for (name, value) in [("colour", "red"), ("momentum", "much")] {
        let mut run = run(1, &[1.0]);
        run.settings.set(name, value);
        assert!(matches!(open(folder.path()).push(&run), Err(Error::NoColumn { .. })));
    }
}

#[test]
fn files_that_are_not_as_they_were_written_are_named() {
    let shorten: fn(&Path) = |path| File::options().write(true).open(path).unwrap().set_len(100).unwrap();
    let not_ours: fn(&Path) = |path| write_parquet(path, None);
    let newer: fn(&Path) = |path| write_parquet(path, Some("3"));
    let delete: fn(&Path) = |path| fs::remove_file(path).unwrap();
    for (change, file, message) in [
        (shorten, "runs/main-0001.parquet", "is cut off or damaged"),
        (shorten, "history/main-0001.parquet", "is cut off or damaged"),
        (not_ours, "runs/main-0001.parquet", "was not written by paribus; move it out of the results folder"),
        (not_ours, "history/main-0001.parquet", "was not written by paribus"),
        (not_ours, "history/main-0002.parquet", "was not written by paribus"),
        (not_ours, "history/mine.parquet", "was not written by paribus"),
        (newer, "runs/main-0001.parquet", "has format version 3, and this version of paribus reads up to 2"),
        (newer, "history/main-0001.parquet", "has format version 3"),
        (
            delete,
            "history/main-0001.parquet",
            "is missing though its batch is committed; put it back, or delete `main-0001.parquet` in all folders of",
        ),
    ] {
        let folder = tempdir().unwrap();
        store(folder.path(), &[run(1, &[1.0])]);
        change(&folder.path().join(file));
        let before = files(folder.path());
        let error = Results::open(folder.path(), Context::here("ch6", "other", "")).unwrap_err().to_string();
        assert!(error.contains(file) && error.contains(message), "{error}");
        assert_eq!(files(folder.path()), before);
        assert_eq!(fs::read_to_string(folder.path().join("experiment.toml")).unwrap(), "seeds = 3\n");
        assert_eq!(Inventory::look(folder.path()).is_err(), file.starts_with("runs"));
    }
}

/// Writes a Parquet file with one column, and with this format version in its footer, if any.
fn write_parquet(path: &Path, version: Option<&str>) {
    let rows = RecordBatch::try_from_iter([("x", Arc::new(Float64Array::from(vec![1.0])) as _)]).unwrap();
    let entry = version.map(|version| vec![KeyValue::new("paribus.format_version".to_owned(), version.to_owned())]);
    let properties = WriterProperties::builder().set_key_value_metadata(entry).build();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), rows.schema(), Some(properties)).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
}

#[test]
fn damage_inside_a_file_is_not_copied() {
    let folder = tempdir().unwrap();
    store(folder.path(), &[run(1, &[1.0; 100]), run(2, &[1.0; 100])]);
    let path = folder.path().join("history/main-0001.parquet");
    let mut bytes = fs::read(&path).unwrap();
    bytes[4] ^= 1;
    fs::write(&path, bytes).unwrap();
    let error = open(folder.path()).reconcile(&BTreeMap::new(), true).unwrap_err().to_string();
    assert!(error.contains("history/main-0001.parquet` is cut off or damaged"), "{error}");
}

#[test]
fn a_run_in_two_batches_is_an_error_that_names_both() {
    let folder = tempdir().unwrap();
    store(folder.path(), &[run(1, &[])]);
    fs::copy(folder.path().join("runs/main-0001.parquet"), folder.path().join("runs/main-0003.parquet")).unwrap();
    let error = Inventory::look(folder.path()).unwrap_err().to_string();
    assert!(error.contains("is in both batches `main-0001` and `main-0003`"), "{error}");
}

#[test]
fn a_file_in_the_place_of_the_folder_is_named() {
    let folder = tempdir().unwrap();
    let root = folder.path().join("ch6");
    fs::write(&root, "").unwrap();
    let look = Inventory::look(&root).unwrap_err().to_string();
    let open = Results::open(&root, Context::here("ch6", "", "")).unwrap_err().to_string();
    for error in [look, open] {
        assert!(error.contains("ch6") && error.contains("there is a file where a folder is needed"), "{error}");
    }
}

#[test]
fn the_columns_of_this_format_version_are_these() {
    let list = |table: Table| {
        let schema = table.schema();
        let columns = schema.fields().iter().map(|field| {
            let kind = field.data_type().to_string().replace("Dictionary(Int32, Utf8)", "Text");
            format!("{} {kind}{}", field.name(), if field.is_nullable() { "?" } else { "" })
        });
        columns.collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(list(Table::Runs), @r#"
    run_id Text
    trajectory_id Text
    experiment Text
    label Text
    seed Int64
    status Text
    data Text?
    train_rows Int64?
    validation_rows Int64?
    test_rows Int64?
    normalize Text?
    task Text?
    target Text?
    columns Text?
    features Int64?
    rows Int64?
    classes Int64?
    noise Float64?
    data_seed Int64?
    function Text?
    start Text?
    coefficients Text?
    a Float64?
    b Float64?
    hidden Text?
    activation Text?
    slope Float64?
    alpha Float64?
    batch_norm Boolean?
    dropout Float64?
    dropout_scaling Text?
    bias Boolean?
    output Text?
    output_slope Float64?
    output_alpha Float64?
    layers Text?
    weights Text?
    weight_std Float64?
    weight_bound Float64?
    init_bias Float64?
    weight_decay Float64?
    l1 Float64?
    clip_norm Float64?
    optimizer Text?
    lr Float64?
    momentum Float64?
    form Text?
    decay Float64?
    beta1 Float64?
    beta2 Float64?
    eps Float64?
    decoupled_weight_decay Float64?
    schedule Text?
    schedule_every Int64?
    schedule_factor Float64?
    schedule_over Int64?
    schedule_min_lr Float64?
    schedule_rise Float64?
    schedule_start_divisor Float64?
    schedule_end_divisor Float64?
    warm_up Int64?
    batch_size Int64?
    steps Int64?
    sampling Text?
    objective Text?
    precision Text?
    rng Text?
    transcript Text?
    loss_at Text?
    loss_every Int64?
    evaluate_on Text?
    evaluate_every Text?
    histograms_of Text?
    histograms_at Text?
    histograms_bins Int64?
    histograms_low Float64?
    histograms_high Float64?
    histograms_rows Int64?
    layers_what Text?
    layers_every Text?
    gradient_checks_at Text?
    gradient_checks_h Float64?
    gradient_checks_rows Int64?
    gradient_checks_parameters Int64?
    settings Utf8
    data_fingerprint Text
    numerics_version Int64
    parameters Int64
    parameters_hash Text?
    final_loss Float64?
    best_loss Float64?
    best_step Int64?
    final_train_loss Float64?
    train_accuracy Float64?
    train_rmse Float64?
    final_validation_loss Float64?
    validation_accuracy Float64?
    validation_rmse Float64?
    final_test_loss Float64?
    test_accuracy Float64?
    test_rmse Float64?
    steps_done Int64?
    diverged_step Int64?
    diverged_layer Text?
    error Text?
    digest Text
    seconds Float64
    finished_at Timestamp(µs, "UTC")
    host Text
    "#);
    insta::assert_snapshot!(list(Table::History), @r#"
    run_id Text
    label Text
    seed Int64
    step Int64
    epoch Float64
    loss Float64
    penalty Float64
    lr Float64
    "#);
    insta::assert_snapshot!(list(Table::Evaluations), @r#"
    run_id Text
    label Text
    seed Int64
    step Int64
    epoch Float64
    split Text
    loss Float64
    accuracy Float64?
    rmse Float64?
    "#);
    insta::assert_snapshot!(list(Table::Layers), @r#"
    run_id Text
    label Text
    seed Int64
    step Int64
    layer Text
    what Text
    value Float64
    "#);
    insta::assert_snapshot!(list(Table::Histograms), @r#"
    run_id Text
    label Text
    seed Int64
    step Int64
    layer Text
    what Text
    bin_low Float64
    bin_high Float64
    count Int64
    "#);
    insta::assert_snapshot!(list(Table::Trajectories), @r#"
    run_id Text
    label Text
    seed Int64
    step Int64
    x Float64
    y Float64
    value Float64
    "#);
    insta::assert_snapshot!(list(Table::GradientChecks), @r#"
    run_id Text
    label Text
    seed Int64
    step Int64
    parameter Text
    mean_error Float64
    max_error Float64
    "#);
}

#[test]
fn every_table_has_the_rows_of_its_runs() {
    let folder = tempdir().unwrap();
    store(folder.path(), &[run_with(1, &[], everything)]);
    let [layers, histograms, trajectories, checks] =
        [Table::Layers, Table::Histograms, Table::Trajectories, Table::GradientChecks].map(|table| {
            let mut rows = read(folder.path(), table);
            assert_eq!(rows.len(), 1);
            rows.remove(0)
        });
    let one = run(1, &[]).run_id.to_string();
    assert_eq!(texts(&layers, "run_id"), [one.clone(), one.clone()]);
    assert_eq!(texts(&layers, "layer"), ["affine1", "affine1"]);
    assert_eq!(texts(&layers, "what"), ["weight-norm", "weight-norm"]);
    assert_eq!((ints(&layers, "step"), floats(&layers, "value")), (vec![0, 10], vec![0.5, 0.25]));
    assert_eq!(texts(&histograms, "layer"), ["relu1", "relu1"]);
    assert_eq!(texts(&histograms, "what"), ["activations", "activations"]);
    assert_eq!((ints(&histograms, "step"), ints(&histograms, "count")), (vec![-1i64 as u64, 4], vec![3, 5]));
    assert_eq!((floats(&histograms, "bin_low"), floats(&histograms, "bin_high")), (vec![0.0; 2], vec![0.1; 2]));
    assert_eq!((texts(&trajectories, "run_id"), texts(&trajectories, "label")), (vec![one], vec!["run 1".to_owned()]));
    assert_eq!([floats(&trajectories, "x"), floats(&trajectories, "y")].concat(), [-7.0, 2.0]);
    assert_eq!(floats(&trajectories, "value"), [6.45]);
    assert_eq!(texts(&checks, "parameter"), ["affine1.weight"]);
    assert_eq!([floats(&checks, "mean_error"), floats(&checks, "max_error")].concat(), [1e-9, 3e-9]);
}

#[test]
fn every_column_has_a_name_of_its_own_that_needs_no_quotes() {
    for table in Table::all() {
        let schema = table.schema();
        let names: BTreeSet<_> = schema.fields().iter().map(|field| field.name()).collect();
        assert_eq!(names.len(), schema.fields().len());
        assert!(
            names.iter().all(|name| name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'))
        );
    }
}

#[test]
fn settings_are_columns_and_json() {
    let folder = tempdir().unwrap();
    store(folder.path(), &[run(1, &[1.0])]);
    let rows = &read(folder.path(), Table::Runs)[0];
    assert_eq!(texts(rows, "optimizer"), ["adam"]);
    assert_eq!(floats(rows, "lr"), [0.001]);
    assert!(rows.column_by_name("bias").unwrap().as_boolean().value(0));
    assert!(rows.column_by_name("momentum").unwrap().is_null(0));
    assert_eq!(
        rows.column_by_name("settings").unwrap().as_string::<i32>().value(0),
        r#"{"bias":true,"lr":0.001,"optimizer":"adam","seed":1,"steps":1}"#
    );
}

/// Rows in every table.
fn everything(outcome: &mut engine::train::Outcome) {
    outcome.evaluations = vec![evaluation(0, Split::Test, 1.0, 0.5)];
    outcome.layers = vec![layer(0, 0.5), layer(10, 0.25)];
    outcome.histograms = vec![bin(-1, 3), bin(4, 5)];
    outcome.trajectory = vec![TrajectoryRow { step: -1, x: -7.0, y: 2.0, value: 6.45 }];
    let parameter = "affine1.weight".into();
    outcome.gradient_checks = vec![GradientCheckRow { step: -1, parameter, mean_error: 1e-9, max_error: 3e-9 }];
}

/// The record batches of all files of a table.
fn read(root: &Path, table: Table) -> Vec<RecordBatch> {
    let names = batch::list(root, table).unwrap();
    names.iter().flat_map(|name| file::read(&name.path(root, table), None).unwrap().1).collect()
}

fn texts(rows: &RecordBatch, column: &str) -> Vec<String> {
    let column = rows.column_by_name(column).unwrap().as_dictionary::<Int32Type>();
    let values = column.values().as_string::<i32>();
    column.keys().iter().map(|key| values.value(key.unwrap() as usize).to_owned()).collect()
}

fn floats(rows: &RecordBatch, column: &str) -> Vec<f64> {
    rows.column_by_name(column).unwrap().as_primitive::<Float64Type>().values().to_vec()
}

fn ints(rows: &RecordBatch, column: &str) -> Vec<u64> {
    rows.column_by_name(column)
        .unwrap()
        .as_primitive::<Int64Type>()
        .values()
        .iter()
        .map(|&value| value as u64)
        .collect()
}

/// The losses of every run in the folder, in row order.
fn histories(root: &Path) -> BTreeMap<RunId, Vec<LossRow>> {
    let mut histories = BTreeMap::<RunId, Vec<LossRow>>::new();
    for rows in read(root, Table::History) {
        let (run_ids, steps) = (texts(&rows, "run_id"), ints(&rows, "step"));
        let (epochs, losses, penalties) = (floats(&rows, "epoch"), floats(&rows, "loss"), floats(&rows, "penalty"));
        let rates = floats(&rows, "lr");
        for row in 0..rows.num_rows() {
            histories.entry(run_ids[row].parse().unwrap()).or_default().push(LossRow {
                step: steps[row],
                epoch: epochs[row],
                loss: losses[row],
                penalty: penalties[row],
                lr: rates[row],
            });
        }
    }
    histories
}

/// The same for evaluations.
fn all_evaluations(root: &Path) -> BTreeMap<RunId, Vec<EvaluationRow>> {
    let mut evaluations = BTreeMap::<RunId, Vec<EvaluationRow>>::new();
    for rows in read(root, Table::Evaluations) {
        let (run_ids, steps, splits) = (texts(&rows, "run_id"), ints(&rows, "step"), texts(&rows, "split"));
        let (epochs, losses, accuracies) = (floats(&rows, "epoch"), floats(&rows, "loss"), floats(&rows, "accuracy"));
        for row in 0..rows.num_rows() {
            evaluations.entry(run_ids[row].parse().unwrap()).or_default().push(EvaluationRow {
                step: steps[row],
                epoch: epochs[row],
                split: if splits[row] == "train" { Split::Train } else { Split::Test },
                loss: losses[row],
                accuracy: Some(accuracies[row]),
                rmse: None,
            });
        }
    }
    evaluations
}

fn any_float() -> impl Strategy<Value = f64> {
    prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO
}

fn any_outcome() -> impl Strategy<Value = (Vec<LossRow>, Vec<EvaluationRow>, String)> {
    let loss = (0..1u64 << 53, any_float(), any_float(), any_float(), any_float())
        .prop_map(|(step, epoch, loss, penalty, lr)| LossRow { step, epoch, loss, penalty, lr });
    let split = prop_oneof![Just(Split::Train), Just(Split::Test)];
    let evaluation = (0..1u64 << 53, any_float(), split, any_float(), 0.0..=1.0)
        .prop_map(|(step, epoch, split, loss, accuracy)| (step, epoch, split, loss, Some(accuracy)))
        .prop_map(|(step, epoch, split, loss, accuracy)| EvaluationRow {
            step,
            epoch,
            split,
            loss,
            accuracy,
            rmse: None,
        });
    (prop::collection::vec(loss, 0..20), prop::collection::vec(evaluation, 0..6), "\\PC{0,12}")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn every_row_comes_back_to_the_bit_whatever_the_order_and_the_batches(
        outcomes in prop::collection::vec(any_outcome(), 1..8),
        flushes in prop::collection::vec(any::<bool>(), 8),
        turn in 0..8usize,
    ) {
        let folder = tempdir().unwrap();
        let mut runs: Vec<RunRow> = outcomes.into_iter().enumerate().map(|(number, (history, evaluations, label))| {
            let filled = run_with(number as u64, &[], |outcome| {
                outcome.history = history;
                outcome.evaluations = evaluations;
            });
            RunRow { label, ..filled }
        }).collect();
        let turn = turn % runs.len();
        runs.rotate_left(turn);
        let mut results = open(folder.path());
        for (run, flush) in runs.iter().zip(flushes) {
            results.push(run).unwrap();
            if flush {
                results.flush().unwrap();
            }
        }
        let inventory = results.finish().unwrap();
        prop_assert_eq!(&inventory, &Inventory::look(folder.path()).unwrap());
        let (mut histories, mut evaluations) = (histories(folder.path()), all_evaluations(folder.path()));
        for run in &runs {
            let RunResult::Trained(outcome) = &run.result else { unreachable!() };
            let known = &inventory.runs[&run.run_id];
            prop_assert_eq!(&known.label, &run.label);
            // The digest covers bits: unlike `==` on floats, it distinguishes 0.0 from −0.0.
            let read = run_with(run.seed, &[], |outcome| {
                outcome.history = histories.remove(&run.run_id).unwrap_or_default();
                outcome.evaluations = evaluations.remove(&run.run_id).unwrap_or_default();
            });
            prop_assert_eq!(Summary::of(&read).digest, Summary::of(run).digest);
            prop_assert_eq!(read.result, RunResult::Trained(outcome.clone()));
        }
        prop_assert!(histories.is_empty() && evaluations.is_empty());
    }
}
