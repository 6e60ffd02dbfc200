//! Figures as SVG: the timeline of a run, the comparison of several, the map of a system.
//!
//! A file is a pure function of what it shows: no clock, no font, no platform mathematics. It
//! is readable without colour and follows the reader's light or dark preference. Panels without
//! content are left out.

mod axis;
mod backend;
mod bands;
mod canvas;
mod compare;
mod curve;
mod distribution;
mod dots;
mod ink;
mod lanes;
mod lines;
mod map;
mod measure;
mod nines;
mod numbers;
mod picture;
mod readout;
mod region;
mod resources;
mod sequence;
mod shares;
mod sheet;
mod stack;
mod strips;
mod timeline;
mod topology;

pub use compare::comparison;
pub use distribution::distributions;
pub use map::map;
pub use picture::{Picture, style};
pub use readout::{Readout, readout};
pub use sequence::sequence;
pub use timeline::timeline;

/// So many sides of a comparison have lines; of others no run is needed.
pub const DRAWN_MAX: usize = ink::SIDES.len();
pub use topology::{failing, load, refused, topology};

#[cfg(test)]
mod tests;
