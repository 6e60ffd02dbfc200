//! What a request asks for, as its method says it.
//!
//! Answers: "may this be sent again?" as HTTP clients and proxies ask it. They do not know what the
//! work behind a request does; they look at the method.
//!
//! Invites: trust in a word. A `PUT` that adds to a balance is sent again all the same, and a `POST`
//! with a key that the callee heeds is not.
//!
//! Reference: RFC 9110, section 9.2; RFC 5789 for `PATCH`; RFC 4918, section 9.10, for `LOCK`.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The method of a request.
///
/// ```
/// use sim_policies::Method;
///
/// assert_eq!("PUT".parse(), Ok(Method::Put));
/// assert!(Method::Put.is_idempotent() && !Method::Put.is_safe());
/// assert!(!Method::Post.is_idempotent());
/// ```
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize,
)]
#[serde(try_from = "String", into = "&'static str")]
pub enum Method {
    /// Reads.
    #[default]
    Get,
    /// Reads, without the content.
    Head,
    /// Asks what is possible.
    Options,
    /// Asks for the request itself.
    Trace,
    /// Stores this under that name.
    Put,
    /// Removes what has that name.
    Delete,
    /// Does something.
    Post,
    /// Changes a part.
    Patch,
    /// Opens a tunnel.
    Connect,
    /// Takes a lock.
    Lock,
}

impl Method {
    /// All methods.
    pub const ALL: [Method; 10] = [
        Method::Get,
        Method::Head,
        Method::Options,
        Method::Trace,
        Method::Put,
        Method::Delete,
        Method::Post,
        Method::Patch,
        Method::Connect,
        Method::Lock,
    ];

    /// Whether it only reads: RFC 9110, section 9.2.1.
    pub const fn is_safe(self) -> bool {
        matches!(self, Method::Get | Method::Head | Method::Options | Method::Trace)
    }

    /// Whether doing it twice is meant to be as good as once: RFC 9110, section 9.2.2.
    pub const fn is_idempotent(self) -> bool {
        self.is_safe() || matches!(self, Method::Put | Method::Delete)
    }

    /// As it stands in a request.
    pub const fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Options => "OPTIONS",
            Method::Trace => "TRACE",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
            Method::Post => "POST",
            Method::Patch => "PATCH",
            Method::Connect => "CONNECT",
            Method::Lock => "LOCK",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl From<Method> for &'static str {
    fn from(method: Method) -> &'static str {
        method.name()
    }
}

/// A word that names no method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownMethod {
    /// The word.
    pub word: String,
}

impl fmt::Display for UnknownMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Method::ALL.map(|method| format!("\"{method}\"")).join(", ");
        write!(f, "`{}` names no method; allowed are {known}", self.word)
    }
}

impl std::error::Error for UnknownMethod {}

impl std::str::FromStr for Method {
    type Err = UnknownMethod;

    fn from_str(word: &str) -> Result<Method, UnknownMethod> {
        let found = Method::ALL.into_iter().find(|method| method.name() == word);
        found.ok_or_else(|| UnknownMethod { word: word.to_owned() })
    }
}

impl TryFrom<String> for Method {
    type Error = UnknownMethod;

    fn try_from(word: String) -> Result<Method, UnknownMethod> {
        word.parse()
    }
}

impl JsonSchema for Method {
    fn schema_name() -> Cow<'static, str> {
        "Method".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "enum": Method::ALL.map(Method::name),
            "description": "A method of HTTP: `\"POST\"`.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_what_its_name_says() {
        for method in Method::ALL {
            assert_eq!(method.name().parse(), Ok(method));
            assert!(method.is_idempotent() || !method.is_safe(), "{method} reads");
        }
        let safe = Method::ALL.into_iter().filter(|method| method.is_safe()).count();
        let idempotent = Method::ALL.into_iter().filter(|method| method.is_idempotent()).count();
        assert_eq!((safe, idempotent), (4, 6));
    }

    #[test]
    fn a_word_that_names_nothing_is_refused_with_what_is_allowed() {
        for word in ["post", "Post", "", "FETCH"] {
            assert_eq!(word.parse::<Method>(), Err(UnknownMethod { word: word.to_owned() }));
        }
        let error = serde_json::from_str::<Method>("\"post\"").unwrap_err().to_string();
        assert!(error.starts_with("`post` names no method; allowed are \"GET\", \"HEAD\""));
    }
}
