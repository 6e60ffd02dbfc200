//! The report that a design review is held over: one HTML file that needs nothing beside it.
//!
//! A page is a pure function of what it shows. It loads nothing, says everything without scripts,
//! and prints. Scripts add a cursor, zoom, choice and search; what they read is embedded as JSON.
//! A file that would be larger than [`SIZE_MAX`] leaves out the least important parts, and says so.

mod chapter;
mod decision;
mod findings;
mod hops;
mod limits;
mod live;
mod markdown;
mod numbers;
mod scenario;
mod stories;
#[cfg(test)]
mod tests;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use sim_models::anatomy::Anatomy;
use sim_models::outcome::{Outcome, RunId, Verdict};
use sim_models::{Scenario, SourceError};

use crate::chart::{self, Picture, Readout};
use crate::decision::Decision;
use crate::report::{Depth, View};
use crate::text::{Style, plain};
use crate::{finding, report};

pub use live::live;
pub use markdown::markdown;

/// What a review tool or a mail still takes: two million bytes.
pub const SIZE_MAX: usize = 2_000_000;

/// Names and sentences from a file are cut there, and what its author wrote of it here.
const TEXT_MAX: usize = 600;
const PROSE_MAX: usize = 6_000;

/// So many seeds of each side are still there when there is no room for all.
const SEEDS_LEAST: usize = 5;

/// How all that a page shows looks.
pub const STYLE: &str = include_str!("style.css");

/// What lets a reader point, zoom and choose. A page that has no numbers yet calls `tell` itself.
pub const SCRIPT: &str = include_str!("script.js");

/// Nothing may be loaded, whatever stands in the page.
const POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; \
                      script-src 'unsafe-inline'";

/// What is said where runs are missing.
pub const CALLED_OFF: &str =
    "Called off before all was run: what is here is of the runs that were done by then.";

/// What is reported.
pub struct Page {
    /// One chapter a scenario.
    pub chapters: Vec<Chapter>,
    /// Somebody ended it before all was run.
    pub is_called_off: bool,
    /// The command that makes it again.
    pub repeat: String,
}

/// One scenario: the file as it stands, and variants of it.
pub struct Chapter {
    /// The file, as it was typed.
    pub label: String,
    /// All of its text.
    pub text: String,
    /// The base and variants, in the order in which they were asked for; one at least.
    pub sides: Vec<Side>,
    /// What they keep, serve and cost side by side, where there are several.
    pub decision: Option<Decision>,
    /// What many seeds say of them, where several were run.
    pub study: Option<Study>,
    /// What is varied in it, where something is.
    pub map: Option<Study>,
}

/// A picture of many runs.
pub struct Study {
    /// The picture.
    pub picture: Picture,
    /// The command that repeats it.
    pub repeat: String,
}

/// A scenario in one form: the base, or a variant.
pub struct Side {
    /// `base`, or the variant's name.
    pub name: String,
    /// The run that is told in full: that of the first seed.
    pub outcome: Outcome,
    /// The command that repeats it.
    pub repeat: String,
    /// What it consists of.
    pub anatomy: Anatomy,
    /// What is allowed in it and yet unlikely to be meant.
    pub warnings: Vec<String>,
    /// The run over time.
    pub timeline: Picture,
    /// How long what users asked for took.
    pub latencies: Vec<Picture>,
    /// Who asks whom.
    pub topology: Option<Picture>,
    /// How promises broke, and the slowest intents.
    pub stories: Vec<Story>,
    /// The report of the terminal.
    pub figures: String,
    /// The verdict of every seed that ran, from the first on.
    pub verdicts: Vec<Verdict>,
    /// The first seeds, those that can be chosen; the first of all among them.
    pub glances: Vec<Glance>,
}

/// One run in short.
pub struct Glance {
    /// The run.
    pub run_id: RunId,
    /// Its digest.
    pub digest: u64,
    /// Its verdict.
    pub verdict: Verdict,
    /// What it found.
    pub headline: String,
    /// The command that repeats it.
    pub repeat: String,
    /// What the scripts draw.
    pub numbers: Readout,
}

/// A sequence diagram.
pub struct Story {
    /// The place of the invariant that breaks in it, if one does.
    pub breaks: Option<usize>,
    /// What it is: `shoppers-17, never answered`.
    pub title: String,
    /// The diagram, or why there is none.
    pub picture: Result<Picture, String>,
    /// The command that repeats it.
    pub repeat: String,
}

/// What may be left out where there is no room, the least important first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Logs,
    ManySeeds,
    Log,
    Seeds,
    Slowest,
    Figures,
    Numbers,
    Sequences,
    Variants,
    Scenario,
    Pictures,
    Chapters,
}

impl Part {
    const ALL: [Part; 12] = [
        Part::Logs,
        Part::ManySeeds,
        Part::Log,
        Part::Seeds,
        Part::Slowest,
        Part::Figures,
        Part::Numbers,
        Part::Sequences,
        Part::Variants,
        Part::Scenario,
        Part::Pictures,
        Part::Chapters,
    ];

    const fn name(self) -> &'static str {
        match self {
            Part::Logs => "the logs of all variants but the first",
            Part::ManySeeds => "the timelines of all seeds but the first five",
            Part::Log => "the log",
            Part::Seeds => "the timelines of all seeds but the first",
            Part::Slowest => "the diagrams of the slowest intents",
            Part::Figures => "the tables of the terminal",
            Part::Numbers => "the numbers behind the timelines, and with them cursor and zoom",
            Part::Sequences => "the sequence diagrams",
            Part::Variants => "the pictures of all variants but the first",
            Part::Scenario => "the text of the scenario",
            Part::Pictures => "all other pictures",
            Part::Chapters => "all but the verdicts of the first variants",
        }
    }
}

/// What there is room for.
#[derive(Clone, Copy)]
struct Room {
    /// So many of the least important parts are left out.
    left_out: usize,
}

impl Room {
    fn has(self, part: Part) -> bool {
        part as usize >= self.left_out
    }

    fn left_out(self) -> &'static [Part] {
        &Part::ALL[..self.left_out]
    }
}

/// The page as one HTML document of at most [`SIZE_MAX`] bytes.
pub fn html(page: &Page) -> String {
    (0..=Part::ALL.len())
        .map(|left_out| document(page, Room { left_out }).into_string() + "\n")
        .find(|html| html.len() <= SIZE_MAX)
        .unwrap_or_else(|| html! { (DOCTYPE) p { "There is no room for this." } }.into_string())
}

/// What the head of every page begins with.
pub fn metas() -> Markup {
    html! {
        meta charset="utf-8";
        meta name="viewport" content="width=device-width, initial-scale=1";
        meta name="color-scheme" content="light dark";
    }
}

fn document(page: &Page, room: Room) -> Markup {
    let title = title(page);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                (metas())
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                link rel="icon" href="data:,";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (PreEscaped(chart::style()))
                header {
                    @if page.chapters.len() > 1 { h1 { (title) } }
                    (left_out(room))
                    @if page.chapters.len() > 1 {
                        ol .contents {
                            @for (n, chapter) in page.chapters.iter().enumerate() {
                                li {
                                    a href={ "#c" (n) } { (said(&chapter.name())) }
                                    " " (chapter::marks(chapter)) br;
                                    (said(&chapter.finding())) "."
                                }
                            }
                        }
                    }
                }
                main {
                    @if page.is_called_off { p .warning { (CALLED_OFF) } }
                    @for (n, chapter) in page.chapters.iter().enumerate() {
                        (chapter::chapter(n, chapter, room))
                    }
                }
                footer {
                    p { "Made by " code { (plain(&page.repeat)) } ", sim " (RunId::ENGINE) "." }
                }
                @if room.has(Part::Numbers) {
                    script type="application/json" id="numbers" {
                        (PreEscaped(numbers::embedded(page, room)))
                    }
                    script { (PreEscaped(SCRIPT)) }
                }
            }
        }
    }
}

fn title(page: &Page) -> String {
    match &page.chapters[..] {
        [chapter] => said(&chapter.name()),
        chapters => format!("{} scenarios", chapters.len()),
    }
}

fn left_out(room: Room) -> Markup {
    let parts: Vec<&str> = room.left_out().iter().map(|part| part.name()).collect();
    html! {
        @if !parts.is_empty() {
            p .warning {
                "This page would be larger than 2 MB. Left out are: " (parts.join("; ")) ". "
                "Fewer variants, seeds or files leave room for them."
            }
        }
    }
}

impl Chapter {
    /// What the scenario is called.
    fn name(&self) -> String {
        self.sides[0].outcome.scenario.clone()
    }

    /// Of all runs of the first side.
    pub fn verdict(&self) -> Verdict {
        self.sides[0].verdict()
    }

    /// What its sides were judged, the worst first, and how many of them were.
    pub fn verdicts(&self) -> Vec<(Verdict, usize)> {
        let count = |verdict: Verdict| {
            let n = self.sides.iter().filter(|side| side.verdict() == verdict).count();
            (n > 0).then_some((verdict, n))
        };
        WORST_FIRST.into_iter().filter_map(count).collect()
    }

    /// What tells its sides apart; of one alone, or where nothing does, what the first side found.
    pub fn finding(&self) -> String {
        let first = &self.sides[0].glances[0];
        let trigger = crate::finding::trigger(&self.sides[0].outcome);
        let told = self.decision.as_ref().and_then(|told| told.finding(trigger.as_deref()));
        told.map_or_else(|| first.headline.clone(), |finding| finding.text)
    }
}

impl Glance {
    /// Of a run that a command repeats.
    pub fn of(outcome: &Outcome, repeat: String) -> Glance {
        Glance {
            run_id: outcome.run_id.clone(),
            digest: outcome.digest,
            verdict: outcome.verdict,
            headline: finding::headline(outcome),
            repeat,
            numbers: chart::readout(outcome),
        }
    }
}

/// How the figures of a side are told.
const FIGURES: View = View { style: Style::plain(), depth: Depth::Figures };

impl Side {
    /// Of one run that a command repeats, without the stories of its intents.
    pub fn of(name: &str, scenario: &Scenario, outcome: Outcome, repeat: String) -> Side {
        let anatomy = Anatomy::of(scenario);
        Side {
            name: name.to_owned(),
            timeline: chart::timeline(&outcome, &repeat),
            latencies: chart::distributions(&outcome, &repeat),
            topology: chart::topology(&outcome, &anatomy, &repeat),
            stories: Vec::new(),
            figures: report::text(&outcome, &repeat, &FIGURES),
            warnings: scenario.warnings().iter().map(SourceError::to_string).collect(),
            anatomy,
            verdicts: vec![outcome.verdict],
            glances: vec![Glance::of(&outcome, repeat.clone())],
            outcome,
            repeat,
        }
    }

    /// The worst of its runs.
    pub fn verdict(&self) -> Verdict {
        let of = |verdict: &Verdict| self.verdicts.contains(verdict);
        WORST_FIRST.into_iter().find(of).unwrap_or(Verdict::NothingChecked)
    }
}

/// Which verdict of several stands for all: one run that is not well is enough, and one that was put
/// to the test.
const WORST_FIRST: [Verdict; 5] = [
    Verdict::Violated,
    Verdict::Invalid,
    Verdict::Unhealthy,
    Verdict::Kept,
    Verdict::NothingChecked,
];

/// A verdict as a mark whose word says it all.
pub fn verdict(verdict: Verdict) -> Markup {
    html! { strong .verdict .(verdict.name()) { (verdict.to_string().to_uppercase()) } }
}

/// What a file says, as a page can hold it: without control characters, and not without end.
pub fn said(text: &str) -> String {
    cut(text, TEXT_MAX)
}

/// What an author wrote of a scenario: all of it, unless it is longer than anybody reads.
fn prose(text: &str) -> String {
    cut(text, PROSE_MAX)
}

fn cut(text: &str, most: usize) -> String {
    let text = plain(text);
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
