//! Checked distributions of lengths of time, in seconds.

use sim_core::{Dist, DistError, Span};

use super::builder::Builder;
use super::files::length;
use super::place::Here;
use crate::language;
use crate::plan::DistId;

impl Builder<'_> {
    /// A checked distribution, in seconds.
    pub(super) fn dist(&mut self, dist: &language::Dist, here: &Here) -> DistId {
        let dist = self
            .checked(dist, here)
            .unwrap_or_else(|| Dist::constant(0.0).expect("zero is a length"));
        self.plan.dists.push(dist);
        DistId::nth(self.plan.dists.len() - 1)
    }

    pub(super) fn checked(&mut self, dist: &language::Dist, here: &Here) -> Option<Dist> {
        let secs = |span: &Span| span.as_secs_f64();
        // Two bounds out of order are told as they were written, not in seconds.
        let ends = match dist {
            language::Dist::LogNormal { p50, p99 } => Some(("p50", *p50, "p99", *p99)),
            language::Dist::Uniform { low, high } => Some(("low", *low, "high", *high)),
            _ => None,
        };
        if let Some((low, from, high, to)) = ends
            && from > to
        {
            self.require(false, &here.field(low), from, &format!("at most `{high}`, {to}"));
            return None;
        }
        let made: Result<Dist, DistError> = match dist {
            language::Dist::Const(span) => Dist::constant(secs(span)),
            language::Dist::Uniform { low, high } => Dist::uniform(secs(low), secs(high)),
            language::Dist::Exponential(mean) => Dist::exponential(secs(mean)),
            language::Dist::Normal { mean, sd } => Dist::normal(secs(mean), secs(sd)),
            language::Dist::LogNormal { p50, p99 } => {
                Dist::lognormal_from_percentiles(secs(p50), secs(p99))
            }
            language::Dist::Erlang { k, mean } => Dist::erlang(*k, secs(mean)),
            language::Dist::Gamma { shape, mean } => Dist::gamma(*shape, secs(mean) / shape),
            language::Dist::Pareto { min, shape } => Dist::pareto(secs(min), *shape),
            language::Dist::Weibull { scale, shape } => Dist::weibull(secs(scale), *shape),
            language::Dist::Empirical { values, file, hdr, unit } => {
                let unit = unit.as_ref();
                match (values, file, hdr) {
                    (Some(values), None, None) if unit.is_none() => {
                        Dist::empirical(values.iter().map(secs).collect())
                    }
                    (None, Some(file), None) => {
                        let unit = *unit.unwrap_or(&Span::secs(1));
                        let rows = self
                            .rows(file, &here.field("file"), |columns| length(columns[0], unit))?;
                        Dist::empirical(rows.iter().map(secs).collect())
                    }
                    (None, None, Some(log)) => Dist::weighted(self.measured(log, unit, here)?),
                    _ => {
                        let help = "give a list of lengths, `file`, or `hdr` and its `unit`";
                        let message = "Empirical takes one source of lengths";
                        self.problem(here, message, Some(help.to_owned()));
                        return None;
                    }
                }
            }
            language::Dist::Mixture(parts) => {
                let mut checked = Vec::new();
                for (n, (weight, dist)) in parts.iter().enumerate() {
                    checked.push((*weight, self.checked(dist, &here.at(n).at(1))));
                }
                let parts = checked.into_iter().map(|(weight, dist)| Some((weight, dist?)));
                Dist::mixture(parts.collect::<Option<_>>()?)
            }
        };
        made.map_err(|error| self.problem(here, error.to_string(), None)).ok()
    }

    fn measured(&mut self, log: &str, unit: Option<&Span>, here: &Here) -> Option<Vec<(f64, u64)>> {
        let Some(unit) = unit else {
            let help = "say what a value of the log is a multiple of: unit: \"1us\"".to_owned();
            self.problem(here, "`hdr` without `unit`", Some(help));
            return None;
        };
        self.hdr(log, *unit, &here.field("hdr"))
    }
}
