//! What the tests of a client's rules share.

use sim_core::Span;

use super::{Broken, Client, EPOCH, Exchange, Headers, Next, Outcome, Wait};
use crate::Method;

/// An attempt and what came of it.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    pub method: Method,
    pub has_key: bool,
    pub outcome: Outcome,
    pub retry_after: Option<&'static str>,
}

impl Asked {
    const fn get(outcome: Outcome) -> Asked {
        Asked { method: Method::Get, has_key: false, outcome, retry_after: None }
    }

    /// A `GET` that was answered so.
    pub const fn status(status: u16) -> Asked {
        Asked::get(Outcome::Status(status))
    }

    /// A `GET` that was not answered.
    pub const fn broken(broken: Broken) -> Asked {
        Asked::get(Outcome::Broken(broken))
    }
}

/// The waits of one call whose attempts end like this, until it gives up.
pub fn waits<C: Client>(client: &C, all: &[Asked]) -> Vec<Wait> {
    let mut memory = client.start();
    let waits = (1..).zip(all).map_while(|(attempt, asked)| {
        let exchange = Exchange {
            attempt,
            method: asked.method,
            has_key: asked.has_key,
            outcome: asked.outcome,
            headers: Headers { retry_after: asked.retry_after, ..Headers::default() },
            took: Span::ZERO,
            elapsed: Span::ZERO,
            waits: 0,
            now: EPOCH,
        };
        match client.next(&mut memory, &exchange, &mut || 0.5) {
            Next::Again(wait) => Some(wait),
            _ => None,
        }
    });
    waits.collect()
}

/// How many attempts it sends.
pub fn sent<C: Client>(client: &C, all: &[Asked]) -> usize {
    waits(client, all).len() + 1
}
