//! What the parts of the compiler share: the plan so far, what names mean, and the problems.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use sim_core::Span;
use sim_policies::Method;
use sim_redis::value::{Texts, Value};

use super::Points;
use super::place::Here;
use super::stack::Checked;
use crate::custom::Kinds;
use crate::language::{FaultPlan, Scenario};
use crate::plan::{
    ActorId, EndpointId, KindId, Operand, PairId, Pc, Plan, ProgramId, QueueId, Reg, StackId, Words,
};
use crate::source::{Document, Files, SourceError, advice, last_name};

/// What the parts of the compiler share: the plan so far, names, and problems.
pub(super) struct Builder<'a> {
    pub(super) spec: &'a Scenario,
    pub(super) files: Files<'a>,
    pub(super) docs: Vec<Document>,
    pub(super) plan: Plan,
    pub(super) problems: Vec<SourceError>,
    pub(super) actor_ids: BTreeMap<String, ActorId>,
    pub(super) endpoints: BTreeMap<(ActorId, String), EndpointId>,
    pub(super) queues: BTreeMap<(ActorId, String), QueueId>,
    pub(super) kinds: &'a Kinds,
    /// Checked stacks, by name.
    pub(super) policies: BTreeMap<String, Checked>,
    pub(super) stacks: BTreeMap<(ActorId, Option<String>, ActorId), StackId>,
    pub(super) site_notes: Vec<SiteNote>,
    pub(super) design_uses: Vec<DesignUse>,
    pub(super) needs: Vec<Need>,
    /// Where steps stand that are asked about later, by instruction.
    pub(super) places: BTreeMap<Pc, Here>,
    /// At which points programs say where they are.
    pub(super) points: Points,
    /// Points that faults wait at.
    pub(super) asked_points: BTreeSet<String>,
    /// The points that labels mark, and where.
    pub(super) labels: Vec<(String, Here)>,
    /// The points right after steps, whether or not anybody asks for them.
    pub(super) step_points: Vec<String>,
    /// Names of the registers of each program.
    pub(super) variables: BTreeMap<(ProgramId, Reg), String>,
    /// Kinds of effects that others take back, and where.
    pub(super) undone: Vec<(KindId, Here)>,
    /// Kinds of effects that happen.
    pub(super) done: BTreeSet<KindId>,
    /// By program: it has an effect that happens each time it runs.
    pub(super) effectful: Vec<bool>,
    /// By program: whether it has an effect at all or publishes, itself or through calls.
    pub(super) acting: Vec<bool>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(
        document: &Document,
        spec: &'a Scenario,
        files: Files<'a>,
        kinds: &'a Kinds,
        points: Points,
    ) -> Builder<'a> {
        let mut texts = Texts::default();
        let mut word = |text: &str| Value::Text(texts.intern(text));
        let words = Words {
            status: word("status"),
            timeout: word("timeout"),
            refused: word("refused"),
            reset: word("reset"),
            rejected: word("rejected"),
            failed: word("failed"),
            unknown: word("unknown"),
        };
        let asked = |fault: &FaultPlan| match fault {
            FaultPlan::After { point, .. } => Some(point.clone()),
            FaultPlan::At { .. } => None,
        };
        let count = spec.actors.len();
        let plan = Plan {
            name: spec.name.clone(),
            about: spec.about.clone(),
            hypothesis: spec.hypothesis.clone(),
            horizon: spec.horizon,
            warmup: spec.warmup,
            recovery: spec.recovery,
            limits: spec.limits,
            grace: spec.limits.grace(spec.horizon),
            texts,
            routes: vec![None; count * count],
            words,
            ..Plan::default()
        };
        Builder {
            spec,
            files,
            kinds,
            docs: vec![document.clone()],
            plan,
            problems: Vec::new(),
            actor_ids: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            queues: BTreeMap::new(),
            policies: BTreeMap::new(),
            stacks: BTreeMap::new(),
            site_notes: Vec::new(),
            design_uses: Vec::new(),
            needs: Vec::new(),
            places: BTreeMap::new(),
            points,
            asked_points: spec.faults.iter().filter_map(asked).collect(),
            labels: Vec::new(),
            step_points: Vec::new(),
            variables: BTreeMap::new(),
            undone: Vec::new(),
            done: BTreeSet::new(),
            effectful: Vec::new(),
            acting: Vec::new(),
        }
    }

    /// An error about a place.
    pub(super) fn complaint(
        &self,
        here: &Here,
        message: impl Into<String>,
        help: Option<String>,
    ) -> SourceError {
        self.docs[here.doc.0].problem(&here.path, message, help)
    }

    pub(super) fn problem(
        &mut self,
        here: &Here,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        let complaint = self.complaint(here, message, help);
        self.problems.push(complaint);
    }

    /// Complains about a number unless it is in range.
    pub(super) fn require(
        &mut self,
        ok: bool,
        here: &Here,
        found: impl std::fmt::Display,
        allowed: &str,
    ) {
        if !ok {
            // What has no name of its own is shown as it is written: `Fail(99)`.
            let is_named = !here.path.ends_with(']');
            let message = match self.docs[here.doc.0].text_of(&here.path) {
                Some(written) if !is_named => format!("`{written}`: it must be {allowed}"),
                _ => {
                    let name = last_name(&here.path).unwrap_or_default();
                    format!("{name} = {found}; it must be {allowed}")
                }
            };
            self.problem(here, message, None);
        }
    }

    pub(super) fn ratio(&mut self, value: f64, here: &Here) {
        self.require((0.0..=1.0).contains(&value), here, value, "a ratio in 0..=1");
    }

    pub(super) fn status(&mut self, status: u16, here: &Here) {
        self.require((100..=599).contains(&status), here, status, "an HTTP status, 100..=599");
    }

    pub(super) fn name_of(&self, actor: ActorId) -> &str {
        self.plan.actor_name(actor)
    }

    pub(super) fn pair(&mut self, from: ActorId, to: ActorId) -> PairId {
        let pairs = &mut self.plan.pairs;
        let n = pairs.iter().position(|pair| *pair == (from, to)).unwrap_or_else(|| {
            pairs.push((from, to));
            pairs.len() - 1
        });
        PairId::nth(n)
    }

    pub(super) fn kind(&mut self, name: &str) -> KindId {
        let kinds = &mut self.plan.kinds;
        let n = kinds.iter().position(|kind| kind == name).unwrap_or_else(|| {
            kinds.push(name.to_owned());
            kinds.len() - 1
        });
        KindId::nth(n)
    }

    /// The same for a kind that a program brings about.
    pub(super) fn kind_done(&mut self, name: &str) -> KindId {
        let kind = self.kind(name);
        self.done.insert(kind);
        kind
    }

    /// Complains about effects that are taken back and never happen.
    pub(super) fn undone_are_done(&mut self) {
        for (kind, here) in std::mem::take(&mut self.undone) {
            if !self.done.contains(&kind) {
                let name = self.plan.kinds[kind.index()].clone();
                let done = self.done.iter().map(|kind| self.plan.kinds[kind.index()].as_str());
                let help = advice(&name, done);
                self.problem(&here, format!("no program has an effect `{name}`"), help);
            }
        }
    }
}

/// Whom a call reaches.
pub(super) enum Callee {
    Endpoint(EndpointId),
    Custom(String),
}

/// Whom a policy layer may call instead.
pub(super) enum Other {
    /// The callee that the call names.
    Itself,
    Callee(ActorId, Callee),
}

/// What is known of a site while the plan is built.
#[derive(Clone)]
pub(super) struct SiteNote {
    pub(super) owner: ProgramId,
    pub(super) here: Here,
    pub(super) with: Vec<(String, Operand)>,
    /// What the scenario says of it.
    pub(super) idempotent: Option<bool>,
    pub(super) method: Option<Method>,
}

/// One use of a design in a program.
pub(super) struct DesignUse {
    pub(super) program: ProgramId,
    pub(super) here: Here,
    /// How long it keeps results, if the design has a use for that.
    pub(super) keep: Option<Span>,
    /// How long its locks live, if it has any.
    pub(super) lock: Option<Span>,
    /// The code of its body, wherever the design puts it.
    pub(super) body: Vec<Range<usize>>,
}

/// A value that a program needs: without one, what it does is not what was meant.
pub(super) struct Need {
    pub(super) program: ProgramId,
    pub(super) here: Here,
    pub(super) value: Operand,
    /// What happens when it is nil: `Effect("charge") happens each time`.
    pub(super) otherwise: String,
}
