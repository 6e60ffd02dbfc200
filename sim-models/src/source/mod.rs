//! Between a scenario's text and serde: places, overrides, and unnamed arguments.
//!
//! A [`Document`] is a RON text. A path such as `actors.api.endpoints.pay[0].to` reaches each of
//! its values: to replace it, to read its text, or to point at it when something is wrong.
//! Whatever was changed on the way, an error is shown where a person wrote the mistake: in the
//! file, or in the override.
//!
//! Knows nothing of actors or policies; what unnamed arguments mean comes in as a [`Shorthand`].

mod closest;
mod edit;
mod error;
mod explain;
mod names;
mod path;
mod print;
mod read;
mod scalars;
mod spot;
mod tree;

use std::ops::Range;

use ron::Options;
use ron::extensions::Extensions;
use serde::de::DeserializeOwned;

use edit::{Patchwork, Piece, Site};
use path::Segment;
use tree::{Fault, Node, Shape};

pub(crate) use closest::advice;
pub use closest::closest;
pub use error::{Place, SourceError};
pub use explain::{Hint, Slip};
pub use names::Shorthand;
pub(crate) use path::last_name;
pub use path::path_key;
pub(crate) use print::Tree;
pub(crate) use scalars::Scalar;
pub use spot::Spot;

/// Gives the text of a file by its name in a scenario, or says why it cannot.
pub type Files<'a> = &'a dyn Fn(&str) -> Result<String, String>;

/// A scenario's text with all overrides applied and all arguments named.
#[derive(Clone, Debug)]
pub struct Document {
    patches: Patchwork,
    shorthand: Shorthand,
    text: String,
    root: Node,
}

impl Document {
    /// Reads `text`; errors call it `name`.
    ///
    /// # Errors
    /// The first place where the text is not RON, nests too deeply, names something twice, or
    /// leaves out a name that `shorthand` doesn't supply.
    pub fn parse(name: &str, text: &str, shorthand: Shorthand) -> Result<Document, SourceError> {
        Document::settle(Patchwork::new(name, text), shorthand)
    }

    /// Gives the value at `path` a new text; errors call the override `label`, as in `--set`,
    /// and show it as `path=value`.
    ///
    /// A field or key that a struct or map doesn't have yet is added to it, and the position
    /// behind the last element of a list appends. The last setting of a path wins. A plain word or
    /// quantity such as `3m` or `50/s` is not RON and is taken as a text. So is a lone name that
    /// replaces a text: on a command line the quotes are a nuisance.
    ///
    /// # Errors
    /// A path that leads nowhere, or a value that [`Document::parse`] would refuse; the document
    /// is then unchanged.
    pub fn set(&mut self, label: &str, path: &str, value: &str) -> Result<(), SourceError> {
        let mut patches = self.patches.clone();
        let all = patches.add(label, &format!("{path}={value}"));
        let path_site = Patchwork::part(&all, 0..path.len());
        let value_site = Patchwork::part(&all, path.len() + 1..path.len() + 1 + value.len());
        let segments = path::parse(path).map_err(|e| patches.blame_at(&path_site, e, None))?;

        let old = self.root.at(&segments).map(|node| &self.text[node.span.clone()]);
        let pieces = value_pieces(value, &value_site, old.is_some_and(|old| old.starts_with('"')))
            .map_err(|fault| {
                let site = Patchwork::part(&value_site, fault.span);
                patches.blame_at(&site, fault.message, fault.help)
            })?;
        *self = self.with(patches, &segments, &path_site, pieces)?;
        Ok(())
    }

    /// Applies the map at `path`, whose keys are paths and whose values go there, in the order of
    /// the text. Errors point into the map itself.
    ///
    /// So a variant is chosen: `{ "policies.provider": [Timeout("1s")] }`.
    ///
    /// # Errors
    /// As [`Document::set`]; also when `path` does not lead to a map.
    pub fn overlay(&mut self, path: &str) -> Result<(), SourceError> {
        let segments = path::parse(path).map_err(|e| self.problem("", e, None))?;
        let (node, depth) = self.root.nearest(&segments);
        if depth < segments.len() {
            let (message, help) = absence(node, &segments, depth);
            return Err(self.problem(path, message, help));
        }
        let map = node.unwrapped();
        if map.shape != Shape::Map {
            let help = "write `{ \"path\": value }`".to_owned();
            return Err(self.problem(path, "expected a map of paths and values", help));
        }
        let mut changes = Vec::new();
        for child in &map.children {
            let Some(key) = &child.name else { continue };
            let site = self.patches.site(key.span.clone());
            let target = path::parse(&key.text)
                .map_err(|message| self.patches.blame_at(&site, message, None))?;
            changes.push((target, site, self.patches.copy(child.node.span.clone())));
        }
        let mut next = self.clone();
        for (target, site, pieces) in changes {
            next = next.with(next.patches.clone(), &target, &site, pieces)?;
        }
        *self = next;
        Ok(())
    }

    /// The RON to deserialize, to hash and to record.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Deserializes the document; optional values need no `Some`, newtypes no brackets. Where it
    /// cannot, `hint` may know what was meant.
    ///
    /// # Errors
    /// The first value that doesn't fit `T`, or an unnamed argument among named ones.
    pub fn read<T: DeserializeOwned>(&self, hint: Hint) -> Result<T, SourceError> {
        let extensions = Extensions::IMPLICIT_SOME
            | Extensions::UNWRAP_NEWTYPES
            | Extensions::UNWRAP_VARIANT_NEWTYPES;
        // The bound on brackets holds already; `ron` counts up to six steps for each of them.
        let options = Options::default()
            .with_default_extension(extensions)
            .with_recursion_limit(8 * read::DEPTH_MAX);
        let read = options.from_str(&self.text);
        let mixture = names::mixture(&self.root);
        let fault = match read {
            Ok(read) if mixture.is_none() => return Ok(read),
            Err(error) if mixture.is_none() || explain::is_unknown(&error.code) => {
                explain::explain(error, &self.text, &self.root, hint)
            }
            _ => mixture.expect("there is one, or it was read"),
        };
        Err(self.patches.blame(fault))
    }

    /// Why a path leads to nothing, and what may be meant; `None` when there is a value.
    pub(crate) fn absence(&self, path: &str) -> Option<(String, Option<String>)> {
        let segments = match path::parse(path) {
            Ok(segments) => segments,
            Err(why) => return Some((why, None)),
        };
        let (node, depth) = self.root.nearest(&segments);
        (depth < segments.len()).then(|| absence(node, &segments, depth))
    }

    /// The text of the value at `path`.
    pub fn text_of(&self, path: &str) -> Option<&str> {
        let node = self.root.at(&path::parse(path).ok()?)?;
        Some(&self.text[node.span.clone()])
    }

    /// Where the value at `path` was written; `None` when there is none.
    pub fn spot(&self, path: &str) -> Option<Spot> {
        let node = self.root.at(&path::parse(path).ok()?)?;
        Some(self.patches.spot(node.span.clone()))
    }

    /// What it says, without its places.
    pub(crate) fn tree(&self) -> Tree {
        Tree::of(&self.text, None, &self.root)
    }

    /// The names and keys directly below `path`, in the order of the text; empty when there is
    /// nothing.
    pub fn children(&self, path: &str) -> Vec<String> {
        let node = path::parse(path).ok().and_then(|segments| self.root.at(&segments));
        node.map_or_else(Vec::new, |node| node.names().map(str::to_owned).collect())
    }

    /// An error about the value at `path`, or about the deepest existing one on the way to it.
    pub fn problem(
        &self,
        path: &str,
        message: impl Into<String>,
        help: impl Into<Option<String>>,
    ) -> SourceError {
        let (node, _) = self.root.nearest(&path::parse(path).unwrap_or_default());
        let span = node.head(&self.text);
        self.patches.blame(Fault { span, message: message.into(), help: help.into() })
    }

    /// Reads the pieces, names unnamed arguments, and reads again, so that the tree fits the text.
    fn settle(mut patches: Patchwork, shorthand: Shorthand) -> Result<Document, SourceError> {
        let mut text = patches.text();
        let mut root = read::read(&text).map_err(|fault| patches.blame(fault))?;
        let unnamed = names::missing(&root, shorthand).map_err(|fault| patches.blame(fault))?;
        // A name inside another value moves the end of that value: the places are taken first.
        let sites = unnamed.iter().map(|(span, _)| patches.site(span.clone()));
        let sites: Vec<Site> = sites.collect();
        // From back to front, so that earlier offsets stay true.
        for ((span, name), site) in unnamed.iter().zip(sites).rev() {
            let glue = Piece::glue(format!("{name}: "), site);
            patches.replace(span.start..span.start, [glue]);
        }
        if !unnamed.is_empty() {
            text = patches.text();
            root = read::read(&text).map_err(|fault| patches.blame(fault))?;
        }
        Ok(Document { patches, shorthand, text, root })
    }

    /// This document, built of `patches`, with a value put at a path that was written at `site`.
    fn with(
        &self,
        mut patches: Patchwork,
        path: &[Segment],
        site: &Site,
        value: Vec<Piece>,
    ) -> Result<Document, SourceError> {
        let (node, depth) = self.root.nearest(path);
        let (span, before, after) = match &path[depth..] {
            [] => (node.span.clone(), String::new(), ""),
            [last] => {
                vacancy(node, last).ok_or_else(|| absent(&patches, node, path, depth, site))?
            }
            _ => return Err(absent(&patches, node, path, depth, site)),
        };
        let mut pieces = vec![Piece::glue(before, site.clone())];
        pieces.extend(value);
        pieces.push(Piece::glue(after, site.clone()));
        patches.replace(span, pieces);
        Document::settle(patches, self.shorthand)
    }
}

/// The pieces of an override's value; `text_expected` when it replaces a text.
fn value_pieces(value: &str, site: &Site, text_expected: bool) -> Result<Vec<Piece>, Fault> {
    let is_plain = |c: char| c.is_alphanumeric() || "_-+./%".contains(c);
    let is_word = !value.is_empty() && value.chars().all(is_plain);
    let span = match read::read(value) {
        Ok(node) => {
            let is_name = node.constructor.is_some() && node.shape == Shape::Scalar;
            let is_literal = matches!(value, "true" | "false" | "None");
            if !(text_expected && is_word && is_name && !is_literal) {
                return Ok(vec![Piece::verbatim(Patchwork::part(site, node.span))]);
            }
            node.span
        }
        Err(_) if is_word => 0..value.len(),
        Err(fault) => return Err(fault),
    };
    let quote = || Piece::glue("\"", site.clone());
    Ok(vec![quote(), Piece::verbatim(Patchwork::part(site, span)), quote()])
}

/// Where a missing child can be added to `node`, and what to write before and after it.
fn vacancy(node: &Node, segment: &Segment) -> Option<(Range<usize>, String, &'static str)> {
    let node = node.unwrapped();
    let start = node.inner.start..node.inner.start;
    let is_named = node.children.iter().all(|child| child.name.is_some());
    match (node.shape, segment) {
        (Shape::Struct, Segment::Name(name)) if is_named => {
            Some((start, format!("{name}: "), ", "))
        }
        (Shape::Map, Segment::Name(name)) => Some((start, format!("{name:?}: "), ", ")),
        (Shape::List, Segment::Index(index)) if *index == node.children.len() => {
            match node.children.last() {
                Some(last) => Some((last.node.span.end..last.node.span.end, ", ".to_owned(), "")),
                None => Some((start, String::new(), "")),
            }
        }
        _ => None,
    }
}

fn absent(
    patches: &Patchwork,
    node: &Node,
    path: &[Segment],
    depth: usize,
    site: &Site,
) -> SourceError {
    let (message, help) = absence(node, path, depth);
    patches.blame_at(site, message, help)
}

/// What to say when a path leads no further than to `node`, `depth` segments down.
fn absence(node: &Node, path: &[Segment], depth: usize) -> (String, Option<String>) {
    let place = match depth {
        0 => "the document".to_owned(),
        _ => format!("`{}`", path::show(&path[..depth])),
    };
    let message = format!("there is no `{}` in {place}", path[depth]);
    let help = match &path[depth] {
        Segment::Name(name) => closest::advice(name, node.names()),
        Segment::Index(_) if node.unwrapped().shape == Shape::List => {
            Some(format!("it has {} elements", node.unwrapped().children.len()))
        }
        Segment::Index(_) => None,
    };
    (message, help)
}

#[cfg(test)]
mod tests;
