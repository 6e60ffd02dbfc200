//! The laws of breakers: a story is played, and [`Promises::hold`] looks at every step of it.
//!
//! ```text
//! changes name the state     each transition leaves the state that the one before entered, and
//!                            the numbers of its reason reach their threshold
//! refusals name the state    "open" only while open, "probing" only while half-open
//! open refuses               until the instant that a refusal names, and no longer
//! half-open is bounded       by its number of tests, and is not refused below it
//! late changes nothing       where the library promises that
//! parked waits for a call    that is under way, and changes nothing
//! wakes in the future        never in the past, and woken early it sleeps on
//! a copy is another one      that says and becomes the same
//! ```
//!
//! A breaker of your own, which opens at the first failure for ten seconds:
//!
//! ```
//! use sim_core::{Span, Time};
//! use sim_policies::Reason;
//! use sim_policies::breaker::{Admission, Change, Machine, Permit, StateName, Verdict};
//! use sim_policies::breaker::{Transition, TransitionReason};
//! use sim_policies::laws::breaker::{Input, Promises, play};
//!
//! #[derive(Clone, Debug, Default, PartialEq)]
//! struct Fuse {
//!     until: Option<Time>,
//! }
//!
//! impl Machine for Fuse {
//!     fn admit(&mut self, now: Time, changes: &mut Vec<Change>) -> Admission {
//!         if let Some(until) = self.until {
//!             if now < until {
//!                 return Admission::Refused(Reason::BreakerOpen { until: self.until });
//!             }
//!             self.until = None;
//!             let (from, to) = (StateName::Open, StateName::Closed);
//!             let reason = TransitionReason::OpenTimeOver;
//!             changes.push(Change::Transition(Transition::new(from, to, reason)));
//!         }
//!         Admission::Admitted(Permit::new(now, 0))
//!     }
//!
//!     fn settle(&mut self, _: Permit, now: Time, verdict: Verdict, changes: &mut Vec<Change>) {
//!         if verdict == Verdict::Failure && self.until.is_none() {
//!             self.until = Some(now + Span::secs(10));
//!             let (from, to) = (StateName::Closed, StateName::Open);
//!             let reason = TransitionReason::ConsecutiveFailures;
//!             changes.push(Change::Transition(Transition::new(from, to, reason)));
//!         }
//!     }
//!
//!     fn state(&self) -> StateName {
//!         if self.until.is_some() { StateName::Open } else { StateName::Closed }
//!     }
//! }
//!
//! let second = Span::secs(1);
//! let story = (0..100).flat_map(|n| {
//!     let verdict = if n % 7 == 0 { Verdict::Failure } else { Verdict::Success };
//!     [(second, Input::Call), (second, Input::End(0, verdict))]
//! });
//! let steps = play(Fuse::default(), &story.collect::<Vec<_>>());
//! let open_until: Box<dyn Fn(Time) -> Time> = Box::new(|at| at + Span::secs(10));
//! let promises = Promises { open_until: Some(open_until), ..Promises::default() };
//! promises.hold(&steps);
//! ```

use std::convert::Infallible;
use std::fmt::Debug;

use sim_core::{Span, Time};

use crate::Reason;
use crate::breaker::{
    Admission, Change, Machine, Permit, StateName, Transition, TransitionReason, Verdict,
};

/// What happens to a breaker next. `X` is what can happen to it beside calls, such as by hand.
#[derive(Clone, Copy, Debug)]
pub enum Input<X = Infallible> {
    /// A call asks.
    Call,
    /// One of the calls under way ends: the one at this place, counted round and round.
    End(usize, Verdict),
    /// Something else.
    Other(X),
}

/// A call under way.
#[derive(Debug)]
pub struct Call {
    /// Its permit.
    pub permit: Permit,
    /// The transitions that had been seen when it was admitted.
    seen: usize,
}

/// One step of a story, with the breaker before and after it.
#[derive(Debug)]
pub struct Step<M, X = Infallible> {
    /// When it happened.
    pub at: Time,
    /// What happened.
    pub what: What<X>,
    /// The breaker before it.
    pub before: M,
    /// The breaker after it.
    pub after: M,
    /// What the breaker reported.
    pub changes: Vec<Change>,
    /// Calls under way after it.
    pub under_way: usize,
}

/// What happened in a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum What<X = Infallible> {
    /// A call was let through, with a permit of this tag.
    Admitted(u64),
    /// A call was refused.
    Refused(Reason),
    /// A call waits for another one.
    Parked,
    /// A call ended.
    Ended(Ended),
    /// The breaker acted at the instant that it had named.
    Woke,
    /// Something else.
    Other(X),
}

/// The end of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// What it says of the other side.
    pub verdict: Verdict,
    /// When the call was admitted.
    pub started: Time,
    /// The tag of its permit.
    pub tag: u64,
    /// The breaker has changed its state since it admitted the call.
    pub late: bool,
}

impl<M, X> Step<M, X> {
    /// The transitions that the breaker reported.
    pub fn transitions(&self) -> impl Iterator<Item = Transition> + '_ {
        self.changes.iter().filter_map(|change| match change {
            Change::Transition(transition) => Some(*transition),
            _ => None,
        })
    }

    /// Whether it entered a state of that name in this step.
    pub fn enters(&self, state: StateName) -> bool {
        self.transitions().any(|transition| transition.to == state)
    }

    /// Whether a call that asked went; `None` where none has asked.
    pub fn asked(&self) -> Option<Result<(), Reason>> {
        match self.what {
            What::Admitted(_) => Some(Ok(())),
            What::Refused(reason) => Some(Err(reason)),
            _ => None,
        }
    }

    /// The end of a call, if that is what happened.
    pub fn ended(&self) -> Option<Ended> {
        match self.what {
            What::Ended(ended) => Some(ended),
            _ => None,
        }
    }
}

/// A machine that can live through a story.
pub trait Subject: Machine + Clone + PartialEq + Debug {}

impl<M: Machine + Clone + PartialEq + Debug> Subject for M {}

/// Plays calls and their ends, each so long after the one before.
///
/// # Panics
/// When the breaker breaks one of the laws that any step shows.
pub fn play<M: Subject>(breaker: M, inputs: &[(Span, Input)]) -> Vec<Step<M>> {
    play_with(breaker, inputs, |_, other, _, _, _| match other {})
}

/// Plays calls, their ends and what else can happen: `act` does that to the breaker and to the
/// calls under way, and says whether it happened at all.
///
/// # Panics
/// When the breaker breaks one of the laws that any step shows.
pub fn play_with<M: Subject, X: Copy>(
    breaker: M,
    inputs: &[(Span, Input<X>)],
    mut act: impl FnMut(&mut M, X, &mut Vec<Call>, Time, &mut Vec<Change>) -> bool,
) -> Vec<Step<M, X>> {
    let mut story = Story::new(breaker);
    for &(gap, input) in inputs {
        story.wait(gap);
        match input {
            Input::Call => story.ask(),
            Input::End(n, verdict) => story.end(n, verdict),
            Input::Other(other) => story.step(|story, changes| {
                let Story { breaker, calls, now, .. } = story;
                act(breaker, other, calls, *now, changes).then_some(What::Other(other))
            }),
        }
    }
    story.steps
}

struct Story<M, X> {
    now: Time,
    breaker: M,
    calls: Vec<Call>,
    /// For each call that waits, the tag of the call that it waits for.
    parked: Vec<u64>,
    transitions: usize,
    steps: Vec<Step<M, X>>,
}

impl<M: Subject, X> Story<M, X> {
    fn new(breaker: M) -> Story<M, X> {
        assert_eq!(breaker.state(), StateName::Closed, "a new breaker is closed");
        let (calls, parked, steps) = (Vec::new(), Vec::new(), Vec::new());
        Story { now: Time::ZERO, breaker, calls, parked, transitions: 0, steps }
    }

    fn step(&mut self, act: impl FnOnce(&mut Self, &mut Vec<Change>) -> Option<What<X>>) {
        let (before, mut changes) = (self.breaker.clone(), Vec::new());
        let Some(what) = act(self, &mut changes) else { return };
        let (at, after, under_way) = (self.now, self.breaker.clone(), self.calls.len());
        let step = Step { at, what, before, after, changes, under_way };
        self.transitions += step.transitions().count();
        // Counted with the transition that its own question brought about.
        if let (What::Admitted(_), Some(call)) = (&step.what, self.calls.last_mut()) {
            call.seen = self.transitions;
        }
        self.steps.push(step);
        if self.breaker.wakes_at().is_some_and(|at| at > self.now) {
            let mut early = self.breaker.clone();
            early.wake(self.now, &mut Vec::new());
            assert_eq!(early, self.breaker, "woken before its time, it sleeps on");
        }
    }

    /// Lets time pass. What is due at an instant happens after all that a story tells of it.
    fn wait(&mut self, gap: Span) {
        let then = self.now + gap;
        while let Some(at) = self.breaker.wakes_at().filter(|at| *at <= then && !gap.is_zero()) {
            assert!(at >= self.now, "it wants to be woken at {at}, before {}", self.now);
            self.now = at;
            self.step(|story, changes| {
                story.breaker.wake(at, changes);
                Some(What::Woke)
            });
            let next = self.breaker.wakes_at();
            assert!(next.is_none_or(|next| next > at), "woken at {at}, it wants the same again");
        }
        self.now = then;
    }

    fn ask(&mut self) {
        self.step(|story, changes| {
            let (mut copy, mut said) = (story.breaker.clone(), Vec::new());
            let twin = copy.admit(story.now, &mut said);
            let answer = story.breaker.admit(story.now, changes);
            let same = twin == answer && said == *changes && copy == story.breaker;
            assert!(same, "a copy says and becomes the same");
            Some(match answer {
                Admission::Admitted(permit) => {
                    let tag = permit.tag();
                    story.calls.push(Call { permit, seen: 0 });
                    What::Admitted(tag)
                }
                Admission::Refused(reason) => What::Refused(reason),
                Admission::Parked => {
                    let on = story.breaker.parked_on().expect("parked on a call");
                    let known = story.calls.iter().any(|call| call.permit.tag() == on);
                    assert!(known, "a parked call waits for one that is under way");
                    story.parked.push(on);
                    What::Parked
                }
            })
        });
    }

    fn end(&mut self, n: usize, verdict: Verdict) {
        if self.calls.is_empty() {
            return;
        }
        let Call { permit, seen } = self.calls.remove(n % self.calls.len());
        let (started, tag, late) = (permit.started(), permit.tag(), seen != self.transitions);
        self.step(|story, changes| {
            let (mut copy, mut said) = (story.breaker.clone(), Vec::new());
            copy.settle(Permit::new(started, tag), story.now, verdict, &mut said);
            story.breaker.settle(permit, story.now, verdict, changes);
            let same = copy == story.breaker && said == *changes;
            assert!(same, "a copy says and becomes the same");
            Some(What::Ended(Ended { verdict, started, tag, late }))
        });
        let waited = self.parked.len();
        self.parked.retain(|on| *on != tag);
        (self.parked.len()..waited).for_each(|_| self.ask());
    }
}

/// What a breaker promises beyond what all of them do. The default promises nothing.
pub struct Promises<M> {
    /// The instant that refusals name when it has opened at an instant; `None` where that depends
    /// on more.
    pub open_until: Option<Box<dyn Fn(Time) -> Time>>,
    /// It still refuses at that instant, and lets go after it.
    pub refuses_at_its_end: bool,
    /// The calls that one half-open time lets through, beside the room that ends give back; `None`
    /// for any number.
    pub tests: Option<u32>,
    /// Whether an end in half-open that leaves it there gives room for another test.
    pub gives_back: fn(Ended) -> bool,
    /// Whether the breaker, as it was before, ignores this end.
    pub ignores: fn(&M, Ended) -> bool,
    /// What merely looking at an instant does to it, which an ignored end may do too.
    pub look: fn(&mut M, Time),
}

impl<M> Default for Promises<M> {
    fn default() -> Promises<M> {
        Promises {
            open_until: None,
            refuses_at_its_end: false,
            tests: None,
            gives_back: |_| false,
            ignores: |_, _| false,
            look: |_, _| {},
        }
    }
}

impl<M: Subject> Promises<M> {
    /// Looks at every step.
    ///
    /// # Panics
    /// When the breaker has broken a law or one of its promises.
    pub fn hold<X: Debug>(&self, steps: &[Step<M, X>]) {
        let mut open = None;
        let mut room = None;
        for step in steps {
            changes_name_the_state(step);
            refusals_name_the_state(step);
            self.open_refuses(step, &mut open);
            self.half_open_is_bounded(step, &mut room);
            if matches!(step.what, What::Parked) {
                assert_eq!(step.before, step.after, "who is parked changes nothing");
            }
            if let What::Ended(ended) = step.what
                && (self.ignores)(&step.before, ended)
            {
                let mut looked = step.before.clone();
                (self.look)(&mut looked, step.at);
                assert_eq!(looked, step.after, "an ignored end changes nothing: {ended:?}");
            }
        }
    }

    /// `named` is the instant that refusals have named since it last changed or let a call through.
    fn open_refuses<X: Debug>(&self, step: &Step<M, X>, named: &mut Option<Time>) {
        let at = step.at;
        let is_early = |until: Time| at < until || (at == until && self.refuses_at_its_end);
        let over = |change: Transition| change.reason == TransitionReason::OpenTimeOver;
        let acts = matches!(step.what, What::Admitted(_)) || step.transitions().any(over);
        // Its own timer moves it at the instant itself.
        let by_timer = matches!(step.what, What::Woke) && *named == Some(at);
        let early = named.filter(|until| is_early(*until) && acts && !by_timer);
        assert_eq!(early, None, "open until then, it let go already at {at}: {step:?}");
        let by_hand = matches!(step.what, What::Other(_)) && step.before != step.after;
        if step.transitions().next().is_some() || matches!(step.what, What::Admitted(_)) || by_hand
        {
            *named = None;
        }
        if step.enters(StateName::Open) && step.after.state() == StateName::Open {
            let answer = step.after.clone().admit(at, &mut Vec::new());
            let until = refused_until(&answer);
            if let Some(promised) = self.open_until.as_ref().map(|promised| promised(at)) {
                let refused = is_early(promised).then_some(promised);
                assert_eq!(until, refused, "opened at {at}: {step:?}");
            }
        }
        if let What::Refused(Reason::BreakerOpen { until: Some(until) }) = step.what {
            assert!(is_early(until), "refused at {at}, and open until {until}: {step:?}");
            assert!(named.is_none_or(|named| named == until), "first {named:?}, then {until}");
            *named = Some(until);
            self.refusals_are_the_truth(&step.after, at, until);
        }
    }

    /// Left alone, it refuses until the instant that it has named, and then lets go.
    fn refusals_are_the_truth(&self, breaker: &M, at: Time, until: Time) {
        let asked_at = |now: Time| {
            let mut left_alone = breaker.clone();
            while let Some(due) = left_alone.wakes_at().filter(|due| *due <= now) {
                left_alone.wake(due, &mut Vec::new());
            }
            refused_until(&left_alone.admit(now, &mut Vec::new()))
        };
        let nano = Span::nanos(1);
        let last = if self.refuses_at_its_end && breaker.wakes_at().is_none() {
            until
        } else {
            Time::from_nanos(until.as_nanos() - 1)
        };
        assert_eq!(asked_at(last.max(at)), Some(until), "it refuses until then: {breaker:?}");
        assert_eq!(asked_at(last + nano), None, "it lets go then: {breaker:?}");
    }

    /// `room` is what the half-open time has let through, and what ends have given back.
    fn half_open_is_bounded<X: Debug>(&self, step: &Step<M, X>, room: &mut Option<(u32, u32)>) {
        let Some(tests) = self.tests else { return };
        let changed = matches!(step.what, What::Other(_)) && step.before != step.after;
        let stays = step.before.state() == StateName::HalfOpen && !changed;
        if step.after.state() != StateName::HalfOpen && !stays {
            *room = None;
            return;
        }
        let (admitted, given_back) = match room {
            Some(room) if !step.enters(StateName::HalfOpen) && stays => room,
            _ => room.insert((0, 0)),
        };
        match step.what {
            What::Admitted(_) => {
                *admitted += 1;
                assert!(*admitted <= tests + *given_back, "more tests than it has: {step:?}");
            }
            What::Refused(Reason::BreakerProbing) => {
                assert_eq!(*admitted, tests + *given_back, "refused below its tests: {step:?}");
            }
            What::Ended(ended) if (self.gives_back)(ended) => *given_back += 1,
            _ => {}
        }
    }
}

fn refused_until(answer: &Admission) -> Option<Time> {
    match answer {
        Admission::Refused(Reason::BreakerOpen { until }) => *until,
        _ => None,
    }
}

fn changes_name_the_state<M: Subject, X: Debug>(step: &Step<M, X>) {
    let mut state = step.before.state();
    for Transition { from, to, weighed, .. } in step.transitions() {
        assert_eq!(from, state, "a transition leaves the state that it was in: {step:?}");
        let rests = weighed.is_none_or(|weighed| weighed.is_reached());
        assert!(rests, "the numbers of a reason reach its threshold: {step:?}");
        state = to;
    }
    assert_eq!(state, step.after.state(), "a change of state is reported: {step:?}");
}

fn refusals_name_the_state<M: Subject, X: Debug>(step: &Step<M, X>) {
    let (before, after) = (step.before.state(), step.after.state());
    match step.what {
        What::Refused(Reason::BreakerOpen { until }) => {
            let state = if until.is_some() { StateName::Open } else { StateName::ForcedOpen };
            assert_eq!(after, state, "it is open: {step:?}");
        }
        What::Refused(Reason::BreakerProbing) => {
            assert_eq!(before, StateName::HalfOpen, "its tests are under way: {step:?}");
        }
        What::Admitted(_) => assert_ne!(after, StateName::ForcedOpen, "it lets nobody: {step:?}"),
        _ => {}
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! Stories by chance, and the words in which tests tell their own.

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Up to 150 inputs, each so long after the one before.
    pub(crate) fn calls(
        gap: impl Strategy<Value = Span>,
    ) -> impl Strategy<Value = Vec<(Span, Input)>> {
        vec((gap, prop_oneof![Just(Input::Call), ends()]), 0..150)
    }

    /// The same with other things among them: one in twenty.
    pub(crate) fn calls_and<X: Clone + Debug + 'static>(
        gap: impl Strategy<Value = Span>,
        other: impl Strategy<Value = X> + 'static,
    ) -> impl Strategy<Value = Vec<(Span, Input<X>)>> {
        let input = prop_oneof![
            10 => Just(Input::Call),
            9 => ends(),
            1 => other.prop_map(Input::Other),
        ];
        vec((gap, input), 0..150)
    }

    fn ends<X: Clone + Debug + 'static>() -> BoxedStrategy<Input<X>> {
        let verdict = prop_oneof![
            4 => Just(Verdict::Success),
            5 => Just(Verdict::Failure),
            1 => Just(Verdict::Ignored),
            1 => Just(Verdict::Cancelled),
        ];
        (any::<usize>(), verdict).prop_map(|(n, verdict)| Input::End(n, verdict)).boxed()
    }

    /// Lengths of whole seconds, mostly none.
    pub(crate) fn seconds() -> impl Strategy<Value = Span> {
        prop_oneof![6 => Just(0), 3 => 0..5u64, 1 => 5..40u64].prop_map(Span::secs)
    }

    /// The instant so many milliseconds after the start.
    pub(crate) const fn ms(millis: u64) -> Time {
        Time::from_nanos(millis * 1_000_000)
    }

    /// A call asks.
    pub(crate) fn ask(breaker: &mut impl Machine, now: Time) -> Result<Permit, Reason> {
        match breaker.admit(now, &mut Vec::new()) {
            Admission::Admitted(permit) => Ok(permit),
            Admission::Refused(reason) => Err(reason),
            Admission::Parked => panic!("it waits for another call"),
        }
    }

    /// A call ends: what brought a transition about, if there is one.
    pub(crate) fn end(
        breaker: &mut impl Machine,
        permit: Permit,
        now: Time,
        verdict: Verdict,
    ) -> Option<TransitionReason> {
        let mut changes = Vec::new();
        breaker.settle(permit, now, verdict, &mut changes);
        let mut reasons = changes.iter().filter_map(|change| match change {
            Change::Transition(transition) => Some(transition.reason),
            _ => None,
        });
        let reason = reasons.next();
        assert_eq!(reasons.next(), None, "one end brings at most one transition");
        reason
    }

    /// A call that asks and ends at one instant.
    pub(crate) fn call(
        breaker: &mut impl Machine,
        now: Time,
        verdict: Verdict,
    ) -> Option<TransitionReason> {
        let permit = ask(breaker, now).expect("admitted");
        end(breaker, permit, now, verdict)
    }
}
