//! The suite of `sim explore`.

use sim_models::explore::{Finding, Report};

use super::{Case, CaseResult, Suite, judged};
use crate::words;

/// What a report leaves to its command to say.
pub struct Searched<'a> {
    /// All promises of the scenario.
    pub promises: Vec<String>,
    /// What was found, in a sentence.
    pub headline: String,
    /// How much was searched.
    pub extent: String,
    /// The command that repeats the search.
    pub repeat: String,
    /// The command that shows a finding.
    pub show: &'a dyn Fn(usize) -> String,
    /// Somebody ended it early.
    pub is_stopped: bool,
    /// Nothing was found, and all was tried that had to be.
    pub is_clean: bool,
}

/// One case a promise of the scenario, then what else was broken, and whether all was tried.
pub fn of_explore(report: &Report, searched: Searched<'_>) -> Suite {
    let Searched { promises, headline, extent, repeat, show, is_stopped, is_clean } = searched;
    let mut names = promises;
    // What everybody expects is broken as well, and no promise of the scenario.
    for name in report.findings.iter().flat_map(|finding| &finding.broken) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    let promise = |name: String| Case { result: result(report, &name, show), name };
    let mut cases: Vec<Case> = names.into_iter().map(promise).collect();
    let left = (report.singles_left > 0).then(|| {
        let left = words::counted(report.singles_left, "single fault");
        format!("the budget did not reach {left}")
    });
    cases.push(Case::unless("every single fault is tried", left));
    if is_stopped {
        let result = CaseResult::Error("somebody interrupted it".to_owned());
        cases.push(Case { name: "the search comes to its end".to_owned(), result });
    }
    cases.push(judged(&cases, is_clean, "nothing was checked"));
    let name = words::named(&report.scenario, report.variant.as_deref());
    Suite { name, headline, extent, repeat, cases }
}

fn result(report: &Report, name: &String, show: &dyn Fn(usize) -> String) -> CaseResult {
    let breaks = |(_, finding): &(usize, &Finding)| finding.broken.contains(name);
    let findings: Vec<(usize, &Finding)> =
        report.findings.iter().enumerate().filter(breaks).collect();
    match findings.first() {
        Some((n, first)) => CaseResult::Broken {
            message: format!("broken by {}", words::counted(findings.len() as u64, "finding")),
            story: vec![first.how(), first.witness.clone(), show(*n)],
        },
        None if report.not_judged.contains(name) => {
            CaseResult::Skipped("faults may make a service worse".to_owned())
        }
        None if report.untested.contains(name) => {
            CaseResult::Skipped("no run put it to the test".to_owned())
        }
        None => CaseResult::Held,
    }
}
