//! The `[network]` section, and the layers that it describes.

use std::fmt;

use schemars::JsonSchema;
use serde::de::value::{EnumAccessDeserializer, StrDeserializer};
use serde::de::{DeserializeSeed, EnumAccess, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::LayerSpec;
use super::activation::Activation;
use super::dropout::{Dropout, DropoutScaling};
use crate::forms::forms;
use crate::forms::or;
use crate::number::{Count, Ratio, shortest};
use crate::settings::Settings;

/// The `[network]` section: hidden layers that are all alike, or a list of layers.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkSection {
    /// The widths of the hidden layers, from input to output: `[100, 100]`; `[]` is a linear classifier. No default:
    /// this or `layers` is required.
    pub hidden: Option<Vec<Count>>,
    /// The activation after every hidden layer: `"relu"` (the default), `"sigmoid"`, `"tanh"`, `"leaky-relu"`, `"elu"`,
    /// `"gelu"`, `"softplus"` or `"identity"`.
    #[schemars(extend("default" = Activation::default().name()))]
    pub activation: Option<Activation>,
    /// Whether every hidden layer is normalized over the batch, before its activation. Default: false.
    #[schemars(extend("default" = false))]
    pub batch_norm: Option<bool>,
    /// The probability that a hidden unit is dropped in a step, after the activation; or `{ ratio = 0.2, scaling =
    /// "inverted" }`. Default: 0.
    #[schemars(extend("default" = Dropout::default()))]
    pub dropout: Option<Dropout>,
    /// Whether affine layers, including the output layer, add a bias. Default: true.
    #[schemars(extend("default" = true))]
    pub bias: Option<bool>,
    /// The activation after the output layer. Default: `"identity"`.
    #[schemars(extend("default" = Activation::Identity.name()))]
    pub output: Option<Activation>,
    /// All layers, in forward order, in place of every other key. Default: those of `hidden`.
    pub layers: Option<Vec<LayerItem>>,
}

/// One layer of a list: its name, or a table with its `kind`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(remote = "Self", rename_all = "kebab-case")]
#[schemars(transform = or::<Activation>)]
pub enum LayerItem {
    /// y = xW + b, where W is [inputs, outputs]. PyTorch's `Linear` has W transposed.
    Affine(AffineItem),
    /// Each feature to mean 0 and variance 1 over the batch, then y = γx̂ + β (Ioffe & Szegedy 2015, "Batch
    /// Normalization: Accelerating Deep Network Training by Reducing Internal Covariate Shift"). The variance is
    /// biased, ε = 1e-6, and evaluations use running statistics that keep 0.9 of their old values, as in the book. γ
    /// starts at 1, β at 0. PyTorch has ε = 1e-5.
    BatchNorm,
    /// In training, every unit is dropped with the probability `ratio`, drawn anew in every step (Srivastava et al.
    /// 2014, "Dropout: a simple way to prevent neural networks from overfitting").
    Dropout(#[serde(with = "DropoutItem")] Dropout),
    /// Any of them, by its own name.
    #[serde(skip)]
    Activation(Activation),
}

/// The settings of an affine layer in a list.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AffineItem {
    /// How many outputs the layer has. Default, for the last affine layer only: as many as the data needs.
    pub width: Option<Count>,
    /// Whether it adds a bias b. Default: true.
    #[serde(default = "yes")]
    pub bias: bool,
}

fn yes() -> bool {
    true
}

/// The settings of a dropout layer in a list, where a ratio of 0 has to be written.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(remote = "Dropout", deny_unknown_fields)]
struct DropoutItem {
    /// The probability that a unit is dropped.
    ratio: Ratio,
    /// How dropped units are compensated for: `"inference"` (the default) or `"inverted"`.
    #[serde(default)]
    scaling: DropoutScaling,
}

/// The layers of a network whose number of outputs the data determines.
#[derive(Debug, Clone, PartialEq)]
pub enum Model {
    /// Hidden layers that are all alike.
    Stack(Stack),
    /// Layers that do not form a [`Stack`]. The last affine layer has no width.
    List(Vec<LayerItem>),
}

/// For each width an affine layer, then batch normalization if there is one, an activation, and dropout if there is
/// one; at the end an affine layer and, if there is one, the activation of the outputs.
#[derive(Debug, Clone, PartialEq)]
pub struct Stack {
    pub hidden: Vec<Count>,
    pub activation: Activation,
    pub batch_norm: bool,
    pub dropout: Dropout,
    pub bias: bool,
    pub output: Activation,
}

/// Why a section describes no model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The key to change; none if a key is missing.
    pub key: Option<&'static str>,
    /// The key that says the same in another way, if there is one.
    pub same_as: Option<&'static str>,
    pub message: String,
    pub help: &'static str,
}

impl NetworkSection {
    /// The model. A list that `hidden` and its companions could express becomes a [`Stack`]; layers that do nothing are
    /// left out.
    ///
    /// `outputs` is the number that the data needs, if known.
    ///
    /// # Errors
    /// Keys that exclude each other, and a list that fits no data.
    pub fn model(&self, outputs: Option<usize>) -> Result<Model, Vec<Mistake>> {
        let Some(layers) = &self.layers else {
            let Some(hidden) = &self.hidden else {
                return Err(vec![Mistake {
                    key: None,
                    same_as: None,
                    message: "[network] describes no layers".to_owned(),
                    help: "write `hidden = [100, 100]`, the widths of the hidden layers, or `layers = [...]`",
                }]);
            };
            return Ok(Model::Stack(self.stack(hidden.clone())));
        };
        let beside = [
            ("hidden", self.hidden.is_some()),
            ("activation", self.activation.is_some()),
            ("batch_norm", self.batch_norm.is_some()),
            ("dropout", self.dropout.is_some()),
            ("bias", self.bias.is_some()),
            ("output", self.output.is_some()),
        ];
        let mut mistakes: Vec<Mistake> = beside
            .into_iter()
            .filter_map(|(key, is_there)| is_there.then_some(key))
            .map(|key| Mistake {
                key: Some(key),
                same_as: Some("layers"),
                message: format!("`{key}` and `layers` both describe the layers"),
                help: "keep one of them; a list describes all layers in full",
            })
            .collect();
        mistakes.extend(widths_mistake(layers, outputs));
        if mistakes.is_empty() { Ok(Model::of_list(layers)) } else { Err(mistakes) }
    }

    /// The section that describes `model` in full.
    pub fn of(model: &Model) -> Self {
        match model {
            Model::Stack(Stack { hidden, activation, batch_norm, dropout, bias, output }) => Self {
                hidden: Some(hidden.clone()),
                activation: Some(*activation),
                batch_norm: Some(*batch_norm),
                dropout: Some(*dropout),
                bias: Some(*bias),
                output: Some(*output),
                layers: None,
            },
            Model::List(layers) => Self { layers: Some(layers.clone()), ..Self::default() },
        }
    }

    fn stack(&self, hidden: Vec<Count>) -> Stack {
        let between = !hidden.is_empty();
        Stack {
            activation: self.activation.unwrap_or_default(),
            // Without hidden layers, there is nothing to normalize and nothing to drop.
            batch_norm: between && self.batch_norm.unwrap_or(false),
            dropout: self.dropout.filter(|dropout| between && !dropout.is_off()).unwrap_or_default(),
            bias: self.bias.unwrap_or(true),
            output: self.output.unwrap_or(Activation::Identity),
            hidden,
        }
    }
}

/// What is wrong with the widths of a list's affine layers.
fn widths_mistake(layers: &[LayerItem], outputs: Option<usize>) -> Option<Mistake> {
    let mistake = |message: String, help| Some(Mistake { key: Some("layers"), same_as: None, message, help });
    let widths: Vec<Option<Count>> = layers
        .iter()
        .filter_map(|item| match item {
            LayerItem::Affine(AffineItem { width, .. }) => Some(*width),
            _ => None,
        })
        .collect();
    let Some((last, hidden)) = widths.split_last() else {
        return mistake(
            "the list has no affine layer, so there is nothing to train".to_owned(),
            "end it with \"affine\", which has as many outputs as the data needs",
        );
    };
    if let Some(place) = hidden.iter().position(Option::is_none) {
        return mistake(
            format!("affine layer {} of {} has no width", place + 1, widths.len()),
            "write `{ kind = \"affine\", width = 100 }`; only the last affine layer can leave `width` out",
        );
    }
    match (last, outputs) {
        (Some(width), Some(outputs)) if width.as_usize() != outputs => mistake(
            format!("the width of the last affine layer is {}, but the data needs {outputs}", width.get()),
            "leave out its `width`, which the data determines",
        ),
        _ => None,
    }
}

impl Model {
    /// Only an output layer.
    pub fn linear() -> Self {
        Self::Stack(NetworkSection::default().stack(Vec::new()))
    }

    fn of_list(layers: &[LayerItem]) -> Self {
        let mut items: Vec<LayerItem> = layers.iter().copied().filter(|item| !item.does_nothing()).collect();
        let last = items.iter_mut().rev().find_map(|item| match item {
            LayerItem::Affine(AffineItem { width, .. }) => Some(width),
            _ => None,
        });
        if let Some(width) = last {
            *width = None;
        }
        Stack::of_list(&items).map_or(Self::List(items), Self::Stack)
    }

    /// The layers in forward order, for data that needs `outputs` outputs.
    pub fn layers(&self, outputs: usize) -> Vec<LayerSpec> {
        let stack;
        let items = match self {
            Self::Stack(hidden) => {
                stack = hidden.items();
                &stack
            }
            Self::List(items) => items,
        };
        let layer = |item: &LayerItem| match *item {
            LayerItem::Affine(AffineItem { width, bias }) => {
                LayerSpec::Affine { outputs: width.map_or(outputs, Count::as_usize), bias }
            }
            LayerItem::BatchNorm => LayerSpec::BatchNorm,
            LayerItem::Activation(activation) => LayerSpec::Activation(activation),
            LayerItem::Dropout(dropout) => LayerSpec::Dropout(dropout),
        };
        items.iter().map(layer).collect()
    }

    /// Whether a row's output in training depends on the other rows.
    pub fn has_batch_norm(&self) -> bool {
        match self {
            Self::Stack(stack) => stack.batch_norm,
            Self::List(items) => items.contains(&LayerItem::BatchNorm),
        }
    }

    /// Writes `hidden` (`"100-100"`), `activation` with its number, `bias`, and, unless they are neutral, `batch_norm`,
    /// `dropout` and `dropout_scaling`, and `output` with its number; or only `layers`, for layers that those cannot
    /// express.
    pub fn settings(&self, settings: &mut Settings) {
        let stack = match self {
            Self::Stack(stack) => stack,
            Self::List(items) => {
                let layers: Vec<_> = items.iter().map(LayerItem::to_string).collect();
                return settings.set("layers", layers.join(", "));
            }
        };
        let widths: Vec<_> = stack.hidden.iter().map(|width| width.get().to_string()).collect();
        settings.set("hidden", widths.join("-"));
        settings.set_written("activation", &stack.activation, |number| number);
        settings.set("bias", stack.bias);
        if stack.batch_norm {
            settings.set("batch_norm", true);
        }
        if !stack.dropout.is_off() {
            settings.set("dropout", stack.dropout.ratio.get());
            settings.set_written("dropout_scaling", &stack.dropout.scaling, |word| word);
        }
        if stack.output != Activation::Identity {
            settings.set_written("output", &stack.output, |number| match number {
                "slope" => "output_slope",
                "alpha" => "output_alpha",
                own => own,
            });
        }
    }
}

impl Stack {
    fn items(&self) -> Vec<LayerItem> {
        let mut items = Vec::with_capacity(4 * self.hidden.len() + 2);
        for width in &self.hidden {
            items.push(LayerItem::Affine(AffineItem { width: Some(*width), bias: self.bias }));
            items.extend(self.between());
        }
        items.push(LayerItem::Affine(AffineItem { width: None, bias: self.bias }));
        items.push(LayerItem::Activation(self.output));
        items.retain(|item| !item.does_nothing());
        items
    }

    /// What follows each hidden affine layer.
    fn between(&self) -> impl Iterator<Item = LayerItem> {
        let items = [
            self.batch_norm.then_some(LayerItem::BatchNorm),
            Some(LayerItem::Activation(self.activation)),
            Some(LayerItem::Dropout(self.dropout)),
        ];
        items.into_iter().flatten()
    }

    /// The stack with these layers, if there is one. `items` has no layer that does nothing, and its last affine layer
    /// no width.
    fn of_list(items: &[LayerItem]) -> Option<Self> {
        let mut affine = items.iter().filter_map(|item| match item {
            LayerItem::Affine(AffineItem { width, bias }) => Some((*width, *bias)),
            _ => None,
        });
        let bias = affine.clone().next()?.1;
        let hidden: Vec<Count> = affine.by_ref().map_while(|(width, _)| width).collect();
        let section = NetworkSection { bias: Some(bias), ..NetworkSection::default() };
        let mut stack = section.stack(hidden);
        stack.activation = if stack.hidden.is_empty() { Activation::default() } else { Activation::Identity };
        // In a stack, the same layers stand between any two affine layers as between the first two.
        let first_block = items.iter().skip(1).take_while(|item| !matches!(item, LayerItem::Affine(_)));
        for item in first_block.filter(|_| !stack.hidden.is_empty()) {
            match item {
                LayerItem::BatchNorm => stack.batch_norm = true,
                LayerItem::Activation(activation) => stack.activation = *activation,
                LayerItem::Dropout(dropout) => stack.dropout = *dropout,
                _ => {}
            }
        }
        if let Some(LayerItem::Activation(activation)) = items.last() {
            stack.output = *activation;
        }
        (stack.items() == items).then_some(stack)
    }
}

impl LayerItem {
    fn does_nothing(&self) -> bool {
        match self {
            Self::Activation(activation) => *activation == Activation::Identity,
            Self::Dropout(dropout) => dropout.is_off(),
            _ => false,
        }
    }
}

impl fmt::Display for LayerItem {
    /// The form in the setting `layers`: `affine 100`, `dropout 0.5`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Affine(AffineItem { width, bias }) => {
                f.write_str("affine")?;
                if let Some(width) = width {
                    write!(f, " {}", width.get())?;
                }
                f.write_str(if *bias { "" } else { " without bias" })
            }
            Self::BatchNorm => f.write_str("batch-norm"),
            Self::Activation(activation) => {
                f.write_str(activation.name())?;
                activation.number().map_or(Ok(()), |(_, number)| write!(f, " {}", shortest(number)))
            }
            Self::Dropout(Dropout { ratio, scaling }) => {
                let inverted = if *scaling == DropoutScaling::Inverted { "inverted " } else { "" };
                write!(f, "{inverted}dropout {}", shortest(ratio.get()))
            }
        }
    }
}

impl LayerItem {
    const OTHER_NAMES: &[&'static str] = &["affine", "batch-norm", "dropout"];
    /// The names of all layers.
    pub const NAMES: [&'static str; Self::OTHER_NAMES.len() + Activation::NAMES.len()] = {
        let (mut names, others) = ([""; Self::OTHER_NAMES.len() + Activation::NAMES.len()], Self::OTHER_NAMES.len());
        let mut index = 0;
        while index < names.len() {
            names[index] = if index < others { Self::OTHER_NAMES[index] } else { Activation::NAMES[index - others] };
            index += 1;
        }
        names
    };
}

impl Serialize for LayerItem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Activation(activation) => activation.serialize(serializer),
            _ => LayerItem::serialize(self, serializer),
        }
    }
}

forms! {
    LayerItem[LayerItem::NAMES], "the name of a layer, or a table such as { kind = \"affine\", width = 100 }",
    variant: LayerItem::named,
}

impl LayerItem {
    /// The layer with the name that `item` has.
    fn named<'de, A: EnumAccess<'de>>(item: A) -> Result<Self, A::Error> {
        /// One of [`LayerItem::NAMES`].
        struct LayerName(&'static str);

        impl<'de> Deserialize<'de> for LayerName {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let name = String::deserialize(deserializer)?;
                let known = LayerItem::NAMES.into_iter().find(|known| *known == name);
                known.map(Self).ok_or_else(|| D::Error::unknown_variant(&name, &LayerItem::NAMES))
            }
        }

        /// A layer whose name has been read; the type that knows the name reads the rest.
        struct NamedLayer<V>(&'static str, V);

        impl<'de, E: serde::de::Error, V: serde::de::VariantAccess<'de, Error = E>> EnumAccess<'de> for NamedLayer<V> {
            type Error = E;
            type Variant = V;

            fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, V), E> {
                Ok((seed.deserialize(StrDeserializer::<E>::new(self.0))?, self.1))
            }
        }

        let (LayerName(name), content) = item.variant::<LayerName>()?;
        let named = EnumAccessDeserializer::new(NamedLayer(name, content));
        match Self::OTHER_NAMES.contains(&name) {
            true => LayerItem::deserialize(named),
            false => Activation::deserialize(named).map(LayerItem::Activation),
        }
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
impl NetworkSection {
    /// The section with these lines of `[network]`, read as from an experiment file.
    pub fn read(toml: &str) -> Self {
        crate::forms::read(toml)
    }
}

#[cfg(test)]
impl Model {
    /// The model that these lines of `[network]` describe.
    pub fn read(toml: &str) -> Self {
        NetworkSection::read(toml).model(None).unwrap()
    }
}
