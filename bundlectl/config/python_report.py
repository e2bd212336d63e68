"""How a phase of a bundle's Python functions ended: result, findings and places, as its process wrote them.

Called by config.python_code. Everything here comes from a process that ran code of the tree, so nothing is taken for
granted: not that it is JSON, not its size, not its positions. What a result may change is in config.python_result.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from bundlectl.config.facts import Facts, Findings
from bundlectl.config.findings import error, warning
from bundlectl.config.request import PythonAnswer
from bundlectl.config.tree_view import join
from bundlectl.model.diagnostic import Diagnostic, Related, Severity
from bundlectl.model.location import SourceSpan

_MOST_DIAGNOSTICS = 200
_MOST_FRAMES = 4
_FRAME = re.compile(r'^ {0,8}File "(?P<file>[^"\n]{1,4096})", line (?P<line>[0-9]{1,9})', re.MULTILINE)
_MISSING = re.compile(r"No module named '?databricks(?:\.bundles)?(?:\.build)?\b")
_QUOTED = re.compile(r"'([\w.:]{1,200})'")
_ESCAPES = re.compile("\x1b\\[[0-9;]{0,20}m")
_RESOURCE = re.compile(r"resources\.(?P<kind>[^.]+)\.(?P<key>.+)")


@dataclass(frozen=True, kw_only=True)
class Read:
    """An answer as far as it holds. `output` is None when it says nothing that can be used."""

    output: Mapping[str, Any] | None
    places: Mapping[tuple[str, str], SourceSpan]  # kind and key of a resource -> where Python made it
    findings: Findings


class Places:
    """File names of a process -> files of the tree. `outside` are those that came from the disk instead of the tree."""

    def __init__(
        self, facts: Facts, folder: str, section: SourceSpan, functions: Mapping[str, SourceSpan] | None = None
    ) -> None:
        self._facts = facts
        self._folder = folder.rstrip("/")
        self._functions = functions or {}  # "module:function" -> where the section names it
        self.section = section  # the `python` section: what a finding points at when Python names no place
        self.outside: set[str] = set()

    def span(self, file: Any, line: Any, column: Any) -> SourceSpan | None:
        """The place, when it is one of the tree."""
        if not isinstance(file, str) or not file:
            return None
        path = self._in_tree(file)
        if path is None or path not in self._facts.view.entries:
            return None
        return SourceSpan(path, _number(line), _number(column))

    def _in_tree(self, file: str) -> str | None:
        if not file.startswith("/"):
            return join(self._facts.root, file)
        if self._folder and file.startswith(self._folder + "/"):
            return file[len(self._folder) + 1 :]
        top = self._facts.request.top.rstrip("/")
        if top and file.startswith(top + "/"):
            path = file[len(top) + 1 :]
            if path in self._facts.view.entries:
                self.outside.add(path)
                return path
        return None

    def named(self, text: str) -> SourceSpan:
        """The entry of the section that a message speaks of, else the section."""
        words = set(_QUOTED.findall(text))
        for function, span in self._functions.items():
            if words & {function, *function.split(":")}:
                return span
        return self.section

    def frames(self, text: str) -> list[SourceSpan]:
        """Places of the tree in a traceback, the innermost first."""
        found = [self.span(match["file"], int(match["line"]), 1) for match in _FRAME.finditer(text)]
        return list(dict.fromkeys(place for place in reversed(found) if place is not None))


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**9 else 1


def read_answer(answer: PythonAnswer, phase: str, facts: Facts, places: Places) -> Read:
    """The configuration that a phase gave, and what is to be said of how it ended."""
    section = places.section
    if answer.fault is not None:
        code = "BND294" if answer.no_venv else "BND296"
        return _nothing([error(code, answer.fault, section, path=("python",), hint=answer.hint)])
    findings: Findings = []
    if answer.diagnostics is None:
        return _nothing([_ended_badly(answer, phase, places)])
    findings += _diagnostics(answer.diagnostics, places)
    failed = any(finding.severity is Severity.ERROR for finding in findings)
    if answer.code != 0 and not failed:
        findings.append(_ended_badly(answer, phase, places))
        failed = True
    if failed:
        return _nothing(findings)
    if answer.output is None:
        return _nothing([*findings, error("BND296", f"python wrote no result in phase {phase}", section)])
    if len(answer.output) > facts.request.limits.bundle_bytes:
        return _nothing([*findings, error("BND297", f"python's result of phase {phase} is too large", section)])
    try:
        output = _parsed(answer.output)
    except (ValueError, RecursionError) as fault:
        summary = f"python's result of phase {phase} is not JSON that can be used: {fault}"
        return _nothing([*findings, error("BND297", summary, section, path=("python",))])
    found = _locations(answer.locations, places)
    if places.outside and not facts.revision.working_tree:
        findings.append(_not_of_the_tree(places, facts))
        return _nothing(findings)
    return Read(output=output, places=found, findings=findings)


def _nothing(findings: Findings) -> Read:
    return Read(output=None, places={}, findings=findings)


def _not_of_the_tree(places: Places, facts: Facts) -> Diagnostic:
    names = ", ".join(f'"{path}"' for path in sorted(places.outside)[:3])
    summary = f"python ran {names} of the working tree, not of the {facts.view.tree.label}"
    hint = "the virtual environment has the bundle installed in editable form: install it there without -e, or not"
    return error("BND297", summary, places.section, path=("python",), hint=hint)


def _ended_badly(answer: PythonAnswer, phase: str, places: Places) -> Diagnostic:
    lines = [line.rstrip() for line in answer.stderr.splitlines() if line.strip()]
    hint = None
    if _MISSING.search(answer.stderr):
        hint = "install databricks-bundles for that interpreter: pip install databricks-bundles"
    summary = f"python ended with exit status {answer.code} in phase {phase}"
    detail = lines[-1][:500] if lines else "it wrote nothing to stderr"
    related = tuple(Related(place, "called from here") for place in places.frames(answer.stderr)[:_MOST_FRAMES])
    return error("BND296", summary, places.section, path=("python",), detail=detail, hint=hint, related=related)


def _parsed(data: bytes) -> Mapping[str, Any]:
    """Raises ValueError (with what is wrong), RecursionError."""

    def refuse(text: str) -> Any:
        raise ValueError(f"{text[:40]} is not a number that a bundle can hold")

    def integer(text: str) -> int:
        if len(text) > 20 or not -(2**63) <= int(text) < 2**63:
            refuse(text)
        return int(text)

    value = json.loads(data.decode("utf-8"), parse_constant=refuse, parse_int=integer)
    if not isinstance(value, dict):
        raise ValueError("it is no object")
    if not isinstance(value.get("resources") or {}, dict):
        raise ValueError("its resources are no object")
    for kind, entries in (value.get("resources") or {}).items():
        if not isinstance(entries or {}, dict):
            raise ValueError(f"resources.{kind[:100]} is no object")
    return value


def _json_lines(data: bytes) -> Iterable[Mapping[str, Any]]:
    for line in data.decode("utf-8", "replace").split("\n"):
        try:
            value = json.loads(line) if line.strip() else None
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            yield value


def _diagnostics(data: bytes, places: Places) -> Findings:
    """What the functions, or the package, reported."""
    found: Findings = []
    for entry in islice(_json_lines(data), _MOST_DIAGNOSTICS):
        text = _ESCAPES.sub("", str(entry.get("detail") or ""))
        where = entry.get("location") if isinstance(entry.get("location"), dict) else {}
        assert isinstance(where, dict)
        frames = places.frames(text)
        given = places.span(where.get("file"), where.get("line"), where.get("column"))
        # The line that failed is the place to edit first; the function that it is in comes after it.
        spans = list(dict.fromkeys([*frames, *([given] if given is not None else [])]))
        summary = str(entry.get("summary") or "an error without a message")[:1000]
        main = spans[0] if spans else places.named(summary)
        path = _path(entry.get("path"))
        make = warning if entry.get("severity") == "warning" else error
        finding = make(
            "BND296",
            f"python: {summary}",
            main,
            path=path or ("python",),
            detail=_last_line(text),
            hint=_explanation(text),
        )
        others = tuple(Related(place, "called from here") for place in spans[1 : _MOST_FRAMES + 1])
        found.append(replace(finding, related=others))
    return found


def _last_line(text: str) -> str | None:
    """The message of a traceback, or the first line of other text."""
    trace = text.partition("\n\nExplanation:")[0]
    lines = [line.strip() for line in trace.splitlines() if line.strip()]
    if not lines:
        return None
    return (lines[-1] if lines[0].startswith("Traceback") else lines[0])[:500]


def _explanation(text: str) -> str | None:
    explained = text.partition("\n\nExplanation:")[2].strip()
    return explained.splitlines()[0][:500] if explained else None


def _path(text: Any) -> tuple[str, ...]:
    match = _RESOURCE.fullmatch(text) if isinstance(text, str) else None
    return ("resources", match["kind"], match["key"]) if match is not None else ()


def _locations(data: bytes | None, places: Places) -> dict[tuple[str, str], SourceSpan]:
    found = {}
    for entry in _json_lines(data or b""):
        path = _path(entry.get("path"))
        place = places.span(entry.get("file"), entry.get("line"), entry.get("column"))
        if path and place is not None:
            found[path[1], path[2]] = place
    return found
