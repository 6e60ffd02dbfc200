//! A lock in Redis: whose it is, until when, and how a failover gives it to two at once.
//!
//! Run it with `cargo run -p sim-redis --example lock`.

use sim_redis::value::Texts;
use sim_redis::{Connection, Node, Reply};

/// Sends words to a node, whose clock shows `clock_ms`.
fn ask(node: &mut Node, texts: &mut Texts, clock_ms: i64, words: &str) -> Reply {
    let words: Vec<&str> = words.split(' ').collect();
    let reply = node.run(&mut Connection::default(), clock_ms, &words, texts);
    let reply = reply.expect("a command that is modelled");
    println!("{clock_ms:>6} ms  {:<28} {reply:?}", words.join(" "));
    reply
}

fn main() {
    let texts = &mut Texts::default();
    let (mut primary, mut replica) = (Node::default(), Node::default());
    replica.is_replica = true;

    println!("Anna holds the lock for 5 s, to the last millisecond.");
    assert_eq!(ask(&mut primary, texts, 0, "SET lock anna NX PX 5000"), Reply::Ok);
    assert_eq!(ask(&mut primary, texts, 5_000, "SET lock ben NX PX 5000"), Reply::Nil);
    assert_eq!(ask(&mut primary, texts, 5_001, "SET lock ben NX PX 5000"), Reply::Ok);

    println!("Her release comes late. It must not free what is Ben's.");
    assert_eq!(ask(&mut primary, texts, 5_002, "@CAD lock anna"), Reply::Int(0));

    println!("The replica hears of all that; it has the lock with the same end.");
    for command in primary.log.drain(..) {
        replica.store.replay(5_003, &command, texts);
    }
    assert_eq!(replica.store, primary.store);
    assert_eq!(ask(&mut replica, texts, 5_003, "PTTL lock"), Reply::Int(4_998));

    println!("Ben is done, Carl takes the lock, and the primary dies before it says so.");
    assert_eq!(ask(&mut primary, texts, 6_000, "@CAD lock ben"), Reply::Int(1));
    assert_eq!(ask(&mut primary, texts, 6_001, "SET lock carl NX PX 60000"), Reply::Ok);

    println!("The replica is promoted. When Ben's old lock ends, Dora gets what Carl holds.");
    assert_eq!(ask(&mut replica, texts, 6_100, "REPLICAOF NO ONE"), Reply::Ok);
    assert_eq!(ask(&mut replica, texts, 10_001, "SET lock dora NX PX 5000"), Reply::Nil);
    assert_eq!(ask(&mut replica, texts, 10_002, "SET lock dora NX PX 5000"), Reply::Ok);
}
