//! The retry of botocore, the AWS SDK for Python: [`aws`] has the modes and the numbers, and this is
//! how a stack uses them. The quota and the adaptive rate limit of a client are policies of their
//! own, which come with the preset.

use super::{Failure, attempts_left};
use crate::aws::{AwsRetry, Config, Kind, Mode};
use crate::budget::BudgetConfig;
use crate::{Ending, EndingSet, Reason};

impl Config {
    fn retry(&self) -> AwsRetry {
        AwsRetry::new(self.clone()).expect("the configuration was checked")
    }

    /// The budget that comes with the mode.
    pub fn budget(&self) -> Option<BudgetConfig> {
        self.retry().quota().map(BudgetConfig::Aws)
    }

    /// Whether all attempts share a rate limit.
    pub fn is_adaptive(&self) -> bool {
        self.mode == Mode::Adaptive
    }

    /// Whether an ending asks for fewer requests.
    pub fn is_throttle(&self, ending: Ending) -> bool {
        self.retry().kind(ending) == Kind::Throttle
    }

    /// What the mode retries.
    pub(super) fn retries(&self) -> EndingSet {
        let usual = EndingSet::NONE.with_statuses(429, 429).with_statuses(500, 500);
        let usual = usual.with_statuses(502, 504).with_no_answer();
        if self.mode == Mode::Legacy { usual.with_statuses(509, 509) } else { usual }
    }
}

/// The wait after a failed attempt in seconds.
pub(super) fn after_secs(
    retry: &AwsRetry,
    failure: &Failure,
    uniform: &mut dyn FnMut() -> f64,
) -> Result<f64, Reason> {
    attempts_left(failure.attempt, Some(retry.max_attempts()))?;
    let throttling = retry.kind(failure.ending) == Kind::Throttle;
    let delay = retry.delay_seconds(failure.attempt, throttling, uniform());
    let asked = failure.retry_after.map(|after| retry.raised(delay, after.as_secs_f64()));
    Ok(asked.unwrap_or(delay))
}
