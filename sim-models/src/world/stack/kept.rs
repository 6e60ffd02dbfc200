//! What the policies of a run remember between calls, and when they forget it.

use std::ops::{Index, IndexMut};

use super::{Ctx, Memory};
use crate::plan::{ActorId, LayerPlace, Plan, StackPlan};

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

    /// The run begins.
    pub(super) fn start(&mut self, plan: &Plan, ctx: &mut Ctx) {
        let layers = plan.stacks.iter().flat_map(|stack| &stack.layers);
        for (memory, layer) in self.memories.iter_mut().zip(layers) {
            memory.start(layer, ctx);
        }
    }

    /// A restarted process has forgotten what its policies had counted.
    pub(super) fn renew(&mut self, plan: &Plan, owner: ActorId) {
        let all = plan.stacks.iter().flat_map(|stack| stack.layers.iter().map(move |l| (stack, l)));
        for (memory, (stack, layer)) in self.memories.iter_mut().zip(all) {
            if stack.owner == owner {
                memory.renew(layer);
            }
        }
    }

    /// Those of the stacks that fit.
    pub(super) fn of_stacks(
        &mut self,
        plan: &Plan,
        fits: impl Fn(&StackPlan) -> bool,
    ) -> impl Iterator<Item = &mut Memory> {
        let all = plan.stacks.iter().flat_map(|stack| stack.layers.iter().map(move |_| stack));
        let fit = self.memories.iter_mut().zip(all).filter(move |(_, stack)| fits(stack));
        fit.map(|(memory, _)| memory)
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
