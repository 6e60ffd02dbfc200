//! What was tried of what could be: which kind of fault struck where, in what state of the world.
//!
//! A cell is a kind of fault, a place (a point of a program, or a message from one actor to another),
//! what the stores keep for the intent there, and what the breakers do. A cell is possible once any
//! run of the search has shown its place in its state. So the table grows while it is filled; what
//! stays empty was never tried.

use std::collections::{BTreeMap, BTreeSet};

use sim_core::{Draw, Span, Time};

use super::candidate::{Candidate, followed, place};
use super::field::Trial;
use crate::lineage::{Lineage, State, Way, What};
use crate::plan::{ActorId, Fault, FaultEntry, Plan, Trigger};

/// As many lengths of one kind of fault are kept for a place.
const FORMS_MAX: usize = 32;

/// The most faults of a run that another is built upon.
const FAULTS_MAX: usize = 4;

/// The cells, and how to reach them.
#[derive(Debug, Default)]
pub(super) struct Coverage {
    /// What can strike at a place, by kind, with how long it lasts.
    strikes: BTreeMap<What, BTreeMap<&'static str, Vec<Form>>>,
    /// The plainest trial that showed a place in a state, and when it was there.
    shown: BTreeMap<(What, State), Shown>,
    reached: BTreeSet<Cell>,
}

/// A fault, and how long it lasts.
type Form = (Fault, Option<Span>);

type Cell = (&'static str, What, State);

#[derive(Clone, Debug)]
struct Shown {
    trial: Trial,
    trigger: Trigger,
    at: Time,
}

/// How many of the possible cells were reached, and which were not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cells {
    /// Cells in which some run had a fault.
    pub reached: u64,
    /// Cells that some run showed: something could have struck there.
    pub possible: u64,
    /// Those that no fault struck: the kind of fault, and where and in what state it was never tried,
    /// in this order.
    pub empty: Vec<(String, String)>,
}

impl Coverage {
    /// What could strike in a run.
    pub(super) fn offer(&mut self, candidates: &[Candidate]) {
        for Candidate { entry, place, .. } in candidates {
            let of_kind = self.strikes.entry(*place).or_default();
            let forms = of_kind.entry(entry.fault.kind()).or_default();
            let form = (entry.fault, entry.lasts);
            if forms.len() < FORMS_MAX && !forms.contains(&form) {
                forms.push(form);
            }
        }
    }

    /// A trial was run.
    pub(super) fn see(&mut self, trial: &Trial, lineage: &Lineage) {
        let moments = followed(lineage);
        for moment in &moments {
            let here = (place(moment.what), moment.state);
            let is_plainer = |known: &Shown| known.trial.faults.len() > trial.faults.len();
            if trial.faults.len() <= FAULTS_MAX && self.shown.get(&here).is_none_or(is_plainer) {
                let trigger = match moment.what {
                    What::Passed { point, nth, .. } => Trigger::After { point, nth },
                    _ => Trigger::At(moment.at.since(Time::ZERO)),
                };
                let shown = Shown { trial: trial.clone(), trigger, at: moment.at };
                self.shown.insert(here, shown);
            }
        }
        for entry in &trial.faults {
            let kind = entry.fault.kind();
            let met = moments.iter().filter(|moment| match (entry.trigger, moment.what) {
                (Trigger::After { point, nth }, What::Passed { point: at, nth: passage, .. }) => {
                    (point, nth) == (at, passage)
                }
                (Trigger::At(at), What::Sent { from, to, .. }) => {
                    Time::ZERO + at == moment.at && is_between(&entry.fault, from, to)
                }
                _ => false,
            });
            self.reached.extend(met.map(|moment| (kind, place(moment.what), moment.state)));
        }
    }

    fn possible(&self) -> impl Iterator<Item = Cell> {
        self.shown.keys().flat_map(|(place, state)| {
            let kinds = self.strikes.get(place).into_iter().flat_map(BTreeMap::keys);
            kinds.map(|kind| (*kind, *place, *state))
        })
    }

    fn empty(&self) -> Vec<Cell> {
        self.possible().filter(|cell| !self.reached.contains(cell)).collect()
    }

    /// Trials that reach empty cells, at most so many: what showed a place in its state, and one more
    /// fault there.
    pub(super) fn trials(&self, most: u64, draws: &mut impl Draw) -> Vec<Trial> {
        let mut empty = self.empty();
        let mut trials = Vec::new();
        while (trials.len() as u64) < most && !empty.is_empty() {
            let (kind, place, state) = empty.swap_remove(draws.below(empty.len() as u64) as usize);
            let Shown { trial, trigger, at } = &self.shown[&(place, state)];
            let forms = &self.strikes[&place][kind];
            let (fault, lasts) = forms[draws.below(forms.len() as u64) as usize];
            let entry = FaultEntry { trigger: *trigger, lasts, fault, label: String::new() };
            trials.push(trial.and([entry], *at));
        }
        trials
    }

    pub(super) fn counts(&self) -> (u64, u64) {
        let possible: BTreeSet<Cell> = self.possible().collect();
        (possible.intersection(&self.reached).count() as u64, possible.len() as u64)
    }

    pub(super) fn cells(&self, plan: &Plan) -> Cells {
        let (reached, possible) = self.counts();
        let name = |id: ActorId| plan.actor_name(id);
        let named = |(kind, place, state): Cell| {
            let place = match place {
                What::Passed { point, .. } => plan.points[point.index()].clone(),
                What::Sent { from, to, way: Way::Request } => {
                    format!("{}->{}", name(from), name(to))
                }
                What::Sent { from, to, way: Way::Answer } => {
                    format!("{}->{} answer", name(from), name(to))
                }
                What::Done { kind } => plan.kinds[kind.index()].clone(),
            };
            (kind.to_owned(), format!("{place}, {}", state.name()))
        };
        let mut empty: Vec<(String, String)> = self.empty().into_iter().map(named).collect();
        empty.sort();
        Cells { reached, possible, empty }
    }
}

/// Whether a fault concerns a message: it hits the route, or one of its ends.
fn is_between(fault: &Fault, from: ActorId, to: ActorId) -> bool {
    if let Some(route) = fault.route() {
        return route == (&from, &to);
    }
    let mut is_here = true;
    let look = |id: &ActorId, _, _| {
        is_here &= *id == from || *id == to;
        Some(*id)
    };
    let _ = fault.map(look, |_, replica| Some(*replica));
    is_here
}

#[cfg(test)]
mod tests {
    use super::super::field::tests::with;
    use super::*;

    /// A user asks the same shop four times, and the state of its store is another each time.
    const SHOP: &str = r#"Scenario(
        name: "shop", about: "", horizon: "1m",
        actors: {
            "user": Client(load: Burst(count: 1), does: [Call("shop.buy")]),
            "shop": Service(workers: 4, endpoints: { "buy": [
                Kv(Get("{key}"), store: "redis"), Sleep(Const("1s")),
                Kv(Set("{key}", 1), store: "redis"), Sleep(Const("1s")),
                Kv(Get("{key}"), store: "redis"), Sleep(Const("1s")),
                Kv(Del("{key}"), store: "redis"),
            ] }),
            "redis": Kv(),
        },
        invariants: [AllAnswered],
    )"#;

    /// The table after a run without faults and one with some.
    fn cells(faults: &str) -> Cells {
        with(SHOP, faults, |field, trial| {
            let (calm, struck) =
                (Trial::calm(1), field.run(&trial).expect("nobody stops it").lineage);
            let plain = field.run(&calm).expect("nobody stops it").lineage;
            let mut coverage = Coverage::default();
            coverage.offer(&field.ground.candidates(field.plan(), &plain, Time::ZERO));
            coverage.see(&calm, &plain);
            coverage.see(&trial, &struck);
            coverage.cells(field.plan())
        })
    }

    #[test]
    fn a_fault_reaches_the_cell_of_what_it_strikes_and_no_other() {
        let calm = cells("[]");
        assert!(calm.reached == 0 && calm.possible > 20, "{calm:?}");
        // Of the commands in three states of the key, the first is late.
        for (from, to) in [("user", "shop"), ("shop", "redis")] {
            let late = format!(r#"[At("0s", for: "1us", Delay("{from}", "{to}", by: "1ms"))]"#);
            assert_eq!(cells(&late).reached, 1, "{late}");
        }
    }

    #[test]
    fn the_cells_that_are_reached_and_those_that_are_not_are_all_that_are_possible() {
        for faults in [
            "[]",
            r#"[At("0s", for: "1us", Delay("user", "shop", by: "1ms"))]"#,
            // Nobody would propose this for a message: it is in no cell of the table.
            r#"[At("0s", ClockStep("shop", forward: "1s"))]"#,
        ] {
            let Cells { reached, possible, empty } = cells(faults);
            assert_eq!(reached + empty.len() as u64, possible, "{faults}");
        }
    }
}
