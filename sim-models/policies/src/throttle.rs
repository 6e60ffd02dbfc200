//! Adaptive throttling: a client that rejects its own requests when the other side does.
//!
//! Answers: refusing costs as well. An overloaded server that answers each request with "no" can
//! spend all it has on saying so; a client that sees mostly refusals need not ask.
//!
//! Invites: a coin decides, so that single requests fail while the server is fine. The memory of a
//! window keeps the throttle in place after the server has recovered, though it always lets some
//! requests through to notice. And it hears nothing of a server that is slow but accepts.
//!
//! Reference: B. Beyer et al., *Site Reliability Engineering*, 2016, chapter 21, "Client-Side
//! Throttling".
//!
//! ```text
//!                                            requests - k * accepts
//! rejected with a chance of   p  =  max( 0 , ---------------------- )   over the last `window`
//!                                                requests + 1
//!
//! requests   what the client wanted to send, rejected here or not
//! accepts    what the server took
//! ```
//!
//! With `k` of 2 the server is asked about twice as often as it accepts. A server that takes a
//! fixed share below `1 / k` of what it gets, whatever that is, is left almost alone: each step
//! back takes acceptances away as well. A request's acceptance
//! counts when it is known, so that for a moment there may be more of them than of requests.
//!
//! The window moves in steps of a bucket: it covers `window` less up to one bucket. Left out: a
//! throttle that spares important requests.

use sim_core::{Span, Time};

use super::out_of_range::within;
use super::{OutOfRange, Reason};

/// More buckets than this would only cost memory.
const BUCKETS_MAX: u32 = 3600;

/// How readily the throttle rejects, and how long it remembers.
#[derive(Clone, Debug, PartialEq, schemars::JsonSchema, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "AdaptiveThrottleOptions")]
pub struct Config {
    /// Requests per accepted one above which it rejects.
    #[schemars(range(min = 1.0))]
    pub k: f64,
    /// How long a request counts, at least a nanosecond per bucket.
    #[schemars(extend("x-exclusiveMinimum" = "0s"))]
    pub window: Span,
    /// Steps in which the window moves.
    #[schemars(range(min = 1, max = 3600))]
    pub buckets: u32,
    /// The highest chance of a rejection.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub max_rejection_rate: f64,
    /// Requests in the window below which nothing is rejected.
    pub execution_threshold: u32,
    /// Whether a request that was rejected here counts as a request.
    pub count_rejected: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            k: 2.0,
            window: Span::secs(120),
            buckets: 120,
            max_rejection_rate: 1.0,
            execution_threshold: 0,
            count_rejected: true,
        }
    }
}

impl Config {
    /// The defaults of failsafe-go's `adaptivethrottler`: a failure rate of a tenth over one
    /// minute, and never more than nine tenths rejected. Its own rejections do not count there.
    ///
    /// It counts a request when it ends, where this counts it when it is sent.
    pub fn failsafe_go() -> Config {
        Config {
            k: 1.0 / 0.9,
            window: Span::secs(60),
            buckets: 20,
            max_rejection_rate: 0.9,
            execution_threshold: 0,
            count_rejected: false,
        }
    }
}

/// A client's throttle towards one callee.
///
/// ```
/// use sim_core::Time;
/// use sim_policies::throttle::{AdaptiveThrottle, Config};
///
/// let mut throttle = AdaptiveThrottle::new(&Config::default())?;
/// // Nothing was accepted so far: the second request is rejected with a chance of 1/2.
/// assert!(throttle.admit(Time::ZERO, 0).is_ok());
/// assert_eq!(throttle.rejection_rate(Time::ZERO), 0.5);
/// throttle.accepted(Time::ZERO);
/// assert_eq!(throttle.rejection_rate(Time::ZERO), 0.0);
/// # Ok::<(), sim_policies::OutOfRange>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct AdaptiveThrottle {
    config: Config,
    /// The length of a bucket in nanoseconds.
    bucket: u64,
    /// The buckets as a ring; the present one is at `present % len`.
    counts: Vec<Counts>,
    /// The number of the present bucket since the start of time.
    present: u64,
    /// The sum of all buckets.
    total: Counts,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Counts {
    requests: u64,
    accepts: u64,
}

impl AdaptiveThrottle {
    /// A throttle that has seen nothing.
    ///
    /// # Errors
    /// When `k` is below 1 or not finite, `buckets` lies outside 1..=3600, `window` is shorter
    /// than a nanosecond per bucket, or `max_rejection_rate` lies outside 0..=1.
    pub fn new(config: &Config) -> Result<AdaptiveThrottle, OutOfRange> {
        if !config.k.is_finite() || config.k < 1.0 {
            return Err(OutOfRange::new("k", config.k, "finite and at least 1"));
        }
        if !(1..=BUCKETS_MAX).contains(&config.buckets) {
            return Err(OutOfRange::new(
                "buckets",
                config.buckets,
                format!("in 1..={BUCKETS_MAX}"),
            ));
        }
        let bucket = config.window.as_nanos() / u64::from(config.buckets);
        if bucket == 0 {
            return Err(OutOfRange::new(
                "window",
                config.window,
                "a nanosecond per bucket or more",
            ));
        }
        within("max_rejection_rate", config.max_rejection_rate, 0.0, 1.0)?;
        Ok(AdaptiveThrottle {
            config: config.clone(),
            bucket,
            counts: vec![Counts::default(); config.buckets as usize],
            present: 0,
            total: Counts::default(),
        })
    }

    /// Lets a request through or rejects it; `draw` is uniform over all of `u64`, and a small one
    /// rejects. The chance is the one of before this request.
    ///
    /// # Errors
    /// [`Reason::Throttled`] with that chance.
    pub fn admit(&mut self, now: Time, draw: u64) -> Result<(), Reason> {
        let chance = self.rejection_rate(now);
        // 53 bits of the draw, as a fraction in 0..1.
        let rejected = (((draw >> 11) as f64) / (1u64 << 53) as f64) < chance;
        if !rejected || self.config.count_rejected {
            self.present().requests += 1;
            self.total.requests += 1;
        }
        if rejected {
            // At most 1000, for the chance is at most 1.
            let per_mille = (chance * 1000.0 + 0.5) as u16;
            return Err(Reason::Throttled { per_mille });
        }
        Ok(())
    }

    /// The other side has taken a request.
    pub fn accepted(&mut self, now: Time) {
        self.advance(now);
        self.present().accepts += 1;
        self.total.accepts += 1;
    }

    /// The chance that a request is rejected at `now`, 0 to 1.
    pub fn rejection_rate(&mut self, now: Time) -> f64 {
        self.advance(now);
        let Counts { requests, accepts } = self.total;
        if requests < u64::from(self.config.execution_threshold) {
            return 0.0;
        }
        let excess = (requests as f64 - self.config.k * accepts as f64).max(0.0);
        (excess / (requests as f64 + 1.0)).min(self.config.max_rejection_rate)
    }

    fn present(&mut self) -> &mut Counts {
        let index = self.present % self.counts.len() as u64;
        &mut self.counts[index as usize]
    }

    /// Empties the buckets that time has passed by: each one once, however long that took.
    fn advance(&mut self, now: Time) {
        let present = now.as_nanos() / self.bucket;
        let passed = present.saturating_sub(self.present).min(self.counts.len() as u64);
        for _ in 0..passed {
            self.present += 1;
            let old = std::mem::take(self.present());
            self.total.requests -= old.requests;
            self.total.accepts -= old.accepts;
        }
        self.present = self.present.max(present);
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use sim_core::mix;

    use super::*;

    fn at(secs: u64) -> Time {
        Time::ZERO + Span::secs(secs)
    }

    fn small() -> Config {
        Config { window: Span::secs(10), buckets: 5, ..Config::default() }
    }

    proptest! {
        /// Keeps every request and acceptance with its bucket and counts them anew each time.
        #[test]
        fn the_chance_is_the_formula_over_the_window(
            k in 1.0..4.0, count_rejected: bool, threshold in 0..6u32, most in 0.0..=1.0,
            steps in vec((prop_oneof![Just(0), 0..3000u64, 0..40_000u64], 0..2u8, any::<u64>()), 0..150),
        ) {
            let config = Config {
                k, count_rejected, execution_threshold: threshold, max_rejection_rate: most,
                ..small()
            };
            let mut throttle = AdaptiveThrottle::new(&config).expect("valid");
            let (mut millis, mut requests, mut accepts) = (0, Vec::new(), Vec::new());
            for (gap, kind, draw) in steps {
                millis += gap;
                let now = Time::ZERO + Span::millis(millis);
                let bucket = millis / 2000;
                let living = |kept: &[u64]| kept.iter().filter(|b| **b + 5 > bucket).count() as f64;
                let (asked, taken) = (living(&requests), living(&accepts));
                let formula = ((asked - k * taken) / (asked + 1.0)).max(0.0).min(most);
                let chance = if asked < f64::from(threshold) { 0.0 } else { formula };
                prop_assert_eq!(throttle.rejection_rate(now), chance);
                prop_assert!((0.0..=1.0).contains(&chance));
                prop_assert!(k * taken < asked || chance == 0.0);
                if kind == 0 {
                    accepts.push(bucket);
                    throttle.accepted(now);
                    continue;
                }
                let luck = (draw >> 11) as f64 / (1u64 << 53) as f64;
                let rejected = luck < chance;
                let answer = throttle.admit(now, draw);
                prop_assert_eq!(answer.is_err(), rejected);
                if !rejected || count_rejected {
                    requests.push(bucket);
                }
            }
        }

        #[test]
        fn a_throttle_forgets_after_a_window(
            requests in 0..50u64, accepts in 0..50u64, late in 0..100u64,
        ) {
            let mut throttle = AdaptiveThrottle::new(&small()).expect("valid");
            for _ in 0..accepts {
                throttle.accepted(at(1));
            }
            for _ in 0..requests {
                let _ = throttle.admit(at(1), u64::MAX);
            }
            prop_assert_eq!(throttle.total.requests, requests);
            throttle.advance(at(11 + late));
            prop_assert_eq!(throttle.total, Counts::default());
        }
    }

    /// Asks 100 times a second of a side that takes `capacity` a second; returns which share was
    /// rejected here in the last five of ten minutes.
    fn share_rejected(capacity: u64) -> f64 {
        let mut throttle = AdaptiveThrottle::new(&Config::default()).expect("valid");
        let (mut rejected, mut taken) = (0, 0);
        for n in 0..60_000u64 {
            let now = Time::ZERO + Span::millis(n * 10);
            if n % 100 == 0 {
                taken = 0;
            }
            if throttle.admit(now, mix(7, n)).is_err() {
                rejected += u32::from(n >= 30_000);
            } else if taken < capacity {
                taken += 1;
                throttle.accepted(now);
            }
        }
        f64::from(rejected) / 30_000.0
    }

    #[test]
    fn a_server_is_asked_for_twice_what_it_takes() {
        // Of 100 a second it takes `c` and shall see 2 c: 1 - 2 c / 100 are rejected.
        for (capacity, expected) in [(0, 1.0), (10, 0.8), (25, 0.5), (40, 0.2), (50, 0.0)] {
            let share = share_rejected(capacity);
            assert!((share - expected).abs() < 0.01, "{capacity}: {share}, not {expected}");
        }
    }

    #[test]
    fn two_requests_per_accepted_one_are_free() {
        let mut throttle = AdaptiveThrottle::new(&Config::default()).expect("valid");
        for _ in 0..10 {
            throttle.accepted(at(0));
        }
        for _ in 0..20 {
            assert_eq!(throttle.admit(at(0), 0), Ok(()));
        }
        assert_eq!(throttle.admit(at(0), 0), Ok(()), "20 of 10: still zero");
        // Now 21 requests stand against 10 accepted: 1/22.
        assert_eq!(throttle.admit(at(0), 0), Err(Reason::Throttled { per_mille: 45 }));
    }

    #[test]
    fn its_own_rejections_count_and_make_it_stricter() {
        let mut counting = AdaptiveThrottle::new(&Config::default()).expect("valid");
        let config = Config { count_rejected: false, ..Config::default() };
        let mut lenient = AdaptiveThrottle::new(&config).expect("valid");
        for throttle in [&mut counting, &mut lenient] {
            assert_eq!(throttle.admit(at(0), 0), Ok(()));
            for _ in 0..8 {
                assert!(throttle.admit(at(0), 0).is_err());
            }
        }
        assert_eq!(counting.rejection_rate(at(0)), 0.9);
        assert_eq!(lenient.rejection_rate(at(0)), 0.5);
    }

    #[test]
    fn failsafe_go_never_rejects_more_than_nine_tenths() {
        let mut throttle = AdaptiveThrottle::new(&Config::failsafe_go()).expect("valid");
        for _ in 0..1000 {
            let _ = throttle.admit(at(0), u64::MAX);
        }
        assert_eq!(throttle.rejection_rate(at(0)), 0.9);
    }

    #[test]
    fn impossible_parameters_are_refused_by_name() {
        let valid = Config::default();
        for (config, field) in [
            (Config { k: 0.99, ..valid.clone() }, "k"),
            (Config { k: f64::NAN, ..valid.clone() }, "k"),
            (Config { k: f64::INFINITY, ..valid.clone() }, "k"),
            (Config { buckets: 0, ..valid.clone() }, "buckets"),
            (Config { buckets: 3601, ..valid.clone() }, "buckets"),
            (Config { window: Span::nanos(119), ..valid.clone() }, "window"),
            (Config { max_rejection_rate: 1.1, ..valid.clone() }, "max_rejection_rate"),
        ] {
            assert_eq!(AdaptiveThrottle::new(&config).map_err(|e| e.field), Err(field));
        }
    }
}
