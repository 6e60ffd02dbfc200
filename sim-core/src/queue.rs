//! The event queue: what fires next, exactly by instant and then by scheduling order.
//!
//! The ordered structure holds packed keys of 128 bits, `time (64) | order (40) | slot (24)`. The
//! events themselves rest in a slab and are touched twice: when scheduled and when they fire. The
//! low half of a key always names the same event, because an order is never given out twice. It is
//! the event's [`Handle`], and the proof that a key still means the event in its slot.
//!
//! - **Cancelling** empties the slot at once and leaves the key behind as a tombstone. When
//!   tombstones outnumber the living they are swept, so memory stays bounded by live events.
//! - **Lanes** hold the events of one constant delay. Time only moves on, so these come in firing
//!   order already: a first-in-first-out list with a single key in the ordered structure. Guard
//!   timeouts, nearly always cancelled, then cost one ordered operation per delay, not per call.

use std::collections::{BTreeMap, VecDeque};

use crate::ladder::Ladder;
use crate::limits::LimitHit;
use crate::stream::mix;
use crate::time::{Span, Time};

const SLOT_BITS: u32 = 24;
const ORDER_BITS: u32 = 40;
const SLOT_MASK: u64 = (1 << SLOT_BITS) - 1;

/// Orders run out after 10^12 scheduled events, half a day of wall-clock time.
const ORDERS_MAX: u64 = 1 << ORDER_BITS;

/// A program has few constant delays; past this many they are ordinary events.
const LANES_MAX: usize = 1024;

/// Live events that leave each lane a slot, and the last slot to [`Handle::INERT`].
const PENDING_MAX: usize = (1 << SLOT_BITS) - LANES_MAX - 1;

/// Tombstones worth less than a sweep.
const DEAD_MIN: usize = 64;

/// The end of the list of vacant slots.
const NO_SLOT: u32 = u32::MAX;

/// Always names the same scheduled event; inert once the event has fired or been cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handle(u64);

impl Handle {
    /// The handle of an event that was dropped because a limit was hit.
    pub(crate) const INERT: Handle = Handle(u64::MAX);
}

/// The first-in-first-out lane of one constant delay, within the simulation that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane {
    delay: Span,
    /// None when the events of this delay take the ordinary way.
    index: Option<u32>,
}

impl Lane {
    /// The delay of every event on the lane.
    pub fn delay(self) -> Span {
        self.delay
    }
}

/// An event taken out of the queue.
pub(crate) struct Fired<E> {
    pub(crate) at: Time,
    pub(crate) order: u64,
    pub(crate) event: E,
}

enum Slot<E> {
    Vacant {
        next: u32,
    },
    Event {
        handle: Handle,
        lane: Option<u32>,
        event: E,
    },
    /// The slot in the key of a lane; `at` and `order` of that key are those of the lane's head.
    Lane(u32),
}

/// The events of one delay, in firing order.
struct Fifo {
    keys: VecDeque<u128>,
    /// The slot that stands for the lane in the ordered structure.
    slot: u64,
    /// Tombstones in `keys`.
    dead: usize,
    /// Whether a key of this lane is in the ordered structure.
    queued: bool,
}

/// The events that have not fired.
pub(crate) struct EventQueue<E> {
    ordered: Ladder,
    /// Tombstones in the ordered structure.
    dead: usize,
    slots: Vec<Slot<E>>,
    /// The first vacant slot; each names the next.
    vacant: u32,
    lanes: Vec<Fifo>,
    lane_of: BTreeMap<Span, u32>,
    /// Live events.
    len: usize,
    pending_max: usize,
    /// Events scheduled so far: the next order.
    scheduled: u64,
    shuffle: Option<Shuffle>,
}

fn time_of(key: u128) -> Time {
    Time::from_nanos((key >> 64) as u64)
}

fn handle_of(key: u128) -> Handle {
    Handle(key as u64)
}

fn slot_of(handle: Handle) -> usize {
    (handle.0 & SLOT_MASK) as usize
}

/// The key of a lane whose head has the key `head`.
fn lane_key(head: u128, slot: u64) -> u128 {
    head & !u128::from(SLOT_MASK) | u128::from(slot)
}

fn is_live<E>(slots: &[Slot<E>], key: u128) -> bool {
    let handle = handle_of(key);
    matches!(slots[slot_of(handle)], Slot::Event { handle: found, .. } if found == handle)
}

impl<E> EventQueue<E> {
    /// A queue for at most `pending_max` live events; equal instants fire in scheduling order, or
    /// in an order drawn from `shuffle`.
    pub(crate) fn new(pending_max: usize, shuffle: Option<u64>) -> EventQueue<E> {
        EventQueue {
            ordered: Ladder::new(),
            dead: 0,
            slots: Vec::new(),
            vacant: NO_SLOT,
            lanes: Vec::new(),
            lane_of: BTreeMap::new(),
            len: 0,
            pending_max: pending_max.min(PENDING_MAX),
            scheduled: 0,
            shuffle: shuffle.map(Shuffle::new),
        }
    }

    /// Live events.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Bytes held by the queue itself.
    pub(crate) fn memory_bytes(&self) -> usize {
        let on_lanes: usize = self.lanes.iter().map(|fifo| fifo.keys.capacity()).sum();
        let keys = self.ordered.capacity() + on_lanes;
        keys * size_of::<u128>() + self.slots.capacity() * size_of::<Slot<E>>()
    }

    /// Schedules an event; refuses when the queue is full or out of orders.
    #[inline]
    pub(crate) fn push(&mut self, at: Time, event: E) -> Result<Handle, LimitHit> {
        let key = self.store(at, None, event)?;
        self.ordered.push(key);
        Ok(handle_of(key))
    }

    /// The lane of a delay; the same for the same delay.
    pub(crate) fn lane(&mut self, delay: Span) -> Lane {
        if let Some(&index) = self.lane_of.get(&delay) {
            return Lane { delay, index: Some(index) };
        }
        // A shuffled order is not a lane's order, so shuffled events are ordered one by one.
        if self.shuffle.is_some() || self.lanes.len() == LANES_MAX {
            return Lane { delay, index: None };
        }
        let index = self.lanes.len() as u32;
        // Never a vacant slot, which a tombstone may still name.
        let slot = self.slots.len() as u64;
        self.slots.push(Slot::Lane(index));
        self.lanes.push(Fifo { keys: VecDeque::new(), slot, dead: 0, queued: false });
        self.lane_of.insert(delay, index);
        Lane { delay, index: Some(index) }
    }

    /// Schedules on a lane. `at` is the present plus the lane's delay, hence not before any event
    /// already on the lane.
    #[inline]
    pub(crate) fn push_on(&mut self, lane: Lane, at: Time, event: E) -> Result<Handle, LimitHit> {
        let Some(index) = lane.index else { return self.push(at, event) };
        let key = self.store(at, Some(index), event)?;
        let fifo = &mut self.lanes[index as usize];
        fifo.keys.push_back(key);
        if !fifo.queued {
            fifo.queued = true;
            self.ordered.push(lane_key(key, fifo.slot));
        }
        Ok(handle_of(key))
    }

    /// Whether the event has neither fired nor been cancelled.
    pub(crate) fn is_pending(&self, handle: Handle) -> bool {
        let slot = self.slots.get(slot_of(handle));
        matches!(slot, Some(Slot::Event { handle: found, .. }) if *found == handle)
    }

    /// Removes the event; false when it has fired or been cancelled.
    #[inline]
    pub(crate) fn cancel(&mut self, handle: Handle) -> bool {
        let slot = slot_of(handle);
        let lane = match self.slots.get(slot) {
            Some(Slot::Event { handle: found, lane, .. }) if *found == handle => *lane,
            _ => return false,
        };
        self.vacate(slot);
        match lane {
            Some(index) => {
                let fifo = &mut self.lanes[index as usize];
                fifo.dead += 1;
                if fifo.dead > DEAD_MIN + fifo.keys.len() / 2 {
                    fifo.sweep(&self.slots);
                }
            }
            None => {
                self.dead += 1;
                if self.dead > DEAD_MIN + self.len {
                    self.sweep();
                }
            }
        }
        true
    }

    /// Drops all tombstones from the ordered structure.
    #[cold]
    fn sweep(&mut self) {
        let slots = &self.slots;
        self.ordered.retain(|&key| {
            matches!(slots[slot_of(handle_of(key))], Slot::Lane(_)) || is_live(slots, key)
        });
        self.dead = 0;
    }

    /// The next event to fire, which stays.
    pub(crate) fn peek(&mut self) -> Option<(Time, &E)> {
        let (key, _) = self.settle()?;
        match &self.slots[slot_of(handle_of(key))] {
            Slot::Event { event, .. } => Some((time_of(key), event)),
            _ => unreachable!("a settled key names a live event"),
        }
    }

    /// Takes the next event to fire out, unless it fires after `until`.
    #[inline]
    pub(crate) fn pop(&mut self, until: Time) -> Option<Fired<E>> {
        let (key, lane) = self.settle()?;
        let at = time_of(key);
        if at > until {
            return None;
        }
        self.ordered.pop();
        if let Some(index) = lane {
            let fifo = &mut self.lanes[index as usize];
            fifo.keys.pop_front();
            fifo.queued = fifo.advance(&self.slots).map(|key| self.ordered.push(key)).is_some();
        }
        let event = self.vacate(slot_of(handle_of(key)))?;
        Some(Fired { at, order: key as u64 >> SLOT_BITS, event })
    }

    /// Drops tombstones until the first key means a live event; returns that event's own key and
    /// its lane.
    #[inline]
    fn settle(&mut self) -> Option<(u128, Option<u32>)> {
        loop {
            let key = self.ordered.peek()?;
            match self.slots[slot_of(handle_of(key))] {
                Slot::Event { handle, lane, .. } if handle == handle_of(key) => {
                    return Some((key, lane));
                }
                Slot::Lane(index) => {
                    let fifo = &mut self.lanes[index as usize];
                    let next = fifo.advance(&self.slots);
                    if next == Some(key) {
                        return fifo.keys.front().map(|&head| (head, Some(index)));
                    }
                    // The head that this key stood for was cancelled; the next one takes over.
                    self.ordered.pop();
                    fifo.queued = next.map(|key| self.ordered.push(key)).is_some();
                }
                _ => {
                    self.ordered.pop();
                    self.dead -= 1;
                }
            }
        }
    }

    /// Puts an event into a slot and returns its key.
    #[inline]
    fn store(&mut self, at: Time, lane: Option<u32>, event: E) -> Result<u128, LimitHit> {
        if self.len >= self.pending_max {
            return Err(LimitHit::Pending { max: self.pending_max });
        }
        if self.scheduled == ORDERS_MAX {
            return Err(LimitHit::Scheduled { max: ORDERS_MAX });
        }
        let order = match &self.shuffle {
            Some(shuffle) => shuffle.permute(self.scheduled),
            None => self.scheduled,
        };
        self.scheduled += 1;
        self.len += 1;
        let new = self.slots.len();
        let slot = if self.vacant == NO_SLOT { new } else { self.vacant as usize };
        let handle = Handle(order << SLOT_BITS | slot as u64);
        let content = Slot::Event { handle, lane, event };
        match self.slots.get_mut(slot) {
            Some(place) => {
                if let Slot::Vacant { next } = std::mem::replace(place, content) {
                    self.vacant = next;
                }
            }
            None => self.slots.push(content),
        }
        Ok(u128::from(at.as_nanos()) << 64 | u128::from(handle.0))
    }

    /// Empties the slot of an event.
    #[inline]
    fn vacate(&mut self, slot: usize) -> Option<E> {
        let content = std::mem::replace(&mut self.slots[slot], Slot::Vacant { next: self.vacant });
        self.vacant = slot as u32;
        self.len -= 1;
        match content {
            Slot::Event { event, .. } => Some(event),
            _ => None,
        }
    }
}

impl Fifo {
    /// Drops all tombstones.
    #[cold]
    fn sweep<E>(&mut self, slots: &[Slot<E>]) {
        self.keys.retain(|&key| is_live(slots, key));
        self.dead = 0;
    }

    /// Drops the dead at the front; the key that the lane then has in the ordered structure.
    #[inline]
    fn advance<E>(&mut self, slots: &[Slot<E>]) -> Option<u128> {
        while let Some(&head) = self.keys.front() {
            if is_live(slots, head) {
                return Some(lane_key(head, self.slot));
            }
            self.keys.pop_front();
            self.dead -= 1;
        }
        None
    }
}

/// A keyed permutation of the orders: a four-round Feistel network on two halves of 20 bits.
struct Shuffle {
    keys: [u64; 4],
}

impl Shuffle {
    fn new(seed: u64) -> Shuffle {
        Shuffle { keys: [0, 1, 2, 3].map(|round| mix(seed, round)) }
    }

    fn permute(&self, order: u64) -> u64 {
        const HALF: u32 = ORDER_BITS / 2;
        const MASK: u64 = (1 << HALF) - 1;
        let (mut left, mut right) = (order >> HALF, order & MASK);
        for &key in &self.keys {
            (left, right) = (right, left ^ mix(key, right) & MASK);
        }
        left << HALF | right
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;

    use proptest::prelude::*;

    use super::*;
    use crate::stream::{Draw, Purpose, Streams};

    /// What the queue must do, written for the eye: a binary heap on (time, order), with a list
    /// of what is still wanted.
    #[derive(Default)]
    struct Reference {
        heap: BinaryHeap<Reverse<(Time, usize)>>,
        wanted: Vec<bool>,
    }

    impl Reference {
        fn push(&mut self, at: Time) -> usize {
            self.wanted.push(true);
            self.heap.push(Reverse((at, self.wanted.len() - 1)));
            self.wanted.len() - 1
        }

        fn cancel(&mut self, id: usize) -> bool {
            std::mem::replace(&mut self.wanted[id], false)
        }

        fn pop(&mut self, until: Time) -> Option<(Time, usize)> {
            while let Some(&Reverse((at, id))) = self.heap.peek() {
                if self.wanted[id] && at > until {
                    return None;
                }
                self.heap.pop();
                if self.cancel(id) {
                    return Some((at, id));
                }
            }
            None
        }
    }

    #[derive(Clone, Debug)]
    enum Op {
        Push {
            after: u64,
        },
        PushOn {
            delay: u64,
        },
        /// The `nth` of all events so far, counted round.
        Cancel {
            nth: usize,
        },
        Pop {
            within: u64,
        },
    }

    /// Short and long delays: ties are frequent, and far events wait beside near ones.
    fn delays() -> impl Strategy<Value = u64> {
        prop_oneof![3 => 0u64..4, 3 => 0u64..1_000, 1 => 0u64..1_000_000_000, 1 => Just(u64::MAX)]
    }

    fn ops() -> impl Strategy<Value = Vec<Op>> {
        let lanes = prop::sample::select(vec![0, 2, 100, 1_000_000]);
        let op = prop_oneof![
            4 => delays().prop_map(|after| Op::Push { after }),
            3 => lanes.prop_map(|delay| Op::PushOn { delay }),
            3 => any::<usize>().prop_map(|nth| Op::Cancel { nth }),
            4 => delays().prop_map(|within| Op::Pop { within }),
        ];
        prop::collection::vec(op, 0..400)
    }

    /// Runs the same operations on the queue and on the reference.
    fn compare(ops: Vec<Op>) {
        let mut queue = EventQueue::new(usize::MAX, None);
        let mut reference = Reference::default();
        let mut handles = Vec::new();
        let mut now = Time::ZERO;
        for op in ops {
            match op {
                Op::Push { after } => {
                    let at = now + Span::nanos(after);
                    handles.push(queue.push(at, reference.push(at)).unwrap());
                }
                Op::PushOn { delay } => {
                    let lane = queue.lane(Span::nanos(delay));
                    let at = now + lane.delay();
                    handles.push(queue.push_on(lane, at, reference.push(at)).unwrap());
                }
                Op::Cancel { nth } if !handles.is_empty() => {
                    let id = nth % handles.len();
                    assert_eq!(queue.cancel(handles[id]), reference.cancel(id));
                }
                Op::Cancel { .. } => {}
                Op::Pop { within } => {
                    let until = now + Span::nanos(within);
                    let popped = queue.pop(until).map(|fired| (fired.at, fired.event));
                    assert_eq!(popped, reference.pop(until));
                    now = popped.map_or(now, |(at, _)| at);
                }
            }
            assert_eq!(queue.len(), reference.wanted.iter().filter(|&&wanted| wanted).count());
        }
        while let Some(expected) = reference.pop(Time::MAX) {
            assert_eq!(queue.peek(), Some((expected.0, &expected.1)));
            let fired = queue.pop(Time::MAX).map(|fired| (fired.at, fired.event));
            assert_eq!(fired, Some(expected));
        }
        assert!(queue.pop(Time::MAX).is_none());
        assert_eq!(queue.dead, 0, "every tombstone was met once");
        assert!(queue.lanes.iter().all(|lane| lane.dead == 0 && !lane.queued));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn the_queue_agrees_with_the_reference(ops in ops()) {
            compare(ops);
        }
    }

    #[test]
    fn a_large_queue_agrees_with_the_reference() {
        let mut draws = Streams::new(7).open(Purpose(0), 0);
        let ops = (0..60_000)
            .map(|n| match draws.below(8) {
                // Grows to thousands, then drains.
                0..4 if n < 30_000 => Op::Push { after: draws.below(1 << (n % 30)) },
                4 => Op::PushOn { delay: 1 << draws.below(20) },
                5 if n % 2 == 0 => Op::Push { after: 1_000 * draws.below(10) },
                6 => Op::Cancel { nth: draws.below(1 << 14) as usize },
                _ => Op::Pop { within: u64::MAX },
            })
            .collect();
        compare(ops);
    }

    #[test]
    fn ties_pop_in_scheduling_order_across_lanes_and_heap() {
        let mut queue = EventQueue::new(usize::MAX, None);
        let at = Time::from_nanos(5);
        let lane = queue.lane(Span::nanos(5));
        for n in 0..100 {
            match n % 3 {
                0 => queue.push_on(lane, at, n).unwrap(),
                _ => queue.push(at, n).unwrap(),
            };
        }
        let popped: Vec<i32> =
            std::iter::from_fn(|| queue.pop(Time::MAX)).map(|fired| fired.event).collect();
        assert_eq!(popped, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn stale_handles_are_inert_even_when_the_slot_is_taken_again() {
        let mut queue = EventQueue::new(usize::MAX, None);
        let fired = queue.push(Time::ZERO, "fires").unwrap();
        assert!(queue.pop(Time::MAX).is_some());
        let cancelled = queue.push(Time::ZERO, "is cancelled").unwrap();
        assert!(queue.cancel(cancelled));
        queue.push(Time::ZERO, "stays").unwrap();
        assert!(!queue.cancel(fired));
        assert!(!queue.cancel(cancelled));
        assert!(!queue.cancel(Handle::INERT));
        assert_eq!(queue.pop(Time::MAX).map(|fired| fired.event), Some("stays"));
    }

    #[test]
    fn cancelled_timers_do_not_grow_memory() {
        let mut queue = EventQueue::new(usize::MAX, None);
        let lane = queue.lane(Span::secs(60));
        let keep = queue.push(Time::MAX, 0).unwrap();
        for n in 0..200_000 {
            let now = Time::from_nanos(n);
            let guards = [
                queue.push(now + Span::secs(30), n).unwrap(),
                queue.push_on(lane, now + lane.delay(), n).unwrap(),
            ];
            assert!(guards.into_iter().all(|guard| queue.cancel(guard)));
        }
        assert_eq!(queue.len(), 1);
        assert!(queue.cancel(keep));
        assert!(queue.memory_bytes() < 16_384, "{} bytes", queue.memory_bytes());
    }

    #[test]
    fn a_full_queue_refuses_and_recovers() {
        let mut queue = EventQueue::new(2, None);
        let first = queue.push(Time::ZERO, 1).unwrap();
        queue.push(Time::ZERO, 2).unwrap();
        assert_eq!(queue.push(Time::ZERO, 3), Err(LimitHit::Pending { max: 2 }));
        assert!(queue.cancel(first));
        assert!(queue.push(Time::ZERO, 4).is_ok());
    }

    #[test]
    fn orders_end_and_never_wrap() {
        let mut queue = EventQueue::new(usize::MAX, None);
        queue.scheduled = ORDERS_MAX - 1;
        let last = queue.push(Time::ZERO, 1).unwrap();
        assert_eq!(queue.push(Time::ZERO, 2), Err(LimitHit::Scheduled { max: ORDERS_MAX }));
        assert_ne!(last, Handle::INERT);
        assert_eq!(queue.pop(Time::MAX).map(|fired| fired.event), Some(1));
    }

    #[test]
    fn delays_beyond_the_last_lane_are_ordinary_events() {
        let mut queue = EventQueue::new(usize::MAX, None);
        for delay in (0..2 * LANES_MAX as u64).rev() {
            let lane = queue.lane(Span::nanos(delay));
            queue.push_on(lane, Time::ZERO + lane.delay(), delay).unwrap();
        }
        let popped = std::iter::from_fn(|| queue.pop(Time::MAX)).map(|fired| fired.event);
        assert!(popped.eq(0..2 * LANES_MAX as u64));
    }

    #[test]
    fn the_shuffle_is_a_permutation() {
        let shuffle = Shuffle::new(3);
        let mut orders: Vec<u64> = (0..100_000).map(|order| shuffle.permute(order)).collect();
        assert!(!orders.is_sorted());
        assert!(orders.iter().all(|&order| order < ORDERS_MAX));
        orders.sort_unstable();
        orders.dedup();
        assert_eq!(orders.len(), 100_000);
    }
}
