//! The turning point of a run, as text and as JSON.

use serde_json::{Value, json};
use sim_models::explore::turning::{Decided, Point, Turn, Turning};
use sim_models::why::{Sequence, What};

use crate::text::{Style, Table, plain};
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
        Decided::Certain => {
            let first = percent(turning.points[0].share);
            format!("As good as certain from the beginning: {first}")
        }
        Decided::Turn(Turn { point, .. }) => {
            let Point { at, what, .. } = &turning.points[*point];
            format!("Decided at {at}: {what}; {}", shares(*point))
        }
        Decided::Gradually(_) => {
            let ends = [turning.points.first(), turning.points.last()];
            let ends = ends.map(|point| percent(point.map_or(0.0, |point| point.share)));
            format!("No single step decides: {} at the beginning, {} at the end", ends[0], ends[1])
        }
    }
}

/// The finding, and a table of the probability over the story.
pub fn text(turning: &Turning, style: &Style) -> String {
    let mut text = style.labelled(style.head, "TURN", &headline(turning));
    text += &style.line("that is", &turning.sentence());
    if turning.is_cut {
        let cut = "The search ended at its bound of events. With more, shares would be surer, and \
                   where no step is named one might be";
        text += &style.line("bounded", cut);
    }
    let points = &turning.points;
    // The same share all along needs no table.
    if matches!(turning.decided, Decided::NoLuck | Decided::Certain) {
        return text + &style.line("played", &played(turning));
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
    text + &style.line("played", &played(turning))
}

/// What the search has cost.
fn played(turning: &Turning) -> String {
    format!(
        "{} after {} of the run, {} in all",
        words::counted(turning.continuations, "continuation"),
        words::counted(turning.points.len() as u64, "step"),
        words::counted(turning.events, "event"),
    )
}

/// How probable a violation was at the rows of a sequence.
pub struct Beside {
    /// The share of continuations that break the promise, at the beginning of the run.
    pub first: f64,
    /// By row.
    pub rows: Vec<Share>,
    /// The row from which on the violation could hardly be averted.
    pub turn: Option<usize>,
    /// What is said there.
    pub note: String,
    /// What is said below the last row, where the share was not yet that of the end.
    pub after: Option<String>,
}

/// The share of continuations that break the promise, after a row.
pub struct Share {
    /// From 0 to 1.
    pub share: f64,
    /// In words, where it has changed.
    pub label: Option<String>,
}

/// A smaller change is not labelled.
const CHANGE: f64 = 0.05;

impl Beside {
    /// The shares at the rows of a sequence.
    pub fn new(turning: &Turning, sequence: &Sequence) -> Beside {
        let points = &turning.points;
        let rows = &sequence.rows;
        let turn = turning.turn().and_then(|turn| {
            let step = points[turn.point].step;
            let is_quiet = |what| matches!(what, What::Gap { .. } | What::Again { .. });
            rows.iter().position(|row| row.step >= step && !is_quiet(row.what))
        });
        let mut labelled: Option<f64> = None;
        let share = |(n, row): (usize, &sim_models::why::Row)| {
            let share = points[turning.point_of(row.step)].share;
            let changes = labelled.is_none_or(|before| {
                let is_end = [0.0, 1.0].contains(&share) && share != before;
                (share - before).abs() >= CHANGE || is_end
            });
            let label = (changes || turn == Some(n)).then(|| percent(share));
            labelled = label.as_ref().map_or(labelled, |_| Some(share));
            Share { share, label }
        };
        let shares: Vec<Share> = rows.iter().enumerate().map(share).collect();
        let note = turning.turn().map_or(String::new(), |turn| {
            let [before, after] = [turn.point - 1, turn.point].map(|n| percent(points[n].share));
            format!(
                "the turn: from here on {after} of continuations break the promise, before {before}"
            )
        });
        let end = points.last().map_or(0.0, |point| point.share);
        let is_left = shares.last().is_none_or(|last| (last.share - end).abs() >= CHANGE);
        let after = is_left.then(|| match (&turning.decided, turn) {
            (Decided::Turn(turn), None) => {
                let Point { at, what, .. } = &points[turn.point];
                format!("at {at} ({}) {}", plain(what), note)
            }
            _ => format!("at the end {} of continuations break the promise", percent(end)),
        });
        Beside { first: points[0].share, rows: shares, turn, note, after }
    }
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
            "runs": point.runs,
            "broken": point.broken,
            "unknown": point.unknown,
        })
    };
    json!({
        "promise": turning.promise,
        "intent": turning.intent,
        "witness": turning.witness,
        "continuations": turning.continuations,
        "events": turning.events,
        "is_cut": turning.is_cut,
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
