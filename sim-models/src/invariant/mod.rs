//! Invariants: what must hold, watched read-only.
//!
//! The world shows a [`Watch`] what happens, as it happens, and itself at the end of the run. Each
//! rule is a [`Law`] with a file of its own: it looks at what concerns it, remembers what it must,
//! and tells its [`Findings`]. No law can draw or schedule, so that checking never changes a run; a
//! happening that no law wants to see costs one test of a bit. A promise that nothing in the run
//! put to the test is *vacuous*, not kept.

mod answered;
mod applied;
mod books;
mod findings;
mod flights;
mod goodput;
mod law;
mod locks;
mod merges;
mod once;
mod peak;
mod receipts;
mod recovery;
mod replays;
mod rule;
mod settled;
mod stored;
mod tokens;
mod told;
mod transitions;
mod waits;
mod watch;
mod write;

pub(crate) use findings::Findings;
use law::Law;
pub(crate) use law::{Scene, Seen, Topic};
pub(crate) use watch::Watch;
pub(crate) use write::Write;
