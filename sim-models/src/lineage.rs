//! What a run passed through, as far as a fault could have made it go otherwise.
//!
//! A run keeps it only when it is asked to; it changes nothing about the run.

use std::collections::{BTreeMap, BTreeSet};

use sim_core::{Handle, Span, Time};
use sim_policies::breaker::StateName;
use sim_redis::{Deadline, Key};

use crate::plan::{ActorId, BreakerId, KindId, PointId};

/// A run with more moments than this is a load test: the first of them show all that happens.
const MOMENTS_MAX: usize = 20_000;

/// A background program may sleep any number of times at once; so many are looked at.
const DUES_MAX: usize = 64;

/// The moments of a run, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lineage {
    moments: Vec<Moment>,
    states: States,
    /// What was due at each moment, one moment after the other.
    dues: Vec<Due>,
    /// Each key that was written with an end: for which intent, and when it ends.
    expiries: Vec<(u32, Time)>,
    /// How long before its instant anything was armed.
    armed: BTreeSet<Span>,
}

/// What will happen at an instant unless it is called off: a timeout, the end of a wait or of a
/// sleep, the next click, the expiry of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Due {
    pub at: Time,
    /// The store whose key expires, if it is that.
    pub store: Option<ActorId>,
}

/// Something happened for an intent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub at: Time,
    pub step: u64,
    pub intent: u32,
    /// Of the actor that passes or sends.
    pub instance: u32,
    pub what: What,
    /// What a fault meets that strikes here.
    pub state: State,
    /// Where in the lineage the dues of the moment begin, and how many there are.
    pub dues: (u32, u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    /// A program of an actor was at a point, for the `nth` time in the run.
    Passed { point: PointId, nth: u32, actor: ActorId },
    /// A message left one actor for another.
    Sent { from: ActorId, to: ActorId, way: Way },
    /// Something durable happened.
    Done { kind: KindId },
}

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    Request,
    Answer,
}

/// What is kept for an intent in the stores, and what the breakers do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct State {
    pub kept: Kept,
    pub breakers: Breakers,
}

/// What stores keep for an intent: a lock, a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kept {
    /// Nothing was written.
    #[default]
    Nothing,
    /// What was written once: a lock is held, a record is pending.
    Claimed,
    /// What was written again: a result lies beside the lock, a record is done.
    Settled,
    /// What was written is gone: released, expired or lost.
    Gone,
}

/// The breaker that lets least through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Breakers {
    #[default]
    Closed,
    HalfOpen,
    Open,
}

/// From what a state is worked out.
#[derive(Clone, Debug, Default)]
struct States {
    /// Those that are not closed.
    breakers: BTreeMap<(BreakerId, u32), Breakers>,
    keys: BTreeMap<(ActorId, Key), KeyState>,
    /// The keys that were written for an intent.
    written: BTreeMap<u32, Vec<(ActorId, Key)>>,
    /// What waits in the queue for an intent, or for all.
    timers: BTreeMap<Option<u32>, Vec<(Time, Handle)>>,
}

#[derive(Clone, Copy, Debug)]
struct KeyState {
    /// `None` when it is not there.
    until: Option<Deadline>,
    writes: u32,
}

impl Lineage {
    /// Keeps a moment in the state of the world; `now_ms` is what a store's clock shows, and
    /// `is_pending` says whether what was armed is still to come.
    pub(crate) fn push(
        &mut self,
        moment: Moment,
        now_ms: impl Fn(ActorId) -> i64,
        is_pending: impl Fn(Handle) -> bool,
    ) {
        if self.moments.len() < MOMENTS_MAX {
            let state = self.states.of(moment.intent, &now_ms);
            let first = self.dues.len();
            self.states.due(&moment, now_ms, is_pending, &mut self.dues);
            let dues = (first as u32, (self.dues.len() - first) as u32);
            self.moments.push(Moment { state, dues, ..moment });
        }
    }

    /// Something will happen for an intent, or for all, unless it is called off.
    pub(crate) fn arm(&mut self, intent: Option<u32>, now: Time, at: Time, handle: Handle) {
        if self.moments.len() < MOMENTS_MAX {
            self.armed.insert(at.since(now));
            self.states.timers.entry(intent).or_default().push((at, handle));
        }
    }

    /// What is due at a moment, in no order.
    pub(crate) fn dues(&self, moment: &Moment) -> &[Due] {
        let (first, count) = moment.dues;
        &self.dues[first as usize..][..count as usize]
    }

    /// When the keys expire, or would have, that were ever written for an intent.
    pub(crate) fn expiries(&self, intent: u32) -> impl Iterator<Item = Time> {
        self.expiries.iter().filter(move |(of, _)| *of == intent).map(|(_, at)| *at)
    }

    /// Whether anything was armed to happen after just this time.
    pub(crate) fn has_armed(&self, span: Span) -> bool {
        self.armed.contains(&span)
    }

    /// A key was written for an intent, at an instant and by the store's clock, and lasts so long or
    /// is gone.
    pub(crate) fn write(
        &mut self,
        intent: u32,
        at: (ActorId, Key),
        until: Option<Deadline>,
        (now, now_ms): (Time, i64),
    ) {
        if self.moments.len() == MOMENTS_MAX {
            return;
        }
        if let Some(left) = until.and_then(|until| left(until, now_ms)) {
            self.armed.insert(left);
            self.expiries.push((intent, now + left + MILLI));
        }
        let States { keys, written, .. } = &mut self.states;
        let writes = keys.get(&at).map_or(0, |known| known.writes);
        keys.insert(at, KeyState { until, writes: writes + 1 });
        let of_intent = written.entry(intent).or_default();
        if !of_intent.contains(&at) {
            of_intent.push(at);
        }
    }

    /// A store may have lost keys: what it has now.
    pub(crate) fn look(&mut self, store: ActorId, until: impl Fn(Key) -> Option<Deadline>) {
        let of_store = self.states.keys.iter_mut().filter(|((at, _), _)| *at == store);
        of_store.for_each(|((_, key), known)| known.until = until(*key));
    }

    /// A breaker of an instance has another state.
    pub(crate) fn turn(&mut self, breaker: (BreakerId, u32), to: StateName) {
        let state = match to {
            StateName::HalfOpen => Breakers::HalfOpen,
            StateName::Open | StateName::ForcedOpen => Breakers::Open,
            _ => Breakers::Closed,
        };
        match state {
            Breakers::Closed => self.states.breakers.remove(&breaker),
            state => self.states.breakers.insert(breaker, state),
        };
    }

    /// The moments up to an instant.
    pub(crate) fn until(&self, at: Time) -> impl Iterator<Item = &Moment> {
        self.moments.iter().take_while(move |moment| moment.at <= at)
    }

    pub(crate) fn moments(&self) -> &[Moment] {
        &self.moments
    }
}

/// A key exists in its last millisecond.
const MILLI: Span = Span::millis(1);

/// How long a key still lasts, if it has an end that is to come.
fn left(until: Deadline, now_ms: i64) -> Option<Span> {
    let left = u64::try_from(until.ms()?.checked_sub(now_ms)?).ok()?;
    left.checked_mul(1_000_000).map(Span::nanos)
}

impl States {
    /// What is due for the intent of a moment.
    fn due(
        &mut self,
        moment: &Moment,
        now_ms: impl Fn(ActorId) -> i64,
        is_pending: impl Fn(Handle) -> bool,
        dues: &mut Vec<Due>,
    ) {
        for whose in [Some(moment.intent), None] {
            let Some(timers) = self.timers.get_mut(&whose) else { continue };
            timers.retain(|(_, handle)| is_pending(*handle));
            let later = timers.iter().filter(|(at, _)| *at > moment.at).take(DUES_MAX);
            dues.extend(later.map(|(at, _)| Due { at: *at, store: None }));
        }
        let keys = self.written.get(&moment.intent).into_iter().flatten();
        let expiring = keys.filter_map(|at| {
            let until = self.keys.get(at)?.until?;
            let left = left(until, now_ms(at.0))?;
            Some(Due { at: moment.at + left + MILLI, store: Some(at.0) })
        });
        dues.extend(expiring.take(DUES_MAX));
    }

    fn of(&self, intent: u32, now_ms: impl Fn(ActorId) -> i64) -> State {
        let keys = self.written.get(&intent).into_iter().flatten();
        let keys = keys.filter_map(|at| Some((at.0, self.keys.get(at)?)));
        let mut kept = Kept::Nothing;
        for (store, key) in keys {
            let is_there = key.until.is_some_and(|until| !until.is_past(now_ms(store)));
            let here = match key.writes {
                _ if !is_there => Kept::Gone,
                1 => Kept::Claimed,
                _ => Kept::Settled,
            };
            // A lock and a result: two keys that are there are more than one.
            kept = match (kept, here) {
                (Kept::Nothing | Kept::Gone, here) => here,
                (known, Kept::Gone) => known,
                _ => Kept::Settled,
            };
        }
        State { kept, breakers: self.breakers.values().max().copied().unwrap_or_default() }
    }
}

impl State {
    /// For people and for JSON: `claimed`, `settled, breaker open`.
    pub(crate) fn name(self) -> String {
        let kept = match self.kept {
            Kept::Nothing => "nothing kept",
            Kept::Claimed => "claimed",
            Kept::Settled => "settled",
            Kept::Gone => "gone",
        };
        let breakers = match self.breakers {
            Breakers::Closed => "",
            Breakers::HalfOpen => ", breaker half-open",
            Breakers::Open => ", breaker open",
        };
        format!("{kept}{breakers}")
    }
}
