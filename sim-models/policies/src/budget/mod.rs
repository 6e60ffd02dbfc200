//! Retry budgets: what all calls of one caller to one callee may retry together.
//!
//! Answers: the retry storm. Three attempts per call are harmless while few fail and triple the
//! load when all do. A budget looks at the whole: it lets a share of the traffic be retries, and
//! no more.
//!
//! Invites: refusing the retry that would have helped, because other calls have used the budget
//! up; and a false sense of safety where many callers each bring a budget, or where the budget's
//! reserve alone is a storm.
//!
//! Reference: "Addressing Cascading Failures" in *Site Reliability Engineering*, O'Reilly 2016,
//! and the libraries that the files name.
//!
//! ```text
//! finagle  tokens over ten slices of time: a call brings 1, a retry costs 1 / 0.2, and a reserve
//! envoy    retries under way: at most 20 % of the requests under way, or 3, or max_retries
//! grpc     tokens: a success brings 0.1, a failure costs 1, a retry needs more than half
//! aws      tokens: 500, a retry costs 14 (after a throttle 5), its success brings them back
//! bucket   tokens: 5, a call brings 0.1, a retry costs 1
//! ratio    no tokens: retries while failures are at most a tenth of the calls
//! ```
//!
//! All budgets speak as [`RetryBudget`] does. A call keeps a [`Ticket`]:
//!
//! ```text
//! begin ---> attempt_ended ---> withdraw -- Ok --> (wait) --> attempt_ended ---> ...
//!   |             |                |
//!   |             |               Err
//!   `-------------`----------------`----> end, whatever happened
//! ```

pub mod aws;
pub mod bucket;
pub mod envoy;
pub mod failure_ratio;
pub mod finagle;
pub mod grpc;
mod machine;

use sim_core::Time;

use crate::family::{Build, family};
use crate::{Ending, Reason};

pub use self::machine::{Machine, Ticket};

family! {
    /// The parameters of a budget, by the library that it behaves like.
    pub enum BudgetConfig;

    /// Any of the budgets.
    ///
    /// ```
    /// use sim_core::Time;
    /// use sim_policies::budget::{BudgetConfig, RetryBudget, envoy};
    /// use sim_policies::{Ending, Reason};
    ///
    /// let config = envoy::Config { max_retries: 1, ..envoy::Config::default() };
    /// let mut budget = RetryBudget::new(&BudgetConfig::Envoy(config))?;
    ///
    /// let now = Time::ZERO;
    /// let (mut one, mut other) = (budget.begin(now), budget.begin(now));
    /// for call in [&mut one, &mut other] {
    ///     budget.attempt_ended(call, now, Ending::TimedOut);
    /// }
    /// assert_eq!(budget.withdraw(&mut one, now, Ending::TimedOut), Ok(()));
    /// let exhausted = Err(Reason::RetryBudgetExhausted);
    /// assert_eq!(budget.withdraw(&mut other, now, Ending::TimedOut), exhausted);
    ///
    /// budget.end(one, now, false);
    /// assert_eq!(budget.withdraw(&mut other, now, Ending::TimedOut), Ok(()));
    /// # Ok::<(), sim_policies::OutOfRange>(())
    /// ```
    pub enum RetryBudget, each a Machine;

    /// Twitter's Finagle.
    Finagle(finagle::Config),
    /// Envoy's circuit-breaker thresholds for retries.
    Envoy(envoy::Config),
    /// gRPC's retry throttling.
    Grpc(grpc::Config),
    /// The retry quota of the AWS SDKs.
    Aws(aws::Config),
    /// A token bucket that calls fill.
    Bucket(bucket::Config),
    /// Retries only while few attempts fail.
    FailureRatio(failure_ratio::Config),
}

impl RetryBudget {
    /// A call starts, with its first attempt.
    #[must_use]
    pub fn begin(&mut self, now: Time) -> Ticket {
        let mut ticket = Ticket::default();
        self.machine_mut().begin(&mut ticket, now);
        ticket
    }

    /// An attempt has ended, in whatever way.
    pub fn attempt_ended(&mut self, ticket: &mut Ticket, now: Time, ending: Ending) {
        self.machine_mut().attempt_ended(ticket, now, ending);
    }

    /// The call asks to retry its last attempt, which has ended in `ending`.
    ///
    /// # Errors
    /// With [`Reason::RetryBudgetExhausted`] when it may not; nothing is taken then.
    pub fn withdraw(
        &mut self,
        ticket: &mut Ticket,
        now: Time,
        ending: Ending,
    ) -> Result<(), Reason> {
        let permitted = self.machine_mut().withdraw(ticket, now, ending);
        if permitted { Ok(()) } else { Err(Reason::RetryBudgetExhausted) }
    }

    /// The call is over, in whatever way. An abandoned call has not succeeded.
    pub fn end(&mut self, ticket: Ticket, now: Time, succeeded: bool) {
        self.machine_mut().end(ticket, now, succeeded);
    }
}

#[cfg(test)]
mod tests {
    //! Calls as the world makes them, for the laws of all budgets.

    use proptest::collection::vec;
    use proptest::prelude::*;
    use sim_core::Span;

    use super::*;

    /// What happens next.
    #[derive(Clone, Copy, Debug)]
    pub(super) enum Input {
        /// A call begins.
        Begin,
        /// The attempt of one of the calls under way ends, and it asks to retry unless that was a
        /// success or a 400.
        Attempt(prop::sample::Index, Ending),
        /// One of the calls under way is abandoned.
        Abandon(prop::sample::Index),
    }

    /// What a call did.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) enum Did {
        Began,
        /// Its attempt ended and it did not ask.
        Ended(Ending),
        Asked {
            ending: Ending,
            permitted: bool,
        },
        Abandoned,
    }

    /// Something that happened, with the budget after it.
    #[derive(Debug)]
    pub(super) struct Step {
        pub at: Time,
        pub call: usize,
        pub did: Did,
        pub after: RetryBudget,
    }

    /// Lives through the inputs, and abandons at the end what is still under way.
    pub(super) fn play(config: &BudgetConfig, inputs: &[(Span, Input)]) -> Vec<Step> {
        let mut budget = RetryBudget::new(config).expect("valid");
        let (mut now, mut calls, mut under_way) = (Time::ZERO, 0, Vec::<(usize, Ticket)>::new());
        let mut steps = Vec::new();
        for &(gap, input) in inputs {
            now += gap;
            let (call, did) = match input {
                Input::Begin => {
                    under_way.push((calls, budget.begin(now)));
                    calls += 1;
                    (calls - 1, Did::Began)
                }
                _ if under_way.is_empty() => continue,
                Input::Abandon(index) => {
                    let (call, ticket) = under_way.remove(index.index(under_way.len()));
                    budget.end(ticket, now, false);
                    (call, Did::Abandoned)
                }
                Input::Attempt(index, ending) => {
                    let index = index.index(under_way.len());
                    let (call, ticket) = &mut under_way[index];
                    let call = *call;
                    budget.attempt_ended(ticket, now, ending);
                    let did = if ending.is_success() || ending == Ending::Status(400) {
                        Did::Ended(ending)
                    } else {
                        let permitted = budget.withdraw(ticket, now, ending).is_ok();
                        Did::Asked { ending, permitted }
                    };
                    if !matches!(did, Did::Asked { permitted: true, .. }) {
                        let (_, ticket) = under_way.remove(index);
                        budget.end(ticket, now, ending.is_success());
                    }
                    (call, did)
                }
            };
            steps.push(Step { at: now, call, did, after: budget.clone() });
        }
        for (call, ticket) in under_way {
            budget.end(ticket, now, false);
            steps.push(Step { at: now, call, did: Did::Abandoned, after: budget.clone() });
        }
        steps
    }

    pub(super) fn inputs(gap_max: u64, len: usize) -> impl Strategy<Value = Vec<(Span, Input)>> {
        let gap = prop_oneof![5 => Just(0), 5 => 0..=gap_max / 20, 1 => 0..=gap_max];
        let ending = prop_oneof![
            4 => Just(Ending::Status(200)),
            3 => Just(Ending::Status(503)),
            2 => Just(Ending::Status(429)),
            3 => Just(Ending::TimedOut),
            1 => Just(Ending::Reset),
            1 => Just(Ending::Refused),
            1 => Just(Ending::Status(400)),
        ];
        let index = any::<prop::sample::Index>;
        let input = prop_oneof![
            4 => Just(Input::Begin),
            6 => (index(), ending).prop_map(|(index, ending)| Input::Attempt(index, ending)),
            1 => index().prop_map(Input::Abandon),
        ];
        vec((gap.prop_map(Span::millis), input), 0..len)
    }

    #[test]
    fn a_ticket_that_was_never_begun_ends_without_a_trace() {
        for config in [
            BudgetConfig::Finagle(finagle::Config::default()),
            BudgetConfig::Envoy(envoy::Config::default()),
            BudgetConfig::Grpc(grpc::Config::default()),
            BudgetConfig::Aws(aws::Config::default()),
            BudgetConfig::Bucket(bucket::Config::default()),
            BudgetConfig::FailureRatio(failure_ratio::Config::default()),
        ] {
            let mut budget = RetryBudget::new(&config).expect("valid");
            let fresh = budget.clone();
            budget.end(Ticket::default(), Time::ZERO, false);
            assert_eq!(budget, fresh);
        }
    }
}
