//! Ids of what comes and goes in a world.
//!
//! An id says what it names and nothing of what that is made of. So a message can name the call
//! that waits for it, and the call its message, without either knowing the other.

use crate::pool::Id;

macro_rules! ids {
    ($($(#[$doc:meta])* $id:ident of $name:ident;)*) => {$(
        /// The type that tells these ids from others.
        #[derive(Clone, Copy, Debug)]
        pub(crate) enum $name {}

        $(#[$doc])*
        pub(crate) type $id = Id<$name>;
    )*};
}

ids! {
    /// A run of a program.
    TaskId of TaskName;
    /// A call under way.
    CallId of CallName;
    /// A message with its answer.
    RequestId of RequestName;
    /// A message that a broker keeps.
    DeliveryId of DeliveryName;
    /// A write on its way to another region.
    CopyId of CopyName;
    /// A wake-up that an actor written in Rust has asked for.
    WakeId of WakeName;
}
