//! The options in a trace's header: read by name, and none may be left unread.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::{Map, Value};
use sim_core::Span;

use super::driver::millis;

/// The `config` of a header. An option that nobody asks for is an error, since a trace recorded
/// with it cannot be judged without it.
pub(super) struct Options<'a> {
    config: &'a Map<String, Value>,
    /// The version of the library, as the header tells it.
    pub(super) version: &'a str,
    used: RefCell<BTreeSet<String>>,
}

impl<'a> Options<'a> {
    pub(super) fn new(config: &'a Map<String, Value>, version: &'a str) -> Options<'a> {
        Options { config, version, used: RefCell::new(BTreeSet::new()) }
    }

    /// The option as it stands; null counts as absent.
    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.used.borrow_mut().insert(name.to_owned());
        self.config.get(name).filter(|value| !value.is_null())
    }

    /// Whether the option is given at all, be it null.
    pub(super) fn is_given(&self, name: &str) -> bool {
        self.config.contains_key(name)
    }

    fn read<T>(
        &self,
        name: &str,
        wanted: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, String> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => read(value)
                .map(Some)
                .ok_or_else(|| format!("config.{name} is {value}; it must be {wanted}")),
        }
    }

    pub(super) fn count(&self, name: &str) -> Result<Option<u32>, String> {
        let small = |value: &Value| value.as_u64().and_then(|n| u32::try_from(n).ok());
        self.read(name, "a whole number below 2³²", small)
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<f64>, String> {
        self.read(name, "a number", Value::as_f64)
    }

    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, String> {
        self.read(name, "true or false", Value::as_bool)
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>, String> {
        self.read(name, "a text", Value::as_str)
    }

    pub(super) fn numbers(&self, name: &str) -> Result<Option<Vec<f64>>, String> {
        let list = |value: &Value| value.as_array()?.iter().map(Value::as_f64).collect();
        self.read(name, "a list of numbers", list)
    }

    /// A length of time given in milliseconds.
    pub(super) fn millis(&self, name: &str) -> Result<Option<Span>, String> {
        self.read(name, "a length of time in ms", |value| value.as_f64().and_then(millis))
    }

    /// A length of time given in seconds.
    pub(super) fn secs(&self, name: &str) -> Result<Option<Span>, String> {
        let secs = |value: &Value| value.as_f64().and_then(|secs| millis(secs * 1000.0));
        self.read(name, "a length of time in seconds", secs)
    }

    /// # Errors
    /// Names the options that no driver has asked for.
    pub(super) fn all_used(&self) -> Result<(), String> {
        let used = self.used.borrow();
        let unknown: Vec<&str> =
            self.config.keys().map(String::as_str).filter(|name| !used.contains(*name)).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let known: Vec<&str> = used.iter().map(String::as_str).collect();
        Err(format!(
            "unknown option {} in config; known here: {}",
            unknown.join(", "),
            known.join(", ")
        ))
    }
}

/// Overwrites a default with an option that is given.
pub(super) fn set<T>(field: &mut T, option: Option<T>) {
    if let Some(value) = option {
        *field = value;
    }
}
