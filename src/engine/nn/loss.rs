//! The objective: what a training minimizes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kernel;
use crate::real::{self, Real};

/// What training minimizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Objective {
    /// −mean ln(p + 1e-7), where p is the softmax of the network's outputs at the label. It needs classes.
    ///
    /// The 1e-7 is the book's guard against ln 0; PyTorch has none. With it, in `f32`, a perfect row's loss is −1.2e-7.
    #[default]
    CrossEntropy,
    /// The mean of (y − t)² over rows and outputs, as PyTorch's `MSELoss`. For classes, t is 1 at the label and 0
    /// elsewhere.
    ///
    /// The book's `sum_squared_error` is half the sum over all rows and outputs.
    Mse,
}

/// The targets of a batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum BatchTargets<'a, R> {
    /// The class of each row: `[rows]`.
    Classes(&'a [u16]),
    /// The target of each output: [rows, outputs], row-major.
    Values(&'a [R]),
}

impl Objective {
    /// The names of all objectives.
    pub const NAMES: [&'static str; 2] = ["cross-entropy", "mse"];

    /// The name in the experiment file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CrossEntropy => "cross-entropy",
            Self::Mse => "mse",
        }
    }

    /// What loss and gradient are computed from: the softmax of the network's `outputs: [rows, width]`, or y − t.
    #[inline(always)]
    pub fn compare<R: Real>(self, outputs: &[R], width: usize, targets: BatchTargets<R>, comparison: &mut [R]) {
        match self {
            Self::CrossEntropy => softmax(outputs, width, comparison),
            Self::Mse => differences(outputs, width, targets, comparison),
        }
    }

    /// `before` + Σ loss over the rows, added one after the other in `f64`: a sum over many rows has the same bits
    /// however it is split. `comparison` is the result of [`compare`](Self::compare).
    pub fn add_losses<R: Real>(self, before: f64, comparison: &[R], width: usize, targets: BatchTargets<R>) -> f64 {
        match self {
            Self::CrossEntropy => cross_entropy(before, comparison, width, targets.classes()),
            Self::Mse => squared_error(before, comparison, width),
        }
    }

    /// Turns the result of [`compare`](Self::compare) into the gradient of the mean loss with respect to the network's
    /// outputs.
    #[inline(always)]
    pub fn gradient<R: Real>(self, comparison: &mut [R], width: usize, targets: BatchTargets<R>) {
        match self {
            Self::CrossEntropy => cross_entropy_gradient(comparison, width, targets.classes()),
            Self::Mse => squared_error_gradient(comparison),
        }
    }
}

impl<'a, R> BatchTargets<'a, R> {
    /// # Panics
    /// If the targets are not classes. A plan never combines those with cross-entropy.
    fn classes(self) -> &'a [u16] {
        match self {
            Self::Classes(labels) => labels,
            Self::Values(_) => panic!("cross-entropy is of classes"),
        }
    }
}

/// y − t. `outputs`, `differences`: [rows, width].
#[inline(always)]
fn differences<R: Real>(outputs: &[R], width: usize, targets: BatchTargets<R>, differences: &mut [R]) {
    match targets {
        BatchTargets::Classes(labels) => {
            differences.copy_from_slice(outputs);
            for (difference, label) in differences.chunks_exact_mut(width).zip(labels) {
                difference[usize::from(*label)] -= R::one();
            }
        }
        BatchTargets::Values(values) => {
            for ((difference, y), t) in differences.iter_mut().zip(outputs).zip(values) {
                *difference = *y - *t;
            }
        }
    }
}

/// `before` + Σ (Σ (y − t)² / width) over the rows. `differences: [rows, width]`.
fn squared_error<R: Real>(before: f64, differences: &[R], width: usize) -> f64 {
    differences.chunks_exact(width).fold(before, |sum, row| {
        let square = |difference: &R| difference.to_f64() * difference.to_f64();
        sum + row.iter().map(square).sum::<f64>() / width as f64
    })
}

/// 2 (y − t) / (rows · width), in place.
#[inline(always)]
fn squared_error_gradient<R: Real>(differences: &mut [R]) {
    let share = R::from_f64(2.0 / differences.len() as f64);
    for difference in differences.iter_mut() {
        *difference *= share;
    }
}

/// p = e^(x − max) / Σ e^(x − max), for each row. `outputs`, `probabilities`: [rows, classes].
///
/// Subtracting the row's maximum only prevents overflow. The sum is that of [`kernel::sum_by`].
#[inline(always)]
pub fn softmax<R: Real>(outputs: &[R], classes: usize, probabilities: &mut [R]) {
    for (x, p) in outputs.chunks_exact(classes).zip(probabilities.chunks_exact_mut(classes)) {
        let maximum = x.iter().fold(x[0], |maximum, x| if *x > maximum { *x } else { maximum });
        for (p, x) in p.iter_mut().zip(x) {
            *p = *x - maximum;
        }
    }
    // All rows at once, as one row may have fewer numbers than a vector has lanes.
    for p in probabilities.iter_mut() {
        *p = p.exp();
    }
    for p in probabilities.chunks_exact_mut(classes) {
        let sum = kernel::sum_by(p, |p| p);
        for p in p.iter_mut() {
            *p = *p / sum;
        }
    }
}

/// `before` + Σ −ln(p + 1e-7) over the rows, added one after the other in `f64`: a sum over many rows has the same bits
/// however it is split. `probabilities: [rows, classes]`, `labels: [rows]`.
pub fn cross_entropy<R: Real>(before: f64, probabilities: &[R], classes: usize, labels: &[u16]) -> f64 {
    let guard = R::from_f64(1e-7);
    probabilities
        .chunks_exact(classes)
        .zip(labels)
        .fold(before, |sum, (p, label)| sum - real::ln((p[usize::from(*label)] + guard).to_f64()))
}

/// Turns probabilities into the gradient of the mean cross-entropy with respect to the network's outputs, in place: (p
/// − t) / rows, where t is 1 at the label and 0 elsewhere. The 1e-7 is left out of the derivative, as in the book.
#[inline(always)]
pub fn cross_entropy_gradient<R: Real>(probabilities: &mut [R], classes: usize, labels: &[u16]) {
    let rows = R::from_f64(labels.len() as f64);
    for (p, label) in probabilities.chunks_exact_mut(classes).zip(labels) {
        p[usize::from(*label)] -= R::one();
        for p in p.iter_mut() {
            *p = *p / rows;
        }
    }
}

/// How many rows have their largest output at the label. Of several equal outputs, the first counts as the largest.
pub fn correct<R: Real>(outputs: &[R], classes: usize, labels: &[u16]) -> usize {
    let is_correct = |(x, label): &(&[R], &u16)| {
        let mut largest = 0;
        for (class, value) in x.iter().enumerate() {
            if *value > x[largest] {
                largest = class;
            }
        }
        largest == usize::from(**label)
    };
    outputs.chunks_exact(classes).zip(labels).filter(is_correct).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probabilities<R: Real>(outputs: &[R], classes: usize) -> Vec<R> {
        let mut p = vec![R::zero(); outputs.len()];
        softmax(outputs, classes, &mut p);
        p
    }

    #[test]
    fn softmax_does_not_overflow_and_does_not_feel_a_shift() {
        let p = probabilities(&[0.0, 3_f64.ln(), 1000.0, 1000.0 + 3_f64.ln(), -1e308, 1e308], 2);
        for (p, expected) in p.iter().zip([0.25, 0.75, 0.25, 0.75, 0.0, 1.0]) {
            assert!((p - expected).abs() < 1e-13, "{p} {expected}");
        }
    }

    #[test]
    fn the_loss_by_hand() {
        let p = probabilities(&[0.0, 3_f64.ln(), 0.0, 0.0], 2);
        let expected = -(0.75_f64 + 1e-7).ln() - (0.5_f64 + 1e-7).ln();
        assert!((cross_entropy(0.0, &p, 2, &[1, 0]) - expected).abs() < 1e-15);
    }

    #[test]
    fn a_sum_does_not_depend_on_how_it_is_cut() {
        let outputs: Vec<f32> = (0..60).map(|i| (i as f32 * 1.7).sin() * 3.0).collect();
        let labels: Vec<u16> = (0..20).map(|i| i % 3).collect();
        let p = probabilities(&outputs, 3);
        let whole = cross_entropy(0.0, &p, 3, &labels);
        let mut parts = 0.0;
        for (p, labels) in p.chunks(3 * 7).zip(labels.chunks(7)) {
            parts = cross_entropy(parts, p, 3, labels);
        }
        assert_eq!(whole.to_bits(), parts.to_bits());
    }

    #[test]
    fn a_perfect_row_is_slightly_below_zero() {
        let single = cross_entropy(0.0, &[1.0_f32, 0.0], 2, &[0]);
        assert!((-1.2e-7..-1.1e-7).contains(&single), "{single}");
        let double = cross_entropy(0.0, &[1.0_f64, 0.0], 2, &[0]);
        assert!((-1.01e-7..-0.99e-7).contains(&double), "{double}");
        let hopeless = cross_entropy(0.0, &[1.0_f64, 0.0], 2, &[1]);
        assert!((hopeless - 16.118).abs() < 1e-3, "{hopeless}");
    }

    #[test]
    fn the_gradient_is_the_prediction_minus_the_target() {
        let mut p = [0.25, 0.75, 0.5, 0.5];
        cross_entropy_gradient(&mut p, 2, &[1, 0]);
        assert_eq!(p, [0.125, -0.125, -0.25, 0.25]);
    }

    #[test]
    fn squared_errors_by_hand() {
        let outputs = [1.0, 2.0, 3.0, 5.0];
        let check = |targets, differences: [f64; 4]| {
            let mut comparison = [f64::NAN; 4];
            Objective::Mse.compare(&outputs, 2, targets, &mut comparison);
            assert_eq!(comparison, differences);
            let squares: f64 = differences.iter().map(|x| x * x).sum();
            assert_eq!(Objective::Mse.add_losses(7.0, &comparison, 2, targets), 7.0 + squares / 2.0);
            Objective::Mse.gradient(&mut comparison, 2, targets);
            assert_eq!(comparison, differences.map(|x| x / 2.0));
        };
        check(BatchTargets::Values(&[0.0, 2.0, 1.0, 6.0]), [1.0, 0.0, 2.0, -1.0]);
        check(BatchTargets::Classes(&[1, 0]), [1.0, 1.0, 2.0, 5.0]);
    }

    #[test]
    fn the_name_is_what_the_file_says() {
        for name in Objective::NAMES {
            assert_eq!(serde_json::from_str::<Objective>(&format!("\"{name}\"")).unwrap().name(), name);
        }
        let error = serde_json::from_str::<Objective>("\"nothing\"").unwrap_err().to_string();
        assert!(error.contains("expected `cross-entropy` or `mse`"), "{error}");
    }

    #[test]
    fn of_equal_outputs_the_first_counts() {
        assert_eq!(correct(&[1.0, 1.0, 0.0, 0.0, 2.0, 2.0], 3, &[0, 1]), 2);
        assert_eq!(correct(&[1.0, 1.0, 0.0, 0.0, 2.0, 2.0], 3, &[1, 2]), 0);
    }
}
