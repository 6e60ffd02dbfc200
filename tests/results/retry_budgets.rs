//! Retries, a token bucket and a retry breaker against random failures.

use crate::measure::{Estimate, case, outcomes};
use crate::support::call;
use crate::table::{Row, Topic};

/// Clients of one published run.
const CLIENTS: usize = 100;
/// Such runs that are simulated.
const RUNS: usize = 20;

/// Success and load per call: without retries, with three, with the bucket and the breaker over
/// 10 s, and over 60 s.
const PUBLISHED: [(&str, [(f64, f64); 6]); 3] = [
    (
        "0.05",
        [(0.95, 1.0), (1.0, 1.05), (0.9999, 1.05), (0.989, 1.039), (0.9999, 1.053), (0.997, 1.049)],
    ),
    (
        "0.2",
        [
            (0.79, 1.0),
            (0.998, 1.249),
            (0.906, 1.135),
            (0.802, 1.002),
            (0.885, 1.106),
            (0.8, 1.0005),
        ],
    ),
    (
        "0.5",
        [(0.51, 1.0), (0.937, 1.882), (0.57, 1.142), (0.494, 1.0), (0.549, 1.107), (0.504, 1.0)],
    ),
];

const COLUMNS: [(Option<&str>, &str); 6] = [
    (Some("none"), "10s"),
    (Some("three"), "10s"),
    (None, "10s"),
    (Some("breaker"), "10s"),
    (None, "60s"),
    (Some("breaker"), "60s"),
];

/// One load of 100 calls a second from ten, a hundred and a thousand clients, three retries at most.
fn by_clients() -> Vec<Row> {
    let published = [("10", 0.559, 1.143), ("100", 0.717, 1.463), ("1000", 0.937, 1.886)];
    let rows = published.into_iter().flat_map(|(clients, success, load)| {
        let sets = [
            ("actors.client.count", clients),
            ("actors.client.load.rate", "\"100/s\""),
            ("policies.strategy[0].attempts", "4"),
            ("faults[0].fault.rate", "0.5"),
        ];
        let runs = outcomes(&case("retry_budgets", None, &sets), 20, |outcome| {
            let hop = call(outcome, "client", "server");
            [hop.success as f64 / hop.calls as f64, hop.attempts as f64 / hop.calls as f64]
        });
        let row = |what: &str, published, n: usize| {
            let samples: Vec<f64> = runs.iter().map(|run| run[n]).collect();
            let title = format!("0.5 fail, bucket, {clients} clients: {what}");
            // A published run of a thousand calls is off by as much.
            Row::new(title, published, Estimate::mean(&samples)).percent(4.0)
        };
        [row("success", success, 0), row("load", load, 1)]
    });
    rows.collect()
}

pub fn topic() -> Topic {
    let mut rows = Vec::new();
    for (share, published) in PUBLISHED {
        for ((variant, until), (success, load)) in COLUMNS.into_iter().zip(published) {
            let (successes, loads) = runs(variant, share, until);
            let strategy = variant.unwrap_or("bucket");
            // Both are printed to three digits.
            let row = |what: &str, published, runs: &[f64]| {
                let title = format!("{share} fail, {strategy}, {until}: {what}");
                Row::new(title, published, Estimate::one_run(runs)).within(0.0005)
            };
            let row_of_success = row("success", success, &successes);
            let unlucky = share == "0.2" && strategy == "none";
            rows.push(if unlucky { row_of_success.differs(UNLUCKY) } else { row_of_success });
            rows.push(row("load", load, &loads));
            if strategy == "three" {
                let f: f64 = share.parse().expect("a share");
                let formulas = [
                    ("success, 1 − f⁴", 1.0 - f * f * f * f, &successes),
                    ("load, 1 + f + f² + f³", 1.0 + f + f * f + f * f * f, &loads),
                ];
                rows.extend(formulas.map(|(what, formula, runs)| {
                    let title = format!("{share} fail, three: {what}");
                    Row::new(title, formula, Estimate::mean(runs))
                }));
            }
        }
    }
    rows.extend(by_clients());
    Topic {
        title: "Fixing retries with token buckets and circuit breakers",
        scenario: "retry_budgets",
        says: "is the simulator of Marc Brooker's article, 2022; the numbers are those of its \
            public code, each of one run of a hundred clients. So the interval here is that of \
            one such run, a hundred seeds of one client. The bucket holds the load at 1 + 0.1 \
            and what it began with, and mends what it can. The breaker mends nearly all of a \
            rare failure and nothing of a common one. The last rows spread one load, 100 calls a \
            second, over more and more clients with a bucket each: what the buckets hold at the \
            start adds up, until a thousand clients retry as if there were none.",
        rows,
    }
}

const UNLUCKY: &str = "without retries success is 1 − f, here 0.8. The published run of some \
    10,000 calls lies 2.5 standard deviations below its own formula, as one number in eighty does.";

/// Success and attempts per call of each run.
fn runs(variant: Option<&str>, share: &str, until: &str) -> (Vec<f64>, Vec<f64>) {
    let (until, horizon) =
        (format!("{until:?}"), if until == "10s" { "\"20s\"" } else { "\"70s\"" });
    let sets = [
        ("faults[0].fault.rate", share),
        ("actors.client.load.until", until.as_str()),
        ("horizon", horizon),
    ];
    let scenario = case("retry_budgets", variant, &sets);
    let clients = outcomes(&scenario, (CLIENTS * RUNS) as u64, |outcome| {
        let calls = call(outcome, "client", "server");
        (calls.calls, calls.success, calls.attempts)
    });
    let run = |clients: &[(u64, u64, u64)]| {
        let sum = |of: fn(&(u64, u64, u64)) -> u64| clients.iter().map(of).sum::<u64>() as f64;
        let calls = sum(|c| c.0);
        (sum(|c| c.1) / calls, sum(|c| c.2) / calls)
    };
    clients.chunks(CLIENTS).map(run).unzip()
}
