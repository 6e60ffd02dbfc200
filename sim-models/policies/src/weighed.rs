//! The numbers behind a decision of a policy: "5 of 5 are 100 %, threshold 50 %".

use std::fmt;

/// What a policy had counted when it decided, and what it held that against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weighed {
    /// What it had counted.
    pub counted: Counted,
    /// What that was held against.
    pub threshold: Threshold,
    /// Calls below which it does not decide, where there is such a number.
    pub minimum: Option<Minimum>,
}

/// What is counted: failures, slow calls, or successes of tests, as the reason says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Counted {
    /// So many, whatever else there was.
    Calls(u64),
    /// So many of so many.
    Of(u64, u64),
    /// An average that forgets, from 0 to 1, over so many calls.
    Average(f64, u64),
}

/// What a count or a share is held against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Threshold {
    /// So many calls.
    Calls(u64),
    /// A share in percent.
    Percent(f64),
}

/// Calls below which nothing is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Minimum {
    /// As it is configured.
    pub configured: u64,
    /// As it counts: no more than the window holds.
    pub effective: u64,
}

impl Weighed {
    /// So many calls, of as many as it takes.
    pub fn calls(calls: impl Into<u64>, threshold: impl Into<u64>) -> Weighed {
        let threshold = Threshold::Calls(threshold.into());
        Weighed { counted: Counted::Calls(calls.into()), threshold, minimum: None }
    }
}

impl Minimum {
    /// One that is as it is configured.
    pub fn plain(calls: impl Into<u64>) -> Option<Minimum> {
        let calls = calls.into();
        Some(Minimum { configured: calls, effective: calls })
    }
}

impl fmt::Display for Weighed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.counted {
            Counted::Calls(calls) => write!(f, "{calls}")?,
            Counted::Of(some, 0) => write!(f, "{some} of 0")?,
            Counted::Of(some, all) => {
                write!(f, "{some} of {all}")?;
                if let Threshold::Percent(_) = self.threshold {
                    write!(f, " are {}", percent(some as f64 / all as f64 * 100.0))?;
                }
            }
            Counted::Average(share, calls) => {
                write!(f, "an average of {} over {calls} calls", percent(share * 100.0))?;
            }
        }
        match self.threshold {
            Threshold::Calls(calls) => write!(f, ", threshold {calls}")?,
            Threshold::Percent(share) => write!(f, ", threshold {}", percent(share))?,
        }
        match self.minimum {
            Some(Minimum { configured, effective }) if configured > effective => write!(
                f,
                ", minimum {configured} counts as {effective} because the window is {effective}"
            ),
            Some(Minimum { effective, .. }) if effective > 0 => write!(f, ", minimum {effective}"),
            _ => Ok(()),
        }
    }
}

impl Weighed {
    /// Whether what was counted reaches its threshold, to within the half percent that some
    /// libraries round by, and is judged at all.
    pub fn is_reached(&self) -> bool {
        let (is_over, all) = match (self.counted, self.threshold) {
            (Counted::Calls(some), Threshold::Calls(least)) => (some >= least, some),
            (Counted::Of(some, all), Threshold::Calls(least)) => (some >= least, all),
            (Counted::Of(some, all), Threshold::Percent(least)) => {
                // Of nothing any share is reached.
                (100.0 * some as f64 >= (least - 0.5) * all as f64, all)
            }
            (Counted::Average(share, all), Threshold::Percent(least)) => {
                (100.0 * share >= least - 0.5, all)
            }
            (Counted::Calls(_), Threshold::Percent(_))
            | (Counted::Average(..), Threshold::Calls(_)) => (false, 0),
        };
        is_over && self.minimum.is_none_or(|Minimum { effective, .. }| all >= effective)
    }
}

/// With one decimal, unless it is a whole number.
fn percent(share: f64) -> String {
    let tenths = (share * 10.0).round() / 10.0;
    format!("{tenths} %")
}
