//! nginx as a reverse proxy: smooth round robin, passive health checks, the next upstream.
//!
//! Answers: a server that refuses connections, breaks them or does not answer. Unless the directive
//! says more, these are passed on, and a 503 is not.
//!
//! Invites: `GET`, `PUT` and `DELETE` reach two servers after a read timeout, by default. A `POST`
//! does only before it was sent, or with `non_idempotent`. One failure takes a server out for ten
//! seconds; when all are out, every request is answered 502 and nobody is asked. A lone server is
//! never out.
//!
//! Reference: nginx 1.22.1, `ngx_http_upstream.c` (`ngx_http_upstream_next`,
//! `ngx_http_upstream_test_next`), `ngx_http_upstream_round_robin.c`.
//!
//! ```text
//! out        fails >= max_fails (and max_fails > 0) and now - checked <= fail_timeout, whole seconds
//! pick       each that is not out and not tried: current += effective; the largest wins, the first of
//!            equals; its current -= the sum.  effective climbs back to the weight, 1, with each pick
//! none       the backups by the same rule, then 502
//! a failure  fails + 1, checked = accessed = now, effective -= 1 / max_fails
//! else       fails = 0 if it was checked since the last failure
//! ```
//!
//! Left out: weights, `max_conns`, `slow_start`, several workers with a zone of their own each.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::{Span, Time};

use super::machine::{Machine, Next, Passage};
use crate::{Ending, Method, OutOfRange};

/// The directives, with their defaults.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "NginxProxy")]
pub struct Config {
    /// Failures that take a server out; with 0 none is ever out.
    pub max_fails: u32,
    /// How long a server is out, in whole seconds.
    pub fail_timeout: Span,
    /// What is passed on: `error`, `timeout`, `http_500`, `http_502`, `http_503`, `http_504`,
    /// `http_403`, `http_404`, `http_429`, `non_idempotent`, or `off`.
    pub proxy_next_upstream: Vec<String>,
    /// Servers that one request may reach; 0 is no limit.
    pub proxy_next_upstream_tries: u32,
    /// Nothing is passed on after this time; zero is no limit.
    pub proxy_next_upstream_timeout: Span,
    /// Hosts that are asked only when all others are out or tried.
    pub backup: Vec<String>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            max_fails: 1,
            fail_timeout: Span::secs(10),
            proxy_next_upstream: vec!["error".to_owned(), "timeout".to_owned()],
            proxy_next_upstream_tries: 0,
            proxy_next_upstream_timeout: Span::ZERO,
            backup: Vec::new(),
        }
    }
}

/// The statuses that can be passed on.
const STATUSES: [u16; 7] = [403, 404, 429, 500, 502, 503, 504];

/// The state machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Nginx {
    max_fails: u32,
    fail_timeout: u64,
    passes: Passes,
    tries_max: usize,
    time_max: Span,
    servers: Vec<Server>,
    /// There is one server and no backup, which is never out.
    is_lone: bool,
}

/// What is passed on.
#[derive(Clone, Debug, Default, PartialEq)]
struct Passes {
    error: bool,
    timeout: bool,
    statuses: Vec<u16>,
    non_idempotent: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Server {
    is_backup: bool,
    current: i64,
    effective: i64,
    fails: u32,
    /// When it last failed, in whole seconds.
    accessed: u64,
    /// When it last failed or was tried again, in whole seconds.
    checked: u64,
}

impl Nginx {
    /// A proxy in front of these servers.
    ///
    /// # Errors
    /// When a word of `proxy_next_upstream` is unknown, a backup is none of the servers, or all are.
    pub fn new(config: &Config, servers: &[String]) -> Result<Nginx, OutOfRange> {
        for name in &config.backup {
            if !servers.contains(name) {
                let allowed = format!("one of {}", servers.join(", "));
                return Err(OutOfRange::new("backup", name, allowed));
            }
        }
        let server = |name: &String| {
            let is_backup = config.backup.contains(name);
            Server { is_backup, effective: 1, ..Server::default() }
        };
        let servers: Vec<Server> = servers.iter().map(server).collect();
        if servers.iter().all(|server| server.is_backup) {
            return Err(OutOfRange::new("backup", "all", "not all of the servers"));
        }
        let tries_max = match config.proxy_next_upstream_tries {
            0 => servers.len(),
            tries => (tries as usize).min(servers.len()),
        };
        Ok(Nginx {
            max_fails: config.max_fails,
            fail_timeout: config.fail_timeout.as_nanos() / 1_000_000_000,
            passes: Passes::of(&config.proxy_next_upstream)?,
            tries_max,
            time_max: config.proxy_next_upstream_timeout,
            is_lone: servers.len() == 1,
            servers,
        })
    }

    /// Whether requests pass a server by at `now`.
    fn is_out(&self, n: usize, now: u64) -> bool {
        let Server { fails, checked, .. } = self.servers[n];
        self.max_fails > 0 && fails >= self.max_fails && now - checked <= self.fail_timeout
    }

    /// The server that a request goes to next.
    fn pick(&mut self, passage: &mut Passage, now: Time) -> Option<usize> {
        let now = seconds(now);
        let picked = match self.is_lone {
            true => Some(0),
            false => {
                let first = self.pick_among(false, passage, now);
                first.or_else(|| self.pick_among(true, passage, now))
            }
        };
        passage.current = picked;
        passage.tried.extend(picked);
        picked
    }

    fn pick_among(&mut self, backups: bool, passage: &Passage, now: u64) -> Option<usize> {
        let mut total = 0;
        let mut best: Option<usize> = None;
        for n in 0..self.servers.len() {
            let is_candidate = self.servers[n].is_backup == backups && !passage.tried.contains(&n);
            if !is_candidate || self.is_out(n, now) {
                continue;
            }
            let server = &mut self.servers[n];
            server.current += server.effective;
            total += server.effective;
            server.effective = (server.effective + 1).min(1);
            if best.is_none_or(|best| self.servers[n].current > self.servers[best].current) {
                best = Some(n);
            }
        }
        let best = best?;
        let server = &mut self.servers[best];
        server.current -= total;
        if now - server.checked > self.fail_timeout {
            server.checked = now;
        }
        Some(best)
    }

    /// Takes note of how the server that has the request has done.
    fn free(&mut self, passage: &mut Passage, now: Time, failed: bool) {
        let current = passage.current.take().expect("a server has the request");
        if self.is_lone {
            passage.left = 0;
            return;
        }
        let server = &mut self.servers[current];
        if failed {
            server.fails = server.fails.saturating_add(1);
            (server.accessed, server.checked) = (seconds(now), seconds(now));
            // The weight, 1, in whole numbers: only with a `max_fails` of 1 does it weigh less.
            let less = i64::from(1u32.checked_div(self.max_fails).unwrap_or(0));
            server.effective = (server.effective - less).max(0);
        } else if server.accessed < server.checked {
            server.fails = 0;
        }
        passage.left = passage.left.saturating_sub(1);
    }

    /// Whether the time and the method let a request be passed on.
    fn may_pass(&self, passage: &Passage, now: Time, was_sent: bool) -> bool {
        use Method::{Lock, Patch, Post};
        let is_unsafe = was_sent && matches!(passage.method, Post | Lock | Patch);
        let is_late = !self.time_max.is_zero() && now.since(passage.started) >= self.time_max;
        !is_late && (!is_unsafe || self.passes.non_idempotent)
    }

    fn pass(&mut self, passage: &mut Passage, now: Time) -> Next {
        match self.pick(passage, now) {
            Some(server) => Next::at_once(server),
            None => Next::Nobody(Ending::Status(502)),
        }
    }
}

impl Machine for Nginx {
    fn begin(&mut self, passage: &mut Passage, now: Time) -> Option<usize> {
        passage.left = self.tries_max;
        self.pick(passage, now)
    }

    fn next(&mut self, passage: &mut Passage, now: Time, ending: Ending) -> Next {
        let (is_listed, was_sent, status) = match ending {
            Ending::Status(status) => {
                let is_listed = self.passes.statuses.contains(&status);
                if passage.left > 1 && is_listed && self.may_pass(passage, now, true) {
                    self.free(passage, now, !matches!(status, 403 | 404));
                    return self.pass(passage, now);
                }
                self.free(passage, now, false);
                return Next::Answer(ending);
            }
            Ending::TimedOut => (self.passes.timeout, true, 504),
            Ending::Reset => (self.passes.error, true, 502),
            Ending::Refused | Ending::Rejected(_) => (self.passes.error, false, 502),
        };
        self.free(passage, now, true);
        if passage.left > 0 && is_listed && self.may_pass(passage, now, was_sent) {
            return self.pass(passage, now);
        }
        Next::Answer(Ending::Status(status))
    }
}

impl Passes {
    fn of(words: &[String]) -> Result<Passes, OutOfRange> {
        let mut passes = Passes::default();
        let mut is_off = false;
        for word in words {
            let status = word.strip_prefix("http_").and_then(|status| status.parse().ok());
            match word.as_str() {
                "error" => passes.error = true,
                "timeout" => passes.timeout = true,
                "non_idempotent" => passes.non_idempotent = true,
                "off" => is_off = true,
                // Nobody here answers with an invalid header.
                "invalid_header" => {}
                _ => match status.filter(|status| STATUSES.contains(status)) {
                    Some(status) => passes.statuses.push(status),
                    None => {
                        let allowed = "made of error, timeout, invalid_header, http_500, http_502, \
                                       http_503, http_504, http_403, http_404, http_429, \
                                       non_idempotent, off";
                        return Err(OutOfRange::new("proxy_next_upstream", word, allowed));
                    }
                },
            }
        }
        Ok(if is_off { Passes::default() } else { passes })
    }
}

/// What nginx's clock shows.
fn seconds(now: Time) -> u64 {
    now.as_nanos() / 1_000_000_000
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::proxy::{Proxy, ProxyConfig};

    fn proxy(config: Config, servers: usize) -> Proxy {
        let names: Vec<String> = (0..servers).map(|n| format!("s{n}")).collect();
        Proxy::new(&ProxyConfig::Nginx(config), &names).expect("valid")
    }

    fn endings() -> impl Strategy<Value = Ending> {
        prop::sample::select(vec![
            Ending::Status(200),
            Ending::Status(503),
            Ending::TimedOut,
            Ending::Reset,
            Ending::Refused,
        ])
    }

    proptest! {
        #[test]
        fn a_request_reaches_each_server_once_and_a_post_one_that_read_it(
            servers in 1..5usize,
            tries in 0..4u32,
            is_post in any::<bool>(),
            story in prop::collection::vec((endings(), 0..4u64), 0..80),
        ) {
            let all = ["error", "timeout", "http_503"].map(str::to_owned).to_vec();
            let mut proxy = proxy(Config {
                proxy_next_upstream: all,
                proxy_next_upstream_tries: tries,
                fail_timeout: Span::secs(2),
                ..Config::default()
            }, servers);
            let method = if is_post { Method::Post } else { Method::Get };
            let (mut now, mut story) = (Time::ZERO, story.into_iter());
            'requests: loop {
                let (mut passage, mut server) = proxy.begin(method, now);
                let (mut reached, mut read) = (Vec::new(), 0);
                while let Some(n) = server {
                    prop_assert!(!reached.contains(&n));
                    reached.push(n);
                    let Some((ending, gap)) = story.next() else { break 'requests };
                    now += Span::secs(gap);
                    read += u32::from(ending != Ending::Refused);
                    server = match proxy.next(&mut passage, now, ending) {
                        Next::Pass { server, .. } => Some(server),
                        Next::Answer(_) | Next::Nobody(_) => None,
                    };
                    prop_assert!(tries == 0 || reached.len() <= tries as usize);
                    prop_assert!(!is_post || read <= 1);
                }
                let Some((_, gap)) = story.next() else { break };
                now += Span::secs(gap);
            }
        }
    }

    #[test]
    fn one_refused_connection_on_each_takes_the_site_down_for_ten_seconds() {
        let mut proxy = proxy(Config::default(), 2);
        let (mut first, server) = proxy.begin(Method::Get, Time::ZERO);
        assert_eq!(server, Some(0));
        assert_eq!(proxy.next(&mut first, Time::ZERO, Ending::Refused), Next::at_once(1));
        let answer = proxy.next(&mut first, Time::ZERO, Ending::Refused);
        assert_eq!(answer, Next::Answer(Ending::Status(502)));
        let mut begins = |secs| proxy.begin(Method::Get, Time::ZERO + Span::secs(secs)).1;
        assert_eq!([0, 10].map(&mut begins), [None, None]);
        // The turn goes on where it stood.
        assert_eq!(begins(11), Some(1));
    }

    #[test]
    fn a_backup_is_asked_when_the_others_are_out() {
        let config = Config { backup: vec!["s1".to_owned()], ..Config::default() };
        let mut proxy = proxy(config, 2);
        for server in [0, 1, 1] {
            let (mut passage, begins) = proxy.begin(Method::Get, Time::ZERO);
            assert_eq!(begins, Some(server));
            let ending = if server == 0 { Ending::TimedOut } else { Ending::Status(200) };
            let _ = proxy.next(&mut passage, Time::ZERO, ending);
        }
    }

    #[test]
    fn unknown_words_and_servers_are_refused() {
        let servers = ["a".to_owned()];
        let field = |config: Config| Nginx::new(&config, &servers).err().map(|error| error.field);
        let words = vec!["http_418".to_owned()];
        let refused = Config { proxy_next_upstream: words, ..Config::default() };
        assert_eq!(field(refused), Some("proxy_next_upstream"));
        for name in ["b", "a"] {
            let backup = vec![name.to_owned()];
            assert_eq!(field(Config { backup, ..Config::default() }), Some("backup"));
        }
    }
}
