//! A set of endings: which ways to fail a policy cares about.
//!
//! Answers: "retry 503 and timeouts, nothing else" as a list of words, read once and asked in a
//! few nanoseconds.
//!
//! Invites: naming too much. A 400 stays a 400 however often it is repeated.
//!
//! ```text
//! "503"                  one status, 100 to 599
//! "5xx"                  a class of statuses, 1xx to 5xx
//! "500..=504"            a range of statuses, both ends included
//! "timeout"              no answer came in time
//! "refused"              the connection was refused
//! "reset"                the connection broke
//! "rejected"             a policy on the caller's side said no
//! "cancelled"            the caller let go of the call before it ended (breakers only)
//! ```

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, SeqAccess};
use serde::{Deserialize, Serialize, Serializer};

use crate::Ending;

/// The lowest and the highest status that a set can hold.
const STATUSES: (u16, u16) = (100, 599);

/// Words of 64 bits that hold one bit for each status.
const WORDS: usize = ((STATUSES.1 - STATUSES.0) as usize + 1).div_ceil(64);

/// A set of [`Ending`]s.
///
/// ```
/// use sim_policies::{Ending, EndingSet};
///
/// let set = EndingSet::of(["5xx", "429", "timeout"])?;
/// assert!(set.contains(Ending::Status(503)));
/// assert!(set.contains(Ending::TimedOut));
/// assert!(!set.contains(Ending::Status(404)));
/// # Ok::<(), sim_policies::UnknownEnding>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct EndingSet {
    statuses: [u64; WORDS],
    timeout: bool,
    refused: bool,
    reset: bool,
    rejected: bool,
    cancelled: bool,
}

/// A word that names no ending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownEnding {
    /// The word.
    pub word: String,
}

impl EndingSet {
    /// No ending at all.
    pub const NONE: EndingSet = EndingSet {
        statuses: [0; WORDS],
        timeout: false,
        refused: false,
        reset: false,
        rejected: false,
        cancelled: false,
    };

    /// What a library means that "retries every exception": each status from 400 on, each broken
    /// or missing answer, and also what the caller's own breaker or bulkhead has refused.
    pub const ANY_FAILURE: EndingSet =
        EndingSet { rejected: true, ..EndingSet::NONE.with_statuses(400, 599).with_no_answer() };

    /// What .NET's `HttpClientResiliencePredicates` calls transient: 408, 429, each 5xx and each
    /// broken or missing answer.
    pub const TRANSIENT: EndingSet = EndingSet::NONE
        .with_statuses(408, 408)
        .with_statuses(429, 429)
        .with_statuses(500, 599)
        .with_no_answer();

    /// 408, 429, 500, 502, 503, 504 and every broken or missing answer.
    ///
    /// Not in it is 409, which some servers use for "busy with the same key" and most for "your
    /// request contradicts what is stored". Nor is what an open breaker or a full bulkhead inside
    /// the retry has refused, since they refuse in order to shed load. Add them by name.
    pub const RETRYABLE: EndingSet = EndingSet::NONE
        .with_statuses(408, 408)
        .with_statuses(429, 429)
        .with_statuses(500, 500)
        .with_statuses(502, 504)
        .with_no_answer();

    /// The endings that the words name.
    ///
    /// # Errors
    /// Names the first word that is none of those in the table above.
    pub fn of<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<EndingSet, UnknownEnding> {
        words.into_iter().try_fold(EndingSet::NONE, EndingSet::with)
    }

    /// The set with the endings that `word` names.
    ///
    /// # Errors
    /// When the word is none of those in the table above.
    pub fn with(mut self, word: &str) -> Result<EndingSet, UnknownEnding> {
        match word {
            "timeout" => self.timeout = true,
            "refused" => self.refused = true,
            "reset" => self.reset = true,
            "rejected" => self.rejected = true,
            "cancelled" => self.cancelled = true,
            _ => {
                let range = statuses(word).ok_or_else(|| UnknownEnding { word: word.to_owned() });
                let (first, last) = range?;
                return Ok(self.with_statuses(first, last));
            }
        }
        Ok(self)
    }

    /// The set with all statuses from `first` to `last` that it can hold.
    pub(super) const fn with_statuses(mut self, first: u16, last: u16) -> EndingSet {
        let mut status = first;
        while status <= last {
            if let Some((word, bit)) = place(status) {
                self.statuses[word] |= bit;
            }
            status += 1;
        }
        self
    }

    /// The set with refused connections.
    pub(super) const fn with_refused(self) -> EndingSet {
        EndingSet { refused: true, ..self }
    }

    /// The set with refused and reset connections.
    pub(super) const fn with_broken(self) -> EndingSet {
        EndingSet { refused: true, reset: true, ..self }
    }

    /// The set with timeouts, refused and reset connections.
    pub(super) const fn with_no_answer(self) -> EndingSet {
        EndingSet { timeout: true, ..self.with_broken() }
    }

    /// True when `ending` is in the set.
    pub const fn contains(&self, ending: Ending) -> bool {
        match ending {
            Ending::Status(status) => match place(status) {
                Some((word, bit)) => self.statuses[word] & bit != 0,
                None => false,
            },
            Ending::TimedOut => self.timeout,
            Ending::Refused => self.refused,
            Ending::Reset => self.reset,
            Ending::Rejected(_) => self.rejected,
        }
    }

    /// True when calls that the caller has let go of are in the set. Such a call has no ending.
    pub const fn has_cancelled(&self) -> bool {
        self.cancelled
    }

    /// The fewest words that name the set: classes and ranges of statuses first.
    pub fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        let mut status = STATUSES.0;
        while status <= STATUSES.1 {
            let first = status;
            while status <= STATUSES.1 && self.contains(Ending::Status(status)) {
                status += 1;
                if status.is_multiple_of(100) {
                    break;
                }
            }
            match status - first {
                0 => status += 1,
                1 => words.push(first.to_string()),
                100 => words.push(format!("{}xx", first / 100)),
                _ => words.push(format!("{first}..={}", status - 1)),
            }
        }
        let flags = [
            (self.timeout, "timeout"),
            (self.refused, "refused"),
            (self.reset, "reset"),
            (self.rejected, "rejected"),
            (self.cancelled, "cancelled"),
        ];
        words.extend(flags.into_iter().filter(|(is, _)| *is).map(|(_, word)| word.to_owned()));
        words
    }
}

/// Where the bit of a status lies; `None` for a status that no set can hold.
const fn place(status: u16) -> Option<(usize, u64)> {
    if status < STATUSES.0 || status > STATUSES.1 {
        return None;
    }
    let n = (status - STATUSES.0) as usize;
    Some((n / 64, 1 << (n % 64)))
}

/// The first and the last status that `word` names.
fn statuses(word: &str) -> Option<(u16, u16)> {
    let status = |text: &str| {
        // `parse` alone would also take a sign.
        let digits = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
        let status = text.parse().ok().filter(|_| digits)?;
        (STATUSES.0..=STATUSES.1).contains(&status).then_some(status)
    };
    if let Some(class) = word.strip_suffix("xx") {
        let first = status(&format!("{class}00"))?;
        return Some((first, first + 99));
    }
    if let Some((first, last)) = word.split_once("..=") {
        let (first, last) = (status(first)?, status(last)?);
        return (first <= last).then_some((first, last));
    }
    let status = status(word)?;
    Some((status, status))
}

impl fmt::Debug for EndingSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.words()).finish()
    }
}

impl fmt::Display for EndingSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.words();
        f.pad(&if words.is_empty() { "nothing".to_owned() } else { words.join(", ") })
    }
}

impl fmt::Display for UnknownEnding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` names no ending; allowed are a status from {} to {} (\"503\"), a class of \
             statuses (\"5xx\"), a range of statuses (\"500..=504\"), \"timeout\", \"refused\", \
             \"reset\", \"rejected\" and, for a breaker, \"cancelled\"",
            self.word, STATUSES.0, STATUSES.1
        )
    }
}

impl std::error::Error for UnknownEnding {}

impl JsonSchema for EndingSet {
    fn schema_name() -> Cow<'static, str> {
        "Endings".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "items": { "type": "string" },
            "description": "A list of endings: `[\"5xx\", \"429\", \"timeout\"]`.",
        })
    }
}

impl<'de> Deserialize<'de> for EndingSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<EndingSet, D::Error> {
        struct Words;
        impl<'de> de::Visitor<'de> for Words {
            type Value = EndingSet;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of endings, such as [\"5xx\", \"timeout\"]")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut words: A) -> Result<EndingSet, A::Error> {
                let mut set = EndingSet::NONE;
                while let Some(word) = words.next_element::<String>()? {
                    set = set.with(&word).map_err(de::Error::custom)?;
                }
                Ok(set)
            }
        }
        deserializer.deserialize_seq(Words)
    }
}

impl Serialize for EndingSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.words())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Reason;

    fn endings() -> impl Strategy<Value = Ending> {
        prop_oneof![
            any::<u16>().prop_map(Ending::Status),
            (100..600u16).prop_map(Ending::Status),
            Just(Ending::TimedOut),
            Just(Ending::Refused),
            Just(Ending::Reset),
            Just(Ending::Rejected(Reason::BreakerProbing)),
        ]
    }

    fn words() -> impl Strategy<Value = Vec<String>> {
        let word = prop_oneof![
            (100..600u16).prop_map(|status| status.to_string()),
            (1..6u16).prop_map(|class| format!("{class}xx")),
            (100..600u16, 100..600u16).prop_map(|(a, b)| format!("{}..={}", a.min(b), a.max(b))),
            prop::sample::select(vec!["timeout", "refused", "reset", "rejected", "cancelled"])
                .prop_map(str::to_owned),
        ];
        prop::collection::vec(word, 0..6)
    }

    /// What a word means, without sets and bits.
    fn names(word: &str, ending: Ending) -> bool {
        match ending {
            Ending::TimedOut => word == "timeout",
            Ending::Refused => word == "refused",
            Ending::Reset => word == "reset",
            Ending::Rejected(_) => word == "rejected",
            Ending::Status(status) => match word.split_once("..=") {
                Some((first, last)) => {
                    (first.parse().unwrap()..=last.parse().unwrap()).contains(&status)
                }
                None if word.ends_with("xx") => word == format!("{}xx", status / 100),
                None => word == status.to_string(),
            },
        }
    }

    proptest! {
        #[test]
        fn a_set_holds_what_one_of_its_words_names(words in words(), ending in endings()) {
            let set = EndingSet::of(words.iter().map(String::as_str)).unwrap();
            let named = words.iter().any(|word| names(word, ending));
            prop_assert_eq!(set.contains(ending), named);
            prop_assert_eq!(set.has_cancelled(), words.iter().any(|word| word == "cancelled"));
        }

        #[test]
        fn the_words_of_a_set_give_it_back(words in words()) {
            let set = EndingSet::of(words.iter().map(String::as_str)).unwrap();
            let again = set.words();
            prop_assert_eq!(EndingSet::of(again.iter().map(String::as_str)), Ok(set));
            let text = serde_json::to_string(&set).unwrap();
            prop_assert_eq!(serde_json::from_str::<EndingSet>(&text).unwrap(), set);
        }
    }

    #[test]
    fn a_set_prints_as_people_write_it() {
        let show = |set: EndingSet| set.to_string();
        assert_eq!(show(EndingSet::NONE), "nothing");
        assert_eq!(show(EndingSet::TRANSIENT), "408, 429, 5xx, timeout, refused, reset");
        assert_eq!(show(EndingSet::ANY_FAILURE), "4xx, 5xx, timeout, refused, reset, rejected");
        assert_eq!(
            show(EndingSet::of(["500..=504", "199..=201"]).unwrap()),
            "199, 200..=201, 500..=504"
        );
    }

    #[test]
    fn a_word_that_names_nothing_is_refused_by_name() {
        for word in ["", "99", "600", "6xx", "0xx", "xx", "+50", "504..=500", "5xx..=", "Timeout"] {
            let unknown = UnknownEnding { word: word.to_owned() };
            assert_eq!(EndingSet::of(["503", word]), Err(unknown), "{word}");
        }
        let error = serde_json::from_str::<EndingSet>(r#"["503", "slow"]"#).unwrap_err();
        assert!(error.to_string().starts_with("`slow` names no ending; allowed are a status from"));
        let error = serde_json::from_str::<EndingSet>("503").unwrap_err();
        assert!(error.to_string().contains("expected a list of endings, such as"), "{error}");
    }
}
