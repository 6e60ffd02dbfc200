//! Tasks that need two answers of an overloaded service.

use crate::measure::{Estimate, case, outcomes};
use crate::table::{Row, Topic};

pub fn topic() -> Topic {
    let success = outcomes(&case("shedding", None, &[]), 6, |outcome| {
        outcome.goodput.achieved as f64 / outcome.goodput.offered as f64
    });
    Topic {
        title: "Subsequent overload",
        scenario: "shedding",
        says: "is the case against shedding at random of Zhou and others, *Overload Control for \
            Scaling WeChat Microservices*, 2018. A task needs two answers of a service that can \
            give half of what is asked for first. From p + p² = 1/2, p² = 0.134 of the tasks \
            succeed, where a quarter could.",
        rows: vec![Row::new("tasks that succeed", 0.133_97, Estimate::mean(&success))],
    }
}
