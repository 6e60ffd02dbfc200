//! Programs: values, conditions, steps, designs.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use sim_core::Span;
use sim_policies::Method;

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

impl Serialize for Expr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Expr::Nil => serializer.serialize_none(),
            Expr::Bool(value) => serializer.serialize_bool(*value),
            Expr::Int(value) => serializer.serialize_i64(*value),
            Expr::Text(value) => serializer.serialize_str(value),
            Expr::Record(fields) => serializer.collect_map(fields.iter().map(|(k, v)| (k, v))),
        }
    }
}

impl JsonSchema for Expr {
    fn schema_name() -> Cow<'static, str> {
        "Value".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["null", "boolean", "integer", "string", "object"],
            "description": "A text with `{variables}`, a whole number, a truth value, nil, a record.",
        })
    }
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
            fn visit_unit<E: de::Error>(self) -> Result<Expr, E> {
                Err(E::custom("a value is missing in the brackets"))
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
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[schemars(title = "condition")]
pub enum Cond {
    /// Neither absent, `false` nor zero.
    #[schemars(example = r#"Is("{stored}")"#)]
    Is(Expr),
    /// Equal in type and value.
    #[schemars(example = r#"Eq("{stored.state}", "done")"#)]
    Eq(Expr, Expr),
    /// Not equal.
    #[schemars(example = r#"Ne("{status}", 200)"#)]
    Ne(Expr, Expr),
    /// Whole numbers, first below second; false when either is no number.
    #[schemars(example = r#"Lt("{tries}", 3)"#)]
    Lt(Expr, Expr),
    /// Whole numbers, first at most second; false when either is no number.
    #[schemars(example = r#"Le("{now}", "{due}")"#)]
    Le(Expr, Expr),
    /// The opposite.
    #[schemars(example = r#"Not(Is("{claimed}"))"#)]
    Not(Box<Cond>),
    /// Every one holds.
    #[schemars(example = r#"All([Is("{stored}"), Ne("{stored}", "started")])"#)]
    All(Vec<Cond>),
    /// At least one holds.
    #[schemars(example = r#"Any([Eq("{status}", 409), Eq("{status}", 425)])"#)]
    Any(Vec<Cond>),
}

/// One step of a program.
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[schemars(title = "step")]
pub enum Step {
    /// Keeps a worker busy.
    #[schemars(example = r#"Work(LogNormal(p50: "20ms", p99: "120ms"))"#)]
    Work(Dist),
    /// Waits without working.
    #[schemars(example = r#"Sleep(Const("1s"))"#)]
    Sleep(Dist),
    /// Asks an endpoint and waits for the answer; anything but a 2xx raises an error.
    #[schemars(example = r#"Call("psp.charge", policy: "provider", into: "charge")"#)]
    Call(Call),
    /// Sends a command to a store and waits for the reply, without a timeout in its policy without
    /// end; an error reply raises an error.
    #[schemars(example = r#"Kv(Get("{key}"), store: "redis", into: "stored")"#)]
    Kv(KvStep),
    /// Gives a variable a value.
    #[schemars(example = r#"Let("tries", 0)"#)]
    Let(Let),
    /// Gives a variable the sum of two whole numbers.
    #[schemars(example = r#"Add("tries", "{tries}", 1)"#)]
    Add(Add),
    /// Chooses by a condition.
    #[schemars(
        example = r#"If(Is("{stored}"), then: [Respond(200, body: "{stored}")], else: [Fail(404)])"#
    )]
    If(If),
    /// Chooses by a value: the first equal case runs.
    #[schemars(
        example = r#"Match("{stored.state}", cases: [("done", [Respond(200)])], else: [Fail(409)])"#
    )]
    Match(Match),
    /// Repeats its body, at most `times` times.
    #[schemars(example = r#"Loop(3, [Call("psp.charge"), Break])"#)]
    Loop(Loop),
    /// Leaves the innermost loop.
    Break,
    /// Handles errors; `finally` runs on every way out.
    #[schemars(
        example = r#"Try([Call("psp.charge")], catch: [Respond(502)], finally: [Label("asked")])"#
    )]
    Try(Try),
    /// In `catch`: the error that was caught goes on.
    Raise,
    /// Runs when a later step of the same block raises an error, which then goes on.
    ///
    /// Several run in reverse order. A crash forgets them.
    #[schemars(example = r#"Compensate([Effect("refund", undoes: "charge")])"#)]
    Compensate(Vec<Step>),
    /// Runs branches at once and waits for all; the first branch's error is raised.
    #[schemars(example = r#"Parallel([[Call("stock.take")], [Call("psp.charge")]])"#)]
    Parallel(Vec<Vec<Step>>),
    /// Runs steps on their own, for which nobody waits; an error in them is forgotten.
    ///
    /// In an async service each of them needs a free worker, as any step does: they wait while
    /// others work. In a blocking service they run beside the workers.
    #[schemars(example = r#"Spawn([Call("mailer.send")])"#)]
    Spawn(Vec<Step>),
    /// Runs steps for another intent.
    #[schemars(example = r#"OnBehalfOf("{origin}", [Effect("order")])"#)]
    OnBehalfOf(OnBehalfOf),
    /// Takes a value out of a cache of the service, or works it out.
    #[schemars(
        example = r#"Cached("prices", "{body}", into: "price", body: [Call("db.price", into: "price")])"#
    )]
    Cached(Cached),
    /// Hands a message to a broker and waits until it is stored.
    #[schemars(example = r#"Publish("bus.orders", key: "{key}")"#)]
    Publish(Publish),
    /// Does something durable that goes to the ledger.
    #[schemars(example = r#"Effect("charge", once: "{key}", keep: "24h")"#)]
    Effect(Effect),
    /// Answers the request and leaves the program; `finally` steps on the way out still run.
    #[schemars(example = r#"Respond(503, retry_after: "2s")"#)]
    Respond(Respond),
    /// Raises an error that is answered with this status unless caught.
    #[schemars(example = r#"Fail(409)"#)]
    Fail(#[schemars(extend("x-wanted" = "status"))] Expr),
    /// In a client's program: the user hears that an effect of this kind was given back.
    ///
    /// It is what counts of the intent once the program ends well. Who has had a refund needs no
    /// charge any more, and must have none in force.
    #[schemars(example = r#"Refunded("charge")"#)]
    Refunded(#[schemars(extend("x-wanted" = "kind"))] String),
    /// Marks a point, `actor.endpoint/label`, at which a fault can strike.
    #[schemars(example = r#"Label("charged")"#)]
    Label(#[schemars(extend("x-wanted" = "name"))] String),
    /// Runs a body under an idempotency design.
    #[schemars(
        example = r#"Idempotent("safe", store: "redis", keep: "24h", body: [Call("psp.charge", into: "result")])"#
    )]
    Idempotent(Idempotent),
    /// In a design: where the body goes.
    Body,
    /// A part of what is protected, at whose end a design may take note that it is done.
    #[schemars(example = r#"Phase("charge", [Call("psp.charge", into: "result")])"#)]
    Phase(Phase),
}

impl Step {
    /// What it does that others notice, in its own words: `Call psp.charge`, `Set redis`. The point
    /// right after it has that name. `None` for a step that only steers its program, or answers.
    pub(crate) fn deed(&self) -> Option<String> {
        Some(match self {
            Step::Work(_) => "Work".to_owned(),
            Step::Sleep(_) => "Sleep".to_owned(),
            Step::Call(call) => format!("Call {}", call.to),
            Step::Kv(step) => format!("{} {}", step.op.word(), step.store),
            Step::Publish(publish) => format!("Publish {}", publish.to),
            Step::Effect(effect) => format!("Effect {}", effect.kind),
            _ => return None,
        })
    }
}

/// Asks an endpoint.
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-unnamed" = 1))]
pub struct Call {
    /// `actor.endpoint`.
    pub to: String,
    /// The policy stack around the call; none sends once and waits without end.
    #[serde(default)]
    pub policy: Option<String>,
    /// The idempotency key. Each attempt works it out anew, so it may name `{attempt}`. A client
    /// sends `{key}` by default, a service nothing.
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
    /// The method of the request. HTTP clients and proxies look at it before they send again.
    ///
    /// By default `"POST"` where the endpoint, or one that it calls, has an effect or publishes a
    /// message; else `"GET"`.
    #[serde(default)]
    pub method: Option<Method>,
    /// Whether doing it twice is as good as doing it once, so that a retry is safe in doubt.
    ///
    /// By default it is so when the call has a key, or when the endpoint and those that it calls
    /// have no effect that could happen twice.
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
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-unnamed" = 2))]
pub struct OnBehalfOf {
    /// The number that `{origin}` had in a task of that intent. What is no such number raises an
    /// error, 500.
    pub origin: Expr,
    /// What.
    pub body: Vec<Step>,
}

/// Takes a value out of a cache of the service, or works it out. The body runs on its own for all
/// who wait for the value; it may read every variable, and what it sets nobody sees but `into`.
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-unnamed" = 2))]
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
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-unnamed" = 1))]
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
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-unnamed" = 2))]
pub struct Let {
    /// The variable.
    pub name: String,
    /// Its new value.
    pub value: Expr,
}

/// Gives a variable the sum of two whole numbers, or the closest number that there is; nil when
/// either is no number.
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-unnamed" = 3))]
pub struct Add {
    /// The variable.
    pub name: String,
    /// The first.
    pub a: Expr,
    /// The second.
    pub b: Expr,
}

/// Chooses by a condition.
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-unnamed" = 2))]
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
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-unnamed" = 2))]
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
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-unnamed" = 2))]
pub struct Loop {
    /// At most this often.
    pub times: u32,
    /// What.
    pub body: Vec<Step>,
}

/// Handles errors. In `catch`, `{error.status}`, `{error.body}`, `{error.kind}` and `{error.fate}`
/// tell what happened; an error that `catch` does not answer is over.
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-unnamed" = 1))]
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
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-unnamed" = 1))]
pub struct Effect {
    /// What: `charge`, `refund`, `order`…
    pub kind: String,
    /// A key under which it happens once: a repeat returns the first one's id. `None` never
    /// matches anything, so it happens each time.
    #[serde(default)]
    pub once: Expr,
    /// How long a key is remembered from its first effect on; by default always. A repeat at
    /// exactly this age is still one.
    #[serde(default)]
    pub keep: Option<Span>,
    /// A fencing token, kept in the ledger. What is no whole number is no token.
    #[serde(default)]
    pub token: Expr,
    /// Refuses, with status 412, a token lower than the highest one accepted before.
    ///
    /// It compares tokens under the same `once` key, or for the intent where there is none. The key
    /// of a refused effect is not used.
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
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-unnamed" = 1))]
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
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-unnamed" = 1))]
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
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-unnamed" = 2))]
pub struct Phase {
    /// Its name, `$phase` in the design.
    pub name: String,
    /// What is done. It leaves in `{result}` what later phases need of it.
    pub body: Vec<Step>,
}

/// An idempotency design: steps around a hole.
#[derive(Clone, Debug, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(example = r#"Design(about: "Protects nothing.", steps: [Body])"#)]
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
