//! Panels as numbers: what a script needs to draw them again.

use serde::{Serialize, Serializer};

use super::axis::Measure;

/// More windows than that are given as their least and greatest values.
const COLUMNS: usize = 600;

/// A panel of lines, of layers that lie on each other, or of rows of bars.
#[derive(Clone, Debug, Serialize)]
pub struct Lines {
    /// What they show.
    pub title: String,
    /// `lines`, `stack` with the lowest layer first, or `bars`.
    pub kind: &'static str,
    /// `count`, `ns`, `ms` or `share`.
    pub unit: &'static str,
    /// Each of them.
    pub lines: Vec<Line>,
}

/// A line: one value a window.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// What it shows.
    pub name: String,
    /// The class of its ink.
    pub ink: &'static str,
    /// The length of a window in seconds.
    pub width: f64,
    /// The greatest value of each window; `null` where there is none.
    #[serde(serialize_with = "short")]
    pub most: Vec<Option<f64>>,
    /// The least value of each, where it is another one.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "short_too")]
    pub least: Option<Vec<Option<f64>>>,
}

impl Line {
    /// A line of at most [`COLUMNS`] windows, its values rounded to four digits.
    pub fn new(name: &str, ink: &'static str, width: f64, values: &[Option<f64>]) -> Line {
        let name = name.to_owned();
        if values.len() <= COLUMNS {
            let most = values.iter().map(|value| value.map(rounded)).collect();
            return Line { name, ink, width, most, least: None };
        }
        let per = values.len().div_ceil(COLUMNS);
        let of = |chunk: &[Option<f64>], pick: fn(f64, f64) -> f64| {
            chunk.iter().copied().flatten().reduce(pick).map(rounded)
        };
        let most = values.chunks(per).map(|chunk| of(chunk, f64::max)).collect();
        let least = values.chunks(per).map(|chunk| of(chunk, f64::min)).collect();
        Line { name, ink, width: width * per as f64, most, least: Some(least) }
    }
}

impl Measure {
    /// Its name for scripts.
    pub const fn id(self) -> &'static str {
        match self {
            Measure::Count => "count",
            Measure::Nanos => "ns",
            Measure::Millis => "ms",
            Measure::Share => "share",
        }
    }
}

/// Whole numbers without a fraction: most of them are, and `.0` would be a third of the room.
fn short<S: Serializer>(values: &[Option<f64>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.iter().map(|value| value.map(Number)))
}

fn short_too<S: Serializer>(
    values: &Option<Vec<Option<f64>>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    short(values.as_deref().unwrap_or_default(), serializer)
}

struct Number(f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let whole = self.0 as i64;
        if whole as f64 == self.0 {
            serializer.serialize_i64(whole)
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}

/// Four significant digits say what a reader can see, in a third of the room.
fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_windows_keep_their_least_and_greatest() {
        let mut values = vec![Some(5.0); 10_000];
        (values[4_321], values[7_000]) = (Some(9.0), Some(1.0));
        let line = Line::new("x", "p99", 1.0, &values);
        assert!(line.most.len() <= COLUMNS && line.most.contains(&Some(9.0)));
        assert!(line.least.expect("both").contains(&Some(1.0)));
    }
}
