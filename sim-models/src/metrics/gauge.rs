//! What a service's workers and queue hold, averaged over time.
//!
//! A gauge sees every change and keeps the area under each level, in whole nanoseconds. So an
//! average is exact however long the run is.

use sim_core::{Span, Time};

use crate::outcome::ServiceLoad;

/// What a service holds at an instant, over all its instances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Level {
    /// Workers there are.
    pub workers: u32,
    /// Workers that are taken.
    pub busy: u32,
    /// Requests waiting for a worker.
    pub waiting: u32,
    /// Instances that take requests.
    pub up: u32,
}

/// The areas under a service's levels, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Areas {
    pub workers: u128,
    pub busy: u128,
    pub waiting: u128,
}

/// The areas under a service's levels from the warm-up on.
#[derive(Clone, Debug)]
pub(crate) struct Gauge {
    from: Time,
    until: Time,
    since: Time,
    level: Level,
    workers: u128,
    busy: u128,
    waiting: u128,
    wasted: u128,
}

impl Gauge {
    /// Measures from an instant on, until another.
    pub(crate) fn new(from: Time, until: Time) -> Gauge {
        let level = Level::default();
        Gauge { from, until, since: from, level, workers: 0, busy: 0, waiting: 0, wasted: 0 }
    }

    /// The level, as it was last set.
    pub(crate) fn level(&self) -> Level {
        self.level
    }

    /// The level has changed.
    pub(crate) fn set(&mut self, level: Level, now: Time) {
        let now = now.min(self.until);
        if now > self.since {
            let length = u128::from(now.since(self.since).as_nanos());
            self.workers += length * u128::from(self.level.workers);
            self.busy += length * u128::from(self.level.busy);
            self.waiting += length * u128::from(self.level.waiting);
            self.since = now;
        }
        self.level = level;
    }

    /// Nanoseconds so far: of workers that there were, of those that were taken, and of requests
    /// that waited.
    pub(crate) fn areas(&self) -> Areas {
        Areas { workers: self.workers, busy: self.busy, waiting: self.waiting }
    }

    /// A worker's time went into something that nobody wants any more.
    pub(crate) fn waste(&mut self, worked: Span, now: Time) {
        if now >= self.from && now <= self.until {
            self.wasted += u128::from(worked.as_nanos());
        }
    }

    /// The averages up to `end`; `None` when the run ended before measuring began.
    pub(crate) fn averages(&self, end: Time) -> Option<ServiceLoad> {
        let mut gauge = self.clone();
        let end = end.min(self.until);
        gauge.set(self.level, end);
        if end <= self.from {
            return None;
        }
        let length = end.since(self.from).as_nanos() as f64;
        let share = |part: u128, whole: u128| (whole > 0).then(|| part as f64 / whole as f64);
        Some(ServiceLoad {
            busy_mean: gauge.busy as f64 / length,
            waiting_mean: gauge.waiting as f64 / length,
            utilisation: share(gauge.busy, gauge.workers).unwrap_or(0.0),
            // Work that began in the warm-up may be wasted after it.
            wasted: share(gauge.wasted, gauge.busy).map(|share| share.min(1.0)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_weighed_by_how_long_they_last_from_the_warm_up_on() {
        let at = |secs| Time::ZERO + Span::secs(secs);
        let mut gauge = Gauge::new(at(10), Time::MAX);
        gauge.set(Level { workers: 4, busy: 4, waiting: 9, up: 1 }, at(2));
        gauge.set(Level { workers: 4, busy: 2, waiting: 0, up: 1 }, at(15));
        gauge.waste(Span::secs(7), at(9));
        gauge.waste(Span::secs(10), at(12));
        let load = gauge.averages(at(30)).unwrap();
        assert_eq!((load.busy_mean, load.waiting_mean), (2.5, 2.25));
        assert_eq!((load.utilisation, load.wasted), (0.625, Some(0.2)));
        assert_eq!(gauge.averages(at(10)), None);
    }
}
