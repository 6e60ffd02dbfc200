//! gRPC's retry throttling: a bucket that failures empty, and no retries from the half down.
//!
//! Answers: a server that fails most calls. Clients notice from their own failures alone and stop
//! to retry until enough calls succeed again.
//!
//! Invites: at a ratio of 0.1, ten successes pay for one failure. A steady tenth of failures keeps
//! the bucket where it is, however low, and all retries stay off long after an outage.
//!
//! Reference: gRPC proposal A6 "Throttling Retry Attempts and Hedged RPCs"; grpc-js 1.14.7
//! `retrying-call.ts` (`RetryThrottler`), `service-config.ts` (`validateRetryThrottling`).
//!
//! ```text
//! failure worth a retry   tokens = max(0, tokens - 1)
//! success                 tokens = min(max_tokens, tokens + token_ratio)
//! retry                   only while tokens > max_tokens / 2, and takes none
//! ```
//!
//! A failure counts whether or not its call may still retry. One that no retry mends (a 400)
//! counts as nothing.
//!
//! # Left out
//! grpc-js looks at the bucket when the back-off is over, the proposal when the attempt has
//! failed; here it is the latter. Carrying the tokens over when the configuration changes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::Time;

use super::machine::{Machine, Ticket};
use crate::family::Build;
use crate::{Ending, EndingSet, OutOfRange};

/// The parameters of the throttle, `retryThrottling` in a service config.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "GrpcBudget")]
pub struct Config {
    /// The tokens at the start and at most.
    ///
    /// gRPC has no default; this is that of the proposal's example.
    #[schemars(range(max = 1000.0), extend("exclusiveMinimum" = 0))]
    pub max_tokens: f64,
    /// What a success brings.
    ///
    /// Of both numbers only three decimals count. gRPC has no default; this is that of the
    /// proposal's example.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub token_ratio: f64,
}

impl Default for Config {
    fn default() -> Config {
        Config { max_tokens: 10.0, token_ratio: 0.1 }
    }
}

/// The throttle of one client towards one server name.
#[derive(Clone, Debug, PartialEq)]
pub struct Grpc {
    config: Config,
    tokens: f64,
}

impl Grpc {
    /// A full bucket with these numbers as they are: the constructor of `RetryThrottler`, which
    /// trusts that the service config has been checked and rounded.
    pub const fn exact(max_tokens: f64, token_ratio: f64) -> Grpc {
        Grpc { config: Config { max_tokens, token_ratio }, tokens: max_tokens }
    }

    /// A success brings its share.
    pub fn add_call_succeeded(&mut self) {
        self.tokens = (self.tokens + self.config.token_ratio).min(self.config.max_tokens);
    }

    /// A failure takes one.
    pub fn add_call_failed(&mut self) {
        self.tokens = (self.tokens - 1.0).max(0.0);
    }

    /// True while retries are permitted.
    pub fn can_retry_call(&self) -> bool {
        self.tokens > self.config.max_tokens / 2.0
    }

    /// The tokens in the bucket.
    pub const fn tokens(&self) -> f64 {
        self.tokens
    }
}

impl Build for Config {
    type Machine = Grpc;

    /// # Errors
    /// When `max_tokens` is outside (0, 1000] or `token_ratio` is not above 0.
    fn build(&self) -> Result<Grpc, OutOfRange> {
        let config = self.clone();
        let Config { max_tokens, token_ratio } = config;
        if !(max_tokens > 0.0 && max_tokens <= 1000.0) {
            return Err(OutOfRange::new("max_tokens", max_tokens, "above 0 and at most 1000"));
        }
        if !(token_ratio > 0.0 && token_ratio.is_finite()) {
            return Err(OutOfRange::new("token_ratio", token_ratio, "finite and above 0"));
        }
        Ok(Grpc::exact(to_fixed_3(max_tokens), to_fixed_3(token_ratio)))
    }
}

impl Machine for Grpc {
    fn left(&self, _now: Time) -> Option<f64> {
        Some(self.tokens)
    }

    fn attempt_ended(&mut self, ticket: &mut Ticket, _now: Time, ending: Ending) {
        ticket.counted = EndingSet::RETRYABLE.contains(ending);
        if ending.is_success() {
            self.add_call_succeeded();
        } else if ticket.counted {
            self.add_call_failed();
        }
    }

    fn withdraw(&mut self, ticket: &mut Ticket, _now: Time, _ending: Ending) -> bool {
        // A caller may retry more than the usual endings: whoever asks had one worth a retry.
        if !ticket.counted {
            self.add_call_failed();
            ticket.counted = true;
        }
        self.can_retry_call()
    }
}

/// A number to three decimals as JavaScript's `toFixed(3)` gives it: the nearest, and the larger
/// of two that are equally near.
fn to_fixed_3(x: f64) -> f64 {
    // Two are equally near only at odd sixteenths, where the product is exact.
    if (x * 16.0).fract() == 0.0 && x < 1e9 {
        return (x * 1000.0 + 0.5).floor() / 1000.0;
    }
    format!("{x:.3}").parse().unwrap_or(x)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::budget::{BudgetConfig, RetryBudget};
    use crate::family::refused;
    use crate::laws::budget::testing::inputs;
    use crate::laws::budget::{Did, play};

    fn tokens(budget: &RetryBudget) -> f64 {
        match budget {
            RetryBudget::Grpc(grpc) => grpc.tokens,
            other => panic!("not gRPC's: {other:?}"),
        }
    }

    proptest! {
        /// Retells the story in thousandths, as whole numbers.
        #[test]
        fn tokens_are_successes_less_failures_and_retries_need_half(
            max in 1..=12_000i64, ratio in 1..=2000i64, inputs in inputs(10, 120),
        ) {
            let config = Config {
                max_tokens: max as f64 / 1000.0,
                token_ratio: ratio as f64 / 1000.0,
            };
            let mut left = max;
            for step in play(&BudgetConfig::Grpc(config), &inputs) {
                match step.did {
                    Did::Began | Did::Abandoned => {}
                    Did::Ended(ending) if ending.is_success() => left = max.min(left + ratio),
                    Did::Ended(_) => {}
                    Did::Asked { permitted, .. } => {
                        left = (left - 1000).max(0);
                        let more_than_half = tokens(&step.after) > max as f64 / 1000.0 / 2.0;
                        prop_assert_eq!(permitted, more_than_half);
                        // In floating point the exact half may lie on either side.
                        if 2 * left != max {
                            prop_assert_eq!(permitted, 2 * left > max);
                        }
                    }
                }
                prop_assert!((0..=max).contains(&left));
                prop_assert!((0.0..=max as f64 / 1000.0).contains(&tokens(&step.after)));
                prop_assert!((tokens(&step.after) - left as f64 / 1000.0).abs() < 1e-9);
            }
        }

        #[test]
        fn rounding_is_to_the_nearest_thousandth(x in 0.0..1000.0f64) {
            prop_assert!((to_fixed_3(x) - x).abs() <= 0.0005 + 1e-12);
            prop_assert_eq!(to_fixed_3(to_fixed_3(x)), to_fixed_3(x));
        }
    }

    #[test]
    fn ten_tokens_stop_retries_at_the_fifth_failure_in_a_row() {
        let mut throttle = Config::default().build().expect("valid");
        let mut permitted = Vec::new();
        for _ in 0..12 {
            throttle.add_call_failed();
            permitted.push(throttle.can_retry_call());
        }
        assert_eq!(permitted.iter().filter(|p| **p).count(), 4);
        assert_eq!(throttle.tokens, 0.0);
        // From empty it takes 51 successes to retry again.
        let successes = (1..).find(|_| {
            throttle.add_call_succeeded();
            throttle.can_retry_call()
        });
        assert_eq!(successes, Some(51));
    }

    #[test]
    fn a_whole_bucket_below_one_token_is_empty_at_the_first_failure() {
        let config = Config { max_tokens: 0.5, token_ratio: 0.3 };
        let mut throttle = config.build().expect("valid");
        throttle.add_call_failed();
        assert_eq!((throttle.tokens, throttle.can_retry_call()), (0.0, false));
    }

    #[test]
    fn three_decimals_count_as_javascript_rounds() {
        for (x, rounded) in
            [(0.1, 0.1), (0.0625, 0.063), (0.1235, 0.123), (0.3333, 0.333), (0.0004, 0.0)]
        {
            assert_eq!(to_fixed_3(x), rounded);
        }
    }

    #[test]
    fn numbers_that_a_service_config_refuses_are_refused_by_name() {
        let refused = |max_tokens, token_ratio| refused(&Config { max_tokens, token_ratio });
        for max_tokens in [0.0, -1.0, 1000.1, f64::NAN] {
            assert_eq!(refused(max_tokens, 0.1), Some("max_tokens"));
        }
        for ratio in [0.0, -0.1, f64::NAN, f64::INFINITY] {
            assert_eq!(refused(10.0, ratio), Some("token_ratio"));
        }
        assert_eq!(refused(1000.0, 5.0), None);
    }
}
