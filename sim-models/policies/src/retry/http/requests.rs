//! requests' `HTTPAdapter` over urllib3: nothing is repeated unless it is asked to.
//!
//! Answers: retries that are mounted on a `Session`.
//!
//! Invites: `max_retries=3`, which repeats connect errors, and a 503 with `Retry-After`, at once and
//! without a back-off; no other status.
//!
//! Reference: requests 2.34.2, `adapters.py`; urllib3 2.8.0.
//!
//! ```text
//! HTTPAdapter()                    Retry(0, read=False)
//! HTTPAdapter(max_retries=3)       Retry(3)
//! HTTPAdapter(max_retries=Retry(total=3, ..))
//! ```
//!
//! With a `Retry` of one's own, write [`urllib3`]'s preset.
//!
//! Left out: redirects, which the session follows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::urllib3::{self, Limit, Urllib3};
use crate::OutOfRange;
use crate::family::Build;
use crate::retry::rules::Preset;

/// The argument of `HTTPAdapter`.
#[derive(Clone, Debug, Default, PartialEq, JsonSchema, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "RequestsRetry")]
pub struct Config {
    /// Retries of every kind together.
    pub max_retries: u32,
}

impl Config {
    /// The adapter whose `max_retries` is a `Retry`.
    pub(crate) fn with_retry(retry: urllib3::Config) -> Urllib3 {
        Urllib3::new(retry, false)
    }
}

impl Build for Config {
    type Machine = Urllib3;

    fn build(&self) -> Result<Urllib3, OutOfRange> {
        Ok(Config::with_retry(urllib3::Config {
            total: Some(Limit::Times(self.max_retries)),
            read: (self.max_retries == 0).then_some(Limit::False),
            ..urllib3::Config::default()
        }))
    }
}

impl Preset for Config {}
