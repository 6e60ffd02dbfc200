//! The step language: what each construct does, told by the effects it leaves.

use sim_models::Scenario;
use sim_models::outcome::{Counter, Outcome, Verdict};

use crate::support::{mistakes, run_text};

/// Runs a program at an endpoint for one request, with a store and an echoing helper beside it.
fn program(steps: &str) -> Outcome {
    program_with(steps, "")
}

fn program_with(steps: &str, rest: &str) -> Outcome {
    run_text(&format!(
        r#"Scenario(
            name: "program", about: "One request runs a program.", horizon: "60s",
            actors: {{
                "user": Client(load: Burst(count: 1), body: "hello", does: [Call("app.run", policy: "once")]),
                "app": Service(workers: 1, endpoints: {{ "run": [{steps}] }}),
                "helper": Service(workers: 1, endpoints: {{
                    "echo": [Work(Const("10ms")), Respond(200, body: "{{body}}")],
                    "fail": [Fail(404)],
                }}),
                "store": Kv(),
            }},
            policies: {{ "once": [Timeout("50s")] }},
            {rest}
        )"#
    ))
}

/// The effects that a program left, in order.
fn effects(outcome: &Outcome) -> Vec<&str> {
    outcome.ledger.iter().map(|line| line.kind.as_str()).collect()
}

/// Asserts on what a program does before it ends.
fn does(steps: &str, expected: &[&str]) {
    assert_eq!(effects(&program(steps)), expected, "{steps}");
}

#[test]
fn conditions_choose() {
    does(r#"If(Eq("{body}", "hello"), then: [Effect("yes")], else: [Effect("no")])"#, &["yes"]);
    does(r#"If(Ne("{body}", "hello"), then: [Effect("yes")], else: [Effect("no")])"#, &["no"]);
    does(r#"Let("n", 3), If(All([Lt("{n}", 4), Le("{n}", 3)]), then: [Effect("yes")])"#, &["yes"]);
    does(r#"Let("n", 0), If(Any([Is("{n}"), Not(Is(None))]), then: [Effect("yes")])"#, &["yes"]);
    does(r#"Let("n", "3"), If(Eq("{n}", 3), then: [Effect("yes")])"#, &[]);
}

#[test]
fn match_takes_the_first_equal_case() {
    let choose = |value: &str| {
        format!(
            r#"Let("v", {value}), Match("{{v}}", [
                (1, [Effect("one")]), ("two", [Effect("two")]), (1, [Effect("again")]),
            ], else: [Effect("other")])"#
        )
    };
    does(&choose("1"), &["one"]);
    does(&choose("\"two\""), &["two"]);
    does(&choose("None"), &["other"]);
}

#[test]
fn loops_count_and_break() {
    does(r#"Loop(3, [Effect("round")])"#, &["round", "round", "round"]);
    does(r#"Loop(0, [Effect("round")])"#, &[]);
    does(
        r#"Loop(2, [Loop(5, [Effect("in"), Break]), Effect("out")])"#,
        &["in", "out", "in", "out"],
    );
}

#[test]
fn records_and_templates_hold_values() {
    does(
        r#"Let("r", {"id": "{body}-{intent}", "n": 5}),
           If(Eq("{r.id}", "hello-1"), then: [Effect("id")]),
           If(Eq("{r.n}", 5), then: [Effect("n")]),
           If(Is("{r.other}"), then: [Effect("other")])"#,
        &["id", "n"],
    );
}

#[test]
fn an_error_goes_to_the_nearest_catch_and_tells_what_it_was() {
    does(
        r#"Try([Call("helper.fail"), Effect("skipped")], catch: [
               If(All([Eq("{error.status}", 404), Eq("{error.fate}", "failed"),
                       Eq("{error.kind}", "status")]), then: [Effect("caught")]),
           ]), Effect("after")"#,
        &["caught", "after"],
    );
}

#[test]
fn finally_runs_on_every_way_out() {
    let ways = [
        ("", "in after"),
        ("Fail(500)", "in"),
        ("Respond(200)", "in"),
        (r#"Call("helper.fail")"#, "in"),
    ];
    for (way, before) in ways {
        let steps = format!(
            r#"Try([Try([Effect("in"), {way}], finally: [Effect("inner")])], finally: [Effect("outer")]),
               Effect("after")"#
        );
        let expected = match before {
            "in after" => vec!["in", "inner", "outer", "after"],
            _ => vec!["in", "inner", "outer"],
        };
        does(&steps, &expected);
    }
    does(
        r#"Loop(2, [Try([Break], finally: [Effect("swept")])]), Effect("after")"#,
        &["swept", "after"],
    );
}

#[test]
fn an_error_in_catch_still_runs_finally() {
    does(
        r#"Try([Try([Fail(500)], catch: [Effect("catch"), Fail(400)], finally: [Effect("finally")])],
               catch: [If(Eq("{error.status}", 400), then: [Effect("outer")])])"#,
        &["catch", "finally", "outer"],
    );
}

#[test]
fn the_answer_goes_out_before_finally_runs() {
    let outcome = program(r#"Try([Respond(200)], finally: [Sleep(Const("5s")), Effect("late")])"#);
    let client = outcome.actors.iter().find(|actor| actor.name == "user").expect("the client");
    assert_eq!(client.latency.map(|l| l.max.as_nanos()), Some(0));
    assert_eq!(effects(&outcome), ["late"]);
}

#[test]
fn parallel_branches_overlap_and_give_back_their_variables() {
    let outcome = program(
        r#"Let("a", None), Let("b", None),
           Parallel([
               [Call("helper.echo", body: "x", into: "a"), Effect("first")],
               [Call("helper.echo", body: "y", into: "b"), Effect("second")],
               [Sleep(Const("1s"))],
           ]),
           If(All([Eq("{a}", "x"), Eq("{b}", "y")]), then: [Effect("joined")])"#,
    );
    assert_eq!(effects(&outcome), ["first", "second", "joined"]);
    assert_eq!(outcome.ledger[2].at.to_string(), "1s", "it waited for the slowest branch");
}

#[test]
fn the_first_failing_branch_is_raised_after_all_have_joined() {
    does(
        r#"Try([Parallel([
               [Sleep(Const("2s")), Effect("slow"), Fail(501)],
               [Fail(502)],
           ])], catch: [If(Eq("{error.status}", 501), then: [Effect("in order")])])"#,
        &["slow", "in order"],
    );
}

#[test]
fn arguments_reach_the_callee_by_name() {
    let outcome = run_text(
        r#"Scenario(
            name: "with", about: "A caller gives its callee a variable.", horizon: "1s",
            actors: {
                "user": Client(load: Burst(count: 1), does: [
                    Call("app.go", with: {"what": "x"}), Call("app.go", with: {"what": "y"}),
                ]),
                "app": Service(workers: 1, endpoints: {
                    "go": [If(Eq("{what}", "x"), then: [Effect("given")])],
                }),
            },
        )"#,
    );
    assert_eq!(effects(&outcome), ["given"]);
}

#[test]
fn store_commands_mean_what_redis_means() {
    does(
        r#"Kv(Set("k", 1, nx: true), store: "store", into: "first"),
           Kv(Set("k", 2, nx: true), store: "store", into: "second"),
           If(Is("{first}"), then: [Effect("set")]),
           If(Not(Is("{second}")), then: [Effect("refused")]),
           Kv(CompareAndDelete("k", 2), store: "store", into: "wrong"),
           If(Eq("{wrong}", 0), then: [Effect("kept")]),
           Kv(CompareAndDelete("k", 1), store: "store", into: "right"),
           If(Eq("{right}", 1), then: [Effect("deleted")]),
           Kv(Set("t", "v", px: "500ms"), store: "store"),
           Sleep(Const("1s")),
           Kv(Exists("t"), store: "store", into: "there"),
           If(Eq("{there}", 0), then: [Effect("expired")])"#,
        &["set", "refused", "kept", "deleted", "expired"],
    );
}

#[test]
fn a_program_that_never_waits_ends_as_a_finding() {
    let endless = r#"Loop(4000000000, [Loop(4000000000, [Let("x", 1)])])"#;
    let outcome = program(endless);
    assert_eq!(outcome.verdict, Verdict::Invalid);
    let limit = outcome.limit.map(|limit| limit.to_string());
    let expected = "the program of app.run ran a million steps without waiting";
    assert_eq!(limit.as_deref(), Some(expected));
}

#[test]
fn a_scenario_brings_its_own_design_with_its_parameters() {
    let outcome = program_with(
        r#"Idempotent("mine", store: "store", lock: "5s", keep: "1h", body: [Effect("work")])"#,
        r#"designs: { "mine": Design(
            about: "Once per key, while the record lives.",
            steps: [
                Kv(Set("{key}", true, nx: true, ex: "$keep"), store: "$store", into: "first"),
                Kv(Set("lock", true, ex: "$lock"), store: "$store"),
                If(Is("{first}"), then: [Body]),
                Kv(Pttl("lock"), store: "$store", into: "left"),
                If(Eq("{left}", 5000), then: [Effect("five seconds left")]),
            ],
        ) },"#,
    );
    assert_eq!(effects(&outcome), ["work", "five seconds left"]);
}

#[test]
fn a_design_like_another_is_that_one_with_other_defaults() {
    let designs = r#"designs: {
        "base": Design(
            about: "Tells its parameters.",
            params: {"a": 1, "b": 1},
            steps: [
                If(Eq("$a", 2), then: [Effect("a is two")]),
                If(Eq("$b", 3), then: [Effect("b is three")]),
                Kv(Set("lock", true, px: "$lock"), store: "$store"),
                Kv(Pttl("lock"), store: "$store", into: "left"),
                If(Eq("{left}", 7000), then: [Effect("seven seconds")]),
                Body,
            ],
        ),
        "derived": Design(about: "Others.", like: "base", params: {"a": 2}, lock: "7s"),
    },"#;
    let used = |options: &str| {
        let step = format!(r#"Idempotent("derived", store: "store", {options} body: [])"#);
        effects(&program_with(&step, designs)).join(", ")
    };
    assert_eq!(used(""), "a is two, seven seconds");
    assert_eq!(used(r#"params: {"b": 3},"#), "a is two, b is three, seven seconds");
    assert_eq!(used(r#"params: {"a": 1}, lock: "8s","#), "", "the use has the last word");
}

#[test]
fn a_design_surrounds_each_phase_of_its_body() {
    let body = r#"body: [
        Phase("first", [Effect("one"), Let("result", 1)]),
        Phase("second", [Effect("two"), Let("result", 2)]),
    ])"#;
    let designs = r#"designs: {
        "notes": Design(
            about: "Notes each phase; what is noted is not done again.",
            steps: [
                Kv(HSet("{key}", "first", 1), store: "store"),
                Body,
                Kv(HGet("{key}", "second"), store: "store", into: "noted"),
                If(Eq("{noted}", 2), then: [Effect("noted")]),
            ],
            phase: [
                Kv(HGet("{key}", "$phase"), store: "store", into: "noted"),
                If(Not(Is("{noted}")), then: [
                    Body,
                    Kv(HSet("{key}", "$phase", "{result}"), store: "store"),
                ]),
            ],
        ),
        "outer": Design(
            about: "Knows nothing of phases, and leaves the rest to one that does.",
            steps: [Idempotent("notes", store: "store", body: [Body])],
        ),
        "plain": Design(about: "Knows nothing of phases.", steps: [Body]),
    },"#;
    let used = |design: &str| {
        let step = format!(r#"Idempotent("{design}", {body}"#);
        effects(&program_with(&step, designs)).join(", ")
    };
    assert_eq!(used("notes"), "two, noted");
    assert_eq!(used("plain"), "one, two");
    assert_eq!(used("outer"), "one, two", "whose body it is surrounds its phases");
}

#[test]
fn a_design_that_cannot_be_is_refused_with_the_reason() {
    let refused = |design: &str| {
        let text = format!(
            r#"Scenario(
                name: "refused", about: "A design that cannot be.", horizon: "1s",
                actors: {{
                    "user": Client(load: Burst(count: 1), does: [Idempotent("mine", body: [])]),
                    "redis": Kv(),
                }},
                designs: {{ "mine": Design(about: "Mine.", {design}) }},
            )"#
        );
        let error = Scenario::text("t.ron", text).load().err();
        error.map(|error| error.mistakes()[0].message.clone()).unwrap_or_default()
    };
    assert_eq!(refused("steps: [Body]"), "");
    assert_eq!(
        refused(r#"like: "safe", steps: [Body]"#),
        "design `mine` has steps of its own, and is `like` `safe`",
    );
    assert_eq!(refused(r#"like: "mine""#), "designs are `like` others at most 4 deep");
    assert_eq!(
        refused(r#"like: "safe", params: {"kepp": 1}"#),
        "scenarios/designs/safe.ron has no parameter `kepp`",
    );
    assert_eq!(refused(r#"like: "saef""#), "there is no design `saef`");
}

#[test]
fn a_breaker_is_blind_to_calls_that_an_outer_timeout_cuts_off() {
    let run_with = |stack: &str| {
        run_text(&format!(
            r#"Scenario(
                name: "order", about: "The order of a stack matters.", horizon: "30s",
                actors: {{
                    "user": Client(load: Open(rate: "1/s", arrivals: Constant),
                        does: [Try([Call("app.slow", policy: "p")], catch: [])]),
                    "app": Service(workers: 100, endpoints: {{ "slow": [Work(Const("10s"))] }}),
                }},
                policies: {{ "p": [{stack}] }},
            )"#
        ))
    };
    let breaker = "Breaker(Consecutive(failures: 3))";
    let inside = run_with(&format!(r#"Timeout("100ms"), {breaker}"#));
    assert_eq!(inside.transitions.len(), 0, "it never hears of a timeout around it");
    let outside = run_with(&format!(r#"{breaker}, Timeout("100ms")"#));
    assert_eq!(outside.transitions[0].at.to_string(), "2.1s");
}

#[test]
fn an_async_service_serves_others_while_it_waits() {
    let run_with = |threads: &str| {
        run_text(&format!(
            r#"Scenario(
                name: "threads", about: "Who waits with whom.", horizon: "60s",
                actors: {{
                    "users": Client(load: Burst(count: 10), does: [Call("app.go")]),
                    "app": Service(workers: 1, threads: {threads}, endpoints: {{ "go": [Call("slow.go")] }}),
                    "slow": Service(workers: 10, endpoints: {{ "go": [Work(Const("1s"))] }}),
                }},
            )"#
        ))
    };
    let longest = |outcome: &Outcome| {
        let users = outcome.actors.iter().find(|a| a.name == "users").expect("the client");
        users.latency.expect("answers").max.to_string()
    };
    assert_eq!(longest(&run_with("Async")), "1s");
    assert_eq!(longest(&run_with("Blocking")), "10s");
}

#[test]
fn a_crash_resets_what_the_process_knew_and_keeps_the_ledger() {
    let outcome = program_with(
        r#"Effect("order"), Label("ordered"), Effect("never")"#,
        r#"faults: [After("app.run/ordered", for: "1s", Crash("app"))]"#,
    );
    assert_eq!(effects(&outcome), ["order"]);
    let call = outcome.calls.iter().find(|call| call.from == "user").expect("the call");
    assert_eq!((call.success, call.unknown), (0, 1), "a broken connection leaves doubt");
}

#[test]
fn a_field_of_the_body_counts_as_reading_the_body() {
    let outcome = run_text(
        r#"Scenario(
            name: "field", about: "A callee reads one field of what it is sent.", horizon: "1s",
            actors: {
                "user": Client(load: Burst(count: 1), body: {"amount": 5}, does: [Call("app.pay")]),
                "app": Service(workers: 1, endpoints: {
                    "pay": [If(Eq("{body.amount}", 5), then: [Effect("paid")])],
                }),
            },
        )"#,
    );
    assert_eq!(effects(&outcome), ["paid"]);
}

#[test]
fn an_exit_out_of_a_finally_does_not_swallow_the_outer_error() {
    does(
        r#"Try([Fail(400)], finally: [Loop(1, [Try([Effect("in")], finally: [Break])])]),
           Effect("skipped")"#,
        &["in"],
    );
    does(
        r#"Try([Fail(400)], finally: [
               Try([Try([Effect("in")], finally: [Fail(401)])], catch: [Effect("caught")]),
           ]), Effect("skipped")"#,
        &["in", "caught"],
    );
}

#[test]
fn a_branch_gives_back_only_what_it_has_written() {
    does(
        r#"Let("x", 0), Parallel([
               [Let("x", 1)],
               [Sleep(Const("1s")), If(Eq("{intent}", 99), then: [Let("x", 2)])],
           ]), If(Eq("{x}", 1), then: [Effect("kept")])"#,
        &["kept"],
    );
}

#[test]
fn values_without_end_are_a_finding() {
    for endless in [
        r#"Loop(100000, [Let("x", {"f": "{x}"})]), Let("y", "{x}!")"#,
        r#"Loop(40, [Let("x", {"f": "{x}", "g": "{x}"})]), Let("y", "{x}!")"#,
        r#"Let("x", "x"), Loop(60, [Let("x", "{x}{x}")])"#,
        r#"Let("x", "x"), Loop(16, [Let("x", "{x}{x}")]), Loop(900000, [Let("x", "{x}y")])"#,
    ] {
        let outcome = program(endless);
        let limit = outcome.limit.map(|limit| limit.to_string());
        let expected = "the program of app.run built texts or records that are too large";
        assert_eq!(limit.as_deref(), Some(expected), "{endless}");
    }
}

#[test]
fn many_short_programs_in_one_instant_are_no_endless_one() {
    let outcome = run_text(
        r#"Scenario(
            name: "many", about: "A burst of short programs.", horizon: "5s",
            actors: { "users": Client(load: Burst(count: 30000),
                does: [Loop(20, [Let("x", 1)]), Sleep(Const("1s"))]) },
        )"#,
    );
    assert_eq!(outcome.limit, None);
}

#[test]
fn a_pause_at_a_point_stops_the_program_that_passed_it() {
    let outcome = program_with(
        r#"Label("locked"), Effect("charge")"#,
        r#"faults: [After("app.run/locked", for: "30s", Pause("app"))]"#,
    );
    assert_eq!(outcome.ledger[0].at.to_string(), "30s");
}

#[test]
fn a_dead_process_refuses_though_it_was_paused() {
    let outcome = program_with(
        r#"Sleep(Const("1s"))"#,
        r#"faults: [At("0s", for: "20s", Pause("app")), At("100ms", for: "1s", Crash("app"))]"#,
    );
    let app = outcome.actors.iter().find(|actor| actor.name == "app").expect("the service");
    assert_eq!(app.counter(Counter::Refused), Some(1), "{:?}", app.counters);
}

#[test]
fn effects_beyond_a_byte_are_counted_and_taken_back() {
    let outcome = program(
        r#"Loop(300, [Effect("charge")]), Loop(299, [Effect("refund", undoes: "charge")])"#,
    );
    let charge = outcome.effects.iter().find(|effect| effect.kind == "charge").expect("charges");
    assert_eq!((charge.count, charge.refunded, charge.duplicated), (300, 299, 0));
}

#[test]
fn a_fallback_does_not_turn_doubt_into_failure() {
    for stack in [
        r#"Fallback(503, on: Failure), Timeout("1s")"#,
        r#"Fallback(503, on: Failure), Retry(attempts: 1), Timeout("1s")"#,
    ] {
        let outcome = run_text(&format!(
            r#"Scenario(
                name: "doubt", about: "A timeout behind a fallback.", horizon: "30s",
                actors: {{
                    "user": Client(load: Burst(count: 1), does: [Call("app.slow", policy: "p")]),
                    "app": Service(workers: 1, endpoints: {{ "slow": [Work(Const("10s"))] }}),
                }},
                policies: {{ "p": [{stack}] }},
            )"#
        ));
        assert_eq!(outcome.calls[0].unknown, 1, "{stack}");
    }
}

#[test]
fn other_layers_leave_a_retry_its_luck() {
    let waits = |stack: &str| -> Vec<String> {
        let outcome = run_text(&format!(
            r#"Scenario(
                name: "luck", about: "A retry with jitter.", horizon: "5m",
                actors: {{
                    "user": Client(load: Burst(count: 1), does: [Call("app.fail", policy: "p")]),
                    "app": Service(workers: 1, endpoints: {{ "fail": [Fail(503)] }}),
                }},
                policies: {{ "p": [{stack}] }},
            )"#
        ));
        let waits = outcome.log.iter().filter(|line| line.what.starts_with("attempt"));
        waits.map(|line| line.what.clone()).collect()
    };
    let retry = "Retry(attempts: 4, jitter: Full)";
    let alone = waits(retry);
    assert_eq!(alone.len(), 3);
    assert_eq!(waits(&format!(r#"Timeout("200s"), {retry}, Timeout("1s")"#)), alone);
    // An inner retry waits anew in each round of an outer one.
    let mut nested = waits(&format!("Retry(attempts: 3, backoff: None), {retry}"));
    nested.retain(|wait| wait.starts_with("attempt 2 in") && !wait.contains("in 0s"));
    let rounds = nested.len();
    nested.dedup();
    assert_eq!((rounds, nested.len()), (3, 3), "{nested:?}");
}

#[test]
fn the_two_copies_of_a_duplicated_request_have_luck_of_their_own() {
    let outcome = run_text(
        r#"Scenario(
            name: "twins", about: "Every request arrives twice, half of the answers are lost.",
            horizon: "60s",
            actors: {
                "users": Client(load: Burst(count: 2000), does: [Call("app.go", policy: "p")]),
                "app": Service(workers: 4000, endpoints: { "go": [Respond(200)] }),
            },
            links: [Link(from: "users", to: "app", duplicate: 1.0)],
            policies: { "p": [Timeout("1s")] },
            faults: [At("0s", Loss("app", "users", 0.5))],
        )"#,
    );
    // Three in four by independent luck, one in two if both copies shared it; sd 19.
    let success = outcome.calls[0].success;
    assert!((1400..1600).contains(&success), "{success}");
}

#[test]
fn nothing_reaches_a_caller_in_a_black_hole() {
    let outcome = run_text(
        r#"Scenario(
            name: "hole", about: "The caller vanishes while an answer is on its way.",
            horizon: "10s",
            actors: {
                "user": Client(load: Burst(count: 1), patience: "5s", does: [Call("app.go")]),
                "app": Service(workers: 1, endpoints: { "go": [Respond(200)] }),
            },
            links: [Link(from: "user", to: "app", latency: Const("1s"))],
            faults: [At("1500ms", for: "1s", BlackHole("user"))],
        )"#,
    );
    assert_eq!(outcome.calls[0].success, 0);
    let told: Vec<&str> = outcome.log.iter().map(|line| line.what.as_str()).collect();
    assert!(told.contains(&"answer lost"), "{told:?}");
}

/// Whichever of them is in it, and whichever way a message goes: nothing passes while it lasts.
#[test]
fn a_black_hole_swallows_requests_and_answers_of_either_end() {
    let run = |hole: &str, from: &str| {
        run_text(&format!(
            r#"Scenario(
                name: "hole", about: "Asked at 0 s, there at 1 s, answered at 2 s, back at 3 s.",
                horizon: "10s",
                actors: {{
                    "user": Client(load: Burst(count: 1), patience: "5s", does: [Call("app.go")]),
                    "app": Service(workers: 1, endpoints: {{ "go": [
                        Work(Const("1s")), Effect("charge"), Respond(200),
                    ] }}),
                }},
                links: [Link(from: "user", to: "app", latency: Const("1s"))],
                faults: [At("{from}", for: "200ms", BlackHole("{hole}"))],
            )"#
        ))
    };
    for (hole, from, charges, answers) in [
        ("user", "0s", 0, 0),
        ("app", "0s", 0, 0),
        ("user", "900ms", 1, 1),
        ("app", "900ms", 0, 0),
        ("user", "1900ms", 1, 0),
        ("app", "1900ms", 1, 0),
        ("user", "2900ms", 1, 0),
        ("app", "2900ms", 1, 1),
        ("app", "3100ms", 1, 1),
    ] {
        let outcome = run(hole, from);
        let charged = outcome.ledger.len();
        assert_eq!((charged, outcome.calls[0].success), (charges, answers), "{hole} at {from}");
    }
}

#[test]
fn an_order_of_more_endpoints_than_anybody_ranks_is_refused() {
    let ranked = |many: usize| {
        mistakes(&format!(
            r#"Scenario(
                name: "ranked", about: "One endpoint, ranked again and again.", horizon: "10s",
                actors: {{
                    "app": Service(
                        workers: 1, queue: Priority(limit: 3, order: [{}]),
                        endpoints: {{ "go": [Respond(200)] }},
                    ),
                }},
            )"#,
            r#""go","#.repeat(many)
        ))
    };
    assert!(ranked(65_535).contains("order = 65535; it must be at most 1000 endpoints"));
    let twice = ranked(2);
    assert!(twice.contains("`go` is named twice") && !twice.contains("order ="), "{twice}");
}

#[test]
fn what_is_left_out_or_stands_twice_is_named() {
    let pay = |steps: &str, faults: &str, invariants: &str| {
        mistakes(&format!(
            r#"Scenario(
                name: "slips", about: "Mistakes that look right.", horizon: "10s",
                actors: {{
                    "app": Client(load: Burst(count: 1), does: [Call("api.pay")]),
                    "api": Service(workers: 1, endpoints: {{ "pay": [
                        Work(Const("1s")), Work(Const("1s")), Effect("charge"), {steps}
                    ] }}),
                    "redis": Kv(),
                }},
                faults: [{faults}],
                invariants: [{invariants}],
            )"#
        ))
    };
    let told = pay(r#"Label("Work#2")"#, "", "");
    assert!(told.contains("`api.pay/Work#2` is the point after a step already"), "{told}");
    for status in [200, 302] {
        let told = pay("", &format!(r#"After("api.pay/Work", Throw({status}))"#), "");
        assert!(told.contains("it must be the status of an error, 400..=599"), "{told}");
    }
    let told = pay(r#"Kv(Get(), store: "redis")"#, "", "");
    assert!(
        told.contains("`Get` needs a value in its brackets") && told.contains(r#"Get("{key}")"#),
        "{told}"
    );
    let told = pay("If(Is(), then: [])", "", "");
    assert!(
        told.contains("`Is` needs a value in its brackets") && told.contains(r#"Is("{stored}")"#),
        "{told}"
    );
    let told = pay("", r#"After("api.pya/Work", Stall)"#, "");
    assert!(told.contains("did you mean `api.pay/Work`?"), "{told}");
    let told =
        pay("", "", r#"BooksBalance(captured: "charge", refunded: "refund", fulfilled: "charge")"#);
    assert!(told.contains("no program has an effect `refund`: leave `refunded` out"), "{told}");
}
