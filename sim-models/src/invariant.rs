//! Invariants: what must hold, watched read-only.
//!
//! A [`Watch`] sees effects, endings, arrivals and retries as they happen, and the whole run at
//! its end. It cannot draw or schedule, so that checking never changes a run. A promise that
//! nothing in the run put to the test is *vacuous*, not kept.

use sim_core::{Span, Time};

use crate::ledger::Ledger;
use crate::metrics::Peak;
use crate::outcome::{InvariantResult, InvariantVerdict, Violation};
use crate::plan::{ActorId, BreakerId, KindId, PairId, Plan};
use crate::policy::Fate;
use crate::policy::breaker::StateName;
use crate::world::World;

/// An invariant of a compiled scenario.
#[derive(Clone, Debug)]
pub(crate) struct InvariantPlan {
    /// As the scenario spells it.
    pub name: String,
    pub rule: Rule,
}

/// What must hold.
#[derive(Clone, Debug)]
pub(crate) enum Rule {
    ExactlyOnce(KindId),
    AtMostOnce(KindId),
    AckedImpliesDone(KindId),
    FailedImpliesNone(KindId),
    AllAnswered,
    RecoversWithin(Span),
    Goodput { client: ActorId, at_least: f64, from: Time, until: Time },
    PeakArrivals { at: ActorId, max: u64, window: Span, retries_only: bool },
    Transitions { breaker: BreakerId, expect: Vec<(Time, StateName)> },
    RetryWaits { pair: PairId, between: Vec<(Span, Span)> },
}

/// The share of submissions that must succeed for a run to count as recovered.
const RECOVERED: f64 = 0.9;

/// Watches all invariants of one run.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    checks: Vec<Check>,
}

#[derive(Clone, Debug)]
struct Check {
    rule: Rule,
    tally: Tally,
    findings: Findings,
}

/// What a rule counts while the run lasts.
#[derive(Clone, Debug)]
enum Tally {
    /// The ledger, the intents or the metrics tell all.
    Nothing,
    /// Submissions that began in the stretch of interest, and those of them that succeeded.
    Share { begun: u64, succeeded: u64 },
    /// When the last fault heals is not known until the end: all beginnings, and the successes
    /// with their beginning and latency.
    Recovery { beginnings: Vec<Time>, successes: Vec<(Time, Span)> },
    /// Arrivals, and whether their window holds too many at present.
    Peak { peak: Peak, too_full: bool },
    /// Per retry number: whether it was seen.
    Waits { seen: Vec<bool> },
}

/// What was found of one invariant.
#[derive(Clone, Debug, Default)]
struct Findings {
    exercised: bool,
    violations: u64,
    first: Option<Found>,
}

/// An instant and the step of the run at which something happened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub at: Time,
    pub step: u64,
}

/// A violation whose names are still numbers.
#[derive(Clone, Debug)]
struct Found {
    at: Moment,
    intent: Option<u32>,
    witness: String,
}

impl Check {
    fn new(rule: Rule) -> Check {
        let tally = match &rule {
            Rule::Goodput { .. } => Tally::Share { begun: 0, succeeded: 0 },
            Rule::RecoversWithin(_) => {
                Tally::Recovery { beginnings: Vec::new(), successes: Vec::new() }
            }
            Rule::PeakArrivals { window, .. } => {
                Tally::Peak { peak: Peak::new(*window), too_full: false }
            }
            Rule::RetryWaits { between, .. } => Tally::Waits { seen: vec![false; between.len()] },
            _ => Tally::Nothing,
        };
        Check { rule, tally, findings: Findings::default() }
    }
}

impl Findings {
    fn violated(&mut self, found: Found) {
        self.violations += 1;
        if self.first.as_ref().is_none_or(|first| found.at.step < first.at.step) {
            self.first = Some(found);
        }
    }
}

impl Watch {
    pub(crate) fn new(plan: &Plan) -> Watch {
        Watch { checks: plan.invariants.iter().map(|i| Check::new(i.rule.clone())).collect() }
    }

    /// A new effect was recorded.
    pub(crate) fn effect(&mut self, ledger: &Ledger, kind: KindId, intent: u32, now: Moment) {
        for check in &mut self.checks {
            if let Rule::ExactlyOnce(k) | Rule::AtMostOnce(k) = check.rule
                && k == kind
            {
                check.findings.exercised = true;
                if ledger.net(intent, kind) > 1 {
                    // The witness is worded at the end, when names are at hand.
                    let (intent, witness) = (Some(intent), String::new());
                    check.findings.violated(Found { at: now, intent, witness });
                }
            }
        }
    }

    /// A submission of a client began.
    pub(crate) fn submitted(&mut self, client: ActorId, now: Time) {
        for Check { rule, tally, findings } in &mut self.checks {
            match (rule, tally) {
                (Rule::Goodput { client: c, from, until, .. }, Tally::Share { begun, .. })
                    if *c == client && (*from..*until).contains(&now) =>
                {
                    findings.exercised = true;
                    *begun += 1;
                }
                (_, Tally::Recovery { beginnings, .. }) => beginnings.push(now),
                _ => {}
            }
        }
    }

    /// A submission of a client succeeded.
    pub(crate) fn succeeded(&mut self, client: ActorId, begun: Time, now: Time) {
        for Check { rule, tally, .. } in &mut self.checks {
            match (rule, tally) {
                (Rule::Goodput { client: c, from, until, .. }, Tally::Share { succeeded, .. })
                    if *c == client && (*from..*until).contains(&begun) =>
                {
                    *succeeded += 1;
                }
                (_, Tally::Recovery { successes, .. }) => {
                    successes.push((begun, now.since(begun)));
                }
                _ => {}
            }
        }
    }

    /// A request arrived at an actor.
    pub(crate) fn arrived(&mut self, actor: ActorId, retry: bool, now: Moment) {
        for Check { rule, tally, findings } in &mut self.checks {
            if let Rule::PeakArrivals { at, max, retries_only, .. } = *rule
                && let Tally::Peak { peak, too_full } = tally
                && at == actor
                && (retry || !retries_only)
            {
                findings.exercised = true;
                // A window that goes on being too full is one violation.
                let is_too_full = peak.arrive(now.at) > max;
                if is_too_full && !*too_full {
                    findings.violated(Found { at: now, intent: None, witness: String::new() });
                }
                *too_full = is_too_full;
            }
        }
    }

    /// A retry was decided on; `attempt` is its number, 2 being the first retry.
    pub(crate) fn retry(
        &mut self,
        pair: PairId,
        intent: u32,
        attempt: u32,
        wait: Span,
        now: Moment,
    ) {
        for Check { rule, tally, findings } in &mut self.checks {
            let (Rule::RetryWaits { pair: p, between }, Tally::Waits { seen }) = (rule, tally)
            else {
                continue;
            };
            if *p != pair {
                continue;
            }
            findings.exercised = true;
            let retry = attempt as usize - 1;
            let witness = match between.get(retry - 1) {
                Some((low, high)) if (*low..=*high).contains(&wait) => None,
                Some((low, high)) => {
                    Some(format!("retry {retry} waited {wait}; expected {low} to {high}"))
                }
                None => Some(format!("retry {retry} is one too many")),
            };
            if let Some(seen) = seen.get_mut(retry - 1) {
                *seen = true;
            }
            if let Some(witness) = witness {
                findings.violated(Found { at: now, intent: Some(intent), witness });
            }
        }
    }

    /// An estimate of the memory held, in bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        let held = |check: &Check| match &check.tally {
            Tally::Recovery { beginnings, successes } => {
                beginnings.capacity() * size_of::<Time>()
                    + successes.capacity() * size_of::<(Time, Span)>()
            }
            _ => 0,
        };
        self.checks.iter().map(held).sum()
    }

    /// The judgement over every invariant, in the scenario's order.
    pub(crate) fn results(&self, world: &World, end: Moment) -> Vec<InvariantResult> {
        let judge = |(check, plan): (&Check, &InvariantPlan)| {
            let mut findings = check.findings.clone();
            Judge { world, end }.conclude(check, &mut findings);
            let Findings { exercised, violations, first } = findings;
            let verdict = match (violations, exercised) {
                (1.., _) => InvariantVerdict::Violated,
                (0, true) => InvariantVerdict::Kept,
                (0, false) => InvariantVerdict::Vacuous,
            };
            let first = first.map(|found| Violation {
                at: found.at.at,
                step: found.at.step,
                intent: found.intent.map(|intent| world.intent_name(intent)),
                witness: found.witness,
            });
            InvariantResult { name: plan.name.clone(), verdict, violations, first }
        };
        self.checks.iter().zip(&world.plan.invariants).map(judge).collect()
    }
}

/// Judges at the end of a run what only the whole run can tell.
struct Judge<'a> {
    world: &'a World,
    end: Moment,
}

impl Judge<'_> {
    fn conclude(&self, check: &Check, findings: &mut Findings) {
        match (&check.rule, &check.tally) {
            (Rule::AtMostOnce(kind), _) => self.word_duplicate(findings, *kind),
            (Rule::ExactlyOnce(kind) | Rule::AckedImpliesDone(kind), _) => {
                self.word_duplicate(findings, *kind);
                let what = format!("was told success without any {}", self.kind(*kind));
                self.each_told(findings, Fate::Succeeded, *kind, |net| net > 0, &what);
            }
            (Rule::FailedImpliesNone(kind), _) => {
                let what = format!("was told failure, yet there is a {}", self.kind(*kind));
                self.each_told(findings, Fate::Failed, *kind, |net| net == 0, &what);
            }
            (Rule::AllAnswered, _) => self.all_answered(findings),
            (Rule::RecoversWithin(within), Tally::Recovery { beginnings, successes }) => {
                self.recovers(findings, *within, beginnings, successes);
            }
            (Rule::Goodput { at_least, .. }, Tally::Share { begun, succeeded }) => {
                if let Some(witness) = too_few(*succeeded, *begun, *at_least) {
                    self.violated_at_end(findings, witness);
                }
            }
            (Rule::PeakArrivals { max, window, .. }, Tally::Peak { peak, .. }) => {
                if let Some(first) = &mut findings.first {
                    let found = peak.max();
                    first.witness =
                        format!("up to {found} arrivals within {window}; at most {max}");
                }
            }
            (Rule::Transitions { breaker, expect }, _) => {
                self.transitions(findings, *breaker, expect);
            }
            (Rule::RetryWaits { .. }, Tally::Waits { seen }) => {
                if let Some(n) = seen.iter().position(|seen| !seen)
                    && findings.exercised
                {
                    self.violated_at_end(findings, format!("retry {} never came", n + 1));
                }
            }
            _ => unreachable!("each rule has its own tally"),
        }
    }

    fn kind(&self, kind: KindId) -> &str {
        &self.world.plan.kinds[kind.index()]
    }

    fn violated_at_end(&self, findings: &mut Findings, witness: String) {
        findings.exercised = true;
        findings.violated(Found { at: self.end, intent: None, witness });
    }

    /// Words the witness of a duplicate: every effect of the intent, with its instant.
    fn word_duplicate(&self, findings: &mut Findings, kind: KindId) {
        let Some(first) = &mut findings.first else { return };
        let Some(intent) = first.intent else { return };
        let plan = &self.world.plan;
        let entries = self.world.ledger.entries().iter();
        let of_intent =
            entries.filter(|e| (e.kind, e.intent) == (kind, intent) && e.at <= first.at.at);
        let told: Vec<String> = of_intent
            .map(|e| format!("{} at {}", plan.effect_name(kind, e.number), e.at))
            .collect();
        let name = self.world.intent_name(intent);
        first.witness = format!("{name} has {}", told.join(" and "));
    }

    fn each_told(
        &self,
        findings: &mut Findings,
        told: Fate,
        kind: KindId,
        is_right: impl Fn(u32) -> bool,
        what: &str,
    ) {
        for (intent, state) in (0u32..).zip(self.world.intents()) {
            if state.told != Some(told) {
                continue;
            }
            findings.exercised = true;
            if !is_right(self.world.ledger.net(intent, kind)) {
                let witness = format!("{} {what}", self.world.intent_name(intent));
                findings.violated(Found { at: state.told_at, intent: Some(intent), witness });
            }
        }
    }

    fn all_answered(&self, findings: &mut Findings) {
        for (intent, state) in (0u32..).zip(self.world.intents()) {
            findings.exercised |= state.background.is_none();
            if state.submitted > state.ended {
                let name = self.world.intent_name(intent);
                let witness = format!("{name}, begun at {}, has no answer yet", state.begun);
                findings.violated(Found { at: self.end, intent: Some(intent), witness });
            }
        }
    }

    /// Vacuous without a fault, or when nothing began after the deadline.
    fn recovers(
        &self,
        findings: &mut Findings,
        within: Span,
        beginnings: &[Time],
        successes: &[(Time, Span)],
    ) {
        let strikes = self.world.metrics.strikes();
        let Some(healed) = strikes.iter().map(|(_, _, to)| to.unwrap_or(self.end.at)).max() else {
            return;
        };
        let deadline = healed + within;
        let successes = successes.iter().filter(|(begun, _)| *begun >= deadline);
        let slowest = successes.clone().map(|(_, latency)| *latency).max().unwrap_or(Span::ZERO);
        // Who came too late to be done by the end says nothing.
        let latest = Time::ZERO + self.end.at.since(Time::ZERO + slowest);
        let counted = |begun: &Time| (deadline..=latest).contains(begun);
        let begun = beginnings.iter().filter(|begun| counted(begun)).count() as u64;
        let succeeded = successes.filter(|(begun, _)| counted(begun)).count() as u64;
        if begun == 0 {
            return;
        }
        findings.exercised = true;
        if let Some(witness) = too_few(succeeded, begun, RECOVERED) {
            self.violated_at_end(findings, format!("from {deadline} on, {witness}"));
        }
    }

    fn transitions(
        &self,
        findings: &mut Findings,
        breaker: BreakerId,
        expect: &[(Time, StateName)],
    ) {
        let metrics = &self.world.metrics;
        let pair = self.world.plan.breakers[breaker.index()].pair;
        findings.exercised = metrics.calls(pair) > 0;
        let seen: Vec<(Time, StateName)> = metrics
            .transitions()
            .iter()
            .filter(|(_, b, _)| *b == breaker)
            .map(|(at, _, transition)| (*at, transition.to))
            .collect();
        let differs = (0..seen.len().max(expect.len())).find(|&n| seen.get(n) != expect.get(n));
        if let Some(n) = differs {
            let show = |entry: Option<&(Time, StateName)>| {
                entry.map_or("nothing".to_owned(), |(at, state)| format!("{state} at {at}"))
            };
            let witness = format!(
                "change {}: expected {}, found {}",
                n + 1,
                show(expect.get(n)),
                show(seen.get(n))
            );
            self.violated_at_end(findings, witness);
        }
    }
}

/// What to say when too few submissions succeeded.
fn too_few(succeeded: u64, begun: u64, at_least: f64) -> Option<String> {
    let share = succeeded as f64 / begun as f64;
    (share < at_least).then(|| {
        let (share, at_least) = (100.0 * share, 100.0 * at_least);
        format!(
            "{succeeded} of {begun} submissions succeeded, {share:.1} %; at least {at_least:.1} %"
        )
    })
}
