//! Invariants: names become ids; each keeps the words of its author.

use sim_redis::value::Value;

use super::builder::{Builder, Callee};
use super::place::Here;
use crate::figure::{Figure, Promise};
use crate::language::{Find, Invariant, Names, Watched, shorthand};
use crate::plan::{self, ActorId, BreakerId, Ids, InvariantPlan, KindId, PairId, Rule, Server};
use crate::source::{Document, advice};

impl Builder<'_> {
    pub(super) fn invariants(&mut self) {
        let spec = self.spec;
        for (n, invariant) in spec.invariants.iter().enumerate() {
            let here = Here::file("invariants").at(n);
            let name = one_line(self.docs[0].text_of(&here.path).unwrap_or_default());
            if let Some(rule) = self.rule(invariant, &here) {
                self.plan.invariants.push(InvariantPlan { name, known: false, rule });
            }
        }
    }

    /// Marks the invariants that the scenario is there to break.
    pub(super) fn known_breaks(&mut self) {
        let spec = self.spec;
        for (n, entry) in spec.breaks.iter().enumerate() {
            // Read as the invariants are, which have got the names of their arguments.
            let read = Document::parse("breaks", entry.as_str(), shorthand());
            let name = one_line(read.as_ref().map_or(entry, |document| document.text()));
            let mut is_listed = false;
            for invariant in self.plan.invariants.iter_mut().filter(|i| i.name == name) {
                invariant.known = true;
                is_listed = true;
            }
            if !is_listed {
                let known = self.plan.invariants.iter().map(|invariant| invariant.name.as_str());
                let help = advice(&name, known);
                let message = format!("`{name}` is none of this scenario's invariants");
                self.problem(&Here::file("breaks").at(n), message, help);
            }
        }
    }

    fn rule(&mut self, invariant: &Invariant, here: &Here) -> Option<Rule> {
        self.check_rule(invariant, here);
        invariant.map(&mut At { builder: self, here })
    }

    /// Refuses numbers out of range.
    fn check_rule(&mut self, invariant: &Invariant, here: &Here) {
        match invariant {
            Invariant::Goodput { at_least, from, until, .. } => {
                self.ratio(*at_least, &here.field("at_least"));
                let horizon = self.spec.horizon;
                let ok = until.is_none_or(|until| *from < until) && *from < horizon;
                let allowed = format!("before `until` and the horizon, {horizon}");
                self.require(ok, &here.field("from"), from, &allowed);
            }
            Invariant::PeakArrivals { window, .. } => {
                self.require(!window.is_zero(), &here.field("window"), window, "above zero");
            }
            Invariant::Threshold(promise) => self.check_promise(promise, here),
            _ => {}
        }
    }

    /// Refuses a figure of what there is not, and notes the part of the run that it is of.
    fn check_promise(&mut self, promise: &Promise, here: &Here) {
        let Figure { kind, of, during } = &promise.figure;
        if let Some(of) = of {
            let name = of.strip_suffix(", failed").unwrap_or(of);
            let known = self.plan.subjects(*kind);
            let missing = |name: &str| format!("{kind} is not measured of `{name}`");
            self.position(name, &known, here, missing);
        }
        if let Some(during) = during {
            let horizon = self.spec.horizon;
            let found = format!("\"{promise}\"");
            self.require(during.from < horizon, here, found, "of a part before the horizon");
            if !self.plan.stretches.contains(during) {
                self.plan.stretches.push(*during);
            }
        }
    }

    /// The endpoint that a text names.
    fn server(&mut self, name: &str, here: &Here) -> Option<Server> {
        Some(match self.callee(name, here)? {
            (_, Callee::Endpoint(endpoint)) => Server::Endpoint(endpoint),
            (actor, Callee::Custom(endpoint)) => {
                let endpoint = Value::Text(self.plan.texts.intern(&endpoint));
                Server::Custom { actor, endpoint }
            }
        })
    }

    /// Where a name stands among those that are known.
    fn position(
        &mut self,
        name: &str,
        known: &[String],
        here: &Here,
        missing: impl Fn(&str) -> String,
    ) -> Option<usize> {
        let found = known.iter().position(|known| known == name);
        if found.is_none() {
            let help = advice(name, known.iter().map(String::as_str));
            self.problem(here, missing(name), help);
        }
        found
    }
}

/// Finds ids for the names of an invariant, which stands here.
struct At<'a, 'b> {
    builder: &'a mut Builder<'b>,
    here: &'a Here,
}

impl At<'_, '_> {
    /// Where a field is; a lone argument is where its invariant is.
    fn place(&self, field: &'static str) -> Here {
        if field.is_empty() { self.here.clone() } else { self.here.field(field) }
    }
}

impl Find<Names, Ids> for At<'_, '_> {
    fn kind(&mut self, kind: &String, field: &'static str) -> Option<KindId> {
        let place = self.place(field);
        let known = self.builder.plan.kinds.clone();
        let missing = |kind: &str| match field {
            "refunded" => format!("no program has an effect `{kind}`: leave `refunded` out"),
            _ => format!("no program has an effect `{kind}`"),
        };
        Some(KindId::nth(self.builder.position(kind, &known, &place, missing)?))
    }

    fn actor(&mut self, name: &String, field: &'static str, is: Watched) -> Option<ActorId> {
        let (is, what): (fn(&Builder<'_>, ActorId) -> bool, _) = match is {
            Watched::Client => (|b, id| b.is_client(id), "client"),
            Watched::Server => (|b, id| b.is_server(id), "service, store or broker"),
            Watched::Store => (|b, id| b.is_kv(id), "store"),
        };
        let place = self.place(field);
        self.builder.actor_that(name, &place, is, what)
    }

    fn endpoint(&mut self, name: &String, field: &'static str) -> Option<Server> {
        let place = self.place(field);
        self.builder.server(name, &place)
    }

    /// A breaker by its name, `api[3]->psp provider` where each instance of the caller has one.
    fn breaker(&mut self, name: &String, field: &'static str) -> Option<(BreakerId, u32)> {
        let place = self.place(field);
        let plan = &self.builder.plan;
        let breakers = (0..plan.breakers.len()).map(BreakerId::nth);
        let known: Vec<String> = breakers.map(|id| plan.breaker(id).name.clone()).collect();
        let of_instance = |name: &str| {
            let (from, to) = name.split_once("]->")?;
            let (from, instance) = from.rsplit_once('[')?;
            Some((format!("{from}->{to}"), instance.parse::<u32>().ok()?))
        };
        let (stack, instance) = match of_instance(name) {
            Some((stack, instance)) => (stack, Some(instance)),
            None => (name.clone(), None),
        };
        let missing = |name: &str| format!("there is no breaker `{name}`");
        let id = BreakerId::nth(self.builder.position(&stack, &known, &place, missing)?);
        let plan = &self.builder.plan;
        let count = plan.instances(plan.breaker(id).owner);
        let has_several = plan.names_instances(plan.breakers[id.index()]);
        match instance {
            None if !has_several => Some((id, 0)),
            Some(n) if has_several && n < count => Some((id, n)),
            _ if has_several => {
                let message = format!("each of {count} instances has a breaker `{stack}`");
                let last = plan::name_of_layer(&stack, Some(count - 1));
                let first = plan::name_of_layer(&stack, Some(0));
                let help = format!("name one, from `{first}` to `{last}`");
                self.builder.problem(&place, message, Some(help));
                None
            }
            _ => {
                let help = format!("write `{stack}`");
                self.builder.problem(&place, format!("there is one `{stack}`"), Some(help));
                None
            }
        }
    }

    fn pair(&mut self, name: &String, field: &'static str) -> Option<PairId> {
        let place = self.place(field);
        let plan = &self.builder.plan;
        let pairs = (0..plan.pairs.len()).map(PairId::nth);
        let known: Vec<String> = pairs.map(|pair| plan.pair_name(pair)).collect();
        let missing = |name: &str| format!("nobody calls `{name}`");
        Some(PairId::nth(self.builder.position(name, &known, &place, missing)?))
    }
}

/// The author's words on one line.
fn one_line(text: &str) -> String {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for (loose, tight) in
        [("( ", "("), ("[ ", "["), (" )", ")"), (" ]", "]"), (",)", ")"), (",]", "]")]
    {
        line = line.replace(loose, tight);
    }
    line
}
