//! tower's retry budget (Rust): Finagle's, with a drifting window and whole-number costs.
//!
//! Answers: retries in proportion to the traffic that succeeds, on top of a reserve.
//!
//! Invites: the cost of a retry is cut to a whole number. `retry_percent: 0.7` costs 1, which is a
//! retry for every success. The reserve is not refilled by time, only by what falls out of the window.
//!
//! Reference: tower 0.5.3, `retry/budget/tps_budget.rs`.
//!
//! ```text
//! success  + 1  (+ 1000 above 100 %, 0 at 0 %)     retry  - trunc(1 / share), when as much is there
//! there    the sum of both over ten slots of ttl / 10, and
//!          reserve = min_per_sec * whole seconds of ttl * cost
//! ```
//!
//! A slot is closed by the first event a tenth of the `ttl` after the last closing, and the next
//! one begins at that event: the windows drift. A policy deposits for each response and withdraws
//! for each error, as in the documentation's example.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::{Span, Time};

use super::machine::{Machine, Ticket};
use crate::family::Build;
use crate::{Ending, OutOfRange};

/// The slots of the window.
const SLOTS: usize = 10;

/// The parameters of `TpsBudget::new`, with its defaults.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "TowerBudget")]
pub struct Config {
    /// About how long a deposit lasts; the reserve counts whole seconds of it.
    #[schemars(extend("x-minimum" = "1s", "x-maximum" = "60s"))]
    pub ttl: Span,
    /// Retries per second without any traffic.
    pub min_per_sec: u32,
    /// Retries that a success earns: 0.2 is one retry in five successes.
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub retry_percent: f32,
}

impl Default for Config {
    fn default() -> Config {
        Config { ttl: Span::secs(10), min_per_sec: 10, retry_percent: 0.2 }
    }
}

/// The budget of one client.
#[derive(Clone, Debug, PartialEq)]
pub struct Tower {
    reserve: i64,
    deposit: i64,
    withdrawal: i64,
    /// The length of a slot.
    window: Span,
    slots: [i64; SLOTS],
    current: usize,
    /// What the current slot gets when it is closed.
    writer: i64,
    /// When the last slot was closed.
    closed: Time,
}

impl Tower {
    /// A call has succeeded at `now`.
    pub fn deposit(&mut self, now: Time) {
        self.expire(now);
        self.writer = self.writer.saturating_add(self.deposit);
    }

    /// True when a call may be retried at `now`; its cost is taken then.
    pub fn try_withdraw(&mut self, now: Time) -> bool {
        self.expire(now);
        let is_enough = self.balance() >= self.withdrawal;
        if is_enough {
            self.writer = self.writer.saturating_sub(self.withdrawal);
        }
        is_enough
    }

    /// The tokens that were there when it was last asked.
    pub fn balance(&self) -> i64 {
        let slots = self.slots.iter().fold(0, |sum: i64, slot| sum.saturating_add(*slot));
        self.writer.saturating_add(slots).saturating_add(self.reserve)
    }

    fn expire(&mut self, now: Time) {
        let mut passed = now.since(self.closed);
        if passed < self.window {
            return;
        }
        self.slots[self.current] = std::mem::take(&mut self.writer);
        self.current = (self.current + 1) % SLOTS;
        let mut cleared = 0;
        while passed > self.window {
            // A second round clears what is empty, and only moves on.
            if cleared < SLOTS {
                self.slots[self.current] = 0;
                cleared += 1;
            } else {
                let rest = (passed.as_nanos() - 1) / self.window.as_nanos();
                self.current = (self.current + (rest % SLOTS as u64) as usize) % SLOTS;
                break;
            }
            passed = passed.saturating_sub(self.window);
            self.current = (self.current + 1) % SLOTS;
        }
        self.closed = now;
    }
}

impl Build for Config {
    type Machine = Tower;

    /// # Errors
    /// When `ttl` or `retry_percent` is out of range, or `min_per_sec` has more than 31 bits.
    fn build(&self) -> Result<Tower, OutOfRange> {
        let Config { ttl, min_per_sec, retry_percent } = *self;
        if !(Span::secs(1)..=Span::secs(60)).contains(&ttl) {
            return Err(OutOfRange::new("ttl", ttl, "from 1s to 60s"));
        }
        if !(0.0..=1000.0).contains(&retry_percent) {
            return Err(OutOfRange::new("retry_percent", retry_percent, "in 0..=1000"));
        }
        if min_per_sec >= i32::MAX as u32 {
            return Err(OutOfRange::new("min_per_sec", min_per_sec, "below 2147483647"));
        }
        // As in Rust, the cast cuts the fraction off.
        let (deposit, withdrawal) = match retry_percent {
            0.0 => (0, 1),
            share if share <= 1.0 => (1, (1.0 / share) as i64),
            share => (1000, (1000.0 / share) as i64),
        };
        let seconds = (ttl.as_nanos() / 1_000_000_000) as i64;
        let reserve = i64::from(min_per_sec).saturating_mul(seconds).saturating_mul(withdrawal);
        Ok(Tower {
            reserve,
            deposit,
            withdrawal,
            window: Span::nanos(ttl.as_nanos() / SLOTS as u64),
            slots: [0; SLOTS],
            current: 0,
            writer: 0,
            closed: Time::ZERO,
        })
    }
}

impl Machine for Tower {
    fn left(&self, _now: Time) -> Option<f64> {
        Some(self.balance().max(0) as f64)
    }

    fn attempt_ended(&mut self, _ticket: &mut Ticket, now: Time, ending: Ending) {
        if ending.is_success() {
            self.deposit(now);
        }
    }

    fn withdraw(&mut self, _ticket: &mut Ticket, now: Time, _ending: Ending) -> bool {
        self.try_withdraw(now)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::family::all_refused;

    proptest! {
        /// The library's own loop, slot by slot, is what this does in at most ten steps.
        #[test]
        fn it_passes_slots_as_the_library_does(gaps in prop::collection::vec(0..3000u64, 1..60)) {
            let config = Config { ttl: Span::secs(1), min_per_sec: 0, retry_percent: 1.0 };
            let mut tower = config.build().expect("valid");
            let (mut slots, mut index, mut writer) = ([0i64; SLOTS], 0, 0);
            let (mut now, mut closed) = (0, 0);
            for gap in gaps {
                now += gap;
                let mut passed = now - closed;
                if passed >= 100 {
                    slots[index] = std::mem::take(&mut writer);
                    index = (index + 1) % SLOTS;
                    while passed > 100 {
                        slots[index] = 0;
                        passed -= 100;
                        index = (index + 1) % SLOTS;
                    }
                    closed = now;
                }
                writer += 1;
                tower.deposit(Time::ZERO + Span::millis(now));
                prop_assert_eq!(tower.balance(), writer + slots.iter().sum::<i64>());
                prop_assert_eq!(tower.current, index);
            }
        }
    }

    #[test]
    fn seventy_per_cent_are_a_hundred() {
        let config = Config { min_per_sec: 0, retry_percent: 0.7, ..Config::default() };
        let mut tower = config.build().expect("valid");
        tower.deposit(Time::ZERO);
        assert!(tower.try_withdraw(Time::ZERO));
    }

    #[test]
    fn parameters_that_the_library_asserts_are_refused() {
        all_refused([
            ("ttl", Config { ttl: Span::millis(999), ..Config::default() }),
            ("retry_percent", Config { retry_percent: 1000.5, ..Config::default() }),
            ("min_per_sec", Config { min_per_sec: u32::MAX, ..Config::default() }),
        ]);
    }
}
