//! What one decision of each policy costs.
//!
//! A decision is a call that asks and, where the policy wants to hear of it, its end. Windows are
//! full before the clock starts, and time moves on by a millisecond per call, so that buckets
//! expire as they do in a run.

use std::hint::black_box;

use criterion::Criterion;
use sim_core::{Span, Time};
use sim_policies::breaker::{
    Admission, Breaker, BreakerConfig, Machine, Verdict, cockatiel, consecutive, failsafe,
    gobreaker, hystrix, opossum, polly, pybreaker, resilience4j,
};
use sim_policies::budget::{self, BudgetConfig, RetryBudget};
use sim_policies::bulkhead::{Bulkhead, BulkheadConfig, Entry};
use sim_policies::concurrency::{ConcurrencyLimiter, LimitConfig, Sample};
use sim_policies::hedge::{self, Hedge, HedgeConfig};
use sim_policies::outlier::{self, Outlier};
use sim_policies::rate_limiter::{
    self, RateLimiter, RateLimiterConfig, fixed_window, sliding_log, sliding_window,
};
use sim_policies::retry::{self, HouseConfig, RetryConfig};
use sim_policies::throttle::{self, AdaptiveThrottle};
use sim_policies::{Advice, Ending, Failed, Retry, aws};

/// Calls before the clock starts: every window has been full by then.
const WARM_UP: u64 = 200_000;

/// A clock that moves on by a millisecond, and luck that differs each time.
struct Clock(u64);

impl Clock {
    fn tick(&mut self) -> (Time, u64) {
        self.0 += 1;
        (Time::ZERO + Span::millis(self.0), self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

fn decide(c: &mut Criterion, name: &str, mut decision: impl FnMut(Time, u64)) {
    let mut clock = Clock(0);
    for _ in 0..WARM_UP {
        let (now, draw) = clock.tick();
        decision(now, draw);
    }
    c.bench_function(name, |bench| {
        bench.iter(|| {
            let (now, draw) = clock.tick();
            decision(now, draw);
        });
    });
}

fn breaker(c: &mut Criterion, name: &str, config: BreakerConfig) {
    let mut breaker = Breaker::new(&config).expect("valid");
    let mut changes = Vec::new();
    decide(c, &format!("breaker/{name}"), |now, draw| {
        while breaker.wakes_at().is_some_and(|at| at <= now) {
            breaker.wake(breaker.wakes_at().expect("checked"), &mut changes);
        }
        if let Admission::Admitted(permit) = breaker.admit(now, &mut changes) {
            // One failure in a hundred: it stays closed, and every call is counted.
            let verdict = if draw % 100 == 0 { Verdict::Failure } else { Verdict::Success };
            breaker.settle(permit, now, verdict, &mut changes);
        }
        changes.clear();
    });
}

fn breakers(c: &mut Criterion) {
    let five = consecutive::Config { failures: 5, open_for: Span::secs(30), close_after: 3 };
    breaker(c, "consecutive", BreakerConfig::Consecutive(five));
    let r4j = resilience4j::Config::default();
    breaker(c, "resilience4j, 100 calls", BreakerConfig::Resilience4j(r4j.clone()));
    let large = resilience4j::Config { sliding_window_size: 100_000, ..r4j.clone() };
    breaker(c, "resilience4j, 100000 calls", BreakerConfig::Resilience4j(large));
    let timed = resilience4j::Config {
        sliding_window_type: resilience4j::SlidingWindowType::TimeBased,
        ..r4j
    };
    breaker(c, "resilience4j, 100 s", BreakerConfig::Resilience4j(timed));
    breaker(c, "hystrix", BreakerConfig::Hystrix(hystrix::Config::default()));
    breaker(c, "polly", BreakerConfig::Polly(polly::Config::default()));
    let failsafe = failsafe::Config {
        failure_threshold: 50,
        failure_thresholding_capacity: 100,
        ..Default::default()
    };
    breaker(c, "failsafe, 50 of 100", BreakerConfig::Failsafe(failsafe));
    let rolling = gobreaker::Config {
        interval: Span::secs(10),
        bucket_period: Span::secs(1),
        ..Default::default()
    };
    breaker(c, "gobreaker, rolling", BreakerConfig::Gobreaker(rolling));
    breaker(c, "opossum", BreakerConfig::Opossum(opossum::Config::default()));
    breaker(c, "cockatiel", BreakerConfig::Cockatiel(cockatiel::Config::default()));
    breaker(c, "pybreaker", BreakerConfig::Pybreaker(pybreaker::Config::default()));
}

fn retries(c: &mut Criterion) {
    for (name, config) in [
        ("house", RetryConfig::House(HouseConfig { attempts: 6, ..Default::default() })),
        ("resilience4j", RetryConfig::Resilience4j(retry::resilience4j::Config::default())),
        ("failsafe", RetryConfig::Failsafe(retry::failsafe::Config::default())),
        ("polly", RetryConfig::Polly(retry::polly::Config::default())),
        ("cockatiel", RetryConfig::Cockatiel(retry::cockatiel::Config::default())),
        ("tenacity", RetryConfig::Tenacity(retry::tenacity::Config::default())),
        ("backoff", RetryConfig::Backoff(retry::backoff::Config::default())),
        ("botocore", RetryConfig::Botocore(aws::Config::default())),
        ("grpc", RetryConfig::Grpc(retry::grpc::Config::default())),
        ("envoy", RetryConfig::Envoy(retry::envoy::Config::default())),
        ("finagle", RetryConfig::Finagle(retry::finagle::Config::default())),
    ] {
        let retry = Retry::new(&config).expect("valid");
        decide(c, &format!("retry/{name}"), |now, draw| {
            let mut state = retry.start(now);
            let ending = Ending::Status(503);
            let _ =
                black_box(retry.decide(&mut state, now, Failed::new(ending, Advice::None), draw));
        });
    }
}

fn budgets(c: &mut Criterion) {
    for (name, config) in [
        ("finagle", BudgetConfig::Finagle(budget::finagle::Config::default())),
        ("envoy", BudgetConfig::Envoy(budget::envoy::Config::default())),
        ("grpc", BudgetConfig::Grpc(budget::grpc::Config::default())),
        ("aws", BudgetConfig::Aws(budget::aws::Config::default())),
    ] {
        let mut budget = RetryBudget::new(&config).expect("valid");
        decide(c, &format!("budget/{name}"), |now, draw| {
            let mut ticket = budget.begin(now);
            let fails = draw % 10 == 0;
            let ending = Ending::Status(if fails { 503 } else { 200 });
            budget.attempt_ended(&mut ticket, now, ending);
            if fails {
                let _ = black_box(budget.withdraw(&mut ticket, now, ending));
            }
            budget.end(ticket, now, !fails);
        });
    }
}

fn limits(c: &mut Criterion) {
    let second = Span::secs(1);
    for (name, config) in [
        (
            "fixed window",
            RateLimiterConfig::FixedWindow(fixed_window::Config { limit: 500, window: second }),
        ),
        (
            "sliding log",
            RateLimiterConfig::SlidingLog(sliding_log::Config { limit: 500, window: second }),
        ),
        (
            "sliding window",
            RateLimiterConfig::SlidingWindow(sliding_window::Config { limit: 500, window: second }),
        ),
        (
            "resilience4j",
            RateLimiterConfig::Resilience4j(rate_limiter::resilience4j::Config::default()),
        ),
    ] {
        let mut limiter = RateLimiter::new(&config).expect("valid");
        decide(c, &format!("rate limiter/{name}"), |now, _| {
            let _ = black_box(limiter.acquire(now, 1, Span::ZERO));
        });
    }
    let mut bulkhead = Bulkhead::new(&BulkheadConfig::limit(10)).expect("valid");
    decide(c, "bulkhead", |now, draw| {
        if let Entry::Admitted(permit) = bulkhead.enter(now, draw) {
            let _ = black_box(bulkhead.settle(permit, now));
        }
    });
    for (name, config) in [
        ("aimd", LimitConfig::Aimd(Default::default())),
        ("vegas", LimitConfig::Vegas(Default::default())),
        ("gradient2", LimitConfig::Gradient2(Default::default())),
    ] {
        let mut limiter = ConcurrencyLimiter::new(&config).expect("valid");
        decide(c, &format!("concurrency limit/{name}"), |now, draw| {
            if let Ok(permit) = limiter.acquire(now) {
                limiter.release(permit, now + Span::micros(500), Sample::Success, draw);
            }
        });
    }
}

fn others(c: &mut Criterion) {
    let mut throttle = AdaptiveThrottle::new(&throttle::Config::default()).expect("valid");
    decide(c, "adaptive throttle", |now, draw| {
        if throttle.admit(now, draw).is_ok() {
            throttle.accepted(now);
        }
    });
    let mut hedge =
        Hedge::new(&HedgeConfig::House(hedge::house::Config::default())).expect("valid");
    decide(c, "hedge, percentile", |_, draw| {
        black_box(hedge.next(1));
        hedge.observe(Span::nanos(draw % 100_000_000));
    });
    let mut outlier = Outlier::new(&outlier::Config::default(), 20).expect("valid");
    let mut changes = Vec::new();
    decide(c, "outlier detection, 20 hosts", |now, draw| {
        while outlier.wakes_at().is_some_and(|at| at <= now) {
            outlier.wake(outlier.wakes_at().expect("checked"), draw, &mut changes);
        }
        if let Some(host) = outlier.pick(draw) {
            let status = if draw % 50 == 0 { 500 } else { 200 };
            outlier.record(host, now, Ending::Status(status), &mut changes);
        }
        changes.clear();
    });
    let mut pacer = aws::ClientRateLimiter::new();
    pacer.responded(Time::ZERO, true);
    decide(c, "aws adaptive", |now, _| {
        let _ = black_box(pacer.try_acquire(now));
        pacer.responded(now, false);
    });
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    breakers(&mut criterion);
    retries(&mut criterion);
    budgets(&mut criterion);
    limits(&mut criterion);
    others(&mut criterion);
    criterion.final_summary();
}
