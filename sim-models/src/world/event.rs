//! Events: everything that happens in a world, at its instant.

use sim_core::mix;

use crate::plan::{ActorId, BreakerId, Doing, FaultId, JobId, OutlierId};
use crate::world::ids::{CallId, CopyId, DeliveryId, RequestId, TaskId, WakeId};
use crate::world::of_instance;

/// Something that happens at an instant.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    /// The next intent of an open load arises.
    Arrive(ActorId),
    /// A burst begins.
    Burst(ActorId),
    /// A closed-loop user has thought.
    Decide { client: ActorId, user: u32 },
    /// The user submits an intent.
    Submit { intent: u32, submission: u32 },
    /// A task has worked or slept.
    Resume(TaskId),
    /// The user's patience ends.
    Leave(TaskId),
    /// A user does something of their own accord.
    Do { intent: u32, does: Doing },
    /// The late copy of a request is sent.
    Send(RequestId),
    /// A request arrives.
    Deliver(RequestId),
    /// An answer arrives.
    Answer(RequestId),
    /// A timeout, or the wait before a retry, is over.
    Timer { call: CallId, layer: u8, number: u32 },
    /// A store has carried out a command.
    Served(RequestId),
    /// A planned fault begins.
    Strike(FaultId),
    /// A fault ends.
    Heal(FaultId),
    /// A custom actor's answer is due.
    Reply(RequestId),
    /// A custom actor asked to be woken.
    Wake(WakeId),
    /// A breaker acts by itself.
    WakeBreaker { breaker: BreakerId, instance: u32 },
    /// Outlier detection looks at its endpoints.
    Sweep { outlier: OutlierId, instance: u32 },
    /// A job's turn has come.
    Turn(JobId),
    /// A message may be handed out again.
    Visible(DeliveryId),
    /// A write arrives at a store of another region, or is sent there again.
    Copied(CopyId),
    /// A service hears that a request's caller has stopped waiting.
    Disconnect(RequestId),
    /// An autoscaler looks.
    Scale(ActorId),
    /// An instance's start is over.
    Started { actor: ActorId, instance: u32 },
}

/// An event is copied through the queue: it stays within 16 bytes.
const _: () = assert!(size_of::<Event>() <= 16);

impl Event {
    /// A word that tells this event from others, for the digest.
    pub(super) fn fingerprint(self) -> u64 {
        let (kind, word) = match self {
            Event::Arrive(actor) => (1, actor.0.into()),
            Event::Burst(actor) => (2, actor.0.into()),
            Event::Decide { client, user } => (3, u64::from(client.0) << 32 | u64::from(user)),
            Event::Submit { intent, submission } => {
                (4, u64::from(submission) << 32 | u64::from(intent))
            }
            Event::Resume(task) => (5, task.word()),
            Event::Leave(task) => (6, task.word()),
            Event::Deliver(request) => (7, request.word()),
            Event::Answer(request) => (8, request.word()),
            Event::Timer { call, layer, .. } => (9 + (u64::from(layer) << 8), call.word()),
            Event::Served(request) => (10, request.word()),
            Event::Strike(fault) => (11, fault.0.into()),
            Event::Heal(fault) => (12, fault.0.into()),
            Event::Reply(request) => (14, request.word()),
            Event::Wake(wake) => (13, wake.word()),
            Event::WakeBreaker { breaker, instance } => (15, of_instance(breaker.0, instance)),
            Event::Sweep { outlier, instance } => (16, of_instance(outlier.0, instance)),
            Event::Turn(job) => (17, job.0.into()),
            Event::Visible(delivery) => (18, delivery.word()),
            Event::Copied(copy) => (19, copy.word()),
            Event::Disconnect(request) => (20, request.word()),
            Event::Scale(actor) => (21, actor.0.into()),
            Event::Started { actor, instance } => {
                (22, u64::from(actor.0) << 32 | u64::from(instance))
            }
            Event::Send(request) => (23, request.word()),
            Event::Do { intent, does } => (24, (does as u64) << 32 | u64::from(intent)),
        };
        mix(kind, word)
    }
}
