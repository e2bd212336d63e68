"""The layout of `validate -o json`."""

import json
from typing import Any

from bundlectl.render.resolved import resolved_text


def test_layout_order_numbers_and_escapes() -> None:
    document: dict[str, Any] = {"b": [], "a": {"z": 1.0, "y": 0.25, "x": [1, {"k": "<&>\u2028"}]}, "c": {}, "d": None}
    assert resolved_text(document) == (
        '{\n  "a": {\n    "x": [\n      1,\n      {\n        "k": "\\u003c\\u0026\\u003e\\u2028"\n      }\n    ],\n'
        '    "y": 0.25,\n    "z": 1\n  },\n  "b": [],\n  "c": {},\n  "d": null\n}\n'
    )


def test_it_reads_back_as_the_same_document() -> None:
    document = {"name": 'caf\u00e9 "x"', "list": [True, 1e-7, "line\nbreak"], "tags": {"a": "b"}}
    assert json.loads(resolved_text(document)) == document
