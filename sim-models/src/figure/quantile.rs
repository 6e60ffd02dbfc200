//! Which share of the samples lies at or below a percentile.

use std::fmt;
use std::str::FromStr;

/// A percentile, such as the 99.9th.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantile {
    /// Of 100,000 samples, so many lie at or below it.
    parts: u32,
}

/// All samples.
const WHOLE: u32 = 100_000;

impl Quantile {
    /// Half of them.
    pub const P50: Quantile = Quantile { parts: 50_000 };
    /// 90 %.
    pub const P90: Quantile = Quantile { parts: 90_000 };
    /// 99 %.
    pub const P99: Quantile = Quantile { parts: 99_000 };
    /// 99.9 %.
    pub const P999: Quantile = Quantile { parts: 99_900 };
    /// Those that are reported unasked, in order.
    pub const COMMON: [Quantile; 4] = [Quantile::P50, Quantile::P90, Quantile::P99, Quantile::P999];

    /// The share, above 0 and below 1.
    pub fn share(self) -> f64 {
        f64::from(self.parts) / f64::from(WHOLE)
    }

    /// The nearest rank among so many samples.
    pub fn rank(self, of: u64) -> u64 {
        let exact = u128::from(of) * u128::from(self.parts);
        u64::try_from(exact.div_ceil(u128::from(WHOLE))).expect("no more than all samples")
    }

    /// Its name in JSON: `p50`, `p999`.
    pub fn id(self) -> String {
        self.to_string().replace('.', "")
    }
}

/// As people write it: `p99.9`.
impl fmt::Display for Quantile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("p{}.{:03}", self.parts / 1000, self.parts % 1000);
        f.pad(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl FromStr for Quantile {
    type Err = String;

    fn from_str(text: &str) -> Result<Quantile, String> {
        let fail =
            || format!("`{text}` is no percentile; write one above 0 and below 100: `p99.9`");
        let digits = text.strip_prefix('p').ok_or_else(fail)?;
        let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
        let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty();
        if !is_number(whole) || !is_number(part) || part.len() > 3 || whole.len() > 2 {
            return Err(fail());
        }
        let number = |text: &str| text.parse::<u32>().map_err(|_| fail());
        let scale = [100, 10, 1][part.len() - 1];
        let parts = number(whole)? * 1000 + number(part)? * scale;
        if parts == 0 { Err(fail()) } else { Ok(Quantile { parts }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_percentile_reads_as_it_prints() {
        for text in ["p50", "p99", "p99.9", "p99.99", "p0.5", "p12.345"] {
            assert_eq!(text.parse::<Quantile>().map(|q| q.to_string()), Ok(text.to_owned()));
        }
        assert_eq!("p99.9".parse(), Ok(Quantile::P999));
        for text in ["p", "p100", "p0", "p0.0", "p9.", "p.9", "p1.2345", "q50", "p-1", "p999"] {
            assert!(text.parse::<Quantile>().is_err(), "{text}");
        }
        let ranks = [(1, 1), (100, 99), (101, 100), (1000, 990)];
        assert!(ranks.iter().all(|(of, rank)| Quantile::P99.rank(*of) == *rank));
    }
}
