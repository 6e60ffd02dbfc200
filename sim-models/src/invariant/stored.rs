//! `StoredIsKnown`: what is stored as an answer is one whose outcome is known.

use sim_redis::value::{Texts, Value};

use super::write::{Act, Write};
use super::{Breach, Findings, Law, Scene, Seen, Topic};
use crate::plan::ActorId;

#[derive(Debug)]
pub(super) struct Stored {
    pub(super) store: ActorId,
}

impl Law for Stored {
    fn topics(&self) -> &'static [Topic] {
        &[Topic::Writes]
    }

    fn see(&mut self, seen: &Seen, scene: Scene<'_>, findings: &mut Findings) {
        let Seen::Written { store, intent, write: Write { key, act, .. }, .. } = *seen else {
            return;
        };
        if store != self.store {
            return;
        }
        let texts = scene.texts;
        let (outcome, value) = match act {
            Act::Set { value, .. } | Act::Push(value) => (of_value(texts, value), value),
            Act::Field { field, value } if texts.show(field) == "status" => {
                (of_status(value), value)
            }
            Act::Field { value, .. } => (of_value(texts, value), value),
            Act::Count | Act::Delete | Act::Live(_) => return,
        };
        findings.exercised |= outcome != Outcome::NotSaid;
        if outcome == Outcome::Open {
            findings.violated(scene.now, || {
                let (name, key, value) = (scene.intent(intent), texts.text(key), texts.show(value));
                let witness =
                    format!("{name} stored {value} under {key} while its outcome is open");
                let store = scene.plan.actor_name(store);
                Breach::by(intent, store, format!("stores {value} under {key}"), witness)
            });
        }
    }
}

/// What a value says of the outcome of what it is the answer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    NotSaid,
    Known,
    /// Nobody knows it, or it is decided only when asked again.
    Open,
}

/// A record speaks for all that is in it.
fn of_value(texts: &Texts, value: Value) -> Outcome {
    let Value::Record(record) = value else { return Outcome::NotSaid };
    let mut outcome = Outcome::NotSaid;
    let (mut is_done, mut is_unknown) = (false, false);
    for &(name, value) in texts.fields(record) {
        let says = |word: &str| matches!(value, Value::Text(text) if texts.text(text) == word);
        let of_field = match texts.field_name(name) {
            "status" => of_status(value),
            "fate" => {
                is_unknown = says("unknown");
                Outcome::Known
            }
            "state" => {
                is_done = says("done");
                Outcome::NotSaid
            }
            _ => of_value(texts, value),
        };
        outcome = outcome.max(of_field);
    }
    if is_done && is_unknown { Outcome::Open } else { outcome }
}

fn of_status(value: Value) -> Outcome {
    match value {
        Value::Int(408 | 409 | 425 | 429 | 500..=599) => Outcome::Open,
        Value::Int(100..=599) => Outcome::Known,
        // A `status` such as "pending" is a state.
        _ => Outcome::NotSaid,
    }
}
