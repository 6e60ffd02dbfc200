//! Every invariant, broken: when, and by which line of the story.

use std::collections::BTreeSet;

use sim_models::Scenario;
use sim_models::language::words;

use crate::text::Style;

use super::{Depth, View};

const VIEW: View = View { style: Style::plain(), depth: Depth::Figures };

/// A run that breaks a promise, and what the report must say of it.
struct Case {
    actors: &'static str,
    rest: &'static str,
    invariant: &'static str,
    /// When it breaks.
    at: &'static str,
    /// The marked line.
    line: &'static str,
    /// Lines of the other intent, where two take part.
    beside: &'static [&'static str],
}

/// A case of one intent, or of none.
const fn case(
    actors: &'static str,
    invariant: &'static str,
    at: &'static str,
    line: &'static str,
) -> Case {
    Case { actors, rest: "", invariant, at, line, beside: &[] }
}

const fn with(rest: &'static str, case: Case) -> Case {
    Case { rest, ..case }
}

const fn beside(lines: &'static [&'static str], case: Case) -> Case {
    Case { beside: lines, ..case }
}

/// A shop with one endpoint and a store, and users who buy.
macro_rules! shop {
    ($client:literal, $endpoint:literal) => {
        concat!(
            r#""users": Client("#,
            $client,
            r#"),
            "shop": Service(workers: 9, endpoints: { "buy": ["#,
            $endpoint,
            r#"] }),
            "psp": Service(workers: 9, endpoints: { "charge": [Sleep(Const("5s"))] }),
            "redis": Kv(service_time: Const("0s")),"#,
        )
    };
}

/// One user who buys once.
macro_rules! one {
    ($endpoint:literal) => {
        shop!(r#"load: Burst(count: 1), does: [Call("shop.buy")]"#, $endpoint)
    };
}

/// One user who clicks twice.
macro_rules! two_clicks {
    ($endpoint:literal) => {
        shop!(
            r#"load: Burst(count: 1), clicks: 2, apart: "2s", does: [Call("shop.buy")]"#,
            $endpoint
        )
    };
}

/// Two users a second apart who come up with the same key.
macro_rules! two_users {
    ($endpoint:literal) => {
        shop!(
            r#"load: Open(rate: "1/s", arrivals: Constant, until: "1500ms"),
            does: [Call("shop.buy", key: "k")]"#,
            $endpoint
        )
    };
}

/// A user a second.
macro_rules! steady {
    ($endpoint:literal) => {
        shop!(
            r#"load: Open(rate: "1/s", arrivals: Constant), does: [
                Call("shop.buy", policy: "guarded"),
            ]"#,
            $endpoint
        )
    };
}

const BREAKER: &str =
    r#"policies: { "guarded": [Breaker(Consecutive(failures: 3), open_for: "100s")] },"#;
const PLAIN: &str = r#"policies: { "guarded": [] },"#;

fn cases() -> Vec<Case> {
    vec![
        // Money.
        case(
            two_clicks!(r#"Effect("charge")"#),
            r#"ExactlyOnce("charge")"#,
            "2s",
            "shop: charge-2",
        ),
        case(two_clicks!(r#"Effect("charge")"#), r#"AtMostOnce("charge")"#, "2s", "shop: charge-2"),
        case(
            one!(r#"If(Is("{body}"), then: [Effect("charge")]), Sleep(Const("1s"))"#),
            r#"ExactlyOnce("charge")"#,
            "1s",
            "user: told success",
        ),
        case(
            one!(
                r#"Effect("charge"), Spawn([
                Sleep(Const("5s")), Effect("refund", undoes: "charge"),
            ])"#
            ),
            r#"ExactlyOnce("charge")"#,
            "5s",
            "shop: refund-1",
        ),
        case(
            one!(r#"If(Is("{body}"), then: [Effect("order")]), Sleep(Const("1s"))"#),
            r#"AckedImpliesDone("order")"#,
            "1s",
            "user: told success",
        ),
        case(
            one!(r#"Spawn([Sleep(Const("5s")), Effect("charge")]), Sleep(Const("1s")), Fail(402)"#),
            r#"FailedImpliesNone("charge")"#,
            "5s",
            "shop: charge-1",
        ),
        case(
            one!(r#"Sleep(Const("1s")), Effect("charge"), Sleep(Const("1s")), Fail(402)"#),
            r#"FailedImpliesNone("charge")"#,
            "1s",
            "shop: charge-1",
        ),
        case(
            two_clicks!(r#"Effect("charge", into: "id"), Respond(201, body: "{id}")"#),
            r#"ReceiptMatches("charge")"#,
            "2s",
            "shop: charge-2",
        ),
        case(
            one!(
                r#"Effect("charge", into: "id"), Spawn([
                Sleep(Const("5s")), Effect("refund", undoes: "charge"),
            ]), Respond(201, body: "{id}")"#
            ),
            r#"ReceiptMatches("charge")"#,
            "5s",
            "shop: refund-1",
        ),
        case(
            one!(r#"Effect("charge"), Sleep(Const("1s")), Respond(201, body: "charge-9")"#),
            r#"ReceiptMatches("charge")"#,
            "1s",
            "user: told success",
        ),
        beside(
            &["shop, users-1: charge-1"],
            case(
                two_users!(
                    r#"
                    Effect("charge", once: "{key}", into: "id"), Respond(201, body: "{id}")
                "#
                ),
                r#"ReceiptMatches("charge")"#,
                "1s",
                "user, users-2: told success",
            ),
        ),
        beside(
            &["shop, users-1: charge-1"],
            case(
                two_users!(
                    r#"
                    Effect("charge", once: "{key}", into: "id"), Respond(201, body: "{id}")
                "#
                ),
                r#"NoMerge("charge")"#,
                "1s",
                "user, users-2: gets an answer that names charge-1",
            ),
        ),
        case(
            one!(
                r#"Sleep(Const("1s")), Effect("charge"), If(Is("{body}"), then: [Effect("order")])"#
            ),
            r#"BooksBalance(captured: "charge", fulfilled: "order")"#,
            "1s",
            "shop: charge-1",
        ),
        case(
            one!(
                r#"Effect("charge"), Effect("order"), Spawn([
                Sleep(Const("5s")), Effect("refund"), Sleep(Const("5s")), Label("idle"),
            ])"#
            ),
            r#"BooksBalance(captured: "charge", refunded: "refund", fulfilled: "order")"#,
            "5s",
            "shop: refund-1",
        ),
        case(
            one!(
                r#"Effect("charge"), Sleep(Const("1s")), Effect("refund"), Effect("refund"),
                If(Is("{body}"), then: [Effect("order")])"#
            ),
            r#"BooksBalance(captured: "charge", refunded: "refund", fulfilled: "order")"#,
            "1s",
            "shop: refund-2",
        ),
        case(
            one!(
                r#"Effect("charge"), Sleep(Const("1s")), Effect("refund", undoes: "charge"),
                Sleep(Const("1s")), Effect("charge")"#
            ),
            r#"UndoneStaysUndone("charge")"#,
            "2s",
            "shop: charge-2",
        ),
        // A user who hears of a refund that never comes.
        case(
            shop!(
                r#"load: Burst(count: 1), does: [
                    Call("shop.buy"), Sleep(Const("5s")), Refunded("charge"),
                ]"#,
                r#"Effect("charge")"#
            ),
            r#"ExactlyOnce("charge")"#,
            "5s",
            "user: told that the charge is given back",
        ),
        // Answers.
        case(
            two_clicks!(r#"Effect("charge", into: "id"), Respond(201, body: "{id}")"#),
            r#"EqualReplays("shop.buy")"#,
            "2s",
            "shop.buy: answers charge-2",
        ),
        beside(
            &["user, users-1: submits", "user, users-1: told success"],
            case(
                two_users!(r#"Respond(201, body: "{key} of {intent}")"#),
                r#"EqualReplays("shop.buy")"#,
                "1s",
                "shop.buy, users-2: answers k of 2",
            ),
        ),
        case(
            one!(r#"Sleep(Const("61s"))"#),
            "AllAnswered",
            "60s",
            "user: has no answer at the end",
        ),
        case(
            one!(r#"Fail(409)"#),
            r#"SettlesWithin("20s")"#,
            "20s",
            "user: has nothing final by now",
        ),
        case(
            one!(r#"Kv(Set("k", {"status": 503}), store: "redis")"#),
            r#"StoredIsKnown("redis")"#,
            "0s",
            "redis: stores {status: 503} under k",
        ),
        // Order.
        beside(
            &["user, users-1: submits"],
            case(
                two_users!(r#"Call("psp.charge", key: "{key}")"#),
                r#"OneInFlight("psp.charge")"#,
                "1s",
                "shop, users-2: calls psp.charge",
            ),
        ),
        beside(
            &["user, users-1: submits"],
            case(
                two_users!(
                    r#"
                    Kv(Set("a:lock", "{execution}", nx: true, ex: "10s"), store: "redis", into: "mine"),
                    If(Is("{mine}"), then: [Sleep(Const("5s"))]),
                    Kv(Del("a:lock"), store: "redis")
                "#
                ),
                r#"LockDiscipline("redis")"#,
                "1s",
                "redis, users-2: deletes a:lock",
            ),
        ),
        case(
            one!(r#"Sleep(Const("1s")), Kv(Set("a:lock", 1, nx: true), store: "redis")"#),
            r#"LockDiscipline("redis")"#,
            "1s",
            "redis: keeps a:lock without an expiry",
        ),
        beside(
            &["shop, users-1: charge-1"],
            case(
                two_users!(
                    r#"
                    If(Eq("{intent}", 1), then: [Effect("charge", token: 2, once: "{key}", keep: "1ms")]),
                    If(Eq("{intent}", 2), then: [Effect("charge", token: 1, once: "{key}", keep: "1ms")])
                "#
                ),
                r#"FencingMonotone("charge")"#,
                "1s",
                "shop, users-2: charge-2",
            ),
        ),
        case(
            two_clicks!(r#"Effect("order"), Effect("credit"), Effect("credit")"#),
            r#"AppliedOnce("order", "credit", within: "10s")"#,
            "0s",
            "shop: credit-2",
        ),
        case(
            one!(
                r#"Sleep(Const("1s")), Effect("order"), If(Is("{body}"), then: [Effect("credit")])"#
            ),
            r#"AppliedOnce("order", "credit", within: "10s")"#,
            "11s",
            "shop: no credit for order-1 by now",
        ),
        case(
            one!(
                r#"Effect("order"), Effect("credit"), Sleep(Const("3s")),
                Effect("cancel", undoes: "order")"#
            ),
            r#"AppliedOnce("order", "credit", within: "10s")"#,
            "3s",
            "shop: cancel-1",
        ),
        // Load and policies.
        with(
            r#"policies: { "guarded": [] }, faults: [At("5s", for: "1s", Errors("shop"))],"#,
            case(
                steady!(r#"If(Lt(30, "{intent}"), then: [Fail(402)])"#),
                r#"RecoversWithin("4s")"#,
                "35s",
                "user: told failure",
            ),
        ),
        with(
            PLAIN,
            case(
                steady!(r#"If(Lt(15, "{intent}"), then: [Fail(402)])"#),
                r#"Goodput("users", at_least: 0.9, from: "10s", until: "20s")"#,
                "16s",
                "user: told failure",
            ),
        ),
        with(
            PLAIN,
            case(
                steady!(r#"If(Lt(15, "{intent}"), then: [Sleep(Const("2m"))])"#),
                r#"Goodput("users", at_least: 0.9, from: "10s", until: "20s")"#,
                "60s",
                "users: 5 without an answer at the end",
            ),
        ),
        with(
            PLAIN,
            case(
                steady!(""),
                r#"PeakArrivals("shop", 2, window: "3s")"#,
                "2s",
                "shop: arrival 3 within 3s",
            ),
        ),
        with(
            PLAIN,
            case(
                steady!(r#"Work(Const("100ms"))"#),
                r#"Threshold("p99(users) < 50ms")"#,
                "60s",
                "users: p99(users) < 50ms is broken",
            ),
        ),
        with(
            BREAKER,
            case(
                steady!("Fail(500)"),
                r#"Transitions("users->shop guarded", expect: [("3s", Open)])"#,
                "2s",
                "users->shop guarded: closed -> open: consecutive failures (3, threshold 3)",
            ),
        ),
        with(
            BREAKER,
            case(
                steady!("Fail(500)"),
                r#"Transitions("users->shop guarded", expect: [("1s", Open)])"#,
                "1s",
                "users->shop guarded: does not go open",
            ),
        ),
        with(
            r#"policies: { "guarded": [Retry(attempts: 2)] },"#,
            case(
                steady!(r#"Sleep(Const("100ms")), Fail(503)"#),
                r#"RetryWaits("users->shop", between: [("2s", "3s")])"#,
                "100ms",
                "users->shop: attempt 2 in 1s, after status 503",
            ),
        ),
        with(
            r#"policies: { "guarded": [Retry(attempts: 2)] },"#,
            case(
                steady!("Fail(503)"),
                r#"RetryWaits("users->shop", between: [("1s", "1s"), ("2s", "2s")])"#,
                "60s",
                "users->shop: retry 2 never came",
            ),
        ),
    ]
}

/// What the report has to say of a case, and does not; nothing when all is well.
fn wrong(case: &Case) -> Option<String> {
    let Case { actors, rest, invariant, at, line, beside } = case;
    let text = format!(
        r#"Scenario(
            name: "broken", about: "A promise and a world that breaks it.", horizon: "60s", limits: (grace: "0s"),
            actors: {{ {actors} }}, {rest} invariants: [{invariant}],
        )"#
    );
    let scenario = Scenario::text("broken.ron", &text).load();
    let outcome = scenario.unwrap_or_else(|error| panic!("{error}\n{text}")).run(1);
    let report = super::text(&outcome, "sim run broken.ron", &VIEW);
    let marked = report.lines().filter(|line| line.starts_with("          > "));
    let expected = format!("          > {at:>12}  {line}");
    let is_beside = |line: &&str| report.lines().any(|shown| shown.ends_with(*line));
    let is_well = marked.eq([expected.as_str()])
        && report.contains(&format!("at {at}"))
        && beside.iter().all(is_beside);
    (!is_well).then(|| format!("{invariant}: {expected} beside {beside:?} is not in\n{report}"))
}

#[test]
fn a_broken_promise_is_dated_and_marked_at_the_step_that_broke_it() {
    let wrong: Vec<String> = cases().iter().filter_map(wrong).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_invariant_has_a_case() {
    let cases = cases();
    let have = cases.iter().map(|case| case.invariant.split('(').next().unwrap_or_default());
    let words = words().iter().filter(|word| word.kind == "invariant");
    let wanted: BTreeSet<&str> = words.map(|word| word.name.as_str()).collect();
    assert_eq!(have.collect::<BTreeSet<&str>>(), wanted);
}
