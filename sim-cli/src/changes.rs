//! What changes a scenario before it runs.

use clap::Args;

/// A path into a scenario, and the value that it gets.
pub type Set = (String, String);

/// What changes a scenario before it runs.
#[derive(Clone, Debug, Default, Args)]
pub struct Changes {
    /// Replace the value at a path, as in `actors.api.workers=8`; may be repeated
    #[arg(long, value_name = "PATH=VALUE", value_parser = parse_set)]
    pub set: Vec<Set>,

    /// Run this variant of the scenario
    #[arg(long, value_name = "NAME")]
    pub variant: Option<String>,
}

/// Reads the value of a `--set`.
///
/// # Errors
/// A text without a path or without `=`.
pub fn parse_set(text: &str) -> Result<Set, String> {
    match text.split_once('=') {
        Some(("", _)) => Err("no path stands before the `=`".to_owned()),
        Some((path, value)) => Ok((path.to_owned(), value.to_owned())),
        None => Err("write a path, `=` and a value, as in `horizon=5m`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_without_a_path_or_value_is_refused() {
        for set in ["horizon", "=5m", ""] {
            assert!(parse_set(set).is_err(), "{set}");
        }
        assert_eq!(parse_set("a.b=c=d"), Ok(("a.b".to_owned(), "c=d".to_owned())));
    }
}
