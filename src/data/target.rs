//! What should come out, as a file of the user's own has it: a column, or several; and what that makes the task.

use serde::Deserialize;
use thiserror::Error;

use super::dataset::{Targets, Task};

/// What is asked about a row, as the file says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskKind {
    /// Which class it belongs to: a name, a whole number, true or false.
    Classification,
    /// A number, or several.
    Regression,
}

/// The values of one target column; which of these it is does not hang on a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    Bools(Vec<bool>),
    Integers(Vec<i64>),
    Floats(Vec<f64>),
    Texts(Vec<String>),
}

impl Column {
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
            Self::Floats(_) => "numbers with fractions",
            Self::Texts(_) => "texts",
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
}

/// The targets of both parts.
#[derive(Debug, PartialEq)]
pub struct Resolved {
    pub task: Task,
    pub train: Targets,
    /// None where there is no test part.
    pub test: Option<Targets>,
    /// What the classes are called, in the order of their numbers; empty in a regression.
    pub class_names: Vec<String>,
}

/// Targets that cannot be learned.
#[derive(Debug, Error, PartialEq)]
pub enum TargetError {
    #[error(
        "the target holds {kind}, which a regression cannot learn; `task = \"classification\"` takes them as classes"
    )]
    NotNumbers { kind: &'static str },
    #[error(
        "the target holds numbers with fractions, which name no classes; take `task = \"regression\"`, or a target of names or whole numbers"
    )]
    NoClasses,
    #[error("a classification has one target, and {targets} are named; take one, or `task = \"regression\"`")]
    SeveralTargets { targets: usize },
    #[error("the target holds {train} in the training data and {test} in the test data")]
    Different { train: &'static str, test: &'static str },
    #[error("the class `{class}` of the test data is none of the training data's")]
    UnknownClass { class: String },
    #[error(
        "the target holds {classes} different values, but there are 65536 classes at most; is it a number to be learned (`task = \"regression\"`)?"
    )]
    TooManyClasses { classes: usize },
}

/// Turns columns into targets. Without a `task`, one column of texts, of true and false, or of whole numbers is a classification, and all
/// else a regression. Classes are numbered in sorted order: texts byte by byte, false before true.
///
/// # Errors
/// [`TargetError`]
pub fn resolve(train: &[Column], test: Option<&[Column]>, task: Option<TaskKind>) -> Result<Resolved, TargetError> {
    for (train, test) in train.iter().zip(test.unwrap_or_default()) {
        if std::mem::discriminant(train) != std::mem::discriminant(test) {
            return Err(TargetError::Different { train: train.kind(), test: test.kind() });
        }
    }
    let task = task.unwrap_or(match train {
        [Column::Bools(_) | Column::Integers(_) | Column::Texts(_)] => TaskKind::Classification,
        _ => TaskKind::Regression,
    });
    match (task, train) {
        (TaskKind::Classification, [column]) => {
            let test = test.and_then(<[Column]>::first);
            match (column, test) {
                (Column::Floats(_), _) => Err(TargetError::NoClasses),
                (Column::Bools(train), Some(Column::Bools(test))) => classes(train, Some(test)),
                (Column::Bools(train), _) => classes(train, None),
                (Column::Integers(train), Some(Column::Integers(test))) => classes(train, Some(test)),
                (Column::Integers(train), _) => classes(train, None),
                (Column::Texts(train), Some(Column::Texts(test))) => classes(train, Some(test)),
                (Column::Texts(train), _) => classes(train, None),
            }
        }
        (TaskKind::Classification, several) => Err(TargetError::SeveralTargets { targets: several.len() }),
        (TaskKind::Regression, columns) => Ok(Resolved {
            task: Task::Regression { targets: columns.len() },
            train: values(columns)?,
            test: test.map(values).transpose()?,
            class_names: Vec::new(),
        }),
    }
}

fn classes<T: Ord + ToString>(train: &[T], test: Option<&[T]>) -> Result<Resolved, TargetError> {
    let mut names: Vec<&T> = train.iter().collect();
    names.sort_unstable();
    names.dedup();
    if names.len() > 1 << 16 {
        return Err(TargetError::TooManyClasses { classes: names.len() });
    }
    let number = |values: &[T]| -> Result<Targets, TargetError> {
        let number = |value: &T| match names.binary_search(&value) {
            Ok(class) => Ok(class as u16),
            Err(_) => Err(TargetError::UnknownClass { class: value.to_string() }),
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

fn values(columns: &[Column]) -> Result<Targets, TargetError> {
    let numbers: Vec<Vec<f64>> = columns
        .iter()
        .map(|column| column.numbers().ok_or(TargetError::NotNumbers { kind: column.kind() }))
        .collect::<Result<_, _>>()?;
    let rows = columns.first().map_or(0, Column::len);
    let values = (0..rows).flat_map(|row| numbers.iter().map(move |column| column[row])).collect();
    Ok(Targets::Values { values, targets: columns.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(values: &[&str]) -> Column {
        Column::Texts(values.iter().map(|&value| value.to_owned()).collect())
    }

    #[test]
    fn classes_are_numbered_in_sorted_order() {
        let resolved = resolve(&[texts(&["b", "a", "b"])], Some(&[texts(&["a"])]), None).unwrap();
        assert_eq!(resolved.task, Task::Classification { classes: 2 });
        assert_eq!(resolved.train, Targets::Classes(vec![1, 0, 1]));
        assert_eq!(resolved.test, Some(Targets::Classes(vec![0])));
        assert_eq!(resolved.class_names, ["a", "b"]);
        let numbers = resolve(&[Column::Integers(vec![10, -1, 9])], None, None).unwrap();
        assert_eq!(numbers.train, Targets::Classes(vec![2, 0, 1]));
        assert_eq!(numbers.class_names, ["-1", "9", "10"]);
        let truths = resolve(&[Column::Bools(vec![true, false])], None, None).unwrap();
        assert_eq!(truths.train, Targets::Classes(vec![1, 0]));
    }

    #[test]
    fn fractions_and_several_columns_are_a_regression() {
        let floats = Column::Floats(vec![0.5, 1.5]);
        let one = resolve(std::slice::from_ref(&floats), None, None).unwrap();
        assert_eq!(one.task, Task::Regression { targets: 1 });
        let two = resolve(&[floats, Column::Integers(vec![7, 8])], None, None).unwrap();
        assert_eq!(two.task, Task::Regression { targets: 2 });
        assert_eq!(two.train, Targets::Values { values: vec![0.5, 7.0, 1.5, 8.0], targets: 2 });
        let counts = resolve(&[Column::Integers(vec![7, 8])], None, Some(TaskKind::Regression)).unwrap();
        assert_eq!(counts.train, Targets::Values { values: vec![7.0, 8.0], targets: 1 });
    }

    #[test]
    fn what_cannot_be_learned_is_refused() {
        let floats = || Column::Floats(vec![0.5]);
        let classify = Some(TaskKind::Classification);
        assert_eq!(resolve(&[floats()], None, classify), Err(TargetError::NoClasses));
        assert_eq!(resolve(&[floats(), floats()], None, classify), Err(TargetError::SeveralTargets { targets: 2 }));
        let regress = resolve(&[texts(&["a"])], None, Some(TaskKind::Regression));
        assert_eq!(regress, Err(TargetError::NotNumbers { kind: "texts" }));
        let unknown = resolve(&[texts(&["a"])], Some(&[texts(&["c"])]), None);
        assert_eq!(unknown, Err(TargetError::UnknownClass { class: "c".to_owned() }));
        let different = resolve(&[texts(&["a"])], Some(&[floats()]), None);
        assert!(matches!(different, Err(TargetError::Different { train: "texts", .. })));
        let many = resolve(&[Column::Integers((0..70_000).collect())], None, None);
        assert_eq!(many, Err(TargetError::TooManyClasses { classes: 70_000 }));
    }
}
