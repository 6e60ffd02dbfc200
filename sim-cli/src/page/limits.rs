//! What the model assumes, and what this page cannot say.

use maud::{Markup, html};
use sim_models::outcome::{InvariantVerdict, Outcome};

use super::{Chapter, Room, said};
use crate::words;

/// What holds of every run.
const ALWAYS: [&str; 5] = [
    "A run is a model. It shows what follows from the scenario, and nothing about a system that is \
     not in it.",
    "Time is virtual. Work takes as long as the scenario says; decisions of policies and programs \
     take none.",
    "Networks lose, delay, double and cut messages as links and faults say, and do nothing else.",
    "Luck is drawn from the seed. Variants of one seed meet the same arrivals, lengths and losses.",
    "One seed is one possible day. How often something happens is told by many seeds only.",
];

/// The limits of a chapter's runs.
pub fn limits(chapter: &Chapter, room: Room) -> Markup {
    let of_runs = chapter.sides.iter().flat_map(|side| {
        let name = if chapter.sides.len() > 1 { format!("{}: ", side.name) } else { String::new() };
        let own = of(&side.outcome).into_iter().chain(side.warnings.iter().cloned());
        own.map(move |limit| format!("{name}{limit}"))
    });
    let mut told: Vec<String> = Vec::new();
    for limit in of_runs {
        if !told.contains(&limit) {
            told.push(limit);
        }
    }
    let left_out = room.left_out().iter().map(|part| part.name());
    html! {
        ul {
            @for limit in ALWAYS { li { (limit) } }
            @for limit in told { li { (said(&limit)) } }
            @for part in left_out { li { "Left out for lack of room: " (part) "." } }
        }
    }
}

/// What a run could not show.
fn of(outcome: &Outcome) -> Vec<String> {
    let mut limits = Vec::new();
    let vacuous = outcome.invariants.iter().filter(|i| i.verdict == InvariantVerdict::Vacuous);
    limits.extend(vacuous.map(|i| format!("Nothing in this run exercised {}.", i.name)));
    if outcome.invariants.is_empty() {
        limits.push("The scenario states no invariant, so that nothing was checked.".to_owned());
    }
    limits.extend(outcome.faults_missed.iter().map(|missed| format!("No strike: {missed}.")));
    limits.extend(outcome.limit.iter().map(|limit| format!("A limit ended the run: {limit}.")));
    if !outcome.warmup.is_zero() {
        limits.push(format!("Measuring begins at {}, after the warm-up.", outcome.warmup));
    }
    let horizon = outcome.ended_at;
    limits.push(format!("Measuring ends at {horizon}; what comes later is not seen."));
    limits.extend(crate::finding::unanswered(outcome).map(|said| format!("{said}.")));
    if outcome.log_omitted > 0 {
        let lines = words::count(outcome.log_omitted);
        limits.push(format!("The log has {lines} more lines than are kept."));
    }
    limits
}
