//! Loads that no queue survives: more work arrives by the horizon than the workers can do.
//!
//! The work of a service is added up from the programs that lead to it, without guessing. Only steps
//! that every run of a program takes are counted, once each; a step behind a condition, in a loop, or
//! after a place where a program may end, is not. A call counts when its stack lets every call
//! through; retries, closed loads, jobs, messages and the time of policies are left out. So the figure
//! is at most the true one, and what is warned of is there.

use sim_core::Span;

use super::super::builder::Builder;
use super::super::place::Here;
use crate::language::{self, Actor, Policy, Service, Step, Threads};
use crate::plan::{ActorId, ActorKind};
use crate::source::{SourceError, path_key};

/// Calls within calls are followed so deep; a cycle is refused elsewhere.
const DEPTH_MAX: usize = 64;

/// What is asked of each service, by actor.
struct Demand {
    /// Seconds of a worker's time.
    seconds: Vec<f64>,
    requests: Vec<f64>,
}

/// One run of a program, so many times.
#[derive(Clone, Copy)]
struct Visit {
    /// The service whose worker is held.
    service: Option<ActorId>,
    times: f64,
    depth: usize,
}

impl Builder<'_> {
    /// Services that are asked for more than they can do from the beginning to the end.
    pub(in crate::compile) fn unstable(&mut self) -> Vec<SourceError> {
        let demand = self.demand();
        let (spec, horizon) = (self.spec, self.spec.horizon.as_secs_f64());
        let mut warnings = Vec::new();
        for (name, actor) in &spec.actors {
            let Actor::Service(service) = actor else { continue };
            let id = self.actor_ids[name].index();
            let (seconds, requests) = (demand.seconds[id], demand.requests[id]);
            let workers = workers_at_most(service);
            let utilisation = seconds / (workers as f64 * horizon);
            if utilisation < 1.0 {
                continue;
            }
            let (rate, mean) = (requests / horizon, Span::from_secs_f64(seconds / requests));
            let s = if workers == 1 { "" } else { "s" };
            let message = format!(
                "{workers} worker{s} cannot do the work of {rate:.1} requests a second with {mean} \
                 each: a utilisation of {utilisation:.2}"
            );
            let help = "the queue grows for as long as the run; add workers, or lower the load, \
                unless that is what you want to see";
            let here = Here::file(format!("actors.{}.workers", path_key(name)));
            warnings.push(self.complaint(&here, message, Some(help.to_owned())));
        }
        warnings
    }

    fn demand(&mut self) -> Demand {
        let count = self.plan.actors.len();
        let mut demand = Demand { seconds: vec![0.0; count], requests: vec![0.0; count] };
        let spec = self.spec;
        for (name, actor) in &spec.actors {
            let Actor::Client(client) = actor else { continue };
            let id = self.actor_ids[name];
            let ActorKind::Client(plan) = &self.plan.actors[id.index()].kind else { continue };
            if let Some(intents) = self.plan.intents_expected(plan.load) {
                let times = intents * f64::from(plan.clicks);
                self.follow(&client.does, Visit { service: None, times, depth: 0 }, &mut demand);
            }
        }
        demand
    }

    /// Adds what steps ask for; false when the program may end among them.
    fn follow(&mut self, steps: &[Step], visit: Visit, demand: &mut Demand) -> bool {
        steps.iter().all(|step| self.follow_step(step, visit, demand))
    }

    fn follow_step(&mut self, step: &Step, visit: Visit, demand: &mut Demand) -> bool {
        match step {
            Step::Work(dist) => {
                self.add_work(dist, visit, demand);
                true
            }
            Step::Sleep(dist) => {
                let blocks = |id: ActorId| match &self.plan.actors[id.index()].kind {
                    ActorKind::Service(service) => service.threads == Threads::Blocking,
                    _ => false,
                };
                if visit.service.is_some_and(blocks) {
                    self.add_work(dist, visit, demand);
                }
                true
            }
            Step::Call(call) => {
                if self.lets_all_through(call.policy.as_deref()) {
                    self.follow_call(&call.to, visit, demand);
                }
                true
            }
            Step::Try(step) => {
                // An error ends the body early, and `catch` may end the program.
                self.follow(&step.body, visit, demand)
                    && step.catch.as_ref().is_none_or(|catch| goes_on(catch))
                    && self.follow(&step.finally, visit, demand)
            }
            Step::Parallel(branches) => {
                // The branches of one request run beside each other: only their calls are added.
                let outside = Visit { service: None, ..visit };
                branches.iter().for_each(|steps| {
                    self.follow(steps, outside, demand);
                });
                true
            }
            Step::OnBehalfOf(step) => self.follow(&step.body, visit, demand),
            Step::Phase(step) => self.follow(&step.body, visit, demand),
            step => goes_on(std::slice::from_ref(step)),
        }
    }

    fn follow_call(&mut self, to: &str, visit: Visit, demand: &mut Demand) {
        let spec = self.spec;
        let Some((name, endpoint)) = to.split_once('.') else { return };
        let Some(Actor::Service(service)) = spec.actors.get(name) else { return };
        let Some(steps) = service.endpoints.get(endpoint) else { return };
        if visit.depth == DEPTH_MAX {
            return;
        }
        let (id, depth) = (self.actor_ids[name], visit.depth + 1);
        demand.requests[id.index()] += visit.times;
        self.follow(steps, Visit { service: Some(id), depth, ..visit }, demand);
    }

    fn add_work(&mut self, dist: &language::Dist, visit: Visit, demand: &mut Demand) {
        let Some(id) = visit.service else { return };
        let here = Here::file("actors");
        let mean = self.checked(dist, &here).map_or(0.0, |dist| dist.mean());
        if mean.is_finite() {
            demand.seconds[id.index()] += visit.times * mean.max(0.0);
        }
    }

    /// Whether a stack sends every call at least once.
    fn lets_all_through(&self, policy: Option<&str>) -> bool {
        let Some(policy) = policy else { return true };
        let sends = |layer: &Policy| {
            matches!(layer, Policy::Retry(_) | Policy::Timeout(_) | Policy::Hedge(_))
        };
        self.spec.policies.get(policy).is_some_and(|layers| layers.iter().all(sends))
    }
}

/// The most workers that a service has at any time.
fn workers_at_most(service: &Service) -> u64 {
    let scaled = service.autoscale.as_ref().map_or(0, |scale| scale.max);
    u64::from(service.workers) * u64::from(scaled.max(service.instances))
}

/// Whether a program certainly goes on after steps that are not counted.
fn goes_on(steps: &[Step]) -> bool {
    steps.iter().all(|step| match step {
        Step::Respond(_) | Step::Fail(_) | Step::Break | Step::Raise => false,
        Step::If(step) => goes_on(&step.then) && goes_on(&step.otherwise),
        Step::Match(step) => {
            step.cases.iter().all(|(_, steps)| goes_on(steps)) && goes_on(&step.otherwise)
        }
        Step::Loop(step) => step
            .body
            .iter()
            .all(|step| matches!(step, Step::Break) || goes_on(std::slice::from_ref(step))),
        Step::Try(step) => {
            goes_on(&step.body)
                && step.catch.as_ref().is_none_or(|catch| goes_on(catch))
                && goes_on(&step.finally)
        }
        Step::OnBehalfOf(step) => goes_on(&step.body),
        Step::Phase(step) => goes_on(&step.body),
        // What a design does is its own affair.
        Step::Idempotent(_) | Step::Body => false,
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use crate::Scenario;

    /// The warnings about a service under 100 requests a second of 20 ms each.
    fn warnings(workers: u32, load: &str, call: &str, work: &str) -> Vec<String> {
        let text = format!(
            r#"Scenario(
                name: "busy", about: "", horizon: "100s",
                actors: {{
                    "users": Client(load: {load}, does: [{call}]),
                    "web": Service(workers: 1000, endpoints: {{
                        "page": [Call("api.work"), Respond(200), Call("api.work")],
                    }}),
                    "api": Service(workers: {workers}, endpoints: {{ "work": [{work}] }}),
                }},
                policies: {{
                    "retry": [Retry(attempts: 3), Timeout("1s")],
                    "guard": [Bulkhead(1)],
                }},
            )"#
        );
        let scenario = Scenario::text("busy.ron", text).load().expect("it is right");
        scenario.warnings().iter().map(ToString::to_string).collect()
    }

    const OPEN: &str = r#"Open(rate: "100/s")"#;
    const CALL: &str = r#"Call("api.work")"#;
    const WORK: &str = r#"Work(Exponential("20ms"))"#;

    #[test]
    fn more_work_than_the_workers_can_do_is_warned_of_with_the_figures() {
        let told = warnings(2, OPEN, CALL, WORK);
        let expected = "busy.ron:8:45: 2 workers cannot do the work of 100.0 requests a second with \
             20ms each: a utilisation of 1.00";
        assert!(told.len() == 1 && told[0].starts_with(expected), "{told:?}");
        assert!(warnings(3, OPEN, CALL, WORK).is_empty());
        // Calls between services, and both parts of a mixture, count.
        let mixed = r#"Work(Mixture([(3.0, Const("10ms")), (1.0, Exponential("50ms"))]))"#;
        assert_eq!(warnings(1, OPEN, r#"Call("web.page", policy: "retry")"#, mixed).len(), 1);
    }

    #[test]
    fn a_load_counts_by_what_comes_until_the_horizon() {
        let half = r#"Open(rate: "100/s", until: "50s")"#;
        assert_eq!(warnings(1, half, CALL, WORK).len(), 1);
        assert!(warnings(2, half, CALL, WORK).is_empty());
        let spike = r#"Open(rate: "40/s", changes: [Spike("10s", "500/s", for: "10s")])"#;
        assert!(warnings(2, spike, CALL, WORK).is_empty(), "86 a second on average");
        let sessions = r#"Sessions(rate: "10/s", requests: Geometric(10.0))"#;
        assert_eq!(warnings(2, sessions, CALL, WORK).len(), 1);
        assert!(warnings(1, r#"Closed(users: 100, think: Const("1s"))"#, CALL, WORK).is_empty());
    }

    #[test]
    fn what_cannot_be_told_is_not_counted() {
        assert!(warnings(1, OPEN, r#"Call("api.work", policy: "guard")"#, WORK).is_empty());
        let maybe = format!(r#"If(Is("{{body}}"), then: [{WORK}]), {WORK}"#);
        assert_eq!(warnings(2, OPEN, CALL, &maybe).len(), 1, "the second certainly");
        let over = format!(r#"If(Is("{{body}}"), then: [Respond(200)]), {WORK}"#);
        assert!(warnings(2, OPEN, CALL, &over).is_empty());
        assert!(warnings(1, OPEN, CALL, r#"Work(Pareto("20ms", 0.9))"#).is_empty());
    }
}
