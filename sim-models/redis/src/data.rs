//! What a key holds: a string, a hash, a list or a sorted set.

use super::KvError;
use super::hash::Hash;
use super::list::List;
use super::number::parse_int;
use super::zset::ZSet;
use crate::value::{Texts, Value};

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

    pub(super) fn string(&mut self) -> Result<&mut Value, KvError> {
        match self {
            Data::String(value) => Ok(value),
            _ => Err(KvError::WrongType),
        }
    }

    pub(super) fn hash(&mut self) -> Result<&mut Hash, KvError> {
        match self {
            Data::Hash(hash) => Ok(hash),
            _ => Err(KvError::WrongType),
        }
    }

    pub(super) fn list(&mut self) -> Result<&mut List, KvError> {
        match self {
            Data::List(list) => Ok(list),
            _ => Err(KvError::WrongType),
        }
    }

    pub(super) fn zset(&mut self) -> Result<&mut ZSet, KvError> {
        match self {
            Data::ZSet(zset) => Ok(zset),
            _ => Err(KvError::WrongType),
        }
    }
}

/// The number that a string is, if it is one.
pub(super) fn int_of(value: Value, texts: &Texts) -> Option<i64> {
    match value {
        Value::Int(n) => Some(n),
        Value::Text(id) => parse_int(texts.text(id)),
        Value::Nil | Value::Bool(_) | Value::Record(_) => None,
    }
}

/// Whether two values are the same string: the number 5 is the text "5".
pub fn is_same(a: Value, b: Value, texts: &Texts) -> bool {
    match (a, b) {
        _ if a == b => true,
        (Value::Text(_), Value::Text(_)) | (Value::Int(_), Value::Int(_)) => false,
        (Value::Text(text), Value::Int(n)) | (Value::Int(n), Value::Text(text)) => {
            parse_int(texts.text(text)) == Some(n)
        }
        _ => texts.show(a) == texts.show(b),
    }
}
