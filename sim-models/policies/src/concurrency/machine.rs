//! A limit that moves, as the limiter sees it.

use sim_core::{Span, Time};

/// One call as the limit hears of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// When it began.
    pub started: Time,
    /// How long it took, above zero.
    pub rtt: Span,
    /// Calls under way when it began, itself included.
    pub in_flight: u32,
    /// Whether it was lost to overload.
    pub dropped: bool,
}

/// A limit that moves with the calls it hears of: the library's `Limit`.
pub trait Machine {
    /// Hears of a call that has ended. Vegas draws its `jitter` from 0.5..1: once before its first
    /// probe and once at each.
    fn hear(&mut self, call: Measured, jitter: &mut dyn FnMut() -> f64);

    /// The limit at the moment.
    fn limit(&self) -> u32;

    /// The limit before it is cut to a whole number, where it is a fraction.
    fn estimate(&self) -> Option<f64> {
        None
    }

    /// Whether it hears of windows only.
    fn is_windowed(&self) -> bool {
        false
    }
}
