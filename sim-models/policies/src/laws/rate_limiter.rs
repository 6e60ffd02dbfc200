//! The laws of rate limiters. No wait is longer than accepted, and grants come in the order of
//! their requests. A refusal names an instant at which the permits are there, and takes nothing. As
//! many as are said to be available may be used at once, and no more.

use std::fmt::Debug;

use sim_core::{Span, Time};

use crate::Reason;
use crate::rate_limiter::Machine;

/// A request.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// From the request before to this one.
    pub gap: Span,
    /// The permits that it wants, at least one.
    pub permits: u32,
    /// Its longest wait.
    pub max_wait: Span,
}

/// Permits that were granted.
#[derive(Clone, Copy, Debug)]
pub struct Grant {
    /// When they may be used, in nanoseconds.
    pub at: u64,
    /// How many.
    pub permits: u32,
}

/// Plays the requests. `left` is what a limiter has left at an instant.
///
/// # Panics
/// When the limiter breaks a law.
pub fn play<L: Machine + Clone, S: PartialEq + Debug>(
    limiter: &mut L,
    left: impl Fn(&L, Time) -> S,
    requests: &[Request],
) -> Vec<Grant> {
    let mut now = Time::ZERO;
    let mut grants: Vec<Grant> = Vec::new();
    for &Request { gap, permits, max_wait } in requests {
        now += gap;
        let before = limiter.clone();
        if let Some(there) = before.available(now) {
            let goes = before.clone().acquire(now, permits, Span::ZERO).is_ok();
            assert_eq!(goes, f64::from(permits) <= there, "{permits} of {there} at {now}");
        }
        match limiter.acquire(now, permits, max_wait) {
            Ok(wait) => {
                assert!(wait <= max_wait, "it waits {wait}, and accepted {max_wait}");
                let at = (now + wait).as_nanos();
                let in_order = grants.last().is_none_or(|last| last.at <= at);
                assert!(in_order, "granted before an earlier request: {grants:?}, then {at}");
                grants.push(Grant { at, permits });
            }
            Err(Reason::RateLimited { until }) => {
                if let Some(until) = until {
                    let wait = until.since(now);
                    assert!(wait > max_wait, "refused, and there within {wait} of {max_wait}");
                    let granted = before.clone().acquire(now, permits, wait);
                    assert_eq!(granted, Ok(wait), "what it named is the truth");
                }
                assert_eq!(left(&before, now), left(limiter, now), "a refusal takes nothing");
            }
            Err(other) => panic!("not a limiter's reason: {other}"),
        }
    }
    grants
}

/// The permits used in `from..to`.
pub fn used(grants: &[Grant], from: u64, to: u64) -> u64 {
    let inside = grants.iter().filter(|grant| (from..to).contains(&grant.at));
    inside.map(|grant| u64::from(grant.permits)).sum()
}

/// The most permits used in any `window` nanoseconds: the fullest begins with a grant.
pub fn most_used(grants: &[Grant], window: u64) -> u64 {
    grants.iter().map(|grant| used(grants, grant.at, grant.at + window)).max().unwrap_or(0)
}

/// The single permits, at most a thousand, that pass without a wait ten years after, when all is
/// long refilled.
pub fn burst_after_years(mut limiter: impl Machine) -> u32 {
    let now = Time::ZERO + Span::secs(10 * 365 * 86_400);
    (0..1000).take_while(|_: &u32| limiter.acquire(now, 1, Span::ZERO) == Ok(Span::ZERO)).count()
        as u32
}

#[cfg(test)]
pub(crate) mod testing {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Requests some nanoseconds apart, so that every rounding shows. Time often stands still.
    pub(crate) fn requests(permits_max: u32) -> impl Strategy<Value = Vec<Request>> {
        let gap = prop_oneof![4 => Just(0), 6 => 0..12u64, 1 => 12..90u64].prop_map(Span::nanos);
        let wait = prop_oneof![3 => Just(0), 2 => 0..25u64, 1 => 0..300u64].prop_map(Span::nanos);
        let request = (gap, 1..=permits_max, wait);
        vec(request.prop_map(|(gap, permits, max_wait)| Request { gap, permits, max_wait }), 0..80)
    }
}
