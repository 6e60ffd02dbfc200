//! The report for a pull request: verdict, table, the first story, and the commands.

use std::fmt::Write as _;

use sim_models::outcome::Verdict;

use super::{CALLED_OFF, Chapter, Page, prose, said};
use crate::decision;
use crate::story;
use crate::text::plain;

/// The page as Markdown. `pictures` names the files beside it, one list a chapter.
pub fn markdown(page: &Page, pictures: &[Vec<String>]) -> String {
    let mut text = String::new();
    if page.is_called_off {
        let _ = writeln!(text, "{CALLED_OFF}\n");
    }
    for (chapter, pictures) in page.chapters.iter().zip(pictures) {
        text += &of(chapter, pictures);
    }
    let _ = writeln!(text, "Made by {}.", code(&page.repeat));
    text
}

fn of(chapter: &Chapter, pictures: &[String]) -> String {
    let first = &chapter.sides[0].outcome;
    let all = chapter.sides.len();
    let mark = |(verdict, count): (Verdict, usize)| {
        let verdict = verdict.to_string().to_uppercase();
        if count < all { format!("{verdict} {count} of {all}") } else { verdict }
    };
    let marks: Vec<String> = chapter.verdicts().into_iter().map(mark).collect();
    let mut text = format!("## {}: {}\n\n", words(&first.scenario), marks.join(", "));
    let _ = writeln!(text, "**{}.**\n", words(&chapter.finding()));
    if !first.hypothesis.is_empty() {
        let _ = writeln!(text, "Expected: {}\n", escaped(&prose(&first.hypothesis)));
    }
    if let Some(decision) = &chapter.decision {
        let _ = writeln!(text, "{}", decision::write::markdown(decision));
    }
    text += "| variant | verdict | finding |\n|---|---|---|\n";
    for side in &chapter.sides {
        let (name, headline) = (words(&side.name), words(&side.glances[0].headline));
        let _ = writeln!(text, "| {name} | {} | {headline} |", side.verdict());
    }
    text.push('\n');
    if let Some(picture) = pictures.first() {
        let _ = writeln!(text, "![{}]({picture})\n", words(&first.scenario));
    }
    text += &first_story(chapter);
    text += "Repeat it:\n\n```sh\n";
    for glance in chapter.sides.iter().map(|side| &side.glances[0]) {
        let _ = writeln!(text, "{}  # digest {:016x}", plain(&glance.repeat), glance.digest);
    }
    text + "```\n\n"
}

/// How the first promise broke, of the first side that breaks one.
fn first_story(chapter: &Chapter) -> String {
    let violated = |side: &&super::Side| side.outcome.verdict == Verdict::Violated;
    let Some(side) = chapter.sides.iter().find(violated) else { return String::new() };
    let Some((result, violation)) = crate::finding::first_broken(&side.outcome) else {
        return String::new();
    };
    let mut text = format!("{} breaks {}: ", words(&side.name), code(&result.name));
    let _ = writeln!(text, "{}\n\n```text", words(&violation.witness));
    for line in story::lines(&side.outcome, violation) {
        let mark = if line.breaks { '>' } else { ' ' };
        let _ = writeln!(text, "{mark} {}", said(&line.text).replace("```", "'''"));
    }
    text + "```\n\n"
}

/// Text that no renderer of Markdown takes for anything else.
fn words(text: &str) -> String {
    escaped(&said(text))
}

fn escaped(text: &str) -> String {
    let mut safe = String::new();
    for c in text.chars() {
        match c {
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '&' => safe += "&amp;",
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '!' => safe.extend(['\\', c]),
            _ => safe.push(c),
        }
    }
    safe
}

/// Text as code, with a fence that is longer than any in it.
fn code(text: &str) -> String {
    let text = said(text);
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let room = if longest > 0 { " " } else { "" };
    format!("{fence}{room}{text}{room}{fence}")
}
