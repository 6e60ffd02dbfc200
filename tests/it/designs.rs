//! Every idempotency design sits the same examination, and `docs/DESIGNS.md` shows the results.

use std::fmt::Write as _;

use sim_models::designs::{BuiltIn, built_in};
use sim_models::outcome::Outcome;

use crate::exam::{exam, situations};
use crate::support::{broken, run, same_as_written};

const EXAM: &str = "scenarios/exam.ron";
const PAGE: &str = "docs/DESIGNS.md";

/// What a broken promise is called in the table, and what it means to the customer.
const MARKS: &[(&str, char, &str)] = &[
    ("AtMostOnce", 'M', "charged more than once"),
    ("AckedImpliesDone", 'A', "success shown, and not charged"),
    ("ReceiptMatches", 'R', "a receipt that is not the one charge in force"),
    ("FailedImpliesNone", 'F', "failure shown, and charged"),
    ("BooksBalance", 'B', "charges and orders do not match"),
    ("NoMerge", 'N', "two purchases became one, or one customer sees another's"),
    ("EqualReplays", 'E', "one key, two answers"),
    ("SettlesWithin", 'S', "no final answer in time"),
    ("OneInFlight", 'O', "two calls to the provider at once; harmless if it dedupes"),
    ("StoredIsKnown", 'K', "stored as final what is not known"),
];

/// What all the marks of an outcome are.
fn marks(outcome: &Outcome) -> String {
    let broken = broken(outcome);
    let is_broken = |rule: &str| broken.iter().any(|name| name.starts_with(rule));
    let marks: String = MARKS.iter().filter(|(rule, ..)| is_broken(rule)).map(|m| m.1).collect();
    assert_eq!(marks.len(), broken.len(), "each has a mark: {broken:?}");
    marks
}

/// The designs that people use; `keyed_record` is what several of them are like.
fn designs() -> impl Iterator<Item = BuiltIn> {
    built_in().filter(|design| design.name != "keyed_record")
}

/// Each situation of the exam, and the marks of each design in it.
fn results() -> Vec<(String, Vec<String>)> {
    let examine = |situation: Option<String>| {
        let of_design = |design: BuiltIn| marks(&run(&exam(design.name, situation.as_deref())));
        let marks = designs().map(of_design).collect();
        (situation.unwrap_or_else(|| "no fault".to_owned()), marks)
    };
    std::iter::once(None).chain(situations().into_iter().map(Some)).map(examine).collect()
}

fn section(n: usize, design: BuiltIn, results: &[(String, Vec<String>)]) -> String {
    let BuiltIn { name, about, like, params } = design;
    let mut section = format!("## [`{name}`](../scenarios/designs/{name}.ron)\n\n{about}\n\n");
    let like = like.map(|base| format!("like [`{base}`](../scenarios/designs/{base}.ron)"));
    let params = params.iter().map(|(name, value)| format!("`{name}: {value}`"));
    let params: Vec<String> = like.into_iter().chain(params).collect();
    if !params.is_empty() {
        let _ = write!(section, "Parameters: {}.\n\n", params.join(", "));
    }
    let kept = results.iter().filter(|(_, marks)| marks[n].is_empty()).count();
    let all = results.len();
    let _ = writeln!(section, "Keeps every promise in {kept} of {all} situations. Leaves open:\n");
    for (_, mark, meaning) in MARKS {
        let open = results.iter().filter(|(_, marks)| marks[n].contains(*mark)).count();
        if open > 0 {
            let _ = writeln!(section, "- **{mark}** in {open}: {meaning}");
        }
    }
    section
}

#[test]
fn the_page_of_designs_is_what_the_exam_says() {
    let results = results();
    let names: Vec<&str> = designs().map(|design| design.name).collect();
    let mut page = format!(
        "# Idempotency designs, examined\n\n\
        A test writes this page from the runs of [`{EXAM}`](../{EXAM}). It puts every design into \
        the same small world, in the same situations, with the same luck. What stands here was \
        found, not claimed; what a design claims is its `about`. `cargo test -p sim-tests designs` \
        checks this page. This command tells the story of one square of the table:\n\n\
        ```sh\nsim run {EXAM} --variant \"FM-07 slow provider\" \\\n    \
        --set 'actors.api.endpoints.pay[1].design=\"stripe_v1\"'\n```\n\n\
        A design that leaves a square open may be right for you all the same. All of them keep \
        their records in the same Redis, with a replica a second behind. So FM-16 to FM-20 are \
        about that store, not about the companies whose documentation a design follows. `store: \
        \"db\"` puts the records into a database. Some things are not documented, such as whether \
        the provider behind gets a key. Each design says what we chose.\n\n\
        A dot keeps every promise. A letter is a broken one:\n\n"
    );
    for (_, mark, meaning) in MARKS {
        let _ = writeln!(page, "- **{mark}**: {meaning}");
    }
    let _ = write!(
        page,
        "\n| situation | {} |\n|---|{}\n",
        names.join(" | "),
        "---|".repeat(names.len())
    );
    for (situation, marks) in &results {
        let cells: Vec<&str> = marks.iter().map(|m| if m.is_empty() { "·" } else { m }).collect();
        let _ = writeln!(page, "| {situation} | {} |", cells.join(" | "));
    }
    for (n, design) in designs().enumerate() {
        let _ = write!(page, "\n{}", section(n, design, &results));
    }
    same_as_written(PAGE, &page);
}

#[test]
fn the_exam_tells_designs_apart() {
    let results = results();
    let open = |name: &str| {
        let n = designs().position(|design| design.name == name).expect("a design");
        results.iter().filter(|(_, marks)| marks[n].contains('M')).count()
    };
    // Without a fault everybody passes; only what needs faults tells them apart.
    assert!(results[0].1.iter().all(String::is_empty), "{:?}", results[0]);
    assert!(open("safe") < open("stripe_v1") && open("stripe_v1") < open("unprotected"));
    assert!(open("safe") < open("naive"));
}
