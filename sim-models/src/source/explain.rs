//! Says in people's words what `ron` and serde found wrong, and where.
//!
//! `ron` reports where its cursor stood: before a value whose kind it refuses, behind one whose
//! content it refuses, at the closing bracket when a field is missing. The tree turns that into
//! the value or the name that is meant. Since the text has been read once already, brackets and
//! literals are known to be sound.

use std::ops::Range;

use ron::error::{Error, Position, SpannedError};

use super::closest::advice;
use super::tree::{Fault, Node, Shape};

/// What stands where something else is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slip<'a> {
    /// The constructor in whose brackets it stands.
    pub within: Option<&'a str>,
    /// The name of the argument; none when it has none.
    pub argument: Option<&'a str>,
    /// What was written, or the name that nobody knows.
    pub written: &'a str,
    /// The names that are known there, when a name was written.
    pub known: &'a [&'a str],
}

/// Says what to write instead of a slip, when that can be guessed.
pub type Hint = fn(&Slip<'_>) -> Option<String>;

/// Whether an error is about a name that nobody knows.
pub(super) fn is_unknown(error: &Error) -> bool {
    matches!(error, Error::NoSuchEnumVariant { .. } | Error::NoSuchStructField { .. })
}

pub(super) fn explain(error: SpannedError, text: &str, root: &Node, hint: Hint) -> Fault {
    let cursor = offset(text, error.span.end);
    let (found, known) = match &error.code {
        Error::NoSuchEnumVariant { expected, found, .. } => (Some(found.clone()), *expected),
        _ => (None, &[][..]),
    };
    let fault = fault(error, cursor, text, root);
    let around = root.around(fault.span.start);
    let holds =
        |node: &Node| node.span.start <= fault.span.start && fault.span.end <= node.span.end;
    let child = around.children.iter().find(|child| holds(&child.node));
    let bare = root.touching(cursor).0;
    let around = if is_empty(bare) { bare } else { around };
    let slip = Slip {
        within: around.constructor.as_ref().map(|name| name.text.as_str()),
        argument: child.and_then(|child| child.name.as_ref()).map(|name| name.text.as_str()),
        written: found.as_deref().unwrap_or(&text[fault.span.clone()]),
        known,
    };
    // A near name is what was meant, unless a word stands in the wrong place.
    match hint(&slip).filter(|_| fault.help.is_none() || !known.is_empty()) {
        Some(help) => fault.help(help),
        None => fault,
    }
}

fn fault(error: SpannedError, cursor: usize, text: &str, root: &Node) -> Fault {
    let (node, name) = root.touching(cursor);
    let span = name.map_or_else(|| node.head(text), |name| name.span.clone());
    match error.code {
        Error::NoSuchStructField { expected, found, outer } => {
            let owner = title(root.around(cursor), outer);
            Fault {
                help: advice(&found, expected.iter().copied()),
                ..Fault::new(span, format!("{owner} has no field `{found}`"))
            }
        }
        Error::NoSuchEnumVariant { expected, found, .. } => {
            let span = node.constructor.as_ref().map_or(span, |name| name.span.clone());
            Fault {
                help: advice(&found, expected.iter().copied()),
                ..Fault::new(span, format!("`{found}` is not known here"))
            }
        }
        Error::MissingStructField { field, outer } => {
            let owner = root.around(cursor);
            let message = format!("{} needs the field `{field}`", title(owner, outer));
            Fault::new(owner.head(text), message).help(format!("add `{field}: …`"))
        }
        Error::ExpectedDifferentLength { expected, found } => {
            let message = format!("expected {expected}, found {found}");
            Fault::new(root.around(cursor).head(text), message)
        }
        Error::ExpectedComma | Error::ExpectedStructLikeEnd | Error::TrailingCharacters => {
            surplus(cursor, node, span, text)
        }
        Error::IntegerOutOfBounds => {
            let found = excerpt(text, span.clone());
            let range = if text[span.clone()].starts_with('-') { "from 0 on" } else { "that fits" };
            Fault::new(span, format!("{found} is out of bounds; a whole number {range} is wanted"))
        }
        Error::Message(message) => match &node.constructor {
            Some(name) if is_empty(node) => {
                Fault::new(span, format!("`{}` needs a value in its brackets", name.text))
            }
            _ => Fault::new(span, message),
        },
        Error::InvalidValueForType { expected, found } => {
            Fault::new(span, format!("expected {expected}, found {found}"))
        }
        code => match wanted(&code) {
            Some(wanted) => mismatch(&wanted, node, span, text),
            None => Fault::new(span, code.to_string()),
        },
    }
}

/// `Get()`: a word with nothing in its brackets.
fn is_empty(node: &Node) -> bool {
    node.shape == Shape::Struct && node.constructor.is_some() && node.children.is_empty()
}

/// What kind of value a refusal asked for.
fn wanted(code: &Error) -> Option<String> {
    let wanted = match code {
        Error::ExpectedBoolean => "`true` or `false`",
        Error::ExpectedInteger => "a whole number",
        Error::ExpectedFloat => "a number",
        Error::ExpectedString | Error::ExpectedChar => "a text in double quotes",
        Error::ExpectedArray => "a list `[…]`",
        Error::ExpectedMap => "a map `{…}`",
        Error::ExpectedStructLike => "arguments `(…)`",
        Error::ExpectedIdentifier | Error::SuggestRawIdentifier(_) => "a name, without quotes",
        Error::ExpectedUnit => "`()`",
        Error::ExpectedNamedStructLike(name) => return Some(format!("`{name}(…)`")),
        Error::ExpectedDifferentStructName { expected, .. } => {
            return Some(format!("`{expected}(…)`"));
        }
        _ => return None,
    };
    Some(wanted.to_owned())
}

fn mismatch(wanted: &str, node: &Node, span: Range<usize>, text: &str) -> Fault {
    let found = match node.shape {
        Shape::List => "a list `[…]`".to_owned(),
        Shape::Map => "a map `{…}`".to_owned(),
        Shape::Struct => match &node.constructor {
            Some(constructor) => format!("`{}(…)`", constructor.text),
            None => "`(…)`".to_owned(),
        },
        Shape::Scalar => excerpt(text, span.clone()),
    };
    let fault = Fault::new(span, format!("expected {wanted}, found {found}"));
    match &node.constructor {
        Some(name) if wanted.contains("quotes") && node.shape == Shape::Scalar => {
            fault.help(format!("write it in quotes: \"{}\"", name.text))
        }
        _ => fault,
    }
}

/// `ron` was done with a value and something was left of it.
fn surplus(cursor: usize, node: &Node, span: Range<usize>, text: &str) -> Fault {
    match &node.constructor {
        Some(name) if node.shape == Shape::Struct && cursor < node.inner.start => {
            Fault::new(span, format!("`{}` takes no arguments", name.text))
        }
        _ if node.shape == Shape::Scalar && node.span.start < cursor => {
            mismatch("a whole number", node, span, text)
        }
        _ => Fault::new(span, "one argument too many"),
    }
}

/// A struct as its writer called it; serde's name for it is second best.
fn title(node: &Node, outer: Option<String>) -> String {
    match node.constructor.as_ref().map(|name| name.text.clone()).or(outer) {
        Some(name) => format!("`{name}`"),
        None => "this group".to_owned(),
    }
}

/// The first line of a value, shortened to 40 characters.
fn excerpt(text: &str, span: Range<usize>) -> String {
    let line = text[span].lines().next().unwrap_or_default();
    let mut shown: String = line.chars().take(40).collect();
    if shown.len() < line.len() {
        shown.push('…');
    }
    format!("`{shown}`")
}

/// The byte offset of a position that counts lines and characters from one.
fn offset(text: &str, position: Position) -> usize {
    let lines = text.split_inclusive('\n');
    let before: usize = lines.take(position.line.saturating_sub(1)).map(str::len).sum();
    let rest = &text[before..];
    let column = rest.char_indices().nth(position.col.saturating_sub(1));
    before + column.map_or(rest.len(), |(at, _)| at)
}
