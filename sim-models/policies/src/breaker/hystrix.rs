//! The breaker of Hystrix 1.5.18, and of 1.5.13, which is another machine under the same name.
//!
//! Answers: a dependency that is down, judged by the share of failed calls in the last ten
//! seconds.
//!
//! Invites: it sees only *completed* half-second buckets, so everything that fails within one
//! passes. A single lucky success closes it, even that of a call from before the trouble. A test
//! that never returns is followed by another one every sleep window, without end.
//!
//! ```text
//! 1.5.18   no half-open state: open, with one test per sleep window
//!
//!   +--------+  a call asks, last snapshot is ill   +--------------+
//!   | closed | -----------------------------------> | open since t | --.  a call asks
//!   |        | <----------------------------------- |              | <-'  after t + sleep:
//!   +--------+           any call succeeds          +--------------+      test, t = now
//!
//! 1.5.13   opens by itself, at the tick that makes the snapshot ill
//!
//!   +--------+   tick, snapshot ill    +--------------+  a call asks after   +-----------+
//!   | closed | ----------------------> | open since t | ------------------> | half-open |
//!   +--------+                         +--------------+      t + sleep       +-----------+
//!       ^                                      ^  any call fails, is ignored,   |     |
//!       |                                      '-- is cancelled or is refused --'     |
//!       '----------------------- any call succeeds -----------------------------------'
//!
//! a snapshot is ill when  total >= request_volume_threshold
//!                    and  (int)(errors / total * 100) >= error_threshold_percentage
//! ```
//!
//! The snapshot is renewed at ticks, one every `health_snapshot_interval`, phased from the
//! breaker's creation and anew from each closing. The first tick comes at that very moment, after
//! all that happens in it: so the success that closes the breaker is the first snapshot.
//!
//! Reference: `HystrixCircuitBreaker`, `HealthCountsStream`, `BucketedRollingCounterStream` and
//! `AbstractCommand` of Netflix/Hystrix at the tags v1.5.18 and v1.5.13, on RxJava 1.3.8.
//!
//! Left out: thread pools and semaphores (bulkheads of their own), and the execution timeout, which
//! the caller wraps around the call. Fallbacks, request caching, and the other metric streams,
//! which decide nothing. Properties do not change while it runs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::{Span, Time};

use super::machine::{
    Admission, Because, Change, Machine, Permit, Preset, StateName, Transition, TransitionReason,
    Verdict,
};
use crate::family::Build;
use crate::out_of_range::above_zero;
use crate::weighed::{Counted, Minimum, Threshold, Weighed};
use crate::{OutOfRange, Reason};

/// More buckets than anyone configures (the default is 20), few enough to allocate.
const BUCKETS_MAX: u64 = 100_000;

/// Which Hystrix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
#[schemars(rename = "HystrixVersion")]
pub enum Version {
    /// The last release, and the machine of all releases but two.
    #[default]
    V1_5_18,
    /// The machine of 1.5.12 and 1.5.13, which was taken back in 1.5.14.
    V1_5_13,
}

/// Its options: the last part of each property of `hystrix.command.<key>`, with its default.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "HystrixBreaker")]
pub struct Config {
    /// Whose machine it is.
    pub version: Version,
    /// `circuitBreaker.enabled`: without it nothing ever opens.
    pub enabled: bool,
    /// `circuitBreaker.requestVolumeThreshold`: calls in a snapshot below which it is never ill.
    pub request_volume_threshold: u32,
    /// `circuitBreaker.errorThresholdPercentage`: the share of failed calls from which a snapshot
    /// is ill, in percent.
    #[schemars(range(min = 0, max = 100))]
    pub error_threshold_percentage: u32,
    /// `circuitBreaker.sleepWindowInMilliseconds`: how long it refuses before it lets a test
    /// through, in whole milliseconds.
    pub sleep_window: Span,
    /// `metrics.rollingStats.timeInMilliseconds`: the length of the window.
    pub rolling_stats_time: Span,
    /// `metrics.healthSnapshot.intervalInMilliseconds`: the length of a bucket, and the time from
    /// one snapshot to the next.
    ///
    /// At most the window, which it should divide.
    #[schemars(extend("x-minimum" = "1ms"))]
    pub health_snapshot_interval: Span,
    /// `circuitBreaker.forceOpen`: refuses everything.
    pub force_open: bool,
    /// `circuitBreaker.forceClosed`: admits everything, whatever the state; `force_open` wins.
    pub force_closed: bool,
    /// `execution.isolation.thread.timeoutInMilliseconds`: the timeout that belongs around the
    /// call. The breaker only keeps it for the caller.
    pub timeout: Span,
    /// Whether what is inside ends when `execution.isolation.thread.interruptOnTimeout` interrupts
    /// its thread. A blocking client does not look: it goes on, retries, and keeps its thread.
    pub interruptible: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            version: Version::V1_5_18,
            enabled: true,
            request_volume_threshold: 20,
            error_threshold_percentage: 50,
            sleep_window: Span::secs(5),
            rolling_stats_time: Span::secs(10),
            health_snapshot_interval: Span::millis(500),
            force_open: false,
            force_closed: false,
            timeout: Span::secs(1),
            interruptible: false,
        }
    }
}

/// What a snapshot counts: calls that succeeded or failed. Refused, ignored and cancelled calls
/// are in neither number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HealthCounts {
    /// Calls.
    pub total: u64,
    /// Those that failed.
    pub errors: u64,
}

impl HealthCounts {
    /// The share of failed calls in percent, as Java computes and truncates it: 29 of 50 is 57.
    pub fn error_percentage(self) -> u32 {
        if self.total == 0 {
            return 0;
        }
        (self.errors as f64 / self.total as f64 * 100.0) as u32
    }

    fn add(&mut self, other: HealthCounts) {
        self.total += other.total;
        self.errors += other.errors;
    }

    fn subtract(&mut self, other: HealthCounts) {
        self.total -= other.total;
        self.errors -= other.errors;
    }
}

/// When a snapshot is ill, in integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Illness {
    volume: u64,
    percentage: u64,
    /// The least margin of an ill snapshot. It is 1 where a share of exactly the threshold falls
    /// below it in Java's arithmetic, as 58 % does.
    margin: i64,
}

impl Illness {
    fn new(config: &Config) -> Illness {
        let percentage = config.error_threshold_percentage;
        // Equal shares have equal quotients, so the rounding depends on the threshold alone.
        let share = HealthCounts { total: 100, errors: u64::from(percentage) };
        let reached = share.error_percentage() >= percentage;
        // Without any call the percentage is 0.
        let volume = config.request_volume_threshold.max(u32::from(percentage > 0));
        Illness {
            volume: u64::from(volume),
            percentage: u64::from(percentage),
            margin: i64::from(!reached),
        }
    }

    /// How far the errors are above the threshold. Margins of disjoint counts add up.
    fn margin(self, counts: HealthCounts) -> i64 {
        (counts.errors * 100) as i64 - (counts.total * self.percentage) as i64
    }

    fn is_ill(self, counts: HealthCounts) -> bool {
        counts.total >= self.volume && self.margin(counts) >= self.margin
    }
}

/// The rolling window of completed buckets.
#[derive(Clone, Debug, PartialEq)]
struct Health {
    interval: Span,
    /// When this stream of ticks began. Tick number k is due at `start + k * interval`.
    start: Time,
    /// Ticks since the start.
    ticks: u64,
    /// The bucket that the next tick completes.
    filling: HealthCounts,
    /// The completed buckets, a ring.
    completed: Vec<HealthCounts>,
    /// The oldest of them.
    oldest: usize,
    /// Their sum.
    snapshot: HealthCounts,
}

impl Health {
    fn new(interval: Span, buckets: usize) -> Health {
        Health {
            interval,
            start: Time::ZERO,
            ticks: 0,
            filling: HealthCounts::default(),
            completed: vec![HealthCounts::default(); buckets],
            oldest: 0,
            snapshot: HealthCounts::default(),
        }
    }

    /// Begins an empty stream at `now`.
    fn reset(&mut self, now: Time) {
        (self.start, self.ticks, self.oldest) = (now, 0, 0);
        self.forget();
    }

    fn forget(&mut self) {
        self.filling = HealthCounts::default();
        self.snapshot = HealthCounts::default();
        self.completed.fill(HealthCounts::default());
    }

    /// When the tick of this number is due.
    fn tick_at(&self, tick: u64) -> Time {
        self.start + self.interval * tick
    }

    /// The ticks that are due and have not been made.
    ///
    /// A tick comes before everything else at its instant, but for the first one, which comes
    /// after everything at the instant of the start.
    fn behind(&self, now: Time) -> u64 {
        if now == self.start || now < self.tick_at(self.ticks) {
            return 0;
        }
        now.since(self.start).as_nanos() / self.interval.as_nanos() + 1 - self.ticks
    }

    /// Makes up for the ticks that are due, in at most one pass over the ring however many they
    /// are. Says whether there were any.
    fn catch_up(&mut self, now: Time) -> bool {
        let behind = self.behind(now);
        if behind > self.completed.len() as u64 {
            self.forget();
            self.ticks += behind;
        } else {
            (0..behind).for_each(|_| self.tick());
        }
        behind > 0
    }

    /// The snapshot as it would be after catching up.
    fn snapshot_at(&self, now: Time) -> HealthCounts {
        let behind = self.behind(now);
        if behind > self.completed.len() as u64 {
            return HealthCounts::default();
        }
        let mut counts = self.snapshot;
        if behind > 0 {
            counts.add(self.filling);
        }
        let (newer, older) = self.completed.split_at(self.oldest);
        for bucket in older.iter().chain(newer).take(behind as usize) {
            counts.subtract(*bucket);
        }
        counts
    }

    fn tick(&mut self) {
        self.ticks += 1;
        let newest = std::mem::take(&mut self.filling);
        self.snapshot.add(newest);
        self.snapshot.subtract(std::mem::replace(&mut self.completed[self.oldest], newest));
        self.oldest = (self.oldest + 1) % self.completed.len();
    }

    fn count(&mut self, failed: bool) {
        self.filling.add(HealthCounts { total: 1, errors: u64::from(failed) });
    }
}

/// What would be left of today's snapshot some ticks from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rest {
    ticks: u64,
    total: u64,
    margin: i64,
}

/// Foresees the tick at which 1.5.13 opens, if nothing more happens.
///
/// A window can fall ill on its own, when old successes leave it. As buckets leave, the total only
/// falls. So a rest whose margin is not above all margins before it never comes first. Of the
/// others, which rise, the first that suffices is found by bisection.
#[derive(Clone, Debug, Default, PartialEq)]
struct Forecast {
    rests: Vec<Rest>,
}

impl Forecast {
    /// Looks at the completed buckets anew, after a tick.
    fn renew(&mut self, health: &Health, illness: Illness) {
        self.rests.clear();
        let mut rest = health.snapshot;
        let (newer, older) = health.completed.split_at(health.oldest);
        for (ticks, bucket) in (1..).zip(older.iter().chain(newer)) {
            rest.subtract(*bucket);
            let margin = illness.margin(rest);
            if self.rests.last().is_none_or(|last| last.margin < margin) {
                self.rests.push(Rest { ticks, total: rest.total, margin });
            }
        }
    }

    /// The tick, counted from now, that makes the snapshot ill, given the filling bucket.
    fn ill_in(&self, filling: HealthCounts, illness: Illness) -> Option<u64> {
        let lacking = illness.margin - illness.margin(filling);
        let first = self.rests.partition_point(|rest| rest.margin < lacking);
        let rest = self.rests.get(first)?;
        (rest.total + filling.total >= illness.volume).then_some(rest.ticks)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Open {
        /// From this instant on one call is let through as a test.
        until: Time,
    },
    /// Only in 1.5.13: the test is under way.
    HalfOpen,
}

/// The state machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Hystrix {
    config: Config,
    illness: Illness,
    state: State,
    health: Health,
    /// Kept only by 1.5.13.
    forecast: Forecast,
    /// Counts the transitions, so that a late result is not taken for a test.
    period: u64,
}

impl Hystrix {
    /// The last health snapshot at `now`: `HystrixCommandMetrics.getHealthCounts()`.
    pub fn snapshot(&self, now: Time) -> HealthCounts {
        self.health.snapshot_at(now)
    }

    fn opens_by_itself(&self) -> bool {
        self.config.enabled && self.config.version == Version::V1_5_13
    }

    fn catch_up(&mut self, now: Time) {
        if self.health.catch_up(now) && self.opens_by_itself() {
            self.forecast.renew(&self.health, self.illness);
        }
    }

    /// Acts at the ticks that nobody woke it for, and catches up.
    fn come_to(&mut self, now: Time, changes: &mut Vec<Change>) {
        if let Some(at) = self.wakes_at()
            && (at < now || (at == now && now != self.health.start))
        {
            self.wake(at, changes);
        }
        self.catch_up(now);
    }

    /// The first instant that is *more* than the sleep window after `since`, on a clock of whole
    /// milliseconds.
    fn after_sleep(&self, since: Time) -> Time {
        let since = since.as_nanos() / 1_000_000;
        Time::ZERO + Span::millis(since.saturating_add(1)) + self.config.sleep_window
    }

    fn enter(&mut self, state: State, why: impl Into<Because>, changes: &mut Vec<Change>) {
        let from = self.state.name();
        self.state = state;
        self.period += 1;
        changes.push(Change::Transition(Transition::new(from, state.name(), why)));
    }

    /// Why it opens: what the snapshot counts.
    fn because(&self) -> Because {
        let HealthCounts { total, errors } = self.health.snapshot;
        TransitionReason::FailureRate.on(Weighed {
            counted: Counted::Of(errors, total),
            threshold: Threshold::Percent(self.config.error_threshold_percentage.into()),
            minimum: Minimum::plain(self.config.request_volume_threshold),
        })
    }

    fn open(&mut self, now: Time, why: impl Into<Because>, changes: &mut Vec<Change>) {
        let until = self.after_sleep(now);
        self.enter(State::Open { until }, why, changes);
    }

    /// Closes, with an empty window whose ticks are counted from `now`.
    fn close(&mut self, now: Time, late: bool, changes: &mut Vec<Change>) {
        use TransitionReason::{LateSuccess, TestsSucceeded};
        self.enter(State::Closed, if late { LateSuccess } else { TestsSucceeded }, changes);
        self.health.reset(now);
        if self.opens_by_itself() {
            self.forecast.renew(&self.health, self.illness);
        }
    }

    /// What the state says to a call; forced states are judged by the caller.
    fn ask(&mut self, now: Time, changes: &mut Vec<Change>) -> Result<(), Reason> {
        match (self.state, self.config.version) {
            (State::Closed, _) => Ok(()),
            (State::Open { until }, _) if now < until => {
                Err(Reason::BreakerOpen { until: Some(until) })
            }
            (State::Open { .. }, Version::V1_5_18) => {
                self.state = State::Open { until: self.after_sleep(now) };
                Ok(())
            }
            (State::Open { .. }, Version::V1_5_13) => {
                self.enter(State::HalfOpen, TransitionReason::OpenTimeOver, changes);
                Ok(())
            }
            (State::HalfOpen, _) => {
                // A refused call is cleaned up like a failed one, and so takes the test for failed.
                self.open(now, TransitionReason::TestFailed, changes);
                Err(Reason::BreakerProbing)
            }
        }
    }
}

impl Build for Config {
    type Machine = Hystrix;

    /// # Errors
    /// When an interval is zero or longer than the window, which Hystrix cannot work with either.
    /// When `error_threshold_percentage` is above 100, or a length is not in whole milliseconds, as
    /// all lengths of Hystrix are.
    fn build(&self) -> Result<Hystrix, OutOfRange> {
        let config = self.clone();
        let Config { rolling_stats_time, health_snapshot_interval, .. } = config;
        above_zero("health_snapshot_interval", health_snapshot_interval)?;
        for (field, span) in [
            ("sleep_window", config.sleep_window),
            ("rolling_stats_time", rolling_stats_time),
            ("health_snapshot_interval", health_snapshot_interval),
        ] {
            if span != Span::millis(span.as_millis()) {
                return Err(OutOfRange::new(field, span, "in whole milliseconds"));
            }
        }
        let buckets = rolling_stats_time.as_nanos() / health_snapshot_interval.as_nanos();
        if !(1..=BUCKETS_MAX).contains(&buckets) {
            let allowed = format!("1 to {BUCKETS_MAX} times health_snapshot_interval");
            return Err(OutOfRange::new("rolling_stats_time", rolling_stats_time, allowed));
        }
        let percentage = config.error_threshold_percentage;
        if percentage > 100 {
            return Err(OutOfRange::new("error_threshold_percentage", percentage, "in 0..=100"));
        }
        let buckets = buckets as usize;
        let mut breaker = Hystrix {
            illness: Illness::new(&config),
            state: State::Closed,
            health: Health::new(health_snapshot_interval, buckets),
            forecast: Forecast::default(),
            period: 0,
            config,
        };
        if breaker.opens_by_itself() {
            breaker.forecast.rests.reserve_exact(buckets);
            breaker.forecast.renew(&breaker.health, breaker.illness);
        }
        Ok(breaker)
    }
}

impl Preset for Config {
    fn timeout(&self) -> Span {
        self.timeout
    }

    fn timeout_cancels(&self) -> bool {
        self.interruptible
    }

    /// A command that is unsubscribed from is `CANCELLED`, which `HealthCounts` does not hold.
    fn cancelled(&self) -> Verdict {
        Verdict::Cancelled
    }

    /// What is wrapped in a `HystrixBadRequestException`.
    fn unrecorded(&self) -> Verdict {
        Verdict::Ignored
    }
}

impl Machine for Hystrix {
    fn admit(&mut self, now: Time, changes: &mut Vec<Change>) -> Admission {
        self.come_to(now, changes);
        if self.config.enabled && self.config.force_open {
            return Admission::Refused(Reason::BreakerOpen { until: None });
        }
        if self.config.enabled {
            let trips_when_asked = self.config.version == Version::V1_5_18;
            if trips_when_asked
                && self.state == State::Closed
                && self.illness.is_ill(self.health.snapshot)
            {
                self.open(now, self.because(), changes);
            }
            if !self.config.force_closed
                && let Err(reason) = self.ask(now, changes)
            {
                return Admission::Refused(reason);
            }
        }
        Admission::Admitted(Permit::new(now, self.period))
    }

    fn settle(&mut self, permit: Permit, now: Time, verdict: Verdict, changes: &mut Vec<Change>) {
        self.come_to(now, changes);
        let late = permit.tag != self.period;
        match (self.state, verdict) {
            (State::Closed, _) => {}
            (State::Open { .. }, Verdict::Success) if self.config.version == Version::V1_5_18 => {
                self.close(now, late, changes);
            }
            (State::Open { .. }, _) => {}
            (State::HalfOpen, Verdict::Success) => self.close(now, late, changes),
            (State::HalfOpen, Verdict::Failure | Verdict::Ignored | Verdict::Cancelled) => {
                use TransitionReason::{LateFailure, TestFailed};
                self.open(now, if late { LateFailure } else { TestFailed }, changes);
            }
        }
        // Counted after the closing: the success that closes is in the new window.
        match verdict {
            Verdict::Success => self.health.count(false),
            Verdict::Failure => self.health.count(true),
            Verdict::Ignored | Verdict::Cancelled => {}
        }
    }

    /// Forced open where it is configured so, whatever is stored below.
    fn state(&self) -> StateName {
        if self.config.enabled && self.config.force_open {
            return StateName::ForcedOpen;
        }
        self.state.name()
    }

    /// The tick at which 1.5.13 opens, if nothing happens before; other ticks change nothing that
    /// cannot be made up for later.
    fn wakes_at(&self) -> Option<Time> {
        if self.state != State::Closed || !self.opens_by_itself() {
            return None;
        }
        let ticks = self.forecast.ill_in(self.health.filling, self.illness)?;
        Some(self.health.tick_at(self.health.ticks + ticks - 1)).filter(|at| *at < Time::MAX)
    }

    fn wake(&mut self, now: Time, changes: &mut Vec<Change>) {
        let due = self.wakes_at() == Some(now);
        self.catch_up(now);
        if due {
            if self.health.ticks == 0 {
                self.health.tick();
                self.forecast.renew(&self.health, self.illness);
            }
            self.open(now, self.because(), changes);
        }
    }
}

impl State {
    const fn name(self) -> StateName {
        match self {
            State::Closed => StateName::Closed,
            State::Open { .. } => StateName::Open,
            State::HalfOpen => StateName::HalfOpen,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::family::all_refused;
    use crate::laws::breaker::testing::{ask, calls, ms};
    use crate::laws::breaker::{Input, Promises, Step, What, play};

    /// The definition: a snapshot is ill when both thresholds are reached, in Java's arithmetic.
    fn ill(config: &Config, counts: HealthCounts) -> bool {
        counts.total >= u64::from(config.request_volume_threshold)
            && counts.error_percentage() >= config.error_threshold_percentage
    }

    /// All results since the window began, to count from scratch what is kept in sums.
    #[derive(Clone, Debug)]
    struct History {
        since: Time,
        results: Vec<(Time, bool)>,
        interval: Span,
        buckets: u64,
    }

    impl History {
        fn new(config: &Config) -> History {
            let interval = config.health_snapshot_interval;
            let buckets = config.rolling_stats_time.as_nanos() / interval.as_nanos();
            History { since: Time::ZERO, results: Vec::new(), interval, buckets }
        }

        fn ticks(&self, now: Time) -> u64 {
            let passed = now.since(self.since).as_nanos();
            if passed == 0 { 0 } else { passed / self.interval.as_nanos() + 1 }
        }

        /// What the last `buckets` ticks have completed.
        fn snapshot_after(&self, ticks: u64) -> HealthCounts {
            let mut counts = HealthCounts::default();
            for (at, failed) in &self.results {
                let tick = self.ticks(*at);
                if tick < ticks && tick + self.buckets >= ticks {
                    counts.add(HealthCounts { total: 1, errors: u64::from(*failed) });
                }
            }
            counts
        }

        fn first_ill_tick(&self, config: &Config, now: Time) -> Option<Time> {
            (self.ticks(now)..=self.ticks(now) + self.buckets)
                .find(|tick| ill(config, self.snapshot_after(tick + 1)))
                .map(|tick| self.since + self.interval * tick)
        }
    }

    /// Each step with the history after it.
    fn lived(config: &Config, inputs: &[(Span, Input)]) -> Vec<(Step<Hystrix>, History)> {
        let mut history = History::new(config);
        let steps = play(config.build().expect("valid"), inputs);
        let with_history = |step: Step<Hystrix>| {
            if step.enters(StateName::Closed) {
                history = History { since: step.at, ..History::new(config) };
            }
            match step.ended().map(|ended| ended.verdict) {
                Some(Verdict::Success) => history.results.push((step.at, false)),
                Some(Verdict::Failure) => history.results.push((step.at, true)),
                _ => {}
            }
            (step, history.clone())
        };
        steps.into_iter().map(with_history).collect()
    }

    /// One that nobody wakes.
    #[derive(Clone, Debug, PartialEq)]
    struct Unwoken(Hystrix);

    impl Machine for Unwoken {
        fn admit(&mut self, now: Time, changes: &mut Vec<Change>) -> Admission {
            self.0.admit(now, changes)
        }

        fn settle(&mut self, call: Permit, now: Time, verdict: Verdict, changes: &mut Vec<Change>) {
            self.0.settle(call, now, verdict, changes);
        }

        fn state(&self) -> StateName {
            self.0.state()
        }
    }

    fn stories() -> impl Strategy<Value = (Config, Vec<(Span, Input)>)> {
        let version = prop_oneof![Just(Version::V1_5_18), Just(Version::V1_5_13)];
        let percentage = prop_oneof![4 => 1..=100u32, 1 => Just(0), 1 => Just(50), 1 => Just(58)];
        let config = (version, 0..6u32, percentage, 1..8u64, 0..3u64).prop_map(
            |(version, volume, percentage, buckets, sleep)| Config {
                version,
                request_volume_threshold: volume,
                error_threshold_percentage: percentage,
                sleep_window: Span::millis(sleep * 20),
                rolling_stats_time: Span::millis(buckets * 10 + 3),
                health_snapshot_interval: Span::millis(10),
                ..Config::default()
            },
        );
        // In microseconds: often none, often onto a tick, and sometimes past the whole window.
        let gap = prop_oneof![
            5 => Just(0),
            4 => 0..9_000u64,
            2 => Just(10_000),
            1 => Just(20_000),
            1 => Just(500),
            1 => 10_000..150_000u64,
        ];
        (config, calls(gap.prop_map(Span::micros)))
    }

    proptest! {
        /// Open lasts more than the sleep window, on a clock of whole milliseconds. 1.5.13 has one
        /// test; 1.5.18 has no half-open state, but begins another sleep with each test.
        #[test]
        fn it_keeps_the_laws((config, inputs) in stories()) {
            let sleep_window = config.sleep_window;
            let after_sleep = move |at: Time| {
                Time::ZERO + Span::millis(at.as_nanos() / 1_000_000 + 1) + sleep_window
            };
            let promises = Promises {
                open_until: Some(Box::new(after_sleep)),
                tests: Some(1),
                ..Promises::default()
            };
            let steps = play(config.build().expect("valid"), &inputs);
            promises.hold(&steps);
            let has_half_open = config.version == Version::V1_5_13;
            for step in &steps {
                prop_assert!(has_half_open || step.after.state != State::HalfOpen);
                match (step.before.state, step.what) {
                    (State::Open { .. }, What::Admitted(_)) if !has_half_open => {
                        let until = after_sleep(step.at);
                        prop_assert_eq!(step.after.state, State::Open { until });
                    }
                    // Whoever asks during the test is refused and ends it.
                    (State::HalfOpen, What::Refused(_)) => {
                        prop_assert_eq!(step.after.state(), StateName::Open);
                    }
                    _ => {}
                }
            }
        }

        #[test]
        fn the_snapshot_is_what_the_last_ticks_completed((config, inputs) in stories()) {
            for (step, history) in lived(&config, &inputs) {
                // Woken at the start of its ticks, it has made the first one before the rest of
                // that instant.
                if step.what != What::Woke {
                    let snapshot = step.after.snapshot(step.at);
                    prop_assert_eq!(snapshot, history.snapshot_after(history.ticks(step.at)));
                }
                let later = step.at + Span::millis(25);
                let expected = history.snapshot_after(history.ticks(later));
                prop_assert_eq!(step.after.snapshot(later), expected);
            }
        }

        #[test]
        fn it_opens_when_the_last_snapshot_is_ill((config, inputs) in stories()) {
            for (step, history) in lived(&config, &inputs) {
                if config.version == Version::V1_5_18 {
                    let trips = step.before.state == State::Closed
                        && step.asked().is_some()
                        && ill(&config, step.before.snapshot(step.at));
                    let opens = step.after.state != State::Closed;
                    prop_assert_eq!(opens, trips || (step.before.state != State::Closed && opens));
                    prop_assert_eq!(step.after.wakes_at(), None);
                } else if step.after.state == State::Closed {
                    let first = history.first_ill_tick(&config, step.at);
                    prop_assert_eq!(step.after.wakes_at(), first);
                }
            }
        }

        #[test]
        fn woken_late_it_is_the_same((config, inputs) in stories()) {
            let new = || config.build().expect("valid");
            let mut left = play(Unwoken(new()), &inputs).into_iter();
            let mut told = Vec::new();
            for woken in play(new(), &inputs) {
                told.extend_from_slice(&woken.changes);
                if woken.what != What::Woke {
                    let left = left.next().expect("the same inputs");
                    prop_assert_eq!(woken.asked(), left.asked());
                    prop_assert_eq!(woken.after, left.after.0);
                    prop_assert_eq!(std::mem::take(&mut told), left.changes);
                }
            }
            prop_assert!(left.next().is_none());
        }
    }

    /// So many failures at once; the breaker is closed.
    fn fail(breaker: &mut Hystrix, now: Time, times: u32) {
        let permits: Vec<Permit> = (0..times).map(|_| ask(breaker, now).expect("closed")).collect();
        for permit in permits {
            breaker.settle(permit, now, Verdict::Failure, &mut Vec::new());
        }
    }

    #[test]
    fn failures_show_only_after_the_tick() {
        let mut breaker = Config::default().build().expect("valid");
        fail(&mut breaker, ms(1), 20);
        assert!(ask(&mut breaker, ms(499)).is_ok());
        assert_eq!(breaker.snapshot(ms(499)).total, 0);
        let until = Some(ms(5_501));
        assert_eq!(ask(&mut breaker, ms(500)).err(), Some(Reason::BreakerOpen { until }));
    }

    #[test]
    fn a_late_success_closes_1_5_18_and_not_1_5_13() {
        for (version, after) in
            [(Version::V1_5_18, StateName::Closed), (Version::V1_5_13, StateName::Open)]
        {
            let mut breaker = Config { version, ..Config::default() }.build().expect("valid");
            let early = ask(&mut breaker, ms(0)).expect("closed");
            fail(&mut breaker, ms(1), 20);
            assert!(ask(&mut breaker, ms(600)).is_err());
            breaker.settle(early, ms(601), Verdict::Success, &mut Vec::new());
            assert_eq!(breaker.state(), after);
        }
    }

    #[test]
    fn a_test_that_hangs_is_followed_by_another() {
        let mut breaker = Config::default().build().expect("valid");
        fail(&mut breaker, ms(1), 20);
        assert!(ask(&mut breaker, ms(1_000)).is_err());
        let asked = (1_000..20_000).filter(|millis| ask(&mut breaker, ms(*millis)).is_ok());
        assert_eq!(asked.collect::<Vec<u64>>(), [6_001, 11_002, 16_003]);
    }

    #[test]
    fn old_successes_leave_and_the_window_falls_ill_by_itself() {
        let config = Config { version: Version::V1_5_13, ..Config::default() };
        let mut breaker = config.build().expect("valid");
        for _ in 0..30 {
            let permit = ask(&mut breaker, ms(100)).expect("closed");
            breaker.settle(permit, ms(100), Verdict::Success, &mut Vec::new());
        }
        fail(&mut breaker, ms(600), 20);
        // The bucket of the successes ends at 500 ms and is in the window for 10 s.
        assert_eq!(breaker.wakes_at(), Some(ms(10_500)));
        let mut changes = Vec::new();
        breaker.wake(ms(10_500), &mut changes);
        assert_eq!(changes.len(), 1);
        assert_eq!(breaker.state(), StateName::Open);
        assert_eq!(breaker.wakes_at(), None);
    }

    #[test]
    fn the_percentage_is_truncated_as_java_does() {
        for (errors, total, percentage) in [(29, 50, 57), (1, 2, 50), (2, 3, 66), (0, 0, 0)] {
            assert_eq!(HealthCounts { total, errors }.error_percentage(), percentage);
        }
        let config = Config { error_threshold_percentage: 58, ..Config::default() };
        assert!(!Illness::new(&config).is_ill(HealthCounts { total: 50, errors: 29 }));
        assert!(Illness::new(&config).is_ill(HealthCounts { total: 51, errors: 30 }));
    }

    #[test]
    fn forced_states_ignore_the_window() {
        let forced = |force_open, force_closed| {
            let config = Config { force_open, force_closed, ..Config::default() };
            config.build().expect("valid")
        };
        let mut open = forced(true, true);
        assert_eq!(ask(&mut open, ms(0)).err(), Some(Reason::BreakerOpen { until: None }));
        assert_eq!(open.state(), StateName::ForcedOpen);
        let mut closed = forced(false, true);
        fail(&mut closed, ms(0), 30);
        assert!(ask(&mut closed, ms(500)).is_ok());
        assert_eq!(closed.state(), StateName::Open);
        let config = Config { enabled: false, ..Config::default() };
        let mut disabled = config.build().expect("valid");
        fail(&mut disabled, ms(0), 30);
        assert!(ask(&mut disabled, ms(500)).is_ok());
        assert_eq!(disabled.state(), StateName::Closed);
    }

    #[test]
    fn what_hystrix_cannot_work_with_is_refused_by_name() {
        let valid = Config::default();
        all_refused([
            (
                "health_snapshot_interval",
                Config { health_snapshot_interval: Span::ZERO, ..valid.clone() },
            ),
            (
                "rolling_stats_time",
                Config { health_snapshot_interval: Span::millis(10_001), ..valid.clone() },
            ),
            (
                "rolling_stats_time",
                Config { rolling_stats_time: Span::secs(1 << 32), ..valid.clone() },
            ),
            ("sleep_window", Config { sleep_window: Span::micros(1), ..valid.clone() }),
            (
                "error_threshold_percentage",
                Config { error_threshold_percentage: 101, ..valid.clone() },
            ),
        ]);
    }
}
