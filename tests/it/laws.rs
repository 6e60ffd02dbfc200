//! Laws of every run, whatever fails: nothing is lost from the books, nothing panics, looking on
//! changes nothing, and neighbours leave each other their luck.

use std::fs;

use proptest::prelude::*;
use sim_models::outcome::{EndingSeries, Outcome, Verdict};
use sim_models::strategies::{FaultPlans, seeds};

use crate::support::{actor, call, counter, holds, load, root};

/// A bit of everything that a scenario can be made of.
const ZOO: &str = r#"Scenario(
    name: "zoo", about: "A bit of everything.", horizon: "60s",
    actors: {
        "people": Client(
            load: Closed(users: 4, think: Exponential("1s"), until: "15s"), patience: "12s",
            clicks: 2, apart: "100ms", body: {"amount": 5},
            does: [Call("web.page", policy: "browser")],
        ),
        "crowd": Client(
            load: Open(rate: "2/s", arrivals: Uniform, until: "15s"),
            does: [Try(
                [Call("web.page", policy: "browser", key: "{key}-{attempt}")],
                catch: [Loop(2, [Call("web.light", policy: "browser"), Break])],
                finally: [Sleep(Const("5ms"))],
            )],
        ),
        "mob": Client(load: Burst(count: 10, at: "3s"), does: [Call("web.light")]),
        "web": Service(
            workers: 2, queue: Fifo(limit: 4), threads: Async,
            endpoints: {
                "page": [
                    Work(Exponential("5ms")),
                    Parallel([
                        [Call("api.pay", policy: "guarded", key: "{key}", into: "paid")],
                        [Call("ads.show", policy: "ads"), Work(Const("1ms"))],
                        [Kv(Incr("hits"), store: "redis", policy: "short")],
                        [Parallel([[Sleep(Const("3ms"))], [Work(Const("2ms"))]])],
                    ]),
                    Label("joined"),
                    Respond(200, body: "{paid}"),
                ],
                "light": [Sleep(Const("10ms")), Label("rested"), Work(Const("1ms"))],
            },
        ),
        "api": Service(
            workers: 2, queue: Fifo(limit: 8),
            endpoints: { "pay": [
                Idempotent(design: "safe", lock: "3s", body: [
                    Idempotent(design: "naive", store: "cache", lock: "2s", body: [
                        Try(
                            [Effect("charge", once: "{provider_key}", into: "result")],
                            finally: [Kv(Get("{key}"), store: "redis", policy: "short")],
                        ),
                        Label("charged"),
                        If(Eq("{submission}", 2), then: [
                            Effect("refund", undoes: "charge"),
                            Fail(503),
                        ]),
                    ]),
                ]),
                Respond(201, body: "{result}"),
            ] },
        ),
        "ads": Service(workers: 1, endpoints: { "show": [Work(Exponential("40ms"))] }),
        "redis": Kv(),
        "cache": Kv(service_time: Exponential("1ms")),
    },
    links: [
        Link(from: "people", to: "web", latency: Exponential("20ms"), loss: 0.05, duplicate: 0.1),
        Link(from: "web", to: "api", latency: Const("1ms"), loss: 0.02, duplicate: 0.05),
    ],
    policies: {
        "browser": [
            Retry(attempts: 4, backoff: Exponential(base: "200ms"), jitter: Decorrelated,
                conflict: true, rejected: true, total: "8s"),
            Timeout("2s"),
        ],
        "guarded": [
            Retry(attempts: 2, backoff: None),
            Breaker(Consecutive(failures: 3), open_for: "2s", close_after: 2),
            Bulkhead(3),
            Timeout("700ms"),
        ],
        "ads": [
            Fallback(200, body: "no ads", on: Failure), Bulkhead(1), Timeout("50ms"),
        ],
        "short": [Timeout("20ms")],
    },
    variants: {
        // The same zoo behind the policies of libraries.
        "libraries": {
            "policies.browser": [
                Deadline("8s"),
                Hedge(House(delay: Fixed("300ms"), max_hedges: 2)),
                Retry(Finagle(backoff: DecorrelatedJittered(start: "100ms", maximum: "2s"), num_tries: 6),
                    budget: Finagle(min_retries_per_sec: 1)),
                RateLimiter(TokenBucket(permits: 20, per: "1s", burst: 5), wait: "2s"),
                Bulkhead(6, queue: 5, wait: "700ms"),
                Breaker(Cockatiel(breaker: Count(threshold: 0.5, size: 10), half_open_after: Constant("1s"))),
                ConcurrencyLimit(Vegas()),
                Timeout("2s"),
            ],
            "policies.guarded": [
                Retry(Botocore(mode: Adaptive)),
                AdaptiveThrottle(k: 1.5, window: "10s"),
                Breaker(Opossum(timeout: "400ms", volume_threshold: 5, reset_timeout: "1s", capacity: 4)),
                Breaker(Hystrix(version: V1_5_13, request_volume_threshold: 3, sleep_window: "1s")),
                Bulkhead(ThreadPool(core_threads: 1, max_threads: 3, queue_capacity: 4, keep_alive: "1s")),
            ],
            "policies.ads": [
                Fallback(cached: "3s", on: Failure),
                Fallback(call: "api.pay", on: Failure),
                Retry(Grpc(max_attempts: 3), budget: Grpc(max_tokens: 10, token_ratio: 0.1)),
                Breaker(Resilience4j(
                    sliding_window_size: 4, minimum_number_of_calls: 2,
                    wait_duration_in_open_state: "500ms", permitted_number_of_calls_in_half_open_state: 2,
                    max_wait_duration_in_half_open_state: "1s",
                    automatic_transition_from_open_to_half_open_enabled: true,
                )),
                Timeout("50ms"),
            ],
        },
    },
    invariants: [
        ExactlyOnce("charge"), AtMostOnce("refund"), AckedImpliesDone("charge"),
        FailedImpliesNone("charge"), AllAnswered, RecoversWithin("5s"),
        Goodput("people", at_least: 0.5), PeakArrivals("web", 20),
    ],
)"#;

/// Calls three deep, each with a timeout, and time for all of them to end. What may be still
/// under way at the end of a run is then nothing.
const RELAY: &str = r#"Scenario(
    name: "relay", about: "Every call ends.", horizon: "300s",
    actors: {
        "users": Client(
            load: Open(rate: "3/s", until: "10s"), clicks: 2, apart: "200ms", patience: "6s",
            does: [Call("front.get", policy: "outer")],
        ),
        "front": Service(workers: 2, endpoints: { "get": [Parallel([
            [Call("back.get", policy: "inner")],
            [Kv(Incr("hits"), store: "redis", policy: "inner")],
        ])] }),
        "back": Service(workers: 2, threads: Async, endpoints: { "get": [
            Work(Exponential("20ms")), Kv(Get("hits"), store: "redis", policy: "inner"),
        ] }),
        "redis": Kv(),
    },
    links: [Link(from: "users", to: "front", latency: Exponential("10ms"), loss: 0.05)],
    policies: {
        "outer": [Retry(attempts: 3), Breaker(Consecutive(failures: 4)), Timeout("2s")],
        "inner": [
            Fallback(200, on: Rejected), Bulkhead(4), Retry(attempts: 2, backoff: Constant("50ms")),
            Timeout("500ms"),
        ],
    },
)"#;

fn ended(outcome: &Outcome, client: &str) -> u64 {
    ["succeeded", "failed", "unknown"].iter().map(|name| counter(outcome, client, name)).sum()
}

#[test]
fn nothing_panics_and_nothing_hangs() {
    for variant in [None, Some("libraries")] {
        let zoo = load(ZOO, variant, &[]);
        let strategy = (seeds(), FaultPlans::of(&zoo).at_most(12).strategy());
        holds(1000, strategy, |(seed, faults)| {
            let outcome = faults.strike(&zoo).run(seed);
            prop_assert!(outcome.verdict != Verdict::Invalid, "{:?}", outcome.limit);
            Ok(())
        });
    }
}

/// A timer that fires while its actor stands still may be called off by what waits before it.
#[test]
fn an_answer_and_its_timeout_may_fall_into_one_pause() {
    let text = r#"Scenario(
        name: "pause", about: "At 100 ms a 503, at 500 ms the timeout, at 1050 ms the end of the \
            pause: the 503 came first, and its timeout is void.", horizon: "60s",
        actors: {
            "user": Client(load: Burst(count: 1), does: [Call("api.get")]),
            "api": Service(workers: 1, endpoints: { "get": [Call("db.get", policy: "p")] }),
            "db": Service(workers: 1, endpoints: { "get": [Work(Const("100ms")), Respond(503)] }),
        },
        policies: { "p": [Retry(attempts: 3, backoff: Constant("1s")), Timeout("500ms")] },
        faults: [At("50ms", for: "1s", Pause("api"))],
        invariants: [AllAnswered],
    )"#;
    let outcome = load(text, None, &[]).run(1);
    assert_eq!(outcome.verdict, Verdict::Kept);
    assert_eq!(call(&outcome, "api", "db").attempts, 3);
    // The retries at 1050 ms + 1 s and 100 ms and 1 s after that, and the last answer.
    let story = actor(&outcome, "user").latency_failed.expect("an ending").max;
    assert_eq!(story, sim_core::Span::millis(1050 + 1000 + 100 + 1000 + 100));
}

#[test]
fn submissions_are_conserved() {
    let zoo = load(ZOO, None, &[]);
    holds(256, (seeds(), FaultPlans::of(&zoo).strategy()), |(seed, faults)| {
        let outcome = faults.strike(&zoo).run(seed);
        for client in ["people", "crowd", "mob"] {
            let unanswered = counter(&outcome, client, "unanswered_submissions");
            let submitted = counter(&outcome, client, "submitted");
            prop_assert_eq!(submitted, ended(&outcome, client) + unanswered, "{}", client);
        }
        // The series count for themselves.
        let all =
            |name| ["people", "crowd", "mob"].map(|c| counter(&outcome, c, name)).iter().sum();
        let sum = |windows: &[u32]| windows.iter().map(|n| u64::from(*n)).sum::<u64>();
        let (intents, succeeded): (u64, u64) = (all("intents"), all("succeeded"));
        let series = &outcome.series;
        let (goodput, failed) = (sum(&series.goodput), sum(&series.failed));
        prop_assert_eq!(sum(&series.offered), intents);
        prop_assert!(goodput + failed <= intents, "an intent counts once");
        prop_assert!(goodput <= succeeded, "and for nothing but a success");
        Ok(())
    });
}

#[test]
fn calls_are_conserved() {
    let relay = load(RELAY, None, &[]);
    // A paused actor's timers wait with it, so its calls may be open at the end.
    let timers_run = |fault: &_| !matches!(fault, sim_models::language::Fault::Pause { .. });
    let faults = FaultPlans::of(&relay).only(timers_run).strategy();
    holds(256, (seeds(), faults), |(seed, faults)| {
        let outcome = faults.strike(&relay).run(seed);
        prop_assert_eq!(counter(&outcome, "users", "unanswered_submissions"), 0);
        for call in &outcome.calls {
            let ended = call.success + call.failed + call.unknown + call.abandoned;
            prop_assert_eq!(call.calls, ended, "{:?}", call);
            prop_assert!(call.attempts >= call.retries, "{:?}", call);
        }
        Ok(())
    });
}

/// Each attempt has one ending at its caller, and what was not sent is no attempt.
#[test]
fn attempts_are_conserved() {
    let broker = root().join("scenarios/webhook.ron");
    let broker = load(&fs::read_to_string(broker).expect("it is shipped"), None, &[]);
    for (scenario, cases) in
        [(load(ZOO, None, &[]), 128), (load(ZOO, Some("libraries"), &[]), 128), (broker, 16)]
    {
        holds(cases, (seeds(), FaultPlans::of(&scenario).strategy()), |(seed, faults)| {
            let outcome = faults.strike(&scenario).run(seed);
            for call in &outcome.calls {
                let of = |is_attempt: bool| {
                    let endings = call.endings.iter().filter(|(e, _)| e.is_attempt() == is_attempt);
                    endings.map(|(_, count)| count).sum::<u64>()
                };
                let rejected: u64 = call.rejected.iter().map(|(_, count)| count).sum();
                prop_assert_eq!((of(true), of(false)), (call.attempts, rejected), "{:?}", call);
            }
            Ok(())
        });
    }
}

/// What is told by window adds up to what is told of the run.
#[test]
fn windows_add_up() {
    let zoo = load(ZOO, None, &[]);
    let sum = |windows: &[u32]| windows.iter().map(|n| u64::from(*n)).sum::<u64>();
    holds(128, (seeds(), FaultPlans::of(&zoo).strategy()), |(seed, faults)| {
        let outcome = faults.strike(&zoo).run(seed);
        let Outcome { series, .. } = &outcome;
        for (client, actor) in series.clients.iter().zip(["crowd", "mob", "people"]) {
            prop_assert_eq!(&client.name, actor);
            let goodput = self::actor(&outcome, actor).goodput.expect("a client");
            // There is no warm-up. An answer after the horizon is in no window.
            prop_assert_eq!(sum(&client.offered), goodput.offered);
            prop_assert_eq!(sum(&client.unanswered), goodput.unanswered());
            prop_assert!(sum(&client.goodput) <= goodput.achieved);
            prop_assert!(sum(&client.failed) <= goodput.missed);
            let all = sum(&client.goodput) + sum(&client.failed) + sum(&client.degraded);
            prop_assert!(goodput.unanswered() > 0 || all == goodput.offered, "{:?}", goodput);
        }
        let lengths = series.clients.iter().map(|client| client.unanswered.len());
        prop_assert!(lengths.clone().all(|length| length == series.len()));
        for (effect, windows) in outcome.effects.iter().zip(&series.effects) {
            let counted = [&windows.count, &windows.duplicated, &windows.refunded, &windows.merged];
            let told = [effect.count, effect.duplicated, effect.refunded, effect.merged];
            prop_assert_eq!(counted.map(|counts| sum(counts)), told, "{:?}", effect);
        }
        let broken: Vec<(&String, u64)> = outcome
            .invariants
            .iter()
            .filter(|result| result.violations > 0)
            .map(|result| (&result.name, result.violations))
            .collect();
        let by_window = series.violations.iter().map(|(name, counts)| (name, sum(counts)));
        prop_assert_eq!(by_window.collect::<Vec<_>>(), broken);
        for (call, EndingSeries { hop, endings }) in outcome.calls.iter().zip(&series.endings) {
            prop_assert_eq!(&format!("{}->{}", call.from, call.to), hop);
            for (ending, windows) in endings {
                let told = call.endings.iter().find(|(found, _)| found == ending);
                prop_assert!(told.is_some_and(|(_, count)| sum(windows) <= *count), "{}", ending);
            }
        }
        Ok(())
    });
}

#[test]
fn looking_on_changes_nothing() {
    let (watched, unwatched) = (load(ZOO, None, &[]), load(ZOO, None, &[("invariants", "[]")]));
    holds(256, (seeds(), FaultPlans::of(&watched).strategy()), |(seed, faults)| {
        let with = faults.strike(&watched).run(seed);
        let without = faults.strike(&unwatched).run(seed);
        prop_assert_eq!((with.steps, with.digest), (without.steps, without.digest));
        Ok(())
    });
}

#[test]
fn a_plan_without_faults_is_the_scenario_without_faults() {
    let quiet = load(ZOO, None, &[]);
    let loud = load(ZOO, None, &[("faults", r#"[At("1s", for: "1s", Crash("web"))]"#)]);
    let none = FaultPlans::of(&loud).at_most(0).strategy();
    holds(32, (seeds(), none), |(seed, none)| {
        prop_assert_eq!(none.strike(&loud).run(seed).digest, quiet.run(seed).digest);
        prop_assert_ne!(loud.run(seed).digest, quiet.run(seed).digest);
        Ok(())
    });
}

#[test]
fn a_fault_that_never_strikes_changes_nothing_before_its_time() {
    let zoo = load(ZOO, None, &[]);
    let late = zoo.with_faults(r#"[At("59s", Crash("web")), At("59s", Flush("redis"))]"#).unwrap();
    holds(32, seeds(), |seed| {
        let until = |outcome: &Outcome| {
            let before = outcome.ledger.iter().filter(|line| line.at.as_nanos() < 59_000_000_000);
            before.cloned().collect::<Vec<_>>()
        };
        prop_assert_eq!(until(&late.run(seed)), until(&zoo.run(seed)));
        Ok(())
    });
}

/// A neighbour whose name sorts before all others, and who has a service of its own.
const NEIGHBOUR: [(&str, &str); 3] = [
    (
        "actors.aaron",
        r#"Client(load: Open(rate: "20/s"), does: [Call("abbey.enter", policy: "outer")])"#,
    ),
    (
        "actors.abbey",
        r#"Service(workers: 1, endpoints: {
            "enter": [Work(Exponential("30ms")), Effect("amen")],
        })"#,
    ),
    ("links[1]", r#"Link(from: "aaron", to: "abbey", latency: Exponential("5ms"), loss: 0.1)"#),
];

#[test]
fn a_new_neighbour_leaves_everybody_their_luck() {
    let (alone, together) = (load(RELAY, None, &[]), load(RELAY, None, &NEIGHBOUR));
    holds(64, (seeds(), FaultPlans::of(&alone).strategy()), |(seed, faults)| {
        let (a, b) = (faults.strike(&alone).run(seed), faults.strike(&together).run(seed));
        prop_assert!(counter(&b, "aaron", "submitted") > 0);
        for name in ["users", "front", "back", "redis"] {
            prop_assert_eq!(&actor(&a, name).counters, &actor(&b, name).counters, "{}", name);
            prop_assert_eq!(actor(&a, name).latency, actor(&b, name).latency, "{}", name);
        }
        for hop in &a.calls {
            prop_assert_eq!(hop, call(&b, &hop.from, &hop.to));
        }
        Ok(())
    });
}
