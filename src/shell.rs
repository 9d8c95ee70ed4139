//! Quotes arguments for a shell.

use std::borrow::Cow;

/// The word, in quotes if a shell would change it.
pub fn word(word: &str) -> Cow<'_, str> {
    // `=`, `,` and `%` are special only before a command or in braces; `KEY=VALUE` is easier to read without quotes.
    let is_plain = |c: char| c.is_alphanumeric() || "+-_.,:/=@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return Cow::Borrowed(word);
    }
    // The one character that cannot be quoted, NUL, is in no argument.
    shlex::try_quote(word).unwrap_or(Cow::Borrowed(word))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_shell_reads_every_word_as_it_was() {
        assert_eq!(word("optimizer.sgd.lr=0.1"), "optimizer.sgd.lr=0.1");
        assert_eq!(word("lr=[0.1, 0.01]"), "'lr=[0.1, 0.01]'");
        let words = ["", "a b", "it's", "data.path='my data.csv'", "größe=\"1\"", "~", "$HOME", "a\\nb\n`c`", "!^"];
        let typed: Vec<_> = words.iter().map(|one| word(one)).collect();
        let output = Command::new("sh").arg("-c").arg(format!("printf '%s\\0' {}", typed.join(" "))).output().unwrap();
        let read = String::from_utf8(output.stdout).unwrap();
        assert_eq!(read.strip_suffix('\0').unwrap().split('\0').collect::<Vec<_>>(), words);
    }
}
