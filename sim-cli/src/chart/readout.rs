//! What a timeline shows, as numbers: for pages that let a reader point, zoom and choose.

use std::collections::BTreeMap;

use serde::Serialize;
use sim_models::outcome::Outcome;
use sim_policies::breaker::StateName;

use super::numbers::Lines;
use super::stack::Panel;
use super::timeline::{end, panels};

/// More spans than that are not given; the picture draws what they are.
const SPANS_MAX: usize = 300;

/// Panels over one axis of virtual time, in seconds.
#[derive(Clone, Debug, Serialize)]
pub struct Readout {
    /// The end of the axis.
    pub end: f64,
    /// Panels of windows, from top to bottom.
    pub panels: Vec<Lines>,
    /// What struck, what broke, and what breakers did.
    pub spans: Vec<Span>,
}

/// Something that lasts.
#[derive(Clone, Debug, Serialize)]
pub struct Span {
    /// `fault`, `broken`, or the state of a breaker.
    pub kind: &'static str,
    /// What it is.
    pub label: String,
    /// From when until when, in seconds.
    pub from: f64,
    /// Its end.
    pub to: f64,
}

/// What the timeline of a run shows.
pub fn readout(outcome: &Outcome) -> Readout {
    let panels = panels(outcome).panels.into_iter();
    let lines = panels.filter_map(|panel| match panel {
        Panel::Lines(lines) => Some(lines.readout()),
        Panel::Shares(stack) => Some(stack.readout()),
        Panel::Strips(strips) => Some(strips.readout()),
        // What lasts is among the spans.
        Panel::Lanes(_) | Panel::Bands(_) => None,
    });
    Readout { end: end(outcome).as_secs_f64(), panels: lines.collect(), spans: spans(outcome) }
}

fn spans(outcome: &Outcome) -> Vec<Span> {
    let last = end(outcome).as_secs_f64();
    let span = |kind, label: String, from: f64, to: f64| {
        let (from, to) = (from.min(last), to.min(last));
        Span { kind, label, from, to }
    };
    let faults = crate::finding::disturbances(outcome)
        .into_iter()
        .map(|fault| span("fault", fault.label, fault.from.as_secs_f64(), fault.to.as_secs_f64()));
    let broken = outcome.invariants.iter().filter_map(|result| {
        let at = result.first.as_ref()?.at.as_secs_f64();
        Some(span("broken", format!("{} broken", result.name), at, at))
    });
    let mut spans: Vec<Span> = faults.chain(broken).collect();
    // Who is not closed, since when: a breaker that is says nothing.
    let mut since = BTreeMap::new();
    for transition in &outcome.transitions {
        let key = (&transition.policy, transition.instance);
        let at = transition.at.as_secs_f64();
        if let Some((from, class, label)) = since.remove(&key) {
            spans.push(span(class, label, from, at));
        }
        let class = match transition.to {
            StateName::Open | StateName::ForcedOpen => "open",
            StateName::HalfOpen => "halfopen",
            StateName::Closed | StateName::Disabled | StateName::MetricsOnly => continue,
        };
        since.insert(key, (at, class, format!("{}: {}", transition.breaker(), transition.to)));
    }
    spans.extend(since.into_values().map(|(from, class, label)| span(class, label, from, last)));
    spans.truncate(SPANS_MAX);
    spans
}

#[cfg(test)]
mod tests {
    use sim_models::outcome::{EndingSeries, HopEnding};

    use super::super::numbers::Line;
    use super::*;
    use crate::samples;

    #[test]
    fn what_scripts_draw_is_what_the_picture_shows() {
        let outcome = samples::outage();
        let shown = readout(&outcome);
        let rates = &shown.panels[0];
        let offered = rates.lines.iter().find(|line| line.name == "offered").expect("a line");
        assert_eq!(offered.most.len(), outcome.series.offered.len());
        let width = outcome.series.width.as_secs_f64();
        let most = outcome.series.offered.iter().max().copied().unwrap_or(0);
        let top = offered.most.iter().copied().flatten().fold(0.0, f64::max);
        assert_eq!(top, f64::from(most) / width);
        let kinds = |kind| shown.spans.iter().filter(|span| span.kind == kind).count();
        assert_eq!((kinds("fault"), kinds("broken"), kinds("open")), (1, 1, 1));
    }
    #[test]
    fn each_ending_is_in_a_layer() {
        let counts = [vec![3, 0, 5], vec![0, 2, 0]];
        let endings = [HopEnding::Status(200), HopEnding::TimedOut].into_iter().zip(counts);
        let mut outcome = samples::outage();
        outcome.series.endings =
            vec![EndingSeries { hop: "api->psp".to_owned(), endings: endings.collect() }];
        let shown = readout(&outcome);
        let stack = shown.panels.iter().find(|panel| panel.kind == "stack").expect("a stack");
        let sum = |line: &Line| line.most.iter().copied().flatten().sum::<f64>() * line.width;
        assert_eq!(stack.lines.iter().map(sum).collect::<Vec<_>>(), [8.0, 2.0]);
    }
}
