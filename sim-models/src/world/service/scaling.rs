//! Autoscaling: more instances when the workers are busy, fewer when they have long been idle.
//!
//! The rule of Kubernetes' horizontal pod autoscaler: `ceil(instances × utilisation / target)`,
//! nothing within 10 % of the target, and fewer only if no look within `down_after` has wanted
//! more. Between the decision and its effect lies `delay`, which is what makes it come too late.

use sim_core::Time;

use crate::metrics::{Gauge, Level};
use crate::plan::AutoscalePlan;

/// Within so much of its target it leaves things as they are, in percent.
const TOLERANCE_PERCENT: u128 = 10;

/// What the autoscaler of a service knows.
#[derive(Debug)]
pub(super) struct Scaling {
    /// Since the last look.
    gauge: Gauge,
    /// What was wanted when, as far as it still counts.
    wanted: Vec<(Time, u32)>,
}

impl Default for Scaling {
    fn default() -> Scaling {
        Scaling { gauge: Gauge::new(Time::ZERO, Time::MAX), wanted: Vec::new() }
    }
}

impl Scaling {
    /// The level has changed.
    pub(super) fn note(&mut self, level: Level, now: Time) {
        self.gauge.set(level, now);
    }

    /// How many instances there should be, of `count` that there are or will be.
    pub(super) fn decide(&mut self, plan: &AutoscalePlan, count: u32, now: Time) -> u32 {
        let level = self.gauge.level();
        self.gauge.set(level, now);
        let (busy, workers) = self.gauge.areas();
        self.gauge = Gauge::new(now, Time::MAX);
        self.gauge.set(level, now);
        let aimed = workers * u128::from(plan.target_percent);
        let is_near = 100 * (100 * busy).abs_diff(aimed) <= TOLERANCE_PERCENT * aimed;
        let wanted = match aimed {
            // Of nobody who works it knows nothing.
            0 => count,
            _ if is_near || level.workers == 0 => count,
            _ => {
                let up = u128::from(level.workers) / u128::from(plan.workers.max(1));
                let exact = (up * 100 * busy).div_ceil(aimed);
                u32::try_from(exact).unwrap_or(u32::MAX)
            }
        };
        let wanted = wanted.clamp(plan.min, plan.max);
        self.wanted.retain(|(at, _)| now.since(*at) < plan.down_after);
        self.wanted.push((now, wanted));
        let most = self.wanted.iter().map(|(_, wanted)| *wanted).max().unwrap_or(wanted);
        if wanted > count { wanted } else { most.min(count) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::Span;

    fn plan() -> AutoscalePlan {
        AutoscalePlan {
            min: 1,
            max: 10,
            target_percent: 50,
            workers: 4,
            every: Span::secs(15),
            delay: Span::secs(60),
            down_after: Span::secs(300),
        }
    }

    fn at(secs: u64) -> Time {
        Time::ZERO + Span::secs(secs)
    }

    /// What it wants of two instances with four workers each after 15 s with so many busy.
    fn wanted(scaling: &mut Scaling, busy: u32, count: u32, look: u64) -> u32 {
        scaling.note(Level { workers: 4 * count, busy, waiting: 0 }, at(15 * (look - 1)));
        scaling.decide(&plan(), count, at(15 * look))
    }

    #[test]
    fn it_aims_at_its_target_and_leaves_what_is_near() {
        assert_eq!(wanted(&mut Scaling::default(), 8, 2, 1), 4, "all busy, half aimed at");
        assert_eq!(wanted(&mut Scaling::default(), 4, 2, 1), 2);
        let mut scaling = Scaling::default();
        let near = |workers, busy| Level { workers, busy, waiting: 0 };
        scaling.note(near(100, 54), at(0));
        let plan = AutoscalePlan { workers: 50, ..plan() };
        assert_eq!(scaling.decide(&plan, 2, at(15)), 2, "54 % is within a tenth of 50 %");
        scaling.note(near(100, 56), at(15));
        assert_eq!(scaling.decide(&plan, 2, at(30)), 3);
    }

    #[test]
    fn it_takes_away_only_what_it_has_not_wanted_for_long() {
        let mut scaling = Scaling::default();
        assert_eq!(wanted(&mut scaling, 8, 2, 1), 4);
        for look in 2..=20 {
            assert_eq!(wanted(&mut scaling, 0, 4, look), 4, "look {look}");
        }
        assert_eq!(wanted(&mut scaling, 0, 4, 21), 1);
    }

    #[test]
    fn it_stays_within_its_bounds() {
        let mut scaling = Scaling::default();
        scaling.note(Level { workers: 40, busy: 40, waiting: 0 }, at(0));
        assert_eq!(scaling.decide(&plan(), 10, at(15)), 10);
        assert_eq!(wanted(&mut Scaling::default(), 0, 1, 1), 1);
    }
}
