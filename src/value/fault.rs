//! Errors of serde when a type rejects a value, with the rejected node.

use std::fmt;

use serde::de::{Error, Expected, Unexpected};

use super::problem::{Cause, Problem};
use super::{Choice, Entry, Kind, Node, NodeId, Origin};
use engine::names::{did_you_mean, listed, one_of};

/// Something that a type rejects.
#[derive(Debug)]
pub struct Fault(Box<Rejection>);

#[derive(Debug)]
struct Rejection {
    what: FaultKind,
    key: Option<String>,
    place: Option<Spot>,
    /// The names accepted instead of a value of the wrong type, or for a missing name.
    accepted: &'static [&'static str],
    /// Further help.
    help: Vec<String>,
}

/// The node to leave out so that reading can go on, and what to underline.
#[derive(Debug)]
struct Spot {
    node: NodeId,
    origin: Origin,
}

#[derive(Debug)]
enum FaultKind {
    UnknownKey {
        key: String,
        expected: Vec<&'static str>,
    },
    UnknownName {
        found: String,
        expected: Vec<&'static str>,
        /// Whether it is the name of a table, which can be anything if the table has a `kind`.
        is_of_own: bool,
    },
    WrongType {
        found: String,
        is_list: bool,
        expected: String,
        instead: Option<String>,
    },
    Missing {
        key: String,
    },
    /// The first line says what is wrong, each further line what to do.
    Rejected(String),
}

impl Fault {
    /// The node that was rejected. Every fault of [`deserialize`](super::deserialize::deserialize) has one.
    pub fn node(&self) -> Option<NodeId> {
        self.0.place.as_ref().map(|place| place.node)
    }

    /// Whether a list was found where none is expected: the sign of an axis.
    pub fn is_unwanted_list(&self) -> bool {
        matches!(self.0.what, FaultKind::WrongType { is_list: true, .. })
    }

    /// Whether the value has the wrong type.
    pub fn is_wrong_type(&self) -> bool {
        matches!(self.0.what, FaultKind::WrongType { .. })
    }

    /// Whether something required is missing.
    pub fn is_missing(&self) -> bool {
        matches!(self.0.what, FaultKind::Missing { .. })
    }

    /// The fault as a message for people.
    pub fn into_problem(self) -> Problem {
        let Rejection { what, key, place, accepted, help } = *self.0;
        let of_key = key.as_ref().map(|key| format!("`{key}`: ")).unwrap_or_default();
        let one_of_accepted = (!accepted.is_empty()).then(|| format!("accepted: {}", one_of(accepted.iter().copied())));
        let unfit = |problem: Problem, key: Option<String>| match key {
            Some(key) => Problem { cause: Some(Box::new(Cause::Unfit { key, hints: problem.help.len() })), ..problem },
            None => problem,
        };
        let mut problem = match what {
            FaultKind::UnknownKey { key, expected } => unknown_key(key, expected),
            FaultKind::UnknownName { found, expected, is_of_own } => {
                let known = || expected.iter().copied();
                let mut problem = Problem::new(format!("{of_key}`{found}` is not one of the accepted names"));
                problem = match did_you_mean(&found, known()) {
                    Some(meant) => problem.meaning(meant),
                    None if is_of_own => {
                        problem.label("unknown name").help("a table with a name of your own needs a `kind`")
                    }
                    None => problem.label("unknown name"),
                };
                problem = problem.help(format!("accepted: {}", one_of(known())));
                problem.cause(Cause::UnknownName { name: found, accepted: expected })
            }
            FaultKind::WrongType { found, is_list, expected, instead } => {
                let says_enough = is_list || instead.is_some();
                let mut problem = Problem::new(format!("{of_key}expected {expected}, found {found}"));
                problem.help.extend(instead);
                let says_all = accepted.iter().all(|name| expected.contains(&format!("\"{name}\"")));
                problem.help.extend(one_of_accepted.filter(|_| !says_all));
                unfit(problem.label(format!("expected {expected}")), key.filter(|_| !says_enough))
            }
            FaultKind::Missing { key } => {
                let mut problem = Problem::new(format!("`{key}` is missing")).label(format!("`{key}` belongs here"));
                problem.help.extend(one_of_accepted);
                unfit(problem, Some(key).filter(|_| accepted.is_empty()))
            }
            FaultKind::Rejected(message) => {
                let mut lines = message.lines().map(str::to_owned);
                let mut problem = Problem::new(format!("{of_key}{}", lines.next().unwrap_or_default()));
                problem.help.extend(lines);
                unfit(problem, key)
            }
        };
        problem.help.extend(help);
        match place {
            Some(place) => problem.at(place.origin),
            None => problem,
        }
    }

    fn new(what: FaultKind) -> Self {
        Self(Box::new(Rejection { what, key: None, place: None, accepted: &[], help: Vec::new() }))
    }

    /// The fault at `node`, unless it already has a place.
    pub(super) fn at(mut self, node: &Node) -> Self {
        self.0.place.get_or_insert_with(|| Spot { node: node.id, origin: node.origin.clone() });
        self
    }

    /// The same fault; names in `accepted` would be accepted.
    pub(super) fn accepting(mut self, accepted: &'static [&'static str]) -> Self {
        if self.0.accepted.is_empty() && self.0.key.is_none() {
            self.0.accepted = accepted;
        }
        self
    }

    /// The same fault of `node`, which was read as `wanted`.
    pub(super) fn wanting(mut self, wanted: ExpectedType, node: &Node) -> Self {
        if let (FaultKind::WrongType { instead, .. }, Some(place)) = (&mut self.0.what, &self.0.place)
            && place.node == node.id
        {
            *instead = wanted.instead_of(&node.kind);
        }
        self
    }

    /// The same fault, with another hint.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help.push(help.into());
        self
    }

    /// The same fault; the name is a table's name, which can be anything if the table has a `kind`.
    pub(super) fn of_own_name(mut self) -> Self {
        if let FaultKind::UnknownName { is_of_own, .. } = &mut self.0.what {
            *is_of_own = true;
        }
        self
    }

    /// The fault of a key that is not in `expected`.
    pub(super) fn unknown_key(
        entry: &Entry,
        choice: &Choice,
        expected: impl IntoIterator<Item = &'static str>,
    ) -> Self {
        let expected = expected.into_iter().collect();
        Self::new(FaultKind::UnknownKey { key: entry.key.clone(), expected }).at_key(entry, choice)
    }

    /// The same fault, of a key: the key is underlined, and its value under `choice` is left out.
    pub(super) fn at_key(mut self, entry: &Entry, choice: &Choice) -> Self {
        let origin = entry.key_origin_under(choice).clone();
        self.0.place = Some(Spot { node: entry.value.chosen(choice).id, origin });
        self
    }

    /// The same fault, of the value of `entry`.
    pub(super) fn of_key(mut self, entry: &Entry) -> Self {
        self.0.key.get_or_insert_with(|| entry.key.clone());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.what)
    }
}

impl std::error::Error for Fault {}

impl Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(FaultKind::Rejected(message.to_string()))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let is_list = found == Unexpected::Seq;
        let expected = plain_words(&expected.to_string());
        let found = match found {
            Unexpected::Bool(value) => format!("`{value}`"),
            Unexpected::Unsigned(value) => format!("the whole number {value}"),
            Unexpected::Signed(value) => format!("the whole number {value}"),
            Unexpected::Float(value) if value.fract() == 0.0 => {
                format!("{value:.1}, which is not written as a whole number")
            }
            Unexpected::Float(value) => format!("the number {value}"),
            Unexpected::Str(value) => format!("the text \"{value}\""),
            Unexpected::Seq => "a list".to_owned(),
            Unexpected::Map => "a table".to_owned(),
            Unexpected::Other(value) => value.to_owned(),
            other => other.to_string(),
        };
        Self::new(FaultKind::WrongType { found, is_list, expected, instead: None })
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_variant(found: &str, expected: &'static [&'static str]) -> Self {
        Self::new(FaultKind::UnknownName { found: found.to_owned(), expected: expected.to_vec(), is_of_own: false })
    }

    fn unknown_field(key: &str, expected: &'static [&'static str]) -> Self {
        Self::new(FaultKind::UnknownKey { key: key.to_owned(), expected: expected.to_vec() })
    }

    fn missing_field(key: &'static str) -> Self {
        Self::new(FaultKind::Missing { key: key.to_owned() })
    }
}

/// The problem of a key that is not in `accepted`.
fn unknown_key(key: String, accepted: Vec<&'static str>) -> Problem {
    let meant = did_you_mean(&key, accepted.iter().copied());
    let problem = Problem::new(format!("unknown key `{key}`"));
    let problem = match meant {
        Some(meant) => problem.meaning(meant),
        None => problem.label("no key here has this name"),
    };
    let problem = problem.help(match accepted.as_slice() {
        [] => "no settings are accepted here".to_owned(),
        accepted => format!("accepted here: {}", listed(accepted.iter().copied(), ",")),
    });
    problem.cause(Cause::UnknownKey { key, accepted, meant })
}

/// The expected type of a value, for hints about values of other types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ExpectedType {
    Number,
    Whole,
    Flag,
    List,
}

impl ExpectedType {
    /// How to write `found` as the expected type, if that is clear.
    fn instead_of(self, found: &Kind) -> Option<String> {
        let is_number = matches!(self, Self::Number | Self::Whole);
        match found {
            Kind::Text(text) if is_number => {
                let number: f64 = text.replace(['_', ','], "").trim().parse().ok()?;
                let number = number.is_finite().then(|| text.trim().replace(',', "_"))?;
                Some(format!("write numbers without quotes: `{number}`"))
            }
            Kind::Text(text) if self == Self::Flag => {
                let is_flag = matches!(text.as_str(), "true" | "false" | "True" | "False");
                is_flag.then(|| "write true and false without quotes".to_owned())
            }
            Kind::Float(number) if self == Self::Whole && number.fract() == 0.0 && number.abs() < 1e15 => {
                Some(format!("write `{number}`"))
            }
            Kind::Int(number) if self == Self::List => Some(format!("write a list in brackets: `[{number}]`")),
            Kind::Text(text) if self == Self::List => {
                let numbers: Option<Vec<u64>> =
                    text.split(['-', ',', ' ', 'x']).map(|part| part.parse().ok()).collect();
                Some(match numbers {
                    Some(numbers) => format!("write a list in brackets: `{numbers:?}`"),
                    None => format!("write a list in brackets: `[\"{text}\"]`"),
                })
            }
            _ if self == Self::List => Some("write a list in brackets, such as [100, 100]".to_owned()),
            Kind::Table(_) if is_number => Some(
                "tables that are accepted for a number: `{ linspace = [0.1, 1, 10] }`, `{ geomspace = [1e-4, 1, 5] }`, \
                 and for random numbers `{ uniform = [0, 1] }`, `{ log_uniform = [1e-4, 1] }`, \
                 `{ int_uniform = [1, 9] }`, `{ choice = [1, 2] }`"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

/// serde's names of types, in words of the documentation.
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
