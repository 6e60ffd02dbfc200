//! Strategies for property tests: seeds, and fault plans that fit a scenario.
//!
//! A fault plan is drawn as an explicit list, run as it stands, and printed as RON, so that the
//! smallest plan that breaks a promise can be pasted into the `faults` of a scenario file. It
//! shrinks to fewer faults first, then to earlier, shorter and plainer ones.
//!
//! A fault strikes at any instant of the run, or at any labelled point of a program, and heals
//! within half of the horizon. Whoever wants other faults passes their own list to
//! [`Scenario::with_faults`].
//!
//! ```
//! use proptest::prelude::*;
//! use sim_models::Scenario;
//! use sim_models::outcome::Verdict;
//! use sim_models::strategies::{FaultPlans, seeds};
//!
//! let text = r#"Scenario(
//!     name: "hello", about: "A patient client.", horizon: "60s",
//!     actors: {
//!         "users": Client(load: Burst(count: 3), does: [Call("api.hello", policy: "p")]),
//!         "api": Service(workers: 1, endpoints: { "hello": [Work(Const("20ms"))] }),
//!     },
//!     policies: { "p": [Retry(attempts: 3, backoff: Constant("1s")), Timeout("2s")] },
//!     invariants: [AllAnswered],
//! )"#;
//! let scenario = Scenario::text("hello.ron", text).load().unwrap();
//! proptest!(ProptestConfig::with_cases(20), |(
//!     seed in seeds(),
//!     faults in FaultPlans::of(&scenario).at_most(4).strategy(),
//! )| {
//!     let outcome = faults.strike(&scenario).run(seed);
//!     prop_assert_ne!(outcome.verdict, Verdict::Violated);
//! });
//! ```

use std::fmt;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use sim_core::Span;
use sim_redis::Eviction;

use crate::Scenario;
use crate::language::{Fault, FaultPlan};

/// Any seed; shrinks towards 0.
pub fn seeds() -> impl Strategy<Value = u64> {
    any::<u64>()
}

/// A list of faults that reads and prints as RON.
#[derive(Clone)]
pub struct FaultList(Vec<FaultPlan>);

impl FaultList {
    /// The faults, in no order of time.
    pub fn plans(&self) -> &[FaultPlan] {
        &self.0
    }

    /// The scenario with these faults in place of its own.
    ///
    /// # Panics
    /// When they name what the scenario does not have: they were drawn for another one.
    pub fn strike(&self, scenario: &Scenario) -> Scenario {
        match scenario.with_faults(&self.to_string()) {
            Ok(scenario) => scenario,
            Err(error) => panic!("{self} does not fit {}: {error}", scenario.name()),
        }
    }
}

impl fmt::Display for FaultList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[\n")?;
        for plan in &self.0 {
            writeln!(f, "    {},", ron::to_string(plan).map_err(|_| fmt::Error)?)?;
        }
        f.write_str("]")
    }
}

/// As [`Display`](fmt::Display): a failing case of a property test is printed by this.
impl fmt::Debug for FaultList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Which faults are drawn for a scenario: at first all that fit it, at most six at a time.
#[derive(Clone, Debug)]
pub struct FaultPlans {
    /// Each kind of fault at each place where it fits, at full strength, the plainest first.
    faults: Vec<Fault>,
    /// Those that need a point to strike at.
    point_faults: Vec<Fault>,
    points: Vec<String>,
    horizon: Span,
    count_max: usize,
}

impl FaultPlans {
    /// All faults that fit `scenario`.
    pub fn of(scenario: &Scenario) -> FaultPlans {
        let (services, stores) = (scenario.services(), scenario.stores());
        let mut faults = Vec::new();
        for actor in services.iter().chain(&stores).chain(&scenario.custom_actors()) {
            faults.extend(actor_faults(actor));
        }
        for (caller, callee) in scenario.hops() {
            faults.extend(route_faults(caller, callee));
            faults.extend(route_faults(callee, caller));
        }
        for store in &stores {
            faults.extend(store_faults(store));
        }
        for store in scenario.replicated_stores() {
            faults.push(Fault::Failover { store: store.to_owned() });
        }
        for actor in scenario.clocks() {
            faults.extend(clock_faults(actor));
        }
        FaultPlans {
            faults,
            point_faults: vec![Fault::Throw { status: 500 }, Fault::Stall],
            points: scenario.points().to_vec(),
            horizon: scenario.horizon(),
            count_max: 6,
        }
    }

    /// Only faults of which `wanted` is true; it is asked about each at full strength.
    #[must_use]
    pub fn only(mut self, wanted: impl Fn(&Fault) -> bool) -> FaultPlans {
        self.faults.retain(&wanted);
        self.point_faults.retain(wanted);
        self
    }

    /// At most `count_max` faults in a plan.
    #[must_use]
    pub fn at_most(mut self, count_max: usize) -> FaultPlans {
        self.count_max = count_max;
        self
    }

    /// Draws from no fault to as many as allowed.
    pub fn strategy(&self) -> BoxedStrategy<FaultList> {
        if self.faults.is_empty() && (self.point_faults.is_empty() || self.points.is_empty()) {
            return Just(FaultList(Vec::new())).boxed();
        }
        let fault =
            (select(self.faults.clone()), 0..3usize).prop_map(|(fault, n)| weaker(fault, n));
        // Whole milliseconds, and at least one: no fault lasts for zero time.
        let horizon = self.horizon.as_nanos() / 1_000_000;
        let lasts = (1..=(horizon / 2).max(1)).prop_map(|ms| Some(Span::millis(ms)));
        let when = self.triggers(horizon);
        let plan = (when, lasts.clone(), fault).prop_map(|(when, lasts, fault)| match when {
            When::At(at) => FaultPlan::At { at, lasts, fault },
            When::After { point, nth } => FaultPlan::After { point, nth, lasts, fault },
        });
        let plan = if self.point_faults.is_empty() || self.points.is_empty() {
            plan.boxed()
        } else {
            prop_oneof![7 => plan, 1 => self.strikes_at_points(lasts)].boxed()
        };
        vec(plan, 0..=self.count_max).prop_map(FaultList).boxed()
    }

    /// Faults that strike the very task that passes a point.
    fn strikes_at_points(
        &self,
        lasts: impl Strategy<Value = Option<Span>> + 'static,
    ) -> BoxedStrategy<FaultPlan> {
        let when = (select(self.points.clone()), 1..=8u32);
        (when, lasts, select(self.point_faults.clone()))
            .prop_map(|((point, nth), lasts, fault)| {
                let lasts = lasts.filter(|_| matches!(fault, Fault::Stall));
                FaultPlan::After { point, nth, lasts, fault }
            })
            .boxed()
    }

    fn triggers(&self, horizon_ms: u64) -> BoxedStrategy<When> {
        let at = (0..=horizon_ms).prop_map(|ms| When::At(Span::millis(ms)));
        if self.points.is_empty() {
            return at.boxed();
        }
        // A point is passed few times in a small world: a high number would never be reached.
        let point = select(self.points.clone());
        let after = (point, 1..=8u32).prop_map(|(point, nth)| When::After { point, nth });
        prop_oneof![at, after].boxed()
    }
}

/// When a fault strikes.
#[derive(Clone, Debug)]
enum When {
    At(Span),
    After { point: String, nth: u32 },
}

fn actor_faults(actor: &str) -> [Fault; 7] {
    let actor = || actor.to_owned();
    [
        Fault::Crash { actor: actor(), instance: None },
        Fault::Outage { actor: actor(), instance: None },
        Fault::BlackHole { actor: actor(), instance: None },
        Fault::Pause { actor: actor(), instance: None },
        Fault::Errors { actor: actor(), rate: 1.0, status: 503, instance: None },
        Fault::Hang { actor: actor(), rate: 1.0, instance: None },
        Fault::Slow { actor: actor(), factor: 100.0, instance: None },
    ]
}

/// Faults of the messages that go one way.
fn route_faults(from: &str, to: &str) -> [Fault; 5] {
    let (from, to) = (|| from.to_owned(), || to.to_owned());
    [
        Fault::Partition {
            from: from(),
            to: to(),
            both_ways: false,
            instance: None,
            to_instance: None,
        },
        Fault::Partition {
            from: from(),
            to: to(),
            both_ways: true,
            instance: None,
            to_instance: None,
        },
        Fault::Loss { from: from(), to: to(), rate: 1.0, instance: None, to_instance: None },
        Fault::Duplicate {
            from: from(),
            to: to(),
            rate: 1.0,
            later: Span::ZERO,
            instance: None,
            to_instance: None,
        },
        Fault::Delay {
            from: from(),
            to: to(),
            by: Span::secs(10),
            instance: None,
            to_instance: None,
        },
    ]
}

fn store_faults(store: &str) -> [Fault; 4] {
    let store = || store.to_owned();
    [
        Fault::Flush { store: store(), instance: None },
        Fault::OutOfMemory { store: store() },
        Fault::Evict { store: store(), policy: Eviction::VolatileLru, share: 1.0 },
        Fault::Evict { store: store(), policy: Eviction::VolatileRandom, share: 1.0 },
    ]
}

fn clock_faults(actor: &str) -> [Fault; 2] {
    let (actor, by) = (|| actor.to_owned(), Some(Span::secs(3_600)));
    [
        Fault::ClockStep { actor: actor(), forward: by, back: None, instance: None },
        Fault::ClockStep { actor: actor(), forward: None, back: by, instance: None },
    ]
}

/// A fault at full strength (0), medium (1) or weak (2).
fn weaker(mut fault: Fault, step: usize) -> Fault {
    match &mut fault {
        Fault::Errors { rate, .. }
        | Fault::Hang { rate, .. }
        | Fault::Loss { rate, .. }
        | Fault::Duplicate { rate, .. } => *rate = [1.0, 0.5, 0.1][step],
        Fault::Slow { factor, .. } => *factor = [100.0, 10.0, 2.0][step],
        Fault::Delay { by, .. } => {
            *by = [Span::secs(10), Span::secs(1), Span::millis(100)][step];
        }
        Fault::Crash { .. }
        | Fault::Outage { .. }
        | Fault::BlackHole { .. }
        | Fault::Pause { .. }
        | Fault::Partition { .. }
        | Fault::Throw { .. }
        | Fault::Stall
        | Fault::Flush { .. }
        | Fault::Failover { .. }
        | Fault::SplitBrain { .. }
        | Fault::Lag { .. }
        | Fault::User { .. }
        | Fault::OutOfMemory { .. } => {}
        Fault::ClockStep { forward, back, .. } => {
            let by = [Span::secs(3_600), Span::secs(30), Span::secs(1)][step];
            for span in [forward, back].into_iter().flatten() {
                *span = by;
            }
        }
        Fault::Evict { share, .. } => *share = [1.0, 0.5, 0.1][step],
    }
    fault
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"Scenario(
        name: "shop", about: "", horizon: "10s",
        actors: {
            "users": Client(load: Burst(count: 2), does: [Call("api.pay")]),
            "api": Service(workers: 2, endpoints: { "pay": [
                Kv(Get("{key}"), store: "redis"), Label("looked"), Effect("charge"),
            ] }),
            "redis": Kv(replicas: 1, lag: Const("100ms")),
        },
    )"#;

    fn shop() -> Scenario {
        Scenario::text("shop.ron", TEXT).load().unwrap()
    }

    proptest! {
        #[test]
        fn every_plan_fits_its_scenario(faults in FaultPlans::of(&shop()).strategy()) {
            prop_assert!(shop().with_faults(&faults.to_string()).is_ok(), "{faults}");
        }

        #[test]
        fn a_plan_reads_back_as_it_was_printed(faults in FaultPlans::of(&shop()).strategy()) {
            let read: Vec<FaultPlan> = ron::from_str(&faults.to_string()).unwrap();
            prop_assert_eq!(format!("{:?}", read), format!("{:?}", faults.plans()));
        }

        #[test]
        fn unwanted_faults_are_never_drawn(
            faults in FaultPlans::of(&shop())
                .only(|fault| !matches!(fault, Fault::Flush { .. } | Fault::Crash { .. }))
                .at_most(3)
                .strategy(),
        ) {
            prop_assert!(faults.plans().len() <= 3);
            let text = faults.to_string();
            prop_assert!(!text.contains("Flush") && !text.contains("Crash"), "{text}");
        }
    }

    #[test]
    fn every_kind_of_fault_has_a_place() {
        let drawn = format!("{:?}", FaultPlans::of(&shop()).faults);
        for kind in [
            "Errors",
            "Hang",
            "Crash",
            "Outage",
            "BlackHole",
            "Slow",
            "Pause",
            "Partition",
            "Loss",
            "Duplicate",
            "Delay",
            "Flush",
            "Failover",
            "ClockStep",
            "OutOfMemory",
            "Evict",
        ] {
            assert!(drawn.contains(kind), "{kind}");
        }
        let answers =
            r#"Loss { from: "redis", to: "api", rate: 1.0, instance: None, to_instance: None }"#;
        assert!(drawn.contains(answers), "answers are lost as well as requests");
    }
}
