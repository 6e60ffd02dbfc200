//! `sim schema`: the language for programs, as a JSON schema.

use sim_models::language::schema;

use crate::console;
use crate::diagnostics::Failure;
use crate::exit::Exit;

/// Print the language as a JSON schema, for editors and generators
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Prints it; `Call(to: "a.b")` is `{"Call": {"to": "a.b"}}` there.
///
/// # Errors
/// When standard output cannot be written.
pub fn schema_of_the_language(_: &Args) -> Result<Exit, Failure> {
    let text = serde_json::to_string_pretty(schema()).expect("a schema is JSON");
    console::print(&(text + "\n"))?;
    Ok(Exit::Kept)
}
