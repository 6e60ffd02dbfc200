//! The walk along a trace: a header, then line after line until one differs.

use serde::de::DeserializeOwned;

use crate::{Conformance, Difference, TraceError};

/// What replays the lines of one trace.
pub trait Replay: Sized {
    /// The first line.
    type Header: DeserializeOwned;

    /// What is replayed, and what it is, from the header.
    ///
    /// # Errors
    /// What the header asks for and nobody has, in words.
    fn begin(header: Self::Header) -> Result<(Self, Conformance), String>;

    /// Plays a line, and shows where it differs.
    ///
    /// # Errors
    /// What is not understood, in words.
    fn play(&mut self, line: &str) -> Result<Option<Differs>, String>;

    /// What differs when no line is left, of which there were `events`.
    ///
    /// # Errors
    /// What the trace should have and has not, in words.
    fn end(&self, events: u64) -> Result<Option<Differs>, String>;
}

/// Where a line differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Differs {
    /// The level that it passes all the same; a difference at level 0 ends the replay.
    pub level: u8,
    /// The field.
    pub field: String,
    /// What was recorded, as in [`Difference::expected`].
    pub expected: Option<serde_json::Value>,
    /// What came of the replay, as in [`Difference::found`].
    pub found: Option<serde_json::Value>,
    /// The state before the line.
    pub state: String,
}

/// Replays the text of a trace file. Blank lines count as lines, and say nothing.
///
/// # Errors
/// When a line is not understood. A trace that is understood and differs is not an error: it is a
/// [`Conformance`] with a difference.
pub fn replay<R: Replay>(text: &str) -> Result<Conformance, TraceError> {
    let mut lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
    let at = |line| move |message| TraceError { line, message };
    let (first, top) = lines.next().ok_or_else(|| at(1)("the file is empty".to_owned()))?;
    let header = serde_json::from_str(first)
        .map_err(|error| at(top)(format!("not the header of a trace: {error}")))?;
    let (mut replay, mut conformance) = R::begin(header).map_err(at(top))?;
    let mut last = (first, top);
    for (line, number) in lines {
        last = (line, number);
        let differs = replay.play(line).map_err(at(number))?;
        conformance.events += 1;
        if conformance.note(differs, last) {
            return Ok(conformance);
        }
    }
    let differs = replay.end(conformance.events).map_err(at(last.1))?;
    conformance.note(differs, last);
    if conformance.events == 0 {
        return Err(at(top)("a header without events shows nothing".to_owned()));
    }
    Ok(conformance)
}

impl Conformance {
    /// Keeps the first difference of the lowest level. True when the trace passes no level at all.
    fn note(&mut self, differs: Option<Differs>, (event, line): (&str, usize)) -> bool {
        let Some(Differs { level, field, expected, found, state }) = differs else {
            return false;
        };
        let reached = self.level.unwrap_or(u8::MAX);
        if level < reached {
            self.level = self.level.map(|_| level);
            let event = event.to_owned();
            self.difference = Some(Difference { line, event, field, expected, found, state });
        }
        level == 0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Each line is the level that it passes, of two.
    struct Levels {
        lines: u64,
    }

    impl Replay for Levels {
        /// How many lines follow.
        type Header = u64;

        fn begin(lines: u64) -> Result<(Levels, Conformance), String> {
            let name = || "levels".to_owned();
            let conformance = Conformance {
                trace: name(),
                lib: name(),
                version: name(),
                kind: name(),
                events: 0,
                difference: None,
                level: Some(2),
            };
            if lines == 13 {
                Err("unlucky".to_owned())
            } else {
                Ok((Levels { lines }, conformance))
            }
        }

        fn play(&mut self, line: &str) -> Result<Option<Differs>, String> {
            let level = line.trim().parse().map_err(|_| format!("`{line}` names no level"))?;
            Ok((level < 2).then(|| differs(level)))
        }

        fn end(&self, events: u64) -> Result<Option<Differs>, String> {
            if events > self.lines {
                return Err("too many".to_owned());
            }
            Ok((events < self.lines).then(|| differs(0)))
        }
    }

    fn differs(level: u8) -> Differs {
        let (field, state) = ("level".to_owned(), String::new());
        Differs { level, field, expected: Some(json!(2)), found: Some(json!(level)), state }
    }

    /// Level, events, and the line of the difference.
    fn found(text: &str) -> (Option<u8>, u64, Option<usize>) {
        let found = replay::<Levels>(text).expect("it is understood");
        (found.level, found.events, found.difference.map(|difference| difference.line))
    }

    #[test]
    fn the_first_difference_of_the_lowest_level_is_shown_and_level_0_ends_the_replay() {
        assert_eq!(found("3\n2\n2\n2\n"), (Some(2), 3, None));
        assert_eq!(found("4\n2\n1\n2\n1\n"), (Some(1), 4, Some(3)));
        assert_eq!(found("4\n1\n0\nnot read\n"), (Some(0), 2, Some(3)));
    }

    #[test]
    fn blank_lines_count_and_are_no_events() {
        assert_eq!(found("\n 2 \n\n2\n\n1\n"), (Some(1), 2, Some(6)));
    }

    #[test]
    fn what_is_missing_at_the_end_is_shown_at_the_last_line() {
        assert_eq!(found("3\n2\n2\n\n"), (Some(0), 2, Some(3)));
    }

    #[test]
    fn a_mistake_is_named_with_its_line() {
        for (text, line, message) in [
            ("", 1, "the file is empty"),
            ("\n\n", 1, "the file is empty"),
            ("\nx", 2, "not the header of a trace: expected value at line 1 column 1"),
            ("13\n2", 1, "unlucky"),
            ("2\n2\n\nx", 4, "`x` names no level"),
            ("1\n2\n2", 3, "too many"),
            ("0\n", 1, "a header without events shows nothing"),
            ("\n2\n", 2, "a header without events shows nothing"),
        ] {
            let message = message.to_owned();
            assert_eq!(replay::<Levels>(text), Err(TraceError { line, message }), "{text:?}");
        }
    }
}
