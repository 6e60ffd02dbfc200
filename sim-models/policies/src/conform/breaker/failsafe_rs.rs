//! Traces of the breaker of failsafe (Rust).

use sim_core::Time;

use super::{Subject, boxed};
use crate::Reason;
use crate::breaker::failsafe_rs::{Backoff, Config, FailsafeRs, Policy};
use crate::breaker::{Change, Permit, Verdict};
use crate::conform::draws::Draws;
use crate::conform::driver::Driver;
use crate::conform::options::{Options, set};

pub(crate) fn driver(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    let policy = match options.text("policy")? {
        None | Some("or_else") => Policy::OrElse,
        Some("consecutive_failures") => Policy::ConsecutiveFailures,
        Some("success_rate") => Policy::SuccessRate,
        Some(other) => {
            let known = "consecutive_failures, success_rate, or_else";
            return Err(format!("config.policy is `{other}`; known: {known}"));
        }
    };
    let backoff = match options.text("backoff")? {
        None | Some("equal_jittered") => Backoff::EqualJittered,
        Some("constant") => Backoff::Constant,
        Some("exponential") => Backoff::Exponential,
        Some("full_jittered") => Backoff::FullJittered,
        Some(other) => {
            let known = "constant, exponential, equal_jittered, full_jittered";
            return Err(format!("config.backoff is `{other}`; known: {known}"));
        }
    };
    let mut config = Config { policy, backoff, ..Config::default() };
    set(&mut config.num_failures, options.count("num_failures")?);
    set(&mut config.required_success_rate, options.number("required_success_rate")?);
    set(&mut config.min_request_threshold, options.count("min_request_threshold")?);
    set(&mut config.window, options.secs("window_s")?);
    set(&mut config.start, options.secs("start_s")?);
    set(&mut config.max, options.secs("max_s")?);
    boxed(&config)
}

impl Subject for FailsafeRs {
    fn end(
        &mut self,
        permit: Permit,
        now: Time,
        verdict: Verdict,
        draws: &mut Draws,
        changes: &mut Vec<Change>,
    ) {
        self.settle_with(&permit, now, verdict, &mut || draws.next(), changes);
    }

    fn why(&self, _: Reason) -> Option<&'static str> {
        Some("open")
    }
}
