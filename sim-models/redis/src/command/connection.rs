//! What concerns a connection or the node around the store: transactions, `WAIT`, and what an
//! operator says. A [`Node`](crate::Node) does these; a store never sees them.

use super::words::{Access, Spelling, Words, spelled};
use crate::number::parse_int;
use crate::reply::{KvError, Late};
use crate::value::Key;

/// What a client asks of its connection, or an operator of the node.
#[derive(Clone, Debug)]
pub(crate) enum ConnectionCommand {
    /// `MULTI`.
    Multi,
    /// `EXEC`.
    Exec,
    /// `DISCARD`.
    Discard,
    /// `WATCH`.
    Watch(Vec<Key>),
    /// `UNWATCH`.
    Unwatch,
    /// `WAIT`, perhaps with a number that is none.
    Wait(Late<()>),
    /// What an operator says to the node.
    Operator(Operator),
}

/// What an operator says to a node.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Operator {
    /// `REPLICAOF NO ONE`, or another node.
    ReplicaOf { no_one: bool },
    /// `@OOM_ON`: `maxmemory` is 1 from now on.
    OomOn,
    /// `@OOM_OFF`: there is memory again.
    OomOff,
}

/// How they are spelled.
pub(crate) const TABLE: &[Spelling<ConnectionCommand>] = {
    use Access::Read;
    use ConnectionCommand as C;
    &[
        spelled("multi", 1, Read, |_| Ok(C::Multi)),
        spelled("exec", 1, Read, |_| Ok(C::Exec)),
        spelled("discard", 1, Read, |_| Ok(C::Discard)),
        spelled("watch", -2, Read, |w| Ok(C::Watch(w.texts(1)))),
        spelled("unwatch", 1, Read, |_| Ok(C::Unwatch)),
        spelled("wait", 3, Read, |w| Ok(C::Wait(wait(w)))),
        spelled("replicaof", 3, Read, |w| {
            Ok(C::Operator(Operator::ReplicaOf { no_one: w.is(1, "no") && w.is(2, "one") }))
        }),
        spelled("@oom_on", 1, Read, |_| Ok(C::Operator(Operator::OomOn))),
        spelled("@oom_off", 1, Read, |_| Ok(C::Operator(Operator::OomOff))),
    ]
};

fn wait(w: &Words<'_, '_>) -> Late<()> {
    w.int(1)?;
    match parse_int(w.word(2)) {
        None => Err(KvError::other("ERR timeout is not an integer or out of range")),
        Some(..0) => Err(KvError::other("ERR timeout is negative")),
        Some(_) => Ok(()),
    }
}
