//! Commands to the node as a whole.

use super::words::{Access, Spelling, Words, access_of, spelled};
use crate::reply::KvError;
use crate::value::Value;

/// A command to the node as a whole.
#[derive(Clone, Debug, PartialEq)]
pub enum ServerCommand {
    /// `DBSIZE`: the number of keys, with the expired ones that nobody has touched since.
    DbSize,
    /// `FLUSHALL`, `FLUSHDB`: OK; all keys are gone.
    FlushAll,
    /// `TIME`: an array of the seconds and the microseconds of the node's clock, as texts.
    Time,
    /// `PING`: PONG, or the message.
    Ping {
        /// What is sent back.
        message: Option<Value>,
    },
    /// `ECHO`: the message.
    Echo {
        /// What is sent back.
        message: Value,
    },
}

/// How they are spelled.
pub(crate) const TABLE: &[Spelling<ServerCommand>] = {
    use Access::{Read, Write};
    use ServerCommand as C;
    &[
        spelled("dbsize", 1, Read, |_| Ok(C::DbSize)),
        spelled("flushall", -1, Write, |w| flush(w)),
        spelled("flushdb", -1, Write, |w| flush(w)),
        spelled("time", 1, Read, |_| Ok(C::Time)),
        spelled("ping", -1, Read, |w| match w.len() {
            1 => Ok(C::Ping { message: None }),
            2 => Ok(C::Ping { message: Some(w.value(1)) }),
            _ => Err(w.wrong_arity()),
        }),
        spelled("echo", 2, Read, |w| Ok(C::Echo { message: w.value(1) })),
    ]
};

impl ServerCommand {
    pub(crate) fn access(&self) -> Access {
        use ServerCommand as C;
        match self {
            C::DbSize => const { access_of(TABLE, "dbsize") },
            C::FlushAll => const { access_of(TABLE, "flushall") },
            C::Time => const { access_of(TABLE, "time") },
            C::Ping { .. } => const { access_of(TABLE, "ping") },
            C::Echo { .. } => const { access_of(TABLE, "echo") },
        }
    }
}

fn flush(w: &Words<'_, '_>) -> Result<ServerCommand, KvError> {
    match w.len() {
        1 => Ok(ServerCommand::FlushAll),
        2 if w.is(1, "sync") || w.is(1, "async") => Ok(ServerCommand::FlushAll),
        _ => Err(KvError::Syntax),
    }
}
