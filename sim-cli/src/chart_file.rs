//! Where charts go, and what they are called.
//!
//! A run of the scenario as it stands has the scenario's name. What differs from it stands in the name, so
//! that no chart takes the place of another: the variant, the seed, what was set.

use std::io;
use std::path::{Path, PathBuf};

use sim_models::Scenario;
use xxhash_rust::xxh3::xxh3_64;

use crate::changes::Set;
use crate::chart::Picture;
use crate::console;
use crate::diagnostics::Failure;
use crate::output;

/// The longest name of a chart in bytes; file systems end at 255.
const NAME_MAX: usize = 200;

/// Of what was set, so much stands in a name for people; a hash of all of it follows.
const READABLE_MAX: usize = 40;

/// Where charts go, and whether there are any.
#[derive(Clone, Debug, clap::Args)]
pub struct Charts {
    /// Where charts go; by default to `out`, where that can be written
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Draw no chart
    #[arg(long, conflicts_with = "out")]
    no_chart: bool,

    /// Write each chart as PNG as well
    #[cfg(feature = "png")]
    #[arg(long, conflicts_with = "no_chart")]
    png: bool,
}

/// Writes a figure to `path`, which ends in `.svg`, and where it is asked for the same as PNG beside
/// it.
///
/// # Errors
/// When one of them cannot be written.
pub fn write(path: &Path, picture: &Picture, as_png: bool) -> io::Result<()> {
    let document = picture.document();
    output::fill(path, &document)?;
    #[cfg(feature = "png")]
    if as_png {
        output::fill(&path.with_extension("png"), &crate::png::png(&document))?;
    }
    #[cfg(not(feature = "png"))]
    assert!(!as_png, "nobody can ask for it");
    Ok(())
}

impl Charts {
    #[cfg(feature = "png")]
    fn is_png(&self) -> bool {
        self.png
    }

    #[cfg(not(feature = "png"))]
    fn is_png(&self) -> bool {
        false
    }

    /// Draws and writes a chart. Returns its path, if there is one.
    ///
    /// # Errors
    /// When it cannot be written to the folder that was asked for. Where none was, that is said, and
    /// is no failure: what the command found stands on the screen.
    pub fn keep(
        &self,
        name: &str,
        draw: impl FnOnce() -> Picture,
    ) -> Result<Option<PathBuf>, Failure> {
        if self.no_chart {
            return Ok(None);
        }
        let folder = self.out.as_deref().unwrap_or(Path::new("out"));
        let path = folder.join(format!("{}.svg", file_name(name)));
        match write(&path, &draw(), self.is_png()) {
            Ok(()) => Ok(Some(path)),
            Err(error) if self.out.is_some() => Err(output::unwritable(&path, &error)),
            Err(error) => {
                let help = "`--out DIR` takes another folder, `--no-chart` draws none";
                console::note(&format!(
                    "no chart: cannot write {}: {error}; {help}",
                    path.display()
                ));
                Ok(None)
            }
        }
    }

    /// Draws and writes a chart, and says where it is.
    ///
    /// # Errors
    /// As for [`Charts::keep`].
    pub fn keep_and_tell(
        &self,
        name: &str,
        json: bool,
        draw: impl FnOnce() -> Picture,
    ) -> Result<(), Failure> {
        let path = self.keep(name, draw)?;
        path.map_or(Ok(()), |path| console::tell_where("chart", &path, json))
    }
}

/// What the chart of a run is called. A number sets apart variants whose names read alike as file
/// names.
pub fn of_run(scenario: &Scenario, variant: Option<&str>, seed: u64, sets: &[Set]) -> String {
    let mut name = match variant {
        Some(variant) => of_variant(scenario, variant),
        None => file_name(scenario.name()),
    };
    if seed != scenario.seed() {
        name += &format!(" seed {seed}");
    }
    name + &changed(sets)
}

fn of_variant(scenario: &Scenario, variant: &str) -> String {
    let stem = |variant: &str| file_name(&format!("{}-{variant}", scenario.name()));
    let name = stem(variant);
    let variants = scenario.variants();
    let alike = variants.iter().take_while(|other| *other != variant).filter(|v| stem(v) == name);
    match alike.count() {
        0 => name,
        n => format!("{name}-{}", n + 1),
    }
}

/// What was set, as a part of a name: ` workers 4 3f2a91c0`, or nothing.
pub fn changed(sets: &[Set]) -> String {
    let written = |(path, value): &Set| format!("{path}={value}");
    let exact: Vec<String> = sets.iter().map(written).collect();
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    let readable = sets.iter().map(|(path, value)| format!("{} {value}", last(path)));
    let readable: Vec<String> = readable.collect();
    if sets.is_empty() { String::new() } else { apart(&readable.join(" "), &exact.join("\n")) }
}

/// A part of a name that sets it apart: the beginning of what people read, and the hash of all that
/// makes the difference.
pub fn apart(readable: &str, exact: &str) -> String {
    let readable: String = readable.chars().take(READABLE_MAX).collect();
    format!(" {readable} {:08x}", xxh3_64(exact.as_bytes()) >> 32)
}

/// `name` as every file system takes it: lower-case letters, digits, `_` and single dashes.
pub fn file_name(name: &str) -> String {
    let mut safe = String::new();
    for c in name.chars().flat_map(char::to_lowercase) {
        let c = if c.is_alphanumeric() || c == '_' { c } else { '-' };
        if safe.len() < NAME_MAX && !(c == '-' && (safe.is_empty() || safe.ends_with('-'))) {
            safe.push(c);
        }
    }
    let safe = safe.trim_end_matches('-');
    if safe.is_empty() { "scenario".to_owned() } else { safe.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_has_a_name_that_every_file_system_takes() {
        assert_eq!(file_name("payment-no breaker"), "payment-no-breaker");
        assert_eq!(file_name("../../Etc/passwd"), "etc-passwd");
        assert_eq!(file_name("Zürich: 3 < 4!"), "zürich-3-4");
        assert_eq!(file_name("\0/.."), "scenario");
        assert!(file_name(&"ü".repeat(1000)).len() <= NAME_MAX + 4);
    }

    #[test]
    fn variants_that_read_alike_have_charts_of_their_own() {
        let text = r#"Scenario(
            name: "twin", about: "", horizon: "1s",
            actors: { "users": Client(load: Burst(count: 1), does: []) },
            variants: { "a b": {}, "a-b": {}, "A b": {} },
        )"#;
        let scenario = Scenario::text("twin.ron", text).load().unwrap();
        let name = |variant| of_run(&scenario, variant, scenario.seed(), &[]);
        assert_eq!(name(None), "twin");
        assert_eq!(name(Some("a b")), "twin-a-b");
        assert_eq!(name(Some("a-b")), "twin-a-b-2");
        assert_eq!(name(Some("A b")), "twin-a-b-3");
    }

    #[test]
    fn no_run_takes_the_place_of_another_ones_chart() {
        let text = r#"Scenario(
            name: "twin", about: "", horizon: "1s",
            actors: { "users": Client(load: Burst(count: 1), does: []) },
        )"#;
        let scenario = Scenario::text("twin.ron", text).load().unwrap();
        let set = |path: &str, value: &str| (path.to_owned(), value.to_owned());
        let long = "a".repeat(2 * NAME_MAX);
        let changes = [
            vec![],
            vec![set("actors.users.load.count", "2")],
            vec![set("actors.other.load.count", "2")],
            vec![set("horizon", "1.5s")],
            vec![set("horizon", "1,5s")],
            vec![set("name", &long)],
            vec![set("name", &format!("{long}b"))],
        ];
        let seeds = [scenario.seed(), 7, 70];
        let all = seeds.iter().flat_map(|seed| changes.iter().map(|sets| (*seed, sets)));
        let names: Vec<String> =
            all.map(|(seed, sets)| file_name(&of_run(&scenario, None, seed, sets))).collect();
        assert_eq!(names[0], "twin");
        assert!(names[1].starts_with("twin-count-2-"), "{}", names[1]);
        let mut apart = names.clone();
        apart.sort();
        apart.dedup();
        assert_eq!(apart.len(), names.len(), "{names:?}");
    }
}
