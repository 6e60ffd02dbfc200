//! What never happens: jobs whose first turn comes after the run, faults of messages that nobody
//! sends.

use super::super::builder::Builder;
use super::super::place::Here;
use super::Finding;
use crate::language::Actor;
use crate::plan::ActorId;
use crate::source::path_key;

/// Jobs that the run is over before.
pub(super) fn never_begins(builder: &Builder<'_>) -> Vec<Finding> {
    let horizon = builder.spec.horizon;
    let mut findings = Vec::new();
    for (name, actor) in &builder.spec.actors {
        let Actor::Service(service) = actor else { continue };
        for (job, plan) in &service.jobs {
            let first = plan.from + plan.every;
            if first <= horizon {
                continue;
            }
            let (name, job) = (path_key(name), path_key(job));
            let message = format!("the first turn comes at {first}; the run is over at {horizon}");
            let help = "the first turn comes `every` after `from`: lower one of them, or run for \
                longer";
            let here = Here::file(format!("actors.{name}.jobs.{job}.every"));
            findings.push(Finding::new(here, message, help));
        }
    }
    findings
}

/// Faults of messages between actors that send each other none.
pub(super) fn reaches_nobody(builder: &Builder<'_>) -> Vec<Finding> {
    let plan = &builder.plan;
    let mut findings = Vec::new();
    for (n, entry) in plan.faults.iter().enumerate() {
        let route = entry.fault.route().map(|(from, to)| (*from, *to));
        let Some((from, to)) = route.filter(|(from, to)| !plan.talk(*from, *to)) else { continue };
        let others: Vec<&str> = (0..plan.actors.len())
            .map(ActorId::nth)
            .filter(|other| plan.talk(from, *other))
            .map(|other| plan.actor_name(other))
            .collect();
        let (name, to) = (plan.actor_name(from), plan.actor_name(to));
        let message = format!("`{name}` and `{to}` send each other no messages");
        let help = match &others[..] {
            [] => format!("the fault can do nothing; `{name}` talks with nobody"),
            others => {
                format!("the fault can do nothing; `{name}` talks with `{}`", others.join("`, `"))
            }
        };
        findings.push(Finding::new(Here::file("faults").at(n).field("fault"), message, help));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_quiet, assert_warns, warnings_of};

    #[test]
    fn a_job_whose_first_turn_comes_too_late_never_runs() {
        let job = |every: &str, from: &str| {
            let actors = format!(
                r#""api": Service(workers: 1, endpoints: {{}}, jobs: {{
                    "sweep": Job(every: "{every}", from: "{from}", does: [Effect("sweep")]),
                }})"#
            );
            warnings_of(&actors, "", "")
        };
        assert_warns(&job("60s", "50s"), "the first turn comes at 110s; the run is over at 100s");
        assert_quiet(&job("60s", "40s"));
    }
    #[test]
    fn a_fault_between_strangers_does_nothing() {
        let cut = |to: &str| {
            let actors = r#"
                "users": Client(load: Open(rate: "1/s"), does: [Call("api.get")]),
                "api": Service(workers: 1, endpoints: { "get": [] }),
                "db": Service(workers: 1, endpoints: { "get": [] }),
            "#;
            let faults = format!(r#"faults: [At("9s", Partition("users", "{to}"))],"#);
            warnings_of(actors, "", &faults)
        };
        let told = cut("db");
        assert_warns(&told, "`users` and `db` send each other no messages");
        assert_warns(&told, "`users` talks with `api`");
        assert_quiet(&cut("api"));
    }
}
