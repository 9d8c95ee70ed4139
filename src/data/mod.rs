//! Data: where it comes from ([`Data`], the `[data]` section), what is known of it before it is read ([`Info`]), and what a
//! network is fed ([`Dataset`]).

/// Rows of bytes with a class for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// [rows, features], row-major.
    pub pixels: Vec<u8>,
    /// [rows], each below the dataset's `classes`.
    pub labels: Vec<u8>,
}

/// The data that a run trains and is evaluated on, limits applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    pub train: Rows,
    /// No rows where there is no test data.
    pub test: Rows,
    pub features: usize,
    pub classes: usize,
}

/// What the plan needs to know of the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// After limits.
    pub train_rows: u64,
    /// After limits; 0 where there is no test data.
    pub test_rows: u64,
    pub features: usize,
    pub classes: usize,
    /// blake3 of the files' bytes, or a constant for what is built in; 16 hexadecimal digits.
    pub fingerprint: String,
}
