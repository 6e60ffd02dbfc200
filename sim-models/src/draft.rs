//! How a scenario is loaded: from a file or a text, with a variant and values of one's own.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::custom::Kinds;
use crate::error::Error;
use crate::outcome::Outcome;
use crate::scenario::{Choice, Scenario};
use crate::source::closest;

const BYTE_ORDER_MARK: char = '\u{feff}';

/// A scenario is written by hand; 4 MiB is a hundred times the longest one that is.
const SCENARIO_BYTES_MAX: u64 = 4 << 20;

/// A day of arrivals at a hundred a second is as long.
const MEASURED_BYTES_MAX: u64 = 128 << 20;

impl Scenario {
    /// Opens a scenario's file. The files that it names lie beside it.
    ///
    /// # Errors
    /// When the file cannot be read. What is wrong in it, [`Draft::load`] tells.
    pub fn file(path: impl AsRef<Path>) -> Result<Draft, Error> {
        let path = path.as_ref();
        let text = read(path, SCENARIO_BYTES_MAX).map_err(Error::Unreadable)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Ok(Scenario::text(path.to_string_lossy(), text).beside(folder))
    }

    /// Begins with a scenario's text. Mistakes in it are shown under `name`.
    ///
    /// A byte order mark, which some editors write, is no part of it.
    pub fn text(name: impl Into<String>, text: impl Into<String>) -> Draft {
        let text = text.into();
        Draft {
            name: name.into(),
            text: text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text).into(),
            folder: None,
            files: BTreeMap::new(),
            choice: Choice::default(),
            kinds: Kinds::new(),
            seed: None,
        }
    }
}

/// A scenario that is yet to be checked. Whatever is wrong, [`load`](Draft::load) tells at once.
///
/// ```
/// use sim_models::Scenario;
/// use sim_models::outcome::Verdict;
///
/// let text = r#"Scenario(
///     name: "hello", about: "Ten requests to one worker.", horizon: "10s",
///     actors: {
///         "users": Client(load: Open(rate: "1/s", arrivals: Constant), does: [Call("api.hello")]),
///         "api": Service(workers: 1, endpoints: { "hello": [Work(Const("20ms"))] }),
///     },
///     invariants: [AllAnswered],
/// )"#;
/// let outcome = Scenario::text("hello.ron", text).set("actors.api.workers", 2).seed(7).run()?;
/// assert_eq!(outcome.verdict, Verdict::Kept);
///
/// let error = Scenario::text("hello.ron", text).set("actors.api.wrokers", 2).run().unwrap_err();
/// assert!(error.to_string().ends_with("did you mean `workers`?"));
/// # Ok::<(), sim_models::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is checked before `load` or `run`"]
pub struct Draft {
    name: String,
    text: Arc<str>,
    folder: Option<PathBuf>,
    files: BTreeMap<String, Arc<str>>,
    choice: Choice,
    kinds: Kinds,
    seed: Option<u64>,
}

impl Draft {
    /// Chooses a variant. It applies before the values that are set.
    pub fn variant(mut self, name: impl Into<String>) -> Draft {
        self.choice.variant = Some(name.into());
        self
    }

    /// Sets the value at a path, such as `actors.api.workers`, as it would stand in the file.
    /// The last setting of a path wins.
    pub fn set(mut self, path: impl Into<String>, value: impl Display) -> Draft {
        self.choice.sets.push((path.into(), value.to_string()));
        self
    }

    /// Chooses the seed in place of the scenario's own.
    pub fn seed(mut self, seed: u64) -> Draft {
        self.seed = Some(seed);
        self
    }

    /// The kinds of actors of one's own that the scenario may name.
    pub fn kinds(mut self, kinds: Kinds) -> Draft {
        self.kinds = kinds;
        self
    }

    /// The folder in which the files lie that the scenario names. That of [`Scenario::file`] is
    /// known.
    pub fn beside(mut self, folder: impl Into<PathBuf>) -> Draft {
        self.folder = Some(folder.into());
        self
    }

    /// The text of a file that the scenario names, in place of one on the disk.
    pub fn with_file(mut self, name: impl Into<String>, text: impl Into<String>) -> Draft {
        self.files.insert(name.into(), text.into().into());
        self
    }

    /// The scenario as it is written, before any change.
    pub fn source(&self) -> &str {
        &self.text
    }

    /// Checks and compiles it.
    ///
    /// # Errors
    /// Everything that is wrong with the scenario, the variant or a value, each with its place.
    pub fn load(&self) -> Result<Scenario, Error> {
        let (name, text, files) = (&self.name, &self.text, |name: &str| self.named(name));
        let scenario = Scenario::new(name, text, &self.choice, &self.kinds, &files)?;
        Ok(match self.seed {
            Some(seed) => scenario.with_seed(seed),
            None => scenario,
        })
    }

    /// Loads it and runs it to its end.
    ///
    /// # Errors
    /// As [`load`](Draft::load).
    pub fn run(&self) -> Result<Outcome, Error> {
        let scenario = self.load()?;
        Ok(scenario.run(scenario.seed()))
    }

    /// The text of a file that the scenario names.
    fn named(&self, name: &str) -> Result<String, String> {
        if let Some(text) = self.files.get(name) {
            return Ok(text.as_ref().to_owned());
        }
        let Some(folder) = &self.folder else {
            return Err(format!("the file {name} was not given along with the scenario"));
        };
        if Path::new(name).is_absolute() {
            return Err(format!("{name} is no path from the folder of the scenario on"));
        }
        read(&folder.join(name), MEASURED_BYTES_MAX)
    }
}

/// All of a file, or why not.
fn read(path: &Path, bytes_max: u64) -> Result<String, String> {
    let shown = path.display();
    if path.is_dir() {
        return Err(format!("{shown} is a folder"));
    }
    let mut bytes = Vec::new();
    let opened = File::open(path);
    let read = opened.and_then(|file| file.take(bytes_max + 1).read_to_end(&mut bytes));
    read.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => missing(path),
        _ => format!("cannot read {shown}: {error}"),
    })?;
    if bytes.len() as u64 > bytes_max {
        return Err(format!("{shown} is longer than {} MiB", bytes_max >> 20));
    }
    if bytes.starts_with("\u{feff}".as_bytes()) {
        bytes.drain(..BYTE_ORDER_MARK.len_utf8());
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = valid.iter().filter(|&&byte| byte == b'\n').count() + 1;
        format!("{shown} is not a text in UTF-8: see line {line}")
    })
}

/// What to say of a file that is not there: one beside it may be meant.
fn missing(path: &Path) -> String {
    let mut message = format!("there is no file {}", path.display());
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let beside = folder.read_dir().into_iter().flatten().flatten();
    let mut names: Vec<String> =
        beside.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    let wanted = path.file_name().unwrap_or_default().to_string_lossy();
    if let Some(near) = closest(&wanted, names.iter().map(String::as_str)) {
        message += &format!("; did you mean `{near}`?");
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"Scenario(
        name: "t", about: "", horizon: "10s", seed: 3,
        actors: {
            "users": Client(load: Trace(file: "arrivals.txt"), does: [Call("api.work")]),
            "api": Service(workers: 1, endpoints: { "work": [Work(Const("1ms"))] }),
        },
        variants: { "slow": { "actors.api.endpoints.work": [Work(Const("2ms"))] } },
    )"#;

    #[test]
    fn everything_that_is_wrong_is_told_at_once_with_its_place() {
        let draft = Scenario::text("t.ron", TEXT).with_file("arrivals.txt", "1\n");
        let error = draft.set("horizon", "0s").set("actors.api.workers", 0).load().unwrap_err();
        assert!(error.mistakes().len() >= 2, "{error}");
        let lines: Vec<String> = error.to_string().lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), 1 + error.mistakes().len());
        for told in ["--set:1:9: horizon = 0s; ", "--set:1:20: workers = 0; "] {
            assert!(lines.iter().any(|line| line.trim().starts_with(told)), "{told}: {lines:?}");
        }
        assert_eq!(format!("{error:?}"), error.to_string(), "`unwrap` shows it as it is");
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_text() {
        let load = |mark: &str, arrivals: &str| {
            let draft = Scenario::text("t.ron", format!("{mark}{TEXT}"));
            draft.with_file("arrivals.txt", arrivals).load().map(|scenario| scenario.run_id(1))
        };
        assert_eq!(load("\u{feff}", "1\n").unwrap(), load("", "1\n").unwrap());
        assert!(load("\u{feff}\u{feff}", "1\n").is_err(), "one of them");
    }

    #[test]
    fn a_variant_applies_before_the_values_that_are_set() {
        let draft = Scenario::text("t.ron", TEXT).with_file("arrivals.txt", "1\n");
        let work = "actors.api.endpoints.work";
        let early = draft.clone().set(work, "[]").variant("slow").load().unwrap();
        let late = draft.clone().variant("slow").set(work, "[]").load().unwrap();
        assert_eq!(early.run_id(1), late.run_id(1));
        assert_eq!(early.run(1).digest, late.run(1).digest);
        assert_ne!(draft.variant("slow").load().unwrap().run(1).digest, late.run(1).digest);
    }

    #[test]
    fn a_seed_of_ones_own_takes_the_place_of_the_scenarios() {
        let draft = Scenario::text("t.ron", TEXT).with_file("arrivals.txt", "1\n");
        assert_eq!(draft.run().unwrap().run_id.seed, 3);
        assert_eq!(draft.clone().seed(7).run().unwrap().run_id.seed, 7);
        let own = draft.seed(7).load().unwrap();
        assert_eq!(own.with_faults("[]").unwrap().seed(), 7);
    }

    #[test]
    fn what_a_scenario_names_lies_beside_it() {
        let folder = std::env::temp_dir().join(format!("sim-draft-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("t.ron"), TEXT).unwrap();
        let file = || Scenario::file(folder.join("t.ron")).unwrap();
        let error = file().load().unwrap_err().to_string();
        assert!(error.contains("there is no file") && error.contains("arrivals.txt"), "{error}");
        std::fs::write(folder.join("arrivals.txt"), "1\n2\n").unwrap();
        assert_eq!(file().run().unwrap().goodput.achieved, 2);
        assert_eq!(file().with_file("arrivals.txt", "1\n").run().unwrap().goodput.achieved, 1);
        let error = Scenario::file(folder.join("tt.ron")).unwrap_err().to_string();
        assert!(error.ends_with("did you mean `t.ron`?"), "{error}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
