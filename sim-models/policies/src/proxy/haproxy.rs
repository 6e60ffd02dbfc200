//! HAProxy: round robin, retries of connections and of requests, servers marked down by what they
//! answer.
//!
//! Answers: a connection that does not come about is tried again, on the same server unless
//! `redispatch` says otherwise.
//!
//! Invites: `retry-on` with more than `conn-failure` sends a request again that a server has read, and
//! does not look at the method: a `POST` too, unless `disable_l7_retry_post`.
//!
//! Reference: HAProxy 2.6.12, `backend.c` (`back_handle_st_cer`), `http_ana.c` (`do_l7_retry`),
//! `checks.c` and `server.c` (`observe`).
//!
//! ```text
//! pick       the next server that is up
//! a failure  its word in retry_on, and retries left: again, with redispatch on the next server that is
//!            up, else on the same (after a second, if no connection came about)
//! answer     no connection 503, broken or empty 502, missing 504
//! observe    a 5xx but 501 and 505, a broken or missing answer: error_limit in a row mark it down
//! ```
//!
//! What is retried is not observed. A server that is down comes back after `rise` checks.
//!
//! Left out: weights, other balancing algorithms, health checks that find a server down, queues
//! (`maxconn`), stickiness. Checks never fail.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::{Span, Time};

use super::machine::{Machine, Next, Passage};
use crate::out_of_range::at_least_one;
use crate::{Ending, Method, OutOfRange};

/// The wait before a connection to the same server is tried again, if `timeout connect` is not
/// shorter.
const TURN_AROUND: Span = Span::secs(1);

/// The directives, with their defaults.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "HaproxyProxy")]
pub struct Config {
    /// Attempts after the first.
    pub retries: u32,
    /// `option redispatch`: a retry goes to the next server.
    pub redispatch: bool,
    /// `retry-on`: `conn-failure`, `empty-response`, `response-timeout`, `junk-response`,
    /// `0rtt-rejected`, statuses, `all-retryable-errors`, or `none`.
    pub retry_on: Vec<String>,
    /// `http-request disable-l7-retry if METH_POST`.
    pub disable_l7_retry_post: bool,
    /// `check observe layer7`: answers take servers out of service.
    pub observe: bool,
    /// Bad answers in a row that mark a server down.
    #[schemars(range(min = 1))]
    pub error_limit: u32,
    /// `inter`: the time between two checks.
    pub inter: Span,
    /// Good checks that bring a server back.
    pub rise: u32,
    /// `timeout connect`, where it is shorter than a second: the wait before the same server is
    /// connected to again. No limit by default.
    pub timeout_connect: Option<Span>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            retries: 3,
            redispatch: false,
            retry_on: vec!["conn-failure".to_owned()],
            disable_l7_retry_post: false,
            observe: false,
            error_limit: 10,
            inter: Span::secs(2),
            rise: 2,
            timeout_connect: None,
        }
    }
}

/// The statuses that `retry-on` knows.
const STATUSES: [u16; 11] = [401, 403, 404, 408, 425, 429, 500, 501, 502, 503, 504];

/// The state machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Haproxy {
    config: Config,
    retry_on: RetryOn,
    servers: Vec<Server>,
    /// The server that was picked last.
    last: usize,
}

/// What is tried again.
#[derive(Clone, Debug, Default, PartialEq)]
struct RetryOn {
    conn_failure: bool,
    empty_response: bool,
    response_timeout: bool,
    statuses: Vec<u16>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Server {
    /// Bad answers in a row.
    errors: u32,
    /// Marked down until then.
    down_until: Option<Time>,
}

impl Haproxy {
    /// A proxy in front of so many servers.
    ///
    /// # Errors
    /// When a word of `retry_on` is unknown, or `error_limit` is zero.
    pub fn new(config: &Config, servers: usize) -> Result<Haproxy, OutOfRange> {
        at_least_one("error_limit", config.error_limit)?;
        let retry_on = RetryOn::of(&config.retry_on)?;
        let last = servers - 1;
        let servers = vec![Server::default(); servers];
        Ok(Haproxy { config: config.clone(), retry_on, servers, last })
    }

    fn is_up(&self, n: usize, now: Time) -> bool {
        self.servers[n].down_until.is_none_or(|until| now >= until)
    }

    fn pick(&mut self, now: Time) -> Option<usize> {
        let count = self.servers.len();
        let mut others = (1..=count).map(|step| (self.last + step) % count);
        self.last = others.find(|n| self.is_up(*n, now))?;
        Some(self.last)
    }

    fn observe(&mut self, n: usize, now: Time, is_bad: bool) {
        if !self.config.observe {
            return;
        }
        let back = now + self.config.inter * u64::from(self.config.rise);
        let server = &mut self.servers[n];
        server.errors = if is_bad { server.errors.saturating_add(1) } else { 0 };
        if server.errors >= self.config.error_limit {
            *server = Server { errors: 0, down_until: Some(back) };
        }
    }
}

impl Machine for Haproxy {
    fn begin(&mut self, passage: &mut Passage, now: Time) -> Option<usize> {
        passage.left = self.config.retries as usize;
        passage.current = self.pick(now);
        passage.current
    }

    fn next(&mut self, passage: &mut Passage, now: Time, ending: Ending) -> Next {
        let current = passage.current.expect("a server has the request");
        let is_connected = !matches!(ending, Ending::Refused | Ending::Rejected(_));
        let is_listed = match ending {
            Ending::Status(status) => self.retry_on.statuses.contains(&status),
            Ending::TimedOut => self.retry_on.response_timeout,
            Ending::Reset => self.retry_on.empty_response,
            Ending::Refused | Ending::Rejected(_) => self.retry_on.conn_failure,
        };
        let is_guarded =
            is_connected && self.config.disable_l7_retry_post && passage.method == Method::Post;
        if is_listed && passage.left > 0 && !is_guarded {
            passage.left -= 1;
            let up = (0..self.servers.len()).filter(|n| self.is_up(*n, now)).count();
            if self.config.redispatch && up > 1 {
                let server = self.pick(now).unwrap_or(current);
                passage.current = Some(server);
                return Next::at_once(server);
            }
            let turn_around = self.config.timeout_connect.unwrap_or(TURN_AROUND).min(TURN_AROUND);
            let after = if is_connected { Span::ZERO } else { turn_around };
            return Next::Pass { server: current, after };
        }
        match ending {
            Ending::Status(status) => {
                self.observe(current, now, status >= 500 && !matches!(status, 501 | 505));
                Next::Answer(ending)
            }
            Ending::TimedOut => {
                self.observe(current, now, true);
                Next::Answer(Ending::Status(504))
            }
            Ending::Reset => {
                self.observe(current, now, true);
                Next::Answer(Ending::Status(502))
            }
            Ending::Refused | Ending::Rejected(_) => Next::Answer(Ending::Status(503)),
        }
    }
}

impl RetryOn {
    fn of(words: &[String]) -> Result<RetryOn, OutOfRange> {
        let mut on = RetryOn::default();
        for word in words {
            match word.as_str() {
                "none" => {}
                "conn-failure" => on.conn_failure = true,
                "empty-response" => on.empty_response = true,
                "response-timeout" => on.response_timeout = true,
                // Nobody here answers with junk, or speaks TLS.
                "junk-response" | "0rtt-rejected" => {}
                "all-retryable-errors" => {
                    (on.conn_failure, on.empty_response, on.response_timeout) = (true, true, true);
                    on.statuses.extend([500, 502, 503, 504]);
                }
                _ => match word.parse().ok().filter(|status| STATUSES.contains(status)) {
                    Some(status) => on.statuses.push(status),
                    None => {
                        let allowed = "made of conn-failure, empty-response, response-timeout, \
                                       junk-response, 0rtt-rejected, all-retryable-errors, none, \
                                       401, 403, 404, 408, 425, 429, 500, 501, 502, 503, 504";
                        return Err(OutOfRange::new("retry_on", word, allowed));
                    }
                },
            }
        }
        Ok(on)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn haproxy(config: Config, servers: usize) -> Haproxy {
        Haproxy::new(&config, servers).expect("valid")
    }

    fn begin(proxy: &mut Haproxy, method: Method, now: Time) -> (Passage, Option<usize>) {
        let mut passage = Passage::new(method, now);
        let first = proxy.begin(&mut passage, now);
        (passage, first)
    }

    #[test]
    fn a_refused_connection_is_tried_again_on_the_same_server_a_second_later() {
        let mut proxy = haproxy(Config { retries: 1, ..Config::default() }, 2);
        let (mut passage, first) = begin(&mut proxy, Method::Get, Time::ZERO);
        assert_eq!(first, Some(0));
        let again = proxy.next(&mut passage, Time::ZERO, Ending::Refused);
        assert_eq!(again, Next::Pass { server: 0, after: TURN_AROUND });
        let answer = proxy.next(&mut passage, Time::ZERO, Ending::Refused);
        assert_eq!(answer, Next::Answer(Ending::Status(503)));
    }

    #[test]
    fn a_post_that_was_read_is_sent_to_the_next_server_unless_it_is_guarded() {
        for (guarded, expected) in
            [(false, Next::at_once(1)), (true, Next::Answer(Ending::Status(502)))]
        {
            let retry_on = vec!["all-retryable-errors".to_owned()];
            let config = Config {
                redispatch: true,
                retry_on,
                disable_l7_retry_post: guarded,
                ..Config::default()
            };
            let mut proxy = haproxy(config, 2);
            let (mut passage, _) = begin(&mut proxy, Method::Post, Time::ZERO);
            assert_eq!(proxy.next(&mut passage, Time::ZERO, Ending::Reset), expected);
        }
    }

    #[test]
    fn bad_answers_in_a_row_take_a_server_out_until_it_was_checked() {
        let config = Config { observe: true, error_limit: 2, ..Config::default() };
        let mut proxy = haproxy(config, 1);
        let mut call = |secs, ending| {
            let now = Time::ZERO + Span::secs(secs);
            let (mut passage, first) = begin(&mut proxy, Method::Get, now);
            first.map(|_| proxy.next(&mut passage, now, ending))
        };
        call(0, Ending::Status(503));
        call(0, Ending::Status(501));
        call(0, Ending::Status(503));
        assert!(call(0, Ending::TimedOut).is_some());
        assert_eq!(call(3, Ending::Status(200)), None);
        assert!(call(4, Ending::Status(200)).is_some());
    }

    #[test]
    fn unknown_words_are_refused() {
        let retry_on = vec!["418".to_owned()];
        let refused = Haproxy::new(&Config { retry_on, ..Config::default() }, 1);
        assert_eq!(refused.err().map(|error| error.field), Some("retry_on"));
    }
}
