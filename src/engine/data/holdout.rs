//! The holdout: which training rows are set aside for validation, which for the test, and which remain to train on.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::dataset::{Dataset, SplitView};
use super::normalize::{Normalize, Scaling};
use super::{Info, counted, there_are};
use crate::number::{Count, Fraction};

/// How many training rows are set aside, after limits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Holdout {
    /// `validation_rows` or `validation_share`.
    validation: Option<Amount>,
    /// `test_share`.
    test: Option<Fraction>,
}

/// A number of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Amount {
    Rows(Count),
    /// A share of the training rows, rounded to the nearest whole number of rows.
    Share(Fraction),
}

/// The settings as they are written.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PreparationKeys {
    /// How many training rows, drawn at random, are kept for validation and not trained on. Default: none.
    validation_rows: Option<Count>,
    /// The same, as a share of the training rows: at least 0, below 1. Default: none.
    validation_share: Option<Fraction>,
    /// For sources without test data of their own: the share of the rows, drawn at random, that becomes the test data.
    /// Default: none.
    test_share: Option<Fraction>,
    /// How each feature is scaled: `"none"` (the default), `"standard"` or `"min-max"`.
    #[serde(default)]
    normalize: Normalize,
}

/// What a run does with its rows before it trains on them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "PreparationKeys", into = "PreparationKeys")]
pub struct Preparation {
    pub holdout: Holdout,
    pub normalize: Normalize,
}

/// The validation rows, given in two ways.
#[derive(Debug, Error)]
#[error("`validation_rows` and `validation_share` both set the number of validation rows\nkeep one of the two")]
pub struct BothGiven;

impl TryFrom<PreparationKeys> for Preparation {
    type Error = BothGiven;

    fn try_from(keys: PreparationKeys) -> Result<Self, BothGiven> {
        let validation = match (keys.validation_rows, keys.validation_share) {
            (Some(_), Some(_)) => return Err(BothGiven),
            (rows, share) => rows.map(Amount::Rows).or(share.map(Amount::Share)),
        };
        Ok(Self { holdout: Holdout { validation, test: keys.test_share }, normalize: keys.normalize })
    }
}

impl From<Preparation> for PreparationKeys {
    fn from(Preparation { holdout: Holdout { validation, test }, normalize }: Preparation) -> Self {
        let (validation_rows, validation_share) = match validation {
            Some(Amount::Rows(rows)) => (Some(rows), None),
            Some(Amount::Share(share)) => (None, Some(share)),
            None => (None, None),
        };
        Self { validation_rows, validation_share, test_share: test, normalize }
    }
}

/// A holdout that is impossible.
#[derive(Debug, Error, PartialEq)]
pub enum HoldoutError {
    #[error(
        "{} nothing to train on: {}", leave(*.validation, *.test), there_are(*.rows, "row")
    )]
    NothingLeft { key: &'static str, validation: u64, test: u64, rows: u64 },
    #[error("`{key}` gives no rows: {}", there_are(*.rows, "row"))]
    NoRows { key: &'static str, rows: u64 },
    #[error("`test_share` is given, but the source has test data of its own: {}", counted(*.rows, "row"))]
    TestDataIsThere { rows: u64 },
}

/// `1 validation row leaves`, `2 validation rows and 1 test row leave`.
fn leave(validation: u64, test: u64) -> String {
    match (validation, counted(validation, "validation row")) {
        (1, row) if test == 0 => format!("{row} leaves"),
        (_, rows) if test == 0 => format!("{rows} leave"),
        (_, rows) => format!("{rows} and {} leave", counted(test, "test row")),
    }
}

impl HoldoutError {
    /// The key of the `[data]` section that the error is about.
    pub fn key(&self) -> &'static str {
        match self {
            Self::NothingLeft { key, .. } | Self::NoRows { key, .. } => key,
            Self::TestDataIsThere { .. } => "test_share",
        }
    }

    /// What to do.
    pub fn help(&self) -> &'static str {
        match self {
            Self::NothingLeft { .. } => "use fewer rows, a smaller share, or more `train_rows`",
            Self::NoRows { .. } => "use a larger share, or leave it out",
            Self::TestDataIsThere { .. } => {
                "leave `test_share` out, or use `validation_share` to set training rows aside"
            }
        }
    }
}

impl Holdout {
    /// The setting that sets the most rows aside, if any does, given the number of rows for validation and for the
    /// test.
    pub fn key(&self, validation: u64, test: u64) -> Option<&'static str> {
        match (self.validation, self.test) {
            (None, None) => None,
            (None, Some(_)) => Some("test_share"),
            (Some(_), Some(_)) if test > validation => Some("test_share"),
            (Some(Amount::Rows(_)), _) => Some("validation_rows"),
            (Some(Amount::Share(_)), _) => Some("validation_share"),
        }
    }

    /// Whether rows are set aside for the test.
    pub(super) fn has_test_rows(&self) -> bool {
        self.test.is_some()
    }

    /// What remains of `whole` after setting rows aside.
    ///
    /// # Errors
    /// [`HoldoutError`]
    pub(super) fn apply(&self, whole: Info) -> Result<Info, HoldoutError> {
        let rows = whole.train_rows;
        let share = |key, share: Fraction| match (share.get() * rows as f64).round() as u64 {
            0 if share.get() > 0.0 => Err(HoldoutError::NoRows { key, rows }),
            count => Ok(count),
        };
        let (key, validation) = match self.validation {
            None => ("test_share", 0),
            Some(Amount::Rows(count)) => ("validation_rows", count.get()),
            Some(Amount::Share(of)) => ("validation_share", share("validation_share", of)?),
        };
        let test = match self.test {
            None => 0,
            Some(_) if whole.test_rows > 0 => return Err(HoldoutError::TestDataIsThere { rows: whole.test_rows }),
            Some(of) => share("test_share", of)?,
        };
        if validation.saturating_add(test) >= rows {
            return Err(HoldoutError::NothingLeft { key, validation, test, rows });
        }
        let test_rows = whole.test_rows + test;
        Ok(Info { train_rows: rows - validation - test, validation_rows: validation, test_rows, ..whole })
    }
}

/// A dataset as one run sees it: the shared rows, and which of them this run trains on and is evaluated on.
#[derive(Debug, Clone)]
pub struct Partition<'a> {
    data: &'a Dataset,
    /// The training rows, shuffled: first those for validation, then those for the test, then those to train on. Empty
    /// if nothing is set aside.
    order: Vec<usize>,
    validation: usize,
    /// How many of the rows in `order` are for the test.
    test: usize,
    scaling: Option<Arc<Scaling>>,
}

impl<'a> Partition<'a> {
    /// `data` for a run with this `info`. `order` takes the number of the source's training rows and returns them in
    /// random order; it is called only if rows are set aside.
    ///
    /// # Panics
    /// If `info` does not belong to this data.
    pub fn new(data: &'a Dataset, info: &Info, normalize: Normalize, order: impl FnOnce(usize) -> Vec<usize>) -> Self {
        let test = if data.test.is_empty() { info.test_rows as usize } else { 0 };
        let validation = info.validation_rows as usize;
        let order = if validation + test > 0 { order(data.train.len()) } else { Vec::new() };
        let mut partition = Self { data, order, validation, test, scaling: None };
        let train = partition.train();
        assert_eq!(train.len() as u64, info.train_rows, "the data is the one that was planned");
        partition.scaling = data.scalings.measured_on(normalize, train.rows, train.order);
        partition
    }

    /// The rows to train on.
    pub fn train(&self) -> SplitView<'_> {
        match self.order.get(self.validation + self.test..) {
            Some(order) if !self.order.is_empty() => self.shuffled(order),
            _ => self.view(&self.data.train, None),
        }
    }

    /// The rows for validation, possibly none.
    pub fn validation(&self) -> SplitView<'_> {
        self.shuffled(&self.order[..self.validation])
    }

    /// The byte that stands for 1, if all inputs are bytes and not scaled, and most of those to train on are 0. The
    /// inputs may then be [gathered as bytes](SplitView::gather_bytes).
    pub fn sparse_bytes(&self) -> Option<u8> {
        let others = [self.validation(), self.test()].into_iter().filter(|split| !split.is_empty());
        let full = self.train().bytes().filter(|_| self.train().is_mostly_zero())?;
        others.map(|split| split.bytes()).all(|other| other == Some(full)).then_some(full)
    }

    /// The rows for the test: the source's own, or those set aside.
    pub fn test(&self) -> SplitView<'_> {
        if self.data.test.is_empty() {
            self.shuffled(&self.order[self.validation..][..self.test])
        } else {
            self.view(&self.data.test, None)
        }
    }

    fn shuffled<'s>(&'s self, order: &'s [usize]) -> SplitView<'s> {
        self.view(&self.data.train, Some(order))
    }

    fn view<'s>(&'s self, rows: &'s super::Rows, order: Option<&'s [usize]>) -> SplitView<'s> {
        SplitView { rows, order, scaling: self.scaling.as_deref() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Scalings;
    use super::*;
    use crate::random::Random;
    use crate::seed::Seed;

    fn order(seed: Seed, rows: usize) -> Vec<usize> {
        Random::new(seed, None).order(rows)
    }

    use crate::data::{Inputs, Rows, Targets, Task};

    fn info(train_rows: u64, test_rows: u64) -> Info {
        Info { train_rows, test_rows, ..Info::unsplit(0, 0, 1, Task::Classification { classes: 10 }, "") }
    }

    fn preparation(settings: &str) -> Preparation {
        toml::from_str(settings).unwrap()
    }

    fn holdout(settings: &str, whole: Info) -> Result<(u64, u64, u64), HoldoutError> {
        let info = preparation(settings).holdout.apply(whole)?;
        Ok((info.train_rows, info.validation_rows, info.test_rows))
    }

    /// Row i holds the number i.
    fn rows(count: usize) -> Rows {
        Rows {
            inputs: Inputs::Numbers((0..count).map(|i| i as f64).collect()),
            targets: Targets::Classes(vec![0; count]),
        }
    }

    fn inputs(view: SplitView) -> Vec<usize> {
        let mut inputs = vec![0.0; view.len()];
        view.gather_inputs(&(0..view.len()).collect::<Vec<_>>(), &mut inputs);
        inputs.into_iter().map(|x| x as usize).collect()
    }

    #[test]
    fn rows_and_shares_become_counts() {
        assert_eq!(holdout("", info(500, 7)), Ok((500, 0, 7)));
        assert_eq!(holdout("validation_rows = 100", info(500, 7)), Ok((400, 100, 7)));
        assert_eq!(holdout("validation_share = 0.2", info(500, 7)), Ok((400, 100, 7)));
        assert_eq!(holdout("validation_share = 0.2\ntest_share = 0.3", info(501, 0)), Ok((251, 100, 150)));
        assert_eq!(holdout("validation_share = 0", info(500, 0)), Ok((500, 0, 0)));
    }

    #[test]
    fn what_leaves_nothing_to_train_on_is_refused() {
        let said = |settings, whole| holdout(settings, whole).unwrap_err().to_string();
        assert_eq!(
            said("validation_share = 0.999", info(100, 0)),
            "100 validation rows leave nothing to train on: there are 100 rows"
        );
        assert_eq!(
            said("validation_rows = 60\ntest_share = 0.4", info(100, 0)),
            "60 validation rows and 40 test rows leave nothing to train on: there are 100 rows"
        );
        assert_eq!(
            said("validation_rows = 1", info(1, 0)),
            "1 validation row leaves nothing to train on: there is 1 row"
        );
        assert_eq!(said("test_share = 0.001", info(100, 0)), "`test_share` gives no rows: there are 100 rows");
        assert!(said("test_share = 0.5", info(100, 7)).contains("has test data of its own: 7 rows"));
        assert!(toml::from_str::<Preparation>("validation_rows = 1\nvalidation_share = 0.5").is_err());
        assert!(toml::from_str::<Preparation>("validation_share = 1.0").is_err());
    }

    fn dataset(train: usize, test: Rows) -> Dataset {
        let task = Task::Classification { classes: 1 };
        Dataset { train: rows(train), test, features: 1, task, scalings: Scalings::default() }
    }

    #[test]
    fn the_splits_of_a_partition_are_every_row_once() {
        let data = dataset(10, Rows::default());
        let info = preparation("validation_rows = 3\ntest_share = 0.2").holdout.apply(info(10, 0)).unwrap();
        let seed = Seed::default();
        let partition = Partition::new(&data, &info, Normalize::None, |rows| order(seed, rows));
        let (train, validation, test) = (partition.train(), partition.validation(), partition.test());
        assert_eq!((train.len(), validation.len(), test.len()), (5, 3, 2));
        let expected = order(seed, 10);
        assert_ne!(expected, (0..10).collect::<Vec<_>>());
        assert_eq!([inputs(validation), inputs(test), inputs(train)].concat(), expected);
        assert_ne!(order(Seed::try_from(1).unwrap(), 10), expected);
    }

    #[test]
    fn where_nothing_is_set_aside_rows_stay_as_they_are() {
        let data = dataset(5, rows(2));
        let partition = Partition::new(&data, &info(5, 2), Normalize::None, |_| panic!("no order is needed"));
        assert_eq!(inputs(partition.train()), [0, 1, 2, 3, 4]);
        assert_eq!(inputs(partition.test()), [0, 1]);
        assert!(partition.validation().is_empty());
    }

    #[test]
    fn validation_rows_leave_the_test_rows_alone() {
        let data = dataset(5, rows(2));
        let info = preparation("validation_rows = 2").holdout.apply(info(5, 2)).unwrap();
        let partition = Partition::new(&data, &info, Normalize::None, |_| vec![4, 3, 2, 1, 0]);
        assert_eq!(inputs(partition.validation()), [4, 3]);
        assert_eq!(inputs(partition.train()), [2, 1, 0]);
        assert_eq!(inputs(partition.test()), [0, 1]);
    }
}
