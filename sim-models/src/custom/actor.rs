//! What an actor written in Rust is asked, sees and orders.

use std::fmt;

use sim_core::{Draws, Span, Time};
use sim_policies::{Ending, Fate};
use sim_redis::value::{Texts, Value};

/// An actor of a user's own kind.
///
/// It remembers what its fields hold. A crash drops it with all of that; the ledger and what others
/// know stay. The actor that its [`Make`](super::Make) builds after the crash begins with
/// [`on_start`](CustomActor::on_start). Two actors of one kind share nothing.
///
/// ```
/// use sim_models::prelude::*;
///
/// /// Hands every request on to a bank, and its answer back.
/// #[derive(Debug)]
/// struct Proxy;
///
/// impl CustomActor for Proxy {
///     fn on_request(&mut self, ask: Ask, desk: &mut Desk<'_>) {
///         desk.call("bank", 0, ask);
///     }
///
///     fn on_answer(&mut self, answer: Answer, desk: &mut Desk<'_>) {
///         let status = if answer.fate == Fate::Succeeded { 201 } else { 502 };
///         desk.answer(answer.ask.ticket, status, answer.body, Span::ZERO);
///     }
/// }
///
/// /// Charges each key once.
/// #[derive(Debug)]
/// struct Bank;
///
/// impl CustomActor for Bank {
///     fn effects(&self) -> Vec<&str> {
///         vec!["charge"]
///     }
///
///     fn on_request(&mut self, ask: Ask, desk: &mut Desk<'_>) {
///         let id = desk.effect(Effect { once: ask.key, ..Effect::of("charge") }, &ask);
///         desk.answer(ask.ticket, 201, id.unwrap_or_default(), Span::millis(30));
///     }
/// }
///
/// let text = r#"Scenario(
///     name: "own", about: "A proxy and a bank, both written in Rust.", horizon: "30s",
///     actors: {
///         "users": Client(load: Burst(count: 3), does: [Call("proxy.pay", policy: "patient")]),
///         "proxy": Custom("proxy", calls: {"bank": Call("bank.charge", policy: "patient")}),
///         "bank": Custom("bank"),
///     },
///     policies: { "patient": [Retry(attempts: 5, backoff: Constant("1s")), Timeout("5s")] },
///     faults: [At("10ms", for: "2s", Crash("bank"))],
///     invariants: [ExactlyOnce("charge"), AllAnswered],
/// )"#;
/// let kinds = Kinds::new()
///     .with("proxy", |_config| Ok(Box::new(Proxy)))
///     .with("bank", |_config| Ok(Box::new(Bank)));
/// let outcome = Scenario::text("own.ron", text).kinds(kinds).run()?;
/// assert_eq!(outcome.verdict, Verdict::Kept);
/// assert!(outcome.call("proxy", "bank").is_some_and(|call| call.retries > 0));
/// # Ok::<(), Error>(())
/// ```
pub trait CustomActor: fmt::Debug {
    /// The kinds of its effects, by which invariants name them.
    fn effects(&self) -> Vec<&str> {
        Vec::new()
    }

    /// The run begins, or the actor is up again after a crash.
    fn on_start(&mut self, _desk: &mut Desk<'_>) {}

    /// A request has arrived. It is answered now or later, at most once, by its ticket; one that
    /// never is leaves its caller waiting.
    fn on_request(&mut self, ask: Ask, desk: &mut Desk<'_>);

    /// A call has ended, however it did.
    fn on_answer(&mut self, _answer: Answer, _desk: &mut Desk<'_>) {}

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
    /// Nobody wants an answer after this.
    pub deadline: Option<Time>,
    /// Whose it is.
    pub(crate) intent: u32,
    /// Addresses the luck of what is done for it.
    pub(crate) lineage: u64,
}

/// The right to answer one request. After a crash it is worth nothing.
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

/// How a call of a custom actor has ended.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// The token with which it was called.
    pub token: u64,
    /// For whom it was called.
    pub ask: Ask,
    /// A status, or what the caller noticed instead.
    pub ending: Ending,
    /// What may be concluded from that, and from the attempts before it.
    pub fate: Fate,
    /// The content.
    pub body: Value,
    /// What else it says.
    pub headers: Value,
}

/// Something durable that a custom actor does, as the step `Effect` does it.
#[derive(Clone, Copy, Debug)]
pub struct Effect<'a> {
    /// The kind, which [`CustomActor::effects`] names.
    pub kind: &'a str,
    /// The key under which it happens once; `Nil` for each time anew.
    pub once: Value,
    /// How long the key is remembered; by default always.
    pub keep: Option<Span>,
    /// The fencing token that comes with it.
    pub token: Option<i64>,
    /// Refuses a token below the highest one.
    pub fenced: bool,
    /// The kind of effect that it takes back for the same intent.
    pub undoes: Option<&'a str>,
}

impl<'a> Effect<'a> {
    /// An effect that happens each time, without a token.
    pub fn of(kind: &'a str) -> Effect<'a> {
        let (once, keep, token, fenced, undoes) = (Value::Nil, None, None, false, None);
        Effect { kind, once, keep, token, fenced, undoes }
    }
}

/// What a custom actor can see and do.
pub struct Desk<'a>(&'a mut dyn Host);

impl fmt::Debug for Desk<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Desk at {}", self.now())
    }
}

/// The world, as a desk knows it.
pub(crate) trait Host {
    fn now(&self) -> Time;
    fn clock_ms(&self) -> i64;
    fn texts(&mut self) -> &mut Texts;
    fn draws(&self, index: u64) -> Draws;
    fn errand(&mut self) -> Ask;
    fn effect(&mut self, effect: Effect<'_>, ask: &Ask) -> Option<Value>;
    fn answer(&mut self, ticket: Ticket, status: u16, body: Value, after: Span);
    fn call(&mut self, name: &str, token: u64, ask: Ask);
    fn wake(&mut self, token: u64, after: Span);
}

impl<'a> Desk<'a> {
    pub(crate) fn new(host: &'a mut dyn Host) -> Desk<'a> {
        Desk(host)
    }

    /// The present instant.
    pub fn now(&self) -> Time {
        self.0.now()
    }

    /// The actor's own wall clock, in milliseconds since the run began, as `{now}` in a program.
    pub fn clock_ms(&self) -> i64 {
        self.0.clock_ms()
    }

    /// The run's texts and records, to read values and make new ones.
    pub fn texts(&mut self) -> &mut Texts {
        self.0.texts()
    }

    /// The random draws at an index of the actor's own choice; equal indices give equal draws.
    pub fn draws(&self, index: u64) -> Draws {
        self.0.draws(index)
    }

    /// A request of nobody's, for calls and effects of the actor's own accord. Its ticket answers
    /// nobody. All errands of an actor belong to one intent.
    pub fn errand(&mut self) -> Ask {
        self.0.errand()
    }

    /// Something durable happens now, for the intent of a request. It stays, whatever fails
    /// afterwards. Its id, such as `charge-4`; nothing when its token is stale.
    ///
    /// The run ends as [`Mistaken`] when [`CustomActor::effects`] does not name the kind, or
    /// the scenario has no effect of the kind that it takes back.
    ///
    /// [`Mistaken`]: crate::outcome::RunLimit::Mistaken
    pub fn effect(&mut self, effect: Effect<'_>, ask: &Ask) -> Option<Value> {
        self.0.effect(effect, ask)
    }

    /// Answers a request with a status, after a while, which is the work that it takes: a slow
    /// actor takes longer. The run ends as [`Mistaken`] at a status outside 100
    /// to 599.
    ///
    /// [`Mistaken`]: crate::outcome::RunLimit::Mistaken
    pub fn answer(&mut self, ticket: Ticket, status: u16, body: Value, after: Span) {
        self.0.answer(ticket, status, body, after);
    }

    /// Calls whom the scenario names in `calls`, through the policies that it names there, and says
    /// what `ask` says: its key and its content. Whatever comes of it arrives at
    /// [`CustomActor::on_answer`] with the token. Calls for one request need tokens of their own,
    /// since the token addresses their luck.
    ///
    /// The run ends as [`Mistaken`] when the scenario gives this actor no call of that name.
    ///
    /// [`Mistaken`]: crate::outcome::RunLimit::Mistaken
    pub fn call(&mut self, name: &str, token: u64, ask: Ask) {
        self.0.call(name, token, ask);
    }

    /// Asks for [`CustomActor::on_wake`] after a while.
    pub fn wake(&mut self, token: u64, after: Span) {
        self.0.wake(token, after);
    }
}
