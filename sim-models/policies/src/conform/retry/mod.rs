//! Traces of retries: the waits of each library in its own unit, and whole executions.
//!
//! | kind | input of one event | output |
//! |---|---|---|
//! | `retry_interval` | `attempt`, `draw` | `delay_ms` |
//! | `retry_wait` | `attempt`, `draw` | `wait_s` |
//! | `retry_delay_seq` | `draws`, one per wait | `delays_ms` of successive retries |
//! | `retry_exec` | `outcomes` of the attempts, `draws` in the order of use | `attempts`, `delays_ms` or `delays_ns` or `delays_s`, `result`, `ev`, `end_ms` |
//!
//! The draws are an output as well: the policy must take each of them and no further one.

pub(super) mod backoff;
pub(super) mod cockatiel;
mod exec;
pub(super) mod failsafe;
pub(super) mod http;
pub(super) mod resilience4j;
pub(super) mod tenacity;

use serde_json::{Value, json};

use super::driver::{Driver, Event, Outputs};

/// The highest number of an attempt that is asked for: no recorded call comes near it.
const ATTEMPTS_MAX: u64 = 100_000;

fn attempt(event: &mut Event) -> Result<u32, String> {
    let attempt = event.count("attempt")?;
    if !(1..=ATTEMPTS_MAX).contains(&attempt) {
        return Err(format!("`attempt` is {attempt}; it must be in 1..={ATTEMPTS_MAX}"));
    }
    Ok(attempt as u32)
}

/// Reads an option that goes by two names. Where both are given, the second stays unread, and is
/// refused as unknown.
fn either<T>(
    read: impl Fn(&str) -> Result<Option<T>, String>,
    names: [&str; 2],
) -> Result<Option<T>, String> {
    match read(names[0])? {
        None => read(names[1]),
        found => Ok(found),
    }
}

/// A recorded draw.
fn uniform(draw: f64) -> Result<f64, String> {
    if (0.0..1.0).contains(&draw) {
        Ok(draw)
    } else {
        Err(format!("a draw is {draw}; it must be at least 0 and below 1"))
    }
}

/// Recorded draws, handed out in order. What the policy has taken is compared with the record.
struct Draws {
    recorded: Vec<f64>,
    taken: Vec<f64>,
}

impl Draws {
    /// Reads `draws` and leaves it in the event, to be compared with [`Draws::output`].
    fn of(event: &mut Event) -> Result<Draws, String> {
        let recorded = match event.fields.get("draws") {
            None => Vec::new(),
            Some(field) => {
                let field = field.clone();
                let draws = event.numbers("draws")?;
                event.fields.insert("draws".to_owned(), field);
                draws
            }
        };
        for draw in &recorded {
            uniform(*draw)?;
        }
        Ok(Draws { recorded, taken: Vec::new() })
    }

    fn next(&mut self) -> f64 {
        // A draw too many shows as a longer list; its value plays no part any more.
        let draw = self.recorded.get(self.taken.len()).copied().unwrap_or(0.5);
        self.taken.push(draw);
        draw
    }

    fn output(&self) -> (&'static str, Value) {
        ("draws", json!(self.taken))
    }
}

/// Plays single waits: the wait after an attempt, for one draw.
struct Waits<F> {
    op: &'static str,
    output: &'static str,
    wait: F,
}

impl<F: FnMut(u32, &mut dyn FnMut() -> f64) -> Value> Driver for Waits<F> {
    fn play(&mut self, event: &mut Event) -> Result<Outputs, String> {
        if event.op != self.op {
            return Err(event.unknown_op(self.op));
        }
        let attempt = attempt(event)?;
        let draw = uniform(event.number("draw")?)?;
        // The generator was fixed while it was recorded: it gives the same as often as it is asked.
        Ok(vec![(self.output, (self.wait)(attempt, &mut || draw))])
    }

    fn state(&self) -> String {
        "each wait is computed on its own".to_owned()
    }
}
