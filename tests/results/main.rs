//! The published results: models that others have described exactly, with the numbers that they
//! found, run from `scenarios/published` and compared.
//!
//! `docs/RESULTS.md` is what the runs say. A number agrees when it lies inside the simulated 99 %
//! interval, or within the tolerance that its row states; one that does not has a note which says
//! why, and is expected not to. All of it takes a minute or two on two cores.

mod backoff;
mod bimodal;
mod budgets;
mod choices;
mod collapse;
mod fan_out;
mod hedging;
mod hotos21;
mod jitter;
mod layers;
mod lookaside;
mod measure;
mod metastability;
mod omission;
mod priorities;
mod queueing;
mod reconnect;
mod redundancy;
mod retry_budgets;
mod retry_flood;
mod shedding;
mod stale;
mod stampede;
#[path = "../it/support.rs"]
#[expect(dead_code, reason = "the other proofs use the rest")]
mod support;
mod table;
mod theory;
mod throttling;
mod tied;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use table::Topic;

const DOCUMENT: &str = "docs/RESULTS.md";

/// What has been reproduced, in the order of the document. Each is run once, by whoever asks first.
static TOPICS: [LazyLock<Topic>; 24] = [
    LazyLock::new(hotos21::topic),
    LazyLock::new(lookaside::topic),
    LazyLock::new(jitter::topic),
    LazyLock::new(retry_budgets::topic),
    LazyLock::new(collapse::topic),
    LazyLock::new(metastability::topic),
    LazyLock::new(retry_flood::topic),
    LazyLock::new(bimodal::topic),
    LazyLock::new(backoff::topic),
    LazyLock::new(reconnect::topic),
    LazyLock::new(stampede::topic),
    LazyLock::new(layers::topic),
    LazyLock::new(shedding::topic),
    LazyLock::new(throttling::topic),
    LazyLock::new(budgets::topic),
    LazyLock::new(hedging::topic),
    LazyLock::new(tied::topic),
    LazyLock::new(redundancy::topic),
    LazyLock::new(fan_out::topic),
    LazyLock::new(omission::topic),
    LazyLock::new(queueing::topic),
    LazyLock::new(priorities::topic),
    LazyLock::new(choices::topic),
    LazyLock::new(stale::topic),
];

#[test]
fn the_published_numbers_come_out() {
    let mut wrong = Vec::new();
    for topic in &TOPICS {
        let unexpected = topic.rows.iter().filter(|row| row.agrees() == row.note.is_some());
        wrong.extend(unexpected.map(|row| format!("{}: {}", topic.title, row.line())));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// A row that would not notice an error proves nothing.
#[test]
fn every_row_would_notice_an_error_of_five_percent() {
    let rows = TOPICS.iter().flat_map(|topic| topic.rows.iter().map(move |row| (topic, row)));
    let blind = rows.filter(|(_, row)| row.notices() > 0.05);
    let blind: Vec<String> = blind.map(|(t, row)| format!("{}: {}", t.title, row.line())).collect();
    assert!(blind.is_empty(), "\n{}", blind.join("\n"));
}

#[test]
fn the_page_of_results_is_what_the_runs_say() {
    let topics: Vec<String> = TOPICS.iter().map(|topic| topic.section()).collect();
    let document = format!("{}\n{}\n{}", table::PREFACE, topics.join("\n"), table::LATER);
    support::same_as_written(DOCUMENT, &document);
}

#[test]
fn every_published_scenario_has_its_results() {
    let files = support::scenarios_in(measure::FOLDER);
    let names = files.iter().map(|file| file.file_stem().expect("a file").to_string_lossy());
    let shipped: BTreeSet<String> = names.map(|name| name.into_owned()).collect();
    let topics = TOPICS.iter().map(|topic| topic.scenario.to_owned());
    assert_eq!(shipped, topics.collect());
}
