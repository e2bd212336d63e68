"""Results of doctor as text and as JSON. Pure.

Called by cli.commands.doctor.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from bundlectl.render.documents import result_document
from bundlectl.render.escape import Style, visible

_STYLES = {"ok": "add", "warn": "warning", "FAIL": "error"}


class Finding(Protocol):
    """One check."""

    @property
    def id(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def detail(self) -> str: ...
    @property
    def hint(self) -> str | None: ...


def doctor_text(checks: Sequence[Finding], *, style: Style) -> str:
    """A line for each check, and below what is not well what to do about it."""
    width = max((len(check.id) for check in checks), default=0)
    lines: list[str] = []
    for check in checks:
        status = style(_STYLES.get(check.status, ""), f"{check.status:<4}")
        lines.append(f"{status}  {visible(check.id):<{width}}  {visible(check.detail)}")
        if check.hint:
            lines.append(f"{'':<{width + 8}}{visible(check.hint)}")
    return "".join(f"{line}\n" for line in lines)


def doctor_document(checks: Sequence[Finding]) -> dict[str, Any]:
    """`doctor -o json`."""
    return result_document(
        "doctor",
        checks=[
            {"id": check.id, "status": check.status, "detail": check.detail, "hint": check.hint} for check in checks
        ],
    )
