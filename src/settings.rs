//! Settings: what a run *is*, as one sorted map from short names to scalars.
//!
//! Written from the lowered [`RunSpec`](crate::spec::RunSpec), it alone feeds ids, columns, labels and diffs. Two files
//! that mean the same thing have the same settings, however they are written.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

/// The version of everything that decides a recorded value: arithmetic, random streams, formulas, defaults in code.
/// It is part of every id, so a change of it retrains everything.
pub const NUMERICS_VERSION: u32 = 1;

/// The settings that say how long a run lasts and what is written down, but not which path it takes.
pub const NOT_IN_TRAJECTORY: [&str; 5] = ["evaluate_every", "evaluate_on", "loss_at", "loss_every", "steps"];

/// One setting's value.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub enum Scalar {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
}

impl fmt::Display for Scalar {
    /// As labels and listings write it: the shortest digits that read back as the same number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Float(value) if *value != 0.0 && !(1e-4..1e7).contains(&value.abs()) => write!(f, "{value:e}"),
            Self::Float(value) => write!(f, "{value}"),
            Self::Text(value) => f.write_str(value),
        }
    }
}

impl Serialize for Scalar {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Int(value) => serializer.serialize_i64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(value) => serializer.serialize_str(value),
        }
    }
}

impl From<bool> for Scalar {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u64> for Scalar {
    /// Counts and seeds; both fit Parquet's `Int64` (see [`Count`](crate::number::Count), [`Seed`](crate::seed::Seed)).
    fn from(value: u64) -> Self {
        Self::Int(value as i64)
    }
}

impl From<f64> for Scalar {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<&str> for Scalar {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Scalar {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

/// A run's settings, sorted by name.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Settings(BTreeMap<&'static str, Scalar>);

impl Settings {
    /// Sets `name`. A name is set once: two components that claim one name are a bug.
    ///
    /// # Panics
    /// In builds with debug assertions, where `name` is set already.
    pub fn set(&mut self, name: &'static str, value: impl Into<Scalar>) {
        let before = self.0.insert(name, value.into());
        debug_assert!(before.is_none(), "setting `{name}` is written twice");
    }

    /// The value of `name`, where this run has that setting.
    pub fn get(&self, name: &str) -> Option<&Scalar> {
        self.0.get(name)
    }

    /// All settings, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Scalar)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }

    /// The id of the run that has these settings on data of this fingerprint.
    pub fn run_id(&self, data_fingerprint: &str) -> RunId {
        self.id(data_fingerprint, |_| true)
    }

    /// The id of the path through weight space: the same for runs that differ only in their length or in what is recorded.
    pub fn trajectory_id(&self, data_fingerprint: &str) -> RunId {
        self.id(data_fingerprint, |name| !NOT_IN_TRAJECTORY.contains(&name))
    }

    /// blake3 over numerics version, fingerprint and settings; every text is preceded by its length, every value by a
    /// letter for its type, every number is little-endian.
    fn id(&self, data_fingerprint: &str, counts: impl Fn(&str) -> bool) -> RunId {
        fn text(hasher: &mut blake3::Hasher, text: &str) {
            hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
        }
        let mut hasher = blake3::Hasher::new();
        text(&mut hasher, "paribus run");
        hasher.update(&NUMERICS_VERSION.to_le_bytes());
        text(&mut hasher, data_fingerprint);
        for (name, value) in self.iter().filter(|(name, _)| counts(name)) {
            text(&mut hasher, name);
            match value {
                Scalar::Bool(value) => hasher.update(&[b'b', u8::from(*value)]),
                Scalar::Int(value) => hasher.update(b"i").update(&value.to_le_bytes()),
                Scalar::Float(value) => hasher.update(b"f").update(&value.to_bits().to_le_bytes()),
                Scalar::Text(value) => {
                    hasher.update(b"t");
                    text(&mut hasher, value);
                    &mut hasher
                }
            };
        }
        let mut id = [0; 8];
        hasher.finalize_xof().fill(&mut id);
        RunId(id)
    }
}

/// Names a run: the first 16 hexadecimal digits of the hash of what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId([u8; 8]);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl std::str::FromStr for RunId {
    type Err = InvalidRunId;

    fn from_str(text: &str) -> Result<Self, InvalidRunId> {
        let digits = text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        match u64::from_str_radix(text, 16) {
            Ok(value) if digits => Ok(Self(value.to_be_bytes())),
            _ => Err(InvalidRunId(text.to_owned())),
        }
    }
}

/// A text that is not a run id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a run id: 16 digits from 0 to 9 and a to f are expected")]
pub struct InvalidRunId(String);
