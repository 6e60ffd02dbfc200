//! A text made of pieces of others, each of which remembers where it was written.
//!
//! The file is the first source; each override from the command line adds one. A mistake found
//! anywhere in the resulting text is reported in the source that holds it.

use std::ops::Range;

use super::tree::Fault;
use super::{Place, SourceError, Spot};

/// The pieces, in the order of the resulting text.
#[derive(Clone, Debug)]
pub(super) struct Patchwork {
    sources: Vec<Source>,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
struct Source {
    label: String,
    text: String,
}

/// A place in one of the sources.
#[derive(Clone, Debug)]
pub(super) struct Site {
    source: usize,
    range: Range<usize>,
}

/// Either the text at a site, or glue: a text that nobody wrote and that the site needs.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    site: Site,
    glue: Option<String>,
}

impl Piece {
    /// The text at `site`.
    pub fn verbatim(site: Site) -> Self {
        Piece { site, glue: None }
    }

    /// `text`, whose mistakes are shown at `site`.
    pub fn glue(text: impl Into<String>, site: Site) -> Self {
        Piece { site, glue: Some(text.into()) }
    }

    /// Divides a piece; both halves of glue belong to the whole site.
    fn split(mut self, at: usize) -> [Piece; 2] {
        let mut tail = self.clone();
        match (&mut self.glue, &mut tail.glue) {
            (Some(head), Some(tail)) => *tail = head.split_off(at),
            _ => {
                let middle = self.site.range.start + at;
                self.site.range.end = middle;
                tail.site.range.start = middle;
            }
        }
        [self, tail]
    }
}

impl Patchwork {
    /// The file as it was written.
    pub fn new(label: &str, text: &str) -> Self {
        let mut patches = Patchwork { sources: Vec::new(), pieces: Vec::new() };
        let whole = patches.add(label, text);
        patches.pieces.push(Piece::verbatim(whole));
        patches
    }

    /// Adds a source that pieces may then come from; returns all of it.
    pub fn add(&mut self, label: &str, text: &str) -> Site {
        self.sources.push(Source { label: label.to_owned(), text: text.to_owned() });
        Site { source: self.sources.len() - 1, range: 0..text.len() }
    }

    /// A part of a site, by offsets within it.
    pub fn part(site: &Site, part: Range<usize>) -> Site {
        let start = site.range.start;
        Site { source: site.source, range: start + part.start..start + part.end }
    }

    /// The resulting text.
    pub fn text(&self) -> String {
        self.pieces.iter().map(|piece| self.written(piece)).collect()
    }

    /// Puts `new` in the place of a span of the resulting text.
    pub fn replace(&mut self, span: Range<usize>, new: impl IntoIterator<Item = Piece>) {
        let start = self.cut(span.start);
        let end = self.cut(span.end);
        let new = new.into_iter().filter(|piece| piece.glue.as_deref() != Some(""));
        self.pieces.splice(start..end, new);
    }

    /// The pieces that a span of the resulting text consists of.
    pub fn copy(&self, span: Range<usize>) -> Vec<Piece> {
        let mut scratch = self.clone();
        let start = scratch.cut(span.start);
        let end = scratch.cut(span.end);
        scratch.pieces.drain(start..end).collect()
    }

    /// Where a span of the resulting text was written.
    ///
    /// When it begins in one source and ends in another, the first one's share is meant.
    pub fn site(&self, span: Range<usize>) -> Site {
        let mut found: Option<Site> = None;
        let mut start = 0;
        for piece in &self.pieces {
            let end = start + self.written(piece).len();
            let is_last = end >= span.end;
            if span.start < end || (is_last && found.is_none()) {
                let range = match piece.glue {
                    Some(_) => piece.site.range.clone(),
                    None => {
                        let within = |offset: usize| {
                            piece.site.range.start + offset.clamp(start, end) - start
                        };
                        within(span.start)..within(span.end)
                    }
                };
                match &mut found {
                    None => found = Some(Site { source: piece.site.source, range }),
                    Some(first) if first.source == piece.site.source => {
                        first.range.end = first.range.end.max(range.end);
                    }
                    Some(_) => {}
                }
            }
            if is_last && found.is_some() {
                break;
            }
            start = end;
        }
        found.unwrap_or(Site { source: 0, range: 0..0 })
    }

    /// A fault in the resulting text, shown where it was written.
    pub fn blame(&self, fault: Fault) -> SourceError {
        self.blame_at(&self.site(fault.span), fault.message, fault.help)
    }

    /// A mistake at a known site.
    pub fn blame_at(
        &self,
        site: &Site,
        message: impl Into<String>,
        help: Option<String>,
    ) -> SourceError {
        let Source { label, text } = self.sources[site.source].clone();
        let place = Place { label, text, range: site.range.clone() };
        SourceError { place, message: message.into(), help }
    }

    /// Where a span of the resulting text was written, if all of it stands in the file.
    pub fn place_in_file(&self, span: Range<usize>) -> Option<Range<usize>> {
        let length = span.len();
        let Site { source, range } = self.site(span);
        (source == 0 && range.len() == length).then_some(range)
    }

    /// Where a span of the resulting text was written, and how.
    pub fn spot(&self, span: Range<usize>) -> Spot {
        let Site { source, range } = self.site(span);
        let Source { label, text } = &self.sources[source];
        let line = text[..range.start].matches('\n').count() + 1;
        Spot { label: label.clone(), line, text: text[range].to_owned() }
    }

    fn written<'a>(&'a self, piece: &'a Piece) -> &'a str {
        let text = &self.sources[piece.site.source].text;
        piece.glue.as_deref().unwrap_or(&text[piece.site.range.clone()])
    }

    /// The index of the piece that begins at an offset, after dividing one if need be.
    fn cut(&mut self, offset: usize) -> usize {
        let mut start = 0;
        for index in 0..self.pieces.len() {
            if start == offset {
                return index;
            }
            let length = self.written(&self.pieces[index]).len();
            if offset < start + length {
                let halves = self.pieces[index].clone().split(offset - start);
                self.pieces.splice(index..=index, halves);
                return index + 1;
            }
            start += length;
        }
        self.pieces.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_in_the_text_that_holds_it() {
        let mut patches = Patchwork::new("file", "(a: 1, b: 2)");
        let given = patches.add("--set", "b=34");
        let value = Piece::verbatim(Patchwork::part(&given, 2..4));
        patches.replace(10..11, [value]);
        let file = Patchwork::part(&patches.site(0..0), 4..5);
        patches.replace(4..5, [Piece::glue("x: ", file.clone()), Piece::verbatim(file)]);
        assert_eq!(patches.text(), "(a: x: 1, b: 34)");

        let shown = |span| {
            let Place { label, text, range } = patches.blame(Fault::new(span, "")).place;
            (label, text[range].to_owned())
        };
        assert_eq!(shown(1..2), ("file".into(), "a".into()));
        assert_eq!(shown(4..5), ("file".into(), "1".into()), "glue is owed to its value");
        assert_eq!(shown(10..11), ("file".into(), "b".into()));
        assert_eq!(shown(13..15), ("--set".into(), "34".into()));
        assert_eq!(shown(14..15), ("--set".into(), "4".into()));
        assert_eq!(shown(0..16), ("file".into(), "(a: 1, b: 2)".into()));
        assert_eq!(shown(16..16), ("file".into(), String::new()));
    }
}
