//! What one command of the store costs, and what a key costs.
//!
//! Commands go to a store with 1,000 keys, on a clock that moves on by a millisecond for each. As
//! in a scenario, no words are read and no replies printed. Criterion reports commands per second.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use sim_redis::value::{TextId, Texts, Value};
use sim_redis::{
    Command, Condition, Expiry, HashCommand, ScriptCommand, Store, StringCommand, Unit, ZAddOnly,
    ZSetCommand,
};

const KEYS: usize = 1_000;

/// A store with its clock and texts.
struct World {
    store: Store,
    texts: Texts,
    now_ms: i64,
    keys: Vec<TextId>,
    fields: Vec<TextId>,
}

impl World {
    fn new(kind: &str) -> World {
        let mut texts = Texts::default();
        let keys = (0..KEYS).map(|n| texts.intern(&format!("{kind}-{n}"))).collect();
        let fields = (0..16).map(|n| texts.intern(&format!("field-{n}"))).collect();
        World { store: Store::default(), texts, now_ms: 0, keys, fields }
    }
}

fn measure(c: &mut Criterion, name: &str, make: impl Fn(&World, usize) -> Command) {
    let mut world = World::new(name);
    let mut n = 0usize;
    let mut step = move || {
        n += 1;
        world.now_ms += 1;
        // Each key in turn, in an order that no cache foresees.
        let command = make(&world, n.wrapping_mul(7_919));
        black_box(world.store.apply(world.now_ms, &command, &mut world.texts))
    };
    (0..20 * KEYS).for_each(|_| {
        step();
    });
    let mut group = c.benchmark_group("kv");
    group.throughput(Throughput::Elements(1));
    group.bench_function(name, |bench| bench.iter(&mut step));
    group.finish();
}

fn set(key: TextId, value: i64, condition: Condition, expiry: Expiry) -> Command {
    StringCommand::Set { key, value: Value::Int(value), condition, get: false, expiry }.into()
}

fn commands(c: &mut Criterion) {
    let key = |world: &World, n: usize| world.keys[n % KEYS];
    let lock = Expiry::In(30_000, Unit::Millis);
    measure(c, "set", |w, n| set(key(w, n), n as i64, Condition::Always, Expiry::Never));
    measure(c, "set_then_get", |w, n| match n % 2 {
        0 => set(key(w, n), n as i64, Condition::Always, Expiry::Never),
        _ => StringCommand::Get { key: key(w, n - 1) }.into(),
    });
    measure(c, "incr", |w, n| StringCommand::IncrBy { key: key(w, n), by: 1 }.into());
    measure(c, "set_nx_px", |w, n| set(key(w, n), n as i64, Condition::IfAbsent, lock));
    measure(c, "lock_then_cad", |w, n| {
        let (key, token) = (key(w, n / 2), (n / 2) as i64);
        match n % 2 {
            0 => set(key, token, Condition::IfAbsent, lock),
            _ => ScriptCommand::CompareAndDelete { key, expected: Value::Int(token) }.into(),
        }
    });
    measure(c, "hset", |w, n| {
        let pairs = vec![(w.fields[n % w.fields.len()], Value::Int(n as i64))];
        HashCommand::Set { key: key(w, n), pairs }.into()
    });
    measure(c, "zadd", |w, n| {
        let pairs = vec![((n % 1_000) as f64, w.fields[n % w.fields.len()])];
        ZSetCommand::Add { key: key(w, n), only: ZAddOnly::default(), changed: false, pairs }.into()
    });
}

/// What a million keys with plain values hold, by the store's own count of its rows.
fn memory() {
    let (mut store, mut texts) = (Store::default(), Texts::default());
    let keys = 1_000_000;
    for n in 0..keys {
        let key = texts.intern(&format!("order-{n:07}"));
        let lock = Expiry::In(30_000, Unit::Millis);
        store.apply(n, &set(key, n, Condition::Always, lock), &mut texts);
    }
    let per_key = |bytes: usize| bytes as f64 / keys as f64;
    let (rows, names) = (per_key(store.memory_bytes()), per_key(texts.memory_bytes()));
    println!(
        "kv/memory: {rows:.0} bytes per key in rows, {names:.0} in the keys' names, estimated"
    );
}

fn main() {
    memory();
    let mut criterion = Criterion::default().configure_from_args();
    commands(&mut criterion);
    criterion.final_summary();
}
