//! A run that is gone through again and again, with other luck from some step on.

use sim_core::mix;

use crate::run::{Kept, Run, Sought};
use crate::study::{Crew, wilson};
use crate::world::Source;

use super::Search;

/// How many continuations of a step there are at first, and at most: a share of 300 is known to 6
/// points, one of 24 to 20.
const FEW: u64 = 24;
pub(super) const MOST: u64 = 300;

/// The least, of a run that is as long as all events together.
const LEAST: u64 = 4;

/// So many events in all take half a minute on two processors.
const EVENTS_MAX: u64 = 40_000_000;

/// With so many events every step is looked at as often as those that matter.
const EVENTS_EASY: u64 = 2_000_000;

/// As many looks are to be possible, whatever each costs.
const LOOKS_LEAST: u64 = 12;

/// How sure intervals are.
const CONFIDENCE: f64 = 0.95;

/// Tells the seeds of continuations from those of runs.
const CONTINUED: u64 = 0x7475_726e;

/// A run, what is looked for in it, and what that has cost.
pub(super) struct Field<'a> {
    pub(super) search: &'a Search<'a>,
    crew: Crew<'a>,
    pub(super) sought: Sought,
    /// The run's own when all was known.
    digest: u64,
    /// How many continuations there are of a step at first.
    pub(super) few: u64,
    pub(super) most: u64,
    /// What one is expected to cost, in events.
    each: u64,
    pub(super) continuations: u64,
    pub(super) events: u64,
    /// More was wanted than there may be events.
    pub(super) is_cut: bool,
}

/// From when on other luck is had.
#[derive(Clone, Copy, Debug)]
pub(super) enum From {
    /// After a step.
    After(u64),
    /// In a step, but for what is drawn from one source in it.
    Held(u64, Source),
}

/// What the continuations from a step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) whole: u64,
    pub(super) broken: u64,
    pub(super) unknown: u64,
    /// Those that were the run itself until all was known.
    pub(super) alike: u64,
    /// Whatever comes, the promise is broken already.
    pub(super) is_over: bool,
}

impl<'a> Field<'a> {
    pub(super) fn new(
        search: &'a Search<'a>,
        crew: Crew<'a>,
        sought: Sought,
        digest: u64,
        each: u64,
    ) -> Field<'a> {
        let each = each.max(1);
        let most = search.continuations;
        let few = (EVENTS_MAX / LOOKS_LEAST / each).clamp(LEAST, FEW).min(most);
        let (continuations, events, is_cut) = (0, 0, false);
        Field { search, crew, sought, digest, few, most, each, continuations, events, is_cut }
    }

    pub(super) fn start(&self) -> Run {
        self.search.start(&self.sought)
    }

    fn seed(&self, n: u64) -> u64 {
        mix(mix(self.search.seed, CONTINUED), n)
    }

    /// Whether little was spent so far.
    pub(super) fn is_easy(&self) -> bool {
        self.events < EVENTS_EASY
    }

    /// Adds continuations until there are so many; whether there are.
    pub(super) fn look(&mut self, from: From, tally: &mut Tally, until: u64) -> bool {
        let until = until.min(self.most);
        if tally.is_over || tally.whole >= until {
            return true;
        }
        let count = until - tally.whole;
        // The very first look is had at any price.
        if self.events > 0 && self.events.saturating_add(count * self.each) > EVENTS_MAX {
            self.is_cut = true;
            return false;
        }
        let mut events = 0;
        let work = |n| Some(self.continued(from, n).keeps(&self.sought));
        self.crew.in_order(tally.whole..until, work, |(kept, steps)| {
            events += steps;
            match kept {
                Kept::Yes => {}
                Kept::Unknown => tally.unknown += 1,
                Kept::Broken(digest) => {
                    tally.broken += 1;
                    tally.alike += u64::from(digest == self.digest);
                }
            }
        });
        tally.whole = until;
        self.continuations += count;
        self.events += events;
        self.each = events.div_ceil(count);
        true
    }

    fn continued(&self, from: From, n: u64) -> Run {
        let mut run = self.start();
        match from {
            From::After(step) => {
                run.advance(step);
                run.redraw(self.seed(n), |_| true);
            }
            From::Held(step, held) => {
                run.advance(step - 1);
                run.redraw(self.seed(n), |source| source != held);
                run.advance(step);
                run.redraw(self.seed(n), |source| source == held);
            }
        }
        run
    }

    /// What the run drew of in a step.
    pub(super) fn drawn(&self, step: u64) -> Vec<Source> {
        let mut run = self.start();
        run.advance(step - 1);
        run.drawn();
        run.advance(step);
        run.drawn()
    }
}

impl Tally {
    /// At the end of the story, whatever luck there is afterwards.
    pub(super) fn over(count: u64) -> Tally {
        Tally { whole: count, broken: count, unknown: 0, alike: count, is_over: true }
    }

    pub(super) fn share(&self) -> f64 {
        self.broken as f64 / self.whole as f64
    }

    /// What a limit ended may have broken the promise, and may not.
    pub(super) fn interval(&self) -> (f64, f64) {
        if self.is_over {
            return (1.0, 1.0);
        }
        let bound = |part| wilson(part, self.whole, CONFIDENCE).expect("there are continuations");
        (bound(self.broken).low, bound(self.broken + self.unknown).high)
    }
}
