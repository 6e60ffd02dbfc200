//! "Did you mean": the known word that a misspelt one most resembles.

/// 0.8 on the Jaro–Winkler scale keeps `worker` → `workers` and `Expo` → `Exponential`, and says
/// nothing about words that merely share a few letters.
const LIKENESS_MIN: f64 = 0.8;

/// The candidate that reads most like `word`, or none when nothing comes near.
///
/// Capitals don't count; among equals the first one wins.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let mut best = None;
    let mut best_likeness = LIKENESS_MIN;
    for candidate in candidates {
        let likeness = strsim::jaro_winkler(&word, &candidate.to_lowercase());
        if likeness > best_likeness || (likeness == best_likeness && best.is_none()) {
            (best, best_likeness) = (Some(candidate), likeness);
        }
    }
    best
}

/// What to say after `word` was not among `known`: the near one, else all of them.
pub(crate) fn advice<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let known: Vec<&str> = known.into_iter().collect();
    if let Some(near) = closest(word, known.iter().copied()) {
        return Some(format!("did you mean `{near}`?"));
    }
    let all: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    match all.as_slice() {
        [] => None,
        [one] => Some(format!("only {one} is known here")),
        [some @ .., last] => Some(format!("known here are {} and {last}", some.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word() {
        let known = ["workers", "queue", "endpoints", "Exponential"];
        assert_eq!(closest("worker", known), Some("workers"));
        assert_eq!(closest("enpdoints", known), Some("endpoints"));
        assert_eq!(closest("expo", known), Some("Exponential"));
    }

    #[test]
    fn a_stranger_finds_nothing_and_is_shown_the_choice() {
        assert_eq!(closest("jitter", ["workers", "queue"]), None);
        let shown = advice("jitter", ["workers", "queue"]).unwrap();
        assert_eq!(shown, "known here are `workers` and `queue`");
    }
}
