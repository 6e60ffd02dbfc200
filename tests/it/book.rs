//! What the README and the book show is what happens: their scenarios load, their commands run, and
//! what they print is what is printed.
//!
//! A page is a story in a folder of its own. A block `ron NAME` is written to a file. Each `sim …` line
//! of a block `sh` runs. A block `console` has a command after `$ `, and below it what comes in its
//! output, in this order; where a text may stand anywhere further on, a line `…` stands before it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::support::{Told, binary, root, scratch};

/// A fenced block: what stands behind the fence, and its lines.
struct Block {
    info: String,
    text: String,
    line: usize,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (n, line) in page.lines().enumerate() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(info), None) => {
                open = Some(Block { info: info.to_owned(), text: String::new(), line: n + 1 });
            }
            (Some(_), Some(block)) => blocks.push(block),
            (None, Some(mut block)) => {
                block.text += line;
                block.text.push('\n');
                open = Some(block);
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a fence is open at the end");
    blocks
}

/// A folder as a reader has it: the scenarios and the recorded traces lie in it.
fn desk(name: &str) -> std::path::PathBuf {
    let folder = scratch(name);
    symlink(root().join("scenarios"), folder.join("scenarios")).expect("a link");
    fs::create_dir_all(folder.join("tests")).expect("a folder");
    symlink(root().join("tests/golden"), folder.join("tests/golden")).expect("a link");
    folder
}

/// Runs a command line in a shell, as a reader does.
fn shell(folder: &Path, line: &str) -> Told {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let own = binary().parent().expect("it lies somewhere").to_owned();
    let dirs = std::iter::once(own).chain(std::env::split_paths(&path));
    let path = std::env::join_paths(dirs).expect("a path");
    let mut shell = Command::new("sh");
    let shell = shell.args(["-c", line]).current_dir(folder).env("PATH", path);
    Told::of(shell.output().expect("a shell"))
}

/// Few seeds show as well as many that a command does what the page says.
fn quickly(line: &str) -> String {
    let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    for n in 1..words.len() {
        if words[n - 1] == "--seeds" {
            words[n] = "2".to_owned();
        }
    }
    if words.get(1).is_some_and(|word| word == "explore") && !line.contains("--budget") {
        words.insert(3, "--budget 20".to_owned());
    }
    words.join(" ")
}

/// Runs all that a page shows, in its order.
fn follow(page: &str) {
    let text = fs::read_to_string(root().join(page)).expect("the page");
    let folder = desk(&page.replace(['/', '.'], "_"));
    for Block { info, text, line } in blocks(&text) {
        let place = format!("{page}:{line}");
        let (language, name) = info.split_once(' ').unwrap_or((&info, ""));
        match language {
            "ron" if !name.is_empty() => fs::write(folder.join(name), text).expect("a file"),
            "sh" => {
                let joined = text.replace("\\\n", "");
                for line in joined.lines().filter(|line| line.trim().starts_with("sim ")) {
                    ran(&shell(&folder, &quickly(line.trim())), line, &place);
                }
            }
            "console" => {
                for session in text.split("$ ").skip(1) {
                    let (line, expected) = session.split_once('\n').unwrap_or((session, ""));
                    let told = shell(&folder, line);
                    ran(&told, line, &place);
                    said(&told, expected, &place);
                }
            }
            _ => {}
        }
    }
}

/// A finding is no mistake, but a command that cannot be done is.
fn ran(told: &Told, line: &str, place: &str) {
    assert!(matches!(told.code, Some(0 | 1)), "{place}: {line}\n{}{}", told.stdout, told.stderr);
}

/// Every line stands in the output, in this order, each right below the last unless `…` is between.
fn said(told: &Told, expected: &str, place: &str) {
    let output = format!("{}{}", told.stderr, told.stdout);
    let mut lines = output.lines();
    for wanted in expected.lines().filter(|line| *line != "…") {
        let found = lines.any(|line| line.contains(wanted.trim_end()));
        assert!(found, "{place}: nowhere further on is\n{wanted}\nin\n{output}");
    }
}

#[test]
fn the_tutorial_does_what_it_says() {
    follow("docs/TUTORIAL.md");
}

#[test]
fn each_how_to_does_what_it_says() {
    for page in pages("docs/how-to") {
        follow(&page);
    }
}

#[test]
fn the_commands_of_the_readme_run() {
    follow("README.md");
}

/// The pages of a folder, by their names below the workspace.
fn pages(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(folder)).expect("the folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let pages = names.map(|name| format!("{folder}/{}", name.to_string_lossy()));
    let mut pages: Vec<String> = pages.filter(|name| name.ends_with(".md")).collect();
    pages.sort();
    pages
}

/// Where a page links to, but for other sites: a page, or nothing for its own, and a place on it.
fn links(text: &str) -> Vec<(&str, &str)> {
    let ends = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let ends = ends.filter(|link| !link.contains("://") && !link.contains(char::is_whitespace));
    ends.map(|link| link.split_once('#').unwrap_or((link, ""))).collect()
}

/// The names that GitHub and mdbook give to the headings of a page.
fn anchors(text: &str) -> Vec<String> {
    let mut is_code = false;
    let mut anchors: Vec<String> = Vec::new();
    for line in text.lines() {
        is_code ^= line.starts_with("```");
        let title = line.trim_start_matches('#');
        if is_code || title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let kept = title.trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        let name: String = kept.flat_map(char::to_lowercase).collect();
        let name = name.replace(' ', "-");
        let same = anchors.iter().filter(|other| **other == name).count();
        anchors.push(if same == 0 { name } else { format!("{name}-{same}") });
    }
    anchors
}

#[test]
fn the_book_has_each_page_once_and_no_link_leads_nowhere() {
    let read = |page: &str| fs::read_to_string(root().join(page)).expect("the page");
    let summary = read("docs/SUMMARY.md");
    let mut listed: Vec<String> =
        links(&summary).iter().map(|(page, _)| format!("docs/{page}")).collect();
    listed.push("docs/SUMMARY.md".to_owned());
    listed.sort();
    let mut all = [pages("docs"), pages("docs/how-to")].concat();
    all.sort();
    assert_eq!(listed, all);
    let others = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"];
    let mut lost = Vec::new();
    let others = others.into_iter().chain(["scenarios/README.md", "scenarios/incidents/README.md"]);
    for page in all.iter().map(String::as_str).chain(others) {
        let text = read(page);
        let folder = root().join(page).parent().expect("its folder").to_owned();
        for (target, place) in links(&text) {
            let file = if target.is_empty() { root().join(page) } else { folder.join(target) };
            let is_there = file.exists()
                && (place.is_empty()
                    || anchors(&fs::read_to_string(&file).expect("a page"))
                        .iter()
                        .any(|name| name == place));
            if !is_there {
                lost.push(format!("{page} links to {target}#{place}"));
            }
        }
    }
    assert!(lost.is_empty(), "{}", lost.join("\n"));
}
