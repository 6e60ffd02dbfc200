//! A table that a program reads: a name, columns of one type each, and rows.
//!
//! A column names its unit: `at_ms` is milliseconds of virtual time. Every number is finite, and what
//! is missing is [`Cell::Missing`], never a zero.

use sim_core::{Span, Time};

use crate::json::ms;

/// What the cells of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// A whole number from 0 on.
    Count,
    Number,
    Flag,
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Missing,
    Text(String),
    Count(u64),
    Number(f64),
    Flag(bool),
}

/// A table.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    pub name: &'static str,
    pub columns: Vec<(String, Kind)>,
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// One without rows.
    pub fn new(name: &'static str, columns: &[(&str, Kind)]) -> Table {
        let columns = columns.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect();
        Table { name, columns, rows: Vec::new() }
    }

    /// Adds a row.
    pub fn push<const N: usize>(&mut self, cells: [Cell; N]) {
        self.add(cells.into());
    }

    /// Adds a row to a table with as many columns as it has cells, each of its column's kind.
    pub fn add(&mut self, cells: Vec<Cell>) {
        assert!(cells.len() == self.columns.len(), "{} has other columns", self.name);
        for (cell, (column, kind)) in cells.iter().zip(&self.columns) {
            assert!(cell.is(*kind), "{cell:?} stands in {}.{column}", self.name);
        }
        self.rows.push(cells);
    }
}

impl Cell {
    fn is(&self, kind: Kind) -> bool {
        matches!(
            (self, kind),
            (Cell::Missing, _)
                | (Cell::Text(_), Kind::Text)
                | (Cell::Count(_), Kind::Count)
                | (Cell::Number(_), Kind::Number)
                | (Cell::Flag(_), Kind::Flag)
        )
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }
}

impl From<&String> for Cell {
    fn from(text: &String) -> Cell {
        Cell::Text(text.clone())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell::Text(text)
    }
}

impl From<u64> for Cell {
    fn from(count: u64) -> Cell {
        Cell::Count(count)
    }
}

impl From<u32> for Cell {
    fn from(count: u32) -> Cell {
        Cell::Count(count.into())
    }
}

/// A number that is none is missing.
impl From<f64> for Cell {
    fn from(number: f64) -> Cell {
        if number.is_finite() { Cell::Number(number) } else { Cell::Missing }
    }
}

impl From<bool> for Cell {
    fn from(flag: bool) -> Cell {
        Cell::Flag(flag)
    }
}

/// In milliseconds.
impl From<Time> for Cell {
    fn from(at: Time) -> Cell {
        Cell::Number(ms(at))
    }
}

/// In milliseconds.
impl From<Span> for Cell {
    fn from(length: Span) -> Cell {
        Cell::Number(length.as_millis_f64())
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Cell {
        value.map_or(Cell::Missing, Into::into)
    }
}
