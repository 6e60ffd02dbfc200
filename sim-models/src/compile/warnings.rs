//! What is allowed and yet unlikely to be meant: a design that forgets a key while its callers may
//! still send it, or that gives a lock away while its holder may still be at work, or a load that no
//! queue survives.
//!
//! Only what the policies bound is compared: a caller without a timeout may wait for ever, and
//! nothing is said of it.

use sim_core::{Span, Time};
use sim_policies::{Advice, Decision, Ending, Failed};

use super::builder::{Builder, DesignUse};
use crate::plan::{ActorKind, LayerPlan, RetryPlan, Site, SiteId, Target};
use crate::source::SourceError;

/// A call with all the time that its policies allow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Longest {
    /// From the first attempt until the last one is sent, at least.
    last_sent: Span,
    /// Until the call has ended; `None` when nothing bounds it.
    ends: Option<Span>,
}

/// A retry that goes on for longer than so many attempts is taken to go on for ever.
const ATTEMPTS_MAX: u32 = 1_000;

impl Builder<'_> {
    pub(super) fn warnings(&mut self) {
        let uses = std::mem::take(&mut self.design_uses);
        let mut warnings = self.unstable();
        for design in &uses {
            warnings.extend(self.forgets_too_early(design));
            warnings.extend(self.unlocks_too_early(design));
        }
        self.plan.warnings = warnings;
    }

    fn forgets_too_early(&self, design: &DesignUse) -> Option<SourceError> {
        let keep = design.keep?;
        let callers = self.plan.sites.iter().filter(|site| match site.target {
            Target::Endpoint { endpoint, .. } => {
                self.plan.endpoints[endpoint.index()] == design.program
            }
            _ => false,
        });
        let with_horizon = callers.map(|site| (self.longest(site).last_sent, site));
        let (horizon, site) = with_horizon.max_by_key(|(horizon, _)| *horizon)?;
        (horizon > keep).then(|| {
            let message = format!(
                "keep = {keep}, yet a retry of {} may come {horizon} after the first attempt",
                self.plan.pair_name(site.pair)
            );
            let help = "a key that was forgotten is a new payment: keep results for longer than \
                anybody retries";
            self.complaint(&design.here.field("keep"), message, Some(help.to_owned()))
        })
    }

    fn unlocks_too_early(&self, design: &DesignUse) -> Option<SourceError> {
        let lock = design.lock?;
        let calls = self.plan.sites[design.sites.clone()].iter();
        let calls = calls.filter(|site| matches!(site.target, Target::Endpoint { .. }));
        let bounded = calls.filter_map(|site| Some((self.longest(site).ends?, site)));
        let (longest, site) = bounded.max_by_key(|(longest, _)| *longest)?;
        (longest > lock).then(|| {
            let message = format!(
                "lock = {lock}, yet {} under it may take {longest}",
                self.plan.pair_name(site.pair)
            );
            let help = "another execution gets the lock while this one is still at work: lock for \
                longer than the work may take";
            self.complaint(&design.here.field("lock"), message, Some(help.to_owned()))
        })
    }

    fn longest(&self, site: &Site) -> Longest {
        let layers = &self.plan.stacks[site.stack.index()].layers;
        let bound = |layers: &[LayerPlan]| {
            let bounds = layers.iter().filter_map(|layer| match layer {
                LayerPlan::Timeout(timeout) => Some(timeout.after),
                LayerPlan::Deadline(span) => Some(*span),
                _ => None,
            });
            bounds.min()
        };
        let retry = layers.iter().enumerate().find_map(|(n, layer)| match layer {
            LayerPlan::Retry(retry) => Some((n, &**retry)),
            _ => None,
        });
        let Some((n, retry)) = retry else {
            return Longest { last_sent: Span::ZERO, ends: bound(layers) };
        };
        let attempt = bound(&layers[n + 1..]);
        let (last_sent, all) = self.series(retry, attempt.unwrap_or(Span::ZERO));
        let outer = self.patience_of(site).into_iter().chain(bound(&layers[..n])).min();
        let ends = all.filter(|_| attempt.is_some()).into_iter().chain(outer).min();
        Longest { last_sent: outer.map_or(last_sent, |outer| outer.min(last_sent)), ends }
    }

    /// The latest beginning of a retry and the end of the whole series, when every attempt fails
    /// after `attempt` and chance makes every wait as long as it can.
    fn series(&self, RetryPlan { retry, .. }: &RetryPlan, attempt: Span) -> (Span, Option<Span>) {
        let endings = [Ending::TimedOut, Ending::Status(503), Ending::Status(500), Ending::Reset];
        let Some(ending) = endings.into_iter().find(|ending| retry.on().contains(*ending)) else {
            return (Span::ZERO, Some(attempt));
        };
        let mut state = retry.start(Time::ZERO);
        let (mut last_sent, mut now) = (Span::ZERO, Span::ZERO);
        for _ in 0..ATTEMPTS_MAX {
            now += attempt;
            let at = Time::ZERO + now;
            match retry.decide(&mut state, at, Failed::new(ending, Advice::None), u64::MAX) {
                Decision::Again { after, .. } => {
                    now += after;
                    last_sent = now;
                }
                Decision::GiveUp(_) => return (last_sent, Some(now)),
            }
        }
        (last_sent, None)
    }

    fn patience_of(&self, site: &Site) -> Option<Span> {
        let (from, _) = self.plan.pairs[site.pair.index()];
        match &self.plan.actors[from.index()].kind {
            ActorKind::Client(client) => client.patience,
            _ => None,
        }
    }

    /// The place that the next site will have.
    pub(super) fn next_site(&self) -> usize {
        SiteId::nth(self.plan.sites.len()).index()
    }
}

#[cfg(test)]
mod tests {
    use crate::Scenario;

    fn warnings(keep: &str, lock: &str, retry: &str, patience: &str) -> Vec<String> {
        let text = format!(
            r#"Scenario(
                name: "shop", about: "", horizon: "10s",
                actors: {{
                    "users": Client(load: Burst(count: 1), {patience} does: [Call("api.pay", policy: "app")]),
                    "api": Service(workers: 1, endpoints: {{ "pay": [
                        Idempotent(design: "safe", keep: "{keep}", lock: "{lock}", body: [
                            Call("psp.charge", policy: "psp", into: "result"),
                        ]),
                    ] }}),
                    "psp": Service(workers: 1, endpoints: {{ "charge": [Effect("charge")] }}),
                    "redis": Kv(),
                }},
                policies: {{
                    "app": [{retry}, Timeout("2s")],
                    "psp": [Retry(attempts: 2, backoff: Constant("1s")), Timeout("3s")],
                }},
            )"#
        );
        let scenario = Scenario::text("shop.ron", text).load().expect("it is right");
        scenario.warnings().iter().map(ToString::to_string).collect()
    }

    const THREE: &str = r#"Retry(attempts: 3, backoff: Constant("4s"))"#;

    #[test]
    fn a_retention_shorter_than_the_last_retry_is_warned_of() {
        let told = warnings("11s", "30s", THREE, "");
        assert_eq!(told.len(), 1);
        let expected = "keep = 11s, yet a retry of users->api may come 12s after the first attempt";
        assert!(told[0].contains(expected), "{}", told[0]);
        assert!(warnings("12s", "30s", THREE, "").is_empty(), "2 s + 4 s + 2 s + 4 s");
        assert!(warnings("11s", "30s", THREE, r#"patience: "11s","#).is_empty());
    }

    #[test]
    fn jitter_counts_at_its_longest() {
        let full = r#"Retry(attempts: 2, backoff: Constant("4s"), jitter: Proportional(0.5))"#;
        assert_eq!(warnings("7s", "30s", full, "").len(), 1);
        assert!(warnings("8s", "30s", full, "").is_empty(), "2 s + 6 s");
    }

    #[test]
    fn a_lock_shorter_than_the_work_under_it_is_warned_of() {
        let told = warnings("1h", "6s", THREE, "");
        let expected = "lock = 6s, yet api->psp under it may take 7s";
        assert!(told.len() == 1 && told[0].contains(expected), "{told:?}");
        assert!(warnings("1h", "7s", THREE, "").is_empty());
    }

    #[test]
    fn a_retry_without_an_end_outlasts_every_retention() {
        let told = warnings("10m", "30s", "Retry(Tenacity())", "");
        assert_eq!(told.len(), 1, "{told:?}");
    }
}
