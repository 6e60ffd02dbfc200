//! Traces of gRPC's retry throttle, recorded from the `RetryThrottler` of grpc-js.

use serde_json::json;

use super::driver::{Driver, Event, Outputs};
use super::options::Options;
use crate::budget::grpc::Grpc;

struct Throttle {
    throttle: Grpc,
}

pub(super) fn driver(options: &Options<'_>) -> Result<Box<dyn Driver>, String> {
    let positive = |name| {
        let found = options.number(name)?.ok_or_else(|| format!("config.{name} is missing"))?;
        let is_positive = found.is_finite() && found > 0.0;
        let error = || format!("config.{name} is {found}; it must be a finite number above 0");
        is_positive.then_some(found).ok_or_else(error)
    };
    // The class takes the numbers as they are; it is the service config that limits and rounds.
    let throttle = Grpc::exact(positive("maxTokens")?, positive("tokenRatio")?);
    Ok(Box::new(Throttle { throttle }))
}

impl Driver for Throttle {
    fn play(&mut self, event: &mut Event) -> Result<Outputs, String> {
        match event.op.as_str() {
            "ok" => self.throttle.add_call_succeeded(),
            "fail" => self.throttle.add_call_failed(),
            _ => return Err(event.unknown_op("ok, fail")),
        }
        Ok(vec![
            ("tokens", json!(self.throttle.tokens())),
            ("can_retry", json!(self.throttle.can_retry_call())),
        ])
    }

    fn state(&self) -> String {
        format!("{:?}", self.throttle)
    }
}

#[cfg(test)]
mod tests {
    use crate::conform::conform;

    #[test]
    fn what_is_not_understood_is_an_error() {
        let replay = |config: &str, op: &str| {
            let names = r#""trace":"t","lib":"grpc-js","version":"1.14.7","kind":"retry_throttle""#;
            conform(&format!(
                r#"{{{names},"config":{config}}}
{{"t":0,"op":"{op}","tokens":9,"can_retry":true}}"#
            ))
        };
        let valid = r#"{"maxTokens":10,"tokenRatio":0.1}"#;
        assert_eq!(replay(valid, "fail").map(|found| found.difference), Ok(None));
        assert!(replay(valid, "maybe").is_err());
        for config in [
            "{}",
            r#"{"maxTokens":10}"#,
            r#"{"maxTokens":0,"tokenRatio":0.1}"#,
            r#"{"maxTokens":10,"tokenRatio":-0.1}"#,
            r#"{"maxTokens":10,"tokenRatio":0.1,"bogus":1}"#,
        ] {
            assert!(replay(config, "fail").is_err(), "{config}");
        }
    }
}
