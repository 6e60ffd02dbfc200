//! Retries that multiply, and retries that come all at once.

use sim_core::Span;

use super::super::builder::Builder;
use super::Finding;
use super::calls::{Calls, callee, clients};
use super::lengths::series;
use crate::plan::{ActorKind, LayerPlan, LoadPlan, RetryPlan, SiteId};

/// So many attempts for one call are worth a word: two layers of three are common, and three are
/// how an outage begins.
const ATTEMPTS_MANY: u64 = 10;

/// A retry without an end counts as so many attempts.
const ATTEMPTS_ENDLESS: u32 = 1_000;

/// The retries of a site without a budget.
fn retries<'a>(builder: &'a Builder<'_>, site: SiteId) -> impl Iterator<Item = &'a RetryPlan> {
    let site = &builder.plan.sites[site.index()];
    let layers = &builder.plan.stacks[site.stack.index()].layers;
    layers.iter().filter_map(|layer| match layer {
        LayerPlan::Retry(retry) if retry.budget.is_none() => Some(&**retry),
        _ => None,
    })
}

fn attempts(builder: &Builder<'_>, site: SiteId) -> u32 {
    let attempts = retries(builder, site)
        .map(|retry| series(retry, Span::ZERO, u64::MAX).attempts.unwrap_or(ATTEMPTS_ENDLESS));
    attempts.fold(1, u32::saturating_mul)
}

/// Calls of which every hop down to the last retries.
pub(super) fn retries_multiply(builder: &Builder<'_>) -> Vec<Finding> {
    let calls = Calls::of(builder);
    let mut findings = Vec::new();
    let mut known = vec![None; builder.plan.sites.len()];
    for program in clients(&builder.plan) {
        for site in &calls.sites[program.index()] {
            let mut way = Vec::new();
            chain(builder, &calls, *site, &mut known, 0);
            let mut at = Some(*site);
            while let Some(site) = at {
                let Some(Some(link)) = known[site.index()] else { break };
                way.push((site, link.attempts));
                at = link.next;
            }
            let product: u64 =
                way.iter().fold(1, |n, (_, attempts)| n.saturating_mul(u64::from(*attempts)));
            if way.len() < 2 || product < ATTEMPTS_MANY {
                continue;
            }
            let hop = |(site, attempts): &(SiteId, u32)| {
                let pair = builder.plan.sites[site.index()].pair;
                format!("{} {attempts}", builder.plan.pair_name(pair))
            };
            let hops: Vec<String> = way.iter().map(hop).collect();
            let message = format!(
                "retries at every layer multiply: one call may become {product} ({})",
                hops.join(" x ")
            );
            let help = "retry at one layer, or give the retries a `budget`";
            let here = builder.site_notes[site.index()].here.field("policy");
            findings.push(Finding::new(here, message, help).shown_by("published/layers"));
        }
    }
    findings
}

/// A site that retries, and the one below it that retries most.
#[derive(Clone, Copy)]
struct Link {
    attempts: u32,
    product: u64,
    next: Option<SiteId>,
}

/// Calls within calls are followed so deep.
const DEPTH_MAX: usize = 64;

fn chain(
    builder: &Builder<'_>,
    calls: &Calls,
    site: SiteId,
    known: &mut Vec<Option<Option<Link>>>,
    depth: usize,
) -> Option<Link> {
    if let Some(link) = known[site.index()] {
        return link;
    }
    // A round of calls ends here.
    known[site.index()] = Some(None);
    let attempts = attempts(builder, site);
    if attempts < 2 || depth == DEPTH_MAX {
        return None;
    }
    let below = callee(&builder.plan, site).map(|program| &calls.sites[program.index()]);
    let mut best: Option<(SiteId, u64)> = None;
    for inner in below.into_iter().flatten() {
        if let Some(link) = chain(builder, calls, *inner, known, depth + 1)
            && best.is_none_or(|(_, product)| link.product > product)
        {
            best = Some((*inner, link.product));
        }
    }
    let product = u64::from(attempts).saturating_mul(best.map_or(1, |(_, product)| product));
    let link = Some(Link { attempts, product, next: best.map(|(site, _)| site) });
    known[site.index()] = Some(link);
    link
}

/// Retries without jitter of users who all fail at the same instant.
pub(super) fn retries_in_step(builder: &Builder<'_>) -> Vec<Finding> {
    let calls = Calls::of(builder);
    let mut findings = Vec::new();
    for actor in &builder.plan.actors {
        let ActorKind::Client(client) = &actor.kind else { continue };
        let users = match client.load {
            LoadPlan::Closed { users, .. } => users,
            LoadPlan::Burst { count, .. } => count,
            _ => continue,
        };
        if users < 2 {
            continue;
        }
        for site in &calls.sites[client.program.index()] {
            let Some(retry) = retries(builder, *site).find(|retry| is_in_step(retry)) else {
                continue;
            };
            let series = series(retry, Span::ZERO, 0);
            let times = series.attempts.map_or("again and again".to_owned(), |attempts| {
                format!("up to {} times", attempts - 1)
            });
            let message = format!(
                "{users} users whose retries have no jitter come back at the same instant, {times}"
            );
            let help = "spread them: `jitter: Full`, or the library's own jitter";
            let here = builder.site_notes[site.index()].here.field("policy");
            findings.push(Finding::new(here, message, help).shown_by("thundering_herd"));
        }
    }
    findings
}

/// Whether it retries, and chance changes none of its waits.
fn is_in_step(retry: &RetryPlan) -> bool {
    let [low, high] = [0, u64::MAX].map(|draw| series(retry, Span::ZERO, draw));
    low.attempts != Some(1) && low == high
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_quiet, assert_warns, warnings_of};

    fn layers(web: &str, api: &str, db: &str) -> Vec<String> {
        let actors = r#"
            "users": Client(load: Open(rate: "1/s"), does: [Call("web.get", policy: "web")]),
            "web": Service(workers: 10, endpoints: { "get": [Call("api.get", policy: "api")] }),
            "api": Service(workers: 10, endpoints: { "get": [
                Try([Call("db.get", policy: "db")], catch: []),
            ] }),
            "db": Service(workers: 10, endpoints: { "get": [] }),
        "#;
        let policies = format!(r#""web": [{web}], "api": [{api}], "db": [{db}]"#);
        warnings_of(actors, &policies, "")
    }

    #[test]
    fn retries_at_every_layer_multiply() {
        let three = "Retry(attempts: 3, jitter: Full)";
        let told = layers(three, three, "Retry(attempts: 4, jitter: Full)");
        assert_warns(&told, "one call may become 36 (users->web 3 x web->api 3 x api->db 4)");
        assert_quiet(&layers("Timeout(\"9s\")", three, three));
        assert_quiet(&layers(three, three, "Timeout(\"1s\")"));
        let budget = "Retry(attempts: 4, jitter: Full, budget: Grpc())";
        assert_quiet(&layers(three, three, budget));
    }

    #[test]
    fn a_crowd_without_jitter_comes_back_at_once() {
        let crowd = |load: &str, retry: &str| {
            let actors = format!(
                r#"
                "users": Client(load: {load}, does: [Call("api.get", policy: "p")]),
                "api": Service(workers: 10, endpoints: {{ "get": [] }}),
            "#
            );
            warnings_of(&actors, &format!(r#""p": [{retry}]"#), "")
        };
        let constant = r#"Retry(attempts: 3, backoff: Constant("1s"))"#;
        let closed = r#"Closed(users: 50, think: Const("1s"))"#;
        assert_warns(&crowd(closed, constant), "50 users whose retries have no jitter");
        assert_warns(&crowd(closed, "Retry(Resilience4j())"), "up to 2 times");
        assert_quiet(&crowd(
            closed,
            r#"Retry(attempts: 3, backoff: Constant("1s"), jitter: Full)"#,
        ));
        assert_quiet(&crowd(r#"Closed(users: 1, think: Const("1s"))"#, constant));
        assert_quiet(&crowd(r#"Open(rate: "5/s")"#, constant));
    }
}
