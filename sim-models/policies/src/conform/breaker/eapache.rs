//! Traces of the breaker of go-resiliency (eapache).

use super::{Subject, boxed_with};
use crate::Reason;
use crate::breaker::Verdict;
use crate::breaker::eapache::{Config, Eapache};
use crate::conform::driver::Driver;
use crate::conform::options::Options;

pub(crate) fn driver(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    let missing = |name| move || format!("config.{name} is missing");
    let count = |name| options.count(name)?.ok_or_else(missing(name));
    let config = Config {
        error_threshold: count("errorThreshold")?,
        success_threshold: count("successThreshold")?,
        timeout: options.millis("timeoutMs")?.ok_or_else(missing("timeoutMs"))?,
    };
    boxed_with(&config, Some(Verdict::Failure))
}

impl Subject for Eapache {
    fn why(&self, _: Reason) -> Option<&'static str> {
        Some("open")
    }
}
