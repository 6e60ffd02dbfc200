//! When a spike takes a system down for good.

use sim_models::outcome::Outcome;

use crate::measure::{Estimate, case, outcomes};
use crate::support::call;
use crate::table::{Row, Topic};

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

/// Which of the runs at some loads are down at the end: `n` of each.
fn stuck(n: u64, horizon: &str, loads: &[(u32, &str)]) -> Estimate {
    let mut down = Vec::new();
    for (retries, rate) in loads {
        let sets = sets(rate, *retries, 2.0, horizon);
        let sets: Vec<(&str, &str)> =
            sets.iter().map(|(path, value)| (*path, value.as_str())).collect();
        down.extend(outcomes(&case("metastability", None, &sets), n, is_down));
    }
    Estimate::share(&down)
}

pub fn topic() -> Topic {
    // A backlog of 350 drains within two minutes at 4 a second; eight are ample.
    let below = [(3, "15"), (3, "20"), (3, "24"), (1, "40"), (1, "48")];
    let above = [(3, "26"), (3, "30"), (1, "52"), (1, "55")];
    let what = |sign, loads: &[(u32, &str)]| {
        let loads: Vec<String> =
            loads.iter().map(|(retries, rate)| format!("{rate} ({retries})")).collect();
        format!("λ (1 + r) {sign} 100, at λ (r) of {}: down", loads.join(", "))
    };
    let mut rows = vec![
        Row::new(what("<", &below), 0.0, stuck(27, "8m", &below)).of_runs(),
        Row::new(what(">", &above), 1.0, stuck(33, "15m", &above)).of_runs(),
    ];
    let (mut stays, mut recovers) = (Vec::new(), Vec::new());
    for (variant, down, load) in [
        (None, 1.0, 3.2),
        (Some("full jitter"), 1.0, 3.11),
        (Some("retry budget"), 0.0, 1.03),
        (Some("drop expired"), 0.0, 1.4),
        (Some("no retries"), 0.0, 1.0),
    ] {
        // The publication counts what was sent by then.
        let sets = [
            ("horizon", "\"2m\""),
            ("limits", "(grace: Some(\"0s\"))"),
            ("window", "\"1s\""),
            ("invariants", "[]"),
            ("breaks", "[]"),
        ];
        let scenario = case("metastability", variant, &sets);
        let n = if down == 1.0 { 66 } else { 44 };
        let runs = outcomes(&scenario, n, |outcome| (is_down(outcome), amplification(outcome)));
        let (downs, loads): (Vec<bool>, Vec<f64>) = runs.into_iter().unzip();
        if down == 1.0 { &mut stays } else { &mut recovers }.extend(downs);
        let what = variant.unwrap_or("retries at once");
        let mean = Estimate::mean(&loads);
        rows.push(Row::new(format!("{what}: attempts per call"), load, mean).percent(1.0));
    }
    let (what, stays) = ("retries at once, full jitter: down", Estimate::share(&stays));
    rows.push(Row::new(what, 1.0, stays).of_runs());
    let what = "retry budget, drop expired, no retries: down";
    rows.push(Row::new(what, 0.0, Estimate::share(&recovers)).of_runs());
    Topic {
        title: "The threshold of metastability",
        scenario: "metastability",
        says: "is the smallest system with a metastable state, after Bronson and others, HotOS \
            2021; the numbers are of a small independent simulation. A server of 100 a second \
            can be stuck if and only if λ (1 + r) > 100. It takes a backlog of more than μ T = \
            100 requests to get there. Spikes to 200 a second begin at 30 s. The attempts per \
            call are those of the first two minutes: the publication does not say so, but its \
            five numbers agree. Below the threshold a backlog drains at \
            μ − λ (1 + r), slowly; above it waiting longer does not help, sending less does. At \
            52 a second the published 0.88 is low. The backlog after the spike is about 350 and \
            grows by 4 a second. The chance that luck brings it below 100 again is about exp(−2 \
            · 4 · 250 / 308) = 0.0015. A recursion over waiting times, written apart, is stuck \
            in 400 of 400 runs.",
        rows,
    }
}
