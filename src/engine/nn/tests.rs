//! What holds for every network, whatever its layers.

use std::collections::BTreeSet;

use super::activation::{self, LeakyRelu};
use super::loss::{BatchTargets, Objective};
use super::model::LayerItem;
use super::parameters::ParameterRole;
use super::*;
use crate::number::{Finite, Fraction, NonNegative, Ratio};
use crate::random::Random;
use crate::seed::{Generator, Purpose, Seed};

fn seed() -> Seed {
    Seed::try_from(1).unwrap()
}

/// Numbers in [−1, 1).
fn inputs(count: usize) -> Vec<f64> {
    let mut generator = seed().stream(Purpose::Batch).at(9);
    (0..count).map(|_| 2.0 * generator.uniform() - 1.0).collect()
}

fn affine(outputs: usize) -> LayerSpec {
    LayerSpec::Affine { outputs, bias: true }
}

fn dropout(ratio: f64, scaling: DropoutScaling) -> LayerSpec {
    LayerSpec::Dropout(Dropout { ratio: Ratio::new(ratio).unwrap(), scaling })
}

fn layers(network: &str) -> Vec<LayerSpec> {
    Model::read(network).layers(3)
}

/// Draws the same numbers in every pass.
fn draw(layer: u32, uniforms: &mut [f64]) {
    let mut generator = seed().stream(Purpose::Dropout(layer)).at(0);
    uniforms.iter_mut().for_each(|u| *u = Generator::uniform(&mut generator));
}

/// A training pass that leaves the running statistics unchanged.
fn forward<R: Element>(network: &mut Network<R>, parameters: &[R], x: &[R]) -> Result<(), NotFinite> {
    let mut state = vec![R::zero(); network.state_layout().len()];
    network.forward(Phase::Training { state: &mut state, draw: &mut draw }, parameters, x)
}

fn evaluate<R: Element>(network: &mut Network<R>, parameters: &[R], x: &[R]) -> Result<(), NotFinite> {
    let state = vec![R::one(); network.state_layout().len()];
    network.forward(Phase::Evaluation { state: &state }, parameters, x)
}

/// A row of the table of central-difference checks.
struct Case {
    layers: Vec<LayerSpec>,
    objective: Objective,
    targets: BatchTargets<'static, f64>,
    regularization: Regularization,
}

const FEATURES: usize = 5;
const OUTPUTS: usize = 3;
const LABELS: [u16; 7] = [0, 1, 2, 2, 1, 0, 1];
const VALUES: [f64; 21] =
    [0.3, -0.5, 1.5, 0.0, 2.0, -1.0, 0.7, 0.1, 0.2, -0.4, 0.9, 1.1, 0.6, -0.2, 0.8, -1.3, 0.4, 0.0, 0.5, -0.6, 1.0];

impl Case {
    fn new(layers: Vec<LayerSpec>) -> Self {
        Self {
            layers,
            objective: Objective::CrossEntropy,
            targets: BatchTargets::Classes(&LABELS),
            regularization: Regularization::default(),
        }
    }

    /// The loss with its penalty, without the guard of 1e-7, which the gradient leaves out too.
    fn loss(&self, network: &mut Network<f64>, parameters: &[f64], x: &[f64]) -> f64 {
        forward(network, parameters, x).unwrap();
        let (output, comparison) = network.output(LABELS.len());
        self.objective.compare(output, OUTPUTS, self.targets, comparison);
        let sum = match self.objective {
            Objective::CrossEntropy => {
                comparison.chunks(OUTPUTS).zip(LABELS).map(|(p, label)| -p[usize::from(label)].ln()).sum()
            }
            Objective::Mse => self.objective.add_losses(0.0, comparison, OUTPUTS, self.targets),
        };
        sum / LABELS.len() as f64 + self.regularization.penalty(network.layout(), parameters)
    }

    /// Compares every gradient with the slope of the loss; returns the number of gradients.
    fn check(&self) -> usize {
        let x = inputs(LABELS.len() * FEATURES);
        let mut network = Network::<f64>::new(Instructions::fastest(), &self.layers, FEATURES, LABELS.len());
        let mut parameters = vec![0.0; network.layout().len()];
        let init = Init { bias: Finite::new(0.05).unwrap(), ..Init::default() };
        init.fill(&mut Random::new(seed(), None), network.layout(), &mut parameters);
        // γ = 1 and β = 0 would hide errors in their product and sum.
        for view in network
            .layout()
            .views()
            .iter()
            .filter(|view| matches!(view.role, ParameterRole::Gamma | ParameterRole::Beta))
        {
            for (index, value) in parameters[view.range.clone()].iter_mut().enumerate() {
                *value += 0.1 * index as f64 - 0.15;
            }
        }

        self.loss(&mut network, &parameters, &x);
        self.objective.gradient(network.output(LABELS.len()).1, OUTPUTS, self.targets);
        let mut gradients = vec![f64::NAN; parameters.len()];
        network.backward(&parameters, x.as_slice(), &mut gradients);
        self.regularization.add_gradients(network.layout(), &parameters, &mut gradients);

        for (index, gradient) in gradients.iter().enumerate() {
            let mut difference = |step: f64| {
                let mut at = |value| {
                    let mut parameters = parameters.clone();
                    parameters[index] = value;
                    self.loss(&mut network, &parameters, &x)
                };
                at(parameters[index] + step) - at(parameters[index] - step)
            };
            // The cubic term, which is large for a normalized batch, cancels.
            let step = 1e-5;
            let slope = (8.0 * difference(step) - difference(2.0 * step)) / (12.0 * step);
            assert!(
                (gradient - slope).abs() < 1e-9,
                "{:?} {:?} {:?} parameter {index}: {gradient}, {slope}",
                self.layers,
                self.objective,
                self.regularization
            );
        }
        gradients.len()
    }
}

/// Every layer, in every place where it could break something; every objective; every penalty.
fn table() -> Vec<Case> {
    let strength = |value| NonNegative::new(value).unwrap();
    let mut cases = Vec::new();
    for activation in activation::tests::all() {
        let layer = LayerSpec::Activation(activation);
        for widths in [&[] as &[usize], &[4], &[4, 6], &[6, 4, 5]] {
            for bias in [true, false] {
                let affine = |outputs| LayerSpec::Affine { outputs, bias };
                let mut layers: Vec<_> = widths.iter().flat_map(|width| [affine(*width), layer]).collect();
                layers.push(affine(OUTPUTS));
                for (weight_decay, l1) in [(0.0, 0.0), (0.1, 0.0), (0.0, 0.1), (0.03, 0.02)] {
                    let regularization =
                        Regularization { weight_decay: strength(weight_decay), l1: strength(l1), clip_norm: None };
                    cases.push(Case { regularization, ..Case::new(layers.clone()) });
                }
            }
        }
        // On the data, twice in a row, behind a batch normalization and in front of one, and on the outputs.
        let norm = LayerSpec::BatchNorm;
        cases.push(Case::new(vec![layer, affine(4), layer, layer, affine(OUTPUTS)]));
        cases.push(Case::new(vec![affine(6), norm, layer, affine(4), layer, norm, affine(OUTPUTS)]));
        for (objective, targets) in [
            (Objective::CrossEntropy, BatchTargets::Classes(&LABELS)),
            (Objective::Mse, BatchTargets::Classes(&LABELS)),
            (Objective::Mse, BatchTargets::Values(&VALUES)),
        ] {
            let layers = vec![affine(4), layer, affine(OUTPUTS), layer];
            cases.push(Case { objective, targets, ..Case::new(layers) });
        }
    }
    let (norm, tanh) = (LayerSpec::BatchNorm, LayerSpec::Activation(Activation::Tanh));
    let leaky = Activation::LeakyRelu(LeakyRelu { slope: Fraction::new(0.3).unwrap() });
    for scaling in [DropoutScaling::Inference, DropoutScaling::Inverted] {
        let drop = dropout(0.3, scaling);
        for layers in [
            layers("hidden = [6, 5]\nbatch_norm = true\ndropout = 0.3"),
            vec![drop, affine(6), tanh, affine(OUTPUTS)],
            vec![affine(6), tanh, drop, drop, affine(OUTPUTS)],
            vec![affine(6), drop, norm, LayerSpec::Activation(leaky), affine(OUTPUTS)],
            vec![norm, drop, affine(6), tanh, norm, affine(OUTPUTS), norm],
            vec![affine(6), norm, norm, affine(4), affine(OUTPUTS), drop],
            vec![tanh, norm, affine(OUTPUTS)],
        ] {
            for objective in [Objective::CrossEntropy, Objective::Mse] {
                cases.push(Case { objective, ..Case::new(layers.clone()) });
            }
        }
    }
    cases
}

#[test]
fn every_gradient_is_the_slope_of_the_loss() {
    let checked: usize = table().iter().map(Case::check).sum();
    assert!(checked > 15_000, "{checked}");
}

#[test]
fn no_layer_and_no_objective_is_missing_from_the_table() {
    let (table, mut layers, mut objectives) = (table(), BTreeSet::new(), BTreeSet::new());
    for case in &table {
        layers.extend(case.layers.iter().map(|layer| layer.name().replace('_', "-")));
        objectives.insert(case.objective.name());
    }
    assert_eq!(layers, LayerItem::NAMES.map(str::to_owned).into());
    assert_eq!(objectives, Objective::NAMES.into());
}

#[test]
fn parameters_are_named_by_layer_and_role() {
    let layers = [affine(4), LayerSpec::BatchNorm, LayerSpec::Affine { outputs: 3, bias: false }, affine(2)];
    let network = Network::<f32>::new(Instructions::fastest(), &layers, 5, 1);
    let views = |layout: &ParameterLayout| -> Vec<_> {
        layout.views().iter().map(|view| (view.name.clone(), view.shape.clone())).collect()
    };
    let expected = |views: &[(&str, &[usize])]| -> Vec<_> {
        views.iter().map(|(name, shape)| ((*name).to_owned(), shape.to_vec())).collect()
    };
    assert_eq!(
        views(network.layout()),
        expected(&[
            ("affine1.weight", &[5, 4]),
            ("affine1.bias", &[4]),
            ("batch_norm1.gamma", &[4]),
            ("batch_norm1.beta", &[4]),
            ("affine2.weight", &[4, 3]),
            ("affine3.weight", &[3, 2]),
            ("affine3.bias", &[2]),
        ])
    );
    assert_eq!(
        views(network.state_layout()),
        expected(&[("batch_norm1.running_mean", &[4]), ("batch_norm1.running_variance", &[4])])
    );
}

#[test]
fn the_first_layer_that_is_not_finite_is_named() {
    let layers = layers("hidden = [2, 2]\nbias = false");
    let mut network = Network::<f32>::new(Instructions::fastest(), &layers, 2, 1);
    let mut parameters = vec![1.0; 14];
    let not_finite = |layer: &str| Err(NotFinite { layer: layer.to_owned() });
    assert_eq!(forward(&mut network, &parameters, &[1.0, 1.0]), Ok(()));
    parameters[4..8].fill(f32::MAX);
    assert_eq!(forward(&mut network, &parameters, &[1.0, 1.0]), not_finite("affine2"));
    parameters[0] = f32::NAN;
    assert_eq!(evaluate(&mut network, &parameters, &[1.0, 1.0]), not_finite("affine1"));

    let mut norm = Network::<f32>::new(Instructions::fastest(), &[LayerSpec::BatchNorm], 1, 2);
    assert_eq!(forward(&mut norm, &[1.0, 0.0], &[1.0, 2.0]), Ok(()));
    assert_eq!(forward(&mut norm, &[f32::MAX, f32::MAX], &[0.0, 1.0]), not_finite("batch_norm1"));
    assert_eq!(forward(&mut norm, &[1.0, 0.0], &[-1e30, 1e30]), not_finite("batch_norm1"), "the variance");
    assert_eq!(evaluate(&mut norm, &[f32::MAX, 0.0], &[1e3, -1e3]), not_finite("batch_norm1"));

    let mut scaled = Network::<f32>::new(Instructions::fastest(), &[dropout(0.5, DropoutScaling::Inverted)], 8, 1);
    assert_eq!(forward(&mut scaled, &[], &[f32::MAX; 8]), not_finite("dropout1"));
    assert_eq!(evaluate(&mut scaled, &[], &[f32::MAX; 8]), Ok(()));
}

#[test]
fn fewer_rows_than_there_is_room_for_give_the_same_bits() {
    let layers = layers("hidden = [7, 6]\nactivation = \"gelu\"\nbatch_norm = true\ndropout = 0.2");
    let mut network = Network::<f64>::new(Instructions::fastest(), &layers, 5, 20);
    let mut parameters = vec![0.0; network.layout().len()];
    Init::default().fill(&mut Random::new(seed(), None), network.layout(), &mut parameters);
    let x = inputs(20 * 5);
    evaluate(&mut network, &parameters, &x).unwrap();
    let all = network.output(20).0.to_vec();
    for (chunk, expected) in x.chunks(3 * 5).zip(all.chunks(3 * 3)) {
        evaluate(&mut network, &parameters, chunk).unwrap();
        assert_eq!(network.output(chunk.len() / 5).0, expected);
    }

    let mut exact = Network::<f64>::new(Instructions::fastest(), &layers, 5, 3);
    let pass = |network: &mut Network<f64>| {
        forward(network, &parameters, &x[..15]).unwrap();
        let (output, gradient) = network.output(3);
        gradient.copy_from_slice(output);
        let mut gradients = vec![f64::NAN; parameters.len()];
        network.backward(&parameters, &x[..15], &mut gradients);
        gradients
    };
    assert_eq!(pass(&mut network), pass(&mut exact));
}

#[test]
fn dropout_layers_are_counted_and_draw_what_they_need() {
    let drop = dropout(0.5, DropoutScaling::Inference);
    let layers = [drop, affine(4), LayerSpec::Activation(Activation::Relu), drop, affine(2)];
    let mut network = Network::<f64>::new(Instructions::fastest(), &layers, 3, 8);
    let parameters = vec![0.5; network.layout().len()];
    let mut drawn = Vec::new();
    let mut draw = |layer: u32, uniforms: &mut [f64]| {
        drawn.push((layer, uniforms.len()));
        uniforms.fill(0.9);
    };
    network.forward(Phase::Training { state: &mut [], draw: &mut draw }, &parameters, [1.0; 6].as_slice()).unwrap();
    let all_kept = network.output(2).0.to_vec();
    network.forward(Phase::Evaluation { state: &[] }, &parameters, [1.0; 6].as_slice()).unwrap();
    assert_eq!(drawn, [(0, 6), (1, 8)]);
    assert_ne!(network.output(2).0, all_kept);
}

#[test]
fn only_training_moves_the_running_statistics() {
    let mut network = Network::<f64>::new(Instructions::fastest(), &[LayerSpec::BatchNorm], 1, 4);
    let mut state = vec![0.0; 2];
    let x = [1.0, 3.0];
    network.forward(Phase::Training { state: &mut state, draw: &mut draw }, &[1.0, 0.0], x.as_slice()).unwrap();
    assert!((state[0] - 0.2).abs() < 1e-15 && (state[1] - 0.1).abs() < 1e-15, "{state:?}");
    network.forward(Phase::Evaluation { state: &state }, &[1.0, 0.0], x.as_slice()).unwrap();
    let deviation = (state[1] + 1e-6).sqrt();
    assert_eq!(network.output(2).0, [(1.0 - state[0]) / deviation, (3.0 - state[0]) / deviation]);
}
