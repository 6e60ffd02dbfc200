//! The terminal's view of an outcome: the finding first, then what led to it, then the figures.
//!
//! The text is a pure function of the outcome and made for 100 columns. Colour repeats what the
//! words already say.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};
use sim_core::Time;
use sim_models::outcome::{
    ActorSummary, InvariantResult, InvariantVerdict, LogLine, Outcome, Verdict, Violation,
};

use crate::{finding, words};

/// More transitions than that are counted instead of shown.
const TRANSITIONS_MAX: usize = 12;

/// Log lines shown before and after the step of a violation.
const STORY_BEFORE: usize = 8;
const STORY_AFTER: usize = 4;

/// The width that tables keep to where they can.
const COLUMNS: usize = 100;

/// Column heads over one line, and no other lines.
const TABLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// How the words of a text are set off.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    good: anstyle::Style,
    bad: anstyle::Style,
    open: anstyle::Style,
    head: anstyle::Style,
    dim: anstyle::Style,
}

impl Style {
    /// No escape sequences at all.
    pub fn plain() -> Style {
        Style::default()
    }

    /// For a terminal that shows colours.
    pub fn coloured() -> Style {
        use anstyle::AnsiColor::{Green, Red, Yellow};
        Style {
            good: Green.on_default().bold(),
            bad: Red.on_default().bold(),
            open: Yellow.on_default().bold(),
            head: anstyle::Style::new().bold(),
            dim: anstyle::Style::new().dimmed(),
        }
    }
}

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
        self.actors();
        self.calls();
        self.transitions();
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
        let colour = match outcome.verdict {
            Verdict::Kept => self.style.good,
            Verdict::Violated => self.style.bad,
            Verdict::Invalid => self.style.open,
        };
        let verdict = paint(colour, &outcome.verdict.to_string().to_uppercase());
        self.line(format!("{verdict}  {}", plain(&finding::headline(outcome))));
        self.line(format!("  {}", plain(&finding::evidence(outcome))));
        self.text.push('\n');
        let name = match &outcome.variant {
            Some(variant) => format!("{}, variant \"{variant}\"", outcome.scenario),
            None => outcome.scenario.clone(),
        };
        for (label, value) in
            [("scenario", &name), ("about", &outcome.about), ("expected", &outcome.hypothesis)]
        {
            if !value.is_empty() {
                let label = paint(self.style.dim, &format!("{label:<8}"));
                self.line(format!("{label}  {}", plain(value)));
            }
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
                InvariantVerdict::Vacuous => self.style.open,
            };
            let verdict = paint(colour, &format!("{:<8}", result.verdict));
            let note = match (result.verdict, result.violations) {
                (InvariantVerdict::Vacuous, _) => "; nothing in this run exercised it".to_owned(),
                (_, 0) => String::new(),
                (_, n) => format!("; {}", words::counted(n, "violation")),
            };
            self.line(format!("  {verdict}  {}{note}", plain(&result.name)));
            if let Some(violation) = &result.first {
                self.violation(result, violation);
            }
        }
    }

    /// The witness, and when asked for, what happened around it.
    fn violation(&mut self, result: &InvariantResult, violation: &Violation) {
        let (at, step) = (violation.at, words::count(violation.step));
        let times = if result.violations > 1 { "first at" } else { "at" };
        self.line(format!("            {times} {at}, step {step}: {}", plain(&violation.witness)));
        if !self.verbose {
            return;
        }
        for (at, who, what, marked) in story(self.outcome, violation) {
            let mark = if marked { paint(self.style.bad, ">") } else { " ".to_owned() };
            self.line(format!("          {mark} {}", told(at, &who, &what)));
        }
    }

    fn effects(&mut self) {
        if self.outcome.effects.is_empty() {
            return;
        }
        let header = ["Effects", "count", "intents", "duplicated", "refunded", "deduplicated"]
            .map(String::from);
        let rows = self.outcome.effects.iter().map(|e| {
            let counts = [e.count, e.intents, e.duplicated, e.refunded, e.deduplicated];
            row(&e.kind, counts.map(words::count))
        });
        let table = table(header.to_vec(), rows.collect());
        self.table(&table);
    }

    /// One table of counters per kind of actor, then one of latencies over all.
    fn actors(&mut self) {
        let mut kinds: Vec<&str> = Vec::new();
        for actor in &self.outcome.actors {
            if !actor.counters.is_empty() && !kinds.contains(&&actor.kind[..]) {
                kinds.push(&actor.kind);
            }
        }
        for kind in kinds {
            let of_kind: Vec<&ActorSummary> =
                self.outcome.actors.iter().filter(|actor| actor.kind == kind).collect();
            let table = counters(kind, &of_kind);
            self.table(&table);
        }
        let rows: Vec<Vec<String>> = self.outcome.actors.iter().filter_map(latency_row).collect();
        if !rows.is_empty() {
            let header = ["Latency", "samples", "mean", "p50", "p90", "p99", "p99.9", "max"];
            let table = table(header.map(String::from).to_vec(), rows);
            self.table(&table);
        }
    }

    fn calls(&mut self) {
        if self.outcome.calls.is_empty() {
            return;
        }
        let header = ["Calls", "calls", "attempts", "retries", "success", "failed", "unknown"];
        let mut rows = Vec::new();
        let mut refusals = Vec::new();
        for c in &self.outcome.calls {
            let hop = format!("{} -> {}", c.from, c.to);
            let counts = [c.calls, c.attempts, c.retries, c.success, c.failed, c.unknown];
            rows.push(row(&hop, counts.map(words::count)));
            for (what, reasons) in [("rejected", &c.rejected), ("gave up", &c.given_up)] {
                for (reason, n) in reasons.iter().filter(|(_, n)| *n > 0) {
                    let reason = format!("{what}: {}", reason.replace('_', " "));
                    refusals.push(vec![hop.clone(), words::count(*n), reason]);
                }
            }
        }
        let calls = table(header.map(String::from).to_vec(), rows);
        self.table(&calls);
        if !refusals.is_empty() {
            let header = ["Refusals", "count", "why"].map(String::from).to_vec();
            let mut table = table(header, refusals);
            if let Some(why) = table.column_mut(2) {
                why.set_cell_alignment(CellAlignment::Left);
            }
            self.table(&table);
        }
    }

    fn transitions(&mut self) {
        let all = &self.outcome.transitions;
        if all.is_empty() {
            return;
        }
        self.head("Breakers");
        for t in all.iter().take(TRANSITIONS_MAX) {
            let what = format!("{} -> {}: {}", t.from, t.to, t.reason);
            self.line(format!("  {}", told(t.at, &t.policy, &what)));
        }
        if all.len() > TRANSITIONS_MAX {
            let more = words::count((all.len() - TRANSITIONS_MAX) as u64);
            self.line(format!("  … and {more} more"));
        }
    }

    fn log(&mut self) {
        self.head("Log");
        for entry in &self.outcome.log {
            self.line(format!("  {}", told(entry.at, &entry.who, &entry.what)));
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
            let label = paint(self.style.dim, &format!("{label:<8}"));
            self.line(format!("{label}  {}", plain(value)));
        }
    }

    fn table(&mut self, table: &Table) {
        self.text.push('\n');
        for (i, line) in table.lines().enumerate() {
            let line = line.trim_end();
            self.line(if i == 0 { paint(self.style.head, line) } else { line.to_owned() });
        }
    }
}

/// What shows the violation, in order: the effects on the intents that the witness names, and
/// the log around the violated step. The last field marks the step itself.
fn story(outcome: &Outcome, violation: &Violation) -> Vec<(Time, String, String, bool)> {
    let named = |name: &str| {
        let words = violation.witness.split(|c: char| c.is_whitespace() || ",;:()".contains(c));
        words.into_iter().any(|word| word == name)
    };
    let effects = outcome.ledger.iter().filter(|line| named(&line.intent)).map(|line| {
        let what = format!("{} {} for {}", line.kind, line.id, line.intent);
        (line.at, line.actor.clone(), what, line.at == violation.at)
    });
    let after = outcome.log.partition_point(|line| line.step <= violation.step);
    let range = after.saturating_sub(STORY_BEFORE)..(after + STORY_AFTER).min(outcome.log.len());
    let log = outcome.log[range].iter().map(|LogLine { at, step, who, what }| {
        (*at, who.clone(), what.clone(), *step == violation.step)
    });
    let mut story: Vec<_> = effects.take(STORY_BEFORE).chain(log).collect();
    // A stable sort: within an instant, effects stand before what was logged about them.
    story.sort_by_key(|line| line.0);
    story
}

/// The counters of actors of one kind: one row per actor, or one per counter where that is
/// too wide.
fn counters(kind: &str, actors: &[&ActorSummary]) -> Table {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in actors.iter().flat_map(|actor| &actor.counters) {
        if !names.contains(name) {
            names.push(name);
        }
    }
    let value = |actor: &ActorSummary, name: &str| {
        let counter = actor.counters.iter().find(|(counter, _)| *counter == name);
        counter.map_or_else(|| "–".to_owned(), |(_, n)| words::count(*n))
    };
    let mut corner = kind.to_owned();
    if let Some(first) = corner.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    let spoken = |name: &&str| name.replace('_', " ");
    let rows = actors.iter().map(|a| row(&a.name, names.iter().map(|name| value(a, name))));
    let wide = table(row(&corner, names.iter().map(spoken)), rows.collect());
    if wide.lines().all(|line| line.trim_end().chars().count() <= COLUMNS) {
        return wide;
    }
    let rows = names.iter().map(|name| row(&spoken(name), actors.iter().map(|a| value(a, name))));
    table(row(&corner, actors.iter().map(|actor| plain(&actor.name))), rows.collect())
}

fn latency_row(actor: &ActorSummary) -> Option<Vec<String>> {
    let latency = actor.latency?;
    let spans = [latency.mean, latency.p50, latency.p90, latency.p99, latency.p999, latency.max];
    let figures = std::iter::once(words::count(latency.count));
    Some(row(&actor.name, figures.chain(spans.map(words::duration))))
}

fn row(name: &str, cells: impl IntoIterator<Item = String>) -> Vec<String> {
    std::iter::once(plain(name)).chain(cells).collect()
}

/// A table whose first column holds names and whose others hold numbers.
fn table(header: Vec<String>, rows: Vec<Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_style(TABLE).set_header(header).add_rows(rows);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    if let Some(first) = table.column_mut(0) {
        first.set_padding((0, 1));
    }
    table
}

/// One line of a story. Instants are aligned, so that a reader can run down them.
fn told(at: Time, who: &str, what: &str) -> String {
    format!("{at:>12}  {}: {}", plain(who), plain(what))
}

fn paint(style: anstyle::Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// `text` without control characters: a name from a file must not steer the terminal.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

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
        outcome.transitions = outcome.transitions[..1].repeat(50);
        let text = text(&outcome, REPEAT, &Style::plain(), false);
        assert!(text.contains("\n  … and 38 more\n"), "{text}");
    }

    #[test]
    fn many_counters_turn_the_table() {
        let mut outcome = samples::outage();
        let names = ["requests_answered_late", "requests_refused_queue", "requests_lost_in_crash"];
        let more = (0..6u64).map(|i| (names[i as usize % 3], i));
        outcome.actors[0].counters = more.collect();
        outcome.actors[0]
            .counters
            .extend([("first_of_the_long_names", 1), ("second_of_the_long_names", 2)]);
        let text = text(&outcome, REPEAT, &Style::plain(), false);
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS), "{text}");
        assert!(text.contains("second of the long names"));
    }

    const PINNED: &str = r#"PIN"#;
}
