//! `sim help`: what a word of the language means, or how a command is used.

use clap::CommandFactory;
use sim_models::closest;
use sim_models::language::{Argument, PART, Word, words};

use super::CommandLine;
use crate::console;
use crate::diagnostics::Failure;
use crate::exit::Exit;

/// The width of explanations.
const WIDTH: usize = 90;

/// Explain a word of the language, such as `Retry`, or a command
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A word, a command, a kind of words such as `queue`, or `words` for all of them
    word: Option<String>,
}

/// Prints the help for what was asked.
///
/// # Errors
/// When nothing has this name.
pub fn help(args: &Args) -> Result<Exit, Failure> {
    let mut commands = CommandLine::command();
    commands.build();
    let command = match &args.word {
        None => Some(&mut commands),
        Some(word) => commands.find_subcommand_mut(word),
    };
    if let Some(command) = command {
        let printed = command.print_long_help();
        printed.map_err(|error| Failure::new(format!("cannot write the help: {error}")))?;
        return Ok(Exit::Kept);
    }
    let word = args.word.as_deref().unwrap_or_default();
    console::print(&explained(word)?)?;
    Ok(Exit::Kept)
}

/// All words of a name, or the words of a kind.
fn explained(asked: &str) -> Result<String, Failure> {
    let is_asked = |word: &&Word| word.name.eq_ignore_ascii_case(asked);
    let found: Vec<String> = words().iter().filter(is_asked).map(explain).collect();
    if !found.is_empty() {
        return Ok(found.join("\n"));
    }
    let singular = asked.strip_suffix('s').unwrap_or(asked);
    if asked == "words" {
        return Ok(kinds().iter().map(|kind| listed(kind)).collect::<Vec<_>>().join("\n"));
    }
    if kinds().contains(&singular) {
        return Ok(listed(singular));
    }
    let names = words().iter().map(|word| word.name.as_str()).chain(kinds());
    let help = match closest(asked, names) {
        Some(near) => format!("did you mean `{near}`? `sim help words` lists all"),
        None => "`sim help words` lists all".to_owned(),
    };
    Err(Failure::with_help(format!("`{asked}` is neither a word nor a command"), help))
}

/// The kinds that words are listed under, in the order of the language.
fn kinds() -> Vec<&'static str> {
    let mut kinds: Vec<&str> = Vec::new();
    for word in words().iter().filter(|word| word.kind.starts_with(char::is_lowercase)) {
        if !kinds.contains(&word.kind.as_str()) {
            kinds.push(&word.kind);
        }
    }
    kinds
}

fn listed(kind: &str) -> String {
    let of_kind = words().iter().filter(|word| word.kind == kind);
    let rows = of_kind.map(|word| {
        let indent = " ".repeat(22);
        let about = first_sentence(&word.about);
        let options = textwrap::Options::new(WIDTH).subsequent_indent(&indent);
        textwrap::fill(&format!("  {:<18}  {about}", word.name), options) + "\n"
    });
    format!("{kind}\n{}", rows.collect::<String>())
}

fn explain(word: &Word) -> String {
    let kind = if word.kind == PART { "" } else { &word.kind };
    let title = if kind.is_empty() { word.name.clone() } else { format!("{}: {kind}", word.name) };
    let mut text = format!("{title}\n{}\n\n  {}\n", filled(&word.about, 2), word.usage());
    for argument in &word.arguments {
        match argument.name.as_str() {
            "" if argument.range.is_some() => text += &format!("\n  {}\n", facts(argument)),
            "" => {}
            name => {
                let about = filled(&argument.about, 6);
                text += &format!("\n  {name}: {}\n{about}\n", facts(argument));
            }
        }
    }
    if word.brackets {
        text += &format!("\n  for example\n{}\n", filled(&word.shown(), 6));
    }
    text
}

/// What may be given, and what holds when nothing is.
fn facts(argument: &Argument) -> String {
    let range = argument.range.as_ref().map(|range| format!(", {range}")).unwrap_or_default();
    let default = match (&argument.default, argument.required) {
        (_, true) => ", required".to_owned(),
        (Some(default), _) => format!(", by default {default}"),
        (None, _) => String::new(),
    };
    format!("{}{range}{default}", argument.wanted)
}

fn filled(text: &str, indent: usize) -> String {
    let indent = " ".repeat(indent);
    let options = textwrap::Options::new(WIDTH).initial_indent(&indent).subsequent_indent(&indent);
    textwrap::fill(text, options)
}

fn first_sentence(text: &str) -> &str {
    let end = text.match_indices(['.', ':']).map(|(at, _)| at);
    let mut end = end.filter(|&at| text[at + 1..].is_empty() || text[at + 1..].starts_with(' '));
    &text[..end.next().unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_can_be_asked_for() {
        for word in words() {
            let text = explained(&word.name).expect("it is known");
            assert!(text.contains(&word.usage()), "{text}");
        }
    }

    #[test]
    fn an_argument_shows_its_default() {
        let text = explained("codel").expect("capitals do not count");
        for fact in
            ["Codel(limit:", "limit: whole number", "by default \"5ms\"", "Codel(limit: 256)"]
        {
            assert!(text.contains(fact), "`{fact}` is missing from\n{text}");
        }
    }

    #[test]
    fn an_unknown_word_is_told_the_near_one() {
        let Err(Failure::Plain { help: Some(help), .. }) = explained("Retyr") else { panic!() };
        assert!(help.contains("`Retry`"), "{help}");
    }
}
