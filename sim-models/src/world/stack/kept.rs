//! What the policies of a run remember between calls, whose it is, and when it is forgotten.
//!
//! ```text
//! stack, instance --> row --> places of its layers --> memories
//!                              [0, 1, 5]                [lanes, budget, breaker, ..]
//! ```
//!
//! A row is made by the first call of an instance: one that never calls costs nothing. The places of
//! what belongs to no instance are the same in all rows.

use sim_core::Time;

use super::{Ctx, Memory};
use crate::metrics::{Metrics, ResourceId};
use crate::plan::{ActorId, LayerPlace, Plan, StackId, StackPlan};

/// What every layer of every stack remembers. A stack belongs to one caller and its use for one
/// callee, and each instance of the caller remembers its own.
#[derive(Debug)]
pub(super) struct Kept {
    memories: Vec<Memory>,
    /// Where the memory of each layer lies, row after row.
    places: Vec<u32>,
    stacks: Vec<OfStack>,
}

/// The rows of one stack.
#[derive(Debug)]
struct OfStack {
    /// By layer: the place of what belongs to no instance.
    common: Vec<Option<u32>>,
    /// By instance, as far as any has called.
    rows: Vec<Option<Row>>,
}

/// Where the places of an instance's layers begin.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Row(u32);

impl Memory {
    /// Says how full the layer of an instance is.
    pub(super) fn report(&mut self, of: (ResourceId, u32), metrics: &mut Metrics, now: Time) {
        self.levels(now, &mut |quantity, level| metrics.set_of(of, quantity, level, now));
    }

    /// Says how full the layer was when each window ended that is over, if time alone changes it.
    pub(super) fn settle(&mut self, of: (ResourceId, u32), metrics: &mut Metrics, now: Time) {
        if !self.drifts() {
            return;
        }
        while let Some(at) = metrics.window_over(of, now) {
            self.levels(at, &mut |quantity, level| metrics.set_of(of, quantity, level, at));
        }
    }
}

impl Kept {
    pub(super) fn new(plan: &Plan) -> Kept {
        let mut kept = Kept { memories: Vec::new(), places: Vec::new(), stacks: Vec::new() };
        for stack in &plan.stacks {
            let layers = stack.layers.iter().zip(&stack.shared);
            let common = layers.map(|(layer, shared)| {
                let is_common = *shared || Memory::is_common(layer);
                is_common.then(|| kept.add(Memory::new(layer)))
            });
            let common = common.collect();
            kept.stacks.push(OfStack { common, rows: Vec::new() });
        }
        kept
    }

    fn add(&mut self, memory: Memory) -> u32 {
        self.memories.push(memory);
        u32::try_from(self.memories.len() - 1).expect("the memory limit bounds what is kept")
    }

    /// The row of an instance, which has remembered nothing before its first call.
    pub(super) fn row(&mut self, plan: &Plan, stack: StackId, instance: u32) -> Row {
        let rows = &self.stacks[stack.index()].rows;
        match rows.get(instance as usize) {
            Some(Some(row)) => *row,
            _ => self.first_row(plan, stack, instance as usize),
        }
    }

    fn first_row(&mut self, plan: &Plan, stack: StackId, instance: usize) -> Row {
        let row = Row(u32::try_from(self.places.len()).expect("as many as memories"));
        for (n, layer) in plan.stacks[stack.index()].layers.iter().enumerate() {
            let common = self.stacks[stack.index()].common[n];
            let place = common.unwrap_or_else(|| self.add(Memory::new(layer)));
            self.places.push(place);
        }
        let rows = &mut self.stacks[stack.index()].rows;
        rows.resize(rows.len().max(instance + 1), None);
        rows[instance] = Some(row);
        row
    }

    /// What a layer remembers in a row.
    pub(super) fn at(&mut self, Row(row): Row, layer: usize) -> &mut Memory {
        &mut self.memories[self.places[row as usize + layer] as usize]
    }

    /// What a layer remembers of an instance.
    pub(super) fn of(&mut self, plan: &Plan, place: LayerPlace, instance: u32) -> &mut Memory {
        let LayerPlace { stack, layer } = place;
        let row = self.row(plan, stack, instance);
        self.at(row, layer)
    }

    /// How many instances have called by a stack.
    pub(super) fn instances(&self, stack: StackId) -> u32 {
        self.stacks[stack.index()].rows.iter().flatten().count() as u32
    }

    /// The run begins.
    pub(super) fn start(&mut self, plan: &Plan, ctx: &mut Ctx) {
        for (of, stack) in self.stacks.iter().zip(&plan.stacks) {
            for (place, layer) in of.common.iter().zip(&stack.layers) {
                if let Some(place) = place {
                    self.memories[*place as usize].start(layer, ctx);
                }
            }
        }
    }

    /// A restarted process, or all of an actor, has forgotten what its policies had counted. What
    /// belongs to no instance outlives them.
    pub(super) fn renew(&mut self, plan: &Plan, owner: ActorId, only: Option<u32>) {
        for (of, stack) in self.stacks.iter().zip(&plan.stacks) {
            if stack.owner != owner {
                continue;
            }
            let hit = (0..).zip(&of.rows).filter(|(n, _)| only.is_none_or(|only| only == *n));
            for Row(row) in hit.filter_map(|(_, row)| *row) {
                let places = &self.places[row as usize..];
                let own = of.common.iter().zip(places).zip(&stack.layers);
                for ((_, place), layer) in own.filter(|((common, _), _)| common.is_none()) {
                    self.memories[*place as usize].renew(layer);
                }
            }
        }
    }

    /// Says how full all layers of the stacks of a kind are.
    pub(super) fn report(
        &mut self,
        plan: &Plan,
        is_meant: impl Fn(&StackPlan) -> bool,
        metrics: &mut Metrics,
        now: Time,
    ) {
        let stacks = self.stacks.iter().zip(&plan.stacks).enumerate();
        for (n, (of, _)) in stacks.filter(|(_, (_, stack))| is_meant(stack)) {
            for (instance, row) in (0..).zip(&of.rows) {
                let Some(Row(row)) = row else { continue };
                for layer in 0..of.common.len() {
                    let Some(id) = metrics.layer(StackId::nth(n), layer) else { continue };
                    let instance = if of.common[layer].is_some() { 0 } else { instance };
                    let place = self.places[*row as usize + layer];
                    let memory = &mut self.memories[place as usize];
                    memory.settle((id, instance), metrics, now);
                    memory.report((id, instance), metrics, now);
                }
            }
        }
    }

    /// Everything that is remembered of calls by the stacks of a kind.
    pub(super) fn for_each(
        &mut self,
        plan: &Plan,
        is_meant: impl Fn(&StackPlan) -> bool,
        mut act: impl FnMut(&mut Memory),
    ) {
        for (of, _) in self.stacks.iter().zip(&plan.stacks).filter(|(_, stack)| is_meant(stack)) {
            for Row(row) in of.rows.iter().flatten() {
                for place in &self.places[*row as usize..][..of.common.len()] {
                    act(&mut self.memories[*place as usize]);
                }
            }
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.memories.capacity() * size_of::<Memory>() + self.places.capacity() * size_of::<u32>()
    }
}
