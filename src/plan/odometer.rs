//! Steps through the cells of a space like an odometer: the last wheel turns fastest, and the wheels before the one
//! that turns do not move.

use super::site::Site;
use super::space::{Item, Space, Wheel};
use crate::file::{Experiment, SectionSet};
use crate::value::{Choice, Kind};

/// One cell of a space, and the way to the next.
#[derive(Debug, Clone)]
pub struct Odometer<'p> {
    experiment: &'p Experiment,
    choice: Choice,
    turns: Vec<Turn<'p>>,
    /// Lists of items that follow other items.
    rests: Vec<Rest<'p>>,
    taken: Vec<Taken<'p>>,
    /// The sections with an axis that has moved since the last call of [`moved`](Self::moved).
    moved: SectionSet,
}

/// An alternative of a cell.
#[derive(Debug, Clone, Copy)]
pub enum Taken<'p> {
    /// The position of a wheel.
    Turned(&'p Wheel),
    /// A place that moves with a wheel around it, or not at all.
    Given(&'p Site),
}

/// A wheel and its position.
#[derive(Debug, Clone)]
struct Turn<'p> {
    wheel: &'p Wheel,
    position: usize,
    /// The index in `rests` of the items that follow it.
    rest: Option<usize>,
    /// The lengths of `rests` and `taken` before it.
    before: [usize; 2],
}

#[derive(Debug, Clone, Copy)]
struct Rest<'p> {
    items: &'p [Item],
    then: Option<usize>,
}

impl<'p> Odometer<'p> {
    /// An odometer at the cell `index` of `space`.
    ///
    /// # Panics
    /// If `index` is not below the size of the space.
    pub fn at(experiment: &'p Experiment, space: &'p Space, index: u128) -> Self {
        let mut odometer = Self {
            experiment,
            choice: experiment.first_choice(),
            turns: Vec::new(),
            rests: Vec::new(),
            taken: Vec::new(),
            moved: SectionSet::ALL,
        };
        odometer.seek(space, index, None);
        odometer
    }

    /// Moves to the next cell; false after the last one.
    pub fn advance(&mut self) -> bool {
        while let Some(Turn { wheel, position, rest, before: [rests, taken] }) = self.turns.pop() {
            self.rests.truncate(rests);
            self.taken.truncate(taken);
            if position + 1 < wheel.count {
                self.turn(wheel, position + 1, rest);
                let rest = Some(self.rest(wheel.inner(position + 1).items(), rest));
                self.fill(rest);
                return true;
            }
        }
        false
    }

    /// The choice that leads to the cell.
    pub fn choice(&self) -> &Choice {
        &self.choice
    }

    /// The sections with an axis that has moved since the last call; at first, all.
    pub fn moved(&mut self) -> SectionSet {
        std::mem::take(&mut self.moved)
    }

    /// The alternatives of the cell, in the order of the file.
    pub fn taken(&self) -> impl Iterator<Item = Taken<'p>> {
        self.taken.iter().copied().filter(|taken| match taken {
            Taken::Turned(_) => true,
            Taken::Given(site) => !site.is_absent(&self.choice),
        })
    }

    fn declared(&self) -> impl Iterator<Item = Taken<'_>> {
        self.taken().filter(Taken::is_declared)
    }

    /// The cell's label: names the declared axes only.
    pub fn label(&self) -> String {
        let labels: Vec<String> =
            self.declared().map(|taken| taken.label(self.choice())).filter(|label| !label.is_empty()).collect();
        if labels.is_empty() { self.optimizer_name() } else { labels.join(", ") }
    }

    /// The declared axes: name and value.
    pub fn varies(&self) -> Vec<(String, String)> {
        self.declared().map(|taken| (taken.name().to_owned(), taken.value(self.choice()))).collect()
    }

    /// The optimizer's name in the file, or its kind if it has none.
    pub fn optimizer_name(&self) -> String {
        const OPTIMIZER: &str = "optimizer";
        match self.taken().find(|taken| taken.name() == OPTIMIZER) {
            Some(taken) => taken.value(self.choice()),
            None => self.kind_of(OPTIMIZER).unwrap_or_default(),
        }
    }

    /// The kind of the section with this key: either its value is the kind, or it has a key `kind`.
    fn kind_of(&self, section: &str) -> Option<String> {
        let node = self.experiment.tree.root.entry(section)?.value.chosen(&self.choice);
        let kind = node.entry("kind").map_or(node, |entry| entry.value.chosen(&self.choice));
        match &kind.kind {
            Kind::Text(kind) => Some(kind.clone()),
            _ => None,
        }
    }

    fn turn(&mut self, wheel: &'p Wheel, position: usize, rest: Option<usize>) {
        let id = wheel.site.axis.id;
        self.experiment.choose(&mut self.choice, id, position);
        self.moved = self.moved.or(self.experiment.sections_of(id));
        self.turns.push(Turn { wheel, position, rest, before: [self.rests.len(), self.taken.len()] });
        self.taken.push(Taken::Turned(wheel));
    }

    fn rest(&mut self, items: &'p [Item], then: Option<usize>) -> usize {
        self.rests.push(Rest { items, then });
        self.rests.len() - 1
    }

    /// Takes the first alternative of every wheel in `rest`.
    fn fill(&mut self, mut rest: Option<usize>) {
        while let Some(index) = rest {
            let Rest { items, then } = self.rests[index];
            let [first, others @ ..] = items else {
                rest = then;
                continue;
            };
            let behind = if others.is_empty() { then } else { Some(self.rest(others, then)) };
            match first {
                Item::Given(site) => {
                    self.taken.push(Taken::Given(site));
                    rest = behind;
                }
                Item::Wheel(wheel) => {
                    self.turn(wheel, 0, behind);
                    rest = Some(self.rest(wheel.inner(0).items(), behind));
                }
            }
        }
    }

    /// Takes the alternatives of the cell `index` of `space`, followed by `rest`.
    fn seek(&mut self, space: &'p Space, index: u128, rest: Option<usize>) {
        let mut digits = space.digits(index).into_iter();
        for (at, item) in space.items().iter().enumerate() {
            match item {
                Item::Given(site) => self.taken.push(Taken::Given(site)),
                Item::Wheel(wheel) => {
                    let (position, digit) = wheel.decode(digits.next().unwrap_or_default());
                    let behind = Some(self.rest(&space.items()[at + 1..], rest));
                    self.turn(wheel, position, behind);
                    self.seek(wheel.inner(position), digit, behind);
                }
            }
        }
    }
}

impl Taken<'_> {
    /// The setting's short name; `variant`; `trial`.
    pub fn name(&self) -> &str {
        match self {
            Self::Turned(wheel) => wheel.name(),
            Self::Given(site) => site.name(),
        }
    }

    /// Whether it belongs to a declared axis: a single optimizer does not.
    pub fn is_declared(&self) -> bool {
        match self {
            Self::Turned(_) => true,
            Self::Given(site) => site.is_declared(),
        }
    }

    /// The 0-based position of the alternative that `choice`, the cell's, takes.
    pub fn position(&self, choice: &Choice) -> usize {
        let site: &Site = match self {
            Self::Turned(wheel) => &wheel.site,
            Self::Given(site) => site,
        };
        choice.get(site.axis.id)
    }

    /// The value as listings write it: `he`, `0.01`. `choice` is the cell's.
    pub fn value(&self, choice: &Choice) -> String {
        match self {
            Self::Turned(wheel) => wheel.value(choice),
            Self::Given(site) => site.value(choice),
        }
    }

    /// The value as labels write it: `he`, `lr=0.01`; empty if labels omit it. `choice` is the cell's.
    pub fn label(&self, choice: &Choice) -> String {
        match self {
            Self::Turned(wheel) => wheel.label(choice),
            Self::Given(site) => site.label(choice),
        }
    }
}
