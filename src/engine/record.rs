//! What a run records, and at which steps.
//!
//! `step` is the 0-based number of the most recent update.
//!
//! What is recorded never changes what is trained. However, a run ends at the first number that is not finite, and a
//! run that is evaluated more often may find it sooner; what it trained until then is the same. Layer metrics,
//! histograms and gradient checks that are not finite are omitted and do not end a run.

mod gradient_checks;
mod histograms;
mod layers;
mod recorded_steps;
mod rows;
mod words;

use std::fmt;

use schemars::JsonSchema;
use serde::de::IntoDeserializer;
use serde::{Deserialize, Serialize, Serializer};

pub use self::gradient_checks::GradientChecks;
pub use self::histograms::{Bins, Histograms, Range, Subject};
pub use self::layers::{LayerMetric, LayerMetrics};
pub use self::recorded_steps::{RecordedStep, RecordedSteps};
pub use self::rows::{GradientCheckRow, HistogramRow, LayerRow};
pub use self::words::{Word, Words};
use crate::forms::forms;
use crate::forms::or;
use crate::number::Count;
use crate::settings::Settings;

/// The `[record]` section. It never holds an axis.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Record {
    /// Which loss is recorded: `"before-update"` (the default) or `"after-update"`; or, to record it every 10 steps, `{
    /// at = "before-update", every = 10 }`.
    pub loss: LossRecord,
    /// Loss and accuracy on whole parts of the data: `{ on = ["train", "test"], every = "epoch" }`. Default: none.
    pub evaluate: Option<Evaluate>,
    /// How values are distributed: `{ of = ["activations"], at = ["start", 100, "end"] }`. Default: none.
    pub histograms: Option<Histograms>,
    /// Norms, update-to-weight ratios and dead units of layers: `{ every = 10 }`. Default: none.
    pub layers: Option<LayerMetrics>,
    /// Compares gradients with central differences: `{ at = ["start"] }`. Default: none.
    pub gradient_checks: Option<GradientChecks>,
}

/// Which of a step's losses is recorded, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(remote = "Self", deny_unknown_fields, default)]
#[schemars(transform = or::<LossAt>)]
pub struct LossRecord {
    /// `"before-update"` (the default) or `"after-update"`.
    pub at: LossAt,
    /// Steps 0, n, 2n, … are recorded, and the last one. Default: 1, every step.
    pub every: Count,
}

/// Whether a loss is recorded before or after the update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LossAt {
    /// The loss of the batch before the update, which costs nothing extra.
    #[default]
    BeforeUpdate,
    /// The loss of the same batch after the update, as in the book's Trainer, which costs one more forward pass.
    AfterUpdate,
}

/// Loss and accuracy on whole parts of the data.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Evaluate {
    /// The parts: `"train"`, `"validation"`, `"test"`, or several. Default: `["train", "test"]`.
    pub on: Words<Split>,
    /// `"epoch"` (the default): at the first step, once every epoch, and at the last step. A number n: at the steps 0,
    /// n, 2n, … and at the last one.
    pub every: Every,
}

/// How often a network is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(remote = "Self", rename_all = "kebab-case")]
#[schemars(transform = or::<Count>)]
pub enum Every {
    /// At step 0, and at each step at which ⌊step · batch / rows⌋ grows: the book's rule if rows / batch is whole.
    #[default]
    Epoch,
    /// Where the step is a multiple of this.
    #[serde(skip)]
    Steps(Count),
}

/// The loss of one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LossRow {
    pub step: u64,
    /// (step + 1) · batch_size / rows
    pub epoch: f64,
    /// Including the penalty.
    pub loss: f64,
    /// The part of the loss from weight decay and L1.
    pub penalty: f64,
    /// The learning rate of the update.
    pub lr: f64,
}

/// A part of the data that a network is evaluated on.
#[allow(rustdoc::broken_intra_doc_links, reason = "the schema says it like this")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// The rows that are trained on.
    Train,
    /// Rows of the source's training data that are not trained on: see `validation_rows` and `validation_share` in
    /// [data].
    Validation,
    /// The source's test data, or what `test_share` in [data] sets aside.
    Test,
}

/// The network's quality on a whole split of the data, after the update of `step`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EvaluationRow {
    pub step: u64,
    pub epoch: f64,
    pub split: Split,
    /// Without the penalty.
    pub loss: f64,
    /// For classes: the share of rows whose largest output is that of the label; among equal outputs, the first one
    /// counts.
    pub accuracy: Option<f64>,
    /// For values: the root of the mean squared error, over rows and outputs.
    pub rmse: Option<f64>,
}

/// The position of a function's run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrajectoryRow {
    /// The 0-based number of the most recent update; −1 is the start.
    pub step: i64,
    pub x: f64,
    pub y: f64,
    /// The value of the function at (x, y).
    pub value: f64,
}

impl Record {
    /// Writes `loss_at` and `loss_every`; with evaluations, also `evaluate_on` (`"train-test"`) and `evaluate_every`
    /// (`"epoch"` or a number, as text); and likewise for histograms, layer metrics and gradient checks.
    pub fn settings(&self, settings: &mut Settings) {
        settings.set_written("loss_at", &self.loss.at, |word| word);
        settings.set("loss_every", self.loss.every.get());
        if let Some(evaluate) = &self.evaluate {
            settings.set("evaluate_on", evaluate.on.to_string());
            settings.set("evaluate_every", evaluate.every.to_string());
        }
        if let Some(histograms) = &self.histograms {
            histograms.settings(settings);
        }
        if let Some(layers) = &self.layers {
            layers.settings(settings);
        }
        if let Some(checks) = &self.gradient_checks {
            checks.settings(settings);
        }
    }

    /// Whether the loss of `step`, one of `steps`, is recorded.
    pub fn is_loss_due(&self, step: u64, steps: u64) -> bool {
        Every::Steps(self.loss.every).is_due(step, steps, EpochCounter::ANY)
    }

    /// How many losses a run of `steps` steps records.
    pub fn rows(&self, steps: u64) -> u64 {
        Every::Steps(self.loss.every).count(steps, EpochCounter::ANY)
    }

    /// Whether the recorded loss needs an additional forward pass.
    pub fn is_loss_after_update(&self) -> bool {
        self.loss.at == LossAt::AfterUpdate
    }

    /// Whether the network is evaluated after `step`, one of `steps`.
    pub fn is_evaluation_due(&self, step: u64, steps: u64, epoch_counter: EpochCounter) -> bool {
        self.evaluate.as_ref().is_some_and(|evaluate| evaluate.every.is_due(step, steps, epoch_counter))
    }

    /// How often the network is evaluated in a run of `steps` steps.
    pub fn evaluations(&self, steps: u64, epoch_counter: EpochCounter) -> u64 {
        self.evaluate.as_ref().map_or(0, |evaluate| evaluate.every.count(steps, epoch_counter))
    }

    /// Whether layer metrics are recorded after `step`, one of `steps`.
    pub fn are_layers_due(&self, step: u64, steps: u64, epoch_counter: EpochCounter) -> bool {
        self.layers.as_ref().is_some_and(|layers| layers.every.is_due(step, steps, epoch_counter))
    }

    /// How many layer metrics a run of `steps` steps records, for a network with this many affine and ReLU layers.
    pub fn layer_rows(&self, steps: u64, epoch_counter: EpochCounter, affine: u64, relu: u64) -> u64 {
        let rows =
            |layers: &LayerMetrics| layers.every.count(steps, epoch_counter).saturating_mul(layers.rows(affine, relu));
        self.layers.as_ref().map_or(0, rows)
    }

    /// The splits that the network is evaluated on, sorted; empty without evaluations.
    pub fn splits(&self) -> &[Split] {
        self.evaluate.as_ref().map_or(&[], |evaluate| evaluate.on.get())
    }

    /// Whether the network is evaluated on `split`.
    pub fn has_split(&self, split: Split) -> bool {
        self.splits().contains(&split)
    }
}

/// How many epochs of its training rows a run has completed after each step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochCounter {
    pub batch_size: u64,
    /// The number of training rows, at least 1.
    pub rows: u64,
}

impl EpochCounter {
    /// For use where epochs do not matter.
    const ANY: Self = Self { batch_size: 1, rows: 1 };

    /// (step + 1) · batch_size / rows: the epochs completed by the update of `step`.
    pub fn epoch(self, step: u64) -> f64 {
        (step + 1) as f64 * self.batch_size as f64 / self.rows as f64
    }

    /// ⌊step · batch_size / rows⌋
    fn whole_epochs(self, step: u64) -> u128 {
        u128::from(step) * u128::from(self.batch_size) / u128::from(self.rows)
    }
}

impl Every {
    fn is_due(self, step: u64, steps: u64, epoch_counter: EpochCounter) -> bool {
        step + 1 == steps || self.is_regular(step, epoch_counter)
    }

    /// Whether `step` is due by the rule alone, without the exception for the last step.
    fn is_regular(self, step: u64, epoch_counter: EpochCounter) -> bool {
        match self {
            Self::Epoch => step == 0 || epoch_counter.whole_epochs(step) > epoch_counter.whole_epochs(step - 1),
            Self::Steps(every) => step.is_multiple_of(every.get()),
        }
    }

    /// At how many of `steps` steps recording is due.
    pub fn count(self, steps: u64, epoch_counter: EpochCounter) -> u64 {
        let Some(last) = steps.checked_sub(1) else { return 0 };
        let regular = match self {
            Self::Epoch => u128::from(last).min(epoch_counter.whole_epochs(last)) as u64 + 1,
            Self::Steps(every) => last / every.get() + 1,
        };
        regular + u64::from(!self.is_regular(last, epoch_counter))
    }
}

impl fmt::Display for Every {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Epoch => f.write_str("epoch"),
            Self::Steps(every) => write!(f, "{}", every.get()),
        }
    }
}

impl Word for Split {
    const ALL: &'static [Self] = &[Self::Train, Self::Validation, Self::Test];

    fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

impl Default for Evaluate {
    fn default() -> Self {
        Self { on: Words::of(&[Split::Train, Split::Test]), every: Every::default() }
    }
}

impl Default for LossRecord {
    fn default() -> Self {
        Self { at: LossAt::default(), every: Count::new(1).expect("one is a count") }
    }
}

impl Serialize for LossRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        LossRecord::serialize(self, serializer)
    }
}

forms! {
    LossRecord, "\"before-update\", \"after-update\" or a table such as { at = \"after-update\", every = 10 }",
    text: |at: &str| {
        LossAt::deserialize(at.into_deserializer()).map(|at| LossRecord { at, ..LossRecord::default() })
    },
    table: LossRecord::deserialize,
}

impl Serialize for Every {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Epoch => Every::serialize(self, serializer),
            Self::Steps(steps) => steps.serialize(serializer),
        }
    }
}

forms! {
    Every[["epoch"]], "\"epoch\" or a number of steps",
    whole: |steps| Count::try_from(steps).map(Every::Steps),
    word: Every::deserialize,
}

#[cfg(test)]
mod tests {
    use serde::de::value::Error;

    use super::*;

    fn count(value: u64) -> Count {
        Count::new(value).unwrap()
    }

    fn read(json: &str) -> Result<Record, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn without_a_word_every_loss_before_its_update_is_recorded() {
        let record = read("{}").unwrap();
        assert_eq!(record, Record::default());
        assert_eq!(record.loss, LossRecord { at: LossAt::BeforeUpdate, every: count(1) });
        assert_eq!(record.splits(), []);
    }

    #[test]
    fn a_loss_is_a_word_or_a_table() {
        let after = |every| LossRecord { at: LossAt::AfterUpdate, every: count(every) };
        assert_eq!(read(r#"{"loss": "after-update"}"#).unwrap().loss, after(1));
        assert_eq!(read(r#"{"loss": {"at": "after-update", "every": 10}}"#).unwrap().loss, after(10));
        assert_eq!(
            read(r#"{"loss": {"every": 10}}"#).unwrap().loss,
            LossRecord { every: count(10), ..LossRecord::default() }
        );
        let error = |json| read(json).unwrap_err().to_string();
        assert!(error(r#"{"loss": "after"}"#).starts_with("unknown variant `after`, expected `before-update` or"));
        assert!(error(r#"{"loss": {"evry": 1}}"#).starts_with("unknown field `evry`, expected `at` or `every`"));
        assert!(error(r#"{"loss": 3}"#).contains("expected \"before-update\", \"after-update\" or a table"));
    }

    #[test]
    fn evaluations_have_parts_and_a_rhythm() {
        let evaluate = |json: &str| read(&format!(r#"{{"evaluate": {json}}}"#)).map(|record| record.evaluate.unwrap());
        assert_eq!(evaluate("{}").unwrap(), Evaluate::default());
        assert_eq!(Evaluate::default().on.get(), [Split::Train, Split::Test]);
        assert_eq!(evaluate(r#"{"on": ["test", "train"], "every": "epoch"}"#).unwrap(), Evaluate::default());
        assert_eq!(evaluate(r#"{"on": ["test"]}"#).unwrap().on.get(), [Split::Test]);
        let error = |json| evaluate(json).unwrap_err().to_string();
        assert!(error(r#"{"on": []}"#).starts_with("expected at least one of \"train\", \"validation\", \"test\""));
        assert!(error(r#"{"on": ["test", "test"]}"#).starts_with("`test` is listed twice"));
        assert!(error(r#"{"every": "epochs"}"#).starts_with("unknown variant `epochs`, expected `epoch`"));
    }

    #[test]
    fn a_number_of_steps_is_a_rhythm() {
        fn every<'de>(value: impl IntoDeserializer<'de, Error>) -> Result<Every, Error> {
            <Every as Deserialize>::deserialize(value.into_deserializer())
        }
        assert_eq!(every(3_i64).unwrap(), Every::Steps(count(3)));
        assert_eq!(every("epoch").unwrap(), Every::Epoch);
        assert!(every(0_i64).unwrap_err().to_string().contains("a whole number, 1 or above"));
        assert!(every(0.5).unwrap_err().to_string().contains("expected \"epoch\" or a number of steps"));
    }

    #[test]
    fn an_epoch_is_the_books_modulo_where_it_is_whole() {
        let epoch_counter = EpochCounter { batch_size: 100, rows: 300 };
        for step in 0..20 {
            assert_eq!(Every::Epoch.is_due(step, 1000, epoch_counter), step % 3 == 0, "{step}");
        }
    }

    #[test]
    fn an_epoch_ends_at_the_step_that_begins_to_draw_the_next() {
        // 1000 rows in batches of 128: 7.8 steps.
        let epoch_counter = EpochCounter { batch_size: 128, rows: 1000 };
        let due: Vec<_> = (0..40).filter(|step| Every::Epoch.is_due(*step, 40, epoch_counter)).collect();
        assert_eq!(due, [0, 8, 16, 24, 32, 39]);
        let larger_than_the_data = EpochCounter { batch_size: 7, rows: 3 };
        assert!((0..10).all(|step| Every::Epoch.is_due(step, 10, larger_than_the_data)));
    }

    #[test]
    fn the_last_step_is_always_recorded_and_counts_agree_with_what_is_due() {
        let epoch_counters = [(1, 1), (7, 3), (3, 7), (100, 300), (128, 1000), (5, 5), (1, 60_000)];
        let rules = [Every::Epoch, Every::Steps(count(1)), Every::Steps(count(3)), Every::Steps(count(1000))];
        for (batch_size, rows) in epoch_counters {
            for every in rules {
                for steps in 1..60 {
                    let epoch_counter = EpochCounter { batch_size, rows };
                    let due = (0..steps).filter(|step| every.is_due(*step, steps, epoch_counter)).count() as u64;
                    assert_eq!(every.count(steps, epoch_counter), due, "{every} {epoch_counter:?} {steps}");
                    assert!(every.is_due(steps - 1, steps, epoch_counter));
                }
            }
        }
        let record = Record { loss: LossRecord { every: count(10), ..LossRecord::default() }, ..Record::default() };
        let due: Vec<_> = (0..25).filter(|step| record.is_loss_due(*step, 25)).collect();
        assert_eq!(due, [0, 10, 20, 24]);
        assert_eq!(record.rows(25), 4);
    }

    #[test]
    fn settings_are_written_in_one_way() {
        let written = |json| {
            let mut settings = Settings::default();
            read(json).unwrap().settings(&mut settings);
            settings.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
        };
        assert_eq!(written("{}"), ["loss_at=before-update", "loss_every=1"]);
        assert_eq!(
            written(r#"{"loss": {"at": "after-update", "every": 10}, "evaluate": {"on": ["test", "train"]}}"#),
            ["evaluate_every=epoch", "evaluate_on=train-test", "loss_at=after-update", "loss_every=10"]
        );
    }
}
