//! Traces of a Redis server: each command with the reply that it got, against [`crate`].
//!
//! There are two levels. At level 1 every reply has the same value, errors the same first word
//! (`ERR`, `WRONGTYPE`, …), and `HGETALL` the same fields in whatever order; at level 2 every
//! reply is the same to the letter. A trace passes at level 2.
//!
//! The file is replayed line by line on a virtual clock; in a trace with two nodes, what a replica
//! has is what the last `replication_caught_up` before says.

mod cluster;
mod line;
mod reply;

use serde_json::Value;
use sim_conform::{Conformance, Difference, TraceError};

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
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let error = |n: usize, message: String| TraceError { line: n + 1, message };
    let (n, first) = lines.next().ok_or_else(|| error(0, "the file is empty".to_owned()))?;
    let header: Header = serde_json::from_str(first)
        .map_err(|e| error(n, format!("not the header of a trace: {e}")))?;
    let Setting { version, goes_back, policy } =
        header.setting().map_err(|message| error(n, message))?;
    let mut cluster = Cluster::new(header.multi_node, policy);
    let mut conformance = Conformance {
        trace: header.trace.clone(),
        lib: "redis".to_owned(),
        version,
        kind: header.family.clone(),
        events: 0,
        difference: None,
        level: Some(2),
    };
    let (mut last_ms, mut end) = (i64::MIN, n);
    for (n, text) in lines {
        let error = |message: String| error(n, message);
        let line = Line::read(text).map_err(error)?;
        if line.t_ms < last_ms && !goes_back {
            return Err(error(format!("time goes back from {last_ms} to {} ms", line.t_ms)));
        }
        (last_ms, end) = (line.t_ms, n);
        let now_ms = line.clock(&header).map_err(error)?;
        conformance.events += 1;
        let step = line.step(&header).map_err(error)?;
        let Step::Command { node, client, words, reply } = step else {
            cluster.event(&step, now_ms).map_err(error)?;
            continue;
        };
        let state = cluster.state(node, client, &words, now_ms);
        let found = cluster.run(node, client, now_ms, &words).map_err(error)?;
        let level = reply::level(reply, &found.reply, &found.names);
        let worst = conformance.level.unwrap_or(2);
        if level < worst {
            conformance.level = Some(level);
            conformance.difference = Some(Difference {
                line: n + 1,
                event: text.to_owned(),
                field: "reply".to_owned(),
                expected: Some(reply.clone()),
                found: Some(found.reply),
                state,
            });
        }
        if level == 0 {
            return Ok(conformance);
        }
    }
    if conformance.events != header.n {
        let (announced, found) = (header.n, conformance.events);
        return Err(error(end, format!("the header announces {announced} lines; found {found}")));
    }
    if conformance.events == 0 {
        return Err(error(n, "a header without events shows nothing".to_owned()));
    }
    Ok(conformance)
}
