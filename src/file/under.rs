//! Reads the sections of a file under one choice after another. For each choice, only the sections with an axis that
//! has moved are read again.

use super::{Experiment, sections, vocabulary};
use crate::value::deserialize::deserialize_entry;
use crate::value::fault::Fault;
use crate::value::problem::Problem;
use crate::value::{Choice, Tree};
use engine::data::Data;
use engine::function::Function;
use engine::nn::{self, Init, Regularization};
use engine::optim::Optimizer;
use engine::record::Record;
use engine::train;

/// Defines everything that has a part for each section. Each line gives a section's name in this program, its key at
/// the top of the file, and its type.
macro_rules! sections {
    ($($section:ident $key:ident: $type:ty,)+) => {
        /// A section of the file that may contain axes, or belongs to a run.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Section {
            $($section,)+
        }

        impl Section {
            pub const ALL: [Self; [$(Self::$section),+].len()] = [$(Self::$section),+];

            /// Its key at the top of the file.
            pub const fn key(self) -> &'static str {
                match self {
                    $(Self::$section => stringify!($key),)+
                }
            }
        }

        /// The sections, as values; `None` for missing ones. Paths are resolved.
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct Sections {
            $(pub $key: Option<$type>,)+
        }

        impl Sections {
            /// Whether the file has this section.
            pub fn have(&self, section: Section) -> bool {
                match section {
                    $(Section::$section => self.$key.is_some(),)+
                }
            }

            /// Reads a section of the file under `choice`.
            fn read(&mut self, section: Section, experiment: &Experiment, choice: &Choice) -> Result<(), Fault> {
                let entry = experiment.tree.root.entry(section.key());
                match section {
                    $(Section::$section => {
                        let value = entry.map(|entry| deserialize_entry(entry, choice, &experiment.dropped));
                        self.$key = value.transpose()?.flatten();
                    })+
                }
                if let (Section::Data, Some(data)) = (section, &mut self.data) {
                    data.resolve(&experiment.folder);
                }
                Ok(())
            }
        }
    };
}

sections! {
    Data data: Data,
    Network network: nn::NetworkSection,
    Function function: Function,
    Init init: Init,
    Regularization regularization: Regularization,
    Optimizer optimizer: Optimizer,
    Train train: train::TrainSection,
    Record record: Record,
}

impl Section {
    /// Whether it is a part of a network and its training.
    pub fn belongs_to_network(self) -> bool {
        sections::get(self.key()).is_some_and(|key| key.belongs_to_network)
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
            self.problems[section as usize] =
                self.sections.read(section, self.experiment, choice).err().map(vocabulary::problem);
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
        let of_runs = |key: &sections::TopKey| key.is_section && (key.fixed.is_none() || key.belongs_to_network);
        assert_eq!(here, sections::names(of_runs).collect::<Vec<_>>());
    }
}
