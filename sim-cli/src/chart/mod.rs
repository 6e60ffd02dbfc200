//! The timeline of a run as one SVG: load and result, latency, queues, breakers, faults and
//! violations over one axis of virtual time.
//!
//! The file is a pure function of the outcome: no clock, no font, no platform mathematics. It
//! is readable without colour and follows the reader's light or dark preference. Panels without
//! content are left out.

mod axis;
mod backend;
mod bands;
mod canvas;
mod ink;
mod lanes;
mod lines;
mod measure;

use plotters::style::text_anchor::HPos;
use plotters::style::{FontFamily, FontStyle};
use sim_core::Time;
use sim_models::outcome::Outcome;

use crate::{finding, words};
use bands::BandPanel;
use canvas::{Canvas, Drawn, Face, LEFT, RIGHT, WIDTH};
use ink::Ink;
use lanes::LanePanel;
use lines::LinePanel;

/// Room for a panel's title above its plot, and between two panels, in px.
const TITLE: f64 = 28.0;
const GAP: f64 = 12.0;
/// Left edge of the header and the titles.
const MARGIN: f64 = 20.0;

/// The timeline of a run as a complete SVG document. `repeat` is the command that repeats the
/// run; it stands in the corner together with the run's id.
pub fn timeline(outcome: &Outcome, repeat: &str) -> String {
    Figure::new(outcome, repeat).svg().expect("writing to a string succeeds")
}

/// A line of the header or the footer: its text, its face, and how far below the last one it is.
type Line = (String, Face, f64);

enum Panel {
    Lanes(LanePanel),
    Lines(LinePanel),
    Bands(BandPanel),
}

struct Figure<'a> {
    outcome: &'a Outcome,
    /// The end of the time axis.
    end: Time,
    header: Vec<Line>,
    panels: Vec<Panel>,
    footer: Vec<Line>,
}

impl<'a> Figure<'a> {
    fn new(outcome: &'a Outcome, repeat: &str) -> Figure<'a> {
        let end = end(outcome);
        // Lanes need to know where times lie before the sheet's height is known.
        let sheet = &mut String::new();
        let canvas = Canvas::new(sheet, 0.0, end.as_secs_f64());
        let series = &outcome.series;
        let timed = (!series.width.is_zero()).then_some(series);
        let panels = [
            lanes::faults(&outcome.faults, &canvas).map(Panel::Lanes),
            outcome.recovery.as_ref().and_then(|r| lanes::recovery(r, &canvas)).map(Panel::Lanes),
            timed.and_then(lines::rates).map(Panel::Lines),
            timed.and_then(lines::latencies).map(Panel::Lines),
            timed.and_then(lines::queues).map(Panel::Lines),
            bands::breakers(&outcome.transitions).map(Panel::Bands),
            lanes::broken(&outcome.invariants, &canvas).map(Panel::Lanes),
        ];
        drop(canvas);
        Figure {
            outcome,
            end,
            header: header(outcome),
            panels: panels.into_iter().flatten().collect(),
            footer: footer(outcome, repeat),
        }
    }

    fn svg(&self) -> Result<String, impl std::fmt::Debug> {
        let advance = |lines: &[Line]| lines.iter().map(|line| line.2).sum::<f64>();
        let top = advance(&self.header) + GAP;
        let panels: f64 = self.panels.iter().map(|p| TITLE + p.height() + GAP).sum();
        let axis = if self.panels.is_empty() { 30.0 } else { 26.0 };
        let height = top + panels + axis + advance(&self.footer) + 16.0;

        let id = format!("sim-{:016x}", self.outcome.digest);
        let mut svg = self.opening(&id, height);
        let canvas = Canvas::new(&mut svg, height, self.end.as_secs_f64());
        let drawn = self.draw(&canvas, top, top + panels - GAP, axis, height);
        drop(canvas);
        svg += "</svg>\n";
        drawn.map(|()| svg)
    }

    fn opening(&self, id: &str, height: f64) -> String {
        let title = backend::escape(&finding::headline(self.outcome));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" id=\"{id}\" role=\"img\" \
             aria-labelledby=\"{id}-title {id}-desc\" width=\"{WIDTH}\" height=\"{height}\" \
             viewBox=\"0 0 {WIDTH} {height}\" \
             font-family=\"system-ui,'Segoe UI','Helvetica Neue','DejaVu Sans',sans-serif\">\n\
             <title id=\"{id}-title\">{title}</title>\n<desc id=\"{id}-desc\">{}</desc>\n{}",
            backend::escape(&self.description()),
            ink::style(id)
        )
    }

    /// The figure in words, for readers who do not see it.
    fn description(&self) -> String {
        let panels: Vec<String> = self.panels.iter().map(Panel::title).collect();
        format!(
            "{} {}. Panels over {} of virtual time: {}.",
            subtitle(self.outcome),
            finding::evidence(self.outcome),
            self.end,
            if panels.is_empty() { "none".to_owned() } else { panels.join("; ") }
        )
    }

    fn draw(&self, canvas: &Canvas, top: f64, bottom: f64, axis: f64, height: f64) -> Drawn {
        canvas.rect(0.0..WIDTH, 0.0..height, Ink::Paper)?;
        set(canvas, &self.header, 0.0)?;
        let mut y = top;
        if self.panels.is_empty() {
            canvas.text(
                "Nothing happened in this run.",
                MARGIN,
                y + 18.0,
                Face::new(13.0, Ink::Muted),
            )?;
        } else {
            time_axis(canvas, self.end, y + TITLE, bottom)?;
            for panel in &self.panels {
                if let Panel::Lanes(lanes) = panel {
                    lanes.behind(canvas, top + TITLE, bottom)?;
                }
            }
        }
        for panel in &self.panels {
            let bold = Face { style: FontStyle::Bold, ..Face::new(12.0, Ink::Halo) };
            canvas.text(panel.title(), MARGIN, y + TITLE - 12.0, bold)?;
            y += TITLE;
            panel.draw(canvas, y)?;
            y += panel.height() + GAP;
        }
        let footer = y + axis;
        set(canvas, &self.footer, footer)
    }
}

impl Panel {
    fn title(&self) -> String {
        match self {
            Panel::Lanes(panel) => panel.title(),
            Panel::Lines(panel) => panel.title.clone(),
            Panel::Bands(panel) => panel.title(),
        }
    }

    fn height(&self) -> f64 {
        match self {
            Panel::Lanes(panel) => panel.height(),
            Panel::Lines(panel) => panel.height,
            Panel::Bands(panel) => panel.height(),
        }
    }

    fn draw(&self, canvas: &Canvas, top: f64) -> Drawn {
        match self {
            Panel::Lanes(panel) => panel.draw(canvas, top),
            Panel::Lines(panel) => panel.draw(canvas, top),
            Panel::Bands(panel) => panel.draw(canvas, top),
        }
    }
}

/// The end of the time axis: that of the run, or of what is known if the run had none.
fn end(outcome: &Outcome) -> Time {
    let series = &outcome.series;
    let mut end = Time::ZERO + series.width * series.len() as u64;
    if outcome.ended_at < Time::MAX {
        end = if outcome.ended_at > Time::ZERO { outcome.ended_at } else { end };
    } else {
        let faults = outcome.faults.iter().flat_map(|fault| [fault.from, fault.to]);
        let transitions = outcome.transitions.iter().map(|transition| transition.at);
        let violations =
            outcome.invariants.iter().filter_map(|result| Some(result.first.as_ref()?.at));
        let known = faults.chain(transitions).chain(violations).filter(|at| *at < Time::MAX);
        end = end.max(known.max().unwrap_or(Time::ZERO));
    }
    // An axis needs a length, even where no time has passed.
    if end == Time::ZERO { Time::from_nanos(1_000_000_000) } else { end }
}

fn header(outcome: &Outcome) -> Vec<Line> {
    let room = WIDTH - 2.0 * MARGIN;
    let mut lines = Vec::new();
    let mut set = |text: &str, lines_max: usize, face: Face, first: f64, next: f64| {
        for (i, line) in measure::wrap(text, face.size, room, lines_max).into_iter().enumerate() {
            lines.push((line, face, if i == 0 { first } else { next }));
        }
    };
    let bold = Face { style: FontStyle::Bold, ..Face::new(18.0, Ink::Text) };
    set(&finding::headline(outcome), 2, bold, 34.0, 23.0);
    set(&finding::evidence(outcome), 3, Face::new(13.0, Ink::Text), 21.0, 17.0);
    let italic = Face { style: FontStyle::Italic, ..Face::new(12.0, Ink::Muted) };
    set(&subtitle(outcome), 2, Face::new(12.0, Ink::Muted), 20.0, 16.0);
    if !outcome.hypothesis.is_empty() {
        set(&format!("Expected: {}", outcome.hypothesis), 2, italic, 17.0, 16.0);
    }
    lines
}

fn subtitle(outcome: &Outcome) -> String {
    let variant = match &outcome.variant {
        Some(variant) => format!(", variant “{variant}”"),
        None => String::new(),
    };
    let about = if outcome.about.is_empty() { "" } else { &format!(" {}", outcome.about) };
    format!("{}{variant}: {}.{about}", outcome.scenario, outcome.verdict)
}

fn footer(outcome: &Outcome, repeat: &str) -> Vec<Line> {
    let face = Face { family: FontFamily::Monospace, ..Face::new(10.5, Ink::Muted) };
    let identity = format!("{} · digest {:016x}", outcome.run_id, outcome.digest);
    let ended = format!("{} steps, ended at {}", words::count(outcome.steps), outcome.ended_at);
    let room = WIDTH - 2.0 * MARGIN;
    [format!("{identity} · {ended}"), format!("repeat: {repeat}")]
        .iter()
        .flat_map(|text| measure::wrap(text, face.size, room, usize::MAX))
        .map(|line| (line, face, 15.0))
        .collect()
}

/// Sets lines below each other from `y` on.
fn set(canvas: &Canvas, lines: &[Line], mut y: f64) -> Drawn {
    for (text, face, advance) in lines {
        y += advance;
        canvas.text(text, MARGIN, y, *face)?;
    }
    Ok(())
}

/// The time axis under the last panel, with its grid behind all panels.
fn time_axis(canvas: &Canvas, end: Time, top: f64, bottom: f64) -> Drawn {
    for (seconds, label) in axis::time_ticks(end) {
        let x = canvas.x(seconds);
        canvas.line((x, top), (x, bottom), Ink::Grid)?;
        canvas.line((x, bottom), (x, bottom + 5.0), Ink::Axis)?;
        let face = Face::new(11.0, Ink::Muted).aligned(HPos::Center);
        canvas.text(label, x, bottom + 18.0, face)?;
    }
    canvas.line((LEFT, bottom), (RIGHT, bottom), Ink::Axis)?;
    canvas.text("virtual time", RIGHT + 40.0, bottom + 18.0, Face::new(11.0, Ink::Muted))
}

#[cfg(test)]
mod tests;
