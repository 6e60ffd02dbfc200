//! Traces of the breaker of recloser.

use super::{Subject, boxed};
use crate::Reason;
use crate::breaker::recloser::{Config, Recloser};
use crate::conform::driver::Driver;
use crate::conform::options::{Options, set};

pub(crate) fn driver(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    let mut config = Config::default();
    set(&mut config.closed_len, options.count("closed_len")?);
    set(&mut config.half_open_len, options.count("half_open_len")?);
    let rate = |name| Ok::<_, String>(options.number(name)?.map(|rate| rate as f32));
    let both = rate("error_rate")?;
    set(&mut config.error_rate_closed, rate("error_rate_closed")?.or(both));
    set(&mut config.error_rate_half_open, rate("error_rate_half_open")?.or(both));
    set(&mut config.open_wait, options.millis("open_wait_ms")?);
    set(&mut config.open_wait_times_flaps, options.flag("open_wait_times_flaps")?);
    boxed(&config)
}

impl Subject for Recloser {
    fn why(&self, _: Reason) -> Option<&'static str> {
        Some("open")
    }
}
