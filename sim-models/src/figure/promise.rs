//! A promise on a figure: `p99(shoppers) < 500ms`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sim_core::Span;

use super::{Figure, Unit};

/// How a figure is to lie to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `>=`
    AtLeast,
}

/// What a figure is to be.
///
/// ```
/// use sim_models::figure::Promise;
///
/// let promise: Promise = "p99(shoppers) < 500ms".parse().unwrap();
/// assert!(promise.is_kept_by(499.0) && !promise.is_kept_by(500.0));
/// assert_eq!(promise.to_string(), "p99(shoppers) < 500ms");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Promise {
    /// Of what.
    pub figure: Figure,
    /// How it lies to the value.
    pub relation: Relation,
    /// The value, in the figure's unit.
    pub value: f64,
    /// The value as it was written.
    written: String,
}

impl Promise {
    /// The value as it was written: `500ms`.
    pub fn written(&self) -> &str {
        &self.written
    }

    /// Whether a value of the figure keeps it.
    pub fn is_kept_by(&self, value: f64) -> bool {
        match self.relation {
            Relation::Below => value < self.value,
            Relation::AtMost => value <= self.value,
            Relation::Above => value > self.value,
            Relation::AtLeast => value >= self.value,
        }
    }
}

impl Relation {
    const ALL: [Relation; 4] =
        [Relation::AtMost, Relation::AtLeast, Relation::Below, Relation::Above];

    /// Whether the figure is to stay below the value.
    pub fn is_upper(self) -> bool {
        matches!(self, Relation::Below | Relation::AtMost)
    }

    /// As it is written: `<`.
    pub fn sign(self) -> &'static str {
        match self {
            Relation::Below => "<",
            Relation::AtMost => "<=",
            Relation::Above => ">",
            Relation::AtLeast => ">=",
        }
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.figure, self.relation.sign(), self.written)
    }
}

impl FromStr for Promise {
    type Err = String;

    fn from_str(text: &str) -> Result<Promise, String> {
        // The sign is the last one: `api->psp` has one as well.
        let found = Relation::ALL.into_iter().filter_map(|relation| {
            let at = text.rfind(relation.sign())?;
            Some((at, relation))
        });
        let is_arrow = |at: usize| text[..at].ends_with('-');
        let found = found.filter(|(at, _)| !is_arrow(*at));
        // Of `<` and `<=` at one place the longer one is meant, which comes first.
        let best = found.reduce(|a, b| if b.0 > a.0 { b } else { a });
        let Some((at, relation)) = best else {
            return Err(format!(
                "`{text}` promises nothing; write a figure, a sign and a value, as in \
                 `p99(shoppers) < 500ms`"
            ));
        };
        let figure: Figure = text[..at].parse()?;
        let written = text[at + relation.sign().len()..].trim();
        let value = value(written, figure.unit())?;
        Ok(Promise { figure, relation, value, written: written.to_owned() })
    }
}

impl<'de> Deserialize<'de> for Promise {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Promise, D::Error> {
        let text = <Cow<'_, str>>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl Serialize for Promise {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Promise {
    fn schema_name() -> Cow<'static, str> {
        "Promise".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A figure, a sign and a value: `\"p99(shoppers) < 500ms\"`.",
        })
    }
}

/// A value as it is written in a unit.
fn value(text: &str, unit: Unit) -> Result<f64, String> {
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|x| x.is_finite());
    let (found, example) = match unit {
        Unit::Millis => (text.parse::<Span>().ok().map(Span::as_millis_f64), "500ms"),
        Unit::Share => {
            let share = match text.strip_suffix('%') {
                Some(percent) => number(percent).map(|percent| percent / 100.0),
                None => number(text),
            };
            (share.filter(|share| (0.0..=1.0).contains(share)), "99% or 0.99")
        }
        Unit::PerSecond => (number(text.strip_suffix("/s").unwrap_or(text)), "20/s"),
        Unit::Ratio => (number(text), "1.5"),
        Unit::Count => (number(text), "20"),
    };
    found.ok_or_else(|| format!("`{text}` is not what this figure is measured in; write {example}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_in_the_figures_unit() {
        for (text, value) in [
            ("p99(users) < 1.5s", 1500.0),
            ("success >= 99%", 0.99),
            ("success(users) > 0.5", 0.5),
            ("goodput > 20/s", 20.0),
            ("amplification(api->psp) <= 1.2", 1.2),
            ("breaker_openings <= 0", 0.0),
            ("wasted(api) in 10s..20s < 5%", 0.05),
        ] {
            let promise: Promise = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((promise.value, promise.to_string()), (value, text.to_owned()));
        }
        for (text, wanted) in [
            ("p99(users)", "promises nothing"),
            ("amplification(api->psp)", "promises nothing"),
            ("p99(users) < 500", "500ms"),
            ("success > 99", "99%"),
            ("nonsense < 1", "figure"),
        ] {
            let said = text.parse::<Promise>().unwrap_err();
            assert!(said.contains(wanted), "{text}: {said}");
        }
    }
}
