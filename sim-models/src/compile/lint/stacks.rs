//! One stack of policies: what inside it cannot happen because of what is outside.

use sim_core::Span;
use sim_policies::breaker::BreakerConfig;
use sim_policies::bulkhead::Bulkhead;
use sim_policies::{Ending, EndingSet};

use super::super::builder::Builder;
use super::super::place::Here;
use super::Finding;
use super::lengths::{self, longest, series};
use crate::plan::{FallbackOn, LayerPlan};
use crate::source::path_key;

/// A layer of a checked stack, with its place in the file.
struct Layer<'a> {
    here: Here,
    plan: &'a LayerPlan,
    /// The layers inside it, the outermost first.
    inside: &'a [LayerPlan],
}

/// Every layer of every stack, used or not.
fn layers<'a>(builder: &'a Builder<'_>) -> impl Iterator<Item = Layer<'a>> {
    builder.policies.iter().flat_map(|(name, checked)| {
        let here = Here::file(format!("policies.{}", path_key(name)));
        checked.layers.iter().enumerate().map(move |(n, plan)| {
            let inside = &checked.layers[n + 1..];
            Layer { here: here.at(checked.written[n]), plan, inside }
        })
    })
}

/// Attempts and waits that take longer than the timeout around them.
pub(super) fn does_not_fit(builder: &Builder<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for Layer { here, plan, inside } in layers(builder) {
        let Some(bound) = lengths::bound(plan) else { continue };
        // The end of a retry without one is the timeout around it: an attempt must fit.
        let endless = inside.iter().rposition(is_endless).map_or(0, |at| at + 1);
        let inside = &inside[endless..];
        let needed = longest(inside).at_least();
        if needed <= bound {
            continue;
        }
        let message =
            format!("a timeout of {bound} around what may take {needed}: {}", parts(inside));
        let leaves_running = matches!(plan, LayerPlan::Timeout(timeout) if !timeout.cancels);
        let what = if leaves_running { "goes on unseen" } else { "never happens" };
        let help = format!(
            "what comes after the outer timeout {what}: raise it, or let less wait inside it"
        );
        findings.push(Finding::new(here, message, help).shown_by("stack_orders"));
    }
    findings
}

fn is_endless(layer: &LayerPlan) -> bool {
    match layer {
        LayerPlan::Retry(retry) => series(retry, Span::ZERO, u64::MAX).attempts.is_none(),
        _ => false,
    }
}

/// `3 attempts with waits of 3s in all, a timeout of 5s`, for people.
fn parts(inside: &[LayerPlan]) -> String {
    let parts = inside.iter().filter_map(|layer| match layer {
        LayerPlan::Retry(retry) => {
            let series = series(retry, Span::ZERO, u64::MAX);
            let attempts = series.attempts.unwrap_or(u32::MAX);
            Some(match series.lasts {
                waits if waits.is_zero() => format!("{attempts} attempts"),
                waits => format!("{attempts} attempts with waits of {waits} in all"),
            })
        }
        LayerPlan::Timeout(_) | LayerPlan::Deadline(_) => {
            Some(format!("a timeout of {}", lengths::bound(layer)?))
        }
        LayerPlan::Bulkhead(config) => {
            let bulkhead = Bulkhead::new(config).expect("it was checked");
            let wait = lengths::longest_wait(&bulkhead).filter(|wait| !wait.is_zero())?;
            Some(format!("a wait of {wait} for one of {} permits", bulkhead.limit()))
        }
        LayerPlan::RateLimiter(limiter) if !limiter.wait.is_zero() => {
            Some(format!("a wait of {} for a permit", limiter.wait))
        }
        LayerPlan::Connections(config) if !config.connect.is_zero() => {
            Some(format!("{} to connect", config.connect))
        }
        _ => None,
    });
    parts.collect::<Vec<_>>().join(", ")
}

/// Fallbacks that answer each failure before the retry or breaker around them sees it.
pub(super) fn fallback_hides_failures(builder: &Builder<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for Layer { here, plan, inside } in layers(builder) {
        let answers = inside.iter().find_map(|layer| match layer {
            LayerPlan::Fallback(fallback) if fallback.on == FallbackOn::Failure => {
                Some(Ending::Status(fallback.status))
            }
            _ => None,
        });
        let Some(answer) = answers else { continue };
        let (name, does) = match plan {
            LayerPlan::Retry(retry) if !retry.retry.repeats(answer) => ("retry", "retries"),
            LayerPlan::Breaker(breaker) if !counts(&breaker.record, answer) => ("breaker", "opens"),
            _ => continue,
        };
        let message = format!(
            "a fallback inside this {name} answers every failure with {}: it never {does}",
            status(answer)
        );
        let help = format!("put the fallback outside of the {name}");
        findings.push(Finding::new(here, message, help).shown_by("stack_orders"));
    }
    findings
}

fn counts(record: &Option<EndingSet>, ending: Ending) -> bool {
    record.as_ref().is_some_and(|record| record.contains(ending)) || !ending.is_success()
}

fn status(ending: Ending) -> u16 {
    match ending {
        Ending::Status(status) => status,
        _ => unreachable!("a fallback answers with a status"),
    }
}

/// Polly's breaker samples at least twice the time of an attempt, or it sees too few: the library's
/// own standard pipeline refuses less.
pub(super) fn sampling_too_short(builder: &Builder<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for Layer { here, plan, inside } in layers(builder) {
        let LayerPlan::Breaker(breaker) = plan else { continue };
        let BreakerConfig::Polly(config) = &breaker.config else { continue };
        let bound = inside.iter().find_map(|layer| match layer {
            LayerPlan::Timeout(timeout) => Some(timeout.after),
            _ => None,
        });
        let Some(attempt) = bound.filter(|attempt| config.sampling_duration < *attempt * 2) else {
            continue;
        };
        let message = format!(
            "sampling_duration = {}, yet an attempt may take {attempt}",
            config.sampling_duration
        );
        let help = format!(
            "calls that time out fall out of the sample before they are enough: sample for at \
             least twice as long, {}",
            attempt * 2
        );
        let here = here.field("trip").field("sampling_duration");
        findings.push(Finding::new(here, message, help).shown_by("incidents/breaker_never_trips"));
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
        "#;
        warnings_of(actors, &format!(r#""p": [{stack}]"#), "")
    }

    #[test]
    fn what_does_not_fit_into_the_outer_timeout_is_told_with_its_parts() {
        let told = warnings(r#"Timeout("1s"), Retry(attempts: 3), Timeout("5s")"#);
        let expected = "a timeout of 1s around what may take 18s: 3 attempts with waits of 3s in \
            all, a timeout of 5s";
        assert_warns(&told, expected);
        assert_quiet(&warnings(r#"Timeout("18s"), Retry(attempts: 3), Timeout("5s")"#));
        assert_quiet(&warnings(r#"Retry(attempts: 3), Timeout("5s")"#));
    }

    #[test]
    fn waits_for_permits_and_between_attempts_count() {
        let told = warnings(r#"Timeout("2s"), ConnectionPool(8)"#);
        assert_warns(
            &told,
            "a timeout of 2s around what may take 30s: a wait of 30s for one of 8 permits",
        );
        assert_quiet(&warnings(r#"Timeout("2s"), ConnectionPool(8, wait: "2s")"#));
        let told = warnings(r#"Deadline("5s"), Retry(attempts: 3, backoff: Constant("3s"))"#);
        assert_warns(&told, "may take 6s: 3 attempts with waits of 6s in all");
        let told = warnings(
            r#"Timeout("1s"), RateLimiter(TokenBucket(permits: 9, per: "1s", burst: 9), wait: "3s")"#,
        );
        assert_warns(&told, "may take 3s: a wait of 3s for a permit");
    }

    #[test]
    fn a_retry_without_an_end_ends_with_the_timeout_around_it() {
        assert_quiet(&warnings(r#"Timeout("10s"), Retry(Tenacity()), Timeout("1s")"#));
        let told = warnings(r#"Timeout("10s"), Retry(Tenacity()), Timeout("11s")"#);
        assert_warns(&told, "a timeout of 10s around what may take 11s: a timeout of 11s");
    }

    #[test]
    fn a_fallback_that_hides_failures_belongs_outside() {
        let told = warnings("Retry(attempts: 3), Fallback(on: Failure)");
        assert_warns(&told, "answers every failure with 200: it never retries");
        let told = warnings("Breaker(), Fallback(on: Failure)");
        assert_warns(&told, "it never opens");
        assert_quiet(&warnings("Fallback(on: Failure), Retry(attempts: 3), Breaker()"));
        assert_quiet(&warnings("Retry(attempts: 3), Fallback()"));
        assert_quiet(&warnings("Retry(attempts: 3), Fallback(503, on: Failure)"));
    }

    #[test]
    fn polly_samples_for_twice_an_attempt() {
        let stack = |sampling: &str| {
            format!(r#"Breaker(Polly(sampling_duration: "{sampling}")), Timeout("10s")"#)
        };
        let told = warnings(&stack("15s"));
        assert_warns(&told, "sampling_duration = 15s, yet an attempt may take 10s");
        assert_quiet(&warnings(&stack("20s")));
    }
}
