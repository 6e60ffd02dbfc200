//! Tables as Apache Parquet: one row group, not compressed. What is missing is null.

use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::Result;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::Type;

use super::table::{Cell, Kind, Table};

/// A table as a Parquet file.
///
/// # Panics
/// Never: a vector takes all, and a cell is of its column's kind.
pub fn parquet(table: &Table) -> Vec<u8> {
    write(table).expect("a vector takes all, and a cell is of its column's kind")
}

fn write(table: &Table) -> Result<Vec<u8>> {
    let fields = table.columns.iter().map(|(name, kind)| field(name, *kind).map(Arc::new));
    let fields = fields.collect::<Result<Vec<_>>>()?;
    let schema = Type::group_type_builder(table.name).with_fields(fields).build()?;
    let made = concat!("sim ", env!("CARGO_PKG_VERSION")).to_owned();
    let properties = WriterProperties::builder().set_created_by(made).build();
    let mut writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties))?;
    let mut rows = writer.next_row_group()?;
    for (place, (_, kind)) in table.columns.iter().enumerate() {
        let mut column = rows.next_column()?.expect("the schema has it");
        let cells = table.rows.iter().map(|row| &row[place]);
        match kind {
            Kind::Text => fill::<ByteArrayType>(&mut column, cells.map(text))?,
            Kind::Count => fill::<Int64Type>(&mut column, cells.map(count))?,
            Kind::Number => fill::<DoubleType>(&mut column, cells.map(number))?,
            Kind::Flag => fill::<BoolType>(&mut column, cells.map(flag))?,
        }
        column.close()?;
    }
    rows.close()?;
    writer.into_inner()
}

fn field(name: &str, kind: Kind) -> Result<Type> {
    let (physical, logical) = match kind {
        Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Kind::Count => (Physical::INT64, Some(LogicalType::integer(64, false))),
        Kind::Number => (Physical::DOUBLE, None),
        Kind::Flag => (Physical::BOOLEAN, None),
    };
    let field = Type::primitive_type_builder(name, physical).with_logical_type(logical);
    field.with_repetition(Repetition::OPTIONAL).build()
}

/// Values, and for each row whether it has one.
fn fill<T: DataType>(
    column: &mut SerializedColumnWriter<'_>,
    cells: impl Iterator<Item = Option<T::T>>,
) -> Result<()> {
    let cells: Vec<Option<T::T>> = cells.collect();
    let is_there: Vec<i16> = cells.iter().map(|cell| i16::from(cell.is_some())).collect();
    let values: Vec<T::T> = cells.into_iter().flatten().collect();
    column.typed::<T>().write_batch(&values, Some(&is_there), None).map(|_| ())
}

fn text(cell: &Cell) -> Option<ByteArray> {
    if let Cell::Text(text) = cell { Some(ByteArray::from(text.as_str())) } else { None }
}

/// The bits of an unsigned number: the schema says that it is one.
fn count(cell: &Cell) -> Option<i64> {
    if let Cell::Count(count) = cell { Some(count.cast_signed()) } else { None }
}

fn number(cell: &Cell) -> Option<f64> {
    if let Cell::Number(number) = cell { Some(*number) } else { None }
}

fn flag(cell: &Cell) -> Option<bool> {
    if let Cell::Flag(flag) = cell { Some(*flag) } else { None }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    use super::*;
    use crate::export::csv;

    fn table() -> Table {
        let columns = [
            ("who", Kind::Text),
            ("p99.9(users)_ms", Kind::Number),
            ("seed", Kind::Count),
            ("is_known", Kind::Flag),
        ];
        let mut table = Table::new("t", &columns);
        table.push(["a, \"b\"\nc".into(), 0.1.into(), u64::MAX.into(), true.into()]);
        table.push([Cell::Missing, f64::INFINITY.into(), Cell::Missing, Cell::Missing]);
        table.push(["ü".into(), 1e300.into(), 0_u64.into(), false.into()]);
        table
    }

    #[test]
    fn a_table_is_the_same_file_again_also_without_rows() {
        let file = parquet(&table());
        assert!(file.starts_with(b"PAR1") && file.ends_with(b"PAR1"));
        assert_eq!(file, parquet(&table()));
        let empty = parquet(&Table { rows: Vec::new(), ..table() });
        assert!(empty.ends_with(b"PAR1"));
    }

    /// DuckDB reads the same from it as from CSV, and makes the same of CSV in one command.
    #[test]
    fn duckdb_reads_what_is_in_the_table() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
        let python = root.join("target/consumers/bin/python");
        if !python.exists() {
            eprintln!("SKIPPED: no consumers; `.ci/run` installs them");
            return;
        }
        let folder = root.join("target/tmp/parquet");
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("t.parquet"), parquet(&table())).expect("a file");
        fs::write(folder.join("t.csv"), csv(&table())).expect("a file");
        let script = root.join("tests/consumers/parquet.py");
        let told = Command::new(python).arg(script).arg(&folder).output().expect("Python runs");
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(told.status.success(), "{}{}", said(&told.stdout), said(&told.stderr));
    }
}
