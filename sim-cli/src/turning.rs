//! The turning point of a run, as text and as JSON.

use serde_json::{Value, json};
use sim_models::explore::turning::{Decided, Point, Turn, Turning};

use crate::text::{Style, Table, labelled, plain};
use crate::words;

/// Longer tables are not read; points where the share stays are left out of them.
const ROWS_MAX: usize = 14;

/// How wide the bar of a certainty is, and the words of a row at most.
const BAR: usize = 20;
const WORDS: usize = 36;

/// What was found, in a line.
pub fn headline(turning: &Turning) -> String {
    let shares = |n: usize| {
        let [before, after] = [n - 1, n].map(|n| percent(turning.points[n].share));
        format!("{before} before, {after} after")
    };
    match &turning.decided {
        Decided::NoLuck => "Nothing is left to luck".to_owned(),
        Decided::Certain => "Certain from the beginning".to_owned(),
        Decided::Turn(Turn { point, .. }) => {
            let Point { at, what, .. } = &turning.points[*point];
            format!("Decided at {at}: {what}; {}", shares(*point))
        }
        Decided::Gradually(_) => "No single step decides".to_owned(),
    }
}

/// The finding, and a table of the probability over the story.
pub fn text(turning: &Turning, style: &Style) -> String {
    let mut text = labelled(style.head, "TURN", &headline(turning));
    text += &style.line("that is", &turning.sentence());
    let points = &turning.points;
    // The same share all along needs no table.
    if matches!(turning.decided, Decided::NoLuck | Decided::Certain) {
        return text;
    }
    let turn = turning.turn().map(|turn| turn.point);
    let rows = shown(turning).into_iter().map(|n| {
        let Point { at, what, share, low, high, .. } = &points[n];
        let mark = if turn == Some(n) { "▶ " } else { "" };
        vec![
            at.to_string(),
            bar(*share),
            percent(*share),
            format!("{} to {}", percent(*low), percent(*high)),
            format!("{mark}{}", clipped(&plain(what))),
        ]
    });
    let head = ["luck after", "", "breaks", "95 % interval", "what happened then"];
    text += &Table::new(head, rows.collect()).words(1).words(4).text(style);
    let runs = words::counted(turning.continuations, "continuation");
    let steps = words::counted(points.len() as u64, "step");
    text + &style.line("", &format!("{runs} after each of {steps}"))
}

/// The same for programs. Times are milliseconds of virtual time.
pub fn object(turning: &Turning) -> Value {
    let decided = match &turning.decided {
        Decided::NoLuck => json!({ "id": "no_luck" }),
        Decided::Certain => json!({ "id": "certain" }),
        Decided::Turn(Turn { point, is_one_step, drawn }) => json!({
            "id": "turn", "point": point, "is_one_step": is_one_step, "drawn": drawn,
        }),
        Decided::Gradually(most) => json!({ "id": "gradually", "points": most }),
    };
    let point = |point: &Point| {
        json!({
            "step": point.step,
            "at_ms": point.at.as_nanos() as f64 / 1e6,
            "what": point.what,
            "share": point.share,
            "low": point.low,
            "high": point.high,
            "broken": point.broken,
            "unknown": point.unknown,
        })
    };
    json!({
        "promise": turning.promise,
        "intent": turning.intent,
        "witness": turning.witness,
        "continuations": turning.continuations,
        "decided": decided,
        "sentence": turning.sentence(),
        "points": turning.points.iter().map(point).collect::<Vec<_>>(),
    })
}

/// The points that a table shows: all, or those next to which the share changes.
fn shown(turning: &Turning) -> Vec<usize> {
    let points = &turning.points;
    let all = 0..points.len();
    if points.len() <= ROWS_MAX {
        return all.collect();
    }
    let last = points.len() - 1;
    let rise = |n: usize| (points[n].share - points[n - 1].share).abs();
    let mut rises: Vec<usize> = (1..=last).filter(|n| rise(*n) > 0.0).collect();
    rises.sort_by(|a, b| rise(*b).total_cmp(&rise(*a)));
    let turn = turning.turn().map(|turn| turn.point);
    let ends = [0, last].into_iter().chain(turn.map(|n| n - 1)).chain(turn);
    let mut shown: Vec<usize> = ends.collect();
    for n in rises.into_iter().flat_map(|n| [n, n - 1]).chain(all) {
        if shown.len() < ROWS_MAX && !shown.contains(&n) {
            shown.push(n);
        }
    }
    shown.sort_unstable();
    shown.dedup();
    shown
}

/// A share as a bar: full only where it is all, and empty only where it is nothing.
fn bar(share: f64) -> String {
    let cells = (share * BAR as f64).round() as usize;
    let cells = match share {
        0.0 | 1.0 => cells,
        _ => cells.clamp(1, BAR - 1),
    };
    "█".repeat(cells) + &"·".repeat(BAR - cells)
}

/// A share in whole percent. What is not quite all or nothing never reads as that.
pub fn percent(share: f64) -> String {
    match share {
        0.0 | 1.0 => format!("{:.0} %", 100.0 * share),
        _ if share < 0.01 => "<1 %".to_owned(),
        _ if share > 0.99 => ">99 %".to_owned(),
        _ => format!("{:.0} %", 100.0 * share),
    }
}

fn clipped(text: &str) -> String {
    match text.chars().count() > WORDS {
        true => text.chars().take(WORDS - 1).collect::<String>().trim_end().to_owned() + "…",
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn the_turn_is_said_and_marked() {
        let text = text(&samples::turning(), &Style::plain());
        assert!(text.starts_with("TURN      Decided at 20ms: api->psp: answer lost; 30 % before"));
        assert!(text.contains("▶ api->psp: answer lost"), "{text}");
        assert!(text.contains("whether a message is lost"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= crate::text::COLUMNS), "{text}");
    }

    #[test]
    fn a_long_table_keeps_its_ends_and_its_turn() {
        let mut long = samples::turning();
        let before = long.points[1].clone();
        let many = (0..40).map(|n| Point { step: 2 + n, ..before.clone() });
        long.points.splice(1..1, many);
        long.decided = match long.decided {
            Decided::Turn(turn) => Decided::Turn(Turn { point: turn.point + 40, ..turn }),
            other => other,
        };
        let shown = shown(&long);
        assert_eq!(shown.len(), ROWS_MAX);
        let turn = long.turn().unwrap().point;
        assert!([0, turn - 1, turn, long.points.len() - 1].iter().all(|n| shown.contains(n)));
    }

    #[test]
    fn a_bar_is_full_only_where_it_is_all() {
        assert_eq!(
            [0.0, 0.001, 0.5, 0.999, 1.0].map(|share| bar(share).matches('█').count()),
            [0, 1, 10, 19, 20]
        );
        assert_eq!(
            [0.0, 0.004, 0.3, 0.998, 1.0].map(percent),
            ["0 %", "<1 %", "30 %", ">99 %", "100 %"]
        );
    }

    #[test]
    fn programs_get_ids_and_finite_numbers() {
        let object = object(&samples::turning());
        assert_eq!(object["decided"]["id"], "turn");
        assert_eq!(object["points"][2]["at_ms"], 20.0);
    }
}
