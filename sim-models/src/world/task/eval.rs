//! What operands and conditions mean: pure over the plan, the texts and a program's registers.

use sim_redis::value::{Texts, Value};

use crate::plan::{CondId, CondPlan, Operand, Part, Plan, Reg};

/// What an operand means over a program's registers.
pub(in crate::world) fn eval(
    plan: &Plan,
    texts: &mut Texts,
    registers: &[Value],
    operand: Operand,
) -> Value {
    match operand {
        Operand::Const(value) => value,
        Operand::Reg(Reg(reg)) => registers[reg as usize],
        Operand::Field(Reg(reg), field) => texts.get(registers[reg as usize], field),
        Operand::Template(template) => {
            let parts = &plan.templates[template.index()];
            let mut text = texts.take_scratch();
            for part in parts {
                match part {
                    Part::Literal(literal) => text.push_str(literal),
                    Part::Hole(operand) => {
                        let value = eval(plan, texts, registers, *operand);
                        texts.append(value, &mut text);
                    }
                }
            }
            Value::Text(texts.intern_scratch(text))
        }
        Operand::Record(record) => {
            let fields = &plan.records[record.index()];
            let values: Vec<_> = fields
                .iter()
                .map(|(field, operand)| (*field, eval(plan, texts, registers, *operand)))
                .collect();
            Value::Record(texts.record(&values))
        }
    }
}

/// Whether a condition holds over a program's registers.
pub(super) fn holds(plan: &Plan, texts: &mut Texts, registers: &[Value], cond: CondId) -> bool {
    let mut value = |operand: Operand| eval(plan, texts, registers, operand);
    match &plan.conds[cond.index()] {
        CondPlan::Is(a) => value(*a).is_truthy(),
        CondPlan::Eq(a, b) => value(*a) == value(*b),
        CondPlan::Lt(a, b) => {
            matches!((value(*a), value(*b)), (Value::Int(a), Value::Int(b)) if a < b)
        }
        CondPlan::Le(a, b) => {
            matches!((value(*a), value(*b)), (Value::Int(a), Value::Int(b)) if a <= b)
        }
        CondPlan::Not(inner) => !holds(plan, texts, registers, *inner),
        CondPlan::All(all) => all.iter().all(|cond| holds(plan, texts, registers, *cond)),
        CondPlan::Any(any) => any.iter().any(|cond| holds(plan, texts, registers, *cond)),
    }
}

/// A status that a program works out may be anything; what is no status is a server error.
pub(super) fn as_status(value: Value) -> u16 {
    match value {
        Value::Int(n @ 100..=599) => n as u16,
        _ => 500,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::TemplateId;

    fn is_true(conds: Vec<CondPlan>, registers: &[Value]) -> bool {
        let last = CondId::nth(conds.len() - 1);
        let plan = Plan { conds, ..Plan::default() };
        holds(&plan, &mut Texts::default(), registers, last)
    }

    #[test]
    fn a_template_reads_registers_and_equal_texts_are_one() {
        let parts = vec![Part::Literal("order-".to_owned()), Part::Hole(Operand::Reg(Reg(0)))];
        let plan = Plan { templates: vec![parts], ..Plan::default() };
        let mut texts = Texts::default();
        let mut name = |n| eval(&plan, &mut texts, &[n], Operand::Template(TemplateId(0)));
        let (first, again, other) = (name(Value::Int(7)), name(Value::Int(7)), name(Value::Int(8)));
        assert_eq!(first, again);
        assert_ne!(first, other);
        assert_eq!(first, Value::Text(texts.intern("order-7")));
    }

    #[test]
    fn only_numbers_are_ordered_and_what_is_not_is_false_both_ways() {
        let (one, two) = (Operand::Const(Value::Int(1)), Operand::Const(Value::Int(2)));
        let nil = Operand::Const(Value::Nil);
        assert!(is_true(vec![CondPlan::Lt(one, two)], &[]));
        assert!(!is_true(vec![CondPlan::Lt(two, two)], &[]));
        assert!(is_true(vec![CondPlan::Le(two, two)], &[]));
        assert!(!is_true(vec![CondPlan::Lt(nil, one)], &[]));
        assert!(!is_true(vec![CondPlan::Le(one, nil)], &[]));
    }

    #[test]
    fn conditions_combine() {
        let is = |reg| CondPlan::Is(Operand::Reg(Reg(reg)));
        let both = vec![CondId(0), CondId(1)];
        let all = vec![is(0), is(1), CondPlan::All(both.clone())];
        let any = vec![is(0), is(1), CondPlan::Any(both)];
        let neither = vec![is(0), CondPlan::Not(CondId(0))];
        let registers = [Value::Bool(true), Value::Nil];
        assert!(!is_true(all, &registers));
        assert!(is_true(any, &registers));
        assert!(!is_true(neither, &registers));
        assert!(is_true(vec![CondPlan::All(vec![])], &[]));
        assert!(!is_true(vec![CondPlan::Any(vec![])], &[]));
    }

    #[test]
    fn what_is_no_status_is_a_server_error() {
        let statuses = [Value::Int(201), Value::Int(99), Value::Int(600), Value::Nil];
        assert_eq!(statuses.map(as_status), [201, 500, 500, 500]);
    }
}
