//! Uses of idempotency designs: which text a use means, and what its parameters stand for.
//!
//! A design that is `like` another is that one with other defaults; whoever is closest to the use
//! has the last word on a parameter.

use std::collections::BTreeMap;

use serde::Deserialize;
use sim_core::Span;

use super::builder::Builder;
use super::place::{DocId, Here};
use crate::designs;
use crate::language::{self, Design, Expr, Idempotent, Ignored};
use crate::source::{Document, advice, path_key};

/// The parameter that says what of two requests must be equal.
const CANONICAL: &str = "canonical";

/// What of a design is read before its parameters are filled in.
#[derive(Deserialize)]
#[serde(rename = "Design", deny_unknown_fields)]
struct Head {
    #[serde(rename = "about")]
    _about: String,
    #[serde(default)]
    like: Option<String>,
    #[serde(default)]
    params: BTreeMap<String, Expr>,
    #[serde(default)]
    choices: BTreeMap<String, Vec<Expr>>,
    #[serde(default)]
    lock: Option<Span>,
    #[serde(default)]
    keep: Option<Span>,
    #[serde(default)]
    steps: Option<Ignored>,
    #[serde(default, rename = "phase")]
    _phase: Option<Ignored>,
}

/// A design as one use of it reads.
pub(super) struct ReadDesign {
    pub(super) doc: DocId,
    pub(super) design: Design,
    /// How long it keeps results, if it has a use for that.
    pub(super) keep: Option<Span>,
    /// How long its locks live, if it has any.
    pub(super) lock: Option<Span>,
    /// What of two requests must be equal under one key, if it has a parameter for that.
    pub(super) canonical: Option<Expr>,
}

/// The text that a use of a design comes to.
struct Resolved {
    /// What it is called in messages.
    label: String,
    text: String,
    params: BTreeMap<String, Expr>,
    keep: Span,
    lock: Span,
}

/// Where a parameter of a use was given its value: there, or in a design.
fn param_place(step: &Idempotent, name: &str, here: &Here) -> Here {
    match step.params.contains_key(name) {
        true => here.field("params").field(&path_key(name)),
        false => here.field("design"),
    }
}

impl Builder<'_> {
    /// A design with the parameters of one use filled in; `phase` is the name of the phase that its
    /// `phase` steps are wanted for.
    pub(super) fn design(
        &mut self,
        step: &Idempotent,
        phase: Option<&str>,
        here: &Here,
    ) -> Option<ReadDesign> {
        let resolved = self.resolved_design(step, here)?;
        let Resolved { label, text, mut params, keep, lock } = resolved;
        let keep = text.contains("$keep").then_some(keep);
        let lock = text.contains("$lock").then_some(lock);
        let canonical = params.get(CANONICAL).cloned();
        let phase = phase.map_or(Expr::Nil, |name| Expr::Text(name.to_owned()));
        params.insert("phase".to_owned(), phase);
        let text = match designs::fill_in(&text, &params) {
            Ok(text) => text,
            Err(unknown) => {
                let message = format!("{label} uses `${unknown}`, which is not among its `params`");
                let help = advice(&unknown, params.keys().map(String::as_str));
                self.problem(&here.field("design"), message, help);
                return None;
            }
        };
        let read = Document::parse(&label, &text, language::shorthand()).and_then(|document| {
            let design: Design = document.read(language::hint)?;
            Ok((document, design))
        });
        match read {
            Ok((document, design)) => {
                self.docs.push(document);
                let doc = DocId(self.docs.len() - 1);
                Some(ReadDesign { doc, design, keep, lock, canonical })
            }
            Err(error) => {
                self.problems.push(error);
                None
            }
        }
    }

    /// Follows `like` to the design that has steps.
    fn resolved_design(&mut self, step: &Idempotent, here: &Here) -> Option<Resolved> {
        let mut params = step.params.clone();
        let (mut lock, mut keep) = (step.lock, step.keep);
        let mut name = step.design.clone();
        for _ in 0..designs::NESTING_MAX {
            let (label, text) = self.design_text(&name, here)?;
            let head = Document::parse(&label, &text, language::shorthand())
                .and_then(|document| document.read::<Head>(language::hint));
            let head = match head {
                Ok(head) => head,
                Err(error) => {
                    self.problems.push(error);
                    return None;
                }
            };
            (lock, keep) = (lock.or(head.lock), keep.or(head.keep));
            if let Some(base) = head.like {
                if head.steps.is_some() {
                    let message = format!("{label} has steps of its own, and is `like` `{base}`");
                    self.problem(&here.field("design"), message, None);
                    return None;
                }
                for (name, value) in head.params {
                    params.entry(name).or_insert(value);
                }
                name = base;
                continue;
            }
            self.refuse_unknown(&params, &head.params, step, &label, here);
            for (name, value) in head.params {
                params.entry(name).or_insert(value);
            }
            self.refuse_other_choices(&params, &head.choices, step, &label, here);
            let lock = lock.unwrap_or(designs::LOCK);
            let keep = keep.unwrap_or(designs::KEEP);
            params.extend(designs::own_params(&step.store, lock, keep));
            return Some(Resolved { label, text, params, keep, lock });
        }
        let message = format!("designs are `like` others at most {} deep", designs::NESTING_MAX);
        self.problem(&here.field("design"), message, None);
        None
    }

    /// Complains about parameters that a design does not declare.
    fn refuse_unknown(
        &mut self,
        set: &BTreeMap<String, Expr>,
        declared: &BTreeMap<String, Expr>,
        step: &Idempotent,
        label: &str,
        here: &Here,
    ) {
        for name in set.keys().filter(|name| !declared.contains_key(*name)) {
            let message = format!("{label} has no parameter `{name}`");
            let help = advice(name, declared.keys().map(String::as_str));
            self.problem(&param_place(step, name, here), message, help);
        }
    }

    /// Complains about values of parameters that a design has no meaning for.
    fn refuse_other_choices(
        &mut self,
        params: &BTreeMap<String, Expr>,
        choices: &BTreeMap<String, Vec<Expr>>,
        step: &Idempotent,
        label: &str,
        here: &Here,
    ) {
        for (name, allowed) in choices {
            let at = param_place(step, name, here);
            let Some(value) = params.get(name) else {
                self.problem(&at, format!("{label} has choices for `{name}`, no parameter"), None);
                continue;
            };
            if !allowed.contains(value) {
                let allowed: Vec<String> = allowed.iter().map(designs::literal).collect();
                let message =
                    format!("{name} = {} means nothing to {label}", designs::literal(value));
                let help = format!("it may be {}", allowed.join(", "));
                self.problem(&at, message, Some(help));
            }
        }
    }

    /// How a design is called in messages, and its text as it was written.
    fn design_text(&mut self, name: &str, here: &Here) -> Option<(String, String)> {
        if let Some(text) = self.docs[0].text_of(&format!("designs.{}", path_key(name))) {
            return Some((format!("design `{name}`"), text.to_owned()));
        }
        if let Some((name, text)) = designs::BUILT_IN.iter().find(|(own, _)| *own == name) {
            return Some((format!("scenarios/designs/{name}.ron"), (*text).to_owned()));
        }
        let own = self.spec.designs.keys().map(String::as_str);
        let known = own.chain(designs::BUILT_IN.iter().map(|(name, _)| *name));
        let help = advice(name, known);
        self.problem(&here.field("design"), format!("there is no design `{name}`"), help);
        None
    }
}
