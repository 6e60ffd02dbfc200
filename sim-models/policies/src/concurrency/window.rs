//! Gathers samples for a while and tells the limit behind it only of their mean.
//!
//! Answers: single calls are noise. One slow request says little of the other side, the mean of a
//! second says more.
//!
//! Invites: a limit that moves once a second is late for a burst. One drop marks its whole window.
//!
//! Reference: Netflix concurrency-limits 0.5.4, `WindowedLimit`, `ImmutableAverageSampleWindow`.
//!
//! ```text
//!             rtt < min_rtt_threshold: not heard
//! sample ---> [ sum, count, shortest, most in flight, any drop ]
//!                | a sample that ends after the window's end closes it, and belongs to it
//!                v
//!             window_size samples or more: the mean goes to the limit; fewer: forgotten
//!             next end = end of that call + clamp(2 * shortest, min_window_time, max_window_time)
//! ```
//!
//! The first window ends with the first sample, which is one too few. Left out: the window that
//! tracks a percentile in place of the mean.

use sim_core::{Span, Time};

use super::machine::Measured;
use crate::OutOfRange;

/// The shortest window that the library takes.
const SHORTEST: Span = Span::millis(100);

/// How long a window is and what it takes.
#[derive(Clone, Debug, PartialEq, schemars::JsonSchema, serde::Deserialize, serde::Serialize)]
#[serde(rename = "SampleWindow", deny_unknown_fields, default)]
pub struct Config {
    /// The shortest window.
    #[schemars(extend("x-minimum" = "100ms"))]
    pub min_window_time: Span,
    /// The longest window; it wins over the shortest.
    #[schemars(extend("x-minimum" = "100ms"))]
    pub max_window_time: Span,
    /// Samples without which a window is forgotten.
    #[schemars(range(min = 10))]
    pub window_size: u32,
    /// Shorter calls are not heard.
    pub min_rtt_threshold: Span,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            min_window_time: Span::secs(1),
            max_window_time: Span::secs(1),
            window_size: 10,
            min_rtt_threshold: Span::micros(100),
        }
    }
}

/// The window under way.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    config: Config,
    /// The window ends with the first call that ends after this.
    ends_after: Time,
    gathered: Gathered,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Gathered {
    shortest: Option<Span>,
    sum: Span,
    count: u32,
    in_flight_max: u32,
    dropped: bool,
}

impl Window {
    /// An empty window, whose end is at the start.
    ///
    /// # Errors
    /// When a window time is below 100 ms, or `window_size` below 10.
    pub fn new(config: Config) -> Result<Window, OutOfRange> {
        let times = [
            ("min_window_time", config.min_window_time),
            ("max_window_time", config.max_window_time),
        ];
        for (field, time) in times {
            if time < SHORTEST {
                return Err(OutOfRange::new(field, time, format!("at least {SHORTEST}")));
            }
        }
        if config.window_size < 10 {
            return Err(OutOfRange::new("window_size", config.window_size, "at least 10"));
        }
        Ok(Window { config, ends_after: Time::ZERO, gathered: Gathered::default() })
    }

    /// Takes a call in; returns what the limit shall hear when that closes the window.
    pub fn sample(&mut self, call: Measured) -> Option<Measured> {
        if call.rtt < self.config.min_rtt_threshold {
            return None;
        }
        let gathered = &mut self.gathered;
        let shortest = gathered.shortest.map_or(call.rtt, |shortest| shortest.min(call.rtt));
        gathered.shortest = Some(shortest);
        gathered.sum += call.rtt;
        gathered.count += 1;
        gathered.in_flight_max = gathered.in_flight_max.max(call.in_flight);
        gathered.dropped |= call.dropped;
        let end = call.started + call.rtt;
        if end <= self.ends_after {
            return None;
        }
        let Gathered { sum, count, in_flight_max, dropped, .. } = std::mem::take(gathered);
        let length = (shortest * 2u64).max(self.config.min_window_time);
        self.ends_after = end + length.min(self.config.max_window_time);
        (count >= self.config.window_size).then(|| Measured {
            started: call.started,
            rtt: sum / u64::from(count),
            in_flight: in_flight_max,
            dropped,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn call(started_ms: u64, rtt: Span) -> Measured {
        Measured {
            started: Time::ZERO + Span::millis(started_ms),
            rtt,
            in_flight: 1,
            dropped: false,
        }
    }

    fn default_window() -> Window {
        Window::new(Config::default()).expect("valid")
    }

    proptest! {
        /// Keeps all calls of a window and folds them at its end.
        #[test]
        fn a_window_tells_the_mean_the_most_and_any_drop(
            gaps in vec((0..150u64, 0..2_000_000u64, 0..50u32, any::<bool>()), 0..200),
        ) {
            let mut window = default_window();
            let (mut now, mut kept, mut ends_after) = (0, Vec::new(), Time::ZERO);
            for (gap, nanos, in_flight, dropped) in gaps {
                now += gap;
                let call = Measured { in_flight, dropped, ..call(now, Span::nanos(nanos)) };
                let told = window.sample(call);
                if nanos < 100_000 {
                    prop_assert_eq!(told, None);
                    continue;
                }
                kept.push(call);
                let end = call.started + call.rtt;
                if end <= ends_after {
                    prop_assert_eq!(told, None);
                    continue;
                }
                ends_after = end + Span::secs(1);
                let total: u64 = kept.iter().map(|call| call.rtt.as_nanos()).sum();
                let folded = Measured {
                    started: call.started,
                    rtt: Span::nanos(total / kept.len() as u64),
                    in_flight: kept.iter().map(|call| call.in_flight).max().unwrap_or(0),
                    dropped: kept.iter().any(|call| call.dropped),
                };
                prop_assert_eq!(told, (kept.len() >= 10).then_some(folded));
                kept.clear();
            }
        }
    }

    #[test]
    fn the_first_sample_closes_the_first_window_and_is_forgotten() {
        let mut window = default_window();
        assert_eq!(window.sample(call(0, Span::millis(5))), None);
        assert_eq!(window.gathered, Gathered::default());
        assert_eq!(window.ends_after, Time::ZERO + Span::millis(1005));
    }

    #[test]
    fn a_call_that_ends_exactly_at_the_end_stays_within() {
        let mut window = default_window();
        window.sample(call(0, Span::millis(5)));
        for _ in 0..9 {
            assert_eq!(window.sample(call(10, Span::millis(20))), None);
        }
        assert_eq!(window.sample(call(1000, Span::millis(5))), None);
        let closing = window.sample(call(1001, Span::millis(5))).expect("eleven are enough");
        assert_eq!(closing.rtt, Span::nanos((9 * 20_000_000 + 10_000_000) / 11));
    }

    #[test]
    fn the_longest_window_wins_over_the_shortest() {
        let config = Config {
            min_window_time: Span::secs(4),
            max_window_time: Span::secs(2),
            ..Config::default()
        };
        let mut window = Window::new(config).expect("valid");
        window.sample(call(0, Span::millis(1)));
        assert_eq!(window.ends_after, Time::ZERO + Span::millis(2001));
    }

    #[test]
    fn impossible_parameters_are_refused_by_name() {
        let valid = Config::default();
        let short = Span::millis(99);
        for (config, field) in [
            (Config { min_window_time: short, ..valid.clone() }, "min_window_time"),
            (Config { max_window_time: short, ..valid.clone() }, "max_window_time"),
            (Config { window_size: 9, ..valid.clone() }, "window_size"),
        ] {
            assert_eq!(Window::new(config).map_err(|e| e.field), Err(field));
        }
    }
}
