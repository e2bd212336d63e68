"""What several commands show: findings, a plan, and any result as JSON when that was asked for.

Called by the commands after the operation. What only one command shows is in that command's module, so that a plan
does not load what deploys or runs.
"""

from collections.abc import Mapping
from typing import Any

from bundlectl.cli.wiring import Session
from bundlectl.model.diagnostic import Diagnostics
from bundlectl.model.plan import Plan, count
from bundlectl.operations.load import Loading
from bundlectl.render.diagnostics import diagnostics_text, source_reader
from bundlectl.render.plan_text import plan_text, summary_text


def show_findings(session: Session, loading: Loading) -> None:
    """Warnings and notes of a bundle that loads, on stderr."""
    print_findings(session, loading, loading.loaded.diagnostics.settled(planning=True))


def print_findings(session: Session, loading: Loading, findings: Diagnostics, *, counted: bool = True) -> None:
    """Findings with the lines that they point at, on stderr."""
    text = diagnostics_text(
        findings,
        read_line=source_reader(loading.read_source),
        terminal=session.console.stderr_is_terminal,
        style=session.console.error_style,
        counted=counted,
    )
    if text:
        session.console.report(text)


def show_plan(
    session: Session, plan: Plan, document: Mapping[str, Any], *, show: str = "changed", exit_code: int = 0
) -> None:
    """`plan`: text, the plan document, or its parts as lines and the document as the last."""
    if session.lines is not None:
        for entry in document["changes"]:
            session.lines.entry("planned_change", entry)
        for entry in document.get("drift", ()):
            session.lines.entry("resource_drift", entry)
        session.lines.summary(count(plan))
        session.lines.result(exit_code, document)
    elif session.output == "json":
        session.console.document(document)
    else:
        session.console.result(plan_text(plan, style=session.console.style, show=show), summary=summary_text(plan))


def show_plan_to_approve(session: Session, plan: Plan) -> None:
    """The plan as part of the conversation: what is about to be asked or done."""
    if session.lines is None:
        session.console.say(plan_text(plan, style=session.console.error_style))


def shown_as_document(session: Session, document: Mapping[str, Any], exit_code: int) -> bool:
    """Writes a JSON result when that was asked for; whether it was."""
    if session.lines is not None:
        session.lines.result(exit_code, document)
    elif session.output == "json":
        session.console.document(document)
    else:
        return False
    return True
