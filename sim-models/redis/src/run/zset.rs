//! Commands on sorted sets.

use crate::command::zset::ZSetCommand;
use crate::data::Data;
use crate::data::zset::{Added, Wanted, ZAddOnly, ZSet};
use crate::exec::{Done, Exec};
use crate::number::{parse_int, print_score};
use crate::reply::{KvError, Reply};
use crate::value::{Key, TextId, Value};

impl Exec<'_> {
    fn zset(&mut self, key: Key) -> Result<Option<&mut ZSet>, KvError> {
        self.get(key).map(Data::zset).transpose()
    }

    /// Takes a sorted set out of its row, an empty one if there is none, so that texts can be
    /// looked at while it is changed. [`Exec::put_back`] ends this.
    fn take_zset(&mut self, key: Key) -> Result<ZSet, KvError> {
        Ok(self.zset(key)?.map(std::mem::take).unwrap_or_default())
    }

    /// Puts a sorted set back, with what has changed in it; an empty one is not a key.
    fn put_back(&mut self, key: Key, zset: ZSet, has_changed: bool) {
        let row = self.rows.of(key);
        match &mut row.data {
            Some(Data::ZSet(place)) => **place = zset,
            _ if zset.is_empty() => return,
            _ => row.start(Data::ZSet(Box::new(zset))),
        }
        if has_changed {
            self.shrunk(key);
        }
    }

    pub(super) fn zset_command(&mut self, command: &ZSetCommand) -> Done {
        use ZSetCommand as C;
        Ok(match command {
            C::Add { key, only, changed, pairs } => self.zadd(*key, *only, *changed, pairs)?,
            C::IncrBy { key, only, by, member } => {
                let mut zset = self.take_zset(*key)?;
                let done = zset.add(*member, Wanted::More(*by), *only, self.texts);
                let has_changed = matches!(done, Ok((_, Added::New | Added::Changed)));
                self.put_back(*key, zset, has_changed);
                match done? {
                    (_, Added::Refused) => Reply::Nil,
                    (score, _) => Reply::Value(self.score(score)),
                }
            }
            C::Rem { key, members } => {
                let mut zset = self.take_zset(*key)?;
                let removed = members.iter().filter(|id| zset.remove(**id, self.texts)).count();
                self.put_back(*key, zset, removed > 0);
                Reply::Int(removed as i64)
            }
            C::Score { key, member } => {
                let score = self.zset(*key)?.and_then(|zset| zset.score(*member));
                score.map_or(Reply::Nil, |score| Reply::Value(self.score(score)))
            }
            C::Card { key } => Reply::Int(self.zset(*key)?.map_or(0, |zset| zset.len() as i64)),
            C::Count { key, min, max } => {
                Reply::Int(self.zset(*key)?.map_or(0, |zset| zset.count(*min, *max) as i64))
            }
            C::Range { key, by, reverse, with_scores } => {
                let Some(zset) = self.zset(*key)? else { return Ok(Reply::Array(Vec::new())) };
                let mut all = Vec::new();
                for (score, member) in zset.part(*by, *reverse) {
                    all.push(Reply::Value(Value::Text(member)));
                    if *with_scores {
                        all.push(Reply::Value(self.score(score)));
                    }
                }
                Reply::Array(all)
            }
            C::RemRangeByScore { key, min, max } => {
                let Some(zset) = self.zset(*key)? else { return Ok(Reply::Int(0)) };
                let removed = zset.remove_range(*min, *max);
                if removed > 0 {
                    self.shrunk(*key);
                }
                Reply::Int(removed as i64)
            }
            C::Rank { key, member, reverse } => {
                self.zset(*key)?;
                let Some(Data::ZSet(zset)) = self.rows.get(*key).and_then(|row| row.data.as_ref())
                else {
                    return Ok(Reply::Nil);
                };
                let rank = zset.rank(*member, self.texts);
                let rank = rank.map(|n| if *reverse { zset.len() - 1 - n } else { n });
                rank.map_or(Reply::Nil, |rank| Reply::Int(rank as i64))
            }
        })
    }

    fn zadd(
        &mut self,
        key: Key,
        only: ZAddOnly,
        count_changed: bool,
        pairs: &[(f64, TextId)],
    ) -> Done {
        let mut zset = self.take_zset(key)?;
        let (mut new, mut changed) = (0, 0);
        for (score, member) in pairs {
            match zset.add(*member, Wanted::Score(*score), only, self.texts) {
                Ok((_, Added::New)) => new += 1,
                Ok((_, Added::Changed)) => changed += 1,
                Ok((_, Added::Same | Added::Refused)) | Err(_) => {}
            }
        }
        self.put_back(key, zset, new + changed > 0);
        Ok(Reply::Int(if count_changed { new + changed } else { new }))
    }

    /// A score as Redis prints it; a whole number as a number.
    fn score(&mut self, score: f64) -> Value {
        let text = print_score(score);
        parse_int(&text).map_or_else(|| Value::Text(self.texts.intern(&text)), Value::Int)
    }
}
