//! The lines of a trace: its header, then commands with their replies and events.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::reply;
use crate::eviction::Eviction;

/// The first line.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub(super) trace: String,
    pub(super) family: String,
    #[serde(default, rename = "seed")]
    _seed: u64,
    server: String,
    pub(super) epoch_ms: i64,
    resp: u64,
    active_expire: bool,
    /// How many lines follow.
    pub(super) n: u64,
    #[serde(default)]
    clock_mode: Option<String>,
    #[serde(default)]
    pub(super) multi_node: bool,
    #[serde(default)]
    maxmemory_policy: Option<String>,
    #[serde(default, rename = "note")]
    _note: String,
}

/// One of the lines that follow: a command with its reply, or an event.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    pub(super) t_ms: i64,
    node: Option<String>,
    client: Option<String>,
    cmd: Option<Vec<String>>,
    /// `null` is a reply, which is not the same as none.
    #[serde(default, deserialize_with = "present")]
    reply: Option<Value>,
    /// When a `WAIT` began, whose line has the instant of the reply.
    started_ms: Option<i64>,
    event: Option<String>,
    master: Option<String>,
    replica: Option<String>,
    #[serde(default, rename = "note")]
    _note: String,
}

fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

/// The name of the node of a trace that has only one.
pub(super) const ONLY: &str = "";

/// What a line asks for.
pub(super) enum Step<'a> {
    Command { node: &'a str, client: &'a str, words: Vec<&'a str>, reply: &'a Value },
    CaughtUp { node: &'a str },
    LinkCut { master: &'a str, replica: &'a str },
    Crash { node: &'a str },
    Promoted { node: &'a str },
}

/// What a header and its lines say about themselves, once understood.
pub(super) struct Setting {
    pub(super) version: String,
    pub(super) goes_back: bool,
    pub(super) policy: Eviction,
}

impl Header {
    pub(super) fn setting(&self) -> Result<Setting, String> {
        let version = self.server.strip_prefix("redis ").unwrap_or_default();
        if !version.starts_with("7.0.") {
            let server = &self.server;
            return Err(format!("`server` is \"{server}\"; known: redis 7.0, as \"redis 7.0.15\""));
        }
        if self.resp != 2 {
            return Err(format!("`resp` is {}; known: 2", self.resp));
        }
        if self.active_expire {
            let when = "expired keys then go when nobody knows";
            return Err(format!("`active_expire` is true; {when}, record with it off"));
        }
        let goes_back = match self.clock_mode.as_deref() {
            None => false,
            Some("nonmonotonic") => true,
            Some(other) => return Err(format!("`clock_mode` is \"{other}\"; known: nonmonotonic")),
        };
        let named = self.maxmemory_policy.as_deref().unwrap_or("noeviction");
        let policy = Eviction::named(named).ok_or_else(|| {
            format!(
                "`maxmemory_policy` is \"{named}\"; known: noeviction, and allkeys- or volatile- \
                 with lru, lfu or random, and volatile-ttl"
            )
        })?;
        Ok(Setting { version: version.to_owned(), goes_back, policy })
    }
}

impl Line {
    pub(super) fn read(text: &str) -> Result<Line, String> {
        serde_json::from_str(text).map_err(|e| format!("not an event: {e}"))
    }

    /// What the server's clock shows.
    pub(super) fn clock(&self, header: &Header) -> Result<i64, String> {
        let clock = header.epoch_ms.checked_add(self.t_ms);
        clock.ok_or_else(|| format!("`t_ms` is {}, which no clock shows", self.t_ms))
    }

    pub(super) fn step(&self, header: &Header) -> Result<Step<'_>, String> {
        let field = |field: &'static str, value: &'_ Option<String>| match value {
            Some(_) => Err(format!("`{field}` has no place in this line")),
            None => Ok(()),
        };
        let Some(event) = &self.event else {
            field("master", &self.master)?;
            field("replica", &self.replica)?;
            return self.command(header);
        };
        if !header.multi_node {
            return Err(format!("an event `{event}` in a trace that is not `multi_node`"));
        }
        field("client", &self.client)?;
        if self.cmd.is_some() || self.reply.is_some() || self.started_ms.is_some() {
            return Err("an event has no command, reply or beginning".to_owned());
        }
        if event == "replication_link_cut" {
            field("node", &self.node)?;
            let (master, replica) =
                (named("master", &self.master)?, named("replica", &self.replica)?);
            return Ok(Step::LinkCut { master, replica });
        }
        field("master", &self.master)?;
        field("replica", &self.replica)?;
        let node = named("node", &self.node)?;
        match event.as_str() {
            "replication_caught_up" => Ok(Step::CaughtUp { node }),
            "crash" => Ok(Step::Crash { node }),
            "promoted" => Ok(Step::Promoted { node }),
            _ => Err(format!(
                "unknown event `{event}`; known: replication_caught_up, replication_link_cut, \
                 crash, promoted"
            )),
        }
    }

    fn command(&self, header: &Header) -> Result<Step<'_>, String> {
        let node = match (header.multi_node, &self.node) {
            (true, node) => named("node", node)?,
            (false, None) => ONLY,
            (false, Some(_)) => {
                return Err("`node` has no place in a trace that is not `multi_node`".to_owned());
            }
        };
        let client = named("client", &self.client)?;
        let words: Vec<&str> = self.cmd.iter().flatten().map(String::as_str).collect();
        let Some(first) = words.first() else {
            return Err("`cmd` is missing or empty; it must be a list of words".to_owned());
        };
        let Some(reply) = &self.reply else {
            return Err("`reply` is missing".to_owned());
        };
        reply::check(reply)?;
        if let Some(started) = self.started_ms
            && (!first.eq_ignore_ascii_case("wait") || started > self.t_ms)
        {
            return Err(format!(
                "`started_ms` is {started}; it belongs to a WAIT and is not after `t_ms`"
            ));
        }
        Ok(Step::Command { node, client, words, reply })
    }
}

fn named<'a>(field: &str, name: &'a Option<String>) -> Result<&'a str, String> {
    name.as_deref().ok_or_else(|| format!("`{field}` is missing; it must be a text"))
}
