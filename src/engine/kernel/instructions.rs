//! The choice of the processor's instructions.

use std::fmt;
use std::sync::OnceLock;

use super::{Element, Lanes};

/// The environment variable that forces an instruction set, to compare speeds; results are the same.
pub const VARIABLE: &str = "PARIBUS_INSTRUCTIONS";

/// The environment variable asks for instructions that this processor does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAvailable(String);

impl fmt::Display for NotAvailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = Instructions::available().into_iter().map(|set| format!("`{}`", set.name())).collect();
        write!(f, "the environment variable {VARIABLE} is `{}`; this processor has {}", self.0, names.join(", "))
    }
}

impl std::error::Error for NotAvailable {}

/// An instruction set that this processor has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instructions(pub(super) InstructionSet);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InstructionSet {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Instructions {
    /// All instruction sets that this processor has, the fastest last. They differ in speed only.
    pub fn available() -> Vec<Self> {
        #[cfg_attr(not(target_arch = "x86_64"), expect(unused_mut, reason = "other processors have one set"))]
        let mut sets = vec![Self(InstructionSet::Portable)];
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
        {
            sets.push(Self(InstructionSet::Avx2));
            if is_x86_feature_detected!("avx512f") {
                sets.push(Self(InstructionSet::Avx512));
            }
        }
        sets
    }

    /// The fastest instruction set that this processor has.
    pub fn fastest() -> Self {
        Self::available().pop().expect("the portable instructions are always there")
    }

    /// The instruction set that trainings use: the one that the environment variable [`VARIABLE`] names, or the fastest
    /// if the variable is unset or empty.
    ///
    /// # Errors
    /// If the variable names none that this processor has.
    pub fn asked_for() -> Result<Self, NotAvailable> {
        match std::env::var_os(VARIABLE).filter(|name| !name.is_empty()) {
            Some(name) => {
                let named = Self::available().into_iter().find(|set| name == set.name());
                named.ok_or_else(|| NotAvailable(name.to_string_lossy().into_owned()))
            }
            None => Ok(Self::fastest()),
        }
    }

    /// [`asked_for`](Self::asked_for), read once; the fastest if that fails.
    pub fn in_use() -> Self {
        static IN_USE: OnceLock<Instructions> = OnceLock::new();
        *IN_USE.get_or_init(|| Self::asked_for().unwrap_or_else(|_| Self::fastest()))
    }

    /// The name in the environment variable.
    const fn name(self) -> &'static str {
        match self.0 {
            InstructionSet::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => "avx512",
        }
    }

    /// Whether a fused multiply-add is a function call here instead of an instruction: products are then correct but
    /// very slow.
    pub fn is_fused_multiply_add_emulated(self) -> bool {
        self.0 == InstructionSet::Portable && !cfg!(any(target_feature = "fma", target_arch = "aarch64"))
    }

    /// Whether a product `width` wide is faster if it skips the zeros of its left factor: rows must be so wide that
    /// their chains do not wait for each other.
    pub fn is_faster_skipping_zeros<R: Element>(self, width: usize) -> bool {
        const fn least<R, V: Lanes<R>>() -> usize {
            (V::FEWEST - 1) * V::LANES
        }
        width
            > match self.0 {
                InstructionSet::Portable => least::<R, [R; 4]>(),
                #[cfg(target_arch = "x86_64")]
                InstructionSet::Avx2 => least::<R, R::Vector256>(),
                #[cfg(target_arch = "x86_64")]
                InstructionSet::Avx512 => least::<R, R::Vector512>(),
            }
    }

    /// Runs `work` compiled for these instructions: loops over numbers become loops over vectors. No operation is fused
    /// or reordered, so the bits are those of any other set.
    ///
    /// `work` and the functions it calls should be `#[inline(always)]`: a function that is not inlined is compiled for
    /// the baseline, correct but slow.
    #[inline]
    pub fn run<T>(self, work: impl FnOnce() -> T) -> T {
        match self.0 {
            InstructionSet::Portable => work(),
            // SAFETY: `Instructions` holds these sets only if the processor was found to have them.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => unsafe { avx2(work) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => unsafe { avx512(work) },
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2<T>(work: impl FnOnce() -> T) -> T {
    work()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
fn avx512<T>(work: impl FnOnce() -> T) -> T {
    work()
}

impl fmt::Display for Instructions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            InstructionSet::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => "AVX2",
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => "AVX-512",
        })
    }
}
