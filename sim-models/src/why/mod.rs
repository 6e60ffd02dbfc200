//! Why a promise broke, or what became of an intent: a run told as a sequence diagram.
//!
//! The run is repeated, and this time everything that happens to the intents concerned is kept:
//! each message with its attempt and key, each store command with its reply, the decisions of
//! policies and programs with their reasons, locks, expiries, faults. That becomes a [`Sequence`]:
//! lifelines, and rows from top to bottom, which text, SVG and JSON draw alike.
//!
//! **Invariant:** asking why changes nothing about a run. Its digest is that of `sim run`.
//!
//! ```
//! use sim_models::Scenario;
//! use sim_models::why::{Subject, why};
//!
//! let text = r#"Scenario(
//!     name: "shop", about: "Asks again when no answer comes.", horizon: "1m",
//!     actors: {
//!         "shopper": Client(load: Burst(count: 1), does: [Call("psp.charge", policy: "again")]),
//!         "psp": Service(workers: 1, endpoints: { "charge": [Effect("charge")] }),
//!     },
//!     links: [Link(from: "shopper", to: "psp", latency: Const("10ms"))],
//!     policies: { "again": [
//!         Retry(attempts: 2, backoff: Constant("1s"), even_if_unsafe: true), Timeout("2s"),
//!     ] },
//!     faults: [At("5ms", for: "10ms", Loss("psp", "shopper", 1.0))],
//!     invariants: [AtMostOnce("charge")],
//! )"#;
//! let scenario = Scenario::text("shop.ron", text).load()?;
//! let sequence = why(&scenario, 1, &Subject::Violation(1))?;
//! let rows: Vec<&str> = sequence.rows.iter().map(|row| row.text.as_str()).collect();
//! assert!(rows.contains(&"charge, attempt 2"), "{rows:#?}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod fold;
mod inquiry;
mod keys;
mod marks;
mod rows;
#[cfg(test)]
mod tests;
pub(crate) mod words;

use std::fmt;

use sim_core::{Span, Time};

use crate::Scenario;
pub use inquiry::{Inquiry, Slow};

/// What is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The first violation of a promise: of the first one that is broken for 1, and so on.
    Violation(usize),
    /// What became of an intent, such as `shoppers-17`.
    Intent(String),
}

/// A run of some intents as a sequence diagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// The scenario's name.
    pub scenario: String,
    /// Its variant, if one was chosen.
    pub variant: Option<String>,
    /// The seed of the run.
    pub seed: u64,
    /// The digest of the run.
    pub digest: u64,
    /// Whose story it is. Two of them meet in it.
    pub intents: Vec<String>,
    /// The promise that breaks in it.
    pub broken: Option<Broken>,
    /// Users, instances and stores, from left to right.
    pub lifelines: Vec<Lifeline>,
    /// What happens, from top to bottom.
    pub rows: Vec<Row>,
    /// Which keys are held, as locks are.
    pub holds: Vec<Hold>,
    /// How many rows come after the violation, and are not shown.
    pub left_out: usize,
    /// How many rows come before the first, and are not shown: the story of a program that serves
    /// nobody lasts as long as the run.
    pub left_out_before: usize,
}

impl Sequence {
    /// The words of a row; where two intents meet, they say whose it is.
    pub fn said(&self, row: &Row) -> String {
        let Some(intent) = row.intent.filter(|_| self.intents.len() > 1) else {
            return row.text.clone();
        };
        let is_users = match row.what {
            What::Deed { at } => self.lifelines[at].kind == LifelineKind::User,
            What::Message { from, to, .. } => {
                [from, to].iter().any(|end| self.lifelines[*end].kind == LifelineKind::User)
            }
            _ => false,
        };
        if is_users { row.text.clone() } else { format!("{}: {}", self.intents[intent], row.text) }
    }

    /// That not every row is shown, where that is so.
    pub fn bounded(&self) -> Option<String> {
        let before = self.left_out_before;
        (before > 0).then(|| format!("the end of a long story; {before} rows before it are not"))
    }

    /// Whether a row is the first of its time, as people read times.
    pub fn tells_time(&self, row: usize) -> bool {
        row == 0 || self.rows[row - 1].at.to_string() != self.rows[row].at.to_string()
    }
}

/// A promise that breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// As the scenario spells it.
    pub promise: String,
    /// What shows it.
    pub witness: String,
    /// In which row it breaks.
    pub row: usize,
}

/// Somebody who sends, receives or does something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifeline {
    /// `shoppers-17`, `api[2]`, `redis`.
    pub name: String,
    /// What it is.
    pub kind: LifelineKind,
}

/// What a lifeline is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LifelineKind {
    /// A user with one intent.
    User,
    /// An instance of a service, or an actor written in Rust.
    Service,
    /// A store.
    Store,
    /// A broker.
    Broker,
}

impl LifelineKind {
    /// Its name in JSON, which stays as it is, and under the lifeline.
    pub const fn name(self) -> &'static str {
        match self {
            LifelineKind::User => "user",
            LifelineKind::Service => "service",
            LifelineKind::Store => "store",
            LifelineKind::Broker => "broker",
        }
    }
}

/// One row of the diagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// When it happens.
    pub at: Time,
    /// The step of the run.
    pub step: u64,
    /// Whose it is: the place in [`Sequence::intents`].
    pub intent: Option<usize>,
    /// What it is, and where.
    pub what: What,
    /// What it says: `charge, attempt 2`.
    pub text: String,
    /// Why: `expired at 30.01s, which shopper-1 had set at 10ms`.
    pub why: Option<String>,
    /// How much it matters.
    pub tone: Tone,
}

/// What a row draws. Numbers are those of lifelines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A message. It arrives in the row `until`, which is this one when nothing comes between.
    Message {
        /// Its sender.
        from: usize,
        /// Its receiver.
        to: usize,
        /// A request, an answer, or a command with its reply at once.
        way: Way,
        /// The row in which it ends.
        until: usize,
        /// What becomes of it.
        fate: Fate,
    },
    /// A message that was sent in an earlier row arrives.
    Arrival {
        /// That row.
        of: usize,
        /// Its receiver.
        to: usize,
    },
    /// Somebody does something.
    Deed {
        /// Who.
        at: usize,
    },
    /// Something happens to more than one, or to the way between two.
    Across {
        /// The leftmost of those.
        from: usize,
        /// The rightmost.
        to: usize,
    },
    /// Nothing happens for so long.
    Gap {
        /// How long.
        lasts: Span,
    },
    /// The rows above come again.
    Again {
        /// How many rows they are.
        rows: usize,
        /// How many times more.
        times: u64,
    },
}

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To the callee.
    Request,
    /// Back to the caller.
    Answer,
    /// A command to a store, and its reply.
    Exchange,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives.
    Arrives,
    /// It is lost.
    Lost,
    /// It arrives, and nobody does anything with it.
    Forgotten,
    /// It arrives when nobody waits for it any more.
    TooLate,
}

/// How much a row matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// The ordinary course.
    Plain,
    /// A decision: of a policy, a program or a user.
    Decision,
    /// Something durable.
    Effect,
    /// An error, a loss, a timeout, an expiry.
    Trouble,
    /// A fault strikes.
    Fault,
    /// A fault heals.
    Healed,
    /// A promise breaks.
    Violation,
}

/// A key that somebody holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The lifeline of the store.
    pub store: usize,
    /// The key.
    pub key: String,
    /// Who holds it: the place in [`Sequence::intents`].
    pub intent: usize,
    /// From this row on.
    pub from: usize,
    /// Until this row; it is held at the end when there is none.
    pub until: Option<usize>,
    /// How it ends.
    pub end: HoldEnd,
}

/// How a key is let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldEnd {
    /// It is held at the end.
    Held,
    /// Who took it removed it or wrote over it.
    Released,
    /// Its time was over.
    Expired,
    /// Somebody else removed it or wrote over it.
    ByAnother,
}

/// Why there is no sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No promise is broken.
    NothingBroken {
        /// Some intents of the run.
        intents: Vec<String>,
        /// How many others there are.
        more: usize,
    },
    /// Fewer promises are broken.
    OnlyBroken {
        /// Their names.
        broken: Vec<String>,
    },
    /// The violation concerns no intent.
    OfNobody {
        /// The promise.
        promise: String,
        /// What shows it.
        witness: String,
    },
    /// No intent has this name.
    NoIntent {
        /// What was asked for.
        name: String,
        /// Some that there are.
        intents: Vec<String>,
        /// How many others there are.
        more: usize,
    },
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::NothingBroken { intents, more } => {
                f.write_str("no promise is broken in this run; ask about an intent instead: ")?;
                list(f, intents, *more)
            }
            Refusal::OnlyBroken { broken } => {
                write!(f, "in this run these promises are broken, and no more: ")?;
                let numbered = (1..).zip(broken).map(|(n, name)| format!("{n} {name}"));
                f.write_str(&numbered.collect::<Vec<_>>().join(", "))
            }
            Refusal::OfNobody { promise, witness } => write!(
                f,
                "{promise} is broken, and by nobody's intent alone: {witness}; `sim run` shows the \
                 figures and charts of the run"
            ),
            Refusal::NoIntent { name, intents, more } => {
                write!(f, "no intent is called {name}; there are ")?;
                list(f, intents, *more)
            }
        }
    }
}

/// Some names, and how many more there are.
fn list(f: &mut fmt::Formatter<'_>, names: &[String], more: usize) -> fmt::Result {
    if names.is_empty() {
        return f.write_str("none");
    }
    f.write_str(&names.join(", "))?;
    if more > 0 { write!(f, " and {more} more") } else { Ok(()) }
}

/// Tells the run of a seed as a sequence of what happened to the intents concerned.
///
/// # Errors
/// When nothing in the run is what was asked about.
pub fn why(scenario: &Scenario, seed: u64, about: &Subject) -> Result<Sequence, Refusal> {
    Inquiry::new(scenario, seed).why(about)
}
