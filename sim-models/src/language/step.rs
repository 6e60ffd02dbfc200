//! Programs: values, conditions, steps, designs.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use sim_core::Span;

use super::{Dist, KvStep};

/// A value that may name variables: `201`, `"{key}:lock"`, `{"status": 201, "id": "{charge}"}`.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Expr {
    /// Absent; written `None`.
    #[default]
    Nil,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A text with `{variables}`; a text that is one variable and nothing else keeps its type.
    Text(String),
    /// Named fields.
    Record(Vec<(String, Expr)>),
}

impl<'de> Deserialize<'de> for Expr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Expr, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Expr;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text with {variables}, a whole number, true, false, None or a map")
            }
            fn visit_bool<E>(self, value: bool) -> Result<Expr, E> {
                Ok(Expr::Bool(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Expr, E> {
                Ok(Expr::Int(value))
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Expr, E> {
                i64::try_from(value).map(Expr::Int).map_err(E::custom)
            }
            fn visit_str<E>(self, value: &str) -> Result<Expr, E> {
                Ok(Expr::Text(value.to_owned()))
            }
            fn visit_none<E>(self) -> Result<Expr, E> {
                Ok(Expr::Nil)
            }
            fn visit_unit<E>(self) -> Result<Expr, E> {
                Ok(Expr::Nil)
            }
            fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Expr, D::Error> {
                Expr::deserialize(inner)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Expr, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Expr::Record(fields))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// A condition on values.
#[derive(Clone, Debug, Deserialize)]
pub enum Cond {
    /// Neither absent, `false` nor zero.
    Is(Expr),
    /// Equal in type and value.
    Eq(Expr, Expr),
    /// Not equal.
    Ne(Expr, Expr),
    /// Whole numbers, first below second; false when either is no number.
    Lt(Expr, Expr),
    /// Whole numbers, first at most second; false when either is no number.
    Le(Expr, Expr),
    /// The opposite.
    Not(Box<Cond>),
    /// Every one holds.
    All(Vec<Cond>),
    /// At least one holds.
    Any(Vec<Cond>),
}

/// One step of a program.
#[derive(Clone, Debug, Deserialize)]
pub enum Step {
    /// Keeps a worker busy.
    Work(Dist),
    /// Waits without working.
    Sleep(Dist),
    /// Asks an endpoint and waits for the answer; anything but a success raises an error.
    Call(Call),
    /// Sends a command to a store and waits for the reply; no reply raises an error.
    Kv(KvStep),
    /// Gives a variable a value.
    Let(Let),
    /// Gives a variable the sum of two whole numbers.
    Add(Add),
    /// Chooses by a condition.
    If(If),
    /// Chooses by a value.
    Match(Match),
    /// Repeats.
    Loop(Loop),
    /// Leaves the innermost loop.
    Break,
    /// Handles errors.
    Try(Try),
    /// In `catch`: the error that was caught goes on.
    Raise,
    /// Runs, and lets the error go on, if a later step of the same block raises one. Several run
    /// in reverse order. A crash forgets them.
    Compensate(Vec<Step>),
    /// Runs branches at once and waits for all; the first branch's error is raised.
    Parallel(Vec<Vec<Step>>),
    /// Runs steps on their own, for which nobody waits; an error in them is forgotten.
    Spawn(Vec<Step>),
    /// Runs steps for another intent.
    OnBehalfOf(OnBehalfOf),
    /// Takes a value out of a cache of the service, or works it out.
    Cached(Cached),
    /// Hands a message to a broker and waits until it is stored.
    Publish(Publish),
    /// Does something durable that goes to the ledger.
    Effect(Effect),
    /// Answers the request and leaves the program; `finally` steps on the way out still run.
    Respond(Respond),
    /// Raises an error that is answered with this status unless caught.
    Fail(Expr),
    /// Marks a point at which a fault can strike.
    Label(String),
    /// Runs a body under an idempotency design.
    Idempotent(Idempotent),
    /// In a design: where the body goes.
    Body,
    /// A part of what is protected, at whose end a design may take note that it is done.
    Phase(Phase),
}

/// Asks an endpoint.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// `actor.endpoint`.
    pub to: String,
    /// The policy stack around the call; none sends once and waits for ever.
    #[serde(default)]
    pub policy: Option<String>,
    /// The idempotency key, worked out anew for each attempt, `{attempt}` being its number. A
    /// client sends its intent's `{key}` by default, a service sends none.
    #[serde(default, deserialize_with = "present")]
    pub key: Option<Expr>,
    /// The content; by default the caller's own `{body}`.
    #[serde(default, deserialize_with = "present")]
    pub body: Option<Expr>,
    /// Further variables for the callee's program.
    #[serde(default)]
    pub with: BTreeMap<String, Expr>,
    /// The variable that takes the answer's content.
    #[serde(default)]
    pub into: Option<String>,
    /// The variable that takes the answer's status.
    #[serde(default)]
    pub status_into: Option<String>,
    /// The variable that takes the answer's headers, an error's too.
    #[serde(default)]
    pub headers_into: Option<String>,
    /// Whether doing it twice is as good as doing it once, so that a retry is safe when nobody
    /// knows what became of the first attempt. By default it is so when the call has a key, or when
    /// the endpoint and those that it calls have no effect that could happen twice.
    #[serde(default)]
    pub idempotent: Option<bool>,
}

/// Tells a field that was written as `None` from one that was not written.
pub(super) fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Runs steps for another intent: their effects, calls and log lines belong to it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnBehalfOf {
    /// The number that `{origin}` had in a task of that intent. What is no such number raises an
    /// error, 500.
    pub origin: Expr,
    /// What.
    pub body: Vec<Step>,
}

/// Takes a value out of a cache of the service, or works it out. The body runs on its own for all
/// who wait for the value; it may read every variable, and what it sets nobody sees but `into`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cached {
    /// The cache's name.
    pub cache: String,
    /// What the value is kept under.
    pub key: Expr,
    /// The variable that the body gives the value to be kept, and that takes a kept one.
    pub into: String,
    /// Works the value out.
    pub body: Vec<Step>,
}

/// Hands a message to a broker.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// `broker.queue`.
    pub to: String,
    /// The message's id, which its consumers see as `{key}`; by default one that no other message
    /// has.
    #[serde(default)]
    pub key: Expr,
    /// The content; by default the publisher's own `{body}`.
    #[serde(default, deserialize_with = "present")]
    pub body: Option<Expr>,
    /// The policy stack around the call to the broker.
    #[serde(default)]
    pub policy: Option<String>,
    /// The variable that takes the message's id.
    #[serde(default)]
    pub into: Option<String>,
}

/// Gives a variable a value.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Let {
    /// The variable.
    pub name: String,
    /// Its new value.
    pub value: Expr,
}

/// Gives a variable the sum of two whole numbers, or the closest number that there is; nil when
/// either is no number.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Add {
    /// The variable.
    pub name: String,
    /// The first.
    pub a: Expr,
    /// The second.
    pub b: Expr,
}

/// Chooses by a condition.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct If {
    /// The condition.
    pub when: Cond,
    /// Runs when it holds.
    pub then: Vec<Step>,
    /// Runs when it does not.
    #[serde(default, rename = "else")]
    pub otherwise: Vec<Step>,
}

/// Chooses by a value.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// The value.
    pub value: Expr,
    /// The first equal case runs.
    pub cases: Vec<(Expr, Vec<Step>)>,
    /// Runs when no case is equal.
    #[serde(default, rename = "else")]
    pub otherwise: Vec<Step>,
}

/// Repeats.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loop {
    /// At most this often.
    pub times: u32,
    /// What.
    pub body: Vec<Step>,
}

/// Handles errors. In `catch`, `{error.status}`, `{error.body}`, `{error.kind}` and `{error.fate}`
/// tell what happened; an error that `catch` does not answer is over.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Try {
    /// What may fail.
    pub body: Vec<Step>,
    /// Runs on an error; without it the error goes on.
    #[serde(default)]
    pub catch: Option<Vec<Step>>,
    /// Runs on every way out.
    #[serde(default)]
    pub finally: Vec<Step>,
}

/// Does something durable.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Effect {
    /// What: `charge`, `refund`, `order`…
    pub kind: String,
    /// A key under which it happens once: a repeat returns the first one's id. `None` never
    /// matches anything, so it happens each time.
    #[serde(default)]
    pub once: Expr,
    /// How long a key is remembered from its first effect on; by default for ever. A repeat at
    /// exactly this age is still one.
    #[serde(default)]
    pub keep: Option<Span>,
    /// A fencing token, kept in the ledger. What is no whole number is no token.
    #[serde(default)]
    pub token: Expr,
    /// Refuses, with status 412, a token lower than the highest one accepted before: under the same
    /// `once` key, or for the intent where there is none. The key of a refused effect is not used.
    #[serde(default)]
    pub fenced: bool,
    /// For `refund`: the kind of effect that it takes back.
    #[serde(default)]
    pub undoes: Option<String>,
    /// The variable that takes its id.
    #[serde(default)]
    pub into: Option<String>,
}

/// Answers the request.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Respond {
    /// The status.
    pub status: Expr,
    /// The content.
    #[serde(default)]
    pub body: Expr,
    /// What else the answer says, by name, beside its content: `{"replayed": true}`.
    #[serde(default)]
    pub headers: Expr,
    /// How long the caller should wait before it asks again.
    #[serde(default)]
    pub retry_after: Option<Span>,
    /// Asks the caller not to retry, as a gRPC server does with a negative pushback.
    #[serde(default)]
    pub no_retry: bool,
}

/// Runs a body under an idempotency design.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Idempotent {
    /// The design's name.
    pub design: String,
    /// `$store` in the design.
    #[serde(default = "default_store")]
    pub store: String,
    /// `$lock` in the design: how long a lock lives; by default as the design says.
    #[serde(default)]
    pub lock: Option<Span>,
    /// `$keep` in the design: how long a result is kept; by default as the design says.
    #[serde(default)]
    pub keep: Option<Span>,
    /// Values for the design's own parameters.
    #[serde(default)]
    pub params: BTreeMap<String, Expr>,
    /// What the design protects. It leaves what shall be answered in `{result}`.
    pub body: Vec<Step>,
}

fn default_store() -> String {
    "redis".to_owned()
}

/// A part of what a design protects.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// Its name, `$phase` in the design.
    pub name: String,
    /// What is done. It leaves in `{result}` what later phases need of it.
    pub body: Vec<Step>,
}

/// An idempotency design: steps around a hole.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Design {
    /// What it promises and what it leaves open.
    pub about: String,
    /// Instead of steps: the design that this one is, but for its defaults.
    #[serde(default)]
    pub like: Option<String>,
    /// Its parameters beside `$store`, `$lock` and `$keep`, with their defaults. `$name` in a step
    /// stands for the value.
    #[serde(default)]
    pub params: BTreeMap<String, Expr>,
    /// Parameters that may only have one of these values.
    #[serde(default)]
    pub choices: BTreeMap<String, Vec<Expr>>,
    /// How long a lock lives where a use does not say so; 30 s by default.
    #[serde(default)]
    pub lock: Option<Span>,
    /// How long a result is kept where a use does not say so; 24 h by default.
    #[serde(default)]
    pub keep: Option<Span>,
    /// The steps, with one `Body`.
    pub steps: Vec<Step>,
    /// What surrounds each `Phase` of what is protected: steps with one `Body`, in which `$phase`
    /// is the phase's name. By default nothing does.
    #[serde(default)]
    pub phase: Vec<Step>,
}
