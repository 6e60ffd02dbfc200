//! The status codes of gRPC, and what they are among the endings of calls.
//!
//! A service of a scenario answers with HTTP statuses. A gRPC policy names gRPC's codes, so each code
//! stands for the endings in which a client would see it:
//!
//! ```text
//!  1 CANCELLED          499              9 FAILED_PRECONDITION  400
//!  2 UNKNOWN            500             10 ABORTED              409
//!  3 INVALID_ARGUMENT   400             11 OUT_OF_RANGE         400
//!  4 DEADLINE_EXCEEDED  504, timeout    12 UNIMPLEMENTED        501
//!  5 NOT_FOUND          404             13 INTERNAL             500
//!  6 ALREADY_EXISTS     409             14 UNAVAILABLE          503, refused, reset
//!  7 PERMISSION_DENIED  403             15 DATA_LOSS            500
//!  8 RESOURCE_EXHAUSTED 429             16 UNAUTHENTICATED      401
//! ```
//!
//! Reference: `google/rpc/code.proto` for the statuses; gRPC's `statuscodes.md` and proposal A6 for
//! what a client makes of a connection that fails.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, SeqAccess};
use serde::{Deserialize, Serialize, Serializer};

use crate::{Ending, EndingSet};

/// The codes by number, each with its status.
const CODES: [(&str, u16); 17] = [
    ("OK", 200),
    ("CANCELLED", 499),
    ("UNKNOWN", 500),
    ("INVALID_ARGUMENT", 400),
    ("DEADLINE_EXCEEDED", 504),
    ("NOT_FOUND", 404),
    ("ALREADY_EXISTS", 409),
    ("PERMISSION_DENIED", 403),
    ("RESOURCE_EXHAUSTED", 429),
    ("FAILED_PRECONDITION", 400),
    ("ABORTED", 409),
    ("OUT_OF_RANGE", 400),
    ("UNIMPLEMENTED", 501),
    ("INTERNAL", 500),
    ("UNAVAILABLE", 503),
    ("DATA_LOSS", 500),
    ("UNAUTHENTICATED", 401),
];

/// A set of gRPC's codes, written as names, as numbers, or as the endings of [`EndingSet`].
///
/// ```
/// use sim_policies::Ending;
/// use sim_policies::grpc_codes::GrpcCodes;
///
/// let codes: GrpcCodes = serde_json::from_str(r#"[14, "RESOURCE_EXHAUSTED"]"#)?;
/// assert!(codes.contains(Ending::Status(503)) && codes.contains(Ending::Refused));
/// assert!(codes.contains(Ending::Status(429)) && !codes.contains(Ending::TimedOut));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GrpcCodes(EndingSet);

impl GrpcCodes {
    /// `UNAVAILABLE`.
    pub const UNAVAILABLE: GrpcCodes =
        GrpcCodes(EndingSet::NONE.with_statuses(503, 503).with_broken());

    /// The endings in which a client sees one of the codes.
    pub const fn endings(self) -> EndingSet {
        self.0
    }

    /// Whether a client sees one of the codes in `ending`.
    pub const fn contains(&self, ending: Ending) -> bool {
        self.0.contains(ending)
    }

    /// The set with the code of this number; statuses of HTTP may stand for codes too.
    fn with_number(self, number: u64) -> Result<GrpcCodes, String> {
        match usize::try_from(number).ok().and_then(|number| CODES.get(number)) {
            Some((name, _)) => self.with_word(name),
            None => self.with_word(&number.to_string()),
        }
    }

    /// The set with the code of this name, or with the endings that the word names.
    fn with_word(self, word: &str) -> Result<GrpcCodes, String> {
        let Some((name, status)) = CODES.iter().find(|(name, _)| *name == word) else {
            let set = self.0.with(word).map_err(|_| unknown(word))?;
            return if set.has_cancelled() { Err(unknown(word)) } else { Ok(GrpcCodes(set)) };
        };
        let set = self.0.with_statuses(*status, *status);
        match *name {
            "OK" => Err("OK is no failure".to_owned()),
            "UNAVAILABLE" => Ok(GrpcCodes(set.with_broken())),
            "DEADLINE_EXCEEDED" => Ok(GrpcCodes(set.with("timeout").expect("a known word"))),
            _ => Ok(GrpcCodes(set)),
        }
    }
}

fn unknown(word: &str) -> String {
    let names: Vec<&str> = CODES[1..].iter().map(|(name, _)| *name).collect();
    format!(
        "`{word}` names no status code; allowed are gRPC's numbers 1 to 16, their names ({}), and \
         endings such as \"503\" or \"timeout\"",
        names.join(", ")
    )
}

/// The endings in the place of codes.
impl From<EndingSet> for GrpcCodes {
    fn from(endings: EndingSet) -> GrpcCodes {
        GrpcCodes(endings)
    }
}

impl JsonSchema for GrpcCodes {
    fn schema_name() -> Cow<'static, str> {
        "GrpcCodes".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "items": { "anyOf": [{ "type": "string" }, { "type": "integer", "minimum": 1 }] },
            "x-wanted": "list of gRPC status codes",
            "description": "A list of gRPC's status codes: `[\"UNAVAILABLE\", 8]`.",
        })
    }
}

impl<'de> Deserialize<'de> for GrpcCodes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<GrpcCodes, D::Error> {
        /// One code.
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Code {
            Number(u64),
            Word(String),
        }

        struct Codes;
        impl<'de> de::Visitor<'de> for Codes {
            type Value = GrpcCodes;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of gRPC's status codes, such as [\"UNAVAILABLE\", 8]")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut codes: A) -> Result<GrpcCodes, A::Error> {
                let mut set = GrpcCodes::default();
                while let Some(code) = codes.next_element()? {
                    let with = match code {
                        Code::Number(number) => set.with_number(number),
                        Code::Word(word) => set.with_word(&word),
                    };
                    set = with.map_err(de::Error::custom)?;
                }
                Ok(set)
            }
        }
        deserializer.deserialize_seq(Codes)
    }
}

impl Serialize for GrpcCodes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        let codes = ron::from_str::<GrpcCodes>(text).map_err(|error| error.to_string())?;
        Ok(codes.endings().to_string())
    }

    #[test]
    fn a_number_and_its_name_are_the_same_code() {
        for (number, (name, status)) in CODES.iter().enumerate().skip(1) {
            let by_number = read(&format!("[{number}]")).expect("a code");
            assert_eq!(read(&format!("[\"{name}\"]")), Ok(by_number.clone()));
            assert!(by_number.contains(&status.to_string()), "{name}: {by_number}");
        }
    }

    #[test]
    fn a_connection_that_fails_is_unavailable_and_a_late_answer_over_its_deadline() {
        assert_eq!(read("[14]"), Ok("503, refused, reset".to_owned()));
        assert_eq!(read("[4]"), Ok("504, timeout".to_owned()));
        assert_eq!(read("[\"503\", 504]"), Ok("503..=504".to_owned()));
    }

    #[test]
    fn what_is_no_code_is_refused_with_those_that_are() {
        for text in ["[0]", "[17]", "[99]", "[\"Unavailable\"]", "[\"cancelled\"]", "[600]"] {
            let error = read(text).expect_err(text);
            assert!(error.contains("OK is no failure") || error.contains("UNAVAILABLE"), "{error}");
        }
    }
}
