//! What the scripts of a page draw: the numbers behind its timelines.

use serde::Serialize;
use serde_json::Value;

use super::{Chapter, Page, Part, Room, Side, said};
use crate::chart::Readout;

#[derive(Serialize)]
struct OfSide<'a> {
    name: String,
    runs: Vec<OfRun<'a>>,
}

#[derive(Serialize)]
struct OfRun<'a> {
    /// As a text: a script rounds what is beyond 2^53.
    seed: String,
    verdict: &'static str,
    headline: String,
    #[serde(flatten)]
    numbers: &'a Readout,
}

/// The numbers of each chapter's sides, as JSON that no text in it can end.
pub fn embedded(page: &Page, room: Room) -> String {
    let json = serde_json::to_string(&of(&page.chapters, room));
    // Within a script `</` would end it, and `<!--` would begin a comment.
    json.expect("names are strings, numbers finite").replace('<', "\\u003c")
}

/// The numbers of each chapter's sides.
pub fn of(chapters: &[Chapter], room: Room) -> Vec<Vec<Value>> {
    let sides = if room.has(Part::Variants) { usize::MAX } else { 1 };
    let seeds = match (room.has(Part::Seeds), room.has(Part::ManySeeds)) {
        (true, true) => usize::MAX,
        (true, false) => super::SEEDS_LEAST,
        _ => 1,
    };
    let side = |side: &'_ Side| {
        let runs = side.glances.iter().take(seeds).map(|glance| OfRun {
            seed: glance.run_id.seed.to_string(),
            verdict: glance.verdict.name(),
            headline: said(&glance.headline),
            numbers: &glance.numbers,
        });
        serde_json::to_value(OfSide { name: said(&side.name), runs: runs.collect() })
    };
    let chapters = chapters.iter().map(|chapter| {
        let sides = chapter.sides.iter().take(sides).map(side);
        sides.collect::<Result<Vec<_>, _>>().expect("names are strings, numbers finite")
    });
    chapters.collect()
}
