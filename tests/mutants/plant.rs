//! A copy of the sources with all defects in it, each behind its switch.

use std::fs;
use std::path::{Path, PathBuf};

use crate::list::Defect;
use crate::root;

/// What of the workspace is copied.
const COPIED: [&str; 10] = [
    "Cargo.lock",
    "Cargo.toml",
    "docs",
    "rust-toolchain.toml",
    "scenarios",
    "sim-core",
    "sim-models",
    "tests/golden",
    "tests/it",
    "tests/Cargo.toml",
];

/// The crates that defects are planted in. Each gets a switch of its own.
const CRATES: [&str; 4] = ["sim-core", "sim-models", "sim-models/policies", "sim-models/redis"];

/// The variable that switches a defect on.
pub const SWITCH: &str = "SIM_PLANTED";

/// Makes the copy. A file that is as it should be stays untouched, so that it is not built again.
pub fn plant(defects: &[Defect], copy: &Path) {
    for part in COPIED {
        files(&root().join(part), &mut |file| {
            let name = file.strip_prefix(root()).expect("a part of the workspace");
            let bytes = fs::read(file).expect("a file of the workspace");
            let bytes = changed(name, defects).map_or(bytes, String::into_bytes);
            let target = copy.join(name);
            if fs::read(&target).ok().as_deref() != Some(bytes.as_slice()) {
                fs::create_dir_all(target.parent().expect("a folder")).expect("the copy");
                fs::write(target, bytes).expect("the copy");
            }
        });
    }
    fs::write(copy.join("tests/lib.rs"), "").expect("the copy");
}

/// The new text of a file that is not copied as it stands.
fn changed(name: &Path, defects: &[Defect]) -> Option<String> {
    let own: Vec<&Defect> = defects.iter().filter(|d| Path::new(&d.file) == name).collect();
    let is_root = CRATES.iter().any(|krate| name == Path::new(krate).join("src/lib.rs"));
    if name == Path::new("Cargo.toml") {
        return Some(workspace());
    }
    if own.is_empty() && !is_root {
        return None;
    }
    let text = fs::read_to_string(root().join(name)).expect("a source");
    let mut text = with(text, &own);
    if is_root {
        text.push_str(&switch());
    }
    Some(text)
}

/// The text with its defects, from the last to the first, so that places stay where they are.
fn with(mut text: String, defects: &[&Defect]) -> String {
    let mut places: Vec<(usize, usize, String)> = Vec::new();
    for defect in defects {
        assert!(defect.misplaced().is_none(), "{}", defect.misplaced().expect("why"));
        let [before, original, _] = defect.parts();
        let at = text.find(&defect.parts().concat()).expect("its place") + before.len();
        let Defect { name, defect, .. } = defect;
        let planted =
            format!("{{ if crate::planted::on({name:?}) {{ {defect} }} else {{ {original} }} }}");
        places.push((at, at + original.len(), planted));
    }
    places.sort();
    let apart = places.windows(2).all(|pair| pair[0].1 <= pair[1].0);
    assert!(apart, "two defects have one place: {places:?}");
    for (from, to, planted) in places.into_iter().rev() {
        text.replace_range(from..to, &planted);
    }
    text
}

/// The switch of a crate.
fn switch() -> String {
    format!(
        "\nmod planted {{\n    pub(crate) fn on(name: &str) -> bool {{\n        \
         static ON: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();\n        \
         let on = ON.get_or_init(|| std::env::var({SWITCH:?}).ok());\n        \
         on.as_deref() == Some(name)\n    }}\n}}\n"
    )
}

/// The workspace with the packages that are copied. They are compiled as fast as can be, and
/// what they depend on is that of the workspace's own tests.
fn workspace() -> String {
    let text = fs::read_to_string(root().join("Cargo.toml")).expect("the workspace");
    let left_out = ["sim-cli", "tests/benches", "tests/mutants", "default-members"];
    let is_kept = |line: &&str| !left_out.iter().any(|name| line.contains(name));
    let mut text: String = text.lines().filter(is_kept).flat_map(|line| [line, "\n"]).collect();
    for krate in ["core", "policies", "redis", "conform", "models", "tests"] {
        text.push_str(&format!(
            "\n[profile.test.package.sim-{krate}]\nopt-level = 0\ndebug = false\n"
        ));
    }
    text
}

/// Calls `each` with the files of a folder and those below it, or with the file itself.
fn files(path: &PathBuf, each: &mut dyn FnMut(&Path)) {
    if path.is_file() {
        return each(path);
    }
    let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    for entry in entries {
        files(&entry.expect("an entry").path(), each);
    }
}
