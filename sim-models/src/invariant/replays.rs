//! `EqualReplays`: one key, one answer.

use std::collections::BTreeMap;

use super::{Findings, Law, Server, Scene, Seen, Topic};
use crate::plan::ActorId;
use crate::value::Value;

/// The first success under a key.
#[derive(Clone, Copy, Debug)]
struct First {
    intent: u32,
    body: Value,
    content: Value,
}

#[derive(Debug)]
pub(super) struct Replays {
    of: Server,
    /// By client and key: a key is one tenant's own.
    firsts: BTreeMap<(ActorId, Value), First>,
}

impl Replays {
    pub(super) fn new(of: Server) -> Replays {
        Replays { of, firsts: BTreeMap::new() }
    }
}

impl Law for Replays {
    fn topics(&self) -> &'static [Topic] {
        &[Topic::Answers]
    }

    fn see(&mut self, seen: &Seen, scene: Scene<'_>, findings: &mut Findings) {
        let Seen::Answered { from, intent, key, body, status: 200..=299, content } = *seen else {
            return;
        };
        if from != self.of || key == Value::Nil {
            return;
        }
        let scope = (scene.client(intent), key);
        let first = *self.firsts.entry(scope).or_insert(First { intent, body, content });
        if (first.intent, first.body, first.content) == (intent, body, content) {
            return;
        }
        let show = |value: Value| scene.world.texts().show(value);
        if first.content != content {
            findings.violated(scene.now, Some(intent), || {
                let (place, key) = (scene.server(self.of), show(key));
                let (now, before) = (show(content), show(first.content));
                format!("{place} answered {now} under the key {key}, and {before} before")
            });
        } else if first.body != body {
            findings.violated(scene.now, Some(intent), || {
                let (place, key) = (scene.server(self.of), show(key));
                let (now, before) = (show(body), show(first.body));
                format!("{place} gave one answer under the key {key} to {before} and to {now}")
            });
        }
    }

    fn memory_bytes(&self) -> usize {
        self.firsts.len() * 2 * size_of::<(ActorId, Value, First)>()
    }
}
