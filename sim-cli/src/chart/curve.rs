//! A map of one axis: one panel per figure, as a curve over the axis with the band of its interval,
//! and the line of a promise that the scenario makes on it. Under them stand the regions.
//!
//! Values that are numbers of one unit stand where they belong, others side by side. A figure that
//! has no value leaves a gap.

use plotters::style::FontStyle;
use plotters::style::text_anchor::HPos;
use sim_core::Span;
use sim_models::figure::Promise;
use sim_models::study::{Cell, Figure, Kind, Map, Unit};

use super::axis::Scale;
use super::canvas::{Canvas, Drawn, Face, LEFT, RIGHT};
use super::compare::{WELL, column_title, scale};
use super::ink::Ink;
use super::measure;
use super::region::{letter, region_ink, short};
use crate::figure;
use crate::spoken::{Spoken, plain};

/// Heights of a panel's plot, its title, the gap under it, and the row of regions, in px.
const PLOT: f64 = 150.0;
const TITLE: f64 = 22.0;
const GAP: f64 = 20.0;
const REGIONS: f64 = 24.0;
/// Room for the values and the name of the axis.
const FOOT: f64 = 44.0;

/// More panels would not be read.
const PANELS_MAX: usize = 6;

/// All figures of a map of one axis.
pub struct Curves<'a> {
    map: &'a Map,
    axis: &'a Spoken,
    /// Where each value stands, as a share of the width.
    places: Vec<f64>,
    panels: Vec<Panel>,
}

/// One figure.
struct Panel {
    title: String,
    name: String,
    unit: Unit,
    scale: Scale,
    /// Per value of the axis.
    points: Vec<Option<Point>>,
    promises: Vec<Promise>,
}

/// A figure at a value of the axis.
struct Point {
    value: f64,
    /// The ends of its interval; an upper one that nobody knows is infinite.
    interval: Option<(f64, f64)>,
    at_least: bool,
}

impl<'a> Curves<'a> {
    /// The figures that were asked for, or success and attempts per call.
    pub fn new(map: &'a Map, axis: &'a Spoken, promises: &[Promise]) -> Curves<'a> {
        let measures = |cell: &Cell| match cell.summary.asked.is_empty() {
            false => cell.summary.asked.clone(),
            true => cell.summary.usual(),
        };
        let cells: Vec<_> = map.cells.iter().map(measures).collect();
        let mut figures: Vec<&Figure> = Vec::new();
        for measure in cells.iter().flatten() {
            if !figures.contains(&&measure.figure) {
                figures.push(&measure.figure);
            }
        }
        let panel = |figure: &Figure| {
            let points = cells.iter().map(|measures| {
                let measure = measures.iter().find(|measure| measure.figure == *figure)?;
                let estimate = measure.estimate?;
                let interval = estimate.interval.map(|interval| (interval.low, interval.high));
                Some(Point { value: estimate.mean, interval, at_least: measure.at_least })
            });
            let kept = promises.iter().filter(|promise| promise.figure == *figure);
            Panel::new(figure, points.collect(), kept.cloned().collect())
        };
        let panels = figures.into_iter().take(PANELS_MAX).map(panel).collect();
        Curves { map, axis, places: places(&map.x.values), panels }
    }

    /// What the first figure does along the axis: where it breaks its promise, or from where to
    /// where it goes.
    pub fn finding(&self) -> Option<String> {
        let panel = self.panels.first()?;
        let (axis, values) = (&self.axis.name, &self.map.x.values);
        let told = |n: usize, point: &Point| {
            let value = figure::bound(point.at_least, figure::figure(panel.unit, point.value));
            format!("{value} at {}", plain(&values[n]))
        };
        let known = |n: usize| Some((n, panel.points[n].as_ref()?));
        if let Some(promise) = panel.promises.first() {
            let upper = promise.relation.is_upper();
            let keeps =
                |point: &Point| promise.is_kept_by(point.value) && !(point.at_least && upper);
            // The end of the interval that is nearer to the promise is to keep it, too.
            let is_sure = |point: &Point| {
                let end = point.interval.map(|(low, high)| if upper { high } else { low });
                keeps(point) && end.is_some_and(|end| promise.is_kept_by(end))
            };
            let first = |is: &dyn Fn(&Point) -> bool| {
                (0..values.len()).filter_map(known).find(|(_, point)| !is(point))
            };
            let at = |n: usize| self.axis.at(&values[n]);
            return Some(match (first(&keeps), first(&is_sure)) {
                (Some((n, point)), _) => {
                    let value = figure::figure(panel.unit, point.value);
                    format!(
                        "{promise} is broken at {}: {}",
                        at(n),
                        figure::bound(point.at_least, value)
                    )
                }
                (None, Some((n, _))) => {
                    format!("{promise} is not broken, but from {} on it is not sure", at(n))
                }
                (None, None) => format!("{promise} is kept at every {axis} of the map"),
            });
        }
        let (first, last) =
            ((0..values.len()).find_map(known)?, (0..values.len()).rev().find_map(known)?);
        Some(match first.0 == last.0 {
            true => format!("{} is {}", panel.name, told(first.0, first.1)),
            false => format!(
                "{} goes from {} to {} ({axis}){}",
                panel.name,
                told(first.0, first.1),
                told(last.0, last.1),
                self.served(panel, first.0, last.0),
            ),
        })
    }

    /// A latency is that of who was served: where few were, a low one is no good news.
    fn served(&self, panel: &Panel, first: usize, last: usize) -> String {
        let success = |n: usize| Some(self.map.cells[n].success?.mean);
        match (success(first), success(last)) {
            (Some(first), Some(last)) if panel.unit == Unit::Millis && first.min(last) < WELL => {
                format!(", success from {} to {}", figure::share(first), figure::share(last))
            }
            _ => String::new(),
        }
    }

    fn has_regions(&self) -> bool {
        self.map.cells.iter().any(|cell| cell.region.is_some())
    }

    /// Height in px.
    pub fn height(&self) -> f64 {
        let regions = if self.has_regions() { REGIONS + 10.0 } else { 0.0 };
        self.panels.len() as f64 * (TITLE + PLOT + GAP) + regions + FOOT
    }

    fn x(&self, n: usize) -> f64 {
        // Dots and labels at the ends have room.
        LEFT + 24.0 + self.places[n] * (RIGHT - LEFT - 48.0)
    }

    /// Draws all with the upper edge at `top`.
    pub fn draw(&self, canvas: &Canvas, top: f64) -> Drawn {
        let mut y = top;
        for panel in &self.panels {
            let bold = Face { style: FontStyle::Bold, ..Face::new(12.0, Ink::Text) };
            let title = measure::clip(&panel.title, bold.measured(), RIGHT - LEFT);
            canvas.text(title, LEFT, y + 12.0, bold)?;
            panel.draw(canvas, y + TITLE, |n| self.x(n))?;
            y += TITLE + PLOT + GAP;
        }
        if self.has_regions() {
            self.regions(canvas, y)?;
            y += REGIONS + 10.0;
        }
        self.axis(canvas, y - GAP + 4.0)
    }

    /// Where the labels of an axis have room: every value, every second, and so on.
    fn stride(&self, width: impl Fn(usize) -> f64) -> usize {
        let count = self.places.len();
        let touches = |stride: usize| {
            let shown: Vec<usize> = (0..count).step_by(stride).collect();
            shown.windows(2).any(|pair| {
                self.x(pair[1]) - self.x(pair[0]) < (width(pair[0]) + width(pair[1])) / 2.0 + 6.0
            })
        };
        (1..count.max(2)).find(|stride| !touches(*stride)).unwrap_or(count).max(1)
    }

    fn axis(&self, canvas: &Canvas, y: f64) -> Drawn {
        let values: Vec<String> =
            self.map.x.values.iter().map(|v| measure::clip(plain(v), 11.0, 130.0)).collect();
        let stride = self.stride(|n| measure::width(&values[n], 11.0));
        for (n, value) in values.iter().enumerate().step_by(stride) {
            let face = Face::new(11.0, Ink::Muted).aligned(HPos::Center);
            canvas.text(value, self.x(n), y + 14.0, face)?;
        }
        let bold = Face { style: FontStyle::Bold, ..Face::new(12.0, Ink::Text) };
        let room = RIGHT - LEFT;
        let path = measure::clip(&format!("{} →", self.axis.name), bold.measured(), room);
        canvas.text(path, LEFT, y + 36.0, bold)
    }

    /// A box at each value, as wide as there is room, with the name of its region.
    fn regions(&self, canvas: &Canvas, top: f64) -> Drawn {
        let gaps = (1..self.places.len()).map(|n| self.x(n) - self.x(n - 1));
        let half = (gaps.fold(120.0, f64::min) / 2.0 - 1.0).max(1.5);
        for (n, cell) in self.map.cells.iter().enumerate() {
            let x = self.x(n);
            canvas.rect(x - half..x + half, top - 8.0..top + 14.0, region_ink(cell.region))?;
            let bold = Face { style: FontStyle::Bold, ..Face::new(10.5, Ink::Halo) };
            let name = cell.region.map_or("–", |region| region.name());
            let names = [name, short(cell.region), letter(cell.region)];
            let fits = |name: &&str| measure::width(name, bold.measured()) <= 2.0 * half - 2.0;
            if let Some(name) = names.into_iter().find(fits) {
                canvas.text(name, x, top + 3.0, bold.middle().aligned(HPos::Center))?;
            }
        }
        Ok(())
    }
}

impl Panel {
    fn new(figure: &Figure, points: Vec<Option<Point>>, promises: Vec<Promise>) -> Panel {
        let known = || points.iter().flatten();
        let ends = known().flat_map(|point| {
            let (low, high) = point.interval.unwrap_or((point.value, point.value));
            [point.value, low, high]
        });
        // A promise far away would flatten the curve that it is kept by.
        let most = known().map(|point| point.value).fold(0.0, f64::max);
        let near =
            promises.iter().map(|promise| promise.value).filter(|value| *value <= 4.0 * most);
        let ends = ends.chain(near).filter(|end| end.is_finite());
        let max = ends.clone().fold(0.0, f64::max);
        let min = ends.filter(|end| *end > 0.0).fold(max, f64::min);
        let scale = scale(figure.unit(), min, max);
        let log = if scale.is_log() { " (log scale)" } else { "" };
        let title = format!("{}{log}", column_title(figure));
        let name = match figure.kind {
            Kind::Broken => column_title(figure),
            _ => figure.to_string(),
        };
        Panel { title, name, unit: figure.unit(), scale, points, promises }
    }

    fn draw(&self, canvas: &Canvas, top: f64, x: impl Fn(usize) -> f64) -> Drawn {
        let bottom = top + PLOT;
        let range = self.scale.range();
        let y = |value: f64| {
            let place = (self.scale.place(value) - range.start) / (range.end - range.start);
            bottom - place * PLOT
        };
        for (value, label) in &self.scale.ticks {
            canvas.line((LEFT, y(*value)), (RIGHT, y(*value)), Ink::Grid)?;
            let face = Face::new(11.0, Ink::Muted).middle().aligned(HPos::Right);
            canvas.text(label, LEFT - 8.0, y(*value), face)?;
        }
        canvas.line((LEFT, bottom), (RIGHT, bottom), Ink::Axis)?;
        for stretch in self.stretches() {
            let end = |n: usize, upper: bool| {
                let point = self.points[n].as_ref().expect("it is known");
                let (low, high) = point.interval.unwrap_or((point.value, point.value));
                (x(n), y(if upper { high } else { low }))
            };
            let upper = stretch.iter().map(|n| end(*n, true));
            let lower = stretch.iter().rev().map(|n| end(*n, false));
            canvas.area(upper.chain(lower), Ink::Band)?;
        }
        for promise in &self.promises {
            let (at, is_within) = (y(promise.value), promise.value <= self.scale.max());
            canvas.line((LEFT, at), (RIGHT, at), Ink::Limit)?;
            let text = format!("{} {}", promise.relation.sign(), promise.written());
            let text = if is_within { text } else { format!("{text}, above") };
            let text = measure::clip(&text, 11.0, 170.0);
            canvas.text(text, RIGHT + 8.0, at, Face::new(11.0, Ink::Halo).middle())?;
        }
        for stretch in self.stretches() {
            let place = |n: &usize| (x(*n), y(self.points[*n].as_ref().expect("known").value));
            canvas.path(stretch.iter().map(place), Ink::Median)?;
        }
        let mut last_label = f64::MIN;
        for (n, point) in self.points.iter().enumerate() {
            let Some(point) = point else {
                let face = Face::new(10.5, Ink::Muted).aligned(HPos::Center);
                canvas.text("–", x(n), bottom - 5.0, face)?;
                continue;
            };
            let (low, high) = point.interval.unwrap_or((point.value, point.value));
            // One alone has no band.
            canvas.upright((y(low), y(high)), x(n), Ink::Whisker)?;
            canvas.dot(x(n), y(point.value), Ink::Dot2)?;
            let text = figure::bound(point.at_least, figure::figure(self.unit, point.value));
            let half = measure::width(&text, 10.5) / 2.0;
            if x(n) - half > last_label + 4.0 {
                let above = y(point.value) - 9.0;
                let above = if above < top + 8.0 { y(point.value) + 17.0 } else { above };
                let face = Face::new(10.5, Ink::Halo).aligned(HPos::Center);
                canvas.text(text, x(n), above, face)?;
                last_label = x(n) + half;
            }
        }
        Ok(())
    }

    /// The places of neighbours that are known.
    fn stretches(&self) -> Vec<Vec<usize>> {
        let mut stretches = vec![Vec::new()];
        for (n, point) in self.points.iter().enumerate() {
            match point {
                Some(_) => stretches.last_mut().expect("one at least").push(n),
                None => stretches.push(Vec::new()),
            }
        }
        stretches.retain(|stretch| stretch.len() > 1);
        stretches
    }
}

/// Where values stand along an axis, from 0 to 1: where they belong when they are ascending numbers
/// of one unit, else side by side.
fn places(values: &[String]) -> Vec<f64> {
    let even = |count: usize| match count {
        0 | 1 => vec![0.5; count],
        count => (0..count).map(|n| n as f64 / (count - 1) as f64).collect(),
    };
    let number = |text: &String| {
        let text = plain(text);
        if let Ok(span) = text.parse::<Span>() {
            return Some((span.as_secs_f64(), "s".to_owned()));
        }
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        Some((text[..end].parse::<f64>().ok()?, text[end..].trim().to_owned()))
    };
    let numbers: Option<Vec<(f64, String)>> = values.iter().map(number).collect();
    let Some(numbers) = numbers.filter(|all| all.len() > 1) else { return even(values.len()) };
    let is_one_unit = numbers.iter().all(|(_, unit)| *unit == numbers[0].1);
    let is_ascending = numbers.windows(2).all(|pair| pair[0].0 < pair[1].0);
    let (first, last) = (numbers[0].0, numbers[numbers.len() - 1].0);
    let gap = numbers.windows(2).map(|pair| pair[1].0 - pair[0].0).fold(f64::MAX, f64::min);
    // Too close to be told apart, as where they grow by factors.
    if !is_one_unit || !is_ascending || gap < (last - first) * 0.02 {
        return even(values.len());
    }
    numbers.iter().map(|(value, _)| (value - first) / (last - first)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_where_they_belong() {
        let of =
            |values: &[&str]| places(&values.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&["20/s", "30/s", "60/s"]), [0.0, 0.25, 1.0]);
        assert_eq!(of(&["\"500ms\"", "\"1s\"", "\"2.5s\""]), [0.0, 0.25, 1.0]);
        assert_eq!(of(&["1", "1000", "1000000"]), [0.0, 0.5, 1.0], "by factors");
        assert_eq!(
            of(&["3", "1", "2"]),
            [0.0, 0.5, 1.0],
            "in the order in which they were written"
        );
        assert_eq!(of(&["[]", "[Timeout(\"1s\")]"]), [0.0, 1.0]);
        assert_eq!(of(&["7"]), [0.5]);
    }
}
