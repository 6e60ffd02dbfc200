//! The panel of breakers: one band each, plain while closed, hatched while open, barred while
//! half open. A state that was set by hand looks like the one that treats calls as it does, and
//! its name stands in the band.

use sim_core::Time;
use sim_models::outcome::TransitionLine;
use sim_policies::breaker::StateName;

use super::canvas::{Canvas, Drawn, Face, RIGHT, WIDTH};
use super::ink::Ink;
use super::measure;

/// Height of one row in px, and of the band in it.
const ROW: f64 = 24.0;
const BAND: f64 = 17.0;

/// More rows than that would push the other panels off the page.
const ROWS_MAX: usize = 12;

/// The breakers that changed their state at least once.
pub struct BandPanel {
    rows: Vec<Row>,
    omitted: usize,
}

struct Row {
    name: String,
    /// The state from each instant on, in seconds, until the next.
    states: Vec<(f64, StateName)>,
}

/// The breakers' states, if any of them ever changed.
pub fn breakers(transitions: &[TransitionLine]) -> Option<BandPanel> {
    let mut rows: Vec<Row> = Vec::new();
    for transition in transitions {
        let i = rows.iter().position(|row| row.name == transition.policy).unwrap_or_else(|| {
            let states = vec![(Time::ZERO.as_secs_f64(), transition.from)];
            rows.push(Row { name: transition.policy.clone(), states });
            rows.len() - 1
        });
        rows[i].states.push((transition.at.as_secs_f64(), transition.to));
    }
    let omitted = rows.len().saturating_sub(ROWS_MAX);
    rows.truncate(ROWS_MAX);
    (!rows.is_empty()).then_some(BandPanel { rows, omitted })
}

impl BandPanel {
    /// What the panel shows, and how much of it is not drawn.
    pub fn title(&self) -> String {
        match self.omitted {
            0 => "Breaker state".to_owned(),
            n => format!("Breaker state; {n} more breakers not drawn"),
        }
    }

    /// Height in px.
    pub fn height(&self) -> f64 {
        self.rows.len() as f64 * ROW
    }

    /// Draws the panel with its upper edge at `top`.
    pub fn draw(&self, canvas: &Canvas, top: f64) -> Drawn {
        self.key(canvas, top - 15.0)?;
        for (i, row) in self.rows.iter().enumerate() {
            let y = top + i as f64 * ROW + (ROW - BAND) / 2.0;
            row.draw(canvas, y)?;
            let x = RIGHT + 8.0;
            let name = measure::clip(&row.name, 11.5, WIDTH - 4.0 - x);
            canvas.text(name, x, y + BAND / 2.0, Face::new(11.5, Ink::Text).middle())?;
        }
        Ok(())
    }

    /// The key stands right-aligned in the title's line, where no data can be.
    fn key(&self, canvas: &Canvas, y: f64) -> Drawn {
        let mut x = RIGHT - 232.0;
        for state in [StateName::Closed, StateName::Open, StateName::HalfOpen] {
            canvas.rect(x..x + 22.0, y - 5.0..y + 5.0, ink(state))?;
            let name = state.to_string();
            canvas.text(&name, x + 27.0, y, Face::new(11.0, Ink::Muted).middle())?;
            x += 27.0 + measure::width(&name, 11.0) + 16.0;
        }
        Ok(())
    }
}

impl Row {
    fn draw(&self, canvas: &Canvas, y: f64) -> Drawn {
        let mut drawn_to = [f64::MIN; 6];
        for (i, &(from, state)) in self.states.iter().enumerate() {
            let to = self.states.get(i + 1).map_or(canvas.end, |next| next.0);
            let (left, right) = (canvas.x(from), canvas.x(to));
            // A test request is over in milliseconds; it stays visible as a sliver. Slivers of one
            // state that would fall on each other are drawn once. So a breaker that flaps a million
            // times makes no larger file than the pixels can show.
            let right = right.max((left + 2.0).min(RIGHT));
            let last = &mut drawn_to[state as usize];
            if right - *last < 0.75 {
                continue;
            }
            *last = right;
            canvas.rect(left..right, y..y + BAND, ink(state))?;
            let name = state.to_string();
            if measure::width(&name, 11.0) + 12.0 < right - left {
                let face = Face::new(11.0, Ink::Halo).middle();
                canvas.text(name, left + 6.0, y + BAND / 2.0, face)?;
            }
        }
        Ok(())
    }
}

const fn ink(state: StateName) -> Ink {
    match state {
        StateName::Closed | StateName::Disabled | StateName::MetricsOnly => Ink::Closed,
        StateName::Open | StateName::ForcedOpen => Ink::Open,
        StateName::HalfOpen => Ink::HalfOpen,
    }
}
