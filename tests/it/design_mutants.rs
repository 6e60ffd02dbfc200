//! Whether exploration notices when a design lacks one thing: a step left out, two steps in the wrong
//! order, a weaker command. The page is made from the searches, which take minutes; what it says is
//! found is searched for anew in each test run.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use sim_models::Scenario;
use sim_models::explore::change::{Change, mutants};
use sim_models::explore::explore;

use crate::support::{root, same_as_written, scenarios_in};

mod worlds;

use worlds::Ground;

const PAGE: &str = "docs/MUTANTS.md";

/// The runs of a search for each mutant: the good run alone, then a few more.
const BUDGETS: [u64; 2] = [1, 60];

/// What is found late, in so many runs: that a lock is released by another takes a lost lease first.
const LATE: [&str; 2] = ["CompareAndDelete", "\"release\""];
const BUDGET_LATE: u64 = 400;

/// The runs in which the whole design is searched: what breaks there says nothing of a mutant.
const BUDGET_WHOLE: u64 = 250;

const HEAD: &str = "\
# Is each step of a design needed?

A design is changed in one place: a step is left out, two are done in the wrong order, a command is
weaker. That is a *mutant*. `sim explore` must find a promise that breaks with the mutant and not with
the whole design. Then the step protects something, and the search notices that it is missing.

SUMMARY

*Refused by the language* means that the mutant is no program: it uses a name that nothing sets, or
never does what the scenario promises about. *Not found* means that nothing breaks in any world. Then a
person has written down why the step stays. *Open* is one without a reason; a test allows none.

A test writes this page. The mutants are made from the text of the programs, not by hand. `cargo test -p
sim-tests -- --ignored mutants` searches for all of them and takes minutes. Each is searched in several
*worlds*: other faults, another click, a slow provider, sometimes one more promise. They stand in
`tests/it/design_mutants/worlds.rs`. A search is the good run alone, then 60 runs, and 400 where a lock
is released blindly. What breaks in 250 runs with the whole design counts for nothing. Every test run
searches again for what stands here as found, in at most 400 runs.

*Where* is a path from the design or the actor on. *In* is the world. *Runs* is how many were searched: 1
is the good run, under the faults of that world alone. *Untested* means that the promise is not put to
the test any more: nothing is done.
";

/// Where mutants are made, and the worlds in which they are tried.
struct Subject {
    name: String,
    /// Above its table.
    about: String,
    mutants: Vec<Change>,
    grounds: Vec<Ground>,
}

/// What a search breaks, and what a good run does not put to the test.
fn broken(scenario: &Scenario, budget: u64) -> BTreeSet<String> {
    let report = explore(scenario).budget(budget).jobs(1).untold().run();
    let report = report.expect("it promises something");
    let untested = report.untested.iter().filter(|_| budget == 1);
    let untested: Vec<String> = untested.map(|promise| format!("{promise}, untested")).collect();
    report.findings.into_iter().flat_map(|finding| finding.broken).chain(untested).collect()
}

/// What happened to a mutant.
#[derive(Debug)]
enum Fate {
    /// The language refuses it.
    Refused,
    /// A promise beyond those of the whole design broke.
    Found {
        ground: usize,
        promise: String,
        runs: u64,
    },
    Survived,
}

/// `known` is by ground what breaks with the whole design: in the good run, and in a long search.
fn fate(change: &Change, grounds: &[Ground], known: &[[BTreeSet<String>; 2]]) -> Fate {
    let changed: Vec<Option<Scenario>> =
        grounds.iter().map(|ground| change.apply(&ground.scenario).ok()).collect();
    if changed.iter().all(Option::is_none) {
        return Fate::Refused;
    }
    let is_late = LATE.iter().any(|late| change.name.contains(late));
    for runs in BUDGETS.into_iter().chain(is_late.then_some(BUDGET_LATE)) {
        for (ground, scenario) in changed.iter().enumerate() {
            let Some(scenario) = scenario else { continue };
            let known = &known[ground][usize::from(runs > 1)];
            if let Some(promise) = broken(scenario, runs).difference(known).next() {
                return Fate::Found { ground, promise: promise.clone(), runs };
            }
        }
    }
    Fate::Survived
}

/// Does each piece of work on some processor; the results are in order.
fn on_all_processors<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let numbers = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
        numbers.take_while(|n| *n < count).map(|n| (n, work(n))).collect::<Vec<_>>()
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut done: Vec<(usize, T)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("it ends")).collect()
    });
    done.sort_by_key(|(n, _)| *n);
    done.into_iter().map(|(_, result)| result).collect()
}

/// `safe` sits the exam.
fn safe() -> Subject {
    let grounds = worlds::of_safe();
    let none = Scenario::text("none.ron", NONE).load().expect("it is a scenario");
    let all = mutants(&grounds[0].scenario, &none).into_iter();
    let mutants = all.filter(|change| change.sets[0].0.starts_with("designs.")).collect();
    let about =
        "In the world of [`scenarios/exam.ron`](../scenarios/exam.ron), in those situations \
                 that its steps are for."
            .to_owned();
    Subject { name: "`safe`".to_owned(), about, mutants, grounds }
}

/// A scenario without a program of a service.
const NONE: &str = r#"Scenario(
    name: "none", about: "", horizon: "1s",
    actors: { "nobody": Client(load: Burst(count: 1), does: [Sleep(Const("1ms"))]) },
)"#;

/// What the correction of a failure mode has and the mode has not.
fn corrections() -> Vec<Subject> {
    let mut subjects = Vec::new();
    for path in scenarios_in("scenarios/failure-modes") {
        let file = path.file_stem().expect("a file").to_string_lossy().into_owned();
        if !file.starts_with("FM-") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("it is shipped");
        let base = worlds::uncorrected(&text);
        let grounds = worlds::of_correction(&file[..5], &text);
        let is_own = |change: &Change| {
            let shipped = ["designs.safe", "designs.naive"];
            !shipped.iter().any(|design| change.sets[0].0.starts_with(design))
        };
        let all = mutants(&grounds[0].scenario, &base.scenario).into_iter();
        let mutants: Vec<Change> = all.filter(is_own).collect();
        if !mutants.is_empty() {
            let about = format!(
                "What the variant `corrected` of [`{file}`](../scenarios/failure-modes/{file}.ron) \
                 changes; `safe` and `naive` as such are not mutated here."
            );
            subjects.push(Subject { name: file[..5].to_owned(), about, mutants, grounds });
        }
    }
    subjects
}

fn subjects() -> Vec<Subject> {
    [safe()].into_iter().chain(corrections()).collect()
}

/// The beginning of a mutant's row, by which it is known.
fn row(change: &Change) -> String {
    let name = change.name.replace('|', "\\|");
    let place = change.sets[0].0.replace("designs.", "").replace("actors.", "");
    format!("| {} | `{place}` |", name.replacen(": ", ": `", 1) + "`")
}

/// Where nobody has given a reason yet.
const NO_REASON: &str = "open";

/// The section of a subject.
fn section<'a>(page: &'a str, name: &str) -> &'a str {
    let mut sections = page.split("\n## ");
    sections.find(|section| section.lines().next() == Some(name)).unwrap_or_default()
}

/// What the page says of mutants, in the order of its columns.
const VERDICTS: [&str; 4] = ["found", "refused by the language", "not found", "open"];

/// How many mutants have which verdict.
type Tally = [usize; VERDICTS.len()];

/// The change that a mutant is, whatever it is done to.
fn kind(change: &Change) -> &str {
    let (what, step) = change.name.split_once(": ").unwrap_or_default();
    if step.starts_with('"') { "a parameter of the design is weaker" } else { what }
}

/// The table of all mutants by kind, the most numerous first.
fn summary(tallies: &BTreeMap<String, Tally>) -> String {
    let all = tallies
        .values()
        .fold(Tally::default(), |sum, tally| std::array::from_fn(|n| sum[n] + tally[n]));
    let row = |name: &str, tally: &Tally| {
        let cells: Vec<String> = tally.iter().map(usize::to_string).collect();
        format!("\n| {name} | {} |", cells.join(" | "))
    };
    let mut kinds: Vec<(&String, &Tally)> = tallies.iter().collect();
    kinds.sort_by_key(|(_, tally)| Reverse(tally.iter().sum::<usize>()));
    let rows: String = kinds.into_iter().map(|(kind, tally)| row(kind, tally)).collect();
    let head = VERDICTS.join(" | ");
    format!("| what is changed | {head} |\n|---|---|---|---|---|{}{rows}", row("**all**", &all))
}

#[test]
#[ignore = "takes minutes"]
fn the_page_of_mutants_is_what_the_searches_say() {
    let held = fs::read_to_string(root().join(PAGE)).unwrap_or_default();
    let mut sections = String::new();
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    for subject in subjects() {
        let Subject { name, about, mutants, grounds } = &subject;
        let known = on_all_processors(grounds.len(), |n| {
            let scenario = &grounds[n].scenario;
            [broken(scenario, 1), broken(scenario, BUDGET_WHOLE)]
        });
        let fates = on_all_processors(mutants.len(), |n| fate(&mutants[n], grounds, &known));
        let (mut found, mut survivors, mut count) = (String::new(), String::new(), [0; 4]);
        for (change, fate) in mutants.iter().zip(&fates) {
            let row = row(change);
            let verdict = match fate {
                Fate::Found { ground, promise, runs } => {
                    let ground = &grounds[*ground].name;
                    let _ = writeln!(found, "{row} `{promise}` | {ground} | {runs} |");
                    0
                }
                Fate::Refused => {
                    let _ = writeln!(found, "{row} refused by the language | | |");
                    1
                }
                Fate::Survived => {
                    let held = section(&held, name).lines().find_map(|l| l.strip_prefix(&row));
                    let why = held.unwrap_or_default().trim_matches([' ', '|']);
                    let is_one = !why.is_empty() && !why.contains('|') && why != VERDICTS[1];
                    let why = if is_one { why } else { NO_REASON };
                    let _ = writeln!(survivors, "{row} {why} |");
                    if why == NO_REASON { 3 } else { 2 }
                }
            };
            count[verdict] += 1;
            tallies.entry(kind(change).to_owned()).or_default()[verdict] += 1;
        }
        let counts = count.iter().zip(VERDICTS).filter(|(count, _)| **count > 0);
        let counts: Vec<String> = counts.map(|(count, what)| format!("{count} {what}")).collect();
        let _ = write!(
            sections,
            "\n## {name}\n\n{about} {} mutants: {}.\n\n\
             | mutant | where | breaks | in | runs |\n|---|---|---|---|---|\n{found}",
            mutants.len(),
            counts.join(", "),
        );
        if !survivors.is_empty() {
            let _ = write!(
                sections,
                "\nNot found:\n\n| mutant | where | why |\n|---|---|---|\n\
                 {survivors}"
            );
        }
    }
    let head = HEAD.replace("SUMMARY", &summary(&tallies));
    same_as_written(PAGE, &(head + &sections));
}

#[test]
fn each_mutant_that_no_search_finds_has_a_reason_on_the_page() {
    let page = fs::read_to_string(root().join(PAGE)).expect("the page");
    let open = |line: &&str| line.contains(&format!("| {NO_REASON}"));
    let sections = page.split_once("\n## ").expect("it has sections").1;
    let open: Vec<&str> = sections.lines().filter(open).collect();
    assert!(open.is_empty(), "needed by a promise, needed for a reason, or not needed?\n{open:#?}");
}

#[test]
fn what_the_page_of_mutants_says_is_found_is_found() {
    let page = fs::read_to_string(root().join(PAGE)).expect("the page");
    let mut all = Vec::new();
    for subject in subjects() {
        let section = section(&page, &subject.name);
        let wrong = on_all_processors(subject.mutants.len(), |n| {
            let change = &subject.mutants[n];
            let row = row(change);
            let Some(said) = section.lines().find(|line| line.starts_with(&row)) else {
                return Some(format!("not on the page: {row}"));
            };
            let cells: Vec<&str> = said[row.len()..].split('|').map(str::trim).collect();
            let [promise, ground, runs, _] = cells[..] else { return None };
            let is_it = |own: &&Ground| own.name == ground;
            let Some(ground) = subject.grounds.iter().find(is_it) else {
                let refused = |own: &Ground| change.apply(&own.scenario).is_err();
                let is_refused = subject.grounds.iter().all(refused);
                return (!is_refused).then(|| format!("the language takes it: {row}"));
            };
            let scenario = change.apply(&ground.scenario).expect("it was one");
            // What is searched first may change; the good run does not.
            let runs = if runs == "1" { 1 } else { BUDGET_LATE };
            let broken = broken(&scenario, runs);
            let is_found = broken.contains(promise.trim_matches('`'));
            (!is_found).then(|| format!("not found any more: {said}\n  but {broken:?}"))
        });
        all.extend(wrong.into_iter().flatten().map(|wrong| format!("{}: {wrong}", subject.name)));
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}
