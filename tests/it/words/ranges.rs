//! What the row of a word shows is what is checked: its example works, its range is the one that
//! is refused outside of.

use sim_core::Span;
use sim_models::Draft;
use sim_models::language::{Argument, Bound, Word, schema, words};

use super::stage::{Place, place};

/// Values inside the range that are refused for what is no argument of the same word.
const NARROWER: &[(&str, &str)] = &[
    ("AdaptiveThrottle", "window"),
    ("Diurnal", "period"),
    ("Failsafe", "failure_rate_threshold"),
    ("Geometric", ""),
    ("Limits", "steps"),
    ("Set", "ex"),
];

/// Ranges whose end is rounded before it is checked.
const ROUNDED: &[(&str, &str)] = &[("Finagle", "ttl")];

/// Zero is refused for what is no argument of the same word.
const NOT_ZERO: &[(&str, &str)] =
    &[("Envoy", "max_ejection_time"), ("Failsafe", "delay"), ("Limits", "time")];

/// An argument in its place.
struct Tried<'a> {
    place: Place,
    word: &'a Word,
    argument: &'a Argument,
}

impl Tried<'_> {
    fn all() -> impl Iterator<Item = Tried<'static>> {
        words().iter().flat_map(|word| {
            word.arguments
                .iter()
                .filter_map(|argument| Some(Tried { place: place(word)?, word, argument }))
        })
    }

    /// `policy Retry.attempts`.
    fn name(&self) -> String {
        format!("{} {}.{}", self.word.kind, self.word.name, self.argument.name)
    }

    fn is_in(&self, list: &[(&str, &str)]) -> bool {
        list.contains(&(&self.word.name, &self.argument.name))
    }

    /// Why this value is refused, if it is.
    fn refusal(&self, value: &str) -> Option<String> {
        self.draft(value).load().err().map(|error| error.to_string())
    }

    /// The stage with this value for the argument.
    fn draft(&self, value: &str) -> Draft {
        let Tried { place, word, argument } = self;
        match argument.name.as_str() {
            "" => place.with(&format!("{}({value})", word.name)),
            name => {
                let at = format!("{}.{name}", place.at);
                place.with(&word.shown()).set(at.trim_start_matches('.'), value)
            }
        }
    }

    /// The highest values that can be written for the argument.
    fn highest(&self) -> Vec<String> {
        let highest: &[&str] = match self.argument.wanted.as_str() {
            "whole number" => &["4294967295", "18446744073709551615", "9223372036854775807"],
            "number" => &["1e308", "1.7976931348623157e308"],
            "duration" => &["\"18446744073709551615ns\"", "\"292y\"", "\"106751d\""],
            "rate" => &["\"1000000000/s\""],
            _ => &[],
        };
        let max = self.argument.range.as_ref().and_then(|range| range.max.as_ref());
        let max = max.filter(|_| !highest.is_empty()).map(|bound| self.at(bound));
        max.into_iter().chain(highest.iter().map(|value| (*value).to_owned())).collect()
    }

    /// Whether a refusal is for what another argument of the word says.
    fn is_for_another(&self, refusal: &str) -> bool {
        let others = self.word.arguments.iter().map(|other| &other.name);
        let mut others = others.filter(|other| **other != self.argument.name);
        others.any(|other| refusal.contains(other.as_str()))
    }

    /// The bound as a value.
    fn at(&self, bound: &Bound) -> String {
        match self.argument.wanted.as_str() {
            "duration" => format!("\"{}\"", bound.text),
            "number" if !bound.text.contains(['.', 'e']) => format!("{}.0", bound.text),
            _ => bound.text.clone(),
        }
    }

    /// The nearest value above or below a bound; none when the type does not hold it.
    fn beside(&self, bound: &Bound, above: bool) -> Option<String> {
        match self.argument.wanted.as_str() {
            "whole number" => {
                let bound: i64 = bound.text.parse().expect("a whole number");
                Some((if above { bound + 1 } else { bound - 1 }).to_string())
            }
            "number" => {
                let bound: f64 = bound.text.parse().expect("a number");
                let step = (bound.abs() * 1e-3).max(1e-3);
                Some(format!("{:?}", if above { bound + step } else { bound - step }))
            }
            "duration" => {
                let (bound, tick): (Span, _) =
                    (bound.text.parse().expect("a length"), Span::nanos(1));
                let value = if above { bound + tick } else { bound.saturating_sub(tick) };
                (value != bound).then(|| format!("\"{}ns\"", value.as_nanos()))
            }
            other => panic!("a range of {other}"),
        }
    }
}

fn none(faults: &[String]) {
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_example_works_where_it_belongs() {
    let mut faults = Vec::new();
    for word in words().iter().filter(|word| word.kind.starts_with(char::is_lowercase)) {
        match place(word) {
            None => faults.push(format!("{} {}: where does it stand?", word.kind, word.name)),
            Some(place) => {
                let error = place.with(&word.shown()).load().err();
                faults.extend(error.map(|error| format!("{} {error}", word.shown())));
            }
        }
    }
    none(&faults);
}

#[test]
fn a_range_is_what_is_checked() {
    let mut faults = Vec::new();
    let mut count = 0;
    for tried in Tried::all() {
        let Some(range) = &tried.argument.range else { continue };
        let low = range.min.iter().map(|bound| (bound, true));
        for (bound, is_low) in low.chain(range.max.iter().map(|bound| (bound, false))) {
            count += 1;
            let (inside, outside) = match bound.is_in {
                true => (Some(tried.at(bound)), tried.beside(bound, !is_low)),
                false => (tried.beside(bound, is_low), Some(tried.at(bound))),
            };
            if let Some(value) = inside
                && let Some(refusal) = tried.refusal(&value)
                && !tried.is_for_another(&refusal)
                && !tried.is_in(NARROWER)
            {
                faults.push(format!("{} = {value} is refused: {refusal}", tried.name()));
            }
            if let Some(value) = outside
                && tried.refusal(&value).is_none()
                && !tried.is_in(ROUNDED)
            {
                faults.push(format!("{} = {value} is accepted; {range}", tried.name()));
            }
        }
    }
    none(&faults);
    assert!(count > 200, "{count} bounds are too few");
}

#[test]
fn what_is_refused_is_told_by_a_range() {
    let mut faults = Vec::new();
    for tried in Tried::all() {
        let zero = match tried.argument.wanted.as_str() {
            "whole number" => "0",
            "number" => "0.0",
            "duration" => "\"0s\"",
            _ => continue,
        };
        let has_low = tried.argument.range.as_ref().is_some_and(|range| range.min.is_some());
        if !has_low
            && !tried.is_in(NOT_ZERO)
            && let Some(refusal) = tried.refusal(zero)
            && !tried.is_for_another(&refusal)
        {
            faults.push(format!("{}: {refusal}", tried.name()));
        }
    }
    none(&faults);
}

#[test]
fn a_number_with_a_fraction_has_a_range_and_is_a_number() {
    let mut faults = Vec::new();
    for tried in Tried::all().filter(|tried| tried.argument.wanted == "number") {
        if tried.argument.range.is_none() {
            faults.push(format!("{} has no range", tried.name()));
        }
        for value in ["NaN", "inf"] {
            if tried.refusal(value).is_none() {
                faults.push(format!("{} = {value} is accepted", tried.name()));
            }
        }
    }
    none(&faults);
}

/// Runs what can be run for a moment.
fn try_out(draft: Draft) -> bool {
    let scenario = draft.load();
    if let Ok(scenario) = &scenario {
        scenario.run(1);
    }
    scenario.is_ok()
}

/// Enough for every word to do its work, and little enough for thousands of runs.
const BOUNDED: &str = "(steps: 3000, memory_mib: 256)";

#[test]
fn the_highest_value_of_any_number_runs_or_is_refused() {
    let (mut run, mut refused) = (0, 0);
    for tried in Tried::all() {
        for value in tried.highest() {
            let draft = match tried.word.name.as_str() {
                "Limits" => tried.draft(&value),
                _ => tried.draft(&value).set("limits", BOUNDED),
            };
            // Whoever panics is named by its last line.
            eprintln!("{} = {value}", tried.name());
            if try_out(draft) { run += 1 } else { refused += 1 }
        }
    }
    assert!(run > 300 && refused > 300, "{run} ran, {refused} were refused");
}

#[test]
fn the_highest_values_of_two_numbers_of_a_word_run_or_are_refused() {
    let mut run = 0;
    for word in words() {
        let Some(first) = place(word) else { continue };
        let all: Vec<Tried<'_>> = word
            .arguments
            .iter()
            .filter(|argument| !argument.name.is_empty())
            .filter_map(|argument| Some(Tried { place: place(word)?, word, argument }))
            .collect();
        let highest = |tried: &Tried<'_>| {
            tried.highest().into_iter().find(|value| tried.refusal(value).is_none())
        };
        let all: Vec<(&str, String)> = all
            .iter()
            .filter_map(|tried| Some((tried.argument.name.as_str(), highest(tried)?)))
            .collect();
        for (n, (name, value)) in all.iter().enumerate() {
            for (other, second) in &all[n + 1..] {
                let at = |name: &str| format!("{}.{name}", first.at);
                let draft = first.with(&word.shown());
                let draft = draft.set(at(name).trim_start_matches('.'), value);
                let draft = draft.set(at(other).trim_start_matches('.'), second);
                let draft = match word.name.as_str() {
                    "Limits" => draft,
                    _ => draft.set("limits", BOUNDED),
                };
                eprintln!("{} {}: {name} = {value}, {other} = {second}", word.kind, word.name);
                run += u32::from(try_out(draft));
            }
        }
    }
    assert!(run > 100, "{run} ran");
}

#[test]
fn no_definition_of_the_schema_is_named_by_a_number() {
    let definitions = schema().as_object().and_then(|schema| schema["$defs"].as_object());
    let is_bad = |name: &&String| name.ends_with(|c: char| c.is_ascii_digit()) || *name == "Config";
    let bad: Vec<&String> = definitions.expect("definitions").keys().filter(is_bad).collect();
    assert!(bad.is_empty(), "{bad:?}");
}
