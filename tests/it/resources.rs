//! What is said of resources: levels that obey arithmetic, counts that agree, reasons with numbers.

use sim_core::{Span, Time};
use sim_models::outcome::{
    Counter, LevelSeries, Outcome, Quantity, Resource, ResourceEvent, ResourceKind,
};

use crate::support::{load, run_text};

/// Users of a service, with what is said of both.
fn system(load: &str, policy: &str, service: &str, rest: &str) -> Outcome {
    run_text(&format!(
        r#"Scenario(
            name: "resources", about: "A service under watch.", horizon: "60s",
            actors: {{
                "users": Client(load: {load}, does: [Call("api.get", policy: "p")]),
                "api": Service({service}),
            }},
            policies: {{ "p": [{policy}] }},
            {rest}
        )"#
    ))
}

fn only(outcome: &Outcome, kind: ResourceKind) -> &Resource {
    let mut all = outcome.resources.iter().filter(|resource| resource.kind == kind);
    let found = all.next().unwrap_or_else(|| panic!("a {kind}: {:?}", outcome.resources));
    assert!(all.next().is_none(), "one {kind}: {:?}", outcome.resources);
    found
}

fn mean(resource: &Resource, quantity: Quantity) -> f64 {
    resource.level(quantity).expect("it is measured").mean
}

fn series<'a>(outcome: &'a Outcome, resource: &Resource, quantity: Quantity) -> &'a LevelSeries {
    let is_it =
        |level: &&LevelSeries| level.resource == resource.name && level.quantity == quantity;
    outcome.series.levels.iter().find(is_it).expect("it moved")
}

const STEADY: &str = r#"Open(rate: "60/s", until: "40s")"#;
const SLOW: &str = r#"endpoints: { "get": [Work(Exponential("50ms"))] }"#;

#[test]
fn what_the_instances_do_is_what_the_service_does() {
    let service = format!("workers: 2, instances: 3, {SLOW}");
    let outcome = system(STEADY, r#"Timeout("2s")"#, &service, "");
    let whole = only(&outcome, ResourceKind::Instances);
    let each = outcome.resources.iter().filter(|own| own.kind == ResourceKind::Instance);
    let each: Vec<&Resource> = each.collect();
    assert_eq!(each.len(), 3);
    for quantity in [Quantity::Busy, Quantity::Waiting, Quantity::Up] {
        let sum: f64 = each.iter().map(|own| mean(own, quantity)).sum();
        let all = mean(whole, quantity);
        assert!((sum - all).abs() < 1e-9, "{quantity}: {sum} is not {all}");
    }
    assert!(mean(whole, Quantity::Busy) > 0.5, "{whole:?}");
}

#[test]
fn a_level_lies_between_its_extremes_and_its_windows_average_to_it() {
    let policy = r#"ConnectionPool(4, connect: "20ms"), Timeout("2s")"#;
    let outcome = system(STEADY, policy, &format!("workers: 3, {SLOW}"), "");
    let mut seen = 0;
    for level in outcome.series.levels.iter().filter(|level| level.bound != Some(1.0)) {
        let resource = outcome.resource(&level.resource).expect("it has a summary");
        let whole = resource.level(level.quantity).expect("it is measured");
        let means = level.mean.iter().map(|mean| mean.expect("a level always has a mean"));
        let (count, sum) = means.fold((0.0, 0.0), |(n, sum), mean| (n + 1.0, sum + mean));
        assert!((sum / count - whole.mean).abs() < 1e-6, "{level:?} and {whole:?}");
        assert!(whole.least <= whole.mean && whole.mean <= whole.most, "{whole:?}");
        seen += 1;
    }
    assert!(seen >= 5, "{:?}", outcome.series.levels);
}

#[test]
fn every_connection_that_is_taken_comes_back_or_is_closed() {
    let policy = r#"ConnectionPool(4, connect: "20ms"), Timeout("120ms")"#;
    let outcome = system(STEADY, policy, &format!("workers: 3, {SLOW}"), "");
    let pool = only(&outcome, ResourceKind::Connections);
    let in_use = series(&outcome, pool, Quantity::InUse);
    assert_eq!(pool.level(Quantity::InUse).map(|level| level.most), Some(4.0), "as the bulkhead");
    assert_eq!(in_use.worst.last(), Some(&Some(0.0)), "nobody calls any more");
    let timed_out = outcome.calls[0].endings.iter().map(|(_, count)| count).sum::<u64>();
    assert!(timed_out > 0, "some were closed");
}

/// Nobody calls for fifty seconds: what comes back with time is back long before the next call.
#[test]
fn tokens_come_back_while_nobody_calls() {
    let policy = r#"RateLimiter(TokenBucket(permits: 1, per: "1s", burst: 20))"#;
    let burst = "Burst(count: 40)";
    let outcome = system(burst, policy, &format!("workers: 100, {SLOW}"), "");
    let limiter = only(&outcome, ResourceKind::RateLimiter);
    let tokens = series(&outcome, limiter, Quantity::Tokens);
    let level = limiter.level(Quantity::Tokens).expect("it is measured");
    assert_eq!((level.least, level.bound), (0.0, Some(20.0)));
    assert_eq!(tokens.worst.last(), Some(&Some(20.0)), "{tokens:?}");
    // Twenty seconds from none to twenty, then forty seconds full: a mean of about 16.7.
    assert!((16.0..17.5).contains(&level.mean), "{level:?}");
}

#[test]
fn a_door_is_a_resource_too() {
    let rate = r#"admission: (rate: TokenBucket(permits: 40, per: "1s", burst: 10))"#;
    let limit = "admission: (concurrency: Fixed(limit: 2))";
    for (admission, kind) in
        [(rate, ResourceKind::RateLimiter), (limit, ResourceKind::AdaptiveLimit)]
    {
        let service = format!("workers: 100, {admission}, {SLOW}");
        let outcome = system(STEADY, r#"Timeout("2s")"#, &service, "");
        let door = only(&outcome, kind);
        let api = outcome.actors.iter().find(|actor| actor.name == "api").expect("the service");
        let count = |counter| api.counter(counter).expect("it is counted");
        assert_eq!(door.event(ResourceEvent::Refused), count(Counter::NotAdmitted), "{door:?}");
        let admitted = door.event(ResourceEvent::Admitted);
        assert_eq!(admitted + count(Counter::NotAdmitted), count(Counter::Arrived), "{door:?}");
        assert!(admitted > 100 && count(Counter::NotAdmitted) > 100, "{door:?}");
    }
}

#[test]
fn a_cache_is_counted_once() {
    let service = r#"workers: 10,
        caches: { "prices": Cache(ttl: "2s", soft_ttl: "1s", capacity: 3) },
        endpoints: { "get": [
            Cached("prices", "all", into: "v", body: [Work(Const("1ms")), Let("v", "1")]),
            Cached("prices", "{intent}", into: "v", body: [Work(Const("1ms")), Let("v", "1")]),
        ] }"#;
    let outcome = system(STEADY, r#"Timeout("2s")"#, service, "");
    let cache = only(&outcome, ResourceKind::Cache);
    let api = outcome.actors.iter().find(|actor| actor.name == "api").expect("the service");
    for (counter, event) in [
        (Counter::Hits, ResourceEvent::Hit),
        (Counter::Misses, ResourceEvent::Missed),
        (Counter::Computations, ResourceEvent::Computed),
        (Counter::Evicted, ResourceEvent::Evicted),
    ] {
        assert_eq!(api.counter(counter), Some(cache.event(event)), "{event}");
    }
    assert!(cache.event(ResourceEvent::Evicted) > 0, "{cache:?}");
}

#[test]
fn a_reason_has_its_numbers() {
    let breaker = r#"Breaker(Resilience4j(sliding_window_size: 5, minimum_number_of_calls: 10))"#;
    let down = r#"faults: [At("10s", for: "5s", Errors("api", status: 500))]"#;
    let outcome = system(STEADY, breaker, &format!("workers: 100, {SLOW}"), down);
    assert_eq!(
        outcome.transitions[0].why(),
        "failure rate (3 of 5 are 60 %, threshold 50 %, minimum 10 counts as 5 because the window \
         is 5)"
    );
}

#[test]
fn an_autoscaler_says_what_it_saw() {
    let service = format!(
        r#"workers: 2, instances: 2, autoscale: Autoscale(
            min: 1, max: 9, target: 0.5, metric: Busy, every: "5s", delay: "2s", down_after: "10s",
        ), {SLOW}"#
    );
    let outcome = system(STEADY, r#"Timeout("2s")"#, &service, "");
    let first = outcome.decisions.first().expect("it decides");
    assert_eq!((first.at, &first.who[..]), (Time::ZERO + Span::secs(5), "api"));
    let [told, why] = first.what.split_once(": ").map(|(a, b)| [a, b]).expect("a reason");
    assert_eq!(told, "autoscaler", "{first:?}");
    assert!(why.contains(" instances instead of 2: ") && why.ends_with("target 50 %"), "{why}");
    let last = outcome.decisions.last().expect("it decides again");
    let down = "0 % in use, target 50 %, as at every look that counts";
    assert!(last.what.ends_with(down), "{last:?}");
}

#[test]
fn an_ejection_says_what_it_counted() {
    let text = r#"Scenario(
        name: "ejection", about: "One of two hosts fails.", horizon: "30s",
        actors: {
            "users": Client(load: Open(rate: "40/s"), does: [Call("a.get", policy: "p")]),
            "a": Service(workers: 9, endpoints: { "get": [Fail(500)] }),
            "b": Service(workers: 9, endpoints: { "get": [] }),
        },
        policies: { "p": [OutlierDetection(
            hosts: ["b"], like: Envoy(max_ejection_percent: 50),
        )] },
    )"#;
    let outcome = load(text, None, &[]).run(1);
    let first = outcome.decisions.first().expect("a host is ejected");
    assert!(first.what.starts_with("a ejected until "), "{first:?}");
    assert!(first.what.ends_with(": consecutive 5xx (5, threshold 5)"), "{first:?}");
}
