//! Strings: the [`Value`]s that were written. Wherever Redis looks at bytes, the number 5 is the
//! text "5".

use crate::number::parse_int;
use crate::value::{Texts, Value};

/// The longest string, in bytes (`proto-max-bulk-len`).
pub(crate) const LENGTH_MAX: usize = 512 << 20;

/// The number that a string is, if it is one.
pub(crate) fn int_of(value: Value, texts: &Texts) -> Option<i64> {
    match value {
        Value::Int(n) => Some(n),
        Value::Text(id) => parse_int(texts.text(id)),
        Value::Nil | Value::Bool(_) | Value::Record(_) => None,
    }
}

/// Whether two values are the same string: the number 5 is the text "5".
pub(crate) fn is_same(a: Value, b: Value, texts: &Texts) -> bool {
    match (a, b) {
        _ if a == b => true,
        (Value::Text(_), Value::Text(_)) | (Value::Int(_), Value::Int(_)) => false,
        (Value::Text(text), Value::Int(n)) | (Value::Int(n), Value::Text(text)) => {
            parse_int(texts.text(text)) == Some(n)
        }
        _ => texts.show(a) == texts.show(b),
    }
}

/// How long a string is, in bytes.
pub(crate) fn length(value: Value, texts: &Texts) -> usize {
    match value {
        Value::Text(id) => texts.text(id).len(),
        _ => texts.show(value).len(),
    }
}
