//! What happened over time, in a few lines of blocks.

use sim_core::{Span, Time};
use sim_models::outcome::Outcome;

use super::View;
use crate::text::Table;
use crate::words;

/// The most steps of a line; more are hard to take in.
const STEPS_MAX: usize = 60;

/// What stands beside a line: its name, the least and the most.
const BESIDE: usize = 36;

/// Goodput, the tail of successes, who was told nothing, and when faults struck.
///
/// Goodput is a mean over each step; of several tails in a step the longest is shown.
pub(super) fn table(outcome: &Outcome, view: &View) -> Option<Table> {
    let series = &outcome.series;
    let end = measured_end(outcome);
    let windows = end.as_nanos().div_ceil(series.width.as_nanos().max(1)) as usize;
    let windows = windows.min(series.len());
    let room = view.style.columns.saturating_sub(BESIDE).clamp(8, STEPS_MAX);
    let steps = windows.div_ceil(windows.div_ceil(room).max(1));
    if steps < 2 {
        return None;
    }
    let line = Line { windows, per: windows.div_ceil(steps), width: series.width, view };
    let mut rows = vec![line.rate("goodput", &series.goodput), line.tail(&series.latency_p99)];
    let open: Vec<u32> = (0..windows)
        .map(|n| series.clients.iter().filter_map(|client| client.unanswered.get(n)).sum())
        .collect();
    if open.iter().any(|open| *open > 0) {
        rows.push(line.rate("unanswered", &open));
    }
    if !outcome.faults.is_empty() {
        rows.push(line.faults(outcome));
    }
    let step = words::duration(series.width * line.per as u64);
    let axis = format!("0s to {end}, {step} a step");
    Some(Table::new(["Over time", &axis, "least", "most"], rows).words(1))
}

/// The end of what is measured; what follows is waiting for who is still there.
fn measured_end(outcome: &Outcome) -> Span {
    let measured = outcome.measured.first().map_or(Span::ZERO, |measured| measured.length);
    let whole = outcome.ended_at.since(Time::ZERO);
    if measured.is_zero() { whole } else { whole.min(outcome.warmup + measured) }
}

/// How windows become steps.
struct Line<'a> {
    windows: usize,
    /// Windows of a step.
    per: usize,
    width: Span,
    view: &'a View,
}

impl Line<'_> {
    /// Counts as a rate.
    fn rate(&self, name: &str, counts: &[u32]) -> Vec<String> {
        let counts = &counts[..self.windows.min(counts.len())];
        let rate = |counts: &[u32]| {
            let count: u64 = counts.iter().map(|count| u64::from(*count)).sum();
            Some(count as f64 / (self.width * counts.len() as u64).as_secs_f64())
        };
        self.row(name, counts.chunks(self.per).map(rate).collect(), &words::per_second)
    }

    /// The longest of each step.
    fn tail(&self, tails: &[Option<Span>]) -> Vec<String> {
        let tails = &tails[..self.windows.min(tails.len())];
        let longest = |tails: &[Option<Span>]| Some(tails.iter().flatten().max()?.as_secs_f64());
        let said = |seconds| words::duration(Span::from_secs_f64(seconds));
        self.row("p99", tails.chunks(self.per).map(longest).collect(), &said)
    }

    fn row(
        &self,
        name: &str,
        steps: Vec<Option<f64>>,
        said: &dyn Fn(f64) -> String,
    ) -> Vec<String> {
        let values = || steps.iter().flatten().copied();
        let most = values().fold(0.0, f64::max);
        let least = values().reduce(f64::min);
        let blocks: String = steps.iter().map(|step| self.block(*step, most)).collect();
        let said = |value: Option<f64>| value.map_or_else(|| words::NONE.to_owned(), said);
        vec![name.to_owned(), blocks, said(least), said(values().reduce(f64::max))]
    }

    /// Nothing, and zero, is an empty place.
    fn block(&self, value: Option<f64>, most: f64) -> char {
        let blocks = &self.view.style.blocks;
        match value.filter(|value| *value > 0.0) {
            Some(value) => {
                let height = (value / most * blocks.len() as f64).ceil() as usize;
                blocks[height.clamp(1, blocks.len()) - 1]
            }
            None => ' ',
        }
    }

    fn faults(&self, outcome: &Outcome) -> Vec<String> {
        let step = self.width * self.per as u64;
        let strikes = |n: usize| {
            let (from, to) = (Time::ZERO + step * n as u64, Time::ZERO + step * (n as u64 + 1));
            outcome
                .faults
                .iter()
                .any(|fault| fault.from < to && from < fault.to.max(fault.from + Span::nanos(1)))
        };
        let mark = |n| if strikes(n) { self.view.style.bar } else { ' ' };
        let marks: String = (0..self.windows.div_ceil(self.per)).map(mark).collect();
        vec!["faults".to_owned(), marks, String::new(), String::new()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Depth;
    use crate::samples;
    use crate::text::Style;

    #[test]
    fn a_dip_and_a_fault_are_seen_where_they_are() {
        let mut outcome = samples::outage();
        outcome.series.width = Span::secs(20);
        outcome.series.goodput = vec![80, 80, 0, 10, 40, 80];
        let tails = [Some(1), Some(1), None, Some(8), Some(2), Some(1)];
        outcome.series.latency_p99 = tails.map(|tail| tail.map(Span::secs)).to_vec();
        outcome.series.offered = vec![80; 6];
        let view = View { style: Style::plain(), depth: Depth::Screen };
        let text = table(&outcome, &view).expect("a table").text(&view.style);
        let lines: Vec<&str> = text.lines().skip(3).map(|line| line.trim_end()).collect();
        assert_eq!(lines[0].split_whitespace().nth(1), Some("██"), "{text}");
        assert!(lines[0].contains("██ ▁▄█") && lines[0].ends_with("4.0/s"), "{text}");
        assert!(lines[1].contains("▁▁ █▂▁") && lines[1].ends_with("8 s"), "{text}");
        // From 30 s to 50 s.
        assert!(lines.last().is_some_and(|line| line.ends_with("faults       ━━")), "{text}");
    }
}
