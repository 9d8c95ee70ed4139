//! What a type rejects, as serde reports it, with the node that it rejects.

use std::fmt;

use serde::de::{Error, Expected, Unexpected};

use super::problem::{Problem, did_you_mean, one_of};
use super::{Choice, Entry, Node, NodeId, Origin};

/// Something that a type rejects.
#[derive(Debug)]
pub struct Fault {
    what: What,
    key: Option<String>,
    place: Option<Place>,
}

/// The node to leave out so that reading can go on, and what to underline.
#[derive(Debug)]
struct Place {
    node: NodeId,
    origin: Origin,
}

#[derive(Debug)]
enum What {
    UnknownKey { key: String, expected: Vec<String> },
    UnknownName { found: String, expected: Vec<String> },
    WrongType { found: String, is_list: bool, expected: String },
    Missing { key: String },
    Rejected(String),
}

impl Fault {
    /// The node that was rejected. Every fault of [`deserialize`](super::deserialize::deserialize) has one.
    pub fn node(&self) -> Option<NodeId> {
        self.place.as_ref().map(|place| place.node)
    }

    /// Whether a list stands where none is wanted: the mark of an axis.
    pub fn is_unwanted_list(&self) -> bool {
        matches!(self.what, What::WrongType { is_list: true, .. })
    }

    /// Whether the value is of a type that is not accepted there.
    pub fn is_wrong_type(&self) -> bool {
        matches!(self.what, What::WrongType { .. })
    }

    /// Whether something that is needed is not there.
    pub fn is_missing(&self) -> bool {
        matches!(self.what, What::Missing { .. })
    }

    /// The fault as a person reads it.
    pub fn into_problem(self) -> Problem {
        let of_key = self.key.map(|key| format!("`{key}`: ")).unwrap_or_default();
        let problem = match self.what {
            What::UnknownKey { key, expected } => {
                let known = || expected.iter().map(String::as_str);
                let problem = Problem::new(format!("unknown key `{key}`"));
                let meant = synonym(&key).filter(|name| known().any(|known| known == *name));
                let problem = match meant.or_else(|| did_you_mean(&key, known())) {
                    Some(meant) => problem.label(format!("did you mean `{meant}`?")),
                    None => problem.label("nothing here has this name"),
                };
                match expected.as_slice() {
                    [] => problem.help("no settings are accepted here"),
                    _ => problem.help(format!("accepted here: {}", one_of(known()).replace(" or ", ", "))),
                }
            }
            What::UnknownName { found, expected } => {
                let known = || expected.iter().map(String::as_str);
                let problem = Problem::new(format!("{of_key}`{found}` is not one of the accepted names"));
                let meant = name_synonyms(&found).iter().copied().find(|name| known().any(|known| known == *name));
                let problem = match meant.or_else(|| did_you_mean(&found, known())) {
                    Some(meant) => problem.label(format!("did you mean `{meant}`?")),
                    None => problem.label("unknown name"),
                };
                problem.help(format!("accepted: {}", one_of(known())))
            }
            What::WrongType { found, expected, .. } => {
                let problem = Problem::new(format!("{of_key}expected {expected}, found {found}"));
                let problem = problem.label(format!("expected {expected}"));
                if expected == "a list" {
                    problem.help("a list stands in brackets, such as [100, 100]")
                } else {
                    problem
                }
            }
            What::Missing { key } => Problem::new(format!("`{key}` is missing")).label(format!("`{key}` belongs here")),
            What::Rejected(message) => Problem::new(format!("{of_key}{message}")),
        };
        match self.place {
            Some(place) => problem.at(place.origin),
            None => problem,
        }
    }

    fn new(what: What) -> Self {
        Self { what, key: None, place: None }
    }

    /// The fault, at `node` unless it is known more closely already.
    pub(super) fn at(mut self, node: &Node) -> Self {
        self.place.get_or_insert_with(|| Place { node: node.id, origin: node.origin.clone() });
        self
    }

    /// A key that is none of `expected`.
    pub(super) fn unknown_key(
        entry: &Entry,
        choice: &Choice,
        expected: impl IntoIterator<Item = &'static str>,
    ) -> Self {
        let expected = expected.into_iter().map(str::to_owned).collect();
        Self::new(What::UnknownKey { key: entry.key.clone(), expected }).at_key(entry, choice)
    }

    /// The fault of a key: that is underlined, and what its entry holds under `choice` is left out with it.
    pub(super) fn at_key(mut self, entry: &Entry, choice: &Choice) -> Self {
        let origin = entry.key_origin_under(choice).clone();
        self.place = Some(Place { node: entry.value.chosen(choice).id, origin });
        self
    }

    /// The fault of the value of `entry`.
    pub(super) fn of_key(mut self, entry: &Entry) -> Self {
        self.key.get_or_insert_with(|| entry.key.clone());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.what)
    }
}

impl std::error::Error for Fault {}

impl Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(What::Rejected(message.to_string()))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let is_list = found == Unexpected::Seq;
        let found = match found {
            Unexpected::Bool(value) => format!("`{value}`"),
            Unexpected::Unsigned(value) => format!("the whole number {value}"),
            Unexpected::Signed(value) => format!("the whole number {value}"),
            Unexpected::Float(value) if value.fract() == 0.0 => format!("{value:.1}, which is written with a fraction"),
            Unexpected::Float(value) => format!("the number {value}"),
            Unexpected::Str(value) => format!("the text \"{value}\""),
            Unexpected::Seq => "a list".to_owned(),
            Unexpected::Map => "a table".to_owned(),
            Unexpected::Other(value) => value.to_owned(),
            other => other.to_string(),
        };
        Self::new(What::WrongType { found, is_list, expected: plain_words(&expected.to_string()) })
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_variant(found: &str, expected: &'static [&'static str]) -> Self {
        let expected = expected.iter().map(|&name| name.to_owned()).collect();
        Self::new(What::UnknownName { found: found.to_owned(), expected })
    }

    fn unknown_field(key: &str, expected: &'static [&'static str]) -> Self {
        let expected = expected.iter().map(|&name| name.to_owned()).collect();
        Self::new(What::UnknownKey { key: key.to_owned(), expected })
    }

    fn missing_field(key: &'static str) -> Self {
        Self::new(What::Missing { key: key.to_owned() })
    }
}

/// What other programs and books call a setting.
fn synonym(key: &str) -> Option<&'static str> {
    Some(match key {
        "learning_rate" | "lrate" | "eta" => "lr",
        "l2" | "weight_decay_lambda" => "weight_decay",
        "rho" | "alpha" => "decay",
        "epsilon" => "eps",
        "beta_1" => "beta1",
        "beta_2" => "beta2",
        "weight_decay" => "decoupled_weight_decay",
        "lr_schedule" | "lr_scheduler" | "scheduler" => "schedule",
        "warmup" | "warmup_steps" | "warm_up_steps" | "num_warmup_steps" => "warm_up",
        "gamma" | "decay_rate" => "factor",
        "step_size" | "decay_steps" => "every",
        "T_max" | "total_steps" => "over",
        "eta_min" => "min_lr",
        "pct_start" => "rise",
        "div_factor" => "start_divisor",
        "final_div_factor" => "end_divisor",
        "clipnorm" | "clip_grad_norm" | "max_grad_norm" | "gradient_clip_norm" => "clip_norm",
        "minibatch" | "batch" | "mini_batch_size" => "batch_size",
        "iterations" | "max_iterations" => "steps",
        "layers" | "hidden_size_list" | "hidden_sizes" => "hidden",
        "use_batchnorm" | "batch_normalization" | "bn" => "batch_norm",
        "dropout_ratio" | "dropout_ration" | "use_dropout" => "dropout",
        "nonlinearity" | "activation_function" => "activation",
        "units" | "size" | "neurons" => "width",
        "p" | "rate" => "ratio",
        "negative_slope" => "slope",
        "weight_init_std" => "weights",
        "optimiser" | "optimizers" => "optimizer",
        "model" => "network",
        _ => return None,
    })
}

/// What other programs and books call a value; the first that is accepted where it stands is meant.
fn name_synonyms(name: &str) -> &'static [&'static str] {
    match name {
        "dense" | "fully-connected" | "fc" => &["affine"],
        "linear" | "none" => &["affine", "identity"],
        "bn" | "batch_normalization" | "batch-normalization" => &["batch-norm"],
        "lrelu" | "leaky" => &["leaky-relu"],
        "logistic" => &["sigmoid"],
        "mean-squared-error" | "mean_squared_error" | "squared-error" | "l2" => &["mse"],
        "softmax" | "nll" => &["cross-entropy"],
        "kaiming" => &["he"],
        _ => &[],
    }
}

/// serde's names of types in the words of the documentation.
fn plain_words(expected: &str) -> String {
    match expected {
        "f32" | "f64" => "a number",
        "i8" | "i16" | "i32" | "i64" | "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number",
        "a string" | "string" => "text in quotes",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "a table",
        "variant identifier" => "a name",
        other if other.starts_with("struct ") || other.starts_with("tuple struct ") => "a table",
        other if other.starts_with("enum ") => "a name in quotes",
        other => other,
    }
    .to_owned()
}
