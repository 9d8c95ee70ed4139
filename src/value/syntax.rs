//! Explains why a text is not TOML, in plain words. The parser reports what its grammar expected; the text shows what
//! the person did.

use std::ops::Range;

use super::problem::{Cause, Problem};

/// One mistake in the text, with its byte range.
pub type Located = (Range<usize>, Problem);

/// The parser's complaint, as far as it matters here. The parser's errors have no kinds, only messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Complaint {
    kind: ComplaintKind,
    /// Whether it is about something in brackets or braces.
    is_in_brackets: bool,
    /// Whether it is about a key.
    is_of_key: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ComplaintKind {
    Duplicate,
    /// Something that is not a value, where a value belongs.
    NoValue,
    /// Something after a value.
    BehindValue,
    /// A line with a key and nothing else.
    KeyAlone,
    OpenHeader,
    OpenText,
    NoComma,
    Escape,
    Other,
}

impl Complaint {
    fn of(words: &str) -> Self {
        let begins = |beginnings: &[&str]| beginnings.iter().any(|beginning| words.starts_with(beginning));
        let holds = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
        let no_value = ["string values must be quoted", "invalid boolean", "invalid float", "invalid mantissa"];
        let kind = match words {
            _ if holds(&["duplicate"]) => ComplaintKind::Duplicate,
            _ if begins(&no_value) => ComplaintKind::NoValue,
            _ if begins(&["unexpected key or value"]) => ComplaintKind::BehindValue,
            _ if begins(&["key with no value"]) => ComplaintKind::KeyAlone,
            _ if begins(&["unclosed table"]) => ComplaintKind::OpenHeader,
            _ if holds(&["expected `\"`", "expected `'`"]) => ComplaintKind::OpenText,
            _ if begins(&["missing comma"]) => ComplaintKind::NoComma,
            _ if holds(&["unicode", "escape"]) => ComplaintKind::Escape,
            _ => ComplaintKind::Other,
        };
        Self { kind, is_in_brackets: holds(&["array", "inline"]), is_of_key: holds(&["key"]) }
    }
}

/// `span`, extended to whole characters of `text`, in bytes.
pub fn whole_characters(text: &str, span: Range<usize>) -> Range<usize> {
    let is_boundary = |at: &usize| text.is_char_boundary(*at);
    let end = span.end.min(text.len());
    let start = span.start.min(end);
    let start = (0..=start).rev().find(is_boundary).unwrap_or(0);
    start..(end..=text.len()).find(is_boundary).unwrap_or(text.len())
}

/// The mistakes behind the parser's errors `found` in `text` (byte ranges and messages), in the order of the text.
/// Consequences of an earlier mistake are left out.
pub fn explain(text: &str, mut found: Vec<(Range<usize>, String)>) -> Vec<Located> {
    for (span, _) in &mut found {
        *span = whole_characters(text, span.clone());
    }
    found.sort_by_key(|(span, _)| span.start);
    let mut errors: Vec<Located> = Vec::new();
    let mut line_of_last = None;
    let mut is_in_second_section = false;
    let mut brackets = Brackets::default();
    for (span, words) in &found {
        let line = Line::around(text, span.start);
        let complaint = Complaint::of(words);
        if complaint.is_in_brackets
            && let Some(open) = brackets.open_at(text, span.start).filter(|open| *open < line.start)
        {
            let (bracket, closing, what) =
                if text[open..].starts_with('[') { ("[", "]", "list") } else { ("{", "}", "table") };
            let help =
                format!("close each `{bracket}` with a `{closing}`, and separate what is in between with commas");
            errors.push((open..open + 1, Problem::new(format!("this {what} is not closed")).help(help)));
            // Everything after the bracket was read as if it were inside.
            break;
        }
        if complaint.kind == ComplaintKind::Duplicate {
            if is_in_second_section && !line.is_header() && !newer_header(text, &errors, span.start) {
                continue;
            }
            is_in_second_section = line.is_header();
        }
        if line_of_last == Some(line.start) {
            continue;
        }
        line_of_last = Some(line.start);
        errors.push(error(text, &line, span.clone(), complaint, words));
    }
    errors
}

/// Whether there is a header between the last error and `at`.
fn newer_header(text: &str, errors: &[Located], at: usize) -> bool {
    let from = errors.last().map_or(0, |(span, _)| span.end);
    text[from.min(at)..at].lines().skip(1).any(|line| line.trim_start().starts_with('['))
}

/// A line of the text, without its end.
struct Line<'t> {
    start: usize,
    text: &'t str,
}

impl<'t> Line<'t> {
    fn around(text: &'t str, at: usize) -> Self {
        let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
        Self { start, text: text[start..end].trim_end() }
    }

    fn is_header(&self) -> bool {
        self.text.trim_start().starts_with('[')
    }

    /// The key, and what follows `=`, without a comment.
    fn value(&self) -> Option<(&'t str, &'t str)> {
        let (key, value) = self.text.split_once('=')?;
        Some((key.trim(), value.split('#').next().unwrap_or_default().trim()))
    }
}

/// The brackets of lists, and the braces of tables, that are open at one place of the text. Reads the text only once.
#[derive(Default)]
struct Brackets {
    /// That place.
    at: usize,
    open: Vec<usize>,
    is_in_header: bool,
    is_in_comment: bool,
    quote: Option<char>,
}

impl Brackets {
    /// The outermost bracket that is still open at `at`, which is not before the last such place.
    fn open_at(&mut self, text: &str, at: usize) -> Option<usize> {
        for (index, character) in text[self.at..at].char_indices() {
            let index = self.at + index;
            if index == 0 || text[..index].ends_with('\n') {
                let line = text[index..].trim_start_matches([' ', '\t']);
                self.is_in_header = self.open.is_empty() && line.starts_with('[');
                (self.is_in_comment, self.quote) = (false, None);
            }
            match (self.quote, character) {
                _ if self.is_in_comment => {}
                (None, '"' | '\'') => self.quote = Some(character),
                (Some(open), _) if open == character => self.quote = None,
                (None, '#') => self.is_in_comment = true,
                (None, '[' | '{') if !self.is_in_header => self.open.push(index),
                (None, ']' | '}') if !self.is_in_header => _ = self.open.pop(),
                _ => {}
            }
        }
        self.at = at;
        self.open.first().copied()
    }
}

/// The mistake at `span`; `words` is the parser's message.
fn error(text: &str, line: &Line<'_>, span: Range<usize>, complaint: Complaint, words: &str) -> Located {
    let found = &text[span.clone()];
    let has_colon = || {
        let is_instead_of_equals = line.text.contains(':') && !line.text.contains('=') && complaint.is_of_key;
        found.contains(':') || is_instead_of_equals
    };
    if complaint.kind == ComplaintKind::Duplicate {
        return duplicate(line, span, found);
    }
    if let Some(found) = look_alike(text, span.start) {
        return found;
    }
    let (span, message, help) = match complaint.kind {
        ComplaintKind::NoValue => return value(line, span),
        ComplaintKind::BehindValue => {
            let span = whole_characters(text, span.start..span.end.max(span.start + 1));
            return behind_a_value(line, span);
        }
        _ if has_colon() => {
            let colon = line.text.find(':').map_or(span, |at| line.start + at..line.start + at + 1);
            let (key, value) = line.text.split_once(':').unwrap_or((line.text, ""));
            (colon, "found a colon in place of `=`", format!("write `{} = {}`", key.trim(), value.trim()))
        }
        ComplaintKind::KeyAlone => (
            line.start..line.start + line.text.len(),
            "this line is not a setting, a header or a comment",
            "a setting looks like `key = 2000`, a header like `[section]`; a comment begins with `#`".to_owned(),
        ),
        ComplaintKind::OpenHeader => (span, "this header is not closed", format!("write `{}]`", line.text.trim())),
        ComplaintKind::OpenText => {
            let help = "a text begins and ends with the same quote, on one line";
            (span, "this text is not closed", help.to_owned())
        }
        ComplaintKind::NoComma => {
            let help = "commas separate the values of a list, and the settings of a table in braces";
            (span, "a comma is missing before this", help.to_owned())
        }
        ComplaintKind::Escape => {
            let message = "a backslash in a text begins an escape sequence, and this is not a valid one";
            (span, message, "write paths with `/`, or in single quotes: 'C:\\data\\iris.csv'".to_owned())
        }
        ComplaintKind::Duplicate | ComplaintKind::Other => {
            return (span, Problem::new(format!("this is not TOML: {words}")));
        }
    };
    (span, Problem::new(message).help(help))
}

/// The first character after `from`, on the same line and outside of strings and comments, that only looks like one of
/// TOML's. Editors, web pages and keyboards for other scripts produce them.
fn look_alike(text: &str, from: usize) -> Option<Located> {
    let rest = text[from..].split(['\n', '#', '"', '\'']).next().unwrap_or_default();
    rest.char_indices().find_map(|(index, found)| look_alike_of(found, from + index))
}

/// The mistake, if the character at `at` is such a look-alike.
fn look_alike_of(found: char, at: usize) -> Option<Located> {
    let code = u32::from(found);
    let blank = "replace it with an ordinary space, or delete it";
    let problem = match found {
        '\u{a0}' | '\u{202f}' => {
            Problem::new("this is a no-break space, which TOML does not accept as a space").help(blank)
        }
        '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' => {
            Problem::new(format!("this is an invisible character, U+{code:04X}")).help("delete it")
        }
        _ if found.is_whitespace() && !found.is_ascii() => {
            Problem::new(format!("this looks like a space but is another character, U+{code:04X}")).help(blank)
        }
        // The fullwidth forms of ASCII, in the same order.
        '\u{ff01}'..='\u{ff5e}' => {
            let meant = char::from_u32(code - 0xff01 + u32::from('!'))?;
            Problem::new(format!("`{found}` looks like `{meant}` but is another character"))
                .help(format!("write `{meant}`"))
        }
        _ => return None,
    };
    Some((at..at + found.len_utf8(), problem))
}

/// The mistake of a duplicate key or section.
fn duplicate(line: &Line<'_>, span: Range<usize>, found: &str) -> Located {
    let problem = if line.is_header() {
        let header = line.text.split('#').next().unwrap_or_default().trim().to_owned();
        Problem::new(format!("the section `{header}` appears twice"))
            .help(
                "write all settings of a section below one header; a dotted key, `section.key`, begins a section, too",
            )
            .cause(Cause::HeaderTwice { header, name: found.to_owned() })
    } else {
        Problem::new(format!("`{found}` is set twice"))
            .help(format!("keep one of them; to compare several values, write a list: `{found} = [..., ...]`"))
    };
    (span, problem)
}

/// The mistake of something that is not a value, after `=` or in a list.
fn value(line: &Line<'_>, span: Range<usize>) -> Located {
    let from = span.start.saturating_sub(line.start).min(line.text.len());
    let rest = line.text[from..].split('#').next().unwrap_or_default();
    let from = from + (rest.len() - rest.trim_start().len());
    // The whole value, or one item of a list.
    let is_alone = line.value().is_some_and(|(_, value)| value.starts_with(rest.trim()) && !value.is_empty());
    let word = if is_alone { rest } else { rest.split([',', ']', '}']).next().unwrap_or_default() }.trim();
    let at = line.start + from..line.start + from + word.len();
    let lower = word.to_lowercase();
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
    let no_value = || format!("`{word}` is not a TOML value");
    let no_number = || format!("`{word}` is not a number");
    let (message, help) = if word.is_empty() {
        let help = "a setting is `key = value`; to leave it out, delete the line";
        return (span, Problem::new("a value is missing here").help(help));
    } else if let Some(inner) = word.strip_prefix(['“', '”', '‘', '’', '„', '«']) {
        let inner = inner.trim_end_matches(['“', '”', '‘', '’', '»']);
        ("these are not straight quotes".to_owned(), format!("write \"{inner}\""))
    } else if let Some(percent) = word.strip_suffix('%').and_then(|digits| number(digits.trim())) {
        let share = engine::number::shortest(percent / 100.0);
        (format!("{}: TOML has no percent sign", no_number()), format!("write `{share}`"))
    } else if let Some((before, _)) = word.split_once("//") {
        let comment = at.start + before.len()..at.end;
        return (comment, Problem::new("comments do not begin with `//`").help("they begin with `#`"));
    } else if matches!(lower.as_str(), "true" | "false") {
        (format!("`{word}` has a capital letter"), format!("write `{lower}`"))
    } else if matches!(lower.as_str(), "yes" | "on") {
        (no_value(), "write `true`; text needs quotes".to_owned())
    } else if matches!(lower.as_str(), "no" | "off") {
        (no_value(), "write `false`; text needs quotes".to_owned())
    } else if matches!(lower.as_str(), "none" | "null" | "nil") {
        (no_value(), "to leave a setting out, delete its line".to_owned())
    } else if let Some(digits) = lower.strip_suffix(['k', 'm']).and_then(number) {
        let whole = digits * if lower.ends_with('k') { 1e3 } else { 1e6 };
        (no_number(), format!("write `{whole}`"))
    } else if word.contains("**") || word.contains('^') {
        (format!("{}: expressions are not evaluated", no_number()), "write powers of ten as `1e-4`".to_owned())
    } else if word.starts_with('.') || word.starts_with("-.") || word.ends_with('.') {
        let whole = word.replacen('.', "0.", 1);
        let whole = if word.ends_with('.') { format!("{word}0") } else { whole };
        (format!("`{word}` needs a digit on both sides of the point"), format!("write `{whole}`"))
    } else if word.starts_with('(') {
        let list = word.replace('(', "[").replace(')', "]");
        ("a list needs square brackets".to_owned(), format!("write `{list}`"))
    } else if word.starts_with(|first: char| first.is_ascii_digit() || "+-".contains(first)) {
        (no_number(), "numbers look like `2000`, `0.01` or `1e-4`; text needs quotes".to_owned())
    } else {
        (format!("the text `{word}` has no quotes around it"), format!("write \"{word}\""))
    };
    (at, Problem::new(message).help(help))
}

/// The mistake of something after a complete value.
fn behind_a_value(line: &Line<'_>, span: Range<usize>) -> Located {
    let problem = Problem::new("the value ends before this");
    let Some((key, value)) = line.value() else { return (span, problem) };
    let behind = line.text[(span.start - line.start).min(line.text.len())..].trim();
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let help = match value.split_once(',').filter(|_| behind.starts_with(',')) {
        None => "each setting needs its own line, text needs quotes, and a comment begins with `#`".to_owned(),
        Some((whole, rest)) => {
            let (whole, rest) = (whole.trim(), rest.trim());
            if digits(whole) && digits(rest) && rest.len() == 3 && whole != "0" {
                format!("write thousands without a comma: `{key} = {whole}_{rest}`")
            } else if digits(whole.trim_start_matches('-')) && digits(rest) {
                format!("write decimals with a point: `{key} = {whole}.{rest}`; several values are a list in brackets")
            } else if rest.contains('=') {
                "write each setting on its own line".to_owned()
            } else {
                format!("write several values as a list: `{key} = [{value}]`")
            }
        }
    };
    (span, problem.help(help))
}

#[cfg(test)]
mod tests {
    use toml::de::DeTable;

    use super::*;

    /// The underlined text and the message of each mistake.
    fn said(text: &str) -> Vec<(String, String)> {
        let (_, errors) = DeTable::parse_recoverable(text);
        let found =
            errors.iter().map(|error| (error.span().unwrap_or(0..0), error.message().to_owned())).collect::<Vec<_>>();
        assert!(!found.is_empty(), "{text} is TOML");
        explain(text, found).into_iter().map(|(span, problem)| (text[span].to_owned(), problem.message)).collect()
    }

    fn one(text: &str) -> (String, String) {
        let all = said(text);
        assert_eq!(all.len(), 1, "{all:?}");
        all[0].clone()
    }

    #[test]
    fn the_parser_complains_in_the_words_that_are_known() {
        let complaint = |text: &str| {
            let (_, errors) = DeTable::parse_recoverable(text);
            Complaint::of(errors.first().unwrap_or_else(|| panic!("{text} is TOML")).message())
        };
        for (kind, texts) in [
            (ComplaintKind::Duplicate, &["a = 1\na = 2", "[a]\n[a]"][..]),
            (ComplaintKind::NoValue, &["a = x", "a = True", "a = nax", "a = .5"]),
            (ComplaintKind::BehindValue, &["a = 1, 2"]),
            (ComplaintKind::KeyAlone, &["a"]),
            (ComplaintKind::OpenHeader, &["[a"]),
            (ComplaintKind::OpenText, &["a = \"x", "a = '''x"]),
            (ComplaintKind::NoComma, &["a = [\n1\nb = 2"]),
            (ComplaintKind::Escape, &["a = \"\\q\"", "a = \"\\u12\"", "a = \"\\ud800\""]),
            (ComplaintKind::Other, &["a = 01"]),
        ] {
            texts.iter().for_each(|text| assert_eq!(complaint(text).kind, kind, "{text}"));
        }
        for text in ["a = [1", "a = [,]", "a = {b", "a = {,}"] {
            assert!(complaint(text).is_in_brackets, "{text}");
        }
        for text in ["a: 1", "a = {b: 1}", "= 1", "a b"] {
            assert!(complaint(text).is_of_key, "{text}");
        }
        assert!(!complaint("a = x").is_in_brackets && !complaint("a = x").is_of_key);
    }

    #[test]
    fn a_bracket_that_is_not_closed_is_one_mistake_where_it_was_opened() {
        assert_eq!(one("a = 1\nh = [5, 6\n[t]\nb = 2\n"), ("[".into(), "this list is not closed".into()));
        assert_eq!(one("a = 1\nh = [\n  5, 6\nb = 2\n").0, "[");
        assert_eq!(said("a = x\nh = [1 2]\ng = [ # [\n']', 3\n] # ]\nf = [4 5]\n").len(), 3);
    }

    #[test]
    fn a_section_that_is_there_twice_is_one_mistake_whatever_it_holds() {
        assert_eq!(one("[t]\na = 1\nb = 2\n[t]\na = 3\nb = 4\n").0, "t");
        assert_eq!(said("[t]\na = 1\n[t]\na = 3\n[u]\nc = 1\nc = 2\n").len(), 2);
    }

    #[test]
    fn several_lines_have_several_mistakes() {
        assert_eq!(said("a = x\nc = True\nb: 3\n").len(), 3);
    }

    #[test]
    fn texts_of_every_alphabet_are_cut_between_characters() {
        assert_eq!(one("a = größer\n").0, "größer");
        assert_eq!(one("a = [„x“]\n").0, "„x“");
        said("ä: ö");
        said("x = \"ü");
        said("é");
        said("a = 1 ö");
        assert_eq!(one("a = [1]é").0, "é");
        assert_eq!(one("a =  größer").0, "größer");
    }

    #[test]
    fn characters_that_look_like_others_are_reported() {
        let said = |text: &str| one(text).1;
        let no_break = "this is a no-break space, which TOML does not accept as a space";
        assert_eq!(said("a = 'x'\u{a0}\nb = 1\n"), no_break);
        assert_eq!(said("[a]\u{a0}# b"), no_break);
        assert_eq!(said("a =\u{a0}1"), no_break);
        assert_eq!(said("a\u{a0}= 1"), no_break);
        assert_eq!(said("a = 1\u{3000}"), "this looks like a space but is another character, U+3000");
        assert_eq!(said("a = 1\u{200b}"), "this is an invisible character, U+200B");
        assert_eq!(said("h = [1, 2]，"), "`，` looks like `,` but is another character");
        assert_eq!(said("h = [1，2]"), "`，` looks like `,` but is another character");
        assert_eq!(said("h ＝ 1"), "`＝` looks like `=` but is another character");
    }

    #[test]
    fn nothing_that_is_no_toml_is_left_without_a_word() {
        for text in [
            "=",
            "[",
            "]",
            "a",
            "a =",
            "a = [",
            "a = {",
            "a = {b",
            "a = \"",
            "a = '''",
            "\u{feff}\u{feff}=",
            "a = 1\r",
            "a.b.=3",
            "[[a]\n",
            "a = 1_",
        ] {
            assert!(!said(text).is_empty(), "{text}");
        }
    }
}
