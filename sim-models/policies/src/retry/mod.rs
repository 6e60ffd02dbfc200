//! Whether to try again, and when.
//!
//! Answers: the failure that is over a moment later: a lost packet, a restart, a full queue.
//!
//! Invites: a retry storm. Every layer that tries three times multiplies by three, and most of the
//! load of an outage may be retries. And a retry of something that has succeeded without the
//! caller's knowledge does it twice: a timeout is not a failure.
//!
//! Reference: "Addressing Cascading Failures" in *Site Reliability Engineering*, O'Reilly 2016;
//! for `Retry-After`, RFC 9110, section 10.2.3; the libraries at the versions that each file names.
//!
//! ```text
//!               success -> done, the policy is not asked
//!             /
//! attempt n --
//!      ^      \ failure
//!      |         |- not retryable ------------------> give up: NotRetryable
//!      |         |- the other side says stop -------> give up: PushedBack
//!      |         |- n = attempts_max ---------------> give up: AttemptsExhausted
//!      |         |- the time is over, by each
//!      |         |  library's own rule -------------> give up: TotalTimeExhausted
//!      |         `- otherwise
//!      `--- wait, n + 1
//! ```
//!
//! What the libraries share ends here. They differ in what they retry, in the numbers that they
//! wait (down to the rounding), in which clock reading the total time is compared with, and in
//! whether they listen to the other side at all:
//!
//! | | attempts | total time | `Retry-After` |
//! |---|---|---|---|
//! | [`house`] | `attempts` | no attempt starts later | by choice; at least that long |
//! | [`resilience4j`] | 3 | - | not heard |
//! | [`failsafe`] | 3 | the last wait is cut to fit; strictly over ends | not heard |
//! | [`polly`] | 4 | - | replaces the wait |
//! | [`cockatiel`] | unlimited | - | not heard |
//! | [`tenacity`] | unlimited | before or after the wait, by choice | not heard |
//! | [`backoff`] | unlimited | measured when an attempt starts; waits are cut to fit | not heard |
//! | `botocore` | 3 | - | at most 5 s more |
//! | [`grpc`] | 2 to 5 | - | replaces the wait and starts the back-off anew |
//! | [`envoy`] | 2 | - | by choice; at least that long |
//! | [`finagle`] | 3 | - | not heard |
//!
//! An [`Advice::Stop`] ends every one of them.
//!
//! Left out: what surrounds a retry in its library, such as budgets and throttles (policies of
//! their own) and hooks; that an exception takes the place of the last result.

pub mod backoff;
mod botocore;
pub mod cockatiel;
pub mod envoy;
pub mod failsafe;
pub mod finagle;
pub mod grpc;
pub mod house;
pub mod polly;
pub mod resilience4j;
pub mod tenacity;

use serde::Deserialize;
use sim_core::{Span, Time, mix};

use super::{Ending, EndingSet, OutOfRange, Reason, aws};

pub use house::{HouseConfig, RetryAfter};

/// The parameters of a retry, by the library that it behaves like.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub enum RetryConfig {
    /// The house's own: any growth, any jitter, `Retry-After` as a lower bound.
    House(house::HouseConfig),
    /// Resilience4j 2.4.
    Resilience4j(resilience4j::Config),
    /// Failsafe (Java) 3.3.
    Failsafe(failsafe::Config),
    /// Polly v8.
    Polly(polly::Config),
    /// cockatiel 3.2.
    Cockatiel(cockatiel::Config),
    /// tenacity 9.2.
    Tenacity(tenacity::Config),
    /// The Python package backoff 2.2.
    Backoff(backoff::Config),
    /// botocore 1.44, or 1.40.
    Botocore(aws::Config),
    /// gRPC, proposal A6.
    Grpc(grpc::Config),
    /// Envoy's router.
    Envoy(envoy::Config),
    /// Finagle.
    Finagle(finagle::Config),
}

impl Default for RetryConfig {
    fn default() -> RetryConfig {
        RetryConfig::House(HouseConfig::default())
    }
}

/// What the other side asks of those who would retry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Advice {
    /// Nothing.
    #[default]
    None,
    /// To come back after this time: `Retry-After`, or gRPC's `grpc-retry-pushback-ms`.
    After(Span),
    /// Not to come back: a negative `grpc-retry-pushback-ms`.
    Stop,
}

impl From<Option<Span>> for Advice {
    fn from(retry_after: Option<Span>) -> Advice {
        retry_after.map_or(Advice::None, Advice::After)
    }
}

/// Repeats failed attempts as the house or one of the libraries does.
///
/// ```
/// use sim_core::{Span, Time};
/// use sim_policies::retry::{Advice, RetryConfig, resilience4j};
/// use sim_policies::{Decision, Ending, Reason, Retry};
///
/// let config = resilience4j::Config { max_attempts: 2, ..resilience4j::Config::default() };
/// let retry = Retry::new(&RetryConfig::Resilience4j(config))?;
///
/// let (unavailable, later) = (Ending::Status(503), Time::ZERO + Span::millis(500));
/// let mut state = retry.start(Time::ZERO);
/// assert_eq!(
///     retry.decide(&mut state, Time::ZERO, unavailable, Advice::None, 0),
///     Decision::Again { after: Span::millis(500), attempt: 2 },
/// );
/// assert_eq!(
///     retry.decide(&mut state, later, unavailable, Advice::None, 0),
///     Decision::GiveUp(Reason::AttemptsExhausted { attempts_max: 2 }),
/// );
/// # Ok::<(), sim_policies::OutOfRange>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    on: EndingSet,
    rules: Rules,
}

/// The rules of one library.
#[derive(Clone, Debug, PartialEq)]
enum Rules {
    House(house::House),
    Resilience4j(resilience4j::Resilience4j),
    Failsafe(failsafe::Failsafe),
    Polly(polly::Polly),
    Cockatiel(cockatiel::Cockatiel),
    Tenacity(tenacity::Tenacity),
    Backoff(backoff::Backoff),
    Botocore(aws::AwsRetry),
    Grpc(grpc::Grpc),
    Envoy(envoy::Envoy),
    Finagle(finagle::Finagle),
}

/// Where one call stands in its series of attempts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryState {
    attempt: u32,
    started: Time,
    attempt_started: Time,
    memory: Memory,
}

impl RetryState {
    /// The number of the attempt under way, the first being 1.
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }
}

/// What a library remembers from wait to wait.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Memory {
    Nothing,
    House(house::Memory),
    Failsafe(failsafe::Memory),
    Polly(polly::Memory),
    Cockatiel(cockatiel::Memory),
    Grpc(grpc::Memory),
    Envoy(envoy::Memory),
    Finagle(finagle::Memory),
}

/// What happens after a failed attempt.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Another attempt starts.
    Again {
        /// The wait until it starts.
        after: Span,
        /// Its number; the first retry is attempt 2.
        attempt: u32,
    },
    /// The call ends as its last attempt did.
    GiveUp(Reason),
}

/// An attempt that ended in a failure worth a retry, as the rules see it.
#[derive(Clone, Copy, Debug)]
struct Failure {
    /// The number of the attempt, from 1.
    attempt: u32,
    /// From the start of the first attempt until now.
    elapsed: Span,
    /// From the start of the first attempt until the start of this one.
    elapsed_before: Span,
    /// What the other side asked for, if it is a time.
    retry_after: Option<Span>,
    /// How it ended.
    ending: Ending,
}

impl Retry {
    /// A retry that behaves as `config` says.
    ///
    /// # Errors
    /// When a parameter is outside what the library accepts, or cannot work.
    pub fn new(config: &RetryConfig) -> Result<Retry, OutOfRange> {
        let (on, rules) = match config {
            RetryConfig::House(config) => (config.on, Rules::House(house::House::new(config)?)),
            RetryConfig::Resilience4j(config) => (
                config.retry_exceptions,
                Rules::Resilience4j(resilience4j::Resilience4j::new(config)?),
            ),
            RetryConfig::Failsafe(config) => {
                (config.handle, Rules::Failsafe(failsafe::Failsafe::new(config)?))
            }
            RetryConfig::Polly(config) => {
                (config.should_handle, Rules::Polly(polly::Polly::new(config)?))
            }
            RetryConfig::Cockatiel(config) => {
                (config.handle, Rules::Cockatiel(cockatiel::Cockatiel::new(config)?))
            }
            RetryConfig::Tenacity(config) => {
                (config.retry, Rules::Tenacity(tenacity::Tenacity::new(config)?))
            }
            RetryConfig::Backoff(config) => {
                (config.exception, Rules::Backoff(backoff::Backoff::new(config)?))
            }
            RetryConfig::Botocore(config) => {
                (config.retries(), Rules::Botocore(aws::AwsRetry::new(config.clone())?))
            }
            RetryConfig::Grpc(config) => {
                (config.retryable_status_codes, Rules::Grpc(grpc::Grpc::new(config)?))
            }
            RetryConfig::Envoy(config) => {
                (config.retry_on, Rules::Envoy(envoy::Envoy::new(config)?))
            }
            RetryConfig::Finagle(config) => {
                (config.should_retry, Rules::Finagle(finagle::Finagle::new(config)?))
            }
        };
        Ok(Retry { on, rules })
    }

    /// The endings that are worth another attempt.
    pub const fn on(&self) -> EndingSet {
        self.on
    }

    /// The state of a call whose first attempt starts at `now`.
    pub fn start(&self, now: Time) -> RetryState {
        let memory = match &self.rules {
            Rules::House(house) => Memory::House(house.start()),
            Rules::Failsafe(_) => Memory::Failsafe(failsafe::Memory::default()),
            Rules::Polly(_) => Memory::Polly(polly::Memory::default()),
            Rules::Cockatiel(_) => Memory::Cockatiel(cockatiel::Memory::default()),
            Rules::Grpc(_) => Memory::Grpc(grpc::Memory::default()),
            Rules::Envoy(envoy) => Memory::Envoy(envoy.start()),
            Rules::Finagle(finagle) => Memory::Finagle(finagle.start()),
            Rules::Resilience4j(_)
            | Rules::Tenacity(_)
            | Rules::Backoff(_)
            | Rules::Botocore(_) => Memory::Nothing,
        };
        RetryState { attempt: 1, started: now, attempt_started: now, memory }
    }

    /// What to do after the attempt under way ended at `now` in a failure.
    ///
    /// `draw` is uniform over all of `u64`. The next attempt starts when the wait is over. After
    /// `GiveUp` the state is as before.
    ///
    /// # Panics
    /// When `ending` is a success, or `state` was started by a retry of another kind.
    pub fn decide(
        &self,
        state: &mut RetryState,
        now: Time,
        ending: Ending,
        advice: Advice,
        draw: u64,
    ) -> Decision {
        assert!(!ending.is_success(), "a success is not retried");
        if !self.on.contains(ending) {
            return Decision::GiveUp(Reason::NotRetryable);
        }
        let retry_after = match advice {
            Advice::None => None,
            Advice::After(span) => Some(span),
            Advice::Stop => return Decision::GiveUp(Reason::PushedBack),
        };
        let failure = Failure {
            attempt: state.attempt,
            elapsed: now.since(state.started),
            elapsed_before: state.attempt_started.since(state.started),
            retry_after,
            ending,
        };
        let mut memory = state.memory;
        match self.after(&failure, &mut memory, draw) {
            Err(reason) => Decision::GiveUp(reason),
            Ok(after) => {
                let attempt = state.attempt.saturating_add(1);
                let started = state.started;
                *state = RetryState { attempt, started, attempt_started: now + after, memory };
                Decision::Again { after, attempt }
            }
        }
    }

    /// The wait, or why there is none.
    fn after(&self, failure: &Failure, memory: &mut Memory, draw: u64) -> Result<Span, Reason> {
        let &Failure { attempt, elapsed, elapsed_before, retry_after, .. } = failure;
        let mut luck = Luck { draw, taken: 0 };
        let uniform = &mut || luck.uniform();
        match (&self.rules, memory) {
            (Rules::House(house), Memory::House(memory)) => house.after(memory, failure, draw),
            (Rules::Resilience4j(rules), Memory::Nothing) => {
                rules.after_millis(attempt, uniform).map(from_millis)
            }
            (Rules::Failsafe(rules), Memory::Failsafe(memory)) => {
                rules.after_nanos(memory, attempt, nanos(elapsed), uniform).map(failsafe::sleep)
            }
            (Rules::Polly(rules), Memory::Polly(memory)) => {
                rules.after_ticks(memory, attempt, retry_after, uniform).map(polly::from_ticks)
            }
            (Rules::Cockatiel(rules), Memory::Cockatiel(memory)) => rules
                .after_millis(memory, attempt, uniform)
                .map(|millis| Span::from_secs_f64(millis / 1000.0)),
            (Rules::Tenacity(rules), Memory::Nothing) => {
                rules.after_secs(attempt, elapsed.as_secs_f64(), uniform).map(Span::from_secs_f64)
            }
            (Rules::Backoff(rules), Memory::Nothing) => rules
                .after_secs(attempt, elapsed_before.as_secs_f64(), uniform)
                .map(Span::from_secs_f64),
            (Rules::Botocore(rules), Memory::Nothing) => {
                botocore::after_secs(rules, failure, uniform).map(Span::from_secs_f64)
            }
            (Rules::Grpc(rules), Memory::Grpc(memory)) => {
                rules.after(memory, attempt, retry_after, uniform)
            }
            (Rules::Envoy(rules), Memory::Envoy(memory)) => {
                rules.after_millis(memory, attempt, retry_after, draw).map(Span::millis)
            }
            (Rules::Finagle(rules), Memory::Finagle(memory)) => {
                rules.after_nanos(memory, attempt, draw).map(Span::nanos)
            }
            _ => panic!("the state belongs to a retry of another kind"),
        }
    }
}

/// One draw of 64 bits as the numbers in [0, 1) that a library takes from its generator. Few take
/// more than one per wait.
struct Luck {
    draw: u64,
    taken: u64,
}

impl Luck {
    fn uniform(&mut self) -> f64 {
        // The first is the draw itself; the others are mixed from it.
        let draw = if self.taken == 0 { self.draw } else { mix(self.draw, self.taken) };
        self.taken += 1;
        (draw >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// A library's `long` of milliseconds; those below zero are zero.
fn from_millis(millis: i64) -> Span {
    Span::millis(u64::try_from(millis).unwrap_or(0))
}

/// A span as a library's `long` of nanoseconds.
fn nanos(span: Span) -> i64 {
    i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)
}

/// The verdict that all attempts are made, or that there may be another one.
fn attempts_left(attempt: u32, attempts_max: Option<u32>) -> Result<(), Reason> {
    match attempts_max {
        Some(attempts_max) if attempt >= attempts_max => {
            Err(Reason::AttemptsExhausted { attempts_max })
        }
        _ => Ok(()),
    }
}

/// Refuses what is not a number from `low` on, such as NaN.
fn at_least(field: &'static str, found: f64, low: f64) -> Result<(), OutOfRange> {
    if found.is_finite() && found >= low {
        Ok(())
    } else {
        Err(OutOfRange::new(field, found, format!("finite and at least {low}")))
    }
}

/// Refuses what is not a number above zero.
fn positive(field: &'static str, found: f64) -> Result<(), OutOfRange> {
    if found.is_finite() && found > 0.0 {
        Ok(())
    } else {
        Err(OutOfRange::new(field, found, "finite and above 0"))
    }
}

/// Refuses a shortest wait above the longest one.
fn ordered(field: &'static str, low: Span, limit: &str, high: Span) -> Result<(), OutOfRange> {
    if low <= high {
        Ok(())
    } else {
        Err(OutOfRange::new(field, low, format!("at most {limit}, {high}")))
    }
}

#[cfg(test)]
mod tests;
