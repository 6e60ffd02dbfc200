//! What a policy written in Rust is asked, sees and decides.

use std::fmt;

use sim_core::{Draws, Span, Time};
use sim_policies::{Advice, Ending, Method};

/// A policy of a user's own kind.
///
/// ```
/// use std::collections::VecDeque;
///
/// use sim_models::prelude::*;
///
/// /// One call at a time; the others wait in line.
/// #[derive(Debug, Default)]
/// struct OneAtATime {
///     inside: Option<CallId>,
///     line: VecDeque<CallId>,
/// }
///
/// impl OneAtATime {
///     fn goes(&mut self, call: CallId, desk: &mut PolicyDesk<'_>) {
///         self.line.retain(|waiting| *waiting != call);
///         if self.inside == Some(call) {
///             self.inside = self.line.pop_front();
///             self.inside.into_iter().for_each(|next| desk.wake(next));
///         }
///     }
/// }
///
/// impl CustomPolicy for OneAtATime {
///     fn enter(&mut self, passage: Passage, _: &mut PolicyDesk<'_>) -> Turn {
///         if self.inside.is_none() {
///             self.inside = Some(passage.call);
///             return Turn::Inwards;
///         }
///         self.line.push_back(passage.call);
///         Turn::Stays
///     }
///
///     fn leave(&mut self, passage: Passage, _: Reply, desk: &mut PolicyDesk<'_>) -> Turn {
///         self.goes(passage.call, desk);
///         Turn::Outwards
///     }
///
///     fn let_go(&mut self, passage: Passage, desk: &mut PolicyDesk<'_>) {
///         self.goes(passage.call, desk);
///     }
/// }
///
/// let text = r#"Scenario(
///     name: "line", about: "Four calls, one at a time.", horizon: "1s",
///     policies: { "line": [Timeout("250ms"), Custom("one_at_a_time")] },
///     actors: {
///         "api": Service(workers: 4, endpoints: { "pay": [Work(Const("100ms"))] }),
///         "users": Client(load: Burst(count: 4), does: [Call("api.pay", policy: "line")]),
///     },
/// )"#;
/// let kinds =
///     Kinds::new().with_policy("one_at_a_time", |_config| Ok(Box::<OneAtATime>::default()));
/// let outcome = Scenario::text("line.ron", text).kinds(kinds).run()?;
/// let call = outcome.call("users", "api").expect("they call it");
/// assert_eq!((call.success, call.unknown), (2, 2), "two wait for too long");
/// # Ok::<(), Error>(())
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
    /// Whatever it holds here is given back; nothing is counted. A policy that ends a call itself, by
    /// [`Turn::Ends`] or [`Turn::Refuses`], is not asked, and gives back what it holds at once.
    fn let_go(&mut self, _call: Passage, _desk: &mut PolicyDesk<'_>) {}
}

/// A call on its way through the policy.
#[derive(Clone, Copy, Debug)]
pub struct Passage {
    /// Which call.
    pub call: CallId,
    /// Attempts sent so far. A call that a layer inside has refused was not sent: a policy that sends
    /// calls in again counts how often itself.
    pub attempts: u32,
    /// What is asked of the callee.
    pub method: Method,
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
    /// same; so may what came out with a success or in doubt. A status lies in 100 to 599, or the run
    /// ends as [`RunLimit::Mistaken`](crate::outcome::RunLimit::Mistaken).
    Ends(Ending),
    /// The call is refused. The reason is counted by this name, such as `no_token`: among the refusals
    /// while nothing was sent, among the reasons for giving up afterwards.
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
