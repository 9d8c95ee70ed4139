//! The contradictions of a plan's cells: each is reported once, with the variants that have it.

use std::collections::HashMap;

use super::contradiction::Rule;
use super::odometer::Taken;
use crate::file::VARIANT;
use crate::value::problem::{Problem, listed};
use crate::value::{Choice, Origin};

/// The problems found so far.
#[derive(Debug, Default)]
pub struct Findings {
    problems: Vec<Found>,
    /// The index of the problem that says this at this place.
    known: HashMap<(Option<Origin>, What), usize>,
}

/// What identifies a problem at its place.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum What {
    Message(String),
    /// The rule. Numbers that no one has written break one rule with different messages.
    OfGenerated(Rule),
}

#[derive(Debug)]
struct Found {
    problem: Problem,
    /// The variants that have it.
    variants: Vec<String>,
}

impl Findings {
    /// The findings in the cell with these alternatives.
    pub fn cell<'p>(&mut self, taken: impl Iterator<Item = Taken<'p>>, choice: &Choice) -> CellFindings<'_> {
        let (mut variant, mut is_generated) = (None, false);
        for taken in taken {
            is_generated |= taken.is_generated();
            if taken.name() == VARIANT {
                variant = Some(taken.value(choice));
            }
        }
        CellFindings { is_generated, variant, findings: self }
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// Adds what was found in other cells, after these.
    pub fn merge(&mut self, other: Self) {
        let mut keys: Vec<_> = other.known.into_iter().collect();
        keys.sort_by_key(|(_, index)| *index);
        for ((key, _), found) in keys.into_iter().zip(other.problems) {
            match self.known.get(&key) {
                Some(&index) => {
                    let known = &mut self.problems[index].variants;
                    let new: Vec<String> = found.variants.into_iter().filter(|new| !known.contains(new)).collect();
                    known.extend(new);
                }
                None => {
                    self.known.insert(key, self.problems.len());
                    self.problems.push(found);
                }
            }
        }
    }

    /// The problems. If not all of the variants `all` have a problem, it says which do.
    pub fn into_problems(self, all: &[&str]) -> Vec<Problem> {
        let explained = |Found { mut problem, variants }: Found| {
            if variants.len() < all.len() {
                let names = listed(variants.iter().map(String::as_str), " and");
                let them = if variants.len() == 1 { "the variant" } else { "the variants" };
                problem.help.push(format!("this is so in {them} {names}"));
            }
            problem
        };
        self.problems.into_iter().map(explained).collect()
    }
}

/// The findings in one cell.
pub struct CellFindings<'a> {
    findings: &'a mut Findings,
    /// Whether some of its numbers are computed or drawn.
    is_generated: bool,
    variant: Option<String>,
}

impl CellFindings<'_> {
    /// Adds a problem, with the rule that found it.
    pub fn report(&mut self, problem: Problem, rule: Rule) {
        let what = match self.is_generated {
            true => What::OfGenerated(rule),
            false => What::Message(problem.message.clone()),
        };
        let Findings { problems, known, .. } = &mut *self.findings;
        let index = *known.entry((problem.origin.clone(), what)).or_insert_with(|| {
            problems.push(Found { problem, variants: Vec::new() });
            problems.len() - 1
        });
        if let Some(variant) = self.variant.as_ref().filter(|variant| !problems[index].variants.contains(variant)) {
            problems[index].variants.push(variant.clone());
        }
    }
}
