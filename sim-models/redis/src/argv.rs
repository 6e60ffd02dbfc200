//! Words, as a client sends them, made into commands, with the errors of Redis for those that it
//! does not understand.
//!
//! A wrong name or number of words is found when the words arrive, and spoils a transaction. What
//! is wrong with the words themselves is found when the command is carried out.

use crate::command::Command;
use crate::command::connection::{self, ConnectionCommand};
use crate::command::words::{Access, Spelling, Words, wrong_arity};
use crate::command::{hash, key, list, script, server, string, zset};
use crate::reply::{KvError, NotModelled};
use crate::value::Texts;

/// What a client asks, as far as its words say.
pub(crate) struct Asked {
    /// What the command of this name needs of the node.
    pub(crate) access: Access,
    /// What is asked, or what Redis answers when it comes to carry the command out.
    pub(crate) request: Result<Request, KvError>,
}

/// What a client asks.
pub(crate) enum Request {
    /// Of the store.
    Store(Command),
    /// Of the connection or the node.
    Connection(ConnectionCommand),
}

/// Why words are not even queued.
#[derive(Debug)]
pub(crate) enum Unread {
    /// Redis knows the command, this crate does not.
    NotModelled(NotModelled),
    /// Redis refuses it.
    Refused(KvError),
}

/// Finds the command that the first word names, counts the words and reads them.
///
/// # Errors
/// The refusal that Redis has for a name that it does not know, or for too few or many words; or
/// that the command is left out here.
pub(crate) fn read(words: &[&str], texts: &mut Texts) -> Result<Asked, Unread> {
    fn store<C: Into<Command>>(command: C) -> Request {
        Request::Store(command.into())
    }
    let found = None
        .or_else(|| look_up(string::TABLE, words, texts, store))
        .or_else(|| look_up(key::TABLE, words, texts, store))
        .or_else(|| look_up(hash::TABLE, words, texts, store))
        .or_else(|| look_up(list::TABLE, words, texts, store))
        .or_else(|| look_up(zset::TABLE, words, texts, store))
        .or_else(|| look_up(script::TABLE, words, texts, store))
        .or_else(|| look_up(server::TABLE, words, texts, store))
        .or_else(|| look_up(connection::TABLE, words, texts, Request::Connection));
    if let Some(what) = left_out(words, found.is_some()) {
        return Err(Unread::NotModelled(NotModelled::new(format!("`{what}` is not modelled"))));
    }
    found.unwrap_or_else(|| Err(unknown(words))).map_err(Unread::Refused)
}

fn look_up<C>(
    table: &'static [Spelling<C>],
    words: &[&str],
    texts: &mut Texts,
    request: fn(C) -> Request,
) -> Option<Result<Asked, KvError>> {
    let first = words.first()?;
    let row = table.iter().find(|row| row.name.eq_ignore_ascii_case(first))?;
    Some(match row.name {
        name if row.takes(words.len()) => {
            let command = (row.read)(&mut Words::new(name, words, texts));
            Ok(Asked { access: row.access, request: command.map(request) })
        }
        "exec" => Err(exec_refused(&wrong_arity("exec"))),
        name => Err(wrong_arity(name)),
    })
}

/// All commands of `redis-server 7.0.15`, modelled or not.
const REDIS: &str = "\
    acl append asking auth bgrewriteaof bgsave bitcount bitfield bitfield_ro bitop bitpos blmove \
    blmpop blpop brpop brpoplpush bzmpop bzpopmax bzpopmin client cluster command config copy \
    dbsize debug decr decrby del discard dump echo eval eval_ro evalsha evalsha_ro exec exists \
    expire expireat expiretime failover fcall fcall_ro flushall flushdb function geoadd geodist \
    geohash geopos georadius georadius_ro georadiusbymember georadiusbymember_ro geosearch \
    geosearchstore get getbit getdel getex getrange getset hdel hello hexists hget hgetall hincrby \
    hincrbyfloat hkeys hlen hmget hmset hrandfield hscan hset hsetnx hstrlen hvals incr incrby \
    incrbyfloat info keys lastsave latency lcs lindex linsert llen lmove lmpop lolwut lpop lpos \
    lpush lpushx lrange lrem lset ltrim memory mget migrate module monitor move mset msetnx multi \
    object persist pexpire pexpireat pexpiretime pfadd pfcount pfdebug pfmerge pfselftest ping \
    psetex psubscribe psync pttl publish pubsub punsubscribe quit randomkey readonly readwrite \
    rename renamenx replconf replicaof reset restore restore-asking role rpop rpoplpush rpush \
    rpushx sadd save scan scard script sdiff sdiffstore select set setbit setex setnx setrange \
    shutdown sinter sintercard sinterstore sismember slaveof slowlog smembers smismember smove \
    sort sort_ro spop spublish srandmember srem sscan ssubscribe strlen subscribe substr sunion \
    sunionstore sunsubscribe swapdb sync time touch ttl type unlink unsubscribe unwatch wait watch \
    xack xadd xautoclaim xclaim xdel xgroup xinfo xlen xpending xrange xread xreadgroup xrevrange \
    xsetid xtrim zadd zcard zcount zdiff zdiffstore zincrby zinter zintercard zinterstore \
    zlexcount zmpop zmscore zpopmax zpopmin zrandmember zrange zrangebylex zrangebyscore \
    zrangestore zrank zrem zremrangebylex zremrangebyrank zremrangebyscore zrevrange \
    zrevrangebylex zrevrangebyscore zrevrank zscan zscore zunion zunionstore";

/// What of these words Redis knows and this crate does not.
fn left_out<'w>(words: &[&'w str], is_modelled: bool) -> Option<&'w str> {
    let is = |word: &&&str, name: &str| word.eq_ignore_ascii_case(name);
    let first = words.first()?;
    if is_modelled {
        let by_lex = words.iter().find(|word| is(word, "bylex"));
        return by_lex.filter(|_| is(&first, "zrange")).copied();
    }
    REDIS.split(' ').any(|known| is(&first, known)).then_some(first)
}

/// The error of an `EXEC` that is refused as a whole, which also ends the transaction.
pub(crate) fn exec_refused(error: &KvError) -> KvError {
    let error = error.to_string();
    let reason = error.strip_prefix("ERR ").unwrap_or(&error);
    KvError::other(format!("EXECABORT Transaction discarded because of: {reason}"))
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

/// A command for a store, made of its words.
#[cfg(test)]
pub(crate) fn command(words: &str, texts: &mut Texts) -> Result<Command, KvError> {
    let words: Vec<&str> = words.split(' ').collect();
    match read(&words, texts) {
        Ok(Asked { request, .. }) => match request? {
            Request::Store(command) => Ok(command),
            Request::Connection(other) => panic!("{other:?} is for a connection"),
        },
        Err(Unread::Refused(error)) => Err(error),
        Err(Unread::NotModelled(what)) => panic!("{what}"),
    }
}

/// The rows of all tables but the connection's: a name, how many words it takes at least, and what
/// it needs.
#[cfg(test)]
pub(crate) fn rows() -> Vec<(&'static str, usize, Access)> {
    fn rows<C>(
        table: &'static [Spelling<C>],
    ) -> impl Iterator<Item = (&'static str, usize, Access)> {
        table.iter().map(|row| (row.name, row.words_min(), row.access))
    }
    rows(string::TABLE)
        .chain(rows(key::TABLE))
        .chain(rows(hash::TABLE))
        .chain(rows(list::TABLE))
        .chain(rows(zset::TABLE))
        .chain(rows(script::TABLE))
        .chain(rows(server::TABLE))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words that are right for each command with an exact number of words, and for most others.
    fn sample(name: &'static str, words: usize) -> Vec<&'static str> {
        let mut sample = vec![name, "k"];
        sample.extend(std::iter::repeat_n("1", 6));
        sample.truncate(words);
        if name == "lmove" {
            sample[3..].fill("left");
        }
        sample
    }

    #[test]
    fn words_and_commands_agree_on_what_they_need() {
        let mut texts = Texts::default();
        for (known, words_min, access) in rows() {
            let words = sample(known, words_min).join(" ");
            let command = command(&words, &mut texts).expect("words that are right");
            assert_eq!(command.access(), access, "{known}");
        }
    }

    #[test]
    fn every_name_is_one_of_redis_or_a_script() {
        for (known, ..) in rows() {
            assert!(
                known.starts_with('@') || REDIS.split(' ').any(|name| name == known),
                "{known}"
            );
        }
        for words in ["SADD k 1", "zunionstore", "ZRANGE k 0 1 ByLex"] {
            let words: Vec<&str> = words.split(' ').collect();
            let found = read(&words, &mut Texts::default());
            assert!(matches!(found, Err(Unread::NotModelled(_))), "{words:?}");
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
            let found = command(words, &mut Texts::default());
            assert_eq!(found.map_err(|e| e.to_string()), Err(error.to_owned()));
        }
    }
}
