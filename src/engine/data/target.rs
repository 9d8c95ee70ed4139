//! The targets in a user's file, one column or several, and the task that follows from them.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::dataset::Task;
use super::rows::Targets;
use super::there_are;
use crate::number::shortest;

/// What is asked about a row, as the file says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TaskKind {
    /// The target is a class: a name, a whole number, true or false.
    Classification,
    /// The target is a number, or several.
    Regression,
}

/// The values of one target column; all rows have the same type.
#[derive(Debug, Clone, PartialEq)]
pub enum TargetColumn {
    Bools(Vec<bool>),
    Integers(Vec<i64>),
    Floats(Vec<f64>),
    Texts(Vec<String>),
}

impl TargetColumn {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Bools(values) => values.len(),
            Self::Integers(values) => values.len(),
            Self::Floats(values) => values.len(),
            Self::Texts(values) => values.len(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Bools(_) => "true and false",
            Self::Integers(_) => "whole numbers",
            Self::Floats(values) if values.iter().all(|&value| whole(value).is_some()) => {
                "whole numbers written as floats"
            }
            Self::Floats(_) => "numbers with fractions",
            Self::Texts(_) => "text",
        }
    }

    /// As numbers, row by row; whole numbers beyond 2^53 are rounded.
    fn numbers(&self) -> Option<Vec<f64>> {
        match self {
            Self::Integers(values) => Some(values.iter().map(|&value| value as f64).collect()),
            Self::Floats(values) => Some(values.clone()),
            Self::Bools(_) | Self::Texts(_) => None,
        }
    }

    /// As class names: floats that are all whole become integers.
    fn names(&self) -> Result<Cow<'_, Self>, TargetError> {
        let Self::Floats(values) = self else { return Ok(Cow::Borrowed(self)) };
        let name = |&value: &f64| whole(value).ok_or_else(|| TargetError::NoClasses { found: shortest(value) });
        values.iter().map(name).collect::<Result<_, _>>().map(|names| Cow::Owned(Self::Integers(names)))
    }
}

/// `value` as an integer, if it is whole and fits into 64 bits.
fn whole(value: f64) -> Option<i64> {
    // 2^63 is the first number that does not fit.
    (value.trunc() == value && (-(2.0_f64.powi(63))..2.0_f64.powi(63)).contains(&value)).then_some(value as i64)
}

/// The targets of both splits.
#[derive(Debug, PartialEq)]
pub struct Resolved {
    pub task: Task,
    pub train: Targets,
    /// `None` if there is no test data.
    pub test: Option<Targets>,
    /// The names of the classes, in the order of their numbers; empty in a regression.
    pub class_names: Vec<String>,
}

/// Targets that cannot be learned.
#[derive(Debug, Error, PartialEq)]
pub enum TargetError {
    #[error(
        "the target holds {kind}, which a regression cannot learn; `task = \"classification\"` treats the values as \
         classes"
    )]
    NotNumbers { kind: &'static str },
    #[error(
        "the target holds `{found}`, which cannot name a class; use `task = \"regression\"`, or a target of names or \
         whole numbers"
    )]
    NoClasses { found: String },
    #[error("a classification has one target, but {targets} are named; use one, or `task = \"regression\"`")]
    SeveralTargets { targets: usize },
    #[error(
        "the target holds {train} in the training data, but {test} in the test data; if both are numbers, set `task`"
    )]
    Different { train: &'static str, test: &'static str },
    #[error("{} in the training data, but {test} in the test data", there_are(*.train as u64, "target"))]
    DifferentNumber { train: usize, test: usize },
    #[error("the test data has the class `{class}`, which the training data does not have")]
    UnknownClass { class: String },
    #[error(
        "the target holds {classes} different values, but at most 65536 classes are accepted; if it is a number to \
         learn, write `task = \"regression\"`"
    )]
    TooManyClasses { classes: usize },
}

/// A target that does not suit the task, and why.
#[derive(Debug, PartialEq)]
pub struct Misfit {
    /// Whether the test data is at fault.
    pub is_of_test: bool,
    /// The index of the target, if a single one is at fault.
    pub target: Option<usize>,
    pub error: TargetError,
}

impl Misfit {
    fn of_train(error: TargetError) -> Self {
        Self { is_of_test: false, target: None, error }
    }

    fn of_test(error: TargetError) -> Self {
        Self { is_of_test: true, target: None, error }
    }
}

/// Turns columns into targets. Without a `task`, a single column of texts, truth values or integers is a
/// classification; anything else is a regression, including floats that are all whole. Classes are numbered in sorted
/// order: texts byte by byte, false before true.
///
/// # Errors
/// The first [`Misfit`], in the training data before the test data.
pub fn resolve(
    train: &[TargetColumn],
    test: Option<&[TargetColumn]>,
    task: Option<TaskKind>,
) -> Result<Resolved, Misfit> {
    if let Some(test) = test.filter(|test| test.len() != train.len()) {
        return Err(Misfit::of_test(TargetError::DifferentNumber { train: train.len(), test: test.len() }));
    }
    let kind = task.unwrap_or(match train {
        [TargetColumn::Bools(_) | TargetColumn::Integers(_) | TargetColumn::Texts(_)] => TaskKind::Classification,
        _ => TaskKind::Regression,
    });
    match (kind, train) {
        (TaskKind::Classification, [train]) => {
            let test = test.and_then(<[TargetColumn]>::first);
            let different = |test: &TargetColumn| {
                Misfit::of_test(TargetError::Different { train: train.kind(), test: test.kind() })
            };
            // The files may write class numbers as different types only if the task is stated.
            if let (None, Some(test)) = (task, test)
                && std::mem::discriminant(train) != std::mem::discriminant(test)
            {
                return Err(different(test));
            }
            let train_names = train.names().map_err(Misfit::of_train)?;
            let test_names = test.map(TargetColumn::names).transpose().map_err(Misfit::of_test)?;
            match (train_names.as_ref(), test_names.as_deref()) {
                (TargetColumn::Bools(train), None) => classes(train, None),
                (TargetColumn::Bools(train), Some(TargetColumn::Bools(test))) => classes(train, Some(test)),
                (TargetColumn::Integers(train), None) => classes(train, None),
                (TargetColumn::Integers(train), Some(TargetColumn::Integers(test))) => classes(train, Some(test)),
                (TargetColumn::Texts(train), None) => classes(train, None),
                (TargetColumn::Texts(train), Some(TargetColumn::Texts(test))) => classes(train, Some(test)),
                _ => Err(different(test.unwrap_or(train))),
            }
        }
        (TaskKind::Classification, several) => {
            Err(Misfit::of_train(TargetError::SeveralTargets { targets: several.len() }))
        }
        (TaskKind::Regression, columns) => Ok(Resolved {
            task: Task::Regression { targets: columns.len() },
            train: values(columns, false)?,
            test: test.map(|test| values(test, true)).transpose()?,
            class_names: Vec::new(),
        }),
    }
}

fn classes<T: Ord + ToString>(train: &[T], test: Option<&[T]>) -> Result<Resolved, Misfit> {
    let mut names: Vec<&T> = train.iter().collect();
    names.sort_unstable();
    names.dedup();
    if names.len() > 1 << 16 {
        return Err(Misfit::of_train(TargetError::TooManyClasses { classes: names.len() }));
    }
    let number = |values: &[T]| -> Result<Targets, Misfit> {
        let number = |value: &T| match names.binary_search(&value) {
            Ok(class) => Ok(class as u16),
            Err(_) => Err(Misfit::of_test(TargetError::UnknownClass { class: value.to_string() })),
        };
        values.iter().map(number).collect::<Result<_, _>>().map(Targets::Classes)
    };
    Ok(Resolved {
        task: Task::Classification { classes: names.len() },
        train: number(train)?,
        test: test.map(number).transpose()?,
        class_names: names.into_iter().map(T::to_string).collect(),
    })
}

fn values(columns: &[TargetColumn], is_of_test: bool) -> Result<Targets, Misfit> {
    let numbers = |(target, column): (usize, &TargetColumn)| {
        let error = || TargetError::NotNumbers { kind: column.kind() };
        column.numbers().ok_or_else(|| Misfit { is_of_test, target: Some(target), error: error() })
    };
    let numbers: Vec<Vec<f64>> = columns.iter().enumerate().map(numbers).collect::<Result<_, _>>()?;
    let rows = columns.first().map_or(0, TargetColumn::len);
    let values = (0..rows).flat_map(|row| numbers.iter().map(move |column| column[row])).collect();
    Ok(Targets::Values { values, targets: columns.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(values: &[&str]) -> TargetColumn {
        TargetColumn::Texts(values.iter().map(|&value| value.to_owned()).collect())
    }

    #[test]
    fn classes_are_numbered_in_sorted_order() {
        let resolved = resolve(&[texts(&["b", "a", "b"])], Some(&[texts(&["a"])]), None).unwrap();
        assert_eq!(resolved.task, Task::Classification { classes: 2 });
        assert_eq!(resolved.train, Targets::Classes(vec![1, 0, 1]));
        assert_eq!(resolved.test, Some(Targets::Classes(vec![0])));
        assert_eq!(resolved.class_names, ["a", "b"]);
        let numbers = resolve(&[TargetColumn::Integers(vec![10, -1, 9])], None, None).unwrap();
        assert_eq!(numbers.train, Targets::Classes(vec![2, 0, 1]));
        assert_eq!(numbers.class_names, ["-1", "9", "10"]);
        let truths = resolve(&[TargetColumn::Bools(vec![true, false])], None, None).unwrap();
        assert_eq!(truths.train, Targets::Classes(vec![1, 0]));
    }

    #[test]
    fn fractions_and_several_columns_are_a_regression() {
        let floats = TargetColumn::Floats(vec![0.5, 1.5]);
        let one = resolve(std::slice::from_ref(&floats), None, None).unwrap();
        assert_eq!(one.task, Task::Regression { targets: 1 });
        let two = resolve(&[floats, TargetColumn::Integers(vec![7, 8])], None, None).unwrap();
        assert_eq!(two.task, Task::Regression { targets: 2 });
        assert_eq!(two.train, Targets::Values { values: vec![0.5, 7.0, 1.5, 8.0], targets: 2 });
        let counts = resolve(&[TargetColumn::Integers(vec![7, 8])], None, Some(TaskKind::Regression)).unwrap();
        assert_eq!(counts.train, Targets::Values { values: vec![7.0, 8.0], targets: 1 });
    }

    #[test]
    fn whole_floats_name_classes_where_the_file_says_so() {
        let classify = Some(TaskKind::Classification);
        let floats = |values: &[f64]| TargetColumn::Floats(values.to_vec());
        let resolved =
            resolve(&[floats(&[3.0, -0.0, 3.0])], Some(&[TargetColumn::Integers(vec![0])]), classify).unwrap();
        assert_eq!(resolved.train, Targets::Classes(vec![1, 0, 1]));
        assert_eq!(resolved.test, Some(Targets::Classes(vec![0])));
        assert_eq!(resolved.class_names, ["0", "3"]);
        let other_way = resolve(&[TargetColumn::Integers(vec![0, 3])], Some(&[floats(&[3.0])]), classify).unwrap();
        assert_eq!(other_way.test, Some(Targets::Classes(vec![1])));
        // Without a stated task, they are numbers.
        assert_eq!(resolve(&[floats(&[3.0, 0.0])], None, None).unwrap().task, Task::Regression { targets: 1 });
        let refused = |train: TargetColumn, test: TargetColumn| resolve(&[train], Some(&[test]), classify).unwrap_err();
        let no_classes = |found: &str| TargetError::NoClasses { found: found.to_owned() };
        assert_eq!(refused(floats(&[1.0, 0.5]), floats(&[1.0])), Misfit::of_train(no_classes("0.5")));
        assert_eq!(refused(floats(&[1.0]), floats(&[2e19])), Misfit::of_test(no_classes("2e19")));
        assert_eq!(
            refused(floats(&[1.0]), texts(&["1"])),
            Misfit::of_test(TargetError::Different { train: "whole numbers written as floats", test: "text" })
        );
    }

    #[test]
    fn test_data_has_as_many_targets_and_numbers_where_numbers_are_learned() {
        let numbers = || TargetColumn::Integers(vec![1, 2]);
        let too_few = resolve(&[numbers(), numbers()], Some(&[numbers()]), None);
        assert_eq!(too_few, Err(Misfit::of_test(TargetError::DifferentNumber { train: 2, test: 1 })));
        let too_many = resolve(&[numbers()], Some(&[numbers(), numbers()]), None);
        assert_eq!(too_many, Err(Misfit::of_test(TargetError::DifferentNumber { train: 1, test: 2 })));
        let mixed = resolve(&[numbers(), numbers()], Some(&[numbers(), TargetColumn::Floats(vec![0.5, 1.5])]), None);
        assert!(mixed.is_ok(), "{mixed:?}");
        let unlike = resolve(&[numbers(), numbers()], Some(&[numbers(), texts(&["a"])]), None);
        let error = TargetError::NotNumbers { kind: "text" };
        assert_eq!(unlike, Err(Misfit { is_of_test: true, target: Some(1), error }));
    }

    #[test]
    fn what_cannot_be_learned_is_refused() {
        let floats = || TargetColumn::Floats(vec![0.5]);
        let classify = Some(TaskKind::Classification);
        let resolve = |train: &[TargetColumn], test: Option<&[TargetColumn]>, task| {
            resolve(train, test, task).map_err(|misfit| misfit.error)
        };
        assert_eq!(resolve(&[floats(), floats()], None, classify), Err(TargetError::SeveralTargets { targets: 2 }));
        let regress = resolve(&[texts(&["a"])], None, Some(TaskKind::Regression));
        assert_eq!(regress, Err(TargetError::NotNumbers { kind: "text" }));
        let unknown = resolve(&[texts(&["a"])], Some(&[texts(&["c"])]), None);
        assert_eq!(unknown, Err(TargetError::UnknownClass { class: "c".to_owned() }));
        let different = resolve(&[texts(&["a"])], Some(&[floats()]), None);
        assert!(matches!(different, Err(TargetError::Different { train: "text", .. })));
        let many = resolve(&[TargetColumn::Integers((0..70_000).collect())], None, None);
        assert_eq!(many, Err(TargetError::TooManyClasses { classes: 70_000 }));
    }
}
