//! What would have prevented a finding, and at what price.
//!
//! Every change that applies to the scenario (see [`change::fixes`]) is put before the counterexamples
//! first. Those that remove one are searched as the scenario was: as many runs, the same seed. Where no
//! single change keeps everything, the best one is tried together with each of the others. The price
//! is that of an ordinary load without faults, beside the scenario as it is.
//!
//! **Invariant:** "kept" is said of what was run and put to the test. A promise that a change leaves
//! untested is not removed from the findings.

use sim_core::Span;

use super::breach::Breach;
use super::change::{self, Change};
use super::{Exploration, Finding, Refusal, Report, explore, search};
use crate::Scenario;
use crate::figure::{Kind, Quantile};
use crate::language::shorthand;
use crate::outcome::{InvariantVerdict, Outcome};
use crate::plan::{ActorKind, ActorPlan};
use crate::source::Tree;
use crate::study::{Comparison, Contrast, Options};

/// The most changes that are made together.
const CHANGES_MAX: usize = 3;

/// The runs of the ordinary load.
const SEEDS: u64 = 20;

/// Users who come at an ordinary rate for a minute, in the place of those who come at once.
const ORDINARY: &str = "Open(rate: \"1/s\", arrivals: Poisson)";
const ORDINARY_FOR: &str = "\"60s\"";

/// What was tried against the findings of a search.
#[derive(Clone, Debug)]
pub struct Fixes {
    /// The runs of the search with each change.
    pub budget: u64,
    /// How many findings there were to prevent.
    pub findings: u64,
    /// What keeps the promise of at least one finding, the best first: what keeps most, then what costs
    /// least.
    pub fixes: Vec<Fix>,
    /// Changes that apply and keep none.
    pub useless: Vec<String>,
}

/// Changes that remove at least one counterexample, and what a search finds with them.
#[derive(Clone, Debug)]
pub struct Fix {
    /// What is changed; mostly one thing.
    pub changes: Vec<Change>,
    /// By finding of the search: what happens to it.
    pub verdicts: Vec<Removal>,
    /// What a search finds with the change: so many ways to break a promise.
    pub ways: u64,
    /// The promises that break with the change, and in how many of those ways.
    pub remains: Vec<(String, u64)>,
    /// Promises that no run with the change put to the test.
    pub untested: Vec<String>,
    /// The runs of the search with the change.
    pub runs: u64,
    /// The good run without and with it.
    pub good: [GoodRun; 2],
    /// Under an ordinary load, against the scenario as it is.
    pub price: Vec<Contrast>,
    /// The whole scenario with the change, as a file.
    pub scenario: String,
}

/// What a change does to a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Its promise was kept in all runs of the search, and was put to the test.
    Kept,
    /// It does not break in this way any more, but in others.
    Elsewhere,
    /// The counterexample still breaks it.
    Remains,
    /// Nobody knows: no run put the promise to the test.
    Untested,
}

impl Removal {
    /// Its name in JSON, which stays as it is.
    pub const fn name(self) -> &'static str {
        match self {
            Removal::Kept => "kept",
            Removal::Elsewhere => "elsewhere",
            Removal::Remains => "remains",
            Removal::Untested => "untested",
        }
    }
}

/// A run without faults, in short.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GoodRun {
    /// The longest that a user waited for success; `None` when nobody had any.
    pub latency: Option<Span>,
    /// Requests that were sent, of all hops.
    pub requests: u64,
    /// Users who saw success, of so many.
    pub served: u64,
    /// See `served`.
    pub arose: u64,
}

impl Fix {
    /// What is done, in words.
    pub fn name(&self) -> String {
        let names: Vec<&str> = self.changes.iter().map(|change| change.name.as_str()).collect();
        names.join("; and ")
    }

    /// Whether nothing was found with it, and every promise that was broken was put to the test.
    pub fn keeps_all(&self) -> bool {
        self.remains.is_empty() && self.verdicts.iter().all(|verdict| *verdict == Removal::Kept)
    }

    /// The paths that it sets, as a variant has them.
    pub fn sets(&self) -> impl Iterator<Item = &(String, String)> {
        self.changes.iter().flat_map(|change| &change.sets)
    }

    /// The contrast of one figure.
    pub fn contrast(&self, kind: Kind) -> Option<&Contrast> {
        self.price.iter().find(|contrast| contrast.figure.kind == kind)
    }

    /// What the best comes first by: what still breaks, users who are served no more, latency.
    fn order(&self) -> (usize, u64, i64, i64, usize) {
        let unkept = self.verdicts.iter().filter(|v| **v != Removal::Kept).count();
        let worse = |kind: Kind, scale: f64| {
            let contrast = self.contrast(kind);
            contrast.map_or(0, |c| ((c.value - c.reference) * scale).round() as i64)
        };
        let refused = -worse(Kind::Success, 1e4);
        (unkept, self.ways, refused, worse(Kind::Percentile(P99), 10.0), self.changes.len())
    }
}

const P99: Quantile = Quantile::P99;

/// A change under trial.
struct Trial {
    changes: Vec<Change>,
    scenario: Scenario,
    report: Report,
    shown: Vec<Shown>,
}

/// What the counterexample shows with a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Breaks,
    Gone,
    /// Its faults have no place in the changed programs, or its promise is not put to the test.
    NotTried,
}

impl Exploration<'_> {
    /// Looks for changes that would have prevented what this exploration found.
    ///
    /// # Errors
    /// When there is no thread to do it.
    pub fn fixes(&self, report: &Report) -> Result<Fixes, Refusal> {
        let findings = report.findings.len() as u64;
        let (helping, useless) = (Vec::new(), Vec::new());
        let mut fixes = Fixes { budget: self.budget, findings, fixes: helping, useless };
        if report.findings.is_empty() {
            return Ok(fixes);
        }
        let proposed = change::fixes(self.scenario);
        let mut trials = Vec::new();
        for change in &proposed {
            let Some(scenario) = changed(self.scenario, change) else { continue };
            let shown = self.shown(&scenario, &report.findings);
            if shown.iter().all(|shown| *shown == Shown::Breaks) {
                fixes.useless.push(change.name.clone());
                continue;
            }
            trials.extend(self.trial(vec![change.clone()], scenario, shown));
        }
        for _ in 1..CHANGES_MAX {
            let best = trials.iter().min_by_key(|trial| left(&trial.report));
            let Some(best) = best.filter(|best| !best.report.findings.is_empty()) else { break };
            let mut further = Vec::new();
            for change in proposed.iter().filter(|new| !best.changes.iter().any(|o| o.meets(new))) {
                let Some(scenario) = changed(&best.scenario, change) else { continue };
                let helps = self.shown(&scenario, &best.report.findings);
                if helps.iter().all(|shown| *shown == Shown::Breaks) {
                    continue;
                }
                let shown = self.shown(&scenario, &report.findings);
                let changes = best.changes.iter().chain([change]).cloned().collect();
                further.extend(self.trial(changes, scenario, shown));
            }
            let is_better = |trial: &&Trial| left(&trial.report) < left(&best.report);
            // Of several that help as much, the plainest is enough.
            let Some(better) = further.iter().filter(is_better).map(|t| left(&t.report)).min()
            else {
                break;
            };
            further.retain(|trial| left(&trial.report) == better);
            trials.extend(further);
        }
        let priced = self.prices(&trials)?;
        let all = trials.into_iter().zip(priced);
        let all = all.map(|(trial, price)| self.fix(trial, price, report));
        let (helping, useless): (Vec<Fix>, Vec<Fix>) =
            all.partition(|fix| fix.verdicts.contains(&Removal::Kept));
        fixes.fixes = helping;
        fixes.useless.extend(useless.iter().map(Fix::name));
        fixes.fixes.sort_by_key(Fix::order);
        Ok(fixes)
    }

    /// Searches a changed scenario; `None` when nobody wants to wait for it.
    fn trial(&self, changes: Vec<Change>, scenario: Scenario, shown: Vec<Shown>) -> Option<Trial> {
        let searched = explore(&scenario).budget(self.budget).seed(self.seed).depth(self.depth);
        let searched = searched.jobs(self.jobs).untold().progress(self.progress);
        let report = searched.while_it(self.goes_on).run().ok()?;
        (self.goes_on)().then_some(Trial { changes, scenario, report, shown })
    }

    fn shown(&self, scenario: &Scenario, findings: &[Finding]) -> Vec<Shown> {
        let show = |finding: &Finding| {
            let Ok(scenario) = scenario.with_faults(&finding.all_faults()) else {
                return Shown::NotTried;
            };
            let outcome = scenario.bounded(search::STEPS_LEAST * 10).run(finding.seed);
            if Breach::of(&outcome, &finding.broken[0]).is_some() {
                return Shown::Breaks;
            }
            let results = outcome.invariants.iter();
            let of_it = results.filter(|result| finding.broken.first() == Some(&result.name));
            match of_it.map(|result| result.verdict).next() {
                Some(InvariantVerdict::Kept) if outcome.limit.is_none() => Shown::Gone,
                _ => Shown::NotTried,
            }
        };
        findings.iter().map(show).collect()
    }

    fn fix(&self, trial: Trial, price: Vec<Contrast>, report: &Report) -> Fix {
        let Trial { changes, scenario, report: found, shown } = trial;
        let mut remains: Vec<(String, u64)> = Vec::new();
        for finding in &found.findings {
            for promise in &finding.broken {
                match remains.iter_mut().find(|(known, _)| known == promise) {
                    Some((_, ways)) => *ways += 1,
                    None => remains.push((promise.clone(), 1)),
                }
            }
        }
        let verdict = |(finding, shown): (&Finding, &Shown)| {
            let promise = &finding.broken[0];
            match shown {
                Shown::Breaks => Removal::Remains,
                _ if remains.iter().any(|(broken, _)| broken == promise) => Removal::Elsewhere,
                _ if found.untested.contains(promise) => Removal::Untested,
                _ => Removal::Kept,
            }
        };
        let verdicts = report.findings.iter().zip(&shown).map(verdict).collect();
        let good = [self.scenario, &scenario].map(|scenario| self.good_run(scenario));
        let mut tree = scenario.document().tree();
        let names: Vec<&str> = changes.iter().map(|change| change.name.as_str()).collect();
        let name = format!("{} fixed", scenario.name());
        tree.set("name", text(&name));
        tree.set("about", text(&format!("{}: {}.", scenario.name(), names.join("; and "))));
        for field in ["variants", "breaks", "knobs", "hypothesis"] {
            tree.remove(field);
        }
        Fix {
            changes,
            verdicts,
            ways: found.findings.len() as u64,
            remains,
            untested: found.untested,
            runs: found.runs,
            good,
            price,
            scenario: tree.print(shorthand()),
        }
    }

    fn good_run(&self, scenario: &Scenario) -> GoodRun {
        let Ok(calm) = scenario.with_faults("[]") else { return GoodRun::default() };
        let outcome = calm.bounded(search::STEPS_LEAST * 10).run(self.seed);
        good_run(&outcome)
    }

    /// Whether a figure is of the users, or of all.
    fn is_of_users(&self, contrast: &Contrast) -> bool {
        let plan = self.scenario.plan();
        let is_client = |name: &str| {
            let is_it = |actor: &&ActorPlan| actor.name == name;
            let actor = plan.actors.iter().find(is_it);
            actor.is_some_and(|actor| matches!(actor.kind, ActorKind::Client(_)))
        };
        contrast.figure.of.as_deref().is_none_or(is_client)
    }

    /// By trial, what it costs under an ordinary load.
    fn prices(&self, trials: &[Trial]) -> Result<Vec<Vec<Contrast>>, Refusal> {
        let none = || vec![Vec::new(); trials.len()];
        let Some(base) = ordinary(self.scenario) else { return Ok(none()) };
        let mut sides = vec![("base".to_owned(), base)];
        let mut place = Vec::new();
        for (n, trial) in trials.iter().enumerate() {
            if let Some(scenario) = ordinary(&trial.scenario) {
                sides.push((n.to_string(), scenario));
                place.push(n);
            }
        }
        let mut prices = none();
        if place.is_empty() {
            return Ok(prices);
        }
        let options =
            Options { first_seed: 1, seeds: SEEDS, jobs: self.jobs, ..Default::default() };
        let compared = Comparison::run(&sides, &options)?;
        for kind in PRICES {
            for (side, trial) in place.iter().enumerate() {
                let is_it = |c: &&Contrast| {
                    c.figure.kind == kind && c.side == side + 1 && self.is_of_users(c)
                };
                prices[*trial].extend(compared.contrasts.iter().find(is_it).cloned());
            }
        }
        Ok(prices)
    }
}

/// What a price consists of.
const PRICES: [Kind; 4] = [
    Kind::Percentile(Quantile::P50),
    Kind::Percentile(P99),
    Kind::Success,
    Kind::RequestsPerIntent,
];

/// The scenario with a change; `None` where it does not apply, or changes nothing.
fn changed(scenario: &Scenario, change: &Change) -> Option<Scenario> {
    let changed = change.apply(scenario).ok()?;
    (changed.document().tree() != scenario.document().tree()).then_some(changed)
}

/// What still breaks: promises, and ways.
fn left(report: &Report) -> (usize, usize) {
    let mut promises: Vec<&str> =
        report.findings.iter().flat_map(|f| &f.broken).map(String::as_str).collect();
    promises.sort_unstable();
    promises.dedup();
    (promises.len() + report.untested.len(), report.findings.len())
}

fn good_run(outcome: &Outcome) -> GoodRun {
    let clients = outcome.actors.iter();
    let latest = clients.filter(|actor| actor.kind == crate::outcome::ActorKind::Client);
    GoodRun {
        latency: latest.filter_map(|actor| Some(actor.latency.as_ref()?.max)).max(),
        requests: outcome.calls.iter().map(|call| call.attempts).sum(),
        served: outcome.goodput.achieved,
        arose: outcome.goodput.offered,
    }
}

/// The scenario under an ordinary load, without faults; `None` where it cannot have one.
fn ordinary(scenario: &Scenario) -> Option<Scenario> {
    let mut sets = vec![("faults".to_owned(), "[]".to_owned())];
    let mut tree = scenario.document().tree();
    let actors = tree.child("actors")?;
    let mut is_open = true;
    for client in actors.items().iter().filter(|actor| actor.head() == "Client") {
        if client.get("load").is_some_and(|load| load.head() != "Open") {
            let name = crate::source::path_key(client.name()?);
            sets.push((format!("actors.{name}.load"), ORDINARY.to_owned()));
            is_open = false;
        }
    }
    if !is_open {
        sets.push(("horizon".to_owned(), ORDINARY_FOR.to_owned()));
    }
    let change = Change { name: "an ordinary load".to_owned(), sets };
    change.apply(scenario).or_else(|_| scenario.with_faults("[]")).ok()
}

fn text(text: &str) -> Tree {
    Tree::read(&format!("{text:?}")).expect("a quoted text is RON")
}
