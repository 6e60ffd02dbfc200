//! The terminal's view of an outcome: the finding first, then what led to it, then the figures.
//!
//! The text is a pure function of the outcome.

mod resources;

use std::fmt::Write as _;

use sim_core::Span;
use sim_models::outcome::{
    ActorKind, ActorSummary, CallSummary, Counter, Goodput, HopEnding, InvariantVerdict, Latency,
    LogLine, Outcome, ServiceLoad, Violation,
};
use sim_models::recovery::RecoveryState;

use crate::story::{self, told};
use crate::text::{COLUMNS, Style, Table, labelled, paint, plain};
use crate::{figure, finding, words};

/// More transitions than that are counted instead of shown.
const TRANSITIONS_MAX: usize = 12;

/// More instances of a service than that are counted instead of shown.
const INSTANCES_MAX: usize = 20;

/// The outcome for people. `repeat` is the command that repeats the run; `verbose` adds the log.
pub fn text(outcome: &Outcome, repeat: &str, style: &Style, verbose: bool) -> String {
    let report = Report { outcome, style, verbose, text: String::new() };
    report.finish(repeat)
}

struct Report<'a> {
    outcome: &'a Outcome,
    style: &'a Style,
    verbose: bool,
    text: String,
}

impl Report<'_> {
    fn finish(mut self, repeat: &str) -> String {
        self.verdict();
        self.invariants();
        self.effects();
        self.clients();
        self.actors();
        self.calls();
        self.endings();
        for table in resources::tables(self.outcome) {
            self.table(&table);
        }
        self.transitions();
        self.decisions();
        if self.verbose {
            self.log();
        }
        self.identity(repeat);
        self.text
    }

    fn line(&mut self, line: impl AsRef<str>) {
        self.text += line.as_ref();
        self.text.push('\n');
    }

    fn head(&mut self, head: &str) {
        let set = paint(self.style.head, head);
        let _ = write!(self.text, "\n{set}\n");
    }

    fn verdict(&mut self) {
        let outcome = self.outcome;
        self.text += &self.style.verdict(outcome.verdict, &finding::headline(outcome));
        if finding::first_broken(outcome).is_none() {
            self.line(format!("  {}", plain(&finding::evidence(outcome))));
        }
        self.text.push('\n');
        let name = words::named(&outcome.scenario, outcome.variant.as_deref());
        for (label, value) in
            [("scenario", &name), ("about", &outcome.about), ("expected", &outcome.hypothesis)]
        {
            if !value.is_empty() {
                self.text += &self.style.line(label, value);
            }
        }
        if let Some(recovery) = outcome.recovery.as_ref().filter(|recovery| recovery.is_test()) {
            let colour = match recovery.state {
                RecoveryState::Recovered { .. } | RecoveryState::Undisturbed => self.style.good,
                RecoveryState::Metastable => self.style.bad,
                RecoveryState::Unhealthy(_) | RecoveryState::Undecided(_) => self.style.unsure,
            };
            self.text += &labelled(colour, "recovery", &recovery.to_string());
        }
        if let Some(said) = finding::unanswered(outcome) {
            self.text += &labelled(self.style.unsure, "open", &said);
        }
        for missed in &outcome.faults_missed {
            let label = paint(self.style.unsure, "no strike");
            self.line(format!("{label} {}", plain(&missed.to_string())));
        }
    }

    fn invariants(&mut self) {
        if self.outcome.invariants.is_empty() {
            return;
        }
        self.head("Invariants");
        for result in &self.outcome.invariants {
            let colour = match result.verdict {
                InvariantVerdict::Kept => self.style.good,
                InvariantVerdict::Violated => self.style.bad,
                InvariantVerdict::Vacuous => self.style.unsure,
            };
            let verdict = paint(colour, &format!("{:<8}", result.verdict));
            let known = match (result.known, result.verdict) {
                (false, _) => "",
                (true, InvariantVerdict::Violated) => "; known: this scenario is here to show it",
                (true, _) => "; yet this scenario is here to show it broken",
            };
            let note = match (&result.first, result.verdict) {
                (Some(first), _) => {
                    let times = words::counted(result.violations, "violation");
                    let which = if result.violations > 1 { "first " } else { "" };
                    let step = first.step.map(|step| format!(", step {}", words::count(step)));
                    format!("; {times}, {which}at {}{}", first.at, step.unwrap_or_default())
                }
                (None, InvariantVerdict::Vacuous) => {
                    "; nothing in this run exercised it".to_owned()
                }
                (None, _) => String::new(),
            };
            self.line(format!("  {verdict}  {}{note}{known}", plain(&result.name)));
            if let Some(violation) = &result.first {
                self.violation(violation);
            }
        }
    }

    /// The witness, and when asked for, what happened around it.
    fn violation(&mut self, violation: &Violation) {
        self.line(format!("            {}", plain(&violation.witness)));
        for line in story::lines(self.outcome, violation) {
            let mark = if line.breaks { paint(self.style.bad, ">") } else { " ".to_owned() };
            self.line(format!("          {mark} {}", line.text));
        }
    }

    fn effects(&mut self) {
        if self.outcome.effects.is_empty() {
            return;
        }
        let header =
            ["Effects", "count", "intents", "duplicated", "refunded", "deduplicated", "merged"];
        // Where no intent got another's effect there is nothing to say of it.
        let last = self.outcome.effects.iter().any(|e| e.merged > 0);
        let rows = self.outcome.effects.iter().map(|e| {
            let counts = [e.count, e.intents, e.duplicated, e.refunded, e.deduplicated, e.merged];
            row(&e.kind, counts.map(words::count)).into_iter().take(6 + usize::from(last)).collect()
        });
        let header = header.into_iter().take(6 + usize::from(last));
        self.table(&Table::new(header, rows.collect()));
    }

    /// What the users of each client got, and how long it took; successes and failures apart.
    fn clients(&mut self) {
        let clients = self.outcome.actors.iter().filter_map(|actor| Some((actor, actor.goodput?)));
        let clients: Vec<(&ActorSummary, Goodput)> = clients.collect();
        if clients.is_empty() {
            return;
        }
        let seconds = self.outcome.measured.first().map_or(0.0, |m| m.length.as_secs_f64());
        let is_degraded = clients.iter().any(|(_, goodput)| goodput.degraded > 0);
        let rows = clients.iter().map(|(actor, goodput)| {
            let rate = if seconds > 0.0 { goodput.achieved as f64 / seconds } else { 0.0 };
            let degraded = is_degraded.then_some(goodput.degraded);
            let counts = [Some(goodput.offered), Some(goodput.achieved), degraded];
            let rest = [Some(goodput.missed), Some(goodput.unanswered())];
            let counts = counts.into_iter().chain(rest).flatten().map(words::count);
            let goodput = std::iter::once(words::per_second(rate));
            row(&actor.name, counts.chain(goodput).chain(common_latencies(actor)))
        });
        let header = CLIENT_COLUMNS.into_iter();
        let header = header.filter(|column| is_degraded || *column != DEGRADED);
        self.table(&fitting(header.map(str::to_owned).collect(), rows.collect()));
    }

    /// One table of counters per kind of actor, then one of latencies over all.
    fn actors(&mut self) {
        let mut kinds: Vec<&ActorKind> = Vec::new();
        for actor in &self.outcome.actors {
            if !actor.counters.is_empty() && !kinds.contains(&&actor.kind) {
                kinds.push(&actor.kind);
            }
        }
        // What a client's submissions came to, each click counted, is more than most want to know.
        kinds.retain(|kind| self.verbose || **kind != ActorKind::Client);
        for kind in kinds {
            let of_kind: Vec<&ActorSummary> = self.outcome.actors_of(kind.clone()).collect();
            self.table(&counters(kind.name(), &of_kind));
        }
        let rows: Vec<Vec<String>> = self.outcome.actors.iter().filter_map(load_row).collect();
        if !rows.is_empty() {
            let header = ["Load, on average", "busy", "waiting", "utilisation", "wasted work"];
            self.table(&Table::new(header, rows));
        }
        let rows: Vec<Vec<String>> = self.outcome.actors.iter().flat_map(latency_rows).collect();
        if !rows.is_empty() {
            let header = ["Latency", "samples", "mean", "p50", "p90", "p99", "p99.9", "max"];
            self.table(&Table::new(header, rows));
        }
        if self.verbose {
            self.instances();
        }
    }

    /// Each instance of the services that have several: one that is worse than the others hides in
    /// the sum.
    fn instances(&mut self) {
        for service in self.outcome.actors.iter().filter(|actor| !actor.instances.is_empty()) {
            let rows = service.instances.iter().take(INSTANCES_MAX).map(instance_row);
            self.table(&Table::new(INSTANCE_COLUMNS, rows.collect()));
            if service.instances.len() > INSTANCES_MAX {
                let more = words::count((service.instances.len() - INSTANCES_MAX) as u64);
                self.line(format!("… and {more} more"));
            }
        }
    }

    fn calls(&mut self) {
        let calls = &self.outcome.calls;
        if calls.is_empty() {
            return;
        }
        let mut columns = CALL_COLUMNS.to_vec();
        // The last are rare, and the table is wide enough without them.
        let common = CALL_COLUMNS.len() - RARE_COLUMNS;
        let mut rank = 0..;
        columns
            .retain(|(_, of)| rank.next() < Some(common) || calls.iter().any(|call| of(call) > 0));
        let header = std::iter::once("Calls").chain(columns.iter().map(|(name, _)| *name));
        let figures = |call| columns.iter().map(move |(_, of)| words::count(of(call)));
        let rows = calls.iter().map(|call| row(&hop(call), figures(call)));
        self.table(&Table::new(header, rows.collect()));
        self.refusals();
    }

    /// How the attempts over each hop ended, if any of them did not end in success. A hop where all
    /// did is left out.
    fn endings(&mut self) {
        let is_bad = |call: &&CallSummary| call.endings.iter().any(|(e, _)| !e.is_success());
        let hops: Vec<&CallSummary> = self.outcome.calls.iter().filter(is_bad).collect();
        let mut columns: Vec<HopEnding> = Vec::new();
        columns.extend(hops.iter().flat_map(|call| &call.endings).map(|(ending, _)| *ending));
        columns.sort_unstable();
        columns.dedup();
        if columns.is_empty() {
            return;
        }
        let of = |call: &CallSummary, column: &HopEnding| {
            let found = call.endings.iter().find(|(ending, _)| ending == column);
            words::count(found.map_or(0, |(_, count)| *count))
        };
        let rows = hops.iter().map(|call| row(&hop(call), columns.iter().map(|c| of(call, c))));
        let header = row("Endings", columns.iter().map(HopEnding::to_string));
        self.table(&fitting(header, rows.collect()));
    }

    fn refusals(&mut self) {
        let mut rows = Vec::new();
        for call in &self.outcome.calls {
            for (what, reasons) in [("rejected", &call.rejected), ("gave up", &call.given_up)] {
                for (reason, n) in reasons.iter().filter(|(_, n)| *n > 0) {
                    let mut why = format!("{what}: {}", reason.replace('_', " "));
                    if let Some(instead) = finding::without_guard(reason) {
                        why = format!("{why}; {instead}");
                    }
                    rows.push(row(&hop(call), [words::count(*n), why]));
                }
            }
        }
        if rows.is_empty() {
            return;
        }
        self.table(&Table::new(["Refusals", "count", "why"], rows).words(2));
    }

    fn transitions(&mut self) {
        let all = &self.outcome.transitions;
        if all.is_empty() {
            return;
        }
        self.head("Breakers");
        for t in all.iter().take(TRANSITIONS_MAX) {
            let what = format!("{} -> {}: {}", t.from, t.to, t.why());
            self.line(format!("  {}", told(t.at, &t.breaker(), &what)));
        }
        if all.len() > TRANSITIONS_MAX {
            let more = words::count((all.len() - TRANSITIONS_MAX) as u64);
            self.line(format!("  … and {more} more"));
        }
    }

    fn decisions(&mut self) {
        let all = &self.outcome.decisions;
        if all.is_empty() {
            return;
        }
        self.head("Decisions");
        for line in all.iter().take(TRANSITIONS_MAX) {
            self.line(format!("  {}", told(line.at, &line.who, &line.what)));
        }
        if all.len() > TRANSITIONS_MAX {
            let more = words::count((all.len() - TRANSITIONS_MAX) as u64);
            self.line(format!("  … and {more} more"));
        }
    }

    fn log(&mut self) {
        self.head("Log");
        for entry in self.outcome.log.iter() {
            self.line(format!("  {}", told(entry.at, &who(entry), &entry.what)));
        }
        if self.outcome.log_omitted > 0 {
            let more = words::count(self.outcome.log_omitted);
            self.line(format!("  … and {more} more"));
        }
    }

    fn identity(&mut self, repeat: &str) {
        let outcome = self.outcome;
        self.text.push('\n');
        let run = format!("{}, digest {:016x}", outcome.run_id, outcome.digest);
        let ended =
            format!("{}, ended at {}", words::counted(outcome.steps, "step"), outcome.ended_at);
        let ended = match &outcome.limit {
            Some(limit) => format!("{ended}: {limit}"),
            None => ended,
        };
        for (label, value) in [("run", &run[..]), ("work", &ended), ("repeat", repeat)] {
            self.text += &self.style.command(label, value);
        }
    }

    fn table(&mut self, table: &Table) {
        self.text += &table.text(self.style);
    }
}

/// A column's head, and its figure for a hop.
type Column = (&'static str, fn(&CallSummary) -> u64);

/// The figures of a hop, in the order in which calls turn into endings.
const CALL_COLUMNS: [Column; 10] = [
    ("calls", |call| call.calls),
    ("attempts", |call| call.attempts),
    ("retries", |call| call.retries),
    ("success", |call| call.success),
    ("failed", |call| call.failed),
    ("unknown", |call| call.unknown),
    ("abandoned", |call| call.abandoned),
    ("fallbacks", |call| call.fallbacks),
    ("hedges", |call| call.hedges),
    ("unsafe retries", |call| call.unsafe_retries),
];

/// How many of them, at the end, are shown only when one is above zero.
const RARE_COLUMNS: usize = 4;

fn hop(call: &CallSummary) -> String {
    format!("{} -> {}", call.from, call.to)
}

/// Whom a line of the log concerns.
fn who(line: &LogLine) -> String {
    match &line.intent {
        Some(intent) => format!("{}, {intent}", line.who),
        None => line.who.clone(),
    }
}

/// A service's workers and queue, averaged from the warm-up on.
fn load_row(actor: &ActorSummary) -> Option<Vec<String>> {
    let ServiceLoad { busy_mean, waiting_mean, utilisation, wasted } = actor.load?;
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let wasted = wasted.map_or_else(|| "-".to_owned(), percent);
    let figures = [format!("{busy_mean:.2}"), format!("{waiting_mean:.2}"), percent(utilisation)];
    Some(row(&actor.name, figures.into_iter().chain([wasted])))
}

/// A column that is rare.
const DEGRADED: &str = "degraded";

/// What is shown of a client. The counts are of intents that arose after the warm-up.
const CLIENT_COLUMNS: [&str; 10] = [
    "Clients",
    "offered",
    "succeeded",
    DEGRADED,
    "failed",
    "unanswered",
    "goodput",
    "p50",
    "p99",
    "failed p99",
];

/// Median and 99th percentile of successes, and the latter of failures.
fn common_latencies(actor: &ActorSummary) -> [String; 3] {
    [
        latency_at(actor.latency, |latency| latency.p50),
        latency_at(actor.latency, |latency| latency.p99),
        latency_at(actor.latency_failed, |latency| latency.p99),
    ]
}

/// One figure of a latency, if there is one.
fn latency_at(latency: Option<Latency>, of: impl Fn(&Latency) -> Span) -> String {
    match latency {
        Some(latency) => {
            let span = of(&latency);
            figure::bound(latency.is_bound(span), words::duration(span))
        }
        None => words::NONE.to_owned(),
    }
}

/// What is shown of an instance.
const INSTANCE_COLUMNS: [&str; 9] = [
    "Instance",
    "arrived",
    "succeeded",
    "failed",
    "p50",
    "p99",
    "p99, failed",
    "utilisation",
    "waiting",
];

fn instance_row(own: &ActorSummary) -> Vec<String> {
    let all = |counters: &[Counter]| {
        words::count(counters.iter().filter_map(|counter| own.counter(*counter)).sum())
    };
    let counts = [
        all(&[Counter::Arrived]),
        all(&[Counter::Succeeded]),
        all(&[Counter::Failed, Counter::Unknown, Counter::Refused]),
    ];
    let load = match own.load {
        Some(load) => {
            [format!("{:.1} %", 100.0 * load.utilisation), format!("{:.2}", load.waiting_mean)]
        }
        None => [words::NONE, words::NONE].map(str::to_owned),
    };
    row(&own.name, counts.into_iter().chain(common_latencies(own)).chain(load))
}

/// The counters of actors of one kind: one row per actor, or one per counter where that is
/// too wide.
fn counters(kind: &str, actors: &[&ActorSummary]) -> Table {
    let mut names: Vec<Counter> = Vec::new();
    for (name, _) in actors.iter().flat_map(|actor| &actor.counters) {
        if !names.contains(name) {
            names.push(*name);
        }
    }
    let value = |actor: &ActorSummary, counter: &Counter| {
        actor.counter(*counter).map_or_else(|| words::NONE.to_owned(), words::count)
    };
    let mut corner = kind.to_owned();
    if let Some(first) = corner.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    let spoken = |counter: &Counter| counter.name().replace('_', " ");
    let rows = actors.iter().map(|a| row(&a.name, names.iter().map(|name| value(a, name))));
    fitting(row(&corner, names.iter().map(spoken)), rows.collect())
}

/// A table, or the same with rows for columns where it is too wide.
fn fitting(header: Vec<String>, rows: Vec<Vec<String>>) -> Table {
    let wide = Table::new(header.clone(), rows.clone());
    if wide.width() <= COLUMNS {
        return wide;
    }
    let mut all = std::iter::once(header).chain(rows).map(Vec::into_iter).collect::<Vec<_>>();
    let mut turned = std::iter::from_fn(|| all.iter_mut().map(Iterator::next).collect());
    let header = turned.next().unwrap_or_default();
    Table::new(header, turned.collect())
}

/// Successes and failures apart: a fast failure must not pass for a fast answer.
fn latency_rows(actor: &ActorSummary) -> impl Iterator<Item = Vec<String>> {
    let failed = format!("{}, failed", actor.name);
    let succeeded = actor.latency.map(|latency| latency_row(&actor.name, &latency));
    let failed = actor.latency_failed.map(|latency| latency_row(&failed, &latency));
    succeeded.into_iter().chain(failed)
}

fn latency_row(name: &str, latency: &Latency) -> Vec<String> {
    let spans = [latency.p50, latency.p90, latency.p99, latency.p999, latency.max];
    let said = |span| figure::bound(latency.is_bound(span), words::duration(span));
    let mean = figure::bound(latency.open > 0, words::duration(latency.mean));
    row(name, [words::count(latency.count), mean].into_iter().chain(spans.map(said)))
}

fn row(name: &str, cells: impl IntoIterator<Item = String>) -> Vec<String> {
    std::iter::once(plain(name)).chain(cells).collect()
}

#[cfg(test)]
mod breaches;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    const REPEAT: &str = "sim run payment.ron --variant naive --seed 7";

    #[test]
    fn the_text_is_pinned() {
        let version = sim_models::outcome::RunId::ENGINE;
        let expected = PINNED.replace("{version}", version);
        assert_eq!(text(&samples::outage(), REPEAT, &Style::plain(), true), expected);
    }

    #[test]
    fn colour_adds_nothing_but_escapes() {
        let outcome = samples::outage();
        let coloured = text(&outcome, REPEAT, &Style::coloured(), false);
        assert!(coloured.contains("\u{1b}["));
        let mut stripped = String::new();
        for (i, part) in coloured.split('\u{1b}').enumerate() {
            let cut = if i == 0 { 0 } else { part.find('m').expect("an escape ends") + 1 };
            stripped += &part[cut..];
        }
        assert_eq!(stripped, text(&outcome, REPEAT, &Style::plain(), false));
    }

    #[test]
    fn each_instance_has_a_row_where_all_is_told() {
        let mut outcome = samples::outage();
        let api = outcome.actors[0].clone();
        let own = |n: usize| ActorSummary { name: format!("api[{n}]"), ..api.clone() };
        outcome.actors[0].instances = (0..INSTANCES_MAX + 2).map(own).collect();
        let told = |verbose| text(&outcome, REPEAT, &Style::plain(), verbose);
        let all = told(true);
        assert!(all.contains("\napi[19] ") && !all.contains("api[20]"), "{all}");
        assert!(all.contains("… and 2 more"), "{all}");
        assert!(!told(false).contains("api[0]"));
    }

    #[test]
    fn a_known_violation_is_marked_and_so_is_one_that_did_not_come() {
        let mut outcome = samples::outage();
        for result in &mut outcome.invariants {
            result.known = true;
        }
        let text = text(&outcome, REPEAT, &Style::plain(), false);
        assert!(text.contains("step 812; known: this scenario is here to show it\n"), "{text}");
        let kept = "AckedImpliesDone(\"order\"); yet this scenario is here to show it broken\n";
        assert!(text.contains(kept), "{text}");
    }

    #[test]
    fn names_do_not_steer_the_terminal() {
        let text = text(&samples::hostile(), REPEAT, &Style::plain(), true);
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
    }

    #[test]
    fn an_empty_run_says_so() {
        let text = text(&samples::empty(), REPEAT, &Style::plain(), false);
        assert!(text.starts_with("KEPT  No invariant was stated\n  No load was offered\n"));
    }

    #[test]
    fn long_lists_are_counted() {
        let mut outcome = samples::outage();
        outcome.transitions = vec![outcome.transitions[0].clone(); 50];
        let text = text(&outcome, REPEAT, &Style::plain(), false);
        assert!(text.contains("\n  … and 38 more\n"), "{text}");
    }

    #[test]
    fn many_counters_turn_the_table() {
        let mut outcome = samples::outage();
        outcome.actors[0].counters = [
            Counter::RetriesArrived,
            Counter::DeadlinePassed,
            Counter::QueueLenMax,
            Counter::Computations,
            Counter::PeakArrivals,
            Counter::PeakRetries,
        ]
        .map(|counter| (counter, 1))
        .to_vec();
        let text = text(&outcome, REPEAT, &Style::plain(), false);
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS), "{text}");
        assert!(text.contains("\npeak retries 100ms "), "{text}");
    }

    const PINNED: &str = r#"VIOLATED  ExactlyOnce("charge") broken at 34.127s, 3 times in all

scenario  payment, variant "naive"
about     Pay while the provider is flaky.
expected  Nobody pays twice.
recovery  recovered 11s after the trigger ended, at 61s

Invariants
  violated  ExactlyOnce("charge"); 3 violations, first at 34.127s, step 812
            shoppers-17 charged twice: charge-4 at 3.2s, charge-9 at 34.127s
                    5.2s  api->psp: attempt 2 in 1s after timed out
                     30s  psp: errors 100% (503) begin
                 30.412s  api->psp provider: breaker opens: consecutive failures
          >      34.127s  api->psp: attempt 2 succeeded
  kept      AckedImpliesDone("order")
  vacuous   RecoversWithin("30s"); nothing in this run exercised it

Effects   count   intents   duplicated   refunded   deduplicated
─────────────────────────────────────────────────────────────────
charge    4,012     4,009            3          0             41

Clients    offered   succeeded   failed   unanswered   goodput      p50     p99   failed p99
─────────────────────────────────────────────────────────────────────────────────────────────
shoppers     5,400       4,009    1,391            0      33/s   130 ms   1.9 s            –

Service   arrived   succeeded   refused
────────────────────────────────────────
api         5,400       5,398         2

Kv      arrived   failed
─────────────────────────
redis    16,200       12

Client     intents   succeeded   failed
────────────────────────────────────────
shoppers     5,400       4,009    1,391

Latency    samples     mean      p50      p90      p99    p99.9      max
─────────────────────────────────────────────────────────────────────────
api          4,009   113 ms    90 ms   270 ms   640 ms   1.28 s   1.92 s
shoppers     4,009   163 ms   130 ms   390 ms    1.9 s    3.8 s    5.7 s

Calls        calls   attempts   retries   success   failed   unknown   fallbacks
─────────────────────────────────────────────────────────────────────────────────
api -> psp   5,400      5,870       470     4,009    1,370        21           6

Refusals     count   why
─────────────────────────────────────────────────
api -> psp   1,322   rejected: breaker open
api -> psp      48   gave up: attempts exhausted
api -> psp       2   gave up: not retryable

Endings        200     503   timed out   not sent
──────────────────────────────────────────────────
api -> psp   4,003   1,846          21      1,322

Resources   level     mean   worst   of
────────────────────────────────────────
redis       busy      0.14       1    1
redis       waiting   0.25      12    –

Events   count   what
─────────────────────────
redis        1   crashed

Breakers
       30.412s  api->psp provider: closed -> open: consecutive failures (5, threshold 5)
       60.431s  api->psp provider: open -> half-open: open time over
       60.733s  api->psp provider: half-open -> closed: tests succeeded (3, threshold 3)

Log
          5.2s  api->psp, shoppers-17: attempt 2 in 1s after timed out
           30s  psp: errors 100% (503) begin
       30.412s  api->psp provider: breaker opens: consecutive failures
       33.904s  api->psp, shoppers-9: gave up: not retryable
       34.127s  api->psp, shoppers-17: attempt 2 succeeded
           50s  psp: errors 100% (503) end
  … and 12 more

run       r1-000000000000abcd-s7-v{version}, digest 0123456789abcdef
work      48,213 steps, ended at 2m
repeat    sim run payment.ron --variant naive --seed 7
"#;
}
