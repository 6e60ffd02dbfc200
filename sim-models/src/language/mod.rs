//! The scenario file as its author writes it: plain serde types, nothing resolved or checked.
//!
//! Field order here is the order of [`SHORTHAND`], which lets the obvious argument of a
//! constructor be written without its name: `Call("api.pay", policy: "checkout")`. Every default
//! of the language stands in this folder, and in `docs/SCENARIOS.md` for its users.

mod actor;
mod fault;
mod invariant;
mod kv;
mod load;
mod policy;
mod service;
mod step;
pub mod units;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::{self, Deserializer};
use sim_core::Span;

pub use actor::*;
pub use fault::*;
pub use invariant::*;
pub use kv::*;
pub use load::*;
pub use policy::*;
pub use service::*;
pub use step::*;

/// Which arguments of a constructor may be written without their name, in order.
pub const SHORTHAND: &[(&str, &[&str])] = &[
    ("Add", &["name", "a", "b"]),
    ("After", &["point", "fault"]),
    ("AppliedOnce", &["cause", "effect"]),
    ("At", &["at", "fault"]),
    ("BlackHole", &["actor"]),
    ("Breaker", &["trip"]),
    ("Bulkhead", &["like()", "limit"]),
    ("Cached", &["cache", "key"]),
    ("Call", &["to"]),
    ("ClockStep", &["actor"]),
    ("CompareAndDelete", &["key", "expected"]),
    ("CompareAndExpire", &["key", "expected"]),
    ("CompareAndSet", &["key", "expected", "value"]),
    ("ConcurrencyLimit", &["limit"]),
    ("Crash", &["actor"]),
    ("ConnectionPool", &["size"]),
    ("Custom", &["kind"]),
    ("Delay", &["from", "to", "by"]),
    ("Duplicate", &["from", "to", "rate"]),
    ("Effect", &["kind"]),
    ("Diurnal", &["period", "swing"]),
    ("Empirical", &["values"]),
    ("Erlang", &["k", "mean"]),
    ("Errors", &["actor"]),
    ("Evict", &["store"]),
    ("Expire", &["key", "after"]),
    ("Failover", &["store"]),
    ("Fallback", &["status"]),
    ("FixedWindow", &["key"]),
    ("Flush", &["store"]),
    ("Gamma", &["shape", "mean"]),
    ("Goodput", &["client"]),
    ("HDel", &["key", "field"]),
    ("HGet", &["key", "field"]),
    ("HIncrBy", &["key", "field", "by"]),
    ("HSet", &["key", "field", "value"]),
    ("HSetNx", &["key", "field", "value"]),
    ("Hang", &["actor"]),
    ("Hedge", &["like"]),
    ("Idempotent", &["design"]),
    ("If", &["when", "then"]),
    ("IncrBy", &["key", "by"]),
    ("Kv", &["op"]),
    ("LIndex", &["key", "index"]),
    ("LMove", &["from", "to"]),
    ("LPush", &["key", "value"]),
    ("Let", &["name", "value"]),
    ("LockDiscipline", &["store", "locks"]),
    ("Loop", &["times", "body"]),
    ("Loss", &["from", "to", "rate"]),
    ("Match", &["value", "cases"]),
    ("Normal", &["mean", "sd"]),
    ("OnBehalfOf", &["origin", "body"]),
    ("OnOff", &["on", "off"]),
    ("OutOfMemory", &["store"]),
    ("Outage", &["actor"]),
    ("Pareto", &["min", "shape"]),
    ("Partition", &["from", "to"]),
    ("Pause", &["actor"]),
    ("PeakArrivals", &["at", "max"]),
    ("Phase", &["name", "body"]),
    ("Publish", &["to"]),
    ("RPush", &["key", "value"]),
    ("Ramp", &["at", "rate"]),
    ("RateLimiter", &["limit"]),
    ("Respond", &["status"]),
    ("Retry", &["like"]),
    ("RetryWaits", &["call"]),
    ("Set", &["key", "value"]),
    ("SlidingWindow", &["key"]),
    ("Slow", &["actor"]),
    ("Spike", &["at", "rate"]),
    ("Step", &["at", "rate"]),
    ("Throw", &["status"]),
    ("Trace", &["file"]),
    ("Transitions", &["breaker"]),
    ("Try", &["body"]),
    ("Uniform", &["low", "high"]),
    ("Wait", &["replicas", "timeout"]),
    ("Weibull", &["scale", "shape"]),
    ("ZAdd", &["key", "score", "member"]),
    ("ZRangeByScore", &["key", "min", "max"]),
    ("ZRem", &["key", "member"]),
    ("ZScore", &["key", "member"]),
];

/// A whole scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
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
#[derive(Clone, Copy, Debug)]
pub struct Ignored;

impl<'de> Deserialize<'de> for Ignored {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Ignored, D::Error> {
        de::IgnoredAny::deserialize(deserializer).map(|_| Ignored)
    }
}

/// How recovery from a trigger is judged.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recovery {
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
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
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
        Limits {
            steps: 200_000_000,
            time: Span::secs(31 * 86_400),
            pending: 4_000_000,
            memory_mib: 4_096,
            log: 100_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Policy, SHORTHAND};
    use crate::source::Document;

    const MANUAL: &str = include_str!("../../../docs/POLICIES.md");

    fn read(text: &str) -> Vec<Policy> {
        let document = Document::parse("docs/POLICIES.md", text, SHORTHAND);
        let policies = document.and_then(|document| document.read());
        policies.unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    /// The code blocks of the manual that begin so.
    fn blocks(fence: &str) -> impl Iterator<Item = &str> {
        MANUAL.split("\n```").filter_map(move |block| {
            let (first, text) = block.split_once('\n')?;
            (first == fence).then_some(text)
        })
    }

    /// The policy without the options of the preset that is innermost: `Breaker(Polly())`.
    fn without_options(text: &str) -> String {
        let opening: Vec<usize> = text.match_indices('(').map(|(at, _)| at).collect();
        let is_preset = !text.starts_with("AdaptiveThrottle");
        let own = if text.contains("budget:") {
            text.find("budget: ").and_then(|at| text[at..].find('(').map(|more| at + more))
        } else {
            opening.get(usize::from(is_preset)).copied()
        };
        let own = own.expect("a constructor with options");
        format!("{}(){}", &text[..own], if is_preset { ")" } else { "" })
    }

    #[test]
    fn the_manual_shows_every_default_as_it_is() {
        let mut count = 0;
        for block in blocks("ron") {
            let bare = without_options(block);
            let (shown, default) = (read(&format!("[{block}]")), read(&format!("[{bare}]")));
            assert_eq!(format!("{shown:#?}"), format!("{default:#?}"), "{bare}");
            count += 1;
        }
        assert!(count > 30, "{count} blocks are too few");
    }

    #[test]
    fn the_examples_of_the_manual_can_be_read() {
        let mut count = 0;
        for block in blocks("ron example") {
            // One policy per line that begins one.
            let list = block.replace("\nB", ",\nB").replace("\nR", ",\nR").replace("\nH", ",\nH");
            count += read(&format!("[{list}]")).len();
        }
        assert!(count > 10, "{count} examples are too few");
    }
}
