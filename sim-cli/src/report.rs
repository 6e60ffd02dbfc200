//! The terminal's view of an outcome: the finding first, then what led to it, then the figures.
//!
//! By default it is one screen: tables leave out what is zero, and what most do not need is behind
//! `-v`. The text is a pure function of the outcome and the view.

mod actors;
mod grid;
mod hops;
mod resources;
mod spark;

use std::fmt::Write as _;

use sim_models::outcome::{
    InvariantResult, InvariantVerdict, LogLine, Outcome, TransitionLine, Violation,
};
use sim_models::recovery::RecoveryState;

use crate::story::{self, told};
use crate::text::{Style, Table, paint, plain};
use crate::{finding, words};
use grid::Grid;

/// More changes and decisions than that are counted instead of shown: on one screen, and at length.
const LINES_MAX: [usize; 2] = [6, 12];

/// How a report is shown.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// How its text is set.
    pub style: Style,
    /// How much is told.
    pub depth: Depth,
}

/// How much of a run is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// What matters, on one screen.
    Screen,
    /// All figures.
    Figures,
    /// All figures and the log.
    Log,
}

/// The outcome for people. `repeat` is the command that repeats the run.
pub fn text(outcome: &Outcome, repeat: &str, view: &View) -> String {
    Report { outcome, view, text: String::new() }.finish(repeat)
}

struct Report<'a> {
    outcome: &'a Outcome,
    view: &'a View,
    text: String,
}

impl Report<'_> {
    fn finish(mut self, repeat: &str) -> String {
        let outcome = self.outcome;
        self.verdict();
        self.invariants();
        self.effects();
        self.grid(actors::clients(outcome));
        if let Some(table) = spark::table(outcome, self.view) {
            self.table(&table);
        }
        match self.is_at_length() {
            true => self.actors_at_length(),
            false => self.grid(actors::servers(outcome)),
        }
        self.grid(hops::calls(outcome));
        if self.is_at_length() {
            if let Some(table) = hops::refusals(outcome) {
                self.table(&table);
            }
            self.grid(hops::endings(outcome));
        }
        for table in resources::tables(outcome, self.view.depth) {
            self.table(&table);
        }
        self.transitions();
        self.decisions();
        if self.view.depth == Depth::Log {
            self.log();
        }
        self.identity(repeat);
        self.text
    }

    /// Whether every figure is told.
    fn is_at_length(&self) -> bool {
        self.view.depth >= Depth::Figures
    }

    fn line(&mut self, line: impl AsRef<str>) {
        self.text += line.as_ref();
        self.text.push('\n');
    }

    fn head(&mut self, head: &str) {
        let set = paint(self.view.style.head, head);
        let _ = write!(self.text, "\n{set}\n");
    }

    fn verdict(&mut self) {
        let (outcome, style) = (self.outcome, &self.view.style);
        self.text += &style.verdict(outcome.verdict, &finding::headline(outcome));
        if finding::first_broken(outcome).is_none() {
            self.text += &style.hanging("  ", &finding::evidence(outcome), 2);
        }
        self.text.push('\n');
        let name = words::named(&outcome.scenario, outcome.variant.as_deref());
        self.text += &style.line("scenario", &name);
        for (label, story) in [("about", &outcome.about), ("expected", &outcome.hypothesis)] {
            let first = words::first_sentence(story);
            let more = if first.len() < story.trim().len() { " …" } else { "" };
            match self.is_at_length() {
                _ if story.is_empty() => {}
                true => self.text += &style.line(label, story),
                false => self.text += &style.line(label, &format!("{first}{more}")),
            }
        }
        if let Some(recovery) = outcome.recovery.as_ref().filter(|recovery| recovery.is_test()) {
            let colour = match recovery.state {
                RecoveryState::Recovered { .. } | RecoveryState::Undisturbed => style.good,
                RecoveryState::Metastable => style.bad,
                RecoveryState::Unhealthy(_) | RecoveryState::Undecided(_) => style.unsure,
            };
            self.text += &style.labelled(colour, "recovery", &recovery.to_string());
        }
        if let Some(said) = finding::unanswered(outcome) {
            self.text += &style.labelled(style.unsure, "open", &said);
        }
        for missed in &outcome.faults_missed {
            let label = paint(style.unsure, "no strike");
            self.line(format!("{label} {}", plain(&missed.to_string())));
        }
    }

    fn invariants(&mut self) {
        if self.outcome.invariants.is_empty() {
            return;
        }
        self.head("Invariants");
        let style = &self.view.style;
        let first = finding::first_broken(self.outcome).map(|(result, _)| &result.name);
        let is_brief = !self.is_at_length();
        let is_just_kept = |result: &InvariantResult| {
            is_brief && result.verdict == InvariantVerdict::Kept && !result.known
        };
        let (kept, others): (Vec<_>, Vec<_>) =
            self.outcome.invariants.iter().partition(|result| is_just_kept(result));
        for result in others {
            let colour = match result.verdict {
                InvariantVerdict::Kept => style.good,
                InvariantVerdict::Violated => style.bad,
                InvariantVerdict::Vacuous => style.unsure,
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
                self.text += &style.hanging(WITNESS, &violation.witness, WITNESS.len());
                if self.is_at_length() || first == Some(&result.name) {
                    self.story(violation);
                }
            }
        }
        if !kept.is_empty() {
            let names: Vec<&str> = kept.iter().map(|result| result.name.as_str()).collect();
            let text = style.hanging(WITNESS, &names.join("; "), WITNESS.len());
            let verdict = paint(style.good, &format!("{:<8}", InvariantVerdict::Kept));
            self.text += &format!("  {verdict}  {}", &text[WITNESS.len()..]);
        }
    }

    /// What happened around a violation.
    fn story(&mut self, violation: &Violation) {
        let style = &self.view.style;
        for line in story::lines(self.outcome, violation) {
            let mark = if line.breaks { paint(style.bad, ">") } else { " ".to_owned() };
            let text = style.hanging("            ", &line.text, 26);
            self.text += &format!("          {mark}{}", &text[11..]);
        }
    }

    fn effects(&mut self) {
        let header =
            ["Effects", "count", "intents", "duplicated", "refunded", "deduplicated", "merged"];
        let rows = self.outcome.effects.iter().map(|e| {
            let counts = [e.count, e.intents, e.duplicated, e.refunded, e.deduplicated, e.merged];
            row(&e.kind, counts.map(words::count))
        });
        self.grid(Grid::new(header, rows.collect()));
    }

    fn actors_at_length(&mut self) {
        actors::at_length(self.outcome).into_iter().for_each(|grid| self.grid(grid));
        for service in self.outcome.actors.iter().filter(|actor| !actor.instances.is_empty()) {
            self.grid(actors::instances(service));
            if let Some(more) = service.instances.len().checked_sub(actors::INSTANCES_MAX + 1) {
                self.line(format!("… and {} more", words::count(more as u64 + 1)));
            }
        }
    }

    fn transitions(&mut self) {
        let line = |t: &TransitionLine| {
            told(t.at, &t.breaker(), &format!("{} -> {}: {}", t.from, t.to, t.why()))
        };
        self.listed("Breakers", self.outcome.transitions.iter().map(line));
    }

    fn decisions(&mut self) {
        let line = |line: &LogLine| told(line.at, &line.who, &line.what);
        self.listed("Decisions", self.outcome.decisions.iter().map(line));
    }

    /// So many lines as there is room for, and how many more there are.
    fn listed(&mut self, head: &str, lines: impl ExactSizeIterator<Item = String>) {
        let (count, most) = (lines.len(), LINES_MAX[usize::from(self.is_at_length())]);
        if count == 0 {
            return;
        }
        self.head(head);
        lines.take(most).for_each(|line| self.line(format!("  {line}")));
        if count > most {
            self.line(format!("  … and {} more", words::count((count - most) as u64)));
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
        let (outcome, style) = (self.outcome, &self.view.style);
        self.text.push('\n');
        let run = format!("{}, digest {:016x}", outcome.run_id, outcome.digest);
        self.text += &style.command("run", &run);
        if self.is_at_length() {
            let steps = words::counted(outcome.steps, "step");
            let limit = outcome.limit.as_ref().map(|limit| format!(": {limit}"));
            let limit = limit.unwrap_or_default();
            let work = format!("{steps}, ended at {}{limit}", outcome.ended_at);
            self.text += &style.command("work", &work);
        } else {
            let more = "-v adds every figure, endings by status, refusals, resources and the log";
            self.text += &style.line("more", more);
        }
        self.text += &style.command("repeat", repeat);
    }

    fn grid(&mut self, grid: Grid) {
        if let Some(table) = grid.table(self.view) {
            self.table(&table);
        }
    }

    fn table(&mut self, table: &Table) {
        self.text += &table.text(&self.view.style);
    }
}

/// Stands before a witness.
const WITNESS: &str = "            ";

/// Whom a line of the log concerns.
fn who(line: &LogLine) -> String {
    match &line.intent {
        Some(intent) => format!("{}, {intent}", line.who),
        None => line.who.clone(),
    }
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
    use crate::text::COLUMNS;
    use sim_models::outcome::{ActorSummary, Counter};

    const SCREEN: View = View { style: Style::plain(), depth: Depth::Screen };
    const LOG: View = View { style: Style::plain(), depth: Depth::Log };

    const REPEAT: &str = "sim run payment.ron --variant naive --seed 7";

    #[test]
    fn the_text_is_pinned() {
        let version = sim_models::outcome::RunId::ENGINE;
        let expected = PINNED.replace("{version}", version);
        assert_eq!(text(&samples::outage(), REPEAT, &LOG), expected);
    }

    #[test]
    fn colour_adds_nothing_but_escapes() {
        let outcome = samples::outage();
        let coloured =
            text(&outcome, REPEAT, &View { style: Style::coloured(), depth: Depth::Screen });
        assert!(coloured.contains("\u{1b}["));
        let mut stripped = String::new();
        for (i, part) in coloured.split('\u{1b}').enumerate() {
            let cut = if i == 0 { 0 } else { part.find('m').expect("an escape ends") + 1 };
            stripped += &part[cut..];
        }
        assert_eq!(stripped, text(&outcome, REPEAT, &SCREEN));
    }

    #[test]
    fn each_instance_has_a_row_where_all_is_told() {
        let mut outcome = samples::outage();
        let api = outcome.actors[0].clone();
        let own = |n: usize| ActorSummary { name: format!("api[{n}]"), ..api.clone() };
        outcome.actors[0].instances = (0..actors::INSTANCES_MAX + 2).map(own).collect();
        let told = |view| text(&outcome, REPEAT, view);
        let all = told(&LOG);
        assert!(all.contains("\napi[19] ") && !all.contains("api[20]"), "{all}");
        assert!(all.contains("… and 2 more"), "{all}");
        assert!(!told(&SCREEN).contains("api[0]"));
    }

    #[test]
    fn a_known_violation_is_marked_and_so_is_one_that_did_not_come() {
        let mut outcome = samples::outage();
        for result in &mut outcome.invariants {
            result.known = true;
        }
        let text = text(&outcome, REPEAT, &SCREEN);
        assert!(text.contains("step 812; known: this scenario is here to show it\n"), "{text}");
        let kept = "AckedImpliesDone(\"order\"); yet this scenario is here to show it broken\n";
        assert!(text.contains(kept), "{text}");
    }

    #[test]
    fn names_do_not_steer_the_terminal() {
        let text = text(&samples::hostile(), REPEAT, &LOG);
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
    }

    #[test]
    fn an_empty_run_says_so() {
        let text = text(&samples::empty(), REPEAT, &SCREEN);
        assert!(text.starts_with("KEPT  No invariant was stated\n  No load was offered\n"));
    }

    #[test]
    fn long_lists_are_counted() {
        let mut outcome = samples::outage();
        outcome.transitions = vec![outcome.transitions[0].clone(); 50];
        let text = text(&outcome, REPEAT, &SCREEN);
        assert!(text.contains("\n  … and 44 more\n"), "{text}");
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
        let text = text(&outcome, REPEAT, &LOG);
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

Effects   count   intents   duplicated   deduplicated
──────────────────────────────────────────────────────
charge    4,012     4,009            3             41

Clients    offered   succeeded   failed   goodput      p50     p99
───────────────────────────────────────────────────────────────────
shoppers     5,400       4,009    1,391      33/s   130 ms   1.9 s

Over time   0s to 2m, 2 s a step                                            least    most
──────────────────────────────────────────────────────────────────────────────────────────
goodput     ▇█▇██▇██▇█▇██▇█▁ ▁  ▁  ▁  ▁ ▁▁▄██▇▇█▇██▇██▇█▇██▇██▇▇█▇██▇██▇      0/s    50/s
p99         ▂▂▂▂▂▂▂▂▁▂▂▂▂▂▂█ █  █  █  █ ██▂▂▂▂▂▂▂▂▂▂▂▂▁▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▁   720 ms   5.9 s
faults                     ━━━━━━━━━━

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

Policy refusals   count   why
──────────────────────────────────────────────────────
api -> psp        1,322   rejected: breaker open
api -> psp           48   gave up: attempts exhausted
api -> psp            2   gave up: not retryable

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
