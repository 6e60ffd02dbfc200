"""Reads OTLP/JSON spans with OpenTelemetry's own messages, and looks whether they are trees.

usage: spans.py SPANS.otlp.jsonl RUN.json
"""

import json
import pathlib
import re
import sys

from google.protobuf.json_format import Parse
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

spans, run = (pathlib.Path(path) for path in sys.argv[1:])
run = json.loads(run.read_text())
traces, count, attempts, ids = set(), 0, {}, set()
for line in spans.read_text().splitlines():
    # Unknown fields and wrong types are refused.
    Parse(line, TracesData())
    of_line, kinds, state = {}, {}, {}
    for resource in json.loads(line)["resourceSpans"]:
        names = {a["key"]: a["value"]["stringValue"] for a in resource["resource"]["attributes"]}
        assert names["service.name"], resource
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                assert re.fullmatch("[0-9a-f]{32}", span["traceId"]), span
                assert re.fullmatch("[0-9a-f]{16}", span["spanId"]), span
                assert span["spanId"] not in ids, span
                assert int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"]), span
                said = {a["key"]: a["value"]["stringValue"] for a in span["attributes"]}
                # Nothing but success is shown as well.
                assert (span["status"]["code"] == 1) == (said["sim.state"] == "succeeded"), span
                ids.add(span["spanId"])
                of_line[span["spanId"]] = span
                kinds[span["spanId"]] = said["sim.kind"]
    roots = [span for span in of_line.values() if "parentSpanId" not in span]
    assert len(roots) == 1, roots
    [trace] = {span["traceId"] for span in of_line.values()}
    assert trace not in traces
    traces.add(trace)
    for span in of_line.values():
        if "parentSpanId" in span:
            parent = of_line[span["parentSpanId"]]
            assert int(parent["startTimeUnixNano"]) <= int(span["startTimeUnixNano"]), (parent, span)
            if kinds[span["spanId"]] in ("attempt", "command"):
                assert kinds[span["parentSpanId"]] != "intent", span
    count += len(of_line)
    for kind in kinds.values():
        attempts[kind] = attempts.get(kind, 0) + 1
print(f"otlp: {len(traces)} traces, {count} spans, {attempts}")
