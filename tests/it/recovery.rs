//! The verdict of recovery, on worlds of which it is known whether they recover.

use sim_core::{Span, Time};
use sim_models::outcome::{InvariantVerdict, Outcome, Verdict};
use sim_models::recovery::{Failing, Recovery, RecoveryState, Undecided, Unhealthy};

use crate::support::{load, mistakes};

/// One worker of 100/s behind clients that repeat at once what took a second (R4 of the published
/// results): vulnerable if and only if their rate times four is more than 100/s.
const RETRIES: &str = r#"Scenario(
    name: "retries", about: "A spike of two seconds, and a client that retries.", horizon: "900s",
    actors: {
        "users": Client(load: Open(rate: "20/s"), does: [Call("api.get", policy: "p")]),
        "spike": Client(
            load: Open(rate: "200/s", from: "60s", until: "62s"),
            does: [Call("api.get", policy: "p")],
        ),
        "api": Service(
            workers: 1, queue: Fifo(limit: 4000000),
            endpoints: { "get": [Work(Exponential("10ms"))] },
        ),
    },
    policies: { "p": [Retry(attempts: 4, backoff: None), Timeout("1s")] },
    recovery: (trigger: ("60s", "62s")),
)"#;

fn retries(rate: &str, more: &[(&str, &str)]) -> Recovery {
    let rate = format!("\"{rate}\"");
    let sets: Vec<_> =
        [("actors.users.load.rate", &rate[..])].into_iter().chain(more.iter().copied()).collect();
    load(RETRIES, None, &sets).run(1).recovery.expect("a trigger")
}

fn faulty(fault: &str, rest: &str) -> Outcome {
    load(&faulty_text(fault, rest), None, &[]).run(1)
}

/// One worker at a third of its load, and a fault.
fn faulty_text(fault: &str, rest: &str) -> String {
    format!(
        r#"Scenario(
            name: "faulty", about: "A fault.", horizon: "300s",
            actors: {{
                "users": Client(
                    load: Open(rate: "30/s"), does: [Call("api.get", policy: "p")],
                ),
                "api": Service(
                    workers: 1, queue: Fifo(limit: 100000),
                    endpoints: {{ "get": [Work(Exponential("10ms"))] }},
                ),
            }},
            policies: {{ "p": [Timeout("1s")] }},
            faults: [{fault}],
            {rest}
        )"#
    )
}

fn state(fault: &str, rest: &str) -> RecoveryState {
    faulty(fault, rest).recovery.expect("a trigger").state
}

fn seconds(n: u64) -> Time {
    Time::ZERO + Span::secs(n)
}

#[test]
fn below_the_threshold_the_backlog_drains() {
    let recovery = retries("20/s", &[]);
    let RecoveryState::Recovered { at, after } = recovery.state else { panic!("{recovery:?}") };
    assert!((seconds(64)..seconds(180)).contains(&at), "{recovery:?}");
    assert_eq!(seconds(62) + after, at);
}

#[test]
fn above_it_the_system_stays_down() {
    let recovery = retries("30/s", &[]);
    assert_eq!(recovery.state, RecoveryState::Metastable, "{recovery:?}");
    assert!(recovery.goodput_kept() < Some(0.1), "{recovery:?}");
    let text = recovery.to_string();
    assert!(text.starts_with("metastable 13m58s after the trigger ended: goodput "), "{text}");
    assert!(text.ends_with(" % of what is asked for, 100 % before"), "{text}");
}

#[test]
fn what_overloads_by_itself_is_no_test() {
    let recovery = retries("120/s", &[]);
    assert!(matches!(recovery.state, RecoveryState::Unhealthy(_)), "{recovery:?}");
    let early = retries("20/s", &[("recovery.trigger", r#"("1s", "2s")"#)]);
    let RecoveryState::Unhealthy(why) = early.state else { panic!("{early:?}") };
    assert!(why.to_string().contains("fewer than 30"), "{why}");
}

/// Just below the threshold a backlog shrinks so slowly that a short run cannot tell.
#[test]
fn a_run_that_is_too_short_leaves_it_open() {
    for (rate, horizon) in [("24/s", "100s"), ("24/s", "160s"), ("30/s", "80s"), ("30/s", "100s")] {
        let horizon = format!("\"{horizon}\"");
        let recovery = retries(rate, &[("horizon", &horizon)]);
        assert!(matches!(recovery.state, RecoveryState::Undecided(_)), "{rate}: {recovery:?}");
    }
    let longer = retries("30/s", &[("horizon", r#""160s""#)]);
    assert_eq!(longer.state, RecoveryState::Metastable, "{longer:?}");
    let stated = retries("30/s", &[("horizon", r#""100s""#), ("recovery.drain", r#""5s""#)]);
    assert_eq!(stated.state, RecoveryState::Metastable, "the bound that is stated counts");
}

#[test]
fn a_fault_that_nobody_notices_disturbs_nothing() {
    let slow = r#"At("100s", for: "20s", Slow("api", factor: 1.01))"#;
    assert_eq!(state(slow, ""), RecoveryState::Undisturbed);
}

#[test]
fn answers_of_a_fallback_do_not_hide_an_outage() {
    for (fallback, counts) in [("", false), (", goodput: true", true)] {
        let policies = format!(r#"[Fallback(200, on: Failure{fallback}), Timeout("1s")]"#);
        let text = faulty_text(r#"At("60s", for: "60s", Errors("api", status: 500))"#, "");
        let outcome = load(&text, None, &[("policies.p", &policies)]).run(1);
        let state = outcome.recovery.expect("a trigger").state;
        match state {
            RecoveryState::Recovered { at, .. } => {
                assert!(!counts && at >= seconds(120), "{at}");
            }
            state => assert!(counts && state == RecoveryState::Undisturbed, "{state:?}"),
        }
    }
}

#[test]
fn an_outage_ends_with_its_fault() {
    let outage = r#"At("100s", for: "5s", Outage("api"))"#;
    let RecoveryState::Recovered { at, after } = state(outage, "") else { panic!() };
    assert!(at >= seconds(105) && after <= Span::secs(5), "{at} {after}");
}

/// A breaker that stays open for five seconds after a fault of two: it serves nobody until then,
/// and a `hold` of thirty has room for that on average.
fn held_open(within: &str, horizon: &str) -> Outcome {
    let breaker = r#"[Breaker(Consecutive(failures: 5), open_for: "5s", close_after: 1)]"#;
    let rest = format!(r#"invariants: [RecoversWithin("{within}")]"#);
    let text = faulty_text(r#"At("60s", for: "2s", Errors("api", status: 500))"#, &rest);
    load(&text, None, &[("policies.p", breaker), ("horizon", &format!("\"{horizon}\""))]).run(1)
}

#[test]
fn a_bad_beginning_is_no_recovery_whatever_makes_up_for_it() {
    let outcome = held_open("2s", "300s");
    let closed = outcome.transitions.last().expect("it closes again").at;
    let recovery = outcome.recovery.expect("a trigger");
    let RecoveryState::Recovered { at, .. } = recovery.state else { panic!("{recovery:?}") };
    assert!((seconds(64)..seconds(70)).contains(&closed), "{closed}");
    assert!(at + Span::secs(1) >= closed, "nobody is served before {closed}: {recovery}");
    assert!(at <= closed + Span::secs(3), "all are from then on: {recovery}");
    assert!(matches!(recovery.held_up_by, Some(Failing::Goodput { .. })), "{recovery:?}");
    assert!(recovery.to_string().contains(", held up by goodput "), "{recovery}");
}

#[test]
fn a_longer_run_does_not_hide_that_it_came_back_too_late() {
    let verdict = |within: &str, horizon: &str| held_open(within, horizon).invariants[0].verdict;
    for horizon in ["120s", "300s", "20m"] {
        assert_eq!(verdict("2s", horizon), InvariantVerdict::Violated, "{horizon}");
        assert_eq!(verdict("10s", horizon), InvariantVerdict::Kept, "{horizon}");
    }
}

#[test]
fn a_relapse_voids_the_recovery() {
    // The trigger is stated to be the first outage only.
    let outages = r#"
        At("60s", for: "5s", Outage("api")), At("150s", for: "150s", Outage("api")),
    "#;
    let stated = r#"recovery: (trigger: ("60s", "65s"))"#;
    assert_eq!(state(outages, stated), RecoveryState::Metastable);
}

#[test]
fn a_lasting_fault_leaves_it_open() {
    for lasting in [r#"At("100s", Outage("api"))"#, r#"At("100s", for: "190s", Outage("api"))"#] {
        let state = state(lasting, "");
        assert!(matches!(state, RecoveryState::Undecided(_)), "{state:?}");
    }
}

/// What slows everybody down for good is no recovery, though everybody succeeds.
#[test]
fn latency_counts_as_much_as_goodput() {
    let slow = r#"At("100s", Slow("api", factor: 1.5))"#;
    let recovery = faulty(slow, STATED).recovery.expect("a trigger");
    assert_eq!(recovery.state, RecoveryState::Metastable);
    let Some(Failing::Median { before, now }) = recovery.failing else { panic!("{recovery:?}") };
    assert!(now > before * 1.4, "{recovery}");
    let said = recovery.to_string();
    assert!(said.contains("a median latency of ") && said.ends_with("ms before"), "{said}");
}

/// One answer in thirty is late: the median does not see it.
#[test]
fn a_bad_tail_is_no_recovery() {
    let recovery = rarely_late(r#"At("100s", Delay("users", "slow", "400ms"))"#);
    assert_eq!(recovery.state, RecoveryState::Metastable, "{recovery}");
    assert!(matches!(recovery.failing, Some(Failing::Tail { .. })), "{recovery}");
    assert!(recovery.to_string().contains(": a p99 of "), "{recovery}");
    let brief = rarely_late(r#"At("100s", for: "1s", Delay("users", "slow", "400ms"))"#);
    assert_eq!(brief.state, RecoveryState::Undisturbed, "a few late answers are chance");
}

/// Three users in a hundred go to a service of their own.
fn rarely_late(fault: &str) -> Recovery {
    let text = format!(
        r#"Scenario(
            name: "late", about: "A link of a few.", horizon: "300s",
            actors: {{
                "most": Client(load: Open(rate: "97/s"), does: [Call("quick.get")]),
                "users": Client(load: Open(rate: "3/s"), does: [Call("slow.get")]),
                "quick": Service(workers: 100, endpoints: {{ "get": [Work(Exponential("10ms"))] }}),
                "slow": Service(workers: 100, endpoints: {{ "get": [Work(Exponential("10ms"))] }}),
            }},
            faults: [{fault}],
            {STATED},
        )"#
    );
    load(&text, None, &[]).run(1).recovery.expect("a trigger")
}

const STATED: &str = r#"recovery: (trigger: ("100s", "101s"))"#;

/// Users who hang raise no further intents. Those who are left are served well, and the goodput of
/// what still comes is that of before.
#[test]
fn a_population_that_hangs_has_not_recovered() {
    let text = r#"Scenario(
        name: "tills", about: "A link that swallows everything for a while, and no timeout.",
        horizon: "300s",
        actors: {
            "tills": Client(load: Closed(users: 50, think: Exponential("1s")), does: [
                Call("api.pay"),
            ]),
            "probe": Client(load: Open(rate: "5/s"), does: [Call("api.pay")]),
            "api": Service(workers: 100, endpoints: { "pay": [Work(Exponential("10ms"))] }),
        },
        links: [Link(from: "tills", to: "api", latency: Const("1ms"))],
        faults: [At("60s", for: "10s", Loss("tills", "api", rate: 1))],
        invariants: [RecoversWithin("10s")],
    )"#;
    let outcome = load(text, None, &[]).run(1);
    let recovery = outcome.recovery.as_ref().expect("a trigger");
    assert_eq!(recovery.state, RecoveryState::Metastable, "{recovery}");
    assert!(recovery.goodput_kept() < Some(0.2), "{recovery:?}");
    assert_eq!(recovery.last.unanswered, 50, "{recovery:?}");
    assert_eq!(outcome.invariants[0].verdict, InvariantVerdict::Violated, "it sees the same");
    // With a timeout they come again.
    let set = [("actors.tills.does[0]", r#"Call("api.pay", policy: "p")"#)];
    let set = [&set[..], &[("policies", r#"{ "p": [Timeout("1s")] }"#)]].concat();
    let outcome = load(text, None, &set).run(1);
    assert_eq!(outcome.verdict, Verdict::Kept, "{:?}", outcome.recovery);
}

/// Who has no answer from the time of the trigger still waits.
#[test]
fn who_waits_for_an_answer_since_the_trigger_counts_as_not_well() {
    let hang = |seconds: u32| {
        let text = format!(
            r#"Scenario(
                name: "hang", about: "No timeout.", horizon: "300s",
                actors: {{
                    "users": Client(load: Open(rate: "10/s"), does: [Call("api.get")]),
                    "api": Service(workers: 9999, endpoints: {{ "get": [Work(Const("10ms"))] }}),
                }},
                faults: [At("60s", for: "{seconds}s", Hang("api"))],
            )"#
        );
        load(&text, None, &[]).run(1).recovery.expect("a trigger")
    };
    let many = hang(20);
    assert_eq!(many.state, RecoveryState::Metastable, "{many}");
    let said = many.to_string();
    assert!(said.contains(" intents unanswered for more than 10s, 0 before"), "{said}");
    let few = hang(1).state;
    assert!(!matches!(few, RecoveryState::Metastable | RecoveryState::Undecided(_)), "{few:?}");
}

/// The load is off when the backlog has drained. That is no recovery before it is back.
#[test]
fn empty_time_is_no_recovery() {
    let off = |back: &str| {
        let changes = format!(r#"[Step("150s", "0/s"), Step("200s", "{back}")]"#);
        let sets = [("horizon", "\"300s\""), ("actors.users.load.changes", changes.as_str())];
        retries("30/s", &sets)
    };
    let back = off("30/s");
    let RecoveryState::Recovered { at, .. } = back.state else { panic!("{back}") };
    assert!(at >= seconds(198), "{back}");
    assert!(back.to_string().contains("less than half of the load between 2m30s and"), "{back}");
    let few = off("3/s");
    assert!(
        matches!(few.state, RecoveryState::Undecided(Undecided::LoadIsLow(_))),
        "a tenth of the load shows nothing: {few}"
    );
}

/// Twice what was carried well before is another load. To break down under it is not metastable.
#[test]
fn more_load_than_before_is_said() {
    let changes = [("actors.users.load.changes", r#"[Step("100s", "120/s")]"#)];
    let text = RETRIES.replace(r#"recovery: (trigger: ("60s", "62s")),"#, "");
    let sets = [("actors.spike.load.rate", "\"1/s\""), ("horizon", "\"300s\"")];
    let outcome = load(&text, None, &[&changes[..], &sets].concat()).run(1);
    let recovery = outcome.recovery.expect("a step up is a trigger");
    assert_eq!(recovery.trigger, (seconds(100), seconds(100)));
    let RecoveryState::Undecided(Undecided::LoadIsHigh(times)) = recovery.state else {
        panic!("{recovery}")
    };
    assert!((5.0..7.0).contains(&times), "{recovery}");
}

/// The words for the trigger are those of the verdict: what is stated, and all that disturbs.
#[test]
fn the_promise_to_recover_has_the_same_trigger() {
    let promise = |rest: &str| {
        let rest = format!(r#"{rest} invariants: [RecoversWithin("20s")]"#);
        let outage = r#"At("200s", for: "5s", Outage("api"))"#;
        faulty(outage, &rest).invariants[0].verdict
    };
    assert_eq!(promise(""), InvariantVerdict::Kept);
    let stated = r#"recovery: (trigger: ("100s", "270s")),"#;
    assert_eq!(promise(stated), InvariantVerdict::Kept);
    let stated = r#"recovery: (trigger: ("100s", "290s")),"#;
    assert_eq!(promise(stated), InvariantVerdict::Vacuous, "nobody comes after that");
    let only_stated = faulty(
        "",
        r#"recovery: (trigger: ("100s", "110s")),
        invariants: [RecoversWithin("20s")]"#,
    );
    assert_eq!(only_stated.invariants[0].verdict, InvariantVerdict::Kept);
}

/// What is there from the beginning to the end is how this world is.
#[test]
fn a_fault_that_is_always_there_is_no_trigger() {
    let always = r#"At("0s", Loss("users", "api", rate: 0.01))"#;
    assert_eq!(faulty(always, "").recovery, None);
    let both = format!(r#"{always}, At("100s", for: "5s", Outage("api"))"#);
    let recovery = faulty(&both, "").recovery.expect("a trigger");
    assert_eq!(recovery.trigger, (seconds(100), seconds(105)));
}

/// A manager that renews leases from a store. While that is away all leases run out, and all
/// attempts to renew them are queued again. Nothing shows what the manager could do at best, so
/// that the estimate of the time to drain is long; yet the queue only grows.
#[test]
fn a_queue_that_grows_without_goodput_is_metastable() {
    let text = r#"Scenario(
        name: "leases", about: "Attempts may last 10 s and are queued again.", horizon: "10m",
        actors: {
            "servers": Client(load: Closed(users: 500, think: Uniform("50s", "150s")), does: [
                Call("manager.lease", policy: "lease"),
            ]),
            "manager": Service(
                workers: 8, queue: Fifo(limit: 20000), threads: Async,
                endpoints: { "lease": [
                    Work(Exponential("400ms")), Call("store.check", policy: "store"),
                ] },
            ),
            "store": Service(workers: 200, endpoints: { "check": [Work(Exponential("5ms"))] }),
        },
        policies: {
            "lease": [Retry(attempts: 100000, backoff: Constant("2s")), Timeout("10s")],
            "store": [Timeout("2s")],
        },
        faults: [At("120s", for: "120s", Outage("store"))],
    )"#;
    let recovery = load(text, None, &[]).run(1).recovery.expect("a trigger");
    assert!(recovery.drain.is_none_or(|drain| drain > Span::secs(360)), "{recovery:?}");
    assert_eq!(recovery.state, RecoveryState::Metastable, "{recovery}");
}

#[test]
fn without_a_trigger_there_is_no_verdict() {
    assert_eq!(faulty("", "").recovery, None);
}

/// A run of this kind once ended in a panic: there is no goodput per intent where none arose.
#[test]
fn answers_to_intents_of_the_warm_up_are_no_measure_of_health() {
    let text = r#"Scenario(
        name: "late", about: "Late answers, and no load before the fault.", horizon: "180s",
        warmup: "10s",
        actors: {
            "early": Client(load: Open(rate: "100/s", until: "9s"), does: [Call("api.get")]),
            "late": Client(load: Open(rate: "10/s", from: "40s"), does: [Call("api.get")]),
            "api": Service(workers: 2000, endpoints: { "get": [Work(Const("12s"))] }),
        },
        faults: [At("30s", for: "2s", Outage("api"))],
    )"#;
    let recovery = load(text, None, &[]).run(1).recovery.expect("a trigger");
    assert!(recovery.before.goodput > 100, "{recovery:?}");
    assert_eq!(recovery.state, RecoveryState::Unhealthy(Unhealthy::NoLoad));
}

#[test]
fn terms_that_make_no_sense_are_refused() {
    for (terms, said) in [
        ("healthy: 1.5", "healthy = 1.5"),
        ("within: 0.9", "within = 0.9"),
        ("hold: \"0s\"", "hold = 0"),
        (r#"trigger: ("9s", "8s")"#, "trigger = (9s, 8s)"),
        (r#"trigger: ("9s", "1000s")"#, "within the horizon"),
        ("holds: \"1s\"", "holds"),
    ] {
        let text = RETRIES.replace(r#"trigger: ("60s", "62s")"#, terms);
        let message = mistakes(&text);
        assert!(message.contains(said), "{terms}: {message}");
    }
}

/// A large client that is well again, and a small one whose retries keep a service of its own down.
const MIX: &str = r#"Scenario(
    name: "mix", about: "Two clients after one fault.", horizon: "400s",
    actors: {
        "shoppers": Client(load: Open(rate: "100/s"), does: [Call("shop.buy")]),
        "batch": Client(load: Open(rate: "3/s"), does: [Call("ledger.post", policy: "p")]),
        "shop": Service(workers: 10, queue: Fifo(limit: 100000),
            endpoints: { "buy": [Work(Exponential("10ms"))] }),
        "ledger": Service(workers: 1, queue: Fifo(limit: 100000),
            endpoints: { "post": [Work(Exponential("100ms"))] }),
    },
    policies: { "p": [Retry(attempts: 6, backoff: None), Timeout("1s")] },
    faults: [At("60s", for: "10s", Pause("ledger")), At("60s", for: "10s", Pause("shop"))],
)"#;

#[test]
fn a_small_client_that_stays_down_does_not_hide_behind_a_large_one() {
    let mixed = load(MIX, None, &[]).run(1);
    let recovery = mixed.recovery.as_ref().expect("a trigger");
    assert_eq!(recovery.client.as_deref(), Some("batch"), "{recovery:?}");
    assert_eq!(recovery.state, RecoveryState::Metastable, "{recovery:?}");
    assert!(recovery.to_string().starts_with("metastable for batch 5m30s after"), "{recovery}");
    assert_eq!(mixed.verdict, Verdict::Unhealthy);
    // The large one alone is well again, and so is the small one once it does not retry.
    let calm = load(MIX, None, &[("policies.p", r#"[Timeout("1s")]"#)]).run(1);
    let recovery = calm.recovery.expect("a trigger");
    assert!(matches!(recovery.state, RecoveryState::Recovered { .. }), "{recovery:?}");
}

/// One that comes too seldom to tell, and one that fails at all times, say nothing of a recovery.
#[test]
fn a_client_that_shows_nothing_does_not_decide() {
    for sets in [
        [("actors.batch.load.rate", r#""4/m""#), ("horizon", r#""500s""#)],
        [
            ("actors.batch.does", r#"[Call("ledger.nothing")]"#),
            ("actors.ledger.endpoints.nothing", "[Fail(500)]"),
        ],
    ] {
        let recovery = load(MIX, None, &sets).run(1).recovery.expect("a trigger");
        assert_eq!(recovery.client, None, "{recovery:?}");
        assert!(matches!(recovery.state, RecoveryState::Recovered { .. }), "{recovery:?}");
    }
}
