//! `docs/VERDICTS.md` says when each word is said; its sentences are the simulator's own.

use sim_core::{Span, Time};
use sim_models::outcome::{Unwell, Verdict};
use sim_models::recovery::{Failing, Level, Recovery, RecoveryState, Undecided, Unhealthy};

use crate::support::same_as_written;

const PAGE: &str = "docs/VERDICTS.md";

fn at(seconds: u64) -> Time {
    Time::ZERO + Span::secs(seconds)
}

/// A run of 15 min with a trigger from 60 s to 62 s.
fn recovery(state: RecoveryState, failing: Option<Failing>) -> Recovery {
    let level = |from, to| Level {
        from: at(from),
        to: at(to),
        offered: 900,
        asked: 900,
        goodput: 900,
        ..Level::default()
    };
    Recovery {
        client: None,
        trigger: (at(60), at(62)),
        before: level(0, 60),
        last: level(870, 900),
        hold: Span::secs(30),
        drain: None,
        lull: None,
        failing,
        held_up_by: None,
        state,
    }
}

/// When a verdict is given. The compiler asks for a line where there is a new one.
fn said_when(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Kept => {
            "no invariant was broken, at least one was put to the test, and the system was well"
        }
        Verdict::NothingChecked => {
            "no invariant was stated, or nothing in the run put one to the test"
        }
        Verdict::Unhealthy => "no invariant was broken, and yet the system was not well (below)",
        Verdict::Invalid => "a limit, or Ctrl-C, ended the run before its horizon",
        Verdict::Violated => "an invariant was broken, also one that `breaks` lists",
    }
}

/// When the system was not well, and an example of each.
fn unwell() -> Vec<(String, &'static str)> {
    let stuck = recovery(RecoveryState::Metastable, Some(goodput()));
    [Unwell::Recovery(&stuck), Unwell::NoGoodput(1000), Unwell::EndsWithout(450, at(250))]
        .into_iter()
        .map(|unwell| {
            let when = match unwell {
                Unwell::Recovery(_) => {
                    "recovery is `metastable`, or `unhealthy` with 30 intents or more"
                }
                Unwell::NoGoodput(_) => {
                    "30 intents or more arose after the warm-up; none succeeded"
                }
                Unwell::EndsWithout(..) => {
                    "30 intents or more arose in the last sixth of the run; none succeeded since"
                }
            };
            (unwell.to_string(), when)
        })
        .collect()
}

fn goodput() -> Failing {
    Failing::Goodput { before: 0.99, now: 0.03 }
}

/// Each verdict of recovery, when it is given, and how it is said.
fn states() -> Vec<(&'static str, &'static str, String)> {
    let failing = Some(goodput());
    let unhealthy = Unhealthy::Failing { share: 0.158, of: 25_407, least: 0.95 };
    let back = RecoveryState::Recovered { at: at(200), after: Span::secs(138) };
    let states = [
        recovery(RecoveryState::Unhealthy(unhealthy), None),
        recovery(RecoveryState::Undisturbed, None),
        Recovery { held_up_by: failing, lull: Some((at(150), at(200))), ..recovery(back, None) },
        recovery(RecoveryState::Metastable, failing),
        recovery(RecoveryState::Undecided(Undecided::LoadEnds(Span::secs(30))), failing),
    ];
    let row = |recovery: Recovery| {
        let when = match recovery.state {
            RecoveryState::Unhealthy(_) => "it was not well before the trigger",
            RecoveryState::Undisturbed => "nothing left its bounds, beyond what chance explains",
            RecoveryState::Recovered { .. } => {
                "well for a `hold` from this instant on, its beginning included, and never below \
                 half the goodput later"
            }
            RecoveryState::Metastable => {
                "down at the end, though a backlog had time to drain; or it grows without goodput"
            }
            RecoveryState::Undecided(_) => "the run does not show it",
        };
        (recovery.state.name(), when, recovery.to_string())
    };
    states.into_iter().map(row).collect()
}

/// The reasons with their ids in JSON.
fn reasons() -> Vec<(&'static str, &'static str, String)> {
    let unhealthy = [
        Unhealthy::TooFew(12),
        Unhealthy::NoLoad,
        Unhealthy::Failing { share: 0.158, of: 25_407, least: 0.95 },
    ];
    let undecided = [
        Undecided::TriggerLasts,
        Undecided::LoadEnds(Span::secs(30)),
        Undecided::LoadIsLow(0.12),
        Undecided::LoadIsHigh(2.3),
        Undecided::NoSpareCapacity,
        Undecided::DrainsWithin(Span::secs(240)),
        Undecided::MayDrain,
    ];
    let failing = [
        goodput(),
        Failing::Unanswered { before: 0, now: 199, after: Span::secs(10) },
        Failing::Median { before: Span::millis(80), now: Span::millis(1200) },
        Failing::Tail { before: Span::millis(110), now: Span::secs(5) },
    ];
    let unhealthy = unhealthy.map(|why| ("unhealthy", why.name(), why.to_string()));
    let undecided = undecided.map(|why| ("undecided", why.name(), why.to_string()));
    let failing = failing.map(|why| ("failing", why.name(), why.to_string()));
    unhealthy.into_iter().chain(undecided).chain(failing).collect()
}

#[test]
fn the_page_of_verdicts_says_what_the_simulator_says() {
    let verdicts = Verdict::ALL.into_iter().map(|verdict| {
        let word = verdict.to_string().to_uppercase();
        let exit = if verdict == Verdict::Kept { 0 } else { 1 };
        format!("| `{word}` | `{}` | {exit} | {} |\n", verdict.name(), said_when(verdict))
    });
    let unwell = unwell().into_iter().map(|(said, when)| format!("| {when} | {said} |\n"));
    let states =
        states().into_iter().map(|(name, when, said)| format!("| `{name}` | {when} | {said} |\n"));
    let reasons =
        reasons().into_iter().map(|(of, id, said)| format!("| {of} | `{id}` | {said} |\n"));
    let page = PROSE
        .replace("{verdicts}", &verdicts.collect::<String>())
        .replace("{unwell}", &unwell.collect::<String>())
        .replace("{states}", &states.collect::<String>())
        .replace("{reasons}", &reasons.collect::<String>());
    same_as_written(PAGE, &page);
}

const PROSE: &str = r#"# Verdicts

A test writes this page; each sentence in its tables is the simulator's own.

## A run, and many runs

`sim run` and `sim check` begin with one word. Of a run, the first that applies is said:

| word | in JSON | exit code | when |
|---|---|---|---|
{verdicts}
The exit code is 2 when the command, a file or a scenario is wrong. `sim run --all` ends as its base
scenario does: variants exist to show the bad settings.

One seed that breaks a promise makes `sim check` say `VIOLATED`. Else one run that a limit ended makes
it `INVALID`, and one unwell run `UNHEALTHY`. It says `NOTHING CHECKED` when no run put an invariant
to the test. `breaks` changes no verdict: it says what a scenario is there to show, and the report marks it.

An invariant is `kept`, `violated` or `vacuous`. A vacuous one was not put to the test, and says
nothing.

## Unhealthy

A promise can be kept by a system that is down. These runs are not `KEPT`:

| when | said as |
|---|---|
{unwell}
A system that is meant to fail so often says so: `recovery: (healthy: 0.9)`.

## Recovery

Every run with a trigger has a verdict of recovery. It stands in the report, the chart and the JSON.

**A trigger** is what disturbs: a fault, a `Spike`, or a `Step` or `Ramp` that brings more than the
usual load. The usual load is that at the end of the warm-up. The trigger reaches from the first to
the last instant of all of them, or from when to when `recovery.trigger` says. A rise lasts until the
load is back; one that stays is over when it has risen. To send less is a remedy, and no trigger. A
fault that is there from the beginning to the end is how this world is, and no trigger either.
`RecoversWithin` counts from the same trigger.

**Before the trigger** it is healthy when at least `healthy` of the intents succeed. Intents that
ended count, and those that have waited for longer than `unanswered_after`.

**Well** is a stretch of `hold` with a load in which all four hold:

- Goodput per intent asked for is at least what it was, divided by `within`. Asked for is what
  arises. A population (`Closed`) asks at least at its rate from before: who hangs comes no more.
  A fallback's answer is goodput only where the fallback says so.
- The same holds when those who have waited for longer than `unanswered_after` are asked for too, beyond as many
  as before.
- The median latency of success is at most what it was, times `within`.
- No more successes are slower than the old 99th percentile times `within` than in the worst stretch
  before, beyond what chance explains.

Latencies after the trigger are of those who come in the stretch.

**A load** is at least half of what was asked for before. Empty time shows nothing. A recovery begins
when the load is there, and its sentence names the time without.

**The beginning** counts by itself: where the first stretches from an instant on, up to a tenth of a
`hold`, are out of their bounds by more than chance explains, the recovery is later, however good the rest of
the `hold` is. The sentence names what was out of its bounds last. Instants are told to the slot, a thirtieth of
a `hold`.

| verdict | when | said as |
|---|---|---|
{states}
A backlog may take so long to drain: what waits at the service with the longest queue, and what users
still wait for, divided by the capacity to spare, times three. The capacity is the most that the
service completed per second over a third of `hold`. The time is at least `hold`; `drain` states it.
A queue that grows for two `hold`s while goodput is below a tenth of what it was is metastable,
whatever that estimate says. What grows must grow by more than three standard deviations.

**Several clients.** All of them together are judged, and then each on its own against what it was
before. The verdict is the worst: a client at 2 a second that stays down does not hide behind one at
100 a second that is well. The sentence then names it, and `client` in JSON does. Down is worse than
undecided, and undecided worse than recovered. A client that is well again more than a `hold` later
than all together decides, too. A client says nothing when it was not well before the trigger, had
fewer than 30 intents by then, or asks for fewer than 10 in a `hold`: judge it by a promise of its own,
`Threshold("success(batch) >= 99%")`. Of more than 32 clients, those with the least goodput in the last
sixth of the run are judged.

The capacity that drains a backlog is shared, so its time is that of all together. `hold`, `within`,
`unanswered_after` and `limits.grace` are one number each. With quick and slow clients in one scenario
they must suit the slow: one whose answers take 10 min counts as unanswered after the default grace of
a tenth of the run. A quick client's answer after 9 s is still success then: promise its latency.

## Reasons

JSON has them as ids that stay, beside their texts. `reason` and `why` stand beside the verdict of
`recovery`; `failing` is what is out of bounds in the last `hold`, with its two numbers, and `held_up_by` what was
before it recovered.

| of | id | text |
|---|---|---|
{reasons}
`limit` and `unwell` are `{reason, why}` or `null`. A transition of a breaker has both, too. The
object of a run is version 3 in `schema`. `faults_missed` is a list of `{fault, reason, why}`:
`no_traffic`, `nobody_left`, `nobody_waits`, `not_reached` or `not_passed`.
"#;
