//! What a client asks of a store, already understood: numbers are numbers, options are fields.
//!
//! Each file has the commands on one type of key: the enum, the table of their spellings, and what
//! each needs of a node.

pub(crate) mod connection;
pub(crate) mod hash;
pub(crate) mod key;
pub(crate) mod list;
pub(crate) mod script;
pub(crate) mod server;
pub(crate) mod string;
pub(crate) mod words;
pub(crate) mod zset;

use crate::value::Key;
use hash::HashCommand;
use key::KeyCommand;
use list::ListCommand;
use script::ScriptCommand;
use server::ServerCommand;
use string::StringCommand;
use words::Access;
use zset::ZSetCommand;

/// What a client asks of the store.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// On strings.
    String(StringCommand),
    /// On keys of any type.
    Key(KeyCommand),
    /// On hashes.
    Hash(HashCommand),
    /// On lists.
    List(ListCommand),
    /// On sorted sets.
    ZSet(ZSetCommand),
    /// Several commands at one instant.
    Script(ScriptCommand),
    /// To the node as a whole.
    Server(ServerCommand),
}

impl Command {
    /// What it needs of the node that carries it out.
    pub fn access(&self) -> Access {
        match self {
            Command::String(command) => command.access(),
            Command::Key(command) => command.access(),
            Command::Hash(command) => command.access(),
            Command::List(command) => command.access(),
            Command::ZSet(command) => command.access(),
            Command::Script(command) => command.access(),
            Command::Server(command) => command.access(),
        }
    }

    /// `DEL` of one key, as logs have it for a key that is gone.
    pub(crate) fn del(key: Key) -> Command {
        KeyCommand::Del { keys: key.into() }.into()
    }
}

impl From<StringCommand> for Command {
    fn from(command: StringCommand) -> Command {
        Command::String(command)
    }
}

impl From<KeyCommand> for Command {
    fn from(command: KeyCommand) -> Command {
        Command::Key(command)
    }
}

impl From<HashCommand> for Command {
    fn from(command: HashCommand) -> Command {
        Command::Hash(command)
    }
}

impl From<ListCommand> for Command {
    fn from(command: ListCommand) -> Command {
        Command::List(command)
    }
}

impl From<ZSetCommand> for Command {
    fn from(command: ZSetCommand) -> Command {
        Command::ZSet(command)
    }
}

impl From<ScriptCommand> for Command {
    fn from(command: ScriptCommand) -> Command {
        Command::Script(command)
    }
}

impl From<ServerCommand> for Command {
    fn from(command: ServerCommand) -> Command {
        Command::Server(command)
    }
}
