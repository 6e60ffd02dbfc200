//! Whether to try again, and when.
//!
//! Answers: the failure that is over a moment later: a lost packet, a restart, a full queue.
//!
//! Invites: a retry storm. Every layer that tries three times multiplies by three, and most of the
//! load of an outage may be retries. And a retry of something that has succeeded without the
//! caller's knowledge does it twice: a timeout is not a failure.
//!
//! Reference: "Addressing Cascading Failures" in *Site Reliability Engineering*, O'Reilly 2016;
//! for `Retry-After`, RFC 9110, section 10.2.3.
//!
//! ```text
//!               success -> done, the policy is not asked
//!             /
//! attempt n --
//!      ^      \ failure
//!      |         |- not retryable ------------------> give up: NotRetryable
//!      |         |- n = attempts_max ---------------> give up: AttemptsExhausted
//!      |         |- next start after total_max -----> give up: TotalTimeExhausted
//!      |         `- otherwise
//!      `--- wait max(back-off, Retry-After), n + 1
//! ```

use sim_core::{Span, Time};

use super::out_of_range::at_least_one;
use super::{Backoff, Ending, OutOfRange, Reason};

/// Which endings are worth another attempt.
///
/// | ending | retried |
/// |---|---|
/// | 408, 429, 500, 502, 503, 504 | yes |
/// | timed out, connection refused, connection reset | yes |
/// | 409 | when `conflict` |
/// | rejected by a policy on this side | when `rejected` |
/// | any other status, such as 400, 401, 403, 404, 422, 501 | no |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetryOn {
    /// Retries a 409: the other side is busy with the same key and asks to come back later. Off by
    /// default, because elsewhere a 409 means that the request contradicts what is stored. A
    /// `Retry-After` on the 409 does not change this choice.
    pub conflict: bool,
    /// Retries what an open breaker or a full bulkhead inside this retry has refused. Off by
    /// default: they refuse in order to shed load, and a retry would spend its attempts on calls
    /// that are never sent. Resilience4j's default order of decorators does retry them.
    pub rejected: bool,
}

impl RetryOn {
    /// True when `ending` is worth another attempt.
    pub const fn includes(self, ending: Ending) -> bool {
        match ending {
            Ending::Status(409) => self.conflict,
            Ending::Status(status) => matches!(status, 408 | 429 | 500 | 502 | 503 | 504),
            Ending::TimedOut | Ending::Refused | Ending::Reset => true,
            Ending::Rejected(_) => self.rejected,
        }
    }
}

/// Repeats failed attempts within a number and a total time.
///
/// ```
/// use sim_core::{Span, Time};
/// use sim_models::policy::{Backoff, Decision, Ending, Jitter, Reason, Retry, RetryOn};
///
/// let backoff = Backoff::new(Span::secs(1), 2.0, Span::secs(60), Jitter::None)?;
/// let retry = Retry::new(2, None, backoff, RetryOn::default())?;
///
/// let mut state = retry.start(Time::ZERO);
/// let unavailable = Ending::Status(503);
/// assert_eq!(
///     retry.decide(&mut state, Time::ZERO, unavailable, None, 0),
///     Decision::Again { after: Span::secs(1), attempt: 2 },
/// );
/// assert_eq!(
///     retry.decide(&mut state, Time::ZERO + Span::secs(1), unavailable, None, 0),
///     Decision::GiveUp(Reason::AttemptsExhausted { attempts_max: 2 }),
/// );
/// # Ok::<(), sim_models::policy::OutOfRange>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Retry {
    attempts_max: u32,
    total_max: Option<Span>,
    backoff: Backoff,
    retry_on: RetryOn,
}

/// Where one call stands in its series of attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryState {
    attempt: u32,
    started: Time,
    previous: Span,
}

impl RetryState {
    /// The number of the attempt under way, the first being 1.
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }
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

impl Retry {
    /// A retry of at most `attempts_max` attempts, the first included. None starts later than
    /// `total_max` after the first; one may start at exactly `total_max`.
    ///
    /// # Errors
    /// When `attempts_max` is zero.
    pub fn new(
        attempts_max: u32,
        total_max: Option<Span>,
        backoff: Backoff,
        retry_on: RetryOn,
    ) -> Result<Retry, OutOfRange> {
        at_least_one("attempts", attempts_max)?;
        Ok(Retry { attempts_max, total_max, backoff, retry_on })
    }

    /// The state of a call whose first attempt starts at `now`.
    pub const fn start(&self, now: Time) -> RetryState {
        RetryState { attempt: 1, started: now, previous: self.backoff.base() }
    }

    /// What to do after the attempt under way ended at `now` in a failure.
    ///
    /// The wait is never shorter than the other side's `retry_after`. After `GiveUp` the state is
    /// as before.
    ///
    /// # Panics
    /// When `ending` is a success.
    pub fn decide(
        &self,
        state: &mut RetryState,
        now: Time,
        ending: Ending,
        retry_after: Option<Span>,
        draw: u64,
    ) -> Decision {
        assert!(!ending.is_success(), "a success is not retried");
        if !self.retry_on.includes(ending) {
            return Decision::GiveUp(Reason::NotRetryable);
        }
        if state.attempt >= self.attempts_max {
            return Decision::GiveUp(Reason::AttemptsExhausted { attempts_max: self.attempts_max });
        }
        let backoff = self.backoff.delay(state.attempt, state.previous, draw);
        let after = backoff.max(retry_after.unwrap_or(Span::ZERO));
        if let Some(total_max) = self.total_max
            && now.since(state.started) + after > total_max
        {
            return Decision::GiveUp(Reason::TotalTimeExhausted { total_max });
        }
        state.attempt += 1;
        // The other side's request to wait says nothing about the pace of later retries.
        state.previous = backoff;
        Decision::Again { after, attempt: state.attempt }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::policy::Jitter;

    const BUSY: Ending = Ending::Status(503);

    fn at(secs: u64) -> Time {
        Time::ZERO + Span::secs(secs)
    }

    fn doubling(attempts_max: u32, total_max: Option<Span>, retry_on: RetryOn) -> Retry {
        let backoff = Backoff::new(Span::secs(1), 2.0, Span::secs(60), Jitter::None);
        Retry::new(attempts_max, total_max, backoff.expect("valid"), retry_on).expect("valid")
    }

    fn failures() -> impl Strategy<Value = Ending> {
        prop_oneof![
            8 => Just(BUSY),
            2 => Just(Ending::TimedOut),
            1 => Just(Ending::Reset),
            1 => Just(Ending::Status(404)),
        ]
    }

    proptest! {
        #[test]
        fn attempts_total_time_and_retry_after_are_kept(
            attempts_max in 1..8u32,
            total_max in proptest::option::of(0..40u64),
            story in proptest::collection::vec(
                (0..5u64, failures(), proptest::option::of(0..20u64), any::<u64>()), 10),
        ) {
            let total_max = total_max.map(Span::secs);
            let retry = Retry {
                backoff: Backoff::new(Span::secs(1), 2.0, Span::secs(60), Jitter::Full)
                    .expect("valid"),
                ..doubling(attempts_max, total_max, RetryOn::default())
            };
            let (start, mut now) = (at(100), at(100));
            let mut state = retry.start(now);
            let mut attempts = 1;
            for (took, ending, retry_after, draw) in story {
                now += Span::secs(took);
                let before = state;
                let decision =
                    retry.decide(&mut state, now, ending, retry_after.map(Span::secs), draw);
                match decision {
                    Decision::Again { after, attempt } => {
                        attempts += 1;
                        now += after;
                        prop_assert_eq!(attempt, attempts);
                        prop_assert!(attempts <= attempts_max);
                        prop_assert!(now.since(start) <= total_max.unwrap_or(Span::MAX));
                        prop_assert!(after >= Span::secs(retry_after.unwrap_or(0)));
                        prop_assert!(ending != Ending::Status(404));
                    }
                    Decision::GiveUp(reason) => {
                        let permanent = ending == Ending::Status(404);
                        prop_assert_eq!(reason == Reason::NotRetryable, permanent);
                        prop_assert_eq!(state, before);
                        return Ok(());
                    }
                }
            }
        }
    }

    #[test]
    fn six_attempts_start_at_doubling_distances() {
        let retry = doubling(6, None, RetryOn::default());
        let (mut now, mut state, mut starts) = (at(0), retry.start(at(0)), vec![at(0)]);
        while let Decision::Again { after, .. } = retry.decide(&mut state, now, BUSY, None, 0) {
            now += after;
            starts.push(now);
        }
        assert_eq!(starts, [0, 1, 3, 7, 15, 31].map(at));
        assert_eq!(state.attempt(), 6);
    }

    #[test]
    fn a_retry_may_start_at_exactly_the_total_time() {
        for (total_ms, expected) in [
            (4000, Decision::Again { after: Span::secs(1), attempt: 2 }),
            (3999, {
                let total_max = Span::millis(3999);
                Decision::GiveUp(Reason::TotalTimeExhausted { total_max })
            }),
        ] {
            let retry = doubling(6, Some(Span::millis(total_ms)), RetryOn::default());
            let mut state = retry.start(at(10));
            assert_eq!(retry.decide(&mut state, at(13), BUSY, None, 0), expected);
        }
    }

    #[test]
    fn retry_after_lengthens_one_wait_and_not_the_next() {
        let retry = Retry {
            backoff: Backoff::new(Span::secs(1), 2.0, Span::secs(60), Jitter::Decorrelated)
                .expect("valid"),
            ..doubling(6, None, RetryOn::default())
        };
        let mut state = retry.start(at(0));
        let mut wait =
            |retry_after| match retry.decide(&mut state, at(0), BUSY, retry_after, u64::MAX) {
                Decision::Again { after, .. } => after,
                Decision::GiveUp(reason) => panic!("gave up: {reason}"),
            };
        // The largest draw triples each wait: 3 s, 9 s, 27 s.
        assert_eq!(wait(Some(Span::secs(20))), Span::secs(20));
        assert_eq!(wait(Some(Span::nanos(1))), Span::secs(9));
        assert_eq!(wait(None), Span::secs(27));
    }

    #[test]
    fn retryable_endings_are_the_documented_ones() {
        let rejected = Ending::Rejected(Reason::BulkheadFull { limit: 4 });
        let default = RetryOn::default();
        let statuses: Vec<u16> =
            (100..600).filter(|&status| default.includes(Ending::Status(status))).collect();
        assert_eq!(statuses, [408, 429, 500, 502, 503, 504]);
        assert!(
            [Ending::TimedOut, Ending::Refused, Ending::Reset].map(|e| default.includes(e))
                == [true; 3]
        );
        assert!(!default.includes(rejected));
        assert!(RetryOn { rejected: true, ..default }.includes(rejected));
        assert!(RetryOn { conflict: true, ..default }.includes(Ending::Status(409)));
    }

    #[test]
    fn a_conflict_with_retry_after_is_retried_by_choice_only() {
        let after = Some(Span::secs(2));
        for (conflict, expected) in [
            (false, Decision::GiveUp(Reason::NotRetryable)),
            (true, Decision::Again { after: Span::secs(2), attempt: 2 }),
        ] {
            let retry = doubling(3, None, RetryOn { conflict, ..RetryOn::default() });
            let mut state = retry.start(at(0));
            let conflict = Ending::Status(409);
            assert_eq!(retry.decide(&mut state, at(0), conflict, after, 0), expected);
        }
    }

    #[test]
    #[should_panic(expected = "a success is not retried")]
    fn a_success_is_not_a_question() {
        let retry = doubling(3, None, RetryOn::default());
        let _ = retry.decide(&mut retry.start(at(0)), at(0), Ending::Status(200), None, 0);
    }

    #[test]
    fn no_attempts_at_all_are_refused() {
        let backoff = doubling(1, None, RetryOn::default()).backoff;
        let refused = Retry::new(0, None, backoff, RetryOn::default()).map_err(|e| e.to_string());
        assert_eq!(refused, Err("attempts = 0; it must be at least 1".to_owned()));
    }
}
