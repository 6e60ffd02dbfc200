//! What a page gets for a state: a run of it, and of what is pinned beside it.

use maud::{Markup, html};
use serde_json::{Value, json};
use sim_core::Span;
use sim_models::Scenario;
use sim_models::knob::Knob;
use sim_models::outcome::Outcome;

use super::difference::{self, NAMES};
use super::state::{Choice, State};
use super::waiting::Turn;
use crate::diagnostics::Failure;
use crate::file::{Loaded, ScenarioFile};
use crate::page::{self, Chapter, Side, said, verdict};
use crate::text::plain;

/// A choice that was run.
struct Ran {
    scenario: Scenario,
    outcome: Outcome,
    repeat: String,
}

/// What a state shows, as JSON for the page; the lines that tell it to the terminal; `None` when it was
/// called off.
///
/// # Errors
/// What is wrong with the scenario, the variant or what is set.
pub fn answer(
    file: &ScenarioFile,
    state: &State,
    turn: &Turn<'_>,
) -> Result<Option<(Value, String)>, Failure> {
    let base = file.load(state.own.variant.as_deref(), &[])?;
    let choices: Vec<&Choice> = std::iter::once(&state.own).chain(&state.pinned).collect();
    let loaded: Vec<Scenario> =
        choices.iter().map(|choice| load(file, &base, choice)).collect::<Result<_, _>>()?;
    let run = |(choice, scenario): (&&Choice, Scenario)| {
        let seed = choice.seed.unwrap_or(scenario.seed());
        let outcome = scenario.start(seed).finish_while(&|_| !turn.is_called_off());
        let repeat = choice.repeat(&file.path, seed).to_string();
        Ran { scenario, outcome, repeat }
    };
    let ran: Vec<Ran> = std::thread::scope(|scope| {
        let runs = choices.iter().zip(loaded).map(|one| scope.spawn(move || run(one)));
        let runs: Vec<_> = runs.collect();
        runs.into_iter().map(|run| run.join().expect("a run ends")).collect()
    });
    if turn.is_called_off() {
        return Ok(None);
    }
    let lines = ran.iter().map(line).collect();
    Ok(Some((shown(file, &base, ran), lines)))
}

/// A choice whose variant was loaded already need not be loaded again where nothing is set.
fn load(file: &ScenarioFile, base: &Scenario, choice: &Choice) -> Loaded {
    if choice.set.is_empty() && choice.variant.as_deref() == base.variant() {
        return Ok(base.clone());
    }
    file.load(choice.variant.as_deref(), &choice.set)
}

/// What the terminal says of a run.
fn line(ran: &Ran) -> String {
    let verdict = ran.outcome.verdict.to_string().to_uppercase();
    let line = format!("{verdict:<8}  {:016x}  {}", ran.outcome.digest, ran.repeat);
    plain(&line) + "\n"
}

fn shown(file: &ScenarioFile, base: &Scenario, ran: Vec<Ran>) -> Value {
    let cards = ran.iter().zip(NAMES).map(|(own, name)| card(own, name)).collect::<Vec<_>>();
    let difference = match &ran[..] {
        [own, pinned] => Some(difference::table(&own.outcome, &pinned.outcome)),
        _ => None,
    };
    let name = |n: usize| if ran.len() > 1 { NAMES[n] } else { "this run" };
    let names: Vec<&str> = (0..ran.len()).map(name).collect();
    let told: Vec<Value> = ran.iter().map(told).collect();
    let sides = ran.into_iter().zip(names).map(|(own, name)| {
        let Ran { scenario, outcome, repeat } = own;
        Side::of(name, &scenario, outcome, repeat)
    });
    let chapter = Chapter {
        label: file.path.to_string_lossy().into_owned(),
        text: file.text.clone(),
        sides: sides.collect(),
        decision: None,
        study: None,
        map: None,
    };
    let live = page::live(&chapter);
    let head = html! {
        div .cards { @for card in &cards { (card) } }
        @if let Some(table) = &difference { h3 { "A and B" } (table) }
    };
    json!({
        "name": said(base.name()),
        "variants": base.variants(),
        "sides": told,
        "numbers": knobs(&file.text, base.numbers()),
        "knobs": knobs(&file.text, base.knobs()),
        "html": head.into_string() + &live.html,
        "series": live.numbers,
    })
}

/// What of a run the page itself needs to know.
fn told(ran: &Ran) -> Value {
    let Ran { outcome, repeat, .. } = ran;
    json!({
        "seed": outcome.run_id.seed.to_string(),
        "verdict": outcome.verdict.name(),
        "digest": format!("{:016x}", outcome.digest),
        "run_id": outcome.run_id.to_string(),
        "command": plain(repeat),
    })
}

/// A run in short.
fn card(ran: &Ran, name: &str) -> Markup {
    let Ran { outcome, repeat, scenario } = ran;
    let asked: Span = scenario.horizon();
    html! {
        article .card {
            h2 { (name) " " (verdict(outcome.verdict)) }
            p .headline { (said(&crate::finding::headline(outcome))) "." }
            p .quiet {
                "digest " code .digest { (format!("{:016x}", outcome.digest)) }
                ", " (asked.to_string()) " of virtual time"
            }
            p .repeat { code { (plain(repeat)) } }
            @for warning in scenario.warnings() { p .warning { (said(&warning.to_string())) } }
        }
    }
}

/// Knobs with the place of their number: its line from 1, and from where to where in it, as scripts
/// count.
fn knobs(text: &str, knobs: Vec<Knob>) -> Vec<Value> {
    let place = |knob: &Knob| {
        let place = knob.place.clone()?;
        let start = text[..place.start].rfind('\n').map_or(0, |at| at + 1);
        let units = |range: &str| range.encode_utf16().count();
        let from = units(&text[start..place.start]);
        let to = from + units(text.get(place.clone())?);
        Some(json!([text[..start].matches('\n').count() + 1, from, to]))
    };
    let knob = |knob: Knob| json!({ "place": place(&knob), "path": knob.path, "value": knob.value, "stops": knob.stops });
    knobs.into_iter().map(knob).collect()
}
