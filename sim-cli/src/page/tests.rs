//! Laws of the page that need no browser.

use std::collections::BTreeSet;

use sim_models::Spot;
use sim_models::anatomy::{Anatomy, Part as Piece, Stack};
use sim_models::outcome::Outcome;

use super::*;
use crate::report::{Depth, View};
use crate::samples;
use crate::text::Style;

const TEXT: &str = "Scenario(\n    name: \"payment\",\n    // <script>&\"'\n)";

fn piece(name: &str, line: usize, text: &str) -> Piece {
    let spot = Spot { label: "payment.ron".to_owned(), line, text: text.to_owned() };
    Piece { name: name.to_owned(), path: String::new(), spot }
}

fn anatomy(outcome: &Outcome) -> Anatomy {
    let invariants = outcome.invariants.iter().map(|i| piece(&i.name, 2, "")).collect();
    let faults = outcome.faults.iter().map(|fault| piece(&fault.label, 3, "")).collect();
    let layers = vec![piece("Breaker", 1, "Breaker(Consecutive(failures: 5))")];
    let (from, to, policy) = ("api".to_owned(), "psp".to_owned(), "provider".to_owned());
    let hops = vec![(from.clone(), to.clone())];
    let stacks = vec![Stack { from, to, policy, layers }];
    Anatomy { invariants, faults, links: Vec::new(), stacks, hops }
}

fn side(name: &str, outcome: Outcome) -> Side {
    let repeat = "sim run payment.ron --seed 7".to_owned();
    let glance = |outcome: &Outcome| Glance {
        run_id: outcome.run_id.clone(),
        digest: outcome.digest,
        verdict: outcome.verdict,
        headline: crate::finding::headline(outcome),
        repeat: repeat.clone(),
        numbers: chart::readout(outcome),
    };
    let told = chart::sequence(&samples::lost_answer(), None, &repeat);
    let story = |breaks, picture| Story {
        breaks,
        title: "shoppers-17".to_owned(),
        picture,
        repeat: "sim why payment.ron".to_owned(),
    };
    Side {
        name: name.to_owned(),
        repeat: repeat.clone(),
        anatomy: anatomy(&outcome),
        warnings: vec!["a < b".to_owned()],
        timeline: chart::timeline(&outcome, &repeat),
        latencies: chart::distributions(&outcome, &repeat),
        topology: chart::topology(&outcome, &anatomy(&outcome), &repeat),
        stories: vec![story(Some(0), Ok(told)), story(None, Err("nobody's".to_owned()))],
        figures: figures(&outcome, &repeat),
        verdicts: vec![outcome.verdict; 2],
        glances: vec![glance(&outcome), glance(&outcome)],
        outcome,
    }
}

fn page(sides: Vec<Side>) -> Page {
    let chapter = Chapter {
        label: "payment.ron".to_owned(),
        text: TEXT.to_owned(),
        sides,
        decision: Some(Decision::of_runs(&[samples::outage(), samples::outage()])),
        study: None,
        map: None,
    };
    Page {
        chapters: vec![chapter],
        is_called_off: false,
        repeat: "sim report payment.ron".to_owned(),
    }
}

fn sample() -> Page {
    let mut naive = samples::outage();
    naive.digest += 1;
    page(vec![side("base", samples::outage()), side("naive", naive)])
}

/// The tags of a page, without what stands in scripts and styles.
fn tags(html: &str) -> Vec<&str> {
    let (mut tags, mut rest) = (Vec::new(), html);
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>').expect("a tag ends");
        let tag = &rest[start + 1..end];
        tags.push(tag);
        rest = &rest[end + 1..];
        for raw in ["script", "style"] {
            if tag.split(' ').next() == Some(raw) {
                rest = &rest[rest.find(&format!("</{raw}")).expect("it ends")..];
            }
        }
    }
    tags
}

fn attributes<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let mark = format!(" {name}=\"");
    let parts = tags(html).into_iter().flat_map(|tag| tag.split(&mark).skip(1).collect::<Vec<_>>());
    parts.map(|part| part.split('"').next().expect("a value ends")).collect()
}

fn assert_well_formed(html: &str) {
    assert!(html.starts_with("<!DOCTYPE html>"));
    const VOID: [&str; 3] = ["meta", "link", "br"];
    let mut open = Vec::new();
    for tag in tags(html).into_iter().skip(1) {
        let name = tag.trim_start_matches('/').split([' ', '/', '\n']).next().unwrap_or_default();
        match tag {
            _ if tag.starts_with('/') => assert_eq!(open.pop(), Some(name), "closed out of order"),
            _ if tag.ends_with('/') || VOID.contains(&name) => {}
            _ => open.push(name),
        }
        assert!(tag.matches('"').count().is_multiple_of(2), "{tag}");
    }
    assert!(open.is_empty(), "left open: {open:?}");
}

/// What the terminal tells of a run.
fn figures(outcome: &Outcome, repeat: &str) -> String {
    let view = View { style: Style::plain(), depth: Depth::Figures };
    crate::report::text(outcome, repeat, &view)
}

#[test]
fn a_page_is_well_formed_and_the_same_again() {
    let html = super::html(&sample());
    assert_well_formed(&html);
    assert_eq!(html, super::html(&sample()));
}

#[test]
fn every_link_leads_somewhere_and_every_id_is_there_once() {
    let html = super::html(&sample());
    let ids = attributes(&html, "id");
    let known: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(known.len(), ids.len(), "an id is there twice");
    let links = attributes(&html, "href");
    assert!(links.len() > 10);
    for link in links {
        let target = link.strip_prefix('#');
        assert!(link == "data:," || target.is_some_and(|id| known.contains(id)), "{link}");
    }
}

#[test]
fn nothing_is_loaded() {
    let html = super::html(&sample());
    assert!(attributes(&html, "src").is_empty());
    for load in ["http:", "https:", "@import", "url(//", "fetch(", "XMLHttpRequest", "WebSocket"] {
        assert!(!html.contains(load), "{load}");
    }
    assert!(html.contains("default-src 'none'"));
}

#[test]
fn whatever_a_file_says_is_text() {
    let hostile = samples::hostile();
    let mut page = page(vec![side(&hostile.scenario.clone(), hostile)]);
    page.chapters[0].text = "</pre></script><script>alert(1)</script>\u{0}\u{1b}[31m".to_owned();
    page.chapters[0].sides[0].figures += "</pre><img src=x>";
    page.repeat = "sim report '<b>'".to_owned();
    let html = super::html(&page);
    assert_well_formed(&html);
    assert_eq!(html.matches("<script").count(), 2, "the numbers and the script, and no other");
    assert!(html.chars().all(|c| c == '\n' || c == '\t' || !c.is_control()));
    let markdown = super::markdown(&page, &[Vec::new()]);
    let outside_of_code = markdown.split('`').step_by(2).collect::<String>();
    assert!(!outside_of_code.contains("<script"), "{markdown}");
    assert!(!markdown.contains('\u{1b}'), "{markdown}");
}

#[test]
fn each_finding_stands_at_its_line_and_leads_to_more() {
    let html = super::html(&sample());
    let line = |n: usize| html.find(&format!("id=\"c0-L{n}\"")).expect("a line");
    let broken = html.find("broken: 3 violations, first at 34.127s").expect("a finding");
    assert!(html.contains("<a href=\"#c0-s0-i0\">more</a>"));
    let at = html[line(2)..line(3)].contains("broken: 3 violations, first at 34.127s");
    assert!(at, "{broken}");
    assert!(html[line(3)..].contains("psp: errors 100% (503): struck from 30s to 50s"));
    assert!(html[line(1)..line(2)].contains("api-&gt;psp: breaker open, 1,322 times"));
}

#[test]
fn a_page_that_is_too_large_leaves_out_the_least_and_says_so() {
    let mut page = sample();
    page.chapters[0].sides[0].figures = "figures ".repeat(400_000);
    let html = super::html(&page);
    assert!(html.len() <= SIZE_MAX);
    assert_well_formed(&html);
    for part in [Part::Logs, Part::ManySeeds, Part::Log, Part::Seeds, Part::Slowest, Part::Figures]
    {
        assert!(html.contains(part.name()), "{part:?}");
    }
    assert!(!html.contains(Part::Numbers.name()) && html.contains("id=\"numbers\""));
    page.chapters[0].text = "x\n".repeat(500_000);
    let html = super::html(&page);
    assert!(html.len() <= SIZE_MAX && html.contains(Part::Scenario.name()));
    assert_well_formed(&html);
    assert!(!super::html(&sample()).contains("larger than 2 MB"));
}

#[test]
fn the_numbers_of_scripts_are_those_of_the_run() {
    let html = super::html(&sample());
    let start = html.find("id=\"numbers\">").expect("numbers") + 13;
    let json = &html[start..start + html[start..].find("</script>").expect("an end")];
    let numbers: serde_json::Value = serde_json::from_str(json).expect("JSON");
    assert_eq!(numbers[0][1]["name"], "naive");
    assert_eq!(numbers[0][0]["runs"][1]["seed"], "7");
    assert_eq!(numbers[0][0]["runs"][0]["end"], 120.0);
}

#[test]
fn one_run_that_breaks_makes_the_verdict() {
    let mut side = side("base", samples::outage());
    side.verdicts[0] = Verdict::Kept;
    assert_eq!(side.verdict(), Verdict::Violated);
    side.verdicts[1] = Verdict::NothingChecked;
    assert_eq!(side.verdict(), Verdict::Kept);
}
