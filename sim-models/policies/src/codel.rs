//! CoDel: keeps the wait in a queue short by dropping a little, and then more and more.
//!
//! The failure it answers: a queue that never empties turns every request into a late one, though
//! the server is not slower than before. A bound on its *length* cannot tell a burst from a queue
//! that stands. The failure it invites: a `target` below the usual work makes it drop all the time.
//!
//! ```text
//!             waits > target for a whole interval
//!   serving -------------------------------------> dropping: the next at once,
//!           <-------------------------------------  then after interval / sqrt(count)
//!             a wait <= target, or nobody behind
//! ```
//!
//! Source: RFC 8289, section 5, item by item.

use sim_core::{Span, Time, math};

/// What becomes of a request whose turn has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is worked on.
    Serve,
    /// It is turned away.
    Drop,
}

/// The state of one queue's CoDel.
#[derive(Clone, Debug, PartialEq)]
pub struct Codel {
    target: Span,
    interval: Span,
    /// When waits will have been too long for an interval, if they are.
    first_above: Option<Time>,
    dropping: bool,
    /// The one after a drop is served whatever it waited; it comes next.
    spared: bool,
    /// The time of the next drop is to be worked out, if dropping goes on.
    dropped: bool,
    drop_next: Time,
    count: u32,
    last_count: u32,
}

impl Codel {
    /// For waits of `target`, judged over `interval`.
    pub fn new(target: Span, interval: Span) -> Codel {
        Codel {
            target,
            interval,
            first_above: None,
            dropping: false,
            spared: false,
            dropped: false,
            drop_next: Time::ZERO,
            count: 0,
            last_count: 0,
        }
    }

    /// The turn of a request has come that waited for `wait`; `is_last` when nobody is behind it.
    pub fn turn(&mut self, wait: Span, is_last: bool, now: Time) -> Turn {
        let is_late = self.is_late(wait, is_last, now);
        if std::mem::take(&mut self.spared) {
            return Turn::Serve;
        }
        if !self.dropping {
            if is_late {
                self.enter(now);
                return Turn::Drop;
            }
            return Turn::Serve;
        }
        if !is_late {
            self.dropping = false;
            return Turn::Serve;
        }
        if std::mem::take(&mut self.dropped) {
            self.drop_next = self.next_after(self.drop_next);
        }
        if now < self.drop_next {
            return Turn::Serve;
        }
        self.count += 1;
        self.dropped = true;
        Turn::Drop
    }

    fn is_late(&mut self, wait: Span, is_last: bool, now: Time) -> bool {
        if wait < self.target || is_last {
            self.first_above = None;
            return false;
        }
        let due = *self.first_above.get_or_insert(now + self.interval);
        now >= due
    }

    /// Begins to drop. Soon after it last did, it takes up where it left off.
    fn enter(&mut self, now: Time) {
        self.dropping = true;
        self.spared = true;
        self.dropped = false;
        let delta = self.count - self.last_count;
        let is_recent = now < self.drop_next + self.interval * 16u64;
        self.count = if delta > 1 && is_recent { delta } else { 1 };
        self.drop_next = self.next_after(now);
        self.last_count = self.count;
    }

    fn next_after(&self, at: Time) -> Time {
        at + self.interval * (1.0 / math::sqrt(f64::from(self.count)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Time {
        Time::ZERO + Span::millis(n)
    }

    /// One turn per millisecond, each after `wait` with others behind it: when it drops.
    fn drops(codel: &mut Codel, wait: Span, from: u64, to: u64) -> Vec<u64> {
        (from..to).filter(|&n| codel.turn(wait, false, ms(n)) == Turn::Drop).collect()
    }

    #[test]
    fn short_waits_are_never_dropped_and_long_ones_only_after_an_interval() {
        let mut codel = Codel::new(Span::millis(5), Span::millis(100));
        assert!(drops(&mut codel, Span::millis(4), 0, 1_000).is_empty());
        assert!(drops(&mut codel, Span::millis(6), 1_000, 1_100).is_empty());
        assert_eq!(codel.turn(Span::millis(6), false, ms(1_100)), Turn::Drop);
    }

    #[test]
    fn drops_come_faster_with_the_root_of_their_number() {
        let mut codel = Codel::new(Span::millis(5), Span::millis(100));
        let drops = drops(&mut codel, Span::millis(50), 0, 500);
        // 100, then 100/sqrt(1), 100/sqrt(2), 100/sqrt(3) … later.
        assert_eq!(drops[..5], [100, 200, 271, 329, 379]);
    }

    #[test]
    fn one_short_wait_ends_it_and_the_last_in_line_is_served() {
        let mut codel = Codel::new(Span::millis(5), Span::millis(100));
        drops(&mut codel, Span::millis(50), 0, 250);
        assert_eq!(codel.turn(Span::millis(1), false, ms(250)), Turn::Serve);
        assert!(drops(&mut codel, Span::millis(50), 251, 351).is_empty());
        let mut codel = Codel::new(Span::millis(5), Span::millis(100));
        let is_served = |n| codel.turn(Span::secs(9), true, ms(n)) == Turn::Serve;
        assert!((0..1_000).all(is_served));
    }

    #[test]
    fn it_takes_up_where_it_left_off() {
        let mut codel = Codel::new(Span::millis(5), Span::millis(100));
        let first = drops(&mut codel, Span::millis(50), 0, 500).len();
        codel.turn(Span::ZERO, false, ms(500));
        let again = drops(&mut codel, Span::millis(50), 501, 1_001).len();
        assert!(again > first, "{again} after {first}");
    }
}
