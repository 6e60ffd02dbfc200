//! gRPC's retry policy of the service config, with the server's pushback.
//!
//! Answers: retries that the owner of the *service* configures, and that an overloaded server can
//! delay or stop.
//!
//! Invites: nothing as long as the servers push back; the throttle that goes with it is a policy of
//! its own.
//!
//! Reference: gRPC proposal A6, "gRPC Retry Design", with its correction of the jitter to ±20 %.
//!
//! ```text
//! wait before the k-th retry since the start, or since the last pushback:
//!     min(initial_backoff * backoff_multiplier^(k-1), max_backoff) * (0.8 + 0.4 u)
//! pushback of t >= 0:    exactly t, and k starts at 1 again
//! pushback below 0:      no retry
//! ```
//!
//! Left out: transparent retries, which cost nothing and are not counted; the commit when headers
//! arrive; hedging.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::{Span, math};

use super::rules::{Failure, Luck, Preset, Rules, attempts_left, ordered, positive};
use crate::family::Build;
use crate::grpc_codes::GrpcCodes;
use crate::out_of_range::above_zero;
use crate::{EndingSet, OutOfRange, Reason};

/// The fields of `retryPolicy` in a service config. All are required there; the defaults here are
/// those of the proposal's example.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "GrpcRetry")]
pub struct Config {
    /// Attempts in all, the first included; more than 5 count as 5.
    #[schemars(range(min = 2))]
    pub max_attempts: u32,
    /// The wait before the first retry, not above `max_backoff`.
    #[schemars(extend("x-exclusiveMinimum" = "0s"))]
    pub initial_backoff: Span,
    /// The longest wait before jitter.
    pub max_backoff: Span,
    /// Growth per retry.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub backoff_multiplier: f64,
    /// The codes that are worth another attempt; by default `UNAVAILABLE`: 503, a refused and a
    /// reset connection.
    ///
    /// Names, numbers, or the endings in which a client sees them: `["UNAVAILABLE", 4, "503"]`.
    pub retryable_status_codes: GrpcCodes,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            max_attempts: 4,
            initial_backoff: Span::millis(100),
            max_backoff: Span::secs(1),
            backoff_multiplier: 2.0,
            retryable_status_codes: GrpcCodes::UNAVAILABLE,
        }
    }
}

/// The most attempts that a client makes, whatever the service config says.
const ATTEMPTS_MAX: u32 = 5;

/// The rules of the proposal.
#[derive(Clone, Debug, PartialEq)]
pub struct Grpc {
    attempts_max: u32,
    initial_backoff: Span,
    max_backoff: Span,
    multiplier: f64,
}

/// How often the back-off has grown since the start or the last pushback.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    growths: u32,
}

impl Grpc {
    /// The wait after the failed attempt `attempt`, counted from 1, or why there is none.
    ///
    /// # Errors
    /// When all attempts are made.
    pub fn wait(
        &self,
        memory: &mut Memory,
        attempt: u32,
        pushback: Option<Span>,
        uniform: &mut dyn FnMut() -> f64,
    ) -> Result<Span, Reason> {
        attempts_left(attempt, Some(self.attempts_max))?;
        if let Some(pushback) = pushback {
            memory.growths = 0;
            return Ok(pushback);
        }
        let growth = math::pow(self.multiplier, f64::from(memory.growths));
        memory.growths += 1;
        let backoff =
            (self.initial_backoff.as_secs_f64() * growth).min(self.max_backoff.as_secs_f64());
        Ok(Span::from_secs_f64(backoff * (0.8 + 0.4 * uniform())))
    }
}

impl Build for Config {
    type Machine = Grpc;

    /// # Errors
    /// When `max_attempts` is below 2, a back-off or the multiplier not above zero, or the initial
    /// back-off above the longest.
    fn build(&self) -> Result<Grpc, OutOfRange> {
        if self.max_attempts < 2 {
            return Err(OutOfRange::new("max_attempts", self.max_attempts, "at least 2"));
        }
        above_zero("initial_backoff", self.initial_backoff)?;
        ordered("initial_backoff", self.initial_backoff, "max_backoff", self.max_backoff)?;
        positive("backoff_multiplier", self.backoff_multiplier)?;
        Ok(Grpc {
            attempts_max: self.max_attempts.min(ATTEMPTS_MAX),
            initial_backoff: self.initial_backoff,
            max_backoff: self.max_backoff,
            multiplier: self.backoff_multiplier,
        })
    }
}

impl Preset for Config {
    fn on(&self) -> Option<EndingSet> {
        Some(self.retryable_status_codes.endings())
    }
}

impl Rules for Grpc {
    type Memory = Memory;

    fn start(&self) -> Memory {
        Memory::default()
    }

    fn after(
        &self,
        memory: &mut Memory,
        failure: &Failure,
        luck: &mut Luck,
    ) -> Result<Span, Reason> {
        self.wait(memory, failure.attempt, failure.retry_after, &mut || luck.uniform())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::family::all_refused;
    use crate::retry::testing;

    proptest! {
        #[test]
        fn jitter_is_a_fifth_to_each_side_of_a_capped_growth(
            initial in 1..10_000u64, room in 0..100_000u64, multiplier in 1.0..5.0f64,
            u in 0.0..1.0f64,
        ) {
            let config = Config {
                max_attempts: 99,
                initial_backoff: Span::millis(initial),
                max_backoff: Span::millis(initial + room),
                backoff_multiplier: multiplier,
                ..Config::default()
            };
            let rules = config.build().unwrap();
            let waits = testing::waits(&rules, &[u; 4], |m, n, u| rules.wait(m, n, None, &mut || u));
            let (mut plain, mut last) = (initial as f64, Span::ZERO);
            for wait in waits {
                let millis = wait.as_millis_f64();
                prop_assert!(plain * 0.8 - 1e-6 <= millis && millis <= plain * 1.2 + 1e-6);
                prop_assert!(last <= wait);
                (plain, last) = ((plain * multiplier).min((initial + room) as f64), wait);
            }
            let over = Reason::AttemptsExhausted { attempts_max: 5 };
            prop_assert_eq!(rules.wait(&mut rules.start(), 5, None, &mut || u), Err(over));
        }
    }

    #[test]
    fn a_pushback_is_exact_and_starts_the_growth_anew() {
        let config = Config { max_attempts: 5, ..Config::default() };
        let (rules, mut memory) = (config.build().expect("valid"), Memory::default());
        let mut after = |attempt, pushback: Option<u64>| {
            let pushback = pushback.map(Span::millis);
            let wait = rules.wait(&mut memory, attempt, pushback, &mut || 0.5);
            wait.expect("an attempt is left").as_millis()
        };
        assert_eq!([after(1, None), after(2, None)], [100, 200]);
        assert_eq!(after(3, Some(7000)), 7000);
        assert_eq!(after(4, None), 100);
    }

    #[test]
    fn impossible_parameters_are_refused_by_name() {
        all_refused([
            ("max_attempts", Config { max_attempts: 1, ..Config::default() }),
            ("initial_backoff", Config { initial_backoff: Span::ZERO, ..Config::default() }),
            ("initial_backoff", Config { initial_backoff: Span::secs(2), ..Config::default() }),
            ("backoff_multiplier", Config { backoff_multiplier: f64::NAN, ..Config::default() }),
        ]);
    }
}
