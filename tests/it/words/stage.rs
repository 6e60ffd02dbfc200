//! Where each word stands: a scenario that has whatever its example names.

use sim_core::Span;
use sim_models::Draft;
use sim_models::custom::{Ask, CustomActor, Desk, Kinds};
use sim_models::custom::{CustomPolicy, Passage, PolicyDesk, Turn};
use sim_models::language::{PART, Word};

use crate::support::draft;

const STAGE: &str = include_str!("stage.ron");

/// What gives the variables that examples name, and how many steps that takes.
const GIVEN: (&str, usize) = (
    r#"Let("stored", {"state": "done"}), Let("claimed", 1), Let("tries", 0), Let("status", 200),
       Let("due", 0), Let("origin", 1), Let("client", "a"), Let("execution", 1), "#,
    8,
);

/// Where a word stands.
pub struct Place {
    /// What is set there so that the word has something to stand in: a path, and a value in which
    /// `$` is the word.
    put: (String, String),
    /// The word's own path.
    pub at: String,
}

impl Place {
    fn itself(path: &str) -> Place {
        Place { put: (path.to_owned(), "$".to_owned()), at: path.to_owned() }
    }

    /// In what is put at `path`, at `within` that.
    fn within(path: &str, text: &str, within: &str) -> Place {
        Place { put: (path.to_owned(), text.to_owned()), at: format!("{path}{within}") }
    }

    /// In a policy of a stack.
    fn in_policy(text: &str, within: &str) -> Place {
        Place::within("policies.provider", &format!("[{text}]"), &format!("[0]{within}"))
    }

    /// In a step of a program.
    fn in_step(text: &str, within: &str) -> Place {
        let (given, n) = GIVEN;
        let path = "actors.api.endpoints.tried";
        Place::within(path, &format!("[{given}{text}]"), &format!("[{n}]{within}"))
    }

    /// The policy around a word that is part of one, with `$` for the word.
    pub fn frame(&self) -> &str {
        self.put.1.trim_start_matches('[').trim_end_matches(']')
    }

    /// The stage with the word as it is written here.
    pub fn with(&self, written: &str) -> Draft {
        let (path, text) = &self.put;
        let draft = match path.is_empty() {
            true => draft(written, None, &[]),
            false => draft(STAGE, None, &[(path, &text.replace('$', written))]),
        };
        let kinds = Kinds::new()
            .with("bank", |_config| Ok(Box::new(Bank)))
            .with_policy("token_bank", |_config| Ok(Box::new(Bank)));
        draft.kinds(kinds).with_file("arrivals.csv", "1\n2\n")
    }
}

/// What the examples of `Custom` name.
#[derive(Debug)]
struct Bank;

impl CustomActor for Bank {
    fn on_request(&mut self, ask: Ask, desk: &mut Desk<'_>) {
        desk.answer(ask.ticket, 200, ask.body, Span::ZERO);
    }
}

impl CustomPolicy for Bank {
    fn enter(&mut self, _: Passage, _: &mut PolicyDesk<'_>) -> Turn {
        Turn::Inwards
    }
}

/// Where a word stands; none for a word that is one of a few names, without arguments.
pub fn place(word: &Word) -> Option<Place> {
    Some(match (word.kind.as_str(), word.name.as_str()) {
        (PART, part) => return place_of_part(part),
        ("actor", _) => Place::itself("actors.tried"),
        ("load", _) => Place::itself("actors.shoppers.load"),
        ("change of a rate", _) => Place::within(
            "actors.shoppers.load",
            r#"Open(rate: "1/s", changes: [$])"#,
            ".changes[0]",
        ),
        ("number of requests", _) => Place::within(
            "actors.shoppers.load",
            r#"Sessions(rate: "1/s", requests: $)"#,
            ".requests",
        ),
        ("distribution", _) => {
            Place::within("links", r#"[Link(from: "api", to: "psp", latency: $)]"#, "[0].latency")
        }
        ("queue", _) => Place::itself("actors.api.queue"),
        ("balancer", _) => Place::itself("actors.psp.balancer"),
        ("metric of an autoscaler", _) => {
            Place::within("actors.api.autoscale", "Autoscale(min: 1, max: 2, metric: $)", ".metric")
        }
        ("contention", _) => Place::itself("actors.api.contention"),
        ("early computation", _) => Place::itself("actors.api.caches.prices.early"),
        ("node of a store", _) => {
            Place::in_step(r#"Kv(Get("{key}"), store: "redis", from: $)"#, ".from")
        }
        ("doing of a user", _) => {
            Place::within("faults", r#"[At("30s", User("shoppers", $))]"#, "[0].fault.does")
        }
        ("persistence", _) => Place::itself("actors.redis.persistence"),
        ("condition", _) => Place::in_step("If($, then: [])", ".when"),
        ("step", "Break") => Place::in_step("Loop(2, [$])", ".body[0]"),
        ("step", "Raise") => Place::in_step(r#"Try([Fail(500)], catch: [$])"#, ".catch[0]"),
        ("step", "Phase") => Place::in_step(r#"Idempotent("safe", body: [$])"#, ".body[0]"),
        ("step", "Body") => {
            Place::within("designs.tried", r#"Design(about: "None.", steps: [$])"#, ".steps[0]")
        }
        ("step", "Refunded") => Place::within("actors.shoppers.does", "[$]", "[0]"),
        ("step", _) => Place::in_step("$", ""),
        ("store command", "Effect") => {
            Place::in_step(r#"Kv(Multi([$]), store: "redis")"#, ".op[0]")
        }
        ("store command", _) => Place::in_step(r#"Kv($, store: "redis")"#, ".op"),
        ("fault", "Throw") => {
            Place::within("faults", r#"[After("api.pay/charged", $)]"#, "[0].fault")
        }
        ("fault", "User") => Place::within("faults", r#"[At("30s", $)]"#, "[0].fault"),
        ("fault", "Stall") => {
            Place::within("faults", r#"[After("api.pay/charged", for: "5s", $)]"#, "[0].fault")
        }
        ("fault", _) => Place::within("faults", r#"[At("30s", for: "20s", $)]"#, "[0].fault"),
        ("time of a fault", _) => Place::within("faults", "[$]", "[0]"),
        ("invariant", _) => Place::within("invariants", "[$]", "[0]"),
        ("policy", "Breaker") => Place::in_policy("$", ""),
        ("policy", _) => {
            Place::within("policies.provider", "[$, Breaker(Consecutive(failures: 5))]", "[0]")
        }
        ("breaker", _) => Place::in_policy("Breaker($)", ".trip"),
        ("retry", _) => Place::in_policy("Retry($)", ".like"),
        ("budget", _) => Place::in_policy("Retry(attempts: 2, budget: $)", ".budget"),
        ("backoff", _) => Place::in_policy("Retry(attempts: 2, backoff: $)", ".backoff"),
        ("jitter", _) => Place::in_policy("Retry(attempts: 2, jitter: $)", ".jitter"),
        ("bulkhead", _) => Place::in_policy("Bulkhead($)", ".like"),
        ("rate limiter", _) => Place::in_policy("RateLimiter($)", ".limit"),
        ("concurrency limit", _) => Place::in_policy("ConcurrencyLimit($)", ".limit"),
        ("hedge", _) => Place::in_policy("Hedge($)", ".like"),
        ("outlier detection", _) => {
            Place::in_policy("OutlierDetection(hosts: [], like: $)", ".like")
        }
        ("proxy", _) => Place::in_policy("Upstream(hosts: [], like: $)", ".like"),
        ("wait of ActiveJob", _) => Place::in_policy("Retry(ActiveJob(wait: $))", ".like.wait"),
        ("interval of Resilience4j", _) => {
            Place::in_policy("Retry(Resilience4j(interval_function: $))", ".like.interval_function")
        }
        ("backoff of Cockatiel", _) => {
            Place::in_policy("Retry(Cockatiel(backoff: $))", ".like.backoff")
        }
        ("stop of Tenacity", _) => Place::in_policy("Retry(Tenacity(stop: $))", ".like.stop"),
        ("wait of Tenacity", _) => Place::in_policy("Retry(Tenacity(wait: $))", ".like.wait"),
        ("wait of Backoff", _) => Place::in_policy("Retry(Backoff(wait_gen: $))", ".like.wait_gen"),
        ("base of Botocore", _) => {
            Place::in_policy("Retry(Botocore(mode: Legacy, base: $))", ".like.base")
        }
        ("options of aiohttp-retry", _) => {
            Place::in_policy("Retry(AiohttpRetry(options: $))", ".like.options")
        }
        ("backoff of Finagle", _) => {
            Place::in_policy("Retry(Finagle(backoff: $))", ".like.backoff")
        }
        ("trip of Gobreaker", _) => {
            Place::in_policy("Breaker(Gobreaker(ready_to_trip: $))", ".trip.ready_to_trip")
        }
        ("trip of Cockatiel", _) => {
            Place::in_policy("Breaker(Cockatiel(breaker: $))", ".trip.breaker")
        }
        ("open time of Cockatiel", _) => {
            Place::in_policy("Breaker(Cockatiel(half_open_after: $))", ".trip.half_open_after")
        }
        ("delay of a hedge", _) => Place::in_policy("Hedge(House(delay: $))", ".like.delay"),
        _ => return None,
    })
}

fn place_of_part(name: &str) -> Option<Place> {
    Some(match name {
        "Scenario" => Place { put: (String::new(), String::new()), at: String::new() },
        "Recovery" => Place::itself("recovery"),
        "Limits" => Place::itself("limits"),
        "Design" => Place::itself("designs.tried"),
        "Link" => Place::within("links", "[$]", "[0]"),
        "Admission" => Place::itself("actors.api.admission"),
        "Autoscale" => Place::itself("actors.api.autoscale"),
        "Gc" => Place::itself("actors.api.gc"),
        "SlowStart" => Place::itself("actors.api.slow_start"),
        "Cache" => Place::itself("actors.api.caches.tried"),
        "Job" => Place::itself("actors.api.jobs.sweep"),
        "Queue" => Place::itself("actors.bus.queues.tried"),
        "SampleWindow" => Place::in_policy(
            "ConcurrencyLimit(Windowed(limit: Gradient2(), window: $))",
            ".limit.window",
        ),
        "Share" => Place::in_policy(
            "Retry(attempts: 2, budget: Envoy(retry_budget: $))",
            ".budget.retry_budget",
        ),
        "ExponentialWait" => Place::in_policy(
            "Breaker(Resilience4j(wait_interval_exponential: $))",
            ".trip.wait_interval_exponential",
        ),
        "BackoffConfig" => {
            Place::in_policy("Retry(SpringCloudGateway(backoff: $))", ".like.backoff")
        }
        "BreakDurationGenerator" => Place::in_policy(
            "Breaker(Polly(break_duration_generator: $))",
            ".trip.break_duration_generator",
        ),
        "RetryBackOff" => {
            Place::in_policy("Retry(Envoy(retry_back_off: $))", ".like.retry_back_off")
        }
        "RateLimitedRetryBackOff" => Place::in_policy(
            "Retry(Envoy(rate_limited_retry_back_off: $))",
            ".like.rate_limited_retry_back_off",
        ),
        _ => return None,
    })
}
