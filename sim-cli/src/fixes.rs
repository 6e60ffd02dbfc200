//! What `sim explore --fix` shows: what would have prevented the findings, and at what price.

use std::path::PathBuf;

use serde_json::{Value, json};
use sim_models::explore::{Fix, Fixes, GoodRun, Removal};
use sim_models::study::{Contrast, Kind, Quantile, Unit};

use crate::repeat::Repeat;
use crate::study::json::estimate;
use crate::text::{Style, Table};
use crate::words;

/// The most changes that a table has; JSON has all.
const ROWS_MAX: usize = 12;

/// Of the best changes it is said what stands where.
const TOLD_MAX: usize = 3;

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
        if fixes.findings == 0 {
            let said = "Nothing was found, so there is nothing to prevent";
            return style.labelled(style.head, "FIX", said);
        }
        let said = match fixes.useless.len() {
            0 => "No change that is known here applies to this scenario".to_owned(),
            n => format!("{} keep no broken promise", words::counted(n as u64, "known change")),
        };
        return style.labelled(style.unsure, "NO FIX", &said) + &in_vain(fixes, style);
    };
    let runs = words::counted(best.runs, "run");
    let mut text = match best.keeps_all() {
        true => {
            let said =
                format!("{}: every promise was kept in {runs}", words::sentence(&best.name()));
            style.labelled(style.good, "FIX", &said)
        }
        false => {
            let said = format!("Nothing that was tried keeps every promise in {runs}");
            style.labelled(style.unsure, "NO FIX", &said)
        }
    };
    let rows = || all.iter().take(ROWS_MAX);
    let prices = |fix: &Fix| PRICES.map(|(kind, _)| price_of(fix.contrast(kind)));
    let is_sure = !rows().flat_map(prices).any(|price| price.contains('±'));
    let interval = if is_sure { "" } else { ", and half a 95 % interval" };
    let legend = format!(
        "keeps: of {}, whose promise no run of the search with the change broke; breaks: in what is \
         found with it. The price is that of an ordinary load without faults: the scenario as it is, \
         and what the change adds{interval}",
        words::counted(fixes.findings, "finding"),
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
        row.extend(prices(fix));
        row
    };
    let rows: Vec<Vec<String>> = rows().enumerate().map(row).collect();
    text += &Table::new(header, rows).words(1).words(3).text(style);
    if all.len() > ROWS_MAX {
        let more = words::counted((all.len() - ROWS_MAX) as u64, "change");
        text += &style.line("more", &format!("{more} with less effect: see --json"));
    }
    text += &in_vain(fixes, style);
    for (n, (fix, file)) in all.iter().zip(files).take(TOLD_MAX).enumerate() {
        text.push('\n');
        text +=
            &style.labelled(style.head, &format!("fix {}", n + 1), &words::sentence(&fix.name()));
        for (path, value) in fix.sets() {
            // On one line, whatever its length: a shell takes it as it stands.
            text += &style.command("set", &set_of(path, value));
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

/// What was tried and keeps nothing.
fn in_vain(fixes: &Fixes, style: &Style) -> String {
    match fixes.useless.is_empty() {
        true => String::new(),
        false => style.line("no help", &fixes.useless.join("; ")),
    }
}

/// `--set 'actors.api.endpoints.pay[0].design="safe"'`.
fn set_of(path: &str, value: &str) -> String {
    let set = Repeat::words().option("set", format!("{path}={value}")).to_string();
    set.trim_start().to_owned()
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

#[cfg(test)]
mod tests {
    use super::*;
    use sim_models::Scenario;
    use sim_models::explore::explore;

    fn shop(psp: &str) -> Scenario {
        let text = r#"Scenario(
            name: "shop", about: "", horizon: "1m",
            actors: {
                "shopper": Client(load: Burst(count: 1), does: [Call("web.buy", policy: "again")]),
                "web": Service(workers: 4, endpoints: { "buy": [
                    Call("psp.charge", policy: "short", key: "{key}"), Respond(201),
                ] }),
                "psp": Service(workers: 4, endpoints: { "charge": [Effect("charge"), Respond(201)] }),
            },
            policies: {
                "again": [Retry(attempts: 3, backoff: Constant("1s"), even_if_unsafe: true), Timeout("5s")],
                "short": [Timeout("1s")],
            },
            invariants: [AtMostOnce("charge")],
        )"#;
        let text = text.replace("Effect(\"charge\")", psp);
        Scenario::text("shop.ron", text).load().unwrap_or_else(|error| panic!("{error:?}"))
    }

    fn told(scenario: &Scenario) -> (Fixes, String) {
        let search = || explore(scenario).budget(60);
        let report = search().run().unwrap();
        let fixes = search().fixes(&report).unwrap();
        let files = vec![None; fixes.fixes.len()];
        let text = text(&fixes, &files, &Style::plain());
        (fixes, text)
    }

    #[test]
    fn where_nothing_is_broken_there_is_nothing_to_prevent() {
        let (_, text) = told(&shop("Effect(\"charge\", once: \"{key}\")"));
        assert!(text.contains("nothing to prevent") && !text.contains("NO FIX"), "{text}");
    }

    #[test]
    fn only_what_keeps_a_finding_has_a_number_and_can_be_copied() {
        let (fixes, text) = told(&shop("Effect(\"charge\")"));
        assert!(!fixes.fixes.is_empty(), "{text}");
        assert!(fixes.fixes.iter().all(|fix| fix.verdicts.contains(&Removal::Kept)), "{text}");
        let all: Vec<String> =
            fixes.fixes.iter().map(Fix::name).chain(fixes.useless.iter().cloned()).collect();
        assert!(all.iter().any(|name| name.starts_with("`psp` gets")), "{all:?}");
        assert!(!all.iter().any(|name| name.contains("provider gets")), "{all:?}");
        assert_eq!(text.contains("half a 95 % interval"), text.contains('±'), "{text}");
        for (path, value) in fixes.fixes.iter().take(TOLD_MAX).flat_map(Fix::sets) {
            let line = set_of(path, value);
            assert!(line.starts_with("--set ") && text.contains(&line), "{line}\n{text}");
        }
    }
}
