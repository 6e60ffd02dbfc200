//! Where the actors of a topology stand: callers at the left of those whom they call.
//!
//! A hop that leads back, as in a circle, is turned round for the layout alone. A hop over several
//! columns passes through a place of its own in each between, so that it crosses no actor. All of it
//! depends on the order of actors and hops only.

use std::collections::BTreeMap;

/// Sweeps over the columns until the order hardly changes any more.
const SWEEPS: usize = 6;

/// A layout.
#[derive(Debug, PartialEq, Eq)]
pub struct Layout {
    /// The actors and places of passage of each column, from top to bottom.
    pub columns: Vec<Vec<Place>>,
    /// The column of each actor.
    pub column: Vec<usize>,
}

/// What stands in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// An actor, by its number.
    Actor(usize),
    /// A hop on its way through, by its number.
    Passage(usize),
}

/// Lays out so many actors with hops between them.
pub fn layout(actors: usize, hops: &[(usize, usize)]) -> Layout {
    let forward = forward(actors, hops);
    let column = columns(actors, &forward);
    let count = column.iter().max().map_or(0, |last| last + 1);
    let mut placed: Vec<Vec<Place>> = vec![Vec::new(); count];
    for (actor, column) in column.iter().enumerate() {
        placed[*column].push(Place::Actor(actor));
    }
    // The neighbours of each place: in the columns at its left and at its right.
    let mut beside: BTreeMap<Place, [Vec<Place>; 2]> = BTreeMap::new();
    let mut join = |left: Place, right: Place| {
        beside.entry(left).or_default()[1].push(right);
        beside.entry(right).or_default()[0].push(left);
    };
    for (hop, (from, to)) in forward.iter().enumerate() {
        let mut last = Place::Actor(*from);
        for (n, between) in placed.iter_mut().enumerate() {
            if column[*from] < n && n < column[*to] {
                let place = Place::Passage(hop);
                between.push(place);
            }
        }
        // A passage is one place in all columns: its neighbours are its ends.
        if column[*to] > column[*from] + 1 {
            join(last, Place::Passage(hop));
            last = Place::Passage(hop);
        }
        if from != to {
            join(last, Place::Actor(*to));
        }
    }
    for sweep in 0..SWEEPS {
        order(&mut placed, &beside, sweep % 2 == 0);
    }
    Layout { columns: placed, column }
}

/// Puts each place near the middle of its neighbours on one side, column by column.
fn order(
    columns: &mut [Vec<Place>],
    beside: &BTreeMap<Place, [Vec<Place>; 2]>,
    to_the_right: bool,
) {
    let count = columns.len();
    let sequence: Vec<usize> = if to_the_right {
        (1..count).collect()
    } else {
        (0..count.saturating_sub(1)).rev().collect()
    };
    for n in sequence {
        let other = if to_the_right { n - 1 } else { n + 1 };
        let at: BTreeMap<Place, usize> =
            columns[other].iter().enumerate().map(|(at, place)| (*place, at)).collect();
        let middle = |(own, place): (usize, &Place)| {
            let near = beside.get(place).map(|sides| &sides[usize::from(!to_the_right)]);
            let near = near.into_iter().flatten();
            // One that passes through both columns keeps its height.
            let near: Vec<usize> =
                near.chain([place]).filter_map(|place| at.get(place)).copied().collect();
            // In halves of a thousandth: integers have no rounding to depend on.
            match near.len() {
                0 => own * 1_000,
                many => near.iter().sum::<usize>() * 1_000 / many,
            }
        };
        let mut keyed: Vec<(usize, usize, Place)> = columns[n]
            .iter()
            .enumerate()
            .map(|(own, place)| (middle((own, place)), own, *place))
            .collect();
        keyed.sort_unstable();
        columns[n] = keyed.into_iter().map(|(_, _, place)| place).collect();
    }
}

/// The hops, those turned round that would close a circle.
fn forward(actors: usize, hops: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let mut out = vec![Vec::new(); actors];
    for (hop, (from, _)) in hops.iter().enumerate() {
        out[*from].push(hop);
    }
    // 0 is new, 1 is on the way, 2 is done.
    let mut state = vec![0u8; actors];
    let mut turned = hops.to_vec();
    for start in 0..actors {
        let mut path: Vec<(usize, usize)> = Vec::new();
        if state[start] == 0 {
            state[start] = 1;
            path.push((start, 0));
        }
        while let Some((actor, next)) = path.pop() {
            let Some(hop) = out[actor].get(next).copied() else {
                state[actor] = 2;
                continue;
            };
            path.push((actor, next + 1));
            let to = hops[hop].1;
            match state[to] {
                0 => {
                    state[to] = 1;
                    path.push((to, 0));
                }
                1 => turned[hop] = (to, actor),
                _ => {}
            }
        }
    }
    turned
}

/// The column of each actor: one more than that of its furthest caller.
fn columns(actors: usize, forward: &[(usize, usize)]) -> Vec<usize> {
    let mut column = vec![0; actors];
    // Without circles the longest way has fewer hops than there are actors.
    for _ in 0..actors {
        let mut is_settled = true;
        for (from, to) in forward.iter().filter(|(from, to)| from != to) {
            if column[*to] < column[*from] + 1 {
                column[*to] = column[*from] + 1;
                is_settled = false;
            }
        }
        if is_settled {
            break;
        }
    }
    column
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_stand_at_the_left_of_whom_they_call() {
        let hops = [(0, 1), (1, 2), (0, 2), (1, 3)];
        let laid = layout(4, &hops);
        assert_eq!(laid.column, [0, 1, 2, 2]);
        assert!(laid.columns[1].contains(&Place::Passage(2)), "{laid:?}");
        assert!(hops.iter().all(|(from, to)| laid.column[*from] < laid.column[*to]));
    }

    #[test]
    fn a_circle_and_a_call_to_oneself_end() {
        let laid = layout(3, &[(0, 1), (1, 2), (2, 0), (1, 1)]);
        assert_eq!(laid.column, [0, 1, 2]);
        let everyone = laid.columns.iter().flatten().filter(|p| matches!(p, Place::Actor(_)));
        assert_eq!(everyone.count(), 3);
        assert_eq!(layout(0, &[]).columns.len(), 0);
    }

    #[test]
    fn hops_that_could_cross_do_not() {
        let laid = layout(4, &[(0, 3), (1, 2)]);
        let row = |actor: usize| {
            laid.columns[laid.column[actor]].iter().position(|p| *p == Place::Actor(actor))
        };
        assert_eq!((row(3), row(2)), (Some(0), Some(1)), "{laid:?}");
    }
}
