//! Single changes that are known to prevent something: what a reviewer would propose.
//!
//! A rule looks at the document and proposes what applies to it. Whether it helps, and at what price,
//! the search shows.

use sim_core::Span;

use super::{Change, design_path, designs_used, named, read};
use crate::Scenario;
use crate::designs;
use crate::language::shorthand;
use crate::source::{Tree, path_key};

/// Lengths of time as people write them.
const ROUND: [Span; 10] = [
    Span::secs(1),
    Span::secs(5),
    Span::secs(10),
    Span::secs(30),
    Span::secs(60),
    Span::secs(300),
    Span::secs(900),
    Span::secs(3_600),
    Span::secs(24 * 3_600),
    Span::secs(30 * 24 * 3_600),
];

/// How long somebody waits who waited without end.
const WAIT: Span = Span::secs(5);

/// Designs that are proposed to nobody: they show what goes wrong, or are the stuff of others.
const NOT_PROPOSED: [&str; 3] = ["unprotected", "naive", "keyed_record"];

/// All changes that apply to a scenario, each on its own.
pub fn fixes(scenario: &Scenario) -> Vec<Change> {
    let tree = scenario.document().tree();
    let sheet = Sheet::of(&tree);
    let mut found = Vec::new();
    found.extend(sheet.other_designs());
    found.extend(sheet.wrapped());
    found.extend(sheet.provider_key());
    found.extend(sheet.once());
    found.extend(sheet.own_lock_only());
    found.extend(sheet.looks_again());
    found.extend(sheet.lengths());
    found.extend(sheet.fencing());
    found.extend(sheet.outbox());
    found.extend(sheet.params());
    found.extend(sheet.client_keys());
    found.extend(sheet.policies());
    found.extend(sheet.stores());
    found.retain(|change| !change.sets.is_empty());
    found
}

/// A document and what the rules ask of it.
struct Sheet<'a> {
    tree: &'a Tree,
    places: Vec<(String, &'a Tree)>,
}

/// One use of a design.
struct Use<'a> {
    path: &'a str,
    step: &'a Tree,
    design: &'a str,
}

/// A call of an endpoint that does something durable.
struct Payment<'a> {
    path: &'a str,
    call: &'a Tree,
    to: &'a str,
}

/// What a text says between its quotes.
fn said(tree: &Tree) -> &str {
    tree.head().trim_matches('"')
}

fn text(text: &str) -> Tree {
    read(&format!("{text:?}"))
}

/// A field that says nothing, or is not there.
fn is_none(field: Option<&Tree>) -> bool {
    field.is_none_or(|field| field.head() == "None")
}

fn span(field: Option<&Tree>) -> Option<Span> {
    said(field?).parse().ok()
}

/// The next length that people write, from a length on.
fn rounded(least: Span) -> Span {
    ROUND.into_iter().find(|round| *round >= least).unwrap_or(least)
}

impl<'a> Sheet<'a> {
    fn of(tree: &'a Tree) -> Sheet<'a> {
        let is_run = |(path, _): &(String, &Tree)| {
            ["actors.", "policies.", "designs."].iter().any(|room| path.starts_with(room))
        };
        Sheet { tree, places: tree.places("").into_iter().filter(is_run).collect() }
    }

    fn all(&self, head: &'static str) -> impl Iterator<Item = (&str, &'a Tree)> {
        let places = self.places.iter().filter(move |(_, part)| part.head() == head);
        places.map(|(path, part)| (path.as_str(), *part))
    }

    /// The names of the actors of a kind.
    fn actors(&self, kind: &str) -> Vec<&'a str> {
        let actors = self.tree.get("actors").map_or(&[] as &[Tree], |actors| actors.items());
        actors.iter().filter(|actor| actor.head() == kind).filter_map(Tree::name).collect()
    }

    /// The actor in whose part of the document a path lies.
    fn actor_of(&self, path: &str) -> Option<&'a Tree> {
        let actors = self.tree.get("actors")?.items().iter();
        let is_it = |actor: &&Tree| {
            let own = format!("actors.{}", path_key(actor.name().unwrap_or_default()));
            path.strip_prefix(&own).is_some_and(|rest| rest.starts_with('.'))
        };
        actors.into_iter().find(is_it)
    }

    fn is_in(&self, path: &str, kind: &str) -> bool {
        self.actor_of(path).is_some_and(|actor| actor.head() == kind)
    }

    fn uses(&self) -> Vec<Use<'_>> {
        let uses = self.all("Idempotent");
        uses.filter_map(|(path, step)| Some(Use { path, step, design: said(step.get("design")?) }))
            .collect()
    }

    /// A design's text: the scenario's own, or a built-in one.
    fn design(&self, name: &str) -> Option<Tree> {
        let own = self.tree.get("designs").and_then(|own| own.get(name));
        own.cloned().or_else(|| Some(named(designs::text(name)?)))
    }

    /// A design's parameter as a use of it has it; `None` where the design has no such parameter.
    fn param(&self, of: &Use<'_>, name: &str) -> Option<Tree> {
        if let Some(set) = of.step.get("params").and_then(|params| params.get(name)) {
            return Some(set.clone());
        }
        let mut design = self.design(of.design)?;
        for _ in 0..designs::NESTING_MAX {
            if let Some(value) = design.get("params").and_then(|params| params.get(name)) {
                return Some(value.clone());
            }
            design = self.design(said(design.get("like")?))?;
        }
        None
    }

    /// A change of a use's parameter.
    fn with_param(&self, change: Change, of: &Use<'_>, name: &str, value: &Tree) -> Change {
        let mut params = of.step.get("params").cloned().unwrap_or_else(|| read("{}"));
        params.set_entry(name, value.clone());
        change.set(format!("{}.params", of.path), &params)
    }

    /// The program of an endpoint: `psp.charge`.
    fn endpoint(&self, name: &str) -> Option<(String, &'a Tree)> {
        let (actor, endpoint) = name.split_once('.')?;
        let program = self.tree.get("actors")?.get(actor)?.get("endpoints")?.get(endpoint)?;
        let path = format!("actors.{}.endpoints.{}", path_key(actor), path_key(endpoint));
        Some((path, program))
    }

    /// The effects of an endpoint with their paths.
    fn effects(&self, endpoint: &str) -> Vec<(String, &'a Tree)> {
        let Some((path, program)) = self.endpoint(endpoint) else { return Vec::new() };
        let parts = program.places(&path).into_iter();
        parts.filter(|(_, part)| part.head() == "Effect").collect()
    }

    /// The calls by which services have something durable done.
    fn payments(&self) -> Vec<Payment<'_>> {
        let calls = self.all("Call").filter(|(path, _)| self.is_in(path, "Service"));
        let calls = calls
            .filter_map(|(path, call)| Some(Payment { path, call, to: said(call.get("to")?) }));
        calls.filter(|payment| !self.effects(payment.to).is_empty()).collect()
    }

    fn other_designs(&self) -> Vec<Change> {
        let uses = self.uses();
        let Some(first) = uses.first() else { return Vec::new() };
        let proposed = designs::built_in().filter(|design| !NOT_PROPOSED.contains(&design.name));
        let proposed = proposed.filter(|design| uses.iter().any(|own| own.design != design.name));
        let swap = |design: designs::BuiltIn| {
            let name = format!("design `{}` in place of `{}`", design.name, first.design);
            let mut change = Change::new(name);
            for own in &uses {
                change = change.set(format!("{}.design", own.path), &text(design.name));
                if own.step.get("params").is_some() {
                    change = change.set(format!("{}.params", own.path), &read("{}"));
                }
            }
            for payment in self.payments() {
                let is_within = |own: &Use<'_>| payment.path.starts_with(own.path);
                if uses.iter().any(is_within) && is_none(payment.call.get("key")) {
                    change = change.set(format!("{}.key", payment.path), &text("{provider_key}"));
                }
            }
            change
        };
        proposed.map(swap).collect()
    }

    /// A program without any protection gets one.
    fn wrapped(&self) -> Option<Change> {
        let stores = self.actors("Kv");
        let mut change = Change::new("`safe` around what is paid");
        let store = stores.first().copied().unwrap_or("redis");
        let mut is_wrapped = false;
        for (path, endpoints) in &self.places {
            if !path.ends_with(".endpoints") || !self.is_in(path, "Service") {
                continue;
            }
            for program in endpoints.items() {
                let own = format!("{path}.{}", path_key(program.name()?));
                let has = |head| program.places("").iter().any(|(_, part)| part.head() == head);
                let pays = self.payments().iter().any(|payment| {
                    payment.path.strip_prefix(&own).is_some_and(|rest| rest.starts_with('['))
                });
                let last = program.items().last().filter(|step| step.head() == "Respond");
                let (true, false, false, Some(last)) = (pays, has("Idempotent"), has("Kv"), last)
                else {
                    continue;
                };
                let mut body = program.clone();
                body.items_mut().pop();
                for step in body.items_mut().iter_mut().filter(|step| step.head() == "Call") {
                    if is_none(step.get("key")) {
                        step.set("key", text("{provider_key}"));
                    }
                }
                let answer = last.get("body").map_or("None".to_owned(), |b| b.line(shorthand()));
                body.push(read(&format!("Let(name: \"result\", value: {answer})")));
                let mut design = read(&format!("Idempotent(design: \"safe\", store: {store:?})"));
                design.set("body", body);
                let mut respond = last.clone();
                respond.set("body", text("{result}"));
                let mut whole = read("[]");
                whole.push(design);
                whole.push(respond);
                change = change.set(own, &whole);
                is_wrapped = true;
            }
        }
        if stores.is_empty() {
            change = change.set(format!("actors.{store}"), &read("Kv()"));
        }
        is_wrapped.then_some(change)
    }

    /// The provider can tell a repeat from a second purchase.
    fn provider_key(&self) -> Vec<Change> {
        let payments = self.payments();
        let mut endpoints: Vec<&str> = Vec::new();
        for payment in &payments {
            if !endpoints.contains(&payment.to) {
                endpoints.push(payment.to);
            }
        }
        let of_endpoint = |to: &&str| {
            let mut change = Change::new(format!("`{to}` gets the same key for every attempt"));
            let uses = self.uses();
            for payment in payments.iter().filter(|payment| payment.to == *to) {
                let key = payment.call.get("key").map(said).unwrap_or("None");
                let own = uses.iter().find(|own| payment.path.starts_with(own.path));
                let given = own.and_then(|own| Some((own, self.param(own, "provider_key")?)));
                let differs = |key: &str| {
                    ["{attempt}", "{execution}", "{now}"].iter().any(|part| key.contains(part))
                };
                if let Some((own, value)) = given.filter(|_| key == "{provider_key}") {
                    if value.head() == "None" || differs(said(&value)) {
                        let value = text("{record}:charge");
                        change = self.with_param(change, own, "provider_key", &value);
                    }
                } else if key == "{provider_key}" || key == "None" || differs(key) {
                    // A design that is not asked what it hands on may hand on nothing.
                    let name = to.rsplit('.').next().unwrap_or(to);
                    let value = text(&format!("{{key}}:{name}"));
                    change = change.set(format!("{}.key", payment.path), &value);
                }
            }
            if change.sets.is_empty() {
                return change;
            }
            for (path, effect) in self.effects(to) {
                if is_none(effect.get("once")) {
                    change = change.set(format!("{path}.once"), &text("{key}"));
                }
            }
            change
        };
        endpoints.iter().map(of_endpoint).collect()
    }

    /// What is done is done once for each key.
    fn once(&self) -> Vec<Change> {
        let effects = self
            .all("Effect")
            .filter(|(path, effect)| self.is_in(path, "Service") && is_none(effect.get("once")));
        let once = |(path, effect): (&str, &Tree)| {
            let kind = effect.get("kind").map_or("", said);
            Change::new(format!("`{kind}` once per key"))
                .set(format!("{path}.once"), &text("{key}"))
        };
        effects.map(once).collect()
    }

    /// Who releases a lock looks first whether it is still its own.
    fn own_lock_only(&self) -> Option<Change> {
        let mut change = Change::new("compare-and-delete in place of delete");
        for own in self.uses() {
            if self.param(&own, "release").is_some_and(|release| said(&release) == "delete") {
                change = self.with_param(change, &own, "release", &text("compare"));
            }
        }
        let locks: Vec<(&str, &Tree)> = self.all("Set").collect();
        let locks =
            locks.iter().filter(|(_, set)| set.get("nx").is_some_and(|nx| nx.head() == "true"));
        for (path, del) in self.all("Del") {
            let Some(key) = del.items().first() else { continue };
            let mut of_it = locks
                .clone()
                .filter(|(_, set)| set.get("key").is_some_and(|own| own.head() == key.head()));
            let Some((lock, set)) = of_it.next() else { continue };
            let mut token = set.get("value")?.line(shorthand());
            if !token.contains('{') {
                token = "\"{execution}\"".to_owned();
                change = change.set(format!("{lock}.value"), &text("{execution}"));
            }
            let compare = format!("CompareAndDelete(key: {}, expected: {token})", key.head());
            change = change.set(path, &read(&compare));
        }
        Some(change)
    }

    /// What was true before the lock is looked at again under it.
    fn looks_again(&self) -> Vec<Change> {
        let mut found = Vec::new();
        for name in designs_used(self.tree) {
            let Some(mut design) = self.design(&name) else { continue };
            let Some(steps) = design.child("steps") else { continue };
            if !look_again(steps) {
                continue;
            }
            let change = Change::new(format!("`{name}` looks again under the lock"));
            let is_own = self.tree.get("designs").is_some_and(|own| own.get(&name).is_some());
            if is_own {
                let steps = design.get("steps").expect("it has steps").clone();
                found.push(change.set(format!("{}.steps", design_path(&name)), &steps));
                continue;
            }
            let new = format!("{name}, looks again");
            let mut all = self.tree.get("designs").cloned().unwrap_or_else(|| read("{}"));
            all.set_entry(&new, design);
            let mut change = change.set("designs", &all);
            for own in self.uses().into_iter().filter(|own| own.design == name) {
                change = change.set(format!("{}.design", own.path), &text(&new));
            }
            found.push(change);
        }
        for (path, program) in &self.places {
            if path.contains(".endpoints.") && program.is_list() {
                let mut steps = (*program).clone();
                if look_again(&mut steps) {
                    let change = Change::new("looks again under the lock");
                    found.push(change.set(path.as_str(), &steps));
                }
            }
        }
        found
    }

    /// How long the calls of a body may take at most; `None` where one has no bound.
    fn longest(&self, body: &Tree) -> Option<Span> {
        let mut longest = Span::ZERO;
        for (_, call) in body.places("").iter().filter(|(_, part)| part.head() == "Call") {
            let stack = self.tree.get("policies")?.get(said(call.get("policy")?))?;
            let parts = stack.places("");
            let of =
                |head: &str| parts.iter().find(|(_, part)| part.head() == head).map(|(_, p)| *p);
            let timeout = span(of("Timeout")?.get("after"))?;
            let attempts = of("Retry").and_then(|retry| retry.get("attempts")?.head().parse().ok());
            longest += timeout * attempts.unwrap_or(1);
        }
        Some(longest)
    }

    /// A longer lease, longer records, a provider that remembers longer.
    fn lengths(&self) -> Vec<Change> {
        let mut found = Vec::new();
        for own in self.uses() {
            let lock = span(own.step.get("lock")).unwrap_or(designs::LOCK);
            let path = own.step.get("body").and_then(|body| self.longest(body));
            let lease = match path {
                Some(longest) if longest * 2 > lock => rounded(longest * 2),
                _ => rounded(lock * 10),
            };
            let name = format!("a lease of {lease} in place of {lock}");
            let set = format!("{}.lock", own.path);
            found.push(Change::new(name).set(set, &text(&lease.to_string())));
            let keep = span(own.step.get("keep")).unwrap_or(designs::KEEP);
            let name = format!("results kept for {} in place of {keep}", keep * 10);
            let set = format!("{}.keep", own.path);
            found.push(Change::new(name).set(set, &text(&(keep * 10).to_string())));
        }
        for (path, effect) in self.all("Effect") {
            if let Some(keep) = span(effect.get("keep")) {
                let name = format!("the provider knows keys for {} in place of {keep}", keep * 30);
                let set = format!("{path}.keep");
                found.push(Change::new(name).set(set, &text(&(keep * 30).to_string())));
            }
        }
        found
    }

    /// The provider refuses who was overtaken.
    fn fencing(&self) -> Vec<Change> {
        let mut found = Vec::new();
        for (path, effect) in self.all("Effect") {
            if effect.get("token").is_some() && is_none(effect.get("fenced")) {
                let change = Change::new("the provider refuses older fencing tokens");
                found.push(change.set(format!("{path}.fenced"), &read("true")));
            }
        }
        let mut change = Change::new("a fencing token, and a provider that refuses older ones");
        for own in self.uses() {
            if self.param(&own, "fencing").is_none_or(|own| own.head() != "false") {
                continue;
            }
            change = self.with_param(change, &own, "fencing", &read("true"));
            for payment in self.payments().iter().filter(|call| call.path.starts_with(own.path)) {
                if payment.call.get("with").is_none() {
                    let with = read("{ \"token\": \"{token}\" }");
                    change = change.set(format!("{}.with", payment.path), &with);
                }
                for (path, effect) in self.effects(payment.to) {
                    if effect.get("token").is_none() {
                        change = change.set(format!("{path}.token"), &text("{token}"));
                        change = change.set(format!("{path}.fenced"), &read("true"));
                    }
                }
            }
        }
        found.push(change);
        found
    }

    /// An event is written down with what it is about, and handed over by a job.
    fn outbox(&self) -> Vec<Change> {
        let mut found = Vec::new();
        for (path, list) in self.places.iter().filter(|(_, part)| part.is_list()) {
            let Some(change) = self.outbox_of(path, list) else { continue };
            found.push(change);
        }
        found
    }

    fn outbox_of(&self, path: &str, list: &Tree) -> Option<Change> {
        let steps = list.items();
        let at = steps.iter().position(|step| step.head() == "Publish")?;
        let writes = |step: &Tree| {
            step.head() == "Kv"
                && step.get("op").is_some_and(|op| ["Transaction", "Set"].contains(&op.head()))
        };
        let before = steps[..at].iter().rposition(writes)?;
        let (publish, write) = (&steps[at], &steps[before]);
        let (to, store) = (publish.get("to")?.head(), write.get("store")?.head());
        let key = said(publish.get("key")?);
        let body = publish.get("body").map_or("\"{body}\"".to_owned(), |b| b.line(shorthand()));
        let event = format!(
            "Set(key: \"event:{key}\", value: {{ \"origin\": \"{{origin}}\", \"body\": {body} }})"
        );
        let listed = format!("ZAdd(key: \"outbox\", score: \"{{now}}\", member: \"{key}\")");
        let op = write.get("op")?;
        let mut all = match op.head() {
            "Transaction" => op.items().first()?.clone(),
            _ => {
                let mut all = read("[]");
                all.push(Tree::read(&op.line(&[]))?);
                all
            }
        };
        all.push(read(&event));
        all.push(read(&listed));
        let mut transaction = read("Transaction([])");
        transaction.items_mut()[0] = all;
        let mut less = list.clone();
        less.items_mut()[before].set("op", transaction);
        less.items_mut().remove(at);
        let relay = format!(
            "Job(every: \"100ms\", does: [\
                Kv(op: ZRangeByScore(key: \"outbox\", min: 0, max: \"{{now}}\"), store: {store}, \
                    policy: \"outbox\", into: \"event\"), \
                If(when: Is(\"{{event}}\"), then: [\
                    Kv(op: Get(\"event:{{event}}\"), store: {store}, policy: \"outbox\", \
                        into: \"due\"), \
                    OnBehalfOf(origin: \"{{due.origin}}\", body: [\
                        Publish(to: {to}, key: \"{{event}}\", body: \"{{due.body}}\", \
                            policy: \"outbox\"), \
                        Kv(op: ZRem(key: \"outbox\", member: \"{{event}}\"), store: {store}, \
                            policy: \"outbox\")])])])"
        );
        let actor = path_key(self.actor_of(path)?.name()?);
        let mut jobs = self.actor_of(path)?.get("jobs").cloned().unwrap_or_else(|| read("{}"));
        jobs.set_entry("relay", Tree::read(&relay)?);
        // A relay that waits without end for an answer that was lost hands nothing over any more.
        let mut policies = self.tree.get("policies").cloned().unwrap_or_else(|| read("{}"));
        policies.set_entry("outbox", read(&format!("[Timeout(after: \"{WAIT}\")]")));
        let change =
            Change::new("an outbox: the event stands in the transaction, a job hands it over");
        let change = change.set(path, &less).set(format!("actors.{actor}.jobs"), &jobs);
        Some(change.set("policies", &policies))
    }

    /// Parameters of the design that is there.
    fn params(&self) -> Vec<Change> {
        let mut scope = Change::new("keys are those of one tenant");
        let mut takeover = Change::new("a dead holder's claim is taken over");
        for own in self.uses() {
            if self.param(&own, "scope").is_some_and(|own| said(&own).is_empty()) {
                scope = self.with_param(scope, &own, "scope", &text("{client}/"));
            }
            if self.param(&own, "takeover").is_some_and(|own| said(&own) == "never") {
                takeover = self.with_param(takeover, &own, "takeover", &text("lease"));
            }
        }
        vec![scope, takeover]
    }

    /// Who asks again asks under the same key.
    fn client_keys(&self) -> Option<Change> {
        let mut change = Change::new("the client keeps its key when it asks again");
        for (path, call) in self.all("Call").filter(|(path, _)| self.is_in(path, "Client")) {
            if call.get("key").is_some_and(|key| said(key) != "{key}") {
                change = change.set(format!("{path}.key"), &text("{key}"));
            }
        }
        Some(change)
    }

    /// The stacks that the calls of a kind of actor name.
    fn stacks(&self, kind: &str) -> Vec<(String, &'a Tree)> {
        let mut found: Vec<(String, &Tree)> = Vec::new();
        for (_, call) in self.all("Call").filter(|(path, _)| self.is_in(path, kind)) {
            let Some(name) = call.get("policy").map(said) else { continue };
            let stack = self.tree.get("policies").and_then(|policies| policies.get(name));
            let path = format!("policies.{}", path_key(name));
            if let Some(stack) = stack.filter(|_| found.iter().all(|(known, _)| *known != path)) {
                found.push((path, stack));
            }
        }
        found
    }

    /// Whom services call through the stack in which a layer stands: `psp`.
    fn called_through(&self, layer: &str) -> String {
        let mut whom: Vec<String> = Vec::new();
        for (_, call) in self.all("Call").filter(|(path, _)| self.is_in(path, "Service")) {
            let Some(policy) = call.get("policy").map(said) else { continue };
            let stack = format!("policies.{}", path_key(policy));
            let is_it = layer
                .strip_prefix(&stack)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('['));
            let to = call.get("to").map(said).filter(|_| is_it);
            let name = to.map(|to| format!("`{}`", to.split('.').next().unwrap_or(to)));
            whom.extend(name.filter(|name| !whom.contains(name)));
        }
        whom.join(", ")
    }

    /// More patience, and less zeal.
    fn policies(&self) -> Vec<Change> {
        let mut found = Vec::new();
        for (path, stack) in self.stacks("Client") {
            for (path, layer) in stack.places(&path) {
                if layer.head() != "Retry" {
                    continue;
                }
                let mut longer = Change::new("the client asks again four times as often");
                if let Some(attempts) =
                    layer.get("attempts").and_then(|n| n.head().parse::<u32>().ok())
                {
                    let more = attempts.saturating_mul(4).to_string();
                    longer = longer.set(format!("{path}.attempts"), &read(&more));
                }
                if let Some(total) = span(layer.get("total")) {
                    let more = text(&(total * 4).to_string());
                    longer = longer.set(format!("{path}.total"), &more);
                }
                found.push(longer);
                if layer.get("conflict").is_none_or(|conflict| conflict.head() == "false") {
                    let change = Change::new("the client waits where it gets 409");
                    found.push(change.set(format!("{path}.conflict"), &read("true")));
                }
            }
        }
        for (path, stack) in self.stacks("Service") {
            for (path, layer) in stack.places(&path) {
                if let Some(after) = span(layer.get("after")).filter(|_| layer.head() == "Timeout")
                {
                    let longer = after * 10;
                    let whom = self.called_through(&path);
                    let name = format!("{whom} gets {longer} in place of {after}");
                    let set = format!("{path}.after");
                    found.push(Change::new(name).set(set, &text(&longer.to_string())));
                }
            }
        }
        found.extend(self.timeouts());
        let mut keyed = Change::new("retries only what has a key");
        for (path, retry) in self.all("Retry") {
            if retry.get("even_if_unsafe").is_some_and(|unsafe_| unsafe_.head() == "true") {
                keyed = keyed.set(format!("{path}.even_if_unsafe"), &read("false"));
            }
        }
        found.push(keyed);
        for name in self.actors("Client") {
            let client = self.tree.get("actors").and_then(|actors| actors.get(name));
            if let Some(patience) = client.and_then(|client| span(client.get("patience"))) {
                let longer = text(&(patience * 10).to_string());
                let change = Change::new(format!("`{name}` waits {}", patience * 10));
                found.push(change.set(format!("actors.{}.patience", path_key(name)), &longer));
            }
        }
        found
    }

    /// Who waits without end for an answer that was lost never asks again.
    fn timeouts(&self) -> Vec<Change> {
        let mut found = Vec::new();
        for (path, stack) in self.stacks("Client").into_iter().chain(self.stacks("Service")) {
            if stack.is_list() && !stack.items().iter().any(|layer| layer.head() == "Timeout") {
                let mut bounded = stack.clone();
                bounded.push(read(&format!("Timeout(after: \"{WAIT}\")")));
                let name = format!("`{path}` waits {WAIT} for an answer, not without end");
                found.push(Change::new(name).set(path, &bounded));
            }
        }
        let mut bounded =
            Change::new(format!("services wait {WAIT} for an answer, not without end"));
        let asks = ["Call", "Kv", "Publish"].into_iter().flat_map(|head| self.all(head));
        for (path, step) in asks.filter(|(path, _)| self.is_in(path, "Service")) {
            if is_none(step.get("policy")) {
                if bounded.sets.is_empty() {
                    let mut all = self.tree.get("policies").cloned().unwrap_or_else(|| read("{}"));
                    all.set_entry("bounded", read(&format!("[Timeout(after: \"{WAIT}\")]")));
                    bounded = bounded.set("policies", &all);
                }
                bounded = bounded.set(format!("{path}.policy"), &text("bounded"));
            }
        }
        found.push(bounded);
        found
    }

    /// A store that keeps what it has acknowledged.
    fn stores(&self) -> Vec<Change> {
        let mut found = Vec::new();
        let durable = "Aof(fsync: Always)";
        let stores = self.actors("Kv");
        for name in &stores {
            let store = self.tree.get("actors").and_then(|actors| actors.get(name));
            let own = store.and_then(|store| store.get("persistence"));
            if own.is_none_or(|own| own.line(shorthand()) != durable) {
                let change = Change::new(format!("`{name}` writes through: {durable}"));
                let path = format!("actors.{}.persistence", path_key(name));
                found.push(change.set(path, &read(durable)));
            }
        }
        for name in stores {
            let mut change = Change::new(format!("records are kept in `{name}`"));
            for own in self.uses() {
                if own.step.get("store").map_or("redis", said) != name {
                    change = change.set(format!("{}.store", own.path), &text(name));
                }
            }
            found.push(change);
        }
        found
    }
}

/// Has a list of steps that looks and then locks look again; `false` where that is not what it does,
/// or where it does look again.
fn look_again(list: &mut Tree) -> bool {
    let steps = list.items();
    let op = |step: &Tree, heads: &[&str]| {
        step.head() == "Kv" && step.get("op").is_some_and(|op| heads.contains(&op.head()))
    };
    let Some(looks) = steps.iter().position(|step| op(step, &["Get", "Exists"])) else {
        return false;
    };
    let Some(answers) = steps.get(looks + 1).filter(|step| step.head() == "If") else {
        return false;
    };
    let look = [steps[looks].clone(), answers.clone()];
    let locks = steps.iter().skip(looks + 2).position(|step| {
        op(step, &["Set"])
            && step.get("op").and_then(|op| op.get("nx")).is_some_and(|nx| nx.head() == "true")
    });
    let Some(locks) = locks.map(|at| at + looks + 2) else { return false };
    let guarded = steps.iter().skip(locks).position(|step| step.head() == "Try");
    let Some(guarded) = guarded.map(|at| at + locks) else { return false };
    let Some(body) = list.items_mut()[guarded].child("body") else { return false };
    if body.items().iter().any(|step| op(step, &["Get", "Exists"])) {
        return false;
    }
    body.items_mut().splice(0..0, look);
    true
}
