//! Limits on the calls under way that find their own height.
//!
//! Answers: the right number of concurrent calls is the rate times the latency (Little's law), and
//! both move. A limit that is measured rather than configured follows them, sheds what the other
//! side cannot carry and needs no tuning after each release.
//!
//! Invites: the measure is the latency of calls that were let through. So a slow dependency behind
//! the callee, or a change in the mix of requests, reads as overload. Limits of many callers that
//! share one callee fight for it.
//!
//! Reference: Netflix concurrency-limits 0.5.4: `SimpleLimiter` here, the limits in their files.
//!
//! ```text
//!            in_flight < limit: a permit that remembers its start and in_flight + 1
//!  calls  -----------------------------------------------------------------------------.
//!         \                                                                            |
//!          `--> refused: ConcurrencyLimited { limit }                                  v
//!                                                                              the call ends
//!   limit <--- Aimd | Vegas | Gradient2 <--- [window] <--- (rtt, in_flight, drop) <----'
//! ```
//!
//! A limit that falls takes no permit back: more calls may be under way than the limit says, until
//! enough of them have ended. An ignored call returns its permit and says nothing.
//!
//! Left out: the limiters that block, share by percentage or by priority, and the bypass.

pub mod aimd;
pub mod fixed;
pub mod gradient2;
mod machine;
pub mod vegas;
pub mod window;
pub mod windowed;

use sim_core::{Span, Time, mix};

use crate::family::{Build, family};
use crate::{OutOfRange, Reason};

pub use self::machine::{Machine, Measured};

family! {
    /// How the limit is found.
    #[schemars(title = "concurrency limit")]
    pub enum LimitConfig;

    /// A limit that moves with the calls it hears of.
    pub enum AdaptiveLimit, each a Machine;

    /// It is given: `FixedLimit`.
    Fixed(fixed::Config),
    /// From losses: `AIMDLimit`.
    Aimd(aimd::Config),
    /// From the length of the queue: `VegasLimit`.
    Vegas(vegas::Config),
    /// From the trend of the latency: `Gradient2Limit`.
    Gradient2(gradient2::Config),
    /// From the means of windows: `WindowedLimit` around another.
    Windowed(windowed::Config<LimitConfig>),
}

impl LimitConfig {
    /// A limit that never moves.
    pub const fn fixed(limit: u32) -> LimitConfig {
        LimitConfig::Fixed(fixed::Config { limit })
    }
}

impl Machine for AdaptiveLimit {
    fn hear(&mut self, call: Measured, jitter: &mut dyn FnMut() -> f64) {
        self.machine_mut().hear(call, jitter);
    }

    fn limit(&self) -> u32 {
        self.machine().limit()
    }

    fn estimate(&self) -> Option<f64> {
        self.machine().estimate()
    }

    fn is_windowed(&self) -> bool {
        self.machine().is_windowed()
    }
}

/// How a call ended for the limit, as in the library's `Listener`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    /// It took what it took.
    Success,
    /// It was lost to overload: a timeout, or the other side refused it.
    Dropped,
    /// Its time says nothing of the load, as of a bad request.
    Ignored,
}

/// Lets calls through as long as fewer than the limit are under way: `SimpleLimiter`.
///
/// ```
/// use sim_core::Time;
/// use sim_policies::concurrency::{ConcurrencyLimiter, LimitConfig, Sample};
///
/// let mut limiter = ConcurrencyLimiter::new(&LimitConfig::fixed(1))?;
/// let permit = limiter.acquire(Time::ZERO).expect("nothing is under way");
/// assert!(limiter.acquire(Time::ZERO).is_err());
/// limiter.release(permit, Time::ZERO, Sample::Success, 0);
/// assert_eq!(limiter.in_flight(), 0);
/// # Ok::<(), sim_policies::OutOfRange>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ConcurrencyLimiter {
    limit: AdaptiveLimit,
    in_flight: u32,
}

/// The right to one call under way, given back to [`ConcurrencyLimiter::release`] when it ends in
/// whatever way. A permit that is dropped instead is lost to the limiter for good.
#[must_use]
#[derive(Debug)]
pub struct LimitPermit {
    started: Time,
    in_flight: u32,
}

impl ConcurrencyLimiter {
    /// A limiter with nothing under way.
    ///
    /// # Errors
    /// When a parameter is one that the limit cannot work with.
    pub fn new(config: &LimitConfig) -> Result<ConcurrencyLimiter, OutOfRange> {
        Ok(ConcurrencyLimiter { limit: AdaptiveLimit::new(config)?, in_flight: 0 })
    }

    /// Takes a permit.
    ///
    /// # Errors
    /// [`Reason::ConcurrencyLimited`] when as many calls are under way as the limit says, or more.
    pub fn acquire(&mut self, now: Time) -> Result<LimitPermit, Reason> {
        let limit = self.limit();
        if self.in_flight >= limit {
            return Err(Reason::ConcurrencyLimited { limit });
        }
        self.in_flight += 1;
        Ok(LimitPermit { started: now, in_flight: self.in_flight })
    }

    /// Returns a permit and tells the limit how its call went. A call that took no time counts as
    /// one of a nanosecond, for which the library's clock would be too coarse to stand still.
    ///
    /// `draw` is uniform over all of `u64` and only of use to Vegas.
    ///
    /// # Panics
    /// When more permits come back than were given: one was another limiter's.
    pub fn release(&mut self, permit: LimitPermit, now: Time, sample: Sample, draw: u64) {
        let LimitPermit { started, in_flight } = permit;
        assert!(self.in_flight > 0, "a permit came back that this limiter never gave");
        self.in_flight -= 1;
        let dropped = match sample {
            Sample::Success => false,
            Sample::Dropped => true,
            Sample::Ignored => return,
        };
        let rtt = now.since(started).max(Span::nanos(1));
        let mut word = draw;
        let mut jitter = || {
            let jitter = half_to_one(word);
            word = mix(word, 0);
            jitter
        };
        self.limit.hear(Measured { started, rtt, in_flight, dropped }, &mut jitter);
    }

    /// The limit at the moment.
    pub fn limit(&self) -> u32 {
        self.limit.limit()
    }

    /// Calls under way at the moment; above the limit for a while after it has fallen.
    pub const fn in_flight(&self) -> u32 {
        self.in_flight
    }
}

/// A fraction in 0.5..1 for a uniform draw.
fn half_to_one(draw: u64) -> f64 {
    // 52 bits, so that the sum is exact and stays below one.
    0.5 + (draw >> 12) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn configs() -> impl Strategy<Value = LimitConfig> {
        let plain = prop_oneof![
            (1..20u32).prop_map(LimitConfig::fixed),
            (1..20u32, 1..5u32).prop_map(|(initial_limit, min_limit)| {
                LimitConfig::Aimd(aimd::Config {
                    initial_limit,
                    min_limit,
                    max_limit: 25,
                    timeout: Span::millis(40),
                    ..aimd::Config::default()
                })
            }),
            (1..20u32, 0.1..1.0, 1..3u32).prop_map(|(initial_limit, smoothing, multiplier)| {
                LimitConfig::Vegas(vegas::Config {
                    initial_limit,
                    smoothing,
                    max_concurrency: 25,
                    probe_multiplier: multiplier,
                    ..vegas::Config::default()
                })
            }),
            (1..20u32, 1..5u32).prop_map(|(initial_limit, min_limit)| {
                LimitConfig::Gradient2(gradient2::Config {
                    initial_limit,
                    min_limit,
                    max_concurrency: 25,
                    ..gradient2::Config::default()
                })
            }),
        ];
        (plain, any::<bool>()).prop_map(|(limit, windowed)| {
            if windowed {
                let window =
                    window::Config { min_rtt_threshold: Span::ZERO, ..window::Config::default() };
                LimitConfig::Windowed(windowed::Config { window, limit: Box::new(limit) })
            } else {
                limit
            }
        })
    }

    #[derive(Clone, Copy, Debug)]
    enum Input {
        Call,
        End(prop::sample::Index, Sample, u64),
    }

    fn inputs() -> impl Strategy<Value = Vec<(Span, Input)>> {
        let sample = prop_oneof![
            4 => Just(Sample::Success), 2 => Just(Sample::Dropped), 1 => Just(Sample::Ignored),
        ];
        let end = (any::<prop::sample::Index>(), sample, any::<u64>());
        let input = prop_oneof![
            4 => Just(Input::Call),
            3 => end.prop_map(|(index, sample, draw)| Input::End(index, sample, draw)),
        ];
        // Time often stands still.
        let gap = prop_oneof![Just(0), 0..20_000u64].prop_map(Span::micros);
        vec((gap, input), 0..250)
    }

    proptest! {
        #[test]
        fn calls_are_admitted_exactly_below_the_limit_in_force(
            config in configs(), inputs in inputs(),
        ) {
            let mut limiter = ConcurrencyLimiter::new(&config).expect("valid");
            let (mut now, mut under_way) = (Time::ZERO, Vec::new());
            for (gap, input) in inputs {
                now += gap;
                match input {
                    Input::Call => {
                        let limit = limiter.limit();
                        let room = under_way.len() < limit as usize;
                        match limiter.acquire(now) {
                            Ok(permit) => {
                                prop_assert!(room);
                                under_way.push(permit);
                                prop_assert!(under_way.len() <= limit as usize);
                            }
                            Err(reason) => {
                                prop_assert!(!room);
                                prop_assert_eq!(reason, Reason::ConcurrencyLimited { limit });
                            }
                        }
                    }
                    Input::End(_, _, _) if under_way.is_empty() => {}
                    Input::End(index, sample, draw) => {
                        let permit = under_way.swap_remove(index.index(under_way.len()));
                        let before = limiter.limit.clone();
                        limiter.release(permit, now, sample, draw);
                        prop_assert!(sample != Sample::Ignored || limiter.limit == before);
                    }
                }
                prop_assert_eq!(limiter.in_flight() as usize, under_way.len());
                prop_assert!((1..=25).contains(&limiter.limit()), "{limiter:?}");
            }
        }

        #[test]
        fn the_probe_jitter_lies_between_half_and_one(draw: u64) {
            prop_assert!((0.5..1.0).contains(&half_to_one(draw)));
        }
    }

    #[test]
    fn a_limit_that_falls_takes_no_permit_back() {
        let config = aimd::Config { initial_limit: 4, min_limit: 1, ..aimd::Config::default() };
        let mut limiter = ConcurrencyLimiter::new(&LimitConfig::Aimd(config)).expect("valid");
        let now = Time::ZERO;
        let mut permits: Vec<_> = (0..4).map(|_| limiter.acquire(now).expect("room")).collect();
        for _ in 0..2 {
            let permit = permits.remove(0);
            limiter.release(permit, now, Sample::Dropped, 0);
        }
        assert_eq!((limiter.limit(), limiter.in_flight()), (2, 2));
        assert_eq!(limiter.acquire(now).err(), Some(Reason::ConcurrencyLimited { limit: 2 }));
    }

    #[test]
    fn the_permit_remembers_how_many_were_under_way_when_it_was_given() {
        let config = aimd::Config { initial_limit: 10, min_limit: 1, ..aimd::Config::default() };
        let mut limiter = ConcurrencyLimiter::new(&LimitConfig::Aimd(config)).expect("valid");
        let now = Time::ZERO;
        let mut permits: Vec<_> = (0..5).map(|_| limiter.acquire(now).expect("room")).collect();
        limiter.release(permits.remove(0), now, Sample::Success, 0);
        assert_eq!(limiter.limit(), 10, "it was the first of one");
        limiter.release(permits.remove(3), now, Sample::Success, 0);
        assert_eq!(limiter.limit(), 11, "it was the fifth, half of ten");
    }

    #[test]
    fn a_call_that_took_no_time_is_heard() {
        let limit = LimitConfig::Gradient2(gradient2::Config::default());
        let mut limiter = ConcurrencyLimiter::new(&limit).expect("valid");
        let permits: Vec<_> = (0..11).map(|_| limiter.acquire(Time::ZERO).expect("room")).collect();
        for permit in permits {
            limiter.release(permit, Time::ZERO, Sample::Success, 0);
        }
        assert!(limiter.limit.estimate().is_some_and(|estimate| estimate > 20.0));
    }

    #[test]
    #[should_panic(expected = "never gave")]
    fn a_permit_of_another_limiter_is_noticed() {
        let fixed = LimitConfig::fixed(1);
        let mut mine = ConcurrencyLimiter::new(&fixed).expect("valid");
        let mut other = ConcurrencyLimiter::new(&fixed).expect("valid");
        let permit = other.acquire(Time::ZERO).expect("room");
        mine.release(permit, Time::ZERO, Sample::Success, 0);
    }

    #[test]
    fn a_window_in_a_window_is_refused() {
        let windowed = |limit| {
            let (window, limit) = (window::Config::default(), Box::new(limit));
            LimitConfig::Windowed(windowed::Config { window, limit })
        };
        let twice = windowed(windowed(LimitConfig::fixed(1)));
        assert_eq!(ConcurrencyLimiter::new(&twice).map_err(|e| e.field), Err("limit"));
        let none = LimitConfig::fixed(0);
        assert_eq!(ConcurrencyLimiter::new(&none).map_err(|e| e.field), Err("limit"));
    }
}
