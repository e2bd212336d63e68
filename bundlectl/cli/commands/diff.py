"""diff: what changed between two commits, targets, deployments or the backend. Reads only."""

from typing import Annotated

import typer

from bundlectl.cli.options import Common, Output, OutputOption, application, command
from bundlectl.cli.wiring import Session, open_session
from bundlectl.model.comparison import Comparison, Finding
from bundlectl.model.diagnostic import Diagnostics
from bundlectl.model.errors import BundlectlError, UsageError
from bundlectl.operations import diff as operation
from bundlectl.operations.diff import Diffed, DiffRequest, SidesFailed
from bundlectl.operations.diff_sides import LoadedSide, Side
from bundlectl.planning.selection import Selection
from bundlectl.render.diagnostics import diagnostics_text, error_text, no_lines, source_reader
from bundlectl.render.diff_document import diff_document
from bundlectl.render.diff_text import diff_names_text, diff_summary_text, diff_text
from bundlectl.render.escape import visible
from bundlectl.render.values import commit_text

DIFFERENT = 2


def diff(
    common: Common,
    old: Annotated[
        str | None,
        typer.Argument(
            metavar="[FROM | A..B]",
            help="A commit, target:NAME, recorded:TARGET, deployment:N, observed:TARGET or worktree; by default what "
            "is recorded of the target.",
        ),
    ] = None,
    new: Annotated[
        str | None, typer.Argument(metavar="[TO]", help="The same; by default the source, as a plan reads it.")
    ] = None,
    select: Annotated[
        list[str] | None, typer.Option("--select", metavar="JOB", help="Only these jobs: jobs.key, or a pattern.")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", metavar="JOB", help="All but these jobs: jobs.key, or a pattern.")
    ] = None,
    code: Annotated[bool, typer.Option("--code", help="Show changed files line by line.")] = False,
    name_only: Annotated[
        bool, typer.Option("--name-only", help="Names of changed jobs and files, a line each.")
    ] = False,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit 2 when there are differences.")
    ] = False,
    output: OutputOption = Output.TEXT,
) -> int:
    """Show what changed between two commits, targets or deployments: fields of jobs, and code.

    A..B compares two commits, A...B a commit with where it left A; both need neither state nor backend.
    """
    for given, other in (("--code", code), ("--output json", output is Output.JSON)):
        if name_only and other:
            raise UsageError(f'"--name-only" and "{given}" exclude each other', code="BND620")
    session = open_session(common, output)
    request = DiffRequest(
        words=tuple(word for word in (old, new) if word is not None),
        selection=Selection.of(select or (), exclude or ()),
        with_code=code,
    )
    try:
        diffed = operation.diff(session.context, request)
    except SidesFailed as failed:
        raise _last(session, failed) from None
    _show_findings(session, diffed)
    _show(session, diffed.comparison, name_only)
    return DIFFERENT if detailed_exitcode and not diffed.comparison.is_empty else 0


def _show(session: Session, comparison: Comparison, name_only: bool) -> None:
    """`diff`: text, names or the document."""
    if session.output == "json":
        session.console.document(diff_document(comparison))
    elif name_only:
        session.console.result(diff_names_text(comparison), paged=True)
    else:
        text = diff_text(comparison, style=session.console.style)
        session.console.result(text, summary=diff_summary_text(comparison), paged=True)


def _show_findings(session: Session, diffed: Diffed) -> None:
    """Warnings and notes, on stderr; of a side that is not the one that is worked on, with its commit."""
    found = diffed.comparison.findings
    for side, point in ((diffed.left, diffed.comparison.left), (diffed.right, diffed.comparison.right)):
        mine = [item for item in found if _is_of(item, side)]
        found = tuple(item for item in found if item not in mine)
        if mine:
            session.console.report(f"{visible(point.name)} ({_where(side)}):")
            _report(session, mine, side)
    if found:
        _report(session, found, None)


def _is_of(finding: Finding, side: Side) -> bool:
    return isinstance(side, LoadedSide) and any(finding.diagnostic is item for item in side.loading.loaded.diagnostics)


def _where(side: Side) -> str:
    point = side.point
    if isinstance(side, LoadedSide) and side.loading.tree.revision.working_tree:
        return "working tree"
    return f"commit {commit_text(point.commit)}"


def _report(session: Session, findings: list[Finding] | tuple[Finding, ...], side: Side | None) -> None:
    read_line = source_reader(side.loading.read_source) if isinstance(side, LoadedSide) else no_lines
    text = diagnostics_text(
        Diagnostics(item.diagnostic for item in findings),
        read_line=read_line,
        terminal=session.console.stderr_is_terminal,
        style=session.console.error_style,
        counted=side is not None,
    )
    session.console.report(text)


def _last(session: Session, failed: SidesFailed) -> BundlectlError:
    """The error that ends the command, after its heading and after what is wrong with the other side."""
    *others, last = failed.failures
    if session.output == "json":
        # One document for both sides; their lines are of two trees, so no excerpts are shown.
        if others:
            last.error.summary = "; ".join(failure.error.summary for failure in failed.failures)
            last.error.diagnostics = tuple(item for failure in failed.failures for item in failure.error.diagnostics)
            last.error.read_source = None
        return last.error
    for failure in others:
        session.console.report(_heading(failure.name, failure.error))
        read = failure.error.read_source
        session.console.report(
            error_text(
                failure.error,
                read_line=source_reader(read) if read is not None else no_lines,
                terminal=session.console.stderr_is_terminal,
                style=session.console.error_style,
            )
        )
    session.console.report(_heading(last.name, last.error))
    return last.error


def _heading(name: str, error: BundlectlError) -> str:
    return f"{visible(name)}: {visible(error.summary)}"


diff_app = application(main=command(diff))
