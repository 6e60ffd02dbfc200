//! A family of policies: one row per member makes the enum of all options and that of all machines.
//!
//! The members of a family answer the same questions, each in a file of its own. Such a file brings
//! the member's options, from which [`Build`] makes the machine, and the machine, which speaks the
//! family's trait. The row adds the rest: reading the options from a file, building, dispatch.
//!
//! The machines stand in an enum rather than behind a pointer, so that a policy can be copied and
//! compared.

use crate::OutOfRange;

/// The options of a policy, from which its machine is built.
pub trait Build {
    /// What is built.
    type Machine;

    /// The machine as it is at time zero.
    ///
    /// # Errors
    /// When an option is outside what the machine accepts.
    fn build(&self) -> Result<Self::Machine, OutOfRange>;
}

/// The option that a configuration is refused for.
#[cfg(test)]
pub(crate) fn refused(config: &impl Build) -> Option<&'static str> {
    config.build().err().map(|error| error.field)
}

/// Each configuration is refused for the option that stands before it.
#[cfg(test)]
pub(crate) fn all_refused<C: Build + std::fmt::Debug>(
    cases: impl IntoIterator<Item = (&'static str, C)>,
) {
    for (field, config) in cases {
        assert_eq!(refused(&config), Some(field), "{config:?}");
    }
}

/// Makes the two enums of a family from its rows `Name(options),`.
///
/// The first enum is read from a file as `Name(option: value, …)`; after `asked as TRAIT` its
/// `options()` shows the options of whichever member as that trait. The second enum is any of the
/// machines; after `each a TRAIT` its `machine()` and `machine_mut()` show them as that trait.
macro_rules! family {
    (
        $(#[$options_doc:meta])*
        pub enum $OPTIONS:ident $(, asked as $Asked:ident)?;

        $(#[$machine_doc:meta])*
        $visible:vis enum $MACHINE:ident $(, each a $Machine:ident)?;

        $($(#[$doc:meta])* $Name:ident($Options:ty),)+
    ) => {
        #[derive(
            Clone, Debug, PartialEq, schemars::JsonSchema, serde::Deserialize, serde::Serialize,
        )]
        $(#[$options_doc])*
        pub enum $OPTIONS {
            $($(#[$doc])* $Name($Options),)+
        }

        $(#[$machine_doc])*
        #[derive(Clone, Debug, PartialEq)]
        $visible enum $MACHINE {
            $($(#[$doc])* $Name(<$Options as $crate::family::Build>::Machine),)+
        }

        impl $crate::family::Build for $OPTIONS {
            type Machine = $MACHINE;

            fn build(&self) -> Result<$MACHINE, $crate::OutOfRange> {
                Ok(match self {
                    $($OPTIONS::$Name(options) => $MACHINE::$Name(options.build()?),)+
                })
            }
        }

        impl $MACHINE {
            /// The machine that these options make, as it is at time zero.
            ///
            /// # Errors
            /// When an option is outside what the machine accepts.
            pub fn new(options: &$OPTIONS) -> Result<$MACHINE, $crate::OutOfRange> {
                options.build()
            }
        }

        $crate::family::family!(@asked $OPTIONS $($Asked)?: $($Name)+);
        $crate::family::family!(@each $MACHINE $($Machine)?: $($Name)+);
    };
    (@asked $OPTIONS:ident: $($Name:ident)+) => {};
    (@asked $OPTIONS:ident $Asked:ident: $($Name:ident)+) => {
        impl $OPTIONS {
            /// Each member at its defaults, by name.
            pub fn each() -> Vec<(&'static str, $OPTIONS)> {
                vec![$((stringify!($Name), $OPTIONS::$Name(Default::default())),)+]
            }

            /// The options of whichever member it is.
            pub fn options(&self) -> &dyn $Asked {
                match self { $($OPTIONS::$Name(options) => options,)+ }
            }

            /// The options of whichever member it is, to be changed.
            pub fn options_mut(&mut self) -> &mut dyn $Asked {
                match self { $($OPTIONS::$Name(options) => options,)+ }
            }
        }
    };
    (@each $MACHINE:ident: $($Name:ident)+) => {};
    (@each $MACHINE:ident $Machine:ident: $($Name:ident)+) => {
        #[allow(dead_code, reason = "some families only act, and some are only looked at")]
        impl $MACHINE {
            fn machine(&self) -> &dyn $Machine {
                match self { $($MACHINE::$Name(machine) => machine,)+ }
            }

            fn machine_mut(&mut self) -> &mut dyn $Machine {
                match self { $($MACHINE::$Name(machine) => machine,)+ }
            }
        }
    };
}

pub(crate) use family;
