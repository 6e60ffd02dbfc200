//! gRPC's hedging policy: proposal A6, "Client Retries", section "Hedging Policy".

use sim_core::Span;

use super::machine::{Judgement, Machine, status_of};
use crate::family::Build;
use crate::grpc_codes::GrpcCodes;
use crate::{Ending, OutOfRange};

/// The client's cap on attempts.
const ATTEMPTS_MAX: u32 = 5;

/// A service config's `hedgingPolicy`.
#[derive(Clone, Debug, PartialEq, schemars::JsonSchema, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "GrpcHedge")]
pub struct Config {
    /// All attempts, the first included; more than 5 count as 5. gRPC has no default.
    #[schemars(range(min = 2))]
    pub max_attempts: u32,
    /// Between one attempt and the next. Zero sends all at once.
    pub hedging_delay: Span,
    /// Codes after which the next attempt goes at once; all others end the call.
    ///
    /// Names, numbers, or the endings in which a client sees them: `["UNAVAILABLE", 4, "503"]`.
    pub non_fatal_status_codes: GrpcCodes,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            max_attempts: 2,
            hedging_delay: Span::ZERO,
            non_fatal_status_codes: GrpcCodes::default(),
        }
    }
}

impl Build for Config {
    type Machine = Config;

    fn build(&self) -> Result<Config, OutOfRange> {
        if self.max_attempts < 2 {
            return Err(OutOfRange::new("max_attempts", self.max_attempts, "at least 2"));
        }
        Ok(self.clone())
    }
}

impl Machine for Config {
    fn max_hedges(&self) -> u32 {
        self.max_attempts.min(ATTEMPTS_MAX) - 1
    }

    fn delay(&self) -> Span {
        self.hedging_delay
    }

    fn judge(&self, ending: Ending) -> Judgement {
        // What never reached the server is `UNAVAILABLE`, and no answer in time a 504.
        let codes = self.non_fatal_status_codes;
        let seen = codes.contains(ending) || codes.contains(Ending::Status(status_of(ending)));
        match !ending.is_success() && seen {
            true => Judgement::SendNext,
            false => Judgement::final_one(ending),
        }
    }
}
