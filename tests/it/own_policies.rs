//! Policies written in Rust, in scenarios.

use sim_models::outcome::RunLimit;
use sim_models::prelude::*;

/// Refuses every call after the first, which never ends.
#[derive(Debug, Default)]
struct Once(u32);

impl CustomPolicy for Once {
    fn enter(&mut self, _: Passage, _: &mut PolicyDesk<'_>) -> Turn {
        self.0 += 1;
        if self.0 == 1 { Turn::Stays } else { Turn::Refuses("once_only") }
    }
}

/// Lets a call wait, and wakes it again and again.
#[derive(Debug)]
struct Restless;

impl CustomPolicy for Restless {
    fn enter(&mut self, passage: Passage, desk: &mut PolicyDesk<'_>) -> Turn {
        desk.wake(passage.call);
        Turn::Stays
    }

    fn woken(&mut self, passage: Passage, desk: &mut PolicyDesk<'_>) -> Turn {
        self.enter(passage, desk)
    }
}

/// Sends every failure in again.
#[derive(Debug)]
struct Stubborn;

impl CustomPolicy for Stubborn {
    fn enter(&mut self, _: Passage, _: &mut PolicyDesk<'_>) -> Turn {
        Turn::Inwards
    }

    fn leave(&mut self, _: Passage, reply: Reply, _: &mut PolicyDesk<'_>) -> Turn {
        if reply.ending.is_success() { Turn::Outwards } else { Turn::Inwards }
    }
}

/// Keeps every answer to itself.
#[derive(Debug)]
struct Secretive;

impl CustomPolicy for Secretive {
    fn enter(&mut self, _: Passage, _: &mut PolicyDesk<'_>) -> Turn {
        Turn::Inwards
    }

    fn leave(&mut self, _: Passage, _: Reply, _: &mut PolicyDesk<'_>) -> Turn {
        Turn::Refuses("secret")
    }
}

/// Lets about half of the calls through.
#[derive(Debug)]
struct Coin;

impl CustomPolicy for Coin {
    fn enter(&mut self, _: Passage, desk: &mut PolicyDesk<'_>) -> Turn {
        if desk.draws().chance(0.5) { Turn::Inwards } else { Turn::Refuses("tails") }
    }
}

/// Ends each call with what is no status.
#[derive(Debug)]
struct Statusless;

impl CustomPolicy for Statusless {
    fn enter(&mut self, _call: Passage, _desk: &mut PolicyDesk<'_>) -> Turn {
        Turn::Ends(Ending::Status(0))
    }
}

fn draft(policy: &str) -> Draft {
    let text = format!(
        r#"Scenario(
            name: "own", about: "Twenty calls through a policy.", horizon: "10s",
            policies: {{ "own": [{policy}] }},
            actors: {{
                "api": Service(workers: 20, endpoints: {{ "pay": [Work(Const("1ms"))] }}),
                "users": Client(load: Burst(count: 20), does: [Call("api.pay", policy: "own")]),
            }},
            invariants: [AllAnswered],
        )"#
    );
    let kinds = Kinds::new()
        .with_policy("once", |_config| Ok(Box::<Once>::default()))
        .with_policy("restless", |_config| Ok(Box::new(Restless)))
        .with_policy("stubborn", |_config| Ok(Box::new(Stubborn)))
        .with_policy("secretive", |_config| Ok(Box::new(Secretive)))
        .with_policy("statusless", |_config| Ok(Box::new(Statusless)))
        .with_policy("coin", |_config| Ok(Box::new(Coin)))
        .with_policy("picky", |_config| Err("`size` is missing".to_owned()));
    Scenario::text("own.ron", text).kinds(kinds)
}

#[test]
fn refusals_count_by_their_names_and_a_call_that_never_ends_is_no_success() {
    let outcome = draft(r#"Custom("once")"#).run().unwrap();
    let call = outcome.call("users", "api").unwrap();
    assert_eq!(call.rejected, [("once_only", 19)]);
    assert_eq!(call.attempts, 0);
    assert_eq!(outcome.verdict, Verdict::Violated, "one user never hears anything");
}

#[test]
fn a_policy_that_wakes_without_end_ends_the_run_as_a_finding() {
    let outcome = draft(r#"Custom("restless")"#).run().unwrap();
    assert_eq!(outcome.verdict, Verdict::Invalid);
    let policy = "users->api own".to_owned();
    assert_eq!(outcome.limit, Some(RunLimit::Restless { policy }));
    let around_a_refusal = draft(r#"Custom("stubborn"), Custom("once")"#).run().unwrap();
    assert_eq!(around_a_refusal.limit, outcome.limit);
}

#[test]
fn a_policy_that_ends_a_call_with_no_status_ends_the_run_as_a_finding() {
    let outcome = draft(r#"Custom("statusless")"#).run().unwrap();
    assert_eq!(outcome.verdict, Verdict::Invalid);
    let limit = outcome.limit.expect("a limit").to_string();
    let wanted = "a policy of users->api own answers with the status 0; a status is 100..=599";
    assert_eq!(limit, wanted);
}

#[test]
fn what_was_done_stays_in_doubt_for_whoever_is_refused_its_answer() {
    let outcome = draft(r#"Custom("secretive")"#).run().unwrap();
    let call = outcome.call("users", "api").unwrap();
    assert_eq!((call.attempts, call.unknown, call.failed), (20, 20, 0));
    assert_eq!(call.given_up, [("secret", 20)]);
}

#[test]
fn a_policy_draws_the_luck_of_its_call() {
    let run = |policy: &str, seed| draft(policy).seed(seed).run().unwrap();
    let attempts = |outcome: &Outcome| outcome.call("users", "api").unwrap().attempts;
    let counts: Vec<u64> = (1..6).map(|seed| attempts(&run(r#"Custom("coin")"#, seed))).collect();
    assert!(counts.iter().any(|n| *n != counts[0]), "the seed decides: {counts:?}");
    assert!(counts.iter().all(|n| (2..19).contains(n)), "about half: {counts:?}");
    assert_eq!(
        run(r#"Custom("coin")"#, 1).digest,
        run(r#"Custom("coin")"#, 1).digest,
        "and nothing else does"
    );
}

#[test]
fn a_policy_that_cannot_be_made_is_refused_where_it_stands() {
    let refused = |policy: &str| draft(policy).run().unwrap_err().to_string();
    let error = refused(r#"Custom("picki")"#);
    assert!(error.contains("own.ron:3:"), "{error}");
    assert!(
        error.contains(
            "registered are coin, once, picky, restless, secretive, statusless, stubborn"
        ),
        "{error}"
    );
    let error = refused(r#"Custom("picky")"#);
    assert!(error.contains("`size` is missing"), "{error}");
}
