//! Finagle's retry budget: each request earns a share of a retry, on top of a steady reserve.
//!
//! Answers: retries in proportion to the traffic. 20 % of the calls may be tried again, and a
//! client with little traffic still has 10 retries a second.
//!
//! Invites: the reserve is for the whole `ttl` at once: 100 retries in one moment are within the
//! default budget, from a client that has made one call.
//!
//! Reference: Finagle `service/RetryBudget.scala` (`RetryBudget.apply`, `TokenRetryBudget`), util
//! `TokenBucket.scala` (`newLeakyBucket`), `WindowedAdder.scala`.
//!
//! ```text
//! call     + 1000             retry    - 1000 / percent_can_retry, when as much is there
//! there    the sum of both over ten slices of ttl / 10, and
//!          reserve = min_retries_per_sec * ttl * 1000 / percent_can_retry
//!
//!  slices   [ -5000 | +3000 | ... | +1000 ] <- now         all whole numbers
//!              ^ falls out, and what it took comes back
//! ```
//!
//! A slice ends at the first event a tenth of the `ttl` after its start, and the next starts there:
//! an idle time makes it longer. So a token lives from 9/10 of the `ttl` to almost twice the `ttl`.
//!
//! # Left out
//! `RequeueFilter`'s own limit on the requeues of one request.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::{Span, Time};

use super::machine::{Machine, Ticket};
use crate::family::Build;
use crate::out_of_range::within;
use crate::{Ending, OutOfRange};

/// What a call deposits. A share of a retry is a whole number of these.
const SCALE_FACTOR: f64 = 1000.0;

/// Full slices kept besides the one that is being filled.
const FULL_SLICES: usize = 9;

/// The parameters of the budget.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "FinagleBudget")]
pub struct Config {
    /// About how long a deposit lasts; the reserve counts whole seconds of it.
    #[schemars(extend("x-minimum" = "1s", "x-maximum" = "60s"))]
    pub ttl: Span,
    /// Retries per second without any traffic. With 0 there is no reserve.
    pub min_retries_per_sec: u32,
    /// Retries that a call earns: 0.2 is one retry in five calls.
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub percent_can_retry: f64,
}

impl Default for Config {
    fn default() -> Config {
        Config { ttl: Span::secs(10), min_retries_per_sec: 10, percent_can_retry: 0.2 }
    }
}

/// The budget of one client.
#[derive(Clone, Debug, PartialEq)]
pub struct Finagle {
    deposit: i64,
    /// `None` for the budget that never permits a retry.
    withdrawal: Option<i64>,
    reserve: i64,
    adder: WindowedAdder,
}

/// A sum over ten slices of time.
#[derive(Clone, Debug, PartialEq)]
struct WindowedAdder {
    /// The length of a slice in milliseconds.
    window: u64,
    /// When the current slice began, in milliseconds.
    began: u64,
    current: i64,
    full: [i64; FULL_SLICES],
    /// The oldest of the full slices, which the current one replaces next.
    oldest: usize,
    /// The sum of all.
    sum: i64,
}

impl Finagle {
    /// How many retries could be made at `now`.
    pub fn balance(&mut self, now: Time) -> u64 {
        let Some(withdrawal) = self.withdrawal else { return 0 };
        let tokens = self.adder.sum(millis(now)) + self.reserve;
        (tokens / withdrawal).max(0) as u64
    }
}

impl Build for Config {
    type Machine = Finagle;

    /// # Errors
    /// When `ttl` or `percent_can_retry` is out of range, or the reserve does not fit into the
    /// 32 bits that Finagle has for it.
    fn build(&self) -> Result<Finagle, OutOfRange> {
        let config = self.clone();
        let Config { ttl, min_retries_per_sec, percent_can_retry } = config;
        let ttl_secs = ttl.as_millis() / 1000;
        if !(1..=60).contains(&ttl_secs) {
            return Err(OutOfRange::new("ttl", ttl, "from 1s to 60s"));
        }
        within("percent_can_retry", percent_can_retry, 0.0, SCALE_FACTOR)?;
        let (deposit, withdrawal) = if percent_can_retry == 0.0 {
            (0, 1)
        } else {
            // As in Scala, the cast cuts the fraction off and stops at the largest number.
            (SCALE_FACTOR as i64, i64::from((SCALE_FACTOR / percent_can_retry) as i32))
        };
        let reserve =
            i128::from(min_retries_per_sec) * i128::from(ttl_secs) * i128::from(withdrawal);
        if reserve > i128::from(i32::MAX) {
            let most = i128::from(i32::MAX) / i128::from(ttl_secs) / i128::from(withdrawal);
            let allowed = format!("at most {most} with this ttl and percent_can_retry");
            return Err(OutOfRange::new("min_retries_per_sec", min_retries_per_sec, allowed));
        }
        let is_empty = min_retries_per_sec == 0 && percent_can_retry == 0.0;
        Ok(Finagle {
            deposit,
            withdrawal: (!is_empty).then_some(withdrawal),
            reserve: reserve as i64,
            adder: WindowedAdder::new(ttl.as_millis() / 10),
        })
    }
}

impl Machine for Finagle {
    fn left(&self, now: Time) -> Option<f64> {
        Some(self.clone().balance(now) as f64)
    }

    fn begin(&mut self, _ticket: &mut Ticket, now: Time) {
        self.adder.add(self.deposit, millis(now));
    }

    fn withdraw(&mut self, _ticket: &mut Ticket, now: Time, _ending: Ending) -> bool {
        let Some(withdrawal) = self.withdrawal else { return false };
        let permitted = self.adder.sum(millis(now)) + self.reserve >= withdrawal;
        if permitted {
            self.adder.add(-withdrawal, millis(now));
        }
        permitted
    }
}

impl WindowedAdder {
    const fn new(window: u64) -> WindowedAdder {
        WindowedAdder { window, began: 0, current: 0, full: [0; FULL_SLICES], oldest: 0, sum: 0 }
    }

    fn add(&mut self, n: i64, now: u64) {
        self.turn(now);
        self.current += n;
        self.sum += n;
    }

    fn sum(&mut self, now: u64) -> i64 {
        self.turn(now);
        self.sum
    }

    /// Ends the current slice if it is over, and forgets those that are too old.
    fn turn(&mut self, now: u64) {
        let slices = (now - self.began) / self.window;
        if slices == 0 {
            return;
        }
        // One slice for the time that has passed, and empty ones for the rest of it.
        for slice in 0..slices.min(1 + FULL_SLICES as u64) {
            let ended = if slice == 0 { std::mem::take(&mut self.current) } else { 0 };
            let dropped = std::mem::replace(&mut self.full[self.oldest], ended);
            self.sum -= dropped;
            self.oldest = (self.oldest + 1) % FULL_SLICES;
        }
        self.began = now;
    }
}

/// Whole milliseconds since the start, which is all that Finagle's clock shows.
const fn millis(now: Time) -> u64 {
    now.as_nanos() / 1_000_000
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::budget::{BudgetConfig, RetryBudget};
    use crate::family::all_refused;
    use crate::laws::budget::testing::inputs;
    use crate::laws::budget::{Did, Step, play};

    fn configs() -> impl Strategy<Value = Config> {
        let percent = prop_oneof![Just(0.0), Just(0.2), Just(1.0), Just(2.0), 0.01..5.0f64];
        (1000..4000u64, 0..3u32, percent).prop_map(|(ttl, min_retries_per_sec, percent)| Config {
            ttl: Span::millis(ttl),
            min_retries_per_sec,
            percent_can_retry: percent,
        })
    }

    /// What a retry costs in thousandths of a call, and what is there without one.
    fn amounts(config: &Config) -> (i64, i64, i64) {
        let cost = match config.percent_can_retry {
            0.0 => 1,
            percent => (1000.0 / percent).floor() as i64,
        };
        let deposit = if config.percent_can_retry == 0.0 { 0 } else { 1000 };
        let secs = config.ttl.as_nanos() / 1_000_000_000;
        (deposit, cost, i64::from(config.min_retries_per_sec) * secs as i64 * cost)
    }

    proptest! {
        /// Retells the story with a list of deposits and withdrawals, each with the number of its
        /// slice; those of the last ten slices count.
        #[test]
        fn a_retry_passes_when_the_last_ten_slices_pay_for_it(
            config in configs(), inputs in inputs(4000, 120),
        ) {
            let (deposit, cost, reserve) = amounts(&config);
            let empty = config.min_retries_per_sec == 0 && config.percent_can_retry == 0.0;
            let window = config.ttl.as_millis() / 10;
            let (mut slice, mut began) = (0u64, 0);
            let mut amounts = Vec::new();
            for step in play(&BudgetConfig::Finagle(config), &inputs) {
                let amount = match step.did {
                    Did::Began => Some(deposit),
                    Did::Asked { permitted, .. } => permitted.then_some(-cost),
                    // Nothing looks at the clock then.
                    Did::Ended(_) | Did::Abandoned => continue,
                };
                let now = step.at.as_nanos() / 1_000_000;
                if now - began >= window {
                    slice += (now - began) / window;
                    began = now;
                }
                let there: i64 = reserve
                    + amounts
                        .iter()
                        .filter(|(of, _)| of + 10 > slice)
                        .map(|(_, amount)| amount)
                        .sum::<i64>();
                if let Did::Asked { permitted, .. } = step.did {
                    prop_assert_eq!(permitted, !empty && there >= cost);
                }
                amounts.extend(amount.map(|amount| (slice, amount)));
            }
        }

        /// Over any 9/10 of the `ttl`, the retries are at most those that the calls of the last
        /// two `ttl`s have earned, and the reserve.
        #[test]
        fn no_window_has_more_retries_than_share_and_reserve(
            config in configs(), inputs in inputs(4000, 120),
        ) {
            let (deposit, cost, reserve) = amounts(&config);
            let ttl = config.ttl;
            let steps = play(&BudgetConfig::Finagle(config), &inputs);
            for last in &steps {
                let within = |step: &&Step, span: Span| {
                    step.at <= last.at && last.at.since(step.at) < span
                };
                let is_retry = |did| matches!(did, Did::Asked { permitted: true, .. });
                let window = Span::millis(ttl.as_millis() / 10 * 9);
                let retries =
                    steps.iter().filter(|s| within(s, window) && is_retry(s.did)).count() as i64;
                let calls = steps
                    .iter()
                    .filter(|s| within(s, ttl * 2u64) && s.did == Did::Began)
                    .count() as i64;
                prop_assert!(retries * cost <= calls * deposit + reserve);
            }
        }
    }

    fn storm(budget: &mut RetryBudget, now: Time) -> usize {
        let mut ticket = Ticket::default();
        std::iter::from_fn(|| budget.withdraw(&mut ticket, now, Ending::TimedOut).ok()).count()
    }

    fn at(millis: u64) -> Time {
        Time::ZERO + Span::millis(millis)
    }

    #[test]
    fn the_reserve_of_ten_seconds_may_go_in_one_moment_and_comes_back_as_one() {
        let mut budget =
            RetryBudget::new(&BudgetConfig::Finagle(Config::default())).expect("valid");
        assert_eq!(storm(&mut budget, at(0)), 100);
        // This look ends the storm's slice, with all the time since, and begins another: the ninth
        // since then, so that the storm still counts.
        assert_eq!(storm(&mut budget, at(9_999)), 0);
        assert_eq!(storm(&mut budget, at(10_998)), 0);
        assert_eq!(storm(&mut budget, at(10_999)), 100);
    }

    #[test]
    fn five_calls_earn_one_retry() {
        let config = Config { min_retries_per_sec: 0, ..Config::default() };
        let mut budget = RetryBudget::new(&BudgetConfig::Finagle(config)).expect("valid");
        for calls in 1..=4 {
            let _ = budget.begin(at(calls));
            assert_eq!(storm(&mut budget, at(calls)), 0);
        }
        let _ = budget.begin(at(5));
        assert_eq!(storm(&mut budget, at(5)), 1);
    }

    #[test]
    fn neither_share_nor_reserve_never_permits() {
        let config = Config { min_retries_per_sec: 0, percent_can_retry: 0.0, ..Config::default() };
        let mut budget = config.build().expect("valid");
        assert_eq!(budget.balance(at(0)), 0);
        assert!(!budget.withdraw(&mut Ticket::default(), at(0), Ending::TimedOut));
    }

    #[test]
    fn impossible_parameters_are_refused_by_name() {
        let valid = Config::default();
        all_refused([
            ("ttl", Config { ttl: Span::millis(999), ..valid.clone() }),
            ("ttl", Config { ttl: Span::secs(61), ..valid.clone() }),
            ("percent_can_retry", Config { percent_can_retry: -0.1, ..valid.clone() }),
            ("percent_can_retry", Config { percent_can_retry: f64::NAN, ..valid.clone() }),
            ("percent_can_retry", Config { percent_can_retry: 1000.1, ..valid.clone() }),
            ("min_retries_per_sec", Config { percent_can_retry: 1e-9, ..valid.clone() }),
            ("min_retries_per_sec", Config { min_retries_per_sec: u32::MAX, ..valid }),
        ]);
    }
}
