//! Autoscaling: more instances when the workers are busy, fewer when they have long been idle.
//!
//! The rule of Kubernetes' horizontal pod autoscaler: `ceil(instances × utilisation / target)`,
//! where the utilisation is that of the processors unless the scenario names another metric,
//! nothing within 10 % of the target, and fewer only if no look within `down_after` has wanted
//! more. Between the decision and its effect lies `delay`, which is what makes it come too late.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use sim_core::Time;

use crate::log::Looked;
use crate::metrics::{Areas, Gauge, Level};
use crate::plan::{AutoscalePlan, ScaleMetric};

/// Within so much of its target it leaves things as they are, in percent.
const TOLERANCE_PERCENT: u128 = 10;

/// What the autoscaler of a service knows.
#[derive(Debug)]
pub(super) struct Scaling {
    /// Since the last look.
    gauge: Gauge,
    /// Work that has begun: when it is done, and nanoseconds of it up to there that no look has
    /// counted yet, in the order of its end.
    work: BinaryHeap<Reverse<(Time, Time)>>,
    /// What was wanted when, as far as it still counts.
    wanted: Vec<(Time, u32)>,
}

impl Default for Scaling {
    fn default() -> Scaling {
        Scaling {
            gauge: Gauge::new(Time::ZERO, Time::MAX),
            work: BinaryHeap::new(),
            wanted: Vec::new(),
        }
    }
}

impl Scaling {
    /// The level has changed.
    pub(super) fn note(&mut self, level: Level, now: Time) {
        self.gauge.set(level, now);
    }

    /// Work begins, and is done then.
    pub(super) fn works(&mut self, now: Time, until: Time) {
        self.work.push(Reverse((until, now)));
    }

    /// Nanoseconds of work since the last look. Work that a crash cut short counts as done.
    fn work_until(&mut self, now: Time) -> u128 {
        let mut done = 0;
        while let Some(Reverse((until, from))) = self.work.peek().copied()
            && until <= now
        {
            self.work.pop();
            done += u128::from(until.since(from).as_nanos());
        }
        let under_way = std::mem::take(&mut self.work).into_iter().map(|Reverse((until, from))| {
            done += u128::from(now.since(from).as_nanos());
            Reverse((until, now))
        });
        self.work = under_way.collect();
        done
    }

    /// How many instances there should be, of `count` that there are or will be, and why.
    pub(super) fn decide(&mut self, plan: &AutoscalePlan, count: u32, now: Time) -> Looked {
        let level = self.gauge.level();
        self.gauge.set(level, now);
        let Areas { workers, busy, waiting } = self.gauge.areas();
        let work = self.work_until(now);
        let used = match plan.metric {
            ScaleMetric::Cpu => work.min(busy),
            ScaleMetric::Busy => busy,
            ScaleMetric::Queue => busy + waiting,
        };
        self.gauge = Gauge::new(now, Time::MAX);
        self.gauge.set(level, now);
        let aimed = workers * u128::from(plan.target_percent);
        let is_near = 100 * (100 * used).abs_diff(aimed) <= TOLERANCE_PERCENT * aimed;
        let wanted = match aimed {
            // Of nobody who works it knows nothing.
            0 => count,
            _ if is_near || level.workers == 0 => count,
            _ => {
                let up = u128::from(level.workers) / u128::from(plan.workers.max(1));
                let exact = (up * 100 * used).div_ceil(aimed);
                u32::try_from(exact).unwrap_or(u32::MAX)
            }
        };
        let wanted = wanted.clamp(plan.min, plan.max);
        self.wanted.retain(|(at, _)| now.since(*at) < plan.down_after);
        self.wanted.push((now, wanted));
        let most = self.wanted.iter().map(|(_, wanted)| *wanted).max().unwrap_or(wanted);
        let percent = (100 * used).checked_div(workers).unwrap_or_default();
        Looked {
            wanted: if wanted > count { wanted } else { most.min(count) },
            used_percent: u32::try_from(percent).unwrap_or(u32::MAX),
            target_percent: plan.target_percent,
        }
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
            metric: ScaleMetric::Busy,
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
        scaling.note(
            Level { workers: 4 * count, busy, waiting: 0, ..Level::default() },
            at(15 * (look - 1)),
        );
        scaling.decide(&plan(), count, at(15 * look)).wanted
    }

    #[test]
    fn it_aims_at_its_target_and_leaves_what_is_near() {
        assert_eq!(wanted(&mut Scaling::default(), 8, 2, 1), 4, "all busy, half aimed at");
        assert_eq!(wanted(&mut Scaling::default(), 4, 2, 1), 2);
        let mut scaling = Scaling::default();
        let near = |workers, busy| Level { workers, busy, waiting: 0, ..Level::default() };
        scaling.note(near(100, 54), at(0));
        let plan = AutoscalePlan { workers: 50, ..plan() };
        assert_eq!(scaling.decide(&plan, 2, at(15)).wanted, 2, "54 % is within a tenth of 50 %");
        scaling.note(near(100, 56), at(15));
        assert_eq!(scaling.decide(&plan, 2, at(30)).wanted, 3);
    }

    /// Eight of eight workers are taken, half of the time by work; eight requests wait.
    fn wanted_by(metric: ScaleMetric) -> u32 {
        let mut scaling = Scaling::default();
        scaling.note(Level { workers: 8, busy: 8, waiting: 8, ..Level::default() }, at(0));
        for _ in 0..8 {
            scaling.works(at(0), at(5));
            scaling.works(at(10), at(30));
        }
        let plan = AutoscalePlan { metric, max: 100, ..plan() };
        let first = scaling.decide(&plan, 2, at(20)).wanted;
        assert_eq!(
            scaling.decide(&AutoscalePlan { down_after: Span::ZERO, ..plan }, 2, at(40)).wanted,
            { if metric == ScaleMetric::Cpu { 2 } else { first } }
        );
        first
    }

    #[test]
    fn a_worker_that_waits_uses_no_processor() {
        assert_eq!(wanted_by(ScaleMetric::Cpu), 3, "15 s of 20 s, half aimed at");
        assert_eq!(wanted_by(ScaleMetric::Busy), 4);
        assert_eq!(wanted_by(ScaleMetric::Queue), 8);
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
        scaling.note(Level { workers: 40, busy: 40, waiting: 0, ..Level::default() }, at(0));
        let looked = Looked { wanted: 10, used_percent: 100, target_percent: 50 };
        assert_eq!(scaling.decide(&plan(), 10, at(15)), looked);
        assert_eq!(wanted(&mut Scaling::default(), 0, 1, 1), 1);
    }
}
