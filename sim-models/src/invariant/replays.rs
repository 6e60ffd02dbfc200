//! `EqualReplays`: one key, one answer.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use sim_redis::value::Value;

use super::{Breach, Findings, Law, Scene, Seen, Topic};
use crate::plan::{ActorId, Server};

/// What counts as one request: a client's key, or the intent at an endpoint that looks at no key.
type Scope = Result<(ActorId, Value), u32>;

/// The first success under a key.
#[derive(Clone, Copy, Debug)]
struct First {
    intent: u32,
    asked: Value,
    body: Value,
    kept: Value,
    content: Value,
}

#[derive(Debug)]
pub(super) struct Replays {
    of: Server,
    /// The endpoint looks at the keys of its requests.
    keyed: bool,
    firsts: BTreeMap<Scope, First>,
}

impl Replays {
    pub(super) fn new(of: Server, keyed: bool) -> Replays {
        Replays { of, keyed, firsts: BTreeMap::new() }
    }
}

impl Law for Replays {
    fn topics(&self) -> &'static [Topic] {
        &[Topic::Answers]
    }

    fn see(&mut self, seen: &Seen, scene: Scene<'_>, findings: &mut Findings) {
        let Seen::Answered { from, intent, key, asked, body, status: 200..=299, kept, content } =
            *seen
        else {
            return;
        };
        if from != self.of || (self.keyed && key == Value::Nil) {
            return;
        }
        let scope = if self.keyed { Ok((scene.client(intent), key)) } else { Err(intent) };
        let first = match self.firsts.entry(scope) {
            Entry::Vacant(place) => {
                place.insert(First { intent, asked, body, kept, content });
                return;
            }
            Entry::Occupied(first) => *first.get(),
        };
        findings.exercised = true;
        let under = || match scope {
            Ok((_, key)) => format!("under the key {}", scene.texts.show(key)),
            Err(intent) => format!("for {}", scene.intent(intent)),
        };
        let show = |value: Value| scene.texts.show(value);
        let broken = |witness: String| {
            let what = format!("answers {}", show(content));
            Breach::by(intent, scene.server(self.of), what, witness).beside(first.intent)
        };
        if first.kept != kept {
            findings.violated(scene.now, || {
                let (server, under) = (scene.server(self.of), under());
                let (now, before) = (show(content), show(first.content));
                broken(format!("{server} answered {now} {under}, and {before} before"))
            });
        } else if first.asked != asked {
            findings.violated(scene.now, || {
                let (server, under) = (scene.server(self.of), under());
                let (now, before) = (show(body), show(first.body));
                broken(format!("{server} gave one answer {under} to {before} and to {now}"))
            });
        }
    }

    fn memory_bytes(&self) -> usize {
        self.firsts.len() * 2 * size_of::<(Scope, First)>()
    }
}
