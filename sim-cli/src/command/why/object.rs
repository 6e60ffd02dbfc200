//! A sequence as one JSON object. Times are milliseconds of virtual time.

use serde_json::{Value, json};
use sim_models::explore::turning::Turning;
use sim_models::why::{Fate, Hold, HoldEnd, Row, Sequence, Tone, Way, What};

use crate::json::{ms, pretty};
use crate::text::plain;
use crate::turning;

/// The version of the object.
pub(crate) const SCHEMA: u32 = 1;

pub(super) fn object(sequence: &Sequence, turned: Option<&Turning>, repeat: &str) -> String {
    let lifelines = sequence
        .lifelines
        .iter()
        .map(|lifeline| json!({ "name": lifeline.name, "kind": lifeline.kind.name() }));
    pretty(&json!({
        "schema": SCHEMA,
        "scenario": sequence.scenario,
        "variant": sequence.variant,
        "seed": sequence.seed,
        "digest": format!("{:016x}", sequence.digest),
        "intents": sequence.intents,
        "broken": sequence.broken.as_ref().map(|broken| json!({
            "promise": broken.promise, "witness": broken.witness, "row": broken.row,
        })),
        "lifelines": lifelines.collect::<Vec<_>>(),
        "rows": sequence.rows.iter().map(row).collect::<Vec<_>>(),
        "holds": sequence.holds.iter().map(hold).collect::<Vec<_>>(),
        "left_out": sequence.left_out,
        "left_out_before": sequence.left_out_before,
        "turning": turned.map(turning::object),
        "repeat": plain(repeat),
    }))
}

fn row(row: &Row) -> Value {
    let what = match row.what {
        What::Message { from, to, way, until, fate } => {
            let way = match way {
                Way::Request => "request",
                Way::Answer => "answer",
                Way::Exchange => "exchange",
            };
            let fate = match fate {
                Fate::Arrives => "arrives",
                Fate::Lost => "lost",
                Fate::Forgotten => "forgotten",
                Fate::TooLate => "too_late",
            };
            json!({ "id": "message", "from": from, "to": to, "way": way, "until": until, "fate": fate })
        }
        What::Arrival { of, to } => json!({ "id": "arrival", "of": of, "to": to }),
        What::Deed { at } => json!({ "id": "deed", "at": at }),
        What::Across { from, to } => json!({ "id": "across", "from": from, "to": to }),
        What::Gap { lasts } => json!({ "id": "gap", "lasts_ms": lasts.as_secs_f64() * 1e3 }),
        What::Again { rows, times } => json!({ "id": "again", "rows": rows, "times": times }),
    };
    let tone = match row.tone {
        Tone::Plain => "plain",
        Tone::Decision => "decision",
        Tone::Effect => "effect",
        Tone::Trouble => "trouble",
        Tone::Fault => "fault",
        Tone::Healed => "healed",
        Tone::Violation => "violation",
    };
    json!({
        "at_ms": ms(row.at),
        "step": row.step,
        "intent": row.intent,
        "what": what,
        "text": row.text,
        "why": row.why,
        "tone": tone,
    })
}

fn hold(hold: &Hold) -> Value {
    let end = match hold.end {
        HoldEnd::Held => "held",
        HoldEnd::Released => "released",
        HoldEnd::Expired => "expired",
        HoldEnd::ByAnother => "by_another",
    };
    json!({
        "store": hold.store,
        "key": hold.key,
        "intent": hold.intent,
        "from": hold.from,
        "until": hold.until,
        "end": end,
    })
}
