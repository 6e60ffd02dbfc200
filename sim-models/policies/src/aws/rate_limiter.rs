//! The rate limiter of the adaptive mode: no faster than the service bears.
//!
//! Answers: a client that retries politely and still sends its first attempts at full speed into a
//! service that throttles.
//!
//! Invites: a low rate that recovers slowly, and one limiter for everything that the client
//! calls. It halves nothing for errors and timeouts: only throttles count.
//!
//! Reference: botocore 1.44.5 `retries/adaptive.py` (`ClientRateLimiter`, `RateClocker`),
//! `retries/bucket.py` (`TokenBucket`), `retries/throttling.py` (`CubicCalculator`), the same in
//! 1.40.0. CUBIC is RFC 9438, turned from windows to rates.
//!
//! ```text
//! off --- the first throttle ---> on, for ever
//!
//! an answer   measured = 0.8 * (answers / s in the last buckets of 0.5 s) + 0.2 * measured
//!   throttled   w_max = min(measured, rate);  rate = 0.7 * w_max
//!   otherwise   rate = 0.4 * (t - k)^3 + w_max,   k = cbrt(w_max * 0.3 / 0.4)
//!               t: seconds since the last throttle
//!             never above twice what was measured, never below 0.5 / s
//!
//! an attempt  takes one token, or waits for it; tokens come at the rate, at most
//!             max(1, rate) are kept
//! ```
//!
//! All arithmetic is botocore's, in its order, in seconds as `f64`.
//!
//! # Left out
//! A change of the rate wakes one of botocore's waiting threads, which computes its wait anew.
//! Here a wait once given stands until it is over.

use sim_core::{Span, Time, math};

/// The slowest fill rate, in tokens per second.
const MIN_RATE: f64 = 0.5;

/// The multiple of the measured rate that the limit stays below.
const MAX_RATE_ADJUST_SCALE: f64 = 2.0;

/// The weight of the newest rate in the measured one.
const SMOOTHING: f64 = 0.8;

/// Buckets per second in which answers are counted: each is 0.5 s long.
const TIME_BUCKET_SCALE: f64 = 2.0;

/// CUBIC's C and β.
const SCALE_CONSTANT: f64 = 0.4;
const BETA: f64 = 0.7;

/// Limits the attempts of one client.
///
/// Every attempt asks before it is sent, and every answer is reported, also those of attempts that
/// are tried again:
///
/// ```
/// use sim_core::{Span, Time};
/// use sim_policies::aws::ClientRateLimiter;
///
/// let mut limiter = ClientRateLimiter::new();
/// let now = Time::ZERO + Span::secs(1);
/// assert_eq!(limiter.acquire(now), Span::ZERO); // Nothing was throttled yet.
/// limiter.responded(now, true);
/// assert_eq!(limiter.acquire(now), Span::ZERO); // The bucket has filled meanwhile.
/// assert_eq!(limiter.acquire(now), Span::nanos(1_785_714_286)); // One token at 0.56 a second.
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ClientRateLimiter {
    enabled: bool,
    bucket: TokenBucket,
    clocker: RateClocker,
    cubic: Cubic,
}

/// Tokens that fill at a rate.
#[derive(Clone, Debug, PartialEq)]
struct TokenBucket {
    fill_rate: f64,
    max_capacity: f64,
    /// Below zero while tokens are promised to attempts that wait for them.
    capacity: f64,
    /// When it was last filled, in seconds; in the future while an attempt waits.
    last: f64,
}

/// Measures how many answers come per second.
#[derive(Clone, Debug, PartialEq)]
struct RateClocker {
    measured: f64,
    last_bucket: f64,
    count: f64,
}

/// The rate that CUBIC permits.
#[derive(Clone, Debug, PartialEq)]
struct Cubic {
    w_max: f64,
    k: f64,
    last_fail: f64,
}

impl ClientRateLimiter {
    /// A limiter of a client that starts at time zero, off until the first throttle.
    pub const fn new() -> ClientRateLimiter {
        ClientRateLimiter {
            enabled: false,
            bucket: TokenBucket { fill_rate: 1.0, max_capacity: 1.0, capacity: 0.0, last: 0.0 },
            clocker: RateClocker { measured: 0.0, last_bucket: 0.0, count: 0.0 },
            cubic: Cubic { w_max: 0.0, k: 0.0, last_fail: 0.0 },
        }
    }

    /// Takes a token at `now`, or says after which wait to ask again: one turn of botocore's loop.
    ///
    /// The wait is not a promise: another attempt may come first, and the rate may have fallen.
    ///
    /// # Errors
    /// With the wait, when the tokens are used up. No wait is zero.
    pub fn try_acquire(&mut self, now: Time) -> Result<(), Span> {
        if !self.enabled {
            return Ok(());
        }
        self.bucket.refill(now.as_secs_f64());
        let wait = (1.0 - self.bucket.capacity) / self.bucket.fill_rate;
        if wait > 0.0 {
            return Err(Span::nanos(ceil(wait * 1e9)));
        }
        self.bucket.capacity -= 1.0;
        Ok(())
    }

    /// Takes a token at `now` and returns how long to wait before sending.
    ///
    /// The token is taken at once: attempts that ask while others wait are sent after them, each
    /// at the rate of the moment at which it asked.
    #[must_use]
    pub fn acquire(&mut self, now: Time) -> Span {
        let mut sent = now;
        // A wait rounds up to a nanosecond, which a clock in f64 seconds may not yet show.
        while let Err(wait) = self.try_acquire(sent) {
            sent += wait.max(Span::nanos(1));
            if sent == Time::MAX {
                break;
            }
        }
        sent.since(now)
    }

    /// Hears of an answer, or of the end without one, at `now`.
    pub fn responded(&mut self, now: Time, throttled: bool) {
        let now = now.as_secs_f64();
        let measured = self.clocker.record(now);
        let rate = if throttled {
            let rate = if self.enabled { measured.min(self.bucket.fill_rate) } else { measured };
            self.enabled = true;
            self.cubic.throttled(rate, now)
        } else {
            self.cubic.succeeded(now)
        };
        self.bucket.set_rate(rate.min(MAX_RATE_ADJUST_SCALE * measured), now);
    }

    /// True from the first throttle on.
    pub const fn enabled(&self) -> bool {
        self.enabled
    }

    /// Tokens that come per second.
    pub const fn fill_rate(&self) -> f64 {
        self.bucket.fill_rate
    }

    /// Tokens in the bucket when it was last looked at.
    pub const fn capacity(&self) -> f64 {
        self.bucket.capacity
    }

    /// The tokens that the bucket holds at most.
    pub const fn max_capacity(&self) -> f64 {
        self.bucket.max_capacity
    }

    /// The smoothed number of answers per second.
    pub const fn measured_rate(&self) -> f64 {
        self.clocker.measured
    }
}

impl Default for ClientRateLimiter {
    fn default() -> ClientRateLimiter {
        ClientRateLimiter::new()
    }
}

impl TokenBucket {
    fn refill(&mut self, now: f64) {
        // Negative when an attempt has taken a token of the future; the debt is the same seen
        // from any moment.
        let fill = (now - self.last) * self.fill_rate;
        self.capacity = self.max_capacity.min(self.capacity + fill);
        self.last = now;
    }

    fn set_rate(&mut self, rate: f64, now: f64) {
        self.refill(now);
        self.fill_rate = rate.max(MIN_RATE);
        self.max_capacity = if rate >= 1.0 { rate } else { 1.0 };
        self.capacity = self.capacity.min(self.max_capacity);
    }
}

impl RateClocker {
    fn record(&mut self, now: f64) -> f64 {
        let bucket = (now * TIME_BUCKET_SCALE).floor() / TIME_BUCKET_SCALE;
        self.count += 1.0;
        if bucket > self.last_bucket {
            let rate = self.count / (bucket - self.last_bucket);
            self.measured = rate * SMOOTHING + self.measured * (1.0 - SMOOTHING);
            self.count = 0.0;
            self.last_bucket = bucket;
        }
        self.measured
    }
}

impl Cubic {
    fn succeeded(&self, now: f64) -> f64 {
        let since = now - self.last_fail;
        SCALE_CONSTANT * math::pow(since - self.k, 3.0) + self.w_max
    }

    fn throttled(&mut self, rate: f64, now: f64) -> f64 {
        self.w_max = rate;
        self.k = math::pow((rate * (1.0 - BETA)) / SCALE_CONSTANT, 1.0 / 3.0);
        self.last_fail = now;
        rate * BETA
    }
}

/// Rounded up to a whole number; saturates.
fn ceil(x: f64) -> u64 {
    x.ceil() as u64
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn at(millis: u64) -> Time {
        Time::ZERO + Span::millis(millis)
    }

    #[derive(Clone, Copy, Debug)]
    enum Input {
        Ask,
        Answer { throttled: bool },
    }

    fn inputs() -> impl Strategy<Value = Vec<(u64, Input)>> {
        let gap = prop_oneof![4 => Just(0), 6 => 0..100u64, 2 => 100..3000u64];
        let input = prop_oneof![
            3 => Just(Input::Ask),
            2 => Just(Input::Answer { throttled: false }),
            1 => Just(Input::Answer { throttled: true }),
        ];
        vec((gap, input), 1..150)
    }

    proptest! {
        /// What is sent in a window is at most what filled in it, and what the bucket could hold
        /// when it began. The fill is summed up naively, from the rates between the events.
        #[test]
        fn no_window_sends_more_than_fill_and_burst(inputs in inputs()) {
            let mut limiter = ClientRateLimiter::new();
            let (mut now, mut filled) = (Time::ZERO, 0.0);
            // For each time sent: tokens filled until then, and what the bucket could hold.
            let mut sent: Vec<(f64, f64)> = Vec::new();
            for (gap, input) in inputs {
                now += Span::millis(gap);
                filled += limiter.fill_rate() * Span::millis(gap).as_secs_f64();
                match input {
                    Input::Answer { throttled } => limiter.responded(now, throttled),
                    Input::Ask => {
                        let was_enabled = limiter.enabled();
                        if limiter.try_acquire(now).is_ok() && was_enabled {
                            sent.push((filled, limiter.max_capacity()));
                        }
                    }
                }
            }
            for (i, (begin, burst)) in sent.iter().enumerate() {
                for (j, (end, _)) in sent.iter().enumerate().skip(i) {
                    let count = (j - i + 1) as f64;
                    prop_assert!(count <= burst + (end - begin) + 1e-6, "{i}..={j}");
                }
            }
        }

        /// A call that only waits and a call that asks again after each wait agree, as long as it
        /// is alone.
        #[test]
        fn waiting_at_once_is_asking_again(inputs in inputs()) {
            let (mut one, mut other) = (ClientRateLimiter::new(), ClientRateLimiter::new());
            let mut now = Time::ZERO;
            for (gap, input) in inputs {
                now += Span::millis(gap);
                match input {
                    Input::Answer { throttled } => {
                        one.responded(now, throttled);
                        other.responded(now, throttled);
                    }
                    Input::Ask => {
                        let wait = one.acquire(now);
                        let mut sent = now;
                        while let Err(wait) = other.try_acquire(sent) {
                            prop_assert!(!wait.is_zero());
                            sent += wait;
                        }
                        prop_assert_eq!(sent, now + wait);
                        now = sent;
                    }
                }
                prop_assert_eq!(&one, &other);
            }
        }

        #[test]
        fn those_that_wait_are_sent_in_order_at_the_rate(
            rate in 1..40u64, asks in vec(0..50u64, 2..60),
        ) {
            let mut limiter = ClientRateLimiter::new();
            limiter.enabled = true;
            limiter.bucket.set_rate(rate as f64, 0.0);
            let mut now = Time::ZERO;
            let mut last = Time::ZERO;
            for (taken, gap) in asks.into_iter().enumerate() {
                now += Span::millis(gap);
                let sent = now + limiter.acquire(now);
                prop_assert!(last <= sent);
                // Empty at time zero, so that token n is there after n / rate.
                let earliest = (taken + 1) as f64 / rate as f64;
                prop_assert!(sent.as_secs_f64() > earliest - 1e-6);
                last = sent;
            }
        }

        #[test]
        fn rates_stay_between_the_least_and_twice_the_measured(inputs in inputs()) {
            let mut limiter = ClientRateLimiter::new();
            let mut now = Time::ZERO;
            for (gap, input) in inputs {
                now += Span::millis(gap);
                if let Input::Answer { throttled } = input {
                    limiter.responded(now, throttled);
                    let most = (2.0 * limiter.measured_rate()).max(0.5);
                    prop_assert!((0.5..=most).contains(&limiter.fill_rate()));
                    prop_assert!(limiter.capacity() <= limiter.max_capacity());
                    prop_assert!(limiter.max_capacity() >= 1.0);
                }
            }
        }
    }

    #[test]
    fn nothing_waits_before_the_first_throttle() {
        let mut limiter = ClientRateLimiter::new();
        for n in 0..1000 {
            assert_eq!(limiter.acquire(at(n / 10)), Span::ZERO);
            limiter.responded(at(n / 10), false);
        }
        limiter.responded(at(100), true);
        assert!(limiter.enabled());
    }

    /// Nothing but time brings the rate back, by CUBIC's curve: fast, flat near the old rate, fast.
    #[test]
    fn a_throttled_rate_of_forty_is_back_after_three_seconds() {
        let mut limiter = ClientRateLimiter::new();
        // 40 answers a second for 5 s, then a throttle.
        for n in 0..200 {
            limiter.responded(at(n * 25), false);
        }
        limiter.responded(at(5000), true);
        let mut rates = vec![limiter.fill_rate().to_string()];
        for n in 201..=400 {
            limiter.responded(at(n * 25), false);
            if n % 40 == 0 {
                rates.push(format!("{:.1}", limiter.fill_rate()));
            }
        }
        assert_eq!(rates[1..], ["36.3", "39.5", "40.0", "40.3", "42.7"]);
    }

    #[test]
    fn time_at_its_end_stops_the_search_for_a_token() {
        let mut limiter = ClientRateLimiter::new();
        limiter.responded(Time::ZERO, true);
        let late = Time::from_nanos(u64::MAX - 10);
        for _ in 0..3 {
            let _ = limiter.acquire(late);
        }
    }
}
