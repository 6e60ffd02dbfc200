"""Parses the OpenMetrics text with Prometheus' own parser, and asks it what `sim run --json` says.

usage: openmetrics.py METRICS.txt RUN.json
"""

import json
import pathlib
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families

text, run = (pathlib.Path(path).read_text() for path in sys.argv[1:])
run = json.loads(run)
samples = {}
for family in text_string_to_metric_families(text):
    for sample in family.samples:
        samples[sample.name, tuple(sorted(sample.labels.items()))] = sample.value


def value(name, **labels):
    return samples[name, tuple(sorted(labels.items()))]


for state in ["achieved", "degraded", "missed", "unanswered"]:
    assert value("sim_intents_total", state=state) == run["goodput"][state], state
for promise in run["invariants"]:
    found = value("sim_promise_violations_total", promise=promise["name"])
    assert found == promise["violations"], promise
    labels = {"promise": promise["name"], "sim_promise_verdict": promise["verdict"]}
    assert value("sim_promise_verdict", **labels) == 1, promise
for hop, call in run["calls"].items():
    caller, callee = hop.split("->")
    for ending in ["success", "failed", "unknown", "abandoned"]:
        found = value("sim_calls_total", caller=caller, callee=callee, ending=ending)
        assert found == call[ending], (hop, ending)
    by = [value("sim_attempts_total", caller=caller, callee=callee, by=by) for by in ["first", "retry", "hedge"]]
    assert sum(by) == call["attempts"], hop
for kind, effect in run["effects"].items():
    assert value("sim_effects_total", kind=kind) == effect["count"], kind
    assert value("sim_effects_duplicated_total", kind=kind) == effect["duplicated"], kind
print(f"openmetrics: {len(samples)} samples")
