//! When a spike takes a system down for good.

use sim_models::outcome::Outcome;

use crate::measure::{Estimate, case, outcomes};
use crate::support::call;
use crate::table::{Row, Topic};

/// Server capacity per second, which is also what waits for T = 1 s.
const MU: f64 = 100.0;

/// Whether less than half was answered in the last ten seconds; windows are of one second.
fn is_down(outcome: &Outcome) -> bool {
    let lately = |of: &[u32]| of[of.len() - 10..].iter().sum::<u32>();
    lately(&outcome.series.goodput) * 2 < lately(&outcome.series.offered)
}

fn amplification(outcome: &Outcome) -> f64 {
    let calls = call(outcome, "users", "server");
    calls.attempts as f64 / calls.calls as f64
}

/// The model at another load, with other retries, another spike and another end.
fn sets(rate: &str, retries: u32, spike: f64, horizon: &str) -> Vec<(&'static str, String)> {
    vec![
        ("actors.users.load.rate", format!("\"{rate}/s\"")),
        ("actors.users.load.changes[0].for", format!("\"{spike}s\"")),
        ("policies.impatient[0].attempts", (retries + 1).to_string()),
        ("horizon", format!("{horizon:?}")),
        ("window", "\"1s\"".to_owned()),
        ("invariants", "[]".to_owned()),
        ("breaks", "[]".to_owned()),
    ]
}

fn stuck(n: u64, sets: &[(&'static str, String)]) -> Estimate {
    let sets: Vec<(&str, &str)> =
        sets.iter().map(|(path, value)| (*path, value.as_str())).collect();
    Estimate::share(&outcomes(&case("metastability", None, &sets), n, is_down))
}

pub fn topic() -> Topic {
    let mut rows = Vec::new();
    for (retries, rate, published) in [
        (3, "15", 0.0),
        (3, "20", 0.0),
        (3, "24", 0.0),
        (3, "26", 1.0),
        (3, "30", 1.0),
        (1, "40", 0.0),
        (1, "48", 0.0),
        (1, "52", 0.88),
        (1, "55", 1.0),
    ] {
        let load = rate.parse::<f64>().expect("a rate") * f64::from(retries + 1);
        let vulnerable = if load > MU { ">" } else { "<" };
        let what = format!("{retries} retries at {rate}/s, {load} {vulnerable} {MU}: down");
        rows.push(Row::new(what, published, stuck(20, &sets(rate, retries, 2.0, "15m"))));
    }
    for (spike, published) in [(0.75, 0.15), (1.0, 0.5), (1.25, 0.85)] {
        let what = format!("spike of {spike} s at 70/s: down");
        rows.push(Row::new(what, published, stuck(200, &sets("70", 3, spike, "1m"))).within(0.1));
    }
    for (variant, down, load) in [
        (None, 1.0, 3.2),
        (Some("full jitter"), 1.0, 3.11),
        (Some("retry budget"), 0.0, 1.03),
        (Some("drop expired"), 0.0, 1.4),
        (Some("no retries"), 0.0, 1.0),
    ] {
        let sets =
            [("horizon", "\"2m\""), ("window", "\"1s\""), ("invariants", "[]"), ("breaks", "[]")];
        let scenario = case("metastability", variant, &sets);
        let runs = outcomes(&scenario, 40, |outcome| (is_down(outcome), amplification(outcome)));
        let (downs, loads): (Vec<bool>, Vec<f64>) = runs.into_iter().unzip();
        let what = variant.unwrap_or("retries at once");
        rows.push(Row::new(format!("{what}: down"), down, Estimate::share(&downs)));
        let mean = Estimate::mean(&loads);
        rows.push(Row::new(format!("{what}: attempts per call"), load, mean).percent(1.0));
    }
    Topic {
        title: "The threshold of metastability",
        scenario: "metastability",
        says: "is the smallest system with a metastable state, after Bronson and others, HotOS \
            2021; the numbers are of a small independent simulation. A server of 100 a second \
            can be stuck if and only if λ (1 + r) > 100. It takes a backlog of more than μ T = \
            100 requests to get there. Spikes to 200 a second begin at 30 s. The attempts per \
            call are those of the first two minutes: the publication does not say so, but its \
            five numbers agree. A share of runs that are down may differ by 0.1 from the \
            published one, which is of few runs itself. Below the threshold a backlog drains at \
            μ − λ (1 + r), slowly; above it waiting longer does not help, sending less does. At \
            52 a second the published 0.88 is low. The backlog after the spike is about 350 and \
            grows by 4 a second. The chance that luck brings it below 100 again is about exp(−2 \
            · 4 · 250 / 308) = 0.0015. A recursion over waiting times, written apart, is stuck \
            in 400 of 400 runs.",
        rows,
    }
}
