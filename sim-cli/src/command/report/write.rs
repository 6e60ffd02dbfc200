//! Writes a page, its short form, and its pictures.

use std::path::{Path, PathBuf};

use crate::chart::Picture;
use crate::chart_file::{self, file_name};
use crate::diagnostics::Failure;
use crate::output;
use crate::page::{self, Chapter, Page, Side};

/// What was written, and where.
type Written = Vec<(&'static str, PathBuf)>;

/// Writes all files of a page; the page itself comes first in what is returned. Each picture is PNG
/// as well where that is asked for.
///
/// # Errors
/// A file that cannot be written.
pub fn page(page: &Page, out: &Path, as_png: bool) -> Result<Written, Failure> {
    let mut names = Vec::new();
    let mut pictures = Vec::new();
    for chapter in &page.chapters {
        let mut own = Vec::new();
        for (name, picture) in pictures_of(chapter) {
            let file = format!("{}.svg", unused(&name, &mut names));
            let path = out.join(&file);
            chart_file::write(&path, picture, as_png)
                .map_err(|error| output::unwritable(&path, &error))?;
            own.push(file);
        }
        pictures.push(own);
    }
    let (html, markdown) = (out.join("report.html"), out.join("report.md"));
    output::write(&markdown, &page::markdown(page, &pictures))?;
    output::write(&html, &page::html(page))?;
    Ok(vec![("report", html), ("markdown", markdown)])
}

/// Every picture of a chapter under a name of its own, the one that says most first.
fn pictures_of(chapter: &Chapter) -> Vec<(String, &Picture)> {
    let scenario = &chapter.sides[0].outcome.scenario;
    let mut pictures = Vec::new();
    let studies = [("compare", &chapter.study), ("map", &chapter.map)];
    for (what, study) in studies {
        pictures.extend(study.iter().map(|study| (format!("{scenario}-{what}"), &study.picture)));
    }
    for side in &chapter.sides {
        let name = match &side.outcome.variant {
            Some(variant) => format!("{scenario}-{variant}"),
            None => scenario.clone(),
        };
        pictures.extend(of_side(side, &name));
    }
    pictures
}

fn of_side<'a>(side: &'a Side, name: &str) -> Vec<(String, &'a Picture)> {
    let mut pictures = vec![(name.to_owned(), &side.timeline)];
    pictures.extend(side.latencies.iter().map(|one| (format!("{name}-latency"), one)));
    pictures.extend(side.topology.iter().map(|one| (format!("{name}-topology"), one)));
    for (n, story) in (1..).zip(&side.stories) {
        pictures.extend(story.picture.iter().map(|one| (format!("{name}-why-{n}"), one)));
    }
    pictures
}

/// The name of a file that no picture has yet, also where file systems do not tell capitals.
fn unused(name: &str, names: &mut Vec<String>) -> String {
    let name = file_name(name);
    let (mut unused, mut n) = (name.clone(), 1);
    while names.contains(&unused) {
        n += 1;
        // Not cut again: that could take the number away.
        unused = format!("{name}-{n}");
    }
    names.push(unused.clone());
    unused
}
