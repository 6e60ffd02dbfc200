//! The pages of words, and the tables of the manual: made from the types that read the words.

mod ranges;
mod stage;

use std::fs;

use sim_models::language::{Argument, PART, Word, words};
use sim_policies::breaker::{BreakerConfig, Verdict};
use sim_policies::{Ending, Reason, Retry, RetryConfig};

use self::stage::place;
use crate::support::{root, same_as_written};

const PAGE: &str = "docs/WORDS.md";
const MANUAL: &str = "docs/SCENARIOS.md";
const PRESETS: &str = "docs/POLICIES.md";

const HEAD: &str = "\
# All words

Every word of the language with every argument, made from the types that read it; `sim help WORD`
shows one. This page is the place to look an argument up. [SCENARIOS.md](SCENARIOS.md) tells the
story with one line a word, and [POLICIES.md](POLICIES.md) shows the presets of libraries as they
are written.

An argument without a colon may be written without its name, in this order. What has neither a
default nor *required* may be left out.
";

fn read(page: &str) -> String {
    fs::read_to_string(root().join(page)).expect("a page")
}

/// Text that stands in a cell of a table: its first paragraph.
fn cell(text: &str) -> String {
    first_paragraph(text).replace('|', "\\|")
}

fn first_paragraph(text: &str) -> &str {
    text.split("\n\n").next().unwrap_or_default()
}

fn default_of(argument: &Argument) -> String {
    match (argument.required, &argument.default) {
        (true, _) => "*required*".to_owned(),
        (_, Some(default)) => format!("`{default}`"),
        _ => "–".to_owned(),
    }
}

fn row(argument: &Argument) -> String {
    let Argument { name, wanted, range, about, .. } = argument;
    let range = range.as_ref().map(|range| format!(", {range}")).unwrap_or_default();
    let name = if name.is_empty() { String::new() } else { format!("`{name}`") };
    let (wanted, default) = (cell(wanted), cell(&default_of(argument)));
    format!("| {name} | {wanted}{range} | {default} | {} |\n", cell(about))
}

fn section(word: &Word) -> String {
    let says_more = |it: &&Argument| !it.name.is_empty() || it.range.is_some();
    let mut rows = word.arguments.iter().filter(says_more).map(row).peekable();
    let mut text = format!("\n### `{}`\n\n{}\n", word.usage(), word.about);
    if rows.peek().is_some() {
        text += "\n| argument | what | default | meaning |\n|---|---|---|---|\n";
        text.extend(rows);
    }
    let more = |argument: &Argument| {
        let (_, more) = argument.about.split_once("\n\n")?;
        Some(format!("\n`{}`: {}\n", argument.name, more.replace("\n\n", " ")))
    };
    text.extend(word.arguments.iter().filter_map(more));
    if let Some(example) = &word.example {
        text += &format!("\n```ron\n{example}\n```\n");
    }
    text
}

#[test]
fn the_page_of_words_is_what_the_types_say() {
    let mut kinds: Vec<&str> = Vec::new();
    for word in words().iter().filter(|word| word.kind.starts_with(char::is_lowercase)) {
        if !kinds.contains(&word.kind.as_str()) {
            kinds.push(&word.kind);
        }
    }
    let mut page = HEAD.to_owned();
    for kind in kinds {
        let title = if kind == PART { "parts of others" } else { kind };
        page += &format!("\n## {}{}\n", title[..1].to_uppercase(), &title[1..]);
        page.extend(words().iter().filter(|word| word.kind == kind).map(section));
    }
    same_as_written(PAGE, &page);
}

/// The words of a kind; with names after a semicolon, these of them.
fn listed(what: &str) -> Vec<&'static Word> {
    let (kind, names) = what.split_once("; ").unwrap_or((what, ""));
    let of_kind = || words().iter().filter(|word| word.kind == kind);
    let named = |name| of_kind().find(|word| word.name == name).expect("a word of that kind");
    let listed: Vec<&Word> = match names {
        "" => of_kind().collect(),
        names => names.split(", ").map(named).collect(),
    };
    assert!(!listed.is_empty(), "there are no words of the kind `{kind}`");
    listed
}

/// The word with its arguments, and the defaults that are short and say something.
fn signature(word: &Word) -> String {
    let written = |argument: &Argument| {
        let says =
            |it: &&String| it.len() <= 14 && !["false", "None", "[]", "{}"].contains(&&***it);
        let default = argument.default.as_ref().filter(says);
        match default {
            _ if argument.name.is_empty() => argument.wanted.clone(),
            _ if word.is_unnamed(argument) => argument.name.clone(),
            Some(default) => format!("{}: {default}", argument.name),
            None => format!("{}:", argument.name),
        }
    };
    let arguments: Vec<String> = word.arguments.iter().map(written).collect();
    match word.brackets {
        true => format!("{}({})", word.name, arguments.join(", ")),
        false => word.name.clone(),
    }
}

/// One line a word.
fn table_of_words(what: &str) -> String {
    let rows = listed(what).into_iter();
    let rows =
        rows.map(|word| format!("| `{}` | {} |\n", cell(&signature(word)), cell(&word.about)));
    let kind = what.split(';').next().unwrap_or_default();
    let kind = if kind == PART { "" } else { kind };
    format!("| {kind} | meaning |\n|---|---|\n{}", rows.collect::<String>())
}

/// One line an argument of a word.
fn table_of_fields(what: &str) -> String {
    let [word] = *listed(what) else { panic!("one word has these fields") };
    let row = |argument: &Argument| {
        let (about, default) = (cell(&argument.about), cell(&default_of(argument)));
        let range = argument.range.as_ref().map(|range| format!(" ({range})")).unwrap_or_default();
        format!("| `{}` | {about} | {default}{range} |\n", argument.name)
    };
    let rows = word.arguments.iter().map(row);
    format!("| field | meaning | default |\n|---|---|---|\n{}", rows.collect::<String>())
}

/// Each word in the policy that it belongs to, with every option at its default.
fn presets(what: &str) -> String {
    listed(what).into_iter().map(preset).collect::<Vec<_>>().join("\n")
}

/// A word that has no default for something is shown as in its example.
fn preset(word: &Word) -> String {
    let place = place(word).expect("a policy");
    let frame = if word.kind == "policy" { "$" } else { place.frame() };
    let defaults = with_defaults(word);
    let is_enough = place.with(&defaults).load().is_ok();
    let written = if is_enough { defaults } else { word.shown() };
    let about = first_paragraph(&word.about);
    format!("`{}`: {about}\n\n```ron\n{}\n```\n", word.name, frame.replace('$', &written))
}

/// The word with every option at its default, and beside it what else there is.
fn with_defaults(word: &Word) -> String {
    let line = |argument: &Argument| {
        let default = argument.default.as_deref().unwrap_or("None");
        (format!("    {}: {default},", argument.name), remark(argument))
    };
    let lines: Vec<(String, Option<String>)> = word.arguments.iter().map(line).collect();
    let has_remark = |(line, remark): &&(String, Option<_>)| remark.is_some() && line.len() <= 60;
    let column = lines.iter().filter(has_remark).map(|(line, _)| line.len()).max().unwrap_or(0);
    let show = |(line, remark): (String, Option<String>)| match remark {
        Some(remark) => format!("{line:column$}  // {remark}\n"),
        None => format!("{line}\n"),
    };
    format!("{}(\n{})", word.name, lines.into_iter().map(show).collect::<String>())
}

/// What may stand there, unless the default says it.
fn remark(argument: &Argument) -> Option<String> {
    let Argument { name, wanted, range, default, .. } = argument;
    let is_choice = wanted.contains(" | ") || words().iter().any(|word| word.kind == *wanted);
    match (default, range) {
        (Some(_), Some(range)) => Some(range.to_string()),
        (None, Some(range)) => Some(format!("{wanted}, {range}")),
        (Some(_), None) if !is_choice || wanted == name => None,
        _ => Some(wanted.clone()),
    }
}

/// The twelve ways in which a call ends, as the tables name them; without an ending the caller has
/// let go of it.
fn endings() -> [(String, Option<Ending>); 12] {
    let status = |status: u16| (status.to_string(), Some(Ending::Status(status)));
    let named = |name: &str, ending| (name.to_owned(), Some(ending));
    let full = Reason::BulkheadFull { limit: 1 };
    [
        status(200),
        status(404),
        status(408),
        status(409),
        status(429),
        status(500),
        status(503),
        named("timeout", Ending::TimedOut),
        named("refused", Ending::Refused),
        named("reset", Ending::Reset),
        named("rejected", Ending::Rejected(full)),
        ("cancelled".to_owned(), None),
    ]
}

/// One line a preset: what it makes of each of the twelve endings.
fn table_of_endings(what: &str) -> String {
    type Cell = Box<dyn Fn(Option<Ending>) -> &'static str>;
    let of_breaker = |(name, config): (&'static str, BreakerConfig)| -> (&str, Cell) {
        let verdict = move |ended: Option<Ending>| {
            let options = config.options();
            match ended.map_or(options.cancelled(), |ending| options.verdict(ending)) {
                Verdict::Success => "ok",
                Verdict::Failure => "**fail**",
                Verdict::Ignored | Verdict::Cancelled => "–",
            }
        };
        (name, Box::new(verdict))
    };
    let of_retry = |(name, config): (&'static str, RetryConfig)| -> (&str, Cell) {
        let retry = Retry::new(&config).expect("a library's own defaults");
        let again = move |ended: Option<Ending>| match ended.is_some_and(|it| retry.repeats(it)) {
            true => "again",
            false => "–",
        };
        (name, Box::new(again))
    };
    let rows: Vec<(&str, Cell)> = match what {
        "breaker" => BreakerConfig::each().into_iter().map(of_breaker).collect(),
        "retry" => RetryConfig::each().into_iter().map(of_retry).collect(),
        _ => panic!("no endings of `{what}`"),
    };
    let heads: String = endings().iter().map(|(name, _)| format!(" {name} |")).collect();
    let mut table = format!("| |{heads}\n|---|{}\n", "---|".repeat(heads.matches('|').count()));
    for (name, cell) in rows {
        let cells: String =
            endings().iter().map(|(_, ended)| format!(" {} |", cell(*ended))).collect();
        table += &format!("| `{name}` |{cells}\n");
    }
    table
}

/// A page whose parts between `<!-- words: … -->` and `<!-- end -->` are made anew.
fn made_anew(page: &str) -> String {
    let mut text = String::new();
    let mut is_made = false;
    for line in page.lines() {
        let marker = line.strip_prefix("<!-- ").and_then(|line| line.strip_suffix(" -->"));
        is_made &= marker != Some("end");
        if is_made {
            continue;
        }
        text += line;
        text += "\n";
        let made = match marker.and_then(|marker| marker.split_once(": ")) {
            Some(("words", what)) => table_of_words(what),
            Some(("fields", what)) => table_of_fields(what),
            Some(("presets", what)) => presets(what),
            Some(("endings", what)) => table_of_endings(what),
            _ => continue,
        };
        text += &format!("\n{made}\n");
        is_made = true;
    }
    assert!(!is_made, "the last part has no end");
    text
}

#[test]
fn the_tables_of_the_manual_are_what_the_types_say() {
    for page in [MANUAL, PRESETS] {
        same_as_written(page, &made_anew(&read(page)));
    }
}

/// The manual leaves nothing out: each word stands in it, or in the presets.
#[test]
fn the_manual_names_every_word() {
    let pages = [read(MANUAL), read(PRESETS)];
    let stands = |text: String| pages.iter().any(|page| page.contains(&text));
    let missing = words().iter().filter(|word| {
        word.kind.starts_with(char::is_lowercase)
            && !stands(format!("{}(", word.name))
            && !stands(format!("`{}`", word.name))
            && !stands(format!(" {}", word.name))
    });
    let missing: Vec<&str> = missing.map(|word| word.name.as_str()).collect();
    assert!(missing.is_empty(), "the manual says nothing of {missing:?}");
}

#[test]
fn a_cell_of_a_table_has_at_most_25_words() {
    let mut faults = Vec::new();
    for page in [PAGE, MANUAL, PRESETS] {
        for line in read(page).lines().filter(|line| line.starts_with("| ")) {
            let cells = line.replace("\\|", "/");
            let long = cells
                .split('|')
                .map(str::trim)
                .filter(|cell| !cell.starts_with('`') && cell.split_whitespace().count() > 25);
            faults.extend(long.map(|cell| format!("{page}: {cell}")));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Everything between backquotes, and in blocks of RON.
fn code(page: &str) -> Vec<&str> {
    let mut code: Vec<&str> = Vec::new();
    for (n, part) in page.split("```").enumerate() {
        match n % 2 {
            0 => code.extend(part.split('`').skip(1).step_by(2)),
            _ => code.extend(part.strip_prefix("ron\n")),
        }
    }
    code
}

#[test]
fn a_word_with_brackets_on_a_page_is_one_that_is_read() {
    // Libraries' own, named beside a preset.
    const OTHERS: [&str; 2] = ["Config", "TimeLimiter"];
    let mut unknown = Vec::new();
    for page in ["README.md", PAGE, MANUAL, PRESETS, "docs/DESIGNS.md", "scenarios/README.md"] {
        let text = read(page);
        for code in code(&text) {
            for (at, _) in code.match_indices('(') {
                let before = &code[..at];
                let start = before.rfind(|c: char| !c.is_ascii_alphanumeric()).map_or(0, |n| n + 1);
                let name = &before[start..];
                let is_word = name.starts_with(|c: char| c.is_ascii_uppercase());
                let is_known = words().iter().any(|word| word.name == name);
                if is_word && !is_known && !OTHERS.contains(&name) {
                    unknown.push(format!("{page}: {name}("));
                }
            }
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
}
