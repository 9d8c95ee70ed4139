//! Lists of words whose order does not matter.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One or more words, sorted, none twice.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "Vec<W>", bound(deserialize = "W: Word + Deserialize<'de>"))]
#[schemars(extend("minItems" = 1, "uniqueItems" = true))]
pub struct Words<W>(Vec<W>);

/// A keyword of the experiment file.
pub trait Word: Copy + Ord + 'static {
    /// All words of this kind, sorted.
    const ALL: &'static [Self];

    /// The name in the experiment file.
    fn name(self) -> &'static str;
}

impl<W: Word> Words<W> {
    /// These words.
    ///
    /// # Panics
    /// If there are no words, or duplicates.
    pub fn of(words: &[W]) -> Self {
        Self::try_from(words.to_vec()).expect("different words")
    }

    /// All words of this kind.
    pub fn all() -> Self {
        Self(W::ALL.to_vec())
    }

    /// The words, sorted.
    pub fn get(&self) -> &[W] {
        &self.0
    }

    /// Whether `word` is included.
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

/// The format of settings: joined by a character that no word contains.
impl<W: Word> fmt::Display for Words<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if W::ALL.iter().any(|word| word.name().contains('-')) { "_" } else { "-" };
        f.write_str(&self.0.iter().map(|word| word.name()).collect::<Vec<_>>().join(separator))
    }
}

/// The items, sorted.
///
/// # Errors
/// If there are duplicates or no items; `accepted` says what is expected.
pub fn once<T: Ord>(mut items: Vec<T>, name: impl Fn(&T) -> String, accepted: &str) -> Result<Vec<T>, String> {
    items.sort_unstable();
    if let Some(pair) = items.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(format!("`{}` is listed twice", name(&pair[0])));
    }
    if items.is_empty() { Err(format!("expected at least one of {accepted}")) } else { Ok(items) }
}
