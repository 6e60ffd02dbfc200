//! Circuit-breaker traces: one driver for all libraries; what is particular to one is its
//! [`Subject`].

pub(super) mod aiobreaker;
pub(super) mod circuitbreaker;
pub(super) mod cockatiel;
pub(super) mod eapache;
pub(super) mod failsafe;
pub(super) mod failsafe_rs;
pub(super) mod gobreaker;
pub(super) mod hystrix;
pub(super) mod opossum;
pub(super) mod purgatory;
pub(super) mod pybreaker;
pub(super) mod recloser;
pub(super) mod resilience4j;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use serde_json::{Map, Value, json};
use sim_core::{Span, Time};

use super::draws::Draws;
use super::driver::{Driver, Event, Outputs};
use super::options::Options;
use crate::breaker::{Admission, Change, Machine, Permit, StateName, Verdict};
use crate::{Build, Reason};

/// A library's breaker under test.
trait Subject: Machine + Debug {
    /// What `outcome` means to the library.
    fn verdict(&self, outcome: &str) -> Option<Verdict> {
        Some(match outcome {
            "ok" | "rec_ok" => Verdict::Success,
            "err" | "bad_result" => Verdict::Failure,
            "ign" => Verdict::Ignored,
            _ => return None,
        })
    }

    /// A call ends; what the library draws then comes from the record.
    fn end(
        &mut self,
        permit: Permit,
        now: Time,
        verdict: Verdict,
        _draws: &mut Draws,
        changes: &mut Vec<Change>,
    ) {
        self.settle(permit, now, verdict, changes);
    }

    /// The state as the library's own property shows it.
    fn shown(&self, _now: Time) -> StateName {
        self.state()
    }

    /// Whether the traces list changes of state.
    fn lists_changes(&self) -> bool {
        true
    }

    /// The field `why` of a refused start; `None` when the library's traces have none.
    fn why(&self, _reason: Reason) -> Option<&'static str> {
        None
    }

    /// The library's counters `m` at `now`, after an event of kind `op`.
    fn counters(&mut self, _now: Time, _op: &str) -> Option<Map<String, Value>> {
        None
    }

    /// Further outputs at the end of a call.
    fn extra(&mut self, _outcome: &str, _changes: &[Change]) -> Outputs {
        Vec::new()
    }

    /// Called when a read-only `probe` looks at the breaker: some libraries change by being read.
    fn probe(&mut self, _now: Time, _changes: &mut Vec<Change>) {}

    /// Further outputs of a read-only `probe`.
    fn probed(&self) -> Outputs {
        Vec::new()
    }

    /// A call under way since [`Subject::call_timeout`] is given up.
    fn time_out(&mut self, permit: Permit, now: Time, changes: &mut Vec<Change>) {
        self.settle(permit, now, Verdict::Failure, changes);
    }

    /// The field `why` of a parked start.
    fn why_parked(&self) -> &'static str {
        "waiting_for_half_open_test"
    }

    /// True when a refusal goes back through every wait of the parked call, so that those who have
    /// waited less often hear of theirs first.
    fn waits_are_nested(&self) -> bool {
        false
    }

    /// A manual transition.
    fn force(
        &mut self,
        action: &str,
        _now: Time,
        _changes: &mut Vec<Change>,
    ) -> Result<(), String> {
        Err(format!("this library's breaker knows no action `{action}`"))
    }

    /// How long a call may take before the breaker itself counts it as failed.
    fn call_timeout(&self) -> Option<Span> {
        None
    }
}

/// Plays a circuit-breaker trace.
struct BreakerDriver<S> {
    subject: S,
    /// The calls under way, by their id in the trace.
    calls: BTreeMap<u64, Permit>,
    /// The calls that wait, in the order they came.
    parked: Vec<Parked>,
    /// When the breaker itself gives up on calls under way, and the calls that it gave up on.
    timeouts: BTreeSet<(Time, u64)>,
    timed_out: BTreeSet<u64>,
    /// What the last call or action brought about.
    shown: Vec<Value>,
    /// What happened on its own at the instant of the last line and no line has shown yet.
    unshown: Unshown,
    /// What the outcome `ign` means where the options say it.
    ignored: Option<Verdict>,
}

/// A call that waits.
struct Parked {
    id: u64,
    /// The tag of the call that it waits for.
    on: Option<u64>,
    /// How often it has waited, this time included.
    waits: u32,
}

/// Things that happen on their own at one instant were recorded after the last of them, so that
/// each of their lines shows the state after all.
#[derive(Default)]
struct Unshown {
    timeouts: BTreeSet<u64>,
    changes: Vec<Value>,
}

/// The driver of the breaker that these options make.
fn boxed<C: Build<Machine: Subject + 'static>>(config: &C) -> Result<Box<dyn Driver>, String> {
    boxed_with(config, None)
}

/// The same for a library that ignores the outcome `ign` only where its options name it.
fn boxed_with<C: Build<Machine: Subject + 'static>>(
    config: &C,
    ignored: Option<Verdict>,
) -> Result<Box<dyn Driver>, String> {
    Ok(Box::new(BreakerDriver {
        subject: config.build().map_err(|error| error.to_string())?,
        calls: BTreeMap::new(),
        parked: Vec::new(),
        timeouts: BTreeSet::new(),
        timed_out: BTreeSet::new(),
        shown: Vec::new(),
        unshown: Unshown::default(),
        ignored,
    }))
}

/// What `ign` means where the option is a list of the classes that are no failures.
fn excluded(options: &Options<'_>) -> Result<Option<Verdict>, String> {
    let Some(list) = options.get("exclude") else { return Ok(Some(Verdict::Failure)) };
    let names: Option<Vec<&str>> =
        list.as_array().and_then(|list| list.iter().map(Value::as_str).collect());
    match names.as_deref() {
        Some([]) => Ok(Some(Verdict::Failure)),
        Some(["ign"]) => Ok(Some(Verdict::Ignored)),
        _ => Err(format!("config.exclude is {list}; it must be [] or [\"ign\"]")),
    }
}

/// What the caller of a Python library gets.
fn raised(outcome: &str) -> &'static str {
    match outcome {
        "ok" => "value",
        "ign" => "Ign",
        _ => "Err",
    }
}

/// Whether one of the changes leads into open.
fn opens(changes: &[Change]) -> bool {
    let to = |change: &Change| match change {
        Change::Transition(transition) => Some(transition.to),
        _ => None,
    };
    changes.iter().any(|change| to(change) == Some(StateName::Open))
}

/// Counters as a trace lists them.
fn counters<const N: usize>(counters: [(&str, u64); N]) -> Option<Map<String, Value>> {
    Some(counters.into_iter().map(|(name, count)| (name.to_owned(), json!(count))).collect())
}

impl<S: Subject> Driver for BreakerDriver<S> {
    fn play(&mut self, event: &mut Event) -> Result<Outputs, String> {
        let now = event.at;
        let mut changes = Vec::new();
        let mut outputs = Vec::new();
        if let Some((at, what)) = self.due(now)
            && (event.op != "auto" || at < now)
        {
            return Ok(vec![("auto", json!(format!("{what} at {at}")))]);
        }
        if event.op != "auto"
            && let Some(what) = self.unshown.first()
        {
            return Ok(vec![("auto", json!(format!("{what}, and no line shows it")))]);
        }
        match event.op.as_str() {
            "start" => {
                let id = event.count("id")?;
                if self.parked.iter().any(|parked| parked.id == id) {
                    return Err(format!("call {id} starts twice"));
                }
                let (permitted, why) = match self.subject.admit(now, &mut changes) {
                    Admission::Admitted(permit) => {
                        if self.calls.insert(id, permit).is_some() {
                            return Err(format!("call {id} starts twice"));
                        }
                        if let Some(timeout) = self.subject.call_timeout() {
                            self.timeouts.insert((now + timeout, id));
                        }
                        (json!(true), None)
                    }
                    Admission::Refused(reason) => (json!(false), self.subject.why(reason)),
                    Admission::Parked => {
                        let on = self.subject.parked_on();
                        self.parked.push(Parked { id, on, waits: 1 });
                        (Value::Null, Some(self.subject.why_parked()))
                    }
                };
                outputs.push(("permitted", permitted));
                outputs.push(("why", why.map_or(Value::Null, Value::from)));
            }
            "end" => {
                let id = event.count("id")?;
                let outcome = event.text("outcome")?;
                // The length of a call follows from its start and its end.
                event.take("dur");
                if self.timed_out.remove(&id) {
                    outputs.push(("after_timeout", json!(true)));
                } else {
                    let permit = self
                        .calls
                        .remove(&id)
                        .ok_or_else(|| format!("call {id} ends without being under way"))?;
                    self.timeouts.retain(|(_, timed)| *timed != id);
                    let ignored = self.ignored.filter(|_| outcome == "ign");
                    let verdict = ignored.or(self.subject.verdict(&outcome)).ok_or_else(|| {
                        format!(
                            "unknown outcome `{outcome}`; known: ok, err, ign, rec_ok, bad_result"
                        )
                    })?;
                    let ended = permit.tag();
                    let mut draws = Draws::of(event)?;
                    self.subject.end(permit, now, verdict, &mut draws, &mut changes);
                    outputs.push(draws.output());
                    outputs.extend(self.subject.extra(&outcome, &changes));
                    self.let_go(ended, now, &mut changes, &mut outputs);
                }
            }
            "auto" => match event.take("what") {
                Some(what) if what == "timeout" => {
                    let id = event.count("id")?;
                    self.give_up(now, &mut changes);
                    if !self.unshown.timeouts.remove(&id) {
                        // To our breaker this call is still under way: a difference like any other.
                        event.fields.insert("what".to_owned(), what);
                        return Ok(outputs);
                    }
                }
                Some(what) => return Err(format!("unknown `what`: {what}; known: timeout")),
                None => self.give_up(now, &mut changes),
            },
            "probe" => {
                self.subject.probe(now, &mut changes);
                outputs.extend(self.subject.probed());
            }
            "force" => {
                let action = event.text("action")?;
                self.subject.force(&action, now, &mut changes)?;
            }
            _ => return Err(event.unknown_op("start, end, auto, probe, force")),
        }
        if self.subject.lists_changes() {
            outputs.push(("ev", Value::Array(self.listed(event, &changes))));
        }
        outputs.push(("state", json!(self.subject.shown(now).id())));
        if let Some(counters) = self.subject.counters(now, &event.op)
            && event.fields.contains_key("m")
        {
            outputs.push(("m", Value::Object(counters)));
        }
        Ok(outputs)
    }

    fn state(&self) -> String {
        format!("{:?}", self.subject)
    }

    fn unshown(&self) -> Option<String> {
        self.unshown.first().map(|what| format!("{what}, and no line shows it"))
    }
}

impl<S: Subject> BreakerDriver<S> {
    /// What happens on its own before an event at `now`.
    fn due(&mut self, now: Time) -> Option<(Time, String)> {
        let wake = self.subject.wakes_at().map(|at| (at, "the breaker acts".to_owned()));
        let timeout = self.timeouts.first().map(|(at, id)| (*at, format!("call {id} times out")));
        wake.into_iter().chain(timeout).filter(|(at, _)| *at <= now).min_by_key(|(at, _)| *at)
    }

    /// The changes of an event as its trace lists them.
    ///
    /// A recorder may empty its list only when the next call begins. What happens on its own before
    /// that is then listed after the changes of the last call, which are shown a second time.
    fn listed(&mut self, event: &Event, changes: &[Change]) -> Vec<Value> {
        let mut listed: Vec<Value> = changes.iter().map(change).collect();
        match event.op.as_str() {
            "probe" => {}
            "auto" => {
                let twice = [std::mem::take(&mut self.shown), listed.clone()].concat();
                let line = event.fields.get("ev");
                if !listed.is_empty() && line.and_then(Value::as_array) == Some(&twice) {
                    return twice;
                }
                self.unshown.changes.append(&mut listed);
                return self.unshown.show(line);
            }
            _ => self.shown.clone_from(&listed),
        }
        listed
    }

    /// Lets happen what happens on its own at `now`: the timeouts, all of calls older than the
    /// timer of an open breaker, then that.
    fn give_up(&mut self, now: Time, changes: &mut Vec<Change>) {
        while let Some(&(at, id)) = self.timeouts.first()
            && at <= now
        {
            self.timeouts.pop_first();
            if let Some(permit) = self.calls.remove(&id) {
                self.timed_out.insert(id);
                self.unshown.timeouts.insert(id);
                self.subject.time_out(permit, now, changes);
            }
        }
        if self.subject.wakes_at() == Some(now) {
            self.subject.wake(now, changes);
        }
    }

    /// Lets the calls parked on the one that ended ask again.
    fn let_go(&mut self, ended: u64, now: Time, changes: &mut Vec<Change>, outputs: &mut Outputs) {
        let (mut released, mut rejected) = (Vec::new(), Vec::new());
        let asking: Vec<Parked> =
            self.parked.extract_if(.., |parked| parked.on == Some(ended)).collect();
        for Parked { id, waits, .. } in asking {
            match self.subject.admit(now, changes) {
                Admission::Admitted(permit) => {
                    self.calls.insert(id, permit);
                    released.push(id);
                }
                Admission::Refused(_) => rejected.push((waits, id)),
                Admission::Parked => {
                    let on = self.subject.parked_on();
                    self.parked.push(Parked { id, on, waits: waits.saturating_add(1) });
                }
            }
        }
        if self.subject.waits_are_nested() {
            rejected.sort_by_key(|(waits, _)| *waits);
        }
        let rejected: Vec<u64> = rejected.into_iter().map(|(_, id)| id).collect();
        outputs.push(("released", json!(released)));
        outputs.push(("rejected", json!(rejected)));
    }
}

impl Unshown {
    fn first(&self) -> Option<String> {
        let timeout = self.timeouts.first().map(|id| format!("call {id} timed out"));
        timeout.or_else(|| self.changes.first().map(|change| format!("it went {change}")))
    }

    /// Takes the changes that a line shows, if they come next; otherwise all.
    fn show(&mut self, line: Option<&Value>) -> Vec<Value> {
        let shown = line.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let count = if self.changes.starts_with(shown) { shown.len() } else { self.changes.len() };
        self.changes.drain(..count).collect()
    }
}

/// A change as a trace spells it.
fn change(change: &Change) -> Value {
    match change {
        Change::Transition(transition) => {
            json!(format!("{}>{}", transition.from.id(), transition.to.id()))
        }
        Change::FailureRateExceeded => json!("failure_rate_exceeded"),
        Change::SlowCallRateExceeded => json!("slow_call_rate_exceeded"),
        Change::Reset => json!("reset"),
    }
}
