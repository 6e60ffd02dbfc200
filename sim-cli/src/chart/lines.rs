//! Panels of lines: one value per window of time, drawn in steps.

use plotters::element::PathElement;
use plotters::style::text_anchor::HPos;
use sim_core::Span;
use sim_models::outcome::{ClientSeries, LevelSeries, Quantity, Series};

use super::axis::Scale;
use super::canvas::{COLUMNS, Canvas, Drawn, Face, LABEL, LABEL_SIZE, LEFT, RIGHT, WIDTH};
use super::ink::{Ink, QUEUES};
use super::{measure, numbers};
use crate::words;

/// Busy services and amplified hops beyond that are not drawn.
const LINES_MAX: usize = 3;

/// Attempts per call from which on a hop is worth a line: below, the label would read 1.0.
const AMPLIFIED: f64 = 1.05;

/// The most of a service's busy workers that may work for nobody without a line.
const WASTED: f64 = 0.05;

/// Lines over a common scale.
pub struct LinePanel {
    /// What the lines show, with its unit.
    pub title: String,
    /// Height of the plot in px.
    pub height: f64,
    scale: Scale,
    lines: Vec<Line>,
}

struct Line {
    name: String,
    /// The greatest value in words, or the least, which stays where the name is cut: `peak 5/s`.
    extreme: Option<String>,
    ink: Ink,
    /// Length of a window in seconds.
    width: f64,
    /// Windows without a value are gaps.
    values: Vec<Option<f64>>,
}

impl Line {
    /// What stands beside it in `room` px: its name, cut where it is long, and its extreme.
    fn label(&self, room: f64) -> String {
        let extreme = self.extreme.as_ref().map_or(String::new(), |said| format!(", {said}"));
        measure::clip(&self.name, LABEL_SIZE, room - measure::width(&extreme, LABEL_SIZE))
            + &extreme
    }
}

/// One of several runs that share a panel.
pub struct Run<'a> {
    /// What it is called.
    pub name: &'a str,
    /// Of its line.
    pub ink: Ink,
    /// What happened in it.
    pub series: &'a Series,
}

/// Load, goodput, failures and retries per second, if there were any.
pub fn rates(series: &Series) -> Option<LinePanel> {
    let width = series.width.as_secs_f64();
    let rate = |&n: &u32| Some(f64::from(n) / width);
    let line = |name: &str, ink, counts: &[u32]| Line {
        name: name.to_owned(),
        extreme: Some({
            let most = counts.iter().max().and_then(rate).unwrap_or(0.0);
            format!("peak {}", words::per_second(most))
        }),
        ink,
        width,
        values: counts.iter().map(rate).collect(),
    };
    let mut lines = vec![line("offered", Ink::Offered, &series.offered)];
    for (name, ink, counts) in
        [("failed", Ink::Failed, &series.failed), ("retries", Ink::Retries, &series.retries)]
    {
        if counts.iter().any(|&n| n > 0) {
            lines.push(line(name, ink, counts));
        }
    }
    // Who was never answered counts where the intent arose, the others where it ended.
    let of_all = |of: fn(&ClientSeries) -> &[u32]| {
        let mut all = vec![0; series.offered.len()];
        for client in &series.clients {
            all.iter_mut().zip(of(client)).for_each(|(all, own)| *all += own);
        }
        all
    };
    for (name, ink, counts) in [
        ("degraded", Ink::Degraded, of_all(|client| &client.degraded)),
        ("never answered", Ink::Unanswered, of_all(|client| &client.unanswered)),
    ] {
        if counts.iter().any(|&n| n > 0) {
            lines.push(line(name, ink, &counts));
        }
    }
    // Last, and so on top; no goodput at all is a finding too.
    lines.push(line("goodput", Ink::Goodput, &series.goodput));
    let max = greatest(&lines)?;
    Some(LinePanel {
        title: format!("Requests per second, in windows of {}", words::duration(series.width)),
        height: 190.0,
        scale: Scale::counts(max),
        lines,
    })
}

/// Median and tail latency, if any intent ended: of successes, and of failures where there are any.
pub fn latencies(series: &Series) -> Option<LinePanel> {
    let width = series.width.as_secs_f64();
    let line = |name: &str, ink, spans: &[Option<Span>]| Line {
        name: name.to_owned(),
        extreme: spans.iter().flatten().max().map(|&max| format!("peak {}", words::duration(max))),
        ink,
        width,
        values: spans.iter().map(|span| span.map(|span| span.as_nanos() as f64)).collect(),
    };
    let mut lines = vec![
        line("p50", Ink::Median, &series.latency_p50),
        line("p99", Ink::Tail, &series.latency_p99),
        line("failed, p50", Ink::FailedMedian, &series.failed_p50),
        line("failed, p99", Ink::FailedTail, &series.failed_p99),
    ];
    lines.retain(|line| line.values.iter().any(Option::is_some));
    let failed = lines.iter().any(|line| matches!(line.ink, Ink::FailedMedian | Ink::FailedTail));
    let title = match failed {
        true => "Latency of submissions, successes and failures apart",
        false => "Latency of submissions that succeeded",
    };
    lengths(lines, title, 130.0)
}

/// Lengths of time in nanoseconds.
fn lengths(lines: Vec<Line>, title: &str, height: f64) -> Option<LinePanel> {
    greatest(&lines)?;
    let all = || lines.iter().flat_map(|line| line.values.iter().flatten()).filter(|n| **n > 0.0);
    let (min, max) = (all().copied().reduce(f64::min)?, all().copied().reduce(f64::max)?);
    let scale = Scale::lengths(min as u64, max as u64);
    let log = if scale.is_log() { " (log scale)" } else { "" };
    Some(LinePanel { title: format!("{title}{log}"), height, scale, lines })
}

/// Goodput of each client, where there are several.
pub fn goodput_of_clients(series: &Series) -> Option<LinePanel> {
    let width = series.width.as_secs_f64();
    let (clients, more) = several_clients(series)?;
    let values = |own: &ClientSeries| {
        own.goodput.iter().map(|&n| Some(f64::from(n) / width)).collect::<Vec<_>>()
    };
    let lines = clients.into_iter().map(|(own, ink)| {
        let values = values(own);
        let peak = values.iter().flatten().copied().fold(0.0, f64::max);
        let extreme = Some(format!("peak {}", words::per_second(peak)));
        // A client that gets nothing is a finding.
        Line { name: own.name.clone(), extreme, ink, width, values }
    });
    let lines: Vec<Line> = lines.collect();
    let max = greatest(&lines)?;
    let title = format!("Goodput of each client per second{more}");
    Some(LinePanel { title, height: several(&lines, 110.0), scale: Scale::counts(max), lines })
}

/// Tail latency of each client, where there are several.
pub fn tails_of_clients(series: &Series) -> Option<LinePanel> {
    let width = series.width.as_secs_f64();
    let (clients, more) = several_clients(series)?;
    let lines = clients.into_iter().map(|(own, ink)| {
        let most = own.latency_p99.iter().flatten().max();
        let extreme = most.map(|&max| format!("peak {}", words::duration(max)));
        let values = own.latency_p99.iter().map(|span| span.map(|span| span.as_nanos() as f64));
        Line { name: own.name.clone(), extreme, ink, width, values: values.collect() }
    });
    let lines: Vec<Line> = lines.collect();
    let height = several(&lines, 110.0);
    lengths(lines, &format!("p99 latency of each client's successes{more}"), height)
}

/// The clients with their inks, if two or more ever asked for something; and how many are not drawn.
fn several_clients(series: &Series) -> Option<(Vec<(&ClientSeries, Ink)>, String)> {
    let total = |own: &ClientSeries| own.offered.iter().map(|n| u64::from(*n)).sum::<u64>();
    let mut clients: Vec<_> = series.clients.iter().filter(|own| total(own) > 0).collect();
    // A stable sort: equal clients stay in the scenario's order.
    clients.sort_by_key(|own| std::cmp::Reverse(total(own)));
    let more = match clients.len().saturating_sub(QUEUES.len()) {
        0 => String::new(),
        n => format!("; {n} smaller not drawn"),
    };
    (clients.len() > 1).then(|| (clients.into_iter().zip(QUEUES).collect(), more))
}

/// The longest queues, if any request or command ever waited.
pub fn queues(series: &Series) -> Option<LinePanel> {
    let queues = inks(series).into_iter().map(|(name, ink)| {
        let lengths = series.level(name, Quantity::Waiting);
        (name, ink, lengths.map_or_else(Vec::new, |queue| queue.worst.clone()))
    });
    let waiting = series.levels.iter().filter(|level| level.quantity == Quantity::Waiting);
    let more = match waiting.count().saturating_sub(QUEUES.len()) {
        0 => String::new(),
        n => format!("; {n} shorter not drawn"),
    };
    let peak = |max: f64| words::count(max as u64);
    named(queues, series, &peak, format!("Requests waiting in each queue, most per window{more}"))
}

/// Busy workers of the services and stores whose queues are shown, and of others as far as inks go:
/// the three that have most.
pub fn busy(series: &Series) -> Option<LinePanel> {
    let mut busy: Vec<_> = inks(series)
        .into_iter()
        .filter_map(|(name, ink)| Some((name, ink, &series.level(name, Quantity::Busy)?.mean)))
        .collect();
    busy.sort_by(|a, b| most(b.2).total_cmp(&most(a.2)));
    busy.truncate(LINES_MAX);
    let busy = busy.into_iter().map(|(name, ink, means)| (name, ink, means.clone()));
    let peak = |max: f64| if max < 10.0 { format!("{max:.1}") } else { format!("{max:.0}") };
    named(busy, series, &peak, "Busy workers, averaged over each window".to_owned())
}

pub(super) fn most(values: &[Option<f64>]) -> f64 {
    values.iter().flatten().copied().fold(0.0, f64::max)
}

/// Workers whose work nobody wanted, of services where that was a share worth a line.
pub fn wasted(series: &Series) -> Option<LinePanel> {
    let lines = inks(series).into_iter().filter_map(|(name, ink)| {
        let (_, wasted) = series.wasted.iter().find(|(of, _)| of == name)?;
        let busy = most(&series.level(name, Quantity::Busy)?.mean);
        let is_much = wasted.iter().copied().fold(0.0, f64::max) >= WASTED * busy;
        is_much.then(|| (name, ink, wasted.iter().map(|mean| Some(*mean)).collect()))
    });
    let peak = |max: f64| if max < 10.0 { format!("{max:.1}") } else { format!("{max:.0}") };
    let title = "Wasted work: workers' time that nobody wanted, counted when that turned out";
    named(lines, series, &peak, title.to_owned())
}

/// Requests per intent to the services at the ends of the chains, `far` from any user, where a
/// decision of a user ever cost clearly more than it does at other times.
pub fn end_to_end(series: &Series, far: &[&str]) -> Option<LinePanel> {
    let is_more = |ratios: &[Option<f64>]| {
        let known = || ratios.iter().flatten().copied().filter(|ratio| *ratio > 0.0);
        let (least, most) = (known().fold(f64::MAX, f64::min), known().fold(0.0, f64::max));
        most >= AMPLIFIED && most >= 1.2 * least
    };
    let leaves = series.requests_per_intent.iter();
    let leaves = leaves.filter(|(name, ratios)| far.contains(&&name[..]) && is_more(ratios));
    let lines = leaves.zip(QUEUES).take(LINES_MAX);
    let lines = lines.map(|((name, ratios), ink)| (name.as_str(), ink, ratios.clone()));
    let peak = |max: f64| format!("{max:.1}");
    let title = "End to end: requests to the last hop per intent, by when the intent arose";
    named(lines, series, &peak, title.to_owned())
}

/// The hops that ever sent clearly more attempts than there were calls: the three that sent most.
pub fn amplification(series: &Series) -> Option<LinePanel> {
    let mut hops: Vec<_> =
        series.amplification.iter().filter(|(_, r)| most(r) >= AMPLIFIED).collect();
    hops.sort_by(|(_, a), (_, b)| most(b).total_cmp(&most(a)));
    let more = match hops.len().saturating_sub(LINES_MAX) {
        0 => String::new(),
        n => format!("; {n} lower not drawn"),
    };
    let hops = hops.into_iter().zip(QUEUES).take(LINES_MAX);
    let hops = hops.map(|((name, ratios), ink)| (name.as_str(), ink, ratios.clone()));
    let peak = |max: f64| format!("{max:.1}");
    named(hops, series, &peak, format!("Attempts sent per call of each hop{more}"))
}

/// Goodput of several runs.
pub fn goodputs(runs: &[Run]) -> Option<LinePanel> {
    let lines = runs.iter().filter(|run| !run.series.width.is_zero()).map(|run| {
        let width = run.series.width.as_secs_f64();
        let values = run.series.goodput.iter().map(|&n| Some(f64::from(n) / width)).collect();
        Line { name: run.name.to_owned(), extreme: None, ink: run.ink, width, values }
    });
    let lines: Vec<Line> = lines.collect();
    let max = greatest(&lines)?;
    let title = format!("Goodput per second{}", windows(runs));
    Some(LinePanel { title, height: several(&lines, 170.0), scale: Scale::counts(max), lines })
}

/// Tail latency of several runs.
pub fn tails(runs: &[Run]) -> Option<LinePanel> {
    let lines = runs.iter().filter(|run| !run.series.width.is_zero()).map(|run| {
        let values = run.series.latency_p99.iter().map(|span| span.map(|s| s.as_nanos() as f64));
        let width = run.series.width.as_secs_f64();
        Line {
            name: run.name.to_owned(),
            extreme: None,
            ink: run.ink,
            width,
            values: values.collect(),
        }
    });
    let lines: Vec<Line> = lines.collect();
    let height = several(&lines, 150.0);
    lengths(lines, &format!("p99 latency of submissions that succeeded{}", windows(runs)), height)
}

/// Room for all labels of a panel.
fn several(lines: &[Line], height: f64) -> f64 {
    height.max(lines.len() as f64 * LABEL + 8.0)
}

/// How wide the windows of several runs are, if all are alike.
fn windows(runs: &[Run]) -> String {
    let first = runs.first().map_or(Span::ZERO, |run| run.series.width);
    match runs.iter().all(|run| run.series.width == first) {
        true => format!(", in windows of {}", words::duration(first)),
        false => ", in each run's own windows".to_owned(),
    }
}

/// Services, stores and policies with a queue, with the inks which they keep in all panels: by the length of their
/// queues, then in the scenario's order, as far as inks go.
fn inks(series: &Series) -> Vec<(&str, Ink)> {
    let mut resources: Vec<(f64, &str)> = Vec::new();
    for LevelSeries { resource, quantity, worst, .. } in &series.levels {
        let length = match quantity {
            Quantity::Waiting => most(worst),
            Quantity::Busy => 0.0,
            _ => continue,
        };
        match resources.iter_mut().find(|(_, name)| name == resource) {
            Some((longest, _)) => *longest = longest.max(length),
            None => resources.push((length, resource)),
        }
    }
    // A stable sort: equal queues stay in the scenario's order.
    resources.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    resources.into_iter().zip(QUEUES).map(|((_, name), ink)| (name, ink)).collect()
}

/// A panel of named lines with their peaks, if one is above zero anywhere.
fn named<'a>(
    lines: impl Iterator<Item = (&'a str, Ink, Vec<Option<f64>>)>,
    series: &Series,
    peak: &dyn Fn(f64) -> String,
    title: String,
) -> Option<LinePanel> {
    let width = series.width.as_secs_f64();
    let lines = lines.filter_map(|(name, ink, values)| {
        let max = values.iter().flatten().copied().fold(0.0, f64::max);
        let (name, extreme) = (name.to_owned(), Some(format!("peak {}", peak(max))));
        (max > 0.0).then_some(Line { name, extreme, ink, width, values })
    });
    let lines: Vec<Line> = lines.collect();
    let max = greatest(&lines)?;
    Some(LinePanel { title, height: 110.0, scale: Scale::counts(max), lines })
}

/// A panel of lines, each with its extreme in words: of counts, or of shares of one.
pub(super) fn extremes(
    lines: Vec<(String, String, Vec<Option<f64>>)>,
    width: Span,
    are_shares: bool,
    title: String,
) -> Option<LinePanel> {
    let width = width.as_secs_f64();
    let lines = lines.into_iter().zip(QUEUES).map(|((name, extreme, values), ink)| Line {
        name,
        extreme: Some(extreme),
        ink,
        width,
        values,
    });
    let lines: Vec<Line> = lines.collect();
    let scale = match are_shares {
        true => Scale::shares(1.0),
        false => Scale::counts(greatest(&lines)?),
    };
    (!lines.is_empty()).then_some(LinePanel { title, height: 110.0, scale, lines })
}

/// The greatest value, if one is above zero.
fn greatest(lines: &[Line]) -> Option<f64> {
    let values = lines.iter().flat_map(|line| line.values.iter().copied().flatten());
    values.reduce(f64::max).filter(|max| *max > 0.0)
}

impl LinePanel {
    /// What it shows, as numbers.
    pub fn readout(&self) -> numbers::Lines {
        let line = |line: &Line| {
            numbers::Line::new(&line.name, line.ink.class(), line.width, &line.values)
        };
        numbers::Lines {
            title: self.title.clone(),
            kind: "lines",
            unit: self.scale.measure.id(),
            lines: self.lines.iter().map(line).collect(),
        }
    }

    /// Draws the panel with its plot's upper edge at `top`.
    pub fn draw(&self, canvas: &Canvas, top: f64) -> Drawn {
        let bottom = top + self.height;
        let range = self.scale.range();
        let y = |value: f64| {
            let share = (self.scale.place(value) - range.start) / (range.end - range.start);
            bottom - share * self.height
        };
        for (value, label) in &self.scale.ticks {
            let y = y(*value);
            canvas.line((LEFT, y), (RIGHT, y), Ink::Grid)?;
            let face = Face::new(11.0, Ink::Muted).middle().aligned(HPos::Right);
            canvas.text(label, LEFT - 8.0, y, face)?;
        }
        canvas.line((LEFT, bottom), (RIGHT, bottom), Ink::Axis)?;

        let plot = canvas.plot(top, bottom, range.clone());
        let mut ends = Vec::new();
        for line in &self.lines {
            for steps in steps(&line.values, line.width, canvas.end) {
                let points: Vec<_> =
                    steps.into_iter().map(|(x, value)| (x, self.scale.place(value))).collect();
                plot.draw(&PathElement::new(points, line.ink))?;
            }
            let last = line.values.iter().rev().find_map(|value| *value);
            ends.push(last.map_or(bottom, &y));
        }
        for (line, y) in self.lines.iter().zip(spread(&ends, top + 4.0, bottom - 4.0)) {
            canvas.line((RIGHT + 8.0, y), (RIGHT + 34.0, y), line.ink)?;
            let x = RIGHT + 40.0;
            canvas.text(
                line.label(WIDTH - 4.0 - x),
                x,
                y,
                Face::new(LABEL_SIZE, Ink::Text).middle(),
            )?;
        }
        Ok(())
    }
}

/// The points of the steps through `values`, one list per stretch without a gap. Each window is
/// `width` seconds long; nothing is drawn beyond `end`.
fn steps(values: &[Option<f64>], width: f64, end: f64) -> Vec<Vec<(f64, f64)>> {
    let mut stretches = Vec::new();
    let mut open: Vec<(f64, f64)> = Vec::new();
    let columns = values.len().min(COLUMNS);
    for column in 0..columns {
        let window = column * values.len() / columns..(column + 1) * values.len() / columns;
        let from = (window.start as f64 * width).min(end);
        let to = (window.end as f64 * width).min(end);
        let within = || values[window.clone()].iter().copied().flatten();
        match (within().reduce(f64::min), within().reduce(f64::max)) {
            (Some(min), Some(max)) if from < end => {
                open.push((from, min));
                if min < max {
                    open.push((from, max));
                }
                open.push((to, max));
            }
            _ if open.is_empty() => {}
            _ => stretches.push(std::mem::take(&mut open)),
        }
    }
    if !open.is_empty() {
        stretches.push(open);
    }
    stretches
}

/// Heights near `wanted`, at least a label apart where there is room, in the given order.
fn spread(wanted: &[f64], top: f64, bottom: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|&a, &b| wanted[a].total_cmp(&wanted[b]));
    let mut placed = vec![0.0; wanted.len()];
    let mut free = top;
    for &i in &order {
        placed[i] = wanted[i].max(free);
        free = placed[i] + LABEL;
    }
    let mut free = bottom;
    for &i in order.iter().rev() {
        placed[i] = placed[i].min(free);
        free = placed[i] - LABEL;
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_window_is_a_line_and_not_a_point() {
        assert_eq!(steps(&[Some(3.0)], 1.0, 1.0), [[(0.0, 3.0), (1.0, 3.0)]]);
    }

    #[test]
    fn a_window_without_a_value_is_a_gap() {
        let stretches = steps(&[Some(1.0), None, Some(2.0), None], 1.0, 4.0);
        assert_eq!(stretches, [[(0.0, 1.0), (1.0, 1.0)], [(2.0, 2.0), (3.0, 2.0)]]);
    }

    #[test]
    fn a_peak_survives_thousands_of_windows() {
        let mut values = vec![Some(1.0); 100_000];
        values[77_777] = Some(9.0);
        let stretches = steps(&values, 1.0, 100_000.0);
        assert_eq!(stretches.len(), 1);
        assert!(stretches[0].len() <= 3 * COLUMNS);
        assert!(stretches[0].iter().any(|(_, value)| *value == 9.0));
    }

    #[test]
    fn a_peak_survives_a_long_name() {
        let name = "storefront->recommendations".to_owned();
        let extreme = Some("peak 2.5".to_owned());
        let line = Line { name, extreme, ink: Ink::Offered, width: 1.0, values: Vec::new() };
        let label = line.label(150.0);
        assert!(label.starts_with("storef") && label.ends_with("…, peak 2.5"), "{label}");
        assert!(measure::width(&label, LABEL_SIZE) <= 150.0, "{label}");
    }

    #[test]
    fn labels_keep_apart_and_inside() {
        let placed = spread(&[100.0, 100.0, 99.0, 10.0], 0.0, 100.0);
        assert_eq!(placed, [85.0, 100.0, 70.0, 10.0]);
    }
}
