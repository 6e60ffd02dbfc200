//! Distributions of lengths, sizes and ranks, sampled to the same bits on every platform.
//!
//! Wherever the inverse of the distribution function can be had, a sample takes exactly one random
//! word and rises with it. Two runs that draw the same word then stay paired, however their
//! parameters differ. Only the gamma family takes several words, and a constant none. The first
//! word of a mixture chooses a part, one of a lower mean for a lower word; the rest is as the part
//! takes it. A mixture rises with the draw within a part, and throughout where the parts do not
//! overlap.

use std::fmt;
use std::sync::Arc;

use crate::math;
use crate::quantile;
use crate::stream::Draw;

/// A Zipf table has a number per rank: 8 MiB at this bound.
const ZIPF_N_MAX: u64 = 1 << 20;

/// Up to here an Erlang sample is one logarithm of a product, which stays above 2^-848.
const ERLANG_PRODUCT_MAX: u32 = 16;

/// The 0.99 quantile of the standard normal distribution.
const Z99: f64 = 2.326_347_874_040_840_8;

/// A distribution whose parameters have been checked. The unit is the caller's.
///
/// ```
/// use sim_core::{Dist, Purpose, Span, Streams};
///
/// let latency = Dist::lognormal_from_percentiles(0.020, 0.120)?;
/// let mut draws = Streams::new(7).open(Purpose(0), 1);
/// let sample = Span::from_secs_f64(latency.sample(&mut draws));
/// assert!(sample > Span::ZERO);
/// # Ok::<(), sim_core::DistError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Dist(Kind);

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Constant {
        value: f64,
    },
    Uniform {
        low: f64,
        high: f64,
    },
    Exponential {
        mean: f64,
    },
    Normal {
        mean: f64,
        sd: f64,
    },
    LogNormal {
        mu: f64,
        sigma: f64,
    },
    Erlang {
        k: u32,
        mean: f64,
    },
    Gamma {
        shape: f64,
        scale: f64,
    },
    Pareto {
        scale: f64,
        shape: f64,
    },
    Weibull {
        scale: f64,
        shape: f64,
    },
    /// `cumulative[i]` is the probability of a rank of at most `i + 1`.
    Zipf {
        cumulative: Arc<[f64]>,
    },
    /// Sorted, so that samples rise with the draw.
    Empirical {
        sorted: Arc<[f64]>,
    },
    /// Values that rise, each with the sum of the weights up to it.
    Weighted {
        cumulative: Arc<[(f64, u64)]>,
    },
    /// By mean, none a mixture itself, each with the sum of the weights up to it; the last is one.
    Mixture {
        parts: Arc<[(f64, Kind)]>,
    },
}

/// Why parameters are not a distribution.
#[derive(Clone, Debug, PartialEq)]
pub struct DistError {
    name: &'static str,
    found: f64,
    allowed: &'static str,
}

impl fmt::Display for DistError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}; {}", self.name, self.found, self.allowed)
    }
}

impl std::error::Error for DistError {}

fn require(
    holds: bool,
    name: &'static str,
    found: f64,
    allowed: &'static str,
) -> Result<(), DistError> {
    if holds { Ok(()) } else { Err(DistError { name, found, allowed }) }
}

fn finite(name: &'static str, found: f64) -> Result<(), DistError> {
    require(found.is_finite(), name, found, "a finite number is needed")
}

fn not_negative(name: &'static str, found: f64) -> Result<(), DistError> {
    let holds = found.is_finite() && found >= 0.0;
    require(holds, name, found, "a finite number of at least 0 is needed")
}

fn positive(name: &'static str, found: f64) -> Result<(), DistError> {
    let holds = found.is_finite() && found > 0.0;
    require(holds, name, found, "a finite number above 0 is needed")
}

/// Every constructor refuses parameters that are not finite or not in the stated range, with an
/// error that names the parameter, what was found and what is allowed.
impl Dist {
    /// Always `value`, at least 0.
    ///
    /// # Errors
    /// On a negative or non-finite value.
    pub fn constant(value: f64) -> Result<Dist, DistError> {
        not_negative("value", value)?;
        Ok(Dist(Kind::Constant { value }))
    }

    /// Evenly from `low` to `high`, with `0 <= low <= high`.
    ///
    /// # Errors
    /// On bounds out of range or out of order.
    pub fn uniform(low: f64, high: f64) -> Result<Dist, DistError> {
        not_negative("low", low)?;
        not_negative("high", high)?;
        require(low <= high, "low", low, "a number not above `high` is needed")?;
        Ok(Dist(Kind::Uniform { low, high }))
    }

    /// Exponential with a mean above 0: the gaps of a Poisson process.
    ///
    /// # Errors
    /// On a mean out of range.
    pub fn exponential(mean: f64) -> Result<Dist, DistError> {
        positive("mean", mean)?;
        Ok(Dist(Kind::Exponential { mean }))
    }

    /// Normal; `sd` is at least 0. Samples may be negative.
    ///
    /// # Errors
    /// On parameters out of range.
    pub fn normal(mean: f64, sd: f64) -> Result<Dist, DistError> {
        finite("mean", mean)?;
        not_negative("sd", sd)?;
        Ok(Dist(Kind::Normal { mean, sd }))
    }

    /// Lognormal: `exp` of a normal with mean `mu` and standard deviation `sigma`, at least 0.
    ///
    /// # Errors
    /// On parameters out of range.
    pub fn lognormal(mu: f64, sigma: f64) -> Result<Dist, DistError> {
        finite("mu", mu)?;
        not_negative("sigma", sigma)?;
        Ok(Dist(Kind::LogNormal { mu, sigma }))
    }

    /// The lognormal with this median and 99th percentile, `0 < p50 <= p99`.
    ///
    /// # Errors
    /// On percentiles out of range or out of order.
    pub fn lognormal_from_percentiles(p50: f64, p99: f64) -> Result<Dist, DistError> {
        positive("p50", p50)?;
        positive("p99", p99)?;
        require(p50 <= p99, "p50", p50, "a number not above `p99` is needed")?;
        let mu = math::ln(p50);
        Dist::lognormal(mu, (math::ln(p99) - mu) / Z99)
    }

    /// Erlang: the sum of `k` exponentials, at least one, with this mean in total.
    ///
    /// # Errors
    /// On parameters out of range.
    pub fn erlang(k: u32, mean: f64) -> Result<Dist, DistError> {
        positive("k", f64::from(k))?;
        positive("mean", mean)?;
        if k > ERLANG_PRODUCT_MAX {
            return Dist::gamma(f64::from(k), mean / f64::from(k));
        }
        Ok(Dist(Kind::Erlang { k, mean }))
    }

    /// Gamma with mean `shape * scale`; both above 0.
    ///
    /// # Errors
    /// On parameters out of range.
    pub fn gamma(shape: f64, scale: f64) -> Result<Dist, DistError> {
        positive("shape", shape)?;
        positive("scale", scale)?;
        Ok(Dist(Kind::Gamma { shape, scale }))
    }

    /// Pareto (type I): at least `scale`, with a tail that falls as `x^-shape`; both above 0. The
    /// mean is infinite up to a shape of 1.
    ///
    /// # Errors
    /// On parameters out of range.
    pub fn pareto(scale: f64, shape: f64) -> Result<Dist, DistError> {
        positive("scale", scale)?;
        positive("shape", shape)?;
        Ok(Dist(Kind::Pareto { scale, shape }))
    }

    /// Weibull: an exponential of mean 1 to the power `1 / shape`, times `scale`; both above 0.
    ///
    /// # Errors
    /// On parameters out of range.
    pub fn weibull(scale: f64, shape: f64) -> Result<Dist, DistError> {
        positive("scale", scale)?;
        positive("shape", shape)?;
        Ok(Dist(Kind::Weibull { scale, shape }))
    }

    /// Zipf: rank `r` of `1..=n` with probability proportional to `r^-s`. `n` is at most 2^20,
    /// `s` at least 0; 0 is uniform.
    ///
    /// # Errors
    /// On parameters out of range.
    pub fn zipf(n: u64, s: f64) -> Result<Dist, DistError> {
        let in_range = (1..=ZIPF_N_MAX).contains(&n);
        require(in_range, "n", n as f64, "a number from 1 to 1048576 is needed")?;
        not_negative("s", s)?;
        let mut sum = 0.0;
        let mut cumulative: Vec<f64> = (1..=n)
            .map(|rank| {
                sum += math::pow(rank as f64, -s);
                sum
            })
            .collect();
        cumulative.iter_mut().for_each(|weight| *weight /= sum);
        Ok(Dist(Kind::Zipf { cumulative: cumulative.into() }))
    }

    /// Each of the values, none negative, equally likely.
    ///
    /// # Errors
    /// When a value is missing or out of range.
    pub fn empirical(mut values: Vec<f64>) -> Result<Dist, DistError> {
        require(!values.is_empty(), "number of values", 0.0, "at least one is needed")?;
        values.iter().try_for_each(|&value| not_negative("value", value))?;
        values.sort_by(f64::total_cmp);
        Ok(Dist(Kind::Empirical { sorted: values.into() }))
    }

    /// Each of the values, none negative, with a weight: a histogram. Weights of 0 are left out.
    ///
    /// # Errors
    /// When a value is out of range, or the weights are all 0 or pass 2^64 in sum.
    pub fn weighted(mut values: Vec<(f64, u64)>) -> Result<Dist, DistError> {
        values.retain(|(_, weight)| *weight > 0);
        require(!values.is_empty(), "sum of weights", 0.0, "a sum above 0 is needed")?;
        values.iter().try_for_each(|&(value, _)| not_negative("value", value))?;
        values.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        let mut sum = 0u64;
        for (_, weight) in &mut values {
            let next = sum.checked_add(*weight);
            sum = next.ok_or(DistError {
                name: "sum of weights",
                found: f64::INFINITY,
                allowed: "a sum below 2^64 is needed",
            })?;
            *weight = sum;
        }
        Ok(Dist(Kind::Weighted { cumulative: values.into() }))
    }

    /// One of several distributions, each with the probability `weight / sum of weights`.
    ///
    /// # Errors
    /// When a weight is negative or not finite, or their sum is not above 0.
    pub fn mixture(parts: Vec<(f64, Dist)>) -> Result<Dist, DistError> {
        parts.iter().try_for_each(|(weight, _)| not_negative("weight", *weight))?;
        let total = parts.iter().fold(0.0, |sum, (weight, _)| sum + weight);
        positive("sum of weights", total)?;
        let mut flat: Vec<(f64, Kind)> = Vec::new();
        for (weight, Dist(kind)) in parts.into_iter().filter(|(weight, _)| *weight > 0.0) {
            let share = weight / total;
            match kind {
                Kind::Mixture { parts } => {
                    let before = std::iter::once(0.0).chain(parts.iter().map(|(sum, _)| *sum));
                    let inner = parts.iter().zip(before);
                    flat.extend(
                        inner.map(|((sum, kind), before)| (share * (sum - before), kind.clone())),
                    );
                }
                kind => flat.push((share, kind)),
            }
        }
        flat.sort_by(|(_, a), (_, b)| a.mean().total_cmp(&b.mean()));
        let mut sum = 0.0;
        for (weight, _) in &mut flat {
            sum += *weight;
            *weight = sum;
        }
        // The sum of the shares is one but for rounding.
        flat.last_mut().expect("the weights have a sum").0 = 1.0;
        Ok(Dist(Kind::Mixture { parts: flat.into() }))
    }

    /// Draws one sample, always finite: what would overflow is `f64::MAX`.
    #[inline]
    pub fn sample(&self, draw: &mut impl Draw) -> f64 {
        match &self.0 {
            Kind::Mixture { parts } => {
                let (kind, word) = chosen(parts, draw.next_u64());
                kind.sample(&mut After { first: Some(word), rest: draw })
            }
            kind => kind.sample(draw),
        }
    }

    /// The mean, which for a Pareto is infinite up to a shape of 1.
    pub fn mean(&self) -> f64 {
        self.0.mean()
    }

    /// What a sample does not exceed with a probability in `[0, 1)`. Known of the continuous
    /// families that are sampled by inversion, and of a constant; `None` of the others.
    ///
    /// ```
    /// # use sim_core::Dist;
    /// let dist = Dist::uniform(1.0, 3.0)?;
    /// assert_eq!(dist.quantile(0.5), Some(2.0));
    /// # Ok::<(), sim_core::DistError>(())
    /// ```
    pub fn quantile(&self, probability: f64) -> Option<f64> {
        match self.0 {
            Kind::Constant { .. }
            | Kind::Uniform { .. }
            | Kind::Exponential { .. }
            | Kind::Normal { .. }
            | Kind::LogNormal { .. }
            | Kind::Pareto { .. }
            | Kind::Weibull { .. } => Some(self.0.sample(&mut At(probability))),
            Kind::Erlang { .. }
            | Kind::Gamma { .. }
            | Kind::Zipf { .. }
            | Kind::Empirical { .. }
            | Kind::Weighted { .. }
            | Kind::Mixture { .. } => None,
        }
    }
}

/// The part of a mixture that a word falls on, and a word for it: where within its share it fell.
fn chosen(parts: &[(f64, Kind)], word: u64) -> (&Kind, u64) {
    const WORDS: f64 = (1u128 << 64) as f64;
    let at = word as f64 / WORDS;
    let n = parts.partition_point(|(sum, _)| *sum <= at).min(parts.len() - 1);
    let before = if n == 0 { 0.0 } else { parts[n - 1].0 };
    // In whole numbers, so that no part gets a word of one.
    let (low, high) = ((before * WORDS) as u128, (parts[n].0 * WORDS) as u128);
    let high = high.max(low + 1);
    let within = u128::from(word).clamp(low, high - 1) - low;
    (&parts[n].1, u64::try_from((within << 64) / (high - low)).unwrap_or(u64::MAX))
}

/// The word at a place in `[0, 1)` of all words.
struct At(f64);

impl Draw for At {
    #[inline]
    fn next_u64(&mut self) -> u64 {
        (self.0 * (1u128 << 64) as f64) as u64
    }
}

/// A word that is there already, and then those of another source.
struct After<'a, D> {
    first: Option<u64>,
    rest: &'a mut D,
}

impl<D: Draw> Draw for After<'_, D> {
    #[inline]
    fn next_u64(&mut self) -> u64 {
        self.first.take().unwrap_or_else(|| self.rest.next_u64())
    }
}

impl Kind {
    #[inline]
    fn sample(&self, draw: &mut impl Draw) -> f64 {
        let sample = match self {
            Kind::Constant { value } => *value,
            Kind::Uniform { low, high } => low + (high - low) * draw.unit(),
            Kind::Exponential { mean } => mean * exponential(draw),
            Kind::Normal { mean, sd } => mean + sd * normal(draw),
            Kind::LogNormal { mu, sigma } => math::exp(mu + sigma * normal(draw)),
            Kind::Erlang { k, mean } => {
                let product: f64 = (0..*k).map(|_| 1.0 - draw.unit()).product();
                -math::ln(product) * (mean / f64::from(*k))
            }
            Kind::Gamma { shape, scale } => scale * gamma(*shape, draw),
            Kind::Pareto { scale, shape } => scale * math::exp(exponential(draw) / shape),
            Kind::Weibull { scale, shape } => scale * math::pow(exponential(draw), 1.0 / shape),
            Kind::Zipf { cumulative } => {
                let u = draw.unit();
                let rank = cumulative.partition_point(|&weight| weight <= u);
                rank as f64 + 1.0
            }
            Kind::Empirical { sorted } => {
                let index = (u128::from(draw.next_u64()) * sorted.len() as u128) >> 64;
                sorted[index as usize]
            }
            Kind::Weighted { cumulative } => {
                let total = cumulative.last().map_or(0, |(_, sum)| *sum);
                let index = ((u128::from(draw.next_u64()) * u128::from(total)) >> 64) as u64;
                cumulative[cumulative.partition_point(|(_, sum)| *sum <= index)].0
            }
            Kind::Mixture { .. } => unreachable!("a mixture has no mixture in it"),
        };
        sample.clamp(-f64::MAX, f64::MAX)
    }

    fn mean(&self) -> f64 {
        match self {
            Kind::Constant { value } => *value,
            Kind::Uniform { low, high } => low + (high - low) / 2.0,
            Kind::Exponential { mean } | Kind::Normal { mean, .. } | Kind::Erlang { mean, .. } => {
                *mean
            }
            Kind::LogNormal { mu, sigma } => math::exp(mu + sigma * sigma / 2.0),
            Kind::Gamma { shape, scale } => shape * scale,
            Kind::Pareto { shape, .. } if *shape <= 1.0 => f64::INFINITY,
            Kind::Pareto { scale, shape } => scale * shape / (shape - 1.0),
            Kind::Weibull { scale, shape } => scale * math::gamma(1.0 + 1.0 / shape),
            // The sum of the tail probabilities, P(rank > 0) + P(rank > 1) + ...
            Kind::Zipf { cumulative } => 1.0 + cumulative.iter().map(|c| 1.0 - c).sum::<f64>(),
            Kind::Empirical { sorted } => sorted.iter().sum::<f64>() / sorted.len() as f64,
            Kind::Weighted { cumulative } => {
                let total = cumulative.last().map_or(0, |(_, sum)| *sum) as f64;
                let mut before = 0;
                let parts = cumulative.iter().map(|(value, sum)| {
                    let weight = sum - std::mem::replace(&mut before, *sum);
                    value * (weight as f64 / total)
                });
                parts.sum()
            }
            Kind::Mixture { parts } => {
                let mut before = 0.0;
                let parts = parts.iter().map(|(sum, kind)| {
                    let share = sum - std::mem::replace(&mut before, *sum);
                    share * kind.mean()
                });
                parts.sum()
            }
        }
    }
}

/// The standard exponential by inversion. `1 - unit()` is exact and never 0.
#[inline]
fn exponential(draw: &mut impl Draw) -> f64 {
    -math::ln(1.0 - draw.unit())
}

/// The standard normal by inversion.
#[inline]
fn normal(draw: &mut impl Draw) -> f64 {
    quantile::normal(draw.unit_open())
}

/// The gamma distribution of scale 1 (Marsaglia and Tsang, TOMS 2000). A shape below 1 is lifted
/// by one and brought back by a power of a uniform.
fn gamma(shape: f64, draw: &mut impl Draw) -> f64 {
    if shape < 1.0 {
        let lifted = gamma(shape + 1.0, draw);
        return lifted * math::pow(draw.unit_open(), 1.0 / shape);
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = normal(draw);
        let t = 1.0 + c * x;
        let u = draw.unit_open();
        if t <= 0.0 {
            continue;
        }
        let v = t * t * t;
        if math::ln(u) < 0.5 * x * x + d * (1.0 - v + math::ln(v)) {
            return d * v;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::{Purpose, Stream, Streams};

    fn draws() -> Stream {
        Streams::new(2024).open(Purpose(1), 1)
    }

    /// One of each, with the variance that theory gives it.
    fn all() -> Vec<(Result<Dist, DistError>, f64)> {
        let weibull = 4.0 * (math::gamma(2.0) - math::gamma(1.5) * math::gamma(1.5));
        vec![
            (Dist::constant(3.0), 0.0),
            (Dist::uniform(1.0, 4.0), 9.0 / 12.0),
            (Dist::exponential(2.0), 4.0),
            (Dist::normal(-1.0, 3.0), 9.0),
            (Dist::lognormal(0.5, 0.5), math::exp_m1(0.25) * math::exp(1.25)),
            (Dist::erlang(3, 6.0), 12.0),
            (Dist::erlang(40, 4.0), 0.4),
            (Dist::gamma(0.5, 2.0), 2.0),
            (Dist::gamma(4.5, 2.0), 18.0),
            (Dist::pareto(1.0, 6.0), 6.0 / 100.0),
            (Dist::weibull(2.0, 2.0), weibull),
            (Dist::zipf(3, 1.0), 72.0 / 121.0),
            (Dist::empirical(vec![5.0, 1.0, 3.0]), 8.0 / 3.0),
            (Dist::weighted(vec![(4.0, 1), (9.0, 0), (0.0, 3)]), 3.0),
            (two_modes(), 17.831_875),
        ]
    }

    /// Nine in ten between 0.5 and 1 or thereabouts, one in ten about 10.
    fn two_modes() -> Result<Dist, DistError> {
        let quick = vec![(1.0, Dist::uniform(0.0, 1.0)?), (1.0, Dist::uniform(0.5, 1.5)?)];
        Dist::mixture(vec![(0.2, Dist::exponential(10.0)?), (1.8, Dist::mixture(quick)?)])
    }

    #[test]
    fn a_mixture_has_its_parts_as_often_as_their_weights_say() {
        let of = |value, weight| (weight, Dist::constant(value).unwrap());
        let dist = Dist::mixture(vec![of(9.0, 1.0), of(1.0, 2.0), of(5.0, 0.0), of(4.0, 1.0)]);
        let (dist, mut draws, mut counts) = (dist.unwrap(), draws(), [0u32; 10]);
        assert_eq!(dist.mean(), 3.75);
        (0..100_000).for_each(|_| counts[dist.sample(&mut draws) as usize] += 1);
        for (value, expected) in [(1, 50_000), (4, 25_000), (5, 0), (9, 25_000)] {
            assert!(counts[value].abs_diff(expected) < 700, "{counts:?}");
        }
        let sample = |word| dist.sample(&mut One(Some(word)));
        assert_eq!((sample(0), sample(u64::MAX)), (1.0, 9.0), "it rises with the draw");
        // A part takes as many words as it needs, also a part that is hardly ever chosen.
        let rare = vec![(1e-18, Dist::gamma(0.5, 1.0).unwrap()), of(9.0, 1.0)];
        let rare = Dist::mixture(rare).unwrap();
        let sample = |word| rare.sample(&mut After { first: Some(word), rest: &mut draws.clone() });
        assert!(sample(3) < 9.0 && sample(u64::MAX) == 9.0);
    }

    #[test]
    fn samples_are_pinned() {
        let mut draws = draws();
        let samples: Vec<f64> =
            all().into_iter().map(|(dist, _)| dist.unwrap().sample(&mut draws)).collect();
        let pinned = [
            3.0,
            2.547070150703484,
            1.6156341067418774,
            -0.04622447954504505,
            1.7784336753909245,
            4.312230122704711,
            4.063207405193448,
            0.6253724186035792,
            9.790346015340054,
            1.1473246248445323,
            1.3782484330360982,
            1.0,
            5.0,
            4.0,
            0.5953031272769636,
        ];
        assert_eq!(samples, pinned);
    }

    #[test]
    fn moments_are_those_of_theory() {
        const N: usize = 200_000;
        for (dist, variance) in all() {
            let (dist, mut draws) = (dist.unwrap(), draws());
            let samples: Vec<f64> = (0..N).map(|_| dist.sample(&mut draws)).collect();
            let mean = samples.iter().sum::<f64>() / N as f64;
            let found = samples.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / N as f64;
            let tolerance = 4.0 * (variance / N as f64).sqrt() + 1e-12;
            assert!((mean - dist.mean()).abs() < tolerance, "{dist:?}: mean {mean}");
            assert!((found - variance).abs() <= 0.05 * variance, "{dist:?}: variance {found}");
        }
    }

    #[test]
    fn percentiles_of_a_lognormal_are_those_asked_for() {
        let dist = Dist::lognormal_from_percentiles(0.08, 0.6).unwrap();
        let mut draws = draws();
        let mut samples: Vec<f64> = (0..100_001).map(|_| dist.sample(&mut draws)).collect();
        samples.sort_by(f64::total_cmp);
        assert!((samples[50_000] / 0.08 - 1.0).abs() < 0.02);
        assert!((samples[99_000] / 0.6 - 1.0).abs() < 0.05);
    }

    #[test]
    fn ranks_of_zipf_have_their_probabilities() {
        let dist = Dist::zipf(4, 1.0).unwrap();
        let (mut draws, mut counts) = (draws(), [0u32; 5]);
        (0..100_000).for_each(|_| counts[dist.sample(&mut draws) as usize] += 1);
        // 1, 1/2, 1/3 and 1/4 of 12/25.
        for (count, expected) in counts.into_iter().zip([0, 48_000, 24_000, 16_000, 12_000]) {
            assert!(count.abs_diff(expected) < 700, "{counts:?}");
        }
    }

    /// A single word, and no more.
    struct One(Option<u64>);

    impl Draw for One {
        fn next_u64(&mut self) -> u64 {
            self.0.take().expect("one word is enough")
        }
    }

    #[test]
    fn inverted_samples_take_one_word_and_rise_with_it() {
        for (dist, _) in all() {
            let dist = dist.unwrap();
            // The parts of this mixture overlap.
            if matches!(dist.0, Kind::Erlang { .. } | Kind::Gamma { .. } | Kind::Mixture { .. }) {
                continue;
            }
            let words = (0..=1000).map(|n| (u64::MAX / 1000) * n);
            let samples: Vec<f64> = words.map(|word| dist.sample(&mut One(Some(word)))).collect();
            assert!(samples.is_sorted(), "{dist:?}");
        }
    }

    #[test]
    fn as_many_samples_lie_below_a_quantile_as_it_says() {
        for (dist, _) in all() {
            let (dist, mut draws) = (dist.unwrap(), draws());
            let Some(bound) = dist.quantile(0.9) else { continue };
            let below = (0..10_000).filter(|_| dist.sample(&mut draws) <= bound).count();
            let constant = matches!(dist.0, Kind::Constant { .. });
            assert!(constant || (8_800..9_200).contains(&below), "{dist:?}: {below}");
        }
    }

    #[test]
    fn extreme_parameters_still_give_finite_samples() {
        for dist in [
            Dist::pareto(1.0, 1e-3),
            Dist::weibull(1.0, 1e-300),
            Dist::lognormal(1e300, 1e300),
            Dist::gamma(1e-300, f64::MAX),
            Dist::gamma(1e300, 1e300),
            Dist::erlang(16, f64::MAX),
            Dist::normal(f64::MAX, f64::MAX),
        ] {
            let (dist, mut draws) = (dist.unwrap(), draws());
            assert!((0..1000).all(|_| dist.sample(&mut draws).is_finite()), "{dist:?}");
        }
    }

    #[test]
    fn bad_parameters_are_refused_and_named() {
        for (dist, message) in [
            (Dist::constant(-1.0), "value = -1; a finite number of at least 0 is needed"),
            (Dist::uniform(2.0, 1.0), "low = 2; a number not above `high` is needed"),
            (Dist::exponential(0.0), "mean = 0; a finite number above 0 is needed"),
            (Dist::normal(f64::NAN, 1.0), "mean = NaN; a finite number is needed"),
            (Dist::lognormal(0.0, -1.0), "sigma = -1; a finite number of at least 0 is needed"),
            (Dist::erlang(0, 1.0), "k = 0; a finite number above 0 is needed"),
            (Dist::gamma(1.0, f64::INFINITY), "scale = inf; a finite number above 0 is needed"),
            (Dist::pareto(1.0, 0.0), "shape = 0; a finite number above 0 is needed"),
            (Dist::weibull(-1.0, 1.0), "scale = -1; a finite number above 0 is needed"),
            (Dist::zipf(0, 1.0), "n = 0; a number from 1 to 1048576 is needed"),
            (Dist::empirical(vec![]), "number of values = 0; at least one is needed"),
            (Dist::weighted(vec![(1.0, 0)]), "sum of weights = 0; a sum above 0 is needed"),
            (Dist::mixture(vec![]), "sum of weights = 0; a finite number above 0 is needed"),
            (
                Dist::mixture(vec![(-1.0, Dist::constant(1.0).unwrap())]),
                "weight = -1; a finite number of at least 0 is needed",
            ),
        ] {
            assert_eq!(dist.map_err(|error| error.to_string()), Err(message.to_owned()));
        }
    }
}
