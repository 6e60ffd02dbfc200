//! Standard output for results, standard error for messages; colour where it is wanted.
//!
//! A reader that has gone away, as in `sim list | head -1`, is not a failure: the rest is dropped.

use std::io::{self, Write};
use std::path::Path;

use anstream::{AutoStream, ColorChoice};
use clap::ValueEnum;
use sim_models::SourceError;

use crate::diagnostics::{self, Failure};
use crate::text::{COLUMNS, Style, plain};

/// When to use colours; `Auto` also heeds `NO_COLOR`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Color {
    // No doc comments here: they would turn every help into its long form.
    Auto,
    Always,
    Never,
}

/// Sets what all later output does about colour.
pub fn choose_colour(color: Color) {
    let choice = match color {
        Color::Auto => ColorChoice::Auto,
        Color::Always => ColorChoice::Always,
        Color::Never => ColorChoice::Never,
    };
    choice.write_global();
}

/// How text for standard output is set off.
pub fn style() -> Style {
    match AutoStream::choice(&io::stdout()) {
        ColorChoice::Never => Style::plain(),
        _ => Style::coloured(),
    }
}

/// How many columns a table may take: as many as the terminal has, within reason. What goes to a
/// file or another program has the same width everywhere.
pub fn columns() -> usize {
    let terminal = ::console::Term::stdout();
    let size = terminal.is_term().then(|| terminal.size_checked()).flatten();
    size.map_or(COLUMNS, |(_, columns)| usize::from(columns).clamp(60, 160))
}

/// Writes a result to standard output as it stands.
///
/// # Errors
/// When it cannot be written although somebody reads it, as on a full disk.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Says where a file went: beside a report in its manner, beside JSON on standard error.
///
/// # Errors
/// As for [`print()`].
pub fn tell_where(what: &str, path: &Path, json: bool) -> Result<(), Failure> {
    let line = plain(&format!("{what:<8}  {}", path.display()));
    if json {
        note(&line);
        return Ok(());
    }
    print(&format!("{line}\n"))
}

/// Writes a line to standard error.
pub fn note(line: &str) {
    // Where messages cannot go, this one cannot go either.
    let _ = writeln!(io::stderr(), "{}", plain(line));
}

/// Shows warnings on standard error.
pub fn warn(warnings: &[SourceError]) {
    if !warnings.is_empty() {
        let text = diagnostics::render_warnings(warnings, is_styled());
        let _ = io::stderr().write_all(text.as_bytes());
    }
}

/// Shows a failure on standard error.
pub fn complain(failure: &Failure) {
    let _ = io::stderr().write_all(failure.render(is_styled()).as_bytes());
}

fn is_styled() -> bool {
    AutoStream::choice(&io::stderr()) != ColorChoice::Never
}
