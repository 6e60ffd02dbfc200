//! What every policy of a family keeps, whatever its library.
//!
//! A law takes a machine through a story and panics where the machine breaks it. It needs no
//! simulator and no test library: a machine of your own is held to it in an ordinary test, with
//! stories from wherever you like. The example at [`breaker`] does so.

pub mod breaker;
pub mod budget;
pub mod rate_limiter;
