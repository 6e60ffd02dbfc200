//! Actors and policies written in Rust: new kinds without a change to this crate.
//!
//! # Actors
//!
//! A [`CustomActor`] is named in a scenario as `Custom("kind", config: {…}, calls: {…})` and called
//! like a service, at any endpoint: `Call("cdn.fetch")`. It sees requests, answers to its calls, and
//! its wake-ups. It acts through a [`Desk`]: it answers, calls, brings about effects, and asks to be
//! woken. It must not keep a clock, a random generator or a hash map of its own: everything that it
//! may depend on comes from the desk.
//!
//! It suffers what a service suffers:
//!
//! - `Crash`: the actor is dropped. Connections break, its calls and wake-ups are gone, and
//!   requests are refused. When the fault heals, its [`Make`] builds another.
//! - `Outage`, `BlackHole`, `Errors`, `Hang`: requests do not get to it. What it does of its own
//!   accord goes on.
//! - `Slow`: its answers take longer by the factor; wake-ups do not.
//! - `Pause`: whatever comes waits, be it a request, an answer or a wake-up.
//! - `Partition`, `Loss`, `Duplicate`, `Delay`: as between any two actors.
//! - `ClockStep`: [`Desk::clock_ms`] is ahead or behind.
//!
//! A scenario is refused where a fault cannot mean anything. The actor passes no labelled points,
//! at which `Throw` and `Stall` could strike. `Flush`, `Evict`, `OutOfMemory` and `Failover` are
//! for stores. It is one process: `instance` is left out.
//!
//! # Policies
//!
//! A [`CustomPolicy`] is named in a stack as `Custom("kind", config: {…})`. Each process of a caller
//! has one of its own for each callee, and a new one after a restart. Like every policy it is a
//! value: the time comes in, a draw comes in, a [`Turn`] goes out.
//!
//! # Kinds
//!
//! [`Kinds`] gives each of them a name, and [`Draft::kinds`](crate::Draft::kinds) gives the names to a
//! scenario.

mod actor;
mod policy;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use sim_core::{Draw, Draws, Span, Time};
pub use sim_policies::{Advice, Ending, Fate, Method, Reason};
pub use sim_redis::value::{Texts, Value};

pub(crate) use actor::Host;
pub use actor::{Answer, Ask, CustomActor, Desk, Effect, Ticket};
pub use policy::{CallId, CustomPolicy, Passage, PolicyDesk, Reply, Turn};

/// Builds a custom actor from its settings: when a scenario is read, when a run begins, and after
/// each crash. Equal settings make equal actors.
pub type Make = fn(&BTreeMap<String, String>) -> Result<Box<dyn CustomActor>, String>;

/// Builds a custom policy from its settings: when a scenario is read, for each process of a caller
/// that uses it, and after each crash of that process. Equal settings make equal policies.
pub type MakePolicy = fn(&BTreeMap<String, String>) -> Result<Box<dyn CustomPolicy>, String>;

/// What is wrong with a status that is made up in Rust.
pub(crate) fn not_a_status(status: u16) -> Option<String> {
    let is_one = (100..=599).contains(&status);
    (!is_one).then(|| format!("answers with the status {status}; a status is 100..=599"))
}

/// The kinds of custom actors and policies that a program knows.
#[derive(Clone, Debug, Default)]
pub struct Kinds {
    actors: BTreeMap<&'static str, Make>,
    policies: BTreeMap<&'static str, MakePolicy>,
}

impl Kinds {
    /// None.
    pub fn new() -> Kinds {
        Kinds::default()
    }

    /// These and one more actor.
    #[must_use]
    pub fn with(mut self, kind: &'static str, make: Make) -> Kinds {
        self.actors.insert(kind, make);
        self
    }

    /// These and one more policy.
    #[must_use]
    pub fn with_policy(mut self, kind: &'static str, make: MakePolicy) -> Kinds {
        self.policies.insert(kind, make);
        self
    }

    /// What builds actors of a kind, or why nothing does.
    pub(crate) fn actor(&self, kind: &str) -> Result<Make, String> {
        find(&self.actors, "actor", kind)
    }

    /// What builds policies of a kind, or why nothing does.
    pub(crate) fn policy(&self, kind: &str) -> Result<MakePolicy, String> {
        find(&self.policies, "policy", kind)
    }
}

fn find<T: Copy>(kinds: &BTreeMap<&'static str, T>, what: &str, kind: &str) -> Result<T, String> {
    kinds.get(kind).copied().ok_or_else(|| {
        let known: Vec<&str> = kinds.keys().copied().collect();
        if known.is_empty() {
            format!(
                "unknown kind of {what} `{kind}`; this program registers none, a program of your own \
                 does: see `sim_cli::main_with`"
            )
        } else {
            format!("unknown kind of {what} `{kind}`; registered are {}", known.join(", "))
        }
    })
}
