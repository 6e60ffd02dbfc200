//! Figures as PNG, for where SVG is not taken: on white paper, twice as large as their words say.
//!
//! The letters are those of DejaVu, which are compiled in: the same bytes come out wherever it runs.

use std::sync::Arc;

use resvg::tiny_skia::{Color, Pixmap, Transform};
use resvg::usvg::fontdb::{Database, Source};
use resvg::usvg::{Options, Tree};

/// A screen that shows words sharply has two pixels where a page has one.
const SCALE: f32 = 2.0;

/// An SVG document of [`crate::chart`] as PNG.
///
/// # Panics
/// When it is no SVG document.
pub fn png(document: &str) -> Vec<u8> {
    draw(document, fonts())
}

fn draw(document: &str, fonts: Database) -> Vec<u8> {
    let options = Options { fontdb: Arc::new(fonts), ..Options::default() };
    let tree = Tree::from_str(document, &options).expect("a figure is SVG");
    let pixels = |length: f32| (length * SCALE).ceil().max(1.0) as u32;
    let (width, height) = (pixels(tree.size().width()), pixels(tree.size().height()));
    let mut paper = Pixmap::new(width, height).expect("a figure fits into memory");
    paper.fill(Color::WHITE);
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut paper.as_mut());
    paper.encode_png().expect("pixels are a PNG")
}

fn fonts() -> Database {
    let mut fonts = Database::new();
    let all = [
        dejavu::sans::regular(),
        dejavu::sans::bold(),
        dejavu::sans::oblique(),
        dejavu::sans_mono::regular(),
    ];
    for font in all {
        fonts.load_font_source(Source::Binary(Arc::new(font)));
    }
    fonts.set_sans_serif_family("DejaVu Sans");
    fonts.set_monospace_family("DejaVu Sans Mono");
    fonts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{chart, samples};

    #[test]
    fn a_figure_is_the_same_png_again_and_has_its_words() {
        let document = chart::timeline(&samples::outage(), "sim run x.ron").document();
        let image = png(&document);
        assert!(image.starts_with(b"\x89PNG\r\n\x1a\n"));
        let width = u32::from_be_bytes(image[16..20].try_into().expect("four bytes"));
        assert_eq!(width, 2200, "twice that of a figure");
        assert_eq!(image, png(&document));
        let mute = draw(&document, Database::new());
        assert!(mute.len() < image.len() / 2, "{} bytes without words", mute.len());
    }
}
