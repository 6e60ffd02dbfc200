//! Lists: queues that are pushed to and popped from at both ends.

use std::collections::VecDeque;

use super::command::{Key, Late, Side};
use super::data::{Data, is_same};
use super::exec::{Done, Exec};
use super::{KvError, Reply};
use crate::value::Value;

/// A sequence of strings, from the left to the right.
pub type List = VecDeque<Value>;

fn push(list: &mut List, side: Side, value: Value) {
    match side {
        Side::Left => list.push_front(value),
        Side::Right => list.push_back(value),
    }
}

fn pop(list: &mut List, side: Side) -> Option<Value> {
    match side {
        Side::Left => list.pop_front(),
        Side::Right => list.pop_back(),
    }
}

/// The places from `start` to `stop`, both included and counted from the end when negative; empty
/// when there are none.
pub(super) fn span(start: i64, stop: i64, len: usize) -> std::ops::Range<usize> {
    let len = len as i64;
    let place = |n: i64| if n < 0 { n.saturating_add(len) } else { n };
    let (start, stop) = (place(start).max(0), place(stop).min(len - 1));
    if start > stop { 0..0 } else { start as usize..stop as usize + 1 }
}

/// One place, counted from the end when negative.
fn place(index: i64, len: usize) -> Option<usize> {
    let place = if index < 0 { index + len as i64 } else { index };
    usize::try_from(place).ok().filter(|place| *place < len)
}

impl Exec<'_> {
    fn list(&mut self, key: Key) -> Result<Option<&mut List>, KvError> {
        self.get(key).map(Data::list).transpose()
    }

    /// The list to be written in, a new one if there is none; it shall not stay empty.
    fn list_to_write(&mut self, key: Key) -> Result<&mut List, KvError> {
        if self.live(key).is_none() {
            self.row(key).start(Data::List(Box::default()));
        }
        self.row(key).data.as_mut().expect("a key that exists").list()
    }

    pub(super) fn push(
        &mut self,
        key: Key,
        side: Side,
        only_existing: bool,
        values: &[Value],
    ) -> Done {
        if only_existing && self.list(key)?.is_none() {
            return Ok(Reply::Int(0));
        }
        let list = self.list_to_write(key)?;
        for value in values {
            push(list, side, *value);
        }
        let len = list.len();
        self.changed(key);
        Ok(Reply::Int(len as i64))
    }

    pub(super) fn pop(&mut self, key: Key, side: Side, count: Option<u64>) -> Done {
        let none = if count.is_some() { Reply::NilArray } else { Reply::Nil };
        let Some(list) = self.list(key)? else { return Ok(none) };
        let Some(count) = count else {
            let value = pop(list, side).expect("lists are never empty");
            self.shortened(key);
            return Ok(Reply::Value(value));
        };
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(list.len());
        let popped: Vec<_> = (0..count).filter_map(|_| pop(list, side)).map(Reply::Value).collect();
        if count > 0 {
            self.shortened(key);
        }
        Ok(Reply::Array(popped))
    }

    /// A list has become shorter; an empty one is no key.
    fn shortened(&mut self, key: Key) {
        self.changed(key);
        let row = self.row(key);
        if matches!(&row.data, Some(Data::List(list)) if list.is_empty()) {
            row.vanish();
        }
    }

    pub(super) fn llen(&mut self, key: Key) -> Done {
        Ok(Reply::Int(self.list(key)?.map_or(0, |list| list.len() as i64)))
    }

    pub(super) fn lrange(&mut self, key: Key, start: i64, stop: i64) -> Done {
        let Some(list) = self.list(key)? else { return Ok(Reply::Array(Vec::new())) };
        let part = list.range(span(start, stop, list.len()));
        Ok(Reply::Array(part.map(|value| Reply::Value(*value)).collect()))
    }

    pub(super) fn lindex(&mut self, key: Key, index: &Late<i64>) -> Done {
        let Some(list) = self.list(key)? else { return Ok(Reply::Nil) };
        let place = place(index.clone()?, list.len());
        Ok(place.map_or(Reply::Nil, |place| Reply::Value(list[place])))
    }

    pub(super) fn lset(&mut self, key: Key, index: &Late<i64>, value: Value) -> Done {
        let Some(list) = self.list(key)? else { return Err(KvError::NoSuchKey) };
        let place = place(index.clone()?, list.len()).ok_or(KvError::IndexOutOfRange)?;
        list[place] = value;
        self.changed(key);
        Ok(Reply::Ok)
    }

    pub(super) fn lrem(&mut self, key: Key, count: i64, value: Value) -> Done {
        let Some(list) = self.list(key)? else { return Ok(Reply::Int(0)) };
        // Taken out, so that the texts can be looked at meanwhile.
        let mut list = std::mem::take(list);
        let before = list.len();
        let mut left = if count == 0 { u64::MAX } else { count.unsigned_abs() };
        let texts = &*self.texts;
        let mut stays = |element: &Value| {
            let goes = left > 0 && is_same(*element, value, texts);
            left -= u64::from(goes);
            !goes
        };
        if count < 0 {
            list.make_contiguous().reverse();
            list.retain(&mut stays);
            list.make_contiguous().reverse();
        } else {
            list.retain(&mut stays);
        }
        let removed = before - list.len();
        self.row(key).data = Some(Data::List(Box::new(list)));
        if removed > 0 {
            self.shortened(key);
        }
        Ok(Reply::Int(removed as i64))
    }

    pub(super) fn ltrim(&mut self, key: Key, start: i64, stop: i64) -> Done {
        let Some(list) = self.list(key)? else { return Ok(Reply::Ok) };
        let kept = span(start, stop, list.len());
        list.truncate(kept.end);
        list.drain(..kept.start);
        self.shortened(key);
        Ok(Reply::Ok)
    }

    pub(super) fn lmove(&mut self, from: Key, to: Key, from_side: Side, to_side: Side) -> Done {
        if self.list(from)?.is_none() {
            return Ok(Reply::Nil);
        }
        self.list(to)?;
        let value = self.list(from)?.and_then(|list| pop(list, from_side));
        let value = value.expect("lists are never empty");
        push(self.list_to_write(to)?, to_side, value);
        self.shortened(from);
        if to != from {
            self.changed(to);
        }
        Ok(Reply::Value(value))
    }
}
