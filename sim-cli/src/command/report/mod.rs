//! `sim report`: the report that a design review is held over, as one HTML file.

mod gather;
mod write;

use std::path::PathBuf;

use sim_models::custom::Kinds;
use sim_models::outcome::Verdict;
use sim_models::study::Axis;

use crate::changes::{Set, parse_set};
use crate::console;
use crate::diagnostics::Failure;
use crate::exit::Exit;
use crate::page::{self, Page};
use crate::repeat::Repeat;
use crate::text::plain;

/// Write what was found as one HTML file for a review, and as Markdown for a pull request
#[derive(Debug, clap::Args)]
#[command(after_help = "\
DIR/report.html needs nothing beside it: no network, no scripts, no fonts. It holds the verdict, the
timelines, who asks whom, how each promise broke, the slowest intents, and the scenario with what was
found at its lines. DIR/report.md is for a pull request, and the pictures lie beside both.

Several files become one page with a chapter each, of the file as it stands and all its variants, unless
some are named. With --seeds every side runs on seeds 1 to N, and all
are counted: the first is told in full, and scripts choose among the first twenty. With --x and --y the
page has a map as well.

The file is never larger than 2 MB; what it leaves out for that, it names. The exit code is 0 when all
runs of the first side of each file are KEPT.")]
pub struct Args {
    /// The scenario files
    #[arg(required = true, value_name = "SCENARIO")]
    scenarios: Vec<PathBuf>,

    /// The seed of all chance; by default each scenario's own
    #[arg(long, value_name = "N", conflicts_with = "seeds")]
    seed: Option<u64>,

    /// Run seeds 1 to N
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1000))]
    seeds: Option<u64>,

    /// The variants, separated by commas; `base` is the file as it stands. By default all of them
    #[arg(long, value_name = "A,B,…", value_delimiter = ',')]
    variants: Vec<String>,

    /// A variant by its whole name, as one with a comma or one called `base`; may be repeated
    #[arg(long, value_name = "NAME")]
    variant: Vec<String>,

    /// Replace the value at a path; may be repeated
    #[arg(long, value_name = "PATH=VALUE", value_parser = parse_set)]
    set: Vec<Set>,

    /// Add a map: what varies from column to column
    #[arg(long, value_name = "PATH=V1,V2,…")]
    x: Option<Axis>,

    /// What varies from row to row
    #[arg(long, value_name = "PATH=V1,V2,…", requires = "x")]
    y: Option<Axis>,

    /// Where the files go
    #[arg(long, value_name = "DIR", default_value = "out")]
    out: PathBuf,

    /// Write each picture as PNG as well
    #[cfg(feature = "png")]
    #[arg(long)]
    png: bool,
}

/// Runs what was asked for, and writes what was found.
///
/// # Errors
/// A scenario that cannot be read or run, or a file that cannot be written.
pub fn report(args: &Args, kinds: &Kinds) -> Result<Exit, Failure> {
    let (chapters, is_called_off) = gather::chapters(args, kinds)?;
    let page = Page { chapters, is_called_off, repeat: repeat(args) };
    #[cfg(feature = "png")]
    let as_png = args.png;
    #[cfg(not(feature = "png"))]
    let as_png = false;
    let written = write::page(&page, &args.out, as_png)?;
    for chapter in &page.chapters {
        for side in &chapter.sides {
            let glance = &side.glances[0];
            let verdict = side.verdict().to_string().to_uppercase();
            let name = crate::words::named(&side.outcome.scenario, side.outcome.variant.as_deref());
            let line = format!("{verdict:<8}  {name}: {}", glance.headline);
            console::print(&format!("{}\n", plain(&line)))?;
        }
    }
    for (what, path) in &written {
        console::tell_where(what, path, false)?;
    }
    if is_called_off {
        console::note(page::CALLED_OFF);
    }
    let kept =
        !is_called_off && page.chapters.iter().all(|chapter| chapter.verdict() == Verdict::Kept);
    Ok(if kept { Exit::Kept } else { Exit::Broken })
}

/// The command that makes the same page.
fn repeat(args: &Args) -> String {
    let line = args.scenarios.iter().fold(Repeat::new("report"), |line, path| line.file(path));
    let line = args.seed.iter().fold(line, |line, seed| line.option("seed", seed));
    let line = args.seeds.iter().fold(line, |line, seeds| line.option("seeds", seeds));
    let line = match &args.variants[..] {
        [] => line,
        variants => line.option("variants", variants.join(",")),
    };
    let line = args.variant.iter().fold(line, |line, name| line.option("variant", name));
    let mut line = line.changes(None, &args.set);
    for (name, axis) in [("x", &args.x), ("y", &args.y)] {
        if let Some(axis) = axis {
            line = line.option(name, format!("{}={}", axis.path, axis.values.join(",")));
        }
    }
    line.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::typed;

    #[test]
    fn the_page_says_how_it_was_made() {
        let line = |typed_line| repeat(&typed(typed_line));
        let all = "report x.ron y.ron --set a=1";
        assert_eq!(line(all), "sim report x.ron y.ron --set 'a=1'");
        let some = "report x.ron --seeds 5 --variants base,b --variant c,d";
        assert_eq!(line(some), "sim report x.ron --seeds 5 --variants base,b --variant c,d");
        assert_eq!(line("report x.ron --seed 7 --out y"), "sim report x.ron --seed 7");
        let map = "report x.ron --x a=1,2 --y b=3";
        assert_eq!(line(map), "sim report x.ron --x 'a=1,2' --y 'b=3'");
    }
}
