//! Figures that do not flatter: who gets no answer counts, nobody is cut off by the end of the run,
//! and a fast failure is no fast answer.

use sim_core::{Span, Time};
use sim_models::outcome::{Goodput, InvariantVerdict, Verdict, Violation};
use sim_models::study::{
    Axis, Check, Comparison, Contrast, Figure, Judgement, Kind, Lack, Map, Options, Quantile,
};

use crate::support::{actor, counter, load, mistakes, run, run_text};

fn options(seeds: u64) -> Options<'static> {
    Options { seeds, jobs: 2, ..Options::default() }
}

/// A provider that never answers half of the payments.
const SILENT: &str = r#"Scenario(
    name: "silent", about: "Half of the payments hear nothing.", horizon: "60s",
    actors: {
        "shoppers": Client(load: Open(rate: "20/s"), does: [Call("psp.pay", policy: "p")]),
        "psp": Service(workers: 1000, endpoints: { "pay": [Work(Const("100ms"))] }),
    },
    policies: { "p": [] },
    faults: [At("0s", Hang("psp", rate: 0.5))],
    variants: { "timeout": { "policies.p": [Timeout("1s")] } },
)"#;

/// Twice as many customers as one clerk can serve.
const CROWD: &str = r#"Scenario(
    name: "crowd", about: "A line that only grows.", horizon: "60s",
    actors: {
        "customers": Client(load: Open(rate: "20/s", arrivals: Constant), does: [Call("clerk.ask")]),
        "clerk": Service(workers: 1, queue: Fifo(limit: 100000),
            endpoints: { "ask": [Work(Const("100ms"))] }),
    },
)"#;

fn mean(check: &Check, kind: Kind) -> f64 {
    check.summary.estimate(&Figure::of_all(kind)).expect("a figure").mean
}

#[test]
fn who_never_gets_an_answer_counts() {
    let check = Check::run(&load(SILENT, None, &[]), &options(4), None).expect("a study");
    let (success, unanswered) = (mean(&check, Kind::Success), mean(&check, Kind::Unanswered));
    assert!((success - 0.5).abs() < 0.05, "{success}");
    assert!((success + unanswered - 1.0).abs() < 1e-9, "{unanswered}");
    let shoppers = &check.summary.latencies[0];
    let read = |q| *shoppers.percentiles.iter().find(|p| p.quantile == q).expect("a percentile");
    assert!(read(Quantile::P99).at_least && read(Quantile::P99).value > Span::secs(10));
    assert_eq!(read(Quantile::P99).high, None, "nobody knows how long they would have waited");

    let run = run_text(SILENT);
    let latency = actor(&run, "shoppers").latency.expect("answers");
    assert_eq!(latency.open, counter(&run, "shoppers", "unanswered_submissions"));
    assert!(latency.is_bound(latency.p99) && latency.p99 > Span::secs(10));
}

/// Whatever its submissions come to, an intent counts once: as goodput or as missed.
#[test]
fn an_intent_counts_once_however_often_it_is_submitted() {
    for (clicks, endpoint, good) in [
        (1, "", 20),
        (3, "", 20),
        (3, "Fail(500)", 0),
        (3, r#"If(Eq("{submission}", 1), then: [Fail(500)])"#, 20),
        (3, r#"If(Eq("{submission}", 3), then: [Fail(500)])"#, 20),
        (2, r#"If(Eq("{intent}", 7), then: [Fail(500)])"#, 19),
    ] {
        let outcome = run_text(&format!(
            r#"Scenario(
                name: "clicks", about: "Users who click again.", horizon: "60s",
                actors: {{
                    "users": Client(
                        load: Open(rate: "1/s", arrivals: Constant, until: "19500ms"),
                        clicks: {clicks}, apart: "700ms",
                        does: [Call("shop.buy")],
                    ),
                    "shop": Service(workers: 9, endpoints: {{ "buy": [{endpoint}] }}),
                }},
            )"#
        ));
        let sum = |counts: &[u32]| counts.iter().sum::<u32>();
        let windows = &outcome.series;
        let counted = (sum(&windows.goodput), sum(&windows.failed));
        assert_eq!(counted, (good, 20 - good), "{clicks} clicks, {endpoint}");
    }
}

#[test]
fn a_timeout_is_not_worse_than_silence() {
    let sides = [None, Some("timeout")]
        .map(|variant| (variant.unwrap_or("base").to_owned(), load(SILENT, variant, &[])));
    let comparison = Comparison::run(&sides, &options(8)).expect("a study");
    let judged = |figure: &str| {
        let contrasts = &comparison.contrasts;
        contrasts.iter().find(|c| c.figure.to_string() == figure).expect("a figure").judgement
    };
    assert_eq!(judged("unanswered"), Judgement::Better);
    assert_eq!(judged("p99(shoppers)"), Judgement::Better, "of at least 10 s and of 100 ms");
    assert_eq!(judged("success"), Judgement::NoDifference);
}

#[test]
fn a_line_that_only_grows_serves_what_it_serves() {
    let check = Check::run(&load(CROWD, None, &[]), &options(2), None).expect("a study");
    // All who wait at the horizon have the same ten seconds, whenever they came.
    assert_eq!((mean(&check, Kind::Success), mean(&check, Kind::Unanswered)), (0.5, 0.5));
    assert_eq!(mean(&check, Kind::Goodput), 10.0, "the clerk can do no more");
}

#[test]
fn nobody_is_missing_from_a_latency_because_the_run_was_cut_off() {
    let slow = &[
        ("actors.clerk.workers", "1000"),
        ("actors.clerk.endpoints.ask[0]", "Work(Const(\"7s\"))"),
    ];
    let outcome = run(&load(CROWD, None, slow));
    let latency = actor(&outcome, "customers").latency.expect("answers");
    assert_eq!((latency.count, latency.open), (outcome.goodput.offered, 0));
    assert_eq!(latency.mean, Span::secs(7));
    assert_eq!(outcome.ended_at, Time::ZERO + Span::secs(60), "what is measured ends there");
    assert_eq!(outcome.grace.taken, Span::millis(6950), "the last one came 50 ms before it");
    let cut = [slow[0], slow[1], ("limits", "(grace: Some(\"2s\"))")];
    let outcome = run(&load(CROWD, None, &cut));
    assert_eq!(outcome.goodput.unanswered(), 7 * 20 - 1, "no answer within 2 s");
}

#[test]
fn nothing_begins_after_the_horizon() {
    let outcome = run_text(
        r#"Scenario(
            name: "closed", about: "Two tills, and a job without end.", horizon: "9500ms",
            actors: {
                "tills": Client(
                    load: Closed(users: 2, think: Const("300ms")),
                    does: [Call("api.sell")],
                ),
                "api": Service(workers: 8,
                    endpoints: { "sell": [Work(Const("450ms"))] },
                    jobs: { "tick": Job(every: "10ms", does: [Work(Const("1ms"))]) },
                ),
            },
        )"#,
    );
    assert_eq!(outcome.goodput.offered, 2 * 13, "every 750 ms from 300 ms on, the last at 9.3 s");
    assert_eq!(outcome.goodput.unanswered(), 0);
    assert_eq!(outcome.grace.taken, Span::millis(250), "the job keeps nobody waiting");
}

#[test]
fn a_fast_failure_is_no_fast_answer() {
    let outcome = run_text(
        r#"Scenario(
            name: "half", about: "Every second call is refused at once.", horizon: "60s",
            actors: {
                "users": Client(load: Open(rate: "20/s"), does: [Call("api.get")]),
                "api": Service(workers: 100, endpoints: { "get": [Work(Const("80ms"))] }),
            },
            faults: [At("0s", Errors("api", rate: 0.5))],
        )"#,
    );
    let users = actor(&outcome, "users");
    let (succeeded, failed) = (users.latency.expect("some"), users.latency_failed.expect("some"));
    assert_eq!((succeeded.p50, succeeded.mean), (Span::millis(80), Span::millis(80)));
    assert_eq!(failed.max, Span::ZERO);
    let at_80_ms = |p50: &Option<Span>| p50.is_none_or(|p50| p50 == Span::millis(80));
    assert!(outcome.series.latency_p50.iter().all(at_80_ms), "in every window");
}

#[test]
fn work_that_is_not_finished_is_wasted_when_nobody_waits_for_it() {
    let outcome = run_text(
        r#"Scenario(
            name: "patience", about: "Nobody waits for the answer.", horizon: "60s",
            actors: {
                "users": Client(load: Open(rate: "1/s", until: "50s"), does: [Call("api.get", policy: "p")]),
                "api": Service(workers: 100, endpoints: { "get": [Work(Const("2m"))] }),
            },
            policies: { "p": [Timeout("1s")] },
        )"#,
    );
    let load = actor(&outcome, "api").load.expect("a service");
    assert_eq!(load.wasted, Some(1.0), "all of it");
}

/// A shop whose bank refuses every second charge between 20 s and 40 s.
fn shop(policy: &str, invariants: &str) -> String {
    format!(
        r#"Scenario(
            name: "shop", about: "A shop and its bank.", horizon: "60s",
            actors: {{
                "shoppers": Client(
                    load: Open(rate: "20/s", arrivals: Constant),
                    does: [Call("shop.buy")],
                ),
                "shop": Service(workers: 100, endpoints: {{ "buy": [
                    Work(Const("10ms")),
                    Call("bank.charge", policy: "p"),
                ] }}),
                "bank": Service(workers: 100, endpoints: {{ "charge": [Work(Const("30ms"))] }}),
            }},
            policies: {{ "p": [{policy}] }},
            faults: [At("20s", for: "20s", Errors("bank", rate: 0.5, status: 503))],
            invariants: [{invariants}],
        )"#
    )
}

/// The verdict over each promise on a figure, and what shows it.
fn promised(policy: &str, promises: &[&str]) -> Vec<(InvariantVerdict, String)> {
    let promises: Vec<String> = promises.iter().map(|p| format!("Threshold({p:?})")).collect();
    let outcome = run_text(&shop(policy, &promises.join(", ")));
    let told = |first: &Option<Violation>| first.as_ref().map_or("", |f| &f.witness).to_owned();
    outcome.invariants.iter().map(|i| (i.verdict, told(&i.first))).collect()
}

#[test]
fn every_figure_can_be_promised() {
    use InvariantVerdict::{Kept, Vacuous, Violated};
    let found = promised(
        r#"Retry(attempts: 3, backoff: Constant("100ms"))"#,
        &[
            "p50(shoppers) < 41ms",
            "p99(shoppers) < 41ms",
            "p99(shoppers) in 0s..20s < 41ms",
            "p99.9(bank.charge) <= 30ms",
            "latency_max(shop->bank) < 1s",
            "success in 40s..60s >= 100%",
            "success(shoppers) > 99.9%",
            "amplification(shop->bank) in 20s..40s > 1.5",
            "amplification(shop->bank) in 0s..20s <= 1",
            "requests_per_intent(bank) < 1.1",
            "wasted(bank) <= 0%",
            "utilisation(bank) in 0s..20s < 1%",
            "goodput in 0s..10s >= 20/s",
            "p99(shoppers, failed) in 0s..20s < 1s",
            "breaker_openings <= 0",
            "retries_arrived(bank) > 0",
        ],
    );
    let verdicts: Vec<InvariantVerdict> = found.iter().map(|(verdict, _)| *verdict).collect();
    let expected = [
        Kept, Violated, Kept, Kept, Kept, Kept, Violated, Kept, Kept, Violated, Kept, Kept, Kept,
        Vacuous, Kept, Kept,
    ];
    assert_eq!(verdicts, expected, "{found:#?}");
    assert!(found[1].1.contains("p99(shoppers) < 41ms was promised"), "{}", found[1].1);
}

#[test]
fn a_promise_on_what_there_is_not_is_refused() {
    for (promise, wanted) in [
        ("p99(shopers) < 1s", "did you mean `shoppers`"),
        ("amplification(shop->banks) < 2", "did you mean `shop->bank`"),
        ("success(shop) > 99%", "is not measured of `shop`"),
        ("p99(shoppers) < 500", "500ms"),
        ("godput > 1/s", "did you mean `goodput`"),
        ("success in 70s..80s > 1%", "before the horizon"),
    ] {
        let said = mistakes(&shop("", &format!("Threshold({promise:?})")));
        assert!(said.contains(wanted), "{promise}: {said}");
    }
}

#[test]
fn a_fallbacks_answer_is_no_goodput_unless_the_scenario_says_so() {
    let fallback = r#"Fallback(200, on: Failure)"#;
    let outcome = run_text(&shop(fallback, r#"Goodput("shoppers", at_least: 0.95)"#));
    let Goodput { offered, achieved, degraded, .. } = outcome.goodput;
    assert!(achieved + degraded == offered && degraded > 100, "{:?}", outcome.goodput);
    assert_eq!(outcome.verdict, Verdict::Violated, "a sixth was told what the shop made up");
    let counts = r#"Fallback(200, on: Failure, goodput: true)"#;
    let outcome = run_text(&shop(counts, r#"Goodput("shoppers", at_least: 0.95)"#));
    assert_eq!((outcome.goodput.degraded, outcome.verdict), (0, Verdict::Kept));
}

#[test]
fn a_side_that_breaks_more_is_never_called_better() {
    let text = r#"Scenario(
        name: "hasty", about: "A fast shop charges twice.", horizon: "30s",
        actors: {
            "shoppers": Client(load: Open(rate: "20/s"), does: [Call("bank.charge")]),
            "bank": Service(workers: 100,
                endpoints: { "charge": [Work(Const("30ms")), Effect("charge")] }),
        },
        invariants: [ExactlyOnce("charge")],
        variants: { "hasty": { "actors.bank.endpoints.charge":
            [Work(Const("5ms")), Effect("charge"), Effect("charge")] } },
    )"#;
    let sides = [None, Some("hasty")]
        .map(|variant| (variant.unwrap_or("base").to_owned(), load(text, variant, &[])));
    let judged = |seeds: u64, figure: &str| {
        let comparison = Comparison::run(&sides, &options(seeds)).expect("a study");
        let contrasts = comparison.contrasts.iter();
        assert!(contrasts.clone().all(|c| c.judgement != Judgement::Better));
        let is_it = |c: &&Contrast| c.figure.to_string() == figure;
        contrasts.clone().find(is_it).expect("a figure").judgement
    };
    assert_eq!(judged(8, "p50(shoppers)"), Judgement::NotBetter, "though it is faster");
    assert_eq!(judged(8, r#"broken(ExactlyOnce("charge"))"#), Judgement::Worse);
    assert_eq!(
        judged(3, r#"broken(ExactlyOnce("charge"))"#),
        Judgement::Lacks(Lack::Seeds { have: 3, need: 6 })
    );
}

#[test]
fn each_run_shows_the_figures_that_were_asked_for() {
    let asked = ["p99.5(shoppers)", "success in 20s..40s", "broken(AllAnswered)"];
    let figures = asked.map(|figure| figure.parse().expect("a figure")).to_vec();
    let options = Options { figures, each: true, ..options(3) };
    let scenario = load(&shop("", "AllAnswered"), None, &[]);
    let summary = Check::run(&scenario, &options, None).expect("a study").summary;
    let means: Vec<f64> = summary.asked.iter().map(|m| m.estimate.expect("a value").mean).collect();
    assert!((means[0] - 40.0).abs() < 0.1 && (means[1] - 0.5).abs() < 0.1, "{means:?}");
    assert_eq!(means[2], 0.0);
    assert_eq!(summary.each.len(), 3);
    let seeds: Vec<u64> = summary.each.iter().map(|row| row.seed).collect();
    assert_eq!(seeds, [1, 2, 3]);
}

/// Whatever `check` reports can be asked for by its name, of many runs, of each, and of a map.
#[test]
fn every_figure_that_check_knows_can_be_asked_for() {
    let promises = r#"AllAnswered, Threshold("p99(shoppers) < 500ms")"#;
    let scenario = load(&shop(r#"Breaker(trip: Consecutive(failures: 3))"#, promises), None, &[]);
    let known = Check::run(&scenario, &options(3), None).expect("a study").summary;
    let latencies = known.latencies.iter().flat_map(|latency| {
        ["p50", "p99.95"].map(|quantile| format!("{quantile}({})", latency.of))
    });
    let names: Vec<String> = known
        .measures
        .iter()
        .map(|measure| measure.figure.to_string())
        .chain(latencies)
        .chain(known.invariants.iter().map(|invariant| invariant.name.clone()))
        .chain(["p99", "latency_mean", "broken"].map(str::to_owned))
        .collect();
    assert!(names.len() > 60, "{names:?}");
    let mut one_each = names.clone();
    one_each.sort();
    one_each.dedup();
    assert_eq!(one_each.len(), names.len(), "two figures of one name");
    let figures: Vec<Figure> = names.iter().map(|name| name.parse().expect(name)).collect();
    let options = Options { figures: figures.clone(), each: true, ..options(3) };
    let check = Check::run(&scenario, &options, None).expect("a study").summary;
    let axes = ["horizon=60s".parse().expect("an axis"), Axis::none()];
    let map =
        Map::run(&scenario, axes, std::slice::from_ref(&scenario), &options).expect("a study");
    assert_eq!(map.cells[0].summary.asked, check.asked);
    for (n, (figure, measure)) in figures.iter().zip(&check.asked).enumerate() {
        let before = known.measures.iter().find(|measure| measure.figure == *figure);
        assert!(before.is_none_or(|before| before == measure), "{figure}");
        if let Some(estimate) = measure.estimate {
            assert!(check.each.iter().any(|row| row.values[n].is_some()), "{figure}: {estimate:?}");
        } else {
            assert!(before.is_some(), "{figure} has no value");
        }
    }
    let broken = check.asked.iter().filter(|m| m.figure.kind == Kind::Broken);
    let shares: Vec<f64> = broken.map(|m| m.estimate.expect("a value").mean).collect();
    assert_eq!(shares, [0.0, 0.0, 0.0], "all were put to the test, and held");
}

/// Four instances, of which one is in trouble, and a promise on what is measured.
fn one_of_four(fault: &str, promise: &str) -> String {
    format!(
        r#"Scenario(
            name: "grey", about: "One of four instances is in trouble.", horizon: "20s",
            actors: {{
                "users": Client(
                    load: Open(rate: "40/s", arrivals: Constant),
                    does: [Try([Call("api.get", policy: "wait")], catch: [])],
                ),
                "api": Service(
                    workers: 4, instances: 4,
                    endpoints: {{ "get": [Work(Const("10ms"))] }},
                ),
            }},
            policies: {{ "wait": [Timeout("1s")] }},
            faults: [At("0s", {fault})],
            invariants: [Threshold("{promise}")],
        )"#
    )
}

#[test]
fn each_instance_has_figures_of_its_own_and_the_sum_is_theirs() {
    let slow = r#"Slow("api", factor: 20.0, instance: 2)"#;
    let outcome = run_text(&one_of_four(slow, "success > 0"));
    let api = actor(&outcome, "api");
    let names: Vec<&str> = api.instances.iter().map(|own| &own.name[..]).collect();
    assert_eq!(names, ["api[0]", "api[1]", "api[2]", "api[3]"]);
    for (counter, all) in api.counters.iter().filter(|(c, _)| c.name().starts_with("succ")) {
        let sum: u64 = api.instances.iter().filter_map(|own| own.counter(*counter)).sum();
        assert_eq!(sum, *all, "{}", counter.name());
    }
    let p50 = |n: usize| api.instances[n].latency.expect("answers").p50;
    assert!(p50(1) < Span::millis(11) && p50(2) > Span::millis(190));
    let load = |n: usize| api.instances[n].load.expect("a load");
    assert!((load(1).utilisation - 0.025).abs() < 1e-3, "{}", load(1).utilisation);
    assert!((load(2).utilisation - 0.5).abs() < 1e-2, "{}", load(2).utilisation);
    let busy: f64 = (0..4).map(|n| load(n).busy_mean).sum();
    assert!((busy - api.load.expect("a load").busy_mean).abs() < 1e-9);
}

#[test]
fn a_figure_names_an_instance_wherever_figures_are_named() {
    let slow = r#"Slow("api", factor: 20.0, instance: 2)"#;
    let kept = |promise: &str| run_text(&one_of_four(slow, promise)).verdict == Verdict::Kept;
    for promise in [
        "p99(api[1]) < 11ms",
        "p50(api[2]) > 190ms",
        "p50(api[2]) in 5s..10s > 190ms",
        "latency_mean(api[2]) > 190ms",
        "utilisation(api[2]) > 45%",
        "arrived(api[2]) >= 190",
        "waited(api[1]) <= 0",
        "queue_len_max(api[1]) <= 0",
    ] {
        assert!(kept(promise), "{promise}");
    }
    assert!(!kept("p99(api[2]) < 11ms"));
    let errors = mistakes(&one_of_four(slow, "p99(api[4]) < 11ms"));
    assert!(errors.contains("api[3]") || errors.contains("not measured of"), "{errors}");

    let figures = ["p99(api[2])", "utilisation(api[2])"].map(|text| text.parse().unwrap());
    let scenario = load(&one_of_four(slow, "success > 0"), None, &[]);
    let options = Options { figures: figures.to_vec(), ..options(3) };
    let check = Check::run(&scenario, &options, None).expect("a study");
    assert_eq!(check.summary.asked.len(), 2);
    assert!(
        check.summary.asked[0].estimate.expect("a mean").mean > 190.0,
        "{:?}",
        check.summary.asked
    );
    assert!(!check.summary.latencies.iter().any(|l| l.of == "api[1]"), "nobody has asked");
}

#[test]
fn what_is_open_in_services_and_on_hops_at_the_end_counts_there_too() {
    let outcome = run_text(SILENT);
    let measured = &outcome.measured[0];
    let open = |name: &str| measured.latencies_of(name).expect("latencies").open.count();
    let waiting = counter(&outcome, "shoppers", "unanswered_submissions");
    assert!(waiting > 500);
    for name in ["psp", "psp.pay", "shoppers->psp"] {
        assert_eq!(open(name), waiting, "{name}");
    }
    let latency = actor(&outcome, "psp").latency.expect("answers");
    assert!(latency.is_bound(latency.p99) && latency.p99 > Span::secs(10), "{latency:?}");

    // Whoever hangs up leaves a request that was never answered.
    let outcome = run(&load(SILENT, Some("timeout"), &[]));
    let latencies = outcome.measured[0].latencies_of("psp.pay").expect("latencies");
    assert!(latencies.open.count() > 500 && latencies.open.min() == Some(Span::secs(1)));
    assert_eq!(outcome.measured[0].latencies_of("shoppers->psp").expect("calls").open.count(), 0);
}
