use std::collections::BTreeMap;
use std::fmt::Debug;

use serde::de::DeserializeOwned;
use sim_policies::{Growth, Jitter};

use super::{UNNAMED, Word, shorthand, words};
use crate::language::*;
use crate::source::{Document, SourceError};

/// The type that reads words of this kind; none for kinds that only stand in others.
fn read(kind: &str, document: &Document) -> Option<Result<String, SourceError>> {
    fn shown<T: DeserializeOwned + Debug>(document: &Document) -> Result<String, SourceError> {
        document.read::<T>(hint).map(|read| format!("{read:#?}"))
    }
    Some(match kind {
        "actor" => shown::<Actor>(document),
        "backoff" => shown::<Growth>(document),
        "balancer" => shown::<Balancer>(document),
        "breaker" => shown::<sim_policies::breaker::BreakerConfig>(document),
        "budget" => shown::<sim_policies::budget::BudgetConfig>(document),
        "bulkhead" => shown::<sim_policies::bulkhead::BulkheadConfig>(document),
        "change of a rate" => shown::<Change>(document),
        "concurrency limit" => shown::<sim_policies::concurrency::LimitConfig>(document),
        "condition" => shown::<Cond>(document),
        "distribution" => shown::<Dist>(document),
        "fault" => shown::<Fault>(document),
        "hedge" => shown::<sim_policies::hedge::HedgeConfig>(document),
        "invariant" => shown::<Invariant>(document),
        "jitter" => shown::<Jitter>(document),
        "load" => shown::<Load>(document),
        "number of requests" => shown::<Requests>(document),
        "outlier detection" => shown::<OutlierPreset>(document),
        "persistence" => shown::<Persistence>(document),
        "policy" => shown::<Policy>(document),
        "proxy" => shown::<sim_policies::proxy::ProxyConfig>(document),
        "queue" => shown::<Queue>(document),
        "rate limiter" => shown::<sim_policies::rate_limiter::RateLimiterConfig>(document),
        "retry" => shown::<sim_policies::retry::RetryConfig>(document),
        "step" => shown::<Step>(document),
        "store command" => shown::<KvOp>(document),
        "time of a fault" => shown::<FaultPlan>(document),
        _ => return None,
    })
}

fn parse(word: &Word, text: &str) -> Document {
    let document = Document::parse(&word.kind, text, shorthand());
    document.unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn the_table_of_unnamed_arguments_is_that_of_the_types() {
    let with_unnamed = words().iter().filter(|word| !word.unnamed.is_empty());
    let row = |word: &Word| format!("{} {}\n", word.name, word.unnamed.join(" "));
    let mut rows: Vec<String> = with_unnamed.map(row).collect();
    rows.sort();
    rows.dedup();
    let table = rows.concat();
    assert!(UNNAMED == table, "words/unnamed.txt differs; it should be:\n{table}");
}

#[test]
fn every_default_is_what_holds_when_it_is_left_out() {
    let mut count = 0;
    for word in words() {
        let without = match &word.example {
            Some(example) => parse(word, example),
            None if word.brackets => parse(word, &format!("{}()", word.name)),
            None => continue,
        };
        let Some(meant) = read(&word.kind, &without) else { continue };
        let Ok(meant) = meant else { continue };
        let given = without.children("");
        for argument in word.arguments.iter().filter(|argument| !given.contains(&argument.name)) {
            let Some(default) = &argument.default else { continue };
            let mut with = without.clone();
            with.set("default", &argument.name, default).unwrap_or_else(|error| panic!("{error}"));
            let shown = read(&word.kind, &with).expect("the same kind");
            let shown = shown.unwrap_or_else(|error| panic!("{error}\n{}", with.text()));
            assert_eq!(shown, meant, "{}", with.text());
            count += 1;
        }
    }
    assert!(count > 200, "{count} defaults are too few");
}

#[test]
fn words_of_one_name_take_the_same_unnamed_arguments() {
    let mut known = BTreeMap::new();
    for (name, fields) in shorthand() {
        let other = known.insert(name, fields).unwrap_or(fields);
        assert_eq!(other, fields, "{name}");
    }
    assert!(known.len() > 80, "{} words are too few", known.len());
}

#[test]
fn every_word_and_argument_is_documented() {
    for word in words() {
        assert!(!word.about.is_empty(), "{}", word.name);
        for argument in word.arguments.iter().filter(|argument| !argument.name.is_empty()) {
            assert!(!argument.about.is_empty(), "{}.{}", word.name, argument.name);
        }
    }
}
