//! The line of one instance: who waits for a worker, and whose turn it is.
//!
//! A task of an async service that wants to go on waits like a request of the most important
//! class, and no bound or discipline turns it away.

use std::collections::VecDeque;

use sim_core::Time;
use sim_policies::codel::{Codel, Turn};

use crate::plan::{Full, QueueKind, WaitPlan};
use crate::world::ids::{RequestId, TaskId};

/// Who waits for a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    /// A request that nobody has begun.
    Request(RequestId),
    /// A task of an async service that has its answer and wants to go on.
    Task(TaskId),
}

/// What became of a request that wanted to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Joined {
    Waits,
    /// Another lost its place to it.
    Displaced(RequestId),
    Full,
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Serve(Waiting),
    /// Its turn came, and it is turned away.
    Drop(RequestId),
}

#[derive(Debug)]
pub(super) struct Line {
    plan: WaitPlan,
    /// By class, the most important first.
    classes: Vec<VecDeque<Place>>,
    /// Requests among those that wait; tasks that come back are not bounded.
    requests: u32,
    /// Requests outside, until there is room.
    outside: VecDeque<Place>,
    codel: Option<Codel>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    waiting: Waiting,
    since: Time,
}

impl Line {
    pub(super) fn new(plan: WaitPlan) -> Line {
        let codel = match plan.kind {
            QueueKind::Codel { target, interval } => Some(Codel::new(target, interval)),
            _ => None,
        };
        let classes = vec![VecDeque::new(); usize::from(plan.classes)];
        Line { plan, classes, requests: 0, outside: VecDeque::new(), codel }
    }

    /// Requests that wait, inside and outside.
    pub(super) fn requests(&self) -> u32 {
        self.requests + self.outside.len() as u32
    }

    /// A request of a class joins the line, if it may.
    pub(super) fn join(&mut self, request: RequestId, class: u16, now: Time) -> Joined {
        let place = Place { waiting: Waiting::Request(request), since: now };
        if self.requests < self.plan.limit {
            self.requests += 1;
            self.classes[usize::from(class)].push_back(place);
            return Joined::Waits;
        }
        let out = match self.plan.kind {
            QueueKind::Priority => self.take_less_important(class),
            _ => match self.plan.full {
                Full::Reject => None,
                Full::Block => {
                    self.outside.push_back(place);
                    return Joined::Waits;
                }
                Full::DropOldest => self.take_oldest(),
            },
        };
        let Some(out) = out else { return Joined::Full };
        self.classes[usize::from(class)].push_back(place);
        Joined::Displaced(out)
    }

    /// A task that wants to go on joins the line.
    pub(super) fn join_task(&mut self, task: TaskId, now: Time) {
        self.classes[0].push_back(Place { waiting: Waiting::Task(task), since: now });
    }

    /// Takes whoever is next out of the line.
    pub(super) fn next(&mut self, now: Time) -> Option<Next> {
        let latest_first = match self.plan.kind {
            QueueKind::Lifo => true,
            QueueKind::AdaptiveLifo { above } => self.requests > above,
            QueueKind::Fifo | QueueKind::Priority | QueueKind::Codel { .. } => false,
        };
        let class = self.classes.iter_mut().find(|class| !class.is_empty())?;
        let place = if latest_first { class.pop_back() } else { class.pop_front() };
        let Place { waiting, since } = place.expect("it is not empty");
        let Waiting::Request(request) = waiting else { return Some(Next::Serve(waiting)) };
        self.requests -= 1;
        self.let_in();
        let wait = now.since(since);
        let turn = match &mut self.codel {
            Some(codel) => codel.turn(wait, self.requests == 0, now),
            None => Turn::Serve,
        };
        let is_stale = self.plan.max_wait.is_some_and(|max| wait > max);
        let is_dropped = is_stale || turn == Turn::Drop;
        Some(if is_dropped { Next::Drop(request) } else { Next::Serve(waiting) })
    }

    /// Takes a request out of the line; false when it does not wait here.
    pub(super) fn leave(&mut self, request: RequestId) -> bool {
        let wanted = Waiting::Request(request);
        let find = |class: &VecDeque<Place>| class.iter().position(|p| p.waiting == wanted);
        for class in &mut self.classes {
            if let Some(at) = find(class) {
                class.remove(at);
                self.requests -= 1;
                self.let_in();
                return true;
            }
        }
        let at = find(&self.outside);
        at.is_some_and(|at| self.outside.remove(at).is_some())
    }

    /// Everybody who waits, in order; the line is empty then.
    pub(super) fn disperse(&mut self) -> Vec<Waiting> {
        let inside = self.classes.iter_mut().flat_map(|class| class.drain(..));
        let all = inside.chain(self.outside.drain(..)).map(|place| place.waiting).collect();
        self.requests = 0;
        all
    }

    /// Room has come free: the first of those outside joins, with the time that it has waited.
    fn let_in(&mut self) {
        if let Some(place) = self.outside.pop_front() {
            self.requests += 1;
            self.classes[0].push_back(place);
        }
    }

    fn take_oldest(&mut self) -> Option<RequestId> {
        let class = &mut self.classes[0];
        let is_request = |place: &Place| matches!(place.waiting, Waiting::Request(_));
        let at = class.iter().position(is_request)?;
        request_of(class.remove(at))
    }

    /// The latest request of the least important class below `class`.
    fn take_less_important(&mut self, class: u16) -> Option<RequestId> {
        let below = self.classes[usize::from(class) + 1..].iter_mut().rev();
        below.into_iter().find(|class| !class.is_empty()).and_then(|c| request_of(c.pop_back()))
    }
}

fn request_of(place: Option<Place>) -> Option<RequestId> {
    match place?.waiting {
        Waiting::Request(request) => Some(request),
        Waiting::Task(_) => {
            unreachable!("tasks wait in the first class, where a request is looked for")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::Span;

    fn line(kind: QueueKind, limit: u32, full: Full, classes: u16) -> Line {
        Line::new(WaitPlan { kind, limit, full, max_wait: None, classes })
    }

    fn id(n: u64) -> RequestId {
        RequestId::from_word(n)
    }

    fn at(ms: u64) -> Time {
        Time::ZERO + Span::millis(ms)
    }

    /// Everybody's turn, as numbers; those dropped are negative.
    fn turns(line: &mut Line, now: Time) -> Vec<i64> {
        let mut turns = Vec::new();
        while let Some(next) = line.next(now) {
            turns.push(match next {
                Next::Serve(Waiting::Request(id)) => id.word().cast_signed(),
                Next::Drop(id) => -id.word().cast_signed(),
                Next::Serve(Waiting::Task(_)) => 0,
            });
        }
        turns
    }

    fn filled(mut line: Line, count: u64) -> Line {
        for n in 1..=count {
            assert_eq!(line.join(id(n), 0, at(n)), Joined::Waits);
        }
        line
    }

    #[test]
    fn each_discipline_has_its_order() {
        let of = |kind| turns(&mut filled(line(kind, 9, Full::Reject, 1), 5), at(9));
        assert_eq!(of(QueueKind::Fifo), [1, 2, 3, 4, 5]);
        assert_eq!(of(QueueKind::Lifo), [5, 4, 3, 2, 1]);
        // The latest first while more than three wait.
        assert_eq!(of(QueueKind::AdaptiveLifo { above: 3 }), [5, 4, 1, 2, 3]);
    }

    #[test]
    fn a_full_line_rejects_blocks_or_drops_the_oldest() {
        let mut rejects = filled(line(QueueKind::Fifo, 2, Full::Reject, 1), 2);
        assert_eq!(rejects.join(id(3), 0, at(3)), Joined::Full);
        let mut blocks = filled(line(QueueKind::Lifo, 2, Full::Block, 1), 4);
        assert_eq!(blocks.requests(), 4);
        assert_eq!(turns(&mut blocks, at(9)), [2, 3, 4, 1], "who is outside is not the latest");
        let mut drops = filled(line(QueueKind::Fifo, 2, Full::DropOldest, 1), 2);
        assert_eq!(drops.join(id(3), 0, at(3)), Joined::Displaced(id(1)));
        assert_eq!(turns(&mut drops, at(9)), [2, 3]);
    }

    #[test]
    fn the_important_go_first_and_displace_the_latest_of_the_least_important() {
        let mut line = line(QueueKind::Priority, 3, Full::Reject, 3);
        for (n, class) in [(1, 2), (2, 1), (3, 2)] {
            assert_eq!(line.join(id(n), class, at(n)), Joined::Waits);
        }
        assert_eq!(line.join(id(4), 2, at(4)), Joined::Full, "an equal gives no place");
        assert_eq!(line.join(id(5), 0, at(5)), Joined::Displaced(id(3)));
        assert_eq!(turns(&mut line, at(9)), [5, 2, 1]);
    }

    #[test]
    fn who_waited_too_long_is_dropped_when_its_turn_comes() {
        let plan = WaitPlan {
            kind: QueueKind::Fifo,
            limit: 9,
            full: Full::Reject,
            max_wait: Some(Span::millis(5)),
            classes: 1,
        };
        assert_eq!(turns(&mut filled(Line::new(plan), 5), at(8)), [-1, -2, 3, 4, 5]);
    }

    #[test]
    fn who_leaves_makes_room_for_who_is_outside() {
        let mut line = filled(line(QueueKind::Fifo, 2, Full::Block, 1), 4);
        assert!(line.leave(id(1)) && line.leave(id(4)) && !line.leave(id(1)));
        assert_eq!((line.requests(), turns(&mut line, at(9))), (2, vec![2, 3]));
    }
}
