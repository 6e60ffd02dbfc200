//! The decision table of a chapter: what each variant keeps, serves and costs. Verdicts stand above it.

use maud::{Markup, html};

use super::said;
use crate::decision::{Cell, Decision, text};

/// The table, what it leaves out, and what its words mean.
pub fn table(decision: &Decision) -> Markup {
    let shown = decision.shown();
    html! {
        div .wide {
            table .decision {
                thead { tr {
                    th { "variant" }
                    @for n in &shown { th { (said(&decision.columns[*n].head)) } }
                } }
                tbody {
                    @for (n, row) in decision.rows.iter().enumerate() {
                        tr {
                            th { (said(&row.label(n))) }
                            @for n in &shown { td { (answer(&row.cells[*n])) } }
                        }
                    }
                }
            }
        }
        @for (silence, heads) in decision.left_out() {
            p .quiet { (text::label(silence)) ": " (said(&heads.join("; "))) }
        }
        @if let Some(legend) = text::legend(decision) { p .quiet { (said(&legend)) } }
    }
}

/// The mark, the value, and the interval below it.
fn answer(cell: &Cell) -> Markup {
    html! {
        @if let Some(mark) = cell.mark {
            strong .mark .{ "is-" (mark.id()) } { (mark.to_string()) } " "
        }
        (together(&cell.said))
        @if let Some(range) = &cell.range { br; span .quiet { (with_unit(range)) } }
    }
}

/// A figure on one line.
fn together(text: &str) -> String {
    said(text).replace(' ', "\u{a0}")
}

/// An interval, whose last number keeps its unit.
fn with_unit(text: &str) -> String {
    let text = said(text);
    match text.rsplit_once(' ') {
        Some((numbers, unit)) => format!("{numbers}\u{a0}{unit}"),
        None => text,
    }
}
