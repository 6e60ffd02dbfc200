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
mod load;
mod policy;
mod service;
mod step;
pub(crate) mod units;
mod words;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize};
use sim_core::{Span, Time};

pub(crate) use actor::*;
pub(crate) use fault::Hits;
pub use fault::{Fault, FaultPlan};
pub(crate) use invariant::*;
pub(crate) use kv::*;
pub(crate) use load::*;
pub(crate) use policy::*;
pub(crate) use service::*;
pub use sim_redis::Eviction;
pub(crate) use step::*;
pub(crate) use words::shorthand;
pub use words::{Argument, PART, Word, schema, words};

/// A whole scenario.
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
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
    pub horizon: Span,
    /// When measuring begins: latencies, waits and shares are of what arises or arrives from then
    /// on, so that a queue that starts empty does not flatter them. Counts are of the whole run.
    #[serde(default)]
    pub warmup: Span,
    /// The width of a window in series and charts; by default the horizon divided by 180, rounded
    /// up to a round number.
    #[serde(default)]
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
    /// all faults and spikes of load.
    pub trigger: Option<(Span, Span)>,
    /// The least share of intents that must succeed before the trigger.
    pub healthy: f64,
    /// By which factor goodput and median latency may be worse than before the trigger.
    pub within: f64,
    /// How long they must be so good.
    pub hold: Span,
    /// How long after the trigger a backlog may take to drain; by default it is worked out.
    pub drain: Option<Span>,
}

impl Default for Recovery {
    fn default() -> Recovery {
        Recovery { trigger: None, healthy: 0.95, within: 1.1, hold: Span::secs(30), drain: None }
    }
}

/// Bounds on one run.
#[derive(Clone, Copy, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    /// Delivered events.
    pub steps: u64,
    /// Virtual time.
    pub time: Span,
    /// Events waiting in the queue.
    pub pending: u64,
    /// Estimated memory in MiB.
    pub memory_mib: u64,
    /// Lines of the log that are kept.
    pub log: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        let engine = sim_core::Limits::default();
        Limits {
            steps: engine.steps_max,
            time: engine.time_max.since(Time::ZERO),
            pending: engine.pending_max as u64,
            memory_mib: engine.memory_max as u64 >> 20,
            log: 100_000,
        }
    }
}
