//! The verdict of recovery, on worlds of which it is known whether they recover.

use sim_core::{Span, Time};
use sim_models::outcome::Outcome;
use sim_models::recovery::{Recovery, RecoveryState};

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

/// One worker at a third of its load, and a fault.
fn faulty(fault: &str, rest: &str) -> Outcome {
    let text = format!(
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
    );
    load(&text, None, &[]).run(1)
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
    assert!(
        text.starts_with("metastable: goodput ")
            && text.ends_with("13m58s after the trigger ended"),
        "{text}"
    );
}

#[test]
fn what_overloads_by_itself_is_no_test() {
    let recovery = retries("120/s", &[]);
    assert!(matches!(recovery.state, RecoveryState::Unhealthy { .. }), "{recovery:?}");
    let early = retries("20/s", &[("recovery.trigger", r#"("1s", "2s")"#)]);
    let RecoveryState::Unhealthy { why } = early.state else { panic!("{early:?}") };
    assert!(why.contains("fewer than 30"), "{why}");
}

/// Just below the threshold a backlog shrinks so slowly that a short run cannot tell.
#[test]
fn a_run_that_is_too_short_leaves_it_open() {
    for (rate, horizon) in [("24/s", "100s"), ("24/s", "160s"), ("30/s", "80s"), ("30/s", "100s")] {
        let horizon = format!("\"{horizon}\"");
        let recovery = retries(rate, &[("horizon", &horizon)]);
        assert!(matches!(recovery.state, RecoveryState::Undecided { .. }), "{rate}: {recovery:?}");
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
fn an_outage_ends_with_its_fault() {
    let outage = r#"At("100s", for: "5s", Outage("api"))"#;
    let RecoveryState::Recovered { at, after } = state(outage, "") else { panic!() };
    assert!(at >= seconds(105) && after <= Span::secs(5), "{at} {after}");
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
        assert!(matches!(state, RecoveryState::Undecided { .. }), "{state:?}");
    }
}

/// What slows everybody down for good is no recovery, though everybody succeeds.
#[test]
fn latency_counts_as_much_as_goodput() {
    let slow = r#"At("100s", Slow("api", factor: 1.5))"#;
    let state = state(slow, r#"recovery: (trigger: ("100s", "101s"))"#);
    assert_eq!(state, RecoveryState::Metastable);
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
    let why = "no intent arose between the warm-up and then".to_owned();
    assert_eq!(recovery.state, RecoveryState::Unhealthy { why });
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
