//! One outage, four breakers: how many calls each lets through while it lasts, and how many it
//! still refuses afterwards.

use sim_core::{Span, Time};
use sim_policies::OutOfRange;
use sim_policies::breaker::{
    Admission, Breaker, BreakerConfig, Machine, Verdict, cockatiel, gobreaker, polly, resilience4j,
};

/// Calls that failed during the outage, and calls that were refused after it.
fn outage(config: &BreakerConfig) -> Result<(u32, u32), OutOfRange> {
    let mut breaker = Breaker::new(config)?;
    let (mut failed, mut refused, mut changes) = (0, 0, Vec::new());
    // Ten calls a second for two minutes; the other side is down from 30 s to 60 s.
    for tenth in 0..1200 {
        let now = Time::ZERO + Span::millis(tenth * 100);
        let is_down = (300..600).contains(&tenth);
        while let Some(at) = breaker.wakes_at().filter(|at| *at <= now) {
            breaker.wake(at, &mut changes);
        }
        match breaker.admit(now, &mut changes) {
            Admission::Admitted(permit) => {
                let verdict = if is_down { Verdict::Failure } else { Verdict::Success };
                failed += u32::from(is_down);
                breaker.settle(permit, now, verdict, &mut changes);
            }
            Admission::Refused(_) => refused += u32::from(!is_down),
            Admission::Parked => unreachable!("each call ends before the next one asks"),
        }
    }
    Ok((failed, refused))
}

fn main() -> Result<(), OutOfRange> {
    let libraries = [
        ("resilience4j", BreakerConfig::Resilience4j(resilience4j::Config::default())),
        ("polly", BreakerConfig::Polly(polly::Config::default())),
        ("gobreaker", BreakerConfig::Gobreaker(gobreaker::Config::default())),
        ("cockatiel", BreakerConfig::Cockatiel(cockatiel::Config::default())),
    ];
    let mut found = Vec::new();
    for (name, config) in &libraries {
        let (failed, refused) = outage(config)?;
        println!("{name:12} {failed:3} failed, {refused:3} refused after the outage");
        found.push((failed, refused));
    }
    assert_eq!(found, [(50, 350), (35, 29), (6, 306), (7, 4)]);
    Ok(())
}
