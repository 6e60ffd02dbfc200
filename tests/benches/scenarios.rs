//! How fast do scenarios run? Elements are customers or events, so that rates can be compared.

use criterion::{Criterion, Throughput};
use sim_models::Scenario;

const MM1: &str = r#"Scenario(
    name: "mm1",
    about: "M/M/1 at 90 % load: a million customers and one worker.",
    horizon: "1000s",
    actors: {
        "customers": Client(load: Open(rate: "1000/s"), does: [Call("desk.serve")]),
        "desk": Service(
            workers: 1,
            queue: Fifo(limit: 1000000),
            endpoints: { "serve": [Work(Exponential("900us"))] },
        ),
    },
)"#;

const PAYMENT: &str = include_str!("../../scenarios/payment.ron");

fn mm1(criterion: &mut Criterion) {
    let scenario = Scenario::text("mm1.ron", MM1).load().expect("the bench's own scenario");
    let customers = scenario.run(1).series.offered.iter().map(|n| u64::from(*n)).sum();
    let mut group = criterion.benchmark_group("mm1");
    group.throughput(Throughput::Elements(customers)).sample_size(10);
    group.bench_function("customers", |bencher| bencher.iter(|| scenario.run(1).digest));
    group.finish();
}

fn payment(criterion: &mut Criterion) {
    let scenario = Scenario::text("payment.ron", PAYMENT).load().expect("a shipped scenario");
    let events = scenario.run(1).steps;
    let mut group = criterion.benchmark_group("payment");
    group.throughput(Throughput::Elements(events)).sample_size(10);
    group.bench_function("events", |bencher| bencher.iter(|| scenario.run(1).digest));
    group.finish();
}

fn load(criterion: &mut Criterion) {
    criterion.bench_function("load/payment", |bencher| {
        bencher.iter(|| Scenario::text("payment.ron", PAYMENT).load().expect("a shipped scenario"));
    });
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    mm1(&mut criterion);
    payment(&mut criterion);
    load(&mut criterion);
    criterion.final_summary();
}
