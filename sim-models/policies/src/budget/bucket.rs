//! A token bucket that calls fill: each call brings a tenth of a retry.
//!
//! Answers: retries in proportion to the calls. However much fails, they add a tenth to the load,
//! and a little more while the bucket that was full at the start lasts.
//!
//! Invites: a long quiet failure rate just below the deposit never empties the bucket, so that all
//! is retried. And a bucket per client is large when the clients are many and their calls few.
//!
//! Reference: M. Brooker, "Fixing retries with token buckets and circuit breakers", 2022, where it
//! is the adaptive strategy.
//!
//! ```text
//! call     tokens = min(capacity, tokens + per_call)
//! retry    only while tokens > 1, and takes 1
//! ```
//!
//! Tokens are whole thousandths.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::Time;

use super::machine::{Machine, Ticket};
use crate::family::Build;
use crate::out_of_range::within;
use crate::{Ending, OutOfRange};

/// What a retry costs, in thousandths of a token.
const RETRY: u64 = 1000;

/// The parameters of the bucket. Of both numbers three decimals count.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "BucketBudget")]
pub struct Config {
    /// The tokens at the start and at most.
    #[schemars(range(min = 0.0, max = 1000000.0))]
    pub capacity: f64,
    /// The tokens that a call brings when it starts.
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub per_call: f64,
}

impl Default for Config {
    fn default() -> Config {
        Config { capacity: 5.0, per_call: 0.1 }
    }
}

/// The bucket of one caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    capacity: u64,
    per_call: u64,
    tokens: u64,
}

impl Build for Config {
    type Machine = Bucket;

    /// # Errors
    /// When a number is out of its range.
    fn build(&self) -> Result<Bucket, OutOfRange> {
        within("capacity", self.capacity, 0.0, 1e6)?;
        within("per_call", self.per_call, 0.0, 1e3)?;
        let thousandths = |tokens: f64| (tokens * 1000.0 + 0.5) as u64;
        let capacity = thousandths(self.capacity);
        Ok(Bucket { capacity, per_call: thousandths(self.per_call), tokens: capacity })
    }
}

impl Machine for Bucket {
    fn left(&self, _now: Time) -> Option<f64> {
        Some(self.tokens as f64 / 1000.0)
    }

    fn begin(&mut self, _ticket: &mut Ticket, _now: Time) {
        self.tokens = self.capacity.min(self.tokens + self.per_call);
    }

    fn withdraw(&mut self, _ticket: &mut Ticket, _now: Time, _ending: Ending) -> bool {
        let permitted = self.tokens > RETRY;
        if permitted {
            self.tokens -= RETRY;
        }
        permitted
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::budget::BudgetConfig;
    use crate::family::refused;
    use crate::laws::budget::testing::inputs;
    use crate::laws::budget::{Did, play};

    proptest! {
        /// However the calls end, retries are bounded by what was there and what calls brought.
        #[test]
        fn retries_are_at_most_what_the_calls_have_paid_for(
            capacity in 0..8000u32, per_call in 0..1500u32, inputs in inputs(10, 120),
        ) {
            let config = Config {
                capacity: f64::from(capacity) / 1000.0,
                per_call: f64::from(per_call) / 1000.0,
            };
            let (mut left, mut retries, mut calls) = (capacity, 0, 0);
            for step in play(&BudgetConfig::Bucket(config), &inputs) {
                match step.did {
                    Did::Began => {
                        calls += 1;
                        left = capacity.min(left + per_call);
                    }
                    Did::Asked { permitted, .. } => {
                        prop_assert_eq!(permitted, left > 1000);
                        retries += u32::from(permitted);
                        left -= if permitted { 1000 } else { 0 };
                    }
                    Did::Ended(_) | Did::Abandoned => {}
                }
                prop_assert!(retries * 1000 <= capacity + calls * per_call);
            }
        }
    }

    #[test]
    fn five_tokens_are_four_retries_and_then_every_tenth_call_has_one() {
        let mut bucket = Config::default().build().expect("valid");
        let mut retry = || bucket.withdraw(&mut Ticket::default(), Time::ZERO, Ending::TimedOut);
        assert_eq!((0..9).filter(|_| retry()).count(), 4, "more than one must be there");
        let mut retries = 0;
        for _ in 0..100 {
            bucket.begin(&mut Ticket::default(), Time::ZERO);
            let ending = Ending::TimedOut;
            retries += u32::from(bucket.withdraw(&mut Ticket::default(), Time::ZERO, ending));
        }
        assert_eq!(retries, 10);
    }

    #[test]
    fn impossible_parameters_are_refused_by_name() {
        let refused = |capacity, per_call| refused(&Config { capacity, per_call });
        assert_eq!(refused(-1.0, 0.1), Some("capacity"));
        assert_eq!(refused(f64::NAN, 0.1), Some("capacity"));
        assert_eq!(refused(5.0, -0.1), Some("per_call"));
        assert_eq!(refused(0.0, 0.0), None);
    }
}
