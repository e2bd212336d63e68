"""Results of bind and unbind as text and as JSON. Pure.

Called by cli.commands.bind.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from bundlectl.model.location import address, path_short
from bundlectl.model.plan import FieldChange
from bundlectl.model.plan_document import field_document
from bundlectl.render.documents import AppliedChange, result_document
from bundlectl.render.escape import Style, visible
from bundlectl.render.plan_changes import field_lines
from bundlectl.render.values import counted, job_name


class BoundJob(Protocol):
    """A job that was bound or forgotten."""

    @property
    def target(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def action(self) -> str: ...
    @property
    def fields(self) -> tuple[FieldChange, ...]: ...
    @property
    def in_bundle(self) -> bool: ...


def bound_text(done: BoundJob, outcomes: Sequence[AppliedChange], *, style: Style) -> str:
    """What was done, and what the next plan makes of it."""
    name, id = job_name(done.key), visible(done.id)
    failed = next((item for item in outcomes if item.outcome != "done"), None)
    if failed is not None:
        return f"{name} {visible(failed.outcome.replace('_', ' '))}: {visible(failed.error or '')}\n"
    if done.action == "unbind":
        again = "; the next deploy creates a new one, because the bundle has it" if done.in_bundle else ""
        return f"{name} is forgotten in {visible(done.target)}; job {id} stays as it is{again}\n"
    if not outcomes:
        return f"{name} is job {id} already\n"
    text = f"{name} is job {id} now\n"
    if not done.fields:
        return text
    lines = [f"The bundle says otherwise in {counted(len(done.fields), 'field')}; a deploy sets what it says:"]
    for field in done.fields:
        lines += field_lines(
            path_short(field.path), field.observed, field.desired, "", style, sensitive=field.sensitive, verbose=False
        )
    return text + "\n".join(lines) + "\n"


def bind_document(done: BoundJob, outcomes: Sequence[AppliedChange]) -> dict[str, Any]:
    """`bind -o json` and `unbind -o json`."""
    end = outcomes[0] if outcomes else None
    return result_document(
        "bind",
        target=done.target,
        address=address(done.key),
        id=done.id,
        action=done.action,
        fields=[field_document(field) for field in done.fields],
        in_bundle=done.in_bundle,
        outcome=end.outcome if end is not None else None,
        error=end.error if end is not None else None,
    )
