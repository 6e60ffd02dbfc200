//! Variables that are nil on every path, where that is not what was meant.
//!
//! `Effect("charge", once: "{key}")` happens each time when no caller sends a key. The values of all
//! programs are followed together, through calls and answers: a variable *may have* a value when some
//! step gives it one that may have one. What is left is nil in every run.

use std::collections::BTreeMap;

use sim_redis::value::Value;

use super::super::builder::{Builder, Need};
use super::super::place::Here;
use super::Finding;
use super::calls::callee;
use crate::plan::{
    ActorKind, Instr, LayerPlan, Operand, Part, ProgramId, Reg, Site, SiteId, Target, builtin,
};
use crate::source::path_key;

/// Values that a program needs and never has.
pub(super) fn always_nil(builder: &Builder<'_>) -> Vec<Finding> {
    if builder.needs.is_empty() {
        return Vec::new();
    }
    let flow = Flow::of(builder);
    // By place and variable: what happens, in how many places.
    let mut found: BTreeMap<(usize, String, String), (Finding, usize)> = BTreeMap::new();
    for need in &builder.needs {
        let Some(missing) = flow.missing(need.program, need.value) else { continue };
        for finding in flow.causes(need, missing) {
            let key = (finding.here.doc.0, finding.here.path.clone(), finding.help.clone());
            let entry = found.entry(key).or_insert((finding, 0));
            entry.1 += 1;
        }
    }
    let findings = found.into_values().map(|(mut finding, places)| {
        match places {
            1 => {}
            2 => finding.message += ", and so once more",
            n => finding.message += &format!(", and so {} times more", n - 1),
        }
        finding
    });
    findings.collect()
}

/// What may have a value.
struct Flow<'a> {
    builder: &'a Builder<'a>,
    /// By program and register.
    variables: Vec<Vec<bool>>,
    /// By program: whether its answer may have content.
    answers: Vec<bool>,
    /// By program: the sites and queues that lead to it.
    callers: Vec<Vec<SiteId>>,
    /// By instruction: whose it is.
    owners: Vec<Option<ProgramId>>,
}

impl<'a> Flow<'a> {
    fn of(builder: &'a Builder<'a>) -> Flow<'a> {
        let plan = &builder.plan;
        let variables = plan.programs.iter().map(|program| {
            let mut known = vec![false; usize::from(program.registers)];
            let builtins = builtin::NAMES.len().min(known.len());
            known[..builtins].fill(true);
            known
        });
        let mut flow = Flow {
            builder,
            variables: variables.collect(),
            answers: vec![false; plan.programs.len()],
            callers: vec![Vec::new(); plan.programs.len()],
            owners: owners(builder),
        };
        for n in 0..plan.sites.len() {
            for program in flow.leads_to(SiteId::nth(n)) {
                flow.callers[program.index()].push(SiteId::nth(n));
            }
        }
        flow.forget_what_is_sent();
        while flow.round() {}
        flow
    }

    /// The programs that get what a site sends.
    fn leads_to(&self, site: SiteId) -> Vec<ProgramId> {
        let plan = &self.builder.plan;
        match &plan.sites[site.index()].target {
            Target::Queue { queue, .. } => {
                let subscribers = plan.queues[queue.index()].subscribers.iter();
                subscribers.map(|to| plan.endpoints[to.endpoint.index()]).collect()
            }
            _ => callee(plan, site).into_iter().collect(),
        }
    }

    /// Keys and contents come from those who send them. A program that nobody calls is let be.
    fn forget_what_is_sent(&mut self) {
        for (program, callers) in self.callers.iter().enumerate() {
            if !callers.is_empty() {
                for reg in [builtin::KEY, builtin::BODY] {
                    self.variables[program][reg.index()] = false;
                }
            }
        }
        for actor in &self.builder.plan.actors {
            if let ActorKind::Client(client) = &actor.kind {
                for program in [Some(client.program), client.refund].into_iter().flatten() {
                    let has_body = self.may_have(program, client.body);
                    self.variables[program.index()][builtin::BODY.index()] = has_body;
                }
            }
        }
        for job in &self.builder.plan.jobs {
            for reg in [builtin::KEY, builtin::BODY] {
                self.variables[job.program.index()][reg.index()] = false;
            }
        }
    }

    /// One look at every step and call; true when something has changed.
    fn round(&mut self) -> bool {
        let builder = self.builder;
        let plan = &builder.plan;
        let (nil, some) = (Operand::Const(Value::Nil), Operand::Const(Value::Int(0)));
        let mut given: Vec<(ProgramId, Reg, bool)> = Vec::new();
        let mut changed = false;
        for (instr, owner) in plan.code.iter().zip(&self.owners) {
            let Some(owner) = *owner else { continue };
            match instr {
                Instr::Let { to, value } => given.push((owner, *to, self.may_have(owner, *value))),
                Instr::Add { to, .. } => given.push((owner, *to, true)),
                Instr::Effect(effect) => {
                    let into = plan.effects[effect.index()].into;
                    given.extend(into.map(|reg| (owner, reg, true)));
                }
                Instr::Respond(respond) => {
                    let body = plan.responds[respond.index()].body;
                    if self.may_have(owner, body) && !self.answers[owner.index()] {
                        self.answers[owner.index()] = true;
                        changed = true;
                    }
                }
                _ => {}
            }
        }
        for (n, site) in plan.sites.iter().enumerate() {
            let owner = builder.site_notes[n].owner;
            let answered = self.is_answered(site);
            given.extend(site.into.map(|reg| (owner, reg, answered)));
            let always = [site.into_status, site.into_headers];
            given.extend(always.into_iter().flatten().map(|reg| (owner, reg, true)));
            let (key, body, with) = match &site.target {
                // A key that nobody reads is not sent; the caller has it all the same.
                Target::Endpoint { body, with, .. } if site.has_key => {
                    let key = match &site.target {
                        Target::Endpoint { key, .. } if *key != nil => *key,
                        _ => some,
                    };
                    (key, *body, &with[..])
                }
                Target::Endpoint { body, with, .. } => (nil, *body, &with[..]),
                // Each message has an id.
                Target::Queue { body, .. } => (some, *body, &[][..]),
                Target::Kv(_) | Target::Custom { .. } => continue,
            };
            for program in self.leads_to(SiteId::nth(n)) {
                given.push((program, builtin::KEY, self.may_have(owner, key)));
                given.push((program, builtin::BODY, self.may_have(owner, body)));
                for (reg, value) in with {
                    given.push((program, *reg, self.may_have(owner, *value)));
                }
            }
        }
        for (program, reg, may_have) in given {
            let known = &mut self.variables[program.index()];
            if let Some(known) = known.get_mut(reg.index()) {
                changed |= may_have && !*known;
                *known |= may_have;
            }
        }
        changed
    }

    /// Whether the answer to a call may have content.
    fn is_answered(&self, site: &Site) -> bool {
        let stack = &self.builder.plan.stacks[site.stack.index()];
        let answers_itself = |layer: &LayerPlan| {
            matches!(layer, LayerPlan::Fallback(_) | LayerPlan::Outlier(_) | LayerPlan::Custom(_))
        };
        match site.target {
            Target::Endpoint { endpoint, .. } => {
                let program = self.builder.plan.endpoints[endpoint.index()];
                self.answers[program.index()] || stack.layers.iter().any(answers_itself)
            }
            _ => true,
        }
    }

    /// A text has a value when all its variables may have one.
    fn may_have(&self, program: ProgramId, value: Operand) -> bool {
        value != Operand::Const(Value::Nil) && self.missing(program, value).is_none()
    }

    /// The first variable of a value that never has one.
    fn missing(&self, program: ProgramId, value: Operand) -> Option<Reg> {
        match value {
            Operand::Const(_) | Operand::Record(_) => None,
            Operand::Reg(reg) | Operand::Field(reg, _) => {
                let known = &self.variables[program.index()];
                (!known.get(reg.index()).copied().unwrap_or(true)).then_some(reg)
            }
            Operand::Template(template) => {
                let parts = &self.builder.plan.templates[template.index()];
                parts.iter().find_map(|part| match part {
                    Part::Hole(value) => self.missing(program, *value),
                    Part::Literal(_) => None,
                })
            }
        }
    }

    /// Where something is to be written, so that a variable of a program has a value.
    fn causes(&self, need: &Need, missing: Reg) -> Vec<Finding> {
        let name = self.builder.variables.get(&(need.program, missing));
        let name = name.map_or("a variable", String::as_str);
        let reader = &self.builder.plan.programs[need.program.index()].name;
        let so = format!("`{{{name}}}` is nil in {reader}: {}", need.otherwise);
        let mut findings = Vec::new();
        let mut open = vec![(need.program, missing)];
        let mut seen = open.clone();
        let mut is_own = false;
        while let Some((program, missing)) = open.pop() {
            let above = match missing {
                builtin::KEY => self.without_key(program, &so, &mut findings),
                builtin::BODY => self.without_body(program, &so, &mut findings),
                _ => self.made_of_nil(program, missing),
            };
            let is_sent = matches!(missing, builtin::KEY | builtin::BODY);
            is_own |= above.is_empty() && !is_sent && !self.is_meant(program, missing);
            for cause in above {
                if !seen.contains(&cause) {
                    seen.push(cause);
                    open.push(cause);
                }
            }
        }
        // No call is to blame: it is said where the value is needed.
        if is_own {
            let help = "give it a value before: Let(…), `into` of a call whose answer has a body, \
                or `with` of the caller";
            findings.push(Finding::new(need.here.clone(), so, help));
        }
        findings
    }

    /// Adds a finding for each call of a program that leaves the key out; returns the variables
    /// whose nil the others send.
    fn without_key(
        &self,
        program: ProgramId,
        so: &str,
        findings: &mut Vec<Finding>,
    ) -> Vec<(ProgramId, Reg)> {
        let plan = &self.builder.plan;
        let mut above = Vec::new();
        for site in &self.callers[program.index()] {
            let note = &self.builder.site_notes[site.index()];
            let Target::Endpoint { key, .. } = plan.sites[site.index()].target else { continue };
            if let Some(missing) = self.missing(note.owner, key) {
                above.push((note.owner, missing));
            } else if self.is_left_out(&note.here.field("key")) {
                let caller = &plan.programs[note.owner.index()].name;
                let callee = &plan.programs[program.index()].name;
                let message = format!("{caller} calls {callee} without a key, so {so}");
                let help = match self.may_have(note.owner, Operand::Reg(builtin::KEY)) {
                    true => "hand it on: add `key: \"{key}\"` to the call",
                    false => "add a `key` to the call that names what is done once",
                };
                let finding = Finding::new(note.here.clone(), message, help);
                findings.push(finding.shown_by("double_click"));
            }
        }
        above
    }

    /// The same for content.
    fn without_body(
        &self,
        program: ProgramId,
        so: &str,
        findings: &mut Vec<Finding>,
    ) -> Vec<(ProgramId, Reg)> {
        let plan = &self.builder.plan;
        let is_this = |kind: &ActorKind| match kind {
            ActorKind::Client(client) => {
                client.program == program || client.refund == Some(program)
            }
            _ => false,
        };
        if let Some(client) = plan.actors.iter().find(|actor| is_this(&actor.kind)) {
            let here = Here::file(format!("actors.{}", path_key(&client.name)));
            if self.is_left_out(&here.field("body")) {
                let message = format!("{} sends no body, so {so}", client.name);
                let help = "give the client a `body`, or the call one of its own";
                findings.push(Finding::new(here, message, help));
            }
        }
        let bodies = self.callers[program.index()].iter().filter_map(|site| {
            let owner = self.builder.site_notes[site.index()].owner;
            match plan.sites[site.index()].target {
                Target::Endpoint { body, .. } | Target::Queue { body, .. } => {
                    Some((owner, self.missing(owner, body)?))
                }
                _ => None,
            }
        });
        bodies.collect()
    }

    /// Whether a step says in so many words that a variable be nil.
    fn is_meant(&self, program: ProgramId, variable: Reg) -> bool {
        let nil = Operand::Const(Value::Nil);
        self.builder.plan.code.iter().zip(&self.owners).any(|(instr, owner)| {
            let is_own = *owner == Some(program);
            is_own && matches!(instr, Instr::Let { to, value } if *to == variable && *value == nil)
        })
    }

    /// The variables that a variable is made of, in its program and at those who call it.
    fn made_of_nil(&self, program: ProgramId, variable: Reg) -> Vec<(ProgramId, Reg)> {
        let plan = &self.builder.plan;
        let mut above = Vec::new();
        for (instr, owner) in plan.code.iter().zip(&self.owners) {
            if let Instr::Let { to, value } = instr
                && *to == variable
                && *owner == Some(program)
            {
                above.extend(self.missing(program, *value).map(|reg| (program, reg)));
            }
        }
        for site in &self.callers[program.index()] {
            let owner = self.builder.site_notes[site.index()].owner;
            let Target::Endpoint { with, .. } = &plan.sites[site.index()].target else { continue };
            for (_, value) in with.iter().filter(|(reg, _)| *reg == variable) {
                above.extend(self.missing(owner, *value).map(|reg| (owner, reg)));
            }
        }
        above
    }

    /// Whether an author has not said that there be none.
    fn is_left_out(&self, here: &Here) -> bool {
        self.builder.docs[here.doc.0].text_of(&here.path).is_none()
    }
}

/// Whose each instruction is.
fn owners(builder: &Builder<'_>) -> Vec<Option<ProgramId>> {
    let plan = &builder.plan;
    let mut entries: Vec<(usize, ProgramId)> = Vec::new();
    for (n, program) in plan.programs.iter().enumerate() {
        entries.push((program.entry.index(), ProgramId::nth(n)));
    }
    entries.sort();
    let mut owners = vec![None; plan.code.len()];
    for (n, (entry, program)) in entries.iter().enumerate() {
        let end = entries.get(n + 1).map_or(plan.code.len(), |(next, _)| *next);
        owners[*entry..end].fill(Some(*program));
    }
    owners
}

impl Builder<'_> {
    /// The program and the actor that an instruction belongs to.
    pub(super) fn owner_of_code(&self, at: usize) -> Option<(ProgramId, crate::plan::ActorId)> {
        let program = owners(self).get(at).copied().flatten()?;
        let name = self.plan.programs[program.index()].name.split('.').next()?;
        Some((program, *self.actor_ids.get(name)?))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_quiet, assert_warns, warnings_of};

    fn shop(client: &str, call: &str, steps: &str) -> Vec<String> {
        let actors = format!(
            r#"
            "users": Client(load: Open(rate: "1/s"), {client} does: [Call("api.pay")]),
            "api": Service(workers: 9, caches: {{ "prices": Cache(ttl: "9s") }}, endpoints: {{
                "pay": [Call("psp.charge"{call}), Respond(201)],
            }}),
            "psp": Service(workers: 9, caches: {{ "prices": Cache(ttl: "9s") }}, endpoints: {{
                "charge": [{steps}],
            }}),
            "redis": Kv(),
        "#
        );
        warnings_of(&actors, "", "")
    }

    const ONCE: &str = r#"Effect("charge", once: "{key}")"#;

    #[test]
    fn a_key_that_no_caller_sends_is_told_with_the_call_that_lacks_it() {
        let told = shop("", "", ONCE);
        let expected = "lint.ron:6:25: api.pay calls psp.charge without a key, so `{key}` is nil in \
            psp.charge: Effect(\"charge\") happens each time; hand it on: add `key: \"{key}\"` to \
            the call";
        assert_warns(&told, expected);
        assert_quiet(&shop("", r#", key: "{key}""#, ONCE));
        assert_quiet(&shop("", r#", key: "{origin}""#, ONCE));
        assert_quiet(&shop("", ", key: None", ONCE));
    }

    #[test]
    fn a_text_with_a_hole_is_one_key_for_all() {
        let told = shop("", "", r#"Let("id", "pay-{key}"), Kv(Incr("{id}"), store: "redis")"#);
        assert_warns(&told, "without a key, so `{id}` is nil in psp.charge: all share one key");
    }

    #[test]
    fn a_body_that_nobody_sends_is_one_value_for_all() {
        let cached = r#"Cached("prices", "{body}", into: "p", body: [Let("p", 1)])"#;
        let told = shop("", "", cached);
        assert_warns(&told, "users sends no body, so `{body}` is nil in psp.charge: all who ask");
        assert_quiet(&shop(r#"body: "x","#, "", cached));
        assert_quiet(&shop("", r#", body: "x""#, cached));
        assert_quiet(&shop("body: None,", "", cached));
    }

    #[test]
    fn an_answer_without_content_gives_no_value() {
        let ask = |answer: &str| {
            let actors = format!(
                r#"
                "users": Client(load: Open(rate: "1/s"), does: [
                    Call("api.id", into: "id"), Call("api.put", with: {{"id": "{{id}}"}}),
                ]),
                "api": Service(workers: 9, endpoints: {{
                    "id": [{answer}],
                    "put": [Effect("put", once: "{{id}}")],
                }}),
            "#
            );
            warnings_of(&actors, "", "")
        };
        assert_warns(&ask("Respond(200)"), "`{id}` is nil in api.put");
        assert_quiet(&ask(r#"Respond(200, body: "{origin}")"#));
    }

    #[test]
    fn nothing_is_said_of_what_is_nil_in_so_many_words() {
        assert_quiet(&shop("", "", r#"Let("id", None), Effect("charge", once: "{id}")"#));
    }
}
