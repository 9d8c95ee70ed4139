//! Networks: what they are made of ([`Model`], the `[network]` section) and how they compute ([`Network`]).

pub mod activation;
pub mod affine;
pub mod init;
pub mod loss;
pub mod parameters;
pub mod penalty;

use serde::Deserialize;

use self::activation::Activation;
use self::affine::Affine;
pub use self::init::Init;
use self::parameters::Layout;
pub use self::penalty::Regularization;
use crate::kernel::{self, Element, Instructions};
use crate::number::Count;
use crate::settings::Settings;

/// The `[network]` section.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The widths of the hidden layers, from input to output: `[100, 100]`; `[]` is a linear classifier.
    pub hidden: Vec<Count>,
    /// What follows every hidden layer: `"relu"` (the default), `"sigmoid"` or `"tanh"`.
    #[serde(default)]
    pub activation: Activation,
    /// Whether layers add a bias, the output layer too. Default: true.
    #[serde(default = "yes")]
    pub bias: bool,
}

fn yes() -> bool {
    true
}

/// One layer of the list that a [`Model`] stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerSpec {
    Affine { outputs: usize, bias: bool },
    Activation(Activation),
}

impl Model {
    /// The layers in forward order: an affine layer and an activation for each hidden width, then an affine layer with one output
    /// for each class.
    pub fn layers(&self, classes: usize) -> Vec<LayerSpec> {
        let mut layers = Vec::with_capacity(2 * self.hidden.len() + 1);
        for width in &self.hidden {
            layers.push(LayerSpec::Affine { outputs: width.as_usize(), bias: self.bias });
            layers.push(LayerSpec::Activation(self.activation));
        }
        layers.push(LayerSpec::Affine { outputs: classes, bias: self.bias });
        layers
    }

    /// Writes `hidden` (`"100-100"`), `activation` and `bias`.
    pub fn settings(&self, settings: &mut Settings) {
        let widths: Vec<_> = self.hidden.iter().map(|width| width.get().to_string()).collect();
        settings.set("hidden", widths.join("-"));
        settings.set("activation", self.activation.name());
        settings.set("bias", self.bias);
    }
}

/// A number that is not finite, in the output of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotFinite {
    /// The first such layer in forward order: `affine2`.
    pub layer: String,
}

/// Layers with room for what they compute. Parameters and their gradients are the caller's, in flat buffers as
/// [`layout`](Self::layout) says; nothing is allocated after [`new`](Self::new).
#[derive(Debug, Clone)]
pub struct Network<R> {
    instructions: Instructions,
    inputs: usize,
    layout: Layout,
    stages: Vec<Stage<R>>,
    /// The loss's gradient by a layer's output and by its input, in turn: [rows, widest layer] each.
    flow: [Vec<R>; 2],
}

#[derive(Debug, Clone)]
struct Stage<R> {
    name: String,
    layer: Layer,
    width: usize,
    /// [rows, width]
    output: Vec<R>,
}

#[derive(Debug, Clone)]
enum Layer {
    Affine(Affine),
    Activation(Activation),
}

impl<R: Element> Network<R> {
    /// `layers` on `inputs` features, for at most `rows` rows at once.
    ///
    /// # Panics
    /// Where the buffers would be longer than memory can be addressed.
    pub fn new(instructions: Instructions, layers: &[LayerSpec], inputs: usize, rows: usize) -> Self {
        let buffer = |width: usize| vec![R::zero(); rows.checked_mul(width).expect("a batch fits into memory")];
        let mut layout = Layout::default();
        let mut stages: Vec<Stage<R>> = Vec::with_capacity(layers.len());
        for layer in layers {
            let input_width = stages.last().map_or(inputs, |stage| stage.width);
            let same_kind = |stage: &&Stage<R>| match (layer, &stage.layer) {
                (LayerSpec::Affine { .. }, Layer::Affine(_)) => true,
                (LayerSpec::Activation(new), Layer::Activation(old)) => new == old,
                _ => false,
            };
            let number = stages.iter().filter(same_kind).count() + 1;
            let (name, layer, width) = match *layer {
                LayerSpec::Affine { outputs, bias } => {
                    let name = format!("affine{number}");
                    let affine = Affine::new(&name, input_width, outputs, bias, &mut layout);
                    (name, Layer::Affine(affine), outputs)
                }
                LayerSpec::Activation(activation) => {
                    (format!("{}{number}", activation.name()), Layer::Activation(activation), input_width)
                }
            };
            stages.push(Stage { name, layer, width, output: buffer(width) });
        }
        let widest = stages.iter().map(|stage| stage.width).max().unwrap_or(0);
        Self { instructions, inputs, layout, stages, flow: [buffer(widest), buffer(widest)] }
    }

    /// How parameters and gradients lie in their buffers.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Computes every layer's output for `x: [rows, inputs]`.
    ///
    /// # Errors
    /// [`NotFinite`] names the first layer whose output is not finite; the layers behind it are not computed.
    pub fn forward(&mut self, parameters: &[R], x: &[R]) -> Result<(), NotFinite> {
        let rows = x.len() / self.inputs;
        for index in 0..self.stages.len() {
            let (before, rest) = self.stages.split_at_mut(index);
            let Stage { name, layer, width, output } = &mut rest[0];
            let input = before.last().map_or(x, |stage| &stage.output[..rows * stage.width]);
            let output = &mut output[..rows * *width];
            match layer {
                Layer::Affine(affine) => {
                    affine.forward(self.instructions, parameters, input, output);
                    // Activations of finite numbers are finite.
                    if !kernel::all_finite(output) {
                        return Err(NotFinite { layer: name.clone() });
                    }
                }
                Layer::Activation(activation) => activation.forward(input, output),
            }
        }
        Ok(())
    }

    /// The last layer's output for the last `rows` rows that went [`forward`](Self::forward): [rows, classes]; beside it, of the
    /// same shape, the place for the loss's gradient by it, which [`backward`](Self::backward) starts from.
    pub fn output(&mut self, rows: usize) -> (&[R], &mut [R]) {
        let last = self.stages.last().expect("a network has an output layer");
        let length = rows * last.width;
        (&last.output[..length], &mut self.flow[0][..length])
    }

    /// Writes the loss's gradient by every parameter to `gradients`, from the gradient by the [`output`](Self::output) of the
    /// `x: [rows, inputs]` that went forward last.
    pub fn backward(&mut self, parameters: &[R], x: &[R], gradients: &mut [R]) {
        let rows = x.len() / self.inputs;
        let [dy, dx] = &mut self.flow;
        for (index, stage) in self.stages.iter().enumerate().rev() {
            let dy_stage = &mut dy[..rows * stage.width];
            match &stage.layer {
                Layer::Activation(activation) => activation.backward(&stage.output[..rows * stage.width], dy_stage),
                Layer::Affine(affine) => {
                    let input = match index {
                        0 => x,
                        _ => &self.stages[index - 1].output[..rows * self.stages[index - 1].width],
                    };
                    affine.parameter_gradients(self.instructions, input, dy_stage, gradients);
                    // Nobody asks for the gradient by the data.
                    if index > 0 {
                        affine.input_gradient(self.instructions, parameters, dy_stage, &mut dx[..input.len()]);
                        std::mem::swap(dy, dx);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::{Finite, NonNegative};
    use crate::seed::{Purpose, Seed};

    fn model(hidden: &[u64], activation: Activation, bias: bool) -> Model {
        Model { hidden: hidden.iter().map(|width| Count::new(*width).unwrap()).collect(), activation, bias }
    }

    fn seed() -> Seed {
        Seed::try_from(1).unwrap()
    }

    /// Numbers in [−1, 1).
    fn inputs(count: usize) -> Vec<f64> {
        let mut generator = seed().stream(Purpose::Batch).at(9);
        (0..count).map(|_| 2.0 * generator.uniform() - 1.0).collect()
    }

    /// The loss with its penalty, and without the guard of 1e-7, which the gradient leaves out too.
    fn loss(
        network: &mut Network<f64>,
        penalties: Regularization,
        parameters: &[f64],
        x: &[f64],
        labels: &[u16],
    ) -> f64 {
        network.forward(parameters, x).unwrap();
        let classes = network.stages.last().unwrap().width;
        let (output, p) = network.output(labels.len());
        loss::softmax(output, classes, p);
        let losses = p.chunks(classes).zip(labels).map(|(p, label)| -p[usize::from(*label)].ln());
        losses.sum::<f64>() / labels.len() as f64 + penalties.penalty(network.layout(), parameters)
    }

    #[test]
    fn every_gradient_is_the_slope_of_the_loss() {
        const FEATURES: usize = 5;
        const CLASSES: usize = 3;
        let labels = [0, 1, 2, 2, 1, 0, 1];
        let x = inputs(labels.len() * FEATURES);
        let strength = |value| NonNegative::new(value).unwrap();
        let mut checked = 0;
        for activation in [Activation::Relu, Activation::Sigmoid, Activation::Tanh] {
            for hidden in [&[] as &[u64], &[4], &[4, 6], &[6, 4, 5]] {
                for bias in [true, false] {
                    for (weight_decay, l1) in [(0.0, 0.0), (0.1, 0.0), (0.0, 0.1), (0.03, 0.02)] {
                        let regularization =
                            Regularization { weight_decay: strength(weight_decay), l1: strength(l1), clip_norm: None };
                        let layers = model(hidden, activation, bias).layers(CLASSES);
                        let fastest = Instructions::fastest();
                        let mut network = Network::<f64>::new(fastest, &layers, FEATURES, labels.len());
                        let mut parameters = vec![0.0; network.layout().len()];
                        let init = Init { bias: Finite::new(0.05).unwrap(), ..Init::default() };
                        init.fill(seed(), network.layout(), &mut parameters);

                        loss(&mut network, regularization, &parameters, &x, &labels);
                        loss::cross_entropy_gradient(network.output(labels.len()).1, CLASSES, &labels);
                        let mut gradients = vec![f64::NAN; parameters.len()];
                        network.backward(&parameters, &x, &mut gradients);
                        regularization.add_gradients(network.layout(), &parameters, &mut gradients);

                        for (index, gradient) in gradients.iter().enumerate() {
                            let step = 1e-5;
                            let mut at = |value| {
                                let mut parameters = parameters.clone();
                                parameters[index] = value;
                                loss(&mut network, regularization, &parameters, &x, &labels)
                            };
                            let slope = (at(parameters[index] + step) - at(parameters[index] - step)) / (2.0 * step);
                            assert!(
                                (gradient - slope).abs() < 1e-9,
                                "{activation:?} {hidden:?} {bias} {regularization:?} parameter {index}: {gradient}, {slope}"
                            );
                            checked += 1;
                        }
                    }
                }
            }
        }
        assert!(checked > 5000, "{checked}");
    }

    #[test]
    fn the_shorthand_stands_for_a_list_of_layers() {
        let affine = |outputs| LayerSpec::Affine { outputs, bias: false };
        let tanh = LayerSpec::Activation(Activation::Tanh);
        assert_eq!(model(&[], Activation::Tanh, false).layers(10), [affine(10)]);
        assert_eq!(
            model(&[100, 50], Activation::Tanh, false).layers(10),
            [affine(100), tanh, affine(50), tanh, affine(10)]
        );
    }

    #[test]
    fn parameters_are_named_by_layer_and_role() {
        let layers = model(&[4], Activation::Relu, true).layers(3);
        let network = Network::<f32>::new(Instructions::fastest(), &layers, 5, 1);
        let views: Vec<_> =
            network.layout().views().iter().map(|view| (view.name.as_str(), view.shape.as_slice())).collect();
        assert_eq!(
            views,
            [
                ("affine1.weight", [5, 4].as_slice()),
                ("affine1.bias", &[4]),
                ("affine2.weight", &[4, 3]),
                ("affine2.bias", &[3])
            ]
        );
    }

    #[test]
    fn the_first_layer_that_is_not_finite_is_named() {
        let layers = model(&[2, 2], Activation::Relu, false).layers(2);
        let mut network = Network::<f32>::new(Instructions::fastest(), &layers, 2, 1);
        let mut parameters = vec![1.0; 12];
        assert_eq!(network.forward(&parameters, &[1.0, 1.0]), Ok(()));
        parameters[4..8].fill(f32::MAX);
        assert_eq!(network.forward(&parameters, &[1.0, 1.0]), Err(NotFinite { layer: "affine2".to_owned() }));
        parameters[0] = f32::NAN;
        assert_eq!(network.forward(&parameters, &[1.0, 1.0]), Err(NotFinite { layer: "affine1".to_owned() }));
    }

    #[test]
    fn fewer_rows_than_there_is_room_for_give_the_same_bits() {
        let layers = model(&[7, 6], Activation::Sigmoid, true).layers(3);
        let mut network = Network::<f64>::new(Instructions::fastest(), &layers, 5, 20);
        let mut parameters = vec![0.0; network.layout().len()];
        Init::default().fill(seed(), network.layout(), &mut parameters);
        let x = inputs(20 * 5);
        network.forward(&parameters, &x).unwrap();
        let all = network.output(20).0.to_vec();
        for (chunk, expected) in x.chunks(3 * 5).zip(all.chunks(3 * 3)) {
            network.forward(&parameters, chunk).unwrap();
            assert_eq!(network.output(chunk.len() / 5).0, expected);
        }
    }

    #[test]
    fn a_model_says_what_it_accepts() {
        let read = |json| serde_json::from_str::<Model>(json);
        assert_eq!(read(r#"{"hidden": [100]}"#).unwrap(), model(&[100], Activation::Relu, true));
        assert_eq!(
            read(r#"{"hidden": [], "activation": "tanh", "bias": false}"#).unwrap(),
            model(&[], Activation::Tanh, false)
        );
        assert!(read("{}").unwrap_err().to_string().starts_with("missing field `hidden`"));
        assert!(read(r#"{"hidden": [0]}"#).unwrap_err().to_string().contains("a whole number from 1"));
        let mut settings = Settings::default();
        model(&[100, 50], Activation::Relu, true).settings(&mut settings);
        let written: Vec<_> = settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(written, ["activation=relu", "bias=true", "hidden=100-50"]);
    }
}
