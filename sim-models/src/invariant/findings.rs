//! What was found of one invariant.

use sim_core::{Moment, Span, Time};
use sim_policies::Fate;

use crate::ledger::Entry;
use crate::log::{Note, Sentence};
use crate::plan::KindId;

/// What was found of one invariant.
#[derive(Clone, Debug)]
pub(crate) struct Findings {
    /// Something in the run put it to the test.
    pub exercised: bool,
    pub violations: u64,
    /// The same by window of time, up to the last that had any.
    pub by_window: Vec<u32>,
    width: Span,
    windows: u64,
    /// The earliest violation.
    pub first: Option<Found>,
    /// Every violation, kept only for who asks for them.
    pub all: Option<Vec<Found>>,
    /// So many of them at most.
    pub all_max: usize,
}

/// A violation.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub when: When,
    pub breach: Breach,
}

/// When a promise was broken: by a step, or by time that passed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct When {
    pub at: Time,
    pub step: Option<u64>,
}

impl When {
    /// No step broke it: something had not happened by then.
    pub(super) fn passed(at: Time) -> When {
        When { at, step: None }
    }

    /// What had not happened at an instant counts after all that did.
    fn order(self) -> (Time, u64) {
        (self.at, self.step.unwrap_or(u64::MAX))
    }

    pub(super) fn is_after(self, other: When) -> bool {
        self.order() > other.order()
    }
}

impl From<Moment> for When {
    fn from(Moment { at, step }: Moment) -> When {
        When { at, step: Some(step) }
    }
}

/// What broke a promise, and what shows it.
#[derive(Clone, Debug)]
pub(crate) struct Breach {
    pub line: Line,
    /// Another intent that takes part in it.
    pub other: Option<u32>,
    pub witness: String,
}

/// The breaking step, as a line of the story.
#[derive(Clone, Debug)]
pub(crate) enum Line {
    /// The story has it.
    Noted(Note),
    /// It is too small for the story, or is that nothing happened.
    Unnoted(Sentence),
}

impl Breach {
    /// By a step that the story has.
    pub(super) fn noted(note: Note, witness: String) -> Breach {
        Breach { line: Line::Noted(note), other: None, witness }
    }

    /// By an effect.
    pub(super) fn effect(entry: &Entry, witness: String) -> Breach {
        let Entry { intent, actor, kind, number, .. } = *entry;
        Breach::noted(Note::Effect { intent, actor, kind, number, repeated: false }, witness)
    }

    /// By the end of a submission.
    pub(super) fn ended(intent: u32, fate: Fate, witness: String) -> Breach {
        Breach::noted(Note::Told { intent, fate, refunded: None }, witness)
    }

    /// By telling a user of a refund.
    pub(super) fn refunded(intent: u32, kind: KindId, witness: String) -> Breach {
        let (fate, refunded) = (Fate::Succeeded, Some(kind));
        Breach::noted(Note::Told { intent, fate, refunded }, witness)
    }

    /// By what somebody did, or did not do in time.
    pub(super) fn by(
        intent: impl Into<Option<u32>>,
        who: impl Into<String>,
        what: impl Into<String>,
        witness: String,
    ) -> Breach {
        let (intent, who, what) = (intent.into(), who.into(), what.into());
        Breach { line: Line::Unnoted(Sentence { intent, who, what }), other: None, witness }
    }

    /// Another intent takes part in it.
    pub(super) fn beside(self, other: u32) -> Breach {
        Breach { other: Some(other), ..self }
    }
}

impl Findings {
    /// Nothing yet, to be counted in windows of this width; the last of so many has what is later.
    pub(super) fn new(width: Span, windows: u64) -> Findings {
        let (by_window, first, all, all_max) = (Vec::new(), None, None, 0);
        Findings { exercised: false, violations: 0, by_window, width, windows, first, all, all_max }
    }

    /// Counts a violation. Its words are found only if somebody asks for all, or it is the
    /// earliest so far.
    pub(super) fn violated(&mut self, when: impl Into<When>, breach: impl FnOnce() -> Breach) {
        let when = when.into();
        self.exercised = true;
        self.violations += 1;
        self.count(when.at);
        let is_first = self.first.as_ref().is_none_or(|first| first.when.is_after(when));
        let all = self.all.as_mut().filter(|all| all.len() < self.all_max);
        if is_first || all.is_some() {
            let found = Found { when, breach: breach() };
            if let Some(all) = all {
                all.push(found.clone());
            }
            if is_first {
                self.first = Some(found);
            }
        }
    }

    fn count(&mut self, at: Time) {
        let window = at.as_nanos().checked_div(self.width.as_nanos()).unwrap_or_default();
        let window = window.min(self.windows.saturating_sub(1)) as usize;
        if window >= self.by_window.len() {
            self.by_window.resize(window + 1, 0);
        }
        self.by_window[window] += 1;
    }
}
