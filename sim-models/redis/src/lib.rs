#![doc = include_str!("../README.md")]
//!
//! # Rooms, from the ground up
//!
//! [`value`] holds texts and records once each. Above it stand numbers, replies and expiry, then
//! what a key holds: [`Data`]. `command` says what can be asked and how it is spelled, `run` does
//! it. [`Store`] is the memory of a node, [`Node`] adds connections, [`conform`] replays traces. A
//! room never imports one above it.
//!
//! # One more command
//!
//! It touches two files of its type, in four places:
//!
//! 1. in `command/`, a variant of the type's enum;
//! 2. there, a row of the table: name, number of words, what it needs of a node, how it is read;
//! 3. there, its line in `access`, which looks the row up while the crate is compiled;
//! 4. in `run/`, the arm that does it.
//!
//! The compiler asks for 3 and 4 as soon as there is 1, and for 2 as soon as there is 3.

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
pub use command::script::{ScriptCommand, Source};
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
