//! What a results folder looks like when the process dies after any number of operations, and how it recovers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use arrow_array::ArrowPrimitiveType;
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use tempfile::{TempDir, tempdir, tempdir_in};

use crate::store::disk::interruption;
use crate::store::row::tests::{evaluation, failed, layer, run, run_with};
use crate::store::*;
use engine::record::Split;

/// The runs of these tests: 1 has losses, evaluations and layer metrics; 5 only evaluations; 0 neither; 4 failed; the
/// others have only losses.
fn trained(number: u64) -> RunRow {
    version(number, 0.5)
}

/// The same run, trained again with another result.
fn retrained(number: u64) -> RunRow {
    version(number, 0.25)
}

fn version(number: u64, share: f64) -> RunRow {
    let loss = number as f64 + share;
    match number {
        0 => run(0, &[]),
        1 => run_with(1, &[loss, 1.0, 0.5], |outcome| {
            outcome.evaluations = vec![evaluation(2, Split::Test, loss, 0.5)];
            outcome.layers = vec![layer(2, loss)];
        }),
        4 => failed(4),
        5 => run_with(5, &[], |outcome| outcome.evaluations = vec![evaluation(0, Split::Train, loss, 0.75)]),
        _ => run(number, &[loss, 1.0, 0.5]),
    }
}

fn id(number: u64) -> RunId {
    trained(number).run_id
}

fn context() -> Context {
    Context::here("ch6", "seeds = 3\n", "00ff")
}

fn store(results: &mut Results, runs: &[RunRow]) -> Result<(), Error> {
    runs.iter().try_for_each(|run| results.push(run))?;
    results.flush()
}

/// A change of a folder.
struct Scenario {
    /// The batches at the beginning.
    batches: Vec<Vec<u64>>,
    /// The runs in the archive at the beginning, in one batch.
    archive: Vec<u64>,
    change: fn(&mut Results) -> Result<(), Error>,
    /// The runs in the end, with labels.
    shown: Vec<(RunRow, &'static str)>,
    archived: Vec<(RunRow, &'static str)>,
}

/// Runs move both ways, get new labels, and are dropped; one batch loses its last run and another its evaluations.
fn reconciling() -> Scenario {
    Scenario {
        batches: vec![vec![1, 2], vec![3, 4, 5], vec![6]],
        archive: vec![7, 8],
        change: |results| {
            let wanted = [(2, "two"), (3, "run 3"), (4, "run 4"), (5, "five"), (7, "seven")];
            results.reconcile(&wanted.map(|(number, label)| (id(number), label.to_owned())).into(), true).map(drop)
        },
        shown: vec![(trained(2), "two"), (trained(3), "run 3"), (trained(5), "five"), (trained(7), "seven")],
        archived: vec![(trained(1), "run 1"), (trained(6), "run 6"), (trained(8), "run 8")],
    }
}

/// The smallest scenario in which a run moves each way, another gets a new label, and a batch keeps a run without rows.
fn swapping() -> Scenario {
    Scenario {
        batches: vec![vec![1, 2], vec![0, 5]],
        archive: vec![7],
        change: |results| {
            let wanted = [(0, "run 0"), (2, "two"), (7, "seven")].map(|(number, label)| (id(number), label.to_owned()));
            results.reconcile(&wanted.into(), true).map(drop)
        },
        shown: vec![(trained(0), "run 0"), (trained(2), "two"), (trained(7), "seven")],
        archived: vec![(trained(1), "run 1"), (trained(5), "run 5")],
    }
}

fn adding() -> Scenario {
    Scenario {
        batches: vec![vec![2, 3]],
        archive: vec![7],
        change: |results| store(results, &[trained(1), trained(4), trained(5)]),
        shown: (1..=5).map(|number| (trained(number), LABELS[number as usize])).collect(),
        archived: vec![(trained(7), "run 7")],
    }
}

/// Runs trained again: one of two in a batch, one alone in its batch, one from the archive; and a new run with them.
fn replacing() -> Scenario {
    let again = [1, 6, 8, 9].map(|number| (retrained(number), LABELS[number as usize]));
    Scenario {
        batches: vec![vec![1, 2], vec![6]],
        archive: vec![7, 8],
        change: |results| store(results, &[1, 6, 8, 9].map(retrained)),
        shown: again.into_iter().chain([(trained(2), "run 2")]).collect(),
        archived: vec![(trained(7), "run 7")],
    }
}

/// The labels of runs when they are trained.
const LABELS: [&str; 10] = ["run 0", "run 1", "run 2", "run 3", "run 4", "run 5", "run 6", "run 7", "run 8", "run 9"];

impl Scenario {
    fn begin(&self) -> TempDir {
        let folder = folder();
        let mut results = Results::open(folder.path(), context()).unwrap();
        let runs = |numbers: &Vec<u64>| numbers.iter().map(|&number| trained(number)).collect::<Vec<_>>();
        store(&mut results, &runs(&self.archive)).unwrap();
        results.reconcile(&BTreeMap::new(), true).unwrap();
        for batch in &self.batches {
            store(&mut results, &runs(batch)).unwrap();
        }
        folder
    }

    fn change_for(&self, operations: u64, root: &Path) -> Result<(), Error> {
        let mut results = Results::open(root, context()).unwrap();
        interruption::after(operations, || (self.change)(&mut results))
    }

    /// The runs at the beginning, without the failed one.
    fn precious(&self) -> impl Iterator<Item = u64> {
        self.batches.iter().flatten().chain(&self.archive).copied().filter(|&number| number != 4)
    }
}

/// How many operations there are between two of those that the process dies at. Together, the strides of the short
/// tests meet operations of every kind; the long test meets each one.
const STRIDE: usize = 5;

#[test]
fn a_process_that_dies_while_reconciling_loses_nothing() {
    die(&reconciling(), STRIDE);
}

#[test]
fn a_process_that_dies_while_adding_runs_loses_nothing() {
    die(&adding(), STRIDE);
}

#[test]
fn a_process_that_dies_while_replacing_runs_loses_nothing() {
    die(&replacing(), STRIDE);
}

#[test]
fn a_process_that_dies_while_bringing_the_folder_in_order_loses_nothing() {
    die_twice(&swapping(), STRIDE);
}

#[test]
fn a_change_that_failed_can_be_repeated() {
    [swapping(), adding(), replacing()].iter().for_each(|scenario| repeat(scenario, STRIDE));
}

#[test]
#[ignore = "long: .ci/full runs it"]
fn a_process_that_dies_at_any_operation_loses_nothing() {
    [reconciling(), adding(), replacing()].iter().for_each(|scenario| die(scenario, 1));
    die_twice(&swapping(), 1);
    [swapping(), adding(), replacing()].iter().for_each(|scenario| repeat(scenario, 1));
}

/// Lets the process die after some operations of the change, more each time; checks what is left, starts again and
/// repeats the change.
fn die(scenario: &Scenario, stride: usize) {
    let beginning = scenario.begin();
    for operations in (0..).step_by(stride) {
        let root = copy(beginning.path());
        let ended = scenario.change_for(operations, root.path());
        check(root.path(), scenario);

        let mut results = Results::open(root.path(), context()).unwrap();
        check(root.path(), scenario);
        check_order(root.path());
        (scenario.change)(&mut results).unwrap();
        check_end(root.path(), scenario);
        if ended.is_ok() {
            assert!(operations >= 12, "the change has only {operations} operations");
            break;
        }
    }
}

/// As [`die`], and then lets the next process die while it brings the folder in order.
fn die_twice(scenario: &Scenario, stride: usize) {
    let beginning = scenario.begin();
    for operations in (0..).step_by(stride) {
        let torn = copy(beginning.path());
        let ended = scenario.change_for(operations, torn.path());
        for operations in (0..).step_by(stride) {
            let root = copy(torn.path());
            let opened = interruption::after(operations, || Results::open(root.path(), context()).map(drop));
            check(root.path(), scenario);
            Results::open(root.path(), context()).unwrap();
            check_order(root.path());
            if opened.is_ok() {
                break;
            }
        }
        if ended.is_ok() {
            break;
        }
    }
}

/// Lets the change fail after some operations, more each time, and repeats it in the same process.
fn repeat(scenario: &Scenario, stride: usize) {
    let beginning = scenario.begin();
    for operations in (0..).step_by(stride) {
        let root = copy(beginning.path());
        let mut results = Results::open(root.path(), context()).unwrap();
        let ended = interruption::after(operations, || (scenario.change)(&mut results));
        (scenario.change)(&mut results).unwrap();
        assert_eq!(results.finish().unwrap(), Inventory::look(root.path()).unwrap());
        check_end(root.path(), scenario);
        if ended.is_ok() {
            break;
        }
    }
}

/// A folder that the program wrote in format version 1: runs in both areas, some of them diverged.
const FORMAT_1: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/format-1");

#[test]
fn a_process_that_dies_while_upgrading_a_folder_loses_nothing() {
    let rows = |root: &Path| {
        let mut rows = Area::ALL.map(|area| Rows::read(&area.folder(root)).0);
        rows.iter_mut().for_each(|rows| rows.sort_unstable());
        rows
    };
    let begun = Path::new(FORMAT_1);
    let (runs, all_rows) = (Inventory::look(begun).unwrap(), rows(begun));
    assert_eq!((runs.runs.len(), runs.archived.len()), (6, 2));
    assert_eq!(all_rows.each_ref().map(Vec::len), [2 * (3 * 4 + 3 * 2 * 3) - 2 * (4 + 3 * 2), 2 * (4 + 3 * 2)]);

    let upgrade = |root: &Path, operations| {
        let opened = interruption::after(operations, || Results::open(root, context()).map(drop));
        assert_eq!(Inventory::look(root).unwrap(), runs);
        assert_eq!(rows(root), all_rows);
        opened.is_ok()
    };
    for operations in 0.. {
        let root = copy(begun);
        let ended = upgrade(root.path(), operations);
        assert!(upgrade(root.path(), u64::MAX));
        check_order(root.path());
        assert!(versions(root.path()).iter().all(|version| *version == Some(FORMAT_VERSION)));
        if ended {
            assert!(operations >= 12, "the upgrade has only {operations} operations");
            break;
        }
    }
    assert_eq!(versions(begun), [Some(1); 6]);
}

/// The format versions of all files, in both areas.
fn versions(root: &Path) -> Vec<Option<u32>> {
    let mut versions = Vec::new();
    for folder in Area::ALL.map(|area| area.folder(root)) {
        for table in Table::all() {
            let paths = batch::list(&folder, table).unwrap().into_iter().map(|name| name.path(&folder, table));
            versions.extend(paths.map(|path| Footer::read(&path).unwrap().format_version()));
        }
    }
    versions
}

/// In memory if the system supports it: these tests sync a lot.
fn folder() -> TempDir {
    tempdir_in("/dev/shm").or_else(|_| tempdir()).unwrap()
}

fn copy(original: &Path) -> TempDir {
    fn copy_into(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let (entry, target) = (entry.as_ref().unwrap(), to.join(entry.as_ref().unwrap().file_name()));
            if entry.path().is_dir() {
                copy_into(&entry.path(), &target);
            } else {
                fs::copy(entry.path(), target).unwrap();
            }
        }
    }
    let copy = folder();
    copy_into(original, copy.path());
    copy
}

/// What must hold after every single operation: no run is lost, every run has exactly its rows, and no reader sees a
/// row twice.
fn check(root: &Path, scenario: &Scenario) {
    let both = Inventory::read(root).unwrap();
    for (area, runs) in [(Area::Main, &both.runs), (Area::Archive, &both.archived)] {
        let rows = Rows::read(&area.folder(root));
        rows.assert_none_twice();
        for number in 0..=9 {
            if let Some(known) = runs.get(&id(number)) {
                let mut versions = [trained(number), retrained(number)].into_iter();
                let version = versions.find(|run| Summary::of(run) == known.summary).expect("a known version");
                rows.assert_those_of(&version);
            }
        }
    }
    for number in scenario.precious() {
        assert!(both.runs.contains_key(&id(number)) || both.archived.contains_key(&id(number)), "run {number} is lost");
    }
    let seen = Inventory::look(root).unwrap();
    assert_eq!(seen.runs, both.runs);
    assert!(seen.archived.keys().all(|run_id| !seen.runs.contains_key(run_id)));
}

/// What must hold after the folder was opened: no run in both areas, no rows without a run, no leftovers, one label per
/// run, all hashes right.
fn check_order(root: &Path) {
    let both = Inventory::read(root).unwrap();
    assert!(both.archived.keys().all(|run_id| !both.runs.contains_key(run_id)));
    for (area, runs) in [(Area::Main, &both.runs), (Area::Archive, &both.archived)] {
        let folder = area.folder(root);
        assert_eq!(disk::names(&folder.join(DRAFTS)).unwrap(), [""; 0]);
        for ((_, run_id, _, _), label) in Rows::read(&folder).0 {
            assert_eq!(runs[&run_id.parse().unwrap()].label, label);
        }
        for batch in batch::list(&folder, Table::Runs).unwrap() {
            let footer = Footer::read(&batch.path(&folder, Table::Runs)).unwrap();
            for table in Table::DATA {
                let path = batch.path(&folder, table);
                assert_eq!(footer.hash(table), path.exists().then(|| file::hash(&path).unwrap()).as_deref());
            }
        }
    }
}

fn check_end(root: &Path, scenario: &Scenario) {
    check_order(root);
    let inventory = Inventory::look(root).unwrap();
    for (area, runs, expected) in
        [(Area::Main, &inventory.runs, &scenario.shown), (Area::Archive, &inventory.archived, &scenario.archived)]
    {
        let found: BTreeMap<RunId, (&str, &Summary)> =
            runs.iter().map(|(&run_id, known)| (run_id, (known.label.as_str(), &known.summary))).collect();
        let summaries: Vec<Summary> = expected.iter().map(|(run, _)| Summary::of(run)).collect();
        let expected_runs =
            expected.iter().zip(&summaries).map(|((run, label), summary)| (run.run_id, (*label, summary)));
        assert_eq!(found, expected_runs.collect());
        let rows = Rows::read(&area.folder(root));
        expected.iter().for_each(|(run, _)| rows.assert_those_of(run));
        assert_eq!(rows.0.len(), expected.iter().map(|(run, _)| rows_of(run).len()).sum::<usize>());
    }
}

/// All rows of an area's data tables, as a reader of the whole folders finds them: table, run, step, bits of the loss
/// or value, and the label beside them.
struct Rows(Vec<(Row, String)>);

type Row = (Table, String, i64, u64);

impl Rows {
    fn read(area: &Path) -> Self {
        let mut all = Vec::new();
        for table in Table::DATA {
            for name in batch::list(area, table).unwrap() {
                for rows in file::read(&name.path(area, table), None).unwrap().1 {
                    let (run_ids, labels) = (texts(&rows, "run_id"), texts(&rows, "label"));
                    let value = if table == Table::Layers { "value" } else { "loss" };
                    let (steps, values) = (numbers::<Int64Type>(&rows, "step"), numbers::<Float64Type>(&rows, value));
                    all.extend((0..rows.num_rows()).map(|row| {
                        ((table, run_ids[row].clone(), steps[row], values[row].to_bits()), labels[row].clone())
                    }));
                }
            }
        }
        Self(all)
    }

    fn assert_none_twice(&self) {
        let steps: BTreeSet<_> = self.0.iter().map(|((table, run_id, step, _), _)| (table, run_id, step)).collect();
        assert_eq!(steps.len(), self.0.len(), "rows are there twice");
    }

    fn assert_those_of(&self, run: &RunRow) {
        let run_id = run.run_id.to_string();
        let found = self.0.iter().map(|(row, _)| row).filter(|(_, of, ..)| *of == run_id);
        assert_eq!(found.cloned().collect::<Vec<_>>(), rows_of(run), "rows of {}", run.label);
    }
}

fn rows_of(run: &RunRow) -> Vec<Row> {
    let RunResult::Trained(outcome) = &run.result else { return Vec::new() };
    let run_id = run.run_id.to_string();
    let history =
        outcome.history.iter().map(|row| (Table::History, run_id.clone(), row.step as i64, row.loss.to_bits()));
    let evaluations =
        outcome.evaluations.iter().map(|row| (Table::Evaluations, run_id.clone(), row.step as i64, row.loss.to_bits()));
    let layers = outcome.layers.iter().map(|row| (Table::Layers, run_id.clone(), row.step as i64, row.value.to_bits()));
    history.chain(evaluations).chain(layers).collect()
}

fn texts(rows: &RecordBatch, column: &str) -> Vec<String> {
    let column = arrow_cast::cast(rows.column_by_name(column).unwrap(), &arrow_schema::DataType::Utf8).unwrap();
    column.as_string::<i32>().iter().map(|text| text.unwrap().to_owned()).collect()
}

fn numbers<T: ArrowPrimitiveType>(rows: &RecordBatch, column: &str) -> Vec<T::Native> {
    rows.column_by_name(column).unwrap().as_primitive::<T>().values().to_vec()
}
