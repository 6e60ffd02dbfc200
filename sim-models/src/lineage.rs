//! What a run passed through, as far as a fault could have made it go otherwise.
//!
//! A run keeps it only when it is asked to; it changes nothing about the run.

use sim_core::Time;

use crate::plan::{ActorId, KindId, PointId};

/// A run with more moments than this is a load test: the first of them show all that happens.
const MOMENTS_MAX: usize = 20_000;

/// The moments of a run, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lineage(Vec<Moment>);

/// Something happened for an intent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub at: Time,
    pub step: u64,
    pub intent: u32,
    /// Of the actor that passes or sends.
    pub instance: u32,
    pub what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    /// A program of an actor was at a point, for the `nth` time in the run.
    Passed { point: PointId, nth: u32, actor: ActorId },
    /// A message left one actor for another.
    Sent { from: ActorId, to: ActorId, way: Way },
    /// Something durable happened.
    Done { kind: KindId },
}

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    Request,
    Answer,
}

impl Lineage {
    pub(crate) fn push(&mut self, moment: Moment) {
        if self.0.len() < MOMENTS_MAX {
            self.0.push(moment);
        }
    }

    /// The moments up to an instant.
    pub(crate) fn until(&self, at: Time) -> impl Iterator<Item = &Moment> {
        self.0.iter().take_while(move |moment| moment.at <= at)
    }

    pub(crate) fn moments(&self) -> &[Moment] {
        &self.0
    }
}
