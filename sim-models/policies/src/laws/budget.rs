//! Calls as they use a budget: begun, ended or asking after each attempt, at times abandoned.

use sim_core::{Span, Time};

use crate::Ending;
use crate::budget::{BudgetConfig, RetryBudget, Ticket};

/// What happens next.
#[derive(Clone, Copy, Debug)]
pub enum Input {
    /// A call begins.
    Begin,
    /// The attempt of one of the calls under way ends, and it asks to retry unless that was a
    /// success or a 400.
    Attempt(usize, Ending),
    /// One of the calls under way is abandoned.
    Abandon(usize),
}

/// What a call did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Did {
    /// It began.
    Began,
    /// Its attempt ended and it did not ask.
    Ended(Ending),
    /// It asked to retry.
    Asked {
        /// How its attempt had ended.
        ending: Ending,
        /// Whether it may.
        permitted: bool,
    },
    /// It was abandoned.
    Abandoned,
}

/// Something that happened, with the budget after it.
#[derive(Debug)]
pub struct Step {
    /// When.
    pub at: Time,
    /// To which call, counted from 0.
    pub call: usize,
    /// What.
    pub did: Did,
    /// The budget after it.
    pub after: RetryBudget,
}

/// Lives through the inputs, and abandons at the end what is still under way.
///
/// # Panics
/// When the configuration is refused, or a ticket that was never begun changes the budget.
pub fn play(config: &BudgetConfig, inputs: &[(Span, Input)]) -> Vec<Step> {
    let mut budget = RetryBudget::new(config).expect("valid");
    let fresh = budget.clone();
    budget.end(Ticket::default(), Time::ZERO, false);
    assert_eq!(budget, fresh, "a ticket that was never begun ends without a trace");
    let (mut now, mut calls, mut under_way) = (Time::ZERO, 0, Vec::<(usize, Ticket)>::new());
    let mut steps = Vec::new();
    for &(gap, input) in inputs {
        now += gap;
        let (call, did) = match input {
            Input::Begin => {
                under_way.push((calls, budget.begin(now)));
                calls += 1;
                (calls - 1, Did::Began)
            }
            _ if under_way.is_empty() => continue,
            Input::Abandon(index) => {
                let (call, ticket) = under_way.remove(index % under_way.len());
                budget.end(ticket, now, false);
                (call, Did::Abandoned)
            }
            Input::Attempt(index, ending) => {
                let index = index % under_way.len();
                let (call, ticket) = &mut under_way[index];
                let call = *call;
                budget.attempt_ended(ticket, now, ending);
                let did = if ending.is_success() || ending == Ending::Status(400) {
                    Did::Ended(ending)
                } else {
                    let permitted = budget.withdraw(ticket, now, ending).is_ok();
                    Did::Asked { ending, permitted }
                };
                if !matches!(did, Did::Asked { permitted: true, .. }) {
                    let (_, ticket) = under_way.remove(index);
                    budget.end(ticket, now, ending.is_success());
                }
                (call, did)
            }
        };
        steps.push(Step { at: now, call, did, after: budget.clone() });
    }
    for (call, ticket) in under_way {
        budget.end(ticket, now, false);
        steps.push(Step { at: now, call, did: Did::Abandoned, after: budget.clone() });
    }
    steps
}

#[cfg(test)]
pub(crate) mod testing {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Calls and their ends, most of them within a short time.
    pub(crate) fn inputs(gap_max: u64, len: usize) -> impl Strategy<Value = Vec<(Span, Input)>> {
        let gap = prop_oneof![5 => Just(0), 5 => 0..=gap_max / 20, 1 => 0..=gap_max];
        let ending = prop_oneof![
            4 => Just(Ending::Status(200)),
            3 => Just(Ending::Status(503)),
            2 => Just(Ending::Status(429)),
            3 => Just(Ending::TimedOut),
            1 => Just(Ending::Reset),
            1 => Just(Ending::Refused),
            1 => Just(Ending::Status(400)),
        ];
        let index = any::<usize>;
        let input = prop_oneof![
            4 => Just(Input::Begin),
            6 => (index(), ending).prop_map(|(index, ending)| Input::Attempt(index, ending)),
            1 => index().prop_map(Input::Abandon),
        ];
        vec((gap.prop_map(Span::millis), input), 0..len)
    }
}
