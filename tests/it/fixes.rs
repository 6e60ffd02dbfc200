//! What `sim explore --fix` proposes, on the library of failure modes.

use sim_models::Scenario;
use sim_models::explore::change::{Change, fixes};
use sim_models::explore::{Fix, Fixes, Report, explore};
use sim_models::figure::{Kind, Quantile};
use sim_models::outcome::InvariantVerdict;

use crate::support::{broken, run, scenarios_in};

/// Modes that no single known change prevents, with the reason.
const OPEN: &[(&str, &str)] = &[
    (
        "FM-03",
        "with another design there is no lock of that name: its promise is not put to the test",
    ),
    ("FM-08", "it takes three: a key, a comparison, a shorter wait for the provider"),
    (
        "FM-19",
        "with another design there is no lock of that name: its promise is not put to the test",
    ),
    ("FM-22", "it takes two: the design, and a client that asks again for longer"),
    ("FM-33", "the program cancels what it does not know: no single word of it is wrong"),
    ("FM-37", "who waits where it gets 409 never fails: that promise is not put to the test"),
    ("FM-45", "the program has no log to go on from: it is another program that helps"),
    ("FM-52", "the client needs a budget of time in the place of one of attempts"),
];

/// Whether a run keeps a promise and has put it to the test.
fn keeps(scenario: &Scenario, promises: &[String]) -> bool {
    let outcome = run(scenario);
    let verdict = |promise: &String| {
        let mut results = outcome.invariants.iter();
        results.find(|result| result.name == *promise).map(|result| result.verdict)
    };
    promises.iter().all(|promise| verdict(promise) == Some(InvariantVerdict::Kept))
}

#[test]
fn some_known_change_prevents_each_failure_mode_under_its_own_faults() {
    let mut wrong = Vec::new();
    for path in scenarios_in("scenarios/failure-modes") {
        let name = path.file_stem().expect("a file").to_string_lossy().into_owned();
        if !name.starts_with("FM-") {
            continue;
        }
        let scenario = Scenario::file(&path).and_then(|draft| draft.load()).expect("it is shipped");
        let promises: Vec<String> =
            broken(&run(&scenario)).into_iter().map(str::to_owned).collect();
        let all = fixes(&scenario);
        let prevents = |change: &&Change| {
            change.apply(&scenario).is_ok_and(|changed| keeps(&changed, &promises))
        };
        let found: Vec<&str> =
            all.iter().filter(prevents).map(|change| change.name.as_str()).collect();
        let is_open = OPEN.iter().any(|(open, _)| name.starts_with(open));
        if found.is_empty() != is_open {
            wrong.push(format!(
                "{name}: {found:?} of {:?}",
                all.iter().map(|c| &c.name).collect::<Vec<_>>()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn naive() -> Scenario {
    let text = r#"Scenario(
        name: "checkout", about: "", horizon: "4m",
        actors: {
            "app": Client(load: Burst(count: 1), does: [Call("api.pay", policy: "patient")]),
            "api": Service(workers: 4, endpoints: { "pay": [
                Idempotent("naive", store: "redis", lock: "30s", body: [
                    Call("psp.charge", policy: "short", key: "{provider_key}", into: "result"),
                ]),
                Respond(201, body: "{result}"),
            ] }),
            "psp": Service(workers: 4, endpoints: { "charge": [
                Work(Const("50ms")), Effect("charge", once: "{key}", into: "id"),
                Respond(201, body: "{id}"),
            ] }),
            "redis": Kv(),
        },
        policies: {
            "patient": [
                Retry(attempts: 20, backoff: Constant("5s"), conflict: true), Timeout("2s"),
            ],
            "short": [Timeout("1s")],
        },
        invariants: [AtMostOnce("charge"), AllAnswered],
    )"#;
    Scenario::text("t.ron", text).load().unwrap()
}

fn fixed(budget: u64, jobs: usize) -> (Report, Fixes) {
    let naive = naive();
    let search = || explore(&naive).budget(budget).jobs(jobs);
    let report = search().untold().run().unwrap();
    let fixes = search().fixes(&report).unwrap();
    (report, fixes)
}

#[test]
fn a_key_for_the_provider_and_a_safe_design_keep_what_the_naive_one_breaks() {
    let (report, fixes) = fixed(200, 0);
    assert!(report.findings.len() >= 3);
    let kept: Vec<String> =
        fixes.fixes.iter().filter(|fix| fix.keeps_all()).map(Fix::name).collect();
    for wanted in ["`psp.charge` gets the same key", "design `safe` in place of `naive`"] {
        assert!(kept.iter().any(|name| name.starts_with(wanted)), "{wanted}: {kept:#?}");
    }
    assert!(fixes.fixes[0].keeps_all(), "the best comes first");
    let durable = |name: &&String| name.starts_with("`redis` writes through");
    assert!(!kept.iter().any(|name| durable(&name)), "a crash of the API remains");
    for fix in &fixes.fixes {
        assert_eq!(fix.verdicts.len(), report.findings.len());
        let scenario = Scenario::text("fix.ron", fix.scenario.as_str()).load();
        scenario.unwrap_or_else(|error| panic!("{error}\n{}", fix.scenario));
    }
}

#[test]
fn what_is_shown_removed_is_removed_in_the_file_too() {
    let (report, fixes) = fixed(200, 0);
    for fix in fixes.fixes.iter().filter(|fix| fix.keeps_all()) {
        let scenario = Scenario::text("fix.ron", fix.scenario.as_str()).load().unwrap();
        explore(&scenario).budget(500).assert_none();
        for finding in &report.findings {
            let Ok(struck) = scenario.with_faults(&finding.all_faults()) else { continue };
            let broken = struck.run(finding.seed).invariants.into_iter();
            let broken: Vec<String> = broken
                .filter(|result| result.verdict == InvariantVerdict::Violated)
                .map(|result| result.name)
                .collect();
            assert!(!broken.contains(&finding.broken[0]), "{}: {broken:?}", fix.name());
        }
    }
}

#[test]
fn the_price_of_a_lease_and_two_more_commands_is_said() {
    let (_, fixes) = fixed(100, 0);
    let safe = fixes.fixes.iter().find(|fix| fix.name().contains("`safe`")).unwrap();
    let requests = safe.contrast(Kind::RequestsPerIntent).unwrap();
    assert!(requests.value > requests.reference, "{requests:?}");
    assert!(safe.good[1].requests > safe.good[0].requests, "{:?}", safe.good);
    assert_eq!(safe.good[1].served, 1);
    assert!(safe.contrast(Kind::Percentile(Quantile::P99)).is_some());
}

#[test]
fn fixes_do_not_depend_on_the_number_of_threads() {
    let all = |jobs| format!("{:?}", fixed(80, jobs).1);
    assert_eq!(all(1), all(3));
}

#[test]
fn where_nothing_was_found_nothing_is_changed() {
    let naive = naive();
    let report = explore(&naive).budget(1).run().unwrap();
    assert!(report.findings.is_empty());
    let fixes = explore(&naive).budget(1).fixes(&report).unwrap();
    assert!(fixes.fixes.is_empty() && fixes.useless.is_empty());
}
