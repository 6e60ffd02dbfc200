//! Laws of actors written in Rust, each told by what a whole run finds.

use proptest::prelude::*;

use super::*;
use crate::outcome::{CallSummary, Counter, Outcome, Verdict};
use crate::strategies::{FaultPlans, seeds};
use crate::{Draft, Scenario};

/// Charges, refunds and fences.
#[derive(Debug)]
struct Bank;

impl CustomActor for Bank {
    fn effects(&self) -> Vec<&str> {
        vec!["charge", "refund"]
    }

    fn on_request(&mut self, ask: Ask, desk: &mut Desk<'_>) {
        let charge = Effect::of("charge");
        let id = match (endpoint(ask, desk).as_str(), ask.body) {
            ("fenced", Value::Int(token)) => {
                desk.effect(Effect { token: Some(token), fenced: true, ..charge }, &ask)
            }
            ("once", _) => desk.effect(Effect { once: ask.key, ..charge }, &ask),
            ("briefly", _) => {
                let keep = Some(Span::secs(1));
                desk.effect(Effect { once: ask.key, keep, ..charge }, &ask)
            }
            ("refund", _) => {
                desk.effect(Effect { undoes: Some("charge"), ..Effect::of("refund") }, &ask)
            }
            _ => desk.effect(charge, &ask),
        };
        let status = if id.is_some() { 201 } else { 412 };
        desk.answer(ask.ticket, status, id.unwrap_or_default(), Span::millis(10));
    }
}

/// Does what its `effects` do not name.
#[derive(Debug)]
struct Thief;

impl CustomActor for Thief {
    fn on_request(&mut self, ask: Ask, desk: &mut Desk<'_>) {
        desk.effect(Effect::of("theft"), &ask);
    }
}

/// Answers with a status of its own.
#[derive(Debug)]
struct Answers(u16);

impl CustomActor for Answers {
    fn on_request(&mut self, ask: Ask, desk: &mut Desk<'_>) {
        desk.answer(ask.ticket, self.0, Value::Nil, Span::ZERO);
    }
}

/// Knows how many requests it has seen in this life, and answers after a second.
#[derive(Debug, Default)]
struct Memory(u32);

impl CustomActor for Memory {
    fn effects(&self) -> Vec<&str> {
        vec!["up", "first", "again"]
    }

    fn on_start(&mut self, desk: &mut Desk<'_>) {
        let errand = desk.errand();
        desk.effect(Effect::of("up"), &errand);
    }

    fn on_request(&mut self, ask: Ask, desk: &mut Desk<'_>) {
        let kind = if self.0 == 0 { "first" } else { "again" };
        self.0 += 1;
        desk.effect(Effect::of(kind), &ask);
        desk.answer(ask.ticket, 200, ask.body, Span::secs(1));
    }
}

/// Wakes every second, and calls whom it may.
#[derive(Debug, Default)]
struct Ticker;

impl CustomActor for Ticker {
    fn effects(&self) -> Vec<&str> {
        vec!["tick", "ahead", "behind"]
    }

    fn on_start(&mut self, desk: &mut Desk<'_>) {
        desk.wake(7, Span::secs(1));
    }

    fn on_request(&mut self, ask: Ask, desk: &mut Desk<'_>) {
        desk.answer(ask.ticket, 200, ask.body, Span::ZERO);
    }

    fn on_wake(&mut self, token: u64, desk: &mut Desk<'_>) {
        assert_eq!(token, 7);
        let errand = desk.errand();
        let steady = i64::try_from(desk.now().as_nanos() / 1_000_000).unwrap();
        let kind = match desk.clock_ms() - steady {
            0 => "tick",
            1.. => "ahead",
            _ => "behind",
        };
        desk.effect(Effect::of(kind), &errand);
        self.on_start(desk);
    }
}

/// Hands a request on, and its answer back; with a `chain` of several it asks them in turn. A
/// token says how many are left.
#[derive(Debug)]
struct Proxy {
    chain: Vec<String>,
}

impl CustomActor for Proxy {
    fn on_request(&mut self, ask: Ask, desk: &mut Desk<'_>) {
        desk.call(&self.chain[0], self.chain.len() as u64 - 1, ask);
    }

    fn on_answer(&mut self, answer: Answer, desk: &mut Desk<'_>) {
        match (answer.ending, answer.fate) {
            (Ending::Status(_), Fate::Succeeded) if answer.token > 0 => {
                let next = self.chain.len() - answer.token as usize;
                desk.call(&self.chain[next], answer.token - 1, answer.ask);
            }
            (Ending::Status(status), Fate::Succeeded) => {
                desk.answer(answer.ask.ticket, status, answer.body, Span::ZERO);
            }
            (_, Fate::Unknown) => desk.answer(answer.ask.ticket, 504, Value::Nil, Span::ZERO),
            _ => desk.answer(answer.ask.ticket, 409, Value::Nil, Span::ZERO),
        }
    }
}

/// Answers twice.
#[derive(Debug)]
struct Waverer;

impl CustomActor for Waverer {
    fn on_request(&mut self, ask: Ask, desk: &mut Desk<'_>) {
        desk.answer(ask.ticket, 200, Value::Nil, Span::secs(2));
        desk.answer(ask.ticket, 400, Value::Nil, Span::secs(1));
    }
}

/// Calls again and again, whatever comes.
#[derive(Debug)]
struct Nag;

impl CustomActor for Nag {
    fn on_request(&mut self, ask: Ask, desk: &mut Desk<'_>) {
        desk.call("to", 0, ask);
    }

    fn on_answer(&mut self, answer: Answer, desk: &mut Desk<'_>) {
        desk.call("to", answer.token + 1, answer.ask);
    }
}

fn endpoint(ask: Ask, desk: &mut Desk<'_>) -> String {
    desk.texts().show(ask.endpoint)
}

/// A run of ten seconds, or of as many as its horizon says.
fn draft(actors: &str, rest: &str) -> Draft {
    let text = format!(
        r#"Scenario(
            name: "own", about: "", horizon: "20s", actors: {{ {actors} }},
            policies: {{
                "patient": [Retry(attempts: 4, backoff: Constant("1s")), Timeout("2s")],
                "hasty": [Timeout("100ms")],
                "closed": [Bulkhead(limit: 1)],
                "deadline": [Deadline("500ms")],
            }},
            {rest}
        )"#
    );
    let kinds = Kinds::new()
        .with("bank", |_| Ok(Box::new(Bank)))
        .with("thief", |_| Ok(Box::new(Thief)))
        .with("answers", |config| {
            Ok(Box::new(Answers(config["status"].parse().map_err(|_| "no number")?)))
        })
        .with("memory", |_| Ok(Box::new(Memory::default())))
        .with("ticker", |_| Ok(Box::new(Ticker)))
        .with("waverer", |_| Ok(Box::new(Waverer)))
        .with("nag", |_| Ok(Box::new(Nag)))
        .with("proxy", |config| {
            let chain = config.get("chain").map_or("to", String::as_str);
            Ok(Box::new(Proxy { chain: chain.split(',').map(str::to_owned).collect() }))
        });
    Scenario::text("own.ron", text).kinds(kinds)
}

fn run(actors: &str, rest: &str) -> Outcome {
    draft(actors, rest).run().unwrap_or_else(|error| panic!("{error}"))
}

/// What is wrong with a scenario, as it is shown.
fn mistakes(actors: &str, rest: &str) -> String {
    draft(actors, rest).load().map(|_| ()).expect_err("this is refused").to_string()
}

/// One user who does these steps at the beginning, and another actor.
fn user(does: &str, other: &str) -> String {
    format!(r#""user": Client(load: Burst(count: 1), does: [{does}]), {other}"#)
}

fn count(outcome: &Outcome, effect: &str) -> u64 {
    outcome.effect(effect).map_or(0, |effect| effect.count)
}

fn users(outcome: &Outcome, counter: Counter) -> u64 {
    outcome.actor("user").and_then(|user| user.counter(counter)).expect("a user")
}

/// When the effects of a kind happened, in milliseconds.
fn times(outcome: &Outcome, kind: &str) -> Vec<u64> {
    let of_kind = outcome.ledger.iter().filter(|line| line.kind == kind);
    of_kind.map(|line| line.at.as_nanos() / 1_000_000).collect()
}

/// How long the user's one submission took, in milliseconds.
fn took(outcome: &Outcome) -> u64 {
    let user = outcome.actor("user").expect("a user");
    let latency = user.latency.or(user.latency_failed).expect("it has ended");
    latency.max.as_nanos() / 1_000_000
}

fn hop<'a>(outcome: &'a Outcome, from: &str, to: &str) -> &'a CallSummary {
    outcome.call(from, to).unwrap_or_else(|| panic!("{from} never calls {to}"))
}

// Effects.

#[test]
fn invariants_see_the_effects_of_an_own_actor() {
    let lost = r#"faults: [At("0s", for: "5ms", Loss(from: "bank", to: "user", rate: 1.0)),
        At("0s", for: "1s", Loss(from: "bank", to: "user", rate: 1.0))],
        invariants: [ExactlyOnce("charge")],"#;
    let calls = |endpoint| {
        user(&format!(r#"Call("bank.{endpoint}", policy: "patient")"#), r#""bank": Custom("bank")"#)
    };
    let twice = run(&calls("each"), lost);
    assert_eq!(twice.verdict, Verdict::Violated);
    assert_eq!(twice.effect("charge").unwrap().duplicated, 1);
    assert_eq!(twice.ledger[0].actor, "bank");
    let once = run(&calls("once"), lost);
    assert_eq!(once.verdict, Verdict::Kept);
    assert_eq!(once.effect("charge").unwrap().deduplicated, 1);
}

#[test]
fn an_effect_forgets_its_key_takes_back_and_refuses_a_stale_token() {
    let bank = r#""bank": Custom("bank")"#;
    let sent = |endpoint: &str, body: u32| {
        format!(r#"Call("bank.{endpoint}", body: {body}), Sleep(Const("2s")),"#)
    };
    let briefly = run(&user(&(sent("briefly", 0) + &sent("briefly", 0)), bank), "");
    assert_eq!(count(&briefly, "charge"), 2);
    let once = run(&user(&(sent("once", 0) + &sent("once", 0)), bank), "");
    assert_eq!(count(&once, "charge"), 1);
    let back = run(&user(&(sent("each", 0) + &sent("refund", 0)), bank), "");
    assert_eq!(back.effect("charge").unwrap().refunded, 1);
    let fenced = run(&user(&(sent("fenced", 2) + &sent("fenced", 1)), bank), "");
    assert_eq!((count(&fenced, "charge"), users(&fenced, Counter::Failed)), (1, 1));
    let risen = run(&user(&(sent("fenced", 1) + &sent("fenced", 2)), bank), "");
    assert_eq!((count(&risen, "charge"), users(&risen, Counter::Succeeded)), (2, 1));
}

#[test]
fn an_effect_that_was_not_named_is_a_mistake_of_the_program() {
    let outcome = run(&user(r#"Call("thief.take")"#, r#""thief": Custom("thief")"#), "");
    assert_eq!(broken_off(&outcome), "`thief` does `theft`, which its `effects` do not name");
}

fn broken_off(outcome: &Outcome) -> String {
    let limit = outcome.limit.as_ref().expect("the run ends early");
    assert_eq!((limit.name(), outcome.verdict), ("mistaken", Verdict::Invalid));
    limit.to_string()
}

#[test]
fn a_status_that_is_none_is_a_mistake_of_the_program() {
    for status in ["0", "99", "600", "9999"] {
        let actors = user(
            r#"Call("own.ask")"#,
            &format!(r#""own": Custom("answers", config: {{"status": "{status}"}})"#),
        );
        let wanted = format!("`own` answers with the status {status}; a status is 100..=599");
        assert_eq!(broken_off(&run(&actors, "")), wanted);
    }
}

#[test]
fn a_call_without_a_key_to_an_own_actor_with_effects_is_not_repeated() {
    let lost = r#"faults: [At("0s", for: "1s", Loss(from: "own", to: "api", rate: 1.0))],"#;
    let of = |kind: &str, key: &str| {
        let api = format!(
            r#""api": Service(workers: 1, endpoints: {{
                "pay": [Call("own.each", policy: "patient", {key})],
            }}), "own": Custom("{kind}")"#
        );
        let outcome = run(&user(r#"Call("api.pay")"#, &api), lost);
        hop(&outcome, "api", "own").retries
    };
    assert_eq!(of("bank", ""), 0, "it may charge twice");
    assert_eq!(of("bank", r#"key: "k""#), 1);
    assert_eq!(of("bank", "idempotent: true"), 1);
    assert_eq!(of("ticker", ""), 0, "it has effects, whatever they are");
    let through = |call: &str| {
        format!(
            r#""api": Service(workers: 1, endpoints: {{
                "pay": [Call("proxy.pay", policy: "patient")],
            }}),
            "proxy": Custom("proxy", calls: {{"to": {call}}}), "bank": Custom("bank")"#
        )
    };
    let lost = r#"faults: [At("0s", for: "1s", Loss(from: "proxy", to: "api", rate: 1.0))],"#;
    let retries = |call: &str| {
        let outcome = run(&user(r#"Call("api.pay")"#, &through(call)), lost);
        hop(&outcome, "api", "proxy").retries
    };
    assert_eq!(retries(r#"Call("bank.each")"#), 0, "what it calls has effects");
    assert_eq!(retries(r#"Call("bank.each", idempotent: true)"#), 1);
}

#[test]
fn the_first_answer_to_a_request_counts() {
    let outcome = run(&user(r#"Call("own.ask")"#, r#""own": Custom("waverer")"#), "");
    assert_eq!((users(&outcome, Counter::Succeeded), took(&outcome)), (1, 2_000));
}

// Faults.

#[test]
fn a_slow_own_actor_answers_later_and_wakes_as_before() {
    let slow = r#"faults: [At("0s", Slow("own", factor: 3.0))],"#;
    let memory = user(r#"Call("own.ask")"#, r#""own": Custom("memory")"#);
    assert_eq!((took(&run(&memory, "")), took(&run(&memory, slow))), (1_000, 3_000));
    let ticker = user(r#"Call("own.ask")"#, r#""own": Custom("ticker")"#);
    assert_eq!(times(&run(&ticker, slow), "tick")[..2], [1_000, 2_000]);
}

#[test]
fn what_comes_to_a_paused_own_actor_waits() {
    let pause = |at: &str| format!(r#"faults: [At("{at}", for: "5s", Pause("own"))],"#);
    let memory = user(r#"Sleep(Const("1s")), Call("own.ask")"#, r#""own": Custom("memory")"#);
    let before = run(&memory, &pause("500ms"));
    assert_eq!(times(&before, "first"), [5_500], "a request waits");
    let between = run(&memory, &pause("1500ms"));
    assert_eq!((times(&between, "first"), took(&between)), (vec![1_000], 6_500), "so does a reply");
    let ticker = user(r#"Call("own.ask")"#, r#""own": Custom("ticker")"#);
    assert_eq!(times(&run(&ticker, &pause("500ms")), "tick")[..2], [5_500, 6_500]);
    let proxy = user(
        r#"Call("own.ask")"#,
        r#""own": Custom("proxy", calls: {"to": Call("next.ask")}), "next": Custom("memory")"#,
    );
    assert_eq!(took(&run(&proxy, &pause("500ms"))), 5_500, "and the answer to its call");
}

#[test]
fn an_own_actor_that_is_down_refuses_and_goes_on_of_its_own_accord() {
    let outage = r#"faults: [At("0s", for: "5s", Outage("own"))],"#;
    let ticker = user(r#"Call("own.ask")"#, r#""own": Custom("ticker")"#);
    let outcome = run(&ticker, outage);
    assert_eq!((users(&outcome, Counter::Failed), took(&outcome)), (1, 0));
    assert_eq!(times(&outcome, "tick")[..2], [1_000, 2_000]);
    let memory = user(r#"Call("own.ask")"#, r#""own": Custom("memory")"#);
    let meanwhile = run(&memory, r#"faults: [At("500ms", Outage("own"))],"#);
    assert_eq!(took(&meanwhile), 1_000, "what was asked before is answered");
}

#[test]
fn an_own_actor_suffers_the_faults_of_its_messages() {
    let memory = user(r#"Call("own.ask", policy: "patient")"#, r#""own": Custom("memory")"#);
    let asked = |fault: &str| {
        let outcome = run(&memory, &format!(r#"faults: [At("0s", for: "1s", {fault})],"#));
        (count(&outcome, "first") + count(&outcome, "again"), took(&outcome))
    };
    assert_eq!(asked(r#"Errors("own", status: 503)"#), (1, 2_000), "refused, and asked again");
    assert_eq!(asked(r#"Hang("own")"#), (1, 4_000), "swallowed, and asked again");
    assert_eq!(asked(r#"BlackHole("own")"#), (1, 4_000));
    assert_eq!(asked(r#"Partition("user", "own")"#), (1, 4_000));
    assert_eq!(asked(r#"Loss("user", "own", 1.0)"#), (1, 4_000));
    assert_eq!(asked(r#"Duplicate("user", "own", 1.0)"#), (2, 1_000), "each is a request");
    assert_eq!(asked(r#"Delay("user", "own", "500ms")"#), (1, 1_500));
}

#[test]
fn an_own_actor_reads_its_own_clock() {
    let ticker = user(r#"Call("own.ask")"#, r#""own": Custom("ticker")"#);
    let set = |way: &str| {
        let fault = format!(r#"faults: [At("1500ms", for: "1s", ClockStep("own", {way}: "1h"))],"#);
        let outcome = run(&ticker, &fault);
        (count(&outcome, "ahead"), count(&outcome, "behind"))
    };
    assert_eq!((set("forward"), set("back")), ((1, 0), (0, 1)));
}

#[test]
fn a_crash_makes_an_own_actor_forget_and_breaks_what_it_holds() {
    let memory = user(
        r#"Call("own.ask"), Call("own.ask", policy: "patient"), Call("own.ask")"#,
        r#""own": Custom("memory")"#,
    );
    let outcome = run(&memory, r#"faults: [At("1500ms", for: "2s", Crash("own"))],"#);
    assert_eq!(times(&outcome, "up"), [0, 3_500], "it starts again");
    // The second call is reset at 1.5 s, refused at 2.5 s, and served at 3.5 s or after it.
    assert_eq!(times(&outcome, "first"), [0, 3_500], "it knows of nothing");
    assert_eq!(times(&outcome, "again"), [1_000, 4_500]);
    assert_eq!((users(&outcome, Counter::Succeeded), took(&outcome)), (1, 5_500));
}

#[test]
fn a_reply_that_was_due_is_lost_in_a_crash() {
    let memory = user(r#"Call("own.ask")"#, r#""own": Custom("memory")"#);
    let outcome = run(&memory, r#"faults: [At("500ms", for: "100ms", Crash("own"))],"#);
    assert_eq!((users(&outcome, Counter::Unknown), took(&outcome)), (1, 500), "it is reset");
}

#[test]
fn wake_ups_and_calls_of_an_earlier_life_are_void() {
    let ticker = user(r#"Call("own.ask")"#, r#""own": Custom("ticker")"#);
    let outcome = run(&ticker, r#"faults: [At("1500ms", for: "100ms", Crash("own"))],"#);
    assert_eq!(times(&outcome, "tick")[..3], [1_000, 2_600, 3_600]);
    let proxy = user(
        r#"Call("own.ask")"#,
        r#""own": Custom("proxy", calls: {"to": Call("next.ask")}), "next": Custom("memory")"#,
    );
    let outcome = run(&proxy, r#"faults: [At("500ms", for: "100ms", Crash("own"))],"#);
    assert_eq!((users(&outcome, Counter::Unknown), took(&outcome)), (1, 500));
    assert_eq!(hop(&outcome, "own", "next").abandoned, 1, "nobody is there to hear of it");
}

#[test]
fn an_own_actor_that_two_faults_hold_down_is_up_after_the_last() {
    let ticker = user(r#"Call("own.ask")"#, r#""own": Custom("ticker")"#);
    let outcome = run(
        &ticker,
        r#"faults: [At("1500ms", for: "2s", Crash("own")), At("2s", for: "3s", Crash("own"))],"#,
    );
    assert_eq!(times(&outcome, "tick")[..2], [1_000, 6_000]);
    let for_good = run(&ticker, r#"faults: [At("1500ms", Crash("own"))],"#);
    assert_eq!(times(&for_good, "tick"), [1_000]);
}

#[test]
fn what_its_policies_know_an_own_actor_forgets_in_a_crash() {
    let actors = r#"
        "user": Client(load: Open(rate: "10/s", arrivals: Constant), does: [Call("own.ask")]),
        "own": Custom("proxy", calls: {"to": Call("next.ask", policy: "breaker")}),
        "next": Service(workers: 9, endpoints: { "ask": [Fail(500)] })"#;
    let breaker = r#"variants: {}, window: "1s","#;
    let opened = |crash: &str| {
        let draft = draft(actors, &format!("{breaker} {crash}"));
        let breaker = r#"[Breaker(Resilience4j(
            minimum_number_of_calls: 5, wait_duration_in_open_state: "1h",
        ))]"#;
        let outcome = draft.set("policies.breaker", breaker).run().unwrap();
        hop(&outcome, "own", "next").attempts
    };
    let once = opened("");
    assert_eq!(opened(r#"faults: [At("5s", for: "1s", Crash("own"))],"#), 2 * once);
}

#[test]
fn what_cannot_hit_an_own_actor_is_refused_at_its_place() {
    let memory = user(r#"Call("own.ask")"#, r#""own": Custom("memory")"#);
    for (fault, wanted) in [
        (r#"At("1s", Crash("own", instance: 0))"#, "`own` is one process; leave `instance` out"),
        (r#"At("1s", Slow("own", factor: 2.0, instance: 0))"#, "`own` is one process"),
        (r#"At("1s", Flush("own"))"#, "`own` is no store, and no service with caches"),
        (r#"At("1s", Evict("own"))"#, "`own` is no store"),
        (r#"At("1s", OutOfMemory("own"))"#, "`own` is no store"),
        (r#"At("1s", Failover("own"))"#, "`own` is no store"),
        (r#"After("own.ask/point", Throw(500))"#, "an actor written in Rust passes no points"),
    ] {
        let told = mistakes(&memory, &format!("faults: [{fault}],"));
        assert!(told.contains(wanted), "{fault}: {told}");
    }
}

// Calls.

#[test]
fn an_own_actor_calls_services_and_its_like_through_its_policies() {
    let actors = user(
        r#"Call("a.ask", into: "id"), Call("check.it", body: "{id}")"#,
        r#""a": Custom("proxy", calls: {"to": Call("b.ask")}),
           "b": Custom("proxy", config: {"chain": "risk,bank"}, calls: {
               "risk": Call("risk.look", policy: "patient"), "bank": Call("bank.once"),
           }),
           "risk": Service(workers: 1, endpoints: { "look": [Work(Const("10ms"))] }),
           "bank": Custom("bank"),
           "check": Service(workers: 1, endpoints: { "it": [
               If(Eq("{body}", "charge-1"), then: [Respond(200)], else: [Fail(500)]),
           ] })"#,
    );
    let rest = r#"faults: [At("0s", for: "1s", Errors("risk", status: 503))],
        invariants: [ExactlyOnce("charge"), AllAnswered],"#;
    let outcome = run(&actors, rest);
    assert_eq!((outcome.verdict, users(&outcome, Counter::Succeeded)), (Verdict::Kept, 1));
    let risk = hop(&outcome, "b", "risk");
    assert_eq!((risk.calls, risk.attempts, risk.success), (1, 2, 1));
    assert_eq!(outcome.effect("charge").unwrap().intents, 1, "it is the user's, four hops on");
}

#[test]
fn an_own_actor_hears_whatever_came_of_its_call() {
    let with = |policy: &str, fault: &str| {
        let own = format!(
            r#""own": Custom("proxy", calls: {{"to": Call("next.ask", policy: "{policy}")}}),
            "next": Custom("memory")"#
        );
        let outcome = run(&user(r#"Call("own.ask")"#, &own), fault);
        (hop(&outcome, "own", "next").clone(), users(&outcome, Counter::Failed), took(&outcome))
    };
    let (next, _, took) = with("hasty", "");
    assert_eq!((next.unknown, took), (1, 100), "a timeout");
    let (next, failed, took) = with("hasty", r#"faults: [At("0s", Outage("next"))],"#);
    assert_eq!((next.failed, failed, took), (1, 1, 0), "a refusal");
    let faults = r#"faults: [
        At("0s", for: "2s", Loss(from: "next", to: "own", rate: 1.0)), At("2s", Outage("next")),
    ],"#;
    let (next, failed, _) = with("patient", faults);
    assert_eq!((next.unknown, failed), (1, 0), "refused, after an attempt in doubt");
    let (next, ..) = with("patient", r#"faults: [At("0s", for: "1s", Outage("next"))],"#);
    assert_eq!((next.success, next.retries), (1, 1));
    let own = r#""own": Custom("nag", calls: {"to": Call("next.ask", policy: "closed")}),
        "next": Custom("memory")"#;
    let two = user(r#"Parallel([[Call("own.ask")], [Call("own.ask")]])"#, own);
    let outcome = draft(&two, "").set("limits", "Limits(steps: 5000)").run().unwrap();
    assert_eq!(outcome.verdict, Verdict::Invalid, "who never waits meets the limit");
    assert!(hop(&outcome, "own", "next").rejected[0].1 > 1_000, "a policy's refusal");
}

#[test]
fn a_deadline_travels_through_an_own_actor() {
    let own =
        r#""own": Custom("proxy", calls: {"to": Call("next.ask")}), "next": Custom("memory")"#;
    let outcome = run(&user(r#"Call("own.ask", policy: "deadline")"#, own), "");
    assert_eq!(hop(&outcome, "own", "next").unknown, 1, "its call ended at the deadline");
}

#[test]
fn another_call_leaves_a_call_its_luck() {
    let of = |chain: &str| {
        let actors = format!(
            r#""user": Client(load: Burst(count: 200), does: [Call("own.ask")]),
            "own": Custom("proxy", config: {{"chain": "{chain}"}}, calls: {{
                "bank": Call("bank.once"), "other": Call("other.ask"),
            }}),
            "other": Custom("bank"), "bank": Custom("bank")"#
        );
        let links =
            r#"links: [Link(from: "own", to: "bank", latency: Exponential("10ms"), loss: 0.3)],"#;
        let mut lost = Vec::new();
        let outcome = run(&actors, links);
        for line in outcome.log.iter().filter(|line| line.who == "own->bank") {
            lost.push((line.intent.clone(), line.what.clone()));
        }
        lost.sort();
        (lost, outcome.actor("user").and_then(|user| user.latency).map(|latency| latency.max))
    };
    let (alone, second) = (of("bank"), of("other,bank"));
    assert!(alone.0.len() > 50);
    assert_eq!(alone, of("bank"), "the same seed");
    assert_eq!(alone.0, second.0);
}

#[test]
fn calls_for_one_request_have_luck_of_their_own_by_their_tokens() {
    let actors = r#""user": Client(load: Burst(count: 200), does: [Call("own.ask")]),
        "own": Custom("proxy", config: {"chain": "bank,bank"}, calls: {"bank": Call("bank.once")}),
        "bank": Custom("bank")"#;
    let outcome = run(actors, r#"links: [Link(from: "own", to: "bank", loss: 0.2)],"#);
    let calls = hop(&outcome, "own", "bank");
    let again = calls.calls - 200;
    assert!(again > 50 && calls.success < 2 * again, "some second ones are lost: {calls:?}");
}

#[test]
fn an_errand_is_nobodys_and_each_has_luck_of_its_own() {
    let actors = r#""user": Client(load: Burst(count: 1), does: [Call("own.ask")]),
        "own": Custom("ticker")"#;
    let outcome = run(actors, "");
    assert_eq!(outcome.ledger[0].intent, "own");
    let nag = r#""user": Client(load: Burst(count: 1), does: [Call("caller.ask")]),
        "caller": Custom("poller", calls: {"to": Call("next.ask", policy: "hasty")}),
        "next": Custom("bank")"#;
    #[derive(Debug)]
    struct Poller;
    impl CustomActor for Poller {
        fn on_start(&mut self, desk: &mut Desk<'_>) {
            desk.wake(0, Span::millis(50));
        }
        fn on_request(&mut self, ask: Ask, desk: &mut Desk<'_>) {
            desk.answer(ask.ticket, 200, Value::Nil, Span::ZERO);
        }
        fn on_wake(&mut self, _: u64, desk: &mut Desk<'_>) {
            let errand = desk.errand();
            // An errand's ticket answers nobody.
            desk.answer(errand.ticket, 200, Value::Nil, Span::ZERO);
            desk.call("to", 0, errand);
            self.on_start(desk);
        }
    }
    let kinds =
        Kinds::new().with("poller", |_| Ok(Box::new(Poller))).with("bank", |_| Ok(Box::new(Bank)));
    let links = r#"links: [Link(from: "caller", to: "next", loss: 0.3)],"#;
    let outcome = draft(nag, links).kinds(kinds).run().unwrap();
    let polled = hop(&outcome, "caller", "next");
    assert_eq!(polled.calls, 400);
    assert!((100..300).contains(&polled.success), "{polled:?}");
}

#[test]
fn a_call_of_an_own_actor_is_checked_at_its_place() {
    let own = |call: &str| {
        user(
            r#"Call("own.ask")"#,
            &format!(
                r#""own": Custom("proxy", calls: {{"to": {call}}}),
                "api": Service(workers: 1, endpoints: {{ "ask": [] }}), "redis": Kv()"#
            ),
        )
    };
    for (call, wanted) in [
        (r#"Call("api.aks")"#, "`api` has no endpoint `aks`; did you mean `api.ask`?"),
        (r#"Call("redis.get")"#, "`redis` is a store"),
        (r#"Call("user.x")"#, "`user` is a client; nobody can call it"),
        (r#"Call("api.ask", policy: "pateint")"#, "did you mean `patient`?"),
        (r#"Call("api.ask", into: "x")"#, "the answer goes to `own` itself"),
        (r#"Call("api.ask", status_into: "x")"#, "the answer goes to `own` itself"),
        (r#"Call("api.ask", headers_into: "x")"#, "the answer goes to `own` itself"),
        (r#"Call("api.ask", key: "{nothing}")"#, "nothing"),
    ] {
        let told = mistakes(&own(call), "");
        assert!(told.contains(wanted), "{call}: {told}");
    }
    let both = user(
        r#"Call("own.ask")"#,
        r#""own": Custom("prxoy"), "api": Service(workers: 0, endpoints: {})"#,
    );
    let told = mistakes(&both, "");
    assert!(told.contains("unknown kind of actor `prxoy`") && told.contains("workers"), "{told}");
}

#[test]
fn a_call_that_the_scenario_does_not_give_is_a_mistake_of_the_program() {
    let outcome = run(&user(r#"Call("own.ask")"#, r#""own": Custom("proxy")"#), "");
    assert_eq!(broken_off(&outcome), "`own` calls `to`, which its `calls` do not name");
}

// Everything at once.

fn shop() -> Scenario {
    let actors = r#""user": Client(
            load: Open(rate: "2/s", until: "8s"),
            does: [Call("own.ask", policy: "patient")],
        ),
        "own": Custom("proxy", config: {"chain": "memory,bank"}, calls: {
            "memory": Call("memory.ask", policy: "patient"),
            "bank": Call("bank.once", policy: "patient"),
        }),
        "memory": Custom("memory"), "bank": Custom("bank"), "ticker": Custom("ticker")"#;
    let draft = draft(actors, r#"invariants: [AtMostOnce("charge")],"#);
    draft.set("horizon", "60s").load().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None, ..ProptestConfig::with_cases(200)
    })]

    /// A paused actor's timers wait with it, so its calls may be open at the end.
    #[test]
    fn whatever_happens_calls_of_own_actors_are_conserved_and_a_key_charges_once(
        seed in seeds(),
        faults in FaultPlans::of(&shop())
            .only(|fault| !matches!(fault, crate::language::Fault::Pause { .. }))
            .strategy(),
    ) {
        let outcome = faults.strike(&shop()).run(seed);
        prop_assert_ne!(outcome.verdict, Verdict::Violated);
        for call in outcome.calls.iter().filter(|call| call.from == "own") {
            let ended = call.success + call.failed + call.unknown + call.abandoned;
            prop_assert_eq!(call.calls, ended, "{:?}", call);
        }
        prop_assert_eq!(outcome.digest, faults.strike(&shop()).run(seed).digest);
    }

    #[test]
    fn whatever_happens_nothing_panics(
        seed in seeds(),
        faults in FaultPlans::of(&shop()).strategy(),
    ) {
        prop_assert_ne!(faults.strike(&shop()).run(seed).verdict, Verdict::Violated);
    }
}

#[test]
fn random_faults_find_own_actors() {
    let drawn = format!("{:?}", FaultPlans::of(&shop()));
    for fault in ["Crash", "Outage", "Pause", "Errors", "Hang", "Slow", "BlackHole", "ClockStep"] {
        assert!(drawn.contains(&format!(r#"{fault} {{ actor: "bank""#)), "{fault}: {drawn}");
    }
    assert!(drawn.contains(r#"Loss { from: "own", to: "bank""#), "{drawn}");
}
