//! Small scenarios and what is said of them.

use super::*;

/// A user, an api with a program of its own, a provider and a store.
fn scenario(program: &str, faults: &str, more: &str) -> Scenario {
    let text = r#"Scenario(
        name: "t", about: "", horizon: "2m",
        actors: {
            "user": Client(load: Burst(count: 1), does: [Call("api.pay", policy: "patient")]),
            "api": Service(workers: 4, endpoints: { "pay": [PROGRAM, Respond(201)] }),
            "psp": Service(workers: 4, endpoints: { "charge": [
                Work(Const("50ms")), Effect("charge", into: "id"), Respond(201, body: "{id}"),
            ] }),
            "redis": Kv(replicas: 1, lag: Const("1s")), "other": Kv(replicas: 1),
        },
        links: [
            Link(from: "user", to: "api", latency: Const("10ms")),
            Link(from: "api", to: "psp", latency: Const("10ms")),
        ],
        policies: {
            "patient": [Retry(attempts: 3, backoff: Constant("40s"), even_if_unsafe: true), Timeout("5s")],
            "short": [Timeout("1s")],
        },
        faults: [FAULTS], invariants: [AtMostOnce("charge")], MORE
    )"#;
    let text = text.replace("PROGRAM", program).replace("FAULTS", faults).replace("MORE", more);
    Scenario::text("t.ron", text).load().unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn story(program: &str, faults: &str) -> Sequence {
    let scenario = scenario(program, faults, "");
    why(&scenario, 1, &Subject::Intent("user-1".to_owned())).unwrap()
}

/// The reason of the first row that says so.
fn reason(sequence: &Sequence, says: &str) -> String {
    let row = sequence.rows.iter().find(|row| row.text.contains(says));
    let row = row.unwrap_or_else(|| panic!("{says}: {:#?}", texts(sequence)));
    row.why.clone().unwrap_or_default()
}

fn texts(sequence: &Sequence) -> Vec<&str> {
    sequence.rows.iter().map(|row| row.text.as_str()).collect()
}

#[test]
fn asking_changes_nothing_about_the_run() {
    let scenario = scenario(r#"Call("psp.charge", policy: "short")"#, "", "");
    let sequence = why(&scenario, 7, &Subject::Intent("user-1".to_owned())).unwrap();
    assert_eq!(sequence.digest, scenario.run(7).digest);
}

#[test]
fn a_lost_answer_is_a_lost_arrow_and_the_retry_has_its_reason() {
    let program = r#"Call("psp.charge", policy: "short")"#;
    let fault = r#"After("psp.charge/Effect charge", for: "10ms", Loss("psp", "api", 1.0))"#;
    let scenario = scenario(program, fault, "");
    let sequence = why(&scenario, 1, &Subject::Violation(1)).unwrap();
    let lost = |row: &&Row| matches!(row.what, What::Message { fate: Fate::Lost, .. });
    let row = sequence.rows.iter().find(lost).expect("an answer is lost");
    assert_eq!(row.text, "201 charge-1");
    assert_eq!(reason(&sequence, "attempt 2 in 40s"), "after status 504");
    let broken = sequence.broken.as_ref().unwrap();
    assert_eq!(sequence.rows[broken.row].text, "charge-2");
    assert_eq!(sequence.rows[broken.row].tone, Tone::Violation);
    assert_eq!(sequence.rows.last().unwrap().text, "told success", "what follows is told too");
}

#[test]
fn a_record_that_is_not_there_has_one_of_five_reasons() {
    let get = r#"Kv(Get("k"), store: "redis", into: "x")"#;
    let set = r#"Kv(Set("k", 1, ex: "5s"), store: "redis")"#;
    let program = |before: &str, wait: &str| format!("{before} Sleep(Const(\"{wait}\")), {get}");
    let says = |program: String, faults: &str| {
        let sequence = story(&program, faults);
        reason(&sequence, "Get(k")
    };
    assert_eq!(says(get.to_owned(), ""), "nobody had set it");
    let expired = says(program(&format!("{set},"), "6s"), "");
    assert!(expired.starts_with("expired at 5.01"), "{expired}");
    assert!(expired.contains("user-1 had set it at"), "{expired}");
    let del = format!(r#"{set}, Kv(Del("k"), store: "redis"),"#);
    assert!(says(program(&del, "1s"), "").starts_with("user-1 had removed it at"));
    let failover = says(program(&format!("{set},"), "2s"), r#"At("500ms", Failover("redis"))"#);
    assert!(failover.starts_with("failover, 1 write lost at 500ms"), "{failover}");
    let flushed = says(program(&format!("{set},"), "2s"), r#"At("500ms", Flush("redis"))"#);
    assert!(flushed.starts_with("flushed at 500ms"), "{flushed}");
    let replica = format!(r#"{set}, Kv(Get("k"), store: "redis", from: Replica, into: "x")"#);
    let replica = says(replica, "");
    assert!(replica.starts_with("the replica does not have it yet"), "{replica}");
}

#[test]
fn a_record_is_gone_by_what_ended_it_and_not_by_what_came_later() {
    let get = r#"Kv(Get("k"), store: "redis", into: "x")"#;
    let set = r#"Kv(Set("k", 1, ex: "5s"), store: "redis")"#;
    let says = |program: &str, faults: &str| reason(&story(program, faults), "Get(k");
    // Who deletes what has expired has not removed it.
    let delete = r#"Kv(Multi([Set("other", 1), Del("k")]), store: "redis")"#;
    let after = format!(r#"{set}, Sleep(Const("6s")), {delete}, {get}"#);
    assert!(says(&after, "").starts_with("expired at 5.01"), "{}", says(&after, ""));
    let before = format!(r#"{set}, Sleep(Const("1s")), {delete}, {get}"#);
    assert!(says(&before, "").starts_with("user-1 had removed it at"), "{}", says(&before, ""));
    // Another store loses things, too.
    let elsewhere = r#"Kv(Set("k", 2, ex: "5s"), store: "other")"#;
    let program = format!(r#"{set}, {elsewhere}, Sleep(Const("2s")), {get}"#);
    for other in ["", r#", At("1s", Evict("other", policy: VolatileLru))"#] {
        let flushed = says(&program, &format!(r#"At("500ms", Flush("redis")){other}"#));
        assert!(flushed.starts_with("flushed at 500ms"), "{flushed}");
    }
}

#[test]
fn what_an_old_primary_has_the_new_one_has_not() {
    let get = r#"Kv(Get("k"), store: "redis", into: "x")"#;
    let program = format!(
        r#"Kv(Set("k", 1), store: "redis"), {get}, Sleep(Const("2s")), Kv(Exists("k"), store: "redis")"#
    );
    let split = story(&program, r#"At("1ms", for: "1s", SplitBrain("redis", "api"))"#);
    let there = reason(&split, "Get(k");
    assert!(!there.contains("only the old primary"), "{there}");
    let gone = reason(&split, "Exists(k");
    assert!(gone.starts_with("only the old primary has it: user-1 had set it at"), "{gone}");
}

#[test]
fn a_lock_is_held_until_it_is_released_or_expires() {
    let take = r#"Kv(Set("k", 1, nx: true, px: "3s"), store: "redis", into: "x")"#;
    let again = |wait: &str| format!("{take}, Sleep(Const(\"{wait}\")), {take}");
    let held = story(&again("1s"), "");
    assert!(reason(&held, "→ nil").starts_with("user-1 had set it at"), "{:#?}", held.rows);
    let expired = story(&again("4s"), "");
    assert!(expired.rows.iter().any(|row| row.text == "k expires"));
    assert_eq!(expired.holds[0].end, HoldEnd::Expired);
    let free = expired.rows.iter().filter(|row| row.text.contains("→ true")).nth(1).unwrap();
    assert!(free.why.as_ref().unwrap().starts_with("free: expired at 3.01"), "{free:?}");
    // Who was refused meanwhile has set nothing.
    let thrice = story(&format!("{take}, Sleep(Const(\"2s\")), {}", again("2s")), "");
    let free = thrice.rows.iter().filter(|row| row.text.contains("→ true")).nth(1).unwrap();
    assert!(free.why.as_ref().unwrap().contains("user-1 had set it at 10"), "{free:?}");
    let del = format!(r#"{take}, Kv(Del("k"), store: "redis")"#);
    let released = story(&del, "");
    let [hold] = &released.holds[..] else { panic!("{:?}", released.holds) };
    assert_eq!(hold.end, HoldEnd::Released);
    assert!(released.rows[hold.until.unwrap()].text.starts_with("Del(k)"));
}

#[test]
fn a_fault_that_strikes_whoever_passes_a_point_is_shown_there() {
    let program = r#"Call("psp.charge", policy: "short")"#;
    for fault in ["Throw(500)", "Stall"] {
        let lasts = if fault == "Stall" { r#"for: "2s", "# } else { "" };
        let fault = format!(r#"After("psp.charge/Effect charge", {lasts}{fault})"#);
        let sequence = story(program, &fault);
        let row = sequence.rows.iter().find(|row| row.tone == Tone::Fault);
        let row = row.unwrap_or_else(|| panic!("{:#?}", texts(&sequence)));
        let What::Deed { at } = row.what else { panic!("{row:?}") };
        assert_eq!(sequence.lifelines[at].name, "psp");
    }
}

#[test]
fn a_program_that_handles_an_error_says_so() {
    let program = r#"Try([Call("psp.charge", policy: "short")], catch: [Sleep(Const("1s"))])"#;
    let handled = story(program, r#"At("0s", for: "1m", Errors("psp", status: 503))"#);
    assert!(texts(&handled).contains(&"the program handles it"), "{:#?}", texts(&handled));
    let hangs = story(program, r#"At("0s", for: "1m", Hang("psp"))"#);
    assert!(texts(&hangs).contains(&"psp: timed out; the program handles it"));
}

#[test]
fn who_only_cleans_up_handles_nothing() {
    let errors = r#"At("0s", for: "1m", Errors("psp", status: 503))"#;
    let inner = r#"Try([Call("psp.charge", policy: "short")], finally: [Sleep(Const("1s"))])"#;
    let fails = story(inner, errors);
    assert!(!texts(&fails).iter().any(|text| text.contains("handles")), "{:#?}", texts(&fails));
    assert!(texts(&fails).contains(&"the program cleans up, and fails"), "{:#?}", texts(&fails));
    let undone = story(
        r#"Compensate([Effect("charge", undoes: "charge")]), Call("psp.charge", policy: "short")"#,
        errors,
    );
    assert!(!texts(&undone).iter().any(|text| text.contains("handles")), "{:#?}", texts(&undone));
    // Somebody further out catches it.
    let caught = story(&format!("Try([{inner}], catch: [Sleep(Const(\"1s\"))])"), errors);
    assert!(texts(&caught).contains(&"the program handles it"), "{:#?}", texts(&caught));
}

#[test]
fn an_answer_that_nobody_waits_for_is_too_late() {
    let slow = r#"At("0s", for: "1m", Slow("psp", factor: 30))"#;
    let late =
        story(r#"Try([Call("psp.charge", policy: "short")], catch: [Sleep(Const("3s"))])"#, slow);
    let is_late = |row: &&Row| matches!(row.what, What::Message { fate: Fate::TooLate, .. });
    assert!(late.rows.iter().any(|row| is_late(&row)), "{:#?}", late.rows);
}

#[test]
fn what_comes_again_and_again_is_told_once() {
    let ask = r#"Kv(Incr("n"), store: "redis")"#;
    let program = [ask; 12].join(", ");
    let sequence = story(&program, "");
    let again = |row: &&Row| matches!(row.what, What::Again { .. });
    let row = sequence.rows.iter().find(again).expect("twelve of a kind");
    assert_eq!(row.what, What::Again { rows: 1, times: 11 });
    assert_eq!(texts(&sequence).iter().filter(|text| text.starts_with("Incr")).count(), 1);
}

#[test]
fn who_asks_for_nothing_is_told_what_there_is() {
    let scenario = scenario(r#"Call("psp.charge", policy: "short")"#, "", "");
    let nothing = why(&scenario, 1, &Subject::Violation(1)).unwrap_err();
    assert!(nothing.to_string().contains("user-1"), "{nothing}");
    let nobody = why(&scenario, 1, &Subject::Intent("user-9".to_owned())).unwrap_err();
    assert!(nobody.to_string().contains("user-1"), "{nobody}");
}

#[test]
fn of_a_program_that_serves_nobody_the_end_is_told() {
    let text = r#"Scenario(
        name: "t", about: "", horizon: "2m",
        actors: {
            "user": Client(load: Burst(count: 12), does: [Call("api.pay")]),
            "api": Service(
                workers: 4, endpoints: { "pay": [Respond(201)] },
                jobs: { "sweep": Job(every: "1s", does: [Call("books.sweep")]) },
            ),
            "books": Service(workers: 1, endpoints: { "sweep": [Effect("sweep"), Effect("sweep"), Respond(200)] }),
        },
    )"#;
    let scenario = Scenario::text("t.ron", text).load().unwrap_or_else(|e| panic!("{e:?}"));
    let told = |name: &str| why(&scenario, 1, &Subject::Intent(name.to_owned()));
    let sequence = told("api.sweep").unwrap();
    assert_eq!(sequence.intents, ["api.sweep"]);
    assert!(sequence.rows.len() <= rows::ROWS_MAX, "{}", sequence.rows.len());
    assert!(sequence.rows.last().unwrap().at > Time::ZERO + Span::secs(110), "the last ones");
    assert!(sequence.left_out_before > 100, "{}", sequence.left_out_before);
    assert!(sequence.bounded().unwrap().contains("the end of a long story"));
    assert_eq!(told("user-1").unwrap().bounded(), None);
    // Whoever names nobody hears how many there are, each once.
    let refused = told("user-99").unwrap_err().to_string();
    assert!(refused.ends_with("user-7 and 5 more"), "{refused}");
}

#[test]
fn the_slowest_are_first_those_who_were_told_nothing() {
    let text = r#"Scenario(
        name: "t", about: "", horizon: "10s", limits: (grace: "1s"),
        actors: {
            "user": Client(load: Open(rate: "1/s", until: "5s"), does: [Call("api.pay")]),
            "api": Service(workers: 4, endpoints: { "pay": [Work(Const("1s")), Respond(201)] }),
        },
        faults: [At("2500ms", for: "1s", Slow("api", factor: 3)), At("3500ms", for: "1s", BlackHole("api"))],
    )"#;
    let scenario = Scenario::text("t.ron", text).load().unwrap();
    let slow = Inquiry::new(&scenario, 1).slowest(3);
    assert_eq!(slow[0].lasted, None, "{slow:?}");
    assert_eq!(slow[1].lasted, Some(Span::secs(3)), "{slow:?}");
}
