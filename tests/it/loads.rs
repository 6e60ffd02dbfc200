//! Loads that change, sessions, traces, and lengths that were measured.

use sim_core::{Span, Time};
use sim_models::outcome::Outcome;
use sim_models::{Error, Scenario};

use crate::support::{actor, counter, run_text, scratch, sim_in};

/// A minute of a load on a service with a worker for everybody.
fn scenario(load: &str, work: &str) -> String {
    format!(
        r#"Scenario(
            name: "load", about: "A load.", horizon: "60s", window: "1s",
            actors: {{
                "users": Client(load: {load}, does: [Call("api.work")]),
                "api": Service(workers: 100000, endpoints: {{ "work": [Work({work})] }}),
            }},
        )"#
    )
}

fn load(text: &str, files: &[(&str, &str)]) -> Result<Scenario, Error> {
    let draft = Scenario::text("t.ron", text);
    files.iter().fold(draft, |draft, (name, text)| draft.with_file(*name, *text)).load()
}

fn run_with(text: &str, files: &[(&str, &str)]) -> Outcome {
    let scenario = load(text, files).unwrap();
    scenario.run(scenario.seed())
}

fn refused(text: &str, files: &[(&str, &str)]) -> String {
    let error = load(text, files).err();
    error.map(|error| error.mistakes()[0].to_string()).unwrap_or_default()
}

/// When intents arose, from the log.
fn arrivals(outcome: &Outcome) -> Vec<Time> {
    let submitted = outcome.log.iter().filter(|line| line.what.starts_with("submits"));
    submitted.map(|line| line.at).collect()
}

/// How many of them within some seconds.
fn between(arrivals: &[Time], from: u64, until: u64) -> f64 {
    let within = |at: &&Time| (from..until).contains(&(at.as_nanos() / 1_000_000_000));
    arrivals.iter().filter(within).count() as f64
}

fn assert_poisson(count: f64, mean: f64, what: &str) {
    let z = (count - mean) / mean.sqrt();
    assert!(z.abs() < 3.5, "{what}: {count} instead of {mean}");
}

const QUICK: &str = r#"Const("1ms")"#;

#[test]
fn as_many_arrive_in_each_part_of_a_load_as_its_changes_say() {
    let outcome = run_text(&scenario(
        r#"Open(rate: "40/s", changes: [
            Step(at: "10s", rate: "60/s"),
            Ramp(at: "20s", for: "10s", rate: "100/s"),
            Spike(at: "40s", for: "5s", rate: "400/s"),
            OnOff(on: "50s", off: "5s"),
        ])"#,
        QUICK,
    ));
    let arrivals = arrivals(&outcome);
    for (from, until, mean) in [
        (0, 10, 400.0),
        (10, 20, 600.0),
        (20, 25, 350.0),
        (25, 30, 450.0),
        (30, 40, 1000.0),
        (40, 45, 2000.0),
        (45, 50, 500.0),
        (55, 60, 500.0),
    ] {
        assert_poisson(between(&arrivals, from, until), mean, &format!("{from}..{until}"));
    }
    assert_eq!(between(&arrivals, 50, 55), 0.0, "nothing comes while it is off");
}

#[test]
fn a_load_that_does_not_change_is_the_same_to_the_bit_however_it_is_written() {
    for arrivals in ["Poisson", "Uniform", "Constant"] {
        let digest = |more: &str, files: &[(&str, &str)]| {
            let load = format!(r#"Open(from: "1.3s", arrivals: {arrivals}, {more})"#);
            run_with(&scenario(&load, r#"Exponential("5ms")"#), files).digest
        };
        let plain = digest(r#"rate: "30/s""#, &[]);
        let steps =
            r#"rate: "30/s", changes: [Step("20s", "30/s"), Ramp("30s", "30/s", for: "5s")]"#;
        assert_eq!(plain, digest(steps, &[]), "{arrivals}");
        assert_eq!(plain, digest(r#"rates: "r.csv""#, &[("r.csv", "0,30\n17,30/s\n")]));
        assert_ne!(plain, digest(r#"rate: "31/s""#, &[]));
    }
}

#[test]
fn until_a_rate_changes_the_same_intents_arise_and_have_the_same_luck() {
    let log = |changes: &str| {
        let load = format!(r#"Open(rate: "20/s", changes: [{changes}])"#);
        run_text(&scenario(&load, r#"Exponential("5ms")"#)).log
    };
    let (plain, spiked) = (log(""), log(r#"Spike("30s", "100/s", for: "5s")"#));
    let early = |log: &[sim_models::outcome::LogLine]| {
        let early = log.iter().take_while(|line| line.at < Time::ZERO + Span::secs(30));
        early.map(|line| (line.at, line.what.clone())).collect::<Vec<_>>()
    };
    assert_eq!(early(&plain), early(&spiked));
    assert!(spiked.len() > plain.len() + 500);
}

#[test]
fn constant_arrivals_follow_a_changing_rate_evenly() {
    let changing = r#"Open(rate: "10/s", arrivals: Constant, changes: [Step("10s", "20/s")])"#;
    let arrivals = arrivals(&run_text(&scenario(changing, QUICK)));
    let at = |n: usize| arrivals[n].as_secs_f64();
    assert_eq!((at(0), at(1), at(100), at(101)), (0.0, 0.1, 10.0, 10.05));
    assert_eq!(arrivals.len(), 100 + 1000);
}

#[test]
fn a_day_has_its_low_and_its_high_and_its_mean() {
    let day = r#"Open(rate: "100/s", changes: [Diurnal(period: "60s", swing: 0.8)])"#;
    let arrivals = arrivals(&run_text(&scenario(day, QUICK)));
    assert_poisson(arrivals.len() as f64, 6000.0, "all");
    // Over a sixth of a period around the extremes a cosine has a mean of 3 / pi.
    assert_poisson(between(&arrivals, 25, 35), 1000.0 * (1.0 + 0.8 * 0.954_93), "noon");
    assert_poisson(between(&arrivals, 0, 5), 500.0 * (1.0 - 0.8 * 0.954_93), "night");
}

#[test]
fn a_session_asks_again_only_when_it_was_answered() {
    let outcome = run_text(&scenario(
        r#"Sessions(rate: "1/s", arrivals: Constant, until: "0.5s", requests: Constant(4),
            think: Const("2s"))"#,
        r#"Const("500ms")"#,
    ));
    let arrivals: Vec<f64> = arrivals(&outcome).iter().map(|at| at.as_secs_f64()).collect();
    assert_eq!(arrivals, [0.0, 2.5, 5.0, 7.5], "answered after 0.5 s, back after 2 s");
}

#[test]
fn sessions_come_at_their_rate_and_stay_for_their_mean() {
    let load = |requests: &str| {
        let load = format!(r#"Sessions(rate: "200/s", until: "50s", requests: {requests})"#);
        counter(&run_text(&scenario(&load, QUICK)), "users", "intents") as f64
    };
    let sessions = load("Constant(1)");
    assert_poisson(sessions, 10_000.0, "sessions");
    assert_eq!(load("Geometric(1.0)"), sessions, "the same sessions");
    // A geometric number of mean 5 has a variance of 20.
    let z = (load("Geometric(5.0)") - 5.0 * sessions) / (20.0 * sessions).sqrt();
    assert!(z.abs() < 3.5, "{z}");
}

#[test]
fn a_trace_is_followed_to_the_nanosecond() {
    let trace =
        "arrived at\n# a comment\n0.25\n\n1.5s\n1.5\n2.000000001, and what else is there\n70\n";
    let text = scenario(r#"Trace("t.csv")"#, QUICK);
    let arrivals = arrivals(&run_with(&text, &[("t.csv", trace)]));
    let nanos: Vec<u64> = arrivals.iter().map(|at| at.as_nanos()).collect();
    assert_eq!(nanos, [250_000_000, 1_500_000_000, 1_500_000_000, 2_000_000_001]);
}

#[test]
fn rates_of_a_file_hold_until_the_next() {
    let rates = "time,rate\n10,50\n20s,6000/m\n30,0\n";
    let outcome = run_with(&scenario(r#"Open(rates: "r.csv")"#, QUICK), &[("r.csv", rates)]);
    let arrivals = arrivals(&outcome);
    assert_poisson(between(&arrivals, 10, 20), 500.0, "50 a second");
    assert_poisson(between(&arrivals, 20, 30), 1000.0, "100 a second");
    assert_eq!(between(&arrivals, 0, 10) + between(&arrivals, 30, 60), 0.0);
}

#[test]
fn what_is_in_a_file_is_part_of_what_was_run() {
    let text = scenario(r#"Trace("t.csv")"#, QUICK);
    let id = |trace: &str| load(&text, &[("t.csv", trace)]).unwrap().run_id(1).to_string();
    assert_eq!(id("1\n2\n"), id("1\n2\n"));
    assert_ne!(id("1\n2\n"), id("1\n3\n"));
    let scenario = load(&text, &[("t.csv", "1\n2\n")]).unwrap();
    assert_eq!(scenario.files().collect::<Vec<_>>(), [("t.csv", "1\n2\n")]);
    let faulty = scenario.with_faults(r#"[At("1s", Crash("api"))]"#).expect("with its files");
    assert_eq!(counter(&faulty.run(1), "users", "intents"), 2);
}

#[test]
fn a_record_carries_the_files_of_its_scenario() {
    let folder = scratch("record-with-files");
    std::fs::create_dir(folder.join("data")).unwrap();
    std::fs::write(folder.join("s.ron"), scenario(r#"Trace("data/t.csv")"#, QUICK)).unwrap();
    std::fs::write(folder.join("data/t.csv"), "1\n2\n").unwrap();
    let told = sim_in(&folder, &["run", "s.ron", "-q", "--record", "run.rec"]);
    assert_eq!(told.code, Some(1), "no invariant is stated: {told:?}");
    std::fs::remove_dir_all(folder.join("data")).unwrap();
    let told = sim_in(&folder, &["replay", "run.rec"]);
    assert!(told.code == Some(0) && told.stdout.contains("identical"), "{told:?}");
    let told = sim_in(&folder, &["run", "s.ron"]);
    assert!(
        told.code == Some(2) && told.stderr.contains("there is no file data/t.csv"),
        "{told:?}"
    );
}

#[test]
fn measured_lengths_and_mixtures_are_what_work_takes() {
    let mean = |work: &str, files: &[(&str, &str)]| {
        let text = scenario(r#"Open(rate: "500/s", until: "50s")"#, work);
        let outcome = run_with(&text, files);
        actor(&outcome, "users").latency.as_ref().expect("latencies").mean.as_secs_f64()
    };
    let near = |found: f64, expected: f64| {
        assert!((found / expected - 1.0).abs() < 0.03, "{found} instead of {expected}");
    };
    near(mean(r#"Empirical(["10ms", "30ms"])"#, &[]), 0.020);
    let lengths = &[("w.csv", "latency_ms\n10\n30\n80\n")];
    near(mean(r#"Empirical(file: "w.csv", unit: "1ms")"#, lengths), 0.040);
    near(mean(r#"Mixture([(9.0, Const("10ms")), (1.0, Exponential("100ms"))])"#, &[]), 0.019);
}

#[test]
fn loads_that_cannot_be_are_refused_with_the_reason() {
    let load = |load: &str, file: &str| refused(&scenario(load, QUICK), &[("f.csv", file)]);
    for (of, file, expected) in [
        (r#"Trace("g.csv")"#, "", "the file g.csv was not given"),
        (r#"Trace("f.csv")"#, "", "f.csv holds no figures; one row on a line is wanted"),
        (r#"Trace("f.csv")"#, "times\n# none\n", "f.csv holds no figures"),
        (r#"Trace("f.csv")"#, "1\n2\nthree\n", "f.csv:3: `three` is no length of time"),
        (r#"Trace("f.csv")"#, "1\n-2\n", "f.csv:2: -2 is out of bounds; a number from 0"),
        (r#"Trace("f.csv")"#, "1\nNaN\n", "f.csv:2: NaN is out of bounds"),
        (r#"Trace("f.csv")"#, "2\n1\n", "f.csv: 1s comes after 2s; sort it by time"),
        (r#"Trace("f.csv")"#, "100\n", "f.csv begins at 100s; the run is over at 60s"),
        (r#"Open(rates: "f.csv")"#, "1\n", "f.csv:1: a time and a rate are wanted"),
        (r#"Open(rates: "f.csv")"#, "1,-3\n", "f.csv:1: `-3/s` is not a rate"),
        (r#"Open(rates: "f.csv")"#, "5,1\n1,3\n", "f.csv: 1s comes after 5s"),
        (r#"Open(rate: "1/s", rates: "f.csv")"#, "1,1\n", "`rate` and `rates` are both given"),
        ("Open()", "", "this load has no rate; add `rate: \"50/s\"`"),
        (r#"Open(rate: "0/s")"#, "", "`0/s` is not a rate; write a number above zero"),
        (r#"Open(rate: "1/s", from: "2m", until: "3m")"#, "", "from = 2m; it must be within"),
        (r#"Burst(count: 1, at: "2m")"#, "", "at = 2m; it must be within the horizon, 60s"),
        (
            r#"Open(rate: "1/s", changes: [Spike("58s", "9/s", for: "3s")])"#,
            "",
            "this spike lasts from 58s to 61s; the load lasts from 0s to 60s",
        ),
        (
            r#"Open(rate: "1/s", changes: [Step("20s", "9/s"), Step("10s", "3/s")])"#,
            "",
            "at = 10s; the change before it is over at 20s; write steps and ramps in the order",
        ),
        (
            r#"Open(rate: "1/s", until: "9s", changes: [Step("10s", "3/s")])"#,
            "",
            "at = 10s; the load ends at 9s",
        ),
        (
            r#"Open(rate: "1/s", changes: [OnOff("1us", "1us")])"#,
            "",
            "this changes too often; at most 10000 turns",
        ),
        (
            r#"Open(rate: "1/s", changes: [Diurnal("24h", 1.5)])"#,
            "",
            "swing = 1.5; it must be a ratio in 0..=1",
        ),
        (
            r#"Sessions(rate: "1/s", requests: Geometric(0.5))"#,
            "",
            "requests = 0.5; it must be a mean",
        ),
    ] {
        let found = load(of, file);
        assert!(found.contains(expected), "{of}: {found}");
    }
}

#[test]
fn lengths_that_cannot_be_are_refused_with_the_reason() {
    let files = [("w.csv", "10\nfast\n"), ("h.hlog", "#[Histogram log format version 1.3]\n1,2\n")];
    for (work, expected) in [
        (r#"Empirical(file: "w.csv")"#, "w.csv:2: `fast` is no length of time"),
        (r#"Empirical()"#, "Empirical takes one source of lengths; give a list of lengths, `file`"),
        (r#"Empirical(["1s"], file: "w.csv")"#, "Empirical takes one source of lengths"),
        ("Empirical([])", "number of values = 0; at least one is needed"),
        (r#"Empirical(hdr: "h.hlog")"#, "`hdr` without `unit`; say what a value"),
        (r#"Empirical(hdr: "h.hlog", unit: "1us")"#, "h.hlog: it is no log of HDR histograms"),
        (r#"LogNormal(p50: "2s", p99: "1s")"#, "p50 = 2s; it must be at most `p99`, 1s"),
        ("Mixture([])", "sum of weights = 0"),
        (r#"Mixture([(0.0, Const("1s"))])"#, "sum of weights = 0; a finite number above 0"),
        (r#"Mixture([(-1.0, Const("1s")), (2.0, Const("1s"))])"#, "weight = -1"),
        (r#"Mixture([(1.0, Exponential("0s"))])"#, "mean = 0; a finite number above 0"),
    ] {
        let found = refused(&scenario(r#"Open(rate: "1/s")"#, work), &files);
        assert!(found.contains(expected), "{work}: {found}");
    }
}

#[test]
fn a_session_may_have_more_requests_than_can_be_counted() {
    let outcome = run_text(
        r#"Scenario(
            name: "long", about: "Sessions of a billion requests on average.", horizon: "10s",
            actors: {
                "users": Client(
                    load: Sessions(rate: "100/s", requests: Geometric(1e9), think: Const("1h")),
                    does: [Call("app.run")],
                ),
                "app": Service(workers: 1, endpoints: { "run": [] }),
            },
            limits: (steps: 18446744073709551615),
        )"#,
    );
    assert!(outcome.goodput.achieved > 800, "{:?}", outcome.goodput);
}
