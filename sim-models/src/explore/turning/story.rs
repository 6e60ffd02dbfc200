//! What happened in a run, by step, in the words of its log.

use std::collections::{BTreeMap, BTreeSet};

use sim_core::Time;

use crate::lineage::{Way, What};
use crate::log::LogLine;
use crate::outcome::Outcome;
use crate::run::Traced;

use super::curve::Curve;
use super::field::Field;
use super::report::Point;

/// The most steps at which is looked first: those of the intent, evenly thinned.
const GRID: usize = 8;

/// The most lines of the story that say what happened at a step.
const LINES_MAX: usize = 3;

/// What happened in the run, by step.
pub(super) struct Story {
    /// The steps of the intent, from the last before it arose to the violation.
    own: Vec<u64>,
    said: BTreeMap<u64, Vec<String>>,
}

impl Story {
    /// Up to a step.
    pub(super) fn new(field: &Field<'_>, traced: &Traced, end: u64) -> Story {
        let intent = field.sought.intent.as_deref();
        let Traced { outcome, lineage, intents } = traced;
        let plan = field.search.scenario.plan();
        let begun = intent.and_then(|intent| field.start().until_begun(intent));
        let first = begun.map_or(0, |step| step.saturating_sub(1));
        let mut own = BTreeSet::from([0, first, end]);
        let mut said: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        let mut say = |step: u64, what: String| {
            let all = said.entry(step).or_default();
            if !all.contains(&what) {
                all.push(what);
            }
            own.insert(step);
        };
        let is_told = |step: u64| (first..=end).contains(&step);
        let is_own = |line: &&LogLine| {
            is_told(line.step) && (intent.is_none() || line.intent.as_deref() == intent)
        };
        let mut lost = BTreeSet::new();
        for line in outcome.log.iter().filter(is_own) {
            say(line.step, line_of(line));
            if line.what.ends_with(" lost") {
                lost.insert(line.step);
            }
        }
        let mut names: BTreeMap<u32, bool> = BTreeMap::new();
        for moment in lineage.moments().iter().filter(|moment| is_told(moment.step)) {
            let name = || intents.name(plan, moment.intent);
            let is_of = |name: String| intent.is_none_or(|intent| name == intent);
            let is_own = *names.entry(moment.intent).or_insert_with(|| is_of(name()));
            // What is lost was sent.
            if let What::Sent { from, to, way } = moment.what
                && is_own
                && !lost.contains(&moment.step)
            {
                let verb = match way {
                    Way::Request => "asks",
                    Way::Answer => "answers",
                };
                say(
                    moment.step,
                    format!("{} {verb} {}", plan.actor_name(from), plan.actor_name(to)),
                );
            }
        }
        Story { own: own.into_iter().collect(), said }
    }

    /// The step by which all is known.
    pub(super) fn end(&self) -> u64 {
        *self.own.last().expect("the beginning is a step")
    }

    /// A few of the steps, evenly.
    pub(super) fn grid(&self) -> impl Iterator<Item = u64> {
        let last = self.own.len() - 1;
        let count = last.min(GRID);
        (0..=count).map(move |n| self.own[n * last / count.max(1)])
    }

    /// A step between two others, halfway among those of the intent, or of all.
    pub(super) fn between(&self, from: u64, to: u64) -> u64 {
        let own = &self.own[self.own.partition_point(|step| *step <= from)..];
        let own = &own[..own.partition_point(|step| *step < to)];
        own.get(own.len() / 2).copied().unwrap_or(from + (to - from) / 2)
    }

    /// The points of a curve, with what happened at each.
    pub(super) fn told(&self, field: &Field<'_>, curve: &Curve, outcome: &Outcome) -> Vec<Point> {
        let mut run = field.start();
        let points = curve.0.iter().map(|(step, tally)| {
            let line = step.checked_sub(1).and_then(|before| {
                run.advance(before);
                run.step()
            });
            let at = line.as_ref().map_or(Time::ZERO, |line| line.at);
            let others = || {
                let lines = outcome.log.iter().filter(|line| line.step == *step);
                lines.take(LINES_MAX).map(line_of_another).collect::<Vec<_>>()
            };
            let said = self.said.get(step).cloned().unwrap_or_else(others);
            let event = line.map(|line| self::event(&line.what, field.sought.intent.as_deref()));
            let event = event.unwrap_or_else(|| "the beginning".to_owned());
            let (low, high) = tally.interval();
            Point {
                step: *step,
                at,
                what: if said.is_empty() { event } else { said.join("; ") },
                share: tally.share(),
                low,
                high,
                runs: tally.whole,
                broken: tally.broken,
                unknown: tally.unknown,
            }
        });
        points.collect()
    }
}

/// What a step was, for a story of one intent: `request api->psp attempt 1 arrives`.
fn event(what: &str, intent: Option<&str>) -> String {
    let own = intent.and_then(|intent| what.strip_suffix(intent)?.strip_suffix(" for "));
    let is_message = ["request ", "answer "].iter().any(|kind| what.starts_with(kind));
    format!("{}{}", own.unwrap_or(what), if is_message { " arrives" } else { "" })
}

/// The same for a story of somebody else, who is named.
fn line_of_another(line: &LogLine) -> String {
    let whose = line.intent.as_ref().map(|intent| format!(" ({intent})"));
    line_of(line) + &whose.unwrap_or_default()
}

fn line_of(line: &LogLine) -> String {
    format!("{}: {}", line.who, line.what)
}
