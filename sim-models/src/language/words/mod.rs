//! The words of the language, one row each, made from the types that read them.
//!
//! A word is declared once: its arguments, their order, their types and defaults are those of the
//! serde type; its documentation is the doc comment; what serde does not know stands beside it in
//! `#[schemars(…)]`:
//! - `extend("x-unnamed" = 2)`: the first two fields may be written without their names;
//! - `extend("x-constructor" = true)` on such a field: only a constructor fills it;
//! - `range(min = 0, max = 1)` on a number: what it may be; `extend("exclusiveMinimum" = 0)` where
//!   the bound itself is refused;
//! - `extend("x-minimum" = "1ms")`, or any of these keys with `x-`, on a length of time;
//! - `extend("x-wanted" = "key")` on a lone argument, which has no name: what to call it;
//! - `example = "…"`: how it looks;
//! - `title = "step"` on an enum: the kind that its words are listed under.
//!
//! `schemars` reads the same attributes as serde, so a row cannot say anything else than what is
//! read; a macro of our own would have to repeat serde's rules for defaults, names and variants.

use std::fmt;
use std::sync::LazyLock;

use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value};

use super::Scenario;
use crate::source::Shorthand;

/// One word of the language.
#[derive(Clone, Debug, PartialEq)]
pub struct Word {
    /// As it is written: `Codel`.
    pub name: String,
    /// What it is: `queue`.
    pub kind: String,
    /// What it means; paragraphs are apart by an empty line.
    pub about: String,
    /// What is written between its brackets, in order.
    pub arguments: Vec<Argument>,
    /// Whether brackets follow it.
    pub brackets: bool,
    /// The arguments that may be written without their names, as the shorthand has them.
    pub unnamed: Vec<String>,
    /// How it looks in use.
    pub example: Option<String>,
}

/// One argument of a word.
#[derive(Clone, Debug, PartialEq)]
pub struct Argument {
    /// Its name; empty when it is never written with one.
    pub name: String,
    /// What is wanted: `duration`, `list of steps`.
    pub wanted: String,
    /// What it may be, where that is not all of the above.
    pub range: Option<Range>,
    /// Whether it must be given.
    pub required: bool,
    /// What holds when it is left out, as it would be written; none when nothing does.
    pub default: Option<String>,
    /// What it means.
    pub about: String,
}

/// What a number or a length of time may be.
#[derive(Clone, Debug, PartialEq)]
pub struct Range {
    /// The lowest value.
    pub min: Option<Bound>,
    /// The highest value.
    pub max: Option<Bound>,
}

/// An end of a range.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// As it is written, but for the quotes of a length of time: `0.5`, `1ms`.
    pub text: String,
    /// Whether it may be taken itself.
    pub is_in: bool,
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let low = |bound: &Bound| {
            format!("{} {}", if bound.is_in { "at least" } else { "above" }, bound.text)
        };
        let high = |bound: &Bound| {
            format!("{} {}", if bound.is_in { "at most" } else { "below" }, bound.text)
        };
        match (&self.min, &self.max) {
            (Some(min), Some(max)) if min.is_in && max.is_in => {
                write!(f, "{} to {}", min.text, max.text)
            }
            (Some(min), Some(max)) => write!(f, "{}, {}", low(min), high(max)),
            (min, max) => {
                let bounds = [min.as_ref().map(low), max.as_ref().map(high)];
                f.write_str(&bounds.into_iter().flatten().collect::<String>())
            }
        }
    }
}

/// The kind of words that are parts of others and no choice among several.
pub const PART: &str = "part";

/// The language as a JSON schema: `Call(to: "a.b")` stands for `{"Call": {"to": "a.b"}}`.
pub fn schema() -> &'static Schema {
    static SCHEMA: LazyLock<Schema> =
        LazyLock::new(|| SchemaGenerator::default().into_root_schema_for::<Scenario>());
    &SCHEMA
}

/// All words, in the order in which the types mention each other.
pub fn words() -> &'static [Word] {
    static WORDS: LazyLock<Vec<Word>> = LazyLock::new(|| Reader::new(schema()).words());
    &WORDS
}

/// Which arguments of a constructor may be written without their name, in order.
///
/// The table is kept as text, one word a line, so that reading a scenario does not build the schema;
/// a test holds it equal to the types.
pub fn shorthand() -> Shorthand {
    static FIELDS: LazyLock<Vec<(&str, Vec<&str>)>> = LazyLock::new(|| {
        let row = |line: &'static str| {
            let (name, fields) = line.split_once(' ').expect("a word and its fields");
            (name, fields.split(' ').collect())
        };
        UNNAMED.lines().map(row).collect()
    });
    static TABLE: LazyLock<Vec<(&str, &[&str])>> =
        LazyLock::new(|| FIELDS.iter().map(|(name, fields)| (*name, fields.as_slice())).collect());
    &TABLE
}

/// One line a word: its name and the fields that need no name, by the word's name.
const UNNAMED: &str = include_str!("unnamed.txt");

impl Word {
    /// The word with the names of its arguments; those that need no name have no colon.
    pub fn usage(&self) -> String {
        let written = |argument: &Argument| {
            let is_bare = self.is_unnamed(argument);
            if is_bare { bare(argument).to_owned() } else { format!("{}:", argument.name) }
        };
        let arguments: Vec<String> = self.arguments.iter().map(written).collect();
        match self.brackets {
            true => format!("{}({})", self.name, arguments.join(", ")),
            false => self.name.clone(),
        }
    }

    /// How the word looks in use: the example, or with all its defaults where it needs none.
    pub fn shown(&self) -> String {
        let defaults = self.arguments.iter().filter_map(|argument| {
            Some(format!("{}: {}", argument.name, argument.default.as_ref()?))
        });
        match &self.example {
            Some(example) => example.clone(),
            None if self.brackets => {
                format!("{}({})", self.name, defaults.collect::<Vec<_>>().join(", "))
            }
            None => self.name.clone(),
        }
    }

    /// Whether an argument may be written without its name.
    pub fn is_unnamed(&self, argument: &Argument) -> bool {
        let is_it = |unnamed: &String| unnamed.trim_end_matches("()") == argument.name;
        argument.name.is_empty() || self.unnamed.iter().any(is_it)
    }
}

/// What to call an argument: its name, or what is wanted.
fn bare(argument: &Argument) -> &str {
    if argument.name.is_empty() { &argument.wanted } else { &argument.name }
}

type Object = Map<String, Value>;

/// Reads words from the schema.
struct Reader {
    definitions: &'static Object,
    root: &'static Object,
}

impl Reader {
    fn new(schema: &'static Schema) -> Reader {
        let root = schema.as_object().expect("a schema with fields");
        Reader { definitions: root["$defs"].as_object().expect("definitions"), root }
    }

    fn words(&self) -> Vec<Word> {
        let mut words = vec![self.word("Scenario", PART, self.root, self.root)];
        let mut payloads = Vec::new();
        let all = || self.definitions.iter().filter_map(|(name, it)| Some((name, it.as_object()?)));
        for (name, definition) in all() {
            let kind = text(definition, "title").unwrap_or(name);
            for (name, outer, payload) in variants(definition) {
                match payload {
                    Some(payload) => {
                        payloads.extend(text(payload, "$ref"));
                        words.push(self.word(name, kind, outer, payload));
                    }
                    None => words.push(self.word(name, kind, outer, outer)),
                }
            }
        }
        for (name, definition) in all() {
            let is_payload = payloads.iter().any(|payload| *payload == format!("#/$defs/{name}"));
            if is_struct(definition) && !is_payload {
                words.push(self.word(name, PART, definition, definition));
            }
        }
        words
    }

    /// A word whose documentation is at `outer` and whose arguments are those of `inner`, which may
    /// be a reference to them.
    fn word(&self, name: &str, kind: &str, outer: &Object, inner: &Object) -> Word {
        let payload = inner;
        let inner = self.resolved(payload);
        let extra = |key| outer.get(key).or_else(|| inner.get(key));
        let unnamed = extra("x-unnamed").and_then(Value::as_u64).unwrap_or(0);
        let example = extra("examples").and_then(|all| all.get(0)?.as_str());
        let brackets = !std::ptr::eq(outer, inner) || is_struct(inner);
        let arguments = if brackets { self.arguments(inner, payload) } else { Vec::new() };
        let fields = inner.get("properties").and_then(Value::as_object).into_iter().flatten();
        let unnamed = fields.take(usize::try_from(unnamed).expect("a few")).map(|(name, field)| {
            if field.get("x-constructor").is_some() { format!("{name}()") } else { name.clone() }
        });
        Word {
            name: name.to_owned(),
            kind: kind.to_owned(),
            about: about(outer),
            arguments,
            brackets,
            unnamed: unnamed.collect(),
            example: example.map(str::to_owned),
        }
    }

    fn arguments(&self, inner: &Object, payload: &Object) -> Vec<Argument> {
        let alone = |schema: &Object| Argument {
            name: String::new(),
            wanted: self.wanted(schema),
            range: range(schema),
            required: true,
            default: None,
            about: String::new(),
        };
        if let Some(places) = inner.get("prefixItems").and_then(Value::as_array) {
            return places.iter().filter_map(Value::as_object).map(alone).collect();
        }
        if !is_struct(inner) {
            return vec![alone(payload)];
        }
        let required = inner.get("required").and_then(Value::as_array);
        let fields = inner.get("properties").and_then(Value::as_object).into_iter().flatten();
        let fields = fields.filter_map(|(name, field)| Some((name, field.as_object()?)));
        let argument = |(name, field): (&String, &Object)| Argument {
            name: name.clone(),
            wanted: self.wanted(field),
            range: range(field),
            required: required.is_some_and(|all| all.iter().any(|it| it.as_str() == Some(name))),
            default: match field.get("default") {
                None | Some(Value::Null) => None,
                Some(value) => Some(self.ron(value, field)),
            },
            about: about(field),
        };
        fields.map(argument).collect()
    }

    /// The schema itself, behind references and the choice of nothing.
    fn resolved<'a>(&'a self, schema: &'a Object) -> &'a Object {
        if let Some(path) = text(schema, "$ref") {
            let name = path.trim_start_matches("#/$defs/");
            return self.definitions[name].as_object().expect("a definition");
        }
        let choices = schema.get("anyOf").and_then(Value::as_array).into_iter().flatten();
        let choices = choices.filter_map(Value::as_object);
        match choices.into_iter().find(|choice| text(choice, "type") != Some("null")) {
            Some(choice) => self.resolved(choice),
            None => schema,
        }
    }

    /// What kind of value a schema describes, for people.
    fn wanted(&self, schema: &Object) -> String {
        if let Some(wanted) = text(schema, "x-wanted") {
            return wanted.to_owned();
        }
        let name = reference(schema);
        let schema = self.resolved(schema);
        match (name, text(schema, "title")) {
            (Some("Span"), _) => return "duration".to_owned(),
            (Some("Rate" | "Level"), _) => return "rate".to_owned(),
            (Some("Value"), _) => return "value".to_owned(),
            (Some("Endings"), _) => return "list of endings".to_owned(),
            (_, Some(kind)) => return kind.to_owned(),
            _ => {}
        }
        let alternatives = variants(schema);
        if !alternatives.is_empty() {
            let written = |(name, _, payload): &(&str, _, Option<_>)| match payload {
                Some(_) => format!("{name}(…)"),
                None => (*name).to_owned(),
            };
            return alternatives.iter().map(written).collect::<Vec<_>>().join(" | ");
        }
        if is_struct(schema) {
            return format!("{}(…)", name.unwrap_or_default());
        }
        let items = |key| schema.get(key).and_then(Value::as_object);
        if let Some(places) = schema.get("prefixItems").and_then(Value::as_array) {
            let places = places.iter().filter_map(Value::as_object);
            let places: Vec<String> = places.map(|place| self.wanted(place)).collect();
            return format!("({})", places.join(", "));
        }
        if let Some(items) = items("items") {
            return format!("list of {}", self.wanted(items));
        }
        if let Some(values) = items("additionalProperties") {
            return format!("map of {}", self.wanted(values));
        }
        match kinds(schema).first() {
            Some(&"integer") => "whole number",
            Some(&"number") => "number",
            Some(&"boolean") => "true or false",
            Some(&"string") => "text",
            Some(&"object") => "map",
            _ => "anything",
        }
        .to_owned()
    }

    /// A value as an author writes it.
    fn ron(&self, value: &Value, schema: &Object) -> String {
        let schema = self.resolved(schema);
        let variant = |name: &str| variants(schema).into_iter().find(|(it, ..)| *it == name);
        match value {
            Value::Null => "None".to_owned(),
            Value::String(text) if variant(text).is_some() => text.clone(),
            Value::String(text) => format!("{text:?}"),
            Value::Array(values) => {
                let places = schema.get("prefixItems").and_then(Value::as_array);
                let items = |n: usize| places.map_or(schema.get("items"), |all| all.get(n));
                let nothing = Map::new();
                let item = |(n, value): (usize, &Value)| {
                    self.ron(value, items(n).and_then(Value::as_object).unwrap_or(&nothing))
                };
                let all: Vec<String> = values.iter().enumerate().map(item).collect();
                let all = all.join(", ");
                if places.is_some() { format!("({all})") } else { format!("[{all}]") }
            }
            Value::Object(fields) => {
                if let Some((name, inner)) = fields.iter().next()
                    && let Some((_, _, Some(payload))) = variant(name)
                {
                    let inner = self.ron(inner, payload);
                    let is_bare = !inner.starts_with('(');
                    return format!("{name}{}", if is_bare { format!("({inner})") } else { inner });
                }
                let properties = schema.get("properties").and_then(Value::as_object);
                let nothing = Map::new();
                let field = |(name, value): (&String, &Value)| {
                    let known = properties.and_then(|all| all.get(name)?.as_object());
                    let name = if known.is_some() { name.clone() } else { format!("{name:?}") };
                    format!("{name}: {}", self.ron(value, known.unwrap_or(&nothing)))
                };
                let all: Vec<String> = fields.iter().map(field).collect();
                let all = all.join(", ");
                if is_struct(schema) { format!("({all})") } else { format!("{{{all}}}") }
            }
            other => other.to_string(),
        }
    }
}

/// The variants of an enum: name, where its documentation is, and what it holds.
fn variants(schema: &Object) -> Vec<Variant<'_>> {
    let all = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    all.filter_map(variant).collect()
}

type Variant<'a> = (&'a str, &'a Object, Option<&'a Object>);

fn variant(variant: &Value) -> Option<Variant<'_>> {
    let variant = variant.as_object()?;
    if let Some(name) = text(variant, "const") {
        return Some((name, variant, None));
    }
    let (name, payload) = variant.get("properties")?.as_object()?.iter().next()?;
    Some((name.as_str(), variant, payload.as_object()))
}

fn is_struct(schema: &Object) -> bool {
    let is_map = schema.get("additionalProperties").is_some_and(Value::is_object);
    kinds(schema) == ["object"] && !is_map
}

/// The JSON types of a value but `null`.
fn kinds(schema: &Object) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(kind)) => vec![kind],
        Some(Value::Array(kinds)) => {
            kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null").collect()
        }
        _ => Vec::new(),
    }
}

fn text<'a>(schema: &'a Object, key: &str) -> Option<&'a str> {
    schema.get(key)?.as_str()
}

/// The name of what a schema refers to, behind the choice of nothing.
fn reference(schema: &Object) -> Option<&str> {
    let choices = schema.get("anyOf").and_then(Value::as_array).into_iter().flatten();
    let choice = choices.filter_map(Value::as_object).find_map(|choice| text(choice, "$ref"));
    Some(text(schema, "$ref").or(choice)?.trim_start_matches("#/$defs/"))
}

/// The documentation, each paragraph on one line.
fn about(schema: &Object) -> String {
    let paragraphs = text(schema, "description").unwrap_or_default().split("\n\n");
    paragraphs.map(|lines| lines.replace('\n', " ")).collect::<Vec<_>>().join("\n\n")
}

/// The bounds of a number or a length of time, where they are not those of its type.
fn range(schema: &Object) -> Option<Range> {
    let end = |key: &str, is_in| {
        let keys = [key.to_owned(), format!("x-{key}")];
        let text = match keys.iter().find_map(|key| schema.get(key))? {
            Value::String(text) => text.clone(),
            number => number.to_string().trim_end_matches(".0").to_owned(),
        };
        Some(Bound { text, is_in })
    };
    let min = end("minimum", true).or(end("exclusiveMinimum", false));
    let max = end("maximum", true).or(end("exclusiveMaximum", false));
    let is_of_type = |min: &Bound| kinds(schema) == ["integer"] && min.text == "0" && max.is_none();
    let min = min.filter(|min| !is_of_type(min));
    (min.is_some() || max.is_some()).then_some(Range { min, max })
}

#[cfg(test)]
mod tests;
