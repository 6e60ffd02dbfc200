"""Reads a table as Parquet and as CSV with DuckDB, and turns the CSV into Parquet.

usage: parquet.py FOLDER, which has t.parquet and t.csv
"""

import pathlib
import sys

import duckdb

folder = pathlib.Path(sys.argv[1])
(as_parquet, as_csv, made) = (folder / name for name in ("t.parquet", "t.csv", "made.parquet"))


def read(source):
    return duckdb.sql(f"from {source}").fetchall()


types = [str(kind) for kind in duckdb.sql(f"from '{as_parquet}'").types]
assert types == ["VARCHAR", "DOUBLE", "UBIGINT", "BOOLEAN"], types
rows = read(f"'{as_parquet}'")
wanted = [
    ('a, "b"\nc', 0.1, 2**64 - 1, True),
    (None, None, None, None),
    ("ü", 1e300, 0, False),
]
assert rows == wanted, rows
columns = "{'who': 'VARCHAR', 'ms': 'DOUBLE', 'seed': 'UBIGINT', 'is_known': 'BOOLEAN'}"
assert read(f"read_csv('{as_csv}', columns = {columns}, header = true)") == wanted
duckdb.sql(f"copy (from '{as_csv}') to '{made}'")
assert len(read(f"'{made}'")) == len(wanted)
print("parquet: 3 rows")
