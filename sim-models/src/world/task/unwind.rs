//! Unwinding: which block goes on when an error, a `Break` or an answer leaves one.
//!
//! ```text
//!   Try ──► steps ──error──► catch ──error──► finally ──► whatever led into it
//!             └──Break, answered──────────────►┘
//! ```
//!
//! An open `Try` is a frame. A `catch`, a `finally` and a compensation that run remember what led
//! into them: a `catch` may raise it again, the others go on with it at their end.

use sim_policies::{Ending, Fate};
use sim_redis::value::Value;

use super::{Next, Task};
use crate::plan::{Last, Pc, Words, builtin};
use crate::world::network::conclude;

/// The blocks that a task is in.
#[derive(Clone, Debug, Default)]
pub(super) struct Blocks {
    frames: Vec<Frame>,
    /// What led into each `catch`, `finally` and compensation that is running.
    entered: Vec<Exit>,
}

/// An open `Try`.
#[derive(Clone, Copy, Debug)]
struct Frame {
    catch: Option<Pc>,
    last: Option<Last>,
    /// How many running blocks it lies in that something led into.
    inside: usize,
}

/// How a block is left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::world) enum Exit {
    Ordinary,
    Error(Raised),
    /// The request is answered.
    Responded,
    Break {
        depth: u16,
        finallies: u16,
        to: Pc,
    },
}

/// An error on its way to a handler.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::world) struct Raised {
    pub(super) ending: Ending,
    /// The content of the answer that it was.
    pub(super) body: Value,
    /// An earlier attempt may have done the work.
    pub(super) in_doubt: bool,
    /// Raised by `Fail`, so that its status is the answer's.
    pub(super) own: bool,
}

/// Where a task goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use]
enum Way {
    /// At the next instruction.
    On,
    To(Pc),
    /// In a block that may look at this error.
    Handles(Pc, Raised),
    /// Nowhere: no block is left.
    Out,
}

impl Blocks {
    pub(super) fn clear(&mut self) {
        self.frames.clear();
        self.entered.clear();
    }

    /// A `Try` begins.
    pub(super) fn open(&mut self, catch: Option<Pc>, last: Option<Last>) {
        self.frames.push(Frame { catch, last, inside: self.entered.len() });
    }

    /// The steps of the innermost `Try` have come to their end.
    pub(super) fn close(&mut self) {
        self.frames.pop();
    }

    /// A `finally` begins in the ordinary way.
    pub(super) fn enter_finally(&mut self) {
        self.entered.push(Exit::Ordinary);
    }

    /// The innermost block that something led into is over: what that was.
    pub(super) fn end_entered(&mut self) -> Exit {
        self.entered.pop().expect("a block is entered before it ends")
    }

    /// What led into a block that is running.
    pub(super) fn entered(&self, nth: u16) -> Exit {
        self.entered[usize::from(nth)]
    }

    /// Whether somebody catches an error, be it after a `finally`.
    pub(super) fn catch(&self) -> bool {
        self.frames.iter().any(|frame| frame.catch.is_some())
    }

    /// Leaves frames until one has a block that the exit has to pass.
    fn leave(&mut self, exit: Exit) -> Way {
        let floor = match exit {
            Exit::Ordinary => return Way::On,
            Exit::Break { depth, .. } => usize::from(depth),
            Exit::Error(_) | Exit::Responded => 0,
        };
        while self.frames.len() > floor {
            let Some(frame) = self.frames.pop() else { break };
            // What led into the blocks that are left here is forgotten.
            self.entered.truncate(frame.inside);
            let way = match (exit, frame.catch, frame.last) {
                (Exit::Error(raised), Some(catch), last) => {
                    if last.is_some() {
                        self.frames.push(Frame { catch: None, ..frame });
                    }
                    Way::Handles(catch, raised)
                }
                (_, _, Some(Last::Finally(pc))) => Way::To(pc),
                (Exit::Error(raised), _, Some(Last::Undo(pc))) => Way::Handles(pc, raised),
                _ => continue,
            };
            self.entered.push(exit);
            return way;
        }
        match exit {
            Exit::Break { finallies, to, .. } => {
                self.entered.truncate(finallies.into());
                Way::To(to)
            }
            _ => Way::Out,
        }
    }
}

impl Raised {
    /// What a program raises itself.
    pub(super) fn of_program(status: u16) -> Raised {
        let ending = Ending::Status(status);
        Raised { ending, body: Value::Nil, in_doubt: false, own: true }
    }

    /// What a caller is told when nobody catches the error.
    pub(in crate::world) fn status(self) -> u16 {
        match self.ending {
            Ending::Status(status) if self.own => status,
            _ if self.fate() == Fate::Unknown => 504,
            Ending::Rejected(_) | Ending::Refused => 503,
            _ => 502,
        }
    }

    pub(in crate::world) fn fate(self) -> Fate {
        conclude(self.ending, self.in_doubt)
    }

    /// How the call ended that it is of, if it is of one.
    pub(in crate::world) fn of_call(self) -> Option<Ending> {
        (!self.own).then_some(self.ending)
    }
}

impl Task {
    /// Unwinds to the next block that an exit has to pass, or to the end.
    pub(super) fn leave(&mut self, exit: Exit, words: &Words) -> Next {
        match self.blocks.leave(exit) {
            Way::On => {}
            Way::To(pc) => self.pc = pc,
            Way::Handles(pc, raised) => {
                self.pc = pc;
                self.explain(raised, words);
            }
            Way::Out => {
                let error = if let Exit::Error(raised) = exit { Some(raised) } else { None };
                return Next::Ended(error);
            }
        }
        Next::Go
    }

    /// Fills `{error.status}`, `{error.body}`, `{error.kind}` and `{error.fate}`.
    fn explain(&mut self, raised: Raised, words: &Words) {
        let (status, kind) = match raised.ending {
            Ending::Status(status) => (Value::Int(status.into()), words.status),
            Ending::TimedOut => (Value::Nil, words.timeout),
            Ending::Refused => (Value::Nil, words.refused),
            Ending::Reset => (Value::Nil, words.reset),
            Ending::Rejected(_) => (Value::Nil, words.rejected),
        };
        let fate = match raised.fate() {
            Fate::Unknown => words.unknown,
            Fate::Failed | Fate::Succeeded => words.failed,
        };
        self.set(builtin::ERROR_STATUS, status);
        self.set(builtin::ERROR_BODY, raised.body);
        self.set(builtin::ERROR_KIND, kind);
        self.set(builtin::ERROR_FATE, fate);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CATCH: Pc = Pc(10);
    const FINALLY: Pc = Pc(20);
    const OUTER: Pc = Pc(30);

    fn raised() -> Raised {
        Raised::of_program(418)
    }

    fn error() -> Exit {
        Exit::Error(raised())
    }

    #[test]
    fn an_error_is_caught_and_its_finally_still_runs() {
        let mut blocks = Blocks::default();
        blocks.open(Some(CATCH), Some(Last::Finally(FINALLY)));
        assert_eq!(blocks.leave(error()), Way::Handles(CATCH, raised()));
        assert_eq!(blocks.entered(0), error(), "`Raise` finds it");
        assert_eq!(blocks.leave(error()), Way::To(FINALLY), "an error of the catch passes it");
        let led = blocks.end_entered();
        assert_eq!(led, error());
        assert_eq!(blocks.leave(led), Way::Out);
    }

    #[test]
    fn a_catch_hears_of_errors_only_and_a_finally_of_every_exit() {
        for exit in [Exit::Responded, Exit::Break { depth: 0, finallies: 0, to: OUTER }] {
            let mut blocks = Blocks::default();
            blocks.open(None, Some(Last::Finally(FINALLY)));
            blocks.open(Some(CATCH), None);
            assert_eq!(blocks.leave(exit), Way::To(FINALLY));
            let led = blocks.end_entered();
            let end = if exit == Exit::Responded { Way::Out } else { Way::To(OUTER) };
            assert_eq!(blocks.leave(led), end);
        }
    }

    #[test]
    fn only_an_error_is_compensated() {
        let undo = Some(Last::Undo(FINALLY));
        let mut blocks = Blocks::default();
        blocks.open(None, undo);
        assert_eq!(blocks.leave(Exit::Responded), Way::Out);
        blocks.open(None, undo);
        assert_eq!(blocks.leave(error()), Way::Handles(FINALLY, raised()));
        let led = blocks.end_entered();
        assert_eq!(blocks.leave(led), Way::Out, "the error goes on after it");
    }

    #[test]
    fn a_break_leaves_the_blocks_inside_its_loop_and_no_other() {
        let mut blocks = Blocks::default();
        blocks.open(Some(OUTER), None);
        blocks.open(Some(CATCH), None);
        let to = Pc(5);
        assert_eq!(blocks.leave(Exit::Break { depth: 1, finallies: 0, to }), Way::To(to));
        assert_eq!(blocks.leave(error()), Way::Handles(OUTER, raised()));
    }

    #[test]
    fn an_error_within_a_finally_replaces_what_led_into_it() {
        let mut blocks = Blocks::default();
        blocks.open(Some(OUTER), None);
        blocks.open(None, Some(Last::Finally(FINALLY)));
        assert_eq!(blocks.leave(Exit::Responded), Way::To(FINALLY));
        let other = Raised::of_program(500);
        assert_eq!(blocks.leave(Exit::Error(other)), Way::Handles(OUTER, other));
        assert_eq!(blocks.end_entered(), Exit::Error(other));
        assert_eq!(blocks.leave(Exit::Ordinary), Way::On);
    }

    #[test]
    fn nobody_catches_an_error_and_its_caller_is_told_what_is_certain() {
        let of = |ending, in_doubt| Raised { ending, in_doubt, own: false, ..raised() };
        assert_eq!(raised().status(), 418, "as it was raised");
        assert_eq!(of(Ending::Status(418), false).status(), 502);
        assert_eq!(of(Ending::Status(418), true).status(), 504, "it may have happened");
        assert_eq!(of(Ending::TimedOut, false).status(), 504);
        assert_eq!(of(Ending::Refused, false).status(), 503);
    }
}
