//! Planted defects: mistakes that a person could make in the models, each found by some law, trace
//! or invariant.
//!
//! The product knows nothing of them. [`plant`] copies its sources into a folder under `target` and
//! puts all defects of `mutants.ron` in at once, each behind a switch, so that one build serves
//! them all. [`hunt`] runs the killer of each: it must pass while nothing is switched on, and fail
//! when its defect is.
//!
//! Whether each defect still has its place is a quick test. The hunt takes minutes, so that it is
//! ignored by default; `.ci/run` asks for it.

mod hunt;
mod list;
mod page;
mod plant;

use std::path::{Path, PathBuf};

use list::Defect;

/// The workspace.
fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("two folders below the workspace")
}

/// Where the copy lies.
fn copy() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("mutants")
}

#[test]
fn every_defect_has_its_place() {
    let wrong: Vec<String> = list::all().iter().filter_map(|defect| defect.misplaced()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn names_are_given_once_and_there_are_forty() {
    let defects = list::all();
    let mut names: Vec<&str> = defects.iter().map(|defect| defect.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), defects.len(), "a name is given twice");
    assert!(names.len() >= 40, "{} defects", names.len());
}

#[test]
fn the_page_shows_the_list() {
    page::same_as_written(&list::all());
}

#[test]
#[ignore = "builds the models anew and takes minutes: cargo test -p sim-mutants -- --ignored"]
fn each_planted_defect_is_found() {
    let defects: Vec<Defect> = list::all();
    plant::plant(&defects, &copy());
    let survivors = hunt::survivors(&defects, &copy());
    assert!(survivors.is_empty(), "\n{}", survivors.join("\n"));
}
