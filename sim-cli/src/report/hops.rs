//! The tables of hops: calls, how their attempts ended, and what policies refused.

use sim_models::outcome::{CallSummary, HopEnding, Outcome};

use super::grid::Grid;
use super::row;
use crate::text::Table;
use crate::{finding, words};

/// A column's head, and its figure for a hop.
type Column = (&'static str, fn(&CallSummary) -> u64);

/// The figures of a hop, in the order in which calls turn into endings.
const CALL_COLUMNS: [Column; 10] = [
    ("calls", |call| call.calls),
    ("attempts", |call| call.attempts),
    ("retries", |call| call.retries),
    ("success", |call| call.success),
    ("failed", |call| call.failed),
    ("unknown", |call| call.unknown),
    ("abandoned", |call| call.abandoned),
    ("fallbacks", |call| call.fallbacks),
    ("hedges", |call| call.hedges),
    ("unsafe retries", |call| call.unsafe_retries),
];

/// What was called over each hop.
pub(super) fn calls(outcome: &Outcome) -> Grid {
    let header = std::iter::once("Calls").chain(CALL_COLUMNS.map(|(head, _)| head));
    let figures = |call| CALL_COLUMNS.into_iter().map(move |(_, of)| words::count(of(call)));
    let rows = outcome.calls.iter().map(|call| row(&hop(call), figures(call)));
    Grid::new(header, rows.collect()).telling_rows().spare(&["success", "calls"])
}

/// How the attempts over each hop ended, if any of them did not end in success. A hop where all
/// did is left out.
pub(super) fn endings(outcome: &Outcome) -> Grid {
    let is_bad = |call: &&CallSummary| call.endings.iter().any(|(e, _)| !e.is_success());
    let hops: Vec<&CallSummary> = outcome.calls.iter().filter(is_bad).collect();
    let mut columns: Vec<HopEnding> = Vec::new();
    columns.extend(hops.iter().flat_map(|call| &call.endings).map(|(ending, _)| *ending));
    columns.sort_unstable();
    columns.dedup();
    let of = |call: &CallSummary, column: &HopEnding| {
        let found = call.endings.iter().find(|(ending, _)| ending == column);
        words::count(found.map_or(0, |(_, count)| *count))
    };
    let rows = hops.iter().map(|call| row(&hop(call), columns.iter().map(|c| of(call, c))));
    Grid::new(row("Endings", columns.iter().map(HopEnding::to_string)), rows.collect())
}

/// What was not sent, or not sent again, and why.
pub(super) fn refusals(outcome: &Outcome) -> Option<Table> {
    let mut rows = Vec::new();
    for call in &outcome.calls {
        for (what, reasons) in [("rejected", &call.rejected), ("gave up", &call.given_up)] {
            for (reason, n) in reasons.iter().filter(|(_, n)| *n > 0) {
                let mut why = format!("{what}: {}", reason.replace('_', " "));
                if let Some(instead) = finding::without_guard(reason) {
                    why = format!("{why}; {instead}");
                }
                rows.push(row(&hop(call), [words::count(*n), why]));
            }
        }
    }
    let header = ["Policy refusals", "count", "why"];
    (!rows.is_empty()).then(|| Table::new(header, rows).words(2))
}

fn hop(call: &CallSummary) -> String {
    format!("{} -> {}", call.from, call.to)
}
