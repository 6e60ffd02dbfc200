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
pub(super) mod go;
pub(super) mod http;
pub(super) mod jobs;
pub(super) mod node;
mod plain;
pub(super) mod resilience4j;
pub(super) mod rust;
pub(super) mod tenacity;

use serde_json::Value;

use super::draws::{Draws, uniform};
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
