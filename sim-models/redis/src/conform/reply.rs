//! Replies as they stand in a trace, and how far two of them agree.

use serde_json::{Value, json};

use crate::reply::Reply;
use crate::value::Texts;

/// A reply in the words of a trace.
pub(super) fn to_json(reply: &Reply, texts: &Texts) -> Value {
    match reply {
        Reply::Nil => Value::Null,
        Reply::NilArray => json!({"nilarr": true}),
        Reply::Ok => json!({"status": "OK"}),
        Reply::Status(word) => json!({"status": word}),
        Reply::Int(n) => json!(n),
        Reply::Value(value) => Value::String(texts.show(*value)),
        Reply::Array(items) => items.iter().map(|item| to_json(item, texts)).collect(),
        Reply::Error(error) => json!({"err": error.to_string()}),
    }
}

/// Whether a recorded reply is one.
///
/// # Errors
/// What was found instead.
pub(super) fn check(reply: &Value) -> Result<(), String> {
    let is_reply = match reply {
        Value::Null | Value::String(_) => true,
        Value::Number(n) => n.is_i64(),
        Value::Array(items) => return items.iter().try_for_each(check),
        Value::Object(fields) => {
            let only = fields.iter().next().filter(|_| fields.len() == 1);
            match only.map(|(field, value)| (field.as_str(), value)) {
                Some(("status" | "err", value)) => value.is_string(),
                Some(("nilarr", value)) => *value == Value::Bool(true),
                _ => false,
            }
        }
        Value::Bool(_) => false,
    };
    if is_reply {
        return Ok(());
    }
    Err(format!(
        "`reply` has {reply}; known: a whole number, a text, null, a list of replies, and an \
         object with only `status`, `err` or `nilarr`"
    ))
}

/// The highest level at which two replies agree, 0 for none. `names` are the commands that replied:
/// one, or those that an `EXEC` carried out.
pub(super) fn level(expected: &Value, found: &Value, names: &Names) -> u8 {
    let found = &as_recorded(expected, found);
    if expected == found {
        return 2;
    }
    let agree = match (names, expected, found) {
        (Names::One(name), ..) => agree(name, expected, found),
        (Names::Exec(names), Value::Array(a), Value::Array(b)) => {
            let each = a.iter().zip(b).zip(names);
            a.len() == b.len()
                && b.len() == names.len()
                && each.into_iter().all(|((a, b), name)| agree(name, a, b))
        }
        (Names::Exec(_), ..) => agree("exec", expected, found),
    };
    u8::from(agree)
}

/// A reply without ` script: …` behind its errors, where the recorder has cut that off.
fn as_recorded(expected: &Value, found: &Value) -> Value {
    const PLACE: &str = " script: ";
    match (expected, found) {
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => expected
            .iter()
            .zip(found)
            .map(|(expected, found)| as_recorded(expected, found))
            .collect(),
        _ => {
            let text = |reply: &Value| Some(reply.get("err")?.as_str()?.to_owned());
            match (text(expected), text(found)) {
                (Some(expected), Some(found)) if !expected.contains(PLACE) => {
                    json!({"err": found.split(PLACE).next()})
                }
                _ => found.clone(),
            }
        }
    }
}

/// The commands that replied, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Names {
    /// One.
    One(String),
    /// Those that an `EXEC` carried out.
    Exec(Vec<String>),
}

/// Whether two replies of one command agree at level 1.
fn agree(name: &str, expected: &Value, found: &Value) -> bool {
    let first_word = |reply: &Value| {
        let text = reply.get("err")?.as_str()?;
        Some(text.split(' ').next().unwrap_or_default().to_owned())
    };
    if let (Some(expected), Some(found)) = (first_word(expected), first_word(found)) {
        return expected == found;
    }
    match (name, expected.as_array(), found.as_array()) {
        ("hgetall", Some(expected), Some(found)) => pairs(expected) == pairs(found),
        _ => expected == found,
    }
}

/// Fields and values, in the order of their names.
fn pairs(flat: &[Value]) -> Vec<Vec<String>> {
    let mut pairs: Vec<Vec<String>> =
        flat.chunks(2).map(|pair| pair.iter().map(Value::to_string).collect()).collect();
    pairs.sort();
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str) -> Names {
        Names::One(name.to_owned())
    }

    #[test]
    fn an_error_agrees_at_level_1_by_its_first_word() {
        let syntax = json!({"err": "ERR syntax error"});
        let other = json!({"err": "ERR no such key"});
        let kind = json!({"err": "WRONGTYPE Operation"});
        assert_eq!(level(&syntax, &syntax, &one("set")), 2);
        assert_eq!(level(&syntax, &other, &one("set")), 1);
        assert_eq!(level(&syntax, &kind, &one("set")), 0);
        assert_eq!(level(&syntax, &json!("ERR syntax error"), &one("set")), 0);
    }

    #[test]
    fn a_recorder_may_cut_off_where_in_a_script_an_error_was() {
        let cut = json!({"err": "WRONGTYPE of a key"});
        let whole = json!({"err": "WRONGTYPE of a key script: 5c71, on @user_script:1."});
        let other = json!({"err": "WRONGTYPE of a key script: 68ac, on @user_script:1."});
        assert_eq!(level(&cut, &whole, &one("@cad")), 2);
        assert_eq!(level(&json!([cut]), &json!([whole]), &Names::Exec(vec!["@cad".into()])), 2);
        assert_eq!(level(&whole, &whole, &one("@cad")), 2);
        assert_eq!(level(&whole, &other, &one("@cad")), 1);
        assert_eq!(level(&whole, &cut, &one("@cad")), 1);
    }

    #[test]
    fn only_a_hash_may_be_listed_in_another_order_at_level_1() {
        let [a, b] = [json!(["f", "1", "g", "2"]), json!(["g", "2", "f", "1"])];
        assert_eq!(level(&a, &b, &one("hgetall")), 1);
        assert_eq!(level(&a, &b, &one("lrange")), 0);
        assert_eq!(level(&a, &json!(["f", "2", "g", "1"]), &one("hgetall")), 0);
        let exec = Names::Exec(vec!["lrange".into(), "hgetall".into()]);
        assert_eq!(level(&json!([a, a]), &json!([a, b]), &exec), 1);
        assert_eq!(level(&json!([a, a]), &json!([b, a]), &exec), 0);
        assert_eq!(level(&json!([a, a]), &json!([a]), &exec), 0);
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        for reply in [json!(5), json!(null), json!([["x"], {"nilarr": true}]), json!({"err": "E"})]
        {
            assert_eq!(check(&reply), Ok(()), "{reply}");
        }
        for reply in [
            json!(1.5),
            json!(true),
            json!({}),
            json!({"nilarr": false}),
            json!({"status": 5}),
            json!({"err": "E", "status": "OK"}),
            json!([5, [2.5]]),
            json!(u64::MAX),
        ] {
            assert!(check(&reply).is_err(), "{reply}");
        }
    }
}
