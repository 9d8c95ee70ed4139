//! Norms, update-to-weight ratios and dead units of layers.

use std::ops::Range;
use std::sync::Arc;

use super::RESERVED_ROWS;
use crate::kernel::{self, Element};
use crate::nn::Network;
use crate::nn::activation::Activation;
use crate::record::{LayerMetric, LayerRow, Word, Words};

/// Buffers for the metrics that are asked for, and the rows recorded so far.
#[derive(Debug)]
pub struct LayerNumbers {
    what: Words<LayerMetric>,
    weights: Vec<(Arc<str>, Range<usize>)>,
    relus: Vec<Relu>,
    /// The parameters before the update, then their change. Empty if no ratios are asked for.
    change: Vec<f64>,
    pub rows: Vec<LayerRow>,
}

#[derive(Debug)]
struct Relu {
    name: Arc<str>,
    /// Whether the output of a unit differed from 0 for any row: `[width]`
    is_alive: Vec<bool>,
}

impl LayerNumbers {
    /// Metrics of `network` for this many steps.
    pub fn new<R: Element>(what: &Words<LayerMetric>, network: &Network<R>, steps: u64) -> Self {
        let weights = super::weights(network.layout());
        let relu = |(name, activation, values): (&str, Activation, &[R])| {
            let is_relu = what.has(LayerMetric::DeadShare) && activation == Activation::Relu;
            is_relu.then(|| Relu { name: name.into(), is_alive: vec![false; values.len()] })
        };
        let relus: Vec<Relu> = network.activations(1).filter_map(relu).collect();
        let has_ratios = what.has(LayerMetric::UpdateRatio);
        let rows = what.get().len() * weights.len().max(relus.len());
        Self {
            what: what.clone(),
            weights,
            relus,
            change: vec![0.0; if has_ratios { network.layout().len() } else { 0 }],
            rows: Vec::with_capacity(steps.saturating_mul(rows as u64).min(RESERVED_ROWS) as usize),
        }
    }

    /// Notes the state of the training pass of `batch` rows, and the parameters that it used.
    pub fn before_update<R: Element>(&mut self, network: &Network<R>, batch: usize, parameters: &[R]) {
        self.change.iter_mut().zip(parameters).for_each(|(old, value)| *old = value.to_f64());
        for Relu { name, is_alive } in &mut self.relus {
            is_alive.fill(false);
            let outputs = network.activations(batch).find(|(layer, ..)| **layer == **name);
            let width = is_alive.len();
            for row in outputs.iter().flat_map(|(.., values)| values.chunks_exact(width)) {
                is_alive.iter_mut().zip(row).for_each(|(is_alive, value)| *is_alive |= *value != R::zero());
            }
        }
    }

    /// Records the metrics, after the update of `step` has made `parameters` from `gradients`.
    pub fn after_update<R: Element>(&mut self, step: u64, parameters: &[R], gradients: &[R]) {
        let Self { what, weights, relus, change, rows } = self;
        let mut push = |layer: &Arc<str>, number: LayerMetric, value: f64| {
            if what.has(number) && value.is_finite() {
                rows.push(LayerRow { step, layer: layer.clone(), what: number.name(), value });
            }
        };
        for (layer, range) in weights {
            let range = range.clone();
            push(layer, LayerMetric::WeightNorm, norm(&parameters[range.clone()]));
            push(layer, LayerMetric::GradientNorm, norm(&gradients[range.clone()]));
            if let Some(change) = change.get_mut(range.clone()) {
                let before = norm(change);
                change.iter_mut().zip(&parameters[range]).for_each(|(old, new)| *old = new.to_f64() - *old);
                push(layer, LayerMetric::UpdateRatio, norm(change) / before);
            }
        }
        for Relu { name, is_alive } in relus {
            let dead = is_alive.iter().filter(|is_alive| !**is_alive).count();
            push(name, LayerMetric::DeadShare, dead as f64 / is_alive.len() as f64);
        }
    }
}

/// √(Σ v²), accumulated in f64.
fn norm<R: Element>(values: &[R]) -> f64 {
    kernel::sum_by(values, |value| value.to_f64() * value.to_f64()).sqrt()
}
