//! Where charts go.

use std::fs;
use std::path::{Path, PathBuf};

use sim_models::Scenario;

use crate::console;
use crate::diagnostics::Failure;

/// The longest name of a chart in bytes; file systems end at 255.
const NAME_MAX: usize = 200;

/// Where the chart of a scenario's variant goes. A number sets apart variants whose names read
/// alike as file names.
pub fn path(out: &Path, scenario: &Scenario, variant: Option<&str>) -> PathBuf {
    let Some(variant) = variant else {
        return out.join(format!("{}.svg", file_name(scenario.name())));
    };
    let stem = |variant: &str| file_name(&format!("{}-{variant}", scenario.name()));
    let name = stem(variant);
    let variants = scenario.variants();
    let alike = variants.iter().take_while(|other| *other != variant).filter(|v| stem(v) == name);
    match alike.count() {
        0 => out.join(format!("{name}.svg")),
        n => out.join(format!("{name}-{}.svg", n + 1)),
    }
}

/// Where a chart goes that has a name of its own.
pub fn named(out: &Path, name: &str) -> PathBuf {
    out.join(format!("{}.svg", file_name(name)))
}

/// Writes a chart.
///
/// # Errors
/// When it or its folder cannot be written.
pub fn keep(path: &Path, svg: &str) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let write = || {
        fs::create_dir_all(folder)?;
        fs::write(path, svg)
    };
    write().map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))
}

/// Writes a study's chart under a name and says where.
///
/// # Errors
/// When it or its folder cannot be written.
pub fn keep_study(out: &Path, name: &str, svg: &str, json: bool) -> Result<(), Failure> {
    let path = named(out, name);
    keep(&path, svg)?;
    console::tell_where("chart", &path, json)
}

/// `name` as every file system takes it: lower-case letters, digits, `_` and single dashes.
fn file_name(name: &str) -> String {
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
        let path = |variant| path(Path::new("out"), &scenario, variant);
        assert_eq!(path(None), Path::new("out/twin.svg"));
        assert_eq!(path(Some("a b")), Path::new("out/twin-a-b.svg"));
        assert_eq!(path(Some("a-b")), Path::new("out/twin-a-b-2.svg"));
        assert_eq!(path(Some("A b")), Path::new("out/twin-a-b-3.svg"));
    }
}
