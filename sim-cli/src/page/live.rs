//! What `sim watch` shows of its runs: the parts of a chapter, those that change first.

use maud::html;
use serde_json::Value;

use super::findings::findings;
use super::{Chapter, Room, chapter, numbers, prose};

/// A chapter as a part of a page that has its style and its scripts.
pub struct Live {
    /// Its elements.
    pub html: String,
    /// What the scripts draw.
    pub numbers: Vec<Vec<Value>>,
}

/// The parts of a chapter.
pub fn live(own: &Chapter) -> Live {
    let room = Room { left_out: 0 };
    let outcome = &own.sides[0].outcome;
    let html = html! {
        h3 { "Over time" }
        div .explorer data-chapter="0" hidden {}
        details {
            summary { "All panels as pictures" }
            (chapter::pictures(own, 0, room, "timeline", &|side| vec![&side.timeline]))
        }
        (chapter::told(own, 0, room))
        h3 { "Latency" }
        (chapter::pictures(own, 0, room, "latency", &|side| side.latencies.iter().collect()))
        h3 { "Who asks whom" }
        (chapter::pictures(own, 0, room, "topology", &|side| side.topology.iter().collect()))
        h3 { "What it is about" }
        p .about { (prose(&outcome.about)) }
        @if !outcome.hypothesis.is_empty() {
            p .hypothesis { strong { "Expected: " } (prose(&outcome.hypothesis)) }
        }
        (chapter::written(own, 0, room, &findings(own, 0)))
    };
    Live { html: html.into_string(), numbers: numbers::of(std::slice::from_ref(own), room) }
}
