//! What a store answers, and the errors of Redis word for word.

use std::fmt;

use crate::value::Value;

/// A number that Redis looks at only after it has looked at the key; the error waits till then.
pub type Late<T> = Result<T, KvError>;

/// What the store answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// No such key, or a condition that failed.
    Nil,
    /// The nil of arrays: an `EXEC` that was called off, a pop with a count from an absent list.
    NilArray,
    /// Written.
    Ok,
    /// Another word of the protocol: `PONG`, `QUEUED`, the name of a type.
    Status(&'static str),
    /// A count, a time to live or a truth value of 0 or 1.
    Int(i64),
    /// A string as it was written; a whole score as a [`Value::Int`].
    Value(Value),
    /// Several replies.
    Array(Vec<Reply>),
    /// Refused; nothing was changed.
    Error(KvError),
}

/// Why the store refused a command; prints as Redis does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KvError {
    /// The key holds another type.
    WrongType,
    /// A text where a 64-bit number is needed.
    NotAnInteger,
    /// A counter would leave 64 bits.
    Overflow,
    /// `DECRBY` of the lowest number.
    DecrementOverflow,
    /// A hash field that is counted in holds a text.
    HashNotAnInteger,
    /// A number that may not be negative, such as a count.
    NotPositive,
    /// Words that make no sense together.
    Syntax,
    /// A text where a floating-point number is needed.
    NotAFloat,
    /// A range of scores whose end is not a floating-point number.
    RangeNotAFloat,
    /// A score of infinity minus infinity.
    ScoreNotANumber,
    /// An expiry of zero, of less, or too far away; names the command.
    InvalidExpiry(&'static str),
    /// A list has fewer elements.
    IndexOutOfRange,
    /// `LSET` on an absent key.
    NoSuchKey,
    /// A string would pass 512 MB.
    TooLong,
    /// No memory is left for a command that may need some.
    OutOfMemory,
    /// A replica takes no writes.
    ReadOnly,
    /// Too few replicas are heard of for a write.
    NoReplicas,
    /// `EXEC` after a command that could not be queued.
    ExecAbort,
    /// An error that a command of a script has met, and the script's SHA-1.
    InScript(Box<KvError>, &'static str),
    /// Any other refusal, spelled out.
    Other(Box<str>),
}

/// A real server has an answer that this node does not have. Says in words what is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotModelled(Box<str>);

impl NotModelled {
    pub(crate) fn new(text: impl Into<Box<str>>) -> NotModelled {
        NotModelled(text.into())
    }
}

impl fmt::Display for NotModelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotModelled {}

impl KvError {
    /// A refusal that stands for itself.
    pub(crate) fn other(text: impl Into<Box<str>>) -> KvError {
        KvError::Other(text.into())
    }

    /// What went wrong, in a script or not.
    pub fn cause(&self) -> &KvError {
        match self {
            KvError::InScript(error, _) => error.cause(),
            error => error,
        }
    }
}

impl std::error::Error for KvError {}

impl fmt::Display for KvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KvError::WrongType => {
                "WRONGTYPE Operation against a key holding the wrong kind of value"
            }
            KvError::NotAnInteger => "ERR value is not an integer or out of range",
            KvError::Overflow => "ERR increment or decrement would overflow",
            KvError::DecrementOverflow => "ERR decrement would overflow",
            KvError::HashNotAnInteger => "ERR hash value is not an integer",
            KvError::NotPositive => "ERR value is out of range, must be positive",
            KvError::Syntax => "ERR syntax error",
            KvError::NotAFloat => "ERR value is not a valid float",
            KvError::RangeNotAFloat => "ERR min or max is not a float",
            KvError::ScoreNotANumber => "ERR resulting score is not a number (NaN)",
            KvError::InvalidExpiry(command) => {
                return write!(f, "ERR invalid expire time in '{command}' command");
            }
            KvError::IndexOutOfRange => "ERR index out of range",
            KvError::NoSuchKey => "ERR no such key",
            KvError::TooLong => "ERR string exceeds maximum allowed size (proto-max-bulk-len)",
            KvError::OutOfMemory => "OOM command not allowed when used memory > 'maxmemory'.",
            KvError::ReadOnly => "READONLY You can't write against a read only replica.",
            KvError::NoReplicas => "NOREPLICAS Not enough good replicas to write.",
            KvError::ExecAbort => "EXECABORT Transaction discarded because of previous errors.",
            KvError::InScript(error, sha1) => {
                return write!(f, "{error} script: {sha1}, on @user_script:1.");
            }
            KvError::Other(text) => text,
        })
    }
}
