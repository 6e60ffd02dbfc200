//! Panels of resources: how full policies, caches, queues and services were, where that mattered.

use sim_models::outcome::{LevelSeries, Outcome, Quantity, Resource, ResourceEvent, ResourceKind};

use super::lines::{LinePanel, extremes};
use crate::words;

/// More of them would push the other panels off the page; all series are in the JSON.
const PANELS_MAX: usize = 5;

/// Lines of a panel; those that were worst off.
const LINES_MAX: usize = 3;

/// What is drawn of a quantity.
struct Theme {
    quantity: Quantity,
    /// Whether something happened to a resource that makes it worth a line.
    matters: fn(&Resource) -> bool,
    title: &'static str,
}

const THEMES: [Theme; 8] = [
    Theme {
        quantity: Quantity::Up,
        matters: |_| true,
        title: "Instances that take requests, least per window",
    },
    Theme {
        quantity: Quantity::InUse,
        matters: |resource| resource.kind == ResourceKind::Bulkhead && was_short(resource),
        title: "Permits of each bulkhead in use, most per window",
    },
    Theme {
        quantity: Quantity::Tokens,
        matters: was_short,
        title: "Left in each retry budget and rate limiter, least per window",
    },
    Theme {
        quantity: Quantity::Limit,
        matters: was_short,
        title: "Calls that each concurrency limit allows, least per window",
    },
    Theme {
        quantity: Quantity::Refusing,
        matters: was_short,
        title: "Chance that each throttle refuses a call, most per window",
    },
    Theme {
        quantity: Quantity::Ejected,
        matters: |_| true,
        title: "Hosts ejected by outlier detection, most per window",
    },
    Theme {
        quantity: Quantity::Lag,
        matters: |resource| {
            let again = [ResourceEvent::Redelivered, ResourceEvent::Dead];
            again.into_iter().any(|event| resource.event(event) > 0)
        },
        title: "Messages that nobody has acknowledged, most per window",
    },
    Theme {
        quantity: Quantity::HitRatio,
        matters: |resource| match resource.kind {
            ResourceKind::Cache => resource.event(ResourceEvent::Missed) > 0,
            // A store is asked for much that is not there yet.
            _ => {
                let lost = [ResourceEvent::Evicted, ResourceEvent::Crashed];
                lost.into_iter().any(|event| resource.event(event) > 0)
            }
        },
        title: "Lookups that found a value, share of each window",
    },
];

/// Somebody had to wait for it, or was refused.
fn was_short(resource: &Resource) -> bool {
    resource.event(ResourceEvent::Waited) + resource.event(ResourceEvent::Refused) > 0
}

/// The panels in which something happened.
pub fn panels(outcome: &Outcome) -> Vec<LinePanel> {
    THEMES.iter().filter_map(|theme| panel(theme, outcome)).take(PANELS_MAX).collect()
}

fn panel(theme: &Theme, outcome: &Outcome) -> Option<LinePanel> {
    let series = &outcome.series;
    let mut levels: Vec<&LevelSeries> = series
        .levels
        .iter()
        .filter(|level| level.quantity == theme.quantity)
        .filter(|level| outcome.resource(&level.resource).is_some_and(theme.matters))
        .collect();
    let are_shares = levels.iter().all(|level| is_share(level));
    // The worst comes first; those that are alike stay in order.
    let badness = |level: &LevelSeries| {
        let worst = worst(level) * if are_shares { per_bound(level) } else { 1.0 };
        if theme.quantity.is_worst_low() { worst } else { -worst }
    };
    levels.sort_by(|a, b| badness(a).total_cmp(&badness(b)));
    let more = match levels.len().saturating_sub(LINES_MAX) {
        0 => String::new(),
        n => format!("; {n} not drawn"),
    };
    let lines = levels.into_iter().take(LINES_MAX).map(|level| {
        let factor = if are_shares { per_bound(level) } else { 1.0 };
        let values = level.worst.iter().map(|value| value.map(|value| value * factor));
        // The title says what they are.
        let name = level.resource.strip_suffix(&format!(", {}", level.kind));
        let name = name.unwrap_or(&level.resource).to_owned();
        (name, extreme(level, are_shares), values.collect())
    });
    let lines: Vec<_> = lines.collect();
    let title = format!("{}{more}", theme.title);
    extremes(lines, series.width, are_shares, title)
}

/// Whether it is drawn as a share of what there can be.
fn is_share(level: &LevelSeries) -> bool {
    let is_count = matches!(level.quantity, Quantity::Up | Quantity::Ejected | Quantity::Limit);
    !is_count && level.bound.is_some_and(|bound| bound > 0.0)
}

fn per_bound(level: &LevelSeries) -> f64 {
    level.bound.map_or(1.0, |bound| 1.0 / bound)
}

fn worst(level: &LevelSeries) -> f64 {
    let values = level.worst.iter().flatten().copied();
    let pick = if level.quantity.is_worst_low() { f64::min } else { f64::max };
    values.reduce(pick).unwrap_or(0.0)
}

/// The worst value of all in words: `least 2 of 10`.
fn extreme(level: &LevelSeries, are_shares: bool) -> String {
    let (which, worst) = (level.quantity.worst(), worst(level));
    match level.bound {
        Some(bound) if are_shares && bound != 1.0 => {
            format!("{which} {} of {}", words::amount(worst), words::amount(bound))
        }
        Some(_) if are_shares => format!("{which} {:.0} %", 100.0 * worst),
        _ => format!("{which} {}", words::amount(worst)),
    }
}
