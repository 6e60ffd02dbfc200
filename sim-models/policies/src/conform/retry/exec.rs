//! Whole executions: outcomes come in, the library decides after each failure.

use serde_json::{Value, json};

use crate::conform::draws::Draws;
use crate::conform::driver::{Driver, Event, Outputs};
use crate::conform::options::Options;

/// A library's retry under test, one execution at a time.
pub(super) trait Library {
    /// Where an execution starts anew.
    fn start(&mut self) {}

    /// What an attempt's outcome means.
    fn outcome(&self, outcome: &str) -> Option<Outcome> {
        Some(match outcome {
            "ok" => Outcome::Success,
            "err" => Outcome::Failure,
            "ign" => Outcome::Permanent,
            _ => return None,
        })
    }

    /// The wait after failed attempt `attempt`, or `None` where none follows.
    fn after(&mut self, attempt: u32, clock: &Clock, draws: &mut Draws) -> Option<Wait>;

    /// The field of the waits, such as `delays_ms`.
    fn delays(&self) -> &'static str;

    /// The result of an execution whose last attempt had this outcome; `gave_up` when it was a
    /// failure worth a retry.
    fn result(&self, outcome: &str, gave_up: bool, recorded: Option<&Value>) -> String;

    /// What the library tells its listeners, where the traces show it.
    fn events(&self, _attempts: u32, _last: &str, _meaning: Outcome) -> Vec<&'static str> {
        Vec::new()
    }

    /// The field that each line has for the end: `end_ms` on the clock, `took_ms` from the start.
    fn length(&self) -> Option<&'static str> {
        (self.delays() == "delays_s").then_some("end_ms")
    }

    /// The words of outcomes, for the message about an unknown one.
    fn known(&self) -> Vec<&'static str> {
        let all = ["ok", "err", "ign", "bad_result"];
        all.into_iter().filter(|word| self.outcome(word).is_some()).collect()
    }

    /// The library's state for a reader of a difference.
    fn debug(&self) -> String;
}

/// What an attempt's outcome means to the library.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is done.
    Success,
    /// It failed in a way that is worth a retry.
    Failure,
    /// It failed in a way that is not.
    Permanent,
}

/// A wait: in the library's own unit for the comparison, and as it passes on the clock.
pub(super) struct Wait {
    pub(super) shown: Value,
    pub(super) millis: f64,
}

/// The clock of the recorder: milliseconds of floating point.
pub(super) struct Clock {
    /// When the execution started.
    started: f64,
    /// When the attempt under way started.
    attempt_started: f64,
    now: f64,
}

impl Clock {
    /// Seconds since the start, as the difference of two readings in seconds.
    pub(super) fn elapsed_secs(&self) -> f64 {
        self.now / 1000.0 - self.started / 1000.0
    }

    /// Seconds from the start to the start of this attempt, read from a clock of microseconds.
    pub(super) fn elapsed_before_secs(&self) -> f64 {
        // As Python's `timedelta` rounds: the fraction alone, to the even neighbour.
        let micros = |ms: f64| ms.trunc() * 1000.0 + (ms.fract() * 1000.0).round_ties_even();
        (micros(self.attempt_started) - micros(self.started)) / 1e6
    }

    /// Milliseconds since the start.
    pub(super) fn elapsed_millis(&self) -> f64 {
        self.now - self.started
    }

    /// Nanoseconds since the start.
    pub(super) fn elapsed_nanos(&self) -> i64 {
        ((self.now - self.started) * 1e6 + 0.5) as i64
    }
}

struct ExecDriver<L> {
    library: L,
    call_millis: f64,
}

/// The driver of one library.
pub(super) fn driver(
    library: impl Library + 'static,
    options: &Options<'_>,
) -> Result<Box<dyn Driver>, String> {
    let call_millis = options.millis("call_dur_ms")?.unwrap_or_default().as_millis_f64();
    Ok(Box::new(ExecDriver { library, call_millis }))
}

impl<L: Library> Driver for ExecDriver<L> {
    fn play(&mut self, event: &mut Event) -> Result<Outputs, String> {
        if event.op != "exec" {
            return Err(event.unknown_op("exec"));
        }
        let outcomes = event.texts("outcomes")?;
        let recorded = event.fields.get("attempts").and_then(Value::as_u64);
        if recorded.is_some_and(|attempts| attempts != outcomes.len() as u64) {
            let message = "`attempts` is not the number of `outcomes`, one for each attempt made";
            return Err(message.to_owned());
        }
        let mut draws = Draws::of(event)?;
        let library = &mut self.library;
        library.start();
        let started = event.at.as_nanos() as f64 / 1e6;
        let mut clock = Clock { started, attempt_started: started, now: started };
        let (mut delays, mut attempts) = (Vec::new(), 0);
        let mut end = None;
        for outcome in &outcomes {
            attempts += 1;
            clock.attempt_started = clock.now;
            clock.now += self.call_millis;
            let meaning = library.outcome(outcome).ok_or_else(|| {
                format!("unknown outcome `{outcome}`; known here: {}", library.known().join(", "))
            })?;
            let wait = match meaning {
                Outcome::Failure => library.after(attempts, &clock, &mut draws),
                Outcome::Success | Outcome::Permanent => None,
            };
            let Some(wait) = wait else {
                end = Some((outcome, meaning));
                break;
            };
            delays.push(wait.shown);
            clock.now += wait.millis;
        }
        let mut outputs = Outputs::new();
        match end {
            None => {
                // The policy would go on where the library did not.
                outputs.push(("attempts", json!(attempts + 1)));
            }
            Some((outcome, meaning)) => {
                outputs.push(("attempts", json!(attempts)));
                outputs.push(draws.output());
                outputs.push((library.delays(), Value::Array(delays)));
                let recorded = event.fields.get("result");
                let result = library.result(outcome, meaning == Outcome::Failure, recorded);
                outputs.push(("result", json!(result)));
                let events = library.events(attempts, outcome, meaning);
                outputs.push(("ev", json!(events)));
            }
        }
        // Some recorders write it always, others may.
        for (field, millis) in [("end_ms", clock.now), ("took_ms", clock.now - clock.started)] {
            if library.length() == Some(field) || event.fields.contains_key(field) {
                outputs.push((field, json!(millis)));
            }
        }
        Ok(outputs)
    }

    fn state(&self) -> String {
        self.library.debug()
    }
}
