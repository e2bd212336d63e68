"""Lookup variables (config language 7.4): answered from what the request brings, else left as they are."""

import pytest

from bundlectl.config.lookups import read_lookup_file
from bundlectl.model.diagnostic import Severity
from bundlectl.model.errors import InputError
from tests.unit.config.bundles import codes, found, loaded

BUNDLE = """\
bundle: {name: b}
variables:
  plain: {default: one}
  w: {lookup: {cluster: "c ${var.plain} ${bundle.target}"}}
  via: {default: "${var.w}"}
resources:
  jobs:
    j: {name: "${var.w}/${var.via}", tasks: [{task_key: t, shell_task: {command: a}}]}
"""


def test_an_answer_is_the_value_and_its_origin_is_recorded() -> None:
    result = loaded(BUNDLE, lookups={"cluster": {"c one default": "4321"}})
    assert found(result, "BND238") == []
    assert result.document is not None
    assert result.document["variables"]["w"]["value"] == "4321"
    assert result.document["resources"]["jobs"]["j"]["name"] == "4321/4321"
    assert result.bundle is not None
    assert ("w", "4321", "lookup") in [tuple(item) for item in result.bundle.variables]


@pytest.mark.parametrize(
    "lookups", [{}, {"cluster": {"c one prod": "1"}}, {"job": {"c one default": "1"}}, {"cluster": {}}]
)
def test_without_an_answer_the_references_stay(lookups: dict[str, dict[str, str]]) -> None:
    result = loaded(BUNDLE, lookups=lookups)
    (finding,) = found(result, "BND238")
    assert finding.severity is Severity.PLAN_ERROR
    assert (finding.path, str(finding.spans[0])) == ("variables.w.lookup", "databricks.yml:4:15")
    assert result.document is not None
    assert "value" not in result.document["variables"]["w"]
    assert result.document["resources"]["jobs"]["j"]["name"] == "${var.w}/${var.w}"


@pytest.mark.parametrize(
    ("more", "value"),
    [
        ({"variables": (("w", "given", "flag"),)}, "given"),
        ({"variables": (("w", "given", "environment"),)}, "given"),
        ({"variable_file": {"w": "given"}}, "given"),
        ({"override_files": (("default", b'{"w": "weaker"}'),)}, "4321"),
    ],
)
def test_a_lookup_is_weaker_than_the_invoker_and_stronger_than_the_overrides_file(
    more: dict[str, object], value: str
) -> None:
    result = loaded(BUNDLE, lookups={"cluster": {"c one default": "4321"}}, **more)
    assert result.document is not None
    assert result.document["variables"]["w"]["value"] == value


@pytest.mark.parametrize("reference", ["${var.first}", "${variables.first.value}", "x ${var.first}"])
def test_a_lookup_of_a_lookup(reference: str) -> None:
    text = (
        f"bundle: {{name: b}}\nvariables:\n  first: {{lookup: {{job: x}}}}\n  w: {{lookup: {{job: '{reference}'}}}}\n"
    )
    result = loaded(text, lookups={"job": {"x": "1"}})
    (finding,) = found(result, "BND237")
    assert (finding.severity, str(finding.spans[0])) == (Severity.ERROR, "databricks.yml:4:21")
    assert '"first"' in finding.summary


def test_a_name_that_waits_for_a_lookup_is_not_asked_for() -> None:
    text = (
        "bundle: {name: b}\nvariables:\n  first: {lookup: {job: x}}\n  between: {default: '${var.first}'}\n"
        "  w: {lookup: {job: '${var.between}'}}\n"
    )
    assert codes(loaded(text, lookups={"job": {"${var.first}": "1", "${var.between}": "2"}})) == ["BND238", "BND238"]


def test_the_file_gives_kinds_names_and_ids() -> None:
    data = b'{"cluster": {"some": "4321"}, "job": {"etl": 77}}'
    assert read_lookup_file(data, "look.json") == {"cluster": {"some": "4321"}, "job": {"etl": "77"}}
    assert read_lookup_file(b"", "look.json") == {}


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("[1]", "look.json:1:1", "expected a map"),
        ('{"clusters": {}}', "look.json:1:2", '"clusters" is no kind of lookup'),
        ('{"cluster": "x"}', "look.json:1:13", "expected a map of names"),
        ('{"job": {"a": null}}', "look.json:1:15", 'the id of job "a"'),
        ('{"job": {"a": true}}', "look.json:1:15", 'the id of job "a"'),
        ('{"job": {"a": [1]}}', "look.json:1:15", 'the id of job "a"'),
        ('{"job": ', "look.json:", ""),
    ],
)
def test_a_file_that_says_something_else(text: str, place: str, words: str) -> None:
    with pytest.raises(InputError) as refused:
        read_lookup_file(text.encode(), "look.json")
    finding = refused.value.diagnostics[0]
    assert (refused.value.code, finding.code) == ("BND140", "BND140")
    assert str(finding.spans[0]).startswith(place)
    assert words in finding.summary
    assert refused.value.read_source is not None and refused.value.read_source("look.json") == text.encode()
