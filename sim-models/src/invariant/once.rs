//! `ExactlyOnce` and `AtMostOnce`: no intent has two effects in force.

use super::told::{each_acked, none_refunded};
use super::{Breach, Findings, Law, Scene, Seen, Topic};
use crate::plan::KindId;

#[derive(Debug)]
pub(super) struct Once {
    pub(super) kind: KindId,
    /// Who was told success has one, too, and who has had a refund has none.
    pub(super) acked: bool,
}

impl Law for Once {
    fn topics(&self) -> &'static [Topic] {
        &[Topic::Effects]
    }

    fn see(&mut self, seen: &Seen, scene: Scene<'_>, findings: &mut Findings) {
        if let Seen::Effect { kind, intent } = *seen
            && kind == self.kind
        {
            findings.exercised = true;
            if scene.ledger.net(intent, kind) > 1 {
                findings.violated(scene.now, || {
                    Breach::effect(scene.latest(), duplicates(scene, kind, intent))
                });
            }
        }
    }

    fn ends_with_intent(&self) -> bool {
        true
    }

    fn conclude(&self, end: Scene<'_>, findings: &mut Findings) {
        if self.acked {
            each_acked(end, findings, self.kind);
            none_refunded(end, findings, self.kind);
        }
    }
}

/// Every effect of the intent so far, with its instant.
fn duplicates(scene: Scene<'_>, kind: KindId, intent: u32) -> String {
    let entries = scene.ledger.entries().iter();
    let of_intent = entries.filter(|e| (e.kind, e.intent) == (kind, intent));
    let told: Vec<String> =
        of_intent.map(|e| format!("{} at {}", scene.effect(kind, e.number), e.at)).collect();
    format!("{} has {}", scene.intent(intent), told.join(" and "))
}
