//! Panels of stacked areas: how what was sent over a hop ended, in each window of time.
//!
//! The endings of a family lie on each other, success at the bottom. Each family has a fill of its
//! own, which differs from its neighbours' also without colour.

use plotters::style::text_anchor::HPos;
use sim_core::Span;
use sim_models::outcome::{EndingSeries, HopEnding, Series};

use super::axis::Scale;
use super::canvas::{COLUMNS, Canvas, Drawn, Face, LABEL, LABEL_SIZE, LEFT, RIGHT, WIDTH};
use super::ink::Ink;
use super::measure;
use super::numbers::{Line, Lines};
use crate::words;

/// Hops beyond that are counted instead of drawn.
const HOPS_MAX: usize = 3;

/// The stack of one hop.
pub struct SharePanel {
    /// The hop, and what else is to be said.
    pub title: String,
    /// Height of the plot in px.
    pub height: f64,
    scale: Scale,
    /// From the bottom.
    layers: Vec<Layer>,
    /// How long a column is, in seconds.
    width: f64,
}

struct Layer {
    label: String,
    ink: Ink,
    /// Per second, by column.
    rates: Vec<f64>,
}

/// What is drawn alike, from the bottom of the stack.
const FAMILIES: [Ink; 7] = [
    Ink::Success,
    Ink::ClientError,
    Ink::ServerError,
    Ink::ConnectionLost,
    Ink::TimedOut,
    Ink::Abandoned,
    Ink::NotSent,
];

fn family(ending: HopEnding) -> Ink {
    match ending {
        HopEnding::Status(200..=299) => Ink::Success,
        HopEnding::Status(500..) => Ink::ServerError,
        HopEnding::Status(_) => Ink::ClientError,
        HopEnding::Refused | HopEnding::Reset => Ink::ConnectionLost,
        HopEnding::TimedOut => Ink::TimedOut,
        HopEnding::Abandoned | HopEnding::Open => Ink::Abandoned,
        HopEnding::NotSent => Ink::NotSent,
    }
}

/// The stacks of the hops where not everything ended in success: those where the most did not.
pub fn endings(series: &Series) -> Vec<SharePanel> {
    let total = |counts: &[u32]| counts.iter().map(|n| u64::from(*n)).sum::<u64>();
    let bad = |endings: &[(HopEnding, Vec<u32>)]| {
        let bad = endings.iter().filter(|(ending, _)| !ending.is_success());
        bad.map(|(_, counts)| total(counts)).sum::<u64>()
    };
    let mut hops: Vec<_> = series.endings.iter().filter(|own| bad(&own.endings) > 0).collect();
    // A stable sort: equal hops stay in the scenario's order.
    hops.sort_by_key(|own| std::cmp::Reverse(bad(&own.endings)));
    let more = hops.len().saturating_sub(HOPS_MAX);
    hops.truncate(HOPS_MAX);
    let last = hops.len().saturating_sub(1);
    let panels = hops.into_iter().enumerate().filter_map(|(n, EndingSeries { hop, endings })| {
        let more = if n == last { more } else { 0 };
        SharePanel::new(hop, endings, series.width, more)
    });
    panels.collect()
}

impl SharePanel {
    fn new(
        hop: &str,
        endings: &[(HopEnding, Vec<u32>)],
        width: Span,
        more: usize,
    ) -> Option<SharePanel> {
        let windows = endings.iter().map(|(_, counts)| counts.len()).max()?;
        let columns = windows.min(COLUMNS);
        let width = width.as_secs_f64() * windows as f64 / columns as f64;
        let layer = |ink: Ink| {
            let own: Vec<_> = endings.iter().filter(|(e, _)| family(*e) == ink).collect();
            let names: Vec<String> = own.iter().map(|(ending, _)| ending.to_string()).collect();
            let count = own.iter().flat_map(|(_, counts)| counts).map(|n| u64::from(*n)).sum();
            let rate = |column: usize| {
                let window = column * windows / columns..(column + 1) * windows / columns;
                let within = own.iter().flat_map(|(_, counts)| &counts[window.clone()]);
                within.map(|n| f64::from(*n)).sum::<f64>() / width
            };
            let label = format!("{}: {}", names.join(", "), words::count(count));
            (count > 0).then(|| Layer { label, ink, rates: (0..columns).map(rate).collect() })
        };
        let layers: Vec<Layer> = FAMILIES.into_iter().filter_map(layer).collect();
        let height = |column: usize| layers.iter().map(|layer| layer.rates[column]).sum::<f64>();
        let max = (0..columns).map(height).reduce(f64::max).filter(|max| *max > 0.0)?;
        let more = match more {
            0 => String::new(),
            1 => "; 1 more hop in the table".to_owned(),
            n => format!("; {n} more hops in the table"),
        };
        Some(SharePanel {
            title: format!("How attempts ended on {hop}, per second{more}"),
            height: 84.0_f64.max(layers.len() as f64 * LABEL + 8.0),
            scale: Scale::counts(max),
            layers,
            width,
        })
    }

    /// What it shows, as numbers.
    pub fn readout(&self) -> Lines {
        let line = |layer: &Layer| {
            let rates: Vec<Option<f64>> = layer.rates.iter().copied().map(Some).collect();
            Line::new(&layer.label, layer.ink.class(), self.width, &rates)
        };
        Lines {
            title: self.title.clone(),
            kind: "stack",
            unit: self.scale.measure.id(),
            lines: self.layers.iter().map(line).collect(),
        }
    }

    /// Draws the panel with its plot's upper edge at `top`.
    pub fn draw(&self, canvas: &Canvas, top: f64) -> Drawn {
        let bottom = top + self.height;
        let y = |rate: f64| bottom - rate / self.scale.max() * self.height;
        for (value, label) in &self.scale.ticks {
            canvas.line((LEFT, y(*value)), (RIGHT, y(*value)), Ink::Grid)?;
            let face = Face::new(11.0, Ink::Muted).middle().aligned(HPos::Right);
            canvas.text(label, LEFT - 8.0, y(*value), face)?;
        }
        let columns = self.layers.first().map_or(0, |layer| layer.rates.len());
        let mut floor = vec![0.0; columns];
        for layer in &self.layers {
            let ceiling: Vec<f64> = floor.iter().zip(&layer.rates).map(|(a, b)| a + b).collect();
            for stretch in stretches(&layer.rates) {
                let edge = |heights: &[f64]| {
                    let heights: Vec<f64> = heights[stretch.clone()].to_vec();
                    let from = stretch.start;
                    heights.into_iter().enumerate().flat_map(move |(n, height)| {
                        [from + n, from + n + 1].map(|at| (at as f64 * self.width, height))
                    })
                };
                let below: Vec<_> = edge(&floor).collect();
                let around = edge(&ceiling).chain(below.into_iter().rev());
                let corners = around.map(|(at, rate)| (canvas.x(at), y(rate)));
                canvas.area(corners, layer.ink)?;
            }
            floor = ceiling;
        }
        canvas.line((LEFT, bottom), (RIGHT, bottom), Ink::Axis)?;
        self.key(canvas, bottom)
    }

    /// The labels, in the order of the stack.
    fn key(&self, canvas: &Canvas, bottom: f64) -> Drawn {
        let x = RIGHT + 8.0;
        for (n, layer) in self.layers.iter().enumerate() {
            let y = bottom - 8.0 - n as f64 * LABEL;
            canvas.rect(x..x + 26.0, y - 5.5..y + 5.5, layer.ink)?;
            let label = measure::clip(&layer.label, LABEL_SIZE, WIDTH - 4.0 - x - 32.0);
            canvas.text(label, x + 32.0, y, Face::new(LABEL_SIZE, Ink::Text).middle())?;
        }
        Ok(())
    }
}

/// The stretches of columns in which something is above zero.
fn stretches(rates: &[f64]) -> Vec<std::ops::Range<usize>> {
    let mut stretches: Vec<std::ops::Range<usize>> = Vec::new();
    for (n, _) in rates.iter().enumerate().filter(|(_, rate)| **rate > 0.0) {
        match stretches.last_mut() {
            Some(last) if last.end == n => last.end = n + 1,
            _ => stretches.push(n..n + 1),
        }
    }
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;

    type Counts = Vec<(HopEnding, Vec<u32>)>;

    fn series(endings: Vec<(&str, Counts)>) -> Series {
        let hop = |(hop, endings): (&str, _)| EndingSeries { hop: hop.to_owned(), endings };
        let endings = endings.into_iter().map(hop).collect();
        Series { width: Span::secs(2), endings, ..Series::default() }
    }

    #[test]
    fn a_hop_where_all_is_well_has_no_panel_and_the_worst_comes_first() {
        let ok = |n| (HopEnding::Status(200), vec![n]);
        let late = |n| (HopEnding::TimedOut, vec![n]);
        let panels = endings(&series(vec![
            ("a->b", vec![ok(9)]),
            ("b->c", vec![ok(9), late(1)]),
            ("c->d", vec![ok(9), late(2)]),
        ]));
        let titles: Vec<&str> = panels.iter().map(|panel| &panel.title[..]).collect();
        assert_eq!(titles.len(), 2);
        assert!(titles[0].contains("c->d") && titles[1].contains("b->c"), "{titles:?}");
    }

    #[test]
    fn nothing_is_lost_when_windows_are_added_up() {
        let counts: Vec<u32> = (0..10_000).map(|n| n % 7).collect();
        let all: f64 = counts.iter().map(|n| f64::from(*n)).sum();
        let panels = endings(&series(vec![("a->b", vec![(HopEnding::Status(503), counts)])]));
        let SharePanel { layers, width, .. } = &panels[0];
        let drawn: f64 = layers[0].rates.iter().map(|rate| rate * width).sum();
        assert!((drawn - all).abs() < 1e-6 * all, "{drawn} of {all}");
        assert_eq!(layers[0].label, "503: 29,994");
    }

    #[test]
    fn a_gap_splits_an_area() {
        assert_eq!(stretches(&[0.0, 1.0, 2.0, 0.0, 3.0]), [1..3, 4..5]);
    }
}
