//! Levels over time: the mean and the extremes of each window, and of the whole.
//!
//! A level is set when it changes and costs a few additions. Its windows close when it is set next,
//! so that one which never moves costs nothing. Amounts and areas are whole numbers: a mean is exact
//! however long the run is.

use sim_core::{Span, Time};

/// How much of something there is, in thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Amount(u64);

impl Amount {
    /// So many whole ones.
    pub(crate) const fn of(n: u32) -> Amount {
        Amount(n as u64 * 1000)
    }

    /// The nearest thousandth; nothing of what is below zero or no number.
    pub(crate) fn near(amount: f64) -> Amount {
        Amount((amount * 1000.0 + 0.5) as u64)
    }

    /// One more or one less.
    pub(super) fn and(self, more: i32) -> Amount {
        Amount(self.0.saturating_add_signed(i64::from(more) * 1000))
    }

    pub(super) fn plus(self, more: Amount) -> Amount {
        Amount(self.0 + more.0)
    }

    pub(super) fn minus(self, less: Amount) -> Amount {
        Amount(self.0.saturating_sub(less.0))
    }

    pub(crate) fn as_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }
}

/// A level, and what it was in each window so far.
#[derive(Clone, Debug)]
pub(super) struct Held {
    now: Amount,
    since: Time,
    open: Stretch,
    /// Where the open window ends.
    ends: Time,
    closed: Vec<Closed>,
    /// From the warm-up on.
    whole: Stretch,
    has_moved: bool,
}

/// A level over a stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    /// In thousandths times nanoseconds.
    area: u128,
    least: Amount,
    most: Amount,
}

/// A level in a window that is over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Closed {
    pub(super) mean: f64,
    pub(super) least: Amount,
    pub(super) most: Amount,
}

/// When windows begin, and from when the whole counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    pub(super) width: Span,
    pub(super) from: Time,
}

impl Stretch {
    const fn at(level: Amount) -> Stretch {
        Stretch { area: 0, least: level, most: level }
    }

    fn lasts(&mut self, level: Amount, length: Span) {
        self.area += u128::from(level.0) * u128::from(length.as_nanos());
    }

    fn becomes(&mut self, level: Amount) {
        self.least = self.least.min(level);
        self.most = self.most.max(level);
    }

    fn mean(&self, length: Span) -> f64 {
        match length.as_nanos() {
            0 => self.most.as_f64(),
            nanos => self.area as f64 / nanos as f64 / 1000.0,
        }
    }
}

impl Held {
    pub(super) fn new(level: Amount, clock: Clock) -> Held {
        Held {
            now: level,
            since: Time::ZERO,
            open: Stretch::at(level),
            ends: Time::ZERO + clock.width,
            closed: Vec::new(),
            whole: Stretch::at(level),
            has_moved: false,
        }
    }

    /// The level as it was last set.
    pub(super) fn level(&self) -> Amount {
        self.now
    }

    /// The level is another from now on.
    #[inline]
    pub(super) fn set(&mut self, level: Amount, now: Time, clock: Clock) {
        if level != self.now {
            self.change(level, now, clock);
        }
    }

    fn change(&mut self, level: Amount, now: Time, clock: Clock) {
        self.settle(now, clock);
        self.now = level;
        self.has_moved = true;
        if now + clock.width == self.ends {
            // What was held before has lasted no time in this window.
            self.open = Stretch::at(level);
        } else {
            self.open.becomes(level);
        }
        self.whole.becomes(level);
    }

    /// Time passes at the present level.
    fn settle(&mut self, now: Time, clock: Clock) {
        while now >= self.ends {
            self.pass(self.ends, clock);
            let Stretch { least, most, .. } = self.open;
            self.closed.push(Closed { mean: self.open.mean(clock.width), least, most });
            self.open = Stretch::at(self.now);
            self.ends += clock.width;
        }
        self.pass(now, clock);
    }

    fn pass(&mut self, to: Time, clock: Clock) {
        let length = to.since(self.since);
        self.open.lasts(self.now, length);
        if self.since < clock.from {
            // The warm-up counts for nothing.
            self.whole = Stretch::at(self.now);
            self.whole.lasts(self.now, to.since(clock.from.min(to)));
        } else {
            self.whole.lasts(self.now, length);
        }
        self.since = to;
    }

    /// Whether it ever was another than at the beginning.
    pub(super) fn has_moved(&self) -> bool {
        self.has_moved
    }

    /// The mean and the extremes of the whole, for a run that ended at an instant.
    pub(super) fn whole(&self, end: Time, clock: Clock) -> Closed {
        let mut held = self.clone();
        held.settle(end, clock);
        let Stretch { least, most, .. } = held.whole;
        let mean = held.whole.mean(end.since(clock.from.min(end)));
        Closed { mean, least, most }
    }

    /// So many windows of a run that ended at an instant; the last one may be cut short.
    pub(super) fn windows(&self, count: usize, end: Time, clock: Clock) -> Vec<Closed> {
        let mut held = self.clone();
        held.settle(end, clock);
        let begun = Time::ZERO + clock.width * held.closed.len() as u64;
        let Stretch { least, most, .. } = held.open;
        held.closed.push(Closed { mean: held.open.mean(end.since(begun)), least, most });
        held.closed.truncate(count);
        held.closed
    }
}

/// A share of what is counted, such as hits of lookups, in each window so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Share {
    /// How many were meant, and how many there were, by window.
    windows: Vec<[u32; 2]>,
    /// From the warm-up on.
    whole: [u64; 2],
}

impl Share {
    pub(super) fn count(&mut self, is_meant: bool, now: Time, clock: Clock) {
        let n = (now.as_nanos() / clock.width.as_nanos()) as usize;
        if self.windows.len() <= n {
            self.windows.resize(n + 1, [0, 0]);
        }
        let [meant, all] = &mut self.windows[n];
        (*meant, *all) = (*meant + u32::from(is_meant), *all + 1);
        if now >= clock.from {
            self.whole = [self.whole[0] + u64::from(is_meant), self.whole[1] + 1];
        }
    }

    /// The share of the whole; `None` of nothing.
    pub(super) fn whole(&self) -> Option<f64> {
        let [meant, all] = self.whole;
        (all > 0).then(|| meant as f64 / all as f64)
    }

    /// The share of so many windows.
    pub(super) fn windows(&self, count: usize) -> Vec<Option<f64>> {
        let share = |n: usize| {
            let [meant, all] = self.windows.get(n).copied().unwrap_or_default();
            (all > 0).then(|| f64::from(meant) / f64::from(all))
        };
        (0..count).map(share).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOCK: Clock = Clock { width: Span::millis(10), from: Time::from_nanos(20_000_000) };

    fn at(ms: u64) -> Time {
        Time::ZERO + Span::millis(ms)
    }

    /// One from 5 ms, three from 8 ms, none from 22 ms on.
    fn busy(clock: Clock) -> Held {
        let mut held = Held::new(Amount::default(), clock);
        for (level, ms) in [(1, 5), (3, 8), (0, 22)] {
            held.set(Amount::of(level), at(ms), clock);
        }
        held
    }

    #[test]
    fn a_window_has_the_mean_of_its_level_by_time_and_both_extremes() {
        let windows = |end: Time| busy(CLOCK).windows(4, end, CLOCK);
        let means = |end: Time| windows(end).iter().map(|w| w.mean).collect::<Vec<f64>>();
        assert_eq!(means(at(25)), [0.9, 3.0, 1.2], "the last ends half-way");
        assert_eq!(means(at(39)), [0.9, 3.0, 0.6, 0.0]);
        let extremes = windows(at(40));
        let extremes: Vec<_> = extremes.iter().map(|w| [w.least.0, w.most.0]).collect();
        assert_eq!(extremes, [[0, 3000], [3000, 3000], [0, 3000], [0, 0]]);
        let mut held = busy(CLOCK);
        held.set(Amount::of(2), at(30), CLOCK);
        let last = held.windows(4, at(40), CLOCK)[3];
        assert_eq!([last.least.0, last.most.0], [2000, 2000], "nothing lasts no time");
    }

    #[test]
    fn the_whole_begins_with_what_was_held_at_the_end_of_the_warm_up() {
        let Closed { mean, least, most } = busy(CLOCK).whole(at(40), CLOCK);
        assert_eq!((mean, least.0, most.0), (0.3, 0, 3000), "3 for 2 ms of 20 ms");
        let clock = Clock { from: at(30), ..CLOCK };
        let Closed { mean, most, .. } = busy(clock).whole(at(40), clock);
        assert_eq!((mean, most.0), (0.0, 0), "what was before says nothing");
        let mut held = busy(clock);
        held.set(Amount::of(5), at(35), clock);
        let Closed { mean, most, .. } = held.whole(at(40), clock);
        assert_eq!(mean, 2.5);
        assert_eq!(most.0, 5000);
    }

    #[test]
    fn a_share_is_of_what_was_counted_in_its_window() {
        let mut share = Share::default();
        for (is_meant, ms) in [(true, 1), (false, 2), (true, 25)] {
            share.count(is_meant, at(ms), CLOCK);
        }
        assert_eq!(share.windows(4), [Some(0.5), None, Some(1.0), None]);
        assert_eq!(share.whole(), Some(1.0), "the warm-up is left out");
    }
}
