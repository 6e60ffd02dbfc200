//! Values and conditions: texts with variables become templates over registers.

use sim_redis::value::Value;

use super::builder::Builder;
use super::frame::Frame;
use super::place::Here;
use crate::language::{Cond, Expr};
use crate::plan::{CondId, CondPlan, Operand, Part, RecordTemplateId, TemplateId};
use crate::source::advice;

impl Builder<'_> {
    pub(super) fn cond(&mut self, frame: &mut Frame, cond: &Cond, here: &Here) -> CondId {
        let plan = match cond {
            Cond::Is(a) => CondPlan::Is(self.operand(frame, a, here)),
            Cond::Eq(a, b) | Cond::Ne(a, b) => {
                let (a, b) = self.two(frame, a, b, here);
                let equal = CondPlan::Eq(a, b);
                if matches!(cond, Cond::Eq(..)) {
                    equal
                } else {
                    CondPlan::Not(self.add_cond(equal))
                }
            }
            Cond::Lt(a, b) => {
                let (a, b) = self.two(frame, a, b, here);
                CondPlan::Lt(a, b)
            }
            Cond::Le(a, b) => {
                let (a, b) = self.two(frame, a, b, here);
                CondPlan::Le(a, b)
            }
            Cond::Not(inner) => CondPlan::Not(self.cond(frame, inner, here)),
            Cond::All(all) => CondPlan::All(self.conds(frame, all, here)),
            Cond::Any(any) => CondPlan::Any(self.conds(frame, any, here)),
        };
        self.add_cond(plan)
    }

    /// What a condition over constants comes to.
    pub(super) fn foregone(&self, cond: CondId) -> Option<bool> {
        let constant = |operand: &Operand| match operand {
            Operand::Const(value) => Some(*value),
            _ => None,
        };
        let numbers = |a: &Operand, b: &Operand| match (constant(a)?, constant(b)?) {
            (Value::Int(a), Value::Int(b)) => Some(Some((a, b))),
            _ => Some(None),
        };
        match &self.plan.conds[cond.index()] {
            CondPlan::Is(a) => Some(constant(a)?.is_truthy()),
            CondPlan::Eq(a, b) => Some(constant(a)? == constant(b)?),
            CondPlan::Lt(a, b) => Some(numbers(a, b)?.is_some_and(|(a, b)| a < b)),
            CondPlan::Le(a, b) => Some(numbers(a, b)?.is_some_and(|(a, b)| a <= b)),
            CondPlan::Not(inner) => self.foregone(*inner).map(|holds| !holds),
            CondPlan::All(all) => self.foregone_of(all, false),
            CondPlan::Any(any) => self.foregone_of(any, true),
        }
    }

    /// What conditions come to of which one alone decides when it is `deciding`.
    fn foregone_of(&self, conds: &[CondId], deciding: bool) -> Option<bool> {
        let known: Vec<Option<bool>> = conds.iter().map(|cond| self.foregone(*cond)).collect();
        if known.contains(&Some(deciding)) {
            return Some(deciding);
        }
        (!known.contains(&None)).then_some(!deciding)
    }

    fn two(&mut self, frame: &mut Frame, a: &Expr, b: &Expr, here: &Here) -> (Operand, Operand) {
        (self.operand(frame, a, &here.at(0)), self.operand(frame, b, &here.at(1)))
    }

    fn conds(&mut self, frame: &mut Frame, all: &[Cond], here: &Here) -> Vec<CondId> {
        all.iter().enumerate().map(|(n, cond)| self.cond(frame, cond, &here.at(n))).collect()
    }

    pub(super) fn add_cond(&mut self, cond: CondPlan) -> CondId {
        self.plan.conds.push(cond);
        CondId::nth(self.plan.conds.len() - 1)
    }

    /// Where an expression's value comes from.
    pub(super) fn operand(&mut self, frame: &mut Frame, expr: &Expr, here: &Here) -> Operand {
        match expr {
            Expr::Nil => Operand::Const(Value::Nil),
            Expr::Bool(b) => Operand::Const(Value::Bool(*b)),
            Expr::Int(n) => Operand::Const(Value::Int(*n)),
            Expr::Text(text) => self.template(frame, text, here),
            Expr::Record(fields) => {
                let fields = fields
                    .iter()
                    .map(|(name, value)| {
                        let value = self.operand(frame, value, &here.field(name));
                        (self.plan.texts.field(name), value)
                    })
                    .collect();
                self.plan.records.push(fields);
                Operand::Record(RecordTemplateId::nth(self.plan.records.len() - 1))
            }
        }
    }

    fn template(&mut self, frame: &mut Frame, text: &str, here: &Here) -> Operand {
        let pieces = match pieces(text) {
            Ok(pieces) => pieces,
            Err(message) => {
                let help = "write a variable as {name}, and a brace as {{ or }}".to_owned();
                self.problem(here, message, Some(help));
                return Operand::Const(Value::Nil);
            }
        };
        match &pieces[..] {
            [] => return self.constant(""),
            [Piece::Literal(text)] => return self.constant(text),
            [Piece::Name(name)] => return self.read(frame, name, here),
            _ => {}
        }
        let parts = pieces
            .into_iter()
            .map(|piece| match piece {
                Piece::Literal(text) => Part::Literal(text),
                Piece::Name(name) => Part::Hole(self.read(frame, &name, here)),
            })
            .collect();
        self.plan.templates.push(parts);
        Operand::Template(TemplateId::nth(self.plan.templates.len() - 1))
    }

    fn constant(&mut self, text: &str) -> Operand {
        Operand::Const(Value::Text(self.plan.texts.intern(text)))
    }

    /// A variable, or a field of one: `{stored.body}`.
    fn read(&mut self, frame: &mut Frame, name: &str, here: &Here) -> Operand {
        if let Some(&reg) = frame.registers.get(name) {
            frame.reads(reg);
            return Operand::Reg(reg);
        }
        let (base, field) = match name.rsplit_once('.') {
            // A name may have a dot of its own: `{error.body.code}`.
            Some((base, field)) if frame.registers.contains_key(base) => (base, Some(field)),
            _ => match name.split_once('.') {
                Some((base, field)) => (base, Some(field)),
                None => (name, None),
            },
        };
        if !frame.registers.contains_key(base) {
            let message = format!("nothing gives `{{{base}}}` a value in this program");
            let help = advice(base, frame.known_names());
            let complaint = self.complaint(here, message, help);
            frame.unassigned.insert(base.to_owned(), complaint);
        }
        let reg = frame.register(base);
        frame.reads(reg);
        match field {
            Some(field) => Operand::Field(reg, self.plan.texts.field(field)),
            None => Operand::Reg(reg),
        }
    }
}

/// A piece of a text with variables.
enum Piece {
    Literal(String),
    Name(String),
}

fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        literal.push_str(&rest[..at]);
        let (brace, tail) = rest[at..].split_at(1);
        if let Some(tail) = tail.strip_prefix(brace) {
            literal.push_str(brace);
            rest = tail;
            continue;
        }
        let end = tail.find('}').filter(|_| brace == "{");
        let end = end.ok_or_else(|| format!("`{text}` has a `{brace}` without its partner"))?;
        if !literal.is_empty() {
            pieces.push(Piece::Literal(std::mem::take(&mut literal)));
        }
        pieces.push(Piece::Name(tail[..end].to_owned()));
        rest = &tail[end + 1..];
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_hold_names_and_double_for_themselves() {
        let show = |text: &str| {
            let pieces = pieces(text).ok()?;
            Some(
                pieces
                    .iter()
                    .map(|piece| match piece {
                        Piece::Literal(text) => format!("'{text}'"),
                        Piece::Name(name) => name.clone(),
                    })
                    .collect::<Vec<_>>()
                    .join(" "),
            )
        };
        assert_eq!(show("{key}:lock").as_deref(), Some("key ':lock'"));
        assert_eq!(show("{{x}}").as_deref(), Some("'{x}'"));
        assert_eq!(show("").as_deref(), Some(""));
        assert_eq!(show("{key"), None);
        assert_eq!(show("key}"), None);
    }
}
