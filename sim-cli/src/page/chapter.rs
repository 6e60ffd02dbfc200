//! One scenario of a page, from its verdict to the commands that repeat it.

use maud::{Markup, PreEscaped, html};
use sim_models::outcome::Verdict;

use super::findings::{self, findings};
use super::{
    Chapter, Glance, Part, Room, Side, Study, decision, hops, limits, prose, said, scenario,
    stories, verdict,
};
use crate::chart::Picture;
use crate::text::plain;
use crate::words;

/// More sides than that are named without their pictures where there is little room.
const SIDES_MAX: usize = 50;

/// The log's lines that a page holds of a side.
const LOG_MAX: usize = 1_000;

/// The chapter with number `n`.
pub fn chapter(n: usize, chapter: &Chapter, room: Room) -> Markup {
    if !room.has(Part::Chapters) {
        return html! {
            section id={ "c" (n) } { (head(chapter)) (verdicts(chapter, n, SIDES_MAX, false)) }
        };
    }
    let findings = findings(chapter, n);
    html! {
        section .chapter id={ "c" (n) } {
            (head(chapter))
            (verdicts(chapter, n, usize::MAX, true))
            @if let Some(told) = &chapter.decision {
                h3 { "Decide" }
                (decision::table(told))
            }
            @if let Some(study) = &chapter.study {
                h3 { "Many seeds" }
                (of_many(study, &format!("c{n}-study"), room))
            }
            h3 { "Over time" }
            @if room.has(Part::Numbers) { div .explorer data-chapter=(n) hidden {} }
            (pictures(chapter, n, room, "timeline", &|side| vec![&side.timeline]))
            @if chapter.sides.iter().any(|side| !side.latencies.is_empty()) {
                h3 { "Latency" }
                (pictures(chapter, n, room, "latency", &|side| side.latencies.iter().collect()))
            }
            @if let Some(map) = &chapter.map {
                h3 { "Map" }
                (of_many(map, &format!("c{n}-map"), room))
            }
            @if chapter.sides.iter().any(|side| side.topology.is_some()) {
                h3 { "Who asks whom" }
                (pictures(chapter, n, room, "topology", &|side| side.topology.iter().collect()))
                @if room.has(Part::Scenario) { (hops::hops(chapter, n, 0)) }
            }
            (told(chapter, n, room))
            (written(chapter, n, room, &findings))
            h3 { "Assumptions and limits" }
            (limits::limits(chapter, room))
            (repeats(chapter, n))
        }
    }
}

/// What was found, then what was expected.
fn head(chapter: &Chapter) -> Markup {
    let outcome = &chapter.sides[0].outcome;
    html! {
        h2 .chapter { (said(&outcome.scenario)) " " (marks(chapter)) }
        p .finding-of-all { (said(&chapter.finding())) "." }
        @if !outcome.hypothesis.is_empty() {
            p .hypothesis { strong { "Expected: " } (prose(&outcome.hypothesis)) }
        }
        @if !outcome.about.is_empty() { p .about { (prose(&outcome.about)) } }
    }
}

/// The verdicts of all sides, the worst first; where they differ, of how many.
pub fn marks(chapter: &Chapter) -> Markup {
    let all = chapter.sides.len();
    html! {
        @for (mark, count) in chapter.verdicts() {
            (verdict(mark)) " "
            @if count < all { span .of { (count) " of " (all) " " } }
        }
    }
}

/// One row a side: what its first seed found, and how many seeds found what. `is_whole` where the
/// page has what its links lead to.
fn verdicts(chapter: &Chapter, n: usize, most: usize, is_whole: bool) -> Markup {
    let sides = &chapter.sides;
    let omitted = sides.len().saturating_sub(most);
    let many = sides[0].verdicts.len() > 1;
    html! {
        @if sides.len() > 1 || many {
            div .wide {
                table .verdicts {
                    thead { tr {
                        th { "variant" } th { "verdict" }
                        @if many { th { (words::counted(sides[0].verdicts.len() as u64, "seed")) } }
                        th { "finding of seed " (sides[0].outcome.run_id.seed) }
                    } }
                    tbody {
                        @for (number, side) in sides.iter().enumerate().take(most) {
                            tr {
                                th {
                                    @if is_whole {
                                        a href={ "#c" (n) "-s" (number) } { (said(&side.name)) }
                                    } @else { (said(&side.name)) }
                                }
                                td { (verdict(side.verdict())) }
                                @if many { td { (tally(&side.verdicts)) } }
                                td { (said(&side.glances[0].headline)) }
                            }
                        }
                    }
                }
            }
        }
        @if omitted > 0 { p .warning { (words::counted(omitted as u64, "more variant")) " ran." } }
    }
}

/// `4 violated, 1 kept`.
fn tally(verdicts: &[Verdict]) -> String {
    let count = |verdict: Verdict| {
        let n = verdicts.iter().filter(|own| **own == verdict).count() as u64;
        (n > 0).then(|| format!("{} {verdict}", words::count(n)))
    };
    Verdict::ALL.into_iter().filter_map(count).collect::<Vec<_>>().join(", ")
}

fn of_many(study: &Study, id: &str, room: Room) -> Markup {
    html! {
        @if room.has(Part::Pictures) {
            div .wide { (PreEscaped(study.picture.inline(id))) }
        }
        p .repeat { code { (plain(&study.repeat)) } }
    }
}

/// Pictures of a kind of all sides: the first is open, the others unfold.
pub fn pictures(
    chapter: &Chapter,
    n: usize,
    room: Room,
    kind: &str,
    of: &dyn Fn(&Side) -> Vec<&Picture>,
) -> Markup {
    let shows =
        |number: usize| room.has(Part::Pictures) && (number == 0 || room.has(Part::Variants));
    html! {
        @for (number, side) in chapter.sides.iter().enumerate() {
            @if shows(number) && !of(side).is_empty() {
                details .(kind) open[number == 0] {
                    summary { (said(&side.name)) ", seed " (side.outcome.run_id.seed) }
                    @for (nth, picture) in of(side).into_iter().enumerate() {
                        div .wide {
                            (PreEscaped(picture.inline(&format!("c{n}-s{number}-{kind}{nth}"))))
                        }
                    }
                }
            }
        }
    }
}

/// What broke, what took longest, and all figures, side by side; what kept all is folded.
pub fn told(chapter: &Chapter, n: usize, room: Room) -> Markup {
    html! {
        h3 { "What happened" }
        @for (number, side) in chapter.sides.iter().enumerate() {
            @let id = format!("c{n}-s{number}");
            details .side open[number == 0 || side.outcome.verdict != Verdict::Kept] {
                summary {
                    h4 { (said(&side.name)) " " (verdict(side.outcome.verdict)) }
                    " " (said(&side.glances[0].headline))
                }
                // A link to what is within opens it.
                div id=(id) {
                    (stories::invariants(side, &id, room))
                    @if side.stories.iter().any(|story| story.breaks.is_none()) {
                        h4 { "The slowest" }
                        (stories::slowest(side, &id, room))
                    }
                    details .figures {
                        summary { "All figures" }
                        div id={ (id) "-figures" } {
                            @if room.has(Part::Figures) { pre { (multiline(&side.figures)) } }
                            @else { p .repeat { code { (plain(&side.repeat)) } } }
                        }
                    }
                    @if room.has(if number == 0 { Part::Log } else { Part::Logs }) {
                        (log(side, &id))
                    }
                }
            }
        }
    }
}

/// The log of the first seed's run.
fn log(side: &Side, id: &str) -> Markup {
    let log = &side.outcome.log;
    let kept = log.iter().count() as u64;
    let more = kept.saturating_sub(LOG_MAX as u64) + side.outcome.log_omitted;
    html! {
        @if kept > 0 {
            details .log id={ (id) "-log" } {
                summary { "Log, seed " (side.outcome.run_id.seed) }
                div .wide {
                    table {
                        @for line in log.iter().take(LOG_MAX) {
                            tr {
                                td { (line.at) } td { (said(&line.who)) }
                                td { @if let Some(intent) = &line.intent { (said(intent)) } }
                                td { (said(&line.what)) }
                            }
                        }
                    }
                }
                @if more > 0 {
                    p .quiet {
                        (words::counted(more, "more line")) " follow; " code { "sim run -v" }
                        " prints those that a run keeps."
                    }
                }
            }
        }
    }
}

pub fn written(chapter: &Chapter, n: usize, room: Room, findings: &[findings::Finding]) -> Markup {
    html! {
        h3 { "The scenario, and what was found at its lines" }
        @if room.has(Part::Scenario) {
            (scenario::list(chapter, n, findings))
            details open {
                summary { code { (said(&chapter.label)) } }
                (scenario::text(chapter, n, findings))
            }
        } @else { p { code { (said(&chapter.label)) } } }
    }
}

/// The commands that repeat every run, with what they must give: of each side the first, then all.
fn repeats(chapter: &Chapter, n: usize) -> Markup {
    let first = chapter.sides.iter().map(|side| &side.glances[0]);
    let others = chapter.sides.iter().flat_map(|side| &side.glances[1..]);
    html! {
        h3 id={ "c" (n) "-repeat" } { "Repeat it" }
        (commands(first))
        @if others.clone().next().is_some() {
            details {
                summary { "The other seeds" }
                (commands(others))
            }
        }
        @if chapter.sides[0].verdicts.len() > chapter.sides[0].glances.len() {
            p .quiet { "Further seeds were run and are counted above; " code { "--seed" }
                " repeats any of them." }
        }
    }
}

fn commands<'a>(glances: impl Iterator<Item = &'a Glance>) -> Markup {
    html! {
        div .wide {
            table .repeats {
                thead { tr { th { "command" } th { "verdict" } th { "digest" } th { "run" } } }
                tbody {
                    @for glance in glances {
                        tr {
                            td { code { (plain(&glance.repeat)) } }
                            td { (glance.verdict.to_string()) }
                            td { code { (format!("{:016x}", glance.digest)) } }
                            td { code { (glance.run_id.to_string()) } }
                        }
                    }
                }
            }
        }
    }
}

/// The text of the terminal, with its lines.
fn multiline(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}
