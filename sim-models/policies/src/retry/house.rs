//! The house's own retry: any growth, any jitter, and the other side is listened to.
//!
//! Answers: the settings that a careful client would choose.
//!
//! Invites: nothing that the choice of numbers does not invite.
//!
//! Reference: RFC 9110, section 10.2.3, for `Retry-After`.
//!
//! ```text
//! wait = max(back-off, Retry-After)
//! now - start + wait > total                            -> give up
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::Span;

use super::rules::{Failure, Luck, Preset, Rules, attempts_left};
use crate::backoff::Growth;
use crate::family::Build;
use crate::out_of_range::at_least_one;
use crate::{Backoff, EndingSet, Jitter, OutOfRange, Reason};

/// When and how often to try again.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "HouseRetry")]
pub struct HouseConfig {
    /// Attempts in all, the first included.
    #[schemars(range(min = 1))]
    pub attempts: u32,
    /// No retry starts later than this after the first attempt started; one may start at exactly
    /// this time. No limit by default.
    pub total: Option<Span>,
    /// How the waits grow; by default from 1 s, doubling up to 60 s.
    pub backoff: Growth,
    /// How luck spreads the waits.
    pub jitter: Jitter,
    /// The endings that are worth another attempt.
    pub on: EndingSet,
    /// What happens to the other side's `Retry-After`.
    pub retry_after: RetryAfter,
}

/// What becomes of the other side's `Retry-After`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
pub enum RetryAfter {
    /// It is not heard.
    Ignore,
    /// No wait is shorter.
    #[default]
    AtLeast,
    /// It takes the place of the wait.
    Exactly,
}

impl Default for HouseConfig {
    fn default() -> HouseConfig {
        HouseConfig {
            attempts: 3,
            total: None,
            backoff: Growth::default(),
            jitter: Jitter::None,
            on: EndingSet::RETRYABLE,
            retry_after: RetryAfter::AtLeast,
        }
    }
}

/// The house's rules.
#[derive(Clone, Debug, PartialEq)]
pub struct House {
    attempts_max: u32,
    total_max: Option<Span>,
    backoff: Backoff,
    retry_after: RetryAfter,
}

/// The wait before the attempt under way, from which decorrelated jitter draws the next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Memory {
    previous: Span,
}

impl Build for HouseConfig {
    type Machine = House;

    /// # Errors
    /// When no attempt is permitted, or the back-off cannot work.
    fn build(&self) -> Result<House, OutOfRange> {
        at_least_one("attempts", self.attempts)?;
        Ok(House {
            attempts_max: self.attempts,
            total_max: self.total,
            backoff: Backoff::of(self.backoff, self.jitter)?,
            retry_after: self.retry_after,
        })
    }
}

impl Preset for HouseConfig {
    fn on(&self) -> Option<EndingSet> {
        Some(self.on)
    }

    fn is_guarded(&self) -> bool {
        true
    }
}

impl Rules for House {
    type Memory = Memory;

    fn start(&self) -> Memory {
        Memory { previous: self.backoff.base() }
    }

    fn after(
        &self,
        memory: &mut Memory,
        failure: &Failure,
        luck: &mut Luck,
    ) -> Result<Span, Reason> {
        attempts_left(failure.attempt, Some(self.attempts_max))?;
        let backoff = self.backoff.delay(failure.attempt, memory.previous, luck.draw);
        let after = match (self.retry_after, failure.retry_after) {
            (RetryAfter::Ignore, _) | (_, None) => backoff,
            (RetryAfter::AtLeast, Some(asked)) => backoff.max(asked),
            (RetryAfter::Exactly, Some(asked)) => asked,
        };
        if let Some(total_max) = self.total_max
            && failure.elapsed + after > total_max
        {
            return Err(Reason::TotalTimeExhausted { total_max });
        }
        // The other side's request to wait says nothing about the pace of later retries.
        memory.previous = backoff;
        Ok(after)
    }
}
