//! From a scenario's spec to its plan: names become ids, numbers are checked.
//!
//! Problems are collected, not thrown: one reading of the file tells all of them.

use std::collections::{BTreeMap, BTreeSet};

use sim_core::Span;

use super::cycle;
use super::policies::Layer;
use super::program::{Here, SiteNote};
use super::warnings::DesignUse;
use super::{ActorId, EndpointId, KindId, PairId, Plan, QueueId, StackId, Words};
use crate::scenario::Files;
use crate::scenario::spec::{self, Scenario};
use crate::source::{Document, SourceError, advice};
use sim_redis::value::{Texts, Value};

/// The most windows of a run's series.
const WINDOWS_MAX: u64 = 1_000_000;
/// About how many windows a run has when the scenario does not say.
const WINDOWS: u64 = 180;

/// A file that steps come from: the scenario, or a design with its parameters filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DocId(pub(super) usize);

impl DocId {
    pub(super) const FILE: DocId = DocId(0);
}

/// Builds the plan, or tells everything that is wrong with the scenario.
pub(crate) fn build(
    document: &Document,
    spec: &Scenario,
    files: Files<'_>,
) -> Result<Plan, Vec<SourceError>> {
    let mut builder = Builder::new(document, spec, files);
    builder.basics();
    builder.recovery();
    builder.actors();
    builder.queues();
    builder.links();
    builder.policies();
    builder.programs();
    builder.undone_are_done();
    builder.faults();
    builder.invariants();
    builder.known_breaks();
    builder.load_fits_limits();
    cycle::check(&mut builder);
    if builder.problems.is_empty() {
        builder.merge_spikes();
        builder.warnings();
    }
    if builder.problems.is_empty() { Ok(builder.plan) } else { Err(builder.problems) }
}

pub(super) struct Builder<'a> {
    pub(super) spec: &'a Scenario,
    pub(super) files: Files<'a>,
    pub(super) docs: Vec<Document>,
    pub(super) plan: Plan,
    pub(super) problems: Vec<SourceError>,
    pub(super) actor_ids: BTreeMap<String, ActorId>,
    pub(super) endpoints: BTreeMap<(ActorId, String), EndpointId>,
    pub(super) queues: BTreeMap<(ActorId, String), QueueId>,
    /// Checked policies, by name.
    pub(super) policies: BTreeMap<String, Vec<Layer>>,
    pub(super) stacks: BTreeMap<(ActorId, Option<String>, ActorId), StackId>,
    pub(super) site_notes: Vec<SiteNote>,
    pub(super) design_uses: Vec<DesignUse>,
    /// Kinds of effects that others take back, and where.
    pub(super) undone: Vec<(KindId, Here)>,
    /// Kinds of effects that happen.
    pub(super) done: BTreeSet<KindId>,
    /// By program: it has an effect that happens each time it runs.
    pub(super) effectful: Vec<bool>,
}

impl<'a> Builder<'a> {
    fn new(document: &Document, spec: &'a Scenario, files: Files<'a>) -> Builder<'a> {
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
        let count = spec.actors.len();
        let plan = Plan {
            name: spec.name.clone(),
            about: spec.about.clone(),
            hypothesis: spec.hypothesis.clone(),
            horizon: spec.horizon,
            warmup: spec.warmup,
            window: spec.window.unwrap_or_else(|| round_up(spec.horizon / WINDOWS)),
            recovery: spec.recovery,
            limits: spec.limits,
            files: BTreeMap::new(),
            load_spikes: Vec::new(),
            intensities: Vec::new(),
            traces: Vec::new(),
            texts,
            actors: Vec::new(),
            endpoints: Vec::new(),
            classes: Vec::new(),
            jobs: Vec::new(),
            queues: Vec::new(),
            programs: Vec::new(),
            code: Vec::new(),
            sites: Vec::new(),
            stacks: Vec::new(),
            pairs: Vec::new(),
            breakers: Vec::new(),
            bulkheads: Vec::new(),
            connections: Vec::new(),
            caches: Vec::new(),
            service_caches: Vec::new(),
            cached: Vec::new(),
            outliers: Vec::new(),
            hedges: Vec::new(),
            throttles: Vec::new(),
            concurrency_limits: Vec::new(),
            rate_limiters: Vec::new(),
            pacers: Vec::new(),
            budgets: Vec::new(),
            retries: Vec::new(),
            links: Vec::new(),
            routes: vec![None; count * count],
            dists: Vec::new(),
            templates: Vec::new(),
            records: Vec::new(),
            conds: Vec::new(),
            effects: Vec::new(),
            responds: Vec::new(),
            forks: Vec::new(),
            kinds: Vec::new(),
            points: Vec::new(),
            faults: Vec::new(),
            invariants: Vec::new(),
            warnings: Vec::new(),
            words,
        };
        Builder {
            spec,
            files,
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
            undone: Vec::new(),
            done: BTreeSet::new(),
            effectful: Vec::new(),
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
            let name = here.path.rsplit('.').next().unwrap_or_default().to_owned();
            self.problem(here, format!("{name} = {found}; it must be {allowed}"), None);
        }
    }

    pub(super) fn ratio(&mut self, value: f64, here: &Here) {
        self.require((0.0..=1.0).contains(&value), here, value, "a ratio in 0..=1");
    }

    fn basics(&mut self) {
        let spec = self.spec;
        let is_plain = |c: char| c.is_alphanumeric() || "-_ .".contains(c);
        if spec.name.is_empty() || !spec.name.chars().all(is_plain) {
            let message = format!("`{}` is no name for a scenario", spec.name.escape_debug());
            let help = "it names files; use letters, digits, spaces, `-`, `_` and `.`".to_owned();
            self.problem(&Here::file("name"), message, Some(help));
        }
        self.require(!spec.horizon.is_zero(), &Here::file("horizon"), spec.horizon, "above zero");
        let longest = spec.limits.time;
        if spec.warmup >= spec.horizon {
            let message = format!("warmup = {}; the horizon is {}", spec.warmup, spec.horizon);
            let help = "nothing would be measured: warm up for less, or run for longer".to_owned();
            self.problem(&Here::file("warmup"), message, Some(help));
        }
        if spec.horizon > longest {
            let message = format!("horizon = {}; the limit is {longest}", spec.horizon);
            let help = "shorten the horizon, or raise limits.time".to_owned();
            self.problem(&Here::file("horizon"), message, Some(help));
        }
        if let Some(window) = spec.window {
            let fits = !window.is_zero()
                && spec.horizon.as_nanos() / window.as_nanos().max(1) <= WINDOWS_MAX;
            let allowed = format!("above zero, and at most {WINDOWS_MAX} windows to the horizon");
            self.require(fits, &Here::file("window"), window, &allowed);
        }
        let limits = spec.limits;
        for (name, value, max) in [
            ("steps", limits.steps, u64::MAX),
            ("pending", limits.pending, 1 << 23),
            ("memory_mib", limits.memory_mib, 1 << 20),
        ] {
            let allowed = format!("in 1..={max}");
            self.require(
                (1..=max).contains(&value),
                &Here::file(format!("limits.{name}")),
                value,
                &allowed,
            );
        }
    }

    fn recovery(&mut self) {
        let spec::Recovery { trigger, healthy, within, hold, .. } = self.spec.recovery;
        let here = Here::file("recovery");
        self.ratio(healthy, &here.field("healthy"));
        let is_factor = within.is_finite() && within >= 1.0;
        self.require(is_factor, &here.field("within"), within, "a factor, at least 1");
        self.require(!hold.is_zero(), &here.field("hold"), hold, "above zero");
        if let Some((from, to)) = trigger {
            let horizon = self.spec.horizon;
            let found = format!("({from}, {to})");
            let allowed = format!("a beginning and an end within the horizon, {horizon}");
            self.require(from <= to && to <= horizon, &here.field("trigger"), found, &allowed);
        }
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

/// The next of 1, 2, 5, 10, … milliseconds, seconds and so on.
fn round_up(span: Span) -> Span {
    let mut unit = 1_000_000u64;
    loop {
        for step in [1, 2, 5] {
            let round = Span::nanos(unit.saturating_mul(step));
            if round >= span {
                return round;
            }
        }
        unit = unit.saturating_mul(10);
    }
}
