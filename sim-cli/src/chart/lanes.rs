//! Panels of labelled spans and instants: what struck the system, whether it recovered, and what
//! broke in it.
//!
//! Overlapping items go to lanes below each other, so that each label can be read.

use plotters::style::text_anchor::HPos;
use sim_core::Time;
use sim_models::outcome::{FaultWindow, InvariantResult};
use sim_models::recovery::{Recovery, RecoveryState};

use super::canvas::{Canvas, Drawn, Face, LEFT, RIGHT};
use super::ink::Ink;
use super::measure;
use super::sheet::MARGIN;

/// Height of a lane in px, and of the bar in it.
const LANE: f64 = 18.0;
const BAR: f64 = 14.0;

/// A reader can tell a dozen overlapping faults apart; more become a number.
const LANES_MAX: usize = 12;

const SIZE: f64 = 11.0;

/// Spans or instants with labels.
pub struct LanePanel {
    kind: Kind,
    items: Vec<Item>,
    lanes: usize,
    omitted: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Faults,
    Recovery(Ink),
    Broken,
}

struct Item {
    /// In px.
    left: f64,
    right: f64,
    label: String,
    label_x: f64,
    anchor: HPos,
    lane: usize,
}

/// The faults' active times, if there were any.
pub fn faults(faults: &[FaultWindow], canvas: &Canvas) -> Option<LanePanel> {
    let x = |time: Time| canvas.x(time.as_secs_f64());
    pack(Kind::Faults, faults.iter().map(|f| (x(f.from), x(f.to.max(f.from)), f.label.clone())))
}

/// How the system did after what struck it: how long it took to recover, or that it did not.
/// `None` where there was too little load for a verdict.
pub fn recovery(recovery: &Recovery, canvas: &Canvas) -> Option<LanePanel> {
    let x = |time: Time| canvas.x(time.as_secs_f64());
    let (struck, healed) = recovery.trigger;
    let (from, to, ink) = match recovery.state {
        RecoveryState::Unhealthy(_) => (recovery.before.from, struck, Ink::Fault),
        RecoveryState::Undisturbed => (struck, healed, Ink::Closed),
        RecoveryState::Recovered { at, .. } => (healed, at, Ink::HalfOpen),
        RecoveryState::Metastable => (healed, recovery.last.to, Ink::Open),
        RecoveryState::Undecided(_) => (healed, recovery.last.to, Ink::Fault),
    };
    let item = (x(from), x(to.max(from)), recovery.to_string());
    recovery.is_test().then(|| pack(Kind::Recovery(ink), [item].into_iter())).flatten()
}

/// The instants at which invariants broke first, if any did.
pub fn broken(results: &[InvariantResult], canvas: &Canvas) -> Option<LanePanel> {
    let items = results.iter().filter_map(|result| {
        let first = result.first.as_ref()?;
        let x = canvas.x(first.at.as_secs_f64());
        Some((x, x, format!("{} broken at {}", result.name, first.at)))
    });
    pack(Kind::Broken, items)
}

/// Puts each item into the first lane where it and its label touch nothing.
fn pack(kind: Kind, items: impl Iterator<Item = (f64, f64, String)>) -> Option<LanePanel> {
    let mut panel = LanePanel { kind, items: Vec::new(), lanes: 0, omitted: 0 };
    // Per lane, the stretches that are taken.
    let mut taken: Vec<Vec<(f64, f64)>> = Vec::new();
    for (left, right, label) in items {
        let inside = right - left - 10.0;
        let beside = (RIGHT - right - 7.0).max(left - 7.0 - MARGIN);
        let room = ((RIGHT - LEFT) / 2.0).max(inside).min(inside.max(beside));
        let label = measure::clip(&label, SIZE, room);
        let wide = measure::width(&label, SIZE);
        // Inside the bar, else to its right, else to its left.
        let (label_x, anchor, from, to) = if wide + 10.0 <= right - left {
            (left + 5.0, HPos::Left, left, right)
        } else if right + 7.0 + wide <= RIGHT {
            (right + 7.0, HPos::Left, left, right + 7.0 + wide)
        } else {
            (left - 7.0, HPos::Right, left - 7.0 - wide, right)
        };
        let free =
            |lane: &Vec<(f64, f64)>| lane.iter().all(|&(a, b)| b + 6.0 < from || to + 6.0 < a);
        let lane = match taken.iter().position(free) {
            Some(lane) => lane,
            None if taken.len() < LANES_MAX => {
                taken.push(Vec::new());
                taken.len() - 1
            }
            None => {
                panel.omitted += 1;
                continue;
            }
        };
        taken[lane].push((from, to));
        panel.items.push(Item { left, right, label, label_x, anchor, lane });
    }
    panel.lanes = taken.len();
    (panel.lanes > 0).then_some(panel)
}

impl LanePanel {
    /// What the panel shows, and how much of it is not drawn.
    pub fn title(&self) -> String {
        let (title, noun) = match self.kind {
            Kind::Faults => ("Faults", "faults"),
            Kind::Recovery(_) => ("Recovery from what disturbed the system", "verdicts"),
            Kind::Broken => ("First violation of each broken invariant", "invariants"),
        };
        match self.omitted {
            0 => title.to_owned(),
            n => format!("{title}; {n} more {noun} not drawn"),
        }
    }

    /// Height in px.
    pub fn height(&self) -> f64 {
        self.lanes as f64 * LANE
    }

    /// Shades the faults' active times, or marks the violations' instants, between two heights.
    /// Overlapping shades are united, so that a dozen faults do not hide the data.
    pub fn behind(&self, canvas: &Canvas, top: f64, bottom: f64) -> Drawn {
        match self.kind {
            Kind::Faults => {}
            Kind::Recovery(_) => return Ok(()),
            Kind::Broken => {
                return self.items.iter().try_for_each(|item| {
                    canvas.line((item.left, top), (item.left, bottom), Ink::BrokenLine)
                });
            }
        }
        let mut spans: Vec<(f64, f64)> =
            self.items.iter().map(|item| (item.left, item.right.max(item.left + 1.0))).collect();
        spans.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut united: Vec<(f64, f64)> = Vec::new();
        for (left, right) in spans {
            match united.last_mut() {
                Some(last) if left <= last.1 => last.1 = last.1.max(right),
                _ => united.push((left, right)),
            }
        }
        united.into_iter().try_for_each(|(left, right)| {
            canvas.rect(left..right.min(RIGHT), top..bottom, Ink::Shade)
        })
    }

    /// Draws the panel with its upper edge at `top`.
    pub fn draw(&self, canvas: &Canvas, top: f64) -> Drawn {
        for item in &self.items {
            let y = top + item.lane as f64 * LANE + (LANE - BAR) / 2.0;
            match self.kind {
                Kind::Faults | Kind::Recovery(_) => {
                    let ink = if let Kind::Recovery(ink) = self.kind { ink } else { Ink::Fault };
                    let right = item.right.max(item.left + 2.0);
                    canvas.rect(item.left..right, y..y + BAR, ink)?;
                }
                Kind::Broken => canvas.marker(item.left, y + 3.0, Ink::Broken)?,
            }
            let face = Face::new(SIZE, Ink::Halo).middle().aligned(item.anchor);
            canvas.text(&item.label, item.label_x, y + BAR / 2.0, face)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_stays_on_the_sheet_wherever_its_bar_is() {
        let label = "goodput reached 100 % of what it was in the last 30s, and the latency did not";
        let steps = || (0..=20).map(|n| LEFT + (RIGHT - LEFT) * f64::from(n) / 20.0);
        for left in steps() {
            for right in steps().filter(|right| *right >= left) {
                let items = [(left, right, label.to_owned())].into_iter();
                let panel = pack(Kind::Faults, items).expect("one lane");
                let Item { label, label_x, anchor, .. } = &panel.items[0];
                let wide = measure::width(label, SIZE);
                let start = if matches!(anchor, HPos::Right) { label_x - wide } else { *label_x };
                assert!(start >= MARGIN - 0.5, "{left} to {right}: begins at {start}");
                assert!(start + wide <= RIGHT + 0.5, "{left} to {right}: ends at {}", start + wide);
            }
        }
    }
}
