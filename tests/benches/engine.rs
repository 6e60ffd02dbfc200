//! What an event costs: the hold model, guard timeouts and M/M/1, with the digest on.

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use sim_core::{Model, Simulation};

#[path = "../../sim-core/tests/models/mod.rs"]
mod models;
use models::{Guard, Hold, Mm1};

/// Elements per iteration, long enough to hide the clock.
const ELEMENTS: u64 = 100_000;

/// Times `ELEMENTS` elements of `steps` steps each, in a world that has run in.
fn time<M: Model>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    mut sim: Simulation<M>,
    steps: u64,
) {
    let mut run = |n: u64| (0..n).for_each(|_| assert!(sim.step().is_ok()));
    run(2_000_000);
    group.throughput(Throughput::Elements(ELEMENTS));
    group.bench_function(name, |bencher| bencher.iter(|| run(ELEMENTS * steps)));
}

fn hold(c: &mut Criterion) {
    let mut group = c.benchmark_group("hold");
    for (name, pending) in
        [("pending_100", 100), ("pending_10k", 10_000), ("pending_1m", 1_000_000)]
    {
        time(&mut group, name, Hold::simulation(pending), 1);
    }
}

fn guard(c: &mut Criterion) {
    let mut group = c.benchmark_group("guard");
    for (name, clients) in [("clients_100", 100), ("clients_10k", 10_000)] {
        time(&mut group, name, Guard::simulation(clients), 1);
    }
}

fn mm1(c: &mut Criterion) {
    time(&mut c.benchmark_group("mm1"), "customers", Mm1::simulation(), 2);
}

fn main() {
    let mut c = Criterion::default().configure_from_args();
    hold(&mut c);
    guard(&mut c);
    mm1(&mut c);
    c.final_summary();
}
