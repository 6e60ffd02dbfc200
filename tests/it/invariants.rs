//! Each invariant: a run that trips it and a near miss that it lets pass.

use sim_models::outcome::InvariantVerdict::{Kept, Vacuous, Violated};
use sim_models::outcome::{InvariantResult, InvariantVerdict, Outcome};

use crate::support::{broken, mistakes, run_text};

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
    assert_eq!(verdict(ONE, r#"Work(Const("71s"))"#, rest), Violated);
    assert_eq!(verdict(ONE, r#"Work(Const("70s"))"#, rest), Kept, "at the very end of the grace");
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
fn a_submission_counts_where_it_began_however_late_it_ends() {
    let client =
        r#"load: Open(rate: "1/s", arrivals: Constant, until: "20s"), does: [Call("shop.buy")]"#;
    // Each takes 2 s. What begins at 5 s fails at 7 s, and what begins at 16 s fails at 18 s.
    let endpoint = r#"Sleep(Const("2s")), If(Eq("{intent}", 6), then: [Fail(500)]),
        If(Eq("{intent}", 17), then: [Fail(500)])"#;
    let within = |from: &str, until: &str| {
        let rest = format!(
            r#"invariants: [Goodput("users", at_least: 1, from: "{from}", until: "{until}")]"#
        );
        verdict(client, endpoint, &rest)
    };
    assert_eq!(within("5500ms", "15500ms"), Kept, "the last two end after it");
    assert_eq!(within("6500ms", "8500ms"), Kept, "what fails meanwhile began before");
    assert_eq!(within("4500ms", "5500ms"), Violated, "it fails after the stretch");
    assert_eq!(within("14500ms", "16500ms"), Violated);
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
        does: [If(Is("{body}"), then: [Call("shop.buy", policy: "guarded")])]"#;
    let rest = r#"policies: { "guarded": [Breaker()] },
        invariants: [Transitions("users->shop guarded", expect: [])]"#;
    assert_eq!(verdict(client, "", rest), Vacuous);
}

/// A world of one's own: its actors, and whatever else the test is about.
fn found(actors: &str, rest: &str) -> InvariantResult {
    let outcome = run_text(&format!(
        r#"Scenario(
            name: "world", about: "An invariant and a world that tests it.", horizon: "60s",
            actors: {{ {actors} }}, {rest}
        )"#
    ));
    outcome.invariants.into_iter().next().expect("one invariant")
}

#[track_caller]
fn witness(found: InvariantResult) -> String {
    assert_eq!(found.verdict, Violated, "{found:?}");
    found.first.expect("a violation").witness
}

/// Answers with the effect's id, on its own and within a record.
const RECEIPT: &str =
    r#"Effect("charge", into: "id"), Respond(201, body: {"got": {"id": "{id}"}})"#;

#[test]
fn a_receipt_names_the_one_effect_that_is_in_force() {
    let rest = r#"invariants: [ReceiptMatches("charge")]"#;
    assert_eq!(verdict(ONE, RECEIPT, rest), Kept);
    let plain = r#"Effect("charge", into: "id"), Respond(201, body: "{id}")"#;
    assert_eq!(verdict(ONE, plain, rest), Kept);
    let two = judge(TWO_CLICKS, RECEIPT, rest);
    assert_eq!(two.violations, 2, "one per receipt");
    assert_eq!(two.first.as_ref().unwrap().intent.as_deref(), Some("users-1"));
    assert_eq!(witness(two), "users-1 was told charge-1, yet charge-2 is in force too");
    // The second answer is the first one's.
    let once = RECEIPT.replace(r#""charge","#, r#""charge", once: "{key}","#);
    assert_eq!(verdict(TWO_CLICKS, &once, rest), Kept);
}

#[test]
fn a_receipt_for_what_was_taken_back_or_is_anothers_is_none() {
    let rest = r#"invariants: [ReceiptMatches("charge")]"#;
    let refunded = RECEIPT.replace("Respond", r#"Effect("refund", undoes: "charge"), Respond"#);
    let told = witness(judge(ONE, &refunded, rest));
    assert_eq!(told, "users-1 was told charge-1, which was taken back");
    let replaced = RECEIPT
        .replace("Respond", r#"Effect("refund", undoes: "charge"), Effect("charge"), Respond"#);
    let told = witness(judge(ONE, &replaced, rest));
    assert_eq!(told, "users-1 was told charge-1, which was taken back, while charge-2 is in force");
    let two_users = r#"load: Burst(count: 2), does: [Call("shop.buy")]"#;
    let merged = RECEIPT.replace(r#""charge","#, r#""charge", once: "the same","#);
    let told = witness(judge(two_users, &merged, rest));
    assert_eq!(told, "users-2 was told charge-1, which is users-1's");
    let told = witness(judge(ONE, r#"Effect("charge"), Respond(201, body: "charge-9")"#, rest));
    assert_eq!(told, "users-1 was told charge-9, which does not exist");
}

#[test]
fn a_receipt_is_what_a_user_was_told_with_success() {
    let rest = r#"invariants: [ReceiptMatches("charge")]"#;
    // The second click gets another receipt, and then fails: the user has seen only the first.
    let client = r#"load: Burst(count: 1), clicks: 2, does: [
        Call("shop.buy"), If(Eq("{submission}", 2), then: [Fail(400)]),
    ]"#;
    let endpoint = r#"
        Effect("charge", into: "id"),
        If(Eq("{id}", "charge-2"), then: [Effect("refund", undoes: "charge")]),
        Respond(201, body: "{id}")"#;
    assert_eq!(verdict(client, endpoint, rest), Kept);
    assert_eq!(verdict(&client.replace(r#"", 2)"#, r#"", 3)"#), endpoint, rest), Violated);
    assert_eq!(verdict(ONE, r#"Effect("charge"), Respond(201)"#, rest), Vacuous, "no receipt");
    // A branch of the program is the program.
    let branches =
        r#"load: Burst(count: 1), clicks: 2, does: [Parallel([[Call("shop.buy")], []])]"#;
    assert_eq!(verdict(branches, RECEIPT, rest), Violated);
}

#[test]
fn one_key_gets_one_answer() {
    let rest = r#"invariants: [EqualReplays("shop.buy")]"#;
    let told = witness(judge(TWO_CLICKS, RECEIPT, rest));
    assert_eq!(
        told,
        "shop.buy answered {got: {id: charge-2}} for users-1, and {got: {id: charge-1}} before"
    );
    // 201 for the first, 200 for its replay.
    let replay = r#"
        Effect("charge", once: "{key}", into: "id"),
        If(Eq("{execution}", 3), then: [Respond(201, body: "{id}")]),
        Respond(200, body: "{id}")"#;
    assert_eq!(verdict(TWO_CLICKS, replay, rest), Kept);
    // What is refused is no replay.
    let refused = r#"
        Effect("charge", once: "{key}", into: "id"),
        If(Eq("{execution}", 3), then: [Respond(409, body: "wait")]), Respond(201, body: "{id}")"#;
    assert_eq!(verdict(TWO_CLICKS, refused, rest), Vacuous);
    assert_eq!(verdict(ONE, RECEIPT, rest), Vacuous, "nothing was replayed");
}

#[test]
fn one_key_of_two_clients_is_two_keys_and_one_answer_to_two_bodies_is_one_too_many() {
    let rest = r#"invariants: [EqualReplays("shop.buy")]"#;
    let actors = |user: &str, answer: &str, second_body: &str| {
        format!(
            r#"
            "ann": Client(load: Burst(count: 1), body: "10", does: [Call("shop.buy", key: "1")]),
            "{user}": Client(load: Burst(count: 1), does: [
                Call("shop.buy", key: "1", body: "10"),
                Call("shop.buy", key: "1", body: "{second_body}"),
            ]),
            "shop": Service(workers: 2, endpoints: {{ "buy": [
                If(Is("{{key}}"), then: [Respond(200, body: "{answer}")]),
            ] }}),
            "#
        )
    };
    assert_eq!(found(&actors("bob", "{client}", "10"), rest).verdict, Kept);
    let told = witness(found(&actors("bob", "{client}", "99"), rest));
    assert_eq!(told, "shop.buy gave one answer under the key 1 to 10 and to 99");
    let told = witness(found(&actors("bob", "{execution}", "10"), rest));
    assert!(told.starts_with("shop.buy answered "), "{told}");
}

#[test]
fn a_design_says_what_of_two_requests_is_equal_and_what_of_an_answer_is_kept() {
    // Two requests under one key, which differ in a note.
    let judge = |design: &str, params: &str, amount: u32, answer: &str| {
        let actors = format!(
            r#"
            "ann": Client(load: Burst(count: 1), does: [
                Call("shop.buy", key: "1", body: {{"amount": 10, "note": "a"}}),
                Sleep(Const("1s")),
                Try([Call("shop.buy", key: "1", body: {{"amount": {amount}, "note": "b"}})], catch: []),
            ]),
            "shop": Service(workers: 2, endpoints: {{ "buy": [
                Idempotent(design: "{design}", params: {{{params}}}, store: "redis", body: [
                    Effect("charge", into: "result"),
                ]),
                Respond(201, body: {answer}),
            ] }}),
            "redis": Kv(),
            "#
        );
        let rest = r#"
            designs: { "trusting": Design(
                about: "It has a word for what is to be equal, and does not look.",
                params: {"canonical": "{body}"},
                steps: [
                    Kv(Get("{key}"), store: "$store", into: "stored"),
                    If(Is("{stored}"), then: [Respond(200, body: "{stored.result}")]),
                    Body,
                    Kv(Set("{key}", {"said": "$canonical", "result": "{result}"}), store: "$store"),
                ],
            ) },
            invariants: [EqualReplays("shop.buy")]"#;
        found(&actors, rest)
    };
    let by_amount = r#""canonical": "{body.amount}""#;
    let plain = r#""{result}""#;
    assert_eq!(judge("safe", by_amount, 10, plain).verdict, Kept);
    assert_eq!(judge("safe", by_amount, 99, plain).verdict, Vacuous, "refused");
    assert_eq!(judge("safe", "", 10, plain).verdict, Vacuous, "refused");
    assert_eq!(judge("trusting", by_amount, 10, plain).verdict, Kept);
    let told = witness(judge("trusting", by_amount, 99, plain));
    assert!(told.contains("gave one answer under the key 1 to {amount: 10, note: a}"), "{told}");
    assert_eq!(judge("trusting", "", 10, plain).verdict, Violated, "all of the body");
    // What the endpoint says beside the result is not kept, and so not promised again.
    let more = r#"{"id": "{result}", "execution": "{execution}"}"#;
    assert_eq!(judge("safe", by_amount, 10, more).verdict, Kept);
    let told = witness(judge("unprotected", "", 10, more));
    assert!(told.starts_with("shop.buy answered {id: charge-2, "), "{told}");
}

/// A customer who pays, and gives back what was bought five seconds later.
fn refund(client: &str, give_back: &str) -> Outcome {
    run_text(&format!(
        r#"Scenario(
            name: "refund", about: "A purchase that is given back.", horizon: "60s",
            actors: {{
                "users": Client(load: Burst(count: 1), does: [
                    Call("shop.buy"), Sleep(Const("5s")), Call("shop.give_back"), {client}
                ]),
                "shop": Service(workers: 4, endpoints: {{
                    "buy": [
                        Effect("charge", into: "id"), Effect("order"), Respond(201, body: "{{id}}"),
                    ],
                    "give_back": [{give_back}],
                }}),
            }},
            invariants: [
                ExactlyOnce("charge"), AtMostOnce("charge"), AckedImpliesDone("charge"),
                AckedImpliesDone("order"), FailedImpliesNone("charge"), ReceiptMatches("charge"),
                NoMerge("charge"), UndoneStaysUndone("charge"),
                BooksBalance(captured: "charge", refunded: "refund", fulfilled: "order"),
                AppliedOnce("charge", "order", within: "1s"), SettlesWithin("20s"), AllAnswered,
            ],
        )"#
    ))
}

const GIVE_BACK: &str = r#"Effect("refund", undoes: "charge"), Effect("cancel", undoes: "order")"#;
const HEARS: &str = r#"Refunded("charge")"#;

#[test]
fn a_customers_own_refund_is_a_good_end() {
    let outcome = refund(HEARS, GIVE_BACK);
    assert_eq!(broken(&outcome), [""; 0]);
    let stays = outcome.invariant(r#"UndoneStaysUndone("charge")"#).expect("it is stated");
    assert_eq!(stays.verdict, Kept);
    assert_eq!(outcome.goodput.achieved, 1, "the customer got what was asked for");
    // Without the word a charge is gone that the user was told of.
    let silent = refund("", GIVE_BACK);
    let names = ["ExactlyOnce", "AckedImpliesDone", "ReceiptMatches", "NoMerge"];
    for name in names {
        assert!(broken(&silent).iter().any(|broken| broken.starts_with(name)), "{name}");
    }
}

#[test]
fn a_charge_after_the_refund_is_one_too_many() {
    let late = format!(r#"{GIVE_BACK}, Spawn([Sleep(Const("5s")), Effect("charge")])"#);
    let outcome = refund(HEARS, &late);
    let expected = ["ExactlyOnce", "FailedImpliesNone", "ReceiptMatches", "UndoneStaysUndone"];
    for name in expected {
        let found = outcome.invariants.iter().find(|result| result.name.starts_with(name));
        let first = found.and_then(|result| result.first.clone()).expect(name);
        assert_eq!((first.at.to_string(), &*first.what), ("10s".to_owned(), "charge-2"), "{name}");
    }
    let stays = outcome.invariant(r#"UndoneStaysUndone("charge")"#).expect("it is stated");
    assert_eq!(witness(stays.clone()), "users-1 has charge-2, after refund-1 at 5s");
}

#[test]
fn who_hears_of_a_refund_that_never_came_is_deceived() {
    let outcome = refund(HEARS, r#"If(Is("{body}"), then: [Effect("refund", undoes: "charge")])"#);
    for name in [r#"ExactlyOnce("charge")"#, r#"FailedImpliesNone("charge")"#] {
        let found = outcome.invariant(name).expect("it is stated").clone();
        assert_eq!(found.first.as_ref().map(|first| first.at.to_string()).as_deref(), Some("5s"));
        assert_eq!(
            witness(found),
            "users-1 was told at 5s that the charge is given back, yet there is charge-1"
        );
    }
    assert_eq!(
        outcome.invariant(r#"UndoneStaysUndone("charge")"#).expect("it is stated").verdict,
        Vacuous,
        "nothing was taken back"
    );
}

#[test]
fn only_the_program_of_a_client_says_what_its_user_hears() {
    let told = complaints(ONE, r#"Effect("charge"), Refunded("charge")"#, "");
    assert!(told.contains("only a client's user hears of a refund"), "{told}");
    let branch = r#"load: Burst(count: 1), does: [Spawn([Refunded("charge")])]"#;
    let told = complaints(branch, r#"Effect("charge")"#, "");
    assert!(told.contains("Refunded in a branch"), "{told}");
    let other = r#"load: Burst(count: 1), does: [Refunded("charg")]"#;
    let told = complaints(other, r#"Effect("charge")"#, "");
    assert!(told.contains("no program has an effect `charg`"), "{told}");
    let both = r#"load: Burst(count: 1), does: [Refunded("charge"), Refunded("fee")]"#;
    let told = complaints(both, r#"Effect("charge"), Effect("fee")"#, "");
    assert!(told.contains("a program gives back effects of one kind"), "{told}");
}

#[test]
fn who_is_told_to_wait_has_not_settled() {
    let rest = r#"invariants: [SettlesWithin("20s")]"#;
    for (endpoint, expected) in [
        ("Respond(201)", Kept),
        ("Fail(402)", Kept),
        ("Fail(409)", Violated),
        ("Fail(425)", Violated),
        ("Fail(429)", Violated),
        ("Fail(408)", Violated),
        ("Fail(503)", Violated),
        ("Fail(500)", Violated),
        (r#"Sleep(Const("71s"))"#, Violated),
        (r#"Sleep(Const("20s"))"#, Kept),
        (r#"Sleep(Const("20001ms"))"#, Violated),
    ] {
        assert_eq!(verdict(ONE, endpoint, rest), expected, "{endpoint}");
    }
    let found = judge(ONE, "Fail(409)", rest);
    assert_eq!(found.first.as_ref().unwrap().intent.as_deref(), Some("users-1"));
    assert_eq!(
        witness(found),
        "users-1, begun at 0s and due by 20s, was last told status 409 at 0s, and asked no more"
    );
    let told = witness(judge(ONE, r#"Sleep(Const("71s"))"#, rest));
    assert_eq!(told, "users-1, begun at 0s and due by 20s, was told nothing");
    let told = witness(judge(ONE, r#"Sleep(Const("30s"))"#, rest));
    assert_eq!(told, "users-1, begun at 0s and due by 20s, was settled only at 30s");
}

/// What struck outlasts the user's patience: no answer of the service's could have come in time, and
/// the report says so. Who still asks, or stops asking after the healing, is another matter.
#[test]
fn who_gave_up_before_the_healing_is_said_to_have() {
    let client = r#"load: Burst(count: 1), does: [Call("shop.buy", policy: "app")]"#;
    let asks = |attempts: u32| {
        let rest = format!(
            r#"invariants: [SettlesWithin("20s")],
            faults: [At("0s", for: "30s", Outage("shop"))],
            policies: {{ "app": [Retry(attempts: {attempts}, backoff: Constant("10s"))] }}"#
        );
        judge(client, r#"Fail(503)"#, &rest).first.expect("a violation")
    };
    let once = asks(1);
    assert_eq!(once.what, "gave up before what struck had healed");
    assert_eq!(
        once.witness,
        "users-1, begun at 0s and due by 50s, was last told connection refused at 0s, and asked \
         no more; what struck healed at 30s"
    );
    let beyond = asks(5);
    assert_eq!(beyond.what, "has nothing final by now");
    assert!(beyond.witness.ends_with("was last told status 503 at 40s, and asked no more"));
    let still = asks(60);
    assert!(still.witness.ends_with("was told nothing"), "{}", still.witness);
}

#[test]
fn only_the_other_side_can_refuse_for_good() {
    let rest = r#"invariants: [SettlesWithin("20s")]"#;
    // The program's own verdict, and a user who leaves, settle nothing.
    let own = r#"load: Burst(count: 1), does: [
        Try([Call("shop.buy")], catch: [Fail(402)]),
    ]"#;
    assert_eq!(verdict(own, "Fail(503)", rest), Violated);
    let leaves = r#"load: Burst(count: 1), patience: "5s", does: [Call("shop.buy")]"#;
    let told = witness(judge(leaves, r#"Sleep(Const("10s"))"#, rest));
    assert_eq!(
        told,
        "users-1, begun at 0s and due by 20s, was left without the other side's answer at 5s, \
         and asked no more"
    );
    // A caught error that goes on is the other side's word, and so is one after doubt.
    let raised = r#"load: Burst(count: 1), does: [Try([Call("shop.buy")], catch: [Raise])]"#;
    assert_eq!(verdict(raised, "Fail(402)", rest), Kept);
    let patient = r#"load: Burst(count: 1), does: [Call("shop.buy", policy: "again")]"#;
    let doubt = r#"If(Eq("{execution}", 2), then: [Fail(500)]), Fail(402)"#;
    let again = format!(r#"policies: {{ "again": [Retry(attempts: 2)] }}, {rest}"#);
    assert_eq!(verdict(patient, doubt, &again), Kept);
    // One of two clicks is enough.
    let one_of_two = r#"If(Eq("{execution}", 3), then: [Fail(409)]), Respond(201)"#;
    assert_eq!(verdict(TWO_CLICKS, one_of_two, rest), Kept);
}

#[test]
fn a_refusal_after_an_attempt_in_doubt_is_a_no_to_the_user() {
    let client = r#"load: Burst(count: 1), does: [Call("shop.buy", policy: "patient")]"#;
    let endpoint = r#"If(Is("{seen}"), then: [Fail(402)]), Effect("charge"), Label("charged")"#;
    let endpoint = format!(
        r#"Kv(Get("{{key}}"), store: "db", into: "seen"),
        Kv(Set("{{key}}", 1), store: "db"), {endpoint}"#
    );
    let rest = |faults: &str| {
        format!(
            r#"policies: {{ "patient": [Retry(attempts: 2), Timeout("500ms")] }},
            faults: [{faults}], invariants: [FailedImpliesNone("charge")]"#
        )
    };
    let with_db =
        |text: String| text.replace(r#""shop": Service"#, r#""db": Kv(), "shop": Service"#);
    let verdict = |faults: &str| {
        let outcome = run_text(&with_db(shop(client, &endpoint, &rest(faults))));
        outcome.invariants[0].verdict
    };
    assert_eq!(verdict(""), Vacuous);
    let lost = r#"After("shop.buy/charged", for: "100ms", BlackHole("shop"))"#;
    assert_eq!(verdict(lost), Violated, "the customer has paid and is told of a refusal");
}

#[test]
fn the_time_to_settle_begins_with_the_last_healing_and_ends_before_the_run() {
    let client = r#"load: Burst(count: 1), does: [Call("shop.buy", policy: "again")]"#;
    let rest = |lasts: &str, within: &str| {
        format!(
            r#"policies: {{ "again": [Retry(attempts: 60, backoff: Constant("1s"))] }},
            faults: [At("0s", for: "{lasts}", Errors("shop", status: 503))],
            invariants: [SettlesWithin("{within}")]"#
        )
    };
    assert_eq!(verdict(client, "", &rest("30s", "2s")), Kept);
    assert_eq!(verdict(client, "Fail(503)", &rest("30s", "30s")), Violated);
    assert_eq!(verdict(client, "Fail(503)", &rest("30s", "30001ms")), Vacuous, "due after the end");
    assert_eq!(verdict(client, "", &rest("61s", "2s")), Violated, "never healed");
    assert_eq!(verdict(client, "", &rest("60s", "2s")), Violated, "it lasts to the end");
    let late =
        r#"faults: [At("50s", for: "9s", Outage("shop"))], invariants: [SettlesWithin("20s")]"#;
    let client = r#"load: Burst(count: 1), does: [Call("shop.buy")]"#;
    assert_eq!(verdict(client, "Fail(503)", late), Violated, "it was due before the fault");
}

/// A service that asks a provider under the key that it was given.
fn provider(policies: &str, client: &str, endpoint: &str) -> InvariantResult {
    let actors = format!(
        r#"
        "users": Client({client}),
        "shop": Service(workers: 4, endpoints: {{ "buy": [
            // It looks at its key, so that it is given one.
            If(Is("{{key}}"), then: []), {endpoint},
        ] }}),
        "psp": Service(workers: 4, endpoints: {{ "charge": [Work(Const("1s"))] }}),
        "#
    );
    found(&actors, &format!(r#"{policies} invariants: [OneInFlight("psp.charge")]"#))
}

#[test]
fn two_calls_for_one_key_are_in_flight_until_the_first_is_answered() {
    let clicks = |apart: &str| {
        format!(r#"load: Burst(count: 1), clicks: 2, apart: "{apart}", does: [Call("shop.buy")]"#)
    };
    let call = r#"Call("psp.charge")"#;
    assert_eq!(provider("", &clicks("1001ms"), call).verdict, Kept, "one after the other");
    let found = provider("", &clicks("999ms"), call);
    assert_eq!(found.first.as_ref().unwrap().intent.as_deref(), Some("users-1"));
    assert_eq!(
        witness(found),
        "psp.charge is called for users-1 by shop at 999ms, while shop awaits it since 0s"
    );
    assert_eq!(provider("", &clicks("0s"), "Respond(200)").verdict, Vacuous);
    // Two users are two keys, and two keys of one user are two.
    let users = r#"load: Burst(count: 2), does: [Call("shop.buy")]"#;
    assert_eq!(provider("", users, call).verdict, Kept);
    let keys = r#"load: Burst(count: 1), clicks: 2,
        does: [Call("shop.buy", key: "{key}-{submission}")]"#;
    assert_eq!(provider("", keys, call).verdict, Kept);
    // Without a key the intent is what counts.
    let keyless = r#"load: Burst(count: 1), clicks: 2, does: [Call("shop.buy", key: None)]"#;
    assert_eq!(provider("", keyless, call).verdict, Violated);
    let mixed = r#"load: Burst(count: 1), clicks: 2, does: [
        If(Eq("{submission}", 1), then: [Call("shop.buy")], else: [Call("shop.buy", key: None)]),
    ]"#;
    assert_eq!(provider("", mixed, call).verdict, Violated);
}

#[test]
fn hedges_are_in_flight_together_and_retries_one_after_the_other() {
    let policies = r#"policies: {
        "hedged": [Hedge(House(delay: Fixed("500ms"), max_hedges: 1), even_if_unsafe: true)],
        "again": [Retry(attempts: 3, even_if_unsafe: true), Timeout("500ms")],
    },"#;
    let with =
        |policy: &str| format!(r#"Try([Call("psp.charge", policy: "{policy}")], catch: [])"#);
    assert_eq!(provider(policies, ONE, &with("hedged")).verdict, Violated);
    assert_eq!(provider(policies, ONE, &with("again")).verdict, Kept, "the caller gave up waiting");
}

#[test]
fn who_has_crashed_awaits_nothing() {
    let again = |crash: &str| {
        format!(
            r#"policies: {{ "again": [Retry(attempts: 2, backoff: Constant("100ms"))] }},
            faults: [{crash}],"#
        )
    };
    let client = r#"load: Burst(count: 1), does: [Call("shop.buy", policy: "again")]"#;
    let crash = again(r#"At("500ms", for: "10ms", Crash("shop"))"#);
    assert_eq!(provider(&crash, client, r#"Call("psp.charge")"#).verdict, Kept);
    // A mere loss of the connection leaves the first one waiting.
    let twice = again(r#"At("0s", for: "10s", Duplicate("users", "shop", rate: 1.0))"#);
    assert_eq!(provider(&twice, client, r#"Call("psp.charge")"#).verdict, Violated);
}

#[test]
fn two_purchases_under_one_key_are_a_merge() {
    let rest = r#"invariants: [NoMerge("charge")]"#;
    let two_users = r#"load: Burst(count: 2), does: [Call("shop.buy")]"#;
    assert_eq!(verdict(two_users, RECEIPT, rest), Kept);
    let silent = r#"Effect("charge", once: "x"), Respond(201)"#;
    let told = witness(judge(two_users, silent, rest));
    assert_eq!(told, "users-2 was told success and has no charge of its own in force");
    // Who was refused has merged with nobody.
    let refused = r#"If(Eq("{intent}", 2), then: [Fail(422)]), Effect("charge", once: "x")"#;
    assert_eq!(verdict(two_users, refused, rest), Kept);
    assert_eq!(
        verdict(ONE, r#"If(Is("{body}"), then: [Effect("charge")]), Fail(400)"#, rest),
        Vacuous
    );
}

#[test]
fn an_answer_that_shows_anothers_effect_is_a_leak_even_when_it_refuses() {
    let rest = r#"invariants: [NoMerge("charge")]"#;
    let two_users = r#"load: Burst(count: 2), does: [Call("shop.buy")]"#;
    let leak = |status: u16| {
        format!(
            r#"If(Eq("{{intent}}", 2), then: [Respond({status}, body: {{"of": "charge-1"}})]),
            Effect("charge", into: "id"), Respond(201, body: "{{id}}")"#
        )
    };
    let found = judge(two_users, &leak(422), rest);
    assert_eq!(found.first.as_ref().unwrap().intent.as_deref(), Some("users-2"));
    assert_eq!(witness(found), "users-2 was shown charge-1, which is users-1's");
    // An effect that nobody has can be nobody else's.
    let none = leak(422).replace("charge-1", "charge-7");
    assert_eq!(verdict(two_users, &none, rest), Kept);
}

const BOOKS: &str =
    r#"invariants: [BooksBalance(captured: "charge", refunded: "refund", fulfilled: "order")]"#;

#[test]
fn books_balance_when_each_capture_is_fulfilled_or_given_back() {
    let books = |steps: &str| {
        let known = r#"If(Is("{body}"), then: [
            Effect("charge"), Effect("refund", undoes: "charge"), Effect("order"),
        ]),"#;
        judge(ONE, &format!("{known} {steps}"), BOOKS)
    };
    let (charge, order) = (r#"Effect("charge")"#, r#"Effect("order")"#);
    let refund = r#"Effect("refund", undoes: "charge")"#;
    let credit = r#"Effect("refund")"#;
    assert_eq!(books(&[charge, order].join(",")).verdict, Kept);
    assert_eq!(books(&[charge, refund].join(",")).verdict, Kept);
    assert_eq!(books(&[charge, credit].join(",")).verdict, Kept, "a refund beside the charge");
    assert_eq!(books(&[charge, refund, charge, order].join(",")).verdict, Kept);
    assert_eq!(books(&[charge, charge, credit, order].join(",")).verdict, Kept);
    assert_eq!(books("").verdict, Vacuous);
    for (steps, told) in [
        (vec![charge], "users-1 has charge-1 and no order in force"),
        (vec![order], "users-1 has no charge and order-1 in force"),
        (vec![charge, refund, order], "users-1 has no charge and order-1 in force"),
        (
            vec![charge, charge, order, order],
            "users-1 has 2 charge effects (charge-1, charge-2) and \
             2 order effects (order-1, order-2) in force",
        ),
        (vec![charge, refund, refund], "users-1 has 2 refund effects for 1 charge effects"),
    ] {
        let found = books(&steps.join(","));
        assert_eq!(found.first.as_ref().unwrap().intent.as_deref(), Some("users-1"));
        assert_eq!(witness(found), told);
    }
}

#[test]
fn a_refund_that_comes_before_its_capture_is_one_too_many_at_that_instant() {
    let early = r#"Effect("refund"), Sleep(Const("5s")), Effect("charge"), Effect("charge"),
        Effect("order")"#;
    let found = judge(ONE, early, BOOKS);
    assert_eq!(found.violations, 1);
    assert_eq!(found.first.as_ref().map(|first| first.at.to_string()).as_deref(), Some("0s"));
    assert_eq!(witness(found), "users-1 has 1 refund effects for 0 charge effects");
}

#[test]
fn tokens_of_accepted_effects_never_decrease() {
    let rest = r#"invariants: [FencingMonotone("charge")]"#;
    let steps = |tokens: &[i64], more: &str| {
        let effect = |token| format!(r#"Try([Effect("charge", token: {token}{more})], catch: [])"#);
        tokens.iter().map(effect).collect::<Vec<_>>().join(",")
    };
    assert_eq!(verdict(ONE, &steps(&[1, 2, 2, 5], ""), rest), Kept);
    let found = judge(ONE, &steps(&[1, 33, 32, 34], ""), rest);
    assert_eq!(
        (found.violations, &*witness(found)),
        (1, "charge-3 was accepted with token 32 after charge-2 with 33",)
    );
    assert_eq!(verdict(ONE, &steps(&[1, 33, 32], ", fenced: true"), rest), Kept, "refused");
    assert_eq!(verdict(ONE, r#"Effect("charge")"#, rest), Vacuous);
    // Each key is fenced by itself.
    let keys = r#"Effect("charge", token: 2, once: "a"), Effect("charge", token: 1, once: "b")"#;
    assert_eq!(verdict(ONE, keys, rest), Kept);
    let forgotten = r#"Effect("charge", token: 2, once: "a", keep: "1s"), Sleep(Const("2s")),
        Effect("charge", token: 1, once: "a", keep: "1s")"#;
    assert_eq!(verdict(ONE, forgotten, rest), Violated);
}

#[test]
fn each_cause_has_its_effect_and_no_effect_lacks_its_cause() {
    let rest = r#"invariants: [AppliedOnce("order", "credit", within: "10s")]"#;
    let both = |steps: &str| {
        let known = r#"If(Is("{body}"), then: [Effect("order"), Effect("credit")]),"#;
        judge(ONE, &format!("{known} {steps}"), rest)
    };
    assert_eq!(both(r#"Effect("order"), Effect("credit")"#).verdict, Kept);
    assert_eq!(both("").verdict, Vacuous);
    let found = both(r#"Effect("order"), Effect("credit"), Effect("credit")"#);
    assert_eq!(found.first.as_ref().unwrap().intent.as_deref(), Some("users-1"));
    assert_eq!(witness(found), "users-1 has 2 credit effects, credit-2 the last, for 1 order");
    let ghost = witness(both(r#"Effect("credit"), Sleep(Const("1s")), Effect("order")"#));
    assert_eq!(ghost, "users-1 has credit-1 without any order in force");
    let lost = witness(both(r#"Effect("order")"#));
    assert_eq!(lost, "users-1 has 1 order (order-1 at 0s first) and 0 credit");
    // An order rolled back after its credit was given.
    let rolled = both(r#"Effect("order"), Effect("credit"), Effect("cancel", undoes: "order")"#);
    assert_eq!(witness(rolled), "users-1 has credit-1 without any order in force");
    let rolled = r#"Effect("order"), Effect("cancel", undoes: "order")"#;
    assert_eq!(both(rolled).verdict, Vacuous, "rolled back in time");
}

#[test]
fn a_cause_that_is_young_at_the_end_may_still_lack_its_effect() {
    let rest = r#"invariants: [AppliedOnce("order", "credit", within: "10s")]"#;
    let known = r#"If(Is("{body}"), then: [Effect("credit")]),"#;
    let at = |wait: &str| {
        judge(ONE, &format!(r#"{known} Sleep(Const("{wait}")), Effect("order")"#), rest)
    };
    assert_eq!(at("50s").verdict, Violated);
    assert_eq!(at("50001ms").verdict, Vacuous);
}

#[test]
fn a_known_break_is_marked_however_it_is_spaced() {
    let rest = |breaks: &str| {
        format!(
            r#"invariants: [AtMostOnce( "charge" ), AppliedOnce("order", "charge", within: "1s")],
            breaks: [{breaks}]"#
        )
    };
    let endpoint = r#"Effect("order"), Effect("charge")"#;
    let known = |breaks: &str| {
        let outcome = run_text(&shop(TWO_CLICKS, endpoint, &rest(breaks)));
        outcome.invariants.iter().map(|invariant| invariant.known).collect::<Vec<_>>()
    };
    assert_eq!(known(""), [false, false]);
    assert_eq!(known(r#""AtMostOnce(\"charge\")""#), [true, false]);
    let applied = r#""AppliedOnce(\"order\",  \"charge\", within: \"1s\")""#;
    assert_eq!(known(applied), [false, true]);
    assert_eq!(known(&format!(r#""AtMostOnce(\"charge\",)", {applied}"#)), [true, true]);
}

/// The complaints about a scenario.
fn complaints(client: &str, endpoint: &str, rest: &str) -> String {
    let text = shop(client, endpoint, rest);
    mistakes(&text)
}

#[test]
fn names_that_nobody_has_are_refused_with_advice() {
    let told = |rest: &str| complaints(ONE, r#"Effect("charge")"#, rest);
    let breaks = told(r#"invariants: [AtMostOnce("charge")], breaks: ["AtMostOnce(\"charg\")"]"#);
    assert!(breaks.contains("is none of this scenario's invariants"), "{breaks}");
    assert!(breaks.contains("did you mean"), "{breaks}");
    for (rule, found) in [
        (r#"ReceiptMatches("charg")"#, "no program has an effect `charg`"),
        (r#"NoMerge("charg")"#, "no program has an effect `charg`"),
        (r#"FencingMonotone("charg")"#, "no program has an effect `charg`"),
        (r#"AppliedOnce("charg", "charge", within: "1s")"#, "no program has an effect `charg`"),
        (r#"AppliedOnce("charge", "charg", within: "1s")"#, "no program has an effect `charg`"),
        (r#"BooksBalance(captured: "charg", fulfilled: "charge")"#, "no program has an effect"),
        (r#"BooksBalance(captured: "charge", fulfilled: "charg")"#, "no program has an effect"),
        (
            r#"BooksBalance(captured: "charge", fulfilled: "charge", refunded: "charg")"#,
            "no program has an effect `charg`",
        ),
        (r#"EqualReplays("shop.buyy")"#, "`shop` has no endpoint `buyy`"),
        (r#"OneInFlight("shop.buyy")"#, "`shop` has no endpoint `buyy`"),
        (r#"OneInFlight("shops.buy")"#, "there is no actor `shops`"),
    ] {
        let told = told(&format!("invariants: [{rule}]"));
        assert!(told.contains(found) && told.contains("did you mean"), "{rule}: {told}");
    }
}

/// A shop with a store; the endpoint is the test's affair.
fn locker(clicks: &str, endpoint: &str, rest: &str) -> InvariantResult {
    let actors = format!(
        r#"
        "users": Client(load: Burst(count: 1), {clicks} does: [Call("shop.buy")]),
        "shop": Service(workers: 4, endpoints: {{ "buy": [{endpoint}] }}),
        "redis": Kv(),
        "#
    );
    found(&actors, rest)
}

/// Commands to the store, one after the other; times are relative to one second.
fn commands(list: &[&str]) -> String {
    let step = |command: &&str| match command.strip_prefix("wait ") {
        Some(length) => format!(r#"Sleep(Const("{length}"))"#),
        None => format!(r#"Kv({command}, store: "redis")"#),
    };
    list.iter().map(step).collect::<Vec<_>>().join(", ")
}

const LOCKS: &str = r#"invariants: [LockDiscipline("redis", "*:lock")]"#;
const TAKE: &str = r#"Set("a:lock", "{execution}", nx: true, px: "10s")"#;

#[test]
fn a_lock_without_an_expiry_is_no_discipline() {
    let judge = |list: &[&str]| locker("", &commands(list), LOCKS);
    assert_eq!(judge(&[TAKE, r#"Del("a:lock")"#]).verdict, Kept);
    assert_eq!(judge(&[r#"Set("a", 1)"#]).verdict, Vacuous, "no lock");
    assert_eq!(judge(&[r#"Get("a:lock")"#, r#"Del("a:lock")"#]).verdict, Vacuous, "nothing there");
    for list in [
        vec![r#"Set("a:lock", 1, nx: true)"#, r#"Expire("a:lock", "10s")"#],
        vec![TAKE, r#"Persist("a:lock")"#],
        vec![TAKE, r#"Set("a:lock", 1)"#],
        vec![r#"Incr("a:lock")"#],
        vec![r#"HSet("a:lock", "owner", 1)"#],
    ] {
        let found = judge(&list);
        assert_eq!(found.violations, 1, "{list:?}");
        assert_eq!(found.first.as_ref().unwrap().intent.as_deref(), Some("users-1"));
        assert_eq!(witness(found), "users-1 holds a:lock, which never expires");
    }
    assert_eq!(judge(&[TAKE, r#"Set("a:lock", 1, keep_ttl: true)"#]).verdict, Kept);
    let counted = [r#"Set("a:lock", 1, px: "10s")"#, r#"Incr("a:lock")"#];
    assert_eq!(judge(&counted).verdict, Kept, "a number keeps its lifetime");
}

/// Two clicks: the first takes the lock and keeps it for a while, the second does something.
fn intruder(held: &str, command: &str) -> InvariantResult {
    let endpoint = format!(
        r#"Kv({TAKE}, store: "redis", into: "mine"),
        If(Is("{{mine}}"), then: [Sleep(Const("{held}")), Respond(201)]),
        {}"#,
        commands(&[command])
    );
    locker(r#"clicks: 2, apart: "1s","#, &endpoint, LOCKS)
}

#[test]
fn only_its_holder_ends_overwrites_or_extends_a_lock() {
    for (command, did) in [
        (r#"Del("a:lock")"#, "deleted"),
        (r#"GetDel("a:lock")"#, "deleted"),
        (r#"Set("a:lock", 1, px: "10s")"#, "overwrote"),
        (r#"Set("a:lock", 1, xx: true, px: "10s")"#, "overwrote"),
        (r#"Expire("a:lock", "10s")"#, "changed the lifetime of"),
        (r#"Multi([Del("a:lock")])"#, "deleted"),
        (r#"Transaction([Del("a:lock")])"#, "deleted"),
    ] {
        let found = intruder("5s", command);
        assert_eq!(found.violations, 1, "{command}");
        let expected = format!("users-1 {did} a:lock, which another execution holds since 100us");
        assert_eq!(witness(found), expected, "{command}");
    }
    for command in [
        r#"CompareAndDelete("a:lock", "{execution}")"#,
        r#"CompareAndDelete("a:lock", "2")"#,
        r#"CompareAndDelete("a:lock", 2)"#,
        r#"CompareAndExpire("a:lock", 2, px: "9s")"#,
        r#"CompareAndSet("a:lock", 2, 3, px: "9s")"#,
        r#"Set("a:lock", 1, nx: true, px: "10s")"#,
        r#"Transaction([Del("a:lock"), CompareAndDelete("b", 1)])"#,
        r#"Del("a:locks")"#,
    ] {
        assert_eq!(intruder("5s", command).verdict, Kept, "{command}");
    }
}

#[test]
fn a_lock_is_held_until_it_expires_or_is_extended_by_who_holds_it() {
    let late = |extend: &str, wait: &str, command: &str| {
        let endpoint = format!(
            r#"Kv({TAKE}, store: "redis", into: "mine"),
            If(Is("{{mine}}"), then: [{extend} Respond(201)]),
            Sleep(Const("{wait}")), Kv({command}, store: "redis")"#
        );
        locker(r#"clicks: 2, apart: "1s","#, &endpoint, LOCKS).verdict
    };
    let set = r#"Set("a:lock", 7, px: "5s")"#;
    let extend = r#"Kv(Expire("a:lock", "20s"), store: "redis"),"#;
    assert_eq!(late("", "8s", set), Violated);
    // Each command takes 100 us. The lock lives through the whole millisecond in which its life ends,
    // for the law as for the store: none of these finds it any more a microsecond later.
    let (set_xx, del) = (r#"Set("a:lock", 7, xx: true, px: "5s")"#, r#"Del("a:lock")"#);
    for command in [set, set_xx, del, r#"Expire("a:lock", "5s")"#] {
        assert_eq!(late("", "9000799us", command), Violated, "{command}");
        assert_eq!(late("", "9000800us", command), Kept, "{command}");
    }
    assert_eq!(late("", "9100ms", set), Kept, "expired");
    assert_eq!(late(extend, "9100ms", set), Violated);
    assert_eq!(late(extend, "19100ms", set), Kept);
    // The store's clock goes back, so the lock is there for longer.
    let back = |command: &str| {
        let endpoint = format!(
            r#"Kv({TAKE}, store: "redis", into: "mine"), If(Is("{{mine}}"), then: [Respond(201)]),
            Sleep(Const("12s")), Kv({command}, store: "redis")"#
        );
        let rest = format!(r#"faults: [At("5s", ClockStep("redis", back: "5s"))], {LOCKS}"#);
        locker(r#"clicks: 2, apart: "1s","#, &endpoint, &rest).verdict
    };
    assert_eq!((back(del), back(r#"Del("b:lock")"#)), (Violated, Kept));
    // Who took the lock over is robbed by the one who held it before.
    let overrun = format!(
        r#"Loop(3, body: [
            Kv({TAKE}, store: "redis", into: "mine"),
            If(Is("{{mine}}"), then: [
                Sleep(Const("10500ms")), Kv(Del("a:lock"), store: "redis"), Respond(201),
            ]),
            Sleep(Const("9200ms")),
        ])"#
    );
    assert_eq!(locker(r#"clicks: 2, apart: "1s","#, &overrun, LOCKS).verdict, Violated);
    let own = overrun.replace(r#"Del("a:lock")"#, r#"CompareAndDelete("a:lock", "{execution}")"#);
    assert_eq!(locker(r#"clicks: 2, apart: "1s","#, &own, LOCKS).verdict, Kept);
}

#[test]
fn what_is_stored_as_an_answer_has_a_known_outcome() {
    let rest = r#"invariants: [StoredIsKnown("redis")]"#;
    let judge = |command: &str| locker("", &commands(&[command]), rest);
    let store = |record: &str| judge(&format!(r#"Set("k", {record}, ex: "24h")"#));
    let found = store(r#"{"state": "done", "answer": {"status": 503, "body": "sorry"}}"#);
    assert_eq!(found.first.as_ref().unwrap().intent.as_deref(), Some("users-1"));
    assert_eq!(
        witness(found),
        "users-1 stored {state: done, answer: {status: 503, body: sorry}} under k \
         while its outcome is open"
    );
    for status in [408, 409, 425, 429, 500, 504, 599] {
        assert_eq!(store(&format!(r#"{{"status": {status}}}"#)).verdict, Violated, "{status}");
    }
    for status in [200, 201, 400, 402, 404, 422] {
        assert_eq!(store(&format!(r#"{{"status": {status}}}"#)).verdict, Kept, "{status}");
    }
    assert_eq!(store(r#"{"state": "done", "fate": "unknown"}"#).verdict, Violated);
    assert_eq!(store(r#"{"state": "pending", "fate": "unknown"}"#).verdict, Kept);
    assert_eq!(store(r#"{"state": "done", "fate": "failed"}"#).verdict, Kept);
    assert_eq!(judge(r#"HSet("k", "status", 503)"#).verdict, Violated);
    assert_eq!(judge(r#"HSet("k", "status", 201)"#).verdict, Kept);
    assert_eq!(judge(r#"HSet("k", "answer", {"status": 503})"#).verdict, Violated);
    assert_eq!(judge(r#"LPush("k", {"status": 503})"#).verdict, Violated);
    // What says nothing of an outcome is not judged, and neither is what was not stored.
    assert_eq!(store(r#"{"result": "charge-1"}"#).verdict, Vacuous);
    assert_eq!(store(r#"{"status": "pending"}"#).verdict, Vacuous);
    assert_eq!(store("503").verdict, Vacuous);
    assert_eq!(judge(r#"Set("k", {"status": 503}, xx: true)"#).verdict, Vacuous);
    let undone = r#"Transaction([Set("k", {"status": 503}), CompareAndDelete("b", 1)])"#;
    assert_eq!(judge(undone).verdict, Vacuous);
}

#[test]
fn a_lock_that_its_store_lost_may_be_taken_and_not_freed_by_who_held_it_before() {
    let judge = |free: &str| {
        let endpoint = format!(
            r#"Kv({TAKE}, store: "redis", into: "mine"),
            If(Is("{{mine}}"), then: [Sleep(Const("5s")), {}, Respond(201)]), Respond(409)"#,
            commands(&[free])
        );
        let rest = format!(r#"faults: [At("500ms", Flush("redis"))], {LOCKS}"#);
        locker(r#"clicks: 2, apart: "1s","#, &endpoint, &rest)
    };
    assert_eq!(judge(r#"CompareAndDelete("a:lock", "{execution}")"#).verdict, Kept);
    let told = witness(judge(r#"Del("a:lock")"#));
    assert!(told.starts_with("users-1 deleted a:lock, which another execution holds"), "{told}");
}
