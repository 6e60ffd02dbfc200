//! Retry budgets: what all calls of one caller to one callee may retry together.
//!
//! Answers: the retry storm. Three attempts per call are harmless while few fail and triple the
//! load when all do. A budget looks at the whole: it lets a share of the traffic be retries, and
//! no more.
//!
//! Invites: refusing the retry that would have helped, because other calls have used the budget up.
//! And a false sense of safety where many callers each bring a budget, or where the budget's
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
//! tower    tokens over ten slots of time: a success brings 1, a retry costs 5, and a reserve
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
pub mod tower;

use sim_core::Time;

use crate::family::{Build, family};
use crate::{Ending, Reason};

pub use self::machine::{Machine, Ticket};

family! {
    /// The parameters of a budget, by the library that it behaves like.
    #[schemars(title = "budget")]
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
    /// tower's `TpsBudget` (Rust).
    Tower(tower::Config),
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

    /// See [`Machine::left`].
    pub fn left(&self, now: Time) -> Option<f64> {
        self.machine().left(now)
    }

    /// The call is over, in whatever way. An abandoned call has not succeeded.
    pub fn end(&mut self, ticket: Ticket, now: Time, succeeded: bool) {
        self.machine_mut().end(ticket, now, succeeded);
    }
}
