//! The contradictions of a plan's cells: each is reported once, with the variants that have it.

use std::collections::{BTreeSet, HashMap};

use super::contradiction::Rule;
use super::odometer::Odometer;
use crate::file::VARIANT;
use crate::value::Origin;
use crate::value::problem::Problem;
use engine::names::listed;

/// The problems found so far.
#[derive(Debug, Default)]
pub struct Findings {
    problems: Vec<Found>,
    /// The index of each problem, by its place and what identifies it there.
    known: HashMap<(Option<Origin>, What), usize>,
}

/// What identifies a problem at its place.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum What {
    Message(String),
    /// The rule: each of the numbers that are computed or drawn can break it with its own message.
    OfGenerated(Rule),
}

#[derive(Debug)]
struct Found {
    problem: Problem,
    /// The positions of the variants that have it, in the order of the file.
    variants: BTreeSet<usize>,
}

impl Findings {
    /// Adds a problem in the cell of `odometer`, with the rule that it breaks if its numbers are computed or drawn.
    pub fn report(&mut self, problem: Problem, of_generated: Option<Rule>, odometer: &Odometer) {
        let what = of_generated.map_or_else(|| What::Message(problem.message.clone()), What::OfGenerated);
        let index = *self.known.entry((problem.origin.clone(), what)).or_insert_with(|| {
            self.problems.push(Found { problem, variants: BTreeSet::new() });
            self.problems.len() - 1
        });
        let variant = odometer.taken().find(|taken| taken.name() == VARIANT);
        self.problems[index].variants.extend(variant.map(|variant| variant.position(odometer.choice())));
    }

    /// Adds what was found in other cells, after these.
    pub fn merge(&mut self, other: Self) {
        let mut keys: Vec<_> = other.known.into_iter().collect();
        keys.sort_by_key(|(_, index)| *index);
        for ((key, _), found) in keys.into_iter().zip(other.problems) {
            match self.known.get(&key) {
                Some(&index) => self.problems[index].variants.extend(found.variants),
                None => {
                    self.known.insert(key, self.problems.len());
                    self.problems.push(found);
                }
            }
        }
    }

    /// The problems. A problem that not all of the variants `all` have says which do.
    pub fn into_problems(self, all: &[&str]) -> Vec<Problem> {
        let explained = |Found { mut problem, variants }: Found| {
            if variants.len() < all.len() {
                let names = listed(variants.iter().map(|&position| all[position]), " and");
                let them = if variants.len() == 1 { "the variant" } else { "the variants" };
                problem.help.push(format!("this applies to {them} {names}"));
            }
            problem
        };
        self.problems.into_iter().map(explained).collect()
    }
}
