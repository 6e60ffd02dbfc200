//! The scenarios that are built into the binary, by name: `shipped:payment`.

use std::path::{Path, PathBuf};

use include_dir::{Dir, DirEntry, include_dir};
use sim_models::closest;

use crate::diagnostics::Failure;

static SCENARIOS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../scenarios");

/// Stands before a shipped scenario's name where a file could stand.
const PREFIX: &str = "shipped:";

/// Designs are parts of scenarios, and none themselves.
const PARTS: &str = "designs";

/// A shipped scenario.
#[derive(Clone, Copy, Debug)]
pub struct Shipped {
    /// Where it lies below `scenarios`, without `.ron`: `failure-modes/FM-01-crash-after-charge`.
    pub name: &'static str,
    pub text: &'static str,
}

impl Shipped {
    /// What stands for it where a file could stand.
    pub fn path(self) -> PathBuf {
        PathBuf::from(format!("{PREFIX}{}", self.name))
    }
}

/// All of them; those of a folder stand together.
pub fn all() -> Vec<Shipped> {
    let mut found = Vec::new();
    collect(&SCENARIOS, &mut found);
    found.sort_by_key(|shipped| (shipped.name.contains('/'), shipped.name));
    found
}

fn collect(folder: &'static Dir<'_>, found: &mut Vec<Shipped>) {
    for entry in folder.entries() {
        match entry {
            DirEntry::Dir(inner) if inner.path() != Path::new(PARTS) => collect(inner, found),
            DirEntry::Dir(_) => {}
            DirEntry::File(file) => {
                let name = file.path().to_str().and_then(|path| path.strip_suffix(".ron"));
                found.extend(
                    name.zip(file.contents_utf8()).map(|(name, text)| Shipped { name, text }),
                );
            }
        }
    }
}

/// The name that was asked for, if a path asks for a shipped scenario.
pub fn asked(path: &Path) -> Option<&str> {
    path.to_str()?.strip_prefix(PREFIX)
}

/// A shipped scenario by its name, that of its file alone, or the beginning of either where no other
/// begins like it: `FM-01`.
///
/// # Errors
/// When there is none, or there are several.
pub fn find(wanted: &str) -> Result<Shipped, Failure> {
    let all = all();
    let wanted = wanted.strip_suffix(".ron").unwrap_or(wanted);
    let own = |shipped: &Shipped| shipped.name.rsplit('/').next().unwrap_or_default();
    if let Some(found) = all.iter().find(|s| s.name == wanted || own(s) == wanted) {
        return Ok(*found);
    }
    let begins = |s: &&Shipped| s.name.starts_with(wanted) || own(s).starts_with(wanted);
    let like: Vec<&Shipped> = all.iter().filter(begins).collect();
    if let [found] = like[..] {
        return Ok(*found);
    }
    let message = format!("no shipped scenario is called `{wanted}`");
    let help = match (like.first(), closest(wanted, all.iter().map(own))) {
        (Some(first), _) => {
            format!("{} begin like that; the first is `{PREFIX}{}`", like.len(), first.name)
        }
        (None, Some(near)) => format!("did you mean `{PREFIX}{near}`?"),
        (None, None) => "`sim list --shipped` lists all of them".to_owned(),
    };
    Err(Failure::with_help(message, help))
}

/// What to write instead of a file that is not there, if a shipped scenario has that name.
pub fn instead_of(file: &Path) -> Option<String> {
    let name = file.file_stem()?.to_str()?;
    all().iter().any(|s| s.name == name).then(|| format!("{PREFIX}{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(wanted: &str) -> Result<&'static str, String> {
        find(wanted).map(|shipped| shipped.name).map_err(|failure| failure.render(false))
    }

    #[test]
    fn a_name_its_file_and_a_beginning_that_is_its_own_find_a_scenario() {
        let first = Ok("failure-modes/FM-01-crash-after-charge");
        assert_eq!(found("failure-modes/FM-01-crash-after-charge"), first);
        assert_eq!(found("FM-01-crash-after-charge.ron"), first);
        assert_eq!(found("FM-01"), first);
        assert_eq!(found("payment"), Ok("payment"));
        assert_eq!(found("backoff"), Ok("published/backoff"), "a whole name comes first");
    }

    #[test]
    fn what_is_not_there_is_told_with_what_is() {
        assert!(found("paymnt").unwrap_err().contains("did you mean `shipped:payment`?"));
        assert!(found("FM-").unwrap_err().contains("36 begin like that"));
        assert!(found("").unwrap_err().contains("begin like that; the first is `shipped:"));
        assert!(found("designs/naive").unwrap_err().contains("sim list --shipped"));
    }
}
