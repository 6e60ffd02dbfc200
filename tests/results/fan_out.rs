//! Many leaves make the rare slow one common.

use crate::measure::{Estimate, case, outcomes};
use crate::support::call;
use crate::table::{Row, Topic};

pub fn topic() -> Topic {
    const RUNS: u64 = 8;
    let runs = outcomes(&case("fan_out", None, &[]), RUNS, |outcome| {
        let calls = call(outcome, "users", "root");
        (calls.unknown, calls.calls)
    });
    let slow: u64 = runs.iter().map(|(slow, _)| slow).sum();
    let calls: u64 = runs.iter().map(|(_, calls)| calls).sum();
    let share = Estimate::of_trials(slow, calls, RUNS);
    Topic {
        title: "Fan-out",
        scenario: "fan_out",
        says: "is from Dean and Barroso, *The tail at scale*, 2013. A call that waits for a \
            hundred leaves waits for the slowest. So it sees the 99th percentile of a leaf most \
            of the time.",
        rows: vec![Row::new("one of 100 above its 99th percentile", 0.634, share)],
    }
}
