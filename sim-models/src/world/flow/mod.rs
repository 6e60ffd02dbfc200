//! What happens next: where one part of the world hands over to another.
//!
//! Each part returns what must happen elsewhere; only the functions here see two parts. They read
//! as lists, and a request can be followed downwards from its arrival to its verdict.

mod brokers;
mod caches;
mod calls;
mod clients;
mod customs;
mod faults;
mod messages;
mod pauses;
mod services;
mod stores;
mod tasks;
