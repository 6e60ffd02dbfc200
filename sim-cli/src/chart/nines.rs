//! The panel of latency distributions: how long, on a logarithmic scale, against what share was
//! faster, on a scale that gives each further nine the same room. A tail that a linear scale hides
//! in its last pixel is as long here as it is for those who are in it.

use plotters::style::text_anchor::HPos;
use sim_core::{Span, math};
use sim_models::study::Percentile;

use super::axis::Scale;
use super::canvas::{Canvas, Drawn, Face, LEFT, RIGHT, WIDTH};
use super::ink::Ink;
use super::measure;

/// The shares that are marked.
const MARKS: [(&str, f64); 6] = [
    ("0 %", 0.0),
    ("50 %", 0.5),
    ("90 %", 0.9),
    ("99 %", 0.99),
    ("99.9 %", 0.999),
    ("99.99 %", 0.9999),
];

/// The share of samples that may lie at the left edge.
const QUICKEST: f64 = 0.05;

/// Height of the plot, and from one name to the next, in px.
const HEIGHT: f64 = 210.0;
const NAME: f64 = 17.0;

/// Distributions over a common scale.
pub struct NinesPanel {
    scale: Scale,
    /// The most nines that a curve reaches.
    nines: f64,
    curves: Vec<Curve>,
}

/// One distribution.
pub struct Curve {
    /// Whose it is.
    pub name: String,
    /// Of its line.
    pub ink: Ink,
    /// Shares and the latencies that so many were not above, ascending.
    pub points: Vec<(f64, Span)>,
    /// Percentiles with their intervals.
    pub percentiles: Vec<Percentile>,
}

impl NinesPanel {
    /// The distributions, if any sample was taken.
    pub fn new(curves: Vec<Curve>) -> Option<NinesPanel> {
        // The quickest few would take all the room on a logarithmic scale; they go to its edge.
        let ends = curves.iter().flat_map(|curve| {
            let points = curve.points.iter().filter(|(share, _)| *share >= QUICKEST);
            let points = points.map(|(_, latency)| *latency);
            points.chain(curve.percentiles.iter().filter_map(|p| p.high))
        });
        let nanos = || ends.clone().map(Span::as_nanos).filter(|n| *n > 0);
        let scale = Scale::lengths(nanos().min()?, nanos().max()?);
        let shares = curves.iter().flat_map(|curve| curve.points.iter().map(|(share, _)| *share));
        let nines = shares.map(nines).fold(1.0, f64::max);
        Some(NinesPanel { scale, nines, curves })
    }

    /// Height in px, with the scale under it.
    pub fn height(&self) -> f64 {
        (self.curves.len() as f64 * NAME).max(HEIGHT) + 24.0
    }

    /// True when latencies are on a logarithmic scale.
    pub fn is_log(&self) -> bool {
        self.scale.is_log()
    }

    /// Draws the panel with its upper edge at `top`.
    pub fn draw(&self, canvas: &Canvas, top: f64) -> Drawn {
        let bottom = top + self.height() - 24.0;
        let range = self.scale.range();
        let x = |latency: Span| {
            let place = self.scale.place(latency.as_nanos() as f64);
            LEFT + (place - range.start) / (range.end - range.start) * (RIGHT - LEFT)
        };
        let y = |share: f64| bottom - nines(share).min(self.nines) / self.nines * (bottom - top);
        for (label, share) in MARKS.iter().filter(|(_, share)| nines(*share) <= self.nines + 1e-9) {
            canvas.line((LEFT, y(*share)), (RIGHT, y(*share)), Ink::Grid)?;
            let face = Face::new(11.0, Ink::Muted).middle().aligned(HPos::Right);
            canvas.text(*label, LEFT - 8.0, y(*share), face)?;
        }
        for (value, label) in &self.scale.ticks {
            let x = x(Span::nanos(*value as u64));
            canvas.line((x, top), (x, bottom), Ink::Grid)?;
            canvas.line((x, bottom), (x, bottom + 5.0), Ink::Axis)?;
            let face = Face::new(11.0, Ink::Muted).aligned(HPos::Center);
            canvas.text(label, x, bottom + 18.0, face)?;
        }
        canvas.line((LEFT, bottom), (RIGHT, bottom), Ink::Axis)?;
        canvas.text("latency", RIGHT + 40.0, bottom + 18.0, Face::new(11.0, Ink::Muted))?;
        for (n, curve) in self.curves.iter().enumerate() {
            let points = curve.points.iter().map(|(share, latency)| (x(*latency), y(*share)));
            canvas.path(points, curve.ink)?;
            for percentile in &curve.percentiles {
                if let (Some(low), Some(high)) = (percentile.low, percentile.high) {
                    let y = y(percentile.quantile.share());
                    canvas.whisker((x(low), x(high)), y, Ink::Whisker)?;
                }
            }
            let (name_x, name_y) = (RIGHT + 40.0, top + 8.0 + n as f64 * NAME);
            canvas.line((RIGHT + 8.0, name_y), (RIGHT + 34.0, name_y), curve.ink)?;
            let name = measure::clip(&curve.name, 11.5, WIDTH - 4.0 - name_x);
            canvas.text(name, name_x, name_y, Face::new(11.5, Ink::Text).middle())?;
        }
        Ok(())
    }
}

/// How many nines a share has: 0.9 has one, 0.99 two, a half 0.3. All have no more than fifteen.
pub fn nines(share: f64) -> f64 {
    -math::log10((1.0 - share).max(1e-15))
}
