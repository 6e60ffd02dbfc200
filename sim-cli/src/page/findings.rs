//! What a run says of the lines of its scenario.

use sim_models::anatomy::{Part, Stack};
use sim_models::outcome::{CallSummary, FaultMissed, FaultWindow, InvariantVerdict};

use super::{Chapter, Side};
use crate::words;

/// Something to say of a line of the scenario's file.
pub struct Finding {
    /// The id of its element.
    pub id: String,
    /// The line, from 1.
    pub line: usize,
    /// The sides that it is of.
    pub sides: Vec<usize>,
    /// What was found, about which part.
    pub what: String,
    /// Something is broken, or was refused.
    pub is_bad: bool,
    /// The id of the element that shows more.
    pub more: Option<String>,
}

/// Which words of a policy refuse for which reasons.
const REFUSES: [(&str, &[&str]); 11] = [
    ("Breaker", &["breaker_open", "breaker_probing"]),
    ("OutlierDetection", &["all_ejected"]),
    ("Upstream", &["all_ejected"]),
    ("Bulkhead", &["bulkhead_full", "bulkhead_wait_over"]),
    ("ConnectionPool", &["bulkhead_full", "bulkhead_wait_over"]),
    ("RateLimiter", &["rate_limited"]),
    ("ConcurrencyLimit", &["concurrency_limited"]),
    ("AdaptiveThrottle", &["throttled"]),
    ("Deadline", &["deadline_passed"]),
    ("Hedge", &["hedge_withheld"]),
    ("Custom", &[]),
];

/// All findings of a chapter, by line: what is found of several sides is told once. Only what stands
/// in its file has a line there.
pub fn findings(chapter: &Chapter, n: usize) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    for (number, side) in chapter.sides.iter().enumerate() {
        let mut add = |part: &Part, (what, is_bad, more): Said| {
            let line = part.spot.line;
            let same = found.iter_mut().find(|other| other.line == line && other.what == what);
            match same {
                _ if part.spot.label != chapter.label => {}
                Some(other) if other.sides.contains(&number) => {}
                Some(other) => other.sides.push(number),
                None => {
                    let (id, sides) = (format!("c{n}-f{}", found.len()), vec![number]);
                    found.push(Finding { id, line, sides, what, is_bad, more });
                }
            }
        };
        for (place, part) in side.anatomy.invariants.iter().enumerate() {
            let (what, is_bad, more) =
                of_invariant(side, place, format!("c{n}-s{number}-i{place}"));
            add(part, (format!("{}: {what}", part.name), is_bad, more));
        }
        for part in &side.anatomy.faults {
            add(part, of_fault(side, part));
        }
        for stack in &side.anatomy.stacks {
            for (part, said) in of_stack(side, stack, format!("c{n}-s{number}-figures")) {
                add(part, said);
            }
        }
    }
    found.sort_by_key(|finding| finding.line);
    found
}

/// What is said of a part, whether that is bad, and where there is more.
type Said = (String, bool, Option<String>);

fn of_invariant(side: &Side, place: usize, id: String) -> Said {
    let Some(result) = side.outcome.invariants.get(place) else {
        return ("not judged".to_owned(), true, None);
    };
    let what = match (result.verdict, &result.first) {
        (InvariantVerdict::Violated, Some(first)) => {
            let times = words::counted(result.violations, "violation");
            format!("broken: {times}, first at {}", first.at)
        }
        (InvariantVerdict::Violated, None) => "broken".to_owned(),
        (InvariantVerdict::Vacuous, _) => "nothing in this run exercised it".to_owned(),
        (InvariantVerdict::Kept, _) => "kept".to_owned(),
    };
    (what, result.verdict != InvariantVerdict::Kept, Some(id))
}

fn of_fault(side: &Side, part: &Part) -> Said {
    let struck = |window: &&FaultWindow| window.label == part.name;
    let windows: Vec<String> = side
        .outcome
        .faults
        .iter()
        .filter(struck)
        .map(|window| format!("from {} to {}", window.from, window.to))
        .collect();
    let missed: Option<&FaultMissed> =
        side.outcome.faults_missed.iter().find(|missed| missed.label == part.name);
    match (windows.len(), missed) {
        (0, Some(missed)) => (format!("{missed}: never struck"), true, None),
        (0, None) => (format!("{}: did not strike", part.name), true, None),
        (1..=3, _) => (format!("{}: struck {}", part.name, windows.join(", ")), false, None),
        (n, _) => (format!("{}: struck {n} times, first {}", part.name, windows[0]), false, None),
    }
}

/// What each policy of a stack refused, of those that refused anything.
fn of_stack<'a>(side: &'a Side, stack: &'a Stack, more: String) -> Vec<(&'a Part, Said)> {
    let Some(call) = side.outcome.call(&stack.from, &stack.to) else { return Vec::new() };
    let said = |part: &'a Part| {
        let reasons = refusals(call, part);
        let all: u64 = reasons.iter().map(|(_, n)| n).sum();
        let each = reasons
            .iter()
            .map(|(reason, n)| format!("{}, {} times", reason.replace('_', " "), words::count(*n)));
        let each: Vec<String> = each.collect();
        let what = format!("{}->{}: {}", stack.from, stack.to, each.join("; "));
        (all > 0).then(|| (part, (what, true, Some(more.clone()))))
    };
    stack.layers.iter().filter_map(said).collect()
}

/// The reasons for which a policy refused, with their counts. Where two stacks lead over one hop,
/// what is counted is that of both.
fn refusals(call: &CallSummary, part: &Part) -> Vec<(&'static str, u64)> {
    let says = |word: &str| part.name == word || part.spot.text.contains(&format!("({word}("));
    let own = REFUSES.iter().filter(|(word, _)| says(word));
    let own: Vec<&str> = own.flat_map(|(_, reasons)| reasons.iter().copied()).collect();
    let elsewhere = |reason: &str| REFUSES.iter().any(|(_, reasons)| reasons.contains(&reason));
    let rejected = call.rejected.iter().filter(|(reason, _)| own.contains(reason));
    let is_retry = says("Retry");
    let given_up = call
        .given_up
        .iter()
        .filter(|(reason, _)| own.contains(reason) || (is_retry && !elsewhere(reason)));
    rejected.chain(given_up).filter(|(_, n)| *n > 0).copied().collect()
}
