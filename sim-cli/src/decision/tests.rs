//! The laws of the decision table: its numbers are those of the study, its words the same in every
//! form, and nothing in it is kinder than what was found.

use serde_json::Value;
use sim_models::Scenario;
use sim_models::anatomy::Anatomy;
use sim_models::study::{Axis, Comparison, InvariantTally, Map, Options, RecoveryTally};

use super::*;
use crate::samples;
use crate::spoken::Spoken;
use crate::study::json::summary;
use crate::text::Style;

/// Answers are lost; who asks again pays again.
const SHOP: &str = r#"Scenario(
    name: "shop", about: "Answers are lost.", horizon: "30s",
    actors: {
        "buyers": Client(load: Open(rate: "20/s"), does: [Call("till.pay", policy: "p")]),
        "till": Service(workers: 4, queue: Fifo(limit: 100),
            endpoints: { "pay": [Work(Exponential("20ms")), Effect("charge")] }),
    },
    links: [Link(from: "till", to: "buyers", latency: Const("1ms"), loss: 0.1)],
    policies: { "p": [Timeout("500ms")] },
    invariants: [AtMostOnce("charge"), PeakArrivals("till", max: 100000)],
    variants: {
        "retries": { "policies.p": [Retry(attempts: 4, even_if_unsafe: true), Timeout("500ms")] },
        "the | same, \"quoted\" <b> `x`": {},
        "cut": { "limits": (steps: 1000) },
    },
)"#;

fn side(variant: Option<&str>) -> (String, Scenario) {
    let scenario = Scenario::text("shop.ron", SHOP);
    let scenario = match variant {
        Some(variant) => scenario.variant(variant),
        None => scenario,
    };
    (variant.unwrap_or(BASE).to_owned(), scenario.load().expect("a scenario"))
}

const SAME: &str = "the | same, \"quoted\" <b> `x`";

fn compared(variants: &[Option<&str>], seeds: u64) -> Comparison {
    let sides: Vec<_> = variants.iter().map(|variant| side(*variant)).collect();
    let options = Options { seeds, jobs: 1, ..Options::default() };
    Comparison::run(&sides, &options).expect("a study")
}

fn cell<'a>(decision: &'a Decision, row: usize, figure: &str) -> &'a Cell {
    let mut figures = decision.columns.iter().map(|column| column.figure.to_string());
    let n = figures.position(|found| found == figure);
    &decision.rows[row].cells[n.unwrap_or_else(|| panic!("no column {figure}"))]
}

#[test]
fn its_numbers_are_those_of_the_study() {
    let comparison = compared(&[None, Some("retries"), Some(SAME)], 8);
    let decision = Decision::of_comparison(&comparison, 0.02);
    let object = write::object(&decision);
    let mut compared = 0;
    for (side, row) in comparison.sides.iter().zip(object["rows"].as_array().expect("rows")) {
        let told = Value::Object(summary(&side.summary, None));
        for column in &decision.columns {
            let name = column.figure.to_string();
            let found = &row["cells"][&name];
            let (value, low, high) = match column.figure.kind {
                Kind::Broken => {
                    let mut tallies = told["invariants"].as_array().expect("tallies").iter();
                    let tally = tallies
                        .find(|t| name == format!("broken({})", t["name"].as_str().unwrap()));
                    let tally = tally.expect("a tally");
                    let count = |field: &str| tally[field].as_f64().expect("a count");
                    let share = count("broken") / (count("runs") - count("vacuous"));
                    (share.into(), tally["rate_low"].clone(), tally["rate_high"].clone())
                }
                Kind::Percentile(quantile) => {
                    let of = column.figure.of.as_deref().expect("a client");
                    let read = &told["latency_ms"][of][quantile.id()];
                    (read["value"].clone(), read["ci_low"].clone(), read["ci_high"].clone())
                }
                _ => {
                    let read = &told["metrics"][&name];
                    (read["mean"].clone(), read["ci_low"].clone(), read["ci_high"].clone())
                }
            };
            assert_eq!(found["value"], value, "{name}");
            assert_eq!((&found["ci_low"], &found["ci_high"]), (&low, &high), "{name}");
            compared += 1;
        }
    }
    assert!(compared >= 3 * 9, "{compared}");
}

#[test]
fn retries_that_charge_twice_are_marked_whatever_they_serve() {
    let decision =
        Decision::of_comparison(&compared(&[None, Some("retries"), Some(SAME)], 8), 0.02);
    let promise = "broken(AtMostOnce(\"charge\"))";
    assert_eq!(cell(&decision, 0, promise).said, "0/8 broke");
    assert_eq!(cell(&decision, 1, promise).said, "8/8 broke");
    assert_eq!(cell(&decision, 1, promise).mark, Some(Mark::Worse));
    let twice = cell(&decision, 1, "duplicated(charge)");
    assert_eq!(twice.mark, Some(Mark::Worse));
    assert!(twice.said.contains(" for "), "{}", twice.said);
    assert_eq!(cell(&decision, 1, "success").mark, Some(Mark::NotBetter), "more are served");
    assert!(decision.rows[0].cells.iter().all(|cell| cell.mark.is_none()));
    let equal = |cell: &Cell| cell.mark.is_none() || cell.mark == Some(Mark::Equal);
    assert!(decision.rows[2].cells.iter().all(equal), "{:?}", decision.rows[2]);
}

#[test]
fn the_other_baseline_turns_better_into_worse() {
    let marks = |order: &[Option<&str>]| {
        let decision = Decision::of_comparison(&compared(order, 8), 0.0);
        let mark = |(n, column): (usize, &Column)| {
            (column.figure.to_string(), decision.rows[1].cells[n].mark)
        };
        decision.columns.iter().enumerate().map(mark).collect::<Vec<_>>()
    };
    let (this, that) = (marks(&[None, Some("retries")]), marks(&[Some("retries"), None]));
    let turned = |mark| match mark {
        Some(Mark::Better | Mark::NotBetter) => Some(Mark::Worse),
        Some(Mark::Worse) => Some(Mark::Better),
        other => other,
    };
    let mut differ = 0;
    for (figure, mark) in this {
        let (_, other) = that.iter().find(|(found, _)| *found == figure).expect("the same columns");
        let other = if *other == Some(Mark::NotBetter) { Some(Mark::Better) } else { *other };
        assert_eq!(other, turned(mark), "{figure}");
        differ += usize::from(mark == Some(Mark::Worse));
    }
    assert!(differ >= 2);
}

#[test]
fn one_run_marks_nothing() {
    let study = Decision::of_comparison(&compared(&[None, Some("retries")], 1), 0.02);
    let runs = [side(None), side(Some("retries"))].map(|(_, scenario)| scenario.run(1));
    for decision in [study, Decision::of_runs(&runs)] {
        let cells = || decision.rows.iter().flat_map(|row| &row.cells);
        assert!(cells().all(|cell| cell.mark.is_none() && cell.interval.is_none()));
        assert!(cells().all(|cell| cell.range.is_none()));
        assert_eq!(cell(&decision, 0, "broken(AtMostOnce(\"charge\"))").said, "kept");
        assert_eq!(cell(&decision, 1, "broken(AtMostOnce(\"charge\"))").said, "broke");
        assert!(decision.terms.is_none() && write::object(&decision)["least"].is_null());
    }
}

#[test]
fn all_forms_say_the_same() {
    let decision =
        Decision::of_comparison(&compared(&[None, Some("retries"), Some(SAME)], 8), 0.02);
    let text = text::text(&decision, &Style { columns: 1000, ..Style::plain() });
    let csv = write::csv(&decision);
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let records: Vec<csv::StringRecord> = reader.records().map(|r| r.expect("a record")).collect();
    assert_eq!(records.len(), 3);
    assert_eq!(&records[2][0], SAME);
    let markdown = write::markdown(&decision);
    let unescaped = |text: &str| text.replace('\\', "");
    for (n, (row, record)) in decision.rows.iter().zip(&records).enumerate() {
        let line = markdown.lines().nth(n + 2).expect("a line a row");
        assert_eq!(
            line.replace("\\|", "").matches('|').count(),
            decision.shown().len() + 3,
            "{line}"
        );
        for (n, cell) in row.cells.iter().enumerate() {
            let mark = cell.mark.map(|mark| mark.to_string()).unwrap_or_default();
            let range = cell.range.clone().unwrap_or_default();
            assert_eq!(&record[5 + 3 * n], cell.said);
            assert_eq!((&record[6 + 3 * n], &record[7 + 3 * n]), (&range[..], &mark[..]));
            if decision.columns[n].silence.is_none() {
                let words = unescaped(line);
                assert!(words.contains(&cell.said) && words.contains(&range), "{words}");
                assert!(text.contains(&cell.said) && text.contains(&range), "{text}");
                assert!(
                    mark.is_empty() || text.contains(&format!("{mark}  {}", cell.said)),
                    "{text}"
                );
            }
        }
    }
    let named = ["all keep  PeakArrivals", "all 0     no answer"];
    assert!(named.iter().all(|line| text.contains(line)), "{text}");
}

#[test]
fn what_no_run_put_to_the_test_is_not_kept() {
    let tally = |broken, vacuous| InvariantTally {
        name: "NoMerge(\"charge\")".to_owned(),
        known: false,
        runs: 20,
        broken,
        vacuous,
        rate: None,
        first: None,
    };
    let of = |broken, vacuous| {
        let summary =
            Summary { runs: 20, invariants: vec![tally(broken, vacuous)], ..Summary::default() };
        Cell::of(&summary, &Figure::of(Kind::Broken, "NoMerge(\"charge\")"), true)
    };
    assert_eq!((of(0, 20).value, &of(0, 20).said[..]), (None, "never tested"));
    assert_eq!(of(0, 6).said, "0/14 broke, 6 untested");
    let silent = |cells: &[Cell]| silence(&Figure::of(Kind::Broken, "x"), cells.iter());
    assert_eq!(silent(&[of(0, 0), of(0, 0)]), Some(Silence::Kept));
    assert_eq!(silent(&[of(0, 20), of(0, 20)]), Some(Silence::Untested));
    assert_eq!(silent(&[of(0, 0), of(0, 20)]), None, "they differ");
    assert_eq!(silent(&[of(0, 0), of(0, 6)]), None, "not every run tested it");
    let summary = |vacuous| Summary { invariants: vec![tally(0, vacuous)], ..Summary::default() };
    let figure = Figure::of(Kind::Broken, "NoMerge(\"charge\")");
    let sober = |vacuous| sober(Mark::Better, &figure, &summary(vacuous), &summary(0));
    assert_eq!((sober(0), sober(1)), (Mark::Better, Mark::Unclear));
}

#[test]
fn who_does_not_come_back_is_in_no_mean_and_is_told() {
    let tally = |recovered, metastable, undecided| RecoveryTally {
        recovered,
        metastable,
        undecided,
        ..RecoveryTally::default()
    };
    let of = |kind, tally| {
        let summary = Summary { runs: 20, recovery: Some(tally), ..Summary::default() };
        Cell::of(&summary, &Figure::of_all(kind), true)
    };
    assert_eq!(of(Kind::Metastable, tally(8, 12, 0)).said, "12/20");
    assert_eq!(of(Kind::Metastable, tally(8, 0, 12)).said, "0/8, 12 undecided");
    assert_eq!(of(Kind::Metastable, tally(0, 0, 20)).said, "undecided");
    assert_eq!(of(Kind::RecoveryTime, tally(0, 20, 0)).said, "never");
}

#[test]
fn runs_that_a_limit_ended_say_nothing() {
    let decision = Decision::of_comparison(&compared(&[None, Some("cut")], 3), 0.02);
    let cut = &decision.rows[1];
    assert!(cut.cells.iter().all(|cell| cell.value.is_none() && cell.said == "no run"), "{cut:?}");
    assert_eq!((cut.verdict, cut.label(1)), (Verdict::Invalid, "cut (0 of 3 runs)".to_owned()));
}

#[test]
fn twelve_variants_fit_a_terminal() {
    let (comparison, _) = samples::comparison(12);
    let decision = Decision::of_comparison(&comparison, 0.02);
    for width in [80, 100, 120] {
        let text = text::text(&decision, &Style { columns: width, ..Style::plain() });
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert!(widest.is_some_and(|widest| widest <= width.max(100)), "{text}");
        let table = text.lines().take_while(|line| !line.starts_with("marks"));
        assert!(table.clone().all(|line| line.chars().count() <= width), "{text}");
        assert!(table.count() <= 60, "{text}");
    }
}

fn recovering(metastable: &[u64]) -> Decision {
    let summary = |metastable: &u64| {
        let recovery = RecoveryTally {
            recovered: 20 - metastable,
            metastable: *metastable,
            ..RecoveryTally::default()
        };
        Summary { runs: 20, recovery: Some(recovery), ..Summary::default() }
    };
    let summaries: Vec<Summary> = metastable.iter().map(summary).collect();
    let names = ["base", "no budget", "no limit", "short queue"];
    let names = names.iter().take(metastable.len()).map(|name| (*name).to_owned()).collect();
    let terms = Terms { least: 0.02, confidence: 0.95 };
    Decision::of(names, &summaries.iter().collect::<Vec<_>>(), Some(terms), &|_, _| None)
}

#[test]
fn the_finding_is_the_gravest_and_ties_are_ties() {
    let found = |decision: &Decision, trigger| decision.finding(trigger).map(|found| found.text);
    let said = |metastable: &[u64]| found(&recovering(metastable), Some("db: slow for 5 s"));
    for (metastable, text) in [
        (&[0, 20][..], "“no budget”: db: slow for 5 s, and 0 of 20 runs come back; “base”: all"),
        (
            &[0, 20, 20, 0],
            "“no budget” and “no limit”: db: slow for 5 s, and 0 of 20 runs come back; the others: all",
        ),
        (&[20, 20], "every variant: db: slow for 5 s, and 0 of 20 runs come back"),
        (&[20, 3], "“base”: db: slow for 5 s, and 0 of 20 runs come back; “no budget”: 17"),
    ] {
        assert_eq!(said(metastable).as_deref(), Some(text));
    }
    assert_eq!(said(&[0, 0]), None, "nothing tells them apart");

    let sides = [None, Some("retries"), Some(SAME)];
    let study = Decision::of_comparison(&compared(&sides, 8), 0.02);
    let money = study.finding(None).expect("who asks again pays again");
    assert_eq!((money.figure.kind, &money.rows[..]), (Kind::Duplicated, &[1][..]));
    assert!(money.text.contains("duplicates of charge for"), "{}", money.text);
    assert!(money.text.ends_with(" intents; the others: none"), "{}", money.text);
    let runs = sides.map(|variant| side(variant).1.run(1));
    let money = Decision::of_runs(&runs).finding(None).expect("one run shows it");
    assert_eq!((money.figure.kind, &money.rows[..]), (Kind::Duplicated, &[1][..]));
    let same = compared(&[None, Some(SAME)], 8);
    assert_eq!(found(&Decision::of_comparison(&same, 0.02), None), None);
}

/// More users, and no other difference.
const BUSIER: &str = r#"Scenario(
    name: "busy", about: "", horizon: "20s",
    actors: {
        "users": Client(load: Open(rate: "20/s"), does: [Call("api.get")]),
        "api": Service(workers: 4, queue: Fifo(limit: 100), endpoints: { "get": [Work(Const("20ms"))] }),
    },
    variants: { "twice": { "actors.users.load.rate": "40/s" } },
)"#;

#[test]
fn who_is_asked_for_more_is_not_better_because_more_is_served() {
    let side = |variant: Option<&str>| {
        let scenario = Scenario::text("busy.ron", BUSIER);
        let scenario = variant.into_iter().fold(scenario, |all, name| all.variant(name));
        (variant.unwrap_or(BASE).to_owned(), scenario.load().expect("a scenario"))
    };
    let options = Options { seeds: 4, jobs: 1, ..Options::default() };
    let study = Comparison::run(&[side(None), side(Some("twice"))], &options).expect("a study");
    let study = Decision::of_comparison(&study, LEAST);
    assert_eq!(cell(&study, 1, "goodput").mark, Some(Mark::Better));
    let runs = [None, Some("twice")].map(|variant| side(variant).1.run(1));
    for decision in [study, Decision::of_runs(&runs)] {
        let found = decision.finding(None).map(|found| found.figure.kind);
        assert_ne!(found, Some(Kind::Goodput), "{:?}", decision.finding(None));
    }
}

/// A map of the shop over the attempts of its retries.
fn shop_map(attempts: &str) -> Option<String> {
    let load = |set: &[(&str, &str)]| {
        let scenario = Scenario::text("shop.ron", SHOP).variant("retries");
        let scenario = set.iter().fold(scenario, |all, (path, value)| all.set(*path, value));
        scenario.load().expect("a scenario")
    };
    let x: Axis = format!("policies.p[0].attempts={attempts}").parse().expect("an axis");
    let cells: Vec<Scenario> = x.values.iter().map(|value| load(&[(&x.path, value)])).collect();
    let options = Options { seeds: 2, jobs: 1, ..Options::default() };
    let base = load(&[]);
    let names = [&x.path[..], ""].map(|path| Spoken::of(&Anatomy::of(&base), path));
    let map = Map::run(&base, [x, Axis::none()], &cells, &options).expect("a map");
    along(&map, [&names[0], &names[1]], true)
}

#[test]
fn a_map_says_from_where_on_payments_are_doubled() {
    let said = |attempts| shop_map(attempts).unwrap_or_default();
    let from = said("1,2,4");
    let beginning = "From attempts of Retry in p = 2 on, not up to 1: ";
    assert!(from.starts_with(beginning) && from.contains(" duplicates of charge for "), "{from}");
    assert!(said("4,2,1").starts_with("Up to attempts of Retry in p = 2, not from 1 on: "));
    assert!(said("2,4").starts_with("At every attempts of Retry in p: "), "{}", said("2,4"));
    assert!(said("1,3").starts_with("With attempts of Retry in p = 3: "), "{}", said("1,3"));
    assert!(said("3,1,3").starts_with("At 2 of 3 values: "), "{}", said("3,1,3"));
    assert_eq!(shop_map("1"), None, "who asks once pays once");
}

/// The numbers of a text: without what sets off thousands, in milliseconds where they are lengths.
fn numbers(text: &str) -> Vec<f64> {
    let words: Vec<&str> = text.split([' ', ';', ':', '(', ')', '"']).collect();
    let number = |(n, word): (usize, &&str)| {
        let number: f64 = word.trim_matches(['.', ',']).replace(',', "").parse().ok()?;
        Some(match words.get(n + 1).map(|unit| unit.trim_matches(['.', ','])) {
            Some("s") => number * 1_000.0,
            Some("us") => number / 1_000.0,
            _ => number,
        })
    };
    words.iter().enumerate().filter_map(number).collect()
}

#[test]
fn every_number_of_a_title_is_in_the_json() {
    fn collect(value: &Value, all: &mut Vec<f64>) {
        match value {
            Value::Number(number) => all.extend(number.as_f64()),
            Value::Array(items) => items.iter().for_each(|item| collect(item, all)),
            Value::Object(fields) => fields.values().for_each(|field| collect(field, all)),
            _ => {}
        }
    }
    let mut told = 0;
    for variant in [None, Some("retries")] {
        for seed in 1..=3 {
            let outcome = side(variant).1.run(seed);
            let title = crate::finding::title(&outcome);
            let json = serde_json::from_str(&crate::json::object(&outcome)).expect("JSON");
            let mut known = Vec::new();
            collect(&json, &mut known);
            for number in numbers(&title) {
                let is_it = |known: &f64| (known - number).abs() <= 0.01 * number.abs();
                assert!(known.iter().any(is_it), "{number} of {title}");
                told += 1;
            }
            assert!(!title.starts_with("All"), "{title}");
        }
    }
    assert!(told >= 6, "{told}");
}

#[test]
fn the_title_of_a_run_is_its_gravest_harm() {
    let title = |variant| crate::finding::title(&side(variant).1.run(1));
    assert!(
        title(None).contains(" failed") || title(None).contains("no answer"),
        "{}",
        title(None)
    );
    assert!(title(Some("retries")).contains(" duplicates of charge for "));
    let mut outcome = side(None).1.run(1);
    outcome.effects[0].merged = 12;
    assert_eq!(crate::finding::title(&outcome), "12 intents got another's charge");
    outcome.verdict = Verdict::Invalid;
    assert!(crate::finding::title(&outcome).starts_with("Nothing can be concluded"));
}
