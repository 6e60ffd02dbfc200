//! Many seeds of one scenario, all of them or until a figure is known well enough.
//!
//! Whoever looks again and again, and stops when it looks good, deceives himself: a run of luck
//! ends the study early. So the rule looks rarely: its numbers of runs are fixed beforehand, begin
//! at 30 and grow by half. It also asks for more than is reported: the interval that decides has
//! half the allowed error (97.5 % where 95 % is reported).

use std::iter;
use std::str::FromStr;

use super::Subject;
use super::replicate::{Crew, Misuse, Options};
use super::sample::Sample;
use super::summary::{Summary, Tally};
use crate::Scenario;
use crate::figure::{Figure, Kind};
use crate::outcome::Verdict;

/// The runs after which the rule looks for the first time.
const FIRST_LOOK: u64 = 30;

/// What many runs of a scenario found.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// What was run.
    pub subject: Subject,
    /// Why no more seeds were run.
    pub stop: Stop,
    /// What was found.
    pub summary: Summary,
}

/// Why a check ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Stop {
    /// All seeds were run, and no precision was asked for.
    AllSeeds,
    /// Somebody called it off; the subject says how many seeds are missing.
    CalledOff,
    /// The precision was reached.
    Precise {
        /// Of which figure.
        figure: String,
        /// The relative half-width that was asked for.
        wanted: f64,
        /// The relative half-width of the reported interval.
        reached: f64,
    },
    /// All seeds were run, and the precision was not reached.
    Imprecise {
        /// Of which figure.
        figure: String,
        /// The relative half-width that was asked for.
        wanted: f64,
        /// The relative half-width of the reported interval; `None` when there is none.
        reached: Option<f64>,
    },
}

/// When to stop before all seeds were run.
#[derive(Clone, Debug, PartialEq)]
pub struct Until {
    /// The largest half-width of the interval, as a share of the value.
    pub relative: f64,
    /// The figure whose interval it is; `goodput` unless another is chosen.
    pub figure: Figure,
}

impl Until {
    /// The half-width in percent, as it was written.
    pub fn percent(&self) -> f64 {
        // What a division by 100 did to a number is undone above its last bits.
        let percent = format!("{:.11e}", self.relative * 100.0);
        percent.parse().expect("a number that was just written")
    }
}

/// As on the command line: `ci=5%`.
impl FromStr for Until {
    type Err = String;

    fn from_str(text: &str) -> Result<Until, String> {
        let fail = || {
            format!(
                "`{text}` is no rule; write `ci=5%` for intervals of at most 5 % to either side"
            )
        };
        let percent = text.strip_prefix("ci=").ok_or_else(fail)?.strip_suffix('%');
        let percent: f64 = percent.ok_or_else(fail)?.trim().parse().map_err(|_| fail())?;
        if !(percent > 0.0 && percent < 100.0) {
            return Err(fail());
        }
        Ok(Until { relative: percent / 100.0, figure: Figure::of_all(Kind::Goodput) })
    }
}

impl Check {
    /// Runs a scenario on all seeds, or until a figure is known well enough.
    ///
    /// # Errors
    /// Options that make no sense, or a figure that the scenario does not have.
    ///
    /// ```
    /// use sim_models::Scenario;
    /// use sim_models::study::{Check, Options};
    ///
    /// let text = r#"Scenario(
    ///     name: "hello", about: "A few requests to one worker.", horizon: "10s",
    ///     actors: {
    ///         "users": Client(load: Open(rate: "5/s"), does: [Call("api.hello")]),
    ///         "api": Service(workers: 1, endpoints: { "hello": [Work(Exponential("20ms"))] }),
    ///     },
    /// )"#;
    /// let scenario = Scenario::text("hello.ron", text).load().unwrap();
    /// let options =
    ///     Options { seeds: 20, ..Options::default() };
    /// let check = Check::run(&scenario, &options, None).unwrap();
    /// let goodput = check.summary.estimate(&"goodput".parse().unwrap()).unwrap();
    /// assert!(goodput.interval.unwrap().contains(5.0));
    /// ```
    pub fn run(
        scenario: &Scenario,
        options: &Options<'_>,
        until: Option<&Until>,
    ) -> Result<Check, Misuse> {
        let mut asked = options.figures.clone();
        asked.extend(until.map(|until| until.figure.clone()));
        let observed = &super::observing(iter::once(scenario), &asked)?[0];
        let work = |n| Sample::of_run(observed, options.first_seed + n, &asked, options.goes_on);
        let (tally, stop, done) = replicate(work, options, until)?;
        let subject = match stop {
            Stop::CalledOff => Subject::new(scenario, options, done),
            _ => Subject::new(scenario, options, options.seeds),
        };
        Ok(Check { subject, stop, summary: tally.finish(options.confidence, &options.figures) })
    }

    /// What the runs say together.
    pub fn verdict(&self) -> Verdict {
        self.subject.verdict(&self.summary)
    }
}

/// Takes samples until the rule is content, or there are no more seeds; and how many there are.
fn replicate(
    sample: impl Fn(u64) -> Option<Sample> + Sync,
    options: &Options<'_>,
    until: Option<&Until>,
) -> Result<(Tally, Stop, u64), Misuse> {
    let crew = Crew::new(options)?;
    let mut tally = Tally::default();
    let add = |tally: &mut Tally, sample: Sample| {
        if options.each {
            tally.keep(&sample);
        }
        tally.add(&sample);
    };
    let Some(until) = until else {
        let done = crew.in_order(0..options.seeds, sample, |sample| add(&mut tally, sample));
        let stop = if done < options.seeds { Stop::CalledOff } else { Stop::AllSeeds };
        return Ok((tally, stop, done));
    };
    let mut done = 0;
    loop {
        let end = next_look(done).min(options.seeds);
        done += crew.in_order(done..end, &sample, |sample| add(&mut tally, sample));
        if done < end {
            return Ok((tally, Stop::CalledOff, done));
        }
        let look = look(&tally, until, options.confidence);
        let (figure, wanted) = (until.figure.to_string(), until.relative);
        match look.reached {
            Some(reached) if look.is_precise => {
                return Ok((tally, Stop::Precise { figure, wanted, reached }, done));
            }
            reached if done == options.seeds => {
                return Ok((tally, Stop::Imprecise { figure, wanted, reached }, done));
            }
            _ => {}
        }
    }
}

/// The number of runs at the next look: half as many again.
fn next_look(done: u64) -> u64 {
    FIRST_LOOK.max(done.saturating_add(done.div_ceil(2)))
}

/// What a look at a figure finds.
struct Look {
    /// The relative half-width of the interval that is reported.
    reached: Option<f64>,
    is_precise: bool,
}

fn look(tally: &Tally, until: &Until, confidence: f64) -> Look {
    let figure = &until.figure;
    let strict = tally.precision(figure, 1.0 - (1.0 - confidence) / 2.0);
    let is_precise = strict.is_some_and(|precision| precision <= until.relative);
    Look { reached: tally.precision(figure, confidence), is_precise }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Goodput, Verdict};
    use crate::reading::Reading;
    use sim_core::{Dist, Purpose, Streams};

    const GOODPUT: Figure = Figure { kind: Kind::Goodput, of: None, during: None };

    fn sample(seed: u64, goodput: f64) -> Sample {
        Sample {
            seed,
            verdict: Verdict::Kept,
            limit: None,
            values: vec![(GOODPUT, Some(Reading { value: goodput, at_least: false }))],
            asked: Vec::new(),
            goodput: Goodput::default(),
            effects: Vec::new(),
            latencies: Vec::new(),
            invariants: Vec::new(),
            recovery: None,
            unwell: None,
        }
    }

    fn options(seeds: u64) -> Options<'static> {
        Options { seeds, jobs: 1, ..Options::default() }
    }

    #[test]
    fn the_rule_reads_as_people_write_it() {
        for (text, percent) in [("ci=5%", 5.0), ("ci=0.7%", 0.7), ("ci= 12 %", 12.0)] {
            assert_eq!(text.parse::<Until>().map(|until| until.percent()), Ok(percent), "{text}");
        }
        for text in ["", "5%", "ci=5", "ci=0%", "ci=-1%", "ci=100%", "ci=NaN%", "ci=x%", "n=5%"] {
            let told = text.parse::<Until>().unwrap_err();
            assert!(told.contains("ci=5%"), "{told}");
        }
    }

    #[test]
    fn looks_are_few_and_fixed_beforehand() {
        let looks: Vec<u64> =
            std::iter::successors(Some(next_look(0)), |done| Some(next_look(*done)))
                .take(5)
                .collect();
        assert_eq!(looks, [30, 45, 68, 102, 153]);
    }

    /// Whoever stops at the first lucky moment is right too seldom; this rule is not.
    #[test]
    fn stopping_early_leaves_intervals_honest() {
        let dist = Dist::normal(10.0, 5.0).unwrap();
        let until = "ci=8%".parse().unwrap();
        let (mut covered, mut early) = (0, 0);
        for study in 0..2000 {
            let luck = Streams::new(9).indexed(Purpose(1), study);
            let work = |n| Some(sample(n, dist.sample(&mut luck.at(n))));
            let (tally, stop, _) = replicate(work, &options(2000), Some(&until)).unwrap();
            early += u32::from(matches!(stop, Stop::Precise { reached, .. } if reached <= 0.08));
            let estimate = tally.finish(0.95, &[]).estimate(&GOODPUT).unwrap();
            covered += u32::from(estimate.interval.unwrap().contains(10.0));
        }
        assert_eq!(early, 2000, "some 240 runs suffice");
        assert!((1870..=1930).contains(&covered), "{covered} of 2000, 1900 if honest");
    }

    #[test]
    fn a_rule_that_cannot_be_kept_runs_all_seeds() {
        let until: Until = "ci=1%".parse().unwrap();
        let work = |n| Some(sample(n, 0.0));
        let (tally, stop, _) = replicate(work, &options(100), Some(&until)).unwrap();
        assert_eq!(tally.finish(0.95, &[]).runs, 100);
        let figure = "goodput".to_owned();
        assert_eq!(stop, Stop::Imprecise { figure, wanted: 0.01, reached: None }, "0 has no share");
    }
}
