//! Lists of words in which order does not count.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One or more words, sorted, none twice.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "Vec<W>", bound(deserialize = "W: Word + Deserialize<'de>"))]
#[schemars(extend("minItems" = 1, "uniqueItems" = true))]
pub struct Words<W>(Vec<W>);

/// A word that the experiment file knows.
pub trait Word: Copy + Ord + 'static {
    /// All of the kind, sorted.
    const ALL: &'static [Self];

    /// As the experiment file writes it.
    fn name(self) -> &'static str;
}

impl<W: Word> Words<W> {
    /// These words.
    ///
    /// # Panics
    /// Where there are none, or one of them twice.
    pub fn of(words: &[W]) -> Self {
        Self::try_from(words.to_vec()).expect("different words")
    }

    /// All words that there are.
    pub fn all() -> Self {
        Self(W::ALL.to_vec())
    }

    /// Sorted.
    pub fn get(&self) -> &[W] {
        &self.0
    }

    /// Whether `word` is among them.
    pub fn has(&self, word: W) -> bool {
        self.0.contains(&word)
    }
}

impl<W: Word> TryFrom<Vec<W>> for Words<W> {
    type Error = String;

    fn try_from(words: Vec<W>) -> Result<Self, String> {
        let all: Vec<String> = W::ALL.iter().map(|word| format!("\"{}\"", word.name())).collect();
        once(words, |word| word.name().to_owned(), &all.join(", ")).map(Self)
    }
}

/// As settings write them: joined by a character that is in none of them.
impl<W: Word> fmt::Display for Words<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if W::ALL.iter().any(|word| word.name().contains('-')) { "_" } else { "-" };
        f.write_str(&self.0.iter().map(|word| word.name()).collect::<Vec<_>>().join(separator))
    }
}

/// The items, sorted.
///
/// # Errors
/// Where one stands there twice, or none: then `accepted` says what is needed.
pub fn once<T: Ord>(mut items: Vec<T>, name: impl Fn(&T) -> String, accepted: &str) -> Result<Vec<T>, String> {
    items.sort_unstable();
    if let Some(pair) = items.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(format!("`{}` stands here twice", name(&pair[0])));
    }
    if items.is_empty() { Err(format!("at least one is needed of {accepted}")) } else { Ok(items) }
}
