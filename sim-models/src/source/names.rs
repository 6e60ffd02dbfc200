//! Names unnamed arguments: `Call("api.pay", policy: "checkout")` becomes
//! `Call(to: "api.pay", policy: "checkout")`, which `ron` can read.

use std::ops::Range;

use super::tree::{Child, Fault, Node, Shape};

/// For each constructor the fields that its unnamed arguments fill, in order.
///
/// A field that is also given by name is passed over. So is one listed as `name()` when the
/// argument is not a constructor. Constructors that are not listed keep their arguments as they
/// are: all named, or all unnamed as in a tuple.
pub type Shorthand = &'static [(&'static str, &'static [&'static str])];

/// Each unnamed argument with the name that it lacks, in the order of the text.
///
/// # Errors
/// One argument too many.
pub(super) fn missing(
    root: &Node,
    shorthand: Shorthand,
) -> Result<Vec<(Range<usize>, &'static str)>, Fault> {
    let mut found = Vec::new();
    collect(root, shorthand, &mut found)?;
    found.sort_by_key(|(span, _)| span.start);
    Ok(found)
}

/// The first unnamed argument among the named ones of a constructor.
///
/// It is told when the types have been read: a constructor that nobody knows is worse.
pub(super) fn mixture(root: &Node) -> Option<Fault> {
    let own = if root.shape == Shape::Struct { mixed(root) } else { None };
    own.or_else(|| root.children.iter().find_map(|child| mixture(&child.node)))
}

fn collect(
    node: &Node,
    shorthand: Shorthand,
    found: &mut Vec<(Range<usize>, &'static str)>,
) -> Result<(), Fault> {
    if node.shape == Shape::Struct {
        let constructor = node.constructor.as_ref().map_or("", |name| &name.text);
        if let Some((_, fields)) = shorthand.iter().find(|(listed, _)| *listed == constructor) {
            fill(constructor, fields, &node.children, found)?;
        }
    }
    node.children.iter().try_for_each(|child| collect(&child.node, shorthand, found))
}

fn fill(
    constructor: &str,
    fields: &[&'static str],
    children: &[Child],
    found: &mut Vec<(Range<usize>, &'static str)>,
) -> Result<(), Fault> {
    let is_given = |field: &str| {
        children.iter().any(|child| child.name.as_ref().is_some_and(|name| name.text == field))
    };
    let mut free = fields.iter().filter(|field| !is_given(bare(field)));
    for child in children.iter().filter(|child| child.name.is_none()) {
        let span = child.node.span.clone();
        let is_constructor = child.node.constructor.is_some();
        let Some(field) = free.find(|field| is_constructor || bare(field) == **field) else {
            let message = format!("one unnamed argument too many for `{constructor}`");
            let fields: Vec<&str> = fields.iter().map(|field| bare(field)).collect();
            let help = format!("without names it takes ({})", fields.join(", "));
            return Err(Fault::new(span, message).help(help));
        };
        found.push((span, bare(field)));
    }
    Ok(())
}

/// The name of a listed field.
fn bare(field: &'static str) -> &'static str {
    field.strip_suffix("()").unwrap_or(field)
}

fn mixed(node: &Node) -> Option<Fault> {
    let unnamed = node.children.iter().find(|child| child.name.is_none())?;
    node.children.iter().find(|child| child.name.is_some())?;
    let constructor = node.constructor.as_ref().map_or("", |name| &name.text);
    let message = format!("an argument of `{constructor}` has no name");
    Some(Fault::new(unnamed.node.span.clone(), message).help("write `name: value`"))
}
