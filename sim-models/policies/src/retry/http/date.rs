//! Dates in headers.

use super::NANOS;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The instant that a date of HTTP names, in nanoseconds since 1970: one of the three forms of
/// RFC 9110, section 5.6.7, with GMT, UTC or an offset such as `+0100`.
///
/// ```text
/// Sun, 06 Nov 1994 08:49:37 GMT
/// Sunday, 06-Nov-94 08:49:37 GMT
/// Sun Nov  6 08:49:37 1994
/// ```
pub(in crate::retry) fn http_date(text: &str) -> Option<i128> {
    // The day of the week says nothing that the rest does not say.
    let rest = text.split_once(',').map_or(text, |(_, rest)| rest);
    let rest = rest.replace('-', " -");
    let mut words: Vec<&str> = rest.split_whitespace().collect();
    if words.first().is_some_and(|word| word.len() == 3 && month(word).is_none()) {
        words.remove(0);
    }
    let plain = |word: &str| word.trim_start_matches('-').to_owned();
    let (day, month_name, year, time, zone) = match words[..] {
        [first, second, time, year] if month(first).is_some() => (second, first, year, time, "GMT"),
        [day, name, year, time] => (day, name, year, time, "GMT"),
        [day, name, year, time, zone] => (day, name, year, time, zone),
        _ => return None,
    };
    let month = month(&plain(month_name))?;
    let day = digits(day)?;
    let year = match (plain(year).len(), digits(&plain(year))?) {
        (2, year) if year < 69 => 2000 + year,
        (2, year) => 1900 + year,
        (_, year) => year,
    };
    let mut parts = time.split(':').map(digits);
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?);
    let is_time = hour < 24 && minute < 60 && second <= 60 && parts.next().is_none();
    if !is_time || !(1..=31).contains(&day) {
        return None;
    }
    let seconds = (days(year, month, day) * 24 + hour) * 3600 + minute * 60 + second;
    Some(i128::from(seconds - offset(zone)?) * NANOS)
}

/// From 1 on.
fn month(name: &str) -> Option<i64> {
    let n = MONTHS.iter().position(|month| month.eq_ignore_ascii_case(name))?;
    Some(n as i64 + 1)
}

fn digits(text: &str) -> Option<i64> {
    let is_short = (1..=5).contains(&text.len());
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_short && digits)
}

/// Seconds east of Greenwich.
fn offset(zone: &str) -> Option<i64> {
    if ["GMT", "UTC", "UT", "Z"].contains(&zone) {
        return Some(0);
    }
    let (sign, hours) = match zone.split_at_checked(1)? {
        ("+", hours) => (1, hours),
        ("-", hours) => (-1, hours),
        _ => return None,
    };
    let number = digits(hours).filter(|_| hours.len() == 4)?;
    Some(sign * (number / 100 * 3600 + number % 100 * 60))
}

/// Days from 1970-01-01 to a day of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // The year begins in March, so that the day of a leap year is its last.
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::super::EPOCH;
    use super::*;

    #[test]
    fn the_three_forms_of_a_date_name_one_instant() {
        let at = Some(784_111_777 * NANOS);
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), at);
        assert_eq!(http_date("Sunday, 06-Nov-94 08:49:37 GMT"), at);
        assert_eq!(http_date("Sun Nov  6 08:49:37 1994"), at);
        assert_eq!(http_date("Sun, 06 Nov 1994 09:49:37 +0100"), at);
        assert_eq!(http_date("Tue, 14 Nov 2023 22:13:20 GMT"), Some(EPOCH));
        assert_eq!(http_date("Thu, 29 Feb 2024 00:00:00 GMT"), Some(1_709_164_800 * NANOS));
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in ["", "soon", "7", "-3", "Tue, 14 Nov 2023", "Tue, 14 Nov 2023 25:00:00 GMT"] {
            assert_eq!(http_date(text), None, "{text}");
        }
    }
}
