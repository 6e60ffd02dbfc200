//! Each invariant: a run that trips it and a near miss that it lets pass.

use sim_models::outcome::InvariantVerdict::{Kept, Vacuous, Violated};
use sim_models::outcome::{InvariantResult, InvariantVerdict};

use crate::support::run_text;

/// One client, one service, and whatever else the test is about.
fn shop(client: &str, endpoint: &str, rest: &str) -> String {
    format!(
        r#"Scenario(
            name: "shop", about: "An invariant and a world that tests it.", horizon: "60s",
            actors: {{
                "users": Client({client}),
                "shop": Service(workers: 4, endpoints: {{ "buy": [{endpoint}] }}),
            }},
            {rest}
        )"#
    )
}

fn judge(client: &str, endpoint: &str, rest: &str) -> InvariantResult {
    let outcome = run_text(&shop(client, endpoint, rest));
    outcome.invariants.into_iter().next().expect("one invariant")
}

fn verdict(client: &str, endpoint: &str, rest: &str) -> InvariantVerdict {
    judge(client, endpoint, rest).verdict
}

const ONE: &str = r#"load: Burst(count: 1), does: [Call("shop.buy")]"#;
const TWO_CLICKS: &str = r#"load: Burst(count: 1), clicks: 2, does: [Call("shop.buy")]"#;

#[test]
fn two_charges_of_one_intent_break_exactly_once_and_at_most_once() {
    for rule in ["ExactlyOnce", "AtMostOnce"] {
        let invariants = format!(r#"invariants: [{rule}("charge")]"#);
        let found = judge(TWO_CLICKS, r#"Effect("charge")"#, &invariants);
        assert_eq!(found.verdict, Violated, "{rule}");
        let first = found.first.expect("a violation");
        assert_eq!(first.witness, "users-1 has charge-1 at 0s and charge-2 at 0s");
        assert_eq!(first.intent.as_deref(), Some("users-1"));
        let once = r#"Effect("charge", once: "{key}")"#;
        assert_eq!(verdict(TWO_CLICKS, once, &invariants), Kept, "{rule}");
    }
}

#[test]
fn a_refund_restores_the_balance() {
    let refunded = r#"Effect("charge"), Effect("refund", undoes: "charge")"#;
    let rest = r#"invariants: [AtMostOnce("charge")]"#;
    assert_eq!(verdict(TWO_CLICKS, refunded, rest), Kept);
}

#[test]
fn success_without_the_effect_breaks_exactly_once_and_acked_implies_done() {
    // The effect exists in the program, so that the name is known, but is never reached.
    let skipped = r#"If(Is("{body}"), then: [Effect("order")])"#;
    for rule in ["ExactlyOnce", "AckedImpliesDone"] {
        let invariants = format!(r#"invariants: [{rule}("order")]"#);
        let found = judge(ONE, skipped, &invariants);
        assert_eq!(found.verdict, Violated);
        let witness = found.first.expect("a violation").witness;
        assert_eq!(witness, "users-1 was told success without any order");
        assert_eq!(verdict(ONE, r#"Effect("order")"#, &invariants), Kept);
    }
}

#[test]
fn nobody_told_success_leaves_acked_implies_done_vacuous() {
    let rest = r#"invariants: [AckedImpliesDone("order")]"#;
    assert_eq!(verdict(ONE, r#"Effect("order"), Fail(400)"#, rest), Vacuous);
}

#[test]
fn an_effect_behind_a_definite_failure_breaks_failed_implies_none() {
    let rest = r#"invariants: [FailedImpliesNone("order")]"#;
    assert_eq!(verdict(ONE, r#"Effect("order"), Fail(400)"#, rest), Violated);
    // A 500 leaves open how far it got: nobody was told that it failed.
    assert_eq!(verdict(ONE, r#"Effect("order"), Fail(500)"#, rest), Vacuous);
    assert_eq!(verdict(ONE, r#"If(Is("{body}"), then: [Effect("order")]), Fail(400)"#, rest), Kept);
}

#[test]
fn doubt_of_an_earlier_attempt_outlives_a_later_refusal() {
    let client = r#"load: Burst(count: 1), does: [Call("shop.buy", policy: "patient")]"#;
    let endpoint = r#"Effect("order"), Label("ordered"), Respond(201)"#;
    let rest = r#"
        policies: { "patient": [Retry(attempts: 2), Timeout("500ms")] },
        faults: [
            After("shop.buy/ordered", for: "100ms", BlackHole("shop")),
            At("200ms", Errors("shop", status: 503)),
        ],
        invariants: [FailedImpliesNone("order")]"#;
    let outcome = run_text(&shop(client, endpoint, rest));
    assert_eq!(outcome.invariants[0].verdict, Vacuous, "the user was told of doubt, not failure");
    assert_eq!(outcome.calls[0].unknown, 1);
}

#[test]
fn a_request_under_way_at_the_end_breaks_all_answered() {
    let rest = "invariants: [AllAnswered]";
    assert_eq!(verdict(ONE, r#"Work(Const("61s"))"#, rest), Violated);
    assert_eq!(verdict(ONE, r#"Work(Const("60s"))"#, rest), Kept, "an answer at the very end");
}

#[test]
fn recovery_counts_from_the_healing_of_the_last_fault() {
    let client = r#"load: Open(rate: "10/s", arrivals: Constant), does: [Call("shop.buy")]"#;
    let rest = |within: &str, until: &str| {
        format!(
            r#"faults: [
                At("10s", for: "5s", Errors("shop")),
                At("12s", for: "{until}", Hang("shop", rate: 0.0)),
            ],
            invariants: [RecoversWithin("{within}")]"#
        )
    };
    // The endpoint fails for five seconds more than its fault lasts.
    let slow_start = r#"Work(Const("10ms"))"#;
    assert_eq!(verdict(client, slow_start, &rest("1s", "3s")), Kept);
    assert_eq!(verdict(client, "Fail(500)", &rest("1s", "3s")), Violated);
    assert_eq!(verdict(client, slow_start, &rest("50s", "3s")), Vacuous, "nothing ends after it");
    let faultless = r#"invariants: [RecoversWithin("1s")]"#;
    assert_eq!(verdict(client, slow_start, faultless), Vacuous);
}

#[test]
fn goodput_counts_the_submissions_begun_in_its_stretch() {
    let client =
        r#"load: Open(rate: "1/s", arrivals: Constant, until: "20s"), does: [Call("shop.buy")]"#;
    let rest = |share: f64, from: &str, until: &str| {
        format!(
            r#"faults: [At("9500ms", for: "1s", Errors("shop"))],
            invariants: [Goodput("users", at_least: {share}, from: "{from}", until: "{until}")]"#
        )
    };
    // Of the submissions at 6, 7, … 15 s, the one at 10 s fails.
    assert_eq!(verdict(client, "", &rest(0.9, "6s", "16s")), Kept);
    assert_eq!(verdict(client, "", &rest(0.91, "6s", "16s")), Violated);
    assert_eq!(verdict(client, "", &rest(1.0, "11s", "16s")), Kept);
    assert_eq!(verdict(client, "", &rest(1.0, "30s", "40s")), Vacuous);
}

#[test]
fn a_peak_is_broken_by_one_arrival_too_many() {
    let client = r#"load: Burst(count: 10), does: [Call("shop.buy")]"#;
    let rest = |max: u32| format!(r#"invariants: [PeakArrivals("shop", {max})]"#);
    assert_eq!(verdict(client, "", &rest(10)), Kept);
    let found = judge(client, "", &rest(9));
    assert_eq!((found.verdict, found.violations), (Violated, 1));
    assert_eq!(
        found.first.expect("a violation").witness,
        "up to 10 arrivals within 100ms; at most 9"
    );
}

#[test]
fn transitions_must_be_the_expected_ones_to_the_instant() {
    let client = r#"load: Open(rate: "1/s", arrivals: Constant),
        does: [Try([Call("shop.buy", policy: "guarded")], catch: [])]"#;
    let rest = |opens: &str| {
        format!(
            r#"policies: {{ "guarded": [Breaker(Consecutive(failures: 3), open_for: "100s")] }},
            invariants: [Transitions("users->shop guarded", expect: [("{opens}", Open)])]"#
        )
    };
    assert_eq!(verdict(client, "Fail(500)", &rest("2s")), Kept);
    let found = judge(client, "Fail(500)", &rest("3s"));
    let witness = found.first.expect("a violation").witness;
    assert_eq!(witness, "change 1: expected open at 3s, found open at 2s");
    assert_eq!(verdict(client, "", &rest("2s")), Violated, "it never opens");
}

#[test]
fn retry_waits_are_checked_one_by_one() {
    let client = r#"load: Burst(count: 1), does: [Call("shop.buy", policy: "again")]"#;
    let rest = |between: &str| {
        format!(
            r#"policies: {{ "again": [Retry(attempts: 3)] }},
            invariants: [RetryWaits("users->shop", between: [{between}])]"#
        )
    };
    let witness = |between: &str| {
        let found = judge(client, "Fail(503)", &rest(between));
        found.first.map(|first| first.witness)
    };
    assert_eq!(witness(r#"("1s", "1s"), ("2s", "2s")"#), None);
    let late = witness(r#"("1s", "1s"), ("3s", "4s")"#);
    assert_eq!(late.as_deref(), Some("retry 2 waited 2s; expected 3s to 4s"));
    assert_eq!(witness(r#"("1s", "1s")"#).as_deref(), Some("retry 2 is one too many"));
    let missing = witness(r#"("1s", "1s"), ("2s", "2s"), ("4s", "4s")"#);
    assert_eq!(missing.as_deref(), Some("retry 3 never came"));
    assert_eq!(verdict(client, "", &rest(r#"("1s", "1s")"#)), Vacuous, "nothing was retried");
}

#[test]
fn who_is_never_answered_has_not_recovered() {
    // A second fault hangs every request from 20 s on, and never counts as healed before the end.
    let client =
        r#"load: Open(rate: "10/s", arrivals: Constant, until: "40s"), does: [Call("shop.buy")]"#;
    let rest = r#"
        faults: [At("5s", for: "1s", Errors("shop"))],
        invariants: [RecoversWithin("1s")]"#;
    let endpoint = r#"If(Lt(100, "{intent}"), then: [Sleep(Const("10m"))])"#;
    assert_eq!(verdict(client, endpoint, rest), Violated);
}

#[test]
fn a_share_that_is_met_exactly_is_met() {
    let client = r#"load: Open(rate: "1/s", arrivals: Constant), does: [Call("shop.buy")]"#;
    let endpoint = r#"If(Lt(33, "{intent}"), then: [Fail(500)])"#;
    let rest = r#"invariants: [Goodput("users", at_least: 0.55)]"#;
    assert_eq!(verdict(client, endpoint, rest), Kept, "33 of 60");
}

#[test]
fn a_click_that_has_not_come_is_not_unanswered() {
    let client = r#"load: Burst(count: 1), clicks: 2, apart: "2m", does: [Call("shop.buy")]"#;
    assert_eq!(verdict(client, "", "invariants: [AllAnswered]"), Kept);
}

#[test]
fn a_breaker_that_nobody_calls_says_nothing() {
    let client = r#"load: Burst(count: 1),
        does: [If(Is(None), then: [Call("shop.buy", policy: "guarded")])]"#;
    let rest = r#"policies: { "guarded": [Breaker()] },
        invariants: [Transitions("users->shop guarded", expect: [])]"#;
    assert_eq!(verdict(client, "", rest), Vacuous);
}
