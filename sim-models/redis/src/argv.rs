//! Words, as a client sends them, made into commands, with the errors of Redis for those that it
//! does not understand.
//!
//! What is wrong with a name or with the number of words is found when the words arrive and spoils
//! a transaction; what is wrong with the words themselves is found when the command is carried out.
//! The names that start with `@` are scripts that people send as `EVAL`.

use super::command::{
    Bound, Command, Condition, ExpireOnly, Expiry, ExpiryChange, HashPart, Key, Keys, Side, Unit,
    ZAddOnly, ZRangeBy,
};
use super::number::{parse_bound, parse_int, parse_score};
use super::reply::KvError;
use crate::value::{TextId, Texts, Value};

/// A command by its name, before its words were looked at.
#[derive(Clone, Copy, Debug)]
pub struct Name {
    /// In lower case, as errors spell it.
    pub name: &'static str,
    /// A replica refuses it.
    pub writes: bool,
    /// A node without memory refuses it.
    pub needs_memory: bool,
}

/// Neither refused by a replica nor without memory.
const READ: (bool, bool) = (false, false);
/// Refused by a replica only: it never needs memory.
const WRITE: (bool, bool) = (true, false);
/// Refused by both.
const GROW: (bool, bool) = (true, true);

/// Names, the numbers of their words, and what they need; as in `redis-server 7.0.15`.
type Row = (&'static str, i64, (bool, bool));

const NAMES: [Row; 88] = [
    ("get", 2, READ),
    ("set", -3, GROW),
    ("setnx", 3, GROW),
    ("setex", 4, GROW),
    ("psetex", 4, GROW),
    ("getset", 3, GROW),
    ("getdel", 2, WRITE),
    ("getex", -2, WRITE),
    ("mget", -2, READ),
    ("mset", -3, GROW),
    ("msetnx", -3, GROW),
    ("append", 3, GROW),
    ("strlen", 2, READ),
    ("incr", 2, GROW),
    ("decr", 2, GROW),
    ("incrby", 3, GROW),
    ("decrby", 3, GROW),
    ("exists", -2, READ),
    ("del", -2, WRITE),
    ("unlink", -2, WRITE),
    ("type", 2, READ),
    ("expire", -3, WRITE),
    ("pexpire", -3, WRITE),
    ("expireat", -3, WRITE),
    ("pexpireat", -3, WRITE),
    ("persist", 2, WRITE),
    ("ttl", 2, READ),
    ("pttl", 2, READ),
    ("expiretime", 2, READ),
    ("pexpiretime", 2, READ),
    ("hset", -4, GROW),
    ("hsetnx", 4, GROW),
    ("hget", 3, READ),
    ("hmget", -3, READ),
    ("hdel", -3, WRITE),
    ("hexists", 3, READ),
    ("hlen", 2, READ),
    ("hincrby", 4, GROW),
    ("hgetall", 2, READ),
    ("hkeys", 2, READ),
    ("hvals", 2, READ),
    ("lpush", -3, GROW),
    ("rpush", -3, GROW),
    ("lpushx", -3, GROW),
    ("rpushx", -3, GROW),
    ("lpop", -2, WRITE),
    ("rpop", -2, WRITE),
    ("llen", 2, READ),
    ("lrange", 4, READ),
    ("lindex", 3, READ),
    ("lset", 4, GROW),
    ("lrem", 4, WRITE),
    ("ltrim", 4, WRITE),
    ("lmove", 5, GROW),
    ("rpoplpush", 3, GROW),
    ("zadd", -4, GROW),
    ("zrem", -3, WRITE),
    ("zscore", 3, READ),
    ("zcard", 2, READ),
    ("zcount", 4, READ),
    ("zincrby", 4, GROW),
    ("zrange", -4, READ),
    ("zrevrange", -4, READ),
    ("zrangebyscore", -4, READ),
    ("zrevrangebyscore", -4, READ),
    ("zremrangebyscore", 4, WRITE),
    ("zrank", 3, READ),
    ("zrevrank", 3, READ),
    ("dbsize", 1, READ),
    ("flushall", -1, WRITE),
    ("flushdb", -1, WRITE),
    ("time", 1, READ),
    ("ping", -1, READ),
    ("echo", 2, READ),
    ("multi", 1, READ),
    ("exec", 1, READ),
    ("discard", 1, READ),
    ("watch", -2, READ),
    ("unwatch", 1, READ),
    ("wait", 3, READ),
    ("replicaof", 3, READ),
    // A script is let in everywhere; what it calls may be refused.
    ("@cad", 3, READ),
    ("@capx", 4, READ),
    ("@caspx", 5, READ),
    ("@swin", 6, READ),
    ("@fwin", 3, READ),
    ("@oom_on", 1, READ),
    ("@oom_off", 1, READ),
];

/// Commands of `redis-server 7.0.15` that are not modelled.
const LEFT_OUT: &str = "\
    acl asking auth bgrewriteaof bgsave bitcount bitfield bitfield_ro bitop bitpos blmove blmpop \
    blpop brpop brpoplpush bzmpop bzpopmax bzpopmin client cluster command config copy debug \
    dump eval eval_ro evalsha evalsha_ro failover fcall fcall_ro function geoadd geodist geohash \
    geopos georadius georadius_ro georadiusbymember georadiusbymember_ro geosearch \
    geosearchstore getbit getrange hello hincrbyfloat hmset \
    hrandfield hscan hstrlen incrbyfloat info \
    keys lastsave latency lcs linsert lmpop lolwut lpos memory migrate module monitor move \
    object pfadd pfcount pfdebug pfmerge pfselftest psubscribe psync publish pubsub punsubscribe \
    quit randomkey readonly readwrite rename renamenx replconf reset restore restore-asking role \
    sadd save scan scard script sdiff sdiffstore select setbit setrange shutdown sinter \
    sintercard sinterstore sismember slaveof slowlog smembers smismember smove sort sort_ro spop \
    spublish srandmember srem sscan ssubscribe subscribe substr sunion sunionstore sunsubscribe \
    swapdb sync touch unsubscribe xack xadd xautoclaim xclaim xdel xgroup xinfo xlen xpending \
    xrange xread xreadgroup xrevrange xsetid xtrim zdiff zdiffstore zinter zintercard \
    zinterstore zlexcount zmpop zmscore zpopmax zpopmin zrandmember zrangebylex zrangestore \
    zremrangebylex zremrangebyrank zrevrangebylex zscan zunion zunionstore";

/// Whether Redis knows a command of this name and this module does not.
pub fn is_left_out(name: &str) -> bool {
    LEFT_OUT.split(' ').any(|known| known.eq_ignore_ascii_case(name))
}

/// Finds the command that the first word names, and counts the words.
///
/// # Errors
/// The refusal that Redis has for a name that it does not know, or for too few or many words.
pub fn name(words: &[&str]) -> Result<Name, KvError> {
    let first = words.first().copied().unwrap_or_default();
    let row = NAMES.iter().find(|(name, ..)| name.eq_ignore_ascii_case(first));
    let Some(&(name, arity, (writes, needs_memory))) = row else {
        return Err(unknown(words));
    };
    let given = words.len() as i64;
    let fits = if arity < 0 { given >= -arity } else { given == arity };
    let found = Name { name, writes, needs_memory };
    match name {
        _ if fits => Ok(found),
        "exec" => Err(exec_refused(&found.wrong_arity())),
        _ => Err(found.wrong_arity()),
    }
}

/// The error of an `EXEC` that is refused as a whole, which also ends the transaction.
pub(super) fn exec_refused(error: &KvError) -> KvError {
    let error = error.to_string();
    let reason = error.strip_prefix("ERR ").unwrap_or(&error);
    KvError::other(format!("EXECABORT Transaction discarded because of: {reason}"))
}

impl Name {
    /// The error for a number of words that the command does not take.
    pub(super) fn wrong_arity(&self) -> KvError {
        KvError::other(format!("ERR wrong number of arguments for '{}' command", self.name))
    }
}

/// The error for an unknown command, with as many of its arguments as Redis shows.
fn unknown(words: &[&str]) -> KvError {
    let cut = |text: &str, bytes: usize| {
        let end = (0..=bytes.min(text.len())).rev().find(|n| text.is_char_boundary(*n));
        text[..end.unwrap_or(0)].to_owned()
    };
    let mut shown = String::new();
    for word in words.iter().skip(1) {
        if shown.len() >= 128 {
            break;
        }
        let word = cut(word, 128 - shown.len());
        shown += &format!("'{word}' ");
    }
    let name = cut(words.first().copied().unwrap_or_default(), 128);
    let text = format!("ERR unknown command '{name}', with args beginning with: {shown}");
    KvError::other(text.replace(['\r', '\n'], " "))
}

/// A command's words, being read.
struct Words<'a, 'w> {
    words: &'a [&'w str],
    texts: &'a mut Texts,
    name: Name,
}

type Parsed = Result<Command, KvError>;

/// An option that says when a key ends.
struct TimeOption {
    name: &'static str,
    expiry: Result<Expiry, KvError>,
}

/// Reads the words of a command whose name and number of words are right already. Transactions,
/// `WAIT` and `REPLICAOF` are the connection's business and are not known here.
///
/// # Errors
/// What Redis answers when it comes to carry the command out.
pub fn command(name: Name, words: &[&str], texts: &mut Texts) -> Parsed {
    let mut words = Words { words, texts, name };
    match name.name {
        "lpush" | "rpush" | "lpushx" | "rpushx" | "lpop" | "rpop" | "llen" | "lrange"
        | "lindex" | "lset" | "lrem" | "ltrim" | "lmove" | "rpoplpush" => words.list(),
        n if n.starts_with('h') => words.hash(),
        n if n.starts_with('z') => words.zset(),
        n if n.starts_with('@') => words.script(),
        "expire" | "pexpire" | "expireat" | "pexpireat" | "ttl" | "pttl" | "expiretime"
        | "pexpiretime" | "persist" => words.expiry(),
        "exists" | "del" | "unlink" | "type" | "dbsize" | "flushall" | "flushdb" | "time"
        | "ping" | "echo" => words.keyspace(),
        _ => words.string(),
    }
}

impl Words<'_, '_> {
    fn is(&self, n: usize, word: &str) -> bool {
        self.words.get(n).is_some_and(|w| w.eq_ignore_ascii_case(word))
    }

    fn text(&mut self, n: usize) -> TextId {
        self.texts.intern(self.words[n])
    }

    fn key(&mut self) -> Key {
        self.text(1)
    }

    fn value(&mut self, n: usize) -> Value {
        Value::Text(self.text(n))
    }

    fn texts(&mut self, from: usize) -> Vec<TextId> {
        (from..self.words.len()).map(|n| self.text(n)).collect()
    }

    fn values(&mut self, from: usize) -> Vec<Value> {
        (from..self.words.len()).map(|n| self.value(n)).collect()
    }

    /// Keys or fields, each followed by its value.
    fn pairs(&mut self, from: usize) -> Result<Vec<(TextId, Value)>, KvError> {
        if !(self.words.len() - from).is_multiple_of(2) {
            return Err(self.name.wrong_arity());
        }
        let pairs = (from..self.words.len()).step_by(2);
        Ok(pairs.map(|n| (self.text(n), self.value(n + 1))).collect())
    }

    fn keys(&mut self) -> Keys {
        if self.words.len() == 2 { Keys::One(self.key()) } else { Keys::Many(self.texts(1)) }
    }

    fn int(&self, n: usize) -> Result<i64, KvError> {
        parse_int(self.words[n]).ok_or(KvError::NotAnInteger)
    }

    fn score(&self, n: usize) -> Result<f64, KvError> {
        parse_score(self.words[n]).ok_or(KvError::NotAFloat)
    }

    fn bound(&self, n: usize) -> Result<Bound, KvError> {
        parse_bound(self.words[n]).ok_or(KvError::RangeNotAFloat)
    }

    fn bounds(&self, low: usize, high: usize) -> Result<(Bound, Bound), KvError> {
        Ok((self.bound(low)?, self.bound(high)?))
    }

    fn string(&mut self) -> Parsed {
        let key = self.key();
        Ok(match self.name.name {
            "get" => Command::Get { key },
            "set" => return self.set(key),
            "setnx" => Command::SetNx { key, value: self.value(2) },
            "setex" | "psetex" => {
                let unit = if self.name.name == "setex" { Unit::Seconds } else { Unit::Millis };
                let expiry = Expiry::In(self.int(2)?, unit);
                Command::SetEx { key, value: self.value(3), expiry, name: self.name.name }
            }
            "getset" => Command::GetSet { key, value: self.value(2) },
            "getdel" => Command::GetDel { key },
            "getex" => return self.get_ex(key),
            "mget" => Command::MGet { keys: self.texts(1) },
            "mset" => Command::MSet { pairs: self.pairs(1)? },
            "msetnx" => Command::MSetNx { pairs: self.pairs(1)? },
            "append" => Command::Append { key, value: self.value(2) },
            "strlen" => Command::StrLen { key },
            "incr" => Command::IncrBy { key, by: 1 },
            "decr" => Command::IncrBy { key, by: -1 },
            "incrby" => Command::IncrBy { key, by: self.int(2)? },
            "decrby" => {
                let by = self.int(2)?.checked_neg().ok_or(KvError::DecrementOverflow)?;
                Command::IncrBy { key, by }
            }
            other => unreachable!("`{other}` is no command of a node"),
        })
    }

    /// `EX n`, `PX n`, `EXAT n`, `PXAT n` at a place, after the same one or none: an option may be
    /// repeated, and the last counts. The number may be no number.
    fn expiry_option(&self, n: usize, before: Option<&'static str>) -> Option<TimeOption> {
        // A word that ends the command is no option that takes a number.
        self.words.get(n + 1)?;
        let name = ["ex", "px", "exat", "pxat"].into_iter().find(|name| self.is(n, name))?;
        if before.is_some_and(|before| before != name) {
            return None;
        }
        let unit = if name.starts_with('p') { Unit::Millis } else { Unit::Seconds };
        let relative = !name.ends_with("at");
        let expiry = |n| if relative { Expiry::In(n, unit) } else { Expiry::At(n, unit) };
        Some(TimeOption { name, expiry: self.int(n + 1).map(expiry) })
    }

    fn set(&mut self, key: Key) -> Parsed {
        let value = self.value(2);
        let (mut condition, mut get, mut keep) = (Condition::Always, false, false);
        let mut expiry: Option<TimeOption> = None;
        let mut n = 3;
        while n < self.words.len() {
            if self.is(n, "nx") && condition != Condition::IfPresent {
                condition = Condition::IfAbsent;
            } else if self.is(n, "xx") && condition != Condition::IfAbsent {
                condition = Condition::IfPresent;
            } else if self.is(n, "get") {
                get = true;
            } else if self.is(n, "keepttl") && expiry.is_none() {
                keep = true;
            } else if let Some(found) = self.expiry_option(n, expiry.as_ref().map(|e| e.name))
                && !keep
            {
                expiry = Some(found);
                n += 1;
            } else {
                return Err(KvError::Syntax);
            }
            n += 1;
        }
        let otherwise = if keep { Expiry::Keep } else { Expiry::Never };
        let expiry = expiry.map_or(Ok(otherwise), |option| option.expiry)?;
        Ok(Command::Set { key, value, condition, get, expiry })
    }

    fn get_ex(&mut self, key: Key) -> Parsed {
        let (mut persist, mut expiry): (bool, Option<TimeOption>) = (false, None);
        let mut n = 2;
        while n < self.words.len() {
            if self.is(n, "persist") && expiry.is_none() {
                persist = true;
            } else if let Some(found) = self.expiry_option(n, expiry.as_ref().map(|e| e.name))
                && !persist
            {
                expiry = Some(found);
                n += 1;
            } else {
                return Err(KvError::Syntax);
            }
            n += 1;
        }
        let change = match expiry {
            Some(option) => option.expiry.map(ExpiryChange::To),
            None if persist => Ok(ExpiryChange::Persist),
            None => Ok(ExpiryChange::Nothing),
        };
        Ok(Command::GetEx { key, change })
    }

    fn keyspace(&mut self) -> Parsed {
        Ok(match self.name.name {
            "exists" => Command::Exists { keys: self.keys() },
            "del" | "unlink" => Command::Del { keys: self.keys() },
            "type" => Command::Type { key: self.key() },
            "dbsize" => Command::DbSize,
            "flushall" | "flushdb" => match self.words.len() {
                1 => Command::FlushAll,
                2 if self.is(1, "sync") || self.is(1, "async") => Command::FlushAll,
                _ => return Err(KvError::Syntax),
            },
            "time" => Command::Time,
            "ping" => match self.words.len() {
                1 => Command::Ping { message: None },
                2 => Command::Ping { message: Some(self.value(1)) },
                _ => return Err(self.name.wrong_arity()),
            },
            _ => Command::Echo { message: self.value(1) },
        })
    }

    fn expiry(&mut self) -> Parsed {
        let (key, name) = (self.key(), self.name.name);
        let unit = if name.starts_with('p') { Unit::Millis } else { Unit::Seconds };
        Ok(match name {
            "persist" => Command::Persist { key },
            "ttl" | "pttl" => Command::Ttl { key, absolute: false, unit },
            "expiretime" | "pexpiretime" => Command::Ttl { key, absolute: true, unit },
            _ => {
                let only = self.expire_only()?;
                let amount = self.int(2)?;
                let absolute = name.ends_with("at");
                let expiry =
                    if absolute { Expiry::At(amount, unit) } else { Expiry::In(amount, unit) };
                Command::Expire { key, expiry, only, name }
            }
        })
    }

    fn expire_only(&self) -> Result<ExpireOnly, KvError> {
        let mut only = ExpireOnly::default();
        for n in 3..self.words.len() {
            let flag = match self.words[n].to_ascii_lowercase().as_str() {
                "nx" => &mut only.nx,
                "xx" => &mut only.xx,
                "gt" => &mut only.gt,
                "lt" => &mut only.lt,
                _ => {
                    let text = format!("ERR Unsupported option {}", self.words[n]);
                    return Err(KvError::other(text.replace(['\r', '\n'], " ")));
                }
            };
            *flag = true;
        }
        let clash = |what: &str| {
            Err(KvError::other(format!("ERR {what} options at the same time are not compatible")))
        };
        if only.nx && (only.xx || only.gt || only.lt) {
            return clash("NX and XX, GT or LT");
        }
        if only.gt && only.lt {
            return clash("GT and LT");
        }
        Ok(only)
    }

    fn hash(&mut self) -> Parsed {
        let key = self.key();
        Ok(match self.name.name {
            "hset" => Command::HSet { key, pairs: self.pairs(2)? },
            "hsetnx" => Command::HSetNx { key, field: self.text(2), value: self.value(3) },
            "hget" => Command::HGet { key, field: self.text(2) },
            "hmget" => Command::HMGet { key, fields: self.texts(2) },
            "hdel" => Command::HDel { key, fields: self.texts(2) },
            "hexists" => Command::HExists { key, field: self.text(2) },
            "hlen" => Command::HLen { key },
            "hincrby" => Command::HIncrBy { key, by: self.int(3)?, field: self.text(2) },
            "hgetall" => Command::HGetAll { key, what: HashPart::Both },
            "hkeys" => Command::HGetAll { key, what: HashPart::Fields },
            _ => Command::HGetAll { key, what: HashPart::Values },
        })
    }

    fn side(&self, n: usize) -> Result<Side, KvError> {
        match () {
            () if self.is(n, "left") => Ok(Side::Left),
            () if self.is(n, "right") => Ok(Side::Right),
            () => Err(KvError::Syntax),
        }
    }

    fn list(&mut self) -> Parsed {
        let (key, name) = (self.key(), self.name.name);
        let side = if name.starts_with('l') { Side::Left } else { Side::Right };
        Ok(match name {
            "lpush" | "rpush" | "lpushx" | "rpushx" => {
                let only_existing = name.ends_with('x');
                Command::Push { key, side, only_existing, values: self.values(2) }
            }
            "lpop" | "rpop" => {
                let count = match self.words.len() {
                    2 => None,
                    3 => Some(self.count(2)?),
                    _ => return Err(self.name.wrong_arity()),
                };
                Command::Pop { key, side, count }
            }
            "llen" => Command::LLen { key },
            "lrange" => Command::LRange { key, start: self.int(2)?, stop: self.int(3)? },
            "lindex" => Command::LIndex { key, index: self.int(2) },
            "lset" => Command::LSet { key, index: self.int(2), value: self.value(3) },
            "lrem" => Command::LRem { key, count: self.int(2)?, value: self.value(3) },
            "ltrim" => Command::LTrim { key, start: self.int(2)?, stop: self.int(3)? },
            "lmove" => {
                let (from_side, to_side) = (self.side(3)?, self.side(4)?);
                Command::LMove { from: key, to: self.text(2), from_side, to_side }
            }
            _ => {
                let (from_side, to_side) = (Side::Right, Side::Left);
                Command::LMove { from: key, to: self.text(2), from_side, to_side }
            }
        })
    }

    /// A number that may not be negative.
    fn count(&self, n: usize) -> Result<u64, KvError> {
        let count = parse_int(self.words[n]).and_then(|n| u64::try_from(n).ok());
        count.ok_or(KvError::NotPositive)
    }

    fn zset(&mut self) -> Parsed {
        let (key, name) = (self.key(), self.name.name);
        let reverse = name.starts_with("zrev");
        Ok(match name {
            "zadd" | "zincrby" => return self.zadd(key),
            "zrem" => Command::ZRem { key, members: self.texts(2) },
            "zscore" => Command::ZScore { key, member: self.text(2) },
            "zcard" => Command::ZCard { key },
            "zcount" => {
                let (min, max) = self.bounds(2, 3)?;
                Command::ZCount { key, min, max }
            }
            "zremrangebyscore" => {
                let (min, max) = self.bounds(2, 3)?;
                Command::ZRemRangeByScore { key, min, max }
            }
            "zrank" | "zrevrank" => Command::ZRank { key, member: self.text(2), reverse },
            _ => return self.zrange(key),
        })
    }

    fn zadd(&mut self, key: Key) -> Parsed {
        let mut only = ZAddOnly::default();
        // `ZINCRBY` is a `ZADD … INCR`, and takes a word that is an option for one.
        let (mut changed, mut incr) = (false, self.name.name == "zincrby");
        let mut n = 2;
        loop {
            match () {
                () if self.is(n, "nx") => only.nx = true,
                () if self.is(n, "xx") => only.xx = true,
                () if self.is(n, "gt") => only.gt = true,
                () if self.is(n, "lt") => only.lt = true,
                () if self.is(n, "ch") => changed = true,
                () if self.is(n, "incr") => incr = true,
                () => break,
            }
            n += 1;
        }
        let left = self.words.len() - n;
        if left == 0 || !left.is_multiple_of(2) {
            return Err(KvError::Syntax);
        }
        let clash = |text: &str| Err(KvError::other(text));
        if only.nx && only.xx {
            return clash("ERR XX and NX options at the same time are not compatible");
        }
        if (only.gt && (only.nx || only.lt)) || (only.lt && only.nx) {
            return clash("ERR GT, LT, and/or NX options at the same time are not compatible");
        }
        if incr && left > 2 {
            return clash("ERR INCR option supports a single increment-element pair");
        }
        let mut pairs = Vec::with_capacity(left / 2);
        for n in (n..self.words.len()).step_by(2) {
            pairs.push((self.score(n)?, self.text(n + 1)));
        }
        Ok(match (incr, pairs.as_slice()) {
            (true, &[(by, member)]) => Command::ZIncrBy { key, only, by, member },
            _ => Command::ZAdd { key, only, changed, pairs },
        })
    }

    fn zrange(&mut self, key: Key) -> Parsed {
        let name = self.name.name;
        let plain = name == "zrange";
        let mut by_score = name.ends_with("byscore");
        let mut reverse = name.starts_with("zrev");
        let (mut limit, mut with_scores) = ((0, -1), false);
        let mut n = 4;
        while n < self.words.len() {
            if self.is(n, "withscores") {
                with_scores = true;
            } else if self.is(n, "limit") && n + 2 < self.words.len() {
                limit = (self.int(n + 1)?, self.int(n + 2)?);
                n += 2;
            } else if plain && !reverse && self.is(n, "rev") {
                reverse = true;
            } else if plain && !by_score && self.is(n, "byscore") {
                by_score = true;
            } else {
                return Err(KvError::Syntax);
            }
            n += 1;
        }
        if limit.1 != -1 && !by_score {
            return Err(KvError::other(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or \
                 BYLEX",
            ));
        }
        let by = if by_score {
            let (low, high) = if reverse { (3, 2) } else { (2, 3) };
            let (min, max) = self.bounds(low, high)?;
            let (offset, count) = limit;
            ZRangeBy::Score { min, max, offset, count }
        } else {
            ZRangeBy::Index { start: self.int(2)?, stop: self.int(3)? }
        };
        Ok(Command::ZRange { key, by, reverse, with_scores })
    }

    fn script(&mut self) -> Parsed {
        let key = self.key();
        Ok(match self.name.name {
            "@cad" => Command::CompareAndDelete { key, expected: self.value(2) },
            "@capx" => Command::CompareAndExpire { key, expected: self.value(2), px: self.int(3) },
            "@caspx" => {
                let (expected, value) = (self.value(2), self.value(3));
                Command::CompareAndSet { key, expected, value, px: self.int(4) }
            }
            "@swin" => {
                let [now, window, limit] = [self.int(2)?, self.int(3)?, self.int(4)?];
                Command::SlidingWindow { key, now, window, limit, member: self.text(5) }
            }
            _ => Command::FixedWindow { key, window: self.int(2) },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Store;

    /// Words that are right for each command with an exact number of words, and for most others.
    fn sample(name: &str, words: i64) -> Vec<&str> {
        let mut sample = vec![name, "k"];
        sample.extend(std::iter::repeat_n("1", 6));
        sample.truncate(words.unsigned_abs() as usize);
        if name == "lmove" {
            sample[3..].fill("left");
        }
        sample
    }

    #[test]
    fn words_and_commands_agree_on_what_writes_and_what_needs_memory() {
        let connections = [
            "multi",
            "exec",
            "discard",
            "watch",
            "unwatch",
            "wait",
            "replicaof",
            "@oom_on",
            "@oom_off",
        ];
        let mut texts = Texts::default();
        for (known, arity, _) in NAMES {
            let words = sample(known, arity);
            let found = name(&words).expect("as many words as it takes");
            if connections.contains(&known) {
                continue;
            }
            let command = command(found, &words, &mut texts).expect("words that are right");
            if !Store::is_script(&command) {
                assert_eq!(Store::is_write(&command), found.writes, "{known}");
                assert_eq!(Store::needs_memory(&command), found.needs_memory, "{known}");
            }
        }
    }

    #[test]
    fn what_is_not_understood_has_the_words_of_redis() {
        for (words, error) in [
            ("NOSUCH a b", "ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b' "),
            ("get", "ERR wrong number of arguments for 'get' command"),
            ("MSET a 1 b", "ERR wrong number of arguments for 'mset' command"),
            ("SET k v EX 1 PX 1", "ERR syntax error"),
            ("SET k v NX XX", "ERR syntax error"),
            ("SET k v EX x", "ERR value is not an integer or out of range"),
            ("DECRBY k -9223372036854775808", "ERR decrement would overflow"),
            ("EXPIRE k 1 FOO", "ERR Unsupported option FOO"),
            ("ZADD k 1", "ERR wrong number of arguments for 'zadd' command"),
            ("ZADD k nx 1", "ERR syntax error"),
            ("RPOP k -1", "ERR value is out of range, must be positive"),
        ] {
            let words: Vec<&str> = words.split(' ').collect();
            let mut texts = Texts::default();
            let found = name(&words).and_then(|name| command(name, &words, &mut texts));
            assert_eq!(found.map_err(|e| e.to_string()), Err(error.to_owned()));
        }
    }

    #[test]
    fn every_name_is_modelled_or_left_out() {
        for (known, ..) in NAMES {
            assert!(!is_left_out(known), "{known}");
        }
        assert!(is_left_out("SADD") && is_left_out("zunionstore"));
    }
}
