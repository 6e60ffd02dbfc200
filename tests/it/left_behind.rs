//! A timeout that does not cancel: the caller goes on, and so does what it had begun.

use sim_models::outcome::Outcome;

use crate::support::{actor, call, counter, effects, load};

/// Hystrix around a thread pool of ten and a Ribbon that tries twice, 5 s each; nobody answers.
fn zuul(breaker: &str) -> Outcome {
    let text = format!(
        r#"Scenario(
            name: "zuul", about: "A downstream that hangs.", horizon: "60s",
            actors: {{
                "web": Client(
                    load: Open(rate: "1/s", arrivals: Constant, until: "40s"),
                    does: [Call("api.get", policy: "zuul")],
                ),
                "api": Service(workers: 1000, endpoints: {{ "get": [Work(Const("60s"))] }}),
            }},
            policies: {{ "zuul": [
                {breaker}
                Bulkhead(ThreadPool(core_threads: 10, max_threads: 10, queue_capacity: 0, keep_alive: "60s")),
                Retry(attempts: 2, backoff: None), Timeout("5s"),
            ] }},
            invariants: [AllAnswered],
        )"#
    );
    load(&text, None, &[]).run(1)
}

/// spring-cloud-netflix #1772: the caller has its timeout at 1 s, and the dead instance a second
/// request at 5 s.
#[test]
fn hystrix_times_out_and_the_retries_inside_go_on_with_their_thread() {
    let web = |outcome: &Outcome| {
        let hop = call(outcome, "web", "api");
        let refused: u64 = hop.rejected.iter().map(|(_, n)| n).sum();
        (hop.calls, hop.attempts, refused)
    };
    let hystrix = |extra: &str| {
        format!(r#"Breaker(Hystrix(timeout: "1s", request_volume_threshold: 1000{extra})),"#)
    };
    let outcome = zuul(&hystrix(""));
    let (calls, attempts, refused) = web(&outcome);
    assert_eq!(calls, 40);
    // Each call that got a thread holds it for 10 s, so that ten threads are just enough.
    assert!(refused <= 4, "{refused} found no thread");
    assert_eq!(attempts, 2 * (calls - refused), "two attempts a call");
    // A client that looks at the interrupt ends with the timeout.
    assert_eq!(web(&zuul(&hystrix(", interruptible: true"))), (40, 40, 0));
}

/// Three calls in ten seconds; the server takes two.
fn calls(policy: &str, faults: &str) -> Outcome {
    let text = format!(
        r#"Scenario(
            name: "left", about: "Work that nobody waits for.", horizon: "20s",
            actors: {{
                "users": Client(
                    load: Open(rate: "1/s", arrivals: Constant, from: "1s", until: "4s"),
                    does: [Call("api.pay")],
                ),
                "api": Service(
                    workers: 4, instances: 1,
                    endpoints: {{ "pay": [Try([Call("psp.charge", policy: "p")], catch: [])] }},
                ),
                "psp": Service(
                    workers: 10, endpoints: {{ "charge": [Work(Const("2s")), Effect("charge")] }},
                    on_disconnect: Cancel,
                ),
            }},
            policies: {{ "p": [{policy}] }},
            faults: [{faults}],
        )"#
    );
    load(&text, None, &[]).run(1)
}

#[test]
fn work_that_is_left_behind_has_its_effects_and_counts_as_wasted() {
    let cancelled = calls(r#"Timeout("1s")"#, "");
    assert_eq!(effects(&cancelled, "charge"), 0, "the server hears of the end");
    let left = calls(r#"Timeout("1s", cancels: false)"#, "");
    assert_eq!(effects(&left, "charge"), 3);
    assert!(left.ledger.iter().all(|entry| entry.intent.starts_with("users-")));
    let load = actor(&left, "psp").load.as_ref().expect("it worked");
    assert_eq!(load.wasted, Some(1.0), "for nobody");
    let hop = call(&left, "api", "psp");
    assert_eq!((hop.calls, hop.success, hop.unknown), (3, 0, 3), "as their caller knows it");
    let said = "nobody waits any more; what was begun goes on";
    assert_eq!(left.log.iter().filter(|line| line.what == said).count(), 3);
    let in_time = calls(r#"Timeout("3s", cancels: false)"#, "");
    assert_eq!(call(&in_time, "api", "psp").success, 3);
}

#[test]
fn only_a_crash_of_its_process_stops_what_was_left_behind() {
    let crash = r#"At("2500ms", for: "200ms", Crash("api"))"#;
    let left = calls(r#"Timeout("1s", cancels: false)"#, crash);
    // The first two are cut off with their process, before the 2 s are over; the third is not.
    assert_eq!(effects(&left, "charge"), 1);
    assert_eq!(counter(&left, "psp", "cancelled"), 2);
    let retries = r#"Timeout("1s", cancels: false), Retry(attempts: 3, even_if_unsafe: true), Timeout("1500ms")"#;
    let left = calls(retries, r#"At("2s", for: "10s", Hang("psp"))"#);
    assert_eq!(call(&left, "api", "psp").attempts, 9, "what was left behind retries");
}
