//! The panel of breakers: one band each, plain while closed, hatched while open, barred while
//! half open. A state that was set by hand looks like the one that treats calls as it does, and
//! its name stands in the band. Of a caller with several instances, the band shows what share of
//! their breakers is open.

use std::collections::BTreeMap;
use std::ops::Range;

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
    band: Band,
}

/// From each instant on, in seconds, until the next.
enum Band {
    /// The state of one breaker.
    State(Vec<(f64, StateName)>),
    /// Of all breakers of a caller's instances: the shares that are open and half open, and how many
    /// are at most open, in words.
    Share(Vec<(f64, [f64; 2])>, String),
}

/// The breakers' states, if any of them ever changed. Where each instance of a caller has one, a
/// row shows what share of them is open.
pub fn breakers(transitions: &[TransitionLine]) -> Option<BandPanel> {
    let mut stacks: Vec<&str> = Vec::new();
    for transition in transitions {
        if !stacks.contains(&&transition.policy[..]) {
            stacks.push(&transition.policy);
        }
    }
    let omitted = stacks.len().saturating_sub(ROWS_MAX);
    stacks.truncate(ROWS_MAX);
    let row = |stack: &str| {
        let own = transitions.iter().filter(|transition| transition.policy == stack);
        Row::new(stack, &own.collect::<Vec<_>>())
    };
    let rows: Vec<Row> = stacks.into_iter().map(row).collect();
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
    /// The row of one stack's transitions, of which there is at least one.
    fn new(stack: &str, own: &[&TransitionLine]) -> Row {
        let first = own[0];
        if first.instance.is_none() {
            let later = own.iter().map(|t| (t.at.as_secs_f64(), t.to));
            let states = std::iter::once((Time::ZERO.as_secs_f64(), first.from)).chain(later);
            return Row { name: stack.to_owned(), band: Band::State(states.collect()) };
        }
        let of = first.instances.max(1);
        let mut states = BTreeMap::new();
        let (mut open, mut testing, mut most) = (0_u32, 0_u32, 0);
        let mut shares = vec![(Time::ZERO.as_secs_f64(), [0.0, 0.0])];
        for transition in own {
            let left = states.insert(transition.instance, transition.to);
            for (state, enters) in [(left.unwrap_or(transition.from), false), (transition.to, true)]
            {
                let count = match ink(state) {
                    Ink::Open => &mut open,
                    Ink::HalfOpen => &mut testing,
                    _ => continue,
                };
                *count = if enters { *count + 1 } else { count.saturating_sub(1) };
            }
            most = most.max(open);
            let share = |n: u32| f64::from(n) / f64::from(of);
            shares.push((transition.at.as_secs_f64(), [share(open), share(testing)]));
        }
        let most = format!("at most {most} of {of} open");
        Row { name: stack.to_owned(), band: Band::Share(shares, most) }
    }

    fn draw(&self, canvas: &Canvas, y: f64) -> Drawn {
        match &self.band {
            Band::State(states) => draw_states(states, canvas, y),
            Band::Share(shares, most) => {
                draw_shares(shares, canvas, y)?;
                let face = Face::new(11.0, Ink::Halo).middle();
                canvas.text(most, canvas.x(0.0) + 6.0, y + BAND / 2.0, face)
            }
        }
    }
}

fn draw_states(states: &[(f64, StateName)], canvas: &Canvas, y: f64) -> Drawn {
    let mut drawn_to = [f64::MIN; 6];
    for (i, &(from, state)) in states.iter().enumerate() {
        let to = states.get(i + 1).map_or(canvas.end, |next| next.0);
        let (left, right) = (canvas.x(from), canvas.x(to));
        // A test request is over in milliseconds; it stays visible as a sliver. Slivers of
        // one state that would fall on each other are drawn once. A breaker that flaps a
        // million times makes no larger file than the pixels can show.
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

/// Open breakers fill the band from below, half-open ones above them.
fn draw_shares(shares: &[(f64, [f64; 2])], canvas: &Canvas, y: f64) -> Drawn {
    canvas.rect(canvas.x(0.0)..canvas.x(canvas.end), y..y + BAND, Ink::Closed)?;
    let shares: Vec<_> = shares.iter().map(|(at, share)| (canvas.x(*at), *share)).collect();
    for (x, share) in pieces(&shares, canvas.x(canvas.end)) {
        draw_share(share, x, canvas, y)?;
    }
    Ok(())
}

/// Of changes within one pixel the largest share is shown there, and what they led to from there on
/// until the next change or the `end`.
fn pieces(shares: &[(f64, [f64; 2])], end: f64) -> Vec<(Range<f64>, [f64; 2])> {
    let (mut pieces, mut shares) = (Vec::new(), shares.iter().copied().peekable());
    while let Some((left, mut last)) = shares.next() {
        let mut most = last;
        while let Some((_, next)) = shares.next_if(|(at, _)| at - left < 1.0) {
            (most, last) = ([most[0].max(next[0]), most[1].max(next[1])], next);
        }
        let sliver = (left + 1.0).min(end);
        let right = shares.peek().map_or(end, |(at, _)| *at);
        pieces.extend([(left..sliver, most), (sliver..right.max(sliver), last)]);
    }
    pieces
}

fn draw_share([open, testing]: [f64; 2], x: Range<f64>, canvas: &Canvas, y: f64) -> Drawn {
    let top = y + BAND * (1.0 - open);
    let above = (top - BAND * testing).max(y);
    for (from, to, ink) in [(above, top, Ink::HalfOpen), (top, y + BAND, Ink::Open)] {
        if to > from && x.end > x.start {
            canvas.rect(x.clone(), from..to, ink)?;
        }
    }
    Ok(())
}

const fn ink(state: StateName) -> Ink {
    match state {
        StateName::Closed | StateName::Disabled | StateName::MetricsOnly => Ink::Closed,
        StateName::Open | StateName::ForcedOpen => Ink::Open,
        StateName::HalfOpen => Ink::HalfOpen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breakers_that_close_within_a_pixel_are_closed_from_there_on() {
        let shares = [(10.0, [1.0, 0.0]), (50.0, [0.5, 0.5]), (50.4, [0.0, 0.5]), (50.8, [0.0; 2])];
        let pieces = pieces(&shares, 100.0);
        assert_eq!(
            pieces,
            [
                (10.0..11.0, [1.0, 0.0]),
                (11.0..50.0, [1.0, 0.0]),
                (50.0..51.0, [0.5, 0.5]),
                (51.0..100.0, [0.0; 2]),
            ]
        );
    }
}
