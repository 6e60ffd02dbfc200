//! What must hold.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::Span;

/// What must hold.
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(title = "invariant")]
pub enum Invariant {
    /// No intent has more than one effect of this kind in force, and each that was told success has
    /// exactly one.
    #[schemars(example = r#"ExactlyOnce("charge")"#)]
    ExactlyOnce(String),
    /// No intent has more than one effect of this kind in force, that is, not taken back.
    #[schemars(example = r#"AtMostOnce("charge")"#)]
    AtMostOnce(String),
    /// Each intent that was told success has an effect of this kind.
    #[schemars(example = r#"AckedImpliesDone("order")"#)]
    AckedImpliesDone(String),
    /// No intent that was told of a definite failure, and never of success, has an effect of this
    /// kind in force.
    ///
    /// A final refusal after attempts in doubt counts as told.
    #[schemars(example = r#"FailedImpliesNone("charge")"#)]
    FailedImpliesNone(String),
    /// Every submission came to an end before the run did.
    AllAnswered,
    /// Of the submissions begun from this long after the last fault healed, or the last spike
    /// ended, nine in ten succeed.
    #[schemars(example = r#"RecoversWithin("30s")"#)]
    RecoversWithin(Span),
    /// At least this share of a client's submissions in a stretch of time succeed.
    #[schemars(extend("x-unnamed" = 1))]
    #[schemars(example = r#"Goodput("shoppers", at_least: 0.99, from: "10s")"#)]
    Goodput {
        /// The client.
        client: String,
        /// The share.
        #[schemars(range(min = 0.0, max = 1.0))]
        at_least: f64,
        /// Submissions from here on count.
        #[serde(default)]
        from: Span,
        /// Submissions before this count; by default all.
        #[serde(default)]
        until: Option<Span>,
    },
    /// No window of this length sees more requests arrive at a service.
    #[schemars(extend("x-unnamed" = 2))]
    #[schemars(example = r#"PeakArrivals("psp", 20, retries_only: true)"#)]
    PeakArrivals {
        /// The service.
        at: String,
        /// The most.
        max: u64,
        /// The window's length.
        #[serde(default = "default_peak_window")]
        #[schemars(extend("x-exclusiveMinimum" = "0s"))]
        window: Span,
        /// Whether first attempts count too, or only retries.
        #[serde(default)]
        retries_only: bool,
    },
    /// A breaker changes its state at exactly these instants.
    #[schemars(extend("x-unnamed" = 1))]
    #[schemars(
        example = r#"Transitions("api->psp provider", expect: [("6s", Open), ("36s", HalfOpen)])"#
    )]
    Transitions {
        /// `caller->callee policy`.
        breaker: String,
        /// When, and to which state.
        expect: Vec<(Span, BreakerState)>,
    },
    /// The waits before a call's retries lie within these bounds.
    #[schemars(extend("x-unnamed" = 1))]
    #[schemars(example = r#"RetryWaits("app->api", between: [("1s", "1.5s"), ("2s", "3s")])"#)]
    RetryWaits {
        /// `caller->callee`.
        call: String,
        /// Shortest and longest wait before retry 1, 2, 3…
        between: Vec<(Span, Span)>,
    },
    /// The effect that a user was told of with success is the intent's own, and the only one of its
    /// kind in force.
    ///
    /// A user is told of an effect by a 2xx answer whose content, or a field of it at any depth, is
    /// the effect's id, such as `charge-4`. It counts for submissions that succeeded, and is judged
    /// at the end of the run.
    #[schemars(example = r#"ReceiptMatches("charge")"#)]
    ReceiptMatches(String),
    /// All 2xx answers of an endpoint to requests with one key of one client have equal content,
    /// and the requests had equal bodies.
    ///
    /// The statuses may differ. At an endpoint that looks at no key, the answers to one intent are
    /// compared.
    #[schemars(example = r#"EqualReplays("api.pay")"#)]
    EqualReplays(String),
    /// Every intent is told something final within this long of its beginning or of the last
    /// healing of a fault, whichever is later.
    ///
    /// Final is a submission's success, or its failure because of the other side's own 4xx other
    /// than 408, 409, 425 and 429, whatever earlier attempts left in doubt. Intents whose time to
    /// settle lies behind the end of the run do not count.
    #[schemars(example = r#"SettlesWithin("60s")"#)]
    SettlesWithin(Span),
    /// No two attempts of calls to this endpoint are awaited at once for one key of one client.
    ///
    /// The key is that of the request that the caller serves, or the intent where one of the two
    /// callers serves no key. An attempt is awaited from when it is sent until its caller has the
    /// answer, times out, or dies.
    #[schemars(example = r#"OneInFlight("psp.charge")"#)]
    OneInFlight(String),
    /// Each intent that was told success has an effect of its own in force, and no answer to a
    /// client names another intent's effect.
    #[schemars(example = r#"NoMerge("charge")"#)]
    NoMerge(String),
    /// Each intent has as many captures in force as fulfilments at the end, at most one, and never
    /// more refunds than captures.
    #[schemars(
        example = r#"BooksBalance(captured: "charge", refunded: "refund", fulfilled: "order")"#
    )]
    BooksBalance {
        /// The kind of effect that takes money.
        captured: String,
        /// The kind of effect that gives it back, whether it undoes a capture or only stands beside
        /// it.
        #[serde(default)]
        refunded: Option<String>,
        /// The kind of effect that the money is for.
        fulfilled: String,
    },
    /// Locks expire, and only their holder, or a `CompareAnd…` command, ends, overwrites or extends
    /// them.
    ///
    /// Whose write of a lock was the last holds it until it is deleted or its lifetime is over. A
    /// lock that the store loses on its own breaks nothing; what is done to its successor may.
    #[schemars(extend("x-unnamed" = 2))]
    #[schemars(example = r#"LockDiscipline("redis", "*:lock")"#)]
    LockDiscipline {
        /// The store.
        store: String,
        /// Which keys are locks; `*` is any run of characters.
        #[serde(default = "default_locks")]
        locks: String,
    },
    /// Nothing is stored as an answer whose outcome is open.
    ///
    /// No record that is written to the store, and no field `status` of a hash, says a `status` of
    /// 408, 409, 425, 429 or 5xx, at any depth, or a `fate` of `unknown` together with a `state` of
    /// `done`.
    #[schemars(example = r#"StoredIsKnown("redis")"#)]
    StoredIsKnown(String),
    /// The fencing tokens of accepted effects of this kind never decrease, per `once` key at one
    /// actor.
    ///
    /// Effects without such a key are compared per intent.
    #[schemars(example = r#"FencingMonotone("order")"#)]
    FencingMonotone(String),
    /// No intent has more effects of one kind than of the kind that causes them, and each cause in
    /// force has its effect.
    #[schemars(extend("x-unnamed" = 2))]
    #[schemars(example = r#"AppliedOnce("charge", "order", within: "30s")"#)]
    AppliedOnce {
        /// The kind of the cause.
        cause: String,
        /// The kind of the effect.
        effect: String,
        /// Causes younger than this at the end of the run may still lack their effect.
        within: Span,
    },
}

fn default_locks() -> String {
    "*:lock".to_owned()
}

fn default_peak_window() -> Span {
    Span::millis(100)
}

/// A breaker's state, as expected by an invariant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
pub enum BreakerState {
    /// Calls pass.
    Closed,
    /// Calls are refused.
    Open,
    /// One test request at a time passes.
    HalfOpen,
}
