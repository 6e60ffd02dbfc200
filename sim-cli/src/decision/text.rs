//! The table for a terminal. It is as wide as there is room: where its columns need more, it goes
//! on below, or rows and columns change places, whichever takes fewer lines.

use sim_models::study::Mark;

use super::{Cell, Decision, Silence};
use crate::figure;
use crate::text::{Style, Table, plain};

/// A variant's name is wrapped from one of these on: short names leave room for more columns, long
/// ones take fewer lines.
const NAMES: [usize; 3] = [18, 26, 38];

/// The head of a column is wrapped from here on.
const HEAD: usize = 17;

/// A question that names a line is wrapped from here on.
const QUESTION: usize = 26;

/// The table, what it leaves out, and what its words mean.
pub fn text(decision: &Decision, style: &Style) -> String {
    let by_row = NAMES.map(|name| by_row(decision, name));
    let layouts = by_row.into_iter().chain([by_column(decision)]);
    let tables = layouts.map(|grid| {
        grid.blocks(style.columns).iter().map(|block| block.text(style)).collect::<String>()
    });
    let shortest = tables.min_by_key(|table| table.lines().count());
    let mut text = shortest.unwrap_or_default() + "\n";
    for (silence, heads) in decision.left_out() {
        text += &style.line(label(silence), &heads.join("; "));
    }
    let legend = legend(decision);
    legend.into_iter().fold(text, |text, legend| text + &style.line("marks", &legend))
}

/// What stands before the heads of columns that say nothing.
pub fn label(silence: Silence) -> &'static str {
    match silence {
        Silence::Kept => "all keep",
        Silence::Untested => "untested",
        Silence::Zero => "all 0",
        Silence::Unmeasured => "no value",
    }
}

/// What intervals and marks mean; one run has neither.
pub fn legend(decision: &Decision) -> Option<String> {
    let terms = decision.terms?;
    let percent = |share: f64| format!("{} %", figure::rounded(100.0 * share, 6));
    let (least, first) = (percent(terms.least), plain(&decision.rows[0].name));
    let confidence = percent(terms.confidence);
    let mut said = vec![format!(
        "Below a figure stands its {confidence} interval, before it how it differs from “{first}” \
         seed by seed."
    )];
    for mark in decision.marks() {
        said.push(match mark {
            Mark::Better => format!("better: by {least} at least, whatever luck did."),
            Mark::Worse => format!(
                "worse: by {least} at least, or by any broken promise, duplicate, \
                 silence or breakdown, whatever luck did."
            ),
            Mark::NotBetter => {
                "not better: by the figure it is, and yet it breaks more or serves fewer."
                    .to_owned()
            }
            Mark::Different => format!("different: by {least} at least; neither way is better."),
            Mark::Alike => format!("alike: by less than {least}, whatever luck did."),
            Mark::Equal => "equal: the same with every seed.".to_owned(),
            Mark::Unclear => "unclear: these seeds do not tell.".to_owned(),
        });
    }
    Some(said.join(" "))
}

/// Texts in rows and columns; the first column of each block names its rows.
struct Grid {
    /// Heads, that of the names first.
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    /// Columns that each block repeats after the names.
    repeated: usize,
}

impl Grid {
    /// As many tables as the width asks for.
    fn blocks(&self, width: usize) -> Vec<Table> {
        let mut blocks = Vec::new();
        let mut columns: Vec<usize> = (0..=self.repeated).collect();
        for next in self.repeated + 1..self.header.len() {
            columns.push(next);
            if columns.len() > self.repeated + 2 && self.table(&columns).width() > width {
                columns.pop();
                blocks.push(self.table(&columns));
                columns = (0..=self.repeated).chain([next]).collect();
            }
        }
        blocks.push(self.table(&columns));
        blocks
    }

    fn table(&self, columns: &[usize]) -> Table {
        let pick = |row: &Vec<String>| columns.iter().map(|n| row[*n].clone()).collect();
        Table::new(pick(&self.header) as Vec<String>, self.rows.iter().map(pick).collect())
    }
}

/// A variant a row.
fn by_row(decision: &Decision, name_width: usize) -> Grid {
    let shown = decision.shown();
    let heads = shown.iter().map(|n| wrapped(&decision.columns[*n].head, HEAD));
    let header = ["variant".to_owned(), "verdict".to_owned()].into_iter().chain(heads).collect();
    let row = |(n, row): (usize, &super::Row)| {
        let name = [wrapped(&plain(&row.label(n)), name_width), row.verdict.to_string()];
        name.into_iter().chain(shown.iter().map(|n| cell(&row.cells[*n]))).collect()
    };
    Grid { header, rows: decision.rows.iter().enumerate().map(row).collect(), repeated: 0 }
}

/// A variant a column; each block repeats the first, which the others are compared with.
fn by_column(decision: &Decision) -> Grid {
    let rows = || decision.rows.iter().enumerate();
    let names = rows().map(|(n, row)| wrapped(&plain(&row.label(n)), HEAD));
    let header = std::iter::once(String::new()).chain(names).collect();
    let verdicts = rows().map(|(_, row)| row.verdict.to_string());
    let mut lines: Vec<Vec<String>> =
        vec![std::iter::once("verdict".to_owned()).chain(verdicts).collect()];
    for n in decision.shown() {
        let head = wrapped(&decision.columns[n].head, QUESTION);
        let cells = rows().map(|(_, row)| cell(&row.cells[n]));
        lines.push(std::iter::once(head).chain(cells).collect());
    }
    Grid { header, rows: lines, repeated: usize::from(decision.rows.len() > 1) }
}

/// `worse  28.01 /s`, and the interval below it.
fn cell(cell: &Cell) -> String {
    let mark = cell.mark.map_or_else(String::new, |mark| format!("{mark}  "));
    let range = cell.range.iter().map(|range| format!("\n{range}")).collect::<String>();
    format!("{mark}{}{range}", cell.said)
}

/// A name over several lines; a word that is too long is broken before its brackets.
fn wrapped(name: &str, width: usize) -> String {
    let word = |word: &str| match word.chars().count() > width {
        true => word.replacen('(', " (", 1),
        false => word.to_owned(),
    };
    let words: Vec<String> = name.split(' ').map(word).collect();
    textwrap::wrap(&words.join(" "), width).join("\n")
}
