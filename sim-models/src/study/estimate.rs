//! A mean over runs, and how sure it is.

/// Where a true value lies, with the study's confidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl Interval {
    /// True when `value` lies in it, the ends included.
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// Half of its width.
    pub fn half_width(&self) -> f64 {
        (self.high - self.low) / 2.0
    }
}

/// A mean over runs. Runs with different seeds are independent; what happens within one is not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The mean over the runs that have a value.
    pub mean: f64,
    /// Where the true mean lies; `None` for fewer than two values.
    pub interval: Option<Interval>,
    /// The standard deviation between runs; `None` for fewer than two values.
    pub deviation: Option<f64>,
    /// How many runs have a value.
    pub n: u64,
}
