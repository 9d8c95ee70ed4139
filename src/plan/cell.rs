//! A cell: one combination of a file's values, lowered, before it is multiplied by the seeds.

use std::sync::Arc;

use rayon::prelude::*;

use super::cost::Cost;
use super::space::{Alternative, Axis};
use super::{Common, PlannedRun};
use crate::seed::Seed;
use crate::settings::Settings;
use crate::spec::{NetworkRun, RunSpec};

/// One combination of the values of all axes.
#[derive(Debug, Clone)]
pub struct Cell {
    /// Its index into the space.
    pub index: u128,
    /// The outermost declared axes: name, and which of its cells this is, those within it counted.
    pub places: Vec<(String, u128)>,
    /// Names the declared axes only.
    pub label: String,
    /// What the declared axes are here: name and value.
    pub varies: Vec<(String, String)>,
    /// The name that the file gives the optimizer; its kind where it gives none.
    pub optimizer_name: String,
    /// With the first seed.
    pub spec: RunSpec,
}

impl Cell {
    /// The cell `index`, in which the axes `taken` come to `spec`. `places` are those of the outermost ones.
    pub fn new(index: u128, spec: RunSpec, taken: &[(&Axis, &Alternative)], places: Vec<(String, u128)>) -> Self {
        let optimizer = taken.iter().find(|(axis, _)| axis.name == "optimizer");
        let optimizer_name =
            optimizer.map_or_else(|| spec.optimizer().kind().to_owned(), |(_, alternative)| alternative.value.clone());
        let declared: Vec<_> = taken.iter().filter(|(axis, _)| axis.is_declared).collect();
        let labels = declared.iter().map(|(_, alternative)| alternative.label.as_str());
        let label = labels.filter(|label| !label.is_empty()).collect::<Vec<_>>().join(", ");
        let label = if label.is_empty() { optimizer_name.clone() } else { label };
        let varies =
            declared.iter().map(|(axis, alternative)| (axis.name.clone(), alternative.value.clone())).collect();
        Self { index, places, label, varies, optimizer_name, spec }
    }

    /// The runs of the cell, one for each seed.
    pub fn with_seeds(self, seeds: &[Seed]) -> Vec<PlannedRun> {
        let Self { index: cell, places: _, label, varies, optimizer_name, spec } = self;
        let of = Arc::new(Common { cell, label, varies, optimizer_name, cost: Cost::of(&spec), spec });
        let run = |settings: &mut Settings, &seed: &Seed| {
            settings.set_seed(seed);
            PlannedRun {
                id: settings.run_id(of.spec.fingerprint()),
                trajectory_id: settings.trajectory_id(of.spec.fingerprint()),
                seed,
                of: Arc::clone(&of),
            }
        };
        seeds.par_iter().map_with(of.spec.settings(), run).collect()
    }

    /// The network that is trained, where there is one.
    pub fn network(&self) -> Option<&NetworkRun> {
        match &self.spec {
            RunSpec::Network(run) => Some(run),
            RunSpec::Function(_) => None,
        }
    }
}
