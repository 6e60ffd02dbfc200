//! The timeline of a run as one SVG.

use sim_core::Time;
use sim_models::outcome::{ActorKind, Outcome};

use super::canvas::Canvas;
use super::picture::Picture;
use super::sheet::Sheet;
use super::stack::{Panel, Stack};
use super::{bands, lanes, lines, resources, shares, strips};
use crate::{finding, words};

/// The timeline of a run. Over one axis of virtual time it shows load, result, latency, clients,
/// endings, queues, busy workers, wasted work, amplification, resources,
/// breakers, ledger, faults and violations.
/// `repeat` is the command that repeats the run; it stands in the corner together with the run's id.
pub fn timeline(outcome: &Outcome, repeat: &str) -> Picture {
    let stack = panels(outcome);
    let identity = format!("{} · digest {:016x}", outcome.run_id, outcome.digest);
    let ended = format!("{} steps, ended at {}", words::count(outcome.steps), outcome.ended_at);
    let evidence = finding::beside_title(outcome);
    let mut sheet = Sheet::new(format!("sim-{:016x}", outcome.digest), &finding::title(outcome))
        .evidence(&evidence)
        .subject(&subtitle(outcome))
        .corner(&format!("{identity} · {ended}"))
        .corner(&format!("repeat: {repeat}"))
        .describe(&format!(
            "{} {evidence}. Panels over {} of virtual time: {}.",
            subtitle(outcome),
            stack.end,
            stack.titles()
        ));
    if !outcome.hypothesis.is_empty() {
        sheet = sheet.remark(&format!("Expected: {}", outcome.hypothesis));
    }
    let end = stack.end.as_secs_f64();
    sheet.picture(stack.height(), end, |canvas, top| stack.draw(canvas, top))
}

pub fn panels(outcome: &Outcome) -> Stack {
    let end = end(outcome);
    // Lanes need to know where times lie before the sheet's height is known.
    let sheet = &mut String::new();
    let canvas = Canvas::new(sheet, 0.0, end.as_secs_f64());
    let series = &outcome.series;
    let timed = (!series.width.is_zero()).then_some(series);
    let endings = timed.map(shares::endings).unwrap_or_default();
    let before = [
        lanes::faults(&finding::disturbances(outcome), &canvas).map(Panel::Lanes),
        outcome.recovery.as_ref().and_then(|r| lanes::recovery(r, &canvas)).map(Panel::Lanes),
        timed.and_then(lines::rates).map(Panel::Lines),
        timed.and_then(lines::goodput_of_clients).map(Panel::Lines),
        timed.and_then(lines::latencies).map(Panel::Lines),
        timed.and_then(lines::tails_of_clients).map(Panel::Lines),
    ];
    let after = [
        timed.and_then(lines::queues).map(Panel::Lines),
        timed.and_then(lines::busy).map(Panel::Lines),
        timed.and_then(lines::wasted).map(Panel::Lines),
        timed.and_then(lines::amplification).map(Panel::Lines),
        timed.and_then(|series| lines::end_to_end(series, &far(outcome))).map(Panel::Lines),
    ];
    let resources = timed.map_or_else(Vec::new, |_| resources::panels(outcome));
    let last = [
        bands::breakers(&outcome.transitions).map(Panel::Bands),
        timed.and_then(strips::ledger).map(Panel::Strips),
        timed.and_then(strips::violations).map(Panel::Strips),
        lanes::broken(&outcome.invariants, &canvas).map(Panel::Lanes),
    ];
    let endings = endings.into_iter().map(Panel::Shares);
    let panels = before.into_iter().flatten().chain(endings).chain(after.into_iter().flatten());
    let panels = panels.chain(resources.into_iter().map(Panel::Lines));
    let panels = panels.chain(last.into_iter().flatten());
    Stack { end, panels: panels.collect() }
}

/// The services behind others: what a user's decision costs there, no single hop tells.
fn far(outcome: &Outcome) -> Vec<&str> {
    let kind = |name: &str| outcome.actor(name).map(|actor| &actor.kind);
    let is_far = |name: &str| {
        let mut callers = outcome.calls.iter().filter(|call| call.to == name);
        callers.any(|call| kind(&call.from) != Some(&ActorKind::Client))
    };
    let services = outcome.actors_of(ActorKind::Service).map(|actor| &actor.name[..]);
    services.filter(|name| is_far(name)).collect()
}

/// The end of the time axis: that of the run, or of what is known if the run had none.
pub fn end(outcome: &Outcome) -> Time {
    let series = &outcome.series;
    let mut end = Time::ZERO + series.width * series.len() as u64;
    if outcome.ended_at < Time::MAX {
        end = if outcome.ended_at > Time::ZERO { outcome.ended_at } else { end };
    } else {
        let faults = outcome.faults.iter().flat_map(|fault| [fault.from, fault.to]);
        let transitions = outcome.transitions.iter().map(|transition| transition.at);
        let violations =
            outcome.invariants.iter().filter_map(|result| Some(result.first.as_ref()?.at));
        let known = faults.chain(transitions).chain(violations).filter(|at| *at < Time::MAX);
        end = end.max(known.max().unwrap_or(Time::ZERO));
    }
    // An axis needs a length, even where no time has passed.
    if end == Time::ZERO { Time::from_nanos(1_000_000_000) } else { end }
}

fn subtitle(outcome: &Outcome) -> String {
    let variant = match &outcome.variant {
        Some(variant) => format!(", variant “{variant}”"),
        None => String::new(),
    };
    let about = if outcome.about.is_empty() { "" } else { &format!(" {}", outcome.about) };
    format!("{}{variant}: {}.{about}", outcome.scenario, outcome.verdict)
}
