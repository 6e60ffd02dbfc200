//! The final counts of a run as OpenMetrics text, which Prometheus and its kin read.
//!
//! A counter ends in `_total`, a unit stands last in its name, and there are no timestamps. Who still
//! waits is counted under a state of their own, `open` or `unanswered`.

use std::fmt::Write;

use sim_core::Span;
use sim_models::outcome::{
    ActorSummary, Counter, EffectSummary, Goodput, InvariantVerdict, Latencies, Lengths, Outcome,
};

/// Upper ends of the buckets of latencies, in milliseconds: those of Prometheus' clients, and minutes.
const BUCKETS_MS: [u64; 16] =
    [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 120_000];

/// The counts of a run.
pub fn text(outcome: &Outcome) -> String {
    let mut page = Page::default();
    run(&mut page, outcome);
    promises(&mut page, outcome);
    actors(&mut page, outcome);
    calls(&mut page, outcome);
    effects(&mut page, outcome);
    latencies(&mut page, outcome);
    page.0 + "# EOF\n"
}

#[derive(Default)]
struct Page(String);

impl Page {
    /// The head of a family of metrics. All of its samples follow.
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# TYPE {name} {kind}");
        if name.ends_with("_seconds") {
            let _ = writeln!(self.0, "# UNIT {name} seconds");
        }
        let _ = writeln!(self.0, "# HELP {name} {help}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl ToString) {
        let label = |(name, value): &(&str, &str)| format!("{name}=\"{}\"", escaped(value));
        let labels: Vec<String> = labels.iter().map(label).collect();
        let labels =
            if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "{name}{labels} {}", value.to_string());
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn run(page: &mut Page, outcome: &Outcome) {
    page.family("sim_run", "info", "What was run, and its verdict.");
    let (seed, run_id) = (outcome.run_id.seed.to_string(), outcome.run_id.to_string());
    let digest = format!("{:016x}", outcome.digest);
    let labels = [
        ("scenario", outcome.scenario.as_str()),
        ("variant", outcome.variant.as_deref().unwrap_or_default()),
        ("seed", &seed),
        ("run_id", &run_id),
        ("digest", &digest),
        ("verdict", outcome.verdict.name()),
    ];
    page.sample("sim_run_info", &labels, 1);
    page.family("sim_steps", "counter", "Events that were delivered.");
    page.sample("sim_steps_total", &[], outcome.steps);
    page.family(
        "sim_intents",
        "counter",
        "Measured intents by what their users were told in time.",
    );
    let Goodput { achieved, missed, degraded, .. } = outcome.goodput;
    let unanswered = outcome.goodput.unanswered();
    for (state, count) in [
        ("achieved", achieved),
        ("degraded", degraded),
        ("missed", missed),
        ("unanswered", unanswered),
    ] {
        page.sample("sim_intents_total", &[("state", state)], count);
    }
}

fn promises(page: &mut Page, outcome: &Outcome) {
    page.family("sim_promise_violations", "counter", "How often a promise was broken.");
    for result in &outcome.invariants {
        let labels = [("promise", result.name.as_str())];
        page.sample("sim_promise_violations_total", &labels, result.violations);
    }
    page.family("sim_promise_verdict", "stateset", "Vacuous: nothing put the promise to the test.");
    for result in &outcome.invariants {
        for verdict in
            [InvariantVerdict::Kept, InvariantVerdict::Violated, InvariantVerdict::Vacuous]
        {
            let labels =
                [("promise", result.name.as_str()), ("sim_promise_verdict", verdict.name())];
            page.sample("sim_promise_verdict", &labels, u8::from(verdict == result.verdict));
        }
    }
}

/// Counts that are the largest of something, and no sum.
fn is_peak(counter: Counter) -> bool {
    matches!(counter, Counter::QueueLenMax | Counter::PeakArrivals | Counter::PeakRetries)
}

fn actors(page: &mut Page, outcome: &Outcome) {
    let each = |page: &mut Page, name: &str, label: &str, peaks: bool| {
        for actor in &outcome.actors {
            for (counter, count) in actor.counters.iter().filter(|(c, _)| is_peak(*c) == peaks) {
                page.sample(name, &[("actor", &actor.name), (label, counter.name())], count);
            }
        }
    };
    page.family("sim_actor_events", "counter", "What is counted of each actor.");
    each(page, "sim_actor_events_total", "event", false);
    page.family("sim_actor_peak", "gauge", "The most at once: in a queue, or in any 100 ms.");
    each(page, "sim_actor_peak", "of", true);
    let loaded = || outcome.actors.iter().filter_map(|actor| Some((actor, actor.load?)));
    page.family("sim_utilisation_ratio", "gauge", "Busy workers as a share of all.");
    for (ActorSummary { name, .. }, load) in loaded() {
        page.sample("sim_utilisation_ratio", &[("actor", name)], load.utilisation);
    }
    page.family("sim_wasted_ratio", "gauge", "Of the workers' time, what nobody awaited.");
    for (ActorSummary { name, .. }, load) in loaded() {
        if let Some(wasted) = load.wasted {
            page.sample("sim_wasted_ratio", &[("actor", name)], wasted);
        }
    }
}

fn calls(page: &mut Page, outcome: &Outcome) {
    page.family("sim_calls", "counter", "Calls of each hop by how they ended.");
    for call in &outcome.calls {
        let ended = call.success + call.failed + call.unknown + call.abandoned;
        for (ending, count) in [
            ("success", call.success),
            ("failed", call.failed),
            ("unknown", call.unknown),
            ("abandoned", call.abandoned),
            ("open", call.calls.saturating_sub(ended)),
        ] {
            let hop = [("caller", call.from.as_str()), ("callee", &call.to), ("ending", ending)];
            page.sample("sim_calls_total", &hop, count);
        }
    }
    page.family("sim_attempts", "counter", "Messages of each hop, by what sent them.");
    for call in &outcome.calls {
        for (by, count) in [
            ("first", call.attempts.saturating_sub(call.retries)),
            ("retry", call.retries.saturating_sub(call.hedges)),
            ("hedge", call.hedges),
        ] {
            let hop = [("caller", call.from.as_str()), ("callee", &call.to), ("by", by)];
            page.sample("sim_attempts_total", &hop, count);
        }
    }
    page.family("sim_refusals", "counter", "What was not sent, or not sent again, and why.");
    for call in &outcome.calls {
        for (what, reasons) in [("rejected", &call.rejected), ("given_up", &call.given_up)] {
            for (reason, count) in reasons {
                let hop = [("caller", call.from.as_str()), ("callee", &call.to)];
                let labels = [hop[0], hop[1], ("what", what), ("reason", reason)];
                page.sample("sim_refusals_total", &labels, count);
            }
        }
    }
}

fn effects(page: &mut Page, outcome: &Outcome) {
    let mut family = |name: &str, help: &str, count: fn(&EffectSummary) -> u64| {
        page.family(name, "counter", help);
        for effect in &outcome.effects {
            page.sample(&format!("{name}_total"), &[("kind", &effect.kind)], count(effect));
        }
    };
    family("sim_effects", "Durable effects.", |effect| effect.count);
    let help = "Beyond an intent's first, and not taken back.";
    family("sim_effects_duplicated", help, |effect| effect.duplicated);
    family("sim_effects_refunded", "Taken back.", |effect| effect.refunded);
    let help = "Repeats that a key turned into the first answer.";
    family("sim_effects_deduplicated", help, |effect| effect.deduplicated);
    let help = "Intents that were given another intent's effect.";
    family("sim_effects_merged", help, |effect| effect.merged);
}

fn latencies(page: &mut Page, outcome: &Outcome) {
    let name = "sim_latency_seconds";
    let help =
        "Latencies of actors, endpoints and hops; open is how long who has no answer has waited.";
    page.family(name, "histogram", help);
    let Some(whole) = outcome.measured.first() else { return };
    for (of, latencies) in &whole.latencies {
        let Latencies { succeeded, failed, open } = latencies;
        for (ending, lengths) in [("succeeded", succeeded), ("failed", failed), ("open", open)] {
            histogram(page, name, &[("of", of), ("ending", ending)], lengths);
        }
    }
}

/// Buckets within the 0.1 % of the counts behind them.
fn histogram(page: &mut Page, name: &str, labels: &[(&str, &str); 2], lengths: &Lengths) {
    let Some(histogram) = lengths.histogram() else { return };
    let up_to = |end: Span| -> u64 {
        let buckets = histogram.iter_recorded();
        let within = buckets.filter(|bucket| bucket.value_iterated_to() <= end.as_nanos());
        within.map(|bucket| bucket.count_at_value()).sum()
    };
    let bucket = format!("{name}_bucket");
    for ms in BUCKETS_MS {
        let end = format!("{:?}", Span::millis(ms).as_secs_f64());
        let labels = [labels[0], labels[1], ("le", &end)];
        page.sample(&bucket, &labels, up_to(Span::millis(ms)));
    }
    page.sample(&bucket, &[labels[0], labels[1], ("le", "+Inf")], lengths.count());
    page.sample(&format!("{name}_count"), labels, lengths.count());
    page.sample(&format!("{name}_sum"), labels, lengths.sum() as f64 / 1e9);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn a_label_may_hold_anything() {
        assert_eq!(escaped("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    }

    #[test]
    fn the_text_ends_as_the_standard_wants() {
        for outcome in [samples::empty(), samples::outage(), samples::hostile()] {
            let text = text(&outcome);
            assert!(text.ends_with("\n# EOF\n"));
            assert_eq!(text.matches("# EOF").count(), 1);
        }
    }
}
