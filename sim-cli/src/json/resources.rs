//! Resources in JSON.

use schemars::JsonSchema;
use serde::Serialize as Derive;
use sim_models::outcome::{Resource, ResourceLevel};

use super::Entries;

#[derive(Derive, JsonSchema)]
pub(super) struct ResourceView {
    kind: &'static str,
    levels: Entries<&'static str, LevelView>,
    events: Entries<&'static str, u64>,
}

#[derive(Derive, JsonSchema)]
struct LevelView {
    unit: &'static str,
    bound: Option<f64>,
    mean: f64,
    least: f64,
    most: f64,
}

/// All resources by name.
pub(super) fn resources(all: &[Resource]) -> Entries<&str, ResourceView> {
    let view = |resource: &Resource| ResourceView {
        kind: resource.kind.id(),
        levels: Entries(resource.levels.iter().map(level).collect()),
        events: Entries(resource.events.iter().map(|(event, n)| (event.id(), *n)).collect()),
    };
    Entries(all.iter().map(|resource| (&resource.name[..], view(resource))).collect())
}

fn level(level: &ResourceLevel) -> (&'static str, LevelView) {
    let ResourceLevel { quantity, bound, mean, least, most } = *level;
    (quantity.id(), LevelView { unit: quantity.unit(), bound, mean, least, most })
}
