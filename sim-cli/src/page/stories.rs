//! How each promise broke, step by step, and what took longest.

use maud::{Markup, PreEscaped, html};
use sim_models::outcome::{InvariantResult, InvariantVerdict};

use super::{Part, Room, Side, Story, said};
use crate::text::plain;
use crate::{story, words};

/// Every invariant of a side: how each that broke did first, then those that did not. `id` is the
/// side's.
pub fn invariants(side: &Side, id: &str, room: Room) -> Markup {
    let outcome = &side.outcome;
    let all = || outcome.invariants.iter().enumerate();
    let broke = |result: &InvariantResult| result.verdict == InvariantVerdict::Violated;
    html! {
        @if outcome.invariants.is_empty() { p { "No invariant is stated." } }
        @for (place, result) in all().filter(|(_, result)| broke(result)) {
            div .invariant id={ (id) "-i" (place) } {
                (line(result))
                @if let Some(first) = &result.first {
                    p .witness { (said(&first.witness)) }
                    pre .story {
                        @for line in story::lines(outcome, first) {
                            @if line.breaks { mark { "> " (said(&line.text)) } }
                            @else { "  " (said(&line.text)) }
                            "\n"
                        }
                    }
                    @for (n, story) in side.stories.iter().enumerate() {
                        @if story.breaks == Some(place) { (diagram(story, &format!("{id}-q{n}"), room)) }
                    }
                }
            }
        }
        ul .held {
            @for (place, result) in all().filter(|(_, result)| !broke(result)) {
                li id={ (id) "-i" (place) } { (line(result)) }
            }
        }
    }
}

fn line(result: &InvariantResult) -> Markup {
    html! {
        p {
            strong .mark .(result.verdict.name()) { (result.verdict.to_string()) }
            " " code { (said(&result.name)) } (note(result))
        }
    }
}

/// The diagrams of what took longest.
pub fn slowest(side: &Side, id: &str, room: Room) -> Markup {
    html! {
        @for (n, story) in side.stories.iter().enumerate() {
            @if story.breaks.is_none() && room.has(Part::Slowest) {
                (diagram(story, &format!("{id}-q{n}"), room))
            }
        }
    }
}

fn note(result: &InvariantResult) -> String {
    let known = match (result.known, result.verdict) {
        (false, _) => "",
        (true, InvariantVerdict::Violated) => "; known: this scenario is here to show it",
        (true, _) => "; yet this scenario is here to show it broken",
    };
    let times = match (&result.first, result.verdict) {
        (Some(first), _) => {
            format!("; {}, first at {}", words::counted(result.violations, "violation"), first.at)
        }
        (None, InvariantVerdict::Vacuous) => "; nothing in this run exercised it".to_owned(),
        (None, _) => String::new(),
    };
    times + known
}

fn diagram(story: &Story, id: &str, room: Room) -> Markup {
    html! {
        @match &story.picture {
            Ok(picture) if room.has(Part::Sequences) => {
                details .diagram {
                    summary { "Sequence diagram: " (said(&story.title)) }
                    div .wide { (PreEscaped(picture.inline(id))) }
                    p .repeat { code { (plain(&story.repeat)) } }
                }
            }
            Ok(_) => { p .repeat { "Sequence diagram: " code { (plain(&story.repeat)) } } }
            Err(why) => { p .quiet { (said(why)) } }
        }
    }
}
