//! A document as a tree that can be cut, changed and printed as a person would write it.

use super::names::Shorthand;
use super::path::path_key;
use super::read;
use super::tree::{Node, Shape};

/// Lines are no longer than this where that can be helped.
const WIDTH: usize = 96;

const INDENT: usize = 4;

/// One value, without its place in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tree {
    /// The key in a map, with its quotes, or the name of an argument.
    name: Option<String>,
    /// `Service` of `Service(workers: 4)`; all of a scalar.
    head: String,
    shape: Shape,
    children: Vec<Tree>,
}

impl Tree {
    /// Reads a value.
    pub(crate) fn read(text: &str) -> Option<Tree> {
        read::read(text).ok().map(|node| Tree::of(text, None, &node))
    }

    pub(super) fn of(text: &str, name: Option<String>, node: &Node) -> Tree {
        let head = match (node.shape, &node.constructor) {
            (Shape::Scalar, _) => text[node.span.clone()].to_owned(),
            (_, Some(constructor)) => constructor.text.clone(),
            (_, None) => String::new(),
        };
        let child = |child: &super::tree::Child| {
            let name = child.name.as_ref().map(|name| text[name.span.clone()].to_owned());
            Tree::of(text, name, &child.node)
        };
        Tree { name, head, shape: node.shape, children: node.children.iter().map(child).collect() }
    }

    /// The value of a field or of an entry.
    pub(crate) fn child(&mut self, name: &str) -> Option<&mut Tree> {
        let is_it = |child: &&mut Tree| {
            child.name.as_deref().is_some_and(|own| own.trim_matches('"') == name)
        };
        self.children.iter_mut().find(is_it)
    }

    /// As [`Tree::child`], to look at.
    pub(crate) fn get(&self, name: &str) -> Option<&Tree> {
        self.children.iter().find(|child| child.name() == Some(name))
    }

    /// What it holds, in order.
    pub(crate) fn items(&self) -> &[Tree] {
        &self.children
    }

    /// As [`Tree::items`], to change.
    pub(crate) fn items_mut(&mut self) -> &mut Vec<Tree> {
        &mut self.children
    }

    /// Whether it is written `[a, b]`.
    pub(crate) fn is_list(&self) -> bool {
        self.shape == Shape::List
    }

    /// Itself and everything in it, in the order of the text, each with its path in a document in
    /// which this stands at `path`.
    pub(crate) fn places(&self, path: &str) -> Vec<(String, &Tree)> {
        let mut places = vec![(path.to_owned(), self)];
        for (n, child) in self.children.iter().enumerate() {
            let path = match child.name() {
                Some(name) if path.is_empty() => path_key(name),
                Some(name) => format!("{path}.{}", path_key(name)),
                None => format!("{path}[{n}]"),
            };
            places.extend(child.places(&path));
        }
        places
    }

    /// The names of its fields or entries, without quotes.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.children.iter().filter_map(|child| Some(child.name.as_deref()?.trim_matches('"')))
    }

    /// Its own name, without quotes.
    pub(crate) fn name(&self) -> Option<&str> {
        Some(self.name.as_deref()?.trim_matches('"'))
    }

    /// What it is: `Service`, or all of a scalar.
    pub(crate) fn head(&self) -> &str {
        &self.head
    }

    /// Gives a field another value, or adds it at the end.
    pub(crate) fn set(&mut self, name: &str, value: Tree) {
        let value = Tree { name: Some(name.to_owned()), ..value };
        match self.child(name) {
            Some(child) => *child = Tree { name: child.name.take(), ..value },
            None => self.children.push(value),
        }
    }

    /// As [`Tree::set`], of an entry of a map.
    pub(crate) fn set_entry(&mut self, key: &str, value: Tree) {
        match self.get(key).is_some() {
            true => self.set(key, value),
            false => self.set(&format!("{key:?}"), value),
        }
    }

    /// The elements of a list, each on one line.
    pub(crate) fn elements(&self, shorthand: Shorthand) -> Vec<String> {
        self.children.iter().map(|child| child.line(shorthand)).collect()
    }

    /// Adds an element to a list.
    pub(crate) fn push(&mut self, value: Tree) {
        self.children.push(value);
    }

    /// Moves a field behind the others.
    pub(crate) fn move_last(&mut self, name: &str) {
        if let Some(n) = self.children.iter().position(|c| c.name.as_deref() == Some(name)) {
            let child = self.children.remove(n);
            self.children.push(child);
        }
    }

    /// Puts `x` in the place of each `Some(x)`, as it is written by hand.
    pub(crate) fn unwrap_some(&mut self) {
        if self.head == "Some" && self.shape == Shape::Struct && self.children.len() == 1 {
            let inner = self.children.remove(0);
            *self = Tree { name: self.name.take(), ..inner };
        }
        self.children.iter_mut().for_each(Tree::unwrap_some);
    }

    /// Takes a field away.
    pub(crate) fn remove(&mut self, name: &str) {
        self.children.retain(|child| child.name.as_deref() != Some(name));
    }

    /// Takes every scalar away that is written in one of these ways.
    pub(crate) fn leave_out(&mut self, scalars: &[&str]) {
        self.children.retain(|child| !scalars.contains(&child.head.as_str()));
        self.children.iter_mut().for_each(|child| child.leave_out(scalars));
    }

    /// How many values it holds, itself excluded.
    pub(crate) fn parts(&self) -> usize {
        self.children.iter().map(|child| 1 + child.parts()).sum()
    }

    /// The same without the `n`th of those parts that may go, in the order of the text. `may_go` is
    /// asked of a value and a part of it.
    pub(crate) fn without(&self, n: usize, may_go: &dyn Fn(&Tree, &Tree) -> bool) -> Option<Tree> {
        let mut tree = self.clone();
        tree.take(&mut { n }, may_go).then_some(tree)
    }

    /// The same with another value in the place of the `n`th that `other` gives one for, in the order
    /// of the text.
    pub(crate) fn with_other(
        &self,
        n: usize,
        other: &dyn Fn(&Tree) -> Option<Tree>,
    ) -> Option<Tree> {
        let mut tree = self.clone();
        tree.put(&mut { n }, other).then_some(tree)
    }

    fn put(&mut self, n: &mut usize, other: &dyn Fn(&Tree) -> Option<Tree>) -> bool {
        for child in &mut self.children {
            if let Some(value) = other(child) {
                if *n == 0 {
                    *child = Tree { name: child.name.take(), ..value };
                    return true;
                }
                *n -= 1;
            }
            if child.put(n, other) {
                return true;
            }
        }
        false
    }

    fn take(&mut self, n: &mut usize, may_go: &dyn Fn(&Tree, &Tree) -> bool) -> bool {
        for place in 0..self.children.len() {
            if may_go(self, &self.children[place]) {
                if *n == 0 {
                    self.children.remove(place);
                    return true;
                }
                *n -= 1;
            }
            if self.children[place].take(n, may_go) {
                return true;
            }
        }
        false
    }

    /// The text. Arguments that need no name have none.
    pub(crate) fn print(&self, shorthand: Shorthand) -> String {
        let mut text = String::new();
        self.print_at(0, shorthand, &mut text);
        text.push('\n');
        text
    }

    fn brackets(&self) -> (&str, &str) {
        match self.shape {
            Shape::Scalar => ("", ""),
            Shape::List => ("[", "]"),
            Shape::Map => ("{", "}"),
            Shape::Struct => ("(", ")"),
        }
    }

    /// The children, each with the name that it needs: what fills the next of the listed fields
    /// needs none.
    fn arguments(&self, shorthand: Shorthand) -> Vec<(Option<&str>, &Tree)> {
        let listed = shorthand.iter().find(|(listed, _)| *listed == self.head);
        let fields = match (self.shape, listed) {
            (Shape::Struct, Some((_, fields))) => *fields,
            _ => &[],
        };
        let mut free = fields.iter().copied().peekable();
        let argument = |child: &'_ Tree| {
            let name = child.name.as_deref();
            let is_plain = free.peek().is_some_and(|field| name == Some(*field));
            is_plain.then(|| free.next()).is_none()
        };
        let needs: Vec<bool> = self.children.iter().map(argument).collect();
        let children = self.children.iter().zip(needs);
        children.map(|(child, needs)| (child.name.as_deref().filter(|_| needs), child)).collect()
    }

    /// The text on one line.
    pub(crate) fn line(&self, shorthand: Shorthand) -> String {
        if self.shape == Shape::Scalar {
            return self.head.clone();
        }
        let (open, close) = self.brackets();
        let inner = self.arguments(shorthand).into_iter().map(|(name, child)| match name {
            Some(name) => format!("{name}: {}", child.line(shorthand)),
            None => child.line(shorthand),
        });
        let inner = inner.collect::<Vec<_>>().join(", ");
        let space = if self.shape == Shape::Map && !self.children.is_empty() { " " } else { "" };
        format!("{}{open}{space}{inner}{space}{close}", self.head)
    }

    fn print_at(&self, depth: usize, shorthand: Shorthand, text: &mut String) {
        let line = self.line(shorthand);
        let column = text.len() - text.rfind('\n').map_or(0, |at| at + 1);
        let is_short = column + line.len() < WIDTH && depth > 0;
        if self.shape == Shape::Scalar || self.children.is_empty() || is_short {
            *text += &line;
            return;
        }
        let (open, close) = self.brackets();
        *text += &format!("{}{open}\n", self.head);
        for (name, child) in self.arguments(shorthand) {
            *text += &" ".repeat((depth + 1) * INDENT);
            if let Some(name) = name {
                *text += &format!("{name}: ");
            }
            child.print_at(depth + 1, shorthand, text);
            *text += ",\n";
        }
        *text += &format!("{}{close}", " ".repeat(depth * INDENT));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::shorthand;
    use crate::source::Document;

    const TEXT: &str = r#"Scenario(name: "t", about: "", horizon: "10s", actors: {
        "users": Client(load: Burst(count: 2), does: [Call("api.pay", policy: "p")]),
        "api": Service(workers: 2, endpoints: { "pay": [Effect("charge"), Respond(201)] }),
    }, faults: [At("3s", for: "1s", Loss("users", "api", 0.5))])"#;

    fn tree(text: &str) -> Tree {
        Document::parse("t", text, shorthand()).unwrap().tree()
    }

    #[test]
    fn what_is_printed_is_read_back_as_the_same_tree() {
        let printed = tree(TEXT).print(shorthand());
        assert_eq!(tree(&printed), tree(TEXT), "{printed}");
        assert!(printed.contains(r#"At("3s", for: "1s", Loss("users", "api", 0.5))"#), "{printed}");
        assert!(printed.lines().all(|line| line.len() <= WIDTH + 1), "{printed}");
    }

    #[test]
    fn each_place_has_the_path_that_leads_to_it() {
        let document = Document::parse("t", TEXT, shorthand()).unwrap();
        let whole = document.tree();
        let places = whole.places("");
        assert_eq!(places.len(), whole.parts() + 1);
        for (path, part) in places.iter().skip(1) {
            let text = document.text_of(path).unwrap_or_else(|| panic!("{path}"));
            assert_eq!(Tree::read(text).unwrap().head(), part.head(), "{path}");
        }
    }

    #[test]
    fn each_part_can_be_taken_away() {
        let whole = tree(TEXT);
        for n in 0..whole.parts() {
            assert!(whole.without(n, &|_, _| true).unwrap().parts() < whole.parts());
        }
        assert!(whole.without(whole.parts(), &|_, _| true).is_none());
        assert!(whole.without(0, &|_, _| false).is_none());
    }
}
