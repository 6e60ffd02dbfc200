//! The two sliding windows of Resilience4j: the last N calls, or the last N seconds.
//!
//! Both keep running sums. A result is added to them once, and subtracted once when it falls out
//! of the window, so that reading a rate never looks at the window again.
//!
//! ```text
//! last calls      [ o x o . . . ]      one place per call; the newest takes the oldest's place
//! last seconds    | 3/1 | 0/0 | 2/2 |  one bucket per whole second, calls/failed; the bucket of
//!                   10s   11s   12s    second t falls out, whole, as second t + N begins
//! ```
//!
//! Seconds are those of the clock, not of the first call: a call at 0.999 s has left a window of
//! 10 s at 10.000 s already, after 9.001 s.
//!
//! Reference: Resilience4j 2.4.0, `FixedSizeSlidingWindowMetrics`, `SlidingTimeWindowMetrics`.

use std::collections::VecDeque;
use std::fmt;

use sim_core::{Span, Time};

/// What one finished call adds to the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) failed: bool,
    pub(super) slow: bool,
}

/// How many calls were counted, and how many of them went wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) calls: u64,
    pub(super) failed: u64,
    pub(super) slow: u64,
}

impl Sums {
    const fn add(&mut self, call: Call) {
        self.calls += 1;
        self.failed += call.failed as u64;
        self.slow += call.slow as u64;
    }

    const fn remove(&mut self, gone: Sums) {
        self.calls -= gone.calls;
        self.failed -= gone.failed;
        self.slow -= gone.slow;
    }
}

/// A sliding window over finished calls. It holds what there was, never places for what may come: a
/// thousand clients may each have a window of a million calls.
#[derive(Clone, PartialEq)]
pub(super) enum Window {
    /// The last so many calls. Without places it forgets every call.
    LastCalls { size: usize, calls: VecDeque<Call>, sums: Sums },
    /// The calls of the current second and of those before it.
    LastSeconds {
        size: u64,
        /// The seconds in which calls ended, the oldest first.
        buckets: VecDeque<(u64, Sums)>,
        /// The current second, since the start of the run.
        second: u64,
        sums: Sums,
    },
}

impl Window {
    /// An empty window over the last `size` calls.
    pub(super) fn last_calls(size: u32) -> Window {
        let (size, calls) = (size as usize, VecDeque::new());
        Window::LastCalls { size, calls, sums: Sums::default() }
    }

    /// An empty window over the last `size` seconds, at time zero.
    pub(super) fn last_seconds(size: u32) -> Window {
        let buckets = VecDeque::new();
        Window::LastSeconds { size: size.into(), buckets, second: 0, sums: Sums::default() }
    }

    /// Counts a call that ended at `now`.
    pub(super) fn record(&mut self, now: Time, call: Call) {
        self.move_to(now);
        match self {
            Window::LastCalls { size: 0, .. } => {}
            Window::LastCalls { size, calls, sums } => {
                if calls.len() == *size
                    && let Some(oldest) = calls.pop_front()
                {
                    let mut gone = Sums::default();
                    gone.add(oldest);
                    sums.remove(gone);
                }
                calls.push_back(call);
                sums.add(call);
            }
            Window::LastSeconds { buckets, second, sums, .. } => {
                match buckets.back_mut() {
                    Some((of, bucket)) if of == second => bucket.add(call),
                    _ => {
                        let mut bucket = Sums::default();
                        bucket.add(call);
                        buckets.push_back((*second, bucket));
                    }
                }
                sums.add(call);
            }
        }
    }

    /// The sums over the window as it lies at `now`.
    pub(super) fn sums(&mut self, now: Time) -> Sums {
        self.move_to(now);
        match self {
            Window::LastCalls { sums, .. } | Window::LastSeconds { sums, .. } => *sums,
        }
    }

    /// Forgets all calls. It is then as new, and at `now`.
    pub(super) fn clear(&mut self, now: Time) {
        match self {
            Window::LastCalls { calls, sums, .. } => {
                calls.clear();
                *sums = Sums::default();
            }
            Window::LastSeconds { buckets, second, sums, .. } => {
                buckets.clear();
                (*second, *sums) = (whole_seconds(now), Sums::default());
            }
        }
    }

    /// Lets the seconds fall out that are too old at `now`, each one once.
    fn move_to(&mut self, now: Time) {
        let Window::LastSeconds { size, buckets, second, sums } = self else { return };
        *second = whole_seconds(now).max(*second);
        while let Some((of, bucket)) = buckets.front().copied()
            && of.saturating_add(*size) <= *second
        {
            sums.remove(bucket);
            buckets.pop_front();
        }
    }
}

/// Shows the sums; a window of many calls would hide them.
impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Window::LastCalls { size, sums, .. } => {
                write!(f, "{sums:?} in the last {size} calls")
            }
            Window::LastSeconds { size, second, sums, .. } => {
                write!(f, "{sums:?} in the last {size} seconds to {second}s")
            }
        }
    }
}

const fn whole_seconds(now: Time) -> u64 {
    now.as_nanos() / Span::secs(1).as_nanos()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Counts from the whole history, one call at a time.
    fn counted<'a>(calls: impl Iterator<Item = &'a (Time, Call)>) -> Sums {
        calls.fold(Sums::default(), |sums, (_, call)| Sums {
            calls: sums.calls + 1,
            failed: sums.failed + u64::from(call.failed),
            slow: sums.slow + u64::from(call.slow),
        })
    }

    fn calls() -> impl Strategy<Value = Vec<(u64, Call)>> {
        // Milliseconds since the call before: at once, within the second, past it, long idle.
        let gap = prop_oneof![4 => Just(0), 4 => 1..1000u64, 3 => 1000..4000u64, 1 => 0..60_000u64];
        let call = any::<(bool, bool)>().prop_map(|(failed, slow)| Call { failed, slow });
        vec((gap, call), 0..60)
    }

    #[test]
    fn a_window_holds_what_there_was_however_long_it_is() {
        let call = Call { failed: true, slow: false };
        let mut calls = Window::last_calls(1_000_000);
        let mut seconds = Window::last_seconds(u32::MAX);
        for n in 0..100 {
            let now = Time::ZERO + Span::millis(100 * n);
            calls.record(now, call);
            seconds.record(now, call);
        }
        let (Window::LastCalls { calls, .. }, Window::LastSeconds { buckets, .. }) =
            (calls, seconds)
        else {
            unreachable!("made so above")
        };
        assert!(calls.capacity() < 1_000, "{}", calls.capacity());
        assert_eq!(buckets.len(), 10);
    }

    proptest! {
        #[test]
        fn running_sums_equal_the_last_calls_counted_anew(size in 1..8u32, calls in calls()) {
            let (mut window, mut now, mut history) = (Window::last_calls(size), Time::ZERO, vec![]);
            for (gap, call) in calls {
                now += Span::millis(gap);
                window.record(now, call);
                history.push((now, call));
                let last = history.iter().rev().take(size as usize);
                prop_assert_eq!(window.sums(now), counted(last));
            }
        }

        #[test]
        fn running_sums_equal_the_last_seconds_counted_anew(
            size in 1..8u32,
            calls in calls(),
            later in 0..20_000u64,
        ) {
            let (mut window, mut now, mut history) =
                (Window::last_seconds(size), Time::ZERO, vec![]);
            let expected = |now: Time, history: &[(Time, Call)]| {
                counted(history.iter().filter(|(ended, _)| {
                    now.as_nanos() / 1_000_000_000 - ended.as_nanos() / 1_000_000_000
                        < u64::from(size)
                }))
            };
            for (gap, call) in calls {
                now += Span::millis(gap);
                window.record(now, call);
                history.push((now, call));
                prop_assert_eq!(window.sums(now), expected(now, &history));
            }
            now += Span::millis(later);
            prop_assert_eq!(window.sums(now), expected(now, &history));
        }
    }

    #[test]
    fn a_second_falls_out_whole() {
        let mut window = Window::last_seconds(10);
        let ms = |n| Time::ZERO + Span::millis(n);
        window.record(ms(1), Call { failed: true, slow: false });
        window.record(ms(999), Call { failed: true, slow: false });
        assert_eq!(window.sums(ms(9_999)).failed, 2);
        assert_eq!(window.sums(ms(10_000)).failed, 0);
    }

    #[test]
    fn a_window_without_places_forgets_every_call() {
        let mut window = Window::last_calls(0);
        window.record(Time::ZERO, Call { failed: true, slow: true });
        assert_eq!(window.sums(Time::ZERO), Sums::default());
    }
}
