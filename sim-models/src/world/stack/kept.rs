//! What the policies of a run remember between calls, and when they forget it.

use std::ops::{Index, IndexMut};

use super::{Ctx, Memory};
use crate::plan::{ActorId, LayerPlace, LayerPlan, Plan, StackPlan};

/// What every layer of every stack remembers. A stack belongs to one caller and its use for one
/// callee: callers share nothing.
#[derive(Debug)]
pub(super) struct Kept {
    memories: Vec<Memory>,
    /// By stack: where those of its layers begin.
    first: Vec<usize>,
}

impl Kept {
    pub(super) fn new(plan: &Plan) -> Kept {
        let mut kept = Kept { memories: Vec::new(), first: Vec::new() };
        for stack in &plan.stacks {
            kept.first.push(kept.memories.len());
            kept.memories.extend(stack.layers.iter().map(Memory::new));
        }
        kept
    }

    /// All of them, each with its place in the plan.
    pub(super) fn all<'a>(
        &'a mut self,
        plan: &'a Plan,
    ) -> impl Iterator<Item = (&'a mut Memory, &'a StackPlan, &'a LayerPlan)> {
        let of = |stack: &'a StackPlan| stack.layers.iter().map(move |layer| (stack, layer));
        let places = plan.stacks.iter().flat_map(of);
        self.memories.iter_mut().zip(places).map(|(memory, (stack, layer))| (memory, stack, layer))
    }

    /// The run begins.
    pub(super) fn start(&mut self, plan: &Plan, ctx: &mut Ctx) {
        for (memory, _, layer) in self.all(plan) {
            memory.start(layer, ctx);
        }
    }

    /// A restarted process has forgotten what its policies had counted.
    pub(super) fn renew(&mut self, plan: &Plan, owner: ActorId) {
        for (memory, _, layer) in self.all(plan).filter(|(_, stack, _)| stack.owner == owner) {
            memory.renew(layer);
        }
    }
}

impl Index<LayerPlace> for Kept {
    type Output = Memory;
    fn index(&self, LayerPlace { stack, layer }: LayerPlace) -> &Memory {
        &self.memories[self.first[stack.index()] + layer]
    }
}

impl IndexMut<LayerPlace> for Kept {
    fn index_mut(&mut self, LayerPlace { stack, layer }: LayerPlace) -> &mut Memory {
        &mut self.memories[self.first[stack.index()] + layer]
    }
}
