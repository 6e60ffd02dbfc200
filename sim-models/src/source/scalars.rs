//! The numbers, texts and lone names of a document, with the paths that reach them.

use std::ops::Range;

use super::Document;
use super::path::{self, Segment};
use super::tree::{Node, Shape};

/// A value that has no parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scalar {
    /// The path that replaces it.
    pub path: String,
    /// What stands at the path. Where a wrapper stands around it, that is part of it:
    /// `Proportional(0.5)`.
    pub text: String,
    /// The value itself in that text.
    pub inner: Range<usize>,
    /// Where the value itself stands in the file; `None` where it was set.
    pub place: Option<Range<usize>>,
}

impl Document {
    /// Every scalar, in the order of the text.
    pub(crate) fn scalars(&self) -> Vec<Scalar> {
        let mut found = Vec::new();
        self.collect(&self.root, &mut Vec::new(), &mut found);
        found
    }

    fn collect(&self, node: &Node, path: &mut Vec<Segment>, found: &mut Vec<Scalar>) {
        let own = node.unwrapped();
        if own.shape == Shape::Scalar {
            let start = node.span.start;
            found.push(Scalar {
                path: path::show(path),
                text: self.text[node.span.clone()].to_owned(),
                inner: own.span.start - start..own.span.end - start,
                place: self.patches.place_in_file(own.span.clone()),
            });
        }
        for (index, child) in own.children.iter().enumerate() {
            path.push(match &child.name {
                Some(name) => Segment::Name(name.text.clone()),
                None => Segment::Index(index),
            });
            self.collect(&child.node, path, found);
            path.pop();
        }
    }
}
