//! The backlog that a trigger leaves: how long it may take to drain, and whether it does.

use sim_core::{Span, math};

use super::judge::Judge;
use super::pulse::Flow;
use super::stretch::Stretch;

/// How much longer than by the fluid formula a backlog may take to drain. Retries of what waits
/// add their own load while it drains: the true rate is the spare capacity minus theirs. Three
/// leaves two thirds of the spare capacity to them. Where they take even more, the backlog is seen
/// not to grow, and the verdict is left open.
const DRAIN_SAFETY: f64 = 3.0;

/// A backlog below this share of the most that it was in the first half since the trigger is
/// shrinking.
const SHRINKING: f64 = 0.9;

/// Less than this share of the goodput before the trigger is none to speak of.
const NO_GOODPUT: f64 = 0.1;

impl Judge<'_> {
    /// How long the backlog at the trigger's end may take to drain. The backlog is what waits at
    /// the service with the longest queue, and what users still wait for. It drains by the capacity
    /// that the service has to spare; `None` when it has none.
    pub(super) fn drain(&self) -> Option<Span> {
        let slots = self.slots;
        let least = self.terms.hold;
        let Some(at) = self.healed.checked_sub(1).filter(|at| *at < slots.len()) else {
            return Some(least);
        };
        let flows = self.flows[at].iter().map(|flow| flow.waiting);
        let Some((bottleneck, waiting)) =
            flows.enumerate().max_by_key(|(n, waiting)| (*waiting, std::cmp::Reverse(*n)))
        else {
            return Some(least);
        };
        if waiting == 0 {
            return Some(least);
        }
        let so_far = Stretch::new(slots, 0, at + 1).expect("it lies within");
        let open = so_far.offered.saturating_sub(so_far.goodput + so_far.missed);
        let backlog = f64::from(waiting) + open as f64;
        let per_slot = |of: u64, slots: usize| of as f64 / slots as f64;
        let sustained = (self.hold / 3).max(1).min(slots.len());
        let completed = |stretch: &[Vec<Flow>]| {
            stretch.iter().map(|flows| u64::from(flows[bottleneck].completed)).sum::<u64>()
        };
        let capacity = self.flows.windows(sustained).map(completed).max().unwrap_or(0);
        let quiet = &self.flows[self.quiet.clone()];
        let arrived = quiet.iter().map(|flows| u64::from(flows[bottleneck].arrived)).sum();
        let spare = per_slot(capacity, sustained) - per_slot(arrived, quiet.len().max(1));
        if spare <= 0.0 {
            return None;
        }
        let grain = self.grain.as_secs_f64();
        let drain = Span::from_secs_f64(DRAIN_SAFETY * backlog / spare * grain);
        Some(drain.max(least))
    }

    /// A backlog is left, and it may yet drain: it has become smaller since the trigger, or chance
    /// carries it about so that its direction is not known.
    ///
    /// Chance does so near the threshold. What the trigger left has come by the second half of the
    /// time since. The flow of requests in that half may then carry the backlog off within two
    /// standard deviations, and the backlog moves as such a flow does. A backlog that something
    /// holds in place does not move so.
    pub(super) fn may_drain(&self) -> bool {
        let slots = &self.flows[self.healed..];
        let last = &slots[slots.len() - self.hold..];
        let services = 0..last[0].len();
        let longest = services.max_by(|a, b| waiting(last, *a).total_cmp(&waiting(last, *b)));
        let Some(n) = longest else { return false };
        let quiet = &self.flows[self.quiet.clone()];
        let left = waiting(last, n);
        if left < 1.0 + 2.0 * waiting(quiet, n) {
            return false;
        }
        let (half, hold) = (slots.len() / 2, self.hold);
        let means = |slots: &[Vec<Flow>]| -> (f64, f64) {
            let means = slots.windows(hold).map(|stretch| waiting(stretch, n));
            means.fold((f64::MAX, 0.0), |(min, max), mean| (mean.min(min), mean.max(max)))
        };
        let (_, most) = means(&slots[..half.max(hold)]);
        if left < SHRINKING * most {
            return true;
        }
        let late = &slots[half.min(slots.len() - hold)..];
        let (came, went, batch) = self.flow(n, late);
        let chance = math::sqrt(batch * came + went);
        let (least, most) = means(late);
        came - went < 2.0 * chance && most - least > chance / 8.0
    }

    /// Requests that came to a service in some slots, those that it completed, and how many come at
    /// once: a decision brings its retries with it.
    fn flow(&self, service: usize, slots: &[Vec<Flow>]) -> (f64, f64, f64) {
        let quiet = &self.flows[self.quiet.clone()];
        let count = |stretch: &[Vec<Flow>], of: fn(&Flow) -> u32| {
            stretch.iter().map(|flows| f64::from(of(&flows[service]))).sum::<f64>()
        };
        let (came, went) = (count(slots, |flow| flow.arrived), count(slots, |flow| flow.completed));
        let due = count(quiet, |flow| flow.arrived) * slots.len() as f64 / quiet.len() as f64;
        (came, went, if due > 0.0 { (came / due).max(1.0) } else { 1.0 })
    }

    /// For two `hold`s hardly anybody gets what he asks for, and what waits becomes more, by more
    /// than chance explains. Such a queue does not drain, whatever its service could do.
    pub(super) fn grows_without_goodput(&self) -> bool {
        let since = self.slots.len() - 2 * self.hold.min(self.slots.len() / 2);
        if since < self.healed {
            return false;
        }
        let late = &self.flows[since..];
        let all = Stretch::new(self.slots, since, late.len()).expect("it lies within");
        if self.ratio(&all) > NO_GOODPUT * self.ratio_before() {
            return false;
        }
        let (first, second) = late.split_at(late.len() / 2);
        (0..late[0].len()).any(|n| {
            let (came, went, batch) = self.flow(n, late);
            let chance = math::sqrt(batch * came + went);
            waiting(second, n) - waiting(first, n) > 3.0 * chance
        })
    }
}

/// How many wait at a service, on average.
fn waiting(stretch: &[Vec<Flow>], service: usize) -> f64 {
    let sum: u64 = stretch.iter().map(|flows| u64::from(flows[service].waiting)).sum();
    sum as f64 / stretch.len().max(1) as f64
}
