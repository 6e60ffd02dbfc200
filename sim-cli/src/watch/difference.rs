//! Two runs side by side: each figure of both, and by how much they differ.

use maud::{Markup, html};
use sim_models::outcome::Outcome;
use sim_models::study::{Kind, Unit};

use crate::decision::{Cell, Column, Decision};
use crate::figure;
use crate::page::said;
use crate::words::NONE;

/// What each of two runs is called.
pub const NAMES: [&str; 2] = ["A", "B, pinned"];

/// The figures of a run and of the one that is pinned beside it.
pub fn table(own: &Outcome, pinned: &Outcome) -> Markup {
    let runs = NAMES.map(str::to_owned).into_iter().zip([own, pinned]);
    let decision = Decision::of_named_runs(runs);
    let [own, pinned] = &decision.rows[..] else { return html! {} };
    html! {
        div .wide {
            table .difference {
                thead { tr { th { "figure" } th { "A" } th { "B, pinned" } th { "A against B" } } }
                tbody {
                    @for n in decision.shown() {
                        @let (a, b) = (&own.cells[n], &pinned.cells[n]);
                        tr {
                            th { (said(&decision.columns[n].head)) }
                            td { (said(&a.said)) } td { (said(&b.said)) }
                            td { (change(&decision.columns[n], a, b)) }
                        }
                    }
                }
            }
        }
        p .quiet { "One seed proves no difference: `sim compare` runs many." }
    }
}

/// `+1.2 s (+40 %)`.
fn change(column: &Column, a: &Cell, b: &Cell) -> String {
    let (Some(own), Some(pinned)) = (a.value, b.value) else { return NONE.to_owned() };
    let change = own - pinned;
    if a.at_least || b.at_least {
        return "unknown: one of them is a bound".to_owned();
    }
    if a.said == b.said {
        return "same".to_owned();
    }
    if column.figure.kind == Kind::Broken {
        return "differs".to_owned();
    }
    let sign = if change < 0.0 { '−' } else { '+' };
    let size = figure::figure(column.figure.unit(), change.abs());
    match pinned {
        _ if column.figure.unit() == Unit::Share => {
            format!("{sign}{} points", figure::rounded(100.0 * change.abs(), 3))
        }
        0.0 => format!("{sign}{size}"),
        _ => {
            let share = figure::rounded(100.0 * (change / pinned).abs(), 2);
            format!("{sign}{size} ({sign}{share} %)")
        }
    }
}

#[cfg(test)]
mod tests {
    use sim_models::study::Figure;

    use super::*;
    use crate::samples;

    #[test]
    fn a_run_beside_itself_differs_in_nothing() {
        let outcome = samples::outage();
        let same = table(&outcome, &outcome).into_string();
        assert_eq!(same.matches("<tr><th>").count() - 1, same.matches("<td>same</td>").count());
    }

    #[test]
    fn figures_that_differ_say_by_how_much() {
        let column =
            |kind| Column { head: String::new(), figure: Figure::of_all(kind), silence: None };
        let cell =
            |value: f64| Cell { value: Some(value), said: value.to_string(), ..Cell::default() };
        let told = |kind, a: f64, b: f64| change(&column(kind), &cell(a), &cell(b));
        assert!(told(Kind::Goodput, 25.0, 50.0).ends_with("(−50 %)"));
        assert!(told(Kind::Goodput, 25.0, 50.0).starts_with("−25"));
        assert_eq!(told(Kind::Refusals, 7.0, 0.0), "+7");
        assert_eq!(told(Kind::Success, 0.25, 0.5), "−25 points");
        assert_eq!(told(Kind::Broken, 1.0, 0.0), "differs");
        let bound = Cell { at_least: true, ..cell(3.0) };
        assert!(change(&column(Kind::Goodput), &bound, &cell(1.0)).starts_with("unknown"));
        assert_eq!(change(&column(Kind::Goodput), &Cell::default(), &cell(1.0)), NONE);
    }
}
