//! Tables as text: CSV and JSON Lines.

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::table::{Cell, Table};

/// One header line and one line a row, as RFC 4180 has them, with `\n` at the end of lines. What is
/// missing is empty.
pub fn csv(table: &Table) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header = table.columns.iter().map(|(name, _)| name.as_bytes());
    writer.write_record(header).expect("a vector takes all");
    for row in &table.rows {
        writer.write_record(row.iter().map(field)).expect("a row has the header's length");
    }
    writer.into_inner().expect("a vector takes all")
}

fn field(cell: &Cell) -> String {
    match cell {
        Cell::Missing => String::new(),
        Cell::Text(text) => text.clone(),
        Cell::Count(count) => count.to_string(),
        Cell::Number(number) => number.to_string(),
        Cell::Flag(flag) => flag.to_string(),
    }
}

/// One JSON object a line, its fields in the order of the columns. What is missing is `null`.
pub fn json_lines(table: &Table) -> Vec<u8> {
    let mut lines = Vec::new();
    for cells in &table.rows {
        let row = Row { table, cells };
        serde_json::to_writer(&mut lines, &row).expect("names are strings, numbers finite");
        lines.push(b'\n');
    }
    lines
}

struct Row<'a> {
    table: &'a Table,
    cells: &'a [Cell],
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.cells.len()))?;
        for ((name, _), cell) in self.table.columns.iter().zip(self.cells) {
            match cell {
                Cell::Missing => map.serialize_entry(name, &())?,
                Cell::Text(text) => map.serialize_entry(name, text)?,
                Cell::Count(count) => map.serialize_entry(name, count)?,
                Cell::Number(number) => map.serialize_entry(name, number)?,
                Cell::Flag(flag) => map.serialize_entry(name, flag)?,
            }
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::Kind;
    use super::*;

    fn table() -> Table {
        let columns = [
            ("who", Kind::Text),
            ("at_ms", Kind::Number),
            ("seed", Kind::Count),
            ("is_known", Kind::Flag),
        ];
        let mut table = Table::new("t", &columns);
        table.push(["a, \"b\"\nc".into(), 0.1.into(), u64::MAX.into(), true.into()]);
        table.push([Cell::Missing, f64::INFINITY.into(), Cell::Missing, Cell::Missing]);
        table
    }

    #[test]
    fn csv_quotes_what_needs_it_and_leaves_empty_what_is_missing() {
        let text = String::from_utf8(csv(&table())).unwrap();
        let row = "\"a, \"\"b\"\"\nc\",0.1,18446744073709551615,true";
        assert_eq!(text, format!("who,at_ms,seed,is_known\n{row}\n,,,\n"));
    }

    #[test]
    fn a_json_line_has_every_column() {
        let text = String::from_utf8(json_lines(&table())).unwrap();
        let row =
            r#"{"who":"a, \"b\"\nc","at_ms":0.1,"seed":18446744073709551615,"is_known":true}"#;
        let none = r#"{"who":null,"at_ms":null,"seed":null,"is_known":null}"#;
        assert_eq!(text, format!("{row}\n{none}\n"));
    }
}
