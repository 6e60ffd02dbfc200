//! Traces of a Redis server: each command with the reply that it got, against [`crate`].
//!
//! There are two levels. At level 1 every reply has the same value, errors the same first word
//! (`ERR`, `WRONGTYPE`, …), and `HGETALL` the same fields in whatever order. At level 2 every reply
//! is the same to the letter. A trace passes at level 2.
//!
//! The file is replayed line by line on a virtual clock; in a trace with two nodes, what a replica
//! has is what the last `replication_caught_up` before says.

mod cluster;
mod line;
mod reply;

use serde_json::Value;
use sim_conform::{Conformance, Differs, Replay, TraceError};

use cluster::Cluster;
use line::{Header, Line, Setting, Step};

/// Whether a first line is the header of such a trace: it names a server and no library.
pub fn is_header(line: &str) -> bool {
    let header: Value = serde_json::from_str(line).unwrap_or_default();
    header.get("server").is_some() && header.get("lib").is_none()
}

/// Replays the text of a trace file.
///
/// # Errors
/// When a line is not understood. A trace that is understood and differs is not an error: it is a
/// [`Conformance`] with a difference.
pub fn conform(text: &str) -> Result<Conformance, TraceError> {
    sim_conform::replay::<Server>(text)
}

/// The nodes of the trace.
struct Server {
    header: Header,
    /// Whether the clock may go back.
    goes_back: bool,
    last_ms: i64,
    cluster: Cluster,
}

impl Replay for Server {
    type Header = Header;

    fn begin(header: Header) -> Result<(Server, Conformance), String> {
        let Setting { version, goes_back, policy } = header.setting()?;
        let conformance = Conformance {
            trace: header.trace.clone(),
            lib: "redis".to_owned(),
            version,
            kind: header.family.clone(),
            events: 0,
            difference: None,
            level: Some(2),
        };
        let cluster = Cluster::new(header.multi_node, policy);
        Ok((Server { header, goes_back, last_ms: i64::MIN, cluster }, conformance))
    }

    fn play(&mut self, text: &str) -> Result<Option<Differs>, String> {
        let line = Line::read(text)?;
        if line.t_ms < self.last_ms && !self.goes_back {
            return Err(format!("time goes back from {} to {} ms", self.last_ms, line.t_ms));
        }
        self.last_ms = line.t_ms;
        let now_ms = line.clock(&self.header)?;
        let step = line.step(&self.header)?;
        let Step::Command { node, client, words, reply } = step else {
            self.cluster.event(&step, now_ms)?;
            return Ok(None);
        };
        let state = self.cluster.state(node, client, &words, now_ms);
        let found = self.cluster.run(node, client, now_ms, &words)?;
        let level = reply::level(reply, &found.reply, &found.names);
        let (expected, found) = (Some(reply.clone()), Some(found.reply));
        let differs = || Differs { level, field: "reply".to_owned(), expected, found, state };
        Ok((level < 2).then(differs))
    }

    fn end(&self, events: u64) -> Result<Option<Differs>, String> {
        if events == self.header.n {
            return Ok(None);
        }
        let announced = self.header.n;
        Err(format!("the header announces {announced} lines; found {events}"))
    }
}
