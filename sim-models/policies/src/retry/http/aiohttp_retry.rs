//! aiohttp-retry: three attempts, each 5xx of a `POST` included, and no broken connection.
//!
//! Answers: a server that answers 500, in clients that are coroutines.
//!
//! Invites: a double charge by default: a `POST` that was answered with a 500 is sent again. The first
//! wait is `start * factor`, and `FibonacciRetry` never forgets: its waits grow over all calls.
//!
//! Reference: aiohttp-retry 2.9.1, `client.py`, `retry_options.py`.
//!
//! ```text
//! Exponential    min(start * factor^k, max)             k = the attempt that failed, from 1
//! Jitter         that + (u * size)^factor
//! Random         min + u * (max - min)
//! Fibonacci      min(multiplier * f, max)               f = 2, 3, 5, ... over all calls
//! List           timeouts[k] from 0: the first is never used
//! ```
//!
//! Left out: `evaluate_response_callback`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::{Span, math};

use super::{Broken, Client, Exchange, IDEMPOTENT, NOT_RETRYABLE, Next, Outcome, Wait, exhausted};
use crate::family::Build;
use crate::out_of_range::at_least_one;
use crate::retry::rules::{Preset, at_least};
use crate::{Method, OutOfRange, Reason};

/// The options of `RetryClient`.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "AiohttpRetryRetry")]
pub struct Config {
    /// Which class of options, and so how the waits grow.
    pub options: Options,
    /// Attempts in all, the first included; `ListRetry` makes as many as its list is long.
    #[schemars(range(min = 1))]
    pub attempts: u32,
    /// The methods that are repeated after a status.
    pub methods: Vec<Method>,
    /// Statuses that are repeated beside those from 500 on.
    pub statuses: Vec<u16>,
    /// Whether each status from 500 on is repeated.
    pub retry_all_server_errors: bool,
    /// The exceptions that are repeated.
    pub exceptions: Vec<Exception>,
    /// Whether a status from 400 on is raised, which makes it an exception.
    pub raise_for_status: bool,
}

/// An exception that may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
#[schemars(rename = "AiohttpException")]
#[allow(clippy::enum_variant_names, reason = "the names are the library's")]
pub enum Exception {
    /// A broken or refused connection, and a status that was raised.
    ClientError,
    /// No answer in time.
    TimeoutError,
    /// Each.
    Exception,
}

/// How the waits grow.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[schemars(rename = "AiohttpRetryOptions", title = "options of aiohttp-retry")]
#[allow(clippy::enum_variant_names, reason = "the names are the library's")]
pub enum Options {
    /// By a factor.
    ExponentialRetry(Exponential),
    /// By a factor, and luck is added.
    JitterRetry(Jitter),
    /// By luck alone.
    RandomRetry(Random),
    /// Along the Fibonacci numbers, over all calls of the client.
    FibonacciRetry(Fibonacci),
    /// As listed; the first is never used.
    #[schemars(example = r#"ListRetry(["1s", "2s", "5s"])"#)]
    ListRetry(Vec<Span>),
}

/// The arguments of `ExponentialRetry`.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "AiohttpExponential")]
pub struct Exponential {
    /// The wait before growth; the first is this times the factor.
    pub start_timeout: Span,
    /// The longest.
    pub max_timeout: Span,
    /// How they grow.
    #[schemars(range(min = 0.0))]
    pub factor: f64,
}

/// The arguments of `JitterRetry`.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "AiohttpJitter")]
pub struct Jitter {
    /// The wait before growth; the first is this times the factor.
    pub start_timeout: Span,
    /// The longest before luck is added.
    pub max_timeout: Span,
    /// How they grow.
    #[schemars(range(min = 0.0))]
    pub factor: f64,
    /// Luck adds up to this, in seconds, to the power of the factor.
    #[schemars(range(min = 0.0))]
    pub random_interval_size: f64,
}

/// The arguments of `RandomRetry`.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "AiohttpRandom")]
pub struct Random {
    /// The shortest.
    pub min_timeout: Span,
    /// The longest.
    pub max_timeout: Span,
}

/// The arguments of `FibonacciRetry`.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "AiohttpFibonacci")]
pub struct Fibonacci {
    /// Seconds for each one of the number.
    #[schemars(range(min = 0.0))]
    pub multiplier: f64,
    /// The longest.
    pub max_timeout: Span,
}

impl Default for Exponential {
    fn default() -> Exponential {
        let (start_timeout, max_timeout) = (Span::millis(100), Span::secs(30));
        Exponential { start_timeout, max_timeout, factor: 2.0 }
    }
}

impl Default for Jitter {
    fn default() -> Jitter {
        let Exponential { start_timeout, max_timeout, factor } = Exponential::default();
        Jitter { start_timeout, max_timeout, factor, random_interval_size: 2.0 }
    }
}

impl Default for Random {
    fn default() -> Random {
        Random { min_timeout: Span::millis(100), max_timeout: Span::secs(3) }
    }
}

impl Default for Fibonacci {
    fn default() -> Fibonacci {
        Fibonacci { multiplier: 1.0, max_timeout: Span::secs(3) }
    }
}

impl Default for Config {
    fn default() -> Config {
        let mut methods = IDEMPOTENT.to_vec();
        methods.extend([Method::Post, Method::Connect, Method::Patch]);
        Config {
            options: Options::ExponentialRetry(Exponential::default()),
            attempts: 3,
            methods,
            statuses: Vec::new(),
            retry_all_server_errors: true,
            exceptions: Vec::new(),
            raise_for_status: false,
        }
    }
}

/// The client's rules.
#[derive(Clone, Debug, PartialEq)]
pub struct AiohttpRetry {
    config: Config,
    attempts_max: u32,
}

impl Build for Config {
    type Machine = AiohttpRetry;

    /// # Errors
    /// When no attempt is permitted, or a number is none from 0 on.
    fn build(&self) -> Result<AiohttpRetry, OutOfRange> {
        let mut attempts_max = self.attempts;
        match &self.options {
            Options::ExponentialRetry(Exponential { factor, .. }) => {
                at_least("factor", *factor, 0.0)?;
            }
            Options::JitterRetry(Jitter { factor, random_interval_size, .. }) => {
                at_least("factor", *factor, 0.0)?;
                at_least("random_interval_size", *random_interval_size, 0.0)?;
            }
            Options::RandomRetry(_) => {}
            Options::FibonacciRetry(Fibonacci { multiplier, .. }) => {
                at_least("multiplier", *multiplier, 0.0)?;
            }
            Options::ListRetry(timeouts) => {
                attempts_max = u32::try_from(timeouts.len()).unwrap_or(u32::MAX);
            }
        }
        at_least_one("attempts", attempts_max)?;
        Ok(AiohttpRetry { config: self.clone(), attempts_max })
    }
}

impl Preset for Config {}

impl AiohttpRetry {
    fn catches(&self, is_client_error: bool, is_timeout: bool) -> bool {
        self.config.exceptions.iter().any(|exception| match exception {
            Exception::ClientError => is_client_error,
            Exception::TimeoutError => is_timeout,
            Exception::Exception => true,
        })
    }

    /// Whether a response is repeated, or why it is handed back.
    fn repeats(&self, exchange: &Exchange<'_>, status: u16) -> Result<(), Reason> {
        let Config { methods, statuses, retry_all_server_errors, .. } = &self.config;
        let is_server_error = *retry_all_server_errors && status >= 500;
        if exchange.attempt >= self.attempts_max {
            Err(exhausted(self.attempts_max - 1))
        } else if !is_server_error && !statuses.contains(&status) {
            Err(NOT_RETRYABLE)
        } else if !methods.contains(&exchange.method) {
            Err(Reason::MethodNotRepeated(exchange.method))
        } else {
            Ok(())
        }
    }

    fn wait(&self, exchange: &Exchange<'_>, draw: &mut dyn FnMut() -> f64) -> f64 {
        let k = exchange.attempt;
        let grown = |start: Span, factor: f64, max: Span| {
            (start.as_secs_f64() * math::pow(factor, f64::from(k))).min(max.as_secs_f64())
        };
        match &self.config.options {
            Options::ExponentialRetry(Exponential { start_timeout, max_timeout, factor }) => {
                grown(*start_timeout, *factor, *max_timeout)
            }
            Options::JitterRetry(jitter) => {
                let Jitter { start_timeout, max_timeout, factor, random_interval_size } = *jitter;
                let luck = math::pow(draw() * random_interval_size, factor);
                grown(start_timeout, factor, max_timeout) + luck
            }
            Options::RandomRetry(Random { min_timeout, max_timeout }) => {
                let (min, max) = (min_timeout.as_secs_f64(), max_timeout.as_secs_f64());
                min + (max - min) * draw()
            }
            Options::FibonacciRetry(Fibonacci { multiplier, max_timeout }) => {
                let (mut a, mut b) = (1.0, 1.0);
                let mut left = exchange.waits.saturating_add(1);
                while left > 0 && multiplier * b < max_timeout.as_secs_f64() {
                    (a, b) = (b, a + b);
                    left -= 1;
                }
                (multiplier * b).min(max_timeout.as_secs_f64())
            }
            Options::ListRetry(timeouts) => {
                timeouts.get(k as usize).copied().unwrap_or_default().as_secs_f64()
            }
        }
    }
}

impl Client for AiohttpRetry {
    type Memory = ();

    fn start(&self) {}

    fn next(
        &self,
        _memory: &mut (),
        exchange: &Exchange<'_>,
        draw: &mut dyn FnMut() -> f64,
    ) -> Next {
        let catches = match exchange.outcome {
            Outcome::Status(status) => match self.repeats(exchange, status) {
                Ok(()) => true,
                Err(_) if self.config.raise_for_status && status >= 400 => {
                    self.catches(true, false)
                }
                Err(reason) => return Next::Value(reason),
            },
            Outcome::Broken(broken) => {
                let is_timeout = matches!(broken, Broken::Timeout | Broken::ConnectTimeout);
                let is_client_error = !matches!(broken, Broken::Timeout | Broken::Bug);
                self.catches(is_client_error, is_timeout)
            }
        };
        if exchange.attempt >= self.attempts_max {
            return Next::Raise(exhausted(self.attempts_max - 1));
        }
        if !catches {
            return Next::Raise(NOT_RETRYABLE);
        }
        Next::Again(Wait::Secs(self.wait(exchange, draw)))
    }
}
