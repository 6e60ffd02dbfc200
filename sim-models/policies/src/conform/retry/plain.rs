//! Executions whose result is named after the last outcome: those of most libraries.

use serde_json::{Value, json};

use super::exec::{self, Clock, Library, Outcome, Wait};
use crate::conform::draws::Draws;
use crate::conform::driver::Driver;
use crate::conform::options::Options;

/// What is particular to one of them.
pub(super) struct Plain<A> {
    /// The field of the waits.
    pub(super) delays: &'static str,
    /// The field of the length, if the traces have one.
    pub(super) length: Option<&'static str>,
    /// Outcomes that end it at once.
    pub(super) permanent: &'static [&'static str],
    /// The result after the last outcome; whether the library has given up by then.
    pub(super) result: fn(&str, bool) -> String,
    /// The library's rules, for a reader of a difference.
    pub(super) rules: String,
    /// The wait after a failed attempt in the library's unit; `None` where none follows.
    pub(super) after: A,
}

/// `value:ok`, or `error:` with the outcome.
pub(super) fn by_outcome(outcome: &str, _gave_up: bool) -> String {
    match outcome {
        "ok" => "value:ok".to_owned(),
        _ => format!("error:{outcome}"),
    }
}

/// Plays `retry_exec`.
pub(super) fn driver<A>(plain: Plain<A>, options: &Options<'_>) -> Result<Box<dyn Driver>, String>
where
    A: FnMut(u32, &Clock, &mut Draws) -> Option<f64> + 'static,
{
    exec::driver(plain, options)
}

impl<A: FnMut(u32, &Clock, &mut Draws) -> Option<f64>> Library for Plain<A> {
    fn outcome(&self, outcome: &str) -> Option<Outcome> {
        match outcome {
            "ok" => Some(Outcome::Success),
            "err" => Some(Outcome::Failure),
            _ => self.permanent.contains(&outcome).then_some(Outcome::Permanent),
        }
    }

    fn known(&self) -> Vec<&'static str> {
        [&["ok", "err"], self.permanent].concat()
    }

    fn after(&mut self, attempt: u32, clock: &Clock, draws: &mut Draws) -> Option<Wait> {
        let wait = (self.after)(attempt, clock, draws)?;
        let (shown, millis) = match self.delays {
            "delays_ns" => (json!(wait as i64), wait / 1e6),
            "delays_s" => (json!(wait), wait * 1000.0),
            _ => (json!(wait), wait),
        };
        Some(Wait { shown, millis })
    }

    fn delays(&self) -> &'static str {
        self.delays
    }

    fn result(&self, outcome: &str, gave_up: bool, _recorded: Option<&Value>) -> String {
        (self.result)(outcome, gave_up)
    }

    fn length(&self) -> Option<&'static str> {
        self.length
    }

    fn debug(&self) -> String {
        self.rules.clone()
    }
}
