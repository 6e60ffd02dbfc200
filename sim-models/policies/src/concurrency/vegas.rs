//! The limit of TCP Vegas: how long is the queue on the other side?
//!
//! Answers: a limit that falls before anything is lost. What a call takes beyond the shortest time
//! ever seen, it has spent in a queue; from that and the limit follows the length of the queue.
//!
//! Invites: a shortest time that was luck, or that is long gone, makes every call look queued.
//! Hence the *probe*: now and then the next call's time becomes the shortest one, whatever it is.
//! A probe under overload takes the queue for the rule and lets the limit climb.
//!
//! Reference: Netflix concurrency-limits 0.5.4, `VegasLimit`, `Log10RootIntFunction`; Brakmo,
//! Peterson, "TCP Vegas", 1995.
//!
//! ```text
//! queue = ceil(limit * (1 - rtt_noload / rtt))      log = max(1, floor(log10(limit)))
//!
//!   0 .. log       ..  3 log (alpha)  ..  6 log (beta)  ..        queue
//!   + 6 log      |  + log           |   as it is      |  - log    limit, within 1..=max_concurrency
//!
//! a drop         - log, whatever the queue
//! 2 * in_flight < limit: as it is; a probe or a new shortest time: as it is
//! ```
//!
//! The estimate is a fraction; the limit is its whole part. Left out: `threshold`, `increase` and
//! `decrease`, which are functions in the library. Its deprecated `tolerance` and `backoffRatio`
//! do nothing there and do not exist here.

use sim_core::Span;

use super::machine::{Machine, Measured};
use crate::OutOfRange;
use crate::family::Build;
use crate::out_of_range::{at_least_one, within};

/// Where the limit begins and how it moves.
#[derive(Clone, Debug, PartialEq, schemars::JsonSchema, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "VegasLimit")]
pub struct Config {
    /// The limit before the first sample.
    #[schemars(range(min = 1))]
    pub initial_limit: u32,
    /// The highest limit.
    #[schemars(range(min = 1))]
    pub max_concurrency: u32,
    /// How much of a change is made at once; 1 is all of it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub smoothing: f64,
    /// A queue shorter than this lets the limit grow. By default three times the logarithm.
    pub alpha: Option<u32>,
    /// A queue longer than this makes the limit shrink; it is also the step of its fast growth.
    /// By default six times the logarithm.
    pub beta: Option<u32>,
    /// The shortest time is forgotten after so many times the limit of calls, less a random part of
    /// up to a half.
    ///
    /// At 0 every call is a probe, and the limit never moves.
    pub probe_multiplier: u32,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            initial_limit: 20,
            max_concurrency: 1000,
            smoothing: 1.0,
            alpha: None,
            beta: None,
            probe_multiplier: 30,
        }
    }
}

/// A limit that holds the queue on the other side between two lengths.
#[derive(Clone, Debug, PartialEq)]
pub struct Vegas {
    config: Config,
    estimate: f64,
    /// The shortest time since the last probe.
    rtt_noload: Option<Span>,
    /// Calls since the last probe.
    probe_count: u64,
    /// When the next probe is due, as a share of the longest interval. Drawn with the first
    /// sample rather than at the start, which no sample can tell apart.
    probe_jitter: Option<f64>,
}

impl Vegas {
    /// Hears of a call that took `rtt`, above zero, and began as one of `in_flight`, itself
    /// included. `jitter` draws from 0.5..1, at most twice.
    pub fn sample(
        &mut self,
        rtt: Span,
        in_flight: u32,
        dropped: bool,
        jitter: &mut dyn FnMut() -> f64,
    ) {
        self.probe_count += 1;
        let share = *self.probe_jitter.get_or_insert_with(&mut *jitter);
        // In the library's order, since the product decides a tie.
        let due = share * f64::from(self.config.probe_multiplier) * self.estimate;
        if due <= self.probe_count as f64 {
            self.probe_jitter = Some(jitter());
            self.probe_count = 0;
            self.rtt_noload = Some(rtt);
            return;
        }
        match self.rtt_noload {
            Some(shortest) if shortest <= rtt => {
                if let Some(target) = self.target(shortest, rtt, in_flight, dropped) {
                    let target = target.min(f64::from(self.config.max_concurrency)).max(1.0);
                    let smoothing = self.config.smoothing;
                    self.estimate = (1.0 - smoothing) * self.estimate + smoothing * target;
                }
            }
            None | Some(_) => self.rtt_noload = Some(rtt),
        }
    }

    /// Where the limit should move; `None` where it should stay.
    fn target(&self, shortest: Span, rtt: Span, in_flight: u32, dropped: bool) -> Option<f64> {
        let log = log10(self.limit());
        let step = f64::from(log);
        if dropped {
            return Some(self.estimate - step);
        }
        if f64::from(in_flight) * 2.0 < self.estimate {
            return None;
        }
        let alpha = self.config.alpha.unwrap_or(3 * log);
        let beta = self.config.beta.unwrap_or(6 * log);
        let share = shortest.as_nanos() as f64 / rtt.as_nanos() as f64;
        // Not negative, since `rtt` is not shorter than the shortest.
        let queue = (self.estimate * (1.0 - share)).ceil() as u32;
        if queue <= log {
            Some(self.estimate + f64::from(beta))
        } else if queue < alpha {
            Some(self.estimate + step)
        } else if queue > beta {
            Some(self.estimate - step)
        } else {
            None
        }
    }
}

impl Build for Config {
    type Machine = Vegas;

    /// # Errors
    /// When `initial_limit` or `max_concurrency` is zero, or `smoothing` lies outside 0..=1.
    fn build(&self) -> Result<Vegas, OutOfRange> {
        let config = self.clone();
        at_least_one("initial_limit", config.initial_limit)?;
        at_least_one("max_concurrency", config.max_concurrency)?;
        within("smoothing", config.smoothing, 0.0, 1.0)?;
        Ok(Vegas {
            estimate: f64::from(config.initial_limit),
            config,
            rtt_noload: None,
            probe_count: 0,
            probe_jitter: None,
        })
    }
}

impl Machine for Vegas {
    fn hear(&mut self, call: Measured, jitter: &mut dyn FnMut() -> f64) {
        self.sample(call.rtt, call.in_flight, call.dropped, jitter);
    }

    fn limit(&self) -> u32 {
        self.estimate as u32
    }

    fn estimate(&self) -> Option<f64> {
        Some(self.estimate)
    }
}

/// The whole part of the logarithm to base 10, at least 1.
fn log10(limit: u32) -> u32 {
    limit.checked_ilog10().map_or(1, |log| log.max(1))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::family::all_refused;

    fn limit_of(config: Config) -> Vegas {
        config.build().expect("valid")
    }

    /// A limit that has seen a call of 10 ms.
    fn seen_10ms(initial_limit: u32) -> Vegas {
        let mut vegas = limit_of(Config { initial_limit, ..Config::default() });
        vegas.sample(Span::millis(10), initial_limit, false, &mut || 0.9);
        vegas
    }

    /// What one call under full load makes of a limit that knows 10 ms as the shortest time.
    fn after(initial_limit: u32, millis: u64, dropped: bool) -> u32 {
        let mut vegas = seen_10ms(initial_limit);
        vegas.sample(Span::millis(millis), initial_limit, dropped, &mut || 0.9);
        vegas.limit()
    }

    proptest! {
        #[test]
        fn the_limit_stays_between_one_and_its_maximum(
            initial in 1..2000u32, room in 0..500u32, smoothing in 0.0..=1.0,
            probe_multiplier in 0..4u32, alpha in proptest::option::of(0..20u32),
            samples in vec((1..10_000u64, 0..3000u32, any::<bool>(), 0.5..1.0), 0..200),
        ) {
            let max_concurrency = initial + room;
            let mut vegas = limit_of(Config {
                initial_limit: initial, max_concurrency, smoothing, probe_multiplier, alpha,
                ..Config::default()
            });
            for (nanos, in_flight, dropped, jitter) in samples {
                let before = vegas.estimate;
                vegas.sample(Span::nanos(nanos), in_flight, dropped, &mut || jitter);
                prop_assert!((1..=max_concurrency).contains(&vegas.limit()), "{vegas:?}");
                prop_assert!(!dropped || vegas.estimate <= before);
                prop_assert!(
                    f64::from(in_flight) * 2.0 >= before || vegas.estimate <= before
                );
            }
        }
    }

    #[test]
    fn the_length_of_the_queue_decides() {
        // The logarithm of 20 counts as 1, so that alpha is 3 and beta 6.
        assert_eq!(after(20, 10, false), 26, "no queue: plus beta");
        assert_eq!(after(20, 11, false), 21, "2 in the queue: plus one");
        assert_eq!(after(20, 12, false), 20, "4 in the queue: as it is");
        assert_eq!(after(20, 20, false), 19, "10 in the queue: minus one");
        assert_eq!(after(20, 10, true), 19, "a drop: minus one");
        assert_eq!(after(200, 10, false), 212, "the logarithm of 200 is 2");
        assert_eq!(after(1000, 10, false), 1000, "at the maximum");
    }

    #[test]
    fn a_new_shortest_time_changes_nothing_else() {
        let mut vegas = seen_10ms(20);
        vegas.sample(Span::millis(9), 20, true, &mut || 0.9);
        assert_eq!(vegas.limit(), 20, "not even a drop is heard");
        assert_eq!(vegas.rtt_noload, Some(Span::millis(9)));
    }

    #[test]
    fn a_probe_takes_the_next_time_for_the_shortest_and_draws_anew() {
        let config = Config { initial_limit: 10, probe_multiplier: 1, ..Config::default() };
        let mut vegas = limit_of(config);
        let mut luck = [0.5, 0.75].into_iter();
        let mut jitter = || luck.next().expect("two draws");
        for millis in [10, 12, 12, 12] {
            vegas.sample(Span::millis(millis), 0, false, &mut jitter);
        }
        assert_eq!(vegas.rtt_noload, Some(Span::millis(10)));
        vegas.sample(Span::millis(80), 0, false, &mut jitter);
        assert_eq!(vegas.rtt_noload, Some(Span::millis(80)), "the fifth is half of 1 * 10");
        assert_eq!((vegas.probe_count, vegas.probe_jitter), (0, Some(0.75)));
    }

    #[test]
    fn a_sample_may_be_a_probe_at_once() {
        let config = Config { initial_limit: 1, probe_multiplier: 1, ..Config::default() };
        let mut vegas = limit_of(config);
        let mut luck = [0.5, 0.75].into_iter();
        vegas.sample(Span::millis(1), 1, false, &mut || luck.next().expect("two draws"));
        assert_eq!(vegas.probe_jitter, Some(0.75));
    }

    #[test]
    fn the_logarithm_has_a_floor_of_one_and_no_rounding_errors() {
        let logs = [0, 1, 9, 99, 100, 999, 1000, 9999, 1_000_000].map(log10);
        assert_eq!(logs, [1, 1, 1, 1, 2, 2, 3, 3, 6]);
    }

    #[test]
    fn impossible_parameters_are_refused_by_name() {
        let valid = Config::default();
        all_refused([
            ("initial_limit", Config { initial_limit: 0, ..valid.clone() }),
            ("max_concurrency", Config { max_concurrency: 0, ..valid.clone() }),
            ("smoothing", Config { smoothing: 1.1, ..valid.clone() }),
            ("smoothing", Config { smoothing: f64::NAN, ..valid.clone() }),
        ]);
    }
}
