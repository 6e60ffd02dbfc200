//! The suite of `sim check`.

use sim_models::outcome::Verdict;
use sim_models::study::{Check, InvariantTally};

use super::{Case, CaseResult, Suite, judged};
use crate::study::{called_off, extent};
use crate::words;

/// One case a promise, then whether every run reached its horizon and the system was well. `replay` is the
/// command that repeats the run of a seed, `repeat` that of all.
pub fn of_check(
    check: &Check,
    headline: String,
    replay: &dyn Fn(u64) -> String,
    repeat: &str,
) -> Suite {
    let (subject, summary) = (&check.subject, &check.summary);
    let seeds = words::counted(summary.runs, "seed");
    let promise = |tally: &InvariantTally| {
        let result = match (&tally.first, tally.vacuous == tally.runs) {
            (Some((seed, violation)), _) => CaseResult::Broken {
                message: format!("broken with {} of {seeds}", words::count(tally.broken)),
                story: vec![
                    format!("with seed {seed}, at {}: {}", violation.at, violation.witness),
                    replay(*seed),
                ],
            },
            (None, true) => CaseResult::Skipped("nothing put it to the test".to_owned()),
            (None, false) => CaseResult::Held,
        };
        Case { name: tally.name.clone(), result }
    };
    let mut cases: Vec<Case> = summary.invariants.iter().map(promise).collect();
    let limited = summary.limited.as_ref().map(|limited| {
        let (runs, seed) = (words::counted(limited.runs, "run"), limited.first_seed);
        CaseResult::Error(format!("{runs}, first with seed {seed}: {}", limited.what.text))
    });
    let (name, result) = ("every run reaches its horizon", limited.unwrap_or(CaseResult::Held));
    cases.push(Case { name: name.to_owned(), result });
    let unwell = summary.unwell.as_ref().map(|unwell| CaseResult::Broken {
        message: format!("not well with {} of {seeds}", words::count(unwell.runs)),
        story: vec![
            format!("with seed {}: {}", unwell.first_seed, unwell.why.text),
            replay(unwell.first_seed),
        ],
    });
    let well = match summary.runs {
        0 => CaseResult::Skipped("no run reached its horizon".to_owned()),
        _ => CaseResult::Held,
    };
    let (name, result) = ("the system is well", unwell.unwrap_or(well));
    cases.push(Case { name: name.to_owned(), result });
    if let Some(said) = called_off(subject) {
        let name = "the study comes to its end".to_owned();
        cases.push(Case { name, result: CaseResult::Error(said) });
    }
    let verdict = check.verdict();
    let why = format!("the verdict is {}", verdict.to_string().to_uppercase());
    cases.push(judged(&cases, verdict == Verdict::Kept, &why));
    Suite {
        name: words::named(&subject.scenario, subject.variant.as_deref()),
        headline,
        extent: extent(subject),
        repeat: repeat.to_owned(),
        cases,
    }
}
