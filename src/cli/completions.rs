//! `paribus completions SHELL`: a script that lets a shell complete commands and options.

use std::process::ExitCode;

use clap_complete::Shell;

use super::{Failure, command, out};

#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Arguments {
    /// The shell.
    shell: Shell,
}

const HELP: &str = "\
Examples:
  paribus completions bash > ~/.local/share/bash-completion/completions/paribus
  paribus completions zsh > ~/.zfunc/_paribus      after `fpath+=~/.zfunc` in ~/.zshrc
  paribus completions fish > ~/.config/fish/completions/paribus.fish
  paribus completions elvish >> ~/.config/elvish/rc.elv
  paribus completions powershell >> $PROFILE

Writes only to stdout.

Exit codes: 0 printed, 2 unknown shell.";

/// Prints the script.
pub fn completions(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command(), "paribus", &mut script);
    out(&String::from_utf8_lossy(&script));
    Ok(ExitCode::SUCCESS)
}
