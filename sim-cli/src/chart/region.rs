//! What the cells of a map are called and drawn with.

use sim_models::study::Region;

use super::ink::Ink;

/// Its name where there is little room.
pub fn short(region: Option<Region>) -> &'static str {
    match region {
        Some(Region::Stable) => "stable",
        Some(Region::Vulnerable) => "vuln.",
        Some(Region::Metastable) => "meta.",
        Some(Region::Overloaded) => "over.",
        Some(Region::Undecided) => "undec.",
        None => "",
    }
}

/// One letter for it.
pub fn letter(region: Option<Region>) -> &'static str {
    match region {
        Some(Region::Stable) => "S",
        Some(Region::Vulnerable) => "V",
        Some(Region::Metastable) => "M",
        Some(Region::Overloaded) => "O",
        Some(Region::Undecided) => "?",
        None => "–",
    }
}

/// The ink that its cells are filled with.
pub fn region_ink(region: Option<Region>) -> Ink {
    match region {
        Some(Region::Stable) => Ink::Closed,
        Some(Region::Vulnerable) => Ink::HalfOpen,
        Some(Region::Metastable) => Ink::Open,
        Some(Region::Overloaded) => Ink::Fault,
        Some(Region::Undecided) => Ink::Blank,
        None => Ink::Blank,
    }
}
