//! The paper around a figure: its finding as a title, what it is of, and in the corner its id and
//! the command that repeats it.

use plotters::style::{FontFamily, FontStyle};

use super::canvas::{Canvas, Drawn, Face, WIDTH};
use super::ink::Ink;
use super::measure;
use super::picture::Picture;

/// Left edge of the header, the titles and the footer, in px.
pub const MARGIN: f64 = 20.0;
/// Room between the header and the body, in px.
const GAP: f64 = 12.0;

/// A line of the header or the footer: its text, its face, and how far below the last one it is.
type Line = (String, Face, f64);

/// A figure's paper.
pub struct Sheet {
    id: String,
    title: String,
    description: String,
    header: Vec<Line>,
    footer: Vec<Line>,
}

impl Sheet {
    /// A sheet with its finding as a title. `id` is that of the SVG element.
    pub fn new(id: String, title: &str) -> Sheet {
        let (header, footer) = (Vec::new(), Vec::new());
        let mut sheet =
            Sheet { id, title: title.to_owned(), description: String::new(), header, footer };
        let bold = Face { style: FontStyle::Bold, ..Face::new(18.0, Ink::Text) };
        sheet.set(title, 2, bold, (34.0, 23.0));
        sheet
    }

    /// The sentence under the title.
    pub fn evidence(mut self, text: &str) -> Sheet {
        self.set(text, 3, Face::new(13.0, Ink::Text), (21.0, 17.0));
        self
    }

    /// What the figure is of.
    pub fn subject(mut self, text: &str) -> Sheet {
        self.set(text, 2, Face::new(12.0, Ink::Muted), (20.0, 16.0));
        self
    }

    /// What somebody expected.
    pub fn remark(mut self, text: &str) -> Sheet {
        let italic = Face { style: FontStyle::Italic, ..Face::new(12.0, Ink::Muted) };
        self.set(text, 2, italic, (17.0, 16.0));
        self
    }

    /// Adds to the figure in words, for readers who do not see it.
    pub fn describe(mut self, text: &str) -> Sheet {
        self.description += text;
        self
    }

    /// A line of the footer.
    pub fn corner(mut self, text: &str) -> Sheet {
        let face = Face { family: FontFamily::Monospace, ..Face::new(10.5, Ink::Muted) };
        let lines = measure::wrap_monospace(text, face.size, WIDTH - 2.0 * MARGIN);
        self.footer.extend(lines.into_iter().map(|line| (line, face, 15.0)));
        self
    }

    fn set(&mut self, text: &str, lines_max: usize, face: Face, (first, next): (f64, f64)) {
        let lines = measure::wrap(text, face.measured(), WIDTH - 2.0 * MARGIN, lines_max);
        for (i, line) in lines.into_iter().enumerate() {
            self.header.push((line, face, if i == 0 { first } else { next }));
        }
    }

    /// The picture around a body of `height` px that `draw` draws from a height on. `end` is that
    /// of the time axis, in seconds.
    pub fn picture(
        &self,
        height: f64,
        end: f64,
        draw: impl FnOnce(&Canvas<'_>, f64) -> Drawn,
    ) -> Picture {
        let advance = |lines: &[Line]| lines.iter().map(|line| line.2).sum::<f64>();
        let top = advance(&self.header) + GAP;
        let whole = top + height + advance(&self.footer) + 16.0;
        let mut body = String::new();
        let canvas = Canvas::new(&mut body, whole, end);
        let drawn = canvas
            .rect(0.0..WIDTH, 0.0..whole, Ink::Paper)
            .and_then(|()| set(&canvas, &self.header, 0.0))
            .and_then(|()| draw(&canvas, top))
            .and_then(|()| set(&canvas, &self.footer, top + height));
        drop(canvas);
        drawn.expect("writing to a string succeeds");
        Picture {
            id: self.id.clone(),
            title: self.title.clone(),
            description: self.description.clone(),
            height: whole,
            body,
        }
    }
}

/// Sets lines below each other from `y` on.
fn set(canvas: &Canvas, lines: &[Line], mut y: f64) -> Drawn {
    for (text, face, advance) in lines {
        y += advance;
        canvas.text(text, MARGIN, y, *face)?;
    }
    Ok(())
}
