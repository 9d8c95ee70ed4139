//! What a run inspects after single steps: how values are distributed, and whether gradients match the slopes of the
//! loss.

use std::ops::ControlFlow;

use super::Run;
use crate::kernel::Element;
use crate::nn::{Network, NotFinite, Phase};
use crate::record::Subject;
use crate::seed::{Purpose, RandomStream, Seed};
use crate::train::measure::HistogramCounts;

impl<R: Element> Run<'_, R> {
    /// Inspects what is due after `step`; −1 is before training.
    ///
    /// Parameters, accumulators and everything else that is trained stay the same. The buffers for inputs and gradients
    /// are overwritten; the next step fills them anew.
    ///
    /// A gradient check can take longer than all steps. Between two of its passes, `watch` is called again with the
    /// number of steps done, and decides whether to continue.
    pub(super) fn look_into(&mut self, step: i64, watch: &mut dyn FnMut(u64) -> ControlFlow<()>) -> ControlFlow<()> {
        self.count_values(step);
        self.check_gradients(step, watch)
    }

    fn count_values(&mut self, step: i64) {
        let Some(mut histograms) = self.histograms.take_if(|histograms| histograms.are_due(step, self.spec.steps))
        else {
            return;
        };
        self.count_activations(step, &mut histograms);
        histograms.count_parameters(step, Subject::Weights, &self.parameters);
        // Before training there are no gradients.
        if step >= 0 {
            histograms.count_parameters(step, Subject::Gradients, &self.gradients);
        }
        self.histograms = Some(histograms);
    }

    fn count_activations(&mut self, step: i64, histograms: &mut HistogramCounts) {
        let rows = histograms.rows_needed(self.data.train().len() as u64) as usize;
        if rows == 0 {
            return;
        }
        // Outputs that are not finite are not counted.
        if histograms.are_without_range() {
            histograms.forget();
            if self.show(rows, |network, rows| histograms.look_over(network, rows)).is_err() {
                return;
            }
        }
        histograms.open();
        if self.show(rows, |network, rows| histograms.count(network, rows)).is_ok() {
            histograms.close(step);
        }
    }

    /// Sends the first `total` training rows through the network, and calls `look` after each portion of rows.
    pub(super) fn show(&mut self, total: usize, mut look: impl FnMut(&Network<R>, usize)) -> Result<(), NotFinite> {
        for first in (0..total).step_by(self.input.rows.len()) {
            let rows = self.input.gather_from(self.data.train(), first, total);
            self.network.forward(Phase::Evaluation { state: &self.state }, &self.parameters, self.input.x(rows))?;
            look(&self.network, rows);
        }
        Ok(())
    }

    /// Compares the gradients of the first training rows with central differences of their training loss.
    fn check_gradients(&mut self, step: i64, watch: &mut dyn FnMut(u64) -> ControlFlow<()>) -> ControlFlow<()> {
        let Some(mut rehearsal) = self.rehearsal.take() else { return ControlFlow::Continue(()) };
        let done = self.check_in(&mut rehearsal, step, watch);
        self.rehearsal = Some(rehearsal);
        done
    }

    fn check_in(
        &mut self,
        rehearsal: &mut Rehearsal<R>,
        step: i64,
        watch: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let Some(mut checks) = self.gradient_checks.take_if(|checks| checks.are_due(step, self.spec.steps)) else {
            return ControlFlow::Continue(());
        };
        let mut done = ControlFlow::Continue(());
        let rows = checks.rows_needed(self.data.train().len() as u64) as usize;
        self.input.gather_from(self.data.train(), 0, rows);
        if self.rehearse(rehearsal, rows).is_ok() {
            self.compute_gradients(rows);
            done = checks.check(step, |index, h| {
                watch((step + 1) as u64)?;
                let value = self.parameters[index];
                let mut loss_with = |run: &mut Self, value| {
                    run.parameters[index] = value;
                    run.rehearse(rehearsal, rows).and_then(|()| run.loss(rows)).map_or(f64::NAN, |loss| loss.total)
                };
                let above = loss_with(self, value + R::from_f64(h));
                let below = loss_with(self, value - R::from_f64(h));
                self.parameters[index] = value;
                ControlFlow::Continue((self.gradients[index].to_f64() - (above - below) / (2.0 * h)).abs())
            });
        }
        self.gradient_checks = Some(checks);
        done
    }

    /// A training pass of the input's first `rows` rows, compared with their targets.
    fn rehearse(&mut self, rehearsal: &mut Rehearsal<R>, rows: usize) -> Result<(), NotFinite> {
        let Rehearsal { state, dropouts } = rehearsal;
        state.copy_from_slice(&self.state);
        let mut draw = |layer: u32, uniforms: &mut [f64]| {
            let mut generator = dropouts[layer as usize].at(Rehearsal::<R>::POSITION);
            uniforms.fill_with(|| generator.uniform());
        };
        self.network.forward(Phase::Training { state, draw: &mut draw }, &self.parameters, self.input.x(rows))?;
        self.compare(rows);
        Ok(())
    }
}

/// The state that lets training passes leave no trace: separate running statistics, and dropout that is the same each
/// time.
pub(super) struct Rehearsal<R> {
    state: Vec<R>,
    dropouts: Vec<RandomStream>,
}

impl<R: Element> Rehearsal<R> {
    /// The position of the dropout streams to draw from: no run has this many steps.
    const POSITION: u64 = u64::MAX;

    /// For `network` in a run with this seed.
    pub fn new(network: &Network<R>, seed: Seed) -> Self {
        let stream = |layer| seed.stream(Purpose::Dropout(layer));
        Self {
            state: vec![R::zero(); network.state_layout().len()],
            dropouts: (0..network.dropout_layers()).map(stream).collect(),
        }
    }
}
