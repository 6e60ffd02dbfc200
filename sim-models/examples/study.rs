//! How sure is it? One scenario on many seeds, and two settings on the same luck.

use std::error::Error;

use sim_models::Scenario;
use sim_models::study::{Check, Comparison, Figure, Judgement, Kind, Options};

const QUEUE: &str = r#"Scenario(
    name: "queue", about: "One worker, 80 % busy.", horizon: "60s",
    actors: {
        "users": Client(load: Open(rate: "8/s"), does: [Call("api.hello")]),
        "api": Service(workers: 1, endpoints: { "hello": [Work(Exponential("100ms"))] }),
    },
)"#;

fn main() -> Result<(), Box<dyn Error>> {
    let one = Scenario::text("queue.ron", QUEUE);
    let two = one.clone().set("actors.api.workers", 2);
    let options = Options { seeds: 20, ..Options::default() };

    let check = Check::run(&one.load()?, &options, None)?;
    let busy = Figure::of(Kind::Utilisation, "api");
    let busy = check.summary.estimate(&busy).and_then(|busy| busy.interval);
    println!("busy: {busy:?}");
    assert!(busy.is_some_and(|interval| interval.contains(0.8)));

    let sides = [("one worker".to_owned(), one.load()?), ("two workers".to_owned(), two.load()?)];
    let comparison = Comparison::run(&sides, &options)?;
    let latency: Figure = "latency_mean(users)".parse()?;
    let contrast = comparison.contrasts.iter().find(|contrast| contrast.figure == latency);
    let contrast = contrast.expect("users have a latency");
    println!("mean latency: {:.0} ms, then {:.0} ms", contrast.reference, contrast.value);
    assert_eq!(contrast.judgement, Judgement::Better);
    Ok(())
}
