//! The tables of resources: how full each was, and what happened to it.

use sim_models::outcome::{
    Outcome, Quantity, Resource, ResourceEvent, ResourceKind, ResourceLevel,
};

use super::{Depth, row};
use crate::text::Table;
use crate::words;

/// The levels of the resources that anybody touched, and what happened to them; on one screen what
/// did harm. Workers and queues of a service, and each instance of several, have tables of their
/// own.
pub(super) fn tables(outcome: &Outcome, depth: Depth) -> Vec<Table> {
    let is_brief = depth == Depth::Screen;
    let is_here =
        |resource: &&Resource| resource.is_touched() && resource.kind != ResourceKind::Instance;
    let touched = || outcome.resources.iter().filter(is_here);
    let levels = touched().filter(|_| !is_brief).flat_map(level_rows).collect::<Vec<_>>();
    let is_told = move |event: ResourceEvent| !is_brief || HARM.contains(&event);
    let events = touched().flat_map(move |resource| event_rows(resource, is_told));
    let events = events.collect::<Vec<_>>();
    let mut tables = Vec::new();
    if !levels.is_empty() {
        let header = ["Resources", "level", "mean", "worst", "of"];
        tables.push(Table::new(header, levels).words(1));
    }
    if !events.is_empty() {
        tables.push(Table::new(["Events", "count", "what"], events).words(2));
    }
    tables
}

fn level_rows(resource: &Resource) -> impl Iterator<Item = Vec<String>> {
    let is_elsewhere = |level: &&ResourceLevel| {
        let is_of_workers = matches!(level.quantity, Quantity::Busy | Quantity::Waiting);
        resource.kind == ResourceKind::Instances && is_of_workers
    };
    let moved = resource.levels.iter().filter(|level| level.least < level.most);
    moved.filter(move |level| !is_elsewhere(level)).map(|level| {
        let bound = level.bound.map_or_else(|| words::NONE.to_owned(), words::amount);
        let cells = [
            level.quantity.to_string(),
            words::amount(level.mean),
            words::amount(level.worst()),
            bound,
        ];
        row(&resource.name, cells)
    })
}

/// What shows on one screen that it happened.
const HARM: [ResourceEvent; 6] = [
    ResourceEvent::Crashed,
    ResourceEvent::Evicted,
    ResourceEvent::Dead,
    ResourceEvent::Refused,
    ResourceEvent::Ejected,
    ResourceEvent::Panicked,
];

fn event_rows(
    resource: &Resource,
    is_told: impl Fn(ResourceEvent) -> bool,
) -> impl Iterator<Item = Vec<String>> {
    let happened = resource.events.iter().filter(move |(event, n)| *n > 0 && is_told(*event));
    happened.map(|(event, count)| row(&resource.name, [words::count(*count), event.to_string()]))
}
