//! Networks: their description ([`NetworkSection`], the `[network]` section, and the [`Model`] that it describes) and
//! their computation ([`Network`]).

pub mod activation;
pub mod affine;
pub mod batch_norm;
pub mod dropout;
pub mod init;
pub mod loss;
pub mod model;
pub mod parameters;
pub mod penalty;
#[cfg(test)]
mod tests;

use self::activation::Activation;
use self::affine::Affine;
use self::batch_norm::BatchNorm;
use self::dropout::{Dropout, DropoutScaling};
pub use self::init::Init;
pub use self::model::{Model, NetworkSection};
use self::parameters::ParameterLayout;
pub use self::penalty::Regularization;
use crate::kernel::{self, Element, Instructions, MatrixValues};

/// One layer of a [`Model`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LayerSpec {
    Affine { outputs: usize, bias: bool },
    BatchNorm,
    Activation(Activation),
    Dropout(Dropout),
}

impl LayerSpec {
    /// The name without its number, which counts the layers of that kind: `affine1`, `batch_norm1`, `relu1`.
    pub fn name(self) -> String {
        match self {
            Self::Affine { .. } => "affine".to_owned(),
            Self::BatchNorm => "batch_norm".to_owned(),
            Self::Activation(activation) => activation.name().replace('-', "_"),
            Self::Dropout(_) => "dropout".to_owned(),
        }
    }

    /// The number of outputs, given the number of inputs.
    pub const fn width(self, inputs: usize) -> usize {
        match self {
            Self::Affine { outputs, .. } => outputs,
            Self::BatchNorm | Self::Activation(_) | Self::Dropout(_) => inputs,
        }
    }

    /// The number of parameters, given the number of inputs, or the largest `u64` if there are more.
    pub const fn parameters(self, inputs: usize) -> u64 {
        let inputs = inputs as u64;
        match self {
            Self::Affine { outputs, bias } => (inputs + bias as u64).saturating_mul(outputs as u64),
            Self::BatchNorm => inputs.saturating_mul(2),
            Self::Activation(_) | Self::Dropout(_) => 0,
        }
    }
}

/// A number that is not finite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotFinite {
    /// The first layer, in forward order, whose output, parameters or gradients have such a number: `affine2`. A number
    /// outside the layers is named itself: `loss`, `lr`.
    pub layer: String,
}

impl NotFinite {
    /// In `layer`.
    pub fn of(layer: impl Into<String>) -> Self {
        Self { layer: layer.into() }
    }

    /// `value`, if it is finite.
    ///
    /// # Errors
    /// If it is not. The error calls it `what`.
    pub fn check(value: f64, what: &str) -> Result<f64, Self> {
        if value.is_finite() { Ok(value) } else { Err(Self::of(what)) }
    }
}

/// The purpose of a forward pass, which matters to batch normalization and dropout. `state` holds the running
/// statistics, laid out as [`Network::state_layout`] says.
pub enum Phase<'a, R> {
    /// For an update: batches are normalized by their own statistics, which also move the running ones, and dropout is
    /// random.
    Training {
        state: &'a mut [R],
        /// Fills the slice with uniform numbers in [0, 1) for the k-th dropout layer, k from 0: [rows, width],
        /// row-major. Called once for each dropout layer, in forward order.
        draw: &'a mut dyn FnMut(u32, &mut [f64]),
    },
    /// For measurements: nothing is drawn, nothing changes, and a row's output depends on that row alone.
    Evaluation { state: &'a [R] },
}

/// Layers with buffers for their results. The caller owns parameters, gradients and running statistics, in flat buffers
/// laid out as [`layout`](Self::layout) and [`state_layout`](Self::state_layout) say. Nothing is allocated after
/// [`new`](Self::new).
#[derive(Debug, Clone)]
pub struct Network<R> {
    instructions: Instructions,
    inputs: usize,
    layout: ParameterLayout,
    state_layout: ParameterLayout,
    stages: Vec<Stage<R>>,
    /// The first stage with parameters: no gradient is needed before it.
    first_trained: usize,
    /// Gradients of the loss with respect to a layer's output and its input, in turn: [rows, widest layer] each.
    flow: [Vec<R>; 2],
    /// Random numbers for dropout layers: [rows, widest dropout layer]
    uniforms: Vec<f64>,
}

#[derive(Debug, Clone)]
struct Stage<R> {
    name: String,
    layer: Layer<R>,
    /// The activation that follows, with its name, if it needs no stage of its own.
    activation: Option<(String, Activation)>,
    width: usize,
    /// The output after the activation: [rows, width]
    output: Vec<R>,
}

impl<R> Stage<R> {
    /// Whether `activation`, which comes next, can overwrite this stage's output: the backward pass does not need the
    /// activation's input.
    fn can_end_with(&self, activation: Activation) -> bool {
        let needs_no_output = matches!(self.layer, Layer::Affine(_) | Layer::BatchNorm(_));
        needs_no_output && self.activation.is_none() && activation.is_known_by_its_output()
    }
}

#[derive(Debug, Clone)]
enum Layer<R> {
    Affine(Affine),
    BatchNorm(Box<BatchNorm<R>>),
    Activation(Activation),
    Dropout {
        dropout: Dropout,
        /// Counts dropout layers, from 0.
        index: u32,
        /// Of the last training pass: [rows, width]
        mask: Vec<R>,
    },
}

impl<R: Element> Network<R> {
    /// `layers` on `inputs` features, for at most `rows` rows at once.
    ///
    /// # Panics
    /// If the buffers would be longer than the address space.
    pub fn new(instructions: Instructions, layers: &[LayerSpec], inputs: usize, rows: usize) -> Self {
        let length = |width: usize| rows.checked_mul(width).expect("a batch fits into memory");
        let buffer = |width: usize| vec![R::zero(); length(width)];
        let (mut layout, mut state_layout) = (ParameterLayout::default(), ParameterLayout::default());
        let mut stages: Vec<Stage<R>> = Vec::with_capacity(layers.len());
        let (mut widest, mut widest_dropout, mut first_trained) = (0, 0, None);
        for (index, spec) in layers.iter().enumerate() {
            let input_width = stages.last().map_or(inputs, |stage| stage.width);
            let kind = spec.name();
            let number = layers[..=index].iter().filter(|layer| layer.name() == kind).count();
            let name = format!("{kind}{number}");
            let width = spec.width(input_width);
            let layer = match *spec {
                LayerSpec::Affine { outputs, bias } => {
                    Layer::Affine(Affine::new(&name, input_width, outputs, bias, rows, &mut layout))
                }
                LayerSpec::BatchNorm => {
                    Layer::BatchNorm(Box::new(BatchNorm::new(&name, width, rows, &mut layout, &mut state_layout)))
                }
                LayerSpec::Activation(activation) => {
                    let before = stages.last_mut().filter(|stage| stage.can_end_with(activation));
                    if let Some(stage) = before {
                        stage.activation = Some((name, activation));
                        continue;
                    }
                    Layer::Activation(activation)
                }
                LayerSpec::Dropout(dropout) => {
                    widest_dropout = widest_dropout.max(width);
                    Layer::Dropout { dropout, index: number as u32 - 1, mask: buffer(width) }
                }
            };
            if !layout.is_empty() {
                first_trained.get_or_insert(stages.len());
            }
            widest = widest.max(width);
            stages.push(Stage { name, layer, activation: None, width, output: buffer(width) });
        }
        Self {
            instructions,
            inputs,
            layout,
            state_layout,
            first_trained: first_trained.unwrap_or(stages.len()),
            stages,
            flow: [buffer(widest), buffer(widest)],
            uniforms: vec![0.0; length(widest_dropout)],
        }
    }

    /// The layout of parameters and gradients in their buffers.
    pub fn layout(&self) -> &ParameterLayout {
        &self.layout
    }

    /// Whether the network accepts bytes, and is faster with them if most are 0.
    pub fn takes_bytes(&self) -> bool {
        let first = self.stages.first();
        first.is_some_and(|stage| {
            matches!(stage.layer, Layer::Affine(_)) && self.instructions.is_faster_skipping_zeros::<R>(stage.width)
        })
    }

    /// The layout of running statistics in their buffer, which begins with zeros and is empty without batch
    /// normalization.
    pub fn state_layout(&self) -> &ParameterLayout {
        &self.state_layout
    }

    /// How many layers draw random numbers in training.
    pub fn dropout_layers(&self) -> u32 {
        let is_dropout = |stage: &&Stage<R>| matches!(stage.layer, Layer::Dropout { .. });
        self.stages.iter().filter(is_dropout).count() as u32
    }

    /// Computes every layer's output for `x: [rows, inputs]`.
    ///
    /// # Errors
    /// [`NotFinite`] names the first layer whose output or variance is not finite; later layers are not computed.
    pub fn forward<'x>(
        &mut self,
        mut phase: Phase<'_, R>,
        parameters: &[R],
        x: impl Into<MatrixValues<'x, R>>,
    ) -> Result<(), NotFinite>
    where
        R: 'x,
    {
        let x = x.into();
        let (rows, instructions) = (x.len() / self.inputs, self.instructions);
        for index in 0..self.stages.len() {
            let (before, rest) = self.stages.split_at_mut(index);
            let Stage { name, layer, activation, width, output } = &mut rest[0];
            let activation = activation.as_ref().map(|(_, activation)| *activation);
            let input = before.last().map_or(x, |stage| MatrixValues::Numbers(&stage.output[..rows * stage.width]));
            let output = &mut output[..rows * *width];
            // Activations, and dropout that scales down, keep finite numbers finite.
            let is_finite = match (layer, &mut phase) {
                (Layer::Affine(affine), _) => affine.forward(instructions, parameters, input, output, activation),
                (Layer::Activation(activation), _) => {
                    output.copy_from_slice(input.numbers());
                    instructions.run(
                        #[inline(always)]
                        || activation.forward(output),
                    );
                    true
                }
                (Layer::BatchNorm(norm), phase) => instructions.run(
                    #[inline(always)]
                    || {
                        let is_finite = match phase {
                            Phase::Training { state, .. } => norm.forward(parameters, state, input.numbers(), output),
                            Phase::Evaluation { state } => {
                                norm.evaluate(parameters, state, input.numbers(), output);
                                true
                            }
                        } && kernel::are_finite(output);
                        if let Some(activation) = activation {
                            activation.forward(output);
                        }
                        is_finite
                    },
                ),
                (Layer::Dropout { dropout, index, mask }, Phase::Training { draw, .. }) => {
                    let input = input.numbers();
                    let (uniforms, mask) = (&mut self.uniforms[..input.len()], &mut mask[..input.len()]);
                    draw(*index, uniforms);
                    instructions.run(
                        #[inline(always)]
                        || {
                            dropout.mask(uniforms, mask);
                            Dropout::forward(mask, input, output);
                            // Scaling up can overflow.
                            dropout.scaling == DropoutScaling::Inference || kernel::are_finite(output)
                        },
                    )
                }
                (Layer::Dropout { dropout, .. }, Phase::Evaluation { .. }) => {
                    instructions.run(
                        #[inline(always)]
                        || dropout.evaluate(input.numbers(), output),
                    );
                    true
                }
            };
            if !is_finite {
                return Err(NotFinite::of(name.as_str()));
            }
        }
        Ok(())
    }

    /// The last layer's output for the `rows` rows of the last [`forward`](Self::forward): [rows, outputs]. With it, a
    /// buffer of the same shape for the gradient of the loss with respect to it, from which
    /// [`backward`](Self::backward) starts.
    pub fn output(&mut self, rows: usize) -> (&[R], &mut [R]) {
        let last = self.stages.last().expect("a network has an output layer");
        let length = rows * last.width;
        (&last.output[..length], &mut self.flow[0][..length])
    }

    /// The output of each activation layer for the `rows` rows of the last [`forward`](Self::forward), in forward
    /// order: the layer's name, its activation, and [rows, width].
    pub fn activations(&self, rows: usize) -> impl Iterator<Item = (&str, Activation, &[R])> {
        self.stages.iter().filter_map(move |stage| {
            let (name, activation) = match (&stage.layer, &stage.activation) {
                (Layer::Activation(activation), _) => (&stage.name, *activation),
                (_, Some((name, activation))) => (name, *activation),
                (_, None) => return None,
            };
            Some((name.as_str(), activation, &stage.output[..rows * stage.width]))
        })
    }

    /// Writes the gradient of the loss with respect to every parameter to `gradients`, starting from the gradient with
    /// respect to the [`output`](Self::output). The last forward pass must have been a training pass on `x: [rows,
    /// inputs]`.
    pub fn backward<'x>(&mut self, parameters: &[R], x: impl Into<MatrixValues<'x, R>>, gradients: &mut [R])
    where
        R: 'x,
    {
        let x = x.into();
        let (rows, instructions) = (x.len() / self.inputs, self.instructions);
        let [dy, dx] = &mut self.flow;
        for index in (self.first_trained..self.stages.len()).rev() {
            let (before, rest) = self.stages.split_at_mut(index);
            let Stage { layer, activation, width, output, .. } = &mut rest[0];
            let output = &output[..rows * *width];
            let input = before.last().map_or(x, |stage| MatrixValues::Numbers(&stage.output[..rows * stage.width]));
            let dy_stage = &mut dy[..rows * *width];
            if let Some((_, activation)) = activation {
                instructions.run(
                    #[inline(always)]
                    || activation.backward(output, output, dy_stage),
                );
            }
            match layer {
                Layer::Activation(activation) => instructions.run(
                    #[inline(always)]
                    || activation.backward(input.numbers(), output, dy_stage),
                ),
                Layer::Dropout { mask, .. } => instructions.run(
                    #[inline(always)]
                    || Dropout::backward(mask, dy_stage),
                ),
                Layer::BatchNorm(norm) => instructions.run(
                    #[inline(always)]
                    || norm.backward(parameters, dy_stage, gradients),
                ),
                Layer::Affine(affine) => {
                    affine.parameter_gradients(instructions, input, dy_stage, gradients);
                    // Earlier stages have no parameters and need no gradient.
                    if index > self.first_trained {
                        affine.input_gradient(instructions, parameters, dy_stage, &mut dx[..input.len()]);
                        std::mem::swap(dy, dx);
                    }
                }
            }
        }
    }
}
