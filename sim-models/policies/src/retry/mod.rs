//! Whether to try again, and when.
//!
//! Answers: the failure that is over a moment later: a lost packet, a restart, a full queue.
//!
//! Invites: a retry storm. Every layer that tries three times multiplies by three, and most of the
//! load of an outage may be retries. And a retry of something that has succeeded without the
//! caller's knowledge does it twice: a timeout is not a failure.
//!
//! Reference: "Addressing Cascading Failures" in *Site Reliability Engineering*, O'Reilly 2016;
//! for `Retry-After`, RFC 9110, section 10.2.3; the libraries at the versions that each file names.
//!
//! ```text
//!               success -> done, the policy is not asked
//!             /
//! attempt n --
//!      ^      \ failure
//!      |         |- not retryable ------------------> give up: NotRetryable
//!      |         |- the other side says stop -------> give up: PushedBack
//!      |         |- n = attempts_max ---------------> give up: AttemptsExhausted
//!      |         |- the time is over, by each
//!      |         |  library's own rule -------------> give up: TotalTimeExhausted
//!      |         `- otherwise
//!      `--- wait, n + 1
//! ```
//!
//! What the libraries share ends here. They differ in what they retry and in how long they wait,
//! down to the rounding. They also differ in which clock reading the total time is compared with,
//! and in whether they listen to the other side at all:
//!
//! | | attempts | total time | `Retry-After` |
//! |---|---|---|---|
//! | [`house`] | `attempts` | no attempt starts later | by choice; at least that long |
//! | [`resilience4j`] | 3 | - | not heard |
//! | [`failsafe`] | 3 | the last wait is cut to fit; strictly over ends | not heard |
//! | [`polly`] | 4 | - | by choice; replaces the wait |
//! | [`cockatiel`] | unlimited | - | not heard |
//! | [`tenacity`] | unlimited | before or after the wait, by choice | not heard |
//! | [`backoff`] | unlimited | measured when an attempt starts; waits are cut to fit | not heard |
//! | `botocore` | 3 | - | at most 5 s more |
//! | [`grpc`] | 2 to 5 | - | replaces the wait and starts the back-off anew |
//! | [`envoy`] | 2 | - | by choice; at least that long |
//! | [`finagle`] | 3 | - | not heard |
//! | [`p_retry`] | 11 | the last wait is cut to fit | not heard |
//! | [`retry_npm`] | 11 | no retry after it | not heard |
//! | [`celery`] | 4 | - | not heard |
//! | [`sidekiq`] | 26 | - | not heard |
//! | [`active_job`] | 5 | - | not heard |
//! | [`cenkalti_backoff`] | unlimited | 15 min; no wait ends later | not heard |
//! | [`avast_retry_go`] | 10 | - | not heard |
//! | [`retry_policies`] | 4 | no retry after it | not heard |
//! | [`backon`] | 4 | the sum of the waits | not heard |
//!
//! An [`Advice::Stop`] ends every one of them. The clients in [`http`] have tables of their own.
//!
//! Left out: what surrounds a retry in its library, such as budgets and throttles (policies of
//! their own) and hooks; that an exception takes the place of the last result.

pub mod active_job;
pub mod avast_retry_go;
pub mod backoff;
pub mod backon;
mod botocore;
pub mod celery;
pub mod cenkalti_backoff;
pub mod cockatiel;
pub mod envoy;
pub mod failsafe;
pub mod finagle;
pub mod grpc;
pub mod house;
pub mod http;
pub mod p_retry;
pub mod polly;
pub mod resilience4j;
pub mod retry_npm;
pub mod retry_policies;
mod rules;
pub mod sidekiq;
pub mod tenacity;

use sim_core::{Span, Time};

use crate::family::{Build, family};
use crate::{Ending, EndingSet, Method, OutOfRange, Reason, aws};

pub use self::house::{HouseConfig, RetryAfter};
pub use self::rules::{Failure, Luck, Preset, Rules};

/// A family whose members remember something for each call.
macro_rules! retries {
    ($($(#[$doc:meta])* $Name:ident($Options:ty),)+) => {
        family! {
            /// The parameters of a retry, by the library that it behaves like.
            #[schemars(title = "retry")]
            pub enum RetryConfig, asked as Preset;

            /// The rules of any of the libraries.
            pub enum Library;

            $($(#[$doc])* $Name($Options),)+
        }

        /// What a library remembers from wait to wait.
        #[derive(Clone, Copy, Debug, PartialEq)]
        enum Memory {
            $($Name(<<$Options as Build>::Machine as Rules>::Memory),)+
        }

        impl Library {
            fn start(&self) -> Memory {
                match self { $(Library::$Name(rules) => Memory::$Name(Rules::start(rules)),)+ }
            }

            /// The wait, or why there is none.
            fn after(
                &self,
                memory: &mut Memory,
                failure: &Failure,
                luck: &mut Luck,
            ) -> Result<Span, Reason> {
                match (self, memory) {
                    $((Library::$Name(rules), Memory::$Name(memory)) => {
                        Rules::after(rules, memory, failure, luck)
                    })+
                    _ => panic!("the state belongs to a retry of another kind"),
                }
            }

            fn before(&self, elapsed: Span) -> Result<(), Reason> {
                match self { $(Library::$Name(rules) => Rules::before(rules, elapsed),)+ }
            }

            fn timeout(&self, memory: &Memory) -> Option<Span> {
                match (self, memory) {
                    $((Library::$Name(rules), Memory::$Name(memory)) => {
                        Rules::timeout(rules, memory)
                    })+
                    _ => panic!("the state belongs to a retry of another kind"),
                }
            }
        }
    };
}

retries! {
    /// The house's own: any growth, any jitter, `Retry-After` as a lower bound.
    House(house::HouseConfig),
    /// Resilience4j 2.4.
    Resilience4j(resilience4j::Config),
    /// Failsafe (Java) 3.3.
    Failsafe(failsafe::Config),
    /// Polly v8.
    Polly(polly::Config),
    /// cockatiel 3.2.
    Cockatiel(cockatiel::Config),
    /// tenacity 9.2.
    Tenacity(tenacity::Config),
    /// The Python package backoff 2.2.
    Backoff(backoff::Config),
    /// botocore 1.44, or 1.40.
    Botocore(aws::Config),
    /// gRPC, proposal A6.
    Grpc(grpc::Config),
    /// Envoy's router.
    Envoy(envoy::Config),
    /// Finagle.
    Finagle(finagle::Config),
    /// urllib3 2.8.
    Urllib3(http::urllib3::Config),
    /// requests 2.34 over urllib3.
    Requests(http::requests::Config),
    /// The Stripe SDK for Python 16.1.
    StripePython(http::stripe_python::Config),
    /// The Stripe SDK for Node 23.1.
    StripeNode(http::stripe_node::Config),
    /// The Square SDK for Node 46.0.
    SquareNode(http::square_node::Config),
    /// The OpenAI SDK for Python 3.57.
    OpenaiPython(http::openai_python::Config),
    /// azure-core 1.41, under the Azure SDKs for Python.
    AzureCore(http::azure_core::Config),
    /// google-api-core 2.44, under Google's client libraries for Python.
    GoogleApiCore(http::google_api_core::Config),
    /// aiohttp-retry 2.9.
    AiohttpRetry(http::aiohttp_retry::Config),
    /// axios-retry 4.5 over axios 1.21.
    AxiosRetry(http::axios_retry::Config),
    /// got 14.6.
    Got(http::got::Config),
    /// undici's `RetryAgent` 7.30.
    Undici(http::undici::Config),
    /// ky 1.14.
    Ky(http::ky::Config),
    /// Go's `net/http` 1.19.
    GoNetHttp(http::go_net_http::Config),
    /// OkHttp 5.
    OkHttp(http::okhttp::Config),
    /// Spring Cloud Gateway's `Retry` filter 3.1.
    SpringCloudGateway(http::spring_cloud_gateway::Config),
    /// go-retryablehttp 0.7.
    GoRetryablehttp(http::go_retryablehttp::Config),
    /// p-retry 7.1 (Node.js).
    PRetry(p_retry::Config),
    /// retry 0.13 (npm).
    RetryNpm(retry_npm::Config),
    /// Celery 5.7.
    Celery(celery::Config),
    /// Sidekiq 6.4.
    Sidekiq(sidekiq::Config),
    /// Rails' Active Job 6.1.
    ActiveJob(active_job::Config),
    /// cenkalti/backoff 4.1 (Go).
    CenkaltiBackoff(cenkalti_backoff::Config),
    /// avast/retry-go 2.4.
    AvastRetryGo(avast_retry_go::Config),
    /// retry-policies 0.5 (Rust), under reqwest-retry.
    RetryPolicies(retry_policies::Config),
    /// backon 1.6 (Rust).
    Backon(backon::Config),
}

impl Default for RetryConfig {
    fn default() -> RetryConfig {
        RetryConfig::House(HouseConfig::default())
    }
}

/// What the other side asks of those who would retry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Advice {
    /// Nothing.
    #[default]
    None,
    /// To come back after this time: `Retry-After`, or gRPC's `grpc-retry-pushback-ms`.
    After(Span),
    /// Not to come back: a negative `grpc-retry-pushback-ms`.
    Stop,
}

/// A failed attempt as its caller sees it.
#[derive(Clone, Copy, Debug)]
pub struct Failed {
    /// How it ended.
    pub ending: Ending,
    /// What the other side asks for.
    pub advice: Advice,
    /// What was asked of the other side.
    pub method: Method,
    /// It carries a key, the same for all attempts.
    pub has_key: bool,
    /// It or an attempt before it may have done its work, and another one may do it twice.
    pub may_double: bool,
    /// How many waits this client has begun in all its calls; some never forget.
    pub waits: u64,
}

impl Failed {
    /// A failed `GET` without a key, which may be repeated.
    pub const fn new(ending: Ending, advice: Advice) -> Failed {
        Failed { ending, advice, method: Method::Get, has_key: false, may_double: false, waits: 0 }
    }
}

impl From<Option<Span>> for Advice {
    fn from(retry_after: Option<Span>) -> Advice {
        retry_after.map_or(Advice::None, Advice::After)
    }
}

/// Repeats failed attempts as the house or one of the libraries does.
///
/// ```
/// use sim_core::{Span, Time};
/// use sim_policies::retry::{Advice, Failed, RetryConfig, resilience4j};
/// use sim_policies::{Decision, Ending, Reason, Retry};
///
/// let config = resilience4j::Config { max_attempts: 2, ..resilience4j::Config::default() };
/// let retry = Retry::new(&RetryConfig::Resilience4j(config))?;
///
/// let unavailable = Failed::new(Ending::Status(503), Advice::None);
/// let later = Time::ZERO + Span::millis(500);
/// let mut state = retry.start(Time::ZERO);
/// assert_eq!(
///     retry.decide(&mut state, Time::ZERO, unavailable, 0),
///     Decision::Again { after: Span::millis(500), attempt: 2 },
/// );
/// assert_eq!(
///     retry.decide(&mut state, later, unavailable, 0),
///     Decision::GiveUp(Reason::AttemptsExhausted { attempts_max: 2 }),
/// );
/// # Ok::<(), sim_policies::OutOfRange>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    on: Option<EndingSet>,
    is_guarded: bool,
    mints_keys: bool,
    library: Library,
}

/// Where one call stands in its series of attempts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryState {
    attempt: u32,
    started: Time,
    attempt_started: Time,
    memory: Memory,
}

impl RetryState {
    /// The number of the attempt under way, the first being 1.
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }
}

/// What happens after a failed attempt.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Another attempt starts.
    Again {
        /// The wait until it starts.
        after: Span,
        /// Its number; the first retry is attempt 2.
        attempt: u32,
    },
    /// The call ends as its last attempt did.
    GiveUp(Reason),
}

impl Retry {
    /// A retry that behaves as `config` says.
    ///
    /// # Errors
    /// When a parameter is outside what the library accepts, or cannot work.
    pub fn new(config: &RetryConfig) -> Result<Retry, OutOfRange> {
        let options = config.options();
        let on = options.on();
        if let Some(on) = on.filter(EndingSet::has_cancelled) {
            let allowed = "without \"cancelled\": nobody waits for another attempt";
            return Err(OutOfRange::new("on", on, allowed));
        }
        Ok(Retry {
            on,
            is_guarded: options.is_guarded(),
            mints_keys: options.mints_keys(),
            library: config.build()?,
        })
    }

    /// Whether a call of this method that has no key is given one, the same for all its attempts.
    pub fn mints_key(&self, method: Method) -> bool {
        self.mints_keys && method == Method::Post
    }

    /// Whether it refuses to repeat what may count twice: see [`Failed::may_double`].
    pub const fn is_guarded(&self) -> bool {
        self.is_guarded
    }

    /// Whether another attempt follows the first one of a `GET` that ends so.
    pub fn repeats(&self, ending: Ending) -> bool {
        let (mut state, failed) = (self.start(Time::ZERO), Failed::new(ending, Advice::None));
        let decide = |state| self.decide(state, Time::ZERO, failed, 0);
        !ending.is_success() && matches!(decide(&mut state), Decision::Again { .. })
    }

    /// The state of a call whose first attempt starts at `now`.
    pub fn start(&self, now: Time) -> RetryState {
        let memory = self.library.start();
        RetryState { attempt: 1, started: now, attempt_started: now, memory }
    }

    /// What to do after the attempt under way ended at `now` in a failure.
    ///
    /// `draw` is uniform over all of `u64`. The next attempt starts when the wait is over. After
    /// `GiveUp` the state is as before.
    ///
    /// # Panics
    /// When the attempt is a success, or `state` was started by a retry of another kind.
    pub fn decide(&self, state: &mut RetryState, now: Time, failed: Failed, draw: u64) -> Decision {
        let Failed { ending, advice, method, has_key, may_double, waits } = failed;
        assert!(!ending.is_success(), "a success is not retried");
        match self.on {
            Some(on) if !on.contains(ending) => return Decision::GiveUp(Reason::NotRetryable),
            Some(_) if advice == Advice::Stop => return Decision::GiveUp(Reason::PushedBack),
            _ => {}
        }
        let retry_after = match advice {
            Advice::After(span) => Some(span),
            Advice::None | Advice::Stop => None,
        };
        let failure = Failure {
            attempt: state.attempt,
            elapsed: now.since(state.started),
            elapsed_before: state.attempt_started.since(state.started),
            retry_after,
            ending,
            method,
            has_key,
            stop: advice == Advice::Stop,
            waits,
            now,
        };
        let mut memory = state.memory;
        match self.library.after(&mut memory, &failure, &mut Luck::new(draw)) {
            Err(reason) => Decision::GiveUp(reason),
            Ok(_) if may_double && self.is_guarded => Decision::GiveUp(Reason::NotIdempotent),
            Ok(after) => {
                let attempt = state.attempt.saturating_add(1);
                let started = state.started;
                *state = RetryState { attempt, started, attempt_started: now + after, memory };
                Decision::Again { after, attempt }
            }
        }
    }
}

impl Retry {
    /// Asked when the wait for the next attempt is over, at `now`.
    ///
    /// # Errors
    /// Why it does not start, although it was waited for.
    pub fn before(&self, state: &RetryState, now: Time) -> Result<(), Reason> {
        self.library.before(now.since(state.started))
    }

    /// The timeout of the attempt that starts, where it is the library's own.
    ///
    /// # Panics
    /// When `state` was started by a retry of another kind.
    pub fn timeout(&self, state: &RetryState) -> Option<Span> {
        self.library.timeout(&state.memory)
    }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
