//! The rules of a cell: which settings contradict each other.

use super::contradiction::{BATCH_SIZE, Contradiction, DATA, NETWORK, PRECISION, TRAIN};
use super::cost::Cost;
use crate::file::{Section, Sections};
use engine::batches::Sampling;
use engine::data::{Source, Task};
use engine::kernel::Precision;
use engine::nn::loss::Objective;
use engine::nn::{LayerSpec, Model};
use engine::number::{Count, Whole, shortest};
use engine::record::{RecordedSteps, Split, Subject};
use engine::spec::NetworkRun;

/// More recorded rows than this in one run are refused: they would take gigabytes of memory.
const MOST_ROWS: u64 = 50_000_000;
/// A run that needs more memory than this is refused.
const MOST_BYTES: f64 = 16.0 * (1u64 << 30) as f64;

/// Settings that have no meaning when a function is descended.
pub fn beside_a_function(file: &Sections) -> Vec<Contradiction> {
    let train = file.train.clone().unwrap_or_default();
    let is_given = |section: &Section| section.belongs_to_network() && file.have(*section);
    let mut contradictions: Vec<Contradiction> = Section::ALL
        .into_iter()
        .filter(is_given)
        .map(|section| {
            let key = section.key();
            let message = format!("[{key}] belongs to a network, but this file descends a function");
            Contradiction::new([key], message).help(match section {
                Section::Record => {
                    "leave [record] out: every step of the descent of a function is recorded anyway".to_owned()
                }
                _ => format!("leave out [{key}], or [function]"),
            })
        })
        .collect();
    contradictions.extend(train.of_a_network().map(|key| {
        let message = format!("`{key}` belongs to a network, but this file descends a function");
        Contradiction::new(["train", key], message).help("with a function, only `steps` and `precision` apply")
    }));
    let rows = train.steps.map_or(0, Whole::get) + 1;
    if rows > MOST_ROWS {
        let message = format!("a run would record {rows} points; the limit is {MOST_ROWS}");
        contradictions.push(Contradiction::new(["train", "steps"], message).help("use fewer `steps`"));
    }
    contradictions
}

/// Settings of a network's run that contradict each other.
pub fn within_a_network(spec: &NetworkRun) -> Vec<Contradiction> {
    let mut contradictions = Vec::new();
    let (batch_size, info) = (spec.batch_size.get(), &spec.info);
    let whole = spec.data.rows_in_order(info);
    let set_aside = whole.saturating_sub(info.train_rows);
    // With replacement, a few rows can fill a large batch. But if so few are left only because most of the data is set
    // aside, that is a mistake.
    let is_too_little = info.train_rows < set_aside && info.train_rows < batch_size && batch_size <= whole;
    let is_drawn = spec.steps > 0 && spec.sampling == Sampling::WithReplacement;
    let key = spec.data.preparation.holdout.key(info.validation_rows, set_aside - info.validation_rows.min(set_aside));
    if let Some(key) = key.filter(|_| is_too_little && is_drawn) {
        let message = format!("`{key}` leaves {} of {whole} rows to train on, less than a batch", info.train_rows);
        contradictions.push(
            Contradiction::new(["data", key], message)
                .help(format!("set fewer rows aside, or use a `batch_size` of at most {}", info.train_rows))
                .reads(&[DATA, BATCH_SIZE]),
        );
    }
    if spec.sampling == Sampling::Shuffle && batch_size > info.train_rows {
        contradictions.push(
            Contradiction::new(
                ["train", "batch_size"],
                format!(
                    "a shuffled batch of {batch_size} rows needs as many training rows, but there are {}",
                    info.train_rows
                ),
            )
            .help("use a smaller `batch_size`, more `train_rows`, or `sampling = \"with-replacement\"`")
            .reads(&[DATA]),
        );
    }
    let beyond = |layer: &LayerSpec| match layer {
        LayerSpec::Activation(activation) => {
            activation.number().filter(|(_, number)| is_beyond_single_precision(*number))
        }
        _ => None,
    };
    // In a stack, these numbers are settings, which are checked as such.
    if let (Precision::F32, Model::List(_)) = (spec.precision, &spec.model) {
        contradictions.extend(spec.layers().iter().filter_map(beyond).map(|(name, number)| {
            let message = format!("`{name}`: `{}` is outside the range of f32", shortest(number));
            Contradiction::new(["network", "layers"], message).help(IN_SINGLE_PRECISION).reads(&[PRECISION])
        }));
    }
    if batch_size == 1 && spec.model.has_batch_norm() {
        contradictions.push(
            Contradiction::new(["train", "batch_size"], "batch normalization needs batches of at least two rows")
                .help("a single row is its own mean, so all of its values would become 0: use a larger `batch_size`")
                .reads(&[NETWORK]),
        );
    }
    let checked = spec.record.gradient_checks.as_ref().map(|checks| checks.rows(info.train_rows));
    if checked == Some(1) && spec.model.has_batch_norm() {
        contradictions.push(
            Contradiction::new(
                ["record", "gradient_checks", "rows"],
                "gradient checks of batch normalization need at least two rows",
            )
            .help("a single row is its own mean, so all of its values would become 0: use more `rows`")
            .reads(&[NETWORK, DATA]),
        );
    }
    if let (Objective::CrossEntropy, Task::Regression { .. }) = (spec.objective, info.task) {
        contradictions.push(
            Contradiction::new(["train", "objective"], "cross-entropy needs classes, but the data is a regression")
                .help(
                    "use `objective = \"mse\"` in [train], or `task = \"classification\"` in [data] if the target \
                     names classes",
                )
                .reads(&[DATA]),
        );
    }
    if info.test_rows == 0 && spec.record.has_split(Split::Test) {
        contradictions.push(
            Contradiction::new(["record", "evaluate"], "there is no test data to evaluate on")
                .help(match spec.data.source {
                    Source::Idx(_) => {
                        "name `test_images` and `test_labels` in [data], or evaluate only `on = [\"train\"]`"
                    }
                    _ => "set rows aside with `test_share` in [data], or evaluate only `on = [\"train\"]`",
                })
                .reads(&[DATA]),
        );
    }
    if info.validation_rows == 0 && spec.record.has_split(Split::Validation) {
        contradictions.push(
            Contradiction::new(["record", "evaluate"], "there is no validation data to evaluate on")
                .help("set rows aside with `validation_rows` or `validation_share` in [data]")
                .reads(&[DATA]),
        );
    }
    let rows = spec.record.rows(spec.steps);
    if rows > MOST_ROWS {
        contradictions.push(
            Contradiction::new(["record"], format!("a run would record {rows} losses; the limit is {MOST_ROWS}"))
                .help("write `loss = { at = \"before-update\", every = 100 }` in [record]")
                .reads(&[DATA, TRAIN]),
        );
    }
    let recorded = recorded_apart(spec);
    let too_many = rows > MOST_ROWS || !recorded.is_empty();
    contradictions.extend(recorded);
    if !too_many && Cost::of_network(spec).bytes > MOST_BYTES {
        let message = format!(
            "a run of {} parameters and {} rows at once needs more than 16 GiB of memory",
            spec.parameters(),
            spec.rows_at_once()
        );
        contradictions.push(
            Contradiction::new(["network"], message)
                .help("use smaller `hidden` layers, a smaller `batch_size`, or fewer `rows` in `gradient_checks`")
                .reads(&[BATCH_SIZE, DATA]),
        );
    }
    contradictions
}

/// Contradictions in what is recorded besides losses and evaluations.
fn recorded_apart(spec: &NetworkRun) -> Vec<Contradiction> {
    let NetworkRun { record, steps, info, .. } = spec;
    let (steps, layers) = (*steps, spec.layer_counts());
    let mut contradictions = Vec::new();
    let mut too_many = |key, rows: u64, what: &str, help: &str| {
        if rows > MOST_ROWS {
            let message = format!("a run would record {rows} {what}; the limit is {MOST_ROWS}");
            contradictions.push(Contradiction::new(["record", key], message).help(help).reads(&[DATA, NETWORK, TRAIN]));
        }
    };
    let rows = record.layer_rows(steps, spec.epoch_counter(), layers.affine, layers.relu);
    too_many("layers", rows, "layer metrics", "write `every = 100` in `layers`");
    if let Some(histograms) = &record.histograms {
        let rows = histograms.count(steps, layers.activation, layers.affine);
        too_many("histograms", rows, "bins", "use fewer `bins`, or fewer steps in `at`");
    }
    let mut apart = |key: &'static str, at: &RecordedSteps, rows: Option<Count>| {
        if let Some(step) = at.beyond(steps) {
            let message = format!("there is no step {step}: the run makes {steps} steps, and the first one is step 0");
            let help = "use a smaller number, more `steps`, or \"end\" for the last step";
            contradictions.push(Contradiction::new(["record", key, "at"], message).help(help).reads(&[DATA, TRAIN]));
        }
        if let Some(rows) = rows.filter(|rows| rows.get() > info.train_rows) {
            let message = format!("there are {} training rows, but {} are asked for", info.train_rows, rows.get());
            let contradiction = Contradiction::new(["record", key, "rows"], message).help("use fewer `rows`");
            contradictions.push(contradiction.reads(&[DATA]));
        }
    };
    if let Some(checks) = &record.gradient_checks {
        apart("gradient_checks", &checks.at, checks.rows);
    }
    let Some(histograms) = &record.histograms else { return contradictions };
    apart("histograms", &histograms.at, histograms.rows);
    if histograms.of.get() == [Subject::Gradients] && histograms.at.are_before_training(steps) {
        contradictions.push(
            Contradiction::new(["record", "histograms", "at"], "there are no gradients before training")
                .help("write `at = [0]` for those of the initial weights")
                .reads(&[TRAIN]),
        );
    }
    if !histograms.has_room() {
        let message = format!("the range is too narrow for {} bins", histograms.bins.get());
        contradictions.push(
            Contradiction::new(["record", "histograms", "bins"], message)
                .help("use fewer `bins` or a wider `range`")
                .reads(&[&["record", "histograms"]]),
        );
    }
    contradictions
}

/// Numbers that are in range as written, but become 0 or infinity, or lose most of their bits, in single precision.
pub fn beyond_single_precision(settings: impl Iterator<Item = (&'static str, f64)>) -> Vec<Contradiction> {
    settings
        .filter(|(_, value)| is_beyond_single_precision(*value))
        .map(|(name, value)| {
            let message = format!("`{name}`: `{}` is outside the range of f32", shortest(value));
            Contradiction::of_setting(name, message).help(IN_SINGLE_PRECISION).reads(&[PRECISION])
        })
        .collect()
}

fn is_beyond_single_precision(value: f64) -> bool {
    let rounded = value as f32;
    rounded.is_infinite() || (rounded.abs() < f32::MIN_POSITIVE && value != 0.0)
}

const IN_SINGLE_PRECISION: &str = "use a number from about 1e-38 to 1e38, or `precision = \"f64\"` in [train]";
