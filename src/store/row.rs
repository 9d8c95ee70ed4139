//! A run as the store receives it, and its summary: the columns of the table `runs` about how it went.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use super::schema::Table;
use super::tables;
use engine::record::{EvaluationRow, LossRow, Split, Word};
use engine::settings::{RunId, Scalar, Settings};
use engine::train::{Ending, Outcome};

/// A run with its result.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRow {
    pub run_id: RunId,
    pub trajectory_id: RunId,
    pub label: String,
    pub seed: u64,
    pub settings: Settings,
    pub data_fingerprint: String,
    /// How many parameters the network has.
    pub parameters: u64,
    pub result: RunResult,
    /// Wall-clock time of the training, seconds.
    pub seconds: f64,
    pub finished_at: SystemTime,
}

/// The result of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum RunResult {
    /// An outcome, finished or diverged.
    Trained(Outcome),
    /// The message of a run that crashed.
    Failed { error: String },
}

/// How a run ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// All steps are done.
    #[default]
    Finished,
    /// A value was not finite; this is a result like any other.
    Diverged,
    /// The run crashed; the next `run` tries it again.
    Failed,
}

impl Status {
    const ALL: [Self; 3] = [Self::Finished, Self::Diverged, Self::Failed];

    /// The name in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Diverged => "diverged",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Status {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|status| status.name() == text)
            .ok_or_else(|| format!("`{text}` is not a status of a run"))
    }
}

/// A run's results in a few numbers. Each field is the column of the same name in the table `runs`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    pub status: Status,
    /// The mean of the last `FINAL_LOSSES` recorded losses, or the value of a function at the end; +∞ for a diverged
    /// run, so that it ranks last. `None` if nothing was recorded or the run failed.
    pub final_loss: Option<f64>,
    /// The smallest recorded loss, and the first step that has it.
    pub best_loss: Option<f64>,
    pub best_step: Option<u64>,
    /// From the last evaluation on each split of the data.
    pub final_train_loss: Option<f64>,
    pub train_accuracy: Option<f64>,
    pub train_rmse: Option<f64>,
    pub final_validation_loss: Option<f64>,
    pub validation_accuracy: Option<f64>,
    pub validation_rmse: Option<f64>,
    pub final_test_loss: Option<f64>,
    pub test_accuracy: Option<f64>,
    pub test_rmse: Option<f64>,
    /// How many updates were made: all of them in a finished run, those before [`Self::diverged_step`] in a diverged
    /// one.
    pub steps_done: Option<u64>,
    /// Where a value was not finite: the step, and the first layer in forward order.
    pub diverged_step: Option<u64>,
    pub diverged_layer: Option<String>,
    /// Why the run failed.
    pub error: Option<String>,
    /// A hash of every recorded value, 16 hexadecimal digits. Two trainings with equal digests agree to the last bit.
    pub digest: String,
    /// Wall-clock time of the training, seconds.
    pub seconds: f64,
}

/// How many of the last recorded losses [`Summary::final_loss`] averages.
pub const FINAL_LOSSES: usize = 100;

impl Summary {
    /// The summary of `row`. An interrupted run counts as finished here; it is rejected elsewhere.
    pub fn of(row: &RunRow) -> Self {
        match &row.result {
            RunResult::Trained(outcome) => Self::of_outcome(outcome, &row.settings, row.seconds),
            RunResult::Failed { error } => {
                Self { error: Some(error.clone()), ..Self::empty(Status::Failed, row.seconds) }
            }
        }
    }

    fn of_outcome(outcome: &Outcome, settings: &Settings, seconds: f64) -> Self {
        let best = best(outcome);
        let last = |split| outcome.evaluations.iter().rfind(|row| row.split == split);
        let (train, validation, test) = (last(Split::Train), last(Split::Validation), last(Split::Test));
        let summary = Self {
            final_loss: mean_of_last(&outcome.history).or_else(|| outcome.trajectory.last().map(|row| row.value)),
            best_loss: best.map(|(loss, _)| loss),
            best_step: best.and_then(|(_, step)| step),
            final_train_loss: train.map(|row| row.loss),
            train_accuracy: train.and_then(|row| row.accuracy),
            train_rmse: train.and_then(|row| row.rmse),
            final_validation_loss: validation.map(|row| row.loss),
            validation_accuracy: validation.and_then(|row| row.accuracy),
            validation_rmse: validation.and_then(|row| row.rmse),
            final_test_loss: test.map(|row| row.loss),
            test_accuracy: test.and_then(|row| row.accuracy),
            test_rmse: test.and_then(|row| row.rmse),
            steps_done: steps(settings),
            digest: digest(outcome),
            ..Self::empty(Status::Finished, seconds)
        };
        match &outcome.ending {
            Ending::Finished | Ending::Interrupted => summary,
            Ending::Diverged { step, layer } => Self {
                status: Status::Diverged,
                final_loss: Some(f64::INFINITY),
                steps_done: Some(*step),
                diverged_step: Some(*step),
                diverged_layer: Some(layer.clone()),
                ..summary
            },
        }
    }

    fn empty(status: Status, seconds: f64) -> Self {
        Self { status, digest: short_hash(&blake3::Hasher::new()), seconds, ..Self::default() }
    }
}

/// The smallest recorded loss, or the smallest value of a function, and the first step that has it; `None` as the step
/// if that is the start.
fn best(outcome: &Outcome) -> Option<(f64, Option<u64>)> {
    let losses = outcome.history.iter().map(|row| (row.loss, Some(row.step)));
    let values = outcome.trajectory.iter().map(|row| (row.value, u64::try_from(row.step).ok()));
    losses.chain(values).min_by(|a, b| a.0.total_cmp(&b.0))
}

/// Divides before adding, so that the mean of finite losses is finite.
fn mean_of_last(history: &[LossRow]) -> Option<f64> {
    let last = &history[history.len().saturating_sub(FINAL_LOSSES)..];
    (!last.is_empty()).then(|| last.iter().map(|row| row.loss / last.len() as f64).sum())
}

fn steps(settings: &Settings) -> Option<u64> {
    match settings.get("steps") {
        Some(Scalar::Int(steps)) => u64::try_from(*steps).ok(),
        _ => None,
    }
}

/// blake3 over the ending, the parameters' hash, and the bits of every row; each part is preceded by its length.
/// Learning rates are omitted, because they follow from the settings. Tables without rows are omitted too, so that a
/// digest does not change when tables are added.
fn digest(outcome: &Outcome) -> String {
    let mut hasher = blake3::Hasher::new();
    let length = |length: usize| (length as u64).to_le_bytes();
    if let Ending::Diverged { step, layer } = &outcome.ending {
        hasher.update(b"diverged").update(&step.to_le_bytes()).update(&length(layer.len())).update(layer.as_bytes());
    }
    hasher.update(&length(outcome.parameters_hash.len())).update(outcome.parameters_hash.as_bytes());
    hasher.update(&length(outcome.history.len()));
    for &LossRow { step, epoch, loss, penalty, lr: _ } in &outcome.history {
        hasher.update(words([step, epoch.to_bits(), loss.to_bits(), penalty.to_bits()]).as_flattened());
    }
    hasher.update(&length(outcome.evaluations.len()));
    for &EvaluationRow { step, epoch, split, loss, accuracy, rmse } in &outcome.evaluations {
        // A row has one of the two.
        let quality = accuracy.or(rmse).unwrap_or_default();
        let row = words([step, epoch.to_bits(), loss.to_bits(), quality.to_bits()]);
        hasher.update(split.name().as_bytes()).update(row.as_flattened());
    }
    for table in Table::DATA {
        let counted_above = matches!(table, Table::History | Table::Evaluations);
        if !counted_above && tables::count(table, outcome) > 0 {
            hasher.update(table.name().as_bytes());
            tables::hash(table, outcome, &mut hasher);
        }
    }
    short_hash(&hasher)
}

fn words(words: [u64; 4]) -> [[u8; 8]; 4] {
    words.map(u64::to_le_bytes)
}

/// The first 16 hexadecimal digits.
fn short_hash(hasher: &blake3::Hasher) -> String {
    hasher.finalize().to_hex()[..16].to_owned()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use engine::record::{GradientCheckRow, HistogramRow, LayerRow, TrajectoryRow};

    /// A finished run with `losses` at the steps 0, 1, ...; `number` determines its ids.
    pub fn run(number: u64, losses: &[f64]) -> RunRow {
        let mut settings = Settings::default();
        settings.set("optimizer", "adam");
        settings.set("lr", 0.001);
        settings.set("bias", true);
        settings.set("seed", number);
        settings.set("steps", losses.len().max(1) as u64);
        let history = losses
            .iter()
            .enumerate()
            .map(|(step, &loss)| LossRow {
                step: step as u64,
                epoch: (step + 1) as f64 / 468.75,
                loss,
                penalty: 0.0,
                lr: 0.001,
            })
            .collect();
        let outcome = Outcome { history, parameters_hash: format!("{number:016x}"), ..Outcome::default() };
        RunRow {
            run_id: settings.run_id("data"),
            trajectory_id: settings.trajectory_id("data"),
            label: format!("run {number}"),
            seed: number,
            settings,
            data_fingerprint: "data".to_owned(),
            parameters: 109_386,
            result: RunResult::Trained(outcome),
            seconds: 1.5,
            finished_at: SystemTime::UNIX_EPOCH + std::time::Duration::from_micros(1_795_464_000_123_456),
        }
    }

    /// [`run`], with a changed outcome.
    pub fn run_with(number: u64, losses: &[f64], change: impl FnOnce(&mut Outcome)) -> RunRow {
        let mut row = run(number, losses);
        if let RunResult::Trained(outcome) = &mut row.result {
            change(outcome);
        }
        row
    }

    /// [`run`], but failed.
    pub fn failed(number: u64) -> RunRow {
        RunRow { result: RunResult::Failed { error: "index out of bounds".to_owned() }, ..run(number, &[]) }
    }

    pub fn evaluation(step: u64, split: Split, loss: f64, accuracy: f64) -> EvaluationRow {
        EvaluationRow { step, epoch: step as f64, split, loss, accuracy: Some(accuracy), rmse: None }
    }

    pub fn layer(step: u64, value: f64) -> LayerRow {
        LayerRow { step, layer: "affine1".into(), what: "weight-norm", value }
    }

    pub fn bin(step: i64, count: u64) -> HistogramRow {
        HistogramRow { step, layer: "relu1".into(), what: "activations", bin_low: 0.0, bin_high: 0.1, count }
    }

    #[test]
    fn final_loss_is_the_mean_of_the_last_hundred() {
        let mut losses = vec![1000.0; 50];
        losses.extend((0..100).map(f64::from));
        let summary = Summary::of(&run(1, &losses));
        assert!((summary.final_loss.unwrap() - 49.5).abs() < 1e-12);
        assert_eq!(Summary::of(&run(1, &[3.0, 1.0])).final_loss, Some(2.0));
        assert_eq!(Summary::of(&run(1, &[])).final_loss, None);
    }

    #[test]
    fn the_mean_of_huge_losses_is_finite() {
        assert_eq!(Summary::of(&run(1, &[f64::MAX; 4])).final_loss, Some(f64::MAX));
    }

    #[test]
    fn best_loss_is_the_smallest_at_its_first_step() {
        let summary = Summary::of(&run(1, &[2.0, 0.5, 0.5, 1.0]));
        assert_eq!((summary.best_loss, summary.best_step), (Some(0.5), Some(1)));
    }

    #[test]
    fn the_loss_of_a_function_is_its_value() {
        let point = |step, value| TrajectoryRow { step, x: 0.0, y: 0.0, value };
        let along = |rows: Vec<TrajectoryRow>| Summary::of(&run_with(1, &[], |outcome| outcome.trajectory = rows));
        let summary = along(vec![point(-1, 3.0), point(0, 1.0), point(1, 2.0)]);
        assert_eq!((summary.final_loss, summary.best_loss, summary.best_step), (Some(2.0), Some(1.0), Some(0)));
        let uphill = along(vec![point(-1, 3.0), point(0, 4.0)]);
        assert_eq!((uphill.final_loss, uphill.best_loss, uphill.best_step), (Some(4.0), Some(3.0), None));
    }

    #[test]
    fn the_last_evaluation_of_each_part_counts() {
        let summary = Summary::of(&run_with(1, &[1.0], |outcome| {
            outcome.evaluations = vec![
                evaluation(0, Split::Train, 2.0, 0.1),
                evaluation(0, Split::Test, 2.5, 0.2),
                evaluation(9, Split::Train, 0.5, 0.9),
            ];
        }));
        assert_eq!((summary.final_train_loss, summary.train_accuracy), (Some(0.5), Some(0.9)));
        assert_eq!((summary.final_test_loss, summary.test_accuracy), (Some(2.5), Some(0.2)));
    }

    #[test]
    fn a_diverged_run_ranks_last_and_says_where() {
        let summary = Summary::of(&run_with(1, &[2.0, 3.0], |outcome| {
            outcome.ending = Ending::Diverged { step: 2, layer: "affine 1".to_owned() };
        }));
        assert_eq!(summary.status, Status::Diverged);
        assert_eq!(summary.final_loss, Some(f64::INFINITY));
        assert_eq!(summary.best_loss, Some(2.0));
        assert_eq!((summary.steps_done, summary.diverged_step), (Some(2), Some(2)));
        assert_eq!(summary.diverged_layer.as_deref(), Some("affine 1"));
    }

    #[test]
    fn a_failed_run_has_its_error_and_no_numbers() {
        let summary = Summary::of(&failed(1));
        assert_eq!(summary.status, Status::Failed);
        assert_eq!(summary.error.as_deref(), Some("index out of bounds"));
        assert_eq!((summary.final_loss, summary.steps_done), (None, None));
    }

    #[test]
    fn the_digest_sees_every_recorded_bit_and_nothing_else() {
        let digest = |change: fn(&mut Outcome)| {
            Summary::of(&run_with(1, &[1.0, 2.0], |outcome| {
                outcome.evaluations.push(evaluation(1, Split::Train, 1.0, 0.5));
                change(outcome);
            }))
            .digest
        };
        let changes: [fn(&mut Outcome); 18] = [
            |_| {},
            |outcome| outcome.history[1].step = 2,
            |outcome| outcome.history[1].epoch = 0.25,
            |outcome| outcome.history[1].loss = f64::from_bits(2.0f64.to_bits() + 1),
            |outcome| outcome.history[1].penalty = -0.0,
            |outcome| outcome.evaluations[0].split = Split::Test,
            |outcome| outcome.evaluations[0].accuracy = Some(0.75),
            |outcome| outcome.evaluations.clear(),
            |outcome| outcome.layers.push(layer(1, 0.5)),
            |outcome| outcome.layers.push(layer(1, -0.5)),
            |outcome| outcome.layers.push(LayerRow { layer: "affine2".into(), ..layer(1, 0.5) }),
            |outcome| outcome.histograms.push(bin(1, 7)),
            |outcome| outcome.histograms.push(bin(-1, 7)),
            |outcome| outcome.trajectory.push(TrajectoryRow { step: 1, x: 0.5, y: 0.5, value: 0.5 }),
            |outcome| {
                let parameter = "affine1.bias".into();
                outcome.gradient_checks.push(GradientCheckRow { step: 1, parameter, mean_error: 0.5, max_error: 0.5 });
            },
            |outcome| outcome.parameters_hash.replace_range(..1, "f"),
            |outcome| outcome.ending = Ending::Diverged { step: 2, layer: "affine 1".to_owned() },
            |outcome| outcome.ending = Ending::Diverged { step: 2, layer: "affine 2".to_owned() },
        ];
        let digests: std::collections::BTreeSet<_> = changes.into_iter().map(digest).collect();
        assert_eq!(digests.len(), changes.len());

        // The digest of the same rows before learning rates and the other tables were added.
        assert_eq!(digest(|outcome| outcome.history[1].lr = 0.5), "f7843ec1b313c843");

        let elsewhere = RunRow { label: "other".to_owned(), seconds: 9.0, ..run(1, &[1.0, 2.0]) };
        assert_eq!(Summary::of(&elsewhere).digest, Summary::of(&run(1, &[1.0, 2.0])).digest);
    }

    #[test]
    fn a_status_reads_back_from_its_name() {
        for status in Status::ALL {
            assert_eq!(status.name().parse(), Ok(status));
        }
        assert_eq!("done".parse::<Status>(), Err("`done` is not a status of a run".to_owned()));
    }
}
