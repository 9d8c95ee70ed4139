//! Names in messages: lists of them, and the one that a person may have meant.

/// The candidate that `typed` was probably meant to be.
pub fn did_you_mean<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.to_lowercase().replace('-', "_");
    // All names of two letters are close to each other.
    let length = typed.chars().count();
    let allowed = |candidate: &str| if length <= 2 { 0 } else { 1 + length.min(candidate.chars().count()) / 4 };
    candidates
        .into_iter()
        // The distance is at least the difference of the lengths, which is quick to tell.
        .filter(|candidate| length.abs_diff(candidate.chars().count()) <= allowed(candidate))
        .map(|candidate| (strsim::damerau_levenshtein(&typed, &candidate.to_lowercase().replace('-', "_")), candidate))
        .filter(|(distance, candidate)| *distance <= allowed(candidate))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// As [`did_you_mean`], as a question.
pub fn suggestion<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    did_you_mean(typed, candidates).map(|meant| format!("did you mean `{meant}`?"))
}

/// The candidates in backticks, listed as in a sentence, with "or".
pub fn one_of<'a>(candidates: impl IntoIterator<Item = &'a str>) -> String {
    listed(candidates, " or")
}

/// The names in backticks, listed as in a sentence; `last` precedes the last one: " or", " and", or "," for a plain
/// list.
pub fn listed<'a>(names: impl IntoIterator<Item = &'a str>, last: &str) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [] => "nothing".to_owned(),
        [only] => only.clone(),
        [head @ .., end] => format!("{}{last} {end}", head.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        let known = ["steps", "batch_size", "sampling", "lr"];
        assert_eq!(did_you_mean("step", known), Some("steps"));
        assert_eq!(did_you_mean("batch-size", known), Some("batch_size"));
        assert_eq!(did_you_mean("bacth_size", known), Some("batch_size"));
        assert_eq!(did_you_mean("Sampling", known), Some("sampling"));
        assert_eq!(did_you_mean("momentum", known), None);
        assert_eq!(did_you_mean("l1", known), None);
        assert_eq!(did_you_mean("LR", known), Some("lr"));
        assert_eq!(did_you_mean("steps", ["eps"]), None);
    }

    #[test]
    fn lists_read_as_sentences() {
        assert_eq!(one_of(["a"]), "`a`");
        assert_eq!(one_of(["a", "b"]), "`a` or `b`");
        assert_eq!(one_of(["a", "b", "c"]), "`a`, `b` or `c`");
        assert_eq!(listed(["a", "b or c", "d"], " and"), "`a`, `b or c` and `d`");
        assert_eq!(listed(["a", "b"], ","), "`a`, `b`");
    }
}
