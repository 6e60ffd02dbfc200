//! The nodes of a trace: one, or a primary with a replica that hears of writes later.

use std::collections::BTreeMap;

use serde_json::Value;

use super::line::{ONLY, Step};
use super::reply::{Names, to_json};
use crate::data::Data;
use crate::eviction::Eviction;
use crate::node::{Connection, Node};
use crate::reply::Reply;
use crate::value::Texts;

/// The name of the primary, when a trace has two nodes.
const PRIMARY: &str = "A";

/// The name of its replica.
const REPLICA: &str = "B";

/// All nodes of a trace.
pub(super) struct Cluster {
    texts: Texts,
    members: BTreeMap<&'static str, Member>,
    /// The replica hears of the primary's writes.
    linked: bool,
}

#[derive(Default)]
struct Member {
    node: Node,
    connections: BTreeMap<String, Client>,
    crashed: bool,
}

/// One client's connection to one node.
#[derive(Default)]
struct Client {
    connection: Connection,
    /// The names of what was queued since `MULTI`.
    queued: Vec<String>,
}

/// What a command has got.
pub(super) struct Found {
    pub(super) reply: Value,
    pub(super) names: Names,
}

impl Cluster {
    pub(super) fn new(two: bool, policy: Eviction) -> Cluster {
        let member = || {
            let node = Node { policy, ..Node::default() };
            Member { node, ..Member::default() }
        };
        let mut members = BTreeMap::new();
        if two {
            let (mut primary, mut replica) = (member(), member());
            primary.node.acknowledged.push(0);
            replica.node.is_replica = true;
            members.extend([(PRIMARY, primary), (REPLICA, replica)]);
        } else {
            members.insert(ONLY, member());
        }
        Cluster { texts: Texts::default(), members, linked: two }
    }

    fn member(&mut self, node: &str) -> Result<&mut Member, String> {
        let names: Vec<_> = self.members.keys().copied().collect();
        match self.members.get_mut(node) {
            None => Err(format!("unknown node `{node}`; known: {}", names.join(", "))),
            Some(member) if member.crashed => Err(format!("node {node} has crashed")),
            Some(member) => Ok(member),
        }
    }

    pub(super) fn event(&mut self, step: &Step<'_>, now_ms: i64) -> Result<(), String> {
        match *step {
            Step::Command { .. } => {}
            Step::CaughtUp { node } => {
                self.member(node)?;
                if node != REPLICA || !self.linked {
                    return Err(format!("node {node} has no primary to catch up with"));
                }
                self.catch_up(now_ms);
            }
            Step::LinkCut { master, replica } => {
                if (master, replica) != (PRIMARY, REPLICA) || !self.linked {
                    return Err(format!("there is no link from {master} to {replica}"));
                }
                self.linked = false;
            }
            Step::Crash { node } => {
                self.member(node)?.crashed = true;
                self.linked = false;
            }
            Step::Promoted { node } => {
                self.member(node)?.node.is_replica = false;
                self.linked = false;
            }
        }
        Ok(())
    }

    /// The replica carries out all that the primary has written, and says so.
    fn catch_up(&mut self, now_ms: i64) {
        let Some(mut primary) = self.members.remove(PRIMARY) else { return };
        let done = primary.node.acknowledged[0];
        if let Some(replica) = self.members.get_mut(REPLICA) {
            for command in &primary.node.log[done..] {
                replica.node.store.replay(now_ms, command, &mut self.texts);
            }
        }
        primary.node.acknowledged[0] = primary.node.log.len();
        self.members.insert(PRIMARY, primary);
    }

    pub(super) fn run(
        &mut self,
        node: &str,
        client: &str,
        now_ms: i64,
        words: &[&str],
    ) -> Result<Found, String> {
        let name = words[0].to_ascii_lowercase();
        self.member(node)?;
        // A primary that is asked to wait asks its replica how far it is.
        if name == "wait" && self.linked && node == PRIMARY {
            self.catch_up(now_ms);
        }
        let member = self.members.get_mut(node).expect("a known node");
        let connection = &mut member.connections.entry(client.to_owned()).or_default().connection;
        let reply = member.node.run(connection, now_ms, words, &mut self.texts);
        let reply = reply.map_err(|what| what.to_string())?;
        // A primary of its own hears of nobody's writes.
        self.linked &= !(name == "replicaof" && reply == Reply::Ok);
        let Client { connection, queued } =
            self.members.get_mut(node).and_then(|m| m.connections.get_mut(client)).expect("known");
        let names = match &reply {
            Reply::Array(_) if name == "exec" => Names::Exec(std::mem::take(queued)),
            _ => Names::One(name.clone()),
        };
        match reply {
            Reply::Status("QUEUED") => queued.push(name),
            _ if !connection.is_queueing() => queued.clear(),
            _ => {}
        }
        if self.texts.is_overfull() {
            return Err("all strings together pass half a GiB".to_owned());
        }
        Ok(Found { reply: to_json(&reply, &self.texts), names })
    }

    /// What a command is about to meet, for a person who reads a difference.
    pub(super) fn state(
        &mut self,
        node: &str,
        client: &str,
        words: &[&str],
        now_ms: i64,
    ) -> String {
        let mut parts = vec![format!("the clock shows {now_ms}")];
        let Some(member) = self.members.get(node) else { return String::new() };
        if let Some(key) = words.get(1) {
            let id = self.texts.intern(key);
            parts.push(match member.node.store.peek(id) {
                None => format!("{key:?} is no key"),
                Some((data, deadline)) => {
                    let until = deadline
                        .ms()
                        .map_or_else(|| "without expiry".to_owned(), |ms| format!("through {ms}"));
                    format!("{key:?} is a {} {until}: {}", data.kind(), show(data, &self.texts))
                }
            });
        }
        if let Some(client) = member.connections.get(client) {
            let (queued, watched) = (client.queued.len(), client.connection.watched());
            if client.connection.is_queueing() || watched > 0 {
                parts.push(format!("{queued} queued, {watched} watched"));
            }
        }
        if member.node.is_replica {
            parts.push("a replica".to_owned());
        }
        if member.node.out_of_memory {
            parts.push("no memory left".to_owned());
        }
        parts.join("; ")
    }
}

/// What a key holds.
fn show(data: &Data, texts: &Texts) -> String {
    let value = |value| format!("{:?}", texts.show(value));
    let list = |items: Vec<String>| format!("[{}]", items.join(", "));
    match data {
        Data::String(string) => value(*string),
        Data::List(items) => list(items.iter().map(|item| value(*item)).collect()),
        Data::Hash(hash) => list(
            hash.in_order()
                .iter()
                .map(|(field, v)| format!("{:?}: {}", texts.text(*field), value(*v)))
                .collect(),
        ),
        Data::ZSet(zset) => {
            list(zset.in_order().map(|(score, m)| format!("{score} {:?}", texts.text(m))).collect())
        }
    }
}
