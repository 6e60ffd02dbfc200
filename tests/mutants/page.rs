//! The page that shows the list.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::list::Defect;
use crate::root;

const PAGE: &str = "docs/PLANTED.md";

const PREFACE: &str = "# Planted defects\n\n\
    Who tests the tests? Each row is a mistake that a person could make in the models. A harness \
    plants it into a copy, and the test beside it must fail. A defect that no test finds is a \
    failure of the build.\n\n\
    [`tests/mutants`](../tests/mutants/mutants.ron) has the list with the changed code. \
    `cargo test -p sim-mutants` checks this page and that each place still exists; \
    `cargo test -p sim-mutants -- --ignored` plants them all, and takes minutes.\n";

/// Asserts that the page is that of the list; if not, says how to take the new one.
pub fn same_as_written(defects: &[Defect]) {
    let text = page(defects);
    if fs::read_to_string(root().join(PAGE)).unwrap_or_default() != text {
        let new = Path::new(env!("CARGO_TARGET_TMPDIR")).join("docs-PLANTED.md");
        fs::write(&new, text).expect("the new text");
        panic!("{PAGE} differs. If it should, take the new one:\n  cp {} {PAGE}", new.display());
    }
}

fn page(defects: &[Defect]) -> String {
    let mut text = PREFACE.to_owned();
    let _ = writeln!(text, "\nThere are {} of them.", defects.len());
    let mut area = "";
    for defect in defects {
        if defect.area != area {
            area = &defect.area;
            let _ = writeln!(text, "\n## {area}\n\n| defect | where | found by |\n|---|---|---|");
        }
        let Defect { what, file, package, test, .. } = defect;
        let _ = writeln!(text, "| {what} | [`{file}`](../{file}) | `{package}`, `{test}` |");
    }
    text
}
