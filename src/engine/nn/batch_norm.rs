//! Batch normalization (Ioffe & Szegedy 2015): y = γ (x − μ) / √(σ² + ε) + β, with the mean μ and the variance σ² of
//! every column of the batch.

use std::ops::Range;

use super::parameters::{ParameterLayout, ParameterRole};
use crate::kernel;
use crate::real::Real;

/// What is added to the variance: the book's `10e-7`. PyTorch adds 10⁻⁵.
const EPSILON: f64 = 1e-6;

/// The share of the running statistics that a step keeps. PyTorch keeps the same share (its `momentum`, 0.1, is the
/// rest), but averages variances divided by rows − 1.
const KEPT: f64 = 0.9;

/// A layer with one mean and one variance for each of its `width` columns; `x` and `y` are [rows, width].
///
/// In training, these are the batch's, with the variance divided by the number of rows. A share of 0.1 of them enters
/// the running statistics, which begin at 0, as in the book (PyTorch's variances begin at 1). An evaluation uses the
/// running statistics, so a row's output does not depend on the other rows.
#[derive(Debug, Clone)]
pub struct BatchNorm<R> {
    width: usize,
    gamma: Range<usize>,
    beta: Range<usize>,
    /// Ranges in the buffer of running statistics.
    mean: Range<usize>,
    variance: Range<usize>,
    /// Of the last pass.
    statistics: Statistics<R>,
    /// x less its mean: [rows, width]
    centered: Vec<R>,
    /// Sums over rows that a backward pass needs: `[width]` each.
    sums: [Vec<R>; 2],
}

/// `[width]` each.
#[derive(Debug, Clone)]
struct Statistics<R> {
    mean: Vec<R>,
    variance: Vec<R>,
    /// √(σ² + ε)
    deviation: Vec<R>,
}

impl<R: Real> BatchNorm<R> {
    /// A layer for at most `rows` rows, which appends its parameters and running statistics to the layouts.
    pub fn new(
        name: &str,
        width: usize,
        rows: usize,
        parameters: &mut ParameterLayout,
        state: &mut ParameterLayout,
    ) -> Self {
        let column = || vec![R::zero(); width];
        Self {
            width,
            gamma: parameters.add(name, ParameterRole::Gamma, &[width]),
            beta: parameters.add(name, ParameterRole::Beta, &[width]),
            mean: state.add(name, ParameterRole::RunningMean, &[width]),
            variance: state.add(name, ParameterRole::RunningVariance, &[width]),
            statistics: Statistics { mean: column(), variance: column(), deviation: column() },
            centered: vec![R::zero(); rows.checked_mul(width).expect("a batch fits into memory")],
            sums: [column(), column()],
        }
    }

    /// Normalizes by the statistics of `x` and moves the running ones towards them; returns false if they are not
    /// finite.
    #[inline(always)]
    pub fn forward(&mut self, parameters: &[R], state: &mut [R], x: &[R], y: &mut [R]) -> bool {
        let Statistics { mean, variance, .. } = &mut self.statistics;
        let rows = R::from_f64((x.len() / self.width) as f64);
        kernel::column_sums(x, mean);
        for mean in mean.iter_mut() {
            *mean = *mean / rows;
        }
        center(x, mean, &mut self.centered);
        variance.fill(R::zero());
        for row in self.centered[..x.len()].chunks_exact(self.width) {
            for (sum, x) in variance.iter_mut().zip(row) {
                *sum += *x * *x;
            }
        }
        for variance in variance.iter_mut() {
            *variance = *variance / rows;
        }
        let (kept, new) = (R::from_f64(KEPT), R::from_f64(1.0 - KEPT));
        let mut average = |range: &Range<usize>, values: &[R]| {
            for (running, value) in state[range.clone()].iter_mut().zip(values) {
                *running = kept * *running + new * *value;
            }
        };
        average(&self.mean, mean);
        average(&self.variance, variance);
        let is_finite = kernel::are_finite(variance);
        self.normalize(parameters, y);
        is_finite
    }

    /// Normalizes by the running statistics.
    #[inline(always)]
    pub fn evaluate(&mut self, parameters: &[R], state: &[R], x: &[R], y: &mut [R]) {
        self.statistics.variance.copy_from_slice(&state[self.variance.clone()]);
        center(x, &state[self.mean.clone()], &mut self.centered);
        self.normalize(parameters, y);
    }

    /// y = γ (centered / √(variance + ε)) + β.
    #[inline(always)]
    fn normalize(&mut self, parameters: &[R], y: &mut [R]) {
        let Self { statistics: Statistics { variance, deviation, .. }, centered, width, .. } = self;
        let epsilon = R::from_f64(EPSILON);
        for (deviation, variance) in deviation.iter_mut().zip(variance) {
            *deviation = (*variance + epsilon).sqrt();
        }
        let (gamma, beta) = (&parameters[self.gamma.clone()], &parameters[self.beta.clone()]);
        for (y, x) in y.chunks_exact_mut(*width).zip(centered.chunks_exact(*width)) {
            for ((((y, x), deviation), gamma), beta) in y.iter_mut().zip(x).zip(&*deviation).zip(gamma).zip(beta) {
                *y = *gamma * (*x / *deviation) + *beta;
            }
        }
    }

    /// Turns the gradient of the loss with respect to y into that with respect to x, in place, and writes those with
    /// respect to γ and β to their ranges of `gradients`, for the batch of the last [`forward`](Self::forward).
    ///
    /// The book's derivation, step by step: both the deviation and the mean are functions of x.
    #[inline(always)]
    pub fn backward(&mut self, parameters: &[R], gradient: &mut [R], gradients: &mut [R]) {
        let Self { statistics: Statistics { deviation, .. }, sums: [by_variance, by_mean], width, .. } = self;
        let width = *width;
        let gamma = &parameters[self.gamma.clone()];
        let rows = R::from_f64((gradient.len() / width) as f64);
        let centered = &self.centered[..gradient.len()];

        kernel::column_sums(gradient, &mut gradients[self.beta.clone()]);
        let by_gamma = &mut gradients[self.gamma.clone()];
        by_gamma.fill(R::zero());
        by_variance.fill(R::zero());
        for (dy, x) in gradient.chunks_exact(width).zip(centered.chunks_exact(width)) {
            let columns = dy.iter().zip(x).zip(&*deviation).zip(gamma);
            let sums = by_gamma.iter_mut().zip(&mut *by_variance);
            for ((((dy, x), deviation), gamma), (by_gamma, by_deviation)) in columns.zip(sums) {
                *by_gamma += *x / *deviation * *dy;
                *by_deviation += *gamma * *dy * *x / (*deviation * *deviation);
            }
        }
        let half = R::from_f64(0.5);
        for (sum, deviation) in by_variance.iter_mut().zip(&*deviation) {
            *sum = half * -*sum / *deviation;
        }

        by_mean.fill(R::zero());
        let share = R::from_f64(2.0) / rows;
        for (dy, x) in gradient.chunks_exact_mut(width).zip(centered.chunks_exact(width)) {
            let columns = dy.iter_mut().zip(x).zip(&*deviation).zip(gamma);
            let sums = by_variance.iter().zip(&mut *by_mean);
            for ((((dy, x), deviation), gamma), (by_variance, by_mean)) in columns.zip(sums) {
                *dy = *gamma * *dy / *deviation + share * *x * *by_variance;
                *by_mean += *dy;
            }
        }
        for sum in by_mean.iter_mut() {
            *sum = *sum / rows;
        }
        for dx in gradient.chunks_exact_mut(width) {
            for (dx, by_mean) in dx.iter_mut().zip(&*by_mean) {
                *dx -= *by_mean;
            }
        }
    }
}

/// `centered` = x − mean, for every row.
#[inline(always)]
fn center<R: Real>(x: &[R], mean: &[R], centered: &mut [R]) {
    for (centered, x) in centered.chunks_exact_mut(mean.len()).zip(x.chunks_exact(mean.len())) {
        for ((centered, x), mean) in centered.iter_mut().zip(x).zip(mean) {
            *centered = *x - *mean;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One column, γ = 3, β = 10.
    fn layer() -> (BatchNorm<f64>, [f64; 2], Vec<f64>) {
        let (mut parameters, mut state) = (ParameterLayout::default(), ParameterLayout::default());
        let layer = BatchNorm::new("batch_norm1", 1, 8, &mut parameters, &mut state);
        (layer, [3.0, 10.0], vec![0.0; state.len()])
    }

    fn near(found: &[f64], expected: &[f64]) -> bool {
        found.len() == expected.len() && found.iter().zip(expected).all(|(x, y)| (x - y).abs() < 1e-12)
    }

    /// Mean 2, variance 2.
    const X: [f64; 4] = [0.0, 2.0, 4.0, 2.0];

    #[test]
    fn a_column_by_hand() {
        let (mut layer, parameters, mut state) = layer();
        let mut y = [f64::NAN; 4];
        assert!(layer.forward(&parameters, &mut state, &X, &mut y));
        let step = 3.0 * 2.0 / 2.000_001_f64.sqrt();
        assert!(near(&y, &[10.0 - step, 10.0, 10.0 + step, 10.0]), "{y:?}");
        assert!(near(&state, &[0.2, 0.2]), "{state:?}");
        layer.forward(&parameters, &mut state, &[5.0; 3], &mut y[..3]);
        assert!(near(&y[..3], &[10.0; 3]), "{y:?}");
        assert!(near(&state, &[0.68, 0.18]), "{state:?}");
    }

    #[test]
    fn an_evaluation_uses_the_running_statistics_for_every_row() {
        let (mut layer, parameters, _) = layer();
        let state = [1.0, 0.25];
        let mut y = [f64::NAN; 2];
        layer.evaluate(&parameters, &state, &[1.0, 3.0], &mut y);
        assert!(near(&y, &[10.0, 10.0 + 3.0 * 2.0 / 0.250_001_f64.sqrt()]), "{y:?}");
        let both = y;
        layer.evaluate(&parameters, &state, &[3.0], &mut y[..1]);
        assert_eq!(y[0], both[1]);
    }

    #[test]
    fn a_shift_of_the_inputs_goes_unnoticed_and_so_has_no_gradient() {
        let (mut layer, parameters, mut state) = layer();
        let mut y = [f64::NAN; 4];
        layer.forward(&parameters, &mut state, &X, &mut y);
        let mut gradients = [f64::NAN; 2];
        let mut dx = [1.0, 5.0, -2.0, 0.5];
        layer.backward(&parameters, &mut dx, &mut gradients);
        assert!(dx.iter().sum::<f64>().abs() < 1e-12, "{dx:?}");
        // Neither has a scaling of the inputs, except for ε.
        assert!(dx.iter().zip(X).map(|(dx, x)| dx * x).sum::<f64>().abs() < 1e-5, "{dx:?}");
        let normalized = 2.0 / 2.000_001_f64.sqrt();
        assert!(near(&gradients, &[-3.0 * normalized, 4.5]), "{gradients:?}");
    }

    #[test]
    fn a_variance_that_overflows_is_reported() {
        let (mut layer, parameters, mut state) = layer();
        assert!(!layer.forward(&parameters, &mut state, &[1e200, -1e200], &mut [0.0; 2]));
    }
}
