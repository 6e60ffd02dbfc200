//! A key-value store that answers as Redis does.
//!
//! [`Store`] is one node's memory: commands and the wall clock come in, replies go out. It knows
//! no network, no replica and no engine.

pub mod argv;
mod command;
pub mod conform;
mod data;
mod eviction;
mod exec;
mod expiry;
mod hash;
mod keys;
mod list;
mod node;
mod number;
mod reply;
mod script;
mod store;
mod string;
mod traits;
pub mod value;
mod whole;
mod zset;

pub use command::{
    Bound, Command, Condition, ExpireOnly, Expiry, ExpiryChange, HashPart, Key, Keys, Late, Side,
    Unit, ZAddOnly, ZRangeBy,
};
pub use data::{Data, is_same};
pub use eviction::Eviction;
pub use exec::Role;
pub use expiry::Deadline;
pub use hash::Hash;
pub use list::List;
pub use node::{Connection, Memory, Node};
pub use reply::{KvError, Reply};
pub use store::{Mode, Store, Watched};
pub use whole::Snapshot;
pub use zset::ZSet;
