//! Histograms of the values in a network, after single steps of a run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::recorded_steps::RecordedSteps;
use super::words::{Word, Words};
use crate::number::{Count, Finite};
use crate::settings::Settings;

/// Counts how a layer's values are distributed: `{ of = ["activations"], at = ["start", 100, "end"], bins = 30, range =
/// [0.0, 1.0] }`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Histograms {
    /// Which values: `"activations"` (the default), `"weights"`, `"gradients"`, or several of them.
    pub of: Words<Subject>,
    /// When: `"start"`, `"end"`, numbers of steps. Default: `["start", "end"]`.
    pub at: RecordedSteps,
    /// How many bins there are. Default: 30, as in the book.
    pub bins: Count,
    /// The lowest and the highest edge; values outside are not counted. Default: the smallest and the largest value of
    /// the layer.
    pub range: Option<Range>,
    /// How many of the first training rows go through the network for its activations. Default: 1000, or all if there
    /// are fewer.
    pub rows: Option<Count>,
}

/// The values that a histogram counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// The outputs of each activation layer, in an evaluation of training rows.
    Activations,
    /// The weights of each affine layer.
    Weights,
    /// The gradients of these weights, from which the step's update was made.
    Gradients,
}

/// Two numbers, the first below the second.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "Vec<Finite>", into = "[f64; 2]")]
#[schemars(extend("minItems" = 2, "maxItems" = 2))]
pub struct Range {
    pub low: f64,
    pub high: f64,
}

impl Word for Subject {
    const ALL: &'static [Self] = &[Self::Activations, Self::Weights, Self::Gradients];

    fn name(self) -> &'static str {
        match self {
            Self::Activations => "activations",
            Self::Weights => "weights",
            Self::Gradients => "gradients",
        }
    }
}

impl Histograms {
    /// The default number of rows for activations.
    const ROWS: u64 = 1000;

    /// How many of `train_rows` rows go through the network for activations.
    pub fn rows(&self, train_rows: u64) -> u64 {
        self.rows.map_or(Self::ROWS, Count::get).min(train_rows)
    }

    /// How many rows a run of `steps` steps adds to the table, for a network with this many activation and affine
    /// layers.
    pub fn count(&self, steps: u64, activations: u64, affine: u64) -> u64 {
        let layers = |subject: &Subject| if *subject == Subject::Activations { activations } else { affine };
        let layers: u64 = self.of.get().iter().map(layers).sum();
        self.at.count(steps).saturating_mul(layers).saturating_mul(self.bins.get())
    }

    /// Whether floating-point numbers can separate this many bins in the range; true without a range. More than a
    /// million bins are not checked.
    pub fn has_room(&self) -> bool {
        let tried = self.range.filter(|_| self.bins.get() <= 1 << 20);
        tried.is_none_or(|range| Bins::new(self.bins.as_usize()).span(range.low, range.high))
    }

    /// Writes `histograms_of`, `histograms_at`, `histograms_bins`; the range, if there is one, as `histograms_low` and
    /// `histograms_high`; and `histograms_rows`, if activations are counted.
    pub fn settings(&self, settings: &mut Settings) {
        settings.set("histograms_of", self.of.to_string());
        settings.set("histograms_at", self.at.to_string());
        settings.set("histograms_bins", self.bins.get());
        if let Some(Range { low, high }) = self.range {
            settings.set("histograms_low", low);
            settings.set("histograms_high", high);
        }
        if self.of.has(Subject::Activations) {
            settings.set("histograms_rows", self.rows.map_or(Self::ROWS, Count::get));
        }
    }
}

impl Default for Histograms {
    fn default() -> Self {
        Self {
            of: Words::of(&[Subject::Activations]),
            at: RecordedSteps::start_and_end(),
            bins: Count::new(30).expect("30 is a count"),
            range: None,
            rows: None,
        }
    }
}

impl From<Range> for [f64; 2] {
    fn from(range: Range) -> Self {
        [range.low, range.high]
    }
}

impl TryFrom<Vec<Finite>> for Range {
    type Error = String;

    fn try_from(ends: Vec<Finite>) -> Result<Self, String> {
        let &[low, high] = ends.as_slice() else {
            return Err(format!("a range has two numbers, found {}", ends.len()));
        };
        let (low, high) = (low.get(), high.get());
        match low < high && (high - low).is_finite() {
            true => Ok(Self { low, high }),
            false => Err("a range goes from a number to a larger one".to_owned()),
        }
    }
}

/// Bins of equal width, with counts. The results are those of `numpy.histogram` for `float64`.
///
/// A number belongs to the last bin whose lower edge is not above it; the upper edge of the range belongs to the last
/// bin.
#[derive(Debug, Clone)]
pub struct Bins {
    /// The edges, ascending: one more than there are bins.
    edges: Vec<f64>,
    counts: Vec<u64>,
}

impl Bins {
    /// `bins` bins without a range yet.
    pub fn new(bins: usize) -> Self {
        Self { edges: vec![0.0; bins + 1], counts: vec![0; bins] }
    }

    /// Empties the bins and makes them span `low` to `high`, or ½ on each side if these are equal. Returns whether
    /// floating-point numbers are dense enough to separate the bins; if not, nothing may be counted.
    pub fn span(&mut self, low: f64, high: f64) -> bool {
        let (low, high) = if low == high { (low - 0.5, high + 0.5) } else { (low, high) };
        let bins = self.counts.len();
        let (width, step) = (high - low, (high - low) / bins as f64);
        // The formula of `numpy.linspace`.
        for (index, edge) in self.edges.iter_mut().enumerate() {
            let index = index as f64;
            *edge = if step == 0.0 { index / bins as f64 * width } else { index * step } + low;
        }
        self.edges[bins] = high;
        self.counts.fill(0);
        width.is_finite() && self.edges.windows(2).all(|pair| pair[0] < pair[1])
    }

    /// Counts the numbers in the range.
    pub fn count(&mut self, values: impl Iterator<Item = f64>) {
        let bins = self.counts.len();
        let (low, high) = (self.edges[0], self.edges[bins]);
        for value in values.filter(|value| (low..=high).contains(value)) {
            let share = (value - low) / (high - low) * bins as f64;
            let mut bin = (share as usize).min(bins - 1);
            // Rounding may have crossed an edge.
            if value < self.edges[bin] {
                bin -= 1;
            }
            if value >= self.edges[bin + 1] && bin + 1 < bins {
                bin += 1;
            }
            self.counts[bin] += 1;
        }
    }

    /// Lower edge, upper edge and count of every bin.
    pub fn iter(&self) -> impl Iterator<Item = (f64, f64, u64)> {
        self.edges.windows(2).zip(&self.counts).map(|(edges, count)| (edges[0], edges[1], *count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Histograms, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn histograms_say_what_they_accept() {
        assert_eq!(read("{}").unwrap(), Histograms::default());
        let book = read(r#"{"of": ["activations"], "bins": 30, "range": [0.0, 1.0], "rows": 500}"#).unwrap();
        assert_eq!(book.range, Some(Range { low: 0.0, high: 1.0 }));
        assert_eq!((book.rows(60_000), book.rows(100), Histograms::default().rows(60_000)), (500, 100, 1000));
        let error = |json| read(json).unwrap_err().to_string();
        assert!(
            error(r#"{"of": []}"#).starts_with("expected at least one of \"activations\", \"weights\", \"gradients\"")
        );
        assert!(error(r#"{"of": ["weights", "weights"]}"#).starts_with("`weights` is listed twice"));
        assert!(error(r#"{"of": ["weight"]}"#).starts_with("unknown variant `weight`, expected one of"));
        assert!(error(r#"{"range": [1.0, 1.0]}"#).starts_with("a range goes from a number to a larger one"));
        assert!(error(r#"{"range": [1.0]}"#).starts_with("a range has two numbers, found 1"));
    }

    #[test]
    fn settings_are_written_in_one_way() {
        let written = |json| {
            let mut settings = Settings::default();
            read(json).unwrap().settings(&mut settings);
            settings.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            written("{}"),
            "histograms_at=start-end histograms_bins=30 histograms_of=activations histograms_rows=1000"
        );
        assert_eq!(
            written(r#"{"of": ["gradients", "weights"], "at": ["end"], "range": [-1, 1]}"#),
            "histograms_at=end histograms_bins=30 histograms_high=1 histograms_low=-1 histograms_of=weights-gradients"
        );
    }

    /// Made by `tests/goldens/histograms.py`.
    #[derive(Deserialize)]
    struct Golden {
        values: Vec<f64>,
        bins: usize,
        range: Option<[f64; 2]>,
        edges: Vec<f64>,
        counts: Vec<u64>,
    }

    #[test]
    fn counts_and_edges_are_those_of_numpy() {
        #[derive(Deserialize)]
        struct Goldens {
            histogram: Vec<Golden>,
        }
        let goldens: Goldens = toml::from_str(include_str!("../../../tests/goldens/histograms.toml")).unwrap();
        assert!(goldens.histogram.len() >= 10);
        for Golden { values, bins, range, edges, counts } in goldens.histogram {
            let smallest = values.iter().copied().reduce(f64::min).unwrap();
            let largest = values.iter().copied().reduce(f64::max).unwrap();
            let [low, high] = range.unwrap_or([smallest, largest]);
            let mut histogram = Bins::new(bins);
            assert!(histogram.span(low, high));
            histogram.count(values.iter().copied());
            assert_eq!(histogram.counts, counts, "{bins} bins from {low} to {high}");
            assert_eq!(histogram.edges, edges, "{bins} bins from {low} to {high}");
        }
    }

    #[test]
    fn a_range_without_room_for_its_bins_is_turned_away() {
        let mut bins = Bins::new(30);
        assert!(!bins.span(1.0, 1.0 + f64::EPSILON));
        assert!(!bins.span(1e300, 1e300));
        assert!(!bins.span(-f64::MAX, f64::MAX));
        assert!(bins.span(0.0, 1.0));
        bins.count([1.5, -0.5, f64::NAN, 1.0, 0.0].into_iter());
        assert_eq!((bins.counts[0], bins.counts[29], bins.counts.iter().sum::<u64>()), (1, 1, 2));
    }
}
