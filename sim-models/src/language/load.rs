//! Loads: when intents arise.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::Span;

use super::Dist;
use crate::language::units::{Level, Rate};

/// When intents arise.
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(title = "load")]
pub enum Load {
    /// At a rate, whether or not earlier intents are done.
    #[schemars(example = r#"Open(rate: "50/s", changes: [Spike("60s", "200/s", for: "10s")])"#)]
    Open {
        /// Mean rate.
        #[serde(default)]
        rate: Option<Rate>,
        /// Instead of `rate`: a file of times and rates, each of which holds until the next time.
        #[serde(default)]
        rates: Option<String>,
        /// How the rate changes; each change applies to what those before it have made of it.
        #[serde(default)]
        changes: Vec<Change>,
        /// How the gaps vary.
        #[serde(default)]
        arrivals: Arrivals,
        /// When the load begins; constant arrivals have one at exactly this instant.
        #[serde(default)]
        from: Span,
        /// When it ends, itself excluded; by default at the horizon.
        #[serde(default)]
        until: Option<Span>,
    },
    /// Sessions begin at a rate, whoever is still there; within one, each intent waits for the
    /// answer to the last.
    #[schemars(
        example = r#"Sessions(rate: "5/s", requests: Geometric(4.0), think: Exponential("2s"))"#
    )]
    Sessions {
        /// Mean rate of sessions.
        #[serde(default)]
        rate: Option<Rate>,
        /// Instead of `rate`: a file of times and rates, each of which holds until the next time.
        #[serde(default)]
        rates: Option<String>,
        /// How the rate changes, as in `Open`.
        #[serde(default)]
        changes: Vec<Change>,
        /// How the gaps between sessions vary.
        #[serde(default)]
        arrivals: Arrivals,
        /// When the first session may begin.
        #[serde(default)]
        from: Span,
        /// When sessions stop beginning, itself excluded; those begun go on. By default at the
        /// horizon.
        #[serde(default)]
        until: Option<Span>,
        /// Intents in a session.
        requests: Requests,
        /// The pause between an answer and the next intent.
        #[serde(default)]
        think: Dist,
    },
    /// Users who each wait for the answer, think, and come again.
    #[schemars(example = r#"Closed(users: 100, think: Exponential("2s"))"#)]
    Closed {
        /// How many users.
        #[schemars(range(min = 1))]
        users: u32,
        /// The pause between an answer and the next intent; also before the first.
        think: Dist,
        /// When users stop coming; by default at the horizon.
        #[serde(default)]
        until: Option<Span>,
    },
    /// Many intents at one instant.
    #[schemars(example = r#"Burst(count: 1000, at: "10s")"#)]
    Burst {
        /// How many.
        #[schemars(range(min = 1))]
        count: u32,
        /// When.
        #[serde(default)]
        at: Span,
    },
    /// An intent at each time of a file.
    #[schemars(extend("x-unnamed" = 1))]
    #[schemars(example = r#"Trace("arrivals.csv")"#)]
    Trace {
        /// A time on each line.
        file: String,
    },
}

/// How the gaps between open-loop arrivals vary.
#[derive(Clone, Copy, Debug, Default, JsonSchema, Deserialize, Serialize)]
pub enum Arrivals {
    /// Exponential gaps: independent users.
    #[default]
    Poisson,
    /// Equal gaps.
    Constant,
    /// Gaps uniform between zero and twice the mean.
    Uniform,
}

/// How a rate changes.
#[derive(Clone, Copy, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(title = "change of a rate")]
pub enum Change {
    /// From an instant on it is another one.
    #[schemars(extend("x-unnamed" = 2))]
    #[schemars(example = r#"Step("60s", "0/s")"#)]
    Step {
        /// When.
        at: Span,
        /// To what.
        rate: Level,
    },
    /// It changes steadily to another one, and stays there.
    #[schemars(extend("x-unnamed" = 2))]
    #[schemars(example = r#"Ramp("60s", "200/s", for: "30s")"#)]
    Ramp {
        /// From when on.
        at: Span,
        /// To what.
        rate: Level,
        /// How long it takes.
        #[serde(rename = "for")]
        lasts: Span,
    },
    /// For a while it is another one. The time of a spike counts as a disturbance, as that of a
    /// fault does.
    #[schemars(extend("x-unnamed" = 2))]
    #[schemars(example = r#"Spike("60s", "200/s", for: "10s")"#)]
    Spike {
        /// From when on.
        at: Span,
        /// Which.
        rate: Level,
        /// How long.
        #[serde(rename = "for")]
        #[schemars(extend("x-exclusiveMinimum" = "0s"))]
        lasts: Span,
    },
    /// As it is for a while, another one for a while, again and again.
    #[schemars(extend("x-unnamed" = 2))]
    #[schemars(example = r#"OnOff("10s", "50s", rate: "5/s")"#)]
    OnOff {
        /// How long as it is.
        #[schemars(extend("x-exclusiveMinimum" = "0s"))]
        on: Span,
        /// How long the other one.
        #[schemars(extend("x-exclusiveMinimum" = "0s"))]
        off: Span,
        /// The other one; by default nothing comes.
        #[serde(default)]
        rate: Level,
    },
    /// It rises and falls as a cosine does: lowest at the start of the run, highest half a period
    /// later, the mean unchanged.
    #[schemars(extend("x-unnamed" = 2))]
    #[schemars(example = r#"Diurnal("24h", 0.5)"#)]
    Diurnal {
        /// From one lowest point to the next.
        #[schemars(extend("x-exclusiveMinimum" = "0s"))]
        period: Span,
        /// By which share of itself it rises and falls.
        #[schemars(range(min = 0.0, max = 1.0))]
        swing: f64,
    },
}

/// How many intents a session has.
#[derive(Clone, Copy, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(title = "number of requests")]
pub enum Requests {
    /// After each the user stays with the same probability; the mean, from 1 on.
    #[schemars(example = r#"Geometric(5.0)"#)]
    Geometric(#[schemars(range(min = 1.0, max = 1e9))] f64),
    /// Always as many.
    #[schemars(example = r#"Constant(5)"#)]
    Constant(#[schemars(range(min = 1))] u32),
}

impl Requests {
    /// How many there are on average.
    pub fn mean(self) -> f64 {
        match self {
            Requests::Geometric(mean) => mean,
            Requests::Constant(count) => f64::from(count),
        }
    }
}
