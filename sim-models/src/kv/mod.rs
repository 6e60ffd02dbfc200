//! A key-value store that answers as Redis does.
//!
//! [`Store`] is one node's memory: commands and the wall clock come in, replies go out. It knows
//! no network, no replica and no engine.

pub mod store;

pub use store::{Command, Condition, Key, KvError, Reply, Store};
