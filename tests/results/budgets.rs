//! What retry budgets bound.

use sim_models::outcome::Outcome;

use crate::measure::{Estimate, case, outcomes};
use crate::support::call;
use crate::table::{Row, Topic};

const RUNS: u64 = 8;

fn ratio(outcome: &Outcome, over: fn(&Outcome) -> f64) -> f64 {
    call(outcome, "clients", "server").retries as f64 / over(outcome)
}

/// Retries per failed attempt in the second half, when what was there at the start is used up.
fn retried(outcome: &Outcome, share: f64) -> f64 {
    let half = outcome.series.len() / 2;
    let sum = |of: &[u32]| f64::from(of[half..].iter().sum::<u32>());
    let retries = sum(&outcome.series.retries);
    retries / ((sum(&outcome.series.offered) + retries) * share)
}

/// How long a run counts, in seconds.
const SECONDS: f64 = 600.0;

/// Retries per second from Finagle's reserve of ten a second for ten seconds. It comes back whole
/// when the slice that took it falls out, ten slices later. A slice ends with the first call a
/// second after its start, so that it lasts 1 + 1 / λ.
fn reserve(rate: f64) -> f64 {
    let spent = (SECONDS / (10.0 + 10.0 / rate)).ceil();
    100.0 * spent / SECONDS
}

pub fn topic() -> Topic {
    let mut rows = Vec::new();
    for rate in [10.0, 100.0, 1000.0] {
        let set = format!("\"{rate}/s\"");
        let scenario = case("budgets", None, &[("actors.clients.load.rate", &set)]);
        let excess = outcomes(&scenario, RUNS, |outcome| {
            let calls = call(outcome, "clients", "server").calls as f64 / 600.0;
            ratio(outcome, |_| 600.0) - 0.2 * calls
        });
        let what = format!("Finagle, {rate}/s: retries per second beyond 0.2 λ");
        rows.push(Row::new(what, reserve(rate), Estimate::mean(&excess)).percent(1.0));
    }
    for (share, published) in [("0.08", 1.0), ("0.1", 0.0), ("0.2", 0.0)] {
        let scenario = case("budgets", Some("grpc"), &[("faults[0].fault.rate", share)]);
        let of = share.parse().expect("a share");
        let samples = outcomes(&scenario, RUNS, |outcome| retried(outcome, of));
        let what = format!("gRPC, {share} fail: share of failures retried");
        rows.push(Row::new(what, published, Estimate::mean(&samples)).within(0.02));
    }
    let envoy = case("budgets", Some("envoy"), &[]);
    let attempts: fn(&Outcome) -> f64 = |o| call(o, "clients", "server").attempts as f64;
    let shares = outcomes(&envoy, RUNS, |outcome| ratio(outcome, attempts));
    let what = "Envoy, 100/s for 1 s: retries among the attempts";
    rows.push(Row::new(what, 0.2, Estimate::mean(&shares)).within(0.005));
    let few = case("budgets", Some("envoy"), &[("actors.clients.load.rate", "\"10/s\"")]);
    let retries = outcomes(&few, RUNS, |outcome| ratio(outcome, |_| 600.0));
    let what = "Envoy, 10/s for 1 s: retries under way";
    rows.push(Row::new(what, 3.0, Estimate::mean(&retries)).within(0.1));
    Topic {
        title: "Retry budgets",
        scenario: "budgets",
        says: "bounds retries as three libraries document it, while callers would go on nine \
            times. Finagle allows 0.2 λ + 10 a second, as it says; its `WindowedAdder` keeps ten \
            slices, each of which lasts until the first call a second after its start. The \
            reserve of 100 so lasts 10 (1 + 1 / λ) s: 9.17 a second over ten minutes of ten calls \
            a second, and a recursion written apart gives the same 9.131. gRPC stops retries when more than 0.1 / \
            1.1 = 9.09 % of the attempts fail. Envoy allows a fifth of the requests under way, \
            at least three.",
        rows,
    }
}
