//! Client-side throttling after Google.

use crate::measure::{Estimate, case, outcomes};
use crate::support::call;
use crate::table::{Row, Topic};

/// Seconds of a run.
const SECONDS: f64 = 600.0;

pub fn topic() -> Topic {
    let mut rows = Vec::new();
    for (demand, held_back) in [(200.0, 0.0), (400.0, 0.5), (1000.0, 0.8)] {
        let rate = format!("\"{demand}/s\"");
        let scenario = case("throttling", None, &[("actors.clients.load.rate", &rate)]);
        let runs = outcomes(&scenario, 8, |outcome| {
            let calls = call(outcome, "clients", "backend");
            let sent = calls.attempts as f64;
            (1.0 - sent / calls.calls as f64, sent / SECONDS)
        });
        let (shares, sent): (Vec<f64>, Vec<f64>) = runs.into_iter().unzip();
        let share = Estimate::mean(&shares);
        let what = format!("{demand}/s asked");
        rows.push(Row::new(format!("{what}: held back"), held_back, share).within(0.005));
        let sent = Estimate::mean(&sent);
        rows.push(Row::new(format!("{what}: sent per second"), 200.0, sent).percent(1.0));
    }
    Topic {
        title: "Adaptive throttling",
        scenario: "throttling",
        says: "is the formula of Google's *Site Reliability Engineering*, chapter Handling Overload: \
            the backend takes C = 100 a second and sees min(D, K C), with K = 2. At D = K C the \
            probability is zero in the mean and positive by luck, a few in a thousand.",
        rows,
    }
}
