//! Fingerprints of settings that add up: that of a run is the sum of those of its settings.
//!
//! Where cells have settings in common, so have their sums parts; equal sums tell equal runs without an id for each of them.

use crate::settings::{NUMERICS_VERSION, Scalar};

/// A sum of 128-bit hashes: that two different sets of settings have the same one does not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(u128);

impl Fingerprint {
    /// Of no settings.
    pub const NOTHING: Self = Self(0);

    /// Of one setting.
    pub fn of(name: &str, value: &Scalar) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(name.as_bytes()).update(&[0]);
        match value {
            Scalar::Bool(value) => hasher.update(&[b'b', u8::from(*value)]),
            Scalar::Int(value) => hasher.update(b"i").update(&value.to_le_bytes()),
            Scalar::Float(value) => hasher.update(b"f").update(&value.to_bits().to_le_bytes()),
            Scalar::Text(value) => hasher.update(b"t").update(value.as_bytes()),
        };
        let mut bytes = [0; 16];
        hasher.finalize_xof().fill(&mut bytes);
        Self(u128::from_le_bytes(bytes))
    }

    /// Of data of this fingerprint and a version of the numerics, which are part of what a run is.
    pub fn of_world(data: &str, numerics_version: u32) -> Self {
        Self::of("numerics version", &Scalar::Int(numerics_version.into()))
            .and(Self::of("data fingerprint", &data.into()))
    }

    /// Of this program's runs on data of this fingerprint.
    pub fn of_data(data: &str) -> Self {
        Self::of_world(data, NUMERICS_VERSION)
    }

    /// Of several settings.
    pub fn of_all<'a>(settings: impl IntoIterator<Item = (&'a str, &'a Scalar)>) -> Self {
        settings.into_iter().fold(Self::NOTHING, |sum, (name, value)| sum.and(Self::of(name, value)))
    }

    /// Of all that the two are of.
    pub fn and(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }
}
