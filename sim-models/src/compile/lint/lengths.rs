//! How long calls and programs may take.
//!
//! Of a call only what its policies bound is known: one without a timeout may take without end. Work
//! and sleep count by their 99th percentile.

use std::collections::BTreeMap;

use sim_core::{Purpose, Span, Streams, Time};
use sim_policies::bulkhead::Bulkhead;
use sim_policies::{Advice, Decision, Ending, Failed};

use super::super::builder::Builder;
use crate::plan::{
    ActorKind, DistId, Instr, Last, LayerPlan, Pc, Plan, ProgramId, RetryPlan, Site, SiteId, Target,
};

/// A retry that goes on for more attempts is taken to go on without end.
const ATTEMPTS_MAX: u32 = 1_000;

/// A call with all the time that its policies allow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Longest {
    /// From the first attempt until the last one is sent, at least.
    pub(super) last_sent: Span,
    /// Until the call has ended; `None` when nothing bounds it.
    pub(super) ends: Option<Span>,
}

impl Longest {
    /// A call without policies.
    const BARE: Longest = Longest { last_sent: Span::ZERO, ends: None };

    /// As long as is certain: what nothing bounds counts until its last attempt is sent.
    pub(super) fn at_least(self) -> Span {
        self.ends.unwrap_or(self.last_sent)
    }

    fn later(self, by: Span) -> Longest {
        Longest { last_sent: self.last_sent + by, ends: self.ends.map(|ends| ends + by) }
    }

    fn within(self, bound: Span) -> Longest {
        let ends = self.ends.map_or(bound, |ends| ends.min(bound));
        Longest { last_sent: self.last_sent.min(bound), ends: Some(ends) }
    }
}

/// A series of attempts, each of which fails after as long as it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Series {
    /// How many, or `None` when there is no end of them.
    pub(super) attempts: Option<u32>,
    /// From the first attempt to the last.
    pub(super) last_sent: Span,
    /// From the first attempt until the last one has failed.
    pub(super) lasts: Span,
}

/// All attempts of a retry when each fails after `attempt`, and chance draws `draw` for each wait.
pub(super) fn series(plan: &RetryPlan, attempt: Span, draw: u64) -> Series {
    let RetryPlan { retry, .. } = plan;
    let endings = [Ending::TimedOut, Ending::Status(503), Ending::Status(500), Ending::Reset];
    let Some(ending) = endings.into_iter().find(|ending| retry.repeats(*ending)) else {
        return Series { attempts: Some(1), last_sent: Span::ZERO, lasts: attempt };
    };
    let mut state = retry.start(Time::ZERO);
    let (mut last_sent, mut now) = (Span::ZERO, Span::ZERO);
    for attempts in 1..=ATTEMPTS_MAX {
        now += attempt;
        match retry.decide(&mut state, Time::ZERO + now, Failed::new(ending, Advice::None), draw) {
            Decision::Again { after, .. } => {
                now += after;
                last_sent = now;
            }
            Decision::GiveUp(_) => {
                return Series { attempts: Some(attempts), last_sent, lasts: now };
            }
        }
    }
    Series { attempts: None, last_sent, lasts: now }
}

/// The longest wait for a permit of a bulkhead; `None` when nothing bounds it.
pub(super) fn longest_wait(bulkhead: &Bulkhead) -> Option<Span> {
    match bulkhead.places() {
        0 => Some(Span::ZERO),
        _ => bulkhead.longest_wait(),
    }
}

/// After how long a layer stops waiting.
pub(super) fn bound(layer: &LayerPlan) -> Option<Span> {
    match layer {
        LayerPlan::Timeout(timeout) => Some(timeout.after),
        LayerPlan::Deadline(bound) => Some(*bound),
        _ => None,
    }
}

/// What policies make of a call, the outermost first.
pub(super) fn longest(layers: &[LayerPlan]) -> Longest {
    layers.iter().rev().fold(Longest::BARE, |inner, layer| match layer {
        LayerPlan::Deadline(bound) => inner.within(*bound),
        LayerPlan::Timeout(timeout) if timeout.cancels => inner.within(timeout.after),
        // What it leaves running goes on to send.
        LayerPlan::Timeout(timeout) => {
            Longest { last_sent: inner.last_sent, ..inner.within(timeout.after) }
        }
        LayerPlan::Retry(retry) => {
            let series = series(retry, inner.at_least(), u64::MAX);
            let is_bounded = inner.ends.is_some() && series.attempts.is_some();
            Longest {
                last_sent: series.last_sent + inner.last_sent,
                ends: is_bounded.then_some(series.lasts),
            }
        }
        LayerPlan::Bulkhead(config) => {
            let bulkhead = Bulkhead::new(config).expect("it was checked");
            match longest_wait(&bulkhead) {
                Some(wait) => inner.later(wait),
                None => Longest { ends: None, ..inner },
            }
        }
        LayerPlan::RateLimiter(limiter) => inner.later(limiter.wait),
        LayerPlan::Connections(config) => inner.later(config.connect),
        _ => inner,
    })
}

/// A length, and the call without a timeout that makes it endless, if one does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Length {
    pub(super) span: Span,
    pub(super) endless: Option<SiteId>,
}

impl Length {
    const NONE: Length = Length { span: Span::ZERO, endless: None };

    fn of(span: Span) -> Length {
        Length { span, endless: None }
    }

    fn then(self, next: Length) -> Length {
        Length { span: self.span + next.span, endless: self.endless.or(next.endless) }
    }

    fn times(self, times: u32) -> Length {
        Length { span: self.span * u64::from(times), ..self }
    }

    /// Whichever is longer.
    pub(super) fn or(self, other: Length) -> Length {
        let key = |length: &Length| (length.endless.is_some(), length.span);
        if key(&other) > key(&self) { other } else { self }
    }

    /// Whether it may be longer than a bound.
    pub(super) fn exceeds(self, bound: Span) -> bool {
        self.endless.is_some() || self.span > bound
    }
}

/// The 99th percentile of so many samples from a stream of their own stands for that of a
/// distribution.
const SAMPLES: usize = 1_000;

impl Builder<'_> {
    /// Where the code of a program ends.
    pub(super) fn end_of_code(&self, program: ProgramId) -> usize {
        let entry = self.plan.programs[program.index()].entry;
        let entries = self.plan.programs.iter().map(|program| program.entry);
        let next = entries.filter(|other| *other > entry).min();
        next.map_or(self.plan.code.len(), |next| next.index())
    }

    /// The longest that a site's policies, and the patience of its client, let it take.
    pub(super) fn longest(&self, site: &Site) -> Longest {
        let longest = longest(&self.plan.stacks[site.stack.index()].layers);
        let (from, _) = self.plan.pairs[site.pair.index()];
        match &self.plan.actors[from.index()].kind {
            ActorKind::Client(client) => match client.patience {
                Some(patience) => longest.within(patience),
                None => longest,
            },
            _ => longest,
        }
    }
}

/// How long pieces of code may take.
pub(super) struct Lengths<'a> {
    plan: &'a Plan,
    /// One round of each loop, by where it begins.
    rounds: BTreeMap<usize, Length>,
    samples: BTreeMap<DistId, Span>,
}

impl<'a> Lengths<'a> {
    pub(super) fn new(plan: &'a Plan) -> Lengths<'a> {
        Lengths { plan, rounds: BTreeMap::new(), samples: BTreeMap::new() }
    }

    /// The longest way from the first instruction to the last of a piece. What lies beyond it takes
    /// no time.
    pub(super) fn of(&mut self, from: usize, end: usize) -> Length {
        // From back to front: but for the ends of loops, code jumps forwards only.
        let mut left = vec![Length::NONE; end.saturating_sub(from) + 1];
        for at in (from..end).rev() {
            left[at - from] = self.at(at, end, |to: Pc| {
                let to = to.index();
                if to > at && to <= end { left[to - from] } else { Length::NONE }
            });
        }
        left[0]
    }

    fn at(&mut self, at: usize, end: usize, left: impl Fn(Pc) -> Length) -> Length {
        let next = || left(Pc::nth(at + 1));
        let plan = self.plan;
        match plan.code[at] {
            Instr::Work(dist) | Instr::Sleep(dist) => self.sample(dist).then(next()),
            Instr::Call(site) => self.call(site).then(next()),
            Instr::Jump(to) | Instr::Break { to, .. } | Instr::Finally(to) => left(to),
            Instr::Unless { to, .. } => next().or(left(to)),
            Instr::Round { times, exit, .. } => {
                let round = match self.rounds.get(&at) {
                    Some(round) => *round,
                    None => self.of(at + 1, exit.index().min(end)),
                };
                self.rounds.insert(at, round);
                round.times(times).then(left(exit))
            }
            Instr::Try { catch, last } => {
                let handler = catch.or(match last {
                    Some(Last::Finally(to) | Last::Undo(to)) => Some(to),
                    None => None,
                });
                match handler {
                    // The body may fail at its end.
                    Some(to) if to.index() <= end => {
                        next().or(self.of(at + 1, to.index()).then(left(to)))
                    }
                    _ => next(),
                }
            }
            Instr::Fork(fork) => {
                let branches = plan.forks[fork.index()].iter();
                branches.fold(Length::NONE, |longest, to| longest.or(left(*to))).then(next())
            }
            Instr::Spawn { then } => left(then),
            Instr::LookUp(cached) => {
                let cached = plan.cached[cached.index()];
                left(cached.body).then(left(cached.exit))
            }
            Instr::Respond(_)
            | Instr::Fail(_)
            | Instr::Raise(_)
            | Instr::EndBranch
            | Instr::End => Length::NONE,
            Instr::Let { .. }
            | Instr::Add { .. }
            | Instr::EndTry
            | Instr::EndFinally
            | Instr::EndCatch
            | Instr::Adopt(_)
            | Instr::Effect(_)
            | Instr::Refunded(_)
            | Instr::Point(_) => next(),
        }
    }

    fn sample(&mut self, id: DistId) -> Length {
        let dist = &self.plan.dists[id.index()];
        let percentile = self.samples.entry(id).or_insert_with(|| {
            let mut draws = Streams::new(0).open(Purpose(0), 0);
            let mut samples: Vec<f64> = (0..SAMPLES).map(|_| dist.sample(&mut draws)).collect();
            samples.sort_by(f64::total_cmp);
            Span::from_secs_f64(samples[SAMPLES * 99 / 100])
        });
        Length::of(*percentile)
    }

    /// A store, or a broker, that does not answer is a matter of its own.
    fn call(&self, id: SiteId) -> Length {
        let site = &self.plan.sites[id.index()];
        match longest(&self.plan.stacks[site.stack.index()].layers).ends {
            Some(ends) => Length::of(ends),
            None if matches!(site.target, Target::Kv(_) | Target::Queue { .. }) => Length::NONE,
            None => Length { span: Span::ZERO, endless: Some(id) },
        }
    }
}
