//! A finding as a scenario that shows it and little else.

use sim_core::{Span, Time};

use super::Finding;
use super::breach::{Breach, RECOVERS, Told};
use super::shrink::written as named;
use crate::Scenario;
use crate::language::{Fault, FaultPlan, shorthand};
use crate::run::Traced;
use crate::source::Tree;

/// The most texts that are tried to make a story small.
const ATTEMPTS_MAX: u64 = 600;

/// How long the story may take.
const HORIZONS: [Span; 8] = [
    Span::secs(1),
    Span::secs(5),
    Span::secs(10),
    Span::secs(30),
    Span::secs(60),
    Span::secs(120),
    Span::secs(600),
    Span::secs(3_600),
];

/// A story on its way to being short.
struct Telling<'a> {
    scenario: &'a Scenario,
    seed: u64,
    promise: &'a str,
    /// What must still be told.
    told: Told,
    /// When the intent arose whose promise breaks in the whole scenario.
    begun: Span,
    /// How many of its faults are the scenario's own.
    own: usize,
    /// How many steps a run may take.
    steps: u64,
    goes_on: &'a (dyn Fn() -> bool + Sync),
    /// The scenario's own faults, under which it keeps the promise; `None` when it does not.
    own_faults: Option<Tree>,
    attempts: u64,
}

/// Whether a part of a value may be left out, if the story is the same without it.
///
/// What somebody wrote to protect the payment stays as it was written: a program that has lost a guard
/// would show another mistake than the one that was found.
fn may_go(of: &Tree, part: &Tree) -> bool {
    match of.name() {
        Some("actors" | "policies" | "endpoints" | "jobs" | "links") => true,
        None if of.head() == "Scenario" => !matches!(part.name(), Some("faults" | "seed")),
        _ => matches!(part.head(), "Work" | "Sleep" | "Label"),
    }
}

/// A scenario that shows a finding and little else, and what is said of it.
pub(super) struct Counterexample {
    pub(super) text: String,
    pub(super) digest: u64,
    pub(super) witness: String,
    /// The faults, as they stand in it.
    pub(super) faults: Vec<FaultPlan>,
}

/// The smallest scenario in which a finding's faults break its first promise in the same way; `None`
/// when the whole scenario with these faults does not, since a fault depends on what else happens at
/// its instant.
pub(super) fn tell(
    scenario: &Scenario,
    finding: &Finding,
    steps: u64,
    goes_on: &(dyn Fn() -> bool + Sync),
    runs: &mut u64,
) -> Option<Counterexample> {
    let mut tree = scenario.document().tree();
    tree.remove("variants");
    tree.remove("breaks");
    tree.remove("knobs");
    tree.remove("hypothesis");
    tree.set("seed", Tree::read(&finding.seed.to_string())?);
    let name = counterexample_name(scenario);
    tree.set("name", Tree::read(&format!("{name:?}"))?);
    let own = tree.child("faults").map_or_else(|| Tree::read("[]"), |own| Some(own.clone()))?;
    let mut faults = own.clone();
    for fault in &finding.faults {
        faults.push(written(fault)?);
    }
    tree.set("faults", faults);
    let promise = finding.broken.first()?;
    // What everybody expects is no rule that a scenario writes down.
    let kept = if promise == RECOVERS { "[]".to_owned() } else { format!("[{promise}]") };
    let kept = Tree::read(&kept)?;
    let mut telling = Telling {
        scenario,
        seed: finding.seed,
        promise,
        told: Told::new(),
        begun: Span::ZERO,
        own: own.items().len(),
        steps,
        goes_on,
        own_faults: (!finding.faults.is_empty()).then_some(own),
        attempts: 0,
    };
    let whole = telling.run(&tree)?;
    (telling.told, telling.begun) = (whole.told, whole.begun);
    let mut only = tree.clone();
    only.set("invariants", kept);
    if telling.tells(&only) {
        tree = only;
    }
    telling.shorten(&mut tree);
    *runs += telling.attempts;
    let Ran { digest, breach, faults, .. } = telling.run(&tree)?;
    let faults: Vec<FaultPlan> = faults.into_iter().skip(telling.own).collect();
    let about = format!("{}: {}.", finding.how_by(&faults), breach.witness);
    tree.set("about", Tree::read(&format!("{about:?}"))?);
    Some(Counterexample { text: tree.print(shorthand()), digest, witness: breach.witness, faults })
}

/// What the counterexamples of a scenario are called. A variant's name may hold what a scenario's may
/// not.
pub(super) fn counterexample_name(scenario: &Scenario) -> String {
    let is_plain = |c: &char| c.is_alphanumeric() || "-_ .".contains(*c);
    let variant: String = scenario.variant().unwrap_or_default().chars().filter(is_plain).collect();
    let words = [scenario.name(), &variant, "counterexample"];
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// What goes wrong, in words.
pub(super) fn how(faults: &[FaultPlan]) -> String {
    let one = |plan: &FaultPlan| match plan {
        FaultPlan::At { at, fault, .. } => format!("{}, at {at}", fault.label()),
        FaultPlan::After { point, nth, fault, .. } => {
            let which = if *nth == 1 { String::new() } else { format!(", passage {nth}") };
            match fault {
                Fault::Throw { .. } | Fault::Stall => format!("{point} {}{which}", fault.label()),
                _ => format!("{}, right after {point}{which}", fault.label()),
            }
        }
    };
    let all: Vec<String> = faults.iter().map(one).collect();
    all.join("; then ")
}

/// The faults that a scenario has of its own, as they are written.
pub(super) fn own_faults(scenario: &Scenario) -> Vec<String> {
    let mut tree = scenario.document().tree();
    tree.child("faults").map_or_else(Vec::new, |own| own.elements(shorthand()))
}

/// A fault as it stands in a scenario, on one line.
pub(super) fn as_written(fault: &FaultPlan) -> Option<String> {
    Some(written(fault)?.line(shorthand()))
}

/// A fault as a person writes it: what has its usual value is left out, and the fault comes last.
fn written(fault: &FaultPlan) -> Option<Tree> {
    let mut tree = Tree::read(&ron::to_string(fault).ok()?)?;
    tree.unwrap_some();
    if tree.child("nth").is_some_and(|nth| nth.head() == "1") {
        tree.remove("nth");
    }
    tree.move_last("fault");
    Some(tree)
}

impl Telling<'_> {
    /// The run of a scenario in the place of the whole one; `None` when it is no scenario, or keeps the
    /// promise.
    fn run(&self, tree: &Tree) -> Option<Ran> {
        let text = tree.print(shorthand());
        let scenario = self.scenario.with_text(&text)?.bounded(self.steps);
        let run = scenario.start(self.seed).traced();
        let Traced { outcome, lineage, intents } = run.finish_traced_while(self.goes_on)?;
        let breach = Breach::of(&outcome, self.promise)?;
        let plan = scenario.plan();
        let told = breach.told(plan, &lineage, &intents);
        let begun = breach.begun(plan, &intents);
        Some(Ran { begun, digest: outcome.digest, told, breach, faults: named(plan, &plan.faults) })
    }

    /// Whether a scenario still tells the same story.
    fn tells(&mut self, tree: &Tree) -> bool {
        self.tells_until(tree).is_some()
    }

    /// When the promise breaks in it, if it does.
    fn tells_until(&mut self, tree: &Tree) -> Option<Time> {
        if self.attempts == ATTEMPTS_MAX || !(self.goes_on)() {
            return None;
        }
        self.attempts += 1;
        let ran = self.run(tree)?;
        if ran.told != self.told {
            return None;
        }
        // It is the faults that break the promise, in the short story too.
        if let Some(own) = &self.own_faults {
            let mut calm = tree.clone();
            calm.set("faults", own.clone());
            if self.run(&calm).is_some() {
                return None;
            }
        }
        Some(ran.breach.at)
    }

    fn shorten(&mut self, tree: &mut Tree) {
        let clients: Vec<String> = match tree.child("actors") {
            Some(actors) => {
                let names: Vec<String> = actors.names().map(str::to_owned).collect();
                let is_client = |name: &String| {
                    actors.child(name).is_some_and(|actor| actor.head() == "Client")
                };
                names.into_iter().filter(is_client).collect()
            }
            None => Vec::new(),
        };
        for client in clients {
            for count in 1..=3 {
                let mut fewer = tree.clone();
                let load = Tree::read(&format!("Burst(count: {count})"));
                let actor = fewer.child("actors").and_then(|actors| actors.child(&client));
                let (Some(actor), Some(load)) = (actor, load) else { continue };
                actor.set("load", load);
                if fewer == *tree || self.tells(&fewer) {
                    *tree = fewer;
                    break;
                }
                // What strikes the passage of the seventh user, or a second after that one came, strikes
                // the only one in the same way.
                let mut first = fewer;
                let faults = first.child("faults").map(Tree::items_mut).into_iter().flatten();
                // The scenario's own faults come first, and stay.
                faults.skip(self.own).for_each(|fault| as_for_the_first(fault, self.begun));
                if self.tells(&first) {
                    *tree = first;
                    break;
                }
            }
        }
        // What is cut may have been what made something else needed.
        loop {
            let before = tree.parts();
            self.cut(tree);
            if tree.parts() == before || self.attempts == ATTEMPTS_MAX {
                break;
            }
        }
        self.make_constant(tree);
        for horizon in HORIZONS {
            let mut shorter = tree.clone();
            let Some(value) = Tree::read(&format!("\"{horizon}\"")) else { continue };
            shorter.set("horizon", value);
            // What breaks after the horizon is in no chart.
            if self.tells_until(&shorter).is_some_and(|at| at < Time::ZERO + horizon) {
                *tree = shorter;
                break;
            }
        }
    }

    /// Messages and work that always take equally long, where the story is the same: all of them, or
    /// else each that can be.
    fn make_constant(&mut self, tree: &mut Tree) {
        let mut all = tree.clone();
        while let Some(next) = all.with_other(0, &constant) {
            all = next;
        }
        if all == *tree || self.tells(&all) {
            *tree = all;
            return;
        }
        let mut n = 0;
        while let Some(other) = tree.with_other(n, &constant) {
            if self.tells(&other) {
                *tree = other;
            } else {
                n += 1;
            }
        }
    }

    /// Takes away every part without which the story is the same, the largest first.
    fn cut(&mut self, tree: &mut Tree) {
        let mut n = 0;
        while let Some(less) = tree.without(n, &may_go) {
            if self.tells(&less) {
                *tree = less;
            } else {
                n += 1;
            }
        }
    }
}

/// A fault as it strikes the first user at the first passage, or as long after that one has come.
fn as_for_the_first(fault: &mut Tree, begun: Span) {
    fault.remove("nth");
    let Some(at) = fault.get("at") else { return };
    let Ok(instant) = at.head().trim_matches('"').parse::<Span>() else { return };
    let earlier = Span::nanos(instant.as_nanos().saturating_sub(begun.as_nanos()));
    if let Some(earlier) = Tree::read(&format!("\"{earlier}\"")) {
        fault.set("at", earlier);
    }
}

/// A length that varies, as one that does not; `None` for everything else.
fn constant(tree: &Tree) -> Option<Tree> {
    const VARY: [&str; 6] = ["Uniform", "Exponential", "Normal", "LogNormal", "Erlang", "Gamma"];
    // A backoff grows, and has one of these names too.
    let varies = VARY.contains(&tree.head()) && tree.name() != Some("backoff");
    let mut spans = tree.items().iter().map(Tree::head);
    let first = spans.find(|head| varies && head.starts_with('"'))?;
    Tree::read(&format!("Const({first})"))
}

/// A run that broke the promise.
struct Ran {
    digest: u64,
    told: Told,
    begun: Span,
    breach: Breach,
    faults: Vec<FaultPlan>,
}
