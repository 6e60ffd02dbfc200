//! What exploration finds of the library of failure modes, when nobody tells it which fault to look
//! for. The page is made from the searches.

use std::fmt::Write;

use sim_models::Scenario;
use sim_models::explore::{Finding, Report, explore};

use crate::support::{broken, same_as_written, scenarios_in};

const PAGE: &str = "docs/EXPLORE.md";

/// The runs of each search.
const BUDGET: u64 = 500;

const HEAD: &str = "\
# What exploration finds

`sim explore` is given a scenario, and finds faults under which its promises break. Nobody tells it
what to look for. [How it searches](#how-it-searches) is below.

Here it meets the [library of failure modes](FAILURE_MODES.md). Each of them is a bad design with a plan
of faults that shows the harm. The plan is taken away, and the search has to find one by itself. This
page is made from the searches: 500 runs each, seed 1.

## The bad designs

*Promise* is one that the mode's own plan breaks. *Runs* is how many it took until it broke for the
first time, *faults* is how many it takes after shrinking, and *when* is the smallest plan. It may be
another plan than the mode's own: a bad design has more than one way to break. *Ways* is how many
different ones the search found, of all promises together.

";

const CORRECTED: &str = "
## Their corrections

The same search, of the variant `corrected` of each mode; the smallest plan for each promise that
breaks. A correction answers for its own mode. What is found here is another one, or a customer who
stops asking before anybody can tell what happened (`SettlesWithin`).

";

const HOW: &str = "
## How it searches

1. **One good run is recorded**: which points its programs pass, which messages go where, and what is
   written to the ledger. The first three intents are followed; what happens to them can happen to any.
2. **Every single fault.** At each point: a crash, an error, a halt of the task, a pause of the instance
   that passes it. For each message: it is lost, late or doubled, at once or much later. At each command of
   a store: the store crashes, fails over, refuses, forgets, evicts, is out of memory, or its clock is set
   forward or back. With replicas: they are cut off, a failover loses what was just written, or the old
   primary still serves who has sent the command. At each moment of an intent its user clicks again, leaves,
   or asks for a refund if the client says how. Crashes and outages last a second. They, halts and delays
   also last a little longer than each length of time that the scenario names: timeouts, leases, lifetimes,
   the sixteen most different. What stands next to an effect is tried first.
3. **Faults on top of each other.** Where a run with a fault kept its promises, a further fault strikes
   later in that run. Runs that passed the same points in the same order, sent the same messages and did
   the same things are gone on from once.
4. **At random**, one batch in four, once every single fault was tried: one to five faults, of a random
   half of the kinds, and other luck of latencies and losses.

A promise that must never break (`AtMostOnce`, `NoMerge` …) is judged under all faults. One that must hold
in the end (`AllAnswered`, `SettlesWithin`, `RecoversWithin`) is judged where all faults have healed
within the first three quarters of the run. Promises on figures (`Threshold`, `Goodput` …) are not judged,
since faults may make a service worse. The report names them, and those that no run put to the test.

Findings are one where they break the same promise after the same messages and effects in the same order.
Each is shrunk: fewer faults, a named point in the place of an instant, the shortest round length; then
fewer users, no actor, link, endpoint or policy that the story does not need, and a shorter run. Programs
and policies stay as they were written, and without its faults the short scenario keeps the promise. The
result is `counterexample-….ron`, which `sim run` repeats.

A client that keeps its key is taken at its word: only one that has `new_keys` begins anew under another,
after it has left. Under a new key no server knows the old payment, whatever its design.
";

fn stripped(name: &str, variant: Option<&str>) -> Scenario {
    let draft = Scenario::file(name).expect("it is shipped").set("faults", "[]");
    let draft = variant.into_iter().fold(draft, |draft, variant| draft.variant(variant));
    draft.load().expect("it loads without its faults")
}

fn search(scenario: &Scenario) -> Report {
    explore(scenario).budget(BUDGET).seed(1).untold().run().expect("it promises something")
}

fn first<'a>(report: &'a Report, promises: &[&str]) -> Option<&'a Finding> {
    let breaks = |finding: &&Finding| {
        finding.broken.iter().any(|promise| promises.contains(&promise.as_str()))
    };
    report.findings.iter().filter(breaks).min_by_key(|finding| finding.runs)
}

#[test]
fn every_failure_mode_is_found_without_its_plan() {
    let mut page = HEAD.to_owned();
    page += "| mode | promise | runs | faults | when | ways |\n|---|---|---|---|---|---|\n";
    let mut corrected = CORRECTED.to_owned();
    corrected += "| mode | found | when |\n|---|---|---|\n";
    let mut missed = Vec::new();
    let modes = scenarios_in("scenarios/failure-modes").into_iter();
    for path in modes.filter(|path| path.to_string_lossy().contains("/FM-")) {
        let name = path.file_stem().expect("a file").to_string_lossy().into_owned();
        let file = path.to_string_lossy().into_owned();
        let own = Scenario::file(&file).expect("it is shipped").run().expect("it loads");
        let promises = broken(&own);
        let report = search(&stripped(&file, None));
        match first(&report, &promises) {
            Some(finding) => {
                assert!(finding.faults.len() <= 3, "{name}: {finding:?}");
                let promise = finding.broken.iter().find(|p| promises.contains(&p.as_str()));
                writeln!(
                    page,
                    "| `{}` | `{}` | {} | {} | {} | {} |",
                    &name[..5],
                    promise.expect("it breaks one"),
                    finding.runs,
                    finding.faults.len(),
                    finding.how(),
                    report.findings.len(),
                )
                .expect("a text takes all");
            }
            None => missed.push(name.clone()),
        }
        let report = search(&stripped(&file, Some("corrected")));
        let mut told: Vec<&str> = Vec::new();
        for finding in &report.findings {
            let promise = finding.broken[0].as_str();
            if !told.contains(&promise) {
                told.push(promise);
                writeln!(corrected, "| `{}` | `{promise}` | {} |", &name[..5], finding.how())
                    .expect("a text takes all");
            }
        }
        if told.is_empty() {
            writeln!(corrected, "| `{}` | nothing | |", &name[..5]).expect("a text takes all");
        }
    }
    assert!(missed.is_empty(), "not found: {missed:?}");
    same_as_written(PAGE, &(page + &corrected + HOW));
}
