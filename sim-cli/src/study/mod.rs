//! What `sim check`, `sim compare` and `sim map` share: which seeds they take, and how what is
//! common to all studies is shown.

pub mod json;
pub mod progress;
pub mod rows;

use clap::Args;
use sim_models::study::{Figure, Options, Subject, Summary};

use crate::repeat::Repeat;
use crate::{figure, words};

/// Which seeds a study takes, and how it is shown.
#[derive(Debug, Args)]
pub struct StudyArgs {
    /// The first seed; the others follow it
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub first_seed: u64,

    /// How many threads, by default one per processor; the results do not depend on it
    #[arg(short, long, value_name = "J", value_parser = parse_jobs)]
    pub jobs: Option<usize>,

    /// How sure intervals are
    #[arg(long, value_name = "SHARE", default_value = "95%", value_parser = parse_confidence)]
    pub confidence: f64,

    /// A figure to report beside the others, such as `p99.9(users)` or `success in 30s..60s`; may be
    /// repeated
    #[arg(long, value_name = "FIGURE")]
    pub metric: Vec<Figure>,

    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
}

fn parse_jobs(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(jobs) if (1..=1024).contains(&jobs) => Ok(jobs),
        _ => Err("write a number of threads from 1 to 1024".to_owned()),
    }
}

fn parse_confidence(text: &str) -> Result<f64, String> {
    let (number, scale) = match text.strip_suffix('%') {
        Some(percent) => (percent, 100.0),
        None => (text, 1.0),
    };
    match number.trim().parse::<f64>() {
        Ok(number) if (0.5..=0.9999).contains(&(number / scale)) => Ok(number / scale),
        _ => Err("write a share from 50% to 99.99%, as in `95%`".to_owned()),
    }
}

impl StudyArgs {
    /// What was typed, as a study takes it that somebody waits for.
    pub fn options<'a>(&self, seeds: u64, awaited: Options<'a>) -> Options<'a> {
        Options {
            first_seed: self.first_seed,
            seeds,
            jobs: self.jobs.unwrap_or(0),
            figures: self.metric.clone(),
            confidence: self.confidence,
            ..awaited
        }
    }

    /// Adds all that changes the result of a study; how many threads there are does not.
    pub fn repeat(&self, line: Repeat, seeds: u64) -> Repeat {
        let mut line = line.option("seeds", seeds);
        if self.first_seed != 1 {
            line = line.option("first-seed", self.first_seed);
        }
        if self.confidence != 0.95 {
            line = line.option("confidence", self.confidence);
        }
        self.metric.iter().fold(line, |line, figure| line.option("metric", figure))
    }
}

/// What was run: `seeds 1 to 1,000, 3m each, measured from 10s on; intervals at 95 %`.
pub fn extent(subject: &Subject) -> String {
    let (first, last) = (subject.id.first.seed, subject.id.last_seed());
    let seeds = match (subject.id.seeds, first == last) {
        (0, _) => "no seed".to_owned(),
        (_, true) => format!("seed {first}"),
        (_, false) => format!("seeds {first} to {last}"),
    };
    let measured = match subject.warmup.is_zero() {
        true => "measured from the start on, without a warm-up".to_owned(),
        false => format!("measured from {} on", subject.warmup),
    };
    let confidence = figure::rounded(subject.confidence * 100.0, 6);
    format!("{seeds}, {} each, {measured}; intervals at {confidence} %", subject.horizon)
}

/// What is said of a study that somebody called off: `called off after 37 of 200 seeds`.
pub fn called_off(subject: &Subject) -> Option<String> {
    let (done, asked) = (words::count(subject.id.seeds), words::count(subject.seeds_asked));
    subject.is_called_off().then(|| format!("called off after {done} of {asked} seeds"))
}

/// What is said where more than one intent in two hundred was told nothing.
pub fn unanswered(summary: &Summary, subject: &Subject) -> Option<String> {
    let (open, offered) = (summary.goodput.unanswered(), summary.goodput.offered);
    let share = figure::share(open as f64 / offered.max(1) as f64);
    (open > offered / 200).then(|| {
        format!(
            "{share} of the intents ({}) had no answer within {} at the horizon; they count as \
             unanswered. limits.grace gives them longer",
            words::count(open),
            subject.grace
        )
    })
}

/// What is said of runs that a limit ended.
pub fn limited(summary: &Summary) -> Option<String> {
    let limited = summary.limited.as_ref()?;
    let runs = words::counted(limited.runs, "run");
    let (are, seed) = (if limited.runs == 1 { "is" } else { "are" }, limited.first_seed);
    Some(format!(
        "{runs} ended at a limit and {are} in no figure, first with seed {seed}: {}",
        limited.what.text
    ))
}
