//! Scales with round ticks.
//!
//! Plotters can place ticks too, but hangs on an infinite range and has no notion of a unit.
//! All ranges here are finite and not empty, whatever the data.

use std::ops::Range;

use sim_core::{Time, math};

use crate::words;

/// What the values of a scale are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    Count,
    Nanos,
    Millis,
    Share,
}

/// How values map to a height.
#[derive(Clone, Debug, PartialEq)]
pub struct Scale {
    /// What they are.
    pub measure: Measure,
    log: bool,
    min: f64,
    max: f64,
    /// The values that are marked, with their labels.
    pub ticks: Vec<(f64, String)>,
}

impl Scale {
    /// From zero to a round value not below `max`, for counts and rates.
    pub fn counts(max: f64) -> Scale {
        let (ticks, max) = ticks_to(max, 4);
        Scale { measure: Measure::Count, log: false, min: 0.0, max, ticks }
    }

    /// For lengths of time in nanoseconds, of which `min` is the least that is not zero:
    /// logarithmic where they span more than a factor of thirty, linear from zero otherwise.
    pub fn lengths(min: u64, max: u64) -> Scale {
        let min = min.max(1);
        if max / min <= 30 {
            let (name, unit) = time_unit(max);
            let (ticks, top) = ticks_to(max as f64 / unit, 4);
            let ticks = ticks.into_iter().map(|(v, text)| (v * unit, format!("{text} {name}")));
            let (max, ticks) = (top * unit, ticks.collect());
            return Scale { measure: Measure::Nanos, log: false, min: 0.0, max, ticks };
        }
        let below = round_lengths().take_while(|&n| n <= min).last().unwrap_or(1);
        let mut marks: Vec<u64> = round_lengths().filter(|&n| n >= below).collect();
        if let Some(last) = marks.iter().position(|&n| n >= max) {
            marks.truncate(last + 1);
        }
        let ends = (marks[0] as f64, marks[marks.len() - 1].max(max) as f64);
        // More than six labels would touch each other; whole decades read best.
        if marks.len() > 6 {
            marks.retain(|n| n.to_string().starts_with('1'));
        }
        let stride = marks.len().div_ceil(6);
        let ticks = marks.iter().step_by(stride).map(|&n| (n as f64, round_length(n))).collect();
        Scale { measure: Measure::Nanos, log: true, min: ends.0, max: ends.1, ticks }
    }

    /// The same for lengths in milliseconds.
    pub fn millis(min: f64, max: f64) -> Scale {
        let scale = Scale::lengths((min * 1e6) as u64, (max * 1e6) as u64);
        let ticks = scale.ticks.into_iter().map(|(nanos, label)| (nanos / 1e6, label)).collect();
        let (min, max) = (scale.min / 1e6, scale.max / 1e6);
        Scale { measure: Measure::Millis, min, max, ticks, ..scale }
    }

    /// From zero to a round share not below `max`, in percent.
    pub fn shares(max: f64) -> Scale {
        let Scale { max, ticks, .. } = Scale::counts(100.0 * max);
        let ticks = ticks.into_iter().map(|(v, text)| (v / 100.0, format!("{text} %"))).collect();
        Scale { measure: Measure::Share, log: false, min: 0.0, max: max / 100.0, ticks }
    }

    /// The greatest value.
    pub const fn max(&self) -> f64 {
        self.max
    }

    /// True for a logarithmic scale.
    pub const fn is_log(&self) -> bool {
        self.log
    }

    /// Where `value` lies, in the unit of [`Scale::range`]; values outside go to the edge.
    pub fn place(&self, value: f64) -> f64 {
        let value = value.clamp(self.min, self.max);
        if self.log { math::ln(value) } else { value }
    }

    /// The places of the least and the greatest value.
    pub fn range(&self) -> Range<f64> {
        self.place(self.min)..self.place(self.max)
    }
}

/// Every 1, 2 and 5 times a power of ten that is a length.
fn round_lengths() -> impl Iterator<Item = u64> {
    let decades = std::iter::successors(Some(1u64), |decade| decade.checked_mul(10));
    decades.flat_map(|decade| [1, 2, 5].into_iter().filter_map(move |d| decade.checked_mul(d)))
}

/// A round length in its unit: `20 us`, `500 ms`, `1,000 s`.
fn round_length(nanos: u64) -> String {
    match nanos {
        ..1_000 => format!("{nanos} ns"),
        1_000..1_000_000 => format!("{} us", nanos / 1_000),
        1_000_000..1_000_000_000 => format!("{} ms", nanos / 1_000_000),
        1_000_000_000..1_000_000_000_000_000 => {
            format!("{} s", words::count(nanos / 1_000_000_000))
        }
        _ => format!("{:e} s", nanos / 1_000_000_000),
    }
}

/// The name of the unit that suits times up to `nanos`, and its length in nanoseconds.
fn time_unit(nanos: u64) -> (&'static str, f64) {
    const SECOND: u64 = 1_000_000_000;
    match nanos {
        ..2_000 => ("ns", 1.0),
        2_000..2_000_000 => ("us", 1e3),
        2_000_000..2_000_000_000 => ("ms", 1e6),
        _ if nanos <= 600 * SECOND => ("s", 1e9),
        _ if nanos <= 600 * 60 * SECOND => ("min", 60e9),
        _ if nanos <= 240 * 3_600 * SECOND => ("h", 3_600e9),
        _ => ("d", 86_400e9),
    }
}

/// The marked instants up to `end` in seconds, with their labels.
pub fn time_ticks(end: Time) -> Vec<(f64, String)> {
    let (name, unit) = time_unit(end.as_nanos());
    let top = end.as_nanos() as f64 / unit;
    let (ticks, _) = ticks_to(top, 10);
    ticks
        .into_iter()
        .filter(|(v, _)| *v <= top)
        .map(|(v, label)| (v * unit / 1e9, format!("{label} {name}")))
        .collect()
}

/// At most `n_max + 1` round values from zero to the first that is not below `max`, and that one.
fn ticks_to(max: f64, n_max: u32) -> (Vec<(f64, String)>, f64) {
    let max = if max > 0.0 && max.is_finite() { max } else { 1.0 };
    let steps = (-6..=20).flat_map(|exponent| [1, 2, 5].map(|digit| (digit, exponent)));
    let value = |n: u32, digit: u32, exponent: i32| {
        let product = f64::from(n * digit);
        if exponent < 0 { product / ten_to(-exponent) } else { product * ten_to(exponent) }
    };
    let (digit, exponent) = steps
        .clone()
        .find(|&(digit, exponent)| value(n_max, digit, exponent) >= max)
        .unwrap_or((5, 20));
    let mut ticks = Vec::new();
    for n in 0..=n_max {
        let v = value(n, digit, exponent);
        ticks.push((v, number(v, exponent)));
        if v >= max {
            break;
        }
    }
    let top = ticks[ticks.len() - 1].0;
    (ticks, top)
}

/// A power of ten; exact up to the 22nd.
fn ten_to(exponent: i32) -> f64 {
    (0..exponent).fold(1.0, |power, _| power * 10.0)
}

/// A tick's number, with as many decimals as its step has.
fn number(value: f64, exponent: i32) -> String {
    match exponent {
        _ if value == 0.0 && exponent >= 0 => "0".to_owned(),
        ..0 => format!("{value:.*}", exponent.unsigned_abs() as usize),
        0..6 => words::count(value as u64),
        6..9 => format!("{}M", words::count((value / 1e6) as u64)),
        _ => format!("{value:e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: &[(f64, String)]) -> Vec<&str> {
        ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_and_cover_the_data() {
        assert_eq!(labels(&Scale::counts(57.0).ticks), ["0", "20", "40", "60"]);
        assert_eq!(labels(&Scale::counts(0.3).ticks), ["0.0", "0.1", "0.2", "0.3"]);
        assert_eq!(labels(&Scale::counts(10_000.0).ticks), ["0", "5,000", "10,000"]);
        let minutes = time_ticks(Time::from_nanos(180_000_000_000));
        assert_eq!(minutes[1], (20.0, "20 s".to_owned()));
    }

    #[test]
    fn no_data_makes_a_range_empty_or_infinite() {
        for max in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300, f64::from(u32::MAX)] {
            let range = Scale::counts(max).range();
            assert!(range.start < range.end && range.end.is_finite(), "{max}: {range:?}");
        }
        for (min, max) in [(0, 0), (1, 1), (1, u64::MAX), (u64::MAX, u64::MAX), (5, 4_000)] {
            let scale = Scale::lengths(min, max);
            let range = scale.range();
            assert!(range.start < range.end && range.end.is_finite(), "{min} {max}: {range:?}");
            assert!(scale.ticks.len() >= 2, "{scale:?}");
        }
        assert!(time_ticks(Time::MAX).len() > 2);
    }

    #[test]
    fn a_wide_range_of_lengths_is_logarithmic() {
        let scale = Scale::lengths(25_000_000, 800_000_000);
        assert!(scale.is_log());
        let all = ["20 ms", "50 ms", "100 ms", "200 ms", "500 ms", "1 s"];
        assert_eq!(labels(&scale.ticks), all);
        let scale = Scale::lengths(2_000_000, 5_900_000_000);
        assert_eq!(labels(&scale.ticks), ["10 ms", "100 ms", "1 s", "10 s"]);
        assert!(!Scale::lengths(100_000_000, 800_000_000).is_log());
    }
}
