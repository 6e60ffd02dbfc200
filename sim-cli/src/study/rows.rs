//! The runs of a study, one row each, in a file that other programs read.

use std::path::PathBuf;
use std::str::FromStr;

use sim_models::study::{Figure, Kind as Measured, Options, Row, Summary, Unit};

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

/// Runs that belong together: what sets them apart from others, one text a column, and what they say.
pub type Group<'a> = (Vec<String>, &'a Summary);

impl FromStr for RowsFile {
    type Err = String;

    fn from_str(text: &str) -> Result<RowsFile, String> {
        let path = PathBuf::from(text);
        let ending = path.extension().and_then(|ending| ending.to_str());
        let write = match ending {
            Some("csv") => csv,
            Some("jsonl") => json_lines,
            #[cfg(feature = "parquet")]
            Some("parquet") => crate::export::parquet,
            _ => return Err("write a file that ends in `.csv` or `.jsonl`".to_owned()),
        };
        Ok(RowsFile { path, write })
    }
}

impl RowsFile {
    /// Writes the runs that a study has kept. `keys` names the columns that set groups apart.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&self, keys: &[&str], groups: &[Group<'_>]) -> Result<(), Failure> {
        output::write(&self.path, &(self.write)(&table(keys, groups)))
    }
}

/// Has a study keep each of its runs, with the figures that were asked for and the usual ones.
pub fn each(options: &mut Options<'_>) {
    options.each = true;
    for figure in [Measured::Success, Measured::Unanswered, Measured::Goodput].map(Figure::of_all) {
        if !options.figures.contains(&figure) {
            options.figures.push(figure);
        }
    }
}

/// Leaves of a study what it says without rows, where so many figures were asked for.
pub fn forget(summary: &mut Summary, asked: usize) {
    summary.each.clear();
    summary.asked.truncate(asked);
}

fn table(keys: &[&str], groups: &[Group<'_>]) -> Table {
    let asked = groups.first().map_or(&[][..], |(_, summary)| &summary.asked);
    let figures: Vec<String> = asked.iter().map(|measure| column(&measure.figure)).collect();
    let mut columns: Vec<(&str, Kind)> = keys.iter().map(|key| (*key, Kind::Text)).collect();
    let own = [("seed", Kind::Count), ("verdict", Kind::Text), ("limit", Kind::Text)];
    columns.extend(own.into_iter().chain([("broken", Kind::Text)]));
    columns.extend(figures.iter().map(|figure| (figure.as_str(), Kind::Number)));
    let mut table = Table::new("rows", &columns);
    for (group, summary) in groups {
        summary.each.iter().for_each(|row| table.add(cells(group, row)));
    }
    table
}

fn cells(group: &[String], row: &Row) -> Vec<Cell> {
    let broken = Some(row.broken.join("; ")).filter(|broken| !broken.is_empty());
    let limit = row.limit.as_ref().map(|limit| limit.id);
    let own = [row.seed.into(), row.verdict.name().into(), limit.into(), broken.into()];
    let values = row.values.iter().map(|value| Cell::from(*value));
    group.iter().map(Cell::from).chain(own).chain(values).collect()
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
