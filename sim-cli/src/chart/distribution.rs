//! How long what a client asked for took: what share of its submissions had succeeded, and what share
//! had ended at all, after so long. Who never got an answer is the gap below 100 %.

use plotters::style::text_anchor::HPos;
use sim_core::Span;
use sim_models::outcome::{ActorKind, Latencies, Lengths, Outcome};

use super::axis::Scale;
use super::canvas::{Canvas, Drawn, Face, LEFT, RIGHT, WIDTH};
use super::ink::Ink;
use super::measure;
use super::picture::Picture;
use super::sheet::Sheet;
use crate::words;

/// Height of the plot in px.
const HEIGHT: f64 = 220.0;

/// More clients than that have no picture.
const CLIENTS_MAX: usize = 6;

/// A share of the quickest that may lie at the left edge.
const QUICKEST: f64 = 0.005;

/// One picture for each client that submitted anything; `repeat` is the command that repeats the run.
pub fn distributions(outcome: &Outcome, repeat: &str) -> Vec<Picture> {
    let Some(measured) = outcome.measured.first() else { return Vec::new() };
    let of = |client: &str| {
        let latencies = measured.latencies_of(client)?;
        Some(Distribution::new(client, latencies)?.picture(outcome, repeat))
    };
    let clients = outcome.actors_of(ActorKind::Client);
    clients.filter_map(|client| of(&client.name)).take(CLIENTS_MAX).collect()
}

struct Distribution<'a> {
    client: &'a str,
    latencies: &'a Latencies,
    all: u64,
    scale: Scale,
    lines: Vec<Line>,
}

struct Line {
    name: &'static str,
    ink: Ink,
    /// Latencies in nanoseconds, and the share of all submissions that took no longer.
    points: Vec<(f64, f64)>,
}

impl<'a> Distribution<'a> {
    fn new(client: &'a str, latencies: &'a Latencies) -> Option<Distribution<'a>> {
        let all = latencies.count();
        let mut answered = latencies.succeeded.clone();
        answered.merge(&latencies.failed);
        let whole = [
            ("ended at all", Ink::Offered, &answered),
            ("failed", Ink::Failed, &latencies.failed),
            ("succeeded", Ink::Goodput, &latencies.succeeded),
        ];
        // Where nothing failed, the line of what ended is that of what succeeded.
        let is_needed = |ink: Ink, of: &Lengths| match ink {
            Ink::Offered => latencies.failed.count() > 0 && latencies.succeeded.count() > 0,
            _ => of.count() > 0,
        };
        let lines = whole.into_iter().filter(|(_, ink, of)| is_needed(*ink, of));
        let lines = lines.map(|(name, ink, of)| Line { name, ink, points: points(of, all) });
        let lines: Vec<Line> = lines.collect();
        let points = || lines.iter().flat_map(|line| &line.points);
        // The quickest few would take all the room on a logarithmic scale.
        let quick = points().filter(|(_, share)| *share >= QUICKEST).map(|(at, _)| *at);
        let (min, max) = (quick.reduce(f64::min)?, points().map(|(at, _)| *at).reduce(f64::max)?);
        let scale = Scale::lengths(min as u64, max as u64);
        (all > 0).then_some(Distribution { client, latencies, all, scale, lines })
    }

    fn share(&self, lengths: &Lengths) -> Option<String> {
        words::share(lengths.count(), self.all).filter(|_| lengths.count() > 0)
    }

    fn title(&self) -> String {
        let Latencies { succeeded, failed, open } = self.latencies;
        let parts = [("succeed", succeeded), ("fail", failed), ("get no answer", open)];
        let parts = parts.into_iter().filter_map(|(what, lengths)| {
            self.share(lengths).map(|share| format!("{share} {what}"))
        });
        format!("{}: {}", self.client, parts.collect::<Vec<_>>().join(", "))
    }

    fn evidence(&self) -> String {
        let told = |what: &str, lengths: &Lengths| {
            let at = |quantile| words::duration(lengths.at(quantile));
            (lengths.count() > 0).then(|| {
                format!("Half of what {what} took at most {}, 99 % at most {}.", at(0.5), at(0.99))
            })
        };
        let parts =
            [told("succeeded", &self.latencies.succeeded), told("failed", &self.latencies.failed)];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    fn picture(&self, outcome: &Outcome, repeat: &str) -> Picture {
        let name = words::named(&outcome.scenario, outcome.variant.as_deref());
        let all = words::counted(self.all, "submission");
        let log = if self.scale.is_log() { " (log scale)" } else { "" };
        let subject = format!(
            "{name}, seed {}: {all} from the warm-up on; what share had ended after so long{log}.",
            outcome.run_id.seed
        );
        let id = format!("latency-{:016x}", outcome.digest);
        Sheet::new(id, &self.title())
            .evidence(&self.evidence())
            .subject(&subject)
            .corner(&format!("{} · digest {:016x}", outcome.run_id, outcome.digest))
            .corner(&format!("repeat: {repeat}"))
            .describe(&format!("{subject} {} {}", self.title(), self.evidence()))
            .picture(HEIGHT + 34.0, 1.0, |canvas, top| self.draw(canvas, top + 8.0))
    }

    fn draw(&self, canvas: &Canvas, top: f64) -> Drawn {
        let bottom = top + HEIGHT;
        let range = self.scale.range();
        let x = |at: f64| {
            LEFT + (self.scale.place(at) - range.start) / (range.end - range.start) * (RIGHT - LEFT)
        };
        let y = |share: f64| bottom - share * HEIGHT;
        let answered = 1.0 - self.latencies.open.count() as f64 / self.all as f64;
        if answered < 1.0 {
            canvas.rect(LEFT..RIGHT, top..y(answered), Ink::Open)?;
        }
        for (share, label) in
            [(0.0, "0 %"), (0.25, "25 %"), (0.5, "50 %"), (0.75, "75 %"), (1.0, "100 %")]
        {
            canvas.line((LEFT, y(share)), (RIGHT, y(share)), Ink::Grid)?;
            let face = Face::new(11.0, Ink::Muted).middle().aligned(HPos::Right);
            canvas.text(label, LEFT - 8.0, y(share), face)?;
        }
        for (value, label) in &self.scale.ticks {
            canvas.line((x(*value), top), (x(*value), bottom), Ink::Grid)?;
            let face = Face::new(11.0, Ink::Muted).aligned(HPos::Center);
            canvas.text(label, x(*value), bottom + 18.0, face)?;
        }
        canvas.line((LEFT, bottom), (RIGHT, bottom), Ink::Axis)?;
        canvas.text("latency", RIGHT + 40.0, bottom + 18.0, Face::new(11.0, Ink::Muted))?;
        for (n, line) in self.lines.iter().enumerate() {
            let last = line.points.last().map_or(0.0, |(_, share)| *share);
            let mut path = vec![(x(line.points[0].0), y(0.0))];
            for (at, share) in &line.points {
                path.push((x(*at), path[path.len() - 1].1));
                path.push((x(*at), y(*share)));
            }
            path.push((RIGHT, y(last)));
            canvas.path(path, line.ink)?;
            self.key(canvas, (n, line.name), line.ink, top)?;
        }
        if answered < 1.0 {
            self.key(canvas, (self.lines.len(), "no answer: the gap"), Ink::Open, top)?;
        }
        Ok(())
    }

    fn key(&self, canvas: &Canvas, (n, name): (usize, &str), ink: Ink, top: f64) -> Drawn {
        let y = top + 8.0 + 17.0 * n as f64;
        match ink {
            Ink::Open => canvas.rect(RIGHT + 8.0..RIGHT + 34.0, y - 5.0..y + 5.0, ink)?,
            _ => canvas.line((RIGHT + 8.0, y), (RIGHT + 34.0, y), ink)?,
        }
        let room = WIDTH - 4.0 - RIGHT - 40.0;
        let name = measure::clip(name, 11.5, room);
        canvas.text(name, RIGHT + 40.0, y, Face::new(11.5, Ink::Text).middle())
    }
}

/// The steps of a distribution as shares of `all`: at most one a pixel.
fn points(lengths: &Lengths, all: u64) -> Vec<(f64, f64)> {
    let Some(histogram) = lengths.histogram() else { return Vec::new() };
    let mut points: Vec<(f64, f64)> = Vec::new();
    let mut below = 0;
    for value in histogram.iter_recorded() {
        below += value.count_at_value();
        let at = Span::nanos(value.value_iterated_to()).min(lengths.max());
        points.push((at.as_nanos() as f64, below as f64 / all as f64));
    }
    let per = points.len().div_ceil(POINTS_MAX).max(1);
    let last = points.len().saturating_sub(1);
    let mut n = 0;
    points.retain(|_| {
        n += 1;
        (n - 1) % per == 0 || n - 1 == last
    });
    points
}

/// More steps than that nobody can see.
const POINTS_MAX: usize = 800;

#[cfg(test)]
mod tests {
    use super::*;

    fn latencies(succeeded: u64, failed: u64, open: u64) -> Latencies {
        let mut all = Latencies::default();
        (0..succeeded).for_each(|n| all.succeeded.add(Span::millis(10 + n)));
        (0..failed).for_each(|n| all.failed.add(Span::millis(1 + n)));
        (0..open).for_each(|_| all.open.add(Span::secs(9)));
        all
    }

    #[test]
    fn who_got_no_answer_is_missing_from_every_line() {
        let latencies = latencies(6, 3, 1);
        let drawn = Distribution::new("users", &latencies).expect("a distribution");
        let top = |n: usize| drawn.lines[n].points.last().expect("a point").1;
        assert_eq!((top(0), top(1), top(2)), (0.9, 0.3, 0.6));
        assert_eq!(drawn.title(), "users: 60.0 % succeed, 30.0 % fail, 10.0 % get no answer");
    }

    #[test]
    fn a_line_never_falls_and_no_client_is_drawn_of_nothing() {
        let latencies = latencies(5_000, 0, 0);
        let drawn = Distribution::new("users", &latencies).expect("a distribution");
        assert_eq!(drawn.lines.len(), 1);
        let points = &drawn.lines[0].points;
        assert!(points.is_sorted_by(|a, b| a.0 <= b.0 && a.1 <= b.1));
        assert!(points.len() <= POINTS_MAX + 1);
        assert_eq!(points.last().expect("a point").1, 1.0);
        assert!(Distribution::new("users", &Latencies::default()).is_none());
    }
}
