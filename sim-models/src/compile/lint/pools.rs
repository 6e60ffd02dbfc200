//! One pool, twice on one path: whoever holds a permit waits for another one of the same pool.
//!
//! With as many callers as permits each holds one and nobody gets a second. `threads x (held - 1) + 1`
//! permits let at least one of them go on (HikariCP, "About Pool Sizing").

use sim_policies::bulkhead::Bulkhead;

use super::super::builder::Builder;
use super::Finding;
use super::calls::{Calls, callee};
use crate::plan::{ActorKind, LayerPlan, LoadPlan, ProgramId, SiteId, StackId, Threads};

/// Calls within calls are followed so deep.
const DEPTH_MAX: usize = 64;

/// Calls that hold a permit of a pool while a call below them waits for another one.
pub(super) fn same_pool_twice(builder: &Builder<'_>) -> Vec<Finding> {
    let calls = Calls::of(builder);
    let mut findings = Vec::new();
    let mut seen = Vec::new();
    for n in 0..builder.plan.sites.len() {
        let site = SiteId::nth(n);
        let stack = builder.plan.sites[n].stack;
        let Some(size) = permits(builder, stack) else { continue };
        if seen.contains(&stack) {
            continue;
        }
        let held = held(builder, &calls, site, stack, &mut Vec::new());
        if held < 2 {
            continue;
        }
        seen.push(stack);
        let owner = builder.site_notes[n].owner;
        let threads = at_once(builder, &calls, owner, 0);
        let needed = threads.map(|threads| threads.saturating_mul(held - 1).saturating_add(1));
        if needed.is_some_and(|needed| u64::from(size) >= needed) {
            continue;
        }
        let name = &builder.plan.stacks[stack.index()].name;
        let (who, help) = match (threads, needed) {
            (Some(threads), Some(needed)) => (
                format!("{threads} callers at once"),
                format!(
                    "with {threads} x ({held} - 1) + 1 = {needed} permits one of them can always go \
                     on; or give the inner call a pool of its own"
                ),
            ),
            _ => (
                "any number of callers".to_owned(),
                "give the inner call a pool of its own, or bound the callers".to_owned(),
            ),
        };
        let message = format!(
            "a call holds {held} of the {size} permits of `{name}` at once: {who} may each hold one \
             and wait for the next"
        );
        let here = builder.site_notes[n].here.field("policy");
        findings.push(Finding::new(here, message, help).shown_by("incidents/pool_deadlock"));
    }
    findings
}

/// The permits of a stack's bulkhead or pool.
fn permits(builder: &Builder<'_>, stack: StackId) -> Option<u32> {
    builder.plan.stacks[stack.index()].layers.iter().find_map(|layer| match layer {
        LayerPlan::Bulkhead(config) => Some(Bulkhead::new(config).expect("it was checked").limit()),
        _ => None,
    })
}

/// How many permits of a stack are held at most from a site downwards.
fn held(
    builder: &Builder<'_>,
    calls: &Calls,
    site: SiteId,
    stack: StackId,
    open: &mut Vec<ProgramId>,
) -> u64 {
    let own = u64::from(builder.plan.sites[site.index()].stack == stack);
    let Some(program) = callee(&builder.plan, site) else { return own };
    if open.contains(&program) || open.len() == DEPTH_MAX {
        return own;
    }
    open.push(program);
    let below = calls.sites[program.index()].iter();
    let below = below.map(|site| held(builder, calls, *site, stack, open)).max();
    open.pop();
    own + below.unwrap_or(0)
}

/// How many runs of a program there may be at once; `None` when nothing bounds it.
fn at_once(builder: &Builder<'_>, calls: &Calls, program: ProgramId, depth: usize) -> Option<u64> {
    let plan = &builder.plan;
    let own = plan.actors.iter().find_map(|actor| match &actor.kind {
        ActorKind::Client(client) if client.program == program => Some(match client.load {
            LoadPlan::Closed { users: n, .. } | LoadPlan::Burst { count: n, .. } => {
                Some(u64::from(n) * u64::from(client.clicks))
            }
            _ => None,
        }),
        _ => None,
    });
    if let Some(own) = own {
        return own;
    }
    let callers = &calls.callers[program.index()];
    let at_callers = match depth < DEPTH_MAX && !callers.is_empty() {
        true => callers.iter().try_fold(0_u64, |sum, site| {
            let owner = builder.site_notes[site.index()].owner;
            Some(sum.saturating_add(at_once(builder, calls, owner, depth + 1)?))
        }),
        false => None,
    };
    at_callers.into_iter().chain(workers(builder, program)).min()
}

/// The workers of a program's service, which are held as long as it runs.
fn workers(builder: &Builder<'_>, program: ProgramId) -> Option<u64> {
    let plan = &builder.plan;
    let name = plan.programs[program.index()].name.split('.').next()?;
    let actor = builder.actor_ids.get(name)?;
    match &plan.actors[actor.index()].kind {
        ActorKind::Service(service) if service.threads == Threads::Blocking => {
            let scaled = service.autoscale.map_or(0, |scale| scale.max);
            Some(u64::from(service.workers) * u64::from(service.instances.max(scaled)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_quiet, assert_warns, warnings_of};

    fn warnings(threads: u32, pool: u32, inner: &str) -> Vec<String> {
        let actors = format!(
            r#"
            "users": Client(load: Open(rate: "1/s"), does: [Call("web.pay")]),
            "web": Service(workers: {threads}, endpoints: {{ "pay": [Call("app.outer")] }}),
            "app": Service(workers: 1000, threads: Async, endpoints: {{
                "outer": [Call("app.inner", policy: "pool")],
                "inner": [Call("db.get"), Call("app.audit", policy: "{inner}")],
                "audit": [Call("db.get")],
            }}),
            "db": Service(workers: 10, endpoints: {{ "get": [] }}),
        "#
        );
        let policies = format!(r#""pool": [ConnectionPool({pool})], "other": [Bulkhead(9)]"#);
        warnings_of(&actors, &policies, "")
    }

    #[test]
    fn a_pool_that_is_asked_twice_needs_room_for_one_more_than_all_threads() {
        let told = warnings(50, 10, "pool");
        assert_warns(
            &told,
            "a call holds 2 of the 10 permits of `app->app pool` at once: 50 callers",
        );
        assert_warns(&told, "50 x (2 - 1) + 1 = 51 permits");
        assert_eq!(warnings(50, 50, "pool").len(), 1);
        assert_quiet(&warnings(50, 51, "pool"));
        assert_quiet(&warnings(50, 10, "other"));
    }
}
