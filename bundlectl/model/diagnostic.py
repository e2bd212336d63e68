"""Findings about the user's input: collected and shown together, never raised.

Made by config, planning guards and operations; rendered by render.diagnostics. The tool's own failures are
exceptions (model.errors).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from bundlectl.model.location import SourceSpan


class Severity(StrEnum):
    """How much a finding weighs. The values are what JSON shows, once `settled`."""

    ERROR = "error"
    PLAN_ERROR = "plan-error"  # validate warns; plan, deploy and run stop
    WARNING = "warning"
    NOTE = "note"


class Related(NamedTuple):
    """A second place that explains a finding: where, and what is there."""

    span: SourceSpan
    text: str


@dataclass(frozen=True, kw_only=True)
class Diagnostic:
    """One finding."""

    code: str  # BNDnnn, registered in model.codes
    severity: Severity
    summary: str  # one line, in the user's words, outside text in double quotes
    detail: str | None = None  # what the caret line adds: the nearest name, the first definition
    hint: str | None = None  # what to do next, something that can be pasted
    path: str | None = None  # field in the bundle, full form
    spans: tuple[SourceSpan, ...] = ()  # the place to edit first; further places of the same fault after it
    related: tuple[Related, ...] = ()  # where else to look: first definition, where a variable got its value


class Diagnostics:
    """A collection that steps add to. Order of display: file, position, then errors last is the renderer's choice."""

    def __init__(self, items: Iterable[Diagnostic] = ()) -> None:
        self._items: list[Diagnostic] = list(items)

    def add(self, item: Diagnostic) -> None:
        self._items.append(item)

    def extend(self, items: Iterable[Diagnostic]) -> None:
        self._items.extend(items)

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    @property
    def has_errors(self) -> bool:
        """True when a finding of class error stops the stages after this one."""
        return any(item.severity is Severity.ERROR for item in self._items)

    def settled(self, *, planning: bool, strict: bool = False) -> "Diagnostics":
        """A copy in which plan errors became what they are for the command at hand.

        `planning`: errors (plan, deploy, run); else warnings. `strict`: warnings are errors too.
        """
        return Diagnostics(_settle(item, planning, strict) for item in self._items)


def _settle(item: Diagnostic, planning: bool, strict: bool) -> Diagnostic:
    severity = item.severity
    if severity is Severity.PLAN_ERROR:
        severity = Severity.ERROR if planning else Severity.WARNING
    if strict and severity is Severity.WARNING:
        severity = Severity.ERROR
    return item if severity is item.severity else replace(item, severity=severity)
