//! Initial parameters.

mod orthogonal;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use self::orthogonal::orthogonalize;
use super::parameters::{ParameterLayout, ParameterRole};
use crate::forms::forms;
use crate::forms::or;
use crate::number::{Finite, OutOfRange, Positive};
use crate::random::{self, Random, ScriptDraws};
use crate::real::Real;
use crate::settings::Settings;

/// The `[init]` section, for every layer, including the output layer.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Init {
    /// How weights are drawn: `"he"` (the default), `"xavier"`, `"glorot"`, `"lecun"`, `"orthogonal"`, `"zeros"`, a
    /// number (the standard deviation of a Gaussian), `{ kind = "normal", std = 0.01 }` or `{ kind = "uniform", bound =
    /// 0.1 }`.
    ///
    /// PyTorch's default for a linear layer is uniform with bound √(1/inputs).
    pub weights: Weights,
    /// The initial value of every bias. Default: 0, as in the book; PyTorch draws biases as it draws weights.
    pub bias: Finite,
}

impl Default for Init {
    fn default() -> Self {
        Self { weights: Weights::He, bias: Finite::new(0.0).expect("zero is finite") }
    }
}

/// How weights are drawn. All Gaussian kinds scale the same draws, so weights drawn with the same seed differ only by a
/// factor.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(remote = "Self", rename_all = "kebab-case")]
#[schemars(transform = or::<Positive>)]
pub enum Weights {
    /// Gaussian with standard deviation √(2/inputs), made for ReLU (He et al. 2015, "Delving deep into rectifiers").
    He,
    /// Gaussian with standard deviation √(1/inputs): Xavier's initialization as the book has it. The same numbers as
    /// `"lecun"`.
    Xavier,
    /// Gaussian with standard deviation √(2/(inputs + outputs)) (Glorot & Bengio 2010, "Understanding the difficulty of
    /// training deep feedforward neural networks").
    Glorot,
    /// Gaussian with standard deviation √(1/inputs) (LeCun et al. 1998, "Efficient BackProp").
    Lecun,
    /// A random orthogonal matrix: a vector that goes through it keeps its length, unless there are fewer outputs than
    /// inputs (Saxe, McClelland & Ganguli 2014, "Exact solutions to the nonlinear dynamics of learning in deep linear
    /// neural networks"). Made from the Gaussian draws, so it varies with the seed.
    Orthogonal,
    /// All weights are zero, so all units of a layer stay equal: the book's example of what not to do.
    Zeros,
    /// Gaussian with a given standard deviation. A plain number means the same.
    Normal(NormalWeights),
    /// Uniform in [−bound, bound). PyTorch's linear layers start like this, with the bound √(1/inputs).
    Uniform(UniformWeights),
}

/// The setting of `"normal"`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NormalWeights {
    /// The standard deviation.
    pub std: Positive,
}

/// The setting of `"uniform"`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UniformWeights {
    /// Weights lie between −bound and bound.
    pub bound: Positive,
}

impl Init {
    /// Writes `weights`, `weight_std` or `weight_bound` if the kind has one, and `init_bias`.
    pub fn settings(&self, settings: &mut Settings) {
        settings.set_written("weights", &self.weights, |field| match field {
            "std" => "weight_std",
            "bound" => "weight_bound",
            own => own,
        });
        settings.set("init_bias", self.bias.get());
    }

    /// Fills `parameters`, laid out as `layout` says. γ is always 1 and β always 0. The k-th weight matrix is drawn
    /// from `random.weights(k)`, row by row, in `f64`, scaled there and rounded once.
    pub fn fill<R: Real>(&self, random: &mut Random, layout: &ParameterLayout, parameters: &mut [R]) {
        let mut matrix = 0;
        for view in layout.views() {
            let values = &mut parameters[view.range.clone()];
            match view.role {
                ParameterRole::Bias => values.fill(R::from_f64(self.bias.get())),
                ParameterRole::Gamma => values.fill(R::one()),
                ParameterRole::Beta | ParameterRole::RunningMean | ParameterRole::RunningVariance => {
                    values.fill(R::zero())
                }
                ParameterRole::Weight => {
                    self.weights.fill(random.weights(matrix), view.shape[0], view.shape[1], values);
                    matrix += 1;
                }
            }
        }
    }
}

impl Weights {
    const KINDS: [&'static str; 8] = ["he", "xavier", "glorot", "lecun", "orthogonal", "zeros", "normal", "uniform"];

    /// What a NumPy script draws for a matrix of [inputs, outputs].
    pub fn draws(self, inputs: usize, outputs: usize) -> ScriptDraws {
        let count = inputs as u64 * outputs as u64;
        match self {
            Self::He | Self::Xavier | Self::Glorot | Self::Lecun | Self::Orthogonal | Self::Normal(_) => {
                ScriptDraws::gaussians(count)
            }
            Self::Uniform(_) => ScriptDraws::uniforms(count),
            Self::Zeros => ScriptDraws::default(),
        }
    }

    fn fill<R: Real>(self, mut drawn: random::WeightGenerator, inputs: usize, outputs: usize, values: &mut [R]) {
        let standard_deviation = match self {
            Self::He => (2.0 / inputs as f64).sqrt(),
            Self::Xavier | Self::Lecun => (1.0 / inputs as f64).sqrt(),
            Self::Glorot => (2.0 / (inputs as f64 + outputs as f64)).sqrt(),
            Self::Orthogonal => {
                let mut exact: Vec<f64> = values.iter().map(|_| drawn.gaussian()).collect();
                orthogonalize(&mut exact, inputs, outputs);
                return values.iter_mut().zip(exact).for_each(|(value, exact)| *value = R::from_f64(exact));
            }
            Self::Normal(normal) => normal.std.get(),
            Self::Zeros => return values.fill(R::zero()),
            Self::Uniform(uniform) => {
                return values.fill_with(|| R::from_f64(drawn.within(uniform.bound.get())));
            }
        };
        values.fill_with(|| R::from_f64(drawn.gaussian() * standard_deviation));
    }
}

impl Serialize for Weights {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Weights::serialize(self, serializer)
    }
}

forms! {
    Weights[Weights::KINDS], "the name of an initialization, or a number: a standard deviation",
    number: |std| match Positive::new(std) {
        Ok(std) => Ok(Weights::Normal(NormalWeights { std })),
        Err(_) => Err(OutOfRange::new(std, "a finite number above 0 (a standard deviation), or \"zeros\"")),
    },
    word: Weights::deserialize,
}

#[cfg(test)]
mod tests {
    use serde::de::IntoDeserializer;
    use serde::de::value::Error;

    use super::*;
    use crate::seed::Seed;

    fn random() -> Random<'static> {
        Random::new(Seed::try_from(3).unwrap(), None)
    }

    /// The weights of a layer with 300 inputs and 100 outputs, the second in its network.
    fn drawn<R: Real>(weights: Weights) -> Vec<R> {
        let mut layout = ParameterLayout::default();
        layout.add("affine1", ParameterRole::Weight, &[2, 300]);
        layout.add("affine1", ParameterRole::Bias, &[300]);
        let range = layout.add("affine2", ParameterRole::Weight, &[300, 100]);
        let mut parameters = vec![R::from_f64(f64::NAN); layout.len()];
        let init = Init { weights, bias: Finite::new(0.25).unwrap() };
        init.fill(&mut random(), &layout, &mut parameters);
        assert!(parameters[600..900].iter().all(|bias| bias.to_f64() == 0.25));
        parameters[range].to_vec()
    }

    fn normal(std: f64) -> Weights {
        Weights::Normal(NormalWeights { std: Positive::new(std).unwrap() })
    }

    #[test]
    fn every_gaussian_kind_has_its_mean_and_spread() {
        for (weights, expected) in [
            (Weights::He, (2.0_f64 / 300.0).sqrt()),
            (Weights::Xavier, (1.0_f64 / 300.0).sqrt()),
            (Weights::Glorot, (2.0_f64 / 400.0).sqrt()),
            (Weights::Lecun, (1.0_f64 / 300.0).sqrt()),
            (normal(0.01), 0.01),
        ] {
            let values = drawn::<f64>(weights);
            let count = values.len() as f64;
            let mean = values.iter().sum::<f64>() / count;
            let std = (values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count).sqrt();
            // Four standard errors of the mean of 30,000 draws.
            assert!(mean.abs() < 4.0 * expected / count.sqrt(), "{weights:?}: mean {mean}");
            assert!((std / expected - 1.0).abs() < 4.0 / (2.0 * count).sqrt(), "{weights:?}: {std}, not {expected}");
        }
    }

    #[test]
    fn uniform_fills_its_interval() {
        let values = drawn::<f64>(Weights::Uniform(UniformWeights { bound: Positive::new(0.1).unwrap() }));
        assert!(values.iter().all(|x| (-0.1..0.1).contains(x)));
        assert!(values.iter().copied().fold(f64::MAX, f64::min) < -0.0999);
        assert!(values.iter().copied().fold(f64::MIN, f64::max) > 0.0999);
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        assert!(mean.abs() < 4.0 * 0.1 / (3.0 * values.len() as f64).sqrt(), "{mean}");
    }

    #[test]
    fn zeros_are_zeros() {
        assert!(drawn::<f32>(Weights::Zeros).iter().all(|x| *x == 0.0));
    }

    #[test]
    fn gaussian_kinds_share_their_draws() {
        let (he, small) = (drawn::<f64>(Weights::He), drawn::<f64>(normal(0.01)));
        let factor = (2.0_f64 / 300.0).sqrt() / 0.01;
        for (he, small) in he.iter().zip(&small) {
            assert!((he / small / factor - 1.0).abs() < 1e-15, "{he} {small}");
        }
        assert_eq!(drawn::<f64>(Weights::Xavier), drawn::<f64>(Weights::Lecun));
    }

    #[test]
    fn single_precision_is_double_rounded_once() {
        for weights in [
            Weights::He,
            normal(0.3),
            Weights::Orthogonal,
            Weights::Uniform(UniformWeights { bound: Positive::new(0.1).unwrap() }),
        ] {
            let rounded: Vec<f32> = drawn::<f64>(weights).iter().map(|x| *x as f32).collect();
            assert_eq!(drawn::<f32>(weights), rounded);
        }
    }

    #[test]
    fn an_orthogonal_matrix_keeps_the_length_of_what_fits() {
        let w = drawn::<f64>(Weights::Orthogonal);
        let squares: f64 = w.chunks(100).map(|row| row.iter().sum::<f64>().powi(2)).sum();
        assert!((squares - 100.0).abs() < 1e-11, "{squares}: the length of 100 ones");
    }

    #[test]
    fn a_layers_draws_do_not_depend_on_the_layers_before_it() {
        let mut layout = ParameterLayout::default();
        layout.add("affine1", ParameterRole::Weight, &[7, 300]);
        let range = layout.add("affine2", ParameterRole::Weight, &[300, 100]);
        let mut parameters = vec![0.0; layout.len()];
        Init::default().fill(&mut random(), &layout, &mut parameters);
        assert_eq!(parameters[range], drawn::<f64>(Weights::He));
    }

    #[test]
    fn a_number_is_a_standard_deviation() {
        fn read<'de, T: IntoDeserializer<'de, Error>>(number: T) -> Result<Weights, Error> {
            <Weights as Deserialize>::deserialize(number.into_deserializer())
        }
        assert_eq!(read(0.01).unwrap(), normal(0.01));
        assert_eq!(read(1_i64).unwrap(), normal(1.0));
        assert_eq!(
            read(0.0).unwrap_err().to_string(),
            "`0` is out of range, expected a finite number above 0 (a standard deviation), or \"zeros\""
        );
    }

    #[test]
    fn every_kind_is_read_by_its_name() {
        for kind in Weights::KINDS {
            let json = match kind {
                "normal" => r#"{ "normal": { "std": 2 } }"#.to_owned(),
                "uniform" => r#"{ "uniform": { "bound": 0.5 } }"#.to_owned(),
                name => format!("\"{name}\""),
            };
            let weights: Weights = serde_json::from_str(&json).unwrap();
            assert!(serde_json::to_string(&weights).unwrap().contains(kind));
        }
        let error = serde_json::from_str::<Weights>("\"hee\"").unwrap_err().to_string();
        assert!(error.starts_with("unknown variant `hee`, expected one of `he`, `xavier`"), "{error}");
    }

    #[test]
    fn settings_hold_the_numbers_that_a_kind_has() {
        let written = |weights| {
            let mut settings = Settings::default();
            Init { weights, ..Init::default() }.settings(&mut settings);
            settings.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
        };
        assert_eq!(written(Weights::He), ["init_bias=0", "weights=he"]);
        assert_eq!(written(normal(0.01)), ["init_bias=0", "weight_std=0.01", "weights=normal"]);
        let uniform = Weights::Uniform(UniformWeights { bound: Positive::new(0.5).unwrap() });
        assert_eq!(written(uniform), ["init_bias=0", "weight_bound=0.5", "weights=uniform"]);
    }
}
