//! The probability of a violation over a run, and where it rises.

use std::collections::BTreeMap;

use super::field::{Field, From, Tally};
use super::report::{Decided, RISES_MAX, Turn};
use super::story::Story;

/// The most steps at which is looked in all. A thousand steps between two of the first are ten
/// halvings: so many find a rise or two.
const POINTS_MAX: usize = 40;

/// A smaller rise is not followed.
const RISE_LEAST: f64 = 0.1;

/// A turn is at least so much of all that was undecided.
const DECIDES: f64 = 0.5;

/// Where so many continuations break the promise from the first, it is as good as certain.
const CERTAIN: f64 = 0.95;

/// How many continuations broke the promise, by the step after which they had other luck.
pub(super) struct Curve(pub(super) BTreeMap<u64, Tally>);

/// Two steps between which no other was looked at, and by how much the least probability of all
/// later ones rises from one to the other.
#[derive(Clone, Copy, Debug)]
struct Rise {
    from: u64,
    to: u64,
    by: f64,
}

impl Curve {
    /// The beginning, the end, and what can be looked at between them.
    pub(super) fn new(field: &mut Field<'_>, story: &Story) -> Curve {
        let mut curve = Curve(BTreeMap::from([(story.end(), Tally::over(field.most))]));
        for step in story.grid() {
            curve.look(field, step);
        }
        curve
    }

    /// Looks at a step a few times, unless it was looked at; whether it could.
    fn look(&mut self, field: &mut Field<'_>, step: u64) -> bool {
        let mut tally = self.0.get(&step).copied().unwrap_or_default();
        let could = field.look(From::After(step), &mut tally, field.few);
        if could {
            self.0.insert(step, tally);
        }
        could
    }

    /// Looks between two steps where the probability rises, until the rise is that of one step.
    pub(super) fn refine(&mut self, field: &mut Field<'_>, story: &Story) {
        while self.0.len() < POINTS_MAX {
            let rises = self.rises().into_iter();
            let wide = rises.filter(|rise| rise.to - rise.from > 1 && rise.by >= RISE_LEAST);
            let Some(rise) = wide.reduce(greater) else { break };
            if !self.look(field, story.between(rise.from, rise.to)) {
                break;
            }
        }
    }

    /// Looks more often where it matters, and everywhere if that is easy: twice as often, and again.
    pub(super) fn sharpen(&mut self, field: &mut Field<'_>) {
        let mut least = self.0.iter().map(|(step, tally)| (tally.broken, *step));
        let mut steps: Vec<u64> = self.0.keys().take(1).copied().collect();
        steps.extend(least.by_ref().min().map(|(_, step)| step));
        for rise in self.greatest() {
            steps.extend([rise.from, rise.to]);
        }
        self.more(field, &steps, |_| true);
        let all: Vec<u64> = self.0.keys().copied().collect();
        self.more(field, &all, |field| field.is_easy());
    }

    fn more(&mut self, field: &mut Field<'_>, steps: &[u64], goes_on: impl Fn(&Field<'_>) -> bool) {
        let mut until = field.few;
        while until < field.most {
            until = (until * 2).min(field.most);
            for step in steps {
                let tally = self.0.get_mut(step).expect("it was looked at");
                if !goes_on(field) || !field.look(From::After(*step), tally, until) {
                    return;
                }
            }
        }
    }

    /// The greatest rises, the greatest first.
    fn greatest(&self) -> Vec<Rise> {
        let mut most: Vec<Rise> =
            self.rises().into_iter().filter(|rise| rise.by >= RISE_LEAST).collect();
        most.sort_by(|a, b| b.by.total_cmp(&a.by));
        most.truncate(RISES_MAX);
        most
    }

    /// By how much what is left of the story becomes more certain from step to step. A probability
    /// that falls again later decided nothing.
    fn rises(&self) -> Vec<Rise> {
        let mut rises = Vec::new();
        let mut later = 1.0;
        let mut after = None;
        for (step, tally) in self.0.iter().rev() {
            let least = tally.share().min(later);
            if let Some(to) = after {
                rises.push(Rise { from: *step, to, by: later - least });
            }
            (after, later) = (Some(*step), least);
        }
        rises.reverse();
        rises
    }

    pub(super) fn decided(&self, field: &mut Field<'_>) -> Decided {
        let first = self.0.first_key_value().expect("the beginning is a point").1;
        let place = |step: u64| self.0.range(..step).count();
        let rises = self.rises();
        let undecided: f64 = rises.iter().map(|rise| rise.by).sum();
        if first.alike == first.whole {
            return Decided::NoLuck;
        }
        if undecided <= 1.0 - CERTAIN {
            return Decided::Certain;
        }
        let most = rises.iter().copied().reduce(greater).expect("the probability rises to 1");
        let [before, after] = [most.from, most.to].map(|step| self.0[&step]);
        if most.by < DECIDES * undecided || before.interval().1 >= after.interval().0 {
            let most = self.greatest();
            return Decided::Gradually(most.into_iter().map(|rise| place(rise.to)).collect());
        }
        let is_one_step = most.to == most.from + 1;
        let drawn = if is_one_step { self.drawn(field, most) } else { Vec::new() };
        Decided::Turn(Turn { point: place(most.to), is_one_step, drawn })
    }

    /// What was drawn in a step and makes most of its rise, alone.
    fn drawn(&self, field: &mut Field<'_>, rise: Rise) -> Vec<String> {
        let before = self.0[&rise.from];
        let half = f64::midpoint(before.share(), self.0[&rise.to].share());
        let mut all = field.drawn(rise.to);
        all.retain(|source| {
            let mut held = Tally::default();
            let count = before.whole.min(4 * field.few);
            field.look(From::Held(rise.to, *source), &mut held, count) && held.share() >= half
        });
        all.into_iter().map(|source| source.decides()).collect()
    }
}

/// The greater rise, or the later of equal ones.
fn greater(a: Rise, b: Rise) -> Rise {
    if b.by >= a.by { b } else { a }
}
