//! How a command is spelled: its name, the number of its words, what it needs of a node, and how
//! its words are read.

use crate::number::{Bound, parse_bound, parse_int, parse_score};
use crate::reply::KvError;
use crate::value::{Key, TextId, Texts, Value};

/// What a command needs of the node that carries it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing: it changes no key.
    Read,
    /// A primary: a replica refuses it.
    Write,
    /// A primary with memory: without memory it is refused (`deny-oom`).
    Grow,
    /// Nothing at first; each command that the script calls needs its own.
    Script,
}

impl Access {
    /// Whether a replica refuses it.
    pub(crate) fn is_write(self) -> bool {
        matches!(self, Access::Write | Access::Grow)
    }
}

/// One command as clients spell it; as in `redis-server 7.0.15`.
pub(crate) struct Spelling<C: 'static> {
    /// In lower case, as errors spell it. A name that starts with `@` is a script that people send
    /// as `EVAL`.
    pub(crate) name: &'static str,
    /// How many words, with the name; negative: at least as many.
    arity: i64,
    /// What it needs.
    pub(crate) access: Access,
    /// Makes a command of its words.
    pub(crate) read: Read<C>,
}

/// Reads words whose name and number are right already.
///
/// # Errors
/// What Redis answers when it comes to carry the command out.
pub(crate) type Read<C> = fn(&mut Words<'_, '_>) -> Result<C, KvError>;

/// One row of a table of commands.
pub(crate) const fn spelled<C>(
    name: &'static str,
    arity: i64,
    access: Access,
    read: Read<C>,
) -> Spelling<C> {
    Spelling { name, arity, access, read }
}

impl<C> Spelling<C> {
    /// Whether this is a number of words that the command takes.
    pub(crate) fn takes(&self, words: usize) -> bool {
        let given = words as i64;
        if self.arity < 0 { given >= -self.arity } else { given == self.arity }
    }

    /// The fewest words that it takes.
    #[cfg(test)]
    pub(crate) fn words_min(&self) -> usize {
        self.arity.unsigned_abs() as usize
    }
}

/// What the command of this name needs. In a `const` block, a name without a row does not compile.
pub(crate) const fn access_of<C>(table: &[Spelling<C>], name: &str) -> Access {
    let mut n = 0;
    while n < table.len() {
        if is_equal(table[n].name.as_bytes(), name.as_bytes()) {
            return table[n].access;
        }
        n += 1;
    }
    panic!("no row of the table has this name")
}

/// Equality of bytes, which `==` does not compare in a `const` yet.
const fn is_equal(a: &[u8], b: &[u8]) -> bool {
    let mut n = 0;
    while n < a.len() && n < b.len() && a[n] == b[n] {
        n += 1;
    }
    n == a.len() && n == b.len()
}

/// The error for a number of words that the command does not take.
pub(crate) fn wrong_arity(name: &str) -> KvError {
    KvError::other(format!("ERR wrong number of arguments for '{name}' command"))
}

/// A command's words, being read. The first, at place 0, is its name.
pub(crate) struct Words<'a, 'w> {
    words: &'a [&'w str],
    texts: &'a mut Texts,
    /// The name in lower case.
    pub(crate) name: &'static str,
}

impl<'a, 'w> Words<'a, 'w> {
    pub(crate) fn new(name: &'static str, words: &'a [&'w str], texts: &'a mut Texts) -> Self {
        Words { words, texts, name }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.words.len()
    }

    /// The word at a place that is there.
    pub(crate) fn word(&self, n: usize) -> &'w str {
        self.words[n]
    }

    /// Whether the word at a place is this one, in upper or lower case.
    pub(crate) fn is(&self, n: usize, word: &str) -> bool {
        self.words.get(n).is_some_and(|w| w.eq_ignore_ascii_case(word))
    }

    pub(crate) fn text(&mut self, n: usize) -> TextId {
        self.texts.intern(self.words[n])
    }

    /// The word after the name.
    pub(crate) fn key(&mut self) -> Key {
        self.text(1)
    }

    pub(crate) fn value(&mut self, n: usize) -> Value {
        Value::Text(self.text(n))
    }

    pub(crate) fn texts(&mut self, from: usize) -> Vec<TextId> {
        (from..self.words.len()).map(|n| self.text(n)).collect()
    }

    pub(crate) fn values(&mut self, from: usize) -> Vec<Value> {
        (from..self.words.len()).map(|n| self.value(n)).collect()
    }

    /// Keys or fields, each followed by its value.
    pub(crate) fn pairs(&mut self, from: usize) -> Result<Vec<(TextId, Value)>, KvError> {
        if !(self.words.len() - from).is_multiple_of(2) {
            return Err(self.wrong_arity());
        }
        let pairs = (from..self.words.len()).step_by(2);
        Ok(pairs.map(|n| (self.text(n), self.value(n + 1))).collect())
    }

    pub(crate) fn int(&self, n: usize) -> Result<i64, KvError> {
        parse_int(self.words[n]).ok_or(KvError::NotAnInteger)
    }

    /// A number that may not be negative.
    pub(crate) fn count(&self, n: usize) -> Result<u64, KvError> {
        let count = parse_int(self.words[n]).and_then(|n| u64::try_from(n).ok());
        count.ok_or(KvError::NotPositive)
    }

    pub(crate) fn score(&self, n: usize) -> Result<f64, KvError> {
        parse_score(self.words[n]).ok_or(KvError::NotAFloat)
    }

    /// The two ends of a range of scores.
    pub(crate) fn bounds(&self, low: usize, high: usize) -> Result<(Bound, Bound), KvError> {
        let bound = |n: usize| parse_bound(self.words[n]).ok_or(KvError::RangeNotAFloat);
        Ok((bound(low)?, bound(high)?))
    }

    /// The error for a number of words that this command does not take after all.
    pub(crate) fn wrong_arity(&self) -> KvError {
        wrong_arity(self.name)
    }
}
