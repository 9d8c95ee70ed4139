//! The axes of a plan, as a table.

use std::collections::HashSet;

use crate::cli::table::Table;
use crate::plan::{Alternative, Axis, Space, told_apart};
use crate::seed::Seed;

/// A row for each axis: name, number of values, values.
pub fn table(space: &Space, seeds: &[Seed]) -> Table {
    let mut table = Table::new([("", false), ("", true), ("", false)]);
    rows(space, &[]).into_iter().for_each(|row| table.row(row));
    let seeds: Vec<String> = seeds.iter().map(|seed| seed.get().to_string()).collect();
    table.row(["seed".to_owned(), seeds.len().to_string(), listed(&seeds)]);
    table
}

/// Name, number of values and values of each axis in `space`. Of the given axes, `told` are told of already.
fn rows(space: &Space, told: &[String]) -> Vec<[String; 3]> {
    let mut all: Vec<[String; 3]> = Vec::new();
    for axis in told_apart(space) {
        let is_trials = axis.name == "trial";
        if axis.is_given {
            let [Alternative { label, value, .. }] = axis.alternatives.as_slice() else { continue };
            if !label.is_empty() && !told.contains(&axis.name) {
                all.push([axis.name.clone(), String::new(), value.clone()]);
            }
            continue;
        }
        let values: Vec<String> = axis.alternatives.iter().map(|alternative| alternative.value.clone()).collect();
        all.push([axis.name.clone(), values.len().to_string(), listed(&values)]);
        let moving = if is_trials { Vec::new() } else { moving_with(axis) };
        let told: Vec<String> = moving.iter().map(|(name, _)| name.clone()).collect();
        all.extend(moving.iter().map(|(name, values)| [name.clone(), format!("with {}", axis.name), listed(values)]));
        let inner: Vec<Vec<[String; 3]>> =
            axis.alternatives.iter().map(|alternative| rows(&alternative.inner, &told)).collect();
        // What all alternatives have in common, or many trials, is said once.
        if is_trials || (inner.len() > 1 && inner.windows(2).all(|pair| pair[0] == pair[1])) {
            let (mut once, mut seen) = (Vec::new(), HashSet::new());
            once.extend(inner.into_iter().flatten().filter(|row| seen.insert(row.clone())));
            all.extend(once);
        } else {
            for (alternative, rows) in axis.alternatives.iter().zip(inner) {
                let under =
                    |[name, count, values]: [String; 3]| [format!("{}: {name}", alternative.value), count, values];
                all.extend(rows.into_iter().map(under));
            }
        }
    }
    all
}

/// The axes that move with this one under all of its alternatives, with their values.
fn moving_with(axis: &Axis) -> Vec<(String, Vec<String>)> {
    let Some(first) = axis.alternatives.first() else { return Vec::new() };
    fn given(space: &Space) -> impl Iterator<Item = &Axis> {
        told_apart(space).into_iter().filter(|axis| axis.is_given)
    }
    let names = given(&first.inner).map(|axis| axis.name.clone());
    let with_values = |name: String| {
        let value = |alternative: &Alternative| {
            let given = given(&alternative.inner).find(|axis| axis.name == name)?;
            given.alternatives.first().map(|only| only.value.clone())
        };
        let values = axis.alternatives.iter().map(value).collect::<Option<_>>()?;
        Some((name, values))
    };
    names.filter_map(with_values).collect()
}

/// The values, or the first few and the last one of many.
fn listed(values: &[String]) -> String {
    match values {
        [head @ .., last] if head.len() >= 20 => format!("{}, …, {last}", head[..3].join(", ")),
        _ => values.join(", "),
    }
}
