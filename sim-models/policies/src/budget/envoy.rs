//! Envoy's limit on retries under way: a share of the requests under way, or a plain number.
//!
//! Answers: a burst of failures. Retries that wait or run at the same moment are bounded, whatever
//! the rate of requests.
//!
//! Invites: a cap that bounds concurrency, not rate: retries that fail within a millisecond come
//! back as fast as they are refused. The plain default of 3 is far too low for a busy proxy.
//!
//! Reference: Envoy `resource_manager_impl.h` (`ResourceManagerImpl::RetryBudgetImpl`),
//! `retry_state_impl.cc` (`RetryStateImpl::shouldRetry`), `conn_pool_base.cc`; the options are
//! those of `config.cluster.v3.CircuitBreakers.Thresholds`.
//!
//! ```text
//! may retry     retries < limit
//! limit         max_retries                                            without retry_budget
//!               max(min_retry_concurrency,
//!                   floor(budget_percent / 100 * requests))            with it
//! retries       from the decision to retry, through the back-off, to the end of that attempt
//! requests      attempts under way or waiting for a connection, first ones and retries
//! ```
//!
//! The attempt that has just failed still counts among the requests when it was answered, since the
//! rest of the answer is under way. It also counts when it was refused, since it is still in the
//! queue for a connection. It does not when it timed out or was reset.
//!
//! # Left out
//! A retry counts as a request from the decision on, not only after its back-off (25 ms and more).
//! One set of counters, where Envoy has one per priority. `max_requests` and `max_connections`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::Time;

use super::machine::{Machine, Ticket};
use crate::family::Build;
use crate::out_of_range::within;
use crate::{Ending, OutOfRange};

/// The thresholds.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "EnvoyBudget")]
pub struct Config {
    /// Retries under way at most, when there is no `retry_budget`.
    pub max_retries: u32,
    /// A share of the requests under way instead. Default: none.
    pub retry_budget: Option<Share>,
}

/// The message `RetryBudget` of the thresholds.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Share {
    /// The percentage of the requests under way that may be retries.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub budget_percent: f64,
    /// Retries that may be under way however few requests there are.
    pub min_retry_concurrency: u32,
}

impl Default for Config {
    fn default() -> Config {
        Config { max_retries: 3, retry_budget: None }
    }
}

impl Default for Share {
    fn default() -> Share {
        Share { budget_percent: 20.0, min_retry_concurrency: 3 }
    }
}

/// The retries that one proxy sends to one cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Envoy {
    config: Config,
    /// Attempts under way.
    requests: u64,
    /// Retries waiting or under way.
    retries: u64,
}

impl Envoy {
    /// How many retries may be under way at the moment.
    pub fn limit(&self) -> u64 {
        match &self.config.retry_budget {
            None => u64::from(self.config.max_retries),
            Some(Share { budget_percent, min_retry_concurrency }) => {
                // The cast cuts the fraction off, as C++ does.
                let share = (budget_percent / 100.0 * self.requests as f64) as u64;
                share.max(u64::from(*min_retry_concurrency))
            }
        }
    }

    fn release_retry(&mut self, ticket: &mut Ticket) {
        self.retries -= u64::from(ticket.retrying);
        ticket.retrying = false;
    }

    fn release_request(&mut self, ticket: &mut Ticket) {
        self.requests -= u64::from(ticket.active);
        ticket.active = false;
    }
}

impl Build for Config {
    type Machine = Envoy;

    /// # Errors
    /// When `budget_percent` is outside 0..=100.
    fn build(&self) -> Result<Envoy, OutOfRange> {
        let config = self.clone();
        if let Some(Share { budget_percent, .. }) = config.retry_budget {
            within("budget_percent", budget_percent, 0.0, 100.0)?;
        }
        Ok(Envoy { config, requests: 0, retries: 0 })
    }
}

impl Machine for Envoy {
    fn left(&self, _now: Time) -> Option<f64> {
        Some(self.limit().saturating_sub(self.retries) as f64)
    }

    fn begin(&mut self, ticket: &mut Ticket, _now: Time) {
        ticket.active = true;
        self.requests += 1;
    }

    fn attempt_ended(&mut self, ticket: &mut Ticket, _now: Time, ending: Ending) {
        self.release_retry(ticket);
        match ending {
            Ending::Status(_) | Ending::Refused => {}
            Ending::TimedOut | Ending::Reset | Ending::Rejected(_) => self.release_request(ticket),
        }
    }

    fn withdraw(&mut self, ticket: &mut Ticket, _now: Time, _ending: Ending) -> bool {
        if self.retries >= self.limit() {
            return false;
        }
        self.retries += 1;
        ticket.retrying = true;
        // The failed request leaves and the next one enters.
        self.requests += u64::from(!ticket.active);
        ticket.active = true;
        true
    }

    fn end(&mut self, mut ticket: Ticket, _now: Time, _succeeded: bool) {
        self.release_retry(&mut ticket);
        self.release_request(&mut ticket);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::budget::{BudgetConfig, RetryBudget};
    use crate::laws::budget::testing::inputs;
    use crate::laws::budget::{Did, play};

    fn configs() -> impl Strategy<Value = Config> {
        let share = (0..=100u32, 0..4u32).prop_map(|(percent, min_retry_concurrency)| Share {
            budget_percent: f64::from(percent),
            min_retry_concurrency,
        });
        (0..5u32, prop::option::weighted(0.8, share))
            .prop_map(|(max_retries, retry_budget)| Config { max_retries, retry_budget })
    }

    fn envoy(budget: &RetryBudget) -> &Envoy {
        match budget {
            RetryBudget::Envoy(envoy) => envoy,
            other => panic!("not Envoy's: {other:?}"),
        }
    }

    proptest! {
        /// Retells the story with two sets of calls.
        #[test]
        fn a_retry_passes_while_fewer_are_under_way_than_the_limit(
            config in configs(), inputs in inputs(10, 150),
        ) {
            let (mut calls, mut retrying) = (BTreeSet::new(), BTreeSet::new());
            let mut after = None;
            for step in play(&BudgetConfig::Envoy(config.clone()), &inputs) {
                retrying.remove(&step.call);
                match step.did {
                    Did::Began => {
                        calls.insert(step.call);
                    }
                    Did::Ended(_) | Did::Abandoned => {
                        calls.remove(&step.call);
                    }
                    Did::Asked { ending, permitted } => {
                        let gone = matches!(ending, Ending::TimedOut | Ending::Reset);
                        let requests = calls.len() - usize::from(gone);
                        let limit = match &config.retry_budget {
                            None => config.max_retries as usize,
                            Some(share) => {
                                let percent = share.budget_percent as usize;
                                let least = share.min_retry_concurrency as usize;
                                least.max(requests * percent / 100)
                            }
                        };
                        // Hundredths are not exact in floating point: a share that should be a
                        // whole number may come out one lower.
                        let whole = config.retry_budget.as_ref().is_some_and(|share| {
                            (requests * share.budget_percent as usize).is_multiple_of(100)
                        });
                        if !(whole && retrying.len() + 1 == limit) {
                            prop_assert_eq!(permitted, retrying.len() < limit);
                        }
                        if permitted {
                            retrying.insert(step.call);
                        } else {
                            calls.remove(&step.call);
                        }
                        prop_assert!(!permitted || retrying.len() <= limit);
                    }
                }
                prop_assert_eq!(envoy(&step.after).requests, calls.len() as u64);
                prop_assert_eq!(envoy(&step.after).retries, retrying.len() as u64);
                after = Some(step.after);
            }
            // All calls are over by then, some of them abandoned in mid-retry.
            if let Some(after) = after {
                let fresh = RetryBudget::new(&BudgetConfig::Envoy(config)).expect("valid");
                prop_assert_eq!(after, fresh);
            }
        }
    }

    /// Begins calls and lets all fail at once; returns how many may retry.
    fn storm(config: Config, calls: usize, ending: Ending) -> usize {
        let mut budget = RetryBudget::new(&BudgetConfig::Envoy(config)).expect("valid");
        let now = Time::ZERO;
        let mut tickets: Vec<Ticket> = (0..calls).map(|_| budget.begin(now)).collect();
        let mut permitted = 0;
        for ticket in &mut tickets {
            budget.attempt_ended(ticket, now, ending);
            if budget.withdraw(ticket, now, ending).is_ok() {
                permitted += 1;
            } else {
                budget.end(*ticket, now, false);
            }
        }
        permitted
    }

    #[test]
    fn a_hundred_failures_at_once_get_three_retries_by_default() {
        assert_eq!(storm(Config::default(), 100, Ending::Status(503)), 3);
    }

    #[test]
    fn a_hundred_failures_at_once_get_about_twenty_from_twenty_percent() {
        let config = Config { retry_budget: Some(Share::default()), ..Config::default() };
        assert_eq!(storm(config.clone(), 100, Ending::Status(503)), 20);
        // The twentieth sees 99 requests: its own is gone.
        assert_eq!(storm(config, 100, Ending::TimedOut), 19);
    }

    #[test]
    fn a_call_that_times_out_does_not_count_towards_its_own_retry() {
        let share = Share { budget_percent: 20.0, min_retry_concurrency: 0 };
        let config = Config { retry_budget: Some(share), ..Config::default() };
        assert_eq!(storm(config.clone(), 5, Ending::Status(503)), 1);
        assert_eq!(storm(config, 5, Ending::TimedOut), 0);
    }

    #[test]
    fn percentages_outside_the_hundred_are_refused() {
        for budget_percent in [-1.0, 100.1, f64::NAN] {
            let share = Share { budget_percent, ..Share::default() };
            let config = Config { retry_budget: Some(share), ..Config::default() };
            assert_eq!(config.build().map_err(|e| e.field), Err("budget_percent"));
        }
    }
}
