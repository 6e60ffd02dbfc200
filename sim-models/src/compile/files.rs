//! Files that a scenario names: measured times, rates and lengths.
//!
//! Whoever loads the scenario gives their text; what was read becomes part of the plan,
//! so that a run is told apart from one with other figures. A file has one row on a line. Empty lines
//! and those that begin with `#` are passed over, and so is a first row that holds no figures: a
//! header.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use sim_core::Span;

use super::builder::Builder;
use super::place::Here;

impl Builder<'_> {
    /// The text of a file.
    fn file(&mut self, name: &str, here: &Here) -> Option<Arc<str>> {
        if let Some(text) = self.plan.files.get(name) {
            return Some(text.clone());
        }
        match (self.files)(name) {
            Ok(text) => {
                let text: Arc<str> = text.into();
                self.plan.files.insert(name.to_owned(), text.clone());
                Some(text)
            }
            Err(why) => {
                self.problem(here, why, None);
                None
            }
        }
    }

    /// The rows of a file, at least one, each as `read` makes it of its columns. The first row that
    /// is wrong is complained of.
    pub(super) fn rows<T>(
        &mut self,
        name: &str,
        here: &Here,
        read: impl Fn(&[&str]) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let text = self.file(name, here)?;
        let mut rows = Vec::new();
        let mut is_first = true;
        for (n, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let columns: Vec<&str> = line.split([',', ';', '\t']).map(str::trim).collect();
            let is_header = std::mem::take(&mut is_first)
                && !columns.iter().any(|column| column.contains(|c: char| c.is_ascii_digit()));
            match read(&columns) {
                Ok(row) => rows.push(row),
                Err(_) if is_header => {}
                Err(why) => {
                    self.problem(here, format!("{name}:{}: {why}", n + 1), None);
                    return None;
                }
            }
        }
        if rows.is_empty() {
            let help = "one row on a line is wanted".to_owned();
            self.problem(here, format!("{name} holds no figures"), Some(help));
            return None;
        }
        Some(rows)
    }

    /// What a log of HDR histograms counted of each length, in seconds.
    pub(super) fn hdr(&mut self, name: &str, unit: Span, here: &Here) -> Option<Vec<(f64, u64)>> {
        let text = self.file(name, here)?;
        match counts(&text) {
            Ok(histogram) => {
                let of_unit =
                    |value| histogram.median_equivalent(value) as f64 * unit.as_secs_f64();
                let counted = histogram.iter_recorded();
                let counts = counted.map(|v| (of_unit(v.value_iterated_to()), v.count_at_value()));
                Some(counts.collect())
            }
            Err(why) => {
                self.problem(here, format!("{name}: {why}"), None);
                None
            }
        }
    }
}

/// All intervals of a log in one histogram.
fn counts(log: &str) -> Result<Histogram<u64>, String> {
    let mut all: Option<Histogram<u64>> = None;
    let mut intervals = 0;
    for entry in IntervalLogIterator::new(log.as_bytes()) {
        let entry = entry.map_err(|_| "it is no log of HDR histograms".to_owned())?;
        let LogEntry::Interval(interval) = entry else { continue };
        intervals += 1;
        let failed = |why: String| format!("interval {intervals}: {why}");
        let bytes = BASE64.decode(interval.encoded_histogram());
        let bytes = bytes.map_err(|error| failed(error.to_string()))?;
        let histogram = Deserializer::new().deserialize::<u64, _>(&mut bytes.as_slice());
        let histogram = histogram.map_err(|error| failed(error.to_string()))?;
        match &mut all {
            None => all = Some(histogram),
            Some(all) => {
                all.auto(true);
                all.add(&histogram).map_err(|error| failed(error.to_string()))?;
            }
        }
    }
    match all {
        Some(all) if !all.is_empty() => Ok(all),
        _ => Err("it holds no values".to_owned()),
    }
}

/// A length as people and tools write one: `1.25` of a unit, or `1.25s`.
pub(super) fn length(text: &str, unit: Span) -> Result<Span, String> {
    if let Ok(span) = text.parse::<Span>() {
        return Ok(span);
    }
    // Exact where it is a plain number of seconds.
    if unit == Span::secs(1)
        && let Ok(span) = format!("{text}s").parse::<Span>()
    {
        return Ok(span);
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => {
            Ok(Span::from_secs_f64(number * unit.as_secs_f64()))
        }
        Ok(number) => Err(format!("{number} is out of bounds; a number from 0 on is wanted")),
        Err(_) => {
            let text = text.escape_debug();
            Err(format!("`{text}` is no length of time; write `1.25` or `1.25s`"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};

    use super::*;
    use crate::Scenario;

    /// A log of two intervals, of which the second holds longer lengths than the first has room for.
    fn log() -> (String, f64) {
        let mut log = String::from("#[Histogram log format version 1.3]\n#[StartTime: 1.0]\n");
        let (mut sum, mut count) = (0.0, 0.0);
        for (n, lengths) in [(1, 1..1_000u64), (2, 100_000..101_000)] {
            let mut histogram = Histogram::<u64>::new(3).expect("three digits");
            for length in lengths {
                histogram.record_n(length, n).expect("it grows");
                (sum, count) = (sum + (n * length) as f64, count + n as f64);
            }
            let mut bytes = Vec::new();
            V2DeflateSerializer::new().serialize(&histogram, &mut bytes).expect("memory");
            writeln!(log, "{n}.000,1.000,0.1,{}", BASE64.encode(bytes)).expect("memory");
        }
        (log, sum / count)
    }

    #[test]
    fn all_intervals_of_a_log_are_taken_together() {
        let (log, mean) = log();
        let counts = counts(&log).expect("a log");
        assert_eq!(counts.len(), 999 + 2_000);
        assert!((counts.mean() / mean - 1.0).abs() < 1e-3, "{}", counts.mean());
    }

    #[test]
    fn a_log_of_measured_lengths_is_what_work_takes() {
        let text = r#"Scenario(
            name: "measured", about: "", horizon: "60s",
            actors: {
                "users": Client(load: Open(rate: "200/s", until: "59s"), does: [Call("api.work")]),
                "api": Service(workers: 1000, endpoints: {
                    "work": [Work(Empirical(hdr: "api.hlog", unit: "1us"))],
                }),
            },
        )"#;
        let (log, mean) = log();
        let measured = Scenario::text("m.ron", text).with_file("api.hlog", log);
        let outcome = measured.seed(1).run().expect("it is right");
        let users = outcome.actors.iter().find(|actor| actor.name == "users").expect("users");
        let found = users.latency.as_ref().expect("latencies").mean.as_secs_f64();
        assert!((found / (mean * 1e-6) - 1.0).abs() < 0.02, "{found}");
        // The longest is 100 999 us, and the histogram knows it to three digits.
        let longest = users.latency.as_ref().expect("latencies").max.as_secs_f64();
        assert!((longest / 0.100_999 - 1.0).abs() < 1e-3, "{longest}");
    }

    #[test]
    fn a_length_is_read_exactly() {
        let second = Span::secs(1);
        assert_eq!(length("1.25", second), Ok(Span::millis(1_250)));
        assert_eq!(length("0.000000001", second), Ok(Span::nanos(1)));
        assert_eq!(length("1e-3", second), Ok(Span::millis(1)));
        assert_eq!(length("3ms", second), Ok(Span::millis(3)));
        assert_eq!(length("2.5", Span::millis(1)), Ok(Span::micros(2_500)));
        assert!(["", "-1", "NaN", "1 s", "inf"].iter().all(|text| length(text, second).is_err()));
    }
}
