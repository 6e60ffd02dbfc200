//! Exploration: what can go wrong with a design that nobody suspects yet.
//!
//! A scenario's good run is recorded: which points its programs passed, which messages went where.
//! At each such moment something can fail: a process dies, a step raises an error or stands still, a
//! message is lost, late or doubled, a store forgets, fails over or has another time. The search
//! tries each of these alone, then on top of each other, then at random; a promise that breaks is a
//! finding. The finding is made as small as it can be, and written down as a scenario.
//!
//! The search begins where the good run was about to do something that its promises are about, as
//! lineage-driven fault injection does (Alvaro, Rosen and Hellerstein, SIGMOD 2015).
//!
//! **Invariant:** an exploration is a function of the scenario, the budget, the seed and the depth. The number of threads
//! moves nothing but the time that it takes.
//!
//! ```
//! use sim_models::Scenario;
//! use sim_models::explore::explore;
//!
//! let text = r#"Scenario(
//!     name: "shop", about: "Asks again when no answer comes.", horizon: "1m",
//!     actors: {
//!         "shopper": Client(load: Burst(count: 1), does: [Call("psp.charge", policy: "again")]),
//!         "psp": Service(workers: 1, endpoints: { "charge": [Effect("charge")] }),
//!     },
//!     policies: { "again": [
//!         Retry(attempts: 2, backoff: Constant("1s"), even_if_unsafe: true), Timeout("2s"),
//!     ] },
//!     invariants: [AtMostOnce("charge")],
//! )"#;
//! let scenario = Scenario::text("shop.ron", text).load()?;
//! let report = explore(&scenario).budget(100).run()?;
//! assert_eq!(report.findings[0].broken[0], r#"AtMostOnce("charge")"#);
//!
//! // In a test of one's own: it panics with the small scenario of each finding.
//! let once = text.replace(r#"Effect("charge")"#, r#"Effect("charge", once: "{key}")"#);
//! explore(&Scenario::text("shop.ron", once).load()?).budget(500).assert_none();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod breach;
mod candidate;
pub mod change;
mod coverage;
mod field;
mod fix;
mod mechanism;
mod search;
mod shrink;
mod story;
pub mod turning;

use std::fmt;

pub use fix::{Fix, Fixes, GoodRun, Removal};

use crate::Scenario;
use crate::language::FaultPlan;
use crate::study::{self, Crew, Misuse};
use field::{Field, Hit};
use shrink::Place;
use story::Counterexample;

pub use coverage::Cells;
pub use mechanism::Mechanism;
pub use search::Standing;
pub use turning::turning;

/// A search for faults under which a scenario's promises break: at first two thousand runs, up to
/// three faults on top of each other.
#[must_use = "nothing is searched before `run` or `assert_none`"]
pub struct Exploration<'a> {
    scenario: &'a Scenario,
    budget: u64,
    seed: u64,
    depth: usize,
    jobs: usize,
    tells: bool,
    is_random: bool,
    wanted: Option<&'a Mechanism>,
    standing: &'a (dyn Fn(Standing) + Sync),
    progress: &'a (dyn Fn() + Sync),
    goes_on: &'a (dyn Fn() -> bool + Sync),
}

/// Begins an exploration of a scenario.
pub fn explore(scenario: &Scenario) -> Exploration<'_> {
    Exploration {
        scenario,
        budget: 2_000,
        seed: scenario.seed(),
        depth: 3,
        jobs: 0,
        tells: true,
        is_random: false,
        wanted: None,
        standing: &|_| (),
        progress: &|| (),
        goes_on: &|| true,
    }
}

impl<'a> Exploration<'a> {
    /// How many runs the search may take. Making findings small takes further ones.
    pub fn budget(self, runs: u64) -> Self {
        Exploration { budget: runs, ..self }
    }

    /// The luck of the search, and of the runs, in place of the scenario's own.
    pub fn seed(self, seed: u64) -> Self {
        Exploration { seed, ..self }
    }

    /// The most faults on top of each other, before chance has its turn.
    pub fn depth(self, faults: usize) -> Self {
        Exploration { depth: faults, ..self }
    }

    /// How many threads; 0 for one per processor. It changes nothing but the time it takes.
    pub fn jobs(self, jobs: usize) -> Self {
        Exploration { jobs, ..self }
    }

    /// Leaves findings without a scenario of their own, which takes a few hundred short runs each.
    pub fn untold(self) -> Self {
        Exploration { tells: false, ..self }
    }

    /// Draws plans of faults at random, and looks at no run: what a search is compared with.
    pub fn at_random(self) -> Self {
        Exploration { is_random: true, ..self }
    }

    /// Stops once a mechanism was found, which is then the only finding.
    pub fn until_found(self, wanted: &'a Mechanism) -> Self {
        Exploration { wanted: Some(wanted), ..self }
    }

    /// Has somebody called after each batch of runs with how far the search is.
    pub fn standing(self, standing: &'a (dyn Fn(Standing) + Sync)) -> Self {
        Exploration { standing, ..self }
    }

    /// Has somebody called after each run, from any thread.
    pub fn progress(self, tick: &'a (dyn Fn() + Sync)) -> Self {
        Exploration { progress: tick, ..self }
    }

    /// Has somebody asked before each run whether to go on; what was found by then is reported.
    pub fn while_it(self, goes_on: &'a (dyn Fn() -> bool + Sync)) -> Self {
        Exploration { goes_on, ..self }
    }

    /// Searches, and asserts that nothing is found, in a test.
    ///
    /// # Panics
    /// When something is found: with the story and the scenario of each finding. When nothing was put
    /// to the test, or not every single fault was tried. When the exploration could not begin.
    pub fn assert_none(self) {
        match self.run() {
            Ok(report) => report.assert_none(),
            Err(refusal) => panic!("{refusal}"),
        }
    }

    /// Searches.
    ///
    /// # Errors
    /// When there is nothing to search for, or no thread to do it.
    ///
    /// # Panics
    /// When the scenario does not compile a second time, which it does if it was loaded.
    pub fn run(self) -> Result<Report, Refusal> {
        let scenario = self.scenario;
        let marked = scenario.with_all_points().expect("it was loaded");
        if marked.plan().invariants.is_empty() {
            return Err(Refusal::NoPromises);
        }
        // More threads than runs of a batch would have nothing to do.
        let jobs = self.jobs.min(search::BATCH as usize);
        let (progress, goes_on) = (self.progress, self.goes_on);
        let runs = study::Options { jobs, progress, goes_on, ..Default::default() };
        let crew = Crew::new(&runs)?;
        let mut field = Field::new(marked, &self);
        let mut hits: Vec<(Hit, u64)> = Vec::new();
        let tally = field.search(&crew, |hit| {
            match hits.iter_mut().find(|(known, _)| shrink::is_like(known, &hit)) {
                Some((_, seen)) => *seen += 1,
                None => hits.push((hit, 1)),
            }
            hits.len() as u64
        });
        let mut shrinking = 0;
        // Who looks for one mechanism wants no other.
        if self.wanted.is_some() {
            hits = tally.found.iter().map(|hit| (hit.clone(), 1)).collect();
        }
        let findings = findings(scenario, &field, hits, &mut shrinking);
        Ok(Report {
            scenario: scenario.name().to_owned(),
            variant: scenario.variant().map(str::to_owned),
            seed: self.seed,
            runs: tally.runs,
            singles: tally.singles,
            combined: tally.combined,
            random: tally.random,
            alike: tally.alike,
            shrinking,
            findings,
            promises: field.scenario.plan().invariants.len(),
            singles_left: tally.singles_left,
            not_tried: candidate::not_tried(field.plan()),
            late: field.too_late(&tally.late),
            cut: tally.cut,
            recoveries: tally.recoveries,
            untested: field.untested(&tally.tested),
            cells: tally.cells,
            counterexamples: story::counterexample_name(scenario),
            not_judged: field.not_judged(),
        })
    }
}

/// The hits as small as they can be; those that tell the same story are one.
fn findings(
    scenario: &Scenario,
    field: &Field<'_>,
    hits: Vec<(Hit, u64)>,
    shrinking: &mut u64,
) -> Vec<Finding> {
    let own_faults = story::own_faults(scenario);
    let mut findings: Vec<Finding> = Vec::new();
    for (hit, seen) in hits {
        let small = shrink::smallest(field, &hit, shrinking);
        let finding = shrink::finding(field, small, &hit, seen, own_faults.clone());
        match findings.iter_mut().find(|known| shrink::is_same(known, &finding)) {
            Some(known) => known.seen += finding.seen,
            None => findings.push(finding),
        }
    }
    findings.sort_by_key(|finding| (finding.faults.len(), finding.runs));
    let options = field.options;
    let mut told: Vec<Finding> = Vec::new();
    for mut finding in findings {
        if options.tells
            && let Some(Counterexample { text, digest, witness, faults }) =
                story::tell(scenario, &finding, field.steps(), options.goes_on, shrinking)
        {
            (finding.scenario, finding.digest) = (Some(text), digest);
            (finding.witness, finding.shown) = (witness, Some(faults));
        }
        // Two that are the same short story are one.
        let is_it = |one: &&mut Finding| one.scenario.is_some() && one.scenario == finding.scenario;
        match told.iter_mut().find(is_it) {
            Some(one) => one.seen += finding.seen,
            None => told.push(finding),
        }
    }
    told
}

/// In which part of a search something was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Without any fault beyond the scenario's own.
    AsItIs,
    /// One fault at a time.
    Single,
    /// Several on top of each other.
    Combined,
    /// At random.
    Random,
}

impl Phase {
    /// Its name in JSON, which stays as it is.
    pub const fn name(self) -> &'static str {
        match self {
            Phase::AsItIs => "as_it_is",
            Phase::Single => "single",
            Phase::Combined => "combined",
            Phase::Random => "random",
        }
    }
}

/// A way in which promises break.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The promises that break, as the scenario spells them. The first one names the finding.
    pub broken: Vec<String>,
    /// What shows it in its scenario, or in the whole one if it has none: `customer-1 charged twice:
    /// …`.
    pub witness: String,
    /// The faults that it takes in the whole scenario, as few and as plain as they can be.
    pub faults: Vec<FaultPlan>,
    /// The seed of the run that shows it.
    pub seed: u64,
    /// Where in the search it was found first, and after how many runs.
    pub phase: Phase,
    /// See `phase`.
    pub runs: u64,
    /// How many runs of the search broke the same promise in the same way.
    pub seen: u64,
    /// A scenario that shows it and little else; `sim run` repeats it. `None` when it was not asked
    /// for, or when a fault depends on what else happens at its instant.
    pub scenario: Option<String>,
    /// The digest of its run.
    pub digest: u64,
    /// What strikes whom, wherever and for how long: `Crash(api) + Loss(api->psp)`. Where a user gave
    /// up before it had healed, that is said instead: what struck makes no difference then.
    pub family: String,
    own_faults: Vec<String>,
    /// The faults of its scenario.
    shown: Option<Vec<FaultPlan>>,
    told: Vec<String>,
    places: Vec<Place>,
}

impl Finding {
    /// What goes wrong, in words: `api: crashed, right after api.pay/charged`. As in its scenario, if
    /// it has one.
    pub fn how(&self) -> String {
        self.how_by(self.shown.as_ref().unwrap_or(&self.faults))
    }

    fn how_by(&self, faults: &[FaultPlan]) -> String {
        match faults.is_empty() {
            true if self.own_faults.is_empty() => "Without any fault".to_owned(),
            true => "Under the scenario's own faults alone".to_owned(),
            false => story::how(faults),
        }
    }

    /// The scenario's own faults and those of the finding, as they stand in a scenario.
    pub fn all_faults(&self) -> String {
        let all = self.own_faults.iter().cloned().chain(self.faults_as_written());
        format!("[{}]", all.collect::<Vec<_>>().join(", "))
    }

    /// The faults as they stand in a scenario.
    pub fn faults_as_written(&self) -> Vec<String> {
        self.faults.iter().filter_map(story::as_written).collect()
    }
}

/// What an exploration found.
#[derive(Clone, Debug)]
pub struct Report {
    /// The scenario's `name`.
    pub scenario: String,
    /// The variant, if not the scenario as it stands.
    pub variant: Option<String>,
    /// The search's seed.
    pub seed: u64,
    /// Runs of the search, and of them with one fault, with several, and at random.
    pub runs: u64,
    /// See `runs`.
    pub singles: u64,
    /// See `runs`.
    pub combined: u64,
    /// See `runs`.
    pub random: u64,
    /// Runs that did what another had done, and were not gone on from.
    pub alike: u64,
    /// Runs that made the findings small.
    pub shrinking: u64,
    /// What was found, the smallest first.
    pub findings: Vec<Finding>,
    /// How many promises the scenario makes.
    pub promises: usize,
    /// Single faults that the budget did not reach.
    pub singles_left: u64,
    /// What users might do and no client of the scenario says that they do, each with the word that
    /// says so.
    pub not_tried: Vec<String>,
    /// Promises that could not be judged in so many runs, since a fault healed too late.
    pub late: Vec<(String, u64)>,
    /// Runs that grew to ten times the steps of the good one and were stopped: what they would have
    /// done later is not known.
    pub cut: u64,
    /// Runs that showed whether the service is well again after the faults.
    pub recoveries: u64,
    /// Which kinds of faults were tried where, and in what state.
    pub cells: Cells,
    /// The name of the scenarios of its findings.
    pub counterexamples: String,
    /// Promises that no run put to the test: nothing is known of them.
    pub untested: Vec<String>,
    /// Promises about how good the service is: faults may make it worse, and they are not judged.
    pub not_judged: Vec<String>,
}

/// Why an exploration could not begin.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// Nothing to break.
    NoPromises,
    /// As of any study.
    Misuse(Misuse),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::NoPromises => f.write_str(
                "this scenario promises nothing, so nothing can break; \
                 add `invariants: [ExactlyOnce(\"charge\"), AllAnswered]` or the like",
            ),
            Refusal::Misuse(misuse) => misuse.fmt(f),
        }
    }
}

impl std::error::Error for Refusal {}

impl From<Misuse> for Refusal {
    fn from(misuse: Misuse) -> Refusal {
        Refusal::Misuse(misuse)
    }
}

impl Report {
    /// Whether any promise that is judged was put to the test, or what everybody expects.
    pub fn is_checked(&self) -> bool {
        let is_new = |promise: &&String| !self.untested.contains(promise);
        self.recoveries > 0
            || self.untested.len() + self.not_judged.iter().filter(is_new).count() < self.promises
    }

    /// Single faults in all: those that were tried, and those that the budget did not reach.
    pub fn singles_of(&self) -> u64 {
        self.singles + self.singles_left
    }

    /// A budget that reaches every single fault, in round figures: from some time on, half of the runs
    /// have one fault.
    pub fn budget_for_singles(&self) -> u64 {
        (self.runs + 2 * self.singles_left).div_ceil(100) * 100
    }

    /// Asserts that nothing was found, and that every single fault was tried.
    ///
    /// # Panics
    /// As [`Exploration::assert_none`].
    pub fn assert_none(&self) {
        let told = self.findings.iter().map(|finding| {
            let scenario = match &finding.scenario {
                Some(text) => text.clone(),
                None => format!("faults: {}, seed: {}", finding.all_faults(), finding.seed),
            };
            format!(
                "{} broken: {}: {}\n{scenario}",
                finding.broken[0],
                finding.how(),
                finding.witness
            )
        });
        let told: Vec<String> = told.collect();
        assert!(told.is_empty(), "{}", told.join("\n"));
        assert!(self.is_checked(), "no promise of {} was put to the test", self.scenario);
        assert!(
            self.singles_left == 0,
            "{} of {} single faults of {} were tried: `budget({})` tries them all",
            self.singles,
            self.singles_of(),
            self.scenario,
            self.budget_for_singles()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Verdict;

    /// A checkout behind a design, and a provider that knows a key if it gets one.
    fn checkout(design: &str, key: &str, promises: &str) -> Scenario {
        let text = r#"Scenario(
            name: "checkout", about: "", horizon: "4m",
            actors: {
                "app": Client(load: Burst(count: 2), does: [Call("api.pay", policy: "patient")]),
                "api": Service(workers: 4, endpoints: { "pay": [
                    Idempotent("DESIGN", store: "redis", lock: "30s", body: [
                        Call("psp.charge", policy: "short", KEY into: "result"),
                    ]),
                    Respond(201, body: "{result}"),
                ] }),
                "psp": Service(workers: 4, endpoints: { "charge": [
                    Work(Const("50ms")), Effect("charge", once: "{key}", into: "id"),
                    Respond(201, body: "{id}"),
                ] }),
                "redis": Kv(),
            },
            links: [Link(from: "app", to: "api", latency: Const("10ms"))],
            policies: {
                "patient": [
                    Retry(attempts: 20, backoff: Constant("5s"), conflict: true), Timeout("2s"),
                ],
                "short": [Timeout("1s")],
            },
            invariants: [PROMISES],
        )"#;
        let text = text.replace("DESIGN", design).replace("KEY", key);
        Scenario::text("t.ron", text.replace("PROMISES", promises)).load().unwrap()
    }

    fn naive() -> Scenario {
        checkout("naive", "", r#"AtMostOnce("charge")"#)
    }

    fn search(scenario: &Scenario, budget: u64) -> Report {
        explore(scenario).budget(budget).jobs(1).run().unwrap()
    }

    #[test]
    fn the_number_of_threads_moves_nothing() {
        let report =
            |jobs| format!("{:?}", explore(&naive()).budget(700).jobs(jobs).run().unwrap());
        assert_eq!(report(1), report(3));
    }

    #[test]
    fn saying_where_it_is_changes_nothing_about_a_run() {
        let (plain, marked) = (naive(), naive().with_all_points().unwrap());
        assert!(marked.points().len() > plain.points().len() + 5, "{:?}", marked.points());
        assert_eq!(marked.run(1).digest, plain.run(1).digest);
        let traced = marked.start(1).traced().finish_traced();
        assert_eq!(traced.outcome.digest, plain.run(1).digest);
    }

    #[test]
    fn each_finding_is_a_scenario_that_breaks_the_promise() {
        let report = search(&naive(), 600);
        assert!(report.findings.len() >= 5, "{:?}", report.findings);
        for finding in &report.findings {
            let Some(text) = &finding.scenario else { panic!("not told: {finding:?}") };
            let scenario = Scenario::text("found.ron", text.as_str()).load().unwrap();
            let outcome = scenario.run(scenario.seed());
            assert_eq!(outcome.verdict, Verdict::Violated, "{text}");
            assert_eq!(outcome.invariants[0].name, finding.broken[0]);
            assert_eq!(outcome.digest, finding.digest);
            assert!(finding.faults.len() <= 3, "{text}");
            let calm = Scenario::text("found.ron", text.as_str()).set("faults", "[]");
            assert_eq!(calm.run().unwrap().verdict, Verdict::Kept, "it is the faults: {text}");
            for guard in [r#"once: "{key}""#, r#"lock: "30s""#, "conflict: true"] {
                assert!(text.contains(guard), "what protects stays: {text}");
            }
        }
    }

    #[test]
    fn a_lost_answer_and_a_dead_process_are_among_what_is_found() {
        let found: Vec<String> = search(&naive(), 600).findings.iter().map(Finding::how).collect();
        for kind in ["crashed", "lost", "duplicated", "stands still"] {
            assert!(found.iter().any(|how| how.contains(kind)), "{kind}: {found:#?}");
        }
    }

    #[test]
    fn a_design_that_is_right_breaks_under_no_fault() {
        let promises = r#"ExactlyOnce("charge"), FailedImpliesNone("charge"), AllAnswered"#;
        let safe = checkout("safe", r#"key: "{provider_key}","#, promises);
        let report = search(&safe, 4_000);
        assert!(report.findings.is_empty(), "{:#?}", report.findings);
        assert_eq!(report.runs, 4_000);
        assert!(report.combined > 500 && report.random > 100);
    }

    #[test]
    fn what_is_broken_anyway_is_told_once_and_not_searched_for() {
        let promises = r#"Threshold("p99(app) < 1ms"), AtMostOnce("charge")"#;
        let scenario = checkout("naive", "", promises);
        let report = search(&scenario, 300);
        let first = &report.findings[0];
        assert!(first.faults.is_empty() && first.phase == Phase::AsItIs);
        assert_eq!(report.not_judged, [first.broken[0].clone()]);
        let again = |finding: &&Finding| finding.broken.contains(&first.broken[0]);
        assert_eq!(report.findings.iter().filter(again).count(), 1);
        assert!(report.findings.len() > 1);
    }

    /// A server with room for 41 requests a second; users come at 25, and ask four times.
    fn herd(budget: &str) -> Scenario {
        let text = r#"Scenario(
            name: "herd", about: "", horizon: "3m",
            actors: {
                "users": Client(
                    load: Open(rate: "25/s", until: "170s"), does: [Call("api.read", policy: "app")],
                ),
                "api": Service(
                    workers: 1, queue: Fifo(limit: 500), endpoints: { "read": [Work(Const("24ms"))] },
                ),
            },
            links: [Link(from: "users", to: "api", latency: Const("5ms"))],
            policies: { "app": [
                Retry(
                    attempts: 4, jitter: Full, BUDGET
                    backoff: Exponential(base: "100ms", factor: 2, cap: "2s"),
                ),
                Timeout("500ms"),
            ] },
            invariants: [AllAnswered],
        )"#;
        Scenario::text("herd.ron", text.replace("BUDGET", budget)).load().unwrap()
    }

    #[test]
    fn a_storm_that_outlives_its_faults_is_a_finding_that_no_promise_has_to_name() {
        let report = search(&herd(""), 230);
        let storm = |finding: &&Finding| finding.broken[0] == breach::RECOVERS;
        let Some(storm) = report.findings.iter().find(storm) else { panic!("{report:#?}") };
        assert_eq!(storm.faults.len(), 1);
        assert!(storm.witness.contains("metastable"), "{}", storm.witness);
        let Some(text) = &storm.scenario else { panic!("not told: {storm:?}") };
        let outcome = Scenario::text("storm.ron", text.as_str()).run().unwrap();
        assert_eq!(outcome.verdict, Verdict::Unhealthy, "{text}");
        let calm = Scenario::text("storm.ron", text.as_str()).set("faults", "[]");
        assert_eq!(calm.run().unwrap().unwell(), None, "it is the faults: {text}");
        let budget = "budget: Finagle(percent_can_retry: 0.1),";
        let report = search(&herd(budget), 230);
        assert!(report.findings.is_empty() && report.recoveries > 0, "{report:#?}");
    }

    #[test]
    fn single_faults_were_tried_or_are_left() {
        let search = |budget| explore(&naive()).budget(budget).untold().run().unwrap();
        let all = |report: &Report| report.singles + report.singles_left;
        let few = search(30);
        assert!(few.singles >= 15 && few.singles_left > 100, "{few:#?}");
        for budget in [30, 31, 64, 65, 100] {
            let Report { runs, singles, combined, random, .. } = search(budget);
            assert_eq!(runs, budget);
            assert_eq!(singles + combined + random, budget - 1, "one run was without a fault");
            assert!(singles >= few.singles, "{budget}");
            assert_eq!(all(&search(budget)), all(&few), "{budget}");
        }
    }

    #[test]
    fn a_promise_that_some_run_put_to_the_test_was_tested() {
        // Nobody is told success where the first answer is lost: most runs test nothing.
        let text = r#"Scenario(
            name: "shop", about: "", horizon: "1m",
            actors: {
                "user": Client(load: Burst(count: 1), does: [Call("shop.buy")]),
                "shop": Service(workers: 1, endpoints: { "buy": [Effect("charge")] }),
            },
            invariants: [AckedImpliesDone("charge"), FailedImpliesNone("charge")],
        )"#;
        let scenario = Scenario::text("shop.ron", text).load().unwrap();
        let untested = |budget| {
            let search = explore(&scenario).budget(budget).jobs(1).untold();
            search.run().unwrap().untested
        };
        assert_eq!(untested(1), [r#"FailedImpliesNone("charge")"#], "the run without faults");
        for budget in 2..30 {
            assert!(!untested(budget).contains(&r#"AckedImpliesDone("charge")"#.to_owned()));
        }
    }

    #[test]
    fn runs_without_an_end_are_stopped_and_said() {
        let text = r#"Scenario(
            name: "shop", about: "Asks again at once, and never stops.", horizon: "1m",
            actors: {
                "user": Client(load: Burst(count: 1), does: [Call("shop.buy", policy: "again")]),
                "shop": Service(workers: 1, endpoints: { "buy": [Effect("charge", once: "{key}")] }),
            },
            policies: { "again": [Retry(attempts: 1000000, backoff: None)] },
            invariants: [AtMostOnce("charge")],
        )"#;
        let scenario = Scenario::text("shop.ron", text).load().unwrap();
        let report = explore(&scenario).budget(60).untold().run().unwrap();
        assert_eq!((report.findings.len(), report.runs), (0, 60), "{:?}", report.findings);
        assert!((1..60).contains(&report.cut), "{}", report.cut);
    }

    #[test]
    fn who_stops_the_search_gets_what_was_found() {
        let asked = std::sync::atomic::AtomicU64::new(0);
        let goes_on = || asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 100;
        let report = explore(&naive()).budget(u64::MAX).while_it(&goes_on).run().unwrap();
        assert!(report.runs < 200 && !report.findings.is_empty());
    }

    #[test]
    fn several_faults_and_chance_get_a_share_of_any_budget() {
        let promises = r#"ExactlyOnce("charge"), FailedImpliesNone("charge"), AllAnswered"#;
        let safe = checkout("safe", r#"key: "{provider_key}","#, promises);
        for budget in [100, 300] {
            let report = explore(&safe).budget(budget).untold().run().unwrap();
            assert!(report.singles_left > 0, "it is too small for all: {}", report.singles);
            assert!(report.singles >= budget / 2, "{} of {budget}", report.singles);
            assert!(report.combined > 0 && report.random > 0, "{report:#?}");
        }
        let few = explore(&safe).budget(300).untold().run().unwrap();
        let all = few.budget_for_singles();
        let all = explore(&safe).budget(all).untold().run().unwrap();
        assert_eq!((all.singles_left, all.singles), (0, few.singles_of()));
    }

    #[test]
    #[should_panic(expected = "single faults of checkout were tried")]
    fn a_test_whose_budget_is_too_small_for_the_single_faults_says_so() {
        let safe = checkout("safe", r#"key: "{provider_key}","#, r#"ExactlyOnce("charge")"#);
        explore(&safe).budget(50).assert_none();
    }

    #[test]
    fn a_run_is_called_off_between_its_events_and_counts_for_nothing() {
        let asked = std::sync::atomic::AtomicU64::new(0);
        let goes_on = || asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 3;
        // Some fifty thousand events each.
        let report = explore(&herd("")).budget(500).jobs(1).while_it(&goes_on).run().unwrap();
        assert_eq!((report.runs, report.findings.len()), (0, 0), "{report:#?}");
        assert!(!report.is_checked());
        assert!(asked.into_inner() < 6, "nobody goes on");
    }

    #[test]
    fn a_promise_with_no_time_left_after_the_faults_is_counted_as_not_judged() {
        let safe = checkout("safe", r#"key: "{provider_key}","#, r#"SettlesWithin("200s")"#);
        let report = explore(&safe).budget(400).untold().run().unwrap();
        let [(promise, late)] = &report.late[..] else { panic!("{:?}", report.late) };
        assert!(promise.starts_with("SettlesWithin") && *late > 0 && *late < report.runs);
    }

    #[test]
    fn many_users_and_varying_latencies_become_one_user_and_constant_ones() {
        let text = r#"Scenario(
            name: "shop", about: "", horizon: "2m",
            actors: {
                "shopper": Client(
                    load: Open(rate: "1/s", until: "60s"),
                    does: [Call("psp.charge", policy: "again")],
                ),
                "psp": Service(workers: 4, endpoints: { "charge": [
                    Work(Exponential("10ms")), Effect("charge"),
                ] }),
            },
            links: [Link(from: "shopper", to: "psp", latency: Uniform("1ms", "9ms"))],
            policies: { "again": [
                Retry(attempts: 2, backoff: Constant("1s"), even_if_unsafe: true), Timeout("2s"),
            ] },
            invariants: [AtMostOnce("charge")],
        )"#;
        let scenario = Scenario::text("shop.ron", text).load().unwrap();
        let report = explore(&scenario).budget(100).run().unwrap();
        let told: Vec<&String> =
            report.findings.iter().filter_map(|finding| finding.scenario.as_ref()).collect();
        assert!(!told.is_empty());
        for text in told {
            assert!(text.contains("Burst(count: 1)"), "{text}");
            assert!(!text.contains("Exponential") && !text.contains("Uniform"), "{text}");
            assert!(!text.contains("nth"), "{text}");
        }
    }

    #[test]
    #[should_panic(expected = "counterexample")]
    fn a_test_that_fails_shows_the_small_scenario() {
        explore(&naive()).budget(100).assert_none();
    }

    #[test]
    fn where_nothing_is_promised_nothing_can_be_found() {
        let refused = explore(&checkout("naive", "", "")).run().unwrap_err();
        assert_eq!(refused, Refusal::NoPromises);
        assert!(refused.to_string().contains("invariants: ["));
    }
}
