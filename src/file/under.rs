//! Reads the sections of a file under one choice after another. For each choice, only the sections with an axis that
//! has moved are read again.

use serde::de::DeserializeOwned;

use super::{Experiment, sections, vocabulary};
use crate::data::Data;
use crate::function::Function;
use crate::nn::{self, Init, Regularization};
use crate::optim::Optimizer;
use crate::record::Record;
use crate::train;
use crate::value::deserialize::deserialize_entry;
use crate::value::fault::Fault;
use crate::value::problem::Problem;
use crate::value::{Choice, Tree};

/// A section of the file that may contain axes, or belongs to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Section {
    Data,
    Network,
    Function,
    Init,
    Regularization,
    Optimizer,
    Train,
    Record,
}

impl Section {
    pub const ALL: [Self; 8] = [
        Self::Data,
        Self::Network,
        Self::Function,
        Self::Init,
        Self::Regularization,
        Self::Optimizer,
        Self::Train,
        Self::Record,
    ];

    /// Whether it is a part of a network and its training.
    pub fn belongs_to_network(self) -> bool {
        sections::get(self.key()).is_some_and(|key| key.belongs_to_network)
    }

    /// Its key at the top of the file.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Network => "network",
            Self::Function => "function",
            Self::Init => "init",
            Self::Regularization => "regularization",
            Self::Optimizer => "optimizer",
            Self::Train => "train",
            Self::Record => "record",
        }
    }
}

/// A set of sections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SectionSet(u8);

impl SectionSet {
    pub const NONE: Self = Self(0);
    pub const ALL: Self = Self(u8::MAX);

    /// The set of these sections.
    pub const fn of(sections: &[Section]) -> Self {
        let (mut set, mut index) = (0, 0);
        while index < sections.len() {
            set |= 1 << sections[index] as u8;
            index += 1;
        }
        Self(set)
    }

    /// The union.
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the two sets intersect.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether the set contains this section.
    pub const fn has(self, section: Section) -> bool {
        self.meets(Self::of(&[section]))
    }
}

/// The sections, as values; `None` for missing ones.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sections {
    /// Paths resolved.
    pub data: Option<Data>,
    pub network: Option<nn::NetworkSection>,
    pub function: Option<Function>,
    pub init: Option<Init>,
    pub regularization: Option<Regularization>,
    pub optimizer: Option<Optimizer>,
    pub train: Option<train::TrainSection>,
    pub record: Option<Record>,
}

impl Sections {
    /// Whether the file has this section.
    pub fn have(&self, section: Section) -> bool {
        match section {
            Section::Data => self.data.is_some(),
            Section::Network => self.network.is_some(),
            Section::Function => self.function.is_some(),
            Section::Init => self.init.is_some(),
            Section::Regularization => self.regularization.is_some(),
            Section::Optimizer => self.optimizer.is_some(),
            Section::Train => self.train.is_some(),
            Section::Record => self.record.is_some(),
        }
    }
}

/// A file under a choice.
#[derive(Debug)]
pub struct Under<'e> {
    experiment: &'e Experiment,
    sections: Sections,
    /// The problem in each of the sections.
    problems: [Option<Problem>; Section::ALL.len()],
}

impl<'e> Under<'e> {
    /// The file, with no section read yet.
    pub fn new(experiment: &'e Experiment) -> Self {
        Self { experiment, sections: Sections::default(), problems: Default::default() }
    }

    /// Moves to another choice; only axes in the sections `moved` have changed. The first choice moves all.
    pub fn turn(&mut self, choice: &Choice, moved: SectionSet) {
        for section in Section::ALL.into_iter().filter(|section| moved.has(*section)) {
            self.problems[section as usize] = self.read(section, choice).err().map(vocabulary::problem);
        }
    }

    /// The sections under the choice.
    ///
    /// # Errors
    /// The first section with values that are each accepted alone but not together, and the problem.
    pub fn sections(&self) -> Result<&Sections, (Section, &Problem)> {
        let mut problems = Section::ALL.into_iter().zip(&self.problems);
        match problems.find_map(|(section, problem)| Some((section, problem.as_ref()?))) {
            Some(found) => Err(found),
            None => Ok(&self.sections),
        }
    }

    fn read(&mut self, section: Section, choice: &Choice) -> Result<(), Fault> {
        let (experiment, sections) = (self.experiment, &mut self.sections);
        match section {
            Section::Data => {
                sections.data = read(experiment, section, choice)?;
                sections.data.iter_mut().for_each(|data| data.resolve(&experiment.folder));
            }
            Section::Network => sections.network = read(experiment, section, choice)?,
            Section::Function => sections.function = read(experiment, section, choice)?,
            Section::Init => sections.init = read(experiment, section, choice)?,
            Section::Regularization => sections.regularization = read(experiment, section, choice)?,
            Section::Optimizer => sections.optimizer = read(experiment, section, choice)?,
            Section::Train => sections.train = read(experiment, section, choice)?,
            Section::Record => sections.record = read(experiment, section, choice)?,
        }
        Ok(())
    }
}

fn read<T: DeserializeOwned>(experiment: &Experiment, section: Section, choice: &Choice) -> Result<Option<T>, Fault> {
    match experiment.tree.root.entry(section.key()) {
        Some(entry) => deserialize_entry(entry, choice, &experiment.dropped),
        None => Ok(None),
    }
}

/// The sections that contain each axis of a tree, by the axis's index.
pub fn sections_of_axes(tree: &Tree) -> Vec<SectionSet> {
    let mut of_axes = vec![SectionSet::NONE; tree.axes()];
    for section in Section::ALL {
        let entry = tree.root.entry(section.key());
        for axis in entry.iter().flat_map(|entry| entry.value.walk()).filter_map(|place| place.axis()) {
            let of_axis: &mut SectionSet = &mut of_axes[axis.id.index()];
            *of_axis = of_axis.or(SectionSet::of(&[section]));
        }
    }
    of_axes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::sections;

    #[test]
    fn every_section_is_known_here_but_those_that_hold_for_the_whole_file() {
        let here: Vec<&str> = Section::ALL.map(Section::key).to_vec();
        let of_runs = |key: &sections::Key| key.is_section && (key.fixed.is_none() || key.belongs_to_network);
        assert_eq!(here, sections::names(of_runs).collect::<Vec<_>>());
    }
}
