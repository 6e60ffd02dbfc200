"""Reads the Perfetto trace with Perfetto's published messages: every slice begins and ends on a track that is
described, and slices of a track lie within each other.

usage: trace_events.py TRACE RUN.json
"""

import json
import pathlib
import sys

from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace, TrackEvent

path, run = (pathlib.Path(path) for path in sys.argv[1:])
run = json.loads(run.read_text())
trace = Trace()
trace.ParseFromString(path.read_bytes())
tracks, open_slices, names, latest = {}, {}, [], 0
for packet in trace.packet:
    if packet.HasField("track_descriptor"):
        track = packet.track_descriptor
        assert track.uuid not in tracks, track
        assert not track.HasField("parent_uuid") or track.parent_uuid in tracks, track
        tracks[track.uuid] = track
    elif packet.HasField("track_event"):
        event = packet.track_event
        assert event.track_uuid in tracks, event
        assert packet.timestamp >= latest, packet
        latest = packet.timestamp
        stack = open_slices.setdefault(event.track_uuid, [])
        if event.type == TrackEvent.TYPE_SLICE_BEGIN:
            stack.append(event.name)
            names.append(event.name)
        elif event.type == TrackEvent.TYPE_SLICE_END:
            stack.pop()
        elif event.type == TrackEvent.TYPE_COUNTER:
            assert tracks[event.track_uuid].HasField("counter"), event
            assert event.HasField("double_counter_value"), event
        else:
            assert event.type == TrackEvent.TYPE_INSTANT and event.name, event
assert not any(open_slices.values()), "every slice ends"
labels = {track.name for track in tracks.values()}
assert {"faults", "breakers", "counts", "offered"} <= labels, labels
for breaker in {line["policy"] for line in run["transitions"]}:
    of = [name for name in labels if name == breaker or breaker.split("->")[1] in name]
    assert of, (breaker, labels)
print(f"perfetto: {len(tracks)} tracks, {len(names)} slices")
