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

/// A probe a second of a service of two instances, of a store and of a broker: each effect with its
/// instant, by the second in which the probe began.
fn probes(faults: &str) -> Vec<Vec<(String, u64)>> {
    let text = format!(
        r#"Scenario(
            name: "probes", about: "Everything that can be hit.", horizon: "20s",
            actors: {{
                "users": Client(
                    load: Open(rate: "1/s", arrivals: Constant, from: "500ms"),
                    does: [Parallel([
                        [Try([Call("api.get", policy: "wait"), Effect("got")], catch: [])],
                        [Try([Call("api.get", policy: "wait"), Effect("also")], catch: [])],
                        [Try([
                            Kv(Set("k", "v"), store: "db", policy: "wait"), Effect("set"),
                        ], catch: [])],
                        [Try([
                            Publish("bus.q", body: "b", policy: "wait"), Effect("published"),
                        ], catch: [])],
                    ])],
                ),
                "api": Service(
                    workers: 4, instances: 2,
                    endpoints: {{ "get": [Work(Const("10ms")), Effect("served")] }},
                    jobs: {{ "tick": Job(every: "1s", from: "250ms", does: [Effect("tick")]) }},
                ),
                "reader": Service(workers: 4, endpoints: {{ "on": [Effect("read")] }}),
                "db": Kv(replicas: 1, service_time: Const("1ms")),
                "bus": Broker(queues: {{ "q": Queue(to: ["reader.on"]) }}),
            }},
            policies: {{ "wait": [Timeout("300ms")] }},
            faults: [{faults}],
        )"#
    );
    let outcome = load(&text, None, &[]).run(1);
    let mut seconds = vec![Vec::new(); 20];
    for entry in &outcome.ledger {
        // A probe counts where it began, a job where it ran.
        let probe = entry.intent.strip_prefix("users-").map(|n| n.parse::<usize>().unwrap() - 1);
        let second = (entry.at.as_nanos() / 1_000_000_000) as usize;
        let entry = (entry.kind.clone(), entry.at.as_nanos());
        if let Some(of_second) = seconds.get_mut(probe.unwrap_or(second)) {
            of_second.push(entry);
        }
    }
    seconds
}

#[test]
fn overlapping_faults_of_a_kind_act_as_the_union_of_their_times() {
    let healthy = probes("");
    let hit = |faults: &str| -> Vec<usize> {
        let found = probes(faults);
        (0..20).filter(|n| found[*n] != healthy[*n]).collect()
    };
    let faults = [
        r#"Errors("api")"#,
        r#"Hang("api")"#,
        r#"Crash("api")"#,
        r#"Crash("api", instance: 1)"#,
        r#"Outage("api")"#,
        r#"BlackHole("api")"#,
        r#"Slow("api", factor: 2.0)"#,
        r#"Slow("api", factor: 2.0, instance: 1)"#,
        r#"Pause("api")"#,
        r#"Partition("users", "api")"#,
        r#"Loss("users", "api", 1.0)"#,
        r#"Duplicate("users", "api", 1.0)"#,
        r#"Delay("users", "api", "5ms")"#,
        r#"Partition("api", "users", instance: 1)"#,
        r#"Delay("api", "users", "5ms", instance: 1)"#,
        r#"Errors("api", instance: 1)"#,
        r#"Hang("api", instance: 1)"#,
        r#"Outage("api", instance: 1)"#,
        r#"BlackHole("api", instance: 1)"#,
        r#"Pause("api", instance: 1)"#,
        r#"Partition("users", "api", to_instance: 1)"#,
        r#"Loss("users", "api", 1.0, to_instance: 1)"#,
        r#"Delay("users", "api", "5ms", to_instance: 1)"#,
        r#"Errors("db")"#,
        r#"Hang("db")"#,
        r#"Crash("db")"#,
        r#"Outage("db")"#,
        r#"BlackHole("db")"#,
        r#"Slow("db", factor: 2.0)"#,
        r#"Pause("db")"#,
        r#"Failover("db")"#,
        r#"OutOfMemory("db")"#,
        r#"Partition("users", "db")"#,
        r#"Crash("bus")"#,
        r#"Outage("bus")"#,
        r#"BlackHole("bus")"#,
        r#"Pause("bus")"#,
        r#"Partition("bus", "reader")"#,
    ];
    for fault in faults {
        let at =
            |from: u64, until: u64| format!(r#"At("{from}s", for: "{}s", {fault}),"#, until - from);
        let union = hit(&at(2, 9));
        // A partitioned subscriber has its message again after the visibility timeout.
        assert!(union.iter().all(|n| (2..9).contains(n)) && union.len() == 7, "{fault}: {union:?}");
        for [a, b] in [[(2, 9), (4, 6)], [(2, 6), (4, 9)], [(2, 5), (5, 9)]] {
            for [a, b] in [[a, b], [b, a]] {
                let found = hit(&(at(a.0, a.1) + &at(b.0, b.1)));
                assert_eq!(found, union, "{fault}: {a:?} and {b:?}");
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
