//! Caches inside services: stampedes, single flight, refreshing behind the scenes, XFetch.

use sim_core::{Span, Time};
use sim_models::Scenario;
use sim_models::outcome::Outcome;

use crate::support::{actor, counter, effects, mistakes, run_text};

/// A service with one cache, whose value takes `work` to work out, under a load.
fn scenario(cache: &str, load: &str, work: &str, horizon: &str, more: &str) -> String {
    format!(
        r#"Scenario(
            name: "cache", about: "A cache.", horizon: "{horizon}", limits: (log: 10),
            actors: {{
                "users": Client(load: {load}, does: [Call("api.price", body: "tea")]),
                "api": Service(workers: 100000, caches: {{ "prices": Cache({cache}) }}, endpoints: {{
                    "price": [
                        Cached("prices", "{{body}}", into: "price", body: [
                            Effect("recompute", into: "price"), {work}
                        ]),
                        Respond(200, body: "{{price}}"),
                    ],
                }}),
            }},
            {more}
        )"#
    )
}

fn api(outcome: &Outcome, name: &str) -> u64 {
    counter(outcome, "api", name)
}

const POISSON: &str = r#"Open(rate: "10/s")"#;
const THREE_SECONDS: &str = r#"Work(Const("3s"))"#;

#[test]
fn without_protection_all_who_come_meanwhile_work_it_out_too() {
    let outcome = run_text(&scenario(r#"ttl: "20s""#, POISSON, THREE_SECONDS, "5000s", ""));
    // From one expiry to the next: 20 s, a first request after 0.1 s, and almost two computations,
    // since the last one begins just before the first one ends.
    let expiries = 5000.0 / 26.0;
    let each = api(&outcome, "computations") as f64 / expiries;
    assert!((each - 31.0).abs() < 1.5, "1 + 10/s * 3 s, not {each}");
    assert_eq!(api(&outcome, "computations"), api(&outcome, "misses"));
    assert_eq!(api(&outcome, "computations"), effects(&outcome, "recompute"));
}

#[test]
fn with_single_flight_one_works_it_out_and_all_wait_for_it() {
    let cache = r#"ttl: "20s", coalesce: true"#;
    let outcome = run_text(&scenario(cache, POISSON, THREE_SECONDS, "5000s", ""));
    let computations = api(&outcome, "computations") as f64;
    let each = computations / (5000.0 / 23.1);
    assert!((each - 1.0).abs() < 0.02, "{each}");
    let (misses, coalesced) = (api(&outcome, "misses"), api(&outcome, "coalesced"));
    assert_eq!(misses, api(&outcome, "computations") + coalesced);
    assert!((coalesced as f64 / computations - 30.0).abs() < 1.5, "{coalesced} waited");
    let slowest = actor(&outcome, "users").latency.as_ref().expect("latencies").max;
    assert_eq!(slowest, Span::secs(3), "nobody waits for longer than one takes");
}

/// How many computations come within one computation's length of the first of them, on average.
fn burst_size(outcome: &Outcome) -> (f64, f64) {
    let (mut bursts, mut first) = (Vec::<f64>::new(), Time::ZERO);
    // Nothing protects the very first value.
    let warm = |at: Time| at > Time::ZERO + Span::secs(10);
    for line in outcome.ledger.iter().filter(|line| warm(line.at)) {
        match bursts.last_mut() {
            Some(size) if line.at.since(first) <= Span::secs(3) => *size += 1.0,
            _ => {
                bursts.push(1.0);
                first = line.at;
            }
        }
    }
    // The last may be cut off by the end.
    bursts.pop();
    (bursts.iter().sum::<f64>() / bursts.len() as f64, bursts.len() as f64)
}

#[test]
fn xfetch_has_e_to_the_one_over_beta_computations_per_expiry_and_no_stampede() {
    for (beta, expected) in [(1.0, std::f64::consts::E), (2.0, 1.648_721)] {
        let cache = format!(r#"ttl: "60s", early: XFetch(beta: {beta:.1})"#);
        let (mut sum, mut count) = (0.0, 0.0);
        let text = scenario(&cache, POISSON, THREE_SECONDS, "3000s", "");
        let scenario = Scenario::text("cache.ron", text).load().expect("it is right");
        for seed in 0..10 {
            let outcome = scenario.run(seed);
            let (size, bursts) = burst_size(&outcome);
            (sum, count) = (sum + size * bursts, count + bursts);
            let misses = api(&outcome, "misses");
            assert!(misses < 60, "only the first ones wait, not {misses}");
        }
        // A geometric number on top of the first.
        let more: f64 = expected - 1.0;
        let z = (sum / count - expected) / ((more + more * more) / count).sqrt();
        assert!(z.abs() < 3.5 && count > 500.0, "beta {beta}: {} in {count}", sum / count);
    }
}

#[test]
fn a_stale_value_is_served_while_one_request_has_it_refreshed() {
    let cache = r#"ttl: "10s", soft_ttl: "5s""#;
    let every_second = r#"Open(rate: "1/s", arrivals: Constant)"#;
    let outcome = run_text(&scenario(cache, every_second, r#"Work(Const("500ms"))"#, "60s", ""));
    // Kept at 0.5 s, stale at 5.5 s, refreshed by the request at 6 s, and so on.
    let counts = ["computations", "hits", "misses", "early", "coalesced"].map(|n| api(&outcome, n));
    assert_eq!(counts, [10, 59, 1, 0, 0]);
    let latency = actor(&outcome, "users").latency.as_ref().expect("latencies");
    assert_eq!((latency.max, latency.p90), (Span::millis(500), Span::ZERO));
}

#[test]
fn all_who_wait_share_the_failure_and_it_is_not_kept() {
    let cache = r#"ttl: "10s", coalesce: true"#;
    let work = r#"Work(Const("1s")), If(Eq("{intent}", 1), then: [Fail(418)])"#;
    let trace = r#"Open(rate: "2/s", arrivals: Constant, until: "3s")"#;
    let outcome = run_text(&scenario(cache, trace, work, "20s", ""));
    // At 0 and 0.5 s they fail together; at 1 s it is tried again, for those of 1.5 s too.
    assert_eq!(
        (counter(&outcome, "users", "failed"), counter(&outcome, "users", "succeeded")),
        (2, 4)
    );
    assert_eq!((api(&outcome, "computations"), api(&outcome, "coalesced")), (2, 2));
    assert_eq!(api(&outcome, "hits"), 2);
}

#[test]
fn what_was_not_used_for_longest_makes_room() {
    let text = |capacity: u32| {
        format!(
            r#"Scenario(
                name: "room", about: "Three keys.", horizon: "60s",
                actors: {{
                    "users": Client(load: Open(rate: "1/s", arrivals: Constant), does: [
                        Call("api.price", body: "a"), Call("api.price", body: "b"),
                        Call("api.price", body: "c"),
                    ]),
                    "api": Service(
                        workers: 1, caches: {{ "p": Cache(ttl: "1h", capacity: {capacity}) }},
                        endpoints: {{ "price": [
                            Cached("p", "{{body}}", into: "x", body: [Let("x", "{{body}}!")]),
                            Respond(200, body: "{{x}}"),
                        ] }},
                    ),
                }},
            )"#
        )
    };
    let counts = |capacity| {
        let outcome = run_text(&text(capacity));
        ["hits", "misses", "evicted"].map(|name| api(&outcome, name))
    };
    assert_eq!(counts(3), [177, 3, 0]);
    assert_eq!(counts(2), [0, 180, 178], "a cycle one longer than the cache misses always");
}

#[test]
fn crashes_and_flushes_forget_and_instances_do_not_share() {
    let cache = r#"ttl: "1h""#;
    let every_second = r#"Open(rate: "1/s", arrivals: Constant)"#;
    let with = |more: &str| {
        let outcome =
            run_text(&scenario(cache, every_second, r#"Work(Const("10ms"))"#, "60s", more));
        api(&outcome, "computations")
    };
    assert_eq!(with(""), 1);
    assert_eq!(with(r#"faults: [At("20.5s", Flush("api")), At("40.5s", Flush("api"))]"#), 3);
    assert_eq!(with(r#"faults: [At("20.5s", for: "100ms", Crash("api"))]"#), 2);
    let text = scenario(cache, every_second, r#"Work(Const("10ms"))"#, "60s", "");
    let text = text.replace("workers: 100000,", "workers: 10, instances: 4,");
    assert_eq!(api(&run_text(&text), "computations"), 4);
    let crash = r#"faults: [At("20.5s", for: "1s", Crash("api", instance: 2))]"#;
    let text = text.replace("limits:", &format!("{crash}, limits:"));
    assert_eq!(api(&run_text(&text), "computations"), 5);
}

#[test]
fn whoever_waits_for_a_value_holds_a_worker_unless_threads_are_async() {
    let text = |threads: &str| {
        format!(
            r#"Scenario(
                name: "held", about: "Two wait, one wants nothing.", horizon: "60s",
                actors: {{
                    "users": Client(load: Burst(count: 2), does: [Call("api.price")]),
                    "pinger": Client(load: Burst(count: 1, at: "1s"), does: [Call("api.ping")]),
                    "api": Service(
                        workers: 2, threads: {threads},
                        caches: {{ "p": Cache(ttl: "1h", coalesce: true) }},
                        endpoints: {{
                            "price": [Cached("p", "all", into: "x", body: [
                                Sleep(Const("5s")), Let("x", 1),
                            ])],
                            "ping": [],
                        }},
                    ),
                }},
            )"#
        )
    };
    let ping = |threads: &str| {
        let outcome = run_text(&text(threads));
        actor(&outcome, "pinger").latency.as_ref().expect("an answer").max
    };
    assert_eq!(ping("Blocking"), Span::secs(4));
    assert_eq!(ping("Async"), Span::ZERO);
}

#[test]
fn a_caller_who_leaves_takes_nobody_s_value_along() {
    let outcome = run_text(
        r#"Scenario(
            name: "leaver", about: "The first one leaves.", horizon: "60s",
            actors: {
                "hasty": Client(load: Burst(count: 1), patience: "1s", does: [Call("api.price")]),
                "patient": Client(load: Burst(count: 3, at: "500ms"), does: [Call("api.price")]),
                "api": Service(
                    workers: 10, on_disconnect: Cancel,
                    caches: { "p": Cache(ttl: "1h", coalesce: true) },
                    endpoints: { "price": [Cached("p", "all", into: "x", body: [
                        Work(Const("2s")), Let("x", 1),
                    ])] },
                ),
            },
        )"#,
    );
    assert_eq!(counter(&outcome, "hasty", "unknown"), 1);
    assert_eq!(counter(&outcome, "patient", "succeeded"), 3);
    assert_eq!((api(&outcome, "computations"), api(&outcome, "coalesced")), (1, 3));
    let latency = actor(&outcome, "patient").latency.as_ref().expect("answers").max;
    assert_eq!(latency, Span::millis(1_500));
}

#[test]
fn caches_that_cannot_be_are_refused_with_the_reason() {
    let right = scenario(r#"ttl: "20s""#, POISSON, THREE_SECONDS, "60s", "");
    let refused = |from: &str, to: &str| {
        let text = right.replace(from, to);
        assert_ne!(text, right, "{from}");
        mistakes(&text)
    };
    for (from, to, expected) in [
        (r#"ttl: "20s""#, r#"ttl: "0s""#, "ttl = 0s; it must be above zero"),
        (r#"ttl: "20s""#, r#"ttl: "2s", soft_ttl: "2s""#, "soft_ttl = 2s; it must be below `ttl`"),
        (r#"ttl: "20s""#, r#"ttl: "2s", capacity: 0"#, "capacity = 0; it must be at least 1"),
        (r#"ttl: "20s""#, r#"ttl: "2s", early: XFetch(beta: 0.0)"#, "beta = 0; it must be finite"),
        (r#"Cached("prices""#, r#"Cached("price""#, "`api` has no cache `price`; did you mean"),
        (r#"into: "price")"#, r#"into: "other")"#, "nothing in the body gives `price` a value"),
        (THREE_SECONDS, "Respond(200)", "Respond in a branch"),
        (r#"limits:"#, r#"faults: [At("1s", Flush("users"))], limits:"#, "`users` is no store"),
        (
            r#"does: [Call("api.price", body: "tea")]"#,
            r#"does: [Cached("prices", "k", into: "x", body: [Let("x", 1)])]"#,
            "`users` has no cache `prices`; a service declares its `caches`",
        ),
    ] {
        let found = refused(from, to);
        assert!(found.contains(expected), "{to}: {found}");
    }
}
