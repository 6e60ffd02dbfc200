//! Traces of bulkheads.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::driver::{Driver, Event, Outputs};
use super::options::Options;
use crate::bulkhead::{Entry, Place, presets};
use crate::{Bulkhead, BulkheadConfig, BulkheadPermit};

/// The calls of a trace, by their ids.
struct Calls {
    bulkhead: Bulkhead,
    under_way: BTreeMap<u64, BulkheadPermit>,
    waiting: BTreeMap<u64, Place>,
}

impl Calls {
    fn new(config: &BulkheadConfig) -> Result<Calls, String> {
        let bulkhead = Bulkhead::new(config).map_err(|e| e.to_string())?;
        Ok(Calls { bulkhead, under_way: BTreeMap::new(), waiting: BTreeMap::new() })
    }

    /// The id of a call that starts.
    fn new_id(&self, event: &mut Event) -> Result<u64, String> {
        let id = event.count("id")?;
        if self.under_way.contains_key(&id) || self.waiting.contains_key(&id) {
            return Err(format!("call {id} starts twice"));
        }
        Ok(id)
    }

    /// Ends the call that the event names. Returns the one that starts in its stead.
    fn end(&mut self, event: &mut Event) -> Result<Option<u64>, String> {
        let id = event.count("id")?;
        let permit = self.under_way.remove(&id);
        let permit = permit.ok_or_else(|| format!("call {id} ends without being under way"))?;
        let next = self.bulkhead.settle(permit, event.at);
        Ok(next.map(|(id, permit)| {
            self.waiting.remove(&id);
            self.under_way.insert(id, permit);
            id
        }))
    }

    fn free(&self) -> Value {
        json!(self.bulkhead.limit() - self.bulkhead.in_use())
    }

    fn state(&self) -> String {
        format!("{:?}, under way {:?}", self.bulkhead, self.under_way.keys())
    }
}

/// The semaphore. Its traces are recorded by one thread.
struct Resilience4j(Calls);

pub(super) fn resilience4j(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    let mut config = presets::Resilience4j::default();
    if let Some(calls) = options.count("maxConcurrentCalls")? {
        config.max_concurrent_calls = calls;
    }
    if let Some(wait) = options.millis("maxWaitDurationMs")? {
        config.max_wait_duration = wait;
    }
    // Neither changes a decision: one orders threads that wait, the other shapes exceptions.
    for name in ["fairCallHandlingEnabled", "fairCallHandlingStrategyEnabled"] {
        options.flag(name)?;
    }
    options.flag("writableStackTraceEnabled")?;
    Ok(Box::new(Resilience4j(Calls::new(&BulkheadConfig::Resilience4j(config))?)))
}

impl Driver for Resilience4j {
    fn play(&mut self, event: &mut Event) -> Result<Outputs, String> {
        let Resilience4j(calls) = self;
        let mut outputs = Vec::new();
        match event.op.as_str() {
            "start" => {
                let id = calls.new_id(event)?;
                let permitted = match calls.bulkhead.enter(event.at, id) {
                    Entry::Admitted(permit) => calls.under_way.insert(id, permit).is_none(),
                    // While the only thread waits, no other can end a call: it waits in vain.
                    Entry::Queued(place) => {
                        calls.bulkhead.leave(place);
                        false
                    }
                    Entry::Refused(_) => false,
                };
                outputs.push(("permitted", json!(permitted)));
            }
            "end" => {
                calls.end(event)?;
            }
            "probe" => {}
            _ => return Err(event.unknown_op("start, end, probe")),
        }
        outputs.push(("available", calls.free()));
        Ok(outputs)
    }

    fn state(&self) -> String {
        self.0.state()
    }
}

/// The queue with asynchronous calls, whose ends are events of their own.
struct Cockatiel(Calls);

pub(super) fn cockatiel(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    let capacity = options.count("capacity")?.ok_or("config.capacity is missing")?;
    let queue = options.count("queue")?.unwrap_or(0);
    let config = BulkheadConfig::Cockatiel(presets::Cockatiel { capacity, queue });
    Ok(Box::new(Cockatiel(Calls::new(&config)?)))
}

impl Driver for Cockatiel {
    fn play(&mut self, event: &mut Event) -> Result<Outputs, String> {
        let Cockatiel(calls) = self;
        let mut outputs = Vec::new();
        match event.op.as_str() {
            "start" => {
                let id = calls.new_id(event)?;
                // Its end is an event as well.
                event.millis("dur")?;
                let result = match calls.bulkhead.enter(event.at, id) {
                    Entry::Admitted(permit) => {
                        calls.under_way.insert(id, permit);
                        "run"
                    }
                    Entry::Queued(place) => {
                        calls.waiting.insert(id, place);
                        "queued"
                    }
                    Entry::Refused(_) => "rejected",
                };
                outputs.push(("result", json!(result)));
            }
            "end" => outputs.push(("released", json!(Vec::from_iter(calls.end(event)?)))),
            "abort" => {
                let id = event.count("id")?;
                let place = calls.waiting.remove(&id);
                let place = place.ok_or_else(|| format!("call {id} does not wait"))?;
                calls.bulkhead.leave(place);
            }
            "probe" => {}
            _ => return Err(event.unknown_op("start, end, abort, probe")),
        }
        outputs.push(("slots", calls.free()));
        let free_places = calls.bulkhead.places() - calls.bulkhead.queued();
        outputs.push(("queue_slots", json!(free_places)));
        Ok(outputs)
    }

    fn state(&self) -> String {
        self.0.state()
    }
}

#[cfg(test)]
mod tests {
    use crate::conform::conform;

    fn trace(lib: &str, config: &str, events: &[&str]) -> String {
        format!(
            "{{\"trace\":\"t\",\"lib\":\"{lib}\",\"version\":\"1\",\"kind\":\"bulkhead\",\
             \"config\":{config}}}\n{}\n",
            events.join("\n")
        )
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        let start = r#"{"t":0,"op":"start","id":1,"permitted":true,"available":24}"#;
        let run = r#"{"t":0,"op":"start","id":1,"dur":1,"result":"run","slots":0,"queue_slots":0}"#;
        let one = r#"{"capacity":1}"#;
        for (lib, config, events) in [
            ("polly", "{}", vec![start]),
            ("resilience4j", r#"{"maxConcurrentCalls":4294967295}"#, vec![start]),
            ("resilience4j", r#"{"maxConcurrentCalls":1e18}"#, vec![start]),
            ("resilience4j", r#"{"maxWaitDurationMs":-1}"#, vec![start]),
            ("resilience4j", r#"{"queue":1}"#, vec![start]),
            ("resilience4j", "{}", vec![start, start]),
            ("resilience4j", "{}", vec![r#"{"t":0,"op":"end","id":1}"#]),
            ("resilience4j", "{}", vec![r#"{"t":0,"op":"start"}"#]),
            ("resilience4j", "{}", vec![r#"{"t":0,"op":"stop","id":1}"#]),
            ("cockatiel", "{}", vec![run]),
            ("cockatiel", r#"{"capacity":-1}"#, vec![run]),
            ("cockatiel", one, vec![r#"{"t":0,"op":"start","id":1}"#]),
            ("cockatiel", one, vec![run, run]),
            ("cockatiel", one, vec![run, r#"{"t":0,"op":"abort","id":1}"#]),
        ] {
            let text = trace(lib, config, &events);
            assert!(conform(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_thread_that_waits_for_itself_waits_in_vain() {
        let config = r#"{"maxConcurrentCalls":1,"maxWaitDurationMs":10}"#;
        let events = [
            r#"{"t":0,"op":"start","id":1,"permitted":true,"available":0}"#,
            r#"{"t":0,"op":"start","id":2,"permitted":false,"available":0}"#,
            r#"{"t":0,"op":"end","id":1,"available":1}"#,
        ];
        let replayed = conform(&trace("resilience4j", config, &events)).expect("understood");
        assert_eq!((replayed.events, replayed.difference), (3, None));
    }
}
