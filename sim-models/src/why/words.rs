//! What is asked and answered, in words.

use sim_policies::Ending;
use sim_redis::value::{Texts, Value};

use crate::language::shorthand;
use crate::plan::{ActorKind, KindId, KvOp, Node, Plan};
use crate::source::Tree;
use crate::trace::{Asks, Message};

/// `charge, key tx-4, attempt 2`.
pub(crate) fn request(message: &Message, plan: &Plan, texts: &Texts) -> String {
    let mut text = match &message.asks {
        Asks::Endpoint(endpoint) => {
            let program = plan.endpoints[endpoint.index()];
            let name = &plan.programs[program.index()].name;
            name.split_once('.').map_or(name.as_str(), |(_, endpoint)| endpoint).to_owned()
        }
        Asks::Queue(queue) => format!("publish to {}", plan.queues[queue.index()].name),
        Asks::Custom(endpoint) => texts.show(*endpoint),
        Asks::Command(op, Node::Primary) => command(op, plan, texts),
        Asks::Command(op, Node::Replica(n)) => {
            let replica = match &plan.actors[message.to.0.index()].kind {
                ActorKind::Kv(store) => store.replicas[*n as usize].as_str(),
                _ => "",
            };
            format!("{}, of replica {replica}", command(op, plan, texts))
        }
    };
    if message.key != Value::Nil {
        text += &format!(", key {}", texts.show(message.key));
    }
    if message.attempt > 1 {
        text += &format!(", attempt {}", message.attempt);
    }
    if message.is_copy {
        text += ", a copy that the network made";
    }
    text
}

/// A command as a scenario writes it, with its values: `Set(k:lock, 7, nx: true, px: 30s)`.
pub(super) fn command(op: &KvOp<Value, KindId>, plan: &Plan, texts: &Texts) -> String {
    let mut value = |value: &Value, _| texts.show(*value);
    let mut kind = |kind: &KindId| plan.kinds[kind.index()].clone();
    let op: KvOp<String, String> = op.map(&mut value, &mut kind);
    let text = ron::to_string(&op).unwrap_or_default();
    let Some(mut tree) = Tree::read(&text) else { return text };
    tree.unwrap_some();
    tree.leave_out(&["false", "None"]);
    tree.line(shorthand()).replace('"', "")
}

/// `201 charge-4`, `timed out`.
pub(super) fn answer(ending: Ending, body: Value, texts: &Texts) -> String {
    match (ending, body) {
        (Ending::Status(status), Value::Nil) => status.to_string(),
        (Ending::Status(status), body) => format!("{status} {}", texts.show(body)),
        (ending, _) => ending.to_string(),
    }
}

/// What a store replies: `true`, `nil`, its error.
pub(super) fn reply(ending: Ending, body: Value, error: Option<&str>, texts: &Texts) -> String {
    match (error, ending) {
        (Some(error), _) => error.to_owned(),
        (None, Ending::Status(200)) => texts.show(body),
        (None, ending) => ending.to_string(),
    }
}
