//! What happened, in order: the notes of the log and the events of the trace as one list.

use sim_core::Time;
use sim_redis::value::TextId;

use crate::log::Note;
use crate::plan::{ActorId, Plan};
use crate::run::Told;
use crate::trace::What;

/// One thing that happened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub at: Time,
    pub step: u64,
    /// The number of the intent that it concerns.
    pub intent: Option<u32>,
    pub body: Body,
}

/// Where a mark comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Body {
    Note(Note),
    Event(What),
    /// The lifetime of a key is over that was taken as a lock is.
    Expired {
        store: ActorId,
        key: TextId,
    },
}

/// All that concerns these intents, and what struck everybody.
pub(super) fn marks(told: &Told, plan: &Plan, intents: &[u32]) -> Vec<Mark> {
    let Told { trace, notes, texts, .. } = told;
    let note = |n: usize| {
        let (at, step, note) = notes[n];
        let intent = note.sentence(plan, texts).intent;
        let concerns = intent.is_none_or(|intent| intents.contains(&intent));
        concerns.then_some(Mark { at, step, intent, body: Body::Note(note) })
    };
    let mut marks = Vec::with_capacity(notes.len().min(1024) + trace.events.len());
    let mut noted = 0;
    for event in &trace.events {
        while noted < notes.len() && (noted as u64) < event.notes {
            marks.extend(note(noted));
            noted += 1;
        }
        let intent = match event.what {
            What::Sent(n) | What::Arrived(n) | What::Answered(n) | What::Lost(n, _) => {
                trace.messages[n as usize].intent
            }
            What::Returned { message, .. } => trace.messages[message as usize].intent,
        };
        let (at, step, body) = (event.at, event.step, Body::Event(event.what));
        marks.push(Mark { at, step, intent: Some(intent), body });
    }
    marks.extend((noted..notes.len()).filter_map(note));
    marks
}
