//! Hedging: ask a second time before the first answer, and take whichever comes first.
//!
//! Answers: the long tail. One slow instance, one pause of a collector, one lost packet makes one
//! request in a hundred slow, and a page of a hundred requests slow each time. A second copy sent
//! once the first is slower than most seldom meets the same luck.
//!
//! Invites: load when there is least room for it. An overload makes all requests slow, so that all
//! of them are hedged, and doubled. It does the work twice where the callee is not idempotent. And
//! a percentile that is learned from winners alone, since the losers were cancelled, sinks.
//!
//! Reference: J. Dean, L. Barroso, "The Tail at Scale", CACM 2013; gRPC proposal A6; the libraries
//! in their files.
//!
//! ```text
//!        delay             delay
//! 1 |------------------------------------------------x  cancelled
//! 2 .   . . . |---- 503: SendNext
//! 3 .              |--------------------- 200: Wins
//!                  at once, for 2 has failed
//! ```
//!
//! One [`Hedge`] is shared by all calls of a caller to a callee. The call itself belongs to the
//! caller: it sends, waits, asks [`Hedge::next`] after each attempt and [`Hedge::judge`] after each
//! ending.
//!
//! Left out: server pushback, throttling of hedges (a budget's matter), and hedges that wait for a
//! thread.

pub mod failsafe_go;
pub mod grpc;
pub mod house;
mod latencies;
mod machine;
pub mod polly;
pub mod resilience4j;

use sim_core::Span;

use crate::Ending;
use crate::family::{Build, family};

pub use self::machine::{AllFailed, Judgement, Machine};

family! {
    /// Whose hedging.
    #[schemars(title = "hedge")]
    pub enum HedgeConfig;

    /// A caller's hedging towards one callee.
    ///
    /// ```
    /// use sim_core::Span;
    /// use sim_policies::Ending;
    /// use sim_policies::grpc_codes::GrpcCodes;
    /// use sim_policies::hedge::{Hedge, HedgeConfig, Judgement, grpc};
    ///
    /// let hedge = Hedge::new(&HedgeConfig::Grpc(grpc::Config {
    ///     max_attempts: 2,
    ///     hedging_delay: Span::millis(500),
    ///     non_fatal_status_codes: GrpcCodes::UNAVAILABLE,
    /// }))?;
    /// assert_eq!(hedge.next(1), Some(Span::millis(500)));
    /// assert_eq!(hedge.next(2), None);
    /// assert_eq!(hedge.judge(Ending::Status(503)), Judgement::SendNext);
    /// # Ok::<(), sim_policies::OutOfRange>(())
    /// ```
    pub enum Hedge, each a Machine;

    /// The house's own.
    House(house::Config),
    /// gRPC's hedging policy.
    Grpc(grpc::Config),
    /// Polly's hedging strategy.
    Polly(polly::Config),
    /// failsafe-go's hedge policy.
    FailsafeGo(failsafe_go::Config),
    /// Resilience4j's hedge.
    Resilience4j(resilience4j::Config),
}

impl Hedge {
    /// After `sent` attempts: how long after the latest one the next goes if no ending says
    /// otherwise. [`Span::MAX`] means that only a [`Judgement::SendNext`] sends it, `None` that
    /// there is none.
    pub fn next(&self, sent: u32) -> Option<Span> {
        match sent {
            0 => Some(Span::ZERO),
            _ if sent > self.max_hedges() => None,
            _ => Some(self.machine().delay()),
        }
    }

    /// See [`Machine::max_hedges`].
    pub fn max_hedges(&self) -> u32 {
        self.machine().max_hedges()
    }

    /// See [`Machine::judge`].
    pub fn judge(&self, ending: Ending) -> Judgement {
        self.machine().judge(ending)
    }

    /// See [`Machine::learns_from`].
    pub fn learns_from(&self, attempt: u32, ending: Ending) -> bool {
        self.machine().learns_from(attempt, ending)
    }

    /// See [`Machine::observe`].
    pub fn observe(&mut self, latency: Span) {
        self.machine_mut().observe(latency);
    }

    /// See [`Machine::is_guarded`].
    pub fn is_guarded(&self) -> bool {
        self.machine().is_guarded()
    }

    /// See [`Machine::all_failed`].
    pub fn all_failed(&self) -> AllFailed {
        self.machine().all_failed()
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::house::{Config, Delay, Percentile};
    use super::*;
    use crate::family::all_refused;
    use crate::grpc_codes::GrpcCodes;
    use crate::{EndingSet, Reason};

    fn hedge(config: HedgeConfig) -> Hedge {
        Hedge::new(&config).expect("valid")
    }

    fn configs() -> impl Strategy<Value = HedgeConfig> {
        let delay = prop_oneof![Just(Span::ZERO), (0..50u64).prop_map(Span::millis)];
        let statuses = vec(prop_oneof![Just(200), Just(500), Just(503), Just(504)], 0..3);
        (delay, 1..8u32, statuses, any::<bool>(), 0..5u8).prop_map(
            |(delay, n, statuses, flag, whose)| match whose {
                0 => HedgeConfig::House(Config {
                    delay: if flag { Delay::Fixed(delay) } else { Config::default().delay },
                    max_hedges: n,
                    non_fatal: statuses,
                }),
                1 => HedgeConfig::Grpc(grpc::Config {
                    max_attempts: n + 1,
                    hedging_delay: delay,
                    non_fatal_status_codes: statuses
                        .iter()
                        .fold(EndingSet::NONE, |set, status| set.with_statuses(*status, *status))
                        .into(),
                }),
                2 => HedgeConfig::Polly(polly::Config {
                    delay: flag.then_some(delay),
                    max_hedged_attempts: n,
                    should_handle: flag.then_some(statuses),
                }),
                3 => HedgeConfig::FailsafeGo(failsafe_go::Config {
                    delay,
                    max_hedges: n,
                    cancel_on: statuses,
                }),
                _ => HedgeConfig::Resilience4j(resilience4j::Config {
                    cutoff: Some(delay),
                    ..resilience4j::Config::default()
                }),
            },
        )
    }

    fn endings() -> impl Strategy<Value = Ending> {
        prop_oneof![
            2 => Just(Ending::Status(200)),
            1 => Just(Ending::Status(400)),
            3 => Just(Ending::Status(500)),
            3 => Just(Ending::Status(503)),
            1 => Just(Ending::TimedOut),
            1 => Just(Ending::Refused),
            1 => Just(Ending::Rejected(Reason::BreakerProbing)),
        ]
    }

    /// Plays one call whose `n`th attempt ends after `answers[n]`. Returns when each attempt was
    /// sent, how the call ended, and when.
    fn call(hedge: &Hedge, answers: &[(u64, Ending)]) -> (Vec<u64>, Ending, u64) {
        let mut sent = vec![0];
        let mut open = vec![0usize];
        let mut first = None;
        let mut due = hedge.next(1).map(|delay| delay.as_millis());
        loop {
            let ends = |n: &usize| sent[*n] + answers[*n].0;
            let next_end = open.iter().copied().min_by_key(|n| (ends(n), *n));
            match (next_end, due) {
                (Some(n), due) if due.is_none_or(|due| ends(&n) <= due) => {
                    let (now, ending) = (ends(&n), answers[n].1);
                    open.retain(|other| *other != n);
                    if n == 0 {
                        first = Some(ending);
                    }
                    match hedge.judge(ending) {
                        Judgement::Wins | Judgement::Fatal => return (sent, ending, now),
                        Judgement::SendNext if hedge.next(sent.len() as u32).is_some() => {
                            open.push(sent.len());
                            sent.push(now);
                        }
                        Judgement::SendNext | Judgement::Wait => {}
                    }
                    let left = hedge.next(sent.len() as u32).is_some();
                    if open.is_empty() && (!left || due == Some(u64::MAX)) {
                        let all = match hedge.all_failed() {
                            AllFailed::First => first.expect("it has ended"),
                            AllFailed::Last => ending,
                        };
                        return (sent, all, now);
                    }
                }
                (_, Some(at)) => {
                    open.push(sent.len());
                    sent.push(at);
                }
                (None, None) => unreachable!("the call ended above"),
                (Some(_), None) => unreachable!("covered by the first arm"),
            }
            let latest = *sent.last().expect("one was sent");
            due = hedge.next(sent.len() as u32).map(|delay| {
                if delay == Span::MAX { u64::MAX } else { latest + delay.as_millis() }
            });
        }
    }

    proptest! {
        #[test]
        fn a_call_sends_no_more_than_its_hedges_and_ends(
            config in configs(), answers in vec((1..200u64, endings()), 9),
        ) {
            let hedge = hedge(config);
            let (sent, ending, at) = call(&hedge, &answers);
            prop_assert!(sent.len() as u32 <= hedge.max_hedges() + 1);
            prop_assert!(sent.is_sorted() && *sent.last().expect("one") <= at);
            prop_assert!(answers[..sent.len()].iter().any(|(_, found)| *found == ending));
            prop_assert_eq!(hedge.next(hedge.max_hedges() + 1), None);
            prop_assert_eq!(hedge.next(u32::MAX), None);
        }

        #[test]
        fn a_success_is_never_a_failure(config in configs(), ending in endings()) {
            let judgement = hedge(config).judge(ending);
            let wrong = if ending.is_success() { Judgement::Fatal } else { Judgement::Wins };
            prop_assert_ne!(judgement, wrong);
        }
    }

    const SLOW: (u64, Ending) = (10_000, Ending::Status(200));
    const FAST: (u64, Ending) = (10, Ending::Status(200));
    const BUSY: (u64, Ending) = (10, Ending::Status(503));
    const BROKEN: (u64, Ending) = (10, Ending::Status(500));

    #[test]
    fn grpc_sends_at_its_delay_and_at_once_after_a_non_fatal_status() {
        let grpc = hedge(HedgeConfig::Grpc(grpc::Config {
            max_attempts: 4,
            hedging_delay: Span::millis(500),
            non_fatal_status_codes: GrpcCodes::UNAVAILABLE,
        }));
        let (sent, ending, at) = call(&grpc, &[SLOW, SLOW, SLOW, SLOW]);
        assert_eq!((sent, ending, at), (vec![0, 500, 1000, 1500], SLOW.1, 10_000));
        let (sent, _, at) = call(&grpc, &[SLOW, BUSY, SLOW, FAST]);
        assert_eq!((sent, at), (vec![0, 500, 510, 1010], 1020), "the delay resumes from there");
        let (sent, ending, at) = call(&grpc, &[SLOW, BROKEN, SLOW, SLOW]);
        assert_eq!((sent, ending, at), (vec![0, 500], BROKEN.1, 510), "a fatal status ends all");
    }

    #[test]
    fn grpc_takes_more_than_five_attempts_for_five() {
        let config = grpc::Config { max_attempts: 9, ..grpc::Config::default() };
        let (sent, ..) = call(&hedge(HedgeConfig::Grpc(config)), &[SLOW; 9]);
        assert_eq!(sent, [0; 5], "at once, for the default delay is zero");
    }

    #[test]
    fn polly_answers_with_the_first_attempt_when_all_fail() {
        let polly = hedge(HedgeConfig::Polly(polly::Config::default()));
        let late = (5000, Ending::Status(500));
        let (sent, ending, at) = call(&polly, &[late, BUSY]);
        assert_eq!((sent, ending, at), (vec![0, 2000], Ending::Status(500), 5000));
        let (sent, ending, at) = call(&polly, &[BROKEN, BUSY]);
        assert_eq!((sent, ending, at), (vec![0, 10], Ending::Status(500), 20));
    }

    #[test]
    fn polly_without_a_delay_hedges_only_after_a_failure() {
        let config = polly::Config { delay: None, ..polly::Config::default() };
        let polly = hedge(HedgeConfig::Polly(config));
        assert_eq!(call(&polly, &[SLOW, FAST]).0, [0]);
        assert_eq!(call(&polly, &[BUSY, FAST]).0, [0, 10]);
    }

    #[test]
    fn failsafe_go_takes_the_first_result_be_it_a_failure() {
        let config = failsafe_go::Config { delay: Span::millis(5), ..Default::default() };
        let (sent, ending, at) =
            call(&hedge(HedgeConfig::FailsafeGo(config.clone())), &[BUSY, SLOW]);
        assert_eq!((sent, ending, at), (vec![0, 5], BUSY.1, 10));
        // Told to wait for a 200, it neither hurries nor ends before all have answered.
        let config =
            failsafe_go::Config { delay: Span::millis(50), cancel_on: vec![200], ..config };
        let (sent, ending, at) = call(&hedge(HedgeConfig::FailsafeGo(config)), &[BUSY, BROKEN]);
        assert_eq!((sent, ending, at), (vec![0, 50], BROKEN.1, 60));
    }

    #[test]
    fn resilience4j_takes_the_first_result() {
        let config = resilience4j::Config {
            cutoff: Some(Span::millis(20)),
            ..resilience4j::Config::default()
        };
        let hedge = hedge(HedgeConfig::Resilience4j(config));
        assert_eq!(call(&hedge, &[SLOW, BUSY]), (vec![0, 20], BUSY.1, 30));
    }

    #[test]
    fn the_house_learns_how_long_most_requests_take() {
        let mut house = hedge(HedgeConfig::House(Config::default()));
        assert_eq!(house.next(1), Some(Span::secs(1)), "the fallback");
        for n in 1..=100 {
            assert!(house.learns_from(2, Ending::Status(200)));
            house.observe(Span::millis(n));
        }
        let learned = house.next(1).expect("one hedge");
        let (low, high) = (Span::millis(95), Span::millis(98));
        assert!(low <= learned && learned <= high, "{learned}");
        assert!(!house.learns_from(1, Ending::Status(500)));
    }

    #[test]
    fn impossible_parameters_are_refused_by_name() {
        let percentile = |percentile, window| {
            let wanted = Percentile { percentile, window, ..Percentile::default() };
            HedgeConfig::House(Config { delay: Delay::Percentile(wanted), ..Config::default() })
        };
        let polly = |max_hedged_attempts| {
            HedgeConfig::Polly(polly::Config { max_hedged_attempts, ..Default::default() })
        };
        all_refused([
            ("max_hedges", HedgeConfig::House(Config { max_hedges: 0, ..Config::default() })),
            ("percentile", percentile(100.1, 10)),
            ("percentile", percentile(f64::NAN, 10)),
            ("window", percentile(95.0, 0)),
            (
                "max_attempts",
                HedgeConfig::Grpc(grpc::Config { max_attempts: 1, ..Default::default() }),
            ),
            ("max_hedged_attempts", polly(0)),
            ("max_hedged_attempts", polly(11)),
            ("cutoff", HedgeConfig::Resilience4j(resilience4j::Config::default())),
        ]);
    }
}
