"""Rows of the conformance tables: what is written, and the finding or the value that it ends in. With marks for places.

In a text `@1@` stands where the first place of the finding is, `@2@` where the second is.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from bundlectl.model.diagnostic import Severity
from tests.unit.config.bundles import Content, document, found, loaded

_MARK = re.compile(rb"@([12])@")


class Row(NamedTuple):
    """One bad input: the code it ends in (without BND), its class, words of the summary, words of detail and hint."""

    name: str
    files: Content | Mapping[str, Content]  # one text is databricks.yml
    code: str
    severity: Severity
    summary: str
    advice: str = ""
    at: str = ""  # place, for a file that cannot hold marks; "-" for a finding without place
    more: Mapping[str, Any] = {}  # of the request and of the tree


class Good(NamedTuple):
    """One input that is accepted: no finding but those with `codes`, and a value of the printed document."""

    name: str
    files: Content | Mapping[str, Content]
    path: str = "bundle.name"
    value: Any = "b"
    codes: tuple[str, ...] = ()
    more: Mapping[str, Any] = {}


def split_marks(content: Content, file: str) -> tuple[Content, dict[int, str]]:
    """A text without its marks, and the place of each, as a finding names it."""
    data = content.encode() if isinstance(content, str) else content
    places: dict[int, str] = {}
    clean = b""
    at = 0
    for mark in _MARK.finditer(data):
        clean += data[at : mark.start()]
        before = clean.decode("utf-8")
        line = before.count("\n") + 1
        places[int(mark[1])] = f"{file}:{line}:{len(before) - (before.rfind(chr(10)) + 1) + 1}"
        at = mark.end()
    clean += data[at:]
    return clean if isinstance(content, bytes) else clean.decode(), places


def prepared(files: Content | Mapping[str, Content]) -> tuple[dict[str, Content], list[str]]:
    """Files without marks, and the marked places in order."""
    places: dict[int, str] = {}
    clean: dict[str, Content] = {}
    for file, content in (files if isinstance(files, Mapping) else {"databricks.yml": files}).items():
        clean[file], marked = split_marks(content, file)
        places.update(marked)
    return clean, [places[number] for number in sorted(places)]


def check_row(row: Row) -> None:
    """The finding of a row is there, with its class, words and places."""
    files, places = prepared(row.files)
    result = loaded(files, **row.more)
    matching = [item for item in found(result, f"BND{row.code}") if row.summary in item.summary]
    assert matching, [(item.code, item.summary) for item in result.diagnostics]
    finding = matching[0]
    assert finding.severity is row.severity
    for words in row.advice.split(" --"):
        assert words in f"{finding.detail} {finding.hint}"
    spans = [str(span) for span in finding.spans]
    if row.at == "-":
        assert spans == []
    elif row.at:
        assert spans[0] == f"databricks.yml:{row.at}"
    else:
        assert spans[: len(places)] == places
    assert (result.bundle is None) == any(item.severity is Severity.ERROR for item in result.diagnostics)
    assert all(sign.isprintable() for item in result.diagnostics for sign in item.summary)


ABSENT = "(absent)"


def at(value: Any, path: str) -> Any:
    """A value by a simple path: `resources.jobs.j.tasks.0.task_key`."""
    for step in path.split("."):
        if isinstance(value, list):
            value = value[int(step)] if int(step) < len(value) else ABSENT
        else:
            value = value.get(step, ABSENT) if isinstance(value, dict) else ABSENT
    return value


def check_good(row: Good) -> None:
    """The input is taken without other findings, and resolves to the value."""
    files, _ = prepared(row.files)
    result = loaded(files, **row.more)
    assert [item for item in result.diagnostics if item.code.removeprefix("BND") not in row.codes] == []
    assert result.bundle is not None
    assert at(document(result), row.path) == row.value
