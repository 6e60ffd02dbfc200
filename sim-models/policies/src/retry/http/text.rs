//! Numbers in headers, as the languages of the clients read them.

/// Python's `float(text)`; `None` where it raises.
pub(super) fn python_float(text: &str) -> Option<f64> {
    let text = text.trim();
    // Underscores may stand between two digits.
    let bytes = text.as_bytes();
    let between = |n: usize| {
        let digit = |n: Option<usize>| n.and_then(|n| bytes.get(n)).is_some_and(u8::is_ascii_digit);
        digit(n.checked_sub(1)) && digit(Some(n + 1))
    };
    if bytes.iter().enumerate().any(|(n, byte)| *byte == b'_' && !between(n)) {
        return None;
    }
    // Rust reads the same decimals, and the same words for infinity and for no number.
    text.replace('_', "").parse().ok()
}

/// JavaScript's `Number(text)`; NaN where it is none.
pub(super) fn js_number(text: &str) -> f64 {
    let text = text.trim();
    let radix = |prefix: [&str; 2], radix: u32| {
        let digits = prefix.iter().find_map(|prefix| text.strip_prefix(prefix))?;
        let digits = Some(digits).filter(|digits| digits.chars().all(|c| c.is_digit(radix)));
        Some(digits.and_then(|digits| u64::from_str_radix(digits, radix).ok()))
    };
    let other = [(["0x", "0X"], 16), (["0o", "0O"], 8), (["0b", "0B"], 2)];
    if let Some(number) = other.into_iter().find_map(|(prefix, base)| radix(prefix, base)) {
        return number.map_or(f64::NAN, |number| number as f64);
    }
    match text {
        "" => 0.0,
        "Infinity" | "+Infinity" => f64::INFINITY,
        "-Infinity" => f64::NEG_INFINITY,
        _ if text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte)) => {
            text.parse().unwrap_or(f64::NAN)
        }
        _ => f64::NAN,
    }
}

/// JavaScript's `parseInt(text, 10)`: the whole number that the text begins with.
pub(super) fn js_parse_int(text: &str) -> f64 {
    let text = text.trim_start();
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    let number: f64 = unsigned[..digits].parse().unwrap_or(f64::NAN);
    if text.starts_with('-') { -number } else { number }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_language_reads_numbers_in_its_own_way() {
        assert_eq!(python_float(" 1_0.5 "), Some(10.5));
        assert_eq!(python_float("inf"), Some(f64::INFINITY));
        assert!(python_float("nan").is_some_and(f64::is_nan));
        for none in ["", "soon", "_1", "1__0", "0x10", "1 2"] {
            assert_eq!(python_float(none), None, "{none}");
        }
        for (text, number) in [("", 0.0), (" 3 ", 3.0), ("0x10", 16.0), ("1e3", 1e3), ("-2", -2.0)]
        {
            assert_eq!(js_number(text), number, "{text}");
        }
        for none in ["inf", "nan", "soon", "3s", "0xg", "1 2"] {
            assert!(js_number(none).is_nan(), "{none}");
        }
        for (text, number) in [("7.9", 7.0), (" 3s", 3.0), ("-2", -2.0), ("+4", 4.0)] {
            assert_eq!(js_parse_int(text), number, "{text}");
        }
        assert!(js_parse_int("soon").is_nan() && js_parse_int("").is_nan());
    }
}
