//! A suite as JUnit XML, which CI servers show. It holds no time: two of them are equal.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::{Case, CaseResult, Suite};
use crate::text::plain;

/// One file with one suite.
pub fn xml(suite: &Suite) -> Vec<u8> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    write(&mut writer, suite).expect("a vector takes all");
    let mut xml = writer.into_inner();
    xml.push(b'\n');
    xml
}

fn write(writer: &mut Writer<Vec<u8>>, suite: &Suite) -> io::Result<()> {
    let count = |is: fn(&CaseResult) -> bool| {
        suite.cases.iter().filter(|case| is(&case.result)).count().to_string()
    };
    let (name, tests) = (plain(&suite.name), suite.cases.len().to_string());
    let attributes = [
        ("name", name.as_str()),
        ("tests", &tests),
        ("failures", &count(|result| matches!(result, CaseResult::Broken { .. }))),
        ("errors", &count(|result| matches!(result, CaseResult::Error(_)))),
        ("skipped", &count(|result| matches!(result, CaseResult::Skipped(_)))),
    ];
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let all = writer.create_element("testsuites");
    all.write_inner_content(|writer| {
        let element = writer.create_element("testsuite").with_attributes(attributes);
        element.write_inner_content(|writer| {
            suite.cases.iter().try_for_each(|case| write_case(writer, suite, case))
        })?;
        Ok(())
    })?;
    Ok(())
}

fn write_case(writer: &mut Writer<Vec<u8>>, suite: &Suite, case: &Case) -> io::Result<()> {
    let (class, name) = (plain(&suite.name), plain(&case.name));
    let element = writer.create_element("testcase");
    let element = element.with_attributes([("classname", class.as_str()), ("name", &name)]);
    let (kind, message, story) = match &case.result {
        CaseResult::Held => {
            element.write_empty()?;
            return Ok(());
        }
        CaseResult::Skipped(why) => ("skipped", why, &[][..]),
        CaseResult::Error(why) => ("error", why, &[][..]),
        CaseResult::Broken { message, story } => ("failure", message, &story[..]),
    };
    let repeat = std::iter::once(&suite.repeat).filter(|_| kind != "skipped");
    let lines: Vec<String> = story.iter().chain(repeat).map(|line| plain(line)).collect();
    element.write_inner_content(|writer| {
        let message = plain(message);
        let inner = writer.create_element(kind).with_attribute(("message", message.as_str()));
        match lines.is_empty() {
            true => inner.write_empty()?,
            false => inner.write_text_content(BytesText::new(&lines.join("\n")))?,
        };
        Ok(())
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suite_is_pinned() {
        let case = |name: &str, result| Case { name: name.to_owned(), result };
        let suite = Suite {
            name: "payment, variant \"naive\"".to_owned(),
            headline: String::new(),
            extent: String::new(),
            repeat: "sim check x.ron --set 'a<b'".to_owned(),
            cases: vec![
                case("AllAnswered", CaseResult::Held),
                case("NoMerge", CaseResult::Skipped("nothing exercised it".to_owned())),
                case(
                    "ExactlyOnce(\"charge\")",
                    CaseResult::Broken {
                        message: "broken with 1 of 2 seeds".to_owned(),
                        story: vec!["shoppers-1 & co\u{7} twice".to_owned()],
                    },
                ),
                case("every run reaches its horizon", CaseResult::Error("a limit".to_owned())),
            ],
        };
        let expected = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
  <testsuite name="payment, variant &quot;naive&quot;" tests="4" failures="1" errors="1" skipped="1">
    <testcase classname="payment, variant &quot;naive&quot;" name="AllAnswered"/>
    <testcase classname="payment, variant &quot;naive&quot;" name="NoMerge">
      <skipped message="nothing exercised it"/>
    </testcase>
    <testcase classname="payment, variant &quot;naive&quot;" name="ExactlyOnce(&quot;charge&quot;)">
      <failure message="broken with 1 of 2 seeds">shoppers-1 &amp; co� twice
sim check x.ron --set &apos;a&lt;b&apos;</failure>
    </testcase>
    <testcase classname="payment, variant &quot;naive&quot;" name="every run reaches its horizon">
      <error message="a limit">sim check x.ron --set &apos;a&lt;b&apos;</error>
    </testcase>
  </testsuite>
</testsuites>
"#;
        assert_eq!(String::from_utf8(xml(&suite)).unwrap(), expected);
    }
}
