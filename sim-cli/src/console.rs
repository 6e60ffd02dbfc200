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

/// How text for standard output is set: as wide as the terminal, within reason. What goes to a file or
/// another program has the same width everywhere.
#[expect(clippy::disallowed_methods, reason = "it decides how a text is set, and no result")]
pub fn style() -> Style {
    let style = match AutoStream::choice(&io::stdout()) {
        ColorChoice::Never => Style::plain(),
        _ => Style::coloured(),
    };
    let terminal = ::console::Term::stdout();
    if !terminal.is_term() {
        return style;
    }
    let columns = terminal.size_checked().map_or(COLUMNS, |(_, columns)| usize::from(columns));
    let style = Style { columns: columns.clamp(60, 160), ..style };
    if draws_blocks(|name| std::env::var(name).ok()) { style } else { style.in_letters() }
}

/// Whether a terminal shows more than letters, by its environment: it is not `dumb`, and its locale is
/// of UTF-8 or says nothing.
fn draws_blocks(variable: impl Fn(&str) -> Option<String>) -> bool {
    let set = |name: &&str| variable(name).filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(set).unwrap_or_default();
    let locale = locale.to_ascii_lowercase();
    let is_of_letters = !locale.is_empty() && !locale.contains("utf8") && !locale.contains("utf-8");
    variable("TERM").as_deref() != Some("dumb") && !is_of_letters
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dumb_terminal_and_an_old_locale_get_letters() {
        let draws = |set: &[(&str, &str)]| {
            let set: Vec<(&str, &str)> = set.to_vec();
            draws_blocks(|name| set.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
        };
        assert!(draws(&[("TERM", "xterm")]) && draws(&[("LANG", "de_DE.UTF-8")]));
        assert!(draws(&[("LC_ALL", "C.utf8"), ("LANG", "C")]));
        assert!(!draws(&[("TERM", "dumb")]) && !draws(&[("LANG", "C")]));
        assert!(!draws(&[("LC_ALL", "POSIX"), ("LANG", "en_US.UTF-8")]));
    }
}
