//! A queue that calls may leave from anywhere in it, at the cost of one step.
//!
//! The places stand in one vector, linked forwards and backwards in the order of arrival; those
//! that are free are linked as well. Nothing is searched, and the memory is that of the longest
//! queue there ever was.

/// No place: the end of a chain.
const NONE: u32 = u32::MAX;
/// Places that are allocated before the first call waits.
const FIRST_PLACES: u32 = 64;

/// A place in the queue, given up with [`super::Bulkhead::leave`], or dropped when its turn has
/// come.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub struct Place {
    spot: u32,
    /// No two places ever have the same.
    ticket: u64,
}

/// First come, first served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    spots: Vec<Spot>,
    first: u32,
    last: u32,
    /// The chain of free spots.
    free: u32,
    len: u32,
    /// The next ticket.
    tickets: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Spot {
    ticket: u64,
    /// The caller's name for the call; `None` when it has left and holds its place.
    token: Option<u64>,
    before: u32,
    after: u32,
}

impl Line {
    /// An empty line of which at most `places` are taken at a time.
    pub fn new(places: u32) -> Line {
        let spots = Vec::with_capacity(places.min(FIRST_PLACES) as usize);
        Line { spots, first: NONE, last: NONE, free: NONE, len: 0, tickets: 0 }
    }

    /// Places that are taken.
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// Takes the last place.
    pub fn join(&mut self, token: u64) -> Place {
        let ticket = self.tickets;
        self.tickets += 1;
        let taken = Spot { ticket, token: Some(token), before: self.last, after: NONE };
        let spot = self.free;
        let spot = if spot == NONE {
            self.spots.push(taken);
            u32::try_from(self.spots.len() - 1).expect("fewer than 2³² wait")
        } else {
            self.free = self.spots[spot as usize].after;
            self.spots[spot as usize] = taken;
            spot
        };
        match self.last {
            NONE => self.first = spot,
            last => self.spots[last as usize].after = spot,
        }
        self.last = spot;
        self.len += 1;
        Place { spot, ticket }
    }

    /// Serves the first place: its token, or `Some(None)` when its call has left.
    pub fn serve(&mut self) -> Option<Option<u64>> {
        (self.first != NONE).then(|| self.take_out(self.first))
    }

    /// Gives a place up: those behind move up.
    pub fn give_up(&mut self, place: Place) {
        self.check(&place);
        self.take_out(place.spot);
    }

    /// Leaves a place that stays taken until it is served.
    pub fn abandon(&mut self, place: Place) {
        self.check(&place);
        self.spots[place.spot as usize].token = None;
    }

    fn check(&self, place: &Place) {
        let spot = self.spots.get(place.spot as usize);
        let waits = spot.is_some_and(|spot| spot.ticket == place.ticket && spot.token.is_some());
        assert!(waits, "a place can be left only while its call waits");
    }

    fn take_out(&mut self, spot: u32) -> Option<u64> {
        let taken = &mut self.spots[spot as usize];
        let (before, after, token) = (taken.before, taken.after, taken.token.take());
        taken.after = self.free;
        self.free = spot;
        match before {
            NONE => self.first = after,
            before => self.spots[before as usize].after = after,
        }
        match after {
            NONE => self.last = before,
            after => self.spots[after as usize].before = before,
        }
        self.len -= 1;
        token
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Join,
        Serve,
        GiveUp(prop::sample::Index),
        Abandon(prop::sample::Index),
    }

    proptest! {
        /// Against a plain vector.
        #[test]
        fn it_serves_in_order_whoever_leaves_in_between(steps in proptest::collection::vec(
            prop_oneof![
                3 => Just(Step::Join),
                1 => Just(Step::Serve),
                1 => any::<prop::sample::Index>().prop_map(Step::GiveUp),
                1 => any::<prop::sample::Index>().prop_map(Step::Abandon),
            ],
            0..200,
        )) {
            let mut line = Line::new(4);
            let mut plain: Vec<(Option<u64>, Option<Place>)> = Vec::new();
            let mut longest = 0;
            for (token, step) in (0..).zip(steps) {
                let waiting: Vec<usize> =
                    (0..plain.len()).filter(|&n| plain[n].1.is_some()).collect();
                match step {
                    Step::Join => plain.push((Some(token), Some(line.join(token)))),
                    Step::Serve => {
                        let first = (!plain.is_empty()).then(|| plain.remove(0).0);
                        prop_assert_eq!(line.serve(), first);
                    }
                    Step::GiveUp(_) | Step::Abandon(_) if waiting.is_empty() => {}
                    Step::GiveUp(index) => {
                        let (_, place) = plain.remove(*index.get(&waiting));
                        line.give_up(place.expect("waits"));
                    }
                    Step::Abandon(index) => {
                        let left = &mut plain[*index.get(&waiting)];
                        left.0 = None;
                        line.abandon(left.1.take().expect("waits"));
                    }
                }
                longest = longest.max(plain.len());
                prop_assert_eq!(line.len() as usize, plain.len());
                prop_assert!(line.spots.len() <= longest, "memory of the longest line");
            }
        }
    }

    #[test]
    #[should_panic(expected = "only while its call waits")]
    fn a_place_whose_turn_has_come_cannot_be_left() {
        let mut line = Line::new(1);
        let place = line.join(1);
        assert_eq!(line.serve(), Some(Some(1)));
        let _second_in_the_same_spot = line.join(2);
        line.give_up(place);
    }
}
