//! The numbers of a scenario as a whole: horizon, windows, limits, recovery.

use sim_core::Span;

use super::builder::Builder;
use super::place::Here;
use crate::language::Recovery;

/// The most windows of a run's series.
const WINDOWS_MAX: u64 = 1_000_000;
/// About how many windows a run has when the scenario does not say.
const WINDOWS: u64 = 180;

impl Builder<'_> {
    pub(super) fn basics(&mut self) {
        let spec = self.spec;
        self.plan.window = spec.window.unwrap_or_else(|| round_up(spec.horizon / WINDOWS));
        let is_plain = |c: char| c.is_alphanumeric() || "-_ .".contains(c);
        if spec.name.is_empty() || !spec.name.chars().all(is_plain) {
            let message = format!("`{}` is no name for a scenario", spec.name.escape_debug());
            let help = "it names files; use letters, digits, spaces, `-`, `_` and `.`".to_owned();
            self.problem(&Here::file("name"), message, Some(help));
        }
        self.require(!spec.horizon.is_zero(), &Here::file("horizon"), spec.horizon, "above zero");
        let longest = spec.limits.time;
        if spec.warmup >= spec.horizon {
            let message = format!("warmup = {}; the horizon is {}", spec.warmup, spec.horizon);
            let help = "nothing would be measured: warm up for less, or run for longer".to_owned();
            self.problem(&Here::file("warmup"), message, Some(help));
        }
        if spec.horizon > longest {
            let message = format!("horizon = {}; the limit is {longest}", spec.horizon);
            let help = "shorten the horizon, or raise limits.time".to_owned();
            self.problem(&Here::file("horizon"), message, Some(help));
        }
        if let Some(window) = spec.window {
            let fits = !window.is_zero()
                && spec.horizon.as_nanos() / window.as_nanos().max(1) <= WINDOWS_MAX;
            let allowed = format!("above zero, and at most {WINDOWS_MAX} windows to the horizon");
            self.require(fits, &Here::file("window"), window, &allowed);
        }
        let limits = spec.limits;
        for (name, value, max) in [
            ("steps", limits.steps, u64::MAX),
            ("pending", limits.pending, 1 << 23),
            ("memory_mib", limits.memory_mib, 1 << 20),
        ] {
            let allowed = format!("in 1..={max}");
            self.require(
                (1..=max).contains(&value),
                &Here::file(format!("limits.{name}")),
                value,
                &allowed,
            );
        }
    }

    pub(super) fn recovery(&mut self) {
        let Recovery { trigger, healthy, within, hold, .. } = self.spec.recovery;
        let here = Here::file("recovery");
        self.ratio(healthy, &here.field("healthy"));
        let is_factor = within.is_finite() && within >= 1.0;
        self.require(is_factor, &here.field("within"), within, "a factor, at least 1");
        self.require(!hold.is_zero(), &here.field("hold"), hold, "above zero");
        if let Some((from, to)) = trigger {
            let horizon = self.spec.horizon;
            let found = format!("({from}, {to})");
            let allowed = format!("a beginning and an end within the horizon, {horizon}");
            self.require(from <= to && to <= horizon, &here.field("trigger"), found, &allowed);
        }
    }
}

/// The next of 1, 2, 5, 10, … milliseconds, seconds and so on.
fn round_up(span: Span) -> Span {
    let mut unit = 1_000_000u64;
    loop {
        for step in [1, 2, 5] {
            let round = Span::nanos(unit.saturating_mul(step));
            if round >= span {
                return round;
            }
        }
        unit = unit.saturating_mul(10);
    }
}
