//! A thundering herd, round by round.

use sim_models::Scenario;

use crate::measure::{Estimate, case, replicate};
use crate::table::{Row, Topic};

/// Most arrivals of agents with equal jitter within 100 ms.
const PUBLISHED: [f64; 6] = [119.2, 62.5, 36.1, 22.8, 13.6, 9.3];
const WINDOW_NANOS: u64 = 100_000_000;

/// The instants at which agents arrive, per round: their first attempt is round 0.
fn rounds(scenario: &Scenario, seed: u64) -> Vec<Vec<u64>> {
    let (mut run, mut rounds) = (scenario.start(seed), vec![Vec::new(); 7]);
    while let Some(step) = run.step() {
        if let Some(request) = step.what.strip_prefix("request agents->server attempt ") {
            let (attempt, _) = request.split_once(' ').expect("a number and an agent");
            let round: usize = attempt.parse().expect("a number");
            rounds[round - 1].push(step.at.as_nanos());
        }
    }
    rounds
}

/// The most instants within a window, wherever it begins.
fn peak(instants: &[u64]) -> f64 {
    let mut first = 0;
    let within = |(last, at): (usize, &u64)| {
        while instants[first] + WINDOW_NANOS <= *at {
            first += 1;
        }
        last + 1 - first
    };
    instants.iter().enumerate().map(within).max().unwrap_or(0) as f64
}

pub fn topic() -> Topic {
    let mut rows = Vec::new();
    for (variant, runs) in [(Some("no jitter"), 2), (None, 100)] {
        let scenario = case("reconnect", variant, &[]);
        let peaks = replicate(runs, |seed| {
            rounds(&scenario, seed).iter().skip(1).map(|round| peak(round)).collect::<Vec<f64>>()
        });
        for (round, jittered) in PUBLISHED.into_iter().enumerate() {
            let samples: Vec<f64> = peaks.iter().map(|peaks| peaks[round]).collect();
            let (expected, name) = match variant {
                Some(name) => (500.0, name),
                None => (jittered, "equal jitter"),
            };
            let what = format!("{name}, after {} s", 1 << round);
            rows.push(Row::new(what, expected, Estimate::mean(&samples)).percent(5.0));
        }
    }
    Topic {
        title: "A herd of agents",
        scenario: "reconnect",
        says: "is a measurement published in a pull request of microsoft/retina: 500 agents fail \
            together, and the number is the most that arrive within any 100 ms. Under equal \
            jitter half of each wait is the same for all, and yet it spreads the first round to \
            a quarter and the last to a fiftieth.",
        rows,
    }
}
