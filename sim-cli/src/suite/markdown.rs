//! A suite as a few lines of Markdown, for the summary of a pipeline's step.

use super::{Case, CaseResult, Suite};
use crate::text::plain;

/// A heading, a table of the cases, the first story of each that is broken, and the command.
pub fn page(suite: &Suite) -> String {
    let bad = suite.cases.iter().any(Case::is_bad);
    let verdict = if bad { "NOT KEPT" } else { "KEPT" };
    let (name, headline) = (cell(&suite.name), cell(&suite.headline));
    let mut page = format!("### {verdict}: {name}\n\n{headline}\n\n{}\n\n", cell(&suite.extent));
    page += "| promise | result | |\n|---|---|---|\n";
    for case in &suite.cases {
        let (result, why) = match &case.result {
            CaseResult::Held => ("held", ""),
            CaseResult::Skipped(why) => ("says nothing", why.as_str()),
            CaseResult::Broken { message, .. } => ("**broken**", message.as_str()),
            CaseResult::Error(why) => ("**error**", why.as_str()),
        };
        page += &format!("| {} | {result} | {} |\n", cell(&case.name), cell(why));
    }
    for case in &suite.cases {
        if let CaseResult::Broken { story, .. } = &case.result
            && !story.is_empty()
        {
            page += &format!("\n{}\n\n{}", cell(&case.name), block(story));
        }
    }
    page + "\n" + &block(std::slice::from_ref(&suite.repeat)) + "\n"
}

/// A text that is nothing else in a table: it stays on its line and in its column.
fn cell(text: &str) -> String {
    let mut safe = String::new();
    for c in plain(text).chars() {
        if "\\`*_{}[]<>|#".contains(c) {
            safe.push('\\');
        }
        safe.push(c);
    }
    safe
}

fn block(lines: &[String]) -> String {
    // Four spaces instead of a fence: no text can end it.
    lines.iter().map(|line| format!("    {}\n", plain(line))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_wrote_stays_in_its_cell() {
        let result = CaseResult::Broken {
            message: "a | b".to_owned(),
            story: vec!["```\n# no heading".to_owned()],
        };
        let suite = Suite {
            name: "x".to_owned(),
            headline: "h".to_owned(),
            extent: "seeds 1 to 2".to_owned(),
            repeat: "sim check x.ron".to_owned(),
            cases: vec![Case { name: "p".to_owned(), result }],
        };
        let page = page(&suite);
        assert!(page.starts_with("### NOT KEPT: x\n\nh\n\nseeds 1 to 2\n\n| promise |"), "{page}");
        assert!(page.contains("| p | **broken** | a \\| b |\n"), "{page}");
        assert!(
            !page.lines().any(|line| line.starts_with('`') || line.starts_with("# ")),
            "{page}"
        );
        assert!(page.ends_with("\n    sim check x.ron\n\n"), "{page}");
    }
}
