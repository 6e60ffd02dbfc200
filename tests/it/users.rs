//! What users do of their own accord, in the middle of everything, and copies that come late.

use sim_models::outcome::Outcome;

use crate::support::{broken, call, effects, mistakes, run_text};

/// Two shoppers buy. The shop takes a second, and charges once for each key for an hour. Whoever
/// asks for a refund hears that it is granted; what was charged by then is given back.
fn shop(client: &str, faults: &str, invariants: &str) -> Outcome {
    run_text(&text(client, faults, invariants))
}

fn text(client: &str, faults: &str, invariants: &str) -> String {
    format!(
        r#"Scenario(
            name: "shop", about: "Users do as they please.", horizon: "3h",
            actors: {{
                "shoppers": Client(
                    load: Burst(count: 2), does: [Call("shop.buy", key: "{{key}}")], {client}
                ),
                "shop": Service(workers: 9, instances: 2, endpoints: {{
                    "buy": [
                        Work(Const("1s")),
                        Kv(Set("{{key}}", 1, nx: true, ex: "1h"), store: "redis", into: "first"),
                        If(Is("{{first}}"), then: [Effect("charge")]),
                    ],
                    "refund": [
                        Kv(Get("{{key}}"), store: "redis", into: "paid"),
                        If(Is("{{paid}}"), then: [Effect("refund", undoes: "charge")]),
                    ],
                }}),
                "redis": Kv(),
            }},
            faults: [{faults}],
            invariants: [{invariants}],
        )"#
    )
}

const REFUND: &str = r#"refund: [Call("shop.refund", key: "{key}"), Refunded("charge")],"#;

/// How often each of the two was charged.
fn charges(outcome: &Outcome) -> [usize; 2] {
    let of = |intent: &str| {
        let is_own = |line: &&sim_models::outcome::LedgerLine| {
            line.kind == "charge" && line.intent == intent
        };
        outcome.ledger.iter().filter(is_own).count()
    };
    [of("shoppers-1"), of("shoppers-2")]
}

/// How many requests the shop was sent.
fn asked(outcome: &Outcome) -> u64 {
    call(outcome, "shoppers", "shop").attempts
}

#[test]
fn a_second_click_has_the_same_key_and_a_new_beginning_another() {
    let click = shop("", r#"At("500ms", User("shoppers", Click))"#, r#"AtMostOnce("charge")"#);
    assert_eq!((charges(&click), asked(&click)), ([1, 1], 4));
    assert!(broken(&click).is_empty());
    let anew = shop("", r#"At("500ms", User("shoppers", NewKey))"#, r#"AtMostOnce("charge")"#);
    assert_eq!(charges(&anew), [2, 2]);
    assert_eq!(broken(&anew), [r#"AtMostOnce("charge")"#]);
}

#[test]
fn at_a_point_it_is_the_user_whose_intent_passes() {
    let second = r#"After("shop.buy/Work", nth: 2, User("shoppers", NewKey))"#;
    assert_eq!(charges(&shop("", second, "")), [1, 2]);
    let late = r#"At("2s", User("shoppers", Click))"#;
    assert_eq!(asked(&shop("", late, "")), 2, "nobody waits any more");
}

#[test]
fn who_gives_up_begins_anew_as_often_as_the_client_says() {
    let impatient = |client: &str| {
        let client = format!(r#"patience: "400ms", {client}"#);
        let outcome = shop(&client, "", r#"AllAnswered, SettlesWithin("60s")"#);
        (charges(&outcome), asked(&outcome))
    };
    assert_eq!(impatient(""), ([1, 1], 2));
    assert_eq!(impatient("new_keys: 2,"), ([3, 3], 6));
    let told = shop(r#"patience: "400ms", new_keys: 1,"#, "", "").log;
    assert!(told.iter().any(|line| line.what == "submits again, under a new key"));
}

#[test]
fn who_leaves_of_their_own_accord_waits_for_nothing() {
    let promises = r#"AllAnswered, SettlesWithin("60s"), FailedImpliesNone("charge")"#;
    let left = shop("", r#"At("500ms", User("shoppers", Leave))"#, promises);
    assert_eq!((charges(&left), broken(&left)), ([1, 1], vec![]));
    let impatient = shop(r#"patience: "500ms","#, "", promises);
    assert_eq!(broken(&impatient), [r#"SettlesWithin("60s")"#], "the shop was too slow for them");
}

#[test]
fn a_refund_that_comes_before_its_charge_is_told_and_not_given() {
    let asked = |at: &str, invariants: &str| {
        shop(REFUND, &format!(r#"At("{at}", User("shoppers", Refund))"#), invariants)
    };
    let race = asked("500ms", r#"ExactlyOnce("charge")"#);
    assert_eq!((effects(&race, "refund"), broken(&race)), (0, vec![r#"ExactlyOnce("charge")"#]));
    let witness = &race.invariants[0].first.as_ref().unwrap().witness;
    assert!(witness.contains("that the charge is given back, yet there is"), "{witness}");
    let after = shop(&format!(r#"{REFUND} refund_after: "5s","#), "", r#"ExactlyOnce("charge")"#);
    assert_eq!((effects(&after, "refund"), broken(&after)), (2, vec![]));
    assert!(after.log.iter().any(|line| line.what == "asks for a refund"));
}

#[test]
fn a_refund_without_an_answer_leaves_in_doubt_and_one_that_is_refused_changes_nothing() {
    let lost = r#"At("5s", for: "1s", Loss("shop", "shoppers", 1.0))"#;
    let client = format!(r#"{REFUND} refund_after: "5s","#);
    let doubt = shop(&client, lost, r#"AckedImpliesDone("charge")"#);
    assert_eq!((effects(&doubt, "refund"), broken(&doubt)), (2, vec![]));
    let refused = r#"At("5s", for: "1s", Errors("shop", status: 404))"#;
    let kept = shop(&client, refused, r#"AckedImpliesDone("charge"), FailedImpliesNone("charge")"#);
    assert_eq!((effects(&kept, "refund"), broken(&kept)), (0, vec![]));
}

#[test]
fn a_copy_that_comes_hours_later_finds_no_record() {
    let copy = |more: &str, faults: &str| {
        let copy = format!(r#"At("0s", for: "1ms", Duplicate("shoppers", "shop", 1.0{more}))"#);
        shop("", &format!("{copy}, {faults}"), r#"AtMostOnce("charge")"#)
    };
    assert_eq!(charges(&copy("", "")), [1, 1]);
    assert_eq!(charges(&copy(r#", later: "30m""#, "")), [1, 1]);
    let late = copy(r#", later: "2h""#, "");
    assert_eq!(charges(&late), [2, 2]);
    let last = late.ledger.last().unwrap().at.as_nanos() / 1_000_000_000;
    assert_eq!(last, 2 * 3_600 + 1, "two hours, and the work");
    // The copy goes where it is sent, whatever the balancer thinks of that.
    let dead = r#"At("1h", Crash("shop", instance: 1))"#;
    assert_eq!(charges(&copy(r#", later: "2h", to_instance: 0"#, dead)), [2, 2]);
    assert_eq!(charges(&copy(r#", later: "2h", to_instance: 1"#, dead)), [1, 1]);
}

#[test]
fn doings_that_nobody_can_do_are_refused() {
    let told = mistakes(&text("", r#"At("1s", User("shop", Click))"#, ""));
    assert!(told.contains("`shop` is no client"), "{told}");
    let told = mistakes(&text("", r#"At("1s", User("shoppers", Refund))"#, ""));
    assert!(told.contains("cannot ask for a refund") && told.contains("refund: ["), "{told}");
    let told = mistakes(&text("", r#"At("1s", for: "1s", User("shoppers", Click))"#, ""));
    assert!(told.contains("User happens at one instant"), "{told}");
    let told = mistakes(&text(r#"refund: [Call("shop.refund")],"#, "", ""));
    assert!(told.contains("nothing in it says that a refund is granted"), "{told}");
    let told = mistakes(&text(r#"refund_after: "1s","#, "", ""));
    assert!(told.contains("and have no `refund`"), "{told}");
}

#[test]
fn a_user_who_does_something_when_nobody_waits_is_missed() {
    // The shoppers come after the fault, and so something is still to come.
    let text = text("", r#"At("5s", User("shoppers", Click))"#, r#"AtMostOnce("charge")"#);
    let text = text.replace("Burst(count: 2)", r#"Burst(count: 2, at: "10s")"#);
    let outcome = run_text(&text);
    let missed: Vec<String> = outcome.faults_missed.iter().map(ToString::to_string).collect();
    assert_eq!(missed, ["shoppers: the user clicks again, at 5s, when none of its users waited"]);
    let met = text.replace(r#"At("5s""#, r#"At("10.5s""#);
    assert_eq!(run_text(&met).faults_missed, []);
}
