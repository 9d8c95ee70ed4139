//! Trains planned runs, and reads their data, each source once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::num::NonZero;
use std::ops::ControlFlow;
use std::time::Instant;

use super::progress::ProgressItem;
use super::units::duration;
use crate::plan::PlannedRun;
use crate::runner::Ended;
use crate::store::{RunResult, RunRow};
use engine::data::{self, Data, Dataset, Info, Limits, Source};
use engine::spec::RunSpec;
use engine::train::{self, Ending, Outcome};

/// The data of a plan's runs: the rows of each source with each limit, before a run splits them.
#[derive(Debug, Default)]
pub struct Datasets(HashMap<(Limits, Source), Dataset>);

impl Datasets {
    /// Reads the data in `needed` that has not been read yet.
    ///
    /// # Errors
    /// If a source is unavailable, or has changed since the runs were planned.
    pub fn load(&mut self, needed: impl IntoIterator<Item = (Data, Info)>) -> Result<(), data::Error> {
        for (data, info) in needed {
            if let Entry::Vacant(entry) = self.0.entry(rows(&data)) {
                let begin = Instant::now();
                let dataset = data.load_as_planned(&info)?;
                tracing::info!(
                    "loaded {} training and {} test rows, fingerprint {}, in {}",
                    dataset.train.len(),
                    dataset.test.len(),
                    info.fingerprint,
                    duration(begin.elapsed().as_secs_f64())
                );
                if let Some(classes) = info.classes_in_words() {
                    tracing::info!("classes: {classes}");
                }
                entry.insert(dataset);
            }
        }
        Ok(())
    }

    /// Trains `run`, whose data has been [loaded](Self::load). `watch` gets the number of completed steps, and decides
    /// whether to continue.
    pub fn train(&self, run: PlannedRun, watch: &mut dyn FnMut(u64) -> ControlFlow<()>) -> TrainedRun {
        let spec = run.spec();
        let outcome = match &spec {
            RunSpec::Network(run) => train::network(run, &self.0[&rows(&run.data)], watch),
            RunSpec::Function(run) => train::function(run, watch),
        };
        TrainedRun { spec, outcome }
    }
}

/// Identifies the rows, before a run splits them.
fn rows(data: &Data) -> (Limits, Source) {
    let (limits, source) = data.rows();
    (limits.clone(), source.clone())
}

/// A run that was trained.
#[derive(Debug)]
pub struct TrainedRun {
    pub spec: RunSpec,
    pub outcome: Outcome,
}

/// The row to record of a run that ended; `None` if it was interrupted.
pub fn row(run: PlannedRun, ended: Ended<TrainedRun>) -> Option<RunRow> {
    let (spec, result) = match ended.result {
        Ok(TrainedRun { outcome: Outcome { ending: Ending::Interrupted, .. }, .. }) => return None,
        Ok(TrainedRun { spec, outcome }) => (spec, RunResult::Trained(outcome)),
        Err(error) => (run.spec(), RunResult::Failed { error }),
    };
    let settings = spec.settings();
    Some(RunRow {
        run_id: run.id(),
        trajectory_id: settings.trajectory_id(spec.fingerprint()),
        label: run.label(),
        seed: run.seed().get(),
        settings,
        data_fingerprint: spec.fingerprint().to_owned(),
        parameters: spec.parameters(),
        result,
        seconds: ended.elapsed.as_secs_f64(),
        finished_at: ended.finished_at,
    })
}

/// The runs, for progress.
pub fn items(runs: &[PlannedRun]) -> Vec<ProgressItem> {
    runs.iter().map(|run| ProgressItem { name: run.name(), steps: run.steps(), cost: run.cost().operations }).collect()
}

/// The number of jobs that is asked for, or one for each core.
pub fn jobs(asked: Option<u32>) -> usize {
    asked.map_or_else(|| std::thread::available_parallelism().map_or(1, NonZero::get), |jobs| jobs as usize)
}
