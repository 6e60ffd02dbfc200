//! Paths such as `actors.api.endpoints.pay[0].to` or `variants."no breaker"`.
//!
//! A name goes into a struct or a map, `[n]` into a list or a tuple. Names that hold a dot, a
//! bracket, a quote or a blank are quoted. Constructors add no segment: `actors.api.workers` is
//! the field below `"api": Service(workers: 4)`.

use std::fmt;

/// One step of a path. Prints as it is written in a path, with its dot or brackets left out for
/// names and kept for indices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    Name(String),
    Index(usize),
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Segment::Name(name) => f.write_str(&path_key(name)),
            Segment::Index(index) => write!(f, "[{index}]"),
        }
    }
}

/// `name` as one segment of a path, quoted where it needs to be.
///
/// Code that builds a path from a map's key puts the key through this first, since keys may hold
/// dots and brackets.
pub fn path_key(name: &str) -> String {
    if !name.is_empty() && name.chars().all(is_plain) {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('\\', r"\\").replace('"', "\\\""))
}

/// The segments of `path`; the empty path is the whole document.
///
/// # Errors
/// A sentence that says what is wrong with the path.
pub(super) fn parse(path: &str) -> Result<Vec<Segment>, String> {
    let mut segments = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('[') {
            let (index, after) = after.split_once(']').ok_or("a `[` is not closed by `]`")?;
            let index = index.parse().map_err(|_| format!("`[{index}]` is no position"))?;
            segments.push(Segment::Index(index));
            rest = after;
            continue;
        }
        // The first name has no dot before it, each later one has exactly one.
        rest = match rest.strip_prefix('.') {
            Some(after) if !segments.is_empty() => after,
            None if segments.is_empty() => rest,
            _ => return Err(format!("a name or `[n]` is missing before `{rest}`")),
        };
        let (name, after) = name(rest)?;
        segments.push(Segment::Name(name));
        rest = after;
    }
    Ok(segments)
}

/// The last name of a path: of `actors."v1.2".line[0]` it is `line`.
pub(crate) fn last_name(path: &str) -> Option<String> {
    parse(path).ok()?.into_iter().rev().find_map(|segment| match segment {
        Segment::Name(name) => Some(name),
        Segment::Index(_) => None,
    })
}

/// `segments` as they would be written.
pub(super) fn show(segments: &[Segment]) -> String {
    let mut path = String::new();
    for segment in segments {
        if !path.is_empty() && matches!(segment, Segment::Name(_)) {
            path.push('.');
        }
        path.push_str(&segment.to_string());
    }
    path
}

/// Splits the name at the start of `rest` from what follows it.
fn name(rest: &str) -> Result<(String, &str), String> {
    let Some(quoted) = rest.strip_prefix('"') else {
        let end = rest.find(|c| !is_plain(c)).unwrap_or(rest.len());
        if end == 0 {
            return Err(match rest.chars().next() {
                Some(c) => format!("a name cannot begin with `{c}`; quote it"),
                None => "the path ends after a dot".to_owned(),
            });
        }
        return Ok((rest[..end].to_owned(), &rest[end..]));
    };
    let mut name = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((name, &quoted[at + 1..])),
            '\\' => name.extend(chars.next().map(|(_, c)| c)),
            c => name.push(c),
        }
    }
    Err("a quoted name is not closed".to_owned())
}

/// Whether a name may hold `c` without quotes.
fn is_plain(c: char) -> bool {
    !matches!(c, '.' | '[' | ']' | '"' | '\\' | '=') && !c.is_control()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_place_in_a_list_is_called_by_the_list() {
        let last = |path| last_name(path);
        assert_eq!(last(r#"actors."v1.2".line[0]"#), Some("line".to_owned()));
        assert_eq!(last(r#"actors."a.b [0]""#), Some("a.b [0]".to_owned()));
        assert_eq!(last("[0]"), None);
    }

    #[test]
    fn names_indices_and_quoted_names_take_turns() {
        let name = |text: &str| Segment::Name(text.to_owned());
        assert_eq!(
            parse(r#"actors.api[3]."no breaker".to"#).unwrap(),
            [name("actors"), name("api"), Segment::Index(3), name("no breaker"), name("to")]
        );
        assert_eq!(parse("").unwrap(), []);
    }

    #[test]
    fn a_broken_path_is_refused() {
        for path in ["a..b", ".a", "a.", "a[x]", "a[1", "a[0]b", "\"a", "a.[1]"] {
            assert!(parse(path).is_err(), "{path}");
        }
    }

    proptest! {
        #[test]
        fn any_key_survives_its_path(keys in prop::collection::vec(any::<String>(), 1..4)) {
            let segments: Vec<Segment> = keys.into_iter().map(Segment::Name).collect();
            prop_assert_eq!(parse(&show(&segments)).unwrap(), segments);
        }
    }
}
