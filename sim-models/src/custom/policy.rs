//! What a policy written in Rust is asked, sees and decides.

use std::fmt;

use sim_core::{Draws, Span, Time};
use sim_policies::{Advice, Ending};

/// A policy of a user's own kind.
///
/// ```
/// use sim_models::prelude::*;
///
/// /// Lets every second call through.
/// #[derive(Debug, Default)]
/// struct EverySecond(u32);
///
/// impl CustomPolicy for EverySecond {
///     fn enter(&mut self, _: Passage, _: &mut PolicyDesk<'_>) -> Turn {
///         self.0 += 1;
///         if self.0 % 2 == 0 { Turn::Inwards } else { Turn::Refuses("not_your_turn") }
///     }
/// }
///
/// let text = r#"Scenario(
///     name: "turns", about: "Every second call goes through.", horizon: "1s",
///     policies: { "turns": [Custom("every_second")] },
///     actors: {
///         "api": Service(workers: 1, endpoints: { "pay": [Work(Const("1ms"))] }),
///         "users": Client(load: Burst(count: 4), does: [Call("api.pay", policy: "turns")]),
///     },
/// )"#;
/// let kinds = Kinds::new().with_policy("every_second", |_config| Ok(Box::<EverySecond>::default()));
/// let outcome = Scenario::text("turns.ron", text).kinds(kinds).run().unwrap();
/// assert_eq!(outcome.call("users", "api").unwrap().attempts, 2);
/// ```
pub trait CustomPolicy: fmt::Debug {
    /// A call comes in.
    fn enter(&mut self, call: Passage, desk: &mut PolicyDesk<'_>) -> Turn;

    /// An answer, or what the caller notices instead, comes out from inside.
    fn leave(&mut self, _call: Passage, _reply: Reply, _desk: &mut PolicyDesk<'_>) -> Turn {
        Turn::Outwards
    }

    /// The timer of a call has run out, whether the call waits here or is inside.
    fn timer(&mut self, _call: Passage, _desk: &mut PolicyDesk<'_>) -> Turn {
        Turn::Stays
    }

    /// A call that waits here was woken by [`PolicyDesk::wake`].
    fn woken(&mut self, _call: Passage, _desk: &mut PolicyDesk<'_>) -> Turn {
        Turn::Inwards
    }

    /// The call is of no interest any more, because a layer outside or its caller has given it up.
    /// Whatever it holds here is given back; nothing is counted.
    fn let_go(&mut self, _call: Passage, _desk: &mut PolicyDesk<'_>) {}
}

/// A call on its way through the policy.
#[derive(Clone, Copy, Debug)]
pub struct Passage {
    /// Which call.
    pub call: CallId,
    /// Attempts sent so far.
    pub attempts: u32,
    /// Whether the callee may do the work twice without harm: the call has a key, or its endpoint
    /// is idempotent.
    pub is_repeatable: bool,
    /// Nobody wants an answer after this.
    pub deadline: Option<Time>,
}

/// A call that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(u64);

impl CallId {
    pub(crate) fn new(word: u64) -> CallId {
        CallId(word)
    }

    pub(crate) fn word(self) -> u64 {
        self.0
    }
}

/// What has come of a call.
#[derive(Clone, Copy, Debug)]
pub struct Reply {
    /// How it ended.
    pub ending: Ending,
    /// What the answer says about another attempt.
    pub advice: Advice,
}

/// What a policy decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Turn {
    /// The call goes on inwards; one that has come out goes in again, as another attempt. A call
    /// that is inside stays there.
    Inwards,
    /// The call stays where it is, in this layer or inside: until a timer, a wake-up or an answer.
    Stays,
    /// The answer goes outwards as it came. A call that has none is refused.
    Outwards,
    /// This ending goes outwards. Whatever is inside is let go of, and may do its work all the
    /// same.
    Ends(Ending),
    /// The call is refused. The reason is counted by this name, such as `no_token`.
    Refuses(&'static str),
}

/// What a custom policy can see and order.
#[derive(Debug)]
pub struct PolicyDesk<'a> {
    now: Time,
    draws: Draws,
    timer: Option<Option<Span>>,
    woken: &'a mut Vec<CallId>,
}

impl<'a> PolicyDesk<'a> {
    pub(crate) fn new(now: Time, draws: Draws, woken: &'a mut Vec<CallId>) -> PolicyDesk<'a> {
        PolicyDesk { now, draws, timer: None, woken }
    }

    /// The timer that was ordered: none, off, or after so long.
    pub(crate) fn timer(&self) -> Option<Option<Span>> {
        self.timer
    }

    /// The present instant.
    pub fn now(&self) -> Time {
        self.now
    }

    /// The random draws of this call at this attempt.
    pub fn draws(&mut self) -> &mut Draws {
        &mut self.draws
    }

    /// Sets the call's timer, in place of the one that runs.
    pub fn set_timer(&mut self, after: Span) {
        self.timer = Some(Some(after));
    }

    /// Calls the call's timer off.
    pub fn stop_timer(&mut self) {
        self.timer = Some(None);
    }

    /// Wakes a call that waits in this policy. One that no longer waits changes nothing.
    pub fn wake(&mut self, call: CallId) {
        self.woken.push(call);
    }
}
