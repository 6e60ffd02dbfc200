//! Numbers and lengths of time as people read them.
//!
//! Instants print through [`sim_core::Time`], as they do in witnesses and the log; what was
//! measured is rounded here to what a reader can use.

use sim_core::Span;

/// What stands where there is nothing.
pub const NONE: &str = "–";

/// A scenario and its variant: `payment, variant "no breaker"`.
pub fn named(scenario: &str, variant: Option<&str>) -> String {
    match variant {
        Some(variant) => format!("{scenario}, variant \"{variant}\""),
        None => scenario.to_owned(),
    }
}

/// An amount, with as many decimals as a reader can use: `1,234`, `0.61`, `3`.
pub fn amount(amount: f64) -> String {
    if amount >= 100.0 || amount == amount.trunc() {
        count((amount + 0.5) as u64)
    } else {
        format!("{amount:.2}")
    }
}

/// A count with its thousands set off: `12,345`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count with its noun: `1 invariant`, `3 invariants`.
pub fn counted(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(n), if n == 1 { "" } else { "s" })
}

/// A text that begins with a capital.
pub fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

/// The first sentence of a text.
pub fn first_sentence(text: &str) -> &str {
    let text = text.trim();
    let ends = text.match_indices('.').map(|(at, _)| at + 1);
    let mut ends = ends.filter(|&end| text[end..].starts_with(char::is_whitespace));
    &text[..ends.next().unwrap_or(text.len())]
}

/// A measured length in three significant digits and the unit that suits it: `12.3 ms`, `1.5 s`.
/// From two minutes on it reads as a clock would: `2m30s`.
pub fn duration(span: Span) -> String {
    let nanos = span.as_nanos();
    if nanos >= Span::secs(120).as_nanos() {
        // Whole seconds are three digits here; the rest would only look exact.
        return Span::secs(nanos / Span::secs(1).as_nanos()).to_string();
    }
    for (name, unit) in [("ns", 1), ("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000)] {
        let decimals = match nanos / unit {
            _ if unit == 1 => 0,
            0..10 => 2,
            10..100 => 1,
            _ => 0,
        };
        let grain = [unit, unit / 10, unit / 100][decimals];
        let rounded = (nanos + grain / 2) / grain;
        if rounded * grain < 1000 * unit || name == "s" {
            return format!("{} {name}", fraction(rounded, decimals));
        }
    }
    unreachable!("the last unit takes every length")
}

/// `value / 10^decimals` without trailing zeros.
fn fraction(value: u64, decimals: usize) -> String {
    let scale = [1, 10, 100][decimals];
    let text = format!("{}.{:0decimals$}", value / scale, value % scale);
    match decimals {
        0 => (value / scale).to_string(),
        _ => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
    }
}

/// A rate that is not below zero: `45/s`, `1.5/s`.
pub fn per_second(rate: f64) -> String {
    match rate {
        rate if rate >= 10.0 || rate == 0.0 => format!("{}/s", count((rate + 0.5) as u64)),
        rate => format!("{rate:.1}/s"),
    }
}

/// The share of `part` in `whole`: `97.9 %`. An empty whole has no share.
pub fn share(part: u64, whole: u64) -> Option<String> {
    // Integers round, so that 999 of 1000 never reads as all.
    let per_mille = u128::from(part) * 1000 / u128::from(whole).max(1);
    (whole > 0).then(|| format!("{}.{} %", per_mille / 10, per_mille % 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_keeps_three_digits() {
        for (nanos, text) in [
            (0, "0 ns"),
            (7, "7 ns"),
            (1_500, "1.5 us"),
            (12_345_678, "12.3 ms"),
            (999_600, "1 ms"),
            (999_999_999, "1 s"),
            (1_234_000_000, "1.23 s"),
            (30_000_000_000, "30 s"),
            (119_999_999_999, "120 s"),
            (150_400_000_000, "2m30s"),
        ] {
            assert_eq!(duration(Span::nanos(nanos)), text, "{nanos}");
        }
        assert!(duration(Span::MAX).ends_with('s'));
    }

    #[test]
    fn a_sentence_ends_before_a_space() {
        assert_eq!(first_sentence("Pay $2.50 twice. Or not."), "Pay $2.50 twice.");
        assert_eq!(first_sentence(" Just this "), "Just this");
        assert_eq!(first_sentence(""), "");
    }

    #[test]
    fn thousands_are_set_off() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(counted(1, "fault"), "1 fault");
    }

    #[test]
    fn a_share_is_never_rounded_up_to_all() {
        assert_eq!(share(99_999, 100_000).as_deref(), Some("99.9 %"));
        assert_eq!(share(u64::MAX, u64::MAX).as_deref(), Some("100.0 %"));
        assert_eq!(share(0, 0), None);
    }
}
