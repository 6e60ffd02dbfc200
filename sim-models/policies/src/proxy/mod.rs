//! Reverse proxies: which of several servers gets a request, and whether it goes on to the next one.
//!
//! Answers: a server that is down or fails. The client does not see it while another one can answer.
//!
//! Invites: the work done twice. A read timeout says nothing of what the first server did, and a
//! proxy sees methods, not payments. And servers that are out all at once: after one refused
//! connection on each, nginx answers 502 for ten seconds without asking anybody.
//!
//! Reference: nginx and HAProxy at the versions that the files name.
//!
//! ```text
//! begin(method) --> a server ----> its ending --> next: the same, another one, or the answer
//!              `--> nobody: 502 or 503
//! ```

pub mod haproxy;
mod machine;
pub mod nginx;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::Time;

use crate::{Ending, Method, OutOfRange};

pub use self::machine::{Machine, Next, Passage};

/// The directives of a proxy, by the server that it behaves like.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[schemars(title = "proxy")]
pub enum ProxyConfig {
    /// nginx 1.22, one worker.
    Nginx(nginx::Config),
    /// HAProxy 2.6, `balance roundrobin`.
    Haproxy(haproxy::Config),
}

/// Any of the proxies.
///
/// ```
/// use sim_core::Time;
/// use sim_policies::proxy::{Next, Proxy, ProxyConfig, nginx};
/// use sim_policies::{Ending, Method};
///
/// let config = ProxyConfig::Nginx(nginx::Config::default());
/// let mut proxy = Proxy::new(&config, &["a".to_owned(), "b".to_owned()])?;
///
/// let (mut get, first) = proxy.begin(Method::Get, Time::ZERO);
/// assert_eq!(first, Some(0));
/// let next = proxy.next(&mut get, Time::ZERO, Ending::TimedOut);
/// assert_eq!(next, Next::at_once(1));
///
/// let (mut post, first) = proxy.begin(Method::Post, Time::ZERO);
/// assert_eq!(first, Some(1));
/// let next = proxy.next(&mut post, Time::ZERO, Ending::TimedOut);
/// assert_eq!(next, Next::Answer(Ending::Status(504)));
/// # Ok::<(), sim_policies::OutOfRange>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Proxy {
    /// nginx.
    Nginx(nginx::Nginx),
    /// HAProxy.
    Haproxy(haproxy::Haproxy),
}

impl Default for ProxyConfig {
    fn default() -> ProxyConfig {
        ProxyConfig::Nginx(nginx::Config::default())
    }
}

impl Proxy {
    /// A proxy in front of servers of these names, as it is at time zero.
    ///
    /// # Errors
    /// When there is no server, or a directive is outside what the proxy accepts.
    pub fn new(config: &ProxyConfig, servers: &[String]) -> Result<Proxy, OutOfRange> {
        if servers.is_empty() {
            return Err(OutOfRange::new("servers", "none", "at least one"));
        }
        Ok(match config {
            ProxyConfig::Nginx(config) => Proxy::Nginx(nginx::Nginx::new(config, servers)?),
            ProxyConfig::Haproxy(config) => {
                Proxy::Haproxy(haproxy::Haproxy::new(config, servers.len())?)
            }
        })
    }

    /// A request arrives: the server that gets it first, by its place; `None` when nobody is in
    /// service.
    pub fn begin(&mut self, method: Method, now: Time) -> (Passage, Option<usize>) {
        let mut passage = Passage::new(method, now);
        let first = self.machine().begin(&mut passage, now);
        (passage, first)
    }

    /// How a server ended a request, and what becomes of that.
    ///
    /// # Panics
    /// When the passage is one that no server got.
    pub fn next(&mut self, passage: &mut Passage, now: Time, ending: Ending) -> Next {
        self.machine().next(passage, now, ending)
    }

    /// What the client gets when nobody is in service.
    pub const fn nobody(&self) -> Ending {
        match self {
            Proxy::Nginx(_) => Ending::Status(502),
            Proxy::Haproxy(_) => Ending::Status(503),
        }
    }

    fn machine(&mut self) -> &mut dyn Machine {
        match self {
            Proxy::Nginx(machine) => machine,
            Proxy::Haproxy(machine) => machine,
        }
    }
}
