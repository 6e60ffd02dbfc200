//! Invariants: names become ids; each keeps the words of its author.

use sim_core::{Span, Time};
use sim_policies::breaker::StateName;
use sim_redis::value::Value;

use super::builder::{Builder, Callee};
use super::place::Here;
use crate::language::{BreakerState, Invariant, shorthand};
use crate::plan::{
    ActorId, ActorKind, BooksRule, BreakerId, InvariantPlan, KindId, PairId, Rule, Server,
};
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
        let time = |span: &Span| Time::ZERO + *span;
        Some(match invariant {
            Invariant::ExactlyOnce(kind) => Rule::ExactlyOnce(self.known_kind(kind, here)?),
            Invariant::AtMostOnce(kind) => Rule::AtMostOnce(self.known_kind(kind, here)?),
            Invariant::AckedImpliesDone(kind) => {
                Rule::AckedImpliesDone(self.known_kind(kind, here)?)
            }
            Invariant::FailedImpliesNone(kind) => {
                Rule::FailedImpliesNone(self.known_kind(kind, here)?)
            }
            Invariant::AllAnswered => Rule::AllAnswered,
            Invariant::RecoversWithin(span) => Rule::RecoversWithin(*span),
            Invariant::Goodput { client, at_least, from, until } => {
                self.ratio(*at_least, &here.field("at_least"));
                let is_client = |b: &Builder<'_>, id: ActorId| {
                    matches!(b.plan.actors[id.index()].kind, ActorKind::Client(_))
                };
                let place = here.field("client");
                let client = self.actor_that(client, &place, is_client, "client")?;
                let until = until.as_ref().map_or(Time::MAX, time);
                let (from_here, horizon) = (here.field("from"), self.spec.horizon);
                let ok = time(from) < until && *from < horizon;
                let allowed = format!("before `until` and the horizon, {horizon}");
                self.require(ok, &from_here, from, &allowed);
                Rule::Goodput { client, at_least: *at_least, from: time(from), until }
            }
            Invariant::PeakArrivals { at, max, window, retries_only } => {
                self.require(!window.is_zero(), &here.field("window"), window, "above zero");
                let server = |b: &Builder<'_>, id| b.is_server(id);
                let at =
                    self.actor_that(at, &here.field("at"), server, "service, store or broker")?;
                let (window, retries_only) = (*window, *retries_only);
                Rule::PeakArrivals { at, max: *max, window, retries_only }
            }
            Invariant::Transitions { breaker, expect } => {
                let breakers = (0..self.plan.breakers.len()).map(BreakerId::nth);
                let known = breakers.map(|id| self.plan.breaker(id).name.as_str());
                let Some(n) = known.clone().position(|name| name == breaker) else {
                    let help = advice(breaker, known);
                    let message = format!("there is no breaker `{breaker}`");
                    self.problem(&here.field("breaker"), message, help);
                    return None;
                };
                let state = |state: &BreakerState| match state {
                    BreakerState::Closed => StateName::Closed,
                    BreakerState::Open => StateName::Open,
                    BreakerState::HalfOpen => StateName::HalfOpen,
                };
                let expect = expect.iter().map(|(at, s)| (time(at), state(s))).collect();
                Rule::Transitions { breaker: BreakerId::nth(n), expect }
            }
            Invariant::RetryWaits { call, between } => {
                let pairs = (0..self.plan.pairs.len()).map(PairId::nth);
                let known: Vec<String> = pairs.map(|pair| self.plan.pair_name(pair)).collect();
                let Some(n) = known.iter().position(|name| name == call) else {
                    let help = advice(call, known.iter().map(String::as_str));
                    self.problem(&here.field("call"), format!("nobody calls `{call}`"), help);
                    return None;
                };
                Rule::RetryWaits { pair: PairId::nth(n), between: between.clone() }
            }
            Invariant::ReceiptMatches(kind) => Rule::ReceiptMatches(self.known_kind(kind, here)?),
            Invariant::EqualReplays(name) => {
                let server = self.server(name, here)?;
                Rule::EqualReplays { server, keyed: self.looks_at_keys(server) }
            }
            Invariant::SettlesWithin(within) => Rule::SettlesWithin(*within),
            Invariant::OneInFlight(name) => Rule::OneInFlight(self.server(name, here)?),
            Invariant::NoMerge(kind) => Rule::NoMerge(self.known_kind(kind, here)?),
            Invariant::BooksBalance { captured, refunded, fulfilled } => {
                let captured = self.known_kind(captured, &here.field("captured"));
                let place = here.field("refunded");
                let refunded = refunded.as_ref().map(|kind| self.known_kind(kind, &place));
                let fulfilled = self.known_kind(fulfilled, &here.field("fulfilled"));
                let refunded = refunded.map_or(Some(None), |kind| kind.map(Some))?;
                let (captured, fulfilled) = (captured?, fulfilled?);
                Rule::BooksBalance(BooksRule { captured, refunded, fulfilled })
            }
            Invariant::LockDiscipline { store, locks } => {
                let store = self.store_named(store, &here.field("store"))?;
                Rule::LockDiscipline { store, locks: locks.clone() }
            }
            Invariant::StoredIsKnown(store) => Rule::StoredIsKnown(self.store_named(store, here)?),
            Invariant::FencingMonotone(kind) => Rule::FencingMonotone(self.known_kind(kind, here)?),
            Invariant::AppliedOnce { cause, effect, within } => {
                let cause = self.known_kind(cause, &here.field("cause"));
                let effect = self.known_kind(effect, &here.field("effect"));
                Rule::AppliedOnce { cause: cause?, effect: effect?, within: *within }
            }
        })
    }

    fn store_named(&mut self, name: &str, here: &Here) -> Option<ActorId> {
        self.actor_that(name, here, |builder, id| builder.is_kv(id), "store")
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

    fn looks_at_keys(&self, server: Server) -> bool {
        match server {
            Server::Endpoint(endpoint) => {
                let program = self.plan.endpoints[endpoint.index()];
                self.plan.programs[program.index()].reads_key
            }
            Server::Custom { .. } => true,
        }
    }

    fn known_kind(&mut self, kind: &str, here: &Here) -> Option<KindId> {
        if let Some(n) = self.plan.kinds.iter().position(|known| known == kind) {
            return Some(KindId::nth(n));
        }
        let help = advice(kind, self.plan.kinds.iter().map(String::as_str));
        self.problem(here, format!("no program has an effect `{kind}`"), help);
        None
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
