//! Exponential back-off and jitter under optimistic contention.

use crate::measure::{Estimate, case, outcomes};
use crate::support::{actor, call};
use crate::table::{Row, Topic};

/// Of the authors' simulator: clients, then milliseconds and writes without back-off, exponential,
/// decorrelated, equal, full.
const PUBLISHED: [(&str, [(f64, f64); 5]); 3] = [
    ("10", [(381.0, 51.0), (3468.0, 50.83), (448.0, 37.8), (728.0, 42.4), (473.0, 39.1)]),
    ("20", [(603.0, 152.6), (14285.0, 149.5), (820.0, 100.9), (1612.0, 107.7), (1017.0, 100.3)]),
    (
        "100",
        [(2028.0, 2423.0), (63361.0, 1858.0), (4556.0, 1001.0), (6558.0, 813.0), (4915.0, 797.0)],
    ),
];

const VARIANTS: [Option<&str>; 5] =
    [Some("none"), Some("exponential"), Some("decorrelated"), Some("equal"), None];

pub fn topic() -> Topic {
    let (mut rows, mut writes_of_100) = (Vec::new(), Vec::new());
    for (clients, published) in PUBLISHED {
        for (variant, (millis, writes)) in VARIANTS.iter().zip(published) {
            let scenario = case("jitter", *variant, &[("actors.clients.load.count", clients)]);
            // The time of a few clients varies most.
            let n = if clients == "100" { 200 } else { 400 };
            let runs = outcomes(&scenario, n, |outcome| {
                let last = actor(outcome, "clients").latency.expect("clients").max;
                // Each attempt is one read and one write.
                let writes = call(outcome, "library", "row").attempts as f64 / 2.0;
                (last.as_nanos() as f64 / 1e6, writes)
            });
            let (times, counts): (Vec<f64>, Vec<f64>) = runs.into_iter().unzip();
            let what = format!("{clients} clients, {}", variant.unwrap_or("full"));
            let time = Estimate::mean(&times);
            rows.push(Row::new(format!("{what}: ms"), millis, time).percent(5.0));
            let count = Estimate::mean(&counts);
            rows.push(Row::new(format!("{what}: writes"), writes, count).percent(3.0));
            if clients == "100" {
                writes_of_100.push((variant, counts));
            }
        }
    }
    let of = |name| &writes_of_100.iter().find(|(variant, _)| **variant == name).expect("run").1;
    let pairs = of(None).iter().zip(of(Some("exponential")));
    let ratios: Vec<f64> = pairs.map(|(full, plain)| full / plain).collect();
    let what = "100 clients, full against exponential: writes";
    rows.push(Row::new(what, 797.0 / 1858.0, Estimate::mean(&ratios)).percent(5.0));
    Topic {
        title: "Exponential Backoff And Jitter",
        scenario: "jitter",
        says: "is the simulator of Marc Brooker's article in the AWS Architecture Blog, 2015; \
            the numbers are those of its public code, means of 200 runs; of 20,000 for ten \
            clients with exponential back-off, whose time varies most, by 1.3 s from run to run \
            (200 runs gave 3610 ms). Without back-off the \
            work grows with the square of the clients. Against the same back-off without jitter, \
            full jitter cuts the writes by more than half, and the time by a factor of thirteen.",
        rows,
    }
}
