//! Figures with their units, as people read them.

use sim_core::Span;
use sim_models::outcome::ActorKind;
use sim_models::study::{Comparison, Contrast, Interval, Kind, Unit};

use crate::words::{self, NONE};

/// Significant digits of a figure.
const DIGITS: usize = 4;

/// A figure with its unit: `49.31 /s`, `97.92 %`, `12.3 ms`.
pub fn figure(unit: Unit, value: f64) -> String {
    match unit {
        Unit::PerSecond => format!("{} /s", rounded(value, DIGITS)),
        Unit::Share => share(value),
        Unit::Millis if value < 0.0 => format!("-{}", figure(unit, -value)),
        Unit::Millis => words::duration(Span::from_secs_f64(value / 1000.0)),
        Unit::Ratio | Unit::Count => rounded(value, DIGITS),
    }
}

/// A figure that may be known from below only: `≥ 12.3 ms`.
pub fn bound(at_least: bool, figure: String) -> String {
    if at_least { format!("≥ {figure}") } else { figure }
}

/// A figure that may be there.
pub fn optional(unit: Unit, value: Option<f64>) -> String {
    value.map_or_else(|| NONE.to_owned(), |value| figure(unit, value))
}

/// A difference with its sign; that of shares in points, as 5 % more of 50 % is another thing.
pub fn difference(unit: Unit, value: f64) -> String {
    let sign = if value > 0.0 { "+" } else { "" };
    let size = figure(unit, value);
    match unit {
        Unit::Share => format!("{sign}{}", size.replace('%', "points")),
        _ => format!("{sign}{size}"),
    }
}

/// An interval: `49.28 /s to 49.35 /s`.
pub fn interval(unit: Unit, interval: Option<Interval>) -> String {
    ends(interval, |end| figure(unit, end))
}

/// The same where there is little room: `49.28 to 49.35 /s`.
pub fn range(unit: Unit, interval: Interval) -> String {
    short_ends(interval, |end| figure(unit, end))
}

/// The interval of a difference where there is little room: `-1.2 to +3 ms`.
pub fn difference_range(unit: Unit, interval: Interval) -> String {
    short_ends(interval, |end| difference(unit, end))
}

/// The ends of an interval; a unit that both have is written once.
fn short_ends(interval: Interval, end: impl Fn(f64) -> String) -> String {
    let is_bounded = interval.low.is_finite() && interval.high.is_finite();
    let both = [interval.low, interval.high].map(&end);
    match both.each_ref().map(|end| end.split_once(' ')) {
        [Some((low, unit)), Some((_, other))] if unit == other && is_bounded => {
            format!("{low} to {}", both[1])
        }
        _ => ends(Some(interval), end),
    }
}

/// The ends of an interval; one that nothing is known of is left out.
fn ends(interval: Option<Interval>, end: impl Fn(f64) -> String) -> String {
    match interval {
        Some(Interval { low: f64::NEG_INFINITY, high }) => format!("at most {}", end(high)),
        Some(Interval { low, high: f64::INFINITY }) => format!("at least {}", end(low)),
        Some(Interval { low, high }) => format!("{} to {}", end(low), end(high)),
        None => NONE.to_owned(),
    }
}

/// The interval of a difference: `-1.2 ms to +3 ms`.
pub fn difference_interval(unit: Unit, interval: Option<Interval>) -> String {
    ends(interval, |end| difference(unit, end))
}

/// A share in percent. What is not quite all or nothing never reads as that.
pub fn share(value: f64) -> String {
    let (sign, size) = (if value < 0.0 { "-" } else { "" }, value.abs());
    let decimals = if (0.01..=0.99).contains(&size) { 2 } else { 3 };
    match size {
        0.0 => "0 %".to_owned(),
        1.0 => format!("{sign}100 %"),
        _ if size < 0.000_005 => format!("{sign}<0.001 %"),
        _ if size < 1.0 && size > 0.999_995 => format!("{sign}>99.999 %"),
        _ => format!("{sign}{:.decimals$} %", size * 100.0),
    }
}

/// A number in so many significant digits, without trailing zeros, and never with an exponent.
pub fn rounded(value: f64, digits: usize) -> String {
    let exact: f64 = format!("{value:.*e}", digits - 1).parse().expect("a number just written");
    // `-0` reads as if something were missing.
    format!("{}", if exact == 0.0 { 0.0 } else { exact })
}

/// Whether a contrast concerns users: a latency within the system says little of what they have.
pub fn is_of_users(comparison: &Comparison, contrast: &Contrast) -> bool {
    let is_client = |actor: &str| {
        let mut latencies = comparison.sides[0].summary.latencies.iter();
        latencies.any(|latency| latency.of == actor && latency.kind == Some(ActorKind::Client))
    };
    match contrast.figure.kind {
        Kind::Percentile(_) | Kind::LatencyMean => {
            contrast.figure.of.as_deref().is_some_and(is_client)
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_carry_their_units() {
        for (unit, value, text) in [
            (Unit::PerSecond, 49.3149, "49.31 /s"),
            (Unit::Share, 0.979_21, "97.92 %"),
            (Unit::Share, 0.001_234, "0.123 %"),
            (Unit::Share, 0.999_999_9, ">99.999 %"),
            (Unit::Share, 1.0, "100 %"),
            (Unit::Share, 0.000_000_1, "<0.001 %"),
            (Unit::Millis, 12.345, "12.3 ms"),
            (Unit::Millis, -1500.0, "-1.5 s"),
            (Unit::Ratio, 1.0, "1"),
            (Unit::Count, 123_456.7, "123500"),
            (Unit::Count, -0.0, "0"),
        ] {
            assert_eq!(figure(unit, value), text);
        }
        assert_eq!(difference(Unit::Millis, 2.0), "+2 ms");
        assert_eq!(difference(Unit::Share, -0.5), "-50.00 points");
        assert_eq!(interval(Unit::Ratio, None), NONE);
        let apart = Interval { low: -0.002, high: 0.5 };
        assert_eq!(difference_range(Unit::Share, apart), "-0.200 to +50.00 points");
        assert_eq!(range(Unit::Millis, Interval { low: 900.0, high: 1500.0 }), "900 ms to 1.5 s");
        let open = Interval { low: 900.0, high: f64::INFINITY };
        assert_eq!(range(Unit::Millis, open), "at least 900 ms");
    }
}
