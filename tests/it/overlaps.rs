//! What is down is down until the last fault that holds it down is over; and values that are each
//! fine, and together not.

use sim_models::outcome::{Outcome, Verdict};

use crate::support::{draft, load};

/// One call a second at half past, for twenty seconds, to a service with so many instances.
fn calls(instances: u32, faults: &str) -> Outcome {
    let text = format!(
        r#"Scenario(
            name: "overlaps", about: "Faults that overlap.", horizon: "20s",
            actors: {{
                "users": Client(
                    load: Open(rate: "1/s", arrivals: Constant, from: "500ms"),
                    does: [Try([Call("api.get"), Effect("ok")], catch: [])],
                ),
                "api": Service(
                    workers: 4, instances: {instances},
                    endpoints: {{ "get": [Respond(200)] }},
                    jobs: {{ "tick": Job(every: "1s", does: [Effect("tick")]) }},
                ),
            }},
            faults: [{faults}],
        )"#
    );
    load(&text, None, &[]).run(1)
}

/// The seconds in which the effect of a kind happened.
fn seconds(outcome: &Outcome, kind: &str) -> Vec<u64> {
    let entries = outcome.ledger.iter().filter(|entry| entry.kind == kind);
    entries.map(|entry| entry.at.as_nanos() / 1_000_000_000).collect()
}

#[test]
fn overlapping_crashes_act_as_the_union_of_their_times() {
    let crash = |instance: Option<u32>, from: u64, until: u64| {
        let only = instance.map(|n| format!(", instance: {n}")).unwrap_or_default();
        format!(r#"At("{from}s", for: "{}s", Crash("api"{only})),"#, until - from)
    };
    for (a, b) in [(Some(0), Some(0)), (None, Some(0)), (Some(0), None), (None, None)] {
        // One within the other, one after the other's beginning, and end to end.
        for [(a0, a1), (b0, b1)] in [[(1, 12), (2, 4)], [(1, 5), (3, 9)], [(2, 6), (6, 8)]] {
            for faults in
                [crash(a, a0, a1) + &crash(b, b0, b1), crash(b, b0, b1) + &crash(a, a0, a1)]
            {
                let is_down = |n: u64| (a0..a1).contains(&n) || (b0..b1).contains(&n);
                let up: Vec<u64> = (1..20).filter(|n| !is_down(*n)).collect();
                let outcome = calls(1, &faults);
                let served: Vec<u64> =
                    seconds(&outcome, "ok").into_iter().filter(|n| *n > 0).collect();
                assert_eq!(served, up, "{faults}");
            }
        }
    }
}

#[test]
fn a_crash_of_one_instance_leaves_the_others_to_the_crash_of_all() {
    let faults =
        r#"At("2s", for: "10s", Crash("api", instance: 0)), At("4s", for: "2s", Crash("api"))"#;
    let outcome = calls(2, faults);
    let down: Vec<u64> = (0..20).filter(|n| !seconds(&outcome, "ok").contains(n)).collect();
    assert_eq!(down, [4, 5], "instance 1 serves but for the crash of all");
}

#[test]
fn no_job_runs_while_every_instance_is_dead() {
    let outcome = calls(1, r#"At("2500ms", for: "8s", Crash("api", instance: 0))"#);
    let ticks = seconds(&outcome, "tick");
    assert!(!ticks.iter().any(|at| (3..=10).contains(at)), "{ticks:?}");
    assert!(ticks.contains(&2) && ticks.contains(&11), "{ticks:?}");
}

#[test]
fn numbers_whose_product_does_not_fit_are_refused() {
    let refused = |service: &str| {
        let text = format!(
            r#"Scenario(name: "n", about: "n", horizon: "5s", actors: {{
                "users": Client(load: Burst(count: 5), does: [Call("api.get")]),
                "api": Service({service}, endpoints: {{ "get": [] }}),
            }})"#
        );
        draft(&text, None, &[]).load().err().map(|error| error.to_string())
    };
    let error = refused("workers: 2147483649, instances: 2").expect("they are too many");
    assert!(error.contains("at most 4294967295"), "{error}");
    assert_eq!(refused("workers: 2147483647, instances: 2"), None);
    let error = refused("workers: 1, queue: Fifo(limit: 0, full: Block)").expect("nobody gets in");
    assert!(error.contains("full: Reject"), "{error}");
    assert_eq!(refused("workers: 1, queue: Fifo(limit: 0, full: Reject)"), None);
}

#[test]
fn names_of_any_script_load_and_mistakes_point_at_them() {
    let text = r#"Scenario(name: "支払い", about: "日本語", horizon: "10s",
        actors: {
            "客": Client(load: Burst(count: 1), does: [
                Try([Call("店.注文", policy: "再試行")], catch: []),
            ]),
            "店": Service(workers: 1, endpoints: { "注文": [
                Loop(2, [Work(Const("1ms"))]),
                Idempotent("safe", body: [Effect("請求", into: "result")]),
            ] }),
            "redis": Kv(),
        },
        policies: { "再試行": [Retry(attempts: 2)] },
        invariants: [ExactlyOnce("請求")],
    )"#;
    assert_eq!(load(text, None, &[]).run(1).verdict, Verdict::Kept);
    let wrong = text.replace("\"再試行\")], catch", "\"再試\")], catch");
    let error = draft(&wrong, None, &[]).load().unwrap_err().to_string();
    assert!(error.contains("there is no policy `再試`"), "{error}");
    assert!(error.contains("test.ron:4:"), "{error}");
}
