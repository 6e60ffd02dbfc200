//! The worlds of the benchmarks give the results that theory demands.

use sim_core::{Model, Simulation};

mod models;
use models::{Guard, Hold, Mm1};

fn run<M: Model>(sim: &mut Simulation<M>, steps: u64) {
    (0..steps).for_each(|_| assert!(sim.step().is_ok()));
}

#[test]
fn hold_keeps_its_population_and_its_rate() {
    let mut sim = Hold::simulation(1_000);
    run(&mut sim, 1_000_000);
    assert_eq!(sim.context().pending(), 1_000);
    // 1000 events that each return after a second on average: 1000 per second.
    let rate = 1_000_000.0 / sim.now().as_secs_f64();
    assert!((rate / 1_000.0 - 1.0).abs() < 0.01, "{rate} per second");
}

#[test]
fn guards_never_fire_when_every_answer_cancels_its_own() {
    let mut sim = Guard::simulation(100);
    run(&mut sim, 100_000);
    assert_eq!(sim.context().pending(), 200);
    assert_eq!(sim.model().requests, 100_000);
    // 100 clients, an answer each 50 ms: 2000 per second. A guard that fired would add some.
    let rate = 100_000.0 / sim.now().as_secs_f64();
    assert!((rate / 2_000.0 - 1.0).abs() < 0.02, "{rate} per second");
}

#[test]
fn customers_of_mm1_wait_as_long_as_theory_says() {
    let mut sim = Mm1::simulation();
    run(&mut sim, 4_000_000);
    let model = sim.model();
    let wait = model.waited.as_secs_f64() / model.customers as f64;
    // rho / (1 - rho) mean services; at this length the standard error is 1.5 %.
    let theory = 9.0 * Mm1::WORK.as_secs_f64();
    assert!((wait / theory - 1.0).abs() < 0.045, "mean wait {wait}, theory {theory}");
}
