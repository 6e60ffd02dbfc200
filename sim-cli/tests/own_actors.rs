//! A program with actors of its own has every command for them.
//!
//! This test is such a program: it starts itself once per command, as a user would start it.

use std::path::Path;
use std::process::{Command, ExitCode, Output};
use std::{env, fs};

use sim_core::Span;
use sim_models::custom::{Ask, CustomActor, Desk, Kinds};

/// Says that this process is the user's program.
const IS_PROGRAM: &str = "SIM_TEST_OWN_PROGRAM";

/// The kind has an unlucky name: it is not the simulator's client.
const SCENARIO: &str = r#"Scenario(
    name: "own", about: "Calls to an actor written in Rust.", horizon: "10s",
    actors: {
        "echo": Custom("client"),
        "users": Client(load: Open(rate: "2/s", until: "5s"), does: [Call("echo.say")]),
    },
    invariants: [AllAnswered],
    variants: { "more": { "actors.users.load.rate": "4/s" } },
)"#;

/// Answers every request after ten milliseconds.
#[derive(Debug)]
struct Echo;

impl CustomActor for Echo {
    fn on_request(&mut self, ask: Ask, desk: &mut Desk<'_>) {
        desk.answer(ask.ticket, 200, ask.body, Span::millis(10));
    }
}

fn main() -> ExitCode {
    if env::var_os(IS_PROGRAM).is_some() {
        return sim_cli::main_with(Kinds::new().with("client", |_config| Ok(Box::new(Echo))));
    }
    every_command_knows_the_programs_actors();
    ExitCode::SUCCESS
}

fn every_command_knows_the_programs_actors() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("own_actors");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("own.ron"), SCENARIO).unwrap();
    for (line, wanted) in [
        ("validate own.ron", "ok  own.ron: own, 1 variant"),
        ("list .", "Calls to an actor written in Rust."),
        ("run own.ron --record run.sim", "KEPT  AllAnswered held"),
        ("run own.ron --all", "base (baseline)      kept"),
        ("replay run.sim", "identical: "),
        ("check own.ron --seeds 2", "1 invariant held with each of 2 seeds"),
        ("compare own.ron --seeds 2 -v", "more against base"),
        ("compare own.ron --seeds 2 -v --variants more,base", "base against more"),
        ("map own.ron --x actors.users.load.rate=\"2/s\",\"3/s\" --seeds 2", "\"3/s\""),
    ] {
        let said = said(&folder, line);
        assert!(said.contains(wanted), "{line}: {said}");
    }
    let compared = said(&folder, "compare own.ron --seeds 2 -v");
    assert!(compared.contains("latency_mean(users)"), "{compared}");
    for figure in ["latency_mean(echo)", "p99(echo)"] {
        assert!(!compared.contains(figure), "latencies that users have are compared: {compared}");
    }
}

fn said(folder: &Path, line: &str) -> String {
    let Output { status, stdout, stderr } = Command::new(env::current_exe().unwrap())
        .args(line.split(' '))
        .env(IS_PROGRAM, "")
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(status.success(), "{line}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}
