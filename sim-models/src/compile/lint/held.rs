//! What is let go too early: a key that its callers may still send, a lock whose holder may still be
//! at work, a message whose consumer may still be at it.
//!
//! A caller without a timeout may wait without end, and so may what it does under a lock.

use sim_core::Span;
use sim_redis::value::Value;

use super::super::builder::{Builder, DesignUse};
use super::super::place::{DocId, Here};
use super::Finding;
use super::lengths::{Length, Lengths};
use crate::plan::{Instr, KvOp, OpPlan, Operand, Target};
use crate::source::path_key;

/// Designs that forget a key while a caller may still retry with it.
pub(super) fn forgets_too_early(builder: &Builder<'_>) -> Vec<Finding> {
    builder.design_uses.iter().filter_map(|design| forgets(builder, design)).collect()
}

fn forgets(builder: &Builder<'_>, design: &DesignUse) -> Option<Finding> {
    let keep = design.keep?;
    let plan = &builder.plan;
    let callers = plan.sites.iter().filter(|site| match site.target {
        Target::Endpoint { endpoint, .. } => plan.endpoints[endpoint.index()] == design.program,
        _ => false,
    });
    let with_horizon = callers.map(|site| (builder.longest(site).last_sent, site));
    let (horizon, site) = with_horizon.max_by_key(|(horizon, _)| *horizon)?;
    (horizon > keep).then(|| {
        let pair = plan.pair_name(site.pair);
        let message = format!(
            "keep = {keep}, yet a retry of {pair} may come {horizon} after the first attempt"
        );
        let help = "a key that was forgotten is a new payment: keep results for longer than \
            anybody retries";
        Finding::new(design.here.field("keep"), message, help)
            .shown_by("failure-modes/FM-25-result-outlived-by-retries")
    })
}

const LOCK_LONGER: &str = "another execution gets the lock while this one is still at work: lock \
    for longer than the work may take, and give each call a timeout";

const LOCK_SHOWN: &str = "failure-modes/FM-07-lock-expires-during-work";

/// Designs whose lock ends before what they protect.
pub(super) fn unlocks_too_early(builder: &Builder<'_>) -> Vec<Finding> {
    let mut lengths = Lengths::new(&builder.plan);
    let mut findings = Vec::new();
    for design in &builder.design_uses {
        let Some(lock) = design.lock else { continue };
        let bodies = design.body.iter().map(|code| lengths.of(code.start, code.end));
        let Some(longest) = bodies.reduce(Length::or) else { continue };
        if longest.exceeds(lock) {
            let message =
                format!("lock = {lock}, yet {}", told(builder, longest, "the work under it"));
            let finding = Finding::new(design.here.field("lock"), message, LOCK_LONGER);
            findings.push(finding.shown_by(LOCK_SHOWN));
        }
    }
    findings
}

/// Locks that a program takes with a command, and that end before it gives them back.
pub(super) fn lock_ends_too_early(builder: &Builder<'_>) -> Vec<Finding> {
    let plan = &builder.plan;
    let mut lengths = Lengths::new(plan);
    let command = |at: usize| match plan.code[at] {
        Instr::Call(site) => match &plan.sites[site.index()].target {
            Target::Kv(command) => Some((site, &command.op)),
            _ => None,
        },
        _ => None,
    };
    let mut findings = Vec::new();
    for at in 0..plan.code.len() {
        let Some((site, op)) = command(at) else { continue };
        let note = &builder.site_notes[site.index()];
        // The lock of a design is a matter of its use.
        let (Some((key, lock)), DocId::FILE) = (taken(op), note.here.doc) else { continue };
        let end = builder.end_of_code(note.owner);
        let back = (at + 1..end).find(|at| command(*at).is_some_and(|(_, op)| frees(op, key)));
        let Some(back) = back else { continue };
        let longest = lengths.of(at + 1, back);
        if longest.exceeds(lock) {
            let work = told(builder, longest, "the work until it is given back");
            let message = format!("this lock ends after {lock}, yet {work}");
            findings
                .push(Finding::new(note.here.clone(), message, LOCK_LONGER).shown_by(LOCK_SHOWN));
        }
    }
    findings
}

/// The key of a lock that a command takes, and how long it lives.
fn taken(op: &OpPlan) -> Option<(Operand, Span)> {
    match op {
        KvOp::Set { key, nx: true, ex, px, .. } => Some((*key, (*ex).or(*px)?)),
        _ => None,
    }
}

/// Whether a command gives a lock back, whoever holds it.
fn frees(op: &OpPlan, lock: Operand) -> bool {
    let is_constant = |operand| matches!(operand, Operand::Const(value) if value != Value::Nil);
    match op {
        KvOp::Del(key) | KvOp::CompareAndDelete { key, .. } => {
            *key == lock && (is_constant(lock) || !matches!(lock, Operand::Const(_)))
        }
        _ => false,
    }
}

/// Messages that are handed out again while whoever took one may still be at it.
pub(super) fn handed_out_too_early(builder: &Builder<'_>) -> Vec<Finding> {
    let plan = &builder.plan;
    let mut lengths = Lengths::new(plan);
    let mut findings = Vec::new();
    for queue in &plan.queues {
        for subscriber in &queue.subscribers {
            let program = plan.endpoints[subscriber.endpoint.index()];
            let entry = plan.programs[program.index()].entry.index();
            let longest = lengths.of(entry, builder.end_of_code(program));
            if !longest.exceeds(queue.visibility) {
                continue;
            }
            let (broker, name) = queue.name.split_once('.').unwrap_or_default();
            let path = format!("actors.{}.queues.{}", path_key(broker), path_key(name));
            let message = format!(
                "visibility = {}, yet {}",
                queue.visibility,
                told(builder, longest, &plan.programs[program.index()].name)
            );
            let help = "the message is handed out again while its consumer is still at work: make \
                it longer than the work may take, and give each call a timeout";
            findings.push(
                Finding::new(Here::file(path).field("visibility"), message, help)
                    .shown_by("failure-modes/FM-48-event-delivered-twice"),
            );
        }
    }
    findings
}

/// `the work under it may take 7s`, or that it may take without end, and why.
fn told(builder: &Builder<'_>, length: Length, work: &str) -> String {
    match length.endless {
        None => format!("{work} may take {}", length.span),
        Some(site) => {
            let pair = builder.plan.pair_name(builder.plan.sites[site.index()].pair);
            format!("{work} may take without end: {pair} has no timeout")
        }
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
        let expected = "lock = 6s, yet the work under it may take 7s";
        assert!(told.len() == 1 && told[0].contains(expected), "{told:?}");
        assert!(warnings("1h", "7s", THREE, "").is_empty());
    }

    #[test]
    fn a_retry_without_an_end_outlasts_every_retention() {
        let told = warnings("10m", "30s", "Retry(Tenacity())", "");
        assert!(told.iter().any(|told| told.contains("keep = 10m")), "{told:?}");
    }
}
