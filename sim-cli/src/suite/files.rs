//! The files in which a pipeline finds verdicts.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::{Suite, junit, markdown};
use crate::diagnostics::Failure;
use crate::output;

/// Where verdicts go, beside what is printed.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct SuiteFiles {
    /// Write the verdicts as JUnit XML, one case a promise
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,

    /// Append a summary in Markdown, as to the file that $GITHUB_STEP_SUMMARY names
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
}

impl SuiteFiles {
    /// Whether anybody asks for verdicts.
    pub fn is_asked(&self) -> bool {
        self.junit.is_some() || self.summary.is_some()
    }

    /// Writes what was asked for.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn keep(&self, suite: &Suite) -> Result<(), Failure> {
        if let Some(path) = &self.junit {
            output::write(path, &junit::xml(suite))?;
        }
        match &self.summary {
            Some(path) => append(path, &markdown::page(suite)),
            None => Ok(()),
        }
    }
}

/// Other steps of a job have summaries too.
fn append(path: &Path, text: &str) -> Result<(), Failure> {
    let write = || {
        fs::create_dir_all(path.parent().unwrap_or(Path::new("")))?;
        OpenOptions::new().create(true).append(true).open(path)?.write_all(text.as_bytes())
    };
    write().map_err(|error| output::unwritable(path, &error))
}
