//! The files that a command writes.

use std::fs;
use std::io;
use std::path::Path;

use crate::diagnostics::Failure;

/// Writes a file, and its folder before.
///
/// # Errors
/// When it or its folder cannot be written.
pub fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fill(path, text).map_err(|error| unwritable(path, &error))
}

/// The same, for who has more to say about a failure.
///
/// # Errors
/// When it or its folder cannot be written.
pub fn fill(path: &Path, text: &str) -> io::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(Path::new("")))?;
    fs::write(path, text)
}

/// Makes a folder.
///
/// # Errors
/// When it cannot be made.
pub fn folder(path: &Path) -> Result<(), Failure> {
    fs::create_dir_all(path).map_err(|error| unwritable(path, &error))
}

/// What to say of a file that cannot be written.
pub fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("cannot write {}: {error}", path.display()))
}
