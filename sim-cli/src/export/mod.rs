//! What a run is to other programs: tables, spans, a trace, counts.
//!
//! A [`Table`] is made once, and each format of tables writes it. Two exports of a run are equal, byte for
//! byte. Times are of virtual time and numbers are finite. What is missing is `null`, or empty in CSV.

mod openmetrics;
mod otlp;
#[cfg(feature = "parquet")]
mod parquet;
mod perfetto;
mod protobuf;
pub mod table;
pub mod tables;
mod text;

use sim_models::activity::Activities;
use sim_models::outcome::Outcome;

#[cfg(feature = "parquet")]
pub use parquet::parquet;
pub use tables::What;
pub use text::{csv, json_lines};

use table::Table;

/// How a run is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Tables: comma-separated values, a header first
    Csv,
    /// Tables: one JSON object a line
    Jsonl,
    /// Tables: Apache Parquet
    #[cfg(feature = "parquet")]
    Parquet,
    /// Requests as OpenTelemetry spans: OTLP/JSON, one request a line
    Otlp,
    /// Requests, faults, breakers and counts as a Perfetto trace
    Perfetto,
    /// The final counts as OpenMetrics text
    Openmetrics,
}

/// What a format shows of a run.
#[derive(Clone, Copy)]
pub enum Writer {
    /// Each table in a file of its own, which ends so.
    Tables(&'static str, fn(&Table) -> Vec<u8>),
    /// Requests, in a file of this name.
    Requests(&'static str, fn(&Activities) -> Vec<u8>),
    /// Counts, in a file of this name.
    Counts(&'static str, fn(&Outcome) -> String),
}

impl Format {
    /// What it shows, and how it is written.
    pub const fn writer(self) -> Writer {
        match self {
            Format::Csv => Writer::Tables("csv", text::csv),
            Format::Jsonl => Writer::Tables("jsonl", text::json_lines),
            #[cfg(feature = "parquet")]
            Format::Parquet => Writer::Tables("parquet", parquet),
            Format::Otlp => Writer::Requests("spans.otlp.jsonl", otlp::lines),
            Format::Perfetto => Writer::Requests("trace.perfetto", perfetto::trace),
            Format::Openmetrics => Writer::Counts("metrics.txt", openmetrics::text),
        }
    }
}
