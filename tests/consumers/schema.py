"""Validates what commands print against the schema that `sim schema` prints for them. Here every field must be
described: the published schema lets fields be added.

usage: schema.py SCHEMA.json OUTPUT.json
"""

import json
import pathlib
import sys

from jsonschema import Draft202012Validator

schema, output = (json.loads(pathlib.Path(path).read_text()) for path in sys.argv[1:])
Draft202012Validator.check_schema(schema)


def closed(node):
    """The same schema, without fields that it does not describe."""
    if isinstance(node, dict):
        node = {key: closed(value) for key, value in node.items()}
        if "properties" in node and "additionalProperties" not in node:
            node["unevaluatedProperties"] = False
        return node
    return [closed(item) for item in node] if isinstance(node, list) else node


for name, validator in [("published", schema), ("strict", closed(schema))]:
    errors = list(Draft202012Validator(validator).iter_errors(output))
    for error in errors[:5]:
        print(f"{name}: {error.json_path}: {error.message[:300]}")
    assert not errors, f"{sys.argv[2]} is not as {sys.argv[1]} says"
print(f"schema: {pathlib.Path(sys.argv[1]).stem} is kept")
