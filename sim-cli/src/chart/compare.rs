//! The comparison of several scenarios as one SVG: their timelines over one axis, the
//! distributions of their latencies, and their figures with intervals.
//!
//! A side keeps its colour and its dash in all panels: they are given out in the order of the
//! sides. The others are compared with the first.

use std::collections::BTreeSet;
use std::iter;

use sim_core::Time;
use sim_models::outcome::{ActorKind, Outcome};
use sim_models::study::{
    Comparison, Contrast, Figure, Kind, LatencySummary, Quantile, Side, Typical, Unit,
};

use super::axis::Scale;
use super::canvas::{Canvas, Drawn};
use super::dots::{self, Cell, Column, DotPanel};
use super::ink::{DOTS, Ink, SIDES};
use super::measure;
use super::nines::{Curve, NinesPanel};
use super::picture::Picture;
use super::sheet::Sheet;
use super::stack::{GAP, Panel, Stack, TITLE, title};
use super::timeline::end;
use super::{lanes, lines};
use crate::decision::{Decision, Finding, LEAST};
use crate::{figure, words};

/// The comparison. Timelines are of `runs`, those of one seed, in the sides' order; the title is
/// what the decision table shows. `repeat` is the command that repeats all.
pub fn comparison(
    comparison: &Comparison,
    decision: &Decision,
    runs: &[Outcome],
    repeat: &str,
) -> Picture {
    let finding = decision.finding(runs.first().and_then(crate::finding::trigger).as_deref());
    let figure = Comparing::new(comparison, decision, runs, finding.as_ref());
    let evidence = evidence(comparison);
    let headline = finding.map_or_else(|| nothing(comparison), |finding| finding.text);
    let names: Vec<String> = comparison.sides.iter().map(|s| format!("“{}”", s.name)).collect();
    let mut sheet = Sheet::new(figure.id(), &headline)
        .evidence(&evidence)
        .subject(&figure.subject())
        .describe(&format!("{} {evidence} {}.", figure.subject(), names.join(", ")));
    for side in &comparison.sides {
        sheet = sheet.corner(&format!("{} · {}", side.subject.id, short(&side.name)));
    }
    sheet = sheet.corner(&format!("repeat: {repeat}"));
    let end = figure.stack.end.as_secs_f64();
    sheet.picture(figure.height(), end, |canvas, top| figure.draw(canvas, top))
}

/// Where a smaller share is served, latencies are not told without it.
pub(super) const WELL: f64 = 0.99;

/// More sides than that have no row in the panel of figures.
const DOTTED_MAX: usize = 24;

struct Comparing<'a> {
    comparison: &'a Comparison,
    /// The seed of the timelines.
    seed: Option<u64>,
    stack: Stack,
    /// The actor whose latencies are shown, and the panel.
    nines: Option<(String, NinesPanel)>,
    dots: Option<DotPanel>,
}

impl<'a> Comparing<'a> {
    fn new(
        comparison: &'a Comparison,
        decision: &Decision,
        runs: &[Outcome],
        finding: Option<&Finding>,
    ) -> Comparing<'a> {
        let shown = comparison.sides.len().min(SIDES.len());
        let sides = &comparison.sides[..shown];
        let nines = nines(sides);
        let actor = nines.as_ref().map(|(actor, _)| actor.as_str());
        Comparing {
            comparison,
            seed: runs.first().map(|run| run.run_id.seed),
            stack: timelines(sides, &runs[..runs.len().min(shown)]),
            dots: figures(comparison, decision, actor, finding),
            nines,
        }
    }

    fn id(&self) -> String {
        let hash = self.comparison.sides.iter().fold(0u64, |hash, side| {
            let id = &side.subject.id.first;
            hash.rotate_left(7) ^ id.scenario_hash ^ id.overrides_hash.unwrap_or(1) ^ id.seed
        });
        format!("compare-{hash:016x}")
    }

    fn subject(&self) -> String {
        let sides = &self.comparison.sides;
        let first = &sides[0].subject;
        let omitted = match sides.len().saturating_sub(SIDES.len()) {
            0 => String::new(),
            n => format!(" The last {n} have no lines, only figures."),
        };
        let timelines = self.whose_timelines().unwrap_or_default();
        format!("{}. {timelines}{omitted}", first.scenario)
    }

    /// Which seed the timelines are of, and how many others end otherwise.
    fn whose_timelines(&self) -> Option<String> {
        let seed = self.seed?;
        let others = match self.comparison.typical {
            Some(Typical { alike, of, seed: typical }) if typical == seed && of > 1 => {
                format!(", in the middle of the {alike} of {of} that end alike on every side")
            }
            _ => String::new(),
        };
        Some(format!("Timelines are of seed {seed}{others}; everything else is of all seeds."))
    }

    fn height(&self) -> f64 {
        let nines = self.nines.as_ref().map_or(0.0, |(_, panel)| TITLE + panel.height() + GAP);
        let dots = self.dots.as_ref().map_or(0.0, |panel| TITLE + panel.height() + GAP);
        self.stack.height() + GAP + nines + dots
    }

    fn draw(&self, canvas: &Canvas, top: f64) -> Drawn {
        self.stack.draw(canvas, top)?;
        let mut y = top + self.stack.height() + GAP;
        if let Some((actor, panel)) = &self.nines {
            let log = if panel.is_log() { " (log scale)" } else { "" };
            let text = format!(
                "Latencies of {actor}{log}: of what succeeded, which share took no longer; all \
                 seeds together, with intervals"
            );
            title(canvas, &text, y)?;
            panel.draw(canvas, y + TITLE)?;
            y += TITLE + panel.height() + GAP;
        }
        if let Some(panel) = &self.dots {
            let text = self.dots_title();
            title(canvas, &text, y)?;
            panel.draw(canvas, y + TITLE)?;
        }
        Ok(())
    }

    fn dots_title(&self) -> String {
        let first = &self.comparison.sides[0];
        let confidence = 100.0 * first.subject.confidence;
        match self.comparison.sides.len() {
            1 => format!("Means over seeds with {confidence} % intervals"),
            _ => format!(
                "Means over seeds with {confidence} % intervals; in words the interval of the \
                 difference from “{}”, seed by seed",
                short(&first.name)
            ),
        }
    }
}

/// Goodput and tail latency of the first seed over one axis.
fn timelines(sides: &[Side], first: &[Outcome]) -> Stack {
    let end = first.iter().map(end).max().unwrap_or(Time::from_nanos(1_000_000_000));
    let sheet = &mut String::new();
    let canvas = Canvas::new(sheet, 0.0, end.as_secs_f64());
    let runs: Vec<lines::Run> = sides
        .iter()
        .zip(first)
        .zip(SIDES)
        .map(|((side, outcome), ink)| lines::Run { name: &side.name, ink, series: &outcome.series })
        .collect();
    let panels = [
        first
            .first()
            .and_then(|run| lanes::faults(&crate::finding::disturbances(run), &canvas))
            .map(Panel::Lanes),
        lines::goodputs(&runs).map(Panel::Lines),
        lines::tails(&runs).map(Panel::Lines),
    ];
    Stack { end, panels: panels.into_iter().flatten().collect() }
}

/// The latencies of the client that has most of them in the first side.
fn nines(sides: &[Side]) -> Option<(String, NinesPanel)> {
    let latencies = &sides.first()?.summary.latencies;
    let most = latencies
        .iter()
        .rev()
        .max_by_key(|latency| (latency.kind == Some(ActorKind::Client), latency.samples))?;
    let of = |side: &Side| side.summary.latencies.iter().find(|l| l.of == most.of).cloned();
    let served = Figure::of(Kind::Success, &*most.of);
    // A tail of the few who are served is told with how few they are.
    let name = |side: &Side| match reading(side, &served) {
        Some((share, _)) if share < WELL => {
            format!("{}: {} succeed", side.name, figure::figure(Unit::Share, share))
        }
        _ => side.name.clone(),
    };
    let curve = |(side, ink): (&Side, Ink)| {
        let LatencySummary { curve, percentiles, .. } = of(side)?;
        Some(Curve { name: name(side), ink, points: curve, percentiles })
    };
    let curves = sides.iter().zip(SIDES).filter_map(curve).collect();
    Some((most.of.clone(), NinesPanel::new(curves)?))
}

/// The figures that say most, with those of all sides.
fn figures(
    comparison: &Comparison,
    decision: &Decision,
    actor: Option<&str>,
    finding: Option<&Finding>,
) -> Option<DotPanel> {
    let least = decision.terms.map_or(LEAST, |terms| terms.least);
    let sides = &comparison.sides[..comparison.sides.len().min(DOTTED_MAX)];
    let found = finding.map(|finding| finding.figure.clone());
    let mut columns: Vec<Column> = Vec::new();
    let mut seen = BTreeSet::new();
    // What the title says is drawn, and stands first.
    for figure in found.into_iter().chain(candidates(sides, actor)) {
        if !seen.insert(figure.clone()) {
            continue;
        }
        let column = column(comparison, sides, &figure, least);
        columns.extend(column.filter(|_| columns.len() < dots::COLUMNS_MAX));
    }
    // More sides than there are lines have no colour of their own: their names stand beside.
    let lines = SIDES.map(Some).into_iter().chain(iter::repeat(None));
    let dots = DOTS.into_iter().chain(iter::repeat(Ink::Muted));
    let sides = sides.iter().zip(lines).zip(dots);
    let sides = sides.map(|((side, line), dot)| (side.name.clone(), line, dot)).collect();
    (!columns.is_empty()).then_some(DotPanel { sides, columns })
}

/// What may be shown, the most telling first: goodput, tail, whether it stays down, amplification,
/// recovery, and what fills their place where there is none.
fn candidates(sides: &[Side], actor: Option<&str>) -> Vec<Figure> {
    let measures = || sides.iter().flat_map(|side| &side.summary.measures);
    // Of many hops or services, the one that is highest anywhere.
    let highest = |kind: Kind| {
        let of_kind = measures().filter(|measure| measure.figure.kind == kind);
        let valued = of_kind.filter_map(|m| Some((m.estimate?.mean, &m.figure)));
        let highest = valued.reduce(|a, b| if b.0 > a.0 { b } else { a });
        highest.map(|(_, figure)| figure.clone())
    };
    // A mean time to recover is of those that did; how many did not comes before it.
    let down = highest(Kind::Metastable).filter(|figure| {
        sides.iter().filter_map(|side| reading(side, figure)).any(|(share, _)| share > 0.0)
    });
    let broken = sides.iter().flat_map(|side| &side.summary.invariants).find(|i| i.broken > 0);
    let tail = actor.map(|actor| Figure::of(Kind::Percentile(Quantile::P99), actor));
    [
        broken.map(|invariant| Figure::of(Kind::Broken, &*invariant.name)),
        highest(Kind::Goodput),
        tail,
        down,
        highest(Kind::Amplification),
        highest(Kind::RecoveryTime),
        highest(Kind::PeakArrivals),
        highest(Kind::Success),
        highest(Kind::Wasted),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn column(comparison: &Comparison, sides: &[Side], figure: &Figure, least: f64) -> Option<Column> {
    let readings: Vec<_> = sides.iter().map(|side| reading(side, figure)).collect();
    let ends = readings.iter().flatten().flat_map(|(value, interval)| {
        [Some(*value), interval.map(|i| i.0), interval.map(|i| i.1)].into_iter().flatten()
    });
    let max = ends.clone().reduce(f64::max)?;
    let positive = ends.filter(|value| *value > 0.0).reduce(f64::min).unwrap_or(1.0);
    let unit = figure.unit();
    let scale = scale(unit, positive, max);
    let words = |side: usize| match contrast(comparison, figure, side) {
        _ if side == 0 => {
            readings[0].map_or_else(String::new, |(value, _)| figure::figure(unit, value))
        }
        Some(contrast) => difference(contrast, least),
        None => readings[side].map_or_else(String::new, |(value, _)| figure::figure(unit, value)),
    };
    let cell = |(side, reading): (usize, &Option<Reading>)| {
        reading.map(|(value, interval)| Cell { value, interval, words: words(side) })
    };
    let cells = readings.iter().enumerate().map(cell).collect();
    let missing = match figure {
        Figure { kind: Kind::RecoveryTime, .. } => "no run recovered",
        _ => "no value",
    };
    Some(Column { title: column_title(figure), scale, cells, missing })
}

/// The scale of values in a unit up to `max`, of which `min` is the least above zero.
pub(super) fn scale(unit: Unit, min: f64, max: f64) -> Scale {
    match unit {
        Unit::Millis => Scale::millis(min, max),
        Unit::Share => Scale::shares(max),
        Unit::PerSecond | Unit::Ratio | Unit::Count => Scale::counts(max),
    }
}

/// A value and the ends of its interval.
type Reading = (f64, Option<(f64, f64)>);

/// A figure of one side over all of its runs.
fn reading(side: &Side, figure: &Figure) -> Option<Reading> {
    let of = figure.of.as_deref();
    match figure.kind {
        Kind::Broken => {
            let tally = side.summary.invariants.iter().find(|i| Some(&i.name[..]) == of)?;
            let tested = tally.runs - tally.vacuous;
            let interval = tally.rate.map(|rate| (rate.low, rate.high));
            (tested > 0).then(|| (tally.broken as f64 / tested as f64, interval))
        }
        Kind::Percentile(quantile) => {
            let latency = side.summary.latencies.iter().find(|l| Some(&l.of[..]) == of)?;
            let percentile = latency.percentiles.iter().find(|p| p.quantile == quantile)?;
            let interval = percentile.low.zip(percentile.high);
            let interval = interval.map(|(a, b)| (a.as_millis_f64(), b.as_millis_f64()));
            Some((percentile.value.as_millis_f64(), interval))
        }
        _ => {
            let estimate = side.summary.estimate(figure)?;
            Some((estimate.mean, estimate.interval.map(|i| (i.low, i.high))))
        }
    }
}

fn contrast<'a>(comparison: &'a Comparison, figure: &Figure, side: usize) -> Option<&'a Contrast> {
    comparison.contrasts.iter().find(|c| c.side == side && c.figure == *figure)
}

/// `-430 to -395 ms: better`.
fn difference(contrast: &Contrast, least: f64) -> String {
    let unit = contrast.figure.unit();
    match contrast.difference.interval {
        Some(interval) => {
            let interval = figure::difference_range(unit, interval);
            format!("{interval}: {}", contrast.mark(least))
        }
        None => format!("{}, no interval", figure::difference(unit, contrast.difference.mean)),
    }
}

/// What is said where nothing tells the sides apart.
fn nothing(comparison: &Comparison) -> String {
    let name = |n: usize| &comparison.sides[n].name;
    match comparison.sides.len() {
        1 => format!("“{}” on its own", name(0)),
        2 => format!("Nothing tells “{}” from “{}”", name(1), name(0)),
        _ => format!("Nothing tells any side from “{}”", name(0)),
    }
}

fn evidence(comparison: &Comparison) -> String {
    let sides = comparison.sides.len();
    // What a limit ended on either side is in no difference.
    let pairs = comparison.sides.iter().map(|side| side.pairs).min().unwrap_or(0);
    let seeds = words::counted(pairs, "seed");
    let confidence = 100.0 * comparison.sides[0].subject.confidence;
    match (sides, pairs) {
        (1, _) => format!("{seeds}; intervals are of {confidence} % confidence."),
        (_, 0 | 1) => format!("{seeds}, the same luck for all sides; one run has no interval."),
        _ => format!(
            "{seeds}, the same luck for all sides; differences are seed by seed, at {confidence} % \
             confidence."
        ),
    }
}

/// A name that leaves room for others beside it.
fn short(name: &str) -> String {
    measure::clip(name, 1.0, 28.0)
}

/// What a figure is called over its column, with its unit.
pub(super) fn column_title(figure: &Figure) -> String {
    let of = figure.of.as_deref();
    let title = match figure.kind {
        Kind::Broken => return format!("Runs that break {}", of.unwrap_or("a promise")),
        Kind::Percentile(quantile) => format!("{quantile} latency"),
        Kind::Duplicated => "Duplicated effects".to_owned(),
        Kind::Metastable => "Runs that stay down".to_owned(),
        Kind::Success => "Success".to_owned(),
        Kind::Unanswered => "Without an answer".to_owned(),
        Kind::Degraded => "Success by fallback".to_owned(),
        Kind::Goodput => "Goodput per second".to_owned(),
        Kind::LatencyMean => "Mean latency".to_owned(),
        Kind::LatencyMax => "Longest latency".to_owned(),
        Kind::RecoveryTime => "Time to recover".to_owned(),
        Kind::Amplification => "Attempts per call".to_owned(),
        Kind::RequestsPerIntent => "Requests per intent".to_owned(),
        Kind::Refusals => "Refusals".to_owned(),
        Kind::Wasted => "Wasted work".to_owned(),
        Kind::Utilisation => "Utilisation".to_owned(),
        Kind::Waiting => "Requests waiting".to_owned(),
        Kind::Waited => "Share that waits".to_owned(),
        Kind::PeakArrivals => "Peak arrivals per 100 ms".to_owned(),
        Kind::BreakerOpenings => "Breaker openings".to_owned(),
        Kind::Count(counter) => words::sentence(&counter.name().replace('_', " ")),
    };
    of.map_or_else(|| title.clone(), |of| format!("{title}, {of}"))
}
