//! Where everything stands: a scenario's text as a tree of [`Node`]s with byte spans.
//!
//! The tree knows brackets, names and where a value begins and ends, nothing about types. It
//! holds no text besides names, so it belongs to exactly one text.

use std::ops::Range;

use super::path::Segment;

/// A mistake at a place of the text that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub span: Range<usize>,
    pub message: String,
    pub help: Option<String>,
}

impl Fault {
    pub fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Fault { span, message: message.into(), help: None }
    }

    pub fn help(self, help: impl Into<String>) -> Self {
        Fault { help: Some(help.into()), ..self }
    }
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A number, a string, or a lone name such as `Poisson` or `true`.
    Scalar,
    /// `[a, b]`
    List,
    /// `{ "key": value }`
    Map,
    /// `Name(a, b: c)`, or the same without the name.
    Struct,
}

/// A name and where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub text: String,
    pub span: Range<usize>,
}

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    /// From the constructor or bracket to the closing bracket.
    pub span: Range<usize>,
    /// What stands between the brackets; empty for a scalar.
    pub inner: Range<usize>,
    /// `Service` in `Service(workers: 4)`; a lone name is a scalar that has one.
    pub constructor: Option<Name>,
    pub shape: Shape,
    pub children: Vec<Child>,
}

/// A value inside another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Child {
    /// The key in a map, unescaped, or the name of an argument; a list has none.
    pub name: Option<Name>,
    pub node: Node,
}

impl Node {
    /// The value at the end of a path.
    pub fn at(&self, path: &[Segment]) -> Option<&Node> {
        let (node, depth) = self.nearest(path);
        (depth == path.len()).then_some(node)
    }

    /// The deepest value on the path and how many segments lead to it.
    pub fn nearest(&self, path: &[Segment]) -> (&Node, usize) {
        let mut node = self;
        for (depth, segment) in path.iter().enumerate() {
            match node.step(segment) {
                Some(next) => node = next,
                None => return (node, depth),
            }
        }
        (node, path.len())
    }

    /// The value itself below wrappers such as `Some(x)`, which paths pass through.
    pub fn unwrapped(&self) -> &Node {
        match self.children.as_slice() {
            [Child { name: None, node }] if self.shape == Shape::Struct => node.unwrapped(),
            _ => self,
        }
    }

    /// The names and keys directly below, in the order of the text.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let names = self.unwrapped().children.iter().filter_map(|child| child.name.as_ref());
        names.map(|name| name.text.as_str())
    }

    /// The innermost value that covers or touches an offset, with the key or argument name
    /// there, if any.
    pub fn touching(&self, offset: usize) -> (&Node, Option<&Name>) {
        for child in &self.children {
            if child.node.touches(offset) {
                return child.node.touching(offset);
            }
            if let Some(name) = &child.name
                && name.span.start <= offset
                && offset <= name.span.end
            {
                return (self, Some(name));
            }
        }
        (self, None)
    }

    /// The innermost value whose brackets stand around an offset.
    pub fn around(&self, offset: usize) -> &Node {
        let inside = |node: &Node| node.inner.start <= offset && offset <= node.inner.end;
        let mut children = self.children.iter().map(|child| &child.node);
        match children.find(|node| node.shape != Shape::Scalar && inside(node)) {
            Some(child) => child.around(offset),
            None => self,
        }
    }

    /// The part of a value worth underlining: all of it on one line, else its name or bracket.
    pub fn head(&self, text: &str) -> Range<usize> {
        match &self.constructor {
            _ if !text[self.span.clone()].contains('\n') => self.span.clone(),
            Some(constructor) => constructor.span.clone(),
            None if self.shape == Shape::Scalar => self.span.clone(),
            None => self.span.start..self.span.start + 1,
        }
    }

    fn step(&self, segment: &Segment) -> Option<&Node> {
        let node = self.unwrapped();
        let child = match segment {
            Segment::Index(index) if node.shape != Shape::Map => node.children.get(*index),
            Segment::Index(_) => None,
            Segment::Name(name) => node
                .children
                .iter()
                .find(|child| child.name.as_ref().is_some_and(|known| known.text == *name)),
        };
        child.map(|child| &child.node)
    }

    fn touches(&self, offset: usize) -> bool {
        self.span.start <= offset && offset <= self.span.end
    }
}
