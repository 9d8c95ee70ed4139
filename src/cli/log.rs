//! Logs go to stderr, above the progress bars and never into them.

use std::io::{self, Write};

use indicatif::MultiProgress;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::prelude::*;

/// Sets up logging: warnings, and more with each `-v`. `PARIBUS_LOG` overrides this if it is set.
pub fn init(verbose: u8, bars: &MultiProgress) {
    let level = match verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let asked = std::env::var("PARIBUS_LOG").ok().filter(|text| !text.is_empty());
    let parsed = asked.as_deref().map(str::parse::<LevelFilter>);
    let level = match &parsed {
        Some(Ok(level)) => *level,
        _ => level,
    };
    let format = tracing_subscriber::fmt::layer()
        .with_writer(AboveBars(bars.clone()))
        .with_ansi(io::IsTerminal::is_terminal(&io::stderr()) && std::env::var_os("NO_COLOR").is_none())
        .with_target(false)
        .log_internal_errors(false)
        .log_internal_errors(false)
        .without_time();
    tracing_subscriber::registry().with(format.with_filter(level)).init();
    if let (Some(text), Some(Err(_))) = (&asked, &parsed) {
        tracing::warn!("PARIBUS_LOG=`{text}` is not a log level: off, error, warn, info, debug and trace are accepted");
    }
}

/// Hides the bars while a line is written.
struct AboveBars(MultiProgress);

impl<'a> MakeWriter<'a> for AboveBars {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> &'a Self {
        self
    }
}

impl Write for &AboveBars {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().write_all(bytes)).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
