//! The values of a scenario that a reader may turn: each has a path, and the values that it takes.
//!
//! An author chooses some with `knobs:`. Beside these every number is one, and takes values from a
//! tenth to ten times its own.
//!
//! ```
//! use sim_models::Scenario;
//!
//! let text = r#"Scenario(
//!     name: "hello", about: "", horizon: "10s",
//!     actors: {
//!         "users": Client(load: Open(rate: "50/s"), does: [Call("api.hello")]),
//!         "api": Service(workers: 4, endpoints: { "hello": [Work(Const("20ms"))] }),
//!     },
//!     knobs: ["actors.users.load.rate=20/s..60/s/5", "actors.api.workers"],
//! )"#;
//! let scenario = Scenario::text("hello.ron", text).load()?;
//! let [rate, workers] = &scenario.knobs()[..] else { panic!("there are two") };
//! assert_eq!(rate.value, "50/s");
//! assert_eq!(rate.stops, ["20/s", "30/s", "40/s", "50/s", "60/s"]);
//! assert_eq!(workers.stops.last().unwrap(), "40");
//! assert_eq!(scenario.numbers().len(), 4, "horizon, rate, workers, work");
//! # Ok::<(), sim_models::Error>(())
//! ```

use std::ops::Range;

use sim_core::Span;

use crate::axis::Axis;
use crate::source::{Document, Scalar, SourceError};

/// Steps of a decade: each is about a quarter more than the one before.
const STEPS: i32 = 10;

/// What none of a scenario's own values stands below.
const ELSEWHERE: [&str; 8] =
    ["name", "about", "hypothesis", "seed", "variants", "knobs", "breaks", "limits"];

/// A value that can be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Knob {
    /// The path, as in `--set`: `actors.api.workers`.
    pub path: String,
    /// The value as it stands, as `--set` takes it: `4`, `50/s`.
    pub value: String,
    /// The values that it takes, in order.
    pub stops: Vec<String>,
    /// The bytes of the file where the number stands, if it stands there.
    pub place: Option<Range<usize>>,
}

/// All numbers of a document.
pub(crate) fn numbers(document: &Document) -> Vec<Knob> {
    let scalars = document.scalars().into_iter();
    scalars.filter(|scalar| !is_elsewhere(&scalar.path)).filter_map(number).collect()
}

/// The knobs that a document names and has.
pub(crate) fn chosen(document: &Document) -> Vec<Knob> {
    let numbers = numbers(document);
    let knob = |entry: String| {
        let axis = asked(&entry).ok()?;
        let written = document.text_of(&axis.path)?;
        let number = numbers.iter().find(|number| number.path == axis.path);
        let place = number.and_then(|number| number.place.clone());
        let stops = match number {
            Some(number) if axis.values.is_empty() => number.stops.clone(),
            _ => axis.values,
        };
        Some(Knob { path: axis.path, value: unquoted(written), stops, place })
    };
    entries(document).filter_map(knob).collect()
}

/// What is wrong with the knobs of a file.
pub(crate) fn mistakes(document: &Document) -> Vec<SourceError> {
    let mistake = |(n, entry): (usize, String)| {
        let (message, help) = match asked(&entry) {
            Ok(axis) => document.absence(&axis.path)?,
            Err(why) => (why, None),
        };
        Some(document.problem(&format!("knobs[{n}]"), message, help))
    };
    entries(document).enumerate().filter_map(mistake).collect()
}

/// The texts of `knobs:`; what is none is told by who reads the types.
fn entries(document: &Document) -> impl Iterator<Item = String> {
    let texts = (0..).map_while(|n| document.text_of(&format!("knobs[{n}]")));
    texts.map(|text| ron::from_str(text).unwrap_or_default())
}

/// A path alone has no values.
fn asked(entry: &str) -> Result<Axis, String> {
    match entry.contains('=') {
        true => entry.parse(),
        false => Ok(Axis { path: entry.trim().to_owned(), values: Vec::new() }),
    }
}

fn is_elsewhere(path: &str) -> bool {
    ELSEWHERE.iter().any(|name| {
        path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    })
}

/// A scalar that is a number, with the values around it.
fn number(scalar: Scalar) -> Option<Knob> {
    let Scalar { path, text, inner, place } = scalar;
    let own = &text[inner.clone()];
    let quantity = Quantity::read(own)?;
    let (before, after) = (&text[..inner.start], &text[inner.end..]);
    let quote =
        if own.starts_with('"') && !(before.is_empty() && after.is_empty()) { "\"" } else { "" };
    let mut stops: Vec<String> = Vec::new();
    for step in -STEPS..=STEPS {
        let value = match step {
            0 if quote.is_empty() && before.is_empty() => Some(unquoted(own)),
            0 => Some(own.trim_matches('"').to_owned()),
            _ => quantity.at(step),
        };
        let Some(value) = value else { continue };
        let stop = format!("{before}{quote}{value}{quote}{after}");
        if stops.last() != Some(&stop) {
            stops.push(stop);
        }
    }
    Some(Knob { path, value: unquoted(&text), stops, place })
}

/// A quoted word or quantity without its quotes, as `--set` takes it.
fn unquoted(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_-+./%".contains(c);
    match text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(word) if !word.is_empty() && word.chars().all(is_plain) => word.to_owned(),
        _ => text.to_owned(),
    }
}

/// A number as people write it.
#[derive(Clone, Debug, PartialEq)]
enum Quantity {
    Whole(i64),
    Real(f64),
    Length(Span),
    /// So many in a unit of time.
    Rate(f64, String),
}

impl Quantity {
    fn read(text: &str) -> Option<Quantity> {
        let Some(word) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
            let digits = text.replace('_', "");
            let is_number = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
            let real = || digits.parse().ok().filter(|real: &f64| real.is_finite());
            let whole = digits.parse().map(Quantity::Whole).ok();
            return whole.or_else(|| real().map(Quantity::Real)).filter(|_| is_number);
        };
        if let Some((number, unit)) = word.split_once('/') {
            let number: f64 = number.trim().parse().ok()?;
            format!("1{}", unit.trim()).parse::<Span>().ok()?;
            return number.is_finite().then(|| Quantity::Rate(number, unit.trim().to_owned()));
        }
        let is_length =
            word.starts_with(|c: char| c.is_ascii_digit()) && word.ends_with(char::is_alphabetic);
        is_length.then(|| word.parse().ok().map(Quantity::Length)).flatten()
    }

    /// The value so many steps away; `None` where there is none of its kind.
    fn at(&self, step: i32) -> Option<String> {
        match self {
            Quantity::Whole(0) => (step > 0).then(|| step.to_string()),
            Quantity::Whole(own) => {
                let value = away(*own as f64, step).round();
                let is_other = (value - *own as f64).signum()
                    == f64::from(step.signum() * own.signum() as i32);
                (is_other && value != 0.0 && value.abs() < 1e15).then(|| format!("{value}"))
            }
            Quantity::Real(own) => {
                let is_share = (0.0..=1.0).contains(own);
                let value = match *own {
                    0.0 => f64::from(step) / f64::from(STEPS),
                    own => away(own, step),
                };
                let value = if is_share { value.min(1.0) } else { value };
                (*own != value && (*own != 0.0 || step > 0)).then(|| format!("{value:?}"))
            }
            Quantity::Length(Span::ZERO) => (step > 0).then(|| Span::millis(1 << step).to_string()),
            Quantity::Length(own) => {
                let value = Span::nanos(away(own.as_nanos() as f64, step).round() as u64);
                (value != *own && value > Span::ZERO).then(|| value.to_string())
            }
            Quantity::Rate(0.0, unit) => (step > 0).then(|| format!("{}/{unit}", 10 * step)),
            Quantity::Rate(own, unit) => Some(format!("{}/{unit}", away(*own, step))),
        }
    }
}

/// So many tenths of a decade away, in two digits. A table, since powers are not the same everywhere.
fn away(own: f64, step: i32) -> f64 {
    const TENTHS: [f64; 10] = [1.0, 1.26, 1.58, 2.0, 2.51, 3.16, 3.98, 5.01, 6.31, 7.94];
    let (decade, tenth) = (step.div_euclid(STEPS), step.rem_euclid(STEPS));
    let scale = match decade {
        1 => 10.0,
        0 => 1.0,
        _ => 0.1,
    };
    let value = own * scale * TENTHS[tenth as usize];
    format!("{value:.1e}").parse().expect("a number just written")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scenario;

    const TEXT: &str = r#"Scenario(
    name: "7s", about: "", horizon: "1m",
    actors: {
        "users": Client(load: Open(rate: "50/s", until: "20s"), does: [Call("a.pay", policy: "p")]),
        "a": Service(workers: 3, endpoints: { "pay": [Work(Const("20ms")), Respond(201)] }),
    },
    policies: { "p": [Retry(
        attempts: 3, backoff: Constant("1s"), jitter: Proportional(0.5),
    )] },
    knobs: ["actors.a.workers", "policies.p[0].attempts=2,3,5", "policies.p=[],[Timeout(\"1s\")]"],
    variants: { "bare": { "policies.p": [Timeout("9s")] } },
)"#;

    fn load(variant: Option<&str>) -> Scenario {
        let draft = Scenario::text("k.ron", TEXT);
        variant.into_iter().fold(draft, |draft, name| draft.variant(name)).load().unwrap()
    }

    #[test]
    fn every_number_is_found_where_it_stands_and_can_be_set_to_all_it_takes() {
        let numbers = load(None).numbers();
        let paths: Vec<&str> = numbers.iter().map(|number| number.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "horizon",
                "actors.users.load.rate",
                "actors.users.load.until",
                "actors.a.workers",
                "actors.a.endpoints.pay[0]",
                "actors.a.endpoints.pay[1].status",
                "policies.p[0].attempts",
                "policies.p[0].backoff",
                "policies.p[0].jitter",
            ]
        );
        for number in &numbers {
            let place = number.place.clone().expect("it stands in the file");
            assert!(number.value.contains(TEXT[place].trim_matches('"')), "{number:?}");
            assert!(number.stops.contains(&number.value), "{number:?}");
            for stop in &number.stops {
                let set = Scenario::text("k.ron", TEXT).set(&number.path, stop);
                let is_syntax = |error: &crate::Error| error.to_string().contains("expected");
                assert!(!set.load().err().is_some_and(|e| is_syntax(&e)), "{stop} {number:?}");
            }
        }
        assert_eq!(numbers[8].value, "Proportional(0.5)");
        assert_eq!(numbers[8].stops.last().unwrap(), "Proportional(1.0)");
    }

    #[test]
    fn values_go_from_a_tenth_to_ten_times_and_keep_their_kind() {
        let ends = |text: &str| {
            let stops: Vec<String> = (-STEPS..=STEPS)
                .filter_map(|step| Quantity::read(text).unwrap().at(step))
                .collect();
            (stops[0].clone(), stops.last().unwrap().clone())
        };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(ends("40"), pair("4", "400"));
        assert_eq!(ends("3"), pair("1", "30"));
        assert_eq!(ends("-2"), pair("-1", "-20"));
        assert_eq!(ends("0"), pair("1", "10"));
        assert_eq!(ends("0.002"), pair("0.0002", "0.02"));
        assert_eq!(ends("0.5"), pair("0.05", "1.0"));
        assert_eq!(ends("2.0"), pair("0.2", "20.0"));
        assert_eq!(ends("\"2m40s\""), pair("16s", "26m40s"));
        assert_eq!(ends("\"50/s\""), pair("5/s", "500/s"));
        for text in ["\"5\"", "\"safe\"", "x", "NaN", "inf", "\"a/b\"", "\"\"", "true"] {
            assert_eq!(Quantity::read(text), None, "{text}");
        }
    }

    #[test]
    fn a_knob_takes_the_values_that_its_author_names() {
        let knobs = load(None).knobs();
        assert_eq!(knobs[1].stops, ["2", "3", "5"]);
        assert_eq!(knobs[2].stops, ["[]", "[Timeout(\"1s\")]"]);
        assert_eq!(knobs[0].stops[0], "1");
        let knobs = load(Some("bare")).knobs();
        assert_eq!(knobs.len(), 2, "a variant may lack what a knob turns");
    }

    #[test]
    fn a_knob_that_turns_nothing_is_told_where_it_stands() {
        let text = TEXT.replace("\"actors.a.workers\"", "\"actors.a.worker\", \"horizon=1..2\"");
        let error = Scenario::text("k.ron", text).load().unwrap_err().to_string();
        assert!(error.contains("k.ron:10:13: there is no `worker` in `actors.a`"), "{error}");
        assert!(error.contains("did you mean `workers`?"), "{error}");
        assert!(error.contains("k.ron:10:32: `1..2` is no range"), "{error}");
    }
}
