//! What happened per window of time, in JSON. A list of windows stands on one line.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize as Derive;
use serde::ser::{Serialize, Serializer};
use serde_json::value::RawValue;
use sim_core::Span;
use sim_models::outcome::{ClientSeries, EffectSeries, EndingSeries, LevelSeries, Series};

use super::Entries;

/// What happened per window of time.
#[derive(Derive, JsonSchema)]
pub(super) struct SeriesView<'a> {
    window_ms: f64,
    offered: Counts,
    goodput: Counts,
    failed: Counts,
    retries: Counts,
    latency_p50_ms: Values,
    latency_p99_ms: Values,
    failed_p50_ms: Values,
    failed_p99_ms: Values,
    clients: Entries<&'a str, ClientView>,
    endings: Entries<&'a str, Entries<String, Counts>>,
    amplification: Entries<&'a str, Values>,
    requests_per_intent: Entries<&'a str, Values>,
    wasted: Entries<&'a str, Values>,
    effects: Entries<&'a str, EffectView>,
    violations: Entries<&'a str, Counts>,
    levels: Vec<LevelView<'a>>,
}

/// What a client's users got; who was never answered counts where the intent arose.
#[derive(Derive, JsonSchema)]
#[schemars(rename = "ClientSeries")]
struct ClientView {
    offered: Counts,
    goodput: Counts,
    degraded: Counts,
    failed: Counts,
    unanswered: Counts,
    latency_p50_ms: Values,
    latency_p99_ms: Values,
    failed_p50_ms: Values,
    failed_p99_ms: Values,
}

#[derive(Derive, JsonSchema)]
#[schemars(rename = "EffectSeries")]
struct EffectView {
    count: Counts,
    duplicated: Counts,
    refunded: Counts,
    merged: Counts,
}

#[derive(Derive, JsonSchema)]
#[schemars(rename = "LevelSeries")]
struct LevelView<'a> {
    resource: &'a str,
    level: &'static str,
    mean: Values,
    worst: Values,
}

/// How often something happened in each window, on one line.
struct Counts(Box<RawValue>);

/// A value of each window, on one line; `null` where there is none.
struct Values(Box<RawValue>);

impl Counts {
    fn of(counts: &[u32]) -> Counts {
        Counts(line(counts))
    }
}

impl Values {
    fn of(values: &[Option<f64>]) -> Values {
        Values(line(values))
    }

    fn spans(spans: &[Option<Span>]) -> Values {
        Values(line(&spans.iter().map(|span| span.map(Span::as_millis_f64)).collect::<Vec<_>>()))
    }
}

impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl Serialize for Values {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl JsonSchema for Counts {
    fn schema_name() -> Cow<'static, str> {
        "counts".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Vec::<u32>::json_schema(generator)
    }
}

impl JsonSchema for Values {
    fn schema_name() -> Cow<'static, str> {
        "values".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Vec::<Option<f64>>::json_schema(generator)
    }
}

impl<'a> From<&'a Series> for SeriesView<'a> {
    fn from(series: &'a Series) -> SeriesView<'a> {
        SeriesView {
            window_ms: series.width.as_millis_f64(),
            offered: Counts::of(&series.offered),
            goodput: Counts::of(&series.goodput),
            failed: Counts::of(&series.failed),
            retries: Counts::of(&series.retries),
            latency_p50_ms: Values::spans(&series.latency_p50),
            latency_p99_ms: Values::spans(&series.latency_p99),
            failed_p50_ms: Values::spans(&series.failed_p50),
            failed_p99_ms: Values::spans(&series.failed_p99),
            clients: entries(&series.clients, |own| (&own.name, ClientView::from(own))),
            endings: entries(&series.endings, |own| (&own.hop, endings(own))),
            amplification: entries(&series.amplification, |(of, all)| (of, Values::of(all))),
            requests_per_intent: entries(&series.requests_per_intent, |(of, all)| {
                (of, Values::of(all))
            }),
            wasted: entries(&series.wasted, |(of, all)| (of, Values(line(all)))),
            effects: entries(&series.effects, |own| (&own.kind, EffectView::from(own))),
            violations: entries(&series.violations, |(of, all)| (of, Counts::of(all))),
            levels: series.levels.iter().map(LevelView::from).collect(),
        }
    }
}

impl From<&ClientSeries> for ClientView {
    fn from(own: &ClientSeries) -> ClientView {
        ClientView {
            offered: Counts::of(&own.offered),
            goodput: Counts::of(&own.goodput),
            degraded: Counts::of(&own.degraded),
            failed: Counts::of(&own.failed),
            unanswered: Counts::of(&own.unanswered),
            latency_p50_ms: Values::spans(&own.latency_p50),
            latency_p99_ms: Values::spans(&own.latency_p99),
            failed_p50_ms: Values::spans(&own.failed_p50),
            failed_p99_ms: Values::spans(&own.failed_p99),
        }
    }
}

impl From<&EffectSeries> for EffectView {
    fn from(own: &EffectSeries) -> EffectView {
        EffectView {
            count: Counts::of(&own.count),
            duplicated: Counts::of(&own.duplicated),
            refunded: Counts::of(&own.refunded),
            merged: Counts::of(&own.merged),
        }
    }
}

impl<'a> From<&'a LevelSeries> for LevelView<'a> {
    fn from(LevelSeries { resource, quantity, mean, worst, .. }: &'a LevelSeries) -> Self {
        let (mean, worst) = (Values::of(mean), Values::of(worst));
        LevelView { resource, level: quantity.id(), mean, worst }
    }
}

fn endings(own: &EndingSeries) -> Entries<String, Counts> {
    Entries(own.endings.iter().map(|(ending, n)| (ending.id(), Counts::of(n))).collect())
}

/// All of them by name.
fn entries<'a, T, V>(
    all: &'a [T],
    entry: impl Fn(&'a T) -> (&'a String, V),
) -> Entries<&'a str, V> {
    let entry = |own: &'a T| {
        let (name, view) = entry(own);
        (name.as_str(), view)
    };
    Entries(all.iter().map(entry).collect())
}

fn line(values: &(impl Serialize + ?Sized)) -> Box<RawValue> {
    serde_json::value::to_raw_value(values).expect("finite numbers")
}
