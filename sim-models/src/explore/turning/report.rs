//! What was found: how probable the violation was over the run, and where it was decided.

use sim_core::Time;

use crate::outcome::RunId;

/// The most rises that are told.
pub(super) const RISES_MAX: usize = 3;

/// How the probability of a violation went through a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Turning {
    /// The scenario's `name`.
    pub scenario: String,
    /// The variant, if not the scenario as it stands.
    pub variant: Option<String>,
    /// The run.
    pub run_id: RunId,
    /// The promise, as the scenario spells it.
    pub promise: String,
    /// The intent for which it is broken; `None` where it is about the whole run.
    pub intent: Option<String>,
    /// What shows that the run broke it.
    pub witness: String,
    /// How many continuations there were in all.
    pub continuations: u64,
    /// How many events they took.
    pub events: u64,
    /// There would have been more of them, had they not taken so many events: steps were left out, or
    /// their shares are less sure.
    pub is_cut: bool,
    /// From the beginning of the run to the violation, in order.
    pub points: Vec<Point>,
    /// Where it was decided.
    pub decided: Decided,
}

/// A step, and how many of the continuations that have other luck after it break the promise.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Its number; 0 is the beginning of the run.
    pub step: u64,
    /// When it happened.
    pub at: Time,
    /// What happened: `psp: charge-1; psp answers api`.
    pub what: String,
    /// The share of continuations that break the promise, from 0 to 1.
    pub share: f64,
    /// The ends of its interval of 95 %. What a limit ended may belong to either.
    pub low: f64,
    /// See `low`.
    pub high: f64,
    /// How many continuations there were.
    pub runs: u64,
    /// Those that broke it.
    pub broken: u64,
    /// Those that a limit ended before anybody could know.
    pub unknown: u64,
}

/// Where a violation was decided.
#[derive(Clone, Debug, PartialEq)]
pub enum Decided {
    /// Nowhere: whatever is drawn, the run is the same.
    NoLuck,
    /// From the beginning: hardly any luck averts it.
    Certain,
    /// In one step, for the most part.
    Turn(Turn),
    /// Step by step; the places of the points at which it rises most, the greatest rise first.
    Gradually(Vec<usize>),
}

/// The step from which on a violation could hardly be averted.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// The place of its point.
    pub point: usize,
    /// Whether the point before it is the step before it. Else the turn lies between the two.
    pub is_one_step: bool,
    /// What was drawn in it and decided: `whether a message is lost`. Empty where several draws did
    /// together, or where it is not known to be one step.
    pub drawn: Vec<String>,
}

impl Turning {
    /// The step that decided, if it was one.
    pub fn turn(&self) -> Option<&Turn> {
        match &self.decided {
            Decided::Turn(turn) => Some(turn),
            Decided::NoLuck | Decided::Certain | Decided::Gradually(_) => None,
        }
    }

    /// The point after which nothing else is known of a step: the last one that is not after it.
    pub fn point_of(&self, step: u64) -> usize {
        self.points.partition_point(|point| point.step <= step).saturating_sub(1)
    }

    /// What was found, in words.
    pub fn sentence(&self) -> String {
        let breaks = match &self.intent {
            Some(intent) => format!("break {} for {intent}", self.promise),
            None => format!("break {}", self.promise),
        };
        let told = |point: &Point| {
            let Point { low, high, .. } = point;
            format!("95 % interval {} to {}", percent(*low), percent(*high))
        };
        let first = &self.points[0];
        match &self.decided {
            Decided::NoLuck => "No luck is involved: whatever is drawn, the run is the same. Lengths that \
                 vary, such as Exponential(\"50ms\") in place of Const(\"50ms\"), or a loss would show \
                 more."
                .to_owned(),
            Decided::Certain => format!(
                "It was as good as certain from the beginning: with other luck from the first step \
                 on, {} of continuations {breaks} ({}).",
                percent(first.share),
                told(first)
            ),
            Decided::Turn(Turn { point, is_one_step, drawn }) => {
                let (before, after) = (&self.points[point - 1], &self.points[*point]);
                let since = match is_one_step {
                    true => "one step before".to_owned(),
                    false => format!("after step {}, {}", before.step, before.at),
                };
                let drawn = match drawn.is_empty() {
                    true => String::new(),
                    false => format!(" What that step drew made the difference: {}.", listed(drawn)),
                };
                format!(
                    "From step {} on ({}, {}), {} of continuations {breaks} ({}); {since} it was \
                     {}.{drawn}",
                    after.step,
                    after.at,
                    after.what,
                    percent(after.share),
                    told(after),
                    percent(before.share)
                )
            }
            Decided::Gradually(most) => {
                let one = |n: &usize| {
                    let [before, after] = [n - 1, *n].map(|n| percent(self.points[n].share));
                    let Point { step, at, what, .. } = &self.points[*n];
                    format!("from {before} to {after} at step {step} ({at}, {what})")
                };
                let most: Vec<String> = most.iter().map(one).collect();
                let most = match most.is_empty() {
                    true => String::new(),
                    false => format!("; most {}", listed(&most)),
                };
                let last = self.points.last().unwrap_or(first);
                let ends = [first, last].map(|point| percent(point.share));
                format!(
                    "No single step decides: the share of continuations that {breaks} is {} at the \
                     beginning and {} at the end{most}.",
                    ends[0], ends[1]
                )
            }
        }
    }
}

fn listed(all: &[String]) -> String {
    match all {
        [most @ .., last] if !most.is_empty() => format!("{} and {last}", most.join(", ")),
        _ => all.concat(),
    }
}

/// A share in percent. What is not quite all or nothing never reads as that.
fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    let is_exact = percent == 0.0 || percent == 100.0;
    match is_exact || (1.0..=99.0).contains(&percent) {
        true => format!("{percent:.0} %"),
        false => format!("{percent:.1} %"),
    }
}
