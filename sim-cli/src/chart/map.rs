//! The map of a system: two values varied together, and in each cell how its runs ended.
//!
//! A cell's pattern, its letter and the thick borders show its region, so that no meaning rests on
//! colour. Its number is the figure that matters most there.

use plotters::style::FontStyle;
use plotters::style::text_anchor::HPos;
use sim_core::Span;
use sim_models::Scenario;
use sim_models::anatomy::Anatomy;
use sim_models::study::{Cell, Map, Region};

use super::canvas::{Canvas, Drawn, Face};
use super::curve::Curves;
use super::ink::Ink;
use super::measure;
use super::picture::Picture;
use super::region::{letter, region_ink, short};
use super::sheet::{MARGIN, Sheet};
use crate::spoken::{Spoken, plain};
use crate::{decision, words};

/// Where the cells begin and end, in px; to the right stands the key.
const LEFT: f64 = 150.0;
const RIGHT: f64 = 850.0;
const KEY_LEAST: f64 = 480.0;
/// A cell is at most this large, and at least as high as a line of text.
const CELL_MAX: f64 = 130.0;
const CELL_LOW: f64 = 22.0;
const CELL_HIGH: f64 = 54.0;
/// Room above the cells for the rows' path, and under them for the columns' values and path.
const HEAD: f64 = 26.0;
const FOOT: f64 = 46.0;
/// Height of the key's entry.
const ENTRY: f64 = 40.0;

/// The map of a scenario: a grid, or curves where it has one axis. `repeat` is the command that
/// draws it again.
pub fn map(map: &Map, base: &Scenario, repeat: &str) -> Picture {
    let anatomy = Anatomy::of(base);
    let [x, y] = [&map.x, &map.y].map(|axis| Spoken::of(&anatomy, &axis.path));
    let subject = &map.subject;
    let variant = subject.variant.iter().map(|variant| format!(", variant “{variant}”"));
    let of = format!("{}{}", subject.scenario, variant.collect::<String>());
    let summary = summary(map);
    let across = match map.y.is_none() {
        true => x.name.clone(),
        false => format!("{} across, {} down", x.name, y.name),
    };
    let seeds = words::counted(subject.id.seeds, "seed");
    let curves = map.y.is_none().then(|| Curves::new(map, &x, &base.promises()));
    let asked = !map.cells[0].summary.asked.is_empty();
    let finding = curves.as_ref().filter(|_| asked).and_then(Curves::finding);
    let harm = |is_graver| decision::along(map, [&x, &y], is_graver);
    let finding = finding.or_else(|| harm(true)).or_else(|| threshold(map, [&x, &y]));
    let finding = finding.or_else(|| harm(false));
    let sheet = Sheet::new(format!("map-{:016x}", id(map)), finding.as_ref().unwrap_or(&summary))
        .evidence(if finding.is_some() { &summary } else { "" })
        .subject(&format!("{of}, {seeds} per cell, {} each.", subject.horizon))
        .corner(&subject.id.to_string())
        .corner(&format!("repeat: {repeat}"))
        .describe(&format!("{of}: {across}. {summary}."));
    if let Some(curves) = curves {
        return sheet.picture(curves.height(), 1.0, |canvas, top| curves.draw(canvas, top));
    }
    let grid = Grid::new(map, [&x, &y]);
    sheet.picture(grid.height(), 1.0, |canvas, top| grid.draw(canvas, top))
}

fn id(map: &Map) -> u64 {
    let first = &map.subject.id.first;
    first.scenario_hash ^ first.overrides_hash.unwrap_or(0).rotate_left(1) ^ first.seed
}

/// Up to where a system is stable and from where on it is not, in the last row that has such a
/// threshold.
fn threshold(map: &Map, [across, down]: [&Spoken; 2]) -> Option<String> {
    let columns = map.x.values.len();
    let of_row = |row: usize| {
        let regions: Vec<_> = (0..columns).map(|x| map.cell(x, row).region).collect();
        let is_stable = |region: &Option<Region>| *region == Some(Region::Stable);
        let stable = regions.iter().take_while(|region| is_stable(region)).count();
        let rest = &regions[stable..];
        // Where it stays down for sure says more than where it is in doubt.
        let worst = [Region::Metastable, Region::Overloaded, Region::Vulnerable];
        let found = |region: &Region| rest.iter().position(|found| *found == Some(*region));
        let (first, region) = worst.iter().find_map(|region| Some((found(region)?, *region)))?;
        let is_threshold = stable > 0 && !rest.iter().any(is_stable);
        is_threshold.then_some((row, stable, stable + first, region))
    };
    let (row, stable, first, region) = (0..map.y.values.len()).rev().find_map(of_row)?;
    let (x, y) = (&map.x, &map.y);
    let with = match y.is_none() {
        true => "Stable".to_owned(),
        false => format!("With {}: stable", down.at(&y.values[row])),
    };
    Some(format!(
        "{with} up to {}, {} from {} on",
        across.at(&x.values[stable - 1]),
        region.name(),
        plain(&x.values[first])
    ))
}

/// How many cells lie in which region.
fn summary(map: &Map) -> String {
    let all = map.cells.len() as u64;
    let count = |region: Region| map.cells.iter().filter(|c| c.region == Some(region)).count();
    let found = Region::ALL.iter().filter(|region| count(**region) > 0);
    let parts: Vec<String> = found
        .map(|region| format!("{} {}", words::count(count(*region) as u64), region.name()))
        .collect();
    match &parts[..] {
        [] => format!("No cell of {all} was put to a test of recovery"),
        [one] => match one.split_once(' ') {
            Some((_, region)) if all == 1 => format!("The one cell is {region}"),
            Some((n, region)) if n == words::count(all) => format!("All {n} cells are {region}"),
            _ => format!("Of {} cells, {one}", words::count(all)),
        },
        _ => format!("Of {} cells, {}", words::count(all), parts.join(", ")),
    }
}

/// The cells on paper.
struct Grid<'a> {
    map: &'a Map,
    axes: [&'a Spoken; 2],
    wide: f64,
    high: f64,
}

impl<'a> Grid<'a> {
    fn new(map: &'a Map, axes: [&'a Spoken; 2]) -> Grid<'a> {
        let columns = map.x.values.len().max(1) as f64;
        let wide = ((RIGHT - LEFT) / columns).min(CELL_MAX);
        Grid { map, axes, wide, high: (wide * 0.62).clamp(CELL_LOW, CELL_HIGH) }
    }

    fn right(&self) -> f64 {
        LEFT + self.map.x.values.len() as f64 * self.wide
    }

    /// Where the key stands.
    fn key_x(&self) -> f64 {
        (self.right() + 30.0).max(KEY_LEAST)
    }

    fn bottom(&self) -> f64 {
        HEAD + self.map.y.values.len() as f64 * self.high
    }

    fn height(&self) -> f64 {
        let key = HEAD + self.key().len() as f64 * ENTRY;
        (self.bottom() + FOOT).max(key) + 10.0
    }

    /// The regions that occur.
    fn key(&self) -> Vec<Option<Region>> {
        let regions = Region::ALL.into_iter().map(Some).chain([None]);
        regions.filter(|region| self.map.cells.iter().any(|cell| cell.region == *region)).collect()
    }

    fn draw(&self, canvas: &Canvas, top: f64) -> Drawn {
        let (columns, rows) = (self.map.x.values.len(), self.map.y.values.len());
        let cells = top + HEAD;
        let place =
            |x: usize, y: usize| (LEFT + x as f64 * self.wide, cells + y as f64 * self.high);
        for (x, y) in (0..rows).flat_map(|y| (0..columns).map(move |x| (x, y))) {
            self.cell(canvas, self.map.cell(x, y), place(x, y))?;
        }
        let region = |x: usize, y: usize| self.map.cell(x, y).region;
        for (x, y) in (0..rows).flat_map(|y| (0..columns).map(move |x| (x, y))) {
            let ((left, up), (end, down)) = (place(x, y), place(x + 1, y + 1));
            if x + 1 < columns && region(x, y) != region(x + 1, y) {
                canvas.line((end, up), (end, down), Ink::Border)?;
            }
            if y + 1 < rows && region(x, y) != region(x, y + 1) {
                canvas.line((left, down), (end, down), Ink::Border)?;
            }
        }
        self.axes(canvas, top)?;
        self.draw_key(canvas, cells)
    }

    fn cell(&self, canvas: &Canvas, cell: &Cell, (left, top): (f64, f64)) -> Drawn {
        let (right, bottom) = (left + self.wide, top + self.high);
        canvas.rect(left..right, top..bottom, region_ink(cell.region))?;
        let (middle, room) = ((left + right) / 2.0, self.wide - 6.0);
        let fits = |text: &str, size: f64| measure::width(text, size) <= room;
        let number = number(cell);
        let bold = |size| Face { style: FontStyle::Bold, ..Face::new(size, Ink::Halo) };
        let centred = |face: Face| face.middle().aligned(HPos::Center);
        let name = cell.region.map_or("", Region::name);
        if fits(&number, bold(12.0).measured()) && self.high >= 32.0 {
            let names = [name, short(cell.region), letter(cell.region)];
            let name = names.into_iter().find(|name| fits(name, 9.5)).unwrap_or("");
            canvas.text(&number, middle, top + self.high / 2.0 - 7.0, centred(bold(12.0)))?;
            let small = centred(Face::new(9.5, Ink::Halo));
            return canvas.text(name, middle, top + self.high / 2.0 + 9.0, small);
        }
        let face = bold(10.0);
        let fits = |text: &str| fits(text, face.measured());
        let text = if fits(&number) { &number } else { letter(cell.region) };
        if fits(text) {
            canvas.text(text, middle, top + self.high / 2.0, centred(face))?;
        }
        Ok(())
    }

    fn axes(&self, canvas: &Canvas, top: f64) -> Drawn {
        let (map, cells, bottom) = (self.map, top + HEAD, top + self.bottom());
        let muted = Face::new(11.0, Ink::Muted);
        let stride = |need: f64, have: f64| (need / have).ceil().max(1.0) as usize;
        let widest = map.x.values.iter().map(|value| measure::width(plain(value), 11.0));
        let widest = widest.fold(0.0, f64::max).min(110.0) + 8.0;
        let each = stride(widest.min(self.wide.max(40.0)), self.wide);
        for (n, value) in map.x.values.iter().enumerate().step_by(each) {
            let x = LEFT + (n as f64 + 0.5) * self.wide;
            let text = measure::clip(plain(value), 11.0, self.wide * each as f64 - 4.0);
            canvas.text(text, x, bottom + 16.0, muted.aligned(HPos::Center))?;
        }
        let bold = Face { style: FontStyle::Bold, ..Face::new(12.0, Ink::Text) };
        let room = self.key_x() - MARGIN - LEFT;
        canvas.text(
            measure::clip(&format!("{} →", self.axes[0].name), bold.measured(), room),
            LEFT,
            bottom + 36.0,
            bold,
        )?;
        if !map.y.is_none() {
            let room = self.key_x() - 2.0 * MARGIN;
            let title = measure::clip(&format!("{} ↓", self.axes[1].name), bold.measured(), room);
            canvas.text(title, MARGIN, cells - 10.0, bold)?;
            for (n, value) in map.y.values.iter().enumerate() {
                let y = cells + (n as f64 + 0.5) * self.high;
                let text = measure::clip(plain(value), 11.0, LEFT - MARGIN - 10.0);
                canvas.text(text, LEFT - 8.0, y, muted.middle().aligned(HPos::Right))?;
            }
        }
        canvas.frame(LEFT..self.right(), cells..bottom, Ink::Frame)
    }

    fn draw_key(&self, canvas: &Canvas, top: f64) -> Drawn {
        let left = self.key_x();
        for (n, region) in self.key().into_iter().enumerate() {
            let y = top + n as f64 * ENTRY;
            canvas.rect(left..left + 26.0, y..y + 22.0, region_ink(region))?;
            let bold = Face { style: FontStyle::Bold, ..Face::new(11.0, Ink::Halo) };
            let centred = bold.middle().aligned(HPos::Center);
            canvas.text(letter(region), left + 13.0, y + 11.0, centred)?;
            let (name, meaning) = meaning(region);
            let bold = Face { style: FontStyle::Bold, ..Face::new(11.5, Ink::Text) };
            canvas.text(name, left + 34.0, y + 9.0, bold)?;
            canvas.text(meaning, left + 34.0, y + 23.0, Face::new(10.5, Ink::Muted))?;
        }
        Ok(())
    }
}

/// The name of a region in the key, and what its cells' numbers are.
fn meaning(region: Option<Region>) -> (&'static str, &'static str) {
    match region {
        Some(Region::Stable) => ("stable", "mean time to recover"),
        Some(Region::Vulnerable) => ("vulnerable", "runs that stayed down"),
        Some(Region::Metastable) => ("metastable", "runs that stayed down"),
        Some(Region::Overloaded) => ("overloaded", "intents that succeed"),
        Some(Region::Undecided) => ("undecided", "runs that end too soon"),
        None => ("no test of recovery", "intents that succeed"),
    }
}

/// The figure that matters most in a cell of its region.
fn number(cell: &Cell) -> String {
    let tally = cell.summary.recovery.clone().unwrap_or_default();
    let tested = tally.undisturbed + tally.recovered + tally.metastable + tally.undecided;
    let percent = |part: u64| {
        if tested == 0 {
            words::NONE.to_owned()
        } else {
            format!("{:.0} %", 100.0 * part as f64 / tested as f64)
        }
    };
    match cell.region {
        Some(Region::Stable) => match cell.recovery_time {
            Some(time) if time.mean > 0.0 => words::duration(Span::from_secs_f64(time.mean / 1e3)),
            _ => "0 s".to_owned(),
        },
        Some(Region::Vulnerable | Region::Metastable) => percent(tally.metastable),
        Some(Region::Undecided) => percent(tally.undecided),
        Some(Region::Overloaded) | None => match cell.success {
            Some(success) => format!("{:.0} %", 100.0 * success.mean),
            None => words::NONE.to_owned(),
        },
    }
}
