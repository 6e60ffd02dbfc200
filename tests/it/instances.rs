//! What a policy keeps belongs to a process: one instance of a service, one of the `count` of a
//! client. So do jobs, and the faults that name one.

use sim_models::outcome::{Counter, Outcome, Verdict};

use crate::support::{call, draft, load};

/// Half of all attempts fail; so many clients retry for ten seconds with a bucket each.
fn retries_of(count: u32) -> (f64, f64) {
    let text = format!(
        r#"Scenario(
            name: "buckets", about: "Retries with a bucket each.", horizon: "20s",
            actors: {{
                "client": Client(
                    load: Open(rate: "100/s", until: "10s"), count: {count},
                    does: [Call("server.get", policy: "bucket")],
                ),
                "server": Service(workers: 1000000, endpoints: {{ "get": [] }}),
            }},
            links: [Link(from: "client", to: "server", latency: Exponential("10ms"))],
            policies: {{ "bucket": [
                Retry(attempts: 4, backoff: None, budget: Bucket(capacity: 5.0, per_call: 0.1)),
            ] }},
            faults: [At("0s", Errors("server", rate: 0.5))],
        )"#
    );
    let scenario = load(&text, None, &[]);
    let (mut calls, mut success, mut attempts) = (0, 0, 0);
    for seed in 1..=20 {
        let outcome = scenario.run(seed);
        let hop = call(&outcome, "client", "server");
        (calls, success) = (calls + hop.calls, success + hop.success);
        attempts += hop.attempts;
    }
    (success as f64 / calls as f64, attempts as f64 / calls as f64)
}

/// Marc Brooker, "Fixing retries with token buckets and circuit breakers", 2022: the more clients
/// share a load, the less a bucket of each holds back. The numbers are those of one run of a
/// thousand calls, so that two standard deviations of a success are 0.032.
#[test]
fn a_bucket_of_each_client_holds_back_the_less_the_more_clients_there_are() {
    let published = [(10, 0.559, 1.143), (100, 0.717, 1.463), (1_000, 0.937, 1.886)];
    for (count, success, attempts) in published {
        let (found, amplification) = retries_of(count);
        assert!((found - success).abs() < 0.032, "{count} clients: {found} succeed");
        let off = (amplification - attempts).abs();
        assert!(off < 0.04, "{count} clients: {amplification} attempts");
    }
}

/// Four instances, each of which calls a slow database through a bulkhead of one.
fn pages(policy: &str, instances: u32) -> u64 {
    let text = format!(
        r#"Scenario(
            name: "pages", about: "A bulkhead of one around a call of a second.", horizon: "21s",
            actors: {{
                "users": Client(
                    load: Open(rate: "20/s", arrivals: Constant, until: "20s"),
                    does: [Call("web.page")],
                ),
                "web": Service(
                    workers: 10, instances: {instances}, threads: Async,
                    endpoints: {{ "page": [Call("db.query", policy: "one")] }},
                ),
                "db": Service(workers: 100, endpoints: {{ "query": [Work(Const("990ms"))] }}),
            }},
            policies: {{ "one": [{policy}] }},
        )"#
    );
    call(&load(&text, None, &[]).run(1), "web", "db").success
}

#[test]
fn each_instance_has_what_its_policies_keep_and_shared_is_said() {
    for policy in ["Bulkhead(1)", r#"ConnectionPool(1, wait: "1ms")"#] {
        assert_eq!((pages(policy, 1), pages(policy, 4)), (20, 80), "{policy}");
    }
    assert_eq!(pages("Shared(Bulkhead(1))", 4), pages("Bulkhead(1)", 1));
}

#[test]
fn what_keeps_nothing_is_not_shared_and_nothing_is_shared_twice() {
    let refused = |policy: &str| {
        let text = format!(
            r#"Scenario(name: "n", about: "n", horizon: "5s", actors: {{
                "users": Client(load: Burst(count: 5), does: [Call("api.get", policy: "p")]),
                "api": Service(workers: 1, endpoints: {{ "get": [] }}),
            }}, policies: {{ "p": [{policy}] }})"#
        );
        draft(&text, None, &[]).load().err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert!(refused(r#"Shared(Timeout("1s"))"#).contains("remembers nothing"));
    assert!(refused("Shared(Shared(Bulkhead(1)))").contains("shared once more"));
    assert!(refused("Shared(Bulkhead(0))").contains("at least 1"));
    assert_eq!(refused("Shared(Bulkhead(1))"), "");
}

/// Two instances in turn call a provider of which the first half of a minute fails.
fn breakers(extra: &str) -> String {
    format!(
        r#"Scenario(
            name: "breakers", about: "A breaker in each of two instances.", horizon: "20s",
            actors: {{
                "users": Client(
                    load: Open(rate: "2/s", arrivals: Constant), does: [
                        Try([Call("api.pay")], catch: []),
                    ],
                ),
                "api": Service(
                    workers: 4, instances: 2,
                    endpoints: {{ "pay": [Call("psp.charge", policy: "guard")] }},
                ),
                "psp": Service(workers: 4, endpoints: {{ "charge": [Respond(500)] }}),
            }},
            policies: {{ "guard": [Breaker(Consecutive(failures: 3), open_for: "60s")] }},
            {extra}
        )"#
    )
}

#[test]
fn each_instance_has_a_breaker_and_its_transitions_name_it() {
    let outcome = load(&breakers(""), None, &[]).run(1);
    let names: Vec<String> = outcome.transitions.iter().map(|line| line.breaker()).collect();
    assert_eq!(names, ["api[1]->psp guard", "api[0]->psp guard"], "each after three of its own");
    assert!(outcome.transitions.iter().all(|line| line.instances == 2));
    let said = outcome.log.iter().any(|line| line.who == "api[1]->psp guard");
    assert!(said, "the story says whose it is");

    let crash = r#"faults: [At("10s", for: "1s", Crash("api", instance: 1))],"#;
    let outcome = load(&breakers(crash), None, &[]).run(1);
    let names: Vec<String> = outcome.transitions.iter().map(|line| line.breaker()).collect();
    let expected = ["api[1]->psp guard", "api[0]->psp guard", "api[1]->psp guard"];
    assert_eq!(names, expected, "the crash of one renews its breaker alone");
}

#[test]
fn a_promise_on_a_breaker_names_the_instance() {
    let expect = |breaker: &str| {
        let rule = format!(r#"Transitions("{breaker}", expect: [("2s", Open)])"#);
        let text = breakers(&format!("invariants: [{rule}],"));
        draft(&text, None, &[]).load().map(|scenario| scenario.run(1).verdict)
    };
    assert_eq!(expect("api[1]->psp guard").unwrap(), Verdict::Kept);
    let error = expect("api->psp guard").unwrap_err().to_string();
    assert!(error.contains("from `api[0]->psp guard` to `api[1]->psp guard`"), "{error}");
    assert!(expect("api[2]->psp guard").is_err());
}

/// A job that runs on every instance, or on one.
const EVERY: &str = r#"does: [Effect("tick")]"#;
const ONE: &str = r#"on: One, does: [Effect("tick")]"#;

/// A service of three instances that runs a job every second, and serves two calls a second.
fn service(job: &str, faults: &str) -> Outcome {
    let text = format!(
        r#"Scenario(
            name: "jobs", about: "Three instances.", horizon: "10s",
            actors: {{
                "users": Client(
                    load: Open(rate: "2/s", arrivals: Constant, from: "250ms"), does: [
                        Try([Call("api.get", policy: "wait"), Effect("ok")], catch: []),
                    ],
                ),
                "api": Service(
                    workers: 4, instances: 3,
                    endpoints: {{ "get": [
                        Label("passed"),
                        Kv(Set("k", "v"), store: "db", policy: "wait"),
                        Effect("served"),
                    ] }},
                    jobs: {{ "tick": Job(every: "1s", {job}) }},
                ),
                "db": Kv(),
            }},
            policies: {{ "wait": [Timeout("100ms")] }},
            faults: [{faults}],
        )"#
    );
    load(&text, None, &[]).run(1)
}

fn count(outcome: &Outcome, kind: &str, from: u64, until: u64) -> usize {
    let during = |at: u64| (from..until).contains(&(at / 1_000_000_000));
    let own = outcome.ledger.iter().filter(|entry| entry.kind == kind);
    own.filter(|entry| during(entry.at.as_nanos())).count()
}

#[test]
fn a_job_runs_on_every_instance_that_is_up_or_on_one() {
    let crash = r#"At("3500ms", for: "3s", Crash("api", instance: 0)),"#;
    let every = service(EVERY, crash);
    assert_eq!(count(&every, "tick", 1, 4), 3 * 3);
    assert_eq!(count(&every, "tick", 4, 7), 2 * 3, "the dead run nothing");
    assert_eq!(count(&every, "tick", 7, 10), 3 * 3);
    let one = service(ONE, crash);
    assert_eq!(count(&one, "tick", 1, 10), 9, "another takes over from the dead");
    let all = service(ONE, r#"At("3500ms", for: "3s", Crash("api")),"#);
    assert_eq!(count(&all, "tick", 4, 7), 0);
}

#[test]
fn a_job_of_one_instance_never_runs_twice_at_a_time() {
    // Its turn comes each second, and it takes two and a half.
    let steps = r#"on: One, does: [Effect("begun"), Sleep(Const("2500ms"))]"#;
    let long = |faults: &str| service(steps, faults);
    let begun = |outcome: &Outcome| -> Vec<u64> {
        let own = outcome.ledger.iter().filter(|entry| entry.kind == "begun");
        own.map(|entry| entry.at.as_nanos() / 1_000_000_000).collect()
    };
    assert_eq!(begun(&long("")), [1, 4, 7, 10]);
    let pause = r#"At("1500ms", for: "4s", Pause("api", instance: 0)),"#;
    assert_eq!(begun(&long(pause)), [1, 6, 9], "who stands still still runs it");
    let crash = r#"At("1500ms", for: "4s", Crash("api", instance: 0)),"#;
    assert_eq!(begun(&long(crash)), [1, 2, 5, 8], "who is dead does not");
}

#[test]
fn a_crash_at_a_point_kills_the_instance_that_passes_it() {
    let outcome = service(EVERY, r#"After("api.get/passed", nth: 3, Crash("api"))"#);
    let lost = 20 - count(&outcome, "ok", 0, 10);
    assert_eq!(lost, 1, "the others go on, and the balancer knows of the dead one");
    let ticks = count(&outcome, "tick", 2, 10);
    assert_eq!(ticks, 2 * 8, "two of three instances are alive");
    assert!(outcome.log.iter().any(|line| line.what.starts_with("api: crashed, instance ")));
}

#[test]
fn a_link_fault_can_concern_one_instance() {
    let cut = |fault: &str| {
        let outcome = service(EVERY, &format!(r#"At("0s", {fault})"#));
        (count(&outcome, "served", 0, 10), count(&outcome, "ok", 0, 10))
    };
    // Twenty calls go round three instances.
    let (served, ok) = cut(r#"Partition("api", "db", instance: 1)"#);
    assert!((13..=14).contains(&served) && ok == served, "{served} {ok}");
    // So with the way to the store alone.
    assert_eq!(cut(r#"Loss("api", "db", 1.0, instance: 1)"#), (served, ok));
    // What an instance answers is lost, and nothing comes to it either when both ways are cut.
    let (served, ok) = cut(r#"Partition("api", "users", instance: 1, both_ways: false)"#);
    assert!(served == 20 && (13..=14).contains(&ok), "{served} {ok}");
    let (served, ok) = cut(r#"Partition("api", "users", instance: 1)"#);
    assert!((13..=14).contains(&served) && ok == served, "{served} {ok}");
    assert_eq!(cut(r#"Delay("api", "db", "10ms", instance: 1)"#), (20, 20));
    assert_eq!(cut(r#"Delay("api", "db", "200ms", instance: 1)"#), (ok, ok));
}

#[test]
fn a_grey_failure_concerns_one_instance_and_the_balancer_does_not_know() {
    let hit = |fault: &str| {
        let outcome = service(EVERY, &format!(r#"At("0s", {fault})"#));
        (count(&outcome, "served", 0, 10), count(&outcome, "ok", 0, 10))
    };
    // Twenty calls go round three instances, one of which serves none of its third.
    for fault in [
        r#"Errors("api", instance: 1)"#,
        r#"Hang("api", instance: 1)"#,
        r#"Outage("api", instance: 1)"#,
        r#"BlackHole("api", instance: 1)"#,
        r#"Pause("api", instance: 1)"#,
        r#"Partition("users", "api", to_instance: 1)"#,
        r#"Loss("users", "api", 1.0, to_instance: 1)"#,
    ] {
        let (served, ok) = hit(fault);
        assert!((13..=14).contains(&ok) && served == ok, "{fault}: {served} {ok}");
    }
    // Late by more than the caller waits, and served for nothing.
    let (served, ok) = hit(r#"Delay("users", "api", "150ms", to_instance: 1)"#);
    assert!((13..=14).contains(&ok) && served == 20, "{served} {ok}");
    // Whoever crashes is out of the rotation.
    let (_, ok) = hit(r#"Crash("api", instance: 1)"#);
    assert_eq!(ok, 20);
}

#[test]
fn what_came_to_a_paused_instance_is_served_when_it_goes_on_or_breaks_with_it() {
    let pause = r#"At("2s", for: "4s", Pause("api", instance: 1)),"#;
    let outcome = service(EVERY, pause);
    assert_eq!(count(&outcome, "served", 0, 10), 20, "also those that nobody waits for");
    let ticks = |from, until| count(&outcome, "tick", from, until);
    assert_eq!((ticks(3, 6), ticks(7, 10)), (2 * 3, 3 * 3), "a paused instance runs no jobs");
    let dies =
        service(EVERY, &format!(r#"{pause} At("5s", for: "2s", Crash("api", instance: 1))"#));
    let lost = 20 - count(&dies, "served", 0, 10);
    assert!((2..=3).contains(&lost), "{lost} stood before it when it died");
}

#[test]
fn what_hangs_at_an_instance_counts_as_open_there_until_its_caller_hangs_up() {
    // A balancer that counts open requests leaves the instance alone as long as they are open.
    let hung = |timeout: &str| {
        let text = format!(
            r#"Scenario(
                name: "hung", about: "One of two instances hangs.", horizon: "20s",
                actors: {{
                    "users": Client(
                        load: Open(rate: "10/s", arrivals: Constant), does: [
                            Try([Call("api.get", policy: "wait")], catch: []),
                        ],
                    ),
                    "api": Service(
                        workers: 4, instances: 2, balancer: LeastRequest,
                        endpoints: {{ "get": [Work(Const("1ms"))] }},
                    ),
                }},
                policies: {{ "wait": [Timeout("{timeout}")] }},
                faults: [At("0s", Hang("api", instance: 1))],
            )"#
        );
        let outcome = load(&text, None, &[]).run(1);
        let hop = call(&outcome, "users", "api");
        hop.calls - hop.success
    };
    assert!((1..=2).contains(&hung("1h")), "{}", hung("1h"));
    let short = hung("50ms");
    assert!((60..=140).contains(&short), "half of two hundred: {short}");
}

#[test]
fn a_clock_and_a_cache_of_one_instance_are_its_own() {
    let outcome = |fault: &str| {
        let text = format!(
            r#"Scenario(
                name: "own", about: "Two instances.", horizon: "10s",
                actors: {{
                    "users": Client(
                        load: Open(rate: "2/s", arrivals: Constant), does: [Call("api.get")],
                    ),
                    "api": Service(
                        workers: 4, instances: 2,
                        caches: {{ "prices": Cache(ttl: "1h") }},
                        endpoints: {{ "get": [
                            Cached("prices", "k", body: [Effect("computed", into: "v")], into: "v"),
                            If(Le(3600000, "{{now}}"), then: [Effect("late")]),
                        ] }},
                    ),
                }},
                faults: [{fault}],
            )"#
        );
        load(&text, None, &[]).run(1)
    };
    let late = outcome(r#"At("0s", ClockStep("api", forward: "2h", instance: 1))"#);
    assert_eq!(count(&late, "late", 0, 10), 10, "every other request");
    let flushed = |fault: &str| count(&outcome(fault), "computed", 0, 10);
    assert_eq!(flushed(r#"At("5s", Flush("api", instance: 1))"#), 3);
    assert_eq!(flushed(r#"At("5s", Flush("api"))"#), 4);
}

/// A service that lets in what its limit allows, and how many requests were turned away by it.
fn turned_away(limit: &str, instances: u32) -> u64 {
    let text = format!(
        r#"Scenario(
            name: "doors", about: "Twice what one door lets in.", horizon: "10s",
            actors: {{
                "users": Client(
                    load: Open(rate: "20/s", arrivals: Constant),
                    does: [Try([Call("api.get")], catch: [])],
                ),
                "api": Service(
                    workers: 100, instances: {instances}, admission: ({limit}),
                    endpoints: {{ "get": [Work(Const("499ms"))] }},
                ),
            }},
        )"#
    );
    let outcome = load(&text, None, &[]).run(1);
    let api = outcome.actors.iter().find(|actor| actor.name == "api").unwrap();
    api.counter(Counter::NotAdmitted).unwrap()
}

#[test]
fn each_instance_has_a_door_of_its_own_unless_it_is_shared() {
    let rate = r#"TokenBucket(permits: 5, per: "1s", burst: 1)"#;
    for (field, limit) in [("rate", rate), ("concurrency", "Fixed(limit: 3)")] {
        let (own, shared) = (format!("{field}: {limit}"), format!("{field}: Shared({limit})"));
        let one = turned_away(&own, 1);
        assert!(one > 50, "{field}: {one}");
        assert_eq!(turned_away(&own, 4), 0, "{field}: four doors let all in");
        assert_eq!(turned_away(&shared, 4), one, "{field}: one door for all");
    }
}

#[test]
fn a_limit_of_a_door_is_read_and_refused_as_any_other() {
    let refused = |limit: &str| {
        let text = format!(
            r#"Scenario(name: "n", about: "n", horizon: "5s", actors: {{
                "users": Client(load: Burst(count: 5), does: [Call("api.get")]),
                "api": Service(
                    workers: 1, admission: (rate: {limit}), endpoints: {{ "get": [] }},
                ),
            }})"#
        );
        draft(&text, None, &[]).load().err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert_eq!(refused(r#"Shared(FixedWindow(limit: 1, window: "1s"))"#), "");
    let error = refused(r#"Shared(FixedWindow(limit: 1, windw: "1s"))"#);
    assert!(error.contains("windw"), "{error}");
    let error = refused(r#"Shared(FixedWindow(limit: 0, window: "1s"))"#);
    assert!(error.contains("limit"), "{error}");
    let error = refused(r#"FixdWindow(limit: 1, window: "1s")"#);
    assert!(error.contains("FixedWindow"), "{error}");
}

#[test]
fn an_instance_that_does_not_exist_is_refused() {
    let refused = |fault: &str| {
        let text = format!(
            r#"Scenario(name: "n", about: "n", horizon: "5s", actors: {{
                "users": Client(load: Burst(count: 5), count: 2, does: [Call("api.get")]),
                "api": Service(workers: 1, instances: 2, endpoints: {{
                    "get": [Kv(Get("k"), store: "db")],
                }}),
                "db": Kv(),
            }}, faults: [At("1s", {fault})])"#
        );
        draft(&text, None, &[]).load().err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert!(refused(r#"Crash("api", instance: 2)"#).contains("below `instances`, 2"));
    let error = refused(r#"Partition("users", "api", instance: 2)"#);
    assert!(error.contains("below `count`, 2"), "{error}");
    assert!(refused(r#"Crash("db", instance: 0)"#).contains("is one process"));
    let error = refused(r#"Partition("api", "db", to_instance: 0)"#);
    assert!(error.contains("is one process") && error.contains("`to_instance` out"), "{error}");
    for fault in ["Errors", "Hang", "Outage", "BlackHole", "Pause"] {
        let error = refused(&format!(r#"{fault}("api", instance: 2)"#));
        assert!(error.contains("below `instances`, 2"), "{fault}: {error}");
    }
    assert_eq!(refused(r#"Partition("users", "api", instance: 1)"#), "");
}

#[test]
fn users_and_sessions_stay_at_one_process() {
    // A breaker that opens at the first failure lets each process fail once.
    let failed = |load: &str, count: u32| {
        let text = format!(
            r#"Scenario(
                name: "sticky", about: "Who calls from where.", horizon: "20s",
                actors: {{
                    "users": Client(load: {load}, count: {count}, does: [
                        Try([Call("api.get", policy: "once")], catch: []),
                    ]),
                    "api": Service(workers: 100, endpoints: {{ "get": [Respond(500)] }}),
                }},
                policies: {{ "once": [Breaker(Consecutive(failures: 1), open_for: "60s")] }},
            )"#
        );
        let outcome = self::load(&text, None, &[]).run(1);
        call(&outcome, "users", "api").attempts
    };
    assert_eq!(failed(r#"Closed(users: 50, think: Const("1s"))"#, 10), 50, "all at once");
    assert_eq!(failed(r#"Open(rate: "20/s", arrivals: Constant)"#, 10), 10);
    assert_eq!(failed(r#"Burst(count: 7)"#, 10), 7);
    let random = failed(r#"Open(rate: "20/s")"#, 10);
    assert_eq!(random, 10, "each of ten has some of four hundred");
    let session = r#"Sessions(rate: "1/s", requests: Constant(5), think: Const("10ms"))"#;
    assert!(failed(session, 1_000_000) <= 40, "a session fails once");
}
