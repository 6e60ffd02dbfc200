//! A limit on the calls under way at once, as a semaphore without a queue.
//!
//! Answers: one slow dependency that gathers all threads of its caller, until calls that never
//! needed it wait as well. With a bulkhead only its own compartment floods.
//!
//! Invites: refusals while the other side has room. The right limit is the rate times the latency
//! (Little's law), and it moves with both; too high it protects nothing.
//!
//! Reference: M. Nygard, *Release It!*, 2nd edition 2018, "Bulkheads". Like Resilience4j's
//! `Bulkhead` with `maxWaitDuration` 0, nobody waits for a permit.
//!
//! ```text
//!            in_use < limit: a permit
//!  calls  ----------------------------->  [ # # # . ]  ---- settle ---->  in_use - 1
//!         \  in_use = limit               in_use of limit
//!          `-----------------> refused: BulkheadFull
//! ```

use super::out_of_range::at_least_one;
use super::{OutOfRange, Reason};

/// Admits at most `limit` calls at a time.
///
/// ```
/// use sim_models::policy::{Bulkhead, Reason};
///
/// let mut bulkhead = Bulkhead::new(1)?;
/// let permit = bulkhead.admit().expect("one is free");
/// assert_eq!(bulkhead.admit().err(), Some(Reason::BulkheadFull { limit: 1 }));
/// bulkhead.settle(permit);
/// assert_eq!(bulkhead.in_use(), 0);
/// # Ok::<(), sim_models::policy::OutOfRange>(())
/// ```
///
/// A permit moves, so that it cannot be returned twice:
///
/// ```compile_fail,E0382
/// # let mut bulkhead = sim_models::policy::Bulkhead::new(1).unwrap();
/// let permit = bulkhead.admit().unwrap();
/// bulkhead.settle(permit);
/// bulkhead.settle(permit);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bulkhead {
    limit: u32,
    in_use: u32,
}

/// The right to one call under way, given back to [`Bulkhead::settle`] when the call ends in
/// whatever way. A permit that is dropped instead is lost to the bulkhead for good.
#[must_use]
#[derive(Debug)]
pub struct BulkheadPermit(());

impl Bulkhead {
    /// A bulkhead of `limit` permits, all free.
    ///
    /// # Errors
    /// When `limit` is zero.
    pub fn new(limit: u32) -> Result<Bulkhead, OutOfRange> {
        at_least_one("limit", limit)?;
        Ok(Bulkhead { limit, in_use: 0 })
    }

    /// Takes a permit.
    ///
    /// # Errors
    /// [`Reason::BulkheadFull`] when all are taken.
    pub fn admit(&mut self) -> Result<BulkheadPermit, Reason> {
        if self.in_use == self.limit {
            return Err(Reason::BulkheadFull { limit: self.limit });
        }
        self.in_use += 1;
        Ok(BulkheadPermit(()))
    }

    /// Returns a permit.
    ///
    /// # Panics
    /// When more permits come back than were given: one was another bulkhead's.
    pub fn settle(&mut self, permit: BulkheadPermit) {
        let BulkheadPermit(()) = permit;
        assert!(self.in_use > 0, "a permit came back that this bulkhead never gave");
        self.in_use -= 1;
    }

    /// Permits taken at the moment, 0 to the limit.
    pub const fn in_use(&self) -> u32 {
        self.in_use
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn calls_under_way_never_exceed_the_limit(
            limit in 1..6u32, arrivals in proptest::collection::vec(any::<bool>(), 0..60),
        ) {
            let mut bulkhead = Bulkhead::new(limit).expect("valid");
            let mut under_way = Vec::new();
            for arrives in arrivals {
                if arrives {
                    let admitted = bulkhead.admit();
                    prop_assert_eq!(admitted.is_ok(), under_way.len() < limit as usize);
                    under_way.extend(admitted);
                } else if let Some(permit) = under_way.pop() {
                    bulkhead.settle(permit);
                }
                prop_assert_eq!(bulkhead.in_use() as usize, under_way.len());
            }
            under_way.into_iter().for_each(|permit| bulkhead.settle(permit));
            prop_assert_eq!(bulkhead, Bulkhead::new(limit).expect("valid"));
        }
    }

    #[test]
    fn a_slow_dependency_takes_its_permits_and_no_more() {
        let mut bulkhead = Bulkhead::new(3).expect("valid");
        let permits: Vec<_> = (0..5).map(|_| bulkhead.admit()).collect();
        let full = Reason::BulkheadFull { limit: 3 };
        let refused: Vec<_> = permits.iter().map(|permit| permit.as_ref().err()).collect();
        assert_eq!(refused, [None, None, None, Some(&full), Some(&full)]);
        permits.into_iter().flatten().for_each(|permit| bulkhead.settle(permit));
        assert!(bulkhead.admit().is_ok());
    }

    #[test]
    #[should_panic(expected = "never gave")]
    fn a_permit_of_another_bulkhead_is_noticed() {
        let mut mine = Bulkhead::new(1).expect("valid");
        let mut other = Bulkhead::new(1).expect("valid");
        mine.settle(other.admit().expect("one is free"));
    }

    #[test]
    fn a_bulkhead_without_permits_is_refused() {
        assert_eq!(Bulkhead::new(0).map_err(|e| e.field), Err("limit"));
    }
}
