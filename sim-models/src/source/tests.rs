use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Deserialize;

use super::*;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct World {
    name: String,
    horizon: Option<String>,
    #[serde(default)]
    actors: BTreeMap<String, Actor>,
    #[serde(default)]
    policies: BTreeMap<String, Vec<Policy>>,
    #[serde(default)]
    faults: Vec<Plan>,
    #[serde(default)]
    variants: BTreeMap<String, BTreeMap<String, ron::Value>>,
}

#[derive(Debug, PartialEq, Deserialize)]
enum Actor {
    Service(ServiceSpec),
    Kv,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct ServiceSpec {
    workers: u32,
    #[serde(default)]
    loss: f64,
    #[serde(default)]
    does: Vec<Step>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
enum Step {
    Call { to: String, policy: Option<String> },
    Respond(u16),
    Loop { body: Vec<Step> },
}

#[derive(Debug, PartialEq, Deserialize)]
enum Policy {
    Timeout(String),
    Retry { attempts: u32 },
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
enum Plan {
    At {
        at: String,
        #[serde(rename = "for")]
        length: Option<String>,
        what: Failure,
    },
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
enum Failure {
    Errors { of: String, rate: f64 },
}

const NAMES: Shorthand = &[("Call", &["to"]), ("At", &["at", "what"]), ("Errors", &["of", "rate"])];

const FILE: &str = r#"World(
    name: "päy",
    horizon: "1m", // Ünïcode before what follows
    actors: {
        "api": Service(workers: 4, does: [Call("psp.charge", policy: "p"), Respond(201)]),
        "redis": Kv,
    },
    policies: { "p": [Timeout("1s"), Retry(attempts: 3)], "none": [] },
    faults: [At("30s", for: "20s", Errors("psp", rate: 1.0))],
    variants: {
        "no retry": { "policies.p": [Timeout("9s")], "horizon": "2m" },
        "typo": { "policies.q": [Timeout("9s")], "actors.apo.workers": 1 },
        "wrong": { "policies.p": [
            Timeot("9s"),
        ] },
    },
)
"#;

fn document() -> Document {
    Document::parse("world.ron", FILE, NAMES).unwrap()
}

fn read(text: &str) -> Result<World, SourceError> {
    Document::parse("world.ron", text, NAMES)?.read(|_| None)
}

fn set(path: &str, value: &str) -> Result<World, SourceError> {
    let mut document = document();
    document.set("--set", path, value)?;
    document.read(|_| None)
}

/// What an error says, with the text that it points at.
fn shown(error: SourceError) -> (String, String) {
    let under = error.place.text[error.place.range.clone()].to_owned();
    (under, error.to_string())
}

#[test]
fn unnamed_arguments_get_their_names() {
    let world: World = document().read(|_| None).unwrap();
    let Actor::Service(api) = &world.actors["api"] else { panic!("api is a service") };
    let call = Step::Call { to: "psp.charge".into(), policy: Some("p".into()) };
    assert_eq!(api.does, [call, Step::Respond(201)]);
    let what = Failure::Errors { of: "psp".into(), rate: 1.0 };
    let plan = Plan::At { at: "30s".into(), length: Some("20s".into()), what };
    assert_eq!(world.faults, [plan]);
    assert_eq!(document().text_of("faults[0].what.of"), Some(r#""psp""#));
    let again = Document::parse("again", document().text(), NAMES).unwrap();
    assert_eq!(again.text(), document().text(), "naming twice changes nothing");
}

#[test]
fn an_argument_too_many_is_refused() {
    let error = Document::parse("f", r#"[Call("a", "b")]"#, NAMES).unwrap_err();
    let (under, said) = shown(error);
    assert_eq!(under, r#""b""#);
    assert_eq!(
        said,
        "f:1:12: one unnamed argument too many for `Call`; without names it takes (to)"
    );
    let mixed = Document::parse("f", "Other(1, a: 2)", NAMES).unwrap();
    let (under, said) = shown(mixed.read::<ron::Value>(|_| None).unwrap_err());
    assert_eq!(under, "1");
    assert_eq!(said, "f:1:7: an argument of `Other` has no name; write `name: value`");
    let unknown = Document::parse("f", r#"[Cal("a", policy: "b")]"#, NAMES).unwrap();
    let (under, said) = shown(unknown.read::<Vec<Step>>(|_| None).unwrap_err());
    assert_eq!(under, "Cal", "a name that nobody knows is told first: {said}");
    assert!(Document::parse("f", "Other(1, 2)", NAMES).is_ok());
    assert!(Document::parse("f", r#"Errors(1.0, of: "psp")"#, NAMES).is_ok());
}

#[test]
fn a_setting_replaces_adds_or_appends() {
    assert_eq!(set("name", r#""b""#).unwrap().name, "b");
    assert_eq!(set("policies.p[0]", r#"Timeout("5s")"#).unwrap().policies["p"].len(), 2);
    assert_eq!(set("policies.p[2]", "Retry(attempts: 1)").unwrap().policies["p"].len(), 3);
    assert_eq!(set("policies.none[0]", "Retry(attempts: 1)").unwrap().policies["none"].len(), 1);
    assert_eq!(set(r#"policies."a b""#, "[]").unwrap().policies["a b"], []);
    assert_eq!(set("actors.redis", "Service(workers: 2)").unwrap().actors.len(), 2);
    let Actor::Service(api) = &set("actors.api.loss", "0.5").unwrap().actors["api"] else {
        panic!("api is a service");
    };
    assert_eq!(api.loss, 0.5);
}

#[test]
fn the_last_setting_wins_and_later_ones_see_earlier_ones() {
    let mut document = document();
    document.set("--set", "actors.web", "Service(workers: 1, does: [])").unwrap();
    document.set("--set", "actors.web.workers", "7").unwrap();
    document.set("--set", "actors.web.workers", "8 // not the rest of the line").unwrap();
    document.set("--set", "actors.web.does[0]", r#"Call("api.pay")"#).unwrap();
    let web = document.text_of("actors.web").unwrap();
    assert_eq!(web, r#"Service(workers: 8, does: [Call(to: "api.pay")])"#);
}

#[test]
fn quantities_and_words_need_no_quotes() {
    assert_eq!(set("horizon", "3m").unwrap().horizon.unwrap(), "3m");
    assert_eq!(set("horizon", "50/s").unwrap().horizon.unwrap(), "50/s");
    assert_eq!(set("name", "storm").unwrap().name, "storm");
    assert_eq!(set("horizon", "None").unwrap().horizon, None);
    let mut document = document();
    document.set("--set", "actors.api.workers", "128").unwrap();
    assert_eq!(document.text_of("actors.api.workers"), Some("128"));
    document.set("--set", "actors.api", "Kv").unwrap();
    assert_eq!(document.text_of("actors.api"), Some("Kv"), "only a text stays a text");
}

#[test]
fn a_mistake_in_a_setting_is_shown_in_the_setting() {
    let (under, said) = shown(set("actors.api.workers", r#""many""#).unwrap_err());
    assert_eq!(under, r#""many""#);
    assert_eq!(said, "--set:1:20: expected a whole number, found `\"many\"`");

    let (under, said) = shown(set("policies.p[0]", "Timeuot(\"1s\")").unwrap_err());
    assert_eq!(under, "Timeuot");
    assert_eq!(said, "--set:1:15: `Timeuot` is not known here; did you mean `Timeout`?");

    let (under, _) = shown(set("policies.p[0]", "Timeout(\"1s\"").unwrap_err());
    assert_eq!(under, "(", "the bracket that is not closed");

    let (under, said) = shown(set("actors.api.wokers", "1").unwrap_err());
    assert_eq!(under, "actors.api.wokers");
    assert!(said.ends_with("`Service` has no field `wokers`; did you mean `workers`?"), "{said}");

    let (under, said) = shown(set("actors.apo.workers", "1").unwrap_err());
    assert_eq!(under, "actors.apo.workers");
    assert_eq!(said, "--set:1:1: there is no `apo` in `actors`; did you mean `api`?");

    let (_, said) = shown(set("policies.p[7]", "1").unwrap_err());
    assert_eq!(said, "--set:1:1: there is no `[7]` in `policies.p`; it has 2 elements");
    assert!(set("policies..p", "1").is_err());
    assert!(set("name", "").is_err());
}

#[test]
fn a_refused_setting_changes_nothing() {
    let mut document = document();
    let before = document.text().to_owned();
    document.set("--set", "actors.apo.workers", "1").unwrap_err();
    document.set("--set", "horizon", "(").unwrap_err();
    document.overlay(r#"variants.typo"#).unwrap_err();
    assert_eq!(document.text(), before);
}

#[test]
fn a_variant_is_laid_over_the_rest() {
    let mut document = document();
    assert_eq!(document.children("variants"), ["no retry", "typo", "wrong"]);
    document.overlay(r#"variants."no retry""#).unwrap();
    let world: World = document.read(|_| None).unwrap();
    assert_eq!(world.policies["p"], [Policy::Timeout("9s".into())]);
    assert_eq!(world.horizon.as_deref(), Some("2m"));
}

#[test]
fn a_mistake_in_a_variant_is_shown_in_the_variant() {
    let mut document = document();
    let (under, said) = shown(document.overlay("variants.typo").unwrap_err());
    assert_eq!(under, r#""actors.apo.workers""#);
    assert_eq!(said, "world.ron:12:50: there is no `apo` in `actors`; did you mean `api`?");

    document.overlay("variants.wrong").unwrap();
    let (under, said) = shown(document.read::<World>(|_| None).unwrap_err());
    assert_eq!(under, "Timeot");
    assert_eq!(said, "world.ron:14:13: `Timeot` is not known here; did you mean `Timeout`?");

    let (under, said) = shown(document.overlay(r#"variants."no rety""#).unwrap_err());
    assert_eq!(under, "{");
    assert!(said.ends_with("did you mean `no retry`?"), "{said}");
}

#[test]
fn a_type_error_points_at_what_a_person_would_change() {
    let cases = [
        (r#"(name: "ü", hoirzon: "1m")"#, "hoirzon", "did you mean `horizon`?"),
        (r#"(name: "ü", actors: {"a": Servce(workers: 1)})"#, "Servce", "`Service`?"),
        (
            r#"(name: "ü", actors: {"a": Service(loss: 1.0)})"#,
            "Service(loss: 1.0)",
            "`Service` needs the field `workers`; add `workers: …`",
        ),
        (
            "(name: \"ü\", actors: {\"a\": Service(\n loss: 0.5,\n)})",
            "Service",
            "`Service` needs the field `workers`; add `workers: …`",
        ),
        (r#"(name: ü)"#, "ü", "write it in quotes: \"ü\""),
        (r#"(name: 3)"#, "3", "expected a text in double quotes, found `3`"),
        (r#"(name: "ü", actors: [])"#, "[]", "expected a map `{…}`, found a list `[…]`"),
        (r#"(name: "ü", faults: {})"#, "{}", "expected a list `[…]`, found a map `{…}`"),
        (
            r#"(name: "ü", actors: {"a": Service(workers: 1.5)})"#,
            "1.5",
            "expected a whole number, found `1.5`",
        ),
        (
            r#"(name: "ü", actors: {"a": Service(workers: -1)})"#,
            "-1",
            "`-1` is out of bounds; a whole number from 0 on is wanted",
        ),
        (r#"(name: "ü", actors: {"a": Kv(1)})"#, "Kv(1)", "`Kv` takes no arguments"),
        (r#"(name: "ü", actors: {"a": Service})"#, "Service", "arguments `(…)`, found `Service`"),
        (r#"(name: "ü", policies: {"p": [Timeout("a", "b")]})"#, "\"b\"", "one argument too many"),
        (r#"(name: "ü", actors: {"a": "Kv"})"#, "\"Kv\"", "a name, without quotes, found `\"Kv\"`"),
        (
            r#"(name: "ü", actors: {"a": Kv, "a": Kv})"#,
            "\"a\"",
            "`a` is given twice; keep one of them",
        ),
        (r#"(name: "ü", name: "u")"#, "name", "`name` is given twice; keep one of them"),
        (r#"Wrld(name: "ü")"#, "Wrld(name: \"ü\")", "expected `World(…)`, found `Wrld(…)`"),
    ];
    for (text, expected, end) in cases {
        let (under, said) = shown(read(text).unwrap_err());
        assert_eq!(under, expected, "{said}");
        assert!(said.ends_with(end), "{said}");
    }
}

#[test]
fn programs_may_nest_up_to_the_bound() {
    // Five brackets lead to a program, and each loop adds two.
    let program = |loops| {
        let (open, close) = ("Loop(body: [".repeat(loops), "])".repeat(loops));
        let does = format!("[{open}Respond(200){close}]");
        read(&format!("(name: \"n\", actors: {{\"a\": Service(workers: 1, does: {does})}})"))
    };
    program((read::DEPTH_MAX - 5) / 2).unwrap();
    assert!(program(read::DEPTH_MAX / 2).unwrap_err().message.contains("deep"));
}

#[test]
fn columns_count_characters() {
    let error = read("(\n name: \"üü\", /* é */ hoirzon: 1)").unwrap_err();
    assert_eq!(error.place.line_and_column(), (2, 22));
}

#[test]
fn a_later_finding_points_at_its_path_or_near_it() {
    let document = document();
    let (under, said) = shown(document.problem("faults[0].what.rate", "too much", None));
    assert_eq!((under.as_str(), said.as_str()), ("1.0", "world.ron:9:56: too much"));
    let (under, _) = shown(document.problem("actors.api.queue.limit", "missing", None));
    assert!(under.starts_with("Service("), "{under}");
    let (under, _) = shown(document.problem("no such path", "lost", None));
    assert_eq!(under, "World");
}

/// A valid file with a few of its characters removed, doubled or replaced.
fn mutilated() -> impl Strategy<Value = String> {
    let change = (any::<prop::sample::Index>(), 0..3_u8, any::<char>());
    let bracket = prop::sample::select("()[]{}\"'\\/*,:#ré.0-".chars().collect::<Vec<_>>());
    let change = (change, bracket, any::<bool>());
    prop::collection::vec(change, 1..6).prop_map(|changes| {
        let mut chars: Vec<char> = FILE.chars().collect();
        for ((index, kind, any), bracket, is_bracket) in changes {
            let at = index.index(chars.len());
            let new = if is_bracket { bracket } else { any };
            match kind {
                0 => drop(chars.remove(at)),
                1 => chars.insert(at, new),
                _ => chars[at] = new,
            }
        }
        chars.into_iter().collect()
    })
}

/// Everything that can be done with a text, to see that nothing panics and all errors point
/// between characters.
fn exercise(text: &str, path: &str, value: &str) {
    let check = |error: &SourceError| {
        assert!(error.place.text.get(error.place.range.clone()).is_some(), "{error:?}");
        assert!(!error.to_string().is_empty());
    };
    let mut document = match Document::parse("any", text, NAMES) {
        Ok(document) => document,
        Err(error) => return check(&error),
    };
    let outcomes = [
        document.read::<World>(|_| None).map(drop),
        document.overlay(r#"variants."no retry""#),
        document.set("--set", path, value),
        document.read::<World>(|_| None).map(drop),
        document.read::<Vec<Step>>(|_| None).map(drop),
        Err(document.problem(path, "wrong", None)),
    ];
    outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).for_each(check);
}

proptest! {
    #[test]
    fn no_text_panics(text: String, path: String, value: String) {
        exercise(&text, &path, &value);
        exercise(FILE, &path, &value);
    }

    #[test]
    fn no_ron_like_text_panics(text in r#"[\[\](){}"'a-c:,./*#rbé0-9 \\\n-]{0,60}"#) {
        exercise(&text, "a[0].b", &text);
        exercise(FILE, "policies.p", &text);
    }

    #[test]
    fn no_mutilated_file_panics(text in mutilated()) {
        exercise(&text, "policies.p[0]", "Timeout(\"1s\")");
    }

    #[test]
    fn what_ron_reads_is_read_here(text in mutilated()) {
        // The reverse does not hold: keys given twice, mixtures and deep nesting are refused here.
        let is_ron = ron::from_str::<ron::Value>(&text).is_ok();
        if let Err(error) = Document::parse("any", &text, &[]) {
            let ours = ["twice", "has no name"];
            let known = ours.iter().any(|reason| error.message.contains(reason));
            prop_assert!(!is_ron || known, "{error}");
        }
    }
}
