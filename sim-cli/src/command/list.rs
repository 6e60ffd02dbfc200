//! `sim list`: the scenarios of a folder, or those in the binary, one line each.

use std::path::{Path, PathBuf};

use sim_models::custom::Kinds;

use crate::console;
use crate::diagnostics::Failure;
use crate::exit::Exit;
use crate::file::{ScenarioFile, scenarios_in};
use crate::shipped::{self, Shipped};
use crate::text::{Style, plain};
use crate::words;

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
    let rows: Vec<[String; 2]> = paths.iter().map(|path| row(path, kinds)).collect();
    console::print(&text(&rows, &console::style()))?;
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

/// What is left for a sentence beside the files, at least; else it stands below.
const ROOM: usize = 40;

/// A file a line and what it is about, wrapped to the width of a page.
fn text(rows: &[[String; 2]], style: &Style) -> String {
    let files = rows.iter().map(|[file, _]| file.chars().count()).max().unwrap_or(0);
    let is_beside = style.columns >= files + 2 + ROOM;
    let line = |[file, about]: &[String; 2]| match is_beside {
        true => style.hanging(&format!("{file:<files$}  "), about, files + 2),
        false => format!("{file}\n{}", style.hanging("    ", about, 4)),
    };
    rows.iter().map(line).collect()
}

/// More variants than that are counted, not named.
const VARIANTS_MAX: usize = 6;

/// A file, and a sentence about it.
fn row(path: &Path, kinds: &Kinds) -> [String; 2] {
    let shown = plain(&path.display().to_string());
    let loaded = ScenarioFile::read(path, kinds).and_then(|file| Ok(file.load(None, &[])?));
    let scenario = match loaded {
        Ok(scenario) => scenario,
        Err(Failure::Sources(errors)) => {
            let first = errors.first().map(ToString::to_string).unwrap_or_default();
            return [shown, format!("(broken) {first}")];
        }
        Err(Failure::Plain { message, .. }) => return [shown, format!("(broken) {message}")],
    };
    let mut about = words::first_sentence(scenario.about()).to_owned();
    let variants = scenario.variants();
    match variants.len() {
        0 => {}
        1..=VARIANTS_MAX => about += &format!(" [{}]", variants.join(" · ")),
        n => about += &format!(" [{n} variants]"),
    }
    [shown, about]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_as_wide_as_the_page() {
        let rows = [["a.ron", "Pay once, or twice, or not at all. [naive · no fault]"]];
        let rows = rows.map(|row| row.map(str::to_owned));
        let at = |columns| text(&rows, &Style { columns, ..Style::plain() });
        assert_eq!(at(60), "a.ron  Pay once, or twice, or not at all. [naive · no fault]\n");
        let narrow = at(50);
        assert_eq!(
            narrow,
            "a.ron  Pay once, or twice, or not at all. [naive ·\n       no fault]\n"
        );
        let below = "a.ron\n    Pay once, or twice, or not at all.\n    [naive · no fault]\n";
        assert_eq!(at(40), below);
    }
}
