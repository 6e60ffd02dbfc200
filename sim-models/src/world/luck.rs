//! Chance, by what it decides.
//!
//! Every draw but the arrivals is index-addressed: the same index gives the same draw whoever asks
//! first, so that a policy that skips or adds a draw leaves all others their luck.

use std::cell::Cell;

use sim_core::{Draws, Indexed, Purpose, Streams, mix};

/// The purposes: one row a source of chance. A number addresses luck, so it is never used again
/// for something else; those from 40 on were given out after a gap.
macro_rules! purposes {
    ($(#[doc = $doc:literal] $name:ident = $number:literal;)*) => {
        /// The index-addressed sources of chance.
        #[derive(Debug)]
        pub(super) struct Luck {
            $(#[doc = $doc] pub(super) $name: Chance,)*
        }

        impl Luck {
            pub(super) fn new(streams: &Streams) -> Luck {
                Luck { $($name: Chance::new(streams.indexed(Purpose($number), 0)),)* }
            }

            /// Takes those sources from another luck that are wanted.
            pub(super) fn take(&mut self, other: &Luck, is_wanted: impl Fn(Source) -> bool) {
                $(if is_wanted(Source($number)) { self.$name.draws = other.$name.draws; })*
            }

            /// What was drawn of since this was asked last.
            pub(super) fn drawn(&self) -> Vec<Source> {
                let mut drawn = Vec::new();
                $(if self.$name.is_drawn.take() { drawn.push(Source($number)); })*
                drawn
            }
        }

        impl Source {
            /// What it decides: `whether a message is lost`.
            pub(crate) fn decides(self) -> String {
                let said = match self.0 {
                    $($number => $doc,)*
                    _ => "When an intent arises.",
                };
                let said = said.trim().trim_end_matches('.');
                said[..1].to_lowercase() + &said[1..]
            }
        }
    };
}

/// A source of chance that knows whether it was drawn of.
#[derive(Debug)]
pub(super) struct Chance {
    draws: Indexed,
    is_drawn: Cell<bool>,
}

impl Chance {
    fn new(draws: Indexed) -> Chance {
        Chance { draws, is_drawn: Cell::new(false) }
    }

    /// The draws at an index, from their start.
    #[inline]
    pub(super) fn at(&self, index: u64) -> Draws {
        self.is_drawn.set(true);
        self.draws.at(index)
    }
}

/// A source of chance, by the number of its purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Source(u32);

/// When intents of open loads arise.
pub(super) const ARRIVALS: Source = Source(ARRIVAL.0);

/// Arrivals have a stream per client.
pub(super) const ARRIVAL: Purpose = Purpose(1);

purposes! {
    /// The length of work.
    work = 2;
    /// The length of a sleep.
    sleep = 3;
    /// How long a user thinks.
    think = 4;
    /// A message's latency.
    latency = 5;
    /// Whether a message is lost.
    loss = 6;
    /// Whether a request arrives twice.
    duplicate = 7;
    /// The jitter of a back-off.
    jitter = 8;
    /// Whether a faulty actor answers with an error.
    errors = 9;
    /// Whether a faulty actor hangs.
    hang = 10;
    /// How long a store takes for a command.
    store = 11;
    /// The draws of an actor written in Rust.
    custom = 12;
    /// Whether a throttle lets a call through.
    throttle = 13;
    /// The host that outlier detection picks.
    host = 14;
    /// The probes of an adaptive limit.
    probe = 15;
    /// The jitter of an outlier detection's sweep.
    sweep = 16;
    /// How far a replica lags behind.
    lag = 17;
    /// Which keys are evicted.
    evict = 18;
    /// The instance that a balancer picks.
    balance = 19;
    /// How many intents a session has.
    session = 40;
    /// Whether a cached value is worked out early.
    early = 41;
    /// The draws of a policy written in Rust.
    policy = 42;
    /// Which process of a client an intent arises at.
    instance = 43;
    /// How long a breaker stays open.
    open = 44;
}

/// Tells what belongs to one instance from that of others; of the first it is `what` alone.
pub(super) fn of_instance(what: u32, instance: u32) -> u64 {
    u64::from(instance) << 32 | u64::from(what)
}

/// Addresses a draw or a child within a lineage: what it is for, and which one.
pub(super) fn nth(lineage: u64, what: u64, n: u32) -> u64 {
    mix(lineage, what << 32 | u64::from(n))
}
