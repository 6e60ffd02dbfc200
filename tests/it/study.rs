//! Studies over many seeds: the number of threads is no part of them, the same is told to be the
//! same, theory is met, and what is wrong is told.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use serde_json::Value;
use sim_models::Scenario;
use sim_models::outcome::{ActorKind, Verdict};
use sim_models::study::{
    Axis, Check, Comparison, Contrast, Figure, Judgement, Kind, Lack, Map, Options, Region, Stop,
    Until,
};

use crate::support::{holds, load, refused, scratch, sim_in};

/// A clerk who is busy half of the time: an M/M/1 queue, and a promise that luck breaks sometimes.
const QUEUE: &str = r#"Scenario(
    name: "queue", about: "Customers at a clerk.", horizon: "40s", warmup: "5s",
    actors: {
        "users": Client(load: Open(rate: "50/s", arrivals: Poisson), does: [Call("clerk.serve")]),
        "clerk": Service(workers: 1, queue: Fifo(limit: 100000),
            endpoints: { "serve": [Work(Exponential("10ms")), Effect("served")] }),
    },
    invariants: [ExactlyOnce("served"), PeakArrivals("clerk", max: 15)],
    variants: {
        "same": {},
        "slower": { "actors.clerk.endpoints.serve[0]": Work(Exponential("11ms")) },
        "short": { "limits": (steps: 5000) },
    },
)
"#;

fn options(seeds: u64, jobs: usize) -> Options<'static> {
    Options { seeds, jobs, ..Options::default() }
}

fn sides(names: &[&str]) -> Vec<(String, Scenario)> {
    let side = |name: &&str| {
        let variant = Some(*name).filter(|name| *name != "base");
        ((*name).to_owned(), load(QUEUE, variant, &[]))
    };
    names.iter().map(side).collect()
}

fn contrast<'a>(comparison: &'a Comparison, figure: &str, side: usize) -> &'a Contrast {
    let is_it = |c: &&Contrast| c.figure.to_string() == figure && c.side == side;
    comparison.contrasts.iter().find(is_it).expect("a figure")
}

#[test]
fn the_number_of_threads_changes_nothing() {
    holds(6, (1_u64..1000, 1_u64..70, 2_usize..9), |(first_seed, seeds, jobs)| {
        let scenario = load(QUEUE, None, &[("horizon", "6s")]);
        let until: Until = "ci=6%".parse().expect("a rule");
        let alone = Options { first_seed, ..options(seeds, 1) };
        let many = Options { first_seed, ..options(seeds, jobs) };
        let check = |options| Check::run(&scenario, options, Some(&until)).expect("a study");
        prop_assert_eq!(check(&alone), check(&many));
        Ok(())
    });
    let sides = sides(&["base", "slower"]);
    let compare = |jobs| Comparison::run(&sides, &options(20, jobs)).expect("a study");
    assert_eq!(compare(1), compare(3));
}

/// As long as it was asked at most so many times.
fn patience(asks: u64) -> impl Fn() -> bool + Sync {
    let asked = AtomicU64::new(0);
    move || asked.fetch_add(1, Ordering::Relaxed) < asks
}

#[test]
fn a_study_that_is_called_off_is_that_of_its_first_seeds() {
    let scenario = load(QUEUE, None, &[("horizon", "10s")]);
    let cells = ["5ms", "9ms"].map(|work| {
        let work = format!("Work(Exponential({work:?}))");
        load(QUEUE, None, &[("horizon", "10s"), ("actors.clerk.endpoints.serve[0]", &work)])
    });
    let sides = [("a", &cells[0]), ("b", &cells[1])].map(|(n, s)| (n.to_owned(), s.clone()));
    let axes = || ["w=5ms,9ms".parse().expect("an axis"), Axis::none()];
    for jobs in [1, 3] {
        let goes_on = patience(60);
        let called_off = Options { goes_on: &goes_on, ..options(500, jobs) };
        let mut check = Check::run(&scenario, &called_off, None).expect("a study");
        let done = check.subject.id.seeds;
        assert!(0 < done && done < 500 && check.subject.is_called_off(), "{done} seeds");
        assert_eq!(check.stop, Stop::CalledOff);
        let whole = Check::run(&scenario, &options(done, jobs), None).expect("a study");
        (check.stop, check.subject.seeds_asked) = (Stop::AllSeeds, done);
        assert_eq!(check, whole);

        let goes_on = patience(90);
        let called_off = Options { goes_on: &goes_on, ..options(500, jobs) };
        let mut compared = Comparison::run(&sides, &called_off).expect("a study");
        let done = compared.sides[0].subject.id.seeds;
        assert!(0 < done && done < 500, "{done} seeds");
        let whole = Comparison::run(&sides, &options(done, jobs)).expect("a study");
        compared.sides.iter_mut().for_each(|side| side.subject.seeds_asked = done);
        assert_eq!(compared, whole);

        let goes_on = patience(90);
        let called_off = Options { goes_on: &goes_on, ..options(500, jobs) };
        let mut map = Map::run(&scenario, axes(), &cells, &called_off).expect("a study");
        let done = map.subject.id.seeds;
        assert!(0 < done && done < 500, "{done} seeds");
        let whole = Map::run(&scenario, axes(), &cells, &options(done, jobs)).expect("a study");
        map.subject.seeds_asked = done;
        assert_eq!(map, whole);
    }
}

#[test]
fn a_check_that_is_called_off_keeps_nothing() {
    let (goes_on, never) = (patience(30), || false);
    let calm = load(QUEUE, None, &[("invariants", "[ExactlyOnce(\"served\")]")]);
    let check = |goes_on| {
        let options = Options { goes_on, ..options(500, 1) };
        Check::run(&calm, &options, None).expect("a study")
    };
    assert_eq!(check(&|| true).verdict(), Verdict::Kept);
    let some = check(&goes_on);
    assert_eq!((some.summary.verdict(), some.verdict()), (Verdict::Kept, Verdict::Invalid));
    let none = check(&never);
    assert_eq!((none.subject.id.seeds, none.verdict()), (0, Verdict::Invalid));
}

#[test]
fn means_are_what_theory_says() {
    let check = Check::run(&load(QUEUE, None, &[]), &options(60, 0), None).expect("a study");
    let estimate = |kind, of: Option<&str>| {
        let metric = Figure { kind, of: of.map(str::to_owned), during: None };
        check.summary.estimate(&metric).expect("a value")
    };
    for (kind, of, truth) in [
        (Kind::Goodput, None, 50.0),
        (Kind::LatencyMean, Some("users"), 20.0),
        (Kind::Utilisation, Some("clerk"), 0.5),
        (Kind::Waiting, Some("clerk"), 0.5),
    ] {
        let estimate = estimate(kind, of);
        let interval = estimate.interval.expect("sixty runs");
        assert!(interval.contains(truth), "{kind:?}: {truth} is not in {interval:?}");
        assert!(interval.half_width() < 0.05 * truth, "{kind:?}: {interval:?}");
        assert_eq!(estimate.n, 60);
    }
    let latency = &check.summary.latencies[0];
    assert_eq!((&latency.of[..], &latency.kind), ("users", &Some(ActorKind::Client)));
    // Time in the system is exponential with a mean of 20 ms.
    for (percentile, truth) in latency.percentiles.iter().zip([13.863, 46.052, 92.103, 138.155]) {
        let ms = |span: sim_core::Span| span.as_millis_f64();
        let low = ms(percentile.low.expect("an interval"));
        assert!(low <= truth && low > 0.6 * truth, "{truth} is not above {low}");
        // So far out the upper end may lie beyond all samples.
        let Some(high) = percentile.high.map(ms) else {
            assert_eq!(percentile.quantile.to_string(), "p99.9");
            continue;
        };
        assert!(truth <= high && high - low < 0.7 * truth, "{truth}: {low} to {high}");
    }
}

#[test]
fn the_same_is_told_to_be_the_same() {
    let comparison = Comparison::run(&sides(&["base", "same"]), &options(12, 0)).expect("a study");
    assert!(comparison.contrasts.len() >= 20);
    for contrast in &comparison.contrasts {
        let figure = &contrast.figure;
        assert_eq!(contrast.difference.mean, 0.0, "{figure}");
        let has_interval = contrast.difference.interval.is_some();
        match contrast.judgement {
            Judgement::NoDifference => assert!(has_interval, "{figure}"),
            Judgement::Lacks(Lack::Samples { have, need }) => assert!(have < need, "{figure}"),
            other => panic!("{figure}: {other}"),
        }
        assert!(has_interval || figure.to_string().starts_with("p99.9"), "{figure}");
    }
}

#[test]
fn a_slower_clerk_is_told_from_luck_by_pairing() {
    let sides = sides(&["base", "slower"]);
    let comparison = Comparison::run(&sides, &options(30, 0)).expect("a study");
    for figure in ["latency_mean(users)", "p50(users)", "p90(users)"] {
        let contrast = contrast(&comparison, figure, 1);
        assert_eq!(contrast.judgement, Judgement::Worse, "{figure}: {contrast:?}");
        assert!(contrast.saved.is_some_and(|saved| saved > 0.5), "{figure}: {contrast:?}");
    }
    // 1 / (1/11 - 1/20) - 20 ms, by theory.
    let difference = contrast(&comparison, "latency_mean(users)", 1).difference;
    assert!(difference.interval.is_some_and(|i| i.contains(4.444)), "{difference:?}");
    assert_eq!(contrast(&comparison, "utilisation(clerk)", 1).judgement, Judgement::Different);
    // Who waits longer is more often still there at the horizon, and is waited for.
    assert_eq!(contrast(&comparison, "goodput", 1).judgement, Judgement::NoDifference);
    assert_eq!(contrast(&comparison, "success", 1).judgement, Judgement::NoDifference);
}

#[test]
fn runs_that_hit_a_limit_are_counted_and_in_no_figure() {
    let comparison = Comparison::run(&sides(&["base", "short"]), &options(5, 0)).expect("a study");
    assert!(comparison.contrasts.is_empty());
    assert_eq!(comparison.sides.iter().map(|side| side.pairs).collect::<Vec<_>>(), [5, 0]);
    let [base, short] = &comparison.sides[..] else { panic!("two sides") };
    assert_eq!((base.summary.runs, base.summary.limited.as_ref()), (5, None));
    let limited = short.summary.limited.as_ref().expect("every run");
    assert_eq!((short.summary.runs, limited.runs, limited.first_seed), (0, 5, 1));
    assert!(limited.what.text.contains("5000"), "{:?}", limited.what);
    assert!(short.summary.measures.is_empty(), "nothing is averaged");
}

#[test]
fn invariants_are_counted_over_seeds() {
    let scenario = load(QUEUE, None, &[]);
    let check = Check::run(&scenario, &options(60, 0), None).expect("a study");
    let tally = &check.summary.invariants[1];
    assert!((1..60).contains(&tally.broken), "{tally:?}");
    let (seed, violation) = tally.first.as_ref().expect("a seed");
    for earlier in 1..*seed {
        assert_eq!(scenario.run(earlier).invariants[1].violations, 0);
    }
    assert_eq!(scenario.run(*seed).invariants[1].first.as_ref(), Some(violation));
    let share = tally.broken as f64 / 60.0;
    assert!(tally.rate.is_some_and(|rate| rate.low < share && share < rate.high));
}

#[test]
fn a_rule_stops_before_all_seeds() {
    let until: Until = "ci=10%".parse().expect("a rule");
    let until = Until { figure: "p50(users)".parse().expect("a figure"), ..until };
    let scenario = load(QUEUE, None, &[]);
    let check = Check::run(&scenario, &options(1000, 0), Some(&until)).expect("a study");
    assert!(matches!(check.stop, Stop::Precise { reached, .. } if reached <= 0.1), "{check:?}");
    assert_eq!(check.summary.runs, 30);
}

/// A storm that retries keep alive, when it is strong and they are many.
const STORM: &str = r#"Scenario(
    name: "storm", about: "Retries keep an overload alive.", horizon: "120s",
    actors: {
        "users": Client(load: Open(rate: "30/s", arrivals: Poisson), patience: "20s",
            does: [Call("api.get", policy: "p")]),
        "api": Service(workers: 10, queue: Fifo(limit: 2000),
            endpoints: { "get": [Work(Const("200ms"))] }),
    },
    policies: { "p": [Retry(attempts: 6, backoff: Constant("100ms")), Timeout("1s")] },
    faults: [At("30s", for: "10s", Slow("api", factor: 10))],
)
"#;

#[test]
fn a_map_finds_the_regions() {
    let axes = ["actors.users.load.rate=10/s,30/s,70/s", "policies.p[0].attempts=1,6"];
    let [x, y] = axes.map(|axis| axis.parse::<sim_models::study::Axis>().expect("an axis"));
    let mut cells = Vec::new();
    for attempts in &y.values {
        for rate in &x.values {
            cells.push(load(STORM, None, &[(&x.path, rate), (&y.path, attempts)]));
        }
    }
    let map = Map::run(&load(STORM, None, &[]), [x, y], &cells, &options(3, 0)).expect("a study");
    let regions: Vec<Option<Region>> = map.cells.iter().map(|cell| cell.region).collect();
    println!("{regions:?}");
    for cell in &map.cells {
        assert_eq!(cell.summary.runs, 3);
        assert!(cell.goodput.is_some() && cell.amplification.is_some_and(|a| a.mean >= 1.0));
    }
    assert_eq!(regions[..2], [Some(Region::Stable); 2], "without retries it recovers");
    assert_eq!(regions[3], Some(Region::Metastable), "retries keep it down");
    assert_eq!(regions[5], Some(Region::Overloaded), "more than it ever carries");
    assert!(map.cell(1, 0).recovery_time.is_some_and(|time| time.mean > 0.0));
}

/// A folder with both scenarios.
fn folder(name: &str) -> PathBuf {
    let folder = scratch(name);
    fs::write(folder.join("queue.ron"), QUEUE).unwrap();
    fs::write(folder.join("storm.ron"), STORM).unwrap();
    folder
}

fn json(folder: &Path, args: &[&str]) -> (Option<i32>, Value) {
    let told = sim_in(folder, args);
    let told_where = |line: &str| line.starts_with("chart ");
    assert!(told.stderr.lines().all(told_where), "no progress bar without a terminal: {told:?}");
    for line in told.stderr.lines() {
        let chart = line.split_whitespace().last().expect("a path");
        let svg = fs::read_to_string(folder.join(chart)).expect("the chart that was told");
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"), "{chart}");
    }
    (told.code, serde_json::from_str(&told.stdout).unwrap_or_else(|_| panic!("{told:?}")))
}

#[test]
fn check_keeps_its_contract() {
    let folder = folder("check");
    let args = ["check", "queue.ron", "--seeds", "60", "--json"];
    let (code, check) = json(&folder, &args);
    assert_eq!(code, Some(1), "a queue was too long with some seed");
    assert_eq!((&check["schema"], &check["verdict"]), (&3.into(), &"violated".into()));
    assert_eq!((&check["runs"], &check["warmup_ms"]), (&60.into(), &5000.0.into()));
    for field in ["mean", "ci_low", "ci_high"] {
        assert!(check["metrics"]["goodput"][field].is_f64(), "{check}");
    }
    assert_eq!(check["metrics"]["goodput"]["n"], 60);
    assert_eq!(check["metrics"]["latency_mean(users)"]["better"], "lower");
    assert!(check["latency_ms"]["users"]["p99"]["ci_high"].is_f64());
    let invariant = &check["invariants"][1];
    assert_eq!((&invariant["runs"], &invariant["vacuous"]), (&60.into(), &0.into()));
    assert!(invariant["broken"].as_u64().is_some_and(|broken| broken > 0));
    let seed = invariant["first_seed"].as_u64().expect("a seed");
    let replay = invariant["first"]["replay"].as_str().expect("a command");
    assert_eq!(replay, format!("sim run queue.ron --seed {seed}"));
    let words: Vec<&str> = replay.split(' ').skip(1).collect();
    let run = sim_in(&folder, &words);
    assert_eq!(run.code, Some(1));
    assert!(run.stdout.contains(invariant["first"]["witness"].as_str().expect("a witness")));

    let again = sim_in(&folder, &[&args[..], &["--jobs", "1"]].concat());
    let many = sim_in(&folder, &[&args[..], &["--jobs", "5"]].concat());
    assert_eq!(again, many, "byte for byte");
}

#[test]
fn check_says_the_words_of_run() {
    let folder = folder("check-known");
    let known = r#"breaks=["PeakArrivals(at: \"clerk\", max: 15)"]"#;
    let told = sim_in(&folder, &["check", "queue.ron", "--seeds", "60", "--set", known]);
    assert_eq!(told.code, Some(1), "what is known to break is broken");
    assert!(told.stdout.starts_with("VIOLATED"), "{}", told.stdout);
    assert!(told.stdout.contains("as the scenario is here to show"), "{}", told.stdout);
    let none = ["--set", "invariants=[]"];
    for command in [&["run", "queue.ron"][..], &["check", "queue.ron", "--seeds", "3"]] {
        let told = sim_in(&folder, &[command, &none].concat());
        assert_eq!(told.code, Some(1), "{command:?}");
        assert!(told.stdout.starts_with("NOTHING CHECKED"), "{}", told.stdout);
    }
    let told = sim_in(&folder, &["check", "queue.ron", "--variant", "short", "--seeds", "2"]);
    assert_eq!(told.code, Some(1), "a limit");
    assert!(told.stdout.contains("2 runs ended at a limit and are in no figure"));
    let told = sim_in(&folder, &["check", "queue.ron", "--seeds", "1"]);
    assert!(told.stdout.contains("one run has none"), "{}", told.stdout);
}

#[test]
fn what_a_study_cannot_do_is_told() {
    let folder = folder("study-misuse");
    for (args, wanted) in [
        (&["check", "queue.ron", "--seeds", "0"][..], &["no seeds"][..]),
        (&["check", "queue.ron", "--seeds", "-1"], &["-1"]),
        (&["check", "queue.ron", "--first-seed", "18446744073709551615"], &["begin earlier"]),
        (&["check", "queue.ron", "--until", "5%"], &["ci=5%"]),
        (&["check", "queue.ron", "--until", "ci=5"], &["ci=5%"]),
        (&["check", "queue.ron", "--metric", "godput"], &["godput", "did you mean `goodput`"]),
        (&["check", "queue.ron", "--metric", "p99(user)"], &["p99(user)", "p99(users)"]),
        (&["check", "queue.ron", "--confidence", "100%"], &["99.99%"]),
        (&["check", "queue.ron", "--jobs", "0"], &["1 to 1024"]),
        (&["check", "queue.ron", "--variant", "slow"], &["slow", "slower"]),
        (&["check", "queue.ron", "--set", "horizon=long"], &["--set", "long"]),
        (&["compare", "queue.ron", "--variants", "base,slow"], &["slow", "slower"]),
        (&["compare", "queue.ron", "--variants", "base"], &["one side"]),
        (&["compare", "storm.ron"], &["one side"]),
        (&["compare", "queue.ron", "--least", "2"], &["2%"]),
        (&["run", "queue.ron", "--table", "csv"], &["--all"]),
        (&["compare", "queue.ron", "storm.ron", "--variants", "same"], &["one scenario"]),
        (
            &["map", "queue.ron", "--x", "actors.clerk.workers=1,2", "--metric", "p99(user)"],
            &["p99(user)", "did you mean `p99(users)`"],
        ),
        (
            &["check", "queue.ron", "--metric", "QueueBelw(\"clerk\")"],
            &["broken(QueueBelw(\"clerk\"))"],
        ),
        (&["map", "queue.ron"], &["--x"]),
        (&["map", "queue.ron", "--x", "actors.clerk.workers"], &["write a path"]),
        (
            &["map", "queue.ron", "--x", "actors.clerk.workers=1,some"],
            &["--x, value 2 of 2", "some"],
        ),
        (&["map", "queue.ron", "--x", "actors.clerk.workrs=1"], &["workrs", "did you mean"]),
        (&["map", "queue.ron", "--x", "horizon=9s,1..3"], &["--x"]),
        (&["map", "queue.ron", "--x", "horizon=9s", "--seeds", "0"], &["no seeds"]),
    ] {
        let told = sim_in(&folder, args);
        println!("{args:?}: {}", told.stderr);
        refused(&told, wanted);
    }
}

#[test]
fn compare_pairs_by_seed_and_says_what_it_cannot_tell() {
    let folder = folder("compare");
    let args = ["compare", "queue.ron", "--variants", "base,same,slower", "--seeds", "20"];
    let (code, found) = json(&folder, &[&args[..], &["--json"]].concat());
    assert_eq!((code, &found["sides"][2]["pairs"]), (Some(0), &20.into()));
    let names: Vec<&str> = found["sides"]
        .as_array()
        .expect("sides")
        .iter()
        .map(|side| side["name"].as_str().expect("a name"))
        .collect();
    assert_eq!(names, ["base", "same", "slower"]);
    let line = |side: &str| {
        let lines = found["contrasts"].as_array().expect("lines").iter();
        let is_it = |l: &&Value| l["figure"] == "latency_mean(users)" && l["side"] == side;
        lines.clone().find(is_it).expect("a line")
    };
    assert_eq!(line("same")["verdict"], "no_difference");
    assert_eq!(line("same")["why"], "no difference");
    assert_eq!(line("same")["difference"]["mean"], 0.0);
    assert_eq!(line("slower")["verdict"], "worse");

    let told = sim_in(&folder, &args);
    println!("{}", told.stdout);
    assert!(told.stdout.contains("base (baseline)") && told.stdout.contains("worse"));
    assert!(!told.stdout.contains("slower against base"), "it fits a screen");
    let rows = found["decision"]["rows"].as_array().expect("rows");
    for (side, row) in found["sides"].as_array().expect("sides").iter().zip(rows) {
        assert_eq!(side["name"], row["name"]);
        assert_eq!(side["metrics"]["goodput"]["mean"], row["cells"]["goodput"]["value"]);
        let told_as = row["cells"]["goodput"]["text"].as_str().expect("a text");
        assert!(told.stdout.contains(told_as), "{told_as}");
    }
    assert_eq!(rows[0]["cells"]["p50(users)"]["mark"], Value::Null);
    assert_eq!(rows[1]["cells"]["p50(users)"]["mark"], "equal");
    assert_eq!(rows[2]["cells"]["p50(users)"]["mark"], "worse");
    let table = sim_in(&folder, &[&args[..], &["--table", "markdown"]].concat());
    assert!(table.stdout.starts_with("| variant | verdict |"), "{table:?}");

    let told = sim_in(&folder, &[&args[..], &["-v"]].concat());
    assert!(told.stdout.contains("slower against base, 20 seeds"));
    assert!(told.stdout.contains("no difference") && told.stdout.contains("worse"));
    let files = sim_in(&folder, &["compare", "queue.ron", "storm.ron", "--seeds", "2"]);
    assert!(files.stdout.contains("queue.ron (baseline)"), "{files:?}");
}

#[test]
fn map_shows_the_regions() {
    let folder = folder("map");
    let args = [
        "map",
        "storm.ron",
        "--x",
        "actors.users.load.rate=10/s,30/s",
        "--seeds",
        "2",
        "--y",
        r#"policies.p=[Timeout("1s")],[Retry(attempts: 6, backoff: Constant("100ms")), Timeout("1s")]"#,
    ];
    let told = sim_in(&folder, &args);
    println!("{}", told.stdout);
    assert_eq!((told.code, &told.stderr[..]), (Some(0), ""));
    assert!(told.stdout.contains("stable") && told.stdout.contains("metastable"));
    let (_, map) = json(&folder, &[&args[..], &["--json"]].concat());
    let cells = map["cells"].as_array().expect("cells");
    assert_eq!(cells.len(), 4);
    assert_eq!((&cells[1]["x"], &cells[0]["region"]), (&"30/s".into(), &"stable".into()));
    assert_eq!(cells[2]["region"], "metastable");
    assert!(cells[2]["amplification"]["mean"].as_f64().is_some_and(|mean| mean > 2.0));
}
