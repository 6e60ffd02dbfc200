//! What `sim explore --fix` shows: what would have prevented the findings, and at what price.

use std::path::PathBuf;

use serde_json::{Value, json};
use sim_models::explore::{Fix, Fixes, GoodRun, Removal};
use sim_models::study::{Contrast, Kind, Quantile, Unit};

use crate::study::json::estimate;
use crate::text::{Style, Table, labelled};
use crate::words;

/// The most changes that a table has; JSON has all.
const ROWS_MAX: usize = 12;

/// Of the best changes it is said what stands where.
const TOLD_MAX: usize = 3;

/// The longest value that is shown of a change. The file has all of it.
const VALUE_MAX: usize = 120;

/// The width of a change's name in the table.
const NAME: usize = 30;

/// What a price consists of.
const PRICES: [(Kind, &str); 4] = [
    (Kind::Percentile(Quantile::P50), "p50 ms"),
    (Kind::Percentile(Quantile::P99), "p99 ms"),
    (Kind::Success, "served %"),
    (Kind::RequestsPerIntent, "requests"),
];

/// The name of a changed scenario's file: `fix-1-safe-in-place-of-naive.ron`.
pub fn file_name(n: usize, fix: &Fix) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { ' ' };
    let name: String = fix.name().chars().map(plain).collect();
    let words: Vec<&str> = name.split_whitespace().take(8).collect();
    format!("fix-{}-{}.ron", n + 1, words.join("-"))
}

/// The best changes in a table, and what they set.
pub fn text(fixes: &Fixes, files: &[Option<PathBuf>], style: &Style) -> String {
    let all = &fixes.fixes;
    let Some(best) = all.first() else {
        let said = match fixes.useless.len() {
            0 => "No change that is known here applies to this scenario".to_owned(),
            n => format!("{} would prevent nothing", words::counted(n as u64, "known change")),
        };
        return labelled(style.unsure, "NO FIX", &said);
    };
    let runs = words::counted(best.runs, "run");
    let mut text = match best.keeps_all() {
        true => {
            let said =
                format!("{}: every promise was kept in {runs}", words::sentence(&best.name()));
            labelled(style.good, "FIX", &said)
        }
        false => {
            let said = format!("Nothing that was tried keeps every promise in {runs}");
            labelled(style.unsure, "NO FIX", &said)
        }
    };
    let findings = best.verdicts.len() as u64;
    let legend = format!(
        "keeps: of {}, whose promise no run of the search with the change broke; breaks: in what is \
         found with it. The price is that of an ordinary load without faults: the scenario as it is, \
         what the change adds, and half a 95 % interval",
        words::counted(findings, "finding"),
    );
    text += &style.line("tried", &legend);
    let mut header = vec!["", "change", "keeps", "breaks"];
    header.extend(PRICES.iter().map(|(_, head)| *head));
    let row = |(n, fix): (usize, &Fix)| {
        let kept = fix.verdicts.iter().filter(|verdict| **verdict == Removal::Kept).count();
        let left = match fix.ways {
            0 => "nothing".to_owned(),
            ways => words::counted(ways, "way"),
        };
        let mut row = vec![
            format!("{}", n + 1),
            textwrap::wrap(&fix.name(), NAME).join("\n"),
            format!("{kept}/{}", fix.verdicts.len()),
            left,
        ];
        row.extend(PRICES.iter().map(|(kind, _)| price_of(fix.contrast(*kind))));
        row
    };
    let rows: Vec<Vec<String>> = all.iter().take(ROWS_MAX).enumerate().map(row).collect();
    text += &Table::new(header, rows).words(1).words(3).text(style);
    if all.len() > ROWS_MAX {
        let more = words::counted((all.len() - ROWS_MAX) as u64, "change");
        text += &style.line("more", &format!("{more} with less effect: see --json"));
    }
    if !fixes.useless.is_empty() {
        text += &style.line("in vain", &fixes.useless.join("; "));
    }
    for (n, (fix, file)) in all.iter().zip(files).take(TOLD_MAX).enumerate() {
        text.push('\n');
        text += &labelled(style.head, &format!("fix {}", n + 1), &words::sentence(&fix.name()));
        for (path, value) in fix.sets() {
            text += &style.line("set", &format!("{path}: {}", shortened(value)));
        }
        for (promise, ways) in &fix.remains {
            let ways = words::counted(*ways, "way");
            text += &style.line("breaks", &format!("{promise}, in {ways}"));
        }
        if !fix.untested.is_empty() {
            let all = fix.untested.join(", ");
            text += &style.line("untested", &format!("{all}: no run put it to the test any more"));
        }
        text += &style.line("good run", &good_runs(&fix.good));
        if let Some(file) = file {
            text += &style.command("show", &format!("sim explore {}", file.display()));
        }
    }
    text
}

fn shortened(value: &str) -> String {
    match value.char_indices().nth(VALUE_MAX) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

/// `131.2 +0.9 ±0.2`: the scenario's own figure, and what the change adds.
fn price_of(contrast: Option<&Contrast>) -> String {
    let Some(contrast) = contrast else { return "—".to_owned() };
    let scale = if contrast.figure.unit() == Unit::Share { 100.0 } else { 1.0 };
    let [reference, added] = [contrast.reference, contrast.value - contrast.reference];
    let around = match contrast.difference.interval.map(|interval| interval.half_width() * scale) {
        Some(half) if half.is_finite() && half >= 0.05 => format!(" ±{half:.1}"),
        _ => String::new(),
    };
    let added = match added * scale {
        none if none.abs() < 0.05 => "+0".to_owned(),
        added => format!("{added:+.1}"),
    };
    format!("{:.1} {added}{around}", reference * scale)
}

fn good_runs([before, after]: &[GoodRun; 2]) -> String {
    let latency = |run: &GoodRun| run.latency.map_or("no success".to_owned(), words::duration);
    format!(
        "{} instead of {}, {} instead of {}; {} of {} served",
        latency(after),
        latency(before),
        words::counted(after.requests, "request"),
        words::count(before.requests),
        words::count(after.served),
        words::count(after.arose),
    )
}

/// What was tried, as JSON.
pub fn json(fixes: &Fixes, files: &[Option<PathBuf>]) -> Value {
    let good = |run: &GoodRun| {
        json!({
            "latency_ms": run.latency.map(|latency| latency.as_millis_f64()),
            "requests": run.requests,
            "served": run.served,
            "arose": run.arose,
        })
    };
    let price = |contrast: &Contrast| {
        json!({
            "figure": contrast.figure.to_string(),
            "before": contrast.reference,
            "after": contrast.value,
            "difference": estimate(Some(contrast.difference)),
            "judgement": contrast.judgement.id(),
        })
    };
    let fix = |(fix, file): (&Fix, &Option<PathBuf>)| {
        let sets = fix.sets().map(|(path, value)| json!({ "path": path, "value": value }));
        let remains =
            fix.remains.iter().map(|(promise, ways)| json!({ "promise": promise, "ways": ways }));
        json!({
            "name": fix.name(),
            "keeps_all": fix.keeps_all(),
            "findings": fix.verdicts.iter().map(|verdict| verdict.name()).collect::<Vec<_>>(),
            "ways": fix.ways,
            "remains": remains.collect::<Vec<_>>(),
            "untested": fix.untested,
            "runs": fix.runs,
            "good_run": { "before": good(&fix.good[0]), "after": good(&fix.good[1]) },
            "price": fix.price.iter().map(price).collect::<Vec<_>>(),
            "sets": sets.collect::<Vec<_>>(),
            "file": file.as_ref().map(|file| file.display().to_string()),
        })
    };
    json!({
        "fixes": fixes.fixes.iter().zip(files).map(fix).collect::<Vec<_>>(),
        "in_vain": fixes.useless,
    })
}
