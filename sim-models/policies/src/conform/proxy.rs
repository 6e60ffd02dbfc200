//! Traces of nginx and HAProxy in front of servers that do as the line says.

use serde_json::{Map, Value, json};
use sim_core::Span;

use super::driver::{Driver, Event, Outputs, wrong};
use super::options::{Options, set};
use crate::proxy::{Next, Proxy, ProxyConfig, haproxy, nginx};
use crate::{Ending, Method};

struct ProxyDriver {
    proxy: Proxy,
    servers: Vec<String>,
    is_nginx: bool,
}

/// The driver of nginx.
pub(super) fn nginx(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    let mut config = nginx::Config::default();
    set(&mut config.max_fails, options.count("max_fails")?);
    if let Some(text) = options.text("fail_timeout")? {
        let wanted = || format!("config.fail_timeout is `{text}`; it must be a time such as 10s");
        config.fail_timeout = seconds(text).ok_or_else(wanted)?;
    }
    set(&mut config.proxy_next_upstream, words(options, "proxy_next_upstream")?);
    set(&mut config.proxy_next_upstream_tries, options.count("proxy_next_upstream_tries")?);
    if let Some(backup) = options.get("backup") {
        config.backup = names(backup).ok_or("config.backup must be a list of servers")?;
    }
    driver(&ProxyConfig::Nginx(config), true, options)
}

/// The driver of HAProxy.
pub(super) fn haproxy(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    let mut config = haproxy::Config::default();
    set(&mut config.retries, options.count("retries")?);
    config.redispatch = match options.get("redispatch") {
        None | Some(Value::Bool(false)) => false,
        Some(Value::Bool(true)) => true,
        Some(Value::Number(interval)) => interval.as_i64() != Some(0),
        Some(other) => return Err(format!("config.redispatch is {other}; known: true, a number")),
    };
    set(&mut config.retry_on, words(options, "retry-on")?);
    set(&mut config.disable_l7_retry_post, options.flag("disable_l7_retry_post")?);
    set(&mut config.observe, options.flag("observe")?);
    set(&mut config.error_limit, options.count("error-limit")?);
    if let Some(other) = options.text("on-error")?.filter(|word| *word != "mark-down") {
        return Err(format!("config.on-error is `{other}`; known: mark-down"));
    }
    // No trace lasts until a server is checked.
    config.inter = Span::secs(1_000_000_000);
    driver(&ProxyConfig::Haproxy(config), false, options)
}

fn driver(
    config: &ProxyConfig,
    is_nginx: bool,
    options: &Options<'_>,
) -> Result<Box<dyn Driver>, String> {
    let servers = options.get("servers").and_then(names);
    let servers = servers.ok_or("config.servers must be a list of names")?;
    let proxy = Proxy::new(config, &servers).map_err(|error| format!("config: {error}"))?;
    Ok(Box::new(ProxyDriver { proxy, servers, is_nginx }))
}

/// The words of an option that is written as a directive.
fn words(options: &Options<'_>, name: &str) -> Result<Option<Vec<String>>, String> {
    let split = |text: &str| text.split_whitespace().map(str::to_owned).collect();
    Ok(options.text(name)?.map(split))
}

fn names(list: &Value) -> Option<Vec<String>> {
    list.as_array()?.iter().map(|name| name.as_str().map(str::to_owned)).collect()
}

/// A time as nginx reads it: seconds unless there is a unit.
fn seconds(text: &str) -> Option<Span> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let number: u64 = digits.parse().ok()?;
    let unit = match &text[digits.len()..] {
        "" | "s" => Span::secs(1),
        "ms" => Span::millis(1),
        "m" => Span::secs(60),
        "h" => Span::secs(3600),
        _ => return None,
    };
    Some(unit * number)
}

/// How a server that behaves so ends a request, and whether it reads it.
fn behaves(word: &str) -> Option<(Ending, bool)> {
    Some(match word {
        "refused" => (Ending::Refused, false),
        "reset" | "empty" => (Ending::Reset, true),
        "hang" => (Ending::TimedOut, true),
        status => {
            let status = status.parse().ok().filter(|status| (100..=599).contains(status))?;
            (Ending::Status(status), true)
        }
    })
}

impl ProxyDriver {
    fn request(&mut self, event: &mut Event) -> Result<Outputs, String> {
        let method = event.text("method")?;
        let method: Method = method.parse().map_err(|_| format!("unknown method `{method}`"))?;
        let backends = event.take("backends");
        let wanted = "what each server does";
        let Some(Value::Object(backends)) = &backends else {
            return Err(wrong("backends", backends.as_ref(), wanted));
        };
        let now = event.at;
        let (mut tried, mut received) = (Vec::new(), Vec::new());
        let (mut retries, mut redispatched) = (0, false);
        let (mut passage, mut server) = self.proxy.begin(method, now);
        let mut last = "none";
        let mut answer = self.proxy.nobody();
        while let Some(n) = server.take() {
            let name = &self.servers[n];
            let (ending, reads) = self.backend(backends, n)?;
            tried.push(name.as_str());
            if reads {
                received.push(name.as_str());
            }
            last = name;
            match self.proxy.next(&mut passage, now, ending) {
                Next::Pass { server: next, .. } => {
                    retries += 1;
                    redispatched |= next != n;
                    server = Some(next);
                }
                Next::Answer(ending) => answer = ending,
                Next::Nobody(ending) => {
                    tried.push("none");
                    answer = ending;
                }
            }
        }
        let Ending::Status(status) = answer else { unreachable!("a proxy answers with a status") };
        let mut outputs = vec![("received", json!(received)), ("status", json!(status))];
        if self.is_nginx {
            outputs.push(("tried", json!(tried)));
        } else {
            outputs.push(("server", json!(last)));
            outputs.push(("retries", json!(retries)));
            outputs.push(("redispatched", json!(redispatched)));
        }
        Ok(outputs)
    }

    fn backend(&self, backends: &Map<String, Value>, n: usize) -> Result<(Ending, bool), String> {
        let name = &self.servers[n];
        let word = backends.get(name).and_then(Value::as_str);
        let known = "refused, reset, empty, hang or a status";
        word.and_then(behaves).ok_or_else(|| format!("`backends.{name}` must be {known}"))
    }
}

impl Driver for ProxyDriver {
    fn play(&mut self, event: &mut Event) -> Result<Outputs, String> {
        match event.op.as_str() {
            "request" => self.request(event),
            "wait" => {
                event.millis("ms")?;
                Ok(Outputs::new())
            }
            _ => Err(event.unknown_op("request, wait")),
        }
    }

    fn state(&self) -> String {
        format!("{:?}", self.proxy)
    }
}
