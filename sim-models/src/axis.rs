//! A value of a scenario that a map varies, or a knob turns: `actors.users.load.rate=20/s..60/s/5`.

use std::str::FromStr;

/// The most values of an axis; more cells than that squared would not be looked at one by one.
const VALUES_MAX: usize = 200;

/// A path of the scenario and the values that it takes.
///
/// ```
/// use sim_models::study::Axis;
///
/// let list = r#"policies.p=[Timeout("1s")],[Retry(attempts: 3), Timeout("1s")]"#;
/// let list: Axis = list.parse().unwrap();
/// assert_eq!(list.values.len(), 2);
/// let range: Axis = "actors.users.load.rate=20/s..60/s/5".parse().unwrap();
/// assert_eq!(range.values, ["20/s", "30/s", "40/s", "50/s", "60/s"]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    /// The path, as in `--set`: `actors.users.load.rate`.
    pub path: String,
    /// The values, as they were written.
    pub values: Vec<String>,
}

impl Axis {
    /// An axis that varies nothing.
    pub fn none() -> Axis {
        Axis { path: String::new(), values: vec![String::new()] }
    }

    /// True for one that varies nothing.
    pub fn is_none(&self) -> bool {
        self.path.is_empty()
    }
}

impl FromStr for Axis {
    type Err = String;

    fn from_str(text: &str) -> Result<Axis, String> {
        let (path, list) = match text.split_once('=') {
            Some((path, list)) if !path.trim().is_empty() => (path.trim(), list),
            _ => {
                return Err("write a path, `=` and values, as in `actors.api.workers=2,4,8`".into());
            }
        };
        let values = split(list)?;
        let values = match &values[..] {
            [one] => range(one)?.unwrap_or(values),
            _ => values,
        };
        match values.len() {
            0..=VALUES_MAX => Ok(Axis { path: path.to_owned(), values }),
            n => Err(format!("{n} values are too many; an axis takes {VALUES_MAX}")),
        }
    }
}

/// The values of a list, split at the commas outside of brackets and texts.
fn split(list: &str) -> Result<Vec<String>, String> {
    let (mut depth, mut quoted, mut escaped) = (0_i32, false, false);
    let mut values = vec![String::new()];
    for c in list.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => {
                depth -= 1;
                if depth < 0 {
                    break;
                }
            }
            ',' if depth == 0 => {
                values.push(String::new());
                continue;
            }
            _ => {}
        }
        values.last_mut().expect("one at least").push(c);
    }
    let values: Vec<String> = values.iter().map(|value| value.trim().to_owned()).collect();
    if quoted || depth != 0 {
        let what = if quoted { "a text is not closed" } else { "brackets do not match" };
        return Err(format!("{what} in `{list}`"));
    }
    match values.iter().position(String::is_empty) {
        Some(n) => Err(format!("value {} of `{list}` is empty", n + 1)),
        None => Ok(values),
    }
}

/// The values of `from..to/n`; `None` for what is not a range.
fn range(text: &str) -> Result<Option<Vec<String>>, String> {
    if text.starts_with(['"', '(', '[', '{']) {
        return Ok(None);
    }
    let Some((from, rest)) = text.split_once("..") else { return Ok(None) };
    let fail = |why: &str| {
        format!("`{text}` is no range: {why}; write the ends and how many, as in `20/s..60/s/5`")
    };
    let (to, count) = rest.rsplit_once('/').ok_or_else(|| fail("it does not say how many"))?;
    let count: usize = count.trim().parse().map_err(|_| fail("it does not say how many"))?;
    let ends = [from.trim(), to.trim()].map(quantity);
    let [Some((from, unit)), Some((to, other))] = ends else {
        return Err(fail("its ends are no numbers"));
    };
    if unit != other {
        return Err(fail("its ends have different units"));
    }
    if !(2..=VALUES_MAX).contains(&count) {
        return Err(fail(&format!("it has 2 to {VALUES_MAX} values")));
    }
    let step = |n: usize| {
        let share = n as f64 / (count - 1) as f64;
        let value = from * (1.0 - share) + to * share;
        // Twelve digits hide what binary fractions add: 0.3, not 0.30000000000000004.
        let value: f64 = format!("{value:.11e}").parse().expect("a number just written");
        let is_long = value.abs() >= 1e16;
        if is_long { format!("{value:e}{unit}") } else { format!("{value}{unit}") }
    };
    Ok(Some((0..count).map(step).collect()))
}

/// A number, such as `-0.5` or `2e-3`, and its unit.
fn quantity(text: &str) -> Option<(f64, &str)> {
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let is_number = |c: char| c.is_ascii_digit() || c == '.' || c == '-';
    let mut end = text.find(|c| !is_number(c)).unwrap_or(text.len());
    if let Some(power) = text[end..].strip_prefix(['e', 'E']) {
        let unsigned = power.strip_prefix(['+', '-']).unwrap_or(power);
        let power_end = digits(unsigned);
        if power_end > 0 {
            end = text.len() - unsigned.len() + power_end;
        }
    }
    let number: f64 = text[..end].parse().ok()?;
    number.is_finite().then_some((number, &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<String> {
        text.parse::<Axis>().unwrap().values
    }

    #[test]
    fn commas_within_a_value_do_not_split_it() {
        let text = r#"a.b=Fifo(limit: 3, full: Reject), "x,\",y" ,[1,2],{"k": (1,2)}"#;
        let expected = ["Fifo(limit: 3, full: Reject)", r#""x,\",y""#, "[1,2]", r#"{"k": (1,2)}"#];
        assert_eq!(values(text), expected);
        let path = |text: &str| text.parse::<Axis>().unwrap().path;
        assert_eq!(path("a.b=x=y"), "a.b", "only the first `=` ends the path");
    }

    #[test]
    fn a_range_has_round_values_with_its_unit() {
        assert_eq!(values("w=1..9/3"), ["1", "5", "9"]);
        assert_eq!(values("w=0.1..0.5/5"), ["0.1", "0.2", "0.3", "0.4", "0.5"]);
        assert_eq!(values("t=300ms..100ms/3"), ["300ms", "200ms", "100ms"]);
        assert_eq!(values("r=20/s..60/s/5"), ["20/s", "30/s", "40/s", "50/s", "60/s"]);
        assert_eq!(values("r=1/s..1e3/s/3"), ["1/s", "500.5/s", "1000/s"]);
        assert_eq!(values("r=2e-3..0.004/3"), ["0.002", "0.003", "0.004"]);
        assert_eq!(values("r=-1e308..1E+308/3"), ["-1e308", "0", "1e308"]);
        assert_eq!(values(r#"t="a..b/3""#), [r#""a..b/3""#], "a text is a text");
    }

    #[test]
    fn nonsense_is_refused_with_a_reason() {
        for (text, wanted) in [
            ("a.b", "write a path"),
            ("=3", "write a path"),
            ("a=", "value 1"),
            ("a=1,,2", "value 2"),
            ("a=1,2,", "value 3"),
            ("a=(1,2", "brackets"),
            ("a=1),(2", "brackets"),
            ("a=\"x,y", "not closed"),
            ("a=1..5", "how many"),
            ("a=1..5/x", "how many"),
            ("a=1..5/1", "2 to 200"),
            ("a=1s..5ms/3", "units"),
            ("a=x..y/3", "numbers"),
            ("a=1..2/201", "2 to 200"),
        ] {
            let told = text.parse::<Axis>().unwrap_err();
            assert!(told.contains(wanted), "{text}: {told}");
        }
    }
}
