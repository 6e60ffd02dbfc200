//! The retry of botocore, the AWS SDK for Python: [`aws`](crate::aws) has the modes and the
//! numbers, and this is how a stack uses them. The quota and the adaptive rate limit of a client
//! are policies of their own, which come with the preset.

use sim_core::Span;

use super::rules::{Failure, Luck, Preset, Rules, attempts_left};
use crate::aws::{AwsRetry, Config, Kind, Mode};
use crate::budget::{self, BudgetConfig};
use crate::{EndingSet, Reason};

impl Preset for Config {
    fn on(&self) -> Option<EndingSet> {
        let usual = EndingSet::NONE.with_statuses(429, 429).with_statuses(500, 500);
        let usual = usual.with_statuses(502, 504).with_no_answer();
        Some(if self.mode == Mode::Legacy { usual.with_statuses(509, 509) } else { usual })
    }

    /// The quota of the whole client; legacy mode has none.
    fn budget(&self) -> Option<BudgetConfig> {
        let Config { mode, version, service_name, .. } = *self;
        let quota = budget::aws::Config { version, service_name, ..Default::default() };
        (mode != Mode::Legacy).then_some(BudgetConfig::Aws(quota))
    }

    fn pacer(&self) -> Option<Config> {
        (self.mode == Mode::Adaptive).then(|| self.clone())
    }
}

impl Rules for AwsRetry {
    type Memory = ();

    fn start(&self) {}

    fn after(&self, _memory: &mut (), failure: &Failure, luck: &mut Luck) -> Result<Span, Reason> {
        attempts_left(failure.attempt, Some(self.max_attempts()))?;
        let throttling = self.kind(failure.ending) == Kind::Throttle;
        let delay = self.delay_seconds(failure.attempt, throttling, luck.uniform());
        let asked = failure.retry_after.map(|after| self.raised(delay, after.as_secs_f64()));
        Ok(Span::from_secs_f64(asked.unwrap_or(delay)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_decides_which_helpers_come_along() {
        let parts = |mode| {
            let config = Config { mode, ..Config::default() };
            (config.budget().is_some(), config.pacer().is_some())
        };
        assert_eq!(parts(Mode::Legacy), (false, false));
        assert_eq!(parts(Mode::Standard), (true, false));
        assert_eq!(parts(Mode::Adaptive), (true, true));
    }
}
