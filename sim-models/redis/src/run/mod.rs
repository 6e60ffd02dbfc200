//! Carries out commands: each file does those on one type of key, this one calls them, logs what
//! they did, and runs scripts.

mod hash;
mod key;
mod list;
mod server;
mod string;
mod zset;

use crate::command::Command;
use crate::command::key::KeyCommand;
use crate::command::script::ScriptCommand;
use crate::command::string::{Condition, StringCommand};
use crate::command::words::Access;
use crate::command::zset::ZSetCommand;
use crate::data::zset::ZAddOnly;
use crate::exec::{Done, Exec, Role};
use crate::expiry::{Expiry, Unit};
use crate::number::Bound;
use crate::reply::{KvError, Reply};

impl Exec<'_> {
    /// Carries out one command and logs it; scripts come here again with their parts.
    pub(crate) fn call(&mut self, command: &Command) -> Done {
        self.dirty = false;
        let done = match command {
            Command::String(command) => self.string_command(command),
            Command::Key(command) => self.key_command(command),
            Command::Hash(command) => self.hash_command(command),
            Command::List(command) => self.list_command(command),
            Command::ZSet(command) => self.zset_command(command),
            Command::Script(script) => {
                self.script(script).map_err(|error| error.in_script(script.source()))
            }
            Command::Server(command) => Ok(self.server_command(command)),
        };
        if std::mem::take(&mut self.dirty)
            && let Some(log) = &mut self.mode.log
        {
            log.push(command.clone());
        }
        done
    }

    /// A script that fails half-way does not undo what it did. The log has its parts.
    fn script(&mut self, script: &ScriptCommand) -> Done {
        use ScriptCommand as C;
        match script {
            C::CompareAndDelete { key, expected } => {
                if !self.holds(*key, *expected)? {
                    return Ok(Reply::Int(0));
                }
                self.part(Command::del(*key))
            }
            C::CompareAndExpire { key, expected, px } => {
                if !self.holds(*key, *expected)? {
                    return Ok(Reply::Int(0));
                }
                self.part(KeyCommand::pexpire(*key, px.clone()?))
            }
            C::CompareAndSet { key, expected, value, px } => {
                if !self.holds(*key, *expected)? {
                    return Ok(Reply::Int(0));
                }
                let (key, value, get) = (*key, *value, false);
                let expiry = Expiry::In(px.clone()?, Unit::Millis);
                let condition = Condition::Always;
                self.part(StringCommand::Set { key, value, condition, get, expiry })?;
                Ok(Reply::Int(1))
            }
            C::SlidingWindow { key, now, window, limit, member } => {
                let (key, now) = (*key, *now as f64);
                let (min, max) = (Bound::MIN, Bound::at(now - *window as f64));
                self.part(ZSetCommand::RemRangeByScore { key, min, max })?;
                let admitted = self.number(ZSetCommand::Card { key })?;
                if admitted >= limit.clone()? {
                    return Ok(Reply::Int(0));
                }
                let (only, changed, pairs) = (ZAddOnly::default(), false, vec![(now, *member)]);
                self.part(ZSetCommand::Add { key, only, changed, pairs })?;
                self.part(KeyCommand::pexpire(key, *window))?;
                Ok(Reply::Int(1))
            }
            C::FixedWindow { key, window } => {
                let count = self.number(StringCommand::IncrBy { key: *key, by: 1 })?;
                if count == 1 {
                    self.part(KeyCommand::pexpire(*key, window.clone()?))?;
                }
                Ok(Reply::Int(through_lua(count)))
            }
        }
    }

    /// One command of a script. A replica refuses a write here, and a node without memory a first
    /// write that may need some: after that it is too late to stop.
    fn part(&mut self, command: impl Into<Command>) -> Done {
        let command = command.into();
        let access = command.access();
        if access.is_write() && self.mode.role == Role::Replica {
            return Err(KvError::ReadOnly);
        }
        if access.is_write() && self.mode.few_replicas {
            return Err(KvError::NoReplicas);
        }
        if self.mode.out_of_memory && !self.has_written && access == Access::Grow {
            return Err(KvError::OutOfMemory);
        }
        self.has_written |= access.is_write();
        self.call(&command)
    }

    /// As [`Exec::part`], of a command that answers with a number.
    fn number(&mut self, command: impl Into<Command>) -> Result<i64, KvError> {
        match self.part(command)? {
            Reply::Int(n) => Ok(n),
            _ => Err(KvError::WrongType),
        }
    }
}

/// A number that has been a Lua number, which is a float; one that is too large wraps, as the
/// conversion of x86-64 has it.
fn through_lua(n: i64) -> i64 {
    let float = n as f64;
    if float >= 9_223_372_036_854_775_808.0 { i64::MIN } else { float as i64 }
}
