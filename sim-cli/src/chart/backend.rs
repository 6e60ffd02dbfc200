//! A plotters backend that writes SVG to a tenth of a pixel, with CSS classes for colours.
//!
//! Plotters knows whole pixels only, so its pixels are tenths here. Its own SVG backend has
//! neither classes nor dashes, and passes control characters on, which no XML parser accepts.

use std::convert::Infallible;

use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
    FontFamily, FontStyle,
};

use super::ink::Ink;

/// Backend units per pixel.
pub const UNITS: f64 = 10.0;

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

/// Appends SVG elements to a string. Elements are painted in the order in which they are drawn.
pub struct Svg<'a> {
    out: &'a mut String,
    size: (u32, u32),
}

impl<'a> Svg<'a> {
    /// A canvas of `width × height` px that appends to `out`.
    pub fn new(out: &'a mut String, width: f64, height: f64) -> Svg<'a> {
        Svg { out, size: ((width * UNITS) as u32, (height * UNITS) as u32) }
    }

    fn shape(&mut self, points: impl IntoIterator<Item = BackendCoord>, color: BackendColor) {
        *self.out += "<path class=\"";
        *self.out += Ink::of(color).class();
        *self.out += "\" d=\"";
        let mut last: Option<BackendCoord> = None;
        for (x, y) in points {
            // Series are drawn in steps, so that most moves are along one axis.
            *self.out += &match last {
                None => format!("M{} {}", px(x), px(y)),
                Some(last) if last == (x, y) => continue,
                Some((_, last_y)) if last_y == y => format!("H{}", px(x)),
                Some((last_x, _)) if last_x == x => format!("V{}", px(y)),
                Some(_) => format!("L{} {}", px(x), px(y)),
            };
            last = Some((x, y));
        }
    }
}

impl DrawingBackend for Svg<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Drawn {
        self.draw_rect((x, y), (x + 1, y + 1), &color, true)
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Drawn {
        self.draw_path([from, to], style)
    }

    /// Whether a rectangle is filled is its ink's affair.
    fn draw_rect<S: BackendStyle>(
        &mut self,
        upper_left: BackendCoord,
        bottom_right: BackendCoord,
        style: &S,
        _fill: bool,
    ) -> Drawn {
        *self.out += &format!(
            "<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>\n",
            Ink::of(style.color()).class(),
            px(upper_left.0),
            px(upper_left.1),
            px(bottom_right.0 - upper_left.0),
            px(bottom_right.1 - upper_left.1)
        );
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        self.shape(path, style.color());
        *self.out += "\"/>\n";
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        vert: I,
        style: &S,
    ) -> Drawn {
        self.shape(vert, style.color());
        *self.out += "Z\"/>\n";
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &S,
        (x, y): BackendCoord,
    ) -> Drawn {
        let anchor = match style.anchor().h_pos {
            HPos::Left => "",
            HPos::Center => " text-anchor=\"middle\"",
            HPos::Right => " text-anchor=\"end\"",
        };
        // The heights of capitals; `dominant-baseline` is not drawn alike everywhere.
        let drop = match style.anchor().v_pos {
            VPos::Top => " dy=\".72em\"",
            VPos::Center => " dy=\".36em\"",
            VPos::Bottom => "",
        };
        let weight = match style.style() {
            FontStyle::Bold => " font-weight=\"600\"",
            FontStyle::Italic | FontStyle::Oblique => " font-style=\"italic\"",
            FontStyle::Normal => "",
        };
        let family = match style.family() {
            FontFamily::Monospace => " font-family=\"ui-monospace,'DejaVu Sans Mono',monospace\"",
            _ => "",
        };
        *self.out += &format!(
            "<text class=\"{}\" x=\"{}\" y=\"{}\" font-size=\"{}\"{anchor}{drop}{weight}{family}>\
             {}</text>\n",
            Ink::of(style.color()).class(),
            px(x),
            px(y),
            style.size() / UNITS,
            escape(text)
        );
        Ok(())
    }
}

/// Tenths as pixels: `12.3`, `-0.4`, `7`.
fn px(tenths: i32) -> String {
    let sign = if tenths < 0 { "-" } else { "" };
    let tenths = tenths.unsigned_abs();
    match tenths % 10 {
        0 => format!("{sign}{}", tenths / 10),
        tenth => format!("{sign}{}.{tenth}", tenths / 10),
    }
}

/// `text` as XML character data or attribute value. What XML cannot hold becomes U+FFFD.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\t' | '\n' | '\r' => escaped.push(' '),
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => {
                escaped.push('\u{fffd}');
            }
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenths_print_shortest() {
        assert_eq!([0, 5, 10, 123, -4, -20].map(px), ["0", "0.5", "1", "12.3", "-0.4", "-2"]);
    }

    #[test]
    fn text_is_safe_in_xml() {
        assert_eq!(
            escape("a<b & \"c\"\n\u{1b}[0m\0"),
            "a&lt;b &amp; &quot;c&quot; \u{fffd}[0m\u{fffd}"
        );
    }
}
