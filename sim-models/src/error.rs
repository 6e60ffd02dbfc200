//! Why a scenario could not be loaded.

use std::fmt;

use crate::source::SourceError;

/// Why a scenario could not be loaded. Nothing has run.
///
/// Prints every mistake with its file, line and column, also where a test unwraps it.
#[derive(Clone, PartialEq, Eq)]
pub enum Error {
    /// The file cannot be read.
    Unreadable(String),
    /// What is wrong with the scenario, its variant or the values set: everything at once.
    Mistakes(Vec<SourceError>),
}

impl Error {
    /// What is wrong with the scenario, each mistake with its place.
    pub fn mistakes(&self) -> &[SourceError] {
        match self {
            Error::Unreadable(_) => &[],
            Error::Mistakes(mistakes) => mistakes,
        }
    }
}

impl From<Vec<SourceError>> for Error {
    fn from(mistakes: Vec<SourceError>) -> Error {
        Error::Mistakes(mistakes)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Unreadable(message) => f.write_str(message),
            Error::Mistakes(mistakes) => match mistakes.as_slice() {
                [one] => one.fmt(f),
                all => {
                    write!(f, "{} mistakes", all.len())?;
                    all.iter().try_for_each(|mistake| write!(f, "\n    {mistake}"))
                }
            },
        }
    }
}

/// As [`Display`](fmt::Display): `unwrap` and a `main` that returns it print by this.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}
