//! Verdicts for a pipeline: one case a promise, as JUnit XML and as a summary in Markdown.
//!
//! **Invariant:** some case is broken, or an error, exactly when the command's exit code is 1.

mod files;
mod junit;
mod markdown;
mod of_check;
mod of_explore;

pub use files::SuiteFiles;
pub use of_check::of_check;
pub use of_explore::{Searched, of_explore};

/// What was put to the test, and what came of it.
#[derive(Clone, Debug)]
pub struct Suite {
    /// A scenario and its variant.
    pub name: String,
    /// What was found, in a sentence.
    pub headline: String,
    /// How much was run: `seeds 1 to 100`.
    pub extent: String,
    /// The command that repeats it.
    pub repeat: String,
    /// One a promise, and then what else decides.
    pub cases: Vec<Case>,
}

/// One thing that had to hold.
#[derive(Clone, Debug)]
pub struct Case {
    /// A promise as the scenario spells it, or a sentence.
    pub name: String,
    /// What came of it.
    pub result: CaseResult,
}

/// What came of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaseResult {
    /// It held.
    Held,
    /// It says nothing, for this reason. That is no success.
    Skipped(String),
    /// It did not hold.
    Broken {
        /// In a line: `broken with 12 of 1,000 seeds`.
        message: String,
        /// The first story and the command that repeats it.
        story: Vec<String>,
    },
    /// Nothing can be concluded, for this reason.
    Error(String),
}

impl Case {
    /// A case of its own: it holds unless there is a reason why not.
    fn unless(name: &str, broken: Option<String>) -> Case {
        let broken = broken.map(|message| CaseResult::Broken { message, story: Vec::new() });
        Case { name: name.to_owned(), result: broken.unwrap_or(CaseResult::Held) }
    }

    fn is_bad(&self) -> bool {
        matches!(self.result, CaseResult::Broken { .. } | CaseResult::Error(_))
    }
}

/// Whether anything was put to the test; and what only the verdict of all tells, when no case of its own
/// does.
fn judged(cases: &[Case], is_good: bool, why: &str) -> Case {
    let is_told = cases.iter().any(Case::is_bad);
    let broken = (!is_good && !is_told).then(|| why.to_owned());
    let case = Case::unless("some promise is put to the test", broken);
    let says = |case: &Case| matches!(case.result, CaseResult::Held | CaseResult::Broken { .. });
    match case.result {
        CaseResult::Held if !cases.iter().any(says) => {
            Case { result: CaseResult::Skipped("no run says".to_owned()), ..case }
        }
        _ => case,
    }
}
