//! A finding as a scenario that shows it and little else.

use sim_core::{Span, Time};

use super::Finding;
use super::breach::{Breach, RECOVERS, Told};
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

/// The smallest scenario in which a finding's faults break its first promise in the same way, and
/// the digest of its run; `None` when the whole scenario with these faults does not, since a fault
/// depends on what else happens at its instant.
pub(super) fn tell(
    scenario: &Scenario,
    finding: &Finding,
    steps: u64,
    goes_on: &(dyn Fn() -> bool + Sync),
    runs: &mut u64,
) -> Option<(String, u64)> {
    let mut tree = scenario.document().tree();
    tree.remove("variants");
    tree.remove("breaks");
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
        steps,
        goes_on,
        own_faults: (!finding.faults.is_empty()).then_some(own),
        attempts: 0,
    };
    telling.told = telling.run(&tree)?.told;
    let mut only = tree.clone();
    only.set("invariants", kept);
    if telling.tells(&only) {
        tree = only;
    }
    telling.shorten(&mut tree);
    *runs += telling.attempts;
    let Ran { digest, breach, .. } = telling.run(&tree)?;
    let about = format!("{}: {}.", finding.how(), breach.witness);
    tree.set("about", Tree::read(&format!("{about:?}"))?);
    Some((tree.print(shorthand()), digest))
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
        let Traced { outcome, lineage, intents } =
            scenario.start(self.seed).traced().finish_traced();
        let breach = Breach::of(&outcome, self.promise)?;
        let told = breach.told(scenario.plan(), &lineage, &intents);
        Some(Ran { digest: outcome.digest, told, breach })
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

/// A run that broke the promise.
struct Ran {
    digest: u64,
    told: Told,
    breach: Breach,
}
