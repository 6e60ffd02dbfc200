//! Refuses calls that go round for ever.
//!
//! `a.x` calls `b.y`, which calls `a.x`: when no step on the way may end or skip the round, no
//! request can ever be answered. A round behind a condition or an answer is let pass; should it
//! never end, the run's limits end it as a finding.

use super::builder::Builder;
use crate::plan::{EndpointId, Instr, Pc, Plan, SiteId, Target};

pub(super) fn check(builder: &mut Builder<'_>) {
    let plan = &builder.plan;
    let calls: Vec<Vec<(SiteId, EndpointId)>> = plan
        .endpoints
        .iter()
        .map(|program| certain_calls(plan, plan.programs[program.index()].entry))
        .collect();
    for start in 0..calls.len() {
        if let Some(round) = round_from(start, &calls) {
            let names: Vec<&str> = round.iter().map(|(_, id)| endpoint_name(plan, *id)).collect();
            let message = format!("calls that never end: {} -> {}", names.join(" -> "), names[0]);
            let here = builder.site_notes[round[1 % round.len()].0.index()].here.field("to");
            let help = "put one of the calls behind an If, or answer before it".to_owned();
            builder.problem(&here, message, Some(help));
            return;
        }
    }
}

fn endpoint_name(plan: &Plan, id: EndpointId) -> &str {
    &plan.programs[plan.endpoints[id.index()].index()].name
}

/// The calls that a program makes on every run, before its first condition or exit.
fn certain_calls(plan: &Plan, entry: Pc) -> Vec<(SiteId, EndpointId)> {
    let mut calls = Vec::new();
    for instr in &plan.code[entry.index()..] {
        match instr {
            Instr::Call(site) => {
                if let Target::Endpoint { endpoint, .. } = plan.sites[site.index()].target {
                    calls.push((*site, endpoint));
                }
            }
            Instr::Let { .. }
            | Instr::Work(_)
            | Instr::Sleep(_)
            | Instr::Effect(_)
            | Instr::Point(_)
            | Instr::Try { .. } => {}
            _ => break,
        }
    }
    calls
}

/// A round of calls that leads back to `start`: each endpoint with the site that calls it.
fn round_from(
    start: usize,
    calls: &[Vec<(SiteId, EndpointId)>],
) -> Option<Vec<(SiteId, EndpointId)>> {
    let mut seen = vec![false; calls.len()];
    // Each entry: the way from `start`, as calls made.
    let mut open: Vec<Vec<(SiteId, EndpointId)>> = vec![Vec::new()];
    while let Some(way) = open.pop() {
        let at = way.last().map_or(start, |(_, id)| id.index());
        for call in &calls[at] {
            let mut longer = way.clone();
            longer.push(*call);
            if call.1.index() == start {
                longer.rotate_right(1);
                return Some(longer);
            }
            if !std::mem::replace(&mut seen[call.1.index()], true) {
                open.push(longer);
            }
        }
    }
    None
}
