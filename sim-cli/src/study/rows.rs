//! The runs of a study, one row each, in a file that other programs read.

use std::path::PathBuf;
use std::str::FromStr;

use sim_models::study::{Figure, Summary, Unit};

use crate::diagnostics::Failure;
use crate::export::table::{Cell, Kind, Table};
use crate::export::{csv, json_lines};
use crate::output;

/// A file of rows, which its ending gives a format.
#[derive(Clone, Debug)]
pub struct RowsFile {
    path: PathBuf,
    write: fn(&Table) -> Vec<u8>,
}

impl FromStr for RowsFile {
    type Err = String;

    fn from_str(text: &str) -> Result<RowsFile, String> {
        let path = PathBuf::from(text);
        let ending = path.extension().and_then(|ending| ending.to_str());
        let write = match ending {
            Some("csv") => csv,
            Some("jsonl") => json_lines,
            _ => return Err("write a file that ends in `.csv` or `.jsonl`".to_owned()),
        };
        Ok(RowsFile { path, write })
    }
}

impl RowsFile {
    /// Writes the runs that a study has kept.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&self, summary: &Summary) -> Result<(), Failure> {
        output::write(&self.path, &(self.write)(&table(summary)))
    }
}

fn table(summary: &Summary) -> Table {
    let figures: Vec<String> = summary.asked.iter().map(|m| column(&m.figure)).collect();
    let mut columns = vec![("seed", Kind::Count), ("limit", Kind::Text), ("broken", Kind::Text)];
    columns.extend(figures.iter().map(|figure| (figure.as_str(), Kind::Number)));
    let mut table = Table::new("rows", &columns);
    for row in &summary.each {
        let broken = Some(row.broken.join("; ")).filter(|broken| !broken.is_empty());
        let mut cells: Vec<Cell> =
            vec![row.seed.into(), row.limit.as_ref().map(|limit| limit.id).into(), broken.into()];
        cells.extend(row.values.iter().map(|value| Cell::from(*value)));
        table.add(cells);
    }
    table
}

/// A figure with its unit, where it has one.
fn column(figure: &Figure) -> String {
    match figure.unit() {
        Unit::Millis => format!("{figure}_ms"),
        Unit::PerSecond => format!("{figure}_per_s"),
        Unit::Share | Unit::Ratio | Unit::Count => figure.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_rows_says_by_its_ending_how_it_is_written() {
        assert!(
            "runs.csv".parse::<RowsFile>().is_ok() && "a/runs.jsonl".parse::<RowsFile>().is_ok()
        );
        assert!("runs.xls".parse::<RowsFile>().is_err() && "csv".parse::<RowsFile>().is_err());
    }
}
