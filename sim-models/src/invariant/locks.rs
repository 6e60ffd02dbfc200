//! `LockDiscipline`: a lock ends by itself, and only its holder ends or extends it.
//!
//! Who wrote a lock last holds it until it is deleted or its lifetime is over. A store counts whole
//! milliseconds and keeps a key to the end of the last one. What it deletes or gives another lifetime
//! was still there, whatever the time. What is judged are commands, not losses: who takes a lock that
//! its store has lost, with `nx`, holds it from then on, and the first holder's delete is the one that
//! is wrong.

use std::collections::BTreeMap;

use sim_core::{Span, Time};
use sim_redis::value::TextId;

use super::write::{Act, Life, Write};
use super::{Breach, Findings, Law, Scene, Seen, Topic};
use crate::plan::ActorId;

/// Who holds a lock.
#[derive(Clone, Copy, Debug)]
struct Hold {
    execution: i64,
    intent: u32,
    since: Time,
    /// The first instant without it; `None` for ever.
    until: Option<Time>,
}

impl Hold {
    /// Whether the lock was there when a command came that has done its work.
    fn was_there(&self, act: Act, now: Time) -> bool {
        match act {
            Act::Delete | Act::Live(_) => true,
            Act::Set { .. } | Act::Field { .. } | Act::Push(_) | Act::Count => {
                self.until.is_none_or(|until| now < until)
            }
        }
    }
}

/// The first instant at which a key is gone that was given a lifetime now.
fn gone(now: Time, life: Span) -> Time {
    let begun = Span::millis(now.since(Time::ZERO).as_millis());
    Time::ZERO + begun + Span::millis(life.as_millis()) + Span::millis(1)
}

#[derive(Debug)]
pub(super) struct Locks {
    store: ActorId,
    pattern: String,
    holds: BTreeMap<TextId, Hold>,
}

impl Locks {
    pub(super) fn new(store: ActorId, pattern: String) -> Locks {
        Locks { store, pattern, holds: BTreeMap::new() }
    }
}

impl Law for Locks {
    fn topics(&self) -> &'static [Topic] {
        &[Topic::Writes]
    }

    fn see(&mut self, seen: &Seen, scene: Scene<'_>, findings: &mut Findings) {
        let Seen::Written { store, execution, intent, write } = *seen else { return };
        let Write { key, act, guarded } = write;
        if store != self.store || !matches(&self.pattern, scene.texts.text(key)) {
            return;
        }
        findings.exercised = true;
        let now = scene.now.at;
        let lock = || scene.texts.text(key);
        let hold = self.holds.get(&key).copied();
        let hold = hold.filter(|hold| hold.was_there(act, now));
        if let Some(hold) = hold.filter(|hold| hold.execution != execution && !guarded) {
            findings.violated(scene.now, || {
                let (name, holder, since) =
                    (scene.intent(intent), scene.intent(hold.intent), hold.since);
                let (did, does) = match act {
                    Act::Delete => ("deleted", "deletes"),
                    Act::Live(_) => ("changed the lifetime of", "changes the lifetime of"),
                    Act::Set { .. } | Act::Field { .. } | Act::Push(_) | Act::Count => {
                        ("overwrote", "overwrites")
                    }
                };
                let whose = if hold.intent == intent { "another execution" } else { &holder };
                let lock = lock();
                let witness = format!("{name} {did} {lock}, which {whose} holds since {since}");
                let store = scene.plan.actor_name(store);
                Breach::by(intent, store, format!("{does} {lock}"), witness).beside(hold.intent)
            });
        }
        let life = match act {
            Act::Delete => {
                self.holds.remove(&key);
                return;
            }
            Act::Set { life, .. } | Act::Live(life) => life,
            // These commands give a new key no lifetime, and leave an old one its own.
            Act::Field { .. } | Act::Push(_) | Act::Count => match hold {
                Some(_) => Life::Kept,
                None => Life::ForEver,
            },
        };
        let until = match life {
            Life::For(span) => Some(gone(now, span)),
            Life::Kept => hold.and_then(|hold| hold.until),
            Life::ForEver => None,
        };
        if until.is_none() {
            findings.violated(scene.now, || {
                let (name, lock) = (scene.intent(intent), lock());
                let witness = format!("{name} holds {lock}, which never expires");
                let what = format!("keeps {lock} without an expiry");
                Breach::by(intent, scene.plan.actor_name(store), what, witness)
            });
        }
        let since = now;
        let taken = Hold { execution, intent, since, until };
        let extended = hold.map(|hold| Hold { until, ..hold });
        self.holds.insert(key, extended.filter(|_| matches!(act, Act::Live(_))).unwrap_or(taken));
    }

    fn memory_bytes(&self) -> usize {
        self.holds.len() * 2 * size_of::<(TextId, Hold)>()
    }
}

/// Whether a text has a form in which each `*` stands for any run of characters.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(head) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let tail = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = text.find(part) else { return false };
        text = &text[at + part.len()..];
    }
    text.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        for (pattern, text) in [
            ("*:lock", "pay-1:lock"),
            ("*:lock", ":lock"),
            ("lock", "lock"),
            ("lock:*", "lock:7"),
            ("a*b*c", "a-b-b-c"),
            ("*", ""),
            ("a**c", "ac"),
            ("*ab*ab", "abab"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("*:lock", "pay-1:locks"),
            ("lock", "lock:7"),
            ("lock:*", "a lock:7"),
            ("a*b*c", "a-c"),
            ("a*a", "a"),
            ("*ab*ab", "ab"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }
}
