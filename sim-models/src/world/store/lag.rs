//! How far a replica is behind, as a process in time.
//!
//! A replica takes on writes in their order, so that a write waits for those before it. Lags drawn
//! write by write would add up to more than what was drawn: each waits for the longest before it,
//! and the more writes there are, the longer that is. Here the lag falls as fast as time passes, and
//! jumps up now and then. The jumps are such that, however often somebody writes, the lag of a write
//! has the distribution F that the scenario states. After a time d the lag is the larger of two: the
//! lag before, less d, and the highest that a jump since has left, which is at most x with the
//! probability F(x) / F(x + d).
//!
//! This holds for each F whose logarithm is concave: a constant and the continuous families. Those
//! that have gaps (mixtures, ranks, measured values) cannot be held to: a lag that falls crosses the
//! gap. Of them one lag is drawn for ten times its mean. A reader sees it, and what the fall from a
//! long one to a short one adds.

use sim_core::{Dist, Span, Time};

/// Halvings of a probability: as fine as a tenth of a billionth.
const HALVINGS: u32 = 33;

/// How many times the mean a lag lasts that cannot change steadily.
const LASTS: f64 = 10.0;

/// The lag of one replica.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::world) struct Lag {
    /// At the last write, or where it last changed: when, and how many seconds.
    last: Option<(Time, f64)>,
}

impl Lag {
    /// The lag of a write at `now`. `draw` lies in (0, 1); `sample` draws a lag anew.
    pub(super) fn of_write(
        &mut self,
        dist: &Dist,
        now: Time,
        draw: f64,
        sample: impl FnOnce() -> f64,
    ) -> Span {
        let Some((then, lag)) = self.last else {
            let lag = sample();
            self.last = Some((now, lag));
            return Span::from_secs_f64(lag);
        };
        let passed = now.since(then).as_secs_f64();
        match highest_since(dist, passed, draw) {
            Some(highest) => self.last = Some((now, (lag - passed).max(highest))),
            None if passed >= LASTS * dist.mean() => self.last = Some((now, sample())),
            None => {}
        }
        Span::from_secs_f64(self.last.map_or(0.0, |(_, lag)| lag))
    }
}

/// The x at which F(x) / F(x + passed) is the draw. By halving over the probability v = F(x +
/// passed): x is the quantile of draw × v.
fn highest_since(dist: &Dist, passed: f64, draw: f64) -> Option<f64> {
    let gap = |v: f64| Some(dist.quantile(v)? - dist.quantile(draw * v)?);
    let (mut low, mut high) = (0.0, 1.0 - f64::EPSILON);
    if gap(high)? <= passed {
        return dist.quantile(draw * high);
    }
    for _ in 0..HALVINGS {
        let middle = (low + high) / 2.0;
        if gap(middle)? < passed {
            low = middle;
        } else {
            high = middle;
        }
    }
    dist.quantile(draw * low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::{Draw, Purpose, Stream, Streams};

    /// The lags that somebody sees who looks once a second, at so many writes a second, in order
    /// of their size.
    fn lags(dist: &Dist, per_second: u64) -> Vec<f64> {
        let mut draws: Stream = Streams::new(7).open(Purpose(1), 0);
        let (mut lag, mut there) = (Lag::default(), Time::ZERO);
        let gap = Span::nanos(1_000_000_000 / per_second);
        let writes = (0..40_000 * per_second).map(|n| {
            let now = Time::ZERO + gap * n;
            let draw = draws.unit_open();
            let lag = lag.of_write(dist, now, draw, || dist.sample(&mut draws));
            there = there.max(now + lag);
            there.since(now).as_secs_f64()
        });
        let mut lags: Vec<f64> = writes.step_by(per_second as usize).collect();
        lags.sort_unstable_by(f64::total_cmp);
        lags
    }

    #[test]
    fn a_reader_sees_the_lag_that_was_stated_however_often_somebody_writes() {
        for dist in [
            Dist::lognormal_from_percentiles(0.2, 3.0),
            Dist::exponential(0.3),
            Dist::uniform(0.1, 0.4),
            Dist::constant(0.25),
        ] {
            let dist = dist.expect("it is right");
            for per_second in [1, 20] {
                let lags = lags(&dist, per_second);
                for share in [0.1, 0.5, 0.9, 0.99] {
                    let seen = lags[(lags.len() as f64 * share) as usize];
                    let stated = dist.quantile(share).expect("it has one");
                    let place = format!("{share} of {dist:?} at {per_second}/s");
                    assert!((seen / stated - 1.0).abs() < 0.1, "{place}: {seen}, not {stated}");
                }
            }
        }
    }

    #[test]
    fn a_lag_with_a_gap_does_not_grow_with_the_writes() {
        let quick = Dist::constant(0.01).expect("it is right");
        let slow = Dist::constant(1.0).expect("it is right");
        let dist = Dist::mixture(vec![(9.0, quick), (1.0, slow)]).expect("it is right");
        for per_second in [1, 20] {
            let lags = lags(&dist, per_second);
            let slow = lags.iter().filter(|lag| **lag > 0.02).count() as f64 / lags.len() as f64;
            assert!((0.08..0.3).contains(&slow), "{per_second}/s: {slow}");
            assert!(lags[lags.len() / 2] < 0.011, "{per_second}/s");
        }
    }
}
