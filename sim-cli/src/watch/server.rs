//! Listens on the loopback interface, and answers what the page asks.
//!
//! | address | answer |
//! |---|---|
//! | `/?STATE` | the page |
//! | `/report.js`, `/watch.js` | its scripts |
//! | `/run/PAGE?STATE` | what a state shows, or what is wrong with it; a newer question of `PAGE` calls it off |
//! | `/stamp` | what tells one text of the file from another |

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use sim_models::custom::Kinds;
use tiny_http::{Header, Request, Response};
use xxhash_rust::xxh3::xxh3_64;

use super::guard::Asked;
use super::state::State;
use super::waiting::Waiting;
use super::{answer, shell};
use crate::console;
use crate::diagnostics::Failure;
use crate::file::ScenarioFile;

/// Requests that are answered at a time; a page asks two.
const REQUESTS_MAX: usize = 64;

/// What is watched.
#[derive(Debug)]
pub struct Watched {
    /// The scenario's file, as it was typed.
    pub path: PathBuf,
    /// The kinds of actors written in Rust that it may name.
    pub kinds: Kinds,
}

/// A server that listens.
pub struct Server {
    http: tiny_http::Server,
    port: u16,
    desk: Arc<Desk>,
}

/// What all answers share.
struct Desk {
    watched: Watched,
    port: u16,
    waiting: Waiting,
    answering: AtomicUsize,
}

/// An answer that is ready to be sent: a status, its kind, and its text.
type Answer = (u16, &'static str, String);

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

impl Server {
    /// Listens at a port of the loopback interface; at port 0, where there is one.
    ///
    /// # Errors
    /// When somebody else listens there.
    pub fn listen(watched: Watched, port: u16) -> Result<Server, Failure> {
        let http = tiny_http::Server::http(("127.0.0.1", port)).map_err(|error| {
            let help = "`--port 0` takes one that is free";
            Failure::with_help(format!("cannot listen at port {port}: {error}"), help)
        })?;
        let port = http.server_addr().to_ip().map_or(port, |address| address.port());
        let (waiting, answering) = (Waiting::default(), AtomicUsize::new(0));
        Ok(Server { http, port, desk: Arc::new(Desk { watched, port, waiting, answering }) })
    }

    /// The page's address without a state.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// Answers for as long as the program runs.
    #[expect(clippy::disallowed_methods, reason = "each run has one thread, whoever asks first")]
    pub fn serve(self) {
        for request in self.http.incoming_requests() {
            let desk = Arc::clone(&self.desk);
            if desk.answering.fetch_add(1, Ordering::Relaxed) >= REQUESTS_MAX {
                send(request, (503, TEXT, "too many ask at once".to_owned()));
                desk.answering.fetch_sub(1, Ordering::Relaxed);
                continue;
            }
            std::thread::spawn(move || {
                // Also when a run panics; then the request is answered with 500 where it is dropped.
                let place = Place(desk);
                let answer = place.0.answer(Asked::of(&request));
                send(request, answer);
            });
        }
    }
}

/// One of the requests that are answered at a time.
struct Place(Arc<Desk>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.answering.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Desk {
    fn answer(&self, asked: Asked<'_>) -> Answer {
        if let Err((status, why)) = asked.check(self.port) {
            return (status, TEXT, why.to_owned());
        }
        let (path, query) = asked.url.split_once('?').unwrap_or((asked.url, ""));
        match path {
            "/" => (200, HTML, shell::page(&self.watched.path.to_string_lossy())),
            "/report.js" => (200, SCRIPT, crate::page::SCRIPT.to_owned()),
            "/watch.js" => (200, SCRIPT, shell::SCRIPT.to_owned()),
            "/stamp" => (200, JSON, json!(stamp(&self.read())).to_string()),
            _ => match path.strip_prefix("/run/") {
                Some(page) => (200, JSON, self.run(page, query).to_string()),
                None => (404, TEXT, "there is nothing here".to_owned()),
            },
        }
    }

    fn read(&self) -> Result<ScenarioFile, Failure> {
        let mut file = ScenarioFile::read(&self.watched.path, &self.watched.kinds)?;
        // It is no part of the text, and places are counted without it.
        if let Some(text) = file.text.strip_prefix('\u{feff}') {
            file.text = text.to_owned();
        }
        Ok(file)
    }

    /// What a state shows; `problem` says what is wrong, `called_off` that nobody wants it any more.
    fn run(&self, page: &str, query: &str) -> Value {
        let Some(turn) = self.waiting.turn(page) else { return json!({ "called_off": true }) };
        let read = self.read();
        let stamp = stamp(&read);
        let state = query.parse::<State>().map_err(Failure::new);
        let told = read.and_then(|file| answer::answer(&file, &state?, &turn));
        let mut answer = match told {
            Ok(Some((answer, line))) => {
                // Who looks at the page need not look at the terminal.
                let _ = console::print(&line);
                answer
            }
            Ok(None) => json!({ "called_off": true }),
            Err(failure) => json!({ "problem": failure.render(false) }),
        };
        answer["stamp"] = json!(stamp);
        answer
    }
}

/// Tells one text of a file from another, and from none.
fn stamp(read: &Result<ScenarioFile, Failure>) -> String {
    match read {
        Ok(file) => format!("{:016x}", xxh3_64(file.text.as_bytes())),
        Err(failure) => failure.render(false),
    }
}

fn send(request: Request, (status, kind, text): Answer) {
    let headers = [
        ("Content-Type", kind),
        ("Content-Security-Policy", shell::POLICY),
        ("X-Content-Type-Options", "nosniff"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Referrer-Policy", "no-referrer"),
        ("Cache-Control", "no-store"),
    ];
    let response = Response::from_string(text).with_status_code(status);
    let response = headers.iter().fold(response, |response, (name, value)| {
        let header = Header::from_bytes(*name, *value).expect("both are ASCII");
        response.with_header(header)
    });
    // A page that was closed meanwhile needs no answer.
    let _ = request.respond(response);
}
