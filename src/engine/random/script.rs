//! What a script draws from NumPy's single stream in addition to a run's own draws.

use std::fmt;
use std::sync::Arc;

use crate::seed::numpy::NumpyGenerator;
use crate::settings::Settings;

/// The rest of the script that a run belongs to: everything that is drawn before and between the run's own draws.
///
/// A script draws synthetic data, then the order in which rows are set aside, then one *block* after another. A block
/// draws its trial's values, then the weights of all of its networks, then for each step one batch and each network's
/// dropout.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Script {
    /// The data.
    pub data: ScriptDraws,
    /// The blocks before the run's own.
    pub earlier: Earlier,
    /// The values of the run's trial, and the weights of the networks listed before the run's in its block.
    pub before_weights: ScriptDraws,
    /// The weights of the networks listed after the run's in its block.
    pub after_weights: ScriptDraws,
    /// In every step, the dropout of the networks listed before the run's, and after it.
    pub before_masks: ScriptDraws,
    pub after_masks: ScriptDraws,
}

/// The first blocks of a script. Runs share the list of all blocks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Earlier {
    blocks: Arc<[ScriptDraws]>,
    count: usize,
}

/// Numbers that are drawn in sequence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScriptDraws(Vec<ScriptDraw>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum ScriptDraw {
    /// `rand(n)`
    Uniforms(u64),
    /// `randn(n)`
    Gaussians(u64),
    /// `choice(bound, n)`
    Choice {
        bound: u64,
        count: u64,
    },
    Repeat {
        times: u64,
        draws: ScriptDraws,
    },
}

impl Earlier {
    /// The first `count` of `blocks`.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn of(blocks: &Arc<[ScriptDraws]>, count: usize) -> Self {
        assert!(count <= blocks.len(), "a run's block is one of its script");
        Self { blocks: Arc::clone(blocks), count }
    }

    /// The blocks, in order.
    pub fn blocks(&self) -> &[ScriptDraws] {
        &self.blocks[..self.count]
    }
}

impl Script {
    /// Writes `rng`; and `transcript`, a hash of everything that others draw, if they draw anything.
    pub fn settings(&self, settings: &mut Settings) {
        settings.set("rng", "numpy");
        let Self { data, earlier, before_weights, after_weights, before_masks, after_masks } = self;
        let earlier: String = earlier.blocks().iter().map(|draws| format!("{draws}; ")).collect();
        let others = [after_weights, before_masks, after_masks];
        if earlier.is_empty() && others.iter().all(|draws| draws.0.is_empty()) && before_weights.0.is_empty() {
            return;
        }
        let text = format!("{data} | {earlier}| {before_weights} | {after_weights} | {before_masks} | {after_masks}");
        settings.set("transcript", &blake3::hash(text.as_bytes()).to_hex()[..16]);
    }
}

impl ScriptDraws {
    /// `rand(count)`
    pub fn uniforms(count: u64) -> Self {
        Self::of(ScriptDraw::Uniforms(count), count)
    }

    /// `randn(count)`
    pub fn gaussians(count: u64) -> Self {
        Self::of(ScriptDraw::Gaussians(count), count)
    }

    /// `choice(bound, count)`
    pub fn choice(bound: u64, count: u64) -> Self {
        Self::of(ScriptDraw::Choice { bound, count }, count)
    }

    fn of(draw: ScriptDraw, count: u64) -> Self {
        Self(if count == 0 { Vec::new() } else { vec![draw] })
    }

    /// These draws, then `more`.
    pub fn then(mut self, more: Self) -> Self {
        for draw in more.0 {
            match (self.0.last_mut(), draw) {
                (Some(ScriptDraw::Uniforms(count)), ScriptDraw::Uniforms(more)) => *count += more,
                (Some(ScriptDraw::Gaussians(count)), ScriptDraw::Gaussians(more)) => *count += more,
                (_, draw) => self.0.push(draw),
            }
        }
        self
    }

    /// These draws, repeated `times` times.
    pub fn repeated(self, times: u64) -> Self {
        if self.0.is_empty() || times == 0 {
            Self::default()
        } else {
            Self(vec![ScriptDraw::Repeat { times, draws: self }])
        }
    }

    /// Draws the numbers and discards them.
    pub fn skip(&self, generator: &mut NumpyGenerator) {
        for draw in &self.0 {
            match *draw {
                ScriptDraw::Uniforms(count) => (0..count).for_each(|_| _ = generator.uniform()),
                ScriptDraw::Gaussians(count) => generator.skip_gaussians(count),
                ScriptDraw::Choice { bound, count } => (0..count).for_each(|_| _ = generator.below(bound)),
                ScriptDraw::Repeat { times, ref draws } => (0..times).for_each(|_| draws.skip(generator)),
            }
        }
    }
}

impl fmt::Display for ScriptDraws {
    /// `randn(78400) 2000x(choice(60000,128))`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, draw) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            match draw {
                ScriptDraw::Uniforms(count) => write!(f, "rand({count})")?,
                ScriptDraw::Gaussians(count) => write!(f, "randn({count})")?,
                ScriptDraw::Choice { bound, count } => write!(f, "choice({bound},{count})")?,
                ScriptDraw::Repeat { times, draws } => write!(f, "{times}x({draws})")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transcript(script: &Script) -> Option<String> {
        let mut settings = Settings::default();
        script.settings(&mut settings);
        assert_eq!(settings.get("rng"), Some(&"numpy".into()));
        settings.get("transcript").map(ToString::to_string)
    }

    #[test]
    fn a_script_of_one_run_has_no_transcript() {
        assert_eq!(transcript(&Script::default()), None);
        assert_eq!(transcript(&Script { data: ScriptDraws::gaussians(3), ..Script::default() }), None);
    }

    #[test]
    fn every_draw_of_others_is_in_the_transcript() {
        let draws = || ScriptDraws::gaussians(3);
        let chain = |blocks: usize, count| {
            let earlier = Earlier::of(&vec![draws(); blocks].into(), count);
            Script { earlier, ..Script::default() }
        };
        let scripts = [
            Script { before_weights: draws(), ..Script::default() },
            Script { after_weights: draws(), ..Script::default() },
            Script { before_masks: draws(), ..Script::default() },
            Script { after_masks: draws(), ..Script::default() },
            Script { after_masks: ScriptDraws::gaussians(4), ..Script::default() },
            chain(3, 1),
            chain(3, 2),
        ];
        let mut transcripts: Vec<_> = scripts.iter().map(|script| transcript(script).unwrap()).collect();
        transcripts.sort();
        transcripts.dedup();
        assert_eq!(transcripts.len(), scripts.len());
        // Later draws are not part of it.
        assert_eq!(transcript(&chain(2, 1)), transcript(&chain(3, 1)));
        assert_eq!(transcript(&chain(3, 0)), None);
    }

    #[test]
    fn draws_read_as_numpy_writes_them() {
        let draws = ScriptDraws::gaussians(4)
            .then(ScriptDraws::gaussians(6))
            .then(ScriptDraws::choice(9, 2).then(ScriptDraws::uniforms(1)).repeated(5));
        assert_eq!(draws.to_string(), "randn(10) 5x(choice(9,2) rand(1))");
        assert_eq!(ScriptDraws::gaussians(0).then(ScriptDraws::uniforms(3).repeated(0)), ScriptDraws::default());
    }
}
