//! Panels of strips, one row each: how often something happened in each window of time. What should
//! not have happened hangs below the line, in the ink of violations.

use sim_models::outcome::{EffectSeries, Series};

use super::axis::Measure;
use super::canvas::{COLUMNS, Canvas, Drawn, Face, LABEL_SIZE, LEFT, RIGHT, WIDTH};
use super::ink::Ink;
use super::measure;
use super::numbers::{Line, Lines};
use crate::words;

/// Height of a row in px; above its line, and below it.
const ROW: f64 = 34.0;
const ABOVE: f64 = 18.0;
const BELOW: f64 = 10.0;

/// The least height of a bar, in px: what happened once is seen.
const LEAST: f64 = 2.5;

/// Rows beyond that are counted instead of drawn.
const ROWS_MAX: usize = 8;

/// Strips with labels.
pub struct StripPanel {
    what: &'static str,
    rows: Vec<Row>,
    omitted: usize,
    /// How long a window is, in seconds.
    width: f64,
}

struct Row {
    label: String,
    /// Of what should not have happened.
    bad: Option<String>,
    above: Vec<u32>,
    below: Vec<u32>,
}

/// The ledger: effects above the line, and below it those beyond an intent's first that nothing took
/// back. Who was given another's has a row of their own. One kind alone, of which each intent has
/// one, says nothing that goodput does not.
pub fn ledger(series: &Series) -> Option<StripPanel> {
    let total = |counts: &[u32]| counts.iter().map(|n| u64::from(*n)).sum::<u64>();
    let row = |effect: &EffectSeries| {
        let (count, twice) = (total(&effect.count), total(&effect.duplicated));
        let undone = match total(&effect.refunded) {
            0 => String::new(),
            n => format!(", {} undone", words::count(n)),
        };
        Row {
            label: format!("{} {}{undone}", words::count(count), effect.kind),
            bad: (twice > 0).then(|| format!("{} beyond the first", words::count(twice))),
            above: effect.count.clone(),
            below: effect.duplicated.clone(),
        }
    };
    let effects = series.effects.iter().filter(|effect| total(&effect.count) > 0);
    let merged = |effect: &EffectSeries| {
        let merged = total(&effect.merged);
        (merged > 0).then(|| Row {
            label: format!("{} shared", effect.kind),
            bad: Some(format!("{} got another's", words::counted(merged, "intent"))),
            above: Vec::new(),
            below: effect.merged.clone(),
        })
    };
    let rows = effects.flat_map(|effect| std::iter::once(row(effect)).chain(merged(effect)));
    let rows: Vec<Row> = rows.collect();
    let is_plain = |effect: &EffectSeries| {
        let bad = [&effect.duplicated, &effect.refunded, &effect.merged];
        bad.into_iter().all(|counts| total(counts) == 0)
    };
    if rows.len() < 2 && series.effects.iter().all(is_plain) {
        return None;
    }
    let title = "Ledger: effects in each window; below the line, those beyond an intent's first";
    StripPanel::new(title, series, rows)
}

/// When invariants were broken that were broken more than once: a single violation has its mark.
pub fn violations(series: &Series) -> Option<StripPanel> {
    let row = |(name, counts): &(String, Vec<u32>)| {
        let total = counts.iter().map(|n| u64::from(*n)).sum::<u64>();
        let bad = format!("{} times", words::count(total));
        let (label, below) = (name.clone(), counts.clone());
        (total > 1).then_some(Row { label, bad: Some(bad), above: Vec::new(), below })
    };
    StripPanel::new(
        "Violations in each window",
        series,
        series.violations.iter().filter_map(row).collect(),
    )
}

impl StripPanel {
    fn new(what: &'static str, series: &Series, mut rows: Vec<Row>) -> Option<StripPanel> {
        let omitted = rows.len().saturating_sub(ROWS_MAX);
        rows.truncate(ROWS_MAX);
        let width = series.width.as_secs_f64();
        (!rows.is_empty() && width > 0.0).then_some(StripPanel { what, rows, omitted, width })
    }

    /// What the panel shows, and how much of it is not drawn.
    pub fn title(&self) -> String {
        match self.omitted {
            0 => self.what.to_owned(),
            n => format!("{}; {n} more not drawn", self.what),
        }
    }

    /// Height in px.
    pub fn height(&self) -> f64 {
        self.rows.iter().map(Row::height).sum()
    }

    /// What it shows, as numbers: a row of bars for what stands above a line, and one for what hangs
    /// below it.
    pub fn readout(&self) -> Lines {
        let line = |name: &str, ink: Ink, counts: &[u32]| {
            let counts: Vec<Option<f64>> = counts.iter().map(|n| Some(f64::from(*n))).collect();
            Line::new(name, ink.class(), self.width, &counts)
        };
        let row = |row: &Row| {
            let above = (!row.above.is_empty()).then(|| line(&row.label, Ink::Tally, &row.above));
            let bad = row.bad.as_ref().map(|bad| format!("{}: {bad}", row.label));
            let below = bad.map(|bad| line(&bad, Ink::Broken, &row.below));
            above.into_iter().chain(below)
        };
        let lines = self.rows.iter().flat_map(row).collect();
        Lines { title: self.title(), kind: "bars", unit: Measure::Count.id(), lines }
    }

    /// Draws the panel with its upper edge at `top`.
    pub fn draw(&self, canvas: &Canvas, top: f64) -> Drawn {
        let mut y = top;
        for row in &self.rows {
            row.draw(canvas, y, self.width)?;
            y += row.height();
        }
        Ok(())
    }
}

impl Row {
    /// Without anything above it, the line is at the top.
    fn above(&self) -> f64 {
        if self.above.is_empty() { 2.0 } else { ABOVE }
    }

    fn height(&self) -> f64 {
        self.above() + ROW - ABOVE
    }

    fn draw(&self, canvas: &Canvas, top: f64, width: f64) -> Drawn {
        let line = top + self.above();
        bars(canvas, &self.above, width, |share| line - share * (ABOVE - 2.0), line, Ink::Tally)?;
        bars(canvas, &self.below, width, |share| line + share * BELOW, line, Ink::Broken)?;
        canvas.line((LEFT, line), (RIGHT, line), Ink::Axis)?;
        let x = RIGHT + 8.0;
        let room = WIDTH - 4.0 - x;
        let face = Face::new(LABEL_SIZE, Ink::Text).middle();
        match &self.bad {
            // Beside each other the two might not fit.
            Some(bad) => {
                let label = measure::clip(&self.label, LABEL_SIZE, room);
                canvas.text(label, x, top + self.above() - 6.0, face)?;
                canvas.rect(x..x + 7.0, line + 3.5..line + 11.5, Ink::Broken)?;
                let bad = measure::clip(bad, LABEL_SIZE, room - 12.0);
                canvas.text(bad, x + 12.0, line + 8.0, face)
            }
            None => canvas.text(
                measure::clip(&self.label, LABEL_SIZE, room),
                x,
                line - ABOVE / 2.0,
                face,
            ),
        }
    }
}

/// Bars from a line, each as long as its count is a share of the greatest.
fn bars(
    canvas: &Canvas,
    counts: &[u32],
    width: f64,
    tip: impl Fn(f64) -> f64,
    line: f64,
    ink: Ink,
) -> Drawn {
    let columns = counts.len().min(COLUMNS);
    let most = f64::from(counts.iter().copied().max().unwrap_or(0).max(1));
    for column in 0..columns {
        let window = column * counts.len() / columns..(column + 1) * counts.len() / columns;
        let count = counts[window.clone()].iter().copied().max().unwrap_or(0);
        if count == 0 {
            continue;
        }
        let [left, right] = [window.start, window.end].map(|n| canvas.x(n as f64 * width));
        // What happens in the last instant is seen as well.
        let left = left.min(RIGHT - 1.0);
        let right = (right - 0.4).max(left + 1.0);
        let end = tip(f64::from(count) / most);
        let end = if end < line { end.min(line - LEAST) } else { end.max(line + LEAST) };
        canvas.rect(left..right, end.min(line)..end.max(line), ink)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use sim_core::Span;

    use super::*;

    #[test]
    fn a_single_violation_has_no_strip_and_a_kind_that_never_happened_no_row() {
        let mut series = Series { width: Span::secs(1), ..Series::default() };
        series.violations = vec![("AllAnswered".to_owned(), vec![0, 1])];
        let kind = "charge".to_owned();
        series.effects = vec![EffectSeries { kind, count: vec![0, 0], ..EffectSeries::default() }];
        assert!(violations(&series).is_none() && ledger(&series).is_none());
        series.violations[0].1[0] = 1;
        series.effects[0].count[1] = 3;
        assert!(violations(&series).is_some() && ledger(&series).is_none());
        series.effects[0].duplicated = vec![0, 1];
        assert!(ledger(&series).is_some());
    }
}
