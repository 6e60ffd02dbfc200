//! Figures: what is measured of a run, and how it is called everywhere.
//!
//! One grammar serves promises (`Threshold`), `--metric` of `sim check` and `sim map`, tables and
//! JSON:
//!
//! ```text
//! figure   = name [ "(" of [ ", failed" ] ")" ] [ "in" from ".." until ]
//! promise  = figure ( "<" | "<=" | ">" | ">=" ) value
//!
//! goodput                      p99(shoppers)                 p99.9(api.pay, failed)
//! amplification(api->psp)      wasted(api) in 30s..60s       p99(shoppers) < 500ms
//! utilisation(api[3])          p99(api[3])                   queue_len_max(api[3])
//! ```
//!
//! The name of an invariant, `ExactlyOnce("charge")`, is short for `broken(ExactlyOnce("charge"))`.
//!
//! **Invariant:** a figure is a name. What it is in a run stands in the run's outcome.

mod counter;
mod kind;
mod promise;
mod quantile;

pub use counter::Counter;
pub use kind::{Better, Kind, Unit};
pub use promise::{Promise, Relation};
pub use quantile::Quantile;

use std::fmt;
use std::str::FromStr;

use sim_core::Span;

/// A part of the run: what arises, arrives or begins from its beginning on and before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stretch {
    /// Its beginning.
    pub from: Span,
    /// Its end, itself excluded.
    pub until: Span,
}

/// A figure that a run has once.
///
/// ```
/// use sim_models::figure::{Figure, Kind};
///
/// let figure: Figure = "amplification(api->psp) in 30s..60s".parse().unwrap();
/// assert_eq!(figure.kind, Kind::Amplification);
/// assert_eq!(figure.of.as_deref(), Some("api->psp"));
/// assert_eq!(figure.to_string(), "amplification(api->psp) in 30s..60s");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Figure {
    /// What is measured.
    pub kind: Kind,
    /// Of which actor, instance, endpoint, hop, effect, breaker or invariant; `None` for the system
    /// as a whole. Latencies are of successes; `shoppers, failed` are the others.
    pub of: Option<String>,
    /// In which part of the run; `None` from the warm-up to the horizon.
    pub during: Option<Stretch>,
}

impl Figure {
    /// A figure of the system as a whole.
    pub fn of_all(kind: Kind) -> Figure {
        Figure { kind, of: None, during: None }
    }

    /// A figure of one part of the system.
    pub fn of(kind: Kind, of: impl Into<String>) -> Figure {
        Figure { kind, of: Some(of.into()), during: None }
    }

    /// In what it is measured.
    pub fn unit(&self) -> Unit {
        self.kind.unit()
    }

    /// Which way it should go.
    pub fn better(&self) -> Better {
        self.kind.better()
    }
}

impl fmt::Display for Stretch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.from, self.until)
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)?;
        self.of.iter().try_for_each(|of| write!(f, "({of})"))?;
        self.during.iter().try_for_each(|during| write!(f, " in {during}"))
    }
}

impl FromStr for Figure {
    type Err = String;

    fn from_str(text: &str) -> Result<Figure, String> {
        let text = text.trim();
        // An invariant by its name, which no other figure looks like.
        let head = text.split('(').next().unwrap_or(text).trim();
        let is_kind = || head.to_ascii_lowercase().parse::<Kind>().is_ok();
        if head.starts_with(|c: char| c.is_ascii_uppercase()) && !is_kind() {
            return Ok(Figure::of(Kind::Broken, text));
        }
        // What is in brackets is a name, and may say anything.
        let end = text.rfind(')').map_or(0, |end| end + 1);
        let (head, during) = match text[end..].split_once(" in ") {
            Some((rest, during)) => (text[..end + rest.len()].trim(), Some(stretch(during)?)),
            None => (text, None),
        };
        let (name, of) = match head.split_once('(') {
            None => (head, None),
            Some((name, of)) => match of.strip_suffix(')') {
                Some(of) if !of.trim().is_empty() => (name.trim(), Some(subject(of))),
                _ => return Err(format!("brackets do not match in `{head}`")),
            },
        };
        let kind: Kind = name.parse()?;
        if during.is_some() && !kind.has_stretch() {
            return Err(format!("{kind} is of the whole run; it takes no `in FROM..UNTIL`"));
        }
        Ok(Figure { kind, of, during })
    }
}

/// `shoppers,failed` as it prints.
fn subject(of: &str) -> String {
    match of.trim().rsplit_once(',') {
        Some((name, last)) if last.trim() == "failed" => format!("{}, failed", name.trim()),
        _ => of.trim().to_owned(),
    }
}

fn stretch(text: &str) -> Result<Stretch, String> {
    let fail = || format!("`{}` is no part of a run; write `30s..60s`", text.trim());
    let (from, until) = text.split_once("..").ok_or_else(fail)?;
    let span = |text: &str| text.trim().parse::<Span>().map_err(|_| fail());
    let stretch = Stretch { from: span(from)?, until: span(until)? };
    if stretch.from < stretch.until { Ok(stretch) } else { Err(fail()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_reads_as_it_prints() {
        for text in [
            "goodput",
            "success(shoppers)",
            "p99(shoppers)",
            "p99.9(shoppers, failed)",
            "p50(api.pay) in 30s..60s",
            "latency_max(api->psp)",
            "amplification(api->psp) in 1ms..2s",
            "breaker_openings(api->psp provider)",
            "broken(ExactlyOnce(\"charge\"))",
            "queue_full(api)",
            "p99(api[3], failed)",
        ] {
            let figure: Figure = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(figure.to_string(), text);
        }
        let broken: Figure = " ExactlyOnce(\"charge\") ".parse().unwrap();
        assert_eq!(broken.to_string(), "broken(ExactlyOnce(\"charge\"))");
        let loose: Figure = " p99( shoppers ,failed ) in 1s .. 2s ".parse().unwrap();
        assert_eq!(loose.to_string(), "p99(shoppers, failed) in 1s..2s");
    }

    #[test]
    fn nonsense_is_refused_with_what_to_write() {
        for (text, wanted) in [
            ("godput", "did you mean `goodput`"),
            ("P99(users)", "no figure is called `P99`"),
            ("p100(users)", "below 100"),
            ("p99(users", "brackets"),
            ("p99()", "brackets"),
            ("p99(users) in 5s", "30s..60s"),
            ("p99(users) in 5s..1s", "30s..60s"),
            ("duplicated(charge) in 1s..2s", "whole run"),
        ] {
            let said = text.parse::<Figure>().unwrap_err();
            assert!(said.contains(wanted), "{text}: {said}");
        }
    }
}
