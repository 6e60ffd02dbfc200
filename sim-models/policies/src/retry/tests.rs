//! The laws that hold for every library, and those of the house.

use proptest::prelude::*;

use super::*;
use crate::Jitter;
use crate::backoff::Growth;

const BUSY: Ending = Ending::Status(503);

fn at(secs: u64) -> Time {
    Time::ZERO + Span::secs(secs)
}

fn doubling(attempts: u32) -> HouseConfig {
    HouseConfig { attempts, ..HouseConfig::default() }
}

fn house(config: HouseConfig) -> Retry {
    Retry::new(&RetryConfig::House(config)).expect("valid")
}

fn endings(words: &[&str]) -> EndingSet {
    EndingSet::of(words.iter().copied()).expect("known words")
}

fn failures() -> impl Strategy<Value = Ending> {
    prop_oneof![
        8 => Just(BUSY),
        2 => Just(Ending::TimedOut),
        1 => Just(Ending::Reset),
        1 => Just(Ending::Status(404)),
    ]
}

fn advice() -> impl Strategy<Value = Advice> {
    prop_oneof![
        6 => Just(Advice::None),
        3 => (0..20u64).prop_map(|secs| Advice::After(Span::secs(secs))),
        1 => Just(Advice::Stop),
    ]
}

/// Each library's retry of at most `attempts` attempts (2 to 5), with the endings it is for.
fn all(attempts: u32) -> Vec<Retry> {
    let retries = attempts - 1;
    let on = endings(&["503", "timeout", "reset"]);
    let stop = tenacity::Stop::AfterAttempt(attempts);
    let wait = tenacity::Wait::RandomExponential {
        multiplier: 1.0,
        max: None,
        exp_base: 2.0,
        min: Span::ZERO,
    };
    let exponential = cockatiel::Backoff::Exponential {
        generator: cockatiel::Generator::default(),
        max_delay: Span::secs(30),
        exponent: 2.0,
        initial_delay: Span::millis(128),
    };
    let configs = [
        RetryConfig::House(HouseConfig { on, ..doubling(attempts) }),
        RetryConfig::Resilience4j(resilience4j::Config {
            max_attempts: attempts,
            retry_exceptions: on,
            ..Default::default()
        }),
        RetryConfig::Failsafe(failsafe::Config {
            max_retries: retries as i32,
            delay: Span::secs(1),
            jitter_factor: 0.5,
            handle: on,
            ..Default::default()
        }),
        RetryConfig::Polly(polly::Config {
            max_retry_attempts: retries,
            should_handle: on,
            ..polly::Config::http()
        }),
        RetryConfig::Cockatiel(cockatiel::Config {
            max_attempts: Some(retries),
            backoff: exponential,
            handle: on,
        }),
        RetryConfig::Tenacity(tenacity::Config { stop, wait, retry: on }),
        RetryConfig::Backoff(backoff::Config {
            max_tries: Some(attempts),
            exception: on,
            ..Default::default()
        }),
        RetryConfig::Grpc(grpc::Config {
            max_attempts: attempts,
            retryable_status_codes: on.into(),
            ..Default::default()
        }),
        RetryConfig::Envoy(envoy::Config {
            num_retries: retries,
            retry_on: on,
            ..Default::default()
        }),
        RetryConfig::Finagle(finagle::Config {
            num_tries: attempts,
            should_retry: on,
            ..Default::default()
        }),
    ];
    configs.iter().map(|config| Retry::new(config).expect("valid")).collect()
}

proptest! {
    #[test]
    fn attempts_total_time_and_retry_after_are_kept(
        attempts_max in 1..8u32,
        total in prop::option::of(0..40u64),
        story in prop::collection::vec((0..5u64, failures(), advice(), any::<u64>()), 10),
    ) {
        let total = total.map(Span::secs);
        let jitter = Jitter::Full;
        let retry = house(HouseConfig { total, jitter, ..doubling(attempts_max) });
        let (start, mut now) = (at(100), at(100));
        let mut state = retry.start(now);
        let mut attempts = 1;
        for (took, ending, advice, draw) in story {
            now += Span::secs(took);
            let before = state;
            match retry.decide(&mut state, now, Failed::new(ending, advice), draw) {
                Decision::Again { after, attempt } => {
                    attempts += 1;
                    now += after;
                    prop_assert_eq!(attempt, attempts);
                    prop_assert!(attempts <= attempts_max);
                    prop_assert!(now.since(start) <= total.unwrap_or(Span::MAX));
                    let asked = match advice {
                        Advice::After(asked) => asked,
                        Advice::None => Span::ZERO,
                        Advice::Stop => return Err(TestCaseError::fail("not stopped")),
                    };
                    prop_assert!(after >= asked);
                    prop_assert!(ending != Ending::Status(404));
                }
                Decision::GiveUp(reason) => {
                    let permanent = ending == Ending::Status(404);
                    prop_assert_eq!(reason == Reason::NotRetryable, permanent);
                    prop_assert_eq!(
                        reason == Reason::PushedBack,
                        advice == Advice::Stop && !permanent
                    );
                    prop_assert_eq!(state, before);
                    return Ok(());
                }
            }
        }
    }

    #[test]
    fn every_library_keeps_its_attempts_and_stops_when_told(
        attempts_max in 2..6u32,
        story in prop::collection::vec((0..5u64, failures(), advice(), any::<u64>()), 8),
    ) {
        for retry in all(attempts_max) {
            let mut now = at(100);
            let mut state = retry.start(now);
            for (took, ending, advice, draw) in &story {
                now += Span::secs(*took);
                let (before, attempt) = (state, state.attempt());
                let expected = match (ending, advice) {
                    (Ending::Status(404), _) => Some(Reason::NotRetryable),
                    (_, Advice::Stop) => Some(Reason::PushedBack),
                    _ if attempt == attempts_max => {
                        Some(Reason::AttemptsExhausted { attempts_max })
                    }
                    _ => None,
                };
                match retry.decide(&mut state, now, Failed::new(*ending, *advice), *draw) {
                    Decision::Again { after, attempt: next } => {
                        prop_assert_eq!(expected, None, "{:?}", retry);
                        prop_assert_eq!((next, state.attempt()), (attempt + 1, attempt + 1));
                        now += after;
                    }
                    Decision::GiveUp(reason) => {
                        prop_assert_eq!(Some(reason), expected, "{:?}", retry);
                        prop_assert_eq!(state, before);
                        break;
                    }
                }
            }
        }
    }
}

#[test]
fn only_the_house_refuses_to_repeat_what_may_count_twice() {
    for retry in all(3) {
        let failed = Failed::new(Ending::TimedOut, Advice::None);
        let doubles = Failed { method: Method::Post, may_double: true, ..failed };
        for failed in [failed, doubles] {
            if !retry.repeats(failed.ending) {
                continue;
            }
            let decision = retry.decide(&mut retry.start(at(0)), at(0), failed, 0);
            let refused = Decision::GiveUp(Reason::NotIdempotent);
            assert_eq!(decision == refused, retry.is_guarded() && failed.may_double, "{retry:?}");
        }
    }
    assert_eq!(all(3).iter().filter(|retry| retry.is_guarded()).count(), 1);
}

#[test]
fn six_attempts_start_at_doubling_distances() {
    let retry = house(doubling(6));
    let (mut now, mut state, mut starts) = (at(0), retry.start(at(0)), vec![at(0)]);
    while let Decision::Again { after, .. } =
        retry.decide(&mut state, now, Failed::new(BUSY, Advice::None), 0)
    {
        now += after;
        starts.push(now);
    }
    assert_eq!(starts, [0, 1, 3, 7, 15, 31].map(at));
    assert_eq!(state.attempt(), 6);
}

#[test]
fn a_retry_may_start_at_exactly_the_total_time() {
    for (total_ms, expected) in [
        (4000, Decision::Again { after: Span::secs(1), attempt: 2 }),
        (3999, {
            let total_max = Span::millis(3999);
            Decision::GiveUp(Reason::TotalTimeExhausted { total_max })
        }),
    ] {
        let total = Some(Span::millis(total_ms));
        let retry = house(HouseConfig { total, ..doubling(6) });
        let mut state = retry.start(at(10));
        assert_eq!(retry.decide(&mut state, at(13), Failed::new(BUSY, Advice::None), 0), expected);
    }
}

#[test]
fn retry_after_lengthens_one_wait_and_not_the_next() {
    let config =
        |retry_after| HouseConfig { jitter: Jitter::Decorrelated, retry_after, ..doubling(6) };
    // The largest draw triples each wait: 3 s, 9 s, 27 s.
    for (retry_after, waits) in [
        (RetryAfter::AtLeast, [20_000_000_000, 9_000_000_000, 27_000_000_000]),
        (RetryAfter::Exactly, [20_000_000_000, 1, 27_000_000_000]),
        (RetryAfter::Ignore, [3_000_000_000, 9_000_000_000, 27_000_000_000]),
    ] {
        let retry = house(config(retry_after));
        let mut state = retry.start(at(0));
        let asked = [Advice::After(Span::secs(20)), Advice::After(Span::nanos(1)), Advice::None];
        let found = asked.map(|advice| {
            match retry.decide(&mut state, at(0), Failed::new(BUSY, advice), u64::MAX) {
                Decision::Again { after, .. } => after.as_nanos(),
                Decision::GiveUp(reason) => panic!("gave up: {reason}"),
            }
        });
        assert_eq!(found, waits, "{retry_after:?}");
    }
}

#[test]
fn each_library_reads_the_clock_where_it_does() {
    // Each attempt takes 4 s and each wait 2 s: attempts fail at 4, 10, 16, 22 s.
    let wait = Span::secs(2);
    let limit = Span::secs(17);
    let attempts = |config| {
        let retry = Retry::new(&config).expect("valid");
        let (mut now, mut state) = (at(7), retry.start(at(7)));
        loop {
            now += Span::secs(4);
            match retry.decide(&mut state, now, Failed::new(BUSY, Advice::None), 0) {
                Decision::Again { after, .. } => now += after,
                Decision::GiveUp(reason) => {
                    assert_eq!(reason, Reason::TotalTimeExhausted { total_max: limit });
                    return (state.attempt(), now.since(at(7)).as_millis() / 1000);
                }
            }
        }
    };
    // The house: the retry would start at 18 s.
    let house = HouseConfig { total: Some(limit), backoff: Growth::Constant(wait), ..doubling(99) };
    assert_eq!(attempts(RetryConfig::House(house)), (3, 16));
    let tenacity = |stop| {
        let wait = tenacity::Wait::Fixed { wait };
        RetryConfig::Tenacity(tenacity::Config { stop, wait, ..Default::default() })
    };
    // tenacity: after looks at 16 s and lets a retry start late; before looks at 18 s.
    assert_eq!(attempts(tenacity(tenacity::Stop::AfterDelay(limit))), (4, 22));
    assert_eq!(attempts(tenacity(tenacity::Stop::BeforeDelay(limit))), (3, 16));
    // Failsafe: the limit is not exceeded at 16 s, and the last wait is cut to 1 s.
    let failsafe = failsafe::Config {
        max_retries: -1,
        delay: wait,
        max_duration: Some(limit),
        ..Default::default()
    };
    assert_eq!(attempts(RetryConfig::Failsafe(failsafe)), (4, 21));
    // backoff: the third attempt has started at 12 s, with 5 s left; the fourth starts at 18 s, too
    // late for another.
    let backoff = backoff::Config {
        wait_gen: backoff::WaitGen::Constant { interval: wait },
        jitter: backoff::Jitter::None,
        max_time: Some(limit),
        ..Default::default()
    };
    assert_eq!(attempts(RetryConfig::Backoff(backoff)), (4, 22));
}

#[test]
fn retryable_endings_are_the_documented_ones() {
    let set = HouseConfig::default().on;
    assert_eq!(set.to_string(), "408, 429, 500, 502..=504, timeout, refused, reset");
}

#[test]
fn a_conflict_with_retry_after_is_retried_by_choice_only() {
    let after = Advice::After(Span::secs(2));
    for (on, expected) in [
        (EndingSet::RETRYABLE, Decision::GiveUp(Reason::NotRetryable)),
        (endings(&["409"]), Decision::Again { after: Span::secs(2), attempt: 2 }),
    ] {
        let retry = house(HouseConfig { on, ..doubling(3) });
        let mut state = retry.start(at(0));
        let conflict = Ending::Status(409);
        assert_eq!(retry.decide(&mut state, at(0), Failed::new(conflict, after), 0), expected);
    }
}

#[test]
fn each_library_retries_by_default_what_it_is_known_for() {
    let on = |config: RetryConfig| config.options().on().expect("a list").to_string();
    let any = "4xx, 5xx, timeout, refused, reset, rejected";
    assert_eq!(on(RetryConfig::Resilience4j(Default::default())), any);
    assert_eq!(on(RetryConfig::Failsafe(Default::default())), any);
    assert_eq!(on(RetryConfig::Cockatiel(Default::default())), any);
    assert_eq!(on(RetryConfig::Tenacity(Default::default())), any);
    assert_eq!(on(RetryConfig::Backoff(Default::default())), any);
    assert_eq!(on(RetryConfig::Polly(Default::default())), any);
    let transient = "408, 429, 5xx, timeout, refused, reset";
    assert_eq!(on(RetryConfig::Polly(polly::Config::http())), transient);
    assert_eq!(on(RetryConfig::RetryPolicies(Default::default())), transient);
    assert_eq!(on(RetryConfig::Grpc(Default::default())), "503, refused, reset");
    assert_eq!(on(RetryConfig::Envoy(Default::default())), "5xx, timeout, refused, reset");
    assert_eq!(on(RetryConfig::Finagle(Default::default())), "refused");
}

#[test]
fn nobody_retries_a_call_that_was_let_go_of() {
    let on = endings(&["503", "cancelled"]);
    let refused = Retry::new(&RetryConfig::House(HouseConfig { on, ..doubling(3) }));
    assert_eq!(refused.map_err(|error| error.field), Err("on"));
}

#[test]
fn one_draw_gives_independent_numbers() {
    let mut luck = Luck::new(u64::MAX);
    let first = luck.uniform();
    assert_eq!(first, 1.0 - f64::EPSILON / 2.0);
    assert!(luck.uniform() != luck.uniform());
    assert_eq!(Luck::new(0).uniform(), 0.0);
}

#[test]
fn a_configuration_reads_as_people_write_it() {
    let read = |text: &str| ron::from_str::<RetryConfig>(text).map_err(|e| e.to_string());
    let house = HouseConfig {
        attempts: 5,
        backoff: Growth::Linear {
            base: Span::secs(1),
            step: Span::millis(500),
            cap: Span::secs(60),
        },
        jitter: Jitter::Proportional(0.5),
        on: endings(&["5xx"]),
        ..HouseConfig::default()
    };
    let text = r#"House((attempts: 5, backoff: Linear(base: "1s", step: "500ms"),
                         jitter: Proportional(0.5), on: ["5xx"]))"#;
    assert_eq!(read(text), Ok(RetryConfig::House(house)));
    let text = r#"Tenacity((stop: Any([AfterAttempt(5), AfterDelay("10s")]),
                            wait: Exponential(multiplier: 0.5, max: Some("8s"))))"#;
    let tenacity = read(text).expect("a known shape");
    assert!(Retry::new(&tenacity).is_ok());
    let error = read(r#"Grpc((max_retries: 3))"#).expect_err("no such field");
    assert!(error.contains("max_retries"), "{error}");
}

#[test]
#[should_panic(expected = "a success is not retried")]
fn a_success_is_not_a_question() {
    let retry = house(doubling(3));
    let mut state = retry.start(at(0));
    let _ = retry.decide(&mut state, at(0), Failed::new(Ending::Status(200), Advice::None), 0);
}

#[test]
fn an_http_client_hears_headers_and_methods_and_no_refusal_of_a_policy() {
    let urllib3 = || RetryConfig::Urllib3(Default::default());
    let node = || RetryConfig::StripeNode(Default::default());
    let go = || RetryConfig::GoRetryablehttp(Default::default());
    let decide = |config: RetryConfig, method, ending, advice| {
        let retry = Retry::new(&config).expect("valid");
        let failed = Failed { method, ..Failed::new(ending, advice) };
        retry.decide(&mut retry.start(at(0)), at(0), failed, 0)
    };
    let again = |secs| Decision::Again { after: Span::millis(secs), attempt: 2 };
    let (post, get) = (Method::Post, Method::Get);
    // The header has whole seconds.
    let asked = Advice::After(Span::millis(1500));
    assert_eq!(decide(urllib3(), get, BUSY, asked), again(2000));
    let by_method = Decision::GiveUp(Reason::MethodNotRepeated(post));
    assert_eq!(decide(urllib3(), post, BUSY, asked), by_method);
    assert_eq!(decide(urllib3(), post, Ending::Refused, Advice::None), again(0));
    // Stripe's header says that it is of no use; another client does not read it.
    let broken = Ending::Status(500);
    let useless = Decision::GiveUp(Reason::NotRetryable);
    assert_eq!(decide(node(), post, broken, Advice::None), again(500));
    assert_eq!(decide(node(), post, broken, Advice::Stop), useless);
    assert_eq!(decide(go(), post, broken, Advice::Stop), again(1000));
    let full = Ending::Rejected(Reason::BreakerProbing);
    for config in [urllib3(), node(), go()] {
        assert_eq!(decide(config, get, full, Advice::None), useless);
    }
}

#[test]
fn no_attempts_at_all_are_refused() {
    let refused = Retry::new(&RetryConfig::House(doubling(0))).map_err(|e| e.to_string());
    assert_eq!(refused, Err("attempts = 0; it must be at least 1".to_owned()));
}
