//! `paribus init NAME`: writes a new experiment file, made from one of those in experiments/.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::builder::{PossibleValue, PossibleValuesParser};

use super::table::TextTable;
use super::{Failure, note, out};
use crate::file::Name;

#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Arguments {
    /// The name of the experiment, which is written to NAME.toml.
    #[arg(required_unless_present = "list")]
    name: Option<PathBuf>,
    /// The template to start from.
    #[arg(short, long, default_value = TEMPLATES[0].name, value_parser = templates())]
    template: String,
    /// List the templates and write nothing.
    #[arg(short, long)]
    list: bool,
}

const HELP: &str = "\
Examples:
  paribus init first                       writes first.toml: two optimizers on handwritten digits
  paribus init mine --template overfit     starts from the book's experiment on weight decay
  paribus init --list                      describes each template

Writes NAME.toml and, beside it, paribus.schema.json, with which editors complete and check the file. Existing files \
stay as they are.

Exit codes: 0 written or listed, 1 the file cannot be written, 2 not a valid name, or the file exists.";

/// The schema's file name, which is in the first line of each template.
const SCHEMA: &str = "paribus.schema.json";

/// A template of an experiment.
struct Template {
    name: &'static str,
    /// The text of a file in experiments/, whose first comment says what it is about.
    text: &'static str,
}

/// The first one is the default.
const TEMPLATES: [Template; 11] = [
    Template { name: "minimal", text: include_str!("../../experiments/minimal.toml") },
    Template { name: "ch6", text: include_str!("../../experiments/ch6.toml") },
    Template { name: "optimizers", text: include_str!("../../experiments/optimizer_compare_mnist.toml") },
    Template { name: "paths", text: include_str!("../../experiments/optimizer_compare_naive.toml") },
    Template { name: "weights", text: include_str!("../../experiments/weight_init_compare.toml") },
    Template { name: "activations", text: include_str!("../../experiments/weight_init_activation_histogram.toml") },
    Template { name: "batch-norm", text: include_str!("../../experiments/batch_norm_test.toml") },
    Template { name: "gradients", text: include_str!("../../experiments/batch_norm_gradient_check.toml") },
    Template { name: "overfit", text: include_str!("../../experiments/overfit_weight_decay.toml") },
    Template { name: "dropout", text: include_str!("../../experiments/overfit_dropout.toml") },
    Template { name: "search", text: include_str!("../../experiments/hyperparameter_optimization.toml") },
];

fn templates() -> PossibleValuesParser {
    PossibleValuesParser::new(TEMPLATES.map(|template| PossibleValue::new(template.name).help(template.subject())))
}

/// Writes an experiment file, or lists the templates.
pub fn init(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if arguments.list {
        out(&listing());
        return Ok(ExitCode::SUCCESS);
    }
    let template = TEMPLATES.iter().find(|template| template.name == arguments.template);
    let (Some(path), Some(template)) = (&arguments.name, template) else { return Ok(ExitCode::from(2)) };
    let path = with_ending(path);
    let shown = path.display();
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let name = Name::try_from(stem).map_err(Failure::input)?;
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .and_then(|mut file| file.write_all(template.named(name.as_str(), &path).as_bytes()));
    match written {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(Failure::input(format!(
                "`{shown}` already exists\nhelp: choose another name, or move the file away"
            )));
        }
        Err(error) => return Err(Failure::Operation(format!("cannot write `{shown}`: {error}"))),
    }
    let schema = path.with_file_name(SCHEMA);
    if !schema.exists() {
        std::fs::write(&schema, super::schema::text())
            .map_err(|error| Failure::Operation(format!("cannot write `{}`: {error}", schema.display())))?;
    }
    note(&format!("{shown}: {}", template.subject()));
    note(&format!("next: `paribus plan {shown}` lists its runs, `paribus run {shown}` trains them"));
    Ok(ExitCode::SUCCESS)
}

/// `ch6` and `ch6.toml` mean the same file.
fn with_ending(path: &Path) -> PathBuf {
    match path.extension() {
        Some(extension) if extension == "toml" => path.to_owned(),
        _ => {
            let mut name = path.as_os_str().to_owned();
            name.push(".toml");
            name.into()
        }
    }
}

fn listing() -> String {
    let mut table = TextTable::new([("", false), ("", false)]);
    for template in &TEMPLATES {
        table.row([template.name.to_owned(), template.subject().to_owned()]);
    }
    table.render(0)
}

/// The beginning of the line, in files of experiments/, that says how to run it.
const COMMAND: &str = "#     cargo run --release -- run experiments/";

impl Template {
    /// Its subject, in one line.
    fn subject(&self) -> &'static str {
        self.text.lines().find_map(|line| line.strip_prefix("# ")).unwrap_or_default()
    }

    /// The template's text under the name `name`, for a person to change and run as `path`.
    fn named(&self, name: &str, path: &Path) -> String {
        let mut text = String::new();
        for line in self.text.lines() {
            if line.starts_with(COMMAND) {
                let mut next = TextTable::new([("", false), ("", false)]);
                let path = path.display();
                for (command, what) in [
                    ("check", "finds every mistake".to_owned()),
                    ("plan", "lists the runs".to_owned()),
                    ("run", format!("trains the missing runs, writes results/{name}/")),
                ] {
                    next.row([format!("paribus {command} {path}"), what]);
                }
                next.render(4).lines().for_each(|line| text += &format!("# {line}\n"));
            } else if line.starts_with("name = ") {
                text += &format!("name = {name:?}\n");
            } else {
                text += &format!("{line}\n");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::Experiment;
    use crate::plan::Plan;

    #[test]
    fn every_template_declares_what_its_file_does_under_another_name() {
        let plan = |name: &str, text: String| {
            Plan::new(Experiment::parse("test.toml", text, name, PathBuf::new()).unwrap()).unwrap()
        };
        for template in &TEMPLATES {
            let text = template.named("mine", Path::new("mine.toml"));
            let (mine, original) = (plan("other", text.clone()), plan("other", template.text.to_owned()));
            assert_eq!(mine.experiment.name.as_str(), "mine", "{}", template.name);
            assert_eq!(mine.hash(), original.hash(), "{}", template.name);
            assert!(!text.contains("cargo run"), "{}", template.name);
            assert_eq!(text.lines().next(), Some(format!("#:schema ./{SCHEMA}").as_str()), "{}", template.name);
            assert_eq!(text.matches("#     paribus run mine.toml").count(), 1, "{}", template.name);
            assert!(template.subject().ends_with(['?', '.']), "{}", template.subject());
        }
    }

    #[test]
    fn every_experiment_is_a_template() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments");
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.extension().is_some_and(|extension| extension == "toml") {
                let text = std::fs::read_to_string(&path).unwrap();
                assert!(TEMPLATES.iter().any(|template| template.text == text), "{}", path.display());
            }
        }
    }

    #[test]
    fn the_ending_may_be_typed_or_not() {
        for typed in ["a/mine", "a/mine.toml"] {
            assert_eq!(with_ending(Path::new(typed)), Path::new("a/mine.toml"));
        }
        assert_eq!(with_ending(Path::new("v1.2")), Path::new("v1.2.toml"));
    }
}
