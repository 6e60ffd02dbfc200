//! Virtual time: [`Time`] is an instant, [`Span`] a length, both whole nanoseconds.
//!
//! Integers decide: no instant is ever computed in floating point, so that two machines agree on
//! which of two events is earlier. A `u64` of nanoseconds reaches 584 years; arithmetic saturates
//! at [`Time::MAX`], which reads as "never".

use std::borrow::Cow;
use std::fmt;
use std::ops::{Add, AddAssign, Div, Mul, Sub};
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const MICRO: u64 = 1_000;
const MILLI: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;

/// Units that a span may be written in, longest first.
const UNITS: [(&str, u64); 7] = [
    ("d", 86_400 * SECOND),
    ("h", 3_600 * SECOND),
    ("m", 60 * SECOND),
    ("s", SECOND),
    ("ms", MILLI),
    ("us", MICRO),
    ("ns", 1),
];

/// An instant of virtual time, in nanoseconds since the start of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

/// A length of virtual time, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(u64);

impl Time {
    /// The start of every run.
    pub const ZERO: Time = Time(0);
    /// Later than every event: "never".
    pub const MAX: Time = Time(u64::MAX);

    /// The instant `nanos` nanoseconds after the start.
    pub const fn from_nanos(nanos: u64) -> Time {
        Time(nanos)
    }

    /// Nanoseconds since the start.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Seconds since the start, for display and charts only.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / SECOND as f64
    }

    /// How long after `earlier` this instant lies; zero when it does not.
    pub const fn since(self, earlier: Time) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);
    /// Longer than any run.
    pub const MAX: Span = Span(u64::MAX);

    /// A span of `n` nanoseconds.
    pub const fn nanos(n: u64) -> Span {
        Span(n)
    }

    /// A span of `n` microseconds, saturating.
    pub const fn micros(n: u64) -> Span {
        Span(n.saturating_mul(MICRO))
    }

    /// A span of `n` milliseconds, saturating.
    pub const fn millis(n: u64) -> Span {
        Span(n.saturating_mul(MILLI))
    }

    /// A span of `n` seconds, saturating.
    pub const fn secs(n: u64) -> Span {
        Span(n.saturating_mul(SECOND))
    }

    /// The span nearest to `secs` seconds. Negative and NaN become zero, too long becomes
    /// [`Span::MAX`].
    pub fn from_secs_f64(secs: f64) -> Span {
        // `as` saturates and maps NaN to zero, which is the documented meaning.
        Span((secs * SECOND as f64 + 0.5) as u64)
    }

    /// Length in nanoseconds.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole milliseconds, rounded down.
    pub const fn as_millis(self) -> u64 {
        self.0 / MILLI
    }

    /// Length in seconds, for samplers, display and charts.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / SECOND as f64
    }

    /// Length in milliseconds, for display and charts.
    pub fn as_millis_f64(self) -> f64 {
        self.0 as f64 / MILLI as f64
    }

    /// True for [`Span::ZERO`].
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// This span less `other`, not below zero.
    pub const fn saturating_sub(self, other: Span) -> Span {
        Span(self.0.saturating_sub(other.0))
    }
}

impl Add<Span> for Time {
    type Output = Time;
    fn add(self, span: Span) -> Time {
        Time(self.0.saturating_add(span.0))
    }
}

impl AddAssign<Span> for Time {
    fn add_assign(&mut self, span: Span) {
        *self = *self + span;
    }
}

impl Add for Span {
    type Output = Span;
    fn add(self, other: Span) -> Span {
        Span(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Span {
    fn add_assign(&mut self, other: Span) {
        *self = *self + other;
    }
}

impl Sub for Span {
    type Output = Span;
    /// # Panics
    /// When `other` is longer: a negative length is a broken engine, not a result.
    fn sub(self, other: Span) -> Span {
        assert!(other <= self, "a span cannot be negative: {self} - {other}");
        Span(self.0 - other.0)
    }
}

impl Mul<u64> for Span {
    type Output = Span;
    fn mul(self, n: u64) -> Span {
        Span(self.0.saturating_mul(n))
    }
}

impl Mul<f64> for Span {
    type Output = Span;
    /// Scales and rounds to the nearest nanosecond; saturates, and a negative factor gives zero.
    fn mul(self, factor: f64) -> Span {
        Span((self.0 as f64 * factor + 0.5) as u64)
    }
}

impl Div<u64> for Span {
    type Output = Span;
    /// # Panics
    /// When `n` is zero.
    fn div(self, n: u64) -> Span {
        Span(self.0 / n)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Time::MAX => f.pad("never"),
            Time(nanos) => fmt::Display::fmt(&Span(nanos), f),
        }
    }
}

/// Writes the span in the largest unit that keeps it exact to three decimals: `1.5s`, `250ms`.
/// From two minutes on it reads as a clock would: `2m30s`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.0;
        let text = match n {
            0 => "0s".to_owned(),
            1..MICRO => format!("{n}ns"),
            MICRO..MILLI => decimal(n, MICRO, "us"),
            MILLI..SECOND => decimal(n, MILLI, "ms"),
            _ if n < 120 * SECOND => decimal(n, SECOND, "s"),
            _ => clock(n),
        };
        f.pad(&text)
    }
}

impl Span {
    /// A text that reads back as the same length: as it is displayed, or where that is rounded, with
    /// seconds to the last nanosecond.
    fn exact(self) -> String {
        let text = self.to_string();
        if text.parse() == Ok(self) {
            return text;
        }
        let minutes = if self.0 < 120 * SECOND { 0 } else { self.0 - self.0 % (60 * SECOND) };
        let (seconds, fraction) = ((self.0 - minutes) / SECOND, self.0 % SECOND);
        let fraction = format!("{fraction:09}");
        format!("{}{seconds}.{}s", clock(minutes), fraction.trim_end_matches('0'))
    }
}

fn decimal(n: u64, unit: u64, name: &str) -> String {
    let thousandths = n % unit / (unit / 1000);
    if thousandths == 0 {
        return format!("{}{name}", n / unit);
    }
    let fraction = format!("{thousandths:03}");
    format!("{}.{}{name}", n / unit, fraction.trim_end_matches('0'))
}

fn clock(n: u64) -> String {
    let mut text = String::new();
    let mut rest = n;
    for (name, unit) in &UNITS[..3] {
        if rest >= *unit {
            text += &format!("{}{name}", rest / unit);
            rest %= unit;
        }
    }
    if rest >= MILLI {
        text += &decimal(rest, SECOND, "s");
    }
    text
}

/// Why a text is not a span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpanError {
    text: String,
}

impl fmt::Display for SpanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a duration; write a number with a unit, as in \"250ms\", \"1.5s\", \
             \"2m30s\" (units: ns, us, ms, s, m, h, d)",
            self.text
        )
    }
}

impl std::error::Error for SpanError {}

impl FromStr for Span {
    type Err = SpanError;

    /// Reads `"250ms"`, `"1.5s"`, `"2m30s"`: numbers with units, summed. A fraction finer than a
    /// nanosecond is cut. Plain `"0"` needs no unit.
    ///
    /// # Errors
    /// On anything else, a sign, or a sum that passes 584 years.
    fn from_str(text: &str) -> Result<Span, SpanError> {
        let fail = || SpanError { text: text.to_owned() };
        if text == "0" {
            return Ok(Span::ZERO);
        }
        if text.is_empty() {
            return Err(fail());
        }
        let mut total = 0u64;
        let mut rest = text;
        while !rest.is_empty() {
            let number_len = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
            let (number, tail) = rest.split_at(number_len.ok_or_else(fail)?);
            let unit_len = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(unit_len);
            let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(fail)?;
            let nanos = scaled(number, *scale).ok_or_else(fail)?;
            total = total.checked_add(nanos).ok_or_else(fail)?;
            rest = tail;
        }
        Ok(Span(total))
    }
}

/// `number × scale` for a decimal number, exact in integers.
fn scaled(number: &str, scale: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let mut nanos = whole.parse::<u64>().ok()?.checked_mul(scale)?;
    let mut unit = scale;
    for digit in fraction.chars() {
        unit /= 10;
        nanos = nanos.checked_add(u64::from(digit.to_digit(10)?) * unit)?;
    }
    Some(nanos)
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.exact())
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A length of time: numbers with units from `ns` to `d`, `\"2m30s\"`.",
        })
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = Span;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as \"250ms\"")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Span, E> {
                text.parse().map_err(E::custom)
            }
        }
        // Anything, so that the error of a bare number shows what a duration looks like.
        deserializer.deserialize_any(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_to_a_file_reads_back_to_the_nanosecond() {
        for nanos in
            [0, 999, 1_001, 1_160_200_000, 1_000_000_001, 12 * 3_600 * SECOND + 7, u64::MAX]
        {
            let span = Span(nanos);
            assert_eq!(span.exact().parse(), Ok(span), "{}", span.exact());
        }
        assert_eq!(Span(1_160_200_000).exact(), "1.1602s");
        assert_eq!(Span(150 * SECOND).exact(), "2m30s");
        assert_eq!(Span(120 * SECOND + 1).exact(), "2m0.000000001s");
    }

    #[test]
    fn spans_read_as_people_write_them() {
        for (text, nanos) in [
            ("250ms", 250 * MILLI),
            ("1.5s", 1_500 * MILLI),
            ("2m30s", 150 * SECOND),
            ("24h", 86_400 * SECOND),
            ("7d", 7 * 86_400 * SECOND),
            ("0.5us", 500),
            ("0", 0),
            ("0s", 0),
        ] {
            assert_eq!(text.parse(), Ok(Span::nanos(nanos)), "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "5", "ms", "-1s", "1 s", "1.2.3s", "1x", "NaN", "9999999999999d", "1s5"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn spans_print_shortest_and_read_back() {
        for text in ["0s", "7ns", "1.5us", "250ms", "1.5s", "31s", "2m30s", "1h0.5s", "1d2h"] {
            assert_eq!(text.parse::<Span>().map(|s| s.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn never_is_later_than_everything() {
        assert_eq!(Time::MAX + Span::secs(1), Time::MAX);
        assert_eq!(Time::MAX.to_string(), "never");
    }
}
