//! What a run is to other programs: tables as CSV and JSON Lines.
//!
//! A [`Table`](table::Table) is made once, and each format writes it. Two exports of a run are equal,
//! byte for byte. Times are milliseconds of virtual time and numbers are finite. What is missing is
//! `null`, or empty in CSV.

pub mod table;
pub mod tables;
mod text;

pub use tables::What;

use table::Table;

/// How tables are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Comma-separated values, a header first
    Csv,
    /// One JSON object a line
    Jsonl,
}

impl Format {
    /// How its files end.
    pub const fn extension(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::Jsonl => "jsonl",
        }
    }

    /// A table in this format.
    pub fn write(self, table: &Table) -> Vec<u8> {
        match self {
            Format::Csv => text::csv(table),
            Format::Jsonl => text::json_lines(table),
        }
    }
}
