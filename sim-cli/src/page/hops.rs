//! Every hop in figures, with its policies as they were written.

use maud::{Markup, html};
use sim_core::Span;
use sim_models::outcome::{CallSummary, Latency};

use super::{Chapter, said};
use crate::{chart, figure, words};

/// The hops of a side of a chapter; `n` and `number` are theirs.
pub fn hops(chapter: &Chapter, n: usize, number: usize) -> Markup {
    let side = &chapter.sides[number];
    let calls: Vec<&CallSummary> = side.outcome.calls.iter().collect();
    html! {
        @if !calls.is_empty() {
            div .wide {
                table .hops {
                    thead { tr {
                        th { "hop" } th { "attempts" } th { "p99" } th { "p99, failed" }
                        th { "not ok" } th { "refused" } th { "policies, outermost first" }
                    } }
                    tbody { @for call in calls { (row(chapter, n, number, call)) } }
                }
            }
        }
    }
}

fn row(chapter: &Chapter, n: usize, number: usize, call: &CallSummary) -> Markup {
    let side = &chapter.sides[number];
    let outcome = &side.outcome;
    let load = chart::load(outcome, &call.from, &call.to);
    let load =
        load.map_or(words::NONE.to_owned(), |load| format!("{}/s", figure::rounded(load, 3)));
    let latencies = outcome.measured.first();
    let latencies = latencies.and_then(|m| m.latencies_of(&format!("{}->{}", call.from, call.to)));
    let p99 = |latency: Option<Latency>| match latency {
        Some(latency) => {
            let at: Span = latency.p99;
            figure::bound(latency.is_bound(at), words::duration(at))
        }
        None => words::NONE.to_owned(),
    };
    let failing = chart::failing(call).map_or(words::NONE.to_owned(), figure::share);
    let stacks = side.anatomy.stacks.iter();
    let stacks = stacks.filter(|stack| stack.from == call.from && stack.to == call.to);
    html! {
        tr {
            th { (said(&call.from)) " → " (said(&call.to)) }
            td { (load) }
            td { (p99(latencies.and_then(|latencies| latencies.of_success()))) }
            td { (p99(latencies.and_then(|latencies| latencies.of_failure()))) }
            td { (failing) }
            td { (words::count(chart::refused(call))) }
            td {
                @for layer in stacks.flat_map(|stack| &stack.layers) {
                    @let text = one_line(&layer.spot.text);
                    @if layer.spot.label == chapter.label {
                        a href={ "#c" (n) "-L" (layer.spot.line) } { code { (text) } } " "
                    } @else { code { (text) } " " }
                }
            }
        }
    }
}

/// A policy as it was written, without its comments, on one line.
fn one_line(text: &str) -> String {
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    let words: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
    said(&words.join(" "))
}
