//! Who calls whom: the sites of each program, and the programs that a site leads to.

use super::super::builder::Builder;
use crate::plan::{ActorKind, Instr, Plan, ProgramId, SiteId, Target};

/// The calls of a plan.
pub(super) struct Calls {
    /// By program: the sites that its own task, or one that it waits for, calls.
    pub(super) sites: Vec<Vec<SiteId>>,
    /// By program: the sites that lead to it.
    pub(super) callers: Vec<Vec<SiteId>>,
}

impl Calls {
    pub(super) fn of(builder: &Builder<'_>) -> Calls {
        let plan = &builder.plan;
        let mut sites = vec![Vec::new(); plan.programs.len()];
        let mut callers = vec![Vec::new(); plan.programs.len()];
        let awaited = awaited(plan);
        for (n, note) in builder.site_notes.iter().enumerate() {
            let site = SiteId::nth(n);
            if awaited[n] {
                sites[note.owner.index()].push(site);
            }
            if let Some(program) = callee(plan, site) {
                callers[program.index()].push(site);
            }
        }
        Calls { sites, callers }
    }
}

/// The program that a site calls, unless it is written in Rust.
pub(super) fn callee(plan: &Plan, site: SiteId) -> Option<ProgramId> {
    match plan.sites[site.index()].target {
        Target::Endpoint { endpoint, .. } => Some(plan.endpoints[endpoint.index()]),
        _ => None,
    }
}

/// By site: whether somebody waits for its call. Nobody waits for what was spawned.
fn awaited(plan: &Plan) -> Vec<bool> {
    let mut awaited = vec![true; plan.sites.len()];
    let mut spawned_until = 0;
    for (at, instr) in plan.code.iter().enumerate() {
        match instr {
            Instr::Spawn { then } => spawned_until = spawned_until.max(then.index()),
            Instr::Call(site) => awaited[site.index()] = at >= spawned_until,
            _ => {}
        }
    }
    awaited
}

/// The programs of clients.
pub(super) fn clients(plan: &Plan) -> impl Iterator<Item = ProgramId> {
    let programs = plan.actors.iter().filter_map(|actor| match &actor.kind {
        ActorKind::Client(client) => Some([Some(client.program), client.refund]),
        _ => None,
    });
    programs.flatten().flatten()
}
