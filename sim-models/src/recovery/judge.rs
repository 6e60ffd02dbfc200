//! How a pulse is judged.

use std::ops::Range;

use sim_core::{Span, Time, math};

use super::pulse::{Flow, Pulse, Slot, Track};
use super::stretch::Stretch;
use super::{Failing, Level, Recovery, RecoveryState, SAMPLES_MIN, Undecided, Unhealthy};

/// A stretch in which fewer intents are asked for decides nothing.
const ASKED_MIN: f64 = 10.0;

/// A load below this share of the one before the trigger shows nothing.
const LOAD_MIN: f64 = 0.5;

/// A recovered system whose goodput falls below this share of what it was has relapsed.
const RELAPSE: f64 = 0.5;

/// So many clients are judged one by one.
const CLIENTS_MAX: usize = 32;

/// What is asked of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub trigger: (Time, Time),
    /// What comes before is not looked at.
    pub warmup: Time,
    /// The least share of success before the trigger.
    pub healthy: f64,
    /// By which factor goodput and latencies may be worse than before.
    pub within: f64,
    /// How long it must be well.
    pub hold: Span,
    /// How long an intent may be without an answer.
    pub unanswered_after: Span,
    /// How long a backlog may take to drain; by default it is worked out.
    pub drain: Option<Span>,
}

/// Judges a run: all clients together, and then each. A small client that stays down must not hide
/// behind a large one, so the one that fares worst decides.
pub(crate) fn judge(mut pulse: Pulse, terms: &Terms) -> Recovery {
    pulse.by_beginning(terms.trigger.0);
    let of = |track| Judge::new(&pulse, track, terms);
    let all = of(&pulse.all);
    let drain = terms.drain.or_else(|| all.drain());
    let mut worst = all.verdict(drain);
    for (name, track) in worst_at_the_end(&pulse) {
        let own = of(track).verdict(drain);
        if is_worse(&own, &worst) {
            worst = Recovery { client: Some(name.clone()), ..own };
        }
    }
    worst
}

/// The clients that have the least goodput per intent in the last slots, as many as are judged.
fn worst_at_the_end(pulse: &Pulse) -> impl Iterator<Item = &(String, Track)> {
    let share = |(_, track): &(String, Track)| {
        let last = &track.slots[track.slots.len() - track.slots.len() / 6..];
        let sum = |of: fn(&Slot) -> u32| last.iter().map(|slot| f64::from(of(slot))).sum::<f64>();
        sum(|slot| slot.goodput) / sum(|slot| slot.offered).max(1.0)
    };
    let mut clients: Vec<(f64, &(String, Track))> =
        pulse.clients.iter().map(|client| (share(client), client)).collect();
    clients.sort_by(|a, b| a.0.total_cmp(&b.0));
    clients.into_iter().take(CLIENTS_MAX).map(|(_, client)| client)
}

/// Whether a client says worse of a run than what is known so far. One that was not well before the
/// trigger, or has no load by which to judge, says nothing. Chance moves the recovery of a few
/// users by moments: only one that is later by more than a `hold` is worse.
fn is_worse(own: &Recovery, known: &Recovery) -> bool {
    use RecoveryState::{Metastable, Recovered, Undecided, Undisturbed, Unhealthy};
    match (&own.state, &known.state) {
        (_, Unhealthy(_) | Metastable) | (Unhealthy(_) | Undisturbed, _) => false,
        (Metastable, _) => true,
        (_, Undecided(_)) => false,
        (Undecided(why), _) => why.is_down(),
        (Recovered { after, .. }, Recovered { after: known_after, .. }) => {
            *after > *known_after + own.hold
        }
        (Recovered { after, .. }, Undisturbed) => *after > own.hold,
    }
}

/// How bad the worst percent was before the trigger.
struct Tail {
    /// A latency beyond it.
    bound: Span,
    /// The share of success that took longer in the worst stretch before. Latencies come in
    /// clusters: a stretch is compared with stretches.
    share: f64,
    /// Of so many.
    samples: u64,
}

pub(super) struct Judge<'a> {
    pub grain: Span,
    /// Up to the last in which there is a load: what follows is not one to carry.
    pub slots: &'a [Slot],
    /// What went through the services in the same.
    pub flows: &'a [Vec<Flow>],
    pub terms: &'a Terms,
    pub before: Level,
    /// The slots from the warm-up to the trigger.
    pub quiet: Range<usize>,
    /// Slots of a `hold`.
    pub hold: usize,
    /// Intents that populations raised before the trigger, per slot, and the slot at which they
    /// stop coming.
    population: (f64, usize),
    tail: Tail,
    /// The first slot that the trigger touches, and the first after it.
    struck: usize,
    pub healed: usize,
}

impl<'a> Judge<'a> {
    fn new(pulse: &'a Pulse, track: &'a Track, terms: &'a Terms) -> Judge<'a> {
        let grain = pulse.grain.as_nanos();
        let slot = |n: u64| usize::try_from(n).unwrap_or(usize::MAX).min(track.slots.len());
        let populations = track.population.map_or(0, |until| slot(until.as_nanos() / grain));
        let loaded = track.slots.iter().rposition(|slot| slot.offered > 0);
        let loaded = loaded.map_or(0, |last| last + 1).max(populations);
        let (slots, flows) = (&track.slots[..loaded], &pulse.flows[..loaded]);
        let struck = slot(terms.trigger.0.as_nanos() / grain).min(loaded);
        let healed = slot(terms.trigger.1.as_nanos().div_ceil(grain)).min(loaded);
        let warm = slot(terms.warmup.as_nanos().div_ceil(grain)).min(struck);
        let hold = usize::try_from(terms.hold.as_nanos().div_ceil(grain)).unwrap_or(usize::MAX);
        let (quiet, hold) = (warm..struck, hold.max(1));
        let mut judge = Judge {
            grain: pulse.grain,
            slots,
            flows,
            terms,
            before: Level::default(),
            quiet: quiet.clone(),
            hold,
            population: (0.0, populations),
            tail: Tail { bound: Span::MAX, share: 1.0, samples: 1 },
            struck,
            healed,
        };
        if let Some(before) = Stretch::new(slots, quiet.start, quiet.len()) {
            judge.before = judge.level(&before);
            judge.before.asked = before.offered;
            judge.population.0 = before.returning as f64 / quiet.len().max(1) as f64;
            judge.tail = judge.worst_tail(&before);
        }
        judge
    }

    /// The verdict, where a backlog may take so long to drain; `None` when nothing bounds that.
    fn verdict(&self, drain: Option<Span>) -> Recovery {
        let end = self.slots.len();
        let last = Stretch::new(self.slots, end.saturating_sub(self.hold), self.hold.min(end))
            .expect("it lies within");
        let is_healthy = self.healthy();
        let failing = match is_healthy {
            Ok(()) => self.failing(&last).filter(|_| self.has_load(&last).is_ok()),
            Err(_) => None,
        };
        let recovered = is_healthy.ok().and_then(|()| self.recovered());
        let held_up_by = recovered.and_then(|(_, until)| until);
        let recovered = recovered.map(|(at, _)| at);
        let state = match is_healthy {
            Ok(()) => self.state(recovered, drain),
            Err(why) => RecoveryState::Unhealthy(why),
        };
        Recovery {
            client: None,
            trigger: self.terms.trigger,
            before: self.before,
            last: self.level(&last),
            hold: self.terms.hold,
            drain,
            lull: is_healthy.ok().and_then(|()| self.lull(recovered.unwrap_or(end))),
            failing,
            held_up_by,
            state,
        }
    }

    fn state(&self, recovered: Option<usize>, drain: Option<Span>) -> RecoveryState {
        match recovered {
            Some(at) if at == self.healed && !self.is_degraded(self.struck..at + self.hold) => {
                RecoveryState::Undisturbed
            }
            Some(at) => {
                let at = self.time(at);
                RecoveryState::Recovered { at, after: at.since(self.terms.trigger.1) }
            }
            None => match self.could_have_recovered(drain) {
                Ok(()) => RecoveryState::Metastable,
                Err(why) => RecoveryState::Undecided(why),
            },
        }
    }

    /// Why the system was not well before the trigger, if it was not.
    fn healthy(&self) -> Result<(), Unhealthy> {
        let due = self.before.due();
        if due < SAMPLES_MIN {
            return Err(Unhealthy::TooFew(due));
        }
        if self.before.offered == 0 {
            return Err(Unhealthy::NoLoad);
        }
        let share = self.before.success_share().expect("some were due");
        let least = self.terms.healthy;
        if share < least || self.before.goodput == 0 {
            return Err(Unhealthy::Failing { share, of: due, least });
        }
        Ok(())
    }

    /// The beginning of the first stretch after the trigger in which all was well, unless it
    /// relapsed after that; and what had been out of bounds until then.
    fn recovered(&self) -> Option<(usize, Option<Failing>)> {
        let mut stretch = Stretch::new(self.slots, self.healed, self.hold)?;
        let (mut recovered, mut until) = (None, None);
        loop {
            if self.has_load(&stretch).is_ok() {
                let first = stretch.range.start;
                match recovered {
                    None => {
                        // Empty time before the load is back is no part of a recovery, nor is a
                        // bad beginning that a good end makes up for.
                        let failing = self.failing(&stretch).or_else(|| self.begins_out(first));
                        if failing.is_some() {
                            until = failing;
                        } else if self.has_begun(first) {
                            recovered = Some(first);
                        }
                    }
                    Some(_) if self.ratio(&stretch) < RELAPSE * self.ratio_before() => {
                        recovered = None;
                    }
                    Some(_) => {}
                }
            }
            if !stretch.slide() {
                return recovered.map(|first| (first, until));
            }
        }
    }

    /// What is out of bounds in a short stretch from a slot on, by more than chance explains.
    fn begins_out(&self, slot: usize) -> Option<Failing> {
        let mut shorts =
            (1..=self.short()).filter_map(|length| Stretch::new(self.slots, slot, length));
        shorts.find_map(|short| self.is_out(&short))
    }

    /// Slots of a stretch in which an outage shows.
    fn short(&self) -> usize {
        (self.hold / 10).max(1)
    }

    /// What is out of bounds in a short stretch by more than chance explains: three standard
    /// deviations of a count, or of the number of latencies above a median.
    fn is_out(&self, short: &Stretch<'_>) -> Option<Failing> {
        let (within, before) = (self.terms.within, self.ratio_before());
        let asked = self.asked(&short.range, short.offered, short.returning);
        if before * asked / within - short.goodput as f64 > 3.0 * math::sqrt(asked) {
            return Some(Failing::Goodput { before, now: self.ratio(short) });
        }
        let (before, now) = (self.before.latency_p50?, short.percentile(50)?);
        let (slow, all) = (short.slower_than(before * within) as f64, short.samples() as f64);
        let is_slow = slow - all / 2.0 > 1.5 * math::sqrt(all);
        is_slow.then_some(Failing::Median { before, now })
    }

    /// What is asked for in some slots: the intents that arose, and those that the populations
    /// would have raised at the rate from before the trigger. Who hangs raises no further one.
    fn asked(&self, range: &Range<usize>, offered: u64, returning: u64) -> f64 {
        let (rate, until) = self.population;
        let slots = range.end.min(until).saturating_sub(range.start);
        (offered - returning) as f64 + (returning as f64).max(rate * slots as f64)
    }

    /// The same of a stretch, and those that wait for too long, beyond as many as before.
    fn asked_in(&self, stretch: &Stretch<'_>) -> f64 {
        let unanswered = stretch.unanswered().saturating_sub(self.before.unanswered);
        self.asked(&stretch.range, stretch.offered, stretch.returning) + unanswered as f64
    }

    pub(super) fn ratio(&self, stretch: &Stretch<'_>) -> f64 {
        stretch.goodput as f64 / self.asked_in(stretch)
    }

    pub(super) fn ratio_before(&self) -> f64 {
        self.before.goodput_ratio().expect("it was healthy")
    }

    /// Empty time shows nothing: whether as much is asked for as before, in order of magnitude.
    fn has_load(&self, stretch: &Stretch<'_>) -> Result<(), Undecided> {
        let asked = self.asked_in(stretch);
        let share = asked / self.expected(stretch.range.len());
        if asked < ASKED_MIN || share < LOAD_MIN {
            return Err(Undecided::LoadIsLow(share));
        }
        Ok(())
    }

    /// Intents in so many slots at the rate from before the trigger.
    fn expected(&self, slots: usize) -> f64 {
        self.before.offered as f64 * slots as f64 / self.quiet.len() as f64
    }

    /// What is out of bounds in a stretch that has a load.
    fn failing(&self, stretch: &Stretch<'_>) -> Option<Failing> {
        let (within, before) = (self.terms.within, self.ratio_before());
        let goodput = stretch.goodput as f64;
        let asked = self.asked(&stretch.range, stretch.offered, stretch.returning);
        if goodput * within < before * asked {
            return Some(Failing::Goodput { before, now: self.ratio(stretch) });
        }
        if goodput * within < before * self.asked_in(stretch) {
            let (before, now) = (self.before.unanswered, stretch.unanswered());
            return Some(Failing::Unanswered { before, now, after: self.terms.unanswered_after });
        }
        let (before, now) = (self.before.latency_p50?, stretch.percentile(50)?);
        if now > before * within {
            return Some(Failing::Median { before, now });
        }
        let (before, now) = (self.before.latency_p99?, stretch.percentile(99)?);
        (self.has_bad_tail(stretch) && now > before).then_some(Failing::Tail { before, now })
    }

    fn worst_tail(&self, before: &Stretch<'_>) -> Tail {
        let Some(p99) = before.percentile(99) else {
            return Tail { bound: Span::MAX, share: 1.0, samples: 1 };
        };
        let bound = p99 * self.terms.within;
        let share = |stretch: &Stretch<'_>| {
            stretch.slower_than(bound) as f64 / stretch.samples().max(1) as f64
        };
        let mut worst = share(before);
        let quiet = &self.slots[..self.quiet.end];
        if let Some(mut stretch) = Stretch::new(quiet, self.quiet.start, self.hold) {
            worst = worst.max(share(&stretch));
            while stretch.slide() {
                worst = worst.max(share(&stretch));
            }
        }
        Tail { bound, share: worst.max(0.01), samples: before.samples() }
    }

    /// More take longer than the worst percent before than did in the worst stretch before, by
    /// more than chance explains, here and there.
    fn has_bad_tail(&self, stretch: &Stretch<'_>) -> bool {
        let Tail { bound, share, samples } = self.tail;
        let here = stretch.samples() as f64;
        let due = share * here;
        let chance = math::sqrt(due * (1.0 + here / samples as f64));
        stretch.slower_than(bound) as f64 > due + 3.0 * chance + 3.0
    }

    /// Some short stretch is out of bounds by more than chance explains, or some stretch of a
    /// `hold` has a bad tail.
    fn is_degraded(&self, range: Range<usize>) -> bool {
        let slots = &self.slots[..range.end.min(self.slots.len())];
        let any = |length: usize, is_out: &dyn Fn(&Stretch<'_>) -> bool| {
            let Some(mut stretch) = Stretch::new(slots, range.start, length) else { return false };
            loop {
                if is_out(&stretch) {
                    return true;
                }
                if !stretch.slide() {
                    return false;
                }
            }
        };
        any(self.short(), &|short| self.is_out(short).is_some())
            || any(self.hold, &|stretch| self.has_bad_tail(stretch))
    }

    /// What the run lacks to show that the system stays down on its own, if it lacks anything.
    fn could_have_recovered(&self, drain: Option<Span>) -> Result<(), Undecided> {
        let slots = self.slots;
        let (end, trigger_end) = (self.time(slots.len()), self.terms.trigger.1);
        if self.healed == slots.len() {
            return Err(Undecided::TriggerLasts);
        }
        let Some(last) = slots.len().checked_sub(self.hold).filter(|last| *last >= self.healed)
        else {
            return Err(Undecided::LoadEnds(self.terms.hold));
        };
        let last = Stretch::new(slots, last, self.hold).expect("it lies within");
        self.has_load(&last)?;
        self.load_is_old(&last)?;
        if self.terms.drain.is_none() && self.grows_without_goodput() {
            return Ok(());
        }
        let Some(drain) = drain else { return Err(Undecided::NoSpareCapacity) };
        if trigger_end + drain + self.terms.hold > end {
            return Err(Undecided::DrainsWithin(drain + self.terms.hold));
        }
        if self.terms.drain.is_none() && self.may_drain() {
            return Err(Undecided::MayDrain);
        }
        Ok(())
    }

    /// Whether what arises on its own, whatever the answers, is no more than before, beyond what
    /// chance explains.
    fn load_is_old(&self, stretch: &Stretch<'_>) -> Result<(), Undecided> {
        let open = (stretch.offered - stretch.returning) as f64;
        let expected =
            self.expected(stretch.range.len()) - self.population.0 * stretch.range.len() as f64;
        if open > self.terms.within * expected + 3.0 * math::sqrt(expected.max(1.0)) {
            return Err(Undecided::LoadIsHigh(open / expected.max(1.0)));
        }
        Ok(())
    }

    /// Less than half of the load comes in the third of a `hold` from some slot on, by more than
    /// chance explains.
    fn is_low(&self, from: usize) -> bool {
        let range = from..from + (self.hold / 3).max(1);
        let Some(slots) = self.slots.get(range.clone()) else { return false };
        let expected = self.expected(slots.len());
        let sum = |of: fn(&Slot) -> u32| slots.iter().map(|slot| u64::from(of(slot))).sum();
        let asked = self.asked(&range, sum(|slot| slot.offered), sum(|slot| slot.returning));
        expected >= ASKED_MIN && asked < LOAD_MIN * expected - 3.0 * math::sqrt(asked)
    }

    /// Half of the load or more comes in a slot.
    fn is_full(&self, slot: usize) -> bool {
        let Slot { offered, returning, .. } = self.slots[slot];
        let asked = self.asked(&(slot..slot + 1), offered.into(), returning.into());
        asked >= LOAD_MIN * self.expected(1)
    }

    /// The load is there from a slot on, and not only later in its stretch.
    fn has_begun(&self, slot: usize) -> bool {
        !self.is_low(slot) && (slot == self.healed || self.is_full(slot))
    }

    /// From the first to the last slot after the trigger, and before some other, in which the load
    /// is low.
    fn lull(&self, before: usize) -> Option<(Time, Time)> {
        let mut low = (self.healed..before).filter(|from| self.is_low(*from));
        let first = low.next()?;
        let last = low.next_back().unwrap_or(first) + (self.hold / 3).max(1);
        // At its edges the load may still have been there.
        let first = (first..last).find(|n| !self.is_full(*n))?;
        let last = (first..last).rfind(|n| !self.is_full(*n))?;
        Some((self.time(first), self.time(last + 1)))
    }

    fn level(&self, stretch: &Stretch<'_>) -> Level {
        Level {
            from: self.time(stretch.range.start),
            to: self.time(stretch.range.end),
            offered: stretch.offered,
            asked: self.asked_in(stretch).round() as u64,
            goodput: stretch.goodput,
            missed: stretch.missed,
            unanswered: stretch.unanswered(),
            latency_p50: stretch.percentile(50),
            latency_p99: stretch.percentile(99),
        }
    }

    fn time(&self, slot: usize) -> Time {
        Time::ZERO + self.grain * slot as u64
    }
}
