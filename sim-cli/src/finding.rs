//! A run's finding in one sentence, shared by the terminal, the chart's title and the report.

use sim_models::outcome::{
    FaultWindow, Grace, InvariantResult, InvariantVerdict, Outcome, Verdict, Violation,
};

use crate::text::plain;
use crate::{decision, words};

/// What the run found: the first broken invariant, or what held.
pub fn headline(outcome: &Outcome) -> String {
    match (outcome.verdict, first_broken(outcome)) {
        (Verdict::Invalid, _) => match &outcome.limit {
            Some(limit) => format!("Nothing can be concluded: {limit}"),
            None => "Nothing can be concluded: the run ended early".to_owned(),
        },
        (Verdict::Violated, Some((result, violation))) => {
            let broken = count(outcome, InvariantVerdict::Violated);
            let times = match result.violations {
                0 | 1 => String::new(),
                n => format!(", {} times in all", words::count(n)),
            };
            let others = match broken - 1 {
                0 => String::new(),
                n => format!("; {} broken too", words::counted(n, "other invariant")),
            };
            format!("{} broken at {}{times}{others}", result.name, violation.at)
        }
        (Verdict::Violated, None) => "An invariant was broken".to_owned(),
        (verdict, _) => {
            let found = match (verdict, outcome.unwell()) {
                (Verdict::Unhealthy, Some(why)) => words::sentence(&why.to_string()),
                (Verdict::NothingChecked, _) => unchecked(outcome),
                _ => held(outcome),
            };
            // What held may have held only since nobody was let try again.
            match withheld(outcome) {
                0 => found,
                n => format!("{found}; {} withheld", words::counted(n, "repeat")),
            }
        }
    }
}

/// What hurts most in the run: the title of its picture. Where nothing does, it is the headline.
pub fn title(outcome: &Outcome) -> String {
    harms(outcome).into_iter().next().unwrap_or_else(|| headline(outcome))
}

/// What stands under the title: the rest of what was found.
pub fn beside_title(outcome: &Outcome) -> String {
    let harms = harms(outcome);
    let headline = (!harms.is_empty()).then(|| headline(outcome));
    let rest =
        harms.iter().skip(1).take(BESIDE_MAX).filter(|harm| Some(*harm) != headline.as_ref());
    let told = headline.iter().filter(|headline| harms.first() != Some(headline));
    let all = told.chain(rest).cloned().chain([evidence(outcome)]);
    all.collect::<Vec<_>>().join(". ")
}

/// More would not be read under a title.
const BESIDE_MAX: usize = 3;

/// What hurts in a run that says anything, the gravest first.
fn harms(outcome: &Outcome) -> Vec<String> {
    match outcome.verdict {
        Verdict::Invalid => Vec::new(),
        _ => {
            let harms = decision::of_run(outcome, trigger(outcome).as_deref(), &headline(outcome));
            harms.iter().map(|harm| words::sentence(&plain(harm))).collect()
        }
    }
}

/// What disturbed the system: its faults, or the trigger that the scenario states.
pub fn disturbances(outcome: &Outcome) -> Vec<FaultWindow> {
    match &outcome.recovery {
        Some(recovery) if outcome.faults.is_empty() => {
            let (from, to) = recovery.trigger;
            vec![FaultWindow { label: "trigger".to_owned(), from, to }]
        }
        _ => outcome.faults.clone(),
    }
}

/// What disturbed a run, where it was one thing: `psp: slow for 5 s`.
pub fn trigger(outcome: &Outcome) -> Option<String> {
    match &disturbances(outcome)[..] {
        [one] => {
            let lasted = words::duration(one.to.since(one.from));
            Some(format!("{} for {lasted}", one.label))
        }
        _ => None,
    }
}

/// The reasons for which a policy does not send again what it would have sent otherwise, and what
/// happens without that guard.
const GUARDS: [(&str, &str); 3] = [
    ("not_idempotent", "a library without this guard sends it again, as `even_if_unsafe` does"),
    ("hedge_withheld", "a library without this guard hedges it, as `even_if_unsafe` does"),
    ("method_not_repeated", "the library repeats it for the methods that it is given"),
];

/// What happens without the guard that gave this reason, if one did.
pub fn without_guard(reason: &str) -> Option<&'static str> {
    GUARDS.iter().find(|(guard, _)| *guard == reason).map(|(_, instead)| *instead)
}

/// How many further attempts were withheld by a guard.
pub fn withheld(outcome: &Outcome) -> u64 {
    let reasons = outcome.calls.iter().flat_map(|call| &call.given_up);
    reasons.filter(|(reason, _)| without_guard(reason).is_some()).map(|(_, n)| n).sum()
}

/// The finding in one line: `KEPT  payment, seed 1: All 4 invariants held`.
pub fn one_line(outcome: &Outcome) -> String {
    let name = words::named(&outcome.scenario, outcome.variant.as_deref());
    let verdict = outcome.verdict.to_string().to_uppercase();
    let (seed, headline) = (outcome.run_id.seed, headline(outcome));
    plain(&format!("{verdict:<8}  {name}, seed {seed}: {headline}"))
}

/// The sentence under the headline: the witness of what broke, or else how much work was done.
pub fn evidence(outcome: &Outcome) -> String {
    match first_broken(outcome) {
        Some((_, violation)) => violation.witness.clone(),
        None => {
            let total = |counts: &[u32]| counts.iter().map(|&n| u64::from(n)).sum::<u64>();
            let (good, offered) = (total(&outcome.series.goodput), total(&outcome.series.offered));
            match words::share(good, offered) {
                Some(share) => format!(
                    "Goodput {} of {} offered ({share})",
                    words::count(good),
                    words::count(offered)
                ),
                None => "No load was offered".to_owned(),
            }
        }
    }
}

/// Who was told nothing: `1,000 of 2,000 intents had no answer 10s after the horizon`.
pub fn unanswered(outcome: &Outcome) -> Option<String> {
    let (open, offered) = (outcome.goodput.unanswered(), outcome.goodput.offered);
    let share = words::share(open, offered).filter(|_| open > 0)?;
    let (open, offered) = (words::count(open), words::counted(offered, "intent"));
    let Grace { most, taken, cut } = outcome.grace;
    Some(match (cut, outcome.limit.is_some()) {
        (_, true) => format!("{open} of {offered} ({share}) had no answer when the limit struck"),
        (None, _) => format!(
            "{open} of {offered} ({share}) had no answer within {most} at the horizon; they count \
             as unanswered. limits.grace gives them longer"
        ),
        (Some(hit), _) => format!(
            "{open} of {offered} ({share}) had no answer {taken} after the horizon, when {hit}"
        ),
    })
}

/// The invariant that was broken first, with its first violation.
pub fn first_broken(outcome: &Outcome) -> Option<(&InvariantResult, &Violation)> {
    outcome
        .invariants
        .iter()
        .filter_map(|result| Some((result, result.first.as_ref()?)))
        .min_by_key(|(_, violation)| (violation.at, violation.step))
}

/// Nothing was checked; how the system did after its trigger says more than that.
fn unchecked(outcome: &Outcome) -> String {
    let recovery = outcome.recovery.as_ref().filter(|recovery| recovery.is_test());
    let more = recovery.map(|recovery| format!(". {}", words::sentence(&recovery.to_string())));
    held(outcome) + &more.unwrap_or_default()
}

fn held(outcome: &Outcome) -> String {
    let stated = outcome.invariants.len() as u64;
    let kept = count(outcome, InvariantVerdict::Kept);
    match (kept, stated) {
        (_, 0) => "No invariant was stated".to_owned(),
        (0, _) => "No invariant was exercised".to_owned(),
        (1, 1) => format!("{} held", outcome.invariants[0].name),
        (2, 2) => "Both invariants held".to_owned(),
        _ if kept == stated => format!("All {kept} invariants held"),
        _ => format!("{kept} of {stated} invariants held; nothing exercised the others"),
    }
}

fn count(outcome: &Outcome, verdict: InvariantVerdict) -> u64 {
    outcome.invariants.iter().filter(|result| result.verdict == verdict).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn the_finding_fits_one_line() {
        assert_eq!(
            one_line(&samples::outage()),
            "VIOLATED  payment, variant \"naive\", seed 7: \
             ExactlyOnce(\"charge\") broken at 34.127s, 3 times in all"
        );
        assert!(!one_line(&samples::hostile()).contains('\n'));
    }
}
