//! A key-value store that answers as Redis does.
//!
//! [`Store`] is one node's memory: commands and the wall clock come in, replies go out. It knows
//! no network, no replica and no engine.

mod argv;
mod command;
pub mod conform;
mod data;
mod eviction;
mod exec;
mod expiry;
mod node;
mod number;
mod reply;
mod row;
mod run;
mod snapshot;
mod store;
pub mod value;

pub use command::Command;
pub use command::hash::{HashCommand, HashPart};
pub use command::key::{KeyCommand, Keys};
pub use command::list::ListCommand;
pub use command::script::ScriptCommand;
pub use command::server::ServerCommand;
pub use command::string::{Condition, ExpiryChange, StringCommand};
pub use command::words::Access;
pub use command::zset::ZSetCommand;
pub use data::Data;
pub use data::hash::Hash;
pub use data::list::{List, Side};
pub use data::zset::{ZAddOnly, ZRangeBy, ZSet};
pub use eviction::Eviction;
pub use exec::{Mode, Role};
pub use expiry::{Deadline, ExpireOnly, Expiry, Unit};
pub use node::{Connection, Node};
pub use number::Bound;
pub use reply::{KvError, Late, NotModelled, Reply};
pub use snapshot::Snapshot;
pub use store::{Store, Watched};
pub use value::Key;
