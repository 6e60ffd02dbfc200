//! The command that repeats what was done, quoted for a shell.

use std::fmt::{self, Display};
use std::path::Path;

use crate::changes::Set;

/// A command line that grows from left to right.
#[derive(Clone, Debug)]
pub struct Repeat(String);

impl Repeat {
    /// `sim` and the name of a command.
    pub fn new(command: &str) -> Repeat {
        Repeat(format!("sim {command}"))
    }

    /// Words of a command line, and no command.
    pub fn words() -> Repeat {
        Repeat(String::new())
    }

    /// `sim run` with all that decides what one run does.
    pub fn run(scenario: &Path, variant: Option<&str>, sets: &[Set], seed: u64) -> Repeat {
        Repeat::new("run").file(scenario).changes(variant, sets).option("seed", seed)
    }

    /// A file.
    pub fn file(mut self, path: &Path) -> Repeat {
        let path = path.to_string_lossy();
        let guard = if path.starts_with('-') { "./" } else { "" };
        self.0 += &format!(" {}", quoted(&format!("{guard}{path}")));
        self
    }

    /// An option without a value.
    pub fn flag(mut self, name: &str) -> Repeat {
        self.0 += &format!(" --{name}");
        self
    }

    /// An option and its value.
    pub fn option(mut self, name: &str, value: impl Display) -> Repeat {
        let value = value.to_string();
        // A value that looks like an option must be joined to its own.
        let join = if value.starts_with('-') { '=' } else { ' ' };
        self.0 += &format!(" --{name}{join}{}", quoted(&value));
        self
    }

    /// What changes the scenario.
    pub fn changes(self, variant: Option<&str>, sets: &[Set]) -> Repeat {
        let line = variant.into_iter().fold(self, |line, variant| line.option("variant", variant));
        sets.iter().fold(line, |line, (path, value)| line.option("set", format!("{path}={value}")))
    }
}

impl Display for Repeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `text` as one word of a shell's command line, itself on one line.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:,@%+".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    if !text.chars().any(char::is_control) {
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    let mut word = "$'".to_owned();
    for c in text.chars() {
        match c {
            '\'' | '\\' => word.extend(['\\', c]),
            _ if c.is_control() => word += &format!("\\u{:04x}", u32::from(c)),
            _ => word.push(c),
        }
    }
    word + "'"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(file: &str, variant: Option<&str>, sets: &[(&str, &str)], seed: u64) -> String {
        let owned = |(path, value): &(&str, &str)| ((*path).to_owned(), (*value).to_owned());
        let sets: Vec<Set> = sets.iter().map(owned).collect();
        Repeat::run(Path::new(file), variant, &sets, seed).to_string()
    }

    #[test]
    fn the_command_repeats_the_run() {
        let file = "scenarios/payment.ron";
        assert_eq!(
            run(file, Some("no breaker"), &[("horizon", "1m")], 1),
            "sim run scenarios/payment.ron --variant 'no breaker' --set 'horizon=1m' --seed 1"
        );
        assert_eq!(run(file, None, &[], 7), "sim run scenarios/payment.ron --seed 7");
        assert_eq!(
            run("-x.ron", Some("-v"), &[("a", "it's \"b\"")], 2),
            r#"sim run ./-x.ron --variant=-v --set 'a=it'\''s "b"' --seed 2"#
        );
    }

    #[test]
    fn the_command_stays_on_one_line() {
        assert_eq!(quoted("[\n\t'1s']\\"), r"$'[\u000a\u0009\'1s\']\\'");
        assert_eq!(quoted(""), "''");
    }
}
