//! The conversation between requests and a proxy.

use sim_core::{Span, Time};

use crate::{Ending, Method};

/// Where one request stands on its way through a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// Its method.
    pub(super) method: Method,
    /// When it arrived.
    pub(super) started: Time,
    /// The server that has it.
    pub(super) current: Option<usize>,
    /// nginx: the servers that it was passed to.
    pub(super) tried: Vec<usize>,
    /// Servers it may still be passed to, or retries left.
    pub(super) left: usize,
}

impl Passage {
    pub(super) const fn new(method: Method, started: Time) -> Passage {
        Passage { method, started, current: None, tried: Vec::new(), left: 0 }
    }
}

/// What happens when a server has ended a request in some way.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is sent again.
    Pass {
        /// To the server at this place.
        server: usize,
        /// After this time.
        after: Span,
    },
    /// The client gets this.
    Answer(Ending),
    /// Nobody is left in service, and the client gets this.
    Nobody(Ending),
}

impl Next {
    /// It is sent to another server without a wait.
    pub const fn at_once(server: usize) -> Next {
        Next::Pass { server, after: Span::ZERO }
    }
}

/// What each proxy does.
pub trait Machine {
    /// A request arrives: the server that gets it first.
    fn begin(&mut self, passage: &mut Passage, now: Time) -> Option<usize>;

    /// The server that has the request has ended it in this way.
    fn next(&mut self, passage: &mut Passage, now: Time, ending: Ending) -> Next;
}
