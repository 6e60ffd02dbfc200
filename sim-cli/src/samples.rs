//! Outcomes for the tests of the views: shaped as runs are, yet written down by hand.

use sim_core::{LimitHit, Span, Time};
use sim_models::explore::turning::{Decided, Point, Turn, Turning};
use sim_models::outcome::{
    ActorKind, ActorSummary, CallSummary, Counter, EffectSummary, FaultWindow, Goodput, Grace,
    HopEnding, InvariantResult, InvariantVerdict, Latency, LedgerLine, LevelSeries, LogLine,
    Measured, Outcome, Quantity, Resource, ResourceEvent, ResourceKind, ResourceLevel, RunId,
    RunLimit, Series, TransitionLine, Verdict, Violation,
};
use sim_models::recovery::{Level, Recovery, RecoveryState};
use sim_models::study::{
    Axis, Cell, Comparison, Contrast, Estimate, Figure, Interval, Judgement, Kind, LatencySummary,
    Map, Measure, Percentile, Quantile, RecoveryTally, Region, Side, StudyId, Subject, Summary,
    Typical,
};
use sim_models::why::{self, Sequence};
use sim_policies::Weighed;
use sim_policies::breaker::{StateName, TransitionReason};

/// The arguments of a command that was typed as `run x.ron --seed 3`.
pub fn typed<A: clap::Args>(line: &str) -> A {
    let command = A::augment_args(clap::Command::new("sim"));
    let matches = command.try_get_matches_from(line.split(' ')).expect("what was typed is right");
    A::from_arg_matches(&matches).expect("it was just parsed")
}

/// The instant `n` milliseconds after the start.
pub fn ms(n: u64) -> Time {
    Time::ZERO + Span::millis(n)
}

/// A run in which nothing happened at all.
pub fn empty() -> Outcome {
    Outcome {
        run_id: RunId { scenario_hash: 0xabcd, overrides_hash: None, seed: 7 },
        scenario: "payment".to_owned(),
        about: "Pay while the provider is flaky.".to_owned(),
        hypothesis: "Nobody pays twice.".to_owned(),
        variant: None,
        verdict: Verdict::Kept,
        digest: 0x0123_4567_89ab_cdef,
        steps: 0,
        ended_at: Time::ZERO,
        grace: Grace::default(),
        warmup: Span::ZERO,
        goodput: Goodput::default(),
        measured: vec![Measured::default()],
        limit: None,
        invariants: Vec::new(),
        effects: Vec::new(),
        ledger: Vec::new(),
        actors: Vec::new(),
        calls: Vec::new(),
        resources: Vec::new(),
        transitions: Vec::new(),
        decisions: Vec::new(),
        log: Vec::new().into(),
        log_omitted: 0,
        series: Series::default(),
        recovery: None,
        faults: Vec::new(),
        faults_missed: Vec::new(),
    }
}

/// A provider's outage: the breaker opens for 30 s, and one shopper is charged twice.
pub fn outage() -> Outcome {
    Outcome {
        variant: Some("naive".to_owned()),
        verdict: Verdict::Violated,
        steps: 48_213,
        measured: vec![Measured { length: Span::secs(120), ..Measured::default() }],
        ended_at: ms(120_000),
        invariants: vec![
            InvariantResult {
                name: "ExactlyOnce(\"charge\")".to_owned(),
                known: false,
                verdict: InvariantVerdict::Violated,
                violations: 3,
                first: Some(Violation {
                    at: ms(34_127),
                    step: Some(812),
                    intent: Some("shoppers-17".to_owned()),
                    other: None,
                    who: "api->psp".to_owned(),
                    what: "attempt 2 succeeded".to_owned(),
                    witness: "shoppers-17 charged twice: charge-4 at 3.2s, charge-9 at 34.127s"
                        .to_owned(),
                }),
            },
            invariant("AckedImpliesDone(\"order\")", InvariantVerdict::Kept),
            invariant("RecoversWithin(\"30s\")", InvariantVerdict::Vacuous),
        ],
        effects: vec![EffectSummary {
            kind: "charge".to_owned(),
            count: 4_012,
            intents: 4_009,
            duplicated: 3,
            intents_duplicated: 3,
            refunded: 0,
            deduplicated: 41,
            merged: 0,
        }],
        ledger: vec![charge(3_200, 4), charge(34_127, 9)],
        actors: actors(),
        calls: vec![CallSummary {
            from: "api".to_owned(),
            to: "psp".to_owned(),
            calls: 5_400,
            attempts: 5_870,
            retries: 470,
            success: 4_009,
            failed: 1_370,
            unknown: 21,
            abandoned: 0,
            fallbacks: 6,
            hedges: 0,
            unsafe_retries: 0,
            rejected: vec![("breaker_open", 1_322)],
            given_up: vec![("attempts_exhausted", 48), ("not_retryable", 2)],
            endings: vec![
                (HopEnding::Status(200), 4_003),
                (HopEnding::Status(503), 1_846),
                (HopEnding::TimedOut, 21),
                (HopEnding::NotSent, 1_322),
            ],
        }],
        resources: resources(),
        transitions: transitions(),
        log: log().into(),
        log_omitted: 12,
        series: outage_series(),
        recovery: Some(outage_recovery()),
        faults: vec![FaultWindow {
            label: "psp: errors 100% (503)".to_owned(),
            from: ms(30_000),
            to: ms(50_000),
        }],
        ..empty()
    }
}

fn outage_recovery() -> Recovery {
    let level = |from, to, offered, goodput| Level {
        from: ms(from),
        to: ms(to),
        offered,
        asked: offered,
        goodput,
        missed: offered - goodput,
        unanswered: 0,
        latency_p50: Some(Span::millis(114)),
        latency_p99: Some(Span::millis(640)),
    };
    Recovery {
        client: None,
        trigger: (ms(30_000), ms(50_000)),
        before: level(0, 30_000, 1_342, 1_310),
        last: level(90_000, 120_000, 1_350, 1_326),
        hold: Span::secs(30),
        drain: Some(Span::secs(30)),
        lull: None,
        held_up_by: None,
        failing: None,
        state: RecoveryState::Recovered { at: ms(61_000), after: Span::secs(11) },
    }
}

/// A thousand clients at one instant.
pub fn herd() -> Outcome {
    let mut series = Series { width: Span::millis(100), ..Series::default() };
    for i in 0..40u32 {
        series.offered.push(if i == 0 { 1_000 } else { 0 });
        series.goodput.push(if i < 25 { 40 } else { 0 });
        series.failed.push(0);
        series.retries.push(if i % 10 == 5 { 120 } else { 0 });
        series.latency_p50.push((i < 25).then(|| Span::millis(u64::from(i) * 100 + 4)));
        series.latency_p99.push((i < 25).then(|| Span::millis(u64::from(i) * 100 + 97)));
    }
    let queue = (0..40u32).map(|i| 960u32.saturating_sub(40 * i)).collect();
    series.levels = vec![waiting("api", queue)];
    Outcome {
        scenario: "thundering herd".to_owned(),
        ended_at: ms(3_900),
        steps: 9_120,
        invariants: vec![invariant("ExactlyOnce(\"charge\")", InvariantVerdict::Kept)],
        series,
        ..empty()
    }
}

/// So many sides on twenty seeds, each with a tail and goodput of its own.
pub fn comparison(sides: usize) -> (Comparison, Vec<Outcome>) {
    let names =
        ["base", "full jitter", "equal jitter", "decorrelated jitter with a long name", "budget"];
    let name = |n: usize| names.get(n).map_or_else(|| format!("variant {n}"), |n| (*n).to_owned());
    let compared: Vec<Side> = (0..sides).map(|n| side(n, name(n))).collect();
    let figures = [
        Figure::of_all(Kind::Goodput),
        Figure::of(Kind::PeakArrivals, "api"),
        Figure::of(Kind::Percentile(Quantile::P99), "shoppers"),
    ];
    let contrasts = figures.iter().flat_map(|figure| (1..sides).map(move |n| contrast(figure, n)));
    let runs = (0..sides).map(|n| {
        let mut run = outage();
        let keep = |v: &mut u32| *v = *v * (10 + n as u32) / (12 + n as u32);
        run.series.goodput.iter_mut().for_each(keep);
        for latency in run.series.latency_p99.iter_mut().flatten() {
            *latency = *latency / (1 + n as u64);
        }
        run
    });
    let typical = Some(Typical { seed: 7, alike: 17, of: 20 });
    (Comparison { contrasts: contrasts.collect(), sides: compared, typical }, runs.collect())
}

fn subject(n: usize) -> Subject {
    let overrides_hash = (n > 0).then_some(n as u64 * 0x1234_5678_9abc);
    Subject {
        scenario: "payment".to_owned(),
        variant: None,
        id: StudyId { first: RunId { scenario_hash: 0xabcd, overrides_hash, seed: 1 }, seeds: 20 },
        seeds_asked: 20,
        horizon: Span::secs(120),
        warmup: Span::ZERO,
        grace: Span::secs(12),
        confidence: 0.95,
    }
}

fn estimate(mean: f64, half: f64) -> Estimate {
    let interval = Some(Interval { low: mean - half, high: mean + half });
    Estimate { mean, interval, deviation: Some(half * 2.0), n: 20 }
}

fn side(n: usize, name: String) -> Side {
    let x = n as f64;
    let measure = |kind, of: Option<&str>, mean: f64, half| Measure {
        figure: Figure { kind, of: of.map(str::to_owned), during: None },
        estimate: Some(estimate(mean, half)),
        at_least: false,
    };
    let measures = vec![
        measure(Kind::Goodput, None, 30.0 + 2.0 * x, 1.2),
        measure(Kind::Amplification, Some("api->psp"), 3.2 / (1.0 + x), 0.05),
        measure(Kind::PeakArrivals, Some("api"), 500.0 / (1.0 + 6.5 * x), 4.0),
        measure(Kind::RecoveryTime, None, 41_000.0 / (1.0 + x), 900.0),
    ];
    let latency = |share: f64| {
        let nines = -sim_core::math::log10((1.0 - share).max(1e-9));
        Span::from_secs_f64(0.09 * sim_core::math::exp(nines * (1.4 - 0.1 * x)))
    };
    let curve = (0..=70).map(|n| {
        let share = 1.0 - sim_core::math::pow(10.0, -f64::from(n) / 20.0);
        (share, latency(share))
    });
    let percentile = |quantile: Quantile| {
        let value = latency(quantile.share());
        Percentile {
            quantile,
            value,
            at_least: false,
            low: Some(value * 0.95),
            high: Some(value * 1.06),
        }
    };
    let latencies = vec![LatencySummary {
        of: "shoppers".to_owned(),
        kind: Some(ActorKind::Client),
        during: None,
        samples: 4_009,
        max: Span::secs(20),
        percentiles: Quantile::COMMON.map(percentile).to_vec(),
        curve: curve.collect(),
    }];
    let summary = Summary { runs: 20, measures, latencies, ..Summary::default() };
    Side { name, subject: subject(n), summary, pairs: 20 }
}

fn contrast(figure: &Figure, side: usize) -> Contrast {
    let x = side as f64;
    let (reference, value) = match figure.kind {
        Kind::Goodput => (30.0, 30.0 + 2.0 * x),
        Kind::PeakArrivals => (500.0, 500.0 / (1.0 + 6.5 * x)),
        _ => (1_480.0, 1_480.0 / (1.0 + 0.2 * x)),
    };
    let difference = estimate(value - reference, 0.6);
    let interval = difference.interval.expect("an interval");
    let judgement = Judgement::of(interval, figure.better());
    let figure = figure.clone();
    Contrast { figure, side, reference, value, difference, judgement, saved: Some(0.9) }
}

/// A map whose regions lie as those of retries do: the more attempts, the less load is stable.
pub fn map(columns: usize, rows: usize) -> Map {
    let rate = |x: usize| format!("\"{}/s\"", 12 + 4 * x);
    let cells = (0..rows).flat_map(|y| (0..columns).map(move |x| map_cell(12 + 4 * x, y + 1)));
    Map {
        subject: subject(0),
        x: Axis {
            path: "actors.users.load.rate".to_owned(),
            values: (0..columns).map(rate).collect(),
        },
        y: Axis {
            path: "policies.checkout[0].attempts".to_owned(),
            values: (0..rows).map(|y| (y + 1).to_string()).collect(),
        },
        cells: cells.collect(),
    }
}

/// A map of one axis with a tail that grows by 200 ms a step, and that nobody knows at the end.
pub fn curve(columns: usize) -> Map {
    let mut map = map(columns, 1);
    map.y = Axis::none();
    let figure: Figure = "p99(users)".parse().expect("a figure");
    for (n, cell) in map.cells.iter_mut().enumerate() {
        let mut estimate = estimate(100.0 + 150.0 * n as f64, 40.0);
        let at_least = n + 1 == columns && n > 0;
        if let Some(interval) = estimate.interval.as_mut().filter(|_| at_least) {
            interval.high = f64::INFINITY;
        }
        let (figure, estimate) = (figure.clone(), Some(estimate));
        cell.summary.asked = vec![Measure { figure, estimate, at_least }];
    }
    map
}

fn map_cell(rate: usize, attempts: usize) -> Cell {
    let load = rate * attempts;
    let tally = match load {
        0..96 => RecoveryTally { recovered: 20, ..RecoveryTally::default() },
        96..104 => RecoveryTally { recovered: 8, metastable: 12, ..RecoveryTally::default() },
        _ if rate >= 44 => RecoveryTally { unhealthy: 20, ..RecoveryTally::default() },
        _ if load == 112 => RecoveryTally { undecided: 20, ..RecoveryTally::default() },
        _ => RecoveryTally { metastable: 20, ..RecoveryTally::default() },
    };
    let share = (100.0 / load as f64).min(1.0);
    Cell {
        region: Region::of(&tally),
        summary: Summary { runs: 20, recovery: Some(tally), ..Summary::default() },
        goodput: Some(estimate(rate as f64 * share, 0.4)),
        success: Some(estimate(share, 0.01)),
        unanswered: Some(estimate(0.0, 0.0)),
        amplification: Some(estimate(1.0, 0.01)),
        recovery_time: (load < 104).then(|| estimate(400_000.0 / (108.0 - load as f64), 500.0)),
    }
}

/// Names and numbers that no author would choose, and that a file may still contain.
pub fn hostile() -> Outcome {
    let name = "Zürich – 三四五六七八九十 <script>&\"'\u{1b}[31m\u{0}\u{fffe} ".repeat(8);
    let mut outcome = outage();
    outcome.scenario = name.clone();
    outcome.about = name.clone();
    outcome.hypothesis = name.clone();
    outcome.variant = Some(name.clone());
    outcome.invariants[0].name = name.clone();
    outcome.invariants[0].first.as_mut().expect("a violation").witness = name.clone();
    outcome.faults = (0..30)
        .map(|i| FaultWindow { label: name.clone(), from: ms(i * 900), to: Time::MAX })
        .collect();
    outcome.transitions.iter_mut().for_each(|transition| transition.policy = name.clone());
    outcome.series.levels =
        (0..9).map(|i| waiting(&format!("{name}{i}"), vec![u32::MAX - i; 5])).collect();
    outcome.series.latency_p99[3] = Some(Span::MAX);
    outcome.series.latency_p50[3] = Some(Span::ZERO);
    outcome.limit = Some(RunLimit::Engine(LimitHit::Steps { max: u64::MAX }));
    outcome.ended_at = Time::MAX;
    outcome
}

fn invariant(name: &str, verdict: InvariantVerdict) -> InvariantResult {
    InvariantResult { name: name.to_owned(), known: false, verdict, violations: 0, first: None }
}

fn charge(at: u64, id: u64) -> LedgerLine {
    LedgerLine {
        at: ms(at),
        kind: "charge".to_owned(),
        actor: "psp".to_owned(),
        intent: "shoppers-17".to_owned(),
        id: format!("charge-{id}"),
    }
}

fn transitions() -> Vec<TransitionLine> {
    use StateName::{Closed, HalfOpen, Open};
    [
        (30_412, Closed, Open, TransitionReason::ConsecutiveFailures, Some(5)),
        (60_431, Open, HalfOpen, TransitionReason::OpenTimeOver, None),
        (60_733, HalfOpen, Closed, TransitionReason::TestsSucceeded, Some(3)),
    ]
    .map(|(at, from, to, reason, calls)| TransitionLine {
        at: ms(at),
        policy: "api->psp provider".to_owned(),
        instance: None,
        instances: 1,
        from,
        to,
        reason,
        weighed: calls.map(|calls: u32| Weighed::calls(calls, calls)),
    })
    .to_vec()
}

fn log() -> Vec<LogLine> {
    [
        (5_200, 641, "api->psp", Some("shoppers-17"), "attempt 2 in 1s after timed out"),
        (30_000, 790, "psp", None, "errors 100% (503) begin"),
        (30_412, 801, "api->psp provider", None, "breaker opens: consecutive failures"),
        (33_904, 809, "api->psp", Some("shoppers-9"), "gave up: not retryable"),
        (34_127, 812, "api->psp", Some("shoppers-17"), "attempt 2 succeeded"),
        (50_000, 1_204, "psp", None, "errors 100% (503) end"),
    ]
    .map(|(at, step, who, intent, what)| LogLine {
        at: ms(at),
        step,
        intent: intent.map(str::to_owned),
        who: who.to_owned(),
        what: what.to_owned(),
    })
    .to_vec()
}

fn actors() -> Vec<ActorSummary> {
    let latency = |p50: u64, p99: u64| Latency {
        count: 4_009,
        mean: Span::micros(p50 * 1_250),
        p50: Span::millis(p50),
        p90: Span::millis(p50 * 3),
        p99: Span::millis(p99),
        p999: Span::millis(p99 * 2),
        max: Span::millis(p99 * 3),
        open: 0,
        open_from: None,
    };
    vec![
        ActorSummary {
            name: "api".to_owned(),
            kind: ActorKind::Service,
            counters: vec![
                (Counter::Arrived, 5_400),
                (Counter::Succeeded, 5_398),
                (Counter::Refused, 2),
            ],
            latency: Some(latency(90, 640)),
            latency_failed: None,
            load: None,
            goodput: None,
            instances: Vec::new(),
        },
        ActorSummary {
            name: "redis".to_owned(),
            kind: ActorKind::Store,
            counters: vec![(Counter::Arrived, 16_200), (Counter::Failed, 12)],
            latency: None,
            latency_failed: None,
            load: None,
            goodput: None,
            instances: Vec::new(),
        },
        ActorSummary {
            name: "shoppers".to_owned(),
            kind: ActorKind::Client,
            counters: vec![
                (Counter::Intents, 5_400),
                (Counter::Succeeded, 4_009),
                (Counter::Failed, 1_391),
            ],
            latency: Some(latency(130, 1_900)),
            latency_failed: None,
            load: None,
            goodput: Some(Goodput { offered: 5_400, achieved: 4_009, missed: 1_391, degraded: 0 }),
            instances: Vec::new(),
        },
    ]
}

/// Two minutes by the second: 45 per second, an outage from 30 s to 50 s, a breaker open to 60 s.
fn outage_series() -> Series {
    let mut series = Series { width: Span::secs(1), ..Series::default() };
    let mut queue = Vec::new();
    for i in 0..120u32 {
        // A cheap wobble stands for Poisson arrivals.
        let wobble = i * 7919 % 17;
        let offered = 37 + wobble;
        let down = (30..61).contains(&i);
        let good = if down { wobble / 12 } else { offered.saturating_sub(wobble / 6) };
        series.offered.push(offered);
        series.goodput.push(good);
        series.failed.push(offered - good);
        series.retries.push(if down { offered / 2 + wobble } else { wobble / 5 });
        series.latency_p50.push((good > 0).then(|| Span::millis(90 + 3 * u64::from(wobble))));
        let tail = if down { 5_900 } else { 600 + 40 * u64::from(wobble) };
        series.latency_p99.push((good > 0).then(|| Span::millis(tail)));
        queue.push(match i {
            30..40 => (i - 29) * 22,
            40..62 => 220u32.saturating_sub((i - 40) * 11),
            _ => wobble / 8,
        });
    }
    let psp = queue.iter().map(|n| n / 3).collect();
    series.levels = vec![waiting("api", queue), waiting("psp", psp)];
    series
}

fn resources() -> Vec<Resource> {
    let level =
        |quantity, bound, mean, most| ResourceLevel { quantity, bound, mean, least: 0.0, most };
    let busy = level(Quantity::Busy, Some(1.0), 0.135, 1.0);
    let waiting = level(Quantity::Waiting, None, 0.25, 12.0);
    vec![Resource {
        name: "redis".to_owned(),
        kind: ResourceKind::Store,
        levels: vec![busy, waiting],
        events: vec![(ResourceEvent::Crashed, 1), (ResourceEvent::Restarted, 0)],
    }]
}

/// A service's queue, of so many in each window.
pub fn waiting(service: &str, queue: Vec<u32>) -> LevelSeries {
    let lengths: Vec<Option<f64>> = queue.into_iter().map(f64::from).map(Some).collect();
    LevelSeries {
        resource: service.to_owned(),
        kind: ResourceKind::Instances,
        quantity: Quantity::Waiting,
        bound: None,
        mean: lengths.clone(),
        worst: lengths,
    }
}

/// A run in which a lost answer decides: at even odds before, and for certain afterwards.
pub fn turning() -> Turning {
    let point = |step: u64, at: u64, what: &str, share: f64| Point {
        step,
        at: ms(at),
        what: what.to_owned(),
        share,
        low: (share - 0.05).max(0.0),
        high: (share + 0.05).min(1.0),
        runs: 300,
        broken: (300.0 * share) as u64,
        unknown: 0,
    };
    Turning {
        scenario: "checkout".to_owned(),
        variant: None,
        run_id: empty().run_id,
        promise: "AtMostOnce(\"charge\")".to_owned(),
        intent: Some("shopper-1".to_owned()),
        witness: "shopper-1 has charge-1 at 20ms and charge-2 at 3.02s".to_owned(),
        continuations: 1_200,
        events: 20_000,
        is_cut: false,
        points: vec![
            point(0, 0, "the beginning", 0.25),
            point(1, 10, "user: submits; shopper asks api", 0.3),
            point(4, 20, "api->psp: answer lost", 1.0),
            point(9, 3_020, "psp: charge-2", 1.0),
        ],
        decided: Decided::Turn(Turn {
            point: 2,
            is_one_step: false,
            drawn: vec!["whether a message is lost".to_owned()],
        }),
    }
}

/// The story of that run: charged, the answer lost, asked again, and charged again.
pub fn lost_answer() -> Sequence {
    let text = r#"Scenario(
        name: "checkout", about: "", horizon: "1m",
        actors: {
            "shopper": Client(load: Burst(count: 1), does: [Call("psp.charge", policy: "again")]),
            "psp": Service(workers: 1, endpoints: { "charge": [Effect("charge")] }),
        },
        links: [Link(from: "shopper", to: "psp", latency: Const("10ms"))],
        policies: { "again": [
            Retry(attempts: 2, backoff: Constant("1s"), even_if_unsafe: true), Timeout("2s"),
        ] },
        faults: [At("5ms", for: "10ms", Loss("psp", "shopper", 1.0))],
        invariants: [AtMostOnce("charge")],
    )"#;
    let scenario = sim_models::Scenario::text("checkout.ron", text).load().expect("it is right");
    why::why(&scenario, 1, &why::Subject::Violation(1)).expect("a promise breaks")
}
