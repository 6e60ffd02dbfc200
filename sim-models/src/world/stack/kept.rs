//! What the policies of a run remember between calls, and when they forget it.

use std::ops::{Index, IndexMut};

use crate::plan::{ActorId, Owned, Plan};

/// What one policy of one caller remembers between calls.
pub(super) trait Memory: Sized {
    /// By which the plan and those who hold something of it name it.
    type Id: Into<usize>;
    /// What the plan says of it.
    type Plan;

    /// Where the plan says it, by id.
    fn table(plan: &Plan) -> &[Owned<Self::Plan>];

    /// The memory of a process that has just started.
    fn new(plan: &Self::Plan) -> Self;

    /// The process has restarted; its timers stay, and find a memory that wants nothing of them.
    fn renew(&mut self, plan: &Self::Plan) {
        *self = Self::new(plan);
    }
}

/// What all policies of one kind remember, by id. Each belongs to one caller and its use of one
/// stack for one callee: callers share nothing.
#[derive(Debug)]
pub(super) struct Kept<T>(Vec<T>);

impl<T: Memory> Kept<T> {
    pub(super) fn new(plan: &Plan) -> Kept<T> {
        Kept(T::table(plan).iter().map(|row| T::new(&row.config)).collect())
    }

    /// Acts on those whose row in the plan fits.
    pub(super) fn each(
        &mut self,
        plan: &Plan,
        fits: impl Fn(&Owned<T::Plan>) -> bool,
        mut act: impl FnMut(&mut T, &T::Plan),
    ) {
        for (kept, row) in self.0.iter_mut().zip(T::table(plan)) {
            if fits(row) {
                act(kept, &row.config);
            }
        }
    }

    /// A restarted process has forgotten what its policies had counted.
    pub(super) fn renew(&mut self, plan: &Plan, owner: ActorId) {
        self.each(plan, |row| row.owner == owner, T::renew);
    }
}

impl<T: Memory> Index<T::Id> for Kept<T> {
    type Output = T;
    fn index(&self, id: T::Id) -> &T {
        &self.0[id.into()]
    }
}

impl<T: Memory> IndexMut<T::Id> for Kept<T> {
    fn index_mut(&mut self, id: T::Id) -> &mut T {
        &mut self.0[id.into()]
    }
}
