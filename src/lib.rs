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
//! | [`engine`] | one run, from its specification to what it recorded: a package of its own, with its own map |
//! | [`shell`] | arguments quoted for a shell |
//! | [`value`] | TOML text as a tree of values with locations, axes and mistakes; knows nothing of sections |
//! | [`lint`] | the names of warnings |
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
//!   everything from one stream ([`engine::random`]).
//! - A run is committed when its row in `runs/` is. Nothing that is committed is lost, and no id is stored twice.
//! - Each module owns its part of the file's format (a serde type), next to the code that implements it.
//! - An optimizer, a layer, a data source or a subcommand is one file of its own, plus a few lines in the other files
//!   that CONTRIBUTING.md lists. A new setting also gets a column.
//! - A mistake in the input is a value with a location; a panic is a bug.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

pub mod cli;
pub mod file;
pub mod lint;
pub mod plan;
pub mod runner;
pub mod shell;
pub mod store;
pub mod value;
