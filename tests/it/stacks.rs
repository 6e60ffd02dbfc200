//! Policy stacks in a running system: who waits, who is refused, who is asked instead, and what
//! the story says of it.

use sim_models::outcome::{CallSummary, Outcome, StateName};

use crate::support::{actor, call, counter, draft, effects, mistakes, run_text};

/// A client that calls `app.go` under a stack; `app` is given.
fn system(load: &str, app: &str, stack: &str, more: &str) -> Outcome {
    run_text(&format!(
        r#"Scenario(
            name: "stack", about: "A stack at work.", horizon: "60s",
            actors: {{
                "users": Client(load: {load}, does: [Call("app.go", policy: "p")]),
                "app": {app},
            }},
            policies: {{ "p": [{stack}] }},
            {more}
        )"#
    ))
}

/// A service with room for everybody that works for 1 s.
const ROOMY: &str =
    r#"Service(workers: 100, endpoints: { "go": [Work(Const("1s")), Respond(200)] })"#;

/// A retry knows what an attempt below another retry has left in doubt.
#[test]
fn doubt_that_an_inner_layer_leaves_withholds_the_outer_retry() {
    let attempts = |doubt: &str, key: &str| {
        let outcome = run_text(&format!(
            r#"Scenario(
                name: "doubt", about: "The first answer may get lost; then all are refused.",
                horizon: "60s",
                actors: {{
                    "users": Client(
                        load: Burst(count: 1), does: [Call("app.go", policy: "p"{key})],
                    ),
                    "app": Service(workers: 9, endpoints: {{ "go": [Effect("charge")] }}),
                }},
                policies: {{ "p": [
                    Retry(attempts: 2, backoff: Constant("1s")),
                    Retry(attempts: 2, backoff: Constant("1s"), even_if_unsafe: true),
                    Timeout("1s"),
                ] }},
                faults: [{doubt} At("1500ms", Errors("app", status: 503))],
            )"#
        ));
        call(&outcome, "users", "app").attempts
    };
    let lost = r#"At("0s", for: "500ms", BlackHole("app")),"#;
    assert_eq!(attempts(lost, ", key: None"), 2, "the first may have charged");
    assert_eq!(attempts(lost, ""), 4, "with a key it may be repeated");
    let refused = r#"At("0s", for: "1600ms", Errors("app", status: 429)),"#;
    assert_eq!(attempts(refused, ", key: None"), 4, "nothing is in doubt");
}

/// How often the story has such a line.
fn told(outcome: &Outcome, what: &str) -> usize {
    outcome.log.iter().filter(|line| line.what.contains(what)).count()
}

fn rejected(outcome: &Outcome, reason: &str) -> u64 {
    let all = &call(outcome, "users", "app").rejected;
    all.iter().find(|(name, _)| *name == reason).map_or(0, |(_, n)| *n)
}

fn given_up(outcome: &Outcome, reason: &str) -> u64 {
    let all = outcome.calls.iter().flat_map(|call| &call.given_up);
    all.filter(|(name, _)| *name == reason).map(|(_, n)| n).sum()
}

fn seconds(outcome: &Outcome) -> f64 {
    let users = actor(outcome, "users");
    let ended = [users.latency, users.latency_failed].into_iter().flatten();
    ended.map(|latency| latency.max).max().expect("requests").as_millis_f64() / 1000.0
}

#[test]
fn a_bulkhead_with_places_lets_them_wait_in_order() {
    let outcome = system("Burst(count: 7)", ROOMY, "Bulkhead(2, queue: 4)", "");
    // Two at a time, three seconds; the seventh finds no place.
    assert_eq!(rejected(&outcome, "bulkhead_full"), 1);
    assert_eq!(counter(&outcome, "users", "succeeded"), 6);
    assert_eq!(seconds(&outcome), 3.0);
    assert_eq!(told(&outcome, "waits for a bulkhead permit"), 4);
}

#[test]
fn a_wait_for_a_permit_ends_and_says_why() {
    let outcome = system("Burst(count: 3)", ROOMY, r#"Bulkhead(1, wait: "1500ms")"#, "");
    // The second has its turn after 1 s, the third would after 2 s.
    assert_eq!(counter(&outcome, "users", "succeeded"), 2);
    assert_eq!(rejected(&outcome, "bulkhead_wait_over"), 1);
    assert_eq!(told(&outcome, "no bulkhead permit within 1.5s"), 1);
}

#[test]
fn whoever_leaves_a_queue_gives_up_the_place() {
    // An outer timeout takes the waiting away; the permits must all come back.
    let stack = r#"Timeout("500ms"), Bulkhead(1, queue: 9)"#;
    let outcome =
        system(r#"Open(rate: "4/s", arrivals: Constant, until: "30s")"#, ROOMY, stack, "");
    assert_eq!(counter(&outcome, "users", "succeeded"), 0);
    assert_eq!(rejected(&outcome, "bulkhead_full"), 0);
    // Each has the permit for half a second at most, and so nobody waits for ever.
    assert_eq!(counter(&outcome, "users", "unanswered_submissions"), 0);
    assert!(counter(&outcome, "app", "arrived") >= 60);
}

#[test]
fn a_rate_limiter_spreads_a_burst_or_refuses_it() {
    let limit = |wait: &str| {
        let stack = format!(r#"RateLimiter(TokenBucket(permits: 1, per: "1s", burst: 2){wait})"#);
        system("Burst(count: 5)", ROOMY, &stack, "")
    };
    let patient = limit(r#", wait: "10s""#);
    // Two at once, then one each second, each working for a second.
    assert_eq!(counter(&patient, "users", "succeeded"), 5);
    assert_eq!(seconds(&patient), 4.0);
    let hasty = limit("");
    assert_eq!(counter(&hasty, "users", "succeeded"), 2);
    assert_eq!(rejected(&hasty, "rate_limited"), 3);
}

#[test]
fn a_hedge_takes_the_first_answer_and_lets_go_of_the_rest() {
    let app = r#"Service(workers: 100, endpoints: { "go": [
        Work(Uniform("100ms", "2s")), Respond(200),
    ] })"#;
    let hedged = r#"Hedge(House(delay: Fixed("300ms"), max_hedges: 2)), Bulkhead(300)"#;
    let load = r#"Open(rate: "10/s", until: "50s")"#;
    let plain = system(load, app, "Bulkhead(300)", "");
    let outcome = system(load, app, hedged, "");
    let p99 = |outcome: &Outcome| actor(outcome, "users").latency.expect("requests").p99;
    assert!(p99(&outcome) < p99(&plain), "{} and {}", p99(&outcome), p99(&plain));
    let hop = call(&outcome, "users", "app");
    assert_eq!(hop.success, hop.calls);
    assert_eq!(hop.attempts, hop.calls + hop.hedges);
    assert!(hop.hedges > hop.calls / 2, "{} of {}", hop.hedges, hop.calls);
    // The first attempts have the luck that they have without a hedge.
    assert!(actor(&outcome, "users").latency.expect("requests").p50 <= p99(&plain));
    assert_eq!(told(&outcome, "hedged, no answer yet") as u64, hop.hedges);
}

#[test]
fn what_must_not_happen_twice_is_neither_retried_nor_hedged_without_a_key() {
    let pay = |key: &str, insist: &str| {
        run_text(&format!(
            r#"Scenario(
                name: "unsafe", about: "Answers get lost.", horizon: "60s",
                actors: {{
                    "users": Client(load: Burst(count: 100), does: [Call("app.go", policy: "p"{key})]),
                    "app": Service(workers: 100, endpoints: {{ "go": [Effect("charge")] }}),
                }},
                links: [Link(from: "users", to: "app", latency: Const("10ms"), loss: 0.3)],
                policies: {{ "p": [
                    Hedge(House(delay: Fixed("50ms"), non_fatal: [504]){insist}),
                    Retry(attempts: 4, backoff: Constant("100ms"){insist}),
                    Timeout("100ms"),
                ] }},
            )"#
        ))
    };
    let careful = pay(", key: None", "");
    let hop = call(&careful, "users", "app");
    assert_eq!((hop.attempts, hop.hedges, hop.unsafe_retries), (100, 0, 0));
    assert!(given_up(&careful, "not_idempotent") > 20);
    assert!(effects(&careful, "charge") <= 100);

    let reckless = pay(", key: None", ", even_if_unsafe: true");
    let hop = call(&reckless, "users", "app");
    assert!(hop.unsafe_retries > 20 && hop.hedges > 0);
    assert!(effects(&reckless, "charge") > 100, "charged twice, and the report says why");

    // The caller with a key may: whether the other side heeds it is another question.
    let keyed = pay("", "");
    let hop = call(&keyed, "users", "app");
    assert!(hop.attempts > 100 && hop.unsafe_retries == 0);
}

/// A payment without a key whose answer gets lost: how often it was charged, and the figures of the
/// hop, by the policy around the call.
fn lost_answer(policy: &str) -> (u64, CallSummary) {
    let outcome = run_text(&format!(
        r#"Scenario(
            name: "lost", about: "The answer to a payment gets lost.", horizon: "60s",
            actors: {{
                "users": Client(load: Burst(count: 1), does: [
                    Call("app.pay", policy: "p", key: None),
                ]),
                "app": Service(workers: 9, endpoints: {{
                    "pay": [Effect("charge"), Fail(500)],
                }}),
            }},
            policies: {{ "p": [{policy}] }},
        )"#
    ));
    (effects(&outcome, "charge"), call(&outcome, "users", "app").clone())
}

#[test]
fn a_library_without_a_guard_charges_twice_and_the_house_says_what_it_withheld() {
    for library in [
        "Envoy()",
        "Grpc(retryable_status_codes: [\"500\"])",
        "Polly()",
        "Resilience4j()",
        "Failsafe()",
        "Botocore()",
        "Tenacity(stop: AfterAttempt(3))",
        "Backoff(max_tries: 3)",
        "Cockatiel(max_attempts: 2)",
        "Finagle(should_retry: [\"5xx\"])",
    ] {
        let (charged, hop) = lost_answer(&format!("Retry({library})"));
        assert!(charged > 1 && hop.unsafe_retries > 0, "{library}: {charged}");
        assert!(!hop.given_up.iter().any(|(why, _)| *why == "not_idempotent"), "{library}");
    }
    let (charged, hop) = lost_answer("Retry(attempts: 3)");
    assert_eq!((charged, hop.given_up), (1, vec![("not_idempotent", 1)]));
    for hedge in ["Grpc(hedging_delay: \"0s\")", "Polly(delay: \"0s\")"] {
        let (charged, _) = lost_answer(&format!("Hedge({hedge})"));
        assert!(charged > 1, "{hedge}: {charged}");
    }
    let (charged, hop) = lost_answer("Hedge(House(delay: Fixed(\"0s\")))");
    assert_eq!((charged, hop.given_up), (1, vec![("hedge_withheld", 1)]));
}

#[test]
fn a_library_that_never_asks_cannot_be_told_to_insist() {
    for policy in ["Retry(Envoy(), even_if_unsafe: true)", "Hedge(Grpc(), even_if_unsafe: true)"] {
        let text = format!(
            r#"Scenario(
                name: "told", about: "A guard that is none.", horizon: "1s",
                actors: {{ "users": Client(load: Burst(count: 1), does: []) }},
                policies: {{ "p": [{policy}] }},
            )"#
        );
        let error = draft(&text, None, &[]).load().expect_err(policy).to_string();
        assert!(error.contains("the library never does, leave this out"), "{error}");
    }
}

#[test]
fn reads_may_be_repeated_without_a_key() {
    let chain = |effect: &str| {
        run_text(&format!(
            r#"Scenario(
                name: "reads", about: "A read through two hops.", horizon: "60s",
                actors: {{
                    "users": Client(load: Burst(count: 50), does: [Call("app.go", policy: "p", key: None)]),
                    "app": Service(workers: 100, endpoints: {{ "go": [Call("db.get")] }}),
                    "db": Service(workers: 100, endpoints: {{ "get": [{effect}] }}),
                }},
                links: [Link(from: "users", to: "app", loss: 0.3)],
                policies: {{ "p": [Retry(attempts: 3), Timeout("100ms")] }},
            )"#
        ))
    };
    assert!(call(&chain(""), "users", "app").retries > 0);
    // An effect far behind is an effect.
    let writes = chain(r#"Effect("row")"#);
    assert_eq!(call(&writes, "users", "app").retries, 0);
    // One that happens once per key is as good as none.
    let upserts = chain(r#"Effect("row", once: "{intent}")"#);
    assert!(call(&upserts, "users", "app").retries > 0);
}

#[test]
fn a_deadline_travels_and_nobody_works_past_it() {
    let chain = |bound: &str| {
        run_text(&format!(
            r#"Scenario(
                name: "deadline", about: "Three hops and a queue.", horizon: "60s",
                actors: {{
                    "users": Client(load: Burst(count: 10), does: [Call("app.go", policy: "p")]),
                    "app": Service(workers: 10, endpoints: {{ "go": [
                        Work(Const("100ms")), Call("db.get"), Call("db.get"),
                    ] }}),
                    "db": Service(workers: 1, endpoints: {{ "get": [Work(Const("300ms"))] }}),
                }},
                policies: {{ "p": [{bound}] }},
            )"#
        ))
    };
    let told_nobody = chain(r#"Timeout("1s")"#);
    let told_all = chain(r#"Deadline("1s")"#);
    let arrived = |outcome| counter(outcome, "db", "succeeded");
    assert_eq!(arrived(&told_nobody), 20, "the database works for callers long gone");
    assert!(arrived(&told_all) <= 4, "{}", arrived(&told_all));
    assert!(counter(&told_all, "db", "deadline_passed") >= 5);
    assert_eq!(counter(&told_all, "users", "unknown"), 10);
    assert!(told(&told_all, "deadline already passed, not begun") >= 5);
}

#[test]
fn a_retry_does_not_wait_past_the_deadline() {
    let app = r#"Service(workers: 100, endpoints: { "go": [Fail(503)] })"#;
    let stack = r#"Deadline("5s"), Retry(attempts: 9, backoff: Constant("2s"))"#;
    let outcome = system("Burst(count: 1)", app, stack, "");
    // Attempts at 0, 2 and 4 s; a fourth would start at 6 s.
    assert_eq!(call(&outcome, "users", "app").attempts, 3);
    assert_eq!(given_up(&outcome, "deadline_passed"), 1);
    assert_eq!(seconds(&outcome), 4.0, "it gives up at once, and does not wait for the end");
}

#[test]
fn a_deadline_around_each_attempt_is_renewed() {
    let stack = r#"Retry(attempts: 3, backoff: None), Deadline("400ms")"#;
    let outcome = system("Burst(count: 1)", ROOMY, stack, "");
    assert_eq!(call(&outcome, "users", "app").attempts, 3);
    assert_eq!(seconds(&outcome), 1.2);
}

#[test]
fn a_fallback_remembers_or_asks_another() {
    let outage = r#"faults: [At("5500ms", Outage("app"))],"#;
    let load = r#"Open(rate: "1/s", arrivals: Constant, until: "20s")"#;
    let app = r#"Service(workers: 9, endpoints: { "go": [Respond(200, body: "fresh")] })"#;
    let cached = system(load, app, r#"Fallback(cached: "10s", on: Failure)"#, outage);
    // Good until 5 s, remembered until 15 s.
    assert_eq!(counter(&cached, "users", "succeeded"), 16);
    assert_eq!(call(&cached, "users", "app").fallbacks, 10);

    let other = run_text(
        r#"Scenario(
            name: "other", about: "A second provider.", horizon: "60s",
            actors: {
                "users": Client(load: Burst(count: 10), does: [
                    Call("psp.charge", policy: "p"),
                ]),
                "psp": Service(workers: 9, endpoints: { "charge": [Effect("charge")] }),
                "backup": Service(workers: 99, endpoints: { "charge": [Effect("charge")] }),
            },
            policies: { "p": [Fallback(call: "backup.charge", on: Failure), Retry(attempts: 2)] },
            faults: [At("0s", Outage("psp"))],
        )"#,
    );
    assert_eq!(counter(&other, "users", "succeeded"), 10);
    assert_eq!(counter(&other, "backup", "arrived"), 10);
    assert_eq!(call(&other, "users", "backup").success, 10);
    assert_eq!(call(&other, "users", "psp").fallbacks, 10);
}

#[test]
fn a_fallback_that_fails_too_is_a_failure() {
    let outcome = run_text(
        r#"Scenario(
            name: "both", about: "Both providers are down.", horizon: "60s",
            actors: {
                "users": Client(load: Burst(count: 3), does: [Call("psp.charge", policy: "p")]),
                "psp": Service(workers: 9, endpoints: { "charge": [Effect("charge")] }),
                "backup": Service(workers: 9, endpoints: { "charge": [Effect("charge")] }),
            },
            policies: { "p": [Fallback(call: "backup.charge", on: Failure), Retry(attempts: 2)] },
            faults: [At("0s", Outage("psp")), At("0s", Outage("backup"))],
        )"#,
    );
    assert_eq!(counter(&outcome, "users", "failed"), 3);
    // The retry belongs to the first provider.
    assert_eq!(call(&outcome, "users", "psp").attempts, 6);
    assert_eq!(call(&outcome, "users", "backup").attempts, 3);
}

#[test]
fn a_broken_endpoint_is_left_out_for_longer_each_time() {
    let hosts: String = (1..=5)
        .map(|n| {
            format!(
                r#""a{n}": Service(workers: 50, endpoints: {{ "go": [Work(Const("10ms"))] }}),"#
            )
        })
        .collect();
    let outcome = run_text(&format!(
        r#"Scenario(
            name: "outlier", about: "One of five is broken for 20 s.", horizon: "60s",
            actors: {{
                "users": Client(load: Open(rate: "100/s"), does: [Call("a1.go", policy: "p")]),
                {hosts}
            }},
            policies: {{ "p": [OutlierDetection(
                hosts: ["a2", "a3", "a4", "a5"],
                like: Envoy(max_ejection_percent: 20, base_ejection_time: "5s", interval: "1s"),
            )] }},
            faults: [At("10s", for: "20s", Errors("a3", status: 500))],
        )"#
    ));
    // Five failures each time, and out for 5, 10 and 15 s: until the sweep after that.
    assert_eq!(counter(&outcome, "a3", "failed"), 15);
    let all = outcome.log.iter().filter(|line| line.what.starts_with("a3 "));
    let out: Vec<u64> = all.map(|line| line.at.as_nanos() / 1_000_000_000).collect();
    assert_eq!(out, [10, 16, 16, 27, 27, 43]);
    let others = ["a1", "a2", "a4", "a5"].map(|name| counter(&outcome, name, "arrived"));
    assert!(others.iter().all(|arrived| arrived.abs_diff(others[0]) <= 5), "{others:?}");
    // Each host counts the calls that went to it, and how they ended.
    for host in ["a1", "a2", "a3", "a4", "a5"] {
        let hop = call(&outcome, "users", host);
        assert_eq!(hop.calls, hop.attempts, "{host}");
        assert!(hop.success > 0 && hop.success + hop.failed + hop.unknown == hop.calls, "{hop:?}");
    }
}

#[test]
fn a_refusal_counts_once() {
    let stack = r#"Retry(attempts: 3, backoff: Constant("10ms")), Bulkhead(1)"#;
    let outcome = system("Burst(count: 4)", ROOMY, stack, "");
    assert!(rejected(&outcome, "bulkhead_full") >= 3);
    let given_up = &call(&outcome, "users", "app").given_up;
    assert!(given_up.is_empty(), "they were counted where they were refused: {given_up:?}");
}

#[test]
fn what_is_slow_by_less_than_one_is_faster() {
    for (factor, label) in [("0.25", "app: 4x faster"), ("3", "app: 3x slower")] {
        let faults = format!(r#"faults: [At("1s", for: "1s", Slow("app", factor: {factor}))],"#);
        let outcome = system("Burst(count: 1)", ROOMY, r#"Timeout("9s")"#, &faults);
        assert_eq!(outcome.faults[0].label, label);
    }
}

#[test]
fn calls_wait_for_the_test_of_a_breaker_that_parks_them() {
    let load = r#"Open(rate: "20/s", until: "50s")"#;
    let app = r#"Service(workers: 50, endpoints: { "go": [Work(Const("300ms"))] })"#;
    let stack = r#"Breaker(Cockatiel(breaker: Consecutive(3), half_open_after: Constant("2s")))"#;
    let faults = r#"faults: [At("10s", for: "5s", Errors("app", status: 500))],"#;
    let outcome = system(load, app, stack, faults);
    let waited = told(&outcome, "waits for the breaker's test");
    // The test that succeeds takes 300 ms, in which some six calls come and wait.
    assert!((2..12).contains(&waited), "{waited}");
    assert_eq!(counter(&outcome, "users", "unanswered_submissions"), 0);
    assert!(seconds(&outcome) > 0.3 && seconds(&outcome) <= 0.6, "{}", seconds(&outcome));
}

/// A pool of two connections, each of which takes 100 ms to open.
fn pooled(load: &str, options: &str, faults: &str) -> Outcome {
    let stack = format!(r#"ConnectionPool(2, connect: "100ms"{options})"#);
    system(load, ROOMY, &stack, faults)
}

#[test]
fn a_call_beyond_the_size_of_a_pool_waits_for_a_connection_that_is_open() {
    let outcome = pooled("Burst(count: 3)", "", "");
    assert_eq!(counter(&outcome, "users", "succeeded"), 3);
    assert_eq!(told(&outcome, "waits for a bulkhead permit"), 1);
    // Two open a connection and work for 1 s; the third waits for both and opens none.
    assert_eq!(seconds(&outcome), 2.1);
}

#[test]
fn the_wait_for_a_connection_is_bounded() {
    let hasty = pooled("Burst(count: 3)", r#", wait: "1s""#, "");
    assert_eq!(rejected(&hasty, "bulkhead_wait_over"), 1);
    assert_eq!(counter(&hasty, "users", "succeeded"), 2);
    let patient = pooled("Burst(count: 3)", r#", wait: "1101ms""#, "");
    assert_eq!(rejected(&patient, "bulkhead_wait_over"), 0);
}

#[test]
fn a_fresh_connection_costs_its_opening_and_an_idle_one_is_dropped_in_time() {
    // A call every 3 s, each done after 1 s or 1.1 s: the connection is idle for 2 s at most.
    let load = r#"Open(rate: "0.333333333/s", arrivals: Constant, until: "10s")"#;
    let opened = |options: &str, faults: &str| {
        let outcome = pooled(load, options, faults);
        assert_eq!(counter(&outcome, "users", "succeeded"), 4);
        let mean = actor(&outcome, "users").latency.expect("requests").mean.as_millis_f64();
        ((mean - 1000.0) * 4.0 / 100.0).round()
    };
    assert_eq!(opened("", ""), 1.0, "the first alone opens one");
    assert_eq!(opened(r#", idle: "2500ms""#, ""), 1.0);
    assert_eq!(opened(r#", idle: "1500ms""#, ""), 4.0, "each was idle for too long");
    // The other end of an idle connection dies with its process.
    let crash = r#"faults: [At("5s", for: "500ms", Crash("app"))],"#;
    assert_eq!(opened("", crash), 2.0);
}

#[test]
fn a_connection_without_an_answer_is_not_used_again() {
    let outage = r#"faults: [At("0s", for: "2s", BlackHole("app"))],"#;
    let stack = r#"Retry(attempts: 2, backoff: Constant("2s")), ConnectionPool(2, connect: "100ms"), Timeout("1500ms")"#;
    let outcome = system("Burst(count: 1)", ROOMY, stack, outage);
    assert_eq!(counter(&outcome, "users", "succeeded"), 1);
    // Opened, silent for 1.5 s, a pause of 2 s, opened again, 1 s of work.
    assert_eq!(seconds(&outcome), 0.1 + 1.5 + 2.0 + 0.1 + 1.0);
}

#[test]
fn what_a_preset_says_is_not_said_beside_it_too() {
    let breaker = |options: &str| {
        mistakes(&format!(
            r#"Scenario(
                name: "twice", about: "Two numbers for one thing.", horizon: "60s",
                actors: {{
                    "users": Client(load: Burst(count: 1), does: [Call("app.go", policy: "p")]),
                    "app": {ROOMY},
                }},
                policies: {{ "p": [
                    Breaker({options}),
                ] }},
            )"#
        ))
    };
    for (options, inner) in [
        (r#"Consecutive(failures: 3, open_for: "1s"), open_for: "2s""#, r#""1s""#),
        ("trip: Consecutive(failures: 3, close_after: 1), close_after: 2", "1)"),
    ] {
        let column = "                    Breaker(".len() + options.find(inner).expect("a value");
        let place = format!("test.ron:8:{}: given twice, here and beside the preset", column + 1);
        let found = breaker(options);
        assert!(found.contains(&place), "{place}\n{found}");
    }
    let library = breaker(r#"Polly(), open_for: "2s""#);
    assert!(library.contains("a library's breaker has its own option for that"), "{library}");
}

/// How often a breaker opens under 40 calls a second to `app`.
fn opens(app: &str, stack: &str, more: &str) -> usize {
    let load = r#"Open(rate: "40/s", arrivals: Constant, until: "5s")"#;
    let outcome = system(load, app, stack, more);
    outcome.transitions.iter().filter(|line| line.to == StateName::Open).count()
}

/// The breaker of Resilience4j, which judges after 20 calls.
fn recording(more: &str) -> String {
    let options = "sliding_window_size: 20, minimum_number_of_calls: 20";
    format!("Breaker(Resilience4j({options}){more})")
}

#[test]
fn a_breaker_that_records_every_exception_opens_at_404s_and_at_a_full_bulkhead_inside() {
    let missing = r#"Service(workers: 5, endpoints: { "go": [Respond(404)] })"#;
    let slow = r#"Service(workers: 50, endpoints: { "go": [Work(Const("500ms"))] })"#;
    let full = |more: &str| format!("{}, Bulkhead(5)", recording(more));
    assert_eq!(opens(missing, &recording(""), ""), 1);
    assert_eq!(opens(missing, &recording(r#", ignore: ["404"]"#), ""), 0);
    assert_eq!(opens(slow, &full(""), ""), 1);
    assert_eq!(opens(slow, &full(r#", ignore: ["rejected"]"#), ""), 0);
    // The house's own sees a side that works, or was not asked.
    assert_eq!(opens(missing, "Breaker(Consecutive(failures: 5))", ""), 0);
    assert_eq!(opens(slow, "Breaker(Consecutive(failures: 5)), Bulkhead(5)", ""), 0);
}

#[test]
fn a_cancelled_call_counts_as_in_the_library_and_a_dead_process_counts_nothing() {
    let slow = r#"Service(workers: 500, endpoints: { "go": [Work(Const("500ms"))] })"#;
    let late = |breaker: &str| format!(r#"Timeout("100ms"), {breaker}"#);
    assert_eq!(opens(slow, &late(&recording("")), ""), 1);
    assert_eq!(opens(slow, &late(&recording(r#", ignore: ["cancelled"]"#)), ""), 0);
    assert_eq!(opens(slow, &late("Breaker(Hystrix(timeout: \"0s\"))"), ""), 0);
    assert_eq!(opens(slow, &late("Breaker(Polly(minimum_throughput: 20))"), ""), 0);
    // 40 calls of the front are under way when it dies.
    let outcome = run_text(&format!(
        r#"Scenario(
            name: "crash", about: "The caller of a breaker dies.", horizon: "20s",
            actors: {{
                "users": Client(load: Burst(count: 40), does: [Call("front.go")]),
                "front": Service(workers: 50, endpoints: {{ "go": [Call("app.go", policy: "p")] }}),
                "app": {slow},
            }},
            policies: {{ "p": [{}] }},
            faults: [At("200ms", for: "1s", Crash("front"))],
        )"#,
        recording("")
    ));
    assert!(outcome.transitions.is_empty(), "{:?}", outcome.transitions);
}

/// Two hosts behind a proxy, of which the first never answers: attempts at each, and the statuses.
fn proxied(like: &str, method: &str) -> ([u64; 2], u64, u64) {
    let outcome = run_text(&format!(
        r#"Scenario(
            name: "proxy", about: "A proxy in front of two hosts.", horizon: "60s",
            actors: {{
                "users": Client(load: Open(rate: "1/s", arrivals: Constant, until: "8s"),
                    does: [Call("a.go", policy: "p", method: "{method}")]),
                "a": Service(workers: 50, endpoints: {{ "go": [Work(Const("30s"))] }}),
                "b": Service(workers: 50, endpoints: {{ "go": [Work(Const("10ms"))] }}),
            }},
            policies: {{ "p": [Upstream(hosts: ["b"], like: {like}), Timeout("300ms")] }},
        )"#
    ));
    let arrived = ["a", "b"].map(|name| counter(&outcome, name, "arrived"));
    let unsafe_retries = outcome.calls.iter().map(|call| call.unsafe_retries).sum();
    (arrived, counter(&outcome, "users", "succeeded"), unsafe_retries)
}

#[test]
fn a_proxy_passes_on_what_its_server_passes_on() {
    // Out for ten seconds after one timeout. What it was sent is sent again, but for a POST.
    assert_eq!(proxied("Nginx()", "GET"), ([1, 8], 8, 0));
    assert_eq!(proxied("Nginx()", "POST"), ([1, 7], 7, 0));
    assert_eq!(proxied("Nginx(max_fails: 0)", "POST"), ([4, 4], 4, 0));
    // HAProxy asks the same host again for no more than a connection, unless it is told to.
    assert_eq!(proxied("Haproxy()", "GET"), ([4, 4], 4, 0));
    let all = r#"Haproxy(redispatch: true, retry_on: ["all-retryable-errors"])"#;
    assert_eq!(proxied(all, "POST").1, 8);
}

#[test]
fn a_proxy_whose_hosts_are_all_out_answers_without_asking_anybody() {
    let outcome = run_text(
        r#"Scenario(
            name: "blackout", about: "Both hosts restart at once.", horizon: "60s",
            actors: {
                "users": Client(load: Open(rate: "10/s", arrivals: Constant, until: "30s"),
                    does: [Call("a.go", policy: "p")]),
                "a": Service(workers: 5, endpoints: { "go": [Respond(200)] }),
                "b": Service(workers: 5, endpoints: { "go": [Respond(200)] }),
            },
            policies: { "p": [Upstream(hosts: ["b"], like: Nginx())] },
            faults: [At("10s", for: "500ms", Crash("a")), At("10s", for: "500ms", Crash("b"))],
        )"#,
    );
    // They are back after half a second; nginx asks nobody until 10 whole seconds are over.
    let served = counter(&outcome, "users", "succeeded");
    assert!((188..=192).contains(&served), "{served} of 300");
}

#[test]
fn a_code_of_grpc_is_understood_and_one_that_never_matches_is_refused() {
    let app = r#"Service(workers: 9, endpoints: { "go": [Work(Const("10ms")), Respond(503)] })"#;
    for codes in ["[14]", r#"["UNAVAILABLE"]"#, r#"["503"]"#] {
        let stack = format!(
            "Hedge(Grpc(max_attempts: 3, hedging_delay: \"5s\", \
             non_fatal_status_codes: {codes}))"
        );
        let outcome = system("Burst(count: 1)", app, &stack, "");
        assert_eq!(counter(&outcome, "app", "arrived"), 3, "{codes}");
    }
    for (hedge, wanted) in [
        ("Grpc(non_fatal_status_codes: [99])", "`99` names no status code"),
        ("FailsafeGo(cancel_on: [14])", "statuses of HTTP"),
    ] {
        let told = mistakes(&format!(
            r#"Scenario(name: "g", about: "x", horizon: "1s", actors: {{
                "u": Client(load: Burst(count: 1), does: [Call("a.go", policy: "p")]),
                "a": Service(workers: 5, endpoints: {{ "go": [] }}) }}, policies: {{ "p": [Hedge({hedge})] }})"#
        ));
        assert!(told.contains(wanted), "{told}");
    }
}

#[test]
fn a_hedge_that_a_policy_inside_refuses_was_not_sent() {
    let hedge = r#"Hedge(House(delay: Fixed("300ms"), max_hedges: 3))"#;
    let of = |inside: &str| {
        let outcome = system("Burst(count: 1)", ROOMY, &format!("{hedge}{inside}"), "");
        let hop = call(&outcome, "users", "app").clone();
        (hop.attempts, hop.hedges, rejected(&outcome, "bulkhead_full"))
    };
    assert_eq!(of(""), (4, 3, 0));
    assert_eq!(of(", Bulkhead(2)"), (2, 1, 2));
    // One that goes through a hedge of its own is the hedge that it is part of.
    let inner = r#", Hedge(FailsafeGo(delay: "1m"))"#;
    assert_eq!(of(inner), (4, 3, 0));
    // A retry inside a hedge sends no further hedge.
    let app = r#"Service(workers: 9, endpoints: { "go": [Fail(503)] })"#;
    let retried = r#"Hedge(FailsafeGo(delay: "0s")), Retry(attempts: 3, backoff: Constant("1s"))"#;
    let outcome = system("Burst(count: 1)", app, retried, "");
    let hop = call(&outcome, "users", "app");
    assert_eq!((hop.attempts, hop.hedges), (6, 1));
}

#[test]
fn a_ring_and_choices_have_a_size_that_fits() {
    let of = |service: &str| {
        mistakes(&format!(
            r#"Scenario(name: "ring", about: "Too much.", horizon: "1s", actors: {{
                "users": Client(load: Burst(count: 1), does: [Call("app.go")]),
                "app": Service(workers: 1, {service}, endpoints: {{ "go": [] }}),
            }})"#
        ))
    };
    let many = of("instances: 100000, balancer: RingHash(points: 10000)");
    assert!(many.contains("few enough that 100000 instances have at most 10000000"), "{many}");
    let choices = of("instances: 2, balancer: Choices(4294967295)");
    assert!(choices.contains("from 1 to 100000"), "{choices}");
}

/// A policy may send any number of attempts in one instant, in which no event is counted.
#[test]
fn hedges_without_end_hit_the_limits_of_the_run() {
    let limit = |load: &str, faults: &str, hedges: &str| {
        let outcome = run_text(&format!(
            r#"Scenario(
                name: "hedges", about: "All at once.", horizon: "10s", limits: (memory_mib: 64),
                actors: {{
                    "shop": Client(load: {load}, does: [
                        Call("psp.pay", policy: "all", method: "GET", idempotent: true),
                    ]),
                    "psp": Service(workers: 9, endpoints: {{ "pay": [Work(Const("1s"))] }}),
                }},
                policies: {{ "all": [{hedges}] }},
                faults: [{faults}],
            )"#
        ));
        outcome.limit.map(|limit| limit.name())
    };
    let one = "Burst(count: 1)";
    let house = |n: u64| format!(r#"Hedge(House(delay: Fixed("0s"), max_hedges: {n}))"#);
    let go = r#"Hedge(FailsafeGo(delay: "0s", max_hedges: 4294967295))"#;
    assert_eq!(limit(one, "", &house(4_294_967_295)), Some("memory"));
    assert_eq!(limit(one, "", go), Some("memory"));
    let lost = r#"At("0s", Partition("shop", "psp"))"#;
    assert_eq!(limit(one, lost, go), Some("memory"));
    let nested = vec![house(1_000); 4].join(", ");
    assert_eq!(limit(one, "", &nested), Some("memory"));
    assert_eq!(limit("Burst(count: 10000)", "", &house(1_000)), Some("memory"));
    assert_eq!(limit(one, "", &house(1_000)), None);
}
