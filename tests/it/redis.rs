//! The store is Redis: a real `redis-server` and a [`Node`] get the same random commands on several
//! connections and must give the same replies.
//!
//! Everything is compared to the letter, except where the real clock decides: what is left of a
//! relative expiry may differ by half a minute. No two relative expiries of a story lie nearer than
//! that, and absolute ones lie far in the past or the future, so that time decides nothing else.
//! Active expiry is off: an expired key is counted by `DBSIZE` until somebody touches it.
//!
//! Without a `redis-server` on the path the test says so and proves nothing.

use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestCaseResult};
use sim_redis::value::Texts;
use sim_redis::{Connection, Node, Reply, ScriptCommand};

use crate::resp::{Client, Resp, Server};
use crate::support::holds;

/// How many connections a story has.
const CLIENTS: usize = 3;

/// How far what is left of an expiry may lie apart, in milliseconds.
const TOLERANCE_MS: i64 = 30_000;

/// Commands with their arguments and, after `|`, options of which some are added.
///
/// `K` key, `V` value, `F` field or member, `I` whole number, `D` float, `S` end of a range of
/// scores, `C` small count, `U` seconds and `T` milliseconds to an expiry, `B` and `A` the same as
/// instants, `E` such an instant that is over, `X` an expiry that is none.
const SHAPES: &[&str] = &[
    "GET K",
    "SET K V | NX;XX;GET;KEEPTTL;EX U;PX T;EXAT B;PXAT A;PXAT E;EX X;PX X;EXAT I;PXAT I;EX;FOO",
    "SET K V | NX;XX;GET;KEEPTTL;PX T",
    "SET K V",
    "SETNX K V",
    "SETEX K U V",
    "SETEX K X V",
    "PSETEX K T V",
    "PSETEX K X V",
    "GETSET K V",
    "GETDEL K",
    "GETEX K | PERSIST;EX U;PX T;EXAT B;PXAT A;PXAT E;EX X;PX X;EXAT I;PXAT I;FOO",
    "GETEX K | PERSIST;PX T",
    "MGET K K K",
    "MSET K V K V",
    "MSET K V K",
    "MSETNX K V K V",
    "APPEND K V",
    "APPEND K I",
    "STRLEN K",
    "INCR K",
    "DECR K",
    "INCRBY K I",
    "DECRBY K I",
    "EXISTS K K",
    "DEL K",
    "UNLINK K K",
    "TYPE K",
    "EXPIRE K U | NX;XX;GT;LT;FOO",
    "EXPIRE K X | NX;XX;GT;LT",
    "PEXPIRE K T | NX;XX;GT;LT;FOO",
    "PEXPIRE K X | NX;XX;GT;LT",
    "EXPIREAT K B | NX;XX;GT;LT",
    "EXPIREAT K I | NX;XX;GT;LT",
    "PEXPIREAT K A | NX;XX;GT;LT",
    "PEXPIREAT K E | NX;XX;GT;LT",
    "PEXPIREAT K I | NX;XX;GT;LT",
    "PERSIST K",
    "TTL K",
    "PTTL K",
    "EXPIRETIME K",
    "PEXPIRETIME K",
    "HSET K F V",
    "HSET K F I F V",
    "HSETNX K F V",
    "HGET K F",
    "HMGET K F F F",
    "HDEL K F F",
    "HEXISTS K F",
    "HLEN K",
    "HINCRBY K F I",
    "HGETALL K",
    "HKEYS K",
    "HVALS K",
    "LPUSH K V V",
    "RPUSH K V I",
    "LPUSHX K V",
    "RPUSHX K V",
    "LPOP K",
    "RPOP K",
    "LPOP K C",
    "RPOP K I",
    "LLEN K",
    "LRANGE K I I",
    "LRANGE K C C",
    "LINDEX K C",
    "LINDEX K I",
    "LSET K C V",
    "LSET K I V",
    "LREM K C V",
    "LREM K I V",
    "LTRIM K C C",
    "LTRIM K I I",
    "LMOVE K K LEFT RIGHT",
    "LMOVE K K RIGHT LEFT",
    "LMOVE K K RIGHT RIGHT",
    "LMOVE K K UP LEFT",
    "RPOPLPUSH K K",
    "ZADD K D F",
    "ZADD K D F D F",
    "ZADD K NX D F",
    "ZADD K XX CH D F D F",
    "ZADD K GT CH D F D F",
    "ZADD K LT D F",
    "ZADD K GT XX D F",
    "ZADD K NX XX D F",
    "ZADD K GT LT D F",
    "ZADD K NX GT D F",
    "ZADD K INCR D F",
    "ZADD K NX INCR D F",
    "ZADD K XX INCR CH D F",
    "ZADD K GT INCR D F",
    "ZADD K LT INCR D F",
    "ZADD K INCR D F D F",
    "ZADD K C F C F C F",
    "ZADD K CH",
    "ZREM K F F",
    "ZSCORE K F",
    "ZCARD K",
    "ZCOUNT K S S",
    "ZINCRBY K D F",
    "ZRANGE K C C | WITHSCORES;REV;BYSCORE;LIMIT C C;LIMIT I;FOO",
    "ZRANGE K I I | WITHSCORES;REV",
    "ZRANGE K S S BYSCORE | WITHSCORES;REV;LIMIT C C;LIMIT I I",
    "ZREVRANGE K C C | WITHSCORES;FOO;LIMIT C C",
    "ZRANGEBYSCORE K S S | WITHSCORES;LIMIT C C;LIMIT I I;LIMIT C;FOO",
    "ZREVRANGEBYSCORE K S S | WITHSCORES;LIMIT C C",
    "ZREMRANGEBYSCORE K S S",
    "ZRANK K F",
    "ZREVRANK K F",
    "DBSIZE",
    "FLUSHALL | SYNC;ASYNC;FOO",
    "FLUSHDB",
    "PING",
    "PING V",
    "PING V V",
    "ECHO V",
    "MULTI",
    "MULTI",
    "MULTI",
    "EXEC",
    "EXEC",
    "EXEC",
    "EXEC",
    "DISCARD",
    "WATCH K",
    "WATCH K K",
    "UNWATCH",
    // Any other would wait: there is no replica.
    "WAIT 0 C",
    "WAIT I -1",
    "WAIT abc 0",
    "NOSUCH V V",
    "NOSUCH",
    "@CAD K V",
    "@CAPX K V T",
    "@CAPX K V X",
    "@CASPX K V V T",
    "@CASPX K V V X",
    "@SWIN K C T C F",
    "@FWIN K T",
    "@FWIN K X",
];

const KEYS: &[&str] = &["k", "k", "l", "l", "h", "h", "z", "z", "n", "n", "x", "", "ключ"];
const VALUES: &[&str] = &[
    "5",
    "-3",
    "0",
    "",
    "a",
    "tok1",
    "tok2",
    "07",
    "-0",
    " 1",
    "1.5",
    "9223372036854775807",
    "two words",
    "héllo",
    "100",
    "line\r\nbreak",
];
const FIELDS: &[&str] = &["f", "g", "1", "a", "b", "B", "", "ab", "é", "01", "10"];
const INTS: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "10",
    "-5",
    "100",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "-9223372036854775809",
    "4611686018427387904",
    "9223372036854775",
    "9223372036854776",
    "-9223372036854775807",
    "",
    "abc",
    "1.5",
    "01",
    "+1",
    " 1",
    "1 ",
    "-0",
    "--1",
    "0x10",
    "1e3",
    "99999999999999999999",
    "-",
];
const NO_EXPIRIES: &[&str] = &[
    "0",
    "-1",
    "-5",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "9223372036854775",
    "9223372036854776",
    "-9223372036854775",
    "",
    "abc",
    "1.5",
    "01",
    "-0",
];
const SMALL: &[&str] = &["0", "1", "2", "3", "-1", "-2", "-3", "5", "7"];
const FLOATS: &[&str] = &[
    "0",
    "1",
    "-1",
    "2.5",
    "1e3",
    "-0",
    "0.1",
    "3.0",
    "inf",
    "-inf",
    "+inf",
    "infinity",
    "INF",
    "nan",
    "NaN",
    "1e308",
    "1e309",
    "-1e309",
    "1e-320",
    "1e-400",
    "0x10",
    "0x1.8p3",
    "-0x.1P-2",
    "0x",
    "1.",
    ".5",
    ".",
    "+5",
    " 1",
    "1 ",
    "1e",
    "e5",
    "",
    "abc",
    "12345678901234567890",
    "9007199254740993",
    "0.30000000000000004",
    "1700000000123",
    "123456789.123456789",
    "1e17",
    "1e16",
    "123456789012345678",
    "0.0001",
    "0.00001",
    "1e21",
    "1_0",
    "0x1p1024",
    "0x1p-1080",
    "0x123456789abcdef01",
    "-5",
    "4.9e-324",
    "1e+2",
    "1e-7",
    "nan(1)",
    "infx",
    "0.1e1",
    "-.5e-3",
    "4503599627370497.5",
    "5000000000000000000",
    "-4611686018427387904",
];
const BOUNDS: &[&str] = &[
    "-inf", "+inf", "inf", "0", "1", "(1", "(0", "-1", "5", "(5", "2.5", "(2.5", "", "(", "((1",
    "nan", "(nan", " 1", "( 1", "1 ", "abc", "1e400", "(-inf", "(+inf", "-1e400", "0x2", "1e3",
    "100", "(1000", "-", "+", "[a", "1e-400", " ", "( ",
];
const JUNK: &[&str] =
    &["", "NX", "x", "4000000000000", "-1", "WITHSCORES", "LIMIT", "1.5", "PX", "0"];

/// One command of a story: who sends it, its shape, and the luck that fills it in.
#[derive(Clone, Debug)]
struct Draft {
    client: usize,
    shape: usize,
    luck: Vec<u16>,
    /// Now and then a word too many, too few or another.
    damage: u8,
}

fn drafts() -> impl Strategy<Value = Vec<Draft>> {
    let draft = (
        // Mostly the same client as before, so that many commands go over the wire at once.
        prop_oneof![6 => Just(CLIENTS), 1 => 0..CLIENTS],
        0..SHAPES.len(),
        proptest::collection::vec(any::<u16>(), 12),
        any::<u8>(),
    );
    let draft =
        draft.prop_map(|(client, shape, luck, damage)| Draft { client, shape, luck, damage });
    proptest::collection::vec(draft, 1..200)
}

/// Fills in the shapes. `place` makes each expiry another one.
fn words(draft: &Draft, place: usize) -> Vec<String> {
    let mut luck = draft.luck.iter().copied().cycle().map(usize::from);
    let mut draw = move || luck.next().expect("an endless cycle");
    let (plain, options) =
        SHAPES[draft.shape].split_once(" | ").unwrap_or((SHAPES[draft.shape], ""));
    let mut shape: Vec<&str> = plain.split(' ').collect();
    if !options.is_empty() {
        let options: Vec<&str> = options.split(';').collect();
        for _ in 0..[0, 0, 1, 1, 1, 2, 2, 3][draw() % 8] {
            shape.extend(options[draw() % options.len()].split(' '));
        }
    }
    let seconds = 1_000 + 100 * place;
    let mut fill = |n: usize, kind: &&str| {
        let mut pick = |from: &[&str]| from[draw() % from.len()].to_owned();
        match *kind {
            "K" => pick(KEYS),
            "V" => pick(VALUES),
            "F" => pick(FIELDS),
            "I" => pick(INTS),
            "X" => pick(NO_EXPIRIES),
            "C" => pick(SMALL),
            "D" => pick(FLOATS),
            "S" => pick(BOUNDS),
            "U" => seconds.to_string(),
            "T" => format!("{seconds}000"),
            "B" => pick(&["4000000000", "4000000001", "5000000000"]),
            "A" => pick(&["4000000000123", "4000000000499", "4000000000500", "5000000000000"]),
            "E" => pick(&["1", "1000", "1600000000000"]),
            // Names and options in upper, lower or mixed case.
            word if n == 0 && draw() % 8 == 0 => word.to_lowercase(),
            word if n > 0 && draw() % 8 == 0 => word.to_lowercase(),
            word => word.to_owned(),
        }
    };
    let mut words: Vec<String> = shape.iter().enumerate().map(|(n, kind)| fill(n, kind)).collect();
    let at = 1 + usize::from(draft.luck[0]) % words.len();
    let junk = JUNK[usize::from(draft.luck[1]) % JUNK.len()].to_owned();
    match draft.damage {
        _ if words[0].starts_with('@') || words[0].eq_ignore_ascii_case("wait") => {}
        0..6 => words.truncate(at),
        6..10 => words.insert(at, junk),
        10..14 if at < words.len() => words[at] = junk,
        _ => {}
    }
    words
}

/// The script that a name with `@` stands for.
fn script(name: &str) -> &'static str {
    let source = ScriptCommand::SOURCES.iter().find(|source| source.name == name);
    source.expect("a script").lua
}

/// The words as they go to the real server.
fn on_the_wire(words: &[String]) -> Vec<String> {
    let name = words[0].to_lowercase();
    if !name.starts_with('@') {
        return words.to_vec();
    }
    let eval = ["EVAL", script(&name), "1"].map(str::to_owned);
    [&eval, &words[1..]].concat()
}

/// Our reply as it would come over the wire.
fn resp(reply: &Reply, texts: &Texts) -> Resp {
    match reply {
        Reply::Nil => Resp::Nil,
        Reply::NilArray => Resp::NilArray,
        Reply::Ok => Resp::Status("OK".to_owned()),
        Reply::Status(word) => Resp::Status((*word).to_owned()),
        Reply::Int(n) => Resp::Int(*n),
        Reply::Value(value) => Resp::Bulk(texts.show(*value)),
        Reply::Array(items) => Resp::Array(items.iter().map(|item| resp(item, texts)).collect()),
        Reply::Error(error) => Resp::Error(error.to_string()),
    }
}

/// Whether two replies are the same. Large numbers that come of the clock may lie a little apart.
fn same(real: &Resp, ours: &Resp, of_the_clock: bool) -> bool {
    match (real, ours) {
        (Resp::Int(real), Resp::Int(ours)) if of_the_clock && real.min(ours) > &500 => {
            real.abs_diff(*ours) <= TOLERANCE_MS as u64
        }
        (Resp::Array(real), Resp::Array(ours)) => {
            real.len() == ours.len()
                && real.iter().zip(ours).all(|(real, ours)| same(real, ours, of_the_clock))
        }
        _ => real == ours,
    }
}

/// Plays one story to both.
fn story(clients: &mut [Client], drafts: &[Draft]) -> TestCaseResult {
    for client in clients.iter_mut() {
        client.ask(&["RESET"]);
    }
    clients[0].ask(&["FLUSHALL"]);
    let Resp::Array(time) = clients[0].ask(&["TIME"]) else { panic!("TIME gives an array") };
    let Resp::Bulk(seconds) = &time[0] else { panic!("TIME gives texts") };
    let now_ms = seconds.parse::<i64>().expect("seconds") * 1_000;
    let (mut node, mut texts) = (Node::default(), Texts::default());
    let mut connections = [const { Connection::NEW }; CLIENTS];
    let mut sender = 0;
    let mut story: Vec<(usize, Vec<String>)> = Vec::new();
    for (place, draft) in drafts.iter().enumerate() {
        sender = if draft.client < CLIENTS { draft.client } else { sender };
        story.push((sender, words(draft, place)));
    }
    for bundle in story.chunk_by(|a, b| a.0 == b.0) {
        let client = &mut clients[bundle[0].0];
        bundle.iter().for_each(|(_, words)| client.put(&on_the_wire(words)));
        client.send();
        let real: Vec<Resp> = bundle.iter().map(|_| client.read()).collect();
        for ((sender, words), real) in bundle.iter().zip(real) {
            let borrowed: Vec<&str> = words.iter().map(String::as_str).collect();
            let reply = node.run(&mut connections[*sender], now_ms, &borrowed, &mut texts);
            let ours = resp(&reply.expect("no operator's command is sent"), &texts);
            let name = words[0].to_lowercase();
            let of_the_clock = name.contains("ttl") || name.contains("time") || name == "exec";
            if !same(&real, &ours, of_the_clock) {
                return Err(TestCaseError::fail(told(&story, *sender, words, &real, &ours)));
            }
        }
    }
    Ok(())
}

/// A difference, with the whole story.
fn told(
    story: &[(usize, Vec<String>)],
    sender: usize,
    words: &[String],
    real: &Resp,
    ours: &Resp,
) -> String {
    let lines: Vec<String> = story.iter().map(|(n, words)| format!("  {n}: {words:?}")).collect();
    let lines = lines.join("\n");
    format!("{sender}: {words:?}\n  redis  {real:?}\n  ours   {ours:?}\nin\n{lines}")
}

fn compare(name: &str, stories: u32) {
    let Some(server) = Server::start(name) else {
        skipped();
        return;
    };
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| server.connect()).collect();
    let set = clients[0].ask(&["DEBUG", "SET-ACTIVE-EXPIRE", "0"]);
    assert_eq!(set, Resp::Status("OK".to_owned()));
    let clients = std::cell::RefCell::new(clients);
    holds(stories, drafts(), |drafts| story(&mut clients.borrow_mut(), &drafts));
}

/// Says on the terminal itself that nothing was proved: what a passing test prints is not shown.
fn skipped() {
    use std::io::Write;
    let line = "SKIPPED: redis_and_the_store_give_the_same_replies: no redis-server on the path\n";
    if let Ok(mut terminal) = std::fs::OpenOptions::new().write(true).open("/dev/tty") {
        let _ = terminal.write_all(line.as_bytes());
    }
    eprint!("{line}");
}

/// 1,200 stories of 100 commands on average.
#[test]
fn redis_and_the_store_give_the_same_replies() {
    compare("redis-differential", 1_200);
}

/// Some four million commands: `cargo test --test it -- --ignored redis`.
#[test]
#[ignore = "takes minutes"]
fn redis_and_the_store_give_the_same_replies_for_long() {
    compare("redis-differential-long", 120_000);
}
