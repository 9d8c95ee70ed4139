//! paribus: all other things equal.
pub mod batches;
pub mod data;
pub mod kernel;
pub mod nn;
pub mod number;
pub mod optim;
pub mod real;
pub mod record;
pub mod seed;
pub mod settings;
pub mod spec;
pub mod train;
pub mod value;
