//! Lists: queues that are pushed to and popped from at both ends.

use std::collections::VecDeque;
use std::ops::Range;

use super::string::is_same;
use crate::value::{Texts, Value};

/// A sequence of strings, from the left to the right.
pub type List = VecDeque<Value>;

/// One end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The front.
    Left,
    /// The back.
    Right,
}

/// Puts a value at one end.
pub(crate) fn push(list: &mut List, side: Side, value: Value) {
    match side {
        Side::Left => list.push_front(value),
        Side::Right => list.push_back(value),
    }
}

/// Takes the value at one end.
pub(crate) fn pop(list: &mut List, side: Side) -> Option<Value> {
    match side {
        Side::Left => list.pop_front(),
        Side::Right => list.pop_back(),
    }
}

/// Removes up to `count` elements that are this string, from the front; from the back when
/// negative, all when 0. Returns how many.
pub(crate) fn remove(list: &mut List, count: i64, value: Value, texts: &Texts) -> usize {
    let before = list.len();
    let mut left = if count == 0 { u64::MAX } else { count.unsigned_abs() };
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
    before - list.len()
}

/// The places from `start` to `stop`, both included and counted from the end when negative; empty
/// when there are none.
pub(crate) fn span(start: i64, stop: i64, len: usize) -> Range<usize> {
    let len = len as i64;
    let place = |n: i64| if n < 0 { n.saturating_add(len) } else { n };
    let (start, stop) = (place(start).max(0), place(stop).min(len - 1));
    if start > stop { 0..0 } else { start as usize..stop as usize + 1 }
}

/// One place, counted from the end when negative.
pub(crate) fn place(index: i64, len: usize) -> Option<usize> {
    let place = if index < 0 { index + len as i64 } else { index };
    usize::try_from(place).ok().filter(|place| *place < len)
}
