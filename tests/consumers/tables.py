"""Opens the exported tables with pandas and DuckDB, and asks both what `sim run --json` says.

usage: tables.py FOLDER FORMAT RUN.json
"""

import json
import pathlib
import sys

import duckdb
import pandas

folder, form, run = sys.argv[1:]
folder = pathlib.Path(folder)
run = json.loads(pathlib.Path(run).read_text())

READ = {
    "csv": (pandas.read_csv, "read_csv"),
    "jsonl": (lambda path: pandas.read_json(path, lines=True), "read_json"),
    "parquet": (lambda path: duckdb.sql(f"from '{path}'").df(), "read_parquet"),
}
read, function = READ[form]


def frame(name):
    return read(folder / f"{name}.{form}")


def ask(query):
    """A query over tables that are named in braces."""
    names = {path.stem: f"{function}('{path}')" for path in folder.glob(f"*.{form}")}
    return duckdb.sql(query.format(**names)).fetchall()


def same(what, found, wanted):
    assert found == wanted, f"{what}: {found} instead of {wanted}"


goodput = run["goodput"]
states = frame("intents").query("measured").groupby("state").size().to_dict()
count = lambda *names: sum(states.get(name, 0) for name in names)
same("offered", sum(states.values()), goodput["offered"])
same("achieved", count("succeeded"), goodput["achieved"])
same("degraded", count("degraded"), goodput["degraded"])
same("missed", count("failed", "unknown"), goodput["missed"])
same("unanswered", count("unanswered"), goodput["unanswered"])
[(asked,)] = ask("select count(*) from {intents} where measured and state = 'unanswered'")
same("unanswered, DuckDB", asked, goodput["unanswered"])

broken = {row["name"]: row["violations"] for row in run["invariants"]}
violations = frame("violations")
# JSON Lines without a line have no columns.
query = "select promise, count(*) from {violations} group by promise"
found = dict(ask(query)) if len(violations) else {}
same("violations", found, {name: count for name, count in broken.items() if count > 0})
first = {row["name"]: row["first"]["witness"] for row in run["invariants"] if row["first"]}
for promise, witness in first.items():
    of = violations[violations.promise == promise].sort_values("at_ms", kind="stable")
    same("the first witness", of.witness.iloc[0], witness)

effects = {kind: effect["count"] for kind, effect in run["effects"].items()}
ledger = frame("ledger")
found = ledger.groupby("kind").size().to_dict() if len(ledger) else {}
same("effects", found, {kind: count for kind, count in effects.items() if count > 0})
for caller, callee, calls, success, attempts in ask(
    "select caller, callee, calls, success, attempts from {calls}"
):
    of = run["calls"][f"{caller}->{callee}"]
    same("calls", (calls, success, attempts), (of["calls"], of["success"], of["attempts"]))

actors = frame("actors")
for actor, figures in run["actors"].items():
    of = actors[(actors.actor == actor) & actors.instance.isna()].set_index("figure").value
    same(f"unknown of {actor}", of.get("unknown"), figures.get("unknown"))

series = frame("series")
offered = series[(series.kind == "run") & (series.figure == "offered")].value.sum()
same("offered in windows", offered, len(frame("intents")))
wide = series[series.kind == "run"].pivot(index="from_ms", columns="figure", values="value")
same("windows", wide.index.is_monotonic_increasing, True)
sums = series.groupby(["kind", "of", "figure"]).value.sum()
for kind, windows in run["series"]["effects"].items():
    for figure, counts in windows.items():
        same(f"{figure} of {kind}", sums["effect", kind, figure], sum(counts))
    same(f"{kind} in windows", sum(windows["count"]), effects[kind])
for client, windows in run["series"]["clients"].items():
    same(f"unanswered of {client}", sums["client", client, "unanswered"], sum(windows["unanswered"]))
for hop, endings in run["series"]["endings"].items():
    for ending, counts in endings.items():
        same(f"{ending} of {hop}", sums["hop", hop, f"ended_{ending}"], sum(counts))

[(latest,)] = ask("select max(at_ms) from {log}")
assert latest <= run["virtual_ms"] + run["grace"]["taken_ms"] + 1e-6, latest
buckets = ask("select sum(count) from {histograms} where during is null and ending = 'open'")
print(f"{form}: {len(frame('intents'))} intents, {len(violations)} violations, open {buckets[0][0]}")
