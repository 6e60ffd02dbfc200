//! The verdict of recovery: is the system well again once what disturbed it is gone?
//!
//! A *trigger* (a fault, a rise of load) pushes a healthy system out of its bounds. A system that
//! is only overloaded comes back when the trigger ends and the backlog has drained. One that stays
//! down, although the load is what it used to carry well, is *metastable*. Something that the
//! trigger set off, most often retries, keeps it down on its own (Bronson et al., "Metastable
//! failures in distributed systems", HotOS 2021).
//!
//! The verdict is a pure function of counts per slot. It looks at stretches of time long enough
//! that chance does not decide. It compares with what was before the trigger: the goodput of what
//! is asked for, how many wait without an answer, and median and tail of the latencies of success.
//! A stretch without load says nothing: empty time is no recovery.
//!
//! All clients together are judged, and each of several on its own. The verdict is that of the
//! worst.

mod backlog;
mod judge;
mod pulse;
mod stretch;

use std::fmt;

use sim_core::{Span, Time};

pub(crate) use judge::{Terms, judge};
pub(crate) use pulse::Pulse;

/// Fewer intents do not show whether a system is well.
pub(crate) const SAMPLES_MIN: u64 = 30;

/// How a system did after a trigger.
#[derive(Clone, Debug, PartialEq)]
pub struct Recovery {
    /// The client that this is said of, where it fares worse than all clients together; `None` when
    /// it is said of all.
    pub client: Option<String>,
    /// From the first to the last instant of all that disturbed the system.
    pub trigger: (Time, Time),
    /// What it did before the trigger, from the end of the warm-up on.
    pub before: Level,
    /// What it did in the last `hold` of the run.
    pub last: Level,
    /// How long the system must be well to count as recovered.
    pub hold: Span,
    /// How long after the trigger a backlog may take to drain; `None` when the run gives no bound.
    pub drain: Option<Span>,
    /// When, after the trigger, less than half of the load before came, from the first to the last
    /// instant before the verdict.
    pub lull: Option<(Time, Time)>,
    /// What was out of its bounds in the last `hold`; `None` when nothing was, or there was no
    /// load by which to judge.
    pub failing: Option<Failing>,
    /// What was still out of its bounds after the trigger, until it recovered.
    pub held_up_by: Option<Failing>,
    /// The verdict.
    pub state: RecoveryState,
}

/// The verdict over a recovery.
#[derive(Clone, Debug, PartialEq)]
pub enum RecoveryState {
    /// It was not well even before the trigger: the run is invalid as a test of recovery.
    Unhealthy(Unhealthy),
    /// The trigger did not push it out of its bounds.
    Undisturbed,
    /// It was well again, and did not relapse.
    Recovered {
        /// The beginning of the first stretch in which it was well.
        at: Time,
        /// The same, counted from the trigger's end.
        after: Span,
    },
    /// It stays down although the trigger is gone and any backlog could have drained.
    Metastable,
    /// The run ends before that shows.
    Undecided(Undecided),
}

/// Why a system was not well before the trigger.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unhealthy {
    /// So few intents had ended, or waited for too long, that nothing is known.
    TooFew(u64),
    /// No intent arose between the warm-up and the trigger.
    NoLoad,
    /// Too small a share succeeded.
    Failing {
        /// The share of success.
        share: f64,
        /// Of so many intents.
        of: u64,
        /// The share that is asked for.
        least: f64,
    },
}

/// What a run lacks to show whether a system comes back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Undecided {
    /// The trigger lasts to the end of the load.
    TriggerLasts,
    /// The load ends less than a `hold` after the trigger.
    LoadEnds(Span),
    /// So small a share of the load before comes.
    LoadIsLow(f64),
    /// So many times the load before comes, which is not what it used to carry.
    LoadIsHigh(f64),
    /// The bottleneck has no capacity to spare for a backlog.
    NoSpareCapacity,
    /// A backlog may take so long to drain.
    DrainsWithin(Span),
    /// A backlog shrinks, or chance carries it about.
    MayDrain,
}

/// What is out of its bounds, before the trigger and now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Failing {
    /// Too small a share of what is asked for succeeds.
    Goodput {
        /// The share before.
        before: f64,
        /// The share now.
        now: f64,
    },
    /// Too many intents have waited for an answer for too long.
    Unanswered {
        /// How many before.
        before: u64,
        /// How many now.
        now: u64,
        /// So long.
        after: Span,
    },
    /// Success takes too long at the median.
    Median {
        /// The median before.
        before: Span,
        /// The median now.
        now: Span,
    },
    /// Success takes too long in the worst percent.
    Tail {
        /// The 99th percentile before.
        before: Span,
        /// The 99th percentile now.
        now: Span,
    },
}

/// What a system did in a stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// The stretch's beginning.
    pub from: Time,
    /// The stretch's end.
    pub to: Time,
    /// Intents that arose.
    pub offered: u64,
    /// Intents that were asked for: those that arose, those that a population would have raised
    /// at the rate from before the trigger, and those that wait for too long beyond as many as
    /// before.
    pub asked: u64,
    /// Intents whose user saw success.
    pub goodput: u64,
    /// Intents that ended without success, or with a fallback's answer that is no goodput.
    pub missed: u64,
    /// Intents that have waited for an answer for too long, at the end.
    pub unanswered: u64,
    /// Median latency of the submissions that succeeded, within 1 %.
    pub latency_p50: Option<Span>,
    /// The 99th percentile of the same.
    pub latency_p99: Option<Span>,
}

impl Level {
    /// Intents with success per intent that was asked for; `None` when none was.
    pub fn goodput_ratio(&self) -> Option<f64> {
        (self.asked > 0).then(|| self.goodput as f64 / self.asked as f64)
    }

    /// The share of success among the intents that ended or wait for too long; `None` when there
    /// are none.
    pub fn success_share(&self) -> Option<f64> {
        (self.due() > 0).then(|| self.goodput as f64 / self.due() as f64)
    }

    /// Intents that ended, or should have.
    pub fn due(&self) -> u64 {
        self.goodput + self.missed + self.unanswered
    }
}

impl Recovery {
    /// Goodput in the last stretch as a share of what it was; `None` when one of them is unknown.
    pub fn goodput_kept(&self) -> Option<f64> {
        let before = self.before.goodput_ratio().filter(|ratio| *ratio > 0.0)?;
        Some(self.last.goodput_ratio()? / before)
    }

    /// False when too little happened before the trigger to speak of a test of recovery.
    pub fn is_test(&self) -> bool {
        self.before.due() >= SAMPLES_MIN
    }

    /// Whether the system was not well when it had no reason not to be: before the trigger, or
    /// long after it.
    pub fn is_unwell(&self) -> bool {
        let unwell = matches!(self.state, RecoveryState::Metastable | RecoveryState::Unhealthy(_));
        self.is_test() && unwell
    }
}

impl RecoveryState {
    /// One word: `unhealthy`, `undisturbed`, `recovered`, `metastable` or `undecided`.
    pub fn name(&self) -> &'static str {
        match self {
            RecoveryState::Unhealthy(_) => "unhealthy",
            RecoveryState::Undisturbed => "undisturbed",
            RecoveryState::Recovered { .. } => "recovered",
            RecoveryState::Metastable => "metastable",
            RecoveryState::Undecided(_) => "undecided",
        }
    }

    /// The reason of a verdict that says nothing of recovery: its name in JSON, and its text.
    pub fn why(&self) -> Option<(&'static str, String)> {
        match self {
            RecoveryState::Unhealthy(why) => Some((why.name(), why.to_string())),
            RecoveryState::Undecided(why) => Some((why.name(), why.to_string())),
            _ => None,
        }
    }
}

impl Unhealthy {
    /// Its name in JSON, which stays as it is.
    pub const fn name(self) -> &'static str {
        match self {
            Unhealthy::TooFew(_) => "too_few",
            Unhealthy::NoLoad => "no_load",
            Unhealthy::Failing { .. } => "failing",
        }
    }
}

impl Undecided {
    /// Whether there is a load to judge by, and it fares ill: what is left open is whether that
    /// stays so.
    pub(crate) const fn is_down(self) -> bool {
        match self {
            Undecided::LoadIsHigh(_)
            | Undecided::NoSpareCapacity
            | Undecided::DrainsWithin(_)
            | Undecided::MayDrain => true,
            Undecided::TriggerLasts | Undecided::LoadEnds(_) | Undecided::LoadIsLow(_) => false,
        }
    }

    /// Its name in JSON, which stays as it is.
    pub const fn name(self) -> &'static str {
        match self {
            Undecided::TriggerLasts => "trigger_lasts",
            Undecided::LoadEnds(_) => "load_ends",
            Undecided::LoadIsLow(_) => "load_is_low",
            Undecided::LoadIsHigh(_) => "load_is_high",
            Undecided::NoSpareCapacity => "no_spare_capacity",
            Undecided::DrainsWithin(_) => "drains_within",
            Undecided::MayDrain => "may_drain",
        }
    }
}

impl Failing {
    /// Its name in JSON, which stays as it is.
    pub const fn name(self) -> &'static str {
        match self {
            Failing::Goodput { .. } => "goodput",
            Failing::Unanswered { .. } => "unanswered",
            Failing::Median { .. } => "latency_p50",
            Failing::Tail { .. } => "latency_p99",
        }
    }
}

/// The verdict in a sentence: `metastable 840s after the trigger ended: goodput 3 % of what is
/// asked for, 99 % before`.
impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.state.name())?;
        self.client.iter().try_for_each(|client| write!(f, " for {client}"))?;
        match &self.state {
            RecoveryState::Unhealthy(why) => write!(f, " before the trigger: {why}"),
            RecoveryState::Undisturbed => write!(f, " by the trigger"),
            RecoveryState::Recovered { at, after } => {
                let at = Time::ZERO + seconds(at.since(Time::ZERO));
                write!(f, " {} after the trigger ended, at {at}", seconds(*after))?;
                if let Some((from, to)) = self.lull {
                    write!(f, ", with less than half of the load between {from} and {to}")?;
                }
                self.held_up_by.map_or(Ok(()), |failing| write!(f, ", held up by {failing}"))
            }
            RecoveryState::Metastable => {
                let since = self.last.to.since(self.trigger.1);
                write!(f, " {} after the trigger ended", seconds(since))?;
                self.failing.map_or(Ok(()), |failing| write!(f, ": {failing}"))
            }
            RecoveryState::Undecided(why) => {
                if let Some(failing) = self.failing {
                    write!(f, ", with {failing}, in the last {}", self.hold)?;
                }
                write!(f, ": {why}")
            }
        }
    }
}

impl fmt::Display for Unhealthy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unhealthy::TooFew(ended) => {
                let s = if *ended == 1 { "" } else { "s" };
                write!(f, "{ended} intent{s} had ended by then, fewer than {SAMPLES_MIN}")
            }
            Unhealthy::NoLoad => write!(f, "no intent arose between the warm-up and then"),
            Unhealthy::Failing { share, of, least } => {
                let (share, least) = (100.0 * share, 100.0 * least);
                write!(f, "{share:.1} % of {of} intents succeeded, less than {least} %")
            }
        }
    }
}

impl fmt::Display for Undecided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Undecided::TriggerLasts => write!(f, "the trigger lasts to the end of the load"),
            Undecided::LoadEnds(hold) => {
                write!(f, "the load ends less than {hold} after the trigger")
            }
            Undecided::LoadIsLow(share) => {
                write!(f, "the load is {:.0} % of what it was before the trigger", 100.0 * share)
            }
            Undecided::LoadIsHigh(times) => {
                write!(f, "the load is {times:.2} times what it was before the trigger")
            }
            Undecided::NoSpareCapacity => write!(
                f,
                "the load is all that the bottleneck can carry, so that its backlog may never drain"
            ),
            Undecided::DrainsWithin(needed) => write!(
                f,
                "its backlog may take longer to drain; {} after the trigger would tell",
                seconds(*needed)
            ),
            Undecided::MayDrain => write!(f, "its backlog may yet drain; a longer run would tell"),
        }
    }
}

/// The criterion with its two numbers.
impl fmt::Display for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failing::Goodput { before, now } => write!(
                f,
                "goodput {:.0} % of what is asked for, {:.0} % before",
                100.0 * now,
                100.0 * before
            ),
            Failing::Unanswered { before, now, after } => {
                write!(f, "{now} intents unanswered for more than {after}, {before} before")
            }
            Failing::Median { before, now } => {
                write!(f, "a median latency of {}, {} before", short(*now), short(*before))
            }
            Failing::Tail { before, now } => {
                write!(f, "a p99 of {}, {} before", short(*now), short(*before))
            }
        }
    }
}

/// A length to a tenth of a second where it is that long.
fn seconds(span: Span) -> Span {
    let grain = Span::millis(100).as_nanos();
    if span.as_nanos() < 10 * grain { span } else { Span::nanos(span.as_nanos() / grain * grain) }
}

/// A latency to three digits: a bucket knows no more.
fn short(span: Span) -> Span {
    let digits = span.as_nanos().checked_ilog10().unwrap_or(0);
    let grain = 10_u64.pow(digits.saturating_sub(2));
    Span::nanos((span.as_nanos() + grain / 2) / grain * grain)
}
