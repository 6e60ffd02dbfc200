//! The retry quota of the AWS SDKs: 500 tokens, which failures use up and successes bring back.
//!
//! Answers: a client whose calls all fail makes 35 retries and then none, until calls succeed
//! again without them.
//!
//! Invites: an outage of one operation that takes the retries of all others of the client. And a
//! slow return: a success without a retry brings one token.
//!
//! Reference: botocore 1.44.5 and 1.40.0, `retries/quota.py` (`RetryQuota`) and
//! `retries/standard.py` (`RetryQuotaChecker`).
//!
//! ```text
//! retry     costs 14, after a throttle 5 (1.44)      costs 5, after a timeout 10 (1.40)
//!           refused when fewer are left
//! success   brings back what its last retry cost; without a retry, 1; never above 500
//! failure   brings back nothing, nor does a call that is abandoned
//! ```
//!
//! A call of several retries gets back the cost of the last only: the others are lost.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::Time;

use super::machine::{Machine, Ticket};
use crate::aws::{Kind, Service, Version};
use crate::family::Build;
use crate::{Ending, OutOfRange};

/// What a success without a retry brings.
const NO_RETRY_INCREMENT: u32 = 1;

/// The parameters of the quota.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "AwsBudget")]
pub struct Config {
    /// Tokens at the start, which is also the most there can be.
    pub initial_capacity: u32,
    /// Whose costs.
    pub version: Version,
    /// The service called, which tells a throttle from a failure.
    pub service_name: Service,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            initial_capacity: 500,
            version: Version::default(),
            service_name: Service::default(),
        }
    }
}

/// The quota of one client.
#[derive(Clone, Debug, PartialEq)]
pub struct Aws {
    config: Config,
    available: u32,
}

impl Aws {
    /// The tokens left.
    pub const fn available_capacity(&self) -> u32 {
        self.available
    }

    /// What a retry costs after an attempt that ended so.
    pub const fn cost(&self, kind: Kind) -> u32 {
        match (self.config.version, kind) {
            (Version::V1_44, Kind::Throttle) => 5,
            (Version::V1_44, _) => 14,
            (Version::V1_40, Kind::Timeout) => 10,
            (Version::V1_40, _) => 5,
        }
    }

    /// Takes the cost of a retry, if as much is left.
    pub fn acquire(&mut self, kind: Kind) -> Option<u32> {
        let cost = self.cost(kind);
        self.available = self.available.checked_sub(cost)?;
        Some(cost)
    }

    /// Brings tokens back, as far as there is room.
    pub fn release(&mut self, tokens: u32) {
        let room = self.config.initial_capacity - self.available;
        self.available += tokens.min(room);
    }
}

impl Build for Config {
    type Machine = Aws;

    /// # Errors
    /// Never so far: botocore takes any capacity, also none.
    fn build(&self) -> Result<Aws, OutOfRange> {
        let config = self.clone();
        let available = config.initial_capacity;
        Ok(Aws { config, available })
    }
}

impl Machine for Aws {
    fn left(&self, _now: Time) -> Option<f64> {
        Some(f64::from(self.available))
    }

    fn withdraw(&mut self, ticket: &mut Ticket, _now: Time, ending: Ending) -> bool {
        let acquired = self.acquire(Kind::of(ending, self.config.service_name));
        // A refusal leaves the cost of the retry before in place.
        ticket.acquired = acquired.unwrap_or(ticket.acquired);
        acquired.is_some()
    }

    fn end(&mut self, ticket: Ticket, _now: Time, succeeded: bool) {
        if succeeded {
            self.release(if ticket.acquired == 0 { NO_RETRY_INCREMENT } else { ticket.acquired });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::budget::{BudgetConfig, RetryBudget};
    use crate::laws::budget::testing::inputs;
    use crate::laws::budget::{Did, play};

    fn configs() -> impl Strategy<Value = Config> {
        let version = prop_oneof![Just(Version::V1_40), Just(Version::V1_44)];
        (0..60u32, version).prop_map(|(initial_capacity, version)| Config {
            initial_capacity,
            version,
            ..Config::default()
        })
    }

    fn available(budget: &RetryBudget) -> u32 {
        match budget {
            RetryBudget::Aws(aws) => aws.available,
            other => panic!("not a quota: {other:?}"),
        }
    }

    proptest! {
        /// Retells the story with a list of what each call has paid.
        #[test]
        fn tokens_are_what_was_paid_and_brought_back(
            config in configs(), inputs in inputs(10, 150),
        ) {
            let most = i64::from(config.initial_capacity);
            let mut left = most;
            let mut paid = std::collections::BTreeMap::<usize, i64>::new();
            for step in play(&BudgetConfig::Aws(config.clone()), &inputs) {
                match step.did {
                    Did::Began | Did::Abandoned => {}
                    Did::Ended(ending) if ending.is_success() => {
                        left = most.min(left + paid.get(&step.call).copied().unwrap_or(1));
                    }
                    Did::Ended(_) => {}
                    Did::Asked { ending, permitted } => {
                        let cost = match (config.version, ending) {
                            (Version::V1_44, Ending::Status(429)) => 5,
                            (Version::V1_44, _) => 14,
                            (Version::V1_40, Ending::TimedOut) => 10,
                            (Version::V1_40, _) => 5,
                        };
                        prop_assert_eq!(permitted, cost <= left);
                        if permitted {
                            left -= cost;
                            paid.insert(step.call, cost);
                        }
                    }
                }
                prop_assert!((0..=most).contains(&left));
                prop_assert_eq!(i64::from(available(&step.after)), left);
            }
        }
    }

    #[test]
    fn an_outage_gets_thirty_five_retries_from_a_full_quota() {
        let mut quota = Config::default().build().expect("valid");
        let retries = std::iter::from_fn(|| quota.acquire(Kind::Transient)).count();
        assert_eq!((retries, quota.available), (35, 10));
        // Throttles are cheaper, so that these still pass.
        assert_eq!(quota.acquire(Kind::Throttle), Some(5));
        assert_eq!(quota.acquire(Kind::Throttle), Some(5));
        assert_eq!(quota.acquire(Kind::Throttle), None);
    }

    #[test]
    fn a_success_after_two_retries_brings_back_the_second_only() {
        let config = Config { version: Version::V1_40, ..Config::default() };
        let mut budget = RetryBudget::new(&BudgetConfig::Aws(config)).expect("valid");
        let now = Time::ZERO;
        let mut call = budget.begin(now);
        assert_eq!(budget.withdraw(&mut call, now, Ending::TimedOut), Ok(()));
        assert_eq!(budget.withdraw(&mut call, now, Ending::Status(500)), Ok(()));
        assert_eq!(available(&budget), 485);
        budget.end(call, now, true);
        assert_eq!(available(&budget), 490);
    }
}
