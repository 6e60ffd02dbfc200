//! Connections that are kept: opening one takes a while, and an open one is used again.
//!
//! Together with a bulkhead, which bounds how many are in use and how long a call waits for one,
//! this is a connection pool. The failure it answers: a handshake before every call. The failure it
//! invites: a pool that is too small turns one slow callee into a queue in front of all calls. And
//! after a restart every caller shakes hands at once.
//!
//! ```text
//!   call -> one is idle ------------------> send      answered  -> idle, until `idle` is over
//!        -> none: opens one, for `connect` -> send      broken, timed out, given up -> closed
//! ```
//!
//! The one that was used last is used first, as HikariCP, Go's `net/http` and Apache's client do,
//! so that those that are not needed grow old.

use sim_core::{Span, Time};

/// How long opening takes, and how long an unused connection is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// From the wish for a connection until it can be used.
    pub connect: Span,
    /// An unused connection is closed after this.
    pub idle: Span,
}

/// The connections that one caller has open to one callee and does not use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connections {
    config: Config,
    /// Since when each is unused, the latest last.
    idle: Vec<Time>,
    /// Those that are opened or in use.
    in_use: u32,
}

impl Connections {
    /// None is open yet.
    pub fn new(config: Config) -> Connections {
        Connections { config, idle: Vec::new(), in_use: 0 }
    }

    /// Takes a connection: how long until it can be used; an open one can at once.
    pub fn take(&mut self, now: Time) -> Span {
        self.idle.retain(|since| now.since(*since) < self.config.idle);
        self.in_use += 1;
        if self.idle.pop().is_some() { Span::ZERO } else { self.config.connect }
    }

    /// The call that used a connection was answered over it.
    pub fn give_back(&mut self, now: Time) {
        self.close();
        self.idle.push(now);
    }

    /// The connection of a call is closed: it broke, or nobody waits for an answer over it. One of
    /// before a restart may come late, and is none of those that are counted.
    pub fn close(&mut self) {
        self.in_use = self.in_use.saturating_sub(1);
    }

    /// Connections that calls have taken: those that are being opened, and those in use.
    pub const fn in_use(&self) -> u32 {
        self.in_use
    }

    /// Connections that are kept and were not used for longer than they may be.
    pub fn idle(&self, now: Time) -> u32 {
        self.idle.iter().filter(|since| now.since(**since) < self.config.idle).count() as u32
    }

    /// The callee is gone, and with it the other end of all of them.
    pub fn break_all(&mut self) {
        self.idle.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Time {
        Time::ZERO + Span::secs(secs)
    }

    fn pool() -> Connections {
        Connections::new(Config { connect: Span::millis(50), idle: Span::secs(10) })
    }

    #[test]
    fn a_connection_is_used_again_until_it_was_idle_for_too_long() {
        let mut pool = pool();
        assert_eq!(pool.take(at(0)), Span::millis(50));
        pool.give_back(at(1));
        assert_eq!(pool.take(at(10)), Span::ZERO);
        pool.give_back(at(11));
        assert_eq!(pool.take(at(21)), Span::millis(50), "idle for 10 s");
    }

    #[test]
    fn the_latest_goes_first_so_that_the_others_grow_old() {
        let mut pool = pool();
        pool.take(at(0));
        pool.take(at(0));
        pool.give_back(at(1));
        pool.give_back(at(2));
        for secs in 3..12 {
            assert_eq!(pool.take(at(secs)), Span::ZERO);
            pool.give_back(at(secs));
        }
        assert_eq!(pool.idle.len(), 1, "the other one was not used since 1 s");
        assert_eq!((pool.in_use(), pool.idle(at(12))), (0, 1));
    }

    #[test]
    fn who_breaks_all_makes_everybody_connect_again() {
        let mut pool = pool();
        pool.take(at(0));
        pool.give_back(at(1));
        pool.break_all();
        assert_eq!(pool.take(at(2)), Span::millis(50));
    }
}
