//! What must hold.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::Span;
use sim_policies::breaker::StateName;

use crate::figure::Promise;

/// How an invariant says what it watches: a scenario by name, a plan by id.
pub trait Addresses {
    /// A kind of effect.
    type Kind;
    /// An actor.
    type Actor;
    /// An endpoint of an actor.
    type Endpoint;
    /// A breaker.
    type Breaker;
    /// A caller and a callee.
    type Pair;
}

/// By name.
#[derive(Clone, Copy, Debug)]
pub struct Names;

impl Addresses for Names {
    type Kind = String;
    type Actor = String;
    type Endpoint = String;
    type Breaker = String;
    type Pair = String;
}

/// What must hold.
///
/// The same invariant is first a scenario's, with names, and then a plan's, with ids.
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(title = "invariant", rename = "Invariant")]
#[schemars(bound = "A::Kind: JsonSchema, A::Actor: JsonSchema, A::Endpoint: JsonSchema, \
                    A::Breaker: JsonSchema, A::Pair: JsonSchema")]
pub enum Invariant<A: Addresses = Names> {
    /// No intent has more than one effect of this kind in force, and each that was told success has
    /// exactly one.
    ///
    /// A user who hears `Refunded` of this kind has none; of another kind, the intent may have one.
    #[schemars(example = r#"ExactlyOnce("charge")"#)]
    ExactlyOnce(#[schemars(extend("x-wanted" = "kind"))] A::Kind),
    /// No intent has more than one effect of this kind in force, that is, not taken back.
    #[schemars(example = r#"AtMostOnce("charge")"#)]
    AtMostOnce(#[schemars(extend("x-wanted" = "kind"))] A::Kind),
    /// Each intent that was told success has an effect of this kind, unless it was `Refunded`.
    #[schemars(example = r#"AckedImpliesDone("order")"#)]
    AckedImpliesDone(#[schemars(extend("x-wanted" = "kind"))] A::Kind),
    /// No intent that was told of a definite failure, and never of success, has an effect of this
    /// kind in force.
    ///
    /// A final refusal after attempts in doubt counts as told, and so does `Refunded` of this kind.
    /// The violation is dated to the effect, be it before the answer or after.
    #[schemars(example = r#"FailedImpliesNone("charge")"#)]
    FailedImpliesNone(#[schemars(extend("x-wanted" = "kind"))] A::Kind),
    /// Every submission came to an end before the run did.
    AllAnswered,
    /// From this long after the last fault healed, or spike ended, nine in ten submissions succeed:
    /// at once, within a `hold`, and of all.
    #[schemars(example = r#"RecoversWithin("30s")"#)]
    RecoversWithin(Span),
    /// At least this share of a client's submissions in a stretch of time succeed.
    #[schemars(extend("x-unnamed" = 1))]
    #[schemars(example = r#"Goodput("shoppers", at_least: 0.99, from: "10s")"#)]
    Goodput {
        /// The client.
        client: A::Actor,
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
    /// A figure of the run, or of a part of it, lies where it is promised to.
    ///
    /// Every figure that `sim check` knows can be promised: `p99.9(shoppers)`, `success in 30s..60s`,
    /// `amplification(api->psp)`, `wasted(api)`, `breaker_openings`. Latencies are of successes;
    /// `p99(shoppers, failed)` is that of the others. Without a name the highest counts.
    #[schemars(example = r#"Threshold("p99(shoppers) < 500ms")"#)]
    Threshold(Promise),
    /// No window of this length sees more requests arrive at a service.
    #[schemars(extend("x-unnamed" = 2))]
    #[schemars(example = r#"PeakArrivals("psp", 20, retries_only: true)"#)]
    PeakArrivals {
        /// The service.
        at: A::Actor,
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
        /// `caller->callee policy`, or `caller[1]->callee policy` of one of several instances.
        breaker: A::Breaker,
        /// When, and to which state.
        expect: Vec<(Span, BreakerState)>,
    },
    /// The waits before a call's retries lie within these bounds.
    #[schemars(extend("x-unnamed" = 1))]
    #[schemars(example = r#"RetryWaits("app->api", between: [("1s", "1.5s"), ("2s", "3s")])"#)]
    RetryWaits {
        /// `caller->callee`.
        call: A::Pair,
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
    ReceiptMatches(#[schemars(extend("x-wanted" = "kind"))] A::Kind),
    /// All 2xx answers of an endpoint to requests with one key of one client have equal content,
    /// and the requests had equal bodies.
    ///
    /// The statuses may differ. Under a design, the bodies are equal where its `canonical` is, and
    /// the first answer counts as the `{result}` that the design keeps. At an endpoint that looks at
    /// no key, the answers to one intent are compared.
    #[schemars(example = r#"EqualReplays("api.pay")"#)]
    EqualReplays(#[schemars(extend("x-wanted" = "endpoint"))] A::Endpoint),
    /// Once an effect of this kind was taken back, its intent gets no other.
    ///
    /// It is for what a customer gives back: no late charge follows the refund. Do not state it where
    /// a failed attempt is compensated for and then tried again.
    #[schemars(example = r#"UndoneStaysUndone("charge")"#)]
    UndoneStaysUndone(#[schemars(extend("x-wanted" = "kind"))] A::Kind),
    /// Every intent is told something final within this long of its beginning, or of the healing of a
    /// fault that struck before then.
    ///
    /// Final is a submission's success, or its failure because of the other side's own 4xx other
    /// than 408, 409, 425 and 429, whatever earlier attempts left in doubt. Intents whose time to
    /// settle lies behind the end of the run do not count.
    ///
    /// A fault that lasts to the end puts nothing off.
    #[schemars(example = r#"SettlesWithin("60s")"#)]
    SettlesWithin(Span),
    /// No two attempts of calls to this endpoint are awaited at once for one key of one client.
    ///
    /// The key is that of the request that the caller serves, or the intent where one of the two
    /// callers serves no key. An attempt is awaited from when it is sent until its caller has the
    /// answer, times out, or dies.
    #[schemars(example = r#"OneInFlight("psp.charge")"#)]
    OneInFlight(#[schemars(extend("x-wanted" = "endpoint"))] A::Endpoint),
    /// Each intent that was told success has an effect of its own in force, and no answer to a
    /// client names another intent's effect.
    ///
    /// Who was `Refunded` needs none.
    #[schemars(example = r#"NoMerge("charge")"#)]
    NoMerge(#[schemars(extend("x-wanted" = "kind"))] A::Kind),
    /// Each intent has as many captures in force as fulfilments at the end, at most one, and never
    /// more refunds than captures.
    #[schemars(
        example = r#"BooksBalance(captured: "charge", refunded: "refund", fulfilled: "order")"#
    )]
    BooksBalance {
        /// The kind of effect that takes money.
        captured: A::Kind,
        /// The kind of effect that gives it back, whether it undoes a capture or only stands beside
        /// it.
        #[serde(default)]
        refunded: Option<A::Kind>,
        /// The kind of effect that the money is for.
        fulfilled: A::Kind,
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
        store: A::Actor,
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
    StoredIsKnown(#[schemars(extend("x-wanted" = "store"))] A::Actor),
    /// The fencing tokens of accepted effects of this kind never decrease, per `once` key at one
    /// actor.
    ///
    /// Effects without such a key are compared per intent.
    #[schemars(example = r#"FencingMonotone("order")"#)]
    FencingMonotone(#[schemars(extend("x-wanted" = "kind"))] A::Kind),
    /// No intent has more effects of one kind than of the kind that causes them, and each cause in
    /// force has its effect.
    #[schemars(extend("x-unnamed" = 2))]
    #[schemars(example = r#"AppliedOnce("charge", "order", within: "30s")"#)]
    AppliedOnce {
        /// The kind of the cause.
        cause: A::Kind,
        /// The kind of the effect.
        effect: A::Kind,
        /// Causes younger than this at the end of the run may still lack their effect.
        within: Span,
    },
}

/// What an actor must be for an invariant to watch it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watched {
    Client,
    /// A service, store or broker.
    Server,
    Store,
}

/// Finds at other addresses what stands in a field; the field of a lone argument has no name.
pub(crate) trait Find<A: Addresses, B: Addresses> {
    fn kind(&mut self, kind: &A::Kind, field: &'static str) -> Option<B::Kind>;
    fn actor(&mut self, actor: &A::Actor, field: &'static str, is: Watched) -> Option<B::Actor>;
    fn endpoint(&mut self, endpoint: &A::Endpoint, field: &'static str) -> Option<B::Endpoint>;
    fn breaker(&mut self, breaker: &A::Breaker, field: &'static str) -> Option<B::Breaker>;
    fn pair(&mut self, pair: &A::Pair, field: &'static str) -> Option<B::Pair>;
}

impl<A: Addresses> Invariant<A> {
    /// The same invariant with other addresses, each of which `find` is asked for.
    pub(crate) fn map<B: Addresses>(&self, find: &mut impl Find<A, B>) -> Option<Invariant<B>> {
        use Invariant::*;
        Some(match self {
            ExactlyOnce(kind) => ExactlyOnce(find.kind(kind, "")?),
            AtMostOnce(kind) => AtMostOnce(find.kind(kind, "")?),
            AckedImpliesDone(kind) => AckedImpliesDone(find.kind(kind, "")?),
            FailedImpliesNone(kind) => FailedImpliesNone(find.kind(kind, "")?),
            ReceiptMatches(kind) => ReceiptMatches(find.kind(kind, "")?),
            NoMerge(kind) => NoMerge(find.kind(kind, "")?),
            UndoneStaysUndone(kind) => UndoneStaysUndone(find.kind(kind, "")?),
            FencingMonotone(kind) => FencingMonotone(find.kind(kind, "")?),
            EqualReplays(endpoint) => EqualReplays(find.endpoint(endpoint, "")?),
            OneInFlight(endpoint) => OneInFlight(find.endpoint(endpoint, "")?),
            StoredIsKnown(store) => StoredIsKnown(find.actor(store, "", Watched::Store)?),
            AllAnswered => AllAnswered,
            Threshold(promise) => Threshold(promise.clone()),
            RecoversWithin(within) => RecoversWithin(*within),
            SettlesWithin(within) => SettlesWithin(*within),
            &Goodput { ref client, at_least, from, until } => {
                let client = find.actor(client, "client", Watched::Client)?;
                Goodput { client, at_least, from, until }
            }
            &PeakArrivals { ref at, max, window, retries_only } => {
                let at = find.actor(at, "at", Watched::Server)?;
                PeakArrivals { at, max, window, retries_only }
            }
            Transitions { breaker, expect } => {
                let breaker = find.breaker(breaker, "breaker")?;
                Transitions { breaker, expect: expect.clone() }
            }
            RetryWaits { call, between } => {
                RetryWaits { call: find.pair(call, "call")?, between: between.clone() }
            }
            BooksBalance { captured, refunded, fulfilled } => {
                let captured = find.kind(captured, "captured");
                let refunded = refunded.as_ref().map(|kind| find.kind(kind, "refunded"));
                let fulfilled = find.kind(fulfilled, "fulfilled");
                let refunded = refunded.map_or(Some(None), |kind| kind.map(Some));
                BooksBalance { captured: captured?, refunded: refunded?, fulfilled: fulfilled? }
            }
            LockDiscipline { store, locks } => {
                let store = find.actor(store, "store", Watched::Store)?;
                LockDiscipline { store, locks: locks.clone() }
            }
            AppliedOnce { cause, effect, within } => {
                let (cause, effect) = (find.kind(cause, "cause"), find.kind(effect, "effect"));
                AppliedOnce { cause: cause?, effect: effect?, within: *within }
            }
        })
    }
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

impl BreakerState {
    /// The state of a breaker that is meant.
    pub(crate) fn name(self) -> StateName {
        match self {
            BreakerState::Closed => StateName::Closed,
            BreakerState::Open => StateName::Open,
            BreakerState::HalfOpen => StateName::HalfOpen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Finds nothing, and notes what it was asked for.
    #[derive(Default)]
    struct Nobody(Vec<(String, &'static str)>);

    impl Nobody {
        fn asked(&mut self, name: &str, field: &'static str) -> Option<String> {
            self.0.push((name.to_owned(), field));
            None
        }
    }

    impl Find<Names, Names> for Nobody {
        fn kind(&mut self, kind: &String, field: &'static str) -> Option<String> {
            self.asked(kind, field)
        }
        fn actor(&mut self, actor: &String, field: &'static str, _: Watched) -> Option<String> {
            self.asked(actor, field)
        }
        fn endpoint(&mut self, endpoint: &String, field: &'static str) -> Option<String> {
            self.asked(endpoint, field)
        }
        fn breaker(&mut self, breaker: &String, field: &'static str) -> Option<String> {
            self.asked(breaker, field)
        }
        fn pair(&mut self, pair: &String, field: &'static str) -> Option<String> {
            self.asked(pair, field)
        }
    }

    #[test]
    fn every_kind_is_looked_for_even_when_one_is_missing() {
        let mut find = Nobody::default();
        let text = |name: &str| name.to_owned();
        let books: Invariant = Invariant::BooksBalance {
            captured: text("a"),
            refunded: Some(text("b")),
            fulfilled: text("c"),
        };
        assert!(books.map(&mut find).is_none());
        let applied: Invariant =
            Invariant::AppliedOnce { cause: text("d"), effect: text("e"), within: Span::ZERO };
        assert!(applied.map(&mut find).is_none());
        let fields = ["captured", "refunded", "fulfilled", "cause", "effect"];
        let asked = ["a", "b", "c", "d", "e"].map(text).into_iter().zip(fields);
        assert_eq!(find.0, asked.collect::<Vec<_>>());
    }
}
