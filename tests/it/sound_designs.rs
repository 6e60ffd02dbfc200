//! What the search finds where nothing should break: in the corrections of the failure modes, in the
//! controls, and in the shipped designs of payment providers.
//!
//! `docs/SOUND_DESIGNS.md` holds it. Its searches take long, so an ignored test writes the page and
//! another repeats the beginning of each search.

use std::fmt::Write;
use std::fs;

use sim_models::explore::{Finding, Report, explore};
use sim_models::{Draft, Scenario};

use crate::explore::modes;
use crate::support::{root, same_as_written, scenarios_in};

const PAGE: &str = "docs/SOUND_DESIGNS.md";

/// The runs of a search for the page, and of its repetition.
const BUDGET: u64 = 20_000;
const BUDGET_OF_REPETITION: u64 = 100;

/// The runs with a customer who asks on.
const BUDGET_OF_PATIENCE: u64 = 5_000;

/// A customer who asks on until there is an answer that is final.
const PATIENCE: &str = "[Retry(attempts: 1000000, backoff: Exponential(base: \"1s\", cap: \"5s\"), \
                        conflict: true), Timeout(\"5s\")]";

const PATIENT: &str = "It takes a customer who stops asking: nothing with one who asks on.";

/// Why a promise breaks all the same: what somebody found who looked at each.
struct Known {
    designs: &'static [&'static str],
    /// How the promise begins.
    promise: &'static str,
    why: &'static str,
}

const KNOWN: [Known; 18] = [
    Known {
        designs: &[
            "CT-01",
            "CT-01, no fault",
            "CT-02",
            "CT-05, naive",
            "FM-03, corrected",
            "FM-25, corrected",
            "FM-41, corrected",
            "FM-44, corrected",
        ],
        promise: "AtMostOnce",
        why: "FM-06: it sends the provider no key. Whatever hides that the charge is done \
              has it done again.",
    },
    Known {
        designs: &["CT-03", "CT-05, naive"],
        promise: "ExactlyOnce",
        why: "FM-06: it sends the provider no key. Whatever hides that the charge is done \
              has it done again.",
    },
    Known {
        designs: &["CT-02, safe", "FM-09, corrected"],
        promise: "OneInFlight",
        why: "FM-07: its calls to the provider have no timeout, so the lease runs out first. \
              The provider's key keeps the charge single.",
    },
    Known {
        designs: &[
            "CT-01, safe",
            "CT-03, safe",
            "CT-05",
            "CT-05, in flight",
            "CT-05, naive",
            "FM-07, corrected",
            "FM-08, corrected",
            "FM-15, corrected",
        ],
        promise: "OneInFlight",
        why: "FM-13, FM-15, FM-20: a lease runs out while its holder stands still or the \
              store's clock goes ahead, and is lost with its store.",
    },
    Known {
        designs: &["CT-02", "CT-02, safe"],
        promise: "SettlesWithin",
        why: "FM-02: two leases of 30 s one after the other are longer than the 60 s of the \
              promise.",
    },
    Known {
        designs: &[
            "CT-01",
            "CT-01, no fault",
            "CT-01, safe",
            "CT-04",
            "FM-03, corrected",
            "FM-05, corrected",
            "FM-08, corrected",
            "FM-10, corrected",
            "FM-13, corrected",
            "FM-19, corrected",
            "FM-20, corrected",
            "FM-21, corrected",
            "FM-26, corrected",
            "FM-41, corrected",
            "FM-44, corrected",
        ],
        promise: "SettlesWithin",
        why: "FM-15: with one who asks on, only if the store's clock is set back. Then the \
              lease of one that died lasts for longer.",
    },
    Known {
        designs: &[
            "FM-15, corrected",
            "FM-16, corrected",
            "FM-27, corrected",
            "FM-29, corrected",
            "FM-34, corrected",
            "FM-52, corrected",
        ],
        promise: "SettlesWithin",
        why: "FM-02: a claim is never taken over. When its holder fails, the customer hears \
              409 without end.",
    },
    Known {
        designs: &["FM-02, corrected"],
        promise: "SettlesWithin",
        why: "FM-02: its completer waits for the store without a timeout. One lost message \
              stops it, as a crash does.",
    },
    Known {
        designs: &["FM-09, corrected"],
        promise: "SettlesWithin",
        why: "FM-02: it waits for its store without a timeout. Lost messages keep its lock \
              and its workers.",
    },
    Known {
        designs: &["FM-03, corrected"],
        promise: "LockDiscipline",
        why: "FM-08: it deletes the lock by its name, also when its own has run out and \
              another has it.",
    },
    Known {
        designs: &["FM-27, corrected"],
        promise: "EqualReplays",
        why: "FM-20: the store has forgotten the first request, so nothing is there to \
              compare with.",
    },
    Known {
        designs: &["FM-27, corrected"],
        promise: "AtMostOnce",
        why: "FM-20: the store has forgotten the first request, and the provider is given \
              another body under its key.",
    },
    Known {
        designs: &["FM-27, corrected"],
        promise: "NoMerge",
        why: "FM-20: the store has forgotten the first request, and the provider repeats its \
              answer.",
    },
    Known {
        designs: &["FM-33, corrected", "FM-45, corrected"],
        promise: "",
        why: "FM-20: the database forgets what it had confirmed, and with it the order that \
              somebody has paid.",
    },
    Known {
        designs: &["FM-47, corrected", "FM-48, corrected"],
        promise: "AppliedOnce",
        why: "FM-20: the database forgets what it had confirmed, and with it the outbox.",
    },
    Known {
        designs: &["FM-47, corrected"],
        promise: "BooksBalance",
        why: "FM-33: the customer leaves after the charge and before the order, and nobody \
              asks the provider.",
    },
    Known {
        designs: &["FM-38, corrected"],
        promise: "AtMostOnce",
        why: "FM-38: a message comes 25 hours late, and the provider remembers for 24. Only \
              a longer memory of the provider's helps.",
    },
    Known {
        designs: &["FM-52, corrected"],
        promise: "FailedImpliesNone",
        why: "FM-20: the store forgets that the payment is under way, and an error is the \
              last that the customer hears of it.",
    },
];

/// A design that should break under nothing.
struct Sound {
    name: String,
    draft: Draft,
}

impl Sound {
    fn scenario(&self) -> Scenario {
        self.draft.load().expect("it loads without its faults")
    }

    /// The same with a customer who asks on.
    fn patient(&self) -> Scenario {
        let draft = self.draft.clone().set("policies.app", PATIENCE);
        draft.load().expect("each of them has a policy for its app")
    }

    fn why(&self, promise: &str) -> &'static str {
        let known = KNOWN.iter().find(|known| {
            known.designs.contains(&self.name.as_str()) && promise.starts_with(known.promise)
        });
        known.map_or("open", |known| known.why)
    }
}

/// The corrections of the failure modes, and the controls in all their variants.
fn sound() -> Vec<Sound> {
    let mut sound = Vec::new();
    for (name, file) in modes() {
        let draft = Scenario::file(&file).expect("it is shipped").set("faults", "[]");
        let base = draft.load().expect("it loads without its faults");
        let is_control = name.starts_with("CT");
        if is_control {
            sound.push(Sound { name: name.clone(), draft: draft.clone() });
        }
        // The situations of CT-04 are faults, and faults are taken away.
        let variants = base.variants().into_iter();
        for variant in variants.filter(|v| (is_control && name != "CT-04") || v == "corrected") {
            let name = format!("{name}, {variant}");
            sound.push(Sound { name, draft: draft.clone().variant(variant) });
        }
    }
    sound
}

/// `scenarios/exam.ron` with each of the shipped designs.
fn designs() -> Vec<Sound> {
    let exam = root().join("scenarios/exam.ron");
    let files = scenarios_in("scenarios/designs").into_iter();
    let names = files.map(|file| file.file_stem().expect("a file").to_string_lossy().into_owned());
    let draft = |name: &str| {
        let path = "actors.api.endpoints.pay[1].design";
        Scenario::file(&exam).expect("it is shipped").set(path, format!("\"{name}\""))
    };
    names.map(|name| Sound { draft: draft(&name), name }).collect()
}

fn search(scenario: &Scenario, budget: u64) -> Report {
    explore(scenario).budget(budget).seed(1).jobs(2).untold().run().expect("it promises something")
}

/// For each promise that broke, the first finding, and in how many ways it broke.
fn first_of_each(report: &Report) -> Vec<(&Finding, usize)> {
    let mut firsts: Vec<(&Finding, usize)> = Vec::new();
    for finding in &report.findings {
        let promise = &finding.broken[0];
        match firsts.iter_mut().find(|(first, _)| first.broken[0] == *promise) {
            Some((_, ways)) => *ways += 1,
            None => firsts.push((finding, 1)),
        }
    }
    firsts
}

fn breaks(report: &Report, promise: &str) -> bool {
    report.findings.iter().any(|finding| finding.broken.iter().any(|broken| broken == promise))
}

#[test]
#[ignore = "writes the page, in many minutes"]
fn the_page_of_sound_designs() {
    let (mut rows, mut quiet, mut of_designs) = (String::new(), Vec::new(), String::new());
    for design in sound() {
        let report = search(&design.scenario(), BUDGET);
        let firsts = first_of_each(&report);
        if firsts.is_empty() {
            quiet.push(design.name.clone());
            continue;
        }
        let patient = search(&design.patient(), BUDGET_OF_PATIENCE);
        for (first, ways) in firsts {
            let promise = &first.broken[0];
            let why = if breaks(&patient, promise) { design.why(promise) } else { PATIENT };
            let Finding { runs, .. } = first;
            let (name, how) = (&design.name, first.how());
            writeln!(rows, "| {name} | `{promise}` | {how} | {runs} | {ways} | {why} |")
                .expect("a string");
        }
    }
    for design in designs() {
        let report = search(&design.scenario(), BUDGET);
        let name = &design.name;
        for (first, ways) in first_of_each(&report) {
            let (promise, how) = (&first.broken[0], first.how());
            let (phase, faults) = (first.phase.name().replace('_', " "), first.faults.len());
            let runs = first.runs;
            writeln!(
                of_designs,
                "| `{name}` | `{promise}` | {phase} | {faults} | {how} | {runs} | {ways} |"
            )
            .expect("a string");
        }
        if report.findings.is_empty() {
            writeln!(of_designs, "| `{name}` | nothing | | | | | |").expect("a string");
        }
    }
    let quiet = match quiet.as_slice() {
        [] => "Each of them breaks something.".to_owned(),
        quiet => format!("Nothing breaks in: {}.", quiet.join("; ")),
    };
    let text = include_str!("sound_designs.md")
        .replace("{ROWS}", rows.trim_end())
        .replace("{QUIET}", &quiet)
        .replace("{DESIGNS}", of_designs.trim_end());
    same_as_written(PAGE, &text);
}

#[test]
fn what_breaks_in_a_sound_design_is_on_the_page_and_somebody_knows_why() {
    let page = fs::read_to_string(root().join(PAGE)).expect("the page");
    assert!(!page.contains("| open |"), "{PAGE}: nobody has looked at it");
    let mut wrong = Vec::new();
    for design in sound() {
        let report = search(&design.scenario(), BUDGET_OF_REPETITION);
        let patient = search(&design.patient(), BUDGET_OF_REPETITION);
        for (first, _) in first_of_each(&report) {
            let promise = &first.broken[0];
            let row = format!("| {} | `{promise}` |", design.name);
            let Some(row) = page.lines().find(|line| line.starts_with(&row)) else {
                wrong.push(row);
                continue;
            };
            if row.contains(PATIENT) && breaks(&patient, promise) {
                wrong.push(format!("{row}: it breaks with a customer who asks on as well"));
            }
        }
    }
    for design in designs() {
        let report = search(&design.scenario(), BUDGET_OF_REPETITION);
        for (first, _) in first_of_each(&report) {
            let row = format!("| `{}` | `{}` |", design.name, first.broken[0]);
            if !page.contains(&row) {
                wrong.push(row);
            }
        }
    }
    assert!(wrong.is_empty(), "{PAGE} does not say so; make it anew: {wrong:#?}");
}
