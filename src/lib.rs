//! paribus, *ceteris paribus*: all other things equal.
//!
//! One TOML file becomes many small neural-network trainings that differ only in what the file says should differ; they
//! run in parallel with fixed seeds, and what happened is written to Parquet.
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
//! | [`sample`] | what a few of many values tell of all |
//! | `forms` | values that the file writes in more than one way |
//! | `one_table` | structs whose fields share one table of the file |
//! | [`shell`] | commands as they are typed |
//! | [`value`] | TOML text as a tree of values with places, axes, located mistakes; knows no section |
//! | [`settings`] | what a run is, as one sorted map; ids |
//! | [`seed`] | seeds and random streams |
//! | [`batches`] | which rows make the batch of a step |
//! | [`random`] | where a run takes its random numbers from: streams of its own, or a NumPy script |
//! | [`kernel`] | matrix products, whole or skipping zeros, and sums; which instructions of the processor are used |
//! | [`function`] | functions of two numbers, to watch an optimizer walk over |
//! | [`data`] | where data comes from, and what a network is fed |
//! | [`nn`] | layers, activations, initialization, loss, penalties |
//! | [`optim`] | optimizers, one file each |
//! | [`record`] | what is measured, and when |
//! | [`lint`] | the names of warnings |
//! | [`spec`] | one run, fully typed |
//! | [`train`] | one run, from specification to outcome |
//! | [`store`] | tables, the commit protocol, the archive |
//! | [`mod@file`] | the experiment file |
//! | [`plan`] | file → runs with ids, labels and costs |
//! | [`runner`] | many jobs on a pool of threads, the last of which take turns |
//! | [`cli`] | subcommands, progress, logs |
//!
//! # Invariants
//!
//! - `nn`, `optim` and `train` do no I/O; `store` takes ids and rows, never plans.
//! - A run's recorded values are the same bits whatever the number of threads, their order, or what was there before.
//!   Random numbers are keyed by (seed, purpose, position), never by the run; a NumPy script, which draws all from one
//!   stream, is the one exception ([`random`]).
//! - A run is committed when its row in `runs/` is; nothing that is committed is lost, and no id is ever there twice.
//! - Each module owns its part of the file's format (a serde type) beside what that part does.
//! - An optimizer, a layer, a data source or a subcommand is a file of its own, and a few lines in the few others that
//!   CONTRIBUTING.md names; a setting that nothing else has is a column, too.
//! - A mistake in the input is a value with a place; a panic is a bug.

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
