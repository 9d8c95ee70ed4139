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
    /// All blocks, which the script's runs share.
    blocks: Arc<[ScriptDraws]>,
    /// How many of them come before the run's own.
    earlier: usize,
    pub others: Others,
    /// A hash of everything that others draw, if they draw anything: 16 hexadecimal digits.
    transcript: Option<String>,
}

/// What a run's block draws besides the run itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Others {
    /// The values of the run's trial, and the weights of the networks listed before the run's.
    pub before_weights: ScriptDraws,
    /// The weights of the networks listed after the run's.
    pub after_weights: ScriptDraws,
    /// In every step, the dropout of the networks listed before the run's, and after it.
    pub before_masks: ScriptDraws,
    pub after_masks: ScriptDraws,
}

/// A script, read block by block.
#[derive(Debug)]
pub struct Chain {
    data: ScriptDraws,
    blocks: Arc<[ScriptDraws]>,
    /// How many blocks have been read.
    earlier: usize,
    /// Their draws and those of the data, as a text, hashed.
    text: blake3::Hasher,
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

impl Chain {
    /// The script that draws `data`, then `blocks`, before its first block.
    pub fn new(data: ScriptDraws, blocks: Arc<[ScriptDraws]>) -> Self {
        let mut text = blake3::Hasher::new();
        text.update(format!("{data} | ").as_bytes());
        Self { data, blocks, earlier: 0, text }
    }

    /// Moves on to the next block.
    ///
    /// # Panics
    /// After the last one.
    pub fn advance(&mut self) {
        self.text.update(format!("{}; ", self.blocks[self.earlier]).as_bytes());
        self.earlier += 1;
    }

    /// The script of a run in this block.
    pub fn script(&self, others: Others) -> Script {
        let Others { before_weights, after_weights, before_masks, after_masks } = &others;
        let draws = [before_weights, after_weights, before_masks, after_masks];
        let transcript = (self.earlier > 0 || draws.iter().any(|draws| !draws.0.is_empty())).then(|| {
            let rest = format!("| {before_weights} | {after_weights} | {before_masks} | {after_masks}");
            self.text.clone().update(rest.as_bytes()).finalize().to_hex()[..16].to_owned()
        });
        Script { data: self.data.clone(), blocks: Arc::clone(&self.blocks), earlier: self.earlier, others, transcript }
    }
}

impl Script {
    /// The blocks before the run's own, in order.
    pub fn earlier(&self) -> &[ScriptDraws] {
        &self.blocks[..self.earlier]
    }

    /// Writes `rng`; and `transcript`, if there is one.
    pub fn settings(&self, settings: &mut Settings) {
        settings.set("rng", "numpy");
        if let Some(transcript) = &self.transcript {
            settings.set("transcript", transcript.as_str());
        }
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

    fn chain(blocks: usize, count: usize) -> Chain {
        let mut chain = Chain::new(ScriptDraws::gaussians(3), vec![ScriptDraws::gaussians(3); blocks].into());
        (0..count).for_each(|_| chain.advance());
        chain
    }

    #[test]
    fn a_script_of_one_run_has_no_transcript() {
        assert_eq!(transcript(&Script::default()), None);
        assert_eq!(transcript(&chain(1, 0).script(Others::default())), None);
    }

    #[test]
    fn every_draw_of_others_is_in_the_transcript() {
        let draws = || ScriptDraws::gaussians(3);
        let first = |others| chain(3, 0).script(others);
        let later = |blocks, count| chain(blocks, count).script(Others::default());
        let scripts = [
            first(Others { before_weights: draws(), ..Others::default() }),
            first(Others { after_weights: draws(), ..Others::default() }),
            first(Others { before_masks: draws(), ..Others::default() }),
            first(Others { after_masks: draws(), ..Others::default() }),
            first(Others { after_masks: ScriptDraws::gaussians(4), ..Others::default() }),
            later(3, 1),
            later(3, 2),
        ];
        let mut transcripts: Vec<_> = scripts.iter().map(|script| transcript(script).unwrap()).collect();
        transcripts.sort();
        transcripts.dedup();
        assert_eq!(transcripts.len(), scripts.len());
        // Later draws are not part of it.
        assert_eq!(transcript(&later(2, 1)), transcript(&later(3, 1)));
        assert_eq!(transcript(&later(3, 0)), None);
    }

    #[test]
    fn the_transcript_is_the_hash_of_a_text() {
        let others = Others { before_weights: ScriptDraws::uniforms(2), ..Others::default() };
        let text = "randn(3) | randn(3); randn(3); | rand(2) |  |  | ";
        let expected = blake3::hash(text.as_bytes()).to_hex()[..16].to_owned();
        assert_eq!(transcript(&chain(3, 2).script(others)), Some(expected));
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
