//! How often something happens while its rate changes: the intensity of a point process.
//!
//! A rate over time is linear from one breakpoint to the next, and may jump at one. A process of
//! rate one becomes a process of this rate by a change of time. The next event comes when the
//! integral of the rate has grown by the gap of the unit process ([`Intensity::after`]). The
//! integral is inverted exactly, piece by piece, so nothing is drawn that is thrown away again. The
//! n-th event uses the n-th gap whatever the rate, and two runs that differ only in their rates
//! stay paired. Where the rate is constant, a gap is the mean gap times the unit gap, rounded once.
//!
//! The rate is zero before the first breakpoint and from the end on.

use crate::math;
use crate::time::{Span, Time};

/// A swing is drawn in so many straight lines per period: a quarter of an hour of a day.
pub const SWING_LINES: u64 = 96;

/// A rate, per second, from one instant until another, itself excluded.
///
/// ```
/// use sim_core::{Intensity, Span, Time};
///
/// let at = |secs| Time::ZERO + Span::secs(secs);
/// let mut rate = Intensity::constant(2.0, at(0), at(60));
/// rate.replace(at(20), at(25), 10.0);
/// assert_eq!(rate.integral(at(0), at(60)), 2.0 * 55.0 + 10.0 * 5.0);
/// // The first 40 events of an even flow take 20 seconds, the next 10 only one.
/// assert_eq!(rate.after(at(0), 50.0), Some(at(21)));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Intensity {
    /// In order of time; the first begins where the rate does.
    pieces: Vec<Piece>,
    end: Time,
}

/// Up to the next piece, or the end.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Piece {
    at: Time,
    /// The rate at the beginning.
    from: f64,
    /// The rate just before the next piece.
    to: f64,
}

/// Rates are finite and at least 0; what is not counts as 0.
impl Intensity {
    /// The same rate all the time.
    pub fn constant(rate: f64, from: Time, until: Time) -> Intensity {
        let rate = sound(rate);
        let end = until.max(from);
        Intensity { pieces: vec![Piece { at: from, from: rate, to: rate }], end }
    }

    /// Where the rate begins.
    pub fn start(&self) -> Time {
        self.pieces[0].at
    }

    /// Where it ends.
    pub fn end(&self) -> Time {
        self.end
    }

    /// Sets the rate for a while; what lies outside of the whole is ignored.
    pub fn replace(&mut self, from: Time, until: Time, rate: f64) {
        let rate = sound(rate);
        self.reshape(from, until, |_, piece| Piece { from: rate, to: rate, ..piece });
    }

    /// Lets the rate change steadily from what it is at `from` to `rate` at `until`, where it then
    /// stays.
    pub fn ramp(&mut self, from: Time, until: Time, rate: f64) {
        let (first, last) = (self.rate(from), sound(rate));
        let length = until.since(from).as_secs_f64();
        let at = |time: Time| {
            let share = time.since(from).as_secs_f64() / length;
            first + (last - first) * share
        };
        if length > 0.0 {
            self.reshape(from, until, |end, piece| Piece {
                from: at(piece.at),
                to: at(end),
                ..piece
            });
        }
        self.replace(until, Time::MAX, last);
    }

    /// Multiplies the rate by `1 - amplitude * cos(2 pi t / period)`: lowest at zero, highest half a
    /// period later, the mean of a period unchanged. Straight lines lead from each of
    /// [`SWING_LINES`] points of the curve to the next.
    ///
    /// # Panics
    /// When the period is so short that its lines have no length.
    pub fn swing(&mut self, period: Span, amplitude: f64) {
        let step = period.as_nanos() / SWING_LINES;
        assert!(step > 0, "a swing's lines need a length");
        let factor = |time: Time| {
            let phase = (time.as_nanos() % period.as_nanos()) as f64 / period.as_nanos() as f64;
            sound(1.0 - amplitude * math::cos(phase * std::f64::consts::TAU))
        };
        let mut at = self.start().as_nanos() / step * step;
        while at < self.end.as_nanos() {
            self.cut(Time::from_nanos(at));
            at += step;
        }
        self.reshape(Time::ZERO, Time::MAX, |end, Piece { at, from, to }| Piece {
            at,
            from: from * factor(at),
            to: to * factor(end),
        });
    }

    /// The rate at an instant; where it jumps, after the jump.
    pub fn rate(&self, at: Time) -> f64 {
        if at < self.start() || at >= self.end {
            return 0.0;
        }
        let n = self.index(at);
        self.pieces[n].rate(at, self.end_of(n))
    }

    /// How many events are to be expected between two instants.
    pub fn integral(&self, from: Time, until: Time) -> f64 {
        let part = |n: usize| {
            let (piece, end) = (self.pieces[n], self.end_of(n));
            let (from, until) = (from.max(piece.at), until.min(end));
            let middle = (piece.rate(from, end) + piece.rate(until, end)) / 2.0;
            middle * until.since(from).as_secs_f64()
        };
        (0..self.pieces.len()).map(part).sum()
    }

    /// When the integral of the rate from `now` on reaches `units`; `None` when it never does. It
    /// rises with `units` and with `now`.
    pub fn after(&self, now: Time, units: f64) -> Option<Time> {
        let (mut now, mut units) = (now.max(self.start()), units);
        if now >= self.end {
            return None;
        }
        for n in self.index(now)..self.pieces.len() {
            let end = self.end_of(n);
            match self.pieces[n].after(now, end, units) {
                Ok(at) if at < end => return Some(at),
                Ok(_) => units = 0.0,
                Err(left) => units = left,
            }
            now = end;
        }
        None
    }

    /// The piece that an instant within the whole lies in.
    fn index(&self, at: Time) -> usize {
        self.pieces.partition_point(|piece| piece.at <= at) - 1
    }

    fn end_of(&self, n: usize) -> Time {
        self.pieces.get(n + 1).map_or(self.end, |next| next.at)
    }

    /// Makes a piece begin at an instant, and gives its number; that of the first, or one beyond the
    /// last, when the instant lies outside.
    fn cut(&mut self, at: Time) -> usize {
        if at <= self.start() {
            return 0;
        }
        if at >= self.end {
            return self.pieces.len();
        }
        let n = self.index(at);
        let (piece, end) = (self.pieces[n], self.end_of(n));
        if piece.at == at {
            return n;
        }
        let rate = piece.rate(at, end);
        self.pieces[n].to = rate;
        self.pieces.insert(n + 1, Piece { at, from: rate, to: piece.to });
        n + 1
    }

    /// Changes every piece within two instants; the change gets the end of the piece.
    fn reshape(&mut self, from: Time, until: Time, change: impl Fn(Time, Piece) -> Piece) {
        let first = self.cut(from);
        let last = self.cut(until);
        for n in first..last {
            self.pieces[n] = change(self.end_of(n), self.pieces[n]);
        }
        // Neighbours of one constant rate are one piece, so that a gap across them is rounded once.
        self.pieces.dedup_by(|next, piece| {
            piece.from == piece.to && next.from == next.to && piece.to == next.from
        });
    }
}

impl Piece {
    fn rate(self, at: Time, end: Time) -> f64 {
        if self.from == self.to {
            return self.from;
        }
        let share = at.since(self.at).as_secs_f64() / end.since(self.at).as_secs_f64();
        self.from + (self.to - self.from) * share
    }

    /// When the integral from `now` on reaches `units`, or how much is left of them at the end.
    fn after(self, now: Time, end: Time, units: f64) -> Result<Time, f64> {
        let length = end.since(now);
        if self.from == self.to {
            if self.from == 0.0 {
                return Err(units);
            }
            // The gap as a whole number of nanoseconds, which is what a rate stands for.
            let gap = Span::from_secs_f64(1.0 / self.from);
            let need = gap * units;
            if need < length {
                return Ok(now + need);
            }
            let passed = length.as_nanos() as f64 / gap.as_nanos() as f64;
            return Err((units - passed).max(0.0));
        }
        let (rate, seconds) = (self.rate(now, end), length.as_secs_f64());
        let passed = (rate + self.to) / 2.0 * seconds;
        if units >= passed {
            return Err(units - passed);
        }
        // The root of rate * x + slope * x^2 / 2 = units, in the form that loses no digits.
        let slope = (self.to - rate) / seconds;
        let root = (rate * rate + 2.0 * slope * units).max(0.0).sqrt();
        Ok(now + Span::from_secs_f64(2.0 * units / (rate + root)))
    }
}

fn sound(rate: f64) -> f64 {
    if rate.is_finite() { rate.max(0.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::{Draw, Purpose, Streams};

    fn at(secs: f64) -> Time {
        Time::ZERO + Span::from_secs_f64(secs)
    }

    /// A ramp, a pause, a spike and a swing in one.
    fn eventful() -> Intensity {
        let mut rate = Intensity::constant(40.0, at(5.0), at(100.0));
        rate.ramp(at(20.0), at(40.0), 80.0);
        rate.replace(at(50.0), at(60.0), 0.0);
        rate.swing(Span::secs(30), 0.5);
        rate.replace(at(70.0), at(75.0), 200.0);
        rate
    }

    #[test]
    fn a_constant_rate_gives_the_rounded_mean_gap_times_the_unit_gap() {
        let mut rate = Intensity::constant(3.0, Time::ZERO, at(1e6));
        // Also when the same rate replaced it, which leaves no seam.
        rate.replace(at(0.5), at(2.0), 3.0);
        let gap = Span::from_secs_f64(1.0 / 3.0);
        let mut draws = Streams::new(1).open(Purpose(0), 0);
        let mut now = Time::ZERO;
        for _ in 0..1000 {
            let units = -math::ln(draws.unit_open());
            let next = rate.after(now, units);
            assert_eq!(next, Some(now + gap * units));
            now = next.unwrap();
        }
        assert_eq!(rate.after(at(999_999.9), 1.0), None);
    }

    #[test]
    fn the_integral_up_to_the_next_event_is_the_unit_gap() {
        let rate = eventful();
        for start in 0..1000 {
            let now = at(f64::from(start) / 10.0);
            for units in [0.01, 0.7, 5.0, 300.0, 1000.0] {
                match rate.after(now, units) {
                    Some(next) => {
                        let passed = rate.integral(now, next);
                        assert!((passed - units).abs() < 1e-5, "{now} + {units}: {passed}");
                    }
                    None => assert!(rate.integral(now, at(100.0)) <= units + 1e-5),
                }
            }
        }
    }

    #[test]
    fn time_changes_monotonely() {
        let rate = eventful();
        let after = |now, units| rate.after(now, units).unwrap_or(Time::MAX);
        for n in 0..10_000 {
            let (now, later) = (at(f64::from(n) / 99.0), at(f64::from(n + 1) / 99.0));
            let units = f64::from(n) / 100.0;
            assert!(after(now, units) <= after(now, units + 0.01), "{now} {units}");
            assert!(after(now, 1.0) <= after(later, 1.0), "{now}");
        }
    }

    #[test]
    fn as_many_events_come_as_the_integral_says() {
        let rate = eventful();
        let mut draws = Streams::new(7).open(Purpose(0), 0);
        let windows: Vec<(Time, Time)> =
            (0..20).map(|n| (at(5.0 * f64::from(n)), at(5.0 * f64::from(n + 1)))).collect();
        let mut counts = vec![0.0; windows.len()];
        const ROUNDS: f64 = 200.0;
        for _ in 0..ROUNDS as u32 {
            let mut now = Time::ZERO;
            while let Some(next) = rate.after(now, -math::ln(draws.unit_open())) {
                counts[(next.as_secs_f64() / 5.0) as usize] += 1.0;
                now = next;
            }
        }
        for ((from, until), count) in windows.into_iter().zip(counts) {
            let mean = ROUNDS * rate.integral(from, until);
            let z = (count - mean) / mean.max(1.0).sqrt();
            assert!(z.abs() < 4.0, "{from}: {count} instead of {mean}");
        }
    }

    #[test]
    fn a_ramp_stays_where_it_led_and_a_swing_keeps_the_mean() {
        let mut rate = Intensity::constant(10.0, Time::ZERO, at(100.0));
        rate.ramp(at(20.0), at(40.0), 30.0);
        assert_eq!((rate.rate(at(20.0)), rate.rate(at(30.0))), (10.0, 20.0));
        assert_eq!((rate.rate(at(40.0)), rate.rate(at(99.0))), (30.0, 30.0));
        assert_eq!((rate.rate(at(100.0)), rate.integral(at(20.0), at(40.0))), (0.0, 400.0));

        let mut day = Intensity::constant(10.0, Time::ZERO, at(48.0));
        day.swing(Span::secs(24), 0.5);
        assert!((day.rate(at(0.0)) - 5.0).abs() < 1e-9 && (day.rate(at(12.0)) - 15.0).abs() < 1e-9);
        assert!((day.integral(at(0.0), at(24.0)) - 240.0).abs() < 1e-6);
        assert!((day.integral(at(24.0), at(36.0)) - 120.0).abs() < 1e-6, "half a period is even");
    }

    #[test]
    fn without_a_rate_nothing_comes() {
        let mut rate = Intensity::constant(10.0, at(10.0), at(20.0));
        rate.replace(at(12.0), at(15.0), 0.0);
        assert_eq!(rate.after(Time::ZERO, 0.0), Some(at(10.0)), "it begins later");
        assert_eq!(rate.after(at(12.0), 0.0), Some(at(15.0)), "not in the pause");
        assert_eq!(rate.after(at(20.0), 0.0), None);
        assert_eq!(Intensity::constant(f64::NAN, at(0.0), at(9.0)).after(at(0.0), 0.0), None);
    }
}
