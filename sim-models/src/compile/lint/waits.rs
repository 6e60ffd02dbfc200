//! Waits that may never end, and waits that nobody thinks of.

use sim_core::Span;

use super::super::builder::Builder;
use super::Finding;
use super::calls::Calls;
use super::lengths::{Lengths, longest};
use crate::plan::{
    ActorId, ActorKind, Fault, Instr, LayerPlan, OnDisconnect, Plan, ProgramId, SiteId, Target,
    Threads,
};

/// Commands to a store that have no timeout, where something in the scenario keeps replies away.
pub(super) fn command_without_end(builder: &Builder<'_>) -> Vec<Finding> {
    let (plan, calls) = (&builder.plan, Calls::of(builder));
    let mut findings: Vec<Finding> = Vec::new();
    let mut told = Vec::new();
    for (site, note) in plan.sites.iter().zip(&builder.site_notes) {
        let layers = &plan.stacks[site.stack.index()].layers;
        if !matches!(site.target, Target::Kv(_)) || longest(layers).ends.is_some() {
            continue;
        }
        let (from, to) = plan.pairs[site.pair.index()];
        if told.contains(&site.pair) || is_called_off(builder, &calls, note.owner, from) {
            continue;
        }
        let Some(why) = keeps_replies_away(plan, from, to) else { continue };
        told.push(site.pair);
        let (pair, store) = (plan.pair_name(site.pair), plan.actor_name(to));
        let message = format!("{pair} has no timeout, and {why}: a command may wait without end");
        let help = format!(
            "give it a policy with a timeout, as in Kv(…, store: {store:?}, policy: \"store\")"
        );
        let finding = Finding::new(note.here.clone(), message, help);
        findings.push(finding.shown_by("incidents/thread_exhaustion"));
    }
    findings
}

/// Whether somebody above calls it off: a deadline that travels, or a caller whose leaving is heard.
fn is_called_off(builder: &Builder<'_>, calls: &Calls, program: ProgramId, actor: ActorId) -> bool {
    let plan = &builder.plan;
    let heeds = match &plan.actors[actor.index()].kind {
        ActorKind::Service(service) => service.on_disconnect == OnDisconnect::Cancel,
        _ => false,
    };
    let callers = &calls.callers[program.index()];
    let bounds = |site: &SiteId| {
        let layers = &plan.stacks[plan.sites[site.index()].stack.index()].layers;
        let has_deadline = layers.iter().any(|layer| matches!(layer, LayerPlan::Deadline(_)));
        has_deadline || (heeds && longest(layers).ends.is_some())
    };
    !callers.is_empty() && callers.iter().all(bounds)
}

/// What may keep a reply from a store away.
fn keeps_replies_away(plan: &Plan, from: ActorId, to: ActorId) -> Option<String> {
    let route = plan.routes[from.index() * plan.actors.len() + to.index()];
    let loss = route.map_or(0.0, |link| plan.links[link as usize].loss);
    if loss > 0.0 {
        return Some(format!("its link loses {} %", loss * 100.0));
    }
    let between = |a: ActorId, b: ActorId| (a, b) == (from, to) || (a, b) == (to, from);
    let is_silent = |fault: &Fault| match *fault {
        Fault::BlackHole { actor, .. } => actor == from || actor == to,
        Fault::Hang { actor, .. } => actor == to,
        Fault::Partition { from, to, .. } | Fault::Loss { from, to, .. } => between(from, to),
        _ => false,
    };
    let entry = plan.faults.iter().find(|entry| is_silent(&entry.fault))?;
    Some(format!("a fault keeps replies away ({})", entry.label))
}

/// Steps that are spawned where the only worker goes on working.
pub(super) fn spawned_behind_its_parent(builder: &Builder<'_>) -> Vec<Finding> {
    let plan = &builder.plan;
    let mut findings = Vec::new();
    let mut lengths = Lengths::new(plan);
    for (at, here) in &builder.places {
        let Instr::Spawn { then } = plan.code[at.index()] else { continue };
        let Some((program, actor)) = builder.owner_of_code(at.index()) else { continue };
        let ActorKind::Service(service) = &plan.actors[actor.index()].kind else { continue };
        if service.threads != Threads::Async || service.workers > 1 {
            continue;
        }
        let end = builder.end_of_code(program);
        let work = (then.index()..end).filter_map(|at| match plan.code[at] {
            Instr::Work(_) => Some(lengths.of(at, at + 1).span),
            _ => None,
        });
        let work = work.max().unwrap_or(Span::ZERO);
        if work.is_zero() {
            continue;
        }
        let name = plan.actor_name(actor);
        let message = format!(
            "these steps need a worker of `{name}`, and its only one goes on to work for {work}"
        );
        let help = "in an async service each step needs a free worker: give it more `workers`, or \
            work less in one step";
        findings.push(Finding::new(here.clone(), message, help));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_quiet, assert_warns, warnings_of};

    #[test]
    fn a_command_waits_without_end_where_replies_get_lost() {
        let shop = |policy: &str, rest: &str| {
            let actors = format!(
                r#"
                "users": Client(load: Open(rate: "1/s"), does: [Call("api.get", policy: "app")]),
                "api": Service(workers: 10, endpoints: {{ "get": [
                    Kv(Get("k"), store: "redis"{policy}),
                ] }}),
                "redis": Kv(),
            "#
            );
            let policies = r#""app": [Timeout("2s")], "store": [Timeout("1s")]"#;
            warnings_of(&actors, policies, rest)
        };
        let cut = r#"faults: [At("9s", Partition("api", "redis"))],"#;
        let told = shop("", cut);
        assert_warns(&told, "api->redis has no timeout, and a fault keeps replies away");
        let lossy = r#"links: [Link(from: "api", to: "redis", loss: 0.1)],"#;
        assert_warns(&shop("", lossy), "its link loses 10 %");
        assert_quiet(&shop(r#", policy: "store""#, cut));
        assert_quiet(&shop("", ""));
        assert_quiet(&shop("", r#"faults: [At("9s", Outage("redis"))],"#));
    }

    #[test]
    fn what_is_spawned_needs_a_worker_that_is_free() {
        let shop = |service: &str, after: &str| {
            let actors = format!(
                r#"
                "users": Client(load: Open(rate: "1/m"), does: [Call("api.get")]),
                "api": Service({service}, endpoints: {{ "get": [
                    Spawn([Sleep(Const("1s")), Effect("beat")]), {after}
                ] }}),
            "#
            );
            warnings_of(&actors, "", "")
        };
        let told = shop("workers: 1, threads: Async", r#"Work(Const("9s"))"#);
        assert_warns(&told, "its only one goes on to work for 9s");
        assert_quiet(&shop("workers: 2, threads: Async", r#"Work(Const("9s"))"#));
        assert_quiet(&shop("workers: 1", r#"Work(Const("9s"))"#));
        assert_quiet(&shop("workers: 1, threads: Async", r#"Sleep(Const("9s"))"#));
    }
}
