//! What a person sees while runs train: bars on a terminal, plain lines elsewhere, nothing with `--quiet`. All of it goes to
//! stderr.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{counted, grouped};
use crate::runner::Progress;

/// One run, as far as progress is concerned.
#[derive(Debug, Clone)]
pub struct Item {
    /// `adam, seed 0`
    pub name: String,
    pub steps: u64,
    /// In any unit; what time is reckoned with.
    pub cost: f64,
}

/// Shows how far the runs are.
pub struct Reporter {
    items: Vec<Item>,
    begin: Instant,
    ended: usize,
    style: Style,
}

enum Style {
    Quiet,
    Bars { all: MultiProgress, overall: ProgressBar, active: BTreeMap<usize, ProgressBar> },
    Lines { next: Duration, interval: Duration },
}

/// With more bars than this a terminal scrolls.
const MOST_BARS: usize = 16;
/// With more runs than this, plain output counts them and no longer names each one.
const MOST_NAMED: usize = 40;

impl Reporter {
    /// Begins to show `items`, in the style that stderr asks for.
    pub fn new(bars: &MultiProgress, quiet: bool, items: Vec<Item>) -> Self {
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
        Self { items, begin: Instant::now(), ended: 0, style }
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

    /// Job `job` has ended; `result` says in a few words with what.
    pub fn ended(&mut self, job: usize, result: &str) {
        self.ended += 1;
        match &mut self.style {
            Style::Bars { active, .. } => {
                if let Some(bar) = active.remove(&job) {
                    bar.finish_and_clear();
                }
            }
            Style::Lines { .. } if self.items.len() <= MOST_NAMED => {
                eprintln!("[{}/{}] {}: {result}", self.ended, self.items.len(), self.items[job].name);
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
                    bar.set_message(format!("{} {}/{}", item.name, grouped(done), grouped(item.steps)));
                }
                let overview = Overview::new(&self.items, self.ended, progress, elapsed);
                overall.set_position((overview.share * 1000.0) as u64);
                overall.set_message(overview.text);
            }
            Style::Lines { next, interval } => {
                if elapsed >= *next {
                    eprintln!("{}", Overview::new(&self.items, self.ended, progress, elapsed).text);
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

/// All runs together, in a line.
struct Overview {
    /// Done, of all cost.
    share: f64,
    text: String,
}

impl Overview {
    fn new(items: &[Item], ended: usize, progress: &Progress, elapsed: Duration) -> Self {
        let cost: f64 = items.iter().map(|item| item.cost).sum();
        let done = |(job, item): (usize, &Item)| item.cost * progress.of(job) as f64 / item.steps.max(1) as f64;
        let share = if cost > 0.0 { items.iter().enumerate().map(done).sum::<f64>() / cost } else { 1.0 };
        let steps: u64 = items.iter().map(|item| item.steps).sum();
        let seconds = elapsed.as_secs_f64();
        let mut text = format!("{ended}/{}", counted(items.len() as u64, "run"));
        text += &format!(", {}/{}", grouped(progress.total()), counted(steps, "step"));
        if seconds > 0.0 {
            text += &format!(", {} steps/s", grouped((progress.total() as f64 / seconds) as u64));
        }
        if share > 0.0 && ended < items.len() {
            text += &format!(", {} left", duration(seconds * (1.0 - share) / share));
        }
        Self { share, text }
    }
}

/// Seconds as a person says them.
pub fn duration(seconds: f64) -> String {
    match seconds {
        ..9.95 => format!("{seconds:.1} s"),
        ..120.0 => format!("{seconds:.0} s"),
        ..7200.0 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        assert_eq!(duration(0.04), "0.0 s");
        assert_eq!(duration(9.94), "9.9 s");
        assert_eq!(duration(9.96), "10 s");
        assert_eq!(duration(119.0), "119 s");
        assert_eq!(duration(120.0), "2 min");
        assert_eq!(duration(7200.0), "2.0 h");
    }

    #[test]
    fn the_overview_counts_cost_and_not_steps() {
        let item = |cost| Item { name: String::new(), steps: 10, cost };
        let progress = Progress::new(2);
        let overview = Overview::new(&[item(3.0), item(1.0)], 0, &progress, Duration::from_secs(2));
        assert_eq!((overview.share, overview.text.as_str()), (0.0, "0/2 runs, 0/20 steps, 0 steps/s"));
    }
}
