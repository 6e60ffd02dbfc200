//! Every broken promise of the shipped scenarios can be told as a sequence diagram.

use std::path::PathBuf;

use sim_models::Scenario;
use sim_models::outcome::{InvariantVerdict, Outcome, Verdict};
use sim_models::why::{Fate, Refusal, Sequence, Subject, Tone, What, why};

use crate::support::{root, same_as_written, scenarios_in, scratch, sim_in};

/// A story that somebody reads on one page.
const ROWS_MAX: usize = 120;

/// Runs every violation of a folder's scenarios past a law.
fn each(folder: &str, law: impl Fn(&Scenario, &Outcome, &Sequence)) {
    let mut told = 0;
    for file in scenarios_in(folder) {
        let scenario = Scenario::file(&file).unwrap().load().unwrap();
        let outcome = scenario.run(scenario.seed());
        let broken = outcome.invariants.iter();
        let broken = broken.filter(|result| result.verdict == InvariantVerdict::Violated);
        let broken = broken.filter(|result| result.first.is_some()).count();
        for number in 1..=broken {
            match why(&scenario, scenario.seed(), &Subject::Violation(number)) {
                Ok(sequence) => {
                    law(&scenario, &outcome, &sequence);
                    told += 1;
                }
                Err(Refusal::OfNobody { .. }) => {}
                Err(refusal) => panic!("{}: {refusal}", file.display()),
            }
        }
    }
    assert!(told > 10, "{folder}: only {told}");
}

#[test]
fn each_violation_of_a_failure_mode_is_a_story_on_one_page() {
    each("scenarios/failure-modes", |scenario, outcome, sequence| {
        let name = scenario.name();
        assert_eq!(sequence.digest, outcome.digest, "{name}");
        let broken = sequence.broken.as_ref().expect("a promise breaks");
        assert!(broken.row < sequence.rows.len(), "{name}");
        assert_eq!(sequence.rows[broken.row].tone, Tone::Violation, "{name}");
        assert!(sequence.rows.len() <= ROWS_MAX, "{name}: {} rows", sequence.rows.len());
        let times: Vec<_> = sequence.rows.iter().map(|row| row.at).collect();
        assert!(times.is_sorted(), "{name}: time goes downwards");
    });
}

#[test]
fn what_is_drawn_stands_on_the_page() {
    each("scenarios/failure-modes", |scenario, _, sequence| {
        let name = scenario.name();
        let (rows, lifelines) = (&sequence.rows, sequence.lifelines.len());
        let mut used = vec![false; lifelines];
        for (n, row) in rows.iter().enumerate() {
            let ends = match row.what {
                What::Message { from, to, until, fate, .. } => {
                    assert!(until < rows.len() && until >= n, "{name}: row {n} ends in {until}");
                    assert!(fate != Fate::Lost || row.why.is_some(), "{name}: {row:?}");
                    vec![from, to]
                }
                What::Arrival { of, to } => {
                    assert!(of < n, "{name}: row {n} arrives before it is sent");
                    let is_it = matches!(rows[of].what, What::Message { until, .. } if until == n);
                    assert!(is_it, "{name}: {:?} ends in {row:?}", rows[of]);
                    vec![to]
                }
                What::Deed { at } => vec![at],
                What::Across { from, to } => vec![from, to],
                What::Gap { .. } | What::Again { .. } => vec![],
            };
            ends.into_iter().for_each(|end| used[end] = true);
            assert!(!row.text.is_empty(), "{name}: {row:?}");
        }
        assert_eq!(used, vec![true; lifelines], "{name}: nobody stands there for nothing");
        for hold in &sequence.holds {
            assert!(hold.from < rows.len() && hold.until.is_none_or(|until| until >= hold.from));
        }
    });
}

#[test]
fn the_page_of_the_project_shows_what_the_command_draws() {
    let folder = scratch("why");
    let file = "scenarios/failure-modes/FM-01-crash-after-charge.ron";
    let told = sim_in(root(), &["why", file, "--out", folder.to_str().expect("a path")]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    for line in [
        "free: expired at 30.021s: customer-1 had set it at",
        "customer-1:lock expires",
        "charge-2  ◀ breaks",
        "told success",
    ] {
        assert!(told.stdout.contains(line), "{line}:\n{}", told.stdout);
    }
    let is_short = |line: &&str| line.chars().count() <= 100 || line.starts_with("repeat");
    let lines = || told.stdout.lines().filter(|line| !line.starts_with("chart"));
    assert!(lines().all(|line| is_short(&line)), "{}", told.stdout);
    let svg = folder.join("fm-01-crash-after-charge-why-customer-1.svg");
    let svg = std::fs::read_to_string(svg).expect("a picture");
    same_as_written("docs/why.svg", &svg);
}

#[test]
fn a_record_is_asked_as_its_scenario_is() {
    let folder = scratch("why-record");
    let file = root().join("scenarios/failure-modes/FM-16-failover-loses-the-lock.ron");
    let file = file.to_str().expect("a path");
    sim_in(&folder, &["run", file, "--record", "run.sim", "-q"]);
    let of_record = sim_in(&folder, &["why", "run.sim", "--json"]);
    let of_file = sim_in(&folder, &["why", file, "--json"]);
    let without = |text: &str| {
        let lines = text.lines().filter(|line| !line.contains("\"repeat\""));
        lines.collect::<Vec<_>>().join("\n")
    };
    assert!(of_file.stdout.contains("\"tone\": \"violation\""));
    assert_eq!(without(&of_record.stdout), without(&of_file.stdout));
}

#[test]
fn the_turn_is_told_and_drawn() {
    let folder = scratch("why-turn");
    let text = r#"Scenario(
        name: "coin", about: "A first answer is lost with even odds, and who gets none asks again.",
        horizon: "1m",
        actors: {
            "shopper": Client(load: Burst(count: 1), does: [Call("psp.charge", policy: "again")]),
            "psp": Service(workers: 1, endpoints: { "charge": [Effect("charge")] }),
        },
        policies: { "again": [
            Retry(attempts: 2, backoff: Constant("1s"), even_if_unsafe: true), Timeout("2s"),
        ] },
        faults: [At("0s", for: "1s", Loss("psp", "shopper", 0.5))],
        invariants: [AtMostOnce("charge")],
    )"#;
    std::fs::write(folder.join("coin.ron"), text).expect("a folder");
    let scenario = Scenario::text("coin.ron", text).load().unwrap();
    let breaks = |seed: &u64| scenario.run(*seed).verdict == Verdict::Violated;
    let seed = (1..).find(breaks).unwrap().to_string();
    let told = sim_in(&folder, &["why", "coin.ron", "--seed", &seed, "--turn"]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    let kept = (1..).find(|seed| !breaks(seed)).unwrap().to_string();
    for said in ["answer lost", "whether a message is lost", "▶"] {
        assert!(told.stdout.contains(said), "{said}:\n{}", told.stdout);
    }
    let picture = folder.join(format!("out/coin-seed-{seed}-why-shopper-1.svg"));
    let picture = std::fs::read_to_string(picture).expect("a picture named by what was asked");
    for drawn in [">breaks<", "the turn: from here on 100 % of continuations break the promise"] {
        assert!(picture.contains(drawn), "{drawn}:\n{picture}");
    }
    let json = sim_in(&folder, &["why", "coin.ron", "--seed", &seed, "--turn", "--json"]);
    assert!(json.stdout.contains("\"id\": \"turn\""), "{}", json.stdout);
    let refused =
        sim_in(&folder, &["why", "coin.ron", "--seed", &kept, "--intent", "shopper-1", "--turn"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("breaks no promise"), "{}", refused.stderr);
}

#[test]
fn each_counterexample_has_its_picture() {
    let folder = scratch("why-explore");
    let file = root().join("scenarios/failure-modes/FM-01-crash-after-charge.ron");
    let file = file.to_str().expect("a path");
    let told = sim_in(&folder, &["explore", file, "--set", "faults=[]", "--budget", "40"]);
    assert!(told.stdout.contains("show      sim why out/counterexample-"), "{}", told.stdout);
    let written = std::fs::read_dir(folder.join("out")).expect("the folder");
    let paths: Vec<_> = written.map(|entry| entry.expect("an entry").path()).collect();
    let is_scenario = |path: &&PathBuf| path.extension().is_some_and(|kind| kind == "ron");
    let scenarios: Vec<&PathBuf> = paths.iter().filter(is_scenario).collect();
    assert!(!scenarios.is_empty());
    for scenario in scenarios {
        let svg = std::fs::read_to_string(scenario.with_extension("svg")).expect("its picture");
        assert!(svg.contains("is broken"), "{}", scenario.display());
    }
}

#[test]
fn no_picture_takes_the_place_of_another_of_the_same_name() {
    let folder = scratch("why-names");
    let file = root().join("scenarios/failure-modes/FM-01-crash-after-charge.ron");
    for name in ["one.ron", "two.ron"] {
        std::fs::copy(&file, folder.join(name)).expect("a copy");
        sim_in(&folder, &["why", name]);
    }
    for name in ["one", "two"] {
        assert!(folder.join(format!("out/{name}-why-customer-1.svg")).exists(), "{name}");
    }
}
