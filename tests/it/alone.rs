//! What runs without anybody waiting for it, and what is undone: spawned steps, jobs, messages,
//! compensations, fences, and faults that hit the very task that passes a point.

use sim_models::outcome::Outcome;

use crate::support::{call, counter, load, mistakes, run_text};

/// One user of one service with a broker, a mailer and a helper; `rest` may add faults and more.
fn world(app: &str, mailer: &str, rest: &str) -> Outcome {
    run_text(&text(app, mailer, rest))
}

fn text(app: &str, mailer: &str, rest: &str) -> String {
    format!(
        r#"Scenario(
            name: "alone", about: "Steps that nobody waits for.", horizon: "60s",
            actors: {{
                "user": Client(load: Burst(count: 1), body: "hello", does: [Call("app.run")]),
                "app": Service(workers: 1, {app}),
                "mailer": Service(workers: 4, endpoints: {{ "take": [{mailer}] }}),
                "events": Broker(queues: {{
                    "orders": Queue(to: ["mailer.take"], visibility: "5s", attempts: 3),
                }}),
                "helper": Service(workers: 1, endpoints: {{
                    "slow": [Work(Const("1s"))],
                    "fail": [Fail(404)],
                }}),
                "db": Kv(),
            }},
            {rest}
        )"#
    )
}

fn runs(steps: &str) -> Outcome {
    world(&format!(r#"endpoints: {{ "run": [{steps}] }}"#), "", "")
}

/// The effects, in order, with the second in which each happened.
fn effects(outcome: &Outcome) -> Vec<String> {
    let told = |line: &sim_models::outcome::LedgerLine| {
        format!("{} {}", line.kind, line.at.as_secs_f64().round())
    };
    outcome.ledger.iter().map(told).collect()
}

#[test]
fn what_follows_a_compensation_undoes_it_in_reverse() {
    let steps = |last: &str| {
        format!(
            r#"Try([
                Effect("charge"), Compensate([Effect("refund", undoes: "charge")]),
                Effect("reserve"), Compensate([Effect("release")]),
                {last}, Effect("ship"),
            ], catch: [If(Eq("{{error.status}}", 404), then: [Effect("told")])])"#
        )
    };
    let undone = runs(&steps(r#"Call("helper.fail")"#));
    assert_eq!(effects(&undone), ["charge 0", "reserve 0", "release 0", "refund 0", "told 0"]);
    let done = runs(&steps(r#"Call("helper.slow")"#));
    assert_eq!(effects(&done), ["charge 0", "reserve 0", "ship 1"]);
}

#[test]
fn only_an_error_compensates() {
    let answered = runs(r#"Effect("charge"), Compensate([Effect("refund")]), Respond(201)"#);
    assert_eq!(effects(&answered), ["charge 0"]);
    let left = runs(r#"Loop(2, [Effect("a"), Compensate([Effect("undo")]), Break]), Effect("b")"#);
    assert_eq!(effects(&left), ["a 0", "b 0"]);
    let earlier = runs(r#"Try([Call("helper.fail"), Compensate([Effect("undo")])], catch: [])"#);
    assert!(effects(&earlier).is_empty(), "what came before it is none of its business");
}

#[test]
fn a_compensation_that_fails_lets_the_outer_ones_run_with_the_new_error() {
    let outcome = runs(
        r#"Try([
            Compensate([If(Eq("{error.status}", 404), then: [Effect("outer")])]),
            Compensate([Call("helper.fail"), Effect("never")]),
            Fail(500),
        ], catch: [])"#,
    );
    assert_eq!(effects(&outcome), ["outer 0"]);
}

#[test]
fn raise_lets_the_caught_error_go_on_past_what_was_caught_meanwhile() {
    let outcome = runs(
        r#"Try([
            Try([Fail(409)], catch: [
                Try([Fail(418)], catch: [Effect("inner")], finally: [Effect("swept")]),
                Raise,
            ], finally: [Effect("outer")]),
            Effect("never"),
        ], catch: [If(Eq("{error.status}", 409), then: [Effect("first")])])"#,
    );
    assert_eq!(effects(&outcome), ["inner 0", "swept 0", "outer 0", "first 0"]);
}

#[test]
fn a_break_out_of_a_catch_leaves_no_trace_of_the_error() {
    let outcome = runs(
        r#"Loop(3, [Try([Fail(409)], catch: [Break])]),
           Try([Fail(418)], catch: [
               Try([If(Eq("{error.status}", 418), then: [Raise])], catch: [Effect("right")]),
           ])"#,
    );
    assert_eq!(effects(&outcome), ["right 0"]);
}

#[test]
fn spawned_steps_go_on_after_the_answer_and_die_with_their_actor() {
    let app = r#"endpoints: { "run": [
        Let("n", 1),
        Spawn([Sleep(Const("2s")), If(Eq("{n}", 1), then: [Effect("later")])]),
        Let("n", 2),
        Spawn([Fail(500)]),
        Effect("now"), Respond(201),
    ] }"#;
    let outcome = world(app, "", "");
    assert_eq!(effects(&outcome), ["now 0", "later 2"], "with the variables of its beginning");
    assert_eq!(counter(&outcome, "user", "succeeded"), 1);
    let crashed = world(app, "", r#"faults: [At("1s", for: "100ms", Crash("app"))]"#);
    assert_eq!(effects(&crashed), ["now 0"]);
}

#[test]
fn a_job_takes_turns_one_run_at_a_time_while_its_service_is_up() {
    let app = |work: &str| {
        format!(
            r#"endpoints: {{ "run": [] }},
            jobs: {{ "sweep": Job(every: "10s", from: "5s", does: [Effect("turn"), {work}]) }}"#
        )
    };
    let outcome = world(&app(""), "", "");
    assert_eq!(effects(&outcome), ["turn 15", "turn 25", "turn 35", "turn 45", "turn 55"]);
    assert_eq!(outcome.ledger[0].intent, "app.sweep");
    let slow = world(&app(r#"Sleep(Const("12s"))"#), "", "");
    assert_eq!(effects(&slow), ["turn 15", "turn 35", "turn 55"], "never two at once");
    let down = r#"faults: [At("20s", for: "20s", Crash("app"))]"#;
    assert_eq!(effects(&world(&app(""), "", down)), ["turn 15", "turn 45", "turn 55"]);
}

#[test]
fn a_job_works_on_behalf_of_the_intent_whose_row_it_finds() {
    let app = r#"
        endpoints: { "run": [
            Kv(Set("todo", {"origin": "{origin}", "client": "{client}"}), store: "db"),
        ] },
        jobs: { "sweep": Job(every: "10s", does: [
            Kv(Get("todo"), store: "db", into: "row"),
            Try([OnBehalfOf("{row.origin}", [Effect("done"), Fail(500)])], catch: []),
            Effect("own"),
        ]) }"#;
    let outcome = world(app, "", r#"invariants: [AllAnswered, AtMostOnce("own")]"#);
    let whose: Vec<(&str, &str)> =
        outcome.ledger[..2].iter().map(|l| (l.kind.as_str(), l.intent.as_str())).collect();
    assert_eq!(whose, [("done", "user-1"), ("own", "app.sweep")], "also after an error in it");
}

const PUBLISHES: &str = r#"endpoints: { "run": [
    Publish("events.orders", key: "order-{intent}", body: "{body}!", into: "id"),
    If(Eq("{id}", "order-1"), then: [Effect("published")]),
] }"#;

#[test]
fn a_message_comes_again_until_it_is_acknowledged() {
    let mailer = r#"Effect("seen"), If(Eq("{body}", "hello!"), then: [
        Effect("inbox", once: "{key}", into: "n"),
        Kv(Incr("tries"), store: "db", into: "tries"),
        If(Lt("{tries}", 2), then: [Fail(500)]),
    ])"#;
    let outcome = world(PUBLISHES, mailer, r#"invariants: [AtMostOnce("inbox")]"#);
    assert_eq!(effects(&outcome), ["published 0", "seen 0", "inbox 0", "seen 5"]);
    assert!(outcome.ledger.iter().all(|line| line.intent == "user-1"), "the publisher's intent");
    assert_eq!(call(&outcome, "events", "mailer").success, 1);
}

#[test]
fn a_message_that_is_never_acknowledged_is_dead_after_its_attempts() {
    let outcome = world(PUBLISHES, r#"Effect("seen"), Fail(500)"#, "");
    assert_eq!(effects(&outcome), ["published 0", "seen 0", "seen 5", "seen 10"]);
    let hop = call(&outcome, "events", "mailer");
    assert_eq!((hop.calls, hop.attempts, hop.failed), (1, 3, 1));
    let dead = outcome.log.iter().find(|line| line.what.contains("dead")).expect("it is told");
    assert_eq!((dead.at.as_secs_f64(), dead.intent.as_deref()), (15.0, Some("user-1")));
}

#[test]
fn a_slow_consumer_is_given_the_message_a_second_time_while_it_works() {
    let mailer = r#"Effect("begun"), Work(Const("6s")), Effect("done")"#;
    let outcome = world(PUBLISHES, mailer, "");
    assert_eq!(effects(&outcome), ["published 0", "begun 0", "begun 5", "done 6", "done 11"]);
}

#[test]
fn messages_survive_their_broker() {
    // Its crash takes the acknowledgement with it, and it hands nothing out while it is down.
    let mailer = r#"Effect("begun"), Work(Const("2s"))"#;
    let rest = r#"faults: [At("1s", for: "7s", Crash("events"))]"#;
    let outcome = world(PUBLISHES, mailer, rest);
    assert_eq!(effects(&outcome), ["published 0", "begun 0", "begun 10"]);
    assert_eq!(call(&outcome, "events", "mailer").success, 1);
    let refused = world(PUBLISHES, mailer, r#"faults: [At("0s", Crash("events"))]"#);
    assert!(effects(&refused).is_empty(), "nobody takes it");
}

#[test]
fn a_fence_refuses_the_execution_that_was_overtaken() {
    let app = r#"endpoints: { "run": [
        Spawn([
            Kv(Incr("token"), store: "db", into: "token"), Label("taken"),
            Try([Effect("charge", token: "{token}", fenced: true)], catch: [
                If(Eq("{error.status}", 412), then: [Effect("fenced")]),
            ]),
        ]),
        Sleep(Const("1s")),
        Kv(Incr("token"), store: "db", into: "token"),
        Effect("charge", token: "{token}", fenced: true),
    ] }"#;
    let rest = r#"faults: [After("app.run/taken", for: "31s", Stall)],"#;
    assert_eq!(effects(&world(app, "", rest)), ["charge 1", "fenced 31"]);
    assert_eq!(effects(&world(app, "", "")), ["charge 0", "charge 1"]);
}

#[test]
fn an_error_at_a_point_is_raised_in_the_task_that_passes_it() {
    let app = r#"endpoints: { "run": [
        Loop(2, [Try([Effect("before"), Label("here"), Effect("after")], catch: [
            If(Eq("{error.status}", 500), then: [Effect("caught")]),
        ])]),
    ] }"#;
    let rest = r#"faults: [After("app.run/here", nth: 2, Throw(500))]"#;
    let outcome = world(app, "", rest);
    assert_eq!(effects(&outcome), ["before 0", "after 0", "before 0", "caught 0"]);
    assert!(outcome.log.iter().any(|l| l.what == "app.run/here: raises an error, 500"));
}

#[test]
fn parameters_choose_at_build_time_and_are_checked() {
    let design = r#"designs: { "d": Design(
        about: "x", params: { "missing": 400, "how": "all" },
        steps: [
            If(Not(Is("{key}")), then: [Fail("$missing")]),
            Match("$how", [("all", [Effect("all")]), ("some", [Effect("{nothing}")])]),
            Kv(Set("$how-$missing", 1, ex: "$lock"), store: "$store"),
            Body,
        ],
    ) }"#;
    let app = |params: &str| {
        format!(
            r#"endpoints: {{ "run": [
                Idempotent(design: "d", store: "db", {params} body: [Effect("body")]),
            ] }}"#
        )
    };
    let default = world(&app(""), "", design);
    assert_eq!(effects(&default), ["all 0", "body 0"], "the key is there; one branch is compiled");
    let other = world(&app(r#"params: {"how": "none"},"#), "", design);
    assert_eq!(effects(&other), ["body 0"]);
    let wrong = text(&app(r#"params: {"hew": "all"},"#), "", design);
    let message = mistakes(&wrong);
    assert!(message.contains("has no parameter `hew`") && message.contains("how"), "{message}");
    let choices = design.replace("steps: [", r#"choices: {"how": ["all", "some"]}, steps: ["#);
    let other = text(&app(r#"params: {"how": "none"},"#), "", &choices);
    let message = mistakes(&other);
    assert!(message.contains(r#"how = "none" means nothing"#), "{message}");
    assert!(message.contains(r#"it may be "all", "some""#), "{message}");
    let undeclared = text(&app(""), "", &design.replace("$missing\")", "$mising\")"));
    let message = mistakes(&undeclared);
    assert!(message.contains("`$mising`"), "{message}");
}

#[test]
fn mistakes_in_the_new_steps_are_told() {
    let wrong = |app: &str, rest: &str| {
        let text = text(&format!(r#"endpoints: {{ "run": [{app}] }}"#), "", rest);
        mistakes(&text)
    };
    for (app, rest, message) in [
        ("Raise", "", "Raise outside of a catch"),
        (r#"Try([], catch: [Spawn([Raise])])"#, "", "Raise cannot leave a branch"),
        (r#"Spawn([Respond(200)])"#, "", "Respond in a branch"),
        (r#"Publish("events.ordrs")"#, "", "has no queue `ordrs`"),
        (r#"Publish("app.run")"#, "", "is no broker"),
        (r#"Call("events.orders")"#, "", "is a broker"),
        (r#"Effect("charge", keep: "1s")"#, "", "`keep` without `once`"),
        (r#"Effect("charge", fenced: true)"#, "", "`fenced` without `token`"),
        ("Fail(99)", "", "an HTTP status"),
        (
            r#"Effect("refund", undoes: "chrage"), Effect("charge")"#,
            "",
            "no program has an effect `chrage`",
        ),
        ("", r#"faults: [At("61s", Crash("app"))]"#, "within the horizon"),
        (r#"Respond("blok")"#, "", "a status is a number"),
        ("", r#"faults: [At("1s", Delay("db", "db", "1s"))]"#, "sends itself no messages"),
        ("", r#"faults: [At("1s", for: "1s", Stall)]"#, "whoever passes a point"),
    ] {
        let told = wrong(app, rest);
        assert!(told.contains(message), "{app}: {told}");
    }
}

#[test]
fn answers_carry_headers_and_errors_their_content() {
    let app = r#"endpoints: {
        "run": [
            Call("app.pay", key: "k", into: "id", headers_into: "first"),
            Call("app.pay", key: "k", into: "id", headers_into: "second"),
            If(All([Not(Is("{first.replayed}")), Is("{second.replayed}")]), then: [Effect("marked")]),
            Try([Call("app.conflict", headers_into: "third")], catch: [
                If(Eq("{error.body.code}", 704), then: [Effect("coded")]),
                If(Eq("{third.retry}", "no"), then: [Effect("told")]),
            ]),
            Try([Fail(400)], catch: [If(Is("{error.body}"), then: [Effect("stale")])]),
        ],
        "pay": [
            Kv(Get("{key}"), store: "db", into: "seen"),
            If(Is("{seen}"), then: [Respond(200, body: "{seen}", headers: {"replayed": true})]),
            Kv(Set("{key}", "id-1"), store: "db"),
            Respond(201, body: "id-1"),
        ],
        "conflict": [Respond(422, body: {"code": 704}, headers: {"retry": "no"})],
    }, threads: Async"#;
    assert_eq!(effects(&world(app, "", "")), ["marked 0", "coded 0", "told 0"]);
}

#[test]
fn nobody_works_on_behalf_of_what_is_no_intent() {
    let app = r#"endpoints: { "run": [
        Try([OnBehalfOf("pizza", [Effect("done")])], catch: [
            If(Eq("{error.status}", 500), then: [Effect("refused")]),
        ]),
    ] }"#;
    assert_eq!(effects(&world(app, "", "")), ["refused 0"]);
}

/// The faults that changed nothing: why, and how that is told.
fn missed(outcome: &Outcome) -> Vec<(&'static str, String)> {
    outcome.faults_missed.iter().map(|missed| (missed.why.id(), missed.to_string())).collect()
}

#[test]
fn a_fault_that_never_strikes_is_told() {
    let app = r#"endpoints: { "run": [Label("here")] }"#;
    let rest = r#"faults: [
        After("app.run/here", nth: 1, Throw(500)), After("app.run/here", nth: 2, Throw(500)),
    ]"#;
    let missed = missed(&world(app, "", rest));
    assert_eq!(missed.len(), 1, "{missed:?}");
    let (id, said) = &missed[0];
    assert_eq!(*id, "not_passed");
    assert!(said.contains("passage 2 of app.run/here, which was passed 1 times"), "{said}");
}

#[test]
fn a_fault_that_strikes_when_nobody_comes_any_more_is_told() {
    let app = r#"endpoints: { "run": [Sleep(Const("5s"))] }"#;
    let told = |client: &str, at: &str| {
        let text = format!(
            r#"Scenario(
                name: "late", about: "", horizon: "60s",
                actors: {{
                    "user": Client(load: {client}, does: [Call("app.run")]),
                    "app": Service(workers: 9, {app}),
                }},
                faults: [At("{at}", for: "9s", Outage("app"))],
            )"#
        );
        missed(&run_text(&text))
    };
    let burst = "Burst(count: 3, at: \"1s\")";
    let late = told(burst, "40s");
    let said = "app: refuses connections, at 40s, when nobody came any more".to_owned();
    assert_eq!(late, [("nobody_left", said)]);
    assert!(told(burst, "4s").is_empty(), "the three are still there");
    let cut = world(app, "", r#"faults: [At("0s", Partition("user", "db"))]"#);
    let said = "user<->db: partitioned, between two who send each other nothing".to_owned();
    assert_eq!(missed(&cut), [("no_traffic", said)]);
    assert!(told(r#"Open(rate: "1/m", arrivals: Constant, from: "50s")"#, "40s").is_empty());
}

#[test]
fn a_stall_without_a_length_lasts_to_the_end() {
    let app = r#"endpoints: { "run": [Label("here"), Effect("after")] }"#;
    let rest = r#"faults: [After("app.run/here", Stall)]"#;
    let outcome = world(app, "", rest);
    assert!(effects(&outcome).is_empty());
    assert_eq!(outcome.faults[0].to.to_string(), "60s");
    assert_eq!(effects(&world(app, "", "")), ["after 0"]);
}

#[test]
fn the_content_of_a_request_may_hold_the_time_of_its_submission() {
    let outcome = run_text(
        r#"Scenario(
            name: "clock", about: "A request that says when it was made.", horizon: "10s",
            actors: {
                "user": Client(load: Burst(count: 1, at: "3s"), body: {"made": "{now}"}, does: [
                    Sleep(Const("1s")), Call("app.run"),
                ]),
                "app": Service(workers: 1, endpoints: { "run": [
                    If(Eq("{body.made}", 3000), then: [Effect("right")]),
                ] }),
            },
        )"#,
    );
    assert_eq!(effects(&outcome), ["right 4"]);
}

#[test]
fn a_second_run_is_the_same_to_the_bit() {
    let app = r#"
        endpoints: { "run": [Spawn([Sleep(Exponential("1s")), Effect("later")]), Publish("events.orders")] },
        jobs: { "sweep": Job(every: "1s", does: [Work(Exponential("2s")), Effect("turn")]) }"#;
    let mailer = r#"Work(Exponential("9s"))"#;
    let scenario = load(&text(app, mailer, ""), None, &[]);
    assert_eq!(scenario.run(7).digest, scenario.run(7).digest);
    assert_ne!(scenario.run(7).digest, scenario.run(8).digest);
}
