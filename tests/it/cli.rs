//! The command line: what is wrong is told with its place, nothing panics, and what is printed
//! can be repeated.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{Told, binary, refused, root, same_as_written, scenarios_in, scratch, sim_in};

const GOOD: &str = r#"Scenario(
    name: "good", about: "A scenario to break.", horizon: "10s",
    actors: {
        "users": Client(load: Open(rate: "5/s", until: "5s"),
            does: [Call("api.get", policy: "patient")]),
        "api": Service(workers: 2, endpoints: { "get": [Work(Const("20ms")), Effect("charge")] }),
    },
    links: [Link(from: "users", to: "api", latency: Const("5ms"), loss: 0.1)],
    policies: { "patient": [Retry(attempts: 3), Timeout("1s")] },
    invariants: [AllAnswered],
    variants: { "strict": { "invariants[0]": ExactlyOnce("charge") } },
)
"#;

/// Runs the good scenario with one text replaced by another.
fn broken(folder: &Path, from: &str, to: &str) -> Told {
    assert!(GOOD.contains(from), "{from}");
    fs::write(folder.join("bad.ron"), GOOD.replacen(from, to, 1)).unwrap();
    sim_in(folder, &["run", "bad.ron"])
}

#[test]
fn a_mistake_is_told_with_its_place_and_a_hint() {
    let folder = scratch("mistakes");
    for (from, to, wanted) in [
        ("horizon:", "horizn:", &["bad.ron:2:", "horizn", "did you mean `horizon`"][..]),
        ("workers: 2", "wokers: 2", &["bad.ron:6:", "did you mean `workers`"]),
        ("\"api.get\"", "\"apu.get\"", &["bad.ron:5:", "apu", "did you mean"]),
        ("\"api.get\"", "\"api.gte\"", &["bad.ron:5:", "gte", "did you mean"]),
        ("policy: \"patient\"", "policy: \"patent\"", &["bad.ron:5:", "did you mean"]),
        ("\"20ms\"", "\"-20ms\"", &["bad.ron:6:", "-20ms", "duration"]),
        ("\"20ms\"", "\"20\"", &["bad.ron:6:", "duration"]),
        ("\"5/s\"", "\"-5/s\"", &["bad.ron:4:", "rate"]),
        ("\"5/s\"", "\"0/s\"", &["bad.ron:4:", "rate"]),
        ("loss: 0.1", "loss: NaN", &["bad.ron:8:", "NaN"]),
        ("loss: 0.1", "loss: 1.4", &["bad.ron:8:", "1.4"]),
        ("workers: 2", "workers: 0", &["bad.ron:6:", "at least 1"]),
        ("workers: 2", "workers: -2", &["bad.ron:6:", "-2"]),
        ("attempts: 3", "attempts: 0", &["bad.ron:9:", "at least 1"]),
        ("Client(", "Clinet(", &["bad.ron:4:", "did you mean `Client`"]),
        ("Work(", "Wrok(", &["bad.ron:6:", "did you mean `Work`"]),
        ("\"10s\"", "\"40000d\"", &["bad.ron:2:", "horizon"]),
        ("\"5/s\"", "\"900000000/s\"", &["bad.ron:4:"]),
        ("Effect(\"charge\")", "Call(\"api.get\")", &["bad.ron:6:", "api"]),
        (")\n", "", &["bad.ron:"]),
        ("Scenario(", "Scenario(((", &["bad.ron:1:"]),
    ] {
        let told = broken(&folder, from, to);
        println!("{to}: {}", told.stderr);
        refused(&told, wanted);
    }
}

#[test]
fn a_wrong_argument_is_told_with_a_hint() {
    let folder = scratch("arguments");
    fs::write(folder.join("good.ron"), GOOD).unwrap();
    for (args, wanted) in [
        (&["run", "goof.ron"][..], &["goof.ron", "good.ron"][..]),
        (&["run", "."], &["folder"]),
        (&["run", "good.ron", "--variant", "strct"], &["strct", "strict"]),
        (&["run", "good.ron", "--set", "actors.apu.workers=3"], &["apu", "did you mean"]),
        (&["run", "good.ron", "--set", "actors.api.workers=many"], &["--set"]),
        (&["run", "good.ron", "--set", "horizon"], &["horizon"]),
        (&["run", "good.ron", "--seed", "-1"], &["-1"]),
        (&["run", "good.ron", "--sed", "1"], &["--seed"]),
        (&["replya", "run.sim"], &["replay"]),
        (&["replay", "good.ron"], &["good.ron"]),
        (&["replay", "none.sim"], &["none.sim"]),
    ] {
        let told = sim_in(&folder, args);
        println!("{args:?}: {}", told.stderr);
        refused(&told, wanted);
    }
}

#[test]
fn a_strange_file_is_refused() {
    let folder = scratch("strange");
    let deep = format!("Scenario(name: {}", "[".repeat(10_000));
    let maps = format!("Scenario(actors: {}", "{\"a\":".repeat(10_000));
    let binary: Vec<u8> = (0..=255).cycle().take(4096).collect();
    let files: [(&str, &[u8]); 8] = [
        ("empty.ron", b""),
        ("blank.ron", b"\n\n  \n"),
        ("comment.ron", b"// nothing\n"),
        ("deep.ron", deep.as_bytes()),
        ("maps.ron", maps.as_bytes()),
        ("binary.ron", &binary),
        ("latin1.ron", b"Scenario(name: \"caf\xe9\")"),
        ("zeros.ron", &[0; 100]),
    ];
    for (name, bytes) in files {
        fs::write(folder.join(name), bytes).unwrap();
        for command in ["run", "replay"] {
            refused(&sim_in(&folder, &[command, name]), &[name]);
        }
    }
}

#[test]
fn the_exit_code_is_the_verdict() {
    let folder = scratch("codes");
    fs::write(folder.join("good.ron"), GOOD).unwrap();
    let code = |args: &[&str]| sim_in(&folder, args).code;
    assert_eq!(code(&["run", "good.ron"]), Some(0));
    assert_eq!(code(&["run", "good.ron", "--variant", "strict"]), Some(1), "a retry charges again");
    assert_eq!(code(&["run", "good.ron", "--set", "limits=(steps: 50)"]), Some(1), "a limit");
    assert_eq!(code(&["run", "none.ron"]), Some(2));
    assert_eq!(code(&["--help"]), Some(0));
    assert_eq!(code(&["--version"]), Some(0));
}

#[test]
fn json_keeps_its_contract() {
    let folder = scratch("json");
    fs::write(folder.join("good.ron"), GOOD).unwrap();
    let told = sim_in(&folder, &["run", "good.ron", "--json", "--variant", "strict"]);
    let json: Value = serde_json::from_str(&told.stdout).expect("one JSON object");
    assert_eq!(json["schema"], 3);
    assert_eq!(json["scenario"], "good");
    assert_eq!(json["variant"], "strict");
    assert_eq!(json["verdict"], "violated");
    assert!(json["seed"].is_u64() && json["steps"].is_u64() && json["virtual_ms"].is_number());
    assert!(json["run_id"].as_str().is_some_and(|id| id.starts_with("r1-")), "{json}");
    assert!(json["digest"].as_str().is_some_and(|digest| digest.len() == 16), "{json}");
    let invariant = &json["invariants"][0];
    assert_eq!(invariant["name"], "ExactlyOnce(\"charge\")");
    assert_eq!(invariant["verdict"], "violated");
    assert!(invariant["violations"].as_u64().is_some_and(|n| n > 0));
    let first = &invariant["first"];
    assert!(first["at_ms"].is_number() && first["step"].is_u64() && first["witness"].is_string());
    for count in ["count", "intents", "duplicated", "refunded"] {
        assert!(json["effects"]["charge"][count].is_u64(), "{count}");
    }
    assert!(json["transitions"].is_array());
    for figure in ["p50", "p90", "p99", "p999", "mean", "max"] {
        assert!(json["actors"]["users"]["latency_ms"][figure].is_number(), "{figure}");
    }
    for count in ["attempts", "success", "failed", "unknown", "retries"] {
        assert!(json["calls"]["users->api"][count].is_u64(), "{count}");
    }
    assert!(json["calls"]["users->api"]["rejected"].is_object());
}

#[test]
fn two_runs_write_the_same_bytes() {
    let folder = scratch("bytes");
    let payment = root().join("scenarios/payment.ron");
    let payment = payment.to_str().expect("UTF-8");
    for extra in [&[][..], &["--json"], &["-v"], &["-q"]] {
        let run = |out: &str| sim_in(&folder, &[&["run", payment, "--out", out], extra].concat());
        let (one, two) = (run("one"), run("two"));
        assert_eq!(one.stdout, two.stdout.replace("two/", "one/"), "{extra:?}");
    }
    let charts = |out: &str| {
        let entries = fs::read_dir(folder.join(out)).expect("charts");
        let mut charts: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        charts.sort();
        charts.into_iter().map(|path| fs::read(path).unwrap()).collect::<Vec<_>>()
    };
    assert!(!charts("one").is_empty());
    assert_eq!(charts("one"), charts("two"));
}

/// The words of a command as a shell would split them; the commands here quote with `'` only.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut quoted) = (vec![String::new()], false);
    for c in command.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            _ => words.last_mut().expect("a word").push(c),
        }
    }
    words
}

#[test]
fn the_printed_command_repeats_the_run() {
    let folder = scratch("repeat");
    fs::write(folder.join("good.ron"), GOOD).unwrap();
    let args =
        ["run", "good.ron", "--seed", "99", "--variant", "strict", "--set", "horizon=\"9s\""];
    let told = sim_in(&folder, &args);
    let line = told.stdout.lines().find(|line| line.contains("sim run ")).expect("the command");
    let command = &line[line.find("sim run ").expect("the command")..];
    let words = words(command);
    let args_again: Vec<&str> = words[1..].iter().map(String::as_str).collect();
    assert_eq!(sim_in(&folder, &args_again).stdout, told.stdout, "{command}");

    let digest = |args: &[&str]| {
        let told = sim_in(&folder, &[args, &["--json"]].concat());
        let json: Value = serde_json::from_str(&told.stdout).expect("JSON");
        json["digest"].clone()
    };
    assert_eq!(digest(&args_again), digest(&args));
    assert_ne!(digest(&args_again), digest(&["run", "good.ron"]));
}

#[test]
fn the_picture_in_the_readme_is_the_one_that_is_drawn() {
    let folder = scratch("picture");
    let out = folder.to_str().expect("UTF-8");
    let readme = fs::read_to_string(root().join("README.md")).expect("the page");
    let line = readme.lines().find(|line| line.starts_with("sim compare ")).expect("its command");
    let line = words(line);
    let args: Vec<&str> = line[1..].iter().map(String::as_str).chain(["--out", out]).collect();
    sim_in(root(), &args);
    let drawn = fs::read_dir(&folder).expect("the folder").next().expect("a chart");
    let drawn = fs::read_to_string(drawn.expect("an entry").path()).expect("a chart");
    same_as_written("docs/finding.svg", &drawn);
}

#[test]
fn where_no_chart_can_go_the_run_is_told_all_the_same() {
    let folder = scratch("no_chart");
    fs::write(folder.join("good.ron"), GOOD).unwrap();
    let with_chart = sim_in(&folder, &["run", "good.ron", "--seed", "9"]);
    let line = "chart     out/good-seed-9.svg\n";
    assert!(with_chart.stdout.ends_with(line), "{}", with_chart.stdout);
    fs::remove_dir_all(folder.join("out")).unwrap();

    let without = sim_in(&folder, &["run", "good.ron", "--seed", "9", "--no-chart"]);
    assert_eq!(without.stdout + line, with_chart.stdout);
    assert!(!folder.join("out").exists());

    // A file stands where the folder should be.
    fs::write(folder.join("out"), "").unwrap();
    for command in [
        &["run", "good.ron"][..],
        &["run", "good.ron", "--all"],
        &["compare", "good.ron", "--seeds", "2"],
        &["map", "good.ron", "--x", "actors.api.workers=1,2", "--seeds", "1"],
    ] {
        let told = sim_in(&folder, command);
        let free: Vec<&str> = command.iter().copied().chain(["--no-chart"]).collect();
        let free = sim_in(&folder, &free);
        assert_eq!((told.code, &told.stdout), (free.code, &free.stdout), "{command:?}");
        assert!(told.stderr.contains("no chart: cannot write out/"), "{}", told.stderr);
        let asked: Vec<&str> = command.iter().copied().chain(["--out", "out"]).collect();
        let asked = sim_in(&folder, &asked);
        assert_eq!(asked.code, Some(2), "a folder that was asked for: {command:?}");
        assert!(asked.stderr.contains("cannot write out/"), "{}", asked.stderr);
        assert!(asked.stdout.contains("good"), "what was found is told first");
    }
}

#[test]
fn a_shipped_scenario_runs_anywhere_as_its_file_does() {
    let folder = scratch("shipped");
    let list = sim_in(&folder, &["list", "--shipped"]);
    let named: Vec<&str> = list.stdout.lines().filter_map(|l| l.split("shipped:").nth(1)).collect();
    let named: Vec<&str> = named.iter().filter_map(|l| l.split_whitespace().next()).collect();
    let mut files = Vec::new();
    for below in ["", "failure-modes/", "incidents/", "published/", "regressions/"] {
        for file in scenarios_in(&format!("scenarios/{below}")) {
            files.push(format!("{below}{}", file.file_stem().unwrap().to_string_lossy()));
        }
    }
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    let named = sorted(named.into_iter().map(str::to_owned).collect());
    assert_eq!(named, sorted(files), "{}", list.stdout);

    for (shipped, file) in [
        ("shipped:double_click", "scenarios/double_click.ron"),
        ("shipped:FM-01", "scenarios/failure-modes/FM-01-crash-after-charge.ron"),
    ] {
        let built_in = sim_in(&folder, &["run", shipped, "--json", "--no-chart"]);
        let file = root().join(file);
        let own = sim_in(&folder, &["run", file.to_str().unwrap(), "--json", "--no-chart"]);
        assert_eq!((built_in.code, built_in.stdout), (own.code, own.stdout), "{shipped}");
    }
    let near = sim_in(&folder, &["run", "payment.ron"]);
    assert!(near.stderr.contains("did you mean `shipped:payment`?"), "{}", near.stderr);

    let copied = sim_in(&folder, &["new", "shop", "--from", "double_click"]);
    assert_eq!(copied.code, Some(0), "{}", copied.stderr);
    assert!(sim_in(&folder, &["run", "shop.ron"]).stdout.contains("out/shop.svg"));
}

#[test]
fn shells_and_man_are_told_of_each_command() {
    let folder = scratch("packaged");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = sim_in(&folder, &["completions", shell]).stdout;
        assert!(script.contains("explore") && script.contains("no-chart"), "{shell}");
    }
    assert!(sim_in(&folder, &["man"]).stdout.starts_with(".ie"));
    assert_eq!(sim_in(&folder, &["man", "--out", "man"]).code, Some(0));
    for page in ["sim.1", "sim-run.1", "sim-explore.1"] {
        assert!(folder.join("man").join(page).exists(), "{page}");
    }
}

/// Starts a command, and presses Ctrl-C as soon as it would hear it.
#[cfg(target_os = "linux")]
fn interrupted(folder: &Path, args: &[&str]) -> Told {
    let mut command = Command::new(binary());
    let command = command.args(args).current_dir(folder);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("sim runs");
    let status = format!("/proc/{}/status", child.id());
    let mut hears = || {
        assert_eq!(
            child.try_wait().expect("its state"),
            None,
            "it goes on until it is interrupted"
        );
        let status = fs::read_to_string(&status).expect("its state");
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0");
        u64::from_str_radix(caught.trim(), 16).expect("a mask") & 2 != 0
    };
    while !hears() {
        std::thread::yield_now();
    }
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.expect("kill runs").success());
    Told::of(child.wait_with_output().expect("it ends"))
}

#[cfg(target_os = "linux")]
#[test]
fn a_run_that_is_interrupted_tells_what_it_has() {
    let folder = scratch("interrupted");
    let endless = GOOD.replace(r#"horizon: "10s""#, r#"horizon: "30d""#);
    let endless = endless.replace(r#", until: "5s""#, "");
    fs::write(folder.join("endless.ron"), endless).unwrap();
    let told = interrupted(&folder, &["run", "endless.ron"]);
    assert_eq!(told.code, Some(1), "{}", told.stderr);
    assert!(told.stdout.starts_with("INVALID"), "{}", told.stdout);
    assert!(told.stdout.contains("it was called off at"), "{}", told.stdout);
    assert!(folder.join("out/endless.svg").exists() || folder.join("out/good.svg").exists());
    let all = interrupted(&folder, &["run", "endless.ron", "--all"]);
    assert!(all.stderr.contains("called off: 1 of 2 were begun"), "{}", all.stderr);
}

/// A study of a run that does not end in a test's time: none of its seeds is done, and it says so.
#[cfg(target_os = "linux")]
#[test]
fn a_study_that_is_interrupted_says_how_many_seeds_are_done() {
    let folder = scratch("interrupted-study");
    let endless = GOOD.replace(r#"horizon: "10s""#, r#"horizon: "30d""#);
    let endless = endless.replace(r#", until: "5s""#, "");
    fs::write(folder.join("endless.ron"), endless).unwrap();
    let told = interrupted(&folder, &["check", "endless.ron", "--junit", "verdicts.xml"]);
    assert_eq!(told.code, Some(1), "{}", told.stderr);
    assert!(
        told.stdout.starts_with("INVALID  Called off after 0 of 100 seeds\n"),
        "{}",
        told.stdout
    );
    let junit = fs::read_to_string(folder.join("verdicts.xml")).expect("verdicts are written");
    assert!(junit.contains("called off after 0 of 100 seeds"), "{junit}");
    for study in [
        &["compare", "endless.ron", "--json", "--seeds", "7"][..],
        &["map", "endless.ron", "--json", "--seeds", "7", "--x", "horizon=29d,30d"],
    ] {
        let told = interrupted(&folder, study);
        assert_eq!(told.code, Some(1), "{}", told.stderr);
        let json: Value = serde_json::from_str(&told.stdout).expect("one JSON object");
        let subject = if json["sides"].is_array() { &json["sides"][0] } else { &json };
        assert_eq!(subject["stopped"], true);
        assert_eq!((&subject["seeds"], &subject["seeds_asked"]), (&0.into(), &7.into()));
    }
    assert!(!folder.join("out").exists(), "there is nothing to draw");
}
