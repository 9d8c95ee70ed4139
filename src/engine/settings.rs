//! Settings: what a run *is*, as one sorted map from short names to scalars.
//!
//! Ids, columns, labels and diffs depend only on the settings, which are written from the lowered
//! [`RunSpec`](crate::spec::RunSpec). Two files with the same meaning have the same settings, however they are written.

mod fields;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use self::fields::SettingsSerializer;
use crate::number::shortest;
use crate::seed::Seed;

/// The version of everything that determines a recorded value: arithmetic, random streams, formulas, defaults in code.
/// It is part of every id, so changing it retrains everything.
pub const NUMERICS_VERSION: u32 = 1;

/// The settings that determine how long a run lasts and what it records, but not its trajectory; sorted.
pub const NOT_IN_TRAJECTORY: [&str; 17] = [
    "evaluate_every",
    "evaluate_on",
    "gradient_checks_at",
    "gradient_checks_h",
    "gradient_checks_parameters",
    "gradient_checks_rows",
    "histograms_at",
    "histograms_bins",
    "histograms_high",
    "histograms_low",
    "histograms_of",
    "histograms_rows",
    "layers_every",
    "layers_what",
    "loss_at",
    "loss_every",
    "steps",
];

/// The value of one setting. JSON preserves its type: integers have no decimal point, floats always have one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
}

impl fmt::Display for Scalar {
    /// The format of labels and listings: the shortest digits that read back as the same number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Float(value) => f.write_str(&shortest(*value)),
            Self::Text(value) => f.write_str(value),
        }
    }
}

impl From<bool> for Scalar {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u64> for Scalar {
    /// Counts and seeds; both fit Parquet's `Int64` (see [`Count`](crate::number::Count), [`Seed`]).
    fn from(value: u64) -> Self {
        Self::Int(i64::try_from(value).expect("counts and seeds are below 2^63"))
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
    /// The setting in which runs of the same cell differ.
    pub const SEED: &str = "seed";

    /// Sets `name`. Each name may be set only once: two components that claim the same name are a bug.
    ///
    /// # Panics
    /// If `name` is set already, because the id would be wrong.
    pub fn set(&mut self, name: &'static str, value: impl Into<Scalar>) {
        let before = self.0.insert(name, value.into());
        assert!(before.is_none(), "setting `{name}` is written twice");
    }

    /// Sets a value as the experiment file writes it: a scalar under `name`; an enum as the name of its variant; and
    /// every field that is not `None` under the name that `called` gives it.
    ///
    /// # Panics
    /// If a field is not a scalar, and as [`set`](Self::set).
    pub fn set_written(
        &mut self,
        name: &'static str,
        value: &impl Serialize,
        called: fn(&'static str) -> &'static str,
    ) {
        value.serialize(SettingsSerializer { settings: self, called, name }).expect("settings are scalars");
    }

    /// Replaces the seed.
    pub fn set_seed(&mut self, seed: Seed) {
        self.0.insert(Self::SEED, seed.get().into());
    }

    /// Removes the seed.
    pub fn remove_seed(&mut self) {
        self.0.remove(Self::SEED);
    }

    /// The value of `name`, if the run has that setting.
    pub fn get(&self, name: &str) -> Option<&Scalar> {
        self.0.get(name)
    }

    /// All settings, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Scalar)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }

    /// The id of the run with these settings on data with this fingerprint.
    pub fn run_id(&self, data_fingerprint: &str) -> RunId {
        run_id(self.iter(), data_fingerprint)
    }

    /// The id of the trajectory: the same for runs that differ only in length or in what they record.
    pub fn trajectory_id(&self, data_fingerprint: &str) -> RunId {
        let settings = self.iter().filter(|(name, _)| NOT_IN_TRAJECTORY.binary_search(name).is_err());
        id("paribus trajectory", settings, data_fingerprint)
    }

    /// The identity of the run with these settings on data with this fingerprint.
    pub fn into_identity(self, data_fingerprint: &str) -> Identity {
        Identity {
            trajectory_id: self.trajectory_id(data_fingerprint),
            settings: self.0.into_iter().map(|(name, value)| (name.into(), value)).collect(),
            data_fingerprint: data_fingerprint.to_owned(),
            numerics_version: NUMERICS_VERSION,
        }
    }
}

/// What identifies a planned or stored run: everything that its id is a hash of.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// The same for runs that differ only in length or in what they record.
    pub trajectory_id: RunId,
    /// By name, including `seed`. A stored run may have settings that this version of the program does not know.
    pub settings: BTreeMap<Cow<'static, str>, Scalar>,
    pub data_fingerprint: String,
    pub numerics_version: u32,
}

impl Identity {
    /// The names of the settings that differ, sorted, with the value in each of the two.
    pub fn differences<'s>(&'s self, other: &'s Self) -> Vec<(&'s str, [Option<&'s Scalar>; 2])> {
        let names: BTreeSet<&str> = self.settings.keys().chain(other.settings.keys()).map(Cow::as_ref).collect();
        let both = names.into_iter().map(|name| (name, [self, other].map(|identity| identity.settings.get(name))));
        both.filter(|(_, [a, b])| a != b).collect()
    }
}

/// The id of the run with these settings, sorted by name, on data with this fingerprint.
pub fn run_id<'n, 's>(settings: impl Iterator<Item = (&'n str, &'s Scalar)>, data_fingerprint: &str) -> RunId {
    id("paribus run", settings, data_fingerprint)
}

/// blake3 over `what`, the numerics version, the fingerprint and the settings. Every text is preceded by its length and
/// every value by a letter for its type; numbers are little-endian.
fn id<'n, 's>(what: &str, settings: impl Iterator<Item = (&'n str, &'s Scalar)>, data_fingerprint: &str) -> RunId {
    fn text(bytes: &mut Vec<u8>, text: &str) {
        bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    // Hashed in one call: a hasher is slow on a few bytes at a time.
    let mut bytes = Vec::with_capacity(2048);
    text(&mut bytes, what);
    bytes.extend_from_slice(&NUMERICS_VERSION.to_le_bytes());
    text(&mut bytes, data_fingerprint);
    for (name, value) in settings {
        text(&mut bytes, name);
        match value {
            Scalar::Bool(value) => bytes.extend_from_slice(&[b'b', u8::from(*value)]),
            Scalar::Int(value) => {
                bytes.push(b'i');
                bytes.extend_from_slice(&value.to_le_bytes());
            }
            Scalar::Float(value) => {
                bytes.push(b'f');
                bytes.extend_from_slice(&value.to_bits().to_le_bytes());
            }
            Scalar::Text(value) => {
                bytes.push(b't');
                text(&mut bytes, value);
            }
        };
    }
    let mut id = [0; 8];
    id.copy_from_slice(&blake3::hash(&bytes).as_bytes()[..8]);
    RunId(id)
}

/// Identifies a run: the first 16 hexadecimal digits of the hash of its settings.
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
        let is_hexadecimal = text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        match u64::from_str_radix(text, 16) {
            Ok(value) if is_hexadecimal => Ok(Self(value.to_be_bytes())),
            _ => Err(InvalidRunId(text.to_owned())),
        }
    }
}

/// A text that is not a run id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a run id: 16 digits from 0 to 9 and a to f are expected")]
pub struct InvalidRunId(String);

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    fn settings(pairs: &[(&'static str, Scalar)]) -> Settings {
        let mut settings = Settings::default();
        for (name, value) in pairs {
            settings.set(name, value.clone());
        }
        settings
    }

    /// Made by `tests/goldens/ids.py`.
    #[derive(Deserialize)]
    struct Goldens {
        numerics_version: u32,
        run: Vec<Golden>,
    }

    #[derive(Deserialize)]
    struct Golden {
        fingerprint: String,
        run_id: String,
        trajectory_id: String,
        settings: BTreeMap<String, toml::Value>,
    }

    #[test]
    fn ids_are_those_of_the_script() {
        let goldens: Goldens = toml::from_str(include_str!("../../tests/goldens/ids.toml")).unwrap();
        assert_eq!(goldens.numerics_version, NUMERICS_VERSION, "make the golden ids again for this numerics version");
        for golden in goldens.run {
            let mut settings = Settings::default();
            for (name, value) in golden.settings {
                let value = match value {
                    toml::Value::Boolean(value) => Scalar::Bool(value),
                    toml::Value::Integer(value) => Scalar::Int(value),
                    toml::Value::Float(value) => Scalar::Float(value),
                    toml::Value::String(value) => Scalar::Text(value),
                    other => panic!("{other:?} is no setting"),
                };
                settings.set(name.leak(), value);
            }
            assert_eq!(settings.run_id(&golden.fingerprint).to_string(), golden.run_id);
            assert_eq!(settings.trajectory_id(&golden.fingerprint).to_string(), golden.trajectory_id);
        }
    }

    #[test]
    fn what_is_not_in_a_trajectory_is_sorted() {
        assert!(NOT_IN_TRAJECTORY.is_sorted());
    }

    #[test]
    fn the_data_is_part_of_both_ids() {
        let settings = settings(&[("lr", 0.01.into())]);
        assert_ne!(settings.run_id("one"), settings.run_id("other"));
        assert_ne!(settings.trajectory_id("one"), settings.trajectory_id("other"));
    }

    #[test]
    fn length_and_records_are_in_the_run_but_not_in_its_trajectory() {
        let base = settings(&[("lr", 0.01.into())]);
        for name in NOT_IN_TRAJECTORY {
            let longer = settings(&[("lr", 0.01.into()), (name, 7_u64.into())]);
            assert_eq!(longer.trajectory_id("data"), base.trajectory_id("data"), "{name}");
            assert_ne!(longer.run_id("data"), base.run_id("data"), "{name}");
        }
        for name in ["batch_size", "seed", "weight_decay"] {
            let other = settings(&[("lr", 0.01.into()), (name, 7_u64.into())]);
            assert_ne!(other.trajectory_id("data"), base.trajectory_id("data"), "{name}");
        }
    }

    #[test]
    fn names_and_values_do_not_run_into_each_other() {
        let text = |value: &str| Scalar::from(value);
        let alike = [
            settings(&[("ab", text("c"))]),
            settings(&[("a", text("bc"))]),
            settings(&[("a", text("b")), ("c", text(""))]),
            settings(&[("a", text("")), ("b", text("c"))]),
            settings(&[("abc", text(""))]),
            settings(&[("a", text("0"))]),
            settings(&[("a", Scalar::Int(0))]),
            settings(&[("a", Scalar::Float(0.0))]),
            settings(&[("a", Scalar::Float(-0.0))]),
            settings(&[("a", Scalar::Bool(false))]),
            settings(&[]),
        ];
        let mut ids: Vec<_> = alike.iter().map(|settings| settings.run_id("data")).collect();
        ids.push(settings(&[("b", text("c"))]).run_id("dataa"));
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), alike.len() + 1);
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "setting `lr` is written twice")]
    fn a_name_is_set_once() {
        settings(&[("lr", 0.1.into()), ("lr", 0.2.into())]);
    }

    #[test]
    fn scalars_read_as_labels_write_them() {
        let written = |value: f64| Scalar::from(value).to_string();
        assert_eq!(written(0.0), "0");
        assert_eq!(written(0.01), "0.01");
        assert_eq!(written(1e-4), "0.0001");
        assert_eq!(written(1.66e-5), "1.66e-5");
        assert_eq!(written(-2e-7), "-2e-7");
        assert_eq!(written(1234567.5), "1234567.5");
        assert_eq!(written(1e7), "1e7");
        assert_eq!(Scalar::from(true).to_string(), "true");
        assert_eq!(Scalar::from(128_u64).to_string(), "128");
        assert_eq!(Scalar::from("100-100").to_string(), "100-100");
    }

    #[test]
    fn settings_as_json_are_one_object_sorted_by_name() {
        let settings =
            settings(&[("lr", 0.01.into()), ("bias", true.into()), ("steps", 5_u64.into()), ("data", "mnist".into())]);
        assert_eq!(serde_json::to_string(&settings).unwrap(), r#"{"bias":true,"data":"mnist","lr":0.01,"steps":5}"#);
    }

    #[test]
    fn scalars_read_back_from_json() {
        let all = [
            Scalar::from(true),
            Scalar::Int(-7),
            Scalar::from(1.0),
            Scalar::from(1e21),
            Scalar::from(5e-324),
            Scalar::from("100-100"),
        ];
        for scalar in all {
            let text = serde_json::to_string(&scalar).unwrap();
            assert_eq!(serde_json::from_str::<Scalar>(&text).unwrap(), scalar, "{text}");
        }
    }

    #[test]
    fn only_sixteen_lowercase_digits_are_a_run_id() {
        for text in
            ["", "0123456789abcde", "0123456789abcdef0", "0123456789ABCDEF", "+123456789abcdef", "0123456789abcdeg"]
        {
            assert_eq!(text.parse::<RunId>(), Err(InvalidRunId(text.to_owned())));
        }
    }

    const NAMES: [&str; 8] = ["activation", "batch_size", "bias", "eps", "hidden", "lr", "seed", "steps"];

    fn scalar() -> impl Strategy<Value = Scalar> {
        prop_oneof![
            any::<bool>().prop_map(Scalar::Bool),
            any::<i64>().prop_map(Scalar::Int),
            any::<f64>().prop_map(Scalar::Float),
            "[a-z0-9-]{0,8}".prop_map(Scalar::Text),
        ]
    }

    /// Some of the names, in any order, with any values.
    fn pairs() -> impl Strategy<Value = Vec<(&'static str, Scalar)>> {
        prop::sample::subsequence(NAMES.as_slice(), 1..=NAMES.len())
            .prop_shuffle()
            .prop_flat_map(|names| names.into_iter().map(|name| (Just(name), scalar())).collect::<Vec<_>>())
    }

    proptest! {
        #[test]
        fn the_order_of_setting_does_not_matter(
            (pairs, shuffled) in pairs().prop_flat_map(|p| (Just(p.clone()), Just(p).prop_shuffle())),
        ) {
            prop_assert_eq!(settings(&pairs).run_id("data"), settings(&shuffled).run_id("data"));
        }

        #[test]
        fn every_other_value_is_another_run(pairs in pairs(), at: prop::sample::Index, value in scalar()) {
            let mut changed = pairs.clone();
            let at = at.index(pairs.len());
            prop_assume!(changed[at].1 != value);
            changed[at].1 = value;
            prop_assert_ne!(settings(&changed).run_id("data"), settings(&pairs).run_id("data"));
        }

        #[test]
        fn a_setting_more_is_another_run(pairs in pairs(), at: prop::sample::Index) {
            let mut fewer = pairs.clone();
            fewer.remove(at.index(pairs.len()));
            prop_assert_ne!(settings(&fewer).run_id("data"), settings(&pairs).run_id("data"));
        }

        #[test]
        fn every_finite_float_reads_back_from_json(
            value in any::<f64>().prop_filter("JSON has no others", |value| value.is_finite()),
        ) {
            let text = serde_json::to_string(&Scalar::Float(value)).unwrap();
            let Scalar::Float(back) = serde_json::from_str(&text).unwrap() else { panic!("{text}") };
            prop_assert_eq!(back.to_bits(), value.to_bits());
        }

        #[test]
        fn a_run_id_reads_back(digits: [u8; 8]) {
            let id = RunId(digits);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
        }
    }
}
