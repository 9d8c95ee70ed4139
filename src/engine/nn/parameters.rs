//! The flat buffers: all parameters of a network in one slice, its running statistics in another, and the names of
//! their ranges.

use std::ops::Range;

use crate::kernel::{self, Element};

/// What a number is for. Penalties act on weights only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterRole {
    Weight,
    Bias,
    /// The factor in batch normalization.
    Gamma,
    /// The offset in batch normalization.
    Beta,
    /// The mean that batch normalization subtracts in an evaluation: a running statistic, not a parameter.
    RunningMean,
    /// The variance that it divides by the root of: a running statistic too.
    RunningVariance,
}

impl ParameterRole {
    const fn name(self) -> &'static str {
        match self {
            Self::Weight => "weight",
            Self::Bias => "bias",
            Self::Gamma => "gamma",
            Self::Beta => "beta",
            Self::RunningMean => "running_mean",
            Self::RunningVariance => "running_variance",
        }
    }
}

/// A named range of a flat buffer: of parameters, of their gradients, of one of an optimizer's accumulators, or of
/// running statistics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterView {
    /// Layer and role: `affine1.weight`.
    pub name: String,
    pub range: Range<usize>,
    /// `[inputs, outputs]` for a weight, row-major; `[outputs]` for everything else.
    pub shape: Vec<usize>,
    pub role: ParameterRole,
}

impl ParameterView {
    /// The layer that the range belongs to: `affine1`.
    pub fn layer(&self) -> &str {
        self.name.split_once('.').map_or(&self.name, |(layer, _)| layer)
    }
}

/// The layout of a network's parameters, or of its running statistics, in a flat buffer, layer after layer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParameterLayout {
    views: Vec<ParameterView>,
}

impl ParameterLayout {
    /// Appends room for a layer's numbers of one role, and returns their range.
    ///
    /// # Panics
    /// If the buffer would be longer than the address space.
    pub fn add(&mut self, layer: &str, role: ParameterRole, shape: &[usize]) -> Range<usize> {
        let length = shape.iter().try_fold(1, |product: usize, n| product.checked_mul(*n));
        let end = length.and_then(|length| self.len().checked_add(length));
        let range = self.len()..end.expect("a network's parameters fit into memory");
        let name = format!("{layer}.{}", role.name());
        self.views.push(ParameterView { name, range: range.clone(), shape: shape.to_vec(), role });
        range
    }

    /// How many numbers the buffer holds.
    pub fn len(&self) -> usize {
        self.views.last().map_or(0, |view| view.range.end)
    }

    /// Whether the network has no such numbers.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All ranges in buffer order, without gaps.
    pub fn views(&self) -> &[ParameterView] {
        &self.views
    }

    /// The ranges that penalties act on.
    pub fn weights(&self) -> impl Iterator<Item = &ParameterView> {
        self.views.iter().filter(|view| view.role == ParameterRole::Weight)
    }

    /// The range that holds the number at `place`.
    ///
    /// # Panics
    /// If the buffer is not that long.
    pub fn view_of(&self, place: usize) -> &ParameterView {
        self.views.iter().find(|view| view.range.contains(&place)).expect("the place is in the buffer")
    }

    /// The first range of `values` that holds an infinity or a NaN.
    pub fn first_not_finite<R: Element>(&self, values: &[R]) -> Option<&ParameterView> {
        self.views.iter().find(|view| !kernel::are_finite(&values[view.range.clone()]))
    }
}

/// How many numbers are hashed together.
const AT_ONCE: usize = 1 << 12;

/// The first 16 hexadecimal digits of blake3 over the bits of all numbers, one slice after the other, each number with
/// its lowest byte first. All NaNs hash alike, as processors differ in which NaN an operation gives.
pub fn hash<R: Element>(buffers: &[&[R]]) -> String {
    let mut hasher = blake3::Hasher::new();
    // blake3 hashes thousands of bytes in parallel if it gets them together.
    let mut bytes = Vec::with_capacity(AT_ONCE * size_of::<R>());
    for values in buffers.iter().flat_map(|values| values.chunks(AT_ONCE)) {
        bytes.clear();
        for value in values {
            let value = if value.to_f64().is_nan() { R::from_f64(f64::NAN) } else { *value };
            bytes.extend_from_slice(value.to_le_bytes().as_ref());
        }
        hasher.update(&bytes);
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> ParameterLayout {
        let mut layout = ParameterLayout::default();
        layout.add("affine1", ParameterRole::Weight, &[3, 2]);
        layout.add("affine1", ParameterRole::Bias, &[2]);
        layout.add("affine2", ParameterRole::Weight, &[2, 4]);
        layout
    }

    #[test]
    fn ranges_follow_each_other_without_a_gap() {
        let layout = layout();
        let ranges: Vec<_> = layout.views().iter().map(|view| (view.name.as_str(), view.range.clone())).collect();
        assert_eq!(ranges, [("affine1.weight", 0..6), ("affine1.bias", 6..8), ("affine2.weight", 8..16)]);
        assert_eq!(layout.len(), 16);
        assert_eq!(layout.weights().map(ParameterView::layer).collect::<Vec<_>>(), ["affine1", "affine2"]);
    }

    #[test]
    fn the_first_range_that_is_not_finite_is_named() {
        let layout = layout();
        let mut values = [0.0; 16];
        assert_eq!(layout.first_not_finite(&values), None);
        values[15] = f64::INFINITY;
        assert_eq!(layout.first_not_finite(&values).unwrap().name, "affine2.weight");
        values[7] = f64::NAN;
        assert_eq!(layout.first_not_finite(&values).unwrap().name, "affine1.bias");
    }

    #[test]
    fn a_hash_depends_on_every_bit_and_on_the_precision() {
        // blake3 of the bytes 00 00 80 3f 00 00 00 c0.
        assert_eq!(hash::<f32>(&[&[1.0, -2.0]]), HASH);
        assert_ne!(hash::<f64>(&[&[1.0, -2.0]]), HASH);
        assert_eq!(hash::<f32>(&[&[1.0], &[-2.0], &[]]), HASH);
        assert_ne!(hash::<f32>(&[&[0.0]]), hash::<f32>(&[&[-0.0]]));
        assert_eq!(hash::<f32>(&[&[f32::NAN]]), hash::<f32>(&[&[-f32::NAN]]));
    }

    const HASH: &str = "54847fa2028a3457";
}
