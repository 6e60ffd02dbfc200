//! The built-in idempotency designs: readable RON under `scenarios/designs/`, built into the
//! binary; and what the parameters in a design's text stand for.

use std::collections::BTreeMap;

use serde::Deserialize;
use sim_core::Span;

use crate::language::{Expr, hint, shorthand};
use crate::source::Document;

/// Designs may use designs; no deeper than this, so that one that uses itself is refused.
pub(crate) const NESTING_MAX: usize = 4;

/// What a built-in design says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltIn {
    /// By which `Idempotent(design: …)` names it.
    pub name: &'static str,
    /// What it does, and what it claims.
    pub about: String,
    /// The design that it is like, but for its parameters.
    pub like: Option<String>,
    /// Its parameters with their defaults, as they are written.
    pub params: Vec<(String, String)>,
}

/// All built-in designs.
pub fn built_in() -> impl Iterator<Item = BuiltIn> {
    BUILT_IN.iter().map(|(name, text)| {
        let document = Document::parse(name, text, shorthand()).expect("it is built in");
        let Said { about, like } = document.read(hint).expect("it is built in");
        let written = |name: String, path: &str| Some((name, document.text_of(path)?.to_owned()));
        let own = document.children("params").into_iter();
        let own = own.filter_map(|name| written(name.clone(), &format!("params.{name}")));
        let every = ["lock", "keep"].into_iter().filter_map(|name| written(name.to_owned(), name));
        BuiltIn { name, about, like, params: own.chain(every).collect() }
    })
}

#[derive(Deserialize)]
#[serde(rename = "Design")]
struct Said {
    about: String,
    #[serde(default)]
    like: Option<String>,
}

/// Name and text of each design.
pub(crate) const BUILT_IN: &[(&str, &str)] = &[
    ("unprotected", include_str!("../../scenarios/designs/unprotected.ron")),
    ("naive", include_str!("../../scenarios/designs/naive.ron")),
    ("safe", include_str!("../../scenarios/designs/safe.ron")),
    ("keyed_record", include_str!("../../scenarios/designs/keyed_record.ron")),
    ("ietf_draft", include_str!("../../scenarios/designs/ietf_draft.ron")),
    ("stripe_v1", include_str!("../../scenarios/designs/stripe_v1.ron")),
    ("stripe_v2", include_str!("../../scenarios/designs/stripe_v2.ron")),
    ("paypal", include_str!("../../scenarios/designs/paypal.ron")),
    ("square", include_str!("../../scenarios/designs/square.ron")),
    ("adyen", include_str!("../../scenarios/designs/adyen.ron")),
    ("checkout_com", include_str!("../../scenarios/designs/checkout_com.ron")),
    ("powertools", include_str!("../../scenarios/designs/powertools.ron")),
    ("rocket_rides", include_str!("../../scenarios/designs/rocket_rides.ron")),
];

/// The text of a built-in design.
pub(crate) fn text(name: &str) -> Option<&'static str> {
    BUILT_IN.iter().find(|(own, _)| *own == name).map(|(_, text)| *text)
}

/// `$lock` where neither the use nor the design says how long a lock lives.
pub(crate) const LOCK: Span = Span::secs(30);

/// `$keep` where neither the use nor the design says how long a result is kept.
pub(crate) const KEEP: Span = Span::secs(86_400);

/// The parameters that every design has, as one use of it sets them.
pub(crate) fn own_params(store: &str, lock: Span, keep: Span) -> BTreeMap<String, Expr> {
    BTreeMap::from([
        ("store".to_owned(), Expr::Text(store.to_owned())),
        ("lock".to_owned(), Expr::Text(lock.to_string())),
        ("keep".to_owned(), Expr::Text(keep.to_string())),
    ])
}

/// A design's text with its parameters filled in: `"$lock"` and nothing else becomes the value as
/// it is written, a number without its quotes; within a longer text `$lock` becomes its characters.
///
/// # Errors
/// The name of a parameter that `params` does not have.
pub(crate) fn fill_in(text: &str, params: &BTreeMap<String, Expr>) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['"', '/']) {
        let (before, tail) = rest.split_at(at);
        filled.push_str(before);
        if let Some(comment) = tail.strip_prefix("//") {
            let end = comment.find('\n').map_or(tail.len(), |end| end + 2);
            filled.push_str(&tail[..end]);
            rest = &tail[end..];
        } else if let Some(quoted) = tail.strip_prefix('"') {
            let end = end_of_quoted(quoted);
            fill_in_quoted(&quoted[..end], params, &mut filled)?;
            rest = quoted.get(end + 1..).unwrap_or_default();
        } else {
            filled.push('/');
            rest = &tail[1..];
        }
    }
    filled.push_str(rest);
    Ok(filled)
}

/// Where a quoted text ends, counted from behind its opening quote.
fn end_of_quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at,
            _ => {}
        }
    }
    text.len()
}

fn fill_in_quoted(
    text: &str,
    params: &BTreeMap<String, Expr>,
    filled: &mut String,
) -> Result<(), String> {
    let find = |name: &str| params.get(name).ok_or_else(|| name.to_owned());
    if let Some(name) = text.strip_prefix('$')
        && !name.is_empty()
        && name_length(name) == name.len()
    {
        write_literal(find(name)?, filled);
        return Ok(());
    }
    filled.push('"');
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        filled.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let (name, tail) = rest.split_at(name_length(rest));
        if name.is_empty() {
            filled.push('$');
            continue;
        }
        match find(name)? {
            Expr::Nil => {}
            Expr::Text(text) => push_escaped(text, filled),
            other => write_literal(other, filled),
        }
        rest = tail;
    }
    filled.push_str(rest);
    filled.push('"');
    Ok(())
}

/// How many bytes of a text are a parameter's name: a letter or `_`, then digits too.
fn name_length(text: &str) -> usize {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return 0;
    }
    text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len())
}

/// A value as a scenario file has it.
pub(crate) fn literal(value: &Expr) -> String {
    let mut text = String::new();
    write_literal(value, &mut text);
    text
}

/// Writes a value as a scenario file has it.
fn write_literal(value: &Expr, text: &mut String) {
    match value {
        Expr::Nil => text.push_str("None"),
        Expr::Bool(value) => text.push_str(&value.to_string()),
        Expr::Int(value) => text.push_str(&value.to_string()),
        Expr::Text(value) => {
            text.push('"');
            push_escaped(value, text);
            text.push('"');
        }
        Expr::Record(fields) => {
            text.push('{');
            for (name, value) in fields {
                text.push('"');
                push_escaped(name, text);
                text.push_str("\": ");
                write_literal(value, text);
                text.push_str(", ");
            }
            text.push('}');
        }
    }
}

fn push_escaped(value: &str, text: &mut String) {
    for c in value.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            c => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(text: &str) -> Result<String, String> {
        let params = BTreeMap::from([
            ("lock".to_owned(), Expr::Text("30s".to_owned())),
            ("lock_name".to_owned(), Expr::Text("a \"quoted\" one".to_owned())),
            ("missing".to_owned(), Expr::Int(400)),
            ("none".to_owned(), Expr::Nil),
        ]);
        fill_in(text, &params)
    }

    #[test]
    fn a_text_that_is_one_parameter_keeps_its_type() {
        assert_eq!(fill(r#"Respond("$missing")"#).as_deref(), Ok("Respond(400)"));
        assert_eq!(fill(r#"ex: "$lock","#).as_deref(), Ok(r#"ex: "30s","#));
        assert_eq!(fill(r#"Let("x", "$none")"#).as_deref(), Ok(r#"Let("x", None)"#));
    }

    #[test]
    fn within_a_text_a_parameter_is_its_characters() {
        assert_eq!(fill(r#""{key}:$lock:$missing$none""#).as_deref(), Ok(r#""{key}:30s:400""#));
        let quoted = fill(r#""for $lock_name.""#);
        assert_eq!(quoted.as_deref(), Ok(r#""for a \"quoted\" one.""#), "the longest name counts");
        assert_eq!(fill(r#""$200 \" $lock""#).as_deref(), Ok(r#""$200 \" 30s""#));
    }

    #[test]
    fn comments_and_code_are_left_alone() {
        for text in ["// \"$unknown\" it's\nBody", "1 / 2 $lock", "// ends"] {
            assert_eq!(fill(text).as_deref(), Ok(text));
        }
    }

    #[test]
    fn an_unknown_parameter_is_named() {
        assert_eq!(fill(r#"Respond("$mising")"#), Err("mising".to_owned()));
        assert_eq!(fill(r#""x-$key-y""#), Err("key".to_owned()));
        // What is not closed is not ours to complain about.
        assert_eq!(fill("\"$lock").as_deref(), Ok("\"30s\""));
    }
}
