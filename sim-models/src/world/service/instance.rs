//! One server of a service: its workers, its line, and what makes its work take longer.

use sim_core::{Span, Time};

use super::admission::Admission;
use super::line::Line;
use crate::plan::{Contention, ServicePlan};

/// One server.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) busy: u32,
    pub(super) line: Line,
    /// What it lets in itself.
    pub(super) admission: Admission,
    /// Requests that stand before it, since it is paused.
    pub(super) outside: u32,
    /// Requests that it has accepted and will not answer.
    pub(super) hung: u32,
    pub(super) state: InstanceState,
    /// When it came up, from which on it warms up.
    up_since: Option<Time>,
    /// Requests begun since the last collection.
    pub(super) begun: u32,
    /// It stands still until then.
    pub(super) still_until: Time,
    /// How long it has stood still in all.
    pub(super) stood_still: Span,
}

/// Whether an instance is meant to take requests. Whether a fault keeps it from that, its actor's
/// condition says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InstanceState {
    Up,
    /// It will, when its start is over.
    Starting {
        until: Time,
    },
    /// It works off what it has, and may be started again.
    Stopping,
}

impl Instance {
    pub(super) fn new(plan: &ServicePlan, state: InstanceState) -> Instance {
        Instance {
            busy: 0,
            line: Line::new(plan.queue),
            admission: Admission::of_instance(&plan.admission),
            outside: 0,
            hung: 0,
            state,
            up_since: None,
            begun: 0,
            still_until: Time::ZERO,
            stood_still: Span::ZERO,
        }
    }

    pub(super) fn come_up(&mut self, now: Time) {
        self.state = InstanceState::Up;
        self.up_since = Some(now);
    }

    /// Requests that wait for a worker, in the line or before a paused process.
    pub(super) fn waiting(&self) -> u32 {
        self.line.requests() + self.outside
    }

    /// Requests at the instance, waiting, worked on or hanging.
    pub(super) fn requests(&self) -> u32 {
        self.busy + self.waiting() + self.hung
    }

    /// How much longer than alone, warm and unhindered work takes that begins now.
    pub(super) fn factor(&self, plan: &ServicePlan, now: Time) -> f64 {
        let mut factor = 1.0;
        if let Some(Contention::Usl { sigma, kappa }) = plan.contention {
            let n = f64::from(self.busy.max(1));
            factor *= 1.0 + sigma * (n - 1.0) + kappa * n * (n - 1.0);
        }
        if let (Some(slow), Some(since)) = (plan.slow_start, self.up_since) {
            let age = now.since(since);
            if age < slow.lasts {
                let left = 1.0 - age.as_secs_f64() / slow.lasts.as_secs_f64();
                factor *= 1.0 + (slow.factor - 1.0) * left;
            }
        }
        factor
    }

    /// Notes the begin of a request; after enough of them the instance stands still to collect.
    pub(super) fn collect_garbage(&mut self, plan: &ServicePlan, now: Time) {
        let Some(gc) = plan.gc else { return };
        self.begun += 1;
        if self.begun < gc.after {
            return;
        }
        self.begun = 0;
        let pause = gc.pause + gc.per_request * u64::from(self.requests());
        self.still_until = self.still_until.max(now) + pause;
        self.stood_still += pause;
    }
}
