use sim_core::{Span, Time};
use sim_models::Scenario;
use sim_models::explore::turning::Turning;
use sim_models::outcome::{FaultWindow, Outcome, Series, TransitionLine, Verdict};
use sim_models::study::{Comparison, Map};
use sim_models::why::Sequence;
use sim_policies::breaker::{StateName, TransitionReason};

use super::canvas::RIGHT;

/// As documents of their own.
fn timeline(outcome: &Outcome, repeat: &str) -> String {
    super::timeline(outcome, repeat).document()
}

/// A map of a shop that makes these promises.
fn map(map: &Map, promises: &str, repeat: &str) -> String {
    let text = format!(
        r#"Scenario(
            name: "shop", about: "", horizon: "1m",
            actors: {{
                "users": Client(
                    load: Open(rate: "1/s"), does: [Call("api.pay", policy: "checkout")],
                ),
                "api": Service(workers: 1, endpoints: {{ "pay": [] }}),
            }},
            policies: {{ "checkout": [Retry(attempts: 2)] }},
            invariants: [{promises}],
        )"#
    );
    let base = Scenario::text("shop.ron", text).load().expect("a scenario");
    super::map(map, &base, repeat).document()
}

fn sequence(sequence: &Sequence, turning: Option<&Turning>, repeat: &str) -> String {
    super::sequence(sequence, turning, repeat).document()
}

fn comparison(comparison: &Comparison, first: &[Outcome], repeat: &str) -> String {
    let decision = Decision::of_comparison(comparison, 0.02);
    super::comparison(comparison, &decision, first, repeat).document()
}
use crate::decision::Decision;
use crate::samples::{self, ms};

const REPEAT: &str = "sim run payment.ron --set \"a=<b>\" --seed 7";

/// Every element is closed in the order in which elements were opened, and nothing stands bare.
fn assert_well_formed(svg: &str) {
    let mut open = Vec::new();
    let mut rest = svg;
    while let Some(start) = rest.find('<') {
        assert!(!rest[..start].contains('>'), "bare `>` before {}", &rest[start..]);
        let end = start + rest[start..].find('>').expect("a tag ends");
        let tag = &rest[start + 1..end];
        let name = tag.trim_start_matches('/').split([' ', '/', '\n']).next().unwrap_or_default();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "closed out of order");
        } else if !tag.ends_with('/') {
            open.push(name);
        }
        assert!(tag.matches('"').count().is_multiple_of(2), "{tag}");
        rest = &rest[end + 1..];
    }
    assert!(open.is_empty(), "left open: {open:?}");
    let entities = ["&amp;", "&lt;", "&gt;", "&quot;"];
    let ampersands = svg.matches('&').count();
    let escaped: usize = entities.iter().map(|entity| svg.matches(entity).count()).sum();
    assert_eq!(ampersands, escaped, "a bare `&`");
    assert!(svg.chars().all(|c| c == '\n' || !c.is_control()), "a control character");
}

/// Well formed, made of finite numbers, and within reach of a browser.
fn assert_sound(outcome: &Outcome) -> String {
    let svg = timeline(outcome, REPEAT);
    assert_well_formed(&svg);
    for nonsense in ["NaN", "inf\"", "=\"-"] {
        assert!(!svg.contains(nonsense), "{nonsense} in {}", outcome.scenario);
    }
    assert!(svg.len() < 500_000, "{} bytes", svg.len());
    svg
}

fn with_series(series: Series, ended_at: Time) -> Outcome {
    Outcome { series, ended_at, ..samples::empty() }
}

#[test]
fn equal_outcomes_give_equal_bytes() {
    assert_eq!(timeline(&samples::outage(), REPEAT), timeline(&samples::outage(), REPEAT));
}

#[test]
fn the_finding_is_the_title() {
    let svg = assert_sound(&samples::outage());
    let title = "3 duplicates of charge for 4,009 intents";
    assert!(svg.contains(&format!("-title\">{title}</title>")), "{svg}");
    assert!(svg.contains("r1-000000000000abcd-s7-v"));
    assert!(svg.contains("repeat: sim run payment.ron --set &quot;a=&lt;b&gt;&quot; --seed 7"));
    assert!(svg.contains("ExactlyOnce(&quot;charge&quot;) broken at 34.127s, 3 times in all. "));
    for content in ["psp: errors 100% (503)", "api-&gt;psp provider", "goodput, peak 51/s"] {
        assert!(svg.contains(content), "{content}");
    }
}

#[test]
fn panels_without_content_are_left_out() {
    let svg = assert_sound(&samples::empty());
    assert!(svg.contains("Nothing happened in this run."));
    let zeros = Series { width: Span::secs(1), offered: vec![0; 9], ..Series::default() };
    assert!(assert_sound(&with_series(zeros, ms(9_000))).contains("Nothing happened"));
    let svg = assert_sound(&samples::herd());
    for title in ["Faults", "Breaker state", "First violation"] {
        assert!(!svg.contains(title), "{title}");
    }
}

#[test]
fn one_window_without_length_or_with_is_drawn() {
    let one = |width| Series {
        width,
        offered: vec![1_000],
        goodput: vec![0],
        latency_p50: vec![Some(Span::ZERO)],
        latency_p99: vec![Some(Span::nanos(1))],
        ..Series::default()
    };
    for width in [Span::ZERO, Span::nanos(1), Span::secs(1), Span::MAX] {
        for end in [Time::ZERO, Time::from_nanos(1), ms(1_000), Time::MAX] {
            assert_sound(&with_series(one(width), end));
        }
    }
}

#[test]
fn a_million_windows_and_transitions_stay_small() {
    let mut outcome = samples::empty();
    outcome.ended_at = ms(1_000_000);
    outcome.series = Series {
        width: Span::millis(1),
        offered: (0..1_000_000u32).map(|i| i % 1_000 * 7919 % 101).collect(),
        goodput: (0..1_000_000u32).map(|i| i % 1_000 * 104_729 % 97).collect(),
        ..Series::default()
    };
    use StateName::{Closed, Disabled, ForcedOpen, HalfOpen, MetricsOnly, Open};
    let states = [Closed, Open, HalfOpen, ForcedOpen, Disabled, MetricsOnly];
    outcome.transitions = (0..100_000)
        .map(|i| TransitionLine {
            at: ms(10 * i),
            policy: "flapping".to_owned(),
            instance: None,
            instances: 1,
            from: states[i as usize % 6],
            to: states[(i as usize + 1) % 6],
            reason: TransitionReason::TestFailed,
            weighed: None,
        })
        .collect();
    outcome.faults = (0..10_000)
        .map(|i| FaultWindow { label: format!("crash {i}"), from: ms(90 * i), to: ms(90 * i) })
        .collect();
    assert_sound(&outcome);
}

#[test]
fn hostile_names_and_numbers_are_drawn() {
    let svg = assert_sound(&samples::hostile());
    assert!(!svg.contains("<script"));
    assert!(svg.contains("18 more faults not drawn"));
    assert!(svg.contains("3 shorter not drawn"));
    let mut invalid = samples::hostile();
    invalid.verdict = Verdict::Invalid;
    assert!(assert_sound(&invalid).contains("Nothing can be concluded: the limit of"));
}

#[test]
fn what_reaches_beyond_the_run_ends_with_it() {
    let mut outcome = samples::outage();
    outcome.ended_at = ms(40_500);
    outcome.faults[0].to = Time::MAX;
    let svg = assert_sound(&outcome);
    let series = svg.lines().find(|line| line.starts_with("<path class=\"goodput\" d=\"M72 "));
    let path = series.expect("goodput is drawn from the start");
    let xs = path.split('H').skip(1).map(|rest| {
        let number = rest.split(|c: char| c != '.' && !c.is_ascii_digit()).next();
        number.and_then(|number| number.parse::<f64>().ok()).expect("a number")
    });
    assert_eq!(xs.reduce(f64::max), Some(RIGHT));
}

fn assert_sound_svg(svg: &str) {
    assert_well_formed(svg);
    for nonsense in ["NaN", "inf", "=\"-"] {
        assert!(!svg.contains(nonsense), "{nonsense} in {svg}");
    }
    assert!(svg.len() < 800_000, "{} bytes", svg.len());
}

#[test]
fn a_comparison_states_its_finding_and_every_side() {
    let (compared, runs) = samples::comparison(5);
    let svg = comparison(&compared, &runs, REPEAT);
    assert_sound_svg(&svg);
    assert_eq!(svg, comparison(&compared, &runs, REPEAT));
    let title = "“budget”: goodput 38 /s; “base”: 30 /s";
    assert!(svg.contains(&format!("-title\">{title}</title>")), "{svg}");
    for content in ["full jitter", "99.9 %", "+7.4 to +8.6 /s: better", "s1..20-v", "repeat: "] {
        assert!(svg.contains(content), "{content}");
    }
    // A side has one ink in all panels: two timelines, the distribution and the figures.
    for (n, inks) in ["s1", "s5"].into_iter().enumerate() {
        let count = svg.matches(&format!("<path class=\"{inks}\"")).count();
        assert!(count >= 7, "{n}: {count}");
    }
}

#[test]
fn comparisons_of_any_size_are_drawn() {
    for sides in [1, 2, 8, 11] {
        let (compared, runs) = samples::comparison(sides);
        assert_sound_svg(&comparison(&compared, &runs, REPEAT));
    }
    let (mut compared, runs) = samples::comparison(2);
    for side in &mut compared.sides {
        side.name = samples::hostile().scenario;
        side.summary = Default::default();
    }
    compared.contrasts.clear();
    assert_sound_svg(&comparison(&compared, &[samples::hostile(), samples::empty()], REPEAT));
    assert_sound_svg(&comparison(&compared, &[], REPEAT));
    compared.sides[1].summary = samples::comparison(1).0.sides.remove(0).summary;
    assert_sound_svg(&comparison(&compared, &runs, REPEAT));
}

#[test]
fn a_map_states_its_threshold_and_its_regions() {
    let drawn = map(&samples::map(9, 6), "", REPEAT);
    assert_sound_svg(&drawn);
    assert_eq!(drawn, map(&samples::map(9, 6), "", REPEAT));
    let title = "With attempts of Retry in checkout = 6: stable up to rate of users = 12/s, \
        metastable from 20/s on";
    assert!(drawn.contains(&format!("-title\">{title}</title>")), "{drawn}");
    for content in ["stable", "vulnerable", "metastable", "overloaded", "60 %", "class=\"border\""]
    {
        assert!(drawn.contains(content), "{content}");
    }
}

#[test]
fn maps_of_any_size_are_drawn() {
    for (columns, rows) in [(1, 1), (2, 1), (1, 7), (12, 12), (60, 40)] {
        assert_sound_svg(&map(&samples::map(columns, rows), "", REPEAT));
    }
    let mut hostile = samples::map(3, 2);
    let name = samples::hostile().scenario;
    hostile.x.path = name.clone();
    hostile.y.path = name.clone();
    hostile.x.values = vec![name.clone(); 3];
    hostile.y.values = vec![name; 2];
    hostile.cells.iter_mut().for_each(|cell| {
        cell.region = None;
        cell.success = None;
        cell.summary.recovery = None;
    });
    assert_sound_svg(&map(&hostile, "", REPEAT));
}

#[test]
fn a_map_of_one_axis_is_a_curve_with_its_promise() {
    let drawn = map(&samples::curve(7), "Threshold(\"p99(users) < 500ms\")", REPEAT);
    assert_sound_svg(&drawn);
    let title = "p99(users) &lt; 500ms is broken at rate of users = 24/s: 550 ms";
    assert!(drawn.contains(&format!("-title\">{title}</title>")), "{drawn}");
    for content in
        ["p99 latency, users", "&lt; 500ms", "class=\"band\"", "class=\"limit\"", "≥ 1 s"]
    {
        assert!(drawn.contains(content), "{content}");
    }
    assert_sound_svg(&map(&samples::curve(1), "", REPEAT));
    let mut unknown = samples::curve(40);
    unknown.cells.iter_mut().step_by(2).for_each(|cell| cell.summary.asked[0].estimate = None);
    unknown.x.path = samples::hostile().scenario;
    unknown.x.values = vec![samples::hostile().scenario; 40];
    assert_sound_svg(&map(&unknown, "", REPEAT));
    unknown.cells.iter_mut().for_each(|cell| cell.summary.asked.clear());
    assert_sound_svg(&map(&unknown, "", REPEAT));
}

#[test]
fn the_turn_is_marked_at_its_row() {
    let told = samples::lost_answer();
    let turning = samples::turning();
    let svg = sequence(&told, Some(&turning), REPEAT);
    assert_well_formed(&svg);
    let note = "the turn: from here on 100 % of continuations break the promise, before 30 %";
    for content in [note, ">breaks<", "how many continuations break the promise"] {
        assert!(svg.contains(content), "{content}:\n{svg}");
    }
    assert!(!svg.contains("NaN"));
    assert_eq!(svg, sequence(&told, Some(&turning), REPEAT));
    let without = sequence(&told, None, REPEAT);
    assert!(!without.contains("continuations"), "{without}");
    // Nothing but the beginning.
    let mut short = samples::turning();
    short.points.truncate(1);
    short.decided = sim_models::explore::turning::Decided::Certain;
    assert_well_formed(&sequence(&told, Some(&short), REPEAT));
}

#[test]
fn the_legend_has_what_occurs_and_nothing_else() {
    let svg = sequence(&samples::lost_answer(), None, REPEAT);
    let has = |words: &str| svg.contains(&format!(">{words}<"));
    for words in ["request", "lost", "durable effect", "does or decides", "promise broken"] {
        assert!(has(words), "{words}:\n{svg}");
    }
    for words in ["command and reply", "fault", "fault healed", "never answered", "too late"] {
        assert!(!has(words), "{words}");
    }
    assert!(!svg.contains("key held"));
}
