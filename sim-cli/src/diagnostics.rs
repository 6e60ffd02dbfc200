//! What stopped a command, shown the way compilers show mistakes: the place, the text, the help.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use sim_models::study::Misuse;
use sim_models::{SourceError, closest};

use crate::text::plain;

/// More mistakes than that are counted instead of shown.
const SHOWN_MAX: usize = 20;

/// Why a command could not do its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Mistakes in what a person wrote.
    Sources(Vec<SourceError>),
    /// Anything else: a file that is not there, a disk that is full.
    Plain {
        /// What went wrong, in lower case and without a full stop.
        message: String,
        /// What to do about it.
        help: Option<String>,
    },
}

impl From<Vec<SourceError>> for Failure {
    fn from(errors: Vec<SourceError>) -> Failure {
        Failure::Sources(errors)
    }
}

impl From<sim_models::Error> for Failure {
    fn from(error: sim_models::Error) -> Failure {
        match error {
            sim_models::Error::Unreadable(message) => Failure::new(message),
            sim_models::Error::Mistakes(mistakes) => Failure::Sources(mistakes),
        }
    }
}

impl From<Misuse> for Failure {
    fn from(misuse: Misuse) -> Failure {
        let help = match &misuse {
            Misuse::UnknownFigure { asked, known } => {
                let (of, names) = (asked.of.as_deref(), known.iter().map(String::as_str));
                let kind = asked.kind;
                Some(match of.and_then(|of| closest(of, names.clone())) {
                    Some(near) => format!("did you mean `{kind}({near})`?"),
                    None if known.is_empty() => format!("write `{kind}` without a name"),
                    None => {
                        let names: Vec<&str> = names.collect();
                        format!("{kind} is measured of {}, before the horizon", names.join(", "))
                    }
                })
            }
            Misuse::NoSeeds => Some("write `--seeds 100`".to_owned()),
            Misuse::OneSide => Some("name variants of a scenario, or several files".to_owned()),
            _ => None,
        };
        Failure::Plain { message: misuse.to_string(), help }
    }
}

impl Failure {
    /// A failure without a place.
    pub fn new(message: impl Into<String>) -> Failure {
        Failure::Plain { message: message.into(), help: None }
    }

    /// A failure without a place, and what to do about it.
    pub fn with_help(message: impl Into<String>, help: impl Into<String>) -> Failure {
        Failure::Plain { message: message.into(), help: Some(help.into()) }
    }

    /// The failure for people, with a newline at its end.
    pub fn render(&self, styled: bool) -> String {
        let renderer = if styled { Renderer::styled() } else { Renderer::plain() };
        let mut text = match self {
            Failure::Sources(errors) => sources(&renderer, Level::ERROR, errors),
            Failure::Plain { message, help } => {
                let error = Level::ERROR.primary_title(plain(message));
                let help = help.iter().map(|help| Level::HELP.primary_title(plain(help)));
                // Each on its own: within one group a bar would lead from nowhere to the help.
                let lines = std::iter::once(error).chain(help);
                let lines = lines.map(|line| renderer.render(&[Group::with_title(line)]));
                lines.collect::<Vec<_>>().join("\n")
            }
        };
        text.push('\n');
        if let Failure::Sources(errors) = self
            && errors.len() > SHOWN_MAX
        {
            text += &format!("\n… and {} more\n", errors.len() - SHOWN_MAX);
        }
        text
    }
}

/// What is allowed and yet unlikely to be meant, for people, with a newline at its end.
pub fn render_warnings(warnings: &[SourceError], styled: bool) -> String {
    let renderer = if styled { Renderer::styled() } else { Renderer::plain() };
    sources(&renderer, Level::WARNING, warnings) + "\n"
}

fn sources(renderer: &Renderer, level: Level<'static>, errors: &[SourceError]) -> String {
    let shown = errors.iter().take(SHOWN_MAX).map(|error| source(renderer, level.clone(), error));
    shown.collect::<Vec<_>>().join("\n\n")
}

fn source(renderer: &Renderer, level: Level<'static>, error: &SourceError) -> String {
    let place = &error.place;
    // The renderer makes the older control characters visible; these are as long as a dot.
    let text = place.text.replace(|c| ('\u{80}'..='\u{9f}').contains(&c), "·");
    let snippet = Snippet::source(text)
        .path(plain(&place.label))
        .annotation(AnnotationKind::Primary.span(place.range.clone()));
    let group = level.primary_title(plain(&error.message)).element(snippet);
    let help = error.help.iter().map(|help| Level::HELP.message(plain(help)));
    renderer.render(&[group.elements(help)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_models::Scenario;

    #[test]
    fn a_mistake_is_shown_in_its_place() {
        let text = "Scenario(\n    name: \"x\",\n    horizn: \"1m\",\n)";
        let failure = Failure::from(Scenario::text("x.ron", text).load().unwrap_err());
        let expected = "\
error: `Scenario` has no field `horizn`
 --> x.ron:3:5
  |
3 |     horizn: \"1m\",
  |     ^^^^^^
  |
  = help: did you mean `horizon`?
";
        assert_eq!(failure.render(false), expected);
    }

    #[test]
    fn help_stands_under_its_error() {
        let failure = Failure::with_help("there is no file x", "did you mean `y`?");
        assert_eq!(failure.render(false), "error: there is no file x\nhelp: did you mean `y`?\n");
    }

    #[test]
    fn many_mistakes_are_counted() {
        let error = Scenario::text("x.ron", "Scenario(").load().unwrap_err();
        let text = Failure::Sources(vec![error.mistakes()[0].clone(); 25]).render(false);
        assert_eq!(text.matches("error: ").count(), SHOWN_MAX);
        assert!(text.ends_with("\n\n… and 5 more\n"), "{text}");
    }

    #[test]
    fn any_text_and_any_place_can_be_shown() {
        for text in ["", "\n", "\r\n\t\u{1b}[31m\0", "ü", "x\n\ny", "\u{9b}\u{feff}日本\r"] {
            let ends = (0..=text.len()).filter(|&at| text.is_char_boundary(at));
            for (start, end) in ends.clone().flat_map(|a| ends.clone().map(move |b| (a, b))) {
                if start <= end {
                    let place = sim_models::Place {
                        label: text.to_owned(),
                        text: text.to_owned(),
                        range: start..end,
                    };
                    let (message, help) = (text.to_owned(), Some(text.to_owned()));
                    let error = SourceError { place, message, help };
                    let shown = Failure::Sources(vec![error]).render(false);
                    let is_meant = |c: char| c == '\n' || !c.is_control();
                    assert!(shown.chars().all(is_meant), "{text:?} {start}..{end}: {shown:?}");
                }
            }
        }
    }
}
