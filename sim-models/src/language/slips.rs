//! What a person probably meant who wrote something else: the commonest slips, with what to write.

use sim_core::Span;

use super::units::Rate;
use super::words::{Argument, Word, words};
use crate::source::Slip;

/// What to write instead of a slip, when that can be guessed.
pub(crate) fn hint(slip: &Slip<'_>) -> Option<String> {
    if !slip.known.is_empty() {
        return misplaced(slip);
    }
    let is_bare = slip.within.is_some_and(|name| slip.written == format!("{name}()"));
    if let Some(word) = words().iter().find(|word| is_bare && Some(&word.name[..]) == slip.within) {
        return Some(format!("as in {}", word.shown()));
    }
    let wanted = wanted(slip);
    let wanted = wanted.as_deref().unwrap_or_default();
    if let Some(text) = slip.written.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        return unquoted(text, wanted).or_else(|| named(slip));
    }
    if slip.written.starts_with('{') {
        return Some(match of_kind(wanted).find(|word| word.brackets) {
            Some(word) => format!("say what it is, as in {}", word.shown()),
            None => {
                "a group has round brackets, and names without quotes: (name: value)".to_owned()
            }
        });
    }
    if let Some(text) = slip.written.strip_prefix('\'') {
        return Some(format!("write it in double quotes: \"{}\"", text.trim_end_matches('\'')));
    }
    let is_number = slip.written.parse::<f64>().is_ok();
    match wanted {
        "duration" if is_number => Some(format!("give it a unit, as in \"{}s\"", slip.written)),
        "rate" if is_number => Some(format!("write \"{}/s\"", slip.written)),
        _ => named(slip),
    }
}

/// A word that stands where one of another kind is wanted, which may take it.
fn misplaced(slip: &Slip<'_>) -> Option<String> {
    let kinds: Vec<&str> = words()
        .iter()
        .filter(|word| word.name == slip.written)
        .map(|it| it.kind.as_str())
        .collect();
    let takes = |word: &&Word| {
        let mut wanted = word.arguments.iter().map(|argument| argument.wanted.as_str());
        slip.known.contains(&word.name.as_str()) && wanted.any(|wanted| kinds.contains(&wanted))
    };
    let word = words().iter().find(takes)?;
    Some(format!("`{}` stands inside of another word, as in {}", slip.written, word.shown()))
}

/// What is wanted in the place of a slip.
fn wanted(slip: &Slip<'_>) -> Option<String> {
    let within = words().iter().filter(|word| Some(word.name.as_str()) == slip.within);
    let is_it = |argument: &&Argument| match slip.argument {
        Some(name) => argument.name == name,
        None => argument.name.is_empty(),
    };
    let mut arguments = within.filter_map(|word| word.arguments.iter().find(is_it));
    arguments.next().map(|argument| argument.wanted.clone())
}

/// The words of a kind.
fn of_kind(kind: &str) -> impl Iterator<Item = &'static Word> {
    words().iter().filter(move |word| word.kind == kind)
}

/// What to write for a text in quotes.
fn unquoted(text: &str, wanted: &str) -> Option<String> {
    let span = span(text);
    match wanted {
        "duration" => return span.map(|span| format!("write \"{span}\"")),
        "rate" => return rate(text).map(|rate| format!("write \"{rate}\"")),
        _ => {}
    }
    let same = |word: &&Word| word.name.eq_ignore_ascii_case(text) && !word.brackets;
    if let Some(word) = of_kind(wanted).find(same) {
        return Some(format!("write it without quotes: {}", word.name));
    }
    let takes_duration = |word: &&Word| match &word.arguments[..] {
        [argument] => argument.wanted == "duration" && word.is_unnamed(argument),
        _ => false,
    };
    let (span, word) = (span?, of_kind(wanted).find(takes_duration)?);
    Some(format!("write {}(\"{span}\")", word.name))
}

/// An argument without a name, of a word whose arguments have names.
fn named(slip: &Slip<'_>) -> Option<String> {
    let word = words().iter().find(|word| Some(word.name.as_str()) == slip.within)?;
    // The example of a whole scenario shows too much.
    let has_names = word.arguments.iter().any(|argument| !argument.name.is_empty());
    (has_names && word.name != "Scenario").then(|| format!("as in {}", word.shown()))
}

/// Units as people write them, and as they are written here.
const UNITS: [(&str, &str); 20] = [
    ("ns", "ns"),
    ("nsec", "ns"),
    ("us", "us"),
    ("usec", "us"),
    ("µs", "us"),
    ("ms", "ms"),
    ("msec", "ms"),
    ("millis", "ms"),
    ("millisecond", "ms"),
    ("s", "s"),
    ("sec", "s"),
    ("second", "s"),
    ("m", "m"),
    ("min", "m"),
    ("minute", "m"),
    ("h", "h"),
    ("hr", "h"),
    ("hour", "h"),
    ("d", "d"),
    ("day", "d"),
];

/// The unit that a person means.
fn unit(text: &str) -> Option<&'static str> {
    let text = text.trim().to_lowercase();
    let found = |text: &str| UNITS.iter().find(|(written, _)| *written == text);
    found(&text).or_else(|| found(text.strip_suffix('s')?)).map(|(_, unit)| *unit)
}

/// A number and what follows it.
fn split(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, rest) = text.split_at(end);
    number.parse::<f64>().ok()?;
    Some((number, rest.trim()))
}

/// A length of time as it should be written.
fn span(text: &str) -> Option<String> {
    if text.parse::<Span>().is_ok() {
        return Some(text.to_owned());
    }
    let (number, rest) = split(text.trim())?;
    Some(format!("{number}{}", unit(rest)?))
}

/// A rate as it should be written.
fn rate(text: &str) -> Option<String> {
    let (number, rest) = split(text.trim())?;
    let rest = rest.to_lowercase();
    let per = match rest.as_str() {
        "rps" | "qps" | "tps" | "hz" => "s",
        "rpm" => "m",
        rest => {
            let rest = rest.trim_start_matches("req").trim_start_matches("uests").trim();
            unit(rest.strip_prefix('/').or_else(|| rest.strip_prefix("per"))?)?
        }
    };
    let rate = format!("{number}/{per}");
    rate.parse::<Rate>().is_ok().then_some(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_understood_as_people_write_them() {
        for (text, expected) in
            [("1sec", "1s"), ("2 seconds", "2s"), ("5 mins", "5m"), ("10MS", "10ms"), ("1h", "1h")]
        {
            assert_eq!(span(text).as_deref(), Some(expected), "{text}");
        }
        for (text, expected) in
            [("20rps", "20/s"), ("90 rpm", "90/m"), ("5 per second", "5/s"), ("7 req/s", "7/s")]
        {
            assert_eq!(rate(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["", "s", "5", "5 parsecs", "five/s", "é"] {
            assert_eq!((span(text).filter(|_| text != "0"), rate(text)), (None, None), "{text}");
        }
    }

    /// The help for a mistake in a service's program.
    fn help(steps: &str) -> String {
        let text = format!(
            r#"Scenario(name: "s", about: "", horizon: "1s", actors: {{
                "api": Service(workers: 1, endpoints: {{ "get": [{steps}] }}),
            }}, policies: {{ "p": [Retry(attempts: 1)] }})"#
        );
        let error = crate::Scenario::text("s.ron", text).load().expect_err(steps);
        error.mistakes()[0].help.clone().unwrap_or_default()
    }

    #[test]
    fn the_commonest_slips_are_told_what_to_write() {
        assert_eq!(help(r#"Work("20ms")"#), r#"write Const("20ms")"#);
        assert_eq!(help(r#"Sleep("2 sec")"#), r#"write Const("2s")"#);
        let named = r#"as in LogNormal(p50: "20ms", p99: "120ms")"#;
        assert_eq!(help(r#"Work(LogNormal("10ms", "50ms"))"#), named);
        assert_eq!(help(r#"Work(Const("1sec"))"#), r#"write "1s""#);
        assert_eq!(help("Work(Const(1))"), r#"give it a unit, as in "1s""#);
        let within = help(r#"Const("2ms")"#);
        assert!(within.starts_with("`Const` stands inside of another word, as in "), "{within}");
        assert_eq!(help(r#"Cal("api.pay", policy: "p")"#), "did you mean `Call`?");
        assert_eq!(
            help(r#"Cached(1, 2, name: "p")"#).as_str(),
            "as in Cached(\"prices\", \"{body}\", into: \"price\", body: [Call(\"db.price\", into: \"price\")])"
        );
    }
}
