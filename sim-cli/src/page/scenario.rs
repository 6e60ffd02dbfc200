//! The text of a scenario, each line with an anchor, and beside a line what was found about it.

use maud::{Markup, html};

use super::findings::Finding;
use super::{Chapter, said};

/// The text of a chapter's file with its findings; `n` is the chapter's number.
pub fn text(chapter: &Chapter, n: usize, findings: &[Finding]) -> Markup {
    let line = |(number, text): (usize, &str)| {
        let own = findings.iter().filter(|finding| finding.line == number);
        let own: Vec<&Finding> = own.collect();
        html! {
            span .line .marked[!own.is_empty()] id={ "c" (n) "-L" (number) } {
                a .number href={ "#c" (n) "-L" (number) } { (number) }
                code { (clean(text)) }
            }
            @for finding in own {
                span .finding .bad[finding.is_bad] id=(finding.id) {
                    (of(chapter, finding)) " " (more(finding))
                }
            }
        }
    };
    html! {
        div .scenario { @for numbered in (1..).zip(chapter.text.lines()) { (line(numbered)) } }
    }
}

/// What is bad of the findings, as a list that leads to their lines.
pub fn list(chapter: &Chapter, n: usize, findings: &[Finding]) -> Markup {
    let bad: Vec<&Finding> = findings.iter().filter(|finding| finding.is_bad).collect();
    html! {
        @if bad.is_empty() { p { "At no line anything broke, missed or was refused." } }
        ul .findings {
            @for finding in bad {
                li .bad {
                    a href={ "#c" (n) "-L" (finding.line) } { "line " (finding.line) }
                    " " (of(chapter, finding)) " " (more(finding))
                }
            }
        }
    }
}

/// Whose it is needs to be said only where it is not of all.
fn of(chapter: &Chapter, finding: &Finding) -> Markup {
    let names = finding.sides.iter().map(|side| &chapter.sides[*side].name[..]);
    let names: Vec<&str> = names.collect();
    html! {
        @if names.len() < chapter.sides.len() { em { (said(&names.join(", "))) ": " } }
        (said(&finding.what))
    }
}

fn more(finding: &Finding) -> Markup {
    html! { @if let Some(more) = &finding.more { a href={ "#" (more) } { "more" } } }
}

/// A line as a page can hold it; a tab stays.
fn clean(line: &str) -> String {
    line.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
}
