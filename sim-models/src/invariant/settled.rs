//! `SettlesWithin`: every user is told something final, in time.

use sim_core::{Span, Time};
use sim_policies::{Ending, Fate};

use super::{Breach, Findings, Law, Scene, Seen, Topic, When};
use crate::log::USER;

/// What is said of a user who stopped asking while what struck had not healed. No design can help
/// that: whoever is asked later gives its answer to nobody.
pub(crate) const GAVE_UP: &str = "gave up before what struck had healed";

#[derive(Debug)]
pub(super) struct Settling {
    within: Span,
    /// By intent.
    told: Vec<Told>,
}

/// What an intent's user knows.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    settled: Option<Time>,
    /// How many submissions have ended.
    ended: u32,
    /// When a submission last ended otherwise, and how its last call did.
    last: Option<(Time, Option<Ending>)>,
}

impl Settling {
    pub(super) fn new(within: Span) -> Settling {
        Settling { within, told: Vec::new() }
    }
}

impl Settling {
    /// From when on an intent has its time to settle: its beginning, or the healing of a fault that
    /// struck before it was due. One that lasts to the end puts nothing off.
    fn well(&self, begun: Time, end: Scene<'_>) -> Time {
        end.metrics.strikes().iter().fold(begun, |well, (_, from, to)| match to {
            Some(to) if *from <= well + self.within && *to < end.now.at => well.max(*to),
            _ => well,
        })
    }
}

impl Law for Settling {
    fn topics(&self) -> &'static [Topic] {
        &[Topic::Submissions]
    }

    fn see(&mut self, seen: &Seen, scene: Scene<'_>, _findings: &mut Findings) {
        let Seen::Ended { intent, fate, ending, .. } = *seen else { return };
        let n = intent as usize;
        if n >= self.told.len() {
            self.told.resize(n + 1, Told::default());
        }
        let told = &mut self.told[n];
        told.ended += 1;
        if fate == Fate::Succeeded || ending.is_some_and(is_final) {
            told.settled.get_or_insert(scene.now.at);
        } else {
            told.last = Some((scene.now.at, ending));
        }
    }

    fn conclude(&self, end: Scene<'_>, findings: &mut Findings) {
        for (intent, state) in end.intents.iter() {
            let well = self.well(state.begun, end);
            let due = well + self.within;
            // Who has left of their own accord waits for nothing.
            if state.submitted == 0 || state.has_quit || due > end.now.at {
                continue;
            }
            findings.exercised = true;
            let told = self.told.get(intent as usize).copied().unwrap_or_default();
            if told.settled.is_some_and(|at| at <= due) {
                continue;
            }
            findings.violated(When::passed(due), || {
                let (name, begun) = (end.intent(intent), state.begun);
                let last = match told {
                    Told { settled: Some(at), .. } => format!("settled only at {at}"),
                    Told { last: None, .. } => "told nothing".to_owned(),
                    Told { last: Some((at, Some(ending))), .. } => {
                        format!("last told {ending} at {at}")
                    }
                    Told { last: Some((at, None)), .. } => {
                        format!("left without the other side's answer at {at}")
                    }
                };
                let asks = told.settled.is_some() || told.ended < state.submitted;
                let gave_up = !asks && told.last.is_some_and(|(at, _)| at < well);
                let then = match (asks, gave_up) {
                    (true, _) => String::new(),
                    (_, false) => ", and asked no more".to_owned(),
                    (_, true) => format!(", and asked no more; what struck healed at {well}"),
                };
                let witness =
                    format!("{name}, begun at {begun} and due by {due}, was {last}{then}");
                let what = if gave_up { GAVE_UP } else { "has nothing final by now" };
                Breach::by(intent, USER, what, witness)
            });
        }
    }

    fn memory_bytes(&self) -> usize {
        self.told.capacity() * size_of::<Told>()
    }
}

/// The other side's own word that asking again changes nothing.
pub(super) fn is_final(ending: Ending) -> bool {
    match ending {
        Ending::Status(408 | 409 | 425 | 429) => false,
        Ending::Status(status) => (400..=499).contains(&status),
        _ => false,
    }
}
