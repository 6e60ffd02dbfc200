//! Resources and series in JSON. A list of windows stands on one line.

use schemars::JsonSchema;
use serde::Serialize as Derive;
use serde::ser::Serialize;
use serde_json::value::RawValue;
use sim_core::Span;
use sim_models::outcome::{LevelSeries, Resource, ResourceLevel, Series};

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

/// What happened per window of time.
#[derive(Derive, JsonSchema)]
pub(super) struct SeriesView<'a> {
    window_ms: f64,
    #[schemars(with = "Vec<u32>")]
    offered: Box<RawValue>,
    #[schemars(with = "Vec<u32>")]
    goodput: Box<RawValue>,
    #[schemars(with = "Vec<u32>")]
    failed: Box<RawValue>,
    #[schemars(with = "Vec<u32>")]
    retries: Box<RawValue>,
    #[schemars(with = "Vec<Option<f64>>")]
    latency_p50_ms: Box<RawValue>,
    #[schemars(with = "Vec<Option<f64>>")]
    latency_p99_ms: Box<RawValue>,
    #[schemars(with = "Entries<&'static str, Vec<Option<f64>>>")]
    amplification: Entries<&'a str, Box<RawValue>>,
    levels: Vec<LevelSeriesView<'a>>,
}

#[derive(Derive, JsonSchema)]
struct LevelSeriesView<'a> {
    resource: &'a str,
    level: &'static str,
    #[schemars(with = "Vec<Option<f64>>")]
    mean: Box<RawValue>,
    #[schemars(with = "Vec<Option<f64>>")]
    worst: Box<RawValue>,
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

impl<'a> From<&'a Series> for SeriesView<'a> {
    fn from(series: &'a Series) -> SeriesView<'a> {
        let amplification = series.amplification.iter();
        let amplification = amplification.map(|(hop, ratios)| (&hop[..], line(ratios)));
        SeriesView {
            window_ms: series.width.as_millis_f64(),
            offered: line(&series.offered),
            goodput: line(&series.goodput),
            failed: line(&series.failed),
            retries: line(&series.retries),
            latency_p50_ms: spans(&series.latency_p50),
            latency_p99_ms: spans(&series.latency_p99),
            amplification: Entries(amplification.collect()),
            levels: series.levels.iter().map(LevelSeriesView::from).collect(),
        }
    }
}

impl<'a> From<&'a LevelSeries> for LevelSeriesView<'a> {
    fn from(LevelSeries { resource, quantity, mean, worst, .. }: &'a LevelSeries) -> Self {
        LevelSeriesView { resource, level: quantity.id(), mean: line(mean), worst: line(worst) }
    }
}

fn spans(spans: &[Option<Span>]) -> Box<RawValue> {
    line(&spans.iter().map(|span| span.map(Span::as_millis_f64)).collect::<Vec<_>>())
}

/// A list on one line.
fn line(values: &(impl Serialize + ?Sized)) -> Box<RawValue> {
    serde_json::value::to_raw_value(values).expect("finite numbers")
}
