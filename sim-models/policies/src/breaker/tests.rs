//! What each library counts, held against the same twelve endings.

use super::*;
use crate::{Ending, Reason};

/// The twelve ways in which a call ends.
fn endings() -> [Option<Ending>; 12] {
    let status = |status| Some(Ending::Status(status));
    let [ok, missing, slow, conflict] = [200, 404, 408, 409].map(status);
    let [busy, broken, unavailable] = [429, 500, 503].map(status);
    let full = Some(Ending::Rejected(Reason::BulkheadFull { limit: 1 }));
    let [timeout, refused, reset] = [Ending::TimedOut, Ending::Refused, Ending::Reset].map(Some);
    [ok, missing, slow, conflict, busy, broken, unavailable, timeout, refused, reset, full, None]
}

/// One letter for each of the twelve: success, failure, or neither.
fn verdicts(config: &BreakerConfig) -> String {
    let options = config.options();
    let letter = |ended: Option<Ending>| match ended
        .map_or(options.cancelled(), |ended| options.verdict(ended))
    {
        Verdict::Success => 'S',
        Verdict::Failure => 'F',
        Verdict::Ignored | Verdict::Cancelled => '-',
    };
    endings().map(letter).into_iter().collect()
}

#[test]
fn each_library_counts_what_it_counts() {
    let every_exception = "SFFFFFFFFFFF";
    for (name, config) in BreakerConfig::each() {
        let expected = match name {
            "Consecutive" => "SSFSFFFFFF--",
            "Polly" | "Circuitbreaker" => "SFFFFFFFFFFS",
            "Hystrix" | "Aiobreaker" | "Recloser" | "FailsafeRs" => "SFFFFFFFFFF-",
            _ => every_exception,
        };
        assert_eq!(verdicts(&config), expected, "{name}");
    }
}
