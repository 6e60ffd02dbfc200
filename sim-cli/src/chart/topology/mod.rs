//! Who asks whom: actors as boxes, hops as arrows, and on each arrow its load, its latency, what share
//! of its calls did not succeed, and the policies in between.

mod layout;

use plotters::style::FontStyle;
use plotters::style::text_anchor::HPos;
use sim_models::anatomy::Anatomy;
use sim_models::outcome::{ActorSummary, CallSummary, Counter, Outcome};

use super::canvas::{Canvas, Drawn, Face, WIDTH};
use super::ink::Ink;
use super::measure;
use super::picture::Picture;
use super::sheet::{MARGIN, Sheet};
use crate::{figure, words};
use layout::{Layout, Place, layout};

/// More than that no picture holds; the tables have all.
const ACTORS_MAX: usize = 40;
const HOPS_MAX: usize = 80;

/// From this share of calls without success on, an arrow says so by its ink.
const FAILING: f64 = 0.01;

/// The height of an actor, and of a hop that passes through a column.
const ACTOR: f64 = 58.0;
const PASSAGE: f64 = 20.0;
/// Room between two of them.
const GAP: f64 = 26.0;
/// A line of a hop's label, and its size.
const LINE: f64 = 12.5;
const SIZE: f64 = 10.5;

/// The topology of a run; `None` where nobody calls anybody. `repeat` is the command that repeats it.
pub fn topology(outcome: &Outcome, anatomy: &Anatomy, repeat: &str) -> Option<Picture> {
    let drawing = Drawing::new(outcome, anatomy)?;
    let name = words::named(&outcome.scenario, outcome.variant.as_deref());
    let seed = outcome.run_id.seed;
    let subject = format!(
        "{name}, seed {seed}. Arrows lead from callers. Load and p99 are from the warm-up on, of \
         attempts and of successes; what did not succeed is of all calls, and \
         a fallback's answer is no success. Dashed: 1 % or more did not.{}",
        drawing.omitted()
    );
    let sheet = Sheet::new(format!("topology-{:016x}", outcome.digest), &drawing.title())
        .subject(&subject)
        .corner(&format!("{} · digest {:016x}", outcome.run_id, outcome.digest))
        .corner(&format!("repeat: {repeat}"))
        .describe(&format!("{subject} {}", drawing.in_words()));
    Some(sheet.picture(drawing.height, 1.0, |canvas, top| drawing.draw(canvas, top + GAP / 2.0)))
}

struct Drawing<'a> {
    actors: Vec<&'a ActorSummary>,
    more_actors: usize,
    hops: Vec<Hop<'a>>,
    more_hops: usize,
    laid: Layout,
    /// The width of an actor, and the room between two columns.
    width: f64,
    between: f64,
    height: f64,
}

/// A hop, and what stands on its arrow.
struct Hop<'a> {
    from: usize,
    to: usize,
    call: Option<&'a CallSummary>,
    label: Vec<String>,
}

impl<'a> Drawing<'a> {
    fn new(outcome: &'a Outcome, anatomy: &Anatomy) -> Option<Drawing<'a>> {
        let more_actors = outcome.actors.len().saturating_sub(ACTORS_MAX);
        let actors: Vec<&ActorSummary> = outcome.actors.iter().take(ACTORS_MAX).collect();
        let place = |name: &str| actors.iter().position(|actor| actor.name == name);
        let hop = |(from, to): &(String, String)| {
            let call = outcome.call(from, to);
            let label = label(outcome, anatomy, (from, to), call);
            Some(Hop { from: place(from)?, to: place(to)?, call, label })
        };
        let mut hops: Vec<Hop<'_>> = anatomy.hops.iter().filter_map(hop).collect();
        if hops.is_empty() {
            return None;
        }
        hops.truncate(HOPS_MAX);
        let more_hops = anatomy.hops.len() - hops.len();
        let pairs: Vec<(usize, usize)> = hops.iter().map(|hop| (hop.from, hop.to)).collect();
        let laid = layout(actors.len(), &pairs);
        let columns = laid.columns.len() as f64;
        let width = if columns > 5.0 { (WIDTH - 2.0 * MARGIN) / columns * 0.56 } else { 132.0 };
        let between = (WIDTH - 2.0 * MARGIN - width * columns) / (columns - 1.0).max(1.0);
        let between = between.min(260.0);
        let mut drawing =
            Drawing { actors, more_actors, hops, more_hops, laid, width, between, height: 0.0 };
        let columns = drawing.laid.columns.iter().map(|column| drawing.column_height(column));
        let labels = (0..drawing.laid.columns.len()).map(|n| drawing.labels_height(n));
        drawing.height = columns.chain(labels).fold(0.0, f64::max) + GAP;
        Some(drawing)
    }

    fn column_height(&self, column: &[Place]) -> f64 {
        column.iter().map(|place| tall(*place) + GAP).sum()
    }

    /// The hops whose labels stand at the right of a column.
    fn labelled(&self, column: usize) -> impl Iterator<Item = usize> {
        let left = move |hop: &Hop<'_>| self.column(hop.from).min(self.column(hop.to)) == column;
        (0..self.hops.len()).filter(move |hop| left(&self.hops[*hop]))
    }

    fn labels_height(&self, column: usize) -> f64 {
        self.labelled(column).map(|hop| self.label_height(hop) + 12.0).sum()
    }

    fn label_height(&self, hop: usize) -> f64 {
        self.hops[hop].label.len() as f64 * LINE + 6.0
    }

    fn column(&self, actor: usize) -> usize {
        self.laid.column[actor]
    }

    fn x(&self, column: usize) -> f64 {
        MARGIN + column as f64 * (self.width + self.between)
    }

    /// The middle of a place of a column, in px below the top of the drawing.
    fn y(&self, column: usize, place: Place) -> f64 {
        let places = &self.laid.columns[column];
        let mut y = (self.height - GAP - self.column_height(places)).max(0.0) / 2.0;
        for own in places {
            y += GAP / 2.0;
            if *own == place {
                return y + tall(*own) / 2.0;
            }
            y += tall(*own) + GAP / 2.0;
        }
        y
    }

    /// The hop with the largest share of calls that did not succeed.
    fn title(&self) -> String {
        let shares = self.hops.iter().filter_map(|hop| Some((failing(hop.call?)?, hop.call?)));
        let worst = shares.reduce(|a, b| if b.0 > a.0 { b } else { a });
        match worst {
            Some((share, call)) if share > 0.0 => format!(
                "{} -> {}: {} of {} did not succeed",
                call.from,
                call.to,
                figure::share(share),
                words::counted(call.calls, "call")
            ),
            _ => "Every call succeeded".to_owned(),
        }
    }

    fn omitted(&self) -> String {
        let more = [(self.more_actors, "more actor"), (self.more_hops, "more hop")];
        let more = more.into_iter().filter(|(n, _)| *n > 0);
        let more: Vec<String> = more.map(|(n, what)| words::counted(n as u64, what)).collect();
        if more.is_empty() { String::new() } else { format!(" Not drawn: {}.", more.join(", ")) }
    }

    fn in_words(&self) -> String {
        let hop = |hop: &Hop<'_>| {
            let (from, to) = (&self.actors[hop.from].name, &self.actors[hop.to].name);
            format!("{from} calls {to}: {}.", hop.label.join(", "))
        };
        self.hops.iter().map(hop).collect::<Vec<_>>().join(" ")
    }

    fn draw(&self, canvas: &Canvas<'_>, top: f64) -> Drawn {
        for column in 0..self.laid.columns.len() {
            let labelled: Vec<usize> = self.labelled(column).collect();
            let slots = self.slots(column, &labelled);
            for (hop, y) in labelled.into_iter().zip(slots) {
                self.hop(canvas, top, hop, y)?;
            }
        }
        for actor in 0..self.actors.len() {
            let column = self.column(actor);
            self.actor(canvas, actor, self.x(column), top + self.y(column, Place::Actor(actor)))?;
        }
        Ok(())
    }

    /// Where the labels of hops stand: near their arrows, and none on another.
    fn slots(&self, column: usize, hops: &[usize]) -> Vec<f64> {
        let middle = |hop: &usize| {
            let (left, _) = self.ends(*hop);
            let from = self.y(column, Place::Actor(left));
            (from + self.y_after(column, *hop)) / 2.0
        };
        let wanted: Vec<f64> = hops.iter().map(middle).collect();
        let mut order: Vec<usize> = (0..hops.len()).collect();
        order.sort_by(|a, b| wanted[*a].total_cmp(&wanted[*b]).then(a.cmp(b)));
        let half = |n: usize| self.label_height(hops[n]) / 2.0 + 6.0;
        let mut placed = vec![0.0; hops.len()];
        let mut free = 0.0;
        for n in &order {
            placed[*n] = wanted[*n].max(free + half(*n));
            free = placed[*n] + half(*n);
        }
        let mut free = self.height - GAP;
        for n in order.iter().rev() {
            placed[*n] = placed[*n].min(free - half(*n));
            free = placed[*n] - half(*n);
        }
        placed
    }

    /// The left end and the right end of a hop.
    fn ends(&self, hop: usize) -> (usize, usize) {
        let Hop { from, to, .. } = self.hops[hop];
        if self.column(from) <= self.column(to) { (from, to) } else { (to, from) }
    }

    /// Where a hop is in the next column: at its end, or on its way through.
    fn y_after(&self, column: usize, hop: usize) -> f64 {
        let (_, right) = self.ends(hop);
        if self.column(right) <= column + 1 {
            self.y(self.column(right), Place::Actor(right))
        } else {
            self.y(column + 1, Place::Passage(hop))
        }
    }

    fn hop(&self, canvas: &Canvas<'_>, top: f64, hop: usize, slot: f64) -> Drawn {
        let (left, right) = self.ends(hop);
        let (first, last) = (self.column(left), self.column(right));
        let own = &self.hops[hop];
        let ink = match own.call {
            Some(call) if call.calls == 0 => Ink::Axis,
            Some(call) if failing(call).is_some_and(|share| share >= FAILING) => Ink::Failed,
            Some(_) => Ink::Median,
            None => Ink::Axis,
        };
        let (x, half) = (self.x(first) + self.width, self.label_height(hop) / 2.0);
        let base = top + slot + half - 2.0;
        let text = (x + 14.0, x + self.between - 14.0);
        if first == last {
            // A call to oneself, or between two that stand above each other.
            let (a, b) =
                (top + self.y(first, Place::Actor(left)), top + self.y(last, Place::Actor(right)));
            canvas.path(
                [(x, a - 8.0), (x + 12.0, a - 8.0), (x + 12.0, b + 8.0), (x, b + 8.0)],
                ink,
            )?;
            return self.label(canvas, own, text, top + slot - half);
        }
        let mut way = vec![(x, top + self.y(first, Place::Actor(left)))];
        way.extend([(text.0, base), (text.1, base)]);
        for column in first + 1..last {
            let y = top + self.y(column, Place::Passage(hop));
            way.extend([(self.x(column), y), (self.x(column) + self.width, y)]);
        }
        way.push((self.x(last), top + self.y(last, Place::Actor(right))));
        canvas.path(smooth(&way), ink)?;
        let (tip, to_right) =
            if own.from == left { (way[way.len() - 1], 1.0) } else { (way[0], -1.0) };
        let back = tip.0 - 8.0 * to_right;
        let head = [(tip.0, tip.1), (back, tip.1 - 4.5), (back, tip.1 + 4.5)];
        canvas.area(head, if ink == Ink::Failed { Ink::Broken } else { Ink::Muted })?;
        self.label(canvas, own, text, top + slot - half)
    }

    fn label(&self, canvas: &Canvas<'_>, hop: &Hop<'_>, text: (f64, f64), top: f64) -> Drawn {
        for (n, line) in hop.label.iter().enumerate() {
            let line = measure::clip(line, SIZE, text.1 - text.0);
            let face = Face::new(SIZE, Ink::Halo);
            canvas.text(line, text.0, top + LINE * (n + 1) as f64 - 2.0, face)?;
        }
        Ok(())
    }

    fn actor(&self, canvas: &Canvas<'_>, actor: usize, x: f64, middle: f64) -> Drawn {
        let own = self.actors[actor];
        let top = middle - ACTOR / 2.0;
        canvas.rect(x..x + self.width, top..top + ACTOR, Ink::Blank)?;
        let middle_x = x + self.width / 2.0;
        let bold = Face { style: FontStyle::Bold, ..Face::new(12.5, Ink::Text) };
        let name = measure::clip(&own.name, bold.measured(), self.width - 10.0);
        canvas.text(name, middle_x, top + 19.0, bold.aligned(HPos::Center))?;
        for (n, line) in facts(own).iter().enumerate() {
            let line = measure::clip(line, SIZE, self.width - 8.0);
            let face = Face::new(SIZE, Ink::Muted).aligned(HPos::Center);
            canvas.text(line, middle_x, top + 34.0 + LINE * n as f64, face)?;
        }
        Ok(())
    }
}

const fn tall(place: Place) -> f64 {
    match place {
        Place::Actor(_) => ACTOR,
        Place::Passage(_) => PASSAGE,
    }
}

/// What share of the calls did not succeed. Who was let go without an answer is among those, and who
/// got a fallback's answer.
pub fn failing(call: &CallSummary) -> Option<f64> {
    let bad = call.calls.saturating_sub(call.success.saturating_sub(call.fallbacks));
    (call.calls > 0).then(|| bad as f64 / call.calls as f64)
}

/// Calls that the caller's own policies refused.
pub fn refused(call: &CallSummary) -> u64 {
    call.rejected.iter().map(|(_, n)| n).sum()
}

/// Attempts of a hop per second, from the warm-up on.
pub fn load(outcome: &Outcome, from: &str, to: &str) -> Option<f64> {
    let measured = outcome.measured.first()?;
    let name = format!("{from}->{to}");
    let (_, calls) = measured.calls.iter().find(|(hop, _)| *hop == name)?;
    let length = measured.length.as_secs_f64();
    (length > 0.0).then(|| calls.attempts as f64 / length)
}

/// What stands on a hop: load, latency, failures, policies, refusals.
fn label(
    outcome: &Outcome,
    anatomy: &Anatomy,
    (from, to): (&str, &str),
    call: Option<&CallSummary>,
) -> Vec<String> {
    let Some(call) = call else { return vec!["copies".to_owned()] };
    if call.calls == 0 {
        return vec!["no calls".to_owned()];
    }
    let load = load(outcome, from, to).map(|load| format!("{}/s", figure::rounded(load, 3)));
    let measured = outcome.measured.first();
    let latencies = measured.and_then(|m| m.latencies_of(&format!("{from}->{to}")));
    let latency = latencies.and_then(|latencies| latencies.of_success()).map(|latency| {
        let p99 = words::duration(latency.p99);
        format!("p99 {}", figure::bound(latency.is_bound(latency.p99), p99))
    });
    let first: Vec<String> = load.into_iter().chain(latency).collect();
    let failing = failing(call).filter(|share| *share > 0.0);
    let failing = failing.map(|share| format!("{} not ok", figure::share(share)));
    let stacks = anatomy.stacks.iter().filter(|stack| stack.from == from && stack.to == to);
    let words: Vec<String> = stacks
        .map(|stack| stack.layers.iter().map(|layer| &layer.name[..]).collect::<Vec<_>>().join(" "))
        .collect();
    let policies = (!words.is_empty()).then(|| words.join(" | "));
    let refused = Some(refused(call)).filter(|n| *n > 0);
    let refused = refused.map(|n| format!("{} refused", words::count(n)));
    let mut label = vec![first.join(", ")];
    label.extend(failing);
    label.extend(policies);
    label.extend(refused);
    label.retain(|line| !line.is_empty());
    label
}

/// What is said of an actor: its kind, and how busy or how much asked.
fn facts(actor: &ActorSummary) -> Vec<String> {
    let kind = actor.kind.name().to_owned();
    let busy = actor.load.map(|load| format!("{} busy", figure::share(load.utilisation)));
    let count = |counter: Counter, what: &str| {
        actor.counter(counter).map(|n| format!("{} {what}", words::count(n)))
    };
    let asked = || count(Counter::Arrived, "arrived");
    let second = busy.or_else(|| count(Counter::Intents, "intents")).or_else(asked);
    std::iter::once(kind).chain(second).collect()
}

/// A way through points that leaves and enters each of them level.
fn smooth(way: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut points = vec![way[0]];
    for pair in way.windows(2) {
        let ((ax, ay), (bx, by)) = (pair[0], pair[1]);
        let steps = if ay == by { 1 } else { 10 };
        for step in 1..=steps {
            let t = f64::from(step) / f64::from(steps);
            let level = t * t * (3.0 - 2.0 * t);
            points.push((ax + (bx - ax) * t, ay + (by - ay) * level));
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    fn anatomy() -> Anatomy {
        let hop = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        let hops = vec![hop("shoppers", "api"), hop("api", "psp"), hop("api", "redis")];
        let (faults, links, stacks) = (Vec::new(), Vec::new(), Vec::new());
        Anatomy { invariants: Vec::new(), faults, links, stacks, hops }
    }

    #[test]
    fn an_answer_of_a_fallback_is_no_success() {
        let mut call = samples::outage().calls[0].clone();
        (call.calls, call.success, call.fallbacks) = (100, 100, 30);
        assert_eq!(failing(&call), Some(0.3));
        call.calls = 0;
        assert_eq!(failing(&call), None);
    }

    #[test]
    fn every_actor_and_label_stands_on_the_paper() {
        let outcome = samples::outage();
        let anatomy = anatomy();
        let drawing = Drawing::new(&outcome, &anatomy).expect("there are hops");
        for column in 0..drawing.laid.columns.len() {
            let hops: Vec<usize> = drawing.labelled(column).collect();
            let mut slots = drawing.slots(column, &hops);
            slots.sort_by(f64::total_cmp);
            assert!(slots.iter().all(|y| (0.0..=drawing.height).contains(y)), "{slots:?}");
        }
        let nobody = Anatomy { hops: Vec::new(), ..anatomy };
        assert!(topology(&outcome, &nobody, "").is_none());
    }
}
