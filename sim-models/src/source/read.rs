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
    if reader.rest().starts_with("---") {
        return Err(Fault::new(reader.at..reader.at + 3, "this is how YAML begins").help(A_VALUE));
    }
    while reader.rest().starts_with('#') {
        reader.attribute()?;
        reader.blanks()?;
    }
    let root = reader.value()?;
    reader.blanks()?;
    match reader.peek() {
        None => Ok(root),
        Some(_) => {
            let fault = Fault::new(reader.here(), "nothing may follow the value");
            // `name: x`, `[table]`: another notation.
            Err(if root.shape == Shape::Struct { fault } else { fault.help(A_VALUE) })
        }
    }
}

const A_VALUE: &str = "a file is one value in RON: `Name(field: value, …)`";

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
        let fault = Fault::new(self.here(), format!("expected {what}, found {found}"));
        // What other notations write there.
        match self.peek() {
            Some('#') => fault.help("a comment begins with `//`"),
            Some('“' | '”' | '„' | '‘' | '’' | '«' | '»') => {
                fault.help("write straight quotes, `\"`")
            }
            Some('=') => fault.help("write `:` between a name and its value"),
            Some(';') => fault.help("write `,` between two values"),
            _ => fault,
        }
    }

    /// The line, from 1, of an offset.
    fn line(&self, at: usize) -> usize {
        self.text[..at].matches('\n').count() + 1
    }

    /// What is wrong where neither a comma nor the end of a bracket follows a value.
    fn unseparated(
        &self,
        open: &Range<usize>,
        (shape, close): (Shape, char),
        has_names: bool,
        last: &Child,
    ) -> Fault {
        let span = last.node.span.clone();
        let is_word = last.node.shape == Shape::Scalar && last.node.constructor.is_some();
        let is_quoted = self.text[span.clone()].starts_with('"');
        match self.peek() {
            Some(')' | ']' | '}') => self.unclosed(open, close),
            Some('.' | '/' | '-') if is_word => {
                let is_part = |c: char| !c.is_whitespace() && !",()[]{}\"".contains(c);
                let whole = span.start..self.at + width(self.rest(), is_part);
                let text = &self.text[whole.clone()];
                let help = format!("write it in quotes: \"{text}\"");
                Fault::new(whole.clone(), format!("`{text}` is no name")).help(help)
            }
            // The key of a map, as in JSON, or of the map around a group that goes on.
            Some(':') if is_quoted && shape == Shape::Struct && !has_names => {
                let text = &self.text[span.clone()];
                let help = format!("write `{}: …`", text.trim_matches('"'));
                Fault::new(span, format!("the name {text} stands in quotes")).help(help)
            }
            Some(':') if is_quoted && shape == Shape::Struct => {
                let message = format!("this bracket is not closed by `{close}`");
                let (line, text) = (self.line(span.start), &self.text[span]);
                let help = format!("line {line} has {text}, the key of a map, inside of it");
                Fault::new(open.clone(), message).help(help)
            }
            Some(c) if c.is_alphanumeric() || "_\"'([{".contains(c) => {
                let end = if self.text[span.clone()].contains('\n') {
                    span.end - 1..span.end
                } else {
                    span.clone()
                };
                let fault = Fault::new(end, "a `,` is missing after this");
                match is_quoted && self.text[span].contains([',', '\n']) {
                    true => fault.help("or a `\"` is missing in it"),
                    false => fault,
                }
            }
            _ => self.expected(&format!("`,` or `{close}`")),
        }
    }

    /// A bracket whose end is another one's, or that has none.
    fn unclosed(&self, open: &Range<usize>, close: char) -> Fault {
        let message = format!("this bracket is not closed by `{close}`");
        let fault = Fault::new(open.clone(), message);
        match self.peek() {
            Some(c) => fault.help(format!("line {} has `{c}` instead", self.line(self.at))),
            None => fault,
        }
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
            if matches!(self.peek(), None | Some(')' | ']' | '}')) {
                return Err(self.unclosed(&open, close));
            }
            let child = self.child(shape)?;
            if let Some(name) = &child.name
                && !names.insert(name.text.clone())
            {
                let message = format!("`{}` is given twice", name.text);
                return Err(Fault::new(name.span.clone(), message).help("keep one of them"));
            }
            self.blanks()?;
            if !self.eat(',') && self.peek().is_some_and(|c| c != close) {
                return Err(self.unseparated(&open, (shape, close), !names.is_empty(), &child));
            }
            children.push(child);
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
            ("(a: [1, 2)", "["),
            ("{\"a\": (1, 2), ]", "{"),
            ("{\"a\" 1}", "1"),
            ("(a: 1, a: 2)", "a"),
            ("\"open", "\""),
            ("/* open", "/*"),
            ("1 2", "2"),
            ("[1 2]", "1"),
            ("(a: (1,\n 2) b: 3)", ")"),
            ("(a: api.pay)", "api.pay"),
            ("(\"a\": 1)", "\"a\""),
            ("{\"a\": (b: 1, \"c\": 2}", "("),
            ("(a = 1)", "="),
            ("(a: “b”)", "“"),
            ("(# a\n)", "#"),
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
