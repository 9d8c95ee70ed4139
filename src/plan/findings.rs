//! The contradictions of a plan's cells: each is reported once, with the variants that make it.

use std::collections::HashMap;

use super::space::{Alternative, Axis};
use crate::file::VARIANT;
use crate::value::Origin;
use crate::value::problem::{Problem, listed};

/// What was found wrong so far.
#[derive(Debug, Default)]
pub struct Findings {
    problems: Vec<Found>,
    /// Which of the problems says this at this place.
    known: HashMap<(Option<Origin>, String), usize>,
    /// All variants, in the order of the file.
    variants: Vec<String>,
}

#[derive(Debug)]
struct Found {
    problem: Problem,
    /// In which of the variants.
    variants: Vec<String>,
}

impl Findings {
    /// The findings in the cell of these alternatives.
    pub fn cell(&mut self, taken: &[(&Axis, &Alternative)]) -> CellFindings<'_> {
        let variant = taken.iter().find(|(axis, _)| axis.name == VARIANT).map(|(_, taken)| taken.value.clone());
        if let Some(variant) = variant.as_ref().filter(|variant| !self.variants.contains(variant)) {
            self.variants.push(variant.clone());
        }
        CellFindings { is_trial: taken.iter().any(|(axis, _)| axis.name == "trial"), variant, findings: self }
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// The problems. Where not every variant has one, it says which have.
    pub fn into_problems(self) -> Vec<Problem> {
        let Self { problems, variants: all, .. } = self;
        let explained = |Found { mut problem, variants }: Found| {
            if variants.len() < all.len() {
                let names = listed(variants.iter().map(String::as_str), " and");
                let them = if variants.len() == 1 { "the variant" } else { "the variants" };
                problem.help.push(format!("this is so in {them} {names}"));
            }
            problem
        };
        problems.into_iter().map(explained).collect()
    }
}

/// The findings in one cell.
pub struct CellFindings<'a> {
    findings: &'a mut Findings,
    is_trial: bool,
    variant: Option<String>,
}

impl CellFindings<'_> {
    /// Adds a problem.
    pub fn report(&mut self, problem: Problem) {
        // What one trial has drawn wrong, others draw wrong by other numbers.
        let message = match self.is_trial {
            true => problem.message.chars().filter(|character| !"0123456789.e-".contains(*character)).collect(),
            false => problem.message.clone(),
        };
        let Findings { problems, known, .. } = &mut *self.findings;
        let index = *known.entry((problem.origin.clone(), message)).or_insert_with(|| {
            problems.push(Found { problem, variants: Vec::new() });
            problems.len() - 1
        });
        if let Some(variant) = self.variant.as_ref().filter(|variant| !problems[index].variants.contains(variant)) {
            problems[index].variants.push(variant.clone());
        }
    }
}
