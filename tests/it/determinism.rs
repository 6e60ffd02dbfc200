//! Determinism: one scenario and one seed are one run, wherever and beside whatever it runs.

use sim_core::{Context, Limits, Model, Simulation, Span, Time};
use sim_models::{Scenario, StepLine};

use crate::gallery::pins;
use crate::support::{draft, gallery, load, run, scratch, shipped, sim_in};

fn steps(scenario: &Scenario, seed: u64) -> Vec<StepLine> {
    let mut run = scenario.start(seed);
    std::iter::from_fn(|| run.step()).collect()
}

#[test]
fn a_seed_is_a_run() {
    let scenario = shipped("double_click", None);
    assert_eq!(steps(&scenario, 7), steps(&scenario, 7));
    assert_ne!(scenario.run(7).digest, scenario.run(8).digest);
}

#[test]
fn step_by_step_and_all_at_once_are_one_run() {
    let scenario = shipped("double_click", None);
    let steps = steps(&scenario, 7);
    let outcome = scenario.run(7);
    assert_eq!(steps.len() as u64, outcome.steps);
    assert_eq!(steps.last().map(|step| step.digest), Some(outcome.digest));
}

#[test]
fn a_run_is_the_same_alone_and_among_others() {
    let (one, other) = (shipped("double_click", None), shipped("stale_exists", None));
    let alone = run(&one).digest;
    let mut run = one.start(one.seed());
    let mut others = other.start(other.seed());
    while run.step().is_some() {
        if others.step().is_none() {
            others = other.start(other.seed());
        }
    }
    assert_eq!(run.finish().digest, alone);
}

/// Each process has its own hash seeds and addresses; the release binary has no assertions.
#[test]
fn two_processes_and_both_profiles_agree_on_every_pin() {
    let out = scratch("pins");
    for pin in pins() {
        let file = gallery().into_iter().find(|file| file.ends_with(&pin.file));
        let file = file.expect("what is pinned is shipped");
        let mut args = vec!["run", file.to_str().expect("UTF-8"), "--json"];
        if let Some(variant) = &pin.variant {
            args.extend(["--variant", variant]);
        }
        let told = sim_in(&out, &args);
        let outcome: serde_json::Value = serde_json::from_str(&told.stdout).expect("JSON");
        assert_eq!(outcome["digest"], pin.digest, "{pin:?}");
        assert_eq!(outcome["steps"], pin.steps, "{pin:?}");
        assert_eq!(outcome["verdict"], pin.verdict, "{pin:?}");
        assert_eq!(told.code, Some(i32::from(pin.verdict != "kept")), "{pin:?}");
    }
}

/// The step at which two runs part, if they do.
fn first_difference<M: Model>(mut a: Simulation<M>, mut b: Simulation<M>) -> Option<u64> {
    loop {
        match (a.step(), b.step()) {
            (Ok(one), Ok(other)) if one == other => {}
            (Err(one), Err(other)) if one == other => return None,
            _ => return Some(a.steps().max(b.steps())),
        }
    }
}

/// Sends greetings to its friends, in an order that a hash map decides.
struct Careless {
    friends: Friends,
}

#[allow(clippy::disallowed_types, reason = "what the detector must find")]
type Friends = std::collections::HashMap<u64, &'static str>;

/// A greeting to a friend; 0 is the round of greetings itself.
struct Greeting(u64);

impl Careless {
    /// Ten quiet seconds, and then a round of greetings to so many friends.
    fn simulation(friends: u64) -> Simulation<Careless> {
        let friends = (1..=friends).map(|friend| (friend, "hello")).collect();
        let mut sim = Simulation::new(Careless { friends }, Limits::default());
        for quiet in 0..10 {
            sim.context().schedule_at(Time::ZERO + Span::secs(quiet), Greeting(1));
        }
        sim.context().schedule_at(Time::ZERO + Span::secs(10), Greeting(0));
        sim
    }
}

impl Model for Careless {
    type Event = Greeting;

    fn fingerprint(event: &Greeting) -> u64 {
        event.0
    }

    fn handle(&mut self, greeting: Greeting, ctx: &mut Context<Greeting>) {
        if greeting.0 == 0 {
            for friend in self.friends.keys() {
                ctx.schedule_after(Span::secs(1), Greeting(*friend));
            }
        }
    }
}

#[test]
fn a_model_that_depends_on_hash_order_is_caught_at_its_first_step() {
    let (a, b) = (Careless::simulation(64), Careless::simulation(64));
    let parted = first_difference(a, b).expect("64 friends in the same random order");
    // Eleven steps, then the greetings; the odds that five of them fall in the same order twice
    // are one in a thousand million.
    assert!((12..17).contains(&parted), "{parted}");
}

#[test]
fn where_order_does_not_matter_there_is_no_difference() {
    assert_eq!(first_difference(Careless::simulation(1), Careless::simulation(1)), None);
}

#[test]
fn a_tampered_record_names_the_first_step_that_differs() {
    let folder = scratch("tampered");
    let file = gallery().into_iter().find(|file| file.ends_with("backoff_timeline.ron")).unwrap();
    let file = file.to_str().expect("UTF-8");
    let recorded = sim_in(&folder, &["run", file, "--record", "run.sim", "-q"]);
    assert_eq!(recorded.code, Some(0), "{recorded:?}");
    let replayed = sim_in(&folder, &["replay", "run.sim"]);
    assert_eq!(replayed.code, Some(0), "{replayed:?}");

    let record = std::fs::read_to_string(folder.join("run.sim")).unwrap();
    let lines: Vec<&str> = record.lines().collect();
    let third = lines.iter().position(|line| line.starts_with("3 ")).expect("a third step");
    let digit = lines[third].find(' ').expect("an instant") + 1;
    let mut forged: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    forged[third].insert(digit, '9');
    std::fs::write(folder.join("forged.sim"), forged.join("\n") + "\n").unwrap();
    let replayed = sim_in(&folder, &["replay", "forged.sim"]);
    assert_eq!(replayed.code, Some(1), "{replayed:?}");
    let told = replayed.stdout + &replayed.stderr;
    assert!(told.contains("step 3 is the first that differs, in the time"), "{told}");
}

/// Invariants on everything that a payment does.
const EVERY_PROMISE: &str = r#"
    ReceiptMatches("charge"), EqualReplays("api.pay"), SettlesWithin("20s"),
    OneInFlight("psp.charge"), LockDiscipline("redis"), NoMerge("charge"),
    BooksBalance(captured: "charge", fulfilled: "order"), StoredIsKnown("redis"),
    FencingMonotone("charge"), AppliedOnce("charge", "order", within: "5s"),
    ExactlyOnce("charge"), AllAnswered, RecoversWithin("5s")"#;

#[test]
fn watching_changes_nothing() {
    let (name, text) = ("invariants", format!("[{EVERY_PROMISE}]"));
    for file in gallery() {
        let source = std::fs::read_to_string(&file).expect("a shipped scenario");
        let bare = load(&source, None, &[(name, "[]"), ("breaks", "[]")]);
        let alone = run(&bare);
        // Where the scenario has no such actors, its own invariants do.
        let sets = [(name, &text[..]), ("breaks", "[]")];
        let watched = draft(&source, None, &sets).load();
        let watched = watched.unwrap_or_else(|_| load(&source, None, &[]));
        let watched = run(&watched);
        assert_eq!((watched.digest, watched.steps), (alone.digest, alone.steps), "{file:?}");
    }
}
