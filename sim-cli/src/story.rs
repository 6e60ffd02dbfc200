//! The story of a violation: what led to it and what followed, line by line.

use sim_core::Time;
use sim_models::outcome::{FaultWindow, LogLine, Outcome, Violation};

use crate::text::plain;
use crate::words;

/// Log lines shown before and after the step of a violation.
const STORY_BEFORE: usize = 12;
const STORY_AFTER: usize = 4;

/// A line of a story, for people.
pub struct Line {
    /// It is the step that broke the promise.
    pub breaks: bool,
    /// When, who and what; or how much is left out.
    pub text: String,
}

/// The lines that tell how a violation came about.
pub fn lines(outcome: &Outcome, violation: &Violation) -> Vec<Line> {
    let story = story(outcome, violation);
    // Whose a line is needs to be said only where two take part.
    let who = |beat: &Beat<'_>| match (beat.intent, &violation.other) {
        (Some(intent), Some(_)) => format!("{}, {intent}", beat.who),
        _ => beat.who.to_owned(),
    };
    let (mut lines, mut next) = (Vec::new(), 0);
    for n in telling(outcome, &story) {
        if n > next {
            let omitted = words::counted((n - next) as u64, "line");
            lines.push(Line { breaks: false, text: format!("          …  {omitted} left out") });
        }
        next = n + 1;
        let beat = &story[n];
        let text = told(beat.at, &who(beat), beat.what);
        lines.push(Line { breaks: beat.is_it, text });
    }
    lines
}

/// One line of a story. Instants are aligned, so that a reader can run down them.
pub fn told(at: Time, who: &str, what: &str) -> String {
    format!("{at:>12}  {}: {}", plain(who), plain(what))
}

/// A line of the story of a violation.
#[derive(Clone, Copy)]
struct Beat<'a> {
    at: Time,
    intent: Option<&'a str>,
    who: &'a str,
    what: &'a str,
    /// It is the step that broke the promise.
    is_it: bool,
}

/// What led to the violation and what followed: the log lines of those who take part in it, and what
/// struck everybody meanwhile, or before if it still lasted. Without an intent, all that struck
/// everybody. The breaking step is among them, also where the log has no line for it.
fn story<'a>(outcome: &'a Outcome, violation: &'a Violation) -> Vec<Beat<'a>> {
    let takes_part = |name: &String| {
        [&violation.intent, &violation.other].into_iter().flatten().any(|other| other == name)
    };
    let is_own = |line: &LogLine| line.intent.as_ref().is_some_and(takes_part);
    let own = || outcome.log.iter().filter(|line| is_own(line)).map(|line| line.step);
    let first = own().min().unwrap_or(0);
    let last = own().max().unwrap_or(u64::MAX);
    let begun = outcome.log.iter().find(|line| line.step == first).map(|line| line.at);
    let lasts = |line: &LogLine| {
        let struck = |fault: &FaultWindow| fault.from == line.at && fault.label == line.what;
        outcome.faults.iter().any(|fault| struck(fault) && Some(fault.to) > begun)
    };
    let meanwhile = |line: &LogLine| {
        line.intent.is_none()
            && ((first..=last).contains(&line.step) || (line.step < first && lasts(line)))
    };
    let lines = outcome.log.iter().filter(|line| is_own(line) || meanwhile(line));
    let lines: Vec<&LogLine> = lines.collect();
    let Violation { at, step, intent, who, what, .. } = violation;
    let is_it = |line: &&LogLine| {
        (Some(line.step), &line.intent, &line.who, &line.what) == (*step, intent, who, what)
    };
    let noted = lines.iter().rposition(is_it);
    let beat = |line: &&'a LogLine| {
        let LogLine { at, intent, who, what, .. } = *line;
        Beat { at: *at, intent: intent.as_deref(), who, what, is_it: false }
    };
    let mut beats: Vec<Beat<'_>> = lines.iter().map(beat).collect();
    match noted {
        Some(n) => beats[n].is_it = true,
        None => {
            let is_before = |line: &&LogLine| match step {
                Some(step) => line.step <= *step,
                None => line.at <= *at,
            };
            let intent = intent.as_deref();
            let beat = Beat { at: *at, intent, who, what, is_it: true };
            beats.insert(lines.partition_point(is_before), beat);
        }
    }
    beats
}

/// The places of those lines of a story that are shown. They are those around the breaking step, and
/// of those before: how it began, what was done, and what went wrong.
fn telling(outcome: &Outcome, story: &[Beat<'_>]) -> Vec<usize> {
    let it = story.iter().position(|beat| beat.is_it).unwrap_or(0);
    let around = (it + 1).saturating_sub(STORY_BEFORE)..(it + 1 + STORY_AFTER).min(story.len());
    let is_effect = |beat: &Beat<'_>| {
        let mut ledger = outcome.ledger.iter();
        beat.intent.is_some() && ledger.any(|entry| entry.at == beat.at && entry.id == beat.what)
    };
    let is_fault =
        |beat: &Beat<'_>| outcome.faults.iter().any(|f| f.from == beat.at && f.label == beat.what);
    let matters = |n: &usize| *n == 0 || is_effect(&story[*n]) || is_fault(&story[*n]);
    let before = (0..around.start).filter(matters).take(STORY_BEFORE);
    before.chain(around.clone()).collect()
}
