//! A key-value store that answers as Redis does.
//!
//! [`Store`] is one node's memory: commands and the wall clock come in, replies go out. It knows
//! no network, no replica and no engine.

mod command;
mod data;
mod exec;
mod expiry;
mod hash;
mod keys;
mod list;
mod number;
mod reply;
mod script;
mod store;
mod string;
mod traits;
mod zset;

pub use command::{
    Bound, Command, Condition, ExpireOnly, Expiry, ExpiryChange, HashPart, Key, Keys, Late, Side,
    Unit, ZAddOnly, ZRangeBy,
};
pub use data::{Data, is_same};
pub use exec::Role;
pub use expiry::Deadline;
pub use reply::{KvError, Reply};
pub use store::{Store, Watched};
