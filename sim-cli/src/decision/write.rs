//! The table for a pull request, a spreadsheet and a program.

use serde_json::{Map, Value, json};

use super::{Cell, Decision, Row, Silence};
use crate::text::plain;

/// As a table of GitHub's Markdown, with what it leaves out below.
pub fn markdown(decision: &Decision) -> String {
    let shown = decision.shown();
    let heads = shown.iter().map(|n| escaped(&decision.columns[*n].head));
    let header: Vec<String> =
        ["variant".to_owned(), "verdict".to_owned()].into_iter().chain(heads).collect();
    let mut text = format!("| {} |\n|---|---|{}\n", header.join(" | "), "--:|".repeat(shown.len()));
    for (n, row) in decision.rows.iter().enumerate() {
        let name = [escaped(&row.label(n)), row.verdict.to_string()];
        let cells = shown.iter().map(|n| in_markdown(&row.cells[*n]));
        let line: Vec<String> = name.into_iter().chain(cells).collect();
        text += &format!("| {} |\n", line.join(" | "));
    }
    for (silence, heads) in decision.left_out() {
        let heads: Vec<String> = heads.iter().map(|head| escaped(head)).collect();
        let what = match silence {
            Silence::Kept => "Kept by all",
            Silence::Untested => "Never tested",
            Silence::Zero => "0 in all rows",
            Silence::Unmeasured => "Without a value",
        };
        text += &format!("\n{what}: {}.\n", heads.join("; "));
    }
    text
}

/// The mark in bold, the value, and the interval below it.
fn in_markdown(cell: &Cell) -> String {
    let mark = cell.mark.map_or_else(String::new, |mark| format!("**{mark}** "));
    let range = cell.range.iter().map(|range| format!("<br>{}", escaped(range)));
    format!("{mark}{}{}", escaped(&cell.said), range.collect::<String>())
}

/// A text that Markdown shows as it stands, within a table.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in plain(text).chars() {
        if "\\`*_[]<>|&~$#".contains(c) {
            safe.push('\\');
        }
        safe.push(c);
    }
    safe
}

/// All columns as comma-separated values: of each the value, its interval and its mark.
pub fn csv(decision: &Decision) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut header =
        ["variant", "baseline", "verdict", "runs", "ended at a limit"].map(str::to_owned).to_vec();
    for column in &decision.columns {
        let head = &column.head;
        header.extend([head.clone(), format!("{head}: interval"), format!("{head}: mark")]);
    }
    let row = |(n, row): (usize, &Row)| {
        let is_first = if n == 0 { "yes" } else { "no" };
        let (name, verdict) = (plain(&row.name), row.verdict.to_string());
        let mut record = vec![name, is_first.to_owned(), verdict];
        record.extend([row.runs.to_string(), row.limited.to_string()]);
        for cell in &row.cells {
            let mark = cell.mark.map(|mark| mark.to_string());
            record.push(cell.said.clone());
            record.extend([cell.range.clone(), mark].map(Option::unwrap_or_default));
        }
        record
    };
    let rows = decision.rows.iter().enumerate().map(row);
    for record in std::iter::once(header).chain(rows) {
        writer.write_record(record).expect("memory takes it, and all records are equally long");
    }
    let bytes = writer.into_inner().expect("memory takes it");
    String::from_utf8(bytes).expect("made of texts")
}

/// The table as an object of a comparison's JSON.
pub fn object(decision: &Decision) -> Value {
    let columns = decision.columns.iter().map(|column| {
        json!({
            "head": column.head,
            "figure": column.figure.to_string(),
            "unit": column.figure.unit().name(),
            "better": column.figure.better().name(),
            "alike": column.silence.map(Silence::id),
        })
    });
    let row = |(n, row): (usize, &Row)| {
        json!({
            "name": row.name,
            "baseline": n == 0,
            "verdict": row.verdict.name(),
            "runs": row.runs,
            "limited": row.limited,
            "cells": cells(decision, row),
        })
    };
    let finding = decision.finding(None).map(|finding| {
        let name = |n: &usize| &decision.rows[*n].name;
        json!({
            "figure": finding.figure.to_string(),
            "rows": finding.rows.iter().map(name).collect::<Vec<_>>(),
            "against": finding.against.iter().map(name).collect::<Vec<_>>(),
            "text": finding.text,
        })
    });
    json!({
        "finding": finding,
        "least": decision.terms.map(|terms| terms.least),
        "columns": columns.collect::<Vec<Value>>(),
        "rows": decision.rows.iter().enumerate().map(row).collect::<Vec<Value>>(),
    })
}

/// The cells of a row, by the names of their figures.
pub fn cells(decision: &Decision, row: &Row) -> Value {
    let known = |end: f64| end.is_finite().then_some(end);
    let cell = |cell: &Cell| {
        json!({
            "value": cell.value,
            "at_least": cell.at_least,
            "ci_low": cell.interval.and_then(|interval| known(interval.low)),
            "ci_high": cell.interval.and_then(|interval| known(interval.high)),
            "mark": cell.mark.map(sim_models::study::Mark::id),
            "text": cell.said,
        })
    };
    let names = decision.columns.iter().map(|column| column.figure.to_string());
    Value::Object(names.zip(row.cells.iter().map(cell)).collect::<Map<String, Value>>())
}
