//! Queues that have formulas.

use sim_models::outcome::Outcome;

use crate::measure::{Estimate, case, outcomes};
use crate::support::{actor, counter};
use crate::table::{Row, Topic};

const RUNS: u64 = 22;
/// Mean work in seconds.
const WORK: f64 = 0.1;

/// The mean wait in seconds by Little's law, at a rate per second.
fn wait(outcome: &Outcome, rate: f64) -> f64 {
    actor(outcome, "clerks").load.expect("a service").waiting_mean / rate
}

fn turned_away(outcome: &Outcome) -> f64 {
    let of = |name| counter(outcome, "clerks", name) as f64;
    of("queue_full") / of("arrived")
}

fn seconds_in_shop(outcome: &Outcome) -> f64 {
    actor(outcome, "clerks").latency.expect("customers").mean.as_nanos() as f64 / 1e9
}

fn p99(outcome: &Outcome) -> f64 {
    actor(outcome, "customers").latency.expect("customers").p99.as_nanos() as f64 / 1e9
}

fn estimate(variant: Option<&str>, read: impl Fn(&Outcome) -> f64 + Sync) -> Estimate {
    Estimate::mean(&outcomes(&case("queueing", variant, &[]), RUNS, read))
}

pub fn topic() -> Topic {
    let mut rows = Vec::new();
    for (variant, rate, what, published) in [
        (None, 8.0, "M/M/1 at 0.8", 4.0),
        (Some("M/M/2"), 16.0, "M/M/2 at 0.8", 1.7778),
        (Some("M/M/10"), 80.0, "M/M/10 at 0.8", 0.2046),
        (Some("M/M/10, busier"), 90.0, "M/M/10 at 0.9", 0.6687),
    ] {
        let simulated = estimate(variant, |outcome| wait(outcome, rate) / WORK);
        rows.push(Row::new(format!("{what}: wait in units of the work"), published, simulated));
    }
    for (variant, what, published) in
        [("M/D/1", "M/D/1 at 0.8", 0.2), ("Weibull", "M/G/1, Weibull of shape 2 at 0.8", 0.2546)]
    {
        let simulated = estimate(Some(variant), |outcome| wait(outcome, 8.0));
        rows.push(Row::new(format!("{what}: wait in s"), published, simulated));
    }
    let full = Some("M/M/1/10");
    rows.push(Row::new("M/M/1/10 at 0.9: turned away", 0.05081, estimate(full, turned_away)));
    rows.push(Row::new("M/M/1/10 at 0.9: time in s", 0.46466, estimate(full, seconds_in_shop)));
    let lost = estimate(Some("Erlang B"), turned_away);
    rows.push(Row::new("M/M/8/8, 6 erlang: turned away", 0.12188, lost));
    rows.push(Row::new("M/M/1 at 0.8, open: p99 in s", 2.303, estimate(None, p99)));
    rows.push(Row::new("closed, one customer: p99 in s", 0.4605, estimate(Some("closed"), p99)));
    Topic {
        title: "Queueing theory",
        scenario: "queueing",
        says: "holds the queues of Erlang, Pollaczek and Khinchine to their formulas. The last \
            two rows are Schroeder, Wierman and Harchol-Balter's *Open versus closed*, 2006. In \
            a load test, one user waits for each answer. He sees a fifth of the latency that \
            independent users see at the same load.",
        rows,
    }
}
