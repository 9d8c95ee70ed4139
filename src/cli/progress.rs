//! Shows progress while runs train: bars on a terminal, plain lines elsewhere, nothing with `--quiet`. Everything goes
//! to stderr.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::units::duration;
use super::{counted, grouped, note};
use crate::runner::Progress;

/// One run, as far as progress is concerned.
#[derive(Debug, Clone)]
pub struct ProgressItem {
    /// `adam, seed 0`
    pub name: String,
    pub steps: u64,
    /// In any unit; the remaining time is computed from it.
    pub cost: f64,
}

/// Shows the progress of the runs.
pub struct Reporter {
    items: Vec<ProgressItem>,
    total: Total,
    begin: Instant,
    ended: usize,
    style: Style,
}

enum Style {
    Quiet,
    Bars { all: MultiProgress, overall: ProgressBar, active: BTreeMap<usize, ProgressBar> },
    Lines { next: Duration, interval: Duration },
}

/// The most bars on a terminal, so that it does not scroll.
const MOST_BARS: usize = 16;
/// With more runs than this, plain output counts them instead of naming each.
const MOST_NAMED: usize = 40;

impl Reporter {
    /// Begins to show `items`, in the style that suits stderr.
    pub fn new(bars: &MultiProgress, quiet: bool, items: Vec<ProgressItem>) -> Self {
        let style = if quiet {
            Style::Quiet
        } else if std::io::stderr().is_terminal() {
            let overall = bars.add(ProgressBar::new(1000));
            overall.set_style(style("{bar:30.cyan} {msg}"));
            Style::Bars { all: bars.clone(), overall, active: BTreeMap::new() }
        } else {
            bars.set_draw_target(ProgressDrawTarget::hidden());
            Style::Lines { next: Duration::from_secs(5), interval: Duration::from_secs(5) }
        };
        Self { total: Total::new(&items), items, begin: Instant::now(), ended: 0, style }
    }

    /// Job `job` has begun.
    pub fn started(&mut self, job: usize) {
        if let Style::Bars { all, active, .. } = &mut self.style
            && active.len() < MOST_BARS
        {
            let bar = all.add(ProgressBar::new(self.items[job].steps));
            bar.set_style(style("  {bar:20.green} {msg}"));
            active.insert(job, bar);
        }
    }

    /// Job `job` has ended; `result` describes the result in a few words, and is called only if it is shown.
    pub fn ended(&mut self, job: usize, result: impl FnOnce() -> String) {
        self.ended += 1;
        match &mut self.style {
            Style::Bars { active, .. } => {
                if let Some(bar) = active.remove(&job) {
                    bar.finish_and_clear();
                }
            }
            Style::Lines { .. } if self.items.len() <= MOST_NAMED => {
                note(&format!("[{}/{}] {}: {}", self.ended, self.items.len(), self.items[job].name, result()));
            }
            _ => {}
        }
    }

    /// Some time has passed.
    pub fn tick(&mut self, progress: &Progress) {
        let elapsed = self.begin.elapsed();
        match &mut self.style {
            Style::Quiet => {}
            Style::Bars { overall, active, .. } => {
                for (&job, bar) in active.iter() {
                    let (done, item) = (progress.of(job), &self.items[job]);
                    bar.set_position(done);
                    bar.set_message(format!("{} {}/{}", item.name, grouped(done.into()), grouped(item.steps.into())));
                }
                let (share, text) = self.total.overview(self.ended, progress, elapsed);
                overall.set_position((share * 1000.0) as u64);
                overall.set_message(text);
            }
            Style::Lines { next, interval } => {
                if elapsed >= *next {
                    note(&self.total.overview(self.ended, progress, elapsed).1);
                    *interval = (*interval * 2).min(Duration::from_secs(60));
                    *next = elapsed + *interval;
                }
            }
        }
    }

    /// Clears the bars.
    pub fn finish(self) {
        if let Style::Bars { all, overall, active } = self.style {
            active.values().chain([&overall]).for_each(ProgressBar::finish_and_clear);
            // A terminal keeps what a cleared region leaves behind only if the region is gone.
            let _ = all.clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is well-formed").progress_chars("━╸─")
}

/// All runs together.
#[derive(Debug)]
struct Total {
    runs: usize,
    steps: u128,
    cost: f64,
    /// Each run's cost of a step.
    costs: Vec<f64>,
}

impl Total {
    fn new(items: &[ProgressItem]) -> Self {
        Self {
            runs: items.len(),
            steps: items.iter().map(|item| u128::from(item.steps)).sum(),
            cost: items.iter().map(|item| item.cost).sum(),
            costs: items.iter().map(|item| item.cost / item.steps.max(1) as f64).collect(),
        }
    }

    /// The fraction of the cost that is done, and the same in words.
    fn overview(&self, ended: usize, progress: &Progress, elapsed: Duration) -> (f64, String) {
        let (mut steps, mut cost) = (0_u128, 0.0);
        for (job, cost_of_a_step) in self.costs.iter().enumerate() {
            let done = progress.of(job);
            steps += u128::from(done);
            cost += cost_of_a_step * done as f64;
        }
        let share = if self.cost > 0.0 { cost / self.cost } else { 1.0 };
        let seconds = elapsed.as_secs_f64();
        let mut text = format!("{ended}/{}", counted(self.runs, "run"));
        text += &format!(", {}/{}", grouped(steps), counted(self.steps, "step"));
        if seconds > 0.0 {
            text += &format!(", {} steps/s", grouped((steps as f64 / seconds) as u128));
        }
        if share > 0.0 && ended < self.runs {
            text += &format!(", {} left", duration(seconds * (1.0 - share) / share));
        }
        (share, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_overview_counts_cost_and_not_steps() {
        let item = |cost| ProgressItem { name: String::new(), steps: 10, cost };
        let progress = Progress::new(2);
        let total = Total::new(&[item(3.0), item(1.0)]);
        let at = |ended, seconds| total.overview(ended, &progress, Duration::from_secs(seconds));
        assert_eq!(at(0, 2), (0.0, "0/2 runs, 0/20 steps, 0 steps/s".to_owned()));
        progress.set(0, 10);
        assert_eq!(at(1, 3), (0.75, "1/2 runs, 10/20 steps, 3 steps/s, 1.0 s left".to_owned()));
    }
}
