//! The examination of the built-in designs: what none may get wrong, and what `safe` leaves open.

use std::fs;

use sim_models::Scenario;
use sim_models::designs::built_in;

use crate::support::{broken, load, root, run};

/// The exam that a design sits, in one situation.
pub fn exam(design: &str, variant: Option<&str>) -> Scenario {
    let text = fs::read_to_string(root().join("scenarios/exam.ron")).expect("the exam");
    let design = format!("\"{design}\"");
    load(&text, variant, &[("actors.api.endpoints.pay[1].design", &design)])
}

/// The names of its situations, beside the one in which nothing fails.
pub fn situations() -> Vec<String> {
    exam("safe", None).variants()
}

#[test]
fn every_design_serves_a_customer_when_nothing_fails() {
    for design in built_in().map(|design| design.name) {
        for variant in [None, Some("CT-05 two purchases"), Some("CT declined card")] {
            let outcome = run(&exam(design, variant));
            assert_eq!(broken(&outcome), [""; 0], "{design} {variant:?}");
        }
    }
}

#[test]
fn every_protection_survives_a_lost_answer() {
    for design in built_in().map(|design| design.name).filter(|name| *name != "unprotected") {
        let outcome = run(&exam(design, Some("CT-01 lost answer")));
        assert_eq!(broken(&outcome), [""; 0], "{design}");
    }
}

#[test]
fn the_safe_design_charges_twice_only_where_no_key_can_help() {
    for situation in situations() {
        let outcome = run(&exam("safe", Some(&situation)));
        let twice = broken(&outcome).contains(&"AtMostOnce(\"charge\")");
        let expected = ["FM-26", "FM-37", "FM-38"].iter().any(|id| situation.starts_with(id));
        assert_eq!(twice, expected, "{situation}");
    }
}

#[test]
fn a_completer_needs_no_client() {
    let outcome = run(&exam("rocket_rides", Some("FM-38 provider forgot")));
    assert_eq!(broken(&outcome), [""; 0], "it finished while the provider still knew");
}
