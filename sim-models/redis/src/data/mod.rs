//! What a key holds: a string, a hash, a list or a sorted set. They are plain values, which know
//! no key, no clock and no command.

pub(crate) mod hash;
pub(crate) mod list;
pub(crate) mod string;
pub(crate) mod zset;

use crate::reply::KvError;
use crate::value::Value;
use hash::Hash;
use list::List;
use zset::ZSet;

/// The value of a key.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// A string, as it was written.
    String(Value),
    /// Named fields.
    Hash(Box<Hash>),
    /// A sequence.
    List(Box<List>),
    /// Members in the order of their scores.
    ZSet(Box<ZSet>),
}

impl Data {
    /// The name of the type in Redis.
    pub fn kind(&self) -> &'static str {
        match self {
            Data::String(_) => "string",
            Data::Hash(_) => "hash",
            Data::List(_) => "list",
            Data::ZSet(_) => "zset",
        }
    }

    /// Whether a collection holds nothing. A key never keeps an empty one after a command.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Data::String(_) => false,
            Data::Hash(hash) => hash.is_empty(),
            Data::List(list) => list.is_empty(),
            Data::ZSet(zset) => zset.is_empty(),
        }
    }

    pub(crate) fn string(&mut self) -> Result<&mut Value, KvError> {
        match self {
            Data::String(value) => Ok(value),
            _ => Err(KvError::WrongType),
        }
    }

    pub(crate) fn hash(&mut self) -> Result<&mut Hash, KvError> {
        match self {
            Data::Hash(hash) => Ok(hash),
            _ => Err(KvError::WrongType),
        }
    }

    pub(crate) fn list(&mut self) -> Result<&mut List, KvError> {
        match self {
            Data::List(list) => Ok(list),
            _ => Err(KvError::WrongType),
        }
    }

    pub(crate) fn zset(&mut self) -> Result<&mut ZSet, KvError> {
        match self {
            Data::ZSet(zset) => Ok(zset),
            _ => Err(KvError::WrongType),
        }
    }
}
