//! The sheet that panels draw on: one time axis, in seconds, and whole figures in pixels.

use std::ops::Range;

use plotters::coord::types::RangedCoordf64;
use plotters::coord::{Shift, cartesian::Cartesian2d};
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::{PathElement, Polygon, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontDesc, FontFamily, FontStyle, TextStyle};

use super::backend::{Svg, UNITS};
use super::ink::Ink;
use super::measure;

/// Width of every figure in px: a page of a design review at full width.
pub const WIDTH: f64 = 1100.0;
/// Where time zero lies.
pub const LEFT: f64 = 72.0;
/// Where the end of the run lies; the rest is room for direct labels.
pub const RIGHT: f64 = 900.0;
/// Pixel columns of the time axis: what has more windows than that is drawn by column, which looks the
/// same and keeps the file small.
pub const COLUMNS: usize = (RIGHT - LEFT) as usize;

/// Size of a direct label, in px.
pub const LABEL_SIZE: f64 = 11.5;
/// Height of its line, in px.
pub const LABEL: f64 = 15.0;

/// Drawing into a string cannot fail, but plotters cannot know.
pub type Drawn = Result<(), DrawingAreaErrorKind<std::convert::Infallible>>;
/// An area whose points are (seconds, value).
pub type Plot<'a> = DrawingArea<Svg<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// How a text is set.
#[derive(Clone, Copy)]
pub struct Face {
    /// Height in px.
    pub size: f64,
    /// Colour, and whether a halo keeps the text readable over data.
    pub ink: Ink,
    /// Upright, bold or italic.
    pub style: FontStyle,
    /// Proportional, or monospace for what is copied.
    pub family: FontFamily<'static>,
    /// Which end of the text stands at the given point.
    pub h: HPos,
    /// `Bottom` is the baseline.
    pub v: VPos,
}

impl Face {
    /// Left-aligned on its baseline.
    pub const fn new(size: f64, ink: Ink) -> Face {
        Face {
            size,
            ink,
            style: FontStyle::Normal,
            family: FontFamily::SansSerif,
            h: HPos::Left,
            v: VPos::Bottom,
        }
    }

    /// The size, in px, at which an ordinary face is as wide as this one.
    pub const fn measured(&self) -> f64 {
        match self.style {
            FontStyle::Bold => self.size * measure::BOLD,
            _ => self.size,
        }
    }

    /// The same face with its vertical middle at the given point.
    pub const fn middle(self) -> Face {
        Face { v: VPos::Center, ..self }
    }

    /// The same face, aligned as given.
    pub const fn aligned(self, h: HPos) -> Face {
        Face { h, ..self }
    }
}

/// A figure under construction.
pub struct Canvas<'a> {
    root: DrawingArea<Svg<'a>, Shift>,
    /// The end of the time axis, in seconds; above zero.
    pub end: f64,
}

impl<'a> Canvas<'a> {
    /// A sheet of `height` px that appends to `out`.
    pub fn new(out: &'a mut String, height: f64, end: f64) -> Canvas<'a> {
        Canvas { root: Svg::new(out, WIDTH, height).into_drawing_area(), end }
    }

    /// Where `seconds` lies, in px; times outside the run go to its edge.
    pub fn x(&self, seconds: f64) -> f64 {
        LEFT + (seconds / self.end).clamp(0.0, 1.0) * (RIGHT - LEFT)
    }

    /// An area over the time axis between two heights. Points outside are drawn on its edge.
    pub fn plot(&self, top: f64, bottom: f64, values: Range<f64>) -> Plot<'a> {
        let x = units(LEFT)..units(RIGHT);
        let y = units(bottom)..units(top);
        self.root.apply_coord_spec(Cartesian2d::new(0.0..self.end, values, (x, y)))
    }

    /// Text at a point in px.
    pub fn text(&self, text: impl Into<String>, x: f64, y: f64, face: Face) -> Drawn {
        let font = FontDesc::new(face.family, face.size * UNITS, face.style);
        let style = TextStyle::from(font).color(&face.ink).pos(Pos::new(face.h, face.v));
        self.root.draw(&Text::new(text.into(), point(x, y), style))
    }

    /// A straight line in px.
    pub fn line(&self, from: (f64, f64), to: (f64, f64), ink: Ink) -> Drawn {
        self.root.draw(&PathElement::new([point(from.0, from.1), point(to.0, to.1)], ink))
    }

    /// Straight lines from point to point in px.
    pub fn path(&self, points: impl IntoIterator<Item = (f64, f64)>, ink: Ink) -> Drawn {
        let points: Vec<_> = points.into_iter().map(|(x, y)| point(x, y)).collect();
        self.root.draw(&PathElement::new(points, ink))
    }

    /// The outline of a rectangle in px.
    pub fn frame(&self, x: Range<f64>, y: Range<f64>, ink: Ink) -> Drawn {
        let (left, right, top, bottom) = (x.start, x.end, y.start, y.end);
        let corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)];
        self.path(corners, ink)
    }

    /// A horizontal interval in px, with its ends marked.
    pub fn whisker(&self, (from, to): (f64, f64), y: f64, ink: Ink) -> Drawn {
        self.line((from, y), (to, y), ink)?;
        self.line((from, y - 3.5), (from, y + 3.5), ink)?;
        self.line((to, y - 3.5), (to, y + 3.5), ink)
    }

    /// The same upright.
    pub fn upright(&self, (from, to): (f64, f64), x: f64, ink: Ink) -> Drawn {
        self.line((x, from), (x, to), ink)?;
        self.line((x - 3.5, from), (x + 3.5, from), ink)?;
        self.line((x - 3.5, to), (x + 3.5, to), ink)
    }

    /// An area in px within corners.
    pub fn area(&self, corners: impl IntoIterator<Item = (f64, f64)>, ink: Ink) -> Drawn {
        let corners: Vec<_> = corners.into_iter().map(|(x, y)| point(x, y)).collect();
        self.root.draw(&Polygon::new(corners, ink))
    }

    /// A diamond in px around a point.
    pub fn dot(&self, x: f64, y: f64, ink: Ink) -> Drawn {
        let r = 4.5;
        let corners = [point(x, y - r), point(x + r, y), point(x, y + r), point(x - r, y)];
        self.root.draw(&Polygon::new(corners, ink))
    }

    /// A rectangle in px.
    pub fn rect(&self, x: Range<f64>, y: Range<f64>, ink: Ink) -> Drawn {
        self.root
            .draw(&Rectangle::new([point(x.start, y.start), point(x.end, y.end)], ink.filled()))
    }

    /// A triangle in px whose tip points up at `(x, y)`.
    pub fn marker(&self, x: f64, y: f64, ink: Ink) -> Drawn {
        self.root.draw(&Polygon::new(
            [point(x, y), point(x - 4.5, y + 8.0), point(x + 4.5, y + 8.0)],
            ink,
        ))
    }
}

fn units(px: f64) -> i32 {
    (px * UNITS + 0.5) as i32
}

fn point(x: f64, y: f64) -> (i32, i32) {
    (units(x), units(y))
}
