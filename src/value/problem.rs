//! Mistakes in a file and warnings: where, what, what is accepted, what to do; and how they are shown.

use annotate_snippets::{AnnotationKind, Element, Group, Level, Renderer, Snippet};

use super::{Origin, Sources};

/// One mistake, or one warning.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Problem {
    /// `None` if the message says everything.
    pub cause: Option<Box<Cause>>,
    /// The mistake, in one line.
    pub message: String,
    /// Its place, if it has one in the text.
    pub origin: Option<Origin>,
    /// The text below the underlined place.
    pub label: String,
    /// What to do.
    pub help: Vec<String>,
}

/// The kind of a mistake, for code that can explain more than the code that found it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Cause {
    /// A key that is not accepted in its place, the keys that are, and the one that was probably meant. The last hint
    /// lists the accepted ones.
    UnknownKey { key: String, accepted: Vec<&'static str>, meant: Option<&'static str> },
    /// A name that is not one of the accepted ones.
    UnknownName { name: String, accepted: Vec<&'static str> },
    /// The key's value is rejected or missing. The first `hints` hints say how to write it; the meaning of the key
    /// follows them.
    Unfit { key: String, hints: usize },
    /// A duplicate header: its line, and its last key.
    HeaderTwice { header: String, name: String },
    /// A missing section.
    MissingSection(&'static str),
    /// The key and this other key of the same section say the same thing in two ways.
    SaidTwice(&'static str),
    /// Not a mistake but a warning, with the name that silences it.
    Warning(&'static str),
}

impl Problem {
    /// A mistake without a place.
    pub fn new(message: impl Into<String>) -> Self {
        Self { cause: None, message: message.into(), origin: None, label: String::new(), help: Vec::new() }
    }

    /// The same problem, as a warning with this name.
    pub fn warning(self, name: &'static str) -> Self {
        self.cause(Cause::Warning(name))
    }

    /// The name, if this is a warning.
    pub fn warning_name(&self) -> Option<&'static str> {
        match self.cause.as_deref() {
            Some(Cause::Warning(name)) => Some(name),
            _ => None,
        }
    }

    /// The same mistake, with this cause.
    pub fn cause(self, cause: Cause) -> Self {
        Self { cause: Some(Box::new(cause)), ..self }
    }

    /// The same mistake, at this place, if there is one.
    pub fn at(mut self, origin: impl Into<Option<Origin>>) -> Self {
        self.origin = origin.into();
        self
    }

    /// The same mistake, with a text under the underlined place.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// The same mistake, with a label that asks whether `meant` was meant.
    pub fn meaning(self, meant: impl std::fmt::Display) -> Self {
        self.label(format!("did you mean `{meant}`?"))
    }

    /// The same mistake, with another hint.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }
}

/// More problems than this are only counted.
const MOST_SHOWN: usize = 100;

/// More mistakes than this are not even counted.
pub const MOST_COUNTED: usize = 500;

/// The mistakes as text for people, in the order of the file, with a last line that counts them.
///
/// `color` adds terminal colors.
pub fn render(sources: &Sources, problems: &[Problem], color: bool) -> String {
    let count = match problems.len() {
        count if count > MOST_COUNTED => format!("more than {MOST_COUNTED} mistakes, of which {MOST_SHOWN} are shown"),
        count => counted(count, "mistake"),
    };
    format!("{}{count}; nothing was trained or written\n", pictures(sources, problems, color))
}

/// The warnings, as [`render`] shows mistakes; empty if there are none.
pub fn render_warnings(sources: &Sources, warnings: &[Problem], color: bool) -> String {
    if warnings.is_empty() {
        return String::new();
    }
    let mut names: Vec<String> = Vec::new();
    for problem in warnings {
        if let Some(name) = problem.warning_name() {
            names.push(format!("\"{name}\""));
        }
    }
    names.sort();
    names.dedup();
    let count = counted(warnings.len(), "warning");
    let silence = format!("write `allow_warnings = [{}]` at the top of the file", names.join(", "));
    format!("{}{count}; if this is intended, {silence}\n", pictures(sources, warnings, color))
}

/// `1 mistake`, `2 mistakes`, `200 mistakes, of which the first 100 are shown`.
fn counted(count: usize, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ if count > MOST_SHOWN => format!("{count} {noun}s, of which the first {MOST_SHOWN} are shown"),
        _ => format!("{count} {noun}s"),
    }
}

/// The first problems, each as a picture of its place, in the order of the text.
fn pictures(sources: &Sources, problems: &[Problem], color: bool) -> String {
    let mut problems: Vec<&Problem> = problems.iter().collect();
    problems.sort_by_key(|problem| problem.origin.as_ref().map(|origin| (origin.source, origin.span.start)));
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut text = String::new();
    for problem in problems.into_iter().take(MOST_SHOWN) {
        let title = match problem.warning_name() {
            None => Level::ERROR.primary_title(&problem.message),
            Some(name) => Level::WARNING.primary_title(&problem.message).id(name),
        };
        let mut group = Group::with_title(title);
        if let Some(origin) = &problem.origin {
            group = group.element(picture(sources, origin, &problem.label));
        } else if let Some((name, _)) = sources.0.first() {
            group = group.element(annotate_snippets::Origin::path(name));
        }
        for help in &problem.help {
            group = group.element(Level::HELP.message(help));
        }
        text.push_str(&renderer.render(&[group]));
        text.push_str("\n\n");
    }
    text
}

/// The lines at `origin`, with the label below it. If they are very long, only their place.
fn picture<'a>(sources: &'a Sources, origin: &Origin, label: &'a str) -> Element<'a> {
    const LONGEST: usize = 10_000;
    let (text, name) = (sources.text(origin.source), sources.name(origin.source));
    let start = text[..origin.span.start].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[origin.span.end..].find('\n').map_or(text.len(), |newline| origin.span.end + newline + 1);
    let (line, column) = sources.line_and_column(origin);
    if end - start > LONGEST {
        return annotate_snippets::Origin::path(name).line(line).char_column(column).into();
    }
    let annotation = AnnotationKind::Primary.span(origin.span.start - start..origin.span.end - start);
    let annotation = if label.is_empty() { annotation } else { annotation.label(label) };
    Snippet::source(&text[start..end]).line_start(line).path(name).annotation(annotation).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_mistakes_and_long_lines_only_some_is_shown() {
        let mut sources = Sources::default();
        let source = sources.add("file.toml", format!("a = 1\nb = {}\n", "x".repeat(20_000)));
        let at = |start| Problem::new("wrong").at(Origin { source, span: start..start + 1 });
        let many = render(&sources, &vec![at(0); 101], false);
        assert_eq!(many.matches("error: wrong").count(), 100);
        assert!(many.contains("\n101 mistakes, of which the first 100 are shown; nothing was trained"), "{many}");
        let very_many = render(&sources, &vec![at(0); 501], false);
        assert!(very_many.contains("\nmore than 500 mistakes, of which 100 are shown; nothing"), "{very_many}");
        let long = render(&sources, &[at(10)], false);
        assert!(long.contains("file.toml:2:5") && long.len() < 200, "{long}");
    }
}
