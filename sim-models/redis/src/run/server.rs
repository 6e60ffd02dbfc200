//! Commands to the node as a whole.

use crate::command::server::ServerCommand;
use crate::exec::Exec;
use crate::reply::Reply;
use crate::row::Row;
use crate::value::Value;

impl Exec<'_> {
    pub(super) fn server_command(&mut self, command: &ServerCommand) -> Reply {
        use ServerCommand as C;
        match command {
            C::DbSize => Reply::Int(self.rows.taken().count() as i64),
            C::FlushAll => {
                self.rows.taken_mut().map(|(_, row)| row).for_each(Row::clear);
                self.dirty = true;
                Reply::Ok
            }
            // Seconds and microseconds; the clock of a node goes by milliseconds.
            C::Time => {
                let (seconds, ms) = (self.now_ms.div_euclid(1000), self.now_ms.rem_euclid(1000));
                Reply::Array([seconds, ms * 1000].map(|n| Reply::Value(Value::Int(n))).into())
            }
            C::Ping { message: None } => Reply::Status("PONG"),
            C::Ping { message: Some(message) } | C::Echo { message } => Reply::Value(*message),
        }
    }
}
