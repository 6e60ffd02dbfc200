//! What a search for the turning point finds in small scenarios.

use std::collections::BTreeSet;

use super::*;

/// Who gets no answer within two seconds asks again. Answers are lost with a probability of 30 %
/// in the first second.
fn coin(count: u32) -> Scenario {
    Scenario::text("coin.ron", coin_text(count)).load().unwrap()
}

fn coin_text(count: u32) -> String {
    let text = r#"Scenario(
        name: "coin", about: "", horizon: "1m",
        actors: {
            "shopper": Client(load: Burst(count: COUNT), does: [
                Call("psp.charge", policy: "again"),
            ]),
            "psp": Service(workers: 9, endpoints: { "charge": [
                Work(Exponential("1ms")), Effect("charge"),
            ] }),
        },
        links: [Link(from: "shopper", to: "psp", latency: Const("10ms"))],
        policies: { "again": [
            Retry(attempts: 2, backoff: Constant("1s"), even_if_unsafe: true), Timeout("2s"),
        ] },
        faults: [At("0s", for: "1s", Loss("psp", "shopper", 0.3))],
        invariants: [AtMostOnce("charge")],
    )"#;
    text.replace("COUNT", &count.to_string())
}

/// A seed with which the first violation is of an intent.
fn seed_of(scenario: &Scenario, intent: &str) -> u64 {
    let breaks = |seed: &u64| {
        let first = scenario.run(*seed).invariants[0].first.clone();
        first.is_some_and(|first| first.intent.as_deref() == Some(intent))
    };
    (1..).find(breaks).unwrap()
}

/// All kinds of luck at once.
fn lucky() -> Scenario {
    let text = r#"Scenario(
        name: "lucky", about: "", horizon: "5s",
        actors: {
            "shoppers": Client(
                count: 3,
                load: Sessions(rate: "10/s", requests: Geometric(2.0), think: Exponential("50ms")),
                does: [Call("api.pay", policy: "again")],
            ),
            "others": Client(load: Open(rate: "20/s"), count: 2, does: [Call("api.pay")]),
            "api": Service(workers: 2, instances: 3, balancer: Random, endpoints: {
                "pay": [Work(Exponential("20ms")), Effect("charge")],
            }),
        },
        links: [Link(from: "shoppers", to: "api", latency: Exponential("5ms"), loss: 0.05)],
        policies: { "again": [
            Retry(attempts: 3, backoff: Exponential(base: "10ms"), jitter: Full,
                even_if_unsafe: true),
            Timeout("60ms"),
        ] },
        invariants: [AtMostOnce("charge")],
    )"#;
    Scenario::text("lucky.ron", text).load().unwrap()
}

fn lines(run: &mut Run, count: u64) -> Vec<crate::StepLine> {
    (0..count).map_while(|_| run.step()).collect()
}

#[test]
fn up_to_its_step_a_continuation_is_the_run_bit_for_bit() {
    let scenario = lucky();
    let whole = lines(&mut scenario.start(1), u64::MAX);
    for step in (0..whole.len() as u64).step_by(97) {
        let mut run = scenario.start(1);
        let before = lines(&mut run, step);
        assert_eq!(before, whole[..step as usize]);
        run.redraw(2, |_| true);
        // What comes next was due before.
        assert_eq!(run.step().as_ref(), whole.get(step as usize));
        assert_ne!(run.finish().digest, whole.last().unwrap().digest, "after step {step}");
    }
}

#[test]
fn the_same_luck_again_changes_nothing() {
    let scenario = lucky();
    let digest = scenario.run(1).digest;
    for step in (0..900).step_by(61) {
        let mut run = scenario.start(1);
        run.advance(step);
        run.redraw(2, |_| true);
        run.redraw(1, |_| true);
        assert_eq!(run.finish().digest, digest, "after step {step}");
    }
}

#[test]
fn a_session_that_has_begun_keeps_its_length_and_its_process() {
    let scenario = lucky();
    for seed in 1..=10 {
        let sessions = |is_redrawn: bool| {
            let mut run = scenario.start(seed);
            assert!(run.until_begun("shoppers-1").is_some());
            if is_redrawn {
                run.redraw(77, |_| true);
            }
            let intents = run.finish_traced().intents;
            let of_first = |user: &u32| *user == 0;
            let of_client = intents.iter().filter(|(_, intent)| intent.client.0 == 0);
            let first = of_client.map(|(_, intent)| (intent.user, intent.instance));
            first.filter(|(user, _)| of_first(user)).collect::<Vec<_>>()
        };
        assert_eq!(sessions(true), sessions(false), "seed {seed}");
    }
}

#[test]
fn the_answer_that_is_lost_is_the_turn() {
    let scenario = coin(1);
    let turning = turning(&scenario).seed(seed_of(&scenario, "shopper-1")).run().unwrap();
    let (first, last) = (&turning.points[0], turning.points.last().unwrap());
    assert!(first.low < 0.3 && 0.3 < first.high, "{first:?}");
    assert_eq!((first.step, last.share), (0, 1.0));
    let turn = turning.turn().unwrap_or_else(|| panic!("{turning:#?}"));
    assert!(turn.is_one_step);
    assert_eq!(turn.drawn, ["whether a message is lost"]);
    let point = &turning.points[turn.point];
    assert_eq!((point.share, point.what.contains("answer lost")), (1.0, true), "{point:?}");
    // Where nothing is drawn the share is the same, and not another estimate of it.
    let shares: BTreeSet<u64> = turning.points.iter().map(|point| point.broken).collect();
    assert_eq!(shares.len(), 2, "{turning:#?}");
    let said = turning.sentence();
    assert!(said.contains("100 % of continuations break AtMostOnce(\"charge\") for shopper-1"));
}

#[test]
fn the_violation_is_that_of_the_intent_whoever_else_breaks_the_promise() {
    let scenario = coin(5);
    let turning = turning(&scenario).seed(seed_of(&scenario, "shopper-4")).run().unwrap();
    assert_eq!(turning.intent.as_deref(), Some("shopper-4"));
    let first = &turning.points[0];
    assert!(first.low < 0.3 && 0.3 < first.high, "{first:?}");
    let seed = turning.run_id.seed;
    let other = super::turning(&scenario).seed(seed).intent("shopper-9").run();
    let refused = other.unwrap_err().to_string();
    assert!(refused.contains("AtMostOnce(\"charge\")") || refused.contains("shopper-9"));
}

#[test]
fn the_number_of_threads_moves_nothing() {
    let scenario = coin(2);
    let seed = seed_of(&scenario, "shopper-1");
    let looked = |jobs| turning(&scenario).seed(seed).continuations(40).jobs(jobs).run();
    assert_eq!(looked(1), looked(3));
}

#[test]
fn where_no_luck_is_involved_nothing_else_is_said() {
    let still = Scenario::text("still.ron", coin_text(1)).set("faults", "[]");
    let still = still.set("actors.psp.endpoints.charge", r#"[Effect("charge"), Effect("charge")]"#);
    let still = still.load().unwrap();
    let sure = turning(&still).continuations(20).run().unwrap();
    assert_eq!(sure.decided, Decided::NoLuck);
    assert!(sure.points.iter().all(|point| point.share == 1.0));
    let varied = Scenario::text("varied.ron", coin_text(1)).set("faults", "[]");
    let varied = varied.set(
        "actors.psp.endpoints.charge",
        r#"[Work(Exponential("1ms")), Effect("charge"), Effect("charge")]"#,
    );
    let certain = turning(&varied.load().unwrap()).continuations(20).run().unwrap();
    assert_eq!(certain.decided, Decided::Certain, "{certain:#?}");
}

#[test]
fn a_run_that_keeps_its_promise_has_no_turn() {
    let scenario = coin(1);
    let keeps = |seed: &u64| scenario.run(*seed).invariants[0].first.is_none();
    let seed = (1..).find(keeps).unwrap();
    let refused = turning(&scenario).seed(seed).run().unwrap_err();
    assert!(refused.to_string().contains("breaks no promise"), "{refused}");
    let unknown = turning(&scenario).seed(seed).promise("AllAnswered").run().unwrap_err();
    assert!(unknown.to_string().contains("its promises are AtMostOnce"), "{unknown}");
}

/// A thousand users, of whom the first to be charged twice are asked about.
fn crowd() -> Scenario {
    let text = coin_text(1).replace("Burst(count: 1)", "Open(rate: \"20/s\")");
    let text = text.replace("At(\"0s\", for: \"1s\"", "At(\"0s\", for: \"1m\"");
    Scenario::text("crowd.ron", text).load().unwrap()
}

#[test]
fn a_continuation_ends_when_nothing_more_happens_to_its_intent() {
    let scenario = crowd();
    let steps = scenario.run(1).steps;
    let turning = turning(&scenario).seed(1).continuations(20).run().unwrap();
    let each = turning.events / turning.continuations;
    assert!(each < steps / 4, "{each} of {steps} events: {}", turning.sentence());
    assert!(!turning.is_cut);
    // What is known then is what the end of the run says.
    for seed in 1..40 {
        let outcome = scenario.run(seed);
        let name = "shopper-3".to_owned();
        let twice = outcome.ledger.iter().filter(|entry| entry.intent == name).count() > 1;
        let (promise, intent) = (0, Some(name));
        let of = Some((ActorId(0), 3));
        let sought = Sought { promise, intent, of };
        let (kept, _) = scenario.start(seed).seeking(&sought).keeps(&sought);
        assert_eq!(matches!(kept, Kept::Broken(_)), twice, "seed {seed}");
    }
}

#[test]
fn where_no_step_decides_the_shares_at_both_ends_are_said() {
    let text = coin_text(1).replace("attempts: 2", "attempts: 40");
    let text = text.replace("At(\"0s\", for: \"1s\"", "At(\"0s\", for: \"1m\"");
    let text = text.replace("Effect(\"charge\")", "Effect(\"charge\"), Sleep(Exponential(\"1s\"))");
    let scenario = Scenario::text("slow.ron", text).load().unwrap();
    let breaks = |seed: &u64| scenario.run(*seed).effects[0].duplicated > 0;
    let seeds = (1..).filter(breaks).take(8);
    for seed in seeds {
        let turning = turning(&scenario).seed(seed).continuations(60).run().unwrap();
        let ends = [turning.points.first().unwrap().share, turning.points.last().unwrap().share];
        assert_eq!(ends[1], 1.0, "once it is known it is certain");
        let said = turning.sentence();
        match turning.decided {
            Decided::Certain => assert!(ends[0] >= 0.9 && said.contains("as good as"), "{said}"),
            Decided::Gradually(_) => assert!(said.contains("100 % at the end"), "{said}"),
            Decided::Turn(_) | Decided::NoLuck => {}
        }
    }
}

#[test]
fn an_effect_before_the_answer_that_breaks_a_promise_does_not_make_it_certain() {
    // Charged, and then the answer is lost with even odds: only then is failure told.
    let text = r#"Scenario(
        name: "told", about: "", horizon: "1m",
        actors: {
            "shopper": Client(load: Burst(count: 1), does: [
                Try([Call("psp.charge", policy: "short")], catch: [Fail(409)]),
            ]),
            "psp": Service(workers: 9, endpoints: { "charge": [
                Effect("charge"), Work(Exponential("100ms")), Respond(201),
            ] }),
        },
        links: [Link(from: "shopper", to: "psp", latency: Const("10ms"), loss: 0.4)],
        policies: { "short": [Timeout("1s")] },
        invariants: [FailedImpliesNone("charge")],
    )"#;
    let scenario = Scenario::text("told.ron", text).load().unwrap();
    let breaks = |seed: &u64| scenario.run(*seed).invariants[0].first.is_some();
    let Some(seed) = (1..200).find(breaks) else { panic!("nobody is told failure") };
    let turning = turning(&scenario).seed(seed).run().unwrap();
    assert_eq!(turning.points.last().unwrap().share, 1.0, "{turning:#?}");
    assert!(turning.points[0].share < 0.9, "{turning:#?}");
    assert_ne!(turning.decided, Decided::Certain);
}
