//! What the cells of a map are called and drawn with, and its axes.

use sim_models::study::Region;

use super::ink::Ink;

/// A path without the group that all of its kind are in.
pub fn name(path: &str) -> &str {
    ["actors.", "policies."].iter().find_map(|group| path.strip_prefix(group)).unwrap_or(path)
}

/// A value without the quotes that it has in the file.
pub fn plain(value: &str) -> &str {
    value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value)
}

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
