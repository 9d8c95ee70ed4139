//! paribus, *ceteris paribus*: all other things equal.
//!
//! One TOML file becomes many small neural-network trainings that differ only in what the file says should differ. They
//! run in parallel with fixed seeds, and their results are written to Parquet.
//!
//! # The map
//!
//! Data flows one way: text → tree → plan → runs → steps → rows → Parquet. Each module imports only from those above
//! it.
//!
//! | module | what it is |
//! |---|---|
//! | [`number`] | numbers that carry proof of their range |
//! | [`real`] | `f32` and `f64` behind one trait; elementary functions with the same bits everywhere |
//! | [`sample`] | shares of many values, estimated from a sample |
//! | `forms` | values that the file writes in more than one way |
//! | `one_table` | structs whose fields share one table of the file |
//! | [`shell`] | arguments quoted for a shell |
//! | [`value`] | TOML text as a tree of values with locations, axes and mistakes; knows no section |
//! | [`settings`] | a run's settings as one sorted map; ids |
//! | [`seed`] | seeds and random streams |
//! | [`batches`] | which rows make up the batch of a step |
//! | [`random`] | where a run takes its random numbers from: streams of its own, or a NumPy script |
//! | [`kernel`] | matrix products, whole or skipping zeros, and sums; which instructions of the processor are used |
//! | [`function`] | functions of two variables, to watch an optimizer descend |
//! | [`data`] | data sources, and the rows that a network is fed |
//! | [`nn`] | layers, activations, initialization, loss, penalties |
//! | [`optim`] | optimizers, one file each |
//! | [`record`] | what is measured, and when |
//! | [`lint`] | the names of warnings |
//! | [`spec`] | one run, fully typed |
//! | [`train`] | one run, from specification to outcome |
//! | [`store`] | tables, the commit protocol, the archive |
//! | [`mod@file`] | the experiment file |
//! | [`plan`] | file → runs with ids, labels and costs |
//! | [`runner`] | many jobs on a pool of threads; the last jobs take turns |
//! | [`cli`] | subcommands, progress, logs |
//!
//! # Invariants
//!
//! - `nn`, `optim` and `train` do no I/O; `store` takes ids and rows, never plans.
//! - A run records the same bits regardless of the number of threads, their order, and earlier results. Random numbers
//!   are keyed by (seed, purpose, position), never by the run. The one exception is a NumPy script, which draws
//!   everything from one stream ([`random`]).
//! - A run is committed when its row in `runs/` is. Nothing that is committed is lost, and no id is stored twice.
//! - Each module owns its part of the file's format (a serde type), next to the code that implements it.
//! - An optimizer, a layer, a data source or a subcommand is one file of its own, plus a few lines in the other files
//!   that CONTRIBUTING.md lists. A new setting also gets a column.
//! - A mistake in the input is a value with a location; a panic is a bug.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

pub mod batches;
pub mod cli;
pub mod data;
pub mod file;
mod forms;
pub mod function;
#[allow(unsafe_code, reason = "instructions beyond the baseline; each use says why")]
pub mod kernel;
pub mod lint;
pub mod nn;
pub mod number;
mod one_table;
pub mod optim;
pub mod plan;
pub mod random;
pub mod real;
pub mod record;
pub mod runner;
pub mod sample;
pub mod seed;
pub mod settings;
pub mod shell;
pub mod spec;
pub mod store;
pub mod train;
pub mod value;
