//! The page of all words: made from the types that read them.

mod ranges;
mod stage;

use sim_models::language::{Argument, PART, Word, words};

use crate::support::same_as_written;

const PAGE: &str = "docs/WORDS.md";

const HEAD: &str = "\
# All words

Every word of the language with its arguments, made from the types that read them; `sim help WORD`
shows one. Arguments before the first colon may lose their names, in this order. What a default is
not given for may be left out unless it is *required*. [SCENARIOS.md](SCENARIOS.md) tells the story,
[POLICIES.md](POLICIES.md) shows the presets of libraries in full.
";

/// Text that stands in a cell of a table.
fn cell(text: &str) -> String {
    text.replace("\n\n", " ").replace('|', "\\|")
}

fn row(argument: &Argument) -> String {
    let Argument { name, wanted, range, required, default, about } = argument;
    let range = range.as_ref().map(|range| format!(", {range}")).unwrap_or_default();
    let default = match (required, default) {
        (true, _) => "*required*".to_owned(),
        (_, Some(default)) => format!("`{default}`"),
        _ => "–".to_owned(),
    };
    let wanted = cell(wanted);
    let name = if name.is_empty() { String::new() } else { format!("`{name}`") };
    format!("| {name} | {wanted}{range} | {} | {} |\n", cell(&default), cell(about))
}

fn section(word: &Word) -> String {
    let says_more = |it: &&Argument| !it.name.is_empty() || it.range.is_some();
    let mut rows = word.arguments.iter().filter(says_more).map(row).peekable();
    let mut text = format!("\n### `{}`\n\n{}\n", word.usage(), word.about);
    if rows.peek().is_some() {
        text += "\n| argument | what | default | meaning |\n|---|---|---|---|\n";
        text.extend(rows);
    }
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

/// The manual leaves nothing out: each word that is no library's preset stands in it.
#[test]
fn the_manual_names_every_word() {
    let manual = include_str!("../../../docs/SCENARIOS.md");
    let told = ["actor", "load", "change of a rate", "queue", "step", "store command"];
    let more = ["distribution", "policy", "fault", "invariant", "condition", "balancer"];
    let is_told = |word: &&Word| told.contains(&&*word.kind) || more.contains(&&*word.kind);
    let written =
        |word: &Word| if word.brackets { format!("{}(", word.name) } else { word.name.clone() };
    let missing = words().iter().filter(is_told).filter(|word| {
        !manual.contains(&written(word)) && !manual.contains(&format!("`{}`", word.name))
    });
    let missing: Vec<&str> = missing.map(|word| word.name.as_str()).collect();
    assert!(missing.is_empty(), "docs/SCENARIOS.md says nothing of {missing:?}");
}
