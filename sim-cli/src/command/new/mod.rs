//! `sim new`: a small scenario to start from.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sim_models::Scenario;

use crate::console;
use crate::diagnostics::Failure;
use crate::exit::Exit;
use crate::repeat::Repeat;
use crate::shipped::{self, Shipped};
use crate::text::plain;

/// A tour of the language that runs as it stands, but for its name.
const TEMPLATE: &str = include_str!("scenario.ron");

/// What stands for the name in the template, which so is a scenario itself.
const NAME: &str = "starter";

/// Write a small scenario to start from
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The scenario's name; the file is NAME.ron
    name: String,

    /// Begin with a copy of this shipped scenario; `sim list --shipped` lists them
    #[arg(long, value_name = "SHIPPED")]
    from: Option<String>,

    /// Write to this file instead
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Writes the file and says what to do with it.
///
/// # Errors
/// A name that is not plain, or a file that is already there or cannot be written.
pub fn new(args: &Args) -> Result<Exit, Failure> {
    let name = args.name.strip_suffix(".ron").unwrap_or(&args.name);
    if !is_plain(name) {
        let message = format!("`{}` is no name for a scenario", args.name);
        let help = "use letters, digits, `-`, `_` and spaces; `--out FILE` says where it goes";
        return Err(Failure::with_help(message, help));
    }
    let text = match &args.from {
        None => template(name),
        Some(from) => copy(shipped::find(shipped::asked(Path::new(from)).unwrap_or(from))?, name),
    };
    let path = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("{name}.ron")));
    let shown = path.display();
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            let help = "choose another name, or another file with `--out`";
            Failure::with_help(format!("{shown} is already there, and is left as it is"), help)
        }
        _ => Failure::new(format!("cannot write {shown}: {error}")),
    };
    let mut file = OpenOptions::new().write(true).create_new(true).open(&path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;

    let run = Repeat::new("run").file(&path).to_string();
    let wrote = plain(&format!("wrote {shown}; now try"));
    let explore = Repeat::new("explore").file(&path).to_string();
    let try_out = [&run[..], &format!("{run} --all"), &explore];
    console::print(&format!("{wrote}\n  {}\n", try_out.join("\n  ")))?;
    Ok(Exit::Kept)
}

fn template(name: &str) -> String {
    TEMPLATE.replacen(NAME, name, 1)
}

/// A shipped scenario under another name.
fn copy(shipped: Shipped, name: &str) -> String {
    let text = shipped.text;
    let own = Scenario::text(shipped.name, text).load().expect("what is shipped loads");
    text.replacen(&format!("name: \"{}\"", own.name()), &format!("name: \"{name}\""), 1)
}

/// Whether a name is safe as a file's and as a text in the scenario.
fn is_plain(name: &str) -> bool {
    let is_inner = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | ' ' | '.');
    name.starts_with(char::is_alphanumeric) && name.len() <= 100 && name.chars().all(is_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_models::outcome::{InvariantVerdict, Verdict};

    #[test]
    fn the_first_run_keeps_every_promise() {
        let scenario = Scenario::text("new.ron", template("my shop")).load().unwrap();
        assert_eq!(scenario.name(), "my shop");
        let outcome = scenario.run(scenario.seed());
        assert_eq!(outcome.verdict, Verdict::Kept, "{:?}", outcome.invariants);
        for invariant in &outcome.invariants {
            assert_eq!(invariant.verdict, InvariantVerdict::Kept, "{}", invariant.name);
        }
    }

    #[test]
    fn its_variant_shows_the_harm() {
        let outcome = Scenario::text("new.ron", template("shop")).variant("no key").run();
        assert_eq!(outcome.unwrap().verdict, Verdict::Violated);
    }

    #[test]
    fn a_copy_is_the_same_scenario_under_another_name() {
        for shipped in shipped::all() {
            let scenario = Scenario::text("copy.ron", copy(shipped, "my shop")).load().unwrap();
            assert_eq!(scenario.name(), "my shop", "{}", shipped.name);
        }
    }

    #[test]
    fn a_name_is_no_path() {
        for name in ["", ".", "..", "a/b", r"a\b", "a\"b", "-x", ".hidden", "a\nb"] {
            assert!(!is_plain(name), "{name}");
        }
        assert!(is_plain("checkout v2.1"));
    }
}
