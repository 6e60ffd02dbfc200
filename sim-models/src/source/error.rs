//! A mistake in what a person wrote, with all that is needed to show it to them.

use std::fmt;
use std::ops::Range;

/// What is wrong, where, and what to do about it.
///
/// Prints as `storm.ron:12:9: message; help`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceError {
    /// Where the mistake was written.
    pub place: Place,
    /// What is wrong, in lower case and without a full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.place.line_and_column();
        write!(f, "{}:{line}:{column}: {}", self.place.label, self.message)?;
        self.help.iter().try_for_each(|help| write!(f, "; {help}"))
    }
}

impl std::error::Error for SourceError {}

/// A part of something that a person wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file's name, or what the override is called.
    pub label: String,
    /// All of the file or override.
    pub text: String,
    /// The bytes of `text` that are meant; both ends lie between characters.
    pub range: Range<usize>,
}

impl Place {
    /// The line and the column in characters where it begins, both counted from one.
    pub fn line_and_column(&self) -> (usize, usize) {
        let before = &self.text[..self.range.start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}
