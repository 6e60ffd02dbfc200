//! Reads RON into the span tree, without types: brackets, names, literals, comments.
//!
//! Literals are delimited here and judged by `ron` itself, so that both read them alike.
//! Reading takes linear time and goes at most [`DEPTH_MAX`] brackets deep. It refuses a name or
//! key that stands twice in one place: serde would keep the last one and say nothing.

use std::collections::BTreeSet;
use std::ops::Range;

use super::tree::{Child, Fault, Name, Node, Shape};

/// 64 open brackets are several times what a program of the step language needs, and few enough
/// for the stack of any thread.
pub(super) const DEPTH_MAX: usize = 64;

/// What begins a quoted literal although it looks like a name.
const QUOTED: [&str; 7] = ["r\"", "r#\"", "r##", "b\"", "b'", "br\"", "br#"];

/// The tree of `text`.
///
/// # Errors
/// The first place where the text is not RON.
pub(super) fn read(text: &str) -> Result<Node, Fault> {
    let mut reader = Reader { text, at: 0, depth: 0 };
    reader.blanks()?;
    while reader.rest().starts_with('#') {
        reader.attribute()?;
        reader.blanks()?;
    }
    let root = reader.value()?;
    reader.blanks()?;
    match reader.peek() {
        None => Ok(root),
        Some(_) => Err(Fault::new(reader.here(), "nothing may follow the value")),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn eat(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        if found {
            self.at += c.len_utf8();
        }
        found
    }

    /// The character at hand, or the empty span at the end.
    fn here(&self) -> Range<usize> {
        self.at..self.at + self.peek().map_or(0, char::len_utf8)
    }

    fn expected(&self, what: &str) -> Fault {
        let found = self.peek().map_or("the end".to_owned(), |c| format!("`{c}`"));
        Fault::new(self.here(), format!("expected {what}, found {found}"))
    }

    /// Skips white space and comments; block comments nest.
    fn blanks(&mut self) -> Result<(), Fault> {
        loop {
            self.at += width(self.rest(), is_blank);
            if self.rest().starts_with("//") {
                self.at += width(self.rest(), |c| c != '\n');
            } else if self.rest().starts_with("/*") {
                self.block_comment()?;
            } else {
                return Ok(());
            }
        }
    }

    fn block_comment(&mut self) -> Result<(), Fault> {
        let start = self.at;
        let mut open = 0_usize;
        loop {
            let rest = self.rest();
            if rest.starts_with("/*") {
                open += 1;
                self.at += 2;
            } else if rest.starts_with("*/") {
                open -= 1;
                self.at += 2;
                if open == 0 {
                    return Ok(());
                }
            } else if let Some(c) = rest.chars().next() {
                self.at += c.len_utf8();
            } else {
                return Err(Fault::new(start..start + 2, "this comment is not closed by `*/`"));
            }
        }
    }

    /// Skips `#![enable(implicit_some)]`; `ron` judges what it says.
    fn attribute(&mut self) -> Result<(), Fault> {
        let start = self.at;
        match self.rest().find(']') {
            Some(end) => self.at += end + 1,
            None => return Err(Fault::new(start..start + 1, "this attribute is not closed")),
        }
        Ok(())
    }

    fn value(&mut self) -> Result<Node, Fault> {
        let start = self.at;
        match self.peek() {
            Some('(') => self.bracketed(start, None, Shape::Struct),
            Some('[') => self.bracketed(start, None, Shape::List),
            Some('{') => self.bracketed(start, None, Shape::Map),
            Some('"' | '\'') => self.quoted(),
            Some(c) if c.is_ascii_digit() || matches!(c, '+' | '-' | '.') => self.number(),
            _ if self.begins_quoted() => self.quoted(),
            _ => {
                let name = self.name().ok_or_else(|| self.expected("a value"))?;
                let end = self.at;
                self.blanks()?;
                if self.peek() == Some('(') {
                    return self.bracketed(start, Some(name), Shape::Struct);
                }
                self.at = end;
                Ok(Node { constructor: Some(name), ..scalar(start..end) })
            }
        }
    }

    fn bracketed(
        &mut self,
        start: usize,
        constructor: Option<Name>,
        shape: Shape,
    ) -> Result<Node, Fault> {
        let open = self.here();
        if self.depth == DEPTH_MAX {
            let message = format!("brackets go more than {DEPTH_MAX} deep here");
            return Err(Fault::new(open, message));
        }
        let close = match shape {
            Shape::Map => '}',
            Shape::List => ']',
            Shape::Struct | Shape::Scalar => ')',
        };
        self.depth += 1;
        self.at = open.end;
        let mut children = Vec::new();
        let mut names = BTreeSet::new();
        loop {
            self.blanks()?;
            let end = self.at;
            if self.eat(close) {
                self.depth -= 1;
                let (span, inner) = (start..self.at, open.end..end);
                return Ok(Node { span, inner, constructor, shape, children });
            }
            if self.peek().is_none() {
                let message = format!("this bracket is not closed by `{close}`");
                return Err(Fault::new(open, message));
            }
            let child = self.child(shape)?;
            if let Some(name) = &child.name
                && !names.insert(name.text.clone())
            {
                let message = format!("`{}` is given twice", name.text);
                return Err(Fault::new(name.span.clone(), message).help("keep one of them"));
            }
            children.push(child);
            self.blanks()?;
            if !self.eat(',') && self.peek().is_some_and(|c| c != close) {
                return Err(self.expected(&format!("`,` or `{close}`")));
            }
        }
    }

    fn child(&mut self, shape: Shape) -> Result<Child, Fault> {
        let start = self.at;
        let name = match shape {
            Shape::List | Shape::Scalar => None,
            Shape::Map => {
                let span = self.value()?.span;
                self.blanks()?;
                if !self.eat(':') {
                    return Err(self.expected("`:` and the value of this key"));
                }
                let written = &self.text[span.clone()];
                let text = ron::from_str(written).unwrap_or_else(|_| written.to_owned());
                Some(Name { text, span })
            }
            Shape::Struct => {
                let name = self.name();
                self.blanks()?;
                let name = name.filter(|_| self.eat(':'));
                if name.is_none() {
                    self.at = start;
                }
                name
            }
        };
        self.blanks()?;
        Ok(Child { name, node: self.value()? })
    }

    fn name(&mut self) -> Option<Name> {
        let rest = self.rest();
        let raw = rest.strip_prefix("r#");
        let length = match raw {
            _ if self.begins_quoted() => 0,
            Some(raw) => width(raw, |c| is_name_part(c) || matches!(c, '.' | '+' | '-')),
            None if rest.starts_with(|c: char| c == '_' || c.is_alphabetic()) => {
                width(rest, is_name_part)
            }
            None => 0,
        };
        if length == 0 {
            return None;
        }
        let start = self.at + if raw.is_some() { 2 } else { 0 };
        let (whole, text) = (self.at..start + length, &self.text[start..start + length]);
        self.at = whole.end;
        Some(Name { text: text.to_owned(), span: whole })
    }

    fn begins_quoted(&self) -> bool {
        QUOTED.iter().any(|prefix| self.rest().starts_with(prefix))
    }

    /// A string, a character, or their raw and byte forms.
    fn quoted(&mut self) -> Result<Node, Fault> {
        let start = self.at;
        let prefix = width(self.rest(), |c| matches!(c, 'b' | 'r'));
        let is_raw = self.rest()[..prefix].contains('r');
        self.at += prefix;
        let hashes = width(self.rest(), |c| is_raw && c == '#');
        self.at += hashes;
        let quote = self.peek().filter(|c| matches!(c, '"' | '\''));
        let Some(quote) = quote else { return Err(self.expected("`\"`")) };
        self.at += 1;
        let length = if is_raw {
            let end = format!("\"{}", "#".repeat(hashes));
            self.rest().find(&end).map(|at| at + end.len())
        } else {
            closing_quote(self.rest(), quote).map(|at| at + 1)
        };
        let Some(length) = length else {
            let message = format!("this {quote} has no partner");
            return Err(Fault::new(start..self.at, message));
        };
        self.at += length;
        let span = start..self.at;
        match ron::from_str::<ron::Value>(&self.text[span.clone()]) {
            Ok(_) => Ok(scalar(span)),
            Err(_) if quote == '\'' => {
                Err(Fault::new(span, "a text stands in double quotes, `\"`"))
            }
            Err(error) => Err(Fault::new(span, error.code.to_string().to_lowercase())),
        }
    }

    /// A number; what has a unit is taken whole, so that the refusal can show it whole.
    fn number(&mut self) -> Result<Node, Fault> {
        let start = self.at;
        let mut before = None;
        while let Some(c) = self.peek() {
            let is_sign = matches!(c, '+' | '-') && matches!(before, None | Some('e' | 'E'));
            let is_unit = c == '%' || (c == '/' && !self.rest()[1..].starts_with(['/', '*']));
            if !is_name_part(c) && c != '.' && !is_sign && !is_unit {
                break;
            }
            self.at += c.len_utf8();
            before = Some(c);
        }
        let span = start..self.at;
        let written = &self.text[span.clone()];
        match ron::from_str::<ron::Value>(written) {
            Ok(_) => Ok(scalar(span)),
            Err(_) => Err(Fault::new(span, format!("`{written}` is not a number"))
                .help(format!("write what has a unit in quotes: `\"{written}\"`"))),
        }
    }
}

fn scalar(span: Range<usize>) -> Node {
    let inner = span.end..span.end;
    Node { span, inner, constructor: None, shape: Shape::Scalar, children: Vec::new() }
}

/// How many bytes at the start of `text` consist of such characters.
fn width(text: &str, is_part: impl Fn(char) -> bool) -> usize {
    text.find(|c| !is_part(c)).unwrap_or(text.len())
}

/// Where the first `quote` stands that no backslash precedes.
fn closing_quote(text: &str, quote: char) -> Option<usize> {
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        if c == '\\' {
            chars.next();
        } else if c == quote {
            return Some(at);
        }
    }
    None
}

fn is_name_part(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// The white space of RON.
fn is_blank(c: char) -> bool {
    matches!(c, '\t'..='\r' | ' ' | '\u{85}' | '\u{200E}' | '\u{200F}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::super::path;
    use super::*;

    const FILE: &str = r##"
        #![enable(implicit_some)]
        // A comment with a ( bracket.
        Scenario(
            name: "pay ) \" ünï", /* nested /* comment */ { */
            actors: {
                "api": Some(Service(workers: 4, steps: [Call("psp"), Poisson, ('a', '\'')])),
                "no breaker": Kv(raw: r#"a "quoted" ("#, bytes: b"x)", n: -1.5e+3),
            },
            pair: (1, 2,),
        )
    "##;

    fn written(path: &str) -> Option<&'static str> {
        let root = read(FILE).unwrap();
        root.at(&path::parse(path).unwrap()).map(|node| &FILE[node.span.clone()])
    }

    #[test]
    fn paths_lead_to_the_text_they_name() {
        assert_eq!(written("name"), Some(r#""pay ) \" ünï""#));
        assert_eq!(written("actors.api.workers"), Some("4"));
        assert_eq!(written("actors.api.steps[0]"), Some(r#"Call("psp")"#));
        assert_eq!(written("actors.api.steps[1]"), Some("Poisson"));
        assert_eq!(written("actors.api.steps[2][1]"), Some(r"'\''"));
        assert_eq!(written(r#"actors."no breaker".raw"#), Some(r##"r#"a "quoted" ("#"##));
        assert_eq!(written(r#"actors."no breaker".n"#), Some("-1.5e+3"));
        assert_eq!(written("pair"), Some("(1, 2,)"));
        assert_eq!(written("pair[1]"), Some("2"));
        assert_eq!(written("actors.web"), None);
        assert_eq!(written("pair[2]"), None);
    }

    #[test]
    fn what_reads_here_reads_in_ron() {
        ron::from_str::<ron::Value>(FILE).unwrap();
    }

    #[test]
    fn a_slip_is_shown_where_it_is() {
        let cases = [
            ("(a: 3m)", "3m"),
            ("(rate: 50/s)", "50/s"),
            ("[1, 2", "["),
            ("(a: [1, 2)", ")"),
            ("{\"a\" 1}", "1"),
            ("(a: 1, a: 2)", "a"),
            ("\"open", "\""),
            ("/* open", "/*"),
            ("1 2", "2"),
            ("[1 2]", "2"),
            (r#"("\q")"#, r#""\q""#),
            ("(,)", ","),
            ("", ""),
        ];
        for (text, shown) in cases {
            let fault = read(text).unwrap_err();
            assert_eq!(&text[fault.span.clone()], shown, "{text}: {fault:?}");
        }
    }

    #[test]
    fn nesting_ends_at_its_bound() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(read(&nested(DEPTH_MAX)).is_ok());
        assert!(read(&nested(DEPTH_MAX + 1)).unwrap_err().message.contains("deep"));
        assert!(read(&"Some(".repeat(1_000_000)).is_err());
        assert!(read(&"/*".repeat(1_000_000)).is_err());
    }
}
