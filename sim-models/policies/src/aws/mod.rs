//! The retry modes of the AWS SDKs, as botocore (the SDK for Python) has them.
//!
//! Answers: throttled and overloaded services. The delays are drawn from the full range, and a
//! retry after a throttle waits longer than one after a hiccup. A quota of tokens
//! ([`budget::aws`](super::budget::aws)) stops the retries of a whole client when they do not help.
//! The adaptive mode also slows down first attempts ([`ClientRateLimiter`]).
//!
//! Invites: in legacy mode, five attempts each, without a quota. In adaptive mode, one limiter for
//! all resources that a client talks to: a throttled table slows the calls to all others.
//!
//! Reference: botocore 1.44.5 and 1.40.0: `botocore/retries/standard.py` (`ExponentialBackoff`,
//! `StandardRetryConditions`, `ThrottlingErrorDetector`), `botocore/retryhandler.py` and
//! `botocore/data/_retry.json` (legacy), `botocore/retries/adaptive.py`.
//!
//! ```text
//! mode       attempts   delay before retry n, in seconds; u is drawn from [0, 1)
//!
//! legacy     5 (10)     u * 2^(n-1)                                  (0.05 * 2^(n-1))
//! standard   3          u * min(2^(n-1), 20)                                     1.40
//!            3 (4)      u * min(scale * 2^(n-1), 20)                             1.44
//!                       scale = 1 after a throttle, otherwise 0.05 (0.025)
//!                       max(t, min(x-amz-retry-after, t + 5)) where t is the above
//! adaptive              as standard, and a rate limit on all attempts
//!                                                               in brackets: DynamoDB
//! ```
//!
//! # Left out
//! Error codes. botocore reads the code in the body (`SlowDown`, `ThrottlingException`); here only
//! the status is known, and [`Kind::of`] says what it stands for. Checks of a body's checksum, the
//! wait of long polls that found the quota empty, and errors that a service's model declares
//! retryable.

mod rate_limiter;

pub use rate_limiter::ClientRateLimiter;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::{Span, math};

use crate::family::Build;
use crate::out_of_range::at_least_one;
use crate::{Ending, OutOfRange};

/// Which of botocore's retry modes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
#[schemars(rename = "AwsMode")]
pub enum Mode {
    /// The oldest: more attempts, no quota. The default of botocore 1.40.
    Legacy,
    /// The mode that all AWS SDKs share. The default of botocore 1.44.
    #[default]
    Standard,
    /// Standard, and a limit on the rate of all attempts once the service has throttled one.
    Adaptive,
}

/// Which botocore. It changed the standard mode's delays and costs in between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
#[schemars(rename = "AwsVersion")]
pub enum Version {
    /// 1.40.0, of July 2025.
    V1_40,
    /// 1.44.5, of November 2026.
    #[default]
    V1_44,
}

/// Services that botocore treats in a way of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Deserialize, Serialize)]
#[schemars(rename = "AwsService")]
pub enum Service {
    /// Any other.
    #[default]
    Other,
    /// DynamoDB, and its streams: more attempts, shorter delays.
    #[serde(alias = "DynamodbStreams")]
    Dynamodb,
    /// S3, whose 503 is `SlowDown` and therefore a throttle.
    S3,
}

/// Where the delays of legacy mode start.
#[derive(Clone, Copy, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[schemars(rename = "AwsBase", title = "base of Botocore")]
pub enum Base {
    /// A draw from `[0, 1)` seconds, anew for each delay.
    Rand,
    /// This many seconds, without any draw; above 0.
    #[schemars(example = r#"Secs(0.05)"#)]
    Secs(#[schemars(extend("exclusiveMinimum" = 0))] f64),
}

/// What botocore sees in the end of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A 2xx.
    Success,
    /// The service asks for fewer requests.
    Throttle,
    /// No connection or no answer in time.
    Timeout,
    /// Something broke that may be whole a moment later.
    Transient,
    /// What another attempt does not mend.
    Other,
}

impl Kind {
    /// What an ending stands for.
    ///
    /// | ending | kind |
    /// |---|---|
    /// | 2xx | success |
    /// | 429; 503 from S3 (`SlowDown`) | throttle |
    /// | 500, 502, 503, 504; connection refused or reset | transient |
    /// | timed out | timeout |
    /// | any other status; rejected by a policy on this side | other |
    ///
    /// A 429 of AWS carries a code that all versions know (`TooManyRequestsException`). Only 1.44
    /// would also retry a 429 without one.
    pub const fn of(ending: Ending, service: Service) -> Kind {
        match (ending, service) {
            (Ending::Status(200..=299), _) => Kind::Success,
            (Ending::Status(429), _) | (Ending::Status(503), Service::S3) => Kind::Throttle,
            (Ending::Status(500 | 502 | 503 | 504), _) => Kind::Transient,
            (Ending::TimedOut, _) => Kind::Timeout,
            (Ending::Refused | Ending::Reset, _) => Kind::Transient,
            (Ending::Status(_) | Ending::Rejected(_), _) => Kind::Other,
        }
    }

    /// True when another attempt may mend it.
    pub const fn is_retryable(self) -> bool {
        matches!(self, Kind::Throttle | Kind::Timeout | Kind::Transient)
    }
}

/// How a client of AWS retries.
#[derive(Clone, Debug, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "BotocoreRetry")]
pub struct Config {
    /// The mode.
    pub mode: Mode,
    /// Whose numbers.
    pub version: Version,
    /// The service called.
    pub service_name: Service,
    /// Attempts, the first included; by default 3, for DynamoDB 4 from 1.44 on; in legacy mode 5,
    /// for DynamoDB 10.
    ///
    /// The meaning of `AWS_MAX_ATTEMPTS` and of `total_max_attempts`. (`max_attempts` in botocore's
    /// `Config(retries=...)` is one less.)
    #[schemars(range(min = 1))]
    pub max_attempts: Option<u32>,
    /// The longest delay of the standard mode, before the server's wish.
    pub max_backoff: Span,
    /// Where the delays of the legacy mode start. Default: `Rand`, for DynamoDB 0.05 s.
    pub base: Option<Base>,
    /// What each delay of the legacy mode multiplies the one before by.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub growth_factor: f64,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            mode: Mode::Standard,
            version: Version::V1_44,
            service_name: Service::Other,
            max_attempts: None,
            max_backoff: Span::secs(20),
            base: None,
            growth_factor: 2.0,
        }
    }
}

/// The longest that `x-amz-retry-after` adds to a delay, in seconds.
const RETRY_AFTER_MAX_ADDITIONAL: f64 = 5.0;

/// When a client of AWS tries again. It has no state: the quota and the limiter have.
///
/// ```
/// use sim_policies::Build;
/// use sim_policies::aws::{Config, Version};
///
/// let new = Config::default().build()?;
/// assert_eq!(new.delay_seconds(3, false, 0.5), 0.1);
/// assert_eq!(new.delay_seconds(3, true, 0.5), 2.0);
///
/// let old = Config { version: Version::V1_40, ..Config::default() }.build()?;
/// assert_eq!(old.delay_seconds(3, false, 0.5), 2.0);
/// # Ok::<(), sim_policies::OutOfRange>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct AwsRetry {
    config: Config,
}

impl AwsRetry {
    /// The number of permitted attempts, the first included.
    pub fn max_attempts(&self) -> u32 {
        let Config { mode, version, service_name, .. } = self.config;
        let default = match (mode, version, service_name) {
            (Mode::Legacy, _, Service::Dynamodb) => 10,
            (Mode::Legacy, _, _) => 5,
            (_, Version::V1_44, Service::Dynamodb) => 4,
            _ => 3,
        };
        self.config.max_attempts.unwrap_or(default)
    }

    /// What the end of an attempt is to this client.
    pub fn kind(&self, ending: Ending) -> Kind {
        match (self.config.mode, ending) {
            // Legacy mode alone has a rule for this status.
            (Mode::Legacy, Ending::Status(509)) => Kind::Transient,
            _ => Kind::of(ending, self.config.service_name),
        }
    }

    /// The delay between attempt `attempt`, counted from 1, and the next, in seconds.
    ///
    /// `throttling` says that the attempt was throttled; `u` is drawn from `[0, 1)`.
    pub fn delay_seconds(&self, attempt: u32, throttling: bool, u: f64) -> f64 {
        let Config { mode, version, service_name, base, growth_factor, .. } = self.config;
        let doublings = f64::from(attempt.saturating_sub(1));
        if mode == Mode::Legacy {
            let base = match (base, service_name) {
                (Some(Base::Secs(secs)), _) => secs,
                (None, Service::Dynamodb) => 0.05,
                (Some(Base::Rand), _) | (None, _) => u,
            };
            return base * math::pow(growth_factor, doublings);
        }
        let scale = match (version, throttling, service_name) {
            (Version::V1_40, _, _) | (Version::V1_44, true, _) => 1.0,
            (Version::V1_44, false, Service::Dynamodb) => 0.025,
            (Version::V1_44, false, _) => 0.05,
        };
        u * (scale * math::pow(2.0, doublings)).min(self.config.max_backoff.as_secs_f64())
    }

    /// A delay in seconds, raised to the `x-amz-retry-after` of the answer.
    ///
    /// It is never shortened and never raised by more than 5 s. Only 1.44 reads the header, and
    /// not in legacy mode.
    pub fn raised(&self, delay: f64, x_amz_retry_after: f64) -> f64 {
        match (self.config.mode, self.config.version) {
            (Mode::Legacy, _) | (_, Version::V1_40) => delay,
            _ => delay.max(x_amz_retry_after.min(RETRY_AFTER_MAX_ADDITIONAL + delay)),
        }
    }

    /// The delay between attempt `attempt`, counted from 1, and the next.
    ///
    /// `draw` is uniform over all of `u64`.
    pub fn delay(
        &self,
        attempt: u32,
        throttling: bool,
        x_amz_retry_after: Option<Span>,
        draw: u64,
    ) -> Span {
        // As Python's random(): the upper 53 bits, a multiple of 2^-53.
        let u = (draw >> 11) as f64 * (1.0 / (1u64 << 53) as f64);
        let delay = self.delay_seconds(attempt, throttling, u);
        let delay =
            x_amz_retry_after.map_or(delay, |after| self.raised(delay, after.as_secs_f64()));
        Span::from_secs_f64(delay)
    }
}

impl Config {
    /// Whether an ending asks for fewer requests.
    pub fn is_throttle(&self, ending: Ending) -> bool {
        AwsRetry { config: self.clone() }.kind(ending) == Kind::Throttle
    }
}

impl Build for Config {
    type Machine = AwsRetry;

    /// # Errors
    /// When no attempt is permitted, or the base or growth of the legacy mode is not a number
    /// above zero.
    fn build(&self) -> Result<AwsRetry, OutOfRange> {
        let config = self.clone();
        if let Some(attempts) = config.max_attempts {
            at_least_one("max_attempts", attempts)?;
        }
        let positive = |field, found: f64| {
            let is_positive = found.is_finite() && found > 0.0;
            let error = || OutOfRange::new(field, found, "a finite number above 0");
            is_positive.then_some(()).ok_or_else(error)
        };
        if let Some(Base::Secs(secs)) = config.base {
            positive("base", secs)?;
        }
        positive("growth_factor", config.growth_factor)?;
        Ok(AwsRetry { config })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Reason;
    use crate::family::all_refused;

    fn retry(mode: Mode, version: Version, service_name: Service) -> AwsRetry {
        Config { mode, version, service_name, ..Config::default() }.build().expect("valid")
    }

    fn any_retry() -> impl Strategy<Value = AwsRetry> {
        let mode = prop_oneof![Just(Mode::Legacy), Just(Mode::Standard), Just(Mode::Adaptive)];
        let version = prop_oneof![Just(Version::V1_40), Just(Version::V1_44)];
        let service = prop_oneof![Just(Service::Other), Just(Service::Dynamodb), Just(Service::S3)];
        (mode, version, service).prop_map(|(m, v, s)| retry(m, v, s))
    }

    proptest! {
        #[test]
        fn only_legacy_delays_exceed_the_cap(
            retry in any_retry(), attempt in 1..2000u32, throttling: bool, draw: u64,
        ) {
            let delay = retry.delay(attempt, throttling, None, draw);
            prop_assert!(delay <= Span::secs(20) || retry.config.mode == Mode::Legacy);
        }

        #[test]
        fn a_wish_of_the_server_never_shortens_and_adds_five_seconds_at_most(
            retry in any_retry(), attempt in 1..30u32, throttling: bool, draw: u64,
            wish in 0..100_000u64,
        ) {
            let wish = Span::millis(wish);
            let plain = retry.delay(attempt, throttling, None, draw);
            let raised = retry.delay(attempt, throttling, Some(wish), draw);
            prop_assert!(plain <= raised);
            // Two roundings to the nanosecond, and those of the sum in seconds.
            prop_assert!(raised <= plain + Span::secs(5) + Span::nanos(2));
            if retry.config.mode == Mode::Legacy || retry.config.version == Version::V1_40 {
                prop_assert_eq!(plain, raised);
            } else if wish <= plain + Span::secs(5) {
                prop_assert_eq!(raised, plain.max(wish));
            }
        }

        #[test]
        fn later_retries_and_larger_draws_wait_no_shorter(
            retry in any_retry(), attempt in 1..40u32, throttling: bool, a: u64, b: u64,
        ) {
            let wait = |attempt, draw| retry.delay(attempt, throttling, None, draw);
            prop_assert!(wait(attempt, a) <= wait(attempt + 1, a));
            prop_assert!(wait(attempt, a.min(b)) <= wait(attempt, a.max(b)));
        }
    }

    #[test]
    fn attempts_and_delays_are_those_of_the_versions() {
        use Mode::{Legacy, Standard};
        use Service::{Dynamodb, Other};
        use Version::{V1_40, V1_44};
        for (mode, version, service, attempts, failed, throttled) in [
            (Legacy, V1_40, Other, 5, 4.0, 4.0),
            (Legacy, V1_44, Dynamodb, 10, 0.4, 0.4),
            (Standard, V1_40, Other, 3, 4.0, 4.0),
            (Standard, V1_40, Dynamodb, 3, 4.0, 4.0),
            (Standard, V1_44, Other, 3, 0.2, 4.0),
            (Standard, V1_44, Dynamodb, 4, 0.1, 4.0),
        ] {
            let retry = retry(mode, version, service);
            assert_eq!(retry.max_attempts(), attempts, "{retry:?}");
            assert_eq!(retry.delay_seconds(4, false, 0.5), failed, "{retry:?}");
            assert_eq!(retry.delay_seconds(4, true, 0.5), throttled, "{retry:?}");
        }
    }

    #[test]
    fn endings_are_sorted_as_documented() {
        for (ending, kind) in [
            (Ending::Status(204), Kind::Success),
            (Ending::Status(429), Kind::Throttle),
            (Ending::Status(503), Kind::Transient),
            (Ending::Status(500), Kind::Transient),
            (Ending::Status(501), Kind::Other),
            (Ending::Status(408), Kind::Other),
            (Ending::Status(509), Kind::Other),
            (Ending::TimedOut, Kind::Timeout),
            (Ending::Refused, Kind::Transient),
            (Ending::Reset, Kind::Transient),
            (Ending::Rejected(Reason::BreakerProbing), Kind::Other),
        ] {
            assert_eq!(Kind::of(ending, Service::Other), kind, "{ending}");
        }
        assert_eq!(Kind::of(Ending::Status(503), Service::S3), Kind::Throttle);
        let legacy = retry(Mode::Legacy, Version::V1_44, Service::Other);
        assert_eq!(legacy.kind(Ending::Status(509)), Kind::Transient);
    }

    #[test]
    fn impossible_parameters_are_refused_by_name() {
        all_refused([
            ("max_attempts", Config { max_attempts: Some(0), ..Config::default() }),
            ("base", Config { base: Some(Base::Secs(0.0)), ..Config::default() }),
            ("base", Config { base: Some(Base::Secs(f64::NAN)), ..Config::default() }),
            ("growth_factor", Config { growth_factor: -1.0, ..Config::default() }),
        ]);
    }
}
