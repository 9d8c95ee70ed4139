//! `paribus man [DIR]`: the help as manual pages.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Command;
use clap_mangen::Man;

use super::{Failure, command, note, out};

#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Arguments {
    /// The folder to write the pages of all commands to; without it, the main page is printed.
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

const HELP: &str = "\
Examples:
  paribus man ~/.local/share/man/man1     then `man paribus` and `man paribus-run` show them
  paribus man | man -l -                  shows the main page

Writes paribus.1, and paribus-COMMAND.1 for each command, into DIR. Without DIR, writes only to stdout.

Exit codes: 0 written or printed, 1 the files cannot be written.";

/// Prints the page of the program, or writes the pages of all commands.
pub fn man(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let mut command = command().disable_help_subcommand(true);
    command.build();
    let Some(folder) = &arguments.folder else {
        let page = page(&command).map_err(|error| Failure::Operation(format!("cannot make the page: {error}")))?;
        out(&String::from_utf8_lossy(&page));
        return Ok(ExitCode::SUCCESS);
    };
    let write = || {
        std::fs::create_dir_all(folder)?;
        for command in std::iter::once(&command).chain(command.get_subcommands()) {
            let man = Man::new(command.clone());
            std::fs::write(folder.join(man.get_filename()), page(command)?)?;
        }
        Ok(())
    };
    let shown = folder.display();
    write().map_err(|error: io::Error| Failure::Operation(format!("cannot write the pages to `{shown}`: {error}")))?;
    note(&format!("the pages are in {shown}"));
    Ok(ExitCode::SUCCESS)
}

/// A page. The end of the long help becomes separate sections, whose indented lines are not wrapped.
fn page(command: &Command) -> io::Result<Vec<u8>> {
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    if let Some(help) = command.get_after_long_help() {
        let help = help.to_string().replace('\\', "\\e").replace('-', "\\-");
        let mut is_verbatim = false;
        for line in help.lines() {
            if line.starts_with("  ") != is_verbatim {
                is_verbatim = !is_verbatim;
                writeln!(page, "{}", if is_verbatim { ".nf" } else { ".fi" })?;
            }
            match line {
                "" => writeln!(page, ".PP")?,
                "Examples:" => writeln!(page, ".SH EXAMPLES")?,
                "Environment:" => writeln!(page, ".SH ENVIRONMENT")?,
                line => match line.strip_prefix("Exit codes: ") {
                    Some(codes) => writeln!(page, ".SH EXIT STATUS\n{codes}")?,
                    None => writeln!(page, "{line}")?,
                },
            }
        }
        if is_verbatim {
            writeln!(page, ".fi")?;
        }
    }
    Ok(page)
}
