//! A retry breaker: retries while few attempts fail, none once many do.
//!
//! Answers: retries help against a rare failure and harm in an outage; so retry only while failures
//! are rare. First tries are always sent, which keeps the count going.
//!
//! Invites: a cliff. Just below the ratio nearly everything is retried and succeeds, just above it
//! nothing is, and users see every failure. Since it counts from the start and never forgets, one
//! bad hour keeps retries off for long.
//!
//! Reference: M. Brooker, "Fixing retries with token buckets and circuit breakers", 2022, where it
//! is the circuit breaker.
//!
//! ```text
//! call     calls + 1                     first tries only
//! failure  failures + 1                  of any attempt, before it asks to retry
//! retry    while failures <= max * calls
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::Time;

use super::machine::{Machine, Ticket};
use crate::family::Build;
use crate::out_of_range::within;
use crate::{Ending, OutOfRange};

/// The ratio as a whole number of these.
const SCALE: u64 = 1_000_000;

/// The parameters of the breaker.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "FailureRatioBudget")]
pub struct Config {
    /// The failed attempts per call up to which calls are retried, of which six decimals count.
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub max: f64,
}

impl Default for Config {
    fn default() -> Config {
        Config { max: 0.1 }
    }
}

/// The breaker of one caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureRatio {
    max: u64,
    calls: u64,
    failures: u64,
}

impl Build for Config {
    type Machine = FailureRatio;

    /// # Errors
    /// When `max` is out of its range.
    fn build(&self) -> Result<FailureRatio, OutOfRange> {
        within("max", self.max, 0.0, 1000.0)?;
        let max = (self.max * SCALE as f64 + 0.5) as u64;
        Ok(FailureRatio { max, calls: 0, failures: 0 })
    }
}

impl Machine for FailureRatio {
    /// Failed attempts after which it still permits a retry, and the one after which it does not.
    fn left(&self, _now: Time) -> Option<f64> {
        let (most, failures) = (self.calls * self.max, self.failures * SCALE);
        Some(most.checked_sub(failures).map_or(0.0, |rest| (rest / SCALE + 1) as f64))
    }

    fn begin(&mut self, _ticket: &mut Ticket, _now: Time) {
        self.calls += 1;
    }

    fn attempt_ended(&mut self, _ticket: &mut Ticket, _now: Time, ending: Ending) {
        self.failures += u64::from(!ending.is_success());
    }

    fn withdraw(&mut self, _ticket: &mut Ticket, _now: Time, _ending: Ending) -> bool {
        self.failures * SCALE <= self.calls * self.max
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::budget::BudgetConfig;
    use crate::family::all_refused;
    use crate::laws::budget::testing::inputs;
    use crate::laws::budget::{Did, play};

    proptest! {
        #[test]
        fn retries_pass_while_failures_per_call_are_at_most_the_ratio(
            percent in 0..300u32, inputs in inputs(10, 120),
        ) {
            let config = Config { max: f64::from(percent) / 100.0 };
            let (mut calls, mut failures) = (0, 0);
            for step in play(&BudgetConfig::FailureRatio(config), &inputs) {
                match step.did {
                    Did::Began => calls += 1,
                    Did::Ended(ending) => failures += u32::from(!ending.is_success()),
                    Did::Asked { permitted, .. } => {
                        failures += 1;
                        prop_assert_eq!(permitted, failures * 100 <= calls * percent);
                    }
                    Did::Abandoned => {}
                }
            }
        }
    }

    #[test]
    fn one_failure_in_ten_calls_is_retried_and_a_second_is_not() {
        let mut breaker = Config::default().build().expect("valid");
        let mut ticket = Ticket::default();
        for _ in 0..10 {
            breaker.begin(&mut ticket, Time::ZERO);
        }
        let mut fail = || {
            breaker.attempt_ended(&mut ticket, Time::ZERO, Ending::TimedOut);
            breaker.withdraw(&mut ticket, Time::ZERO, Ending::TimedOut)
        };
        assert_eq!([fail(), fail()], [true, false]);
    }

    #[test]
    fn an_impossible_ratio_is_refused_by_name() {
        all_refused([-0.1, f64::NAN, f64::INFINITY].map(|max| ("max", Config { max })));
    }
}
