//! Rates as people write them: `"50/s"`, `"1.5/ms"`, `"90/m"`.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sim_core::Span;

/// A number of events per length of time, above zero and finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    per_second: f64,
}

impl Rate {
    /// Events per second.
    pub fn per_second(self) -> f64 {
        self.per_second
    }
}

/// A number of events per length of time, finite; it may be zero.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Level {
    per_second: f64,
}

impl Level {
    /// Events per second.
    pub fn per_second(self) -> f64 {
        self.per_second
    }
}

/// Events per second, at least zero and at most one per tick of the clock.
fn per_second(text: &str, fail: impl Fn() -> String) -> Result<f64, String> {
    let (number, unit) = text.split_once('/').ok_or_else(&fail)?;
    let number: f64 = number.trim().parse().map_err(|_| fail())?;
    let unit: Span = format!("1{}", unit.trim()).parse().map_err(|_| fail())?;
    let per_second = number / unit.as_secs_f64();
    if !(per_second.is_finite() && per_second >= 0.0) {
        return Err(fail());
    }
    if per_second > 1e9 {
        return Err(format!("`{text}` is more than one event per nanosecond, the clock's tick"));
    }
    Ok(per_second)
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Rate, String> {
        let fail = || {
            format!("`{text}` is not a rate; write a number above zero per unit, as in \"50/s\"")
        };
        let per_second = per_second(text, fail)?;
        if per_second > 0.0 { Ok(Rate { per_second }) } else { Err(fail()) }
    }
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Level, String> {
        let fail = || format!("`{text}` is not a rate; write a number per unit, as in \"50/s\"");
        Ok(Level { per_second: per_second(text, fail)? })
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Rate, D::Error> {
        // Anything, so that a bare number is told what a rate looks like.
        deserializer.deserialize_any(Text(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Level {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Level, D::Error> {
        deserializer.deserialize_any(Text(PhantomData))
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}/s", self.per_second))
    }
}

impl Serialize for Level {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}/s", self.per_second))
    }
}

impl JsonSchema for Rate {
    fn schema_name() -> Cow<'static, str> {
        "Rate".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "How often something happens, above zero: `\"50/s\"`, `\"90/m\"`.",
        })
    }
}

impl JsonSchema for Level {
    fn schema_name() -> Cow<'static, str> {
        "Level".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "How often something happens, zero included: `\"50/s\"`, `\"0/s\"`.",
        })
    }
}

struct Text<T>(PhantomData<T>);

impl<T: FromStr<Err = String>> de::Visitor<'_> for Text<T> {
    type Value = T;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a rate such as \"50/s\"")
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_read_as_people_write_them() {
        for (text, per_second) in [("50/s", 50.0), ("90/m", 1.5), ("1.5/ms", 1500.0)] {
            assert_eq!(text.parse::<Rate>().map(Rate::per_second), Ok(per_second));
        }
        for text in ["", "50", "0/s", "-1/s", "NaN/s", "inf/s", "5/x", "1e300/ns"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
            assert_eq!(text.parse::<Level>().is_ok(), text == "0/s", "{text}");
        }
    }
}
