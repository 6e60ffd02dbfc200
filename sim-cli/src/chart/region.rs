//! What the cells of a map are called and drawn with, and its axes.

use sim_models::study::Region;

use super::ink::Ink;

/// A path as people speak of it: `rate of users`, `attempts of policy p[0]`, `for of fault 1`.
pub fn spoken(path: &str) -> String {
    let parts: Vec<&str> = path.split('.').collect();
    let nth = |part: &str| {
        let n = part.strip_suffix(']')?.split_once('[')?.1.parse::<usize>().ok()?;
        n.checked_add(1)
    };
    match &parts[..] {
        ["actors", actor, .., what] => format!("{what} of {actor}"),
        ["policies", policy, .., what] => format!("{what} of policy {policy}"),
        [one, .., what] => match (one.split('[').next(), nth(one)) {
            (Some("faults"), Some(n)) => format!("{what} of fault {n}"),
            (Some("links"), Some(n)) => format!("{what} of link {n}"),
            _ => path.to_owned(),
        },
        _ => path.to_owned(),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_is_named_as_people_speak() {
        for (path, said) in [
            ("actors.users.load.rate", "rate of users"),
            ("policies.p[0].attempts", "attempts of policy p[0]"),
            ("policies.p", "policies.p"),
            ("faults[0].for", "for of fault 1"),
            ("links[2].latency", "latency of link 3"),
            ("horizon", "horizon"),
        ] {
            assert_eq!(spoken(path), said);
        }
    }
}
