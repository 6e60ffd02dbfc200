//! The scenario file as its author writes it: plain serde types, nothing resolved or checked.
//!
//! A word of the language is declared here once, with its documentation, its defaults and an
//! example; [`words()`] are made from that, and from them the shorthand, the manual's tables,
//! `sim help` and `sim schema`. The order of fields is that of unnamed arguments:
//! `Call("api.pay", policy: "checkout")`.

mod actor;
mod fault;
mod invariant;
mod kv;
mod limit;
mod load;
mod policy;
mod service;
mod slips;
mod step;
pub(crate) mod units;
mod words;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize};
use sim_core::{Span, Time};

pub(crate) use actor::*;
pub(crate) use fault::*;
pub use fault::{Doing, Fault, FaultPlan};
pub(crate) use invariant::*;
pub(crate) use kv::*;
pub(crate) use load::*;
pub(crate) use policy::*;
pub(crate) use service::*;
pub use sim_redis::Eviction;
pub(crate) use slips::hint;
pub(crate) use step::*;
pub(crate) use words::shorthand;
pub use words::{Argument, Bound, PART, Range, Word, schema, words};

/// A whole scenario.
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(
    example = r#"Scenario(name: "idle", about: "One user.", horizon: "1s", actors: {"user": Client(load: Burst(count: 1), does: [])})"#
)]
pub(crate) struct Scenario {
    /// Short name, used for files and titles.
    pub name: String,
    /// The story: what is modelled and why it matters.
    pub about: String,
    /// What the author expects to see.
    #[serde(default)]
    pub hypothesis: String,
    /// The seed when none is given on the command line.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// How long the run lasts in virtual time.
    #[schemars(extend("x-exclusiveMinimum" = "0s"))]
    pub horizon: Span,
    /// When measuring begins: latencies, waits and shares are of what arises or arrives from then
    /// on.
    ///
    /// A queue that starts empty does not flatter them. Counts are of the whole run.
    #[serde(default)]
    pub warmup: Span,
    /// The width of a window in series and charts; by default the horizon divided by 180, rounded
    /// up to a round number.
    #[serde(default)]
    #[schemars(extend("x-exclusiveMinimum" = "0s"))]
    pub window: Option<Span>,
    /// Everything that acts, by name.
    pub actors: BTreeMap<String, Actor>,
    /// How messages travel; two actors without a link talk instantly and without loss.
    #[serde(default)]
    pub links: Vec<Link>,
    /// Policy stacks by name, outermost policy first.
    #[serde(default)]
    pub policies: BTreeMap<String, Vec<Policy>>,
    /// What goes wrong, and when.
    #[serde(default)]
    pub faults: Vec<FaultPlan>,
    /// What must hold.
    #[serde(default)]
    pub invariants: Vec<Invariant>,
    /// Invariants, spelled as above, that the run is known to break: it is here to show how.
    #[serde(default)]
    pub breaks: Vec<String>,
    /// Idempotency designs of this scenario, by name, beside the built-in ones.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Design>")]
    pub designs: BTreeMap<String, Ignored>,
    /// Changed copies of the scenario: path → new value.
    #[serde(default)]
    pub variants: BTreeMap<String, BTreeMap<String, Ignored>>,
    /// Values that `sim watch` offers to change: paths, each alone or with the values that it takes, as
    /// an axis of `sim map` has them.
    #[serde(default)]
    pub knobs: Vec<String>,
    /// What counts as recovery.
    #[serde(default)]
    pub recovery: Recovery,
    /// When a run is ended as a finding.
    #[serde(default)]
    pub limits: Limits,
}

fn default_seed() -> u64 {
    1
}

/// A part that is read from the source text when it is needed, not here.
#[derive(Clone, Copy, Debug, JsonSchema, Serialize)]
#[schemars(transparent)]
pub(crate) struct Ignored(#[schemars(with = "serde_json::Value")] ());

impl<'de> Deserialize<'de> for Ignored {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Ignored, D::Error> {
        de::IgnoredAny::deserialize(deserializer).map(|_| Ignored(()))
    }
}

/// How recovery from a trigger is judged.
#[derive(Clone, Copy, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Recovery {
    /// From when to when the system is disturbed; by default from the first to the last instant of
    /// all faults and rises of load.
    pub trigger: Option<(Span, Span)>,
    /// The least share of intents that must succeed before the trigger.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub healthy: f64,
    /// By which factor goodput and latencies (median, p99) may be worse than before the trigger.
    #[schemars(range(min = 1.0))]
    pub within: f64,
    /// How long they must be so good.
    #[schemars(extend("x-exclusiveMinimum" = "0s"))]
    pub hold: Span,
    /// How long an intent may be without an answer; then it counts as one without success.
    pub unanswered_after: Span,
    /// How long after the trigger a backlog may take to drain; by default it is worked out.
    pub drain: Option<Span>,
}

impl Default for Recovery {
    fn default() -> Recovery {
        Recovery {
            trigger: None,
            healthy: 0.95,
            within: 1.1,
            hold: Span::secs(30),
            unanswered_after: Span::secs(10),
            drain: None,
        }
    }
}

/// Bounds on one run.
#[derive(Clone, Copy, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    /// Delivered events.
    #[schemars(range(min = 1))]
    pub steps: u64,
    /// Virtual time.
    pub time: Span,
    /// Events waiting in the queue.
    #[schemars(range(min = 1, max = 8388608))]
    pub pending: u64,
    /// Estimated memory in MiB.
    #[schemars(range(min = 1, max = 1048576))]
    pub memory_mib: u64,
    /// Lines of the log that are kept.
    pub log: u64,
    /// How long who waits at the horizon is waited for; by default a tenth of the horizon, and at
    /// least 10 s.
    ///
    /// Nothing new arises after the horizon. Who has waited for longer by then, or still waits
    /// afterwards, is unanswered.
    pub grace: Option<Span>,
}

impl Default for Limits {
    /// The engine's own, and 100,000 lines.
    fn default() -> Limits {
        let engine = sim_core::Limits::default();
        Limits {
            steps: engine.steps_max,
            time: engine.time_max.since(Time::ZERO),
            pending: engine.pending_max as u64,
            memory_mib: engine.memory_max as u64 >> 20,
            log: 100_000,
            grace: None,
        }
    }
}

impl Limits {
    /// How long who waits at the horizon is waited for.
    pub(crate) fn grace(&self, horizon: Span) -> Span {
        self.grace.unwrap_or((horizon / 10).max(Span::secs(10)))
    }

    /// The same as the engine keeps them; log and grace are none of its business.
    pub(crate) fn engine(&self) -> sim_core::Limits {
        sim_core::Limits {
            steps_max: self.steps,
            time_max: Time::ZERO + self.time,
            pending_max: usize::try_from(self.pending).unwrap_or(usize::MAX),
            memory_max: usize::try_from(self.memory_mib << 20).unwrap_or(usize::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_nobody_gives_are_the_engines_own() {
        assert_eq!(Limits::default().engine(), sim_core::Limits::default());
    }
}
