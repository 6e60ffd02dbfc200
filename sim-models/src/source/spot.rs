//! Where a value was written, for those who point at it without a mistake in it.

/// A line of something that a person wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// The file's name, or what the override is called.
    pub label: String,
    /// The line in it where the value begins, from 1.
    pub line: usize,
    /// The value, as it was written.
    pub text: String,
}
