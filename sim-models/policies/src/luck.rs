//! The numbers that a library takes from its random generator, from one addressed draw.

use sim_core::mix;

/// One draw of 64 bits as the numbers in [0, 1) that a library takes from its generator. Few take
/// more than one at a time.
pub struct Luck {
    pub(crate) draw: u64,
    taken: u64,
}

impl Luck {
    /// The numbers of one draw, which is uniform over all of `u64`.
    pub(crate) const fn new(draw: u64) -> Luck {
        Luck { draw, taken: 0 }
    }

    /// The next number in [0, 1).
    pub(crate) fn uniform(&mut self) -> f64 {
        // The first is the draw itself; the others are mixed from it.
        let draw = if self.taken == 0 { self.draw } else { mix(self.draw, self.taken) };
        self.taken += 1;
        (draw >> 11) as f64 / (1u64 << 53) as f64
    }
}
