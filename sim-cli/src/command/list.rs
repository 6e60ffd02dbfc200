//! `sim list`: the scenarios of a folder, or those in the binary, one line each.

use std::path::{Path, PathBuf};

use sim_models::custom::Kinds;

use crate::console;
use crate::diagnostics::Failure;
use crate::exit::Exit;
use crate::file::{ScenarioFile, scenarios_in};
use crate::shipped::{self, Shipped};
use crate::text::plain;

/// List the scenarios of a folder, or those that are built in
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder
    #[arg(default_value = "scenarios")]
    folder: PathBuf,

    /// List the scenarios in the binary; every command takes them by these names
    #[arg(long, conflicts_with = "folder")]
    shipped: bool,
}

/// Lists what is there; a scenario that doesn't load is listed with its first mistake.
///
/// # Errors
/// A folder that cannot be read.
pub fn list(args: &Args, kinds: &Kinds) -> Result<Exit, Failure> {
    let paths = match args.shipped {
        true => shipped::all().into_iter().map(Shipped::path).collect(),
        false => paths(&args.folder)?,
    };
    let rows: Vec<[String; 3]> = paths.iter().map(|path| row(path, kinds)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let (names, files) = (width(0).unwrap_or(0), width(1).unwrap_or(0));
    let lines = rows.iter().map(|[name, file, about]| {
        plain(&format!("{name:<names$}  {file:<files$}  {about}")) + "\n"
    });
    console::print(&lines.collect::<String>())?;
    Ok(Exit::Kept)
}

/// The scenarios of a folder.
fn paths(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let paths = scenarios_in(folder).map_err(|error| {
        let message = format!("cannot list {}: {error}", folder.display());
        let help = "`sim list FOLDER` lists another folder, `sim list --shipped` what is built in";
        Failure::with_help(message, help)
    })?;
    if paths.is_empty() {
        console::note(&format!("there are no scenarios in {}", folder.display()));
    }
    Ok(paths)
}

/// Name, file, and a sentence about it.
fn row(path: &Path, kinds: &Kinds) -> [String; 3] {
    let shown = path.display().to_string();
    let loaded = ScenarioFile::read(path, kinds).and_then(|file| Ok(file.load(None, &[])?));
    let scenario = match loaded {
        Ok(scenario) => scenario,
        Err(Failure::Sources(errors)) => {
            let first = errors.first().map(ToString::to_string).unwrap_or_default();
            return ["(broken)".to_owned(), shown, first];
        }
        Err(Failure::Plain { message, .. }) => return ["(broken)".to_owned(), shown, message],
    };
    let mut about = first_sentence(scenario.about()).to_owned();
    let variants = scenario.variants();
    if !variants.is_empty() {
        about += &format!(" [{}]", variants.join(" · "));
    }
    [scenario.name().to_owned(), shown, about]
}

fn first_sentence(text: &str) -> &str {
    let text = text.trim();
    let ends = text.match_indices('.').map(|(at, _)| at + 1);
    let mut ends = ends.filter(|&end| text[end..].starts_with(char::is_whitespace));
    &text[..ends.next().unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_story_is_listed_by_its_first_sentence() {
        assert_eq!(first_sentence("Pay $2.50 twice. Or not."), "Pay $2.50 twice.");
        assert_eq!(first_sentence(" Just this "), "Just this");
        assert_eq!(first_sentence(""), "");
    }
}
