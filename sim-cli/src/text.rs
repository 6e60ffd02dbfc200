//! Text for a terminal: what sets words off, labels before lines, and tables.
//!
//! It is as wide as the terminal, and elsewhere 100 columns. Colour repeats what the words say.

use comfy_table::{CellAlignment, LineStyle, TableStyle};
use sim_models::outcome::Verdict;

/// The width of a page that is no terminal.
pub const COLUMNS: usize = 100;

/// The width of a label with the gap after it, and the start of its text's further lines.
const LABEL: usize = 10;
const NEW_LINE: &str = "\n          ";

/// Column heads over one line, and no other lines.
const TABLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// How a text is set: its width, what draws its lines, and what sets its words off.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// The width that lines and tables keep to where they can.
    pub columns: usize,
    /// Eight heights of a line over time, the lowest first.
    pub blocks: [char; 8],
    /// A stretch of time.
    pub bar: char,
    pub good: anstyle::Style,
    pub bad: anstyle::Style,
    pub unsure: anstyle::Style,
    pub head: anstyle::Style,
    pub dim: anstyle::Style,
}

impl Style {
    /// No escape sequences at all.
    pub const fn plain() -> Style {
        let none = anstyle::Style::new();
        Style {
            columns: COLUMNS,
            blocks: ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
            bar: '━',
            good: none,
            bad: none,
            unsure: none,
            head: none,
            dim: none,
        }
    }

    /// For a terminal that draws letters only.
    pub fn in_letters(self) -> Style {
        Style { blocks: ['_', '.', '-', '~', '=', '+', '*', '#'], bar: '=', ..self }
    }

    /// For a terminal that shows colours.
    pub fn coloured() -> Style {
        use anstyle::AnsiColor::{Green, Red, Yellow};
        Style {
            good: Green.on_default().bold(),
            bad: Red.on_default().bold(),
            unsure: Yellow.on_default().bold(),
            head: anstyle::Style::new().bold(),
            dim: anstyle::Style::new().dimmed(),
            ..Style::plain()
        }
    }

    /// The line that a report begins with: `KEPT  All 4 invariants held`.
    pub fn verdict(&self, verdict: Verdict, headline: &str) -> String {
        let colour = match verdict {
            Verdict::Kept => self.good,
            Verdict::Violated | Verdict::Unhealthy => self.bad,
            Verdict::Invalid | Verdict::NothingChecked => self.unsure,
        };
        let verdict = paint(colour, &verdict.to_string().to_uppercase());
        format!("{verdict}  {}\n", plain(headline))
    }

    /// A label and its text, wrapped to the width of a page.
    pub fn line(&self, label: &str, text: &str) -> String {
        self.labelled(self.dim, label, text)
    }

    /// A label in a colour of its own, and its text wrapped to the width of a page.
    pub fn labelled(&self, colour: anstyle::Style, label: &str, text: &str) -> String {
        let label = paint(colour, &format!("{label:<8}"));
        let lines = textwrap::wrap(&plain(text), self.columns - LABEL).join(NEW_LINE);
        format!("{label}  {lines}\n")
    }

    /// A text wrapped to the width of a page, below the first line so far to the right.
    pub fn hanging(&self, first: &str, text: &str, indent: usize) -> String {
        let below = " ".repeat(indent);
        let options = textwrap::Options::new(self.columns).subsequent_indent(&below);
        let options = options.initial_indent(first).break_words(false);
        textwrap::fill(&plain(text), options) + "\n"
    }

    /// A label and its text on one line, so that a shell takes it.
    pub fn command(&self, label: &str, text: &str) -> String {
        let label = paint(self.dim, &format!("{label:<8}"));
        format!("{label}  {}\n", plain(text))
    }
}

/// `text` set off by a style.
pub fn paint(style: anstyle::Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// `text` without control characters: a name from a file must not steer the terminal.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A table whose first column holds names and whose others hold numbers.
pub struct Table(comfy_table::Table);

impl Table {
    /// A table of cells that are plain already.
    pub fn new<H: Into<String>>(
        header: impl IntoIterator<Item = H>,
        rows: Vec<Vec<String>>,
    ) -> Table {
        let header: Vec<String> = header.into_iter().map(H::into).collect();
        let mut table = comfy_table::Table::new();
        table.load_style(TABLE).set_header(header).add_rows(rows);
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        if let Some(first) = table.column_mut(0) {
            first.set_padding((0, 1));
        }
        Table(table)
    }

    /// The same with a column that holds words.
    pub fn words(mut self, column: usize) -> Table {
        if let Some(column) = self.0.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Left);
        }
        self
    }

    /// How many columns of the terminal it takes.
    pub fn width(&self) -> usize {
        self.0.lines().map(|line| line.trim_end().chars().count()).max().unwrap_or(0)
    }

    /// Its lines after an empty one.
    pub fn text(&self, style: &Style) -> String {
        let mut text = "\n".to_owned();
        for (n, line) in self.0.lines().enumerate() {
            let line = line.trim_end();
            text += &if n == 0 { paint(style.head, line) } else { line.to_owned() };
            text.push('\n');
        }
        text
    }
}
