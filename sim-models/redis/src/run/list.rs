//! Commands on lists.

use crate::command::list::ListCommand;
use crate::data::Data;
use crate::data::list::{self, List, Side};
use crate::exec::{Done, Exec};
use crate::reply::{KvError, Reply};
use crate::value::{Key, Value};

impl Exec<'_> {
    fn list(&mut self, key: Key) -> Result<Option<&mut List>, KvError> {
        self.get(key).map(Data::list).transpose()
    }

    /// The list to be written in, a new one if there is none; it shall not stay empty.
    fn list_to_write(&mut self, key: Key) -> Result<&mut List, KvError> {
        self.get_or_start(key, || Data::List(Box::default())).list()
    }

    pub(super) fn list_command(&mut self, command: &ListCommand) -> Done {
        use ListCommand as C;
        Ok(match command {
            C::Push { key, side, only_existing, values } => {
                if *only_existing && self.list(*key)?.is_none() {
                    return Ok(Reply::Int(0));
                }
                let list = self.list_to_write(*key)?;
                values.iter().for_each(|value| list::push(list, *side, *value));
                let len = list.len();
                self.changed(*key);
                Reply::Int(len as i64)
            }
            C::Pop { key, side, count: None } => self.pop(*key, *side)?,
            C::Pop { key, side, count: Some(count) } => self.pop_some(*key, *side, *count)?,
            C::Len { key } => Reply::Int(self.list(*key)?.map_or(0, |list| list.len() as i64)),
            C::Range { key, start, stop } => {
                let Some(list) = self.list(*key)? else { return Ok(Reply::Array(Vec::new())) };
                let part = list.range(list::span(*start, *stop, list.len()));
                Reply::Array(part.map(|value| Reply::Value(*value)).collect())
            }
            C::Index { key, index } => {
                let Some(list) = self.list(*key)? else { return Ok(Reply::Nil) };
                let place = list::place(index.clone()?, list.len());
                place.map_or(Reply::Nil, |place| Reply::Value(list[place]))
            }
            C::Set { key, index, value } => {
                let list = self.list(*key)?.ok_or(KvError::NoSuchKey)?;
                let place = list::place(index.clone()?, list.len());
                list[place.ok_or(KvError::IndexOutOfRange)?] = *value;
                self.changed(*key);
                Reply::Ok
            }
            C::Rem { key, count, value } => {
                let Some(list) = self.list(*key)? else { return Ok(Reply::Int(0)) };
                // Taken out, so that the texts can be looked at meanwhile.
                let mut list = std::mem::take(list);
                let removed = list::remove(&mut list, *count, *value, self.texts);
                *self.rows.of(*key).data.as_mut().expect("a key that exists").list()? = list;
                if removed > 0 {
                    self.shrunk(*key);
                }
                Reply::Int(removed as i64)
            }
            C::Trim { key, start, stop } => {
                let Some(list) = self.list(*key)? else { return Ok(Reply::Ok) };
                let kept = list::span(*start, *stop, list.len());
                list.truncate(kept.end);
                list.drain(..kept.start);
                self.shrunk(*key);
                Reply::Ok
            }
            C::Move { from, to, from_side, to_side } => {
                if self.list(*from)?.is_none() {
                    return Ok(Reply::Nil);
                }
                self.list(*to)?;
                let value: Option<Value> =
                    self.list(*from)?.and_then(|list| list::pop(list, *from_side));
                let value = value.expect("lists are never empty");
                list::push(self.list_to_write(*to)?, *to_side, value);
                self.shrunk(*from);
                if to != from {
                    self.changed(*to);
                }
                Reply::Value(value)
            }
        })
    }

    fn pop(&mut self, key: Key, side: Side) -> Done {
        let Some(list) = self.list(key)? else { return Ok(Reply::Nil) };
        let value = list::pop(list, side).expect("lists are never empty");
        self.shrunk(key);
        Ok(Reply::Value(value))
    }

    fn pop_some(&mut self, key: Key, side: Side, count: u64) -> Done {
        let Some(list) = self.list(key)? else { return Ok(Reply::NilArray) };
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(list.len());
        let popped = (0..count).filter_map(|_| list::pop(list, side)).map(Reply::Value).collect();
        if count > 0 {
            self.shrunk(key);
        }
        Ok(Reply::Array(popped))
    }
}
