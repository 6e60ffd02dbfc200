//! Ids: whatever a run would look up by name in the file is a number here.

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident($repr:ty);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) struct $name(pub(crate) $repr);

        impl $name {
            pub(crate) fn index(self) -> usize {
                self.0 as usize
            }

            /// The id of the `n`th thing of its kind.
            pub(crate) fn nth(n: usize) -> $name {
                $name(<$repr>::try_from(n).expect("the file's size bounds every table"))
            }
        }

        impl From<$name> for usize {
            fn from(id: $name) -> usize {
                id.index()
            }
        }
    )*};
}

ids! {
    /// An actor, in the order of names.
    ActorId(u32);
    /// An endpoint of a service.
    EndpointId(u32);
    /// A program.
    ProgramId(u32);
    /// A position in the code.
    Pc(u32);
    /// A register of a program.
    Reg(u16);
    /// A place in a program that calls.
    SiteId(u32);
    /// A policy stack as one caller uses it for one callee.
    StackId(u32);
    /// A caller and a callee, for counting.
    PairId(u32);
    /// A breaker.
    BreakerId(u32);
    /// Outlier detection over some endpoints.
    OutlierId(u32);
    /// A text with variables.
    TemplateId(u32);
    /// A record with variables.
    RecordTemplateId(u32);
    /// A condition.
    CondId(u32);
    /// A kind of effect.
    KindId(u32);
    /// A labelled point.
    PointId(u32);
    /// A planned fault.
    FaultId(u32);
    /// An effect step.
    EffectId(u32);
    /// A respond step.
    RespondId(u32);
    /// A parallel step.
    ForkId(u32);
    /// A job of a service.
    JobId(u32);
    /// A queue of a broker.
    QueueId(u32);
    /// A length of time that varies.
    DistId(u32);
    /// A rate over time.
    IntensityId(u32);
    /// A list of instants.
    TraceId(u32);
    /// A cache that every instance of a service has.
    ServiceCacheId(u32);
    /// A cached step.
    CachedId(u32);
}
