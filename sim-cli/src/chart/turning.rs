//! The turning point of a run: the probability of its violation over its story, with the interval
//! of each point, the turn marked, and what happened where it changed.
//!
//! Most of a story happens in a few milliseconds and the rest is waiting. Half of the width goes to
//! time, and half to the steps, evenly; the instants stand under the axis.

use plotters::style::FontStyle;
use plotters::style::text_anchor::HPos;
use sim_models::explore::turning::{Point, Turning};

use super::canvas::{Canvas, Drawn, Face, LEFT, RIGHT, WIDTH};
use super::ink::Ink;
use super::measure;
use super::sheet::{MARGIN, Sheet};
use crate::{turning as said, words};

/// Heights of the plot, the room above it, the axis under it, a line of the key, and the room under
/// that, in px.
const PLOT: f64 = 170.0;
const HEAD: f64 = 26.0;
const AXIS: f64 = 52.0;
const LINE: f64 = 19.0;
const FOOT: f64 = 12.0;

/// The most changes that are named.
const NAMED_MAX: usize = 6;

/// A smaller change is not named.
const CHANGE: f64 = 0.05;

/// The strip as a complete SVG document; `repeat` is the command that draws it again.
pub fn turning(turning: &Turning, repeat: &str) -> String {
    let strip = Strip::new(turning);
    let sentence = turning.sentence();
    let name = words::named(&turning.scenario, turning.variant.as_deref());
    let of = turning.intent.as_ref().map(|intent| format!(" for {intent}")).unwrap_or_default();
    let runs = words::counted(turning.continuations, "continuation");
    let subject = format!(
        "{name}: {}{of}, in {runs} with other luck after each of {}.",
        turning.promise,
        words::counted(turning.points.len() as u64, "step")
    );
    let id = &turning.run_id;
    let hash = id.scenario_hash ^ id.overrides_hash.unwrap_or(1) ^ id.seed.rotate_left(32);
    Sheet::new(format!("turning-{hash:016x}"), &said::headline(turning))
        .evidence(&sentence)
        .subject(&subject)
        .describe(&format!("{subject} {sentence}"))
        .corner(&id.to_string())
        .corner(&format!("repeat: {repeat}"))
        .svg(strip.height(), 1.0, |canvas, top| strip.draw(canvas, top))
}

struct Strip<'a> {
    turning: &'a Turning,
    /// Where each point stands, in px.
    places: Vec<f64>,
    /// The points that are named, in order.
    named: Vec<usize>,
}

impl<'a> Strip<'a> {
    fn new(turning: &'a Turning) -> Strip<'a> {
        Strip { turning, places: places(&turning.points), named: named(turning) }
    }

    fn height(&self) -> f64 {
        HEAD + PLOT + AXIS + LINE * self.named.len() as f64 + FOOT
    }

    fn draw(&self, canvas: &Canvas, top: f64) -> Drawn {
        let points = &self.turning.points;
        let (upper, bottom) = (top + HEAD, top + HEAD + PLOT);
        let y = |share: f64| bottom - share * PLOT;
        let bold = Face { style: FontStyle::Bold, ..Face::new(12.0, Ink::Text) };
        canvas.text(
            "continuations that break the promise, and 95 % interval",
            LEFT,
            top + 12.0,
            bold,
        )?;
        for percent in [0, 25, 50, 75, 100] {
            let y = y(f64::from(percent) / 100.0);
            canvas.line((LEFT, y), (RIGHT, y), Ink::Grid)?;
            let face = Face::new(11.0, Ink::Muted).middle().aligned(HPos::Right);
            canvas.text(format!("{percent} %"), LEFT - 8.0, y, face)?;
        }
        canvas.line((LEFT, bottom), (RIGHT, bottom), Ink::Axis)?;
        canvas.area(self.band(y), Ink::Band)?;
        canvas.path(self.steps(|point| y(point.share)), Ink::Median)?;
        for (n, point) in points.iter().enumerate() {
            canvas.dot(self.places[n], y(point.share), Ink::Dot2)?;
        }
        self.turn(canvas, upper, bottom)?;
        if let Some(point) = points.last() {
            let bold = Face { style: FontStyle::Bold, ..Face::new(11.0, Ink::Text) };
            canvas.dot(RIGHT, y(point.share), Ink::Broken)?;
            canvas.text("broken here", RIGHT + 10.0, y(point.share), bold.middle())?;
            let what = measure::clip(&point.what, 11.0, WIDTH - MARGIN - RIGHT - 10.0);
            let muted = Face::new(11.0, Ink::Muted).middle();
            canvas.text(what, RIGHT + 10.0, y(point.share) + 16.0, muted)?;
        }
        self.instants(canvas, bottom)?;
        let muted = Face::new(11.0, Ink::Muted).aligned(HPos::Right);
        let scale = "time of the run; what happens close together is drawn apart";
        canvas.text(scale, RIGHT, bottom + 36.0, muted)?;
        self.key(canvas, bottom + AXIS)
    }

    /// A share holds from its step to the next one.
    fn steps(&self, y: impl Fn(&Point) -> f64) -> Vec<(f64, f64)> {
        let mut corners = Vec::new();
        for (n, point) in self.turning.points.iter().enumerate() {
            if let Some((_, height)) = corners.last().copied() {
                corners.push((self.places[n], height));
            }
            corners.push((self.places[n], y(point)));
        }
        corners
    }

    fn band(&self, y: impl Fn(f64) -> f64) -> Vec<(f64, f64)> {
        let mut corners = self.steps(|point| y(point.high));
        corners.extend(self.steps(|point| y(point.low)).into_iter().rev());
        corners
    }

    /// The line of the turn, with the shares on both sides of it.
    fn turn(&self, canvas: &Canvas, upper: f64, bottom: f64) -> Drawn {
        let Some(turn) = self.turning.turn() else { return Ok(()) };
        let x = self.places[turn.point];
        canvas.line((x, upper - 6.0), (x, bottom), Ink::BrokenLine)?;
        canvas.marker(x, bottom + 1.0, Ink::Broken)?;
        let [before, after] =
            [turn.point - 1, turn.point].map(|n| said::percent(self.turning.points[n].share));
        let bold = Face { style: FontStyle::Bold, ..Face::new(12.0, Ink::Halo) };
        let text = format!("the turn: {before} → {after}");
        let is_right = x + 8.0 + measure::width(&text, bold.measured()) > WIDTH - MARGIN;
        let (x, h) = if is_right { (x - 8.0, HPos::Right) } else { (x + 8.0, HPos::Left) };
        canvas.text(text, x, (upper + bottom) / 2.0, bold.middle().aligned(h))
    }

    /// The instants of points, where they have room.
    fn instants(&self, canvas: &Canvas, bottom: f64) -> Drawn {
        let turn = self.turning.turn().map(|turn| turn.point);
        let points = &self.turning.points;
        // Those at the ends and of the turn come first.
        let order = [0, points.len() - 1].into_iter().chain(turn).chain(0..points.len());
        let mut taken: Vec<(f64, f64)> = Vec::new();
        for n in order {
            let text = points[n].at.to_string();
            let half = measure::width(&text, 11.0) / 2.0;
            let (from, to) = (self.places[n] - half - 5.0, self.places[n] + half + 5.0);
            if taken.iter().all(|(left, right)| to <= *left || *right <= from) {
                taken.push((from, to));
                let face = Face::new(11.0, Ink::Muted).aligned(HPos::Center);
                canvas.text(text, self.places[n], bottom + 20.0, face)?;
            }
        }
        Ok(())
    }

    /// What happened where the share changed.
    fn key(&self, canvas: &Canvas, mut y: f64) -> Drawn {
        let turn = self.turning.turn().map(|turn| turn.point);
        for n in &self.named {
            y += LINE;
            let point = &self.turning.points[*n];
            let is_turn = turn == Some(*n);
            let style = if is_turn { FontStyle::Bold } else { FontStyle::Normal };
            let face = Face { style, ..Face::new(11.5, Ink::Text) };
            if is_turn {
                canvas.marker(MARGIN + 5.0, y - 8.0, Ink::Broken)?;
            }
            let before = said::percent(self.turning.points[n - 1].share);
            let shares = format!("{before} → {}", said::percent(point.share));
            canvas.text(shares, LEFT + 78.0, y, face.aligned(HPos::Right))?;
            canvas.text(point.at.to_string(), LEFT + 188.0, y, face.aligned(HPos::Right))?;
            let room = WIDTH - MARGIN - LEFT - 208.0;
            let what = measure::clip(&point.what, face.measured(), room);
            canvas.text(what, LEFT + 208.0, y, face)?;
        }
        Ok(())
    }
}

/// Half of the width is shared out evenly, half by time. Before the story began is a gap like any
/// other, however long it was.
fn places(points: &[Point]) -> Vec<f64> {
    let gaps = points.len().saturating_sub(1).max(1) as f64;
    let begun = points.get(1).map_or(0, |point| point.at.as_nanos());
    let since = |point: &Point| point.at.as_nanos().saturating_sub(begun) as f64;
    let whole = points.last().map_or(0.0, since).max(1.0);
    let place = |(n, point): (usize, &Point)| {
        LEFT + (RIGHT - LEFT) * (n as f64 / gaps + since(point) / whole) / 2.0
    };
    points.iter().enumerate().map(place).collect()
}

/// The points at which the share changes most, and the turn, in order.
fn named(turning: &Turning) -> Vec<usize> {
    let points = &turning.points;
    let change = |n: usize| (points[n].share - points[n - 1].share).abs();
    let turn = turning.turn().map(|turn| turn.point);
    let mut named: Vec<usize> =
        (1..points.len()).filter(|n| change(*n) >= CHANGE || turn == Some(*n)).collect();
    named.sort_by(|a, b| {
        let is_other = |n: &usize| turn != Some(*n);
        is_other(a).cmp(&is_other(b)).then(change(*b).total_cmp(&change(*a)))
    });
    named.truncate(NAMED_MAX);
    named.sort_unstable();
    named
}
