//! Stores: what programs can say to them, and what they lose when their nodes, their disks, their
//! clocks or their regions fail.

use sim_models::Scenario;
use sim_models::outcome::Outcome;

use crate::support::{call, load, mistakes, run, run_text};

/// One request runs a program with a store beside it. What the program sees goes to the ledger:
/// tests look at the effects, and at when they happened.
fn story(kv: &str, faults: &str, steps: &str) -> Outcome {
    run_text(&text(kv, faults, steps))
}

fn text(kv: &str, faults: &str, steps: &str) -> String {
    format!(
        r#"Scenario(
    name: "story", about: "One request and a store.", horizon: "100s",
    actors: {{
        "user": Client(load: Burst(count: 1), does: [Call("app.run")]),
        "app": Service(workers: 1, endpoints: {{ "run": [
            {steps}
        ] }}),
        "redis": Kv({kv}),
        "redis-us": Kv(),
    }},
    faults: [{faults}],
)"#
    )
}

/// The effects of a run, in order.
fn seen(outcome: &Outcome) -> Vec<&str> {
    outcome.ledger.iter().map(|line| line.kind.as_str()).collect()
}

/// A command whose reply is told as an effect: `name` for the wanted one, else `not name`.
fn expect(op: &str, wanted: &str, name: &str) -> String {
    let kv = format!(r#"Kv({op}, store: "redis", into: "it")"#);
    format!(
        r#"{kv}, If(Eq("{{it}}", {wanted}), then: [Effect("{name}")], else: [Effect("not {name}")]),"#
    )
}

fn kv(op: &str) -> String {
    format!(r#"Kv({op}, store: "redis"),"#)
}

/// The lines of the story that a store tells.
fn told<'a>(outcome: &'a Outcome, store: &str) -> Vec<&'a str> {
    outcome.log.iter().filter(|line| line.who == store).map(|line| line.what.as_str()).collect()
}

#[test]
fn every_command_replies_as_redis_does() {
    let replies = [
        (r#"Set("k", "v")"#, "true"),
        (r#"Set("k", "w", nx: true)"#, "None"),
        (r#"Set("none", "w", xx: true)"#, "None"),
        (r#"Get("k")"#, r#""v""#),
        (r#"Exists("k")"#, "1"),
        (r#"Expire("k", "5s")"#, "1"),
        (r#"Expire("k", "9s", nx: true)"#, "0"),
        (r#"Expire("k", "9s", gt: true)"#, "1"),
        (r#"Expire("k", "9s", xx: true, lt: true)"#, "0"),
        (r#"Set("k", "w", keep_ttl: true)"#, "true"),
        (r#"Persist("k")"#, "1"),
        (r#"Pttl("k")"#, "-1"),
        (r#"GetDel("k")"#, r#""w""#),
        (r#"Pttl("k")"#, "-2"),
        (r#"Del("k")"#, "0"),
        (r#"Incr("n")"#, "1"),
        (r#"IncrBy("n", -5)"#, "-4"),
        (r#"IncrBy("n", "7")"#, "3"),
        (r#"HSet("h", "status", 201)"#, "1"),
        (r#"HSetNx("h", "status", 500)"#, "0"),
        (r#"HGet("h", "status")"#, "201"),
        (r#"HIncrBy("h", "tries", 2)"#, "2"),
        (r#"HLen("h")"#, "2"),
        (r#"HGetAll("h")"#, r#"{"status": 201, "tries": 2}"#),
        (r#"HDel("h", "status")"#, "1"),
        (r#"HGetAll("none")"#, "None"),
        (r#"RPush("l", "a")"#, "1"),
        (r#"RPush("l", "b")"#, "2"),
        (r#"LPush("l", "c")"#, "3"),
        (r#"LIndex("l", -1)"#, r#""b""#),
        (r#"LMove("l", "m")"#, r#""b""#),
        (r#"LPop("l")"#, r#""c""#),
        (r#"RPop("l")"#, r#""a""#),
        (r#"LLen("l")"#, "0"),
        (r#"LIndex("m", 0)"#, r#""b""#),
        (r#"ZAdd("z", 20, "late")"#, "1"),
        (r#"ZAdd("z", 10, "early")"#, "1"),
        (r#"ZRangeByScore("z", 5, 30)"#, r#""early""#),
        (r#"ZRangeByScore("z", 21, 30)"#, "None"),
        (r#"ZScore("z", "late")"#, "20"),
        (r#"ZCard("z")"#, "2"),
        (r#"ZRem("z", "late")"#, "1"),
        (r#"Set("lock", "{execution}", px: "5s")"#, "true"),
        (r#"CompareAndExpire("lock", "other", px: "9s")"#, "0"),
        (r#"CompareAndExpire("lock", "{execution}", px: "9s")"#, "1"),
        (r#"CompareAndSet("lock", "{execution}", "mine", px: "9s")"#, "1"),
        (r#"CompareAndDelete("lock", "mine")"#, "1"),
        (r#"SlidingWindow("w", window: "1s", limit: 1, member: "a")"#, "1"),
        (r#"SlidingWindow("w", window: "1s", limit: 1, member: "b")"#, "0"),
        (r#"FixedWindow("f", window: "1s")"#, "1"),
        (r#"FixedWindow("f", window: "1s")"#, "2"),
    ];
    let step = |(n, (op, wanted)): (usize, &(&str, &str))| expect(op, wanted, &format!("{n}"));
    let steps: String = replies.iter().enumerate().map(step).collect();
    let outcome = story("", "", &steps);
    for ((op, wanted), seen) in replies.iter().zip(seen(&outcome)) {
        assert!(!seen.starts_with("not"), "{op} does not reply {wanted}");
    }
    assert_eq!(outcome.ledger.len(), replies.len());
}

#[test]
fn a_command_that_makes_no_sense_is_a_definite_failure() {
    let steps = r#"
        Kv(RPush("list", 1), store: "redis"),
        Try([Kv(Incr("list"), store: "redis")], catch: [
            If(Eq("{error.status}", 400), then: [Effect("wrong type")]),
        ]),
        Try([Kv(IncrBy("n", "many"), store: "redis")], catch: [
            If(Eq("{error.fate}", "failed"), then: [Effect("no number")]),
        ]),
    "#;
    assert_eq!(seen(&story("", "", steps)), ["wrong type", "no number"]);
}

/// A lock is taken, and 500 ms later, after a failover at 300 ms, somebody asks for it again.
fn lock_and_fail_over(kv_fields: &str, between: &str) -> Outcome {
    let steps = format!(
        r#"{} {between} Sleep(Const("500ms")), {}"#,
        kv(r#"Set("lock", "a", nx: true, px: "30s")"#),
        expect(r#"Set("lock", "b", nx: true, px: "30s")"#, "true", "second owner"),
    );
    story(kv_fields, r#"At("300ms", for: "50ms", Failover("redis"))"#, &steps)
}

#[test]
fn a_failover_loses_the_lock_that_no_replica_has() {
    let lost = lock_and_fail_over(r#"replicas: 1, lag: Const("1s")"#, "");
    assert_eq!(seen(&lost), ["second owner"]);
    let told = told(&lost, "redis");
    assert_eq!(told, ["failover, 1 write lost", "the write to lock is lost"]);
    let kept = lock_and_fail_over(r#"replicas: 1, lag: Const("100ms")"#, "");
    assert_eq!(seen(&kept), ["not second owner"]);
}

#[test]
fn the_replica_that_has_most_takes_over() {
    // Of three replicas with lags up to 600 ms, one has the lock after 300 ms with this seed.
    let fields = r#"replicas: 3, lag: Uniform("0ms", "600ms")"#;
    assert_eq!(seen(&lock_and_fail_over(fields, "")), ["not second owner"]);
}

#[test]
fn who_waits_for_a_replica_keeps_the_lock() {
    let wait = r#"Kv(Wait(1, "5s"), store: "redis", into: "n"),
        If(Eq("{n}", 1), then: [Effect("replicated")]),"#;
    let outcome = lock_and_fail_over(r#"replicas: 1, lag: Const("200ms")"#, wait);
    assert_eq!(seen(&outcome), ["replicated", "not second owner"]);
    let at = outcome.ledger[0].at.as_nanos() / 1_000_000;
    assert_eq!(at, 200, "answered as soon as the replica has the write");
}

#[test]
fn a_wait_ends_with_its_time_and_tells_how_many_have_it() {
    let steps = format!(
        "{} {} {} {}",
        expect(r#"Wait(1, "100ms")"#, "2", "nothing written"),
        kv(r#"Set("k", 1)"#),
        expect(r#"Wait(2, "100ms")"#, "0", "not yet"),
        r#"Parallel([
            [Kv(Wait(2, "100s"), store: "redis"), Effect("waited")],
            [Kv(Get("k"), store: "redis"), Effect("served meanwhile")],
        ]),"#,
    );
    let outcome = story(r#"replicas: 2, lag: Const("3s")"#, "", &steps);
    assert_eq!(seen(&outcome), ["nothing written", "not yet", "served meanwhile", "waited"]);
    let ms: Vec<u64> = outcome.ledger.iter().map(|l| l.at.as_nanos() / 1_000_000).collect();
    assert_eq!(ms, [0, 100, 100, 3000]);
}

#[test]
fn a_failover_breaks_the_connections_of_those_who_wait() {
    let steps = format!(
        r#"{} Try([Kv(Wait(1, "50s"), store: "redis")], catch: [
            If(Eq("{{error.kind}}", "reset"), then: [Effect("reset")]),
        ]),"#,
        kv(r#"Set("k", 1)"#),
    );
    let outcome =
        story(r#"replicas: 1, lag: Const("9s")"#, r#"At("1s", Failover("redis"))"#, &steps);
    assert_eq!(seen(&outcome), ["reset"]);
    assert_eq!(outcome.ledger[0].at.as_nanos(), 1_000_000_000);
}

#[test]
fn a_replica_is_as_old_as_its_lag() {
    let steps = r#"
        Kv(Set("k", "new"), store: "redis"),
        Kv(Get("k"), store: "redis", from: Replica, into: "early"),
        Kv(Get("k"), store: "redis", into: "primary"),
        Sleep(Const("2s")),
        Kv(Get("k"), store: "redis", from: Replica, into: "late"),
        If(Eq("{early}", None), then: [Effect("stale")]),
        If(Eq("{primary}", "new"), then: [Effect("fresh")]),
        If(Eq("{late}", "new"), then: [Effect("caught up")]),
    "#;
    let outcome = story(r#"replicas: 1, lag: Const("1s")"#, "", steps);
    assert_eq!(seen(&outcome), ["stale", "fresh", "caught up"]);
}

/// Writes at 0.5 s and 1.5 s, a crash at 1.8 s; which of the two is there at 3 s?
fn after_a_crash(fields: &str) -> Vec<String> {
    let steps = format!(
        r#"Sleep(Const("500ms")), {} Sleep(Const("1s")), {} Sleep(Const("1500ms")), {} {}"#,
        kv(r#"Set("a", 1)"#),
        kv(r#"Set("b", 1)"#),
        expect(r#"Exists("a")"#, "1", "a"),
        expect(r#"Exists("b")"#, "1", "b"),
    );
    let outcome = story(fields, r#"At("1800ms", for: "100ms", Crash("redis"))"#, &steps);
    seen(&outcome).into_iter().map(str::to_owned).collect()
}

#[test]
fn a_crash_leaves_what_the_file_has() {
    assert_eq!(after_a_crash(""), ["not a", "not b"]);
    assert_eq!(after_a_crash("persistence: Aof(fsync: Always)"), ["a", "b"]);
    assert_eq!(after_a_crash("persistence: Aof(fsync: EverySec)"), ["a", "not b"]);
    assert_eq!(after_a_crash("persistence: Aof(fsync: No)"), ["not a", "not b"]);
    // Replicas follow the primary that comes back, as empty as it may be.
    let steps = format!(
        r#"{} Sleep(Const("2s")), Kv(Get("k"), store: "redis", from: Replica, into: "k"),
        If(Eq("{{k}}", None), then: [Effect("empty too")]),"#,
        kv(r#"Set("k", 1)"#)
    );
    let outcome = story("replicas: 1", r#"At("1s", for: "100ms", Crash("redis"))"#, &steps);
    assert_eq!(seen(&outcome), ["empty too"]);
}

#[test]
fn a_clock_that_jumps_ends_a_lock_early() {
    let steps = format!(
        r#"{} Sleep(Const("2s")), {}"#,
        kv(r#"Set("lock", "a", px: "30s")"#),
        expect(r#"Set("lock", "b", nx: true)"#, "true", "second owner"),
    );
    let jump = r#"At("1s", ClockStep("redis", forward: "1h"))"#;
    assert_eq!(seen(&story("", jump, &steps)), ["second owner"]);
    let back = r#"At("1s", ClockStep("redis", back: "1h"))"#;
    assert_eq!(seen(&story("", back, &steps)), ["not second owner"]);
}

#[test]
fn a_clock_that_jumps_and_returns_spares_what_nobody_deletes() {
    let steps = format!(
        r#"{} Sleep(Const("3s")), {}"#,
        kv(r#"Set("lock", "a", px: "30s")"#),
        expect(r#"Exists("lock")"#, "1", "there"),
    );
    let jump = r#"At("1s", for: "1s", ClockStep("redis", forward: "1h"))"#;
    assert_eq!(seen(&story("", jump, &steps)), ["not there"], "as Redis does by default");
    assert_eq!(seen(&story("active_expiry: false", jump, &steps)), ["there"]);
}

#[test]
fn a_store_out_of_memory_reads_and_deletes_and_cannot_record() {
    let steps = format!(
        r#"{} Sleep(Const("1s")),
        Try([{}], catch: [
            If(All([Eq("{{error.fate}}", "failed"), Eq("{{error.status}}", 503)]),
                then: [Effect("refused")]),
        ]),
        Try([{}], catch: [Effect("nor scripts")]),
        Try([{}], catch: [Effect("nor queued")]),
        {} {} Sleep(Const("2s")), {}"#,
        kv(r#"Set("record", "done")"#),
        kv(r#"Set("next", "done")"#),
        kv(r#"FixedWindow("f", window: "1s")"#),
        kv(r#"Multi([Get("record")])"#),
        expect(r#"Get("record")"#, r#""done""#, "read"),
        expect(r#"Del("record")"#, "1", "deleted"),
        expect(r#"Set("next", "done")"#, "true", "healed"),
    );
    let outcome = story("", r#"At("500ms", for: "2s", OutOfMemory("redis"))"#, &steps);
    let expected = ["refused", "nor scripts", "nor queued", "read", "deleted", "healed"];
    assert_eq!(seen(&outcome), expected);
}

/// Writes two locks, a key that stays and a record that ends late, and lets memory run short.
fn pressed(fault: &str) -> Scenario {
    let steps = format!(
        r#"{} Sleep(Const("1s")), {} Sleep(Const("1s")), {} {} Sleep(Const("2s")), {} {} {} {}"#,
        kv(r#"Set("lock-1", 1, px: "30s")"#),
        kv(r#"Set("stays", 1)"#),
        kv(r#"Set("lock-2", 1, px: "20s")"#),
        kv(r#"Set("record", 1, ex: "24h")"#),
        expect(r#"Exists("lock-1")"#, "0", "lock-1"),
        expect(r#"Exists("lock-2")"#, "0", "lock-2"),
        expect(r#"Exists("record")"#, "0", "record"),
        expect(r#"Exists("stays")"#, "0", "stays"),
    );
    load(&text("", &format!(r#"At("3s", {fault})"#), &steps), None, &[])
}

/// The keys that are gone.
fn gone(outcome: &Outcome) -> Vec<&str> {
    seen(outcome).into_iter().filter(|kind| !kind.starts_with("not")).collect()
}

#[test]
fn memory_pressure_takes_locks_and_records() {
    let outcome = run(&pressed(r#"Evict("redis")"#));
    assert_eq!(gone(&outcome), ["lock-1", "lock-2", "record"], "and spares what would stay");
    assert_eq!(told(&outcome, "redis"), ["3 keys evicted"]);
    let outcome = run(&pressed(r#"Evict("redis", policy: AllKeysRandom)"#));
    assert_eq!(gone(&outcome).len(), 4);
}

#[test]
fn memory_pressure_takes_in_the_main_what_its_policy_names() {
    let first = |policy: &str, share: f64, wanted: &[&str]| {
        let scenario = pressed(&format!(r#"Evict("redis", policy: {policy}, share: {share})"#));
        (0..40).filter(|seed| gone(&scenario.run(*seed)) == wanted).count()
    };
    assert!(first("VolatileLru", 0.34, &["lock-1"]) >= 28, "the longest unused");
    assert!(first("VolatileTtl", 0.34, &["lock-2"]) >= 28, "the soonest to end");
    assert!(first("AllKeysLru", 0.25, &["lock-1"]) >= 24, "of all keys");
    let by_luck = first("VolatileRandom", 0.34, &["record"]);
    assert!((4..=24).contains(&by_luck), "{by_luck}");
}

#[test]
fn a_watched_key_that_changes_calls_the_commands_off() {
    let change = [
        ("", "true"),
        (r#"Set("k", "v")"#, "None"),
        (r#"Get("k")"#, "true"),
        (r#"Set("other", "v")"#, "true"),
    ];
    for (between, wanted) in change {
        let between = if between.is_empty() { String::new() } else { kv(between) };
        let steps = format!(
            "{} {} {between} {} {}",
            kv(r#"Set("k", "v", px: "5s")"#),
            kv(r#"Watch("k")"#),
            expect(r#"Multi([Set("k", "w"), Effect("order")])"#, wanted, "as expected"),
            expect(r#"Multi([Set("k", "w")])"#, "true", "watches no more"),
        );
        let outcome = story("", "", &steps);
        let order: &[&str] = if wanted == "true" { &["order"] } else { &[] };
        let expected = [order, &["as expected", "watches no more"]].concat();
        assert_eq!(seen(&outcome), expected, "{between}");
    }
}

#[test]
fn a_watched_key_that_expires_or_falls_with_its_store_calls_the_commands_off() {
    let steps = |length: &str| {
        format!(
            r#"{} {} Sleep(Const("2s")), {}"#,
            kv(&format!(r#"Set("k", "v", px: "{length}")"#)),
            kv(r#"Watch("k")"#),
            expect(r#"Multi([Set("done", 1)])"#, "None", "called off"),
        )
    };
    assert_eq!(seen(&story("", "", &steps("1s"))), ["called off"]);
    assert_eq!(seen(&story("", "", &steps("9s"))), ["not called off"]);
    let failover = r#"At("1s", Failover("redis"))"#;
    assert_eq!(seen(&story("replicas: 1", failover, &steps("9s"))), ["called off"]);
}

#[test]
fn an_error_in_multi_undoes_nothing_and_one_in_a_transaction_everything() {
    let steps = format!(
        "{} {} {} {} {}",
        kv(r#"RPush("list", 1)"#),
        expect(r#"Multi([Set("a", 1), Incr("list"), Effect("multi")])"#, "true", "done anyway"),
        expect(r#"Exists("a")"#, "1", "a"),
        expect(
            r#"Transaction([Set("b", 1), Incr("list"), Effect("transaction")])"#,
            "None",
            "undone"
        ),
        expect(r#"Exists("b")"#, "0", "no b"),
    );
    assert_eq!(seen(&story("", "", &steps)), ["multi", "done anyway", "a", "undone", "no b"]);
}

#[test]
fn a_transaction_is_refused_by_any_condition_and_restores_what_was_there() {
    let refusals = [
        r#"Set("there", 2, nx: true)"#,
        r#"Set("none", 2, xx: true)"#,
        r#"HSetNx("hash", "f", 2)"#,
        r#"CompareAndDelete("there", 7)"#,
        r#"CompareAndExpire("there", 7, px: "1s")"#,
        r#"CompareAndSet("there", 7, 8, px: "1s")"#,
    ];
    for refused in refusals {
        let list = format!(
            r#"Transaction([IncrBy("n", 5), Del("hash"), HSet("hash", "f", 3), Set("there", 3), {refused}])"#
        );
        let steps = format!(
            "{} {} {} {} {} {}",
            kv(r#"Set("there", 1, px: "9s")"#),
            kv(r#"HSet("hash", "f", 1)"#),
            expect(&list, "None", "refused"),
            expect(r#"HGet("hash", "f")"#, "1", "hash"),
            expect(r#"Get("there")"#, "1", "there"),
            expect(r#"Exists("n")"#, "0", "no n"),
        );
        assert_eq!(seen(&story("", "", &steps)), ["refused", "hash", "there", "no n"], "{refused}");
    }
}

#[test]
fn an_effect_of_a_transaction_happens_once_per_key_at_the_store() {
    let steps = format!(
        "{} {} Try([{}])",
        kv(r#"Transaction([Set("order", 1, nx: true), Effect("order", once: "{intent}")])"#),
        kv(r#"Transaction([Set("order", 1), Effect("order", once: "{intent}")])"#),
        kv(r#"Transaction([Set("order", 1, nx: true), Effect("order")])"#),
    );
    let outcome = story("", "", &steps);
    assert_eq!(seen(&outcome), ["order"]);
    assert_eq!(outcome.ledger[0].actor, "redis");
}

#[test]
fn a_transaction_reaches_a_replica_whole() {
    let steps = format!(
        r#"{} Sleep(Const("1s")), {} {}"#,
        kv(r#"Transaction([Set("a", 1), Set("b", 1)])"#),
        expect(r#"Exists("a")"#, "0", "no a"),
        expect(r#"Exists("b")"#, "0", "no b"),
    );
    let fields = r#"replicas: 1, lag: Const("700ms")"#;
    let outcome = story(fields, r#"At("500ms", Failover("redis"))"#, &steps);
    assert_eq!(seen(&outcome), ["no a", "no b"]);
    assert_eq!(told(&outcome, "redis")[0], "failover, 1 write lost");
}

/// Two stores that copy to each other over a link of one second.
fn regions(steps: &str, faults: &str) -> Outcome {
    let text = text(r#"copies_to: ["redis-us"]"#, faults, steps);
    let text = text.replace("\"redis-us\": Kv()", r#""redis-us": Kv(copies_to: ["redis"])"#);
    let link = r#"links: [Link(from: "redis", to: "redis-us", latency: Const("1s"))], faults:"#;
    run_text(&text.replacen("faults:", link, 1))
}

fn at_us(op: &str, into: &str) -> String {
    format!(r#"Kv({op}, store: "redis-us", into: "{into}"),"#)
}

#[test]
fn a_write_reaches_another_region_after_the_link() {
    let steps = format!(
        r#"{} Sleep(Const("900ms")), {} Sleep(Const("200ms")), {} {}
        If(Eq("{{early}}", 0), then: [Effect("not yet")]),
        If(Eq("{{late}}", 1), then: [Effect("there")]),
        If(Lt("{{ttl}}", 29000), then: [Effect("with its deadline")]),"#,
        kv(r#"Set("key", 1, px: "30s")"#),
        at_us(r#"Exists("key")"#, "early"),
        at_us(r#"Exists("key")"#, "late"),
        at_us(r#"Pttl("key")"#, "ttl"),
    );
    assert_eq!(seen(&regions(&steps, "")), ["not yet", "there", "with its deadline"]);
}

#[test]
fn the_last_writer_wins_in_both_regions() {
    let steps = format!(
        r#"{} Sleep(Const("500ms")), {} Sleep(Const("3s")), {} {}
        If(Eq("{{us}}", "second"), then: [Effect("us")]),"#,
        kv(r#"Set("key", "first")"#),
        at_us(r#"Set("key", "second")"#, "_"),
        at_us(r#"Get("key")"#, "us"),
        expect(r#"Get("key")"#, r#""second""#, "eu"),
    );
    assert_eq!(seen(&regions(&steps, "")), ["eu", "us"]);
    // By a clock that is an hour late the second write is the earlier one.
    let late = r#"At("0s", ClockStep("redis-us", back: "1h"))"#;
    assert_eq!(seen(&regions(&steps, late)), ["not eu"]);
}

#[test]
fn a_key_that_expires_here_does_not_end_what_was_written_there() {
    let steps = format!(
        r#"{} Sleep(Const("2s")), {} {} Sleep(Const("3s")), {}
        If(Eq("{{us}}", "new"), then: [Effect("us")]),"#,
        kv(r#"Set("key", "old", px: "1s")"#),
        at_us(r#"Set("key", "new")"#, "_"),
        expect(r#"Get("key")"#, "None", "expired"),
        at_us(r#"Get("key")"#, "us"),
    );
    assert_eq!(seen(&regions(&steps, "")), ["expired", "us"]);
}

#[test]
fn a_write_waits_for_a_region_that_cannot_be_reached() {
    let steps = format!(
        r#"{} Sleep(Const("10s")), {} Sleep(Const("10s")), {}
        If(Eq("{{cut}}", 0), then: [Effect("cut off")]),
        If(Eq("{{healed}}", 1), then: [Effect("healed")]),"#,
        kv(r#"Set("key", 1)"#),
        at_us(r#"Exists("key")"#, "cut"),
        at_us(r#"Exists("key")"#, "healed"),
    );
    for fault in [r#"Partition("redis", "redis-us")"#, r#"BlackHole("redis")"#] {
        let cut = format!(r#"At("0s", for: "12s", {fault})"#)
            .replace("BlackHole(\"redis\")", r#"Loss("redis", "redis-us", 1.0)"#);
        assert_eq!(seen(&regions(&steps, &cut)), ["cut off", "healed"], "{fault}");
    }
}

#[test]
fn a_program_reads_its_own_clock_and_adds() {
    let steps = r#"
        Sleep(Const("2s")),
        Let("before", "{now}"), Add("deadline", "{before}", 1500),
        If(Eq("{deadline}", 3500), then: [Effect("sum")]),
        Label("here"),
        If(Eq("{now}", 62000), then: [Effect("jumped")]),
        Sleep(Const("1s")),
        If(Eq("{now}", 3000), then: [Effect("right again")]),
        Add("x", "{now}", "a word"),
        If(Eq("{x}", None), then: [Effect("no number")]),
        Add("most", 9223372036854775807, 1),
        If(Eq("{most}", 9223372036854775807), then: [Effect("saturates")]),
    "#;
    let fault = r#"After("app.run/here", for: "500ms", ClockStep("app", forward: "1m"))"#;
    let expected = ["sum", "jumped", "right again", "no number", "saturates"];
    assert_eq!(seen(&story("", fault, steps)), expected);
}

#[test]
fn a_flush_reaches_replicas_and_files() {
    let steps = format!(
        r#"{} Sleep(Const("3s")), {} Kv(Get("k"), store: "redis", from: Replica, into: "k"),
        If(Eq("{{k}}", None), then: [Effect("nor there")]),"#,
        kv(r#"Set("k", 1)"#),
        expect(r#"Exists("k")"#, "0", "gone"),
    );
    let fields = "replicas: 1, persistence: Aof()";
    let faults = r#"At("500ms", Flush("redis")), At("1500ms", for: "1s", Crash("redis"))"#;
    assert_eq!(seen(&story(fields, faults, &steps)), ["gone", "nor there"]);
}

#[test]
fn a_count_is_not_repeated_in_doubt_and_a_write_is() {
    let retries = |op: &str| {
        let steps = format!(
            r#"Try([Kv({op}, store: "redis", policy: "hasty")], catch: []), Effect("over"),"#
        );
        let text = text("", r#"At("0s", Partition("redis", "app", both_ways: false))"#, &steps);
        let policies = r#"policies: { "hasty": [Retry(attempts: 3), Timeout("1s")] }, faults:"#;
        let outcome = run_text(&text.replacen("faults:", policies, 1));
        call(&outcome, "app", "redis").retries
    };
    for once in [
        r#"Incr("n")"#,
        r#"LMove("a", "b")"#,
        r#"FixedWindow("f", window: "1s")"#,
        r#"Multi([Set("k", 1), Incr("n")])"#,
        r#"Transaction([Set("k", 1), Effect("order")])"#,
    ] {
        assert_eq!(retries(once), 0, "{once}");
    }
    for again in [
        r#"Set("k", 1)"#,
        r#"CompareAndDelete("k", 1)"#,
        r#"Transaction([Set("k", 1), Effect("order", once: "{intent}")])"#,
    ] {
        assert_eq!(retries(again), 2, "{again}");
    }
}

#[test]
fn watches_that_are_never_used_are_forgotten() {
    let text = |steps: &str| {
        format!(
            r#"Scenario(
            name: "watchers", about: "Many who watch.", horizon: "100s",
            actors: {{
                "users": Client(load: Open(rate: "500/s", until: "99s"), does: [Call("app.run")]),
                "app": Service(workers: 100, endpoints: {{ "run": [{steps}] }}),
                "redis": Kv(),
            }},
            limits: (memory_mib: 16),
        )"#
        )
    };
    // Each of 49,500 executions watches 20 keys and then ends: 16 MiB hold a few thousand of them.
    let watch = kv(r#"Watch("key-{n}")"#);
    let outcome = run_text(&text(&format!(
        r#"Let("n", 0), Loop(20, [Add("n", "{{n}}", 1), {watch} {watch}])"#
    )));
    assert_eq!(outcome.limit, None);
}

fn refused(text: &str, wanted: &[&str]) {
    let told = mistakes(text);
    for wanted in wanted {
        assert!(told.contains(wanted), "`{wanted}` is missing from:\n{told}\n{text}");
    }
}

#[test]
fn commands_that_a_store_would_refuse_are_refused_at_their_place() {
    for (op, wanted) in [
        (r#"Gte("k")"#, &["test.ron:6:", "Gte", "`Get`"][..]),
        (r#"Set("k", 1, nx: true, xx: true)"#, &["test.ron:6:", "NX or XX"]),
        (r#"Set("k", 1, px: "0s")"#, &["test.ron:6:", "px", "at least 1"]),
        (r#"Set("k", 1, px: "-1s")"#, &["test.ron:6:", "-1s"]),
        (r#"Set("k", 1, ex: "1500ms")"#, &["whole seconds"]),
        (r#"Set("k", 1, ex: "1s", keep_ttl: true)"#, &["KEEPTTL"]),
        (r#"Expire("k", "0s")"#, &["after", "at least 1"]),
        (r#"Expire("k", "1s", nx: true, gt: true)"#, &["exclude each other", "NX alone"]),
        (r#"FixedWindow("k", window: "10us")"#, &["window", "whole milliseconds"]),
        (r#"Wait(1, "1s")"#, &["`redis` has no replicas", "give the store `replicas`"]),
        (r#"Get("k"), from: Replica"#, &["`redis` has no replicas"]),
        (r#"Effect("order")"#, &["Effect is no command of its own", "Multi or Transaction"]),
        (r#"Multi([])"#, &["Multi of no commands"]),
        (r#"Multi([Get("k"), Watch("k")])"#, &["Watch cannot be one of several commands"]),
        (r#"Transaction([Multi([Get("k")])])"#, &["Multi cannot be one of several"]),
        (r#"Transaction([Wait(1, "1s")])"#, &["Wait cannot be one of several"]),
        (r#"Multi([Set("k", 1, px: "0s")])"#, &["px", "at least 1"]),
        (r#"Multi([Set("{nothing}", 1)])"#, &["test.ron:6:", "nothing gives `{nothing}`"]),
    ] {
        let steps = format!(r#"Kv({op}, store: "redis")"#);
        refused(&text("", "", &steps), wanted);
    }
    let replicas = "replicas: 2";
    refused(&text(replicas, "", &kv(r#"Wait(3, "1s")"#)), &["replicas = 3", "1..=2"]);
    refused(&text(replicas, "", &kv(r#"Wait(1, "0s")"#)), &["timeout", "above zero"]);
    let write = r#"Kv(Set("k", 1), store: "redis", from: Replica)"#;
    refused(&text(replicas, "", write), &["a replica takes no Set", "only reads"]);
}

#[test]
fn stores_and_faults_that_cannot_be_are_refused_at_their_place() {
    for (fields, wanted) in [
        (r#"lag: Const("1s")"#, &["test.ron:8:", "without replicas has no lag"][..]),
        ("replicas: 99", &["replicas = 99", "0..=16"]),
        (r#"copies_to: ["redis-eu"]"#, &["test.ron:8:", "redis-eu", "did you mean `redis-us`"]),
        (r#"copies_to: ["redis"]"#, &["does not copy to itself"]),
        (r#"copies_to: ["app"]"#, &["`app` is no store"]),
        (r#"copies_to: ["redis-us", "redis-us"]"#, &["stands here twice"]),
        ("persistence: Aof(fsync: Often)", &["Often", "EverySec"]),
    ] {
        refused(&text(fields, "", ""), wanted);
    }
    for (fault, wanted) in [
        (r#"Failover("redis")"#, &["test.ron:11:", "no replica that could take over"][..]),
        (r#"Failover("app")"#, &["`app` is no store"]),
        (r#"ClockStep("redis")"#, &["either `forward` or `back`"]),
        (r#"ClockStep("redis", forward: "1s", back: "1s")"#, &["either `forward` or `back`"]),
        (r#"ClockStep("redis", forward: "0s")"#, &["forward", "above zero"]),
        (r#"ClockStep("user", back: "1s")"#, &["`user` is no service or store"]),
        (r#"OutOfMemory("app")"#, &["`app` is no store"]),
        (r#"Evict("redis", share: 1.5)"#, &["share = 1.5", "0..=1"]),
        (r#"Evict("redis", policy: NoEviction)"#, &["evicts nothing", "OutOfMemory"]),
        (r#"Evict("redis", policy: VolatileLrv)"#, &["VolatileLrv", "did you mean `VolatileLru`"]),
    ] {
        refused(&text("", &format!(r#"At("1s", {fault})"#), ""), wanted);
    }
}

#[test]
fn a_run_with_every_store_fault_repeats_bit_for_bit() {
    let text = text(
        r#"replicas: 2, lag: Exponential("300ms"), persistence: Aof(), copies_to: ["redis-us"]"#,
        r#"At("2s", for: "1s", Failover("redis")), At("4s", for: "1s", Crash("redis")),
           At("6s", Evict("redis", policy: AllKeysRandom, share: 0.5)),
           At("7s", for: "1s", ClockStep("redis", forward: "1h"))"#,
        r#"Loop(90, [Sleep(Exponential("100ms")), Try([
            Kv(Set("k-{execution}", "{now}", px: "3s"), store: "redis"),
            Kv(Transaction([Incr("n"), Effect("count")]), store: "redis"),
            Kv(Wait(1, "50ms"), store: "redis"),
        ], catch: [])])"#,
    );
    let scenario = Scenario::text("test.ron", text).load().expect("a scenario");
    let outcome = run(&scenario);
    assert!(outcome.ledger.len() > 20, "{}", outcome.ledger.len());
    assert_eq!(outcome.digest, run(&scenario).digest);
    assert_ne!(outcome.digest, scenario.run(2).digest);
}

/// Reads a key from a node, and tells whether it is there.
fn read(from: &str, name: &str) -> String {
    format!(
        r#"Kv(Get("k"), store: "redis", from: {from}, into: "it"),
        If(Is("{{it}}"), then: [Effect("{name}")], else: [Effect("not {name}")]),"#
    )
}

fn sleep(length: &str) -> String {
    format!(r#"Sleep(Const("{length}")),"#)
}

#[test]
fn a_named_replica_is_cut_off_and_the_other_is_not() {
    let steps = [
        kv(r#"Set("k", 1)"#),
        sleep("3s"),
        read(r#"Named("east")"#, "east"),
        read(r#"Named("west")"#, "west"),
        read("Replica", "first"),
        sleep("5s"),
        read(r#"Named("east")"#, "healed"),
    ];
    let kv = r#"replicas: ["east", "west"], lag: Const("1s")"#;
    let cut = r#"At("0s", for: "5s", Lag("redis", replica: "east"))"#;
    let outcome = story(kv, cut, &steps.concat());
    assert_eq!(seen(&outcome), ["not east", "west", "not first", "healed"]);
    let outcome = story(kv, "", &steps.concat());
    assert_eq!(seen(&outcome), ["east", "west", "first", "healed"]);
}

#[test]
fn replicas_fall_further_behind_and_no_write_overtakes_another() {
    let steps = [
        sleep("1s"),
        kv(r#"Set("k", 1)"#),
        sleep("3s"),
        read("Replica", "early"),
        sleep("3s"),
        read(r#"Named("1")"#, "late"),
    ];
    let lag = r#"At("0s", for: "2s", Lag("redis", by: "5s"))"#;
    assert_eq!(seen(&story("replicas: 1", lag, &steps.concat())), ["not early", "late"]);
}

#[test]
fn who_waits_for_a_replica_that_is_cut_off_waits_until_it_heals_or_the_time_is_over() {
    let waits = |timeout: &str| {
        let steps = [
            kv(r#"Set("k", 1)"#),
            expect(&format!(r#"Wait(1, timeout: "{timeout}")"#), "1", "acknowledged"),
        ];
        let cut = r#"At("0s", for: "2s", Lag("redis"))"#;
        let outcome = story("replicas: 1", cut, &steps.concat());
        let line = &outcome.ledger[0];
        (line.kind.clone(), line.at.as_nanos() / 100_000_000)
    };
    assert_eq!(waits("1s"), ("not acknowledged".to_owned(), 10));
    assert_eq!(waits("5s"), ("acknowledged".to_owned(), 20));
}

#[test]
fn a_failover_goes_to_a_replica_that_lags_and_what_it_lacks_is_lost() {
    let steps = [
        kv(r#"Set("k", 1)"#),
        sleep("2s"),
        read("Primary", "before"),
        sleep("1s"),
        read("Primary", "after"),
    ];
    let faults = r#"At("0s", Lag("redis")), At("2500ms", Failover("redis"))"#;
    let outcome = story("replicas: 1", faults, &steps.concat());
    assert_eq!(seen(&outcome), ["before", "not after"]);
    // The one that has more takes over.
    let one = r#"At("0s", Lag("redis", replica: "1")), At("2500ms", Failover("redis"))"#;
    assert_eq!(seen(&story("replicas: 2", one, &steps.concat())), ["before", "after"]);
}

#[test]
fn an_old_primary_serves_who_has_not_heard_and_its_writes_are_lost() {
    let steps = [
        kv(r#"Set("k", 1)"#),
        sleep("2s"),
        read("Primary", "kept"),
        kv(r#"Set("k", "2")"#),
        expect(r#"Get("k")"#, r#""2""#, "own"),
        read(r#"Named("1")"#, "replica"),
        sleep("5s"),
        expect(r#"Get("k")"#, "1", "lost"),
    ];
    let split = r#"At("1s", for: "4s", SplitBrain("redis", "app"))"#;
    let outcome = story("replicas: 1", split, &steps.concat());
    assert_eq!(seen(&outcome), ["kept", "own", "replica", "lost"]);
    let told = told(&outcome, "redis");
    assert!(told.contains(&"the old primary is a replica now, 1 write lost"), "{told:?}");
    assert!(told.contains(&"failover, 0 writes lost"), "{told:?}");
}

/// What no replica had is lost when one of them takes over, and not once more when the old primary
/// has served its time.
#[test]
fn each_write_that_a_split_loses_is_lost_once() {
    for (before, after) in [(0, 1), (1, 1), (3, 2), (2, 0)] {
        let write = |n: usize| kv(&format!(r#"Set("k{n}", 1)"#));
        let writes: String = (0..before).map(write).collect();
        let later: String = (before..before + after).map(write).collect();
        let steps = format!("{writes} {} {later}", sleep("2s"));
        let split = r#"At("1s", for: "5s", SplitBrain("redis", "app"))"#;
        let outcome = story(r#"replicas: 1, lag: Const("10s")"#, split, &steps);
        let told = told(&outcome, "redis");
        let lost = |what: &str, n: usize| {
            let writes = if n == 1 { "write" } else { "writes" };
            told.iter().any(|line| *line == format!("{what}, {n} {writes} lost"))
        };
        assert!(lost("failover", before), "{before}, {after}: {told:?}");
        assert!(lost("the old primary is a replica now", after), "{before}, {after}: {told:?}");
    }
}

#[test]
fn two_instances_hold_one_lock_while_the_brain_is_split() {
    let text = r#"Scenario(
        name: "split", about: "Two instances and two primaries.", horizon: "20s",
        actors: {
            "users": Client(load: Open(rate: "1/s", arrivals: Constant, until: "4s"),
                does: [Call("api.pay")]),
            "api": Service(workers: 4, instances: 2, balancer: RoundRobin, endpoints: { "pay": [
                Kv(Set("lock", "{execution}", nx: true, px: "1m"), store: "redis", into: "mine"),
                If(Is("{mine}"), then: [Effect("charge")]),
            ] }),
            "redis": Kv(replicas: 1),
        },
        faults: [FAULT],
    )"#;
    let held =
        |fault: &str| crate::support::effects(&run_text(&text.replace("FAULT", fault)), "charge");
    assert_eq!(held(""), 1);
    assert_eq!(held(r#"At("0s", for: "10s", SplitBrain("redis", "api", instance: 1))"#), 2);
    assert_eq!(held(r#"At("0s", for: "10s", SplitBrain("redis", "api"))"#), 1);
}

#[test]
fn a_primary_that_hears_of_too_few_replicas_refuses_writes() {
    let write = |name: &str, op: &str| {
        format!(
            r#"Try([Kv({op}, store: "redis"), Effect("{name}")], catch: [
                If(Eq("{{error.status}}", 503), then: [Effect("no {name}")]),
            ]),"#
        )
    };
    let steps = [
        kv(r#"Set("k", 1)"#),
        sleep("2s"),
        write("in time", r#"Set("a", 1)"#),
        sleep("4s"),
        write("write", r#"Set("b", 1)"#),
        write("queued", r#"Multi([Set("b", 1)])"#),
        write("transaction", r#"Transaction([Set("b", 1)])"#),
        write("script", r#"CompareAndDelete("k", 1)"#),
        write("script that changes nothing", r#"CompareAndDelete("k", 2)"#),
        read("Primary", "read"),
        sleep("8s"),
        write("healed", r#"Set("c", 1)"#),
    ];
    let kv = r#"replicas: 1, min_replicas_to_write: 1, min_replicas_max_lag: "3s""#;
    let wanted = [
        "in time",
        "no write",
        "no queued",
        "no transaction",
        "no script",
        "script that changes nothing",
        "read",
        "healed",
    ];
    let cut = r#"At("1s", for: "10s", Lag("redis"))"#;
    assert_eq!(seen(&story(kv, cut, &steps.concat())), wanted);
    // A command takes 100 us. At the very end of the time the replica still counts.
    let at = |until: &str| {
        let steps = [sleep(until), write("write", r#"Set("b", 1)"#)].concat();
        seen(&story(kv, cut, &steps)).join(", ")
    };
    assert_eq!(at("3999900us"), "write");
    assert_eq!(at("3999901us"), "no write");
    // An old primary is one that nobody follows: it stops by itself.
    let split = r#"At("1s", for: "10s", SplitBrain("redis", "app"))"#;
    assert_eq!(seen(&story(kv, split, &steps.concat())), wanted);
    // However far behind, a replica that is heard of counts.
    let lag = r#"At("1s", for: "10s", Lag("redis", by: "1m"))"#;
    let outcome = story(kv, lag, &steps.concat());
    assert!(seen(&outcome).iter().all(|kind| !kind.starts_with("no ")), "{:?}", seen(&outcome));
}

#[test]
fn replicas_that_there_are_not_are_refused_by_name() {
    let faults = |kv: &str, fault: &str| mistakes(&text(kv, &format!(r#"At("1s", {fault})"#), ""));
    let told = faults(r#"replicas: ["east"]"#, r#"Lag("redis", replica: "esat")"#);
    assert!(told.contains("`redis` has no replica `esat`"), "{told}");
    assert!(told.contains("did you mean `east`?"), "{told}");
    let told = faults("", r#"Lag("redis")"#);
    assert!(told.contains("has no replica that could lag"), "{told}");
    let told = faults("replicas: 1", r#"SplitBrain("redis", "user")"#);
    assert!(told.contains("`user` sends no commands to `redis`"), "{told}");
    let told = mistakes(&text("replicas: 1", "", &read(r#"Named("2")"#, "x")));
    assert!(told.contains("has no replica `2`") && told.contains("only `1` is known"), "{told}");
    let told = mistakes(&text(r#"replicas: 1, min_replicas_to_write: 2"#, "", ""));
    assert!(told.contains("at most the number of replicas, 1"), "{told}");
    let told = mistakes(&text(r#"replicas: 17"#, "", ""));
    assert!(told.contains("0..=16"), "{told}");
    let told = mistakes(&text(r#"replicas: ["a", "a"]"#, "", ""));
    assert!(told.contains("`a` stands here twice"), "{told}");
}
