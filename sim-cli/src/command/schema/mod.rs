//! `sim schema`: the language, and what commands print with `--json`, as JSON schemas.
//!
//! That of a run is made from the types that are printed. The others are written down, since their objects
//! are. A test validates real outputs, and finds each field that is not described.

use serde_json::{Value, json};
use sim_models::language;

use super::{explore, why};
use crate::diagnostics::Failure;
use crate::exit::Exit;
use crate::{console, study};

/// Print the language, or what a command prints with --json, as a JSON schema
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Of what
    #[arg(value_name = "WHAT", default_value = "language")]
    what: What,
}

/// What has a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// The scenario language, for editors and generators
    Language,
    /// What `sim run --json` prints; with `--all`, an array of it
    Run,
    /// What `sim check --json` prints
    Check,
    /// What `sim compare --json` prints
    Compare,
    /// What `sim map --json` prints
    Map,
    /// What `sim explore --json` prints
    Explore,
    /// What `sim why --json` prints
    Why,
}

/// Prints it. In the language, `Call(to: "a.b")` is `{"Call": {"to": "a.b"}}`.
///
/// # Errors
/// When standard output cannot be written.
pub fn schema(args: &Args) -> Result<Exit, Failure> {
    let text = match args.what.printed() {
        Some(schema) => serde_json::to_string_pretty(&schema),
        None => serde_json::to_string_pretty(language::schema()),
    };
    console::print(&(text.expect("a schema is JSON") + "\n"))?;
    Ok(Exit::Kept)
}

impl What {
    /// The schema of what a command prints, which carries its version.
    fn printed(self) -> Option<Value> {
        let studies = study::json::SCHEMA;
        Some(match self {
            What::Language => return None,
            What::Run => versioned(crate::json::schema().into(), "run", crate::json::SCHEMA),
            What::Check => written(include_str!("check.json"), "check", studies),
            What::Compare => written(include_str!("compare.json"), "compare", studies),
            What::Map => written(include_str!("map.json"), "map", studies),
            What::Explore => written(include_str!("explore.json"), "explore", explore::SCHEMA),
            What::Why => written(include_str!("why.json"), "why", why::SCHEMA),
        })
    }
}

/// One that is written down; what studies share stands in a file of its own.
fn written(text: &str, name: &str, version: u32) -> Value {
    let parse = |text: &str| -> Value { serde_json::from_str(text).expect("it is JSON") };
    let mut schema = parse(text);
    schema["$defs"] = parse(include_str!("study.json"))["$defs"].take();
    versioned(schema, name, version)
}

fn versioned(mut schema: Value, name: &str, version: u32) -> Value {
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!(format!("sim {name} --json, version {version}"));
    schema["properties"]["schema"]["const"] = json!(version);
    schema
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn each_schema_says_its_version() {
        for what in What::value_variants() {
            let schema = what.printed();
            assert_eq!(schema.is_none(), *what == What::Language);
            let version = |schema: Value| schema["properties"]["schema"]["const"].as_u64();
            assert!(schema.is_none_or(|schema| version(schema).is_some()), "{what:?}");
        }
    }
}
