//! A `redis-server` of one's own, and enough of its protocol (RESP2) to talk to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::scratch;

/// A reply as it comes over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resp {
    Status(String),
    Error(String),
    Int(i64),
    Bulk(String),
    Nil,
    NilArray,
    Array(Vec<Resp>),
}

/// A server that forgets everything and listens in a folder of its own; it ends with this value,
/// also in a panic.
pub struct Server {
    child: Child,
    socket: PathBuf,
}

impl Server {
    /// A running server, or nothing when there is no `redis-server` here.
    pub fn start(name: &str) -> Option<Server> {
        let found = Command::new("redis-server").arg("--version").output().ok()?;
        if !found.status.success() {
            return None;
        }
        // A socket's path is short by law; the scratch folder of a deep workspace is not.
        let socket = PathBuf::from(format!("/tmp/{name}-{}.sock", std::process::id()));
        let options = ["--port", "0", "--save", "", "--appendonly", "no", "--maxclients", "100"];
        let child = Command::new("redis-server")
            .args(["--unixsocket", socket.to_str().expect("UTF-8")])
            .args(options)
            .args(["--enable-debug-command", "local"])
            .current_dir(scratch(name))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let server = Server { child, socket };
        server.connect();
        Some(server)
    }

    /// A connection, as soon as the server takes one.
    pub fn connect(&self) -> Client {
        for _ in 0..200 {
            if let Ok(stream) = UnixStream::connect(&self.socket) {
                return Client::new(stream);
            }
            // Nothing here may sleep; a program may.
            let _ = Command::new("sleep").arg("0.05").status();
        }
        panic!("redis-server does not listen at {}", self.socket.display());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file::<&Path>(&self.socket);
    }
}

/// One connection.
pub struct Client {
    input: BufReader<UnixStream>,
    output: Vec<u8>,
}

impl Client {
    fn new(stream: UnixStream) -> Client {
        let patience = Some(Duration::from_secs(5));
        stream.set_read_timeout(patience).expect("a socket");
        Client { input: BufReader::new(stream), output: Vec::new() }
    }

    /// Adds a command to what is sent next.
    pub fn put<W: AsRef<str>>(&mut self, words: &[W]) {
        write!(self.output, "*{}\r\n", words.len()).expect("memory");
        for word in words {
            let word = word.as_ref();
            write!(self.output, "${}\r\n{word}\r\n", word.len()).expect("memory");
        }
    }

    pub fn send(&mut self) {
        self.input.get_mut().write_all(&self.output).expect("the server reads");
        self.output.clear();
    }

    /// Sends one command and waits for its reply.
    pub fn ask<W: AsRef<str>>(&mut self, words: &[W]) -> Resp {
        self.put(words);
        self.send();
        self.read()
    }

    pub fn read(&mut self) -> Resp {
        let mut line = String::new();
        if let Err(error) = self.input.read_line(&mut line) {
            // A property test would shrink a panic, and wait again each time.
            eprintln!("redis-server does not answer: {error}");
            std::process::abort();
        }
        let line = line.trim_end_matches(['\r', '\n']);
        let rest = line.get(1..).unwrap_or_default();
        let number = || rest.parse::<i64>().expect("a number");
        match line.as_bytes().first() {
            Some(b'+') => Resp::Status(rest.to_owned()),
            Some(b'-') => Resp::Error(rest.to_owned()),
            Some(b':') => Resp::Int(number()),
            Some(b'$') if number() < 0 => Resp::Nil,
            Some(b'$') => {
                let mut bytes = vec![0; number() as usize + 2];
                self.input.read_exact(&mut bytes).expect("the rest of a string");
                bytes.truncate(bytes.len() - 2);
                Resp::Bulk(String::from_utf8(bytes).expect("UTF-8"))
            }
            Some(b'*') if number() < 0 => Resp::NilArray,
            Some(b'*') => Resp::Array((0..number()).map(|_| self.read()).collect()),
            _ => panic!("{line:?} is no reply"),
        }
    }
}
