//! How long to wait before the next try: a growing delay, spread by jitter.
//!
//! Answers: a retry sent at once meets the same failure and adds load where load is the problem.
//! Waiting longer each time gives the other side room to recover.
//!
//! Invites: clients that failed together wait together and return together, in waves. Jitter
//! spreads the wave; too large a cap leaves users waiting long after the outage is over.
//!
//! Reference: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015. `Full`,
//! `Equal` and `Decorrelated` are the three jitters compared there.
//!
//! ```text
//! retry n      1    2    3      4        5                   the delay d before jitter is
//! Exponential  1s   2s   4s     8s       16s ... cap         min(cap, base * factor^(n-1))
//! Fibonacci    1s   1s   2s     3s       5s ... cap          min(cap, base * fib(n))
//! Linear       1s   2s   3s     4s       5s ... cap          min(cap, base + step * (n-1))
//!
//! None                   d |                                 waves stay waves
//! Equal            [d/2 .. d]                                half is certain, half is luck
//! Full       [0 ......... d]                                 the least load on the other side
//! Proportional           [d .. d * (1 + r)]                  never earlier than d
//! ```
//!
//! Everything is whole nanoseconds. A factor without a fraction multiplies exactly; any other
//! rounds to the nearest nanosecond at each step.
//!
//! Left out: the formulas of the libraries, which round in units of their own and carry state from
//! wait to wait. Each is with its library, in [`super::retry`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::Span;

use super::OutOfRange;

/// How the delay grows from retry to retry, before jitter.
#[derive(Clone, Copy, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(title = "backoff")]
pub enum Growth {
    /// No delay: retry at once.
    None,
    /// Always the same delay.
    #[schemars(example = r#"Constant("1s")"#)]
    Constant(Span),
    /// From `base` by `factor` up to `cap`.
    #[schemars(example = r#"Exponential(base: "100ms", cap: "10s")"#)]
    Exponential {
        /// Before the first retry.
        base: Span,
        /// Growth per retry.
        #[serde(default = "two")]
        #[schemars(range(min = 1.0))]
        factor: f64,
        /// Longest delay before jitter, not below `base`.
        #[serde(default = "cap_default")]
        cap: Span,
    },
    /// From `base` by `step` up to `cap`.
    #[schemars(example = r#"Linear(base: "100ms", step: "100ms")"#)]
    Linear {
        /// Before the first retry.
        base: Span,
        /// Added per retry.
        step: Span,
        /// Longest delay before jitter, not below `base`.
        #[serde(default = "cap_default")]
        cap: Span,
    },
    /// `base` times 1, 1, 2, 3, 5, 8, … up to `cap`.
    #[schemars(example = r#"Fibonacci(base: "100ms")"#)]
    Fibonacci {
        /// Before the first and the second retry.
        base: Span,
        /// Longest delay before jitter, not below `base`.
        #[serde(default = "cap_default")]
        cap: Span,
    },
}

impl Default for Growth {
    /// 1 s, doubling up to 60 s.
    fn default() -> Growth {
        Growth::Exponential { base: Span::secs(1), factor: two(), cap: cap_default() }
    }
}

fn two() -> f64 {
    2.0
}

fn cap_default() -> Span {
    Span::secs(60)
}

/// How the wait before a retry is spread by luck. All ranges include both ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, JsonSchema, Deserialize, Serialize)]
#[schemars(title = "jitter")]
pub enum Jitter {
    /// The delay as computed.
    #[default]
    None,
    /// The delay plus up to this share of it, 0 to 1.
    ///
    /// It comes after the cap, so that capped clients are spread as well: the longest wait is
    /// `cap * (1 + ratio)`.
    #[schemars(example = r#"Proportional(0.5)"#)]
    Proportional(#[schemars(range(min = 0.0, max = 1.0))] f64),
    /// Anything from zero to the delay.
    Full,
    /// Half the delay, plus anything up to the other half.
    Equal,
    /// Anything from `base` to three times the previous wait, at most `cap`. The waits grow from
    /// one another, and the factor plays no part.
    Decorrelated,
}

/// Delays that grow as [`Growth`] says, spread by a [`Jitter`].
///
/// ```
/// use sim_core::Span;
/// use sim_policies::{Backoff, Jitter};
///
/// let backoff = Backoff::new(Span::secs(1), 2.0, Span::secs(10), Jitter::None)?;
/// let waits = [1, 2, 3, 4, 5].map(|retry| backoff.delay(retry, Span::ZERO, 0).to_string());
/// assert_eq!(waits, ["1s", "2s", "4s", "8s", "10s"]);
/// # Ok::<(), sim_policies::OutOfRange>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    growth: Growth,
    base: Span,
    cap: Span,
    jitter: Jitter,
}

impl Backoff {
    /// A back-off of `base`, `base * factor`, `base * factor²`, … up to `cap`.
    ///
    /// # Errors
    /// As [`Backoff::of`].
    pub fn new(base: Span, factor: f64, cap: Span, jitter: Jitter) -> Result<Backoff, OutOfRange> {
        Backoff::of(Growth::Exponential { base, factor, cap }, jitter)
    }

    /// A back-off of any growth.
    ///
    /// # Errors
    /// When `base` is above `cap`, `factor` is below 1 or not finite, or a proportional jitter
    /// lies outside 0..=1.
    pub fn of(growth: Growth, jitter: Jitter) -> Result<Backoff, OutOfRange> {
        let (base, cap) = match growth {
            Growth::None => (Span::ZERO, Span::ZERO),
            Growth::Constant(wait) => (wait, wait),
            Growth::Exponential { base, cap, .. }
            | Growth::Linear { base, cap, .. }
            | Growth::Fibonacci { base, cap } => (base, cap),
        };
        if base > cap {
            return Err(OutOfRange::new("base", base, format!("at most the cap, {cap}")));
        }
        if let Growth::Exponential { factor, .. } = growth
            && !(factor.is_finite() && factor >= 1.0)
        {
            return Err(OutOfRange::new("factor", factor, "finite and at least 1"));
        }
        match jitter {
            Jitter::Proportional(ratio) if !(0.0..=1.0).contains(&ratio) => {
                Err(OutOfRange::new("jitter", ratio, "in 0..=1"))
            }
            _ => Ok(Backoff { growth, base, cap, jitter }),
        }
    }

    /// The delay before the first retry, which is also where decorrelated jitter starts from.
    pub const fn base(&self) -> Span {
        self.base
    }

    /// The wait before retry `retry`, counted from 1, after a previous wait of `previous`.
    ///
    /// `draw` is uniform over all of `u64`; a larger draw never shortens the wait. Only
    /// decorrelated jitter looks at `previous`; before the first retry it is [`Backoff::base`].
    pub fn delay(&self, retry: u32, previous: Span, draw: u64) -> Span {
        match self.jitter {
            Jitter::None => self.unjittered(retry),
            Jitter::Proportional(ratio) => {
                let delay = self.unjittered(retry);
                delay + up_to(delay * ratio, draw)
            }
            Jitter::Full => up_to(self.unjittered(retry), draw),
            Jitter::Equal => {
                let delay = self.unjittered(retry);
                let luck = delay / 2;
                delay - luck + up_to(luck, draw)
            }
            Jitter::Decorrelated => {
                let room = (previous * 3u64).saturating_sub(self.base);
                self.cap.min(self.base + up_to(room, draw))
            }
        }
    }

    /// The delay before retry `retry` and before jitter, see the table above.
    fn unjittered(&self, retry: u32) -> Span {
        let (base, cap) = (self.base, self.cap);
        match self.growth {
            Growth::None | Growth::Constant(_) => base,
            Growth::Exponential { factor, .. } => exponential(base, factor, cap, retry),
            Growth::Linear { step, .. } => {
                cap.min(base + step * u64::from(retry.saturating_sub(1)))
            }
            Growth::Fibonacci { .. } => fibonacci(base, cap, retry),
        }
    }
}

/// `min(cap, base * factor^(retry - 1))`.
///
/// The product is built step by step, since powers differ between platforms. It ends early at the
/// cap, or where a factor of 1 (or a rounded step) no longer grows it.
fn exponential(base: Span, factor: f64, cap: Span, retry: u32) -> Span {
    let mut delay = base;
    for _ in 1..retry {
        // `as` saturates at the longest span, which the cap then cuts.
        let grown = if factor.fract() == 0.0 { delay * (factor as u64) } else { delay * factor };
        let next = grown.min(cap);
        if next <= delay {
            break;
        }
        delay = next;
    }
    delay
}

/// `min(cap, base * fib(retry))`.
fn fibonacci(base: Span, cap: Span, retry: u32) -> Span {
    let (mut delay, mut next) = (base, base);
    for _ in 1..retry {
        if delay >= cap || delay.is_zero() {
            break;
        }
        (delay, next) = (next, delay + next);
    }
    delay.min(cap)
}

/// A span from zero to `limit`, both reachable, for a uniform draw.
fn up_to(limit: Span, draw: u64) -> Span {
    let sides = u128::from(limit.as_nanos()) + 1;
    let nanos = (u128::from(draw) * sides) >> 64;
    // The product is below `sides << 64`, so that `nanos` is at most `limit`.
    Span::nanos(nanos as u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn doubling(jitter: Jitter) -> Backoff {
        Backoff::new(Span::secs(1), 2.0, Span::secs(60), jitter).expect("a valid back-off")
    }

    fn jitters() -> impl Strategy<Value = Jitter> {
        prop_oneof![
            Just(Jitter::None),
            (0.0..=1.0).prop_map(Jitter::Proportional),
            Just(Jitter::Full),
            Just(Jitter::Equal),
            Just(Jitter::Decorrelated),
        ]
    }

    fn factors() -> impl Strategy<Value = f64> {
        prop_oneof![Just(1.0), Just(2.0), Just(3.0), 1.01..8.0, Just(f64::MAX)]
    }

    prop_compose! {
        fn backoffs()(
            a: u64, b: u64, step: u64, kind in 0..8u8, shift in 0..64u32, factor in factors(),
            jitter in jitters(),
        ) -> Backoff {
            // Shifting makes short bases as likely as long ones.
            let a = a >> shift;
            let (base, cap) = (Span::nanos(a.min(b)), Span::nanos(a.max(b)));
            let growth = match kind {
                0 => Growth::None,
                1 => Growth::Constant(base),
                2 => Growth::Linear { base, step: Span::nanos(step >> shift), cap },
                3 => Growth::Fibonacci { base, cap },
                _ => Growth::Exponential { base, factor, cap },
            };
            Backoff::of(growth, jitter).expect("the base is the smaller of the two")
        }
    }

    fn retries() -> impl Strategy<Value = u32> {
        prop_oneof![1..100u32, Just(0), Just(u32::MAX)]
    }

    /// The shortest and the longest wait that the documentation permits.
    fn bounds(backoff: &Backoff, retry: u32, previous: Span) -> (Span, Span) {
        let delay = backoff.unjittered(retry);
        match backoff.jitter {
            Jitter::None => (delay, delay),
            Jitter::Proportional(ratio) => (delay, delay + delay * ratio),
            Jitter::Full => (Span::ZERO, delay),
            Jitter::Equal => (Span::nanos(delay.as_nanos().div_ceil(2)), delay),
            Jitter::Decorrelated => {
                (backoff.base, backoff.cap.min((previous * 3u64).max(backoff.base)))
            }
        }
    }

    proptest! {
        #[test]
        fn waits_stay_within_their_bounds(
            backoff in backoffs(), retry in retries(), previous: u64, draw: u64,
        ) {
            let previous = Span::nanos(previous);
            let (shortest, longest) = bounds(&backoff, retry, previous);
            let wait = backoff.delay(retry, previous, draw);
            prop_assert!(shortest <= wait && wait <= longest, "{shortest} <= {wait} <= {longest}");
        }

        #[test]
        fn extreme_draws_reach_the_bounds(
            backoff in backoffs(), retry in retries(), previous: u64,
        ) {
            let previous = Span::nanos(previous);
            let (shortest, longest) = bounds(&backoff, retry, previous);
            prop_assert_eq!(backoff.delay(retry, previous, 0), shortest);
            prop_assert_eq!(backoff.delay(retry, previous, u64::MAX), longest);
        }

        #[test]
        fn no_delay_before_jitter_is_above_the_cap(backoff in backoffs(), retry in retries()) {
            let delay = backoff.unjittered(retry);
            prop_assert!(backoff.base <= delay && delay <= backoff.cap);
        }

        #[test]
        fn later_retries_wait_no_shorter(backoff in backoffs(), retry in 1..100u32, draw: u64) {
            let wait = |n| backoff.delay(n, backoff.base, draw);
            prop_assert!(wait(retry) <= wait(retry + 1));
        }

        #[test]
        fn luckless_delays_grow_to_the_cap_and_stay(
            base in 1..1_000_000u64, factor in 1.01..8.0f64, cap in 1_000_000..u64::MAX,
        ) {
            let (base, cap) = (Span::nanos(base * 100), Span::nanos(cap).max(Span::secs(1)));
            let backoff = Backoff::new(base, factor, cap, Jitter::None).expect("valid");
            let delays: Vec<Span> = (1..5000).map(|n| backoff.delay(n, base, 0)).collect();
            prop_assert!(delays.windows(2).all(|pair| pair[0] < pair[1] || pair[1] == cap));
            prop_assert_eq!(delays.last(), Some(&cap));
        }

        #[test]
        fn whole_factors_multiply_exactly(base in 1..1000u64, factor in 2..10u64, n in 1..16u32) {
            let backoff =
                Backoff::new(Span::nanos(base), factor as f64, Span::MAX, Jitter::None);
            let exact = Span::nanos(base * factor.pow(n - 1));
            prop_assert_eq!(backoff.expect("valid").delay(n, Span::ZERO, 0), exact);
        }
    }

    #[test]
    fn five_doubling_retries_from_one_second_wait_31_seconds() {
        let backoff = doubling(Jitter::None);
        let total = (1..=5).fold(Span::ZERO, |sum, n| sum + backoff.delay(n, Span::ZERO, 7));
        assert_eq!(total, Span::secs(31));
    }

    #[test]
    fn each_growth_has_its_pinned_delays() {
        let secs = |growth| {
            let backoff = Backoff::of(growth, Jitter::None).expect("valid");
            [1, 2, 3, 4, 5, 6, 7].map(|n| backoff.delay(n, Span::ZERO, 0).as_millis() / 1000)
        };
        let (base, step, cap) = (Span::secs(2), Span::secs(3), Span::secs(16));
        assert_eq!(secs(Growth::None), [0; 7]);
        assert_eq!(secs(Growth::Constant(base)), [2; 7]);
        assert_eq!(secs(Growth::Linear { base, step, cap }), [2, 5, 8, 11, 14, 16, 16]);
        assert_eq!(secs(Growth::Fibonacci { base, cap }), [2, 2, 4, 6, 10, 16, 16]);
        let lower = Growth::Fibonacci { base, cap: Span::secs(7) };
        assert_eq!(secs(lower), [2, 2, 4, 6, 7, 7, 7]);
        assert_eq!(secs(Growth::Exponential { base, factor: 1.5, cap }), [2, 3, 4, 6, 10, 15, 16]);
    }

    #[test]
    fn each_jitter_has_its_pinned_waits() {
        // Half of the range of draws lands in the middle of each interval.
        let wait = |jitter| doubling(jitter).delay(3, Span::secs(5), 1 << 63).to_string();
        assert_eq!(wait(Jitter::None), "4s");
        assert_eq!(wait(Jitter::Proportional(0.5)), "5s");
        assert_eq!(wait(Jitter::Full), "2s");
        assert_eq!(wait(Jitter::Equal), "3s");
        assert_eq!(wait(Jitter::Decorrelated), "8s");
    }

    #[test]
    fn proportional_jitter_spreads_the_capped_clients_too() {
        let backoff = doubling(Jitter::Proportional(0.5));
        assert_eq!(backoff.delay(30, Span::ZERO, 0), Span::secs(60));
        assert_eq!(backoff.delay(30, Span::ZERO, u64::MAX), Span::secs(90));
    }

    #[test]
    fn impossible_parameters_are_refused_by_name() {
        let refused = |base, factor, jitter| {
            Backoff::new(Span::secs(base), factor, Span::secs(10), jitter).map_err(|e| e.field)
        };
        assert_eq!(refused(11, 2.0, Jitter::None), Err("base"));
        for factor in [0.99, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(refused(1, factor, Jitter::Full), Err("factor"));
        }
        for ratio in [-0.1, 1.1, f64::NAN] {
            assert_eq!(refused(1, 2.0, Jitter::Proportional(ratio)), Err("jitter"));
        }
        let (base, cap) = (Span::secs(2), Span::secs(1));
        for growth in
            [Growth::Linear { base, step: Span::ZERO, cap }, Growth::Fibonacci { base, cap }]
        {
            let refused = Backoff::of(growth, Jitter::None).map_err(|e| e.field);
            assert_eq!(refused, Err("base"));
        }
        let error = Backoff::new(Span::secs(1), 0.5, Span::secs(10), Jitter::None);
        let text = error.map_err(|e| e.to_string());
        assert_eq!(text, Err("factor = 0.5; it must be finite and at least 1".to_owned()));
    }
}
