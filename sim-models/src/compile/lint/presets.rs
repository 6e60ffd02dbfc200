//! Options of libraries that do something else than they seem to say.

use sim_policies::RetryConfig;
use sim_policies::breaker::BreakerConfig;
use sim_policies::breaker::resilience4j::SlidingWindowType;
use sim_policies::hedge::HedgeConfig;

use super::super::builder::Builder;
use super::super::place::Here;
use super::Finding;
use crate::language::{OutlierPreset, Policy};
use crate::source::path_key;

/// Every policy of the file with its place.
fn policies<'a>(builder: &Builder<'a>) -> impl Iterator<Item = (Here, &'a Policy)> {
    builder.spec.policies.iter().flat_map(|(name, stack)| {
        let here = Here::file(format!("policies.{}", path_key(name)));
        stack.iter().enumerate().map(move |(n, policy)| match policy {
            Policy::Shared(shared) => (here.at(n).field("policy"), &*shared.policy),
            policy => (here.at(n), policy),
        })
    })
}

/// A breaker that wants more results than its window holds.
pub(super) fn minimum_above_window(builder: &Builder<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (here, policy) in policies(builder) {
        let Policy::Breaker(breaker) = policy else { continue };
        let BreakerConfig::Resilience4j(config) = &breaker.trip else { continue };
        let here = here.field("trip").field("minimum_number_of_calls");
        let (minimum, size) = (config.minimum_number_of_calls, config.sliding_window_size);
        let is_written = builder.docs[0].text_of(&here.path).is_some();
        if config.sliding_window_type == SlidingWindowType::CountBased
            && minimum > size
            && is_written
        {
            let message = format!(
                "minimum_number_of_calls = {minimum}, above the window of {size} calls: it counts \
                 as {size}"
            );
            let help = "the rate is judged as soon as the window is full: lower the minimum, or \
                widen `sliding_window_size`";
            let finding = Finding::new(here, message, help);
            findings.push(finding.shown_by("incidents/breaker_trips_on_noise"));
        }
    }
    findings
}

/// Outlier detection over so few hosts that none may be ejected.
pub(super) fn nobody_can_be_ejected(builder: &Builder<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (here, policy) in policies(builder) {
        let Policy::OutlierDetection(detection) = policy else { continue };
        let OutlierPreset::Envoy(config) = &detection.like;
        let hosts = detection.hosts.len() as u64 + 1;
        let percent = u64::from(config.max_ejection_percent);
        if percent * hosts >= 100 || config.always_eject_one_host {
            continue;
        }
        let message = format!(
            "max_ejection_percent = {percent} of {hosts} hosts is less than one: none is ever ejected"
        );
        let help = format!(
            "allow at least {} percent, or write `always_eject_one_host: true`",
            100_u64.div_ceil(hosts)
        );
        let here = here.field("like").field("max_ejection_percent");
        let finding = Finding::new(here, message, help);
        findings.push(finding.shown_by("incidents/slow_loris_downstream"));
    }
    findings
}

/// The most attempts that a gRPC client makes, whatever its service config says (proposal A6).
const GRPC_ATTEMPTS_MAX: u32 = 5;

/// More attempts than the library makes.
pub(super) fn attempts_above_cap(builder: &Builder<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (here, policy) in policies(builder) {
        let attempts = match policy {
            Policy::Retry(retry) => match &retry.like {
                Some(RetryConfig::Grpc(config)) => config.max_attempts,
                _ => continue,
            },
            Policy::Hedge(hedge) => match &hedge.like {
                HedgeConfig::Grpc(config) => config.max_attempts,
                _ => continue,
            },
            _ => continue,
        };
        if attempts > GRPC_ATTEMPTS_MAX {
            let message = format!(
                "max_attempts = {attempts}; gRPC makes at most {GRPC_ATTEMPTS_MAX}, the first \
                 included"
            );
            let help = format!("write {GRPC_ATTEMPTS_MAX}");
            let here = here.field("like").field("max_attempts");
            findings.push(Finding::new(here, message, help));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_quiet, assert_warns, warnings_of};

    fn warnings(stack: &str) -> Vec<String> {
        let actors = r#"
            "users": Client(load: Open(rate: "1/s"), does: [Call("api.get", policy: "p")]),
            "api": Service(workers: 10, endpoints: { "get": [] }),
            "api-2": Service(workers: 10, endpoints: { "get": [] }),
            "api-3": Service(workers: 10, endpoints: { "get": [] }),
        "#;
        warnings_of(actors, &format!(r#""p": [{stack}]"#), "")
    }

    #[test]
    fn a_minimum_above_the_window_counts_as_the_window() {
        let breaker = |options: &str| {
            warnings(&format!("Breaker(Resilience4j(sliding_window_size: 10{options}))"))
        };
        assert_warns(&breaker(", minimum_number_of_calls: 20"), "it counts as 10");
        assert_quiet(&breaker(", minimum_number_of_calls: 10"));
        assert_quiet(&breaker(""));
        assert_quiet(&breaker(", sliding_window_type: TimeBased, minimum_number_of_calls: 20"));
    }

    #[test]
    fn a_tenth_of_three_hosts_is_nobody() {
        let detection = |options: &str| {
            warnings(&format!(
                r#"OutlierDetection(hosts: ["api-2", "api-3"], like: Envoy({options}))"#
            ))
        };
        assert_warns(&detection(""), "max_ejection_percent = 10 of 3 hosts is less than one");
        assert_warns(&detection("max_ejection_percent: 33"), "allow at least 34 percent");
        assert_quiet(&detection("max_ejection_percent: 34"));
        assert_quiet(&detection("always_eject_one_host: true"));
    }

    #[test]
    fn grpc_makes_five_attempts_at_most() {
        assert_warns(&warnings("Retry(Grpc(max_attempts: 6))"), "gRPC makes at most 5");
        assert_quiet(&warnings("Retry(Grpc(max_attempts: 5))"));
        assert_warns(&warnings("Hedge(Grpc(max_attempts: 7))"), "max_attempts = 7");
    }
}
