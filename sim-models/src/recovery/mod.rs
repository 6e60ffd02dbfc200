//! The verdict of recovery: is the system well again once what disturbed it is gone?
//!
//! A *trigger* (faults and spikes of load) pushes a healthy system out of its bounds. A system that
//! is only overloaded comes back when the trigger ends and the backlog has drained. One that stays
//! down, although the load is what it used to carry well, is *metastable*. Something that the
//! trigger set off, most often retries, keeps it down on its own (Bronson et al., "Metastable
//! failures in distributed systems", HotOS 2021).
//!
//! The verdict is a pure function of counts per slot. It looks at stretches of time long enough
//! that chance does not decide. It compares two figures with what they were before the trigger:
//! goodput per intent offered, and the median latency of what succeeded.

mod pulse;

use std::fmt;
use std::ops::Range;

use sim_core::{Span, Time, math};

pub(crate) use pulse::Pulse;
use pulse::{Flow, Slot};

/// Fewer intents before the trigger do not show that a system is healthy.
const SAMPLES_MIN: u64 = 30;

/// Fewer intents in a stretch decide nothing.
const OFFERED_MIN: u64 = 10;

/// A recovered system whose goodput falls below this share of what it was has relapsed.
const RELAPSE: f64 = 0.5;

/// How much longer than by the fluid formula a backlog may take to drain. Retries of what waits
/// add their own load while it drains: the true rate is the spare capacity minus theirs. Three
/// leaves two thirds of the spare capacity to them. Where they take even more, the backlog is seen
/// not to grow, and the verdict is left open.
const DRAIN_SAFETY: f64 = 3.0;

/// A backlog below this share of the most that it was in the first half since the trigger is
/// shrinking.
const SHRINKING: f64 = 0.9;

/// How a system did after a trigger.
#[derive(Clone, Debug, PartialEq)]
pub struct Recovery {
    /// From the first to the last instant of all that disturbed the system.
    pub trigger: (Time, Time),
    /// What it did before the trigger, from the end of the warm-up on.
    pub before: Level,
    /// What it did in the last `hold` of the run.
    pub last: Level,
    /// How long the system must be well to count as recovered.
    pub hold: Span,
    /// How long after the trigger a backlog may take to drain; `None` when the run gives no bound.
    pub drain: Option<Span>,
    /// The verdict.
    pub state: RecoveryState,
}

/// The verdict over a recovery.
#[derive(Clone, Debug, PartialEq)]
pub enum RecoveryState {
    /// It was not well even before the trigger: the run is invalid as a test of recovery.
    Unhealthy {
        /// What was wrong, for people.
        why: String,
    },
    /// The trigger did not push it out of its bounds.
    Undisturbed,
    /// It was well again, and did not relapse.
    Recovered {
        /// The beginning of the first stretch in which it was well.
        at: Time,
        /// The same, counted from the trigger's end.
        after: Span,
    },
    /// It stays down although the trigger is gone and any backlog could have drained.
    Metastable,
    /// The run ends before that shows.
    Undecided {
        /// What is missing, for people.
        why: String,
    },
}

/// What a system did in a stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// The stretch's beginning.
    pub from: Time,
    /// The stretch's end.
    pub to: Time,
    /// Intents that arose.
    pub offered: u64,
    /// Intents whose user saw success.
    pub goodput: u64,
    /// Intents that ended without success.
    pub missed: u64,
    /// Median latency of the submissions that succeeded, within 1 %.
    pub latency_p50: Option<Span>,
}

impl Level {
    /// Intents with success per intent that arose; `None` when none arose.
    pub fn goodput_ratio(&self) -> Option<f64> {
        (self.offered > 0).then(|| self.goodput as f64 / self.offered as f64)
    }

    /// The share of success among the intents that ended; `None` when none ended.
    pub fn success_share(&self) -> Option<f64> {
        (self.ended() > 0).then(|| self.goodput as f64 / self.ended() as f64)
    }

    /// Intents that ended.
    pub fn ended(&self) -> u64 {
        self.goodput + self.missed
    }
}

impl Recovery {
    /// Goodput in the last stretch as a share of what it was; `None` when one of them is unknown.
    pub fn goodput_kept(&self) -> Option<f64> {
        let before = self.before.goodput_ratio().filter(|ratio| *ratio > 0.0)?;
        Some(self.last.goodput_ratio()? / before)
    }

    /// False when too little happened before the trigger to speak of a test of recovery.
    pub fn is_test(&self) -> bool {
        self.before.ended() >= SAMPLES_MIN
    }
}

impl RecoveryState {
    /// One word: `unhealthy`, `undisturbed`, `recovered`, `metastable` or `undecided`.
    pub fn name(&self) -> &'static str {
        match self {
            RecoveryState::Unhealthy { .. } => "unhealthy",
            RecoveryState::Undisturbed => "undisturbed",
            RecoveryState::Recovered { .. } => "recovered",
            RecoveryState::Metastable => "metastable",
            RecoveryState::Undecided { .. } => "undecided",
        }
    }
}

/// The verdict in a sentence: `metastable: goodput 3 % of what it was, 840s after the trigger
/// ended`.
impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = |f: &mut fmt::Formatter<'_>| match self.goodput_kept() {
            Some(kept) => write!(f, "goodput {:.0} % of what it was", 100.0 * kept),
            None => write!(f, "no goodput"),
        };
        write!(f, "{}", self.state.name())?;
        match &self.state {
            RecoveryState::Unhealthy { why } => write!(f, " before the trigger: {why}"),
            RecoveryState::Undisturbed => write!(f, " by the trigger"),
            RecoveryState::Recovered { at, after } => {
                write!(f, " {} after the trigger ended, at {at}", seconds(*after))
            }
            RecoveryState::Metastable => {
                write!(f, ": ")?;
                kept(f)?;
                let since = self.last.to.since(self.trigger.1);
                write!(f, ", {} after the trigger ended", seconds(since))
            }
            RecoveryState::Undecided { why } => {
                write!(f, ": ")?;
                kept(f)?;
                write!(f, " in the last {}, and {why}", self.hold)
            }
        }
    }
}

/// A length to a tenth of a second where it is that long.
fn seconds(span: Span) -> Span {
    let grain = Span::millis(100).as_nanos();
    if span.as_nanos() < 10 * grain { span } else { Span::nanos(span.as_nanos() / grain * grain) }
}

/// What is asked of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub trigger: (Time, Time),
    /// What comes before is not looked at.
    pub warmup: Time,
    /// The least share of success before the trigger.
    pub healthy: f64,
    /// By which factor goodput and median may be worse than before.
    pub within: f64,
    /// How long it must be well.
    pub hold: Span,
    /// How long a backlog may take to drain; by default it is worked out.
    pub drain: Option<Span>,
}

/// Judges a run.
pub(crate) fn judge(pulse: &Pulse, terms: &Terms) -> Recovery {
    Judge::new(pulse, terms).verdict()
}

struct Judge<'a> {
    grain: Span,
    /// Up to the last in which an intent arose: what follows is not a load to carry.
    slots: &'a [Slot],
    terms: &'a Terms,
    before: Level,
    /// The slots from the warm-up to the trigger.
    quiet: Range<usize>,
    /// Slots of a `hold`.
    hold: usize,
    /// The first slot that the trigger touches, and the first after it.
    struck: usize,
    healed: usize,
}

impl<'a> Judge<'a> {
    fn new(pulse: &'a Pulse, terms: &'a Terms) -> Judge<'a> {
        let grain = pulse.grain.as_nanos();
        let loaded = pulse.slots.iter().rposition(|slot| slot.offered > 0);
        let slots = &pulse.slots[..loaded.map_or(0, |last| last + 1)];
        let slot = |n: u64| usize::try_from(n).unwrap_or(usize::MAX).min(slots.len());
        let struck = slot(terms.trigger.0.as_nanos() / grain);
        let healed = slot(terms.trigger.1.as_nanos().div_ceil(grain));
        let warm = slot(terms.warmup.as_nanos().div_ceil(grain)).min(struck);
        let hold = usize::try_from(terms.hold.as_nanos().div_ceil(grain)).unwrap_or(usize::MAX);
        let (quiet, hold) = (warm..struck, hold.max(1));
        let mut judge = Judge {
            grain: pulse.grain,
            slots,
            terms,
            before: Level::default(),
            quiet,
            hold,
            struck,
            healed,
        };
        judge.before = judge.level(judge.quiet.clone());
        judge
    }

    fn verdict(&self) -> Recovery {
        let end = self.slots.len();
        let drain = self.terms.drain.or_else(|| self.drain());
        Recovery {
            trigger: self.terms.trigger,
            before: self.before,
            last: self.level(end.saturating_sub(self.hold)..end),
            hold: self.terms.hold,
            drain,
            state: self.state(drain),
        }
    }

    fn state(&self, drain: Option<Span>) -> RecoveryState {
        if let Err(why) = self.healthy() {
            return RecoveryState::Unhealthy { why };
        }
        let first = self.recovered();
        match first {
            Some(at) if at == self.healed && !self.is_degraded(self.struck..at + self.hold) => {
                RecoveryState::Undisturbed
            }
            Some(at) => {
                let at = self.time(at);
                RecoveryState::Recovered { at, after: at.since(self.terms.trigger.1) }
            }
            None => match self.could_have_recovered(drain) {
                Ok(()) => RecoveryState::Metastable,
                Err(why) => RecoveryState::Undecided { why },
            },
        }
    }

    /// Why the system was not well before the trigger, if it was not.
    fn healthy(&self) -> Result<(), String> {
        let ended = self.before.ended();
        if ended < SAMPLES_MIN {
            let s = if ended == 1 { "" } else { "s" };
            return Err(format!("{ended} intent{s} had ended by then, fewer than {SAMPLES_MIN}"));
        }
        if self.before.offered == 0 {
            return Err("no intent arose between the warm-up and then".to_owned());
        }
        let share = self.before.success_share().expect("some ended");
        if share < self.terms.healthy || self.before.goodput == 0 {
            let (share, least) = (100.0 * share, 100.0 * self.terms.healthy);
            return Err(format!("{share:.1} % of {ended} intents succeeded, less than {least} %"));
        }
        Ok(())
    }

    /// The beginning of the first stretch after the trigger in which all was well, unless it
    /// relapsed after that.
    fn recovered(&self) -> Option<usize> {
        let mut stretch = Stretch::new(self.slots, self.healed, self.hold)?;
        let mut recovered = None;
        loop {
            match recovered {
                None if self.is_well(&stretch) => recovered = Some(stretch.range.start),
                Some(_) if self.is_down(&stretch) => recovered = None,
                _ => {}
            }
            if !stretch.slide() {
                return recovered;
            }
        }
    }

    fn is_well(&self, stretch: &Stretch) -> bool {
        let before = self.before.goodput_ratio().expect("it was healthy");
        let median = self.before.latency_p50.expect("it was healthy");
        let (offered, goodput) = (stretch.offered, stretch.goodput as f64);
        offered >= OFFERED_MIN
            && goodput * self.terms.within >= before * offered as f64
            && stretch.median().is_some_and(|now| now <= median * self.terms.within)
    }

    fn is_down(&self, stretch: &Stretch) -> bool {
        let before = self.before.goodput_ratio().expect("it was healthy");
        let (offered, goodput) = (stretch.offered, stretch.goodput as f64);
        offered >= OFFERED_MIN && goodput < RELAPSE * before * offered as f64
    }

    /// Some short stretch is out of bounds by more than chance explains: three standard
    /// deviations of a count, or of the number of latencies above a median.
    fn is_degraded(&self, range: Range<usize>) -> bool {
        let before = self.before.goodput_ratio().expect("it was healthy");
        let bound = self.before.latency_p50.expect("it was healthy") * self.terms.within;
        let range = range.start..range.end.min(self.slots.len());
        let length = (self.hold / 10).max(1).min(range.len());
        let slots = &self.slots[range];
        slots.windows(length.max(1)).any(|short| {
            let sum = |of: fn(&Slot) -> u32| short.iter().map(|s| f64::from(of(s))).sum::<f64>();
            let (offered, goodput) = (sum(|s| s.offered), sum(|s| s.goodput));
            let short_of = before * offered / self.terms.within - goodput;
            let latencies = short.iter().flat_map(|slot| &slot.latencies);
            let (mut slow, mut all) = (0.0, 0.0);
            for &(bucket, count) in latencies {
                all += f64::from(count);
                if pulse::latency(bucket.into()) > bound {
                    slow += f64::from(count);
                }
            }
            short_of > 3.0 * math::sqrt(offered) || slow - all / 2.0 > 1.5 * math::sqrt(all)
        })
    }

    /// What the run lacks to show that the system stays down on its own, if it lacks anything.
    fn could_have_recovered(&self, drain: Option<Span>) -> Result<(), String> {
        let slots = self.slots;
        let (end, trigger_end) = (self.time(slots.len()), self.terms.trigger.1);
        if self.healed + self.hold > slots.len() {
            let hold = self.terms.hold;
            return Err(format!("the load ends less than {hold} after the trigger"));
        }
        let last = &slots[slots.len() - self.hold..];
        if last.iter().map(|slot| u64::from(slot.offered)).sum::<u64>() < OFFERED_MIN {
            return Err("hardly anybody came by then".to_owned());
        }
        let Some(drain) = drain else {
            return Err("the load is all that the bottleneck can carry, so that its backlog \
                        may take for ever to drain"
                .to_owned());
        };
        if trigger_end + drain + self.terms.hold > end {
            let needed = seconds(drain + self.terms.hold);
            return Err(format!(
                "its backlog may take longer to drain; {needed} after the trigger would tell"
            ));
        }
        if self.terms.drain.is_none() && self.may_drain() {
            return Err("its backlog may yet drain; a longer run would tell".to_owned());
        }
        Ok(())
    }

    /// How long the backlog at the trigger's end may take to drain. The backlog is what waits at
    /// the service with the longest queue, and what users still wait for. It drains by the capacity
    /// that the service has to spare; `None` when it has none.
    fn drain(&self) -> Option<Span> {
        let slots = self.slots;
        let least = self.terms.hold;
        let Some(at) = self.healed.checked_sub(1).filter(|at| *at < slots.len()) else {
            return Some(least);
        };
        let flows = slots[at].flows.iter().map(|flow| flow.waiting);
        let Some((bottleneck, waiting)) =
            flows.enumerate().max_by_key(|(n, waiting)| (*waiting, std::cmp::Reverse(*n)))
        else {
            return Some(least);
        };
        if waiting == 0 {
            return Some(least);
        }
        let so_far = self.level(0..at + 1);
        let open = so_far.offered.saturating_sub(so_far.ended());
        let backlog = f64::from(waiting) + open as f64;
        let per_slot = |of: u64, slots: usize| of as f64 / slots as f64;
        let sustained = (self.hold / 3).max(1).min(slots.len());
        let completed = |stretch: &[Slot]| {
            stretch.iter().map(|slot| u64::from(slot.flows[bottleneck].completed)).sum::<u64>()
        };
        let capacity = slots.windows(sustained).map(completed).max().unwrap_or(0);
        let quiet = &slots[self.quiet.clone()];
        let arrived = quiet.iter().map(|slot| u64::from(slot.flows[bottleneck].arrived)).sum();
        let spare = per_slot(capacity, sustained) - per_slot(arrived, quiet.len().max(1));
        if spare <= 0.0 {
            return None;
        }
        let grain = self.grain.as_secs_f64();
        let drain = Span::from_secs_f64(DRAIN_SAFETY * backlog / spare * grain);
        Some(drain.max(least))
    }

    /// A backlog is left, and it may yet drain: it has become smaller since the trigger, or chance
    /// carries it about so that its direction is not known.
    ///
    /// Chance does so near the threshold. What the trigger left has come by the second half of the
    /// time since. The flow of requests in that half may then carry the backlog off within two
    /// standard deviations, and the backlog moves as such a flow does. A backlog that something
    /// holds in place does not move so.
    fn may_drain(&self) -> bool {
        let slots = &self.slots[self.healed..];
        let last = &slots[slots.len() - self.hold..];
        let waiting = |stretch: &[Slot], n: usize| {
            let sum: u64 = stretch.iter().map(|slot| u64::from(slot.flows[n].waiting)).sum();
            sum as f64 / stretch.len().max(1) as f64
        };
        let services = 0..last[0].flows.len();
        let longest = services.max_by(|a, b| waiting(last, *a).total_cmp(&waiting(last, *b)));
        let Some(n) = longest else { return false };
        let quiet = &self.slots[self.quiet.clone()];
        let left = waiting(last, n);
        if left < 1.0 + 2.0 * waiting(quiet, n) {
            return false;
        }
        let (half, hold) = (slots.len() / 2, self.hold);
        let means = |slots: &[Slot]| -> (f64, f64) {
            let means = slots.windows(hold).map(|stretch| waiting(stretch, n));
            means.fold((f64::MAX, 0.0), |(min, max), mean| (mean.min(min), mean.max(max)))
        };
        let (_, most) = means(&slots[..half.max(hold)]);
        if left < SHRINKING * most {
            return true;
        }
        let late = &slots[half.min(slots.len() - hold)..];
        let (came, went, batch) = self.flow(n, late);
        let chance = math::sqrt(batch * came + went);
        let (least, most) = means(late);
        came - went < 2.0 * chance && most - least > chance / 8.0
    }

    /// Requests that came to a service in some slots, those that it completed, and how many come at
    /// once: a decision brings its retries with it.
    fn flow(&self, service: usize, slots: &[Slot]) -> (f64, f64, f64) {
        let quiet = &self.slots[self.quiet.clone()];
        let count = |stretch: &[Slot], of: fn(&Flow) -> u32| {
            stretch.iter().map(|slot| f64::from(of(&slot.flows[service]))).sum::<f64>()
        };
        let (came, went) = (count(slots, |flow| flow.arrived), count(slots, |flow| flow.completed));
        let due = count(quiet, |flow| flow.arrived) * slots.len() as f64 / quiet.len() as f64;
        (came, went, if due > 0.0 { (came / due).max(1.0) } else { 1.0 })
    }

    fn level(&self, range: Range<usize>) -> Level {
        let (from, to) = (self.time(range.start), self.time(range.end));
        let empty = Level { from, to, ..Level::default() };
        let length = range.len();
        let Some(stretch) = Stretch::new(self.slots, range.start, length) else {
            return empty;
        };
        let missed = self.slots[range].iter().map(|slot| u64::from(slot.missed)).sum();
        let Stretch { offered, goodput, .. } = stretch;
        Level { offered, goodput, missed, latency_p50: stretch.median(), ..empty }
    }

    fn time(&self, slot: usize) -> Time {
        Time::ZERO + self.grain * slot as u64
    }
}

/// A stretch of slots that slides.
struct Stretch<'a> {
    slots: &'a [Slot],
    range: Range<usize>,
    offered: u64,
    goodput: u64,
    /// By bucket.
    latencies: Vec<u32>,
    samples: u64,
}

impl<'a> Stretch<'a> {
    /// The first `length` slots from `start` on; `None` when there are not so many.
    fn new(slots: &'a [Slot], start: usize, length: usize) -> Option<Stretch<'a>> {
        let range = start..start.checked_add(length)?;
        let first = slots.get(range.clone())?;
        let latencies = vec![0; pulse::BUCKETS];
        let mut stretch = Stretch { slots, range, offered: 0, goodput: 0, latencies, samples: 0 };
        first.iter().for_each(|slot| stretch.enter(slot));
        Some(stretch)
    }

    /// Goes on by one slot; false at the end.
    fn slide(&mut self) -> bool {
        let Some(next) = self.slots.get(self.range.end) else { return false };
        self.enter(next);
        self.leave(&self.slots[self.range.start]);
        self.range = self.range.start + 1..self.range.end + 1;
        true
    }

    fn enter(&mut self, slot: &Slot) {
        self.offered += u64::from(slot.offered);
        self.goodput += u64::from(slot.goodput);
        for &(bucket, count) in &slot.latencies {
            self.latencies[usize::from(bucket)] += count;
            self.samples += u64::from(count);
        }
    }

    fn leave(&mut self, slot: &Slot) {
        self.offered -= u64::from(slot.offered);
        self.goodput -= u64::from(slot.goodput);
        for &(bucket, count) in &slot.latencies {
            self.latencies[usize::from(bucket)] -= count;
            self.samples -= u64::from(count);
        }
    }

    fn median(&self) -> Option<Span> {
        let rank = self.samples.div_ceil(2).max(1);
        let mut seen = 0;
        let reaches = |count: &u32| {
            seen += u64::from(*count);
            seen >= rank
        };
        self.latencies.iter().position(reaches).map(pulse::latency)
    }
}
