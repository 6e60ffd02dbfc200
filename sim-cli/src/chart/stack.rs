//! Panels below each other over one axis of virtual time.

use plotters::style::FontStyle;
use plotters::style::text_anchor::HPos;
use sim_core::Time;

use super::axis;
use super::bands::BandPanel;
use super::canvas::{Canvas, Drawn, Face, LEFT, RIGHT, WIDTH};
use super::ink::Ink;
use super::lanes::LanePanel;
use super::lines::LinePanel;
use super::measure;
use super::shares::SharePanel;
use super::sheet::MARGIN;
use super::strips::StripPanel;

/// Room for a panel's title above its plot, and between two panels, in px.
pub const TITLE: f64 = 28.0;
pub const GAP: f64 = 12.0;

/// One panel.
pub enum Panel {
    Lanes(LanePanel),
    Lines(LinePanel),
    Bands(BandPanel),
    Shares(SharePanel),
    Strips(StripPanel),
}

/// Panels over the time from zero to an end.
pub struct Stack {
    /// The end of the time axis.
    pub end: Time,
    /// From top to bottom.
    pub panels: Vec<Panel>,
}

impl Stack {
    /// Height in px, with the time axis.
    pub fn height(&self) -> f64 {
        let panels: f64 = self.panels.iter().map(|p| TITLE + p.height() + GAP).sum();
        panels + if self.panels.is_empty() { 30.0 } else { 26.0 }
    }

    /// The panels' titles, for readers who do not see them.
    pub fn titles(&self) -> String {
        let titles: Vec<String> = self.panels.iter().map(Panel::title).collect();
        if titles.is_empty() { "none".to_owned() } else { titles.join("; ") }
    }

    /// Draws all of it with its upper edge at `top`.
    pub fn draw(&self, canvas: &Canvas, top: f64) -> Drawn {
        let mut y = top;
        if self.panels.is_empty() {
            let face = Face::new(13.0, Ink::Muted);
            return canvas.text("Nothing happened in this run.", MARGIN, y + 18.0, face);
        }
        let panels: f64 = self.panels.iter().map(|p| TITLE + p.height() + GAP).sum();
        let bottom = top + panels - GAP;
        time_axis(canvas, self.end, y + TITLE, bottom)?;
        for panel in &self.panels {
            if let Panel::Lanes(lanes) = panel {
                lanes.behind(canvas, top + TITLE, bottom)?;
            }
        }
        for panel in &self.panels {
            title(canvas, &panel.title(), y)?;
            y += TITLE;
            panel.draw(canvas, y)?;
            y += panel.height() + GAP;
        }
        Ok(())
    }
}

/// A panel's title in the room above its plot.
pub fn title(canvas: &Canvas, text: &str, top: f64) -> Drawn {
    let bold = Face { style: FontStyle::Bold, ..Face::new(12.0, Ink::Halo) };
    let text = measure::clip(text, bold.measured(), WIDTH - 2.0 * MARGIN);
    canvas.text(text, MARGIN, top + TITLE - 12.0, bold)
}

impl Panel {
    fn title(&self) -> String {
        match self {
            Panel::Lanes(panel) => panel.title(),
            Panel::Lines(panel) => panel.title.clone(),
            Panel::Bands(panel) => panel.title(),
            Panel::Shares(panel) => panel.title.clone(),
            Panel::Strips(panel) => panel.title(),
        }
    }

    fn height(&self) -> f64 {
        match self {
            Panel::Lanes(panel) => panel.height(),
            Panel::Lines(panel) => panel.height,
            Panel::Bands(panel) => panel.height(),
            Panel::Shares(panel) => panel.height,
            Panel::Strips(panel) => panel.height(),
        }
    }

    fn draw(&self, canvas: &Canvas, top: f64) -> Drawn {
        match self {
            Panel::Lanes(panel) => panel.draw(canvas, top),
            Panel::Lines(panel) => panel.draw(canvas, top),
            Panel::Bands(panel) => panel.draw(canvas, top),
            Panel::Shares(panel) => panel.draw(canvas, top),
            Panel::Strips(panel) => panel.draw(canvas, top),
        }
    }
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
