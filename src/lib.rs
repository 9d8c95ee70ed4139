//! paribus: all other things equal.
pub mod data;
pub mod number;
pub mod optim;
pub mod real;
pub mod record;
pub mod seed;
pub mod settings;
pub mod train;
pub mod value;
