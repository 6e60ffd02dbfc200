//! The files that a command writes.

use std::fs;
use std::io;
use std::path::Path;

use crate::diagnostics::Failure;

/// Writes a file, and its folder before.
///
/// # Errors
/// When it or its folder cannot be written.
pub fn write(path: &Path, content: &(impl AsRef<[u8]> + ?Sized)) -> Result<(), Failure> {
    fill(path, content).map_err(|error| unwritable(path, &error))
}

/// The same, for who has more to say about a failure.
///
/// # Errors
/// When it or its folder cannot be written.
pub fn fill(path: &Path, content: &(impl AsRef<[u8]> + ?Sized)) -> io::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(Path::new("")))?;
    fs::write(path, content)
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
