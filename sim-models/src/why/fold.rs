//! What makes a sequence short: repetitions told once, and empty time.

use sim_core::Span;

use super::{Row, Sequence, Tone, What};

/// The longest piece that is looked for again, in rows.
const PERIOD_MAX: usize = 40;

/// So often must a piece come for it to be told once.
const TIMES_LEAST: usize = 3;

/// No gap shorter than this is worth a row.
const GAP_LEAST: Span = Span::millis(500);

/// Ends in the last row whatever arrives after it.
pub(super) fn cut_ways(sequence: &mut Sequence) {
    let last = sequence.rows.len().saturating_sub(1);
    for row in &mut sequence.rows {
        if let What::Message { until, .. } = &mut row.what {
            *until = (*until).min(last);
        }
    }
    for hold in &mut sequence.holds {
        hold.until = hold.until.filter(|until| *until <= last);
    }
}

/// Keeps so many of the last rows, or fewer: no arrow comes from above.
pub(super) fn keep_last(sequence: &mut Sequence, most: usize) {
    let rows = &sequence.rows;
    let is_open = |cut: usize| {
        let comes_from_above = |row: &Row| matches!(row.what, What::Arrival { of, .. } if of < cut);
        rows[cut..].iter().any(comes_from_above)
    };
    let first = rows.len().saturating_sub(most);
    let broken = sequence.broken.as_ref().map_or(rows.len(), |broken| broken.row);
    let cut = (first..broken.max(first)).find(|cut| !is_open(*cut)).unwrap_or(first);
    sequence.left_out_before += cut;
    sequence.rows.drain(..cut);
    let moved = |n: &mut usize| *n = n.saturating_sub(cut);
    for row in &mut sequence.rows {
        match &mut row.what {
            What::Message { until, .. } => moved(until),
            What::Arrival { of, .. } => moved(of),
            _ => {}
        }
    }
    sequence.holds.retain(|hold| hold.until.is_none_or(|until| until >= cut));
    for hold in &mut sequence.holds {
        moved(&mut hold.from);
        hold.until.iter_mut().for_each(moved);
    }
    if let Some(broken) = &mut sequence.broken {
        moved(&mut broken.row);
    }
}

/// Takes the lifelines away at which nothing happens.
pub(super) fn prune(sequence: &mut Sequence) {
    let mut is_used = vec![false; sequence.lifelines.len()];
    for row in &sequence.rows {
        match row.what {
            What::Message { from, to, .. } | What::Across { from, to } => {
                is_used[from] = true;
                is_used[to] = true;
            }
            What::Arrival { to: at, .. } | What::Deed { at } => is_used[at] = true,
            What::Gap { .. } | What::Again { .. } => {}
        }
    }
    let moved = |n: &mut usize| *n = is_used[..*n].iter().filter(|used| **used).count();
    for row in &mut sequence.rows {
        match &mut row.what {
            What::Message { from, to, .. } | What::Across { from, to } => {
                moved(from);
                moved(to);
            }
            What::Arrival { to: at, .. } | What::Deed { at } => moved(at),
            What::Gap { .. } | What::Again { .. } => {}
        }
    }
    sequence.holds.retain(|hold| is_used[hold.store]);
    sequence.holds.iter_mut().for_each(|hold| moved(&mut hold.store));
    let mut used = is_used.iter();
    sequence.lifelines.retain(|_| used.next() == Some(&true));
}

/// Tells a piece once that comes again and again, such as a user's twentieth question.
pub(super) fn fold(sequence: &mut Sequence) {
    let mut at = 0;
    while at < sequence.rows.len() {
        let Some((period, times)) = repeated(sequence, at) else {
            at += 1;
            continue;
        };
        let (first, end) = (at + period, at + period * times);
        let last = &sequence.rows[end - 1];
        let text = match period {
            1 => format!("the same {} times more, until {}", times - 1, last.at),
            _ => format!("these {period} rows {} times more, until {}", times - 1, last.at),
        };
        let row = Row {
            what: What::Again { rows: period, times: times as u64 - 1 },
            text,
            why: None,
            tone: Tone::Plain,
            ..sequence.rows[first].clone()
        };
        replace(sequence, first, end - first, row);
        at = first + 1;
    }
}

/// Says where nothing happens for long.
pub(super) fn gaps(sequence: &mut Sequence) {
    let (Some(first), Some(last)) = (sequence.rows.first(), sequence.rows.last()) else { return };
    let least = (last.at.since(first.at) / 12).max(GAP_LEAST);
    let mut at = 1;
    while at < sequence.rows.len() {
        let (before, after) = (&sequence.rows[at - 1], &sequence.rows[at]);
        let lasts = after.at.since(before.at);
        let is_told = matches!(before.what, What::Again { .. });
        if lasts >= least && !is_told {
            let row = Row {
                at: before.at,
                step: before.step,
                intent: None,
                what: What::Gap { lasts },
                text: format!("nothing for {lasts}"),
                why: None,
                tone: Tone::Plain,
            };
            replace(sequence, at, 0, row);
            at += 1;
        }
        at += 1;
    }
}

/// How long a piece is that begins in a row and comes again at once, and how often it comes.
fn repeated(sequence: &Sequence, at: usize) -> Option<(usize, usize)> {
    let rows = &sequence.rows;
    let broken = sequence.broken.as_ref().map_or(rows.len(), |broken| broken.row);
    let signs = |range: std::ops::Range<usize>| range.map(|n| sign(rows, n));
    let mut best: Option<(usize, usize)> = None;
    for period in 1..=PERIOD_MAX.min((broken.saturating_sub(at)) / TIMES_LEAST) {
        // Nothing may lead out of a piece.
        if !(at..at + period).all(|n| stays_in(&rows[n], at, at + period)) {
            continue;
        }
        let mut times = 1;
        loop {
            let next = at + period * times;
            let is_there = next + period <= broken
                && signs(next..next + period).eq(signs(at..at + period))
                && (next..next + period).all(|n| stays_in(&rows[n], next, next + period));
            if !is_there {
                break;
            }
            times += 1;
        }
        let saves = |(period, times): (usize, usize)| period * (times - 1);
        if times >= TIMES_LEAST && best.is_none_or(|best| saves((period, times)) > saves(best)) {
            best = Some((period, times));
        }
    }
    best
}

fn stays_in(row: &Row, from: usize, to: usize) -> bool {
    match row.what {
        What::Message { until, .. } => (from..to).contains(&until),
        What::Arrival { of, .. } => (from..to).contains(&of),
        What::Deed { .. } => row.tone != Tone::Effect,
        What::Across { .. } | What::Gap { .. } | What::Again { .. } => false,
    }
}

/// What two rows have in common that say the same at another time.
fn sign(rows: &[Row], n: usize) -> (What, String, Option<usize>) {
    let row = &rows[n];
    let mut what = row.what;
    match &mut what {
        What::Message { until, .. } => *until -= n,
        What::Arrival { of, .. } => *of = n - *of,
        _ => {}
    }
    let text = row.text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c });
    let mut text: String = text.collect();
    while text.contains("00") {
        text = text.replace("00", "0");
    }
    (what, text.replace("0.0", "0").replace(", attempt 0", ""), row.intent)
}

/// Puts one row in the place of several, or between two.
fn replace(sequence: &mut Sequence, at: usize, count: usize, row: Row) {
    sequence.rows.splice(at..at + count, [row]);
    let moved = |n: &mut usize| {
        if *n >= at + count {
            *n = *n + 1 - count;
        } else if *n >= at {
            *n = at;
        }
    };
    for row in &mut sequence.rows {
        match &mut row.what {
            What::Message { until, .. } => moved(until),
            What::Arrival { of, .. } => moved(of),
            _ => {}
        }
    }
    for hold in &mut sequence.holds {
        moved(&mut hold.from);
        hold.until.iter_mut().for_each(moved);
    }
    if let Some(broken) = &mut sequence.broken {
        moved(&mut broken.row);
    }
}
