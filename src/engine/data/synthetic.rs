//! Data that is computed, not read: points whose shape and noise the experiment file determines. The same settings give
//! the same rows, to the last bit, on any machine.
//!
//! Random numbers depend on the data's own `seed`, not on a run's: all runs of an experiment see the same points. The
//! only test rows are those that `test_share` sets aside.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dataset::{Dataset, Task};
use super::rows::{Inputs, Rows, Targets};
use super::{DataSource, Error, Info, Limits, Scalings, are_too_many, fingerprint_of};
use crate::number::{Count, OutOfRange};
use crate::seed::Seed;
use crate::settings::Settings;

/// What the synthetic sources have in common. The fields alone determine the rows, since no file does.
pub trait Synthetic: Serialize {
    /// The source's name in the experiment file.
    const NAME: &'static str;

    /// How many rows there are, all of them training rows.
    fn rows(&self) -> Count;
    /// How many numbers make a row.
    fn features(&self) -> usize;
    /// What is predicted for a row.
    fn task(&self) -> Task;
    /// Checks that intermediate data, such as the centers of blobs, fits into memory.
    ///
    /// # Errors
    /// What does not fit.
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }
    /// The rows.
    fn draw(&self) -> Rows;
    /// How many Gaussians a NumPy script draws for the rows, once [`draw_in_script`](Self::draw_in_script) has made the
    /// rows the script's.
    fn drawn_by_scripts(&self) -> u64 {
        0
    }

    /// Makes the rows those that a NumPy script with this seed draws first, if scripts draw them.
    fn draw_in_script(&mut self, _seed: Seed) {}
}

impl<S: Synthetic> DataSource for S {
    const NAME: &'static str = <S as Synthetic>::NAME;

    fn info(&self) -> Result<Info, Error> {
        let (rows, features) = (self.rows().get(), self.features());
        if are_too_many(rows, features as u64) {
            return Err(Error::TooLarge { rows, features });
        }
        self.check()?;
        Ok(Info::unsplit(rows, 0, features, self.task(), fingerprint_of(<S as Synthetic>::NAME)))
    }

    fn load(&self, _: &Limits) -> Result<(Dataset, Info), Error> {
        let info = DataSource::info(self)?;
        let (train, test, scalings) = (self.draw(), Rows::default(), Scalings::default());
        Ok((Dataset { train, test, features: info.features, task: info.task, scalings }, info))
    }

    fn drawn_by_scripts(&self) -> u64 {
        Synthetic::drawn_by_scripts(self)
    }

    fn draw_in_script(&mut self, seed: Seed) {
        Synthetic::draw_in_script(self, seed);
    }

    fn settings(&self, _: &Info, settings: &mut Settings) {
        settings.set_written("", self, |field| if field == "seed" { "data_seed" } else { field });
    }
}

/// As many classes as there can be: 2 to 65536.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "i64")]
#[schemars(extend("minimum" = 2, "maximum" = 65_536))]
pub struct Classes(u32);

impl Classes {
    /// How many there are.
    pub const fn get(self) -> usize {
        self.0 as usize
    }
}

impl TryFrom<i64> for Classes {
    type Error = OutOfRange;

    fn try_from(value: i64) -> Result<Self, OutOfRange> {
        match u32::try_from(value) {
            Ok(classes @ 2..=65536) => Ok(Self(classes)),
            _ => Err(OutOfRange::new(value, "a whole number from 2 to 65536")),
        }
    }
}

/// Rows of numbers with classes.
pub(super) fn classified(inputs: Vec<f64>, classes: impl Iterator<Item = usize>) -> Rows {
    // `Classes` ends where u16 does.
    let classes = classes.map(|class| class as u16).collect();
    Rows { inputs: Inputs::Numbers(inputs), targets: Targets::Classes(classes) }
}
