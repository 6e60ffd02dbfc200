//! Scenario files: read with care, and loaded with a variant and overrides.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::string::FromUtf8Error;

use sim_models::Scenario;
use sim_models::custom::Kinds;
use sim_models::{SourceError, closest};

use crate::changes::{Changes, Set};
use crate::diagnostics::Failure;
use crate::shipped;

/// A scenario is written by hand; 4 MiB is a hundred times the longest one that is.
const SIZE_MAX: u64 = 4 << 20;

/// Where scenarios live when the user names no folder.
pub const FOLDER: &str = "scenarios";

/// A scenario's text and where it came from.
#[derive(Clone, Debug)]
pub struct ScenarioFile {
    /// As the user typed it.
    pub path: PathBuf,
    /// All of the file.
    pub text: String,
    /// The kinds of actors written in Rust that it may name.
    pub kinds: Kinds,
}

/// A scenario, or everything that is wrong with it.
pub type Loaded = Result<Scenario, Vec<SourceError>>;

impl ScenarioFile {
    /// Reads a file, or a scenario that is built into the binary: `shipped:payment`.
    ///
    /// # Errors
    /// When it is missing, a folder, unreadable, longer than 4 MiB or not UTF-8.
    pub fn read(path: &Path, kinds: &Kinds) -> Result<ScenarioFile, Failure> {
        if let Some(name) = shipped::asked(path) {
            let text = shipped::find(name)?.text.to_owned();
            return Ok(ScenarioFile { path: path.to_owned(), text, kinds: kinds.clone() });
        }
        let shown = path.display();
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => missing(path),
            _ => Failure::new(format!("cannot read {shown}: {error}")),
        };
        if fs::metadata(path).map_err(failed)?.is_dir() {
            let help = format!("`sim list {shown}` shows the scenarios in it");
            return Err(Failure::with_help(format!("{shown} is a folder"), help));
        }
        let bytes = read_up_to(path, SIZE_MAX + 1).map_err(failed)?;
        if bytes.len() as u64 > SIZE_MAX {
            return Err(Failure::new(format!("{shown} is longer than 4 MiB, so no scenario")));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(ScenarioFile { path: path.to_owned(), text, kinds: kinds.clone() }),
            Err(error) => {
                let line = line_of(&error);
                Err(Failure::new(format!("{shown} is not a text in UTF-8: see line {line}")))
            }
        }
    }

    /// Checks and compiles it.
    ///
    /// # Errors
    /// Everything that is wrong with it, the variant or the overrides.
    pub fn load(&self, variant: Option<&str>, sets: &[Set]) -> Loaded {
        let draft = Scenario::text(self.path.to_string_lossy(), &self.text)
            .beside(self.path.parent().unwrap_or(Path::new("")))
            .kinds(self.kinds.clone());
        let draft = variant.into_iter().fold(draft, |draft, variant| draft.variant(variant));
        let draft = sets.iter().fold(draft, |draft, (path, value)| draft.set(path, value));
        draft.load().map_err(|error| error.mistakes().to_vec())
    }

    /// Checks and compiles it with what was typed.
    ///
    /// # Errors
    /// Everything that is wrong with it, the variant or the overrides.
    pub fn load_changed(&self, changes: &Changes) -> Loaded {
        self.load(changes.variant.as_deref(), &changes.set)
    }

    /// Checks and compiles the scenario as it stands and after it each of its variants, by name.
    ///
    /// # Errors
    /// Everything that is wrong with it, or else with any variant.
    pub fn load_all(&self, sets: &[Set]) -> Result<Vec<(Option<String>, Scenario)>, Failure> {
        let base = self.load(None, sets)?;
        let variants = base.variants().into_iter();
        let variants = together(variants.map(|name| {
            let loaded = self.load(Some(&name), sets);
            (Some(name), loaded)
        }))?;
        Ok(std::iter::once((None, base)).chain(variants).collect())
    }
}

fn read_up_to(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(bytes_max).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The line, from 1, at which a text stops being one in UTF-8.
pub fn line_of(error: &FromUtf8Error) -> usize {
    let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
    valid.iter().filter(|&&byte| byte == b'\n').count() + 1
}

/// Several scenarios, each under its name, if all of them are right.
///
/// # Errors
/// Everything that is wrong with any of them, each thing once: a mistake in an override shows up
/// in all.
pub fn together<T>(
    scenarios: impl IntoIterator<Item = (T, Loaded)>,
) -> Result<Vec<(T, Scenario)>, Failure> {
    let (mut loaded, mut mistakes) = (Vec::new(), Vec::new());
    for (name, scenario) in scenarios {
        match scenario {
            Ok(scenario) => loaded.push((name, scenario)),
            Err(errors) => errors.into_iter().for_each(|error| {
                if !mistakes.contains(&error) {
                    mistakes.push(error);
                }
            }),
        }
    }
    if mistakes.is_empty() { Ok(loaded) } else { Err(mistakes.into()) }
}

/// What several variants of a scenario are warned of, each thing once.
pub fn warnings_of<'a>(scenarios: impl Iterator<Item = &'a Scenario>) -> Vec<SourceError> {
    let mut warnings: Vec<SourceError> = Vec::new();
    for warning in scenarios.flat_map(|scenario| scenario.warnings()) {
        if !warnings.contains(warning) {
            warnings.push(warning.clone());
        }
    }
    warnings
}

/// The `.ron` files of a folder, sorted.
///
/// # Errors
/// When it cannot be read.
pub fn scenarios_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "ron") && !path.is_dir() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// What to say of a file that isn't there: a near name beside it or among the scenarios.
fn missing(path: &Path) -> Failure {
    let wanted = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let near = [beside, Path::new(FOLDER)].iter().find_map(|folder| {
        let paths = scenarios_in(folder).ok()?;
        let names = paths.iter().filter_map(|path| path.file_name()?.to_str());
        let name = closest(&wanted, names)?;
        Some(if *folder == Path::new(".") { PathBuf::from(name) } else { folder.join(name) })
    });
    let near = near.map(|near| near.display().to_string());
    let help = match near.or_else(|| shipped::instead_of(path)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`sim list FOLDER` shows the scenarios of a folder".to_owned(),
    };
    Failure::with_help(format!("there is no file {}", path.display()), help)
}
