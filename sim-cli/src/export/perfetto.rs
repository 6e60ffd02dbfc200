//! A run as a Perfetto trace, which `ui.perfetto.dev` opens: each request on a track of its own below its
//! client, faults and breakers as tracks, and counts over time as counters.
//!
//! Times are nanoseconds of virtual time. The numbers of fields are those of Perfetto's published
//! `trace_packet.proto`, `track_descriptor.proto` and `track_event.proto`.

use std::collections::BTreeMap;

use sim_core::Time;
use sim_models::activity::{Activities, Activity, ActivityKind};
use sim_models::outcome::{FaultWindow, Outcome, Series, StateName};

use super::protobuf::Message;

/// The one sequence of packets.
const SEQUENCE: u64 = 1;

/// `TrackEvent.Type`.
const BEGIN: u64 = 1;
const END: u64 = 2;
const INSTANT: u64 = 3;
const COUNTER: u64 = 4;

/// The trace of a run.
pub fn trace(run: &Activities) -> Vec<u8> {
    let mut trace = Trace::default();
    let end = run.outcome.ended_at + run.outcome.grace.taken;
    let group = trace.track("faults", None);
    for (label, windows) in faults(&run.outcome) {
        let slices: Vec<Slice> = windows.iter().map(|fault| Slice::new(label, fault)).collect();
        trace.slices(label, group, &slices);
    }
    let group = trace.track("breakers", None);
    for (breaker, slices) in &breakers(&run.outcome, end) {
        trace.slices(breaker, group, slices);
    }
    let group = trace.track("counts", None);
    counters(&mut trace, group, &run.outcome.series);
    requests(&mut trace, run, end);
    trace.into_bytes()
}

/// Something on a track, from one instant to another.
#[derive(Clone, Debug)]
struct Slice {
    name: String,
    from: Time,
    to: Time,
    said: Vec<(&'static str, String)>,
}

impl Slice {
    fn new(label: &str, fault: &FaultWindow) -> Slice {
        Slice { name: label.to_owned(), from: fault.from, to: fault.to, said: Vec::new() }
    }

    fn of(activity: &Activity, end: Time) -> Slice {
        let mut said = vec![
            ("kind", activity.kind.name().to_owned()),
            ("state", activity.state.name().to_owned()),
            ("ending", activity.ending.clone()),
            ("actor", activity.actor.clone()),
        ];
        said.extend(activity.instance.clone().map(|own| ("instance", own)));
        let name = match activity.kind {
            ActivityKind::Call => format!("call {}", activity.name),
            _ => activity.name.clone(),
        };
        let to = activity.to.unwrap_or(end).max(activity.from);
        Slice { name, from: activity.from, to, said }
    }
}

#[derive(Default)]
struct Trace {
    descriptors: Vec<Message>,
    /// With the instant, and at one instant in the order in which they came.
    events: Vec<(Time, Message)>,
    tracks: u64,
}

impl Trace {
    /// A new track, perhaps below another.
    fn track(&mut self, name: &str, parent: Option<u64>) -> u64 {
        self.describe(name, parent, |track| track)
    }

    fn describe(
        &mut self,
        name: &str,
        parent: Option<u64>,
        more: impl FnOnce(Message) -> Message,
    ) -> u64 {
        self.tracks += 1;
        let track = Message::default().number(1, self.tracks).text(2, name);
        let track = parent.into_iter().fold(track, |track, parent| track.number(5, parent));
        self.descriptors.push(Message::default().message(60, &more(track)));
        self.tracks
    }

    fn event(&mut self, at: Time, event: &Message) {
        let packet = Message::default().number(8, at.as_nanos()).number(10, SEQUENCE);
        self.events.push((at, packet.message(11, event)));
    }

    fn begin(&mut self, track: u64, slice: &Slice) {
        let event = Message::default().number(9, BEGIN).number(11, track).text(23, &slice.name);
        let event = slice.said.iter().fold(event, |event, (name, value)| {
            event.message(4, &Message::default().text(10, name).text(6, value))
        });
        self.event(slice.from, &event);
    }

    fn end(&mut self, track: u64, at: Time) {
        self.event(at, &Message::default().number(9, END).number(11, track));
    }

    fn instant(&mut self, track: u64, at: Time, name: &str) {
        let event = Message::default().number(9, INSTANT).number(11, track);
        self.event(at, &event.text(23, name));
    }

    /// Slices on a track. Those of a track lie within each other or apart; what would cut another one
    /// gets a further track of the same name.
    fn slices(&mut self, name: &str, parent: u64, slices: &[Slice]) -> u64 {
        let first = self.track(name, Some(parent));
        let mut lanes: Vec<(u64, Vec<Time>)> = vec![(first, Vec::new())];
        let mut order: Vec<&Slice> = slices.iter().collect();
        order.sort_by_key(|slice| (slice.from, std::cmp::Reverse(slice.to)));
        for slice in order {
            for (track, open) in &mut lanes {
                while let Some(to) = open.pop_if(|to| *to <= slice.from) {
                    self.end(*track, to);
                }
            }
            let fits = |(_, open): &&mut (u64, Vec<Time>)| {
                open.last().is_none_or(|around| slice.to <= *around)
            };
            let lane = match lanes.iter_mut().find(fits) {
                Some(lane) => lane,
                None => {
                    lanes.push((self.track(name, Some(parent)), Vec::new()));
                    lanes.last_mut().expect("it was just put there")
                }
            };
            lane.1.push(slice.to);
            let track = lane.0;
            self.begin(track, slice);
        }
        for (track, mut open) in lanes {
            while let Some(to) = open.pop() {
                self.end(track, to);
            }
        }
        first
    }

    fn into_bytes(mut self) -> Vec<u8> {
        // At one instant, what came first stays first: an end before the next beginning.
        self.events.sort_by_key(|(at, _)| *at);
        let events = self.events.into_iter().map(|(_, packet)| packet);
        // The first packet says that nothing before it counts.
        let first = Message::default().number(10, SEQUENCE).number(13, 1);
        let packets = std::iter::once(first).chain(self.descriptors).chain(events);
        let trace = packets.fold(Message::default(), |trace, packet| trace.message(1, &packet));
        trace.into_bytes()
    }
}

/// The active times of each fault.
fn faults(outcome: &Outcome) -> BTreeMap<&str, Vec<&FaultWindow>> {
    let mut faults: BTreeMap<&str, Vec<&FaultWindow>> = BTreeMap::new();
    for fault in &outcome.faults {
        faults.entry(&fault.label).or_default().push(fault);
    }
    faults
}

/// The states of each breaker that ever changed its own, from the start of the run.
fn breakers(outcome: &Outcome, end: Time) -> BTreeMap<String, Vec<Slice>> {
    let mut breakers: BTreeMap<String, Vec<Slice>> = BTreeMap::new();
    let state = |state: StateName, from| {
        let (name, to) = (state.id().to_owned(), end);
        Slice { name, from, to, said: Vec::new() }
    };
    for line in &outcome.transitions {
        let slices = breakers.entry(line.breaker()).or_default();
        if slices.is_empty() {
            slices.push(state(line.from, Time::ZERO));
        }
        slices.last_mut().expect("it has a first state").to = line.at;
        let mut next = state(line.to, line.at);
        next.said.push(("why", line.why()));
        slices.push(next);
    }
    breakers
}

fn counters(trace: &mut Trace, group: u64, series: &Series) {
    let mut add = |name: &str, values: Vec<Option<f64>>| {
        let counter = Message::default();
        let track = trace.describe(name, Some(group), |track| track.message(8, &counter));
        for (n, value) in values.into_iter().enumerate() {
            let Some(value) = value else { continue };
            let event = Message::default().number(9, COUNTER).number(11, track);
            trace.event(Time::ZERO + series.width * n as u64, &event.double(44, value));
        }
    };
    let counts = |counts: &[u32]| counts.iter().map(|count| Some(f64::from(*count))).collect();
    add("offered", counts(&series.offered));
    add("goodput", counts(&series.goodput));
    add("failed", counts(&series.failed));
    add("retries", counts(&series.retries));
    for level in &series.levels {
        // The worse of the two readings: a mean hides the instant at which nothing was left.
        add(&format!("{}: {}, worst", level.resource, level.quantity), level.worst.clone());
    }
}

/// Each request below its client.
fn requests(trace: &mut Trace, run: &Activities, end: Time) {
    let mut slices: BTreeMap<usize, Vec<Slice>> = BTreeMap::new();
    for activity in &run.activities {
        slices.entry(activity.intent).or_default().push(Slice::of(activity, end));
    }
    let mut groups: BTreeMap<&str, u64> = BTreeMap::new();
    let mut tracks: BTreeMap<usize, u64> = BTreeMap::new();
    for (intent, slices) in &slices {
        let root = &run.activities[*intent];
        let actor = root.actor.as_str();
        let group = match groups.get(actor) {
            Some(group) => *group,
            None => trace.track(actor, None),
        };
        groups.insert(actor, group);
        tracks.insert(*intent, trace.slices(&root.name, group, slices));
    }
    for remark in &run.notes {
        let name = format!("{}: {}", remark.who, remark.what);
        trace.instant(tracks[&remark.intent], remark.at, &name);
    }
}
