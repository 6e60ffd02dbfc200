//! The tables of one run. Each is a view of its [`Account`], and none is kinder than the report:
//! who never got an answer has a state, a count or a population of their own.

use sim_core::{Span, Time};
use sim_models::account::Account;
use sim_models::outcome::{
    ActorSummary, ClientSeries, EffectSeries, EndingSeries, Goodput, Lengths, LogLine, Measured,
    Outcome, Series,
};

use super::table::Kind::{Count, Flag, Number, Text};
use super::table::{Cell, Table};

/// A table, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum What {
    /// One row: what was run, its verdict, its goodput, and what bounds left out
    Run,
    /// One row a promise, with its verdict; one that nothing exercised is vacuous
    Promises,
    /// Every violation and its witness
    Violations,
    /// Every intent, and what its user knows in the end
    Intents,
    /// What is counted and averaged of each actor and instance
    Actors,
    /// How much of each resource there was, was in use or waited for, and what happened to it
    Resources,
    /// What became of the calls of each hop
    Calls,
    /// Why calls were refused or given up, by hop
    Reasons,
    /// Durable effects by kind
    Effects,
    /// Every durable effect
    Ledger,
    /// Every change of a breaker's state
    Transitions,
    /// What autoscalers and outlier detection decided, and why
    Decisions,
    /// When which fault was active, and which never struck
    Faults,
    /// The event log: decisions, losses, effects, faults
    Log,
    /// One row a window of time, subject and figure
    Series,
    /// Latencies: one row a bucket, of what succeeded, failed, and is still open
    Histograms,
}

impl What {
    /// The table of a run.
    pub fn of(self, account: &Account) -> Table {
        let outcome = &account.outcome;
        match self {
            What::Run => run(account),
            What::Promises => promises(outcome),
            What::Violations => violations(account),
            What::Intents => intents(account),
            What::Actors => actors(outcome),
            What::Resources => resources(outcome),
            What::Calls => calls(outcome),
            What::Reasons => reasons(outcome),
            What::Effects => effects(outcome),
            What::Ledger => ledger(outcome),
            What::Transitions => transitions(outcome),
            What::Decisions => lines("decisions", &outcome.decisions),
            What::Faults => faults(outcome),
            What::Log => lines("log", &outcome.log),
            What::Series => series(&outcome.series, outcome.ended_at),
            What::Histograms => histograms(outcome),
        }
    }
}

fn run(account: &Account) -> Table {
    let columns = [
        ("scenario", Text),
        ("variant", Text),
        ("seed", Count),
        ("run_id", Text),
        ("digest", Text),
        ("verdict", Text),
        ("limit", Text),
        ("unwell", Text),
        ("recovery", Text),
        ("steps", Count),
        ("virtual_ms", Number),
        ("warmup_ms", Number),
        ("offered", Count),
        ("succeeded", Count),
        ("degraded", Count),
        ("missed", Count),
        ("unanswered", Count),
        ("violations_omitted", Count),
        ("log_omitted", Count),
    ];
    let Account { outcome, violations_omitted, .. } = account;
    let Goodput { offered, achieved, missed, degraded } = outcome.goodput;
    let mut table = Table::new("run", &columns);
    table.push([
        (&outcome.scenario).into(),
        outcome.variant.as_ref().into(),
        outcome.run_id.seed.into(),
        outcome.run_id.to_string().into(),
        format!("{:016x}", outcome.digest).into(),
        outcome.verdict.name().into(),
        outcome.limit.as_ref().map(|limit| limit.name()).into(),
        outcome.unwell().map(|unwell| unwell.name()).into(),
        outcome.recovery.as_ref().map(|recovery| recovery.state.name()).into(),
        outcome.steps.into(),
        outcome.ended_at.into(),
        outcome.warmup.into(),
        offered.into(),
        achieved.into(),
        degraded.into(),
        missed.into(),
        outcome.goodput.unanswered().into(),
        (*violations_omitted).into(),
        outcome.log_omitted.into(),
    ]);
    table
}

fn promises(outcome: &Outcome) -> Table {
    let columns = [
        ("promise", Text),
        ("verdict", Text),
        ("known", Flag),
        ("violations", Count),
        ("first_at_ms", Number),
    ];
    let mut table = Table::new("promises", &columns);
    for result in &outcome.invariants {
        table.push([
            (&result.name).into(),
            result.verdict.name().into(),
            result.known.into(),
            result.violations.into(),
            result.first.as_ref().map(|first| first.at).into(),
        ]);
    }
    table
}

fn violations(account: &Account) -> Table {
    let columns = [
        ("promise", Text),
        ("known", Flag),
        ("at_ms", Number),
        ("step", Count),
        ("intent", Text),
        ("other_intent", Text),
        ("who", Text),
        ("what", Text),
        ("witness", Text),
    ];
    let mut table = Table::new("violations", &columns);
    for broken in &account.violations {
        let violation = &broken.violation;
        table.push([
            (&broken.promise).into(),
            broken.known.into(),
            violation.at.into(),
            violation.step.into(),
            violation.intent.as_ref().into(),
            violation.other.as_ref().into(),
            (&violation.who).into(),
            (&violation.what).into(),
            (&violation.witness).into(),
        ]);
    }
    table
}

fn intents(account: &Account) -> Table {
    let columns = [
        ("intent", Text),
        ("client", Text),
        ("arose_ms", Number),
        ("measured", Flag),
        ("submissions", Count),
        ("state", Text),
        ("settled_ms", Number),
    ];
    let mut table = Table::new("intents", &columns);
    for intent in &account.intents {
        table.push([
            (&intent.name).into(),
            (&intent.client).into(),
            intent.arose.into(),
            intent.measured.into(),
            intent.submissions.into(),
            intent.state.name().into(),
            intent.settled.into(),
        ]);
    }
    table
}

fn actors(outcome: &Outcome) -> Table {
    let columns =
        [("actor", Text), ("instance", Text), ("kind", Text), ("figure", Text), ("value", Number)];
    let mut table = Table::new("actors", &columns);
    for actor in &outcome.actors {
        let instances = actor.instances.iter().map(|own| (Some(&own.name), own));
        for (instance, own) in std::iter::once((None, actor)).chain(instances) {
            for (figure, value) in figures(own) {
                table.push([
                    (&actor.name).into(),
                    instance.into(),
                    actor.kind.name().into(),
                    figure.into(),
                    value,
                ]);
            }
        }
    }
    table
}

/// What is counted and averaged of an actor.
fn figures(actor: &ActorSummary) -> Vec<(&'static str, Cell)> {
    let counts = actor.counters.iter();
    let counts = counts.map(|(counter, count)| (counter.name(), (*count as f64).into()));
    let load = actor.load.iter().flat_map(|load| {
        [
            ("busy_workers_mean", load.busy_mean.into()),
            ("waiting_mean", load.waiting_mean.into()),
            ("utilisation", load.utilisation.into()),
            ("wasted_share", load.wasted.into()),
        ]
    });
    counts.chain(load).collect()
}

fn resources(outcome: &Outcome) -> Table {
    let columns = [
        ("resource", Text),
        ("kind", Text),
        ("figure", Text),
        ("unit", Text),
        ("bound", Number),
        ("mean", Number),
        ("least", Number),
        ("most", Number),
        ("count", Count),
    ];
    let mut table = Table::new("resources", &columns);
    for resource in &outcome.resources {
        let (name, kind) = (&resource.name, resource.kind.id());
        for level in &resource.levels {
            table.push([
                name.into(),
                kind.into(),
                level.quantity.id().into(),
                level.quantity.unit().into(),
                level.bound.into(),
                level.mean.into(),
                level.least.into(),
                level.most.into(),
                Cell::Missing,
            ]);
        }
        for (event, count) in &resource.events {
            let none = Cell::Missing;
            table.push([
                name.into(),
                kind.into(),
                event.id().into(),
                none.clone(),
                none.clone(),
                none.clone(),
                none.clone(),
                none,
                (*count).into(),
            ]);
        }
    }
    table
}

fn calls(outcome: &Outcome) -> Table {
    let columns = [
        ("caller", Text),
        ("callee", Text),
        ("calls", Count),
        ("success", Count),
        ("failed", Count),
        ("unknown", Count),
        ("abandoned", Count),
        ("open", Count),
        ("attempts", Count),
        ("retries", Count),
        ("unsafe_retries", Count),
        ("hedges", Count),
        ("fallbacks", Count),
    ];
    let mut table = Table::new("calls", &columns);
    for call in &outcome.calls {
        let ended = call.success + call.failed + call.unknown + call.abandoned;
        table.push([
            (&call.from).into(),
            (&call.to).into(),
            call.calls.into(),
            call.success.into(),
            call.failed.into(),
            call.unknown.into(),
            call.abandoned.into(),
            call.calls.saturating_sub(ended).into(),
            call.attempts.into(),
            call.retries.into(),
            call.unsafe_retries.into(),
            call.hedges.into(),
            call.fallbacks.into(),
        ]);
    }
    table
}

fn reasons(outcome: &Outcome) -> Table {
    let columns =
        [("caller", Text), ("callee", Text), ("what", Text), ("reason", Text), ("count", Count)];
    let mut table = Table::new("reasons", &columns);
    for call in &outcome.calls {
        for (what, reasons) in [("rejected", &call.rejected), ("given_up", &call.given_up)] {
            for (reason, count) in reasons {
                let (from, to) = (&call.from, &call.to);
                table.push([
                    from.into(),
                    to.into(),
                    what.into(),
                    (*reason).into(),
                    (*count).into(),
                ]);
            }
        }
    }
    table
}

fn effects(outcome: &Outcome) -> Table {
    let columns = [
        ("kind", Text),
        ("count", Count),
        ("intents", Count),
        ("duplicated", Count),
        ("refunded", Count),
        ("deduplicated", Count),
        ("merged", Count),
    ];
    let mut table = Table::new("effects", &columns);
    for effect in &outcome.effects {
        table.push([
            (&effect.kind).into(),
            effect.count.into(),
            effect.intents.into(),
            effect.duplicated.into(),
            effect.refunded.into(),
            effect.deduplicated.into(),
            effect.merged.into(),
        ]);
    }
    table
}

fn ledger(outcome: &Outcome) -> Table {
    let columns =
        [("at_ms", Number), ("effect", Text), ("kind", Text), ("actor", Text), ("intent", Text)];
    let mut table = Table::new("ledger", &columns);
    for line in &outcome.ledger {
        table.push([
            line.at.into(),
            (&line.id).into(),
            (&line.kind).into(),
            (&line.actor).into(),
            (&line.intent).into(),
        ]);
    }
    table
}

fn transitions(outcome: &Outcome) -> Table {
    let columns = [
        ("at_ms", Number),
        ("breaker", Text),
        ("policy", Text),
        ("instance", Count),
        ("from", Text),
        ("to", Text),
        ("reason", Text),
        ("why", Text),
    ];
    let mut table = Table::new("transitions", &columns);
    for line in &outcome.transitions {
        table.push([
            line.at.into(),
            line.breaker().into(),
            (&line.policy).into(),
            line.instance.into(),
            line.from.id().into(),
            line.to.id().into(),
            line.reason.id().into(),
            line.why().into(),
        ]);
    }
    table
}

fn faults(outcome: &Outcome) -> Table {
    let columns =
        [("fault", Text), ("from_ms", Number), ("to_ms", Number), ("missed_because", Text)];
    let mut table = Table::new("faults", &columns);
    for fault in &outcome.faults {
        table.push([(&fault.label).into(), fault.from.into(), fault.to.into(), Cell::Missing]);
    }
    for missed in &outcome.faults_missed {
        let because = missed.why.id().into();
        table.push([(&missed.label).into(), Cell::Missing, Cell::Missing, because]);
    }
    table
}

fn lines(name: &'static str, lines: &[LogLine]) -> Table {
    let columns =
        [("at_ms", Number), ("step", Count), ("intent", Text), ("who", Text), ("what", Text)];
    let mut table = Table::new(name, &columns);
    for line in lines {
        table.push([
            line.at.into(),
            line.step.into(),
            line.intent.as_ref().into(),
            (&line.who).into(),
            (&line.what).into(),
        ]);
    }
    table
}

fn series(series: &Series, end: Time) -> Table {
    let columns = [
        ("from_ms", Number),
        ("to_ms", Number),
        ("kind", Text),
        ("of", Text),
        ("figure", Text),
        ("value", Number),
    ];
    let mut windows = Windows { table: Table::new("series", &columns), width: series.width, end };
    windows.add("run", None, "offered", &series.offered);
    windows.add("run", None, "goodput", &series.goodput);
    windows.add("run", None, "failed", &series.failed);
    windows.add("run", None, "retries", &series.retries);
    windows.add("run", None, "latency_p50_ms", &series.latency_p50);
    windows.add("run", None, "latency_p99_ms", &series.latency_p99);
    windows.add("run", None, "failed_p50_ms", &series.failed_p50);
    windows.add("run", None, "failed_p99_ms", &series.failed_p99);
    series.clients.iter().for_each(|own| windows.client(own));
    for (of, workers) in &series.wasted {
        windows.add("service", Some(of), "wasted_workers", workers);
    }
    for (of, ratios) in &series.requests_per_intent {
        windows.add("actor", Some(of), "requests_per_intent", ratios);
    }
    for level in &series.levels {
        let (kind, of) = (level.kind.id(), Some(&level.resource));
        let (quantity, extreme) = (level.quantity.id(), level.quantity.worst());
        windows.add(kind, of, &format!("{quantity}_mean"), &level.mean);
        windows.add(kind, of, &format!("{quantity}_{extreme}"), &level.worst);
    }
    for (of, ratios) in &series.amplification {
        windows.add("hop", Some(of), "attempts_per_call", ratios);
    }
    for EndingSeries { hop, endings } in &series.endings {
        for (ending, counts) in endings {
            windows.add("hop", Some(hop), &format!("ended_{}", ending.id()), counts);
        }
    }
    for EffectSeries { kind, count, duplicated, refunded, merged } in &series.effects {
        windows.add("effect", Some(kind), "count", count);
        windows.add("effect", Some(kind), "duplicated", duplicated);
        windows.add("effect", Some(kind), "refunded", refunded);
        windows.add("effect", Some(kind), "merged", merged);
    }
    for (of, counts) in &series.violations {
        windows.add("promise", Some(of), "violations", counts);
    }
    windows.table
}

/// The table of series while it is filled.
struct Windows {
    table: Table,
    width: Span,
    end: Time,
}

impl Windows {
    /// One row a window.
    fn add<V: Copy + Into<Cell>>(
        &mut self,
        kind: &str,
        of: Option<&String>,
        figure: &str,
        values: &[V],
    ) {
        for (n, value) in values.iter().enumerate() {
            let from = Time::ZERO + self.width * n as u64;
            // The last window ends with the run.
            let to = (from + self.width).min(self.end.max(from));
            let value = match (*value).into() {
                Cell::Count(count) => Cell::Number(count as f64),
                value => value,
            };
            let (from, to) = (from.into(), to.into());
            self.table.push([from, to, kind.into(), of.into(), figure.into(), value]);
        }
    }

    fn client(&mut self, own: &ClientSeries) {
        let (kind, of) = ("client", Some(&own.name));
        self.add(kind, of, "offered", &own.offered);
        self.add(kind, of, "goodput", &own.goodput);
        self.add(kind, of, "degraded", &own.degraded);
        self.add(kind, of, "failed", &own.failed);
        self.add(kind, of, "unanswered", &own.unanswered);
        self.add(kind, of, "latency_p50_ms", &own.latency_p50);
        self.add(kind, of, "latency_p99_ms", &own.latency_p99);
        self.add(kind, of, "failed_p50_ms", &own.failed_p50);
        self.add(kind, of, "failed_p99_ms", &own.failed_p99);
    }
}

fn histograms(outcome: &Outcome) -> Table {
    let columns = [
        ("during", Text),
        ("of", Text),
        ("ending", Text),
        ("from_ms", Number),
        ("to_ms", Number),
        ("count", Count),
    ];
    let mut table = Table::new("histograms", &columns);
    for measured in &outcome.measured {
        let Measured { during, latencies, instances, .. } = measured;
        let during = during.map(|during| during.to_string());
        let instances = instances.iter().map(|own| (&own.name, &own.latencies));
        for (name, latencies) in latencies.iter().map(|(name, l)| (name, l)).chain(instances) {
            for (ending, lengths) in [
                ("succeeded", &latencies.succeeded),
                ("failed", &latencies.failed),
                ("open", &latencies.open),
            ] {
                buckets(&mut table, [during.as_ref(), Some(name)], ending, lengths);
            }
        }
    }
    table
}

/// One row a bucket that holds any.
fn buckets(table: &mut Table, of: [Option<&String>; 2], ending: &str, lengths: &Lengths) {
    let Some(histogram) = lengths.histogram() else { return };
    for bucket in histogram.iter_recorded() {
        let value = bucket.value_iterated_to();
        let [from, to] = [histogram.lowest_equivalent(value), histogram.highest_equivalent(value)];
        table.push([
            of[0].into(),
            of[1].into(),
            ending.into(),
            Span::nanos(from).into(),
            Span::nanos(to).into(),
            bucket.count_at_value().into(),
        ]);
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;
    use crate::samples;

    fn account(outcome: Outcome) -> Account {
        Account { outcome, violations: Vec::new(), violations_omitted: 0, intents: Vec::new() }
    }

    #[test]
    fn each_table_is_named_as_it_is_asked_for() {
        for outcome in [samples::empty(), samples::outage(), samples::hostile()] {
            let account = account(outcome);
            for what in What::value_variants() {
                let name = what.to_possible_value().expect("it can be asked for");
                assert_eq!(what.of(&account).name, name.get_name());
            }
        }
    }

    #[test]
    fn a_window_ends_with_the_run() {
        let series = Series {
            width: Span::secs(1),
            offered: vec![1, 2],
            latency_p50: vec![Some(Span::millis(5)), None],
            ..Series::default()
        };
        let table = super::series(&series, Time::ZERO + Span::millis(1_500));
        let ends: Vec<&Cell> = table.rows.iter().map(|row| &row[1]).collect();
        let [whole, cut] = [Cell::Number(1_000.0), Cell::Number(1_500.0)];
        assert_eq!(ends, [&whole, &cut, &whole, &cut]);
        assert_eq!(table.rows[3][5], Cell::Missing, "nothing succeeded: no latency, not zero");
    }
}
