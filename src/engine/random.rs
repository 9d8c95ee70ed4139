//! The source of a run's random numbers: separate streams, or the single stream of a script that draws with NumPy.
//!
//! By default, every purpose has a stream keyed by the run's seed ([`crate::seed`]), so that no run's draws affect
//! another run. A script that calls `numpy.random.seed` once and then draws everything in the order in which it is
//! needed differs: what a network gets depends on everything drawn before, including draws for other networks. `rng =
//! "numpy"` reproduces that. A run then carries its [`Script`]: what the rest of the script draws before and between
//! the run's own draws. The run draws these numbers too and discards them, so it can still be trained alone.

mod script;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::script::{Chain, Others, Script, ScriptDraws};
use crate::batches::{Batches, Sampling};
use crate::seed::{self, Purpose, RandomStream, Seed, numpy};

/// The key `rng`: `"paribus"` (the default), `"numpy"`, or `{ kind = "numpy", group = ["optimizer"], chain =
/// ["weights"] }`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Rng {
    /// Streams keyed by seed and purpose.
    #[default]
    Paribus,
    /// NumPy's legacy generator, drawn from in the order of the book's scripts.
    Numpy(Arrangement),
}

/// How the runs of a file share a script. By default, each one is a script of its own: it begins with its seed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Arrangement {
    /// Axes whose values are trained side by side, in the order in which the file lists them: all networks draw their
    /// weights, then all train on the same batches. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub group: Vec<String>,
    /// Axes whose values are trained one after the other: each continues the random stream where the previous one
    /// ended. With `"trial"`, each trial's values are drawn from it, too. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<String>,
}

/// A run's random numbers. They must be drawn in this order: the order of the rows, if it is needed; the weights; then
/// for each step the batch, followed by the uniforms for dropout.
#[derive(Debug, Clone)]
pub struct Random<'a>(RandomSource<'a>);

#[derive(Debug, Clone)]
enum RandomSource<'a> {
    Keyed { seed: Seed, batches: Option<Batches>, masks: Vec<RandomStream> },
    Script { script: &'a Script, generator: Box<numpy::NumpyGenerator>, rows: u64 },
}

/// Draws a run's initial weights.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, on the stack")]
pub enum WeightGenerator<'a> {
    Keyed(seed::Generator),
    Script(&'a mut numpy::NumpyGenerator),
}

impl<'a> Random<'a> {
    /// The random numbers of a run with this seed, which may be part of a `script`.
    ///
    /// # Panics
    /// If there is a script and NumPy does not accept the seed.
    pub fn new(seed: Seed, script: Option<&'a Script>) -> Self {
        Self(match script {
            None => RandomSource::Keyed { seed, batches: None, masks: Vec::new() },
            Some(script) => {
                let seed = numpy::seed(seed).expect("seeds are checked when runs are planned");
                let mut generator = Box::new(numpy::NumpyGenerator::new(seed));
                script.data.skip(&mut generator);
                RandomSource::Script { script, generator, rows: 0 }
            }
        })
    }

    /// A random order of `rows` rows, from which some are set aside.
    pub fn order(&mut self, rows: usize) -> Vec<usize> {
        match &mut self.0 {
            RandomSource::Keyed { seed, .. } => {
                let mut order: Vec<usize> = (0..rows).collect();
                seed.stream(Purpose::Holdout).at(0).shuffle(&mut order);
                order
            }
            RandomSource::Script { generator, .. } => generator.permutation(rows),
        }
    }

    /// Skips what the script draws before the run's own weights.
    pub fn before_weights(&mut self) {
        if let RandomSource::Script { script, generator, .. } = &mut self.0 {
            script.earlier().iter().for_each(|draws| draws.skip(generator));
            script.others.before_weights.skip(generator);
        }
    }

    /// The generator for weight matrix number `matrix`, counted from 0.
    pub fn weights(&mut self, matrix: u32) -> WeightGenerator<'_> {
        match &mut self.0 {
            RandomSource::Keyed { seed, .. } => WeightGenerator::Keyed(seed.stream(Purpose::Init(matrix)).at(0)),
            RandomSource::Script { generator, .. } => WeightGenerator::Script(generator),
        }
    }

    /// Skips what the script draws after the run's own weights, and prepares for drawing from `rows` training rows and
    /// for this many dropout layers.
    pub fn after_weights(&mut self, sampling: Sampling, rows: usize, dropout_layers: u32) {
        match &mut self.0 {
            RandomSource::Keyed { seed, batches, masks } => {
                *batches = Some(Batches::new(sampling, *seed, rows));
                *masks = (0..dropout_layers).map(|layer| seed.stream(Purpose::Dropout(layer))).collect();
            }
            RandomSource::Script { script, generator, rows: all } => {
                script.others.after_weights.skip(generator);
                *all = rows as u64;
            }
        }
    }

    /// Fills `batch` with the rows of the batch of `step`.
    ///
    /// # Panics
    /// If [`after_weights`](Self::after_weights) was not called.
    pub fn batch(&mut self, step: u64, batch: &mut [usize]) {
        match &mut self.0 {
            RandomSource::Keyed { batches, .. } => {
                batches.as_mut().expect("weights are drawn before batches").draw(step, batch);
            }
            RandomSource::Script { script, generator, rows } => {
                batch.fill_with(|| generator.below(*rows) as usize);
                script.others.before_masks.skip(generator);
            }
        }
    }

    /// Fills `uniforms` for dropout layer number `layer`, counted from 0, in `step`.
    ///
    /// # Panics
    /// If there is no such layer.
    pub fn uniforms(&mut self, step: u64, layer: u32, uniforms: &mut [f64]) {
        match &mut self.0 {
            RandomSource::Keyed { masks, .. } => {
                masks[layer as usize].at(step).fill(uniforms);
            }
            RandomSource::Script { generator, .. } => uniforms.fill_with(|| generator.uniform()),
        }
    }

    /// Skips what the script draws after the run's own draws of a step.
    pub fn after_step(&mut self) {
        if let RandomSource::Script { script, generator, .. } = &mut self.0 {
            script.others.after_masks.skip(generator);
        }
    }
}

impl WeightGenerator<'_> {
    /// A standard Gaussian.
    pub fn gaussian(&mut self) -> f64 {
        match self {
            Self::Keyed(generator) => generator.gaussian(),
            Self::Script(generator) => generator.gaussian(),
        }
    }

    /// A uniform number in [−bound, bound). In a script it is computed like NumPy's `uniform`, which rounds
    /// differently.
    pub fn within(&mut self, bound: f64) -> f64 {
        match self {
            Self::Keyed(generator) => (2.0 * generator.uniform() - 1.0) * bound,
            Self::Script(generator) => -bound + 2.0 * bound * generator.uniform(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed() -> Seed {
        Seed::try_from(3).unwrap()
    }

    /// What a run with two rows per step and one dropout layer of three numbers draws in `steps` steps.
    fn drawn(random: &mut Random, weights: usize, steps: u64) -> (Vec<usize>, Vec<f64>, Vec<usize>, Vec<f64>) {
        let order = random.order(5);
        random.before_weights();
        let gaussians = (0..weights).map(|_| random.weights(0).gaussian()).collect();
        random.after_weights(Sampling::WithReplacement, 4, 1);
        let (mut rows, mut uniforms) = (Vec::new(), Vec::new());
        for step in 0..steps {
            let (mut batch, mut mask) = ([0; 2], [0.0; 3]);
            random.batch(step, &mut batch);
            random.uniforms(step, 0, &mut mask);
            random.after_step();
            rows.extend(batch);
            uniforms.extend(mask);
        }
        (order, gaussians, rows, uniforms)
    }

    #[test]
    fn a_script_of_one_run_draws_in_the_order_of_the_book() {
        let script = Script::default();
        let (order, gaussians, rows, uniforms) = drawn(&mut Random::new(seed(), Some(&script)), 3, 2);
        let mut generator = numpy::NumpyGenerator::new(3);
        assert_eq!(order, generator.permutation(5));
        assert_eq!(gaussians, [(); 3].map(|()| generator.gaussian()));
        for step in 0..2 {
            assert_eq!(rows[2 * step..][..2], [(); 2].map(|()| generator.below(4) as usize));
            assert_eq!(uniforms[3 * step..][..3], [(); 3].map(|()| generator.uniform()));
        }
    }

    #[test]
    fn what_others_draw_is_drawn_and_thrown_away() {
        let block = ScriptDraws::gaussians(9).then(ScriptDraws::choice(7, 3).repeated(2));
        let mut chain = Chain::new(ScriptDraws::gaussians(1), [block.clone(), block].into());
        chain.advance();
        let script = chain.script(Others {
            before_weights: ScriptDraws::uniforms(2).then(ScriptDraws::gaussians(4)),
            after_weights: ScriptDraws::gaussians(5),
            before_masks: ScriptDraws::uniforms(6),
            after_masks: ScriptDraws::uniforms(1),
        });
        let (order, gaussians, rows, uniforms) = drawn(&mut Random::new(seed(), Some(&script)), 1, 2);

        let mut generator = numpy::NumpyGenerator::new(3);
        generator.gaussian();
        assert_eq!(order, generator.permutation(5));
        (0..9).for_each(|_| _ = generator.gaussian());
        (0..6).for_each(|_| _ = generator.below(7));
        (0..2).for_each(|_| _ = generator.uniform());
        (0..4).for_each(|_| _ = generator.gaussian());
        assert_eq!(gaussians, [generator.gaussian()]);
        (0..5).for_each(|_| _ = generator.gaussian());
        for step in 0..2 {
            assert_eq!(rows[2 * step..][..2], [(); 2].map(|()| generator.below(4) as usize));
            (0..6).for_each(|_| _ = generator.uniform());
            assert_eq!(uniforms[3 * step..][..3], [(); 3].map(|()| generator.uniform()));
            generator.uniform();
        }
    }
}
