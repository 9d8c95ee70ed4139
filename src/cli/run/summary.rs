//! The table at the end of a run, with a row per label in the order of the plan, and the best labels of a folder.

use std::collections::HashMap;

use serde::Serialize;

use crate::cli::table::TextTable;
use crate::plan::PlannedRun;
use crate::store::{Inventory, Status, Summary};

/// With more labels than this, only the best are shown.
const MOST: usize = 60;

/// The runs of each label together: mean over seeds, with the standard deviation if there are several.
pub fn table(runs: &[PlannedRun], inventory: &Inventory) -> String {
    let label_of_each: Vec<String> = runs.iter().map(|run| run.label()).collect();
    let mut labels: Vec<&str> = Vec::new();
    let mut by_label: HashMap<&str, Vec<&Summary>> = HashMap::new();
    for (run, label) in runs.iter().zip(&label_of_each) {
        let of_label = by_label.entry(label).or_insert_with(|| {
            labels.push(label);
            Vec::new()
        });
        of_label.extend(inventory.runs.get(&run.id()).map(|known| &known.summary));
    }
    rendered(labels, &by_label, MOST)
}

/// The results of one label's runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Best<'a> {
    pub label: &'a str,
    pub runs: usize,
    /// The mean over seeds; +∞ if one diverged or none has a loss.
    pub final_loss: f64,
}

/// The labels of `runs` (given as pairs of label and summary), in ascending order of the mean final loss.
pub fn best<'a>(runs: impl Iterator<Item = (&'a str, &'a Summary)>) -> Vec<Best<'a>> {
    let mut best: Vec<Best> = by_label(runs)
        .into_iter()
        .map(|(label, runs)| Best { label, runs: runs.len(), final_loss: rank(&runs) })
        .collect();
    best.sort_by(|a, b| a.final_loss.total_cmp(&b.final_loss).then_with(|| a.label.cmp(b.label)));
    best
}

/// The `most` best labels of `runs`, as in the table at the end of a run.
pub fn best_in_words<'a>(runs: impl Iterator<Item = (&'a str, &'a Summary)> + Clone, most: usize) -> String {
    let labels = best(runs.clone()).into_iter().map(|best| best.label).collect();
    rendered(labels, &by_label(runs), most)
}

fn by_label<'a>(runs: impl Iterator<Item = (&'a str, &'a Summary)>) -> HashMap<&'a str, Vec<&'a Summary>> {
    let mut by_label: HashMap<&str, Vec<&Summary>> = HashMap::new();
    for (label, summary) in runs {
        by_label.entry(label).or_default().push(summary);
    }
    by_label
}

fn rank(runs: &[&Summary]) -> f64 {
    let losses: Vec<f64> = runs.iter().map(|run| run.final_loss.unwrap_or(f64::INFINITY)).collect();
    mean(&losses).unwrap_or(f64::INFINITY)
}

/// The labels with their runs; if there are more than `most`, only the best of them.
fn rendered(labels: Vec<&str>, by_label: &HashMap<&str, Vec<&Summary>>, most: usize) -> String {
    // Classification has an accuracy, regression an error.
    let has = |value: fn(&Summary) -> Option<f64>| by_label.values().flatten().any(|run| value(run).is_some());
    let accuracy = has(|run| run.train_accuracy.or(run.validation_accuracy).or(run.test_accuracy));
    let quality = match (accuracy, has(|run| run.train_rmse.or(run.validation_rmse).or(run.test_rmse))) {
        (_, false) => "accuracy",
        (false, true) => "rmse",
        (true, true) => "accuracy or rmse",
    };
    let quality = ["train", "validation", "test"].map(|part| format!("{part} {quality}"));
    let mut table = TextTable::new([
        ("label", false),
        ("runs", true),
        ("final loss", true),
        ("best", true),
        (quality[0].as_str(), true),
        (quality[1].as_str(), true),
        (quality[2].as_str(), true),
        ("seconds", true),
        ("", false),
    ]);
    let mut labels: Vec<&str> = labels.into_iter().filter(|label| !by_label[label].is_empty()).collect();
    let shown = labels.len().min(most);
    if shown < labels.len() {
        labels.sort_by(|a, b| rank(&by_label[a]).total_cmp(&rank(&by_label[b])));
    }
    for &label in &labels[..shown] {
        let known = &by_label[label];
        let finished: Vec<&Summary> = known.iter().copied().filter(|run| run.status == Status::Finished).collect();
        let column =
            |value: fn(&Summary) -> Option<f64>| -> Vec<f64> { finished.iter().copied().filter_map(value).collect() };
        let seconds: Vec<f64> = known.iter().map(|run| run.seconds).collect();
        table.row([
            label.to_owned(),
            known.len().to_string(),
            mean_and_deviation(&column(|run| run.final_loss), significant),
            column(|run| run.best_loss).into_iter().reduce(f64::min).map(significant).unwrap_or_default(),
            either(&column(|run| run.train_accuracy), &column(|run| run.train_rmse)),
            either(&column(|run| run.validation_accuracy), &column(|run| run.validation_rmse)),
            either(&column(|run| run.test_accuracy), &column(|run| run.test_rmse)),
            mean(&seconds).map(|seconds| format!("{seconds:.1}")).unwrap_or_default(),
            remarks(known),
        ]);
    }
    let mut text = table.render(0);
    if shown < labels.len() {
        text += &format!("the best {shown} of {} labels; all are in the table `runs`\n", labels.len());
    }
    text
}

/// The accuracy of classification runs, or the error of regression runs.
fn either(accuracies: &[f64], errors: &[f64]) -> String {
    match errors {
        [] => mean_and_deviation(accuracies, percent),
        _ => mean_and_deviation(errors, significant),
    }
}

/// The result of a run: `loss 0.0431`, `diverged at step 12 in affine2`, `failed: ...`.
pub fn in_words(run: &Summary) -> String {
    match run.status {
        Status::Finished => run.final_loss.map_or("finished".to_owned(), |loss| format!("loss {}", significant(loss))),
        Status::Diverged => diverged(run),
        Status::Failed => format!("failed: {}", run.error.as_deref().unwrap_or("for an unknown reason")),
    }
}

fn diverged(run: &Summary) -> String {
    let layer = run.diverged_layer.as_deref().unwrap_or("an unknown layer");
    format!("diverged at step {} in {layer}", run.diverged_step.unwrap_or_default())
}

/// Remarks on the runs that did not finish.
fn remarks(known: &[&Summary]) -> String {
    let of = |status| known.iter().filter(move |run| run.status == status);
    let mut remarks = Vec::new();
    match of(Status::Diverged).collect::<Vec<_>>().as_slice() {
        [] => {}
        [only] => remarks.push(diverged(only)),
        several => remarks.push(format!("{} diverged", several.len())),
    }
    match of(Status::Failed).count() {
        0 => {}
        count => remarks.push(format!("{count} failed")),
    }
    remarks.join(", ")
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// `0.0431`, or `0.0431 ± 0.0012` over several seeds (the standard deviation of one run, n − 1 in the denominator).
fn mean_and_deviation(values: &[f64], format: fn(f64) -> String) -> String {
    let Some(mean) = mean(values) else { return String::new() };
    if values.len() < 2 {
        return format(mean);
    }
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    format!("{} ± {}", format(mean), format((squares / (values.len() - 1) as f64).sqrt()))
}

/// Four decimals, or three significant digits for very small and very large numbers.
fn significant(value: f64) -> String {
    if value != 0.0 && (value.abs() < 0.001 || value.abs() >= 100_000.0) {
        format!("{value:.2e}")
    } else {
        format!("{value:.4}")
    }
}

fn percent(value: f64) -> String {
    format!("{:.2}%", value * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_stands_alone_and_several_have_a_deviation() {
        assert_eq!(mean_and_deviation(&[], significant), "");
        assert_eq!(mean_and_deviation(&[0.04312], significant), "0.0431");
        assert_eq!(mean_and_deviation(&[1.0, 2.0, 3.0], significant), "2.0000 ± 1.0000");
        assert_eq!(mean_and_deviation(&[0.9, 0.92], percent), "91.00% ± 1.41%");
    }

    #[test]
    fn small_and_large_losses_keep_their_digits() {
        assert_eq!(significant(0.0), "0.0000");
        assert_eq!(significant(0.000_123), "1.23e-4");
        assert_eq!(significant(2.305_04), "2.3050");
    }
}
