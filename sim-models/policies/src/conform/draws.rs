//! Recorded draws: a driver hands them out, and compares how many were taken.

use serde_json::{Value, json};

use super::driver::Event;

/// A recorded draw.
pub(super) fn uniform(draw: f64) -> Result<f64, String> {
    if (0.0..1.0).contains(&draw) {
        Ok(draw)
    } else {
        Err(format!("a draw is {draw}; it must be at least 0 and below 1"))
    }
}

/// Recorded draws, handed out in order. What the policy has taken is compared with the record.
pub(super) struct Draws {
    recorded: Vec<f64>,
    taken: Vec<f64>,
}

impl Draws {
    /// Reads `draws` and leaves it in the event, to be compared with [`Draws::output`].
    pub(super) fn of(event: &mut Event) -> Result<Draws, String> {
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

    pub(super) fn next(&mut self) -> f64 {
        // A draw too many shows as a longer list; its value plays no part any more.
        let draw = self.recorded.get(self.taken.len()).copied().unwrap_or(0.5);
        self.taken.push(draw);
        draw
    }

    pub(super) fn output(&self) -> (&'static str, Value) {
        ("draws", json!(self.taken))
    }
}
