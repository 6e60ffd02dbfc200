//! Outlier detection: take the endpoint out of rotation that fails while the others do not.
//!
//! Answers: one bad instance among many. A breaker for all of them sees a small failure rate and
//! stays closed; the requests that meet the bad one fail nevertheless.
//!
//! Invites: ejecting endpoints under overload leaves the rest with more load each, until they fail
//! as well. Hence the cap on the ejected share, and the panic threshold, below which the ejections
//! are ignored. A fault that all endpoints share looks like many outliers.
//!
//! Reference: Envoy, `source/common/upstream/outlier_detection_impl.cc`,
//! `config.cluster.v3.OutlierDetection`.
//!
//! ```text
//!                 n-th failure in a row, or at a sweep: success rate far below the others',
//!                 or failure percentage too high; if 100 * (ejected + 1) / hosts <= max percent
//!   +------------+ --------------------------------------------------> +-----------------------+
//!   | in service |          k := k + 1, until base * k passes max      | ejected since t, k    |
//!   +------------+ <-------------------------------------------------- +-----------------------+
//!     a sweep, an interval or       a sweep: now - t >= min(base * k, max) + jitter
//!     more after the return:        all counters in a row := 0
//!     k := k - 1
//! ```
//!
//! The sweep runs every `interval` from the start. It returns hosts first, then judges what the
//! interval just over has counted, then forgives.
//!
//! What the caller sees is counted as Envoy's router does: a status as it is, a timeout as a 504, a
//! connection refused or reset as a 503. A call that its own policies rejected says nothing of the
//! host. With `split_external_local_origin_errors` only statuses count as the host's; the rest has
//! counters of its own. There, a connection that came about counts as a success first, so that only
//! refused connections ever add up to failures in a row.
//!
//! Knowingly different: a host that both statistics find at the same sweep is ejected once, where
//! Envoy counts it twice among the ejected. Sweeps go by host number, where Envoy's order is that
//! of a hash table. Left out: active health checks, extensions, hosts that come and go, weights,
//! priorities and the runtime's overrides.

use std::fmt;

use sim_core::{Span, Time, mix};

use super::out_of_range::{above_zero, at_least_one};
use super::weighed::{Counted, Minimum, Threshold, Weighed};
use super::{Ending, OutOfRange};

/// When a host is ejected, for how long, and how the next host is chosen.
///
/// Percentages are whole and in 0..=100. An `enforcing_*` percentage is the chance that a
/// detection ejects.
#[derive(Clone, Debug, PartialEq, schemars::JsonSchema, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "EnvoyOutlierDetection")]
pub struct Config {
    /// Failures (5xx) in a row that eject; 0 for never.
    pub consecutive_5xx: u32,
    /// The chance, in percent, with which they eject.
    #[schemars(range(min = 0, max = 100))]
    pub enforcing_consecutive_5xx: u32,
    /// Gateway failures (502, 503, 504) in a row that eject; 0 for never.
    pub consecutive_gateway_failure: u32,
    /// The chance, in percent, with which they eject.
    #[schemars(range(min = 0, max = 100))]
    pub enforcing_consecutive_gateway_failure: u32,
    /// Whether connections that failed and answers that did not come count apart from statuses.
    pub split_external_local_origin_errors: bool,
    /// With the split, failures to connect in a row that eject; 0 for never.
    pub consecutive_local_origin_failure: u32,
    /// The chance, in percent, with which they eject.
    #[schemars(range(min = 0, max = 100))]
    pub enforcing_consecutive_local_origin_failure: u32,
    /// Between two sweeps.
    #[schemars(extend("x-exclusiveMinimum" = "0s"))]
    pub interval: Span,
    /// How long the first ejection lasts at least.
    #[schemars(extend("x-exclusiveMinimum" = "0s"))]
    pub base_ejection_time: Span,
    /// The longest ejection before jitter, at least `base_ejection_time`. By default 300 s, or the
    /// base where that is longer.
    pub max_ejection_time: Option<Span>,
    /// Up to so much is added to each ejection, in whole milliseconds.
    pub max_ejection_time_jitter: Span,
    /// The highest share of hosts that may be ejected at once; 10 ejects none of fewer than ten.
    #[schemars(range(min = 0, max = 100))]
    pub max_ejection_percent: u32,
    /// Whether one host may be ejected whatever the percentage says. Older versions of Envoy always
    /// did.
    pub always_eject_one_host: bool,
    /// Hosts with enough requests without which success rates are not compared.
    pub success_rate_minimum_hosts: u32,
    /// Requests in an interval without which a host's success rate says nothing.
    pub success_rate_request_volume: u32,
    /// Thousandths of a standard deviation below the mean at which a success rate stands out.
    pub success_rate_stdev_factor: u32,
    /// The chance, in percent, with which a success rate that stands out ejects.
    #[schemars(range(min = 0, max = 100))]
    pub enforcing_success_rate: u32,
    /// The same for success rates of local origin.
    #[schemars(range(min = 0, max = 100))]
    pub enforcing_local_origin_success_rate: u32,
    /// Failed requests in percent from which a host stands out on its own.
    #[schemars(range(min = 0, max = 100))]
    pub failure_percentage_threshold: u32,
    /// Hosts with enough requests without which failure percentages are not judged.
    pub failure_percentage_minimum_hosts: u32,
    /// Requests in an interval without which a host's failure percentage says nothing.
    pub failure_percentage_request_volume: u32,
    /// The chance, in percent, with which a failure percentage that stands out ejects.
    #[schemars(range(min = 0, max = 100))]
    pub enforcing_failure_percentage: u32,
    /// The same for failures of local origin.
    #[schemars(range(min = 0, max = 100))]
    pub enforcing_failure_percentage_local_origin: u32,
    /// How the next host is chosen.
    pub choose: Choose,
    /// When a smaller share than this is in service, all hosts are used, the ejected included:
    /// Envoy's `healthy_panic_threshold`. At 0 never.
    #[schemars(range(min = 0, max = 100))]
    pub panic_threshold: u32,
}

/// How the next host is chosen among those in service.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, schemars::JsonSchema, serde::Deserialize, serde::Serialize,
)]
pub enum Choose {
    /// One after the other.
    RoundRobin,
    /// Each as likely as any.
    Random,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            consecutive_5xx: 5,
            enforcing_consecutive_5xx: 100,
            consecutive_gateway_failure: 5,
            enforcing_consecutive_gateway_failure: 0,
            split_external_local_origin_errors: false,
            consecutive_local_origin_failure: 5,
            enforcing_consecutive_local_origin_failure: 100,
            interval: Span::secs(10),
            base_ejection_time: Span::secs(30),
            max_ejection_time: None,
            max_ejection_time_jitter: Span::ZERO,
            max_ejection_percent: 10,
            always_eject_one_host: false,
            success_rate_minimum_hosts: 5,
            success_rate_request_volume: 100,
            success_rate_stdev_factor: 1900,
            enforcing_success_rate: 100,
            enforcing_local_origin_success_rate: 100,
            failure_percentage_threshold: 85,
            failure_percentage_minimum_hosts: 5,
            failure_percentage_request_volume: 50,
            enforcing_failure_percentage: 0,
            enforcing_failure_percentage_local_origin: 0,
            choose: Choose::RoundRobin,
            panic_threshold: 50,
        }
    }
}

impl Config {
    fn checked(&self) -> Result<(), OutOfRange> {
        for (field, percent) in [
            ("enforcing_consecutive_5xx", self.enforcing_consecutive_5xx),
            ("enforcing_consecutive_gateway_failure", self.enforcing_consecutive_gateway_failure),
            (
                "enforcing_consecutive_local_origin_failure",
                self.enforcing_consecutive_local_origin_failure,
            ),
            ("max_ejection_percent", self.max_ejection_percent),
            ("enforcing_success_rate", self.enforcing_success_rate),
            ("enforcing_local_origin_success_rate", self.enforcing_local_origin_success_rate),
            ("failure_percentage_threshold", self.failure_percentage_threshold),
            ("enforcing_failure_percentage", self.enforcing_failure_percentage),
            (
                "enforcing_failure_percentage_local_origin",
                self.enforcing_failure_percentage_local_origin,
            ),
            ("panic_threshold", self.panic_threshold),
        ] {
            if percent > 100 {
                return Err(OutOfRange::new(field, percent, "in 0..=100"));
            }
        }
        above_zero("interval", self.interval)?;
        above_zero("base_ejection_time", self.base_ejection_time)?;
        match self.max_ejection_time {
            Some(max) if max < self.base_ejection_time => {
                let allowed = format!("at least the base, {}", self.base_ejection_time);
                Err(OutOfRange::new("max_ejection_time", max, allowed))
            }
            _ => Ok(()),
        }
    }

    fn longest_ejection(&self) -> Span {
        self.max_ejection_time.unwrap_or_else(|| self.base_ejection_time.max(Span::secs(300)))
    }

    /// The chance in percent that a detection by this cause ejects.
    const fn enforcing(&self, cause: Cause) -> u32 {
        match cause {
            Cause::Consecutive5xx => self.enforcing_consecutive_5xx,
            Cause::ConsecutiveGatewayFailure => self.enforcing_consecutive_gateway_failure,
            Cause::ConsecutiveLocalOriginFailure => self.enforcing_consecutive_local_origin_failure,
            Cause::SuccessRate(Origin::External) => self.enforcing_success_rate,
            Cause::SuccessRate(Origin::Local) => self.enforcing_local_origin_success_rate,
            Cause::FailurePercentage(Origin::External) => self.enforcing_failure_percentage,
            Cause::FailurePercentage(Origin::Local) => {
                self.enforcing_failure_percentage_local_origin
            }
        }
    }
}

/// Where a result came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The host answered; without the split, every result.
    External,
    /// The connection failed, or no answer came.
    Local,
}

/// What made a host stand out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Failures in a row.
    Consecutive5xx,
    /// Gateway failures in a row.
    ConsecutiveGatewayFailure,
    /// Failures to connect in a row.
    ConsecutiveLocalOriginFailure,
    /// Far fewer successes than the others.
    SuccessRate(Origin),
    /// Too high a share of failures.
    FailurePercentage(Origin),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Cause::Consecutive5xx => "consecutive 5xx",
            Cause::ConsecutiveGatewayFailure => "consecutive gateway failures",
            Cause::ConsecutiveLocalOriginFailure => "consecutive connection failures",
            Cause::SuccessRate(_) => "success rate far below the others",
            Cause::FailurePercentage(_) => "failure percentage",
        })
    }
}

/// A change of the set of hosts in service.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ejection {
    /// A host was taken out.
    Ejected {
        /// Its number.
        host: u32,
        /// Why.
        cause: Cause,
        /// The numbers on which that rests, of failures.
        weighed: Weighed,
        /// The first sweep at or after this returns it.
        until: Time,
    },
    /// A host came back.
    Returned {
        /// Its number.
        host: u32,
    },
}

/// Watches the hosts behind one address and chooses among them.
///
/// ```
/// use sim_core::Time;
/// use sim_policies::Ending;
/// use sim_policies::outlier::{Config, Outlier};
///
/// let mut outlier = Outlier::new(&Config::default(), 10)?;
/// let mut changes = Vec::new();
/// for _ in 0..5 {
///     outlier.record(3, Time::ZERO, Ending::Status(500), &mut changes);
/// }
/// assert!(outlier.is_ejected(3));
/// # Ok::<(), sim_policies::OutOfRange>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Outlier {
    config: Config,
    hosts: Vec<Host>,
    /// The numbers of the hosts that are not ejected, ascending.
    in_service: Vec<u32>,
    /// Hosts with a `backoff` above zero.
    backed_off: u32,
    /// Something was recorded since the last sweep.
    heard: bool,
    /// The next sweep, were it needed.
    sweep_at: Time,
    /// Whose turn it is.
    turn: u64,
    /// Every draw so far, mixed: an ejection outside a sweep takes its luck from here.
    luck: u64,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Host {
    consecutive_5xx: u32,
    consecutive_gateway_failure: u32,
    consecutive_local_origin_failure: u32,
    external: Requests,
    local: Requests,
    ejected: Option<Ejected>,
    returned: Option<Time>,
    /// How many base times the next ejection lasts, less one.
    backoff: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Ejected {
    since: Time,
    lasts: Span,
}

/// Requests of the interval under way and of the one before.
#[derive(Clone, Debug, Default, PartialEq)]
struct Requests {
    present: Tally,
    past: Tally,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Tally {
    successes: u64,
    total: u64,
}

impl Requests {
    fn count(&mut self, success: bool) {
        self.present.total += 1;
        self.present.successes += u64::from(success);
    }
}

impl Tally {
    /// Successes in percent; only for a tally of one request at least.
    fn success_rate(self) -> f64 {
        self.successes as f64 * 100.0 / self.total as f64
    }

    /// Its failures against a share of them in percent, of so many requests at least.
    fn weighed(self, percent: f64, volume: u64) -> Weighed {
        Weighed {
            counted: Counted::Of(self.total - self.successes, self.total),
            threshold: Threshold::Percent(percent),
            minimum: Minimum::plain(volume),
        }
    }
}

impl Host {
    fn past(&self, origin: Origin) -> Tally {
        match origin {
            Origin::External => self.external.past,
            Origin::Local => self.local.past,
        }
    }
}

impl Outlier {
    /// Watches hosts 0 to `hosts` less one, all in service.
    ///
    /// # Errors
    /// When `hosts`, `interval` or `base_ejection_time` is zero, a percentage is above 100, or
    /// `max_ejection_time` is below `base_ejection_time`.
    pub fn new(config: &Config, hosts: u32) -> Result<Outlier, OutOfRange> {
        at_least_one("hosts", hosts)?;
        config.checked()?;
        Ok(Outlier {
            hosts: vec![Host::default(); hosts as usize],
            in_service: (0..hosts).collect(),
            backed_off: 0,
            heard: false,
            sweep_at: Time::ZERO + config.interval,
            turn: 0,
            luck: 0,
            config: config.clone(),
        })
    }

    /// Hears how a call to a host ended. A host whose failures in a row suffice is ejected here
    /// and now; the luck for that comes from the draws given to [`Outlier::pick`] and
    /// [`Outlier::wake`] before.
    ///
    /// # Panics
    /// When the host is none of them.
    pub fn record(&mut self, host: u32, now: Time, ending: Ending, changes: &mut Vec<Ejection>) {
        self.skip_idle_sweeps(now);
        let status = match ending {
            Ending::Status(status) => status,
            Ending::TimedOut => 504,
            Ending::Refused | Ending::Reset => 503,
            Ending::Rejected(_) => return,
        };
        self.heard = true;
        let split = self.config.split_external_local_origin_errors;
        if split && ending != Ending::Refused {
            self.local(host, now, true, changes);
        }
        match ending {
            Ending::TimedOut | Ending::Refused | Ending::Reset if split => {
                self.local(host, now, false, changes);
            }
            _ => self.external(host, now, status, changes),
        }
    }

    /// Counts an answer of the host.
    fn external(&mut self, number: u32, now: Time, status: u16, changes: &mut Vec<Ejection>) {
        let host = &mut self.hosts[number as usize];
        let failed = (500..=599).contains(&status);
        host.external.count(!failed);
        if !failed {
            host.consecutive_5xx = 0;
            host.consecutive_gateway_failure = 0;
            return;
        }
        host.consecutive_5xx = host.consecutive_5xx.saturating_add(1);
        if (502..=504).contains(&status) {
            host.consecutive_gateway_failure = host.consecutive_gateway_failure.saturating_add(1);
            let reached = host.consecutive_gateway_failure;
            // Equal, not above: a host that is ejected meanwhile keeps counting past it.
            if reached == self.config.consecutive_gateway_failure
                && self.in_a_row(number, (Cause::ConsecutiveGatewayFailure, reached), now, changes)
            {
                self.hosts[number as usize].consecutive_gateway_failure = 0;
            }
        } else {
            host.consecutive_gateway_failure = 0;
        }
        let reached = self.hosts[number as usize].consecutive_5xx;
        if reached == self.config.consecutive_5xx
            && self.in_a_row(number, (Cause::Consecutive5xx, reached), now, changes)
        {
            self.hosts[number as usize].consecutive_5xx = 0;
        }
    }

    /// Counts a connection that came about or failed.
    fn local(&mut self, number: u32, now: Time, success: bool, changes: &mut Vec<Ejection>) {
        let host = &mut self.hosts[number as usize];
        host.local.count(success);
        if success {
            host.consecutive_local_origin_failure = 0;
            return;
        }
        let failures = host.consecutive_local_origin_failure.saturating_add(1);
        host.consecutive_local_origin_failure = failures;
        if failures == self.config.consecutive_local_origin_failure
            && self.in_a_row(number, (Cause::ConsecutiveLocalOriginFailure, failures), now, changes)
        {
            self.hosts[number as usize].consecutive_local_origin_failure = 0;
        }
    }

    /// Acts on failures in a row. The count starts anew whether or not the host was ejected, unless
    /// it was ejected already: returns that.
    fn in_a_row(
        &mut self,
        number: u32,
        (cause, failures): (Cause, u32),
        now: Time,
        changes: &mut Vec<Ejection>,
    ) -> bool {
        if self.is_ejected(number) {
            return false;
        }
        // As many as it takes.
        let weighed = Weighed::calls(failures, failures);
        self.eject(number, (cause, weighed), now, changes);
        true
    }

    /// Ejects a host that stands out, if the share of ejected hosts and luck allow.
    fn eject(
        &mut self,
        number: u32,
        (cause, weighed): (Cause, Weighed),
        now: Time,
        changes: &mut Vec<Ejection>,
    ) {
        let hosts = self.hosts.len() as u64;
        let ejected = hosts - self.in_service.len() as u64;
        let allowed = 100 * (ejected + 1) <= u64::from(self.config.max_ejection_percent) * hosts;
        let one_always = self.config.always_eject_one_host && ejected == 0;
        if !(allowed || one_always) || !self.lucky(self.config.enforcing(cause)) {
            return;
        }
        let (base, max) = (self.config.base_ejection_time, self.config.longest_ejection());
        let jitter_max = self.config.max_ejection_time_jitter.as_millis();
        let jitter = Span::millis(self.below(jitter_max.saturating_add(1)));
        let host = &mut self.hosts[number as usize];
        if base * u64::from(host.backoff) < max + base {
            self.backed_off += u32::from(host.backoff == 0);
            host.backoff += 1;
        }
        let lasts = (base * u64::from(host.backoff)).min(max) + jitter;
        host.ejected = Some(Ejected { since: now, lasts });
        self.in_service.retain(|other| *other != number);
        changes.push(Ejection::Ejected { host: number, cause, weighed, until: now + lasts });
    }

    /// The next sweep, or `None` when one would find nothing to do. What is recorded may bring it
    /// about: ask again afterwards.
    pub fn wakes_at(&self) -> Option<Time> {
        let idle = !self.heard && self.backed_off == 0 && self.in_service.len() == self.hosts.len();
        (!idle).then_some(self.sweep_at)
    }

    /// Sweeps, if the time has come. `draw` is uniform over all of `u64`.
    pub fn wake(&mut self, now: Time, draw: u64, changes: &mut Vec<Ejection>) {
        self.luck = mix(self.luck, draw);
        if now < self.sweep_at {
            return;
        }
        self.sweep_at = now + self.config.interval;
        self.heard = false;
        for number in 0..self.hosts.len() as u32 {
            let host = &mut self.hosts[number as usize];
            host.external.past = std::mem::take(&mut host.external.present);
            host.local.past = std::mem::take(&mut host.local.present);
            if host.ejected.is_some_and(|ejected| ejected.lasts <= now.since(ejected.since)) {
                self.restore(number, now);
                changes.push(Ejection::Returned { host: number });
            }
        }
        self.judge(Origin::External, now, changes);
        self.judge(Origin::Local, now, changes);
        for host in &mut self.hosts {
            let calm = |at: Time| now.since(at) >= self.config.interval;
            if host.ejected.is_none() && host.backoff > 0 && host.returned.is_some_and(calm) {
                host.backoff -= 1;
                self.backed_off -= u32::from(host.backoff == 0);
            }
        }
    }

    /// Returns a host to service, its failures in a row forgotten.
    fn restore(&mut self, number: u32, now: Time) {
        let host = &mut self.hosts[number as usize];
        host.ejected = None;
        host.returned = Some(now);
        host.consecutive_5xx = 0;
        host.consecutive_gateway_failure = 0;
        host.consecutive_local_origin_failure = 0;
        let place = self.in_service.partition_point(|other| *other < number);
        self.in_service.insert(place, number);
    }

    /// Compares what the hosts in service did in the interval that is over.
    fn judge(&mut self, origin: Origin, now: Time, changes: &mut Vec<Ejection>) {
        let rate_volume = u64::from(self.config.success_rate_request_volume);
        let failure_volume = u64::from(self.config.failure_percentage_request_volume);
        // One request at least: without one a rate means nothing.
        let enough = |tally: Tally, volume: u64| tally.total >= volume.max(1);
        let (mut rates, mut sum, mut failures) = (0u32, 0.0, 0u32);
        for &number in &self.in_service {
            let tally = self.hosts[number as usize].past(origin);
            if enough(tally, rate_volume) {
                rates += 1;
                sum += tally.success_rate();
            }
            failures += u32::from(enough(tally, failure_volume));
        }
        if rates > 0 && rates >= self.config.success_rate_minimum_hosts {
            let mean = sum / f64::from(rates);
            let mut variance = 0.0;
            for &number in &self.in_service {
                let tally = self.hosts[number as usize].past(origin);
                if enough(tally, rate_volume) {
                    let distance = tally.success_rate() - mean;
                    variance += distance * distance;
                }
            }
            let stdev = (variance / f64::from(rates)).sqrt();
            let factor = f64::from(self.config.success_rate_stdev_factor) / 1000.0;
            let threshold = mean - factor * stdev;
            let cause = Cause::SuccessRate(origin);
            self.eject_all(cause, now, changes, |host| {
                let tally = host.past(origin);
                (enough(tally, rate_volume) && tally.success_rate() < threshold)
                    .then(|| tally.weighed(100.0 - threshold, rate_volume))
            });
        }
        if failures > 0 && failures >= self.config.failure_percentage_minimum_hosts {
            let threshold = f64::from(self.config.failure_percentage_threshold);
            let cause = Cause::FailurePercentage(origin);
            self.eject_all(cause, now, changes, |host| {
                let tally = host.past(origin);
                (enough(tally, failure_volume) && 100.0 - tally.success_rate() >= threshold)
                    .then(|| tally.weighed(threshold, failure_volume))
            });
        }
    }

    /// Ejects the hosts in service that stand out, in order.
    fn eject_all(
        &mut self,
        cause: Cause,
        now: Time,
        changes: &mut Vec<Ejection>,
        stands_out: impl Fn(&Host) -> Option<Weighed>,
    ) {
        for number in 0..self.hosts.len() as u32 {
            let host = &self.hosts[number as usize];
            if host.ejected.is_none()
                && let Some(weighed) = stands_out(host)
            {
                self.eject(number, (cause, weighed), now, changes);
            }
        }
    }

    /// Whether a host is out of service.
    ///
    /// # Panics
    /// When the host is none of them.
    pub fn is_ejected(&self, host: u32) -> bool {
        self.hosts[host as usize].ejected.is_some()
    }

    /// The next host to call; `None` when all are ejected and the panic threshold is 0. In panic
    /// the ejected ones are used as well. `draw` is uniform over all of `u64`; it is needed in
    /// whatever way hosts are chosen, for it feeds the luck of ejections.
    pub fn pick(&mut self, draw: u64) -> Option<u32> {
        self.luck = mix(self.luck, draw);
        let (hosts, in_service) = (self.hosts.len() as u64, self.in_service.len() as u64);
        let panic = self.is_in_panic();
        let among = if panic { hosts } else { in_service };
        if among == 0 {
            return None;
        }
        let index = match self.config.choose {
            Choose::RoundRobin => self.turn % among,
            Choose::Random => scaled(draw, among),
        };
        self.turn = self.turn.wrapping_add(1);
        // Both are below the number of hosts, which is 32 bits wide.
        Some(if panic { index as u32 } else { self.in_service[index as usize] })
    }

    /// Hosts that are taken out at the moment.
    pub fn ejected(&self) -> u32 {
        self.hosts.len() as u32 - self.in_service()
    }

    /// Whether so many are out that the ejected ones are used as well.
    pub fn is_in_panic(&self) -> bool {
        let (hosts, in_service) = (self.hosts.len() as u64, u64::from(self.in_service()));
        100 * in_service < u64::from(self.config.panic_threshold) * hosts
    }

    /// Hosts in service at the moment.
    pub fn in_service(&self) -> u32 {
        self.in_service.len() as u32
    }

    /// Moves the next sweep over those that had nothing to do and were not woken for.
    fn skip_idle_sweeps(&mut self, now: Time) {
        if self.wakes_at().is_none() && self.sweep_at <= now {
            let passed = now.since(self.sweep_at).as_nanos() / self.config.interval.as_nanos();
            self.sweep_at += self.config.interval * (passed + 1);
        }
    }

    fn lucky(&mut self, percent: u32) -> bool {
        self.below(100) < u64::from(percent)
    }

    /// A random number below `sides`.
    fn below(&mut self, sides: u64) -> u64 {
        self.luck = mix(self.luck, 1);
        scaled(self.luck, sides)
    }
}

/// A number below `sides` for a uniform draw.
fn scaled(draw: u64, sides: u64) -> u64 {
    // The product is below `sides << 64`.
    ((u128::from(draw) * u128::from(sides)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::Reason;

    const OK: Ending = Ending::Status(200);
    const BROKEN: Ending = Ending::Status(500);
    const GATEWAY: Ending = Ending::Status(503);

    fn at(secs: u64) -> Time {
        Time::ZERO + Span::secs(secs)
    }

    fn of(config: Config, hosts: u32) -> Outlier {
        Outlier::new(&config, hosts).expect("valid")
    }

    /// Ejects every host that fails five times in a row.
    fn eager() -> Config {
        Config { max_ejection_percent: 100, ..Config::default() }
    }

    fn record(
        outlier: &mut Outlier,
        host: u32,
        secs: u64,
        ending: Ending,
        n: u32,
    ) -> Vec<Ejection> {
        let mut changes = Vec::new();
        (0..n).for_each(|_| outlier.record(host, at(secs), ending, &mut changes));
        changes
    }

    /// Sweeps whenever it asks for it, that second included.
    fn sweep_until(outlier: &mut Outlier, secs: u64) -> Vec<(Time, Ejection)> {
        let mut story = Vec::new();
        while let Some(now) = outlier.wakes_at().filter(|now| *now <= at(secs)) {
            let mut changes = Vec::new();
            outlier.wake(now, 0, &mut changes);
            story.extend(changes.into_iter().map(|change| (now, change)));
        }
        story
    }

    fn ejected_count(outlier: &Outlier) -> u64 {
        (0..outlier.hosts.len() as u32).filter(|host| outlier.is_ejected(*host)).count() as u64
    }

    #[derive(Clone, Copy, Debug)]
    enum Input {
        Record(prop::sample::Index, Ending),
        Pick(u64),
    }

    fn endings() -> impl Strategy<Value = Ending> {
        prop_oneof![
            3 => Just(OK),
            4 => Just(BROKEN),
            3 => Just(GATEWAY),
            1 => Just(Ending::Status(404)),
            2 => Just(Ending::TimedOut),
            2 => Just(Ending::Refused),
            1 => Just(Ending::Reset),
            1 => Just(Ending::Rejected(Reason::BreakerProbing)),
        ]
    }

    fn configs() -> impl Strategy<Value = Config> {
        let percents = (0..=100u32, 0..=100u32, 0..=100u32, 0..=100u32);
        (percents, any::<(bool, bool, bool)>(), 0..4u32, 1..40u64, 0..4000u64).prop_map(
            |((most, gateway, rate, failure), (one, split, random), n, base, jitter)| Config {
                consecutive_5xx: n,
                consecutive_gateway_failure: 2,
                consecutive_local_origin_failure: n,
                max_ejection_percent: most,
                always_eject_one_host: one,
                split_external_local_origin_errors: split,
                enforcing_consecutive_gateway_failure: gateway,
                enforcing_success_rate: rate,
                enforcing_failure_percentage: failure,
                base_ejection_time: Span::secs(base),
                max_ejection_time: Some(Span::secs(100)),
                max_ejection_time_jitter: Span::millis(jitter),
                success_rate_minimum_hosts: 2,
                success_rate_request_volume: 3,
                failure_percentage_minimum_hosts: 1,
                failure_percentage_request_volume: 2,
                success_rate_stdev_factor: 500,
                choose: if random { Choose::Random } else { Choose::RoundRobin },
                ..Config::default()
            },
        )
    }

    fn stories() -> impl Strategy<Value = (Config, u32, Vec<(u64, Input)>)> {
        let input = prop_oneof![
            5 => (any::<prop::sample::Index>(), endings()).prop_map(|(i, e)| Input::Record(i, e)),
            1 => any::<u64>().prop_map(Input::Pick),
        ];
        // Time often stands still, and sometimes several sweeps pass.
        let gap = prop_oneof![6 => Just(0), 4 => 1..4000u64, 1 => 4000..90_000u64];
        (configs(), 1..12u32, vec((gap, input), 0..200))
    }

    proptest! {
        #[test]
        fn the_ejected_stay_within_their_share_and_their_time((config, hosts, inputs) in stories()) {
            let mut outlier = of(config.clone(), hosts);
            let (mut now, mut changes) = (Time::ZERO, Vec::new());
            let longest = Span::secs(100) + config.max_ejection_time_jitter;
            for (gap, input) in inputs {
                now += Span::millis(gap);
                while let Some(sweep) = outlier.wakes_at().filter(|sweep| *sweep <= now) {
                    outlier.wake(sweep, 99, &mut changes);
                }
                match input {
                    Input::Record(host, ending) => {
                        let host = host.index(hosts as usize) as u32;
                        outlier.record(host, now, ending, &mut changes);
                        let asked = outlier.wakes_at();
                        prop_assert!(asked.is_none_or(|sweep| sweep > now));
                    }
                    Input::Pick(draw) => {
                        let in_panic = u64::from(outlier.in_service()) * 2 < u64::from(hosts);
                        let host = outlier.pick(draw).expect("the panic threshold is 50");
                        prop_assert!(host < hosts);
                        prop_assert!(in_panic || !outlier.is_ejected(host));
                    }
                }
                let ejected = ejected_count(&outlier);
                let within = 100 * ejected <= u64::from(config.max_ejection_percent * hosts);
                prop_assert!(within || (ejected == 1 && config.always_eject_one_host));
                for host in &outlier.hosts {
                    let lasts = host.ejected.map_or(longest, |ejected| ejected.lasts);
                    prop_assert!(config.base_ejection_time <= lasts && lasts <= longest);
                }
                let backed_off = outlier.hosts.iter().filter(|host| host.backoff > 0).count();
                prop_assert_eq!(outlier.backed_off as usize, backed_off);
                let in_service: Vec<u32> =
                    (0..hosts).filter(|host| !outlier.is_ejected(*host)).collect();
                prop_assert_eq!(&outlier.in_service, &in_service);
            }
            // Every host comes back, in the end without a grudge, and the sweeps stop.
            let mut quiet = 0;
            while let Some(sweep) = outlier.wakes_at() {
                quiet += 1;
                prop_assert!(quiet < 200, "{outlier:?}");
                outlier.wake(sweep, 99, &mut changes);
            }
            prop_assert_eq!(ejected_count(&outlier), 0);
            // The changes add up: a host is ejected and returned in turn.
            let mut out = vec![false; hosts as usize];
            for change in changes {
                let (host, now_out) = match change {
                    Ejection::Ejected { host, .. } => (host, true),
                    Ejection::Returned { host } => (host, false),
                };
                prop_assert_ne!(std::mem::replace(&mut out[host as usize], now_out), now_out);
            }
        }

        #[test]
        fn sweeps_that_it_does_not_ask_for_would_change_nothing(
            (config, hosts, inputs) in stories(),
        ) {
            // Without luck, which each draw of a sweep stirs.
            let config = Config {
                enforcing_consecutive_gateway_failure: 0,
                enforcing_success_rate: 100,
                enforcing_failure_percentage: 100,
                max_ejection_time_jitter: Span::ZERO,
                ..config
            };
            let (mut lazy, mut eager) = (of(config.clone(), hosts), of(config, hosts));
            let (mut told_lazy, mut told_eager) = (Vec::new(), Vec::new());
            let (mut now, mut grid) = (Time::ZERO, at(10));
            for (gap, input) in inputs {
                now += Span::millis(gap);
                while let Some(sweep) = lazy.wakes_at().filter(|sweep| *sweep <= now) {
                    lazy.wake(sweep, 0, &mut told_lazy);
                }
                while grid <= now {
                    eager.wake(grid, 0, &mut told_eager);
                    grid += Span::secs(10);
                }
                if let Input::Record(host, ending) = input {
                    let host = host.index(hosts as usize) as u32;
                    lazy.record(host, now, ending, &mut told_lazy);
                    eager.record(host, now, ending, &mut told_eager);
                }
                prop_assert_eq!(&told_lazy, &told_eager);
            }
        }

        #[test]
        fn failures_in_a_row_eject_exactly_at_their_number(
            n in 1..6u32, endings in vec(any::<bool>(), 0..60),
        ) {
            let mut outlier = of(Config { consecutive_5xx: n, ..eager() }, 3);
            let mut in_a_row = 0;
            for failed in endings {
                let told = record(&mut outlier, 1, 0, if failed { BROKEN } else { OK }, 1);
                in_a_row = if failed { in_a_row + 1 } else { 0 };
                prop_assert_eq!(told.len(), usize::from(in_a_row == n));
                if in_a_row == n {
                    break;
                }
            }
        }
    }

    #[test]
    fn ten_percent_of_nine_hosts_is_nobody() {
        for (hosts, ejects) in [(1, 0), (9, 0), (10, 1), (19, 1), (20, 2)] {
            let mut outlier = of(Config::default(), hosts);
            (0..hosts).for_each(|host| drop(record(&mut outlier, host, 0, BROKEN, 5)));
            assert_eq!(ejected_count(&outlier), ejects, "{hosts} hosts");
            let always = Config { always_eject_one_host: true, ..Config::default() };
            let mut outlier = of(always, hosts);
            (0..hosts).for_each(|host| drop(record(&mut outlier, host, 0, BROKEN, 5)));
            assert_eq!(ejected_count(&outlier), ejects.max(1), "{hosts} hosts, one always");
        }
    }

    #[test]
    fn a_host_that_relapses_stays_out_longer_each_time() {
        let mut outlier = of(eager(), 2);
        // It fails again as soon as it is back.
        for (fails, returns) in [(0, 30), (30, 90), (90, 180)] {
            assert_eq!(record(&mut outlier, 0, fails, BROKEN, 5).len(), 1);
            let back = (at(returns), Ejection::Returned { host: 0 });
            assert_eq!(sweep_until(&mut outlier, returns), [back]);
        }
    }

    #[test]
    fn each_calm_interval_after_the_return_forgives_one_ejection() {
        let mut outlier = of(eager(), 2);
        let forgiven = |outlier: &mut Outlier, secs| {
            sweep_until(outlier, secs);
            outlier.hosts[0].backoff
        };
        record(&mut outlier, 0, 0, BROKEN, 5);
        assert_eq!(forgiven(&mut outlier, 30), 1, "returned at 30");
        record(&mut outlier, 0, 31, BROKEN, 5);
        assert_eq!(outlier.hosts[0].backoff, 2);
        assert_eq!(forgiven(&mut outlier, 90), 2, "60 s from 31 on are not over");
        assert_eq!(forgiven(&mut outlier, 100), 2, "returned at 100, not yet forgiven");
        assert_eq!(forgiven(&mut outlier, 110), 1);
        assert_eq!(forgiven(&mut outlier, 120), 0);
        assert_eq!(outlier.wakes_at(), None);
    }

    #[test]
    fn the_ejection_time_has_its_maximum() {
        let mut outlier = of(Config { max_ejection_time: Some(Span::secs(45)), ..eager() }, 2);
        outlier.hosts[0].backoff = 1;
        outlier.backed_off = 1;
        let told = record(&mut outlier, 0, 0, BROKEN, 5);
        let cause = Cause::Consecutive5xx;
        let weighed = Weighed::calls(5u32, 5u32);
        assert_eq!(told, [Ejection::Ejected { host: 0, cause, weighed, until: at(45) }]);
        assert_eq!(sweep_until(&mut outlier, 50).last().map(|(now, _)| *now), Some(at(50)));
    }

    #[test]
    fn relapses_stop_counting_one_base_time_past_the_maximum() {
        let mut outlier = of(Config { max_ejection_time: Some(Span::secs(60)), ..eager() }, 2);
        let mut now = 0;
        for expected in [1, 2, 3, 3] {
            record(&mut outlier, 0, now, BROKEN, 5);
            assert_eq!(outlier.hosts[0].backoff, expected);
            now += if expected == 1 { 30 } else { 60 };
            sweep_until(&mut outlier, now);
        }
    }

    #[test]
    fn the_return_forgets_failures_in_a_row() {
        let mut outlier = of(eager(), 2);
        record(&mut outlier, 0, 0, BROKEN, 5);
        // Late results: they count, and eject nobody who is out already.
        assert_eq!(record(&mut outlier, 0, 1, BROKEN, 20), []);
        sweep_until(&mut outlier, 30);
        assert!(!outlier.is_ejected(0));
        assert_eq!(record(&mut outlier, 0, 31, BROKEN, 4), []);
        assert_eq!(record(&mut outlier, 0, 31, BROKEN, 1).len(), 1);
    }

    #[test]
    fn a_detection_that_is_not_enforced_starts_counting_anew() {
        let mut outlier = of(Config { enforcing_consecutive_5xx: 0, ..eager() }, 2);
        assert_eq!(record(&mut outlier, 0, 0, BROKEN, 5), []);
        assert_eq!(outlier.hosts[0].consecutive_5xx, 0);
    }

    #[test]
    fn luck_decides_in_proportion() {
        let mut outlier = of(Config { enforcing_consecutive_5xx: 30, ..eager() }, 1);
        let mut ejections = 0;
        for n in 0..2000 {
            outlier.pick(mix(3, n));
            ejections += record(&mut outlier, 0, n, BROKEN, 5).len();
            outlier = Outlier { luck: outlier.luck, ..of(outlier.config.clone(), 1) };
        }
        assert!((540..660).contains(&ejections), "{ejections} of 2000");
    }

    #[test]
    fn only_refused_connections_add_up_when_origins_are_split() {
        let split = Config { split_external_local_origin_errors: true, ..eager() };
        for (ending, ejects) in [
            (Ending::Refused, Some(Cause::ConsecutiveLocalOriginFailure)),
            (Ending::TimedOut, None),
            (Ending::Reset, None),
            (BROKEN, Some(Cause::Consecutive5xx)),
        ] {
            let mut outlier = of(split.clone(), 3);
            let told = record(&mut outlier, 0, 0, ending, 8);
            let cause = told.first().map(|change| match change {
                Ejection::Ejected { cause, .. } => *cause,
                Ejection::Returned { .. } => panic!("{told:?}"),
            });
            assert_eq!(cause, ejects, "{ending}");
            let mut joint = of(eager(), 3);
            assert_eq!(record(&mut joint, 0, 0, ending, 8).len(), 1, "without the split {ending}");
        }
    }

    #[test]
    fn a_call_that_was_rejected_here_says_nothing_of_the_host() {
        let mut outlier = of(eager(), 3);
        let before = outlier.clone();
        record(&mut outlier, 0, 0, Ending::Rejected(Reason::BreakerProbing), 9);
        assert_eq!(outlier, before);
    }

    #[test]
    fn gateway_failures_have_a_count_of_their_own() {
        let config =
            Config { enforcing_consecutive_gateway_failure: 100, consecutive_5xx: 0, ..eager() };
        let mut outlier = of(config, 3);
        record(&mut outlier, 0, 0, GATEWAY, 4);
        record(&mut outlier, 0, 0, BROKEN, 1);
        assert_eq!(record(&mut outlier, 0, 0, GATEWAY, 4), [], "a 500 is none and ends the row");
        let cause = Cause::ConsecutiveGatewayFailure;
        let until = at(30);
        let told = record(&mut outlier, 0, 0, GATEWAY, 1);
        let weighed = Weighed::calls(5u32, 5u32);
        assert_eq!(told, [Ejection::Ejected { host: 0, cause, weighed, until }]);
    }

    /// 200 requests to each host in the first interval, of which the first host fails some.
    fn interval(config: Config, hosts: u32, failures: u32) -> Vec<(Time, Ejection)> {
        let mut outlier = of(config, hosts);
        for n in 0..200u32 {
            for host in 0..hosts {
                // Spread, so that no two are in a row.
                let failed = host == 0 && n % 2 == 0 && n / 2 < failures;
                record(&mut outlier, host, 1, if failed { BROKEN } else { OK }, 1);
            }
        }
        sweep_until(&mut outlier, 10)
    }

    #[test]
    fn a_success_rate_far_below_the_mean_ejects_at_the_sweep() {
        // Five hosts: one below four equal ones lies exactly two deviations below the mean.
        let cause = Cause::SuccessRate(Origin::External);
        let told = interval(eager(), 5, 20);
        let [(when, Ejection::Ejected { host: 0, cause: found, weighed, until })] = told[..] else {
            panic!("one ejection: {told:?}")
        };
        assert_eq!((when, found, until), (at(10), cause, at(40)));
        // The mean of 98 % less 1.9 deviations of 4 % each is 90.4 %.
        let said = weighed.to_string();
        assert_eq!(said, "20 of 200 are 10 %, threshold 9.6 %, minimum 100");
        assert_eq!(interval(eager(), 4, 20), [], "too few hosts");
        assert_eq!(interval(eager(), 5, 0), [], "all alike: nobody is below the mean");
        let stricter = Config { success_rate_stdev_factor: 2001, ..eager() };
        assert_eq!(interval(stricter, 5, 20), []);
        let busier = Config { success_rate_request_volume: 201, ..eager() };
        assert_eq!(interval(busier, 5, 20), [], "too few requests");
    }

    #[test]
    fn a_failure_percentage_ejects_at_its_threshold() {
        let config = Config {
            enforcing_success_rate: 0,
            enforcing_failure_percentage: 100,
            failure_percentage_threshold: 40,
            ..eager()
        };
        assert_eq!(interval(config.clone(), 5, 79), []);
        let cause = Cause::FailurePercentage(Origin::External);
        let weighed = Tally { successes: 120, total: 200 }.weighed(40.0, 50);
        let ejected = (at(10), Ejection::Ejected { host: 0, cause, weighed, until: at(40) });
        assert_eq!(interval(config, 5, 80), [ejected]);
    }

    #[test]
    fn statistics_forget_everything_before_the_last_interval() {
        let mut outlier = of(eager(), 5);
        for host in 0..5 {
            record(&mut outlier, host, 1, if host == 0 { Ending::TimedOut } else { OK }, 4);
        }
        assert_eq!(sweep_until(&mut outlier, 10), []);
        assert_eq!(outlier.wakes_at(), None);
        outlier.record(0, at(25), OK, &mut Vec::new());
        assert_eq!(outlier.wakes_at(), Some(at(30)), "the sweeps keep their grid");
        sweep_until(&mut outlier, 30);
        assert_eq!(outlier.hosts[0].external.past, Tally { successes: 1, total: 1 });
    }

    #[test]
    fn below_the_panic_threshold_the_ejected_are_used_again() {
        let mut outlier = of(eager(), 4);
        let picks = |outlier: &mut Outlier| -> Vec<u32> {
            outlier.turn = 0;
            (0..4).filter_map(|_| outlier.pick(0)).collect()
        };
        for (host, expected) in [
            (0, vec![1, 2, 3, 1]),
            (1, vec![2, 3, 2, 3]),
            (2, vec![0, 1, 2, 3]),
            (3, vec![0, 1, 2, 3]),
        ] {
            record(&mut outlier, host, 0, BROKEN, 5);
            assert_eq!(picks(&mut outlier), expected, "{host} and all before it ejected");
        }
        outlier.config.panic_threshold = 0;
        assert_eq!(outlier.pick(0), None);
    }

    #[test]
    fn random_picks_reach_every_host_in_service() {
        let mut outlier = of(Config { choose: Choose::Random, ..eager() }, 4);
        record(&mut outlier, 2, 0, BROKEN, 5);
        let picks = [0, u64::MAX / 3 + 1, u64::MAX].map(|draw| outlier.pick(draw));
        assert_eq!(picks, [Some(0), Some(1), Some(3)]);
    }

    #[test]
    fn impossible_parameters_are_refused_by_name() {
        let valid = Config::default();
        for (config, field) in [
            (Config { interval: Span::ZERO, ..valid.clone() }, "interval"),
            (Config { base_ejection_time: Span::ZERO, ..valid.clone() }, "base_ejection_time"),
            (
                Config { max_ejection_time: Some(Span::secs(29)), ..valid.clone() },
                "max_ejection_time",
            ),
            (Config { max_ejection_percent: 101, ..valid.clone() }, "max_ejection_percent"),
            (Config { enforcing_success_rate: 101, ..valid.clone() }, "enforcing_success_rate"),
        ] {
            assert_eq!(Outlier::new(&config, 3).map_err(|e| e.field), Err(field));
        }
        assert_eq!(Outlier::new(&valid, 0).map_err(|e| e.field), Err("hosts"));
        let longer = Config { base_ejection_time: Span::secs(400), ..valid };
        assert_eq!(longer.longest_ejection(), Span::secs(400));
    }
}
