//! A record that was tampered with is caught, and the message says where.

use super::*;
use crate::changes::Changes;
use crate::file::ScenarioFile;

const SOURCE: &str = r#"Scenario(
    name: "hello", about: "Five requests.", horizon: "5s",
    actors: {
        "users": Client(load: Open(rate: "1/s", arrivals: Poisson), does: [Call("api.hello")]),
        "api": Service(workers: 1, endpoints: { "hello": [Work(Exponential("20ms"))] }),
    },
    variants: { "slow": { "actors.api.endpoints.hello[0]": Work(Const("2s")) } },
)"#;

/// A record as its lines.
fn record() -> Vec<String> {
    let file = ScenarioFile {
        path: PathBuf::from("some/hello.ron"),
        text: SOURCE.to_owned(),
        kinds: Kinds::new(),
    };
    let set = vec![("horizon".to_owned(), "10s".to_owned())];
    let changes = Changes { set, variant: Some("slow".to_owned()) };
    let scenario = file.load_changed(&changes).unwrap();
    let header = Header::new(&file, &changes, &scenario, 7);
    let mut bytes = Vec::new();
    record::write_to(&mut bytes, &header, scenario.start(7)).unwrap();
    String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
}

fn replay_text(text: &str) -> Result<Finding, Failure> {
    let (header, mut reader) = Reader::new(text.as_bytes(), "run.sim")?;
    compare(&header, &mut reader, "run.sim", &Kinds::new())
}

/// What is said of a record after a change.
fn said(change: impl FnOnce(&mut Vec<String>)) -> String {
    let mut lines = record();
    change(&mut lines);
    match replay_text(&(lines.join("\n") + "\n")) {
        Ok(finding) => finding.to_string(),
        Err(failure) => failure.render(false),
    }
}

/// The line of step `number`; the format and the header stand before the first.
fn step(number: usize) -> usize {
    number + 1
}

#[test]
fn an_untouched_record_is_identical() {
    let lines = record();
    let steps = lines.len() - 3;
    assert!(steps > 10, "{lines:?}");
    assert!(said(|_| ()).starts_with(&format!("identical: {steps} steps, digest ")));
    // The header is all that is needed: the record carries its scenario.
    assert!(lines[1].starts_with(r#"{"scenario":"hello.ron","source":"Scenario("#));
}

#[test]
fn a_changed_digest_is_named() {
    let said = said(|lines| {
        let digest = lines[step(4)].split(' ').nth(2).unwrap().to_owned();
        lines[step(4)] = lines[step(4)].replace(&digest, "0123456789abcdef");
    });
    assert!(said.starts_with("diverged: step 4 is the first that differs, in the digest\n"));
    assert!(said.contains("\n  recorded  step 4 at ") && said.contains("0123456789abcdef"));
}

#[test]
fn a_changed_time_is_named() {
    let said = said(|lines| {
        let mut parts: Vec<&str> = lines[step(3)].split(' ').collect();
        parts[1] = "42";
        lines[step(3)] = parts.join(" ");
    });
    assert!(said.starts_with("diverged: step 3 is the first that differs, in the time\n"));
    assert!(said.contains("recorded  step 3 at 42 ns"), "{said}");
}

#[test]
fn a_changed_word_is_named() {
    let said = said(|lines| lines[step(3)] += "!");
    assert!(said.contains("step 3 is the first that differs, in what happened"), "{said}");
}

#[test]
fn a_missing_line_is_named() {
    let said = said(|lines| drop(lines.remove(step(5))));
    assert!(said.contains("where step 5 should be, the record has another"), "{said}");
    assert!(said.contains("recorded  step 6 at") && said.contains("replayed  step 5 at"));
}

#[test]
fn an_extra_line_is_named() {
    let said_twice = said(|lines| lines.insert(step(5), lines[step(5)].clone()));
    assert!(said_twice.contains("where step 6 should be, the record has another"));
    let said_late = said(|lines| {
        let end = lines.len() - 1;
        lines.insert(end, "99 5 0123456789abcdef more".to_owned());
    });
    assert!(said_late.contains("the record goes on with step 99"), "{said_late}");
    let said_behind = said(|lines| lines.push("99 5 0123456789abcdef more".to_owned()));
    assert!(said_behind.contains("the record goes on with step 99\n"), "{said_behind}");
    assert!(said_behind.ends_with("replayed  nothing"), "{said_behind}");
    assert!(said(|lines| lines.push(lines.last().unwrap().clone())).contains("ends twice"));
}

#[test]
fn a_cut_record_is_named_wherever_it_was_cut() {
    let whole = record().join("\n") + "\n";
    let steps_begin = whole.match_indices('\n').nth(1).unwrap().0 + 1;
    // A record that lost only its last newline has lost nothing.
    for end in steps_begin..whole.len() - 1 {
        let said = replay_text(&whole[..end]).unwrap().to_string();
        assert!(said.starts_with("diverged: "), "cut at {end}: {said}");
    }
    assert!(matches!(replay_text(whole.trim_end()), Ok(Finding::Identical(_))));
    assert!(said(|lines| drop(lines.pop())).contains("cut off before its last line"));
    assert!(said(|lines| lines.truncate(step(5))).contains("cut off before step 5"));
}

#[test]
fn an_early_or_different_end_is_named() {
    let early = said(|lines| drop(lines.drain(step(5)..lines.len() - 1)));
    assert!(early.contains("the record ends before step 5"), "{early}");
    let other = said(|lines| *lines.last_mut().unwrap() += "ish");
    assert!(other.contains("the end differs, in the verdict"), "{other}");
}

#[test]
fn a_changed_header_is_named() {
    let header = |from: &'static str, to: &'static str| {
        said(move |lines| {
            assert!(lines[1].contains(from), "{}", lines[1]);
            lines[1] = lines[1].replacen(from, to, 1);
        })
    };
    assert!(header("20ms", "21ms").contains("so the scenario's source was changed"));
    assert!(header("\"seed\":7", "\"seed\":8").contains("so the seed was changed"));
    assert!(header("\"10s\"", "\"11s\"").contains("so the variant or an override was changed"));
    assert!(header("\"slow\"", "\"quick\"").contains("there is no `quick` in `variants`"));
}

#[test]
fn another_engine_is_still_compared() {
    let engine = RunId::ENGINE;
    let said = said(|lines| {
        lines[1] = lines[1].replace(&format!("-v{engine}"), "-v0.0.9");
        lines[1] = lines[1].replace(&format!(":\"{engine}\""), ":\"0.0.9\"");
        assert!(lines[1].contains("0.0.9\",\"engine\":\"0.0.9\""), "{}", lines[1]);
    });
    assert!(said.starts_with("identical: "), "{said}");
}

#[test]
fn a_malformed_line_is_shown_with_its_number() {
    let said = said(|lines| lines[step(2)] = "what is this".to_owned());
    assert!(said.starts_with("error: run.sim:4: expected `number nanoseconds"), "{said}");
}
