//! The way of one message: how long it takes, and whether it comes through.

use sim_core::{Draw, Lane, Span};

use crate::plan::LinkPlan;
use crate::world::condition::{End, RouteCondition, either};
use crate::world::shared::Shared;

/// The way from one end to another, as it is at an instant.
#[derive(Clone, Copy)]
pub(super) struct Route<'a> {
    shared: &'a Shared,
    /// The link, if one is declared, and its place in the plan.
    link: Option<(usize, &'a LinkPlan)>,
    condition: RouteCondition,
}

/// How long a message takes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Latency {
    /// As long as every message on this lane.
    On(Lane),
    For(Span),
}

impl Route<'_> {
    pub(super) fn of(shared: &Shared, from: End, to: End) -> Route<'_> {
        let place = shared.conditions.route(from.0, to.0);
        let link = shared.plan.routes[place].map(|n| n as usize);
        Route {
            shared,
            link: link.map(|n| (n, &shared.plan.links[n])),
            condition: shared.conditions.between(from, to),
        }
    }

    /// Whether chance or a fault of the way swallows the message with this index.
    pub(super) fn is_lossy_for(self, index: u64) -> bool {
        if self.condition.cut {
            return true;
        }
        let loss = either(self.link.map_or(0.0, |(_, link)| link.loss), self.condition.loss);
        loss > 0.0 && self.shared.luck.loss.at(index).chance(loss)
    }

    /// Whether the request with this lineage arrives twice.
    pub(super) fn doubles(self, lineage: u64) -> bool {
        let link = self.link.map_or(0.0, |(_, link)| link.duplicate);
        let duplicate = either(link, self.condition.duplicate);
        duplicate > 0.0 && self.shared.luck.duplicate.at(lineage).chance(duplicate)
    }

    /// How long the message with this index takes. `lanes` are those of all links, and at last
    /// the one of actors without a link.
    pub(super) fn latency(self, lanes: &[Option<Lane>], index: u64) -> Latency {
        let delay = self.condition.delay;
        match (lanes[self.link.map_or(lanes.len() - 1, |(n, _)| n)], self.link) {
            (Some(lane), _) if delay.is_zero() => Latency::On(lane),
            (Some(lane), _) => Latency::For(lane.delay() + delay),
            (None, Some((_, link))) => {
                let draws = &mut self.shared.luck.latency.at(index);
                Latency::For(self.shared.span(link.latency, draws) + delay)
            }
            (None, None) => unreachable!("actors without a link have a lane"),
        }
    }
}
