//! The engine: one run, from its specification to what it recorded.
//!
//! It reads data, trains, and measures; it knows nothing of experiment files, plans and results folders. Each module
//! imports only from those above it.
//!
//! | module | what it is |
//! |---|---|
//! | [`number`] | numbers that carry proof of their range |
//! | [`real`] | `f32` and `f64` behind one trait; elementary functions with the same bits everywhere |
//! | [`sample`] | shares of many values, estimated from a sample |
//! | [`names`] | names in messages: lists and suggestions |
//! | [`mod@forms`] | values that a file can write in more than one way |
//! | `one_table` | structs whose fields share one table of the file |
//! | [`settings`] | a run's settings as one sorted map; ids |
//! | [`seed`] | seeds and random streams |
//! | [`batches`] | which rows make up the batch of a step |
//! | [`random`] | where a run's random numbers come from: its own streams, or a NumPy script |
//! | [`kernel`] | matrix products, dense or skipping zeros, and sums; which instructions of the processor are used |
//! | [`function`] | functions of two variables, to watch an optimizer descend |
//! | [`data`] | data sources, and the rows that a network is fed |
//! | [`nn`] | layers, activations, initialization, loss, penalties |
//! | [`optim`] | optimizers, one file each |
//! | [`record`] | what is measured, and when |
//! | [`spec`] | one run, fully typed |
//! | [`train`] | one run, from specification to outcome |
//!
//! # Invariants
//!
//! - `nn`, `optim` and `train` do no I/O.
//! - A run records the same bits regardless of the number of threads, their order, and earlier results. Random numbers
//!   are keyed by (seed, purpose, position), never by the run. The one exception is a NumPy script, which draws
//!   everything from one stream ([`random`]).
//! - Each module owns its part of the file's format (a serde type), next to the code that implements it.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

pub mod batches;
pub mod data;
pub mod forms;
pub mod function;
#[allow(unsafe_code, reason = "instructions beyond the baseline; each use says why")]
pub mod kernel;
pub mod names;
pub mod nn;
pub mod number;
mod one_table;
pub mod optim;
pub mod random;
pub mod real;
pub mod record;
pub mod sample;
pub mod seed;
pub mod settings;
pub mod spec;
pub mod train;
