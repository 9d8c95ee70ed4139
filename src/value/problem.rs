//! Mistakes in a file and warnings: where, what, what is accepted, what to do; and how they are shown.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::{Origin, Sources};
pub use engine::names::{did_you_mean, listed, one_of, suggestion};

/// One mistake, or one warning.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Problem {
    /// `None` if the message says everything.
    pub cause: Option<Box<Cause>>,
    /// The mistake, in one line.
    pub message: String,
    /// Its place, if it has one in the text.
    pub origin: Option<Origin>,
    /// The text below the underlined one.
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

    /// The same mistake, at this place.
    pub fn at(mut self, origin: Origin) -> Self {
        self.origin = Some(origin);
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

    /// Whether the message names this key.
    pub fn names(&self, key: &str) -> bool {
        self.message.contains(&format!("`{key}`"))
    }

    /// The same mistake, with another hint.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }
}

/// All mistakes as text for people, in the order of the file, with a last line that counts them.
///
/// `color` adds terminal colors.
pub fn render(sources: &Sources, problems: &[Problem], color: bool) -> String {
    let mut text = pictures(sources, problems, color);
    match problems.len() {
        1 => text.push_str("1 mistake; nothing was trained or written\n"),
        count => text.push_str(&format!("{count} mistakes; nothing was trained or written\n")),
    }
    text
}

/// All warnings, as [`render`] shows mistakes; empty if there are none.
pub fn render_warnings(sources: &Sources, warnings: &[Problem], color: bool) -> String {
    let mut names: Vec<String> = Vec::new();
    for problem in warnings {
        if let Some(name) = problem.warning_name() {
            names.push(format!("\"{name}\""));
        }
    }
    names.sort();
    names.dedup();
    let count = match warnings.len() {
        0 => return String::new(),
        1 => "1 warning".to_owned(),
        count => format!("{count} warnings"),
    };
    let silence = format!("write `allow_warnings = [{}]` at the top of the file", names.join(", "));
    format!("{}{count}; if this is intended, {silence}\n", pictures(sources, warnings, color))
}

/// Each problem as a picture of its place, in the order of the text.
fn pictures(sources: &Sources, problems: &[Problem], color: bool) -> String {
    let mut problems: Vec<&Problem> = problems.iter().collect();
    problems.sort_by_key(|problem| problem.origin.as_ref().map(|origin| (origin.source, origin.span.start)));
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut text = String::new();
    for problem in &problems {
        let title = match problem.warning_name() {
            None => Level::ERROR.primary_title(&problem.message),
            Some(name) => Level::WARNING.primary_title(&problem.message).id(name),
        };
        let mut group = title.elements(problem.origin.as_ref().map(|origin| {
            let annotation = AnnotationKind::Primary.span(origin.span.clone());
            let annotation =
                if problem.label.is_empty() { annotation } else { annotation.label(problem.label.as_str()) };
            Snippet::source(sources.text(origin.source)).path(sources.name(origin.source)).annotation(annotation)
        }));
        if let (None, Some((name, _))) = (&problem.origin, sources.0.first()) {
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
