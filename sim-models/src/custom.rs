//! Actors written in Rust: a new kind of actor without a change to this crate.
//!
//! A [`CustomActor`] is named in a scenario as `Custom("kind", config: {…})` and called like a
//! service, at any endpoint: `Call("cdn.fetch")`. It sees requests and its own wake-ups, and
//! gives its orders to a [`Desk`]. It must not keep a clock, a random generator or a hash map of
//! its own: everything it may depend on comes from the desk.

use std::collections::BTreeMap;
use std::fmt;

use sim_core::{Indexed, mix};

pub use sim_core::{Draw, Draws, Span, Time};
pub use sim_redis::value::{Texts, Value};

/// An actor of a user's own kind.
///
/// ```
/// use sim_core::Span;
/// use sim_models::custom::{Ask, CustomActor, Desk, Kinds};
/// use sim_models::Scenario;
///
/// /// Answers every request after ten milliseconds.
/// #[derive(Debug)]
/// struct Echo;
///
/// impl CustomActor for Echo {
///     fn on_request(&mut self, ask: Ask, desk: &mut Desk<'_>) {
///         desk.answer(ask.ticket, 200, ask.body, Span::millis(10));
///     }
/// }
///
/// let text = r#"Scenario(
///     name: "echo", about: "One call to an actor written in Rust.", horizon: "1s",
///     actors: {
///         "echo": Custom("echo"),
///         "users": Client(load: Burst(count: 3), does: [Call("echo.say")]),
///     },
///     invariants: [AllAnswered],
/// )"#;
/// let kinds = Kinds::new().with("echo", |_config| Ok(Box::new(Echo)));
/// let scenario = Scenario::text("echo.ron", text).kinds(kinds);
/// assert_eq!(scenario.run().unwrap().verdict, sim_models::outcome::Verdict::Kept);
/// ```
pub trait CustomActor: fmt::Debug {
    /// The run begins.
    fn on_start(&mut self, _desk: &mut Desk<'_>) {}

    /// A request has arrived. It is answered now or later, at most once, by its ticket; one that
    /// never is leaves its caller waiting.
    fn on_request(&mut self, ask: Ask, desk: &mut Desk<'_>);

    /// A wake-up ordered with this token is due.
    fn on_wake(&mut self, _token: u64, _desk: &mut Desk<'_>) {}
}

/// A request to a custom actor.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// By which it is answered.
    pub ticket: Ticket,
    /// The endpoint that was called.
    pub endpoint: Value,
    /// The idempotency key.
    pub key: Value,
    /// The content.
    pub body: Value,
    /// The number of the attempt, from 1.
    pub attempt: u32,
}

/// The right to answer one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(u64);

impl Ticket {
    pub(crate) fn new(word: u64) -> Ticket {
        Ticket(word)
    }

    pub(crate) fn word(self) -> u64 {
        self.0
    }
}

/// What a custom actor can see and order.
#[derive(Debug)]
pub struct Desk<'a> {
    now: Time,
    texts: &'a mut Texts,
    luck: Indexed,
    lineage: u64,
    orders: Vec<Order>,
}

/// What a custom actor has ordered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    Answer { ticket: Ticket, status: u16, body: Value, after: Span },
    Wake { token: u64, after: Span },
}

impl<'a> Desk<'a> {
    pub(crate) fn new(now: Time, texts: &'a mut Texts, luck: Indexed, lineage: u64) -> Desk<'a> {
        Desk { now, texts, luck, lineage, orders: Vec::new() }
    }

    pub(crate) fn into_orders(self) -> Vec<Order> {
        self.orders
    }

    /// The present instant.
    pub fn now(&self) -> Time {
        self.now
    }

    /// The run's texts and records, to read values and make new ones.
    pub fn texts(&mut self) -> &mut Texts {
        self.texts
    }

    /// The random draws at an index of the actor's own choice; equal indices give equal draws.
    pub fn draws(&self, index: u64) -> Draws {
        self.luck.at(mix(self.lineage, index))
    }

    /// Answers a request with a status, after a while.
    pub fn answer(&mut self, ticket: Ticket, status: u16, body: Value, after: Span) {
        self.orders.push(Order::Answer { ticket, status, body, after });
    }

    /// Asks for [`CustomActor::on_wake`] after a while.
    pub fn wake(&mut self, token: u64, after: Span) {
        self.orders.push(Order::Wake { token, after });
    }
}

/// Builds a custom actor from its settings.
pub type Make = fn(&BTreeMap<String, String>) -> Result<Box<dyn CustomActor>, String>;

/// The kinds of custom actors that a program knows.
#[derive(Clone, Debug, Default)]
pub struct Kinds {
    kinds: BTreeMap<&'static str, Make>,
}

impl Kinds {
    /// None.
    pub fn new() -> Kinds {
        Kinds::default()
    }

    /// These and one more.
    #[must_use]
    pub fn with(mut self, kind: &'static str, make: Make) -> Kinds {
        self.kinds.insert(kind, make);
        self
    }

    /// Builds an actor of a kind, or says why not.
    pub(crate) fn make(
        &self,
        kind: &str,
        config: &BTreeMap<String, String>,
    ) -> Result<Box<dyn CustomActor>, String> {
        let Some(make) = self.kinds.get(kind) else {
            let known: Vec<&str> = self.kinds.keys().copied().collect();
            return Err(if known.is_empty() {
                format!("unknown kind of actor `{kind}`; this program registers none")
            } else {
                format!("unknown kind of actor `{kind}`; registered are {}", known.join(", "))
            });
        };
        make(config)
    }
}
