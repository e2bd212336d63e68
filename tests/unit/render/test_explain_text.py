"""explain as text and as JSON: the layout of the reference, what is hidden, what is left out."""
# ruff: noqa: E501  (one row, one line)

import json
from typing import Any

import jsonschema

from bundlectl.base.resources import resource_folder
from bundlectl.model.explanation import Explanation, Link, Role, Rule
from bundlectl.model.location import Keyed, SourceSpan
from bundlectl.model.plan import ABSENT
from bundlectl.render.explain_text import explain_document, explain_text

PATH = ("resources", "jobs", "etl", "tasks", Keyed("task_key", "transform"), "timeout_seconds")
VARIABLE = ("variables", "timeout", "value")
CHAIN = (
    Link(1200, Role.OVERRIDE, "${var.timeout}", SourceSpan("targets/prod.yml", 12, 30), "override of target prod", wins=True),
    Link(1200, Role.INVOKER, None, SourceSpan("databricks.yml", 9, 16), 'variable "timeout" from --var', VARIABLE),
    Link(600, Role.BASE, None, SourceSpan("resources/etl.yml", 31, 28, 31, 31), overridden=True),
)  # fmt: skip


def explanation(**more: Any) -> Explanation:
    fields = {"path": PATH, "target": "prod", "value": 1200, "chain": CHAIN, "recorded": 600, "deployment": 41}
    rule = Rule("integer", "compared as integer; change in place")
    return Explanation(**{**fields, "rule": rule, **more})


def test_the_chain_newest_first() -> None:
    assert explain_text(explanation()) == (
        "jobs.etl.tasks[transform].timeout_seconds = 1200     target prod\n"
        "  ${var.timeout} -> 1200    targets/prod.yml:12:30   override of target prod, wins\n"
        '  1200                      databricks.yml:9:16      variable "timeout" from --var\n'
        "  600                       resources/etl.yml:31:28  base\n"
        "  recorded (deployment 41)  600\n"
        "  rule                      compared as integer; change in place\n"
    )


def test_a_field_that_is_not_set() -> None:
    gone = Link(ABSENT, Role.REMOVED, note="taken away: empty text means not set", wins=True)
    text = explain_text(explanation(value=ABSENT, chain=(gone,), recorded=ABSENT, rule=None, target=None))
    assert text == (
        "jobs.etl.tasks[transform].timeout_seconds is not set\n"
        "  (not set)                   taken away: empty text means not set\n"
        "  recorded (deployment 41)  (not set)\n"
    )


def test_what_is_sensitive_is_in_neither_form() -> None:
    chain = (Link("hunter2", Role.BASE, "${var.x}hunter2", None, wins=True),)
    hidden = explanation(value="hunter2", chain=chain, recorded="hunter1", sensitive=True)
    assert "hunter" not in explain_text(hidden) + str(explain_document(hidden))
    assert explain_document(hidden)["chain"][0]["value"] == {"sensitive": True}


def test_large_and_strange_values_stay_on_one_line() -> None:
    big = {f"key_{number}": "x" * 20 for number in range(20)}
    chain = (Link(big, Role.DEFAULT, note="line\nbreak \x1b[31m", wins=True),)
    text = explain_text(explanation(value=list(big), chain=chain))
    assert "[20 elements]" in text and "{20 fields}" in text and "line\\nbreak \\x1b[31m" in text
    assert len(text.splitlines()) == 4


def test_another_field_is_named() -> None:
    preset = Link("p ", Role.MODE, note="filled in by mode: development", path=("presets", "name_prefix"))
    assert "presets.name_prefix: filled in by mode: development" in explain_text(explanation(chain=(preset,)))


def test_the_document() -> None:
    document = explain_document(explanation())
    assert document["format"] == "bundlectl.explain/v1" and document["diagnostics"] == []
    assert document["path"] == "resources.jobs.etl.tasks[task_key='transform'].timeout_seconds"
    assert (document["value"], document["recorded"], document["deployment"]) == (1200, 600, 41)
    assert document["rule"] == {
        "compared_as": "integer",
        "text": "compared as integer; change in place",
        "behaviours": [],
    }
    assert document["chain"][2] == {
        "value": 600,
        "raw": None,
        "span": {
            "file": "resources/etl.yml",
            "start": {"line": 31, "column": 28},
            "end": {"line": 31, "column": 31},
        },
        "role": "base",
        "note": None,
        "path": None,
        "wins": False,
        "overridden": True,
    }
    assert document["chain"][1]["path"] == "variables.timeout.value"


def test_a_side_that_is_absent_is_left_out() -> None:
    document = explain_document(explanation(value=ABSENT, chain=(), recorded=ABSENT, deployment=None, rule=None))
    assert not {"value", "recorded", "deployment"} & document.keys() and document["rule"] is None
    null = explain_document(explanation(value=None))
    assert null["value"] is None


def test_the_document_fits_its_schema() -> None:
    schema = json.loads((resource_folder("schemas") / "explain/v1.json").read_text(encoding="utf-8"))
    for shown in (explanation(), explanation(value=ABSENT, recorded=ABSENT), explanation(sensitive=True, rule=None)):
        document = json.loads(json.dumps(explain_document(shown)))
        assert [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(document)] == []
