//! One request in twenty that never completes.

use crate::measure::{Estimate, case, outcomes};
use crate::table::{Row, Topic};
use crate::theory::erlang_b;

/// The share of the requests that succeed.
fn success(variant: Option<&str>, runs: u64) -> Estimate {
    let share = |outcome: &sim_models::outcome::Outcome| {
        let goodput = outcome.goodput;
        goodput.achieved as f64 / goodput.offered as f64
    };
    Estimate::mean(&outcomes(&case("bimodal", variant, &[]), runs, share))
}

pub fn topic() -> Topic {
    // A request holds a thread for 0.95 × 0.1 s + 0.05 × the deadline.
    let handled = |deadline: f64| 1.0 - erlang_b(100, 100.0 * (0.095 + 0.05 * deadline));
    let long = success(None, 12);
    let short = success(Some("deadline of a second"), 2);
    Topic {
        title: "Bimodal latency",
        scenario: "bimodal",
        says: "is from Google's *Site Reliability Engineering*, 2016, chapter 22, at a tenth of its \
            size. A request in twenty that never completes takes down four in five, as long as it \
            may hold its thread for 100 s. The book's 80.4 % are those of Erlang's loss formula, of \
            whose rest one in twenty hangs. Threads are taken and given back in waves of 100 s at \
            first; the warm-up is fifteen of them. At full size they need more: 20 runs of 3,000 s, \
            some minutes.",
        rows: vec![
            Row::new("deadline of 100 s: success", 0.95 * handled(100.0), long),
            Row::new("deadline of 1 s: success", 0.95 * handled(1.0), short).percent(0.5),
        ],
    }
}
