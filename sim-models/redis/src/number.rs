//! Numbers in texts, read and written as Redis does.

/// An end of a range of scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// The score; may be infinite, is never NaN.
    pub score: f64,
    /// `(`: the score itself is outside.
    pub exclusive: bool,
}

impl Bound {
    /// `-inf`: no lower end.
    pub const MIN: Bound = Bound::at(f64::NEG_INFINITY);
    /// `+inf`: no upper end.
    pub const MAX: Bound = Bound::at(f64::INFINITY);

    /// The score itself is inside.
    pub const fn at(score: f64) -> Bound {
        Bound { score, exclusive: false }
    }
}

/// A 64-bit number as `string2ll` reads it: no sign but `-`, no leading zero, no space.
pub(crate) fn parse_int(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = match digits.as_bytes() {
        [b'0'] => text.len() == 1,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if plain { text.parse().ok() } else { None }
}

/// A score as `getDoubleFromObject` reads it: all of the text, no space before it, finite or
/// spelled as infinite, and no NaN.
pub(crate) fn parse_score(text: &str) -> Option<f64> {
    let score = parse_float(text)?;
    let spelled = text.trim_start_matches(['+', '-']).starts_with(['i', 'I']);
    let vanished = score == 0.0 && text.split(['e', 'E', 'p', 'P']).next().is_some_and(has_value);
    let is_exact = (score.is_finite() || spelled) && !vanished;
    is_exact.then_some(score)
}

/// Whether digits other than zero stand before the exponent.
fn has_value(digits: &str) -> bool {
    let digits = digits.trim_start_matches(['+', '-']);
    let digits = digits.strip_prefix("0x").or(digits.strip_prefix("0X")).unwrap_or(digits);
    digits.contains(|c: char| c.is_ascii_hexdigit() && c != '0')
}

/// An end of a range of scores: a float, perhaps after `(`.
pub(crate) fn parse_bound(text: &str) -> Option<Bound> {
    let (exclusive, number) = match text.strip_prefix('(') {
        Some(number) => (true, number),
        None => (false, text),
    };
    // `strtod` makes 0 of nothing, and passes over spaces if there is something.
    let score =
        if number.is_empty() { 0.0 } else { parse_float(number.trim_start_matches(is_space))? };
    Some(Bound { score, exclusive })
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}')
}

/// A float as `strtod` reads it, decimal or hexadecimal, if it is all of the text and no NaN.
fn parse_float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let score = match unsigned.get(..2) {
        Some("0x" | "0X") => {
            let size = parse_hex(&unsigned[2..])?;
            if text.starts_with('-') { -size } else { size }
        }
        _ => text.parse().ok()?,
    };
    (!score.is_nan()).then_some(score)
}

/// Hexadecimal digits, perhaps with a point and a binary exponent, as a float.
fn parse_hex(text: &str) -> Option<f64> {
    let (digits, exponent) = match text.split_once(['p', 'P']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i64>().ok()?.clamp(-9_999, 9_999)),
        None => (text, 0),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    // 60 bits are kept; whether anything follows them decides a tie.
    let (mut bits, mut exponent) = (0u64, exponent - 4 * fraction.len() as i64);
    for c in whole.chars().chain(fraction.chars()) {
        let digit = u64::from(c.to_digit(16)?);
        if bits >> 56 == 0 {
            bits = bits << 4 | digit;
        } else {
            bits |= u64::from(digit != 0);
            exponent += 4;
        }
    }
    let mut score = bits as f64;
    let step = if exponent < 0 { 0.5 } else { 2.0 };
    for _ in 0..exponent.unsigned_abs().min(3_000) {
        score *= step;
    }
    Some(score)
}

/// A score as `addReplyDouble` prints it: `%.17g`.
pub(crate) fn print_score(score: f64) -> String {
    if score.is_infinite() {
        return if score > 0.0 { "inf" } else { "-inf" }.into();
    }
    // One digit, a point, 16 digits, `e`, the exponent.
    let scientific = format!("{score:.16e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) =
        mantissa.strip_prefix('-').map_or(("", mantissa), |mantissa| ("-", mantissa));
    let digits = mantissa.replace('.', "");
    let trim = |text: &str| text.trim_end_matches('0').trim_end_matches('.').to_string();
    if !(-4..17).contains(&exponent) {
        let (first, rest) = digits.split_at(1);
        let mantissa = trim(&format!("{first}.{rest}"));
        let sign_of_exponent = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{mantissa}e{sign_of_exponent}{:02}", exponent.abs());
    }
    let text = match usize::try_from(exponent) {
        Err(_) => format!("0.{}{digits}", "0".repeat(exponent.unsigned_abs() as usize - 1)),
        Ok(exponent) => {
            let (whole, rest) = digits.split_at(exponent + 1);
            format!("{whole}.{rest}")
        }
    };
    format!("{sign}{}", trim(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_number_that_prints_so_is_a_number() {
        for n in [0, 1, -1, 10, i64::MAX, i64::MIN] {
            assert_eq!(parse_int(&n.to_string()), Some(n));
        }
        for text in ["", "-", "01", "-0", "+1", " 1", "1 ", "1.0", "9223372036854775808", "--1"] {
            assert_eq!(parse_int(text), None, "{text:?}");
        }
    }

    #[test]
    fn scores_print_with_17_digits() {
        for (score, text) in [
            (0.0, "0"),
            (3.0, "3"),
            (0.1, "0.10000000000000001"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (1e-4, "0.0001"),
            (1e-5, "1.0000000000000001e-05"),
            (-2.5, "-2.5"),
            (1.7e308, "1.6999999999999999e+308"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(print_score(score), text);
        }
    }

    #[test]
    fn scores_are_read_as_c_reads_them() {
        for (text, score) in [
            ("0x10", 16.0),
            ("-0x.8p1", -1.0),
            ("1.", 1.0),
            ("+inf", f64::INFINITY),
            ("1e-320", 1e-320),
        ] {
            assert_eq!(parse_score(text), Some(score), "{text}");
        }
        for text in ["", " 1", "1 ", "nan", "0x", "1e", "abc", "1e309", "1e-400", "."] {
            assert_eq!(parse_score(text), None, "{text:?}");
        }
        let bound = |text| parse_bound(text).map(|bound| (bound.score, bound.exclusive));
        assert_eq!(bound("(1.5"), Some((1.5, true)));
        assert_eq!(bound(""), Some((0.0, false)));
        assert_eq!(bound("1e400"), Some((f64::INFINITY, false)));
        assert_eq!(bound("((1"), None);
    }
}
