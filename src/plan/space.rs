//! The space of settings that a file declares: a product of wheels. A wheel has the alternatives of an axis, and each
//! alternative may have further wheels below it. A cell is an index into the space, and is decoded on demand
//! ([`Odometer`](super::odometer::Odometer)).
//!
//! Places of the file that share one axis move together. The wheel stands for the first of them. Each further place is
//! *given* in the space below the wheel: its value follows from the wheel's position.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::site::Site;
use crate::file::{Experiment, VARIANT};
use crate::value::problem::Problem;
use crate::value::{Axis, AxisId, Choice, Form, Kind, Node};

/// A product of wheels; the last one turns fastest.
#[derive(Debug, Default)]
pub struct Space {
    items: Vec<Item>,
}

/// A part of a space.
#[derive(Debug)]
pub enum Item {
    Wheel(Wheel),
    /// Moves with a wheel around it, or not at all: a single optimizer.
    Given(Arc<Site>),
}

/// The alternatives of an axis, multiplied with those of the other wheels.
#[derive(Debug)]
pub struct Wheel {
    /// The first place of the axis.
    pub site: Arc<Site>,
    /// The number of alternatives.
    pub count: usize,
    inner: Inner,
}

/// The spaces below the alternatives of a wheel.
#[derive(Debug)]
enum Inner {
    /// The same space below each alternative.
    Same(Space),
    Each {
        spaces: Vec<Space>,
        /// Cumulative number of cells, up to and including each alternative; `None` beyond 2^128.
        ends: Option<Vec<u128>>,
    },
}

/// The name of the trials' axis.
pub const TRIAL: &str = "trial";

/// More runs than this are refused.
const MOST_RUNS: u128 = 1_000_000;

/// A space with more alternatives than this has more runs than a plan can have.
const MOST_ALTERNATIVES: usize = 2_000_000;

impl Space {
    /// The axes of the experiment's tree, in the order in which they first appear.
    ///
    /// # Errors
    /// More runs than can be planned.
    pub fn of(experiment: &Experiment) -> Result<Self, Problem> {
        let too_many = || {
            Problem::new("the axes of the file have too many values, counting those within others each time")
                .help("use fewer values, or split the file")
        };
        let space = Self::built(experiment).ok_or_else(too_many)?;
        space.within_bounds(experiment).map(|()| space)
    }

    /// The axes of the experiment's tree; `None` if they have more alternatives than a plan can have runs.
    fn built(experiment: &Experiment) -> Option<Self> {
        let choice = experiment.first_choice();
        let mut places = Vec::new();
        collect(&experiment.tree.root, false, &choice, &mut Vec::new(), &mut places);
        // The variants' wheel is where the file names them, not at the first key that they change.
        if let Some(leader) = places.iter().position(AxisAt::is_variants) {
            let id = places[leader].axis.id;
            let (led, mut others): (Vec<_>, Vec<_>) =
                places.into_iter().partition(|place| place.axis.id == id && !place.is_variants());
            let after = others.iter().position(AxisAt::is_variants).map_or(0, |position| position + 1);
            others.splice(after..after, led);
            places = others;
        }
        let mut builder =
            Builder { experiment, choice, taken: HashMap::new(), sites: HashMap::new(), left: MOST_ALTERNATIVES };
        builder.space(places)
    }

    /// Wheels and given places, in the order of the file.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The items that are declared: a single optimizer is not.
    pub fn declared(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| !matches!(item, Item::Given(site) if !site.is_declared()))
    }

    /// The axes that are not given, in the order of the file.
    pub fn wheels(&self) -> impl DoubleEndedIterator<Item = &Wheel> {
        self.items.iter().filter_map(|item| match item {
            Item::Wheel(wheel) => Some(wheel),
            Item::Given(_) => None,
        })
    }

    /// The number of cells; `None` beyond 2^128.
    pub fn size(&self) -> Option<u128> {
        self.wheels().try_fold(1, |size: u128, wheel| size.checked_mul(wheel.size()?))
    }

    /// The digits of the cell `index`: one for each wheel, below its [`size`](Wheel::size).
    ///
    /// # Panics
    /// If `index` is not below [`size`](Self::size).
    pub fn digits(&self, mut index: u128) -> Vec<u128> {
        let mut digits: Vec<u128> = Vec::new();
        for wheel in self.wheels().rev() {
            let size = wheel.size().expect("an index below the size exists only where the size does");
            digits.push(index % size);
            index /= size;
        }
        assert_eq!(index, 0, "the space has no such cell");
        digits.reverse();
        digits
    }

    /// The names of the outermost declared axes, each with its digit of the cell `index`; a given place has the digit
    /// 0.
    ///
    /// # Panics
    /// As [`digits`](Self::digits).
    pub fn outermost(&self, index: u128) -> Vec<(&str, u128)> {
        let mut digits = self.digits(index).into_iter();
        let mut digit = |item: &Item| match item {
            Item::Wheel(_) => digits.next().unwrap_or_default(),
            Item::Given(_) => 0,
        };
        self.declared().map(|item| (item.name(), digit(item))).collect()
    }

    /// Refuses more runs than can be planned.
    fn within_bounds(&self, experiment: &Experiment) -> Result<(), Problem> {
        let seeds = experiment.seeds.get().len();
        let runs = self.size().and_then(|cells| cells.checked_mul(seeds as u128));
        if runs.is_some_and(|runs| runs <= MOST_RUNS) {
            return Ok(());
        }
        let mut factors: Vec<String> =
            self.wheels().map(|wheel| format!("{} {}", wheel.size().unwrap_or(u128::MAX), wheel.name())).collect();
        factors.push(format!("{seeds} seeds"));
        let count = runs.map_or("more than 2^128".to_owned(), |runs| runs.to_string());
        let problem = Problem::new(format!("the file declares {count} runs; the limit is {MOST_RUNS}"))
            .help(format!("that is {}", factors.join(" × ")));
        Err(match experiment.sweep.exclude.conditions() {
            [] => problem,
            _ => problem.help("those that `exclude` leaves out count, too"),
        })
    }
}

impl Item {
    /// The setting's short name; `variant`; `trial`.
    pub fn name(&self) -> &str {
        match self {
            Self::Wheel(wheel) => wheel.name(),
            Self::Given(site) => site.name(),
        }
    }
}

impl Wheel {
    /// As [`Item::name`].
    pub fn name(&self) -> &str {
        if self.is_trials() { TRIAL } else { self.site.name() }
    }

    /// Whether its alternatives are trials.
    pub fn is_trials(&self) -> bool {
        self.site.axis.is_trial()
    }

    /// The number of its own cells: the sizes of the spaces below its alternatives, added up.
    pub fn size(&self) -> Option<u128> {
        match &self.inner {
            Inner::Same(space) => (self.count as u128).checked_mul(space.size()?),
            Inner::Each { ends, .. } => ends.as_ref()?.last().copied(),
        }
    }

    /// The space below an alternative.
    pub fn inner(&self, position: usize) -> &Space {
        match &self.inner {
            Inner::Same(space) => space,
            Inner::Each { spaces, .. } => &spaces[position],
        }
    }

    /// The spaces below the alternatives: one if all alternatives share it.
    pub fn inners(&self) -> &[Space] {
        match &self.inner {
            Inner::Same(space) => std::slice::from_ref(space),
            Inner::Each { spaces, .. } => spaces,
        }
    }

    /// The alternative of a digit, and the cell of the space below that alternative.
    pub fn decode(&self, digit: u128) -> (usize, u128) {
        match &self.inner {
            Inner::Same(space) => {
                let size = space.size().unwrap_or(u128::MAX);
                ((digit / size) as usize, digit % size)
            }
            Inner::Each { ends, .. } => {
                let ends = ends.as_deref().unwrap_or_default();
                let position = ends.partition_point(|end| *end <= digit);
                let begin = if position == 0 { 0 } else { ends[position - 1] };
                (position, digit - begin)
            }
        }
    }

    /// The alternative that `choice` takes, as listings write it: `he`, `0.01`.
    pub fn value(&self, choice: &Choice) -> String {
        match self.is_trials() {
            true => choice.get(self.site.axis.id).to_string(),
            false => self.site.value(choice),
        }
    }

    /// The alternative that `choice` takes, as labels write it: `he`, `lr=0.01`.
    pub fn label(&self, choice: &Choice) -> String {
        match self.is_trials() {
            true => format!("trial {:03}", choice.get(self.site.axis.id)),
            false => self.site.label(choice),
        }
    }
}

/// An axis of the tree, and the keys that lead to it.
#[derive(Clone)]
struct AxisAt<'t> {
    axis: &'t Arc<Axis>,
    path: Vec<&'t str>,
}

impl<'t> AxisAt<'t> {
    /// Whether this is where the file names its variants.
    fn is_variants(&self) -> bool {
        self.path == [VARIANT]
    }

    /// Whether this is a key that variants change; their names already tell its values apart.
    fn is_patched(&self) -> bool {
        self.axis.form == Form::Patched && !self.is_variants()
    }

    /// The axes within the alternative that `choice` takes.
    fn within(&self, choice: &Choice) -> Vec<AxisAt<'t>> {
        let mut places = Vec::new();
        if let Some(taken) = self.axis.taken(choice) {
            let is_drawn = self.axis.is_trial();
            collect(&self.axis.alternatives[taken].value, is_drawn, choice, &mut self.path.clone(), &mut places);
        }
        places
    }
}

/// The axes of the tree below `node`, except those within other axes. A draw within another draw of a trial is a part
/// of the latter.
fn collect<'t>(node: &'t Node, is_drawn: bool, choice: &Choice, path: &mut Vec<&'t str>, places: &mut Vec<AxisAt<'t>>) {
    match &node.kind {
        Kind::Table(entries) => {
            for entry in entries {
                path.push(&entry.key);
                collect(&entry.value, is_drawn, choice, path, places);
                path.pop();
            }
        }
        Kind::Axis(axis) if is_drawn && axis.is_trial() => {
            if let Some(taken) = axis.taken(choice) {
                collect(&axis.alternatives[taken].value, is_drawn, choice, path, places);
            }
        }
        Kind::Axis(axis) => places.push(AxisAt { axis, path: path.clone() }),
        _ => {}
    }
}

/// Whether the axis `id`, somewhere at or below `axis`, has axes within its alternatives.
fn holds_axes(axis: &Axis, id: AxisId) -> bool {
    /// Whether there are axes at or below `node`; a draw within another draw of a trial does not count.
    fn is_open(node: &Node, is_drawn: bool) -> bool {
        match &node.kind {
            Kind::Axis(axis) if is_drawn && axis.is_trial() => node.children().any(|child| is_open(child, is_drawn)),
            Kind::Axis(_) => true,
            _ => node.children().any(|child| is_open(child, is_drawn)),
        }
    }
    fn below(node: &Node, id: AxisId) -> bool {
        match &node.kind {
            Kind::Axis(axis) => holds_axes(axis, id),
            _ => node.children().any(|child| below(child, id)),
        }
    }
    let is_drawn = axis.is_trial();
    axis.alternatives.iter().any(|one| axis.id == id && is_open(&one.value, is_drawn) || below(&one.value, id))
}

struct Builder<'t> {
    experiment: &'t Experiment,
    /// The alternatives taken around the space under construction.
    choice: Choice,
    /// The axes around the space under construction; for each, whether the space depends on its alternative.
    taken: HashMap<AxisId, bool>,
    /// By the axis's address in memory.
    sites: HashMap<*const Axis, Arc<Site>>,
    /// How many more alternatives are allowed.
    left: usize,
}

impl<'t> Builder<'t> {
    /// The space of these places; `None` if it has too many alternatives.
    fn space(&mut self, places: Vec<AxisAt<'t>>) -> Option<Space> {
        let mut waiting: VecDeque<(AxisAt, HashSet<AxisId>)> =
            places.into_iter().map(|place| (place.clone(), self.axes_of(&place))).collect();
        let mut space = Space::default();
        while let Some((first, axes)) = waiting.pop_front() {
            // A single optimizer is no axis, but may contain some.
            if !self.site(&first).is_declared() {
                self.taken.insert(first.axis.id, true);
            }
            if let Some(&matters) = self.taken.get(&first.axis.id) {
                let within = if matters { first.within(&self.choice) } else { Vec::new() };
                for place in within.into_iter().rev() {
                    let axes = self.axes_of(&place);
                    waiting.push_front((place, axes));
                }
                if !first.is_patched() {
                    space.items.push(Item::Given(self.site(&first)));
                }
                continue;
            }
            let together = connected(axes, &mut waiting);
            space.items.push(Item::Wheel(self.wheel(&first, &together)?));
        }
        Some(space)
    }

    /// The wheel whose first place is `first`. Below its alternatives are the places in `together`, which share an axis
    /// with it.
    fn wheel(&mut self, first: &AxisAt<'t>, together: &[AxisAt<'t>]) -> Option<Wheel> {
        let id = first.axis.id;
        let count = match (&first.axis.form, &self.experiment.draws) {
            (Form::Trial(_), Some(draws)) => draws.trials() as usize,
            _ => first.axis.alternatives.len(),
        };
        let is_trials = first.axis.is_trial();
        let matters = std::iter::once(first).chain(together).any(|place| holds_axes(place.axis, id));
        self.taken.insert(id, matters);
        let inner = |builder: &mut Self| {
            builder.left = builder.left.checked_sub(1)?;
            let mut within = match (is_trials, matters) {
                (true, _) => vec![first.clone()],
                (false, true) => first.within(&builder.choice),
                (false, false) => Vec::new(),
            };
            within.extend_from_slice(together);
            builder.space(within)
        };
        let inner = if matters {
            let mut spaces = Vec::new();
            for position in 0..count {
                self.experiment.choose(&mut self.choice, id, position);
                spaces.push(inner(self)?);
            }
            let add = |sum: &mut u128, space: &Space| {
                *sum = sum.checked_add(space.size()?)?;
                Some(*sum)
            };
            let ends: Vec<u128> = spaces.iter().scan(0, add).collect();
            Inner::Each { ends: (ends.len() == spaces.len()).then_some(ends), spaces }
        } else {
            Inner::Same(inner(self)?)
        };
        self.taken.remove(&id);
        Some(Wheel { site: self.site(first), count, inner })
    }

    fn site(&mut self, place: &AxisAt) -> Arc<Site> {
        Arc::clone(
            self.sites.entry(Arc::as_ptr(place.axis)).or_insert_with(|| Arc::new(Site::new(place.axis, &place.path))),
        )
    }

    /// The axes at and below `place` that are not taken yet.
    fn axes_of(&self, place: &AxisAt) -> HashSet<AxisId> {
        let mut axes = HashSet::new();
        self.add_axes(place.axis, &mut axes);
        axes
    }

    fn add_axes(&self, axis: &Axis, axes: &mut HashSet<AxisId>) {
        let mut add = |node: &Node| self.add_axes_below(node, axes);
        match self.taken.get(&axis.id) {
            Some(true) => axis.taken(&self.choice).into_iter().for_each(|taken| add(&axis.alternatives[taken].value)),
            Some(false) => {}
            None => {
                axis.alternatives.iter().for_each(|alternative| add(&alternative.value));
                axes.insert(axis.id);
            }
        }
    }

    fn add_axes_below(&self, node: &Node, axes: &mut HashSet<AxisId>) {
        match &node.kind {
            Kind::Axis(axis) => self.add_axes(axis, axes),
            Kind::Table(entries) => entries.iter().for_each(|entry| self.add_axes_below(&entry.value, axes)),
            _ => {}
        }
    }
}

/// Removes from `waiting` every place that shares an axis with `axes`, directly or through other such places.
fn connected<'t>(mut axes: HashSet<AxisId>, waiting: &mut VecDeque<(AxisAt<'t>, HashSet<AxisId>)>) -> Vec<AxisAt<'t>> {
    let mut is_connected = vec![false; waiting.len()];
    loop {
        let before = axes.len();
        for ((_, own), is_connected) in waiting.iter().zip(&mut is_connected) {
            // A place whose axes are all taken is connected to nothing.
            if !*is_connected && !axes.is_disjoint(own) {
                *is_connected = true;
                axes.extend(own);
            }
        }
        if axes.len() == before {
            break;
        }
    }
    let mut together = Vec::new();
    for (entry, is_connected) in std::mem::take(waiting).into_iter().zip(is_connected) {
        if is_connected { together.push(entry.0) } else { waiting.push_back(entry) }
    }
    together
}
