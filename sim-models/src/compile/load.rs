//! Loads: when intents arise, checked and made into rates over time and lists of instants.

use sim_core::intensity::SWING_LINES;
use sim_core::{Intensity, Span, Time};

use super::builder::Builder;
use super::files::length;
use super::place::Here;
use crate::language::units::{Level, Rate};
use crate::language::{Change, Load, Requests};
use crate::plan::{ActorKind, IntensityId, LoadPlan, Plan, TraceId};
use crate::source::path_key;

/// What repeats may do so this often in a run: each time is a piece of the rate.
const REPEATS_MAX: u64 = 10_000;

/// When something arrives, in the words of the file.
struct Arriving<'a> {
    rate: Option<Rate>,
    rates: Option<&'a str>,
    changes: &'a [Change],
    from: Span,
    until: Option<Span>,
}

impl Builder<'_> {
    pub(super) fn load(&mut self, load: &Load, here: &Here) -> LoadPlan {
        match load {
            Load::Open { rate, rates, changes, arrivals, from, until } => {
                let (rates, from, until) = (rates.as_deref(), *from, *until);
                let arriving = Arriving { rate: *rate, rates, changes, from, until };
                LoadPlan::Open { rate: self.arriving(&arriving, here), arrivals: *arrivals }
            }
            Load::Sessions { rate, rates, changes, arrivals, from, until, requests, think } => {
                let (rates, from, until) = (rates.as_deref(), *from, *until);
                let arriving = Arriving { rate: *rate, rates, changes, from, until };
                self.requests(*requests, &here.field("requests"));
                let rate = self.arriving(&arriving, here);
                let think = self.dist(think, &here.field("think"));
                LoadPlan::Sessions { rate, arrivals: *arrivals, requests: *requests, think }
            }
            Load::Closed { users, think, until } => {
                self.require(*users >= 1, &here.field("users"), users, "at least 1");
                LoadPlan::Closed {
                    users: *users,
                    think: self.dist(think, &here.field("think")),
                    until: until.unwrap_or(self.spec.horizon),
                }
            }
            Load::Burst { count, at } => {
                self.require(*count >= 1, &here.field("count"), count, "at least 1");
                self.within_run(*at, &here.field("at"));
                LoadPlan::Burst { count: *count, at: *at }
            }
            Load::Trace { file } => LoadPlan::Trace(self.trace(file, &here.field("file"))),
        }
    }

    fn requests(&mut self, requests: Requests, here: &Here) {
        match requests {
            Requests::Geometric(mean) => {
                let holds = (1.0..=1e9).contains(&mean);
                self.require(holds, here, mean, "a mean from 1 on");
            }
            Requests::Constant(count) => self.require(count >= 1, here, count, "at least 1"),
        }
    }

    /// Complains about a load that begins when the run has ended.
    fn within_run(&mut self, at: Span, here: &Here) {
        let horizon = self.spec.horizon;
        self.require(at <= horizon, here, at, &format!("within the horizon, {horizon}"));
    }

    fn arriving(&mut self, arriving: &Arriving<'_>, here: &Here) -> IntensityId {
        let Arriving { from, .. } = *arriving;
        let until = arriving.until.unwrap_or(self.spec.horizon);
        let found = format!("{from}, and until = {until}");
        self.require(from < until, &here.field("from"), found, "before `until`");
        self.within_run(from, &here.field("from"));
        let (start, end) = (Time::ZERO + from, Time::ZERO + until.max(from));
        let rate = arriving.rate.map_or(0.0, Rate::per_second);
        let mut intensity = Intensity::constant(rate, start, end);
        match (arriving.rate, arriving.rates) {
            (Some(_), None) => {}
            (None, Some(file)) => self.rates(&mut intensity, file, &here.field("rates")),
            (None, None) => {
                let help = "add `rate: \"50/s\"`, or `rates` with a file of times and rates";
                self.problem(here, "this load has no rate", Some(help.to_owned()));
            }
            (Some(_), Some(_)) => {
                let help = "keep one of them".to_owned();
                self.problem(&here.field("rates"), "`rate` and `rates` are both given", Some(help));
            }
        }
        let mut last = Span::ZERO;
        for (n, change) in arriving.changes.iter().enumerate() {
            self.change(&mut intensity, *change, &mut last, &here.field("changes").at(n));
        }
        if arriving.rates.is_none() {
            self.plan.load_rises.extend(rises(rate, self.spec.warmup, arriving.changes));
        }
        self.plan.intensities.push(intensity);
        IntensityId::nth(self.plan.intensities.len() - 1)
    }

    /// Applies one change. `last` is when the latest step or ramp was over.
    fn change(&mut self, rate: &mut Intensity, change: Change, last: &mut Span, here: &Here) {
        let (start, end) = (rate.start(), rate.end());
        let time = |span: Span| Time::ZERO + span;
        match change {
            Change::Step { at, rate: level } => {
                self.change_in_order(rate, at, last, here);
                rate.replace(time(at), Time::MAX, level.per_second());
            }
            Change::Ramp { at, lasts, rate: level } => {
                self.change_in_order(rate, at, last, here);
                *last = at + lasts;
                rate.ramp(time(at), time(at + lasts), level.per_second());
            }
            Change::Spike { at, lasts, rate: level } => {
                let over = at + lasts;
                self.require(!lasts.is_zero(), &here.field("for"), lasts, "above zero");
                if time(at) < start || time(over) > end || over > self.spec.horizon {
                    let message = format!(
                        "this spike lasts from {at} to {over}; the load lasts from {start} to {}",
                        end.min(time(self.spec.horizon))
                    );
                    let help = "a spike lies within its load, so that its aftermath can be seen";
                    self.problem(here, message, Some(help.to_owned()));
                }
                rate.replace(time(at), time(over), level.per_second());
                self.plan.load_rises.push((at, over));
            }
            Change::OnOff { on, off, rate: level } => {
                self.require(!on.is_zero(), &here.field("on"), on, "above zero");
                self.require(!off.is_zero(), &here.field("off"), off, "above zero");
                let period = on + off;
                if !self.repeats(period, rate, here) {
                    return;
                }
                let mut at = start + on;
                while at < end {
                    rate.replace(at, at + off, level.per_second());
                    at += period;
                }
            }
            Change::Diurnal { period, swing } => {
                self.ratio(swing, &here.field("swing"));
                let line = period / SWING_LINES;
                if self.repeats(line, rate, here) {
                    rate.swing(period, swing);
                }
            }
        }
    }

    fn change_in_order(&mut self, rate: &Intensity, at: Span, last: &mut Span, here: &Here) {
        let here = here.field("at");
        if at < *last {
            let message = format!("at = {at}; the change before it is over at {last}");
            let help = "write steps and ramps in the order of time".to_owned();
            self.problem(&here, message, Some(help));
        } else if Time::ZERO + at >= rate.end() {
            let message = format!("at = {at}; the load ends at {}", rate.end());
            self.problem(&here, message, None);
        }
        *last = at;
    }

    /// Whether what comes again after so long does so a number of times that can be handled.
    fn repeats(&mut self, period: Span, rate: &Intensity, here: &Here) -> bool {
        let length = rate.end().since(rate.start());
        let fits = length.as_nanos() / period.as_nanos().max(1) <= REPEATS_MAX;
        if !fits {
            let help = format!("at most {REPEATS_MAX} turns, or 104 days, fit a load");
            self.problem(here, "this changes too often", Some(help));
        }
        fits && !period.is_zero()
    }

    /// A file of times and rates: `12.5,40`, `12.5s,40/s`.
    fn rates(&mut self, rate: &mut Intensity, file: &str, here: &Here) {
        let rows = self.rows(file, here, |columns| {
            let [time, rate, ..] = columns else {
                return Err("a time and a rate are wanted, as in `12.5,40`".to_owned());
            };
            Ok((length(time, Span::secs(1))?, level(rate)?))
        });
        let rows = rows.unwrap_or_default();
        if self.in_order(file, rows.iter().map(|(at, _)| *at), here) {
            for (at, level) in rows {
                rate.replace(Time::ZERO + at, Time::MAX, level);
            }
        }
    }

    fn trace(&mut self, file: &str, here: &Here) -> TraceId {
        let rows = self.rows(file, here, |columns| length(columns[0], Span::secs(1)));
        let rows = rows.unwrap_or_default();
        if self.in_order(file, rows.iter().copied(), here)
            && let Some(first) = rows.first()
            && *first > self.spec.horizon
        {
            let horizon = self.spec.horizon;
            let message = format!("{file} begins at {first}; the run is over at {horizon}");
            let help = "write times since the beginning of the run".to_owned();
            self.problem(here, message, Some(help));
        }
        let times = rows.into_iter().map(|at| Time::ZERO + at).collect();
        self.plan.traces.push(times);
        TraceId::nth(self.plan.traces.len() - 1)
    }

    fn in_order(&mut self, file: &str, times: impl Iterator<Item = Span>, here: &Here) -> bool {
        let mut last = Span::ZERO;
        for time in times {
            if time < last {
                let message = format!("{file}: {time} comes after {last}");
                let help = "sort it by time".to_owned();
                self.problem(here, message, Some(help));
                return false;
            }
            last = time;
        }
        true
    }

    /// Puts the rises of all loads in order and joins those that touch.
    pub(super) fn merge_rises(&mut self) {
        self.plan.load_rises.sort();
        self.plan.load_rises.dedup_by(|(from, until), (_, before)| {
            let touches = *from <= *before;
            if touches {
                *before = (*before).max(*until);
            }
            touches
        });
    }

    /// Refuses a load that cannot be delivered within the step limit.
    pub(super) fn load_fits_limits(&mut self) {
        for actor in 0..self.plan.actors.len() {
            let ActorKind::Client(client) = &self.plan.actors[actor].kind else { continue };
            let (clicks, load) = (f64::from(client.clicks), client.load);
            let at_once = match load {
                LoadPlan::Closed { users: n, .. } | LoadPlan::Burst { count: n, .. } => n,
                _ => 0,
            };
            let steps = clicks * self.plan.intents_expected(load).unwrap_or(f64::from(at_once));
            let at_once = clicks * f64::from(at_once);
            let limits = self.spec.limits;
            let name = path_key(&self.plan.actors[actor].name);
            let here = Here::file(format!("actors.{name}.load"));
            if steps > limits.steps as f64 {
                let message = format!(
                    "this load submits about {steps:.0} times by the horizon; the run is limited \
                     to {} steps",
                    limits.steps
                );
                let help = "lower the load, shorten the horizon, or raise limits.steps".to_owned();
                self.problem(&here, message, Some(help));
            } else if at_once > limits.pending as f64 {
                let message = format!(
                    "{at_once:.0} submissions may be under way at once; the run is limited to {} \
                     pending events",
                    limits.pending
                );
                let help = "lower the load, or raise limits.pending".to_owned();
                self.problem(&here, message, Some(help));
            }
        }
    }
}

impl Plan {
    /// How many intents are to be expected by the horizon, unless that depends on how fast they are
    /// answered.
    pub(super) fn intents_expected(&self, load: LoadPlan) -> Option<f64> {
        let horizon = Time::ZERO + self.horizon;
        let arrivals =
            |rate: IntensityId| self.intensities[rate.index()].integral(Time::ZERO, horizon);
        match load {
            LoadPlan::Open { rate, .. } => Some(arrivals(rate)),
            LoadPlan::Sessions { rate, requests, .. } => Some(arrivals(rate) * requests.mean()),
            LoadPlan::Closed { .. } => None,
            LoadPlan::Burst { count, .. } => Some(f64::from(count)),
            LoadPlan::Trace(trace) => {
                let times = &self.traces[trace.index()];
                Some(times.partition_point(|time| *time <= horizon) as f64)
            }
        }
    }
}

/// When steps and ramps bring more than there was at the end of the warm-up: until the rate is
/// back, or, where it stays up, until the last rise is over. To send less is a remedy.
fn rises(rate: f64, warmup: Span, changes: &[Change]) -> Vec<(Span, Span)> {
    let (mut usual, mut now) = (rate, rate);
    let mut rises = Vec::new();
    let mut up: Option<(Span, Span)> = None;
    for change in changes {
        let (at, over, to) = match *change {
            Change::Step { at, rate } => (at, at, rate.per_second()),
            Change::Ramp { at, lasts, rate } => (at, at + lasts, rate.per_second()),
            Change::Spike { .. } | Change::OnOff { .. } | Change::Diurnal { .. } => continue,
        };
        if at <= warmup || usual == 0.0 {
            // So it is from the start, or a load begins.
            usual = to;
        } else if to <= usual {
            rises.extend(up.take().map(|(from, _)| (from, over)));
        } else if to > now {
            up = Some((up.map_or(at, |(from, _)| from), over));
        }
        now = to;
    }
    rises.extend(up);
    rises
}

/// A rate in a file: a number per second, or `40/s`.
fn level(text: &str) -> Result<f64, String> {
    let text = if text.contains('/') { text.to_owned() } else { format!("{text}/s") };
    text.parse().map(Level::per_second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(at: u64, rate: &str) -> Change {
        Change::Step { at: Span::secs(at), rate: rate.parse().expect("a rate") }
    }

    fn ramp(at: u64, rate: &str, lasts: u64) -> Change {
        let rate = rate.parse().expect("a rate");
        Change::Ramp { at: Span::secs(at), rate, lasts: Span::secs(lasts) }
    }

    fn rises_of(changes: &[Change]) -> Vec<(u64, u64)> {
        let whole = |span: Span| span.as_nanos() / 1_000_000_000;
        let rises = rises(60.0, Span::secs(5), changes);
        rises.into_iter().map(|(from, to)| (whole(from), whole(to))).collect()
    }

    #[test]
    fn more_than_usual_is_a_rise_until_the_rate_is_back() {
        assert_eq!(rises_of(&[step(60, "200/s"), step(70, "60/s")]), [(60, 70)]);
        assert_eq!(rises_of(&[ramp(60, "140/s", 60), ramp(180, "60/s", 60)]), [(60, 240)]);
        assert_eq!(rises_of(&[step(60, "90/s"), step(80, "120/s"), step(90, "70/s")]), [(60, 80)]);
        assert_eq!(rises_of(&[ramp(60, "140/s", 60)]), [(60, 120)], "it stays up");
    }

    #[test]
    fn to_send_less_and_to_let_people_back_is_none() {
        assert_eq!(rises_of(&[step(150, "0/s"), step(170, "5/s"), ramp(180, "60/s", 60)]), []);
        assert_eq!(rises_of(&[step(3, "90/s"), step(60, "80/s"), step(70, "90/s")]), []);
    }
}
