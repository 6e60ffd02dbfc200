//! How the decision table is asked for.

use clap::ValueEnum;

use super::{Decision, text, write};
use crate::text::Style;

/// In what the table alone is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a terminal
    Text,
    /// For a pull request
    Markdown,
    /// For a spreadsheet: all columns, with intervals and marks
    Csv,
}

impl Format {
    /// The table, and nothing else; as text it takes so many columns where it can.
    pub fn of(self, decision: &Decision, width: usize) -> String {
        match self {
            Format::Text => {
                let style = Style { columns: width, ..Style::plain() };
                text::text(decision, &style).trim_start().to_owned()
            }
            Format::Markdown => write::markdown(decision),
            Format::Csv => write::csv(decision),
        }
    }
}

/// `2%` as 0.02.
///
/// # Errors
/// What is no share, in words.
pub fn parse_least(text: &str) -> Result<f64, String> {
    let percent =
        text.trim().strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    match percent {
        Some(percent) if (0.0..=100.0).contains(&percent) => Ok(percent / 100.0),
        _ => Err("write a share from 0% to 100%, as in `2%`".to_owned()),
    }
}
